//! Which days a report is about.

use super::super::args::ReportArgs;
use super::super::exit::Stop;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::measure::{Days, Step, UtcOffset, Window};

/// Periods of a trend that are easy to read, at most.
const DAYS: u32 = 45;
const WEEKS: u32 = 7 * 40;

/// Periods of a trend at most, as for `trend`.
const MOST_PERIODS: u32 = 4_000;

/// The windows of a report.
#[derive(Debug)]
pub(super) struct Windows {
    /// All of it; `None` of an empty store without a window asked for.
    pub(super) report: Option<Days>,
    /// Two to compare, baseline first.
    pub(super) compared: Option<(Days, Days)>,
    /// Periods of the trend.
    pub(super) step: Step,
    /// Whether a window was asked for, or all that there is.
    pub(super) asked: bool,
    /// The end of a window that was asked for and has passed.
    pub(super) until: Option<Timestamp>,
}

impl Windows {
    /// Of a store with records of these days.
    pub(super) fn new(args: &ReportArgs, stored: Option<Days>, now: Timestamp) -> Result<Self, Stop> {
        let offset = args.utc_offset;
        let newest = stored.map(|days| days.last);
        let days = |window: Window| match (window, newest) {
            (Window::Last(_), None) => {
                Err(Stop::usage("the store holds no record that a number of days could end with; give dates"))
            }
            _ => Ok(window.days(newest.unwrap_or(0))),
        };
        let compared = match (args.baseline, args.current) {
            (Some(a), Some(b)) => Some((days(a)?, days(b)?)),
            _ => None,
        };
        let asked = match (args.window, compared) {
            (Some(window), _) => Some(days(window)?),
            (None, Some((a, b))) if args.since.is_none() && args.until.is_none() => {
                Some(Days::new(a.first.min(b.first), a.last.max(b.last)))
            }
            _ => between(args.since, args.until, stored, offset)?,
        };
        let report = asked.or(stored);
        let until = asked.map(|days| end(days, offset)).filter(|end| *end <= now);
        let step = args.step.map_or_else(|| readable(report.map_or(0, Days::len)), Step::from);
        Ok(Windows { report, compared, step, asked: asked.is_some(), until })
    }

    /// Refuses what no page could show.
    pub(super) fn check(&self) -> Result<(), Stop> {
        let Some(days) = self.report else { return Ok(()) };
        let periods = days.len() / if self.step == Step::Day { 1 } else { 7 };
        if periods > MOST_PERIODS {
            return Err(Stop::usage(format_args!(
                "the window {days} has more than {MOST_PERIODS} periods; give a longer --step, or a shorter --window"
            )));
        }
        Ok(())
    }

    /// Beginning and end of the window, where one was asked for.
    pub(super) fn ends(&self, offset: UtcOffset) -> (Option<Timestamp>, Option<Timestamp>) {
        let asked = self.report.filter(|_| self.asked);
        (asked.map(|days| start(days, offset)), asked.map(|days| end(days, offset)))
    }
}

/// Periods that make a trend of so many days easy to read.
fn readable(days: u32) -> Step {
    if days <= DAYS {
        Step::Day
    } else if days <= WEEKS {
        Step::Week
    } else {
        Step::Month
    }
}

fn at(quarter: i64) -> Timestamp {
    Timestamp::from_parts(quarter.saturating_mul(QUARTER_SECS), 0)
}

fn start(days: Days, offset: UtcOffset) -> Timestamp {
    at(offset.start(days.first))
}

/// The first instant that is not in them any more.
fn end(days: Days, offset: UtcOffset) -> Timestamp {
    at(offset.quarters(days).1.saturating_add(1))
}

/// The whole days between two times; `None` without any.
fn between(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    stored: Option<Days>,
    offset: UtcOffset,
) -> Result<Option<Days>, Stop> {
    if since.is_none() && until.is_none() {
        return Ok(None);
    }
    // The local day that begins at a time.
    let day = |option: &str, t: Timestamp| {
        let near = i32::try_from(t.day()).unwrap_or(0);
        let day = [-1, 0, 1].into_iter().map(|d| near.saturating_add(d)).find(|d| at(offset.start(*d)) == t);
        day.ok_or_else(|| Stop::usage(format_args!("{option} {t}: a report is of whole days; give a date")))
    };
    let stored = stored.unwrap_or(Days::new(0, 0));
    let first = since.map_or(Ok(stored.first), |t| day("--since", t))?;
    let last = until.map_or(Ok(stored.last), |t| day("--until", t).map(|d| d.saturating_sub(1)))?;
    match (Days::new(first, last), since, until) {
        (days, ..) if !days.is_empty() => Ok(Some(days)),
        (_, Some(since), Some(until)) => {
            Err(Stop::usage(format_args!("--since {since} is not before --until {until}: no time lies between")))
        }
        (_, Some(since), _) => Err(Stop::usage(format_args!("the store has no record of --since {since} or later"))),
        (.., until) => {
            let until = until.map(|t| t.to_string()).unwrap_or_default();
            Err(Stop::usage(format_args!("the store has no record of before --until {until}")))
        }
    }
}
