//! When sensors saw anything, day by day.

use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, format_day};
use crate::coverage::{Counter, doubts, shares};
use crate::measure::{Days, Known, Seen, SourceError, UtcOffset};
use serde::Serialize;
use std::collections::BTreeSet;

/// Gaps that are listed, the longest first.
const MAX_GAPS: usize = 200;
/// Quarter hours without a frame from which a pause is a gap.
const GAP: i64 = 4;

/// The account of a window.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CoverageAccount {
    /// Whether it is known at all: not where only records were imported, or nothing
    /// is stored. Then all else is empty.
    pub known: Known,
    /// The sensors, in the order of [`DayAccount::quarters`]. One that stands
    /// for all where their records do not tell them apart.
    pub sensors: Vec<String>,
    /// Quarter hours in the window, as far as it had passed when this was made.
    pub quarters: u64,
    /// Quarter hours in which any sensor saw a frame.
    pub quarters_seen: u64,
    /// Each day of the window.
    pub days: Vec<DayAccount>,
    /// Pauses of an hour or more in which no sensor saw a frame, in order of time.
    pub gaps: Vec<Gap>,
    /// Gaps beyond those, all of them shorter.
    pub gaps_more: u64,
}

/// What was seen on a day.
#[derive(Clone, Debug, Serialize)]
pub struct DayAccount {
    /// The day.
    pub day: String,
    /// Quarter hours with frames, of 96, of each sensor.
    pub quarters: Vec<u32>,
    /// Frames of the UTC day of this name, of all sensors.
    pub frames: u64,
    /// Frames that were dropped before they could be captured.
    pub dropped: u64,
    /// Acknowledged bytes that were never captured, as a share of those in the
    /// sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_unseen: Option<f64>,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// How many quarter hours it took.
    pub quarters: u64,
}

impl CoverageAccount {
    /// Of the days of a window, made at a time: what had not come by then is no
    /// pause. `seen` tells what was seen in quarter hours from first to last.
    ///
    /// # Errors
    /// Those of `seen`.
    pub fn new(
        days: Days,
        offset: UtcOffset,
        made: Timestamp,
        seen: &dyn Fn(i64, i64) -> Result<Seen, SourceError>,
    ) -> Result<Self, SourceError> {
        let (from, to) = offset.quarters(days);
        let all = seen(from, to)?;
        let known = all.known();
        if !known.is_seen() {
            return Ok(CoverageAccount { known, ..CoverageAccount::default() });
        }
        let to = doubts::last_known(to, made, all.quarters.last().copied()).max(from.saturating_sub(1));
        let named = |name: &str| if name.is_empty() { "(no name)".to_owned() } else { name.to_owned() };
        let mut lanes: Vec<(String, &BTreeSet<i64>)> =
            all.sensors.iter().map(|(name, quarters)| (named(name), quarters)).collect();
        if lanes.is_empty() {
            lanes.push(("all sensors".to_owned(), &all.quarters));
        }
        let of_day = |quarters: &BTreeSet<i64>, day: i32| {
            let (from, to) = offset.quarters(Days::new(day, day));
            u32::try_from(quarters.range(from..=to).count()).unwrap_or(u32::MAX)
        };
        let account = |day: i32| {
            // Counters are kept by UTC day.
            let (from, to) = UtcOffset::default().quarters(Days::new(day, day));
            let counts = seen(from, to)?.counts;
            Ok(DayAccount {
                day: format_day(day.into()),
                quarters: lanes.iter().map(|(_, quarters)| of_day(quarters, day)).collect(),
                frames: counts.get(Counter::Frames),
                dropped: counts.get(Counter::DroppedKernel).saturating_add(counts.get(Counter::DroppedInterface)),
                sample_unseen: shares::SAMPLE_UNSEEN.of(&counts).map(|s| s.ratio()),
            })
        };
        let (gaps, gaps_more) = gaps(&all.quarters, from, to);
        Ok(CoverageAccount {
            known,
            quarters: u64::try_from(to.saturating_sub(from).saturating_add(1)).unwrap_or(0),
            quarters_seen: all.quarters.range(from..to.saturating_add(1)).count() as u64,
            days: (days.first..=days.last).map(account).collect::<Result<_, SourceError>>()?,
            gaps,
            gaps_more,
            sensors: lanes.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

/// Pauses between the quarter hours `from` and `to`, both included.
fn gaps(seen: &BTreeSet<i64>, from: i64, to: i64) -> (Vec<Gap>, u64) {
    let mut all: Vec<Gap> = Vec::new();
    let mut next = from;
    let ends = seen.range(from..to.saturating_add(1)).copied().chain([to.saturating_add(1)]);
    for quarter in ends {
        let quarters = quarter.saturating_sub(next);
        if quarters >= GAP {
            let at = |quarter: i64| Timestamp::from_parts(quarter.saturating_mul(QUARTER_SECS), 0);
            all.push(Gap { from: at(next), to: at(quarter), quarters: quarters.unsigned_abs() });
        }
        next = quarter.saturating_add(1);
    }
    let more = all.len().saturating_sub(MAX_GAPS) as u64;
    all.sort_by(|a, b| (b.quarters, a.from).cmp(&(a.quarters, b.from)));
    all.truncate(MAX_GAPS);
    all.sort_by_key(|g| g.from);
    (all, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01.
    const DAY: i32 = 20_513;
    /// When all of it has passed.
    const LATER: Timestamp = Timestamp(i64::MAX);

    fn seen(quarters: impl IntoIterator<Item = i64>) -> Seen {
        Seen { quarters: quarters.into_iter().collect(), sources: 1, ..Seen::default() }
    }

    #[test]
    fn a_pause_of_an_hour_is_a_gap() {
        let start = i64::from(DAY) * 96;
        // Up but for three quarter hours, and for the last hour of the second day.
        let up = (0..192).filter(|q| !(10..13).contains(q) && *q < 188).map(|q| start + q);
        let seen = seen(up);
        let days = Days::new(DAY, DAY + 1);
        let account = CoverageAccount::new(days, UtcOffset::default(), LATER, &|_, _| Ok(seen.clone())).unwrap();
        assert_eq!((account.quarters, account.quarters_seen), (192, 185));
        let gap = account.gaps.first().unwrap();
        assert_eq!((account.gaps.len(), gap.quarters), (1, 4));
        assert_eq!(
            (gap.from.to_string(), gap.to.to_string()),
            ("2026-03-02T23:00:00Z".into(), "2026-03-03T00:00:00Z".into())
        );
        let days: Vec<(&str, u32)> = account.days.iter().map(|d| (d.day.as_str(), d.quarters[0])).collect();
        assert_eq!(days, [("2026-03-01", 93), ("2026-03-02", 92)]);
    }

    #[test]
    fn nothing_is_known_where_no_sensor_was() {
        let days = Days::new(DAY, DAY);
        let of =
            |seen: Seen| CoverageAccount::new(days, UtcOffset::default(), LATER, &|_, _| Ok(seen.clone())).unwrap();
        let account = of(Seen { imported: 1, ..Seen::default() });
        assert_eq!((account.known, account.days.len(), account.gaps.len()), (Known::Records, 0, 0));
        let account = of(Seen::default());
        assert_eq!((account.known, account.days.len(), account.gaps.len()), (Known::Nothing, 0, 0));
        // One that was there and saw no frame is known to have been down.
        let account = of(Seen { sources: 1, ..Seen::default() });
        assert_eq!((account.known, account.days.len(), account.gaps.len()), (Known::Whole, 1, 1));
        assert_eq!(of(Seen { imported: 1, sources: 1, ..Seen::default() }).known, Known::Part);
    }

    #[test]
    fn hours_that_have_not_come_are_no_pause() {
        let start = i64::from(DAY) * 96;
        let of = |up: i64, at: i64| {
            let seen = seen((0..up).map(|q| start + q));
            let made = Timestamp::from_parts((start + at) * QUARTER_SECS, 0);
            CoverageAccount::new(Days::new(DAY, DAY), UtcOffset::default(), made, &|_, _| Ok(seen.clone())).unwrap()
        };
        let account = of(39, 40);
        assert_eq!((account.quarters, account.quarters_seen, account.gaps.len()), (39, 39, 0));
        assert_eq!(of(20, 40).gaps.iter().map(|g| g.quarters).collect::<Vec<_>>(), [19]);
        assert_eq!((of(0, -9).quarters, of(0, -9).gaps.len()), (0, 0));
    }

    #[test]
    fn of_many_gaps_the_longest_are_listed() {
        let (all, more) = gaps(&(0..300).map(|n| n * 6 + i64::from(n == 250)).collect(), 0, 300 * 6 - 1);
        assert_eq!((all.len(), more), (MAX_GAPS, 100));
        assert_eq!(all.iter().filter(|g| g.quarters == 6).count(), 1, "the longest is among them");
        assert!(all.windows(2).all(|w| w[0].from < w[1].from));
        assert_eq!(gaps(&BTreeSet::new(), 8, 11).0.len(), 1, "nothing at all is one gap");
    }
}
