//! Sessions: runs of quarter hours with contacts, over all indicators of a
//! category and across midnight.

use super::view::Cadence;
use crate::base::time::QUARTER_SECS;
use crate::sighting::record::Slots;

/// Quarter hours of a day.
const DAY: i64 = 96;
/// Regularity needs so many gaps to mean anything.
const LEAST_GAPS: usize = 4;

/// The quarter hours of a host with one category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    /// First quarter hours of the sessions, since the epoch, rising.
    starts: Vec<i64>,
    hours: u32,
    days: u32,
    /// The most quarter hours of any one day.
    most_a_day: u32,
    /// The longest session, in quarter hours, to 96 of any one day.
    longest: u32,
    first_day: i32,
    last_day: i32,
}

impl Sessions {
    /// Of days with their quarter hours, in order of the days; several entries
    /// of one day count together.
    pub(super) fn new(days: impl IntoIterator<Item = (i32, Slots)>) -> Self {
        let mut sessions = Sessions::default();
        let mut open: Option<(i32, u128)> = None;
        let mut before: Option<(i32, u128)> = None;
        for (day, slots) in days {
            match &mut open {
                Some((d, bits)) if *d == day => *bits |= slots.bits(),
                _ => {
                    before = sessions.close(open, before).or(before);
                    open = Some((day, slots.bits()));
                }
            }
        }
        sessions.close(open, before);
        sessions
    }

    /// Counts a day; hands it back as the one before the next.
    fn close(&mut self, day: Option<(i32, u128)>, before: Option<(i32, u128)>) -> Option<(i32, u128)> {
        let (day, bits) = day.filter(|(_, bits)| *bits != 0)?;
        // The first quarter hour into the lowest bit, so that bits rise with time.
        let slots = bits.reverse_bits() >> 32;
        // The lowest bit of `bits` is the last quarter hour of its day.
        let goes_on = before.is_some_and(|(d, b)| d.checked_add(1) == Some(day) && b & 1 == 1);
        let mut starts = slots & !(slots << 1 | u128::from(goes_on));
        while starts != 0 {
            self.starts.push(i64::from(day) * DAY + i64::from(starts.trailing_zeros()));
            starts &= starts - 1;
        }
        // One bit of each four that are an hour.
        const HOURS: u128 = u128::MAX / 15;
        self.hours += ((slots | slots >> 1 | slots >> 2 | slots >> 3) & HOURS).count_ones();
        self.most_a_day = self.most_a_day.max(slots.count_ones());
        let (mut run, mut length) = (slots, 0);
        while run != 0 {
            run &= run << 1;
            length += 1;
        }
        self.longest = self.longest.max(length);
        if self.days == 0 {
            self.first_day = day;
        }
        self.last_day = day;
        self.days += 1;
        Some((day, bits))
    }

    /// How many.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    /// On how many days.
    pub(super) fn days(&self) -> u32 {
        self.days
    }

    /// First quarter hours of the sessions, since the epoch.
    pub(super) fn starts(&self) -> &[i64] {
        &self.starts
    }

    /// The most quarter hours of any one day.
    pub(super) fn most_a_day(&self) -> u32 {
        self.most_a_day
    }

    /// Whether no part of a session within a day is longer than so many
    /// quarter hours.
    pub(super) fn within(&self, quarters: u32) -> bool {
        self.longest <= quarters
    }

    /// Whether two sessions begin so many quarter hours apart or more.
    pub(super) fn apart(&self, quarters: i64) -> bool {
        self.spread() >= quarters
    }

    /// Whether a session begins so many quarter hours after another, `least` to
    /// `most`.
    pub(super) fn recurs(&self, least: i64, most: i64) -> bool {
        let next = |at: usize, start: i64| self.starts.iter().skip(at).find(|s| **s - start >= least);
        self.starts.iter().enumerate().any(|(at, start)| next(at, *start).is_some_and(|n| n - start <= most))
    }

    /// Quarter hours from the first beginning to the last.
    pub(super) fn spread(&self) -> i64 {
        match (self.starts.first(), self.starts.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0,
        }
    }

    /// The figures that a reader sees.
    pub(super) fn cadence(&self) -> Cadence {
        let gap = |two: &[i64]| match two {
            [a, b] => u64::try_from(b - a).unwrap_or(0) * QUARTER_SECS.unsigned_abs(),
            _ => 0,
        };
        let mut gaps: Vec<u64> = self.starts.windows(2).map(gap).collect();
        gaps.sort_unstable();
        let middle = gaps.get((gaps.len().max(1) - 1) / 2).zip(gaps.get(gaps.len() / 2));
        let median = middle.map(|(a, b)| a.midpoint(*b));
        let near = |m: u64| gaps.iter().filter(|g| g.abs_diff(m) * 4 <= m).count();
        let share = |m: u64| near(m) as f64 / gaps.len() as f64;
        let regularity = median.filter(|_| gaps.len() >= LEAST_GAPS).map(share);
        Cadence { sessions: self.len(), hours: self.hours, days: self.days, median_gap_s: median, regularity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(slots: &[u8]) -> Slots {
        let mut s = Slots::default();
        slots.iter().for_each(|n| s.set(*n));
        s
    }

    #[test]
    fn sessions_run_over_indicators_and_across_midnight() {
        let s = Sessions::new([(7, day(&[94])), (7, day(&[95])), (8, day(&[0, 1, 40])), (9, day(&[0]))]);
        assert_eq!(s.starts(), [7 * 96 + 94, 8 * 96 + 40, 9 * 96]);
        assert_eq!((s.len(), s.days(), s.most_a_day()), (3, 3, 3));
        assert_eq!(s.cadence().hours, 4);
        let s = Sessions::new([(7, day(&[95])), (9, day(&[0]))]);
        assert_eq!(s.len(), 2, "a day lies between");
        assert_eq!(Sessions::new([(7, Slots::default())]), Sessions::default());
    }

    #[test]
    fn two_sessions_are_apart_by_their_first_quarter_hours() {
        for (slots, apart) in
            [(&[40, 42][..], false), (&[40, 43], true), (&[40, 41, 43], true), (&[40, 41, 42, 43], false)]
        {
            assert_eq!(Sessions::new([(0, day(slots))]).apart(3), apart, "{slots:?}");
        }
        assert!(Sessions::new([(0, day(&[95])), (1, day(&[2]))]).apart(3));
        assert!(!Sessions::new([(0, day(&[95])), (1, day(&[1]))]).apart(3));
    }

    #[test]
    fn cadence_of_a_two_hour_schedule() {
        let s = Sessions::new([(0, day(&[0, 8, 16, 24, 32, 41, 60]))]);
        let c = s.cadence();
        assert_eq!((c.sessions, c.hours, c.days, c.median_gap_s), (7, 7, 1, Some(7200)));
        assert_eq!(c.regularity, Some(5.0 / 6.0));
        let c = Sessions::new([(0, day(&[0, 8, 16, 24]))]).cadence();
        assert_eq!((c.median_gap_s, c.regularity), (Some(7200), None));
        let c = Sessions::new([(0, day(&[0, 4, 10]))]).cadence();
        assert_eq!(c.median_gap_s, Some(4500), "the mean of 3600 and 5400");
        assert_eq!(Sessions::new([(0, day(&[3]))]).cadence().median_gap_s, None);
    }

    proptest! {
        #[test]
        fn as_counted_one_by_one(quarters in proptest::collection::btree_set(0i64..400, 0..80)) {
            let mut days: Vec<(i32, Slots)> = Vec::new();
            for q in &quarters {
                days.push(((q / 96) as i32, day(&[(q % 96) as u8])));
            }
            let s = Sessions::new(days);
            let starts: Vec<i64> = quarters.iter().copied().filter(|q| !quarters.contains(&(q - 1))).collect();
            prop_assert_eq!(s.starts(), &starts[..]);
            let hours: std::collections::BTreeSet<i64> = quarters.iter().map(|q| q / 4).collect();
            let of: std::collections::BTreeSet<i64> = quarters.iter().map(|q| q / 96).collect();
            prop_assert_eq!((s.cadence().hours as usize, s.days() as usize), (hours.len(), of.len()));
        }
    }
}
