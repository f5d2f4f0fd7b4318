//! QUIC Initial packets (RFC 8999, RFC 9000, RFC 9001, RFC 9369).

/// A version whose Initial packets can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0x00000001.
    V1,
    /// 0x6b3343cf.
    V2,
    /// 0xff00001d.
    Draft29,
}

/// The kind of a long-header packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
    /// Retry.
    Retry,
    /// Version negotiation.
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
    /// The whole packet, header included.
    pub bytes: &'a [u8],
    /// Where the packet number begins in `bytes`; 0 for kinds without one.
    pub pn_offset: usize,
}

/// Why a datagram yields no (further) packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The end, or a short header, or padding.
    End,
    /// A long header of a version that is not known, with that number.
    UnknownVersion(u32),
    /// No QUIC long header.
    Not,
}

/// Reads the first long-header packet and what follows it in the datagram.
pub fn long_packet(_datagram: &[u8]) -> Result<(LongPacket<'_>, &[u8]), Stop> {
    Err(Stop::Not)
}

/// Keys of a client's Initial packets, derived from the destination
/// connection id of its first one.
pub struct ClientKeys {
    _private: (),
}

impl ClientKeys {
    /// Derives the keys (RFC 9001 section 5.2).
    pub fn new(_version: Version, _dcid: &[u8]) -> Self {
        ClientKeys { _private: () }
    }

    /// Opens an Initial packet into `scratch` and returns its frames; `None`
    /// if it does not authenticate.
    pub fn open<'s>(&self, _packet: &LongPacket<'_>, _scratch: &'s mut Vec<u8>) -> Option<&'s [u8]> {
        None
    }
}

/// The CRYPTO frames of an opened Initial packet: offset and data, in packet
/// order. Ends at the first frame that an Initial must not carry.
pub fn crypto_frames(_frames: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::empty()
}

/// CRYPTO data put in order.
#[derive(Debug, Default)]
pub struct CryptoStream {}

impl CryptoStream {
    /// Adds data.
    pub fn insert(&mut self, _offset: u64, _data: &[u8]) -> Result<(), ()> {
        Ok(())
    }
    /// What is in order from the start.
    pub fn contiguous(&self) -> &[u8] {
        &[]
    }
}
