//! From sums to counts by group.

use super::Plan;
use super::block::{Block, Cell};
use super::calendar::Calendar;
use super::sums::{Shared, Sums, Target, WHOLE, has_period};
use crate::catalogue::Category;
use crate::host::Verdict;
use crate::measure::groups::places::{Meaning, Met, NOBODY};
use crate::measure::groups::{Places, Values};
use crate::measure::movers::{Latest, Mover};
use foldhash::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Everything that was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Of all hosts.
    pub whole: Group,
    /// By each breakdown of the plan, its groups in the order of their values,
    /// unknown last.
    pub dimensions: Vec<Vec<Group>>,
    /// Whether any file of groups says which organisation an address is of.
    pub has_org: bool,
    /// Where they are listed, hosts that are in the first of two periods only, and
    /// in the second.
    pub movers: [Vec<Mover>; 2],
}

/// The counts of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What the group is in each column; `None` is unknown.
    pub values: Values,
    /// By period.
    pub periods: Vec<PeriodSum>,
}

/// What is the same of two things that are counted in periods: hosts or
/// organisations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// In this period and in the one before.
    pub kept: u64,
    /// In this period for the first time.
    pub new: u64,
    /// In this period, not in the one before, and in an earlier one.
    pub returning: u64,
    /// In the period before and not in this one.
    pub lost: u64,
    /// Of the lost, those that were in view in this period without the signal; of
    /// hosts only.
    pub lost_in_view: u64,
    /// Of those not in the period before, the ones that were in view in it; of
    /// hosts only.
    pub came_in_view: u64,
}

/// Organisations with a signal in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Organisations {
    /// How many.
    pub seen: u64,
    /// Compared with other periods.
    pub change: Kept,
}

/// Hosts with one signal in one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalSum {
    /// Hosts, as records and intervals tell them apart.
    pub hosts: u64,
    /// Those that are shown to exist.
    pub confirmed: u64,
    /// Different hardware addresses of hosts that are known by theirs.
    pub by_mac: u64,
    /// Different addresses.
    pub by_address: u64,
    /// The least that they can be: see [`Bounds`](crate::measure::Bounds).
    pub lower: u64,
    /// The most.
    pub upper: u64,
    /// Compared with other periods.
    pub change: Kept,
    /// Local update servers among them.
    pub relays: u64,
    /// NAT gateways among them.
    pub nats: u64,
    /// Hosts known by their hardware address, each by itself.
    pub mac_hosts: u64,
    /// Addresses of these.
    pub mac_addresses: u64,
    /// Organisations.
    pub organisations: Organisations,
    /// Hosts on each day.
    pub daily: Vec<u32>,
    /// Hosts in the busiest hour; `None` where there are too many groups to
    /// count by the hour.
    pub busiest_hour: Option<u64>,
}

/// One period of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeriodSum {
    /// Hosts by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Hosts by category of what counts, however far it got, and of alarms.
    pub categories: BTreeMap<Category, u64>,
    /// Hosts `looked-up` at the cadence of an installation.
    pub likely_installed: u64,
    /// Hosts with which update servers answered.
    pub update: SignalSum,
    /// Hosts with which reputation servers answered.
    pub reputation: SignalSum,
    /// Hosts with both.
    pub both: u64,
}

/// Of all that was counted, which is in what the groups of places are counted for.
pub(super) fn finish(mut sums: Sums, calendar: &Calendar, plan: &Plan<'_>, places: Places<'_>) -> Counted {
    let has_org = places.has_org();
    let met = places.into_met();
    let movers = std::mem::take(&mut sums.movers).map(Latest::into_vec);
    let shared = Unique::of(&sums);
    let mut blocks = std::mem::take(&mut sums.direct);
    let sums = &sums;
    let mut dimension = |number: u32, groups: Vec<(Values, u32)>| -> Vec<Group> {
        let orgs = organisations(sums, &met, calendar, number);
        let group = |(values, n): (Values, u32)| {
            let target = (number, n);
            let periods = (0..calendar.periods()).map(|period| {
                let block = blocks.take(&target, period).unwrap_or_default();
                let orgs = orgs.get(&n);
                From { target, block: &block, calendar, orgs, sums, shared: &shared }.period(period)
            });
            Group { values, periods: periods.collect() }
        };
        groups.into_iter().map(group).collect()
    };
    let (whole, _) = WHOLE;
    let whole = dimension(whole, vec![(Values::default(), 0)]).pop().unwrap_or_default();
    let by = |number: usize| {
        let mut groups: Vec<(Values, u32)> = met.groups(number).map(|(values, n)| (values.clone(), n)).collect();
        groups.sort_unstable_by_key(|(values, _)| values.iter().map(|v| (v.is_none(), v.clone())).collect::<Vec<_>>());
        dimension(u32::try_from(number + 1).unwrap_or(u32::MAX), groups)
    };
    Counted { movers, whole, dimensions: (0..plan.dimensions.len()).map(by).collect(), has_org }
}

/// Organisations by period, of one group.
type OfGroup = [Vec<Organisations>; 2];

/// Organisations in each group of a dimension.
fn organisations(sums: &Sums, met: &Met, calendar: &Calendar, dimension: u32) -> HashMap<u32, OfGroup> {
    let group_of = |meaning: &Meaning| match (dimension as usize).checked_sub(1) {
        None => Some(0),
        Some(at) => meaning.groups.get(at).copied(),
    };
    let mut all: Vec<(u32, u32, u8, &[u64])> = Vec::new();
    for ((place, signal), periods) in &sums.seen {
        let meaning = met.all.get(*place as usize).filter(|m| m.org != NOBODY);
        let group = meaning.and_then(|m| Some((group_of(m)?, m.org)));
        all.extend(group.map(|(group, org)| (group, org, *signal, periods.as_slice())));
    }
    all.sort_unstable_by_key(|(group, org, signal, _)| (*group, *org, *signal));
    let mut found: HashMap<u32, OfGroup> = HashMap::default();
    for same in all.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
        let Some((group, _, signal, _)) = same.first() else { continue };
        let of_group = found.entry(*group).or_insert_with(|| {
            let none = || vec![Organisations::default(); calendar.periods()];
            [none(), none()]
        });
        if let Some(of_signal) = of_group.get_mut(usize::from(*signal)) {
            let there = |period| same.iter().any(|(.., periods)| has_period(periods, period));
            follow((0u32..).map(there), of_signal);
        }
    }
    found
}

/// Counts one organisation in the periods in which it was seen.
fn follow(periods: impl Iterator<Item = bool>, into: &mut [Organisations]) {
    let mut before = false;
    let mut ever = false;
    for (o, there) in into.iter_mut().zip(periods) {
        match (there, before, ever) {
            (true, true, _) => o.change.kept += 1,
            (true, false, true) => o.change.returning += 1,
            (true, false, false) => o.change.new += 1,
            (false, true, _) => o.change.lost += 1,
            (false, false, _) => {}
        }
        o.seen += u64::from(there);
        before = there;
        ever |= there;
    }
}

/// How many different addresses and hardware addresses several hosts shared.
#[derive(Default)]
struct Unique(HashMap<(Target, u32, u8), (u64, u64, u64)>);

impl Unique {
    fn of(sums: &Sums) -> Self {
        let count = |set: &HashSet<Shared>| {
            let (mut addresses, mut macs, mut stable) = (0, HashSet::default(), HashSet::default());
            for shared in set {
                match shared {
                    Shared::Address(..) => addresses += 1,
                    Shared::Mac(mac, is_stable) => {
                        macs.insert(*mac);
                        if *is_stable {
                            stable.insert(*mac);
                        }
                    }
                }
            }
            (addresses, macs.len() as u64, stable.len() as u64)
        };
        Unique(sums.shared.iter().map(|(key, set)| (*key, count(set))).collect())
    }

    /// Addresses, hardware addresses, those of confirmed hosts.
    fn get(&self, target: Target, period: usize, signal: u8) -> (u64, u64, u64) {
        let period = u32::try_from(period).unwrap_or(u32::MAX);
        self.0.get(&(target, period, signal)).copied().unwrap_or_default()
    }
}

/// Where the counts of a group are.
struct From<'a> {
    target: Target,
    /// Of the period.
    block: &'a Block,
    calendar: &'a Calendar,
    orgs: Option<&'a OfGroup>,
    sums: &'a Sums,
    shared: &'a Unique,
}

impl From<'_> {
    fn period(&self, period: usize) -> PeriodSum {
        let Block { cells: [update, reputation], kinds, .. } = self.block;
        let nonzero = |n: &u32| (*n > 0).then_some(u64::from(*n));
        let verdicts: BTreeMap<Verdict, u64> =
            Verdict::ALL.iter().zip(&kinds.verdicts).filter_map(|(v, n)| Some((*v, nonzero(n)?))).collect();
        let categories = Category::ALL.iter().zip(&kinds.categories).filter_map(|(c, n)| Some((*c, nonzero(n)?)));
        let managed = verdicts.get(&Verdict::Managed).copied().unwrap_or(0);
        let mut sum = PeriodSum {
            categories: categories.collect(),
            likely_installed: kinds.likely_installed.into(),
            update: self.signal(period, 0, update),
            reputation: self.signal(period, 1, reputation),
            both: kinds.both.into(),
            verdicts,
        };
        // What a local server updates is not seen to update itself.
        sum.update.upper += managed;
        sum
    }

    fn signal(&self, period: usize, signal: u8, cell: &Cell) -> SignalSum {
        let (addresses, macs, stable) = self.shared.get(self.target, period, signal);
        let days = self.calendar.range(period);
        let at = usize::from(signal);
        let of = |all: &[u32; 2]| all.get(at).copied().unwrap_or(0);
        let mut daily: Vec<u32> = self.block.days.iter().map(|day| of(&day.hosts)).collect();
        daily.resize(days.len(), 0);
        let loose = self.block.days.iter().map(|day| of(&day.loose)).max().unwrap_or(0);
        let hours = self.sums.hours.get(&self.target).and_then(|h| h.get(usize::from(signal)));
        let too_many = self.sums.too_many.get(self.target.0 as usize).copied().unwrap_or(false);
        let busiest = hours.and_then(|h| h.get(days.start * 24..days.end * 24)).and_then(|h| h.iter().max());
        let organisations = self.orgs.and_then(|o| o.get(usize::from(signal))).and_then(|o| o.get(period));
        let n = u64::from;
        SignalSum {
            hosts: n(cell.hosts),
            confirmed: n(cell.confirmed),
            by_mac: n(cell.by_mac) + macs,
            by_address: n(cell.addresses) + addresses,
            lower: n(cell.stable) + stable + n(loose),
            upper: cell.upper,
            change: Kept {
                kept: n(cell.kept),
                new: n(cell.new),
                returning: n(cell.returning),
                lost: n(cell.lost),
                lost_in_view: n(cell.lost_in_view),
                came_in_view: n(cell.came_in_view),
            },
            relays: n(cell.relays),
            nats: n(cell.nats),
            mac_hosts: n(cell.mac_hosts),
            mac_addresses: n(cell.mac_addresses),
            organisations: organisations.copied().unwrap_or_default(),
            daily,
            busiest_hour: (!too_many).then(|| busiest.copied().map_or(0, n)),
        }
    }
}
