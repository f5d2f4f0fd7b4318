//! What happens when a part of the pipeline fails.

use super::dispatch::Period;
use super::replay::{Failure, Plan, names, run};
use super::worker::Harvest;
use crate::capture::Item;
use crate::coverage::Ledger;
use crate::flow::{At, Limits, Notes, Progress, Seen, Sink, Token};
use crate::sighting::HomeNets;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

fn plan(hash: bool, workers: usize) -> Plan {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples/dns-udp.pcap");
    Plan {
        inputs: vec![Item { path, relative: None }],
        workers,
        hash,
        period: Period::default(),
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    }
}

/// Panics at the first message.
struct Bomb;

impl Sink for Bomb {
    fn opened(&mut self, _: &At<'_>, _: &mut Ledger) -> Option<Token> {
        None
    }
    fn present(&mut self, _: &At<'_>, _: &mut Ledger) {}
    fn seen(&mut self, _: &At<'_>, _: &Seen<'_>, _: Notes, _: &mut Option<Token>, _: &mut Ledger) {
        std::panic::resume_unwind(Box::new("a bug")); // without the hook's message
    }
    fn progress(&mut self, _: &At<'_>, _: Token, _: &Progress, _: &mut Ledger) {}
    fn closed(&mut self, _: Token, _: &mut Ledger) {}
}

impl Harvest for Bomb {
    type Yield = ();
    type Rest = ();
    fn harvest<'s>(_: impl Iterator<Item = (usize, &'s mut Self)>) {}
    fn is_empty((): &()) -> bool {
        true
    }
    fn rest(self) {}
}

#[test]
fn a_dead_worker_is_a_failed_run() {
    for (hash, workers) in [(false, 1), (true, 1), (false, 4), (true, 8)] {
        let result = run(plan(hash, workers), || Bomb, |_, (), _| Ok(()));
        assert!(matches!(result, Err(Failure::Worker)), "{hash} {workers}");
    }
}

#[test]
fn a_failing_writer_ends_the_run_and_says_why() {
    let files: Arc<[String]> = Arc::new(["\"x\"".into()]);
    for workers in [1, 3] {
        let result = names(plan(true, workers), &files, |_| Err(io::Error::from(io::ErrorKind::StorageFull)));
        match result {
            Err(Failure::Writer(e)) => assert_eq!(e.kind(), io::ErrorKind::StorageFull),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rows_come_in_order_of_frames_for_any_number_of_workers() {
    let files: Arc<[String]> = Arc::new(["\"x\"".into()]);
    let list = |workers| {
        let mut all = Vec::new();
        names(plan(false, workers), &files, |rows| {
            all.extend_from_slice(rows);
            Ok(())
        })
        .unwrap();
        all
    };
    let one = list(1);
    assert!(one.len() > 10 && one.is_sorted());
    for workers in [2, 3, 64] {
        assert_eq!(list(workers), one);
    }
}

#[test]
fn a_capture_that_is_read_again_shows_every_name_again() {
    // The flows of the first reading must not answer for the second.
    let files: Arc<[String]> = Arc::new(["\"x\"".into(), "\"y\"".into()]);
    let mut plan = plan(false, 2);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples/tls13.pcap");
    plan.inputs = vec![Item { path, relative: None }; 2];
    let mut of = [0, 0];
    names(plan, &files, |rows| {
        for row in rows {
            of[usize::from(row.line.contains("\"file\":\"y\""))] += 1;
        }
        Ok(())
    })
    .unwrap();
    assert!(of[0] > 5 && of[0] == of[1], "{of:?}");
}
