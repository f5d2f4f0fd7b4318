//! The Huffman code of strings (RFC 7541 appendix B).
//!
//! The code is canonical: of two codes the longer is the greater, and of one
//! length they rise with the symbol. So the lengths alone tell it all.

use super::Fault;

/// Bits of each octet's code.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// Bits of the longest code; the one of 30 ones is the end of the string,
/// which no string holds.
const LONGEST: usize = 30;

/// Bits of the codes that one look finds.
const SHORT: usize = 8;

/// What decoding looks at.
struct Tables {
    /// By the first bits: octet and length of a short code, length 0 of none.
    short: [(u8, u8); 1 << SHORT],
    /// By length: behind the last code of it, its bits put to the left.
    limit: [u64; LONGEST + 1],
    /// By length: what to add to the code to get its place in `symbols`.
    shift: [u32; LONGEST + 1],
    /// Octets in the order of their codes.
    symbols: [u8; 256],
}

static TABLES: Tables = tables();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // runs at compile time only
const fn tables() -> Tables {
    let mut t =
        Tables { short: [(0, 0); 1 << SHORT], limit: [0; LONGEST + 1], shift: [0; LONGEST + 1], symbols: [0; 256] };
    let (mut len, mut code, mut place) = (1usize, 0u32, 0usize);
    while len <= LONGEST {
        code <<= 1;
        t.shift[len] = (place as u32).wrapping_sub(code);
        let mut octet = 0usize;
        while octet < 256 {
            if LENGTHS[octet] as usize == len {
                t.symbols[place] = octet as u8;
                place += 1;
                if len <= SHORT {
                    let from = (code as usize) << (SHORT - len);
                    let mut at = from;
                    while at < from + (1 << (SHORT - len)) {
                        t.short[at] = (octet as u8, len as u8);
                        at += 1;
                    }
                }
                code += 1;
            }
            octet += 1;
        }
        t.limit[len] = (code as u64) << (32 - len);
        len += 1;
    }
    t
}

/// The octet whose code `window` begins with, and the bits of its code; the
/// end of the string has none.
fn first(window: u32) -> (Option<u8>, u32) {
    let t = &TABLES;
    let top = window.checked_shr(24).unwrap_or(0) as usize;
    if let Some(&(octet, len)) = t.short.get(top)
        && len > 0
    {
        return (Some(octet), len.into());
    }
    for (len, limit) in (0u32..).zip(&t.limit).skip(SHORT.saturating_add(1)) {
        if u64::from(window) < *limit {
            let code = window.checked_shr(32u32.saturating_sub(len)).unwrap_or(0);
            let place = t.shift.get(len as usize).map(|shift| code.wrapping_add(*shift));
            return (place.and_then(|place| t.symbols.get(place as usize)).copied(), len);
        }
    }
    (None, LONGEST as u32)
}

/// Decodes a string, octet by octet. Padding that is too long or not all ones
/// is malformed (section 5.2).
pub(super) fn decode(bytes: &[u8], mut push: impl FnMut(u8)) -> Result<(), Fault> {
    // The low `have` bits of `bits` are still to be read.
    let (mut bits, mut have) = (0u64, 0u32);
    let mut rest = bytes.iter();
    loop {
        while have <= 32
            && let Some(octet) = rest.next()
        {
            bits = bits.wrapping_shl(8) | u64::from(*octet);
            have = have.saturating_add(8);
        }
        let window = match have.checked_sub(32) {
            Some(spare) => bits.wrapping_shr(spare) as u32,
            None => {
                let lacking = 32u32.saturating_sub(have);
                let ones = 1u64.wrapping_shl(lacking).wrapping_sub(1);
                (bits.wrapping_shl(lacking) | ones) as u32
            }
        };
        let (octet, len) = first(window);
        let Some(left) = have.checked_sub(len) else { break };
        push(octet.ok_or(Fault::Malformed)?);
        have = left;
    }
    let padding = 1u64.wrapping_shl(have).wrapping_sub(1);
    if have < 8 && bits & padding == padding { Ok(()) } else { Err(Fault::Malformed) }
}

#[cfg(test)]
pub(in crate::protocol::http2) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

    use super::*;
    use proptest::prelude::*;

    /// Code and length of an octet, by counting.
    fn code(octet: u8) -> (u64, u32) {
        let mut by_length: Vec<u8> = (0..=255).collect();
        by_length.sort_by_key(|&o| (LENGTHS[usize::from(o)], o));
        let (mut code, mut len) = (0u64, u32::from(LENGTHS[usize::from(by_length[0])]));
        for (i, &o) in by_length.iter().enumerate() {
            if i > 0 {
                let next = u32::from(LENGTHS[usize::from(o)]);
                code = (code + 1) << (next - len);
                len = next;
            }
            if o == octet {
                break;
            }
        }
        (code, len)
    }

    /// The code of a string.
    pub(in crate::protocol::http2) fn encode(text: &[u8]) -> Vec<u8> {
        let (mut out, mut bits, mut have) = (Vec::new(), 0u64, 0u32);
        for &octet in text {
            let (code, len) = code(octet);
            bits = bits << len | code;
            have += len;
            while have >= 8 {
                have -= 8;
                out.push((bits >> have) as u8);
            }
        }
        if have > 0 {
            out.push((bits << (8 - have)) as u8 | (0xff >> have));
        }
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        decode(bytes, |b| out.push(b)).map(|()| out)
    }

    #[test]
    fn examples_of_the_rfc() {
        let hex = crate::protocol::tls::sample::hex;
        for (code, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
            ("", ""),
        ] {
            assert_eq!(decoded(&hex(code)).unwrap(), text.as_bytes());
            assert_eq!(encode(text.as_bytes()), hex(code));
        }
    }

    #[test]
    fn the_code_is_complete() {
        let sum: u64 = LENGTHS.iter().map(|&len| 1u64 << (30 - len)).sum();
        assert_eq!(sum + 1, 1 << 30, "all codes and the end of the string");
    }

    #[test]
    fn what_is_no_string() {
        // Padding of eight bits, padding of zeros, the end of the string,
        // half a code.
        for bytes in [&[0xff][..], &[0x00], &[0xff, 0xff, 0xff, 0xff], &[0x1f, 0xff, 0xff], &[0b0000_0111, 0xfe]] {
            assert_eq!(decoded(bytes), Err(Fault::Malformed), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decoded(&encode(&text)).unwrap(), text);
        }

        #[test]
        fn only_one_spelling_is_accepted(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(text) = decoded(&bytes) {
                prop_assert_eq!(encode(&text), bytes);
            }
        }
    }
}
