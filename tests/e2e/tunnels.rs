//! The same frames in every encapsulation say the same.

use crate::support::program::run_in;
use crate::support::tunnels::{Frame, LINKS, TUNNELS, Tunnel};
use crate::support::writer::Pcap;
use crate::support::{packets, sample_captures, sha256};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A capture's name, and its frames with their times in nanoseconds.
type Capture = (String, Vec<(i64, Vec<u8>)>);

/// Frames of a pcap file of Ethernet with their times in nanoseconds; `None`
/// for other files.
fn frames(path: &Path) -> Option<Vec<(i64, Vec<u8>)>> {
    let bytes = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let unit = match word(0) {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        _ => return None,
    };
    if word(20) != 1 {
        return None;
    }
    let mut found = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let len = word(at + 8) as usize;
        found.push((
            i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit,
            bytes[at + 16..][..len].into(),
        ));
        at += 16 + len;
    }
    Some(found)
}

/// The rows of the names in captures, wrapped frame by frame. What the tunnel
/// cannot carry and is no name's becomes a frame of one byte.
fn names(tunnel: &Tunnel, captures: &[Capture], carried: &mut u64) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, frames) in captures {
        let mut pcap = Pcap::of(tunnel.link.into());
        for (ts, bytes) in frames {
            let wrapped = (tunnel.wrap)(&Frame::new(bytes));
            *carried += u64::from(wrapped.is_some());
            pcap.frame(*ts, &wrapped.unwrap_or(vec![0]));
        }
        fs::write(dir.path().join(name), pcap.bytes()).unwrap();
    }
    let files: Vec<&str> = captures.iter().map(|(name, _)| name.as_str()).collect();
    let ran = run_in(dir.path(), &[&["names"][..], &files].concat());
    assert_eq!(ran.code, 0, "{}: {}", tunnel.name, ran.err);
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn the_sample_captures_in_every_tunnel_and_link_give_the_same_names() {
    let captures: Vec<Capture> = sample_captures()
        .iter()
        .filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), frames(path)?)))
        .collect();
    assert!(captures.len() >= 14);
    let expected = names(&TUNNELS[0], &captures, &mut 0);
    assert!(expected.len() > 100, "{}", expected.len());
    for tunnel in TUNNELS.iter().chain(LINKS) {
        let mut carried = 0;
        let mut want = expected.clone();
        // Some carry one version of IP only.
        want.retain(|row| {
            let six = serde_json::from_str::<Value>(row).unwrap()["src"].as_str().unwrap().contains(':');
            match tunnel.name {
                "Teredo" | "IPv6" => six,
                "IPv4" => !six,
                _ => true,
            }
        });
        let got = names(tunnel, &captures, &mut carried);
        assert!(carried > 0, "{}", tunnel.name);
        assert!(got == want, "{}: {} rows, not {}", tunnel.name, got.len(), want.len());
    }
}

#[test]
fn evidence_names_each_layer_and_coverage_counts_it() {
    let client = packets::host(7);
    let mut frames = Vec::from(packets::lookup(client, 40_000, "dnl-01.geo.kaspersky.com", packets::SERVER));
    let hello = packets::client_hello(b"s05.upd.kaspersky.com");
    frames.extend(packets::connection((client, 40_001), (packets::SERVER, 443), &[(&hello, &packets::server_hello())]));
    let dir = tempfile::tempdir().unwrap();
    for tunnel in TUNNELS.iter().chain(LINKS).filter(|t| !matches!(t.name, "Teredo" | "IPv6")) {
        let mut pcap = Pcap::of(tunnel.link.into());
        let wrapped: Vec<Vec<u8>> = frames.iter().map(|f| (tunnel.wrap)(&Frame::new(f)).unwrap()).collect();
        fs::write(dir.path().join("a.pcap"), pcap.frames(packets::TEN, &wrapped).bytes()).unwrap();
        let args = ["replay", "a.pcap", "--format", "ndjson", "--stats", "stats.json"];
        let ran = run_in(dir.path(), &[&args[..], &["--output", "out.ndjson"]].concat());
        assert_eq!(ran.code, 0, "{}: {}", tunnel.name, ran.err);
        let layers: Vec<String> =
            tunnel.layers.split('/').filter(|l| !l.is_empty()).map(|l| l.replace('N', "4")).collect();
        let out = fs::read_to_string(dir.path().join("out.ndjson")).unwrap();
        let mut channels = Vec::new();
        for record in out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()) {
            for evidence in record["evidence"].as_array().unwrap() {
                let found: Vec<&str> =
                    evidence["layers"].as_array().into_iter().flatten().map(|l| l.as_str().unwrap()).collect();
                assert_eq!(found, layers, "{}: {evidence}", tunnel.name);
                let frame = evidence["frame"].as_u64().unwrap() as usize - 1;
                assert_eq!(evidence["packet_sha256"], sha256(&wrapped[frame]), "{}", tunnel.name);
                channels.push(evidence["channel"].as_str().unwrap().to_owned());
            }
        }
        for channel in ["dns_query", "tls_sni"] {
            assert!(channels.iter().any(|c| c == channel), "{}: {channels:?}", tunnel.name);
        }
        let stats: Value = serde_json::from_slice(&fs::read(dir.path().join("stats.json")).unwrap()).unwrap();
        let mut want = BTreeMap::new();
        for counter in tunnel.counters {
            *want.entry(counter.replace('N', "4")).or_insert(0) += frames.len() as u64;
        }
        assert_eq!(encapsulations(&stats), want, "{}", tunnel.name);
    }
}

/// The counters of encapsulations in statistics, by name.
fn encapsulations(stats: &Value) -> BTreeMap<String, u64> {
    let totals = stats["coverage"]["totals"].as_object().unwrap().iter();
    totals.filter(|(k, _)| k.starts_with("encap_")).map(|(k, v)| (k.clone(), v.as_u64().unwrap())).collect()
}
