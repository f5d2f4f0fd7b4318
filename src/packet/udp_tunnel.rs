//! Tunnels in UDP: which ports may carry one.
//!
//! A header is believed only if every field that has fixed bits has them;
//! otherwise the datagram is an ordinary one that happens to use the port.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::Layer;
use super::transport::Segment;
use super::view::View;
use super::walk::{IpHeader, Next, Walk};
use super::{capwap, geneve, gtpu, teredo, transport, vxlan};
use crate::coverage::Counter;

/// What lies in a tunnel's datagram; `None` if it is no such tunnel.
pub(super) type Opened<'a> = Option<(Layer, Next<'a>)>;

/// Whether a datagram may be a tunnel's, by its ports.
#[inline]
pub(super) fn may_carry(segment: &Segment) -> bool {
    matches!(segment.dport, vxlan::PORT | vxlan::PORT_LINUX | vxlan::PORT_GPE | geneve::PORT | gtpu::PORT)
        || matches!(segment.dport, teredo::PORT | capwap::PORT)
        || matches!(segment.sport, teredo::PORT | capwap::PORT)
}

/// The walk's step over a UDP header.
pub(super) fn step<'a>(ip: IpHeader, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let (segment, payload) = transport::udp(view)?;
    if may_carry(&segment)
        && let Some((layer, next)) = open(&segment, payload)?
    {
        walk.enter(layer)?;
        return Ok(next);
    }
    Ok(Next::Segment(ip, segment))
}

fn open<'a>(segment: &Segment, payload: View<'a>) -> Result<Opened<'a>, Counter> {
    let opened = match segment.dport {
        vxlan::PORT | vxlan::PORT_LINUX | vxlan::PORT_GPE => vxlan::open(payload),
        geneve::PORT => geneve::open(payload),
        gtpu::PORT => gtpu::open(payload),
        _ => None,
    };
    if opened.is_some() {
        return Ok(opened);
    }
    let either = |port| segment.sport == port || segment.dport == port;
    if either(teredo::PORT) {
        Ok(teredo::open(payload))
    } else if either(capwap::PORT) {
        capwap::open(payload)
    } else {
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode, ethernet, ipv4, udp};
    use super::*;

    #[test]
    fn other_datagrams_on_a_tunnels_port_are_ordinary() {
        let query = b"\x08\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\x00\x00\x01\x00\x01";
        for port in [vxlan::PORT, vxlan::PORT_LINUX, geneve::PORT, gtpu::PORT, teredo::PORT, capwap::PORT] {
            for (sport, dport) in [(53, port), (port, 53)] {
                let frame = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &udp(sport, dport, query)));
                let (p, payload) = decode(&frame).unwrap();
                assert_eq!((p.sport, p.dport, payload.as_slice(), p.encap.0), (sport, dport, &query[..], 0));
            }
        }
    }

    #[test]
    fn every_cut_of_a_tunnel_is_survived() {
        let inner = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &udp(1, 53, b"dns")));
        let vxlan = [&[8, 0, 0, 0, 0, 0, 77, 0][..], &inner].concat();
        let frame = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &udp(9, vxlan::PORT, &vxlan)));
        let reached = (0..=frame.len()).filter(|n| decode(&frame[..*n]).is_ok_and(|(p, _)| p.dport == 53)).count();
        assert_eq!(reached, 4, "from the inner UDP header on");
    }
}
