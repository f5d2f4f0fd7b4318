//! How far a contact got, and whose it is, on captures made for the purpose.

use crate::support::packets::{
    self, RESOLVER, SERVER, TEN, client_hello, connection, get, host, lookup, response, server_hello, udp,
};
use crate::support::program::run_in;
use crate::support::writer::Pcap;
use serde_json::Value;
use std::fs;

const NAME: &str = "s05.upd.kaspersky.com";

fn records(frames: &[Vec<u8>]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, frames).bytes()).unwrap();
    let ran = run_in(dir.path(), &["replay", "--format", "ndjson", "-q", "a.pcap"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.json()
}

#[track_caller]
fn only(frames: &[Vec<u8>]) -> Value {
    let mut records = records(frames);
    assert_eq!(records.len(), 1, "{records:#?}");
    records.remove(0)
}

/// A record of a TLS application data message.
fn application_data(n: u16) -> Vec<u8> {
    let mut r = Vec::from([23, 3, 3]);
    r.extend(n.to_be_bytes());
    r.resize(r.len() + usize::from(n), 0);
    r
}

#[test]
fn payload_before_the_name_was_complete_counts() {
    let mut frames = Vec::from(lookup(host(5), 40_000, NAME, SERVER));
    let mut hello = client_hello(NAME.as_bytes());
    // Padding (RFC 7685) makes it longer than a segment.
    let pad = 1500_u16;
    hello.extend([0, 21]);
    hello.extend(pad.to_be_bytes());
    hello.resize(hello.len() + usize::from(pad), 0);
    let more = u32::from(pad) + 4;
    let grow = |bytes: &mut Vec<u8>, at: usize, more: u32| {
        let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        bytes[at..at + 2].copy_from_slice(&(old + more as u16).to_be_bytes());
    };
    grow(&mut hello, 3, more);
    grow(&mut hello, 7, more);
    grow(&mut hello, 9 + 2 + 32 + 1 + 4 + 2, more);
    frames.extend(connection((host(5), 40_001), (SERVER, 443), &[(&hello, &server_hello())]));
    let r = only(&frames);
    assert_eq!(r["channels"].to_string(), r#"["dns_query","dns_answer","tls_sni"]"#);
    assert_eq!(
        (&r["bytes_to_server"], &r["bytes_from_server"]),
        (&hello.len().into(), &server_hello().len().into()),
        "{r}"
    );
    assert_eq!(r["stage"], "connected");
}

#[test]
fn only_a_good_answer_is_a_transfer() {
    let request = get(b"p00.upd.kaspersky.com", b"/", b"x");
    let stage = |answer: &[u8]| {
        only(&connection((host(5), 40_000), (SERVER, 80), &[(&request, answer)]))["stage"].as_str().unwrap().to_owned()
    };
    assert_eq!(stage(&response(4000)), "transferred");
    assert_eq!(stage(&response(100)), "connected");
    let missing = String::from_utf8(response(4000)).unwrap().replace("200 OK", "404 Not Found");
    assert_eq!(stage(missing.as_bytes()), "connected");
    assert_eq!(stage(b""), "attempted");
}

#[test]
fn a_proxy_connection_that_goes_on_to_another_host_proves_nothing_of_it() {
    let good = get(b"p00.upd.kaspersky.com", b"http://p00.upd.kaspersky.com/", b"x");
    let bad = get(NAME.as_bytes(), b"http://s05.upd.kaspersky.com/", b"x");
    let refusal = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let turns: [(&[u8], &[u8]); 2] = [(&good, &response(4000)), (&bad, refusal)];
    let records = records(&connection((host(5), 40_000), (host(8), 3128), &turns));
    let stages: Vec<String> = records.iter().map(|r| format!("{} {}", r["names"][0], r["stage"])).collect();
    assert_eq!(stages[0], r#""p00.upd.kaspersky.com" "transferred""#);
    assert!(!stages[1].contains("transferred"), "{stages:?}");
    assert!(records.iter().all(|r| r["notes"].to_string().contains("via_proxy")), "{records:#?}");
}

#[test]
fn a_proxys_refusal_is_not_the_servers_answer() {
    let ask = b"CONNECT s05.upd.kaspersky.com:443 HTTP/1.1\r\nHost: s05.upd.kaspersky.com:443\r\n\r\n";
    let refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3000\r\n\r\n".to_vec();
    let refusal = [refusal, vec![b'x'; 3000]].concat();
    let r = only(&connection((host(5), 40_000), (host(8), 3128), &[(ask, &refusal)]));
    assert_eq!(r["stage"], "attempted");
    assert_eq!(r["notes"].to_string(), r#"["proxy_refused","via_proxy"]"#);

    let consent = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let hello = client_hello(NAME.as_bytes());
    let turns: [(&[u8], &[u8]); 2] = [(ask, consent), (&hello, &[])];
    let r = only(&connection((host(5), 40_000), (host(8), 3128), &turns));
    assert_eq!(r["stage"], "attempted", "the tunnel stands, the server has said nothing");
    let turns: [(&[u8], &[u8]); 2] = [(ask, consent), (&hello, &server_hello())];
    let r = only(&connection((host(5), 40_000), (host(8), 3128), &turns));
    assert_eq!(r["stage"], "connected");
}

#[test]
fn an_answer_nobody_asked_for_makes_no_host() {
    let [question, answer] = lookup(host(5), 40_000, NAME, SERVER);
    assert_eq!(records(std::slice::from_ref(&answer)), Vec::<Value>::new());
    let r = only(&[question.clone(), answer]);
    assert_eq!(r["stage"], "answered");
    // An answer to another port or with another id is none to this question.
    let labels: Vec<&[u8]> = NAME.split('.').map(str::as_bytes).collect();
    for (port, id) in [(40_001, 40_000), (40_000, 40_001)] {
        let stray = udp((RESOLVER, 53), (host(5), port), &packets::answer(id, &labels, SERVER));
        assert_eq!(only(&[question.clone(), stray])["stage"], "queried");
    }
}

#[test]
fn an_address_speaks_where_no_name_does() {
    let mut frames = Vec::from(lookup(host(5), 40_000, NAME, SERVER));
    frames.extend(connection((host(5), 40_001), (SERVER, 4433), &[(b"\x05opaque", b"\x06opaque too")]));
    let r = only(&frames);
    assert_eq!(r["channels"].to_string(), r#"["dns_query","dns_answer","address"]"#);
    assert_eq!((&r["stage"], &r["bytes_from_server"]), (&"connected".into(), &11.into()));
    // A name of its own that is none of the vendor's contradicts the address.
    let mut frames = Vec::from(lookup(host(5), 40_000, NAME, SERVER));
    let hello = client_hello(b"www.example.test");
    frames.extend(connection((host(5), 40_001), (SERVER, 443), &[(&hello, &application_data(9000))]));
    let r = only(&frames);
    assert_eq!((&r["stage"], &r["bytes_to_server"]), (&"answered".into(), &0.into()));
}

#[test]
fn a_contact_over_midnight_is_in_both_days() {
    let request = get(b"p00.upd.kaspersky.com", b"/", b"x");
    let mut pcap = Pcap::new();
    // 2026-03-01T23:59:59.990Z on, the answer after midnight.
    let late = TEN + (14 * 3600 - 1) * packets::SECOND + 990_000_000;
    let frames = connection((host(5), 40_000), (SERVER, 80), &[(&request, &response(12_000))]);
    pcap.frames(late, &frames);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    let records = run_in(dir.path(), &["replay", "--format", "ndjson", "-q", "a.pcap"]).json();
    let days: Vec<&str> = records.iter().map(|r| r["period"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-03-01", "2026-03-02"]);
    assert_eq!(records[0]["slots"], "000000000000000000000001");
    assert_eq!(records[1]["slots"], "800000000000000000000000");
    assert!(records[1]["notes"].to_string().contains("continued"));
    let bytes: u64 = records.iter().map(|r| r["bytes_from_server"].as_u64().unwrap()).sum();
    assert_eq!(bytes as usize, response(12_000).len());
}
