//! Which drafts stand as records.

use super::draft::{Draft, DraftKey, HostKey};
use crate::catalogue::{Catalogue, Category, Use};
use std::collections::{HashMap, HashSet};

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

/// [`Signals::is_lonely`] of each draft, given all of them.
pub fn lonely_support(drafts: &[Draft], catalogue: &Catalogue) -> Vec<bool> {
    let mut signals = Signals::default();
    for d in drafts {
        signals.add(&d.key, catalogue);
    }
    drafts.iter().map(|d| signals.is_lonely(&d.key, catalogue)).collect()
}
