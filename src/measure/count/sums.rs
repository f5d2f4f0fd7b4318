//! What one thread has counted, and how the counts of several become one.

use super::block::{Block, Cell};
use super::calendar::Calendar;
use super::host::{Gathered, Judged, Presence, SIGNALS};
use crate::base::{Addr, Mac};
use crate::measure::groups::Place;
use crate::measure::movers::Latest;
use foldhash::{HashMap, HashSet};

/// Groups of one dimension, up to which hosts are counted by the hour.
pub(super) const MOST_BY_HOUR: usize = 256;

/// A dimension (0 is the whole, then those of the plan) and the number of a
/// group of it.
pub(super) type Target = (u32, u32);

/// The whole.
pub(super) const WHOLE: Target = (0, 0);

/// Something that must count once although several hosts have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shared {
    /// An address that several hosts had, in its segment.
    Address(Box<str>, Addr),
    /// A hardware address that was seen in several segments; whether it counts
    /// for the lower bound.
    Mac(Mac, bool),
}

/// Hosts of each hour of each day, by signal.
pub(super) type Hours = [Vec<u32>; 2];

/// All that was counted.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Hosts that were in one place all the time, by place.
    pub(super) by_place: Vec<Option<Box<Block>>>,
    /// The others, by what they were counted for.
    pub(super) direct: HashMap<Target, Block>,
    /// What several hosts shared, by target, period and signal.
    pub(super) shared: HashMap<(Target, u32, u8), HashSet<Shared>>,
    /// Where and when hosts counted in `direct` were seen.
    pub(super) elsewhere: HashSet<(Place, u32, u8)>,
    pub(super) hours: HashMap<Target, Hours>,
    /// Hosts that are in the first of two periods only, and in the second.
    pub(super) movers: [Latest; 2],
    /// By dimension, whether it has too many groups to be counted by the hour.
    pub(super) too_many: Vec<bool>,
}

impl Sums {
    pub(super) fn new(dimensions: usize) -> Self {
        Sums { too_many: vec![false; dimensions + 1], ..Sums::default() }
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, other: Sums) {
        for (at, block) in other.by_place.into_iter().enumerate() {
            let Some(block) = block else { continue };
            if self.by_place.len() <= at {
                self.by_place.resize_with(at + 1, || None);
            }
            match self.by_place.get_mut(at) {
                Some(Some(mine)) => mine.add(&block),
                Some(place) => *place = Some(block),
                None => {}
            }
        }
        for (target, block) in other.direct {
            self.direct.entry(target).and_modify(|mine| mine.add(&block)).or_insert(block);
        }
        for (key, set) in other.shared {
            self.shared.entry(key).or_default().extend(set);
        }
        self.elsewhere.extend(other.elsewhere);
        self.movers.iter_mut().zip(other.movers).for_each(|(a, b)| a.merge(b));
        self.too_many.iter_mut().zip(other.too_many).for_each(|(a, b)| *a |= b);
        for (target, hours) in other.hours {
            if let Some(mine) = self.hours_of(target, hours.first().map_or(0, Vec::len)) {
                for (a, b) in mine.iter_mut().zip(&hours) {
                    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                }
            }
        }
    }

    /// The block of a place.
    pub(super) fn place(&mut self, place: Place, calendar: &Calendar) -> &mut Block {
        let at = place as usize;
        if self.by_place.len() <= at {
            self.by_place.resize_with(at + 1, || None);
        }
        // It was just made long enough.
        #[allow(clippy::indexing_slicing)]
        self.by_place[at].get_or_insert_with(|| Box::new(Block::new(calendar)))
    }

    /// The hours of a target, unless its dimension has too many groups.
    fn hours_of(&mut self, target: Target, hours: usize) -> Option<&mut Hours> {
        let too_many = self.too_many.get_mut(target.0 as usize)?;
        if *too_many {
            return None;
        }
        if !self.hours.contains_key(&target) {
            let others = self.hours.keys().filter(|(dimension, _)| *dimension == target.0).count();
            if others >= MOST_BY_HOUR {
                *too_many = true;
                self.hours.retain(|(dimension, _), _| *dimension != target.0);
                return None;
            }
            self.hours.insert(target, [vec![0; hours], vec![0; hours]]);
        }
        self.hours.get_mut(&target)
    }

    /// Counts a host in each hour.
    pub(super) fn add_hours(&mut self, target: Target, presence: &[Presence], calendar: &Calendar) {
        let Some(all) = self.hours_of(target, calendar.days() * 24) else { return };
        for day in presence.chunk_by(|a, b| (a.signal, a.day) == (b.signal, b.day)) {
            let (Some(first), Some(hours)) =
                (day.first(), day.first().and_then(|p| all.get_mut(usize::from(p.signal))))
            else {
                continue;
            };
            let mut slots = day.iter().fold(0, |slots, p| slots | p.slots) & (u128::MAX >> 32);
            let begin = first.day as usize * 24;
            let of_day = hours.get_mut(begin..begin + 24).unwrap_or_default();
            // Most have one or two: the highest bit left is the earliest.
            while slots != 0 {
                let hour = (slots.leading_zeros() / 4).saturating_sub(8);
                if let Some(n) = of_day.get_mut(hour as usize) {
                    *n += 1;
                }
                slots &= (1 << (92 - 4 * hour)) - 1;
            }
        }
    }

    /// Counts a host for a target, as far as it was seen there.
    pub(super) fn add_direct(
        &mut self,
        target: Target,
        host: &Gathered,
        presence: &[Presence],
        judged: &[&Judged],
        calendar: &Calendar,
    ) {
        let block = self.direct.entry(target).or_insert_with(|| Block::new(calendar));
        let shared = &mut self.shared;
        add(block, host, presence, judged, &mut |period, signal, what| {
            shared.entry((target, period, signal)).or_default().insert(what);
        });
    }
}

/// Counts a host. `share` takes what other hosts have as well.
pub(super) fn add(
    block: &mut Block,
    host: &Gathered,
    presence: &[Presence],
    judged: &[&Judged],
    share: &mut dyn FnMut(u32, u8, Shared),
) {
    for j in judged {
        let Some(kinds) = block.kinds.get_mut(j.period as usize) else { continue };
        if let Some(n) = kinds.verdicts.get_mut(j.amount.verdict as usize) {
            *n += 1;
        }
        for (at, n) in kinds.categories.iter_mut().enumerate() {
            *n += u32::from(j.amount.categories >> at & 1);
        }
        kinds.likely_installed += u32::from(j.amount.likely_installed);
    }
    let mut before: [Option<u32>; SIGNALS] = [None; SIGNALS];
    let person = &host.person;
    let loose = person.confirmed && (person.mac.is_none() || person.randomised);
    for run in presence.chunk_by(|a, b| (a.signal, a.period) == (b.signal, b.period)) {
        let Some(first) = run.first() else { continue };
        let (signal, period) = (usize::from(first.signal), first.period);
        for day in run.chunk_by(|a, b| a.day == b.day) {
            let at = day.first().map_or(usize::MAX, |p| p.day as usize);
            if let Some(n) = block.daily.get_mut(signal).and_then(|d| d.get_mut(at)) {
                *n += 1;
            }
            if let Some(n) = block.loose.get_mut(signal).and_then(|d| d.get_mut(at)).filter(|_| loose) {
                *n += 1;
            }
        }
        let addresses = addresses(run);
        let of = |cells: &'_ mut Vec<[Cell; 2]>, period: u32, change: &dyn Fn(&mut Cell)| {
            if let Some(cell) = cells.get_mut(period as usize).and_then(|c| c.get_mut(signal)) {
                change(cell);
            }
        };
        let last = before.get_mut(signal).and_then(|b| b.replace(period));
        let was_in_view = period.checked_sub(1).is_some_and(|before| last != Some(before) && host.in_view(before));
        of(&mut block.cells, period, &|cell| {
            cell.hosts += 1;
            cell.confirmed += u32::from(person.confirmed);
            cell.relays += u32::from(run.iter().any(|p| p.relay));
            cell.nats += u32::from(person.nat_at_least.is_some());
            let behind = addresses.len().max(person.nat_at_least.unwrap_or(1) as usize) as u64;
            cell.upper += behind;
            match last {
                None => cell.new += 1,
                Some(l) if l + 1 == period => cell.kept += 1,
                Some(_) => cell.returning += 1,
            }
            cell.came_in_view += u32::from(was_in_view);
            if person.mac.is_some() {
                cell.mac_hosts += 1;
                cell.mac_addresses += u32::try_from(addresses.len()).unwrap_or(u32::MAX);
                if !host.shares_mac {
                    cell.by_mac += 1;
                    cell.stable += u32::from(person.confirmed && !person.randomised);
                }
            }
            if !host.shares_address {
                cell.addresses += u32::try_from(addresses.len()).unwrap_or(u32::MAX);
            }
        });
        if host.shares_address {
            addresses.iter().for_each(|ip| share(period, first.signal, Shared::Address(host.segment.clone(), *ip)));
        }
        if let Some(mac) = person.mac.filter(|_| host.shares_mac) {
            share(period, first.signal, Shared::Mac(mac, person.confirmed && !person.randomised));
        }
        if let Some(l) = last.filter(|l| l + 1 < period) {
            of(&mut block.cells, l + 1, &|cell| lose(cell, host, l + 1));
        }
    }
    for (signal, last) in before.iter().enumerate() {
        let Some(next) = last.map(|l| l + 1) else { continue };
        if let Some(cell) = block.cells.get_mut(next as usize).and_then(|c| c.get_mut(signal)) {
            lose(cell, host, next);
        }
    }
    add_both(block, presence);
}

/// Counts a host that was in the period before.
fn lose(cell: &mut Cell, host: &Gathered, period: u32) {
    cell.lost += 1;
    cell.lost_in_view += u32::from(host.in_view(period));
}

/// Counts the periods in which a host has both signals.
fn add_both(block: &mut Block, presence: &[Presence]) {
    let reputation = presence.partition_point(|p| p.signal == 0);
    let (update, reputation) = presence.split_at(reputation);
    for run in reputation.chunk_by(|a, b| a.period == b.period) {
        let Some(period) = run.first().map(|p| p.period) else { continue };
        if update.binary_search_by_key(&period, |p| p.period).is_ok()
            && let Some(kinds) = block.kinds.get_mut(period as usize)
        {
            kinds.both += 1;
        }
    }
}

/// The different addresses of a host in a period: most have one.
fn addresses(run: &[Presence]) -> Addresses<'_> {
    match run {
        [first, rest @ ..] if rest.iter().all(|p| p.ip == first.ip) => Addresses::One(&first.ip),
        _ => {
            let mut all: Vec<Addr> = run.iter().map(|p| p.ip).collect();
            all.sort_unstable();
            all.dedup();
            Addresses::Several(all)
        }
    }
}

enum Addresses<'p> {
    One(&'p Addr),
    Several(Vec<Addr>),
}

impl std::ops::Deref for Addresses<'_> {
    type Target = [Addr];

    fn deref(&self) -> &[Addr] {
        match self {
            Addresses::One(one) => std::slice::from_ref(one),
            Addresses::Several(all) => all,
        }
    }
}
