use super::*;
use crate::sighting::Stage;
use crate::sighting::testing;
use serde_json::Value;
use std::fs;

fn start(plan: Plan<'_>, store: Option<&Path>) -> Verdicts {
    let catalogue = Arc::new(Catalogue::builtin());
    Verdicts::start(plan, store, catalogue, HomeNets::default()).unwrap()
}

fn record(stage: Stage) -> Record {
    Record { stage, ..testing::record() }
}

fn events(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
}

#[test]
fn a_run_without_a_store_is_judged_by_what_it_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let mut verdicts = start(Plan { gone_after: 30, events: Some(&path) }, None);
    let begun = verdicts.judged_at;
    verdicts.remember(&[record(Stage::Attempted)]);
    assert!(verdicts.round(begun, at("2026-03-01T10:06:00Z")).is_empty(), "not yet due");
    let mut stored = verdicts.round(begun + PAUSE, at("2026-03-01T10:06:00Z"));
    while stored.is_empty() {
        std::thread::yield_now();
        stored = verdicts.round(begun + PAUSE, at("2026-03-01T10:06:00Z"));
    }
    assert_eq!((stored.len(), stored[0].kind.as_str(), stored[0].from), (1, "new", None));
    verdicts.remember(&[record(Stage::Transferred)]);
    verdicts.finish(at("2026-03-01T10:07:00Z")).unwrap();
    let said = events(&path);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((&said[0]["kind"], &said[0]["host"]["ip"]), (&"new".into(), &"10.0.0.5".into()));
    assert_eq!((&said[1]["kind"], &said[1]["to"]), (&"raised".into(), &"updating".into()));
}

#[test]
fn what_a_store_knows_is_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let put = |r: &Record| {
        let mut store = Store::open(&path).unwrap();
        let mut writer = store.begin().unwrap();
        let run = crate::store::Run {
            version: "1".into(),
            command: Vec::new(),
            catalogue_sha256: "00".into(),
            catalogue: String::new(),
            home_nets: Vec::new(),
            sensor: "s".into(),
            hash: "none".into(),
            started: Timestamp(1),
            ended: None,
            exit_code: None,
            exit_reason: None,
            environment: Default::default(),
        };
        let run = writer.put_run(&run).unwrap();
        let (first, last) = (Some(r.first_seen), Some(r.last_seen));
        let source = crate::store::Source { source: r.source.clone(), first, last, ..Default::default() };
        writer.put_source(run, &source).unwrap();
        writer.put_record(r, false).unwrap();
        writer.commit().unwrap();
    };
    put(&record(Stage::Attempted));
    let plan = Plan { gone_after: 30, events: None };
    start(plan, Some(&path)).finish(at("2026-03-01T10:06:00Z")).unwrap();
    let stored = || Store::open_read_only(&path).unwrap().events(None, None).unwrap();
    assert!(stored().is_empty(), "{:?}", stored());

    let verdicts = start(plan, Some(&path));
    put(&record(Stage::Transferred));
    verdicts.finish(at("2026-03-01T10:07:00Z")).unwrap();
    let kinds = |events: Vec<Event>| events.iter().map(|e| e.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(stored()), ["raised"]);
    // Forty days on, in another run.
    start(plan, Some(&path)).finish(at("2026-04-10T10:00:00Z")).unwrap();
    start(plan, Some(&path)).finish(at("2026-04-10T10:01:00Z")).unwrap();
    assert_eq!(kinds(stored()), ["raised", "gone"]);
    let mut back = record(Stage::Attempted);
    let there = at("2026-04-11T10:00:00Z").unwrap();
    (back.id, back.period, back.first_seen, back.last_seen) = ("f0".repeat(16), "2026-04-11".into(), there, there);
    let verdicts = start(plan, Some(&path));
    put(&back);
    verdicts.finish(at("2026-04-11T10:01:00Z")).unwrap();
    assert_eq!(kinds(stored()), ["raised", "gone", "reappeared"]);
}

#[test]
fn a_flood_of_records_is_bounded() {
    let mut verdicts = start(Plan { gone_after: 30, events: None }, None);
    let mut r = record(Stage::Queried);
    for n in 0..MOST_REMEMBERED + 9 {
        r.id = format!("{n:032x}");
        verdicts.remember(std::slice::from_ref(&r));
    }
    assert_eq!(verdicts.remembered.as_ref().unwrap().len(), MOST_REMEMBERED);
}
