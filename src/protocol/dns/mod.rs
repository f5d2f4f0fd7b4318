//! DNS messages (RFC 1035, with RFC 2136, RFC 6891, RFC 7871 and RFC 9460 where
//! they matter to a reader).
//!
//! [`Message::parse`] walks a message leniently: what it can read it keeps,
//! what it cannot is skipped and flagged. Header, types and addresses are read
//! with the primitives of `dns-parser`; its `Packet::parse` gives up a whole
//! message for one modern record type, so the walk is done here and compared
//! with it in the tests.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod announce;
mod chain;
mod edns;
mod name;
mod nbns;
mod reverse;
mod rrtype;
mod service;
mod stream;
mod strict;
mod walk;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;

pub use chain::Resolution;
pub use nbns::nbns_name;
pub use rrtype::type_name;
pub use service::{MAX_HINTS, Service};
pub use stream::stream_message;
pub use strict::{may_be_message, stream_query};

use crate::base::{Addr, Name, Prefix};

/// Questions kept of one message.
pub const MAX_QUESTIONS: usize = 8;

/// Answer records kept of one message.
pub const MAX_ANSWERS: usize = 64;

/// Index of a name in a [`Message`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameRef(pub u16);

/// A question (RFC 1035 section 4.1.2). In a dynamic update it is the zone
/// (RFC 2136 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Name asked for.
    pub name: NameRef,
    /// QTYPE, such as 1 for A.
    pub qtype: u16,
    /// QCLASS, such as 1 for IN; multicast DNS uses its top bit as a flag.
    pub qclass: u16,
}

/// What a resource record says, as far as naming needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A([u8; 4]),
    /// An IPv6 address.
    Aaaa([u8; 16]),
    /// The target of an alias.
    Cname(NameRef),
    /// The name of an address, in the answer to a lookup of it.
    Ptr(NameRef),
    /// A service binding (SVCB or HTTPS).
    Service(Service),
    /// Any other type, a class other than IN, or data that cannot be read.
    Other,
}

/// A resource record of the answer section (RFC 1035 section 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner name.
    pub owner: NameRef,
    /// TYPE.
    pub rtype: u16,
    /// Seconds that it may be used; 0 where the top bit is set (RFC 2181
    /// section 8).
    pub ttl: u32,
    /// RDATA.
    pub data: Data,
}

/// A decoded message; its buffers are reused from message to message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// ID.
    pub id: u16,
    /// QR.
    pub response: bool,
    /// Opcode: 0 is a standard query, 5 a dynamic update.
    pub opcode: u8,
    /// RD: the client wants recursion; a response repeats what its query said
    /// (RFC 1035 section 4.1.1).
    pub recursion_desired: bool,
    /// RA: the server resolves for whoever asked (the same section).
    pub recursion_available: bool,
    /// RCODE of the header.
    pub rcode: u8,
    /// TC: the sender left something out.
    pub truncated: bool,
    /// The first [`MAX_QUESTIONS`] questions whose names could be read.
    pub questions: Vec<Question>,
    /// The first [`MAX_ANSWERS`] records of the answer section whose owners
    /// could be read.
    pub answers: Vec<Record>,
    /// Records of the answer section beyond [`MAX_ANSWERS`].
    pub answers_left_out: u16,
    /// The client's network that a forwarder passed on (EDNS client subnet,
    /// RFC 7871).
    pub client_subnet: Option<Prefix>,
    /// The message ended early, asked more than [`MAX_QUESTIONS`] questions,
    /// or held names or fields that cannot be (pointers that do not go
    /// strictly backwards; one forwards in a name is followed; more jumps than allowed, names beyond 255 octets,
    /// addresses of a wrong length, parameters of a service out of order);
    /// what could be read is kept.
    pub malformed: bool,
    /// Bytes behind the message; 0 where it ended early.
    pub trailing: usize,
    /// A service binding offers keys for Encrypted Client Hello.
    pub ech: bool,
    /// Whether there is a service binding at all; most messages have none.
    services: bool,
    /// Address hints of all service bindings.
    hints: Vec<Addr>,
    /// Names, of which the first `starts.len()` are in use.
    names: Vec<Name>,
    /// Where in the message each name in use starts.
    starts: Vec<u16>,
    /// Jumps to compression targets that reading this message took.
    jumps: u8,
}

impl Message {
    /// A name of the message; empty for a reference from another message.
    #[inline]
    pub fn name(&self, r: NameRef) -> &Name {
        static EMPTY: Name = Name::new();
        let names = self.names.get(..self.starts.len()).unwrap_or_default();
        names.get(usize::from(r.0)).unwrap_or(&EMPTY)
    }
}
