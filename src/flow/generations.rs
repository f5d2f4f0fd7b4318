//! A table that forgets its older half when it is full.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::Hash;

/// Entries in two generations: when the younger is full the older goes, so
/// that at least the last `cap` entries are known.
#[derive(Debug)]
pub(super) struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    cap: usize,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// Most bytes of tables with such a cap, besides what entries own.
    pub(super) const fn most_bytes(cap: usize) -> usize {
        let entry = size_of::<(K, V)>().saturating_add(1);
        cap.saturating_mul(8).saturating_div(7).saturating_mul(entry).saturating_mul(2)
    }

    /// An empty table.
    pub(super) fn new(cap: usize) -> Self {
        Generations { young: HashMap::default(), old: HashMap::default(), cap }
    }

    /// The entry of a key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Takes an entry out.
    pub(super) fn take(&mut self, key: &K) -> Option<V> {
        let old = self.old.remove(key);
        self.young.remove(key).or(old)
    }

    /// Enters the newest value of a key. How many entries that are still worth
    /// something had to go for it.
    pub(super) fn insert(&mut self, key: K, value: V, worth: impl Fn(&V) -> bool) -> u64 {
        let mut gone: u64 = 0;
        self.old.remove(&key);
        if self.young.len() >= self.cap && !self.young.contains_key(&key) {
            gone = u64::try_from(self.old.values().filter(|v| worth(v)).count()).unwrap_or(u64::MAX);
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
        gone
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entries_are_known_and_what_goes_is_told() {
        let mut table = Generations::new(10);
        let gone: u64 = (0..1000_u32).map(|n| table.insert(n, n, |v| v % 2 == 0)).sum();
        assert!((990..1000).all(|n| table.get(&n) == Some(&n)));
        assert!(table.young.len() <= 10 && table.old.len() <= 10);
        assert_eq!(gone, 490, "the even ones of all but the last two generations");
        assert_eq!((table.take(&995), table.take(&995)), (Some(995), None));
        table.clear();
        assert_eq!(table.get(&999), None);
    }

    #[test]
    fn a_key_has_one_value() {
        let mut table = Generations::new(2);
        for n in 0..4 {
            table.insert(n, 'a', |_| true);
        }
        assert_eq!(table.insert(0, 'b', |_| true) + table.insert(0, 'c', |_| true), 1);
        assert_eq!((table.take(&0), table.get(&0)), (Some('c'), None));
    }
}
