use super::*;
use proptest::prelude::*;

/// Reads messages up to the one that asks; how many bytes that took.
fn asks_behind(protocol: Protocol, stream: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match protocol.client(&stream[at..]) {
            Ask::Other(n) => at += n,
            Ask::Tls(n) => return Some(at + n),
            Ask::More | Ask::End => return None,
        }
    }
}

fn mysql() -> Vec<u8> {
    let mut bytes = vec![32, 0, 0, 1, 0x85, 0xae, 0xff, 0x19, 0, 0, 0, 1, 0xff];
    bytes.resize(36, 0);
    bytes
}

fn tds() -> Vec<u8> {
    let mut bytes = vec![0x12, 1, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0x1a];
    bytes.resize(0x2f, 7);
    bytes
}

/// X.224 connection request with a cookie and a negotiation request.
fn rdp() -> Vec<u8> {
    let cookie = b"Cookie: mstshash=u\r\n";
    let li = u8::try_from(6 + cookie.len() + 8).unwrap();
    [&[3, 0, 0, li + 5, li, 0xe0, 0, 0, 0, 0, 0][..], cookie, &[1, 0, 8, 0, 3, 0, 0, 0]].concat()
}

const LDAP: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const LDAP_BIND: &[u8] = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
const XMPP: &[u8] = b"<?xml version='1.0'?><stream:stream to='x'\nversion='1.0'>\n\
    <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

fn talks() -> Vec<(Protocol, Vec<u8>)> {
    let lines = [
        &b"EHLO client.example\r\nSTARTTLS\r\n"[..],
        b"ehlo x\nnoop\nstarttls\n",
        b"LHLO x\r\nSTARTTLS \r\n",
        b"a001 CAPABILITY\r\na002 STARTTLS\r\n",
        b". starttls\r\n",
        b"CAPA\r\nSTLS\r\n",
        b"AUTH TLS\r\n",
        b"FEAT\r\nAUTH SSL\r\n",
        b"CAPABILITIES\r\nSTARTTLS\r\n",
    ];
    let mut all: Vec<_> = lines.iter().map(|l| (Protocol::Lines, l.to_vec())).collect();
    all.extend([
        (Protocol::Xmpp, XMPP.to_vec()),
        (Protocol::Postgres, vec![0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]),
        (Protocol::MySql, mysql()),
        (Protocol::Ldap, LDAP.to_vec()),
        (Protocol::Rdp, rdp()),
        (Protocol::Tds, tds()),
    ]);
    all
}

#[test]
fn each_protocol_is_known_by_its_start_and_asks() {
    for (protocol, talk) in talks() {
        assert_eq!(Protocol::of_client(&talk), Probe::Found(protocol), "{protocol:?}");
        assert_eq!(asks_behind(protocol, &talk), Some(talk.len()), "{protocol:?}");
        let hello = [&talk[..], &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]].concat();
        assert_eq!(asks_behind(protocol, &hello), Some(talk.len()), "{protocol:?}");
        for n in 0..talk.len() {
            assert_eq!(asks_behind(protocol, &talk[..n]), None, "{protocol:?} {n}");
            match Protocol::of_client(&talk[..n]) {
                Probe::More(m) => assert!(m > n),
                // A tag may be any word.
                Probe::Not => assert!(n < MIN_BINARY || protocol == Protocol::Lines, "{protocol:?} {n}"),
                Probe::Found(found) => assert_eq!(found, protocol),
            }
        }
    }
}

#[test]
fn what_asks_for_nothing() {
    for talk in [
        &b"EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\nSTARTTLS\r\n"[..],
        b"EHLO x\r\nBDAT 11 LAST\r\nSTARTTLS\r\n",
        b"a1 CAPABILITY\r\na2 APPEND box {10}\r\nSTARTTLS\r\n",
        b"USER x\r\nAUTH PLAIN dGVzdA==\r\nSTARTTLS now\r\n",
        b"EHLO x\r\n\x16\x03\x01\0\x05\nSTARTTLS\r\n",
    ] {
        assert_eq!(Protocol::of_client(talk), Probe::Found(Protocol::Lines));
        assert_eq!(asks_behind(Protocol::Lines, talk), None, "{}", talk.escape_ascii());
    }
    let bind = [LDAP_BIND, LDAP].concat();
    assert_eq!(Protocol::of_client(&bind), Probe::Found(Protocol::Ldap));
    assert_eq!(asks_behind(Protocol::Ldap, &bind), Some(bind.len()));
    assert_eq!(asks_behind(Protocol::Ldap, LDAP_BIND), None);
    let auth = b"<?xml?><stream:stream><auth/><starttls/>";
    assert_eq!(asks_behind(Protocol::Xmpp, auth), None);
}

#[test]
fn other_streams_begin_none() {
    for stream in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PI",
        b"\0\0",
        b"KE\0\0",
        b"\x16\x03\x01\x02",
        b"SSH-2.0-x\r\n",
        b"hello world\r\n",
        b"\x05\x01\0",
        b"\x13BitTorrent protocol",
        b"<html>",
        b"\0\0\0\x29\0\x03\0\0user",
        b"\x30\x82\x01\0\x30",
        b"\x03\0\0\x20\x02\xf0\x80",
        b"EHLOX y\r\n",
        b"\x20\0\0\x01\x85\xa6",
    ] {
        assert_eq!(Protocol::of_client(stream), Probe::Not, "{}", stream.escape_ascii());
    }
}

#[test]
fn what_a_server_says_before_tls() {
    let hello = [22, 3, 3, 0, 0x31, 2];
    for (protocol, talk) in [
        (Protocol::Lines, &b"250-x\r\n250 STARTTLS\r\n220 go ahead\r\n"[..]),
        (Protocol::Xmpp, b"<?xml?><stream:stream><mechanism>PLAIN</mechanism><proceed/>"),
        (Protocol::Postgres, b"S"),
        (Protocol::Ldap, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"),
        (Protocol::Rdp, b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0"),
        (Protocol::Tds, b"\x04\x01\0\x0b\0\0\x01\0\0\0\x06\x12\x01\0\x39\0\0\0\0"),
    ] {
        let stream = [talk, &hello].concat();
        let mut at = 0;
        while let Reply::Other(n) = protocol.server(&stream[at..]) {
            at += n;
        }
        assert_eq!((at, protocol.server(&stream[at..])), (talk.len(), Reply::End), "{protocol:?}");
        for n in 0..talk.len() {
            let mut at = 0;
            while let Reply::Other(n) = protocol.server(&stream[at..n]) {
                at += n;
                assert!(at <= n.max(at));
            }
        }
    }
}

#[test]
fn the_last_line_asks() {
    assert!(ends_asking(b"EHLO x\r\nSTARTTLS\r\n"));
    assert!(ends_asking(b"a1 STARTTLS\r\n"));
    for text in [&b"STARTTLS\r\nDATA\r\n"[..], b"STARTTLS", b"", b"\n", b"some text\r\n"] {
        assert!(!ends_asking(text), "{}", text.escape_ascii());
    }
}

/// A packet of one byte may be the start of a wrapped record.
#[test]
fn a_packet_is_judged_by_the_same_bytes_however_they_come() {
    let wrapped = b"\x12\x01\0\x09\0\0\0\0\x16\x03\x01";
    assert_eq!(Protocol::Tds.client(wrapped), Ask::Tls(8));
    for n in 1..10 {
        assert_eq!(Protocol::Tds.client(&wrapped[..n]), Ask::More, "{n}");
    }
    // What the first bytes rule out, later ones do not bring back.
    for other in [&b"\x04\x01\0\x2f\0\0\0\0\x16\x03"[..], b"\x12\x01\0\x05\0\0\0\0\x16\x03"] {
        for n in 4..=other.len() {
            assert_eq!(Protocol::Tds.client(&other[..n]), Ask::End, "{n}");
        }
    }
}

proptest! {
    /// Any bytes behind any start are read without harm and within them.
    #[test]
    fn any_bytes(which in 0usize..15, keep in 0usize..40, tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let talks = talks();
        let (_, talk) = &talks[which % talks.len()];
        let stream = [&talk[..keep.min(talk.len())], &tail].concat();
        for (protocol, _) in talks {
            if let Ask::Other(n) | Ask::Tls(n) = protocol.client(&stream) {
                prop_assert!(n > 0 && n <= stream.len());
            }
            if let Reply::Other(n) = protocol.server(&stream) {
                prop_assert!(n > 0 && n <= stream.len());
            }
        }
        let _ = (Protocol::of_client(&stream), Protocol::asks(&stream), ends_asking(&stream));
    }
}
