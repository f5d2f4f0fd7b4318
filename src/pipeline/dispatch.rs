//! Frames to segments, dealt to the shards.

use super::SHARDS;
use super::work::{Item, Route, Said, Work, shard, shard_of, shard_of_pair};
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::capture::{BpfFilter, CaptureError, FrameMeta, LinkType};
use crate::coverage::{Counter, Key, Ledger};
use crate::flow::{Claim, Neighbours, may_be_dhcp};
use crate::packet::plain::{self, Pair, Place, Shell, Take};
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

/// Deals the segment of an ordinary frame to the worker of its shard; the result
/// is false if another look is to be taken at the frame.
struct Dealing<'d> {
    decoder: &'d mut Decoder,
    encaps: &'d mut EncapReader,
    home: &'d HomeNets,
    routes: &'d [Route; SHARDS],
    shell: Shell,
    frame: u32,
    lists: &'d mut [Vec<Item>],
}

impl Take for Dealing<'_> {
    type Result = bool;

    #[inline(always)]
    fn take(self, packet: &Packet, pair: Pair) -> bool {
        if may_be_dhcp(packet.transport, packet.dport) {
            return false;
        }
        let (mut encap, mut segment) = (EncapId(0), 0);
        if self.shell.is_tagged() {
            encap = self.decoder.tagged(self.shell);
            segment = segment_of(encap, self.encaps);
        }
        let shard = shard_of_pair(pair, (packet.sport, packet.dport), self.home);
        let Route { worker, place } = self.routes.get(shard).copied().unwrap_or_default();
        if let Some(list) = self.lists.get_mut(usize::from(worker)) {
            list.push(Item { packet: Packet { encap, ..*packet }, frame: self.frame, segment, place });
        }
        true
    }
}

/// The number of the segment in which an encapsulation puts a packet.
fn segment_of(encap: EncapId, encaps: &mut EncapReader) -> u32 {
    if encap.0 == 0 { 0 } else { encaps.get(encap).segment_id }
}

/// The packet stage: runs on the reader's thread.
pub(super) struct Dispatcher {
    decoder: Decoder,
    encaps: EncapReader,
    home: HomeNets,
    period: Period,
    filter: Option<BpfFilter>,
    routes: [Route; SHARDS],
    neighbours: Neighbours,
    /// What the frame at hand claims.
    claims: Vec<Claim>,
    pub(super) ledger: Ledger,
    pub(super) tally: Tally,
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
        Dispatcher {
            decoder,
            encaps,
            home,
            period,
            filter,
            routes: Route::all(workers),
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

    /// Decodes the frames of a batch and lists them by worker.
    pub(super) fn batch(&mut self, work: &mut Work) -> Result<(), CaptureError> {
        let mut key = Key { source: u32::MAX, ..Key::default() };
        let (mut from, mut until) = (i64::MAX, i64::MIN);
        let mut link = LinkType::default();
        let mut run = Run::default();
        let picky = self.period != Period::default() || self.filter.is_some();
        if work.begins_anew {
            self.neighbours.start_anew();
        }
        for (index, meta) in work.batch.frames.iter().enumerate() {
            let ts = meta.ts.0;
            if ts < from || ts >= until || meta.interface != key.interface || work.source != key.source {
                run.book(&mut self.ledger, &mut self.tally);
                self.side_counts();
                let quarter = meta.ts.quarter();
                key = Key { source: work.source, interface: meta.interface, quarter };
                from = quarter.saturating_mul(QUARTER_SECS * SECOND);
                until = from.saturating_add(QUARTER_SECS * SECOND);
                self.ledger.turn_to(key);
                link = work.batch.interfaces.get(usize::from(meta.interface)).map_or(LinkType(0), |i| i.link);
            }
            run.add(meta);
            let bytes = work.batch.bytes(meta);
            if picky && (!self.period.holds(meta.ts) || !self.passes(link, bytes)?) {
                run.end(meta, Counter::FramesFiltered, &mut self.ledger);
                continue;
            }
            if link == LinkType::ETHERNET
                && let Some(shell) = Shell::of_ethernet(bytes)
                && self.plain(shell, bytes, index, meta, &mut work.lists)
            {
                continue;
            }
            let (lists, said) = (&mut work.lists, &mut work.said);
            if let Err(cause) = self.other(link, bytes, index, meta, &work.batch.buf, lists, said) {
                run.end(meta, cause, &mut self.ledger);
            }
        }
        run.book(&mut self.ledger, &mut self.tally);
        self.side_counts();
        if !self.decoder.arena().is_empty() {
            work.arena.extend_from_slice(self.decoder.arena());
            self.decoder.clear_arena();
        }
        Ok(())
    }

    /// Decodes an ordinary frame, and deals its segment to the worker of its
    /// shard; false if it is not ordinary, or another look is to be taken at
    /// it.
    #[inline(never)] // amid the loop it would have no registers
    fn plain(&mut self, shell: Shell, bytes: &[u8], index: usize, meta: &FrameMeta, lists: &mut [Vec<Item>]) -> bool {
        let place = Place { ts: meta.ts, base: meta.offset, wire: meta.orig_len, macs: plain::macs(bytes) };
        let Dispatcher { decoder, encaps, home, routes, .. } = self;
        let dealing = Dealing { decoder, encaps, home, routes, shell, frame: index as u32, lists };
        plain::packet(bytes, shell, place, dealing).unwrap_or(false)
    }

    /// Decodes a frame that is no ordinary one. The error is the cause why
    /// there is no segment in it.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)] // a batch, of which the frame is borrowed
    fn other(
        &mut self,
        link: LinkType,
        bytes: &[u8],
        index: usize,
        meta: &FrameMeta,
        buf: &[u8],
        lists: &mut [Vec<Item>],
        said: &mut [Vec<Said>],
    ) -> Result<(), Counter> {
        match self.decoder.decode(link, bytes, meta.orig_len, meta.offset, meta.ts) {
            Ok(packet) => {
                self.list(packet, index, lists);
                if may_be_dhcp(packet.transport, packet.dport) {
                    self.dhcp(&packet, index, buf, said);
                }
                while let Some(packet) = self.decoder.next_of_frame() {
                    self.list(packet, index, lists);
                }
                Ok(())
            }
            Err(cause) => {
                self.notice(index, buf, said);
                if cause == Counter::LinkUnsupported {
                    *self.tally.unsupported.entry(link).or_insert(0) += 1;
                }
                Err(cause)
            }
        }
    }

    /// Deals a segment to the worker of its shard.
    fn list(&mut self, packet: Packet, frame: usize, lists: &mut [Vec<Item>]) {
        let segment = segment_of(packet.encap, &mut self.encaps);
        let Route { worker, place } = self.route(shard(&packet, &self.home));
        if let Some(list) = lists.get_mut(usize::from(worker)) {
            list.push(Item { packet, frame: frame as u32, segment, place });
        }
    }

    #[inline]
    fn route(&self, shard: usize) -> Route {
        self.routes.get(shard).copied().unwrap_or_default()
    }

    /// Reads a DHCP message, beside what becomes of its datagram.
    #[cold]
    fn dhcp(&mut self, packet: &Packet, frame: usize, buf: &[u8], said: &mut [Vec<Said>]) {
        let held = if packet.in_arena { self.decoder.arena() } else { buf };
        let start = packet.payload_offset as usize;
        let payload = held.get(start..start.saturating_add(packet.payload_len as usize)).unwrap_or(&[]);
        let segment = self.encaps.get(packet.encap).segment_id;
        self.neighbours.dhcp(packet, payload, segment, &mut self.claims, &mut self.ledger);
        self.say(frame, segment, said);
    }

    /// Reads what a frame that is no segment says of who has an address.
    fn notice(&mut self, frame: usize, buf: &[u8], said: &mut [Vec<Said>]) {
        let Some(notice) = self.decoder.take_notice() else { return };
        let start = notice.offset as usize;
        let bytes = buf.get(start..start.saturating_add(notice.len as usize)).unwrap_or(&[]);
        let segment = self.encaps.get(notice.encap).segment_id;
        self.neighbours.notice(&notice, bytes, segment, &mut self.claims, &mut self.ledger);
        self.say(frame, segment, said);
    }

    /// Deals what a frame claims to the shards of the addresses. Whose address
    /// is not at home is nobody's business.
    fn say(&mut self, frame: usize, segment: u32, said: &mut [Vec<Said>]) {
        let Dispatcher { claims, home, routes, .. } = self;
        for claim in claims.drain(..).filter(|c| home.contains(&c.ip)) {
            let Route { worker, place } = routes.get(shard_of(&claim.ip)).copied().unwrap_or_default();
            if let Some(list) = said.get_mut(usize::from(worker)) {
                list.push(Said { claim, frame: frame as u32, segment, place });
            }
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
