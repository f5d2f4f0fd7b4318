//! Judges the hosts of a run by what it found itself.

use super::exit::Stop;
use super::fail_on::Findings;
use super::output::{self, Printing};
use crate::base::{Addr, Mac};
use crate::coverage::Counts;
use crate::host::facts::{MANY_ADDRESSES, Vantage};
use crate::host::{self, Facts, FactsBuilder, HostView};
use crate::pipeline::{RunNames, Sighted};
use crate::report::HostTable;
use crate::report::hosts;
use crate::sighting::{Names, Record};
use crate::store::Interval;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Most records that a run's hosts are judged by. Where there are more, hosts
/// that show least are only counted.
const MOST_RECORDS: usize = 100_000;
/// Most of them that only support others, of hosts with nothing else.
const MOST_SUPPORT: usize = MOST_RECORDS / 10;

/// A host as records carry it.
type Seen = (Addr, String, Option<Mac>);

/// Gathers what hosts are judged by, record by record.
#[derive(Default)]
pub(super) struct Gathering {
    builder: FactsBuilder,
    records: usize,
}

impl Gathering {
    /// Adds a record. False if it was one too many: then not all can be
    /// judged.
    pub(super) fn add(&mut self, r: &Record, support: bool) -> bool {
        self.records = self.records.saturating_add(1);
        if self.records > MOST_RECORDS {
            self.builder = FactsBuilder::new();
            return false;
        }
        self.builder.record(r, support);
        true
    }

    /// Whether every record that was added is in it.
    pub(super) fn is_whole(&self) -> bool {
        self.records <= MOST_RECORDS
    }

    /// What hosts are judged by: the records, and what the run knows of them
    /// besides.
    fn facts(mut self, found: &mut Sighted, sensor: &str) -> Facts {
        let outcome = &mut found.outcome;
        let mut counts: BTreeMap<u32, Counts> = BTreeMap::new();
        for (key, entry) in outcome.ledger.entries() {
            counts.entry(key.source).or_default().merge(&entry.counts);
        }
        let names = RunNames::new(sensor, &outcome.sources, &outcome.encaps);
        for (source, counts) in counts {
            self.builder.vantage(Vantage::of(&names.source(source), &counts));
        }
        for s in output::signals(outcome) {
            let source = self.builder.source(&names.source(s.source));
            self.builder.signal(host::signals::signal(s, &names, source));
        }
        let bearing = Bearing::new(self.builder.named(), output::intervals(outcome, &names));
        for i in output::intervals(outcome, &names).filter(|i| bearing.has(i)) {
            let source = self.builder.source(&i.source);
            self.builder.interval(i.of_source(source));
        }
        self.builder.build()
    }
}

/// Whose addresses bear on the hosts of a run, by the same rule by which a store
/// is read: else `replay` and `hosts` would say different things of one host.
struct Bearing {
    ips: HashSet<Addr>,
    macs: HashSet<Mac>,
}

impl Bearing {
    /// Those named, the hardware addresses that had one of these addresses, and
    /// those that may be routers'.
    fn new((ips, mut macs): (HashSet<Addr>, HashSet<Mac>), told: impl Iterator<Item = Interval>) -> Self {
        let mut pairs: Vec<(Mac, Addr)> = told.filter_map(|i| Some((i.mac?, i.ip))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
            let bears = of_one.len() > MANY_ADDRESSES as usize || of_one.iter().any(|(_, ip)| ips.contains(ip));
            macs.extend(of_one.first().filter(|_| bears).map(|(mac, _)| *mac));
        }
        Bearing { ips, macs }
    }

    fn has(&self, i: &Interval) -> bool {
        self.ips.contains(&i.ip) || i.mac.is_some_and(|mac| self.macs.contains(&mac))
    }
}

/// The hosts of a run.
pub(super) struct Hosts {
    /// Those with contacts, judged, in the order of every list.
    pub(super) views: Vec<HostView>,
    /// Which of them (a place in `views`) an address as seen is of.
    pub(super) owners: HashMap<Seen, usize>,
    /// What `--fail-on` asks for.
    pub(super) findings: Findings,
}

/// Judges the hosts of a run. `table` holds its hosts; where there are more
/// records than can be judged, it is left with those that show most.
pub(super) fn judge(
    mut gathering: Gathering,
    table: &mut HostTable,
    p: &Printing<'_>,
    found: &mut Sighted,
) -> Result<Hosts, Stop> {
    if !gathering.is_whole() {
        gathering = Gathering::default();
        table.keep_records(MOST_RECORDS - MOST_SUPPORT);
        let mut alone = 0;
        output::each(found, p.catalogue, p.sensor, |r, support| {
            let has_row = table.has(r.host.ip, &r.host.segment, r.host.mac);
            alone += usize::from(!has_row && support);
            if has_row || support && alone <= MOST_SUPPORT {
                gathering.add(r, support);
            }
            Ok::<(), Stop>(())
        })?;
    }
    let facts = gathering.facts(found, p.sensor);
    let options =
        host::Options { inventory: p.judging.inventory.clone(), home: p.home.clone(), since: None, until: None };
    let mut views = host::judge(&facts, p.catalogue, &options);
    // Who is there for a role alone is for `hosts` to list.
    views.retain(HostView::made_contact);
    hosts::sort(&mut views);
    let owners = owners(&facts, &views);
    Ok(Hosts { findings: p.judging.findings(&facts), views, owners })
}

/// Of several hosts that had one address without a hardware address, the one
/// with the strongest verdict.
fn owners(facts: &Facts, views: &[HostView]) -> HashMap<Seen, usize> {
    let mut of: HashMap<[u8; 16], usize> = HashMap::new();
    for (at, view) in views.iter().enumerate() {
        for id in &view.sightings {
            let known = of.entry(*id).or_insert(at);
            if views.get(*known).is_some_and(|v| v.verdict.strength() < view.verdict.strength()) {
                *known = at;
            }
        }
    }
    let mut owners: HashMap<Seen, usize> = HashMap::new();
    for contact in &facts.contacts {
        let (Some(seen), Some(at)) = (facts.seen.get(contact.seen as usize), of.get(&contact.id)) else { continue };
        let strength = |at: usize| views.get(at).map(|v| v.verdict.strength());
        let owner = owners.entry((seen.ip, seen.segment.clone(), seen.mac)).or_insert(*at);
        if strength(*owner) < strength(*at) {
            *owner = *at;
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::testing::record;

    #[test]
    fn a_flood_of_records_is_not_held() {
        let mut gathering = Gathering::default();
        let mut r = record();
        let mut n = 0u32;
        let mut add = |gathering: &mut Gathering| {
            n += 1;
            r.id = format!("{n:032x}");
            gathering.add(&r, false)
        };
        assert!((0..MOST_RECORDS).all(|_| add(&mut gathering)) && gathering.is_whole());
        assert!(!add(&mut gathering) && !gathering.is_whole());
        assert!(gathering.builder.build().contacts.is_empty(), "what is not whole takes no room");
    }

    #[test]
    fn who_had_an_address_is_known_of_all_that_bear_on_a_host() {
        let mac = |n: u8| Mac([2, 0, 0, 0, 0, n]);
        let interval = |ip: String, mac: Mac| Interval {
            source: "s".into(),
            kind: "arp".into(),
            segment: String::new(),
            ip: ip.parse().unwrap(),
            mac: Some(mac),
            name: None,
            from: crate::base::Timestamp(0),
            to: crate::base::Timestamp(0),
        };
        // 1 had an address that is named, 2 is named itself, 3 is a router, 4 nobody.
        let mut told = vec![interval("10.0.0.5".into(), mac(1)), interval("10.0.0.6".into(), mac(1))];
        told.extend([interval("10.0.0.7".into(), mac(2)), interval("10.0.0.9".into(), mac(4))]);
        told.extend((0..=MANY_ADDRESSES).map(|n| interval(format!("10.1.0.{n}"), mac(3))));
        let named = (HashSet::from(["10.0.0.5".parse().unwrap()]), HashSet::from([mac(2)]));
        let bearing = Bearing::new(named, told.clone().into_iter());
        let left: Vec<Interval> = told.into_iter().filter(|i| !bearing.has(i)).collect();
        assert_eq!(left, [interval("10.0.0.9".into(), mac(4))]);
    }

    #[test]
    fn an_address_is_of_the_host_that_shows_most() {
        let mut builder = FactsBuilder::new();
        let mut r = record();
        for n in [1, 2] {
            r.id = format!("{n:032x}");
            builder.record(&r, false);
        }
        let host = |verdict, id: u128| {
            let mut v = host::sample::view("10.0.0.5", verdict);
            v.sightings = vec![id.to_be_bytes()];
            v
        };
        let views = [host(host::Verdict::WebOnly, 1), host(host::Verdict::Updating, 2)];
        let owners = owners(&builder.build(), &views);
        assert_eq!(owners, HashMap::from([((r.host.ip, String::new(), r.host.mac), 1)]));
    }
}
