//! Host names to indicators: hash tables over whole names and suffixes, with
//! regular expressions only below names that were found.
//!
//! The table holds every name of the catalogue and every suffix of one, down
//! to two labels (one, if the catalogue has a name of one label). A lookup
//! starts at the last two labels and adds one label at a time while the suffix
//! is in the table. So most names of other people's traffic cost one lookup,
//! and no name costs more than its labels.

use super::IndicatorRef;
use super::pattern::NAME_MAX;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// No indicator.
const NONE: u32 = u32::MAX;

/// How a pattern of a name wins over others; the first is the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Look-alike or sinkhole, exact name.
    AlarmExact,
    /// Look-alike or sinkhole, host pattern.
    AlarmHost,
    /// Look-alike or sinkhole, suffix.
    AlarmSuffix,
    /// Exact name.
    Exact,
    /// Host pattern.
    Host,
    /// Suffix.
    Suffix,
    /// Suffix that stands for a whole domain.
    Residual,
}

/// A name in the table: a tail of `arena`.
#[derive(Clone, Copy, Debug)]
struct Node {
    offset: u32,
    len: u8,
    /// Index into `slots`, or `NONE` for a name that only leads to longer ones.
    slots: u32,
}

/// What the catalogue says about one name.
#[derive(Clone, Copy, Debug)]
struct Slots {
    alarm_exact: u32,
    alarm_suffix: u32,
    exact: u32,
    suffix: u32,
    residual: u32,
    /// Index into `hosts`, or `NONE`.
    hosts: u32,
}

const EMPTY: Slots =
    Slots { alarm_exact: NONE, alarm_suffix: NONE, exact: NONE, suffix: NONE, residual: NONE, hosts: NONE };

#[derive(Debug)]
struct HostRule {
    regex: regex::bytes::Regex,
    indicator: u32,
    alarm: bool,
}

/// Index of all name patterns.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    arena: Vec<u8>,
    table: HashTable<Node>,
    slots: Vec<Slots>,
    hosts: Vec<Vec<HostRule>>,
    single_labels: bool,
    hasher: FixedState,
}

impl NameIndex {
    /// An index for names of at least two labels, or of any number.
    pub fn new(single_labels: bool) -> Self {
        NameIndex { single_labels, ..NameIndex::default() }
    }

    #[inline]
    fn hash(&self, name: &[u8]) -> u64 {
        let mut h = self.hasher.build_hasher();
        h.write(name);
        h.finish()
    }

    #[inline]
    fn lookup(&self, name: &[u8]) -> Option<&Node> {
        self.table.find(self.hash(name), |n| text(&self.arena, n) == name)
    }

    /// Adds the node of a name and those that lead to it, and gives its slots.
    /// `None` if the index is full (4 GiB of names).
    fn slots_of(&mut self, name: &str) -> Option<&mut Slots> {
        let bytes = name.as_bytes();
        let slots = match self.lookup(bytes) {
            Some(n) if n.slots != NONE => n.slots,
            known => {
                let new_text = known.is_none();
                let slots = u32::try_from(self.slots.len()).ok().filter(|s| *s != NONE)?;
                if new_text {
                    self.insert_with_suffixes(bytes)?;
                }
                let hash = self.hash(bytes);
                let arena = &self.arena;
                self.table.find_mut(hash, |n| text(arena, n) == bytes)?.slots = slots;
                self.slots.push(EMPTY);
                slots
            }
        };
        self.slots.get_mut(slots as usize)
    }

    fn insert_with_suffixes(&mut self, name: &[u8]) -> Option<()> {
        let base = self.arena.len();
        u32::try_from(base.checked_add(name.len())?).ok()?;
        self.arena.extend_from_slice(name);
        let mut start = 0;
        loop {
            let tail = name.get(start..)?;
            let next = memchr::memchr(b'.', tail).map(|dot| start + dot + 1);
            if next.is_none() && !self.single_labels && start > 0 {
                break;
            }
            let hash = self.hash(tail);
            if self.table.find(hash, |n| text(&self.arena, n) == tail).is_some() {
                // Its own suffixes are there already.
                break;
            }
            let node =
                Node { offset: u32::try_from(base + start).ok()?, len: u8::try_from(tail.len()).ok()?, slots: NONE };
            let (arena, hasher) = (&self.arena, &self.hasher);
            self.table.insert_unique(hash, node, |n| {
                let mut h = hasher.build_hasher();
                h.write(text(arena, n));
                h.finish()
            });
            match next {
                Some(n) => start = n,
                None => break,
            }
        }
        Some(())
    }

    /// Adds a name pattern that is not a regular expression. `Some(true)` if
    /// an earlier one took its place.
    pub fn add(&mut self, name: &str, rank: Rank, indicator: IndicatorRef) -> Option<bool> {
        let s = self.slots_of(name)?;
        let slot = match rank {
            Rank::AlarmExact => &mut s.alarm_exact,
            Rank::AlarmSuffix => &mut s.alarm_suffix,
            Rank::Exact => &mut s.exact,
            Rank::Suffix => &mut s.suffix,
            Rank::Residual => &mut s.residual,
            Rank::AlarmHost | Rank::Host => return None,
        };
        if *slot == NONE {
            *slot = indicator.0;
            Some(false)
        } else {
            Some(*slot != indicator.0)
        }
    }

    /// Adds a regular expression for the labels in front of `under`.
    pub fn add_host(
        &mut self,
        under: &str,
        regex: regex::bytes::Regex,
        alarm: bool,
        indicator: IndicatorRef,
    ) -> Option<()> {
        let new = u32::try_from(self.hosts.len()).ok()?;
        let s = self.slots_of(under)?;
        if s.hosts == NONE {
            s.hosts = new;
            self.hosts.push(Vec::new());
        }
        let at = self.slots_of(under)?.hosts;
        self.hosts.get_mut(at as usize)?.push(HostRule { regex, indicator: indicator.0, alarm });
        Some(())
    }

    /// The winner among all patterns that fit a canonical name.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<IndicatorRef> {
        if name.len() > NAME_MAX {
            return None;
        }
        let mut start = label_start(name, name.len());
        if !self.single_labels {
            start = label_start(name, start.checked_sub(1)?);
        }
        let node = self.lookup(name.get(start..)?)?;
        self.walk(name, start, node)
    }

    /// Follows a name from its first known suffix to the longest one.
    fn walk(&self, name: &[u8], mut start: usize, first: &Node) -> Option<IndicatorRef> {
        let mut best = EMPTY;
        let (mut alarm_host, mut host) = (NONE, NONE);
        let mut node = first;
        loop {
            if let Some(s) = self.slots.get(node.slots as usize) {
                take(&mut best.alarm_suffix, s.alarm_suffix);
                take(&mut best.suffix, s.suffix);
                take(&mut best.residual, s.residual);
                if start == 0 {
                    best.alarm_exact = s.alarm_exact;
                    best.exact = s.exact;
                } else if let (Some(rules), Some(labels)) = (self.hosts.get(s.hosts as usize), name.get(..start - 1)) {
                    let first = |alarm| {
                        let mut fits = rules.iter().filter(|r| r.alarm == alarm && r.regex.is_match(labels));
                        fits.next().map_or(NONE, |r| r.indicator)
                    };
                    take(&mut alarm_host, first(true));
                    take(&mut host, first(false));
                }
            }
            if start == 0 {
                break;
            }
            start = label_start(name, start - 1);
            match self.lookup(name.get(start..)?) {
                Some(n) => node = n,
                None => break,
            }
        }
        [best.alarm_exact, alarm_host, best.alarm_suffix, best.exact, host, best.suffix, best.residual]
            .into_iter()
            .find(|r| *r != NONE)
            .map(IndicatorRef)
    }
}

/// A later, longer suffix wins over an earlier one.
fn take(best: &mut u32, new: u32) {
    if new != NONE {
        *best = new;
    }
}

fn text<'a>(arena: &'a [u8], node: &Node) -> &'a [u8] {
    let start = node.offset as usize;
    arena.get(start..start + usize::from(node.len)).unwrap_or_default()
}

/// Where the label that ends at `end` starts.
#[inline]
fn label_start(name: &[u8], end: usize) -> usize {
    name.iter().take(end).rposition(|b| *b == b'.').map_or(0, |dot| dot + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_from_the_right() {
        let name = b"a.bc.d";
        assert_eq!(label_start(name, 6), 5);
        assert_eq!(label_start(name, 4), 2);
        assert_eq!(label_start(name, 1), 0);
        assert_eq!(label_start(b"", 0), 0);
    }

    #[test]
    fn suffixes_lead_to_longer_names() {
        let mut i = NameIndex::new(false);
        assert_eq!(i.add("c.b.example.net", Rank::Exact, IndicatorRef(1)), Some(false));
        assert_eq!(i.add("example.net", Rank::Suffix, IndicatorRef(2)), Some(false));
        assert_eq!(i.add("example.net", Rank::Suffix, IndicatorRef(3)), Some(true));
        assert_eq!(i.add("d.c.b.example.net", Rank::Suffix, IndicatorRef(4)), Some(false));
        assert_eq!(i.find(b"c.b.example.net"), Some(IndicatorRef(1)));
        assert_eq!(i.find(b"x.b.example.net"), Some(IndicatorRef(2)));
        assert_eq!(i.find(b"x.d.c.b.example.net"), Some(IndicatorRef(4)));
        assert_eq!(i.find(b"example.net"), Some(IndicatorRef(2)));
        assert_eq!(i.find(b"xexample.net"), None);
        assert_eq!(i.find(b"net"), None);
        assert_eq!(i.find(b""), None);
    }

    #[test]
    fn names_of_one_label() {
        let mut i = NameIndex::new(true);
        i.add("kaspersky", Rank::Suffix, IndicatorRef(7));
        assert_eq!(i.find(b"kaspersky"), Some(IndicatorRef(7)));
        assert_eq!(i.find(b"www.kaspersky"), Some(IndicatorRef(7)));
        assert_eq!(i.find(b"kaspersky.com"), None);
    }
}
