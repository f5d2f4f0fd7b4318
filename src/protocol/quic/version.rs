//! QUIC versions by number.

/// A version whose Initial packets can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0x00000001 (RFC 9000).
    V1,
    /// 0x6b3343cf (RFC 9369).
    V2,
    /// 0xff00001d to 0xff000020: drafts 29 to 32, which share keys and format.
    Draft29,
}

impl Version {
    /// The version of this number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Version::V1),
            0x6b33_43cf => Some(Version::V2),
            0xff00_001d..=0xff00_0020 => Some(Version::Draft29),
            _ => None,
        }
    }
}

/// Whether a number is that of a version that was or is in use and cannot be
/// opened: drafts, the draft of version 2, Google's (`Q0…`, `T0…`), Meta's,
/// picoquic's and Microsoft's own.
pub(super) fn in_use(number: u32) -> bool {
    let [a, b, c, d] = number.to_be_bytes();
    match number {
        0xff00_0001..=0xff00_00ff | 0xff02_0000 | 0x709a_50c4 => true,
        0xface_b000..=0xface_b0ff | 0xabcd_0000..=0xabcd_000f | 0x5043_5130 | 0x5043_5131 => true,
        _ => matches!(a, b'Q' | b'T') && b == b'0' && c.is_ascii_digit() && d.is_ascii_digit(),
    }
}

/// Whether a number is reserved to force version negotiation (0x?a?a?a?a,
/// RFC 9000 section 15).
pub(super) fn is_reserved(number: u32) -> bool {
    number & 0x0f0f_0f0f == 0x0a0a_0a0a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(Version::from_number(1), Some(Version::V1));
        assert_eq!(Version::from_number(0x6b33_43cf), Some(Version::V2));
        assert_eq!(Version::from_number(0xff00_001d), Some(Version::Draft29));
        assert_eq!(Version::from_number(0xff00_0020), Some(Version::Draft29));
        for other in [0, 2, 0xff00_001c, 0xff00_0021, 0x0a0a_0a0a] {
            assert_eq!(Version::from_number(other), None);
        }
        assert!(in_use(u32::from_be_bytes(*b"Q046")) && in_use(u32::from_be_bytes(*b"T051")));
        assert!(in_use(0xface_b002) && !in_use(u32::from_be_bytes(*b"QUIC")) && !in_use(0));
        assert!(is_reserved(0xfaba_1a2a) && !is_reserved(0xfaba_1a2b));
    }
}
