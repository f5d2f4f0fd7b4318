//! Who had an address when: for contacts whose record shows no hardware
//! address, or only a router's.

use super::bindings::Bindings;
use crate::base::Addr;
use crate::base::time::{DAY_SECS, SECOND};

/// How long before and after it was seen an address is taken to be the same
/// host's, while no other is seen with it.
const NEAR: i64 = DAY_SECS * SECOND;

/// A time in which an address belonged to the node of one pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    segment: u32,
    ip: Addr,
    from: i64,
    to: i64,
    /// Node; `None` where two hosts had the address at once.
    node: Option<u32>,
}

/// Every address with the hosts that had it, in order of segment, address and
/// time.
#[derive(Debug, Default)]
pub(super) struct Timelines(Vec<Run>);

/// What a timeline says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This host had the address.
    Node(u32),
    /// Several had it, and which one is meant cannot be told.
    Several,
    /// Nobody is known.
    Unknown,
}

impl Timelines {
    /// From the pairs that stand for hosts; `node_of` are the nodes of
    /// [`Bindings::pairs`].
    pub(super) fn new(bindings: &Bindings, node_of: &[u32]) -> Self {
        struct Held {
            run: Run,
            lease: bool,
        }
        let mut held: Vec<Held> = Vec::new();
        for (pair, node) in bindings.pairs.iter().zip(node_of).filter(|(p, _)| p.own) {
            for b in bindings.of(pair) {
                let run = Run { segment: b.segment, ip: b.ip, from: b.from, to: b.to, node: Some(*node) };
                held.push(Held { run, lease: b.lease });
            }
        }
        held.sort_unstable_by_key(|h| (h.run.segment, h.run.ip, h.run.from, h.run.to, h.run.node));
        let mut runs: Vec<Run> = Vec::with_capacity(held.len());
        for group in held.chunk_by_mut(|a, b| (a.run.segment, a.run.ip) == (b.run.segment, b.run.ip)) {
            // A lease given to another host ends the one before.
            let mut next: Option<Run> = None;
            for h in group.iter_mut().rev().filter(|h| h.lease) {
                if let Some(n) = next.filter(|n| n.node != h.run.node && n.from > h.run.from) {
                    h.run.to = h.run.to.min(n.from.saturating_sub(1));
                }
                next = Some(h.run);
            }
            let begin = runs.len();
            for h in group.iter() {
                merge(&mut runs, begin, h.run);
            }
            widen(runs.get_mut(begin..).unwrap_or_default());
        }
        Timelines(runs)
    }

    /// Whose the address was from `from` to `to`.
    pub(super) fn owner(&self, segment: u32, ip: &Addr, from: i64, to: i64) -> Owner {
        let key = |r: &Run| (r.segment, r.ip, r.to);
        let at = self.0.partition_point(|r| key(r) < (segment, *ip, from));
        let touching = self.0.get(at..).unwrap_or_default();
        let touching = touching.iter().take_while(|r| (r.segment, &r.ip) == (segment, ip) && r.from <= to);
        let mut owner = Owner::Unknown;
        for run in touching {
            match (owner, run.node) {
                (Owner::Unknown, Some(n)) => owner = Owner::Node(n),
                (Owner::Node(known), Some(n)) if known == n => {}
                _ => return Owner::Several,
            }
        }
        owner
    }
}

/// Adds a run to those of its address, which begin at `begin`, are sorted and
/// do not overlap. Runs come in the order of their beginning.
fn merge(runs: &mut Vec<Run>, begin: usize, run: Run) {
    let Some(last) = runs.get_mut(begin..).and_then(|r| r.last_mut()) else {
        runs.push(run);
        return;
    };
    if run.from > last.to {
        // The same host again, and nobody else between.
        if last.node == run.node && last.node.is_some() && !is_long(last.to, run.from) {
            last.to = run.to;
        } else {
            runs.push(run);
        }
        return;
    }
    if last.node == run.node || last.node.is_none() && run.to <= last.to {
        last.to = last.to.max(run.to);
        return;
    }
    // Both at once from here to the end of the shorter one, then the longer.
    let (shared_to, end) = (last.to.min(run.to), last.to.max(run.to));
    let rest = Run { from: shared_to.saturating_add(1), to: end, ..if run.to > last.to { run } else { *last } };
    last.to = run.from.saturating_sub(1);
    let none_before = last.node.is_none() || last.to < last.from;
    let both = Run { from: run.from, to: shared_to, node: None, ..run };
    if none_before {
        *last = Run { from: last.from.min(run.from), ..both };
    } else {
        runs.push(both);
    }
    if rest.from <= rest.to {
        runs.push(rest);
    }
}

/// Stretches runs by [`NEAR`] to where nobody was seen with the address for
/// long. When an address changed hands within less, nobody knows the moment.
fn widen(runs: &mut [Run]) {
    let mut before: Option<i64> = None;
    for at in 0..runs.len() {
        let next = runs.get(at + 1).map(|r| r.from);
        let Some(run) = runs.get_mut(at) else { break };
        let seen_to = run.to;
        if before.is_none_or(|to| is_long(to, run.from)) {
            run.from = run.from.saturating_sub(NEAR);
        }
        if next.is_none_or(|from| is_long(seen_to, from)) {
            run.to = run.to.saturating_add(NEAR);
        }
        before = Some(seen_to);
    }
}

/// Whether so much time passed that both ends may be stretched.
fn is_long(to: i64, from: i64) -> bool {
    from.saturating_sub(to) > 2 * NEAR
}
