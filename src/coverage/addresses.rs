//! Which home addresses were seen, in bounded memory.

use crate::base::{Addr, Prefix};
use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;

/// A set of addresses: one bit for each of an IPv4 /24, IPv6 addresses whole.
///
/// Where it takes too many cells (a /24 or an IPv6 address each) it goes over
/// to a sample: those addresses whose hash ends in some zero bits, one more bit
/// each time it is too large again. So what it holds depends on which addresses
/// were added and on the cap alone, neither on their order nor on how they were
/// divided between several sets that were merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Map<u32, [u64; 4]>,
    v6: Map<Addr, ()>,
    /// Zero bits that the hash of an address in the sample ends in.
    level: u32,
}

impl Addresses {
    /// Adds an address, then holds the set to `cap` cells.
    pub(super) fn insert(&mut self, addr: Addr, cap: usize) {
        if !is_sampled(&addr, self.level) {
            return;
        }
        let fresh = match addr.as_v4() {
            Some([a, b, c, d]) => {
                let net = u32::from_be_bytes([0, a, b, c]);
                match self.v4.entry(net) {
                    Entry::Occupied(mut cell) => {
                        set_bit(cell.get_mut(), d);
                        false
                    }
                    Entry::Vacant(place) => {
                        set_bit(place.insert([0; 4]), d);
                        true
                    }
                }
            }
            None => self.v6.insert(addr, ()).is_none(),
        };
        if fresh {
            self.limit(cap);
        }
    }

    /// Adds all of another set, then holds this one to `cap` cells.
    pub(super) fn merge(&mut self, other: &Addresses, cap: usize) {
        if other.level > self.level {
            self.level = other.level;
            self.sample();
        }
        for (net, bits) in &other.v4 {
            let bits = if self.level > other.level { sampled(*net, *bits, self.level) } else { *bits };
            if bits != [0; 4] {
                let mine = self.v4.entry(*net).or_insert([0; 4]);
                mine.iter_mut().zip(bits).for_each(|(a, b)| *a |= b);
            }
        }
        let level = self.level;
        self.v6.extend(other.v6.keys().filter(|a| is_sampled(a, level)).map(|a| (*a, ())));
        self.limit(cap);
    }

    /// Adds all of another set.
    pub fn add_all(&mut self, other: &Addresses) {
        self.merge(other, super::ledger::MAX_CELLS);
    }

    /// Those that are not in `other`.
    pub(super) fn without(&self, other: &Addresses) -> Addresses {
        let mut left = self.clone();
        if other.level > left.level {
            left.level = other.level;
            left.sample();
        }
        left.v4.retain(|net, bits| {
            let theirs = other.v4.get(net).copied().unwrap_or_default();
            bits.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine &= !theirs);
            *bits != [0; 4]
        });
        left.v6.retain(|a, ()| !other.v6.contains_key(a));
        left
    }

    /// Goes over to a smaller sample until there are at most `cap` cells.
    pub(super) fn limit(&mut self, cap: usize) {
        while self.cells() > cap && self.level < 64 {
            self.level = self.level.saturating_add(1);
            self.sample();
        }
    }

    fn sample(&mut self) {
        let level = self.level;
        self.v6.retain(|a, ()| is_sampled(a, level));
        self.v4.retain(|net, bits| {
            *bits = sampled(*net, *bits, level);
            *bits != [0; 4]
        });
        self.v4.shrink_to_fit();
        self.v6.shrink_to_fit();
    }

    /// Cells in use.
    pub(super) fn cells(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// Cells that count towards a cap of all sets together: those it would
    /// take if it were only held to `cap`.
    pub(super) fn cost(&self, cap: usize) -> usize {
        if self.level > 0 { cap } else { self.cells().min(cap) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cells() == 0 && self.level == 0
    }

    fn held(&self) -> u64 {
        let bits = self.v4.values().flatten().map(|b| u64::from(b.count_ones()));
        bits.fold(self.v6.len() as u64, u64::saturating_add)
    }

    fn scale(&self, n: u64) -> u64 {
        n.saturating_mul(1u64.checked_shl(self.level).unwrap_or(u64::MAX))
    }

    /// Distinct addresses: exact, or estimated by the sample.
    pub fn distinct(&self) -> u64 {
        self.scale(self.held())
    }

    /// How many of [`Addresses::distinct`] are only estimated; 0 if it is exact.
    pub fn estimated(&self) -> u64 {
        self.distinct().saturating_sub(self.held())
    }

    /// Distinct addresses per IPv4 /24 and IPv6 /64, likewise exact or estimated.
    pub fn networks(&self) -> BTreeMap<Prefix, u64> {
        let v4 = self.v4.iter().map(|(net, bits)| {
            (Prefix::new(v4(*net, 0), 120), bits.iter().map(|b| u64::from(b.count_ones())).sum::<u64>())
        });
        let v6 = self.v6.keys().map(|a| {
            let mut base = *a;
            base.0.iter_mut().skip(8).for_each(|b| *b = 0);
            (Prefix::new(base, 64), 1)
        });
        let mut found: BTreeMap<Prefix, u64> = BTreeMap::new();
        for (prefix, n) in v4.chain(v6) {
            if let Some(prefix) = prefix {
                let sum = found.entry(prefix).or_default();
                *sum = sum.saturating_add(self.scale(n));
            }
        }
        found
    }
}

fn v4(net: u32, d: u8) -> Addr {
    let [_, a, b, c] = net.to_be_bytes();
    Addr::v4([a, b, c, d])
}

fn set_bit(bits: &mut [u64; 4], at: u8) {
    if let Some(word) = bits.get_mut(usize::from(at >> 6)) {
        *word |= 1 << (at & 63);
    }
}

/// The addresses of a /24 that are in a sample.
fn sampled(net: u32, bits: [u64; 4], level: u32) -> [u64; 4] {
    let mut kept = [0; 4];
    for (base, (word, kept)) in [0u8, 64, 128, 192].into_iter().zip(bits.into_iter().zip(&mut kept)) {
        let mut left = word;
        while left != 0 {
            let at = left.trailing_zeros() as u8;
            left &= left - 1;
            if is_sampled(&v4(net, base | at), level) {
                *kept |= 1 << at;
            }
        }
    }
    kept
}

/// A fixed hash: the sample must be the same in every run and every thread.
fn is_sampled(addr: &Addr, level: u32) -> bool {
    level == 0 || foldhash::quality::FixedState::with_seed(1).hash_one(addr.0).trailing_zeros() >= level
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(addrs: &[Addr], cap: usize) -> Addresses {
        let mut s = Addresses::default();
        addrs.iter().for_each(|a| s.insert(*a, cap));
        s
    }

    #[test]
    fn few_addresses_are_exact() {
        let addrs: Vec<Addr> =
            ["10.0.0.1", "10.0.0.200", "10.0.0.1", "10.0.1.1", "fd00::1", "fd00::2:1", "fd00:0:0:1::1"]
                .iter()
                .map(|a| a.parse().unwrap())
                .collect();
        let s = set(&addrs, 10);
        assert_eq!((s.distinct(), s.estimated(), s.cells()), (6, 0, 5));
        let found: Vec<String> = s.networks().iter().map(|(p, n)| format!("{p} {n}")).collect();
        assert_eq!(found, ["10.0.0.0/24 2", "10.0.1.0/24 1", "fd00::/64 2", "fd00:0:0:1::/64 1"]);
    }

    #[test]
    fn a_flood_becomes_a_sample_of_about_the_right_size() {
        for six in [false, true] {
            let mut s = Addresses::default();
            for n in 0..200_000u32 {
                let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
                let addr = if six {
                    Addr([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, a, b, c, d])
                } else {
                    Addr::v4([a, b, c, d])
                };
                s.insert(addr, 4096);
            }
            assert!(s.cells() <= 4096 && s.v4.capacity() + s.v6.capacity() < 20_000);
            assert!((180_000..220_000).contains(&s.distinct()), "{}", s.distinct());
            assert!(s.estimated() > 0 && s.estimated() < s.distinct());
        }
    }

    proptest! {
        #[test]
        fn neither_order_nor_division_matters(
            mut ids in proptest::collection::vec(0u32..3000, 0..300), cut in 0usize..300, cap in 1usize..60, v6 in any::<bool>(),
        ) {
            let addr = |n: &u32| {
                let [_, b, c, d] = n.wrapping_mul(7919).to_be_bytes();
                if v6 { Addr([0xfd, 0, 0, 0, 0, 0, 0, b, 0, 0, 0, 0, 0, 0, c, d]) } else { Addr::v4([10, b, c, d]) }
            };
            let all: Vec<Addr> = ids.iter().map(addr).collect();
            let whole = set(&all, cap);
            prop_assert!(whole.cells() <= cap);
            let (a, b) = all.split_at(cut.min(all.len()));
            // Parts may have been held to a larger cap.
            let (mut ab, mut ba) = (set(a, cap * 2), set(b, cap));
            let other = ba.clone();
            ba.merge(&ab, cap);
            ab.merge(&other, cap);
            prop_assert_eq!(&ab, &whole);
            prop_assert_eq!(&ba, &whole);
            ids.reverse();
            let all: Vec<Addr> = ids.iter().map(addr).collect();
            prop_assert_eq!(set(&all, cap), whole);
        }
    }
}
