//! Protocols in binary messages.

use super::{Ask, Probe, Reply};

/// Longest message that is passed over.
const MAX_MESSAGE: usize = 16 * 1024;

/// Whether `stream` begins with this form: `None` stands for any byte.
fn form(stream: &[u8], form: &[Option<u8>]) -> Probe<()> {
    if !stream.iter().zip(form).all(|(have, want)| want.is_none_or(|want| *have == want)) {
        Probe::Not
    } else if stream.len() < form.len() {
        Probe::More(form.len())
    } else {
        Probe::Found(())
    }
}

/// A message of `n` bytes, if they are at hand.
fn whole(rest: &[u8], n: usize, ask: bool) -> Ask {
    match n {
        0 | MAX_MESSAGE.. => Ask::End,
        _ if rest.len() < n => Ask::More,
        _ if ask => Ask::Tls(n),
        _ => Ask::Other(n),
    }
}

fn passed(rest: &[u8], n: usize) -> Reply {
    match whole(rest, n, false) {
        Ask::Other(n) => Reply::Other(n),
        Ask::More => Reply::More,
        _ => Reply::End,
    }
}

/// SSLRequest (80877103) or GSSENCRequest (80877104): length 8, then the code.
const POSTGRES: [Option<u8>; 7] = [Some(0), Some(0), Some(0), Some(8), Some(4), Some(0xd2), Some(0x16)];

pub(super) fn begins_postgres(stream: &[u8]) -> Probe<()> {
    match form(stream, &POSTGRES) {
        Probe::Found(()) if !matches!(stream.get(7), None | Some(0x2f | 0x30)) => Probe::Not,
        Probe::Found(()) if stream.len() < 8 => Probe::More(8),
        found => found,
    }
}

pub(super) fn client_postgres(rest: &[u8]) -> Ask {
    match begins_postgres(rest) {
        Probe::Found(()) => Ask::Tls(8),
        Probe::More(_) => Ask::More,
        Probe::Not => Ask::End,
    }
}

/// One byte: S, or G, for yes; N for no.
pub(super) fn server_postgres(rest: &[u8]) -> Reply {
    match rest.first() {
        Some(b'S' | b'G' | b'N') => Reply::Other(1),
        None => Reply::More,
        _ => Reply::End,
    }
}

/// SSLRequest: packet length 32 (3 bytes, little-endian), sequence number 1,
/// capabilities (4, little-endian) with CLIENT_SSL (0x800) set, largest packet
/// (4), character set (1), 23 bytes, all zero but perhaps the last four
/// (MariaDB's extended capabilities).
pub(super) fn begins_mysql(stream: &[u8]) -> Probe<()> {
    let mut want = [None; 32];
    let fixed = [(0, 32), (1, 0), (2, 0), (3, 1)].into_iter().chain((13..32).map(|at| (at, 0)));
    for (at, byte) in fixed {
        if let Some(w) = want.get_mut(at) {
            *w = Some(byte);
        }
    }
    match form(stream, &want) {
        Probe::Not => Probe::Not,
        _ if stream.get(5).is_some_and(|caps| caps & 8 == 0) => Probe::Not,
        Probe::More(_) => Probe::More(36),
        Probe::Found(()) if stream.len() < 36 => Probe::More(36),
        found => found,
    }
}

pub(super) fn client_mysql(rest: &[u8]) -> Ask {
    match begins_mysql(rest) {
        Probe::Found(()) => Ask::Tls(36),
        Probe::More(_) => Ask::More,
        Probe::Not => Ask::End,
    }
}

/// A packet: length (3 bytes, little-endian), number, payload.
pub(super) fn server_mysql(rest: &[u8]) -> Reply {
    match *rest {
        [a, b, 0, 0..=3, ..] => passed(rest, usize::from(u16::from_le_bytes([a, b])).saturating_add(4)),
        [_, _, 0, ..] | [_, _] | [_] | [] if rest.len() < 4 => Reply::More,
        _ => Reply::End,
    }
}

/// Length of a BER element at the start, its header included, and of the
/// header (X.690 section 8.1.3); `None` if the length is indefinite or has
/// more than four bytes.
fn ber(rest: &[u8]) -> Probe<(usize, usize)> {
    let Some((_, len)) = rest.split_first() else { return Probe::More(2) };
    let Some((first, more)) = len.split_first() else { return Probe::More(2) };
    let count = usize::from(first & 0x7f);
    let (header, len) = match *first {
        short @ ..=0x7f => (2, usize::from(short)),
        0x81..=0x84 => match more.get(..count) {
            Some(bytes) => (
                count.saturating_add(2),
                bytes.iter().fold(0_usize, |n, b| n.saturating_mul(256).saturating_add(usize::from(*b))),
            ),
            None => return Probe::More(count.saturating_add(2)),
        },
        _ => return Probe::Not,
    };
    Probe::Found((header.saturating_add(len), header))
}

/// What follows an LDAPMessage's header and messageID (an INTEGER).
fn ldap_operation(message: &[u8]) -> Probe<&[u8]> {
    if message.first().is_some_and(|tag| *tag != 0x30) {
        return Probe::Not;
    }
    let header = match ber(message) {
        Probe::Found((_, header)) => header,
        Probe::More(n) => return Probe::More(n),
        Probe::Not => return Probe::Not,
    };
    let body = message.get(header..).unwrap_or(&[]);
    match *body {
        [2, n @ 1..=4, ref rest @ ..] => match rest.get(usize::from(n)..) {
            Some(operation) if !operation.is_empty() => Probe::Found(operation),
            _ => Probe::More(message.len().saturating_add(1)),
        },
        [] | [2] => Probe::More(message.len().saturating_add(1)),
        _ => Probe::Not,
    }
}

/// BindRequest, SearchRequest or ExtendedRequest (RFC 4511 section 4.1.1).
pub(super) fn begins_ldap(stream: &[u8]) -> Probe<()> {
    match ldap_operation(stream) {
        Probe::Found([0x60 | 0x63 | 0x77, ..]) => Probe::Found(()),
        Probe::More(n) => Probe::More(n),
        _ => Probe::Not,
    }
}

pub(super) fn client_ldap(rest: &[u8]) -> Ask {
    const START_TLS: &[u8] = b"\x80\x161.3.6.1.4.1.1466.20037";
    let n = match ber(rest) {
        Probe::Found((n, _)) if rest.first() == Some(&0x30) => n,
        Probe::More(_) if rest.first() == Some(&0x30) => return Ask::More,
        _ => return Ask::End,
    };
    let message = rest.get(..n).unwrap_or(&[]);
    let asks = match ldap_operation(message) {
        Probe::Found(operation @ [0x77, ..]) => match ber(operation) {
            Probe::Found((_, header)) => operation.get(header..).is_some_and(|o| o.starts_with(START_TLS)),
            _ => false,
        },
        _ => false,
    };
    whole(rest, n, asks)
}

pub(super) fn server_ldap(rest: &[u8]) -> Reply {
    match ber(rest) {
        Probe::Found((n, _)) if rest.first() == Some(&0x30) => passed(rest, n),
        Probe::More(_) => Reply::More,
        _ => Reply::End,
    }
}

/// TPKT (RFC 1006 section 6): version 3, 0, length (2). Then X.224: length
/// (1), code (1).
pub(super) fn begins_rdp(stream: &[u8]) -> Probe<()> {
    match form(stream, &[Some(3), Some(0), None, None, None, Some(0xe0), Some(0), Some(0)]) {
        Probe::Found(()) => match *stream {
            [_, _, hi, lo, li, ..] if u16::from_be_bytes([hi, lo]) == u16::from(li).saturating_add(5) => {
                Probe::Found(())
            }
            _ => Probe::Not,
        },
        other => other,
    }
}

fn tpkt_len(rest: &[u8]) -> Probe<usize> {
    match *rest {
        [3, 0, hi, lo, ..] => Probe::Found(usize::from(u16::from_be_bytes([hi, lo]))),
        [] | [3] | [3, 0] | [3, 0, _] => Probe::More(4),
        _ => Probe::Not,
    }
}

pub(super) fn client_rdp(rest: &[u8]) -> Ask {
    match (begins_rdp(rest), tpkt_len(rest)) {
        (Probe::Found(()), Probe::Found(n)) => whole(rest, n, true),
        (Probe::More(_), _) => Ask::More,
        _ => Ask::End,
    }
}

pub(super) fn server_rdp(rest: &[u8]) -> Reply {
    match tpkt_len(rest) {
        Probe::Found(n) => passed(rest, n),
        Probe::More(_) => Reply::More,
        Probe::Not => Reply::End,
    }
}

/// Bytes of a TDS packet header: type, status, length (2), channel (2),
/// number, window.
const TDS_HEADER: usize = 8;
const PRELOGIN: u8 = 0x12;
const TDS_REPLY: u8 = 4;

fn tds_len(rest: &[u8]) -> Option<usize> {
    rest.get(2..4)
        .and_then(|l| l.first_chunk::<2>())
        .map(|l| usize::from(u16::from_be_bytes(*l)))
        .filter(|n| *n > TDS_HEADER)
}

/// A pre-login packet, the last of its message, whose first option is VERSION
/// (0) or one of the others (below 8).
pub(super) fn begins_tds(stream: &[u8]) -> Probe<()> {
    let any = None;
    match form(stream, &[Some(PRELOGIN), Some(1), any, any, Some(0), Some(0), any, Some(0), Some(0)]) {
        Probe::Found(()) if tds_len(stream).is_none() => Probe::Not,
        other => other,
    }
}

/// Whether a packet, its first ten bytes at hand, wraps a TLS record: its
/// header is passed over, and still asks.
fn is_wrapped(packet: &[u8]) -> bool {
    matches!(packet, [_, _, _, _, _, _, _, _, 21 | 22, 3, ..])
}

/// The length of the packet at the start, once it is known what it holds.
/// Otherwise, whether more may tell.
fn tds_packet(rest: &[u8], kinds: &[u8]) -> Result<usize, bool> {
    match (rest.first(), tds_len(rest)) {
        (Some(kind), _) if !kinds.contains(kind) => Err(false),
        (_, Some(n)) if rest.len() > TDS_HEADER.saturating_add(1) => Ok(n),
        (_, None) if rest.len() >= 4 => Err(false),
        _ => Err(true),
    }
}

pub(super) fn client_tds(rest: &[u8]) -> Ask {
    match tds_packet(rest, &[PRELOGIN]) {
        Ok(_) if is_wrapped(rest) => Ask::Tls(TDS_HEADER),
        Ok(n) => whole(rest, n, true),
        Err(true) => Ask::More,
        Err(false) => Ask::End,
    }
}

pub(super) fn server_tds(rest: &[u8]) -> Reply {
    match tds_packet(rest, &[PRELOGIN, TDS_REPLY]) {
        Ok(_) if is_wrapped(rest) => Reply::Other(TDS_HEADER),
        Ok(n) => passed(rest, n),
        Err(true) => Reply::More,
        Err(false) => Reply::End,
    }
}
