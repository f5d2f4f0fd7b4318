//! Which day lies in which period.

use super::super::fact::Days;
use super::super::window::UtcOffset;
use crate::base::Timestamp;

/// No day or period.
const NONE: u32 = u32::MAX;

/// The days of all periods, numbered one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Calendar {
    first: i32,
    /// Number of each day from `first` on.
    days: Vec<u32>,
    /// Period of each number.
    periods: Vec<u32>,
    /// Numbers of the days of each period: from, up to.
    ranges: Vec<(usize, usize)>,
}

impl Calendar {
    /// Of periods that do not overlap, in order.
    pub(super) fn new(periods: &[Days]) -> Self {
        let Some((first, last)) = periods.first().zip(periods.last()) else { return Calendar::default() };
        let whole = Days::new(first.first, last.last);
        let mut calendar =
            Calendar { first: whole.first, days: vec![NONE; whole.len() as usize], ..Calendar::default() };
        for (number, period) in (0u32..).zip(periods) {
            let begin = calendar.periods.len();
            for day in period.first..=period.last {
                let at = usize::try_from(day.saturating_sub(whole.first)).unwrap_or(usize::MAX);
                if let Some(place) = calendar.days.get_mut(at) {
                    *place = u32::try_from(calendar.periods.len()).unwrap_or(NONE);
                    calendar.periods.push(number);
                }
            }
            calendar.ranges.push((begin, calendar.periods.len()));
        }
        calendar
    }

    /// The number of a day and its period.
    #[inline]
    pub(super) fn find(&self, day: i32) -> Option<(u32, u32)> {
        let at = usize::try_from(day.checked_sub(self.first)?).ok()?;
        let number = *self.days.get(at)?;
        Some((number, *self.periods.get(number as usize)?))
    }

    /// The periods that a time from first to last (nanoseconds since the epoch)
    /// touches, each once or more often.
    pub(super) fn touched(&self, offset: UtcOffset, from: i64, to: i64) -> impl Iterator<Item = u32> {
        let day = |ns: i64| i64::from(offset.day_of(Timestamp(ns).quarter())) - i64::from(self.first);
        let last = i64::try_from(self.days.len()).unwrap_or(i64::MAX).saturating_sub(1);
        let days = day(from).max(0)..=day(to).min(last);
        let number = |at: i64| self.days.get(usize::try_from(at).ok()?).filter(|n| **n != NONE);
        days.filter_map(move |at| self.periods.get(*number(at)? as usize).copied())
    }

    /// How many days.
    pub(super) fn days(&self) -> usize {
        self.periods.len()
    }

    /// How many periods.
    pub(super) fn periods(&self) -> usize {
        self.ranges.len()
    }

    /// Numbers of the days of a period.
    pub(super) fn range(&self, period: usize) -> std::ops::Range<usize> {
        self.ranges.get(period).map_or(0..0, |(from, to)| *from..*to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_between_periods_have_no_number() {
        let calendar = Calendar::new(&[Days::new(10, 11), Days::new(14, 14)]);
        let found: Vec<_> = (9..16).map(|day| calendar.find(day)).collect();
        assert_eq!(found, [None, Some((0, 0)), Some((1, 0)), None, None, Some((2, 1)), None]);
        assert_eq!((calendar.days(), calendar.periods(), calendar.range(1)), (3, 2, 2..3));
        assert_eq!(calendar.find(i32::MIN), None);
        assert_eq!(Calendar::new(&[]).find(0), None);
        const DAY: i64 = 86_400_000_000_000;
        let touched = |from: i64, to: i64| -> Vec<u32> {
            let mut all: Vec<u32> = calendar.touched(UtcOffset::default(), from, to).collect();
            all.dedup();
            all
        };
        assert_eq!(touched(11 * DAY, 14 * DAY), [0, 1]);
        assert_eq!((touched(0, 10 * DAY - 1), touched(12 * DAY, 14 * DAY - 1)), (vec![], vec![]));
        assert_eq!((touched(12 * DAY - 1, 13 * DAY), touched(15 * DAY - 1, 99 * DAY)), (vec![0], vec![1]));
    }
}
