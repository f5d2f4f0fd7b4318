//! Tests of the store as a whole.

mod content;
mod covered;
mod custody;
mod facts;
mod measured;
mod migration;
mod trouble;

use super::*;
use crate::base::Timestamp;
use crate::coverage::{Counter, Key, Ledger};
use crate::sighting::testing::record;
use crate::sighting::{Record, Stage};
use std::path::PathBuf;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn new_store() -> (TempDir, PathBuf, Store) {
    let dir = folder();
    let path = dir.path().join("store.db");
    let store = Store::open(&path).unwrap();
    (dir, path, store)
}

fn dump(store: &Store) -> String {
    let mut out = Vec::new();
    store.dump(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn a_run() -> Run {
    Run {
        version: "0.1.0".into(),
        command: vec!["spansight".into(), "replay".into(), "a.pcap".into()],
        catalogue_sha256: "ab".repeat(32),
        catalogue: "[[indicator]]".into(),
        home_nets: vec!["10.0.0.0/8".into()],
        sensor: "replay".into(),
        hash: "sha256".into(),
        started: Timestamp(1),
        ended: None,
        exit_code: None,
        exit_reason: None,
        environment: [("host".to_owned(), "desk".to_owned())].into(),
    }
}

fn a_source() -> Source {
    Source {
        source: "sha256:aa".into(),
        path: Some("a.pcap".into()),
        size: Some(1000),
        first: Some(Timestamp(100)),
        last: Some(Timestamp(200)),
        frames: 10,
        warnings: vec!["cut last record".into()],
        interfaces: vec!["span0".into(), String::new()],
    }
}

/// A record of host 10.0.0.`host` with an id of its own.
fn numbered(host: u8, day: u8) -> Record {
    let mut r = record();
    r.host.ip = crate::base::Addr::v4([10, 0, 0, host]);
    r.period = format!("2026-03-{day:02}");
    r.id = format!("{day:016x}{host:016x}");
    r
}

fn a_ledger(frames: u64) -> Ledger {
    let mut ledger = Ledger::new();
    for (source, quarter) in [(3, 1_000), (3, 1_001), (4, 1_000)] {
        ledger.turn_to(Key { source, interface: 0, quarter });
        ledger.add(Counter::Frames, frames);
        ledger.count(Counter::TlsHellos);
        ledger.address("10.0.0.5".parse().unwrap());
        ledger.address("10.0.0.6".parse().unwrap());
        ledger.address("fd00::1".parse().unwrap());
        ledger.resolver("dns.example", "10.0.0.5".parse().unwrap(), false);
        ledger.resolver_port("10.0.0.6".parse().unwrap());
    }
    ledger
}

fn an_interval() -> Interval {
    Interval {
        source: "sha256:aa".into(),
        kind: "dhcp".into(),
        segment: "vlan:10".into(),
        ip: "10.0.0.5".parse().unwrap(),
        mac: "02:00:0a:00:00:05".parse().ok(),
        name: Some("pc-17".into()),
        from: Timestamp(100),
        to: Timestamp(150),
    }
}

fn a_canary() -> Canary {
    Canary {
        source: "run:x".into(),
        name: "canary.example".into(),
        ts: Timestamp(120),
        segment: String::new(),
        ip: "10.0.0.9".parse().unwrap(),
        mac: None,
        channel: crate::base::Channel::DnsQuery,
    }
}

/// What importing one capture writes.
fn import(store: &mut Store) {
    let mut w = store.begin().unwrap();
    let run = w.put_run(&a_run()).unwrap();
    w.put_source(run, &a_source()).unwrap();
    for host in 1..20 {
        w.put_record(&numbered(host, 1), host == 7).unwrap();
    }
    w.put_coverage("sha256:aa", 3, &mut a_ledger(5)).unwrap();
    w.put_intervals([an_interval()]).unwrap();
    w.put_canary(&a_canary()).unwrap();
    w.end_run(run, Timestamp(2), 0, "done").unwrap();
    w.commit().unwrap();
}

fn all(store: &Store) -> Vec<Record> {
    store.records(Filter::default()).unwrap().map(|r| r.unwrap().record).collect()
}

fn put(store: &mut Store, records: &[Record]) {
    let mut w = store.begin().unwrap();
    for r in records {
        w.put_record(r, false).unwrap();
    }
    w.commit().unwrap();
}

fn stage(mut r: Record, stage: Stage) -> Record {
    r.stage = stage;
    r
}
