//! Properties of the whole decoder: no frame breaks it, the straight line and
//! the walk agree, `etherparse` agrees, fragments come together in any order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::testing::*;
use super::view::View;
use super::{Decoder, Options, Packet, Transport};
use crate::base::{Addr, Timestamp};
use crate::capture::LinkType;
use crate::coverage::Counter;
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use proptest::prelude::*;

const LINKS: [u16; 24] =
    [0, 1, 7, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 129, 143, 149, 178, 192, 228, 229, 239, 258, 276];

/// A TCP or UDP packet of either IP version, with options now and then, and no
/// tunnel's port.
fn ip_packet() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let payload = proptest::collection::vec(any::<u8>(), 0..60);
    (any::<[u8; 4]>(), (0u16..1700, 0u16..1700), any::<u8>(), 0u8..11, 0usize..11, payload).prop_map(
        |(ends, (sport, dport), flags, tcp_words, ip_words, payload)| {
            let six = ends[0] & 1 == 1;
            let transport = if ends[1] & 1 == 1 {
                let mut segment = tcp(sport, dport, flags, &payload);
                segment[12] = (5 + tcp_words) << 4;
                segment.splice(20..20, vec![1; usize::from(tcp_words) * 4]);
                (6, segment)
            } else {
                (17, udp(sport, dport, &payload))
            };
            if six {
                return (0x86dd, ipv6(transport.0, [ends[2]; 16], [ends[3]; 16], &transport.1));
            }
            let mut packet = ipv4(transport.0, [ends[2]; 4], [ends[3]; 4], &transport.1);
            let words = ip_words.min(10);
            packet[0] = 0x45 + words as u8;
            packet.splice(20..20, vec![1; words * 4]);
            let total = (packet.len() as u16).to_be_bytes();
            packet[2..4].copy_from_slice(&total);
            (0x0800, packet)
        },
    )
}

/// An Ethernet frame with up to three tags and some padding.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    (ip_packet(), proptest::collection::vec(any::<u16>(), 0..4), 0usize..8).prop_map(
        |((kind, packet), tags, padding)| {
            let mut bytes = Vec::new();
            for (i, tci) in tags.iter().enumerate() {
                bytes.extend_from_slice(&tci.to_be_bytes());
                bytes.extend_from_slice(&if i + 1 < tags.len() { 0x8100 } else { kind }.to_be_bytes());
            }
            bytes.extend_from_slice(&packet);
            bytes.resize(bytes.len() + padding, 0);
            ethernet(if tags.is_empty() { kind } else { 0x88a8 }, &bytes)
        },
    )
}

/// Whether an IP packet has no options and fills the fixed offsets.
fn is_ordinary(packet: &[u8]) -> bool {
    match packet[0] {
        0x45 => packet.len() >= 40,
        0x60..=0x6f => packet.len() >= 60,
        _ => false,
    }
}

/// The frame inside a tunnel of that number.
fn wrap(tunnel: u8, frame: &[u8]) -> Vec<u8> {
    let over_ip = |proto, payload: &[u8]| ethernet(0x0800, &ipv4(proto, [192, 0, 2, 1], [192, 0, 2, 2], payload));
    let with = |head: &[u8]| [head, frame].concat();
    match tunnel % 8 {
        0 => over_ip(17, &udp(5, 4789, &with(&[8, 0, 0, 0, 0, 1, 2, 0]))),
        1 => over_ip(17, &udp(5, 6081, &with(&[1, 0, 0x65, 0x58, 0, 1, 2, 0, 9, 9, 9, 9]))),
        2 => over_ip(17, &udp(5, 5247, &with(&[0, 0x10, 2, 0, 0, 0, 0, 0]))),
        3 => over_ip(47, &with(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7])),
        4 => over_ip(47, &with(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0x10, 5, 0, 0, 0, 0])),
        5 => over_ip(97, &with(&[0x30, 0])),
        6 => ethernet(0x8847, &with(&[0, 1, 0x01, 64, 0, 0, 0, 0])),
        _ => ethernet(0x88e7, &with(&[0, 0, 1, 2])),
    }
}

fn check_range(decoder: &Decoder, packet: &Packet, frame: &[u8]) {
    let buffer = if packet.in_arena { decoder.arena() } else { frame };
    let end = packet.payload_offset as usize + packet.payload_len as usize;
    assert!(end <= buffer.len(), "{packet:?} in {} bytes", buffer.len());
}

/// What `etherparse` makes of a frame: addresses, ports, payload.
fn oracle(frame: &[u8]) -> Option<(Addr, Addr, u16, u16, Vec<u8>)> {
    let sliced = LaxSlicedPacket::from_ethernet(frame).ok()?;
    if sliced.stop_err.is_some() {
        return None;
    }
    let (src, dst) = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (Addr::v4(ip.header().source()), Addr::v4(ip.header().destination())),
        LaxNetSlice::Ipv6(ip) => (Addr(ip.header().source()), Addr(ip.header().destination())),
        LaxNetSlice::Arp(_) => return None,
    };
    match sliced.transport? {
        TransportSlice::Tcp(t) => Some((src, dst, t.source_port(), t.destination_port(), t.payload().to_vec())),
        TransportSlice::Udp(u) => Some((src, dst, u.source_port(), u.destination_port(), u.payload().to_vec())),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_of_any_link_type_are_survived(
        link in proptest::sample::select(&LINKS[..]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        orig in any::<u16>(),
    ) {
        let mut decoder = Decoder::new(Options::default());
        if let Ok(packet) = decoder.decode(LinkType(link), &bytes, orig.into(), 0, Timestamp(0)) {
            check_range(&decoder, &packet, &bytes);
        }
    }

    #[test]
    fn mutated_and_cut_frames_are_survived_on_both_ways(
        mut bytes in frame(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        less in prop_oneof![Just(0usize), 0usize..90],
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let whole = bytes.len();
        let wire = whole.saturating_sub(less);
        bytes.truncate(cut.index(whole) + 1);
        let mut decoder = Decoder::new(Options::default());
        let straight = decoder.straight(LinkType(1), &bytes, wire, 0, Timestamp(0));
        let walked = decoder.walk(LinkType(1), View::new(&bytes, wire), 0, Timestamp(0));
        let counts: Vec<_> = decoder.side_counts().collect();
        let overstated = counts.iter().any(|(c, _)| *c == Counter::LengthsOverstated);
        if let Ok(packet) = walked {
            check_range(&decoder, &packet, &bytes);
            let end = packet.payload_offset as usize + packet.payload_len as usize + packet.payload_missing as usize;
            prop_assert!(packet.in_arena || end <= wire.max(bytes.len()), "no more than the wire had");
        }
        if let Some(packet) = straight {
            prop_assert_eq!(walked, Ok(packet));
            prop_assert!(!overstated, "the straight line leaves those to the walk");
        }
    }

    #[test]
    fn both_ways_agree_on_raw_and_cooked_links(
        (kind, packet) in ip_packet(),
        link in proptest::sample::select(&[12u16, 14, 101, 113, 228, 229, 276][..]),
        change in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let kind = kind.to_be_bytes();
        let head = match link {
            113 => [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0][..], &kind].concat(),
            276 => [&kind[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0]].concat(),
            _ => Vec::new(),
        };
        let ordinary = is_ordinary(&packet);
        let mut bytes = [head, packet].concat();
        let mut decoder = Decoder::new(Options::default());
        for changed in [false, true] {
            if changed {
                let at = change.0.index(bytes.len());
                bytes[at] = change.1;
            }
            let straight = decoder.straight(LinkType(link), &bytes, bytes.len(), 7, Timestamp(5));
            prop_assert!(straight.is_some() == ordinary || changed);
            if straight.is_some() {
                prop_assert_eq!(straight, decoder.walk(LinkType(link), View::new(&bytes, bytes.len()), 7, Timestamp(5)).ok());
            }
        }
    }

    #[test]
    fn a_segment_in_tunnels_is_the_same_segment(
        inner in frame(),
        tunnels in proptest::collection::vec(any::<u8>(), 1..4),
    ) {
        let outer = tunnels.iter().fold(inner.clone(), |frame, tunnel| wrap(*tunnel, &frame));
        let (plain, wrapped) = (decode(&inner).unwrap(), decode(&outer).unwrap());
        let offset = (outer.len() - inner.len()) as u32;
        let expected = Packet {
            encap: wrapped.0.encap,
            payload_offset: plain.0.payload_offset + offset,
            ..plain.0
        };
        prop_assert_eq!(wrapped, (expected, plain.1));
    }

    #[test]
    fn mutated_and_cut_tunnels_are_survived(
        inner in frame(),
        tunnels in proptest::collection::vec(any::<u8>(), 1..12),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = tunnels.iter().fold(inner, |frame, tunnel| wrap(*tunnel, &frame));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let wire = bytes.len();
        bytes.truncate(cut.index(wire) + 1);
        let (decoder, result) = decode_with(1, &bytes, wire);
        if let Ok(packet) = result {
            check_range(&decoder, &packet, &bytes);
        }
    }

    #[test]
    fn etherparse_agrees_on_plain_frames(bytes in frame(), cut in any::<prop::sample::Index>()) {
        let cut = &bytes[..=cut.index(bytes.len())];
        for frame in [&bytes[..], cut] {
            let Some((src, dst, sport, dport, payload)) = oracle(frame) else { continue };
            let (packet, ours) = decode(frame).unwrap();
            prop_assert_eq!((packet.src, packet.dst, packet.sport, packet.dport), (src, dst, sport, dport));
            prop_assert_eq!(ours, payload);
        }
    }

    #[test]
    fn ordinary_frames_take_the_straight_line_up_to_two_tags(bytes in frame()) {
        let mut decoder = Decoder::new(Options::default());
        let is_tag = |at: usize| matches!(bytes[at..at + 2], [0x88, 0xa8] | [0x81, 0]);
        let tags = [12, 16, 20].into_iter().take_while(|at| is_tag(*at)).count();
        let ordinary = tags < 3 && is_ordinary(&bytes[14 + 4 * tags..]);
        let packet = decoder.straight(LinkType(1), &bytes, bytes.len(), 0, Timestamp(0));
        prop_assert_eq!(packet.is_some(), ordinary);
    }

    #[test]
    fn fragments_in_any_order_and_number_give_the_datagram(
        payload in proptest::collection::vec(any::<u8>(), 1..1500),
        size in 1usize..40,
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
        six in any::<bool>(),
    ) {
        let whole = udp(1000, 53, &payload);
        let step = (size * 8).min((whole.len() - 1) / 8 * 8);
        let frames: Vec<Vec<u8>> = (0..whole.len())
            .step_by(step)
            .map(|at| match six {
                true => ethernet(0x86dd, &ipv6_fragment(17, 7, &whole, at, step)),
                false => ethernet(0x0800, &ipv4_fragment(17, 7, &whole, at, step)),
            })
            .collect();
        // A random run with repetitions, then all of them from the end, until
        // the datagram comes out.
        let run = order.iter().map(|i| i.index(frames.len())).chain((0..frames.len()).rev());
        let mut decoder = Decoder::new(Options::default());
        let mut found = None;
        for i in run {
            match decoder.decode(LinkType(1), &frames[i], frames[i].len() as u32, 500, Timestamp(3)) {
                Err(cause) => prop_assert_eq!(cause, Counter::IpFragments),
                Ok(packet) => {
                    found = Some((packet, frames[i].clone()));
                    break;
                }
            }
        }
        let (packet, last) = found.unwrap();
        prop_assert!(packet.in_arena && packet.payload_missing == 0);
        prop_assert_eq!((packet.sport, packet.dport, packet.transport), (1000, 53, Transport::Udp));
        prop_assert_eq!(super::testing::payload(&decoder, &packet, &last), &payload[..]);
        let counts: Vec<_> = decoder.side_counts().filter(|(c, _)| *c != Counter::IpFragmentCopies).collect();
        prop_assert_eq!(counts, vec![(Counter::IpFragments, 1), (Counter::IpReassembled, 1)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Overlapping fragments in any order: each byte is that of the fragment
    /// that came first, and the packet says if any differed.
    #[test]
    fn the_first_copy_of_each_byte_stands_and_a_contradiction_shows(
        len in 1usize..12,
        pieces in proptest::collection::vec((0usize..12, 1usize..12, any::<bool>()), 0..12),
    ) {
        let whole = udp(1000, 53, &vec![b'a'; len * 8]);
        let total = whole.len();
        let other: Vec<u8> = whole.iter().map(|b| b ^ 0x40).collect();
        let mut decoder = Decoder::new(Options::default());
        let mut model: Vec<Option<u8>> = vec![None; total];
        let mut conflict = false;
        let all = pieces.iter().copied().chain([(0, 1, false), (1, 95, false)]);
        let mut found = None;
        for (start, words, differs) in all {
            let (start, end) = (start * 8 % total, total.min(start * 8 % total + words * 8));
            let from = if differs { &other } else { &whole };
            let fragment = ipv4_fragment(17, 7, from, start, end - start);
            for at in start..end {
                conflict |= model[at].is_some_and(|b| b != from[at]);
                model[at] = model[at].or(Some(from[at]));
            }
            let frame = ethernet(0x0800, &fragment);
            match decoder.decode(LinkType(1), &frame, frame.len() as u32, 0, Timestamp(3)) {
                Ok(packet) => { found = Some(packet); break; }
                // A whole packet, or one whose UDP header is another's.
                Err(cause) => {
                    let whole_now = model.iter().all(Option::is_some);
                    prop_assert_eq!(cause == Counter::IpFragments, !whole_now);
                    if whole_now { break; }
                }
            }
        }
        if let Some(packet) = found.filter(|p| p.in_arena) {
            let bytes: Vec<u8> = model.iter().map(|b| b.unwrap()).collect();
            prop_assert_eq!(packet.conflict, conflict);
            prop_assert_eq!(super::testing::payload(&decoder, &packet, &[]), &bytes[8..][..packet.payload_len as usize]);
        }
    }
}

/// Tags around what is no segment must not use up the table of encapsulations,
/// nor be counted twice where the walk meets them again.
#[test]
fn tags_of_what_is_not_ordinary_are_met_once() {
    let broken = ipv4(6, [10, 0, 0, 1], [10, 0, 0, 2], &[0; 4]);
    let mut decoder = Decoder::new(Options::default());
    for vid in 1..=50u8 {
        let frame = ethernet(0x8100, &[&[0, vid, 8, 0][..], &broken].concat());
        assert!(decoder.decode(LinkType(1), &frame, frame.len() as u32, 0, Timestamp(0)).is_err());
    }
    assert_eq!(decoder.encaps().len(), Decoder::new(Options::default()).encaps().len());
    let counts: Vec<_> = decoder.side_counts().collect();
    assert_eq!(counts, [(Counter::EncapVlan, 50)]);
}

/// Lengths that headers claim and the wire did not have are no payload; those
/// that the snap length took are.
#[test]
fn no_header_brings_more_bytes_than_the_wire_had() {
    let segment = tcp(50_000, 80, 0x18, &[7; 8]);
    let mut four = ethernet(0x0800, &ipv4(6, [10, 0, 0, 1], [10, 0, 0, 2], &segment));
    four[16..18].copy_from_slice(&30_040u16.to_be_bytes());
    let mut six = ethernet(0x86dd, &ipv6(6, [1; 16], [2; 16], &segment));
    six[18..20].copy_from_slice(&30_020u16.to_be_bytes());
    let inner = wrap(0, &four);
    for (frame, claims) in [(&four, 30_000), (&six, 30_000), (&inner, 8)] {
        let len = frame.len() as u32;
        let mut decoder = Decoder::new(Options::default());
        let mut decode = |wire: u32| {
            let p = decoder.decode(LinkType(1), frame, wire, 0, Timestamp(0)).unwrap();
            let counted = decoder.side_counts().any(|(c, n)| c == Counter::LengthsOverstated && n == 1);
            (p.payload_len, p.payload_missing, counted)
        };
        assert_eq!(decode(len), (8, 0, true));
        assert_eq!(decode(0), (8, 0, true), "a length of the wire that says nothing");
        if claims > 8 {
            assert_eq!(decode(len + 92), (8, 92, true));
            assert_eq!(decode(len + claims - 8), (8, claims - 8, false), "cut by the snap length");
            assert_eq!(decode(len + claims), (8, claims - 8, false), "and padded");
        }
    }
}

#[test]
fn payload_offsets_count_from_the_base_and_the_arena() {
    let mut decoder = Decoder::new(Options::default());
    let whole = udp(1, 53, b"0123456789");
    let frames =
        [ethernet(0x0800, &ipv4_fragment(17, 1, &whole, 0, 8)), ethernet(0x0800, &ipv4_fragment(17, 1, &whole, 8, 80))];
    let plain = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &whole));
    let mut go = |f: &[u8]| decoder.decode(LinkType(1), f, f.len() as u32, 1000, Timestamp(0));
    assert_eq!(go(&plain).unwrap().payload_offset, 1000 + 14 + 20 + 8);
    for round in 0..2 {
        assert_eq!(go(&frames[0]), Err(Counter::IpFragments));
        let p = go(&frames[1]).unwrap();
        assert_eq!((p.in_arena, p.payload_offset, p.payload_len), (true, round * 18 + 8, 10));
    }
    assert_eq!(decoder.take_arena().len(), 36);
    assert_eq!(decoder.arena(), b"");
}

#[test]
fn a_datagram_that_comes_to_nothing_leaves_the_arena_as_it_was() {
    let mut decoder = Decoder::new(Options::default());
    for (at, cause) in [(0, Counter::IpFragments), (8, Counter::OtherTransport)] {
        let f = ethernet(0x0800, &ipv4_fragment(1, 1, &[8; 24], at, if at == 0 { 8 } else { 80 }));
        assert_eq!(decoder.decode(LinkType(1), &f, f.len() as u32, 0, Timestamp(0)), Err(cause));
    }
    assert!(decoder.arena().is_empty());
    let f = ethernet(0x0800, &ipv4_fragment(17, 2, &[8; 24], 0, 8));
    assert!(decoder.decode(LinkType(1), &f, f.len() as u32, 0, Timestamp(0)).is_err());
    decoder.finish();
    let counts: Vec<_> = decoder.side_counts().collect();
    assert_eq!(counts, [(Counter::IpFragments, 1), (Counter::IpReassembled, 1), (Counter::IpFragmentsLost, 1)]);
    assert_eq!(decoder.side_counts().count(), 0);
}

#[test]
fn fragments_of_different_vlans_do_not_meet() {
    let whole = udp(1, 53, b"0123456789");
    let tagged = |vid: u8, at: usize, len: usize| {
        let packet = ipv4_fragment(17, 1, &whole, at, len);
        ethernet(0x8100, &[&[0, vid, 8, 0][..], &packet].concat())
    };
    for (ignore_vlan, met) in [(false, false), (true, true)] {
        let mut decoder = Decoder::new(Options { ignore_vlan });
        let mut go = |f: Vec<u8>| decoder.decode(LinkType(1), &f, f.len() as u32, 0, Timestamp(0)).is_ok();
        assert!(!go(tagged(1, 0, 8)));
        assert_eq!(go(tagged(2, 8, 80)), met);
    }
}

/// A mirror of both sides of a port gives each fragment twice; one of both sides of
/// a router in two VLANs, with a TTL that is one less.
#[test]
fn mirrored_fragments_are_copies_and_no_loss() {
    use Counter::{IpFragmentCopies as Copies, IpFragments as Last, IpReassembled as Whole};
    let whole = udp(1, 53, b"a question in three parts");
    let part = |vlan: u8, at: usize| {
        let mut packet = ipv4_fragment(17, 1, &whole, at * 16, 16);
        packet[8] -= vlan; // TTL
        ethernet(0x8100, &[&[0, vlan, 8, 0][..], &packet].concat())
    };
    for (second, counted) in [(1, vec![(Last, 1), (Whole, 1), (Copies, 3)]), (2, vec![(Last, 2), (Whole, 2)])] {
        let mut decoder = Decoder::new(Options::default());
        let mut found = Vec::new();
        for at in 0..3 {
            for vlan in [1, second] {
                let f = part(vlan, at);
                found.extend(decoder.decode(LinkType(1), &f, f.len() as u32, 0, Timestamp(5)).ok().map(|p| p.dport));
            }
        }
        decoder.finish();
        let tags = |c: &Counter| *c != Counter::EncapVlan;
        let counts: Vec<_> = decoder.side_counts().filter(|(c, _)| tags(c)).collect();
        assert_eq!((found.len(), counts), (counted[1].1 as usize, counted), "{second}");
    }
}
