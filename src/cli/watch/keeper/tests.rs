use super::super::testing::run;
use super::*;
use crate::base::Timestamp;
use crate::coverage::{Account, Counter, Key};
use crate::sighting::testing;
use crate::store::Filter;

fn record(revision: u64, count: u64) -> (Record, bool) {
    let mut r = testing::record();
    (r.revision, r.count, r.source) = (revision, count, "run:1".into());
    (r, false)
}

fn counted(host: u8) -> Ledger {
    let mut ledger = Ledger::new();
    ledger.turn_to(Key { source: 0, interface: 0, quarter: 7 });
    ledger.count(Counter::Frames);
    ledger.address(Addr::v4([10, 0, 0, host]));
    ledger
}

#[test]
fn what_is_written_in_pieces_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let open = || Store::open_read_only(&path).unwrap();
    let run = run();
    let mut keeper =
        Keeper::start(Store::open(&path).unwrap(), &run, "run:1".into(), vec!["span0".into()], None).unwrap();
    assert_eq!(open().runs().unwrap()[0].1.ended, None, "the run is there from the start");

    let now = Instant::now();
    assert!(!keeper.is_due(now) && keeper.is_due(now + EVERY));
    keeper.hurry();
    assert!(keeper.is_due(now));
    let mut account = Account::new();
    for (revision, count) in [(1, 5), (2, 9)] {
        account.add(counted(u8::try_from(revision).unwrap()));
        let (r, support) = record(revision, count);
        keeper.waiting().records.insert(r.id.clone(), (r, support));
        keeper.waiting().coverage.merge(account.take_unstored());
        keeper.waiting().intake = Intake { frames: revision, ..Intake::default() };
        while !keeper.waiting().records.is_empty() {
            keeper.write(now);
            std::thread::yield_now();
        }
    }
    let mut ended = run.clone();
    (ended.ended, ended.exit_code, ended.exit_reason) = (Some(Timestamp(9)), Some(0), Some("done".into()));
    keeper.waiting().intake.frames = 2;
    keeper.finish(&ended).unwrap();

    let store = open();
    let records: Vec<_> = store.records(Filter::default()).unwrap().map(|r| r.unwrap().record).collect();
    assert_eq!(records, [record(2, 9).0]);
    let coverage = store.coverage(0, 10).unwrap();
    assert_eq!((coverage.len(), coverage[0].counts.get(Counter::Frames), coverage[0].addresses), (1, 2, 2));
    let runs = store.runs().unwrap();
    assert_eq!((runs.len(), runs[0].1.exit_code), (1, Some(0)));
    assert_eq!(store.sources().unwrap()[0].frames, 2);
}

/// A keeper that has written the record of `record(1, 5)`, and its path.
fn one_record_written(dir: &tempfile::TempDir) -> (Keeper, std::path::PathBuf) {
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    let mut keeper = Keeper::start(store, &run(), "run:1".into(), vec!["span0".into()], None).unwrap();
    hand_over(&mut keeper, record(1, 5));
    let began = Instant::now();
    while kept(&path).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "the record is not written");
        std::thread::sleep(Duration::from_millis(10));
    }
    (keeper, path)
}

fn hand_over(keeper: &mut Keeper, (r, support): (Record, bool)) {
    keeper.waiting().records.insert(r.id.clone(), (r, support));
    while !keeper.waiting().records.is_empty() {
        keeper.write(Instant::now());
        std::thread::yield_now();
    }
}

fn kept(path: &std::path::Path) -> Vec<Record> {
    let store = Store::open_read_only(path).unwrap();
    store.records(Filter::default()).unwrap().map(|r| r.unwrap().record).collect()
}

fn ended() -> Run {
    let mut ended = run();
    (ended.ended, ended.exit_code, ended.exit_reason) = (Some(Timestamp(9)), Some(0), Some("done".into()));
    ended
}

#[test]
fn a_store_that_is_removed_is_made_anew_and_the_run_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (mut keeper, path) = one_record_written(&dir);
    std::fs::remove_file(&path).unwrap();
    assert!(!keeper.begins_anew("run:1", |_| String::new()));
    hand_over(&mut keeper, record(2, 9));
    let began = Instant::now();
    while !keeper.begins_anew("run:1", |_| String::new()) {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody noticed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let failed = keeper.finish(&ended()).unwrap_err();
    assert_eq!(failed.exit, crate::cli::exit::Exit::Failed);
    assert!(failed.message.contains("was removed, renamed or replaced before "), "{}", failed.message);
    assert_eq!(kept(&path), [record(2, 9).0]);
    let store = Store::open_read_only(&path).unwrap();
    assert_eq!(store.runs().unwrap()[0].1.exit_code, Some(3));
    assert!(store.sources().unwrap()[0].warnings[0].contains("another is in its place"));
}

#[test]
fn a_store_that_is_renamed_keeps_what_it_had_and_another_takes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut keeper, path) = one_record_written(&dir);
    let aside = dir.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    // Noticed at the end only.
    let (r, support) = record(2, 9);
    keeper.waiting().records.insert(r.id.clone(), (r, support));
    keeper.finish(&ended()).unwrap_err();
    assert_eq!((kept(&aside), kept(&path)), (vec![record(1, 5).0], vec![record(2, 9).0]));
    assert_eq!(Store::open_read_only(&path).unwrap().check().unwrap(), Vec::<String>::new());
}

#[test]
fn where_no_store_can_be_the_run_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, path) = one_record_written(&dir);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let failed = keeper.finish(&ended()).unwrap_err();
    assert!(failed.message.contains("it is a folder"), "{}", failed.message);
}

#[test]
fn what_several_shards_saw_of_a_pair_is_one_interval() {
    let mut pairs = Pairs::default();
    let of = |kind, from, to| Presence {
        source: 0,
        segment: 0,
        ip: Addr::v4([10, 0, 0, 1]),
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        kind,
        from: Timestamp(from),
        to: Timestamp(to),
    };
    let seen = |from, to| of(PresenceKind::Traffic, from, to);
    assert_eq!(pairs.join(&seen(5, 6)), seen(5, 6));
    assert_eq!(pairs.join(&of(PresenceKind::Arp, 7, 7)), of(PresenceKind::Arp, 7, 7));
    assert_eq!(pairs.join(&seen(8, 9)), seen(5, 9));
    // A lease is what its shard says, also that it ended early.
    let lease = |to| of(PresenceKind::Dhcp, 5, to);
    assert_eq!((pairs.join(&lease(99)), pairs.join(&lease(7))), (lease(99), lease(7)));
}
