//! Ordinary frames at fixed offsets: Ethernet with up to two tags, IP without
//! options, extension headers or fragments, TCP or UDP without a tunnel's port.
//!
//! Nearly all frames are of that kind. What is not, and every error, is for the
//! walk.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::{self, ethertype};
use super::{EncapId, Packet, Transport, udp_tunnel};
use crate::base::{Addr, Mac, Timestamp};

/// What an ordinary frame has before its IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shell {
    /// Where the IP header begins.
    pub(super) ip_at: u8,
    /// Whether it is one of IPv6.
    pub(super) v6: bool,
    /// The tags, as `encap::tag_layer` takes them; 0 for none.
    pub(super) tags: (u16, u16),
}

impl Shell {
    /// Whether there is a tag that says where a frame belongs.
    #[inline]
    pub fn is_tagged(self) -> bool {
        self.tags != (0, 0)
    }

    /// The shell of a packet of this ethertype that begins at `ip_at`.
    #[inline]
    pub(super) fn bare(kind: u16, ip_at: u8) -> Option<Self> {
        let v6 = match kind {
            ethertype::IPV4 => false,
            ethertype::IPV6 => true,
            _ => return None,
        };
        Some(Shell { ip_at, v6, tags: (0, 0) })
    }

    /// Takes off an Ethernet header and its tags; `None` if no IP header
    /// follows.
    #[inline(always)]
    pub fn of_ethernet(frame: &[u8]) -> Option<Self> {
        let h = frame.first_chunk::<14>()?;
        let kind = u16::from_be_bytes([h[12], h[13]]);
        match kind {
            ethertype::IPV4 => Some(Shell { ip_at: 14, v6: false, tags: (0, 0) }),
            _ => Shell::behind(frame, kind),
        }
    }

    /// The same where something else comes first than IPv4.
    fn behind(frame: &[u8], mut kind: u16) -> Option<Self> {
        let (mut ip_at, mut tags) = (14, (0, 0));
        if ethernet::is_tag(kind) {
            let h = frame.first_chunk::<18>()?;
            tags.0 = ethernet::tag(kind, [h[14], h[15]]);
            (kind, ip_at) = (u16::from_be_bytes([h[16], h[17]]), 18);
            if ethernet::is_tag(kind) {
                let h = frame.first_chunk::<22>()?;
                tags.1 = ethernet::tag(kind, [h[18], h[19]]);
                (kind, ip_at) = (u16::from_be_bytes([h[20], h[21]]), 22);
            }
        }
        Shell::bare(kind, ip_at).map(|shell| Shell { tags, ..shell })
    }
}

/// The addresses of a packet, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// Of IPv4.
    V4 {
        /// Sender.
        src: u32,
        /// Receiver.
        dst: u32,
    },
    /// Of IPv6; IPv4 ones may be mapped into them.
    V6 {
        /// Sender.
        src: u128,
        /// Receiver.
        dst: u128,
    },
}

/// The hardware addresses of an Ethernet header: sender, receiver.
#[inline]
pub fn macs(frame: &[u8]) -> (Option<Mac>, Option<Mac>) {
    let Some((dst, rest)) = frame.split_first_chunk() else { return (None, None) };
    (rest.first_chunk().copied().map(Mac), Some(Mac(*dst)))
}

/// What an IP header says.
struct Ip {
    src: Addr,
    dst: Addr,
    pair: Pair,
    ttl: u8,
    proto: u8,
    /// Bytes behind the header.
    len: usize,
}

#[inline]
fn number(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

/// Five words; no fragment, whatever the reserved bit and DF say.
#[inline(always)]
fn v4(h: &[u8; 20]) -> Option<Ip> {
    if h[0] != 0x45 || number(h[6], h[7]) & 0x3fff != 0 {
        return None;
    }
    let (src, dst) = ([h[12], h[13], h[14], h[15]], [h[16], h[17], h[18], h[19]]);
    let pair = Pair::V4 { src: u32::from_be_bytes(src), dst: u32::from_be_bytes(dst) };
    let len = number(h[2], h[3]).checked_sub(20)?;
    Some(Ip { src: Addr::v4(src), dst: Addr::v4(dst), pair, ttl: h[8], proto: h[9], len })
}

#[inline(always)]
fn v6(h: &[u8; 40]) -> Option<Ip> {
    if h[0] >> 4 != 6 {
        return None;
    }
    let (_, addresses) = h.split_first_chunk::<8>()?;
    let (src, dst) = addresses.split_first_chunk::<16>()?;
    let dst = dst.first_chunk::<16>()?;
    let pair = Pair::V6 { src: u128::from_be_bytes(*src), dst: u128::from_be_bytes(*dst) };
    Some(Ip { src: Addr(*src), dst: Addr(*dst), pair, ttl: h[7], proto: h[6], len: number(h[4], h[5]) })
}

/// Where a packet came from and what is around it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// When its frame was captured.
    pub ts: Timestamp,
    /// Where the frame begins in its buffer.
    pub base: u32,
    /// Bytes of the frame that the wire had.
    pub wire: u32,
    /// The hardware addresses of sender and receiver.
    pub macs: (Option<Mac>, Option<Mac>),
}

/// Takes a packet as it is decoded, which spares a copy of it. To be inlined:
/// it is called from two places.
pub trait Take {
    /// What it makes of the packet.
    type Result;
    /// Takes the packet and its addresses. It has no number of its tags yet:
    /// what is not ordinary after all must not get one here.
    fn take(self, packet: &Packet, pair: Pair) -> Self::Result;
}

/// Takes a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied;

impl Take for Copied {
    type Result = Packet;

    #[inline(always)]
    fn take(self, packet: &Packet, _: Pair) -> Packet {
        *packet
    }
}

/// Decodes a frame in this shell. `None` if it is not an ordinary one.
#[inline(always)]
pub fn packet<T: Take>(frame: &[u8], shell: Shell, place: Place, take: T) -> Option<T::Result> {
    // Written twice, so that each is straight.
    if shell.v6 { in_ip::<40, T>(frame, shell, place, v6, take) } else { in_ip::<20, T>(frame, shell, place, v4, take) }
}

#[inline(always)]
fn in_ip<const HEADER: usize, T: Take>(
    frame: &[u8],
    shell: Shell,
    place: Place,
    read: impl FnOnce(&[u8; HEADER]) -> Option<Ip>,
    take: T,
) -> Option<T::Result> {
    let ip_at = usize::from(shell.ip_at);
    let (header, behind) = frame.get(ip_at..)?.split_first_chunk::<HEADER>()?;
    let ip = read(header)?;
    // What announces more than the wire had is for the walk to count.
    let end = ip_at.wrapping_add(HEADER).wrapping_add(ip.len);
    if end > frame.len() && end > place.wire as usize {
        return None;
    }
    let h = behind.first_chunk::<20>()?;
    let (sport, dport) = (u16::from_be_bytes([h[0], h[1]]), u16::from_be_bytes([h[2], h[3]]));
    // The header's length, and the payload's as it is announced.
    let (transport, flags, seq, ack, len, announced) = match ip.proto {
        6 => {
            let len = usize::from(h[12] >> 4).wrapping_mul(4);
            if len < 20 {
                return None;
            }
            let seq = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
            let ack = u32::from_be_bytes([h[8], h[9], h[10], h[11]]);
            (Transport::Tcp, h[13], seq, ack, len, ip.len.checked_sub(len)?)
        }
        17 => {
            let behind = ip.len.checked_sub(8)?;
            let announced = match number(h[4], h[5]) {
                0 => behind,
                n => n.checked_sub(8)?.min(behind),
            };
            if udp_tunnel::may_carry(sport, dport) {
                return None;
            }
            (Transport::Udp, 0, 0, 0, 8, announced)
        }
        _ => return None,
    };
    // Lengths are of 16 bits, and frames shorter than their buffer.
    let payload_at = ip_at.wrapping_add(HEADER).wrapping_add(len).min(frame.len());
    let payload_len = announced.min(frame.len().wrapping_sub(payload_at));
    let packet = Packet {
        ts: place.ts,
        src: ip.src,
        dst: ip.dst,
        sport,
        dport,
        transport,
        flags,
        ttl: ip.ttl,
        seq,
        ack,
        payload_offset: (payload_at as u32).saturating_add(place.base),
        payload_len: payload_len as u32,
        payload_missing: announced.wrapping_sub(payload_len) as u32,
        encap: EncapId(0),
        src_mac: place.macs.0,
        dst_mac: place.macs.1,
        in_arena: false,
        conflict: false,
    };
    Some(take.take(&packet, ip.pair))
}
