use super::*;
use crate::base::{Addr, Stage, Timestamp};
use crate::catalogue::{IndicatorRef, Use};

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::load(None, &[]).unwrap())
}

/// The `n`th indicator of that use.
fn indicator(catalogue: &Catalogue, usage: Use, n: usize) -> IndicatorRef {
    catalogue.iter().filter(|(_, i)| i.usage == usage).nth(n).unwrap().0
}

fn draft(indicator: IndicatorRef, day: i64, stage: Stage, secs: i64) -> Draft {
    let host = HostKey { segment: 0, ip: Addr::v4([10, 0, 0, 1]), mac: None };
    let ts = Timestamp::from_parts(day * 86_400 + secs, 0);
    let mut draft = Draft::new(DraftKey { source: 0, host, indicator, day }, ts);
    draft.stage = stage;
    draft.count = 1;
    draft
}

fn said(drafts: &[Draft]) -> Vec<(Stage, u64)> {
    drafts.iter().map(|d| (d.stage, d.revision)).collect()
}

#[test]
fn a_rise_is_said_at_once_and_a_change_once_a_minute() {
    let catalogue = catalogue();
    let update = indicator(&catalogue, Use::Alone, 0);
    let mut board = Board::new(catalogue);
    let start = Instant::now();
    let at = |secs| start + Duration::from_secs(secs);
    board.update(3, draft(update, 5, Stage::Queried, 0));
    assert_eq!(said(&board.take_risen(at(0))), [(Stage::Queried, 1)]);
    assert_eq!(said(&board.take_due(at(100))), [], "nothing changed");
    board.update(3, draft(update, 5, Stage::Queried, 9));
    assert_eq!(said(&board.take_risen(at(1))), []);
    assert_eq!(said(&board.take_due(at(59))), []);
    assert_eq!(said(&board.take_due(at(60))), [(Stage::Queried, 2)]);
    board.update(3, draft(update, 5, Stage::Connected, 9));
    assert_eq!(said(&board.take_risen(at(61))), [(Stage::Connected, 3)]);
    board.update(3, draft(update, 5, Stage::Connected, 9));
    assert_eq!(said(&board.take_due(at(600))), [], "the same again is no change");
    let key = draft(update, 5, Stage::Connected, 9).key;
    assert!(board.print_again(&key) && !board.print_again(&DraftKey { day: 4, ..key }));
    assert_eq!(said(&board.take_due(at(600))), [(Stage::Connected, 3)]);
}

#[test]
fn a_revision_has_one_content() {
    let catalogue = catalogue();
    let update = indicator(&catalogue, Use::Alone, 0);
    let mut board = Board::new(catalogue);
    board.update(0, draft(update, 5, Stage::Queried, 0));
    let printed = board.take_risen(Instant::now());
    assert_eq!(board.take_unstored()[0].draft, printed[0]);
    assert_eq!(board.take_unstored(), []);
    board.store_again();
    assert_eq!(board.take_unstored()[0].draft, printed[0]);
    board.update(0, draft(update, 5, Stage::Queried, 1));
    assert_eq!(board.take_unstored()[0].draft.revision, 2);
    let closed = board.close(6);
    assert_eq!((closed[0].draft.revision, closed[0].unprinted), (2, true));
    assert!(board.is_empty());
}

#[test]
fn what_two_shards_know_is_one_record() {
    let catalogue = catalogue();
    let update = indicator(&catalogue, Use::Alone, 0);
    let mut board = Board::new(catalogue);
    board.update(0, draft(update, 5, Stage::Connected, 0));
    board.update(1, draft(update, 5, Stage::Queried, 0));
    board.update(1, draft(update, 5, Stage::Attempted, 0));
    let printed = board.take_risen(Instant::now());
    assert_eq!(said(&printed), [(Stage::Connected, 1)]);
    assert_eq!(printed[0].count, 2);
}

#[test]
fn support_is_said_when_another_signal_comes() {
    let catalogue = catalogue();
    let support = indicator(&catalogue, Use::Support, 0);
    let update = indicator(&catalogue, Use::Alone, 0);
    let mut board = Board::new(Arc::clone(&catalogue));
    board.update(0, draft(support, 5, Stage::Connected, 0));
    let now = Instant::now();
    assert_eq!(board.take_risen(now), []);
    assert_eq!(board.take_due(now), []);
    assert!(board.take_unstored()[0].lonely);
    board.update(0, draft(update, 6, Stage::Queried, 0));
    assert_eq!(board.take_risen(now).len(), 1, "another day is no second signal");
    board.update(0, draft(update, 5, Stage::Queried, 0));
    assert_eq!(board.take_risen(now).len(), 2);
    assert!(board.take_unstored().iter().all(|p| !p.lonely));
}

#[test]
fn a_closed_day_takes_nothing_more() {
    let catalogue = catalogue();
    let update = indicator(&catalogue, Use::Alone, 0);
    let mut board = Board::new(catalogue);
    board.update(0, draft(update, 5, Stage::Queried, 0));
    board.update(0, draft(update, 6, Stage::Queried, 0));
    assert_eq!(board.close(6).len(), 1);
    assert!(!board.update(0, draft(update, 5, Stage::Connected, 0)));
    assert_eq!(board.len(), 1);
    assert_eq!(board.take_risen(Instant::now()).len(), 1);
}

#[test]
fn a_name_that_comes_later_is_a_change() {
    let naming = |name: &str, secs: i64| {
        let at = Timestamp::from_parts(5 * 86_400 + secs, 0);
        let (ip, told) = (Addr::v4([10, 0, 0, 1]), NameSource::Mdns);
        Naming { source: 0, segment: 0, ip, mac: None, told, name: name.into(), from: at, to: at }
    };
    let called =
        |drafts: &[Draft]| drafts.iter().map(|d| d.called.as_ref().map(|c| c.0.to_string())).collect::<Vec<_>>();
    let catalogue = catalogue();
    let (one, two) = (indicator(&catalogue, Use::Alone, 0), indicator(&catalogue, Use::Alone, 1));
    let mut board = Board::new(catalogue);
    let start = Instant::now();
    let at = |secs| start + Duration::from_secs(secs);
    board.update(0, draft(one, 5, Stage::Queried, 0));
    assert_eq!(called(&board.take_risen(at(0))), [None]);
    board.take_unstored();
    assert_eq!(board.call(vec![naming("pc", 9)]), [naming("pc", 9)]);
    let due = board.take_due(at(60));
    assert_eq!((called(&due), said(&due)), (vec![Some("pc".to_owned())], vec![(Stage::Queried, 2)]));
    assert_eq!(board.take_unstored()[0].draft, due[0]);
    // The same name again changes nothing, and holds for records to come.
    let later = Naming { to: naming("pc", 20).to, ..naming("pc", 9) };
    assert_eq!(board.call(vec![naming("pc", 20)]), [later]);
    assert_eq!(board.take_due(at(600)), []);
    board.update(0, draft(two, 6, Stage::Queried, 0));
    assert_eq!(called(&board.take_risen(at(601))), [Some("pc".to_owned())]);
    board.close(7);
    board.update(0, draft(two, 7, Stage::Queried, 0));
    assert_eq!(called(&board.take_risen(at(602))), [None]);
}
