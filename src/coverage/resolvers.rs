//! Which home hosts used encrypted DNS, by resolver, in bounded memory.

use super::Addresses;
use crate::base::Addr;
use std::collections::BTreeMap;

/// Most resolvers told apart in a quarter hour.
const MAX_NAMES: usize = 128;
/// Sets besides those of named resolvers.
const OTHER_SETS: usize = 3;

/// The row of hosts on port 853 whose resolver showed no listed name.
pub const UNNAMED: &str = "(port 853)";
/// The row of resolvers beyond those told apart.
pub const OTHERS: &str = "(others)";

/// Home hosts by the resolver whose name they showed, and those seen on the
/// port for DNS over TLS and QUIC (853).
///
/// Like [`Addresses`], what it holds depends on what was added alone: beyond
/// the cap the names that sort first are kept, all others are one set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    named: BTreeMap<Box<str>, Addresses>,
    others: Addresses,
    /// Hosts with payload on port 853.
    on_port: Addresses,
    /// Of which those that showed a listed name there.
    on_port_named: Addresses,
}

/// One resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolver<'a> {
    /// Its name as listed, [`UNNAMED`] or [`OTHERS`].
    pub name: &'a str,
    /// Distinct home hosts.
    pub hosts: u64,
    /// How many of them are only estimated.
    pub estimated: u64,
}

/// Names told apart under a cap of cells.
fn names(cap: usize) -> usize {
    MAX_NAMES.min(cap).max(1)
}

impl Resolvers {
    /// A host showed the name of a resolver, on port 853 or another.
    pub(super) fn insert(&mut self, name: &str, host: Addr, on_port: bool, cap: usize) {
        if on_port {
            self.on_port_named.insert(host, cap);
        }
        if let Some(hosts) = self.named.get_mut(name) {
            return hosts.insert(host, cap);
        }
        self.named.entry(name.into()).or_default().insert(host, cap);
        self.fold(cap);
    }

    /// A host spoke with something on port 853.
    pub(super) fn insert_on_port(&mut self, host: Addr, cap: usize) {
        self.on_port.insert(host, cap);
    }

    fn fold(&mut self, cap: usize) {
        while self.named.len() > names(cap) {
            let Some((_, hosts)) = self.named.pop_last() else { return };
            self.others.merge(&hosts, cap);
        }
    }

    /// Adds all of another account, then holds this one to `cap` cells a set.
    pub(super) fn merge(&mut self, other: &Resolvers, cap: usize) {
        for (name, hosts) in &other.named {
            match self.named.get_mut(name) {
                Some(mine) => mine.merge(hosts, cap),
                None => drop(self.named.insert(name.clone(), hosts.clone())),
            }
        }
        self.others.merge(&other.others, cap);
        self.on_port.merge(&other.on_port, cap);
        self.on_port_named.merge(&other.on_port_named, cap);
        self.limit(cap);
    }

    /// Adds all of another account.
    pub fn add_all(&mut self, other: &Resolvers) {
        self.merge(other, super::ledger::MAX_RESOLVER_CELLS);
    }

    /// Holds it to `cap` cells a set.
    pub(super) fn limit(&mut self, cap: usize) {
        self.named.values_mut().for_each(|hosts| hosts.limit(cap));
        for set in [&mut self.others, &mut self.on_port, &mut self.on_port_named] {
            set.limit(cap);
        }
        self.fold(cap);
    }

    /// Cells that count towards a cap of all together: where names were folded
    /// as many as it can take at all, so that it never falls by what is added.
    pub(super) fn cost(&self, cap: usize) -> usize {
        if !self.others.is_empty() || self.named.len() > names(cap) {
            return names(cap).saturating_add(OTHER_SETS).saturating_mul(cap);
        }
        let sets = self.named.values().chain([&self.on_port, &self.on_port_named]);
        sets.map(|hosts| hosts.cost(cap)).fold(0, usize::saturating_add)
    }

    /// Whether no host used encrypted DNS.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.on_port.is_empty() && self.on_port_named.is_empty()
    }

    /// The resolvers with hosts, by name; what has none comes last.
    pub fn rows(&self) -> Vec<Resolver<'_>> {
        let unnamed = self.on_port.without(&self.on_port_named);
        let named = self.named.iter().map(|(name, hosts)| (name.as_ref(), hosts));
        let rows = named.chain([(OTHERS, &self.others), (UNNAMED, &unnamed)]).map(|(name, hosts)| Resolver {
            name,
            hosts: hosts.distinct(),
            estimated: hosts.estimated(),
        });
        rows.filter(|row| row.hosts > 0).collect()
    }

    /// Hosts that used any of them.
    pub fn hosts(&self) -> Addresses {
        let mut all = self.others.clone();
        for set in self.named.values().chain([&self.on_port]) {
            all.add_all(set);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(n: u8) -> Addr {
        Addr::v4([10, 0, n, 1])
    }

    fn rows(r: &Resolvers) -> Vec<(String, u64)> {
        r.rows().into_iter().map(|r| (r.name.to_owned(), r.hosts)).collect()
    }

    #[test]
    fn hosts_are_counted_once_for_each_resolver() {
        let mut r = Resolvers::default();
        assert!(r.is_empty() && r.rows().is_empty());
        for (name, n, on_port) in
            [("dns.google", 1, false), ("dns.google", 1, true), ("dns.google", 2, true), ("dns.quad9.net", 1, false)]
        {
            r.insert(name, host(n), on_port, 100);
        }
        // 1 and 2 showed a name there, 3 did not.
        [1, 2, 3, 3].iter().for_each(|n| r.insert_on_port(host(*n), 100));
        let expected = [("dns.google".to_owned(), 2), ("dns.quad9.net".to_owned(), 1), (UNNAMED.to_owned(), 1)];
        assert_eq!(rows(&r), expected);
        assert_eq!((r.hosts().distinct(), r.hosts().estimated()), (3, 0));
    }

    #[test]
    fn names_beyond_the_cap_are_one_set() {
        let mut r = Resolvers::default();
        for n in 0..200u8 {
            r.insert(&format!("r{n:03}.example"), host(n), false, 1000);
        }
        let found = rows(&r);
        assert_eq!(found.len(), MAX_NAMES + 1);
        assert_eq!(found.last(), Some(&(OTHERS.to_owned(), 72)));
        assert_eq!(r.hosts().distinct(), 200);
        assert_eq!(r.cost(1000), (MAX_NAMES + OTHER_SETS) * 1000);
    }

    proptest! {
        #[test]
        fn neither_order_nor_division_matters(
            mut seen in proptest::collection::vec((0u8..12, any::<u8>(), 0u8..3), 0..200), cut in 0usize..200, cap in 1usize..10,
        ) {
            let set = |seen: &[(u8, u8, u8)], cap: usize| {
                let mut r = Resolvers::default();
                for (name, n, how) in seen {
                    match how {
                        0 => r.insert(&format!("r{name}"), host(*n), false, cap),
                        1 => r.insert(&format!("r{name}"), host(*n), true, cap),
                        _ => r.insert_on_port(host(*n), cap),
                    }
                }
                r
            };
            let whole = set(&seen, cap);
            let (a, b) = seen.split_at(cut.min(seen.len()));
            let (mut ab, mut ba) = (set(a, cap * 2), set(b, cap));
            let other = ba.clone();
            ba.merge(&ab, cap);
            ab.merge(&other, cap);
            prop_assert_eq!(&ab, &whole);
            prop_assert_eq!(&ba, &whole);
            // What it costs never falls by what is added.
            prop_assert!(set(a, cap).cost(cap) <= whole.cost(cap));
            seen.reverse();
            prop_assert_eq!(set(&seen, cap), whole);
        }
    }
}
