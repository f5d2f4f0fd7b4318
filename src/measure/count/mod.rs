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
use super::parts::each_part;
use super::recount::Recount;
use super::window::UtcOffset;
use crate::catalogue::Catalogue;
use crate::host::{Judge, Options};
use crate::sighting::HomeNets;
use calendar::Calendar;
use host::Worker;
use std::borrow::Cow;
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
    /// Whether hosts are listed that are in one of two periods only.
    pub movers: bool,
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
    let begin = || Worker::new(plan, &places, &calendar, source.addresses_apart());
    let take = |worker: &mut Worker<'_>, part: &Part| {
        let facts = match &plan.recount {
            Some(recount) => Cow::Owned(recount.apply(part)),
            None => Cow::Borrowed(&part.facts),
        };
        let options = Options { home: plan.home.clone(), ..Options::default() };
        worker.part(&facts, &Judge::new(&facts, plan.catalogue, &options));
        Ok::<(), SourceError>(())
    };
    let mut counted = each_part(source, &wanted, plan.threads, begin, take)?.into_iter().map(|worker| worker.sums);
    let mut sums = counted.next().unwrap_or_else(|| Sums::new(plan.dimensions.len()));
    counted.for_each(|other| sums.merge(other));
    Ok(finish::finish(sums, &calendar, plan, places))
}
