//! The counting itself: facts to exact counts by period, group and signal.
//!
//! Hosts are counted part by part, on several threads; sums do not depend on
//! which thread counted what. A host that was in one place all the time is
//! added to the sums of that place, which become those of its groups in the
//! end. One that was in several, or that shares an address with others, is
//! counted for each group by itself, so that nothing counts twice.

mod block;
mod calendar;
mod finish;
mod host;
mod sums;
#[cfg(test)]
mod tests;

pub use super::groups::Values;
pub use finish::{Counted, Group, Kept, Organisations, PeriodSum, SignalSum};

use super::fact::{Days, FactSource, Part, SourceError, Wanted};
use super::groups::{Groups, Places};
use super::recount::Recount;
use super::window::UtcOffset;
use crate::catalogue::Catalogue;
use crate::host::{Judge, Options};
use crate::sighting::HomeNets;
use calendar::Calendar;
use host::Worker;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use sums::Sums;

/// Most days of one report: each of them is counted for each group.
pub const MOST_DAYS: u32 = 3660;

/// What to count.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Periods that do not overlap, in order.
    pub periods: Vec<Days>,
    /// How much their days begin before those of UTC.
    pub offset: UtcOffset,
    /// Groups of addresses.
    pub groups: &'a Groups,
    /// Columns of each breakdown ([`Groups::dimensions`]).
    pub dimensions: Vec<Vec<String>>,
    /// What indicators are, for the table of verdicts.
    pub catalogue: &'a Catalogue,
    /// Applies one catalogue to all records, in place of those that they were
    /// made with.
    pub recount: Option<Recount<'a>>,
    /// The home networks.
    pub home: HomeNets,
    /// Threads at most.
    pub threads: usize,
}

impl Plan<'_> {
    /// The facts that it needs.
    fn wanted(&self) -> Wanted {
        let days = self.offset.utc_of_all(self.periods.iter().copied());
        Wanted { days, names: self.recount.is_some(), ids: false }
    }
}

/// Counts.
///
/// # Errors
/// Where the source cannot be read, or the periods have more than [`MOST_DAYS`]
/// days.
pub fn count(source: &dyn FactSource, plan: &Plan<'_>) -> Result<Counted, SourceError> {
    if plan.periods.iter().fold(0u32, |sum, days| sum.saturating_add(days.len())) > MOST_DAYS {
        return Err(SourceError(format!("more than {MOST_DAYS} days cannot be counted in one report")));
    }
    let calendar = Calendar::new(&plan.periods);
    let places = Places::new(plan.groups, &plan.dimensions);
    let wanted = plan.wanted();
    let next = AtomicU32::new(0);
    let parts = source.parts();
    let threads = plan.threads.clamp(1, parts.max(1) as usize);
    let run = || -> Result<Sums, SourceError> {
        let mut worker = Worker::new(plan, &places, &calendar, source.addresses_apart());
        let mut room = Part::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= parts {
                return Ok(worker.sums);
            }
            let part = source.part(number, &wanted, &mut room)?;
            let facts = match &plan.recount {
                Some(recount) => Cow::Owned(recount.apply(part)),
                None => Cow::Borrowed(&part.facts),
            };
            let options = Options { home: plan.home.clone(), ..Options::default() };
            worker.part(&facts, &Judge::new(&facts, plan.catalogue, &options));
        }
    };
    let sums = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut sums = run();
        for other in others {
            let other = other.join().unwrap_or_else(|_| Err(SourceError("a thread ended unexpectedly".to_owned())));
            match (&mut sums, other) {
                (Ok(all), Ok(other)) => all.merge(other),
                (Ok(_), Err(e)) => sums = Err(e),
                (Err(_), _) => {}
            }
        }
        sums
    })?;
    Ok(finish::finish(sums, &calendar, plan, places))
}
