//! HTTP/1 message heads (RFC 9112).
//!
//! [`request`] reads a head leniently, as servers do, and marks as odd what
//! they are known to read differently. The preface of HTTP/2, `PRI *
//! HTTP/2.0`, is none of these.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod body;
mod fields;
mod head;
mod host;
mod line;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;

pub use body::BodyCursor;
pub use head::{partial_request, request};
pub use host::host_of;
pub use line::{looks_like_request, status};

use std::borrow::Cow;

/// Bytes of the longest head that is read; a longer one is `Not` HTTP.
pub const MAX_HEAD: usize = 65_536;

/// Lines of the longest head that is read, the request line not among them;
/// servers stop at about a hundred.
pub const MAX_LINES: usize = 512;

/// How the body of a request is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body follows.
    None,
    /// That many bytes follow.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Contradictory or unreadable framing: where the next message begins is
    /// unknown.
    Unknown,
}

/// A protocol that a request offers to go on with (RFC 9110 section 7.8).
/// Where it offers several, that which can be read is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upgrade {
    /// None.
    None,
    /// One that is not read, such as WebSocket.
    Other,
    /// TLS (RFC 2817).
    Tls,
    /// HTTP/2 in clear text, `h2c` (RFC 7540 section 3.2).
    Http2,
}

impl Upgrade {
    /// What a value of Upgrade offers.
    fn of(value: &[u8]) -> Upgrade {
        let protocol = |item: &[u8]| {
            let item = line::trim(item);
            if item.eq_ignore_ascii_case(b"h2c") {
                Upgrade::Http2
            } else if item.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"TLS/")) {
                Upgrade::Tls
            } else {
                Upgrade::Other
            }
        };
        value.split(|&b| b == b',').map(protocol).max().unwrap_or(Upgrade::None)
    }
}

/// A request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Method, such as `GET`.
    pub method: &'a [u8],
    /// Host of an absolute-form target, or the target of CONNECT; user
    /// information and port included. It goes before any Host field (RFC 9112
    /// section 3.2.2).
    pub authority: Option<&'a [u8]>,
    /// Path and query of the target, `/` where an absolute-form target has
    /// none; empty for CONNECT and `*`.
    pub path: &'a [u8],
    /// Values of the Host fields as sent, spaces around them removed, folded
    /// lines joined by a space. More than one makes the host ambiguous.
    pub hosts: Vec<Cow<'a, [u8]>>,
    /// User-Agent; of several the first.
    pub user_agent: Option<Cow<'a, [u8]>>,
    /// What it offers to switch to.
    pub upgrade: Upgrade,
    /// What follows the head. Behind CONNECT stands no body, but whatever the
    /// tunnel carries.
    pub body: Body,
    /// Bytes of the head, empty lines before and after it included.
    pub len: usize,
    /// A field was folded over lines (obs-fold), ended by a bare LF, or odd
    /// in another way that receivers read differently.
    pub odd: bool,
}

/// A response head's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Status code.
    pub code: u16,
}
