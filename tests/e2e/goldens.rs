//! The sample captures give the sightings that are written beside them, and
//! those are what they say they are.

use crate::support::packets::SECOND;
use crate::support::program::run;
use crate::support::{name, sample_captures, samples, schema, sha256};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

fn golden(capture: &Path) -> String {
    let name = name(capture);
    let stem = name.split('.').next().unwrap();
    let path = samples().join(format!("{stem}.expected.ndjson"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; run scripts/update-goldens", path.display()))
}

/// Every expected record with its capture.
fn records() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for capture in sample_captures() {
        let of = name(&capture);
        all.extend(golden(&capture).lines().map(|l| (of.clone(), serde_json::from_str(l).unwrap())));
    }
    assert!(all.len() > 50, "too few records to mean anything");
    all
}

fn text<'v>(v: &'v Value, field: &str) -> &'v str {
    v[field].as_str().unwrap_or("")
}

#[test]
fn every_sample_gives_its_sightings() {
    for capture in sample_captures() {
        let path = capture.to_string_lossy().into_owned();
        let ran = run(&["replay", "--format", "ndjson", "--sensor", "samples", "--hash", "sha256", "-q", &path]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path}");
        if ran.out != golden(&capture) {
            let (want, got) = (golden(&capture), ran.out);
            let line = want.lines().zip(got.lines()).find(|(a, b)| a != b);
            panic!("{path}: other sightings than expected; see scripts/update-goldens. First difference: {line:#?}");
        }
    }
}

#[test]
fn every_sample_is_described() {
    let readme = fs::read_to_string(samples().join("README.md")).unwrap();
    for capture in sample_captures() {
        let name = name(&capture);
        assert!(readme.lines().any(|l| l.starts_with(&format!("| `{name}` |"))), "{name} is not in the README");
    }
    for entry in fs::read_dir(samples()).unwrap() {
        let name = name(&entry.unwrap().path());
        if let Some(stem) = name.strip_suffix(".expected.ndjson") {
            assert!(readme.contains(&format!("`{stem}.pcap")), "{name} is of no capture");
        }
    }
}

#[test]
fn records_follow_the_schema() {
    let schema = schema::sighting();
    for (of, record) in records() {
        let faults = schema::faults(&schema, &record);
        assert!(faults.is_empty(), "{of}: {faults:#?}");
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = schema::sighting();
    let (_, good) = records().swap_remove(0);
    let broken: [(&str, Value); 8] = [
        ("/schema", "spansight.sighting/2".into()),
        ("/id", "4AD6DB850794ED3D41FE0CDDE7908070".into()),
        ("/stage", "seen".into()),
        ("/revision", 0.into()),
        ("/evidence/0/frame", "1".into()),
        ("/host/ip", Value::Null),
        ("/names/0", "a\u{1b}[2J".into()),
        ("/channels", Value::Array(Vec::new())),
    ];
    for (place, value) in broken {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!schema::faults(&schema, &bad).is_empty(), "{place}");
    }
    let mut bad = good.clone();
    bad.as_object_mut().unwrap().remove("slots");
    assert!(!schema::faults(&schema, &bad).is_empty());
}

#[test]
fn ids_are_the_documented_hash() {
    for (of, r) in records() {
        let (host, indicator) = (&r["host"], &r["indicator"]);
        let parts = [
            text(&r, "sensor"),
            text(host, "segment"),
            text(host, "ip"),
            text(host, "mac"),
            text(indicator, "id"),
            text(&r, "period"),
        ];
        let hashed: String = parts.iter().map(|p| format!("{p}\0")).collect();
        assert_eq!(text(&r, "id"), &sha256(hashed.as_bytes())[..32], "{of}");
    }
}

#[test]
fn records_are_in_their_order() {
    let key = |r: &Value| {
        let host = &r["host"];
        let ip: IpAddr = text(host, "ip").parse().unwrap();
        let texts = [text(host, "segment"), text(host, "mac"), text(&r["indicator"], "id"), text(r, "source")];
        (text(r, "period").to_owned(), ip, texts.map(str::to_owned))
    };
    for pair in records().windows(2) {
        let [(a_of, a), (b_of, b)] = pair else { unreachable!() };
        assert!(a_of != b_of || key(a) < key(b), "{a_of}: {a}\n{b}");
    }
}

#[test]
fn channels_are_in_their_order_and_have_evidence() {
    let order: Vec<Value> = schema::sighting()["$defs"]["channel"]["enum"].as_array().unwrap().clone();
    let place = |c: &Value| order.iter().position(|o| o == c).unwrap();
    for (of, r) in records() {
        let channels = r["channels"].as_array().unwrap();
        assert!(channels.windows(2).all(|w| place(&w[0]) < place(&w[1])), "{of}: {channels:?}");
        let shown: Vec<usize> = r["evidence"].as_array().unwrap().iter().map(|e| place(&e["channel"])).collect();
        assert!(shown.is_sorted(), "{of}: {shown:?}");
        for channel in channels {
            assert!(shown.contains(&place(channel)), "{of}: no evidence of {channel}");
        }
    }
}

#[test]
fn slots_sessions_and_times_agree() {
    for (of, r) in records() {
        let bits = |field: &str| u128::from_str_radix(text(&r, field), 16).unwrap();
        let slots = bits("slots");
        assert_eq!(bits("slots_connected") & !slots, 0, "{of}");
        let runs = (0..96).filter(|i| slots >> i & 1 == 1 && slots >> (i + 1) & 1 == 0).count();
        assert_eq!(r["sessions"].as_u64(), Some(runs as u64), "{of}");
        let slot = |time: &str| {
            let number = |range: std::ops::Range<usize>| time[range].parse::<u32>().unwrap();
            number(11..13) * 4 + number(14..16) / 15
        };
        let (first, last) = (slot(text(&r, "first_seen")), slot(text(&r, "last_seen")));
        let highest = slots.leading_zeros() - 32;
        let lowest = 95 - slots.trailing_zeros();
        assert_eq!((highest, lowest), (first, last), "{of}: {r}");
        assert_eq!(bits("slots_connected") > 0, ["connected", "transferred"].contains(&text(&r, "stage")), "{of}: {r}");
    }
}

/// Servers are those of flows: nothing that was only asked for names.
#[test]
fn resolvers_are_never_servers() {
    for (of, r) in records() {
        for server in r["servers"].as_array().unwrap() {
            assert_ne!(server["port"], 53, "{of}: {r}");
            assert!(!["10.20.0.53", "198.51.100.53", "fd20::53"].contains(&text(server, "ip")), "{of}: {r}");
        }
    }
}

struct Frame {
    offset: usize,
    ns: i64,
    bytes: std::ops::Range<usize>,
}

/// The frames of a little-endian pcap file.
fn frames(file: &[u8]) -> Vec<Frame> {
    let unit = match u32::from_le_bytes(file[..4].try_into().unwrap()) {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        other => panic!("{other:x} is no pcap of this byte order"),
    };
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut at = 24;
    let mut frames = Vec::new();
    while at < file.len() {
        let ns = i64::from(number(at)) * SECOND + i64::from(number(at + 4)) * unit;
        let end = at + 16 + number(at + 8) as usize;
        frames.push(Frame { offset: at, ns, bytes: at + 16..end });
        at = end;
    }
    frames
}

/// Evidence leads to the very bytes: frame number, offset, time and hash of
/// each agree with the file, and both ends stand in the frame.
#[test]
fn evidence_can_be_found_again() {
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    let mut checked = 0;
    for (of, r) in records() {
        if of.ends_with(".pcapng") {
            continue;
        }
        let file = files.entry(of.clone()).or_insert_with(|| {
            let raw = fs::read(samples().join(&of)).unwrap();
            if of.ends_with(".zst") { zstd::decode_all(&raw[..]).unwrap() } else { raw }
        });
        assert_eq!(text(&r, "source"), format!("sha256:{}", sha256(file)), "{of}");
        let frames = frames(file);
        for e in r["evidence"].as_array().unwrap() {
            let frame = &frames[e["frame"].as_u64().unwrap() as usize - 1];
            let bytes = &file[frame.bytes.clone()];
            assert_eq!(e["path"], of.as_str());
            assert_eq!(e["offset"].as_u64(), Some(frame.offset as u64), "{of}: {e}");
            assert_eq!(text(e, "packet_sha256"), sha256(bytes), "{of}: {e}");
            let time: spansight::base::Timestamp = spansight::base::Timestamp::parse(text(e, "ts")).unwrap();
            assert_eq!(time.0, frame.ns, "{of}: {e}");
            for end in ["src", "dst"] {
                let ip: Vec<u8> = match text(e, end).parse().unwrap() {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                assert!(bytes.windows(ip.len()).any(|w| w == ip), "{of}: {e}");
            }
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked}");
}

/// Community id, version 1, seed 0, from its public definition.
fn community_id(a: (IpAddr, u16), b: (IpAddr, u16), tcp: bool) -> String {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let ((low, low_port), (high, high_port)) = {
        let (a, b) = ((bytes(a.0), a.1), (bytes(b.0), b.1));
        if a <= b { (a, b) } else { (b, a) }
    };
    let mut hashed = vec![0, 0];
    hashed.extend(low);
    hashed.extend(high);
    hashed.extend([if tcp { 6 } else { 17 }, 0]);
    hashed.extend(low_port.to_be_bytes());
    hashed.extend(high_port.to_be_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &hashed);
    use base64::Engine;
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

#[test]
fn community_ids_are_those_of_the_flows_in_evidence() {
    let mut checked = 0;
    for (of, r) in records() {
        let listed: Vec<&str> = r["community_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for e in r["evidence"].as_array().unwrap() {
            let channel = text(e, "channel");
            if channel.starts_with("dns_") {
                continue;
            }
            let end = |ip: &str, port: &str| (text(e, ip).parse().unwrap(), e[port].as_u64().unwrap() as u16);
            let id = community_id(end("src", "sport"), end("dst", "dport"), channel != "quic_sni");
            assert!(listed.contains(&id.as_str()), "{of}: {id} of {e} is not in {listed:?}");
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}

/// The samples are whole: nothing is missing, damaged or unknown in them.
#[test]
fn nothing_is_unseen_in_the_samples() {
    for capture in sample_captures() {
        let path = capture.to_string_lossy().into_owned();
        let ran = run(&["replay", &path]);
        assert_eq!(ran.code, 0, "{path}");
        for text in ["Not seen", "cannot be said", "may be missing"] {
            assert!(!ran.err.contains(text), "{path}: {}", ran.err);
        }
    }
}

/// In evidence stands what was seen in the field of its channel, also where
/// the frame is the server's.
#[test]
fn evidence_names_what_its_channel_shows() {
    for (of, r) in records() {
        for e in r["evidence"].as_array().unwrap() {
            let name = text(e, "name");
            let ok = match text(e, "channel") {
                "http_path" => name.starts_with('/'),
                "http_user_agent" => e.get("name").is_none(),
                _ => r["names"].as_array().unwrap().iter().any(|n| n == name),
            };
            assert!(ok, "{of}: {e}");
        }
    }
}

/// A question for one kind of address often finds none; that is worth a note
/// only where nothing else was found.
#[test]
fn no_address_is_noted_only_where_there_is_none() {
    for (of, r) in records() {
        let noted = r["notes"].as_array().into_iter().flatten().any(|n| n == "no_address");
        assert!(!noted || r["stage"] == "queried", "{of}: {r}");
    }
}

/// The README shows what the demo prints.
#[test]
fn the_readme_shows_the_demo() {
    let root = samples().parent().unwrap().to_owned();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let shown = readme.split_once("```text\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    let ran = run(&["replay", &samples().join("office-day.pcap.zst").to_string_lossy()]);
    assert_eq!((ran.code, ran.out + &ran.err), (0, shown), "put into README.md what scripts/demo prints");
}

/// What `capture-samples/README.md` tells of each computer of the office.
#[test]
fn office_day_tells_its_story() {
    let all = records();
    let of = |ip: &'static str| {
        let office = all.iter().filter(|(of, r)| of == "office-day.pcap.zst" && text(&r["host"], "ip") == ip);
        let mut seen: Vec<(&str, &str, u64)> = office
            .map(|(_, r)| (text(&r["indicator"], "category"), text(r, "stage"), r["sessions"].as_u64().unwrap()))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    assert_eq!(of("10.20.0.11"), [("reputation", "transferred", 1), ("update", "transferred", 3)]);
    assert_eq!(of("10.20.0.12"), [("update", "transferred", 3)]);
    assert_eq!(of("fd20::12"), [("update", "transferred", 1)]);
    assert_eq!(of("10.20.0.13"), [("web", "transferred", 2)]);
    assert_eq!(of("fd20::13"), [("web", "transferred", 1)]);
    assert_eq!(of("10.20.0.14"), [("update", "attempted", 3)]);
    assert_eq!(of("10.20.0.15"), [("lookalike", "transferred", 1)]);
    assert_eq!(of("10.20.0.16"), [("update", "transferred", 1)]);
    assert_eq!(of("10.20.0.17"), []);
    assert_eq!(of("10.20.0.18"), []);
    assert_eq!(of("10.20.0.19"), [("reputation", "transferred", 1), ("service", "transferred", 1)]);
    assert_eq!(of("10.20.0.20"), [("update", "answered", 1)]);
}
