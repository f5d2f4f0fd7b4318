//! One host after the other: what it amounts to in each period, and where it
//! was then.

use super::Plan;
use super::calendar::Calendar;
use super::sums::{Sums, WHOLE};
use crate::base::time::{DAY_SECS, QUARTER_SECS, SECOND};
use crate::base::{Addr, Mac, Stage, Timestamp};
use crate::catalogue::Category;
use crate::host::count::{Amount, Counting, Person, Piece};
use crate::host::{Facts, Judge, Verdict};
use crate::measure::groups::places::{Cache, NOBODY};
use crate::measure::groups::{Place, Places};
use crate::measure::movers::Mover;
use foldhash::HashMap;

/// How many signals are counted: update and reputation.
pub(super) const SIGNALS: usize = 2;

/// A day on which servers answered a host, at one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presence {
    /// 0 update, 1 reputation.
    pub(super) signal: u8,
    /// It serves others as well.
    pub(super) relay: bool,
    pub(super) period: u32,
    /// Number in the calendar.
    pub(super) day: u32,
    pub(super) place: Place,
    pub(super) ip: Addr,
    /// Quarter hours of the day, the first in bit 95.
    pub(super) slots: u128,
}

/// A verdict of one period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) period: u32,
    pub(super) amount: Amount,
    /// From where to where in [`Gathered::places`].
    places: (usize, usize),
}

/// What was gathered of one host.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) person: Person,
    pub(super) segment: Box<str>,
    /// Other hosts had one of its addresses, or may have had.
    pub(super) shares_address: bool,
    /// Its hardware address is in several segments.
    pub(super) shares_mac: bool,
    pub(super) presence: Vec<Presence>,
    judged: Vec<Judged>,
    places: Vec<Place>,
    /// By period, whether it was in view, with or without contacts.
    in_view: Vec<bool>,
    /// Of the first two periods, the last quarter hour with an update, and the
    /// address that it had then.
    updated: [Option<(i64, Addr)>; 2],
}

impl Gathered {
    /// Whether it was in view in a period.
    pub(super) fn in_view(&self, period: u32) -> bool {
        self.in_view.get(period as usize).copied().unwrap_or(false)
    }
}

/// Counts the hosts of parts, one part after the other.
#[derive(Debug)]
pub(super) struct Worker<'p> {
    plan: &'p Plan<'p>,
    places: &'p Places<'p>,
    calendar: &'p Calendar,
    addresses_apart: bool,
    cache: Cache,
    pub(super) sums: Sums,
    host: Gathered,
    own: Vec<Piece>,
    timed: Vec<(u32, Piece)>,
    pieces: Vec<Piece>,
    counting: Vec<Counting>,
    some: Vec<Presence>,
    /// Place of each address as seen, on the last day that was asked for.
    memo: Vec<Option<(i32, Place, bool)>>,
}

/// What hosts of a part have in common.
struct Common {
    /// By seen host, whether its address is of several hosts.
    contended: Vec<bool>,
    /// Hardware addresses in several segments.
    macs: HashMap<Mac, u32>,
}

impl Common {
    fn of(judge: &Judge<'_>, facts: &Facts) -> Self {
        const NONE: u32 = u32::MAX;
        const SEVERAL: u32 = u32::MAX - 1;
        let mut owner = vec![NONE; facts.seen.len()];
        let mut macs: HashMap<Mac, u32> = HashMap::default();
        for (seen, node) in judge.owners() {
            if let Some(o) = owner.get_mut(seen as usize) {
                *o = if *o == NONE || *o == node { node } else { SEVERAL };
            }
        }
        if facts.seen.iter().any(|s| s.mac.is_some()) {
            let mut of: HashMap<(&str, Addr), u32> = HashMap::default();
            for (s, o) in facts.seen.iter().zip(&owner).filter(|(_, o)| **o != NONE) {
                let known = of.entry((&s.segment, s.ip)).or_insert(*o);
                *known = if known == o { *o } else { SEVERAL };
            }
            for (s, o) in facts.seen.iter().zip(&mut owner) {
                *o = of.get(&(s.segment.as_str(), s.ip)).copied().unwrap_or(*o);
            }
            for mac in judge.hosts().iter().filter_map(|node| judge.mac_of(*node)) {
                *macs.entry(mac).or_insert(0) += 1;
            }
            macs.retain(|_, n| *n > 1);
        }
        Common { contended: owner.iter().map(|o| *o == SEVERAL).collect(), macs }
    }
}

impl<'p> Worker<'p> {
    pub(super) fn new(
        plan: &'p Plan<'p>,
        places: &'p Places<'p>,
        calendar: &'p Calendar,
        addresses_apart: bool,
    ) -> Self {
        Worker {
            plan,
            places,
            calendar,
            addresses_apart,
            cache: Cache::default(),
            sums: Sums::new(plan.dimensions.len(), calendar),
            host: Gathered::default(),
            own: Vec::new(),
            timed: Vec::new(),
            pieces: Vec::new(),
            counting: Vec::new(),
            some: Vec::new(),
            memo: Vec::new(),
        }
    }

    /// Counts the hosts of a part; `full` is called when a good deal was counted.
    /// False where there are too many groups.
    pub(super) fn part(&mut self, facts: &Facts, judge: &Judge<'_>, full: &dyn Fn(&mut Sums)) -> bool {
        let common = Common::of(judge, facts);
        self.memo.clear();
        self.memo.resize(facts.seen.len(), None);
        for node in judge.hosts() {
            if self.gather(facts, judge, &common, *node) {
                if self.plan.movers {
                    self.list(judge, *node);
                }
                if self.places.are_too_many() {
                    return false;
                }
                self.count();
                full(&mut self.sums);
            }
        }
        true
    }

    /// Gathers what one host was in each period; false if nothing.
    fn gather(&mut self, facts: &Facts, judge: &Judge<'_>, common: &Common, node: u32) -> bool {
        self.own.clear();
        judge.own(node, &mut self.own);
        self.timed.clear();
        for piece in &self.own {
            let Some(contact) = facts.contacts.get(piece.contact() as usize) else { continue };
            let [(a, in_a), (b, in_b)] = self.plan.offset.split(contact.day);
            let period = |day| self.calendar.find(day).map(|(_, period)| period);
            let (in_first, in_second) = (period(a), if in_b == 0 { None } else { period(b) });
            if in_first.is_some() && in_first == in_second {
                self.timed.extend(in_first.zip(Some(*piece)));
                continue;
            }
            for (period, mask) in [(in_first, in_a), (in_second, in_b)] {
                self.timed.extend(period.zip(piece.within(mask)));
            }
        }
        if self.timed.is_empty() {
            return false;
        }
        self.timed.sort_by_key(|(period, _)| *period);
        let host = &mut self.host;
        host.presence.clear();
        host.judged.clear();
        host.places.clear();
        host.updated = [None; 2];
        let timed = std::mem::take(&mut self.timed);
        for of_period in timed.chunk_by(|a, b| a.0 == b.0) {
            self.judge(facts, judge, node, of_period);
        }
        self.timed = timed;
        let host = &mut self.host;
        host.in_view.clear();
        host.in_view.resize(self.calendar.periods(), false);
        if !host.presence.is_empty() && self.calendar.periods() > 1 {
            let judged = host.judged.iter().map(|j| j.period);
            let told = judge.in_view(node).flat_map(|(from, to)| self.calendar.touched(self.plan.offset, from, to));
            for period in judged.chain(told) {
                if let Some(there) = host.in_view.get_mut(period as usize) {
                    *there = true;
                }
            }
        }
        host.presence.sort_unstable_by_key(|p| (p.signal, p.day));
        host.person = judge.person(node);
        let contacts = self.own.iter().filter_map(|p| facts.contacts.get(p.contact() as usize));
        let contended = contacts.clone().any(|c| common.contended.get(c.seen as usize) == Some(&true));
        host.shares_address = !self.addresses_apart || contended;
        host.shares_mac = host.person.mac.is_some_and(|m| common.macs.contains_key(&m));
        if host.shares_address {
            let seen = contacts.clone().next().and_then(|c| facts.seen.get(c.seen as usize));
            host.segment = seen.map(|s| s.segment.as_str().into()).unwrap_or_default();
        }
        true
    }

    /// Judges a host in one period.
    fn judge(&mut self, facts: &Facts, judge: &Judge<'_>, node: u32, timed: &[(u32, Piece)]) {
        let Some(period) = timed.first().map(|(period, _)| *period) else { return };
        self.pieces.clear();
        self.pieces.extend(timed.iter().map(|(_, piece)| *piece));
        self.counting.clear();
        let amount = judge.amount(node, &self.pieces, &mut self.counting);
        let begin = self.host.places.len();
        for at in 0..self.pieces.len() {
            let Some(contact) = self.pieces.get(at).map(Piece::contact) else { continue };
            let place = self.place(facts, judge, node, contact);
            if self.host.places.get(begin..).is_some_and(|known| !known.contains(&place)) {
                self.host.places.push(place);
            }
        }
        self.host.judged.push(Judged { period, amount, places: (begin, self.host.places.len()) });
        let counting = std::mem::take(&mut self.counting);
        for c in counting.iter().filter(|c| c.stage >= Stage::Connected) {
            let signal = match c.category {
                Category::Update if amount.verdict.is_use() => 0,
                Category::Reputation if amount.verdict != Verdict::Oem => 1,
                _ => continue,
            };
            let Some(contact) = facts.contacts.get(c.contact as usize) else { continue };
            let Some(ip) = facts.seen.get(contact.seen as usize).map(|s| s.ip) else { continue };
            let place = self.place(facts, judge, node, c.contact);
            let slots = if c.answered == 0 { c.slots } else { c.answered };
            for (day, mask) in self.plan.offset.split(contact.day) {
                let of_day = slots & mask;
                if let Some((number, _)) = self.calendar.find(day).filter(|(_, of)| of_day != 0 && *of == period) {
                    let slots = self.plan.offset.shift(contact.day, day, of_day);
                    let relay = amount.relay;
                    self.host.presence.push(Presence { signal, relay, period, day: number, place, ip, slots });
                    if let Some(updated) = self.host.updated.get_mut(period as usize).filter(|_| signal == 0) {
                        // Bit 95 is the first quarter hour of the UTC day.
                        let last = i64::from(contact.day) * 96 + 95 - i64::from(of_day.trailing_zeros());
                        *updated = (*updated).max(Some((last, ip)));
                    }
                }
            }
        }
        self.counting = counting;
    }

    /// The place of a contact: that of its address, else of another address
    /// that the host had that day, if all that are known agree.
    fn place(&mut self, facts: &Facts, judge: &Judge<'_>, node: u32, contact: u32) -> Place {
        let Some(contact) = facts.contacts.get(contact as usize) else { return 0 };
        let Some(seen) = facts.seen.get(contact.seen as usize) else { return 0 };
        let memo = self.memo.get(contact.seen as usize).copied().flatten();
        let memo = memo.filter(|(day, ..)| *day == contact.day || !self.places.depends_on_day());
        let (place, known) = match memo {
            Some((_, place, known)) => (place, known),
            None => {
                let (place, known) = self.places.of(&mut self.cache, &seen.ip, contact.day);
                if let Some(memo) = self.memo.get_mut(contact.seen as usize) {
                    *memo = Some((contact.day, place, known));
                }
                (place, known)
            }
        };
        if known || facts.intervals.is_empty() || self.plan.groups.is_empty() {
            return place;
        }
        const DAY: i64 = DAY_SECS * SECOND;
        let start = i64::from(contact.day).saturating_mul(DAY);
        let mut found = None;
        for ip in judge.addresses(node, start, start.saturating_add(DAY - 1)) {
            match (self.places.of(&mut self.cache, &ip, contact.day), found) {
                ((_, false), _) => {}
                ((other, true), None) => found = Some(other),
                ((other, true), Some(before)) if other == before => {}
                _ => return place,
            }
        }
        found.unwrap_or(place)
    }

    /// Lists the host that was gathered if it is in one of two periods only.
    fn list(&mut self, judge: &Judge<'_>, node: u32) {
        let ((quarter, ip), only, other) = match self.host.updated {
            [Some(last), None] => (last, 0, 1),
            [None, Some(last)] => (last, 1, 0),
            _ => return,
        };
        let (last, mac) = (Timestamp::from_parts(quarter.saturating_mul(QUARTER_SECS), 0), self.host.person.mac);
        let Some(listed) = self.sums.movers.get_mut(only).filter(|listed| listed.wants(last, ip, mac)) else { return };
        // What it is called is asked of few: it takes a while.
        let Some(view) = judge.view(node) else { return };
        let (name, in_view) = (view.name.map(|(name, _)| name), Some(self.host.in_view(other)));
        listed.add(Mover { last, ip, mac, segment: view.segment, name, in_view });
    }

    /// Adds the host that was gathered to the sums.
    fn count(&mut self) {
        let host = std::mem::take(&mut self.host);
        let Some(first) = host.places.first().copied() else {
            self.host = host;
            return;
        };
        let one_place = host.places.iter().all(|p| *p == first);
        if one_place && !host.shares_address && !host.shares_mac {
            let judged: Vec<&Judged> = host.judged.iter().collect();
            self.sums.add_place(first, &host, &judged, self.calendar);
            self.hours(first, &host.presence);
        } else {
            self.count_directly(&host);
        }
        self.host = host;
    }

    /// Counts a host in each hour, for all that its place belongs to.
    fn hours(&mut self, place: Place, presence: &[Presence]) {
        self.sums.add_hours(WHOLE, presence, self.calendar);
        let Some(meaning) = self.cache.meaning(place) else { return };
        for (dimension, group) in (1u32..).zip(&meaning.groups) {
            self.sums.add_hours((dimension, *group), presence, self.calendar);
        }
    }

    /// Counts a host once for the whole and for each group that it was in.
    fn count_directly(&mut self, host: &Gathered) {
        let judged: Vec<&Judged> = host.judged.iter().collect();
        self.sums.add_direct(WHOLE, host, &host.presence, &judged, self.calendar);
        self.sums.add_hours(WHOLE, &host.presence, self.calendar);
        let of_org = |place: Place| self.cache.meaning(place).is_some_and(|m| m.org != NOBODY);
        for p in host.presence.iter().filter(|p| of_org(p.place)) {
            self.sums.see(p.place, p.period, p.signal);
        }
        for dimension in 0..self.plan.dimensions.len() {
            let group = |place: Place| self.cache.meaning(place).and_then(|m| m.groups.get(dimension)).copied();
            let mut groups: Vec<u32> = host.places.iter().filter_map(|p| group(*p)).collect();
            groups.sort_unstable();
            groups.dedup();
            for wanted in groups {
                let here = |place: &Place| group(*place) == Some(wanted);
                self.some.clear();
                self.some.extend(host.presence.iter().filter(|p| here(&p.place)));
                let of = |j: &&&Judged| host.places.get(j.places.0..j.places.1).is_some_and(|p| p.iter().any(here));
                let judged: Vec<&Judged> = judged.iter().filter(of).copied().collect();
                let target = (u32::try_from(dimension + 1).unwrap_or(u32::MAX), wanted);
                self.sums.add_direct(target, host, &self.some, &judged, self.calendar);
                self.sums.add_hours(target, &self.some, self.calendar);
            }
        }
    }
}
