//! Each tunnel and link around one DNS query and one TLS hello: the segment
//! inside, its layers, and what is counted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::path::Kind;
use super::testing::*;
use crate::coverage::Counter;
use std::collections::BTreeSet;

/// The table that the end-to-end tests use too.
#[allow(missing_docs)]
#[path = "../../tests/support/tunnels.rs"]
mod tunnels;

use tunnels::{Frame, LINKS, TUNNELS, Tunnel};

/// A query by UDP and a hello by TCP in either IP version.
fn frames() -> [Vec<u8>; 4] {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04name\x04test\0\0\x01\0\x01";
    let (dns, tls) = (udp(40_000, 53, query), tcp(40_001, 443, 0x18, b"\x16\x03\x01\0\x05\x01\0\0\x01\x03"));
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    [
        ethernet(0x0800, &ipv4(17, a, b, &dns)),
        ethernet(0x0800, &ipv4(6, a, b, &tls)),
        ethernet(0x86dd, &ipv6(17, [1; 16], [2; 16], &dns)),
        ethernet(0x86dd, &ipv6(6, [1; 16], [2; 16], &tls)),
    ]
}

/// Layers and counters with the inner version filled in.
fn expected(tunnel: &Tunnel, version: u8) -> (Vec<String>, Vec<(Counter, u64)>) {
    let fill = |text: &str| text.replace('N', &version.to_string());
    let layers = fill(tunnel.layers).split('/').filter(|l| !l.is_empty()).map(str::to_owned).collect();
    let mut counts: Vec<(Counter, u64)> = Vec::new();
    for counter in tunnel.counters.iter().map(|c| Counter::from_word(&fill(c)).unwrap()) {
        match counts.iter_mut().find(|(c, _)| *c == counter) {
            Some((_, n)) => *n += 1,
            None => counts.push((counter, 1)),
        }
    }
    counts.sort_unstable();
    (layers, counts)
}

#[test]
fn every_tunnel_and_link_gives_the_segment_its_layers_and_its_counts() {
    let mut counted = BTreeSet::new();
    for tunnel in TUNNELS.iter().chain(LINKS) {
        let mut carried = 0;
        for frame in frames() {
            let parts = Frame::new(&frame);
            let Some(wrapped) = (tunnel.wrap)(&parts) else { continue };
            carried += 1;
            let (plain, payload_inside) = decode(&frame).unwrap();
            let (mut decoder, result) = decode_with(tunnel.link, &wrapped, wrapped.len());
            let packet = result.unwrap_or_else(|cause| panic!("{}: {cause:?}", tunnel.name));
            let ends = |p: &super::Packet| (p.src, p.dst, p.sport, p.dport, p.transport, p.flags, p.ttl, p.seq, p.ack);
            assert_eq!(ends(&packet), ends(&plain), "{}", tunnel.name);
            assert_eq!(payload(&decoder, &packet, &wrapped), payload_inside, "{}", tunnel.name);
            let (layers, counts) = expected(tunnel, parts.version().unwrap());
            assert_eq!(decoder.encaps().get(packet.encap).layers, layers, "{}", tunnel.name);
            assert_eq!(decoder.side_counts().collect::<Vec<_>>(), counts, "{}", tunnel.name);
            assert_eq!(decoder.next_of_frame(), None);
            counted.extend(counts.iter().map(|(c, _)| *c));
            for cut in 0..wrapped.len() {
                // With the same layers, what is left is no other segment.
                let (decoder, result) = decode_with(tunnel.link, &wrapped[..cut], wrapped.len());
                if let Ok(p) = result
                    && decoder.encaps().get(p.encap).layers == layers
                {
                    assert_eq!(
                        (p.src, p.sport, p.dport),
                        (plain.src, plain.sport, plain.dport),
                        "{} at {cut}",
                        tunnel.name
                    );
                }
            }
        }
        assert!(carried >= 2, "{} carries {carried}", tunnel.name);
    }
    let kinds: BTreeSet<Counter> = Kind::ALL.iter().map(|k| k.counter()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "each kind has a counter of its own");
    assert_eq!(counted, kinds, "each kind is in the table");
}

#[test]
fn layers_are_counted_whatever_becomes_of_the_frame() {
    let arp = Frame::new(&ethernet(0x0806, &[0; 28]));
    let vxlan = TUNNELS.iter().find(|t| t.name == "VXLAN").unwrap();
    let frame = (vxlan.wrap)(&arp).unwrap();
    let (mut decoder, result) = decode_with(1, &frame, frame.len());
    assert_eq!(result, Err(Counter::Arp));
    assert_eq!(decoder.side_counts().collect::<Vec<_>>(), [(Counter::EncapVxlan, 1)]);
}
