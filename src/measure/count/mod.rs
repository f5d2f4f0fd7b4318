//! The counting itself: facts to exact counts by period, group and signal.
//!
//! Hosts are counted part by part, on several threads; sums do not depend on
//! which thread counted what. A host that was in one place all the time is
//! added to the sums of that place, which become those of its groups later. One
//! that was in several, or that shares an address with others, is counted for
//! each group by itself, so that nothing counts twice.

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
use std::sync::{Mutex, PoisonError};
use sums::Sums;

/// Most days of one report: each of them is counted for each group.
pub const MOST_DAYS: u32 = 3660;

/// Most figures of one report: groups by periods, and 32 days are as much as a
/// period. Each takes about a kilobyte where there is something in it.
pub const MOST_FIGURES: u64 = 6_000_000;

/// Room for what threads have counted by themselves, in bytes; in tests so little
/// that they hand it over all the time.
const APART: usize = if cfg!(test) { 4 << 10 } else { 512 << 20 };

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
    /// How many groups by periods somebody claims to have counted, if that is
    /// what this is held against.
    pub claimed: Option<u64>,
    /// Threads at most.
    pub threads: usize,
}

impl Plan<'_> {
    /// How many groups there may be, and why not more.
    fn most_groups(&self, calendar: &Calendar) -> (u64, String) {
        let (periods, days) = (calendar.periods().max(1) as u64, calendar.days() as u64);
        let most = MOST_FIGURES / (periods + days / 32);
        match self.claimed.map(|claimed| claimed / periods) {
            Some(claimed) if claimed < most => {
                (claimed, format!("there are more than {claimed} groups, for which what was claimed has no room"))
            }
            _ => {
                let by: Vec<String> = self.dimensions.iter().map(|d| d.join("+")).collect();
                let of = format!("{periods} periods with {days} days in all");
                let instead = "take longer periods, fewer days or fewer columns";
                (most, format!("by {} there are more than {most} groups, too many for {of}; {instead}", by.join(", ")))
            }
        }
    }

    /// The facts that it needs.
    fn wanted(&self) -> Wanted {
        let days = self.offset.utc_of_all(self.periods.iter().copied());
        Wanted { days, names: self.recount.is_some(), ids: false }
    }
}

/// Counts.
///
/// # Errors
/// Where the source cannot be read, the periods have more than [`MOST_DAYS`]
/// days, or there are more groups than fit into [`MOST_FIGURES`].
pub fn count(source: &dyn FactSource, plan: &Plan<'_>) -> Result<Counted, SourceError> {
    if plan.periods.iter().fold(0u32, |sum, days| sum.saturating_add(days.len())) > MOST_DAYS {
        return Err(SourceError(format!("more than {MOST_DAYS} days cannot be counted in one report")));
    }
    let calendar = Calendar::new(&plan.periods);
    let (most, otherwise) = plan.most_groups(&calendar);
    let places = Places::new(plan.groups, &plan.dimensions).at_most(usize::try_from(most).unwrap_or(usize::MAX));
    let wanted = plan.wanted();
    let threads = plan.threads.clamp(1, source.parts().max(1) as usize);
    let all = Mutex::new(Sums::new(plan.dimensions.len(), &calendar));
    let add = |sums: Sums| {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        places.with_meanings(|meanings| all.merge(sums, meanings, &calendar));
    };
    let full = |sums: &mut Sums| {
        if sums.bytes() > APART / threads {
            add(sums.hand_over());
        }
    };
    let begin = || Worker::new(plan, &places, &calendar, source.addresses_apart());
    let take = |worker: &mut Worker<'_>, part: &Part| {
        let facts = match &plan.recount {
            Some(recount) => Cow::Owned(recount.apply(part)),
            None => Cow::Borrowed(&part.facts),
        };
        let options = Options { home: plan.home.clone(), ..Options::default() };
        if worker.part(&facts, &Judge::new(&facts, plan.catalogue, &options), &full) {
            Ok(())
        } else {
            Err(SourceError(otherwise.clone()))
        }
    };
    each_part(source, &wanted, threads, begin, take)?.into_iter().for_each(|worker| add(worker.sums));
    let sums = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(finish::finish(sums, &calendar, plan, places))
}
