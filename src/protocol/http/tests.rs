//! Heads as clients, proxies and attackers send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::protocol::Probe;
use proptest::prelude::*;

fn found(head: &[u8]) -> Request<'_> {
    match request(head) {
        Probe::Found(r) => r,
        other => panic!("{other:?} for {}", head.escape_ascii()),
    }
}

fn hosts(r: &Request<'_>) -> Vec<String> {
    r.hosts.iter().map(|h| String::from_utf8_lossy(h).into_owned()).collect()
}

/// Head of a POST with these fields, each ended by CRLF.
fn post(fields: &str) -> String {
    format!("POST /u HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")
}

#[test]
fn a_plain_request() {
    let head = b"GET /index/u1313g.xml?x=1 HTTP/1.1\r\nHost: dnl-01.geo.kaspersky.com\r\nUser-Agent: av/1 \r\nAccept: */*\r\n\r\nNEXT";
    let r = found(head);
    assert_eq!((r.method, r.path, r.authority), (&b"GET"[..], &b"/index/u1313g.xml?x=1"[..], None));
    assert_eq!(hosts(&r), ["dnl-01.geo.kaspersky.com"]);
    assert_eq!(r.user_agent.as_deref(), Some(&b"av/1"[..]));
    assert_eq!((r.upgrade, r.body, r.len, r.odd), (Upgrade::None, Body::None, head.len() - 4, false));
}

#[test]
fn an_absolute_target_stands_beside_the_host_field() {
    let r = found(b"GET http://dnl-01.geo.kaspersky.com:80/x?y HTTP/1.1\r\nHost: proxy.test\r\n\r\n");
    assert_eq!((r.authority, r.path), (Some(&b"dnl-01.geo.kaspersky.com:80"[..]), &b"/x?y"[..]));
    assert_eq!((hosts(&r), r.odd), (vec!["proxy.test".to_owned()], false));
    let r = found(b"GET HTTPS://u:p@a.test HTTP/1.1\r\n\r\n");
    assert_eq!((r.authority.map(host_of), r.path), (Some(&b"a.test"[..]), &b"/"[..]));
    let r = found(b"GET http://a.test?q HTTP/1.1\r\n\r\n");
    assert_eq!((r.authority, r.path), (Some(&b"a.test"[..]), &b"?q"[..]));
    assert!(found(b"GET http://a.test\\@b.test/ HTTP/1.1\r\n\r\n").odd);
}

#[test]
fn connect_and_asterisk() {
    let r = found(
        b"CONNECT ds.kaspersky.com:443 HTTP/1.1\r\nHost: ds.kaspersky.com:443\r\nContent-Length: 9\r\n\r\n\x16\x03",
    );
    assert_eq!((r.authority, r.path), (Some(&b"ds.kaspersky.com:443"[..]), &b""[..]));
    assert_eq!((r.body, r.odd, r.hosts.len()), (Body::None, false, 1));
    let r = found(b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((r.authority, r.path, r.odd), (None, &b""[..], false));
}

#[test]
fn host_fields_as_sent() {
    for (fields, want, odd) in [
        ("Host: a.test:8080\r\n", &["a.test:8080"][..], false),
        ("hOST:a.test\r\n", &["a.test"], false),
        ("Host: \t a.test \t\r\n", &["a.test"], false),
        ("Host: [2001:db8::1]:80\r\n", &["[2001:db8::1]:80"], false),
        ("Host: a.test\r\nhost: b.test\r\n", &["a.test", "b.test"], false),
        ("Host : a.test\r\n", &["a.test"], true),
        ("Host:\r\n a.test\r\n", &["a.test"], true),
        ("Host: a\r\n\t.test \r\n \r\n", &["a .test"], true),
        ("Host: a.test\n", &["a.test"], true),
        (" Host: a.test\r\nHost: b.test\r\n", &["b.test"], true),
        ("no colon\r\n Host: c.test\r\nHost: b.test\r\n", &["b.test"], true),
        ("Host: a\0.test\r\n", &["a\0.test"], true),
        ("Host: a\r.test\r\n", &["a\r.test"], true),
        ("X-Host: a.test\r\nHos: b.test\r\n", &[], false),
        ("Host:\r\n", &[""], false),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let r = found(head.as_bytes());
        assert_eq!(
            (&hosts(&r)[..], r.odd),
            (&want.iter().map(|&w| w.to_owned()).collect::<Vec<_>>()[..], odd),
            "{fields:?}"
        );
        assert_eq!(r.len, head.len());
    }
}

#[test]
fn bare_lf_ends_lines_and_heads() {
    let r = found(b"GET / HTTP/1.1\nHost: a.test\n\nrest");
    assert_eq!((hosts(&r), r.len, r.odd), (vec!["a.test".to_owned()], 29, true));
    let r = found(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!((r.hosts.len(), r.odd), (0, false));
}

#[test]
fn empty_lines_before_the_request_are_skipped() {
    let r = found(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!((r.method, r.len, r.odd), (&b"GET"[..], 22, false));
    assert!(found(b"\nGET / HTTP/1.1\r\n\r\n").odd);
    assert_eq!(request(b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"), Probe::Not);
}

#[test]
fn odd_request_lines() {
    for line in [
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        "GET a.test/ HTTP/1.1",
    ] {
        let head = format!("{line}\r\nHost: a.test\r\n\r\n");
        let r = found(head.as_bytes());
        assert_eq!((r.odd, hosts(&r)), (true, vec!["a.test".to_owned()]), "{line}");
    }
    assert_eq!(found(b"GET /a b HTTP/1.1\r\n\r\n").path, b"/a b");
    let r = found(b"get /x HTTP/1.1\r\n\r\n");
    assert_eq!((r.method, r.odd), (&b"get"[..], false));
    assert!(!found(b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n").odd);
}

#[test]
fn other_protocols_are_refused_early() {
    for stream in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"SSH-2.0-OpenSSH_9.6p1 Debian",
        b"HTTP/1.1 200 OK\r\n",
        b"EHLO mail.test\r\n",
        b"USER anonymous\r\n",
        b"a1 LOGIN x y\r\n",
        b"NICK x\r\n",
        b"\0",
        b"GET\0",
        b" GET / HTTP/1.1\r\n",
        b"GET /\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"OPTIONS sip:a@b.test SIP/2.0\r\n\r\n",
        b"DESCRIBE rtsp://a.test/ RTSP/1.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET /\r\nno field\r\n\r\n",
        b"GET a.test\r\nHost: a.test\r\n\r\n",
        b"FOO /\r\nHost: a.test\r\n\r\n",
        b"GET / HTTP/1.1x\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"ABCDEFGHIJKLMNOPQRSTU",
        b"FOO bar",
    ] {
        assert_eq!(request(stream), Probe::Not, "{}", stream.escape_ascii());
    }
    assert_eq!(request(b""), Probe::More(1));
    assert_eq!(request(b"FOO htt"), Probe::More(8));
}

/// As of a client that forgot the version and was answered all the same.
#[test]
fn fields_tell_a_request_without_a_version() {
    let head = b"GET /gen.php?a=1\r\nHost: a.test\r\n\r\n";
    let Probe::Found(request) = request(head) else { panic!("it is a request") };
    assert_eq!(
        (request.path, &*request.hosts[0], request.odd, request.len),
        (&b"/gen.php?a=1"[..], &b"a.test"[..], true, head.len())
    );
    for n in 4..head.len() {
        assert!(matches!(super::request(&head[..n]), Probe::More(_)), "{n}");
    }
}

#[test]
fn middles_of_streams() {
    for bytes in [&b"GET "[..], b"GET /", b"POST", b"PROPF", b"CONNECT a"] {
        assert!(looks_like_request(bytes), "{}", bytes.escape_ascii());
    }
    for bytes in [&b"GET"[..], b"", b"GETX", b"POSTS", b"get /", b"HTTP/1.1", b"\x16\x03\x01\0"] {
        assert!(!looks_like_request(bytes), "{}", bytes.escape_ascii());
    }
}

#[test]
fn bodies_of_requests() {
    for (fields, body, odd) in [
        ("", Body::None, false),
        ("Content-Length: 0\r\n", Body::None, false),
        ("Content-Length: 12\r\n", Body::Length(12), false),
        ("content-length: 12\r\nContent-Length: 12\r\n", Body::Length(12), false),
        ("Content-Length: 12, 12\r\n", Body::Length(12), false),
        ("Content-Length: 12\r\nContent-Length: 13\r\n", Body::Unknown, true),
        ("Content-Length: +12\r\n", Body::Unknown, true),
        ("Content-Length: \r\n", Body::Unknown, true),
        ("Content-Length: 18446744073709551616\r\n", Body::Unknown, true),
        ("Transfer-Encoding: Chunked\r\n", Body::Chunked, false),
        ("Transfer-Encoding: gzip, chunked\r\n", Body::Chunked, false),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Body::Chunked, false),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", Body::Unknown, true),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", Body::Unknown, true),
        ("Transfer-Encoding: chunked, chunked\r\n", Body::Unknown, true),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Body::Unknown, true),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Body::Unknown, true),
        ("Transfer-Encoding : chunked\r\n", Body::Unknown, true),
        ("Content-Length : 3\r\n", Body::Unknown, true),
        ("Transfer-Encoding: , chunked ,\r\n", Body::Chunked, false),
        ("Transfer-Encoding: \r\n", Body::Unknown, true),
        ("Transfer-Encoding: chunked, gzip\r\n", Body::Unknown, true),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", Body::Unknown, true),
        ("Transfer-Encoding:\r\n chunked\r\n", Body::Chunked, true),
        ("Expect: 100-continue\r\nContent-Length: 7\r\n", Body::Length(7), false),
    ] {
        let head = post(fields);
        let r = found(head.as_bytes());
        assert_eq!((r.body, r.odd), (body, odd), "{fields:?}");
    }
    let old = found(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!((old.body, old.odd), (Body::Unknown, true));
}

#[test]
fn upgrades() {
    let r = found(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    assert!(r.upgrade == Upgrade::Http2 && !r.odd);
    for (fields, upgrade) in [
        ("Upgrade: websocket\r\n", Upgrade::Other),
        ("Upgrade: TLS/1.2, HTTP/1.1\r\n", Upgrade::Tls),
        ("upgrade: websocket\r\nUPGRADE: x , H2C\r\n", Upgrade::Http2),
        ("Upgrade:\r\n", Upgrade::Other),
        ("X-Upgrade: h2c\r\n", Upgrade::None),
    ] {
        assert_eq!(found(post(fields).as_bytes()).upgrade, upgrade, "{fields}");
    }
}

#[test]
fn pipelined_requests_follow_each_other_and_bodies_hide_nothing() {
    let stream = b"POST /a HTTP/1.1\r\nHost: one.test\r\nContent-Length: 44\r\n\r\n\
        GET / HTTP/1.1\r\nHost: x.kaspersky.com\r\n\r\n...\
        GET /b HTTP/1.1\r\nHost: two.test\r\n\r\n\
        PUT /c HTTP/1.1\r\nHost: three.test\r\nTransfer-Encoding: chunked\r\n\r\n\
        10\r\nGET / HTTP/1.1\r\n\r\n0\r\n\r\n\
        GET /d HTTP/1.1\r\nHost: four.test\r\n\r\n";
    let mut rest = &stream[..];
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let r = found(rest);
        seen.extend(hosts(&r));
        let mut len = r.len;
        if let Some(mut cursor) = BodyCursor::new(r.body) {
            let (taken, end) = cursor.advance(&rest[len..]).unwrap();
            assert!(end);
            len += taken;
        }
        rest = &rest[len..];
    }
    assert_eq!(seen, ["one.test", "two.test", "three.test", "four.test"]);
}

#[test]
fn long_heads_are_not_read() {
    let fill = |n: usize| [b"GET / HTTP/1.1\r\nHost: a.test\r\nCookie: ", &vec![b'x'; n][..]].concat();
    let mut head = fill(60_000);
    assert_eq!(request(&head), Probe::More(head.len() + 1));
    head.extend(b"\r\n\r\n");
    assert_eq!(found(&head).len, head.len());
    let head = fill(MAX_HEAD);
    assert_eq!(request(&head), Probe::Not);
    assert_eq!(hosts(&partial_request(&head).unwrap()), ["a.test"]);
    let lines = |n: usize| [b"GET / HTTP/1.1\r\n", &b"A:\r\n".repeat(n)[..], b"\r\n"].concat();
    assert!(matches!(request(&lines(MAX_LINES)), Probe::Found(_)));
    assert_eq!(request(&lines(MAX_LINES + 1)), Probe::Not);
    let target = [b"GET /", &vec![b'x'; MAX_HEAD][..]].concat();
    assert_eq!((request(&target), partial_request(&target)), (Probe::Not, None));
}

#[test]
fn a_cut_head_gives_the_fields_that_are_complete() {
    let head = b"GET /x HTTP/1.1\r\nHost: a.test\r\nCookie: 1\r\n\r\n";
    for n in 0..head.len() {
        let partial = partial_request(&head[..n]);
        assert_eq!(partial.is_some(), n >= 17, "{n}");
        if let Some(r) = partial {
            assert_eq!(r.hosts.len(), usize::from(n >= 32), "{n}");
            assert_eq!((r.path, r.body, r.len), (&b"/x"[..], Body::Unknown, n));
        }
    }
    assert_eq!(partial_request(head), None);
    assert!(partial_request(b"GET / HTTP/1.1\r\nHost: a.test\r\n ").unwrap().hosts.is_empty());
}

#[test]
fn status_lines() {
    for (line, code) in [("HTTP/1.1 200 OK\r\n", 200), ("HTTP/1.0 304\r\n", 304), ("HTTP/1.1 101 ", 101)] {
        assert_eq!(status(line.as_bytes()), Probe::Found(Status { code }));
        for n in 0..13 {
            assert_eq!(status(&line.as_bytes()[..n]), Probe::More(13));
        }
    }
    for line in
        ["HTTP/2 200 OK\r\n", "HTTP/1.1 2000 ", "HTTP/1.1  200 ", "HTTP/1.1 099 ", "ICY 200 OK", "X", "HTTP/1.1 2x"]
    {
        assert_eq!(status(line.as_bytes()), Probe::Not, "{line}");
    }
}

/// A valid head of any make.
pub(super) fn head() -> impl Strategy<Value = String> {
    let method =
        prop_oneof![prop::sample::select(vec!["GET", "POST", "M-SEARCH"]).prop_map(str::to_owned), "[A-Z]{1,20}",];
    let target = prop_oneof!["/[!-~]{0,20}", "http://[a-z.]{1,20}(/[a-z]{0,5})?", Just("*".to_owned())];
    let value = "[ \t]{0,2}[!-~]{0,12}( [!-~]{1,5})?";
    let field = ("[A-Za-z-]{1,12}|Host", value, prop::sample::select(vec!["\r\n", "\n", "\r\n x\r\n"]));
    let empty = prop::sample::select(vec!["", "\r\n", "\n\r\n"]);
    (empty, method, target, prop::collection::vec(field, 0..6)).prop_map(|(empty, method, target, fields)| {
        let fields: String = fields.iter().map(|(name, value, end)| format!("{name}:{value}{end}")).collect();
        format!("{empty}{method} {target} HTTP/1.1\r\n{fields}\r\n")
    })
}

proptest! {
    #[test]
    fn every_prefix_of_a_head_asks_for_more(head in head(), behind in "[ -~\r\n]{0,10}") {
        let bytes = head.as_bytes();
        for n in 0..bytes.len() {
            prop_assert_eq!(request(&bytes[..n]), Probe::More(n + 1), "{:?}", &head[..n]);
            let _ = partial_request(&bytes[..n]);
        }
        let more = format!("{head}{behind}");
        let whole = request(bytes);
        prop_assert_eq!(request(more.as_bytes()), whole.clone());
        let Probe::Found(r) = whole else { return Err(TestCaseError::fail("not found")) };
        prop_assert_eq!(r.len, bytes.len());
    }

    #[test]
    fn what_is_read_of_a_cut_head_is_in_the_whole_one(head in head(), cut in any::<prop::sample::Index>()) {
        let Probe::Found(whole) = request(head.as_bytes()) else { return Err(TestCaseError::fail("not found")) };
        if let Some(part) = partial_request(&head.as_bytes()[..cut.index(head.len())]) {
            prop_assert!(whole.hosts.starts_with(&part.hosts));
            prop_assert_eq!((part.method, part.path, part.authority), (whole.method, whole.path, whole.authority));
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!matches!(request(&bytes), Probe::Found(_)));
        let _ = (partial_request(&bytes), status(&bytes), host_of(&bytes), looks_like_request(&bytes));
    }

    #[test]
    fn changed_heads_are_survived(
        head in head(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = head.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        match request(&bytes) {
            Probe::Found(r) => prop_assert!(r.len <= bytes.len()),
            Probe::More(n) => prop_assert_eq!(n, bytes.len() + 1),
            Probe::Not => {}
        }
        let _ = partial_request(&bytes);
    }
}
