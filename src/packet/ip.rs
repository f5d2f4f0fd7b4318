//! The payload of an IP packet, by protocol number.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::{IpHeader, Next, Walk};
use super::{ipv4, ipv6, transport};
use crate::coverage::Counter;

/// The walk's step over an IP header, of the version that its first bits say.
pub(super) fn step<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    walk.extensions = 0;
    match view.data.first().map(|b| b >> 4) {
        Some(4) => ipv4::step(view),
        Some(6) => ipv6::step(view),
        _ => Err(Counter::IpMalformed),
    }
}

/// The walk's step over an IP payload (numbers: IANA, Assigned Internet
/// Protocol Numbers).
pub(super) fn payload<'a>(ip: IpHeader, proto: u8, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match proto {
        6 => transport::tcp(&ip, view).map(Next::Segment),
        17 => transport::udp(&ip, view).map(|(packet, _)| Next::Segment(packet)),
        50 => Err(Counter::IpOpaque),
        4 | 41 | 47 => Err(Counter::TunnelUnsupported),
        _ if ipv6::is_extension(proto, ip.v6) => ipv6::extension(ip, proto, view, walk),
        _ => Err(Counter::OtherTransport),
    }
}
