//! The few formulas that figures need, with where they are from.

use serde::Serialize;

/// The normal quantile of two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// To four decimals, so that output is short and the same everywhere.
pub fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

/// A share to six decimals: enough for whoever shows it in tenths of a per cent
/// to round once.
pub fn rounded_share(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

/// A share in tenths of a per cent, as every text, table and page shows it.
pub fn tenths(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

/// A share with the interval that it lies in at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// Part by whole.
    pub share: f64,
    /// Least of the interval.
    pub low: f64,
    /// Greatest of it.
    pub high: f64,
}

/// The share of `part` in `whole` with its Wilson score interval at 95 %, which
/// holds for small numbers and for shares near 0 and 1 as well. `None` of
/// nothing. E. B. Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference", J. Am. Stat. Assoc. 22 (1927), 209-212; recommended
/// by Brown, Cai and DasGupta, Stat. Sci. 16 (2001), 101-133.
pub fn wilson(part: u64, whole: u64) -> Option<Proportion> {
    if whole == 0 {
        return None;
    }
    let n = whole as f64;
    let p = part.min(whole) as f64 / n;
    let middle = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let (low, high) = ((middle - spread) / scale, (middle + spread) / scale);
    // At the ends the interval reaches them; what differs is rounding.
    let low = if part == 0 { 0.0 } else { low };
    let high = if part >= whole { 1.0 } else { high };
    Some(Proportion { share: rounded_share(p), low: rounded_share(low), high: rounded_share(high) })
}

/// The share that zero of so many can hide at 95 %: three by their number, at
/// most 1. J. A. Hanley and A. Lippman-Hand, "If Nothing Goes Wrong, Is
/// Everything All Right?", JAMA 249 (1983), 1743-1745.
pub fn rule_of_three(of: u64) -> Option<f64> {
    (of > 0).then(|| (3.0 / of as f64).min(1.0))
}

/// How many per cent `current` is above `baseline`; negative below. `None`
/// from nothing.
pub fn change(baseline: f64, current: f64) -> Option<f64> {
    (baseline > 0.0).then(|| rounded((current - baseline) * 100.0 / baseline))
}

/// Counts of several days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Daily {
    /// Median of the days; of an even number the mean of the middle two.
    pub median: f64,
    /// Mean.
    pub mean: f64,
    /// Least.
    pub least: u32,
    /// Most.
    pub most: u32,
}

impl Daily {
    /// Of the counts of some days.
    pub fn of(days: &[u32]) -> Self {
        let mut days = days.to_vec();
        days.sort_unstable();
        let (Some(least), Some(most)) = (days.first().copied(), days.last().copied()) else { return Daily::default() };
        let at = |n: usize| f64::from(days.get(n).copied().unwrap_or(0));
        let median = f64::midpoint(at((days.len() - 1) / 2), at(days.len() / 2));
        let sum: u64 = days.iter().map(|n| u64::from(*n)).sum();
        Daily { median, mean: rounded(sum as f64 / days.len() as f64), least, most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wilson_as_published() {
        // Brown, Cai and DasGupta give no table; these are by R's
        // prop.test(correct = FALSE).
        for (part, whole, low, high) in
            [(40, 100, 0.3094, 0.498), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1000, 0.0002, 0.0056)]
        {
            let p = wilson(part, whole).unwrap();
            assert_eq!((rounded(p.low), rounded(p.high)), (low, high), "{part} of {whole}");
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn a_share_is_rounded_once() {
        // 0.561498 is 56.1 %, and by way of 0.5615 it would be 56.2.
        let high = wilson(0, 3).unwrap().high;
        assert_eq!((high, tenths(high), tenths(rounded(high))), (0.561_497, 56.1, 56.2));
        assert_eq!([0.125_48, 0.9385, 0.0].map(tenths), [12.5, 93.9, 0.0]);
    }

    #[test]
    fn three_by_n() {
        assert_eq!((rule_of_three(0), rule_of_three(2), rule_of_three(300)), (None, Some(1.0), Some(0.01)));
    }

    #[test]
    fn changes_are_in_per_cent() {
        assert_eq!((change(7.0, 2.0), change(4.0, 5.0), change(0.0, 5.0)), (Some(-71.4286), Some(25.0), None));
    }

    #[test]
    fn days_have_a_median() {
        assert_eq!(Daily::of(&[4, 1, 9]), Daily { median: 4.0, mean: 4.6667, least: 1, most: 9 });
        assert_eq!(Daily::of(&[4, 1]).median, 2.5);
        assert_eq!(Daily::of(&[]), Daily::default());
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(whole in 1u64..5000, part in 0u64..5000) {
            let part = part.min(whole);
            let p = wilson(part, whole).unwrap();
            prop_assert!(0.0 <= p.low && p.low <= p.share && p.share <= p.high && p.high <= 1.0, "{:?}", p);
        }
    }
}
