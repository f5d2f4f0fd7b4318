//! Lists with a cap that do not depend on the order in which things were seen.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash};

/// Distinct entries counted beyond those listed.
pub(super) const MAX_COUNTED: usize = 4096;

/// The least entries of all that were added, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Least<T>(Vec<T>);

impl<T> Default for Least<T> {
    fn default() -> Self {
        Least(Vec::new())
    }
}

impl<T: Ord + Clone> Least<T> {
    /// Adds an entry; hands back what has no room.
    pub(super) fn insert(&mut self, item: &T, cap: usize) -> Option<T> {
        let Err(at) = self.0.binary_search(item) else { return None };
        if at >= cap {
            return Some(item.clone());
        }
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, item.clone());
        if self.0.len() > cap { self.0.pop() } else { None }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The same entries as something else, sorted anew.
    pub(super) fn map(self, change: impl FnMut(T) -> T) -> Self {
        let mut items: Vec<T> = self.0.into_iter().map(change).collect();
        items.sort_unstable();
        items.dedup();
        Least(items)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// From entries that are sorted already.
    pub(super) fn from_sorted(items: Vec<T>) -> Self {
        Least(items)
    }
}

/// The least entries, and the number of the others up to [`MAX_COUNTED`]
/// (beyond it the number says "at least").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed<T> {
    pub(super) listed: Least<T>,
    /// Hashes of the others.
    pub(super) others: BTreeSet<u64>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed { listed: Least::default(), others: BTreeSet::new() }
    }
}

impl<T: Ord + Hash + Clone> Listed<T> {
    pub(super) fn insert(&mut self, item: &T, cap: usize) {
        if let Some(left_out) = self.listed.insert(item, cap)
            && self.others.len() < MAX_COUNTED
        {
            // A fixed hash: the count must not differ from run to run.
            self.others.insert(foldhash::quality::FixedState::with_seed(0).hash_one(left_out));
        }
    }

    pub(super) fn merge(&mut self, other: &Self, cap: usize) {
        for item in other.listed.iter() {
            self.insert(item, cap);
        }
        for h in &other.others {
            if self.others.len() < MAX_COUNTED {
                self.others.insert(*h);
            }
        }
    }

    /// The same with the listed entries as something else. The others keep
    /// their number.
    pub(super) fn map(self, change: impl FnMut(T) -> T) -> Self {
        Listed { listed: self.listed.map(change), others: self.others }
    }

    /// Entries beyond those listed.
    pub(super) fn more(&self) -> u64 {
        self.others.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_beyond_the_list_are_counted_once_each() {
        let mut l = Listed::default();
        for i in (0..200).rev() {
            l.insert(&format!("n{i:03}").into_boxed_str(), 64);
            l.insert(&format!("n{i:03}").into_boxed_str(), 64);
        }
        assert_eq!((l.listed.len(), l.more()), (64, 136));
        assert_eq!(l.listed.iter().next().map(|n| &**n), Some("n000"));
    }

    #[test]
    fn a_flood_of_entries_is_counted_up_to_the_cap() {
        let mut l = Listed::default();
        (0..20_000u32).for_each(|i| l.insert(&i, 64));
        assert_eq!((l.listed.len(), l.more()), (64, MAX_COUNTED as u64));
    }

    proptest! {
        #[test]
        fn neither_order_nor_division_matters(
            items in proptest::collection::vec(0u16..300, 0..200), cut in 0usize..200, cap in 1usize..40,
        ) {
            let list = |items: &[u16]| {
                let mut l = Listed::default();
                items.iter().for_each(|i| l.insert(i, cap));
                l
            };
            let whole = list(&items);
            let (a, b) = items.split_at(cut.min(items.len()));
            let (mut ab, mut ba) = (list(a), list(b));
            ab.merge(&list(b), cap);
            ba.merge(&list(a), cap);
            prop_assert_eq!(&ab, &whole);
            prop_assert_eq!(&ba, &whole);
            let mut all = items.clone();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(whole.more() as usize, all.len().saturating_sub(cap));
        }
    }
}
