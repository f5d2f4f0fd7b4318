//! Who had which address: the pairs of home address and hardware address that
//! passing traffic showed, from when to when.

use crate::base::{Addr, Mac, Timestamp};
use foldhash::fast::RandomState;

/// Pairs remembered by one shard.
const CAP: usize = 4096;

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

/// The pairs of one shard.
#[derive(Debug, Default)]
pub(super) struct Presences(hashbrown::HashMap<Key, (Timestamp, Timestamp), RandomState>);

impl Presences {
    /// Notes a pair. True if it is new and there was no room for it.
    pub(super) fn note(&mut self, key: Key, ts: Timestamp) -> bool {
        if let Some((from, to)) = self.0.get_mut(&key) {
            *from = (*from).min(ts);
            *to = (*to).max(ts);
            return false;
        }
        if self.0.len() >= CAP {
            return true;
        }
        self.0.insert(key, (ts, ts));
        false
    }

    pub(super) fn into_list(self) -> Vec<Presence> {
        let pair = |((source, segment, ip, mac), (from, to))| Presence { source, segment, ip, mac, from, to };
        self.0.into_iter().map(pair).collect()
    }
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
        one.note((0, 0, ip, a), Timestamp(5));
        one.note((0, 0, ip, a), Timestamp(3));
        two.note((0, 0, ip, a), Timestamp(9));
        two.note((0, 0, ip, b), Timestamp(7));
        let mut list = one.into_list();
        list.extend(two.into_list());
        let list = join(list);
        let p = |mac, from, to| Presence { source: 0, segment: 0, ip, mac, from: Timestamp(from), to: Timestamp(to) };
        assert_eq!(list, [p(a, 3, 9), p(b, 7, 7)]);
    }
}
