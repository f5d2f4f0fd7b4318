//! Sums of places and groups, each of a period in which there is any.

use super::calendar::Calendar;
use foldhash::HashMap;
use std::hash::Hash;

/// How many verdicts and categories there are.
pub(super) const VERDICTS: usize = crate::host::Verdict::ALL.len();
pub(super) const CATEGORIES: usize = crate::catalogue::Category::ALL.len();

/// Hosts with one signal in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) hosts: u32,
    pub(super) confirmed: u32,
    pub(super) by_mac: u32,
    pub(super) addresses: u32,
    /// Confirmed, with a hardware address of their own that they did not make up.
    pub(super) stable: u32,
    pub(super) kept: u32,
    pub(super) new: u32,
    pub(super) returning: u32,
    pub(super) lost: u32,
    /// Of the lost, those that were in view all the same.
    pub(super) lost_in_view: u32,
    /// Of those that were not in the period before, the ones that were in view in
    /// it all the same.
    pub(super) came_in_view: u32,
    pub(super) relays: u32,
    pub(super) nats: u32,
    /// With a hardware address, each by itself.
    pub(super) mac_hosts: u32,
    /// Addresses of these.
    pub(super) mac_addresses: u32,
    /// Every address by itself, what is behind gateways too.
    pub(super) upper: u64,
}

/// Hosts in one period by what they amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) verdicts: [u32; VERDICTS],
    pub(super) categories: [u32; CATEGORIES],
    pub(super) likely_installed: u32,
    pub(super) both: u32,
}

impl Default for Kinds {
    fn default() -> Self {
        Kinds { verdicts: [0; VERDICTS], categories: [0; CATEGORIES], likely_installed: 0, both: 0 }
    }
}

/// Hosts of one day, by signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) hosts: [u32; 2],
    /// Of these, the confirmed ones that may be the same host on different days.
    pub(super) loose: [u32; 2],
}

/// All sums of one place or group in one period.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// By signal.
    pub(super) cells: [Cell; 2],
    pub(super) kinds: Kinds,
    /// Of the period.
    pub(super) days: Box<[Day]>,
}

fn add(to: &mut [u32], from: &[u32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}

impl Cell {
    fn add(&mut self, o: &Cell) {
        let Cell {
            hosts,
            confirmed,
            by_mac,
            addresses,
            stable,
            kept,
            new,
            returning,
            lost,
            lost_in_view,
            came_in_view,
            relays,
            nats,
            mac_hosts,
            mac_addresses,
            upper,
        } = o;
        self.hosts += hosts;
        self.confirmed += confirmed;
        self.by_mac += by_mac;
        self.addresses += addresses;
        self.stable += stable;
        self.kept += kept;
        self.new += new;
        self.returning += returning;
        self.lost += lost;
        self.lost_in_view += lost_in_view;
        self.came_in_view += came_in_view;
        self.relays += relays;
        self.nats += nats;
        self.mac_hosts += mac_hosts;
        self.mac_addresses += mac_addresses;
        self.upper += upper;
    }
}

impl Block {
    /// Adds the sums of another.
    fn add(&mut self, other: &Block) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(a, b)| a.add(b));
        let (a, b) = (&mut self.kinds, &other.kinds);
        add(&mut a.verdicts, &b.verdicts);
        add(&mut a.categories, &b.categories);
        a.likely_installed += b.likely_installed;
        a.both += b.both;
        for (a, b) in self.days.iter_mut().zip(&other.days) {
            add(&mut a.hosts, &b.hosts);
            add(&mut a.loose, &b.loose);
        }
    }
}

/// Blocks of places or groups, by period. Most were seen in few periods, so
/// that the others take no room.
#[derive(Clone, Debug)]
pub(super) struct Blocks<K> {
    all: HashMap<(K, u32), Box<Block>>,
    bytes: usize,
}

impl<K> Default for Blocks<K> {
    fn default() -> Self {
        Blocks { all: HashMap::default(), bytes: 0 }
    }
}

impl<K: Copy + Eq + Hash> Blocks<K> {
    /// The block of a period; `None` if there is no such period.
    pub(super) fn at(&mut self, key: K, period: u32, calendar: &Calendar) -> Option<&mut Block> {
        let bytes = &mut self.bytes;
        let days = Some(calendar.range(period as usize).len()).filter(|n| *n > 0)?;
        let new = || {
            *bytes += size_of::<Block>() + size_of::<(K, u32, usize)>() + days * size_of::<Day>();
            Box::new(Block { days: vec![Day::default(); days].into(), ..Block::default() })
        };
        Some(self.all.entry((key, period)).or_insert_with(new))
    }

    /// Adds the sums of another one.
    pub(super) fn add(&mut self, key: K, period: u32, block: &Block, calendar: &Calendar) {
        if let Some(mine) = self.at(key, period, calendar) {
            mine.add(block);
        }
    }

    /// Takes one out.
    pub(super) fn take(&mut self, key: K, period: u32) -> Option<Box<Block>> {
        self.all.remove(&(key, period))
    }

    /// Takes all.
    pub(super) fn into_all(self) -> impl Iterator<Item = ((K, u32), Box<Block>)> {
        self.all.into_iter()
    }

    /// How much room they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
