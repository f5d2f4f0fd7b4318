//! Signs of roles, from how a run numbers sources and segments to how hosts
//! are judged.

use super::facts::Signal;
use crate::sighting;
use crate::sighting::Names;

/// A run's signal with the words that only the run knows; `source` is the
/// source's number among the facts.
pub fn signal(seen: &sighting::Signal, names: &dyn Names, source: u32) -> Signal {
    Signal {
        source,
        kind: seen.kind,
        segment: names.segment(seen.segment),
        ip: seen.ip,
        mac: seen.mac,
        detail: seen.detail.to_string(),
        count: seen.count,
        from: seen.from,
        to: seen.to,
    }
}
