//! Stream heads, QUIC crypto streams, flow table: the only memory between
//! packets.
//!
//! An [`Engine`] takes the segments of its shard in packet order and tells a
//! [`Sink`] what it found: that a flow began, what its messages said, how far
//! a followed contact got, that a flow ended. Its tables have caps and rules
//! for what goes first; what they give up is counted.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod assembly;
mod awaited;
mod checksum;
mod claims;
mod dns;
mod dtls;
mod duplicates;
mod early;
mod engine;
mod events;
mod follow;
mod generations;
mod headers;
mod holders;
mod http2;
mod lister;
mod neighbours;
mod opaque;
mod options;
mod quic;
mod recent;
mod rows;
mod table;
mod tcp;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod testing;
#[cfg(test)]
mod tests;
mod udp;

pub use claims::{Claim, ClaimKind, Proof, Words};
pub use duplicates::{Place, first_is_client, sender_is_client};
pub use engine::{Engine, Limits};
pub use events::{Act, At, DnsKind, Endpoints, FrameRef, HttpSeen, Note, Notes, Progress, Proxy, Seen, Sink, Token};
pub use lister::NameLister;
pub use neighbours::{Neighbours, may_be_dhcp};
pub use rows::NameRows;
