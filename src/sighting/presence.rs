//! Who had which address: the pairs of home address and hardware address that
//! passing traffic showed, from when to when.

use super::draft::HostKey;
use super::moved::Move;
use crate::base::{Addr, Mac, Timestamp};
use foldhash::fast::RandomState;

/// Pairs remembered by one shard.
const CAP: usize = 1792;

type Key = (u32, u32, Addr, Mac);

/// One pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    /// Number of the source in this run.
    pub source: u32,
    /// Segment number.
    pub segment: u32,
    /// Address.
    pub ip: Addr,
    /// Hardware address seen with it.
    pub mac: Mac,
    /// First time.
    pub from: Timestamp,
    /// Last time.
    pub to: Timestamp,
}

/// From when to when, and whether that was not handed on yet.
#[derive(Debug)]
struct Times {
    from: Timestamp,
    to: Timestamp,
    unsaid: bool,
    /// The address sent from there itself; so it was no router's guess.
    sent: bool,
}

/// The pairs of one shard.
#[derive(Debug, Default)]
pub(super) struct Presences(hashbrown::HashMap<Key, Times, RandomState>);

impl Presences {
    /// Most bytes of all pairs.
    pub(super) const MOST_BYTES: usize = (CAP * 8 / 7) * (size_of::<(Key, Times)>() + 1);

    /// Notes a pair, of a sender or a receiver. True if it is new and there was
    /// no room for it.
    pub(super) fn note(&mut self, key: Key, ts: Timestamp, sent: bool) -> bool {
        if let Some(times) = self.0.get_mut(&key) {
            times.from = times.from.min(ts);
            times.to = times.to.max(ts);
            times.unsaid = true;
            times.sent |= sent;
            return false;
        }
        if self.0.len() >= CAP {
            return true;
        }
        self.0.insert(key, Times { from: ts, to: ts, unsaid: true, sent });
        false
    }

    /// Whether an address sent in a segment from another hardware address than
    /// this one.
    pub(super) fn sends_otherwise(&self, segment: u32, ip: &Addr, mac: Option<Mac>) -> bool {
        self.0.iter().any(|(key, times)| times.sent && key.1 == segment && key.2 == *ip && Some(key.3) != mac)
    }

    /// The pairs of a far place were a router's; they become those of the near
    /// one. What was handed on before stands.
    pub(super) fn move_host(&mut self, to: &Move) {
        let host = |(_, segment, ip, mac): &Key| to.of(&HostKey { segment: *segment, ip: *ip, mac: Some(*mac) });
        let moved: Vec<(Key, Times)> = self.0.extract_if(|key, _| host(key).is_some()).collect();
        for (key, times) in moved {
            let Some((host, mac)) = host(&key).and_then(|h| Some((h, h.mac?))) else { continue };
            for ts in [times.from, times.to] {
                self.note((key.0, host.segment, host.ip, mac), ts, false);
            }
        }
    }

    /// Those noted since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Presence> {
        let pairs = self.0.iter_mut();
        let news = pairs.filter_map(|(key, times)| std::mem::take(&mut times.unsaid).then(|| presence(*key, times)));
        news.collect()
    }

    /// Forgets those last seen before a day.
    pub(super) fn forget(&mut self, day: i64) {
        self.0.retain(|_, times| times.to.day() >= day);
    }

    pub(super) fn into_list(self) -> Vec<Presence> {
        self.0.into_iter().map(|(key, times)| presence(key, &times)).collect()
    }
}

fn presence((source, segment, ip, mac): Key, times: &Times) -> Presence {
    Presence { source, segment, ip, mac, from: times.from, to: times.to }
}

/// Joins the pairs of several shards, in order of source, segment and address.
pub fn join(mut all: Vec<Presence>) -> Vec<Presence> {
    all.sort_unstable();
    all.dedup_by(|b, a| {
        let same = (a.source, a.segment, a.ip, a.mac) == (b.source, b.segment, b.ip, b.mac);
        if same {
            a.from = a.from.min(b.from);
            a.to = a.to.max(b.to);
        }
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_two_shards_join() {
        let ip = Addr::v4([10, 0, 0, 1]);
        let (a, b) = (Mac([0, 0, 0, 0, 0, 1]), Mac([0, 0, 0, 0, 0, 2]));
        let mut one = Presences::default();
        let mut two = Presences::default();
        one.note((0, 0, ip, a), Timestamp(5), true);
        one.note((0, 0, ip, a), Timestamp(3), true);
        two.note((0, 0, ip, a), Timestamp(9), true);
        two.note((0, 0, ip, b), Timestamp(7), true);
        let mut list = one.into_list();
        list.extend(two.into_list());
        let list = join(list);
        let p = |mac, from, to| Presence { source: 0, segment: 0, ip, mac, from: Timestamp(from), to: Timestamp(to) };
        assert_eq!(list, [p(a, 3, 9), p(b, 7, 7)]);
    }

    #[test]
    fn pairs_are_handed_on_when_they_change_and_forgotten_after_their_day() {
        let key = (0, 0, Addr::v4([10, 0, 0, 1]), Mac([0, 0, 0, 0, 0, 1]));
        let day = |n: i64| Timestamp::from_parts(n * 86_400, 0);
        let mut pairs = Presences::default();
        pairs.note(key, day(1), true);
        assert_eq!(pairs.take_changed().len(), 1);
        assert_eq!(pairs.take_changed(), []);
        pairs.note(key, day(2), true);
        pairs.forget(2);
        assert_eq!(pairs.take_changed()[0].from, day(1));
        pairs.forget(3);
        assert_eq!(pairs.into_list(), []);
    }
}
