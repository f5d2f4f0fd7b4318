//! NetBIOS name service (RFC 1002 section 4.2): what a host says it is called.
//!
//! Its packets have the form of DNS, but names of another making: 16 bytes,
//! the last of them a kind, each half byte written as a letter from A to P.

use crate::base::{Addr, Name};

/// Type NB (section 4.2.1.3) and class IN.
const NB_IN: [u8; 4] = [0, 0x20, 0, 1];

/// The bit of NB_FLAGS that tells a group's name.
const GROUP: u8 = 0x80;

/// Kinds of names that a computer has for itself: workstation and file server.
const HOSTS: [u8; 2] = [0x00, 0x20];

/// Octets of a name in its letters: a length, the letters, the root. Scopes
/// behind it are not in use any more.
const ENCODED: usize = 34;

/// The name that a packet from `sender` claims or confirms for its own
/// address, written into `name`: of a registration or refresh that it asks
/// for, and of a positive response to a query. False for anything else: group
/// names, other kinds, other addresses, packets that are not whole.
pub fn nbns_name(bytes: &[u8], sender: &Addr, name: &mut Name) -> bool {
    find(bytes, sender, name).is_some()
}

fn find(bytes: &[u8], sender: &Addr, name: &mut Name) -> Option<()> {
    let (&[_, _, flags, code, q0, q1, a0, a1, n0, n1, r0, r1], rest) = bytes.split_first_chunk()?;
    let counts = [[q0, q1], [a0, a1], [n0, n1], [r0, r1]].map(u16::from_be_bytes);
    let (response, opcode, rcode) = (flags & 0x80 != 0, flags >> 3 & 15, code & 15);
    let (encoded, rest) = match (response, opcode, counts) {
        // Registration, refresh (by two numbers) and registration for several
        // addresses: the question's name, and a record that points at it.
        (false, 5 | 8 | 9 | 15, [1, 0, 0, 1]) => {
            let (encoded, rest) = rest.split_at_checked(ENCODED)?;
            (encoded, rest.strip_prefix(&NB_IN)?.strip_prefix(&[0xc0, 12])?)
        }
        (true, 0, [0, 1, 0, 0]) => rest.split_at_checked(ENCODED)?,
        _ => return None,
    };
    let rest = rest.strip_prefix(&NB_IN)?;
    let (&[_, _, _, _, l0, l1], entries) = rest.split_first_chunk()?;
    let whole = usize::from(u16::from_be_bytes([l0, l1])) == entries.len();
    let (pairs, left) = entries.as_chunks::<6>();
    let mine = |&[flags, _, a, b, c, d]: &[u8; 6]| flags & GROUP == 0 && Addr::v4([a, b, c, d]) == *sender;
    if rcode != 0 || !whole || !left.is_empty() || !pairs.iter().any(mine) {
        return None;
    }
    decode(encoded, name)
}

/// The name behind its letters, without the blanks at its end.
fn decode(encoded: &[u8], name: &mut Name) -> Option<()> {
    let letters = encoded.strip_prefix(&[32])?.strip_suffix(&[0])?;
    let half = |letter: u8| letter.checked_sub(b'A').filter(|n| *n < 16);
    let mut raw = [0u8; 16];
    for (to, pair) in raw.iter_mut().zip(letters.as_chunks::<2>().0) {
        let [high, low] = *pair;
        *to = half(high)? << 4 | half(low)?;
    }
    let (kind, text) = raw.split_last()?;
    let text = text.trim_ascii_end();
    if !HOSTS.contains(kind) || text.is_empty() || text.contains(&0) {
        return None;
    }
    name.clear();
    name.push_label(text);
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ME: [u8; 4] = [10, 0, 0, 5];

    fn letters(text: &[u8], kind: u8) -> Vec<u8> {
        let mut raw = [b' '; 16];
        raw[..text.len()].copy_from_slice(text);
        raw[15] = kind;
        let mut out = vec![32];
        raw.iter().for_each(|b| out.extend([b'A' + (b >> 4), b'A' + (b & 15)]));
        out.push(0);
        out
    }

    fn record(flags: u8, addr: [u8; 4]) -> Vec<u8> {
        [&NB_IN[..], &[0, 4, 0x93, 0xe0, 0, 6, flags, 0], &addr].concat()
    }

    fn registration(opcode: u8, name: &[u8], kind: u8, flags: u8, addr: [u8; 4]) -> Vec<u8> {
        let head = [0x12, 0x34, opcode << 3 | 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 1];
        [&head[..], &letters(name, kind), &NB_IN, &[0xc0, 12], &record(flags, addr)].concat()
    }

    fn response(rcode: u8, entries: &[(u8, [u8; 4])]) -> Vec<u8> {
        let head = [0x12, 0x34, 0x85, rcode, 0, 0, 0, 1, 0, 0, 0, 0];
        let data: Vec<u8> = entries.iter().flat_map(|(flags, a)| [*flags, 0, a[0], a[1], a[2], a[3]]).collect();
        let len = u8::try_from(data.len()).unwrap();
        [&head[..], &letters(b"PC-17", 0x20), &NB_IN, &[0, 4, 0x93, 0xe0, 0, len], &data].concat()
    }

    fn name(bytes: &[u8]) -> Option<String> {
        let mut name = Name::from_text(b"before");
        nbns_name(bytes, &Addr::v4(ME), &mut name).then(|| name.as_str().to_owned())
    }

    #[test]
    fn registrations_and_positive_responses_name_their_sender() {
        for opcode in [5, 8, 9, 15] {
            for kind in HOSTS {
                assert_eq!(name(&registration(opcode, b"PC-17", kind, 0x60, ME)).as_deref(), Some("pc-17"));
            }
        }
        assert_eq!(name(&response(0, &[(0, [10, 0, 0, 9]), (0, ME)])).as_deref(), Some("pc-17"));
        assert_eq!(name(&registration(5, b"A.B\\\x81", 0, 0, ME)).as_deref(), Some("a\\x2eb\\x5c\\x81"));
    }

    #[test]
    fn all_else_names_nobody() {
        for bytes in [
            registration(0, b"PC-17", 0, 0, ME),
            registration(6, b"PC-17", 0, 0, ME), // a release
            registration(5, b"PC-17", 0, 0, [10, 0, 0, 6]),
            registration(5, b"WORKGROUP", 0, GROUP, ME),
            registration(5, b"WORKGROUP", 0x1d, 0, ME),
            registration(5, b"", 0, 0, ME),
            registration(5, b"A\0B", 0, 0, ME),
            response(3, &[(0, ME)]),
            response(0, &[]),
            response(0, &[(GROUP, ME)]),
            [registration(5, b"PC-17", 0, 0, ME), vec![0]].concat(),
        ] {
            assert_eq!(name(&bytes), None, "{bytes:x?}");
        }
        let whole = registration(5, b"PC-17", 0, 0, ME);
        for cut in 0..whole.len() {
            assert_eq!(name(&whole[..cut]), None);
        }
        let mut wrong = whole.clone();
        wrong[13] = b'Q';
        assert_eq!(name(&wrong), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(at in 0usize..68, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut bytes = registration(5, b"PC-17", 0, 0, ME);
            bytes[at] = byte;
            let _ = name(&[&bytes[..], &tail].concat());
            prop_assert_eq!(name(&tail), None);
        }
    }
}
