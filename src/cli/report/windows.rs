//! Which days a report is about.

use super::super::args::ReportArgs;
use super::super::exit::Stop;
use super::super::measuring::check_length;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::measure::{Days, Step, UtcOffset, Window};

/// Periods of a trend that are easy to read, at most.
const DAYS: u32 = 45;
const WEEKS: u32 = 7 * 40;

/// The windows of a report.
#[derive(Debug)]
pub(super) struct Windows {
    /// The days that hosts and headline are of; of a comparison the current
    /// ones. `None` of an empty store without a window asked for.
    pub(super) report: Option<Days>,
    /// The days of the trend and of when sensors saw anything: the same, and of a
    /// comparison also the baseline and what lies between.
    pub(super) span: Option<Days>,
    /// Two to compare, baseline first.
    pub(super) compared: Option<(Days, Days)>,
    /// Periods of the trend.
    pub(super) step: Step,
    /// Whether a window was asked for, or all that there is.
    pub(super) asked: bool,
    /// The end of a window that was asked for and has passed.
    pub(super) until: Option<Timestamp>,
    /// When the report is made.
    pub(super) now: Timestamp,
}

impl Windows {
    /// Of a store with records of these days, whose sensors saw anything on those.
    pub(super) fn new(
        args: &ReportArgs,
        recorded: Option<Days>,
        watched: Option<Days>,
        now: Timestamp,
    ) -> Result<Self, Stop> {
        let offset = args.utc_offset;
        let stored = Days::spanning(recorded, watched);
        let newest = stored.map(|days| days.last);
        let days = |window: Window| match (window, newest) {
            (Window::Last(_), None) => {
                Err(Stop::usage("the store holds nothing that a number of days could end with; give dates"))
            }
            _ => Ok(window.days(newest.unwrap_or(0))),
        };
        let compared = match (args.baseline, args.current) {
            (Some(a), Some(b)) => Some((days(a)?, days(b)?)),
            _ => None,
        };
        // Whoever compares asks how it is now, unless a window says otherwise.
        let (asked, span) = match (args.window, compared) {
            (Some(window), _) => (Some(days(window)?), None),
            (None, Some((a, b))) if args.since.is_none() && args.until.is_none() => {
                (Some(b), Some(Days::new(a.first.min(b.first), a.last.max(b.last))))
            }
            _ => (between(args.since, args.until, stored, offset)?, None),
        };
        let report = asked.or(stored);
        let span = span.or(report);
        let until = asked.map(|days| end(days, offset)).filter(|end| *end <= now);
        let step = args.step.map_or_else(|| readable(span.map_or(0, Days::len)), Step::from);
        Ok(Windows { report, span, compared, step, asked: asked.is_some(), until, now })
    }

    /// Refuses more days than can be counted.
    pub(super) fn check(&self) -> Result<(), Stop> {
        check_length(self.span.as_slice())?;
        self.compared.map_or(Ok(()), |(a, b)| check_length(&[a, b]))
    }

    /// Beginning and end of the window, where one was asked for.
    pub(super) fn ends(&self, offset: UtcOffset) -> (Option<Timestamp>, Option<Timestamp>) {
        self.ends_of(self.report, offset)
    }

    /// The same of all days that anything in the report is of.
    pub(super) fn ends_of_span(&self, offset: UtcOffset) -> (Option<Timestamp>, Option<Timestamp>) {
        self.ends_of(self.span, offset)
    }

    fn ends_of(&self, days: Option<Days>, offset: UtcOffset) -> (Option<Timestamp>, Option<Timestamp>) {
        let asked = days.filter(|_| self.asked);
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

#[cfg(test)]
mod tests {
    use super::super::super::args::{Cli, Command};
    use super::*;
    use clap::Parser;

    /// Of a store with records of 2026-01-01 to 2026-03-31, on 2026-03-15 at noon.
    fn windows(options: &str) -> Result<Windows, String> {
        let line = ["spansight", "report", "--store", "s", "--html", "h"].into_iter().chain(options.split_whitespace());
        let Command::Report(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        let Ok(Window::Days(stored)) = "2026-01..2026-03".parse() else { panic!() };
        let now = Timestamp::parse("2026-03-15T12:00:00Z").unwrap();
        let windows = Windows::new(&args, Some(stored), None, now).map_err(|stop| stop.message)?;
        windows.check().map_err(|stop| stop.message).map(|()| windows)
    }

    #[test]
    fn a_number_of_days_ends_with_the_newest_of_the_store() {
        let line = ["spansight", "report", "--store", "s", "--html", "h", "--window", "7d"];
        let Command::Report(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        let days = |window: &str| match window.parse() {
            Ok(Window::Days(days)) => Some(days),
            _ => None,
        };
        let now = Timestamp::parse("2026-05-01T12:00:00Z").unwrap();
        let window = |recorded: &str, watched: &str| {
            let windows = Windows::new(&args, days(recorded), days(watched), now).map_err(|stop| stop.message).unwrap();
            windows.report.unwrap().to_string()
        };
        // Frames without a contact come after the last record.
        assert_eq!(window("2026-01..2026-03", "2026-02..2026-04-10"), "2026-04-04 to 2026-04-10");
        assert_eq!(window("2026-01..2026-03", "2026-02"), "2026-03-25 to 2026-03-31");
        assert_eq!(window("-", "2026-04"), "2026-04-24 to 2026-04-30");
    }

    fn days(options: &str) -> String {
        windows(options).unwrap().report.unwrap().to_string()
    }

    #[test]
    fn a_window_is_what_was_asked_for_or_all() {
        assert_eq!(days(""), "2026-01-01 to 2026-03-31");
        assert_eq!(days("--window 2026-02"), "2026-02-01 to 2026-02-28");
        assert_eq!(days("--window 7d"), "2026-03-25 to 2026-03-31");
        assert_eq!(days("--baseline 2026-01 --current 2026-02 --window 2026-03"), "2026-03-01 to 2026-03-31");
        assert_eq!(days("--since 2026-01-03 --until 2026-01-05"), "2026-01-03 to 2026-01-04");
        assert_eq!(days("--since 2026-03-30"), "2026-03-30 to 2026-03-31");
        assert_eq!(
            days("--since 2026-01-02T23:00:00Z --until 2026-01-04T23:00:00Z --utc-offset +01:00"),
            "2026-01-03 to 2026-01-04"
        );
    }

    #[test]
    fn a_comparison_is_about_the_current_window_and_shows_what_came_before() {
        let both = |options: &str| {
            let w = windows(options).unwrap();
            (w.report.unwrap().to_string(), w.span.unwrap().to_string())
        };
        let (january, february) = ("2026-01-01 to 2026-01-31".to_owned(), "2026-02-01 to 2026-02-28".to_owned());
        let two = "2026-01-01 to 2026-02-28".to_owned();
        assert_eq!(both("--baseline 2026-01 --current 2026-02"), (february, two.clone()));
        assert_eq!(both("--baseline 2026-02 --current 2026-01"), (january.clone(), two));
        assert_eq!(both("--baseline 2026-02 --current 2026-03 --window 2026-01"), (january.clone(), january));
        let until = windows("--baseline 2026-01 --current 2026-02").unwrap().until.unwrap();
        assert_eq!(until.to_string(), "2026-03-01T00:00:00Z", "days are counted from its end");
    }

    #[test]
    fn days_are_counted_from_the_end_of_a_window_that_has_passed() {
        let until = |options: &str| windows(options).unwrap().until.map(|t| t.to_string());
        assert_eq!(until(""), None);
        assert_eq!(until("--window 2026-02").as_deref(), Some("2026-03-01T00:00:00Z"));
        assert_eq!(until("--window 2026-02 --utc-offset -03:30").as_deref(), Some("2026-03-01T03:30:00Z"));
        assert_eq!(until("--window 2026-03"), None, "it goes on");
    }

    #[test]
    fn what_makes_no_window_is_refused() {
        for (options, word) in [
            ("--since 2026-01-03T10:00:00Z", "whole days"),
            ("--since 2026-01-03 --utc-offset +01:00", "whole days"),
            ("--since 2026-01-05 --until 2026-01-05", "no time lies between"),
            ("--since 2026-05-01", "or later"),
            ("--until 2025-05-01", "before --until"),
            ("--window 2000..2026", "more than 3660 days"),
        ] {
            let said = windows(options).unwrap_err();
            assert!(said.contains(word), "{options}: {said}");
        }
    }

    #[test]
    fn a_trend_is_easy_to_read() {
        let step = |options: &str| windows(options).unwrap().step;
        assert_eq!((step("--window 45d"), step("--window 46d")), (Step::Day, Step::Week));
        assert_eq!((step("--window 2026"), step("--window 2026 --step week")), (Step::Month, Step::Week));
    }
}
