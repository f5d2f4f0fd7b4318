//! Host patterns: expressions on the labels in front of a name.
//!
//! A list may have thousands below one name, as of a provider of dynamic names.
//! So a sequence that begins or ends with fixed text is filed under it; all
//! others are tried one after another.

use super::pattern::{self, Expression};
use super::prefixes::Prefixes;
use super::sequence::{Sequence, Sequences};

/// No indicator.
const NONE: u32 = u32::MAX;

/// A rule that is filed.
#[derive(Debug)]
struct Filed {
    sequence: u32,
    order: u32,
    indicator: u32,
    alarm: bool,
}

/// A rule that is tried on all names below its own.
#[derive(Debug)]
struct Tried {
    group: u32,
    regex: Expression,
    order: u32,
    indicator: u32,
    alarm: bool,
}

/// All host patterns, in groups by the name that they stand in front of.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    sequences: Sequences,
    filed: Vec<Filed>,
    /// Group and first bytes, group and last bytes from the end.
    starts: Prefixes,
    ends: Prefixes,
    /// Sorted by group.
    tried: Vec<Tried>,
}

/// The sequence of labels, and what it begins and ends with; `None` if it has
/// to be tried.
pub(super) fn sequence(labels: &str) -> Option<(Sequence, Vec<u8>, Vec<u8>)> {
    let sequence = Sequence::parse(labels)?.whole();
    let (prefix, suffix) = (sequence.prefix(), sequence.suffix());
    (!prefix.is_empty() || !suffix.is_empty()).then_some((sequence, prefix, suffix))
}

impl HostIndex {
    /// Adds a pattern, whose expression is sound, to a group: the alarms of the
    /// catalogue first, else in its order. Nothing is found before
    /// [`HostIndex::finish`].
    ///
    /// # Errors
    /// That there are too many.
    pub fn add(&mut self, group: u32, labels: &str, alarm: bool, indicator: u32) -> Result<(), String> {
        let full = || "too many host patterns".to_owned();
        let order = u32::try_from(self.filed.len() + self.tried.len()).map_err(|_| full())?;
        let Some((sequence, prefix, mut suffix)) = sequence(labels) else {
            let regex = Expression::new(labels, pattern::compile_labels);
            self.tried.push(Tried { group, regex, order, indicator, alarm });
            return Ok(());
        };
        let number = u32::try_from(self.filed.len()).map_err(|_| full())?;
        let group = group.to_be_bytes();
        let added = if prefix.len() >= suffix.len() {
            self.starts.add(&[&group, prefix.as_slice()].concat(), number)
        } else {
            suffix.reverse();
            self.ends.add(&[&group, suffix.as_slice()].concat(), number)
        };
        added.ok_or_else(full)?;
        let sequence = self.sequences.put(&sequence).ok_or_else(full)?;
        self.filed.push(Filed { sequence, order, indicator, alarm });
        Ok(())
    }

    /// Makes the index ready.
    pub fn finish(&mut self) {
        self.starts.sort();
        self.ends.sort();
        self.tried.sort_by_key(|t| t.group);
        self.filed.shrink_to_fit();
    }

    /// The first alarm, and the first other indicator, of a group whose
    /// pattern fits labels.
    pub fn find(&self, group: u32, labels: &[u8]) -> (u32, u32) {
        // Order and indicator: of alarms, of others.
        let mut best = [(u32::MAX, NONE); 2];
        let mut take = |alarm: bool, order: u32, indicator: u32, fits: &dyn Fn() -> bool| {
            let [alarms, others] = &mut best;
            let best = if alarm { alarms } else { others };
            if order < best.0 && fits() {
                *best = (order, indicator);
            }
        };
        let first = self.tried.partition_point(|t| t.group < group);
        for t in self.tried.iter().skip(first).take_while(|t| t.group == group) {
            take(t.alarm, t.order, t.indicator, &|| t.regex.is_match(labels));
        }
        if !self.filed.is_empty() {
            let mut key = [0; 4 + pattern::NAME_MAX];
            let (head, tail) = key.split_at_mut(4);
            head.copy_from_slice(&group.to_be_bytes());
            let Some(tail) = tail.get_mut(..labels.len()) else { return (NONE, NONE) };
            tail.copy_from_slice(labels);
            let mut found = |number: u32| {
                if let Some(f) = self.filed.get(number as usize) {
                    take(f.alarm, f.order, f.indicator, &|| self.sequences.fits(f.sequence, labels));
                }
            };
            self.starts.each(key.get(..4 + labels.len()).unwrap_or_default(), 5, &mut found);
            if let Some(tail) = key.get_mut(4..4 + labels.len()) {
                tail.reverse();
            }
            self.ends.each(key.get(..4 + labels.len()).unwrap_or_default(), 5, &mut found);
        }
        let [(_, alarm), (_, other)] = best;
        (alarm, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::pattern::compile_labels;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_trying_all_finds(
            list in prop::collection::vec(
                (0u32..3, "[ab]{0,3}(\\[ab\\]\\+|\\.\\*|\\(a\\|bb\\)|)[ab]{0,3}", any::<bool>()), 0..25),
            probes in prop::collection::vec((0u32..3, "[ab]{0,7}"), 20),
        ) {
            let mut index = HostIndex::default();
            for ((group, labels, alarm), value) in list.iter().zip(0..) {
                index.add(*group, labels, *alarm, value).unwrap();
            }
            index.finish();
            for (group, text) in probes {
                let plain = |wanted: bool| {
                    let fits = |labels: &str| compile_labels(labels).unwrap().is_match(text.as_bytes());
                    list.iter().zip(0..).find(|((g, labels, alarm), _)| *g == group && *alarm == wanted && fits(labels))
                        .map_or(NONE, |(_, value)| value)
                };
                prop_assert_eq!(index.find(group, text.as_bytes()), (plain(true), plain(false)), "{}", text);
            }
        }
    }
}
