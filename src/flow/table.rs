//! A flow table with a cap: find by 5-tuple and segment, forget what is idle.

use crate::base::{Addr, Timestamp};
use crate::packet::{Packet, Transport};
use foldhash::fast::RandomState;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Both directions of a conversation give the same key: the lesser end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowKey {
    low: Addr,
    high: Addr,
    low_port: u16,
    high_port: u16,
    segment: u32,
    /// The transport, and whether it is beside another flow between the same ends: in
    /// one byte, as keys are compared for each segment.
    kind: u8,
}

/// The bit of [`FlowKey::kind`] of a flow beside another.
const BESIDE: u8 = 0x80;

/// An address as a number, of whatever order.
#[inline]
fn number(a: &Addr) -> u128 {
    u128::from_le_bytes(a.0)
}

impl FlowKey {
    /// The key of a packet, and whether the sender is its lesser end. Which end
    /// that is means nothing, so the addresses are compared as they lie in
    /// memory of most machines.
    #[inline]
    pub(super) fn of(p: &Packet, segment: u32) -> (FlowKey, bool) {
        let from_low = (number(&p.src), p.sport) <= (number(&p.dst), p.dport);
        let (low, low_port, high, high_port) =
            if from_low { (p.src, p.sport, p.dst, p.dport) } else { (p.dst, p.dport, p.src, p.sport) };
        (FlowKey { low, high, low_port, high_port, segment, kind: p.transport as u8 }, from_low)
    }

    /// Whether the flow belongs to the sample of which every frame is compared:
    /// one in 64, chosen by its ends alone, so that copies of a frame belong to
    /// it together, and the same flows in every run.
    pub(super) fn is_sampled(&self) -> bool {
        const SEED: u64 = 0x7370_616e_7369_6768;
        let (low, high) = ((self.low.bits(), self.low_port), (self.high.bits(), self.high_port));
        let (low, high) = if low <= high { (low, high) } else { (high, low) };
        let ports = u32::from(low.1) << 16 | u32::from(high.1);
        let ends = (low.0, high.0, ports, self.kind & !BESIDE);
        FixedState::with_seed(SEED).hash_one(ends) % 64 == 0
    }

    /// The key of a flow beside the one of this key.
    pub(super) fn beside(&self) -> FlowKey {
        FlowKey { kind: self.kind | BESIDE, ..*self }
    }

    /// Whether it is such a key.
    pub(super) fn is_beside(&self) -> bool {
        self.kind & BESIDE != 0
    }

    /// TCP or UDP.
    pub(super) fn transport(&self) -> Transport {
        if self.kind & !BESIDE == Transport::Tcp as u8 { Transport::Tcp } else { Transport::Udp }
    }

    #[inline]
    fn hash(&self, state: &RandomState) -> u64 {
        let ports = u64::from(self.low_port) << 16 | u64::from(self.high_port);
        let context = u64::from(self.segment) << 8 | u64::from(self.kind);
        state.hash_one((number(&self.low), number(&self.high), ports << 32 ^ context))
    }
}

/// What the table needs to know of an entry.
pub(super) trait Entry {
    /// How long it may stay idle, in nanoseconds.
    fn patience(&self) -> i64;
}

/// A place in the table. What is looked at first lies together, and in one cache
/// line where the entry is aligned to such: most places are not in the cache
/// when a segment comes for them.
#[repr(C)]
struct Slot<T> {
    key: FlowKey,
    taken: Taken,
    hash: u64,
    /// When it was last looked for, by the engine's clock: timestamps that go
    /// back or jump must not make a busy flow look idle.
    touched: Timestamp,
    entry: T,
}

/// That a place is taken. No other field has as many values to spare, so it is
/// here that an `Option` says whether there is one.
#[repr(u8)]
#[derive(Clone, Copy)]
enum Taken {
    Yes = 1,
}

impl<T: Entry> Slot<T> {
    fn is_idle(&self, now: Timestamp) -> bool {
        now.since(self.touched) > self.entry.patience()
    }
}

/// Entries by [`FlowKey`]. When an entry comes, a hand moves over two old ones
/// and forgets those that were idle too long; when the table is full, the
/// longest idle of the next [`Table::SCAN`] goes.
pub(super) struct Table<T> {
    index: HashTable<u32>,
    slots: Vec<Option<Slot<T>>>,
    free: Vec<u32>,
    hand: usize,
    cap: usize,
    state: RandomState,
}

impl<T: Entry> Table<T> {
    const SCAN: usize = 16;

    pub(super) fn new(cap: usize) -> Self {
        Table {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            cap: cap.max(1),
            state: RandomState::default(),
        }
    }

    /// Most bytes that a table of so many entries takes: places, the index,
    /// which holds 7 of 8 at most, and the list of free places.
    pub(super) fn most_bytes(cap: usize) -> usize {
        let index = (cap.saturating_mul(8) / 7).next_power_of_two().saturating_mul(size_of::<u32>().saturating_add(1));
        let place = size_of::<Option<Slot<T>>>().saturating_add(size_of::<u32>());
        cap.saturating_mul(place).saturating_add(index)
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The entry of a key that a segment came for, and its place, which is good
    /// until an entry comes or goes.
    #[inline]
    pub(super) fn touch(&mut self, key: &FlowKey, now: Timestamp) -> Option<(u32, &mut T)> {
        let place = self.place(key)?;
        let slot = self.slots.get_mut(place as usize)?.as_mut()?;
        slot.touched = now;
        Some((place, &mut slot.entry))
    }

    /// The entry at a place.
    #[inline]
    pub(super) fn at(&mut self, place: u32) -> Option<&mut T> {
        self.slots.get_mut(place as usize)?.as_mut().map(|s| &mut s.entry)
    }

    /// The entry of a key.
    pub(super) fn find(&mut self, key: &FlowKey) -> Option<&mut T> {
        self.slot(key).map(|s| &mut s.entry)
    }

    fn slot(&mut self, key: &FlowKey) -> Option<&mut Slot<T>> {
        let place = self.place(key)?;
        self.slots.get_mut(place as usize)?.as_mut()
    }

    #[inline]
    fn place(&self, key: &FlowKey) -> Option<u32> {
        let hash = key.hash(&self.state);
        let is_it = |&i: &u32| self.slots.get(i as usize).and_then(Option::as_ref).is_some_and(|s| s.key == *key);
        self.index.find(hash, is_it).copied()
    }

    /// Adds an entry that is not there yet. What has to go for it is handed to
    /// `gone` with the reason.
    pub(super) fn insert(&mut self, key: FlowKey, entry: T, now: Timestamp, mut gone: impl FnMut(T, Gone)) {
        for _ in 0..2 {
            if let Some(old) = self.step(now) {
                gone(old, Gone::Idle);
            }
        }
        if self.len() >= self.cap
            && let Some(old) = self.evict()
        {
            gone(old, Gone::Full);
        }
        let hash = key.hash(&self.state);
        let slot = Some(Slot { key, taken: Taken::Yes, hash, touched: now, entry });
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.slots.get_mut(at as usize) {
                    *place = slot;
                }
                at
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&i| slots.get(i as usize).and_then(Option::as_ref).map_or(0, |s| s.hash));
    }

    /// Takes the entry of a key out.
    pub(super) fn remove(&mut self, key: &FlowKey) -> Option<T> {
        let hash = key.hash(&self.state);
        let slots = &self.slots;
        let is_it = |i: &u32| slots.get(*i as usize).and_then(Option::as_ref).is_some_and(|s| s.key == *key);
        let at = *self.index.find(hash, is_it)?;
        self.take(at as usize)
    }

    /// Files the entry of a key under another, if none has that.
    pub(super) fn move_to(&mut self, old: &FlowKey, new: FlowKey) -> Option<&mut T> {
        if old == &new || self.slot(&new).is_some() {
            return None;
        }
        let hash = old.hash(&self.state);
        let slots = &self.slots;
        let found = self
            .index
            .find_entry(hash, |&i| slots.get(i as usize).and_then(Option::as_ref).is_some_and(|s| s.key == *old));
        let (at, _) = found.ok()?.remove();
        let hash = new.hash(&self.state);
        let slot = self.slots.get_mut(at as usize)?.as_mut()?;
        (slot.key, slot.hash) = (new, hash);
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&i| slots.get(i as usize).and_then(Option::as_ref).map_or(0, |s| s.hash));
        self.slots.get_mut(at as usize)?.as_mut().map(|s| &mut s.entry)
    }

    /// Moves the hand by one; returns what it found idle too long.
    fn step(&mut self, now: Timestamp) -> Option<T> {
        self.hand = if self.hand.saturating_add(1) < self.slots.len() { self.hand.saturating_add(1) } else { 0 };
        let slot = self.slots.get(self.hand)?.as_ref()?;
        if slot.is_idle(now) { self.take(self.hand) } else { None }
    }

    fn evict(&mut self) -> Option<T> {
        let n = self.slots.len();
        let mut oldest: Option<(Timestamp, usize)> = None;
        let mut at = self.hand;
        // Free slots are rare when the table is full; look at them all rather
        // than give up.
        let mut seen = 0_usize;
        for _ in 0..n {
            at = if at.saturating_add(1) < n { at.saturating_add(1) } else { 0 };
            if let Some(s) = self.slots.get(at).and_then(Option::as_ref) {
                if oldest.is_none_or(|(t, _)| s.touched < t) {
                    oldest = Some((s.touched, at));
                }
                seen = seen.saturating_add(1);
                if seen >= Self::SCAN {
                    break;
                }
            }
        }
        self.hand = at;
        oldest.and_then(|(_, at)| self.take(at))
    }

    fn take(&mut self, at: usize) -> Option<T> {
        let slot = self.slots.get_mut(at)?.take()?;
        let index = u32::try_from(at).ok()?;
        if let Ok(found) = self.index.find_entry(slot.hash, |&i| i == index) {
            found.remove();
        }
        self.free.push(index);
        Some(slot.entry)
    }

    /// Forgets every entry that was idle too long.
    pub(super) fn expire(&mut self, now: Timestamp, mut gone: impl FnMut(T)) {
        for at in 0..self.slots.len() {
            let idle = self.slots.get(at).and_then(Option::as_ref).is_some_and(|s| s.is_idle(now));
            if idle && let Some(old) = self.take(at) {
                gone(old);
            }
        }
    }

    /// Takes every entry out, in the order of their slots.
    pub(super) fn drain(&mut self, mut gone: impl FnMut(T)) {
        self.index.clear();
        self.free.clear();
        self.hand = 0;
        for slot in self.slots.drain(..).flatten() {
            gone(slot.entry);
        }
    }
}

/// Why an entry had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Idle longer than its patience.
    Idle,
    /// The table was full.
    Full,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::packet::testing::blank;

    /// What is looked at first for each segment lies together, and a place takes
    /// no more room than its parts.
    #[test]
    fn a_place_begins_with_a_line_that_holds_all_that_finds_it() {
        use super::super::tcp::Tcp;
        assert_eq!((std::mem::offset_of!(Slot<Tcp>, entry), align_of::<Slot<Tcp>>()), (64, 64));
        assert_eq!(size_of::<Option<Slot<Tcp>>>(), 192);
    }

    struct E(u16);
    impl Entry for E {
        fn patience(&self) -> i64 {
            100
        }
    }

    pub(crate) fn packet(sport: u16, dport: u16) -> Packet {
        Packet { sport, dport, ..blank() }
    }

    fn key(port: u16) -> FlowKey {
        FlowKey::of(&packet(port, 80), 0).0
    }

    #[test]
    fn both_directions_give_one_key() {
        let a = packet(5000, 80);
        let b = Packet { src: a.dst, dst: a.src, sport: 80, dport: 5000, ..a };
        let ((ka, la), (kb, lb)) = (FlowKey::of(&a, 3), FlowKey::of(&b, 3));
        assert_eq!(ka, kb);
        assert!(la && !lb);
        assert_ne!(ka, FlowKey::of(&a, 4).0);
    }

    #[test]
    fn holds_no_more_than_its_cap_and_drops_the_longest_idle_of_a_sample() {
        let mut t = Table::new(10);
        let mut gone = Vec::new();
        for i in 0..30u16 {
            t.insert(key(i), E(i), Timestamp(i64::from(i)), |e, why| gone.push((e.0, why)));
        }
        assert_eq!(t.len(), 10);
        assert_eq!(gone.len(), 20);
        assert!(gone.iter().all(|(_, w)| *w == Gone::Full));
        assert_eq!(gone.iter().map(|(i, _)| *i).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        for i in 20..30 {
            assert!(t.find(&key(i)).is_some_and(|e| e.0 == i));
        }
        assert!(t.find(&key(3)).is_none());
    }

    #[test]
    fn idle_entries_go_as_new_ones_come() {
        let mut t = Table::new(1000);
        let mut idle = 0;
        for i in 0..100u16 {
            t.insert(key(i), E(i), Timestamp(0), |_, _| {});
        }
        for i in 100..200u16 {
            t.insert(key(i), E(i), Timestamp(1000), |_, why| idle += i32::from(why == Gone::Idle));
        }
        assert!(idle >= 99, "{idle}");
        t.expire(Timestamp(5000), |_| idle += 1);
        assert_eq!((t.len(), idle), (0, 200));
    }

    #[test]
    fn what_is_looked_for_is_not_idle() {
        let mut t = Table::new(1000);
        t.insert(key(1), E(1), Timestamp(1000), |_, _| {});
        t.insert(key(2), E(2), Timestamp(1000), |_, _| {});
        assert!(t.touch(&key(1), Timestamp(1080)).is_some());
        let mut gone = Vec::new();
        for i in 10..20 {
            t.insert(key(i), E(i), Timestamp(1150), |e, _| gone.push(e.0));
        }
        assert_eq!(gone, [2]);
        assert!(t.find(&key(1)).is_some());
    }
}
