//! Who asked name servers without wanting recursion.

use crate::base::{Addr, Mac};
use foldhash::fast::RandomState;

/// Clients that one shard remembers; all go when there are more, and those that
/// go on asking come back.
const CAP: usize = 64;

/// The hardware addresses that such questions came from. Their answers go to
/// whoever has the address that the questions named, which anybody can use.
#[derive(Debug, Default)]
pub(super) struct Iterating(hashbrown::HashMap<(u32, Addr), Option<Mac>, RandomState>);

impl Iterating {
    /// Most bytes of all clients.
    pub(super) const MOST_BYTES: usize = (CAP * 8 / 7) * (size_of::<((u32, Addr), Option<Mac>)>() + 1);

    /// A client asked. How many others were forgotten for it.
    pub(super) fn asks(&mut self, segment: u32, client: Addr, mac: Option<Mac>) -> u64 {
        let full = self.0.len() >= CAP && !self.0.contains_key(&(segment, client));
        let forgotten = if full { self.0.drain().count() } else { 0 };
        self.0.insert((segment, client), mac);
        forgotten as u64
    }

    /// Where a client last asked from.
    pub(super) fn from(&self, segment: u32, client: Addr) -> Option<Option<Mac>> {
        self.0.get(&(segment, client)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_clients_takes_no_more_room() {
        let mut all = Iterating::default();
        let client = |n: u32| Addr::v4(n.to_be_bytes());
        let mut forgotten = 0;
        for n in 0..10_000 {
            forgotten += all.asks(0, client(n), None);
            assert_eq!(all.from(0, client(n)), Some(None));
            assert!(all.0.len() <= CAP);
        }
        assert_eq!(forgotten + all.0.len() as u64, 10_000);
        assert_eq!((all.from(0, client(5)), all.from(1, client(9_999))), (None, None));
    }
}
