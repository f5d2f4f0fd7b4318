//! TLS handshake heads (RFC 8446, RFC 5246, RFC 6066, RFC 9849).
//!
//! Reads the first message of each side. A message is read as leniently as
//! its length fields allow; a field is reported only if it was whole.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod certificate;
mod client;
mod cursor;
mod record;
#[cfg(test)]
pub(crate) mod sample;
mod server;
mod sslv2;
mod stack;

pub use certificate::{MAX_SERVER_HEAD, begins_server_handshake, certificate_names, server_certificate};
pub use client::{
    ClientHello, client_hello, client_hello_message, dtls_client_hello, looks_like_client_hello, partial_client_hello,
    partial_client_hello_message,
};
pub use record::{RecordHeader, record_header};
pub use server::{ServerFirst, server_first};
pub use sslv2::is_sslv2_hello;

/// Most bytes of a hello message, its 4-byte header included, that are read.
/// Of a longer one the first that many are.
pub const MAX_HELLO: usize = 16 * 1024;

/// Most bytes of a stream that a hello of [`MAX_HELLO`] is searched in, record
/// headers included. [`Probe::More`](super::Probe::More) never asks for more.
/// It bounds the number of records to 4096, so that a ClientHello in records
/// of one byte is read up to 3413 bytes.
pub const MAX_STREAM: usize = 20 * 1024;

/// How much of a message its fields were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole message.
    Whole,
    /// What was at hand; the rest had not come.
    Cut,
    /// The first [`MAX_HELLO`] bytes, or those in [`MAX_STREAM`] bytes of
    /// stream; the message says that it is longer.
    Oversized,
    /// What came before a record that is no handshake record.
    Broken,
}
