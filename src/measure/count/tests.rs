//! Counts against a count of sets, for any facts, groups and periods.

use super::calendar::Calendar;
use super::{Counted, Group, Plan, count};
use crate::base::{Addr, Mac, Stage, Timestamp};
use crate::host::{HostView, Interval, Options, Signal, SignalKind, judge};
use crate::measure::fact::Days;
use crate::measure::groups::Groups;
use crate::measure::testing::{CATALOGUE, F, Memory, f, facts};
use crate::measure::window::{Step, UtcOffset};
use crate::sighting::HomeNets;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn groups(text: &str) -> Groups {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Groups::read(&[file.path()]).unwrap()
}

fn counted(records: &[F], parts: u32, threads: usize, periods: &[Days], groups: &Groups, by: &[&str]) -> Counted {
    counted_of(&Memory::new(records, parts), threads, periods, groups, by)
}

fn counted_of(source: &Memory, threads: usize, periods: &[Days], groups: &Groups, by: &[&str]) -> Counted {
    count(source, &planned(threads, periods, groups, by)).unwrap()
}

fn planned<'g>(threads: usize, periods: &[Days], groups: &'g Groups, by: &[&str]) -> Plan<'g> {
    Plan {
        periods: periods.to_vec(),
        offset: UtcOffset::default(),
        groups,
        dimensions: groups.dimensions(&by.iter().map(|b| (*b).to_owned()).collect::<Vec<_>>()).unwrap(),
        catalogue: &CATALOGUE,
        recount: None,
        movers: false,
        home: HomeNets::default(),
        claimed: None,
        threads,
    }
}

fn weeks(n: i32) -> Vec<Days> {
    (0..n).map(|w| Days::new(w * 7, w * 7 + 6)).collect()
}

#[test]
fn addresses_of_one_hardware_address_are_one_host() {
    let records = [f("10.0.0.1", 0).mac(1), f("10.0.0.2", 1).mac(1), f("10.0.0.3", 2), f("10.0.0.4", 3)];
    let all = counted(&records, 1, 1, &weeks(2), &Groups::default(), &[]);
    let update = &all.whole.periods[0].update;
    assert_eq!(
        (update.hosts, update.by_mac, update.by_address, update.mac_hosts, update.mac_addresses),
        (3, 1, 4, 1, 2)
    );
    // One with a hardware address, and one of the two others on any day.
    assert_eq!((update.lower, update.upper), (2, 4));
    assert_eq!(update.daily, [1, 1, 1, 1, 0, 0, 0]);
    let next = &all.whole.periods[1].update;
    assert_eq!((next.hosts, next.change.lost), (0, 3));
}

#[test]
fn an_address_of_two_hosts_counts_once() {
    let records = [f("10.0.0.1", 0).mac(1), f("10.0.0.1", 3).mac(2)];
    for parts in [1, 2] {
        let all = counted(&records, parts, 2, &weeks(1), &Groups::default(), &[]);
        let update = &all.whole.periods[0].update;
        assert_eq!((update.hosts, update.by_mac, update.by_address), (2, 2, 1), "{parts}");
    }
}

#[test]
fn one_hardware_address_in_two_segments_is_one_at_least() {
    let records = [f("10.0.0.1", 0).mac(1), f("10.0.0.1", 0).mac(1).segment("vlan:7")];
    let all = counted(&records, 1, 1, &weeks(1), &Groups::default(), &[]);
    let update = &all.whole.periods[0].update;
    assert_eq!((update.hosts, update.by_mac, update.lower, update.upper), (2, 1, 1, 2));
}

#[test]
fn a_prefix_that_changed_hands_counts_for_its_owner_of_the_day() {
    let groups = groups("prefix,org,valid_from,valid_to\n10.0.0.0/24,Old,,1970-01-07\n10.0.0.0/24,New,1970-01-08,\n");
    let records = [f("10.0.0.1", 2), f("10.0.0.1", 9), f("10.9.0.1", 9)];
    let all = counted(&records, 1, 1, &weeks(2), &groups, &["org"]);
    let of = |group: &Group| group.periods.iter().map(|p| p.update.hosts).collect::<Vec<_>>();
    let orgs: Vec<_> = all.dimensions[0].iter().map(|g| (g.values[0].as_deref(), of(g))).collect();
    assert_eq!(orgs, [(Some("New"), vec![0, 1]), (Some("Old"), vec![1, 0]), (None, vec![0, 1])]);
    assert_eq!(of(&all.whole), [1, 2]);
    let change = all.whole.periods[1].update.organisations;
    assert_eq!((change.seen, change.change.new, change.change.lost, change.change.kept), (1, 1, 1, 0));
    // The host is the same one.
    assert_eq!(all.whole.periods[1].update.change.kept, 1);
}

#[test]
fn a_host_in_two_groups_counts_in_both_and_once_in_all() {
    let groups = groups("prefix,site\n10.0.1.0/24,A\n10.0.2.0/24,B\n");
    let records = [f("10.0.1.1", 0).mac(1), f("10.0.2.1", 1).mac(1)];
    let all = counted(&records, 1, 1, &weeks(1), &groups, &["site"]);
    let hosts: Vec<_> = all.dimensions[0].iter().map(|g| g.periods[0].update.hosts).collect();
    assert_eq!((hosts, all.whole.periods[0].update.hosts), (vec![1, 1], 1));
}

#[test]
fn a_host_is_where_its_lease_is() {
    let groups = groups("prefix,site\n10.0.1.0/24,A\n10.0.2.0/24,B\n");
    let records = [f("2001:db8::1", 1).mac(1), f("2001:db8::2", 1).mac(2)];
    let mut source = Memory::new(&records, 1);
    let lease = |ip: &str, end: u8, day: i64| Interval {
        source: 0,
        kind: "dhcp".into(),
        segment: String::new(),
        ip: ip.parse().unwrap(),
        mac: f(ip, 0).mac(end).mac,
        name: None,
        from: Timestamp::from_parts(day * 86_400, 0),
        to: Timestamp::from_parts(day * 86_400 + 80_000, 0),
    };
    // The second host had its lease on another day.
    source.intervals = vec![lease("10.0.1.7", 1, 1), lease("10.0.2.7", 2, 4)];
    let all = counted_of(&source, 1, &weeks(1), &groups, &["site"]);
    let hosts = |g: &Group| (g.values[0].as_deref().map(str::to_owned), g.periods[0].update.hosts);
    assert_eq!(all.dimensions[0].iter().map(hosts).collect::<Vec<_>>(), [(Some("A".into()), 1), (None, 1)]);
}

#[test]
fn a_gateway_is_one_at_least_and_as_many_as_were_seen_behind_it_at_most() {
    let mut source = Memory::new(&[f("10.0.0.1", 1).mac(1)], 1);
    let sign = |detail: &str| Signal {
        source: 0,
        kind: SignalKind::Ttl,
        segment: String::new(),
        ip: "10.0.0.1".parse().unwrap(),
        mac: f("10.0.0.1", 0).mac(1).mac,
        detail: detail.into(),
        count: 9,
        from: Timestamp::from_parts(86_400, 0),
        to: Timestamp::from_parts(86_500, 0),
    };
    source.signals = vec![sign("64-0"), sign("64-1"), sign("128-1")];
    let update = counted_of(&source, 1, &weeks(1), &Groups::default(), &[]).whole.periods[0].update.clone();
    assert_eq!((update.lower, update.hosts, update.upper, update.nats), (1, 1, 3, 1));
}

#[test]
fn the_busiest_hour_is_of_hosts_at_once() {
    let records = [
        f("10.0.0.1", 0).slots(&[40, 41]),
        f("10.0.0.2", 0).slots(&[43]),
        f("10.0.0.3", 0).slots(&[44]),
        f("10.0.0.1", 1),
    ];
    let all = counted(&records, 2, 2, &weeks(1), &Groups::default(), &[]);
    assert_eq!(all.whole.periods[0].update.busiest_hour, Some(2));
}

#[test]
fn days_begin_where_the_offset_says() {
    let records = [f("10.0.0.1", 6).slots(&[95])];
    let plan = Plan {
        periods: weeks(2),
        offset: "+01:00".parse().unwrap(),
        groups: &Groups::default(),
        dimensions: vec![],
        catalogue: &CATALOGUE,
        recount: None,
        movers: false,
        home: HomeNets::default(),
        claimed: None,
        threads: 1,
    };
    let all = count(&Memory::new(&records, 1), &plan).unwrap();
    let hosts: Vec<_> = all.whole.periods.iter().map(|p| p.update.hosts).collect();
    assert_eq!((hosts, all.whole.periods[1].update.daily[0]), (vec![0, 1], 1));
}

/// Sums were made for each period of each group before anybody asked how many
/// groups there are.
#[test]
fn groups_by_periods_are_limited() {
    let line = |n: i32| format!("10.0.{}.{},org {n}\n", n / 256, n % 256);
    let groups = groups(&("prefix,org\n".to_owned() + &(0..1590).map(line).collect::<String>()));
    let records: Vec<F> = (0..1590).map(|n| f(&format!("10.0.{}.{}", n / 256, n % 256), n)).collect();
    let by_day = |days: i32| (0..days).map(|day| Days::new(day, day)).collect::<Vec<_>>();
    for (parts, threads) in [(1, 1), (5, 2)] {
        let plan = planned(threads, &by_day(3660), &groups, &["org"]);
        let error = count(&Memory::new(&records, parts), &plan).unwrap_err().0;
        assert!(error.starts_with("by org there are more than 1589 groups, too many for 3660 periods"), "{error}");
    }
    // All organisations of a country have room by day for the better part of a
    // year, and by months in each of several countries.
    let most = |periods: &[Days]| planned(1, periods, &groups, &["org"]).most_groups(&Calendar::new(periods)).0;
    let months: Vec<Days> = (0..8).map(|month| Days::new(month * 31, month * 31 + 30)).collect();
    assert_eq!((most(&by_day(3660)), most(&by_day(250)), most(&months)), (1589, 23_346, 400_000));
    // What was claimed may have less room.
    let source = Memory::new(&records[..7], 1);
    let claimed = |n| Plan { claimed: Some(n), ..planned(1, &weeks(4), &groups, &["org"]) };
    assert_eq!(count(&source, &claimed(28)).unwrap().dimensions[0].len(), 7);
    assert!(count(&source, &claimed(27)).unwrap_err().0.contains("more than 6 groups, for which what was claimed"));
    // By nothing there are no groups, whatever the files say.
    assert!(count(&source, &Plan { dimensions: vec![], ..claimed(1) }).is_ok());
}

/// Who a host is, for the count of sets.
type Who = (Option<Mac>, Option<Addr>);

fn who(view: &HostView) -> Who {
    (view.mac, view.mac.is_none().then_some(view.ip))
}

/// Sets of a group, by period.
#[derive(Default)]
struct Sets {
    hosts: BTreeMap<usize, BTreeSet<Who>>,
    addresses: BTreeMap<usize, BTreeSet<Addr>>,
    orgs: BTreeMap<usize, BTreeSet<String>>,
    daily: BTreeMap<i32, BTreeSet<Who>>,
}

/// The organisation and country of an address, as the groups of the property
/// say.
fn place(ip: &Addr) -> (Option<String>, Option<String>) {
    let end = ip.0[15];
    match end {
        0..=3 => (Some("A".into()), Some("DE".into())),
        4..=5 => (Some("B".into()), Some("DE".into())),
        6..=7 => (Some("C".into()), None),
        _ => (None, None),
    }
}

const GROUPS: &str = "prefix,org,country\n10.0.0.0/30,A,DE\n10.0.0.4/31,B,DE\n10.0.0.6/31,C,\n";

/// Counts by sets of what [`judge`] says of each period.
fn by_sets(records: &[F], periods: &[Days], signal: &str) -> BTreeMap<Option<Option<String>>, Sets> {
    let facts = facts(records);
    let mut all: BTreeMap<Option<Option<String>>, Sets> = BTreeMap::new();
    for (number, period) in periods.iter().enumerate() {
        let at = |day: i32| crate::base::Timestamp::from_parts(i64::from(day) * 86_400, 0);
        let options = Options { since: Some(at(period.first)), until: Some(at(period.last + 1)), ..Options::default() };
        for view in judge(&facts, &CATALOGUE, &options) {
            let counts = match signal {
                "update" => view.verdict.is_use(),
                _ => view.verdict != crate::host::Verdict::Oem,
            };
            for contact in facts.contacts.iter().filter(|c| counts && view.sightings.contains(&c.id)) {
                let category = facts.indicators[contact.indicator as usize].category;
                if category.as_str() != signal || contact.stage < Stage::Connected || !period.contains(contact.day) {
                    continue;
                }
                let ip = facts.seen[contact.seen as usize].ip;
                let (org, country) = place(&ip);
                for group in [None, Some(country)] {
                    let sets = all.entry(group).or_default();
                    sets.hosts.entry(number).or_default().insert(who(&view));
                    sets.addresses.entry(number).or_default().insert(ip);
                    sets.orgs.entry(number).or_default().extend(org.clone());
                    sets.daily.entry(contact.day).or_default().insert(who(&view));
                }
            }
        }
    }
    all
}

/// New, returning, kept and lost of sets by period.
fn moves<T: Ord + Clone>(sets: &BTreeMap<usize, BTreeSet<T>>, period: usize) -> [u64; 4] {
    let none = BTreeSet::new();
    let at = |p: Option<usize>| p.and_then(|p| sets.get(&p)).unwrap_or(&none);
    let before: BTreeSet<T> = sets.range(..period).flat_map(|(_, s)| s.iter().cloned()).collect();
    let (here, last) = (at(Some(period)), at(period.checked_sub(1)));
    let n = |it: usize| it as u64;
    [
        n(here.difference(&before).count()),
        n(here.intersection(&before).filter(|w| !last.contains(w)).count()),
        n(here.intersection(last).count()),
        n(last.difference(here).count()),
    ]
}

fn check(group: &Group, sets: &Sets, periods: &[Days], signal: &str) -> Result<(), TestCaseError> {
    for (number, (sum, days)) in group.periods.iter().zip(periods).enumerate() {
        let s = if signal == "update" { &sum.update } else { &sum.reputation };
        let len = |n: Option<usize>| n.unwrap_or(0) as u64;
        prop_assert_eq!(s.hosts, len(sets.hosts.get(&number).map(BTreeSet::len)));
        prop_assert_eq!(s.by_address, len(sets.addresses.get(&number).map(BTreeSet::len)));
        prop_assert_eq!(s.organisations.seen, len(sets.orgs.get(&number).map(BTreeSet::len)));
        let (c, o) = (s.change, s.organisations.change);
        prop_assert_eq!([c.new, c.returning, c.kept, c.lost], moves(&sets.hosts, number));
        prop_assert_eq!([o.new, o.returning, o.kept, o.lost], moves(&sets.orgs, number));
        let daily: Vec<u32> =
            (days.first..=days.last).map(|d| sets.daily.get(&d).map_or(0, |s| s.len() as u32)).collect();
        prop_assert_eq!(&s.daily, &daily);
        prop_assert!(s.lower <= s.hosts && s.hosts <= s.upper && s.by_address <= s.upper, "{:?}", s);
    }
    Ok(())
}

fn record() -> impl Strategy<Value = F> {
    let stage = prop_oneof![Just(Stage::Answered), Just(Stage::Connected), Just(Stage::Transferred)];
    let category = prop_oneof![3 => Just("update"), 2 => Just("reputation"), 1 => Just("oem-update")];
    // Half of the hosts have a hardware address, and change their address.
    (0u8..10, any::<bool>(), 0i32..35, proptest::collection::vec(0u8..96, 1..4), stage, category).prop_map(
        |(host, second, day, slots, stage, category)| {
            let (ip, mac) =
                if host < 5 { (host * 2 + u8::from(second && day >= 14), Some(host)) } else { (host, None) };
            let record = f(&format!("10.0.0.{ip}"), day).slots(&slots).stage(stage).category(category);
            match mac {
                Some(mac) => record.mac(mac),
                None => record,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn as_counted_by_sets(records in proptest::collection::vec(record(), 1..60), step in 0usize..3) {
        let step = [Step::Day, Step::Week, Step::Month][step];
        let periods = step.periods(Days::new(0, 34));
        let groups = groups(GROUPS);
        let all = counted(&records, 1, 1, &periods, &groups, &["country"]);
        for signal in ["update", "reputation"] {
            let sets = by_sets(&records, &periods, signal);
            let none = Sets::default();
            check(&all.whole, sets.get(&None).unwrap_or(&none), &periods, signal)?;
            for group in &all.dimensions[0] {
                let value = group.values[0].as_ref().map(|v| v.to_string());
                check(group, sets.get(&Some(value)).unwrap_or(&none), &periods, signal)?;
            }
        }
    }

    #[test]
    fn parts_and_threads_change_nothing(records in proptest::collection::vec(record(), 1..60)) {
        // Only what is in one part may be tied together.
        let apart: Vec<F> = records.into_iter().map(|r| F { mac: None, ..r }).collect();
        let groups = groups(GROUPS);
        let by = ["country", "org", "country+org"];
        let one = counted(&apart, 1, 1, &weeks(5), &groups, &by);
        for (parts, threads) in [(3, 1), (3, 2), (7, 4)] {
            prop_assert_eq!(&counted(&apart, parts, threads, &weeks(5), &groups, &by), &one);
        }
    }
}
