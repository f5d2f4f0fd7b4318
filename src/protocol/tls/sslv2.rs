//! SSL 2 hellos (RFC 6101 appendix E).

use super::cursor::Cursor;

/// Whether a stream starts with an SSL 2 ClientHello, which has no extensions.
/// Old clients also offer SSL 3 and TLS in it.
///
/// Layout: record length (2 bytes, highest bit set), type 1, version (2),
/// lengths of cipher specs, session id and challenge (2 each), then those
/// three. All 11 bytes of lengths must be at hand.
pub fn is_sslv2_hello(stream: &[u8]) -> bool {
    read(stream).unwrap_or(false)
}

fn read(stream: &[u8]) -> Option<bool> {
    let mut c = Cursor(stream);
    let record = c.u16()?;
    let [kind, major, minor] = c.array()?;
    let (specs, session, challenge) = (c.u16()?, c.u16()?, c.u16()?);
    let version = (major, minor) == (0, 2) || (major == 3 && minor <= 4);
    let sizes = specs > 0 && specs.is_multiple_of(3) && matches!(session, 0 | 16) && (16..=32).contains(&challenge);
    let sum = 9_u32.saturating_add(specs.into()).saturating_add(session.into()).saturating_add(challenge.into());
    Some(kind == 1 && version && sizes && record & 0x8000 != 0 && u32::from(record & 0x7fff) == sum)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    const HELLO: [u8; 11] = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10];

    #[test]
    fn an_sslv2_hello_is_one() {
        assert!(is_sslv2_hello(&HELLO));
        let tls_inside = [0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, 0, 0];
        assert!(is_sslv2_hello(&tls_inside));
    }

    #[test]
    fn other_starts_are_not() {
        for at in 0..HELLO.len() {
            let mut bytes = HELLO;
            bytes[at] ^= 0x41;
            assert!(!is_sslv2_hello(&bytes), "byte {at}");
        }
        assert!(!is_sslv2_hello(&HELLO[..10]));
        assert!(!is_sslv2_hello(b"GET / HTTP/1.1\r\n"));
        assert!(!is_sslv2_hello(&[0x16, 3, 1, 0, 0x2e, 1, 0, 0, 0x2a, 3, 3]));
    }
}
