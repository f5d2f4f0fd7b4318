//! The threads of a run: who reads, who works, and how they hear of each other.

use super::pool::{Pool, Recycler};
use super::replay::Failure;
use super::sources::SourceReport;
use super::timing::Timing;
use super::work::Work;
use super::worker::{Finished, Gathered, Harvest, Job, Origin, Report, Tick, Worker};
use crate::coverage::Ledger;
use crate::flow::Limits;
use crate::report::stages::Stage;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Findings of batches that may wait for the writer: those of a flood are
/// large.
const REPORTS: usize = 1;

/// What the reader's thread hands back.
pub(super) struct ReaderEnd {
    pub(super) sources: Vec<SourceReport>,
    pub(super) ledger: Ledger,
    pub(super) timing: Timing,
    pub(super) failure: Option<Failure>,
}

/// Sets a flag when its thread panics.
pub(super) struct Alarm(pub(super) Arc<AtomicBool>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// What a run of the crew leaves: the reader's end, each shard's rest, and
/// what the workers counted and timed.
pub(super) type Crop<R> = (ReaderEnd, Shards<R>, Ledger, Timing);

pub(super) type Shards<R> = BTreeMap<usize, R>;

/// The workers, before they start.
pub(super) struct Crew<H: Harvest> {
    workers: Vec<Worker<H>>,
    seats: Seats,
    batches: usize,
    gathered: Gathered,
    pub(super) failed: Arc<AtomicBool>,
}

/// Who works, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seats {
    /// One worker on the reader's thread: a core that has both to do has the
    /// headers, and what was found in them, in its cache.
    WithReader,
    /// So many, each on a thread of its own, so that the reader is not held up.
    Apart(usize),
}

/// A worker, as the reader has to do with it.
trait Hand: Send {
    /// Takes a job; false if nobody does it any more.
    fn take(&mut self, job: Job) -> bool;
    /// There are no more jobs.
    fn end(self: Box<Self>);
}

/// A worker on a thread of its own.
impl Hand for Sender<Job> {
    fn take(&mut self, job: Job) -> bool {
        self.send(job).is_ok()
    }

    fn end(self: Box<Self>) {}
}

/// A worker on the reader's thread.
struct OnReader<H: Harvest> {
    worker: Worker<H>,
    recycler: Recycler,
    writer: Sender<Report<H>>,
}

impl<H: Harvest> Hand for OnReader<H> {
    fn take(&mut self, job: Job) -> bool {
        self.worker.take(job, &self.recycler, &self.writer)
    }

    fn end(self: Box<Self>) {
        let OnReader { worker, writer, .. } = *self;
        worker.end(&writer);
    }
}

/// What the reader holds of the crew.
pub(super) struct Hands {
    all: Vec<Box<dyn Hand>>,
    pub(super) pool: Pool,
    pub(super) recycler: Recycler,
    pub(super) gathered: Gathered,
}

impl Hands {
    /// Hands without workers.
    #[cfg(test)]
    pub(super) fn idle(pool: Pool) -> Self {
        Hands { all: Vec::new(), recycler: pool.recycler(), pool, gathered: Gathered::default() }
    }

    /// Hands a batch to every worker; false if one is gone.
    pub(super) fn give(&mut self, work: &Arc<Work>) -> bool {
        self.all.iter_mut().all(|hand| hand.take(Job::Batch(Arc::clone(work))))
    }

    /// Tells every worker the time; false if one is gone.
    pub(super) fn tick(&mut self, tick: Tick) -> bool {
        self.all.iter_mut().all(|hand| hand.take(Job::Tick(tick)))
    }

    /// Tells the workers that there is no more to do.
    pub(super) fn end(&mut self) {
        self.all.drain(..).for_each(Hand::end);
    }
}

impl<H: Harvest> Crew<H> {
    /// With so many batches in flight; `stamped` if frames were captured just
    /// before they are read.
    pub(super) fn new(seats: Seats, limits: Limits, batches: usize, stamped: bool, make: &impl Fn() -> H) -> Self {
        let gathered = Gathered::default();
        let workers = if let Seats::Apart(workers) = seats { workers } else { 1 };
        Crew {
            workers: (0..workers).map(|n| Worker::new(n, workers, limits, stamped, gathered.clone(), make)).collect(),
            seats,
            batches,
            gathered,
            failed: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Runs `read` on a thread of its own, the workers on theirs or on that, and hands
    /// what they find to `write` on this one, with the batch, or none after a
    /// tick.
    pub(super) fn work(
        self,
        read: impl FnOnce(Hands) -> ReaderEnd + Send,
        mut write: impl FnMut(Option<Origin>, H::Yield) -> io::Result<()>,
    ) -> Result<Crop<H::Rest>, Failure> {
        let Crew { workers, seats, batches, gathered, failed } = self;
        let count = workers.len();
        std::thread::scope(|scope| {
            // Else a reader that waits for a batch would not hear of it.
            let _alarm = Alarm(Arc::clone(&failed));
            let (tx, reports): (Sender<Report<H>>, Receiver<Report<H>>) = bounded(REPORTS);
            let pool = Pool::new(batches, count, Arc::clone(&failed));
            let mut all: Vec<Box<dyn Hand>> = Vec::with_capacity(count);
            let mut threads = Vec::with_capacity(count);
            for worker in workers {
                let (writer, recycler) = (tx.clone(), pool.recycler());
                if seats == Seats::WithReader {
                    all.push(Box::new(OnReader { worker, recycler, writer }));
                    continue;
                }
                // Room for all: only the pool holds the reader back.
                let (job_tx, job_rx) = bounded(batches);
                all.push(Box::new(job_tx));
                let alarm = Alarm(Arc::clone(&failed));
                let thread = std::thread::Builder::new().name("worker".into()).spawn_scoped(scope, move || {
                    let _alarm = alarm;
                    worker.run(&job_rx, &recycler, &writer);
                });
                threads.push(thread.map_err(Failure::Thread)?);
            }
            drop(tx);
            let hands = Hands { all, recycler: pool.recycler(), pool, gathered };
            let reader = std::thread::Builder::new().name("reader".into()).spawn_scoped(scope, move || read(hands));
            let reader = reader.map_err(Failure::Thread)?;
            let mut shards = BTreeMap::new();
            let (mut ledger, mut timing) = (Ledger::new(), Timing::default());
            let mut trouble = None;
            let mut done = 0;
            for report in &reports {
                let (origin, found) = match report {
                    Report::Found { origin, found } => (Some(origin), found),
                    Report::Tock { found } => (None, found),
                    Report::Done(last) => {
                        let Finished { shards: rest, ledger: counted, timing: timed } = *last;
                        shards.extend(rest);
                        ledger.merge(counted);
                        timing.merge(&timed);
                        done += 1;
                        continue;
                    }
                };
                if trouble.is_none()
                    && let Err(e) = write(origin, found)
                {
                    trouble = Some(Failure::Writer(e));
                    failed.store(true, Ordering::Relaxed);
                }
                if let Some(origin) = origin {
                    timing.record(Stage::Report, origin.done.elapsed());
                }
            }
            let dead = threads.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err).count();
            let Ok(mut reader) = reader.join() else { return Err(Failure::Worker) };
            if let Some(t) = trouble.or(reader.failure.take()) {
                return Err(t);
            }
            if dead > 0 || done < count {
                return Err(Failure::Worker);
            }
            Ok((reader, shards, ledger, timing))
        })
    }
}
