//! Which drafts stand as records.

use super::draft::{Draft, DraftKey, HostKey, Names};
use super::naming::HostNames;
use super::observer::Askers;
use super::record::Record;
use crate::catalogue::{Catalogue, Category, Use};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;

/// Signals that are the same kind of hint count once: all netblocks together,
/// every other indicator by itself.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Signal {
    Netblock,
    Indicator(u32),
}

/// The different signals of each host on each day.
#[derive(Debug, Default)]
pub struct Signals(HashMap<(HostKey, i64), HashSet<Signal>>);

impl Signals {
    /// Notes that there is a draft of that key.
    pub fn add(&mut self, key: &DraftKey, catalogue: &Catalogue) {
        let signal = match catalogue.get(key.indicator) {
            Some(i) if i.category == Category::Netblock => Signal::Netblock,
            // An alarm is no sign of use.
            Some(i) if i.category.is_alarm() => return,
            _ => Signal::Indicator(key.indicator.0),
        };
        self.0.entry((key.host, key.day)).or_default().insert(signal);
    }

    /// Whether a draft stands alone although its indicator needs another,
    /// different signal of the same host on the same day.
    pub fn is_lonely(&self, key: &DraftKey, catalogue: &Catalogue) -> bool {
        let support = catalogue.get(key.indicator).is_some_and(|i| i.usage == Use::Support);
        support && self.0.get(&(key.host, key.day)).is_none_or(|s| s.len() < 2)
    }

    /// Forgets the days before `day`.
    pub fn forget(&mut self, day: i64) {
        self.0.retain(|(_, d), _| *d >= day);
    }
}

/// A record, and whether it needs another signal that did not come: then it is
/// stored, not printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The record.
    pub record: Record,
    /// Its indicator only supports, and nothing is there to be supported.
    pub lonely: bool,
    /// Source and interface in this run of each entry of the record's evidence.
    pub places: Vec<(u32, u16)>,
}

/// Makes records of drafts that come in the order of a [`super::Spool`].
/// Only those of one host and day are in memory at a time.
pub struct Records<'r, I: Iterator> {
    drafts: std::iter::Peekable<I>,
    catalogue: &'r Catalogue,
    names: &'r dyn Names,
    local_askers: &'r Askers,
    hosts: &'r HostNames,
    ready: VecDeque<Selected>,
}

impl<'r, I: Iterator<Item = io::Result<Draft>>> Records<'r, I> {
    /// The records of `drafts`. `local_askers` are all clients of the run that
    /// ask a local resolver, `hosts` what hosts say they are called.
    pub fn new(
        drafts: I,
        catalogue: &'r Catalogue,
        names: &'r dyn Names,
        local_askers: &'r Askers,
        hosts: &'r HostNames,
    ) -> Self {
        Records { drafts: drafts.peekable(), catalogue, names, local_askers, hosts, ready: VecDeque::new() }
    }

    /// Fetches the drafts of the next host and day.
    fn fetch(&mut self) -> io::Result<()> {
        let Some(first) = self.drafts.next().transpose()? else { return Ok(()) };
        let of = |key: &DraftKey| (key.day, key.host);
        let group = of(&first.key);
        let mut drafts = vec![first];
        while let Some(next) = self.drafts.next_if(|d| d.as_ref().map_or(true, |d| of(&d.key) == group)) {
            drafts.push(next?);
        }
        let mut signals = Signals::default();
        drafts.iter().for_each(|d| signals.add(&d.key, self.catalogue));
        let mut selected: Vec<Selected> = Vec::with_capacity(drafts.len());
        for mut d in drafts {
            d.settle(self.local_askers);
            d.call(self.hosts);
            let Some(indicator) = self.catalogue.get(d.key.indicator) else { continue };
            let lonely = signals.is_lonely(&d.key, self.catalogue);
            let places = d.frames().map(|(_, f)| (f.source, f.interface)).collect();
            selected.push(Selected { record: d.record(&indicator, self.names), lonely, places });
        }
        // Sources have numbers in the spool, and ids here.
        let order = |s: &Selected| (s.record.indicator.id.clone(), s.record.source.clone());
        selected.sort_by_cached_key(order);
        self.ready.extend(selected);
        Ok(())
    }
}

impl<I: Iterator<Item = io::Result<Draft>>> Iterator for Records<'_, I> {
    type Item = io::Result<Selected>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(e) = self.fetch()
        {
            return Some(Err(e));
        }
        self.ready.pop_front().map(Ok)
    }
}
