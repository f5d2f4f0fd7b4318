//! What a running sensor knows of each record, what of it was said, and what
//! is to be said next.

use super::draft::{Draft, DraftKey, HostKey};
use super::naming::{HostNames, Naming};
use super::select::Signals;
use crate::base::{Addr, NameSource};
use crate::catalogue::Catalogue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A record that changes without rising is said again after that time.
pub const PAUSE: Duration = Duration::from_secs(60);

/// One record.
#[derive(Debug, Default)]
struct Held {
    /// What each shard knows of it.
    parts: Vec<(usize, Draft)>,
    revision: u64,
    /// What its host is called.
    called: Option<(Box<str>, NameSource)>,
    /// Changed since the revision was given.
    fresh: bool,
    unprinted: bool,
    unstored: bool,
    printed_at: Option<Instant>,
}

impl Held {
    /// The record as it stands. A revision never has two contents.
    fn draft(&mut self) -> Option<Draft> {
        if std::mem::take(&mut self.fresh) {
            self.revision = self.revision.saturating_add(1);
        }
        let mut parts = self.parts.iter().map(|(_, d)| d);
        let mut whole = parts.next()?.clone();
        parts.for_each(|d| whole.merge(d));
        whole.revision = self.revision;
        whole.called.clone_from(&self.called);
        Some(whole)
    }
}

/// A record handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The record in the making, with its revision.
    pub draft: Draft,
    /// Its indicator needs another signal that did not come: it is stored, not
    /// printed.
    pub lonely: bool,
    /// It changed since it was last printed, or never was.
    pub unprinted: bool,
}

/// The records of the days that are not over.
#[derive(Debug)]
pub struct Board {
    catalogue: Arc<Catalogue>,
    held: HashMap<DraftKey, Held>,
    signals: Signals,
    /// Those that need another signal, by host and day.
    waiting: HashMap<(HostKey, i64), Vec<DraftKey>>,
    /// To be printed at once.
    risen: Vec<DraftKey>,
    /// Days before this one are over.
    open_from: i64,
    hosts: HostNames,
}

impl Board {
    /// A board without records.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        Board {
            catalogue,
            held: HashMap::new(),
            signals: Signals::default(),
            waiting: HashMap::new(),
            risen: Vec::new(),
            open_from: i64::MIN,
            hosts: HostNames::default(),
        }
    }

    /// Takes what a shard knows of a record now, in place of what it knew.
    /// False if the day is over already: then it is too late for it.
    pub fn update(&mut self, shard: usize, draft: Draft) -> bool {
        let key = draft.key;
        if key.day < self.open_from {
            return false;
        }
        let held = self.held.entry(key).or_default();
        let before = held.parts.iter().map(|(_, d)| d.stage).max();
        let stage = draft.stage;
        match held.parts.iter_mut().find(|(s, _)| *s == shard) {
            Some((_, mine)) if *mine == draft => return true,
            Some((_, mine)) => *mine = draft,
            None => held.parts.push((shard, draft)),
        }
        (held.fresh, held.unprinted, held.unstored) = (true, true, true);
        if before.is_none() {
            held.called = named(&self.hosts, &key);
            self.signals.add(&key, &self.catalogue);
            if self.signals.is_lonely(&key, &self.catalogue) {
                self.waiting.entry((key.host, key.day)).or_default().push(key);
            } else if let Some(waiting) = self.waiting.remove(&(key.host, key.day)) {
                // What needed a second signal may have got it.
                for key in waiting {
                    if self.signals.is_lonely(&key, &self.catalogue) {
                        self.waiting.entry((key.host, key.day)).or_default().push(key);
                    } else {
                        self.risen.push(key);
                    }
                }
            }
        }
        if before.is_none_or(|b| stage > b) {
            self.risen.push(key);
        }
        true
    }

    /// Takes what hosts said they are called; a record whose host is called
    /// otherwise by that has changed. Hands back what is known of each name.
    pub fn call(&mut self, namings: Vec<Naming>) -> Vec<Naming> {
        if namings.is_empty() {
            return namings;
        }
        let said: HashSet<(u32, Addr)> = namings.iter().map(|n| (n.segment, n.ip)).collect();
        let known = namings.into_iter().map(|n| self.hosts.add(n)).collect();
        for (key, held) in &mut self.held {
            if said.contains(&(key.host.segment, key.host.ip)) {
                let called = named(&self.hosts, key);
                if called != held.called {
                    held.called = called;
                    (held.fresh, held.unprinted, held.unstored) = (true, true, true);
                }
            }
        }
        known
    }

    /// Records to be printed at once: new, or risen in stage.
    pub fn take_risen(&mut self, now: Instant) -> Vec<Draft> {
        let risen = std::mem::take(&mut self.risen);
        risen.into_iter().filter_map(|key| self.print(&key, now)).collect()
    }

    /// Records that changed, and were last printed a minute ago or earlier.
    pub fn take_due(&mut self, now: Instant) -> Vec<Draft> {
        let due = |h: &Held| h.unprinted && h.printed_at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
        let mut keys: Vec<DraftKey> = self.held.iter().filter(|(_, h)| due(h)).map(|(k, _)| *k).collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.print(&key, now)).collect()
    }

    fn print(&mut self, key: &DraftKey, now: Instant) -> Option<Draft> {
        if self.signals.is_lonely(key, &self.catalogue) {
            return None;
        }
        let held = self.held.get_mut(key).filter(|h| h.unprinted)?;
        held.unprinted = false;
        held.printed_at = Some(now);
        held.draft()
    }

    /// A record that was handed out was not printed after all: it is due again
    /// after the pause. False if its day is over.
    pub fn print_again(&mut self, key: &DraftKey) -> bool {
        let held = self.held.get_mut(key);
        held.map(|h| h.unprinted = true).is_some()
    }

    /// Records that changed since the last call.
    pub fn take_unstored(&mut self) -> Vec<Posted> {
        let Board { held, signals, catalogue, .. } = self;
        let posted = held
            .iter_mut()
            .filter_map(|(key, h)| std::mem::take(&mut h.unstored).then(|| post(key, h, signals, catalogue)).flatten());
        posted.collect()
    }

    /// Everything counts as changed since it was stored.
    pub fn store_again(&mut self) {
        self.held.values_mut().for_each(|h| h.unstored = true);
    }

    /// Days before `day` are over: hands out their records, in order, and
    /// forgets them.
    pub fn close(&mut self, day: i64) -> Vec<Posted> {
        self.open_from = day;
        let mut keys: Vec<DraftKey> = self.held.keys().filter(|k| k.day < day).copied().collect();
        keys.sort_unstable();
        let mut closed = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(mut held) = self.held.remove(&key) {
                closed.extend(post(&key, &mut held, &self.signals, &self.catalogue));
            }
        }
        self.signals.forget(day);
        self.hosts.forget(day.saturating_sub(1));
        self.waiting.retain(|(_, d), _| *d >= day);
        self.risen.retain(|k| k.day >= day);
        closed
    }

    /// Whether a record needs another signal that did not come so far.
    pub fn is_lonely(&self, key: &DraftKey) -> bool {
        self.signals.is_lonely(key, &self.catalogue)
    }

    /// How many records are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn named(hosts: &HostNames, key: &DraftKey) -> Option<(Box<str>, NameSource)> {
    hosts.of(key).map(|(name, told)| (name.into(), told))
}

fn post(key: &DraftKey, held: &mut Held, signals: &Signals, catalogue: &Catalogue) -> Option<Posted> {
    let lonely = signals.is_lonely(key, catalogue);
    Some(Posted { draft: held.draft()?, lonely, unprinted: held.unprinted })
}

#[cfg(test)]
mod tests;
