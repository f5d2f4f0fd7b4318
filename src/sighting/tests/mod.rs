//! Conversations to records.

mod address;
mod dns;
mod flood;
mod http;
mod support;
mod time;
