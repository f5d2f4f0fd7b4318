//! Addresses that answers tied to catalogue names, per client.

use super::contact::ALLOCATION;
use super::moved::Move;
use crate::base::time::SECOND;
use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::IndicatorRef;
use std::collections::VecDeque;

/// Entries of one shard. The one that was told longest ago goes when it is
/// full.
const CAP: usize = 896;
/// Bytes of all names. The same.
const NAMES: usize = 48 << 10;
/// Places in the queue, of which some may be spent.
const QUEUE: usize = 1024;
/// A client that was just told an address may use it although its lifetime is
/// zero.
const LEAST_LIFETIME: i64 = 10 * SECOND;

/// What an answer said of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Indicator of the name.
    pub(super) indicator: IndicatorRef,
    /// The name.
    pub(super) name: Box<str>,
    /// The client's on the link, where that shows it.
    pub(super) mac: Option<Mac>,
    from: Timestamp,
    until: Timestamp,
    /// Place in the queue; an older place of the same key counts no more.
    turn: u64,
}

type Key = (u32, Addr, Addr);

/// What an answer says: the indicator of the name, the name, and the hardware
/// address of the client that got it.
pub(super) type Told<'n> = (IndicatorRef, &'n str, Option<Mac>);

/// The table, by segment, client and address.
#[derive(Debug, Default)]
pub(super) struct Answers {
    map: hashbrown::HashMap<Key, Answer, foldhash::fast::RandomState>,
    order: VecDeque<(u64, Key)>,
    turn: u64,
    /// Bytes of all names.
    names: usize,
}

impl Answers {
    /// Remembers an answer for its lifetime. True if another had to go.
    pub(super) fn insert(&mut self, key: Key, (indicator, name, mac): Told<'_>, ts: Timestamp, ttl: u32) -> bool {
        let lifetime = i64::from(ttl).saturating_mul(SECOND).max(LEAST_LIFETIME);
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        self.remove(&key);
        let mut evicted = false;
        while self.map.len() >= CAP || self.names.saturating_add(name.len()) > NAMES {
            let Some((turn, key)) = self.order.pop_front() else { break };
            if self.map.get(&key).is_some_and(|a| a.turn == turn) {
                self.remove(&key);
                evicted = true;
            }
        }
        if self.order.len() >= QUEUE {
            let map = &self.map;
            self.order.retain(|(turn, key)| map.get(key).is_some_and(|a| a.turn == *turn));
        }
        let answer = Answer { indicator, name: name.into(), mac, from: ts, until: ts.plus(lifetime), turn };
        self.names = self.names.saturating_add(name.len());
        self.map.insert(key, answer);
        self.order.push_back((turn, key));
        evicted
    }

    /// Most bytes of all answers.
    pub(super) const MOST_BYTES: usize =
        (CAP * 8 / 7) * (size_of::<(Key, Answer)>() + 1) + QUEUE * size_of::<(u64, Key)>() + NAMES + CAP * ALLOCATION;

    fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.map.remove(key) {
            self.names = self.names.saturating_sub(gone.name.len());
        }
    }

    /// Another answer gave this client this address for a name of no interest.
    pub(super) fn forget(&mut self, key: &Key) {
        if !self.map.is_empty() {
            self.remove(key);
        }
    }

    /// The client is known at another place from now on. What was told it there
    /// already stands.
    pub(super) fn move_client(&mut self, to: &Move) {
        let Answers { map, order, .. } = self;
        if to.far.segment == to.near.segment {
            let told = map.iter_mut().filter(|((segment, client, _), a)| {
                *segment == to.far.segment && *client == to.client && a.mac == to.far.mac
            });
            told.for_each(|(_, a)| a.mac = to.near.mac);
            return;
        }
        let moved = map.extract_if(|(segment, client, _), _| to.segment(*segment, client).is_some());
        let moved: Vec<(Key, Answer)> = moved.collect();
        for ((segment, client, server), mut answer) in moved {
            // Its connections come from the near place now.
            if !to.divided || answer.mac == to.far.mac {
                answer.mac = to.near.mac;
            }
            let key = (to.segment(segment, &client).unwrap_or(segment), client, server);
            if !map.contains_key(&key) {
                order.push_back((answer.turn, key));
                map.insert(key, answer);
            }
        }
    }

    /// The answer that gave this client this address, if it still holds.
    pub(super) fn get(&self, key: &Key, ts: Timestamp) -> Option<&Answer> {
        if self.map.is_empty() {
            return None;
        }
        self.map.get(key).filter(|a| ts >= a.from && ts <= a.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Place;

    #[test]
    fn an_answer_holds_for_its_lifetime_and_its_client() {
        let mut t = Answers::default();
        let (c, s) = ("10.0.0.1".parse().unwrap(), "198.51.100.1".parse().unwrap());
        let at = |secs| Timestamp::from_parts(secs, 0);
        t.insert((0, c, s), (IndicatorRef(3), "x", None), at(100), 60);
        assert!(t.get(&(0, c, s), at(160)).is_some());
        assert!(t.get(&(0, c, s), at(161)).is_none());
        assert!(t.get(&(0, c, s), at(99)).is_none());
        assert!(t.get(&(1, c, s), at(120)).is_none());
        assert!(t.get(&(0, s, c), at(120)).is_none());
        t.insert((0, c, s), (IndicatorRef(3), "x", None), at(200), 0);
        assert!(t.get(&(0, c, s), at(205)).is_some());
        t.forget(&(0, c, s));
        assert!(t.get(&(0, c, s), at(205)).is_none());
    }

    #[test]
    fn the_oldest_goes_when_it_is_full() {
        let mut t = Answers::default();
        let client = Addr::v4([10, 0, 0, 1]);
        let key = |i: usize| (0, client, Addr::v4([198, 51, (i >> 8) as u8, i as u8]));
        let dropped =
            (0..CAP + 10).filter(|i| t.insert(key(*i), (IndicatorRef(0), "n", None), Timestamp(0), 60)).count();
        assert_eq!((dropped, t.map.len(), t.order.len()), (10, CAP, CAP));
        // Told again, an old one is young.
        t.insert(key(10), (IndicatorRef(0), "n", None), Timestamp(0), 60);
        t.insert(key(CAP + 10), (IndicatorRef(0), "n", None), Timestamp(0), 60);
        assert!(t.get(&key(11), Timestamp(1)).is_none() && t.get(&key(10), Timestamp(1)).is_some());
        for _ in 0..3 * CAP {
            t.insert(key(10), (IndicatorRef(0), "n", None), Timestamp(0), 60);
        }
        assert!(t.order.len() <= QUEUE && t.map.len() <= CAP);
        assert!(t.get(&key(9), Timestamp(1)).is_none() && t.get(&key(10), Timestamp(1)).is_some());
    }

    #[test]
    fn a_client_that_moves_keeps_what_it_was_told() {
        let mut t = Answers::default();
        let (c, other, s): (Addr, Addr, Addr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), "198.51.100.1".parse().unwrap());
        t.insert((7, c, s), (IndicatorRef(3), "far", None), Timestamp(0), 60);
        t.insert((7, other, s), (IndicatorRef(3), "other", None), Timestamp(0), 60);
        let place = |segment| Place { segment, mac: None };
        t.move_client(&Move { client: c, far: place(7), near: place(4), divided: false });
        let name = |t: &Answers, key: &Key| t.get(key, Timestamp(1)).map(|a| a.name.to_string());
        assert_eq!(name(&t, &(4, c, s)).as_deref(), Some("far"));
        assert_eq!((name(&t, &(7, c, s)), name(&t, &(7, other, s)).as_deref()), (None, Some("other")));
        for i in 0..CAP {
            t.insert(
                (1, other, Addr::v4([9, 9, (i >> 8) as u8, i as u8])),
                (IndicatorRef(0), "n", None),
                Timestamp(1),
                60,
            );
        }
        assert_eq!((name(&t, &(4, c, s)), t.map.len()), (None, CAP), "it goes in its turn");
    }

    #[test]
    fn an_answer_seen_behind_the_router_is_of_the_client_before_it() {
        let (c, s) = ("10.0.0.1".parse().unwrap(), "198.51.100.1".parse().unwrap());
        let [router, own, third] = [1, 5, 6].map(|n| Some(Mac([2, 0, 0, 0, 0, n])));
        for (near_segment, told, then) in [(0, router, own), (0, third, third), (4, router, own)] {
            let mut t = Answers::default();
            t.insert((0, c, s), (IndicatorRef(3), "x", told), Timestamp(0), 60);
            let (far, near) = (Place { segment: 0, mac: router }, Place { segment: near_segment, mac: own });
            t.move_client(&Move { client: c, far, near, divided: false });
            let mac = t.get(&(near_segment, c, s), Timestamp(1)).map(|a| a.mac);
            assert_eq!(mac, Some(then), "{near_segment} {told:?}");
        }
    }
}
