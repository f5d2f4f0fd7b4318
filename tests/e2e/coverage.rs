//! What a run says of what it could not see.

use crate::support::packets::{self, SECOND, SERVER, TEN, host};
use crate::support::program::{Ran, run, run_in};
use crate::support::samples;
use crate::support::writer::Pcap;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn replay(frames: &[Vec<u8>], more: &[&str]) -> (Ran, Value) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, frames).bytes()).unwrap();
    let ran = run_in(dir.path(), &[&["replay", "a.pcap", "--stats", "s.json", "--store", "s.db"], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let stats: Value = serde_json::from_slice(&fs::read(dir.path().join("s.json")).unwrap()).unwrap();
    same_in_store(&dir.path().join("s.db"), &stats["coverage"]);
    (ran, stats["coverage"].clone())
}

/// The store holds the counts that the statistics show.
fn same_in_store(path: &Path, coverage: &Value) {
    let store = spansight::store::Store::open_read_only(path).unwrap();
    let quarters = coverage["sources"][0]["interfaces"][0]["quarters"].as_array().unwrap();
    let rows = store.coverage(i64::MIN, i64::MAX).unwrap();
    assert_eq!(rows.len(), quarters.len());
    for (row, quarter) in rows.iter().zip(quarters) {
        let stored: Value = row
            .counts
            .iter()
            .map(|(c, n)| (c.as_str().to_owned(), Value::from(n)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(stored, quarter["counts"]);
        assert_eq!(row.addresses, quarter["addresses"]["distinct"].as_u64().unwrap());
        let resolvers = store.coverage_resolvers(row.quarter, row.quarter).unwrap();
        let expected = quarter["encrypted_dns"]["resolvers"].as_object().cloned().unwrap_or_default();
        let stored: serde_json::Map<_, _> = resolvers.into_iter().map(|r| (r.resolver, r.hosts.into())).collect();
        assert_eq!(stored, expected);
    }
}

fn last_line(ran: &Ran) -> &str {
    ran.err.lines().last().unwrap_or_default()
}

#[test]
fn an_empty_result_with_a_fair_view_says_what_it_looked_at() {
    let path = samples().join("no-contact.pcap");
    let ran = run(&["replay", &path.to_string_lossy()]);
    let line = last_line(&ran);
    assert!(line.starts_with("No contact seen of ") && line.contains(" home address"), "{line}");
    assert_eq!(ran.out, "No host listed.\n");
    assert!(line.contains("frames decoded") && line.contains("not proof of absence"), "{line}");
}

#[test]
fn an_empty_result_of_a_poor_view_is_no_result() {
    let hello = packets::client_hello(b"www.example.com");
    let connections: Vec<Vec<u8>> = (0..20)
        .flat_map(|n| packets::connection((host(n + 5), 40_000), (SERVER, 443), &[(&hello, &[22; 900])]))
        .collect();
    let (ran, coverage) = replay(&connections, &[]);
    assert!(last_line(&ran).starts_with("No contact seen of 20 home addresses in 1 quarter hour ("), "{ran:?}");
    assert_eq!(coverage["shares"]["tls_hellos_completed"]["share"], 1.0);
    // The same behind a port that shows one direction, and one that cuts.
    let one_way: Vec<Vec<u8>> = connections.iter().filter(|f| f[26] == 10).cloned().collect();
    let (ran, coverage) = replay(&one_way, &[]);
    assert!(!ran.err.contains("No contact"), "{ran:?}");
    assert!(last_line(&ran).contains("100 % of the TCP flows with payload showed only one direction"), "{ran:?}");
    assert_eq!(coverage["shares"]["flows_one_sided"], serde_json::json!({"part": 20, "whole": 20, "share": 1.0}));
    let halves: Vec<Vec<u8>> = connections
        .iter()
        .map(|f| {
            // A segment that lacks the end of the hello: its other half passed by.
            let mut f = f.clone();
            if f.len() == 54 + hello.len() {
                f.truncate(54 + hello.len() / 2);
                let total = (f.len() as u16 - 14).to_be_bytes();
                f[16..18].copy_from_slice(&total);
            }
            f
        })
        .collect();
    let (ran, coverage) = replay(&halves, &[]);
    assert!(!ran.err.contains("No contact"), "{ran:?}");
    assert!(last_line(&ran).contains("of the TLS ClientHellos could be read to their end"), "{ran:?}");
    assert_eq!(coverage["shares"]["tls_hellos_completed"]["part"], 0);
    // No home network at all.
    let (ran, _) = replay(&connections, &["--home-net", "172.16.0.0/12"]);
    assert!(last_line(&ran).contains("no address of the home networks was seen"), "{ran:?}");
    // Also where nobody sees the closing lines.
    let (ran, _) = replay(&connections, &["--home-net", "172.16.0.0/12", "-q"]);
    assert!(ran.err.is_empty() && ran.out.starts_with("Whether there was a contact cannot be said: "), "{ran:?}");
}

#[test]
fn loss_in_followed_flows_is_a_share() {
    let request = packets::get(b"p00.upd.kaspersky.com", b"/index/u1313g.xml", b"x");
    let answer = packets::response(1000);
    let turns: Vec<(&[u8], &[u8])> = (0..10).map(|_| (&request[..], &answer[..])).collect();
    let frames = packets::connection((host(5), 40_000), (SERVER, 80), &turns);
    let (ran, coverage) = replay(&frames, &[]);
    assert!(ran.out.contains("10.0.0.5"));
    let whole = &coverage["shares"]["matched_unseen"];
    assert_eq!(whole["part"], 0);
    assert!(whole["whole"].as_u64().unwrap() >= 10 * answer.len() as u64, "{whole}");
    // Without the fourth and the eighth answer.
    let mut answers = 0;
    let lossy: Vec<Vec<u8>> = frames
        .into_iter()
        .filter(|f| {
            answers += usize::from(f.len() == 54 + answer.len());
            !(f.len() == 54 + answer.len() && [4, 8].contains(&answers))
        })
        .collect();
    let (_, coverage) = replay(&lossy, &[]);
    let share = &coverage["shares"]["matched_unseen"];
    assert_eq!((&share["part"], &share["whole"]), (&(2 * answer.len()).into(), &whole["whole"]));
}

#[test]
fn users_of_encrypted_dns_are_said() {
    let mut frames = Vec::new();
    for (n, name, port) in
        [(5, "dns.google", 443), (6, "dns.google", 853), (7, "dns.quad9.net", 443), (8, "x.example", 853)]
    {
        let hello = packets::client_hello(name.as_bytes());
        frames.extend(packets::connection((host(n), 40_000), ([192, 0, 2, 53], port), &[(&hello, &[22; 900])]));
    }
    let (ran, coverage) = replay(&frames, &[]);
    let line = "  - what 4 hosts that use encrypted DNS asked (dns.google 2, (port 853) 1, dns.quad9.net 1)";
    assert!(ran.err.lines().any(|l| l == line), "{}", ran.err);
    let expected = serde_json::json!({"hosts": 4, "resolvers": {"(port 853)": 1, "dns.google": 2, "dns.quad9.net": 1}});
    assert_eq!(coverage["encrypted_dns"], expected);
}

/// A flood of loss, users of encrypted DNS and frames of all kinds counts the
/// same with any number of workers.
#[test]
fn coverage_does_not_depend_on_workers() {
    let hello = packets::client_hello(b"dns.google");
    let mut pcap = Pcap::new();
    for n in 0..3000_u16 {
        let at = TEN + i64::from(n) * SECOND;
        let server = [192, 0, 2, (n % 7) as u8];
        let mut frames = packets::connection(
            (host(n % 600), 1024 + n),
            (server, if n % 3 == 0 { 853 } else { 443 }),
            &[(&hello, &[22; 900])],
        );
        if n % 4 == 0 {
            frames.retain(|f| f.len() < 900);
        }
        frames.push(vec![0; usize::from(n % 40)]);
        pcap.frames(at, &frames);
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    let mut first: Option<(Value, String)> = None;
    for workers in ["1", "2", "4", "8"] {
        let ran = run_in(dir.path(), &["replay", "a.pcap", "--stats", "s.json", "--workers", workers]);
        let stats: Value = serde_json::from_slice(&fs::read(dir.path().join("s.json")).unwrap()).unwrap();
        let coverage = stats["coverage"].clone();
        assert!(coverage["totals"]["sample_unseen_bytes"].as_u64().is_some_and(|n| n > 5000), "{}", coverage["totals"]);
        let got = (coverage, ran.err);
        let want = first.get_or_insert_with(|| got.clone());
        assert!(got == *want, "{workers} workers");
    }
}
