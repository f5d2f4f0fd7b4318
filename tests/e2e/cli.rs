//! What the command line promises of input and output.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, program, run, run_in, run_with_input};
use crate::support::writer::{Pcap, pcapng};
use crate::support::{compress, samples, sha256};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(dir.path().join(name), bytes).unwrap();
}

/// Three hosts that update, ten minutes apart.
fn three() -> Vec<u8> {
    let mut pcap = Pcap::new();
    for n in 0..3 {
        pcap.frames(TEN + i64::from(n) * 600 * SECOND, &packets::update(host(5 + n), 40_000 + n));
    }
    pcap.bytes().to_vec()
}

fn replay(dir: &TempDir, args: &[&str]) -> Ran {
    let mut all = vec!["replay", "--format", "ndjson", "-q"];
    all.extend(args);
    let ran = run_in(dir.path(), &all);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    ran
}

fn hosts(ran: &Ran) -> Vec<String> {
    let mut all: Vec<String> = ran.json().iter().map(|r| r["host"]["ip"].as_str().unwrap().to_owned()).collect();
    all.dedup();
    all
}

/// The records without what may differ between files of one content.
fn without_path(ran: &Ran) -> Vec<Value> {
    let strip = |mut r: Value| {
        for e in r["evidence"].as_array_mut().unwrap() {
            e.as_object_mut().unwrap().remove("path");
        }
        r
    };
    ran.json().into_iter().map(strip).collect()
}

#[test]
fn since_and_until_bound_the_frames() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let of = |args: &[&str]| hosts(&replay(&dir, &[&["a.pcap"], args].concat()));
    assert_eq!(of(&[]), ["10.0.0.5", "10.0.0.6", "10.0.0.7"]);
    assert_eq!(of(&["--since", "2026-03-01T10:10:00Z"]), ["10.0.0.6", "10.0.0.7"]);
    // The end is not included.
    assert_eq!(of(&["--until", "2026-03-01T10:10:00Z"]), ["10.0.0.5"]);
    assert_eq!(of(&["--since", "2026-03-01T10:10:00Z", "--until", "2026-03-01T11:15:00+01:00"]), ["10.0.0.6"]);
    assert_eq!(of(&["--since", "2026-03-01", "--until", "2026-03-02"]).len(), 3);
    let said = run_in(dir.path(), &["replay", "a.pcap", "--since", "2026-03-01T10:10:00Z"]).err;
    assert!(said.contains("13 frames were left out by --since, --until or --bpf"), "{said}");
}

#[test]
fn bpf_selects_frames() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    assert_eq!(hosts(&replay(&dir, &["a.pcap", "--bpf", "host 10.0.0.6"])), ["10.0.0.6"]);
    let ran = replay(&dir, &["a.pcap", "--bpf", "tcp"]);
    assert!(ran.json().iter().all(|r| !r["channels"].to_string().contains("dns")), "{}", ran.out);
}

#[test]
fn ignore_vlan_joins_what_tags_part() {
    let sample = samples().join("vlan.pcap").to_string_lossy().into_owned();
    let segments = |args: &[&str]| -> Vec<String> {
        let ran = run(&[&["replay", "--format", "ndjson", "-q", &sample], args].concat());
        ran.json().iter().map(|r| r["host"]["segment"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(segments(&[]), ["vlan:20", "vlan:30"]);
    assert_eq!(segments(&["--ignore-vlan"]), ["", ""]);
}

#[test]
fn clients_outside_the_home_networks_are_counted_not_listed() {
    let dir = dir();
    write(&dir, "a.pcap", Pcap::new().frames(TEN, &packets::update([203, 0, 113, 9], 40_000)).bytes());
    let ran = run_in(dir.path(), &["replay", "--format", "ndjson", "a.pcap"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("by 1 client, counted but not listed"), "{}", ran.err);
    for net in ["any", "203.0.113.0/24"] {
        assert_eq!(hosts(&replay(&dir, &["a.pcap", "--home-net", net])), ["203.0.113.9"]);
    }
    write(&dir, "b.pcap", &three());
    assert_eq!(hosts(&replay(&dir, &["b.pcap", "--home-net", "10.0.0.6/32,10.0.0.7/32"])), ["10.0.0.6", "10.0.0.7"]);
}

#[test]
fn catalogues_replace_and_add() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let entry = "[[indicator]]\nid = 'mine'\ncategory = 'web'\nuse = 'alone'\nconfidence = 'low'\n\
                 exact = 'p00.upd.kaspersky.com'\nmeaning = 'x'\nsources = ['x']\n";
    let other = entry.replace("mine", "other").replace("p00.upd.kaspersky.com", "other.example.test");
    write(&dir, "mine.toml", entry.as_bytes());
    write(&dir, "other.toml", other.as_bytes());
    let ids = |args: &[&str]| -> Vec<String> {
        let mut ids: Vec<String> = replay(&dir, &[&["a.pcap"], args].concat())
            .json()
            .iter()
            .map(|r| r["indicator"]["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids(&[]), ["update-p-hosts", "update-path-index"]);
    assert_eq!(ids(&["--catalogue", "mine.toml"]), ["mine"]);
    assert_eq!(ids(&["--add-catalogue", "other.toml"]), ["update-p-hosts", "update-path-index"]);
    assert!(ids(&["--catalogue", "other.toml"]).is_empty());
}

#[test]
fn the_sensor_has_a_name() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    assert_eq!(replay(&dir, &["a.pcap"]).json()[0]["sensor"], "replay");
    assert_eq!(replay(&dir, &["a.pcap", "--sensor", "hall"]).json()[0]["sensor"], "hall");
}

#[test]
fn standard_input_plain_and_compressed() {
    let dir = dir();
    let plain = three();
    write(&dir, "a.pcap", &plain);
    let named = replay(&dir, &["a.pcap"]);
    let mut inputs = compress::all(&plain);
    inputs.push(("plain", plain));
    for (kind, bytes) in inputs {
        let ran = run_with_input(&["replay", "--format", "ndjson", "-q", "-"], &bytes);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{kind}");
        assert_eq!(without_path(&ran), without_path(&named), "{kind}");
        let names = run_with_input(&["names", "-"], &bytes);
        assert!(names.json().iter().all(|r| r["file"] == "-"), "{kind}");
        assert_eq!(names.json().len(), run_in(dir.path(), &["names", "a.pcap"]).json().len(), "{kind}");
    }
}

#[test]
fn a_named_pipe() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = program(&["replay", "--format", "ndjson", "-q", "pipe"])
        .current_dir(&dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut end = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    for part in three().chunks(100) {
        end.write_all(part).unwrap();
    }
    drop(end);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(without_path(&ran), without_path(&replay(&dir, &["a.pcap"])));
}

/// Compression is seen by content, not by name, and changes neither the source
/// nor any record.
#[test]
fn compressed_captures_give_identical_records() {
    let dir = dir();
    let plain = three();
    write(&dir, "plain", &plain);
    let want = replay(&dir, &["plain"]);
    assert_eq!(want.json()[0]["source"], format!("sha256:{}", sha256(&plain)));
    for (kind, bytes) in compress::all(&plain) {
        write(&dir, "packed", &bytes);
        assert_eq!(without_path(&replay(&dir, &["packed"])), without_path(&want), "{kind}");
    }
}

#[test]
fn pcapng_gives_the_same_as_pcap() {
    let dir = dir();
    let frames: Vec<(i64, Vec<u8>)> = packets::update(host(5), 40_000)
        .into_iter()
        .enumerate()
        .map(|(i, f)| (TEN + i as i64 * 1_000_000, f))
        .collect();
    write(&dir, "a.pcapng", &pcapng(&frames));
    write(&dir, "a.pcap", Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes());
    let without_file = |ran: &Ran| {
        let mut records = without_path(ran);
        for r in &mut records {
            r.as_object_mut().unwrap().remove("source");
            for e in r["evidence"].as_array_mut().unwrap() {
                e.as_object_mut().unwrap().remove("offset");
            }
        }
        records
    };
    let (ng, classic) = (replay(&dir, &["a.pcapng"]), replay(&dir, &["a.pcap"]));
    assert_eq!(without_file(&ng), without_file(&classic));
}

#[test]
fn without_a_hash_the_path_size_and_time_name_the_source() {
    let dir = dir();
    let bytes = three();
    for name in ["a.pcap", "b.pcap"] {
        write(&dir, name, &bytes);
    }
    let source = |path: &str| replay(&dir, &[path, "--hash", "none"]).json()[0]["source"].as_str().unwrap().to_owned();
    let hashed = format!("a.pcap\0{}\0{TEN}\0", bytes.len());
    assert_eq!(source("a.pcap"), format!("file:{}", &sha256(hashed.as_bytes())[..32]));
    assert_eq!(source("a.pcap"), source("a.pcap"));
    assert_ne!(source("a.pcap"), source("b.pcap"), "under another path it counts again");
}

#[test]
fn folders_are_read_in_order_of_time_and_other_files_counted() {
    let dir = dir();
    fs::create_dir_all(dir.path().join("day/deep")).unwrap();
    let at = |n: i64| {
        let lookup = packets::lookup(host(5), 40_000, &format!("n{n}.example.test"), packets::SERVER);
        Pcap::new().frames(TEN + n * SECOND, &lookup).bytes().to_vec()
    };
    write(&dir, "day/z.pcap", &at(1));
    write(&dir, "day/deep/m.bin", &compress::gzip(&at(2)));
    write(&dir, "day/a.pcap", &at(3));
    write(&dir, "day/readme.txt", b"no capture");
    write(&dir, "day/deep/zero", b"");
    let ran = run_in(dir.path(), &["names", "day"]);
    let files: Vec<String> = ran.json().iter().step_by(2).map(|r| r["file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, ["day/z.pcap", "day/deep/m.bin", "day/a.pcap"]);
    let ran = run_in(dir.path(), &["replay", "day"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("Read 3 files") && ran.err.contains("Skipped 2 files that by content"), "{}", ran.err);
}

#[test]
fn evidence_paths_are_relative_to_the_argument() {
    let dir = dir();
    fs::create_dir_all(dir.path().join("day/deep")).unwrap();
    write(&dir, "day/deep/a.pcap", &three());
    let path = |arg: &str| replay(&dir, &[arg]).json()[0]["evidence"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(path("day"), "deep/a.pcap");
    assert_eq!(path("day/deep/a.pcap"), "a.pcap");
}

#[test]
fn only_data_goes_to_standard_output() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    for format in ["table", "ndjson", "csv"] {
        let loud = run_in(dir.path(), &["replay", "--format", format, "a.pcap"]);
        let quiet = run_in(dir.path(), &["replay", "--format", format, "-q", "a.pcap"]);
        assert_eq!(loud.out, quiet.out, "{format}");
        assert!(loud.err.contains("Read 1 file") && quiet.err.is_empty(), "{format}: {loud:?}");
        for text in [&loud.out, &loud.err] {
            assert!(!text.contains('\u{1b}') && !text.contains('\r') || format == "csv", "{format}: {text:?}");
        }
        let kept = run_in(dir.path(), &["replay", "--format", format, "-q", "--output", "out", "a.pcap"]);
        assert_eq!((kept.code, kept.out.as_str()), (0, ""), "{format}");
        let kept = fs::read_to_string(dir.path().join("out")).unwrap();
        assert!(kept.starts_with(&quiet.out), "{format}");
        assert_eq!(kept == quiet.out, format != "table", "in a file the summary goes along with the table");
    }
}

/// Progress is drawn on a terminal only: here standard error is a pipe, and
/// the file is large enough for a bar.
#[test]
fn no_progress_outside_a_terminal() {
    let dir = dir();
    let mut pcap = Pcap::new();
    for i in 0..2300 {
        pcap.frame(TEN + i, &packets::udp((host(5), 9), (host(6), 9), &[0; 15_000]));
    }
    assert!(pcap.bytes().len() > 32 << 20);
    write(&dir, "big.pcap", pcap.bytes());
    let ran = run_in(dir.path(), &["replay", "--hash", "none", "big.pcap"]);
    assert_eq!(ran.code, 0);
    assert!(!ran.err.contains(['\r', '\u{1b}']) && !ran.err.contains("left"), "{:?}", ran.err);
}

#[test]
fn a_reader_that_leaves_early_is_success() {
    let dir = dir();
    let mut pcap = Pcap::new();
    for n in 0..500 {
        pcap.frames(TEN + i64::from(n) * SECOND, &packets::update(host(5 + n), 40_000));
    }
    write(&dir, "a.pcap", pcap.bytes());
    let cases: [&[&str]; 4] = [
        &["names", "a.pcap"],
        &["replay", "-q", "--format", "ndjson", "a.pcap"],
        &["replay", "-q", "--format", "csv", "a.pcap"],
        &["replay", "-q", "a.pcap"],
    ];
    for args in cases {
        let mut child = program(args).current_dir(&dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{args:?}");
    }
}

/// Closed standard error is no reason to fail either.
#[test]
fn a_closed_standard_error_changes_nothing() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let script = format!("exec '{}' replay --format ndjson a.pcap missing.pcap 2>&-", env!("CARGO_BIN_EXE_spansight"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(&dir).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, replay(&dir, &["a.pcap"]).out.as_bytes());
}

#[test]
fn statistics_have_coverage_and_timing() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    for command in ["replay", "names"] {
        assert_eq!(run_in(dir.path(), &[command, "-q", "a.pcap", "--stats", "s.json"]).code, 0);
        let stats: Value = serde_json::from_slice(&fs::read(dir.path().join("s.json")).unwrap()).unwrap();
        assert_eq!(stats["schema"], "spansight.stats/1");
        let totals = &stats["coverage"]["totals"];
        assert_eq!((&totals["frames"], &totals["flows"]), (&39.into(), &3.into()), "{totals}");
        let source = &stats["coverage"]["sources"][0];
        assert_eq!(source["path"], "a.pcap");
        assert_eq!(source["interfaces"][0]["quarters"].as_array().unwrap().len(), 2);
        let timing = stats["timing"].as_object().unwrap();
        // What is measured from capture on is for live traffic alone.
        let mut stages = vec!["decode", "frame", "read", "wait", "work"];
        if command == "names" {
            stages.insert(3, "report");
        }
        assert_eq!(timing.keys().collect::<Vec<_>>(), stages);
        for (stage, of) in timing {
            let value = |key: &str| of[key].as_u64().unwrap_or_else(|| panic!("{key} of {stage}"));
            let [count, p50, p99, p99_9, max] = ["count", "p50_ns", "p99_ns", "p99_9_ns", "max_ns"].map(value);
            assert!(count > 0 && 0 < p50 && p50 <= p99 && p99 <= p99_9 && p99_9 <= max, "{stage}: {of}");
        }
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = run(&["--version"]);
    assert_eq!((version.code, version.err.as_str()), (0, ""));
    assert_eq!(version.out, format!("spansight {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["replay", "names", "watch", "catalogue"] {
        let help = run(&[command, "--help"]);
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{command}");
        assert!(help.out.contains("Usage: spansight"), "{}", help.out);
    }
}

/// The same capture again, perhaps compressed, is the same source.
#[test]
fn a_capture_given_twice_counts_once() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    write(&dir, "b.pcap.gz", &compress::gzip(&three()));
    let once = replay(&dir, &["a.pcap"]).out;
    assert_eq!(replay(&dir, &["a.pcap", "a.pcap"]).out, once);
    assert_eq!(
        replay(&dir, &["a.pcap", "a.pcap", "--hash", "none"]).out,
        replay(&dir, &["a.pcap", "--hash", "none"]).out
    );
    assert_eq!(replay(&dir, &["a.pcap", "b.pcap.gz"]).out, once);
    let ran = run_in(dir.path(), &["replay", "--format", "ndjson", "a.pcap", "b.pcap.gz"]);
    ran.said_once(0, &["b.pcap.gz: warning: the same capture as a.pcap"]);
}

/// A capture is evidence and a store is irreplaceable: no option may write over
/// what the run reads, nor two options into one file.
#[test]
fn nothing_is_written_over_what_is_read() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let before = fs::read(dir.path().join("a.pcap")).unwrap();
    for command in ["replay", "names"] {
        for option in ["--output", "--stats"] {
            run_in(dir.path(), &[command, "a.pcap", option, "./a.pcap"]).said_once(2, &[option, "overwrite"]);
        }
    }
    run_in(dir.path(), &["replay", ".", "--output", "a.pcap"]).said_once(2, &["--output", "overwrite"]);
    assert_eq!(fs::read(dir.path().join("a.pcap")).unwrap(), before);
    replay(&dir, &["a.pcap", "--store", "lan.db", "--output", "out"]);
    let before = fs::read(dir.path().join("lan.db")).unwrap();
    run_in(dir.path(), &["replay", "a.pcap", "--store", "lan.db", "--output", "lan.db"])
        .said_once(2, &["--output and --store name the same file"]);
    assert_eq!(fs::read(dir.path().join("lan.db")).unwrap(), before);
}

/// Where the file cannot be written, the records go to standard output, and the
/// closing lines speak of those.
#[test]
fn closing_lines_never_deny_what_was_printed() {
    let dir = dir();
    write(&dir, "a.pcap", &three());
    let ran = run_in(dir.path(), &["replay", "a.pcap", "--output", "/dev/full"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("10.0.0.5") && !ran.err.contains("No contact"), "{ran:?}");
}
