//! The decoder: a straight line for ordinary frames, a walk for the rest.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::encap::{self, EncapIndex, EncapTable};
use super::ethernet::{self, ethertype};
use super::fragment::FragmentTable;
use super::transport::Segment;
use super::view::View;
use super::walk::{IpHeader, Next, Walk};
use super::{EncapId, Packet, ip, ipv4, ipv6, link, ppp, transport, udp_tunnel, wifi};
use crate::base::{Addr, Mac, Timestamp};
use crate::capture::LinkType;
use crate::coverage::Counter;

/// Most headers of one frame, tags and extension headers included; the limits
/// on tunnels, tags and extensions leave no ordinary frame near it.
const MAX_STEPS: usize = 256;

/// What a decoder is told at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Give every packet the empty segment (`--ignore-vlan`): for vantage
    /// points where the two directions of a conversation carry different tags.
    /// The layers are recorded all the same.
    pub ignore_vlan: bool,
}

/// Turns frames into segments. Holds the fragments that wait for others, the
/// table of encapsulations, and the arena of reassembled payloads.
#[derive(Debug)]
pub struct Decoder {
    encaps: EncapIndex,
    fragments: FragmentTable,
    arena: Vec<u8>,
    /// Packets left out since the counts were last taken.
    undecoded: u64,
}

/// Where a walk ended.
enum End {
    Segment(IpHeader, Segment),
    /// A datagram was completed: its header, protocol and payload.
    Datagram(IpHeader, u8, Vec<u8>),
}

/// What a packet has beside its IP and transport headers.
struct Place {
    ts: Timestamp,
    base: u32,
    in_arena: bool,
    encap: EncapId,
    src_mac: Option<Mac>,
    dst_mac: Option<Mac>,
}

/// Puts a packet together, all fields at once: a packet that is filled in piece
/// by piece and then moved costs more than its decoding.
#[inline]
fn packet(ip: &IpHeader, segment: &Segment, place: Place) -> Packet {
    Packet {
        ts: place.ts,
        src: Addr(ip.src.to_be_bytes()),
        dst: Addr(ip.dst.to_be_bytes()),
        sport: segment.sport,
        dport: segment.dport,
        transport: segment.transport,
        flags: segment.flags,
        ttl: ip.ttl,
        seq: segment.seq,
        ack: segment.ack,
        payload_offset: segment.payload_offset.saturating_add(place.base),
        payload_len: segment.payload_len,
        payload_missing: segment.payload_missing,
        encap: place.encap,
        src_mac: place.src_mac,
        dst_mac: place.dst_mac,
        in_arena: place.in_arena,
    }
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(options: Options) -> Self {
        Decoder {
            encaps: EncapIndex::new(options.ignore_vlan),
            fragments: FragmentTable::default(),
            arena: Vec::new(),
            undecoded: 0,
        }
    }

    /// Whether frames of that link type are decoded at all.
    pub fn supports(link: LinkType) -> bool {
        link::supports(link)
    }

    /// Decodes a frame of which the wire had `orig_len` bytes. `base` is where
    /// the frame begins in its buffer; it is added to the payload's offset,
    /// unless the payload lies in the arena.
    ///
    /// The error is the reason why there is no segment, for the caller to
    /// count; a fragment whose datagram is not complete yields
    /// [`Counter::IpFragments`]. Further events come from
    /// [`side_counts`](Self::side_counts).
    #[inline]
    pub fn decode(
        &mut self,
        link: LinkType,
        frame: &[u8],
        orig_len: u32,
        base: u32,
        ts: Timestamp,
    ) -> Result<Packet, Counter> {
        let view = View::new(frame, usize::try_from(orig_len).unwrap_or(usize::MAX));
        // Each way returns by itself, so that the packet is written only once.
        if link == link::ETHERNET {
            if let Some(packet) = self.straight(view, base, ts) {
                return Ok(packet);
            }
        } else if let Some(packet) = self.straight_other(link, view, base, ts) {
            return Ok(packet);
        }
        self.walk(link, view, base, ts)
    }

    /// Payloads of the datagrams put together since it was last emptied;
    /// [`Packet::payload_offset`] counts in it where [`Packet::in_arena`] is
    /// set.
    pub fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// Empties the arena and keeps its buffer. Call it when the packets
    /// decoded so far are done with; nothing else bounds it.
    pub fn clear_arena(&mut self) {
        self.arena.clear();
    }

    /// Takes the arena away, to travel with the packets that point into it.
    pub fn take_arena(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.arena)
    }

    /// Events since the last call that [`decode`](Self::decode) did not return
    /// as an error: the last fragment of each datagram, datagrams completed,
    /// given up and contradictory, further packets of an aggregate,
    /// encapsulations beyond the table.
    #[inline]
    pub fn side_counts(&mut self) -> impl Iterator<Item = (Counter, u64)> + use<> {
        let events = std::mem::take(&mut self.fragments.events);
        [
            (Counter::IpFragments, events.reassembled),
            (Counter::IpReassembled, events.reassembled),
            (Counter::IpFragmentsLost, events.lost),
            (Counter::IpFragmentConflict, events.conflicts),
            (Counter::TunnelUnsupported, std::mem::take(&mut self.undecoded)),
            (encap::REFUSED, self.encaps.take_refused()),
        ]
        .into_iter()
        .filter(|(_, n)| *n > 0)
    }

    /// Gives up the datagrams that are still incomplete, at the end of a
    /// source; [`side_counts`](Self::side_counts) then tells how many.
    pub fn finish(&mut self) {
        self.fragments.give_up();
    }

    /// The table of encapsulations, to be cloned by whoever reads it.
    pub fn encaps(&self) -> &EncapTable {
        self.encaps.table()
    }

    /// Ethernet with up to two tags, IP without fragments and IPv6 extension
    /// headers, TCP or UDP without a tunnel's port. Everything else, and every
    /// error, is `None` and for the walk.
    #[inline]
    pub(super) fn straight(&mut self, mut view: View<'_>, base: u32, ts: Timestamp) -> Option<Packet> {
        let h = view.take::<14>()?;
        let dst_mac = Some(Mac([h[0], h[1], h[2], h[3], h[4], h[5]]));
        let src_mac = Some(Mac([h[6], h[7], h[8], h[9], h[10], h[11]]));
        self.behind_link(u16::from_be_bytes([h[12], h[13]]), view, (src_mac, dst_mac), base, ts)
    }

    /// The same behind the other links of plain form.
    #[inline(never)]
    pub(super) fn straight_other(
        &mut self,
        link: LinkType,
        mut view: View<'_>,
        base: u32,
        ts: Timestamp,
    ) -> Option<Packet> {
        let (kind, src_mac) = link::plain(link, &mut view)?;
        self.behind_link(kind, view, (src_mac, None), base, ts)
    }

    /// The straight line from an ethertype on. `macs` are sender and receiver.
    #[inline(always)]
    fn behind_link(
        &mut self,
        mut kind: u16,
        mut view: View<'_>,
        macs: (Option<Mac>, Option<Mac>),
        base: u32,
        ts: Timestamp,
    ) -> Option<Packet> {
        let (mut outer, mut inner) = (0, 0);
        if ethernet::is_tag(kind) {
            let t = view.take::<4>()?;
            outer = u16::from_be_bytes([t[0], t[1]]) & 0x0fff;
            kind = u16::from_be_bytes([t[2], t[3]]);
            if ethernet::is_tag(kind) {
                let t = view.take::<4>()?;
                inner = u16::from_be_bytes([t[0], t[1]]) & 0x0fff;
                kind = u16::from_be_bytes([t[2], t[3]]);
            }
        }
        let (ip, proto, payload) = match kind {
            ethertype::IPV4 => match ipv4::header(view) {
                Ok((ip, proto, None, payload)) => (ip, proto, payload),
                _ => return None,
            },
            ethertype::IPV6 => ipv6::header(view).ok()?,
            _ => return None,
        };
        let segment = match proto {
            6 => transport::tcp(payload).ok()?,
            17 => transport::udp(payload).ok().map(|(s, _)| s).filter(|s| !udp_tunnel::may_carry(s))?,
            _ => return None,
        };
        Some(packet(
            &ip,
            &segment,
            Place {
                ts,
                base,
                in_arena: false,
                encap: self.encaps.tagged(outer, inner),
                src_mac: macs.0,
                dst_mac: macs.1,
            },
        ))
    }

    /// Header by header, through tunnels and reassembled datagrams.
    #[inline(never)]
    pub(super) fn walk(&mut self, link: LinkType, view: View<'_>, base: u32, ts: Timestamp) -> Result<Packet, Counter> {
        let mut walk = Walk::default();
        let first = link::step(link, view, &mut walk)?;
        let (ip, segment, in_arena) = match self.follow(first, &mut walk, ts)? {
            End::Segment(ip, segment) => (ip, segment, false),
            End::Datagram(ip, proto, payload) => {
                let (ip, segment) = self.walk_datagram(ip, proto, payload, &mut walk, ts)?;
                (ip, segment, true)
            }
        };
        Ok(packet(
            &ip,
            &segment,
            Place {
                ts,
                base: if in_arena { 0 } else { base },
                in_arena,
                encap: self.encaps.id(&walk.path),
                src_mac: walk.src_mac,
                dst_mac: walk.dst_mac,
            },
        ))
    }

    /// Goes on inside a reassembled datagram, which may hold a tunnel with
    /// further fragments.
    fn walk_datagram(
        &mut self,
        mut ip: IpHeader,
        mut proto: u8,
        mut payload: Vec<u8>,
        walk: &mut Walk,
        ts: Timestamp,
    ) -> Result<(IpHeader, Segment), Counter> {
        let before = self.arena.len();
        // The limits on tunnels and extension headers, which the walk carries
        // along, bound this too.
        loop {
            let offset = self.arena.len();
            self.arena.extend_from_slice(&payload);
            let arena = std::mem::take(&mut self.arena);
            let data = arena.get(offset..).unwrap_or(&[]);
            let view = View { data, offset, missing: 0 };
            let end = self.follow(Next::IpPayload(ip, proto, view), walk, ts);
            self.arena = arena;
            match end {
                Ok(End::Segment(ip, segment)) => return Ok((ip, segment)),
                Ok(End::Datagram(i, p, d)) => (ip, proto, payload) = (i, p, d),
                Err(cause) => {
                    self.arena.truncate(before);
                    return Err(cause);
                }
            }
        }
    }

    /// Takes steps until the walk ends.
    fn follow(&mut self, first: Next<'_>, walk: &mut Walk, ts: Timestamp) -> Result<End, Counter> {
        let mut next = first;
        for _ in 0..MAX_STEPS {
            next = match next {
                Next::Ethernet(view) => ethernet::step(view, walk)?,
                Next::EtherType(kind, view) => ethernet::payload(kind, view, walk)?,
                Next::Llc(view) => ethernet::llc(view)?,
                Next::Ip(view) => ip::step(view, walk)?,
                Next::Ppp(view) => ppp::step(view, walk)?,
                Next::Wifi(view) => wifi::step(view, walk)?,
                Next::IpPayload(ip, proto, view) => ip::payload(ip, proto, view, walk)?,
                Next::Fragment(ip, header, view) => {
                    let segment = self.encaps.id(&walk.path);
                    let segment = self.encaps.segment_id(segment);
                    let (proto, payload) = self.fragments.add(segment, &ip, &header, view, ts)?;
                    return Ok(End::Datagram(ip, proto, payload));
                }
                Next::Segment(ip, segment) => {
                    self.undecoded = self.undecoded.saturating_add(walk.undecoded);
                    return Ok(End::Segment(ip, segment));
                }
            };
        }
        Err(Counter::LayersExceeded)
    }
}
