//! The packets of the last moments, to find their copies.

use super::duplicates::Arrival;
use crate::base::Timestamp;
use crate::base::time::SECOND;

/// Copies come within this time of each other.
pub(super) const WINDOW: i64 = SECOND / 20;
/// By how much times may differ within the window, in units of 2^23 ns.
const UNITS: u16 = (WINDOW >> 23) as u16 + 1;
/// Packets remembered.
pub(super) const PLACES: usize = 256;

/// Whether two times lie no further apart than that.
pub(super) fn within(nanos: i64, a: Timestamp, b: Timestamp) -> bool {
    a.since(b).unsigned_abs() <= nanos.unsigned_abs()
}

/// What equal packets share.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digest {
    /// A hash of all that is compared, with a secret.
    hash: u64,
    /// Place in the index.
    slot: usize,
}

impl Digest {
    /// From a hash with a secret of all that is compared, and one without a
    /// secret, which decides what is forgotten: that must not differ from run
    /// to run.
    pub(super) fn new(hash: u64, open: u64) -> Self {
        Digest { hash, slot: open as usize % (2 * PLACES) }
    }
}

/// The last packets, in a ring, and an index of them by digest that is small
/// enough to stay in the processor's cache: nearly all that comes is new, which
/// the index alone tells.
#[derive(Default)]
pub(super) struct Recent {
    ring: Vec<(u64, Arrival)>,
    /// Where the next goes.
    next: usize,
    index: Vec<Slot>,
}

/// Of the packet of a digest: its upper half, its place in the ring, and when
/// it came, in units of 2^23 ns.
#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    time: u16,
    at: u16,
}

impl Slot {
    fn of(hash: u64, ts: Timestamp, at: usize) -> Self {
        Slot { tag: (hash >> 32) as u32 | 1, time: (ts.0 >> 23) as u16, at: at as u16 }
    }
}

impl Recent {
    /// Most bytes of ring and index.
    pub(super) const MOST_BYTES: usize = PLACES * (size_of::<(u64, Arrival)>() + 2 * size_of::<Slot>());

    /// The packet of that digest.
    pub(super) fn find(&mut self, digest: Digest, ts: Timestamp) -> Option<&mut Arrival> {
        let slot = self.index.get(digest.slot)?;
        if slot.tag != Slot::of(digest.hash, ts, 0).tag {
            return None;
        }
        self.ring.get_mut(usize::from(slot.at)).filter(|(hash, _)| *hash == digest.hash).map(|(_, arrival)| arrival)
    }

    /// Packets remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Adds a packet. True if one that could still have copies had to go.
    pub(super) fn add(&mut self, digest: Digest, now: Arrival) -> bool {
        if self.index.is_empty() {
            self.index = vec![Slot::default(); 2 * PLACES];
        }
        let at = self.next;
        self.next = at.wrapping_add(1) % PLACES;
        let mut lost = false;
        match self.ring.get_mut(at) {
            Some(old) => {
                lost = within(WINDOW, now.ts, old.1.ts);
                *old = (digest.hash, now);
            }
            None => self.ring.push((digest.hash, now)),
        }
        if let Some(slot) = self.index.get_mut(digest.slot) {
            let new = Slot::of(digest.hash, now.ts, at);
            let old = std::mem::replace(slot, new);
            // Few slots hold what is young; only of those the ring is looked at.
            if old.tag != 0 && old.at != new.at && new.time.wrapping_sub(old.time) <= UNITS {
                let hidden = self.ring.get(usize::from(old.at));
                lost |=
                    hidden.is_some_and(|(d, a)| Slot::of(*d, a.ts, 0).tag == old.tag && within(WINDOW, now.ts, a.ts));
            }
        }
        lost
    }
}
