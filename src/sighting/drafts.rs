//! The drafts of one shard, and which of them a running sensor has not handed
//! on yet.

use super::draft::{Draft, DraftKey};
use super::moved::Move;
use crate::base::Timestamp;
use crate::catalogue::IndicatorRef;
use foldhash::fast::RandomState;
use std::collections::BTreeSet;

/// Bytes that a place takes besides its draft: the index and the vector have
/// room for twice as many.
const OVERHEAD: usize = 2 * size_of::<(DraftKey, DraftAt)>() + size_of::<Slot>();

/// So many drafts are all looked at when a host moves. Of more, which only a
/// sensor that runs for long has, those with the very hardware address are
/// looked up: moves may come with every second packet.
const MAX_SCANNED: usize = 4096;

/// Where a draft lies. Once its day is closed it leads nowhere, also when the
/// place is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DraftAt {
    slot: u32,
    generation: u32,
}

/// What was not handed on yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unsaid {
    #[default]
    Nothing,
    Change,
    Rise,
}

#[derive(Debug, Default)]
struct Slot {
    draft: Option<Draft>,
    generation: u32,
    unsaid: Unsaid,
    /// Bytes that the draft took when it was last weighed.
    weight: usize,
}

/// The drafts by key and by place.
#[derive(Debug)]
pub(super) struct Drafts {
    index: hashbrown::HashMap<DraftKey, DraftAt, RandomState>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Source, indicator and day of drafts that were begun, so that those of
    /// one host are found without looking at all of them.
    kinds: BTreeSet<(u32, IndicatorRef, i64)>,
    /// Whether changes are noted at all.
    live: bool,
    /// Places with changes; some may have been handed on since as risen.
    changed: Vec<u32>,
    risen: Vec<u32>,
    /// Bytes that all drafts take, about.
    weight: usize,
}

impl Drafts {
    pub(super) fn new(live: bool) -> Self {
        Drafts {
            index: hashbrown::HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            kinds: BTreeSet::new(),
            live,
            changed: Vec::new(),
            risen: Vec::new(),
            weight: 0,
        }
    }

    /// The draft of that key, which begins at `ts` if there is none.
    pub(super) fn open(&mut self, key: DraftKey, ts: Timestamp) -> DraftAt {
        self.place(key, || Draft::new(key, ts))
    }

    fn place(&mut self, key: DraftKey, make: impl FnOnce() -> Draft) -> DraftAt {
        let Drafts { index, slots, free, kinds, .. } = self;
        *index.entry(key).or_insert_with(|| {
            kinds.insert((key.source, key.indicator, key.day));
            let number = free.pop().unwrap_or_else(|| {
                slots.push(Slot::default());
                u32::try_from(slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
            });
            let generation = slots.get_mut(number as usize).map_or(0, |slot| {
                slot.draft = Some(make());
                slot.generation
            });
            DraftAt { slot: number, generation }
        })
    }

    /// The draft of that key as before, or if it was handed out since, a part
    /// that goes on with it.
    pub(super) fn resume(&mut self, at: DraftAt, key: DraftKey) -> DraftAt {
        let here = self.slots.get(at.slot as usize).is_some_and(|s| s.generation == at.generation);
        if here || self.live {
            return at;
        }
        self.place(key, || Draft::part(key))
    }

    /// The place of a draft.
    pub(super) fn find(&self, key: &DraftKey) -> Option<DraftAt> {
        self.index.get(key).copied()
    }

    /// Files the drafts of a host that moves where it moves to, and merges
    /// those that meet there. What a running sensor handed on before stands.
    pub(super) fn move_host(&mut self, to: &Move) {
        let moving: Vec<DraftKey> = if self.slots.len() <= MAX_SCANNED {
            let keys = self.slots.iter().filter_map(|s| Some(s.draft.as_ref()?.key));
            keys.filter(|key| to.of(&key.host).is_some()).collect()
        } else {
            let hosts = to.hosts();
            let keys = self.kinds.iter().flat_map(|(source, indicator, day)| {
                let (source, indicator, day) = (*source, *indicator, *day);
                hosts.into_iter().flatten().map(move |host| DraftKey { source, host, indicator, day })
            });
            keys.collect()
        };
        for from in moving {
            let Some(number) = self.index.get(&from).map(|at| at.slot) else { continue };
            let Some(key) = to.of(&from.host).map(|host| DraftKey { host, ..from }) else { continue };
            let Some(slot) = self.slots.get_mut(number as usize) else { continue };
            let (Some(mut draft), unsaid) = (slot.draft.take(), std::mem::take(&mut slot.unsaid)) else { continue };
            slot.generation = slot.generation.wrapping_add(1);
            self.weight = self.weight.saturating_sub(std::mem::take(&mut slot.weight));
            self.index.remove(&draft.key);
            self.free.push(number);
            draft.key = key;
            let at = self.place(key, || Draft::part(key));
            if let Some(there) = self.get_mut(at) {
                there.merge(&draft);
            }
            if unsaid == Unsaid::Rise {
                self.rose(at);
            }
            self.weigh(at);
        }
    }

    /// Weighs a draft after it changed.
    pub(super) fn weigh(&mut self, at: DraftAt) {
        let slot = self.slots.get_mut(at.slot as usize).filter(|s| s.generation == at.generation);
        if let Some(slot) = slot
            && let Some(draft) = &slot.draft
        {
            let now = draft.weight().saturating_add(OVERHEAD);
            self.weight = self.weight.saturating_add(now).saturating_sub(std::mem::replace(&mut slot.weight, now));
        }
    }

    /// Bytes that all drafts take, about.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The draft, to be changed. `None` if its day is closed.
    pub(super) fn get_mut(&mut self, at: DraftAt) -> Option<&mut Draft> {
        let slot = self.slots.get_mut(at.slot as usize).filter(|s| s.generation == at.generation)?;
        if self.live && slot.unsaid == Unsaid::Nothing {
            slot.unsaid = Unsaid::Change;
            self.changed.push(at.slot);
        }
        slot.draft.as_mut()
    }

    /// The draft is new, or its stage rose: it is to be handed on at once.
    pub(super) fn rose(&mut self, at: DraftAt) {
        if self.live
            && let Some(slot) = self.slots.get_mut(at.slot as usize).filter(|s| s.generation == at.generation)
            && slot.unsaid != Unsaid::Rise
        {
            slot.unsaid = Unsaid::Rise;
            self.risen.push(at.slot);
        }
    }

    /// Copies of those that are new or rose since the last call.
    pub(super) fn take_risen(&mut self) -> Vec<Draft> {
        let risen = std::mem::take(&mut self.risen);
        risen.iter().filter_map(|n| self.hand_on(*n, Unsaid::Rise)).collect()
    }

    /// Copies of those that changed since they were last handed on.
    pub(super) fn take_changed(&mut self) -> Vec<Draft> {
        let mut all = self.take_risen();
        let changed = std::mem::take(&mut self.changed);
        all.extend(changed.iter().filter_map(|n| self.hand_on(*n, Unsaid::Change)));
        all
    }

    fn hand_on(&mut self, number: u32, what: Unsaid) -> Option<Draft> {
        let slot = self.slots.get_mut(number as usize).filter(|s| s.unsaid == what)?;
        slot.unsaid = Unsaid::Nothing;
        slot.draft.clone()
    }

    /// Hands out and forgets the drafts of days before `day`.
    pub(super) fn close(&mut self, day: i64) -> Vec<Draft> {
        let mut closed = Vec::new();
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            if let Some(draft) = slot.draft.take_if(|d| d.key.day < day) {
                slot.generation = slot.generation.wrapping_add(1);
                slot.unsaid = Unsaid::Nothing;
                self.weight = self.weight.saturating_sub(std::mem::take(&mut slot.weight));
                self.index.remove(&draft.key);
                self.free.push(number);
                closed.push(draft);
            }
        }
        self.kinds.retain(|(_, _, of)| *of >= day);
        if self.index.is_empty() {
            self.index.shrink_to_fit();
        }
        closed
    }

    /// All, in the order they began (as long as no day was closed).
    pub(super) fn into_list(self) -> Vec<Draft> {
        self.slots.into_iter().filter_map(|s| s.draft).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use crate::sighting::HostKey;

    fn key(host: u8, day: i64) -> DraftKey {
        let host = HostKey { segment: 0, ip: Addr::v4([10, 0, 0, host]), mac: None };
        DraftKey { source: 0, host, indicator: IndicatorRef(0), day }
    }

    fn keys(drafts: &[Draft]) -> Vec<DraftKey> {
        drafts.iter().map(|d| d.key).collect()
    }

    #[test]
    fn each_change_is_handed_on_once() {
        let mut d = Drafts::new(true);
        let (a, b) = (d.open(key(1, 5), Timestamp(0)), d.open(key(2, 5), Timestamp(0)));
        assert!(d.get_mut(a).is_some() && d.get_mut(b).is_some());
        d.rose(a);
        d.rose(a);
        assert_eq!(keys(&d.take_risen()), [key(1, 5)]);
        assert_eq!(keys(&d.take_risen()), []);
        assert_eq!(keys(&d.take_changed()), [key(2, 5)]);
        assert!(d.get_mut(a).is_some());
        assert!(d.get_mut(a).is_some());
        assert_eq!(keys(&d.take_changed()), [key(1, 5)]);
        assert_eq!(keys(&d.take_changed()), []);
    }

    #[test]
    fn a_closed_day_is_forgotten_and_its_places_lead_nowhere() {
        let mut d = Drafts::new(true);
        let (a, b) = (d.open(key(1, 5), Timestamp(0)), d.open(key(1, 6), Timestamp(0)));
        assert_eq!(keys(&d.close(6)), [key(1, 5)]);
        assert!(d.get_mut(a).is_none() && d.get_mut(b).is_some());
        let again = d.open(key(2, 6), Timestamp(0));
        assert_eq!((again.slot, d.slots.len()), (a.slot, 2), "the place is used again");
        assert!(d.get_mut(a).is_none());
        d.rose(a);
        assert_eq!(keys(&d.take_changed()), [key(1, 6)]);
        assert_eq!(d.into_list().len(), 2);
    }

    #[test]
    fn a_replay_notes_no_changes() {
        let mut d = Drafts::new(false);
        let a = d.open(key(1, 5), Timestamp(0));
        assert!(d.get_mut(a).is_some());
        d.rose(a);
        assert!(d.changed.is_empty() && d.risen.is_empty());
    }
}
