//! HTTP/2 in streams.

use crate::base::{Addr, Stage};
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::packet::tcp_flags::ACK;
use crate::protocol::http2::sample::*;
use proptest::prelude::*;

/// A body that holds what a request looks like, in either version.
fn forged() -> Vec<u8> {
    [b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n".to_vec(), get(99, "forged.test", "/x"), opening()].concat()
}

/// A POST with a body in so many frames.
fn post(stream: u32, authority: &str, frames: usize) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", authority)];
    let mut out = frame(1, 0x4, stream, &block(&fields));
    for n in 0..frames {
        out.extend(frame(0, u8::from(n + 1 == frames), stream, &forged()));
    }
    out
}

fn told_of(stream: &[u8], size: usize) -> (Lab, Conn) {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 50_051);
    lab.open(&c);
    for part in stream.chunks(size) {
        lab.client(&mut c, part);
    }
    (lab, c)
}

fn told(stream: &[u8], size: usize) -> Vec<String> {
    told_of(stream, size).0.told()
}

#[test]
fn prior_knowledge_in_segments_of_any_size() {
    let stream = [
        opening(),
        get(1, "a.test:50051", "/1"),
        post(3, "B.test", 2),
        frame(8, 0, 0, &[0, 0, 9, 9]),
        frame(0x42, 0xff, 0, b"GET / HTTP/1.1\r\nHost: forged.test\r\n\r\n"),
        get(5, "c.test", "/3"),
        headers(3, &block(&[("x-trailer", "1")])),
    ]
    .concat();
    for size in [1, 2, 7, 23, 24, 25, 100, 5000] {
        let (mut lab, _) = told_of(&stream, size);
        assert_eq!(lab.told(), ["http a.test /1", "http b.test /p", "http c.test /3"], "{size}");
        assert_eq!((lab.count(Counter::Http2Connections), lab.count(Counter::HttpRequests)), (1, 3));
        assert_eq!((lab.count(Counter::HttpMalformed), lab.count(Counter::HttpNoHost)), (0, 0));
        assert!(lab.last().notes.is_empty());
        lab.finish();
    }
}

#[test]
fn a_table_entry_names_the_host_again() {
    let fields = [(":method", "GET"), (":path", "/1"), (":authority", "a.test")];
    let again = [0x82, 0xbf, 0xbe];
    let stream = [opening(), headers(1, &indexed(&fields)), headers(3, &again), headers(5, &again)].concat();
    for size in [1, 5000] {
        assert_eq!(told(&stream, size), ["http a.test /1"; 3], "{size}");
    }
}

#[test]
fn continuation_padding_and_priority() {
    let section = block(&[(":method", "GET"), (":path", "/1"), (":authority", "a.test"), ("x", &"y".repeat(300))]);
    let (a, rest) = section.split_at(9);
    let (b, c) = rest.split_at(100);
    let padded = [&[7, 0, 0, 0, 0, 200][..], a, &[0; 7]].concat();
    let stream = [
        opening(),
        frame(1, 0x1 | 0x8 | 0x20, 1, &padded),
        frame(9, 0, 1, b),
        frame(9, 0, 1, b""),
        frame(9, 0x4, 1, c),
        get(3, "b.test", "/2"),
    ]
    .concat();
    for size in [1, 11, 5000] {
        assert_eq!(told(&stream, size), ["http a.test /1", "http b.test /2"], "{size}");
    }
    // Another frame between them, or one of another stream, ends the
    // connection.
    for between in [frame(6, 0, 0, &[0; 8]), frame(9, 0x4, 3, c)] {
        let stream = [&opening()[..], &frame(1, 0, 1, a), &between, &get(5, "b.test", "/2")].concat();
        let (mut lab, _) = told_of(&stream, 5000);
        assert_eq!((lab.told().len(), lab.count(Counter::HttpMalformed)), (0, 1));
        lab.finish();
    }
}

#[test]
fn a_section_that_is_too_long_is_passed_over() {
    let part = vec![0; 16_000];
    let many: Vec<u8> = (0..5).flat_map(|_| frame(9, 0, 1, &part)).collect();
    let empty: Vec<u8> = (0..100).flat_map(|_| frame(9, 0, 1, b"")).collect();
    let single = frame(1, 0x4, 1, &vec![0; 70_000]);
    for long in [
        [frame(1, 0, 1, &part), many, frame(9, 0x4, 1, b"")].concat(),
        [frame(1, 0, 1, b"\x82"), empty, frame(9, 0x4, 1, b"")].concat(),
        single,
    ] {
        // What stands in the table from before or behind is not mixed up.
        let stream = [
            opening(),
            long,
            headers(3, &indexed(&[(":method", "GET"), (":authority", "a.test")])),
            headers(5, &[0x82, 0xc0]),
            headers(7, &indexed(&[(":method", "GET"), (":authority", "b.test")])),
            headers(9, &[0x82, 0xbe]),
            headers(11, &[0x82, 0xbe, 0xc2]),
        ]
        .concat();
        let (mut lab, _) = told_of(&stream, 1400);
        assert_eq!(lab.told(), ["http a.test ", "http  ", "http b.test ", "http b.test ", "http b.test "]);
        assert_eq!((lab.count(Counter::StreamOverflow), lab.count(Counter::Http2HostsLost)), (1, 1));
        lab.finish();
    }
}

#[test]
fn authority_and_host() {
    for (fields, what, notes) in [
        (&[(":authority", "a.test"), ("host", "A.test")][..], "http a.test ", vec![]),
        (&[(":authority", "a.test"), ("host", "b.test")], "http a.test+b.test ", vec!["ambiguous"]),
        (&[(":authority", "a.test"), (":authority", "b.test")], "http a.test+b.test ", vec!["ambiguous"]),
        (&[("host", "b.test:80")], "http b.test ", vec![]),
        (&[("host", "b.test"), ("host", "b.test")], "http b.test+b.test ", vec!["ambiguous"]),
        (&[(":authority", "[2001:db8::1]:80")], "http [2001:db8::1] ", vec![]),
        (&[("accept", "*/*")], "http  ", vec![]),
    ] {
        let stream = [opening(), headers(1, &[block(&[(":method", "GET")]), block(fields)].concat())].concat();
        let (mut lab, _) = told_of(&stream, 5000);
        assert_eq!((lab.last().what.as_str(), lab.last().notes), (what, notes), "{fields:?}");
        assert_eq!(lab.count(Counter::HttpNoHost), u64::from(fields[0].0 == "accept"));
        lab.finish();
    }
}

#[test]
fn tunnels_and_other_protocols() {
    let connect = [(":method", "CONNECT"), (":authority", "up.test:443")];
    let websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "up.test"),
    ];
    let stream = [
        opening(),
        frame(1, 0x4, 1, &block(&connect)),
        frame(0, 0, 1, &hello("inner.test")),
        headers(3, &block(&websocket)),
    ]
    .concat();
    let (mut lab, _) = told_of(&stream, 5000);
    assert_eq!(lab.told(), ["connect up.test", "http up.test /chat"]);
    assert_eq!(lab.engine.sink().told[0].notes, ["via_proxy"]);
    lab.finish();
}

#[test]
fn what_is_no_http2_ends_it() {
    for bad in [
        frame(4, 0, 0, &[0; 5]),
        frame(6, 0, 0, &[0; 7]),
        frame(8, 0, 1, &[0; 5]),
        headers(0, &[0x82]),
        headers(2, &[0x82]),
        frame(5, 0x4, 1, &[0, 0, 0, 2, 0x82]),
        frame(0, 0, 0, b"x"),
        frame(9, 0x4, 1, &[0x82]),
        frame(1, 0x4 | 0x8, 1, &[9, 0x82]),
    ] {
        let stream = [opening(), bad.clone(), get(3, "a.test", "/")].concat();
        let (mut lab, _) = told_of(&stream, 5000);
        assert_eq!((lab.told().len(), lab.count(Counter::HttpMalformed)), (0, 1), "{bad:x?}");
        lab.finish();
    }
    // SETTINGS come first.
    let (mut lab, _) = told_of(&[&crate::protocol::http2::PREFACE[..], &get(1, "a.test", "/")].concat(), 5000);
    assert_eq!((lab.told().len(), lab.count(Counter::HttpMalformed)), (0, 1));
    // A section with a fault gives what was whole before it.
    let cut = headers(1, &[block(&[(":method", "GET"), (":authority", "a.test")]), vec![0x80]].concat());
    let (mut lab, _) = told_of(&[opening(), cut, get(3, "b.test", "/")].concat(), 5000);
    assert_eq!((lab.told(), lab.last().notes), (vec!["http a.test ".to_owned()], vec!["partial_message"]));
    assert_eq!(lab.count(Counter::HttpMalformed), 1);
}

#[test]
fn a_priority_of_wrong_length_ends_no_connection() {
    for len in [0, 4, 6, 60] {
        let stream = [opening(), frame(2, 0, 1, &vec![0; len]), get(3, "a.test", "/")].concat();
        for size in [7, 5000] {
            let (mut lab, _) = told_of(&stream, size);
            assert_eq!((lab.told(), lab.count(Counter::HttpMalformed)), (vec!["http a.test /".to_owned()], 0), "{len}");
            lab.finish();
        }
    }
}

#[test]
fn an_upgraded_request_and_what_follows() {
    let asked = b"GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let stream = [&asked[..], &opening(), &headers(1, &block(&[("x", "y")])), &get(3, "b.test", "/2")].concat();
    for size in [1, 10, 5000] {
        assert_eq!(told(&stream, size), ["http a.test /1", "http b.test /2"], "{size}");
    }
    // The server goes on with HTTP/1.
    let refused = [&asked[..], b"PUT /2 HTTP/1.1\r\nHost: b.test\r\n\r\n"].concat();
    for size in [1, 5000] {
        assert_eq!(told(&refused, size), ["http a.test /1", "http b.test /2"], "{size}");
    }
}

/// The server's answer: field section and body.
fn answer(stream: u32, status: &str, body: usize) -> Vec<u8> {
    let section = block(&[(":status", status), ("server", "x")]);
    [frame(1, 0x4, stream, &section), frame(0, 0x1, stream, &vec![b'x'; body])].concat()
}

#[test]
fn stages_follow_the_status_and_the_body() {
    for (status, body, stage) in [
        ("200", 3000, Stage::Transferred),
        ("206", 3000, Stage::Transferred),
        ("200", 500, Stage::Connected),
        ("404", 3000, Stage::Connected),
        ("103", 3000, Stage::Attempted),
    ] {
        for size in [1, 700, 9000] {
            let mut lab = Lab::new(Policy::Names);
            let mut c = Conn::new(50_000, 80);
            lab.say(&mut c, &[opening(), get(1, "a.test", "/")].concat());
            for part in [settings(), frame(4, 1, 0, b""), answer(1, status, body)].concat().chunks(size) {
                lab.server(&mut c, part);
            }
            assert_eq!(lab.stage(0), stage, "{status} {body} {size}");
            lab.finish();
        }
    }
}

#[test]
fn only_the_contacts_own_streams_count() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, &[opening(), get(1, "a.test", "/")].concat());
    lab.server(&mut c, &settings());
    lab.client(&mut c, &get(3, "b.test", "/"));
    lab.server(&mut c, &answer(1, "200", 5000));
    assert_eq!((lab.stage(0), lab.stage(1)), (Stage::Attempted, Stage::Attempted), "stream 1 is no answer to b.test");
    lab.server(&mut c, &answer(3, "404", 5000));
    assert_eq!(lab.stage(1), Stage::Connected);
    // Trailers and another stream of the same host.
    lab.client(&mut c, &get(5, "b.test", "/"));
    lab.server(&mut c, &[answer(5, "200", 10), frame(1, 0x5, 5, &block(&[("x", "y")]))].concat());
    assert_eq!(lab.stage(1), Stage::Connected);
    lab.client(&mut c, &get(7, "b.test", "/"));
    lab.server(&mut c, &answer(7, "200", 2100));
    assert_eq!(lab.stage(1), Stage::Transferred);
    lab.finish();
}

#[test]
fn stages_after_an_upgrade() {
    let asked = b"GET /1 HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for size in [1, 40, 9000] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 80);
        lab.say(&mut c, asked);
        for part in [&switch[..], &settings(), &answer(1, "200", 1000)].concat().chunks(size) {
            lab.server(&mut c, part);
        }
        assert_eq!(lab.stage(0), Stage::Connected, "{size}");
        lab.client(&mut c, &[opening(), get(3, "a.test", "/2")].concat());
        lab.server(&mut c, &answer(3, "200", 3000));
        assert_eq!(lab.stage(0), Stage::Transferred, "{size}");
        lab.finish();
    }
}

#[test]
fn a_server_that_speaks_http_1_and_a_proxy_that_refuses() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, &[opening(), get(1, "a.test", "/")].concat());
    lab.server(&mut c, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(lab.stage(0), Stage::Connected);
    lab.finish();
    for (status, notes) in [("403", vec!["proxy_refused"]), ("200", vec![])] {
        let mut lab = Lab::new(Policy::Flows);
        let mut c = Conn::new(50_000, 3128);
        let connect = block(&[(":method", "CONNECT"), (":authority", "up.test:443")]);
        lab.say(&mut c, &[opening(), frame(1, 4, 1, &connect)].concat());
        lab.server(&mut c, &[settings(), answer(1, status, 3000)].concat());
        assert_eq!((lab.stage(0), lab.contact(0).notes), (Stage::Attempted, notes));
        lab.finish();
    }
}

#[test]
fn one_direction_alone_proves_the_contact() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.syn(&c);
    lab.client(&mut c, &[opening(), get(1, "a.test", "/")].concat());
    c.sent.1 = 5000;
    lab.ack(&c);
    assert_eq!(lab.stage(0), Stage::Connected);
    lab.finish();
}

#[test]
fn missing_bytes_of_a_body_and_of_frames() {
    // Inside a body they are passed over.
    let whole = post(1, "a.test", 1);
    let body = whole.len() - forged().len();
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client(&mut c, &opening());
    lab.client(&mut c, &whole[..body]);
    c.sent.0 += 10;
    lab.client(&mut c, &forged()[10..]);
    lab.wait(6000);
    lab.client(&mut c, &get(3, "b.test", "/2"));
    assert_eq!(lab.told(), ["http a.test /p", "http b.test /2"]);
    assert_eq!(lab.last().notes, ["gap"]);
    // Beyond its end nobody knows what they held.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client(&mut c, &opening());
    lab.client(&mut c, &whole[..body]);
    c.sent.0 += 5000;
    lab.client(&mut c, &get(3, "forged.test", "/2"));
    lab.wait(6000);
    lab.client(&mut c, &get(5, "forged.test", "/2"));
    assert_eq!(lab.told(), ["http a.test /p"]);
    lab.finish();
    // Between frames another beginning is looked for; entries that went into
    // the table meanwhile are not known.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    let first = headers(1, &indexed(&[(":method", "GET"), (":authority", "a.test")]));
    lab.client(&mut c, &[opening(), first].concat());
    c.sent.0 += 300;
    lab.client(&mut c, b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n");
    lab.wait(6000);
    lab.client(&mut c, &[0; 100]);
    lab.client(&mut c, &headers(5, &[0x82, 0xbe]));
    lab.client(&mut c, &get(7, "b.test", "/2"));
    lab.client(&mut c, &headers(9, &indexed(&[(":method", "GET"), (":authority", "c.test")])));
    lab.client(&mut c, &headers(11, &[0x82, 0xbe]));
    assert_eq!(lab.told(), ["http a.test ", "http  ", "http b.test /2", "http c.test ", "http c.test "]);
    assert_eq!((lab.last().notes, lab.count(Counter::Http2HostsLost)), (vec!["gap"], 1));
    lab.finish();
}

#[test]
fn a_snap_length_leaves_the_front_of_frames() {
    let fields = [(":method", "GET"), (":authority", "a.test"), ("cookie", &"x".repeat(500))];
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client(&mut c, &opening());
    lab.snap = 96;
    lab.client(&mut c, &headers(1, &indexed(&fields)));
    lab.client(&mut c, &headers(3, &[0x82, 0xbe]));
    lab.client(&mut c, &post(5, "b.test", 1));
    lab.client(&mut c, &get(7, "c.test", "/3"));
    assert_eq!(lab.told(), ["http a.test ", "http  ", "http b.test /p", "http c.test /3"]);
    let notes: Vec<_> = lab.engine.sink().told.iter().map(|t| t.notes.clone()).collect();
    assert_eq!(notes[0], ["gap", "partial_message"]);
    assert_eq!(lab.count(Counter::Http2HostsLost), 1);
    lab.finish();
}

#[test]
fn transfers_under_a_snap_length_and_over_a_hole() {
    for (snap, lost) in [(60, false), (usize::MAX, true)] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 80);
        lab.say(&mut c, &[opening(), get(1, "a.test", "/")].concat());
        let answer = [settings(), answer(1, "200", 9000)].concat();
        lab.snap = snap;
        for (i, part) in answer.chunks(1000).enumerate() {
            match i {
                3 if lost => c.sent.1 += 1000,
                _ => lab.server(&mut c, part),
            }
            if i == 5 {
                lab.wait(3000);
            }
        }
        assert_eq!(lab.stage(0), Stage::Transferred, "{snap}");
        lab.finish();
    }
}

#[test]
fn a_flood_of_connections_is_let_go() {
    let section = indexed(&[(":method", "GET"), (":path", &"/x".repeat(900)), (":authority", &"a.".repeat(900))]);
    let bytes = [opening(), headers(1, &section)].concat();
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { held_bytes: 100_000, ..Limits::default() });
    for i in 0..1000u32 {
        let [.., a, b] = i.to_be_bytes();
        let mut c = Conn { client: (Addr::v4([10, 1, a, b]), 50_000), ..Conn::new(0, 80) };
        lab.say(&mut c, &bytes);
        assert!(lab.engine.held() <= 100_000);
    }
    assert_eq!(lab.told().len(), 1000);
    assert!(lab.engine.held() > 50_000, "what is kept is counted");
    assert!(lab.count(Counter::StreamsEvicted) > 900);
    lab.finish();
}

#[test]
fn a_connection_that_lasts_outlives_those_that_come_and_go() {
    let limits = Limits { tcp_flows: 60, udp_flows: 4, ..Limits::default() };
    let mut lab = Lab::with_limits(Policy::Nothing, limits);
    let mut lasting = Conn::new(50_000, 80);
    lab.say(&mut lasting, &[opening(), get(1, "a.test", "/")].concat());
    let bytes = hello("up.test");
    for i in 0..2000u32 {
        let [.., a, b] = i.to_be_bytes();
        let mut c = Conn { client: (Addr::v4([10, 1, a, b]), 50_000), ..Conn::new(0, 443) };
        lab.client(&mut c, &bytes[..20]);
        lab.client(&mut c, &bytes[20..]);
        if i % 20 == 0 {
            lab.ack(&lasting);
        }
    }
    lab.client(&mut lasting, &get(3, "b.test", "/"));
    assert_eq!((lab.last().what.as_str(), lab.count(Counter::StreamsEvicted)), ("http b.test /", 0));
    lab.finish();
}

/// What a client sends: a request, with or without body, or a control frame.
fn message(stream: u32) -> impl Strategy<Value = (Vec<u8>, Option<String>)> {
    let host = "[a-z]{1,8}";
    prop_oneof![
        3 => host.prop_map(move |h| (get(stream, &h, "/g"), Some(format!("http {h} /g")))),
        2 => (host, 0usize..4).prop_map(move |(h, n)| (post(stream, &h, n), Some(format!("http {h} /p")))),
        1 => host.prop_map(move |h| {
            let fields = [(":method", "GET"), (":path", "/i"), (":authority", h.as_str())];
            (headers(stream, &indexed(&fields)), Some(format!("http {h} /i")))
        }),
        1 => Just((frame(6, 0, 0, &[7; 8]), None)),
    ]
}

proptest! {
    #[test]
    fn any_cut_and_repetition_tells_the_same(
        messages in (1usize..8).prop_flat_map(|n| (0..n as u32).map(|i| message(2 * i + 1)).collect::<Vec<_>>()),
        sizes in prop::collection::vec(1usize..90, 1..40),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), 1usize..300), 0..10),
        swaps in prop::collection::vec((0usize..100, 0usize..100), 0..30),
        isn: u32,
    ) {
        let mut stream = opening();
        stream.extend(messages.iter().flat_map(|(bytes, _)| bytes.clone()));
        let want: Vec<String> = messages.into_iter().filter_map(|(_, name)| name).collect();
        let mut parts: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        for size in sizes.iter().cycle() {
            let end = stream.len().min(at + size.max(&(stream.len() / 100)));
            parts.push((at, end));
            at = end;
            if at == stream.len() { break }
        }
        parts.extend(repeats.iter().map(|(start, len)| {
            let start = start.index(stream.len());
            (start, stream.len().min(start + len))
        }));
        let n = parts.len();
        for (a, b) in swaps {
            parts.swap(a % n, b % n);
        }
        let mut lab = Lab::new(Policy::Names);
        let c = Conn::new(50_000, 80).isn(isn, !isn);
        lab.open(&c);
        for (start, end) in parts {
            lab.client_at(&c, u32::try_from(start).unwrap(), ACK, &stream[start..end]);
        }
        prop_assert_eq!(lab.told(), want);
        prop_assert!(lab.engine.sink().told.iter().all(|t| t.notes.is_empty()));
        lab.finish();
    }

    #[test]
    fn no_loss_makes_a_body_a_request(
        hosts in prop::collection::vec("[a-z]{1,8}", 1..6),
        size in 15usize..400,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        // A request inside a body may be taken for one only where the bytes
        // that tell it from one are missing, and then with a note.
        let stream: Vec<u8> = hosts.iter().zip(0u32..).flat_map(|(h, i)| post(2 * i + 1, h, 2)).collect();
        let stream = [opening(), stream].concat();
        let parts: Vec<&[u8]> = stream.chunks(size).collect();
        let lost: Vec<usize> = lost.iter().map(|i| i.index(parts.len())).collect();
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 80);
        lab.open(&c);
        for (i, part) in parts.iter().enumerate() {
            if lost.contains(&i) {
                c.sent.0 += u32::try_from(part.len()).unwrap();
            } else {
                lab.client(&mut c, part);
            }
            lab.wait(6000);
        }
        lab.ack(&c);
        for told in &lab.engine.sink().told {
            let real = hosts.iter().any(|h| told.what == format!("http {h} /p") || told.what == "http  ");
            prop_assert!(real || !told.notes.is_empty(), "{:?}", told);
        }
        lab.finish();
    }

    #[test]
    fn any_bytes_behind_a_preface_are_survived(
        client in prop::collection::vec(any::<u8>(), 0..300),
        server in prop::collection::vec(any::<u8>(), 0..300),
        frames in prop::collection::vec((0u8..12, any::<u8>(), 0u32..8, prop::collection::vec(any::<u8>(), 0..40)), 0..12),
        sizes in prop::collection::vec(1usize..80, 1..20),
        snap in prop_oneof![Just(usize::MAX), 5usize..60],
    ) {
        let mut lab = Lab::new(Policy::Flows);
        let mut c = Conn::new(50_000, 80);
        lab.say(&mut c, &opening());
        lab.snap = snap;
        let frames: Vec<u8> = frames.iter().flat_map(|(k, f, s, p)| frame(*k, *f, *s, p)).collect();
        let client = [&get(1, "a.test", "/")[..], &frames, &client].concat();
        let server = [&settings()[..], &frames, &server].concat();
        let (mut client, mut server) = (&client[..], &server[..]);
        for size in sizes.iter().cycle() {
            let (now, later) = client.split_at(client.len().min(*size));
            lab.client(&mut c, now);
            client = later;
            let (now, later) = server.split_at(server.len().min(*size));
            lab.server(&mut c, now);
            server = later;
            if client.is_empty() && server.is_empty() { break }
        }
        lab.finish();
    }
}
