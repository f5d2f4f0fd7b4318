//! `explain`: a sighting or a host, down to the frames.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, run_in};
use crate::support::writer::Pcap;
use crate::support::{compress, samples, sha256};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DAY: i64 = 86_400 * SECOND;
const CLIENT: &str = "10.0.0.5";

/// Frames of an update with the client's hardware address.
fn update(mac: u8, client: [u8; 4]) -> Vec<Vec<u8>> {
    let mut frames = packets::update(client, 40_000);
    for frame in &mut frames {
        let at = if frame[26..30] == client { 6 } else { 0 };
        frame[at..at + 6].copy_from_slice(&[2, 0, 0, 0, 0, mac]);
    }
    frames
}

/// A folder with a capture of one update, replayed into a store.
fn replayed(name: &str, more: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Pcap::new().frames(TEN, &update(5, host(5))).bytes().to_vec();
    let bytes = if name.ends_with(".gz") { compress::gzip(&bytes) } else { bytes };
    fs::write(dir.path().join(name), bytes).unwrap();
    let ran = run_in(dir.path(), &[&["replay", "-q", "--store", "s.sqlite", name], more].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    dir
}

fn explain(dir: &TempDir, what: &str, more: &[&str]) -> Ran {
    run_in(dir.path(), &[&["explain", "--store", "s.sqlite", what], more].concat())
}

/// The lines of the sightings.
fn sightings(dir: &TempDir, what: &str, more: &[&str]) -> Vec<Value> {
    let ran = explain(dir, what, &[more, &["--format", "ndjson"]].concat());
    let lines: Vec<Value> = ran.json().into_iter().filter(|l| l["kind"] == "sighting").collect();
    assert!(!lines.is_empty(), "{ran:?}");
    lines
}

/// The state of each frame, with the file.
fn states(lines: &[Value]) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let frames = lines.iter().flat_map(|l| l["frames"].as_array().unwrap());
    frames.map(|f| (text(&f["state"]), text(&f["file"]))).collect()
}

#[track_caller]
fn all_are(lines: &[Value], state: &str, file: &str) {
    let states = states(lines);
    assert!(!states.is_empty() && states.iter().all(|s| *s == (state.to_owned(), file.to_owned())), "{states:?}");
}

#[test]
fn a_sighting_is_found_by_its_id_and_by_the_beginning_of_it() {
    let dir = replayed("a.pcap", &[]);
    let lines = sightings(&dir, CLIENT, &[]);
    for line in &lines {
        let id = line["record"]["id"].as_str().unwrap();
        assert_eq!(sightings(&dir, id, &[]), std::slice::from_ref(line));
        assert_eq!(sightings(&dir, &id[..8].to_uppercase(), &[]), std::slice::from_ref(line));
    }
    explain(&dir, "0123456789abcdef", &[]).said_once(3, &["neither a sighting nor a host 0123456789abcdef"]);
    explain(&dir, "0123456", &[]).said_once(3, &["no host 0123456", "at least 8 digits of the id"]);
}

#[test]
fn a_host_is_found_by_address_mac_and_name() {
    let dir = replayed("a.pcap", &[]);
    let by_address = explain(&dir, CLIENT, &[]);
    assert_eq!((by_address.code, by_address.err.as_str()), (0, ""));
    assert_eq!(explain(&dir, "02:00:00:00:00:05", &[]).out, by_address.out);
    fs::write(dir.path().join("inv.csv"), "address,name\n10.0.0.5,Reception.Example\n").unwrap();
    for name in ["reception.example", "RECEPTION"] {
        let named = explain(&dir, name, &["--inventory", "inv.csv"]);
        assert_eq!(named.code, 0, "{named:?}");
        assert!(named.out.lines().next().unwrap().contains("Reception.Example (inventory)"), "{}", named.out);
    }
    let text = by_address.out;
    for words in [
        "10.0.0.5  02:00:00:00:00:05",
        "verdict    updating (counted as use)",
        "rule       updating: an update contact of stage transferred",
        "known by   traffic: 10.0.0.5 02:00:00:00:00:05",
        "TIMELINE (UTC)\n  2026-03-01\n    10:00:00 to 10:00:00  transferred  update",
        "stage      transferred: 2,048 bytes or more came from the server after the client's first request",
        "layers     ETHERNET > IPv4 > TCP",
        "HTTP request GET /index/u1313g.xml",
        "question p00.upd.kaspersky.com A",
        "dns.flags.response == 1 && dns.qry.name == \"p00.upd.kaspersky.com\"",
        "server to client",
    ] {
        assert!(text.contains(words), "{words:?} is missing in {text}");
    }
    explain(&dir, "10.0.0.6", &[]).said_once(3, &["no host 10.0.0.6"]);
    explain(&dir, CLIENT, &["--since", "2027-01-01"]).said_once(3, &["between --since and --until"]);
    explain(&dir, CLIENT, &["--since", "2027-01-01", "--until", "2026-01-01"]).said_once(2, &["is not before --until"]);
}

/// Captures and evidence are what is shown; an explanation never takes their place.
#[test]
fn no_capture_and_no_evidence_is_written_over() {
    let dir = replayed("a.pcap", &["--evidence-dir", "ev"]);
    let at = |name: &str| dir.path().join(name);
    let capture = fs::read(at("a.pcap")).unwrap();
    fs::create_dir(at("more")).unwrap();
    fs::write(at("more/b.pcap"), Pcap::new().frames(TEN, &update(9, host(9))).bytes()).unwrap();
    let packets =
        fs::read_dir(at("ev")).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "pcapng");
    let packets = packets.unwrap().strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
    let refused = |output: &str, said: &str, more: &[&str]| {
        let before = fs::read(at(output)).ok();
        explain(&dir, CLIENT, &[&["--output", output], more].concat()).said_once(2, &["--output ", output, said]);
        assert_eq!(fs::read(at(output)).ok(), before, "{output}");
    };
    let over = "would overwrite what is read";
    refused("a.pcap", over, &[]);
    refused("more/b.pcap", over, &["--captures", "more"]);
    for output in [packets.as_str(), "ev/manifest.json", "ev/new.txt"] {
        refused(output, "lies in the evidence", &["--evidence-dir", "ev"]);
    }
    fs::hard_link(at(&packets), at("linked")).unwrap();
    refused("linked", over, &["--evidence-dir", "ev"]);
    refused("s.sqlite-wal", "belongs to the store", &[]);

    // Of a record that was read elsewhere only itself says which file it came from.
    let ran = run_in(dir.path(), &["export", "--store", "s.sqlite", "--output", "r.ndjson"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for store in ["other.sqlite", "archive/"] {
        let ran = run_in(dir.path(), &["import", "-q", "--store", store, "r.ndjson"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let args = ["explain", "--store", store, CLIENT, "--output", "a.pcap"];
        run_in(dir.path(), &args).said_once(2, &["--output ", "a.pcap", over]);
        assert_eq!(fs::read(at("a.pcap")).unwrap(), capture, "{store}");
    }
    let all = ["--output", "more/new.txt", "--captures", "more", "--evidence-dir", "ev"];
    assert_eq!(explain(&dir, CLIENT, &all).code, 0);
    assert!(fs::read_to_string(at("more/new.txt")).unwrap().starts_with(CLIENT));
}

/// What is said of a frame is what lies in the capture.
#[test]
fn the_frames_read_again_are_those_of_the_capture() {
    let dir = replayed("a.pcap", &[]);
    let frames = update(5, host(5));
    let lines = sightings(&dir, CLIENT, &[]);
    all_are(&lines, "verified", "a.pcap");
    for frame in lines.iter().flat_map(|l| l["frames"].as_array().unwrap()) {
        let number = frame["frame_in_file"].as_u64().unwrap();
        assert_eq!(frame["evidence"]["frame"], number);
        assert_eq!(frame["evidence"]["packet_sha256"], sha256(&frames[number as usize - 1]));
        assert_eq!(frame["wireshark"]["frame"], format!("frame.number == {number}"));
        if frame["evidence"]["channel"] == "dns_query" {
            assert_eq!(frame["holds_name"], true, "{frame}");
        }
    }
}

#[test]
fn a_capture_that_moved_is_found_by_its_name_its_size_or_in_another_compression() {
    let dir = replayed("a.pcap", &[]);
    let away = dir.path().join("archive/deep");
    fs::create_dir_all(&away).unwrap();
    let bytes = fs::read(dir.path().join("a.pcap")).unwrap();
    fs::remove_file(dir.path().join("a.pcap")).unwrap();
    let ran = explain(&dir, CLIENT, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("not reachable: stored fields only (a.pcap is neither where it was read nor,"),
        "{}",
        ran.out
    );
    all_are(&sightings(&dir, CLIENT, &[]), "unreachable", "");

    for (name, content) in
        [("a.pcap", bytes.clone()), ("renamed", bytes.clone()), ("a.pcap.gz", compress::gzip(&bytes))]
    {
        fs::write(away.join(name), content).unwrap();
        let lines = sightings(&dir, CLIENT, &["--captures", "archive"]);
        all_are(&lines, "verified", &format!("archive/deep/{name}"));
        fs::remove_file(away.join(name)).unwrap();
    }
    // Another capture of the same name before the right one.
    fs::write(dir.path().join("archive/a.pcap"), Pcap::new().frames(TEN, &update(9, host(9))).bytes()).unwrap();
    fs::write(away.join("a.pcap"), &bytes).unwrap();
    all_are(&sightings(&dir, CLIENT, &["--captures", "archive"]), "verified", "archive/deep/a.pcap");
    explain(&dir, CLIENT, &["--captures", "nowhere"]).said_once(2, &["--captures nowhere", "name a folder"]);
}

#[test]
fn an_altered_capture_is_said_to_differ() {
    let dir = replayed("a.pcap", &["--evidence-dir", "ev"]);
    let path = dir.path().join("a.pcap");
    let mut bytes = fs::read(&path).unwrap();
    // The last byte of the first frame, the question.
    let end = 24 + 16 + update(5, host(5))[0].len();
    bytes[end - 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let ran = explain(&dir, CLIENT, &[]);
    ran.said_once(1, &["frame differs from what was recorded"]);
    assert!(ran.out.contains("FRAME DIFFERS: a.pcap: the frame at byte 24 has SHA-256"), "{}", ran.out);
    let states = states(&sightings(&dir, CLIENT, &[]));
    let differing = states.iter().filter(|s| s.0 == "differs").count();
    assert!(differing > 0 && states.iter().any(|s| s.0 == "verified"), "{states:?}");
    // The evidence still has it, and what is wrong with the capture is said.
    let ran = explain(&dir, CLIENT, &["--evidence-dir", "ev"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("frame verified: evidence ev/evidence-0001.pcapng frame 1"), "{}", ran.out);
    assert!(ran.out.contains("a.pcap differs: the frame at byte 24"), "{}", ran.out);
    // Bytes put in between: no frame begins where it did.
    bytes[end - 1] ^= 1;
    bytes.splice(24..24, [0; 7]);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(explain(&dir, CLIENT, &[]).code, 1);
}

#[test]
fn evidence_alone_is_enough() {
    let dir = replayed("a.pcap", &["--evidence-dir", "ev"]);
    fs::remove_file(dir.path().join("a.pcap")).unwrap();
    let lines = sightings(&dir, CLIENT, &["--evidence-dir", "ev"]);
    all_are(&lines, "evidence", "ev/evidence-0001.pcapng");
    for frame in lines.iter().flat_map(|l| l["frames"].as_array().unwrap()) {
        assert!(frame["decoded"].as_array().unwrap().len() > 1, "{frame}");
    }
}

#[test]
fn compressed_and_large_captures_and_those_of_several_interfaces_are_read_again() {
    let dir = replayed("a.pcap.gz", &[]);
    all_are(&sightings(&dir, CLIENT, &[]), "verified", "a.pcap.gz");
    let dir = tempfile::tempdir().unwrap();
    fs::copy(samples().join("multi-interface.pcapng"), dir.path().join("m.pcapng")).unwrap();
    // So much between the frames that they are entered by their offsets.
    let mut large = Pcap::new();
    let filler = packets::udp((host(9), 9), (packets::SERVER, 9), &[7; 60_000]);
    for (n, frame) in update(5, host(5)).iter().enumerate() {
        large.frame(TEN + n as i64 * 1_000_000, frame);
        for _ in 0..40 {
            large.frame(TEN + n as i64 * 1_000_000, &filler);
        }
    }
    fs::write(dir.path().join("large.pcap"), large.bytes()).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--store", "s.sqlite", "m.pcapng", "large.pcap"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    all_are(&sightings(&dir, CLIENT, &[]), "verified", "large.pcap");
    let ran = explain(&dir, "00:00:5e:00:53:0b", &[]);
    assert!(ran.code == 0 && ran.out.contains("m.pcapng, interface lan, frame "), "{ran:?}");
}

#[test]
fn one_address_of_two_hosts_at_different_times_is_two_hosts() {
    let dir = tempfile::tempdir().unwrap();
    for (mac, day) in [(5, 0), (6, DAY)] {
        let name = format!("{mac}.pcap");
        fs::write(dir.path().join(&name), Pcap::new().frames(TEN + day, &update(mac, host(5))).bytes()).unwrap();
        assert_eq!(run_in(dir.path(), &["replay", "-q", "--store", "s.sqlite", &name]).code, 0);
    }
    let ran = explain(&dir, CLIENT, &[]);
    ran.said_once(2, &["10.0.0.5 is 2 hosts", "--since"]);
    let starts: Vec<&str> = ran.out.lines().filter(|l| l.starts_with(CLIENT)).collect();
    assert_eq!(starts, ["10.0.0.5  02:00:00:00:00:05 (random)", "10.0.0.5  02:00:00:00:00:06 (random)"]);
    assert!(ran.out.contains("seen       2026-03-01T") && ran.out.contains("seen       2026-03-02T"), "{}", ran.out);
    let lines = explain(&dir, CLIENT, &["--format", "ndjson"]).json();
    assert!(lines.len() == 2 && lines.iter().all(|l| l["kind"] == "match"), "{lines:?}");
    // By MAC, or by the day.
    for more in [&["02:00:00:00:00:06"][..], &[CLIENT, "--since", "2026-03-02"]] {
        let ran = explain(&dir, more[0], &more[1..]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.starts_with("10.0.0.5  02:00:00:00:00:06") && !ran.out.contains("2026-03-01"), "{}", ran.out);
    }
}

/// What a store says of paths leads to no device and no pipe.
#[test]
fn only_files_are_opened() {
    let dir = replayed("a.pcap", &[]);
    let path = dir.path().join("a.pcap");
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    all_are(&sightings(&dir, CLIENT, &["--captures", "."]), "unreachable", "");
}

#[test]
fn a_file_instead_of_standard_output_and_a_wrong_store() {
    let dir = replayed("a.pcap", &[]);
    let printed = explain(&dir, CLIENT, &[]).out;
    let ran = explain(&dir, CLIENT, &["--output", "out.txt"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(dir.path().join("out.txt")).unwrap(), printed);
    explain(&dir, CLIENT, &["--output", "s.sqlite"]).said_once(2, &["would overwrite what is read"]);
    run_in(dir.path(), &["explain", "--store", "missing", CLIENT]).said_once(3, &["missing"]);
    assert!(!Path::new(&dir.path().join("missing")).exists());
}
