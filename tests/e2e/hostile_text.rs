//! Text from the network cannot act on the reader's terminal, spreadsheet or
//! parser.

use crate::support::packets::{self, SECOND, SERVER, TEN, host, udp};
use crate::support::program::run_in;
use crate::support::schema;
use crate::support::writer::Pcap;
use std::fs;
use tempfile::TempDir;

/// Names that a catalogue's suffix takes, whatever stands before it.
const LABELS: [&[u8]; 8] = [
    b"=cmd|' /C calc'!A0",
    b"+1+1",
    b"@SUM(1)",
    b"-2",
    b"a\x1b[31mred\x1b]0;title\x07",
    b"a\",\"b\r\nc",
    b"\xe2\x80\xaegnp.exe",
    b"a\x00b\x9bc\xff",
];

fn capture() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::new();
    for (i, label) in LABELS.iter().enumerate() {
        let (client, port) = (host(5 + i as u16), 40_000);
        let at = TEN + i as i64 * SECOND;
        let question = packets::query(1, &[label, b"upd", b"kaspersky", b"com"]);
        let name = [label, b".upd.kaspersky.com".as_slice()].concat();
        let hello = packets::client_hello(&name);
        // A request line ends at a space and a line feed.
        let word: Vec<u8> = label.iter().copied().filter(|b| !b" \r\n".contains(b)).collect();
        let path = [b"/bases/", &word[..], b"/x.kdc?q=", &word[..]].concat();
        let request = packets::get(b"p00.upd.kaspersky.com", &path, label);
        let host_request = packets::get(&name, b"/index/u1313g.xml", b"x");
        pcap.frame(at, &udp((client, port), (packets::RESOLVER, 53), &question));
        let payloads: [(u16, &[u8]); 3] = [(443, &hello), (80, &request), (8080, &host_request)];
        for (n, (server_port, payload)) in payloads.into_iter().enumerate() {
            let frames =
                packets::connection((client, port + 1 + n as u16), (SERVER, server_port), &[(payload, b"\x16")]);
            pcap.frames(at + 1000 * (n as i64 + 1), &frames);
        }
    }
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    dir
}

/// Nothing but printable characters and line ends.
#[track_caller]
fn clean(text: &str) {
    let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn the_table_and_the_summary_are_clean() {
    let dir = capture();
    let ran = run_in(dir.path(), &["replay", "a.pcap"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("10.0.0.5"), "{}", ran.out);
    clean(&ran.out);
    clean(&ran.err);
}

#[test]
fn records_are_clean_and_follow_the_schema() {
    let dir = capture();
    let ran = run_in(dir.path(), &["replay", "--format", "ndjson", "a.pcap"]);
    clean(&ran.out);
    let schema = schema::sighting();
    let records = ran.json();
    assert!(records.len() >= LABELS.len(), "{}", ran.out);
    for record in &records {
        let faults = schema::faults(&schema, record);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    let all = ran.out;
    assert!(all.contains(r"\\x1b[31m") && all.contains(r"\\xe2\\x80\\xae"), "{all}");
}

#[test]
fn names_are_clean() {
    let dir = capture();
    let ran = run_in(dir.path(), &["names", "a.pcap"]);
    assert_eq!(ran.code, 0);
    clean(&ran.out);
    let odd = ran.json().iter().filter(|r| r["name"].as_str().unwrap().contains(r"\x1b")).count();
    assert!(odd > 0, "{}", ran.out);
    for row in ran.json() {
        assert!(row["name"].as_str().unwrap().bytes().all(|b| (b' '..=b'~').contains(&b)), "{row}");
    }
}

/// A reader of CSV as RFC 4180 has it.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'), "a bare carriage return");
                if chars.peek().is_some() {
                    rows.push(vec![String::new()]);
                }
            }
            c => row.last_mut().unwrap().push(c),
        }
    }
    rows
}

#[test]
fn spreadsheets_run_nothing() {
    let dir = capture();
    let ran = run_in(dir.path(), &["replay", "--format", "csv", "a.pcap"]);
    clean(&ran.out.replace("\r\n", "\n"));
    let rows = cells(&ran.out);
    assert!(rows.len() > LABELS.len());
    assert!(rows.iter().all(|r| r.len() == rows[0].len()), "{}", ran.out);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell:?}");
    }
    assert!(ran.out.contains("'=cmd|"), "{}", ran.out);
}

/// What users name is shown back to them without harm too.
#[test]
fn paths_and_options_are_shown_clean() {
    let dir = capture();
    let name = "x\u{1b}[31m\n.pcap";
    for args in [["replay", "-q", name], ["names", "-q", name]] {
        let ran = run_in(dir.path(), &args);
        assert_eq!(ran.code, 3);
        clean(&ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{:?}", ran.err);
    }
    fs::copy(dir.path().join("a.pcap"), dir.path().join(name)).unwrap();
    let ran = run_in(dir.path(), &["replay", "--format", "ndjson", name]);
    clean(&ran.out);
    let names = run_in(dir.path(), &["names", name]);
    clean(&names.out);
    assert_eq!(names.json()[0]["file"], name);
}
