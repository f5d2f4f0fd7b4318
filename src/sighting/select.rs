//! Which drafts stand as records.

use super::draft::{Draft, HostKey};
use crate::catalogue::{Catalogue, Category, Use};
use std::collections::{HashMap, HashSet};

/// Signals that are the same kind of hint count once: all netblocks together,
/// every other indicator by itself.
#[derive(PartialEq, Eq, Hash)]
enum Signal {
    Netblock,
    Indicator(u32),
}

/// For each draft, whether it stands alone although its indicator needs
/// another, different signal of the same host on the same day.
pub fn lonely_support(drafts: &[Draft], catalogue: &Catalogue) -> Vec<bool> {
    let mut signals: HashMap<(HostKey, i64), HashSet<Signal>> = HashMap::new();
    let signal = |d: &Draft| match catalogue.get(d.key.indicator) {
        Some(i) if i.category == Category::Netblock => Signal::Netblock,
        _ => Signal::Indicator(d.key.indicator.0),
    };
    for d in drafts {
        signals.entry((d.key.host, d.key.day)).or_default().insert(signal(d));
    }
    drafts
        .iter()
        .map(|d| {
            let support = catalogue.get(d.key.indicator).is_some_and(|i| i.usage == Use::Support);
            support && signals.get(&(d.key.host, d.key.day)).is_none_or(|s| s.len() < 2)
        })
        .collect()
}
