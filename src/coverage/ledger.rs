//! Counts per source, interface and quarter hour, and the home addresses seen.

use super::{Addresses, Counter, Counts, Reach, Resolvers, Tally};
use crate::base::Addr;
use std::collections::BTreeMap;

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
    /// Home addresses seen at all.
    pub addresses: Addresses,
    /// Home hosts that used encrypted DNS.
    pub resolvers: Resolvers,
}

impl Entry {
    fn merge(&mut self, other: Entry, caps: Caps) {
        self.counts.merge(&other.counts);
        if self.addresses.is_empty() {
            self.addresses = other.addresses;
            self.addresses.limit(caps.cells);
        } else {
            self.addresses.merge(&other.addresses, caps.cells);
        }
        if self.resolvers.is_empty() {
            self.resolvers = other.resolvers;
            self.resolvers.limit(caps.resolver_cells);
        } else {
            self.resolvers.merge(&other.resolvers, caps.resolver_cells);
        }
    }

    /// What its addresses and its resolvers cost.
    fn cost(&self, caps: Caps) -> (usize, usize) {
        (self.addresses.cost(caps.cells), self.resolvers.cost(caps.resolver_cells))
    }
}

/// Most cells of one set of addresses, halved when all together are too many.
#[derive(Clone, Copy, Debug)]
struct Caps {
    cells: usize,
    resolver_cells: usize,
}

/// Most cells of addresses of one entry: a cell holds an IPv4 /24 or an IPv6
/// address.
pub const MAX_CELLS: usize = 16_384;
/// Cells of all entries together; beyond it each entry gets fewer.
const MAX_ALL_CELLS: usize = 262_144;
/// Most cells of the hosts of one resolver in one entry.
pub const MAX_RESOLVER_CELLS: usize = 1024;
/// Cells of the hosts of all resolvers of all entries; beyond it each set gets
/// fewer.
const MAX_ALL_RESOLVER_CELLS: usize = 65_536;
/// Quarter hours told apart: those of 340 days on one interface. Of more the
/// last ones are one entry, [`BEYOND`].
pub const MAX_ENTRIES: usize = 32_768;

/// Where the counts of all quarter hours beyond [`MAX_ENTRIES`] are kept. They
/// are in the totals, and belong to no source.
pub const BEYOND: Key = Key { source: u32::MAX, interface: u16::MAX, quarter: i64::MAX };

/// Counts of one thread, merged when it ends.
///
/// What it holds depends on what was counted alone, not on the order, nor on
/// how it was divided between threads.
#[derive(Clone, Debug)]
pub struct Ledger {
    entries: BTreeMap<Key, Entry>,
    /// What their addresses cost, see [`Addresses::cost`].
    cost: usize,
    /// What their resolvers cost.
    resolver_cost: usize,
    caps: Caps,
    key: Key,
    current: Entry,
    /// What was counted since the key was turned to.
    tally: Tally,
}

impl Default for Ledger {
    fn default() -> Self {
        let caps = Caps { cells: MAX_CELLS, resolver_cells: MAX_RESOLVER_CELLS };
        let (key, current) = (Key::default(), Entry::default());
        Ledger { entries: BTreeMap::new(), cost: 0, resolver_cost: 0, caps, key, current, tally: Tally::default() }
    }
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

    /// Where the next counts go.
    pub fn key(&self) -> Key {
        self.key
    }

    #[cold]
    fn switch(&mut self, key: Key) {
        self.file_current();
        let entry = self.entries.remove(&key).unwrap_or_default();
        self.discharge(&entry);
        self.current = entry;
        self.key = key;
    }

    fn file_current(&mut self) {
        self.tally.move_to(&mut self.current.counts);
        let entry = std::mem::take(&mut self.current);
        if entry != Entry::default() {
            self.file(self.key, entry);
        }
    }

    fn file(&mut self, key: Key, entry: Entry) {
        let caps = self.caps;
        let mine = self.entries.entry(key).or_default();
        let before = mine.cost(caps);
        mine.merge(entry, caps);
        let after = mine.cost(caps);
        self.cost = self.cost.saturating_sub(before.0).saturating_add(after.0);
        self.resolver_cost = self.resolver_cost.saturating_sub(before.1).saturating_add(after.1);
        while self.entries.len() > MAX_ENTRIES {
            let last = self.entries.range(..BEYOND).next_back().map(|(key, _)| *key);
            let Some((last, folded)) = last.and_then(|key| self.entries.remove_entry(&key)) else { break };
            self.discharge(&folded);
            debug_assert!(last < BEYOND, "only what is before it is folded");
            let counts = &mut self.entries.entry(BEYOND).or_default().counts;
            counts.merge(&folded.counts);
        }
        while self.cost > MAX_ALL_CELLS && self.caps.cells > 1 {
            self.caps.cells /= 2;
            self.cost = 0;
            for entry in self.entries.values_mut() {
                entry.addresses.limit(self.caps.cells);
                self.cost = self.cost.saturating_add(entry.addresses.cost(self.caps.cells));
            }
        }
        while self.resolver_cost > MAX_ALL_RESOLVER_CELLS && self.caps.resolver_cells > 1 {
            self.caps.resolver_cells /= 2;
            self.resolver_cost = 0;
            for entry in self.entries.values_mut() {
                entry.resolvers.limit(self.caps.resolver_cells);
                self.resolver_cost = self.resolver_cost.saturating_add(entry.resolvers.cost(self.caps.resolver_cells));
            }
        }
    }

    /// An entry is no longer among the others.
    fn discharge(&mut self, entry: &Entry) {
        let (addresses, resolvers) = entry.cost(self.caps);
        self.cost = self.cost.saturating_sub(addresses);
        self.resolver_cost = self.resolver_cost.saturating_sub(resolvers);
    }

    /// Counts one.
    #[inline]
    pub fn count(&mut self, counter: Counter) {
        self.tally.add(counter, 1);
    }

    /// Counts `n`.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        self.tally.add(counter, n);
    }

    /// Notes that a home address was seen in this quarter hour.
    pub fn address(&mut self, addr: Addr) {
        self.current.addresses.insert(addr, self.caps.cells);
    }

    /// Notes that a home host showed the name of a resolver for encrypted DNS,
    /// on port 853 or another.
    pub fn resolver(&mut self, name: &str, host: Addr, on_port: bool) {
        self.current.resolvers.insert(name, host, on_port, self.caps.resolver_cells);
    }

    /// Notes that a home host spoke with something on port 853, DNS over TLS
    /// or QUIC (RFC 7858, RFC 9250).
    pub fn resolver_port(&mut self, host: Addr) {
        self.current.resolvers.insert_on_port(host, self.caps.resolver_cells);
    }

    /// Adds another ledger's entries.
    pub fn merge(&mut self, mut other: Ledger) {
        self.file_current();
        other.file_current();
        for (key, entry) in other.entries {
            self.file(key, entry);
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
        let key = self.key;
        Ledger { key, ..std::mem::replace(self, Ledger { key, ..Ledger::default() }) }
    }

    /// The sum over all entries.
    pub fn total(&mut self) -> Counts {
        let mut sum = Counts::default();
        for entry in self.entries().values() {
            sum.merge(&entry.counts);
        }
        sum
    }

    /// What all quarter hours that are told apart could see.
    pub fn reach(&mut self) -> Reach {
        let mut reach = Reach::default();
        let mut quarters: Vec<i64> = Vec::new();
        for (key, entry) in self.entries().range(..BEYOND) {
            reach.addresses.add_all(&entry.addresses);
            reach.resolvers.add_all(&entry.resolvers);
            if entry.counts.get(Counter::Frames) > 0 {
                quarters.push(key.quarter);
            }
        }
        quarters.sort_unstable();
        quarters.dedup();
        reach.quarters = quarters.len() as u64;
        reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Addr {
        let [_, b, c, d] = n.to_be_bytes();
        Addr([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b, c, d])
    }

    /// Counts in one ledger, or divided between several.
    fn divided(parts: usize, count: impl Fn(&mut Ledger, u32), n: u32) -> Ledger {
        let mut ledgers = vec![Ledger::new(); parts];
        for i in 0..n {
            let at = i.wrapping_mul(2_654_435_761) as usize >> 16;
            count(&mut ledgers[at % parts], i);
        }
        let mut all = Ledger::new();
        ledgers.into_iter().rev().for_each(|l| all.merge(l));
        all
    }

    #[test]
    fn many_addresses_in_many_quarters_are_sampled_alike_by_any_number_of_threads() {
        let count = |l: &mut Ledger, i: u32| {
            l.turn_to(Key { source: 0, interface: 0, quarter: i64::from(i % 100) });
            // A few quarter hours are busier than the others.
            let many = if i % 100 < 10 { 400_000 } else { 5_000 };
            l.address(address(i / 100 % many));
            l.count(Counter::Frames);
        };
        let mut one = divided(1, count, 300_000);
        assert!(one.caps.cells < MAX_CELLS, "the cap of all is reached");
        let cells: usize = one.entries().values().map(|e| e.addresses.cells()).sum();
        assert!(cells <= MAX_ALL_CELLS);
        for parts in [2, 8] {
            let mut many = divided(parts, count, 300_000);
            assert_eq!(many.entries(), one.entries(), "{parts}");
        }
        let distinct = one.entries()[&Key { source: 0, interface: 0, quarter: 3 }].addresses.distinct();
        assert!((2_400..3_600).contains(&distinct), "{distinct}");
    }

    #[test]
    fn quarters_beyond_the_cap_are_one_and_stay_in_the_sum() {
        let more = 1000;
        let n = MAX_ENTRIES as u32 + more;
        let count = |l: &mut Ledger, i: u32| {
            l.turn_to(Key { source: 0, interface: 0, quarter: i64::from(i.wrapping_mul(7919) % n) });
            l.count(Counter::Frames);
            l.address(address(i));
        };
        let mut one = divided(1, count, n);
        assert_eq!(one.total().get(Counter::Frames), u64::from(n));
        assert_eq!(one.entries().len(), MAX_ENTRIES);
        assert!(one.entries()[&BEYOND].counts.get(Counter::Frames) > u64::from(more));
        let mut many = divided(3, count, n);
        assert_eq!(many.entries(), one.entries());
    }

    #[test]
    fn many_resolvers_in_many_quarters_are_held_alike_by_any_number_of_threads() {
        let count = |l: &mut Ledger, i: u32| {
            l.turn_to(Key { source: 0, interface: 0, quarter: i64::from(i % 6) });
            let name = format!("r{:03}.example", i / 6 % 150);
            l.resolver(&name, address(i / 7), i.is_multiple_of(3));
            l.resolver_port(address(i / 11));
        };
        let mut one = divided(1, count, 40_000);
        assert!(one.caps.resolver_cells < MAX_RESOLVER_CELLS && one.caps.cells == MAX_CELLS);
        assert!(one.resolver_cost <= MAX_ALL_RESOLVER_CELLS);
        for parts in [2, 8] {
            let mut many = divided(parts, count, 40_000);
            assert_eq!(many.entries(), one.entries(), "{parts}");
        }
        let hosts = one.reach().resolvers.hosts().distinct();
        assert!((4_500..7_000).contains(&hosts), "5,715 hosts in all: {hosts}");
    }

    #[test]
    fn what_could_be_seen_is_summed_over_quarter_hours() {
        let mut l = Ledger::new();
        for (interface, quarter, host) in [(0, 5, 1), (1, 5, 1), (0, 6, 2), (0, 9, 2)] {
            l.turn_to(Key { source: 0, interface, quarter });
            l.address(address(host));
            l.resolver("dns.example", address(host), false);
            l.count(if quarter == 9 { Counter::Flows } else { Counter::Frames });
        }
        let reach = l.reach();
        assert_eq!((reach.addresses.distinct(), reach.quarters, reach.resolvers.hosts().distinct()), (2, 2, 2));
    }

    #[test]
    fn what_is_taken_is_counted_once() {
        let mut l = Ledger::new();
        l.turn_to(Key { source: 0, interface: 0, quarter: 5 });
        l.count(Counter::Frames);
        let mut taken = l.take();
        l.count(Counter::Frames);
        l.count(Counter::Frames);
        assert_eq!((taken.total().get(Counter::Frames), l.total().get(Counter::Frames)), (1, 2));
        assert_eq!(l.entries().keys().next().map(|k| k.quarter), Some(5));
        taken.merge(l);
        assert_eq!(taken.total().get(Counter::Frames), 3);
    }
}
