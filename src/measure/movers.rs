//! Which hosts are in one window of a comparison and not in the other: the ones
//! with the latest contacts, as many as somebody may look at one by one.

use crate::base::{Addr, Mac, Timestamp};
use serde::Serialize;
use std::cmp::Reverse;

/// Most that are listed of a kind.
pub const LISTED: usize = 100;

/// A host with update contacts in one of two windows only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mover {
    /// Beginning of the quarter hour of its last update contact in the window that
    /// it is in.
    pub last: Timestamp,
    /// The address that it had then.
    pub ip: Addr,
    /// Its hardware address, where that is its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Where it was seen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub segment: String,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it was in view in the other window, without such a contact; absent
    /// where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_view: Option<bool>,
}

/// What movers are listed by, the first of which come first.
type Order = (Reverse<Timestamp>, Addr, Option<Mac>);

impl Mover {
    fn order(&self) -> Order {
        (Reverse(self.last), self.ip, self.mac)
    }
}

/// The movers of a kind with the latest contacts, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Latest(Vec<Mover>);

impl Latest {
    /// Whether one with this order would be listed.
    pub(super) fn wants(&self, last: Timestamp, ip: Addr, mac: Option<Mac>) -> bool {
        let worst = self.0.get(LISTED.saturating_sub(1)).map(Mover::order);
        worst.is_none_or(|worst| (Reverse(last), ip, mac) <= worst)
    }

    pub(super) fn add(&mut self, mover: Mover) {
        let order = |m: &Mover| (m.order(), m.segment.clone());
        let key = order(&mover);
        let at = self.0.partition_point(|m| order(m) < key);
        self.0.insert(at, mover);
        self.0.truncate(LISTED);
    }

    pub(super) fn merge(&mut self, other: Latest) {
        other.0.into_iter().for_each(|mover| self.add(mover));
    }

    pub(super) fn into_vec(self) -> Vec<Mover> {
        self.0
    }
}

/// The movers between a baseline and a current window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Movers {
    /// In the baseline and not in the current window, the latest first.
    pub gone: Vec<Mover>,
    /// How many more there are.
    pub gone_more: u64,
    /// In the current window and not in the baseline.
    pub new: Vec<Mover>,
    /// How many more there are.
    pub new_more: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_in_whatever_order_they_come() {
        let mover = |n: u32| Mover {
            last: Timestamp::from_parts(i64::from(n / 2), 0),
            ip: Addr::v4([10, 0, (n / 250) as u8, (n % 250) as u8]),
            mac: None,
            segment: String::new(),
            name: None,
            in_view: None,
        };
        let all: Vec<u32> = (0..999).collect();
        let (mut rising, mut one, mut two) = (Latest::default(), Latest::default(), Latest::default());
        all.iter().for_each(|n| rising.add(mover(*n)));
        all.iter().rev().for_each(|n| if n % 3 == 0 { one.add(mover(*n)) } else { two.add(mover(*n)) });
        two.merge(one);
        assert_eq!(rising, two);
        assert_eq!((rising.0.len(), rising.0[0].clone(), rising.0[1].clone()), (LISTED, mover(998), mover(996)));
        let worst = rising.0[LISTED - 1].clone();
        assert!(rising.wants(worst.last, worst.ip, None), "as the last, perhaps in another segment");
        assert!(!rising.wants(worst.last.plus(-1), worst.ip, None));
    }
}
