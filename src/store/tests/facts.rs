//! What hosts are judged by: the narrow tables say what the records say.

use super::*;
use crate::base::{Addr, Channel};
use crate::catalogue::Category;
use crate::host::facts::{Contact, Facts, FactsBuilder, Signal, SignalKind};
use crate::host::{self, Alarm, Verdict};
use crate::sighting::record::Server;

/// Contacts with what they refer to, in an order of their own.
fn told(f: &Facts) -> Vec<String> {
    let one = |(at, c): (usize, &Contact)| {
        let servers: Vec<_> =
            f.servers.iter().filter(|s| s.contact as usize == at).map(|s| (s.ip, s.port, s.udp)).collect();
        let (seen, indicator) = (&f.seen[c.seen as usize], &f.indicators[c.indicator as usize]);
        let bare = Contact { seen: 0, indicator: 0, source: 0, ..*c };
        format!("{:?} {seen:?} {indicator:?} {bare:?} {servers:?}", f.sources[c.source as usize].source)
    };
    let mut all: Vec<String> = f.contacts.iter().enumerate().map(one).collect();
    all.sort();
    all
}

/// The same from the records themselves.
fn from_records(store: &Store) -> Facts {
    let mut builder = FactsBuilder::new();
    for stored in store.contributions(Filter { support: true, ..Filter::default() }).unwrap() {
        let Stored { record, support } = stored.unwrap();
        builder.record(&record, support);
    }
    builder.build()
}

#[track_caller]
fn assert_facts_are_those_of_the_records(store: &Store) -> Facts {
    let facts = store.facts(None, None).unwrap();
    assert_eq!(told(&facts), told(&from_records(store)));
    facts
}

fn server(ip: &str, port: u16) -> Server {
    Server { ip: ip.parse().unwrap(), port, transport: if port == 443 { "tcp" } else { "udp" }.into() }
}

/// Records that differ in everything that facts hold.
fn varied() -> Vec<(Record, bool)> {
    let mut lan = numbered(2, 2);
    lan.indicator.category = Category::LanManagement;
    lan.indicator.id = "lan-tcp-13000".into();
    lan.servers = vec![server("10.0.0.200", 443), server("203.0.113.9", 15000)];
    let mut proxied = stage(numbered(3, 2), Stage::Transferred);
    proxied.notes = vec!["mid_stream".into(), "of a later version".into(), "via_proxy".into()];
    proxied.servers = vec![server("203.0.113.9", 443)];
    let mut far = stage(numbered(4, 3), Stage::Queried);
    far.host.ip = "fd00::4".parse().unwrap();
    (far.host.mac, far.host.segment) = (None, "vlan:7".into());
    far.channels = vec![Channel::DnsQuery];
    (far.count, far.bytes_from_server, far.names_more) = (u64::MAX, 1 << 63, 70_000);
    far.servers = vec![server("10.9.9.9", 443), server("203.0.113.9", 443)];
    far.slots.set(95);
    let mut path = numbered(5, 4);
    path.channels = Channel::ALL.to_vec();
    path.source = "run:1".into();
    vec![(numbered(1, 1), false), (lan, true), (proxied, false), (far, false), (path, false)]
}

fn put_all(store: &mut Store, records: &[(Record, bool)]) {
    let mut w = store.begin().unwrap();
    for (record, support) in records {
        w.put_record(record, *support).unwrap();
    }
    w.commit().unwrap();
}

#[test]
fn the_narrow_tables_say_what_the_records_say() {
    let (_dir, _path, mut store) = new_store();
    put_all(&mut store, &varied());
    let facts = assert_facts_are_those_of_the_records(&store);
    assert_eq!((facts.contacts.len(), facts.seen.len(), facts.indicators.len()), (5, 5, 2));
    assert_eq!(facts.servers.len(), 5, "{:?}", facts.servers);
}

#[test]
fn a_record_that_changes_changes_its_narrow_row() {
    let (_dir, _path, mut store) = new_store();
    put_all(&mut store, &varied());
    let more = varied().into_iter().map(|(mut r, _)| {
        r.revision += 1;
        r.stage = Stage::Transferred;
        r.slots.set(1);
        r.indicator.category = Category::Update;
        r.servers = vec![server("192.168.0.1", 443)];
        (r, false)
    });
    put_all(&mut store, &more.collect::<Vec<_>>());
    let facts = assert_facts_are_those_of_the_records(&store);
    assert!(facts.contacts.iter().all(|c| c.stage == Stage::Transferred && !c.support));
    // The contribution of a run was replaced, those of files joined.
    let run = facts.contacts.iter().position(|c| facts.sources[c.source as usize].source == "run:1").unwrap();
    let of_run = facts.servers.iter().filter(|s| s.contact as usize == run).count();
    assert_eq!((of_run, facts.servers.len()), (1, 8));
}

#[test]
fn an_indicator_filed_twice_is_one() {
    let (_dir, _path, mut store) = new_store();
    let mut web = numbered(2, 1);
    web.indicator.category = Category::Web;
    put(&mut store, &[web, numbered(1, 1)]);
    let facts = store.facts(None, None).unwrap();
    assert_eq!(facts.indicators.len(), 1);
    assert_eq!(facts.indicators[0].category, Category::Update);
    assert!(facts.contacts.iter().all(|c| c.indicator == 0));
}

#[test]
fn windows_hold_their_days() {
    let (_dir, _path, mut store) = new_store();
    put_all(&mut store, &varied());
    let day = |d: u8| host::facts::period_day(&format!("2026-03-{d:02}"));
    let hosts = |since, until| -> Vec<u8> {
        let facts = store.facts(since, until).unwrap();
        assert!(facts.servers.iter().all(|s| (s.contact as usize) < facts.contacts.len()));
        assert!(facts.contacts.iter().all(|c| (c.seen as usize) < facts.seen.len()));
        let mut hosts: Vec<u8> = facts.seen.iter().map(|s| s.ip.0[15]).collect();
        hosts.sort();
        hosts
    };
    assert_eq!(hosts(day(2), None), [2, 3, 4, 5]);
    assert_eq!(hosts(None, day(2)), [1, 2, 3]);
    assert_eq!(hosts(day(3), day(3)), [4]);
    assert_eq!(hosts(day(5), None), [0u8; 0]);
}

/// Rows of the tables that follow the records.
fn left(store: &Store) -> [i64; 5] {
    ["contacts", "contact_servers", "seen_hosts", "indicators", "interval_hosts"]
        .map(|table| store.conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).unwrap())
}

#[test]
fn what_is_deleted_leaves_no_host_behind() {
    let (_dir, _path, mut store) = new_store();
    put_all(&mut store, &varied());
    let mut w = store.begin().unwrap();
    w.put_intervals([an_interval()]).unwrap();
    w.run(|c| {
        c.execute_batch(
            "DELETE FROM sightings WHERE period < '2026-03-04'; DELETE FROM interval_times WHERE to_ns < 900",
        )
    })
    .unwrap();
    w.sweep().unwrap();
    w.commit().unwrap();
    assert_eq!(left(&store), [1, 1, 1, 1, 0]);
    assert_facts_are_those_of_the_records(&store);
    // A source takes all that came from it along.
    store.conn.execute("DELETE FROM sources WHERE source = 'run:1'", []).unwrap();
    assert_eq!(left(&store)[..2], [0, 0]);
    assert!(store.check().unwrap().is_empty());
}

const DAY: i64 = 86_400 * 1_000_000_000;

fn a_signal(ip: u8, from: i64, to: i64, count: u64) -> Signal {
    Signal {
        source: 0,
        kind: SignalKind::Ttl,
        segment: "vlan:10".into(),
        ip: Addr::v4([10, 0, 0, ip]),
        mac: "02:00:0a:00:00:05".parse().ok(),
        detail: "64-1".into(),
        count,
        from: Timestamp(from),
        to: Timestamp(to),
    }
}

#[test]
fn signals_grow_within_their_day() {
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    for s in [a_signal(5, 100, 200, 3), a_signal(5, 100, 900, 7), a_signal(5, 50, 300, 2), a_signal(5, DAY, DAY, 1)] {
        w.put_signal("run:1", &s).unwrap();
    }
    w.put_signal("sha256:aa", &a_signal(6, 10, 20, 1)).unwrap();
    w.commit().unwrap();
    let facts = store.facts(None, None).unwrap();
    let of = |source: &str| u32::try_from(facts.sources.iter().position(|s| s.source == source).unwrap()).unwrap();
    let at = |s: Signal, source| Signal { source: of(source), ..s };
    assert_eq!(
        facts.signals,
        [
            at(a_signal(5, 50, 900, 7), "run:1"),
            at(a_signal(5, DAY, DAY, 1), "run:1"),
            at(a_signal(6, 10, 20, 1), "sha256:aa")
        ]
    );
    assert_eq!(store.facts(Some(0), Some(0)).unwrap().signals.len(), 2);
    assert_eq!(store.facts(Some(1), None).unwrap().signals.len(), 1);
}

#[test]
fn intervals_come_with_the_day_before_and_only_of_hosts_at_hand() {
    let (_dir, _path, mut store) = new_store();
    let interval = |ip: u8, mac: u8, from: i64, to: i64| Interval {
        segment: String::new(),
        ip: Addr::v4([10, 0, 0, ip]),
        mac: Some(crate::base::Mac([2, 0, 0, 0, 0, mac])),
        from: Timestamp(from),
        to: Timestamp(to),
        ..an_interval()
    };
    let mut r = numbered(1, 1);
    r.host.mac = None;
    put(&mut store, &[r]);
    let today = i64::from(host::facts::period_day("2026-03-01").unwrap()) * DAY;
    let mut w = store.begin().unwrap();
    let before = [interval(1, 9, today - DAY - 50, today - DAY - 1), interval(1, 9, today - DAY - 40, today - DAY)];
    // The next has the hardware address of the host's, the last has nothing of it.
    w.put_intervals(before.iter().chain(&[interval(77, 9, today, today + 5), interval(78, 8, today, today + 5)]))
        .unwrap();
    w.commit().unwrap();
    let day = i32::try_from(today / DAY).ok();
    let found = |store: &Store, since, until| -> Vec<(u8, i64)> {
        let facts = store.facts(since, until).unwrap();
        facts.intervals.iter().map(|i| (i.ip.0[15], i.to.0 - today)).collect()
    };
    assert_eq!(found(&store, day, day), [(1, -DAY), (77, 5)]);
    assert_eq!(found(&store, None, None), [(1, -DAY - 1), (1, -DAY), (77, 5)]);
    let all = store.intervals().unwrap();
    let of = |ip: u8| store.intervals_of(&Addr::v4([10, 0, 0, ip])).unwrap();
    assert_eq!((all.len(), [of(1), of(77), of(78)].concat(), of(79)), (4, all, vec![]));
    // Of a hardware address with many addresses all are told.
    let mut w = store.begin().unwrap();
    for ip in 79..=86 {
        w.put_intervals([interval(ip, 8, today, today + 5)]).unwrap();
    }
    w.commit().unwrap();
    assert_eq!(found(&store, day, day).len(), 2 + 9);
}

#[test]
fn sources_say_what_they_could_see() {
    let (_dir, _path, mut store) = new_store();
    let mut ledger = Ledger::new();
    for (source, counter) in
        [(1, Counter::FlowsOther), (2, Counter::DnsAnswers), (3, Counter::Flows), (6, Counter::Handshakes)]
    {
        ledger.turn_to(Key { source, interface: 0, quarter: 7 });
        ledger.count(counter);
    }
    let mut w = store.begin().unwrap();
    for (number, source) in [(1, "sha256:a"), (2, "sha256:b"), (3, "sha256:c"), (6, "sha256:f")] {
        w.put_coverage(source, number, &mut ledger).unwrap();
    }
    // These came as records alone.
    let (mut lookup, mut both) = (numbered(1, 1), numbered(2, 1));
    (lookup.source, lookup.channels) = ("sha256:d".into(), vec![Channel::DnsQuery, Channel::DnsAnswer]);
    (both.source, both.channels) = ("sha256:e".into(), vec![Channel::TlsSni]);
    w.put_record(&lookup, false).unwrap();
    w.put_record(&both, false).unwrap();
    w.commit().unwrap();
    let facts = store.facts(None, None).unwrap();
    let seen: Vec<(&str, bool, bool)> =
        facts.sources.iter().map(|v| (v.source.as_str(), v.other_flows, v.dns_answers)).collect();
    assert_eq!(
        seen,
        [
            ("sha256:a", true, false),
            ("sha256:b", false, true),
            ("sha256:c", false, false),
            ("sha256:d", false, true),
            ("sha256:e", true, false),
            ("sha256:f", false, true)
        ]
    );
}

#[test]
fn events_come_back_in_order_of_time() {
    let (_dir, _path, mut store) = new_store();
    let event = |ts, from, to| Event {
        ts: Timestamp(ts),
        kind: "changed".into(),
        segment: "vlan:10".into(),
        ip: "10.0.0.5".parse().unwrap(),
        mac: "02:00:0a:00:00:05".parse().ok(),
        from,
        to,
        alarms: if from.is_none() { vec![Alarm::Lookalike, Alarm::Sinkhole] } else { Vec::new() },
        accepted: from.is_some(),
        detail: "seen to update".into(),
    };
    let (late, early) =
        (event(20, Some(Verdict::Updating), Some(Verdict::Active)), event(10, None, Some(Verdict::Updating)));
    let mut w = store.begin().unwrap();
    w.put_event(&late).unwrap();
    w.put_event(&early).unwrap();
    w.commit().unwrap();
    assert_eq!(store.events(None, None).unwrap(), [early.clone(), late.clone()]);
    assert_eq!(store.events(Some(Timestamp(11)), None).unwrap(), [late]);
    assert_eq!(store.events(None, Some(Timestamp(20))).unwrap(), [early]);
    for damage in ["to_verdict = 'sure'", "to_verdict = '', alarms = 'lookalike,red'"] {
        store.conn.execute(&format!("UPDATE events SET {damage}"), []).unwrap();
        assert!(matches!(store.events(None, None), Err(StoreError::Corrupt { .. })), "{damage}");
    }
}

#[test]
fn damage_is_told_and_not_judged() {
    for change in ["packed = CAST(x'09' || substr(packed, 2) AS BLOB)", "seen = 999", "day = 1 << 40"] {
        let (_dir, _path, mut store) = new_store();
        put(&mut store, &[numbered(1, 1)]);
        assert_eq!(store.facts(None, None).unwrap().seen.len(), 1);
        store.conn.execute(&format!("UPDATE contacts SET {change}"), []).unwrap();
        let error = store.facts(None, None).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}
