//! What is said of who has an address, by the protocols that give and resolve
//! addresses.

use crate::base::{Addr, Mac, Timestamp};

/// The protocol of a [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// Address resolution (RFC 826).
    Arp,
    /// Neighbour discovery (RFC 4861).
    Nd,
    /// DHCP (RFC 2131): the server's word.
    Dhcp,
    /// DHCP for IPv6 (RFC 8415): the server's word.
    Dhcpv6,
}

/// How much a [`Claim`] proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing by itself: a single message that nobody asked for, whose sender
    /// may be made up.
    Lone,
    /// It answers a question that was seen, or was said before in other words
    /// or at another time.
    Sound,
    /// The claim is over from now on: the client gave the address back.
    Ends,
}

/// What a client said of itself, to go with its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// What it is called: canonical.
    pub name: Option<Box<str>>,
    /// What it calls itself towards servers (option 61, or a DUID), in
    /// hexadecimal. A name that is nothing but the hardware address is left
    /// out.
    pub client_id: Option<Box<str>>,
}

/// Somebody has an address, or so it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// When.
    pub ts: Timestamp,
    /// By which protocol.
    pub kind: ClaimKind,
    /// The address.
    pub ip: Addr,
    /// Who has it, where known.
    pub mac: Option<Mac>,
    /// How much that proves.
    pub proof: Proof,
    /// Until when it holds: the time of the message, or the end of a lease, but
    /// no more than a day ahead.
    pub until: Timestamp,
    /// The sender says that it is a router (RFC 4861 sections 4.2 and 4.4).
    pub router: bool,
    /// What the client said of itself.
    pub words: Option<Box<Words>>,
}
