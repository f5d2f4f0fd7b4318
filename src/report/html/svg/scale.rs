//! Axes with round numbers.

/// Round numbers from 0 to at least `max`, four to six of them, whole where
/// counts are drawn.
pub(super) fn ticks(max: f64) -> Vec<f64> {
    let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
    let rough = max / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(rough);
    let step = step.max(1.0);
    let mut all = vec![0.0];
    while all.last().is_some_and(|last| *last < max) && all.len() < 12 {
        all.push(all.len() as f64 * step);
    }
    all
}

/// Which of `n` labels to write so that about `most` fit: every so many.
pub(super) fn every(n: usize, most: usize) -> usize {
    n.div_ceil(most.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_greatest() {
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        assert_eq!(ticks(3.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(97.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(7_000_001.0), [0.0, 2e6, 4e6, 6e6, 8e6]);
        for max in [f64::NAN, f64::INFINITY, -1.0, 1e15, 1e-9] {
            let all = ticks(max);
            assert!((2..=12).contains(&all.len()), "{max} {all:?}");
        }
    }

    #[test]
    fn labels_are_thinned_out() {
        assert_eq!((every(0, 12), every(12, 12), every(13, 12), every(365, 12)), (1, 1, 2, 31));
    }
}
