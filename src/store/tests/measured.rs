//! A store as a source of facts to be counted.

use super::*;
use crate::measure::{Days, FactSource, Part, Wanted};

fn day(text: &str) -> i32 {
    i32::try_from(crate::base::time::parse_day(text).unwrap()).unwrap()
}

fn imported() -> (TempDir, Measured) {
    let (dir, _path, mut store) = new_store();
    import(&mut store);
    put(&mut store, &[numbered(1, 5), numbered(1, 9)]);
    (dir, Measured::new(store))
}

#[test]
fn facts_are_of_the_days_wanted_with_their_names() {
    let (_dir, source) = imported();
    let mut room = Part::default();
    let (first, last) = (day("2026-03-01"), day("2026-03-09"));
    let mut of = |days: Vec<Days>, names: bool| {
        let part = source.part(0, &Wanted { days, names, ids: true }, &mut room).unwrap();
        let mut found: Vec<i32> = part.facts.contacts.iter().map(|c| c.day - first).collect();
        found.dedup();
        let names = (0..part.facts.contacts.len()).flat_map(|at| part.names.of(at)).count();
        (found, part.facts.contacts.len(), names, part.names.texts.len())
    };
    assert_eq!(of(vec![], false), (vec![0, 4, 8], 21, 0, 0));
    let two = vec![Days::new(first - 9, first), Days::new(last, last + 9)];
    assert_eq!(of(two.clone(), false), (vec![0, 8], 20, 0, 0));
    assert_eq!(of(two, true), (vec![0, 8], 20, 20, 1), "each lists the same name");
    assert_eq!(of(vec![Days::new(first + 1, first + 3)], true), (vec![], 0, 0, 0));
}

#[test]
fn what_was_seen_is_of_the_window() {
    let (_dir, source) = imported();
    let seen = source.seen(1_000, 1_000).unwrap();
    assert_eq!((seen.quarters.len(), seen.sensors["replay"].len(), seen.addresses), (1, 1, 3));
    assert_eq!(
        seen.networks.iter().map(|(p, n)| (p.as_str(), *n)).collect::<Vec<_>>(),
        [("10.0.0.0/24", 2), ("fd00::/64", 1)]
    );
    assert_eq!(seen.encrypted_dns, 2);
    // Counters are of whole days.
    assert_eq!(seen.counts.get(Counter::Frames), 10);
    assert_eq!(source.seen(1_000, 1_010).unwrap().quarters.len(), 2);
    assert_eq!(source.seen(2_000, 2_001).unwrap(), crate::measure::Seen::default());
    // The capture itself ended within the first second.
    let seen = source.seen(0, 0).unwrap();
    assert_eq!((seen.sources, seen.damaged, seen.imported), (1, 1, 0));
    assert_eq!(source.quarters_watched().unwrap(), Some((1_000, 1_001)));
}

#[test]
fn a_live_run_watches_until_its_end() {
    let (_dir, _path, mut store) = new_store();
    let mut w = store.begin().unwrap();
    let run = w.put_run(&a_run()).unwrap();
    w.put_source(run, &Source { source: "run:y".into(), ..a_source() }).unwrap();
    w.end_run(run, Timestamp::from_parts(31 * 86_400, 0), 0, "done").unwrap();
    w.commit().unwrap();
    // It ended at midnight, and saw nothing of the day that began then.
    assert_eq!(Measured::new(store).quarters_watched().unwrap().map(|ends| ends.1), Some(31 * 96 - 1));
}

#[test]
fn what_each_of_several_sensors_counted_is_known() {
    let (_dir, _path, mut store) = new_store();
    import(&mut store);
    let mut w = store.begin().unwrap();
    let run = w.put_run(&Run { sensor: "hall".into(), ..a_run() }).unwrap();
    w.put_source(run, &Source { source: "sha256:bb".into(), ..a_source() }).unwrap();
    w.put_coverage("sha256:bb", 4, &mut a_ledger(7)).unwrap();
    w.commit().unwrap();
    let seen = Measured::new(store).seen(1_000, 1_001).unwrap();
    let frames = |sensor: &str| seen.by_sensor[sensor].get(Counter::Frames);
    assert_eq!((frames("replay"), frames("hall"), seen.counts.get(Counter::Frames)), (10, 7, 17));
    // One alone is the sum.
    let (_dir, source) = imported();
    assert!(source.seen(1_000, 1_001).unwrap().by_sensor.is_empty());
}

#[test]
fn runs_tell_their_catalogue() {
    let (_dir, source) = imported();
    let runs = source.runs().unwrap();
    let run = runs.first().unwrap();
    assert_eq!((runs.len(), run.sensor.as_str(), run.started), (1, "replay", Timestamp(1)));
    assert_eq!(run.covers, Some((Timestamp(100), Timestamp(200))));
    assert_eq!(source.catalogue(&run.catalogue_sha256).unwrap().unwrap().to_text(), "[[indicator]]");
    assert_eq!(source.catalogue("none"), Ok(None));
}
