//! Which records belong to one host.
//!
//! A host is its hardware address where that is its own, else its address. A
//! record without one is the host's that had the address at that time, by the
//! intervals of others. Nothing is guessed: where two hosts had an address at
//! once, what cannot be told apart stays with the address.

use super::bindings::{Bindings, Pair};
use super::facts::Facts;
use super::timeline::{Owner, Timelines};
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac};
use foldhash::{HashMap, HashMapExt};

/// A host, before anything is concluded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) segment: u32,
    /// Its hardware address; `None` of a host that is known by its address.
    pub(super) mac: Option<Mac>,
    /// The address of a host that is known by it.
    pub(super) ip: Option<Addr>,
    /// Its hardware address is a router's.
    pub(super) router: bool,
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// All hosts of the facts.
#[derive(Debug, Default)]
pub(super) struct Identities<'f> {
    pub(super) nodes: Vec<Node>,
    segments: Vec<&'f str>,
    pub(super) interval_segments: Vec<u32>,
    pub(super) seen_segments: Vec<u32>,
    pub(super) signal_segments: Vec<u32>,
    pub(super) bindings: Bindings,
    node_of_pair: Vec<u32>,
    timelines: Timelines,
    by_addr: HashMap<(u32, Addr), u32>,
}

/// Numbers segments.
#[derive(Default)]
struct Segments<'f> {
    names: Vec<&'f str>,
    numbers: HashMap<&'f str, u32>,
}

impl<'f> Segments<'f> {
    fn number(&mut self, name: &'f str) -> u32 {
        if let Some((0, first)) = self.names.first().map(|n| (0, *n)).filter(|(_, n)| *n == name) {
            debug_assert_eq!(first, name);
            return 0;
        }
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name);
            u32::try_from(self.names.len() - 1).unwrap_or(NONE)
        })
    }
}

/// Whether a host made its hardware address up: the bit of local
/// administration (IEEE 802, second-least of the first byte) is set.
pub(super) fn is_randomised(mac: Mac) -> bool {
    mac.0[0] & 2 != 0
}

impl<'f> Identities<'f> {
    pub(super) fn new(facts: &'f Facts) -> Self {
        let mut segments = Segments::default();
        let interval_segments: Vec<u32> = facts.intervals.iter().map(|i| segments.number(&i.segment)).collect();
        let seen_segments: Vec<u32> = facts.seen.iter().map(|s| segments.number(&s.segment)).collect();
        let signal_segments: Vec<u32> = facts.signals.iter().map(|s| segments.number(&s.segment)).collect();
        let bindings = Bindings::new(facts, &interval_segments, &seen_segments, &signal_segments);
        let links = Links::new(facts, &interval_segments, &bindings);
        let mut nodes = Vec::new();
        let node_of_pair = number_pairs(&bindings, &links, &mut nodes);
        let timelines = Timelines::new(&bindings, &node_of_pair);
        Identities {
            nodes,
            segments: segments.names,
            interval_segments,
            seen_segments,
            signal_segments,
            bindings,
            node_of_pair,
            timelines,
            by_addr: HashMap::new(),
        }
    }

    /// The words of a segment.
    pub(super) fn segment(&self, number: u32) -> &'f str {
        self.segments.get(number as usize).copied().unwrap_or_default()
    }

    /// The node of a pair, by its place.
    pub(super) fn node_of_pair(&self, at: usize) -> Option<u32> {
        self.node_of_pair.get(at).copied().filter(|n| *n != NONE)
    }

    /// The host that had an address at a time, if it is known already.
    pub(super) fn find(&self, segment: u32, ip: &Addr, mac: Option<Mac>, from: i64, to: i64) -> Option<u32> {
        if let Some(at) = mac.and_then(|m| self.bindings.find(segment, m, ip))
            && let Some(node) = self.node_of_pair(at)
        {
            return Some(node);
        }
        match self.timelines.owner(segment, ip, from, to) {
            Owner::Node(node) if !self.is_anothers(segment, mac, node) => Some(node),
            _ => self.by_addr.get(&(segment, *ip)).copied(),
        }
    }

    /// Whether a hardware address is that of another host, which forwards
    /// nothing: then it made the address up, and what it sent from there is not
    /// its owner's.
    fn is_anothers(&self, segment: u32, mac: Option<Mac>, node: u32) -> bool {
        // One with more addresses than this is not looked at as a whole.
        const MOST: usize = 256;
        let (Some(mac), Some(owner)) = (mac, self.nodes.get(node as usize)) else { return false };
        if owner.mac.is_none_or(|m| m == mac) {
            return false;
        }
        let own = self.bindings.of_mac(segment, mac).take(MOST).filter(|(_, p)| p.own && !p.router);
        let mut nodes = own.map(|(at, _)| self.node_of_pair(at)).peekable();
        nodes.peek().is_some() && nodes.all(|n| n != Some(node))
    }

    /// The host that had an address at a time; a new one where none is known.
    pub(super) fn at(&mut self, segment: u32, ip: &Addr, mac: Option<Mac>, from: i64, to: i64) -> u32 {
        if let Some(node) = self.find(segment, ip, mac, from, to) {
            return node;
        }
        let node = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(Node { segment, mac: None, ip: Some(*ip), router: false });
        self.by_addr.insert((segment, *ip), node);
        node
    }

    /// Gives up who had which address when, which is a good part of the whole:
    /// from then on [`Identities::find`] knows only hosts of their own hardware
    /// address.
    pub(super) fn forget_times(&mut self) {
        (self.timelines, self.by_addr) = (Timelines::default(), HashMap::new());
    }

    /// The node of a host as seen, where it shows a hardware address of its own:
    /// then time has no part.
    fn fixed(&self, facts: &Facts, at: usize) -> Option<u32> {
        let (host, segment) = (facts.seen.get(at)?, self.seen_segments.get(at)?);
        self.node_of_pair(self.bindings.find(*segment, host.mac?, &host.ip)?)
    }

    /// The node of each contact.
    pub(super) fn of_contacts(&mut self, facts: &Facts) -> Vec<u32> {
        let fixed: Vec<Option<u32>> = (0..facts.seen.len()).map(|at| self.fixed(facts, at)).collect();
        let node = |c: &super::facts::Contact| {
            let at = c.seen as usize;
            if let Some(Some(node)) = fixed.get(at) {
                return *node;
            }
            match (facts.seen.get(at), self.seen_segments.get(at).copied()) {
                (Some(host), Some(segment)) => self.at(segment, &host.ip, host.mac, c.first.0, c.last.0),
                _ => NONE,
            }
        };
        facts.contacts.iter().map(node).collect()
    }
}

/// Of each host in [`Facts::seen`], whether its hardware address is its own. Whose
/// the records of others are depends on all hosts that had their address.
pub fn are_own(facts: &Facts) -> Vec<bool> {
    let identities = Identities::new(facts);
    (0..facts.seen.len()).map(|at| identities.fixed(facts, at).is_some()).collect()
}

/// Gives every pair that stands for a host a node: all of one hardware address
/// the same, except of one that was made up, whose days belong together only
/// by an address, a day or a link between them.
fn number_pairs(bindings: &Bindings, links: &Links, nodes: &mut Vec<Node>) -> Vec<u32> {
    let mut node_of = vec![NONE; bindings.pairs.len()];
    let mut of_root: HashMap<usize, u32> = HashMap::new();
    let mut first = 0;
    for group in bindings.pairs.chunk_by(|a, b| (a.segment, a.mac) == (b.segment, b.mac)) {
        for (at, pair) in (first..).zip(group).filter(|(_, p)| p.own) {
            let root = if is_randomised(pair.mac) { links.root(at) } else { first };
            let node = *of_root.entry(root).or_insert_with(|| {
                nodes.push(Node { segment: pair.segment, mac: Some(pair.mac), ip: None, router: false });
                u32::try_from(nodes.len() - 1).unwrap_or(NONE)
            });
            if let (Some(n), Some(place)) = (nodes.get_mut(node as usize), node_of.get_mut(at)) {
                n.router |= pair.router;
                *place = node;
            }
        }
        first += group.len();
    }
    node_of
}

/// Which pairs of hardware addresses that were made up are one host.
#[derive(Debug, Default)]
struct Links {
    parent: HashMap<usize, usize>,
}

impl Links {
    fn new(facts: &Facts, segments: &[u32], bindings: &Bindings) -> Self {
        let mut links = Links::default();
        let mut first = 0;
        for group in bindings.pairs.chunk_by(|a, b| (a.segment, a.mac) == (b.segment, b.mac)) {
            let own = |(_, p): &(usize, &Pair)| p.own && is_randomised(p.mac);
            links.join_days((first..).zip(group).filter(own), bindings);
            first += group.len();
        }
        let mut names: HashMap<(u32, Mac, &str), usize> = HashMap::new();
        let mut ids: HashMap<(u32, &str), usize> = HashMap::new();
        for (i, segment) in facts.intervals.iter().zip(segments) {
            let (Some(mac), Some(name)) = (i.mac.filter(|m| is_randomised(*m)), &i.name) else { continue };
            let Some(at) = bindings.find(*segment, mac, &i.ip) else { continue };
            match i.kind.as_str() {
                // Many devices are called the same, so a name links the days
                // of one hardware address only.
                "dhcp" | "dhcpv6" => links.join(*names.entry((*segment, mac, name)).or_insert(at), at),
                "dhcp_client_id" => {
                    let other = *ids.entry((*segment, name)).or_insert(at);
                    if bindings.may_follow(other, at) {
                        links.join(other, at);
                    }
                }
                _ => {}
            }
        }
        links
    }

    /// Addresses of one hardware address that were seen on one day.
    fn join_days<'a>(&mut self, pairs: impl Iterator<Item = (usize, &'a Pair)>, bindings: &Bindings) {
        const DAY: i64 = DAY_SECS * SECOND;
        let mut days: Vec<(i64, i64, usize)> = Vec::new();
        for (at, pair) in pairs {
            days.extend(bindings.of(pair).iter().map(|b| (b.from.div_euclid(DAY), b.to.div_euclid(DAY), at)));
        }
        days.sort_unstable();
        let mut reach: Option<(i64, usize)> = None;
        for (from, to, at) in days {
            match reach {
                Some((last, other)) if from <= last => {
                    self.join(other, at);
                    reach = Some((last.max(to), at));
                }
                _ => reach = Some((to, at)),
            }
        }
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(up) = self.parent.get(&at).filter(|up| **up != at) {
            at = *up;
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        // The earlier one stays, so that the order of the facts does not matter.
        let root = self.root(a).min(self.root(b));
        for mut at in [a, b] {
            // The way is made short, else a chain of ids takes ever longer.
            while at != root {
                at = self.parent.insert(at, root).unwrap_or(root);
            }
        }
    }
}
