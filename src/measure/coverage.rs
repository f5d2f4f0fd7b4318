//! What the sensors could see in a window.

pub use super::comparability::{Because, Comparability, Difference};
use super::fact::{Days, FactSource, Seen, SourceError};
use super::stats::{rounded_share, tenths};
use super::window::UtcOffset;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::coverage::doubts::{self, Doubt, Sight};
use crate::coverage::{Counts, shares};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Quarter hours in a day.
const QUARTERS: u64 = 96;
/// How many gaps are listed, the longest first.
const LISTED: usize = 5;

/// A time without frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Beginning of its first quarter hour.
    pub from: Timestamp,
    /// End of its last.
    pub to: Timestamp,
}

/// What could be seen in a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Whether it is known at all: not where only records were imported.
    pub known: bool,
    /// Quarter hours of the window.
    pub quarters: u64,
    /// Those in which any sensor saw frames.
    pub quarters_up: u64,
    /// The latter by the former.
    pub up: f64,
    /// The same of each sensor.
    pub sensors: BTreeMap<String, f64>,
    /// Days of the window with any frame.
    pub days_up: u64,
    /// How many times nothing was seen for a quarter hour or longer.
    pub gaps: u64,
    /// The longest of these.
    pub longest_gaps: Vec<Gap>,
    /// Shares of what was counted, by the words of docs/STATS.md.
    pub shares: BTreeMap<String, f64>,
    /// Networks (/24 and /64) with home addresses.
    pub networks: u64,
    /// Most home addresses seen in one quarter hour of one interface.
    pub addresses: u64,
    /// Most home hosts with encrypted DNS, likewise.
    pub encrypted_dns: u64,
    /// Captures and live runs.
    pub sources: u64,
    /// Sources that could not be read in full.
    pub damaged: u64,
    /// Sources of which only records were imported.
    pub imported: u64,
    /// Days whose records retention removed.
    pub removed_days: u64,
    /// SHA-256 of each catalogue that runs used then.
    pub catalogues: Vec<String>,
    #[serde(skip)]
    pub(super) seen: BTreeMap<String, u64>,
    /// By day of the window, whether there was any frame.
    #[serde(skip)]
    pub(super) up_by_day: Vec<bool>,
    #[serde(skip)]
    pub(super) counts: Counts,
    /// What was seen hides contacts, and nothing says how many.
    #[serde(skip)]
    pub(super) blind: bool,
}

impl Coverage {
    /// Of a window.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn of(source: &dyn FactSource, days: Days, offset: UtcOffset) -> Result<Self, SourceError> {
        let (from, to) = offset.quarters(days);
        let seen = source.seen(from, to)?;
        let (start, end) = (quarter(from), quarter(to + 1));
        let used = source.runs()?.into_iter().filter(|run| run.covers.is_some_and(|(a, b)| a < end && b >= start));
        let catalogues: BTreeSet<String> = used.map(|run| run.catalogue_sha256).collect();
        Ok(Coverage::new(seen, from, to, catalogues.into_iter().collect()))
    }

    pub(super) fn new(seen: Seen, from: i64, to: i64, catalogues: Vec<String>) -> Self {
        let quarters = u64::try_from(to - from + 1).unwrap_or(0);
        let share = |n: usize| if quarters == 0 { 0.0 } else { rounded_share(n as f64 / quarters as f64) };
        let mut gaps = gaps(&seen.quarters, from, to);
        gaps.sort_by_key(|(a, b)| (std::cmp::Reverse(b - a), *a));
        let longest = gaps.iter().take(LISTED).map(|(a, b)| Gap { from: quarter(*a), to: quarter(*b) });
        let mut up_by_day = vec![false; usize::try_from(quarters.div_ceil(QUARTERS)).unwrap_or(0)];
        for quarter in &seen.quarters {
            let day = usize::try_from((quarter - from).div_euclid(QUARTERS as i64)).ok();
            if let Some(up) = day.and_then(|day| up_by_day.get_mut(day)) {
                *up = true;
            }
        }
        let mut coverage = Coverage {
            known: seen.sources > 0,
            quarters,
            quarters_up: seen.quarters.len() as u64,
            up: share(seen.quarters.len()),
            sensors: seen.sensors.iter().map(|(sensor, up)| (sensor.clone(), share(up.len()))).collect(),
            days_up: up_by_day.iter().filter(|up| **up).count() as u64,
            up_by_day,
            gaps: gaps.len() as u64,
            longest_gaps: longest.collect(),
            shares: shares::all(&seen.counts).map(|s| (s.def.word.to_owned(), rounded_share(s.ratio()))).collect(),
            networks: seen.networks.len() as u64,
            addresses: seen.addresses,
            encrypted_dns: seen.encrypted_dns,
            sources: seen.sources,
            damaged: seen.damaged,
            imported: seen.imported,
            removed_days: seen.removed_days,
            catalogues,
            seen: seen.networks,
            counts: seen.counts,
            blind: false,
        };
        coverage.blind = coverage.why_in_doubt().iter().any(Doubt::is_unmeasured);
        coverage
    }

    /// What makes it doubtful that all contacts were seen.
    fn why_in_doubt(&self) -> Vec<Doubt> {
        doubts::all(&Sight {
            counts: &self.counts,
            saw_home: self.addresses > 0,
            quarters: Some((self.quarters_up, self.quarters)),
            damaged: self.damaged,
            // What they could see is said apart; the rest was seen as it is.
            imported: 0,
            removed_days: self.removed_days,
        })
    }

    /// One of the shares; 0 where there is none.
    fn share(&self, word: &str) -> f64 {
        self.shares.get(word).copied().unwrap_or(0.0)
    }

    /// Of counts by day of the window those of days that were in view: a day
    /// without frames had no hosts that anybody could have seen. All of them where
    /// that is not known.
    pub(super) fn of_days_in_view(&self, daily: &[u32]) -> Vec<u32> {
        if !self.known || self.imported > 0 {
            return daily.to_vec();
        }
        let days = daily.iter().enumerate();
        let in_view = |at: usize, n: u32| n > 0 || self.up_by_day.get(at).copied().unwrap_or(false);
        days.filter(|(at, n)| in_view(*at, **n)).map(|(_, n)| *n).collect()
    }

    /// The chance that one contact at a random time was captured: sensor time,
    /// less what was lost. `None` where coverage is not known, and where what was
    /// seen hides contacts in a way that nothing measures.
    pub fn detection(&self) -> Option<f64> {
        let lost = self.share(shares::FRAMES_DROPPED.word).max(self.share(shares::SAMPLE_UNSEEN.word));
        (self.known && !self.blind).then(|| rounded_share(self.up * (1.0 - lost.min(1.0))))
    }

    /// What is doubtful about a count in this window; `window` is how it is
    /// called.
    pub fn doubts(&self, window: &str) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut add = |because, what: String| found.push(Difference { because, what });
        if !self.known {
            let why = "as only records were imported";
            let why = if self.imported > 0 { why } else { "as no capture or run of it is stored" };
            add(Because::Unknown, format!("what the sensors could see in {window} is not known, {why}"));
            return found;
        }
        if self.imported > 0 {
            let n = self.imported;
            add(Because::Unknown, format!("what {n} imported sources of {window} could see is not known"));
        }
        for doubt in self.why_in_doubt() {
            let (because, what) = words(&doubt, window);
            add(because, what);
        }
        found
    }
}

/// A doubt as a reason, of a window that is called so.
fn words(doubt: &Doubt, window: &str) -> (Because, String) {
    let share = |share: &shares::Share, only: &str, what: &str| {
        (Because::Losses, format!("{only}{} {what} in {window}", percent(share.ratio())))
    };
    let blind = |what: String| (Because::Blind, what);
    match doubt {
        Doubt::NoFrame => (Because::SensorUp, format!("the sensor saw frames in only 0 % of {window}")),
        Doubt::Down(up, of) => {
            let up = percent(*up as f64 / (*of).max(1) as f64);
            (Because::SensorUp, format!("the sensor saw frames in only {up} of {window}"))
        }
        Doubt::AllFiltered => blind(format!("every frame of {window} was left out by options")),
        Doubt::NothingDecoded => blind(format!("no TCP or UDP packet of {window} could be decoded")),
        Doubt::NoName => blind(format!(
            "no host name was seen at all in {window}, so that the vantage point may not show DNS or client traffic"
        )),
        Doubt::NoHomeAddress => blind(format!("no address of the home networks was seen in {window}")),
        Doubt::TooMuch(s, what) => share(s, "", what),
        Doubt::TooLittle(s, what) => share(s, "only ", what),
        Doubt::Damaged(n) => (Because::Incomplete, format!("{n} captures of {window} could not be read in full")),
        Doubt::Imported(n) => {
            (Because::Unknown, format!("what {n} imported sources of {window} could see is not known"))
        }
        Doubt::Removed(n) => {
            (Because::Incomplete, format!("records of {n} days of {window} were removed by retention"))
        }
    }
}

/// A share for people.
pub fn percent(share: f64) -> String {
    format!("{} %", tenths(share))
}

fn quarter(n: i64) -> Timestamp {
    Timestamp::from_parts(n.saturating_mul(QUARTER_SECS), 0)
}

/// Runs of quarter hours that are missing, each up to the one behind it.
fn gaps(up: &BTreeSet<i64>, from: i64, to: i64) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut next = from;
    for q in up.range(from..=to).copied().chain([to + 1]) {
        if q > next {
            found.push((next, q));
        }
        next = q + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found() {
        assert_eq!(gaps(&[3, 4, 7].into(), 0, 9), [(0, 3), (5, 7), (8, 10)]);
        assert_eq!(gaps(&BTreeSet::new(), 0, 9), [(0, 10)]);
        assert!(gaps(&(0..10).collect(), 0, 9).is_empty());
    }
}
