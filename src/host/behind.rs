//! How many devices are behind one address.

use super::facts::{Signal, SignalKind};

/// How many devices the signs of one address show at least, from two on: each
/// time to live at which its packets arrive is a device's.
pub(super) fn at_least(signals: &[&Signal]) -> Option<u32> {
    let mut lives: Vec<&str> = signals.iter().filter(|s| s.kind == SignalKind::Ttl).map(|s| &*s.detail).collect();
    lives.sort_unstable();
    lives.dedup();
    u32::try_from(lives.len()).ok().filter(|n| *n >= 2)
}
