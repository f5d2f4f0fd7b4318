//! The table of encapsulations.
//!
//! A packet carries a number, the table says what it stands for. One decoder
//! writes the table; whoever writes records reads it through a handle.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::EncapId;
use super::path::{self, Kind, Layer, Path};
use crate::coverage::Counter;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most encapsulations told apart; the last place is for all others.
pub const MAX_ENCAPS: usize = 65_536;

/// Slots of the cache for VLAN tags.
const TAG_SLOTS: usize = 1 << TAG_BITS;
const TAG_BITS: u32 = 8;
const TAG_SHIFT: u32 = 32 - TAG_BITS;

/// Set in a tag's number if it is a service tag.
pub(super) const SERVICE: u16 = 0x1000;

/// The layer of a tag: its VLAN id, with [`SERVICE`] if it is a service tag.
pub(super) fn tag_layer(tag: u16) -> Layer {
    let kind = if tag & SERVICE == 0 { Kind::Vlan } else { Kind::ServiceVlan };
    Layer::with_id(kind, u32::from(tag & !SERVICE))
}

/// What surrounds a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encap {
    /// The context that keeps equal private addresses apart, such as
    /// `vlan:10/vni:77`; empty without tags and tunnels, or if VLANs are
    /// ignored. `other` for encapsulations beyond [`MAX_ENCAPS`].
    pub segment: String,
    /// Number of the segment: equal for equal segments, 0 for the empty one.
    pub segment_id: u32,
    /// Every tag, label and tunnel, outermost first, such as `vlan:10`.
    pub layers: Vec<String>,
}

/// A handle to a decoder's table of encapsulations; clones share the table.
///
/// Each reading takes a lock; see [`EncapReader`] for reading per packet.
#[derive(Clone, Debug)]
pub struct EncapTable(Arc<RwLock<Vec<Arc<Encap>>>>);

impl EncapTable {
    fn new() -> Self {
        EncapTable(Arc::new(RwLock::new(vec![Arc::default()])))
    }

    /// The encapsulation of that number; the empty one for a number that this
    /// table did not give out.
    pub fn get(&self, id: EncapId) -> Arc<Encap> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(id.0).ok().and_then(|i| table.get(i)).cloned().unwrap_or_default()
    }

    /// How many encapsulations it holds, the empty one included.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it holds no encapsulation but the empty one.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// A reader with a copy of its own.
    pub fn reader(&self) -> EncapReader {
        EncapReader { table: self.clone(), known: vec![Arc::default()] }
    }

    fn push(&self, encap: Encap) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(encap));
    }
}

/// Reads the table without a lock, except when it meets a number for the first
/// time.
#[derive(Clone, Debug)]
pub struct EncapReader {
    table: EncapTable,
    known: Vec<Arc<Encap>>,
}

impl EncapReader {
    /// The encapsulation of that number; the empty one for a number that the
    /// table did not give out.
    #[inline]
    pub fn get(&mut self, id: EncapId) -> &Arc<Encap> {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if index >= self.known.len() {
            self.refresh();
        }
        static NONE: std::sync::LazyLock<Arc<Encap>> = std::sync::LazyLock::new(Arc::default);
        self.known.get(index).unwrap_or_else(|| &NONE)
    }

    #[cold]
    fn refresh(&mut self) {
        let table = self.table.0.read().unwrap_or_else(PoisonError::into_inner);
        self.known.extend(table.iter().skip(self.known.len()).cloned());
    }
}

/// The writing side: finds or gives out numbers. Takes the lock only for a new
/// encapsulation.
#[derive(Debug)]
pub(super) struct EncapIndex {
    table: EncapTable,
    ids: HashMap<Box<[Layer]>, EncapId, RandomState>,
    segments: HashMap<String, u32, RandomState>,
    /// Segment number by encapsulation number.
    segment_of: Vec<u32>,
    /// The path met last.
    last: (Path, EncapId),
    /// Direct-mapped cache from up to two VLAN tags to their number.
    tags: [(u32, EncapId); TAG_SLOTS],
    ignore_vlan: bool,
    cap: usize,
    other: Option<EncapId>,
    /// How often the table was full since this was last asked.
    refused: u64,
}

impl EncapIndex {
    pub fn new(ignore_vlan: bool) -> Self {
        EncapIndex::with_cap(ignore_vlan, MAX_ENCAPS)
    }

    fn with_cap(ignore_vlan: bool, cap: usize) -> Self {
        EncapIndex {
            table: EncapTable::new(),
            ids: HashMap::default(),
            segments: HashMap::default(),
            segment_of: vec![0],
            last: (Path::default(), EncapId(0)),
            tags: [(0, EncapId(0)); TAG_SLOTS],
            ignore_vlan,
            cap,
            other: None,
            refused: 0,
        }
    }

    /// The shared table.
    pub fn table(&self) -> &EncapTable {
        &self.table
    }

    /// Segment number of an encapsulation.
    pub fn segment_id(&self, id: EncapId) -> u32 {
        usize::try_from(id.0).ok().and_then(|i| self.segment_of.get(i)).copied().unwrap_or(0)
    }

    /// How often a new encapsulation found the table full, since the last call.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Number of a frame with the tags `outer` and `inner`, each 0 for none: a
    /// VLAN id, with [`SERVICE`] if a service tag holds it.
    #[inline]
    pub fn tagged(&mut self, outer: u16, inner: u16) -> EncapId {
        let key = u32::from(outer) << 16 | u32::from(inner);
        if key == 0 {
            return EncapId(0);
        }
        // The top bits of a multiplication by the golden ratio.
        let slot = (key.wrapping_mul(0x9e37_79b1) >> TAG_SHIFT) as usize;
        match self.tags.get(slot) {
            Some((k, id)) if *k == key => *id,
            _ => self.tagged_slow(outer, inner, key, slot),
        }
    }

    #[cold]
    fn tagged_slow(&mut self, outer: u16, inner: u16, key: u32, slot: usize) -> EncapId {
        let mut path = Path::default();
        for tag in [outer, inner] {
            if tag != 0 {
                // Two layers always fit.
                let _ = path.push(tag_layer(tag));
            }
        }
        let id = self.id(&path);
        // What was refused is looked up again, so that each refusal counts.
        if Some(id) != self.other
            && let Some(s) = self.tags.get_mut(slot)
        {
            *s = (key, id);
        }
        id
    }

    /// Number of a path.
    pub fn id(&mut self, path: &Path) -> EncapId {
        if path.layers().is_empty() {
            return EncapId(0);
        }
        if self.last.0.layers() == path.layers() {
            return self.last.1;
        }
        let id = match self.ids.get(path.layers()) {
            Some(id) => *id,
            None => match self.insert(path) {
                Some(id) => id,
                None => return self.refuse(),
            },
        };
        self.last = (path.clone(), id);
        id
    }

    /// A number for a new path; `None` if the table is full.
    #[cold]
    fn insert(&mut self, path: &Path) -> Option<EncapId> {
        // Tunnel ids of one direction are many; the last sixteenth of the
        // table is kept for what keeps hosts apart.
        let used = self.segment_of.len();
        if used >= self.cap.saturating_sub(self.cap / 16) {
            let plain = path.without_one_way_ids();
            if plain.layers() != path.layers() {
                return Some(match self.ids.get(plain.layers()) {
                    Some(id) => *id,
                    None => self.insert(&plain)?,
                });
            }
        }
        if used >= self.cap.saturating_sub(1) {
            return None;
        }
        let segment = if self.ignore_vlan { String::new() } else { path::segment(path.layers()) };
        let layers = path.layers().iter().map(Layer::to_string).collect();
        let id = self.append(segment, layers);
        self.ids.insert(path.layers().into(), id);
        Some(id)
    }

    #[cold]
    fn refuse(&mut self) -> EncapId {
        self.refused = self.refused.saturating_add(1);
        if let Some(id) = self.other {
            return id;
        }
        let segment = if self.ignore_vlan { "" } else { path::OTHER };
        let id = self.append(segment.to_owned(), vec![path::OTHER.to_owned()]);
        self.other = Some(id);
        id
    }

    fn append(&mut self, segment: String, layers: Vec<String>) -> EncapId {
        let next = u32::try_from(self.segments.len()).unwrap_or(u32::MAX).saturating_add(1);
        let segment_id = match segment.as_str() {
            "" => 0,
            s => *self.segments.entry_ref(s).or_insert(next),
        };
        let id = EncapId(u32::try_from(self.segment_of.len()).unwrap_or(u32::MAX));
        self.segment_of.push(segment_id);
        self.table.push(Encap { segment, segment_id, layers });
        id
    }
}

/// The counter of a path that found the table full.
pub(super) const REFUSED: Counter = Counter::EncapsRefused;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(layers: &[(Kind, u32)]) -> Path {
        let mut p = Path::default();
        for &(kind, id) in layers {
            p.push(Layer::with_id(kind, id)).unwrap();
        }
        p
    }

    #[test]
    fn equal_paths_share_a_number_and_equal_segments_share_theirs() {
        let mut index = EncapIndex::new(false);
        assert_eq!(index.id(&Path::default()), EncapId(0));
        let a = index.id(&path(&[(Kind::Vlan, 10), (Kind::Vxlan, 77)]));
        let b = index.id(&path(&[(Kind::Vlan, 10), (Kind::Mpls, 16), (Kind::Vxlan, 77)]));
        let c = index.id(&path(&[(Kind::Vlan, 11)]));
        assert_eq!(index.id(&path(&[(Kind::Vlan, 10), (Kind::Vxlan, 77)])), a);
        assert_eq!((a, b, c), (EncapId(1), EncapId(2), EncapId(3)));
        let mut reader = index.table().reader();
        assert_eq!(reader.get(a).segment, "vlan:10/vni:77");
        let [x, y, z] = [a, b, c].map(|id| reader.get(id).segment_id);
        assert!(x == y && x != z && x != 0);
        assert_eq!(index.table().get(b).layers, ["vlan:10", "mpls:16", "vni:77"]);
        assert_eq!(reader.get(EncapId(0)).segment_id, 0);
        assert_eq!(**reader.get(EncapId(99)), Encap::default());
        assert_eq!(*index.table().get(EncapId(99)), Encap::default());
    }

    #[test]
    fn tags_and_paths_agree() {
        let mut index = EncapIndex::new(false);
        for (outer, inner) in [(1, 0), (0, 1), (4095, 4095), (1, 2), (2, 1), (65, 0), (129, 0), (SERVICE | 1, 2)] {
            let layers: Vec<_> = [outer, inner].into_iter().filter(|v| *v != 0).map(tag_layer).collect();
            let layers: Vec<_> = layers.iter().map(|l| (l.kind, l.id.unwrap())).collect();
            let id = index.tagged(outer, inner);
            assert_eq!(index.id(&path(&layers)), id);
            assert_eq!(index.tagged(outer, inner), id);
        }
        assert_eq!(index.tagged(0, 0), EncapId(0));
        let (customer, service) = (index.tagged(1, 2), index.tagged(SERVICE | 1, 2));
        assert_ne!(customer, service);
        assert_eq!(index.table().get(customer), index.table().get(service), "one segment, whatever the ethertype");
    }

    #[test]
    fn ignored_vlans_leave_the_layers_and_no_segment() {
        let mut index = EncapIndex::new(true);
        let id = index.id(&path(&[(Kind::Vlan, 10), (Kind::Vxlan, 77)]));
        let encap = index.table().get(id);
        assert_eq!((encap.segment.as_str(), encap.segment_id), ("", 0));
        assert_eq!(encap.layers, ["vlan:10", "vni:77"]);
    }

    #[test]
    fn a_full_table_is_counted_and_keeps_room_for_tags() {
        let mut index = EncapIndex::with_cap(false, 64);
        for teid in 0..100 {
            index.id(&path(&[(Kind::Gtpu, teid)]));
        }
        assert_eq!(index.take_refused(), 0);
        assert_eq!(index.table().len(), 61);
        let vlan = index.tagged(7, 0);
        assert_eq!(index.table().get(vlan).segment, "vlan:7");
        for vid in 100..200 {
            index.tagged(vid, 0);
        }
        assert_eq!(index.table().len(), 64);
        let (last, first) = (index.tagged(199, 0), index.tagged(7, 0));
        assert_eq!(index.table().get(last).segment, "other");
        assert_eq!(index.table().get(first).segment, "vlan:7");
        assert_eq!(index.take_refused(), 100, "one entry fitted, one was asked for twice");
    }
}
