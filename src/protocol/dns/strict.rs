//! DNS on ports other than 53: told by strict structure alone.

use super::Message;
use crate::protocol::Probe;

/// Class IN.
const IN: u16 = 1;

/// Whether a header is that of a plain query or answer with one question: a
/// look at 12 bytes that settles nearly every other datagram.
pub fn may_be_message(bytes: &[u8]) -> bool {
    let Some(&[_, _, flags, code, q0, q1, a0, a1, n0, n1, r0, r1]) = bytes.first_chunk::<12>() else { return false };
    let count = |hi: u8, lo: u8| u16::from_be_bytes([hi, lo]);
    let (answers, authority, additional) = (count(a0, a1), count(n0, n1), count(r0, r1));
    let plain = flags & 0x78 == 0 && code & 0x40 == 0 && count(q0, q1) == 1 && bytes.len() > 16;
    let query = flags & 0x80 == 0;
    plain
        && if query {
            // No AA, no TC, no RA, no RCODE, nothing answered.
            flags & 0x06 == 0 && code & 0x8f == 0 && answers == 0 && authority == 0 && additional <= 2
        } else {
            code & 0x0f <= 10 && answers <= 64 && authority <= 32 && additional <= 32
        }
}

/// Length of the shortest query: a header, the root, QTYPE and QCLASS.
const SHORTEST: usize = 17;

/// Longest query that is looked for on TCP ports other than 53: without
/// transport encryption hardly any is padded beyond a name and some options.
const LONGEST_QUERY: usize = 511;

/// The query at the start of a TCP stream on a port that is not known for DNS:
/// two bytes of length, then a message with the header of a plain query.
/// Whether what is found is one beyond doubt, [`Message::is_certain_anywhere`]
/// must tell.
pub fn stream_query(stream: &[u8]) -> Probe<&[u8]> {
    // Nearly every other protocol ends here.
    if stream.first().is_none_or(|high| usize::from(*high) > LONGEST_QUERY >> 8) {
        return Probe::Not;
    }
    let Some((len, rest)) = stream.split_first_chunk::<2>() else { return Probe::More(2) };
    let len = usize::from(u16::from_be_bytes(*len));
    // The header as far as it is there, else that of a query.
    let mut header = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header.iter_mut().zip(rest.iter().take(12)).for_each(|(to, from)| *to = *from);
    let is_query = header.get(2).is_some_and(|flags| flags & 0x80 == 0);
    if !(SHORTEST..=LONGEST_QUERY).contains(&len) || !is_query || !may_be_message(&header) {
        return Probe::Not;
    }
    rest.get(..len).map_or(Probe::More(len.saturating_add(2)), Probe::Found)
}

impl Message {
    /// Whether a parsed message is DNS beyond doubt, whatever port it came
    /// from: complete and nothing behind it, one question of class IN for an
    /// ordinary type, and a host name of at least two labels.
    pub fn is_certain_anywhere(&self) -> bool {
        let [question] = self.questions.as_slice() else { return false };
        let name = self.name(question.name);
        let ordinary = matches!(question.qtype, 1..=66 | 99 | 108 | 109 | 255..=260 | 32768 | 32769);
        let whole = !self.malformed && self.trailing == 0;
        whole && question.qclass == IN && ordinary && !name.is_odd() && name.as_bytes().contains(&b'.')
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn query() -> Vec<u8> {
        let mut m = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        m.extend(b"\x03upd\x07example\x04test\0\0\x01\0\x01");
        m
    }

    fn certain(bytes: &[u8]) -> bool {
        let mut m = Message::default();
        may_be_message(bytes) && m.parse(bytes) && m.is_certain_anywhere()
    }

    #[test]
    fn a_plain_query_is_certain() {
        assert!(certain(&query()));
    }

    #[test]
    fn what_a_query_cannot_have_is_refused() {
        for (at, value) in [(2, 0x28), (2, 3), (3, 0x40), (3, 3), (5, 2), (7, 1), (11, 9), (12, 63), (29, 9), (33, 3)] {
            let mut m = query();
            m[at] = value;
            assert!(!certain(&m), "byte {at}");
        }
        assert!(!certain(&query()[..20]));
        assert!(!certain(&[&query()[..], b"x"].concat()));
        let mut odd = query();
        odd[14] = 0xff;
        assert!(!certain(&odd));
    }

    #[test]
    fn a_query_on_a_stream_is_known_by_its_first_bytes() {
        let stream = [&[0, 37][..], &query()[..33], &[0, 1, 0, 0]].concat();
        let stream = [&u16::try_from(query().len()).unwrap().to_be_bytes()[..], &query(), &stream].concat();
        let len = query().len();
        assert_eq!(stream_query(&stream), Probe::Found(&query()[..]));
        assert_eq!(stream_query(&stream[..1]), Probe::More(2));
        for n in 2..len + 2 {
            assert_eq!(stream_query(&stream[..n]), Probe::More(len + 2), "{n}");
        }
        for other in [
            &b""[..],
            b"\x02\0",
            b"\0\x10",
            b"\0\x22\x12\x34\x81",
            b"\0\x22\x12\x34\x01\0\0\x02",
            b"\0\x22\x12\x34\x01\0\0\x01\0\x01",
            // TLS, HTTP, SSH, SMB, PostgreSQL, RDP.
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"GET / HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\0\0\0\xa4\xfeSMB@\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        ] {
            assert_eq!(stream_query(other), Probe::Not, "{other:x?}");
        }
    }

    /// What other protocols send over UDP, with a header that looks like DNS.
    #[test]
    fn what_is_built_otherwise_is_none() {
        let header = &b"\x80\x00\x01\0\0\x01\0\0\0\0\0\0"[..];
        let rtp = [&b"\x80\x00\x01\0\0\x01\0\0\0\0\0\0"[..], &[0xd5; 160]].concat();
        assert!(may_be_message(&rtp), "only the rest can tell");
        assert!(!certain(&rtp) && !certain(&[header, &[0; 160]].concat()) && !certain(&[header, &[1; 160]].concat()));
        let ascending: Vec<u8> = (0..160u8).collect();
        assert!(!certain(&[header, &ascending].concat()));
    }

    proptest::proptest! {
        /// Chance is given the header: even then a name, a type, a class and
        /// the end must agree.
        #[test]
        fn random_bytes_behind_a_good_header_are_none(
            id in proptest::prelude::any::<[u8; 2]>(),
            rest in proptest::collection::vec(proptest::prelude::any::<u8>(), 5..200),
        ) {
            let bytes = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &rest].concat();
            proptest::prop_assert!(!certain(&bytes));
        }

        #[test]
        fn any_stream_is_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            if let Probe::Found(message) = stream_query(&bytes) {
                proptest::prop_assert!(bytes[2..].starts_with(message));
            }
        }

        #[test]
        fn random_bytes_are_none(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            proptest::prop_assert!(!certain(&bytes));
        }
    }
}
