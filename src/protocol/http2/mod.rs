//! HTTP/2 in clear text (RFC 9113): frames, and the field sections in them.
//!
//! A [`Cursor`] follows the frames of one direction. DATA is passed over by
//! its length, so that nothing in a body is ever taken for a request.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod cursor;
mod frame;
mod hpack;
#[cfg(test)]
pub(crate) mod sample;
mod section;

pub use cursor::{Cursor, MAX_BLOCK, Side, Step};
pub use hpack::MAX_TABLE;
pub use section::Section;

use super::Probe;

/// What a client sends first, whether it knew that the server speaks HTTP/2 or
/// was told so by 101 (RFC 9113 section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a stream begins with [`PREFACE`], whose length is returned.
pub fn preface(stream: &[u8]) -> Probe<usize> {
    let n = stream.len().min(PREFACE.len());
    if stream.get(..n) != PREFACE.get(..n) {
        Probe::Not
    } else if n < PREFACE.len() {
        Probe::More(n.saturating_add(1))
    } else {
        Probe::Found(n)
    }
}

/// Whether a segment from the middle of a stream begins with the preface, as
/// far as it goes; its first line must be there.
pub fn looks_like_preface(segment: &[u8]) -> bool {
    segment.len() >= 16 && !matches!(preface(segment), Probe::Not)
}
