//! A run on live interfaces.

use super::crew::{Crew, Crop, Seats};
use super::dispatch::{Dispatcher, Period};
use super::listen::{SharedDesk, listen, lock};
use super::replay::{Failure, LIVE_BATCHES, Outcome};
use super::sources::SourceId;
use super::timing::Timing;
use super::worker::{Found, Origin};
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::capture::{BpfFilter, FrameSource, Interface};
use crate::coverage::{Account, Forgotten, Ledger};
use crate::flow::Limits;
use crate::packet::EncapTable;
use crate::report::stages::Stage;
use crate::sighting::presence::Presence;
use crate::sighting::{Canary, Draft, HomeNets, KeptFrame, Observed, Observer, Settings};
use crate::sighting::{Naming, Signal, Signals};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What tells a run the time when nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock: frames are captured as they are read.
    Wall,
    /// The frames: they may have been captured long ago, and be read faster or
    /// slower than they came.
    Frames,
}

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
    let crew = Crew::new(Seats::Apart(workers), plan.limits, LIVE_BATCHES, plan.clock == Clock::Wall, &make);
    let failed = Arc::clone(&crew.failed);
    let ear = (plan.source, plan.path, plan.id, plan.clock);
    let (period, filter, clock) = (plan.period, plan.filter, plan.clock);
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
        clock,
        timing: Timing::default(),
    };
    let read = |hands| listen(ear, dispatcher, hands, &failed, &desk);
    let crop = crew.work(read, |origin, found| run.hear(origin, found, &mut tell))?;
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
    clock: Clock,
    timing: Timing,
}

impl Run<'_> {
    /// Tells what a worker found, and notes how long after the packets that is.
    fn hear(
        &mut self,
        origin: Option<Origin>,
        found: Found,
        mut tell: impl FnMut(News<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = origin.filter(|_| self.clock == Clock::Wall).map(|o| o.first);
        // What a record waited for by the rules is no delay: the packet that
        // brought it out is in the batch.
        let shown = |from: Timestamp| found.drafts.iter().map(|(_, d)| d.last.max(from)).collect();
        let shown: Vec<Timestamp> = first.map(shown).unwrap_or_default();
        tell(self.news(found))?;
        if !shown.is_empty() {
            let now = Timestamp::now();
            shown.into_iter().for_each(|captured| self.timing.record_since(Stage::Record, captured, now));
        }
        Ok(())
    }

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
        outcome.timing.merge(&self.timing);
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
}
