//! Which counts of a table are left out so that none of a small group can be
//! had, by whoever knows the rule, K, and all that is shown.
//!
//! In a column with a count of 1 to K-1 all counts below 2 K are left out, 0
//! apart, so that it cannot be told which of them is small. If the total is
//! shown, what is left out has a sum that anyone can take from it: whether it
//! is shown depends on nothing but what a reader knows anyway (that sum, how
//! many counts are left out, and the least that is shown), and it is only shown
//! if each count that is left out can still be any of K values or more. A
//! count that is left out alone takes the next greater with it, that the total
//! may be shown.
//!
//! Of two windows the counts of a group are left out together, three groups at
//! least.

use std::ops::RangeInclusive;

/// The K that there can be: with less than 3 hardly anything would be left out.
pub(super) const LEAST: RangeInclusive<u64> = 3..=1_000_000;

/// What is left out of a column, or of a table of rows with several columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// By row.
    pub(super) rows: Vec<bool>,
    /// The total as well.
    pub(super) total: bool,
}

/// Whether a count is small: it, or what it differs by, may not be shown.
pub(super) fn is_small(n: u64, least: u64) -> bool {
    (1..least).contains(&n)
}

/// Of one column: counts of groups, and of all together, which may be less than
/// the groups have since one host can be in several.
pub(super) fn column(counts: &[u64], total: u64, least: u64) -> LeftOut {
    let mut rows = vec![false; counts.len()];
    if counts.iter().any(|n| is_small(*n, least)) {
        let wide = least.saturating_mul(2);
        counts.iter().zip(&mut rows).for_each(|(n, out)| *out = is_small(*n, wide));
        if rows.iter().filter(|out| **out).count() == 1
            && let Some((_, next)) =
                counts.iter().zip(&mut rows).filter(|(n, out)| **n > 0 && !**out).min_by_key(|(n, _)| **n)
        {
            *next = true;
        }
    }
    let shown: Vec<Option<u64>> = counts.iter().zip(&rows).map(|(n, out)| (!out).then_some(*n)).collect();
    let total = is_small(total, least) || !column_may_have_total(&shown, total, least);
    LeftOut { rows, total }
}

/// Whether the total of a column may be shown beside what is shown of it.
pub(super) fn column_may_have_total(shown: &[Option<u64>], total: u64, least: u64) -> bool {
    let groups = shown.iter().filter(|n| n.is_none()).count() as u64;
    let sum = shown.iter().flatten().fold(0u64, |sum, n| sum.saturating_add(*n));
    // Hosts that are in no group that is shown.
    let rest = total.saturating_sub(sum);
    if groups == 0 {
        // Where groups are shown at all they are all there is.
        return true;
    }
    if rest == 0 {
        return true;
    }
    if rest < least || groups < 2 {
        return false;
    }
    let next = shown.iter().flatten().copied().filter(|n| *n > 0).min().unwrap_or(u64::MAX);
    let most = least.saturating_mul(2).saturating_sub(1);
    let alike = values_below(groups, rest, least);
    if groups > 2 || rest <= most.saturating_add(least).saturating_sub(1) {
        return alike >= least;
    }
    // One small and the next greater: the small one is `rest` less the other,
    // which is 2 K at least and less than what is shown.
    let low = rest.saturating_sub(next).saturating_add(1).max(1);
    let high = least.saturating_sub(1).min(rest.saturating_sub(most.saturating_add(1)));
    high.saturating_add(1).saturating_sub(low).saturating_mul(2) >= least
}

/// How many values each of so many counts of 1 to 2 K - 1 can have, one at least
/// being below K, if they have this sum.
fn values_below(groups: u64, sum: u64, least: u64) -> u64 {
    let others = groups.saturating_sub(1);
    let (small, most) = (least.saturating_sub(1), least.saturating_mul(2).saturating_sub(1));
    // The others have at least one host each.
    let Some(top) = sum.checked_sub(others).filter(|_| others > 0) else { return 0 };
    let values = |first: u64, last: u64, room: u64| {
        let (first, last) = (first.max(sum.saturating_sub(room)), last.min(top));
        last.saturating_add(1).saturating_sub(first)
    };
    // A small one leaves the others all room; beside any other one of them is
    // the small one.
    let beside = most.saturating_mul(others.saturating_sub(1)).saturating_add(small);
    values(1, small, most.saturating_mul(others)).saturating_add(values(small.saturating_add(1), most, beside))
}

/// Groups that are left out of two windows, at least.
const TOGETHER: usize = 3;

/// Of two windows: of each group hosts still there, gone, new, and of either
/// window, in any order but the same for all.
pub(super) fn table(rows: &[[u64; 5]], total: &[u64; 5], least: u64) -> LeftOut {
    let mut out = vec![false; rows.len()];
    if rows.iter().flatten().any(|n| is_small(*n, least)) {
        let wide = least.saturating_mul(2);
        rows.iter().zip(&mut out).for_each(|(row, out)| *out = row.iter().any(|n| is_small(*n, wide)));
        let mut next: Vec<usize> = (0..rows.len()).collect();
        let sum = |at: &usize| rows.get(*at).map_or(0, |row| row.iter().fold(0u64, |sum, n| sum.saturating_add(*n)));
        next.retain(|at| out.get(*at) == Some(&false) && sum(at) > 0);
        next.sort_by_key(sum);
        let missing = TOGETHER.saturating_sub(out.iter().filter(|o| **o).count());
        for at in next.into_iter().take(missing) {
            out.iter_mut().skip(at).take(1).for_each(|o| *o = true);
        }
    }
    let shown: Vec<Option<[u64; 5]>> = rows.iter().zip(&out).map(|(row, out)| (!out).then_some(*row)).collect();
    let small = total.iter().any(|n| is_small(*n, least));
    LeftOut { total: small || !table_may_have_total(&shown, total, least), rows: out }
}

/// Whether the total of two windows may be shown beside what is shown of them:
/// where enough hosts are in no group that is shown, and differ in two ways at
/// least, each count that is left out can be 1 to K.
pub(super) fn table_may_have_total(shown: &[Option<[u64; 5]>], total: &[u64; 5], least: u64) -> bool {
    let groups = shown.iter().filter(|row| row.is_none()).count();
    if groups == 0 {
        return true;
    }
    let enough = least.saturating_add(groups as u64);
    let rests: Vec<u64> = (0..5)
        .map(|at| {
            let sum = shown.iter().flatten().filter_map(|row| row.get(at)).fold(0u64, |sum, n| sum.saturating_add(*n));
            total.get(at).map_or(0, |n| n.saturating_sub(sum))
        })
        .collect();
    // Still, gone and new; the windows have their sums.
    let ways = rests.iter().skip(2).filter(|n| **n > 0).count();
    groups >= TOGETHER && ways >= 2 && rests.iter().all(|n| *n == 0 || *n >= enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    fn of(counts: &[u64], least: u64) -> (Vec<Option<u64>>, Option<u64>) {
        let total = counts.iter().sum();
        let LeftOut { rows, total: no_total } = column(counts, total, least);
        (counts.iter().zip(rows).map(|(n, out)| (!out).then_some(*n)).collect(), (!no_total).then_some(total))
    }

    #[test]
    fn a_small_count_takes_others_with_it() {
        assert_eq!(of(&[30, 40, 0, 12], 5).0, [Some(30), Some(40), Some(0), Some(12)]);
        // All below 10, of which one is small.
        assert_eq!(of(&[3, 40, 9, 0, 70], 5), (vec![None, Some(40), None, Some(0), Some(70)], None));
        assert_eq!(of(&[3, 40, 7, 0, 70], 5), (vec![None, Some(40), None, Some(0), Some(70)], Some(120)));
        assert_eq!(of(&[8, 2, 3, 8], 5), (vec![None; 4], Some(21)));
        // One alone takes the next greater.
        assert_eq!(of(&[3, 40, 70], 5), (vec![None, None, Some(70)], Some(113)));
        assert_eq!(of(&[3], 5), (vec![None], None));
        assert_eq!(of(&[1, 1], 5), (vec![None; 2], None));
        assert_eq!(of(&[0, 0], 5), (vec![Some(0); 2], Some(0)));
    }

    /// What was had by inverting an earlier rule.
    #[test]
    fn the_rule_cannot_be_inverted() {
        // With a total of 72 the three that are left out would have to be 9, 9
        // and 4.
        assert_eq!(of(&[20, 30, 9, 9, 4], 5), (vec![Some(20), Some(30), None, None, None], None));
        assert_eq!(of(&[20, 30, 8, 6, 4], 5), (vec![Some(20), Some(30), None, None, None], Some(68)));
    }

    #[test]
    fn hosts_in_several_groups() {
        // 51 hosts, of which 49 are in the only group that is shown.
        assert_eq!(column(&[49, 4, 7], 51, 5), LeftOut { rows: vec![false, true, true], total: true });
        // All are in groups that are shown.
        assert!(!column(&[49, 4, 7], 49, 5).total);
        assert!(column(&[], 3, 5).total && !column(&[], 7, 5).total);
    }

    #[test]
    fn two_windows() {
        //         baseline, current, still, gone, new
        let big = [100, 90, 60, 40, 30];
        let small = [20, 18, 2, 18, 16];
        let whole = |rows: &[[u64; 5]]| -> [u64; 5] { std::array::from_fn(|at| rows.iter().map(|r| r[at]).sum()) };
        let rows = [big, big, small];
        assert_eq!(table(&rows, &whole(&rows), 5), LeftOut { rows: vec![true; 3], total: false });
        let rows = [big, small];
        assert_eq!(table(&rows, &whole(&rows), 5), LeftOut { rows: vec![true; 2], total: true });
        let rows = [big, big];
        assert_eq!(table(&rows, &whole(&rows), 5), LeftOut { rows: vec![false; 2], total: false });
        let rows = [[200, 200, 100, 100, 100], small, small, small, big];
        let left = table(&rows, &whole(&rows), 5);
        assert_eq!(
            left,
            LeftOut { rows: vec![false, true, true, true, false], total: true },
            "6 stayed, fewer than 5 + 3"
        );
    }

    /// Everything that can be published of tables of so many groups with counts
    /// below a bound, and from which tables.
    type Published = (Vec<Option<u64>>, Option<u64>);

    fn all(groups: u32, bound: u64, least: u64) -> HashMap<Published, Vec<Vec<u64>>> {
        let mut from: HashMap<Published, Vec<Vec<u64>>> = HashMap::new();
        for n in 0..bound.pow(groups) {
            let counts: Vec<u64> = (0..groups).map(|g| n / bound.pow(g) % bound).collect();
            from.entry(of(&counts, least)).or_default().push(counts);
        }
        from
    }

    /// By trying all tables: whatever is published, each count that is left out
    /// can have K values or more.
    #[test]
    fn each_count_that_is_left_out_can_have_many_values() {
        for (groups, bound, least) in [(2, 60, 3), (3, 24, 3), (3, 32, 4), (4, 15, 3), (4, 18, 4), (2, 90, 6)] {
            for ((shown, total), tables) in all(groups, bound, least) {
                let hidden = shown.iter().filter(|s| s.is_none()).count();
                // Greater counts than were tried are possible, too.
                let cut = total.is_none_or(|t| t >= bound);
                for at in (0..shown.len()).filter(|at| shown[*at].is_none()) {
                    let values: BTreeSet<u64> = tables.iter().map(|t| t[at]).collect();
                    let alone = hidden == 1;
                    let enough = values.len() as u64 >= if alone { least - 1 } else { least };
                    assert!(enough || cut, "K {least}: {shown:?} {total:?}: {at} is of {values:?}");
                }
                if let Some(total) = total {
                    let rest = total - shown.iter().flatten().sum::<u64>();
                    assert!(rest == 0 || rest >= least);
                }
                assert!(shown.iter().flatten().all(|n| !is_small(*n, least)));
            }
        }
    }

    /// By trying them all.
    fn values_tried(groups: u64, sum: u64, least: u64) -> u64 {
        let others = groups.saturating_sub(1);
        let most = 2 * least - 1;
        let possible = |v: &u64| {
            let room = if *v < least { most * others } else { most * others.saturating_sub(1) + least - 1 };
            others > 0 && sum.checked_sub(*v).is_some_and(|rest| (others..=room).contains(&rest))
        };
        (1..=most).filter(possible).count() as u64
    }

    #[test]
    fn values_are_counted_without_trying_them() {
        for least in *LEAST.start()..9 {
            for groups in 0..8 {
                for sum in 0..2 * least * 8 {
                    let found = values_below(groups, sum, least);
                    assert_eq!(found, values_tried(groups, sum, least), "K {least}: {groups} of {sum}");
                }
            }
        }
        // A K without end takes no longer.
        assert_eq!(values_below(2, u64::MAX / 4, u64::MAX / 2), u64::MAX / 4 - 1);
    }

    proptest! {
        #[test]
        fn no_small_count_is_shown(
            counts in proptest::collection::vec(0u64..60, 0..12), roams in 0u64..20, least in 3u64..12,
        ) {
            let total = counts.iter().sum::<u64>().saturating_sub(roams).max(counts.iter().copied().max().unwrap_or(0));
            let left = column(&counts, total, least);
            prop_assert!(counts.iter().zip(&left.rows).all(|(n, out)| *out || !is_small(*n, least)));
            if !left.total {
                let shown: u64 = counts.iter().zip(&left.rows).filter(|(_, out)| !**out).map(|(n, _)| n).sum();
                let rest = total.saturating_sub(shown);
                prop_assert!(!is_small(rest, least) && !is_small(total, least));
            }
        }

        #[test]
        fn no_small_count_of_two_windows_is_shown(
            rows in proptest::collection::vec((0u64..30, 0u64..30, 0u64..30), 0..8), least in 3u64..12,
        ) {
            let rows: Vec<[u64; 5]> = rows.into_iter().map(|(s, g, n)| [s + g, s + n, s, g, n]).collect();
            let total: [u64; 5] = std::array::from_fn(|at| rows.iter().map(|r| r[at]).sum());
            let left = table(&rows, &total, least);
            prop_assert!(rows.iter().zip(&left.rows).all(|(row, out)| *out || row.iter().all(|n| !is_small(*n, least))));
            for at in (0..5).filter(|_| !left.total) {
                let shown: u64 = rows.iter().zip(&left.rows).filter(|(_, out)| !**out).map(|(row, _)| row[at]).sum();
                prop_assert!(!is_small(total[at] - shown, least) && !is_small(total[at], least));
            }
        }
    }
}
