//! A worker: its shards' flow engines.

use super::SHARDS;
use super::pool::Recycler;
use super::timing::{FRAME_SAMPLE, Timing};
use super::work::{Said, Work};
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::coverage::{Key, Ledger};
use crate::flow::{Engine, FrameRef, Limits, NameLister, NameRows, Sink};
use crate::packet::Packet;
use crate::report::stages::Stage;
use crate::sighting::presence::Presence;
use crate::sighting::{Canary, Conceal, Draft, KeptFrame, Naming, Observed, Observer, Pseudonyms, Signal};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What a worker is told.
pub(super) enum Job {
    /// Segments to take.
    Batch(Arc<Work>),
    /// Live, about once a second.
    Tick(Tick),
}

/// What time it is for a live run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Nothing came of late: what has been idle until then may be forgotten.
    pub(super) idle_at: Option<Timestamp>,
    /// Days before this one are over.
    pub(super) open_from: i64,
    /// Whether to hand on all that changed, not only what rose.
    pub(super) collect: bool,
}

/// What a worker hands on after a tick.
pub(super) struct Beat {
    pub(super) worker: usize,
    /// Days before this one are over, and all of their records handed on.
    pub(super) open_from: i64,
    pub(super) ledger: Ledger,
    pub(super) presences: Vec<Presence>,
    pub(super) namings: Vec<Naming>,
    pub(super) signals: Vec<Signal>,
}

/// What observers bring out of a batch or a tick.
#[derive(Default)]
pub(super) struct Found {
    /// Shard and what it knows of a record now.
    pub(super) drafts: Vec<(usize, Draft)>,
    /// Replay: what there was no more room for.
    pub(super) spilled: Vec<Draft>,
    pub(super) canaries: Vec<Canary>,
    /// Live: frames that may be evidence, where they are kept.
    pub(super) frames: Vec<KeptFrame>,
    pub(super) beat: Option<Box<Beat>>,
}

impl Conceal for Found {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        // Frames hold real addresses; nobody keeps them with pseudonyms.
        let Found { drafts, spilled, canaries, beat, frames: _ } = self;
        Found {
            drafts: drafts.into_iter().map(|(shard, d)| (shard, d.conceal(pseudonyms))).collect(),
            spilled: spilled.conceal(pseudonyms),
            canaries: canaries.conceal(pseudonyms),
            frames: Vec::new(),
            beat: beat.map(|b| Box::new(b.conceal(pseudonyms))),
        }
    }
}

impl Conceal for Beat {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        // The ledger has pseudonyms from the start.
        let Beat { worker, open_from, ledger, presences, namings, signals } = self;
        Beat {
            worker,
            open_from,
            ledger,
            presences: presences.conceal(pseudonyms),
            namings: namings.conceal(pseudonyms),
            signals: signals.conceal(pseudonyms),
        }
    }
}

/// What a sink brings out of a batch.
pub(super) trait Harvest: Sink + Send + 'static {
    /// What the writer gets after some batches: it is gathered over several of a
    /// source where the reader allows that, so that not each of them wakes the writer's
    /// thread.
    type Yield: Send;
    /// What it gets in the end.
    type Rest: Send;

    /// Collects from the shards, given with their numbers.
    fn harvest<'s>(sinks: impl Iterator<Item = (usize, &'s mut Self)>) -> Self::Yield
    where
        Self: 's;
    /// Collects after a tick; the observers of a live run have more to say
    /// then.
    fn pulse<'s>(
        sinks: impl Iterator<Item = (usize, &'s mut Self)>,
        _tick: &Tick,
        _worker: usize,
        _ledger: &mut Ledger,
    ) -> Self::Yield
    where
        Self: 's,
    {
        Self::harvest(sinks)
    }
    /// Bytes that wait to be collected.
    fn waiting(&self) -> usize;
    /// Whether there is nothing for the writer.
    fn is_empty(found: &Self::Yield) -> bool;
    /// The end.
    fn rest(self) -> Self::Rest;
}

impl Harvest for NameLister {
    type Yield = NameRows;
    type Rest = ();

    fn harvest<'s>(sinks: impl Iterator<Item = (usize, &'s mut Self)>) -> NameRows {
        NameLister::drain(sinks.map(|(_, sink)| sink))
    }

    fn waiting(&self) -> usize {
        NameLister::waiting(self)
    }

    fn is_empty(_: &NameRows) -> bool {
        false // the writer orders by batches, so it must hear of all workers
    }

    fn rest(self) {}
}

impl Harvest for Observer {
    type Yield = Found;
    type Rest = Observed;

    fn harvest<'s>(sinks: impl Iterator<Item = (usize, &'s mut Self)>) -> Found {
        let mut found = Found::default();
        let mut pseudonyms = None;
        for (shard, sink) in sinks {
            pseudonyms = pseudonyms.or_else(|| sink.pseudonyms());
            found.drafts.extend(sink.take_risen().into_iter().map(|d| (shard, d)));
            found.spilled.append(&mut sink.take_spilled());
            found.canaries.append(&mut sink.take_canaries());
            found.frames.append(&mut sink.take_frames());
        }
        concealed(found, pseudonyms)
    }

    fn pulse<'s>(
        sinks: impl Iterator<Item = (usize, &'s mut Self)>,
        tick: &Tick,
        worker: usize,
        ledger: &mut Ledger,
    ) -> Found {
        if !tick.collect {
            return Self::harvest(sinks);
        }
        let mut found = Found::default();
        let (mut presences, mut namings, mut signals) = (Vec::new(), Vec::new(), Vec::new());
        let mut pseudonyms = None;
        for (shard, sink) in sinks {
            pseudonyms = pseudonyms.or_else(|| sink.pseudonyms());
            found.drafts.extend(sink.take_changed().into_iter().map(|d| (shard, d)));
            found.canaries.append(&mut sink.take_canaries());
            found.frames.append(&mut sink.take_frames());
            presences.append(&mut sink.take_presences());
            namings.append(&mut sink.take_namings());
            signals.append(&mut sink.take_signals());
            found.drafts.extend(sink.close(tick.open_from).into_iter().map(|d| (shard, d)));
        }
        let (open_from, ledger) = (tick.open_from, ledger.take());
        found.beat = Some(Box::new(Beat { worker, open_from, ledger, presences, namings, signals }));
        concealed(found, pseudonyms)
    }

    fn waiting(&self) -> usize {
        Observer::waiting(self)
    }

    fn is_empty(found: &Found) -> bool {
        let nothing = found.drafts.is_empty() && found.spilled.is_empty() && found.canaries.is_empty();
        nothing && found.frames.is_empty() && found.beat.is_none()
    }

    fn rest(self) -> Observed {
        let pseudonyms = self.pseudonyms();
        concealed(self.finish(), pseudonyms)
    }
}

/// With pseudonyms, where they are wanted: nothing behind the workers knows
/// any other name of a host.
fn concealed<T: Conceal>(found: T, pseudonyms: Option<Arc<Pseudonyms>>) -> T {
    match pseudonyms {
        Some(p) => found.conceal(&p),
        None => found,
    }
}

/// The batch in which something was found, or the last of those.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) number: u64,
    /// When its first frame was captured.
    pub(super) first: Timestamp,
    /// When the worker was done with it.
    pub(super) done: Instant,
}

/// What the writer hears from a worker.
pub(super) enum Report<H: Harvest> {
    /// Of a batch.
    Found { origin: Origin, found: H::Yield },
    /// Of a tick.
    Tock { found: H::Yield },
    /// The worker is done. Its shards' sinks in order of their numbers.
    Done(Box<Finished<H>>),
}

/// A worker's last words.
pub(super) struct Finished<H: Harvest> {
    /// Shard number and what its sink had left.
    pub(super) shards: Vec<(usize, H::Rest)>,
    pub(super) ledger: Ledger,
    pub(super) timing: Timing,
}

/// A worker's state.
pub(super) struct Worker<H> {
    number: usize,
    workers: usize,
    engines: Vec<Engine<H>>,
    ledger: Ledger,
    timing: Timing,
    countdown: u32,
    /// Frames were captured just before they are read.
    stamped: bool,
    gathered: Gathered,
    /// The batch up to which all was gathered, and its source.
    unsaid: Option<(Origin, u32)>,
}

/// How many bytes the workers have gathered: of each those that wait, or, where it
/// just handed them on, those of its last batch. The reader lets them gather while
/// these are few, as a few frames can hold many names.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    all: Arc<AtomicUsize>,
    /// Of this worker.
    own: usize,
}

impl Gathered {
    /// Of all workers.
    pub(super) fn bytes(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    fn set(&mut self, own: usize) {
        self.all.fetch_add(own.wrapping_sub(self.own), Ordering::Relaxed);
        self.own = own;
    }
}

impl<H: Harvest> Worker<H> {
    /// Worker `number` of `workers`.
    pub(super) fn new(
        number: usize,
        workers: usize,
        limits: Limits,
        stamped: bool,
        gathered: Gathered,
        mut sink: impl FnMut() -> H,
    ) -> Self {
        let engines = (number..SHARDS).step_by(workers).map(|_| Engine::new(sink(), limits)).collect();
        let (ledger, timing) = (Ledger::new(), Timing::default());
        Worker { number, workers, engines, ledger, timing, countdown: 1, stamped, gathered, unsaid: None }
    }

    /// Works until the reader is done.
    pub(super) fn run(mut self, jobs: &Receiver<Job>, recycler: &Recycler, writer: &Sender<Report<H>>) {
        for job in jobs {
            if !self.take(job, recycler, writer) {
                return;
            }
        }
        self.end(writer);
    }

    /// Does a job. False if the writer is gone: it failed, and will say so.
    #[inline(never)] // it is called from two places, and large
    pub(super) fn take(&mut self, job: Job, recycler: &Recycler, writer: &Sender<Report<H>>) -> bool {
        match job {
            Job::Batch(work) => {
                // Every worker sees every batch, so that all hand on at the same.
                if let Some((origin, _)) = self.unsaid.take_if(|(_, source)| *source != work.source)
                    && !self.hand_on(origin, writer)
                {
                    return false;
                }
                let before = if self.unsaid.is_some() { self.gathered.own } else { 0 };
                let done = self.batch(&work);
                let first = work.batch.frames.first().map_or(Timestamp(i64::MAX), |f| f.ts);
                let first = self.unsaid.take().map_or(first, |(before, _)| before.first);
                let origin = Origin { number: work.number, first, done };
                let (source, report) = (work.source, work.report);
                // Before the batch goes back, so that the reader is not further ahead.
                let waiting = self.sinks().map(|(_, sink)| sink.waiting()).fold(0, usize::saturating_add);
                self.gathered.set(if report { waiting.saturating_sub(before) } else { waiting });
                recycler.release(work);
                if !report {
                    self.unsaid = Some((origin, source));
                    return true;
                }
                self.hand_on(origin, writer)
            }
            Job::Tick(tick) => {
                if let Some(now) = tick.idle_at {
                    for engine in &mut self.engines {
                        engine.expire(now, &mut self.ledger);
                    }
                }
                let mut ledger = std::mem::take(&mut self.ledger);
                let number = self.number;
                let found = H::pulse(self.sinks(), &tick, number, &mut ledger);
                self.ledger = ledger;
                writer.send(Report::Tock { found }).is_ok()
            }
        }
    }

    /// Hands on what was gathered up to that batch. False if the writer is gone.
    #[inline(never)] // likewise
    fn hand_on(&mut self, origin: Origin, writer: &Sender<Report<H>>) -> bool {
        let found = H::harvest(self.sinks());
        H::is_empty(&found) || writer.send(Report::Found { origin, found }).is_ok()
    }

    /// Hands on all that is left.
    #[inline(never)] // likewise
    pub(super) fn end(mut self, writer: &Sender<Report<H>>) {
        if let Some((origin, _)) = self.unsaid.take() {
            self.hand_on(origin, writer);
        }
        let Worker { number, workers, engines, mut ledger, timing, .. } = self;
        let shards = engines
            .into_iter()
            .enumerate()
            .map(|(i, engine)| (number + i * workers, engine.finish(&mut ledger).rest()))
            .collect();
        drop(writer.send(Report::Done(Box::new(Finished { shards, ledger, timing }))));
    }

    /// The shards' sinks with their numbers.
    fn sinks(&mut self) -> impl Iterator<Item = (usize, &mut H)> {
        let (number, workers) = (self.number, self.workers);
        self.engines.iter_mut().enumerate().map(move |(i, engine)| (number + i * workers, engine.sink()))
    }

    /// Takes its share of a batch; when it was done.
    fn batch(&mut self, work: &Work) -> Instant {
        let began = Instant::now();
        self.timing.record(Stage::Wait, began.duration_since(work.read_at));
        if work.begins_anew {
            for engine in &mut self.engines {
                engine.start_anew(&mut self.ledger);
            }
        }
        let Some(list) = work.lists.get(self.number) else { return began };
        let said = work.said.get(self.number).map_or(&[][..], Vec::as_slice);
        let mut said = said.iter().peekable();
        let mut next_said = said.peek().map_or(u32::MAX, |s| s.frame);
        let mut key = Key { source: u32::MAX, ..Key::default() };
        let (mut quarter_from, mut quarter_until) = (i64::MAX, i64::MIN);
        for item in list {
            if item.frame >= next_said {
                while let Some(s) = said.next_if(|s| s.frame <= item.frame) {
                    self.hear(work, s);
                }
                next_said = said.peek().map_or(u32::MAX, |s| s.frame);
                (quarter_from, quarter_until) = (i64::MAX, i64::MIN); // the ledger was turned
            }
            let Some(meta) = work.batch.frames.get(item.frame as usize) else { continue };
            let packet = &item.packet;
            let ts = packet.ts.0;
            if ts < quarter_from || ts >= quarter_until || meta.interface != key.interface {
                let quarter = packet.ts.quarter();
                key = Key { source: work.source, interface: meta.interface, quarter };
                quarter_from = quarter.saturating_mul(QUARTER_SECS * SECOND);
                quarter_until = quarter_from.saturating_add(QUARTER_SECS * SECOND);
                self.ledger.turn_to(key);
            }
            let bytes = || {
                let start = packet.payload_offset as usize;
                let end = start.saturating_add(packet.payload_len as usize);
                let held = if packet.in_arena { &work.arena } else { &work.batch.buf };
                let frame = FrameRef {
                    bytes: work.batch.bytes(meta),
                    orig_len: meta.orig_len,
                    number: work.batch.first_number.saturating_add(u64::from(item.frame)),
                    offset: work.batch.position(meta),
                    source: work.source,
                    interface: meta.interface,
                };
                (held.get(start..end).unwrap_or(&[]), frame)
            };
            if let Some(engine) = self.engines.get_mut(usize::from(item.place)) {
                engine.segment(packet, item.segment, (work.source, meta.interface), &mut self.ledger, bytes);
            }
            self.countdown = self.countdown.saturating_sub(1);
            if self.countdown == 0 {
                self.measure(packet, work);
            }
        }
        for s in said {
            self.hear(work, s);
        }
        // What ends later by itself is counted at the same place by every worker.
        if let Some(last) = work.batch.frames.last() {
            self.ledger.turn_to(Key { source: work.source, interface: last.interface, quarter: last.ts.quarter() });
        }
        let done = Instant::now();
        self.timing.record(Stage::Work, done.duration_since(began));
        done
    }

    /// Notes how long a frame of the sample took.
    #[cold]
    fn measure(&mut self, packet: &Packet, work: &Work) {
        self.countdown = FRAME_SAMPLE;
        self.timing.record(Stage::Frame, work.read_at.elapsed());
        if self.stamped {
            self.timing.record_since(Stage::Latency, packet.ts, Timestamp::now());
        }
    }

    /// Tells a shard who has one of its addresses.
    #[cold]
    fn hear(&mut self, work: &Work, said: &Said) {
        let interface = work.batch.frames.get(said.frame as usize).map_or(0, |meta| meta.interface);
        self.ledger.turn_to(Key { source: work.source, interface, quarter: said.claim.ts.quarter() });
        if let Some(engine) = self.engines.get_mut(usize::from(said.place)) {
            engine.sink().claimed(&said.claim, work.source, said.segment, &mut self.ledger);
        }
    }
}
