//! TCP connections through an engine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod beside;
mod certificate;
mod cut;
mod forged;
mod half_open;
mod http;
mod http2;
mod loss;
mod odd;
mod passing;
mod preface;
mod proved;
mod records;
mod stage;
mod stream;
