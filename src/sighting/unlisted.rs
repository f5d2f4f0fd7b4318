//! Names that look like the vendor's and are in no list: gaps of the catalogue
//! and new look-alikes show there.

use std::collections::BTreeMap;

/// Most names listed.
pub const CAP: usize = 1000;
/// Most names listed of one shard.
const SHARD_CAP: usize = 256;
/// What makes a name worth listing.
const NEEDLE: &[u8] = b"kaspersk";

/// Counted names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    names: BTreeMap<Box<str>, (u64, bool)>,
    more: u64,
    cap: usize,
}

impl Default for Unlisted {
    fn default() -> Self {
        Unlisted { names: BTreeMap::new(), more: 0, cap: CAP }
    }
}

impl Unlisted {
    /// Most bytes of one shard's names. A node of the tree is half full at
    /// least.
    pub(super) const SHARD_BYTES: usize = SHARD_CAP * (255 + 16 + 2 * size_of::<(Box<str>, (u64, bool))>());

    /// The names of one shard.
    pub(super) fn of_shard() -> Self {
        Unlisted { cap: SHARD_CAP, ..Unlisted::default() }
    }

    /// Counts a name if it contains `kaspersk`. `residual`: it matched a whole
    /// domain of unknown purpose, otherwise nothing.
    #[inline]
    pub fn note(&mut self, name: &str, residual: bool) {
        // Setting a search up costs more than one look for the rarest letter.
        let name_at = |at| name.as_bytes().get(at..).is_some_and(|tail: &[u8]| tail.starts_with(NEEDLE));
        if memchr::memchr_iter(b'k', name.as_bytes()).any(name_at) {
            self.add(name, residual, 1);
        }
    }

    fn add(&mut self, name: &str, residual: bool, n: u64) {
        if let Some((count, _)) = self.names.get_mut(name) {
            *count = count.saturating_add(n);
        } else if self.names.len() < self.cap {
            self.names.insert(name.into(), (n, residual));
        } else {
            self.more = self.more.saturating_add(n);
        }
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Unlisted) {
        for (name, (n, residual)) in &other.names {
            self.add(name, *residual, *n);
        }
        self.more = self.more.saturating_add(other.more);
    }

    /// Name, count, and whether a residual suffix covers it; by falling count.
    pub fn list(&self) -> Vec<(&str, u64, bool)> {
        let mut all: Vec<_> = self.names.iter().map(|(n, (c, r))| (&**n, *c, *r)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }

    /// Times that a name was seen which the full list had no room for.
    pub fn more(&self) -> u64 {
        self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_looks_like_the_vendor() {
        let mut u = Unlisted::default();
        for n in ["notkaspersky.com", "example.com", "kkaspers.k", "kaspers", "notkaspersky.com", "x.kaspersky.com"] {
            u.note(n, n.starts_with("x."));
        }
        let mut v = Unlisted::default();
        v.note("x.kaspersky.com", true);
        u.merge(&v);
        let flood: Vec<String> = (0..2000).map(|i| format!("{i}.kaspersky.test")).collect();
        let mut shard = Unlisted::of_shard();
        flood.iter().for_each(|n| shard.note(n, false));
        assert_eq!((shard.list().len(), shard.more()), (SHARD_CAP, (2000 - SHARD_CAP) as u64));
        let mut all = Unlisted::default();
        flood.iter().for_each(|n| all.note(n, false));
        assert_eq!((all.list().len(), all.more()), (CAP, 1000));
        assert_eq!(u.list(), [("notkaspersky.com", 2, false), ("x.kaspersky.com", 2, true)]);
    }
}
