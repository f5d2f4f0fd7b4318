//! QUIC Initial packets (RFC 8999, RFC 9000, RFC 9001, RFC 9369).
//!
//! A ClientHello travels in CRYPTO frames of a client's Initial packets,
//! which anyone who saw the first of them can open: [`long_packet`] finds
//! them in a datagram, [`ClientKeys`] opens them, [`crypto_frames`] and
//! [`CryptoStream`] put the hello together, and
//! [`client_hello_message`](super::tls::client_hello_message) reads it.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod crypto_stream;
mod frames;
mod keys;
mod packet;
#[cfg(test)]
pub(crate) mod sample;
mod varint;
mod version;

pub use crypto_stream::{CryptoStream, MAX_CRYPTO, MAX_CRYPTO_PIECES, Overflow};
pub use frames::crypto_frames;
pub use keys::ClientKeys;
pub use packet::{Kind, LongPacket, Stop, long_packet};
pub use version::Version;
