#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::sample::{DCID, Header, V1_CLIENT, V1_SERVER, VERSIONS, crypto, hex, seal, start};
use super::*;
use proptest::prelude::*;

/// A protected packet of 0-RTT or Handshake type, or an Initial without token.
fn protected(version: Version, kind: u8, payload: usize) -> Vec<u8> {
    let mut packet = start(version, kind);
    packet.extend([4, 1, 2, 3, 4, 0]);
    if kind == 0 {
        packet.push(0);
    }
    packet.extend((0x4000 | payload as u16).to_be_bytes());
    packet.resize(packet.len() + payload, 0x99);
    packet
}

/// A long header of a version number with connection ids of these lengths.
fn header(number: u32, dcid: u8, scid: u8, len: usize) -> Vec<u8> {
    let mut packet = vec![0xc0];
    packet.extend(number.to_be_bytes());
    packet.push(dcid);
    packet.extend(vec![1; dcid.into()]);
    packet.push(scid);
    packet.extend(vec![2; scid.into()]);
    packet.resize(packet.len().max(len), 3);
    packet
}

#[test]
fn kinds_of_each_version() {
    let kinds = [Kind::Initial, Kind::ZeroRtt, Kind::Handshake, Kind::Retry];
    for version in VERSIONS {
        for (number, kind) in (0_u8..).zip(kinds) {
            let bytes = protected(version, number, 60);
            let (packet, rest) = long_packet(&bytes).unwrap();
            assert_eq!((packet.version, packet.kind, packet.complete), (version, kind, true));
            assert_eq!((packet.dcid, packet.scid, rest), (&[1, 2, 3, 4][..], &[][..], &[][..]));
            let pn_offset = if kind == Kind::Retry { 0 } else { bytes.len() - 60 };
            assert_eq!((packet.bytes, packet.pn_offset), (&bytes[..], pn_offset));
        }
    }
}

#[test]
fn coalesced_packets_follow_each_other() {
    let initial = seal(Header::new(Version::V1, &DCID), &DCID, &crypto(0, &[1; 30]));
    let zero_rtt = protected(Version::V1, 1, 100);
    let handshake = protected(Version::V1, 2, 40);
    for (tail, stop) in [
        (&[][..], Stop::End),
        (&[0; 300], Stop::End),
        (&[0x41, 9, 9, 9], Stop::End),
        (&[0xc0], Stop::Not),
        (&[0xff; 40], Stop::Not),
    ] {
        let datagram = [&initial[..], &zero_rtt, &handshake, tail].concat();
        let (packet, rest) = long_packet(&datagram).unwrap();
        assert_eq!((packet.kind, packet.bytes), (Kind::Initial, &initial[..]));
        let (packet, rest) = long_packet(rest).unwrap();
        assert_eq!((packet.kind, packet.bytes), (Kind::ZeroRtt, &zero_rtt[..]));
        let (packet, rest) = long_packet(rest).unwrap();
        assert_eq!((packet.kind, packet.bytes), (Kind::Handshake, &handshake[..]));
        assert_eq!(rest, tail);
        assert_eq!(long_packet(rest), Err(stop));
    }
}

#[test]
fn a_cut_datagram_gives_an_incomplete_packet() {
    let datagram = hex(V1_CLIENT);
    let (packet, rest) = long_packet(&datagram[..68]).unwrap();
    assert_eq!((packet.kind, packet.complete, packet.bytes), (Kind::Initial, false, &datagram[..68]));
    assert_eq!((packet.dcid, rest), (&DCID[..], &[][..]));
    let (header, _) = long_packet(&datagram[..18]).unwrap();
    assert_eq!((header.complete, header.pn_offset), (false, 18), "nothing behind the Length");
    for len in 1..18 {
        assert_eq!(long_packet(&datagram[..len]), Err(Stop::Not), "{len} bytes");
    }
}

#[test]
fn a_cleared_fixed_bit_is_allowed() {
    let mut datagram = hex(V1_SERVER);
    datagram[0] &= !0x40;
    assert_eq!(long_packet(&datagram).unwrap().0.kind, Kind::Initial);
}

#[test]
fn lengths_that_lie_are_refused() {
    let v1 = start(Version::V1, 0);
    let ids = [&[8][..], &DCID, &[0]].concat();
    let with = |tail: &[u8]| [&v1[..], &ids, tail, &[9; 100]].concat();
    assert!(long_packet(&with(&[0, 0x40, 100])).is_ok());
    assert_eq!(long_packet(&with(&[0x7f, 0xff])), Err(Stop::Not), "token longer than the packet");
    assert_eq!(long_packet(&with(&[0xff; 8])), Err(Stop::Not), "token of 2^62 bytes");
    assert_eq!(long_packet(&with(&[0, 19])), Err(Stop::Not), "too short to sample");
    assert!(long_packet(&with(&[0, 20])).is_ok());
    let huge = with(&[&[0][..], &[0xff; 8]].concat());
    assert!(!long_packet(&huge).unwrap().0.complete);
    let long_id = [&v1[..], &[21], &[1; 21], &[0, 0, 20], &[9; 100]].concat();
    assert_eq!(long_packet(&long_id), Err(Stop::Not));
    let beyond = [&v1[..], &[20], &[1; 10]].concat();
    assert_eq!(long_packet(&beyond), Err(Stop::Not));
    let retry = [&start(Version::V1, 3)[..], &ids, &[7; 16]].concat();
    assert_eq!(long_packet(&retry), Err(Stop::Not), "no token");
}

#[test]
fn version_negotiation_packets() {
    let packet = |versions: &[u8]| [&[0x80, 0, 0, 0, 0, 2, 1, 2, 0][..], versions].concat();
    let datagram = packet(&[0x1a, 0x2a, 0x3a, 0x4a, 0, 0, 0, 1]);
    let (found, rest) = long_packet(&datagram).unwrap();
    assert_eq!((found.kind, found.dcid, found.scid), (Kind::VersionNegotiation, &[1, 2][..], &[][..]));
    assert_eq!((found.bytes, rest), (&datagram[..], &[][..]));
    assert!(long_packet(&packet(b"Q050")).is_ok());
    for wrong in [&[][..], &[0, 0, 0, 9], &[0, 0, 0, 1, 0], &[0, 0, 1]] {
        assert_eq!(long_packet(&packet(wrong)), Err(Stop::Not));
    }
    let long_ids = [&[0xff, 0, 0, 0, 0, 255][..], &[1; 255], &[30], &[2; 30], &[0x6b, 0x33, 0x43, 0xcf]].concat();
    assert_eq!(long_packet(&long_ids).unwrap().0.dcid.len(), 255);
}

#[test]
fn unknown_versions() {
    let in_use = u32::from_be_bytes(*b"Q046");
    assert_eq!(long_packet(&header(in_use, 0x50, 0, 40)), Err(Stop::UnknownVersion(in_use)));
    let reserved = 0x1a2a_3a4a;
    assert_eq!(long_packet(&header(reserved, 8, 0, 60)), Err(Stop::UnknownVersion(reserved)));
    assert_eq!(long_packet(&header(reserved, 7, 0, 60)), Err(Stop::Not));
    let new = 0x1234_5678;
    assert_eq!(long_packet(&header(new, 8, 0, 1200)), Err(Stop::UnknownVersion(new)));
    assert_eq!(long_packet(&header(new, 8, 0, 1199)), Err(Stop::Not));
    assert_eq!(long_packet(&header(new, 7, 0, 1200)), Err(Stop::Not));
    assert_eq!(long_packet(&header(new, 8, 21, 1200)), Err(Stop::Not));
    let mut rtp = header(new, 8, 0, 1200);
    rtp[0] = 0x80;
    assert_eq!(long_packet(&rtp), Err(Stop::Not));
}

#[test]
fn other_protocols_are_not_quic() {
    assert_eq!(long_packet(&[]), Err(Stop::End));
    // DNS, STUN, DTLS, WireGuard: no long header.
    for first in [0x12, 0x00, 0x16, 0x01] {
        assert_eq!(long_packet(&[first; 50]), Err(Stop::End));
    }
    // A DNS query whose id, flags and count look like version 0.
    let dns = b"\xc3\0\0\0\0\x01\0\0\0\0\0\0\x03www\x04test\0\0\x01\0\x01";
    assert_eq!(long_packet(dns), Err(Stop::Not));
}

proptest! {
    #[test]
    fn random_datagrams_are_not_quic(mut bytes in prop::collection::vec(any::<u8>(), 1..1199)) {
        bytes[0] |= 0x80;
        prop_assume!(bytes.len() < 5 || {
            let number = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
            !in_use(number) && !is_reserved(number)
        });
        prop_assert_eq!(long_packet(&bytes), Err(Stop::Not));
    }

    #[test]
    fn packets_lie_inside_their_datagram(
        version in 0..VERSIONS.len(),
        kind in 0u8..4,
        bytes in prop::collection::vec(prop_oneof![0u8..30, any::<u8>()], 0..120),
    ) {
        let datagram = [start(VERSIONS[version], kind), bytes].concat();
        if let Ok((packet, rest)) = long_packet(&datagram) {
            prop_assert_eq!([packet.bytes, rest].concat(), &datagram[..]);
            prop_assert!(packet.pn_offset <= datagram.len());
            if packet.complete && packet.kind != Kind::Retry {
                prop_assert!(packet.bytes.len() >= packet.pn_offset + MIN_LENGTH);
            }
        }
    }
}
