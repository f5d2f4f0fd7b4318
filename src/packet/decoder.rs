//! The decoder: fixed offsets for ordinary frames, a walk for the rest.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::encap::{self, EncapIndex, EncapTable};
use super::ethernet;
use super::fragment::FragmentTable;
use super::ipcomp::Inflater;
use super::notice::Notice;
use super::plain::{self, Copied, Shell};
use super::transport::Segment;
use super::view::View;
use super::walk::{Content, IpHeader, Next, Walk};
use super::{EncapId, Packet, ip, link, ppp, wifi};
use crate::base::{Addr, Mac, Timestamp};
use crate::capture::LinkType;
use crate::coverage::Counter;
use std::collections::VecDeque;

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
    inflater: Inflater,
    arena: Vec<u8>,
    /// Packets of the last frame beside the one that was returned.
    more: VecDeque<Packet>,
    notice: Option<Notice>,
    side: SideCounts,
}

/// Events since they were last taken: a few counters at a time.
#[derive(Debug, Default)]
struct SideCounts(Vec<(Counter, u64)>);

impl SideCounts {
    #[inline]
    fn add(&mut self, counter: Counter, n: u64) {
        match self.0.iter_mut().find(|(c, _)| *c == counter) {
            Some((_, sum)) => *sum = sum.saturating_add(n),
            None if n > 0 => self.0.push((counter, n)),
            None => {}
        }
    }
}

/// Where a walk ended.
enum End<'a> {
    Segment(IpHeader, Segment),
    /// A datagram was completed or decompressed.
    Datagram(IpHeader, Content, Vec<u8>),
    /// Several frames in one.
    Aggregate(View<'a>),
}

/// What a packet has beside its IP and transport headers.
struct Place {
    ts: Timestamp,
    base: u32,
    in_arena: bool,
    encap: EncapId,
    src_mac: Option<Mac>,
    dst_mac: Option<Mac>,
    conflict: bool,
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
        conflict: place.conflict,
    }
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(options: Options) -> Self {
        Decoder {
            encaps: EncapIndex::new(options.ignore_vlan),
            fragments: FragmentTable::default(),
            inflater: Inflater::new(),
            arena: Vec::new(),
            more: VecDeque::new(),
            notice: None,
            side: SideCounts::default(),
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
    pub fn decode(
        &mut self,
        link: LinkType,
        frame: &[u8],
        orig_len: u32,
        base: u32,
        ts: Timestamp,
    ) -> Result<Packet, Counter> {
        let view = View::new(frame, usize::try_from(orig_len).unwrap_or(usize::MAX));
        match self.straight(link, frame, view.announced(), base, ts) {
            Some(packet) => Ok(packet),
            None => self.walk(link, view, base, ts),
        }
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
        self.inflater.clear();
    }

    /// Takes the arena away, to travel with the packets that point into it.
    pub fn take_arena(&mut self) -> Vec<u8> {
        self.inflater.clear();
        std::mem::take(&mut self.arena)
    }

    /// The next packet of the frame decoded last, if it held several: an
    /// IEEE 802.11 aggregate does. Ask until there is none before the next
    /// frame.
    #[inline]
    pub fn next_of_frame(&mut self) -> Option<Packet> {
        if self.more.is_empty() { None } else { self.more.pop_front() }
    }

    /// What the last frame said of who has an address, if it became no segment
    /// because it is such a message: [`decode`](Self::decode) gave
    /// [`Counter::Arp`] or [`Counter::OtherTransport`] for it. Of a frame that
    /// holds several none is given, nor of a fragmented one.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// Events since the last call that [`decode`](Self::decode) did not return
    /// as an error: tags and tunnels, bytes behind encryption, the last
    /// fragment of each datagram, datagrams completed, given up and
    /// contradictory, copies of fragments, causes of an aggregate's further frames, encapsulations
    /// beyond the table, segments that announce more than the wire had.
    pub fn side_counts(&mut self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        let events = std::mem::take(&mut self.fragments.events);
        self.side.add(Counter::IpFragments, events.reassembled);
        self.side.add(Counter::IpReassembled, events.reassembled);
        self.side.add(Counter::IpFragmentsLost, events.lost);
        self.side.add(Counter::IpFragmentConflict, events.conflicts);
        self.side.add(Counter::IpFragmentCopies, events.copies);
        self.side.add(encap::REFUSED, self.encaps.take_refused());
        self.side.0.sort_unstable();
        self.side.0.drain(..)
    }

    /// Gives up the datagrams that are still incomplete, at the end of a
    /// source; [`side_counts`](Self::side_counts) then tells how many.
    pub fn finish(&mut self) {
        self.fragments.give_up();
        self.inflater.start_anew();
    }

    /// The table of encapsulations, to be cloned by whoever reads it.
    pub fn encaps(&self) -> &EncapTable {
        self.encaps.table()
    }

    /// An ordinary frame at fixed offsets, of which the wire had `wire` bytes;
    /// `None` is for the walk.
    #[inline]
    pub(super) fn straight(
        &mut self,
        link: LinkType,
        frame: &[u8],
        wire: usize,
        base: u32,
        ts: Timestamp,
    ) -> Option<Packet> {
        let wire = u32::try_from(wire).unwrap_or(u32::MAX);
        if link == LinkType::ETHERNET {
            let shell = Shell::of_ethernet(frame)?;
            let place = plain::Place { ts, base, wire, macs: plain::macs(frame) };
            let packet = plain::packet(frame, shell, place, Copied)?;
            return Some(Packet { encap: self.tagged(shell), ..packet });
        }
        let mut view = View::new(frame, frame.len());
        let (kind, src_mac) = link::plain(link, &mut view)?;
        let shell = Shell::bare(kind, u8::try_from(view.offset).ok()?)?;
        let place = plain::Place { ts, base, wire, macs: (src_mac, None) };
        plain::packet(frame, shell, place, Copied)
    }

    /// Counts the tags of an ordinary frame; gives their number in the table.
    pub fn tagged(&mut self, shell: Shell) -> EncapId {
        for tag in [shell.tags.0, shell.tags.1] {
            if tag != 0 {
                self.side.add(encap::tag_layer(tag).kind.counter(), 1);
            }
        }
        self.encaps.tagged(shell.tags.0, shell.tags.1)
    }

    /// Header by header, through tunnels and reassembled datagrams.
    #[inline(never)]
    pub(super) fn walk(&mut self, link: LinkType, view: View<'_>, base: u32, ts: Timestamp) -> Result<Packet, Counter> {
        self.more.clear();
        let mut walk = Walk::default();
        let result = link::step(link, view, &mut walk).and_then(|first| self.walk_from(first, &mut walk, base, ts));
        self.book(&walk, 0);
        self.notice = if result.is_err() { self.notice(&walk, base, ts) } else { None };
        result
    }

    /// What a walk that failed ended at, if that says who has an address.
    fn notice(&mut self, walk: &Walk, base: u32, ts: Timestamp) -> Option<Notice> {
        let found = walk.notice?;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Some(Notice {
            ts,
            kind: found.kind,
            src: found.src,
            hop_limit: found.hop_limit,
            offset: narrow(found.offset).saturating_add(base),
            len: narrow(found.len),
            encap: self.encaps.id(&walk.path),
            src_mac: walk.src_mac,
        })
    }

    /// Counts the layers of a walk from the `first` on, and what it ended at.
    fn book(&mut self, walk: &Walk, first: usize) {
        for layer in walk.path.layers().get(first..).unwrap_or(&[]) {
            self.side.add(layer.kind.counter(), 1);
        }
        if let Some(([frames, sum], bytes)) = walk.opaque {
            self.side.add(frames, 1);
            self.side.add(sum, u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    fn walk_from(&mut self, first: Next<'_>, walk: &mut Walk, base: u32, ts: Timestamp) -> Result<Packet, Counter> {
        let (ip, segment, in_arena) = match self.follow(first, walk, ts)? {
            End::Segment(ip, segment) => (ip, segment, false),
            End::Datagram(ip, content, payload) => {
                let (ip, segment) = self.walk_datagram(ip, content, payload, walk, ts)?;
                (ip, segment, true)
            }
            End::Aggregate(view) => return self.walk_aggregate(view, walk, base, ts),
        };
        self.side.add(Counter::LengthsOverstated, u64::from(segment.overstated));
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
                conflict: walk.conflict,
            },
        ))
    }

    /// Goes on inside each frame of an aggregate. The first packet is the
    /// result, the others wait for [`next_of_frame`](Self::next_of_frame).
    fn walk_aggregate(&mut self, view: View<'_>, walk: &Walk, base: u32, ts: Timestamp) -> Result<Packet, Counter> {
        let outer = walk.path.layers().len();
        let mut result = None;
        let mut frames = wifi::Subframes::new(view);
        for (macs, body) in frames.by_ref() {
            let mut inner = walk.clone();
            (inner.src_mac, inner.dst_mac, inner.aggregated) = (Some(macs.0), Some(macs.1), true);
            let found = self.walk_from(Next::Llc(body), &mut inner, base, ts);
            self.book(&inner, outer);
            match (result, found) {
                (None, found) => result = Some(found),
                (Some(Err(cause)), Ok(packet)) => {
                    self.side.add(cause, 1);
                    result = Some(Ok(packet));
                }
                (Some(_), Ok(packet)) => self.more.push_back(packet),
                (Some(_), Err(cause)) => self.side.add(cause, 1),
            }
        }
        if frames.leaves_some() {
            self.side.add(Counter::LayersExceeded, 1);
        }
        result.unwrap_or(Err(Counter::LinkMalformed))
    }

    /// Goes on inside a reassembled datagram, which may hold a tunnel with
    /// further fragments.
    fn walk_datagram(
        &mut self,
        mut ip: IpHeader,
        mut content: Content,
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
            let view = View { data, offset, missing: 0, overstated: false };
            let end = match self.follow(content.next(ip, view), walk, ts) {
                // Fragments around an aggregate: nobody sends them.
                Ok(End::Aggregate(_)) => Err(Counter::TunnelUnsupported),
                Ok(End::Segment(ip, segment)) => Ok((ip, Ok(segment))),
                Ok(End::Datagram(ip, content, payload)) => Ok((ip, Err((content, payload)))),
                Err(cause) => Err(cause),
            };
            self.arena = arena;
            match end {
                Ok((ip, Ok(segment))) => return Ok((ip, segment)),
                Ok((i, Err((c, d)))) => (ip, content, payload) = (i, c, d),
                Err(cause) => {
                    walk.notice = None; // it lies in the arena
                    self.arena.truncate(before);
                    return Err(cause);
                }
            }
        }
    }

    /// Takes steps until the walk ends.
    fn follow<'a>(&mut self, first: Next<'a>, walk: &mut Walk, ts: Timestamp) -> Result<End<'a>, Counter> {
        let mut next = first;
        for _ in 0..MAX_STEPS {
            next = match next {
                Next::Ethernet(view) => ethernet::step(view, walk)?,
                Next::EtherType(kind, view) => ethernet::payload(kind, view, walk)?,
                Next::Llc(view) => ethernet::llc(view)?,
                Next::Ip(view) => ip::step(view, walk)?,
                Next::Ppp(view) => ppp::step(view, walk)?,
                Next::Wifi(view) => wifi::step(view, walk)?,
                Next::Aggregate(view) => return Ok(End::Aggregate(view)),
                Next::IpPayload(ip, proto, view) => ip::payload(ip, proto, view, walk)?,
                Next::Compressed(ip, proto, view) => {
                    let payload = self.inflater.inflate(view, ts)?;
                    return Ok(End::Datagram(ip, Content::IpPayload(proto), payload));
                }
                Next::Fragment(ip, header, view) => {
                    let segment = self.encaps.id(&walk.path);
                    let segment = self.encaps.segment_id(segment);
                    let whole = self.fragments.add(segment, &ip, &header, view, ts)?;
                    walk.conflict |= whole.conflict;
                    return Ok(End::Datagram(ip, whole.content, whole.payload));
                }
                Next::Segment(ip, segment) => return Ok(End::Segment(ip, segment)),
            };
        }
        Err(Counter::LayersExceeded)
    }
}
