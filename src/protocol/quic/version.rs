//! QUIC versions by number.

/// A family of versions whose Initial packets are opened alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0x00000001 (RFC 9000), and drafts 33 and 34, which became it.
    V1,
    /// 0x6b3343cf (RFC 9369).
    V2,
    /// 0x709a50c4 and 0xff020000: the drafts of version 2.
    V2Draft,
    /// 0xff00001d to 0xff000020: drafts 29 to 32, which share keys and format.
    Draft29,
    /// 0xff000017 to 0xff00001c: drafts 23 to 28, and Meta's versions that
    /// came from draft 27.
    Draft23,
    /// 0xff000016: draft 22, and Meta's version that came from it.
    Draft22,
    /// `T050`: Google's frames around a TLS handshake.
    GoogleT050,
    /// `T051`: the same with keys of its own.
    GoogleT051,
}

impl Version {
    /// The version of this number.
    #[inline]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 | 0xff00_0021 | 0xff00_0022 => Some(Version::V1),
            0x6b33_43cf => Some(Version::V2),
            0x709a_50c4 | 0xff02_0000 => Some(Version::V2Draft),
            0xff00_001d..=0xff00_0020 => Some(Version::Draft29),
            0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e | 0xface_b011 | 0xface_b013 => Some(Version::Draft23),
            0xff00_0016 | 0xface_b001 => Some(Version::Draft22),
            0x5430_3530 => Some(Version::GoogleT050),
            0x5430_3531 => Some(Version::GoogleT051),
            _ => None,
        }
    }

    /// The salt of its Initial secrets (RFC 9001 section 5.2, RFC 9369
    /// section 3.3.1, and the drafts of both).
    pub(super) fn salt(self) -> &'static [u8; 20] {
        match self {
            Version::V1 => b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
            Version::V2 => b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
            Version::V2Draft => b"\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3",
            Version::Draft29 => b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99",
            Version::Draft23 => b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02",
            Version::Draft22 => b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a",
            Version::GoogleT050 => b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10",
            Version::GoogleT051 => b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d",
        }
    }

    /// Whether it numbers packet types and labels its keys as version 2 does
    /// (RFC 9369 sections 3.2 and 3.3.2).
    pub(super) fn is_like_v2(self) -> bool {
        matches!(self, Version::V2 | Version::V2Draft)
    }

    /// Whether its frames have Google's numbers.
    pub fn has_google_frames(self) -> bool {
        matches!(self, Version::GoogleT050 | Version::GoogleT051)
    }
}

/// Whether a number is that of a version that was or is in use and cannot be
/// opened: older drafts, Google's with a handshake of its own (`Q0…`),
/// Meta's others, picoquic's and Microsoft's own.
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
        for (version, numbers) in [
            (Version::V1, &[1, 0xff00_0021, 0xff00_0022][..]),
            (Version::V2, &[0x6b33_43cf]),
            (Version::V2Draft, &[0x709a_50c4, 0xff02_0000]),
            (Version::Draft29, &[0xff00_001d, 0xff00_0020]),
            (Version::Draft23, &[0xff00_0017, 0xff00_001c, 0xface_b002]),
            (Version::Draft22, &[0xff00_0016, 0xface_b001]),
            (Version::GoogleT050, &[u32::from_be_bytes(*b"T050")]),
            (Version::GoogleT051, &[u32::from_be_bytes(*b"T051")]),
        ] {
            for number in numbers {
                assert_eq!(Version::from_number(*number), Some(version), "{number:#x}");
            }
        }
        for other in [0, 2, 0xff00_0015, 0xff00_0023, 0xface_b003, 0x0a0a_0a0a, u32::from_be_bytes(*b"Q050")] {
            assert_eq!(Version::from_number(other), None, "{other:#x}");
        }
        assert!(in_use(u32::from_be_bytes(*b"Q046")) && in_use(u32::from_be_bytes(*b"Q050")));
        assert!(in_use(0xface_b003) && !in_use(u32::from_be_bytes(*b"QUIC")) && !in_use(0));
        assert!(is_reserved(0xfaba_1a2a) && !is_reserved(0xfaba_1a2b));
    }
}
