//! HTTP/1 message heads (RFC 9112).

use super::Probe;
use std::borrow::Cow;

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

/// A request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Method, such as `GET`.
    pub method: &'a [u8],
    /// Host of an absolute-form target, port included.
    pub authority: Option<&'a [u8]>,
    /// Path and query of the target; empty for CONNECT and `*`.
    pub path: &'a [u8],
    /// Values of the Host fields as sent, spaces around them removed, folded
    /// lines joined. More than one makes the host ambiguous.
    pub hosts: Vec<Cow<'a, [u8]>>,
    /// User-Agent.
    pub user_agent: Option<Cow<'a, [u8]>>,
    /// Whether it asks to switch protocols (Upgrade).
    pub upgrade: bool,
    /// What follows the head.
    pub body: Body,
    /// Bytes of the head, the empty line included.
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

/// Reads a request head at the start of a stream.
pub fn request(_stream: &[u8]) -> Probe<Request<'_>> {
    Probe::Not
}

/// Reads a status line at the start of a stream.
pub fn status(_stream: &[u8]) -> Probe<Status> {
    Probe::Not
}

/// The host of an authority or Host value, without user information and port;
/// an IPv6 literal keeps its brackets.
pub fn host_of(value: &[u8]) -> &[u8] {
    value
}

/// Follows a body through the stream, so that nothing inside it is taken for
/// a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyCursor {
    _left: u64,
}

impl BodyCursor {
    /// A cursor at the first byte after the head; `None` where none follows
    /// or its end is unknown.
    pub fn new(_body: Body) -> Option<Self> {
        None
    }

    /// Takes the next bytes of the stream: how many of them belong to the
    /// body, and whether it ended there. `None` if the chunk framing is broken.
    pub fn advance(&mut self, _bytes: &[u8]) -> Option<(usize, bool)> {
        None
    }
}
