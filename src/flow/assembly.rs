//! One direction of a TCP stream, put in order as far as somebody waits for it.

use crate::base::Timestamp;

/// Most bytes that one direction may hold back: an unfinished message and
/// pieces behind a hole.
pub(super) const MAX_BYTES: usize = 68 << 10;
/// Most pieces behind a hole.
const MAX_PIECES: usize = 128;
/// A segment further ahead of the stream is not kept.
const MAX_AHEAD: u32 = 1 << 20;
/// What a piece costs beside its bytes.
const PIECE: usize = 64;
/// Room that a buffer may keep beyond what it needs.
const SPARE: usize = 4 << 10;

/// What a reader made of the bytes that are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// That many bytes are done with; the rest comes again with what follows.
    Bytes(usize),
    /// Nothing more is wanted from this direction.
    Enough,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The reader wants no more.
    pub(super) enough: bool,
    /// A repeated byte differed from its first copy.
    pub(super) conflict: bool,
    /// The reader wanted more than may be held.
    pub(super) overflow: bool,
}

#[derive(Debug)]
struct Piece {
    seq: u32,
    bytes: Vec<u8>,
}

/// The state of one direction.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Sequence number of the first byte not yet in order.
    next: u32,
    /// Bytes in order that the reader has not finished with.
    buf: Vec<u8>,
    /// Segments behind a hole, in sequence order, not overlapping or touching.
    pieces: Vec<Piece>,
    /// Bytes in `pieces`.
    aside: u32,
    /// When the hole came up. It is there also where nothing behind it could
    /// be kept.
    hole: Option<Timestamp>,
    /// What the other end last acknowledged.
    pub(super) acked: u32,
}

impl Assembly {
    /// A stream whose first byte has sequence number `next`.
    pub(super) fn new(next: u32) -> Self {
        Assembly { next, acked: next, ..Assembly::default() }
    }

    /// Sequence number of the first byte not yet in order.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Bytes held back, the cost of keeping pieces included.
    pub(super) fn held(&self) -> usize {
        self.buf.len().saturating_add(self.aside as usize).saturating_add(self.pieces.len().saturating_mul(PIECE))
    }

    /// Memory taken, room in buffers included; nothing where nothing is held or
    /// waited for.
    pub(super) fn cost(&self) -> usize {
        if self.held() == 0 && self.hole.is_none() {
            return 0;
        }
        let lists = self.buf.capacity().saturating_add(self.pieces.capacity().saturating_mul(size_of::<Piece>()));
        let pieces = (self.aside as usize).saturating_add(self.pieces.len().saturating_mul(PIECE));
        size_of::<Self>().saturating_add(lists).saturating_add(pieces)
    }

    /// Whether no message is unfinished.
    pub(super) fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// When the hole came up, if there is one.
    pub(super) fn hole(&self) -> Option<Timestamp> {
        self.hole
    }

    /// Bytes are known to be missing.
    pub(super) fn note_hole(&mut self, ts: Timestamp) {
        self.hole.get_or_insert(ts);
    }

    /// Size of the hole, if anything behind it is kept.
    pub(super) fn missing(&self) -> Option<u64> {
        self.pieces.first().map(|p| u64::from(p.seq.wrapping_sub(self.next)))
    }

    /// Takes a segment's payload. `read` is given the bytes in order, each
    /// time from where it left off, and whether this segment contradicts what
    /// came before.
    pub(super) fn push(
        &mut self,
        seq: u32,
        payload: &[u8],
        ts: Timestamp,
        mut read: impl FnMut(&[u8], bool) -> Took,
    ) -> Outcome {
        let mut out = Outcome::default();
        let ahead = seq.wrapping_sub(self.next);
        if ahead != 0 && ahead < 1 << 31 {
            self.hole.get_or_insert(ts);
            if ahead <= MAX_AHEAD {
                self.hold(seq, payload, &mut out);
            }
            return out;
        }
        let behind = self.next.wrapping_sub(seq) as usize;
        self.compare(behind, payload, &mut out);
        let Some(mut fresh) = payload.get(behind..).filter(|f| !f.is_empty()) else { return out };
        // What waits behind the hole came first.
        if let Some(first) = self.pieces.first()
            && let Some((now, later)) = fresh.split_at_checked(first.seq.wrapping_sub(self.next) as usize)
        {
            self.hold(first.seq, later, &mut out);
            fresh = now;
        }
        self.accept(fresh, &mut out, &mut read);
        self.take_pieces(ts, &mut out, &mut read);
        out
    }

    /// Reads on with the pieces that are in order now.
    fn take_pieces(&mut self, ts: Timestamp, out: &mut Outcome, read: &mut impl FnMut(&[u8], bool) -> Took) {
        while !out.enough && !out.overflow {
            let Some(first) = self.pieces.first() else { break };
            let ahead = first.seq.wrapping_sub(self.next);
            if ahead != 0 && ahead < 1 << 31 {
                break;
            }
            let piece = self.pieces.remove(0);
            self.aside = self.aside.saturating_sub(piece.bytes.len() as u32);
            let behind = self.next.wrapping_sub(piece.seq) as usize;
            self.compare(behind, &piece.bytes, out);
            if let Some(fresh) = piece.bytes.get(behind..)
                && !fresh.is_empty()
            {
                self.accept(fresh, out, read);
            }
        }
        if self.pieces.is_empty() {
            self.pieces = Vec::new();
        }
        self.hole = (!self.pieces.is_empty()).then_some(ts);
    }

    /// Shows the unfinished message.
    pub(super) fn look(&mut self, mut read: impl FnMut(&[u8])) {
        if !self.buf.is_empty() {
            read(&self.buf);
        }
    }

    /// Hands over the unfinished message, which nothing will complete.
    pub(super) fn flush(&mut self, mut read: impl FnMut(&[u8])) {
        let bytes = std::mem::take(&mut self.buf);
        if !bytes.is_empty() {
            read(&bytes);
        }
    }

    /// Gives up the hole: hands on what lies behind it, so that `read` may
    /// find a new beginning there.
    pub(super) fn skip_hole(&mut self, ts: Timestamp, mut read: impl FnMut(&[u8], bool) -> Took) -> Outcome {
        let mut out = Outcome::default();
        self.hole = None;
        if let Some(first) = self.pieces.first() {
            self.next = first.seq;
            self.take_pieces(ts, &mut out, &mut read);
        }
        out
    }

    fn accept(&mut self, fresh: &[u8], out: &mut Outcome, read: &mut impl FnMut(&[u8], bool) -> Took) {
        self.next = self.next.wrapping_add(fresh.len() as u32);
        let took = if self.buf.is_empty() {
            let took = read(fresh, out.conflict);
            if let Took::Bytes(n) = took
                && let Some(rest) = fresh.get(n..)
            {
                self.buf.extend_from_slice(rest);
            }
            took
        } else {
            self.buf.extend_from_slice(fresh);
            let took = read(&self.buf, out.conflict);
            if let Took::Bytes(n) = took {
                self.buf.drain(..n.min(self.buf.len()));
            }
            took
        };
        // What is left of a long message must not keep the room of all of it.
        let spare = self.buf.capacity().saturating_sub(self.buf.len());
        if self.buf.is_empty() || spare > self.buf.len().saturating_add(SPARE) {
            self.buf.shrink_to_fit();
        }
        out.enough = took == Took::Enough;
        out.overflow = !out.enough && self.buf.len() > MAX_BYTES;
        if out.enough {
            self.buf = Vec::new();
        }
    }

    /// Compares repeated bytes with those still held.
    fn compare(&self, behind: usize, payload: &[u8], out: &mut Outcome) {
        let old = payload.get(..behind).unwrap_or(payload);
        // `old` ends this far before `next`, where `buf` ends.
        let later = behind.saturating_sub(old.len());
        let Some(end) = self.buf.len().checked_sub(later) else { return };
        let start = end.saturating_sub(old.len());
        let known = self.buf.get(start..end).unwrap_or(&[]);
        let same = old.get(old.len().saturating_sub(known.len())..).unwrap_or(&[]);
        out.conflict |= known != same;
    }

    /// Keeps a segment behind a hole, without the bytes already there.
    fn hold(&mut self, seq: u32, payload: &[u8], out: &mut Outcome) {
        let mut start = seq.wrapping_sub(self.next);
        let mut rest = payload;
        let mut at = 0;
        while !rest.is_empty() {
            let Some(p) = self.pieces.get(at) else { break };
            let from = p.seq.wrapping_sub(self.next);
            let end = from.saturating_add(p.bytes.len() as u32);
            if start >= end {
                at = at.saturating_add(1);
            } else if start < from {
                let room = from.saturating_sub(start) as usize;
                let (fresh, tail) = rest.split_at(room.min(rest.len()));
                let start_here = start;
                (rest, start) = (tail, from);
                match self.keep(at, start_here, fresh) {
                    // It stands before the piece, or has grown together with
                    // one or both of its neighbours: look again.
                    Some(place) => at = place,
                    None => return,
                }
            } else {
                let skip = start.saturating_sub(from) as usize;
                let n = p.bytes.len().saturating_sub(skip).min(rest.len());
                let (again, tail) = rest.split_at(n);
                out.conflict |= p.bytes.get(skip..skip.saturating_add(n)) != Some(again);
                (rest, start) = (tail, end);
                at = at.saturating_add(1);
            }
        }
        if !rest.is_empty() {
            self.keep(at, start, rest);
        }
    }

    /// Keeps bytes that lie between the pieces `at - 1` and `at`, together
    /// with those that they touch. Returns where; `None` if there is no room.
    fn keep(&mut self, at: usize, start: u32, fresh: &[u8]) -> Option<usize> {
        if self.held().saturating_add(fresh.len()) > MAX_BYTES {
            return None;
        }
        let seq = self.next.wrapping_add(start);
        let end = seq.wrapping_add(fresh.len() as u32);
        let before = at
            .checked_sub(1)
            .filter(|i| self.pieces.get(*i).is_some_and(|p| p.seq.wrapping_add(p.bytes.len() as u32) == seq));
        let touches_next = self.pieces.get(at).is_some_and(|p| p.seq == end);
        if before.is_none() && !touches_next && self.pieces.len() >= MAX_PIECES {
            return None;
        }
        self.aside = self.aside.saturating_add(fresh.len() as u32);
        let after = if touches_next { self.pieces.remove(at).bytes } else { Vec::new() };
        if let Some(place) = before {
            let p = self.pieces.get_mut(place)?;
            p.bytes.extend_from_slice(fresh);
            p.bytes.extend_from_slice(&after);
            return Some(place);
        }
        let mut bytes = fresh.to_vec();
        bytes.extend_from_slice(&after);
        self.pieces.insert(at, Piece { seq, bytes });
        Some(at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(base: u32, segments: &[(usize, Vec<u8>)]) -> (Vec<u8>, Outcome) {
        let mut a = Assembly::new(base);
        let mut got = Vec::new();
        let mut all = Outcome::default();
        for (offset, bytes) in segments {
            let o = a.push(base.wrapping_add(*offset as u32), bytes, Timestamp(0), |b, _| {
                got.extend_from_slice(b);
                Took::Bytes(b.len())
            });
            all.conflict |= o.conflict;
            all.overflow |= o.overflow;
        }
        (got, all)
    }

    proptest! {
        #[test]
        fn any_order_split_and_repetition_gives_the_same_bytes(
            data in proptest::collection::vec(any::<u8>(), 1..400),
            base in any::<u32>(),
            cuts in proptest::collection::vec((0usize..400, 1usize..80), 0..30),
            order in any::<u64>(),
        ) {
            let mut segments: Vec<(usize, Vec<u8>)> = Vec::new();
            let mut at = 0;
            for (i, (_, len)) in cuts.iter().cycle().take(400).enumerate() {
                if at >= data.len() { break }
                let end = (at + len).min(data.len());
                segments.push((at, data[at..end].to_vec()));
                at = end;
                if i > 390 { break }
            }
            if at < data.len() { segments.push((at, data[at..].to_vec())); }
            for (start, len) in &cuts {
                let start = start % data.len();
                segments.push((start, data[start..(start + len).min(data.len())].to_vec()));
            }
            let mut x = order | 1;
            for i in (1..segments.len()).rev() {
                x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                segments.swap(i, (x >> 33) as usize % (i + 1));
            }
            prop_assume!(segments.len() <= 60);
            let (got, out) = run(base, &segments);
            prop_assert_eq!(got, data);
            prop_assert!(!out.conflict && !out.overflow);
        }

        #[test]
        fn never_holds_more_than_its_limit(
            segments in proptest::collection::vec((0usize..200_000, 1usize..9000), 1..60),
        ) {
            let mut a = Assembly::new(7);
            for (offset, len) in segments {
                a.push(7u32.wrapping_add(offset as u32), &vec![1; len], Timestamp(0), |_, _| Took::Bytes(0));
                prop_assert!(a.held() <= 2 * MAX_BYTES + 9000);
            }
        }
    }

    #[test]
    fn the_first_copy_counts_and_a_differing_one_is_flagged() {
        let (got, out) = run(u32::MAX - 2, &[(4, b"efgh".to_vec()), (4, b"eXgh".to_vec()), (0, b"abcd".to_vec())]);
        assert_eq!(got, b"abcdefgh");
        assert!(out.conflict);
        // What waits behind a hole came before what fills it.
        let (got, out) = run(0, &[(4, b"efgh".to_vec()), (0, b"abcdEFGHij".to_vec())]);
        assert_eq!((&got[..], out.conflict), (&b"abcdefghij"[..], true));
        let mut a = Assembly::new(0);
        let keep = |_: &[u8], _: bool| Took::Bytes(0);
        assert!(!a.push(0, b"abcd", Timestamp(0), keep).conflict);
        assert!(!a.push(1, b"bc", Timestamp(0), keep).conflict);
        assert!(a.push(1, b"bX", Timestamp(0), keep).conflict);
        assert!(a.push(2, b"cYe", Timestamp(0), keep).conflict);
    }

    #[test]
    fn a_hole_can_be_skipped() {
        let mut a = Assembly::new(100);
        let mut got = Vec::new();
        let mut read = |b: &[u8], _: bool| {
            got.extend_from_slice(b);
            Took::Bytes(b.len())
        };
        a.push(110, b"later", Timestamp(5), &mut read);
        assert_eq!((a.hole(), a.missing()), (Some(Timestamp(5)), Some(10)));
        a.skip_hole(Timestamp(6), &mut read);
        assert_eq!((a.hole(), a.missing()), (None, None));
        a.push(115, b"!", Timestamp(6), &mut read);
        assert_eq!(got, b"later!");
    }

    #[test]
    fn single_bytes_from_the_end_backwards_grow_together() {
        let data: Vec<u8> = (0..600u32).map(|i| i as u8).collect();
        let backwards: Vec<(usize, Vec<u8>)> = (0..600).rev().map(|i| (i, vec![data[i]])).collect();
        assert_eq!(run(u32::MAX - 5, &backwards).0, data);
    }

    #[test]
    fn what_cannot_be_kept_leaves_a_hole_and_does_no_harm() {
        let mut a = Assembly::new(0);
        let mut got = Vec::new();
        let mut read = |b: &[u8], _: bool| {
            got.extend_from_slice(b);
            Took::Bytes(b.len())
        };
        for i in 0..1000u32 {
            a.push(10 + 2 * i, b"x", Timestamp(1), &mut read);
        }
        a.push(5_000_000, b"far", Timestamp(2), &mut read);
        assert!(a.held() <= MAX_PIECES * (PIECE + 1));
        assert_eq!(a.hole(), Some(Timestamp(1)));
        a.push(0, b"0123456789", Timestamp(3), &mut read);
        assert_eq!(got, b"0123456789x");
    }

    #[test]
    fn the_tail_of_a_long_message_does_not_keep_its_room() {
        let message = 60_000;
        let mut a = Assembly::new(0);
        let mut cost = 0;
        for seq in (0..message + 1000).step_by(1000) {
            let read = |b: &[u8], _: bool| Took::Bytes(if b.len() > message { message } else { 0 });
            a.push(seq as u32, &[0; 1000], Timestamp(0), read);
            cost = cost.max(a.cost());
            assert!(a.cost() >= a.buf.capacity());
        }
        assert!(cost > message);
        assert_eq!(a.held(), 1000);
        assert!(a.cost() < 2 * SPARE, "{}", a.cost());
        a.push(message as u32 + 1000, b"x", Timestamp(0), |b, _| Took::Bytes(b.len()));
        assert_eq!((a.cost(), a.buf.capacity()), (0, 0));
        a.push(message as u32 + 1002, b"later", Timestamp(0), |b, _| Took::Bytes(b.len()));
        assert!(a.cost() > a.pieces.capacity() * size_of::<Piece>());
        a.push(message as u32 + 1001, b"y", Timestamp(0), |b, _| Took::Bytes(b.len()));
        assert_eq!((a.cost(), a.pieces.capacity()), (0, 0));
    }

    #[test]
    fn the_unfinished_tail_comes_again() {
        let mut a = Assembly::new(0);
        let mut calls = Vec::new();
        for (seq, b) in [(0u32, b"ab".as_slice()), (2, b"c"), (3, b"def")] {
            a.push(seq, b, Timestamp(0), |b, _| {
                calls.push(b.to_vec());
                Took::Bytes(if b.len() >= 3 { 3 } else { 0 })
            });
        }
        assert_eq!(calls, [b"ab".to_vec(), b"abc".to_vec(), b"def".to_vec()]);
        assert_eq!(a.held(), 0);
    }
}
