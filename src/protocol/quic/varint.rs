//! Variable-length integers (RFC 9000 section 16).

/// Takes an integer from the front of `bytes`: the two highest bits of its
/// first byte say whether it has 1, 2, 4 or 8 bytes. `None` if it is cut.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let first = *bytes.first()?;
    let len = 1_usize << (first >> 6);
    let (number, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let start = u64::from(first & 0x3f);
    Some(number.iter().skip(1).fold(start, |n, b| n << 8 | u64::from(*b)))
}

/// Takes an integer and that many bytes.
pub(super) fn prefixed<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut ahead = *bytes;
    let len = usize::try_from(varint(&mut ahead)?).ok()?;
    let (data, rest) = ahead.split_at_checked(len)?;
    *bytes = rest;
    Some(data)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc() {
        // RFC 9000 appendix A.1.
        for (bytes, number) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            let mut rest = bytes;
            assert_eq!((varint(&mut rest), rest), (Some(number), &[][..]));
            let mut cut = &bytes[..bytes.len() - 1];
            assert_eq!(varint(&mut cut), None);
        }
    }

    #[test]
    fn prefixed_bytes_must_all_be_there() {
        let mut rest = &[2, 7, 8, 9][..];
        assert_eq!((prefixed(&mut rest), rest), (Some(&[7, 8][..]), &[9][..]));
        let mut cut = &[3, 7, 8][..];
        assert_eq!((prefixed(&mut cut), cut), (None, &[3, 7, 8][..]));
        let mut huge = &[0xff; 20][..];
        assert_eq!(prefixed(&mut huge), None);
    }
}
