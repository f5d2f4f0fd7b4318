//! From sums by place to counts by group.

use super::Plan;
use super::block::{Block, Cell, Kinds};
use super::calendar::Calendar;
use super::sums::{Shared, Sums, Target, WHOLE};
use crate::catalogue::Category;
use crate::host::Verdict;
use crate::measure::groups::places::{Met, NOBODY};
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

/// Periods in which organisations were seen, by target, organisation and
/// signal.
type OrgPeriods = HashMap<(Target, u32, u8), Vec<bool>>;

pub(super) fn finish(mut sums: Sums, calendar: &Calendar, plan: &Plan<'_>, places: Places<'_>) -> Counted {
    let has_org = places.has_org();
    let met = places.into_met();
    let movers = std::mem::take(&mut sums.movers).map(Latest::into_vec);
    let mut blocks = std::mem::take(&mut sums.direct);
    for (block, meaning) in sums.by_place.iter().zip(&met.all) {
        let Some(block) = block else { continue };
        for target in targets(&meaning.groups) {
            blocks.entry(target).or_insert_with(|| Block::new(calendar)).add(block);
        }
    }
    let mut orgs: HashMap<Target, [Vec<Organisations>; 2]> = HashMap::default();
    for ((target, _, signal), periods) in org_periods(&sums, &met, calendar) {
        let all = orgs.entry(target).or_insert_with(|| {
            let none = || vec![Organisations::default(); calendar.periods()];
            [none(), none()]
        });
        if let Some(of_signal) = all.get_mut(usize::from(signal)) {
            follow(&periods, of_signal);
        }
    }
    let shared = Unique::of(&sums);
    let group = |target: Target, values: Values| {
        let none = Block::new(calendar);
        let block = blocks.get(&target).unwrap_or(&none);
        let from = From { target, block, calendar, orgs: orgs.get(&target), sums: &sums, shared: &shared };
        Group { values, periods: (0..calendar.periods()).map(|period| from.period(period)).collect() }
    };
    let dimension = |number: usize| {
        let mut groups: Vec<(&Values, u32)> = met.groups(number).collect();
        groups.sort_unstable_by_key(|(values, _)| values.iter().map(|v| (v.is_none(), v)).collect::<Vec<_>>());
        let target = |n: u32| (u32::try_from(number + 1).unwrap_or(u32::MAX), n);
        groups.into_iter().map(|(values, n)| group(target(n), values.clone())).collect()
    };
    Counted {
        movers,
        whole: group(WHOLE, Values::default()),
        dimensions: (0..plan.dimensions.len()).map(dimension).collect(),
        has_org,
    }
}

/// What a place counts for.
fn targets(groups: &[u32]) -> impl Iterator<Item = Target> {
    std::iter::once(WHOLE).chain((1u32..).zip(groups.iter().copied()))
}

fn org_periods(sums: &Sums, met: &Met, calendar: &Calendar) -> OrgPeriods {
    let mut found = OrgPeriods::default();
    let mut mark = |place: usize, period: usize, signal: u8| {
        let Some(meaning) = met.all.get(place).filter(|m| m.org != NOBODY) else { return };
        for target in targets(&meaning.groups) {
            let periods = found.entry((target, meaning.org, signal)).or_insert_with(|| vec![false; calendar.periods()]);
            if let Some(there) = periods.get_mut(period) {
                *there = true;
            }
        }
    };
    for (place, block) in sums.by_place.iter().enumerate() {
        for (period, cells) in block.iter().flat_map(|b| b.cells.iter().enumerate()) {
            for (signal, cell) in (0u8..).zip(cells) {
                if cell.hosts > 0 {
                    mark(place, period, signal);
                }
            }
        }
    }
    for (place, period, signal) in &sums.elsewhere {
        mark(*place as usize, *period as usize, *signal);
    }
    found
}

/// Counts one organisation in the periods in which it was seen.
fn follow(periods: &[bool], into: &mut [Organisations]) {
    let mut before = false;
    let mut ever = false;
    for (there, o) in periods.iter().zip(into) {
        match (*there, before, ever) {
            (true, true, _) => o.change.kept += 1,
            (true, false, true) => o.change.returning += 1,
            (true, false, false) => o.change.new += 1,
            (false, true, _) => o.change.lost += 1,
            (false, false, _) => {}
        }
        o.seen += u64::from(*there);
        before = *there;
        ever |= *there;
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
    block: &'a Block,
    calendar: &'a Calendar,
    orgs: Option<&'a [Vec<Organisations>; 2]>,
    sums: &'a Sums,
    shared: &'a Unique,
}

impl From<'_> {
    fn period(&self, period: usize) -> PeriodSum {
        let kinds: Kinds = self.block.kinds.get(period).copied().unwrap_or_default();
        let cells = self.block.cells.get(period).copied().unwrap_or_default();
        let [update, reputation] = cells;
        let nonzero = |n: &u32| (*n > 0).then_some(u64::from(*n));
        let verdicts: BTreeMap<Verdict, u64> =
            Verdict::ALL.iter().zip(&kinds.verdicts).filter_map(|(v, n)| Some((*v, nonzero(n)?))).collect();
        let categories = Category::ALL.iter().zip(&kinds.categories).filter_map(|(c, n)| Some((*c, nonzero(n)?)));
        let managed = verdicts.get(&Verdict::Managed).copied().unwrap_or(0);
        let mut sum = PeriodSum {
            categories: categories.collect(),
            likely_installed: kinds.likely_installed.into(),
            update: self.signal(period, 0, &update),
            reputation: self.signal(period, 1, &reputation),
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
        let of_days = |all: &[Vec<u32>; 2]| {
            let all = all.get(usize::from(signal)).and_then(|d| d.get(days.clone()));
            all.map(<[u32]>::to_vec).unwrap_or_default()
        };
        let loose = of_days(&self.block.loose).into_iter().max().unwrap_or(0);
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
            daily: of_days(&self.block.daily),
            busiest_hour: (!too_many).then(|| busiest.copied().map_or(0, n)),
        }
    }
}
