//! How long the stages take.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Frames between two that are timed one by one.
pub const FRAME_SAMPLE: u32 = 1024;

/// Durations in nanoseconds, 1 ns to 60 s with two significant digits.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Reading a batch.
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
        let h = || {
            let mut h = Histogram::new_with_bounds(1, 60_000_000_000, 2).unwrap_or_else(|_| unreachable_bounds());
            h.auto(false);
            h
        };
        Timing { read: h(), decode: h(), work: h(), wait: h(), frame: h(), latency: h() }
    }
}

/// The bounds above are valid by the crate's rules (least 1, greatest at least
/// twice that, at most 5 digits); should they ever not be, an automatically
/// sized histogram serves.
fn unreachable_bounds() -> Histogram<u64> {
    Histogram::new(2).unwrap_or_else(|_| std::process::abort())
}

impl Timing {
    /// Adds another thread's histograms.
    pub fn merge(&mut self, other: &Timing) {
        for (a, b) in self.all_mut().into_iter().zip(other.all()) {
            // Equal bounds: adding cannot fail.
            drop(a.add(b.1));
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

/// Records a duration; what is longer than a minute counts as a minute.
pub(super) fn record(h: &mut Histogram<u64>, d: Duration) {
    h.saturating_record(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).max(1));
}
