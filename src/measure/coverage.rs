//! What the sensors could see in a window, and whether two windows can be
//! compared.

use super::fact::{Days, FactSource, Seen, SourceError};
use super::stats::rounded;
use super::window::UtcOffset;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::coverage::shares;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Less of the window with frames than this leaves too much in doubt.
const LEAST_UP: f64 = 0.95;
/// More of the frames dropped than this leaves too much in doubt, as for a
/// single run ([`crate::coverage::doubts`]).
const MOST_DROPPED: f64 = 0.01;
/// The same of acknowledged bytes that were never captured.
const MOST_UNSEEN: f64 = 0.05;
/// Shares of hosts with encrypted DNS that differ by more.
const MOST_ENCRYPTED: f64 = 0.05;
/// How many gaps are listed, the longest first, and how many networks.
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

    fn new(seen: Seen, from: i64, to: i64, catalogues: Vec<String>) -> Self {
        let quarters = u64::try_from(to - from + 1).unwrap_or(0);
        let share = |n: usize| if quarters == 0 { 0.0 } else { rounded(n as f64 / quarters as f64) };
        let mut gaps = gaps(&seen.quarters, from, to);
        gaps.sort_by_key(|(a, b)| (std::cmp::Reverse(b - a), *a));
        let longest = gaps.iter().take(LISTED).map(|(a, b)| Gap { from: quarter(*a), to: quarter(*b) });
        Coverage {
            known: seen.sources > 0,
            quarters,
            quarters_up: seen.quarters.len() as u64,
            up: share(seen.quarters.len()),
            sensors: seen.sensors.iter().map(|(sensor, up)| (sensor.clone(), share(up.len()))).collect(),
            gaps: gaps.len() as u64,
            longest_gaps: longest.collect(),
            shares: shares::all(&seen.counts).map(|s| (s.def.word.to_owned(), rounded(s.ratio()))).collect(),
            networks: seen.networks.len() as u64,
            addresses: seen.addresses,
            encrypted_dns: seen.encrypted_dns,
            sources: seen.sources,
            damaged: seen.damaged,
            imported: seen.imported,
            removed_days: seen.removed_days,
            catalogues,
            seen: seen.networks,
        }
    }

    /// One of the shares; 0 where there is none.
    fn share(&self, word: &str) -> f64 {
        self.shares.get(word).copied().unwrap_or(0.0)
    }

    /// The chance that one contact at a random time was captured: sensor time,
    /// less what was lost. `None` where coverage is not known.
    pub fn detection(&self) -> Option<f64> {
        let lost = self.share(shares::FRAMES_DROPPED.word).max(self.share(shares::SAMPLE_UNSEEN.word));
        self.known.then(|| rounded(self.up * (1.0 - lost.min(1.0))))
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
        if self.up < LEAST_UP {
            add(Because::SensorUp, format!("the sensor saw frames in only {} of {window}", percent(self.up)));
        }
        let lost = [
            (shares::FRAMES_DROPPED.word, MOST_DROPPED, "of the frames were dropped"),
            (shares::SAMPLE_UNSEEN.word, MOST_UNSEEN, "of the acknowledged bytes were never captured"),
        ];
        for (word, most, what) in lost {
            if self.share(word) > most {
                add(Because::Losses, format!("{} {what} in {window}", percent(self.share(word))));
            }
        }
        if self.imported > 0 {
            let n = self.imported;
            add(Because::Unknown, format!("what {n} imported sources of {window} could see is not known"));
        }
        if self.damaged > 0 {
            add(Because::Incomplete, format!("{} captures of {window} could not be read in full", self.damaged));
        }
        if self.removed_days > 0 {
            let n = self.removed_days;
            add(Because::Incomplete, format!("records of {n} days of {window} were removed by retention"));
        }
        found
    }
}

/// A share for people.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    format!("{tenths} %")
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

/// Why two windows cannot be compared as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// What could be seen is not known.
    Unknown,
    /// The sensor was up for too little of a window.
    SensorUp,
    /// Too much was lost.
    Losses,
    /// Networks that only one window shows.
    Networks,
    /// Other catalogues were used.
    Catalogue,
    /// Other shares of hosts use encrypted DNS.
    EncryptedDns,
    /// Captures that could not be read, or records that are gone.
    Incomplete,
    /// One host may count as two.
    Identity,
    /// Windows of different length.
    Length,
}

/// One reason, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What kind of reason.
    pub because: Because,
    /// The sentence, without a full stop.
    pub what: String,
}

/// Whether figures of two windows can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparability {
    /// They can.
    pub comparable: bool,
    /// Why not.
    pub differences: Vec<Difference>,
}

impl Comparability {
    /// Of two windows. With `one_catalogue` the same one was applied to all
    /// records.
    pub fn of(baseline: &Coverage, current: &Coverage, one_catalogue: bool) -> Self {
        let mut differences = baseline.doubts("the baseline");
        differences.extend(current.doubts("the current window"));
        let mut add = |because, what: String| differences.push(Difference { because, what });
        if baseline.known && current.known {
            for (here, there, word) in [(baseline, current, "the baseline"), (current, baseline, "the current window")]
            {
                let only: Vec<&str> =
                    here.seen.keys().filter(|n| !there.seen.contains_key(*n)).map(String::as_str).collect();
                if !only.is_empty() {
                    let more = only.len().saturating_sub(LISTED);
                    let listed: Vec<&str> = only.iter().take(LISTED).copied().collect();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let n = if only.len() == 1 { "a network was" } else { "networks were" };
                    add(Because::Networks, format!("{n} seen in {word} only: {}{more}", listed.join(", ")));
                }
            }
            let encrypted =
                |c: &Coverage| if c.addresses == 0 { 0.0 } else { c.encrypted_dns as f64 / c.addresses as f64 };
            if (encrypted(baseline) - encrypted(current)).abs() > MOST_ENCRYPTED {
                let (a, b) = (percent(encrypted(baseline)), percent(encrypted(current)));
                add(
                    Because::EncryptedDns,
                    format!(
                        "{a} of the home addresses used encrypted DNS in the baseline and {b} in the current window"
                    ),
                );
            }
        }
        let known = !baseline.catalogues.is_empty() && !current.catalogues.is_empty();
        if !one_catalogue && known && baseline.catalogues != current.catalogues {
            add(
                Because::Catalogue,
                "the windows were recorded with different catalogues; --catalogue-as-of applies one to both".into(),
            );
        }
        differences.sort();
        differences.dedup();
        Comparability { comparable: differences.is_empty(), differences }
    }

    /// Adds a reason.
    pub(super) fn add(&mut self, because: Because, what: String) {
        self.comparable = false;
        self.differences.push(Difference { because, what });
        self.differences.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{Counter, Counts};

    /// A week in which frames came in this share of the quarter hours.
    fn week(up: i64, networks: &[&str], catalogue: &str) -> Coverage {
        let mut counts = Counts::default();
        counts.add(Counter::Frames, 1000);
        let seen = Seen {
            counts,
            quarters: (0..up).collect(),
            sources: 1,
            networks: networks.iter().map(|n| ((*n).to_owned(), 5)).collect(),
            addresses: 100,
            ..Seen::default()
        };
        Coverage::new(seen, 0, 671, vec![catalogue.to_owned()])
    }

    fn because(a: &Coverage, b: &Coverage) -> Vec<Because> {
        Comparability::of(a, b, false).differences.into_iter().map(|d| d.because).collect()
    }

    #[test]
    fn equal_windows_are_comparable() {
        let one = week(672, &["10.0.0.0/24"], "a");
        assert!(Comparability::of(&one, &one, false).comparable);
        assert_eq!((one.up, one.gaps, one.detection()), (1.0, 0, Some(1.0)));
    }

    #[test]
    fn each_difference_is_said() {
        let one = week(672, &["10.0.0.0/24"], "a");
        assert_eq!(because(&one, &week(336, &["10.0.0.0/24"], "a")), [Because::SensorUp]);
        assert_eq!(because(&one, &week(672, &["10.0.1.0/24"], "a")), [Because::Networks, Because::Networks]);
        assert_eq!(because(&one, &week(672, &["10.0.0.0/24"], "b")), [Because::Catalogue]);
        assert!(Comparability::of(&one, &week(672, &["10.0.0.0/24"], "b"), true).comparable);
        let mut other = one.clone();
        other.encrypted_dns = 40;
        assert_eq!(because(&one, &other), [Because::EncryptedDns]);
        let mut lossy = one.clone();
        lossy.shares.insert("frames_dropped".into(), 0.02);
        assert_eq!(because(&one, &lossy), [Because::Losses]);
        assert_eq!(lossy.detection(), Some(0.98));
        let unknown = Coverage::default();
        assert_eq!(because(&unknown, &unknown), [Because::Unknown, Because::Unknown]);
        assert_eq!(unknown.detection(), None);
    }

    #[test]
    fn gaps_are_found() {
        assert_eq!(gaps(&[3, 4, 7].into(), 0, 9), [(0, 3), (5, 7), (8, 10)]);
        assert_eq!(gaps(&BTreeSet::new(), 0, 9), [(0, 10)]);
        assert!(gaps(&(0..10).collect(), 0, 9).is_empty());
    }
}
