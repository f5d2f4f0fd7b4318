//! A run over capture files.

use super::crew::{Alarm, Crew, Hands, ReaderEnd, Seats, Shards};
use super::dispatch::{Dispatcher, Period};
use super::hasher::{Hash, Hasher};
use super::sources::{SourceId, SourceReport};
use super::timing::Timing;
use super::worker::{Found, Harvest};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::capture::{Ahead, BpfFilter, CaptureError, FrameSource, Item, OpenOptions, Progress, Status};
use crate::coverage::{Counter, Key, Ledger};
use crate::flow::{Limits, NameLister, NameRows};
use crate::packet::{EncapId, EncapTable};
use crate::report::stages::Stage;
use crate::sighting::naming::{self, Naming};
use crate::sighting::observer::MAX_DRAFTS;
use crate::sighting::presence::{self, Presence};
use crate::sighting::signal::{self, Signal};
use crate::sighting::spool::MAX_HELD;
use crate::sighting::unlisted::Unlisted;
use crate::sighting::{Askers, Canary, HomeNets, Observed, Observer, Settings, Spool};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Batches in flight. With half a mebibyte each they stay in the cores' caches:
/// twice as many, or twice as large ones, cost memory and save no time.
pub(super) const BATCHES: usize = 4;

/// Batches in flight of a live run, of up to a mebibyte each: frames come when
/// they like, and a worker may wait for a core while the reader has one.
pub(super) const LIVE_BATCHES: usize = 12;

/// After so many frames of a file at most the workers hand on what they found.
/// They do it after each batch of what comes through a pipe.
const REPORT_FRAMES: usize = 4096;

/// Also once they have gathered so many bytes, which the reader sees when it is up
/// to [`BATCHES`] ahead.
const REPORT_BYTES: usize = 256 << 10;

/// A capture that begins so much before the last frame of the one before is
/// another view of the network, not the next file of the same capture: its
/// flows are read from their beginning.
const ROTATION_OVERLAP: i64 = SECOND;

/// What to read, and how.
pub struct Plan {
    /// Captures in order.
    pub inputs: Vec<Item>,
    /// Workers, at least one. One works on the thread that reads, several on threads of
    /// their own.
    pub workers: usize,
    /// Name sources by their content.
    pub hash: bool,
    /// Frames to look at.
    pub period: Period,
    /// Filter expression in libpcap's syntax.
    pub filter: Option<BpfFilter>,
    /// Keep VLAN tags out of segments.
    pub ignore_vlan: bool,
    /// Home networks, by which segments are dealt to shards.
    pub home: HomeNets,
    /// Caps of each shard.
    pub limits: Limits,
    /// Called when a source is opened, with its number and how far it is read.
    pub opened: Box<dyn Fn(usize, Arc<Progress>) + Send + Sync>,
}

/// Why a run failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A thread ended that should not have.
    #[error("a worker thread died, so the result would be incomplete; this is a bug: please report it with the input")]
    Worker,
    /// A thread could not be started.
    #[error("cannot start a thread: {0}; raise the limit on processes")]
    Thread(io::Error),
    /// The output could not be written.
    #[error(transparent)]
    Writer(io::Error),
    /// The filter does not fit a link type.
    #[error(transparent)]
    Filter(CaptureError),
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The sources in order.
    pub sources: Vec<SourceReport>,
    /// What was counted.
    pub ledger: Ledger,
    /// How long it took.
    pub timing: Timing,
    /// Encapsulations met.
    pub encaps: EncapTable,
    /// Names like the vendor's that no list has.
    pub unlisted: Unlisted,
    /// Clients outside the home networks with matching contacts.
    pub outside: u64,
    /// There were more of them than could be told apart.
    pub outside_full: bool,
    /// Canary names seen.
    pub canaries: Vec<Canary>,
    /// Who had which address.
    pub intervals: Vec<Presence>,
    /// What hosts said they are called.
    pub namings: Vec<Naming>,
    /// Signs of roles.
    pub signals: Vec<Signal>,
}

/// Lists every name: `write` gets the rows of some batches of a source at a time,
/// in order.
pub fn names(
    plan: Plan,
    files: &Arc<[String]>,
    mut write: impl FnMut(&NameRows) -> io::Result<()>,
) -> Result<Outcome, Failure> {
    let workers = plan.workers.clamp(1, super::SHARDS);
    let mut waiting: BTreeMap<u64, (usize, NameRows)> = BTreeMap::new();
    let make = || NameLister::new(Arc::clone(files));
    run(plan, make, |number, mut rows: NameRows, _| {
        let Some(number) = number else { return Ok(()) };
        let entry = waiting.entry(number).or_default();
        entry.0 += 1;
        entry.1.append(&mut rows);
        // What a worker reports comes in order of batches: where all have reported,
        // they have also of those before.
        while let Some(mut first) = waiting.first_entry().filter(|e| e.get().0 == workers) {
            first.get_mut().1.sort();
            write(&first.remove().1)?;
        }
        Ok(())
    })
    .map(|(outcome, _)| outcome)
}

/// What a replay found.
#[derive(Debug)]
pub struct Sighted {
    /// What the run came to.
    pub outcome: Outcome,
    /// The records in the making; [`select::Records`](crate::sighting::select::Records)
    /// makes records of them.
    pub drafts: Spool,
    /// Clients that ask a local resolver.
    pub local_askers: Askers,
}

/// How much of a replay's drafts stays in memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of each shard.
    pub shard: usize,
    /// Of all that the shards had no room for.
    pub spool: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room { shard: MAX_DRAFTS, spool: MAX_HELD }
    }
}

/// Words of segment numbers, read from the table as it grows.
struct Segments {
    table: EncapTable,
    known: hashbrown::HashMap<u32, String>,
    read: usize,
}

impl Segments {
    fn of(table: &EncapTable) -> Self {
        Segments { table: table.clone(), known: hashbrown::HashMap::new(), read: 0 }
    }

    fn refresh(&mut self) {
        for at in self.read..self.table.len() {
            let encap = self.table.get(EncapId(u32::try_from(at).unwrap_or(0)));
            self.known.entry(encap.segment_id).or_insert_with(|| encap.segment.clone());
            self.read = at.saturating_add(1);
        }
    }

    fn words(&self, segment: u32) -> String {
        self.known.get(&segment).cloned().unwrap_or_default()
    }
}

/// Folds what was seen into sightings. Drafts beyond `room` go to a temporary
/// file; the outcome does not depend on it.
///
/// # Errors
/// Any [`Failure`].
pub fn sightings(plan: Plan, settings: &Arc<Settings>, room: Room) -> Result<Sighted, Failure> {
    let make = || Observer::new(Arc::clone(settings)).with_max_drafts(room.shard);
    let mut canaries = Vec::new();
    let mut drafts = Spool::new(&settings.catalogue, room.spool);
    let mut segments: Option<Segments> = None;
    let (mut outcome, mut shards) = run(plan, make, |_, mut found: Found, encaps| {
        canaries.append(&mut found.canaries);
        if found.spilled.is_empty() {
            return Ok(());
        }
        let segments = segments.get_or_insert_with(|| Segments::of(encaps));
        segments.refresh();
        drafts.add(found.spilled, |s| segments.words(s))
    })?;
    let mut segments = segments.unwrap_or_else(|| Segments::of(&outcome.encaps));
    segments.refresh();
    let mut local_askers = Askers::default();
    for observed in shards.values_mut() {
        let rest = std::mem::take(&mut observed.drafts);
        drafts.add(rest, |s| segments.words(s)).map_err(Failure::Writer)?;
        local_askers.extend(std::mem::take(&mut observed.local_askers));
    }
    outcome.canaries = canaries;
    outcome.fold(shards);
    Ok(Sighted { outcome, drafts, local_askers })
}

impl Outcome {
    pub(super) fn new(reader: ReaderEnd, encaps: EncapTable) -> Self {
        Outcome {
            sources: reader.sources,
            ledger: reader.ledger,
            timing: reader.timing,
            encaps,
            unlisted: Unlisted::default(),
            outside: 0,
            outside_full: false,
            canaries: Vec::new(),
            intervals: Vec::new(),
            namings: Vec::new(),
            signals: Vec::new(),
        }
    }

    /// Joins what the shards know besides drafts, in order of their numbers.
    pub(super) fn fold(&mut self, shards: BTreeMap<usize, Observed>) {
        let mut outside = std::collections::HashSet::new();
        for observed in shards.into_values() {
            self.unlisted.merge(&observed.unlisted);
            outside.extend(observed.outside);
            self.outside_full |= observed.outside_full;
            self.intervals.extend(observed.presences);
            self.namings.extend(observed.namings);
            self.signals.extend(observed.signals);
        }
        self.intervals = presence::join(std::mem::take(&mut self.intervals));
        self.namings = naming::join(std::mem::take(&mut self.namings));
        self.signals = signal::join(std::mem::take(&mut self.signals));
        self.outside = outside.len() as u64;
    }
}

/// Reads the plan's captures through workers with sinks made by `make`.
pub(super) fn run<H: Harvest>(
    mut plan: Plan,
    make: impl Fn() -> H,
    mut write: impl FnMut(Option<u64>, H::Yield, &EncapTable) -> io::Result<()>,
) -> Result<(Outcome, Shards<H::Rest>), Failure> {
    let workers = plan.workers.clamp(1, super::SHARDS);
    let seats = if workers == 1 { Seats::WithReader } else { Seats::Apart(workers) };
    let crew = Crew::new(seats, plan.limits, BATCHES, false, &make);
    let failed = Arc::clone(&crew.failed);
    let filter = plan.filter.take();
    let dispatcher = Dispatcher::new(plan.home.clone(), plan.period, filter, plan.ignore_vlan, workers);
    let encaps = dispatcher.encaps();
    let (reader, shards, ledger, timing) = crew.work(
        move |hands| {
            let timing = Timing::default();
            let mut reader =
                Reader { plan: &plan, dispatcher, hands, timing, number: 0, unreported: 0, reached: None, failed };
            reader.read_all()
        },
        |origin, found| write(origin.map(|o| o.number), found, &encaps),
    )?;
    let mut outcome = Outcome::new(reader, encaps);
    outcome.ledger.merge(ledger);
    outcome.timing.merge(&timing);
    Ok((outcome, shards))
}

/// The reader's thread.
struct Reader<'p> {
    plan: &'p Plan,
    dispatcher: Dispatcher,
    hands: Hands,
    timing: Timing,
    number: u64,
    /// Frames since the workers were last told to hand on what they found.
    unreported: usize,
    /// The greatest timestamp of the source before.
    reached: Option<Timestamp>,
    failed: Arc<AtomicBool>,
}

/// Why reading stops before the last source.
enum Halt {
    /// Another thread failed, and will say why.
    Elsewhere,
    /// This one did.
    Here(Failure),
}

impl Reader<'_> {
    fn read_all(&mut self) -> ReaderEnd {
        let mut sources: Vec<SourceReport> = Vec::with_capacity(self.plan.inputs.len());
        let mut failure = None;
        let hasher = self
            .plan
            .hash
            .then(|| Hasher::spawn(self.hands.recycler.clone(), Alarm(Arc::clone(&self.failed))))
            .transpose();
        match hasher {
            Err(e) => failure = Some(Failure::Thread(e)),
            Ok(hasher) => {
                let options = OpenOptions { drain_after_damage: hasher.is_some(), ..OpenOptions::default() };
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                let mut ahead = Ahead::new(options, cores);
                for (at, item) in self.plan.inputs.iter().enumerate() {
                    let mut report = SourceReport::new(item.path.clone(), item.relative.clone());
                    let halt = self.read_source(at, &mut ahead, &mut report, hasher.as_ref());
                    sources.push(report);
                    match halt {
                        Ok(()) => {}
                        Err(Halt::Here(f)) => {
                            failure = Some(f);
                            break;
                        }
                        Err(Halt::Elsewhere) => break,
                    }
                }
                match hasher.map(Hasher::finish) {
                    None => {}
                    Some(None) => failure = failure.or(Some(Failure::Worker)),
                    Some(Some(digests)) => {
                        for (report, digest) in sources.iter_mut().filter(|s| s.opened).zip(digests) {
                            report.id = Some(SourceId::Content(digest));
                        }
                    }
                }
            }
        }
        self.hands.end();
        ReaderEnd {
            sources,
            ledger: std::mem::take(&mut self.dispatcher.ledger),
            timing: std::mem::take(&mut self.timing),
            failure,
        }
    }

    fn read_source(
        &mut self,
        at: usize,
        ahead: &mut Ahead,
        report: &mut SourceReport,
        hasher: Option<&Hasher>,
    ) -> Result<(), Halt> {
        let mut source = match ahead.open(&self.plan.inputs, at) {
            Ok(source) => source,
            Err(e) => {
                report.error = Some(e);
                return Ok(());
            }
        };
        report.opened = true;
        report.size = source.progress().total();
        (self.plan.opened)(at, source.progress());
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        let result = self.read_frames(number, source.as_mut(), report, hasher);
        let tally = self.dispatcher.next_source();
        let first = tally.first;
        self.reached = tally.greatest.or(self.reached);
        report.tallied(tally);
        report.interfaces = source.interfaces();
        report.statistics = source.statistics();
        count_losses(&mut self.dispatcher.ledger, number, report);
        match hasher {
            Some(hasher) if hasher.tx.send(Hash::End).is_err() => return Err(Halt::Here(Failure::Worker)),
            Some(_) => {}
            None => report.id = Some(SourceId::of_file(&report.path, report.size, first)),
        }
        result
    }

    fn read_frames(
        &mut self,
        number: u32,
        source: &mut dyn FrameSource,
        report: &mut SourceReport,
        hasher: Option<&Hasher>,
    ) -> Result<(), Halt> {
        let mut began_frames = false;
        loop {
            if self.failed.load(Ordering::Relaxed) {
                return Err(Halt::Elsewhere);
            }
            let Some(mut work) = self.hands.pool.take() else { return Err(Halt::Elsewhere) };
            let began = Instant::now();
            match source.next_batch(&mut work.batch) {
                Ok(Status::End) => {
                    self.hands.pool.put(work);
                    return Ok(());
                }
                Ok(Status::Idle) => {
                    self.hands.pool.put(work);
                    continue;
                }
                Ok(Status::Frames) => {}
                Err(e) => {
                    self.hands.pool.put(work);
                    report.error.get_or_insert(e);
                    continue;
                }
            }
            work.read_at = Instant::now();
            self.timing.record(Stage::Read, work.read_at.duration_since(began));
            work.source = number;
            if let Some(first) = work.batch.frames.first().filter(|_| !began_frames) {
                began_frames = true;
                work.begins_anew = self.reached.is_some_and(|t| first.ts.since(t) < -ROTATION_OVERLAP);
            }
            self.unreported = self.unreported.saturating_add(work.batch.frames.len());
            work.report = report.size.is_none()
                || self.unreported >= REPORT_FRAMES
                || self.hands.gathered.bytes() >= REPORT_BYTES;
            if work.report {
                self.unreported = 0;
            }
            work.number = self.number;
            self.number = self.number.saturating_add(1);
            self.dispatcher.batch(&mut work).map_err(|e| Halt::Here(Failure::Filter(e)))?;
            self.timing.record(Stage::Decode, work.read_at.elapsed());
            let work = Arc::new(work);
            if let Some(hasher) = hasher
                && hasher.tx.send(Hash::Content(Arc::clone(&work))).is_err()
            {
                return Err(Halt::Here(Failure::Worker));
            }
            if !self.hands.give(&work) {
                return Err(Halt::Elsewhere);
            }
            self.hands.recycler.release(work);
        }
    }
}

/// Books what a source says was lost, at its last quarter hour.
pub(super) fn count_losses(ledger: &mut Ledger, source: u32, report: &SourceReport) {
    let quarter = report.span.map_or(Timestamp(0), |(_, last)| last).quarter();
    for (at, s) in report.statistics.iter().enumerate() {
        if s.dropped_kernel == 0 && s.dropped_interface == 0 {
            continue;
        }
        let interface = u16::try_from(at).unwrap_or(u16::MAX);
        ledger.turn_to(Key { source, interface, quarter });
        ledger.add(Counter::DroppedKernel, s.dropped_kernel);
        ledger.add(Counter::DroppedInterface, s.dropped_interface);
    }
}
