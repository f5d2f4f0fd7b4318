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
