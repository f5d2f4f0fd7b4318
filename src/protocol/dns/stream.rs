//! DNS over TCP (RFC 1035 section 4.2.2, RFC 7766 section 8).

use super::walk::has_plausible_header;
use crate::protocol::Probe;

/// Octets of the shortest message, a header alone.
const HEADER: usize = 12;

/// The message at the start of a TCP stream: two bytes of length, then the
/// message. Whatever is found takes two bytes more of the stream than it is
/// long. A length of zero is found as an empty message: skip its two bytes.
/// `Not` where the length is too small for a header, or the header cannot be
/// one: an opcode above 6, a query with an RCODE, or more entries than a
/// message can hold.
pub fn stream_message(stream: &[u8]) -> Probe<&[u8]> {
    let Some((len, rest)) = stream.split_first_chunk::<2>() else { return Probe::More(2) };
    let len = usize::from(u16::from_be_bytes(*len));
    if let Some(message) = rest.get(..len) {
        let fine = len == 0 || has_plausible_header(message);
        return if fine { Probe::Found(message) } else { Probe::Not };
    }
    // Before a long buffer is kept, the header must be plausible.
    if len < HEADER || (rest.len() >= HEADER && !has_plausible_header(rest)) {
        return Probe::Not;
    }
    Probe::More(len.saturating_add(2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

    #[test]
    fn every_prefix_asks_for_more() {
        for n in 0..QUERY.len() {
            let want = if n < 2 { 2 } else { QUERY.len() };
            assert_eq!(stream_message(&QUERY[..n]), Probe::More(want), "{n}");
        }
        assert_eq!(stream_message(QUERY), Probe::Found(&QUERY[2..]));
    }

    #[test]
    fn pipelined_and_empty_messages() {
        let mut stream = b"\0\0".to_vec();
        stream.extend_from_slice(QUERY);
        stream.extend_from_slice(QUERY);
        let mut rest = &stream[..];
        let mut lengths = Vec::new();
        while let Probe::Found(message) = stream_message(rest) {
            lengths.push(message.len());
            rest = &rest[message.len() + 2..];
        }
        assert_eq!((lengths, rest.len()), (vec![0, 29, 29], 0));
    }

    #[test]
    fn other_protocols_are_refused_early() {
        assert_eq!(stream_message(b"\0\x05abc"), Probe::Not);
        assert_eq!(stream_message(b"GET / HTTP/1.1\r\n"), Probe::Not);
        assert_eq!(stream_message(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\x55\x66\x77\x88\x99"), Probe::Not);
    }

    #[test]
    fn a_huge_length_asks_for_no_more_than_a_message_can_hold() {
        assert_eq!(stream_message(b"\xff\xff\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07ex"), Probe::More(65_537));
    }
}
