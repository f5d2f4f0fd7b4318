//! Frames to segments, each for a shard.

use super::SHARDS;
use super::work::{Framed, Work, shard, shard_of, shard_of_look};
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::capture::{BpfFilter, CaptureError, FrameMeta, LinkType};
use crate::coverage::{Counter, Key, Ledger};
use crate::flow::{Claim, Neighbours, may_be_dhcp};
use crate::packet::plain::{self, Shell};
use crate::packet::{Decoder, EncapId, EncapReader, EncapTable, Options, Packet};
use crate::sighting::HomeNets;
use std::collections::BTreeMap;

/// Which frames are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Period {
    #[inline]
    fn holds(&self, ts: Timestamp) -> bool {
        self.since.is_none_or(|t| ts >= t) && self.until.is_none_or(|t| ts < t)
    }
}

/// What a source's frames came to so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) frames: u64,
    pub(super) wire_bytes: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) least: Option<Timestamp>,
    pub(super) greatest: Option<Timestamp>,
    /// Frames of link types that are not decoded.
    pub(super) unsupported: BTreeMap<LinkType, u64>,
}

/// Frames of one quarter hour that follow each other, counted together.
#[derive(Default)]
struct Run {
    frames: u64,
    wire_bytes: u64,
    cut: u64,
    /// Of those, frames that became no segment, and their bytes.
    ended: (u64, u64),
    first: Timestamp,
    least: i64,
    greatest: i64,
}

impl Run {
    #[inline]
    fn add(&mut self, meta: &FrameMeta) {
        if self.frames == 0 {
            self.first = meta.ts;
            (self.least, self.greatest) = (meta.ts.0, meta.ts.0);
        }
        self.frames = self.frames.wrapping_add(1);
        self.wire_bytes = self.wire_bytes.wrapping_add(wire_len(meta));
        self.cut = self.cut.wrapping_add(u64::from(meta.caplen < meta.orig_len));
        self.least = self.least.min(meta.ts.0);
        self.greatest = self.greatest.max(meta.ts.0);
    }

    /// The frame just added ends as this count, with its bytes.
    fn end(&mut self, meta: &FrameMeta, cause: Counter, ledger: &mut Ledger) {
        let bytes = wire_len(meta);
        ledger.count(cause);
        ledger.add(cause.bytes(), bytes);
        self.ended = (self.ended.0.wrapping_add(1), self.ended.1.wrapping_add(bytes));
    }

    fn book(&mut self, ledger: &mut Ledger, tally: &mut Tally) {
        let run = std::mem::take(self);
        if run.frames == 0 {
            return;
        }
        ledger.add(Counter::Frames, run.frames);
        ledger.add(Counter::WireBytes, run.wire_bytes);
        ledger.add(Counter::FramesCut, run.cut);
        // What did not end otherwise: the ordinary frame costs no count of its own.
        ledger.add(Counter::FramesDecoded, run.frames.wrapping_sub(run.ended.0));
        ledger.add(Counter::BytesDecoded, run.wire_bytes.wrapping_sub(run.ended.1));
        tally.frames = tally.frames.saturating_add(run.frames);
        tally.wire_bytes = tally.wire_bytes.saturating_add(run.wire_bytes);
        tally.first = tally.first.or(Some(run.first));
        let (least, greatest) = (Timestamp(run.least), Timestamp(run.greatest));
        tally.least = Some(tally.least.map_or(least, |t| t.min(least)));
        tally.greatest = Some(tally.greatest.map_or(greatest, |t| t.max(greatest)));
    }
}

/// Longest frame that a network or an offload brings about; capture files are
/// read up to this length too unless they announce more.
const LONGEST: u32 = 256 << 10;

/// Bytes of a frame on the wire, as the capture says unless that cannot be: one
/// damaged record must not outweigh all others.
#[inline]
fn wire_len(meta: &FrameMeta) -> u64 {
    meta.orig_len.min(meta.caplen.max(LONGEST)).into()
}

/// Where a shard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// Its worker.
    pub(super) worker: u8,
    /// Its place among the shards of the worker.
    pub(super) place: u8,
}

/// Takes what is in the frames of a batch, in their order.
pub(super) trait Hands {
    /// What follows belongs to this source, interface and quarter hour.
    fn turn(&mut self, key: Key);
    /// The segment of an ordinary frame.
    fn plain(&mut self, to: Route, frame: Framed<'_>, segment: u32, shell: Shell, encap: EncapId);
    /// A decoded segment; the payload of a reassembled one is in the arena.
    fn decoded(&mut self, to: Route, frame: Framed<'_>, segment: u32, packet: &Packet, arena: &[u8]);
    /// What is said of who has an address.
    fn said(&mut self, to: Route, frame: Framed<'_>, segment: u32, claim: Claim);
}

/// The packet stage: runs on the lead's thread.
pub(super) struct Dispatcher {
    decoder: Decoder,
    encaps: EncapReader,
    home: HomeNets,
    period: Period,
    filter: Option<BpfFilter>,
    /// By shard.
    routes: [Route; SHARDS],
    neighbours: Neighbours,
    /// What the frame at hand claims.
    claims: Vec<Claim>,
    pub(super) ledger: Ledger,
    tally: Tally,
}

impl Dispatcher {
    pub(super) fn new(
        home: HomeNets,
        period: Period,
        filter: Option<BpfFilter>,
        ignore_vlan: bool,
        workers: usize,
    ) -> Self {
        let decoder = Decoder::new(Options { ignore_vlan });
        let encaps = decoder.encaps().reader();
        let route = |shard| Route { worker: (shard % workers) as u8, place: (shard / workers) as u8 };
        Dispatcher {
            decoder,
            encaps,
            home,
            period,
            filter,
            routes: std::array::from_fn(route),
            neighbours: Neighbours::new(),
            claims: Vec::new(),
            ledger: Ledger::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn encaps(&self) -> EncapTable {
        self.decoder.encaps().clone()
    }

    /// A new source begins; returns what the one before came to.
    pub(super) fn next_source(&mut self) -> Tally {
        self.decoder.finish();
        self.side_counts();
        std::mem::take(&mut self.tally)
    }

    /// The source begins, and does not go on from the one before.
    pub(super) fn start_anew(&mut self) {
        self.neighbours.start_anew();
    }

    /// Decodes the frames of a batch.
    pub(super) fn batch(&mut self, work: &Work, hands: &mut impl Hands) -> Result<(), CaptureError> {
        let mut key = Key { source: u32::MAX, ..Key::default() };
        let (mut from, mut until) = (i64::MAX, i64::MIN);
        let mut link = LinkType::default();
        let mut run = Run::default();
        let picky = self.period != Period::default() || self.filter.is_some();
        for (index, meta) in work.batch.frames.iter().enumerate() {
            let ts = meta.ts.0;
            if ts < from || ts >= until || meta.interface != key.interface {
                run.book(&mut self.ledger, &mut self.tally);
                self.side_counts();
                let quarter = meta.ts.quarter();
                key = Key { source: work.source, interface: meta.interface, quarter };
                from = quarter.saturating_mul(QUARTER_SECS * SECOND);
                until = from.saturating_add(QUARTER_SECS * SECOND);
                self.ledger.turn_to(key);
                hands.turn(key);
                link = work.batch.interfaces.get(usize::from(meta.interface)).map_or(LinkType(0), |i| i.link);
            }
            run.add(meta);
            let bytes = work.batch.bytes(meta);
            let frame = Framed { work, index, meta, bytes };
            if picky && (!self.period.holds(meta.ts) || !self.passes(link, bytes)?) {
                run.end(meta, Counter::FramesFiltered, &mut self.ledger);
                continue;
            }
            if link == LinkType::ETHERNET
                && let Some(look) = plain::look(bytes)
                && !may_be_dhcp(look.transport, look.dport)
            {
                let (mut encap, mut segment) = (EncapId(0), 0);
                if look.shell.is_tagged() {
                    encap = self.decoder.tagged(look.shell);
                    segment = self.segment(encap);
                }
                let to = self.route(shard_of_look(&look, &self.home));
                hands.plain(to, frame, segment, look.shell, encap);
            } else if let Err(cause) = self.other(link, frame, hands) {
                run.end(meta, cause, &mut self.ledger);
            }
        }
        run.book(&mut self.ledger, &mut self.tally);
        self.side_counts();
        Ok(())
    }

    /// Payloads of the datagrams that were put together in the last batch.
    pub(super) fn arena(&self) -> &[u8] {
        self.decoder.arena()
    }

    /// Empties the arena: the last batch is done with.
    pub(super) fn clear_arena(&mut self) {
        if !self.decoder.arena().is_empty() {
            self.decoder.clear_arena();
        }
    }

    /// Decodes a frame that is no ordinary one. The error is the cause why
    /// there is no segment in it.
    #[inline(never)]
    fn other(&mut self, link: LinkType, frame: Framed<'_>, hands: &mut impl Hands) -> Result<(), Counter> {
        let meta = frame.meta;
        match self.decoder.decode(link, frame.bytes, meta.orig_len, meta.offset, meta.ts) {
            Ok(packet) => {
                if may_be_dhcp(packet.transport, packet.dport) {
                    self.dhcp(&packet, frame, hands);
                }
                self.decoded(&packet, frame, hands);
                while let Some(packet) = self.decoder.next_of_frame() {
                    self.decoded(&packet, frame, hands);
                }
                Ok(())
            }
            Err(cause) => {
                self.notice(frame, hands);
                if cause == Counter::LinkUnsupported {
                    *self.tally.unsupported.entry(link).or_insert(0) += 1;
                }
                Err(cause)
            }
        }
    }

    fn decoded(&mut self, packet: &Packet, frame: Framed<'_>, hands: &mut impl Hands) {
        let segment = self.segment(packet.encap);
        let to = self.route(shard(packet, &self.home));
        hands.decoded(to, frame, segment, packet, self.decoder.arena());
    }

    fn segment(&mut self, encap: EncapId) -> u32 {
        if encap.0 == 0 { 0 } else { self.encaps.get(encap).segment_id }
    }

    #[inline]
    fn route(&self, shard: usize) -> Route {
        self.routes.get(shard).copied().unwrap_or_default()
    }

    /// Reads a DHCP message, beside what becomes of its datagram.
    #[cold]
    fn dhcp(&mut self, packet: &Packet, frame: Framed<'_>, hands: &mut impl Hands) {
        let held = if packet.in_arena { self.decoder.arena() } else { &frame.work.batch.buf };
        let start = packet.payload_offset as usize;
        let payload = held.get(start..start.saturating_add(packet.payload_len as usize)).unwrap_or(&[]);
        let segment = self.encaps.get(packet.encap).segment_id;
        self.neighbours.dhcp(packet, payload, segment, &mut self.claims, &mut self.ledger);
        self.say(frame, segment, hands);
    }

    /// Reads what a frame that is no segment says of who has an address.
    fn notice(&mut self, frame: Framed<'_>, hands: &mut impl Hands) {
        let Some(notice) = self.decoder.take_notice() else { return };
        let start = notice.offset as usize;
        let bytes = frame.work.batch.buf.get(start..start.saturating_add(notice.len as usize)).unwrap_or(&[]);
        let segment = self.encaps.get(notice.encap).segment_id;
        self.neighbours.notice(&notice, bytes, segment, &mut self.claims, &mut self.ledger);
        self.say(frame, segment, hands);
    }

    /// Deals what a frame claims to the shards of the addresses. Whose address
    /// is not at home is nobody's business.
    fn say(&mut self, frame: Framed<'_>, segment: u32, hands: &mut impl Hands) {
        let Dispatcher { claims, home, routes, .. } = self;
        for claim in claims.drain(..).filter(|c| home.contains(&c.ip)) {
            let to = routes.get(shard_of(&claim.ip)).copied().unwrap_or_default();
            hands.said(to, frame, segment, claim);
        }
    }

    /// Books what the decoder did besides: layers, fragments, opaque bytes.
    /// Called before the ledger turns elsewhere and at the end of a batch.
    #[cold]
    fn side_counts(&mut self) {
        for (counter, n) in self.decoder.side_counts() {
            self.ledger.add(counter, n);
        }
    }

    fn passes(&mut self, link: LinkType, frame: &[u8]) -> Result<bool, CaptureError> {
        match &mut self.filter {
            None => Ok(true),
            Some(filter) => filter.matches(link, frame),
        }
    }
}
