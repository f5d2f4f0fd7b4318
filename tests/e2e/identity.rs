//! Who had which address, as the store keeps it.

use crate::support::neighbours::{arp, dhcp, dhcp6, discovery, link_local, unique_local};
use crate::support::packets::{self, SECOND, SERVER, TEN, host};
use crate::support::program::{run_in, run_with_input};
use crate::support::writer::Pcap;
use crate::support::{rewrite, samples};
use spansight::store::Store;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const CLIENT: [u8; 6] = [2, 0, 10, 0, 0, 5];
const GATEWAY: [u8; 6] = [2, 0, 10, 0, 0, 1];

/// Stores a capture; gives the intervals as text: kind, address, hardware
/// address, name, seconds from ten o'clock.
fn intervals(pcap: &Pcap, args: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    replay(&dir, pcap, args);
    stored(&dir.path().join("s.sqlite"))
}

fn stored(path: &Path) -> Vec<String> {
    let store = Store::open_read_only(path).unwrap();
    assert!(store.check().unwrap().is_empty());
    let secs = |t: spansight::base::Timestamp| (t.0 - TEN) / SECOND;
    let mut all: Vec<String> = store
        .intervals()
        .unwrap()
        .into_iter()
        .map(|i| {
            let (mac, name) = (i.mac.map_or("-".into(), |m| m.to_string()), i.name.unwrap_or_default());
            format!("{} {} {mac} {name} {}..{}", i.kind, i.ip, secs(i.from), secs(i.to))
        })
        .collect();
    all.sort();
    all
}

fn replay(dir: &TempDir, pcap: &Pcap, args: &[&str]) -> String {
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    let ran = run_in(dir.path(), &[&["replay", "-q", "--store", "s.sqlite", "a.pcap"], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.out
}

/// A host gets an address, resolves its gateway, connects and gives the
/// address back; another only pretends.
fn a_morning() -> Pcap {
    let (five, gateway) = ([10, 0, 0, 5], [10, 0, 0, 1]);
    let at = |secs: i64| TEN + secs * SECOND;
    let mut pcap = Pcap::new();
    let request = [(50, &five[..]), (12, b"PC-17"), (61, b"\xff\x01\x02\x03\x04\x00\x02\x00\x00\xab\x11\x42")];
    pcap.frame(at(0), &dhcp(1, CLIENT, [0; 4], [0; 4], &request));
    pcap.frame(at(0), &dhcp(2, CLIENT, [0; 4], five, &[(51, &[0, 0, 14, 16])]));
    pcap.frame(at(1), &dhcp(3, CLIENT, [0; 4], [0; 4], &request));
    pcap.frame(at(1), &dhcp(5, CLIENT, [0; 4], five, &[(51, &[0, 0, 14, 16])]));
    // Looks whether the address is free, then announces it twice.
    pcap.frame(at(2), &arp(true, (CLIENT, [0; 4]), (CLIENT, five)));
    pcap.frame(at(4), &arp(true, (CLIENT, five), (CLIENT, five)));
    pcap.frame(at(6), &arp(true, (CLIENT, five), (CLIENT, five)));
    pcap.frame(at(9), &arp(true, (CLIENT, five), (GATEWAY, gateway)));
    pcap.frame(at(9), &arp(false, (GATEWAY, gateway), (CLIENT, five)));
    pcap.frames(at(10), &packets::update(five, 40_001));
    // Somebody makes up a neighbour.
    pcap.frame(at(12), &arp(true, ([2, 6, 6, 6, 6, 6], [10, 0, 0, 66]), (GATEWAY, gateway)));
    let (mine, other) = (link_local(5), link_local(1));
    pcap.frame(at(20), &discovery(135, CLIENT, mine, other, other));
    pcap.frame(at(20), &discovery(136, GATEWAY, other, mine, other));
    let lease = [&unique_local(5)[..], &[0, 0, 0, 99], &[0, 0, 0, 100]].concat();
    let granted = [&[0, 3, 0, 40][..], &[0; 12], &[0, 5, 0, 24], &lease].concat();
    pcap.frame(at(30), &dhcp6(3, (CLIENT, mine), b"\0\x02\0\0\xab\x11\x42", b"\0\x27\0\x06\x01\x04pc17"));
    pcap.frame(at(30), &dhcp6(7, (CLIENT, mine), b"\0\x02\0\0\xab\x11\x42", &granted));
    pcap.frame(at(600), &dhcp(7, CLIENT, five, [0; 4], &[]));
    pcap
}

#[test]
fn each_fact_is_stored_with_its_kind_and_time() {
    let all = intervals(&a_morning(), &[]);
    let got: BTreeSet<&str> = all.iter().map(String::as_str).filter(|i| !i.starts_with("traffic")).collect();
    let want = BTreeSet::from([
        "arp 10.0.0.1 02:00:0a:00:00:01  9..9",
        "arp 10.0.0.5 02:00:0a:00:00:05  6..9",
        "dhcp 10.0.0.5 02:00:0a:00:00:05  1..600",
        "dhcp 10.0.0.5 02:00:0a:00:00:05 pc-17 1..600",
        "dhcp_client_id 10.0.0.5 02:00:0a:00:00:05 00020000ab1142 1..600",
        "dhcp_client_id fd00::5 02:00:0a:00:00:05 00020000ab1142 30..130",
        "dhcpv6 fd00::5 02:00:0a:00:00:05  30..130",
        "dhcpv6 fd00::5 02:00:0a:00:00:05 pc17 30..130",
        "handshake 10.0.0.5 02:00:0a:00:00:05  10..10",
        "nd fe80::1 02:00:0a:00:00:01  20..20",
    ]);
    assert_eq!(got, want);
}

#[test]
fn names_out_of_dhcp_name_hosts_unless_they_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let name = |args: &[&str]| {
        let out = replay(&dir, &a_morning(), &[&["--format", "ndjson"], args].concat());
        let record: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        (record["host"]["name"].as_str().map(str::to_owned), record["host"]["name_source"].as_str().map(str::to_owned))
    };
    assert_eq!(name(&[]), (Some("pc-17".into()), Some("dhcp".into())));
    assert_eq!(name(&["--no-dhcp-names"]), (None, None));
    let left = intervals(&a_morning(), &["--no-dhcp-names"]);
    assert!(!left.iter().any(|i| i.contains("pc-17") || i.contains("client_id")), "{left:#?}");
    assert!(left.iter().any(|i| i.starts_with("dhcp 10.0.0.5")));
}

#[test]
fn a_running_sensor_stores_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    let store = path.to_string_lossy();
    for more in [&[][..], &["--no-dhcp-names"]] {
        let args = [&["replay", "--follow", "-q", "--format", "ndjson", "--store", &*store], more, &["-"]].concat();
        let ran = run_with_input(&args, a_morning().bytes());
        // What it told last, to DHCPv6.
        let name = if more.is_empty() { " (pc17)" } else { "" };
        assert!(ran.code == 0 && ran.said().len() == 1, "{ran:?}");
        assert!(ran.err.contains(&format!(" 10.0.0.5{name} is new: updating. ")), "{ran:?}");
        assert_eq!(ran.out.contains(r#""name":"pc-17","name_source":"dhcp""#), more.is_empty());
        assert_eq!(stored(&path), intervals(&a_morning(), more));
        fs::remove_file(&path).unwrap();
    }
}

/// 5,000 hosts that do not exist confirm nobody, and push out neither who was
/// confirmed before them nor who is after.
#[test]
fn spoofed_clients_are_never_confirmed() {
    let mut pcap = Pcap::new();
    let mut at = TEN;
    let mut add = |frames: &[Vec<u8>]| {
        pcap.frames(at, frames);
        at += SECOND / 100;
    };
    add(&packets::update(host(60_001), 40_001));
    for n in 0..5000 {
        let hello = packets::client_hello(b"s05.upd.kaspersky.com");
        let mut frames = packets::connection((host(n), 40_000), (SERVER, 443), &[(&hello, b"")]);
        // The server's consent goes to whoever has the address.
        frames.drain(1..3);
        frames.truncate(2);
        add(&frames);
    }
    add(&packets::update(host(60_002), 40_001));
    for workers in ["1", "3"] {
        let all = intervals(&pcap, &["--workers", workers]);
        let confirmed: Vec<&str> =
            all.iter().filter(|i| !i.starts_with("traffic")).filter_map(|i| i.split(' ').nth(1)).collect();
        assert_eq!(confirmed, ["10.0.234.97", "10.0.234.98"]);
    }
}

#[test]
fn each_frame_still_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    replay(&dir, &a_morning(), &["--stats", "stats.json"]);
    let stats: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("stats.json")).unwrap()).unwrap();
    let totals = &stats["coverage"]["totals"];
    let n = |word: &str| totals[word].as_u64().unwrap_or(0);
    assert_eq!((n("arp"), n("other_transport"), n("dhcp_messages")), (6, 2, 7));
    assert_eq!(n("frames"), n("frames_decoded") + n("arp") + n("other_transport"));
    assert_eq!(n("wire_bytes"), n("bytes_decoded") + n("bytes_arp") + n("bytes_other_transport"));
}

/// A copy a moment later is no second word.
#[test]
fn copies_of_frames_confirm_nothing_more() {
    let capture = samples().join("office-day.pcap.zst");
    let frames = rewrite::frames(&capture);
    let confirmed = |frames: &[rewrite::Frame]| {
        let mut pcap = Pcap::new();
        for f in frames {
            pcap.frame(f.ns, &f.bytes);
        }
        let all = intervals(&pcap, &[]);
        all.into_iter().filter(|i| !i.starts_with("traffic")).collect::<Vec<_>>()
    };
    let twice = rewrite::with_copies(&frames, false, |f| Some(f.to_vec()));
    assert_eq!(confirmed(&twice), confirmed(&frames));
}

#[test]
fn a_recorded_morning_gives_the_same_for_any_number_of_workers() {
    let dir = tempfile::tempdir().unwrap();
    let capture = samples().join("office-day.pcap.zst");
    let store = |workers: &str| {
        let name = format!("{workers}.sqlite");
        let path = capture.to_string_lossy();
        let ran = run_in(dir.path(), &["replay", "-q", "--workers", workers, "--store", &name, &path]);
        assert_eq!(ran.code, 0);
        Store::open_read_only(&dir.path().join(name)).unwrap().intervals().unwrap()
    };
    let one = store("1");
    let of = |kind: &str| one.iter().filter(|i| i.kind == kind).map(|i| i.ip).collect::<BTreeSet<_>>().len();
    assert_eq!((of("dhcp"), of("arp") >= 10, of("handshake") >= 8, of("nd") >= 3), (10, true, true, true));
    for workers in ["2", "8"] {
        assert_eq!(store(workers), one);
    }
}
