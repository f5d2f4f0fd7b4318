//! The contract of `names`.

use crate::support::packets::{self, TEN, host};
use crate::support::program::{run, run_in};
use crate::support::writer::Pcap;
use crate::support::{sample_captures, samples};
use serde_json::Value;
use std::fs;

const CHANNELS: [&str; 7] =
    ["dns_query", "dns_answer", "dns_cname", "tls_sni", "quic_sni", "http_host", "http_connect"];

#[test]
fn rows_have_the_documented_fields_in_the_documented_order() {
    for capture in sample_captures() {
        let path = capture.to_string_lossy().into_owned();
        let ran = run(&["names", &path]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path}");
        let mut last = None;
        for (line, row) in ran.out.lines().zip(ran.json()) {
            let fields = ["file", "frame", "ts", "channel", "src", "sport", "dst", "dport", "name"];
            let at: Vec<usize> = fields.iter().map(|f| line.find(&format!("\"{f}\":")).expect(f)).collect();
            assert!(at.is_sorted(), "{line}");
            let more = usize::from(row.get("notes").is_some());
            assert_eq!(row.as_object().unwrap().len(), fields.len() + more, "{line}");
            assert_eq!(row["file"], path.as_str());
            let name = row["name"].as_str().unwrap();
            assert!(!name.is_empty() && name == name.to_lowercase() && !name.ends_with('.'), "{line}");
            let channel = CHANNELS.iter().position(|c| row["channel"] == **c).expect("a known channel");
            let place = (row["frame"].as_u64().unwrap(), channel, name.to_owned());
            assert!(Some(&place) >= last.as_ref(), "{line} comes after {last:?}");
            last = Some(place);
        }
        assert!(last.is_some(), "{path} has names");
    }
}

#[test]
fn known_names_stand_where_they_are() {
    let rows = |sample: &str| run(&["names", &samples().join(sample).to_string_lossy()]).json();
    let of = |rows: &[Value], channel: &str| -> Vec<(u64, String)> {
        let of = rows.iter().filter(|r| r["channel"] == channel);
        of.map(|r| (r["frame"].as_u64().unwrap(), r["name"].as_str().unwrap().to_owned())).collect()
    };
    let dns = rows("dns-udp.pcap");
    // Asked in mixed case; behind two aliases.
    assert!(of(&dns, "dns_query").contains(&(9, "dnl-01.geo.kaspersky.com".into())), "{dns:?}");
    let aliases = [(10, "dnl-01.geo.cdn.example.net".into()), (10, "edge7.cdn.example.net".into())];
    assert_eq!(of(&dns, "dns_cname"), aliases);
    // Frame 55 completes the ClientHello that frame 54 begins.
    assert!(of(&rows("browser-tcp.pcap"), "tls_sni").contains(&(55, "www.kaspersky.com".into())));
    assert!(of(&rows("browser-quic.pcap"), "quic_sni").contains(&(72, "www.kaspersky.com".into())));
    let proxy = rows("proxy.pcap");
    let connects: Vec<String> = of(&proxy, "http_connect").into_iter().map(|c| c.1).collect();
    assert_eq!(connects, ["s05.upd.kaspersky.com", "s10.upd.kaspersky.com"]);
}

#[test]
fn http_names_lose_the_port_and_several_are_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::new();
    let requests: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: A.Example.test:8080\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n",
        b"GET http://b.example.test:3128/x HTTP/1.1\r\nHost: c.example.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: d.example.test\r\nHost: e.example.test\r\n\r\n",
        b"CONNECT f.example.test:443 HTTP/1.1\r\nHost: g.example.test:443\r\n\r\n",
    ];
    for (i, request) in requests.iter().enumerate() {
        let port = 40_000 + i as u16;
        let frames = packets::connection((host(5), port), (packets::SERVER, 80), &[(request, b"")]);
        pcap.frames(TEN + i as i64 * packets::SECOND, &frames);
    }
    fs::write(dir.path().join("http.pcap"), pcap.bytes()).unwrap();
    let ran = run_in(dir.path(), &["names", "http.pcap"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let got: Vec<(String, String, String)> = ran
        .json()
        .iter()
        .map(|r| {
            let notes = r.get("notes").map(ToString::to_string).unwrap_or_default();
            (r["channel"].as_str().unwrap().into(), r["name"].as_str().unwrap().into(), notes)
        })
        .collect();
    let row = |c: &str, n: &str, notes: &str| (c.to_owned(), n.to_owned(), notes.to_owned());
    let want = [
        row("http_host", "a.example.test", ""),
        row("http_host", "[2001:db8::1]", ""),
        row("http_host", "b.example.test", "[\"via_proxy\"]"),
        row("http_host", "d.example.test", "[\"ambiguous\"]"),
        row("http_host", "e.example.test", "[\"ambiguous\"]"),
        row("http_host", "g.example.test", "[\"via_proxy\"]"),
        row("http_connect", "f.example.test", "[\"via_proxy\"]"),
    ];
    assert_eq!(got, want);
    assert_eq!(ran.json()[0]["file"], "http.pcap");
}

#[test]
fn odd_bytes_are_written_out_and_repetitions_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let question = packets::query(1, &[b"A.b\\\x1b", b"\xc3\xa9", b"test"]);
    let hello = packets::client_hello(b"Twice.Example.test");
    let mut frames = vec![packets::udp((host(5), 40_000), (packets::RESOLVER, 53), &question)];
    let mut connection = packets::connection((host(5), 40_001), (packets::SERVER, 443), &[(&hello, b"")]);
    connection.insert(4, connection[3].clone());
    frames.extend(connection);
    fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
    let rows = run_in(dir.path(), &["names", "a.pcap"]).json();
    let got: Vec<_> = rows.iter().map(|r| (r["frame"].as_u64().unwrap(), r["name"].as_str().unwrap())).collect();
    assert_eq!(got, [(1, r"a\x2eb\x5c\x1b.\xc3\xa9.test"), (5, "twice.example.test")]);
}

#[test]
fn frames_count_from_one_in_each_file_and_src_is_the_sender() {
    let dir = tempfile::tempdir().unwrap();
    let lookup = packets::lookup(host(7), 40_000, "one.example.test", packets::SERVER);
    for name in ["a.pcap", "b.pcap"] {
        fs::write(dir.path().join(name), Pcap::new().frames(TEN, &lookup).bytes()).unwrap();
    }
    let rows = run_in(dir.path(), &["names", "b.pcap", "a.pcap"]).json();
    let got: Vec<String> = rows
        .iter()
        .map(|r| format!("{} {} {} {}", r["file"], r["frame"], r["channel"], r["src"]).replace('"', ""))
        .collect();
    let of = |file: &str| [format!("{file} 1 dns_query 10.0.0.7"), format!("{file} 2 dns_answer 10.0.0.53")];
    assert_eq!(got, [of("b.pcap"), of("a.pcap")].concat());
    assert_eq!(rows[0]["ts"], "2026-03-01T10:00:00Z");
    assert_eq!((&rows[0]["sport"], &rows[0]["dport"]), (&40_000.into(), &53.into()));
}

#[test]
fn names_of_the_local_link_are_not_printed() {
    let dir = tempfile::tempdir().unwrap();
    let ask = |port: u16, dst: [u8; 4]| {
        packets::udp((host(5), port), (dst, port), &packets::query(1, &[b"printer", b"local"]))
    };
    let ssdp = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\r\n";
    let frames = [
        ask(5353, [224, 0, 0, 251]),
        ask(5355, [224, 0, 0, 252]),
        ask(137, [10, 0, 255, 255]),
        packets::udp((host(5), 40_000), ([239, 255, 255, 250], 1900), ssdp),
    ];
    fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
    let ran = run_in(dir.path(), &["names", "a.pcap"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
}

#[test]
fn output_goes_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let sample = samples().join("dns-udp.pcap").to_string_lossy().into_owned();
    let ran = run_in(dir.path(), &["names", &sample, "--output", "names.ndjson"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    let printed = run(&["names", &sample]).out;
    assert_eq!(fs::read_to_string(dir.path().join("names.ndjson")).unwrap(), printed);
}

/// The server name of a ClientHello that one segment holds, by `tls-parser`.
fn reference(payload: &[u8]) -> Option<String> {
    use tls_parser::{TlsExtension, TlsMessage, TlsMessageHandshake};
    let (_, record) = tls_parser::parse_tls_plaintext(payload).ok()?;
    let TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello)) = record.msg.first()? else { return None };
    let (_, extensions) = tls_parser::parse_tls_client_hello_extensions(hello.ext?).ok()?;
    extensions.iter().find_map(|e| match e {
        TlsExtension::SNI(list) => list.first().map(|(_, name)| String::from_utf8_lossy(name).into_owned()),
        _ => None,
    })
}

#[test]
fn server_names_are_those_that_another_parser_finds() {
    let mut compared = 0;
    for capture in sample_captures() {
        let bytes = fs::read(&capture).unwrap();
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        if !bytes.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) || u32_at(20) != 1 {
            continue;
        }
        let rows = run(&["names", &capture.to_string_lossy()]).json();
        let (mut at, mut frame) = (24, 0);
        while at < bytes.len() {
            let len = u32_at(at + 8) as usize;
            let packet = etherparse::SlicedPacket::from_ethernet(&bytes[at + 16..at + 16 + len]);
            (at, frame) = (at + 16 + len, frame + 1);
            let Ok(Some(etherparse::TransportSlice::Tcp(tcp))) = packet.map(|p| p.transport) else { continue };
            let Some(name) = reference(tcp.payload()) else { continue };
            let is_it = |r: &Value| r["channel"] == "tls_sni" && r["frame"] == frame && r["name"] == name.as_str();
            assert!(rows.iter().any(is_it), "{}: frame {frame}, {name}", capture.display());
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared}");
}
