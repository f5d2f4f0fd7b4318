//! The server's certificate, where it is sent in clear: in TLS up to 1.2
//! (RFC 5246 section 7.4.2), and the host names in it (RFC 5280, RFC 6125).

use super::super::Probe;
use super::cursor::Cursor;
use super::record::{HANDSHAKE, MESSAGE_HEADER, RecordHeader, record_header};
use super::server::version_of_hello;

/// Handshake types.
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// Bytes of a server's stream in which its certificate is looked for.
pub const MAX_SERVER_HEAD: usize = 32 * 1024;
/// Most names of a certificate that are read.
const MAX_NAMES: usize = 256;

/// Object identifiers, as encoded.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Tags (X.690).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 6;
const OCTETS: u8 = 4;
const DNS_NAME: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;

/// Whether a server's bytes begin with a handshake record that starts with a
/// ServerHello or a Certificate, as far as they go: the first 6 tell.
pub fn begins_server_handshake(first_bytes: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        0 => *byte == HANDSHAKE,
        1 => *byte == 3,
        2 => *byte <= 3,
        5 => matches!(*byte, SERVER_HELLO | CERTIFICATE),
        _ => true,
    };
    !first_bytes.is_empty() && first_bytes.iter().take(6).enumerate().all(fits)
}

/// Finds the server's own certificate (the first of its chain) in the
/// handshake records that its stream begins with, and gives its DER encoding.
/// `scratch` then holds it.
///
/// [`Probe::Not`] where there is none in clear: in TLS 1.3, where a session is
/// resumed, or beyond [`MAX_SERVER_HEAD`] bytes; and where the stream begins
/// otherwise than [`begins_server_handshake`] wants.
pub fn server_certificate<'a>(stream: &[u8], scratch: &'a mut Vec<u8>) -> Probe<&'a [u8]> {
    scratch.clear();
    if !stream.is_empty() && !begins_server_handshake(stream) {
        return Probe::Not;
    }
    let more = match join(stream, scratch) {
        Join::Open if stream.len() < MAX_SERVER_HEAD => Probe::More(stream.len().saturating_add(1)),
        _ => Probe::Not,
    };
    let mut messages = Cursor(scratch);
    loop {
        let Some([kind, a, b, c]) = messages.array() else { return more };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            CERTIFICATE => {
                // The list's length, then each certificate behind its own.
                let leaf = messages.array::<3>().and_then(|_| messages.array::<3>());
                let Some([a, b, c]) = leaf else { return more };
                let leaf = u32::from_be_bytes([0, a, b, c]) as usize;
                if leaf.saturating_add(6) > len || leaf == 0 {
                    return Probe::Not;
                }
                return messages.take(leaf).map_or(more, Probe::Found);
            }
            SERVER_HELLO => {
                let Some(hello) = messages.take(len) else { return more };
                if version_of_hello(hello).is_none_or(|v| v > 0x0303) {
                    return Probe::Not;
                }
            }
            // Of what else may stand between the two nothing is of interest.
            _ => {
                if messages.take(len).is_none() {
                    return more;
                }
            }
        }
    }
}

/// Whether more may come behind the records at hand.
enum Join {
    Open,
    Closed,
}

/// Appends the fragments of the handshake records at the start.
fn join(stream: &[u8], out: &mut Vec<u8>) -> Join {
    let mut rest = stream.get(..MAX_SERVER_HEAD.saturating_add(MESSAGE_HEADER)).unwrap_or(stream);
    while let Some((header, body)) = rest.split_first_chunk::<5>() {
        let Some(RecordHeader { content_type: HANDSHAKE, len }) = record_header(header) else { return Join::Closed };
        out.extend_from_slice(body.get(..len).unwrap_or(body));
        match body.get(len..) {
            Some(after) => rest = after,
            None => return Join::Open,
        }
    }
    Join::Open
}

/// Reads one element of DER: its tag and content. Lengths of more than four
/// bytes and indefinite ones are none.
fn element<'a>(c: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let (tag, first) = (c.u8()?, c.u8()?);
    let len = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let bytes = c.take(usize::from(first & 0x7f))?;
            bytes.iter().fold(0_usize, |n, b| n.saturating_mul(256).saturating_add(usize::from(*b)))
        }
        _ => return None,
    };
    Some((tag, c.take(len)?))
}

/// The content of the next element if it has this tag.
fn tagged<'a>(c: &mut Cursor<'a>, tag: u8) -> Option<&'a [u8]> {
    let mut ahead = *c;
    let (found, content) = element(&mut ahead)?;
    if found != tag {
        return None;
    }
    *c = ahead;
    Some(content)
}

/// Hands out the host names of a certificate as they stand in it, wildcards
/// included: the dNSName entries of its subjectAltName extension; where there
/// are none, the last commonName of its subject, if it has the form of a host
/// name. Nothing where the encoding is broken.
pub fn certificate_names<'a>(der: &'a [u8], mut name: impl FnMut(&'a [u8])) {
    let Some((subject, extensions)) = parts(der) else { return };
    let mut left = MAX_NAMES;
    if let Some(mut alternatives) = extensions.and_then(alternatives) {
        while let Some((tag, text)) = element(&mut alternatives).filter(|_| left > 0) {
            if tag == DNS_NAME && !text.is_empty() {
                name(text);
                left = left.saturating_sub(1);
            }
        }
    }
    if left == MAX_NAMES
        && let Some(text) = common_name(subject).filter(|t| is_host_name(t))
    {
        name(text);
    }
}

/// Subject and extensions (RFC 5280 section 4.1).
fn parts(der: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut certificate = Cursor(tagged(&mut Cursor(der), SEQUENCE)?);
    let mut c = Cursor(tagged(&mut certificate, SEQUENCE)?);
    let _version = tagged(&mut c, 0xa0);
    let _serial = tagged(&mut c, 2)?;
    let [_algorithm, _issuer, _validity] =
        [tagged(&mut c, SEQUENCE)?, tagged(&mut c, SEQUENCE)?, tagged(&mut c, SEQUENCE)?];
    let subject = tagged(&mut c, SEQUENCE)?;
    let _key = tagged(&mut c, SEQUENCE)?;
    let mut extensions = None;
    while let Some((tag, content)) = element(&mut c) {
        if tag == EXTENSIONS {
            extensions = tagged(&mut Cursor(content), SEQUENCE);
        }
    }
    Some((subject, extensions))
}

/// The entries of the subjectAltName extension.
fn alternatives(extensions: &[u8]) -> Option<Cursor<'_>> {
    let mut list = Cursor(extensions);
    loop {
        let mut extension = Cursor(tagged(&mut list, SEQUENCE)?);
        if tagged(&mut extension, OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let _critical = tagged(&mut extension, 1);
        return tagged(&mut Cursor(tagged(&mut extension, OCTETS)?), SEQUENCE).map(Cursor);
    }
}

/// The last commonName: the most specific one.
fn common_name(subject: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut names = Cursor(subject);
    while let Some(set) = tagged(&mut names, SET) {
        let mut set = Cursor(set);
        while let Some(attribute) = tagged(&mut set, SEQUENCE) {
            let mut attribute = Cursor(attribute);
            if tagged(&mut attribute, OID)? == COMMON_NAME
                // UTF8String, PrintableString, TeletexString, IA5String.
                && let Some((0x0c | 0x13 | 0x14 | 0x16, text)) = element(&mut attribute)
            {
                found = Some(text);
            }
        }
    }
    found
}

/// Whether text has the form of a host name of two labels or more, the first
/// perhaps a wildcard.
fn is_host_name(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"*.").unwrap_or(text);
    rest.contains(&b'.')
        && rest.len() <= 253
        && rest.split(|b| *b == b'.').all(|label| {
            !label.is_empty() && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests;
