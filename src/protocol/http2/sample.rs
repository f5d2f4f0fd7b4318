//! Frames and field sections for tests.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use super::PREFACE;
use super::hpack::tests::{Coding, literal};

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HEADERS that end the section, and the stream if it is a request.
pub(crate) fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(1, 0x5, stream, block)
}

/// Empty SETTINGS.
pub(crate) fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

/// What a client sends before its first request.
pub(crate) fn opening() -> Vec<u8> {
    [&PREFACE[..], &settings()].concat()
}

/// A field section of literals in Huffman code that leave the table alone.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value, Coding { huffman: true, indexing: false })).collect()
}

/// The same, put into the table.
pub(crate) fn indexed(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value, Coding { huffman: true, indexing: true })).collect()
}

/// A GET.
pub(crate) fn get(stream: u32, authority: &str, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", authority)];
    headers(stream, &block(&fields))
}
