//! A run on live interfaces.

use super::dispatch::{Dispatcher, Period};
use super::replay::{Crew, Failure, Hands, Outcome, ReaderEnd, count_losses};
use super::sources::{SourceId, SourceReport};
use super::timing::{Timing, record};
use super::worker::Job;
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::capture::{FrameSource, LiveSource, Status};
use crate::flow::Limits;
use crate::packet::EncapTable;
use crate::sighting::{Canary, Draft, HomeNets, Observer, Settings};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often idle flows are looked for while nothing comes.
const TICK: Duration = Duration::from_secs(1);

/// What to listen to, and how.
pub struct LivePlan {
    /// The opened interfaces.
    pub source: LiveSource,
    /// Their names.
    pub interfaces: Vec<String>,
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
}

/// What a run tells while it goes on.
pub struct News<'n> {
    /// Drafts that are new or rose in stage.
    pub drafts: Vec<Draft>,
    /// Canary names seen.
    pub canaries: Vec<Canary>,
    /// Encapsulations met so far.
    pub encaps: &'n EncapTable,
}

/// Listens until the source is told to stop and is drained. `tell` hears of
/// changes as they happen.
pub fn watch(
    plan: LivePlan,
    settings: &Arc<Settings>,
    mut tell: impl FnMut(News<'_>) -> io::Result<()>,
) -> Result<Outcome, Failure> {
    let workers = plan.workers.clamp(1, super::SHARDS);
    let make = || Observer::new(Arc::clone(settings));
    let crew = Crew::new(workers, plan.limits, true, &make);
    let failed = Arc::clone(&crew.failed);
    let dispatcher = Dispatcher::new(plan.home.clone(), Period::default(), None, plan.ignore_vlan, workers);
    let encaps = dispatcher.encaps();
    let mut all_canaries = Vec::new();
    let (reader, shards, ledger, timing) = crew.work(
        |hands| listen(plan, dispatcher, hands, &failed),
        |_, (drafts, canaries): (Vec<Draft>, Vec<Canary>)| {
            all_canaries.extend(canaries.iter().cloned());
            tell(News { drafts, canaries, encaps: &encaps })
        },
    )?;
    let mut outcome = Outcome::new(reader, encaps);
    outcome.ledger.merge(ledger);
    outcome.timing.merge(&timing);
    outcome.canaries = all_canaries;
    outcome.fold(shards);
    Ok(outcome)
}

fn listen(plan: LivePlan, mut dispatcher: Dispatcher, mut hands: Hands, failed: &AtomicBool) -> ReaderEnd {
    let LivePlan { mut source, interfaces, id, .. } = plan;
    let mut report = SourceReport::new(PathBuf::from(interfaces.join(",")), None);
    report.id = Some(id);
    let mut timing = Timing::default();
    let mut failure = None;
    let mut number = 0;
    let mut ticked = Instant::now();
    while !failed.load(Ordering::Relaxed) {
        let Some(mut work) = hands.pool.take() else { break };
        let began = Instant::now();
        match source.next_batch(&mut work.batch) {
            Ok(Status::End) => break,
            Ok(Status::Idle) => {
                hands.pool.put(work);
                if ticked.elapsed() >= TICK {
                    ticked = Instant::now();
                    // Frames may still wait in the kernel; give them time.
                    let now = Timestamp::now().plus(-SECOND);
                    if !hands.jobs.iter().all(|tx| tx.send(Job::Tick(now)).is_ok()) {
                        break;
                    }
                }
                continue;
            }
            Ok(Status::Frames) => {}
            Err(e) => {
                hands.pool.put(work);
                report.error.get_or_insert(e);
                continue;
            }
        }
        work.read_at = Instant::now();
        record(&mut timing.read, work.read_at.duration_since(began));
        work.source = 0;
        work.number = number;
        number = number.saturating_add(1);
        if let Err(e) = dispatcher.batch(&mut work) {
            failure = Some(Failure::Filter(e));
            break;
        }
        record(&mut timing.decode, work.read_at.elapsed());
        let work = Arc::new(work);
        if !hands.give(&work) {
            break;
        }
        hands.recycler.release(work);
    }
    hands.jobs.clear();
    report.tallied(dispatcher.next_source());
    report.interfaces = source.interfaces();
    report.statistics = source.statistics();
    count_losses(&mut dispatcher.ledger, 0, &report);
    ReaderEnd { sources: vec![report], ledger: std::mem::take(&mut dispatcher.ledger), timing, failure }
}
