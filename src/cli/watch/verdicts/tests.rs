use super::super::testing::run;
use super::*;
use crate::sighting::Stage;
use crate::sighting::testing;
use serde_json::Value;
use std::fs;

const NO_FILES: &KnowledgeArgs = &KnowledgeArgs { accept: None, inventory: None };
const NO_EVENTS: &EventArgs = &EventArgs { events: None, gone_after: None };

/// Of a run whose user knows nothing of hosts.
fn plan() -> Plan<'static> {
    Plan { changes: NO_EVENTS, files: NO_FILES, knowledge: Knowledge::default(), as_of: None }
}

fn into(events: &Path) -> EventArgs {
    EventArgs { events: Some(events.to_owned()), gone_after: None }
}

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

/// Puts a record into a store, in a run of its own.
fn put(path: &Path, r: &Record) {
    put_in(path, r, Some(r.last_seen));
}

/// The same; without an end the run was killed.
fn put_in(path: &Path, r: &Record, ended: Option<Timestamp>) {
    let mut store = Store::open(path).unwrap();
    let mut writer = store.begin().unwrap();
    let run = writer.put_run(&run()).unwrap();
    let (first, last) = (Some(r.first_seen), Some(r.last_seen));
    let source = crate::store::Source { source: r.source.clone(), first, last, ..Default::default() };
    writer.put_source(run, &source).unwrap();
    writer.put_record(r, false).unwrap();
    if let Some(ended) = ended {
        writer.end_run(run, ended, 0, "").unwrap();
    }
    writer.commit().unwrap();
}

/// Puts frames of each of these days into a store.
fn watched(path: &Path, days: std::ops::Range<i64>) {
    use crate::coverage::{Counter, Key, Ledger};
    let mut ledger = Ledger::new();
    for day in days {
        ledger.turn_to(Key { quarter: day * 96 + 40, ..Key::default() });
        ledger.add(Counter::Frames, 1000);
    }
    let mut store = Store::open(path).unwrap();
    let mut writer = store.begin().unwrap();
    writer.put_coverage(&testing::record().source, 0, &mut ledger).unwrap();
    writer.commit().unwrap();
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
}

#[test]
fn a_run_without_a_store_is_judged_by_what_it_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let mut verdicts = start(Plan { changes: &into(&path), ..plan() }, None);
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
    let put = |r: &Record| put(&path, r);
    put(&record(Stage::Attempted));
    start(plan(), Some(&path)).finish(at("2026-03-01T10:06:00Z")).unwrap();
    let stored = || Store::open_read_only(&path).unwrap().events(None, None).unwrap();
    assert!(stored().is_empty(), "{:?}", stored());

    let verdicts = start(plan(), Some(&path));
    put(&record(Stage::Transferred));
    verdicts.finish(at("2026-03-01T10:07:00Z")).unwrap();
    let kinds = |events: Vec<Event>| events.iter().map(|e| e.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(stored()), ["raised"]);
    // Forty days on, in another run: only if somebody watched.
    start(plan(), Some(&path)).finish(at("2026-04-10T10:00:00Z")).unwrap();
    assert_eq!(kinds(stored()), ["raised"]);
    watched(&path, at("2026-03-01T00:00:00Z").unwrap().day()..at("2026-04-10T00:00:00Z").unwrap().day());
    start(plan(), Some(&path)).finish(at("2026-04-10T10:00:00Z")).unwrap();
    start(plan(), Some(&path)).finish(at("2026-04-10T10:01:00Z")).unwrap();
    assert_eq!(kinds(stored()), ["raised", "gone"]);
    let mut back = record(Stage::Attempted);
    let there = at("2026-04-11T10:00:00Z").unwrap();
    (back.id, back.period, back.first_seen, back.last_seen) = ("f0".repeat(16), "2026-04-11".into(), there, there);
    let verdicts = start(plan(), Some(&path));
    put(&back);
    verdicts.finish(at("2026-04-11T10:01:00Z")).unwrap();
    assert_eq!(kinds(stored()), ["raised", "gone", "reappeared"]);
}

/// Of a run that was killed, the store may hold what was never judged.
#[test]
fn what_a_killed_run_stored_and_never_judged_is_said_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let kinds = || {
        let events = Store::open_read_only(&path).unwrap().events(None, None).unwrap();
        events.iter().map(|e| (e.ip.to_string(), e.kind.clone())).collect::<Vec<_>>()
    };
    let said = |ip: &str, kind: &str| (ip.to_owned(), kind.to_owned());
    let of = |ip: &str, source: &str, day: &str, stage| {
        let mut r = record(stage);
        (r.host.ip, r.source, r.period) = (ip.parse().unwrap(), source.into(), day.into());
        (r.host.mac, r.id) = (None, format!("{:016x}{:0>16}", r.host.ip.bits() as u32, day.replace('-', "")));
        let time = |time: &str| at(&format!("{day}T{time}Z")).unwrap();
        (r.first_seen, r.last_seen) = (time("10:00:00"), time("10:05:00"));
        r
    };
    // One that is known from before, and silent since.
    put(&path, &of("10.0.0.7", "run:a", "2026-03-01", Stage::Attempted));
    // A sensor sees it again, and another; it is killed before it judges.
    put_in(&path, &of("10.0.0.7", "run:b", "2026-03-02", Stage::Attempted), None);
    put_in(&path, &of("10.0.0.8", "run:b", "2026-03-02", Stage::Attempted), None);
    assert_eq!(kinds(), []);
    let next = |now: &str| start(plan(), Some(&path)).finish(at(now)).unwrap();
    next("2026-03-02T10:06:00Z");
    assert_eq!(kinds(), [said("10.0.0.8", "new")]);
    next("2026-03-02T10:07:00Z");
    assert_eq!(kinds(), [said("10.0.0.8", "new")], "once");
    // It rises in another that is killed.
    put_in(&path, &of("10.0.0.8", "run:c", "2026-03-03", Stage::Transferred), None);
    next("2026-03-03T10:06:00Z");
    next("2026-03-03T10:07:00Z");
    assert_eq!(kinds(), [said("10.0.0.8", "new"), said("10.0.0.8", "raised")]);
    // What an ended run has stored is no news.
    put(&path, &of("10.0.0.9", "run:d", "2026-03-04", Stage::Transferred));
    next("2026-03-04T10:06:00Z");
    assert_eq!(kinds().len(), 2);
}

/// The user's files, and the plan of a run that has them on a day.
struct Files {
    dir: tempfile::TempDir,
    args: KnowledgeArgs,
    changes: EventArgs,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (accept, inventory) = (dir.path().join("accept.toml"), dir.path().join("devices.csv"));
        fs::write(&inventory, "address,name,owner,place\n10.0.0.5,Reception,j.doe,ground floor\n").unwrap();
        let changes = into(&dir.path().join("events"));
        let files = Files { dir, args: KnowledgeArgs { accept: Some(accept), inventory: Some(inventory) }, changes };
        files.accept("active");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn accept(&self, verdict: &str) {
        let text = format!(
            "[[accept]]\nhost = \"reception\"\nverdict = \"{verdict}\"\nreason = \"bench\"\nowner = \"lab\"\n\
             expires = 2026-03-31\n"
        );
        fs::write(self.args.accept.as_ref().unwrap(), text).unwrap();
    }

    fn plan(&self, day: &str) -> Plan<'_> {
        Plan {
            changes: &self.changes,
            files: &self.args,
            knowledge: Knowledge::read(&self.args).map_err(|e| e.message).unwrap(),
            as_of: at(day),
        }
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|e| e["kind"].as_str().unwrap()).collect()
}

#[test]
fn accepted_hosts_are_said_as_such_until_it_ends() {
    let files = Files::new();
    let (store, path) = (files.path("s.db"), files.path("events"));
    // The store begins before the run.
    let early = Record { id: "01".repeat(16), ..record(Stage::Queried) };
    put(
        &store,
        &Record {
            host: crate::sighting::Host { ip: "10.0.0.9".parse().unwrap(), mac: None, ..early.host.clone() },
            ..early
        },
    );
    let verdicts = start(files.plan("2026-03-01"), Some(&store));
    put(&store, &record(Stage::Transferred));
    let mut alarm = record(Stage::Queried);
    alarm.id = "fa".repeat(16);
    (alarm.indicator.id, alarm.indicator.category) = ("lookalike-x".into(), crate::catalogue::Category::Lookalike);
    put(&store, &alarm);
    verdicts.finish(at("2026-03-01T10:07:00Z")).unwrap();
    let said = events(&path);
    assert_eq!(kinds(&said), ["alarm", "new"], "{said:?}");
    let [alarm, new] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((&alarm["alarms"][0], alarm.get("accepted")), (&"lookalike".into(), None), "alarms cannot be accepted");
    assert_eq!((&new["alarms"][0], &new["to"]), (&"lookalike".into(), &"updating".into()));
    assert_eq!((&new["accepted"]["owner"], &new["accepted"]["expires"]), (&"lab".into(), &"2026-03-31".into()));
    let who = ["name", "owner", "place"].map(|field| new["host"][field].as_str().unwrap());
    assert_eq!(who, ["Reception", "j.doe", "ground floor"]);
    let stored = Store::open_read_only(&store).unwrap().events(None, None).unwrap();
    assert_eq!(stored.iter().map(|e| e.accepted).collect::<Vec<_>>(), [false, true]);
    let told = &stored[1].detail;
    assert!(told.starts_with("10.0.0.5 (Reception, owner j.doe, ground floor) is new: updating (alarm: "), "{told}");
    assert!(told.ends_with(" Accepted as active until 2026-03-31; bench (lab)."), "{told}");

    // In another run the exception has ended, which is said once.
    for _ in 0..2 {
        start(files.plan("2026-04-01"), Some(&store)).finish(at("2026-03-02T10:00:00Z")).unwrap();
    }
    let said = events(&path);
    assert_eq!(kinds(&said[2..]), ["lapsed"], "{said:?}");
    let told = Store::open_read_only(&store).unwrap().events(None, None).unwrap().pop().unwrap();
    assert!(!told.accepted, "{told:?}");
    let wanted = "No longer accepted: the exception ended on 2026-03-31; bench (lab).";
    assert!(told.detail.contains(" is to be looked at again: updating") && told.detail.ends_with(wanted), "{told:?}");
}

#[test]
fn the_users_files_are_read_again_when_a_day_begins() {
    let files = Files::new();
    let catalogue = Arc::new(Catalogue::builtin());
    let mut judge = Judge::new(files.plan("2026-03-01"), None, catalogue, HomeNets::default());
    let mut found = |now: &str| {
        let mut facts = FactsBuilder::new();
        facts.record(&record(Stage::Transferred), false);
        let remembered = Some((facts.build(), BTreeSet::new()));
        let changes = judge.judge(Job { now: at(now).unwrap(), remembered }).unwrap();
        changes.iter().map(|c| (c.kind, c.accepted.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(found("2026-03-01T10:06:00Z"), [(ChangeKind::New, true)]);
    files.accept("contacting");
    assert_eq!(found("2026-03-01T23:59:00Z"), [], "not on the same day");
    assert_eq!(found("2026-03-02T00:00:01Z"), [(ChangeKind::Lapsed, false)]);
    files.accept("active");
    assert_eq!(found("2026-03-03T00:00:01Z"), []);
    fs::write(files.args.accept.as_ref().unwrap(), "[[accept]]\n").unwrap();
    assert_eq!(found("2026-03-04T00:00:01Z"), [], "what was read before stays");
    fs::write(files.args.accept.as_ref().unwrap(), "").unwrap();
    assert_eq!(found("2026-03-05T00:00:01Z"), [], "nor is an emptied file taken for one without exceptions");
}

#[test]
fn a_flood_of_records_is_bounded() {
    let mut verdicts = start(plan(), None);
    let mut r = record(Stage::Queried);
    for n in 0..MOST_REMEMBERED + 9 {
        r.id = format!("{n:032x}");
        verdicts.remember(std::slice::from_ref(&r));
    }
    assert_eq!(verdicts.remembered.as_ref().unwrap().records.len(), MOST_REMEMBERED);
}

#[test]
fn a_file_that_takes_no_event_fails_the_run() {
    let changes = into(Path::new("/dev/full"));
    let mut verdicts = start(Plan { changes: &changes, ..plan() }, None);
    verdicts.remember(&[record(Stage::Transferred)]);
    let stop = verdicts.finish(at("2026-03-01T10:07:00Z")).unwrap_err();
    assert!(stop.message.contains("--events"), "{}", stop.message);
    start(Plan { changes: &changes, ..plan() }, None).finish(at("2026-03-01T10:07:00Z")).unwrap();
}
