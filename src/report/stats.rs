//! Coverage and timing of a run as one JSON document.

use super::stages::Stage;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::coverage::ledger::{Entry, Key};
use crate::coverage::shares::{self, Share};
use crate::coverage::{Addresses, Counter, Counts, Ledger, Resolvers};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::io;

/// Value of `schema` in the document.
pub const SCHEMA: &str = "spansight.stats/1";

/// A source as the document names it; its place in the list is the number the
/// ledger keeps it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceName {
    /// `sha256:…`, `file:…` or `run:…`.
    pub source: String,
    /// Path as given; empty for live capture.
    pub path: String,
    /// Names of its interfaces in their order, empty where unnamed.
    pub interfaces: Vec<String>,
}

/// Durations in nanoseconds, one histogram for each stage of the work.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Stages and their durations, in output order.
    pub stages: Vec<(Stage, Histogram<u64>)>,
}

/// Writes `{"schema":…,"coverage":{…},"timing":{…}}`. The bytes of `coverage`
/// depend on the input and options alone; `timing` is different on every run.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, sources: &[SourceName], ledger: &mut Ledger, timing: &Timing) -> io::Result<()> {
    let total = ledger.total();
    let document = Document {
        schema: SCHEMA,
        coverage: coverage(sources, &total, ledger.entries()),
        timing: Named(timing.stages.iter().map(|(stage, h)| (stage.as_str(), Durations::of(h))).collect()),
    };
    serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    coverage: Coverage<'a>,
    timing: Named<'a, Durations>,
}

#[derive(Serialize)]
struct Coverage<'a> {
    /// What each counter that is not zero means.
    meanings: Named<'a, &'a str>,
    totals: Words<'a>,
    /// What the totals mean as parts of a whole.
    #[serde(skip_serializing_if = "Shares::is_empty")]
    shares: Shares,
    /// Distinct home addresses over everything, and per network.
    addresses: Seen,
    /// Home hosts that used encrypted DNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_dns: Option<EncryptedDns>,
    sources: Vec<SourceRows<'a>>,
}

#[derive(Serialize)]
struct SourceRows<'a> {
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    interfaces: Vec<InterfaceRows<'a>>,
}

#[derive(Serialize)]
struct InterfaceRows<'a> {
    interface: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Shares::is_empty")]
    shares: Shares,
    quarters: Vec<Quarter<'a>>,
    #[serde(skip)]
    sum: Counts,
}

#[derive(Serialize)]
struct Quarter<'a> {
    /// Start of the quarter hour.
    from: Timestamp,
    counts: Words<'a>,
    addresses: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_dns: Option<EncryptedDns>,
}

/// Distinct home hosts that used encrypted DNS: at all, and by resolver.
#[derive(Serialize)]
struct EncryptedDns {
    hosts: u64,
    #[serde(skip_serializing_if = "is_zero")]
    estimated: u64,
    resolvers: BTreeMap<String, u64>,
}

impl EncryptedDns {
    fn of(resolvers: &Resolvers) -> Option<EncryptedDns> {
        let rows: BTreeMap<String, u64> =
            resolvers.rows().into_iter().map(|row| (row.name.to_owned(), row.hosts)).collect();
        let hosts = resolvers.hosts();
        let (distinct, estimated) = (hosts.distinct(), hosts.estimated());
        (!rows.is_empty()).then_some(EncryptedDns { hosts: distinct, estimated, resolvers: rows })
    }
}

/// Shares as an object, in their order.
struct Shares(Vec<Share>);

impl Shares {
    fn of(counts: &Counts) -> Shares {
        Shares(shares::all(counts).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One share: its part, its whole, and part by whole.
#[derive(Serialize)]
struct ShareRow {
    part: u64,
    whole: u64,
    share: f64,
}

impl Serialize for Shares {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let row = |s: &Share| (s.def.word, ShareRow { part: s.part, whole: s.whole, share: s.ratio() });
        s.collect_map(self.0.iter().map(row))
    }
}

/// Distinct addresses: numbers only.
#[derive(Serialize)]
struct Seen {
    distinct: u64,
    /// How many of them are only estimated, because there were too many to keep.
    #[serde(skip_serializing_if = "is_zero")]
    estimated: u64,
    networks: BTreeMap<String, u64>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Seen {
    fn of(addresses: &Addresses) -> Seen {
        let networks = addresses.networks().into_iter().map(|(prefix, n)| (prefix.to_string(), n)).collect();
        Seen { distinct: addresses.distinct(), estimated: addresses.estimated(), networks }
    }
}

/// Pairs as an object, in their order.
struct Named<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for Named<'_, T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Counters that are not zero, in their order.
struct Words<'a>(&'a Counts);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        for (counter, n) in self.0.iter() {
            map.serialize_entry(counter.as_str(), &n)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Durations {
    count: u64,
    p50_ns: u64,
    p99_ns: u64,
    p99_9_ns: u64,
    max_ns: u64,
}

impl Durations {
    fn of(h: &Histogram<u64>) -> Durations {
        Durations {
            count: h.len(),
            p50_ns: h.value_at_quantile(0.5),
            p99_ns: h.value_at_quantile(0.99),
            p99_9_ns: h.value_at_quantile(0.999),
            max_ns: h.max(),
        }
    }
}

fn coverage<'a>(sources: &'a [SourceName], total: &'a Counts, entries: &'a BTreeMap<Key, Entry>) -> Coverage<'a> {
    let mut all = Addresses::default();
    let mut all_resolvers = Resolvers::default();
    let mut rows: Vec<SourceRows<'a>> = Vec::with_capacity(sources.len());
    for (number, name) in (0u32..).zip(sources) {
        let mut interfaces: Vec<InterfaceRows<'a>> = Vec::new();
        let first = Key { source: number, interface: 0, quarter: i64::MIN };
        for (key, entry) in entries.range(first..).take_while(|(key, _)| key.source == number) {
            all.add_all(&entry.addresses);
            if interfaces.last().is_none_or(|last| last.interface != key.interface) {
                let name = name.interfaces.get(usize::from(key.interface)).map_or("", String::as_str);
                interfaces.push(InterfaceRows {
                    interface: key.interface,
                    name,
                    shares: Shares(Vec::new()),
                    quarters: Vec::new(),
                    sum: Counts::default(),
                });
            }
            all_resolvers.add_all(&entry.resolvers);
            if let Some(last) = interfaces.last_mut() {
                last.sum.merge(&entry.counts);
                last.quarters.push(Quarter {
                    from: Timestamp::from_parts(key.quarter.saturating_mul(QUARTER_SECS), 0),
                    counts: Words(&entry.counts),
                    addresses: Seen::of(&entry.addresses),
                    encrypted_dns: EncryptedDns::of(&entry.resolvers),
                });
            }
        }
        interfaces.iter_mut().for_each(|rows| rows.shares = Shares::of(&rows.sum));
        rows.push(SourceRows { source: &name.source, path: &name.path, interfaces });
    }
    let counted = Counter::ALL.iter().filter(|c| total.get(**c) > 0);
    Coverage {
        meanings: Named(counted.map(|c| (c.as_str(), c.meaning())).collect()),
        totals: Words(total),
        shares: Shares::of(total),
        addresses: Seen::of(&all),
        encrypted_dns: EncryptedDns::of(&all_resolvers),
        sources: rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(order: &[&str]) -> Ledger {
        let mut ledger = Ledger::new();
        for addr in order {
            for quarter in [1_969_776, 1_969_777] {
                ledger.turn_to(Key { source: 1, interface: 1, quarter });
                ledger.address(addr.parse().unwrap());
                ledger.count(Counter::Frames);
            }
        }
        ledger.count(Counter::FramesCut);
        ledger.resolver("dns.example", "10.0.0.5".parse().unwrap(), false);
        ledger.resolver_port("10.0.0.6".parse().unwrap());
        ledger
    }

    fn names() -> Vec<SourceName> {
        vec![
            SourceName { source: "sha256:aa".into(), path: "a.pcap".into(), interfaces: vec![] },
            SourceName { source: "run:1".into(), path: String::new(), interfaces: vec!["a".into(), "span0".into()] },
        ]
    }

    fn document(ledger: &mut Ledger, timing: &Timing) -> String {
        let mut out = Vec::new();
        write(&mut out, &names(), ledger, timing).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_document() {
        let mut h = Histogram::new(3).unwrap();
        (1..=1000u64).for_each(|n| h.record(n).unwrap());
        let timing = Timing { stages: vec![(Stage::Decode, h)] };
        let text = document(&mut ledger(&["10.0.0.5", "10.0.1.5", "10.0.1.6"]), &timing);
        let expected = include_str!("stats_expected.json");
        assert_eq!(text, expected);
    }

    #[test]
    fn coverage_does_not_depend_on_the_order_of_counting() {
        let timing = Timing::default();
        let addrs: Vec<String> = (0..200).map(|n| format!("10.{}.{}.7", n % 3, n)).collect();
        let mut order: Vec<&str> = addrs.iter().map(String::as_str).collect();
        let forth = document(&mut ledger(&order), &timing);
        order.reverse();
        assert_eq!(document(&mut ledger(&order), &timing), forth);
    }
}
