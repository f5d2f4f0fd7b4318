//! Facts in memory, for tests to count.

use super::fact::{FactSource, Names, Part, RunOf, Seen, SourceError, Wanted};
use crate::base::{Addr, Channel, Mac, Stage, Timestamp};
use crate::catalogue::{Catalogue, LongText, Use};
use crate::coverage::{Counter, Counts};
use crate::flow::Notes;
use crate::host::facts::{Channels, Contact, FactsBuilder, Vantage};
use crate::host::{Facts, Interval, SeenHost, Signal};
use crate::sighting::record::Slots;
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// Indicators of the built-in catalogue by their categories' words.
pub(super) fn indicator(category: &str) -> &'static str {
    let fits = |i: &crate::catalogue::Indicator<'_>| {
        i.category.as_str() == category && i.usage == Use::Alone && !i.residual && !i.browser
    };
    CATALOGUE.iter().map(|(_, i)| i).find(fits).map(|i| i.id).expect("one of each category")
}

/// A day record.
#[derive(Clone, Debug)]
pub(super) struct F {
    pub(super) ip: Addr,
    pub(super) mac: Option<Mac>,
    pub(super) segment: &'static str,
    pub(super) category: &'static str,
    pub(super) day: i32,
    pub(super) slots: Vec<u8>,
    pub(super) stage: Stage,
    pub(super) names: Vec<&'static str>,
}

/// A day on which an update was transferred at ten.
pub(super) fn f(ip: &str, day: i32) -> F {
    F {
        ip: ip.parse().unwrap(),
        mac: None,
        segment: "",
        category: "update",
        day,
        slots: vec![40],
        stage: Stage::Transferred,
        names: vec![],
    }
}

impl F {
    pub(super) fn mac(mut self, end: u8) -> Self {
        self.mac = Some(Mac([0, 0x11, 0x22, 0x33, 0x44, end]));
        self
    }

    pub(super) fn category(mut self, category: &'static str) -> Self {
        self.category = category;
        self
    }

    pub(super) fn slots(mut self, slots: &[u8]) -> Self {
        self.slots = slots.to_vec();
        self
    }

    pub(super) fn stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    pub(super) fn names(mut self, names: &[&'static str]) -> Self {
        self.names = names.to_vec();
        self
    }

    pub(super) fn segment(mut self, segment: &'static str) -> Self {
        self.segment = segment;
        self
    }
}

/// Facts of records.
pub(super) fn facts(records: &[F]) -> Facts {
    let mut builder = FactsBuilder::new();
    builder.vantage(Vantage { source: "sha256:aa".into(), other_flows: true, dns_answers: true });
    let mut contacts = Vec::new();
    for (n, r) in records.iter().enumerate() {
        let id = indicator(r.category);
        let (_, i) = CATALOGUE.find(id).unwrap();
        let mut slots = Slots::default();
        r.slots.iter().for_each(|s| slots.set(*s));
        let time = |slot: u8| Timestamp::from_parts(i64::from(r.day) * 86_400 + i64::from(slot) * 900, 0);
        let lookup = r.stage <= Stage::Answered;
        contacts.push(Contact {
            seen: builder.seen(&SeenHost { segment: r.segment.to_owned(), ip: r.ip, mac: r.mac }),
            indicator: builder.indicator(id, i.category),
            source: builder.source("sha256:aa"),
            id: (n as u128 + 1).to_be_bytes(),
            day: r.day,
            stage: r.stage,
            support: false,
            channels: Channels::of(if lookup { &[Channel::DnsQuery] } else { &[Channel::TlsSni] }),
            notes: Notes::NONE,
            names: 1,
            slots,
            slots_connected: if r.stage >= Stage::Connected { slots } else { Slots::default() },
            first: time(*r.slots.iter().min().unwrap()),
            last: time(*r.slots.iter().max().unwrap()).plus(60_000_000_000),
            count: 1,
            bytes_from_server: 0,
        });
    }
    Facts { contacts, ..builder.build() }
}

/// Counts of a fair view.
pub(super) fn fair() -> Counts {
    let mut counts = Counts::default();
    for (counter, n) in [(Counter::Frames, 1000), (Counter::TcpSegments, 900), (Counter::Names, 30)] {
        counts.add(counter, n);
    }
    counts
}

/// Facts in memory, in so many parts by address (of a hardware address, by
/// that), with what was seen at all.
pub(super) struct Memory {
    parts: Vec<Vec<F>>,
    apart: bool,
    /// Who had which address, and signs of roles, of the first part.
    pub(super) intervals: Vec<Interval>,
    pub(super) signals: Vec<Signal>,
    /// What was seen in any window; `None` for what was seen all the time.
    pub(super) seen: Option<fn(i64, i64) -> Seen>,
    pub(super) catalogues: BTreeMap<String, (RunOf, String)>,
}

impl Memory {
    pub(super) fn new(records: &[F], parts: u32) -> Self {
        let mut all = vec![Vec::new(); parts as usize];
        for r in records {
            let number = r.mac.map_or(r.ip.0[15], |m| m.0[5]);
            all[usize::from(number) % parts as usize].push(r.clone());
        }
        let apart = parts == 1 || records.iter().all(|r| r.mac.is_none());
        Memory {
            parts: all,
            apart,
            intervals: Vec::new(),
            signals: Vec::new(),
            seen: None,
            catalogues: BTreeMap::new(),
        }
    }
}

impl FactSource for Memory {
    fn parts(&self) -> u32 {
        self.parts.len() as u32
    }

    fn part<'s>(&'s self, number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError> {
        room.clear();
        let records: Vec<F> = self.parts[number as usize].iter().filter(|r| wanted.has(r.day)).cloned().collect();
        room.facts = facts(&records);
        if number == 0 {
            (room.facts.intervals, room.facts.signals) = (self.intervals.clone(), self.signals.clone());
        }
        room.names = Names::default();
        for r in records.iter().filter(|_| wanted.names) {
            for name in &r.names {
                room.names.all.push(room.names.texts.len() as u32);
                room.names.texts.push((*name).into());
            }
            room.names.ends.push(room.names.all.len() as u32);
        }
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        self.apart
    }

    fn seen(&self, from: i64, to: i64) -> Result<Seen, SourceError> {
        let always = |from: i64, to: i64| Seen {
            counts: fair(),
            quarters: (from..=to).collect(),
            sources: 1,
            addresses: 100,
            ..Seen::default()
        };
        Ok(self.seen.unwrap_or(always)(from, to))
    }

    fn runs(&self) -> Result<Vec<RunOf>, SourceError> {
        let mut runs: Vec<RunOf> = self.catalogues.values().map(|(run, _)| run.clone()).collect();
        runs.sort_by_key(|r| r.started);
        Ok(runs)
    }

    fn catalogue(&self, sha256: &str) -> Result<Option<LongText>, SourceError> {
        Ok(self.catalogues.get(sha256).map(|(_, text)| LongText::stored(text, Vec::new())))
    }
}
