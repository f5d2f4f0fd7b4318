//! Judges the hosts of a source part by part, so that memory holds some of
//! them at a time, however many there are.

use super::exit::{Stop, say};
use super::fail_on::Findings;
use super::judging::{Judging, Unmet};
use crate::catalogue::Catalogue;
use crate::host::{HostView, Judge, Options, Standing};
use crate::measure::parts::each_part;
use crate::measure::recount::Recount;
use crate::measure::{FactSource, Part, Wanted};
use crate::report::document::Indicators;
use crate::report::hosts::{Batch, Listed, MAX_HELD, Sorted, Sorter, Tally};
use crossbeam_channel::Sender;
use std::borrow::Cow;
use std::path::PathBuf;

/// Bytes of packed hosts that are handed over at a time.
const BATCH: usize = 1 << 20;

/// Which hosts, by what.
pub(super) struct ByParts<'a> {
    pub(super) source: &'a dyn FactSource,
    pub(super) wanted: Wanted,
    /// Applies one catalogue to all records.
    pub(super) recount: Option<Recount<'a>>,
    pub(super) catalogue: &'a Catalogue,
    pub(super) options: &'a Options,
    pub(super) judging: &'a Judging,
    /// Which hosts are listed.
    pub(super) fits: &'a (dyn Fn(&HostView) -> bool + Sync),
    pub(super) threads: usize,
    /// Where there is a temporary file, if memory has no room.
    pub(super) folder: PathBuf,
    /// Whether that is said.
    pub(super) quiet: bool,
}

/// What was found.
pub(super) struct Found<'a> {
    /// The hosts that are listed.
    pub(super) hosts: Sorted,
    pub(super) counts: Counts<'a>,
}

/// What is counted of hosts.
pub(super) struct Counts<'a> {
    judging: &'a Judging,
    /// Of those that are listed, where parts are judged.
    pub(super) tally: Tally,
    /// All hosts.
    pub(super) all: u64,
    /// Hosts with contacts.
    pub(super) contacted: u64,
    /// `--fail-on` finds something.
    pub(super) found: bool,
    pub(super) unmet: Unmet<'a>,
    /// Indicators of all records.
    pub(super) indicators: Indicators,
}

impl<'a> Counts<'a> {
    pub(super) fn new(judging: &'a Judging) -> Self {
        Counts {
            judging,
            tally: Tally::default(),
            all: 0,
            contacted: 0,
            found: false,
            unmet: Unmet::new(judging),
            indicators: Indicators::default(),
        }
    }

    /// Counts a host, and says how it stands if it is listed.
    pub(super) fn meet(&mut self, view: &HostView, findings: &Findings, listed: bool) -> Option<Standing<'a>> {
        self.all = self.all.saturating_add(1);
        self.contacted = self.contacted.saturating_add(u64::from(view.made_contact()));
        self.unmet.meet(view);
        let standing = listed.then(|| self.judging.standing(view))?;
        self.found |= findings.has(view, standing);
        Some(standing)
    }

    fn merge(&mut self, other: &Counts<'a>) {
        let Counts { judging: _, tally, all, contacted, found, unmet, indicators } = other;
        self.tally.merge(tally);
        self.all = self.all.saturating_add(*all);
        self.contacted = self.contacted.saturating_add(*contacted);
        self.found |= found;
        self.unmet.merge(unmet);
        self.indicators.merge(indicators);
    }
}

/// What a thread has of the parts that it took.
struct Worker<'a> {
    counts: Counts<'a>,
    /// Not handed over yet.
    batch: Batch,
}

impl<'a> ByParts<'a> {
    /// Judges all.
    pub(super) fn run(&self) -> Result<Found<'a>, Stop> {
        let mut sorter = Sorter::new(self.folder.clone(), MAX_HELD);
        let counts = std::thread::scope(|scope| {
            let (send, batches) = crossbeam_channel::bounded::<Batch>(self.threads);
            let judging = scope.spawn(move || self.judge(&send));
            let added = batches.iter().try_for_each(|batch| {
                let before = sorter.spilled();
                sorter.add(&batch)?;
                if sorter.spilled() && !before && !self.quiet {
                    say(format_args!(
                        "more hosts than memory is to hold: they are sorted in a temporary file in {}",
                        self.folder.display()
                    ));
                }
                Ok::<(), std::io::Error>(())
            });
            // Who still works finds nobody to hand anything to, and ends.
            drop(batches);
            let counts = judging.join().map_err(|_| Stop::failed(super::panics::sentence()))?;
            added.map_err(Stop::failed)?;
            counts
        })?;
        Ok(Found { hosts: sorter.finish().map_err(Stop::failed)?, counts })
    }

    /// Judges all parts and hands over the hosts.
    fn judge(&self, send: &Sender<Batch>) -> Result<Counts<'a>, Stop> {
        let begin = || Worker { counts: Counts::new(self.judging), batch: Batch::default() };
        let take = |worker: &mut Worker<'a>, part: &Part| self.part(worker, part, send);
        let mut sum = Counts::new(self.judging);
        for Worker { counts, batch } in each_part(self.source, &self.wanted, self.threads, begin, take)? {
            sum.merge(&counts);
            send.send(batch).map_err(Stop::failed)?;
        }
        Ok(sum)
    }

    fn part(&self, worker: &mut Worker<'a>, part: &Part, send: &Sender<Batch>) -> Result<(), Stop> {
        let facts = match &self.recount {
            Some(recount) => Cow::Owned(recount.apply(part)),
            None => Cow::Borrowed(&part.facts),
        };
        let judge = Judge::new(&facts, self.catalogue, self.options);
        let findings = self.judging.findings(&facts);
        let Worker { counts, batch } = worker;
        counts.indicators.add(&facts);
        for view in judge.hosts().iter().filter_map(|node| judge.view(*node)) {
            let Some(standing) = counts.meet(&view, &findings, (self.fits)(&view)) else { continue };
            counts.tally.add(&Listed { view: &view, standing, as_of: self.judging.as_of });
            batch.add(&view);
            if batch.len() >= BATCH {
                send.send(std::mem::take(batch)).map_err(Stop::failed)?;
            }
        }
        Ok(())
    }
}
