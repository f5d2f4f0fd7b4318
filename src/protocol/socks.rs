//! SOCKS 4 and 4a (the protocol's memorandum and its extension), SOCKS 5
//! (RFC 1928) with user name and password (RFC 1929).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::Probe;
use crate::base::Addr;

/// Longest user id or domain of SOCKS 4.
const MAX_TEXT: usize = 256;

/// Where a client wants to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A host name, as sent.
    Name(&'a [u8]),
    /// An address.
    Addr(Addr),
}

/// A request to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Host of the target.
    pub target: Target<'a>,
    /// Its port.
    pub port: u16,
    /// Bytes of the request.
    pub len: usize,
}

/// What a proxy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is connected; bytes of the answer.
    Granted(usize),
    /// It is not.
    Refused,
}

/// The number from `at` on.
fn be16(stream: &[u8], at: usize) -> Option<u16> {
    stream.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

/// The greeting of SOCKS 5: version, number of methods, methods (RFC 1928
/// section 3), none of them twice or unassigned.
pub fn greeting5(stream: &[u8]) -> Probe<usize> {
    let (count, methods) = match *stream {
        [5, n @ 1..=16, ref rest @ ..] => (usize::from(n), rest),
        [] | [5] => return Probe::More(3),
        _ => return Probe::Not,
    };
    let methods = methods.get(..count).unwrap_or(methods);
    let right = methods
        .iter()
        .enumerate()
        .all(|(i, m)| matches!(m, 0..=9 | 0x80..=0xfe) && !methods.iter().take(i).any(|earlier| earlier == m));
    match right {
        false => Probe::Not,
        true if methods.len() < count => Probe::More(count.saturating_add(2)),
        true => Probe::Found(count.saturating_add(2)),
    }
}

/// User name and password: version 1, each behind a length of one byte
/// (RFC 1929 section 2). Gives the length.
pub fn password(stream: &[u8]) -> Probe<usize> {
    let (user, rest) = match *stream {
        [1, n @ 1..=255, ref rest @ ..] => (usize::from(n), rest),
        [] | [1] => return Probe::More(2),
        _ => return Probe::Not,
    };
    let Some(password) = rest.get(user) else { return Probe::More(user.saturating_add(3)) };
    let len = user.saturating_add(usize::from(*password)).saturating_add(3);
    if stream.len() < len { Probe::More(len) } else { Probe::Found(len) }
}

/// The request of SOCKS 5 to connect: version, command 1, 0, address type,
/// address, port (RFC 1928 section 4).
pub fn request5(stream: &[u8]) -> Probe<Request<'_>> {
    if !stream.iter().zip([5, 1, 0]).all(|(have, want)| *have == want) {
        return Probe::Not;
    }
    let Some(&[_, _, _, kind, first]) = stream.first_chunk::<5>() else { return Probe::More(5) };
    let (at, n) = match kind {
        1 => (4, 4),
        3 if first > 0 => (5_usize, usize::from(first)),
        4 => (4, 16),
        _ => return Probe::Not,
    };
    let end = at.saturating_add(n);
    let len = end.saturating_add(2);
    let (Some(host), Some(port)) = (stream.get(at..end), be16(stream, end)) else { return Probe::More(len) };
    let target = match (host.first_chunk::<4>(), host.first_chunk::<16>()) {
        (Some(v4), _) if kind == 1 => Target::Addr(Addr::v4(*v4)),
        (_, Some(v6)) if kind == 4 => Target::Addr(Addr(*v6)),
        _ => Target::Name(host),
    };
    Probe::Found(Request { target, port, len })
}

/// The request of SOCKS 4 to connect: version, command 1, port, address, user
/// id with a zero byte behind it; in SOCKS 4a the address is 0.0.0.x, x not 0,
/// and the host name follows, with a zero byte behind it.
pub fn request4(stream: &[u8]) -> Probe<Request<'_>> {
    if !stream.iter().zip([4, 1]).all(|(have, want)| *have == want) {
        return Probe::Not;
    }
    let Some((&[_, _, hi, lo, a, b, c, d], rest)) = stream.split_first_chunk::<8>() else { return Probe::More(9) };
    let port = u16::from_be_bytes([hi, lo]);
    if port == 0 || [a, b, c, d] == [0; 4] {
        return Probe::Not;
    }
    let (user, behind) = match text(rest) {
        Probe::Found(found) => found,
        Probe::More(n) => return Probe::More(n.saturating_add(8)),
        Probe::Not => return Probe::Not,
    };
    let len = user.len().saturating_add(9);
    if [a, b, c] != [0; 3] {
        return Probe::Found(Request { target: Target::Addr(Addr::v4([a, b, c, d])), port, len });
    }
    match text(behind) {
        Probe::Found(([], _)) | Probe::Not => Probe::Not,
        Probe::Found((host, _)) => Probe::Found(Request {
            target: Target::Name(host),
            port,
            len: len.saturating_add(host.len()).saturating_add(1),
        }),
        Probe::More(n) => Probe::More(n.saturating_add(len)),
    }
}

/// Printable text up to a zero byte, and what is behind that.
fn text(bytes: &[u8]) -> Probe<(&[u8], &[u8])> {
    let end = bytes.iter().take(MAX_TEXT).position(|b| matches!(b, 0..=0x1f | 0x7f));
    match end.and_then(|at| Some((bytes.get(..at)?, bytes.get(at)?, bytes.get(at.saturating_add(1)..)?))) {
        Some((text, 0, behind)) => Probe::Found((text, behind)),
        None if bytes.len() < MAX_TEXT => Probe::More(bytes.len().saturating_add(1)),
        _ => Probe::Not,
    }
}

/// The proxy's choice of a method (version 5) or its answer to a password
/// (version 1): two bytes. `Refused` where it accepts none.
pub fn reply_to_greeting(stream: &[u8]) -> Probe<Reply> {
    match *stream {
        [5, 0xff, ..] | [1, 1..=255, ..] => Probe::Found(Reply::Refused),
        [5 | 1, _, ..] => Probe::Found(Reply::Granted(2)),
        [] | [5 | 1] => Probe::More(2),
        _ => Probe::Not,
    }
}

/// The proxy's answer to a request of SOCKS 5 (RFC 1928 section 6).
pub fn reply5(stream: &[u8]) -> Probe<Reply> {
    let (kind, first) = match *stream {
        [5, 1..=255, ..] => return Probe::Found(Reply::Refused),
        [5, 0, 0, kind, first, ..] => (kind, first),
        [] | [5] => return Probe::More(2),
        [5, 0] | [5, 0, 0] | [5, 0, 0, _] => return Probe::More(5),
        _ => return Probe::Not,
    };
    let len = match kind {
        1 => 10,
        3 => usize::from(first).saturating_add(7),
        4 => 22,
        _ => return Probe::Not,
    };
    if stream.len() < len { Probe::More(len) } else { Probe::Found(Reply::Granted(len)) }
}

/// The proxy's answer to a request of SOCKS 4: 0, code, six bytes; code 90 is
/// consent.
pub fn reply4(stream: &[u8]) -> Probe<Reply> {
    match *stream {
        [0, 91..=93, ..] => Probe::Found(Reply::Refused),
        [0, 90, ..] if stream.len() >= 8 => Probe::Found(Reply::Granted(8)),
        [] | [0] => Probe::More(2),
        [0, 90, ..] => Probe::More(8),
        _ => Probe::Not,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples() -> Vec<(Vec<u8>, Target<'static>)> {
        let name5 = [&[5, 1, 0, 3, 12][..], b"host.example", &[1, 0xbb]].concat();
        let v4 = Target::Addr(Addr::v4([192, 0, 2, 7]));
        let name4 = [&[4, 1, 1, 0xbb, 0, 0, 0, 1][..], b"me\0host.example\0"].concat();
        vec![
            (name5, Target::Name(b"host.example")),
            (vec![5, 1, 0, 1, 192, 0, 2, 7, 1, 0xbb], v4),
            ([&[5, 1, 0, 4][..], &[0x20; 16], &[1, 0xbb]].concat(), Target::Addr(Addr([0x20; 16]))),
            (name4, Target::Name(b"host.example")),
            (vec![4, 1, 1, 0xbb, 192, 0, 2, 7, 0], v4),
        ]
    }

    fn request(stream: &[u8]) -> Probe<Request<'_>> {
        if stream.first() == Some(&4) { request4(stream) } else { request5(stream) }
    }

    #[test]
    fn requests_of_each_kind_and_each_of_their_parts() {
        for (mut bytes, target) in samples() {
            let len = bytes.len();
            for n in 1..len {
                assert!(matches!(request(&bytes[..n]), Probe::More(m) if m > n && m <= len + 1), "{target:?} {n}");
            }
            bytes.extend(b"\x16\x03\x01");
            assert_eq!(request(&bytes), Probe::Found(Request { target, port: 443, len }));
        }
        for wrong in
            [&b"\x05\x02\0\x01\0\0\0\0\0\0"[..], b"\x05\x01\0\x02\0\0\0\0", b"\x04\x02\x01\xbb\x01\x01\x01\x01\0"]
        {
            assert_eq!(request(wrong), Probe::Not);
        }
        // No port, no address, a name with a control byte.
        for wrong in
            [&b"\x04\x01\0\0\x01\x01\x01\x01\0"[..], b"\x04\x01\0\x50\0\0\0\0\0", b"\x04\x01\0\x50\0\0\0\x01\0a\nb\0"]
        {
            assert_eq!(request4(wrong), Probe::Not);
        }
        assert_eq!(request4(&[&[4, 1, 0, 80, 1, 1, 1, 1][..], &[b'x'; 300]].concat()), Probe::Not);
    }

    #[test]
    fn greetings_and_passwords() {
        assert_eq!(greeting5(&[5, 2, 0, 2, 9]), Probe::Found(4));
        assert_eq!(greeting5(&[5, 2, 0]), Probe::More(4));
        for wrong in [&[5, 0, 1][..], &[5, 2, 0, 0], &[5, 1, 0xff], &[5, 1, 0x10], &[4, 1]] {
            assert_eq!(greeting5(wrong), Probe::Not, "{wrong:?}");
        }
        let pass = b"\x01\x02me\x03pwd\x05";
        assert_eq!(password(pass), Probe::Found(8));
        for n in 0..8 {
            assert!(matches!(password(&pass[..n]), Probe::More(m) if m > n && m <= 8), "{n}");
        }
        assert_eq!(password(b"\x05\x01"), Probe::Not);
    }

    #[test]
    fn replies() {
        assert_eq!(reply5(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 22]), Probe::Found(Reply::Granted(10)));
        assert_eq!(reply5(&[5, 0, 0, 3, 2, b'a', b'b', 0, 0]), Probe::Found(Reply::Granted(9)));
        assert_eq!(reply5(&[5, 0, 0, 4]), Probe::More(5));
        assert_eq!(reply5(&[5, 5, 0, 1]), Probe::Found(Reply::Refused));
        // The second byte refuses: no more is asked for until that is known.
        assert_eq!((reply5(&[5]), reply5(&[5, 1])), (Probe::More(2), Probe::Found(Reply::Refused)));
        assert_eq!((reply4(&[0]), reply4(&[0, 92])), (Probe::More(2), Probe::Found(Reply::Refused)));
        assert_eq!(reply5(b"HTTP"), Probe::Not);
        assert_eq!(reply4(&[0, 90, 0, 0, 0, 0, 0, 0]), Probe::Found(Reply::Granted(8)));
        assert_eq!(reply4(&[0, 91]), Probe::Found(Reply::Refused));
        assert_eq!(reply4(&[0, 90, 0]), Probe::More(8));
        assert_eq!(reply4(&[4]), Probe::Not);
        assert_eq!(reply_to_greeting(&[5, 0]), Probe::Found(Reply::Granted(2)));
        assert_eq!(reply_to_greeting(&[5, 0xff]), Probe::Found(Reply::Refused));
        assert_eq!(reply_to_greeting(&[1, 1]), Probe::Found(Reply::Refused));
        assert_eq!(reply_to_greeting(&[1]), Probe::More(2));
    }

    proptest! {
        /// Any bytes are read without harm, and what is found lies in them.
        #[test]
        fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0u8..6) {
            if let (Some(b), true) = (bytes.first_mut(), kind > 0) {
                *b = kind;
            }
            for found in [request4(&bytes), request5(&bytes)] {
                if let Probe::Found(r) = found {
                    prop_assert!(r.len <= bytes.len());
                }
            }
            for found in [greeting5(&bytes), password(&bytes)] {
                if let Probe::Found(n) = found {
                    prop_assert!(n <= bytes.len());
                }
            }
            for found in [reply4(&bytes), reply5(&bytes), reply_to_greeting(&bytes)] {
                if let Probe::Found(Reply::Granted(n)) = found {
                    prop_assert!(n <= bytes.len());
                }
            }
        }
    }
}
