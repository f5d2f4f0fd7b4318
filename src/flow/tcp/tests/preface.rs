//! What comes before TLS: plain text, SOCKS, PROXY headers.

use crate::base::Stage::{Attempted, Connected};
use crate::coverage::Counter;
use crate::flow::testing::*;

const NAME: &str = "dnl-01.geo.kaspersky.com";
const REQUEST5: &[u8] = b"\x05\x01\0\x03\x07up.test\x01\xbb";
const GRANTED5: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const REFUSED5: &[u8] = &[5, 4, 0, 1, 0, 0, 0, 0, 0, 0];
const REQUEST4: &[u8] = b"\x04\x01\x01\xbb\0\0\0\x01\0up.test\0";
const GRANTED4: &[u8] = &[0, 90, 0, 0, 0, 0, 0, 0];

fn tls() -> Vec<String> {
    vec![format!("tls {NAME}")]
}

/// Who speaks: the client or the server.
enum Turn {
    C(Vec<u8>),
    S(Vec<u8>),
}
use Turn::{C, S};

fn rdp() -> Vec<u8> {
    vec![3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0]
}

/// Dialogues up to the server's consent, by port.
fn dialogues() -> Vec<(u16, Vec<Turn>)> {
    let text = |lines: &[(&str, &str)]| {
        let turn = |(c, s): &(&str, &str)| [C(format!("{c}\r\n").into()), S(format!("{s}\r\n").into())];
        lines.iter().flat_map(turn).collect::<Vec<_>>()
    };
    let mut mysql = vec![32, 0, 0, 1, 0x85, 0xae, 0xff, 0x19, 0, 0, 0, 1, 0xff];
    mysql.resize(36, 0);
    let mut prelogin = vec![0x12, 1, 0, 0x1a, 0, 0, 0, 0, 0, 0, 0x0b];
    prelogin.resize(0x1a, 1);
    vec![
        (25, text(&[("EHLO x", "250-y\r\n250 STARTTLS"), ("STARTTLS", "220 go")])),
        (24, text(&[("LHLO x", "250 STARTTLS"), ("STARTTLS", "220 go")])),
        (143, text(&[("a1 CAPABILITY", "* CAPABILITY IMAP4rev1\r\na1 OK"), ("a2 STARTTLS", "a2 OK")])),
        (110, text(&[("CAPA", "+OK\r\nSTLS\r\n."), ("STLS", "+OK")])),
        (21, text(&[("FEAT", "211-x\r\n AUTH TLS\r\n211 end"), ("AUTH TLS", "234 go")])),
        (119, text(&[("MODE READER", "200 x"), ("STARTTLS", "382 go")])),
        (
            5222,
            vec![
                C(b"<stream:stream to='x'>".to_vec()),
                S(b"<stream:stream>".to_vec()),
                C(b"<starttls xmlns='y'/>".to_vec()),
                S(b"<proceed/>".to_vec()),
            ],
        ),
        (5432, vec![C(b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec()), S(b"S".to_vec())]),
        (3306, vec![S(b"\x05\0\0\0\x0a8.0\0".to_vec()), C(mysql)]),
        (
            389,
            vec![
                C(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037".to_vec()),
                S(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0".to_vec()),
            ],
        ),
        (3389, vec![C(rdp()), S(vec![3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0])]),
        (1433, vec![C(prelogin), S(vec![4, 1, 0, 0x0b, 0, 0, 1, 0, 0, 0, 6])]),
        (1080, vec![C(vec![5, 1, 0]), S(vec![5, 0]), C(REQUEST5.to_vec()), S(GRANTED5.to_vec())]),
        (
            1080,
            vec![
                C(vec![5, 2, 0, 2]),
                S(vec![5, 2]),
                C(b"\x01\x02me\x02pw".to_vec()),
                S(vec![1, 0]),
                C(REQUEST5.to_vec()),
                S(GRANTED5.to_vec()),
            ],
        ),
        (1080, vec![C(REQUEST4.to_vec()), S(GRANTED4.to_vec())]),
    ]
}

/// Whether a single byte is too little to know the protocol by.
fn is_binary(port: u16) -> bool {
    matches!(port, 389 | 1433 | 3306 | 3389 | 5432)
}

/// The hello, wrapped where the protocol wraps it.
fn wrapped(port: u16, kind: u8, record: &[u8]) -> Vec<u8> {
    match port {
        1433 => {
            let len = u8::try_from(record.len() + 8).unwrap();
            [&[kind, 1, 0, len, 0, 0, 0, 0][..], record].concat()
        }
        _ => record.to_vec(),
    }
}

/// Plays a dialogue and TLS behind it, in segments of so many bytes; the
/// server's part is seen or not, and said in time or only when the client has
/// sent its hello.
fn play(port: u16, turns: &[Turn], size: usize, server_seen: bool, waits: bool) -> Lab {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, port);
    lab.syn(&c);
    if server_seen {
        lab.syn_ack(&c);
    }
    let mut late = Vec::new();
    let mut early = Vec::new();
    for turn in turns {
        match turn {
            C(bytes) if waits => bytes.chunks(size).for_each(|part| lab.client(&mut c, part)),
            C(bytes) => early.extend_from_slice(bytes),
            S(bytes) if !server_seen => c.sent.1 += u32::try_from(bytes.len()).unwrap(),
            S(bytes) if waits => bytes.chunks(size).for_each(|part| lab.server(&mut c, part)),
            S(bytes) => late.extend_from_slice(bytes),
        }
    }
    early.extend(wrapped(port, 0x12, &hello(NAME)));
    early.chunks(size).for_each(|part| lab.client(&mut c, part));
    assert!(lab.engine.sink().contacts.iter().all(|c| c.stages.is_empty() && c.notes.is_empty()), "{port}");
    late.extend(wrapped(port, 4, &server_hello(0x0303, false)));
    if server_seen {
        late.chunks(size).for_each(|part| lab.server(&mut c, part));
    } else {
        c.sent.1 += u32::try_from(late.len()).unwrap();
        lab.ack(&c);
    }
    lab
}

#[test]
fn tls_begins_behind_each_preface() {
    for (port, turns) in dialogues() {
        for (size, server_seen) in [(1000, true), (1000, false), (7, true), (1, true)] {
            if size < 4 && is_binary(port) {
                continue;
            }
            let mut lab = play(port, &turns, size, server_seen, true);
            let what = format!("port {port}, size {size}, server {server_seen}");
            let told = lab.told();
            assert_eq!(told.last(), tls().first(), "{what}");
            let socks = port == 1080;
            assert_eq!(told.len(), if socks { 2 } else { 1 }, "{what} {told:?}");
            assert_eq!(lab.last().notes, if socks { vec!["via_proxy"] } else { vec![] }, "{what}");
            let last = lab.engine.sink().contacts.len() - 1;
            assert_eq!(lab.stage(last), Connected, "{what}");
        }
    }
}

#[test]
fn a_client_that_does_not_wait_is_understood() {
    for (port, turns) in dialogues() {
        for size in [1000, 7, 1] {
            if size < 4 && is_binary(port) {
                continue;
            }
            let mut lab = play(port, &turns, size, true, false);
            let told = lab.told();
            assert_eq!(told.last(), tls().first(), "port {port}, size {size}");
            let last = lab.engine.sink().contacts.len() - 1;
            assert_eq!(lab.stage(last), Connected, "port {port}, size {size}");
        }
    }
}

#[test]
fn a_hello_inside_a_mail_or_a_file_is_none() {
    let hello = hello(NAME);
    for opening in [
        &b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"[..],
        b"EHLO x\r\nBDAT 5000 LAST\r\n",
        b"a1 CAPABILITY\r\na2 APPEND Drafts {5000}\r\n",
        b"USER x\r\nSTOR f\r\n",
    ] {
        for between in [&b""[..], b"text\r\n", b"STARTTLS\r\n", b"a2 STARTTLS\r\n"] {
            let mut lab = Lab::new(Policy::Nothing);
            let mut c = Conn::new(50_000, 25);
            lab.say(&mut c, opening);
            lab.client(&mut c, between);
            lab.client(&mut c, &hello);
            lab.client(&mut c, &[between, &hello].concat());
            assert_eq!(lab.told(), ["?"], "{}", opening.escape_ascii());
        }
    }
    // Nor one that nobody asked for.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 25);
    lab.say(&mut c, b"EHLO x\r\n");
    lab.client(&mut c, &hello);
    assert_eq!(lab.told(), ["?"]);
}

#[test]
fn a_server_that_will_not_is_asked_again() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 25);
    lab.say(&mut c, b"EHLO x\r\n");
    for answer in [&b"454 not now\r\n"[..], b"220 go\r\n"] {
        lab.client(&mut c, b"NOOP\r\nSTARTTLS\r\n");
        lab.server(&mut c, answer);
    }
    lab.client(&mut c, &hello(NAME));
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!((lab.told(), lab.stage(0)), (tls(), Connected));
}

#[test]
fn prefaces_are_bounded() {
    for filler in [b"NOOP\r\n".repeat(70), [&b"NOOP "[..], &[b'x'; 5000], b"\r\n"].concat().repeat(4)] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 25);
        lab.say(&mut c, b"EHLO x\r\n");
        filler.chunks(1000).for_each(|part| lab.client(&mut c, part));
        lab.client(&mut c, b"STARTTLS\r\n");
        lab.client(&mut c, &hello(NAME));
        assert_eq!(lab.told(), ["?"]);
        assert_eq!((lab.engine.held(), lab.count(Counter::StreamOverflow)), (0, 1));
    }
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 25);
    lab.say(&mut c, b"EHLO x\r\n");
    for _ in 0..100 {
        lab.client(&mut c, &[b'x'; 1000]);
        assert!(lab.engine.held() < 20_000);
    }
    assert_eq!(lab.told(), ["?"]);
}

#[test]
fn a_socks_proxy_refuses() {
    for (request, answer) in [(REQUEST5, REFUSED5), (REQUEST4, &[0, 91, 0, 0, 0, 0, 0, 0][..])] {
        for waits in [true, false] {
            let mut lab = Lab::new(Policy::Names);
            let mut c = Conn::new(50_000, 1080);
            lab.open(&c);
            if request[0] == 5 {
                lab.client(&mut c, &[5, 1, 0]);
                lab.server(&mut c, &[5, 0]);
            }
            lab.client(&mut c, request);
            if !waits {
                lab.client(&mut c, &hello("up.test"));
            }
            lab.server(&mut c, answer);
            lab.server(&mut c, &[7; 5000]);
            lab.client(&mut c, b"anything");
            lab.server(&mut c, b"anything");
            assert_eq!(lab.told()[0], "socks up.test");
            assert_eq!((lab.stage(0), lab.contact(0).notes), (Attempted, vec!["proxy_refused"]), "{waits}");
        }
    }
    // None of the methods will do.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 1080);
    lab.say(&mut c, &[&[5, 1, 0][..], REQUEST5].concat());
    lab.server(&mut c, &[5, 0xff]);
    assert_eq!((lab.stage(0), lab.contact(0).notes), (Attempted, vec!["proxy_refused"]));
}

#[test]
fn what_follows_a_socks_proxys_consent_is_the_servers() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 1080);
    lab.say(&mut c, &[5, 1, 0]);
    lab.server(&mut c, &[5, 0]);
    lab.client(&mut c, b"\x05\x01\0\x01\xc0\0\x02\x07\0\x50");
    lab.server(&mut c, GRANTED5);
    assert_eq!(lab.stage(0), Attempted);
    let mut other = lab;
    let mut d = c;
    other.client(&mut d, b"\x01\x02\x03");
    assert_eq!(other.stage(0), Attempted);
    other.server(&mut d, b"\x01");
    assert_eq!((other.told(), other.stage(0)), (vec!["socks 192.0.2.7".to_owned()], Connected));
    // HTTP.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 1080);
    lab.say(&mut c, REQUEST4);
    lab.server(&mut c, GRANTED4);
    lab.client(&mut c, b"GET /x HTTP/1.1\r\nHost: up.test\r\n\r\n");
    assert_eq!(
        (lab.told(), lab.last().notes),
        (vec!["socks up.test".into(), "http up.test /x".into()], vec!["via_proxy"])
    );
    let last = lab.engine.sink().contacts.len() - 1;
    assert_eq!(lab.stage(last), Attempted);
    lab.server(&mut c, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(lab.stage(last), Connected);
}

#[test]
fn connect_without_waiting_for_the_answer() {
    let connect = b"CONNECT up.test:443 HTTP/1.1\r\n\r\n";
    for (status, stage, notes) in [("200 OK", Connected, vec![]), ("407 Password", Attempted, vec!["proxy_refused"])] {
        for size in [1000, 9] {
            let mut lab = Lab::new(Policy::Names);
            let mut c = Conn::new(50_000, 3128);
            lab.say(&mut c, &[&connect[..], &hello("up.test")].concat());
            let answer =
                [format!("HTTP/1.1 {status}\r\nVia: x\r\n\r\n").as_bytes(), &server_hello(0x0303, false)].concat();
            answer.chunks(size).for_each(|part| lab.server(&mut c, part));
            assert_eq!(lab.told(), ["connect up.test", "tls up.test"]);
            assert_eq!((lab.stage(0), lab.contact(0).notes), (stage, notes.clone()), "{status} {size}");
        }
    }
    // Where only the client is seen nobody knows whose answer it acknowledges.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 3128);
    lab.syn(&c);
    lab.ack(&c);
    lab.client(&mut c, &[&connect[..], &hello("up.test")].concat());
    c.sent.1 += 300;
    lab.ack(&c);
    assert_eq!(lab.stage(0), Attempted);
}

#[test]
fn a_proxy_header_where_the_start_was_not_seen() {
    let header = b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n";
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(443, 443).isn(9000, 80_000);
    c.sent = (500, 700);
    lab.client(&mut c, &[&header[..], &hello(NAME)].concat());
    assert_eq!((lab.told(), lab.last().notes, lab.last().client.1), (tls(), vec!["mid_stream"], 443));
}

#[test]
fn the_wish_for_tls_where_the_start_was_not_seen() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 25).isn(9000, 80_000);
    lab.client(&mut c, b"STARTTLS\r\n");
    lab.server(&mut c, b"220 go\r\n");
    lab.client(&mut c, &hello(NAME)[..50]);
    lab.client(&mut c, &hello(NAME)[50..]);
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["mid_stream"]));
}

#[test]
fn padding_that_is_taken_for_payload_hides_no_hello() {
    // What 60 bytes leave of 54 with and without four more of a tag or option.
    for len in [2, 6] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 443);
        lab.open(&c);
        lab.client_at(&c, 0, 0x10, &vec![0; len]);
        lab.client(&mut c, &hello(NAME));
        assert_eq!(lab.told().last(), tls().first(), "{len}");
    }
}

#[test]
fn an_ssl_2_hello_behind_a_wish_is_counted() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(50_000, 25);
    lab.say(&mut c, b"EHLO x\r\nSTARTTLS\r\n");
    lab.client(&mut c, &[0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, 0, 0]);
    assert_eq!(lab.count(crate::coverage::Counter::SslV2Hellos), 1);
}
