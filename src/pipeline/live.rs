//! A run on live interfaces.

use super::dispatch::{Dispatcher, Period, Tally};
use super::replay::{Crew, Crop, Failure, Hands, Outcome, ReaderEnd};
use super::sources::{SourceId, SourceReport};
use super::timing::{Timing, record};
use super::worker::{Found, Job, Tick};
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::capture::{Batch, BpfFilter, FrameSource, Interface, InterfaceStatistics, Status};
use crate::coverage::{Account, Counter, Forgotten, Key, Ledger};
use crate::flow::Limits;
use crate::packet::EncapTable;
use crate::sighting::presence::Presence;
use crate::sighting::{Canary, Draft, HomeNets, KeptFrame, Observed, Observer, Settings};
use crate::sighting::{Naming, Signal, Signals};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often idle flows are looked for while nothing comes, and the writer is
/// called.
const TICK: Duration = Duration::from_secs(1);

/// Ticks from one collection of everything that changed to the next.
const COLLECT_EVERY: u32 = 10;

/// How long after its end a day is closed, in nanoseconds: twice as long as
/// any flow may be idle.
const DAY_MARGIN: i64 = 600 * SECOND;

/// What tells a run the time when nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock: frames are captured as they are read.
    Wall,
    /// The frames: they may have been captured long ago, and be read faster or
    /// slower than they came.
    Frames,
}

/// How far one batch can move the clock of the frames, in nanoseconds: a frame
/// from the future must not close the days before it. Where there really was
/// a pause, the clock runs after.
const STRIDE: i64 = 60 * SECOND;

/// What to listen to, and how.
pub struct LivePlan {
    /// The opened interfaces, or files that grow.
    pub source: Box<dyn FrameSource>,
    /// What they are called together.
    pub path: PathBuf,
    /// What time it is.
    pub clock: Clock,
    /// Frames to look at.
    pub period: Period,
    /// Filter expression in libpcap's syntax, of what the source does not
    /// filter itself.
    pub filter: Option<BpfFilter>,
    /// Name of the run in records.
    pub id: SourceId,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Keep VLAN tags out of segments.
    pub ignore_vlan: bool,
    /// Home networks.
    pub home: HomeNets,
    /// Caps of each shard.
    pub limits: Limits,
    /// Quarter hours whose coverage is remembered until the end.
    pub remembered: u32,
    /// Hand on the frames that are evidence.
    pub keep_frames: bool,
}

/// What came through the reader so far.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Frames delivered.
    pub frames: u64,
    /// Least and greatest timestamp.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What went wrong since the last call: sentences.
    pub trouble: Vec<String>,
    /// The interfaces known so far.
    pub interfaces: Arc<[Interface]>,
}

/// What a run tells while it goes on.
pub struct News<'n> {
    /// Drafts as a shard knows them now, with the number of the shard.
    pub drafts: Vec<(usize, Draft)>,
    /// Canary names seen.
    pub canaries: Vec<Canary>,
    /// Frames that these or later drafts may name as evidence, with
    /// [`LivePlan::keep_frames`].
    pub frames: Vec<KeptFrame>,
    /// Who had which address, where that is new or went on.
    pub presences: Vec<Presence>,
    /// What hosts said they are called, where that is new or said again.
    pub namings: Vec<Naming>,
    /// Signs of roles of the open days, where they are new or went on, as far
    /// as all shards together know them.
    pub signals: Vec<Signal>,
    /// Days before this one are over, and their drafts are all told.
    pub closed: Option<i64>,
    /// What came in.
    pub intake: Intake,
    /// What was counted.
    pub account: &'n mut Account,
    /// Encapsulations met so far.
    pub encaps: &'n EncapTable,
}

/// What a run came to in the end.
pub struct Ended {
    /// As of a replay. The drafts of days that were closed are gone, and so is
    /// coverage beyond what was to be remembered.
    pub outcome: Outcome,
    /// The sum of the coverage that is gone.
    pub forgotten: Forgotten,
    /// Coverage that nobody took from the account.
    pub unstored: Ledger,
}

/// What the reader lays out for the writer.
#[derive(Default)]
struct Desk {
    ledger: Ledger,
    /// What time it is, once there is a tick.
    now: Option<Timestamp>,
    intake: Intake,
}

type SharedDesk = Arc<Mutex<Desk>>;

fn lock(desk: &SharedDesk) -> std::sync::MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens until the source is told to stop and is drained. `tell` hears of
/// changes as they happen, and at least about once a second.
pub fn watch(
    plan: LivePlan,
    settings: &Arc<Settings>,
    mut tell: impl FnMut(News<'_>) -> io::Result<()>,
) -> Result<Ended, Failure> {
    let workers = plan.workers.clamp(1, super::SHARDS);
    let make = || {
        let observer = Observer::new(Arc::clone(settings));
        if plan.keep_frames { observer.with_frames() } else { observer }
    };
    let crew = Crew::new(workers, plan.limits, true, &make);
    let failed = Arc::clone(&crew.failed);
    let ear = (plan.source, plan.path, plan.id, plan.clock);
    let (period, filter) = (plan.period, plan.filter);
    let dispatcher = Dispatcher::new(plan.home.clone(), period, filter, plan.ignore_vlan, workers);
    let desk = SharedDesk::default();
    let mut run = Run {
        account: Account::new(),
        remembered: i64::from(plan.remembered),
        closing: Closing { open_from: vec![i64::MIN; workers], closed: i64::MIN },
        canaries: Canaries::default(),
        signals: Signals::default(),
        encaps: dispatcher.encaps(),
        desk: &desk,
    };
    let read = |hands| listen(ear, dispatcher, hands, &failed, &desk);
    let crop = crew.work(read, |_, found: Found| tell(run.news(found)))?;
    run.end(crop, tell)
}

/// What the writer's side knows of a run while it goes on.
struct Run<'d> {
    account: Account,
    /// Quarter hours whose coverage stays.
    remembered: i64,
    closing: Closing,
    canaries: Canaries,
    signals: Signals,
    encaps: EncapTable,
    desk: &'d SharedDesk,
}

impl Run<'_> {
    /// What a worker found, as news.
    fn news(&mut self, found: Found) -> News<'_> {
        let mut news = News {
            drafts: found.drafts,
            canaries: found.canaries,
            frames: found.frames,
            presences: Vec::new(),
            namings: Vec::new(),
            signals: Vec::new(),
            closed: None,
            intake: Intake::default(),
            account: &mut self.account,
            encaps: &self.encaps,
        };
        self.canaries.extend(&news.canaries);
        if let Some(beat) = found.beat {
            news.account.add(beat.ledger);
            if let Some(now) = lock(self.desk).now {
                news.account.forget(now.quarter().saturating_sub(self.remembered));
            }
            news.presences = beat.presences;
            news.namings = beat.namings;
            news.signals = self.signals.add(beat.signals);
            news.closed = self.closing.heard(beat.worker, beat.open_from);
            if let Some(day) = news.closed {
                self.signals.forget(day);
            }
        }
        let mut desk = lock(self.desk);
        news.account.add(desk.ledger.take());
        news.intake = Intake { trouble: std::mem::take(&mut desk.intake.trouble), ..desk.intake.clone() };
        drop(desk);
        news
    }

    /// Tells what is left when the source is drained, and sums up.
    fn end(
        mut self,
        (reader, mut shards, ledger, timing): Crop<Observed>,
        mut tell: impl FnMut(News<'_>) -> io::Result<()>,
    ) -> Result<Ended, Failure> {
        let mut outcome = Outcome::new(reader, self.encaps);
        self.account.add(std::mem::take(&mut lock(self.desk).ledger));
        self.account.add(std::mem::take(&mut outcome.ledger));
        self.account.add(ledger);
        outcome.timing.merge(&timing);
        outcome.canaries = self.canaries.list;
        let drafts: Vec<(usize, Draft)> =
            shards.iter().flat_map(|(shard, o)| o.drafts.iter().map(|d| (*shard, d.clone()))).collect();
        let last = outcome.sources.first();
        let intake = Intake {
            frames: last.map_or(0, |s| s.frames),
            span: last.and_then(|s| s.span),
            trouble: std::mem::take(&mut lock(self.desk).intake.trouble),
            interfaces: last.map_or_else(Default::default, |s| Arc::clone(&s.interfaces)),
        };
        let rest: Vec<Signal> = shards.values_mut().flat_map(|o| std::mem::take(&mut o.signals)).collect();
        outcome.fold(shards);
        let last_signals = self.signals.add(rest);
        outcome.signals = self.signals.into_list();
        tell(News {
            drafts,
            canaries: Vec::new(),
            frames: Vec::new(),
            presences: outcome.intervals.clone(),
            namings: outcome.namings.clone(),
            signals: last_signals,
            closed: None,
            intake,
            account: &mut self.account,
            encaps: &outcome.encaps,
        })
        .map_err(Failure::Writer)?;
        let unstored = self.account.take_unstored();
        let (recent, forgotten) = self.account.into_parts();
        outcome.ledger = recent;
        Ok(Ended { outcome, forgotten, unstored })
    }
}

/// Which days every worker has handed on.
struct Closing {
    open_from: Vec<i64>,
    closed: i64,
}

impl Closing {
    fn heard(&mut self, worker: usize, open_from: i64) -> Option<i64> {
        if let Some(mine) = self.open_from.get_mut(worker) {
            *mine = open_from;
        }
        let least = self.open_from.iter().copied().min()?;
        let news = least != self.closed && least != i64::MIN;
        self.closed = least;
        news.then_some(least)
    }
}

/// The last canary of each name and channel: what is worth remembering of a
/// run that may take months.
#[derive(Default)]
struct Canaries {
    list: Vec<Canary>,
}

impl Canaries {
    fn extend(&mut self, seen: &[Canary]) {
        for c in seen {
            match self.list.iter_mut().find(|k| k.name == c.name && k.channel == c.channel) {
                Some(known) if known.ts <= c.ts => *known = c.clone(),
                Some(_) => {}
                None => self.list.push(c.clone()),
            }
        }
    }
}

/// The reader's thread.
struct Ear<'l> {
    source: Box<dyn FrameSource>,
    time: Clock,
    dispatcher: Dispatcher,
    hands: Hands,
    desk: &'l SharedDesk,
    timing: Timing,
    /// How far frames have been seen.
    clock: Timestamp,
    ticks: u32,
    /// How many interfaces the writer knows of.
    interfaces: usize,
    /// What the interfaces said last.
    losses: Vec<InterfaceStatistics>,
}

fn listen(
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
        clock: Timestamp(i64::MIN),
        ticks: 0,
        interfaces: 0,
        losses: Vec::new(),
    };
    let failure = ear.listen(&mut report, failed);
    let at = ear.now();
    let Ear { source, mut dispatcher, mut hands, timing, losses, .. } = ear;
    hands.jobs.clear();
    report.tallied(dispatcher.next_source());
    report.interfaces = source.interfaces();
    report.statistics = source.statistics();
    book_losses(&mut dispatcher.ledger, &losses, &report.statistics, at);
    ReaderEnd { sources: vec![report], ledger: std::mem::take(&mut dispatcher.ledger), timing, failure }
}

impl Ear<'_> {
    fn listen(&mut self, report: &mut SourceReport, failed: &AtomicBool) -> Option<Failure> {
        let mut number = 0;
        let mut ticked = Instant::now();
        while !failed.load(Ordering::Relaxed) {
            let mut work = self.hands.pool.take()?;
            let began = Instant::now();
            let status = self.source.next_batch(&mut work.batch);
            let idle = matches!(status, Ok(Status::Idle));
            match status {
                Ok(Status::End) => return None,
                Ok(Status::Idle) => {
                    self.hands.pool.put(work);
                    // Frames may still wait in the kernel; give them time.
                    if self.time == Clock::Wall {
                        self.clock = Timestamp::now().plus(-SECOND);
                    }
                }
                Ok(Status::Frames) => {
                    work.read_at = Instant::now();
                    record(&mut self.timing.read, work.read_at.duration_since(began));
                    work.source = 0;
                    work.number = number;
                    number = number.saturating_add(1);
                    self.hear(&work.batch);
                    if let Err(e) = self.dispatcher.batch(&mut work) {
                        return Some(Failure::Filter(e));
                    }
                    record(&mut self.timing.decode, work.read_at.elapsed());
                    let work = Arc::new(work);
                    if !self.hands.give(&work) {
                        return None;
                    }
                    self.hands.recycler.release(work);
                }
                Err(e) => {
                    self.hands.pool.put(work);
                    lock(self.desk).intake.trouble.push(e.to_string());
                    report.error.get_or_insert(e);
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
        let open_from = now.min(self.clock).plus(-DAY_MARGIN).day();
        let tick = Tick { idle_at: idle.then_some(self.clock), open_from, collect };
        self.hands.jobs.iter().all(|tx| tx.send(Job::Tick(tick)).is_ok())
    }
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

/// Quarter hours of a day, in the unit of [`LivePlan::remembered`].
pub const DAY_QUARTERS: u32 = (86_400 / QUARTER_SECS) as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Item;
    use crate::catalogue::Catalogue;
    use crate::pipeline::replay::{self, Plan};
    use crate::pipeline::{Room, RunNames, sightings};
    use crate::sighting::{Board, Record};

    fn settings(live: bool) -> Arc<Settings> {
        let catalogue = Arc::new(Catalogue::load(None, &[]).unwrap());
        Arc::new(Settings { catalogue, home: HomeNets::default(), canaries: Vec::new(), live, pseudonyms: None })
    }

    fn plan(name: &str, workers: usize) -> Plan {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name);
        Plan {
            inputs: vec![Item { path, relative: None }],
            workers,
            hash: true,
            period: Period::default(),
            filter: None,
            ignore_vlan: false,
            home: HomeNets::default(),
            limits: Limits::default(),
            opened: Box::new(|_, _| {}),
        }
    }

    /// Records of drafts in order, all of revision 1.
    fn records(drafts: Vec<Draft>, outcome: &Outcome, settings: &Settings) -> Vec<Record> {
        let names = RunNames::new("s", &outcome.sources, &outcome.encaps);
        let mut drafts = drafts;
        drafts.sort_by_key(|d| d.key);
        let record = |mut d: Draft| {
            d.revision = 1;
            d.record(&settings.catalogue.get(d.key.indicator).unwrap(), &names)
        };
        drafts.into_iter().map(record).collect()
    }

    #[test]
    fn what_is_told_as_it_happens_ends_as_what_a_replay_finds() {
        for name in ["tls13.pcap", "update-http.pcap", "resolver.pcap", "vlan.pcap", "office-day.pcap.zst"] {
            let mut found = sightings(plan(name, 1), &settings(false), Room::default()).unwrap();
            let mut drafts: Vec<Draft> = found.drafts.drafts().unwrap().map(Result::unwrap).collect();
            drafts.iter_mut().for_each(|d| d.settle(&found.local_askers));
            let replayed = records(drafts, &found.outcome, &settings(false));
            assert!(!replayed.is_empty(), "{name}");
            for workers in [1, 3] {
                let settings = settings(true);
                let mut board = Board::new(Arc::clone(&settings.catalogue));
                let mut told = 0;
                let make = || Observer::new(Arc::clone(&settings));
                let (outcome, shards) = replay::run(plan(name, workers), make, |_, found: Found, _| {
                    told += found.drafts.len();
                    found.drafts.into_iter().for_each(|(shard, draft)| assert!(board.update(shard, draft)));
                    Ok(())
                })
                .unwrap();
                assert!(told > 0, "{name}");
                for (shard, observed) in shards {
                    observed.drafts.into_iter().for_each(|d| assert!(board.update(shard, d)));
                }
                let last = board.close(i64::MAX).into_iter().map(|p| p.draft).collect();
                assert_eq!(records(last, &outcome, &settings), replayed, "{name}");
            }
        }
    }

    #[test]
    fn a_day_is_closed_when_every_worker_has_closed_it() {
        let mut closing = Closing { open_from: vec![i64::MIN; 2], closed: i64::MIN };
        assert_eq!(closing.heard(0, 5), None);
        assert_eq!(closing.heard(1, 5), Some(5));
        assert_eq!(closing.heard(0, 6), None);
        assert_eq!(closing.heard(0, 6), None);
        assert_eq!(closing.heard(1, 6), Some(6));
        assert_eq!(closing.heard(1, 6), None);
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
