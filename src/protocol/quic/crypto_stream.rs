//! The stream that CRYPTO frames carry (RFC 9000 section 19.6).

use crate::base::assembler::Assembler;

/// Bytes of a CRYPTO stream that are kept.
pub const MAX_CRYPTO: usize = 64 * 1024;
/// Pieces kept aside until those before them have come.
pub const MAX_CRYPTO_PIECES: usize = 64;

/// Data of a CRYPTO frame was left out: it lies beyond [`MAX_CRYPTO`], or
/// [`MAX_CRYPTO_PIECES`] wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CRYPTO data beyond what is kept")]
pub struct Overflow;

/// The CRYPTO stream of a client's Initial packets, put together from frames
/// in any order. The first copy of a byte counts.
#[derive(Clone, Debug)]
pub struct CryptoStream {
    pieces: Assembler,
    /// Where it begins to be read.
    base: u64,
    conflict: bool,
}

impl Default for CryptoStream {
    fn default() -> Self {
        Self::new()
    }
}

impl CryptoStream {
    /// An empty stream.
    pub fn new() -> Self {
        Self::behind(0)
    }

    /// An empty stream of which what lies before `base` is passed over: a
    /// message that was read.
    pub fn behind(base: u64) -> Self {
        CryptoStream { pieces: Assembler::with_max_pieces(MAX_CRYPTO, MAX_CRYPTO_PIECES), base, conflict: false }
    }

    /// Adds the data of a frame; what is not left out is kept.
    pub fn insert(&mut self, offset: u64, data: &[u8]) -> Result<(), Overflow> {
        let read = usize::try_from(self.base.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(read..).unwrap_or(&[]);
        let offset = offset.saturating_sub(self.base);
        let done = self.pieces.insert(usize::try_from(offset).unwrap_or(usize::MAX), data);
        self.conflict |= done.conflict;
        if done.overflow { Err(Overflow) } else { Ok(()) }
    }

    /// Where it begins to be read.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The bytes from where it begins up to the first that is missing.
    pub fn contiguous(&self) -> &[u8] {
        self.pieces.contiguous()
    }

    /// What came behind bytes that are missing: offsets and bytes, in order.
    pub fn aside(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pieces.aside().map(|(at, bytes)| (self.base.saturating_add(at as u64), bytes))
    }

    /// Whether bytes are missing before others that have come.
    pub fn has_gap(&self) -> bool {
        self.pieces.has_gap()
    }

    /// Whether a byte came twice with different values, which RFC 9000
    /// section 2.2 forbids.
    pub fn conflict(&self) -> bool {
        self.conflict
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.pieces.held()
    }

    /// Starts anew, as after a Retry, and keeps the buffer.
    pub fn clear(&mut self) {
        self.pieces.clear();
        (self.base, self.conflict) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_out_of_order() {
        let mut stream = CryptoStream::new();
        assert_eq!(stream.insert(4, b"ef"), Ok(()));
        assert_eq!(stream.insert(2, b"cd"), Ok(()));
        assert!(stream.has_gap());
        assert_eq!(stream.insert(0, b"abc"), Ok(()));
        assert_eq!((stream.contiguous(), stream.held()), (&b"abcdef"[..], 6));
        assert!(!stream.conflict() && !stream.has_gap());
        assert_eq!(stream.insert(1, b"bX"), Ok(()));
        assert!(stream.conflict());
        assert_eq!(stream.contiguous(), b"abcdef");
        stream.clear();
        assert!(!stream.conflict() && stream.contiguous().is_empty());
    }

    #[test]
    fn what_was_read_is_passed_over() {
        let mut stream = CryptoStream::behind(10);
        assert_eq!(stream.insert(0, b"0123456789"), Ok(()));
        assert_eq!((stream.held(), stream.base()), (0, 10));
        assert_eq!(stream.insert(u64::MAX, b"x"), Err(Overflow));
        assert_eq!(stream.insert(8, b"89abc"), Ok(()));
        assert_eq!(stream.insert(15, b"fgh"), Ok(()));
        assert_eq!(stream.contiguous(), b"abc");
        assert_eq!(stream.aside().collect::<Vec<_>>(), [(15, &b"fgh"[..])]);
    }

    #[test]
    fn bounds() {
        let mut stream = CryptoStream::new();
        for offset in [MAX_CRYPTO as u64, u64::from(u32::MAX) + 1, (1 << 62) - 1, u64::MAX] {
            assert_eq!(stream.insert(offset, b"x"), Err(Overflow));
        }
        assert_eq!(stream.held(), 0);
        for piece in 0..MAX_CRYPTO_PIECES as u64 {
            assert_eq!(stream.insert(2 + 2 * piece, b"x"), Ok(()));
        }
        assert_eq!(stream.insert(1000, b"x"), Err(Overflow));
        assert_eq!(stream.insert(0, b"ab"), Ok(()));
        assert_eq!(stream.contiguous(), b"abx");
        assert_eq!(stream.insert(3, &[7; MAX_CRYPTO]), Err(Overflow));
        assert_eq!(stream.contiguous().len(), MAX_CRYPTO);
    }
}
