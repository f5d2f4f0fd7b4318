//! Sums of one place or group.

use super::calendar::Calendar;

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

/// All sums of one place or group.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// By period and signal.
    pub(super) cells: Vec<[Cell; 2]>,
    /// By period.
    pub(super) kinds: Vec<Kinds>,
    /// Hosts by signal and day.
    pub(super) daily: [Vec<u32>; 2],
    /// Of these, the confirmed ones that may be the same host on different days.
    pub(super) loose: [Vec<u32>; 2],
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
    /// Nothing yet.
    pub(super) fn new(calendar: &Calendar) -> Self {
        let days = || vec![0; calendar.days()];
        Block {
            cells: vec![[Cell::default(); 2]; calendar.periods()],
            kinds: vec![Kinds::default(); calendar.periods()],
            daily: [days(), days()],
            loose: [days(), days()],
        }
    }

    /// Adds the sums of another.
    pub(super) fn add(&mut self, other: &Block) {
        for (a, b) in self.cells.iter_mut().zip(&other.cells) {
            a.iter_mut().zip(b).for_each(|(a, b)| a.add(b));
        }
        for (a, b) in self.kinds.iter_mut().zip(&other.kinds) {
            add(&mut a.verdicts, &b.verdicts);
            add(&mut a.categories, &b.categories);
            a.likely_installed += b.likely_installed;
            a.both += b.both;
        }
        for (a, b) in self.daily.iter_mut().chain(&mut self.loose).zip(other.daily.iter().chain(&other.loose)) {
            add(a, b);
        }
    }
}
