//! What one thread has counted, and how the counts of several become one.

use super::block::{Block, Blocks, InRow, present};
use super::calendar::Calendar;
use super::host::{Gathered, Judged, Presence, SIGNALS};
use crate::base::{Addr, Mac};
use crate::measure::groups::Place;
use crate::measure::groups::places::{Meaning, NOBODY};
use crate::measure::movers::Latest;
use foldhash::{HashMap, HashSet};

/// Groups of one dimension, up to which hosts are counted by the hour.
const MOST_BY_HOUR: usize = 256;
/// Days of all of them that are: each has 192 bytes.
const DAYS_BY_HOUR: usize = 1 << 19;

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

/// Periods in which something was seen, a bit each.
pub(super) type Periods = Vec<u64>;

/// Whether a period is among them.
pub(super) fn has_period(periods: &[u64], period: u32) -> bool {
    periods.get(period as usize / 64).is_some_and(|bits| bits >> (period % 64) & 1 == 1)
}

/// All that was counted.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Hosts that were in one place all the time, by place.
    by_place: Blocks<Place>,
    /// The others, by what they were counted for.
    pub(super) direct: Blocks<Target>,
    /// What several hosts shared, by target, period and signal.
    pub(super) shared: HashMap<(Target, u32, u8), HashSet<Shared>>,
    /// When hosts were seen in places of organisations, by place and signal; of
    /// those in `by_place` only once they are no longer there.
    pub(super) seen: HashMap<(Place, u8), Periods>,
    pub(super) hours: HashMap<Target, Hours>,
    /// Hosts that are in the first of two periods only, and in the second.
    pub(super) movers: [Latest; 2],
    /// By dimension, whether it has too many groups to be counted by the hour.
    pub(super) too_many: Vec<bool>,
    /// Groups of a dimension that are not too many.
    most_by_hour: usize,
}

impl Sums {
    pub(super) fn new(dimensions: usize, calendar: &Calendar) -> Self {
        let days = DAYS_BY_HOUR / (dimensions + 1) / calendar.days().max(1);
        Sums { too_many: vec![false; dimensions + 1], most_by_hour: days.clamp(1, MOST_BY_HOUR), ..Sums::default() }
    }

    /// How much room those take that can be given to another, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.by_place.bytes() + self.direct.bytes()
    }

    /// Adds what another thread counted, that of places to what they stand for.
    pub(super) fn merge(&mut self, other: Sums, meanings: &[Meaning], calendar: &Calendar) {
        for (place, row) in other.by_place.into_rows() {
            let Some(meaning) = meanings.get(place as usize) else { continue };
            let blocks = present(row);
            targets(&meaning.groups).for_each(|target| self.direct.of(target, calendar).add(&blocks));
            for (period, block) in blocks.iter().filter(|_| meaning.org != NOBODY) {
                for (signal, _) in (0u8..).zip(&block.cells).filter(|(_, cell)| cell.hosts > 0) {
                    self.see(place, *period, signal);
                }
            }
        }
        for (target, row) in other.direct.into_rows() {
            self.direct.of(target, calendar).add(&present(row));
        }
        for (key, set) in other.shared {
            self.shared.entry(key).or_default().extend(set);
        }
        self.movers.iter_mut().zip(other.movers).for_each(|(a, b)| a.merge(b));
        for (key, periods) in other.seen {
            let mine = self.seen.entry(key).or_default();
            mine.resize(mine.len().max(periods.len()), 0);
            mine.iter_mut().zip(periods).for_each(|(a, b)| *a |= b);
        }
        self.too_many.iter_mut().zip(other.too_many).for_each(|(a, b)| *a |= b);
        for (target, hours) in other.hours {
            if let Some(mine) = self.hours_of(target, hours.first().map_or(0, Vec::len)) {
                for (a, b) in mine.iter_mut().zip(&hours) {
                    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                }
            }
        }
    }

    /// Hands over what takes room and can be added elsewhere.
    pub(super) fn hand_over(&mut self) -> Sums {
        let Sums { by_place, direct, shared, seen, .. } = self;
        Sums {
            by_place: std::mem::take(by_place),
            direct: std::mem::take(direct),
            shared: std::mem::take(shared),
            seen: std::mem::take(seen),
            ..Sums::default()
        }
    }

    /// Counts a host that was in one place all the time.
    pub(super) fn add_place(&mut self, place: Place, host: &Gathered, judged: &[&Judged], calendar: &Calendar) {
        let mut into = self.by_place.of(place, calendar);
        add(&mut into, host, &host.presence, judged, &mut |_, _, _| {});
    }

    /// Keeps that a host was seen in a place of an organisation.
    pub(super) fn see(&mut self, place: Place, period: u32, signal: u8) {
        let periods = self.seen.entry((place, signal)).or_default();
        let at = period as usize / 64;
        periods.resize(periods.len().max(at + 1), 0);
        if let Some(bits) = periods.get_mut(at) {
            *bits |= 1 << (period % 64);
        }
    }

    /// The hours of a target, unless its dimension has too many groups.
    fn hours_of(&mut self, target: Target, hours: usize) -> Option<&mut Hours> {
        let too_many = self.too_many.get_mut(target.0 as usize)?;
        if *too_many {
            return None;
        }
        if !self.hours.contains_key(&target) {
            let others = self.hours.keys().filter(|(dimension, _)| *dimension == target.0).count();
            if others >= self.most_by_hour {
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
        let mut into = self.direct.of(target, calendar);
        let shared = &mut self.shared;
        add(&mut into, host, presence, judged, &mut |period, signal, what| {
            shared.entry((target, period, signal)).or_default().insert(what);
        });
    }
}

/// What a place counts for.
pub(super) fn targets(groups: &[u32]) -> impl Iterator<Item = Target> {
    std::iter::once(WHOLE).chain((1u32..).zip(groups.iter().copied()))
}

/// Counts a host. `share` takes what other hosts have as well.
fn add(
    into: &mut InRow<'_>,
    host: &Gathered,
    presence: &[Presence],
    judged: &[&Judged],
    share: &mut dyn FnMut(u32, u8, Shared),
) {
    for j in judged {
        let Some(Block { kinds, .. }) = into.at(j.period) else { continue };
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
        let start = into.calendar.range(period as usize).start;
        let Some(block) = into.at(period) else { continue };
        for day in run.chunk_by(|a, b| a.day == b.day) {
            let at = day.first().and_then(|p| (p.day as usize).checked_sub(start));
            let Some(day) = at.and_then(|at| block.days.get_mut(at)) else { continue };
            for (hosts, counts) in [(&mut day.hosts, true), (&mut day.loose, loose)] {
                if let Some(n) = hosts.get_mut(signal).filter(|_| counts) {
                    *n += 1;
                }
            }
        }
        let addresses = addresses(run);
        let last = before.get_mut(signal).and_then(|b| b.replace(period));
        let was_in_view = period.checked_sub(1).is_some_and(|before| last != Some(before) && host.in_view(before));
        if let Some(cell) = block.cells.get_mut(signal) {
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
        }
        if host.shares_address {
            addresses.iter().for_each(|ip| share(period, first.signal, Shared::Address(host.segment.clone(), *ip)));
        }
        if let Some(mac) = person.mac.filter(|_| host.shares_mac) {
            share(period, first.signal, Shared::Mac(mac, person.confirmed && !person.randomised));
        }
        if let Some(l) = last.filter(|l| l + 1 < period) {
            lose(into, signal, host, l + 1);
        }
    }
    for (signal, last) in before.iter().enumerate() {
        if let Some(last) = last {
            lose(into, signal, host, last + 1);
        }
    }
    add_both(into, presence);
}

/// Counts a host that was in the period before.
fn lose(into: &mut InRow<'_>, signal: usize, host: &Gathered, period: u32) {
    if let Some(cell) = into.at(period).and_then(|b| b.cells.get_mut(signal)) {
        cell.lost += 1;
        cell.lost_in_view += u32::from(host.in_view(period));
    }
}

/// Counts the periods in which a host has both signals.
fn add_both(into: &mut InRow<'_>, presence: &[Presence]) {
    let reputation = presence.partition_point(|p| p.signal == 0);
    let (update, reputation) = presence.split_at(reputation);
    for run in reputation.chunk_by(|a, b| a.period == b.period) {
        let Some(period) = run.first().map(|p| p.period) else { continue };
        if update.binary_search_by_key(&period, |p| p.period).is_ok()
            && let Some(block) = into.at(period)
        {
            block.kinds.both += 1;
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
