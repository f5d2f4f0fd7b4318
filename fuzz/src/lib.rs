//! What the fuzzer runs: one function for each decoder, each file reader, the
//! streams and the whole pipeline. Each takes any bytes, must end soon, and
//! checks what must hold for all of them.
//!
//! `scripts/fuzz` runs them with libFuzzer; `tests/fuzz.rs` includes this file
//! and runs each on its saved corpus and on fixed mutations of it.

pub mod corpus;
pub mod files;
pub mod messages;
pub mod packets;
pub mod streams;
mod wire;

/// Takes any bytes; panics if it finds a fault.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("packet", packets::packet),
    ("dns", messages::dns),
    ("tls_client", messages::tls_client),
    ("tls_server", messages::tls_server),
    ("quic", messages::quic),
    ("quic_frames", messages::quic_frames),
    ("http", messages::http),
    ("segments", streams::segments),
    ("chopped", streams::chopped),
    ("pcap", files::pcap),
    ("pcapng", files::pcapng),
    ("compressed", files::compressed),
    ("pipeline", files::pipeline),
];
