//! One frame to one transport segment: link layers, tags, tunnels, IP,
//! fragments.
//!
//! Ordinary frames are read at fixed offsets ([`plain`]); all others are
//! walked header by header, each header in a file of its own, until a segment
//! is found or a reason why there is none.

mod arcnet;
mod bridge;
mod capwap;
mod cooked;
mod datagram;
mod decoder;
mod docsis;
mod encap;
mod erspan;
mod ethernet;
mod finished;
mod fragment;
mod geneve;
mod gre;
mod gtpu;
mod ip;
mod ipcomp;
mod ipv4;
mod ipv6;
mod juniper;
mod l2tp;
mod link;
mod link_names;
mod lisp;
mod macsec;
mod mpls;
mod notice;
mod null;
mod path;
pub mod plain;
mod ppp;
#[cfg(test)]
mod properties;
mod teredo;
#[cfg(test)]
pub(crate) mod testing;
mod transport;
#[cfg(test)]
mod tunnel_table;
mod tzsp;
mod udp_tunnel;
mod view;
mod vxlan;
mod walk;
mod wifi;
mod wrapped;

pub use decoder::{Decoder, Options};
pub use encap::{Encap, EncapReader, EncapTable, MAX_ENCAPS};
pub use fragment::MAX_BYTES as MAX_FRAGMENT_BYTES;
pub use ipcomp::MAX_INFLATED_TOGETHER;
pub use link_names::link_name;
pub use notice::{Notice, NoticeKind};
pub use path::is_path;

use crate::base::{Addr, Mac, Timestamp};

/// The transport of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp = 6,
    /// UDP, protocol 17.
    Udp = 17,
}

/// TCP flag bits (RFC 9293 section 3.1).
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset the connection.
    pub const RST: u8 = 4;
    /// The acknowledgement field holds.
    pub const ACK: u8 = 16;
}

/// Number of an encapsulation in the decoder's table; 0 is no encapsulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncapId(pub u32);

/// One decoded segment. Offsets point into the buffer that holds the frame
/// or, for reassembled datagrams, into the decoder's arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When its frame was captured (of a reassembled datagram: the frame that
    /// completed it).
    pub ts: Timestamp,
    /// Sender.
    pub src: Addr,
    /// Receiver.
    pub dst: Addr,
    /// Sender's port.
    pub sport: u16,
    /// Receiver's port.
    pub dport: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// TCP flags, see [`tcp_flags`]; 0 for UDP.
    pub flags: u8,
    /// Time to live, or hop limit, where it was captured; 0 if that was far
    /// from where the packet is taken to have been.
    pub ttl: u8,
    /// TCP sequence number; 0 for UDP.
    pub seq: u32,
    /// TCP acknowledgement number; 0 for UDP.
    pub ack: u32,
    /// Where the payload begins.
    pub payload_offset: u32,
    /// Payload bytes at hand.
    pub payload_len: u32,
    /// Payload bytes that the headers announce and the capture lacks.
    pub payload_missing: u32,
    /// Encapsulation around it.
    pub encap: EncapId,
    /// Sender's hardware address, where the innermost link layer has one.
    pub src_mac: Option<Mac>,
    /// Receiver's hardware address, where the innermost link layer has one.
    pub dst_mac: Option<Mac>,
    /// Whether the payload lies in the decoder's arena, not in the frame.
    pub in_arena: bool,
    /// Whether it came in fragments that contradicted each other: the first
    /// copy of each byte stands.
    pub conflict: bool,
}
