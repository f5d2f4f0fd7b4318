//! Puts the pieces of a stream back in order.
//!
//! Holds the start of one direction of a stream: the bytes from offset 0 up to
//! the first that is missing, and aside, within bounds, what arrived early.
//! The first copy of a byte counts; a later copy that differs is reported.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Pieces that [`Assembler::new`] keeps aside.
pub const DEFAULT_MAX_PIECES: usize = 64;

/// What [`Assembler::insert`] did with the bytes given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// At least one byte was new and has been kept.
    pub fresh: bool,
    /// [`Assembler::contiguous`] grew.
    pub grew: bool,
    /// A byte differed from the copy that was there before.
    pub conflict: bool,
    /// Bytes were left out: they lie beyond the cap, or too many pieces wait
    /// already for the bytes before them.
    pub overflow: bool,
}

/// Bytes that arrived before those in front of them.
#[derive(Clone, Debug)]
struct Piece {
    start: usize,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> usize {
        self.start.saturating_add(self.bytes.len())
    }
}

/// The start of a stream, assembled from pieces in any order.
///
/// Memory grows with the bytes received, never with the offsets claimed, up to
/// the cap. As long as pieces arrive in order, an insertion is one append.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    head: Vec<u8>,
    /// Ordered by `start`, disjoint, all beyond the end of `head`.
    pieces: Vec<Piece>,
    cap: usize,
    max_pieces: usize,
}

impl Assembler {
    /// An empty stream of which bytes before offset `cap` are kept.
    pub fn new(cap: usize) -> Self {
        Self::with_max_pieces(cap, DEFAULT_MAX_PIECES)
    }

    /// Like [`Assembler::new`], with at most `max_pieces` kept aside.
    pub fn with_max_pieces(cap: usize, max_pieces: usize) -> Self {
        Assembler { head: Vec::new(), pieces: Vec::new(), cap, max_pieces }
    }

    /// Adds the bytes of the stream from `offset` on.
    #[inline]
    pub fn insert(&mut self, offset: usize, data: &[u8]) -> Inserted {
        let room = self.cap.saturating_sub(offset);
        let (data, overflow) = match data.get(..room) {
            Some(kept) => (kept, data.len() > room),
            None => (data, false),
        };
        if data.is_empty() {
            return Inserted { overflow, ..Inserted::default() };
        }
        if offset == self.head.len() && self.pieces.is_empty() {
            self.head.extend_from_slice(data);
            return Inserted { fresh: true, grew: true, conflict: false, overflow };
        }
        let mut done = self.insert_slow(offset, data);
        done.overflow |= overflow;
        done
    }

    /// Insertion with something before or behind to mind: fills the gaps that
    /// `data` covers, compares the rest.
    fn insert_slow(&mut self, offset: usize, data: &[u8]) -> Inserted {
        let mut done = Inserted::default();
        let before = self.head.len();
        let mut pos = offset;
        let mut data = data;
        if let Some(known) = self.head.get(offset..) {
            let (old, rest) = data.split_at_checked(known.len()).unwrap_or((data, &[]));
            done.conflict |= !known.starts_with(old);
            pos = pos.saturating_add(old.len());
            data = rest;
        }
        let mut index = self.pieces.partition_point(|p| p.end() <= pos);
        while !data.is_empty() {
            let next = self.pieces.get(index);
            let (known, gap) = match next {
                Some(p) => (p.bytes.get(pos.saturating_sub(p.start)..).unwrap_or(&[]), p.start.saturating_sub(pos)),
                None => (&[][..], data.len()),
            };
            let part = if gap == 0 {
                let (old, rest) = data.split_at_checked(known.len()).unwrap_or((data, &[]));
                done.conflict |= !known.starts_with(old);
                index = index.saturating_add(1);
                data = rest;
                old.len()
            } else {
                let (new, rest) = data.split_at_checked(gap).unwrap_or((data, &[]));
                match self.fill(index, pos, new) {
                    Some(at) => (index, done.fresh) = (at, true),
                    None => done.overflow = true,
                }
                data = rest;
                new.len()
            };
            pos = pos.saturating_add(part);
        }
        self.absorb();
        done.grew = self.head.len() > before;
        done
    }

    /// Stores bytes that belong into the gap before piece `index`. Returns
    /// the index of the piece behind them, `None` if there is no room.
    fn fill(&mut self, index: usize, pos: usize, new: &[u8]) -> Option<usize> {
        let full = self.pieces.len() >= self.max_pieces;
        match index.checked_sub(1).and_then(|i| self.pieces.get_mut(i)) {
            Some(left) if left.end() == pos => left.bytes.extend_from_slice(new),
            None if self.head.len() == pos => self.head.extend_from_slice(new),
            _ if full => return None,
            _ => {
                self.pieces.insert(index, Piece { start: pos, bytes: new.to_vec() });
                return Some(index.saturating_add(1));
            }
        }
        Some(index)
    }

    /// Moves pieces that are no longer ahead to the head.
    fn absorb(&mut self) {
        let mut count = 0_usize;
        for piece in &self.pieces {
            if piece.start != self.head.len() {
                break;
            }
            self.head.extend_from_slice(&piece.bytes);
            count = count.saturating_add(1);
        }
        if count > 0 {
            self.pieces.drain(..count);
        }
    }

    /// The bytes from offset 0 up to the first that is missing.
    #[inline]
    pub fn contiguous(&self) -> &[u8] {
        &self.head
    }

    /// What arrived behind bytes that are missing: offsets and bytes, in order.
    pub fn aside(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.pieces.iter().map(|p| (p.start, &*p.bytes))
    }

    /// Whether bytes are missing before others that have arrived.
    #[inline]
    pub fn has_gap(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Bytes held, those aside included.
    pub fn held(&self) -> usize {
        self.pieces.iter().fold(self.head.len(), |sum, p| sum.saturating_add(p.bytes.len()))
    }

    /// Bytes before this offset are kept.
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// Starts anew at offset 0 and keeps the buffer of the head.
    pub fn clear(&mut self) {
        self.head.clear();
        self.pieces.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: Inserted = Inserted { fresh: true, grew: true, conflict: false, overflow: false };
    const ASIDE: Inserted = Inserted { fresh: true, grew: false, conflict: false, overflow: false };
    const NOTHING: Inserted = Inserted { fresh: false, grew: false, conflict: false, overflow: false };

    #[test]
    fn in_order_appends() {
        let mut a = Assembler::new(100);
        assert_eq!(a.insert(0, b"ab"), NEW);
        assert_eq!(a.insert(2, b"cd"), NEW);
        assert_eq!(a.contiguous(), b"abcd");
        assert!(!a.has_gap());
    }

    #[test]
    fn early_bytes_wait_for_those_before_them() {
        let mut a = Assembler::new(100);
        assert_eq!(a.insert(4, b"ef"), ASIDE);
        assert_eq!(a.insert(2, b"cd"), ASIDE);
        assert!(a.has_gap());
        assert_eq!((a.contiguous(), a.held()), (&b""[..], 4));
        assert_eq!(a.insert(0, b"ab"), NEW);
        assert_eq!((a.contiguous(), a.held(), a.has_gap()), (&b"abcdef"[..], 6, false));
    }

    #[test]
    fn repeats_are_nothing_new() {
        let mut a = Assembler::new(100);
        a.insert(0, b"abcd");
        assert_eq!(a.insert(0, b"abcd"), NOTHING);
        assert_eq!(a.insert(1, b"bc"), NOTHING);
        a.insert(8, b"ij");
        assert_eq!(a.insert(8, b"ij"), NOTHING);
        assert_eq!(a.insert(0, b""), NOTHING);
        assert_eq!(a.insert(2, b"cdef"), NEW);
        assert_eq!(a.contiguous(), b"abcdef");
    }

    #[test]
    fn the_first_copy_counts() {
        let mut a = Assembler::new(100);
        a.insert(0, b"abcd");
        assert_eq!(a.insert(2, b"XXef"), Inserted { conflict: true, ..NEW });
        assert_eq!(a.contiguous(), b"abcdef");
        a.insert(8, b"ij");
        assert_eq!(a.insert(7, b"hYYk"), Inserted { conflict: true, ..ASIDE });
        assert_eq!(a.insert(6, b"g"), NEW);
        assert_eq!(a.contiguous(), b"abcdefghijk");
    }

    #[test]
    fn one_insertion_may_fill_several_gaps() {
        let mut a = Assembler::new(100);
        a.insert(2, b"c");
        a.insert(5, b"f");
        a.insert(9, b"j");
        assert_eq!(a.insert(0, b"abcdefgh"), NEW);
        assert_eq!(a.contiguous(), b"abcdefgh");
        assert!(a.has_gap());
        assert_eq!(a.insert(8, b"i"), NEW);
        assert_eq!(a.contiguous(), b"abcdefghij");
    }

    #[test]
    fn bytes_beyond_the_cap_are_left_out() {
        let mut a = Assembler::new(4);
        assert_eq!(a.insert(2, b"cdef"), Inserted { overflow: true, ..ASIDE });
        assert_eq!(a.insert(4, b"e"), Inserted { overflow: true, ..NOTHING });
        assert_eq!(a.insert(usize::MAX, b"x"), Inserted { overflow: true, ..NOTHING });
        assert_eq!(a.insert(0, b"abcdef"), Inserted { overflow: true, ..NEW });
        assert_eq!(a.contiguous(), b"abcd");
        assert_eq!(a.insert(4, b""), NOTHING);
    }

    #[test]
    fn pieces_aside_are_bounded() {
        let mut a = Assembler::with_max_pieces(100, 2);
        a.insert(2, b"c");
        a.insert(6, b"g");
        assert_eq!(a.insert(10, b"k"), Inserted { overflow: true, ..NOTHING });
        // Growing a piece, or the head, needs no room for another one.
        assert_eq!(a.insert(7, b"h"), ASIDE);
        assert_eq!(a.insert(0, b"ab"), NEW);
        assert_eq!(a.insert(3, b"def"), NEW);
        assert_eq!(a.contiguous(), b"abcdefgh");
        assert_eq!(a.insert(10, b"k"), ASIDE);
    }

    #[test]
    fn cleared_is_new() {
        let mut a = Assembler::new(10);
        a.insert(0, b"ab");
        a.insert(5, b"x");
        a.clear();
        assert_eq!((a.contiguous(), a.has_gap(), a.held(), a.cap()), (&b""[..], false, 0, 10));
        assert_eq!(a.insert(0, b"cd"), NEW);
    }

    proptest! {
        /// Any split, order, overlap and duplication gives the same stream.
        #[test]
        fn any_order_gives_the_stream(
            stream in prop::collection::vec(any::<u8>(), 1..300),
            extra in prop::collection::vec((any::<prop::sample::Index>(), 1usize..80), 0..20),
            piece in 1usize..40,
            shuffle in any::<u64>(),
        ) {
            let mut parts: Vec<(usize, usize)> =
                (0..stream.len()).step_by(piece).map(|at| (at, (at + piece).min(stream.len()))).collect();
            for (at, len) in extra {
                let at = at.index(stream.len());
                parts.push((at, (at + len).min(stream.len())));
            }
            // A shuffle that depends on the seed alone.
            parts.sort_by_key(|p| {
                (p.0 as u64 ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (p.1 as u64).wrapping_mul(shuffle | 1)
            });
            let mut a = Assembler::with_max_pieces(stream.len(), 400);
            for &(from, to) in &parts {
                let before = a.held();
                let done = a.insert(from, &stream[from..to]);
                prop_assert!(!done.conflict && !done.overflow);
                prop_assert_eq!(done.fresh, a.held() > before);
            }
            prop_assert_eq!(a.contiguous(), &stream[..]);
            prop_assert!(!a.has_gap());
        }

        /// Against a plain model that marks each byte, conflicts included.
        #[test]
        fn agrees_with_a_byte_map(
            parts in prop::collection::vec((0usize..60, prop::collection::vec(0u8..3, 0..25)), 0..30),
        ) {
            let mut model: Vec<Option<u8>> = vec![None; 64];
            let mut a = Assembler::new(64);
            for (at, bytes) in parts {
                let mut want = Inserted::default();
                for (i, &b) in bytes.iter().enumerate() {
                    match model.get_mut(at + i) {
                        None => want.overflow = true,
                        Some(Some(old)) => want.conflict |= *old != b,
                        Some(slot) => {
                            *slot = Some(b);
                            want.fresh = true;
                        }
                    }
                }
                let before = a.contiguous().len();
                let done = a.insert(at, &bytes);
                want.grew = a.contiguous().len() > before;
                prop_assert_eq!(done, want);
                let head: Vec<u8> = model.iter().map_while(|b| *b).collect();
                prop_assert_eq!(a.contiguous(), &head[..]);
                prop_assert_eq!(a.held(), model.iter().flatten().count());
                prop_assert_eq!(a.has_gap(), a.held() > head.len());
            }
        }
    }
}
