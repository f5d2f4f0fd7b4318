//! That what is altered shows, and what is not does not.

use super::*;
use crate::store::custody::{LinkKind, PublicKey, SealKey, Verified};

fn verified(store: &Store) -> Verified {
    store.verify(None).unwrap()
}

#[track_caller]
fn sound(store: &Store) -> Verified {
    let v = verified(store);
    assert!(v.is_sound(), "{:?}", v.findings);
    v
}

/// Two days of ten hosts, the second changed by another capture later.
fn filled() -> (TempDir, PathBuf, Store) {
    let (dir, path, mut store) = new_store();
    let first: Vec<Record> = (1..=2).flat_map(|day| (1..=10).map(move |host| numbered(host, day))).collect();
    put(&mut store, &first);
    let mut more = numbered(11, 2);
    more.source = "sha256:bb".into();
    put(&mut store, &[more]);
    (dir, path, store)
}

/// Does what someone with the file could do.
fn tamper(store: &Store, sql: &str) {
    store.conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    store.conn.execute_batch(sql).unwrap();
}

#[test]
fn days_are_closed_with_what_changed_them() {
    let (_dir, path, mut store) = filled();
    let v = sound(&store);
    assert_eq!((v.records, v.links.len()), (21, 3));
    let told: Vec<_> = v.links.iter().map(|l| (l.seq, l.day.as_str(), l.records, l.cause.as_str())).collect();
    let want =
        [(1, "2026-03-01", 10, "sha256:aa"), (2, "2026-03-02", 10, "sha256:aa"), (3, "2026-03-02", 11, "sha256:bb")];
    assert_eq!(told, want);
    assert_eq!(v.days()["2026-03-02"].len(), 2, "the earlier digest is kept");

    // What changes nothing adds nothing.
    put(&mut store, &[numbered(3, 1), numbered(4, 2)]);
    assert_eq!(sound(&store).links, v.links);
    drop(store);
    assert_eq!(sound(&Store::open_unchanged(&path).unwrap()).links, v.links);
}

#[test]
fn equal_input_gives_an_equal_chain() {
    let ends = |store: &Store| -> Vec<String> { store.links().unwrap().into_iter().map(|l| l.digest).collect() };
    let (_d, _p, one) = filled();
    let (_d, _p, two) = filled();
    assert_eq!(ends(&one), ends(&two));
    assert_eq!(ends(&one).len(), 3);
}

/// The digests can be made by hand, as docs/CUSTODY.md says.
#[test]
fn the_digests_are_of_lines_of_text() {
    let (_dir, _path, store) = filled();
    let sha =
        |lines: &str| crate::base::digest::hex(ring::digest::digest(&ring::digest::SHA256, lines.as_bytes()).as_ref());
    let lines = |sql: &str| -> String {
        let rows = store.list(sql, [], |row| row.get::<_, String>(0)).unwrap();
        rows.into_iter().map(|line| line + "\n").collect()
    };
    let record = lines("SELECT support || ' ' || record FROM sightings WHERE rowid = 5");
    let digest = lines(
        "SELECT lower(hex(digest)) FROM record_digests JOIN sightings USING (source_no, id) WHERE sightings.rowid = 5",
    );
    assert_eq!(sha(&record), digest.trim());
    let content = lines(
        "SELECT lower(hex(digest)) || ' ' || id || ' ' || source FROM record_digests JOIN sources USING (source_no)
         WHERE day = '2026-03-02' ORDER BY source, id",
    );
    assert_eq!(sha(&content), lines("SELECT content FROM day_links WHERE seq = 3").trim());
    for link in store.links().unwrap() {
        let line = lines(&format!(
            "SELECT previous || ' ' || kind || ' ' || day || ' ' || records || ' ' || content || ' ' || cause
             FROM day_links WHERE seq = {}",
            link.seq
        ));
        assert_eq!(sha(&line), link.digest);
    }
}

#[test]
fn the_first_altered_day_and_record_are_named() {
    let id = |host: u8, day: u8| format!("{day:016x}{host:016x}");
    let cases = [
        (
            "UPDATE sightings SET record = replace(record, '\"count\":2', '\"count\":3') WHERE id LIKE '%7'",
            "was altered",
        ),
        ("UPDATE sightings SET support = 1 WHERE id LIKE '%7'", "was altered"),
        ("UPDATE sightings SET stage = 'queried' WHERE id LIKE '%7'", "says other than the record"),
        ("UPDATE sightings SET count = 99 WHERE id LIKE '%7'", "says other than the record"),
        ("UPDATE sightings SET ip = zeroblob(16) WHERE id LIKE '%7'", "says other than the record"),
        (
            "UPDATE contacts SET packed = zeroblob(length(packed))
               WHERE sighting IN (SELECT sighting FROM sightings WHERE id LIKE '%7')",
            "says other than the record",
        ),
        (
            "UPDATE contacts SET day = day + 1
               WHERE sighting IN (SELECT sighting FROM sightings WHERE id LIKE '%7')",
            "says other than the record",
        ),
        (
            "DELETE FROM contacts WHERE sighting IN (SELECT sighting FROM sightings WHERE id LIKE '%7')",
            "says other than the record",
        ),
        ("UPDATE seen_hosts SET mac = '' WHERE address LIKE '%.7'", "says other than the record"),
        (
            "INSERT INTO contact_servers SELECT sighting, zeroblob(16), 1, 0 FROM sightings WHERE id LIKE '%7'",
            "says other than the record",
        ),
        ("UPDATE sightings SET record = 'null' WHERE id LIKE '%7'", "was altered"),
        ("DELETE FROM sightings WHERE id LIKE '%7'", "is missing"),
        ("UPDATE record_digests SET digest = zeroblob(32) WHERE id LIKE '%7'", "was altered"),
        ("DELETE FROM record_digests WHERE id LIKE '%7'", "was added"),
    ];
    for (sql, what) in cases {
        let (_dir, _path, store) = filled();
        tamper(&store, sql);
        let v = verified(&store);
        let first = &v.findings[0];
        assert_eq!(first.day.as_deref(), Some("2026-03-01"), "{sql}: {first}");
        assert_eq!(first.record, Some((id(7, 1), "sha256:aa".into())), "{sql}: {first}");
        assert!(first.what.contains(what), "{sql}: {first}");
        let days = v.findings.iter().filter(|f| f.day.is_some()).count();
        assert_eq!(days, 2, "one of each day: {:?}", v.findings);
    }
}

#[test]
fn what_was_altered_stays_visible_after_a_later_import() {
    let (_dir, _path, mut store) = filled();
    tamper(&store, "UPDATE sightings SET record = replace(record, '\"count\":2', '\"count\":3') WHERE id LIKE '%7'");
    let mut later = numbered(12, 1);
    later.source = "sha256:cc".into();
    put(&mut store, &[later]);
    let v = verified(&store);
    assert_eq!(v.links.len(), 4);
    assert!(v.findings[0].to_string().starts_with("2026-03-01: record "), "{:?}", v.findings);
}

#[test]
fn days_and_links_cannot_go_or_come_unnoticed() {
    let cases = [
        (
            "DELETE FROM sightings WHERE period = '2026-03-01'; DELETE FROM record_digests WHERE day = '2026-03-01'",
            "2026-03-01: the day is not what digest 1 says: 0 records",
        ),
        ("DELETE FROM day_links WHERE seq = 1", "no link 1"),
        ("DELETE FROM day_links WHERE seq = 2", "no link 2"),
        ("UPDATE day_links SET records = 9 WHERE seq = 2", "link 2 of the chain (2026-03-02) was altered"),
        ("UPDATE day_links SET cause = 'sha256:dd' WHERE seq = 3", "link 3 of the chain (2026-03-02) was altered"),
        ("UPDATE day_links SET kind = 'removed' WHERE seq = 1", "link 1 of the chain (2026-03-01) was altered"),
        ("UPDATE day_links SET previous = digest WHERE seq = 3", "link 3 of the chain (2026-03-02) does not follow"),
        ("DELETE FROM day_links WHERE seq = 3", "2026-03-02: the day is not what digest 2 says: 11 records"),
        ("DELETE FROM day_links", "2026-03-01: the day has records and no digest"),
        ("UPDATE sources SET source = 'sha256:dd' WHERE source = 'sha256:bb'", "2026-03-02: record "),
    ];
    for (sql, what) in cases {
        let (_dir, _path, store) = filled();
        tamper(&store, sql);
        let v = verified(&store);
        let said = v.findings.first().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains(what), "{sql}: {said}");
    }
}

#[test]
fn a_running_sensor_closes_its_days() {
    let (_dir, _path, mut store) = new_store();
    let live = |host, day, revision| {
        let mut r = numbered(host, day);
        (r.source, r.revision) = ("run:1".into(), revision);
        r
    };
    let write = |store: &mut Store, records: &[Record], close: Option<i64>| {
        let mut w = store.begin().unwrap();
        w.leave_open("run:1").unwrap();
        records.iter().for_each(|r| w.put_record(r, false).unwrap());
        if let Some(day) = close {
            w.close_days_before(day).unwrap();
        }
        w.commit().unwrap();
    };
    let second = Timestamp::parse("2026-03-02").unwrap().day();
    write(&mut store, &[live(1, 1, 1), live(2, 1, 1)], None);
    let v = sound(&store);
    assert_eq!((v.links.len(), v.open.len()), (0, 1));
    write(&mut store, &[live(1, 1, 2), live(1, 2, 1)], Some(second));
    let v = sound(&store);
    assert_eq!((v.links.len(), v.links[0].day.as_str(), v.links[0].records), (1, "2026-03-01", 2));
    assert_eq!(v.open.keys().collect::<Vec<_>>(), ["2026-03-02"]);
    // A record of an open day has its digest already.
    tamper(&store, "UPDATE sightings SET support = 1 WHERE period = '2026-03-02'");
    assert_eq!(verified(&store).findings.len(), 1);
    tamper(&store, "UPDATE sightings SET support = 0");
    let mut w = store.begin().unwrap();
    w.close_days_of("run:1").unwrap();
    w.commit().unwrap();
    let v = sound(&store);
    assert_eq!((v.links.len(), v.links[1].cause.as_str(), v.open.len()), (2, "run:1 (which ended)", 0));
}

#[test]
fn an_import_leaves_what_a_run_of_the_store_wrote() {
    let (_dir, _path, mut store) = new_store();
    let live = |host, day, revision| {
        let mut r = numbered(host, day);
        (r.source, r.revision) = ("run:1".into(), revision);
        r
    };
    let mut w = store.begin().unwrap();
    let catalogue_sha256 = a_run().catalogue.sha256_hex();
    let run = w.put_run(&Run { catalogue_sha256, ..a_run() }).unwrap();
    w.put_source(run, &Source { source: "run:1".into(), path: None, ..a_source() }).unwrap();
    w.put_record(&live(1, 1, 5), false).unwrap();
    w.commit().unwrap();
    let before = dump(&store);
    let import = |store: &mut Store, records: &[Record]| {
        let mut w = store.begin().unwrap();
        w.imports(9);
        let taken: Vec<Taken> = records.iter().map(|r| w.import_record(r, false).unwrap()).collect();
        w.commit().unwrap();
        taken
    };
    let forged = stage(live(1, 1, 1 << 62), Stage::Queried);
    let mut louder = live(1, 1, 6);
    louder.count += 1;
    // What it holds already, also an earlier state, is no contradiction.
    let known = [live(1, 1, 5), live(1, 1, 4)];
    assert_eq!(import(&mut store, &known), [Taken::Known, Taken::Known]);
    assert_eq!(import(&mut store, &[forged, louder, live(2, 1, 1)]), [Taken::Refused; 3]);
    assert_eq!(dump(&store), before);
    assert_eq!(sound(&store).links.len(), 1);

    // Runs of others are followed; the import is named as the cause.
    let other = |revision, count| Record { source: "run:2".into(), revision, count, ..numbered(1, 1) };
    assert_eq!(
        import(&mut store, &[other(1, 5), other(2, 6), other(3, 1)]),
        [Taken::Added, Taken::Changed, Taken::Changed]
    );
    let found = store.contributions(Filter::default()).unwrap().map(|r| r.unwrap().record);
    let found: Vec<Record> = found.filter(|r| r.source == "run:2").collect();
    assert_eq!((found[0].revision, found[0].count), (3, 6));
    let links = sound(&store).links;
    assert_eq!(links.last().unwrap().cause, "run 9 that imported run:2");

    // What was removed may come back.
    let mut w = store.begin().unwrap();
    w.retain(2, Timestamp::parse("2026-03-04T12:00:00Z").unwrap(), run).unwrap();
    w.commit().unwrap();
    assert_eq!(import(&mut store, &[live(1, 1, 5)]), [Taken::Added]);
    assert_eq!(sound(&store).links.last().unwrap().cause, "run 9 that imported run:1");
}

#[test]
fn retention_removes_records_and_keeps_digests() {
    let (_dir, _path, mut store) = filled();
    let interval = |day: &str| Interval { to: Timestamp::parse(day).unwrap(), from: Timestamp(1), ..an_interval() };
    let mut w = store.begin().unwrap();
    w.put_intervals([interval("2026-02-20")]).unwrap();
    w.put_intervals([Interval { segment: "kept".into(), ..interval("2026-03-02") }]).unwrap();
    w.put_canary(&a_canary()).unwrap();
    w.put_coverage("sha256:aa", 3, &mut a_ledger(5)).unwrap();
    w.commit().unwrap();
    let before = store.links().unwrap();
    let now = Timestamp::parse("2026-03-04T12:00:00Z").unwrap();
    let retain = |store: &mut Store, days| {
        let mut w = store.begin().unwrap();
        let removed = w.retain(days, now, 7).unwrap();
        w.commit().unwrap();
        removed
    };
    let removed = retain(&mut store, 2);
    assert_eq!((removed.days, removed.records), (1, 10));
    let v = sound(&store);
    assert_eq!(v.links[..3], before[..]);
    let last = v.links.last().unwrap();
    assert_eq!((last.kind, last.day.as_str(), last.records), (LinkKind::Removed, "2026-03-01", 10));
    assert_eq!(
        (last.content.as_str(), last.cause.as_str()),
        (before[0].content.as_str(), "--retain 2 by run 7 at 2026-03-04T12:00:00Z")
    );
    assert_eq!(all(&store).iter().map(|r| r.period.as_str()).collect::<std::collections::BTreeSet<_>>().len(), 1);
    assert_eq!(store.intervals().unwrap().iter().map(|i| i.segment.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert!(store.canaries().unwrap().is_empty() && !store.coverage(0, 2_000).unwrap().is_empty());
    assert_eq!(retain(&mut store, 2).days, 0, "once is enough");
    assert_eq!(store.links().unwrap().len(), 4);

    // What comes for a removed day later has a digest of its own.
    put(&mut store, &[numbered(1, 1)]);
    assert_eq!(sound(&store).links.len(), 5);
    tamper(&store, "DELETE FROM sightings WHERE period = '2026-03-01'");
    assert!(!verified(&store).is_sound());
}

/// What retention takes is not left in the file either.
#[test]
fn what_is_removed_is_overwritten() {
    let (_dir, path, mut store) = new_store();
    let mut r = numbered(1, 1);
    r.host.name = Some("a-name-to-be-forgotten".into());
    put(&mut store, &[r, numbered(2, 9)]);
    let mut w = store.begin().unwrap();
    w.retain(1, Timestamp::parse("2026-03-09").unwrap(), 1).unwrap();
    w.commit().unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    assert!(memchr::memmem::find(&bytes, b"a-name-to-be-forgotten").is_none());
    assert_eq!(all(&Store::open(&path).unwrap()).len(), 1);
}

/// Whatever a table says of hosts must go with the days it is of.
#[test]
fn every_table_with_hosts_is_emptied() {
    let (_dir, _path, store) = new_store();
    let tables = store
        .list(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.name IN ('ip', 'mac', 'address') GROUP BY 1 ORDER BY 1",
            [],
            |row| row.get::<_, String>(0),
        )
        .unwrap();
    let emptied = [
        "canaries",
        "contact_servers", // with sightings
        "events",
        "interval_hosts", // with interval_times
        "seen_hosts",     // with sightings
        "sightings",
        "signals",
    ];
    assert_eq!(tables, emptied, "see TIMED in custody/retain.rs");
}

#[test]
fn an_import_of_old_days_is_removed_at_once() {
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    w.put_record(&numbered(1, 1), false).unwrap();
    w.put_record(&numbered(1, 9), false).unwrap();
    w.retain(3, Timestamp::parse("2026-03-09").unwrap(), 1).unwrap();
    w.commit().unwrap();
    let v = sound(&store);
    let told: Vec<_> = v.links.iter().map(|l| (l.kind, l.day.as_str())).collect();
    let (closed, removed) = (LinkKind::Closed, LinkKind::Removed);
    assert_eq!(told, [(closed, "2026-03-01"), (removed, "2026-03-01"), (closed, "2026-03-09")]);
    assert_eq!(all(&store).len(), 1);
}

#[test]
fn a_seal_holds_what_came_before_it() {
    let (_dir, _path, mut store) = filled();
    let (file, key) = SealKey::generate().unwrap();
    let seal = store.seal(&SealKey::read(file.as_bytes()).unwrap()).unwrap().unwrap();
    assert_eq!((seal.number, seal.seq, seal.public_key.as_str()), (1, 3, key.public().to_string().as_str()));
    put(&mut store, &[numbered(1, 3)]);
    let public = PublicKey::read(key.public().to_string().as_bytes()).unwrap();
    let v = store.verify(Some(&public)).unwrap();
    assert!(v.is_sound() && v.seals[0].1, "{:?}", v.findings);

    let (_, other) = SealKey::generate().unwrap();
    let v = store.verify(Some(&other.public())).unwrap();
    assert!(v.findings[0].what.starts_with("no seal in the store was made with the key"), "{:?}", v.findings);

    // Someone makes the chain anew: consistent in itself, but not what was sealed.
    let (_d, _p, mut forged) = new_store();
    put(&mut forged, &(1..=3).map(|day| numbered(9, day)).collect::<Vec<_>>());
    tamper(
        &forged,
        &format!(
            "INSERT INTO seals VALUES (1, 3, '{}', {}, '{}', '{}')",
            seal.digest, seal.sealed.0, seal.public_key, seal.signature
        ),
    );
    let said = verified(&forged).findings[0].to_string();
    assert!(said.contains("the chain was made anew"), "{said}");
    tamper(&forged, "UPDATE seals SET digest = (SELECT digest FROM day_links WHERE seq = 3)");
    let said = verified(&forged).findings[0].to_string();
    assert!(said.contains("its signature is wrong"), "{said}");
    tamper(&forged, "UPDATE seals SET seq = 9");
    let said = verified(&forged).findings[0].to_string();
    assert!(said.contains("cut off"), "{said}");
}

/// Keys that openssl made, with `genpkey -algorithm ed25519` and `pkey -pubout`.
#[test]
fn keys_of_openssl_are_read() {
    // RFC 8410 section 10.
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let key = SealKey::read(private.as_bytes()).unwrap();
    assert_eq!(PublicKey::read(public.as_bytes()).unwrap(), key.public());
    assert_eq!(PublicKey::read(format!("{}\n", key.public()).as_bytes()).unwrap(), key.public());
    for text in ["", "00", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "zz", public] {
        assert!(SealKey::read(text.as_bytes()).is_err(), "{text}");
    }
    for text in ["", "0", "0g", private, &"ab".repeat(31), "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----"] {
        assert!(PublicKey::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_store_of_an_earlier_version_gets_its_digests() {
    let dir = folder();
    let path = dir.path().join("old.db");
    let (_d, _p, new) = filled();
    {
        let conn = rusqlite::Connection::open(&path).unwrap();
        let old = &schema::MIGRATIONS[..2];
        schema::migrate(&conn, old, &[]).unwrap();
        let ours = new.conn.path().unwrap();
        conn.execute_batch(&format!("ATTACH '{ours}' AS new")).unwrap();
        for table in ["sources", "sightings"] {
            let sql = format!("SELECT group_concat(name) FROM pragma_table_info('{table}', 'main')");
            let columns: String = conn.query_row(&sql, [], |row| row.get(0)).unwrap();
            conn.execute_batch(&format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}"))
                .unwrap();
        }
    }
    let error = Store::open_unchanged(&path).unwrap_err();
    assert!(matches!(error, StoreError::TooOld { .. }), "{error}");
    let store = Store::open(&path).unwrap();
    let v = sound(&store);
    assert_eq!((v.records, v.links.len()), (21, 2));
    assert!(v.links.iter().all(|l| l.cause == "store of an earlier version"));
    assert_eq!(v.links[0].content, new.links().unwrap()[0].content);
    assert_eq!(v.links[1].content, new.links().unwrap()[2].content);
}

#[test]
fn a_long_catalogue_is_kept_in_parts() {
    let (_dir, path, mut store) = filled();
    let text = "[[indicator]]\nid = \"one-of-many\"\n".repeat(100_000);
    let mut run = a_run();
    run.catalogue = text.as_str().into();
    run.catalogue_sha256 = run.catalogue.sha256_hex();
    for _ in 0..2 {
        let mut w = store.begin().unwrap();
        w.put_run(&run).unwrap();
        w.commit().unwrap();
    }
    let parts: (i64, i64) = store
        .conn
        .query_row("SELECT count(*), sum(bytes) FROM catalogue_parts", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap();
    assert_eq!(parts, (4, text.len() as i64));
    assert!(std::fs::metadata(&path).unwrap().len() < text.len() as u64 / 4);
    assert!(store.runs().unwrap().iter().all(|(_, r)| r.catalogue.to_text() == text));
    sound(&store);
    tamper(&store, "DELETE FROM catalogue_parts WHERE part = 2");
    assert_eq!(verified(&store).findings[0].what, format!("the catalogue {} was altered", run.catalogue_sha256));
    tamper(&store, "UPDATE catalogue_parts SET content = x'00'");
    assert!(!verified(&store).is_sound());
}
