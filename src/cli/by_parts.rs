//! Judges the hosts of a source part by part, so that memory holds some of
//! them at a time, however many there are.

use super::exit::{Stop, say};
use super::judging::{Judging, Unmet};
use crate::catalogue::Catalogue;
use crate::host::{HostView, Judge, Options};
use crate::measure::recount::Recount;
use crate::measure::{FactSource, Part, Wanted};
use crate::report::document::Indicators;
use crate::report::hosts::{Batch, Listed, MAX_HELD, Sorted, Sorter, Tally};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Of those that are listed.
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
    fn new(judging: &'a Judging) -> Self {
        Counts {
            tally: Tally::default(),
            all: 0,
            contacted: 0,
            found: false,
            unmet: Unmet::new(judging),
            indicators: Indicators::default(),
        }
    }

    fn merge(&mut self, other: &Counts<'a>) {
        let Counts { tally, all, contacted, found, unmet, indicators } = other;
        self.tally.merge(tally);
        self.all = self.all.saturating_add(*all);
        self.contacted = self.contacted.saturating_add(*contacted);
        self.found |= found;
        self.unmet.merge(unmet);
        self.indicators.merge(indicators);
    }
}

impl<'a> ByParts<'a> {
    /// Judges all.
    pub(super) fn run(&self) -> Result<Found<'a>, Stop> {
        let parts = self.source.parts();
        let threads = self.threads.clamp(1, parts.max(1) as usize);
        let next = AtomicU32::new(0);
        let mut sorter = Sorter::new(self.folder.clone(), MAX_HELD);
        let counts = std::thread::scope(|scope| {
            let (send, batches) = crossbeam_channel::bounded::<Batch>(threads);
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let (send, next) = (send.clone(), &next);
                    scope.spawn(move || self.work(parts, next, &|batch| send.send(batch).is_ok()))
                })
                .collect();
            drop(send);
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
            let mut sum = Counts::new(self.judging);
            for worker in workers {
                let counts = worker.join().map_err(|_| Stop::failed(super::panics::sentence()))??;
                sum.merge(&counts);
            }
            added.map_err(Stop::failed)?;
            Ok::<Counts<'a>, Stop>(sum)
        })?;
        Ok(Found { hosts: sorter.finish().map_err(Stop::failed)?, counts })
    }

    fn work(&self, parts: u32, next: &AtomicU32, send: &dyn Fn(Batch) -> bool) -> Result<Counts<'a>, Stop> {
        let mut counts = Counts::new(self.judging);
        let mut room = Part::default();
        let mut batch = Batch::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= parts {
                send(batch);
                return Ok(counts);
            }
            let part = self.source.part(number, &self.wanted, &mut room)?;
            let facts = match &self.recount {
                Some(recount) => Cow::Owned(recount.apply(part)),
                None => Cow::Borrowed(&part.facts),
            };
            let judge = Judge::new(&facts, self.catalogue, self.options);
            let findings = self.judging.findings(&facts);
            counts.indicators.add(&facts);
            for view in judge.hosts().iter().filter_map(|node| judge.view(*node)) {
                counts.all = counts.all.saturating_add(1);
                counts.contacted = counts.contacted.saturating_add(u64::from(view.made_contact()));
                counts.unmet.meet(&view);
                if !(self.fits)(&view) {
                    continue;
                }
                let standing = self.judging.standing(&view);
                counts.found |= findings.has(&view, standing);
                counts.tally.add(&Listed { view: &view, standing, as_of: self.judging.as_of });
                batch.add(&view);
                if batch.len() >= BATCH && !send(std::mem::take(&mut batch)) {
                    return Ok(counts);
                }
            }
        }
    }
}
