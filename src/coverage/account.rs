//! Coverage of a run that does not end: what is still to be stored, and what
//! may be forgotten.

use super::ledger::MAX_CELLS;
use super::{Counts, Ledger, Reach};

/// What is left of quarter hours that were forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The sum of their counts.
    pub counts: Counts,
    /// What they could see.
    pub reach: Reach,
}

/// What a running sensor has counted.
#[derive(Debug, Default)]
pub struct Account {
    /// The quarter hours that are not forgotten, whole.
    recent: Ledger,
    /// Of which the store has not been told yet; counts alone.
    unstored: Ledger,
    forgotten: Forgotten,
}

impl Account {
    /// Nothing counted.
    pub fn new() -> Self {
        Account::default()
    }

    /// Adds what a thread counted since it was last asked.
    pub fn add(&mut self, mut ledger: Ledger) {
        for (key, entry) in std::mem::take(ledger.entries_mut()) {
            let counts = &mut self.unstored.entries_mut().entry(key).or_default().counts;
            counts.merge(&entry.counts);
            let mine = self.recent.entries_mut().entry(key).or_default();
            mine.counts.merge(&entry.counts);
            mine.addresses.merge(&entry.addresses, MAX_CELLS);
            mine.resolvers.add_all(&entry.resolvers);
        }
    }

    /// What was counted since the last call, each quarter hour with all its
    /// addresses and resolvers, old and new.
    pub fn take_unstored(&mut self) -> Ledger {
        let mut taken = self.unstored.take();
        let recent = self.recent.entries();
        for (key, entry) in taken.entries_mut() {
            if let Some(whole) = recent.get(key) {
                entry.addresses.clone_from(&whole.addresses);
                entry.resolvers.clone_from(&whole.resolvers);
            }
        }
        taken
    }

    /// Forgets quarter hours before `quarter`, except in the sum.
    pub fn forget(&mut self, quarter: i64) {
        let recent = self.recent.entries_mut();
        if recent.keys().all(|key| key.quarter >= quarter) {
            return;
        }
        let (old, keep) = std::mem::take(recent).into_iter().partition(|(key, _)| key.quarter < quarter);
        *recent = keep;
        let mut forgotten = Ledger::new();
        *forgotten.entries_mut() = old;
        self.forgotten.counts.merge(&forgotten.total());
        self.forgotten.reach.merge(&forgotten.reach());
    }

    /// The quarter hours that were not forgotten, and what is left of the
    /// others.
    pub fn into_parts(self) -> (Ledger, Forgotten) {
        (self.recent, self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use crate::coverage::{Counter, Key};

    fn ledger(quarter: i64, hosts: &[u8]) -> Ledger {
        let mut ledger = Ledger::new();
        ledger.turn_to(Key { source: 0, interface: 0, quarter });
        ledger.count(Counter::Frames);
        hosts.iter().for_each(|h| ledger.address(Addr::v4([10, 0, 0, *h])));
        ledger
    }

    fn seen(ledger: &mut Ledger) -> Vec<(i64, u64, u64)> {
        let entries = ledger.entries().iter();
        entries.map(|(k, e)| (k.quarter, e.counts.get(Counter::Frames), e.addresses.distinct())).collect()
    }

    #[test]
    fn counts_are_handed_out_once_and_addresses_whole() {
        let mut account = Account::new();
        account.add(ledger(5, &[1, 2]));
        assert_eq!(seen(&mut account.take_unstored()), [(5, 1, 2)]);
        account.add(ledger(5, &[2, 3]));
        account.add(ledger(6, &[1]));
        assert_eq!(seen(&mut account.take_unstored()), [(5, 1, 3), (6, 1, 1)]);
        assert_eq!(seen(&mut account.take_unstored()), []);
    }

    #[test]
    fn what_is_forgotten_stays_in_the_sum() {
        let mut account = Account::new();
        account.add(ledger(5, &[1]));
        account.add(ledger(7, &[1]));
        account.forget(6);
        assert_eq!(seen(&mut account.take_unstored()), [(5, 1, 0), (7, 1, 1)], "the store still hears of it");
        let (mut recent, forgotten) = account.into_parts();
        assert_eq!(seen(&mut recent), [(7, 1, 1)]);
        assert_eq!((forgotten.counts.get(Counter::Frames), forgotten.reach.quarters), (1, 1));
        assert_eq!(forgotten.reach.addresses.distinct(), 1);
    }
}
