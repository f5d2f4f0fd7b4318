//! The samples as other SPAN ports would have delivered them.

use crate::support::program::run_in;
use crate::support::rewrite::{self, Frame, frames, leaves_office, recut, routed, shuffled, with_copies};
use crate::support::{name, sample_captures};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROUTER: [[u8; 6]; 2] = [[2, 0xff, 0, 0, 0, 1], [2, 0xff, 0, 0, 0, 2]];

fn samples() -> Vec<(String, Vec<Frame>)> {
    sample_captures().iter().map(|p| (name(p), frames(p))).collect()
}

fn run(dir: &Path, args: &[&str], frames: &[Frame]) -> Vec<Value> {
    fs::write(dir.join("a.pcap"), rewrite::pcap(frames)).unwrap();
    let ran = run_in(dir, &[args, &["-q", "a.pcap"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    ran.json()
}

/// What `names` prints but for frame numbers, times and notes, sorted.
fn names(dir: &Path, frames: &[Frame]) -> Vec<String> {
    let fields = ["channel", "name", "src", "sport", "dst", "dport"];
    let line = |v: &Value| fields.map(|f| v[f].to_string()).join(" ");
    let mut all: Vec<String> = run(dir, &["names"], frames).iter().map(line).collect();
    all.sort();
    all
}

/// Records but for what depends on the file itself; times to the second.
fn records(dir: &Path, frames: &[Frame]) -> Vec<Value> {
    let mut all = run(dir, &["replay", "--format", "ndjson"], frames);
    for record in &mut all {
        let r = record.as_object_mut().unwrap();
        for field in ["evidence", "evidence_more", "source"] {
            r.remove(field);
        }
        for field in ["first_seen", "last_seen"] {
            let second = r[field].as_str().unwrap()[..19].to_owned();
            r.insert(field.to_owned(), second.into());
        }
    }
    all
}

/// What a replay counted.
fn counts(dir: &Path, frames: &[Frame]) -> BTreeMap<String, u64> {
    fs::write(dir.join("a.pcap"), rewrite::pcap(frames)).unwrap();
    let ran = run_in(dir, &["replay", "-q", "--stats", "stats.json", "a.pcap"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let stats: Value = serde_json::from_str(&fs::read_to_string(dir.join("stats.json")).unwrap()).unwrap();
    serde_json::from_value(stats["coverage"]["totals"].clone()).unwrap()
}

/// Neither names nor records change, nor any count but of frames; and the
/// copies are counted.
#[track_caller]
fn same(dir: &Path, of: &str, frames: &[Frame], copied: &[Frame]) {
    assert!(copied.len() > frames.len(), "{of}: nothing was copied");
    assert_eq!(names(dir, copied), names(dir, frames), "{of}");
    let (want, got) = (records(dir, frames), records(dir, copied));
    for (want, got) in want.iter().zip(&got) {
        assert_eq!(got, want, "{of}");
    }
    assert_eq!(got.len(), want.len(), "{of}: {got:#?}");
    let (mut want, mut got) = (counts(dir, frames), counts(dir, copied));
    let sum = |c: &BTreeMap<String, u64>, of: &[&str]| of.iter().filter_map(|f| c.get(*f)).sum::<u64>();
    let segments = ["tcp_segments", "udp_datagrams"];
    let more = sum(&got, &segments) - sum(&want, &segments);
    let copies = sum(&got, &["duplicates"]) - sum(&want, &["duplicates"]);
    assert!(copies <= more && (copies > 0) == (more > 0), "{of}: {copies} copies of {more}");
    for c in [&mut want, &mut got] {
        // Frames, and what is of no flow.
        for field in [
            "frames",
            "wire_bytes",
            "arp",
            "other_transport",
            "other_ethertype",
            "tcp_segments",
            "udp_datagrams",
            "duplicates",
            "sample_frames",
            "duplicates_sampled",
        ] {
            c.remove(field);
        }
    }
    assert_eq!(got, want, "{of}");
}

#[test]
fn every_frame_twice() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        same(dir.path(), &of, &frames, &with_copies(&frames, false, |f| Some(f.to_vec())));
    }
}

/// A copy behind a router, in the same or another VLAN.
#[test]
fn every_packet_before_and_after_a_router() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        for vlan in [None, Some(77)] {
            let copied = with_copies(&frames, false, |f| routed(f, ROUTER, 1, vlan));
            same(dir.path(), &format!("{of} {vlan:?}"), &frames, &copied);
        }
    }
}

/// What leaves the office has passed the router in the copy, what comes has
/// not yet; the mirror's order is either.
#[test]
fn every_packet_on_both_sides_of_the_border() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        for (first, vlan) in [(false, None), (false, Some(77)), (true, None), (true, Some(77))] {
            let copy = |f: &[u8]| routed(f, ROUTER, if leaves_office(f)? { 1 } else { -1 }, vlan);
            let copied = with_copies(&frames, first, copy);
            // Two hosts with one address cannot both be routed into one VLAN.
            let routable = vlan.is_none() || of != "vlan.pcap";
            if copied.len() > frames.len() && routable {
                same(dir.path(), &format!("{of} {first} {vlan:?}"), &frames, &copied);
            }
        }
    }
}

#[test]
fn one_byte_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        let bytes: usize = frames.iter().map(|f| f.bytes.len()).sum();
        let size = if bytes < 200_000 { 1 } else { 16 };
        let cut: Vec<Frame> = frames.iter().flat_map(|f| recut(f, size)).collect();
        assert_eq!(names(dir.path(), &cut), names(dir.path(), &frames), "{of}");
    }
}

#[test]
fn frames_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        for seed in 1..4 {
            let moved = shuffled(&frames, seed);
            assert_eq!(names(dir.path(), &moved), names(dir.path(), &frames), "{of} {seed}");
        }
    }
}
