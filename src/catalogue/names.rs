//! Host names to indicators: hash tables over whole names and suffixes, with
//! regular expressions only below names that were found.
//!
//! The table holds every name of the catalogue and every suffix of one, down
//! to two labels (one, if the catalogue has a name of one label). A lookup
//! starts at the last two labels and adds one label at a time while the suffix
//! is in the table. So most names of other people's traffic cost one lookup,
//! and no name costs more than its labels.

use super::IndicatorRef;
use super::hosts::HostIndex;
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

/// A name in the table: a part of the catalogue's entries.
#[derive(Clone, Copy, Debug)]
struct Node {
    offset: u32,
    len: u8,
    /// What the catalogue says about it: `NONE` of a name that only leads to
    /// longer ones; an indicator with a kind above it, since nearly all names
    /// have one pattern; or the kind `SEVERAL` and an index into `slots`.
    said: u32,
}

/// Bits of an indicator, or of an index, in `Node::said`.
const SAID_BITS: u32 = 29;
/// Kind of a name that has several patterns or host patterns.
const SEVERAL: u32 = 6;

/// What the catalogue says about one name: an indicator, or `NONE`, of each
/// rank that is no host pattern.
#[derive(Clone, Copy, Debug)]
struct Slots {
    /// By [`place`].
    by_rank: [u32; 5],
    /// Group of host patterns, or `NONE`.
    hosts: u32,
}

const EMPTY: Slots = Slots { by_rank: [NONE; 5], hosts: NONE };

/// Where a rank stands among those that are no host pattern.
fn place(rank: Rank) -> Option<usize> {
    Some(match rank {
        Rank::AlarmExact => 0,
        Rank::AlarmSuffix => 1,
        Rank::Exact => 2,
        Rank::Suffix => 3,
        Rank::Residual => 4,
        Rank::AlarmHost | Rank::Host => return None,
    })
}

/// Index of all name patterns. Names lie in the bytes of the catalogue's
/// entries, which every call is given anew.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    table: HashTable<Node>,
    slots: Vec<Slots>,
    hosts: HostIndex,
    groups: u32,
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
    fn lookup(&self, bytes: &[u8], name: &[u8]) -> Option<&Node> {
        self.table.find(self.hash(name), |n| text(bytes, n) == name)
    }

    /// Adds the node of the name at a place, and those that lead to it, and
    /// gives what is said of it.
    fn said_of(&mut self, bytes: &[u8], at: u32, name: &[u8]) -> Option<&mut u32> {
        if self.lookup(bytes, name).is_none() {
            self.insert_with_suffixes(bytes, at, name)?;
        }
        let hash = self.hash(name);
        Some(&mut self.table.find_mut(hash, |n| text(bytes, n) == name)?.said)
    }

    fn insert_with_suffixes(&mut self, bytes: &[u8], at: u32, name: &[u8]) -> Option<()> {
        let mut start = 0;
        loop {
            let tail = name.get(start..)?;
            let next = memchr::memchr(b'.', tail).map(|dot| start + dot + 1);
            if next.is_none() && !self.single_labels && start > 0 {
                break;
            }
            let hash = self.hash(tail);
            if self.table.find(hash, |n| text(bytes, n) == tail).is_some() {
                // Its own suffixes are there already.
                break;
            }
            let offset = at.checked_add(u32::try_from(start).ok()?)?;
            let node = Node { offset, len: u8::try_from(tail.len()).ok()?, said: NONE };
            let hasher = &self.hasher;
            self.table.insert_unique(hash, node, |n| {
                let mut h = hasher.build_hasher();
                h.write(text(bytes, n));
                h.finish()
            });
            match next {
                Some(n) => start = n,
                None => break,
            }
        }
        Some(())
    }

    /// The slots of the name at a place, where what was said of it alone goes
    /// too.
    fn slots_of(&mut self, bytes: &[u8], at: u32, name: &[u8]) -> Option<&mut Slots> {
        let new = u32::try_from(self.slots.len()).ok().filter(|n| *n < 1 << SAID_BITS)?;
        let said = self.said_of(bytes, at, name)?;
        let before = *said;
        if kind(before) == SEVERAL {
            return self.slots.get_mut(value(before) as usize);
        }
        *said = SEVERAL << SAID_BITS | new;
        let mut slots = EMPTY;
        if let Some(slot) = slots.by_rank.get_mut(kind(before) as usize) {
            *slot = value(before);
        }
        self.slots.push(slots);
        self.slots.last_mut()
    }

    /// Adds a name pattern that is not a regular expression: the name at a
    /// place in the bytes of the entries. `Some(true)` if an earlier one took
    /// its place, `None` if there is no room.
    pub fn add(&mut self, bytes: &[u8], at: u32, name: &str, rank: Rank, indicator: IndicatorRef) -> Option<bool> {
        if indicator.0 >> SAID_BITS != 0 {
            return None;
        }
        let (place, name) = (place(rank)?, name.as_bytes());
        let said = self.said_of(bytes, at, name)?;
        let alone = u32::try_from(place).ok()? << SAID_BITS | indicator.0;
        if *said == NONE {
            *said = alone;
            return Some(false);
        }
        if kind(*said) == kind(alone) {
            return Some(*said != alone);
        }
        let slot = self.slots_of(bytes, at, name)?.by_rank.get_mut(place)?;
        if *slot == NONE {
            *slot = indicator.0;
            Some(false)
        } else {
            Some(*slot != indicator.0)
        }
    }

    /// Adds a regular expression for the labels in front of the name at a
    /// place.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn add_host(
        &mut self,
        bytes: &[u8],
        (at, under): (u32, &str),
        labels: &str,
        alarm: bool,
        indicator: IndicatorRef,
    ) -> Result<(), String> {
        let full = || "too many names".to_owned();
        let new = self.groups;
        let s = self.slots_of(bytes, at, under.as_bytes()).ok_or_else(full)?;
        let group = if s.hosts == NONE { new } else { s.hosts };
        s.hosts = group;
        self.groups = self.groups.max(group.checked_add(1).ok_or_else(full)?);
        self.hosts.add(group, labels, alarm, indicator.0)
    }

    /// Makes the index ready, when all patterns are added.
    pub fn finish(&mut self) {
        self.hosts.finish();
        self.slots.shrink_to_fit();
    }

    /// The winner among all patterns that fit a canonical name.
    #[inline]
    pub fn find(&self, bytes: &[u8], name: &[u8]) -> Option<IndicatorRef> {
        if name.len() > NAME_MAX {
            return None;
        }
        let mut start = label_start(name, name.len());
        if !self.single_labels {
            start = label_start(name, start.checked_sub(1)?);
        }
        let node = self.lookup(bytes, name.get(start..)?)?;
        self.walk(bytes, name, start, node)
    }

    /// Follows a name from its first known suffix to the longest one.
    fn walk(&self, bytes: &[u8], name: &[u8], mut start: usize, first: &Node) -> Option<IndicatorRef> {
        let mut best = [NONE; 5];
        let (mut alarm_host, mut host) = (NONE, NONE);
        let mut node = first;
        loop {
            let several = if kind(node.said) == SEVERAL { self.slots.get(value(node.said) as usize) } else { None };
            // Exact names stand at 0 and 2, and fit whole names only.
            let fits = |place: usize| start == 0 || place % 2 == 1 || place == 4;
            if let Some(s) = several {
                for (place, (best, new)) in best.iter_mut().zip(s.by_rank).enumerate() {
                    if new != NONE && fits(place) {
                        *best = new;
                    }
                }
                if s.hosts != NONE
                    && let Some(labels) = start.checked_sub(1).and_then(|end| name.get(..end))
                {
                    let (alarm, other) = self.hosts.find(s.hosts, labels);
                    take(&mut alarm_host, alarm);
                    take(&mut host, other);
                }
            } else {
                let place = kind(node.said) as usize;
                if let Some(best) = best.get_mut(place).filter(|_| fits(place)) {
                    *best = value(node.said);
                }
            }
            if start == 0 {
                break;
            }
            start = label_start(name, start - 1);
            match self.lookup(bytes, name.get(start..)?) {
                Some(n) => node = n,
                None => break,
            }
        }
        let [alarm_exact, alarm_suffix, exact, suffix, residual] = best;
        [alarm_exact, alarm_host, alarm_suffix, exact, host, suffix, residual]
            .into_iter()
            .find(|r| *r != NONE)
            .map(IndicatorRef)
    }
}

/// What kind of thing is said of a name.
fn kind(said: u32) -> u32 {
    said >> SAID_BITS
}

/// The indicator or index that is said.
fn value(said: u32) -> u32 {
    said & ((1 << SAID_BITS) - 1)
}

/// A later, longer suffix wins over an earlier one.
fn take(best: &mut u32, new: u32) {
    if new != NONE {
        *best = new;
    }
}

fn text<'a>(bytes: &'a [u8], node: &Node) -> &'a [u8] {
    let start = node.offset as usize;
    bytes.get(start..start + usize::from(node.len)).unwrap_or_default()
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

    /// An index over a list of names.
    fn index(list: &[(&str, Rank, u32)], single: bool) -> (NameIndex, Vec<u8>, Vec<Option<bool>>) {
        let mut i = NameIndex::new(single);
        let mut bytes = Vec::new();
        list.iter().for_each(|(name, _, _)| bytes.extend(name.as_bytes()));
        let mut at = 0;
        let mut hidden = Vec::new();
        for (name, rank, indicator) in list {
            hidden.push(i.add(&bytes, at, name, *rank, IndicatorRef(*indicator)));
            at += u32::try_from(name.len()).unwrap();
        }
        i.finish();
        (i, bytes, hidden)
    }

    #[test]
    fn suffixes_lead_to_longer_names() {
        let list = [
            ("c.b.example.net", Rank::Exact, 1),
            ("example.net", Rank::Suffix, 2),
            ("example.net", Rank::Suffix, 3),
            ("d.c.b.example.net", Rank::Suffix, 4),
            ("example.net", Rank::Exact, 5),
            ("example.net", Rank::Suffix, 6),
            ("example.net", Rank::Exact, 5),
        ];
        let (i, bytes, hidden) = index(&list, false);
        assert_eq!(hidden, [false, false, true, false, false, true, false].map(Some));
        let find = |name: &[u8]| i.find(&bytes, name).map(|r| r.0);
        assert_eq!(find(b"c.b.example.net"), Some(1));
        assert_eq!(find(b"x.b.example.net"), Some(2));
        assert_eq!(find(b"x.d.c.b.example.net"), Some(4));
        assert_eq!(find(b"example.net"), Some(5));
        assert_eq!(find(b"xexample.net"), None);
        assert_eq!(find(b"net"), None);
        assert_eq!(find(b""), None);
        // Each name and suffix of two labels once, and only one of them twice
        // used.
        assert_eq!((i.table.len(), i.slots.len()), (4, 1));
    }

    #[test]
    fn names_of_one_label() {
        let (i, bytes, _) = index(&[("kaspersky", Rank::Suffix, 7)], true);
        assert_eq!(i.find(&bytes, b"kaspersky"), Some(IndicatorRef(7)));
        assert_eq!(i.find(&bytes, b"www.kaspersky"), Some(IndicatorRef(7)));
        assert_eq!(i.find(&bytes, b"kaspersky.com"), None);
    }
}
