//! Facts for tests to judge, written shortly.

use super::facts::{Channels, Contact, Facts, FactsBuilder, Interval, SeenHost, ServedBy, Signal, SignalKind, Vantage};
use super::view::{HostView, Verdict};
use super::{Options, judge};
use crate::base::time::{DAY_SECS, QUARTER_SECS};
use crate::base::{Addr, Channel, Mac, Stage, Timestamp};
use crate::catalogue::{Catalogue, Use};
use crate::flow::{Note, Notes};
use crate::sighting::record::Slots;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// The day of contacts that say none.
pub(super) const DAY: i32 = 20_000;

pub(super) fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

/// The hardware address that ends so; not one that is made up.
pub(super) fn mac(end: u16) -> Mac {
    let [a, b] = end.to_be_bytes();
    Mac([0, 0x11, 0x22, 0x33, a, b])
}

/// One that is made up.
pub(super) fn random_mac(end: u16) -> Mac {
    let Mac([_, rest @ ..]) = mac(end);
    let [b, c, d, e, f] = rest;
    Mac([2, b, c, d, e, f])
}

/// A second of a day, by quarter hour.
pub(super) fn time(day: i32, quarter: i64) -> Timestamp {
    Timestamp::from_parts(i64::from(day) * DAY_SECS + quarter * QUARTER_SECS, 0)
}

/// A contact in the making.
#[derive(Clone, Debug)]
pub(super) struct C {
    pub(super) ip: Addr,
    pub(super) mac: Option<Mac>,
    segment: &'static str,
    indicator: &'static str,
    source: &'static str,
    day: i32,
    slots: Vec<u8>,
    connected: Option<Vec<u8>>,
    stage: Stage,
    channels: Vec<Channel>,
    notes: Notes,
    names: u32,
    servers: Vec<(Addr, u16, bool)>,
    bytes: u64,
}

/// A contact of a host with an indicator, by a name in a ClientHello at ten
/// o'clock.
pub(super) fn c(ip: &str, indicator: &'static str) -> C {
    C {
        ip: addr(ip),
        mac: None,
        segment: "",
        indicator,
        source: "sha256:aa",
        day: DAY,
        slots: vec![40],
        connected: None,
        stage: Stage::Connected,
        channels: vec![Channel::TlsSni],
        notes: Notes::NONE,
        names: 1,
        servers: Vec::new(),
        bytes: 0,
    }
}

impl C {
    pub(super) fn at(mut self, day: i32, slots: &[u8]) -> Self {
        (self.day, self.slots) = (DAY + day, slots.to_vec());
        self
    }

    pub(super) fn slots(mut self, slots: &[u8]) -> Self {
        self.slots = slots.to_vec();
        self
    }

    pub(super) fn connected(mut self, slots: &[u8]) -> Self {
        self.connected = Some(slots.to_vec());
        self
    }

    pub(super) fn stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        if stage < Stage::Attempted {
            self.channels = vec![Channel::DnsQuery, Channel::DnsAnswer];
        }
        self
    }

    pub(super) fn on(mut self, channels: &[Channel]) -> Self {
        self.channels = channels.to_vec();
        self
    }

    pub(super) fn note(mut self, note: Note) -> Self {
        self.notes = self.notes.with(note);
        self
    }

    pub(super) fn names(mut self, names: u32) -> Self {
        self.names = names;
        self
    }

    pub(super) fn mac(mut self, mac: Mac) -> Self {
        self.mac = Some(mac);
        self
    }

    pub(super) fn segment(mut self, segment: &'static str) -> Self {
        self.segment = segment;
        self
    }

    pub(super) fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// Payload from the servers.
    pub(super) fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    pub(super) fn tcp(mut self, server: &str, port: u16) -> Self {
        self.servers.push((addr(server), port, false));
        self
    }

    pub(super) fn udp(mut self, server: &str, port: u16) -> Self {
        self.servers.push((addr(server), port, true));
        self
    }

    pub(super) fn transferred(self) -> Self {
        self.stage(Stage::Transferred)
    }

    pub(super) fn answered(self) -> Self {
        self.stage(Stage::Answered)
    }
}

/// A connection to a management port of a local server.
pub(super) fn lan(ip: &str, indicator: &'static str, server: &str, port: u16) -> C {
    let c = c(ip, indicator).on(&[Channel::LanPort]).names(0);
    if indicator.contains("-udp-") { c.udp(server, port) } else { c.tcp(server, port) }
}

/// What happened.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) contacts: Vec<C>,
    intervals: Vec<Interval>,
    signals: Vec<Signal>,
    vantage: (bool, bool),
    pub(super) options: Options,
}

impl Scene {
    /// On a vantage where connections and answers are visible.
    pub(super) fn of(contacts: impl IntoIterator<Item = C>) -> Self {
        let contacts = contacts.into_iter().collect();
        let options = Options::default();
        Scene { contacts, intervals: Vec::new(), signals: Vec::new(), vantage: (true, true), options }
    }

    /// Where connections, and answers to DNS questions, can be seen.
    pub(super) fn vantage(mut self, other_flows: bool, dns_answers: bool) -> Self {
        self.vantage = (other_flows, dns_answers);
        self
    }

    /// An interval of an address, quarter hours since [`DAY`].
    pub(super) fn interval(mut self, kind: &str, ip: &str, mac: Option<Mac>, from: i64, to: i64) -> Self {
        self.intervals.push(Interval {
            source: 0,
            kind: kind.to_owned(),
            segment: String::new(),
            ip: addr(ip),
            mac,
            name: None,
            from: time(DAY, from),
            to: time(DAY, to),
        });
        self
    }

    /// The last interval tells a name.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.intervals.last_mut().unwrap().name = Some(name.to_owned());
        self
    }

    pub(super) fn signal(mut self, kind: SignalKind, ip: &str, mac: Option<Mac>, detail: &str) -> Self {
        self.signals.push(Signal {
            source: 0,
            kind,
            segment: String::new(),
            ip: addr(ip),
            mac,
            detail: detail.to_owned(),
            count: 5,
            from: time(DAY, 40),
            to: time(DAY, 41),
        });
        self
    }

    pub(super) fn facts(&self) -> Facts {
        let mut facts = FactsBuilder::new();
        let (other_flows, dns_answers) = self.vantage;
        facts.vantage(Vantage { source: "sha256:aa".to_owned(), other_flows, dns_answers });
        let mut servers = Vec::new();
        let mut contacts = Vec::new();
        for (n, c) in self.contacts.iter().enumerate() {
            let host = SeenHost { segment: c.segment.to_owned(), ip: c.ip, mac: c.mac };
            let (_, indicator) = CATALOGUE.find(c.indicator).expect("a built-in indicator");
            let bits = |list: &[u8]| {
                let mut slots = Slots::default();
                list.iter().for_each(|s| slots.set(*s));
                slots
            };
            let reached = if c.stage >= Stage::Connected { &c.slots[..] } else { &[] };
            let (first, last) = (c.slots.iter().min().unwrap(), c.slots.iter().max().unwrap());
            contacts.push(Contact {
                seen: facts.seen(&host),
                indicator: facts.indicator(c.indicator, indicator.category),
                source: facts.source(c.source),
                id: (n as u128 + 1).to_be_bytes(),
                day: c.day,
                stage: c.stage,
                support: indicator.usage == Use::Support,
                channels: Channels::of(&c.channels),
                notes: c.notes,
                names: c.names,
                slots: bits(&c.slots),
                slots_connected: bits(c.connected.as_deref().unwrap_or(reached)),
                first: time(c.day, i64::from(*first)),
                last: time(c.day, i64::from(*last)).plus(60_000_000_000),
                count: 1,
                bytes_from_server: c.bytes,
            });
            servers.extend(c.servers.iter().map(|(ip, port, udp)| ServedBy {
                contact: n as u32,
                ip: *ip,
                port: *port,
                udp: *udp,
            }));
        }
        servers.sort_unstable();
        let mut facts = facts.build();
        (facts.contacts, facts.servers) = (contacts, servers);
        (facts.intervals, facts.signals) = (self.intervals.clone(), self.signals.clone());
        facts
    }

    pub(super) fn judge(&self) -> Vec<HostView> {
        judge(&self.facts(), &CATALOGUE, &self.options)
    }

    /// The only host.
    pub(super) fn one(&self) -> HostView {
        let mut all = self.judge();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// The host that was last seen with an address.
    pub(super) fn host(&self, ip: &str) -> HostView {
        let all = self.judge();
        let mut found = all.iter().filter(|h| h.ip == addr(ip));
        let host = found.next().unwrap_or_else(|| panic!("no {ip} in {all:#?}")).clone();
        assert!(found.next().is_none(), "{ip} twice in {all:#?}");
        host
    }
}

/// The verdict of the only host that made these contacts, at 10.0.0.5.
pub(super) fn verdict_of(contacts: impl IntoIterator<Item = C>) -> Verdict {
    Scene::of(contacts).host("10.0.0.5").verdict
}
