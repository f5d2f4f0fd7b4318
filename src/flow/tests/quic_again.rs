//! A second ClientHello in a QUIC client's crypto stream, as a server asks for
//! with a HelloRetryRequest.

use crate::base::Addr;
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::protocol::quic::Version;
use crate::protocol::quic::sample::{DCID, Header, crypto, seal, start};
use crate::protocol::tls::sample;

const C: (Addr, u16) = (CLIENT, 40_000);
const S: (Addr, u16) = (SERVER, 443);
/// The connection id that the server chose.
const CHOSEN: [u8; 8] = [0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5];

fn message(name: &str) -> Vec<u8> {
    let extensions = if name.is_empty() { Vec::new() } else { sample::server_name(name.as_bytes()) };
    sample::hello(Some(&extensions))
}

/// Bytes of the stream with both hellos.
fn stream(first: &str, second: &str) -> (Vec<u8>, usize) {
    let (first, second) = (message(first), message(second));
    (([&first[..], &second].concat()), first.len())
}

/// A client's datagram with those bytes of its stream, under the keys of its
/// first connection id.
fn part(version: Version, dcid: &[u8], number: u8, stream: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut frames = crypto(u16::try_from(from).unwrap(), &stream[from..to.min(stream.len())]);
    if version.has_google_frames() {
        frames[0] = 8;
    }
    frames.resize(1170, 0);
    seal(Header { number, ..Header::new(version, dcid) }, &DCID, &frames)
}

/// An Initial of the client that acknowledges only.
fn acknowledgement() -> Vec<u8> {
    let mut frames = vec![2, 0, 0, 0, 0];
    frames.resize(1170, 0);
    seal(Header { number: 1, ..Header::new(Version::V1, &CHOSEN) }, &DCID, &frames)
}

/// A packet between two connection ids: 0 Initial, 2 Handshake.
fn between(kind: u8, dcid: &[u8], scid: &[u8]) -> Vec<u8> {
    let id = |id: &[u8]| [&[u8::try_from(id.len()).unwrap()], id].concat();
    let token: &[u8] = if kind == 0 { &[0] } else { &[] };
    [&start(Version::V1, kind)[..], &id(dcid), &id(scid), token, &[0x40, 100], &[0; 100]].concat()
}

/// What the server sends to ask for another hello.
fn asks_again(id: &[u8]) -> Vec<u8> {
    between(0, &[1, 2, 3], id)
}

fn both(first: &str, second: &str) -> Lab {
    let (bytes, end) = stream(first, second);
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
    lab.udp(S, C, &asks_again(&CHOSEN));
    lab.udp(C, S, &part(Version::V1, &CHOSEN, 1, &bytes, end, 9999));
    lab
}

#[test]
fn another_name_in_the_second_hello_is_told() {
    let mut lab = both("front.test", "up.test");
    assert_eq!((lab.told(), lab.last().notes.len()), (vec!["quic front.test".into(), "quic up.test".to_owned()], 0));
    assert_eq!(lab.count(Counter::TlsHellos), 2);
    let sink = lab.finish();
    assert_eq!(sink.told.len(), 2);
    for (first, second, want) in [
        ("up.test", "up.test", &["quic up.test"][..]),
        ("up.test", "", &["quic up.test"]),
        ("", "up.test", &["quic -", "quic up.test"]),
    ] {
        let mut lab = both(first, second);
        assert_eq!(lab.told(), want, "{first} {second}");
        assert_eq!(lab.count(Counter::TlsHellos), 2);
        assert_eq!(lab.count(Counter::QuicHellosIncomplete), 0);
        lab.finish();
    }
}

#[test]
fn every_version_and_a_version_that_the_server_chose() {
    let (bytes, end) = stream("front.test", "up.test");
    let all = crate::protocol::quic::sample::VERSIONS.map(|v| (v, v));
    for (first, second) in all.into_iter().chain([(Version::V1, Version::V2)]) {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &part(first, &DCID, 0, &bytes, 0, end));
        lab.udp(C, S, &part(second, &CHOSEN, 1, &bytes, end, 9999));
        assert_eq!(lab.told(), ["quic front.test", "quic up.test"], "{first:?} {second:?}");
        lab.finish();
    }
}

#[test]
fn the_second_hello_in_parts_in_any_order() {
    let (bytes, end) = stream("front.test", "up.test");
    for order in [&[1, 2][..], &[2, 1], &[1, 1, 0, 2, 2], &[0, 2, 0, 1], &[3, 2, 3, 1]] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
        lab.udp(S, C, &asks_again(&CHOSEN));
        for i in order {
            let datagram = match i {
                0 => part(Version::V1, &DCID, 0, &bytes, 0, end),
                1 => part(Version::V1, &CHOSEN, 1, &bytes, end - 5, end + 70),
                2 => part(Version::V1, &CHOSEN, 2, &bytes, end + 70, 9999),
                _ => acknowledgement(),
            };
            lab.udp(C, S, &datagram);
        }
        assert_eq!(lab.told(), ["quic front.test", "quic up.test"], "{order:?}");
        assert!(lab.last().notes.is_empty());
        lab.finish();
    }
}

/// Some servers take the connection id that the client made up.
#[test]
fn the_connection_id_may_stay() {
    let (bytes, end) = stream("front.test", "up.test");
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { quic_keys: 2, ..Limits::default() });
    lab.now = crate::base::Timestamp(1_700_000_000 * crate::base::time::SECOND);
    let first = part(Version::V1, &DCID, 0, &bytes, 0, end);
    (0..9).for_each(|_| lab.udp(C, S, &first));
    assert_eq!(lab.count(Counter::QuicOpened), 1, "repetitions cost nothing");
    lab.udp(S, C, &asks_again(&DCID));
    (0..9).for_each(|_| lab.udp(C, S, &first));
    lab.udp(C, S, &part(Version::V1, &DCID, 1, &bytes, end, 9999));
    assert_eq!(lab.told(), ["quic front.test", "quic up.test"]);
    assert_eq!(lab.count(Counter::QuicBudget), 0, "keys are derived once more, and kept");
}

#[test]
fn where_the_first_hello_was_missed() {
    let (bytes, end) = stream("front.test", "up.test");
    let second = part(Version::V1, &DCID, 1, &bytes, end, 9999);
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(S, C, &asks_again(&DCID));
    lab.udp(C, S, &second);
    assert_eq!((lab.told(), lab.last().notes), (vec!["quic up.test".to_owned()], vec!["mid_stream"]));
    assert_eq!(lab.last().client, C);
    lab.finish();
    // A part of it was captured, under the keys of its connection id.
    for (from, to) in [(0, 60), (60, end), (0, 3)] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, from, to));
        lab.udp(S, C, &asks_again(&CHOSEN));
        lab.udp(C, S, &part(Version::V1, &CHOSEN, 1, &bytes, end, 9999));
        // Of three bytes nobody knows how long the first is.
        let want: &[&str] = if to == 3 { &[] } else { &["quic up.test"] };
        assert_eq!(lab.told(), want, "{from}");
        let mut ledger = std::mem::take(&mut lab.ledger);
        lab.engine.finish(&mut ledger);
        assert_eq!(ledger.total().get(Counter::QuicHellosIncomplete), 1, "{from}");
    }
}

/// A server's ticket, say, is sent back in the midst of a hello.
#[test]
fn what_looks_like_a_hello_inside_the_first_is_none() {
    let inner = message("inner.test");
    let ticket = sample::extension(35, &inner);
    let hello = sample::hello(Some(&[&ticket[..], &sample::server_name(b"up.test")].concat()));
    let at = hello.windows(inner.len()).position(|w| w == inner).unwrap();
    let rest = part(Version::V1, &DCID, 1, &hello, at, 9999);
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &rest);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &hello, 0, at));
    assert_eq!(lab.told(), ["quic up.test"]);
    lab.finish();
    // Even where it answers, as its length says that it is none.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &hello, 0, 20));
    lab.udp(S, C, &asks_again(&DCID));
    lab.udp(C, S, &rest);
    assert!(lab.told().is_empty());
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &hello, 0, at));
    assert_eq!(lab.told(), ["quic up.test"]);
}

#[test]
fn where_the_handshake_goes_on_no_hello_follows() {
    let (bytes, end) = stream("front.test", "up.test");
    let goes_on = between(2, &CHOSEN, &[1, 2, 3]);
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
    assert!(lab.engine.held() > 0);
    lab.udp(S, C, &asks_again(&CHOSEN));
    lab.udp(C, S, &goes_on);
    assert_eq!(lab.engine.held(), 0);
    let opened = lab.count(Counter::QuicOpened);
    lab.udp(C, S, &part(Version::V1, &CHOSEN, 1, &bytes, end, 9999));
    assert_eq!((lab.told(), lab.count(Counter::QuicOpened)), (vec!["quic front.test".to_owned()], opened));
    // In one datagram with an acknowledgement, and behind one.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
    lab.udp(S, C, &asks_again(&CHOSEN));
    lab.udp(C, S, &acknowledgement());
    lab.udp(C, S, &[&acknowledgement()[..], &goes_on].concat());
    assert_eq!((lab.engine.held(), lab.count(Counter::QuicHellosIncomplete)), (0, 0));
    assert_eq!(lab.count(Counter::Handshakes), 1);
    lab.finish();
}

/// A name in its whole field is evidence, also where the rest was lost.
#[test]
fn the_rest_of_a_hello_was_lost() {
    let goes_on = between(2, &CHOSEN, &[1, 2, 3]);
    let padding = sample::extension(21, &[0; 300]);
    let second = sample::hello(Some(&[&sample::server_name(b"up.test")[..], &padding].concat()));
    for first in [message("front.test"), Vec::new()] {
        let bytes = [&first[..], &second].concat();
        let (end, before) = (first.len(), usize::from(!first.is_empty()));
        for (lost, named) in [(200, true), (second.len() - 60, false)] {
            let mut lab = Lab::new(Policy::Nothing);
            if end > 0 {
                lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
                lab.udp(S, C, &asks_again(&CHOSEN));
            }
            lab.udp(C, S, &part(Version::V1, &DCID, 1, &bytes, end, bytes.len() - lost));
            assert_eq!(lab.told().len(), before);
            lab.udp(S, C, &between(2, &[1, 2, 3], &CHOSEN));
            assert_eq!(lab.told().len(), before, "the mirror may be out of step");
            lab.udp(C, S, &goes_on);
            assert_eq!(lab.told().len(), before + usize::from(named), "{end} {lost}");
            if named {
                assert_eq!((lab.last().what, lab.last().notes), ("quic up.test".to_owned(), vec!["partial_message"]));
            }
            let mut ledger = std::mem::take(&mut lab.ledger);
            lab.engine.finish(&mut ledger);
            assert_eq!(ledger.total().get(Counter::QuicHellosIncomplete), 1, "{end} {lost}");
        }
    }
}

/// Other connections on the same ports neither end the wait nor are hidden by it.
#[test]
fn another_connection_meanwhile() {
    let (bytes, end) = stream("front.test", "up.test");
    let other = |from, to| {
        let hello = message("other.test");
        let mut frames = crypto(from, &hello[usize::from(from)..hello.len().min(to)]);
        frames.resize(1170, 0);
        seal(Header::new(Version::V1, &[7; 8]), &[7; 8], &frames)
    };
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
    lab.udp(S, C, &asks_again(&CHOSEN));
    lab.udp(C, S, &other(0, 70));
    lab.udp(C, S, &part(Version::V1, &CHOSEN, 1, &bytes, end, end + 70));
    lab.udp(C, S, &other(70, 9999));
    assert_eq!(lab.told(), ["quic front.test", "quic other.test"]);
    lab.finish();
    // The old one goes on while the new one begins.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &part(Version::V1, &DCID, 0, &bytes, 0, end));
    lab.udp(C, S, &other(0, 70));
    lab.udp(C, S, &between(2, &CHOSEN, &[1, 2, 3]));
    lab.udp(C, S, &other(70, 9999));
    assert_eq!(lab.told(), ["quic front.test", "quic other.test"]);
    lab.finish();
}

#[test]
fn hellos_that_wait_for_others_do_not_fill_the_memory() {
    let (bytes, end) = stream("front.test", "up.test");
    let first = part(Version::V1, &DCID, 0, &bytes, 0, end);
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { held_bytes: 8 << 10, ..Limits::default() });
    for port in 1024..1224 {
        lab.udp((CLIENT, port), S, &first);
        lab.udp((CLIENT, port), S, &acknowledgement());
        assert!(lab.engine.held() <= 8 << 10);
    }
    assert_eq!(lab.told().len(), 200);
    assert!(lab.count(Counter::StreamsEvicted) > 150);
    assert_eq!(lab.count(Counter::QuicHellosIncomplete), 0);
    lab.finish();
}
