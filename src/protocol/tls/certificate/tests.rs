#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::sample;
use super::*;
use proptest::prelude::*;

fn names(der: &[u8]) -> Vec<String> {
    let mut list = Vec::new();
    certificate_names(der, |n| list.push(String::from_utf8_lossy(n).into_owned()));
    list
}

fn find(stream: &[u8]) -> Probe<Vec<String>> {
    match server_certificate(stream, &mut Vec::new()) {
        Probe::Found(der) => Probe::Found(names(der)),
        Probe::More(n) => Probe::More(n),
        Probe::Not => Probe::Not,
    }
}

fn flight(version: u16, der: &[u8]) -> Vec<Vec<u8>> {
    vec![sample::server_hello_message(version), sample::certificate_message(&[der, &[7; 900]])]
}

#[test]
fn alternative_names_come_first() {
    let der = sample::certificate(&["a.example", "cn.example"], &["*.b.example", "c.example"]);
    assert_eq!(names(&der), ["*.b.example", "c.example"]);
    assert_eq!(names(&sample::certificate(&["o.example", "cn.example"], &[])), ["cn.example"]);
    assert_eq!(names(&sample::certificate(&["*.cn.example"], &[])), ["*.cn.example"]);
    for odd in ["Some Organisation", "localhost", "a..b", "", "a b.example", "1.2.3.4\0x"] {
        assert!(names(&sample::certificate(&[odd], &[])).is_empty(), "{odd}");
    }
    let many: Vec<String> = (0..400).map(|i| format!("n{i}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(names(&sample::certificate(&[], &many)).len(), MAX_NAMES);
}

#[test]
fn a_broken_encoding_gives_nothing_that_is_not_there() {
    let der = sample::certificate(&["cn.example"], &["a.example", "b.example"]);
    for n in 0..der.len() {
        assert!(names(&der[..n]).is_empty(), "{n}");
    }
    // Indefinite lengths, lengths of five bytes.
    for wrong in [&[0x30, 0x80, 0x30, 0x80][..], &[0x30, 0x85, 0, 0, 0, 0, 0], b""] {
        assert!(names(wrong).is_empty());
    }
}

#[test]
fn the_certificate_is_found_over_records_and_segments() {
    let der = sample::certificate(&[], &["a.example"]);
    let want = Probe::Found(vec!["a.example".to_owned()]);
    let messages = flight(0x0303, &der);
    let apart = messages.iter().flat_map(|m| sample::record(22, m)).collect::<Vec<_>>();
    let together = sample::records(&messages.concat(), &[5000]);
    let small = sample::records(&messages.concat(), &[7, 50]);
    for stream in [apart, together, small] {
        assert!((1..stream.len()).all(|n| begins_server_handshake(&stream[..n])));
        assert_eq!(find(&stream), want);
        let mut found = false;
        for n in 0..stream.len() {
            match find(&stream[..n]) {
                Probe::More(m) => assert!(m > n && !found),
                other => {
                    assert_eq!(other, want, "{n}");
                    found = true;
                }
            }
        }
        assert!(found, "the chain's rest is not needed");
    }
    // The capture lacks the ServerHello.
    assert_eq!(find(&sample::record(22, &messages[1])), want);
}

#[test]
fn where_there_is_none_in_clear() {
    let der = sample::certificate(&[], &["a.example"]);
    let v13: Vec<u8> = sample::records(&flight(0x0304, &der).concat(), &[5000]);
    assert_eq!(find(&v13), Probe::Not);
    let hello = sample::record(22, &sample::server_hello_message(0x0303));
    assert_eq!(find(&[&hello[..], &sample::record(20, &[1])].concat()), Probe::Not, "resumption");
    assert_eq!(find(&[&hello[..], &sample::record(21, &[2, 40])].concat()), Probe::Not);
    assert!(matches!(find(&hello), Probe::More(_)));
    // A message that claims more than is read.
    let long = [&[11, 0, 0xff, 0xff, 0, 0xff, 0xf0, 0, 0xff, 0xe0][..], &[0; 40_000]].concat();
    assert_eq!(find(&sample::records(&long, &[16_000])), Probe::Not);
    // The leaf is longer than its message.
    assert_eq!(find(&sample::record(22, &sample::message(11, &[0, 0, 9, 0, 1, 0, 1, 2, 3]))), Probe::Not);
    for other in [&b"\x16\x03\x01\0\x05\x01"[..], b"HTTP/1", b"\x17\x03\x03\0\x20\x02", b"", b"H", b"\x16\x02"] {
        assert!(!begins_server_handshake(other));
    }
}

proptest! {
    #[test]
    fn damage_never_makes_a_name(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut der = sample::certificate(&["cn.example"], &["a.example", "b.example"]);
        let (at, cut) = (at.index(der.len()), cut.index(der.len() + 1));
        der[at] = byte;
        let der = &der[..cut];
        certificate_names(der, |n| {
            let inside = der.windows(n.len()).any(|w| w == n);
            assert!(inside);
        });
        let stream = sample::records(&flight(0x0303, der).concat(), &[300]);
        let _ = find(&stream);
    }
}
