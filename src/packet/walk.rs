//! What a header walk carries from header to header.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::notice;
use super::path::{Layer, Path};
use super::transport::Segment;
use super::view::View;
use crate::base::Mac;
use crate::coverage::Counter;

/// Most tunnels inside one another.
pub const MAX_TUNNELS: u8 = 8;

/// Where the walk stands: what the next bytes are.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// An Ethernet header.
    Ethernet(View<'a>),
    /// The payload of an ethertype.
    EtherType(u16, View<'a>),
    /// An LLC header (IEEE 802.2).
    Llc(View<'a>),
    /// An IP header of either version.
    Ip(View<'a>),
    /// A PPP protocol field, with or without the address and control bytes.
    Ppp(View<'a>),
    /// An IEEE 802.11 header.
    Wifi(View<'a>),
    /// The frames of an IEEE 802.11 aggregate.
    Aggregate(View<'a>),
    /// The payload of an IP protocol number.
    IpPayload(IpHeader, u8, View<'a>),
    /// A compressed payload of an IP protocol number.
    Compressed(IpHeader, u8, View<'a>),
    /// A fragment. Its sender and receiver are those of the header.
    Fragment(IpHeader, FragmentHeader, View<'a>),
    /// The end.
    Segment(IpHeader, Segment),
}

/// What later headers need of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpHeader {
    /// Sender and receiver as big-endian numbers of an address's 16 bytes: kept
    /// in registers, which byte arrays are not.
    pub src: u128,
    pub dst: u128,
    pub ttl: u8,
    pub v6: bool,
}

/// The number of an IPv4 address in its mapped form.
#[inline]
pub(super) fn mapped(bytes: [u8; 4]) -> u128 {
    0xffff_0000_0000 | u128::from(u32::from_be_bytes(bytes))
}

/// What a reassembled datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The payload of an IP packet with this protocol. In IPv6 only the first
    /// fragment's word counts (RFC 8200 section 4.5).
    IpPayload(u8),
    /// An IP packet.
    Ip,
    /// An Ethernet frame.
    Ethernet,
    /// An IEEE 802.11 frame.
    Wifi,
}

impl Content {
    /// The walk's step into it.
    pub fn next(self, ip: IpHeader, view: View<'_>) -> Next<'_> {
        match self {
            Content::IpPayload(proto) => Next::IpPayload(ip, proto, view),
            Content::Ip => Next::Ip(view),
            Content::Ethernet => Next::Ethernet(view),
            Content::Wifi => Next::Wifi(view),
        }
    }
}

/// A fragment's place in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentHeader {
    /// Identification; 16 bits in IPv4.
    pub id: u32,
    /// Where its bytes begin in the payload, in bytes.
    pub start: u32,
    /// Whether more fragments follow.
    pub more: bool,
    /// What they make.
    pub content: Content,
}

impl FragmentHeader {
    /// Whether this is a first fragment that the capture cut: its datagram can
    /// never be whole, so it goes on as a packet of which bytes are missing.
    pub fn is_cut_head(&self, view: &View<'_>) -> bool {
        self.start == 0 && view.missing > 0
    }
}

/// State of the walk through one frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    pub path: Path,
    pub src_mac: Option<Mac>,
    pub dst_mac: Option<Mac>,
    /// Extension headers of the current IP header.
    pub extensions: u8,
    /// Whether the 802.11 header is padded to a multiple of four bytes.
    pub wifi_padding: bool,
    /// Whether this is one frame of an IEEE 802.11 aggregate.
    pub aggregated: bool,
    /// Whether a compressed payload was taken out: one frame may cost one
    /// decompression.
    pub decompressed: bool,
    /// Whether fragments around it contradicted each other.
    pub conflict: bool,
    /// Encrypted bytes at which the walk ended, and what counts the frame and
    /// them.
    pub opaque: Option<([Counter; 2], usize)>,
    /// A message that says who has an address, at which the walk ended.
    pub notice: Option<notice::Found>,
    tunnels: u8,
}

impl Walk {
    /// Notes a tag or label.
    pub fn tag(&mut self, layer: Layer) -> Result<(), Counter> {
        self.path.push(layer)
    }

    /// Notes that the walk ends at `bytes` encrypted bytes, which the second of
    /// `counters` counts, and the first the frame; gives the cause back.
    pub fn opaque(&mut self, cause: Counter, counters: [Counter; 2], bytes: usize) -> Counter {
        self.opaque = Some((counters, bytes));
        cause
    }

    /// Goes into a tunnel.
    pub fn enter(&mut self, layer: Layer) -> Result<(), Counter> {
        self.descend()?;
        self.path.push(layer)
    }

    /// Goes into a tunnel whose layers are noted by [`tag`](Self::tag). The
    /// hardware addresses outside are those of its ends, not of the hosts
    /// inside.
    pub fn descend(&mut self) -> Result<(), Counter> {
        if self.tunnels >= MAX_TUNNELS {
            return Err(Counter::LayersExceeded);
        }
        self.tunnels = self.tunnels.saturating_add(1);
        self.extensions = 0;
        (self.src_mac, self.dst_mac) = (None, None);
        Ok(())
    }
}
