//! `--evidence-dir`: the packets behind the sightings.

use crate::support::packets::{self, TEN, host};
use crate::support::program::{Ran, follow_until, run_in, run_with_input};
use crate::support::writer::Pcap;
use crate::support::{samples, sha256};
use serde_json::Value;
use spansight::capture::{self, Batch, OpenOptions, Status};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SAMPLES: [&str; 4] = ["multi-interface.pcapng", "office-day.pcap.zst", "vlan.pcap", "tls13.pcap"];

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn replay(dir: &TempDir, more: &[&str]) -> Ran {
    run_in(dir.path(), &[&["replay", "-q", "--format", "ndjson"], more].concat())
}

fn sample(name: &str) -> String {
    samples().join(name).to_string_lossy().into_owned()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

/// Link type, time, hash and interface name of each frame of a file.
fn frames(path: &Path) -> Vec<(u16, String, String, String)> {
    let mut source = capture::open(path, &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while let Status::Frames = source.next_batch(&mut batch).unwrap() {
        for f in &batch.frames {
            let i = &batch.interfaces[usize::from(f.interface)];
            all.push((i.link.0, f.ts.to_string(), sha256(batch.bytes(f)), i.name.clone()));
        }
    }
    all
}

/// Time and hash of each frame that records name as evidence.
fn named(records: &[Value]) -> BTreeSet<(String, String)> {
    let each = |e: &Value| (e["ts"].as_str().unwrap().to_owned(), e["packet_sha256"].as_str().unwrap().to_owned());
    records.iter().flat_map(|r| r["evidence"].as_array().unwrap().iter().map(each)).collect()
}

#[test]
fn the_files_hold_the_packets_that_records_name_and_only_those() {
    let dir = dir();
    let inputs: Vec<String> = SAMPLES.iter().map(|s| sample(s)).collect();
    let args: Vec<&str> = inputs.iter().map(String::as_str).chain(["--evidence-dir", "ev"]).collect();
    let ran = replay(&dir, &args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let file = dir.path().join("ev/evidence-0001.pcapng");
    let found = frames(&file);
    let pairs: BTreeSet<_> = found.iter().map(|(_, ts, sha, _)| (ts.clone(), sha.clone())).collect();
    assert_eq!(pairs, named(&ran.json()));
    assert_eq!(found.len(), pairs.len(), "each packet once");
    assert!(["lan", "uplink"].iter().all(|name| found.iter().any(|f| f.3 == *name)), "interfaces keep their names");

    let m = manifest(&dir.path().join("ev"));
    assert_eq!(
        (m["schema"].as_str(), m["records"].as_u64()),
        (Some("spansight.manifest/1"), Some(ran.json().len() as u64))
    );
    let bytes = fs::read(&file).unwrap();
    assert_eq!(m["files"].as_array().unwrap().len(), 1);
    assert_eq!(m["files"][0]["path"], "evidence-0001.pcapng");
    assert_eq!(m["files"][0]["sha256"], sha256(&bytes));
    assert_eq!(
        (m["files"][0]["size"].as_u64(), m["files"][0]["packets"].as_u64()),
        (Some(bytes.len() as u64), Some(found.len() as u64))
    );
    assert_eq!(m["created_by"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(m["created_by"]["command"].as_array().unwrap().iter().any(|a| a == "--evidence-dir"));
    assert_eq!(m["catalogue_sha256"].as_str().unwrap().len(), 64);
    let plain = fs::read(samples().join("tls13.pcap")).unwrap();
    assert_eq!(m["inputs"][3]["sha256"], sha256(&plain));
    assert_eq!(m["inputs"][3]["size"], plain.len());
    // Of compressed captures it is the content, as in records.
    assert_eq!(format!("sha256:{}", m["inputs"][1]["sha256"].as_str().unwrap()), m["inputs"][1]["source"]);
}

#[test]
fn a_second_replay_gives_the_same_bytes_whatever_the_workers() {
    let dir = dir();
    let sample = sample("office-day.pcap.zst");
    for (workers, folder) in [("1", "a"), ("4", "b")] {
        assert_eq!(replay(&dir, &[&sample, "--evidence-dir", folder, "--workers", workers]).code, 0);
    }
    let read = |folder: &str| fs::read(dir.path().join(folder).join("evidence-0001.pcapng")).unwrap();
    assert!(read("a") == read("b"));
}

#[test]
fn link_types_are_kept_in_one_file() {
    let dir = dir();
    let frames = packets::update(host(5), 40_000);
    fs::write(dir.path().join("eth.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
    let raw: Vec<Vec<u8>> = frames.iter().map(|f| f[14..].to_vec()).collect();
    fs::write(dir.path().join("raw.pcap"), Pcap::of(101).frames(TEN, &raw).bytes()).unwrap();
    let ran = replay(&dir, &["eth.pcap", "raw.pcap", "--evidence-dir", "ev"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let links: BTreeSet<u16> = self::frames(&dir.path().join("ev/evidence-0001.pcapng")).iter().map(|f| f.0).collect();
    assert_eq!(links, [1, 101].into());
}

#[test]
fn tshark_reads_the_packets_with_their_comments() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("skipped: tshark is not installed");
        return;
    }
    let dir = dir();
    let ran = replay(&dir, &[&sample("multi-interface.pcapng"), "--evidence-dir", "ev"]);
    let fields = ["-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment"];
    let output =
        Command::new("tshark").args(["-n", "-r"]).arg(dir.path().join("ev/evidence-0001.pcapng")).args(fields).output();
    let output = output.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success() && !err.contains("malformed") && !err.contains("damaged"), "{err}");
    let records = ran.json();
    assert_eq!(out.lines().count(), named(&records).len());
    for r in &records {
        for e in r["evidence"].as_array().unwrap() {
            let (id, channel, source) =
                (r["id"].as_str().unwrap(), e["channel"].as_str().unwrap(), r["source"].as_str().unwrap());
            let name = e["name"].as_str().map(|n| format!(" {n}")).unwrap_or_default();
            let wanted = format!("sighting {id}: {channel}{name}; {source} frame {}", e["frame"]);
            let line = out.lines().find(|l| l.contains(&wanted)).unwrap_or_else(|| panic!("{wanted} in {out}"));
            assert!(line.starts_with(e["interface"].as_str().unwrap()), "{line}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_said_before_anything_is_read() {
    let dir = dir();
    let tls = sample("tls13.pcap");
    fs::create_dir(dir.path().join("full")).unwrap();
    fs::write(dir.path().join("full/notes.txt"), "mine").unwrap();
    replay(&dir, &[&tls, "--evidence-dir", "full"]).said_once(2, &["\"full\" is not empty", "new folder"]);
    fs::write(dir.path().join("file"), "").unwrap();
    replay(&dir, &[&tls, "--evidence-dir", "file"]).said_once(3, &["--evidence-dir \"file\"", "check the path"]);
    assert_eq!(replay(&dir, &[&tls, "--evidence-dir", "ev"]).code, 0);
    let again = replay(&dir, &[&tls, "--evidence-dir", "ev"]);
    again.said_once(2, &["\"ev\" is not empty"]);
    assert!(again.out.is_empty());
    let piped = run_with_input(
        &["replay", "-", "--evidence-dir", dir.path().join("new").to_str().unwrap()],
        &fs::read(&tls).unwrap(),
    );
    piped.said_once(2, &["standard input can be read only once", "write it to a file first"]);
    assert!(!dir.path().join("new").exists());
    assert_eq!(replay(&dir, &[&tls, "--evidence-limit", "5"]).code, 2, "a limit of nothing");
}

#[test]
fn what_is_beyond_the_limit_is_counted_and_said() {
    let dir = dir();
    let mut pcap = Pcap::new();
    let pad = "x".repeat(1200);
    for n in 0..1200 {
        // Each request is padded, so that the frames of all hosts are over a mebibyte.
        let request = packets::get(b"p00.upd.kaspersky.com", b"/index/u1313g.xml", pad.as_bytes());
        let turns: &[(&[u8], &[u8])] = &[(&request, &packets::response(100))];
        pcap.frames(TEN, &packets::connection((host(n + 1), 40_000), (packets::SERVER, 80), turns));
    }
    fs::write(dir.path().join("many.pcap"), pcap.bytes()).unwrap();
    let ran = replay(&dir, &["many.pcap", "--evidence-dir", "ev", "--evidence-limit", "1"]);
    ran.said_once(0, &["frames of evidence are left out, as --evidence-limit was reached"]);
    let m = manifest(&dir.path().join("ev"));
    let size = m["files"][0]["size"].as_u64().unwrap();
    assert!((900_000..=1 << 20).contains(&size), "{size}");
    assert!(m["frames_left_out"].as_u64().unwrap() > 0);
    let whole = frames(&dir.path().join("ev/evidence-0001.pcapng"));
    assert_eq!(whole.len() as u64, m["files"][0]["packets"].as_u64().unwrap());
}

/// The folder is on a disk that fills up: the records are printed all the same,
/// nothing half written stays, and the run fails.
#[test]
fn a_full_disk_takes_nothing_but_the_evidence() {
    let dir = dir();
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=32k", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|m| m.status.success()) {
        eprintln!("skipped: needs the right to mount a tmpfs");
        return;
    }
    let ran = replay(&dir, &[&sample("office-day.pcap.zst"), "--evidence-dir", "disk/ev", "--store", "s.sqlite"]);
    let left: Vec<_> = fs::read_dir(disk.join("ev")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    ran.said_once(3, &["evidence-0001.pcapng", "free some space"]);
    assert!(ran.json().len() > 10, "the records are printed");
    assert!(left.is_empty(), "{left:?}");
    assert!(dir.path().join("s.sqlite").exists());
}

fn follow(dir: &TempDir, more: &[&str]) -> Ran {
    follow_until(dir.path(), "\"transferred\"", &[&["--sensor", "s"], more].concat())
}

#[test]
fn a_run_that_goes_on_writes_a_file_for_each_day_and_finds_room_beside_an_earlier_one() {
    let dir = dir();
    let day = 86_400 * packets::SECOND;
    let mut pcap = Pcap::new();
    pcap.frames(TEN - day, &packets::update(host(5), 40_000)).frames(TEN, &packets::update(host(6), 40_001));
    fs::write(dir.path().join("g.pcap"), pcap.bytes()).unwrap();
    for folder in ["ev", "ev-2"] {
        let ran = follow(&dir, &["g.pcap", "--evidence-dir", "ev", "--store", "s.sqlite"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.err.contains("holds an earlier run"), folder != "ev", "{ran:?}");
        let folder = dir.path().join(folder);
        let m = manifest(&folder);
        let paths: Vec<_> = m["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["evidence-2026-02-28.pcapng", "evidence-2026-03-01.pcapng"]);
        let mut found: BTreeSet<(String, String)> = BTreeSet::new();
        for (n, path) in paths.iter().enumerate() {
            let bytes = fs::read(folder.join(path)).unwrap();
            assert_eq!(m["files"][n]["sha256"], sha256(&bytes));
            found.extend(frames(&folder.join(path)).into_iter().map(|(_, ts, sha, _)| (ts, sha)));
        }
        assert!(found.is_superset(&named(&ran.json())), "{found:?}");
        assert!(m["inputs"][0]["source"].as_str().unwrap().starts_with("run:"));
        assert_eq!(m["inputs"][0]["frames"], frames(&dir.path().join("g.pcap")).len());
    }
    // The frames are in the file that was followed, and when that is gone in
    // the evidence of either run.
    let explain = |more: &[&str]| {
        let args = [&["explain", "--store", "s.sqlite", "10.0.0.6", "--format", "ndjson"], more].concat();
        let lines = run_in(dir.path(), &args).json();
        let frames: Vec<Value> =
            lines.iter().flat_map(|l| l["frames"].as_array().cloned().unwrap_or_default()).collect();
        assert!(!frames.is_empty());
        frames
    };
    for frame in explain(&[]) {
        assert_eq!((frame["state"].as_str(), frame["file"].as_str()), (Some("verified"), Some("g.pcap")), "{frame}");
        assert_eq!(frame["frame_in_file"], frame["evidence"]["frame"]);
    }
    fs::remove_file(dir.path().join("g.pcap")).unwrap();
    for folder in ["ev", "ev-2"] {
        for frame in explain(&["--evidence-dir", folder]) {
            assert_eq!(
                (frame["state"].as_str(), frame["evidence"]["channel"].is_string()),
                (Some("evidence"), true),
                "{frame}"
            );
        }
    }
}
