//! What the sensors could see in a window, and whether two windows can be
//! compared.

use super::fact::{Days, FactSource, Seen, SourceError};
use super::stats::{rounded_share, tenths};
use super::window::UtcOffset;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::coverage::doubts::{self, Doubt, Sight};
use crate::coverage::{Counter, Counts, shares};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Shares of hosts with encrypted DNS that differ by more.
const MOST_ENCRYPTED: f64 = 0.05;
/// What one window shows by the hour, by how much of the other's, is another
/// view: less than half of the greater.
const MOST_TRAFFIC: f64 = 2.0;
/// Of fewer in the greater window that says nothing.
const LEAST_TRAFFIC: u64 = 50;
/// Home addresses that one window shows fewer of, by the greater number, and at
/// least so many.
const MOST_ADDRESSES: f64 = 0.2;
const LEAST_ADDRESSES: u64 = 3;
/// Quarter hours in a day.
const QUARTERS: u64 = 96;
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

    fn new(seen: Seen, from: i64, to: i64, catalogues: Vec<String>) -> Self {
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

/// Why two windows cannot be compared as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// What could be seen is not known.
    Unknown,
    /// What was seen could not show a contact.
    Blind,
    /// The sensor was up for too little of a window.
    SensorUp,
    /// Too much was lost.
    Losses,
    /// One window shows much less by the hour: names, hellos or flows.
    Traffic,
    /// Networks that only one window shows.
    Networks,
    /// One window shows fewer home addresses.
    Addresses,
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
            traffic(baseline, current, &mut add);
            let (a, b) = (baseline.addresses, current.addresses);
            if a.abs_diff(b) >= LEAST_ADDRESSES && a.abs_diff(b) as f64 > MOST_ADDRESSES * a.max(b) as f64 {
                add(
                    Because::Addresses,
                    format!(
                        "up to {a} home addresses were in view at a time in the baseline and {b} in the current window"
                    ),
                );
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

/// Says where one window shows much less by the hour with frames: names, hellos
/// or flows that are gone would have shown contacts.
fn traffic(baseline: &Coverage, current: &Coverage, add: &mut impl FnMut(Because, String)) {
    const WHAT: [(Counter, &str); 3] =
        [(Counter::Names, "host names"), (Counter::TlsHellos, "TLS ClientHellos"), (Counter::Flows, "flows")];
    if baseline.quarters_up == 0 || current.quarters_up == 0 {
        return;
    }
    for (counter, what) in WHAT {
        let hourly = |c: &Coverage| c.counts.get(counter) as f64 * 4.0 / c.quarters_up as f64;
        let (a, b) = (hourly(baseline), hourly(current));
        let most = if a > b { baseline } else { current };
        if most.counts.get(counter) >= LEAST_TRAFFIC && a.max(b) > MOST_TRAFFIC * a.min(b) {
            let n = |x: f64| (x * 10.0).round() / 10.0;
            let (a, b) = (n(a), n(b));
            add(
                Because::Traffic,
                format!("{a} {what} an hour were seen in the baseline and {b} in the current window"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A week in which frames came in this share of the quarter hours.
    fn week(up: i64, networks: &[&str], catalogue: &str) -> Coverage {
        let mut counts = Counts::default();
        for (counter, n) in [(Counter::Frames, 1000), (Counter::TcpSegments, 900), (Counter::Names, 30)] {
            counts.add(counter, n);
        }
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
        lossy.counts.add(Counter::DroppedKernel, 20);
        assert_eq!(because(&one, &lossy), [Because::Losses]);
        assert_eq!(lossy.detection(), Some(0.98));
        let mut fewer = one.clone();
        fewer.addresses = 79;
        assert_eq!(because(&one, &fewer), [Because::Addresses]);
        let unknown = Coverage::default();
        assert_eq!(because(&unknown, &unknown), [Because::Unknown, Because::Unknown]);
        assert_eq!(unknown.detection(), None);
    }

    /// The same week, with more of some counters.
    fn with(list: &[(Counter, u64)]) -> Coverage {
        let one = week(672, &["10.0.0.0/24"], "a");
        let mut counts = one.counts.clone();
        list.iter().for_each(|(c, n)| counts.add(*c, *n));
        let seen = Seen {
            counts,
            quarters: (0..672).collect(),
            sources: 1,
            networks: one.seen,
            addresses: 100,
            ..Seen::default()
        };
        Coverage::new(seen, 0, 671, one.catalogues)
    }

    #[test]
    fn what_could_show_no_contact_excludes_nothing() {
        let one = week(672, &["10.0.0.0/24"], "a");
        let mut counts = Counts::default();
        counts.add(Counter::Frames, 1000);
        counts.add(Counter::UdpDatagrams, 900);
        let of = |counts: &Counts, addresses| {
            let seen = Seen {
                counts: counts.clone(),
                quarters: (0..672).collect(),
                sources: 1,
                networks: one.seen.clone(),
                addresses,
                ..Seen::default()
            };
            Coverage::new(seen, 0, 671, one.catalogues.clone())
        };
        // The mirror session is gone and broadcasts are left.
        let blind = of(&counts, 100);
        assert_eq!((because(&one, &blind), blind.detection()), (vec![Because::Blind], None));
        assert!(blind.doubts("W").iter().any(|d| d.what.starts_with("no host name was seen at all in W")));
        counts.add(Counter::Names, 30);
        assert!(of(&counts, 100).doubts("W").is_empty());
        assert_eq!(of(&counts, 0).detection(), None, "no home address");
        // Hidden in a way that nothing measures, and lost in one that is measured.
        let cut = with(&[(Counter::FramesCut, 101)]);
        assert_eq!((because(&one, &cut), cut.detection()), (vec![Because::Losses], None));
    }

    #[test]
    fn much_less_traffic_by_the_hour_is_said() {
        for counter in [Counter::Names, Counter::TlsHellos, Counter::Flows] {
            let base = if counter == Counter::Names { 30 } else { 0 };
            let (many, half, fewer) =
                (with(&[(counter, 1000 - base)]), with(&[(counter, 500 - base)]), with(&[(counter, 499 - base)]));
            assert!(because(&many, &half).is_empty(), "{counter:?}");
            assert_eq!(because(&many, &fewer), [Because::Traffic], "{counter:?}");
            assert_eq!(because(&fewer, &many), [Because::Traffic], "{counter:?}");
        }
        assert!(because(&with(&[(Counter::Flows, 49)]), &with(&[])).is_empty(), "too few to say");
    }

    #[test]
    fn gaps_are_found() {
        assert_eq!(gaps(&[3, 4, 7].into(), 0, 9), [(0, 3), (5, 7), (8, 10)]);
        assert_eq!(gaps(&BTreeSet::new(), 0, 9), [(0, 10)]);
        assert!(gaps(&(0..10).collect(), 0, 9).is_empty());
    }
}
