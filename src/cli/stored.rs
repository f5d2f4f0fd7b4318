//! What a store says of hosts and of what was seen at all.

use super::exit::Stop;
use crate::base::Timestamp;
use crate::coverage::Counter;
use crate::host::{Facts, FactsBuilder, Interval, facts::Vantage};
use crate::report::summary::{Stored, Summary};
use crate::sighting::HomeNets;
use crate::store::{Filter, Store};
use std::collections::HashMap;

/// What hosts are judged by, of the UTC days `since` to `until`, both
/// included.
pub(super) fn facts(store: &Store, since: Option<i32>, until: Option<i32>) -> Result<Facts, Stop> {
    let day = |d: i32| crate::base::time::format_day(d.into());
    let mut builder = FactsBuilder::new();
    let mut flows: HashMap<String, (bool, bool)> = HashMap::new();
    for row in store.coverage(i64::MIN, i64::MAX)? {
        let entry = flows.entry(row.source).or_default();
        let others = [Counter::TlsHellos, Counter::QuicInitials, Counter::HttpRequests];
        entry.0 |= others.iter().any(|c| row.counts.get(*c) > 0);
        entry.1 |= row.counts.get(Counter::DnsAnswers) > 0;
    }
    for (source, (other_flows, dns_answers)) in flows {
        builder.vantage(Vantage { source, other_flows, dns_answers });
    }
    let filter = Filter { since: since.map(day), until: until.map(day), support: true, ..Filter::default() };
    for stored in store.contributions(filter)? {
        let stored = stored?;
        builder.record(&stored.record, stored.support);
    }
    for i in store.intervals()? {
        let source = builder.source(&i.source);
        let (kind, segment) = (i.kind, i.segment);
        builder.interval(Interval {
            source,
            kind,
            segment,
            ip: i.ip,
            mac: i.mac,
            name: i.name,
            from: i.from,
            to: i.to,
        });
    }
    Ok(builder.build())
}

/// The home networks of the newest run, which its records are of.
pub(super) fn home(store: &Store) -> Result<HomeNets, Stop> {
    let runs = store.runs()?;
    let Some((_, run)) = runs.iter().rev().find(|(_, run)| !run.home_nets.is_empty()) else {
        return Ok(HomeNets::default());
    };
    if run.home_nets.iter().any(|n| n == "any") {
        return Ok(HomeNets::any());
    }
    Ok(HomeNets::only(run.home_nets.iter().filter_map(|n| n.parse().ok()).collect()))
}

/// What was seen at all in a window, for the closing lines of a report of so
/// many hosts.
pub(super) fn summary(
    store: &Store,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hosts: u64,
) -> Result<Summary, Stop> {
    let from = since.map_or(i64::MIN, Timestamp::quarter);
    let to = until.map_or(i64::MAX, |t| t.plus(-1).quarter());
    let covered = store.covered(from, to)?;
    Ok(Summary {
        files: covered.captures,
        files_damaged: covered.damaged,
        first: covered.first,
        last: covered.last,
        counts: covered.counts,
        hosts,
        stored: Some(Stored { runs: covered.runs, quarters: covered.quarters, addresses: covered.addresses }),
        ..Summary::default()
    })
}
