//! Integers with a prefix (RFC 7541 section 5.1).

use super::Fault;

/// Takes an integer whose prefix has so many bits from the front of `bytes`:
/// its value, and what follows. One beyond 32 bits is malformed, and so is one
/// of more than five octets behind the prefix.
pub(super) fn take(bytes: &[u8], prefix: u32) -> Result<(u32, &[u8]), Fault> {
    let (first, mut rest) = bytes.split_first().ok_or(Fault::Cut)?;
    let full = 1u32.checked_shl(prefix).unwrap_or(0).wrapping_sub(1);
    let mut value = u32::from(*first) & full;
    if value < full {
        return Ok((value, rest));
    }
    for shift in [0u32, 7, 14, 21, 28] {
        let (octet, tail) = rest.split_first().ok_or(Fault::Cut)?;
        rest = tail;
        let bits = u64::from(octet & 0x7f).checked_shl(shift).unwrap_or(u64::MAX);
        let sum = u64::from(value).saturating_add(bits);
        value = u32::try_from(sum).map_err(|_| Fault::Malformed)?;
        if octet & 0x80 == 0 {
            return Ok((value, rest));
        }
    }
    Err(Fault::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(value: u32, prefix: u32) -> Vec<u8> {
        let full = (1u32 << prefix) - 1;
        if value < full {
            return vec![value as u8];
        }
        let mut out = vec![full as u8];
        let mut left = value - full;
        while left >= 128 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
        out
    }

    #[test]
    fn examples_of_the_rfc() {
        assert_eq!(take(&[0b1110_1010, 9], 5), Ok((10, &[9][..])));
        assert_eq!(take(&[0b0001_1111, 0b1001_1010, 0b0000_1010], 5), Ok((1337, &[][..])));
        assert_eq!(take(&[42], 8), Ok((42, &[][..])));
    }

    #[test]
    fn what_is_cut_or_overflows() {
        for bytes in [&b""[..], b"\xff", b"\xff\x80", b"\xff\xff\xff\xff\xff"] {
            assert_eq!(take(bytes, 7), Err(Fault::Cut), "{bytes:?}");
        }
        for bytes in [&b"\xff\xff\xff\xff\xff\x7f"[..], b"\xff\x80\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(take(bytes, 7), Err(Fault::Malformed), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u32, prefix in 4u32..8, behind: u8) {
            let mut bytes = put(value, prefix);
            let len = bytes.len();
            for n in 0..len {
                prop_assert_eq!(take(&bytes[..n], prefix), Err(Fault::Cut));
            }
            bytes.push(behind);
            prop_assert_eq!(take(&bytes, prefix), Ok((value, &[behind][..])));
        }
    }
}
