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

/// Blocks of one place or group by period, as far as there are any.
pub(super) type Row = Box<[Option<Box<Block>>]>;

/// Blocks of places or groups. Most were seen in few periods, so that the others
/// take no room.
#[derive(Clone, Debug)]
pub(super) struct Blocks<K> {
    all: HashMap<K, Row>,
    bytes: usize,
}

impl<K> Default for Blocks<K> {
    fn default() -> Self {
        Blocks { all: HashMap::default(), bytes: 0 }
    }
}

impl<K: Eq + Hash> Blocks<K> {
    /// Those of one place or group.
    pub(super) fn of<'b>(&'b mut self, key: K, calendar: &'b Calendar) -> InRow<'b> {
        let bytes = &mut self.bytes;
        let row = self.all.entry(key).or_insert_with(|| {
            *bytes += size_of::<(K, Row)>() + calendar.periods() * size_of::<Option<Box<Block>>>();
            (0..calendar.periods()).map(|_| None).collect()
        });
        InRow { row, bytes, calendar }
    }

    /// Takes one out.
    pub(super) fn take(&mut self, key: &K, period: usize) -> Option<Box<Block>> {
        self.all.get_mut(key)?.get_mut(period)?.take()
    }

    /// Takes all.
    pub(super) fn into_rows(self) -> impl Iterator<Item = (K, Row)> {
        self.all.into_iter()
    }

    /// How much room they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The blocks of one place or group, to be added to.
pub(super) struct InRow<'b> {
    row: &'b mut Row,
    bytes: &'b mut usize,
    pub(super) calendar: &'b Calendar,
}

impl InRow<'_> {
    /// The block of a period; `None` if there is no such period.
    pub(super) fn at(&mut self, period: u32) -> Option<&mut Block> {
        let (bytes, calendar) = (&mut *self.bytes, self.calendar);
        let new = || {
            let days = calendar.range(period as usize).len();
            *bytes += size_of::<Block>() + days * size_of::<Day>();
            Box::new(Block { days: vec![Day::default(); days].into(), ..Block::default() })
        };
        Some(self.row.get_mut(period as usize)?.get_or_insert_with(new))
    }

    /// Adds those of another.
    pub(super) fn add(&mut self, blocks: &[(u32, Box<Block>)]) {
        for (period, block) in blocks {
            if let Some(mine) = self.at(*period) {
                mine.add(block);
            }
        }
    }
}

/// What there is in a row, with its periods.
pub(super) fn present(row: Row) -> Vec<(u32, Box<Block>)> {
    (0u32..).zip(row).filter_map(|(period, block)| Some((period, block?))).collect()
}
