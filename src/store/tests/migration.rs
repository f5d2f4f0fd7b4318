//! Stores of earlier versions become stores of this one.

use super::super::schema;
use super::*;
use rusqlite::{Connection, named_params, params};

/// A store as a version before the narrow tables wrote it, with these records.
fn old_store(version: usize, records: &[(Record, bool)]) -> (TempDir, PathBuf) {
    let dir = folder();
    let path = dir.path().join("store.db");
    let conn = Connection::open(&path).unwrap();
    schema::migrate(&conn, &schema::MIGRATIONS[..version], &schema::views()).unwrap();
    for (no, source) in [(1, "sha256:aa"), (2, "run:1")] {
        conn.execute("INSERT INTO sources (source_no, source) VALUES (?1, ?2)", params![no, source]).unwrap();
    }
    for (r, support) in records {
        conn.execute(
            "INSERT INTO sightings VALUES (:source, :id, :revision, :period, :ip, :address, :segment, :mac, :indicator,
                 :category, :stage, :first, :last, :count, :to, :from, :support, :record)",
            named_params! {
                ":source": if r.source == "run:1" { 2 } else { 1 },
                ":id": r.id,
                ":revision": i64::try_from(r.revision).unwrap(),
                ":period": r.period,
                ":ip": r.host.ip.0,
                ":address": r.host.ip.to_string(),
                ":segment": r.host.segment,
                ":mac": r.host.mac.map(|m| m.to_string()).unwrap_or_default(),
                ":indicator": r.indicator.id,
                ":category": r.indicator.category.as_str(),
                ":stage": r.stage.as_str(),
                ":first": r.first_seen.0,
                ":last": r.last_seen.0,
                ":count": i64::try_from(r.count).unwrap(),
                ":to": i64::try_from(r.bytes_to_server).unwrap(),
                ":from": i64::try_from(r.bytes_from_server).unwrap(),
                ":support": support,
                ":record": serde_json::to_string(r).unwrap(),
            },
        )
        .unwrap();
    }
    for (quarter, frames) in [(-1, 1), (1_000, 5), (1_001, 7), (1_060, 11)] {
        let values = params![quarter, Counter::Frames.as_str(), frames];
        conn.execute("INSERT INTO coverage VALUES (1, 0, ?1, ?2, ?3)", values).unwrap();
        conn.execute("INSERT INTO coverage_addresses VALUES (1, 0, ?1, 0, 0)", [quarter]).unwrap();
    }
    let i = an_interval();
    for (from, to) in [(100, 150), (200, 250)] {
        conn.execute(
            "INSERT INTO intervals VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![i.kind, i.segment, i.ip.0, i.mac.unwrap().to_string(), i.name, from, to, i.ip.to_string()],
        )
        .unwrap();
    }
    (dir, path)
}

fn records() -> Vec<(Record, bool)> {
    let mut all: Vec<(Record, bool)> = (1..20).map(|host| (numbered(host, host), host == 7)).collect();
    all[3].0.source = "run:1".into();
    all[4].0.servers[0].ip = "192.168.7.7".parse().unwrap();
    all
}

/// What the same records come to in a new store.
fn anew() -> String {
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    for (record, support) in records() {
        w.put_record(&record, support).unwrap();
    }
    let mut ledger = Ledger::new();
    for (quarter, frames) in [(-1, 1), (1_000, 5), (1_001, 7), (1_060, 11)] {
        ledger.turn_to(Key { source: 0, interface: 0, quarter });
        ledger.add(Counter::Frames, frames);
    }
    w.put_coverage("sha256:aa", 0, &mut ledger).unwrap();
    for (from, to) in [(100, 150), (200, 250)] {
        w.put_intervals([Interval { from: Timestamp(from), to: Timestamp(to), ..an_interval() }]).unwrap();
    }
    w.commit().unwrap();
    dump(&store)
}

#[test]
fn stores_of_each_version_say_what_a_new_one_says() {
    let want = anew();
    for version in [1, 2] {
        let (_dir, path) = old_store(version, &records());
        let store = Store::open(&path).unwrap();
        assert!(store.check().unwrap().is_empty());
        assert_eq!(dump(&store), want, "from version {version}");
        assert_eq!(store.facts(None, None).unwrap().contacts.len(), 19);
        drop(store);
        assert_eq!(dump(&Store::open_read_only(&path).unwrap()), want);
    }
    // Reading alone takes an old store along too.
    let (_dir, path) = old_store(2, &records());
    assert_eq!(dump(&Store::open_read_only(&path).unwrap()), want);
}

#[test]
fn what_an_earlier_version_noticed_stays() {
    let (_dir, path) = old_store(2, &records());
    let conn = Connection::open(&path).unwrap();
    schema::migrate(&conn, &schema::MIGRATIONS[..4], &[]).unwrap();
    conn.execute("INSERT INTO events VALUES (1, 9, 'new', '', ?1, '', '', 'active', 'a', '10.0.0.5')", [[7u8; 16]])
        .unwrap();
    drop(conn);
    let found = Store::open_read_only(&path).unwrap().events(None, None).unwrap();
    assert_eq!((found.len(), found[0].kind.as_str(), found[0].alarms.len()), (1, "new", 0));
}

#[test]
fn a_migrated_store_is_written_on() {
    let (_dir, path) = old_store(1, &records());
    let mut store = Store::open(&path).unwrap();
    let before = dump(&store);
    let mut w = store.begin().unwrap();
    for (record, support) in records() {
        w.put_record(&record, support).unwrap();
    }
    w.put_intervals([an_interval()]).unwrap();
    w.commit().unwrap();
    assert_eq!(dump(&store), before, "the same again changes nothing");
    put(&mut store, &[numbered(200, 9)]);
    assert_eq!(store.facts(None, None).unwrap().contacts.len(), 20);
}

#[test]
fn a_store_whose_records_cannot_be_read_stays_as_it_was() {
    let (_dir, path) = old_store(2, &records());
    let conn = Connection::open(&path).unwrap();
    conn.execute("UPDATE sightings SET record = '{\"schema\":7}' WHERE rowid = 3", []).unwrap();
    drop(conn);
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let conn = Connection::open(&path).unwrap();
    assert_eq!(schema::identity(&conn).unwrap().version, 2);
    let n: i64 = conn.query_row("SELECT count(*) FROM sightings", [], |r| r.get(0)).unwrap();
    assert_eq!(n, 19);
}
