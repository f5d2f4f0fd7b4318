//! Requests in streams.

use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN};
use proptest::prelude::*;

fn request(n: u32) -> Vec<u8> {
    format!("GET /{n} HTTP/1.1\r\nHost: h{n}.test\r\n\r\n").into_bytes()
}

/// What is told of a stream in segments of a size.
fn told(stream: &[u8], size: usize) -> Vec<String> {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    for part in stream.chunks(size) {
        lab.client(&mut c, part);
    }
    lab.told()
}

#[test]
fn pipelining_in_segments_of_any_size() {
    let stream: Vec<u8> = (0..5).flat_map(request).collect();
    let want: Vec<String> = (0..5).map(|n| format!("http h{n}.test /{n}")).collect();
    for size in [1, 2, 3, 17, 40, 1000] {
        assert_eq!(told(&stream, size), want, "{size}");
    }
}

#[test]
fn keep_alive_with_responses_between() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    for n in 0..3 {
        lab.client(&mut c, &request(n));
        lab.server(&mut c, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        lab.wait(20_000);
    }
    assert_eq!(lab.told(), ["http h0.test /0", "http h1.test /1", "http h2.test /2"]);
    assert!(lab.last().notes.is_empty());
}

#[test]
fn a_request_inside_a_body_is_none() {
    let inner = "GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n";
    let length = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
        inner.len()
    );
    for body in [length, chunked] {
        let stream = [body.as_bytes(), &request(1)].concat();
        let head = body.find(inner).unwrap();
        for size in [1, head, 1000] {
            assert_eq!(told(&stream, size), ["http a.test /", "http h1.test /1"], "{size}");
        }
    }
    let unknown = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{inner}");
    assert_eq!(told(unknown.as_bytes(), unknown.find(inner).unwrap()), ["http a.test /"]);
}

#[test]
fn missing_bytes_of_a_body_are_passed_over() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client(&mut c, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000\r\n\r\n");
    lab.client(&mut c, &[b'x'; 1000]);
    c.sent.0 += 1000; // lost by the capture
    lab.client(&mut c, &[b'x'; 1000]);
    lab.wait(6000);
    lab.client(&mut c, &request(1));
    assert_eq!(lab.told(), ["http a.test /", "http h1.test /1"]);
    assert_eq!(lab.last().notes, ["gap"]);
    // A snap length takes the most of every segment.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.snap = 96;
    lab.client(&mut c, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000\r\n\r\n");
    lab.client(&mut c, &[b'x'; 1000]);
    lab.client(&mut c, &[b'x'; 1000]);
    lab.client(&mut c, &request(1));
    assert_eq!(lab.told(), ["http a.test /", "http h1.test /1"]);
    assert!(lab.last().notes.is_empty());
}

#[test]
fn a_body_that_is_let_go_holds_no_request() {
    let limits = Limits { held_bytes: 0, ..Limits::default() };
    let mut lab = Lab::with_limits(Policy::Nothing, limits);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000\r\n\r\n");
    c.sent.0 += 1000; // late, or lost
    lab.client(&mut c, &[b'x'; 1000]);
    assert_eq!(lab.count(Counter::StreamsEvicted), 1);
    lab.client(&mut c, &request(1));
    assert_eq!(lab.told(), ["http a.test /"]);
    lab.finish();
}

#[test]
fn a_cut_head_gives_its_host_if_that_was_whole() {
    let long = format!("GET /a HTTP/1.1\r\nHost: a.test\r\nCookie: {}\r\n\r\n", "x".repeat(500));
    for (snap, want) in [(96, vec!["http a.test /a"]), (24, vec!["?"])] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 80);
        lab.open(&c);
        lab.snap = snap;
        lab.client(&mut c, long.as_bytes());
        assert_eq!(lab.told(), want, "{snap}");
        assert_eq!(lab.last().notes.contains(&"partial_message"), snap == 96);
    }
}

#[test]
fn absolute_form_several_hosts_and_none() {
    let via = b"GET http://up.test:80/p HTTP/1.1\r\nHost: other.test\r\n\r\n";
    let several = b"GET /p HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
    let none = b"GET /p HTTP/1.0\r\n\r\n";
    for (head, what, notes) in [
        (&via[..], "http up.test /p", vec!["via_proxy"]),
        (&several[..], "http a.test+b.test /p", vec!["ambiguous"]),
        (&none[..], "http  /p", vec![]),
    ] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.say(&mut Conn::new(50_000, 80), head);
        assert_eq!((lab.last().what.as_str(), lab.last().notes), (what, notes));
        assert_eq!(lab.count(Counter::HttpNoHost), u64::from(head.starts_with(b"GET /p HTTP/1.0")));
    }
}

#[test]
fn a_head_longer_than_is_read_gives_what_came_first() {
    let many: String = (0..600).map(|i| format!("X-{i}: y\r\n")).collect();
    let long = format!("X: {}\r\n", "y".repeat(70_000));
    for more in [many, long] {
        let stream = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{more}\r\n");
        for size in [1000, 65_000] {
            let mut lab = Lab::new(Policy::Nothing);
            let mut c = Conn::new(50_000, 80);
            lab.open(&c);
            for part in stream.as_bytes().chunks(size) {
                lab.client(&mut c, part);
            }
            assert_eq!(lab.told(), ["http a.test /"], "{size}");
            assert_eq!((lab.last().notes, lab.count(Counter::StreamOverflow)), (vec!["partial_message"], 1));
            lab.finish();
        }
    }
}

#[test]
fn tls_inside_a_tunnel() {
    for size in [30, 1000] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 3128);
        lab.say(&mut c, b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n");
        lab.server(&mut c, b"HTTP/1.1 200 Connection established\r\n\r\n");
        for part in hello("up.test").chunks(size) {
            lab.client(&mut c, part);
        }
        assert_eq!(lab.told(), ["connect up.test", "tls up.test"]);
        assert_eq!(lab.engine.sink().told[0].notes, ["via_proxy"]);
    }
}

#[test]
fn a_tunnel_is_asked_for_twice() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 3128);
    lab.say(&mut c, b"CONNECT up.test:443 HTTP/1.1\r\n\r\n");
    lab.server(&mut c, b"HTTP/1.1 407 Authenticate\r\nContent-Length: 0\r\n\r\n");
    lab.client(&mut c, b"CONNECT up.test:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n");
    lab.client(&mut c, &hello("up.test"));
    assert_eq!(lab.told(), ["connect up.test", "connect up.test", "tls up.test"]);
}

#[test]
fn tls_behind_a_request() {
    let upgrade = b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n";
    for size in [1, 40, 1000] {
        let got = told(&[&upgrade[..], &hello("up.test")].concat(), size);
        assert_eq!(got, ["http a.test ", "tls up.test"], "{size}");
    }
}

#[test]
fn an_end_before_the_last_segment_does_not_hide_it() {
    let mut lab = Lab::new(Policy::Nothing);
    let c = Conn::new(50_000, 80);
    lab.open(&c);
    lab.client_at(&c, 0, ACK, b"GET / HTTP/1.1\r\n");
    lab.client_at(&c, 32, FIN | ACK, b"");
    lab.client_at(&c, 16, ACK, b"Host: a.test\r\n\r\n");
    assert_eq!(lab.told(), ["http a.test /"]);
}

#[test]
fn a_reset_by_the_server_does_not_turn_the_ends_round() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, b"GET / HTTP/1.1\r\nHost: a.test\r\nCookie: x");
    lab.server_reset(&c);
    assert_eq!((lab.last().what.as_str(), lab.last().client), ("http a.test /", (CLIENT, 50_000)));
}

#[test]
fn garbage_that_begins_like_a_request_is_let_go_early() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, b"GE");
    lab.client(&mut c, &[0xff; 100]);
    assert_eq!(lab.told(), ["?"]);
    assert_eq!(lab.count(Counter::HttpMalformed), 1);
    lab.finish();
}

#[test]
fn behind_a_body_that_servers_may_read_in_two_ways_nothing_is_read() {
    let inner = "GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 0\r\nContent-Length: 50",
    ] {
        let stream = format!("POST / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n0\r\n\r\n{inner}");
        for size in [1, stream.find(inner).unwrap(), 1000] {
            assert_eq!(told(stream.as_bytes(), size), ["http a.test /"], "{size}");
        }
        let mut lab = Lab::new(Policy::Nothing);
        lab.say(&mut Conn::new(50_000, 80), stream.as_bytes());
        assert_eq!(lab.count(Counter::HttpUnclear), 1, "what was left alone is counted");
    }
}

/// A client that sends more than it said: of its later requests none is lost
/// without a count, and those behind the answer are read.
#[test]
fn what_follows_a_request_and_is_none_is_counted() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (policy, answered) in [(Policy::Nothing, true), (Policy::Names, true), (Policy::Nothing, false)] {
        let mut lab = Lab::new(policy);
        let mut c = Conn::new(50_000, 80);
        let head = "POST /0 HTTP/1.1\r\nHost: h0.test\r\nContent-Length: 2\r\n\r\n";
        lab.say(&mut c, &[head.as_bytes(), b"ok, and more\r\n", &request(7)].concat());
        assert_eq!((lab.told().len(), lab.count(Counter::HttpUnclear)), (1, 1));
        if answered {
            lab.server(&mut c, ok);
        } else {
            c.sent.1 += 100; // by another way
        }
        lab.client(&mut c, &request(1));
        assert_eq!(lab.told(), ["http h0.test /0", "http h1.test /1"], "{policy:?} {answered}");
        assert_eq!((lab.count(Counter::HttpMalformed), lab.count(Counter::HttpUnclear)), (1, 1));
        lab.finish();
    }
}

#[test]
fn behind_the_answer_to_a_request_of_unclear_length_others_are_read() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (fields, body) in [
        ("Transfer-Encoding: identity", ""),
        ("Content-Length: ", ""),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Content-Length : 5", "hello"),
        ("Transfer-Encoding: chunked", "no size\r\n"),
        ("Transfer-Encoding: identity", "GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n"),
    ] {
        let head = format!("POST /0 HTTP/1.1\r\nHost: h0.test\r\n{fields}\r\n\r\n");
        for (policy, answered) in [(Policy::Nothing, true), (Policy::Names, true), (Policy::Nothing, false)] {
            let mut lab = Lab::new(policy);
            let mut c = Conn::new(50_000, 80);
            lab.open(&c);
            // Also in the midst of a connection, and sent twice.
            for turn in 0..3 {
                let from = c.sent.0;
                lab.client(&mut c, head.as_bytes());
                lab.client_at(&c, from, ACK, head.as_bytes());
                lab.client(&mut c, body.as_bytes());
                assert_eq!((lab.told().len(), lab.count(Counter::HttpMalformed)), (2 * turn + 1, turn as u64 + 1));
                if answered {
                    lab.server(&mut c, ok);
                } else {
                    c.sent.1 += 100; // by another way
                }
                lab.client(&mut c, &request(1));
                lab.client(&mut c, b"");
                if answered {
                    lab.server(&mut c, ok);
                }
            }
            assert_eq!(lab.told(), ["http h0.test /0", "http h1.test /1"].repeat(3), "{fields} {policy:?} {answered}");
            lab.finish();
        }
    }
}

#[test]
fn a_client_that_waits_for_100_and_one_that_does_not() {
    let head = b"PUT / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n";
    let body = &b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n  "[..40];
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, head);
    lab.server(&mut c, b"HTTP/1.1 100 Continue\r\n\r\n");
    lab.client(&mut c, body);
    lab.client(&mut c, &request(1));
    assert_eq!(lab.told(), ["http a.test /", "http h1.test /1"]);
}

#[test]
fn what_another_protocol_carries_is_no_request() {
    let ask = b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let text = b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n";
    // A frame header, then what looks like a request at the start of a segment.
    let frame = [&[0x81, 0x80 | 40, 0, 0, 0, 0][..], text].concat();
    for (answer, sent, want) in [
        ("101 Switching Protocols", &text[..], 1),
        ("101 Switching Protocols", &frame, 1),
        ("400 No", &text[..], 3),
        ("103 Early Hints", &text[..], 3),
    ] {
        for (policy, size) in
            [(Policy::Nothing, 99), (Policy::Names, 99), (Policy::Nothing, 1), (Policy::Names, 1), (Policy::Flows, 5)]
        {
            let mut lab = Lab::new(policy);
            let mut c = Conn::new(50_000, 80);
            lab.say(&mut c, ask);
            let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
            answer.as_bytes().chunks(size).for_each(|part| lab.server(&mut c, part));
            lab.client(&mut c, sent);
            lab.client(&mut c, text);
            let told = lab.told();
            assert_eq!(told.len(), want, "{answer} {told:?}");
            lab.finish();
        }
    }
    // The server's half was not captured: the frame itself shows it.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 80);
    lab.say(&mut c, ask);
    lab.client(&mut c, &frame);
    lab.client(&mut c, text);
    assert_eq!(lab.told(), ["http a.test /chat"]);
}

#[test]
fn plain_http_inside_a_tunnel() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 3128);
    lab.say(&mut c, b"CONNECT up.test:80 HTTP/1.1\r\nHost: up.test:80\r\n\r\n");
    lab.server(&mut c, b"HTTP/1.1 200 OK\r\n\r\n");
    lab.client(&mut c, &request(1));
    lab.client(&mut c, &request(2));
    assert_eq!(lab.told(), ["connect up.test", "http h1.test /1", "http h2.test /2"]);
}

#[test]
fn http2_inside_a_tunnel_and_behind_a_proxy_header() {
    use crate::protocol::http2::sample::{get, opening};
    let http2 = [opening(), get(1, "a.test", "/1")].concat();
    for (before, first) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n", None),
        ("CONNECT up.test:80 HTTP/1.1\r\n\r\n", Some("connect up.test")),
    ] {
        let stream = [before.as_bytes(), &http2].concat();
        let want: Vec<&str> = first.into_iter().chain(["http a.test /1"]).collect();
        for size in [1, 9, 1000] {
            assert_eq!(told(&stream, size), want, "{size}");
        }
    }
}

#[test]
fn methods_beyond_the_common_ones() {
    for (head, want) in [
        ("PROPFIND /d HTTP/1.1\r\nHost: a.test\r\n\r\n", "http a.test /d"),
        ("MKCALENDAR /d HTTP/1.1\r\nHost: a.test\r\n\r\n", "http a.test /d"),
        ("POST\t/d HTTP/1.1\r\nHost: a.test\r\n\r\n", "http a.test /d"),
        ("NOTIFY /d HTTP/1.1\r\nHost: a.test\r\n\r\n", "http a.test /d"),
        ("M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\n\r\n", "http  "),
        ("GET /g?a=1\r\nHost: a.test\r\n\r\n", "http a.test /g?a=1"),
        ("GET /\r\n\r\n", "?"),
        ("GET /\r\nno field\r\n\r\n", "?"),
        ("GET a.test\r\nHost: a.test\r\n\r\n", "?"),
        ("DESCRIBE rtsp://a.test/ RTSP/1.0\r\nHost: a.test\r\n\r\n", "?"),
        ("INVITE sip:a@b.test SIP/2.0\r\nHost: a.test\r\n\r\n", "?"),
        ("GET / ICY/1.0\r\nHost: a.test\r\n\r\n", "?"),
    ] {
        assert_eq!(told(head.as_bytes(), 1000), [want], "{head}");
    }
}

/// A body with text of requests in it, with its framing fields.
fn body() -> impl Strategy<Value = (String, Vec<u8>)> {
    let line = prop_oneof![
        Just("GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n".to_owned()),
        Just("POST /x HTTP/1.1\nHost: forged.test\nContent-Length: 3\n\n".to_owned()),
        Just("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        Just("0\r\n\r\n".to_owned()),
        "[ -~\r\n]{0,30}",
    ];
    let text = prop::collection::vec(line, 0..6);
    (text, prop::option::of(prop::collection::vec(1usize..60, 1..9))).prop_map(|(text, chunks)| {
        let text = text.concat().into_bytes();
        let Some(chunks) = chunks else { return (format!("Content-Length: {}\r\n", text.len()), text) };
        let (mut body, mut rest) = (Vec::new(), &text[..]);
        for n in chunks.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*n));
            if now.is_empty() {
                break;
            }
            body.extend(format!("{:X};ext=\"GET / HTTP/1.1\"\r\n", now.len()).bytes());
            body.extend(now);
            body.extend(b"\r\n");
            rest = later;
        }
        body.extend(b"0\r\nHost: forged.test\r\n\r\n");
        ("Transfer-Encoding: chunked\r\n".to_owned(), body)
    })
}

proptest! {
    #[test]
    fn no_body_adds_a_name(
        bodies in prop::collection::vec(body(), 1..5),
        sizes in prop::collection::vec(1usize..90, 1..30),
        again in any::<prop::sample::Index>(),
    ) {
        let mut stream = Vec::new();
        for (n, (field, body)) in bodies.iter().enumerate() {
            stream.extend(format!("POST /{n} HTTP/1.1\r\nHost: h{n}.test\r\n{field}\r\n").bytes());
            stream.extend(body);
        }
        let want: Vec<String> = (0..bodies.len()).map(|n| format!("http h{n}.test /{n}")).collect();
        let mut lab = Lab::new(Policy::Names);
        let c = Conn::new(50_000, 80);
        lab.open(&c);
        let mut at = 0;
        for size in sizes.iter().cycle() {
            let end = stream.len().min(at + size);
            lab.client_at(&c, u32::try_from(at).unwrap(), ACK, &stream[at..end]);
            // An earlier part is sent once more.
            let from = again.index(end);
            lab.client_at(&c, u32::try_from(from).unwrap(), ACK, &stream[from..end.min(from + size)]);
            at = end;
            if at == stream.len() { break }
        }
        prop_assert_eq!(lab.told(), want);
        lab.finish();
    }
}
