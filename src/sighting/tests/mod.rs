//! Conversations to records.

mod address;
mod dns;
mod flood;
mod http;
mod resolvers;
mod support;
mod time;
