//! Conversations to records.

mod address;
mod certificate;
mod dns;
mod flood;
mod http;
mod identity;
mod naming;
mod proxy;
mod resolvers;
mod roles;
mod support;
mod time;
