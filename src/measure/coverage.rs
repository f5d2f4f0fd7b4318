//! What the sensors could see in a window.

use super::asked::Asked;
pub use super::comparability::{Because, Comparability, Difference};
use super::fact::{Days, Known, Seen, SourceError};
use super::stats::{rounded_share, tenths};
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::coverage::doubts::{self, Doubt, Sight};
use crate::coverage::{Counts, shares};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Quarter hours in a day.
const QUARTERS: u64 = 96;
/// How many gaps are listed, the longest first.
const LISTED: usize = 5;

/// A time without frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Beginning of its first quarter hour.
    pub from: Timestamp,
    /// End of its last.
    pub to: Timestamp,
}

/// What could be seen in a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Whether it is known at all: not where only records were imported, or
    /// nothing is stored.
    pub known: Known,
    /// Quarter hours of the window, as far as it had passed when it was counted.
    pub quarters: u64,
    /// Up to when it had passed, where that was not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Those in which any sensor saw frames.
    pub quarters_up: u64,
    /// The latter by the former.
    pub up: f64,
    /// The same of each sensor.
    pub sensors: BTreeMap<String, f64>,
    /// Those of several sensors that saw too little by themselves, by what they
    /// counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful_sensors: Vec<String>,
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
    /// Indicators of the catalogue in effect that were not looked for in every
    /// source.
    #[serde(skip)]
    pub(super) unlooked: u64,
    #[serde(skip)]
    pub(super) seen: BTreeMap<String, u64>,
    /// By day of the window, whether there was any frame.
    #[serde(skip)]
    pub(super) up_by_day: Vec<bool>,
    /// Quarter hours with frames of each sensor, rising: the order is that of no
    /// names, which a publication replaces.
    #[serde(skip)]
    pub(crate) sensors_up: Vec<(String, u64)>,
    #[serde(skip)]
    pub(super) counts: Counts,
    /// What each of several sensors counted, where that is known.
    #[serde(skip)]
    pub(super) by_sensor: BTreeMap<String, Counts>,
    /// What was seen hides contacts, and nothing says how many.
    #[serde(skip)]
    pub(super) blind: bool,
}

impl Coverage {
    /// Of a window.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub(super) fn of(asked: &Asked<'_>, days: Days) -> Result<Self, SourceError> {
        let (from, to) = asked.offset.quarters(days);
        let seen = asked.seen(from, to)?;
        let (start, end) = (quarter(from), quarter(to + 1));
        let used =
            asked.source.runs()?.into_iter().filter(|run| run.covers.is_some_and(|(a, b)| a < end && b >= start));
        let catalogues: BTreeSet<String> = used.map(|run| run.catalogue_sha256).collect();
        Ok(Coverage::new(seen, (from, to), asked.counted, catalogues.into_iter().collect()))
    }

    /// Of a window that is counted at a time; without one it has passed.
    pub(super) fn new(
        seen: Seen,
        (from, end): (i64, i64),
        counted: Option<Timestamp>,
        catalogues: Vec<String>,
    ) -> Self {
        let to = counted.map_or(end, |at| doubts::last_known(end, at, seen.quarters.last().copied()).max(from - 1));
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
        let mut sensors_up: Vec<_> = seen.sensors.iter().map(|(name, up)| (name.clone(), up.len() as u64)).collect();
        sensors_up.sort_by_key(|(_, up)| *up);
        let mut coverage = Coverage {
            known: seen.known(),
            quarters,
            until: (to < end).then(|| quarter(to + 1)),
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
            unlooked: seen.unlooked,
            seen: seen.networks,
            sensors_up,
            counts: seen.counts,
            by_sensor: seen.by_sensor,
            doubtful_sensors: Vec::new(),
            blind: false,
        };
        let found = coverage.why_in_doubt();
        let own = coverage.sensors_in_doubt(&found);
        let doubtful: BTreeSet<&String> = own.iter().filter_map(|(at, _)| coverage.by_sensor.keys().nth(*at)).collect();
        coverage.doubtful_sensors = doubtful.into_iter().cloned().collect();
        // How much of all one sensor would have seen is not known.
        coverage.blind = !own.is_empty() || found.iter().any(Doubt::is_unmeasured);
        coverage
    }

    /// What makes it doubtful that all contacts were seen.
    fn why_in_doubt(&self) -> Vec<Doubt> {
        let sensors: Vec<u64> = self.sensors_up.iter().map(|(_, up)| *up).collect();
        doubts::all(&Sight {
            counts: &self.counts,
            saw_home: self.addresses > 0,
            quarters: Some((self.quarters_up, self.quarters)),
            sensors: &sensors,
            damaged: self.damaged,
            imported: self.imported,
            removed_days: self.removed_days,
            unlooked: self.unlooked,
            out_of_view: 0,
            narrowed: 0,
        })
    }

    /// What makes it doubtful that one of several sensors saw all contacts, beyond
    /// what is `found` of all together; by place among the sensors.
    fn sensors_in_doubt(&self, found: &[Doubt]) -> Vec<(usize, Doubt)> {
        doubts::of_sensors(self.by_sensor.values(), found)
    }

    /// Sensors that saw frames.
    pub(super) fn sensors_with_frames(&self) -> BTreeSet<&str> {
        self.sensors.iter().filter(|(_, up)| **up > 0.0).map(|(name, _)| name.as_str()).collect()
    }

    /// Quarter hours in which a sensor saw frames.
    pub(super) fn up_of(&self, sensor: &str) -> u64 {
        self.sensors_up.iter().find(|(name, _)| name == sensor).map_or(0, |(_, up)| *up)
    }

    /// One of the shares; 0 where there is none.
    fn share(&self, word: &str) -> f64 {
        self.shares.get(word).copied().unwrap_or(0.0)
    }

    /// Of counts by day of the window those of days that were in view: a day
    /// without frames had no hosts that anybody could have seen. All of them where
    /// that is not known.
    pub(super) fn of_days_in_view(&self, daily: &[u32]) -> Vec<u32> {
        if !self.known.is_whole() {
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
        (self.known.is_seen() && !self.blind).then(|| rounded_share(self.up * (1.0 - lost.min(1.0))))
    }

    /// What is doubtful about a count in this window; `window` is how it is
    /// called.
    pub fn doubts(&self, window: &str) -> Vec<Difference> {
        let unknown = |why: &str| {
            let what = format!("what the sensors could see in {window} is not known, {why}");
            vec![Difference { because: Because::Unknown, what }]
        };
        match self.known {
            Known::Records => unknown("as only records were imported"),
            Known::Nothing => unknown("as no capture or run of it is stored"),
            Known::Whole | Known::Part => {
                let found = self.why_in_doubt();
                let mut said: Vec<Difference> = found.iter().map(|doubt| words(doubt, window)).collect();
                // Without their names, likewise: sentences that are alike are one.
                let mut own: BTreeMap<Difference, u64> = BTreeMap::new();
                for (_, doubt) in self.sensors_in_doubt(&found) {
                    *own.entry(words(&doubt, window)).or_default() += 1;
                }
                let all = self.by_sensor.len();
                said.extend(own.into_iter().map(|(Difference { because, what }, n)| {
                    let of = if n == 1 { "one of several sensors".to_owned() } else { format!("{n} of {all} sensors") };
                    Difference { because, what: format!("of {of}: {what}") }
                }));
                said
            }
        }
    }

    /// What to say of a window that had not passed when it was counted; `window` is
    /// how it is called. Not of one that had not begun.
    pub(super) fn not_passed(&self, window: &str) -> Option<String> {
        let until = self.until.filter(|_| self.quarters > 0)?;
        Some(format!("{window} had passed only to {until} when it was counted"))
    }
}

/// A doubt as a reason, of a window that is called so.
fn words(doubt: &Doubt, window: &str) -> Difference {
    let share = |share: &shares::Share, only: &str, what: &str| {
        (Because::Losses, format!("{only}{} {what} in {window}", percent(share.ratio())))
    };
    let blind = |what: String| (Because::Blind, what);
    let (because, what) = match doubt {
        Doubt::NoFrame => (Because::SensorUp, format!("the sensor saw frames in only 0 % of {window}")),
        Doubt::Down(up, of) => {
            let up = percent(*up as f64 / (*of).max(1) as f64);
            (Because::SensorUp, format!("the sensor saw frames in only {up} of {window}"))
        }
        // Without its name, which a publication does not give; `sensors` has it.
        Doubt::SensorDown(_, up, of) => {
            let up = percent(*up as f64 / (*of).max(1) as f64);
            (Because::SensorUp, format!("one of several sensors saw frames in only {up} of {window}"))
        }
        Doubt::AllFiltered => blind(format!("every frame of {window} was left out by options")),
        Doubt::NothingDecoded => blind(format!("no TCP or UDP packet of {window} could be decoded")),
        Doubt::NoName => blind(format!(
            "no host name was seen at all in {window}, so that the vantage point may not show DNS or client traffic"
        )),
        Doubt::OnlyDns => blind(format!(
            "hardly any connection was seen beside DNS in {window}, so that the vantage point shows lookups, and not \
             whether a contact followed"
        )),
        Doubt::NoHomeAddress => blind(format!("no address of the home networks was seen in {window}")),
        // Without their number, which may be too small for a publication of groups.
        Doubt::Outside(_) => blind(format!(
            "clients outside the home networks made contacts in {window}, of which no host is counted (--home-net of \
             replay and watch names these networks)"
        )),
        // Without their number, likewise.
        Doubt::Late(_) => {
            (Because::Incomplete, format!("contacts came when the records of their day in {window} were closed"))
        }
        Doubt::TooMuch(s, what) => share(s, "", what),
        Doubt::TooLittle(s, what) => share(s, "only ", what),
        Doubt::Damaged(n) => (Because::Incomplete, format!("{n} captures of {window} could not be read in full")),
        Doubt::Imported(n) => {
            (Because::Unknown, format!("what {n} imported sources of {window} could see is not known"))
        }
        Doubt::Removed(n) => {
            (Because::Incomplete, format!("records of {n} days of {window} were removed by retention"))
        }
        Doubt::Narrowed(_) => blind(format!("a live run did not get all frames of {window}")),
        Doubt::OutOfView(_) => blind(format!("hosts that were asked for were not in view in {window}")),
        Doubt::Unlooked(n) => {
            let were = if *n == 1 { "indicator that was" } else { "indicators that were" };
            let what = format!(
                "this catalogue has {n} {were} not looked for in all that was recorded of {window} (record it again with this catalogue, \
                 or give the one that it was recorded with by --catalogue)"
            );
            (Because::Catalogue, what)
        }
    };
    Difference { because, what }
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
    for q in up.range(from..to + 1).copied().chain([to + 1]) {
        if q > next {
            found.push((next, q));
        }
        next = q + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::fair;
    use super::*;
    use crate::coverage::Counter;

    #[test]
    fn gaps_are_found() {
        assert_eq!(gaps(&[3, 4, 7].into(), 0, 9), [(0, 3), (5, 7), (8, 10)]);
        assert_eq!(gaps(&BTreeSet::new(), 0, 9), [(0, 10)]);
        assert!(gaps(&(0..10).collect(), 0, 9).is_empty());
        assert!(gaps(&[12].into(), 10, 9).is_empty(), "nothing has passed yet");
    }

    #[test]
    fn a_window_that_goes_on_is_as_long_as_it_has_been() {
        let of = |up: i64, now: i64| {
            let seen =
                Seen { quarters: (0..up).collect(), sources: 1, addresses: 3, counts: fair(), ..Seen::default() };
            Coverage::new(seen, (0, 95), Some(quarter(now)), Vec::new())
        };
        let running = of(39, 40);
        assert_eq!((running.quarters, running.up, running.gaps, running.until), (39, 1.0, 0, Some(quarter(39))));
        assert!(running.doubts("it").is_empty(), "{:?}", running.doubts("it"));
        assert!(running.not_passed("it").unwrap().contains("only to 1970-01-01T09:45:00"));
        // What could have come and did not is a gap as ever.
        let down = of(20, 41);
        assert_eq!((down.up, down.gaps), (0.5, 1));
        assert!(down.doubts("it")[0].what.contains("only 50 %"));
        let passed = of(38, 98);
        assert_eq!((passed.quarters, passed.until, passed.not_passed("it")), (96, None, None));
        let to_come = of(0, -40);
        assert_eq!((to_come.quarters, to_come.up, to_come.not_passed("it")), (0, 0.0, None));
    }

    #[test]
    fn a_sensor_that_was_up_hides_no_other_that_was_down() {
        let of = |up: &[(&str, i64)]| {
            let sensors: BTreeMap<String, BTreeSet<i64>> =
                up.iter().map(|(name, up)| ((*name).to_owned(), (0..*up).collect())).collect();
            let quarters = sensors.values().flatten().copied().collect();
            let seen = Seen { quarters, sensors, sources: 2, addresses: 3, counts: fair(), ..Seen::default() };
            Coverage::new(seen, (0, 95), None, Vec::new())
        };
        assert!(of(&[("a", 96), ("b", 92)]).doubts("it").is_empty());
        let down = of(&[("a", 96), ("b", 8)]);
        let said = down.doubts("it");
        assert_eq!((said.len(), said[0].because, down.detection()), (1, Because::SensorUp, None), "{said:?}");
        assert_eq!(said[0].what, "one of several sensors saw frames in only 8.3 % of it");
        // Other names change nothing.
        assert_eq!(
            of(&[("a", 8), ("b", 20), ("c", 96)]).doubts("it"),
            of(&[("a", 96), ("b", 20), ("c", 8)]).doubts("it")
        );
    }

    #[test]
    fn a_sensor_that_sees_hides_no_other_that_is_blind() {
        let of = |all: &[(&str, &Counts)]| {
            let mut counts = Counts::default();
            all.iter().for_each(|(_, own)| counts.merge(own));
            let by_sensor = all.iter().map(|(name, own)| ((*name).to_owned(), (*own).clone())).collect();
            let seen =
                Seen { quarters: (0..96).collect(), by_sensor, sources: 2, addresses: 3, counts, ..Seen::default() };
            Coverage::new(seen, (0, 95), None, Vec::new())
        };
        let mut blind = Counts::default();
        blind.add(Counter::Frames, 500);
        blind.add(Counter::UdpDatagrams, 500);
        let both = of(&[("a", &fair()), ("b", &fair())]);
        assert!(both.doubts("it").is_empty() && both.doubtful_sensors.is_empty());
        let one = of(&[("a", &fair()), ("b", &blind)]);
        let said = one.doubts("it");
        assert_eq!((said.len(), said[0].because, one.detection()), (1, Because::Blind, None), "{said:?}");
        assert!(said[0].what.starts_with("of one of several sensors: no host name was seen at all in it"), "{said:?}");
        assert_eq!(one.doubtful_sensors, ["b"]);
        // Other names change no sentence; more sensors are one sentence.
        assert_eq!(of(&[("a", &blind), ("b", &fair())]).doubts("it"), said);
        let two = of(&[("a", &blind), ("b", &fair()), ("c", &blind)]);
        assert!(two.doubts("it")[0].what.starts_with("of 2 of 3 sensors: no host name"), "{:?}", two.doubts("it"));
        assert_eq!((two.doubts("it").len(), two.doubtful_sensors.len()), (1, 2));
        // Of a folder of before it is not known what each counted.
        assert!(serde_json::to_value(&both).unwrap().get("doubtful_sensors").is_none());
    }

    #[test]
    fn what_is_known_has_one_meaning() {
        let of = |sources, imported| {
            let seen = Seen {
                sources,
                imported,
                addresses: 3,
                counts: fair(),
                quarters: (0..96).collect(),
                ..Seen::default()
            };
            Coverage::new(seen, (0, 95), None, Vec::new())
        };
        let (whole, part, records, nothing) = (of(1, 0), of(1, 1), of(0, 1), of(0, 0));
        let known = [&whole, &part, &records, &nothing].map(|c| (c.known.is_seen(), c.known.is_whole()));
        assert_eq!(known, [(true, true), (true, false), (false, false), (false, false)]);
        assert!(whole.doubts("it").is_empty());
        assert!(part.doubts("it")[0].what.starts_with("what 1 imported sources of it could see"));
        assert!(records.doubts("it")[0].what.ends_with("only records were imported"));
        assert!(nothing.doubts("it")[0].what.ends_with("no capture or run of it is stored"));
        // What was seen was seen, whatever others saw beside it.
        assert_eq!([&whole, &part, &records, &nothing].map(Coverage::detection), [Some(1.0), Some(1.0), None, None]);
        let hosts = [3, 0, 1];
        assert_eq!((whole.of_days_in_view(&hosts), part.of_days_in_view(&hosts)), (vec![3, 1], vec![3, 0, 1]));
    }
}
