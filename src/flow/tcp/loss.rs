//! Capture loss: bytes that one end acknowledged and the capture never showed.
//!
//! Whoever acknowledges a byte has received it, so a byte that was acknowledged
//! and not seen passed the sensor by (Zeek's capture-loss asks the same). That
//! is reckoned for a fixed sample of flows, and for every flow that is
//! followed; all others pay one test of a bit.

use super::{Context, Tcp, ahead, bit};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::coverage::{Counter, Ledger};
use crate::flow::engine::Scratch;
use crate::packet::Packet;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};

/// Flows of the sample that one shard reckons at a time, three times what a
/// full table holds by chance.
const MAX_SAMPLED: u32 = 160;
/// Flows of the sample and followed ones that one shard reckons at a time; of
/// those beyond, nothing is reckoned.
const MAX_RECKONED: u32 = 320;
/// How far a segment may be ahead of what came before it: further than the
/// largest receive windows in use, it is believed only when another agrees.
const WINDOW: u32 = 1 << 24;
/// How long a byte may come after its acknowledgement: a mirror port that
/// merges two directions delivers them out of step.
const PATIENCE: i64 = SECOND;
/// Holes of one direction that may still be filled.
const MAX_HOLES: usize = 8;

/// Bytes that were not seen.
#[derive(Clone, Copy, Debug)]
struct Hole {
    from: u32,
    to: u32,
    since: Timestamp,
}

impl Hole {
    fn len(self) -> u64 {
        u64::from(self.to.wrapping_sub(self.from))
    }
}

/// Whether a stream that stands at `at` has come to `to`.
fn reaches(at: u32, to: u32) -> bool {
    ahead(at, to) < 1 << 31
}

/// What came to be known by a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    acks: u64,
    acked: u64,
    gaps: u64,
    unseen: u64,
}

impl Found {
    fn lose(&mut self, gaps: u64, unseen: u64) {
        self.gaps = self.gaps.saturating_add(gaps);
        self.unseen = self.unseen.saturating_add(unseen);
    }
}

/// The bytes that one end sends.
#[derive(Debug, Default)]
struct Half {
    /// A segment of this end was seen. Where none ever is, the capture is
    /// one-sided, which is another count.
    known: bool,
    /// Behind the last byte seen or acknowledged.
    front: u32,
    /// Up to where the other end acknowledged.
    acked: u32,
    /// A number far ahead that was seen once.
    far: Option<u32>,
    /// What is not seen below `front`, in order; each below the next.
    holes: Vec<Hole>,
    /// Holes for which there was no more room: behind the last, how many, and
    /// their bytes. They count when acknowledged, and cannot be filled.
    folded: (u32, u64, u64),
}

impl Half {
    fn begin(&mut self, at: u32) {
        *self = Half { known: true, front: at, acked: at, ..Half::default() };
    }

    /// Whether a number beyond the front is believed. One that is too far off
    /// needs another that agrees; then the reckoning begins anew there. Since
    /// that may as well be another connection on the same ports, the jump is
    /// one gap and no bytes.
    fn is_near(&mut self, to: u32, found: &mut Found) -> bool {
        if ahead(to, self.front) <= WINDOW {
            self.far = None;
            return true;
        }
        if self.far.is_some_and(|far| ahead(to, far) <= WINDOW) {
            self.settle(None, found);
            self.begin(to);
            found.lose(1, 0);
        } else {
            self.far = Some(to);
        }
        false
    }

    /// Bytes from `seq` to `end` were seen.
    fn saw(&mut self, seq: u32, end: u32, ts: Timestamp, found: &mut Found) {
        let before = self.front;
        if !reaches(before, end) {
            if !reaches(before, seq) {
                if !self.is_near(seq, found) {
                    if self.front == seq {
                        self.front = end; // the reckoning began anew with these bytes
                    }
                    return;
                }
                self.open_hole(Hole { from: before, to: seq, since: ts }, found);
                self.front = end;
                return;
            }
            self.far = None;
            self.front = end;
        }
        self.fill(seq, end, found);
    }

    /// The other end has received all before `ack`.
    fn acknowledged(&mut self, ack: u32, ts: Timestamp, found: &mut Found) {
        let (front, acked) = (self.front, self.acked);
        if reaches(acked, ack) {
            return;
        }
        let beyond = !reaches(front, ack);
        if beyond && !self.is_near(ack, found) {
            return;
        }
        for hole in &mut self.holes {
            if !reaches(acked, hole.to) && reaches(ack, hole.to) {
                hole.since = ts;
            }
        }
        self.acked = ack;
        found.acks = found.acks.saturating_add(1);
        found.acked = found.acked.saturating_add(u64::from(ahead(ack, acked)));
        if beyond {
            self.open_hole(Hole { from: front, to: ack, since: ts }, found);
            self.front = ack;
        }
    }

    fn open_hole(&mut self, hole: Hole, found: &mut Found) {
        // What follows a hole at once is the same run; its age stays that of
        // its beginning, so that it ends where nothing is seen for long.
        if let Some(last) = self.holes.last_mut()
            && last.to == hole.from
        {
            last.to = hole.to;
            return;
        }
        self.make_room(found);
        self.holes.push(hole);
    }

    fn make_room(&mut self, found: &mut Found) {
        if self.holes.len() >= MAX_HOLES {
            let hole = self.holes.remove(0);
            self.count_folded(found);
            let (_, gaps, bytes) = self.folded;
            self.folded = (hole.to, gaps.saturating_add(1), bytes.saturating_add(hole.len()));
        }
    }

    fn count_folded(&mut self, found: &mut Found) {
        let (to, gaps, bytes) = self.folded;
        if gaps > 0 && reaches(self.acked, to) {
            found.lose(gaps, bytes);
            self.folded = (0, 0, 0);
        }
    }

    /// Takes bytes that came late out of the holes.
    fn fill(&mut self, seq: u32, end: u32, found: &mut Found) {
        let mut at = 0;
        while let Some(hole) = self.holes.get(at).copied() {
            if reaches(seq, hole.to) || reaches(hole.from, end) {
                at = at.saturating_add(1);
                continue;
            }
            self.holes.remove(at);
            if !reaches(hole.from, seq) {
                self.holes.insert(at, Hole { to: seq, ..hole });
                at = at.saturating_add(1);
            }
            if !reaches(end, hole.to) {
                self.holes.insert(at, Hole { from: end, ..hole });
                at = at.saturating_add(1);
            }
        }
        while self.holes.len() > MAX_HOLES {
            self.make_room(found);
        }
    }

    /// Counts the holes that nothing will fill any more: acknowledged, and
    /// `PATIENCE` old, or all of them at the end.
    fn settle(&mut self, now: Option<Timestamp>, found: &mut Found) {
        if self.folded.1 > 0 {
            self.count_folded(found);
        }
        let (acked, front) = (self.acked, self.front);
        self.holes.retain(|hole| {
            // A FIN takes one number too, and nothing comes behind it.
            let perhaps_fin = hole.len() == 1 && hole.to == front;
            if perhaps_fin || reaches(hole.from, acked) {
                return true; // what is not acknowledged may be sent again
            }
            let whole = reaches(acked, hole.to);
            match now {
                Some(now) if !whole || now.since(hole.since) < PATIENCE => return true,
                _ => {}
            }
            found.lose(1, if whole { hole.len() } else { u64::from(ahead(acked, hole.from)) });
            false
        });
    }
}

/// The reckoning of one flow.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// The flow is in the sample.
    sampled: bool,
    /// The flow is, or was, followed.
    matched: bool,
    /// By the sender: the lesser end, the greater.
    halves: [Half; 2],
}

impl Loss {
    /// Most bytes of all reckonings of a shard.
    pub(super) const MOST_BYTES: usize =
        MAX_RECKONED as usize * (size_of::<Loss>() + 2 * MAX_HOLES * size_of::<Hole>());
}

impl Tcp {
    /// Reckons with a segment, of a flow that is in the sample or followed.
    #[inline(never)]
    pub(super) fn reckon<S>(&mut self, p: &Packet, from_low: bool, cx: &mut Context<'_, S>) {
        let followed = self.follow.is_some();
        if self.loss.is_none() && !self.may_reckon(followed, cx) {
            return;
        }
        let loss = self.loss.get_or_insert_default();
        loss.sampled = self.bits & bit::SAMPLED != 0;
        loss.matched |= followed;
        loss.segment(p, from_low, cx.ledger);
    }

    /// Whether there is room to reckon the flow. What there is none for is
    /// counted once and left alone, also when room comes.
    fn may_reckon<S>(&mut self, followed: bool, cx: &mut Context<'_, S>) -> bool {
        let scratch = &mut *cx.scratch;
        let room = scratch.reckoned < MAX_RECKONED;
        if self.has(bit::SAMPLED) {
            let room = room && scratch.sampled < MAX_SAMPLED;
            cx.ledger.count(if room { Counter::SampleFlows } else { Counter::SampleRefused });
            scratch.sampled = scratch.sampled.saturating_add(u32::from(room));
            self.set(bit::SAMPLED, room);
        }
        if followed && !room && !self.has(bit::UNRECKONED) {
            self.set(bit::UNRECKONED, true);
            cx.ledger.count(Counter::MatchedRefused);
        }
        let reckons = self.has(bit::SAMPLED) || followed && !self.has(bit::UNRECKONED);
        scratch.reckoned = scratch.reckoned.saturating_add(u32::from(reckons));
        reckons
    }

    /// The flow ended: what is missing now stays missing.
    pub(super) fn end_reckoning(&mut self, ledger: &mut Ledger, scratch: &mut Scratch) {
        if let Some(loss) = self.loss.take() {
            scratch.sampled = scratch.sampled.saturating_sub(u32::from(loss.sampled));
            scratch.reckoned = scratch.reckoned.saturating_sub(1);
            loss.close(ledger);
        }
    }
}

impl Loss {
    /// Takes a segment that was accepted as one of this flow.
    fn segment(&mut self, p: &Packet, from_low: bool, ledger: &mut Ledger) {
        if p.flags & RST != 0 {
            return; // its numbers need not be those of the streams
        }
        let [low, high] = &mut self.halves;
        let (mine, theirs) = if from_low { (low, high) } else { (high, low) };
        let mut found = Found::default();
        let syn = u32::from(p.flags & SYN != 0);
        let fin = u32::from(p.flags & FIN != 0);
        let seq = p.seq.wrapping_add(syn);
        let end = seq.wrapping_add(p.payload_len).wrapping_add(p.payload_missing).wrapping_add(fin);
        if !mine.known {
            // A probe of an idle connection may stand one before its place.
            mine.begin(if end == seq && syn == 0 { seq.wrapping_add(1) } else { seq });
        }
        if end != seq {
            mine.saw(seq, end, p.ts, &mut found);
        }
        if p.flags & ACK != 0 && theirs.known {
            theirs.acknowledged(p.ack, p.ts, &mut found);
        }
        for half in [mine, theirs] {
            if !half.holes.is_empty() || half.folded.1 > 0 {
                half.settle(Some(p.ts), &mut found);
            }
        }
        self.count(found, ledger);
    }

    /// The flow ended.
    fn close(mut self, ledger: &mut Ledger) {
        let mut found = Found::default();
        self.halves.iter_mut().for_each(|half| half.settle(None, &mut found));
        self.count(found, ledger);
    }

    fn count(&self, found: Found, ledger: &mut Ledger) {
        if found == Found::default() {
            return;
        }
        if self.sampled {
            ledger.add(Counter::SampleAcks, found.acks);
            ledger.add(Counter::SampleAckedBytes, found.acked);
            ledger.add(Counter::SampleGaps, found.gaps);
            ledger.add(Counter::SampleUnseenBytes, found.unseen);
        }
        if self.matched {
            ledger.add(Counter::MatchedAckedBytes, found.acked);
            ledger.add(Counter::MatchedUnseenBytes, found.unseen);
        }
    }
}
