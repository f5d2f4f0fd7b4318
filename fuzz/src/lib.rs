//! What the fuzzer runs: one function for each decoder, each file reader, the
//! streams and the whole pipeline. Each takes any bytes, must end soon, and
//! checks what must hold for all of them.
//!
//! `scripts/fuzz` runs them with libFuzzer; `tests/fuzz.rs` includes this file
//! and runs each on its saved corpus and on fixed mutations of it.

pub mod archives;
pub mod corpus;
pub mod dns;
pub mod files;
pub mod groups;
pub mod http;
pub mod neighbours;
pub mod packets;
pub mod preludes;
mod probe;
pub mod publications;
pub mod quic;
pub mod records;
mod scratch;
pub mod streams;
pub mod tls;
mod wire;

/// Takes any bytes; panics if it finds a fault.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("packet", packets::packet),
    ("dns", dns::message),
    ("dns_stream", dns::stream),
    ("announced", dns::announced),
    ("reverse", dns::reverse),
    ("neighbours", neighbours::link),
    ("dhcp", neighbours::dhcp),
    ("tls_client", tls::client),
    ("tls_server", tls::server),
    ("dtls", tls::datagram),
    ("quic", quic::packets),
    ("quic_frames", quic::frames),
    ("http", http::head),
    ("http2", http::frames),
    ("hpack", http::hpack),
    ("proxies", preludes::proxies),
    ("starttls", preludes::starttls),
    ("segments", streams::segments),
    ("chopped", streams::chopped),
    ("pcap", files::pcap),
    ("pcapng", files::pcapng),
    ("compressed", files::compressed),
    ("growing", files::growing),
    ("pipeline", files::pipeline),
    ("lines", records::lines),
    ("groups", groups::file),
    ("archive", archives::archive),
    ("publication", publications::publication),
];
