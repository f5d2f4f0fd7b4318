//! Numbers and texts as bytes, and back.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Appends a number in groups of seven bits, the lowest first, each but the
/// last with its highest bit set (LEB128).
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n > 0x7f {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends a number that may be negative, small ones in few bytes.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, n: i64) {
    put_number(out, (n << 1 ^ n >> 63) as u64);
}

/// Appends bytes behind their length.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote; `None` for what they never wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(first.into());
        }
        let mut n = u64::from(first & 0x7f);
        for shift in (7u32..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // Of the tenth group only one bit fits.
            if shift == 63 && bits > 1 {
                return None;
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ ((n & 1) as i64).wrapping_neg())
    }

    /// A number that fits the machine.
    #[inline]
    pub(crate) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Text up to a zero byte.
    pub(crate) fn until_zero(&mut self) -> Option<&'a str> {
        let at = memchr::memchr(0, self.0)?;
        let text = self.take(at)?;
        self.byte()?;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_come_back(n: u64, m: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_number(&mut out, n);
            put_signed(&mut out, m);
            put_bytes(&mut out, &bytes);
            let mut read = Bytes(&out);
            prop_assert_eq!(read.number(), Some(n));
            prop_assert_eq!(read.signed(), Some(m));
            prop_assert_eq!(read.bytes(), Some(bytes.as_slice()));
            prop_assert!(read.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut read = Bytes(&bytes);
            while read.number().is_some() {}
            let mut read = Bytes(&bytes);
            while read.text().is_some() {}
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Bytes(&[0xff; 10]).number(), None);
        assert_eq!(Bytes(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).number(), Some(u64::MAX));
        assert_eq!(Bytes(&[5, 1]).bytes(), None);
        assert_eq!(Bytes(b"ab\0c").until_zero(), Some("ab"));
        assert_eq!(Bytes(b"ab").until_zero(), None);
    }
}
