//! One fragmented datagram: the pieces at hand.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Most stretches with holes between them; neighbours join.
const MAX_ISLANDS: usize = 64;

/// Contiguous bytes of a datagram's payload.
#[derive(Debug)]
struct Island {
    start: usize,
    data: Vec<u8>,
}

impl Island {
    fn end(&self) -> usize {
        self.start.saturating_add(self.data.len())
    }

    /// The bytes of `[from, to)` that lie in it.
    fn part(&self, from: usize, to: usize) -> &[u8] {
        let from = from.saturating_sub(self.start);
        let to = to.min(self.end()).saturating_sub(self.start);
        self.data.get(from..to).unwrap_or(&[])
    }
}

/// A piece to add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Where it begins in the payload, in bytes.
    pub start: usize,
    /// Its bytes at hand; fewer than `len` if the capture cut it.
    pub data: &'a [u8],
    /// Its length.
    pub len: usize,
    /// Whether it is the last one.
    pub last: bool,
}

/// What adding a piece showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// Taken.
    Fine,
    /// All of it was there already, and is the same.
    Copy,
    /// It contradicts what was there; the first copy stays.
    Conflict,
    /// The datagram must not be put together (RFC 5722 section 3, or too many
    /// holes). `true`: with contradicting bytes.
    Refused(bool),
}

/// A datagram's payload under construction.
#[derive(Debug, Default)]
pub(super) struct Datagram {
    /// In order, with a hole between any two.
    islands: Vec<Island>,
    /// Length of the whole payload, once the last piece was seen.
    len: Option<usize>,
    /// Where the pieces begin, in order; kept only under the strict rule.
    starts: Vec<u16>,
}

impl Datagram {
    /// Adds a piece. `strict` is IPv6's rule (RFC 5722 section 3): a piece that
    /// overlaps others refuses the datagram, unless it is an exact copy of one,
    /// which networks make (RFC 8200 section 4.5).
    pub fn add(&mut self, piece: Piece<'_>, strict: bool) -> Added {
        let end = piece.start.saturating_add(piece.len);
        let reached = self.islands.last().map_or(0, Island::end);
        let wrong_end = match self.len {
            Some(len) => end > len || (piece.last && end != len),
            None => piece.last && reached > end,
        };
        if wrong_end {
            return if strict { Added::Refused(true) } else { Added::Conflict };
        }
        if piece.last {
            self.len = Some(end);
        }
        if piece.data.is_empty() {
            return Added::Fine;
        }
        let (covered, differs) = self.compare(&piece);
        if strict {
            if covered > 0 && (differs || !self.is_copy(&piece)) {
                return Added::Refused(differs);
            }
            if covered == 0 {
                self.note_start(piece.start);
            }
        }
        if covered == piece.data.len() {
            return if differs { Added::Conflict } else { Added::Copy };
        }
        self.join(&piece);
        if self.islands.len() > MAX_ISLANDS {
            return Added::Refused(differs);
        }
        if differs { Added::Conflict } else { Added::Fine }
    }

    /// Whether a piece has just the bounds of one that came before.
    fn is_copy(&self, piece: &Piece<'_>) -> bool {
        let end = piece.start.saturating_add(piece.data.len());
        let Ok(at) = self.starts.binary_search(&narrow(piece.start)) else { return false };
        let next = at.checked_add(1).and_then(|next| self.starts.get(next)).map(|s| usize::from(*s));
        let island = self.islands.iter().find(|i| i.start <= piece.start && piece.start < i.end());
        // The piece there ends where the next begins, or where its island does.
        island.is_some_and(|i| next.filter(|n| *n < i.end()).unwrap_or(i.end()) == end)
    }

    fn note_start(&mut self, start: usize) {
        let start = narrow(start);
        if let Err(at) = self.starts.binary_search(&start) {
            self.starts.insert(at, start);
        }
    }

    /// How many bytes of a piece are there already, and whether any differs.
    fn compare(&self, piece: &Piece<'_>) -> (usize, bool) {
        let end = piece.start.saturating_add(piece.data.len());
        let mut covered = 0usize;
        let mut differs = false;
        for island in self.islands.iter().filter(|i| i.start < end && i.end() > piece.start) {
            let old = island.part(piece.start, end);
            let at = island.start.saturating_sub(piece.start);
            let new = piece.data.get(at..at.saturating_add(old.len())).unwrap_or(&[]);
            covered = covered.saturating_add(old.len());
            differs |= old != new;
        }
        (covered, differs)
    }

    /// Adds the bytes that are not there yet and joins what then touches.
    fn join(&mut self, piece: &Piece<'_>) {
        let end = piece.start.saturating_add(piece.data.len());
        let first = self.islands.partition_point(|i| i.end() < piece.start);
        let after = self.islands.partition_point(|i| i.start <= end);
        if first >= after {
            self.islands.insert(first, Island { start: piece.start, data: piece.data.to_vec() });
            return;
        }
        // In order, the usual case: the piece goes on where one island ends.
        if after.saturating_sub(first) == 1
            && let Some(island) = self.islands.get_mut(first)
            && island.start <= piece.start
        {
            let known = island.end().saturating_sub(piece.start);
            island.data.extend_from_slice(piece.data.get(known..).unwrap_or(&[]));
            return;
        }
        let start = self.islands.get(first).map_or(piece.start, |i| i.start.min(piece.start));
        let mut data = Vec::new();
        // Lay down alternately the islands and the piece's bytes between them.
        let mut at = start;
        for island in self.islands.drain(first..after) {
            if at < island.start {
                let from = at.saturating_sub(piece.start);
                let to = island.start.saturating_sub(piece.start);
                data.extend_from_slice(piece.data.get(from..to).unwrap_or(&[]));
            }
            data.extend_from_slice(&island.data);
            at = island.end();
        }
        data.extend_from_slice(piece.data.get(at.saturating_sub(piece.start)..).unwrap_or(&[]));
        self.islands.insert(first, Island { start, data });
    }

    /// Takes the payload out if it is whole.
    pub fn take_whole(&mut self) -> Option<Vec<u8>> {
        let len = self.len?;
        match self.islands.as_mut_slice() {
            [only] if only.start == 0 && only.data.len() == len => Some(std::mem::take(&mut only.data)),
            _ => None,
        }
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        let islands = self.islands.capacity().saturating_mul(size_of::<Island>());
        let islands = islands.saturating_add(self.starts.capacity().saturating_mul(size_of::<u16>()));
        self.islands.iter().fold(islands, |sum, i| sum.saturating_add(i.data.capacity()))
    }
}

/// A place in a payload, which has less than 64 KiB.
fn narrow(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(start: usize, data: &[u8], last: bool) -> Piece<'_> {
        Piece { start, data, len: data.len(), last }
    }

    #[test]
    fn first_copy_wins_and_the_conflict_shows() {
        let mut d = Datagram::default();
        assert_eq!(d.add(piece(8, b"BBBBBBBB", false), false), Added::Fine);
        assert_eq!(d.add(piece(0, b"aaaaaaaaaaaaaaaa", false), false), Added::Conflict);
        assert_eq!(d.add(piece(12, b"BBBBcccc", true), false), Added::Fine);
        assert_eq!(d.take_whole().unwrap(), b"aaaaaaaaBBBBBBBBcccc");
    }

    #[test]
    fn strict_refuses_overlap_but_takes_copies() {
        let mut d = Datagram::default();
        assert_eq!(d.add(piece(0, b"aaaaaaaa", false), true), Added::Fine);
        assert_eq!(d.add(piece(0, b"aaaaaaaa", false), true), Added::Copy);
        assert_eq!(d.add(piece(4, b"aaaabbbb", false), true), Added::Refused(false));
        assert_eq!(d.add(piece(0, b"aaaaaaab", false), true), Added::Refused(true));
    }

    #[test]
    fn strict_knows_a_copy_by_its_bounds() {
        let add = |d: &mut Datagram, start, data: &[u8]| d.add(piece(start, data, false), true);
        let whole = || {
            let mut d = Datagram::default();
            for (start, data) in
                [(0, &b"aaaaaaaabbbbbbbb"[..]), (16, b"cccccccc"), (32, b"dddddddd"), (24, b"eeeeeeee")]
            {
                assert_eq!(add(&mut d, start, data), Added::Fine);
            }
            d
        };
        for (start, data, copy) in [
            (0, &b"aaaaaaaabbbbbbbb"[..], true),
            (16, b"cccccccc", true),
            (24, b"eeeeeeee", true),
            (32, b"dddddddd", true),
            (0, b"aaaaaaaa", false),
            (8, b"bbbbbbbb", false),
            (16, b"cccccccceeeeeeee", false),
            (0, b"aaaaaaaabbbbbbbbcccccccc", false),
        ] {
            let want = if copy { Added::Copy } else { Added::Refused(false) };
            assert_eq!(add(&mut whole(), start, data), want, "{start} {data:?}");
        }
    }

    #[test]
    fn ends_that_contradict() {
        for strict in [false, true] {
            let refused = if strict { Added::Refused(true) } else { Added::Conflict };
            let mut d = Datagram::default();
            assert_eq!(d.add(piece(8, b"tail", true), strict), Added::Fine);
            assert_eq!(d.add(piece(8, b"tailtail", false), strict), refused);
            assert_eq!(d.add(piece(8, b"ta", true), strict), refused);
            let mut d = Datagram::default();
            assert_eq!(d.add(piece(16, b"tail", false), strict), Added::Fine);
            assert_eq!(d.add(piece(8, b"ta", true), strict), refused);
        }
    }

    #[test]
    fn a_cut_piece_leaves_a_hole() {
        let mut d = Datagram::default();
        assert_eq!(d.add(Piece { start: 0, data: b"abc", len: 8, last: true }, false), Added::Fine);
        assert_eq!(d.take_whole(), None);
        assert_eq!(d.add(piece(0, b"abcdefgh", true), false), Added::Fine);
        assert_eq!(d.take_whole().unwrap(), b"abcdefgh");
    }

    #[test]
    fn holes_are_bounded() {
        let mut d = Datagram::default();
        for i in 0..MAX_ISLANDS {
            assert_eq!(d.add(piece(i * 16, &[0; 8], false), false), Added::Fine);
        }
        assert_eq!(d.add(piece(MAX_ISLANDS * 16, &[0; 8], false), false), Added::Refused(false));
    }

    proptest! {
        /// Any overlapping, repeated pieces of one payload give it back.
        #[test]
        fn any_cover_of_a_payload_gives_the_payload(
            payload in proptest::collection::vec(any::<u8>(), 1..400),
            cuts in proptest::collection::vec((any::<u16>(), any::<u16>()), 0..40),
        ) {
            let mut d = Datagram::default();
            for (a, b) in cuts {
                let from = usize::from(a) % payload.len();
                let to = from + 1 + usize::from(b) % (payload.len() - from);
                let added = d.add(piece(from, &payload[from..to], to == payload.len()), false);
                prop_assert!(matches!(added, Added::Fine | Added::Copy));
                prop_assert!(d.islands.windows(2).all(|w| w[0].end() < w[1].start));
                for i in &d.islands {
                    prop_assert_eq!(&i.data[..], &payload[i.start..i.end()]);
                }
            }
            prop_assert!(matches!(d.add(piece(0, &payload, true), false), Added::Fine | Added::Copy));
            prop_assert_eq!(d.take_whole(), Some(payload));
        }
    }
}
