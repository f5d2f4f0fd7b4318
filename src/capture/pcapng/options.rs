//! The options at the end of a block.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Options one after another: code, length, value padded to four bytes
/// (draft-ietf-opsawg-pcapng section 3.5). Ends at `opt_endofopt` or where an
/// option does not fit.
pub(super) struct Options<'a> {
    rest: &'a [u8],
    big_endian: bool,
}

impl<'a> Options<'a> {
    /// Of what follows the fixed fields of a block's body.
    pub(super) fn new(rest: &'a [u8], big_endian: bool) -> Self {
        Options { rest, big_endian }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[c0, c1, l0, l1], rest) = self.rest.split_first_chunk::<4>()?;
        let half = |b| if self.big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let (code, length) = (half([c0, c1]), usize::from(half([l0, l1])));
        if code == 0 {
            return None;
        }
        let value = rest.get(..length)?;
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_end_at_the_mark_or_where_they_do_not_fit() {
        let bytes = [0, 2, 0, 3, b'a', b'b', b'c', 0, 0, 9, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0];
        let got: Vec<_> = Options::new(&bytes, true).collect();
        assert_eq!(got, [(2, &b"abc"[..]), (9, &[6][..])]);
        // Without its padding, as some writers end the last option.
        let got: Vec<_> = Options::new(&[9, 0, 1, 0, 6], false).collect();
        assert_eq!(got, [(9, &[6][..])]);
        assert_eq!(Options::new(&[9, 0, 200, 0, 6, 0, 0, 0], false).count(), 0);
        assert_eq!(Options::new(&[9, 0], false).count(), 0);
    }
}
