//! Segments and datagrams through an engine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod dns;
mod dtls;
mod duplicates;
mod properties;
mod quic_again;
mod udp;
