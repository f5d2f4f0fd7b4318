#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::sample::{
    DCID, Header, V1_CLIENT, V1_RETRY, V1_SERVER, V2_CLIENT, V2_RETRY, crypto, hex, seal, start,
};
use super::super::{CryptoStream, crypto_frames, long_packet};
use super::*;
use crate::protocol::Probe;
use crate::protocol::tls::sample::{NAME, hello, server_name};
use crate::protocol::tls::{Extent, client_hello_message};
use proptest::prelude::*;

use super::super::sample::VERSIONS;

/// The frames of the first packet of a datagram.
fn open(keys: &ClientKeys, datagram: &[u8]) -> Option<Vec<u8>> {
    let (packet, _) = long_packet(datagram).unwrap();
    keys.open(&packet, &mut Vec::new()).map(<[u8]>::to_vec)
}

/// The name in a CRYPTO stream.
fn name(stream: &CryptoStream) -> Probe<Option<Vec<u8>>> {
    match client_hello_message(stream.contiguous()) {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(hello) => {
            assert_eq!((hello.extent, hello.malformed), (Extent::Whole, false));
            Probe::Found(hello.server_name.map(<[u8]>::to_vec))
        }
    }
}

/// Adds the CRYPTO frames of an opened packet.
fn feed(stream: &mut CryptoStream, frames: &[u8]) {
    for (offset, data) in crypto_frames(Version::V1, frames) {
        stream.insert(offset, data).unwrap();
    }
}

#[test]
fn initials_of_the_rfcs() {
    for (version, sample) in [(Version::V1, V1_CLIENT), (Version::V2, V2_CLIENT)] {
        let datagram = hex(sample);
        let (packet, rest) = long_packet(&datagram).unwrap();
        assert_eq!((packet.version, packet.kind, packet.dcid), (version, Kind::Initial, &DCID[..]));
        assert!(rest.is_empty());
        let mut scratch = vec![9; 3];
        let keys = ClientKeys::new(version, packet.dcid);
        let frames = keys.open(&packet, &mut scratch).unwrap();
        assert_eq!(frames.len(), 1162);
        assert_eq!(&frames[..10], &hex("060040f1010000ed0303"));
        let mut stream = CryptoStream::new();
        feed(&mut stream, frames);
        assert_eq!(stream.contiguous().len(), 241);
        assert_eq!(name(&stream), Probe::Found(Some(b"example.com".to_vec())));
    }
}

#[test]
fn only_the_right_keys_open() {
    let datagram = hex(V1_CLIENT);
    assert!(open(&ClientKeys::new(Version::V1, &DCID), &datagram).is_some());
    assert_eq!(open(&ClientKeys::new(Version::V2, &DCID), &datagram), None);
    assert_eq!(open(&ClientKeys::new(Version::Draft29, &DCID), &datagram), None);
    assert_eq!(open(&ClientKeys::new(Version::V1, &DCID[..7]), &datagram), None);
    // The server's Initial takes the server's keys.
    let server = hex(V1_SERVER);
    assert_eq!(long_packet(&server).unwrap().0.scid, hex("f067a5502a4262b5"));
    assert_eq!(open(&ClientKeys::new(Version::V1, &DCID), &server), None);
}

#[test]
fn every_version_opens() {
    for version in VERSIONS {
        let frames = [crypto(0, b"hello"), vec![0; 40]].concat();
        let datagram = seal(Header::new(version, &DCID), &DCID, &frames);
        assert_eq!(open(&ClientKeys::new(version, &DCID), &datagram), Some(frames));
    }
}

/// Key, IV and header protection key of a client whose first destination
/// connection id is that of the RFCs' samples. Those of drafts 23 to 28 are in
/// the appendix of the drafts; the others come from another HKDF.
#[test]
fn keys_of_versions_that_have_no_sample() {
    for (version, key, iv, header) in [
        (
            Version::Draft22,
            "07863d9c083786bc86766ce0d02bf93f",
            "fb33da41a8f297d482df670e",
            "48dbcf44e335508f7f23fb2c3790a37c",
        ),
        (
            Version::Draft23,
            "af7fd7efebd21878ff66811248983694",
            "8681359410a70bb9c92f0420",
            "a980b8b4fb7d9fbc13e814c23164253d",
        ),
        (
            Version::Draft29,
            "175257a31eb09dea9366d8bb79ad80ba",
            "6b26114b9cba2b63a9e8dd4f",
            "9ddd12c994c0698b89374a9c077a3077",
        ),
        (
            Version::V2Draft,
            "95df2be2e8d549c82e996fc9339f4563",
            "ea5e3c95f933db14b7020ad8",
            "091efb735702447d07908f6501845794",
        ),
        (
            Version::GoogleT050,
            "80ab8e0313d2c851aaff5405824a916a",
            "aedd2abe20b9eff2116e4429",
            "d3a731204b1c81e9644f91bd062633a9",
        ),
        (
            Version::GoogleT051,
            "e66b805440a16d39f1889b2726d1cc5c",
            "efdd37eda34f2f7080bb140c",
            "34ebf45dc367d3502a9fe09cfd3fd9f6",
        ),
    ] {
        let keys = ClientKeys::new(version, &DCID).0.unwrap();
        assert_eq!(keys.iv, hex(iv)[..], "{version:?}");
        let expected = HeaderProtectionKey::new(&AES_128, &hex(header)).unwrap();
        assert_eq!(keys.header.new_mask(&[7; 16]), expected.new_mask(&[7; 16]), "{version:?}");
        let sealer = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &hex(key)).unwrap());
        let nonce = || Nonce::assume_unique_for_key([3; NONCE_LEN]);
        let mut sealed = b"text".to_vec();
        sealer.seal_in_place_append_tag(nonce(), Aad::empty(), &mut sealed).unwrap();
        assert_eq!(keys.packet.open_in_place(nonce(), Aad::empty(), &mut sealed).unwrap(), b"text", "{version:?}");
    }
}

/// What rustls seals, these keys open, whatever the length of the number.
#[test]
fn packets_of_rustls_open() {
    use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap().quic_suite().unwrap();
    let versions = [
        (Version::V1, rustls::quic::Version::V1),
        (Version::V2, rustls::quic::Version::V2),
        (Version::Draft29, rustls::quic::Version::V1Draft),
    ];
    for (version, theirs) in versions {
        for number_len in 1..=4 {
            let keys = suite.keys(&DCID, rustls::Side::Client, theirs).local;
            let number = 0x0102_0304_u32 >> (8 * (4 - number_len));
            let frames = [crypto(0, b"hello"), vec![0; 40]].concat();
            let mut packet = start(version, 0);
            packet[0] |= number_len as u8 - 1;
            packet.extend([&[8][..], &DCID, &[0, 0]].concat());
            packet.extend((0x4000 | (number_len + frames.len() + 16) as u16).to_be_bytes());
            let number_at = packet.len();
            packet.extend(&number.to_be_bytes()[4 - number_len..]);
            let mut payload = frames.clone();
            let tag = keys.packet.encrypt_in_place(number.into(), &packet, &mut payload).unwrap();
            packet.extend(payload);
            packet.extend(tag.as_ref());
            let (head, body) = packet.split_at_mut(number_at);
            let (pn, rest) = body.split_at_mut(number_len);
            let sample = rest[4 - number_len..][..16].to_vec();
            keys.header.encrypt_in_place(&sample, &mut head[0], pn).unwrap();
            assert_eq!(open(&ClientKeys::new(version, &DCID), &packet), Some(frames), "{version:?} {number_len}");
        }
    }
}

#[test]
fn changed_bytes_do_not_open() {
    let datagram = hex(V1_CLIENT);
    let keys = ClientKeys::new(Version::V1, &DCID);
    let (packet, _) = long_packet(&datagram).unwrap();
    // Flags, source connection id length, number, payload, tag.
    for at in [0, packet.pn_offset, 18, 22, 600, 1183, 1199] {
        let mut bytes = datagram.clone();
        bytes[at] ^= 1;
        let changed = crate::protocol::quic::LongPacket { bytes: &bytes, ..packet };
        assert_eq!(keys.open(&changed, &mut Vec::new()), None, "byte {at}");
    }
    let cut = long_packet(&datagram[..1199]).unwrap().0;
    assert!(!cut.complete);
    assert_eq!(keys.open(&cut, &mut Vec::new()), None);
}

#[test]
fn a_hello_scattered_over_packets() {
    let share = vec![0x5c; 1500];
    let one = hello(Some(&[&[0, 51, 5, 0xdc][..], &share, &server_name(NAME)].concat()));
    let tail = seal(
        Header { number: 1, ..Header::new(Version::V1, &DCID) },
        &DCID,
        &[crypto(1400, &one[1400..]), vec![1, 0, 0], crypto(1000, &one[1000..1400])].concat(),
    );
    let head = seal(
        Header::new(Version::V1, &DCID),
        &DCID,
        &[crypto(300, &one[300..1000]), vec![0; 9], crypto(0, &one[..300])].concat(),
    );
    let keys = ClientKeys::new(Version::V1, &DCID);
    let mut stream = CryptoStream::new();
    feed(&mut stream, &open(&keys, &tail).unwrap());
    assert_eq!(name(&stream), Probe::More(42));
    assert!(stream.has_gap());
    feed(&mut stream, &open(&keys, &head).unwrap());
    assert_eq!(name(&stream), Probe::Found(Some(NAME.to_vec())));
}

#[test]
fn keys_outlive_a_change_of_connection_id() {
    let server_chose = [7; 5];
    let later = Header { number: 2, ..Header::new(Version::V1, &server_chose) };
    let datagram = seal(later, &DCID, &crypto(0, &[1; 50]));
    assert!(open(&ClientKeys::new(Version::V1, &DCID), &datagram).is_some());
    assert!(open(&ClientKeys::new(Version::V1, &server_chose), &datagram).is_none());
}

#[test]
fn a_retry_renews_the_keys() {
    for (version, sample) in [(Version::V1, V1_RETRY), (Version::V2, V2_RETRY)] {
        let retry = hex(sample);
        let (packet, rest) = long_packet(&retry).unwrap();
        assert_eq!((packet.kind, packet.version), (Kind::Retry, version));
        assert_eq!((packet.scid, rest), (&hex("f067a5502a4262b5")[..], &[][..]));
        let header = Header { token: b"token", number: 1, ..Header::new(version, packet.scid) };
        let datagram = seal(header, packet.scid, &crypto(0, b"again"));
        assert_eq!(open(&ClientKeys::new(version, &DCID), &datagram), None);
        assert_eq!(open(&ClientKeys::new(version, packet.scid), &datagram), Some(crypto(0, b"again")));
    }
}

#[test]
fn packets_that_lie_about_themselves_do_not_open() {
    let datagram = hex(V1_CLIENT);
    let keys = ClientKeys::new(Version::V1, &DCID);
    let (packet, _) = long_packet(&datagram).unwrap();
    for pn_offset in [0, 1, 1180, 1199, 1200, usize::MAX] {
        let lying = crate::protocol::quic::LongPacket { pn_offset, ..packet };
        assert_eq!(keys.open(&lying, &mut Vec::new()), None);
    }
    for len in [0, 1, 18, 22, 37, 38] {
        let lying = crate::protocol::quic::LongPacket { bytes: &datagram[..len], ..packet };
        assert_eq!(keys.open(&lying, &mut Vec::new()), None);
    }
}

proptest! {
    #[test]
    fn a_hello_split_in_any_way_is_found(
        cuts in prop::collection::vec(1usize..200, 1..40),
        order in any::<u64>(),
        repeat in any::<bool>(),
    ) {
        let one = hello(Some(&[&server_name(NAME)[..], &[0xfe, 0x0d, 1, 0], &[3; 256]].concat()));
        let mut frames = Vec::new();
        let mut at = 0;
        for len in cuts {
            let end = (at + len).min(one.len());
            frames.push(crypto(u16::try_from(at).unwrap(), &one[at..end]));
            at = end;
        }
        frames.push(crypto(u16::try_from(at).unwrap(), &one[at..]));
        let len = frames.len();
        for i in 0..len {
            frames.swap(i, (order.rotate_left(u32::try_from(i).unwrap()) % len as u64) as usize);
        }
        if repeat {
            frames.extend(frames.clone());
        }
        let keys = ClientKeys::new(Version::V2, &DCID);
        let mut stream = CryptoStream::new();
        for (number, some) in frames.chunks(5).enumerate() {
            let header = Header { number: number as u8, ..Header::new(Version::V2, &DCID) };
            let datagram = seal(header, &DCID, &some.concat());
            feed(&mut stream, &open(&keys, &datagram).unwrap());
        }
        prop_assert!(!stream.conflict() && !stream.has_gap());
        prop_assert_eq!(name(&stream), Probe::Found(Some(NAME.to_vec())));
    }

    #[test]
    fn mutations_never_panic(
        changes in prop::collection::vec((0usize..60, any::<u8>()), 1..6),
        len in 0usize..1300,
    ) {
        let mut datagram = hex(V1_CLIENT);
        for (at, value) in changes {
            datagram[at] = value;
        }
        datagram.resize(len, 0);
        let mut rest = &datagram[..];
        let mut scratch = Vec::new();
        while let Ok((packet, after)) = long_packet(rest) {
            prop_assert!(after.len() < rest.len());
            let keys = ClientKeys::new(packet.version, packet.dcid);
            if let Some(frames) = keys.open(&packet, &mut scratch) {
                let _ = crypto_frames(packet.version, frames).count();
            }
            rest = after;
        }
    }
}
