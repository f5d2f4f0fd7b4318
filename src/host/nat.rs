//! How many systems stand behind one address.

use super::facts::{Signal, SignalKind};
use crate::base::Mac;
use std::collections::{BTreeMap, BTreeSet};

/// How often a value must come, others having come between, before it counts:
/// a machine that is started with another system a time or two a day gives
/// fewer turns, and two machines at work at the same time give many more. Two
/// values within seconds count as much at once.
const TURNS: u64 = 3;

/// A time to live as sent, and the routers passed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    initial: u8,
    hops: u8,
}

impl Class {
    /// Of a signal's detail.
    fn of(detail: &str) -> Option<Self> {
        let (initial, hops) = detail.split_once('-')?;
        Some(Class { initial: initial.parse().ok()?, hops: hops.parse().ok()? })
    }
}

/// The options that systems put in an order of their own: window scale,
/// selective acknowledgements, time stamps. Padding, the segment size (which
/// all put first) and what only some connections ask for are left out.
fn telling(detail: &str) -> Vec<u8> {
    detail.split(',').filter_map(|k| k.parse().ok()).filter(|k| matches!(k, 3 | 4 | 8)).collect()
}

/// Whether one system cannot have made both orders: two options stand in one
/// order here and in the other there. One that merely lacks an option may be a
/// repeated SYN, or a connection on which it was switched off.
fn exclude(a: &[u8], b: &[u8]) -> bool {
    let before = |list: &[u8], x: u8, y: u8| {
        let at = |k| list.iter().position(|o| *o == k);
        at(x).zip(at(y)).map(|(x, y)| x < y)
    };
    [(3, 4), (3, 8), (4, 8)]
        .iter()
        .any(|(x, y)| matches!((before(a, *x, *y), before(b, *x, *y)), (Some(first), Some(second)) if first != second))
}

/// How many of the orders exclude each other at least: the most that do so
/// pairwise. There are four a day at most.
fn exclusive(orders: &[Vec<u8>]) -> usize {
    let fits = |chosen: u32| {
        let chosen: Vec<_> =
            orders.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, order)| order).collect();
        let pairs = chosen.iter().enumerate().all(|(i, a)| chosen.iter().skip(i + 1).all(|b| exclude(a, b)));
        pairs.then_some(chosen.len())
    };
    (0..1u32 << orders.len().min(8)).filter_map(fits).max().unwrap_or(0)
}

/// What one source saw of an address on one day.
#[derive(Debug, Default)]
struct Day {
    classes: BTreeSet<Class>,
    orders: BTreeSet<Vec<u8>>,
}

impl Day {
    fn at_least(&self, has_mac: bool) -> usize {
        let orders: Vec<Vec<u8>> = self.orders.iter().cloned().collect();
        let systems = exclusive(&orders);
        let own = self.classes.iter().any(|c| c.hops == 0);
        let behind: BTreeSet<u8> = self.classes.iter().filter(|c| c.hops > 0).map(|c| c.initial).collect();
        let initials: BTreeSet<u8> = self.classes.iter().map(|c| c.initial).collect();
        let hops: BTreeSet<u8> = self.classes.iter().map(|c| c.hops).collect();
        // It forwards what others sent, and speaks for itself.
        let forwards = own && !behind.is_empty() && has_mac;
        // No system begins at both; network gear has its own value.
        let two_kinds = !own && initials.contains(&64) && initials.contains(&128);
        let by_class = if forwards {
            1 + behind.len()
        } else if initials.len() > 1 && (systems > 1 || hops.len() > 1 || two_kinds) {
            initials.len()
        } else {
            1
        };
        let by_order = if !behind.is_empty() || self.classes.len() > 1 { systems } else { 1 };
        by_class.max(by_order)
    }
}

/// How many systems shared one address on one day at least, where that is two
/// or more. `signals` are those of one host's addresses; each address and
/// hardware address is looked at by itself, as each source saw it on each day.
///
/// What counts is only what connections show that both ends agreed to, never
/// bare SYNs, probes of a traced route or scans; and only what came at least
/// three times a day with something else between ([`SignalKind::Ttl`]), or
/// within seconds of it, so that a machine started with another system is not
/// two. Then:
///
/// - Packets without a hop and with hops, from one hardware address: the host
///   forwards for others, who count by their initial values, beside itself. A
///   machine whose containers or guests go out through its own address is such
///   a host: several systems, of which none can be told from the others.
///   Without hardware addresses two ways through the network would look alike.
/// - Two initial values with different hops, or with orders of SYN options that
///   exclude each other, or 64 and 128 behind a router: as many systems as
///   values.
/// - Orders of options that exclude each other, where hops or several values
///   show that the address may stand for others: as many systems as such
///   orders.
///
/// One value with hops is a host behind a router, not NAT; one value with
/// several ways is a change of route. Distinct TLS libraries prove nothing, as
/// every machine has several; nor do TCP time stamps
/// ([`SignalKind::TcpClocks`]).
///
/// Sources: Bellovin, "A Technique for Counting NATted Hosts" (IMW 2002),
/// counted by IPv4 identification, which systems now choose at random or leave
/// zero; Maier, Schneider and Feldmann, "NAT Usage in Residential Broadband
/// Networks" (PAM 2011), by initial TTL, hops and browsers. Initial values:
/// Linux and Apple 64, Windows 128, network gear 255.
pub fn at_least<'s>(signals: impl IntoIterator<Item = &'s Signal>) -> Option<u32> {
    type Key<'s> = (u32, &'s str, crate::base::Addr, Option<Mac>, i64);
    let mut days: BTreeMap<Key<'s>, Day> = BTreeMap::new();
    for s in signals.into_iter().filter(|s| s.count >= TURNS) {
        let day = days.entry((s.source, s.segment.as_str(), s.ip, s.mac, s.from.day())).or_default();
        match s.kind {
            SignalKind::Ttl => day.classes.extend(Class::of(&s.detail)),
            SignalKind::SynOptions => {
                day.orders.insert(telling(&s.detail));
            }
            _ => {}
        }
    }
    let most = days.iter().map(|((_, _, _, mac, _), day)| day.at_least(mac.is_some())).max()?;
    u32::try_from(most).ok().filter(|n| *n >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Addr, Timestamp};

    const LINUX: &str = "2,4,8,1,3";
    const WINDOWS: &str = "2,1,3,1,1,4";
    const MACOS: &str = "2,1,3,1,1,8,4,0";

    fn sign(detail: &str, count: u64) -> Signal {
        let kind = if detail.contains('-') { SignalKind::Ttl } else { SignalKind::SynOptions };
        let (ip, mac) = (Addr::v4([10, 0, 0, 1]), Some(Mac([2, 0, 0, 0, 0, 1])));
        let at = Timestamp::from_parts(1000, 0);
        Signal { source: 0, kind, segment: String::new(), ip, mac, detail: detail.into(), count, from: at, to: at }
    }

    fn of(details: &[&str]) -> Option<u32> {
        at_least(&details.iter().map(|d| sign(d, 5)).collect::<Vec<_>>())
    }

    #[test]
    fn several_systems_behind_one_address() {
        for (details, want) in [
            // A gateway of its own system, with clients of the same and others.
            (&["64-0", "64-1", LINUX][..], 2),
            (&["64-0", "128-1", LINUX, WINDOWS], 2),
            (&["64-0", "64-1", "128-1", LINUX, WINDOWS], 3),
            // One that says nothing itself, seen from outside.
            (&["64-1", "128-1", LINUX, WINDOWS], 2),
            (&["64-1", "128-2"], 2),
            (&["64-1", "128-1", LINUX], 2),
            (&["64-1", LINUX, MACOS], 2),
            (&["64-1", "128-1", LINUX, WINDOWS, MACOS], 2),
            // One that takes no hop off.
            (&["64-0", "128-0", LINUX, WINDOWS], 2),
        ] {
            assert_eq!(of(details), Some(want), "{details:?}");
        }
    }

    #[test]
    fn what_one_machine_does() {
        for details in [
            &["64-0", LINUX][..],
            // Behind a router; by two ways; behind two routers or one.
            &["64-1", LINUX],
            &["128-3"],
            &["64-1", "64-2", LINUX],
            // A hop limit that routers announce, and another on old connections.
            &["64-0", "255-0", LINUX],
            &["255-0"],
            // Options that are asked for on some connections, or given up.
            &["64-1", LINUX, "2,4,8,1,3,34,1,1", "2", "2,4,8,1,3,30"],
            &["128-1", WINDOWS, "2,1,1,4", "2,1,3,4,8"],
            // Two orders without a sign that it stands for others.
            &["64-0", LINUX, MACOS],
            &[LINUX, MACOS],
            &["", "-", "64", "x-1", "300-1"],
        ] {
            assert_eq!(of(details), None, "{details:?}");
        }
        assert_eq!(at_least([]), None);
    }

    #[test]
    fn systems_started_in_turn_are_one_machine() {
        let rare = ["64-0", "64-1", "128-1", LINUX, WINDOWS].map(|d| sign(d, 2));
        assert_eq!(at_least(&rare), None);
        // Each on a day of its own, or seen by another source.
        let mut days = [sign("64-0", 9), sign("64-1", 9), sign("128-2", 9)];
        for (n, s) in days.iter_mut().enumerate() {
            s.from = Timestamp::from_parts(n as i64 * 86_400, 0);
        }
        assert_eq!(at_least(&days), None);
        let mut sources = [sign("64-0", 9), sign("64-1", 9)];
        sources[1].source = 1;
        assert_eq!(at_least(&sources), None);
    }

    #[test]
    fn a_router_on_the_way_is_no_gateway() {
        // Seen near, and behind a router, which has another hardware address.
        let mut seen = [sign("64-0", 9), sign("64-1", 9)];
        seen[1].mac = Some(Mac([2, 0, 0, 0, 0, 9]));
        assert_eq!(at_least(&seen), None);
        // Where the link shows none, nobody can tell.
        seen.iter_mut().for_each(|s| s.mac = None);
        assert_eq!(at_least(&seen), None);
        let other = Signal { segment: "vlan:9".into(), ..sign("64-1", 9) };
        assert_eq!(at_least(&[sign("64-0", 9), other]), None);
    }

    #[test]
    fn libraries_and_names_prove_nothing() {
        let stacks = (0..16).map(|n| Signal { kind: SignalKind::TlsStack, ..sign(&format!("{n:08x}"), 50) });
        assert_eq!(at_least(&stacks.collect::<Vec<_>>()), None);
    }
}
