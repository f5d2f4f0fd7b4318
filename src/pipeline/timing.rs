//! How long the stages take.

use crate::base::Timestamp;
use crate::report::stages::Stage;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Frames between two that are timed one by one.
pub const FRAME_SAMPLE: u32 = 1024;

/// Durations in nanoseconds with two significant digits, by [`Stage`].
#[derive(Clone, Debug)]
pub struct Timing {
    stages: [Histogram<u64>; Stage::ALL.len()],
}

impl Default for Timing {
    fn default() -> Self {
        // Two significant digits are always valid; the range grows as needed.
        Timing { stages: Stage::ALL.map(|_| Histogram::new(2).unwrap_or_else(|_| std::process::abort())) }
    }
}

impl Timing {
    /// Adds another thread's histograms.
    pub fn merge(&mut self, other: &Timing) {
        for (a, b) in self.stages.iter_mut().zip(&other.stages) {
            if a.add(b).is_err() {
                // Only a histogram that may not grow refuses; these may.
                debug_assert!(false, "histograms that resize can always be added");
            }
        }
    }

    /// What was recorded of a stage.
    pub fn of(&self, stage: Stage) -> &Histogram<u64> {
        &self.stages[stage.index()]
    }

    /// Records a duration; what is longer than an hour counts as an hour.
    pub(super) fn record(&mut self, stage: Stage, d: Duration) {
        // Only this grows the histogram; `saturating_record` would not.
        let nanos = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).clamp(1, LONGEST);
        let fits = self.stages[stage.index()].record(nanos);
        debug_assert!(fits.is_ok(), "a histogram that grows takes any value");
    }

    /// Records how long after a capture it is now. Clocks of network cards may
    /// be ahead of the machine's: then no time has passed.
    pub(super) fn record_since(&mut self, stage: Stage, captured: Timestamp, now: Timestamp) {
        let late = now.since(captured).max(0);
        self.record(stage, Duration::from_nanos(late.unsigned_abs()));
    }
}

/// Longest duration told apart: an hour.
const LONGEST: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_kept_to_two_digits() {
        let mut t = Timing::default();
        t.record(Stage::Read, Duration::from_millis(20));
        t.record(Stage::Read, Duration::from_secs(1 << 40));
        let read = t.of(Stage::Read);
        let (least, most) = (read.min(), read.max());
        assert!((19_500_000..20_500_000).contains(&least), "{least}");
        assert!((LONGEST..LONGEST / 50 * 51).contains(&most), "{most}");
        assert!(t.of(Stage::Work).is_empty());
    }

    #[test]
    fn a_frame_from_the_future_is_not_late() {
        let mut t = Timing::default();
        let at = |ms: i64| Timestamp(ms * 1_000_000);
        t.record_since(Stage::Record, at(100), at(107));
        t.record_since(Stage::Record, at(i64::from(u32::MAX)), at(0));
        let mut other = Timing::default();
        other.merge(&t);
        let record = other.of(Stage::Record);
        assert_eq!((record.len(), record.min()), (2, 1));
        assert!((6_900_000..7_100_000).contains(&record.max()), "{}", record.max());
    }
}
