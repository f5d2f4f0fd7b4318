//! What a store covers in all, in windows of any length.

use super::*;
use crate::store::covered::Covered;

#[test]
fn any_window_adds_up_its_quarter_hours() {
    let (_dir, _path, mut store) = new_store();
    let mut ledger = Ledger::new();
    for quarter in -100i64..400 {
        ledger.turn_to(Key { source: 1, interface: u16::from(quarter % 2 == 0), quarter });
        ledger.add(Counter::Frames, u64::try_from(quarter + 101).unwrap());
        ledger.add(Counter::Names, 1);
    }
    ledger.turn_to(Key { source: 1, interface: 0, quarter: 500 });
    ledger.add(Counter::DroppedKernel, 7);
    let mut w = store.begin().unwrap();
    for source in ["run:1", "sha256:a"] {
        w.put_coverage(source, 1, &mut ledger).unwrap();
    }
    w.commit().unwrap();
    let (all, edges) = ((i64::MIN, i64::MAX), [-100, -97, -96, -1, 0, 1, 95, 96, 191, 192, 288, 399, 400, 500, 501]);
    let windows = edges.iter().flat_map(|from| edges.iter().map(move |to| (*from, *to)));
    for (from, to) in windows.filter(|(from, to)| from <= to).chain([all, (i64::MIN, 95), (96, i64::MAX)]) {
        let within: Vec<i64> = (-100..400).filter(|q| (from..=to).contains(q)).collect();
        let frames: i64 = within.iter().map(|q| 2 * (q + 101)).sum();
        let found: Covered = store.covered(from, to).unwrap();
        let count = |counter| found.counts.get(counter);
        assert_eq!(count(Counter::Frames), u64::try_from(frames).unwrap(), "{from} to {to}");
        assert_eq!(count(Counter::Names), within.len() as u64 * 2, "{from} to {to}");
        assert_eq!(count(Counter::DroppedKernel), if (from..=to).contains(&500) { 14 } else { 0 }, "{from} to {to}");
        assert_eq!(found.quarters, within.len() as u64, "{from} to {to}");
    }
}

/// What a run of the store read or heard itself, and what was only imported: the
/// same for an import, for coverage and for who asks in SQL.
#[test]
fn a_source_is_of_the_store_or_imported_and_all_say_the_same() {
    let (_dir, _path, mut store) = new_store();
    let bare = |source: &str| Source {
        source: source.into(),
        first: Some(Timestamp(100)),
        last: Some(Timestamp(200)),
        ..Source::default()
    };
    let sources = [
        (bare("run:imported"), false),
        (Source { frames: 1, ..bare("run:busy") }, true),
        // On a port where nothing came.
        (Source { interfaces: vec![String::new()], ..bare("run:idle") }, true),
        (Source { path: Some("empty.pcapng".into()), ..bare("sha256:ee") }, true),
        (bare("sha256:imported"), false),
    ];
    let mut w = store.begin().unwrap();
    let run = w.put_run(&a_run()).unwrap();
    sources.iter().for_each(|(source, _)| w.put_source(run, source).unwrap());
    w.commit().unwrap();
    let mut own: Vec<String> = sources.iter().filter(|(_, own)| *own).map(|(s, _)| s.source.clone()).collect();
    own.sort();
    let found: Vec<String> =
        store.sources().unwrap().into_iter().filter(|s| !s.is_imported()).map(|s| s.source).collect();
    let sql = format!("SELECT source FROM sources s WHERE {} ORDER BY source", crate::store::rows::IS_OWN);
    let in_sql = store.list(&sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!((&found, &in_sql), (&own, &own));
    let covered = store.covered(0, 0).unwrap();
    assert_eq!((covered.runs, covered.captures, covered.imported), (2, 1, 2));
    let mut w = store.begin().unwrap();
    let importer = w.put_run(&a_run()).unwrap();
    w.imports(importer);
    for (n, (source, own)) in (1..).zip(&sources) {
        let r = Record { source: source.source.clone(), ..numbered(n, 1) };
        // Of a file everybody reads the same, and what they say joins.
        let refused = w.import_record(&r, false).unwrap() == Taken::Refused;
        assert_eq!(refused, *own && Source::is_run(&source.source), "{}", source.source);
    }
    drop(w);
    let seen = crate::measure::FactSource::seen(&Measured::new(store), 0, 0).unwrap();
    assert_eq!((seen.sources, seen.imported), (3, 2));
}
