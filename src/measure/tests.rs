//! Trends and comparisons of facts in memory.

use super::coverage::Because;
use super::fact::{Days, RunOf, Seen};
use super::groups::Groups;
use super::testing::{CATALOGUE, F, Memory, f, fair};
use super::window::{Step, UtcOffset};
use super::{Asked, Comparison, Trend};
use crate::base::Timestamp;
use crate::host::Interval;
use crate::sighting::HomeNets;

fn asked<'a>(source: &'a Memory, groups: &'a Groups) -> Asked<'a> {
    Asked {
        source,
        groups,
        dimensions: Vec::new(),
        catalogue: &CATALOGUE,
        as_of: None,
        doubts: Vec::new(),
        home: HomeNets::default(),
        offset: UtcOffset::default(),
        counted: None,
        claimed: None,
        threads: 1,
    }
}

fn compared(source: &Memory, baseline: Days, current: Days) -> Comparison {
    Comparison::new(&asked(source, &Groups::default()), baseline, current).unwrap()
}

fn trend(source: &Memory, window: Days, step: Step) -> Trend {
    Trend::new(&asked(source, &Groups::default()), window, step).unwrap()
}

fn day(n: i32) -> Days {
    Days::new(n, n)
}

/// That the host with this hardware address was in view on a day.
fn arp(of: &F, day: i64) -> Interval {
    Interval {
        source: 0,
        kind: "arp".into(),
        segment: String::new(),
        ip: of.ip,
        mac: of.mac,
        name: None,
        from: Timestamp::from_parts(day * 86_400 + 3600, 0),
        to: Timestamp::from_parts(day * 86_400 + 7200, 0),
    }
}

#[test]
fn hosts_that_left_the_view_are_no_hosts_that_stopped() {
    for (records, other) in [(0, 7), (7, 0)] {
        let hosts = [1, 2, 3].map(|n| f(&format!("10.0.0.{n}"), records).mac(n));
        let mut source = Memory::new(&hosts, 1);
        source.intervals = vec![arp(&hosts[0], other.into()), arp(&hosts[1], 3)];
        let c = compared(&source, day(records), day(other));
        let cohort = c.whole.update.cohort;
        assert_eq!((cohort.of, cohort.gone, cohort.gone_in_view), (3, 3, Some(1)));
        assert!(c.headline.contains("1 was in view without such a contact and 2 were not;"), "{}", c.headline);
    }
    // Whoever made another contact was in view.
    let hosts = [f("10.0.0.1", 0), f("10.0.0.1", 7).category("reputation")];
    let c = compared(&Memory::new(&hosts, 1), day(0), day(7));
    assert_eq!(c.whole.update.cohort.gone_in_view, Some(1));
    // Where it is not known what was seen, it is not known either.
    let mut source = Memory::new(&hosts, 1);
    source.seen = Some(|_, _| Seen { imported: 1, ..Seen::default() });
    assert_eq!(compared(&source, day(0), day(7)).whole.update.cohort.gone_in_view, None);
}

#[test]
fn fewer_home_addresses_in_view_are_said() {
    let mut source = Memory::new(&[f("10.0.0.1", 0)], 1);
    source.seen = Some(|from, to| Seen {
        counts: fair(),
        quarters: (from..=to).collect(),
        sources: 1,
        addresses: if from == 0 { 11 } else { 6 },
        ..Seen::default()
    });
    let c = compared(&source, day(0), day(7));
    assert_eq!(c.comparability.differences.iter().map(|d| d.because).collect::<Vec<_>>(), [Because::Addresses]);
    assert!(c.headline.contains("need not be a fall") && !c.headline.contains("a fall of"), "{}", c.headline);
}

#[test]
fn windows_that_could_show_no_contact_are_not_compared() {
    let mut source = Memory::new(&[f("10.0.0.1", 0)], 1);
    // After the first day only broadcasts are left of the mirror.
    source.seen = Some(|from, to| {
        let mut counts = crate::coverage::Counts::default();
        counts.add(crate::coverage::Counter::Frames, 5000);
        counts.add(crate::coverage::Counter::UdpDatagrams, 4000);
        let counts = if from < 96 { fair() } else { counts };
        Seen { counts, quarters: (from..=to).collect(), sources: 1, addresses: 14, ..Seen::default() }
    });
    let c = compared(&source, day(0), day(7));
    assert!(!c.comparability.comparable && !c.headline.contains("a fall of"), "{}", c.headline);
    assert!(c.headline.contains("no host name was seen at all in the current window"), "{}", c.headline);
    let zero = c.whole.current.update.zero.unwrap();
    assert_eq!((zero.detection, zero.share_at_most), (None, None));
    let t = trend(&source, Days::new(0, 1), Step::Day);
    assert_eq!(t.whole[1].update.zero.as_ref().unwrap().detection, None);
    assert!(t.warnings[0].starts_with("no host name was seen at all in 1970-01-02"), "{:?}", t.warnings);
}

#[test]
fn days_without_frames_are_no_days_without_hosts() {
    let hosts: Vec<F> = [0, 7].iter().flat_map(|d| [1, 2, 3].map(|n| f(&format!("10.0.0.{n}"), *d))).collect();
    let mut source = Memory::new(&hosts, 1);
    source.seen = Some(|from, to| {
        let up = (0..96).chain(7 * 96..8 * 96);
        Seen {
            counts: fair(),
            quarters: up.filter(|q| (from..=to).contains(q)).collect(),
            sources: 1,
            addresses: 9,
            ..Seen::default()
        }
    });
    let c = compared(&source, Days::new(0, 1), day(7));
    let daily = c.whole.baseline.update.daily;
    assert_eq!((daily.mean, daily.median, daily.least), (3.0, 3.0, 3));
    assert_eq!((c.whole.update.hosts.per_cent, c.baseline.coverage.days_up), (Some(0.0), 1));
    assert!(c.headline.contains("as many were seen by the day"), "{}", c.headline);
    // A day in view without any host is one.
    source.seen = None;
    assert_eq!(compared(&source, Days::new(0, 1), day(7)).whole.baseline.update.daily.mean, 1.5);
}

#[test]
fn a_part_of_a_month_is_called_by_its_days() {
    let mut source = Memory::new(&[f("10.0.0.1", 1)], 1);
    source.seen = Some(|from, _| Seen {
        counts: fair(),
        quarters: (from..from + 15).collect(),
        sources: 1,
        addresses: 9,
        ..Seen::default()
    });
    let t = trend(&source, day(1), Step::Month);
    assert!(t.headline.starts_with("1970-01-02: 1 host"), "{}", t.headline);
    assert!(t.warnings[0].contains("only 15.6 % of 1970-01-02"), "{:?}", t.warnings);
    assert!(t.warnings[1].starts_with("1970-01-02 is a part of 1970-01"), "{:?}", t.warnings);
    assert_eq!((t.periods[0].label.as_str(), t.periods[0].name().as_str()), ("1970-01", "1970-01-02"));
    let whole = trend(&source, Days::new(0, 30), Step::Month);
    assert_eq!(whole.periods[0].name(), "1970-01");
}

#[test]
fn what_came_before_the_first_period_is_not_known() {
    let t = trend(&Memory::new(&[f("10.0.0.1", 0), f("10.0.0.2", 1)], 1), Days::new(0, 1), Step::Day);
    let new: Vec<Option<u64>> = t.whole.iter().map(|p| p.update.moves.map(|m| m.new)).collect();
    assert_eq!(new, [None, Some(1)]);
    let mut out = Vec::new();
    crate::report::measure::trend::write_csv(&mut out, &t).unwrap();
    let text = String::from_utf8(out).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    let at = rows[0].iter().position(|c| *c == "update_new").unwrap();
    assert_eq!((rows[1][at], rows[2][at]), ("", "1"));
}

#[test]
fn a_catalogue_changes_only_from_another() {
    let mut source = Memory::new(&[f("10.0.0.1", 0)], 1);
    let run = |day: i64, sha256: &str| RunOf {
        catalogue_sha256: sha256.into(),
        covers: Some((Timestamp::from_parts(day * 86_400, 0), Timestamp::from_parts(day * 86_400 + 9, 0))),
        ..RunOf::default()
    };
    let mut add = |day, sha256: &str| drop(source.catalogues.insert(sha256.into(), (run(day, sha256), String::new())));
    add(2, "aa");
    let changed = |source: &Memory| {
        let t = trend(source, Days::new(0, 6), Step::Day);
        t.warnings.into_iter().find(|w| w.starts_with("the catalogue changed"))
    };
    assert_eq!(changed(&source), None);
    // Also over a day without a run.
    source.catalogues.insert("bb".into(), (run(5, "bb"), String::new()));
    assert!(changed(&source).unwrap().starts_with("the catalogue changed with 1970-01-06;"));
}

#[test]
fn a_host_of_imported_records_that_is_gone_need_not_have_left_the_view() {
    let hosts = [f("10.0.0.1", 0), f("10.0.0.2", 0)];
    let mut source = Memory::new(&hosts, 1);
    fn seen(from: i64, to: i64, imported: u64) -> Seen {
        Seen {
            counts: fair(),
            quarters: (from..=to).collect(),
            sources: 1,
            addresses: 100,
            imported,
            ..Seen::default()
        }
    }
    assert_eq!(compared(&source, day(0), day(7)).whole.update.cohort.gone_in_view, Some(0));
    source.seen = Some(|from, to| seen(from, to, u64::from(from > 0)));
    let c = compared(&source, day(0), day(7));
    assert_eq!((c.whole.update.cohort.gone, c.whole.update.cohort.gone_in_view), (2, None));
    assert!(!c.headline.contains("was in view"), "{}", c.headline);
}

/// Half past eleven of a day.
fn half_past_eleven(day: i64) -> Option<Timestamp> {
    Some(Timestamp::from_parts(day * 86_400 + 46 * 900, 0))
}

#[test]
fn a_window_that_goes_on_is_called_so_and_not_a_sensor_that_was_down() {
    let hosts = [f("10.0.0.1", 0), f("10.0.0.2", 0), f("10.0.0.1", 1)];
    let mut source = Memory::new(&hosts, 1);
    // Frames have come without a pause until now.
    source.seen = Some(|from, to| Seen {
        counts: fair(),
        quarters: (from..=to.min(96 + 44)).collect(),
        sources: 1,
        addresses: 100,
        ..Seen::default()
    });
    let groups = Groups::default();
    let now = Asked { counted: half_past_eleven(1), ..asked(&source, &groups) };
    let trend = Trend::new(&now, Days::new(0, 1), Step::Day).unwrap();
    let [yesterday, today] = trend.periods.as_slice() else { panic!() };
    assert_eq!((yesterday.is_in_part(), today.is_in_part()), (false, true));
    assert!(today.doubts.is_empty(), "{:?}", today.doubts);
    assert_eq!(trend.warnings, ["1970-01-02 had passed only to 1970-01-02T11:15:00Z when it was counted"]);
    // Half a day with fewer hosts than a whole one is no fall.
    let c = Comparison::new(&now, day(0), day(1)).unwrap();
    let why: Vec<Because> = c.comparability.differences.iter().map(|d| d.because).collect();
    assert_eq!((why, c.basis), (vec![Because::Length], super::compare::Basis::DailyMean));
    assert!(!c.headline.contains("a fall of"), "{}", c.headline);
    // Of the same data on the next day the rest is time without frames.
    let later = Asked { counted: half_past_eleven(2), ..asked(&source, &groups) };
    let trend = Trend::new(&later, Days::new(0, 1), Step::Day).unwrap();
    assert_eq!(trend.periods[1].doubts[0].because, Because::SensorUp);
    assert_eq!((now.counted_within(&[day(0)]), now.counted_within(&[day(0), day(1)])), (None, half_past_eleven(1)));
}

#[test]
fn a_comparison_knows_who_is_gone_and_who_is_new() {
    // One stays, one goes and is in view all the same, one goes, one comes.
    let hosts = [
        f("10.0.0.1", 0).mac(1),
        f("10.0.0.1", 7).mac(1),
        f("10.0.0.2", 0).mac(2),
        f("10.0.0.3", 0).slots(&[40, 44]),
        f("10.0.0.4", 7),
    ];
    let of = |baseline: i32, current: i32, parts: u32| {
        let mut source = Memory::new(&hosts, parts);
        source.intervals = if parts == 1 { vec![arp(&hosts[2], 7)] } else { Vec::new() };
        let c = compared(&source, day(baseline), day(current));
        let listed = |all: &[super::Mover]| -> Vec<(String, String, Option<bool>)> {
            all.iter().map(|m| (m.ip.to_string(), m.last.to_string(), m.in_view)).collect()
        };
        assert_eq!((c.movers.gone.len() as u64, c.movers.gone_more), (c.whole.update.cohort.gone, 0));
        assert_eq!((c.movers.new.len() as u64, c.movers.new_more), (c.whole.update.cohort.new, 0));
        (listed(&c.movers.gone), listed(&c.movers.new))
    };
    let row = |ip: &str, last: &str, in_view| (ip.to_owned(), last.to_owned(), Some(in_view));
    let left = vec![row("10.0.0.3", "1970-01-01T11:00:00Z", false), row("10.0.0.2", "1970-01-01T10:00:00Z", true)];
    let came = vec![row("10.0.0.4", "1970-01-08T10:00:00Z", false)];
    assert_eq!(of(0, 7, 1), (left.clone(), came.clone()), "the latest first");
    assert_eq!(of(7, 0, 1), (came, left), "whichever is earlier");
    let (gone, new) = of(0, 7, 4);
    assert_eq!((gone.len(), new.len()), (2, 1), "in parts");
    // No more are listed than somebody looks at one by one.
    let many: Vec<F> = (0..250).map(|n| f(&format!("10.0.0.{n}"), 0)).collect();
    for parts in [1, 8] {
        let c = compared(&Memory::new(&many, parts), day(0), day(7));
        assert_eq!((c.movers.gone.len(), c.movers.gone_more, c.movers.new.len()), (100, 150, 0), "{parts}");
        assert_eq!(c.movers.gone[99].ip.to_string(), "10.0.0.99");
    }
    // Of records that were imported it is not known who was in view.
    let mut source = Memory::new(&many[..2], 1);
    source.seen = Some(|_, _| Seen { imported: 1, ..Seen::default() });
    assert_eq!(compared(&source, day(0), day(7)).movers.gone.iter().filter_map(|m| m.in_view).count(), 0);
}

#[test]
fn periods_that_other_sensors_saw_are_said() {
    let mut source = Memory::new(&[f("10.0.0.1", 0)], 1);
    // On the third day one of two is gone, and what each counted is known.
    fn seen(from: i64, to: i64) -> Seen {
        let mut seen = Seen { quarters: (from..=to).collect(), sources: 2, addresses: 9, ..Seen::default() };
        for name in ["a", "b"].into_iter().filter(|name| *name == "a" || from < 2 * 96) {
            seen.counts.merge(&fair());
            seen.sensors.insert(name.to_owned(), (from..=to).collect());
            seen.by_sensor.insert(name.to_owned(), fair());
        }
        seen
    }
    source.seen = Some(seen);
    let said = |source: &Memory, days| trend(source, days, Step::Day).warnings;
    let changed = "the sensors that saw frames changed with 1970-01-03, so that a rise or fall may be theirs";
    assert_eq!(said(&source, Days::new(0, 4)), [changed]);
    assert_eq!(said(&source, Days::new(0, 1)), [""; 0]);
    // In a folder of before it is not known what each counted, and nothing was said.
    source.seen = Some(|from, to| Seen { by_sensor: Default::default(), ..seen(from, to) });
    assert_eq!(said(&source, Days::new(0, 4)), [""; 0]);
}
