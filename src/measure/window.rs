//! Windows of time and the periods they are counted in.

use super::fact::Days;
use crate::base::time::{format_day, parse_day};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What is wrong with a window.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// It has none of the forms.
    #[error(
        "{0:?} is no window; give a year (2024), a month (2024-04), a week (2024-W15), a day (2024-04-01), two of \
         these with .. between, or a number of days up to the newest in the store (30d)"
    )]
    Form(String),
    /// It ends before it begins.
    #[error("the window {0} ends before it begins")]
    Reversed(String),
}

/// A window as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// These days.
    Days(Days),
    /// So many days, the last being the newest with a record, a frame or a live
    /// run.
    Last(u32),
}

impl Window {
    /// Its days. `newest` is the newest day of the store.
    pub fn days(self, newest: i32) -> Days {
        match self {
            Window::Days(days) => days,
            Window::Last(n) => {
                let back = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
                Days::new(newest.saturating_sub(back), newest)
            }
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let wrong = || WindowError::Form(text.to_owned());
        if let Some(n) = text.strip_suffix('d') {
            let digits = !n.is_empty() && n.len() <= 5 && n.bytes().all(|b| b.is_ascii_digit());
            return match n.parse() {
                Ok(n) if digits && n > 0 => Ok(Window::Last(n)),
                _ => Err(wrong()),
            };
        }
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let (from, to) = (named(from).ok_or_else(wrong)?, named(to).ok_or_else(wrong)?);
        let days = Days::new(from.first, to.last);
        if days.is_empty() { Err(WindowError::Reversed(text.to_owned())) } else { Ok(Window::Days(days)) }
    }
}

/// The days of a year, month, week (ISO 8601) or day.
fn named(text: &str) -> Option<Days> {
    let number = |s: &str, len: usize| -> Option<i32> {
        if s.len() == len && s.bytes().all(|b| b.is_ascii_digit()) { s.parse().ok() } else { None }
    };
    let day = |y: i32, m: i32, d: i32| i32::try_from(parse_day(&format!("{y:04}-{m:02}-{d:02}"))?).ok();
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let days = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Days::new(day(year, 1, 1)?, day(year, 12, 31)?),
        (Some(week), None, None) if week.starts_with('W') => {
            let week = number(week.get(1..)?, 2)?;
            let first = first_week(day(year, 1, 4)?);
            let next = first_week(day(year.checked_add(1)?, 1, 4)?);
            let start = first.checked_add(week.checked_sub(1)?.checked_mul(7)?)?;
            (week >= 1 && start < next).then(|| Days::new(start, start.saturating_add(6)))?
        }
        (Some(month), None, None) => {
            let month = number(month, 2)?;
            let first = day(year, month, 1)?;
            let next =
                if month == 12 { day(year.checked_add(1)?, 1, 1)? } else { day(year, month.checked_add(1)?, 1)? };
            Days::new(first, next.saturating_sub(1))
        }
        (Some(month), Some(of_month), None) => {
            let day = day(year, number(month, 2)?, number(of_month, 2)?)?;
            Days::new(day, day)
        }
        _ => return None,
    };
    Some(days)
}

/// The Monday of the week with the fourth of January, which is the first of its
/// year (ISO 8601).
fn first_week(fourth: i32) -> i32 {
    fourth.saturating_sub(weekday(fourth))
}

/// Days since Monday; the epoch was a Thursday.
fn weekday(day: i32) -> i32 {
    day.saturating_add(3).rem_euclid(7)
}

/// How long the periods of a trend are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// A day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Step {
    /// The periods of a window, in order; the first and the last may be cut
    /// short by it.
    pub fn periods(self, window: Days) -> Vec<Days> {
        let mut periods = Vec::new();
        let mut first = window.first;
        while first <= window.last {
            let last = self.end(first).min(window.last);
            periods.push(Days::new(first, last));
            first = match last.checked_add(1) {
                Some(next) => next,
                None => break,
            };
        }
        periods
    }

    /// Last day of the period that a day lies in.
    fn end(self, day: i32) -> i32 {
        match self {
            Step::Day => day,
            Step::Week => day.saturating_add(6 - weekday(day)),
            Step::Month => {
                let text = format_day(day.into());
                let month = text.rsplit_once('-').and_then(|(month, _)| named(month));
                month.map_or(day, |m| m.last)
            }
        }
    }

    /// The word for one period.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Day => "day",
            Step::Week => "week",
            Step::Month => "month",
        }
    }

    /// How a period is called: `2024-04-01`, `2024-W15`, `2024-04`.
    pub fn label(self, period: Days) -> String {
        let text = format_day(period.first.into());
        match self {
            Step::Day => text,
            Step::Month => text.rsplit_once('-').map_or(text.clone(), |(month, _)| month.to_owned()),
            Step::Week => {
                // Its Thursday lies in the year that the week belongs to.
                let thursday = period.first.saturating_sub(weekday(period.first)).saturating_add(3);
                let year = format_day(thursday.into());
                let year = year.split('-').next().unwrap_or_default();
                let first = parse_day(&format!("{year}-01-04")).and_then(|d| i32::try_from(d).ok());
                let week = first.map_or(0, |d| (thursday - first_week(d)).div_euclid(7) + 1);
                format!("{year}-W{week:02}")
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much the days of a report begin before those of UTC, in quarter hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UtcOffset(i32);

/// Quarter hours in a day.
const QUARTERS: i32 = 96;

impl UtcOffset {
    /// The first quarter hour of a day, since the epoch.
    pub fn start(self, day: i32) -> i64 {
        i64::from(day) * i64::from(QUARTERS) - i64::from(self.0)
    }

    /// The local day of a quarter hour since the epoch.
    pub fn day_of(self, quarter: i64) -> i32 {
        let local = quarter.saturating_add(i64::from(self.0)).div_euclid(i64::from(QUARTERS));
        i32::try_from(local).unwrap_or(if local < 0 { i32::MIN } else { i32::MAX })
    }

    /// The quarter hours of a period, the first and the last included.
    pub fn quarters(self, days: Days) -> (i64, i64) {
        (self.start(days.first), self.start(days.last) + i64::from(QUARTERS) - 1)
    }

    /// The UTC days that a period of local days touches.
    pub fn utc(self, days: Days) -> Days {
        let day = |quarter: i64| i32::try_from(quarter.div_euclid(i64::from(QUARTERS))).unwrap_or(i32::MAX);
        let (first, last) = self.quarters(days);
        Days::new(day(first), day(last))
    }

    /// The local days from one quarter hour (since the epoch) to another.
    pub fn local(self, (first, last): (i64, i64)) -> Days {
        Days::new(self.day_of(first), self.day_of(last))
    }

    /// The UTC days that any of some windows touch, rising and apart.
    pub fn utc_of_all(self, windows: impl IntoIterator<Item = Days>) -> Vec<Days> {
        let mut all: Vec<Days> = windows.into_iter().map(|days| self.utc(days)).collect();
        all.sort();
        let mut apart: Vec<Days> = Vec::new();
        for days in all {
            match apart.last_mut() {
                Some(last) if days.first <= last.last.saturating_add(1) => last.last = last.last.max(days.last),
                _ => apart.push(days),
            }
        }
        apart
    }

    /// The local days that a UTC day lies in, with the quarter hours of each as
    /// bits of the UTC day, the first in bit 95: one, or two.
    #[inline]
    pub fn split(self, utc_day: i32) -> [(i32, u128); 2] {
        const ALL: u128 = u128::MAX >> 32;
        match self.0 {
            0 => [(utc_day, ALL), (utc_day, 0)],
            // The last quarter hours are in the local day that follows.
            n if n > 0 => {
                let late = (1u128 << n) - 1;
                [(utc_day, ALL & !late), (utc_day.saturating_add(1), late)]
            }
            n => {
                let late = (1u128 << (QUARTERS + n)) - 1;
                [(utc_day.saturating_sub(1), ALL & !late), (utc_day, late)]
            }
        }
    }

    /// Quarter hours of a UTC day as bits of the local day that they lie in,
    /// which must be that of [`UtcOffset::split`].
    #[inline]
    pub fn shift(self, utc_day: i32, local_day: i32, slots: u128) -> u128 {
        // Bit 95 is the first quarter hour: later ones have lower bits.
        let by = self.0 + (utc_day - local_day) * QUARTERS;
        if by >= 0 { slots.checked_shr(by.unsigned_abs()) } else { slots.checked_shl(by.unsigned_abs()) }.unwrap_or(0)
            & (u128::MAX >> 32)
    }
}

impl FromStr for UtcOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give whole quarter hours such as +01:00, -03:30 or +05:45, at most 14 hours".to_owned();
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'+') => (1, &text[1..]),
            Some(b'-') => (-1, &text[1..]),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
        let two = |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i32>().ok());
        let (hours, minutes) = (two(hours).flatten().ok_or_else(wrong)?, two(minutes).flatten().ok_or_else(wrong)?);
        let quarters = hours * 4 + minutes / 15;
        if minutes % 15 != 0 || minutes > 45 || quarters > 14 * 4 {
            Err(wrong())
        } else {
            Ok(UtcOffset(sign * quarters))
        }
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.abs() * 15;
        write!(f, "{}{:02}:{:02}", if self.0 < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

impl Serialize for UtcOffset {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = s.serialize_struct("Days", 3)?;
        out.serialize_field("first", &format_day(self.first.into()))?;
        out.serialize_field("last", &format_day(self.last.into()))?;
        out.serialize_field("days", &self.len())?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days(text: &str) -> String {
        text.parse::<Window>().unwrap().days(20_000).to_string()
    }

    #[test]
    fn windows_that_meet_are_one() {
        let days = |all: &[(i32, i32)]| -> Vec<Days> { all.iter().map(|(a, b)| Days::new(*a, *b)).collect() };
        let utc = UtcOffset::default();
        let apart = days(&[(1, 3), (4, 6), (9, 9), (5, 5)]);
        assert_eq!(utc.utc_of_all(apart.iter().rev().copied()), days(&[(1, 6), (9, 9)]));
        // With another offset each touches a day more, so that these meet.
        let early: UtcOffset = "+01:00".parse().unwrap();
        assert_eq!(early.utc_of_all(days(&[(1, 3), (6, 6)])), days(&[(0, 3), (5, 6)]));
        assert_eq!(early.utc_of_all(days(&[(1, 3), (5, 6)])), days(&[(0, 6)]));
        assert!(utc.utc_of_all([]).is_empty());
    }

    #[test]
    fn windows_are_read() {
        for (text, wanted) in [
            ("2024", "2024-01-01 to 2024-12-31"),
            ("2024-02", "2024-02-01 to 2024-02-29"),
            ("2024-12", "2024-12-01 to 2024-12-31"),
            ("2024-04-01", "2024-04-01"),
            ("2024-W15", "2024-04-08 to 2024-04-14"),
            ("2020-W53", "2020-12-28 to 2021-01-03"),
            ("2021-W01", "2021-01-04 to 2021-01-10"),
            ("2024-04-03..2024-05", "2024-04-03 to 2024-05-31"),
            ("2024-W15..2024-W16", "2024-04-08 to 2024-04-21"),
            ("1d", "2024-10-04"),
            ("30d", "2024-09-05 to 2024-10-04"),
        ] {
            assert_eq!(days(text), wanted, "{text}");
        }
        for text in [
            "",
            "24",
            "2024-4",
            "2024-13",
            "2024-02-30",
            "2024-W00",
            "2024-W53",
            "0d",
            "d",
            "-3d",
            "2024..",
            "..",
            "a..b",
        ] {
            assert!(matches!(text.parse::<Window>(), Err(WindowError::Form(_))), "{text:?}");
        }
        assert!(matches!("2024-05..2024-04".parse::<Window>(), Err(WindowError::Reversed(_))));
    }

    #[test]
    fn periods_have_names() {
        let Window::Days(all) = "2020-12-30..2021-02-03".parse().unwrap() else { panic!() };
        let labels = |step: Step| step.periods(all).into_iter().map(|p| step.label(p)).collect::<Vec<_>>();
        assert_eq!(labels(Step::Month), ["2020-12", "2021-01", "2021-02"]);
        assert_eq!(labels(Step::Week), ["2020-W53", "2021-W01", "2021-W02", "2021-W03", "2021-W04", "2021-W05"]);
        assert_eq!(labels(Step::Day).len(), 36);
    }

    #[test]
    fn offsets_are_read() {
        for text in ["+00:00", "+05:45", "-03:30", "+14:00"] {
            assert_eq!(text.parse::<UtcOffset>().unwrap().to_string(), text);
        }
        for text in ["", "5", "+5:00", "+05:10", "+15:00", "+05:60", "+aa:00"] {
            assert!(text.parse::<UtcOffset>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn periods_cover_a_window_once(first in -40_000i32..40_000, len in 1i32..900) {
            let window = Days::new(first, first + len - 1);
            for step in [Step::Day, Step::Week, Step::Month] {
                let periods = step.periods(window);
                prop_assert_eq!(periods.iter().map(|p| p.len()).sum::<u32>(), window.len());
                prop_assert!(periods.windows(2).all(|w| w[0].last + 1 == w[1].first));
            }
        }

        #[test]
        fn local_days_hold_each_quarter_hour_once(offset in -56i32..=56, slot in 0u32..96, day in 0i32..30_000) {
            let offset = UtcOffset(offset);
            let bit = 1u128 << (95 - slot);
            let at = i64::from(day) * 96 + i64::from(slot);
            let of: Vec<i32> = offset.split(day).iter().filter(|(_, m)| m & bit != 0).map(|(d, _)| *d).collect();
            let local = i32::try_from((at + i64::from(offset.0)).div_euclid(96)).unwrap();
            prop_assert_eq!(&of, &vec![local]);
            prop_assert_eq!(offset.local((at, at + 95)), Days::new(local, local + i32::from((at + i64::from(offset.0)).rem_euclid(96) > 0)));
            let (first, last) = offset.quarters(Days::new(local, local));
            prop_assert!(first <= at && at <= last);
            let moved = offset.shift(day, local, bit);
            prop_assert_eq!(95 - moved.trailing_zeros(), u32::try_from(at - first).unwrap());
        }
    }
}
