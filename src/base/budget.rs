//! What costly work may cost: QUIC key derivations, decompression.

use super::Timestamp;

/// Packets from before the latest second that give one piece of work back.
const EACH: u32 = 4;
/// So many packets from before the latest second, with none of it or later
/// between them, say that it was wrong.
const DOUBT: u32 = 4096;

/// Pieces of work that are left: so many for each new second of packet time.
///
/// A second counts as new if it is later than all before, so that a clock that
/// goes back and forth brings no more. A single packet from the future would
/// end the supply until then; therefore packets from before it give a little
/// back, and many of them in a row move the latest second to theirs. Either
/// way there is at most one piece for each four packets while time does not
/// advance.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    full: u32,
    latest: i64,
    behind: u32,
}

impl Budget {
    /// A full budget of so many pieces a second.
    pub fn new(full: u32) -> Self {
        Budget { left: full, full, latest: i64::MIN, behind: 0 }
    }

    /// Forgets what time it was, as for another capture.
    pub fn start_anew(&mut self) {
        *self = Budget::new(self.full);
    }

    /// A packet of this time came.
    #[inline]
    pub fn refill(&mut self, ts: Timestamp) {
        let second = ts.secs();
        if second > self.latest {
            (self.latest, self.left, self.behind) = (second, self.full, 0);
        } else if second < self.latest {
            self.gone_back(second);
        } else {
            self.behind = 0;
        }
    }

    #[cold]
    fn gone_back(&mut self, second: i64) {
        self.behind = self.behind.saturating_add(1);
        if self.behind.is_multiple_of(EACH) {
            self.left = self.left.saturating_add(1).min(self.full);
        }
        if self.behind >= DOUBT {
            (self.latest, self.behind) = (second, 0);
        }
    }

    /// Takes so many pieces; false, and none taken, if not so many are left.
    pub fn spend(&mut self, pieces: u32) -> bool {
        let left = self.left.checked_sub(pieces);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::super::time::SECOND;
    use super::*;

    /// How many of the datagrams at these seconds may derive keys.
    fn granted(budget: &mut Budget, seconds: impl Iterator<Item = i64>) -> usize {
        let spend = |s: i64| {
            budget.refill(Timestamp(s * SECOND));
            budget.spend(1)
        };
        seconds.map(spend).filter(|had| *had).count()
    }

    #[test]
    fn each_new_second_brings_a_full_budget() {
        let mut budget = Budget::new(10);
        assert_eq!(granted(&mut budget, [5; 50].into_iter()), 10);
        assert_eq!(granted(&mut budget, [6; 50].into_iter()), 10);
        assert_eq!(granted(&mut budget, 100..150), 50);
    }

    #[test]
    fn a_clock_that_flips_brings_little() {
        for there in [7, 1 << 32] {
            let mut budget = Budget::new(1000);
            let flipping = (0..100_000).map(|n| if n % 2 == 0 { 6 } else { there });
            assert!(granted(&mut budget, flipping) <= 2000, "{there}");
            let in_runs = (0..100_000).map(|n| if n / 5000 % 2 == 0 { 6 } else { there });
            assert!(granted(&mut budget, in_runs) <= 25_000 + 11_000, "{there}");
        }
    }

    #[test]
    fn one_packet_from_the_future_does_not_end_the_supply() {
        let mut budget = Budget::new(1000);
        granted(&mut budget, [5, 1 << 32].into_iter());
        granted(&mut budget, [6; 2000].into_iter());
        // Every fourth datagram, while most of a network's need no keys.
        assert_eq!(granted(&mut budget, [6; 400].into_iter()), 100);
        granted(&mut budget, [7; 4000].into_iter());
        assert_eq!(granted(&mut budget, [9; 900].into_iter()), 900, "time goes on");
    }
}
