//! How long the stages take.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Frames between two that are timed one by one.
pub const FRAME_SAMPLE: u32 = 1024;

/// Durations in nanoseconds with two significant digits.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Reading a batch; of a compressed capture, waiting for it to be decompressed.
    pub read: Histogram<u64>,
    /// Decoding the frames of a batch and dealing them.
    pub decode: Histogram<u64>,
    /// One worker's share of a batch.
    pub work: Histogram<u64>,
    /// From a batch having been read to its worker beginning with it.
    pub wait: Histogram<u64>,
    /// Of one frame in [`FRAME_SAMPLE`], from its batch having been read to
    /// the frame having been dealt with.
    pub frame: Histogram<u64>,
    /// Live: of the same frames, from capture to having been dealt with.
    pub latency: Histogram<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        // Two significant digits are always valid; the range grows as needed.
        let h = || Histogram::new(2).unwrap_or_else(|_| std::process::abort());
        Timing { read: h(), decode: h(), work: h(), wait: h(), frame: h(), latency: h() }
    }
}

impl Timing {
    /// Adds another thread's histograms.
    pub fn merge(&mut self, other: &Timing) {
        for (a, b) in self.all_mut().into_iter().zip(other.all()) {
            if a.add(b.1).is_err() {
                // Only a histogram that may not grow refuses; these may.
                debug_assert!(false, "histograms that resize can always be added");
            }
        }
    }

    /// The histograms with their names.
    pub fn all(&self) -> [(&'static str, &Histogram<u64>); 6] {
        [
            ("read", &self.read),
            ("decode", &self.decode),
            ("wait", &self.wait),
            ("work", &self.work),
            ("frame", &self.frame),
            ("latency", &self.latency),
        ]
    }

    fn all_mut(&mut self) -> [&mut Histogram<u64>; 6] {
        [&mut self.read, &mut self.decode, &mut self.wait, &mut self.work, &mut self.frame, &mut self.latency]
    }
}

/// Longest duration told apart: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Records a duration; what is longer than an hour counts as an hour.
pub(super) fn record(h: &mut Histogram<u64>, d: Duration) {
    // Only this grows the histogram; `saturating_record` would not.
    let fits = h.record(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).clamp(1, LONGEST));
    debug_assert!(fits.is_ok(), "a histogram that grows takes any value");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_kept_to_two_digits() {
        let mut t = Timing::default();
        record(&mut t.read, Duration::from_millis(20));
        record(&mut t.read, Duration::from_secs(1 << 40));
        let (least, most) = (t.read.min(), t.read.max());
        assert!((19_500_000..20_500_000).contains(&least), "{least}");
        assert!((LONGEST..LONGEST / 50 * 51).contains(&most), "{most}");
    }
}
