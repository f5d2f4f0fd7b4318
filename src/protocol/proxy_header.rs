//! The PROXY protocol header that a load balancer puts before a stream
//! (HAProxy's specification, versions 1 and 2).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::Probe;

/// The 12 bytes that version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest line of version 1, its CRLF included.
const MAX_LINE: usize = 107;

/// Finds the length of a header at the start of a stream.
pub fn proxy_header(stream: &[u8]) -> Probe<usize> {
    if stream.first() == Some(&b'P') {
        return line(stream);
    }
    if !SIGNATURE.starts_with(stream.get(..12).unwrap_or(stream)) {
        return Probe::Not;
    }
    // Signature, version and command, family, two bytes of length.
    let Some(head) = stream.first_chunk::<16>() else { return Probe::More(16) };
    let [.., version, _, hi, lo] = *head;
    if version >> 4 != 2 {
        return Probe::Not;
    }
    Probe::Found(usize::from(u16::from_be_bytes([hi, lo])).saturating_add(16))
}

fn line(stream: &[u8]) -> Probe<usize> {
    const WORD: &[u8] = b"PROXY ";
    if !WORD.starts_with(stream.get(..WORD.len()).unwrap_or(stream)) {
        return Probe::Not;
    }
    match memchr::memchr(b'\n', stream.get(..MAX_LINE).unwrap_or(stream)) {
        Some(end) if end > WORD.len() => Probe::Found(end.saturating_add(1)),
        Some(_) => Probe::Not,
        None if stream.len() < MAX_LINE => Probe::More(stream.len().saturating_add(1)),
        None => Probe::Not,
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_measured() {
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n\x16";
        assert_eq!(proxy_header(v1), Probe::Found(v1.len() - 1));
        let mut v2 = SIGNATURE.to_vec();
        v2.extend([0x21, 0x11, 0, 12]);
        v2.extend([0; 12]);
        assert_eq!(proxy_header(&v2), Probe::Found(28));
        for n in 1..16 {
            assert!(matches!(proxy_header(&v2[..n]), Probe::More(m) if m > n), "{n}");
        }
        for n in 1..v1.len() - 1 {
            assert!(matches!(proxy_header(&v1[..n]), Probe::More(m) if m > n), "{n}");
        }
        assert_eq!(proxy_header(b"POST / HTTP/1.1\r\n"), Probe::Not);
        assert_eq!(proxy_header(&[b'P'; 200]), Probe::Not);
        assert_eq!(proxy_header(b"\x16\x03\x01"), Probe::Not);
        let mut long = b"PROXY ".to_vec();
        long.extend([b'x'; 200]);
        assert_eq!(proxy_header(&long), Probe::Not);
    }
}
