//! Contacts through SOCKS proxies.

use super::super::testing_flow::*;
use crate::base::{Channel, Stage};
use crate::coverage::Counter;

fn request5(name: &str) -> Vec<u8> {
    [&[5, 1, 0, 3, name.len() as u8][..], name.as_bytes(), &[1, 0xbb]].concat()
}

const GRANTED: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const REFUSED: [u8; 10] = [5, 5, 0, 1, 0, 0, 0, 0, 0, 0];

#[test]
fn a_socks_proxys_answer_is_not_the_servers() {
    for (answer, stage, note) in
        [(GRANTED, Stage::Connected, "via_proxy"), (REFUSED, Stage::Attempted, "proxy_refused")]
    {
        let mut s = Scene::new();
        let mut t = s.connect("10.0.0.8", 1080);
        t.up(&mut s, &[5, 1, 0]).down(&mut s, &[5, 0]);
        t.up(&mut s, &request5(UPDATE)).down(&mut s, &answer);
        if stage == Stage::Connected {
            t.up(&mut s, &hello(Some(UPDATE), 0)).down(&mut s, &server_hello());
        }
        let seen = s.end();
        let r = seen.one();
        assert_eq!((r.stage, r.servers[0].ip), (stage, addr("10.0.0.8")));
        assert!(r.notes.iter().any(|n| n == note), "{:?}", r.notes);
        assert!(r.notes.iter().any(|n| n == "via_proxy"), "{:?}", r.notes);
        assert!(r.channels.contains(&Channel::Payload));
        assert_eq!(r.channels.contains(&Channel::TlsSni), stage == Stage::Connected);
    }
}

#[test]
fn an_address_that_an_answer_gave_is_asked_of_a_socks_proxy() {
    let server: [u8; 4] = [203, 0, 113, 9];
    let request = [&[5, 1, 0, 1][..], &server, &[1, 0xbb]].concat();
    for inner in [None, Some("www.example.org")] {
        let mut s = Scene::new();
        s.lookup(UPDATE, &[Rr::A(UPDATE, server, 300)]);
        let mut t = s.connect("10.0.0.8", 1080);
        t.up(&mut s, &[5, 1, 0]).down(&mut s, &[5, 0]);
        t.up(&mut s, &request).down(&mut s, &GRANTED);
        match inner {
            None => t.up(&mut s, b"\x01\x02").down(&mut s, b"\x03"),
            Some(name) => t.up(&mut s, &hello(Some(name), 0)).down(&mut s, &server_hello()),
        };
        let seen = s.end();
        let r = seen.one();
        assert_eq!(r.channels.contains(&Channel::Address), inner.is_none());
        let stage = if inner.is_none() { Stage::Connected } else { Stage::Answered };
        assert_eq!(r.stage, stage);
        assert_eq!(seen.get(Counter::AddressContradicted), u64::from(inner.is_some()));
    }
}

#[test]
fn an_address_of_the_vendor_is_asked_of_a_socks_proxy() {
    let mut s = Scene::new();
    let mut t = s.connect("10.0.0.8", 1080);
    t.up(&mut s, b"\x04\x01\x01\xbb\x4d\x4a\xb5\x26\0").down(&mut s, &[0, 90, 0, 0, 0, 0, 0, 0]);
    let seen = s.end();
    let all: Vec<_> = seen.standing.iter().chain(&seen.lonely).collect();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].channels.as_slice(), all[0].stage), (&[Channel::Netblock][..], Stage::Attempted));
}
