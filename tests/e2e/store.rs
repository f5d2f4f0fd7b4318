//! What is kept with `--store`.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, program, run_in};
use crate::support::writer::Pcap;
use crate::support::{compress, samples};
use spansight::sighting::Record;
use spansight::store::{Filter, Store};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn import(dir: &TempDir, args: &[&str]) {
    let ran = run_in(dir.path(), &[&["replay", "-q", "--store", "s.sqlite"], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
}

fn open(dir: &TempDir) -> Store {
    let store = Store::open_read_only(&dir.path().join("s.sqlite")).unwrap();
    assert!(store.check().unwrap().is_empty());
    store
}

fn records(dir: &TempDir) -> Vec<Record> {
    open(dir).records(Filter::default()).unwrap().map(|r| r.unwrap().record).collect()
}

/// Records, coverage, sources and intervals: all but the account of runs.
fn content(dir: &TempDir) -> String {
    let store = open(dir);
    let contributions: Vec<_> = store.contributions(Filter::default()).unwrap().map(|c| c.unwrap()).collect();
    format!(
        "{contributions:#?}{:#?}{:#?}{:#?}",
        store.coverage(i64::MIN, i64::MAX).unwrap(),
        store.coverage_networks(i64::MIN, i64::MAX).unwrap(),
        store.intervals().unwrap(),
    )
}

fn copy(dir: &TempDir, sample: &str) {
    fs::copy(samples().join(sample), dir.path().join(sample)).unwrap();
}

#[test]
fn what_is_kept_is_what_is_printed() {
    let dir = dir();
    copy(&dir, "office-day.pcap.zst");
    import(&dir, &["--sensor", "samples", "office-day.pcap.zst"]);
    let golden = fs::read_to_string(samples().join("office-day.expected.ndjson")).unwrap();
    let want: Vec<Record> = golden.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(records(&dir), want);
}

#[test]
fn importing_a_capture_again_changes_nothing() {
    let dir = dir();
    copy(&dir, "update-http.pcap");
    import(&dir, &["update-http.pcap"]);
    let first = content(&dir);
    import(&dir, &["update-http.pcap"]);
    assert_eq!(content(&dir), first);
    // Compressed, and from another place: still the same content.
    let bytes = fs::read(dir.path().join("update-http.pcap")).unwrap();
    fs::write(dir.path().join("update-http.pcap.gz"), compress::gzip(&bytes)).unwrap();
    import(&dir, &["update-http.pcap.gz"]);
    let counts = |records: Vec<Record>| -> Vec<(String, u64, u64)> {
        records.into_iter().map(|r| (r.id, r.count, r.bytes_from_server)).collect()
    };
    let now = counts(records(&dir));
    assert_eq!(open(&dir).sources().unwrap().len(), 1);
    assert_eq!(open(&dir).runs().unwrap().len(), 3);
    fs::remove_file(dir.path().join("s.sqlite")).unwrap();
    import(&dir, &["update-http.pcap"]);
    assert_eq!(counts(records(&dir)), now);
}

#[test]
fn two_captures_of_one_day_add_up() {
    let dir = dir();
    for (name, at) in [("a.pcap", TEN), ("b.pcap", TEN + 3600 * SECOND)] {
        let pcap = Pcap::new().frames(at, &packets::update(host(5), 40_000)).bytes().to_vec();
        fs::write(dir.path().join(name), pcap).unwrap();
    }
    import(&dir, &["a.pcap"]);
    let alone = records(&dir);
    import(&dir, &["b.pcap"]);
    let both = records(&dir);
    assert_eq!(both.len(), alone.len());
    for (one, two) in alone.iter().zip(&both) {
        assert_eq!((&two.id, two.count, two.sessions), (&one.id, one.count * 2, 2));
        assert_eq!(two.bytes_from_server, one.bytes_from_server * 2);
        assert_eq!((two.first_seen, two.stage), (one.first_seen, one.stage));
        assert!(two.last_seen > one.last_seen);
    }
}

/// In one run or in two, from a folder or by name: the store says the same.
#[test]
fn a_folder_is_its_files() {
    let dir = dir();
    fs::create_dir(dir.path().join("day")).unwrap();
    for name in ["dns-udp.pcap", "tls13.pcap"] {
        fs::copy(samples().join(name), dir.path().join("day").join(name)).unwrap();
    }
    import(&dir, &["day"]);
    let together = records(&dir);
    fs::remove_file(dir.path().join("s.sqlite")).unwrap();
    import(&dir, &["day/tls13.pcap"]);
    import(&dir, &["day/dns-udp.pcap"]);
    assert_eq!(records(&dir), together);
}

#[test]
fn the_run_record_says_what_ran() {
    let dir = dir();
    copy(&dir, "dns-udp.pcap");
    import(&dir, &["--hash", "none", "--sensor", "hall", "--home-net", "10.20.0.0/24", "dns-udp.pcap"]);
    let runs = open(&dir).runs().unwrap();
    let run = &runs[0].1;
    assert_eq!(run.version, env!("CARGO_PKG_VERSION"));
    assert!(run.command.iter().any(|a| a == "--home-net"), "{:?}", run.command);
    assert_eq!((run.sensor.as_str(), run.hash.as_str()), ("hall", "none"));
    assert_eq!(run.home_nets, ["10.20.0.0/24"]);
    assert_eq!(run.exit_code, Some(0));
    assert!(run.catalogue.to_text().contains("update-s-hosts") && run.catalogue_sha256.len() == 64);
    assert!(open(&dir).sources().unwrap()[0].source.starts_with("file:"));
}

#[test]
fn a_damaged_capture_is_kept_with_its_warning() {
    let dir = dir();
    let bytes = fs::read(samples().join("dns-udp.pcap")).unwrap();
    fs::write(dir.path().join("cut.pcap"), &bytes[..bytes.len() - 3]).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--store", "s.sqlite", "cut.pcap"]);
    ran.said_once(1, &["cut.pcap", "cut off"]);
    let store = open(&dir);
    assert_eq!(store.runs().unwrap()[0].1.exit_code, Some(1));
    assert!(store.sources().unwrap()[0].warnings[0].contains("cut off"));
    assert!(!records(&dir).is_empty());
    assert!(Path::new(&dir.path().join("s.sqlite")).exists());
}

/// Runs the program several times at once in a folder.
fn at_once(dir: &TempDir, runs: &[Vec<&str>]) {
    let start = |args: &Vec<&str>| {
        let mut command = program(args);
        command.current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = runs.iter().map(start).collect();
    for child in children {
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn first_runs_at_once_make_one_store() {
    let dir = dir();
    let captures = ["dns-udp.pcap", "tls12.pcap", "vlan.pcap", "resolver.pcap"];
    captures.iter().for_each(|c| copy(&dir, c));
    let runs: Vec<Vec<&str>> = captures.iter().map(|c| vec!["replay", "-q", "--store", "s.sqlite", c]).collect();
    for round in 0..8 {
        at_once(&dir, &runs);
        let store = open(&dir);
        assert_eq!((store.sources().unwrap().len(), store.runs().unwrap().len()), (4, 4), "{round}");
        assert!(store.check().unwrap().is_empty());
        drop(store);
        fs::remove_file(dir.path().join("s.sqlite")).unwrap();
    }
}

#[test]
fn first_imports_at_once_make_one_archive_or_store() {
    let dir = dir();
    let mut names = Vec::new();
    for capture in ["tls12.pcap", "vlan.pcap", "resolver.pcap"] {
        copy(&dir, capture);
        names.push(format!("{capture}.ndjson"));
        let lines = run_in(dir.path(), &["replay", "-q", "--format", "ndjson", capture]).out;
        fs::write(dir.path().join(format!("{capture}.ndjson")), lines).unwrap();
    }
    for (round, place) in (0..4).flat_map(|round| [(round, "s.sqlite"), (round, "archive/")]) {
        let runs: Vec<Vec<&str>> = names.iter().map(|n| vec!["import", "-q", "--store", place, n]).collect();
        at_once(&dir, &runs);
        let hosts = run_in(dir.path(), &["hosts", "--store", place, "--format", "ndjson"]);
        assert!(hosts.code == 0 && hosts.out.lines().count() >= 4, "{round} {place}: {hosts:?}");
        let there = dir.path().join(place);
        if there.is_dir() { fs::remove_dir_all(there).unwrap() } else { fs::remove_file(there).unwrap() }
    }
}
