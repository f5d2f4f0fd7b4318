//! What goes in comes out: contributions, order, filters.

use super::*;
use crate::base::{Addr, Mac};
use crate::catalogue::Category;

#[test]
fn the_same_capture_twice_changes_nothing_but_the_runs() {
    let (_dir, path, mut store) = new_store();
    import(&mut store);
    let once = dump(&store);
    assert!(once.lines().count() > 30, "{once}");
    import(&mut store);
    assert_eq!(dump(&store), once);
    assert_eq!(store.runs().unwrap().len(), 2);
    drop(store);
    assert_eq!(dump(&Store::open(&path).unwrap()), once);
    assert_eq!(dump(&Store::open_read_only(&path).unwrap()), once);
}

#[test]
fn the_dump_does_not_depend_on_the_order_of_import() {
    let mut one = record();
    one.source = "sha256:bb".into();
    let two = numbered(9, 2);
    let (_d, _p, mut forth) = new_store();
    put(&mut forth, &[one.clone(), two.clone()]);
    let (_d, _p, mut back) = new_store();
    put(&mut back, &[two, one]);
    assert_eq!(dump(&forth), dump(&back));
}

#[test]
fn a_part_of_a_capture_and_then_all_of_it_join() {
    let (_dir, _path, mut store) = new_store();
    let mut part = record();
    (part.count, part.last_seen, part.stage) = (1, part.first_seen, Stage::Queried);
    put(&mut store, &[part]);
    put(&mut store, &[record()]);
    assert_eq!(all(&store), [record()]);
}

#[test]
fn sources_add_up_when_read() {
    let (_dir, _path, mut store) = new_store();
    let mut other = record();
    other.source = "sha256:0a".into();
    other.count = 40;
    other.names = vec!["s99.upd.kaspersky.com".into()];
    put(&mut store, &[record(), other]);
    let sum = all(&store);
    assert_eq!(sum.len(), 1);
    assert_eq!((sum[0].count, sum[0].source.as_str()), (42, "sha256:0a"));
    assert_eq!(sum[0].names, ["s05.upd.kaspersky.com", "s99.upd.kaspersky.com"]);
    let parts = store.contributions(Filter::default()).unwrap().map(|r| r.unwrap().record.count);
    assert_eq!(parts.collect::<Vec<_>>(), [40, 2]);
    let only = Filter { source: Some("sha256:aa".into()), ..Filter::default() };
    let counts: Vec<u64> = store.records(only).unwrap().map(|r| r.unwrap().record.count).collect();
    assert_eq!(counts, [2]);
}

#[test]
fn a_running_sensor_replaces_its_records() {
    let (_dir, _path, mut store) = new_store();
    let live = |revision, count| {
        let mut r = record();
        r.source = "run:1".into();
        (r.revision, r.count) = (revision, count);
        r
    };
    put(&mut store, &[live(2, 20)]);
    put(&mut store, &[live(1, 99)]);
    assert_eq!(all(&store), [live(2, 20)], "an older revision comes late");
    put(&mut store, &[live(3, 15)]);
    assert_eq!(all(&store), [live(3, 15)], "even where a number falls");
}

#[test]
fn records_come_in_their_order_over_many_pages() {
    let (_dir, _path, mut store) = new_store();
    let mut records = Vec::new();
    for day in 1..=3 {
        for host in 0..=255 {
            let mut r = numbered(host, day);
            if host % 3 == 0 {
                r.host.mac = None;
                r.host.segment = "vlan:7".into();
            }
            if host % 5 == 0 {
                r.host.ip = format!("fd00::{host:x}").parse().unwrap();
            }
            records.push(r.clone());
            if host % 7 == 0 {
                r.indicator.id = "a-first".into();
                r.id.replace_range(0..1, "f");
                records.push(r.clone());
            }
            if host % 11 == 0 {
                r.host.mac = "02:00:00:00:00:01".parse().ok();
                r.id.replace_range(0..1, "e");
                records.push(r);
            }
        }
    }
    put(&mut store, &records.iter().rev().cloned().collect::<Vec<_>>());
    let key = |r: &Record| {
        (r.period.clone(), r.host.ip, r.host.segment.clone(), r.host.mac, r.indicator.id.clone(), r.source.clone())
    };
    records.sort_by_key(key);
    assert_eq!(all(&store), records);
}

#[test]
fn two_sensors_that_saw_one_host_keep_their_records() {
    let (_dir, _path, mut store) = new_store();
    let (mut a, mut b) = (record(), record());
    (a.sensor, a.id, a.source) = ("a".into(), "f".repeat(32), "run:1".into());
    (b.sensor, b.id, b.source) = ("b".into(), "0".repeat(32), "run:2".into());
    put(&mut store, &[b.clone(), a.clone()]);
    assert_eq!(all(&store), [a, b], "in order of the source");
}

#[test]
fn filters_choose() {
    let (_dir, _path, mut store) = new_store();
    let mut web = numbered(2, 2);
    web.indicator.category = Category::Web;
    web.indicator.id = "web".into();
    web.names = vec!["www.kaspersky.com".into()];
    let mut tagged = stage(numbered(3, 3), Stage::Transferred);
    tagged.host.segment = "vlan:7".into();
    tagged.host.mac = "02:00:00:00:00:03".parse().ok();
    put(&mut store, &[numbered(1, 1), web, tagged]);
    let hosts = |filter: Filter| -> Vec<u8> {
        store.records(filter).unwrap().map(|r| r.unwrap().record.host.ip.0[15]).collect()
    };
    let f = Filter::default;
    assert_eq!(hosts(f()), [1, 2, 3]);
    assert_eq!(hosts(Filter { since: Some("2026-03-02".into()), ..f() }), [2, 3]);
    assert_eq!(hosts(Filter { until: Some("2026-03-02".into()), ..f() }), [1, 2]);
    assert_eq!(hosts(Filter { ip: "10.0.0.2".parse().ok(), ..f() }), [2]);
    assert_eq!(hosts(Filter { id: Some(numbered(1, 1).id), ..f() }), [1]);
    assert_eq!(hosts(Filter { mac: "02:00:00:00:00:03".parse().ok(), ..f() }), [3]);
    assert_eq!(hosts(Filter { segment: Some(String::new()), ..f() }), [1, 2]);
    assert_eq!(hosts(Filter { indicator: Some("web".into()), ..f() }), [2]);
    assert_eq!(hosts(Filter { categories: vec![Category::Update, Category::Netblock], ..f() }), [1, 3]);
    assert_eq!(hosts(Filter { stage: Some(Stage::Transferred), ..f() }), [3]);
    assert_eq!(hosts(Filter { name: Some("www.kaspersky.com".into()), ..f() }), [2]);
    assert_eq!(hosts(Filter { source: Some("sha256:zz".into()), ..f() }), [0u8; 0]);
}

#[test]
fn support_shows_only_on_request_and_never_comes_back() {
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    w.put_record(&record(), true).unwrap();
    w.commit().unwrap();
    assert!(all(&store).is_empty());
    let with = |store: &Store| -> Vec<bool> {
        let filter = Filter { support: true, ..Filter::default() };
        store.records(filter).unwrap().map(|r| r.unwrap().support).collect()
    };
    assert_eq!(with(&store), [true]);
    put(&mut store, &[record()]);
    assert_eq!(with(&store), [false]);
    let mut w = store.begin().unwrap();
    w.put_record(&record(), true).unwrap();
    w.commit().unwrap();
    assert_eq!(with(&store), [false]);
}

#[test]
fn coverage_of_a_file_is_replaced_and_of_a_run_added() {
    let (_dir, _path, mut store) = new_store();
    for frames in [5, 7] {
        let mut w = store.begin().unwrap();
        w.put_coverage("sha256:aa", 3, &mut a_ledger(frames)).unwrap();
        w.put_coverage("run:1", 4, &mut a_ledger(frames)).unwrap();
        w.commit().unwrap();
    }
    let rows = store.coverage(1_000, 1_000).unwrap();
    let frames: Vec<(&str, u64, u64, u64)> = rows
        .iter()
        .map(|r| (r.source.as_str(), r.counts.get(Counter::Frames), r.counts.get(Counter::TlsHellos), r.addresses))
        .collect();
    assert_eq!(frames, [("run:1", 12, 2, 3), ("sha256:aa", 7, 1, 3)]);
    assert_eq!(store.coverage(0, 2_000).unwrap().len(), 3);
    let networks = store.coverage_networks(1_001, 1_001).unwrap();
    let networks: Vec<(&str, u64)> = networks.iter().map(|n| (n.prefix.as_str(), n.addresses)).collect();
    assert_eq!(networks, [("10.0.0.0/24", 2), ("fd00::/64", 1)]);
}

#[test]
fn days_are_the_sums_of_their_quarter_hours() {
    let (_dir, _path, mut store) = new_store();
    for frames in [5, 7] {
        let mut w = store.begin().unwrap();
        w.put_coverage("sha256:aa", 3, &mut a_ledger(frames)).unwrap();
        w.put_coverage("run:1", 4, &mut a_ledger(frames)).unwrap();
        let mut old = Ledger::new();
        for quarter in [-97, -96, -1, 0, 95] {
            old.turn_to(Key { source: 4, interface: 1, quarter });
            old.add(Counter::Frames, if quarter < 0 { 1 << 40 } else { u64::MAX >> 1 });
        }
        w.put_coverage("run:1", 4, &mut old).unwrap();
        w.commit().unwrap();
    }
    let rows = |sql: &str| -> Vec<(String, i64, String, i64)> {
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?));
        store.list(sql, [], row).unwrap()
    };
    let days =
        rows("SELECT source, day, counter, value FROM coverage_days JOIN sources USING (source_no) ORDER BY 1, 2, 3");
    let sums = rows(
        "SELECT source, (quarter + 960) / 96 - 10 AS day, counter, CAST(total(value) AS INTEGER)
         FROM coverage JOIN sources USING (source_no) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    );
    assert_eq!(days, sums);
    assert!(days.iter().any(|d| d.1 == -2) && days.iter().any(|d| d.3 == i64::MAX), "{days:?}");
}

#[test]
fn users_of_encrypted_dns_are_kept_by_resolver() {
    let (_dir, _path, mut store) = new_store();
    let rows = |store: &Store| -> Vec<(String, String, u64)> {
        let rows = store.coverage_resolvers(1_000, 1_000).unwrap();
        rows.into_iter().map(|r| (r.source, r.resolver, r.hosts)).collect()
    };
    let row = |source: &str, resolver: &str, hosts| (source.to_owned(), resolver.to_owned(), hosts);
    let mut ledger = a_ledger(5);
    for (source, number) in [("sha256:aa", 3), ("run:1", 4), ("run:1", 4)] {
        let mut w = store.begin().unwrap();
        w.put_coverage(source, number, &mut ledger).unwrap();
        w.commit().unwrap();
    }
    let first = rows(&store);
    let unnamed = crate::coverage::resolvers::UNNAMED;
    let of = |source: &str| [row(source, unnamed, 1), row(source, "dns.example", 1)];
    assert_eq!(first, [of("run:1"), of("sha256:aa")].concat());
    // Of a running sensor: one host more, and the other has shown its name.
    ledger.turn_to(Key { source: 4, interface: 0, quarter: 1_000 });
    ledger.resolver("dns.example", "10.0.0.7".parse().unwrap(), false);
    ledger.resolver("other.example", "10.0.0.6".parse().unwrap(), true);
    let mut w = store.begin().unwrap();
    w.put_coverage("run:1", 4, &mut ledger).unwrap();
    w.put_coverage("sha256:aa", 9, &mut Ledger::new()).unwrap(); // read again, and nothing in it
    w.commit().unwrap();
    assert_eq!(rows(&store), [row("run:1", "dns.example", 2), row("run:1", "other.example", 1)]);
}

#[test]
fn shares_in_the_store_are_those_of_the_program() {
    use crate::coverage::shares;
    let (_dir, _path, mut store) = new_store();
    let mut ledger = Ledger::new();
    // Every counter another number; the second quarter hour has more taken away
    // than there is.
    for quarter in [1_000, 1_001] {
        ledger.turn_to(Key { source: 3, interface: 2, quarter });
        for (n, counter) in (1000u64..).zip(Counter::ALL.iter().rev()) {
            ledger.add(*counter, n * n);
        }
    }
    ledger.add(Counter::TlsHellosIncomplete, 1 << 40);
    ledger.add(Counter::BytesFiltered, 1 << 40);
    let mut w = store.begin().unwrap();
    w.put_coverage("sha256:aa", 3, &mut ledger).unwrap();
    w.commit().unwrap();
    let mut query =
        store.conn.prepare("SELECT interface, quarter, share, part, whole, ratio FROM coverage_shares").unwrap();
    let mut stored: Vec<(i64, i64, String, i64, i64)> = query
        .query_map([], |r| {
            let (part, whole): (i64, i64) = (r.get(3)?, r.get(4)?);
            assert_eq!(r.get::<_, f64>(5)?, part as f64 / whole as f64);
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, part, whole))
        })
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    let mut expected: Vec<(i64, i64, String, i64, i64)> = Vec::new();
    for row in store.coverage(0, 2_000).unwrap() {
        let of = shares::all(&row.counts);
        expected.extend(of.map(|s| (2, row.quarter, s.def.word.to_owned(), s.part as i64, s.whole as i64)));
    }
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
    assert_eq!(stored.len(), 2 * shares::ALL.len() - 1);
}

#[test]
fn runs_sources_intervals_and_canaries_come_back() {
    let (_dir, _path, mut store) = new_store();
    import(&mut store);
    let mut run = a_run();
    (run.ended, run.exit_code, run.exit_reason) = (Some(Timestamp(2)), Some(0), Some("done".into()));
    assert_eq!(store.runs().unwrap(), [(1, run)]);
    let run_source = Source { source: "run:x".into(), ..Source::default() };
    assert_eq!(store.sources().unwrap(), [run_source, a_source()]);
    assert_eq!(store.canaries().unwrap(), [a_canary()]);

    let lease = |to| Interval { kind: "dhcp".into(), to: Timestamp(to), ..an_interval() };
    let seen = |to| Interval { kind: "traffic".into(), name: None, to: Timestamp(to), ..an_interval() };
    let nameless = Interval { name: None, mac: None, from: Timestamp(50), ..an_interval() };
    let mut w = store.begin().unwrap();
    w.put_intervals([&lease(900), &lease(150), &seen(900), &seen(150), &nameless]).unwrap();
    w.commit().unwrap();
    // A lease that was given back ends before it would have.
    let mut stored = store.intervals().unwrap();
    stored.sort_by_key(|i| (i.kind.clone(), i.from));
    assert_eq!(stored, [nameless, lease(150), seen(900)]);
}

/// Many are added by one statement: it must come to the same as one by one.
/// More than SQLite keeps of a transaction in memory: statements of many rows then
/// meet pages that are written while they run.
#[test]
fn a_hundred_thousand_intervals_in_any_order_are_all_stored() {
    const MANY: u32 = 100_000;
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    let scattered = (0..MANY).map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes());
    w.put_intervals(scattered.map(|[a, b, c, d]| Interval {
        ip: Addr::v4([10, d, c, b]),
        mac: Some(Mac([2, 0, a, b, c, d])),
        ..an_interval()
    }))
    .unwrap();
    w.commit().unwrap();
    assert_eq!(store.intervals().unwrap().len(), MANY as usize);
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn intervals_are_the_same_however_many_come_at_once() {
    let all: Vec<Interval> = (0..1_000_i64)
        .map(|n| Interval {
            // Runs of leases and of what was seen, hosts again, starts again.
            kind: if n % 400 < 70 { "dhcp" } else { "arp" }.into(),
            ip: Addr::v4([10, 0, 0, (n * 7 % 61) as u8]),
            name: (n % 3 == 0).then(|| "pc".into()),
            source: if n % 200 < 100 { "sha256:aa" } else { "sha256:bb" }.into(),
            from: Timestamp(n % 2),
            to: Timestamp(2_000 - n),
            ..an_interval()
        })
        .collect();
    let stored = |at_once: usize| {
        let (_dir, _path, mut store) = new_store();
        let mut w = store.begin().unwrap();
        for some in all.chunks(at_once) {
            w.put_intervals(some).unwrap();
        }
        w.put_intervals(&all[100..250]).unwrap();
        w.commit().unwrap();
        let mut stored = store.intervals().unwrap();
        stored.sort_by_key(|i| (i.ip, i.kind.clone(), i.name.clone(), i.source.clone(), i.from));
        stored
    };
    let one_by_one = stored(1);
    assert!(one_by_one.len() > 100 && one_by_one.len() < 1_000, "{}", one_by_one.len());
    for at_once in [1_000, 300, 130, 64] {
        assert!(stored(at_once) == one_by_one, "{at_once} at once");
    }
}

#[test]
fn overlapping_sources_are_told() {
    let (_dir, _path, mut store) = new_store();
    let source = |name: &str, first, last| Source {
        source: name.into(),
        first: Some(Timestamp(first)),
        last: Some(Timestamp(last)),
        ..Source::default()
    };
    let mut w = store.begin().unwrap();
    let one = w.put_run(&a_run()).unwrap();
    w.put_source(one, &source("a", 0, 100)).unwrap();
    w.put_source(one, &source("b", 100, 200)).unwrap();
    let two = w.put_run(&a_run()).unwrap();
    w.put_source(two, &source("c", 150, 150)).unwrap();
    w.put_source(two, &source("d", 150, 150)).unwrap();
    w.put_source(two, &Source { source: "e".into(), ..Source::default() }).unwrap();
    w.commit().unwrap();
    let pairs =
        |run| -> Vec<String> { store.overlaps(run).unwrap().into_iter().map(|(a, b)| format!("{a}{b}")).collect() };
    assert_eq!(pairs(None), ["bc", "bd", "cd"]);
    assert_eq!(pairs(Some(one)), ["bc", "bd"]);
    assert_eq!(pairs(Some(two)), ["bc", "bd", "cd"]);
}

#[test]
fn numbers_beyond_sqlite_survive_in_the_record() {
    let (_dir, _path, mut store) = new_store();
    let mut r = record();
    (r.count, r.bytes_from_server) = (u64::MAX, u64::MAX - 1);
    put(&mut store, &[r.clone()]);
    assert_eq!(all(&store), [r]);
}

#[test]
fn hostile_text_is_only_text() {
    let (_dir, _path, mut store) = new_store();
    let mut r = record();
    r.host.segment = "vlan:1'); DROP TABLE sightings; --\u{0}\u{1b}[31m".into();
    r.host.name = Some("=cmd|'/C calc'!A0\u{202e}".into());
    put(&mut store, &[r.clone()]);
    assert_eq!(all(&store), [r]);
    let text = dump(&store);
    assert!(!text.contains(['\u{0}', '\u{1b}', '\u{202e}']), "the dump is printable");
}
