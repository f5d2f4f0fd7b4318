//! Keeps a running sensor's findings in the store. A thread of its own writes,
//! so that a slow, locked or full disk holds nothing else up; what could not be
//! written is tried again with what comes next.

mod shelf;

use crate::base::{Addr, Mac};
use crate::cli::exit::{Stop, say};
use crate::cli::output::{interval_of, pair_of};
use crate::coverage::Ledger;
use crate::host::Signal;
use crate::pipeline::live::Intake;
use crate::sighting::presence::{Presence, PresenceKind};
use crate::sighting::{Naming, Record};
use crate::store::{Canary, Event, Interval, Run, Store, StoreError};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use shelf::{Place, Shelf};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the store is written, so how much a sudden death may cost.
const EVERY: Duration = Duration::from_secs(30);

/// How long after a failed write it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What there is to write.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) intake: Intake,
    /// By id.
    pub(super) records: HashMap<String, (Record, bool)>,
    pub(super) coverage: Ledger,
    pub(super) intervals: Vec<Interval>,
    pub(super) signals: Vec<Signal>,
    pub(super) canaries: Vec<Canary>,
    pub(super) events: Vec<Event>,
    /// Days before this one are over.
    closed: Option<i64>,
}

impl Parcel {
    fn add(&mut self, later: Parcel) {
        let trouble = std::mem::take(&mut self.intake.trouble);
        self.intake = later.intake;
        self.intake.trouble.splice(0..0, trouble);
        self.records.extend(later.records);
        self.coverage.merge(later.coverage);
        self.intervals.extend(later.intervals);
        self.signals.extend(later.signals);
        self.canaries.extend(later.canaries);
        self.events.extend(later.events);
        self.closed = self.closed.max(later.closed);
    }
}

/// The writing thread, and what waits for it.
pub(super) struct Keeper {
    tx: Sender<Box<Parcel>>,
    thread: JoinHandle<Ended>,
    waiting: Parcel,
    written_at: Instant,
    urgent: bool,
    pairs: Pairs,
    /// Another store is in the place of the one that was begun.
    anew: Arc<AtomicBool>,
}

/// What the thread ends with.
struct Ended {
    shelf: Shelf,
    result: Result<(), StoreError>,
}

impl Keeper {
    /// Enters the run and its source. A store that cannot be written is said
    /// before anything is captured.
    pub(super) fn start(
        store: Store,
        run: &Run,
        source: String,
        interfaces: Vec<String>,
        retain: Option<u32>,
    ) -> Result<Self, Stop> {
        let anew = Arc::new(AtomicBool::new(false));
        let shelf = Shelf::new(store, run, Place { source, interfaces, retain }, Arc::clone(&anew));
        let shelf = shelf.map_err(Stop::failed)?;
        let (tx, rx) = bounded(1);
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || keep(shelf, &rx));
        let thread = thread.map_err(|e| Stop::failed(format_args!("cannot start a thread: {e}")))?;
        let (written_at, urgent) = (Instant::now(), false);
        Ok(Keeper { tx, thread, waiting: Parcel::default(), written_at, urgent, pairs: Pairs::default(), anew })
    }

    /// Adds what is to be stored with the next write.
    pub(super) fn waiting(&mut self) -> &mut Parcel {
        &mut self.waiting
    }

    /// The next write is due as soon as the thread is free.
    pub(super) fn hurry(&mut self) {
        self.urgent = true;
    }

    /// Notes who had which address; `segment` gives the words of a segment.
    pub(super) fn presences(&mut self, seen: &[Presence], source: &str, segment: impl Fn(u32) -> String) {
        for p in seen {
            let joined = self.pairs.join(p);
            self.waiting.intervals.push(pair_of(&joined, source.to_owned(), segment(p.segment)));
        }
    }

    /// Whether another store is in the place of the one that was begun, since
    /// the last call: what the run still knows of the open days is to be handed
    /// over again. Who had which address is.
    pub(super) fn begins_anew(&mut self, source: &str, segment: impl Fn(u32) -> String) -> bool {
        let anew = self.anew.swap(false, Ordering::Relaxed);
        if anew {
            let known = self.pairs.0.values().map(|p| pair_of(p, source.to_owned(), segment(p.segment)));
            self.waiting.intervals.extend(known);
        }
        anew
    }

    /// Notes what hosts are called.
    pub(super) fn namings(&mut self, known: &[Naming], source: &str, segment: impl Fn(u32) -> String) {
        let named = known.iter().map(|n| interval_of(n, source.to_owned(), segment(n.segment)));
        self.waiting.intervals.extend(named);
    }

    /// A day is over.
    pub(super) fn forget(&mut self, day: i64) {
        self.waiting.closed = self.waiting.closed.max(Some(day));
        self.pairs.0.retain(|_, p| p.to.day() >= day);
    }

    /// Whether a write is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.urgent || now.saturating_duration_since(self.written_at) >= EVERY
    }

    /// Hands over what waits, unless the thread is still busy; then it waits
    /// on.
    pub(super) fn write(&mut self, now: Instant) {
        match self.tx.try_send(Box::new(std::mem::take(&mut self.waiting))) {
            Ok(()) => (self.written_at, self.urgent) = (now, false),
            Err(TrySendError::Full(parcel) | TrySendError::Disconnected(parcel)) => self.waiting = *parcel,
        }
    }

    /// Writes the rest, and how the run ended.
    pub(super) fn finish(self, run: &Run) -> Result<(), Stop> {
        let Keeper { tx, thread, waiting, .. } = self;
        drop(tx.send(Box::new(waiting)));
        drop(tx);
        let Ok(Ended { shelf, result }) = thread.join() else {
            return Err(Stop::failed("the thread that writes the store died; this is a bug: please report it"));
        };
        let ended = result.map_err(Stop::failed).and_then(|()| shelf.end(run));
        ended.map_err(|e| Stop::failed(format_args!("not everything could be stored: {}", e.message)))
    }
}

fn keep(mut shelf: Shelf, rx: &Receiver<Box<Parcel>>) -> Ended {
    let mut backlog = Parcel::default();
    let mut result = Ok(());
    loop {
        let failed = result.is_err();
        let parcel = if failed {
            match rx.recv_timeout(AGAIN) {
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => None,
                Ok(parcel) => Some(parcel),
            }
        } else {
            let Ok(parcel) = rx.recv() else { break };
            Some(parcel)
        };
        if let Some(parcel) = parcel {
            backlog.add(*parcel);
        }
        result = shelf.put(&mut backlog);
        match &result {
            Ok(()) => {
                backlog = Parcel::default();
                if failed {
                    let whole = if shelf.is_whole() { "; nothing is missing in it" } else { "" };
                    say(format_args!("the store can be written again{whole}"));
                }
            }
            Err(e) if !failed => say(format_args!("{e}; the sensor goes on, keeps what is new and tries again")),
            Err(_) => {}
        }
    }
    Ended { shelf, result }
}

/// The pairs of addresses of the days that are not over, whichever shard saw
/// them.
#[derive(Default)]
struct Pairs(HashMap<(u32, Addr, Option<Mac>, PresenceKind), Presence>);

impl Pairs {
    fn join(&mut self, p: &Presence) -> Presence {
        // Of a lease one shard knows all, also that it was given back.
        if p.kind.is_lease() {
            return *p;
        }
        let known = self.0.entry((p.segment, p.ip, p.mac, p.kind)).or_insert(*p);
        known.from = known.from.min(p.from);
        known.to = known.to.max(p.to);
        *known
    }
}

#[cfg(test)]
mod tests;
