//! Who had which address: the pairs of home address and hardware address that
//! were seen or told, from when to when, and what showed them.
//!
//! What anybody can make up, the sender of a frame, has a room of its own; so
//! have those that completed a handshake, those that ARP and neighbour
//! discovery confirmed, and those that DHCP granted. A full room takes nothing
//! new and gives nothing up, so that no flood of one kind costs what another
//! kind confirmed.

use super::draft::HostKey;
use super::moved::Move;
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac, Timestamp};
use crate::flow::ClaimKind;
use foldhash::fast::RandomState;
use std::hash::{Hash, Hasher};

/// An address that was not seen for longer may have been another's meanwhile:
/// another interval begins.
const GAP: i64 = DAY_SECS * SECOND;

/// What showed a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceKind {
    /// Frames with both addresses, whose sender may be made up.
    Traffic,
    /// A handshake in which both ends proved to hear one another.
    Handshake,
    /// Address resolution, that somebody asked for or that was repeated.
    Arp,
    /// Neighbour discovery, the same.
    Nd,
    /// A lease of DHCP.
    Dhcp,
    /// A lease of DHCP for IPv6.
    Dhcpv6,
}

impl PresenceKind {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            PresenceKind::Traffic => "traffic",
            PresenceKind::Handshake => "handshake",
            PresenceKind::Arp => "arp",
            PresenceKind::Nd => "nd",
            PresenceKind::Dhcp => "dhcp",
            PresenceKind::Dhcpv6 => "dhcpv6",
        }
    }

    /// Whether it ends when the lease does, or is given back, and not when it
    /// was last seen.
    pub fn is_lease(self) -> bool {
        matches!(self, PresenceKind::Dhcp | PresenceKind::Dhcpv6)
    }

    /// Number of its room.
    fn room(self) -> usize {
        match self {
            PresenceKind::Traffic => 0,
            PresenceKind::Handshake => 1,
            PresenceKind::Arp | PresenceKind::Nd => 2,
            PresenceKind::Dhcp | PresenceKind::Dhcpv6 => 3,
        }
    }

    /// How long a silence ends an interval.
    fn gap(self) -> i64 {
        if self.is_lease() { 0 } else { GAP }
    }
}

impl From<ClaimKind> for PresenceKind {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Arp => PresenceKind::Arp,
            ClaimKind::Nd => PresenceKind::Nd,
            ClaimKind::Dhcp => PresenceKind::Dhcp,
            ClaimKind::Dhcpv6 => PresenceKind::Dhcpv6,
        }
    }
}

/// Intervals of one shard: of traffic, of handshakes, of ARP and neighbour
/// discovery, of leases.
pub(super) const CAPS: [usize; 4] = [896, 448, 448, 224];

/// A pair at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) source: u32,
    pub(super) segment: u32,
    pub(super) ip: Addr,
    /// All zero where it is not known.
    pub(super) mac: Mac,
}

/// A pair, what showed it, and which of its intervals that is: 0 is the one
/// that goes on. In one piece, so that it takes no more room than the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: u32,
    segment: u32,
    ip: Addr,
    mac: Mac,
    kind: PresenceKind,
    nth: u8,
}

/// In three numbers; field by field it shows in profiles.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.mac.0;
        state.write_u128(self.ip.bits());
        state.write_u64(u64::from(self.source) << 32 | u64::from(self.segment));
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, self.kind as u8, self.nth]));
    }
}

impl Key {
    fn new(pair: Pair, kind: PresenceKind, nth: u8) -> Self {
        let Pair { source, segment, ip, mac } = pair;
        Key { source, segment, ip, mac, kind, nth }
    }
}

/// One interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    /// Number of the source in this run.
    pub source: u32,
    /// Segment number.
    pub segment: u32,
    /// Address.
    pub ip: Addr,
    /// Hardware address, where known: only a lease of DHCP for IPv6 may lack
    /// it.
    pub mac: Option<Mac>,
    /// What showed it.
    pub kind: PresenceKind,
    /// First time.
    pub from: Timestamp,
    /// Last time, or the end of the lease.
    pub to: Timestamp,
}

/// From when to when, how many intervals came before, and whether that was not
/// handed on yet.
#[derive(Clone, Copy, Debug)]
struct Times {
    from: Timestamp,
    to: Timestamp,
    earlier: u8,
    unsaid: bool,
    /// The address sent from there itself; so it was no router's guess.
    sent: bool,
}

/// The pairs of one shard.
#[derive(Debug, Default)]
pub(super) struct Presences([hashbrown::HashMap<Key, Times, RandomState>; 4]);

impl Presences {
    /// Most bytes of all pairs.
    pub(super) const MOST_BYTES: usize =
        (CAPS[0] + CAPS[1] + CAPS[2] + CAPS[3]) * 8 / 7 * (size_of::<(Key, Times)>() + 1);

    /// Notes that a pair was seen, or told to hold `until` then. True if it is
    /// new and there was no room for it.
    pub(super) fn note(&mut self, pair: Pair, kind: PresenceKind, ts: Timestamp, until: Timestamp) -> bool {
        self.sight(pair, kind, (ts, until), false)
    }

    /// The same of traffic, and whether the address sent it from there itself.
    pub(super) fn note_traffic(&mut self, pair: Pair, ts: Timestamp, sent: bool) -> bool {
        self.sight(pair, PresenceKind::Traffic, (ts, ts), sent)
    }

    fn sight(&mut self, pair: Pair, kind: PresenceKind, (ts, until): (Timestamp, Timestamp), sent: bool) -> bool {
        let begins = || Times { from: ts, to: until.max(ts), earlier: 0, unsaid: true, sent };
        let known = self.go_on(pair, kind, (ts, until), sent);
        known.unwrap_or_else(|| self.begin(Key::new(pair, kind, 0), begins()))
    }

    /// The same only if the pair is known by that kind. `None` if it is not.
    pub(super) fn prolong(&mut self, pair: Pair, kind: PresenceKind, ts: Timestamp, until: Timestamp) -> Option<bool> {
        self.go_on(pair, kind, (ts, until), false)
    }

    fn go_on(
        &mut self,
        pair: Pair,
        kind: PresenceKind,
        (ts, until): (Timestamp, Timestamp),
        sent: bool,
    ) -> Option<bool> {
        let times = self.0.get_mut(kind.room())?.get_mut(&Key::new(pair, kind, 0))?;
        times.unsaid = true;
        times.sent |= sent;
        // Without a lease, as where a server only informs a client, it is no more
        // than another sight of it.
        let gap = if until > ts { kind.gap() } else { GAP };
        if ts.since(times.to) <= gap {
            times.from = times.from.min(ts);
            times.to = times.to.max(until);
            return Some(false);
        }
        let (before, earlier, sent) = (*times, times.earlier.saturating_add(1), times.sent);
        *times = Times { from: ts, to: until.max(ts), earlier, unsaid: true, sent };
        // Without room for both the newer stands.
        Some(self.begin(Key::new(pair, kind, earlier), before))
    }

    /// True if there is no room.
    fn begin(&mut self, key: Key, times: Times) -> bool {
        let at = key.kind.room();
        let (Some(room), Some(cap)) = (self.0.get_mut(at), CAPS.get(at)) else { return true };
        if room.len() >= *cap {
            return true;
        }
        room.insert(key, times);
        false
    }

    /// The lease of an address was given back by the station `mac`, or by an
    /// unknown one.
    pub(super) fn give_back(&mut self, pair: Pair, kind: PresenceKind, ts: Timestamp) {
        self.end(pair, kind, ts, |mac| mac == pair.mac || pair.mac == Mac([0; 6]));
    }

    /// An address was leased to a station: nobody else has it any more.
    pub(super) fn take_over(&mut self, pair: Pair, kind: PresenceKind, ts: Timestamp) {
        self.end(pair, kind, ts, |mac| mac != pair.mac);
    }

    fn end(&mut self, pair: Pair, kind: PresenceKind, ts: Timestamp, whose: impl Fn(Mac) -> bool) {
        let Some(room) = self.0.get_mut(kind.room()).filter(|_| kind.is_lease()) else { return };
        for (key, times) in room.iter_mut() {
            let same = (key.source, key.segment, key.ip, key.kind) == (pair.source, pair.segment, pair.ip, kind);
            if same && whose(key.mac) && times.to > ts && times.from <= ts {
                (times.to, times.unsaid) = (ts, true);
            }
        }
    }

    /// Whether an address sent in a segment from another hardware address than
    /// this one.
    pub(super) fn sends_otherwise(&self, segment: u32, ip: &Addr, mac: Option<Mac>) -> bool {
        let room = self.0.get(PresenceKind::Traffic.room());
        let other = |k: &Key| k.segment == segment && k.ip == *ip && Some(k.mac) != mac;
        room.is_some_and(|r| r.iter().any(|(key, times)| times.sent && other(key)))
    }

    /// The pairs of a far place were a router's; they become those of the near
    /// one. What ARP, neighbour discovery and DHCP told of a router's address
    /// there goes; what they told of another one is the host's own and stays
    /// with it. What was handed on before stands.
    pub(super) fn move_host(&mut self, to: &Move) {
        let host = |k: &Key| to.of(&HostKey { segment: k.segment, ip: k.ip, mac: Some(k.mac) });
        let seen = |kind| matches!(kind, PresenceKind::Traffic | PresenceKind::Handshake);
        let elsewhere = to.far.segment != to.near.segment;
        for at in 0..self.0.len() {
            let Some(room) = self.0.get_mut(at) else { continue };
            let moves = |k: &Key| seen(k.kind) || elsewhere || Some(k.mac) == to.far.mac;
            let mut moved: Vec<(Key, Times)> = room.extract_if(|k, _| host(k).is_some() && moves(k)).collect();
            // What finds no room must not depend on the order in a table.
            moved.sort_unstable_by_key(|(k, times)| (times.from, times.to, k.source, k.mac, k.kind, k.nth));
            for (key, times) in moved {
                let Some(host) = host(&key) else { continue };
                let own = Some(key.mac).filter(|m| Some(*m) != to.far.mac);
                if let Some(mac) = if seen(key.kind) { host.mac } else { own } {
                    let pair = Pair { source: key.source, segment: host.segment, ip: key.ip, mac };
                    self.note(pair, key.kind, times.from, times.to);
                }
            }
        }
    }

    /// Those noted since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Presence> {
        let pairs = self.0.iter_mut().flatten();
        let news = pairs.filter_map(|(key, times)| std::mem::take(&mut times.unsaid).then(|| presence(key, times)));
        news.collect()
    }

    /// Forgets those last seen before a day.
    pub(super) fn forget(&mut self, day: i64) {
        for room in &mut self.0 {
            room.retain(|_, times| times.to.day() >= day);
        }
    }

    pub(super) fn into_list(self) -> Vec<Presence> {
        self.0.iter().flatten().map(|(key, times)| presence(key, times)).collect()
    }
}

fn presence(key: &Key, times: &Times) -> Presence {
    let mac = Some(key.mac).filter(|m| *m != Mac([0; 6]));
    let Key { source, segment, ip, kind, .. } = *key;
    Presence { source, segment, ip, mac, kind, from: times.from, to: times.to }
}

/// Joins the pairs of several shards, in order of source, segment and address.
pub fn join(mut all: Vec<Presence>) -> Vec<Presence> {
    all.sort_unstable();
    all.dedup_by(|b, a| {
        let same = (a.source, a.segment, a.ip, a.mac, a.kind) == (b.source, b.segment, b.ip, b.mac, b.kind);
        let joins = same && b.from.since(a.to) <= a.kind.gap();
        if joins {
            a.to = a.to.max(b.to);
        }
        joins
    });
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::flow::Place;
    use PresenceKind::{Arp, Dhcp, Dhcpv6, Handshake, Nd, Traffic};

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn ip(n: u32) -> Addr {
        Addr::v4((0x0a00_0000 | n).to_be_bytes())
    }

    fn pair(n: u32, mac: Mac) -> Pair {
        Pair { source: 0, segment: 0, ip: ip(n), mac }
    }

    fn secs(n: i64) -> Timestamp {
        Timestamp::from_parts(n, 0)
    }

    fn seen(pairs: &mut Presences, pair: Pair, kind: PresenceKind, at: i64) -> bool {
        pairs.note(pair, kind, secs(at), secs(at))
    }

    /// Kind, hardware address, first and last second, in order.
    fn list(pairs: Presences) -> Vec<(PresenceKind, Option<Mac>, i64, i64)> {
        let list = join(pairs.into_list());
        list.iter().map(|p| (p.kind, p.mac, p.from.secs(), p.to.secs())).collect()
    }

    #[test]
    fn pairs_of_two_shards_join() {
        let mut one = Presences::default();
        let mut two = Presences::default();
        seen(&mut one, pair(1, A), Traffic, 5);
        seen(&mut one, pair(1, A), Traffic, 3);
        seen(&mut two, pair(1, A), Traffic, 9);
        seen(&mut two, pair(1, A), Handshake, 9);
        seen(&mut two, pair(1, B), Traffic, 7);
        one.0.iter_mut().zip(two.0).for_each(|(a, b)| {
            b.into_iter().for_each(|(mut k, t)| {
                k.nth = 9; // another shard's
                a.insert(k, t);
            })
        });
        assert_eq!(list(one), [(Traffic, Some(A), 3, 9), (Handshake, Some(A), 9, 9), (Traffic, Some(B), 7, 7)]);
    }

    #[test]
    fn after_a_day_of_silence_another_interval_begins() {
        let mut pairs = Presences::default();
        for at in [0, 86_400, 86_400 * 3, 86_400 * 3 + 5, 86_400 * 9] {
            seen(&mut pairs, pair(1, A), Traffic, at);
        }
        let days: Vec<_> = list(pairs).iter().map(|(_, _, from, to)| (from / 86_400, to / 86_400)).collect();
        assert_eq!(days, [(0, 1), (3, 3), (9, 9)]);
    }

    #[test]
    fn a_lease_lasts_until_it_ends_is_given_back_or_taken_over() {
        let mut pairs = Presences::default();
        let lease = |pairs: &mut Presences, mac, at, end| {
            pairs.take_over(pair(1, mac), Dhcp, secs(at));
            pairs.note(pair(1, mac), Dhcp, secs(at), secs(end))
        };
        lease(&mut pairs, A, 0, 100);
        lease(&mut pairs, A, 50, 150); // renewed
        lease(&mut pairs, A, 200, 300); // anew
        pairs.give_back(pair(1, A), Dhcp, secs(250));
        lease(&mut pairs, A, 260, 360);
        lease(&mut pairs, B, 300, 400);
        pairs.give_back(pair(1, A), Dhcp, secs(350));
        pairs.give_back(pair(1, Mac([0; 6])), Dhcpv6, secs(350));
        let of_b = (Dhcp, Some(B), 300, 400);
        assert_eq!(list(pairs), [(Dhcp, Some(A), 0, 150), (Dhcp, Some(A), 200, 250), (Dhcp, Some(A), 260, 300), of_b]);
    }

    #[test]
    fn who_is_informed_again_and_again_has_one_interval() {
        let mut pairs = Presences::default();
        for n in 0..100 {
            seen(&mut pairs, pair(1, A), Dhcp, n * 600);
        }
        assert_eq!(list(pairs), [(Dhcp, Some(A), 0, 99 * 600)]);
    }

    #[test]
    fn a_lease_of_nobody_known_is_given_back_by_whoever() {
        let mut pairs = Presences::default();
        pairs.note(pair(1, Mac([0; 6])), Dhcpv6, secs(0), secs(100));
        pairs.note(pair(1, A), Dhcpv6, secs(10), secs(100));
        pairs.give_back(pair(1, Mac([0; 6])), Dhcpv6, secs(20));
        assert_eq!(list(pairs), [(Dhcpv6, None, 0, 20), (Dhcpv6, Some(A), 10, 20)]);
    }

    /// Each kind's flood fills its own room, and takes nothing from another.
    #[test]
    fn no_flood_of_one_kind_costs_another_anything() {
        for flooded in [Traffic, Handshake, Arp, Dhcp] {
            let mut pairs = Presences::default();
            let kinds = [Traffic, Handshake, Nd, Dhcpv6];
            let others: Vec<_> = kinds.into_iter().filter(|k| k.room() != flooded.room()).collect();
            others.iter().for_each(|k| assert!(!seen(&mut pairs, pair(1, A), *k, 1)));
            let lost = (10..10_010).filter(|n| seen(&mut pairs, pair(*n, B), flooded, 2)).count();
            assert_eq!(lost, 10_000 - CAPS[flooded.room()], "{flooded:?}");
            others.iter().for_each(|k| assert!(!seen(&mut pairs, pair(2, A), *k, 3)));
            // What has a place keeps it.
            assert!(!seen(&mut pairs, pair(10, B), flooded, 4) && seen(&mut pairs, pair(9, B), flooded, 4));
            let kept = pairs.into_list();
            assert_eq!(kept.iter().filter(|p| p.mac == Some(A)).count(), 6);
            assert!(kept.iter().any(|p| p.ip == ip(10) && p.to == secs(4)));
        }
    }

    #[test]
    fn what_is_only_prolonged_must_be_known() {
        let mut pairs = Presences::default();
        assert_eq!(pairs.prolong(pair(1, A), Arp, secs(1), secs(1)), None);
        seen(&mut pairs, pair(1, A), Arp, 2);
        assert_eq!(pairs.prolong(pair(1, A), Arp, secs(9), secs(9)), Some(false));
        for (mac, kind) in [(B, Arp), (A, Nd)] {
            assert_eq!(pairs.prolong(pair(1, mac), kind, secs(9), secs(9)), None);
        }
        assert_eq!(list(pairs), [(Arp, Some(A), 2, 9)]);
    }

    #[test]
    fn pairs_are_handed_on_when_they_change_and_forgotten_after_their_day() {
        let day = |n: i64| secs(n * DAY_SECS);
        let mut pairs = Presences::default();
        pairs.note(pair(1, A), Traffic, day(1), day(1));
        assert_eq!(pairs.take_changed().len(), 1);
        assert_eq!(pairs.take_changed(), []);
        pairs.note(pair(1, A), Traffic, day(2), day(2));
        pairs.forget(2);
        assert_eq!(pairs.take_changed()[0].from, day(1));
        pairs.forget(3);
        assert_eq!(pairs.into_list(), []);
    }

    #[test]
    fn a_host_that_moves_takes_along_what_is_its_own() {
        let at = |segment, mac| Place { segment, mac: Some(mac) };
        let (router, own) = (Mac([2, 9, 9, 9, 9, 9]), A);
        let noted = |far: Place, near: Place| {
            let mut pairs = Presences::default();
            for (kind, mac) in [(Traffic, router), (Handshake, router), (Arp, router), (Dhcp, own)] {
                let p = Pair { segment: far.segment, ..pair(1, mac) };
                seen(&mut pairs, p, kind, 5);
            }
            seen(&mut pairs, Pair { segment: far.segment, ..pair(2, router) }, Traffic, 5);
            pairs.move_host(&Move { client: ip(1), far, near, divided: false });
            let mut list: Vec<_> =
                pairs.into_list().iter().map(|p| (p.ip, p.segment, p.kind, p.mac.unwrap())).collect();
            list.sort_unstable();
            list
        };
        let other = |segment| (ip(2), segment, Traffic, router);
        let moved =
            |segment| [(ip(1), segment, Traffic, own), (ip(1), segment, Handshake, own), (ip(1), segment, Dhcp, own)];
        let mut want = moved(4).to_vec();
        want.push(other(0));
        assert_eq!(noted(at(0, router), at(4, own)), want);
        let mut want = moved(0).to_vec();
        want.push(other(0));
        assert_eq!(noted(at(0, router), at(0, own)), want);
    }
}
