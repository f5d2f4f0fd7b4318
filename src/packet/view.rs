//! The bytes that a header walk still has before it.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// A stretch of a frame (or of the arena) that shrinks as headers are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The bytes at hand.
    pub data: &'a [u8],
    /// Where `data` begins in the frame or arena.
    pub offset: usize,
    /// Bytes behind `data` that the enclosing header or the wire had and the
    /// capture lacks.
    pub missing: usize,
    /// Whether a header announced more than there was room for.
    pub overstated: bool,
}

impl<'a> View<'a> {
    /// The whole of `data`, of which the wire had `wire` bytes.
    #[inline]
    pub fn new(data: &'a [u8], wire: usize) -> Self {
        View { data, offset: 0, missing: wire.saturating_sub(data.len()), overstated: false }
    }

    /// Bytes that were announced, at hand or not.
    #[inline]
    pub fn announced(&self) -> usize {
        self.data.len().saturating_add(self.missing)
    }

    /// The first `N` bytes, not consumed; `None` if fewer are at hand.
    #[inline]
    pub fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.data.first_chunk::<N>()
    }

    /// Consumes the first `N` bytes; `None` if fewer are at hand.
    #[inline]
    pub fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (head, rest) = self.data.split_first_chunk::<N>()?;
        self.data = rest;
        self.offset = self.offset.saturating_add(N);
        Some(head)
    }

    /// Drops the first `n` bytes; `None` if fewer are at hand.
    #[inline]
    pub fn skip(&mut self, n: usize) -> Option<()> {
        let (_, rest) = self.data.split_at_checked(n)?;
        self.data = rest;
        self.offset = self.offset.saturating_add(n);
        Some(())
    }

    /// A header says that `n` bytes follow: what lies behind is padding, what
    /// is not at hand is missing. A header alone brings no bytes: what it says
    /// beyond what the wire had is noted, and counts for nothing.
    #[inline]
    pub fn limit(&mut self, n: usize) {
        match self.data.get(..n) {
            Some(data) => (self.data, self.missing) = (data, 0),
            None if n > self.announced() => self.overstated = true,
            None => self.missing = n.saturating_sub(self.data.len()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn taking_moves_the_offset_and_limits_trim_or_note_what_is_missing() {
        let mut v = View::new(&[1, 2, 3, 4, 5, 6], 10);
        assert_eq!((v.missing, v.announced()), (4, 10));
        assert_eq!(v.take::<2>().unwrap(), &[1, 2]);
        assert!(v.skip(1).is_some() && v.skip(4).is_none() && v.take::<4>().is_none());
        assert_eq!((v.offset, v.data), (3, &[4u8, 5, 6][..]));
        v.limit(5);
        assert_eq!((v.data.len(), v.missing, v.overstated), (3, 2, false));
        v.limit(6);
        assert_eq!((v.data.len(), v.missing, v.overstated), (3, 2, true), "no header brings bytes back");
        v.limit(2);
        assert_eq!((v.data, v.missing, v.overstated), (&[4u8, 5][..], 0, true));
    }
}
