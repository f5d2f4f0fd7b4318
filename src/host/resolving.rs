//! Which of a resolver's lookups its role explains.
//!
//! A lookup of its own looks like one for another host, and frames that make a
//! host look like a resolver are easily forged. So a lookup is another host's
//! where that host was seen to ask for the name, and somebody's unseen only
//! while the resolver asked name servers as nobody else does. What is left
//! stays its own.

use super::facts::{Signal, SignalKind};
use crate::base::Timestamp;
use crate::base::time::{DAY_SECS, QUARTER_SECS, SECOND};
use crate::sighting::record::Slots;
use crate::sighting::signal::SEVERAL;
use foldhash::{HashMap, HashSet};

/// Signs of a role that lie so far apart were no lone forged exchange: three
/// quarter hours.
pub(super) const APART: i64 = 3 * QUARTER_SECS * SECOND;

/// What makes lookups others'.
#[derive(Debug, Default)]
pub(super) struct Resolving {
    /// When hosts answered questions first and last, by node, and whether
    /// several clients asked.
    answers: HashMap<u32, (i64, i64, bool)>,
    /// Quarter hours in which hosts asked name servers as resolvers do, by
    /// node and day.
    iterates: HashMap<(u32, i32), u128>,
    /// Days on which they asked for listed names as other hosts do.
    recurses: HashSet<(u32, i32)>,
}

/// Day and quarter hour of a time.
fn slot(t: Timestamp) -> Option<(i32, u8)> {
    let quarter = t.secs().rem_euclid(DAY_SECS) / QUARTER_SECS;
    Some((i32::try_from(t.day()).ok()?, u8::try_from(quarter).ok()?))
}

impl Resolving {
    /// Takes a sign of a host in.
    pub(super) fn add(&mut self, node: u32, s: &Signal) {
        let Some((day, first)) = slot(s.from) else { return };
        match s.kind {
            SignalKind::DnsServer => {
                let (from, to, several) = self.answers.entry(node).or_insert((s.from.0, s.to.0, false));
                (*from, *to) = ((*from).min(s.from.0), (*to).max(s.to.0));
                *several |= s.detail == SEVERAL;
            }
            SignalKind::DnsIterates => {
                let mut slots = Slots::default();
                let last = slot(s.to).filter(|(d, _)| *d == day).map_or(95, |(_, last)| last);
                (first..=last).for_each(|n| slots.set(n));
                *self.iterates.entry((node, day)).or_default() |= slots.bits();
            }
            SignalKind::DnsRecurses => {
                self.recurses.insert((node, day));
            }
            _ => {}
        }
    }

    /// Whether lookups of a host on a day may be others': more than one
    /// exchange shows its role.
    pub(super) fn works(&self, node: u32, day: i32) -> bool {
        let answers = self.answers.get(&node).is_some_and(|(from, to, several)| *several || to - from >= APART);
        answers || self.alone(node, day) != 0
    }

    /// Quarter hours in which lookups are somebody's, whether or not anybody
    /// was seen to ask. A host that asks as others do, too, may have asked for
    /// itself.
    pub(super) fn alone(&self, node: u32, day: i32) -> u128 {
        if self.recurses.contains(&(node, day)) {
            return 0;
        }
        self.iterates.get(&(node, day)).copied().unwrap_or(0)
    }
}
