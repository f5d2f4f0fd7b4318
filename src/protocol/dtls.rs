//! DTLS records and handshake fragments (RFC 6347, RFC 9147), and what RDP
//! wraps around TLS in datagrams.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod rdp;

pub use rdp::rdp_payload;

/// Handshake type of a ClientHello.
pub const CLIENT_HELLO: u8 = 1;

/// Bytes of a record header.
const HEADER: usize = 13;
/// Longest fragment of a record (RFC 6347 section 4.1), expansion included.
const MAX_FRAGMENT: usize = 16384 + 2048;
/// Longest handshake message that is read.
const MAX_MESSAGE: usize = 16 * 1024;

/// A plain record, or one of DTLS up to 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data.
    pub content_type: u8,
    /// 0 is sent in clear.
    pub epoch: u16,
    /// Its content.
    pub fragment: &'a [u8],
}

/// Part of a handshake message (RFC 6347 section 4.2.2), or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Handshake type.
    pub kind: u8,
    /// Length of the whole message, at most 16 KiB.
    pub len: usize,
    /// Number of the message.
    pub seq: u16,
    /// Where in it the bytes belong.
    pub offset: usize,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Whether a version is one of DTLS on the wire: 1.0 (0xfeff), 1.2 (0xfefd,
/// which 1.3 uses too), or 0x0100, which some implementations sent before.
pub fn is_version(version: u16) -> bool {
    matches!(version, 0xfeff | 0xfefd | 0x0100)
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0_usize, |n, b| n.saturating_mul(256).saturating_add(usize::from(*b)))
}

/// Reads the record at the start of a datagram; gives what follows it as well.
pub fn record(datagram: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<HEADER>()?;
    let [content_type, major, minor, e0, e1, _, _, _, _, _, _, hi, lo] = *header;
    let len = usize::from(u16::from_be_bytes([hi, lo]));
    let right = matches!(content_type, 20..=23)
        && is_version(u16::from_be_bytes([major, minor]))
        && (1..=MAX_FRAGMENT).contains(&len);
    let (fragment, rest) = rest.split_at_checked(len).filter(|_| right)?;
    Some((Record { content_type, epoch: u16::from_be_bytes([e0, e1]), fragment }, rest))
}

/// The plain handshake fragments of a datagram.
pub fn fragments(datagram: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut rest = datagram;
    let mut inside: &[u8] = &[];
    std::iter::from_fn(move || {
        loop {
            if let Some((fragment, after)) = fragment(inside) {
                inside = after;
                return Some(fragment);
            }
            let (record, after) = record(rest)?;
            rest = after;
            inside = if (record.content_type, record.epoch) == (22, 0) { record.fragment } else { &[] };
        }
    })
}

fn fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<12>()?;
    let (kind, len) = (*header.first()?, be(header.get(1..4)?));
    let seq = u16::try_from(be(header.get(4..6)?)).ok()?;
    let (offset, count) = (be(header.get(6..9)?), be(header.get(9..12)?));
    let (bytes, rest) = rest.split_at_checked(count)?;
    let right = len <= MAX_MESSAGE && offset.saturating_add(count) <= len && (count > 0 || len == 0);
    right.then_some((Fragment { kind, len, seq, offset, bytes }, rest))
}

/// Whether a datagram begins with a plain record that holds part of a
/// ClientHello: type, version, epoch, message type and lengths are looked at.
/// A client's first messages have numbers 0 to 2.
#[inline]
pub fn begins_client_hello(datagram: &[u8]) -> bool {
    datagram.first() == Some(&22)
        && record(datagram).is_some_and(|(r, _)| {
            r.epoch == 0
                && fragment(r.fragment).is_some_and(|(f, _)| f.kind == CLIENT_HELLO && f.seq <= 2 && f.len >= 38)
        })
}

/// What a datagram of an association says of how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Part of a handshake.
    Handshake,
    /// A plain alert.
    Alert,
    /// Application data.
    Data,
    /// Nothing that is known.
    Nothing,
}

/// Judges a datagram by its last record. In DTLS 1.3 an encrypted record
/// begins with 001, and the two lowest bits tell the epoch, 3 being the first
/// of application data (RFC 9147 section 4).
pub fn says(datagram: &[u8]) -> Says {
    let mut said = Says::Nothing;
    let mut rest = datagram;
    while let Some((record, after)) = record(rest) {
        rest = after;
        said = match (record.content_type, record.epoch) {
            (20 | 22, _) => Says::Handshake,
            (21, 0) => Says::Alert,
            (23, 1..) => Says::Data,
            _ => said,
        };
    }
    match rest.first() {
        Some(b) if b & 0xe3 == 0x23 => Says::Data,
        Some(b) if b & 0xe0 == 0x20 => Says::Handshake,
        _ => said,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(crate) mod tests;
