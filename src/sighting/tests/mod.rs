//! Conversations to records.

mod address;
mod dns;
mod flood;
mod http;
mod naming;
mod support;
mod time;
