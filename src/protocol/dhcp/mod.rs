//! Dynamic host configuration: which address a host was given, for how long,
//! and what it says of itself. [`v4`] and [`v6`] are different protocols.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod v4;
pub mod v6;

use crate::base::Name;

/// Octets of the longest name on the wire (RFC 1035 section 2.3.4).
const MAX_WIRE: usize = 255;

/// Longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: u8 = 63;

/// A name in the form of DNS, without compression (RFC 4702 section 3.1,
/// RFC 8415 section 10); without the root at its end it is only the first part
/// of one, which is a name as well (RFC 4704 section 4.2). `None` if it is
/// empty, its labels reach beyond its end, or something follows it.
fn wire_name(mut bytes: &[u8]) -> Option<Name> {
    if bytes.len() > MAX_WIRE {
        return None;
    }
    let mut name = Name::new();
    while let Some((&length, rest)) = bytes.split_first() {
        if length == 0 {
            bytes = rest;
            break;
        }
        if length > MAX_LABEL {
            return None;
        }
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        name.push_label(label);
        bytes = rest;
    }
    (bytes.is_empty() && !name.is_empty()).then_some(name)
}

/// A name as text, without the zeros and blanks that some senders end it with.
/// `None` if nothing is left.
fn text_name(bytes: &[u8]) -> Option<Name> {
    let end = bytes.iter().rposition(|b| !matches!(b, 0 | b' '))?;
    let name = Name::from_text(bytes.get(..=end)?);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_forms() {
        let wire = |b: &[u8]| wire_name(b).map(|n| n.as_str().to_owned());
        assert_eq!(wire(b"\x05PC-17\x04corp\0").as_deref(), Some("pc-17.corp"));
        assert_eq!(wire(b"\x05pc-17").as_deref(), Some("pc-17"), "partial");
        assert_eq!(wire(b"\x03a.b\0").as_deref(), Some("a\\x2eb"));
        for bad in [&b""[..], b"\0", b"\x05pc", b"\x02pc\0x", b"\xc0\x0c", b"\x40a"] {
            assert_eq!(wire(bad), None, "{bad:?}");
        }
        assert_eq!(wire(&[1, b'a'].repeat(128)), None);
        let text = |b: &[u8]| text_name(b).map(|n| n.as_str().to_owned());
        assert_eq!(text(b"PC-17\0 ").as_deref(), Some("pc-17"));
        assert_eq!(text(b"caf\xe9\x1b").as_deref(), Some("caf\\xe9\\x1b"));
        assert_eq!((text(b""), text(b"\0\0"), text(b".")), (None, None, None));
    }
}
