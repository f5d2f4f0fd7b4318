//! The reader's thread of a run on live interfaces.

use super::crew::{Hands, ReaderEnd};
use super::dispatch::{Dispatcher, Tally};
use super::live::{Clock, Intake};
use super::replay::{Failure, LIVE_BATCHES};
use super::sources::{SourceId, SourceReport};
use super::timing::Timing;
use super::work::Work;
use super::worker::Tick;
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::capture::{Batch, FrameSource, InterfaceStatistics, Status};
use crate::coverage::{Counter, Key, Ledger};
use crate::report::stages::Stage;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often idle flows are looked for while nothing comes, and the writer is
/// called.
const TICK: Duration = Duration::from_secs(1);

/// Ticks from one collection of everything that changed to the next.
const COLLECT_EVERY: u32 = 10;

/// A batch that may grow is handed on after that time, unless so many others
/// wait that this would only use them up.
const PATIENCE: Duration = Duration::from_millis(20);
const FEW: usize = LIVE_BATCHES / 2;

/// How long after its end a day is closed, in nanoseconds: twice as long as
/// any flow may be idle.
const DAY_MARGIN: i64 = 600 * SECOND;

/// How much longer it stays open where frames come from files: what was captured
/// yesterday may be copied in today.
const FILE_MARGIN: i64 = 86_400 * SECOND;

/// How far one batch can move the clock of the frames, in nanoseconds: a frame
/// from the future must not close the days before it. Where there really was
/// a pause, the clock runs after.
const STRIDE: i64 = 60 * SECOND;

/// What the reader lays out for the writer.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) ledger: Ledger,
    /// What time it is, once there is a tick.
    pub(super) now: Option<Timestamp>,
    pub(super) intake: Intake,
}

pub(super) type SharedDesk = Arc<Mutex<Desk>>;

pub(super) fn lock(desk: &SharedDesk) -> std::sync::MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A batch that was begun, and when.
struct Held {
    work: Work,
    began: Instant,
}

/// The reader's thread.
struct Ear<'l> {
    source: Box<dyn FrameSource>,
    time: Clock,
    dispatcher: Dispatcher,
    hands: Hands,
    desk: &'l SharedDesk,
    timing: Timing,
    /// Batches handed on.
    number: u64,
    /// How far frames have been seen.
    clock: Timestamp,
    ticks: u32,
    /// How many interfaces the writer knows of.
    interfaces: usize,
    /// What the interfaces said last.
    losses: Vec<InterfaceStatistics>,
}

/// Reads `source` until it ends, and lays out on `desk` what the writer wants
/// to know.
pub(super) fn listen(
    (source, path, id, time): (Box<dyn FrameSource>, PathBuf, SourceId, Clock),
    dispatcher: Dispatcher,
    hands: Hands,
    failed: &AtomicBool,
    desk: &SharedDesk,
) -> ReaderEnd {
    let mut report = SourceReport::new(path, None);
    report.id = Some(id);
    let mut ear = Ear {
        source,
        time,
        dispatcher,
        hands,
        desk,
        timing: Timing::default(),
        number: 0,
        clock: Timestamp(i64::MIN),
        ticks: 0,
        interfaces: 0,
        losses: Vec::new(),
    };
    let failure = ear.listen(&mut report, failed);
    let at = ear.now();
    let Ear { source, mut dispatcher, mut hands, timing, losses, .. } = ear;
    hands.end();
    report.tallied(dispatcher.next_source());
    report.interfaces = source.interfaces();
    report.statistics = source.statistics();
    book_losses(&mut dispatcher.ledger, &losses, &report.statistics, at);
    ReaderEnd { sources: vec![report], ledger: std::mem::take(&mut dispatcher.ledger), timing, failure }
}

impl Ear<'_> {
    fn listen(&mut self, report: &mut SourceReport, failed: &AtomicBool) -> Option<Failure> {
        let mut ticked = Instant::now();
        // A batch that may still grow.
        let mut held: Option<Held> = None;
        while !failed.load(Ordering::Relaxed) {
            let mut idle = false;
            if let Some(mut growing) = held.take() {
                if self.is_ripe(&mut growing) {
                    match self.hand_on(growing) {
                        Ok(true) => {}
                        Ok(false) => return None,
                        Err(failure) => return Some(failure),
                    }
                } else {
                    held = Some(growing);
                }
            } else {
                let mut work = self.hands.pool.take()?;
                let began = Instant::now();
                match self.source.next_batch(&mut work.batch) {
                    Ok(Status::Frames) => held = Some(Held { work, began }),
                    Ok(Status::End) => return None,
                    Ok(Status::Idle) => {
                        idle = true;
                        self.hands.pool.put(work);
                        // Frames may still wait in the kernel; give them time.
                        if self.time == Clock::Wall {
                            self.clock = Timestamp::now().plus(-SECOND);
                        }
                    }
                    Err(e) => {
                        self.hands.pool.put(work);
                        lock(self.desk).intake.trouble.push(e.to_string());
                        report.error.get_or_insert(e);
                    }
                }
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                if !self.tick(idle) {
                    return None;
                }
            }
        }
        None
    }

    /// Whether a batch is to be handed on now. While the workers have others
    /// nobody waits for it, and it takes what else comes: the more they are
    /// behind, the larger the batches, so that they catch up; and if they do
    /// not come to work at all, frames wait here rather than in the kernel.
    fn is_ripe(&mut self, held: &mut Held) -> bool {
        let others = self.hands.pool.out().saturating_sub(1);
        others == 0
            || (others <= FEW && held.began.elapsed() >= PATIENCE)
            || self.source.add_to(&mut held.work.batch) == Status::End
    }

    /// Decodes a batch and gives it to the workers; false if one is gone.
    fn hand_on(&mut self, Held { mut work, began }: Held) -> Result<bool, Failure> {
        work.read_at = Instant::now();
        self.timing.record(Stage::Read, work.read_at.duration_since(began));
        if let (Clock::Wall, Some(first)) = (self.time, work.batch.frames.first()) {
            self.timing.record_since(Stage::Arrival, first.ts, Timestamp::now());
        }
        work.source = 0;
        work.number = self.number;
        self.number = self.number.saturating_add(1);
        self.hear(&work.batch);
        self.dispatcher.batch(&mut work).map_err(Failure::Filter)?;
        self.timing.record(Stage::Decode, work.read_at.elapsed());
        let work = Arc::new(work);
        let given = self.hands.give(&work);
        self.hands.recycler.release(work);
        Ok(given)
    }

    /// What time it is.
    fn now(&self) -> Timestamp {
        match self.time {
            Clock::Wall => Timestamp::now(),
            Clock::Frames => self.clock,
        }
    }

    /// Notes how far the frames of a batch have come, and which interfaces
    /// they are of.
    fn hear(&mut self, batch: &Batch) {
        match self.time {
            Clock::Wall => self.clock = batch.frames.last().map_or(self.clock, |f| f.ts),
            Clock::Frames if self.clock.0 == i64::MIN => {
                self.clock = batch.frames.iter().map(|f| f.ts).min().unwrap_or(self.clock);
            }
            Clock::Frames => {
                let latest = batch.frames.iter().map(|f| f.ts).max().unwrap_or(self.clock);
                self.clock = latest.min(self.clock.plus(STRIDE)).max(self.clock);
            }
        }
        if batch.interfaces.len() != self.interfaces {
            self.interfaces = batch.interfaces.len();
            lock(self.desk).intake.interfaces = Arc::clone(&batch.interfaces);
        }
    }

    /// Tells the workers the time, and lays out what the writer wants to know.
    /// False if a worker is gone.
    fn tick(&mut self, idle: bool) -> bool {
        let collect = self.ticks.is_multiple_of(COLLECT_EVERY);
        self.ticks = self.ticks.wrapping_add(1);
        let now = self.now();
        let statistics = self.source.statistics();
        book_losses(&mut self.dispatcher.ledger, &self.losses, &statistics, now);
        self.losses = statistics;
        let mut desk = lock(self.desk);
        desk.ledger.merge(self.dispatcher.ledger.take());
        desk.now = Some(now).filter(|t| t.0 != i64::MIN);
        let Tally { frames, least, greatest, .. } = &self.dispatcher.tally;
        (desk.intake.frames, desk.intake.span) = (*frames, least.zip(*greatest));
        drop(desk);
        if now.0 == i64::MIN {
            return true; // no frame came, so no time has passed
        }
        let open_from = open_from(self.time, now.min(self.clock));
        let tick = Tick { idle_at: idle.then_some(self.clock), open_from, collect };
        self.hands.tick(tick)
    }
}

/// The first day that is not over when frames have come so far.
fn open_from(time: Clock, seen: Timestamp) -> i64 {
    let more = if time == Clock::Frames { FILE_MARGIN } else { 0 };
    seen.plus(-DAY_MARGIN).plus(-more).day()
}

/// Books what was lost since the last time, now.
fn book_losses(ledger: &mut Ledger, before: &[InterfaceStatistics], now: &[InterfaceStatistics], at: Timestamp) {
    for (interface, s) in (0u16..).zip(now) {
        let last = before.get(usize::from(interface)).copied().unwrap_or_default();
        // A file may say of losses that were booked already who caused them.
        let sum = |s: &InterfaceStatistics| s.dropped_kernel.saturating_add(s.dropped_interface);
        let more = sum(s).saturating_sub(sum(&last));
        let card = s.dropped_interface.saturating_sub(last.dropped_interface).min(more);
        let kernel = more.saturating_sub(card);
        if kernel > 0 || card > 0 {
            ledger.turn_to(Key { source: 0, interface, quarter: at.quarter() });
            ledger.add(Counter::DroppedKernel, kernel);
            ledger.add(Counter::DroppedInterface, card);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::Period;
    use super::super::pool::Pool;
    use super::*;
    use crate::base::time::QUARTER_SECS;
    use crate::capture::{CaptureError, FrameMeta, Interface, Progress};
    use crate::sighting::HomeNets;

    /// Always has one more frame, and takes three to a batch.
    struct Fountain;

    impl FrameSource for Fountain {
        fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
            batch.frames.push(FrameMeta::default());
            Ok(Status::Frames)
        }
        fn add_to(&mut self, batch: &mut Batch) -> Status {
            batch.frames.push(FrameMeta::default());
            if batch.frames.len() < 3 { Status::Frames } else { Status::End }
        }
        fn interfaces(&self) -> Arc<[Interface]> {
            Arc::default()
        }
        fn statistics(&self) -> Vec<InterfaceStatistics> {
            Vec::new()
        }
        fn progress(&self) -> Arc<Progress> {
            Arc::default()
        }
    }

    #[test]
    fn a_batch_grows_while_the_workers_have_others() {
        let desk = SharedDesk::default();
        let pool = Pool::new(LIVE_BATCHES, 1, Arc::default());
        let mut ear = Ear {
            source: Box::new(Fountain),
            time: Clock::Wall,
            dispatcher: Dispatcher::new(HomeNets::default(), Period::default(), None, false, 1),
            hands: Hands::idle(pool),
            desk: &desk,
            timing: Timing::default(),
            number: 0,
            clock: Timestamp(0),
            ticks: 0,
            interfaces: 0,
            losses: Vec::new(),
        };
        let mut others = Vec::new();
        // Whether a batch that is so old is ripe, with how many frames.
        let mut look = |others: &mut Vec<Work>, wanted: usize, age: Duration| {
            while others.len() < wanted {
                others.push(ear.hands.pool.take().unwrap());
            }
            let mut work = ear.hands.pool.take().unwrap();
            work.batch.frames.clear();
            ear.source.next_batch(&mut work.batch).unwrap();
            let mut held = Held { work, began: Instant::now().checked_sub(age).unwrap() };
            let ripe = ear.is_ripe(&mut held);
            let frames = held.work.batch.frames.len();
            let full = !ripe && ear.is_ripe(&mut held) && held.work.batch.frames.len() == 3;
            ear.hands.pool.put(held.work);
            (ripe, frames, full)
        };
        let young = Duration::ZERO;
        assert_eq!(look(&mut others, 0, young), (true, 1, false), "a worker waits");
        assert_eq!(look(&mut others, 1, young), (false, 2, true));
        assert_eq!(look(&mut others, FEW, PATIENCE), (true, 1, false), "old enough");
        assert_eq!(look(&mut others, FEW + 1, PATIENCE), (false, 2, true), "it would only use up batches");
    }

    #[test]
    fn a_day_of_files_is_open_for_one_more() {
        let at = |hour: i64, minute: i64| Timestamp::from_parts((hour * 60 + minute) * 60, 0);
        let days = |time| [at(24, 9), at(24, 10), at(48, 9), at(48, 10)].map(|seen| open_from(time, seen));
        assert_eq!(days(Clock::Wall), [0, 1, 1, 2]);
        assert_eq!(days(Clock::Frames), [-1, 0, 0, 1]);
    }

    #[test]
    fn losses_are_booked_once_and_when_they_happen() {
        let lost = |kernel, card| InterfaceStatistics { received: 9, dropped_kernel: kernel, dropped_interface: card };
        let mut ledger = Ledger::new();
        let at = |quarter: i64| Timestamp::from_parts(quarter * QUARTER_SECS, 0);
        book_losses(&mut ledger, &[], &[lost(3, 0), lost(0, 0)], at(7));
        book_losses(&mut ledger, &[lost(3, 0), lost(0, 0)], &[lost(3, 0), lost(0, 0)], at(8));
        book_losses(&mut ledger, &[lost(3, 0), lost(0, 0)], &[lost(4, 0), lost(0, 2)], at(9));
        let told = [lost(0, 5), lost(0, 2)];
        book_losses(&mut ledger, &[lost(4, 0), lost(0, 2)], &told, at(10));
        let booked: Vec<_> = ledger
            .entries()
            .iter()
            .map(|(k, e)| {
                let [kernel, card] = [Counter::DroppedKernel, Counter::DroppedInterface].map(|c| e.counts.get(c));
                (k.interface, k.quarter, kernel, card)
            })
            .collect();
        assert_eq!(booked, [(0, 7, 3, 0), (0, 9, 1, 0), (0, 10, 0, 1), (1, 9, 0, 2)]);
    }
}
