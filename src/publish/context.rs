//! What hosts are judged by beside records: which address belonged to whom,
//! signs of roles, what each source could see; and what the sensors could see
//! at all.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::{Addr, Mac, Timestamp};
use crate::coverage::{Counter, Counts};
use crate::host::facts::{Facts, Interval, Signal, SignalKind, Vantage};
use crate::measure::Seen;
use crate::measure::count::MOST_DAYS;
use crate::sighting::Pseudonyms;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most quarter hours of all sensors in one window: ten years of fifty.
const MOST_QUARTERS: u64 = 20_000_000;

/// A line of the context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// What a source could see.
    Source { source: String, other_flows: bool, dns_answers: bool },
    /// Who had which address.
    Interval {
        source: String,
        kind: String,
        segment: String,
        ip: Addr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        from: Timestamp,
        to: Timestamp,
    },
    /// A sign of a role.
    Signal {
        source: String,
        kind: String,
        segment: String,
        ip: Addr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        detail: String,
        count: u64,
        from: Timestamp,
        to: Timestamp,
    },
}

impl Line {
    /// All lines of facts, with pseudonyms if wanted, sorted.
    pub(super) fn all(facts: &Facts, pseudonyms: Option<&Pseudonyms>) -> Vec<Line> {
        let id = |s: &str| pseudonyms.map_or_else(|| s.to_owned(), |p| p.source(s));
        let source = |n: u32| facts.sources.get(n as usize).map_or(String::new(), |s| id(&s.source));
        let segment = |s: &str| pseudonyms.map_or_else(|| s.to_owned(), |p| p.segment(s));
        let address = |ip: Addr| pseudonyms.map_or(ip, |p| p.address(ip));
        let hardware = |mac: Option<Mac>| mac.map(|m| pseudonyms.map_or(m, |p| p.mac(m)));
        let name = |n: &String| pseudonyms.map_or_else(|| n.clone(), |p| p.name(n));
        let text = |t: &String| pseudonyms.map_or_else(|| t.clone(), |p| p.text(t));
        let sources = facts.sources.iter().map(|Vantage { source, other_flows, dns_answers }| Line::Source {
            source: id(source),
            other_flows: *other_flows,
            dns_answers: *dns_answers,
        });
        let intervals = facts.intervals.iter().map(|i| Line::Interval {
            source: source(i.source),
            kind: i.kind.clone(),
            segment: segment(&i.segment),
            ip: address(i.ip),
            mac: hardware(i.mac),
            name: i.name.as_ref().map(name),
            from: i.from,
            to: i.to,
        });
        let signals = facts.signals.iter().map(|s| Line::Signal {
            source: source(s.source),
            kind: s.kind.as_str().to_owned(),
            segment: segment(&s.segment),
            ip: address(s.ip),
            mac: hardware(s.mac),
            detail: text(&s.detail),
            count: s.count,
            from: s.from,
            to: s.to,
        });
        let mut all: Vec<Line> = sources.chain(intervals).chain(signals).collect();
        all.sort();
        all
    }

    /// The source that it is of.
    pub(super) fn source(&self) -> &str {
        match self {
            Line::Source { source, .. } | Line::Interval { source, .. } | Line::Signal { source, .. } => source,
        }
    }

    /// What it says of its source.
    pub(super) fn vantage(&self) -> Vantage {
        let (other_flows, dns_answers) = match self {
            Line::Source { other_flows, dns_answers, .. } => (*other_flows, *dns_answers),
            _ => (false, false),
        };
        Vantage { source: self.source().to_owned(), other_flows, dns_answers }
    }

    /// Whether hosts bear on each other by it.
    pub(super) fn ties(&self) -> bool {
        match self {
            Line::Source { .. } => false,
            Line::Interval { .. } => true,
            Line::Signal { kind, .. } => kind.parse::<SignalKind>().is_ok(),
        }
    }

    /// First and last time, and how many days before others it still matters for
    /// these; `None` where it always does.
    pub(super) fn times(&self) -> Option<(Timestamp, Timestamp, i64)> {
        match self {
            Line::Source { .. } => None,
            Line::Interval { from, to, .. } => Some((*from, *to, 1)),
            Line::Signal { from, to, .. } => Some((*from, *to, 0)),
        }
    }

    /// Adds it to facts; `number` gives the number of a source. What a kind
    /// that this version does not know tells is left out, as in a store.
    pub(super) fn add_to(self, facts: &mut Facts, mut number: impl FnMut(&mut Facts, &str) -> u32) {
        match self {
            Line::Source { source, other_flows, dns_answers } => {
                let at = number(facts, &source);
                if let Some(v) = facts.sources.get_mut(at as usize) {
                    v.other_flows |= other_flows;
                    v.dns_answers |= dns_answers;
                }
            }
            Line::Interval { source, kind, segment, ip, mac, name, from, to } => {
                let source = number(facts, &source);
                facts.intervals.push(Interval { source, kind, segment, ip, mac, name, from, to });
            }
            Line::Signal { source, kind, segment, ip, mac, detail, count, from, to } => {
                let Ok(kind) = kind.parse() else { return };
                let source = number(facts, &source);
                facts.signals.push(Signal { source, kind, segment, ip, mac, detail, count, from, to });
            }
        }
    }
}

/// What could be seen in some quarter hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SeenIn {
    /// First quarter hour since the epoch.
    pub(super) from: i64,
    /// Last.
    pub(super) to: i64,
    counts: BTreeMap<String, u64>,
    /// Quarter hours with frames, as first and last of runs.
    quarters: Vec<(i64, i64)>,
    sensors: BTreeMap<String, Vec<(i64, i64)>>,
    /// What each of several sensors counted; folders of before have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_sensor: BTreeMap<String, BTreeMap<String, u64>>,
    networks: BTreeMap<String, u64>,
    addresses: u64,
    encrypted_dns: u64,
    sources: u64,
    damaged: u64,
    imported: u64,
    removed_days: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    unlooked: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl SeenIn {
    pub(super) fn of((from, to): (i64, i64), seen: Seen, pseudonyms: Option<&Pseudonyms>) -> Self {
        let Seen {
            counts,
            quarters,
            sensors,
            by_sensor,
            networks,
            addresses,
            encrypted_dns,
            sources,
            damaged,
            imported,
            removed_days,
            unlooked,
        } = seen;
        let network = |text: String| match (pseudonyms, text.parse()) {
            (Some(p), Ok(prefix)) => p.prefix(prefix).to_string(),
            (Some(p), Err(_)) => p.text(&text),
            _ => text,
        };
        let named = |sensor: String| pseudonyms.map_or_else(|| sensor.clone(), |p| p.sensor(&sensor));
        SeenIn {
            from,
            to,
            counts: by_word(&counts),
            quarters: runs(&quarters),
            sensors: sensors.into_iter().map(|(sensor, up)| (named(sensor), runs(&up))).collect(),
            by_sensor: by_sensor.into_iter().map(|(sensor, counts)| (named(sensor), by_word(&counts))).collect(),
            networks: networks.into_iter().map(|(prefix, n)| (network(prefix), n)).collect(),
            addresses,
            encrypted_dns,
            sources,
            damaged,
            imported,
            removed_days,
            unlooked,
        }
    }

    /// Whether it is as long as a window can be, and lists no more quarter hours
    /// than fit into memory.
    pub(super) fn is_sane(&self) -> bool {
        let length = |(a, b): &(i64, i64)| {
            let (a, b) = ((*a).max(self.from), (*b).min(self.to));
            u64::try_from(b.saturating_sub(a).saturating_add(1)).unwrap_or(0)
        };
        let most = u64::from(MOST_DAYS).saturating_mul(96);
        let all = self.quarters.iter().chain(self.sensors.values().flatten());
        length(&(self.from, self.to)) <= most && all.map(length).fold(0, u64::saturating_add) <= MOST_QUARTERS
    }

    /// What could be seen; it must be sane.
    pub(super) fn seen(&self) -> Seen {
        let within = |all: &[(i64, i64)]| -> BTreeSet<i64> {
            // What lies outside is no part of it, and could be without end.
            all.iter().flat_map(|(a, b)| (*a).max(self.from)..=(*b).min(self.to)).collect()
        };
        Seen {
            counts: counts(&self.counts),
            quarters: within(&self.quarters),
            sensors: self.sensors.iter().map(|(sensor, up)| (sensor.clone(), within(up))).collect(),
            by_sensor: self.by_sensor.iter().map(|(sensor, all)| (sensor.clone(), counts(all))).collect(),
            networks: self.networks.clone(),
            addresses: self.addresses,
            encrypted_dns: self.encrypted_dns,
            sources: self.sources,
            damaged: self.damaged,
            imported: self.imported,
            removed_days: self.removed_days,
            unlooked: self.unlooked,
        }
    }
}

/// Counts by the words of their counters.
fn by_word(counts: &Counts) -> BTreeMap<String, u64> {
    counts.iter().map(|(c, n)| (c.as_str().to_owned(), n)).collect()
}

/// The counts of these words that this version knows.
fn counts(by_word: &BTreeMap<String, u64>) -> Counts {
    let mut counts = Counts::default();
    for (word, n) in by_word {
        if let Some(counter) = Counter::from_word(word) {
            counts.add(counter, *n);
        }
    }
    counts
}

/// Numbers as first and last of those that follow each other.
fn runs(numbers: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = Vec::new();
    for n in numbers {
        match all.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*n) => *last = *n,
            _ => all.push((*n, *n)),
        }
    }
    all
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_read_back() {
        let mut seen = Seen { quarters: [3, 4, 5, 9].into(), addresses: 7, sources: 1, unlooked: 2, ..Seen::default() };
        seen.counts.add(Counter::Frames, 12);
        seen.sensors.insert("one".into(), [3, 4, 9].into());
        seen.by_sensor.insert("one".into(), seen.counts.clone());
        seen.networks.insert("10.0.0.0/24".into(), 5);
        let written = SeenIn::of((0, 95), seen.clone(), None);
        let text = serde_json::to_string(&written).unwrap();
        assert!(text.contains(r#""quarters":[[3,5],[9,9]]"#), "{text}");
        let read: SeenIn = serde_json::from_str(&text).unwrap();
        assert!(read.is_sane());
        assert_eq!(read.seen(), seen);
        // A folder of before does not say what each sensor counted.
        let before = text.replace(r#""by_sensor":{"one":{"frames":12}},"#, "");
        assert_ne!(before, text);
        let read: SeenIn = serde_json::from_str(&before).unwrap();
        assert_eq!(read.seen(), Seen { by_sensor: BTreeMap::new(), ..seen });
        assert_eq!(serde_json::to_string(&read).unwrap(), before);
    }

    #[test]
    fn a_window_without_end_is_not_read() {
        let text = serde_json::to_string(&SeenIn::of((0, 95), Seen::default(), None)).unwrap();
        let altered = |from: &str, to: &str| serde_json::from_str::<SeenIn>(&text.replace(from, to)).unwrap();
        let long = format!(r#""to":{}"#, i64::MAX);
        assert!(!altered(r#""to":95"#, &long).is_sane());
        // Beyond the window nothing counts, however often it is said.
        let most = format!(r#""quarters":[[{},{}]]"#, i64::MIN, i64::MAX);
        assert_eq!(altered(r#""quarters":[]"#, &most).seen().quarters.len(), 96);
        let many = format!(r#""quarters":[{}]"#, vec!["[0,95]"; 300_000].join(","));
        assert!(!altered(r#""quarters":[]"#, &many).is_sane());
    }
}
