//! Counts per source, interface and quarter hour, and the home addresses seen.

use super::{Counter, Counts};
use crate::base::Addr;
use std::collections::{BTreeMap, HashSet};

/// What counts are kept by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Number of the source in this run.
    pub source: u32,
    /// Interface of the source.
    pub interface: u16,
    /// Quarter hours since the epoch.
    pub quarter: i64,
}

/// One quarter hour of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What was counted.
    pub counts: Counts,
    /// Distinct home addresses seen at all.
    pub addresses: HashSet<Addr>,
    /// Home addresses not added because the set was full.
    pub addresses_more: u64,
}

impl Entry {
    fn merge(&mut self, other: Entry) {
        self.counts.merge(&other.counts);
        if self.addresses.is_empty() {
            self.addresses = other.addresses;
        } else {
            self.addresses.extend(other.addresses);
        }
        self.addresses_more = self.addresses_more.saturating_add(other.addresses_more);
    }
}

/// Most home addresses kept for one quarter hour of one interface by one ledger.
pub const MAX_ADDRESSES: usize = 65_536;

/// Counts of one thread, merged when it ends.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Key, Entry>,
    key: Key,
    current: Entry,
    dirty: bool,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Ledger::default()
    }

    /// Makes `key` the place where the next counts go. Cheap while it stays
    /// the same.
    #[inline]
    pub fn turn_to(&mut self, key: Key) {
        if key != self.key {
            self.switch(key);
        }
    }

    #[cold]
    fn switch(&mut self, key: Key) {
        self.file_current();
        self.current = self.entries.remove(&key).unwrap_or_default();
        self.key = key;
    }

    fn file_current(&mut self) {
        let entry = std::mem::take(&mut self.current);
        if std::mem::take(&mut self.dirty) || entry != Entry::default() {
            self.entries.entry(self.key).or_default().merge(entry);
        }
    }

    /// Counts one.
    #[inline]
    pub fn count(&mut self, counter: Counter) {
        self.current.counts.add(counter, 1);
    }

    /// Counts `n`.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        self.current.counts.add(counter, n);
    }

    /// Notes that a home address was seen in this quarter hour.
    pub fn address(&mut self, addr: Addr) {
        let e = &mut self.current;
        if e.addresses.len() < MAX_ADDRESSES {
            e.addresses.insert(addr);
        } else if !e.addresses.contains(&addr) {
            e.addresses_more = e.addresses_more.saturating_add(1);
        }
    }

    /// Adds another ledger's entries.
    pub fn merge(&mut self, mut other: Ledger) {
        self.file_current();
        other.file_current();
        for (key, entry) in other.entries {
            self.entries.entry(key).or_default().merge(entry);
        }
    }

    /// The entries, to be changed as they lie.
    pub(super) fn entries_mut(&mut self) -> &mut BTreeMap<Key, Entry> {
        self.file_current();
        &mut self.entries
    }

    /// All entries in order of source, interface and time.
    pub fn entries(&mut self) -> &BTreeMap<Key, Entry> {
        self.file_current();
        &self.entries
    }

    /// Takes what was counted so far and starts anew.
    pub fn take(&mut self) -> Ledger {
        self.file_current();
        let entries = std::mem::take(&mut self.entries);
        Ledger { entries, ..Ledger::default() }
    }

    /// The sum over all entries.
    pub fn total(&mut self) -> Counts {
        let mut sum = Counts::default();
        for entry in self.entries().values() {
            sum.merge(&entry.counts);
        }
        sum
    }
}
