//! Ordinary frames at fixed offsets: Ethernet with up to two tags, IP without
//! options, extension headers or fragments, TCP or UDP without a tunnel's port.
//!
//! Nearly all frames are of that kind. A [`look`] finds their ends, so that
//! they can be dealt out without being decoded; [`packet`] decodes them. What
//! is not ordinary, and every error, is for the walk.
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

/// The ends of an ordinary frame's segment, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The addresses.
    pub pair: Pair,
    /// Sender's port.
    pub sport: u16,
    /// Receiver's port.
    pub dport: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// What is around it.
    pub shell: Shell,
}

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
}

/// An IP header.
enum Ip<'a> {
    V4(&'a [u8; 20]),
    V6(&'a [u8; 40]),
}

/// The headers of an ordinary segment.
struct Headers<'a> {
    ip: Ip<'a>,
    transport: Transport,
    /// The first bytes of its header.
    head: &'a [u8; 20],
    /// Where its payload begins, unless the capture ends before.
    payload_at: usize,
    /// Payload bytes that the headers announce.
    announced: usize,
}

#[inline(always)]
fn number(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

/// Reads the headers from an IP header on that begins at `at`.
#[inline(always)]
fn headers(frame: &[u8], at: usize, v6: bool) -> Option<Headers<'_>> {
    let rest = frame.get(at..)?;
    let (ip, proto, len, behind) = if v6 {
        let (h, behind) = rest.split_first_chunk::<40>()?;
        if h[0] >> 4 != 6 {
            return None;
        }
        (Ip::V6(h), h[6], number(h[4], h[5]), behind)
    } else {
        let (h, behind) = rest.split_first_chunk::<20>()?;
        // Five words; no fragment, whatever the reserved bit and DF say.
        if h[0] != 0x45 || number(h[6], h[7]) & 0x3fff != 0 {
            return None;
        }
        (Ip::V4(h), h[9], number(h[2], h[3]).checked_sub(20)?, behind)
    };
    let head = behind.first_chunk::<20>()?;
    let (transport, header_len, announced) = match proto {
        6 => {
            let header_len = usize::from(head[12] >> 4).wrapping_mul(4);
            if header_len < 20 {
                return None;
            }
            (Transport::Tcp, header_len, len.checked_sub(header_len)?)
        }
        17 => {
            let behind = len.checked_sub(8)?;
            let announced = match number(head[4], head[5]) {
                0 => behind,
                n => n.checked_sub(8)?.min(behind),
            };
            let [s0, s1, d0, d1, ..] = *head;
            if udp_tunnel::may_carry(u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])) {
                return None;
            }
            (Transport::Udp, 8, announced)
        }
        _ => return None,
    };
    let payload_at = at.wrapping_add(if v6 { 40 } else { 20 }).wrapping_add(header_len);
    Some(Headers { ip, transport, head, payload_at, announced })
}

/// Takes off the tags behind an Ethernet header's addresses: where the IP
/// header begins, and of which version it is.
#[inline(always)]
fn shell(frame: &[u8]) -> Option<Shell> {
    let h = frame.first_chunk::<14>()?;
    let (mut kind, mut ip_at, mut tags) = (u16::from_be_bytes([h[12], h[13]]), 14, (0, 0));
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
    bare(kind, ip_at).map(|shell| Shell { tags, ..shell })
}

/// The shell of a packet of this ethertype that begins at `ip_at`.
#[inline(always)]
pub(super) fn bare(kind: u16, ip_at: u8) -> Option<Shell> {
    let v6 = match kind {
        ethertype::IPV4 => false,
        ethertype::IPV6 => true,
        _ => return None,
    };
    Some(Shell { ip_at, v6, tags: (0, 0) })
}

/// Looks at an Ethernet frame; `None` if it is not an ordinary one.
#[inline(always)]
pub fn look(frame: &[u8]) -> Option<Look> {
    let shell = shell(frame)?;
    let h = headers(frame, usize::from(shell.ip_at), shell.v6)?;
    let pair = match h.ip {
        Ip::V4(ip) => Pair::V4 {
            src: u32::from_be_bytes([ip[12], ip[13], ip[14], ip[15]]),
            dst: u32::from_be_bytes([ip[16], ip[17], ip[18], ip[19]]),
        },
        Ip::V6(ip) => {
            let (_, addresses) = ip.split_first_chunk::<8>()?;
            let (src, dst) = addresses.split_first_chunk::<16>()?;
            Pair::V6 { src: u128::from_be_bytes(*src), dst: u128::from_be_bytes(*dst.first_chunk()?) }
        }
    };
    let [s0, s1, d0, d1, ..] = *h.head;
    let (sport, dport) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    Some(Look { pair, sport, dport, transport: h.transport, shell })
}

/// The hardware addresses of an Ethernet header: sender, receiver.
#[inline(always)]
pub(super) fn macs(frame: &[u8]) -> (Option<Mac>, Option<Mac>) {
    let Some((dst, rest)) = frame.split_first_chunk() else { return (None, None) };
    (rest.first_chunk().copied().map(Mac), Some(Mac(*dst)))
}

/// Decodes an Ethernet frame at which a [`look`] found this shell, and hands
/// the packet to `then`, which spares a copy of it. `base` is where the frame
/// begins in its buffer; `encap` is the number of its tags.
#[inline(always)]
pub fn packet<R>(
    frame: &[u8],
    shell: Shell,
    base: u32,
    ts: Timestamp,
    encap: EncapId,
    then: impl FnOnce(&Packet) -> R,
) -> Option<R> {
    behind_link(frame, shell, base, ts, encap, macs(frame), then)
}

/// The same behind any link.
#[inline(always)]
pub(super) fn behind_link<R>(
    frame: &[u8],
    shell: Shell,
    base: u32,
    ts: Timestamp,
    encap: EncapId,
    (src_mac, dst_mac): (Option<Mac>, Option<Mac>),
    then: impl FnOnce(&Packet) -> R,
) -> Option<R> {
    let h = headers(frame, usize::from(shell.ip_at), shell.v6)?;
    let (src, dst, ttl) = match h.ip {
        Ip::V4(ip) => (Addr::v4([ip[12], ip[13], ip[14], ip[15]]), Addr::v4([ip[16], ip[17], ip[18], ip[19]]), ip[8]),
        Ip::V6(ip) => {
            let (_, addresses) = ip.split_first_chunk::<8>()?;
            let (src, dst) = addresses.split_first_chunk::<16>()?;
            (Addr(*src), Addr(*dst.first_chunk()?), ip[7])
        }
    };
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, _, flags, ..] = *h.head;
    let (seq, ack, flags) = match h.transport {
        Transport::Tcp => (u32::from_be_bytes([q0, q1, q2, q3]), u32::from_be_bytes([a0, a1, a2, a3]), flags),
        Transport::Udp => (0, 0, 0),
    };
    // Lengths are of 16 bits, and frames shorter than their buffer.
    let payload_at = h.payload_at.min(frame.len());
    let payload_len = h.announced.min(frame.len().wrapping_sub(payload_at));
    Some(then(&Packet {
        ts,
        src,
        dst,
        sport: u16::from_be_bytes([s0, s1]),
        dport: u16::from_be_bytes([d0, d1]),
        transport: h.transport,
        flags,
        ttl,
        seq,
        ack,
        payload_offset: (payload_at as u32).saturating_add(base),
        payload_len: payload_len as u32,
        payload_missing: h.announced.wrapping_sub(payload_len) as u32,
        encap,
        src_mac,
        dst_mac,
        in_arena: false,
        conflict: false,
    }))
}
