//! Conversations to records.

mod address;
mod certificate;
mod dns;
mod flood;
mod http;
mod proxy;
mod support;
mod time;
