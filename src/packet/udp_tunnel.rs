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
use super::{capwap, geneve, gre, gtpu, l2tp, lisp, mpls, teredo, transport, tzsp, vxlan};
use crate::coverage::Counter;

/// What lies in a tunnel's datagram; `None` if it is no such tunnel.
pub(super) type Opened<'a> = Option<(Layer, Next<'a>)>;

/// Ports that may carry a tunnel.
const PORTS: [u16; 12] = [
    vxlan::PORT,
    vxlan::PORT_LINUX,
    vxlan::PORT_GPE,
    geneve::PORT,
    gtpu::PORT,
    teredo::PORT,
    capwap::PORT,
    l2tp::PORT,
    lisp::PORT,
    gre::PORT,
    mpls::PORT,
    tzsp::PORT,
];

/// Places of the table of ports.
const PLACES: usize = 64;
/// A multiplier that leads no two of the ports to one place.
const MIX: u16 = 0x9e3d;

/// Each port at its place, so that whether a port is there is one look: every
/// datagram takes it. Empty places hold a port that has another place.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // while compiling
const TABLE: [u16; PLACES] = {
    let mut table = [PORTS[0]; PLACES];
    let mut i = 1;
    while i < PORTS.len() {
        let at = place(PORTS[i]);
        assert!(table[at] == PORTS[0] && at != place(PORTS[0]), "two ports share a place: take another multiplier");
        table[at] = PORTS[i];
        i += 1;
    }
    table
};

#[inline]
const fn place(port: u16) -> usize {
    (port.wrapping_mul(MIX) >> 10) as usize
}

#[inline]
fn is_tunnel(port: u16) -> bool {
    TABLE.get(place(port)).is_some_and(|p| *p == port)
}

/// Whether a datagram may be a tunnel's, by its ports. The answers of some
/// tunnels come from the port.
#[inline]
pub(super) fn may_carry(sport: u16, dport: u16) -> bool {
    is_tunnel(dport) || is_tunnel(sport)
}

/// The walk's step over a UDP header.
pub(super) fn step<'a>(ip: IpHeader, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let (segment, payload) = transport::udp(view)?;
    for port in [segment.dport, segment.sport] {
        match port {
            // These headers note their layers themselves.
            gre::PORT if gre::is_header(&payload) => return gre::step(payload, walk),
            mpls::PORT if mpls::is_stack(&payload) => return mpls::step(payload, walk),
            _ => {}
        }
        if let Some((layer, next)) = open(ip, &segment, port, payload) {
            walk.enter(layer)?;
            return Ok(next);
        }
    }
    Ok(Next::Segment(ip, segment))
}

fn open<'a>(ip: IpHeader, segment: &Segment, port: u16, payload: View<'a>) -> Opened<'a> {
    match port {
        vxlan::PORT | vxlan::PORT_LINUX | vxlan::PORT_GPE => vxlan::open(payload),
        geneve::PORT => geneve::open(payload),
        gtpu::PORT => gtpu::open(payload),
        l2tp::PORT => l2tp::open(payload),
        lisp::PORT => lisp::open(payload),
        teredo::PORT => teredo::open(payload),
        tzsp::PORT => tzsp::open(payload),
        capwap::PORT => {
            // The access point's port, whichever end it is.
            let other = if segment.dport == capwap::PORT { segment.sport } else { segment.dport };
            capwap::open(ip, other, payload)
        }
        _ => None,
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
        for port in PORTS {
            for (sport, dport) in [(53, port), (port, 53)] {
                let frame = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &udp(sport, dport, query)));
                let (p, payload) = decode(&frame).unwrap();
                assert_eq!((p.sport, p.dport, payload.as_slice(), p.encap.0), (sport, dport, &query[..], 0));
            }
        }
    }

    #[test]
    fn the_table_holds_the_ports_and_no_others() {
        let found: Vec<u16> = (0..=u16::MAX).filter(|p| is_tunnel(*p)).collect();
        let mut want = PORTS.to_vec();
        want.sort_unstable();
        assert_eq!(found, want);
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
