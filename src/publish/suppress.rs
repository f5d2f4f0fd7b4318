//! Which counts of a table are left out so that none of a small group can be
//! had.
//!
//! First every count below the least that may be shown, 0 apart. If the total
//! is shown, what was left out has a sum that anyone can take from it; so more
//! is left out, the least first, until that sum is of two groups or more, is no
//! less than what may be shown, and is more than one host for each group (else
//! each had one). Where there is nothing more to leave out, the total is left
//! out, too.

/// Of a table with a row for each group: which rows are left out, and whether
/// the total is. A row has one count or several that are left out together; a
/// row has a number for each column, and so does the total.
pub(super) fn suppress(rows: &[Vec<u64>], least: u64) -> (Vec<bool>, bool) {
    let small = |n: &u64| *n > 0 && *n < least;
    let mut out: Vec<bool> = rows.iter().map(|row| row.iter().any(small)).collect();
    if !out.contains(&true) {
        return (out, false);
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| rows.get(*at).map_or(0, |row| row.iter().sum::<u64>()));
    let mut rest = order.into_iter();
    while !is_safe(rows, &out, least) {
        let next =
            rest.find(|at| out.get(*at) == Some(&false) && rows.get(*at).is_some_and(|row| row.iter().any(|n| *n > 0)));
        match next.and_then(|at| out.get_mut(at)) {
            Some(place) => *place = true,
            None => return (out, true),
        }
    }
    (out, false)
}

/// Whether the sums of what is left out tell nothing of one small group.
fn is_safe(rows: &[Vec<u64>], out: &[bool], least: u64) -> bool {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..columns).all(|column| {
        let left_out = rows.iter().zip(out).filter(|(_, out)| **out);
        let counts: Vec<u64> = left_out.filter_map(|(row, _)| row.get(column).copied()).filter(|n| *n > 0).collect();
        let (groups, sum) = (counts.len() as u64, counts.iter().sum::<u64>());
        // A sum of nothing tells that there is nothing, as a 0 that is shown does.
        sum == 0 || groups >= 2 && sum >= least && sum > groups
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(counts: &[u64], least: u64) -> (Vec<bool>, bool) {
        suppress(&counts.iter().map(|n| vec![*n]).collect::<Vec<_>>(), least)
    }

    #[test]
    fn one_small_group_takes_the_next_with_it() {
        assert_eq!(of(&[3, 40, 9, 0, 70], 5), (vec![true, false, true, false, false], false));
        assert_eq!(of(&[0, 5, 6], 5), (vec![false; 3], false));
        // 2 and 2 are 4, which is too few still.
        assert_eq!(of(&[2, 2, 30, 90], 5), (vec![true, true, true, false], false));
        assert_eq!(of(&[4, 4, 30], 5), (vec![true, true, false], false));
        // One each could be told from their sum.
        assert_eq!(of(&[1, 1, 1, 30], 3), (vec![true; 4], false));
    }

    #[test]
    fn where_nothing_more_can_be_left_out_the_total_is() {
        assert_eq!(of(&[3], 5), (vec![true], true));
        assert_eq!(of(&[3, 0], 5), (vec![true, false], true));
        assert_eq!(of(&[1, 1], 5), (vec![true, true], true));
    }

    #[test]
    fn columns_are_left_out_together() {
        // The second column of the first row is small; of the third column two
        // are to be unknown as well.
        let rows = [vec![20, 2, 18], vec![30, 10, 20], vec![50, 40, 10]];
        assert_eq!(suppress(&rows, 5), (vec![true, true, false], false));
    }

    proptest! {
        #[test]
        fn no_small_count_is_shown_or_can_be_had(
            rows in proptest::collection::vec(proptest::collection::vec(0u64..30, 3), 0..8), least in 1u64..12,
        ) {
            let (out, total) = suppress(&rows, least);
            for (row, out) in rows.iter().zip(&out) {
                prop_assert!(*out || row.iter().all(|n| *n == 0 || *n >= least));
            }
            if !total {
                for column in 0..3 {
                    let counts: Vec<u64> = rows.iter().zip(&out).filter(|(_, o)| **o).map(|(r, _)| r[column]).filter(|n| *n > 0).collect();
                    prop_assert!(counts.is_empty() || counts.len() > 1 && counts.iter().sum::<u64>() >= least);
                }
            }
        }
    }
}
