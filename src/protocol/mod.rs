//! Message formats: bytes in, facts and notes out. No clock, no I/O, no
//! logging, no state between calls.

pub mod arp;
pub mod dhcp;
pub mod dns;
pub mod dtls;
pub mod http;
pub mod http2;
pub mod nd;
mod proxy_header;
pub mod quic;
pub mod socks;
pub mod starttls;
pub mod tls;

pub use proxy_header::proxy_header;

/// What the first bytes of a stream turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe<T> {
    /// Not this protocol, whatever follows.
    Not,
    /// It may be, or is, this protocol: ask again when at least this many
    /// bytes from the start of the stream are at hand. Always more than were
    /// given.
    More(usize),
    /// The message was complete.
    Found(T),
}
