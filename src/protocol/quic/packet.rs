//! Long-header packets (RFC 8999 section 5.1, RFC 9000 section 17.2).

use super::varint::{prefixed, varint};
use super::version::{Version, in_use, is_reserved};

/// Longest connection id of the versions that can be opened.
const MAX_CID: usize = 20;
/// Shortest destination connection id of a client's first Initial
/// (RFC 9000 section 7.2).
const MIN_FIRST_DCID: usize = 8;
/// Least size of a datagram with a client's Initial (RFC 9000 section 14.1).
const MIN_INITIAL_DATAGRAM: usize = 1200;
/// Least Length of a protected packet: header protection samples 16 bytes, 4
/// bytes after the start of the packet number (RFC 9001 section 5.4.2).
const MIN_LENGTH: usize = 4 + 16;
/// Bytes of a Retry's integrity tag.
const RETRY_TAG: usize = 16;

/// The kind of a long-header packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Initial, of client or server.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// Retry, from the server. Its source connection id is the destination
    /// connection id of the client's next Initials, and the one that their
    /// keys are derived from (RFC 9000 section 17.2.5.2).
    Retry,
    /// Version negotiation, from the server.
    VersionNegotiation,
}

/// One long-header packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongPacket<'a> {
    /// Kind.
    pub kind: Kind,
    /// Version; of a version negotiation packet, meaningless.
    pub version: Version,
    /// Destination connection id.
    pub dcid: &'a [u8],
    /// Source connection id.
    pub scid: &'a [u8],
    /// The whole packet, header included; what is at hand of it if not
    /// `complete`.
    pub bytes: &'a [u8],
    /// Where the packet number begins in `bytes`; 0 for kinds without one.
    pub pn_offset: usize,
    /// False if its Length reaches beyond the datagram, as in a frame that
    /// the capture cut short.
    pub complete: bool,
}

/// Why a datagram yields no (further) packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The end, or a short header, or padding. Where a datagram begins so, it
    /// shows no sign of QUIC.
    End,
    /// A long header of a version that is not known, with that number: one
    /// known to be in use elsewhere, one reserved to force version
    /// negotiation, or in a datagram of at least 1200 bytes any that client
    /// rules on connection ids and the fixed bit allow.
    UnknownVersion(u32),
    /// No QUIC long header, or one with lengths that do not fit.
    Not,
}

/// Reads the first long-header packet and what follows it in the datagram
/// (coalesced packets, RFC 9000 section 12.2).
///
/// Layout: flags (1 byte), version (4), destination connection id behind its
/// length (1), source connection id behind its length (1); then in an Initial
/// a token behind its length (varint); then in all but Retry and version
/// negotiation the Length of the rest (varint), packet number included.
///
/// The fixed bit is not looked at in a known version: an extension lets both
/// sides clear it (RFC 9287), and the version number tells enough.
pub fn long_packet(datagram: &[u8]) -> Result<(LongPacket<'_>, &[u8]), Stop> {
    let Some((&flags, rest)) = datagram.split_first() else { return Err(Stop::End) };
    if flags & 0x80 == 0 {
        return Err(Stop::End);
    }
    let (number, rest) = rest.split_first_chunk().ok_or(Stop::Not)?;
    let number = u32::from_be_bytes(*number);
    if number == 0 {
        return version_negotiation(datagram, rest).ok_or(Stop::Not);
    }
    let Some(version) = Version::from_number(number) else {
        return Err(unknown_version(datagram, number, flags, rest));
    };
    known_version(datagram, version, flags, rest).ok_or(Stop::Not)
}

/// Takes both connection ids.
fn connection_ids<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut take = || {
        let (&len, after) = rest.split_first()?;
        let (id, after) = after.split_at_checked(usize::from(len))?;
        *rest = after;
        Some(id)
    };
    Some((take()?, take()?))
}

fn known_version<'a>(
    datagram: &'a [u8],
    version: Version,
    flags: u8,
    mut rest: &'a [u8],
) -> Option<(LongPacket<'a>, &'a [u8])> {
    let (dcid, scid) = connection_ids(&mut rest)?;
    if dcid.len() > MAX_CID || scid.len() > MAX_CID {
        return None;
    }
    let kind = match (version.is_like_v2(), flags >> 4 & 3) {
        (false, 0) | (true, 1) => Kind::Initial,
        (false, 1) | (true, 2) => Kind::ZeroRtt,
        (false, 2) | (true, 3) => Kind::Handshake,
        _ => Kind::Retry,
    };
    if kind == Kind::Retry {
        let whole = rest.len() > RETRY_TAG;
        let packet = LongPacket { kind, version, dcid, scid, bytes: datagram, pn_offset: 0, complete: true };
        return whole.then_some((packet, &[]));
    }
    if kind == Kind::Initial {
        let _token = prefixed(&mut rest)?;
    }
    let len = usize::try_from(varint(&mut rest)?).ok().filter(|len| *len >= MIN_LENGTH)?;
    let pn_offset = datagram.len().checked_sub(rest.len())?;
    let (bytes, after, complete) = match datagram.split_at_checked(pn_offset.checked_add(len)?) {
        Some((bytes, after)) => (bytes, after, true),
        None => (datagram, &[][..], false),
    };
    Some((LongPacket { kind, version, dcid, scid, bytes, pn_offset, complete }, after))
}

/// Reads the rest of a version negotiation packet: connection ids of any
/// length and a list of versions (4 bytes each), of which at least one must
/// be a QUIC version.
fn version_negotiation<'a>(datagram: &'a [u8], mut rest: &'a [u8]) -> Option<(LongPacket<'a>, &'a [u8])> {
    let (dcid, scid) = connection_ids(&mut rest)?;
    let (versions, tail) = rest.as_chunks();
    let quic = |v: &[u8; 4]| {
        let number = u32::from_be_bytes(*v);
        Version::from_number(number).is_some() || in_use(number)
    };
    if !tail.is_empty() || !versions.iter().any(quic) {
        return None;
    }
    let kind = Kind::VersionNegotiation;
    let packet = LongPacket { kind, version: Version::V1, dcid, scid, bytes: datagram, pn_offset: 0, complete: true };
    Some((packet, &[]))
}

/// Whether a long header of another version is one, going by the number, and
/// by what RFC 8999 and the rules for clients leave.
fn unknown_version(datagram: &[u8], number: u32, flags: u8, mut rest: &[u8]) -> Stop {
    if in_use(number) {
        // Some of them pack both lengths into one byte.
        return if rest.is_empty() { Stop::Not } else { Stop::UnknownVersion(number) };
    }
    let fits = connection_ids(&mut rest).is_some_and(|(dcid, scid)| {
        (MIN_FIRST_DCID..=MAX_CID).contains(&dcid.len()) && scid.len() <= MAX_CID && !rest.is_empty()
    });
    let initial = datagram.len() >= MIN_INITIAL_DATAGRAM && flags & 0x40 != 0;
    if fits && (is_reserved(number) || initial) { Stop::UnknownVersion(number) } else { Stop::Not }
}

#[cfg(test)]
mod tests;
