//! Judges the hosts of a running sensor now and then, and says what changed.
//! A thread of its own does it, so that nothing else waits for it.

use super::event_file::{EventFile, Turn};
use super::printer::to_second;
use crate::base::Timestamp;
use crate::base::time::DAY_SECS;
use crate::catalogue::Catalogue;
use crate::cli::args::{EventArgs, KnowledgeArgs};
use crate::cli::exit::{Stop, say};
use crate::cli::judging::Knowledge;
use crate::host::changes::{Change, ChangeKind, Changes, Noticed};
use crate::host::{self, AcceptList, Facts, FactsBuilder, HostView};
use crate::report::output::Output;
use crate::sighting::{HomeNets, Record};
use crate::store::{Event, Place, Store, StoreError};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Least time between two judgements.
const PAUSE: Duration = Duration::from_secs(60);
/// Most records that a run without a store remembers for its verdicts.
const MOST_REMEMBERED: usize = 20_000;
/// Most contacts of a store that hosts are judged by while the sensor runs;
/// the days before are left out.
const MOST_CONTACTS: u64 = 100_000;
/// Most changes said at a time.
const MOST_SAID: usize = 20;

/// What a run says of changes, and where.
pub(in crate::cli) struct Plan<'p> {
    /// Where else, and when a host is gone.
    pub(in crate::cli) changes: &'p EventArgs,
    /// The user's files about hosts, which are read again when a day begins.
    pub(in crate::cli) files: &'p KnowledgeArgs,
    /// What they say.
    pub(in crate::cli) knowledge: Knowledge,
    /// The last day for exceptions; without it, today.
    pub(in crate::cli) as_of: Option<Timestamp>,
}

struct Job {
    now: Timestamp,
    /// What hosts are judged by, and UTC days with frames since the last job; without
    /// them, the store.
    remembered: Option<(Facts, BTreeSet<i64>)>,
}

/// What a run without a store remembers.
#[derive(Default)]
struct Remembered {
    /// Records by id.
    records: HashMap<String, Record>,
    /// UTC days with frames since the last judgement.
    days: BTreeSet<i64>,
}

/// The thread, and what waits for it.
pub(super) struct Verdicts {
    tx: Sender<Job>,
    rx: Receiver<Vec<Change>>,
    thread: JoinHandle<()>,
    judged_at: Instant,
    /// Of a run without a store.
    remembered: Option<Remembered>,
    store: Option<PathBuf>,
    events: Option<EventFile<Output>>,
    gone_after: u32,
}

impl Verdicts {
    /// Starts the thread. What a store knows before the run begins is no
    /// change.
    pub(super) fn start(
        plan: Plan<'_>,
        store: Option<&Path>,
        catalogue: Arc<Catalogue>,
        home: HomeNets,
    ) -> Result<Self, Stop> {
        let events = plan.changes.events.as_deref();
        let events =
            events.map(|path| Output::append(Some(path)).map(EventFile::new)).transpose().map_err(Stop::failed)?;
        let (gone_after, store) = (plan.changes.gone_after(), store.map(Path::to_owned));
        let mut judge = Judge::new(plan, store.clone(), catalogue, home);
        let (tx, jobs) = bounded::<Job>(1);
        let (found, rx) = unbounded();
        drop(found.send(judge.recall()?));
        let thread = std::thread::Builder::new().name("verdicts".into()).spawn(move || {
            for job in jobs {
                match judge.judge(job) {
                    Ok(changes) => drop(found.send(changes)),
                    Err(e) => say(format_args!("hosts cannot be judged now: {e}; the sensor goes on and tries again")),
                }
            }
        });
        let thread = thread.map_err(|e| Stop::failed(format_args!("cannot start a thread: {e}")))?;
        Ok(Verdicts {
            tx,
            rx,
            thread,
            judged_at: Instant::now(),
            remembered: store.is_none().then(Remembered::default),
            store,
            events,
            gone_after,
        })
    }

    /// Takes records that stand. With a store they come from there.
    pub(super) fn remember(&mut self, records: &[Record]) {
        let Some(Remembered { records: known, days }) = &mut self.remembered else { return };
        for r in records {
            days.extend([r.first_seen.day(), r.last_seen.day()]);
            if known.len() < MOST_REMEMBERED || known.contains_key(&r.id) {
                let slim = Record { evidence: Vec::new(), community_ids: Vec::new(), ..r.clone() };
                known.insert(r.id.clone(), slim);
            }
        }
    }

    /// Has hosts judged if that is due, and hands out what changed by the last
    /// time.
    pub(super) fn round(&mut self, now: Instant, packet_time: Option<Timestamp>) -> Vec<Event> {
        if let Some(Remembered { days, .. }) = &mut self.remembered {
            days.extend(packet_time.map(Timestamp::day));
        }
        if now.saturating_duration_since(self.judged_at) >= PAUSE
            && let Some(ts) = packet_time
            && self.tx.is_empty()
        {
            self.judged_at = now;
            let job = self.job(ts);
            drop(self.tx.try_send(job));
        }
        let found: Vec<Change> = self.rx.try_iter().flatten().collect();
        say_all(&found, &mut self.events);
        found.iter().map(stored).collect()
    }

    fn job(&mut self, now: Timestamp) -> Job {
        let keep_from = now.plus(-i64::from(self.gone_after).saturating_mul(DAY_SECS * crate::base::time::SECOND));
        let remembered = self.remembered.as_mut().map(|Remembered { records, days }| {
            records.retain(|_, r| r.last_seen >= keep_from);
            let mut sorted: Vec<&Record> = records.values().collect();
            sorted.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let mut builder = FactsBuilder::new();
            sorted.into_iter().for_each(|r| builder.record(r, false));
            (builder.build(), std::mem::take(days))
        });
        Job { now, remembered }
    }

    /// Judges for the last time, when everything is in the store, and keeps
    /// what changed.
    pub(super) fn finish(mut self, packet_time: Option<Timestamp>) -> Result<(), Stop> {
        let last = packet_time.map(|now| self.job(now));
        let Verdicts { tx, rx, thread, store, mut events, .. } = self;
        if let Some(job) = last {
            drop(tx.send(job));
        }
        // The thread ends when nobody sends any more.
        drop(tx);
        if thread.join().is_err() {
            return Err(Stop::failed("the thread that judges hosts died; this is a bug: please report it"));
        }
        let found: Vec<Change> = rx.try_iter().flatten().collect();
        say_all(&found, &mut events);
        let unwritten = events.is_some_and(|file| !file.is_written());
        let unwritten = unwritten.then(|| Stop::failed("not all events could be written to the file of --events"));
        let Some(path) = store.filter(|_| !found.is_empty()) else { return unwritten.map_or(Ok(()), Err) };
        let keep = || -> Result<(), StoreError> {
            // Nothing is made of the last changes alone.
            if path.symlink_metadata().is_err() {
                return Err(StoreError::Missing { place: Place(path.clone()) });
            }
            let mut store = Store::open(&path)?;
            let mut writer = store.begin()?;
            found.iter().map(stored).try_for_each(|e| writer.put_event(&e))?;
            writer.commit()
        };
        keep().map_err(|e| Stop::failed(format_args!("the last changes of hosts could not be stored: {e}")))?;
        unwritten.map_or(Ok(()), Err)
    }
}

/// Says changes on standard error and in the file for them.
fn say_all(found: &[Change], events: &mut Option<EventFile<Output>>) {
    for change in found.iter().take(MOST_SAID) {
        say(format_args!("{} {change}", to_second(change.ts)));
    }
    if let Some(more) = found.len().checked_sub(MOST_SAID).filter(|n| *n > 0) {
        say(format_args!("{more} more hosts changed; --events and --store have them all"));
    }
    let Some(file) = events else { return };
    match file.add(found) {
        None => {}
        Some(Turn::Failed(e)) => say(format_args!("{}; the sensor goes on and tries again", file.out.error(e))),
        Some(Turn::Again(0)) => say("the file of --events can be written again; nothing is missing in it"),
        Some(Turn::Again(n)) => say(format_args!("the file of --events can be written again; {n} events are missing")),
    }
}

/// A change as the store keeps it.
fn stored(c: &Change) -> Event {
    Event {
        ts: c.ts,
        kind: c.kind.as_str().into(),
        segment: c.segment.clone(),
        ip: c.ip,
        mac: c.mac,
        from: c.from,
        to: c.to,
        alarms: c.alarms.clone(),
        accepted: c.accepted.is_some(),
        detail: c.to_string(),
    }
}

/// What the thread holds.
struct Judge {
    changes: Changes,
    catalogue: Arc<Catalogue>,
    options: host::Options,
    accept: AcceptList,
    files: KnowledgeArgs,
    /// The UTC day on which the files were read.
    read_on: Option<i64>,
    as_of: Option<Timestamp>,
    store: Option<PathBuf>,
    gone_after: u32,
}

impl Judge {
    fn new(plan: Plan<'_>, store: Option<PathBuf>, catalogue: Arc<Catalogue>, home: HomeNets) -> Self {
        let Knowledge { accept, inventory } = plan.knowledge;
        Judge {
            changes: Changes::new(plan.changes.gone_after()),
            catalogue,
            options: host::Options { home, inventory, ..host::Options::default() },
            accept,
            files: plan.files.clone(),
            read_on: None,
            as_of: plan.as_of,
            store,
            gone_after: plan.changes.gone_after(),
        }
    }

    /// Takes what the store knows before the run. All that is news of it are
    /// exceptions that ended since, and what a run stored that was killed before it
    /// judged that.
    fn recall(&mut self) -> Result<Vec<Change>, StoreError> {
        let Some(path) = &self.store else { return Ok(Vec::new()) };
        let store = Store::open_read_only(path)?;
        let noticed = store.events(None, None)?;
        for e in &noticed {
            let (ts, ip, mac, segment, to) = (e.ts, e.ip, e.mac, e.segment.as_str(), e.to);
            // Alarms are for no exception.
            let accepted = (e.kind != ChangeKind::Alarm.as_str()).then_some(e.accepted);
            self.changes.recall(Noticed { ts, ip, mac, segment, to, alarms: &e.alarms, accepted });
        }
        self.changes.watched(store.days_watched()?);
        let Some(last) = store.covered(i64::MIN, i64::MAX)?.last else { return Ok(Vec::new()) };
        // What is said now comes after all that was said.
        let last = noticed.last().map_or(last, |e| e.ts.max(last));
        let killed = store.unended()?;
        let views = self.views(&self.stored_facts(&store, last)?);
        let mut found = self.changes_of(&views, last);
        found.retain(|c| c.kind == ChangeKind::Lapsed || views.iter().any(|v| is_untold(c, v, &killed)));
        Ok(found)
    }

    fn views(&self, facts: &Facts) -> Vec<HostView> {
        host::judge(facts, &self.catalogue, &self.options)
    }

    fn changes_of(&mut self, views: &[HostView], now: Timestamp) -> Vec<Change> {
        let day = self.as_of.unwrap_or_else(Timestamp::now).day();
        let accept = &self.accept;
        self.changes.update(views, |view| accept.standing(view, day), now)
    }

    /// Reads the user's files again where another day began. Files that cannot
    /// be used change nothing.
    fn read_again(&mut self, day: i64) {
        if self.read_on.replace(day).is_none_or(|before| before == day) || self.files.files().next().is_none() {
            return;
        }
        match Knowledge::read(&self.files) {
            Ok(Knowledge { accept, inventory }) => (self.accept, self.options.inventory) = (accept, inventory),
            Err(e) => say(format_args!("{}; what was read of these files before stays in effect", e.message)),
        }
    }

    fn stored_facts(&self, store: &Store, now: Timestamp) -> Result<Facts, StoreError> {
        let today = i32::try_from(now.day()).unwrap_or(i32::MAX);
        let since = today.saturating_sub(i32::try_from(self.gone_after).unwrap_or(i32::MAX));
        store.facts(Some(store.first_day_of(since, MOST_CONTACTS)?), None)
    }

    fn judge(&mut self, job: Job) -> Result<Vec<Change>, StoreError> {
        let facts = match (job.remembered, &self.store) {
            (Some((facts, days)), _) => {
                self.changes.watched(days);
                facts
            }
            (None, Some(path)) => {
                let store = Store::open_read_only(path)?;
                // Files that are followed may go over many days at once.
                self.changes.watched(store.days_watched()?);
                self.stored_facts(&store, job.now)?
            }
            (None, None) => return Ok(Vec::new()),
        };
        self.read_again(job.now.day());
        let views = self.views(&facts);
        Ok(self.changes_of(&views, job.now))
    }
}

/// Whether a change is of this host, and in the time of a run that was killed. What it
/// had judged was noticed, and is no change; a host that it knew from before is none
/// that came with it.
fn is_untold(change: &Change, of: &HostView, killed: &[(Timestamp, Timestamp)]) -> bool {
    let came = if change.from.is_none() { of.first_seen } else { of.last_seen };
    let is_it = (change.ip, change.mac, change.segment.as_str()) == (of.ip, of.mac, of.segment.as_str());
    is_it && change.kind != ChangeKind::Gone && killed.iter().any(|(first, last)| (*first..=*last).contains(&came))
}

#[cfg(test)]
mod tests;
