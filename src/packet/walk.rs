//! What a header walk carries from header to header.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::{Layer, Path};
use super::view::View;
use super::{EncapId, Packet, Transport};
use crate::base::{Addr, Mac, Timestamp};
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
    /// The payload of an IP protocol number.
    IpPayload(IpHeader, u8, View<'a>),
    /// A fragment of an IP payload.
    Fragment(IpHeader, FragmentHeader, View<'a>),
    /// The end: a segment, its encapsulation and time not filled in.
    Segment(Packet),
}

/// What later headers need of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpHeader {
    pub src: Addr,
    pub dst: Addr,
    pub ttl: u8,
    pub v6: bool,
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
    /// What the payload is. In IPv6 only the first fragment's word counts
    /// (RFC 8200 section 4.5).
    pub proto: u8,
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
    /// Packets beside this one that the frame holds and that are not decoded.
    pub undecoded: u64,
    tunnels: u8,
}

impl Walk {
    /// Notes a tag or label.
    pub fn tag(&mut self, layer: Layer) -> Result<(), Counter> {
        self.path.push(layer)
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

/// A segment without ports, flags and payload.
#[inline]
pub(super) fn blank(ip: &IpHeader, transport: Transport) -> Packet {
    Packet {
        ts: Timestamp(0),
        src: ip.src,
        dst: ip.dst,
        sport: 0,
        dport: 0,
        transport,
        flags: 0,
        ttl: ip.ttl,
        seq: 0,
        ack: 0,
        payload_offset: 0,
        payload_len: 0,
        payload_missing: 0,
        encap: EncapId(0),
        src_mac: None,
        dst_mac: None,
        in_arena: false,
    }
}
