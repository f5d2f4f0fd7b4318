//! The samples as other SPAN ports would have delivered them.

use crate::support::packets::{self, TEN, host};
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

/// What the program makes of a capture.
struct Made {
    frames: usize,
    names: Vec<String>,
    records: Vec<Value>,
    counts: BTreeMap<String, u64>,
}

impl Made {
    fn of(dir: &Path, frames: &[Frame]) -> Self {
        Made {
            frames: frames.len(),
            names: names(dir, frames),
            records: records(dir, frames),
            counts: counts(dir, frames),
        }
    }

    /// Neither names nor records change, nor any count but of frames; and the
    /// copies are counted.
    #[track_caller]
    fn same(&self, dir: &Path, of: &str, copied: &[Frame]) {
        let got = Made::of(dir, copied);
        assert!(got.frames > self.frames, "{of}: nothing was copied");
        assert_eq!(got.names, self.names, "{of}");
        for (want, got) in self.records.iter().zip(&got.records) {
            assert_eq!(got, want, "{of}");
        }
        assert_eq!(got.records.len(), self.records.len(), "{of}: {:#?}", got.records);
        let sum = |c: &BTreeMap<String, u64>, of: &[&str]| of.iter().filter_map(|f| c.get(*f)).sum::<u64>();
        let more = |of: &[&str]| sum(&got.counts, of) - sum(&self.counts, of);
        let (segments, copies) = (more(&["tcp_segments", "udp_datagrams"]), more(&["duplicates"]));
        assert!(copies <= segments && (copies > 0) == (segments > 0), "{of}: {copies} copies of {segments}");
        // Frames, and what is of no flow.
        let rest = |c: &BTreeMap<String, u64>| -> BTreeMap<String, u64> {
            const FRAMES: [&str; 17] = [
                // Reckoned from where a flow is followed, which copies move by a segment.
                "matched_acked_bytes",
                "frames",
                "frames_decoded",
                "wire_bytes",
                "arp",
                "other_transport",
                "other_ethertype",
                // Each copy says again who has an address.
                "address_claims",
                "address_claims_lone",
                "claims_refused",
                "dhcp_messages",
                "host_names",
                "tcp_segments",
                "udp_datagrams",
                "duplicates",
                "sample_frames",
                "duplicates_sampled",
            ];
            c.clone()
                .into_iter()
                .filter(|(name, _)| {
                    let of_frames = ["bytes_", "encap_"].iter().any(|start| name.starts_with(start));
                    !of_frames && !FRAMES.contains(&name.as_str())
                })
                .collect()
        };
        assert_eq!(rest(&got.counts), rest(&self.counts), "{of}");
    }
}

#[test]
fn every_frame_twice() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        Made::of(dir.path(), &frames).same(dir.path(), &of, &with_copies(&frames, false, |f| Some(f.to_vec())));
    }
}

/// A copy behind a router, in the same or another VLAN.
#[test]
fn every_packet_before_and_after_a_router() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        let want = Made::of(dir.path(), &frames);
        for vlan in [None, Some(77)] {
            let copied = with_copies(&frames, false, |f| routed(f, ROUTER, 1, vlan));
            want.same(dir.path(), &format!("{of} {vlan:?}"), &copied);
        }
    }
}

/// What leaves the office has passed the router in the copy, what comes has
/// not yet; the mirror's order is either.
#[test]
fn every_packet_on_both_sides_of_the_border() {
    let dir = tempfile::tempdir().unwrap();
    for (of, frames) in samples() {
        let want = Made::of(dir.path(), &frames);
        for (first, vlan) in [(false, None), (false, Some(77)), (true, None), (true, Some(77))] {
            let copy = |f: &[u8]| routed(f, ROUTER, if leaves_office(f)? { 1 } else { -1 }, vlan);
            let copied = with_copies(&frames, first, copy);
            // Two hosts with one address cannot both be routed into one VLAN.
            let routable = vlan.is_none() || of != "vlan.pcap";
            if copied.len() > frames.len() && routable {
                want.same(dir.path(), &format!("{of} {first} {vlan:?}"), &copied);
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

const NAME: &str = "s05.upd.kaspersky.com";

fn timed(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Frame> {
    (0..).zip(frames).map(|(n, bytes)| Frame { ns: TEN + n * 1_000_000, bytes }).collect()
}

/// The frame in a VLAN, sent by and to such machines.
fn tagged(frame: &[u8], macs: [[u8; 6]; 2], vlan: u16) -> Vec<u8> {
    routed(frame, macs, 0, Some(vlan)).unwrap()
}

/// Machines of one make and one address in two VLANs that do the same at the
/// same time are two hosts.
#[test]
fn equal_hosts_in_two_vlans_stay_two() {
    let dir = tempfile::tempdir().unwrap();
    let mut frames = Vec::new();
    for f in packets::update(host(5), 40_000) {
        for n in [1, 2] {
            frames.push(tagged(&f, [[2, 0, 0, 0, 1, n], [2, 0, 0, 0, 2, n]], 10 * u16::from(n)));
        }
    }
    let mut all: Vec<Frame> = timed(frames);
    for pair in all.chunks_mut(2) {
        pair[1].ns = pair[0].ns + 1000;
    }
    let records = records(dir.path(), &all);
    let segments: Vec<&str> = records.iter().map(|r| r["host"]["segment"].as_str().unwrap()).collect();
    assert!(segments.len() > 1 && segments.iter().filter(|s| **s == "vlan:10").count() * 2 == segments.len());
    assert!(!counts(dir.path(), &all).contains_key("duplicates"));
}

/// A packet seen as it is and inside a tunnelled mirror (ERSPAN type I).
#[test]
fn a_packet_inside_and_outside_of_a_tunnelled_mirror_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let mirrored = |frame: &[u8]| {
        let gre = [&[0, 0, 0x88, 0xbe][..], frame].concat();
        let mut ip = vec![0x45, 0, 0, 0, 0, 9, 0, 0, 64, 47, 0, 0, 10, 99, 0, 1, 10, 99, 0, 2];
        let total = (ip.len() + gre.len()) as u16;
        ip[2..4].copy_from_slice(&total.to_be_bytes());
        Some([&[2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, 8, 0][..], &ip, &gre].concat())
    };
    let frames = timed(packets::update(host(5), 40_000));
    Made::of(dir.path(), &frames).same(dir.path(), "erspan", &with_copies(&frames, false, mirrored));
    let outside_first = records(dir.path(), &with_copies(&frames, true, mirrored));
    assert_eq!(outside_first.len(), records(dir.path(), &frames).len());
}

/// The two directions of a flow in two VLANs.
#[test]
fn directions_with_other_tags_need_an_option() {
    let dir = tempfile::tempdir().unwrap();
    let of = |f: Vec<u8>| {
        let from_host = f[26..30] == host(5);
        let (ours, router) = ([2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 1, 2]);
        if from_host { tagged(&f, [router, ours], 10) } else { tagged(&f, [ours, router], 20) }
    };
    let frames = timed(packets::update(host(5), 40_000).into_iter().map(of));
    fs::write(dir.path().join("a.pcap"), rewrite::pcap(&frames)).unwrap();
    let replay =
        |more: &[&str]| run_in(dir.path(), &[&["replay", "--format", "ndjson", "-q", "a.pcap"], more].concat()).json();
    let without = replay(&[]);
    let one_sided = |r: &Value| r["notes"].to_string().contains("one_sided");
    assert!(without.iter().any(one_sided) && without.iter().all(|r| r["host"]["segment"] != ""), "{without:#?}");
    let with = replay(&["--ignore-vlan"]);
    let names = with.iter().find(|r| r["indicator"]["id"] != "update-path-index").unwrap();
    assert!(!with.iter().any(one_sided), "{with:#?}");
    assert_eq!((&names["stage"], &names["host"]["segment"]), (&"transferred".into(), &"".into()));
    assert!(names["channels"].to_string().contains("dns_answer"));
    let layers: Vec<&Value> = names["evidence"].as_array().unwrap().iter().map(|e| &e["layers"][0]).collect();
    assert!(layers.contains(&&"vlan:10".into()) && layers.contains(&&"vlan:20".into()), "the tags stay in evidence");
}

/// Real retransmissions of a host count as before: the question again with
/// another number is a second question.
#[test]
fn a_question_repeated_by_the_host_counts() {
    let dir = tempfile::tempdir().unwrap();
    let [question, answer] = packets::lookup(host(5), 40_000, NAME, packets::SERVER);
    let mut again = question.clone();
    again[18..20].copy_from_slice(&[0, 1]);
    let frames = timed([question.clone(), again, answer]);
    assert_eq!(records(dir.path(), &frames)[0]["count"], 3);
    let frames = timed([question.clone(), question]);
    assert_eq!(records(dir.path(), &frames)[0]["count"], 1);
}
