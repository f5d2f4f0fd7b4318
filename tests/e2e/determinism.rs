//! The same input gives the same bytes, whatever the number of workers, the
//! compression, or the way the files are named.

use crate::support::packets::{self, SECOND, SERVER, TEN, host};
use crate::support::program::run_in;
use crate::support::writer::Pcap;
use crate::support::{compress, sample_captures};
use serde_json::Value;
use std::fs;
use std::path::Path;

const WORKERS: [&str; 4] = ["1", "2", "4", "8"];

/// Output of a run and the text of its coverage.
fn bytes(dir: &Path, args: &[&str]) -> (String, String) {
    let ran = run_in(dir, &[args, &["-q", "--stats", "stats.json"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    let stats = fs::read_to_string(dir.join("stats.json")).unwrap();
    let timing = stats.find("\n  \"timing\"").expect("timing comes last");
    (ran.out, stats[..timing].to_owned())
}

fn same_with_any_workers(dir: &Path, path: &str) {
    for command in [&["replay", "--format", "ndjson"][..], &["names"]] {
        let mut first = None;
        for workers in WORKERS {
            let got = bytes(dir, &[command, &["--workers", workers, path]].concat());
            let want = first.get_or_insert_with(|| got.clone());
            assert!(got.0 == want.0, "{command:?} {path}: output differs with {workers} workers");
            assert!(got.1 == want.1, "{command:?} {path}: coverage differs with {workers} workers");
        }
    }
}

#[test]
fn samples_do_not_depend_on_workers() {
    let dir = tempfile::tempdir().unwrap();
    for capture in sample_captures() {
        same_with_any_workers(dir.path(), &capture.to_string_lossy());
    }
}

/// More flows and questions of one host than its tables hold: names come
/// first, answers after all of them, so that what was forgotten shows. Beside
/// it, ordinary hosts.
fn flood() -> Vec<u8> {
    let mut pcap = Pcap::new();
    let client = host(5);
    let name = |n: u16| format!("s{:02}.upd.kaspersky.com", n % 100);
    let mut at = TEN;
    let mut put = |frame: &[u8]| {
        at += 10_000;
        pcap.frame(at, frame);
    };
    let connections: Vec<Vec<Vec<u8>>> = (0..5000_u16)
        .map(|n| {
            let hello = packets::client_hello(name(n).as_bytes());
            packets::connection((client, 10_000 + n), (SERVER, 443), &[(&hello, &[22; 900])])
        })
        .collect();
    // Handshakes and ClientHellos of all, then the server's words.
    for frame in connections.iter().flat_map(|c| &c[..4]) {
        put(frame);
    }
    for n in 0..3000 {
        put(&packets::lookup(client, 20_000 + n, &name(n), SERVER)[0]);
    }
    for n in 0..60 {
        for frame in packets::update(host(100 + n), 40_000) {
            put(&frame);
        }
    }
    for frame in connections.iter().flat_map(|c| &c[4..5]) {
        put(frame);
    }
    for n in 0..3000 {
        put(&packets::lookup(client, 20_000 + n, &name(n), SERVER)[1]);
    }
    pcap.bytes().to_vec()
}

#[test]
fn a_flood_does_not_depend_on_workers() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("flood.pcap"), flood()).unwrap();
    same_with_any_workers(dir.path(), "flood.pcap");
    let (_, coverage) = bytes(dir.path(), &["replay", "flood.pcap"]);
    assert!(coverage.contains("\"flows_evicted\""), "the flood is too small to fill a table: {coverage}");
}

#[test]
fn compression_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::new();
    for n in 0..50 {
        pcap.frames(TEN + i64::from(n) * SECOND, &packets::update(host(n + 5), 40_000));
    }
    // One name for all, so that only the content can make a difference.
    let path = dir.path().join("a.pcap");
    fs::write(&path, pcap.bytes()).unwrap();
    let want = bytes(dir.path(), &["replay", "--format", "ndjson", "a.pcap"]);
    for (kind, packed) in compress::all(pcap.bytes()) {
        fs::write(&path, packed).unwrap();
        assert_eq!(bytes(dir.path(), &["replay", "--format", "ndjson", "a.pcap"]), want, "{kind}");
    }
}

/// Captures cut into six, in the middle of connections; each is large enough to
/// be read on a thread of its own.
fn pieces() -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let mut noise = || {
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..1200).map(|_| byte()).collect::<Vec<u8>>()
    };
    let updates: Vec<_> = (0..40).map(|n| packets::update(host(n + 5), 40_000)).collect();
    let longest = updates.iter().map(Vec::len).max().unwrap();
    // All of them side by side, so that none ends in the piece where it begins.
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for turn in 0..longest {
        frames.extend(updates.iter().filter_map(|u| u.get(turn).cloned()));
        frames.extend((0..900 / longest).map(|_| packets::udp((host(1), 5000), (host(2), 5001), &noise())));
    }
    let mut at = TEN;
    let piece = |frames: &[Vec<u8>]| {
        let mut pcap = Pcap::new();
        for frame in frames {
            at += 1_000_000;
            pcap.frame(at, frame);
        }
        pcap.bytes().to_vec()
    };
    frames.chunks(frames.len().div_ceil(6)).map(piece).collect()
}

#[test]
fn captures_decompressed_ahead_are_read_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["0", "1", "2", "3", "4", "5"];
    let pieces = pieces();
    let write = |n: usize, bytes: &[u8]| fs::write(dir.path().join(names[n]), bytes).unwrap();
    let read = |command: &[&str]| {
        let ran = run_in(dir.path(), &[command, &["-q"], &names[..]].concat());
        (ran.code, ran.out, ran.err)
    };
    let commands =
        [&["replay", "--format", "ndjson"][..], &["replay", "--format", "ndjson", "--workers", "4"], &["names"]];
    pieces.iter().enumerate().for_each(|(n, piece)| write(n, piece));
    let want = commands.map(read);
    assert!(want.iter().all(|w| w.0 == 0 && w.1.lines().count() >= 40), "{want:?}");
    for (n, piece) in pieces.iter().enumerate() {
        let packed = compress::all(piece).swap_remove(n % 5);
        assert!(packed.1.len() > 65_536, "{}: {} bytes", packed.0, packed.1.len());
        write(n, &packed.1);
    }
    assert!(commands.map(read) == want, "compressed captures give something else");
    // An error stays with its capture and in its place.
    write(3, &compress::gzip(&pieces[3])[..100_000]);
    let (code, _, err) = read(commands[0]);
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    assert!(err.contains(" 3: ") && err.contains("gzip data end early"), "{err}");
}

/// A folder is its files, in order of time.
#[test]
fn a_folder_is_its_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("day")).unwrap();
    for (n, name) in ["c", "a", "b"].iter().enumerate() {
        let at = TEN + n as i64 * 1000 * SECOND;
        let pcap = Pcap::new().frames(at, &packets::update(host(5 + n as u16), 40_000)).bytes().to_vec();
        fs::write(dir.path().join("day").join(name), pcap).unwrap();
    }
    let replay = ["replay", "--format", "ndjson"];
    let folder = bytes(dir.path(), &[&replay[..], &["day"]].concat());
    assert_eq!(bytes(dir.path(), &[&replay[..], &["day/c", "day/a", "day/b"]].concat()), folder);
    // In another order the files are numbered otherwise; the records stay.
    let records = |out: &str| -> Vec<Value> { out.lines().map(|l| serde_json::from_str(l).unwrap()).collect() };
    let other = bytes(dir.path(), &[&replay[..], &["day/b", "day/c", "day/a"]].concat());
    assert_eq!(records(&other.0), records(&folder.0));
    assert_eq!(bytes(dir.path(), &["names", "day"]), bytes(dir.path(), &["names", "day/c", "day/a", "day/b"]));
}

#[test]
fn the_same_run_twice_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let all = sample_captures();
    let paths: Vec<String> = all.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> =
        ["replay", "--format", "ndjson"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    assert_eq!(bytes(dir.path(), &args), bytes(dir.path(), &args));
}
