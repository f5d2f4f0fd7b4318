//! DNS on ports other than 53: told by strict structure alone.

use super::Message;

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

    proptest::proptest! {
        #[test]
        fn random_bytes_are_none(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            proptest::prop_assert!(!certain(&bytes));
        }
    }
}
