//! Who had an address when: for contacts whose record shows no hardware
//! address, or only a router's.

use super::bindings::Bindings;
use crate::base::Addr;
use crate::base::time::{DAY_SECS, SECOND};
use std::collections::BTreeMap;

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
            sweep(group.iter().map(|h| h.run), &mut runs, begin);
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

/// Adds the runs of one address, which begin at `begin`, so that they are
/// sorted and none overlaps another.
fn sweep(held: impl Iterator<Item = Run>, runs: &mut Vec<Run>, begin: usize) {
    let mut events: Vec<(i64, bool, Run)> = Vec::new();
    for run in held.filter(|r| r.from <= r.to) {
        events.push((run.from, true, run));
        events.push((run.to.saturating_add(1), false, run));
    }
    events.sort_unstable_by_key(|(at, begins, run)| (*at, *begins, run.node));
    let mut here: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let mut since = i64::MIN;
    for (at, begins, run) in events {
        if at > since
            && let Some((first, _)) = here.first_key_value()
        {
            let node = if here.len() == 1 { *first } else { None };
            push(runs, begin, Run { from: since, to: at - 1, node, ..run });
        }
        since = at;
        let count = here.entry(run.node).or_insert(0);
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            here.remove(&run.node);
        }
    }
}

/// Adds a run behind those before, or to the last if that is the same host's
/// and nobody had the address between.
fn push(runs: &mut Vec<Run>, begin: usize, run: Run) {
    match runs.get_mut(begin..).and_then(|r| r.last_mut()) {
        Some(last)
            if last.node == run.node
                && (last.node.is_some() || last.to + 1 == run.from)
                && !is_long(last.to, run.from) =>
        {
            last.to = run.to;
        }
        _ => runs.push(run),
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
        let one = run.node.is_some();
        if one && before.is_none_or(|to| is_long(to, run.from)) {
            run.from = run.from.saturating_sub(NEAR);
        }
        if one && next.is_none_or(|from| is_long(seen_to, from)) {
            run.to = run.to.saturating_add(NEAR);
        }
        before = Some(seen_to);
    }
}

/// Whether so much time passed that both ends may be stretched.
fn is_long(to: i64, from: i64) -> bool {
    from.saturating_sub(to) > 2 * NEAR
}

#[cfg(test)]
mod tests {
    use super::super::bindings::{Binding, Pair};
    use super::*;
    use crate::base::Mac;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// One address, and who had it from when to when.
    fn timelines(held: &[(u32, i64, i64)]) -> Timelines {
        let mut bindings = Bindings::default();
        let mut nodes = Vec::new();
        let ip = Addr::v4([10, 0, 0, 1]);
        for (at, (node, from, to)) in held.iter().enumerate() {
            let mac = Mac([0, 0, 0, 0, 0, *node as u8]);
            bindings.all.push(Binding { segment: 0, mac, ip, from: *from, to: *to, tied: true, lease: false });
            bindings.pairs.push(Pair { segment: 0, mac, ip, own: true, router: false, first: at, end: at + 1 });
            nodes.push(*node);
        }
        Timelines::new(&bindings, &nodes)
    }

    proptest! {
        #[test]
        fn as_counted_moment_by_moment(
            held in proptest::collection::vec((0u32..4, 0i64..40, 0i64..12), 1..12),
            from in 0i64..60, length in 0i64..6,
        ) {
            let held: Vec<(u32, i64, i64)> = held.into_iter().map(|(n, from, len)| (n, from, from + len)).collect();
            let owner = timelines(&held).owner(0, &Addr::v4([10, 0, 0, 1]), from, from + length);
            let touching: BTreeSet<u32> =
                held.iter().filter(|(_, f, t)| *f <= from + length && *t >= from).map(|(n, ..)| *n).collect();
            match touching.len() {
                // Before, behind, or in a gap of one host: near enough.
                0 => prop_assert!(owner != Owner::Several),
                1 => {
                    let node = *touching.first().unwrap();
                    prop_assert!(owner == Owner::Node(node), "{:?}", owner);
                }
                _ => prop_assert_eq!(owner, Owner::Several),
            }
        }
    }

    #[test]
    fn another_address_or_segment_is_unknown() {
        let t = timelines(&[(1, 0, 10)]);
        assert_eq!(t.owner(0, &Addr::v4([10, 0, 0, 1]), 5, 5), Owner::Node(1));
        assert_eq!(t.owner(1, &Addr::v4([10, 0, 0, 1]), 5, 5), Owner::Unknown);
        assert_eq!(t.owner(0, &Addr::v4([10, 0, 0, 2]), 5, 5), Owner::Unknown);
    }
}
