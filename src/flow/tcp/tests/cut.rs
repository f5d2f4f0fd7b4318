//! Names do not depend on how a stream is cut into segments.

use crate::flow::testing::*;
use crate::packet::tcp_flags::ACK;
use proptest::prelude::*;
use std::collections::BTreeSet;

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n";

/// What a stream may be made of.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(REQUEST.to_vec()),
        Just(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Just(b"CONNECT up.test:443 HTTP/1.1\r\n\r\n".to_vec()),
        Just(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n".to_vec()),
        Just(b"GET /y\r\nHost: b.test\r\n\r\n".to_vec()),
        Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        Just(b"STARTTLS\r\n".to_vec()),
        Just(b"EHLO a.test\r\n".to_vec()),
        Just(b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n".to_vec()),
        Just(hello("c.test")),
        Just(prefixed(&dns(1, "d.test", false))),
        "[ -~\r\n]{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

/// A message with its length, as in a stream.
fn prefixed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn names(stream: &[u8], port: u16, sizes: &[usize]) -> BTreeSet<String> {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, port);
    lab.open(&c);
    let mut rest = stream;
    for size in sizes.iter().cycle() {
        let (now, later) = rest.split_at(rest.len().min(*size));
        if now.is_empty() {
            break;
        }
        lab.client(&mut c, now);
        rest = later;
    }
    lab.told().into_iter().filter(|name| name != "?").collect()
}

proptest! {
    #[test]
    fn names_do_not_depend_on_the_cut(
        stream in stream(),
        port in prop_oneof![Just(80u16), Just(443), Just(25), Just(53), Just(5300)],
        sizes in prop::collection::vec(1usize..60, 1..12),
    ) {
        let whole = names(&stream, port, &[4096]);
        prop_assert_eq!(names(&stream, port, &sizes), whole);
    }
}

/// Found by fuzzing: what is no request, and a request at a segment's start.
#[test]
fn a_segment_in_the_midst_of_a_text_begins_no_request() {
    let text = [b"HTTP/1.1 200 OK\r\n\r\n", REQUEST].concat();
    assert_eq!(names(&text, 80, &[text.len()]), BTreeSet::new());
    assert_eq!(names(&text, 80, &[19, 1000]), BTreeSet::new());
    // Nor where the start of the stream was not seen.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.client(&mut c, b"of a file, and");
    lab.client(&mut c, REQUEST);
    assert_eq!(lab.told(), ["?"]);
    // But where the client answers to what it heard, even if nobody saw that.
    c.sent.1 += 100;
    lab.client(&mut c, REQUEST);
    assert_eq!(lab.told(), ["?", "http forged.test /x"]);
}

/// Found by the property: a command that begins like a method was known in a
/// tunnel only where its first bytes came together.
#[test]
fn a_wish_for_tls_in_a_tunnel_is_known_however_it_comes() {
    let stream = [&b"CONNECT up.test:443 HTTP/1.1\r\n\r\nSTARTTLS\r\n"[..], &hello("c.test")].concat();
    for size in [1, 3, 9, 4096] {
        let want = ["connect up.test", "tls c.test"].map(str::to_owned);
        assert_eq!(names(&stream, 80, &[size]), BTreeSet::from(want), "{size}");
    }
}

#[test]
fn a_body_whose_head_is_lost_gives_no_name() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client(&mut c, b"GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    lab.server(&mut c, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    c.sent.0 += 100; // the head of an upload
    lab.client(&mut c, REQUEST);
    lab.wait(6000);
    lab.client(&mut c, REQUEST);
    assert_eq!(lab.told(), ["http a.test /1"]);
    lab.server(&mut c, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    lab.client(&mut c, b"GET /3 HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_eq!(
        (lab.told(), lab.last().notes),
        (vec!["http a.test /1".to_owned(), "http b.test /3".to_owned()], vec!["gap", "mid_stream"])
    );
}

/// Text in a server's answer turns no flow around whose start was not seen.
#[test]
fn a_server_that_sends_a_request_is_no_client() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.client(&mut c, b"give me");
    lab.server(&mut c, b"a log:");
    lab.server_at(&c, c.sent.1, ACK, REQUEST);
    assert_eq!(lab.told(), ["?"]);
}

/// A first record holds no more than the header of a hello, which claims
/// 7.7 MB; what follows is no handshake record.
#[test]
fn a_broken_hello_is_told_the_same_however_it_is_cut() {
    let stream =
        [0x16, 3, 1, 0, 4, 1, 0x76, 0xb2, 0xfa, 0, 0, 0, 0, 0, 0, 0, 0xc9, 0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 0x55];
    for len in [10, stream.len()] {
        for n in 1..=len {
            let mut lab = Lab::new(Policy::Names);
            let mut c = Conn::new(50_000, 443);
            lab.open(&c);
            stream[..len].chunks(n).for_each(|piece| lab.client(&mut c, piece));
            assert_eq!(lab.told(), ["tls -"], "{len} bytes in pieces of {n}");
        }
    }
}
