//! What is known of hosts before anything is concluded: the input of identity,
//! roles and verdicts. Filled from a store, or from a run's own records.

use crate::base::time::DAY_SECS;
use crate::base::{Addr, Channel, Mac, Stage, Timestamp};
use crate::catalogue::Category;
use crate::coverage::doubts::OTHER_FLOWS;
use crate::coverage::{Counter, Counts};
use crate::flow::{Note, Notes};
use crate::sighting::Record;
use crate::sighting::record::Slots;
pub use crate::sighting::signal::SignalKind;
use std::collections::{HashMap, HashSet};

/// A set of channels, one bit each in the order of [`Channel::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Channels(pub u16);

impl Channels {
    /// Of a list.
    pub fn of(channels: &[Channel]) -> Self {
        Channels(channels.iter().fold(0, |bits, c| bits | 1 << *c as u16))
    }

    /// Whether a channel is in it.
    pub fn has(self, channel: Channel) -> bool {
        self.0 >> (channel as u16) & 1 == 1
    }

    /// Whether nothing but DNS is in it: names were looked up, nothing more.
    pub fn is_lookup(self) -> bool {
        let dns = Channels::of(&[Channel::DnsQuery, Channel::DnsAnswer, Channel::DnsCname]).0;
        self.0 & !dns == 0
    }
}

/// A host as records carry it: what was seen, not who it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenHost {
    /// Encapsulation context.
    pub segment: String,
    /// Address.
    pub ip: Addr,
    /// Hardware address, where the link showed one.
    pub mac: Option<Mac>,
}

/// One day record of one source, as much of it as is needed to judge a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Index in [`Facts::seen`].
    pub seen: u32,
    /// Index in [`Facts::indicators`].
    pub indicator: u32,
    /// Index in [`Facts::sources`].
    pub source: u32,
    /// Id of the record, as 16 bytes.
    pub id: [u8; 16],
    /// UTC day since the epoch.
    pub day: i32,
    /// Strongest stage.
    pub stage: Stage,
    /// Whether only indicators of use `support` show it.
    pub support: bool,
    /// Channels.
    pub channels: Channels,
    /// Circumstances.
    pub notes: Notes,
    /// How many different names it lists, those left out included.
    pub names: u32,
    /// Quarter hours with a contact.
    pub slots: Slots,
    /// Quarter hours in which a contact reached `connected`.
    pub slots_connected: Slots,
    /// First time.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// Observations.
    pub count: u64,
    /// Payload from the servers.
    pub bytes_from_server: u64,
}

impl Contact {
    /// Of a record; the numbers of its host, indicator and source are left 0.
    pub fn of(r: &Record, support: bool) -> Self {
        let day = || i32::try_from(r.first_seen.day()).unwrap_or(0);
        Contact {
            seen: 0,
            indicator: 0,
            source: 0,
            id: id_bytes(&r.id),
            day: period_day(&r.period).unwrap_or_else(day),
            stage: r.stage,
            support,
            channels: Channels::of(&r.channels),
            notes: notes_of(&r.notes),
            names: u32::try_from((r.names.len() as u64).saturating_add(r.names_more)).unwrap_or(u32::MAX),
            slots: r.slots,
            slots_connected: r.slots_connected,
            first: r.first_seen,
            last: r.last_seen,
            count: r.count,
            bytes_from_server: r.bytes_from_server,
        }
    }
}

/// A server of a contact. Listed where it may tell of a role: servers of LAN
/// management, of requests by path, of proxied requests, and private ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServedBy {
    /// Index in [`Facts::contacts`].
    pub contact: u32,
    /// Address of the server.
    pub ip: Addr,
    /// Port.
    pub port: u16,
    /// UDP rather than TCP.
    pub udp: bool,
}

/// An address, a hardware address and a name that belonged together for a
/// time, and what told so. `S` names the source of the observation: here by its
/// place in [`Facts::sources`], in a store by its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval<S = u32> {
    /// Source of the observation.
    pub source: S,
    /// What told: `traffic` (frames with both addresses), `arp`, `nd`, `dhcp`,
    /// `dhcpv6` (the owner's or the server's word), `handshake` (a two-sided
    /// TCP or QUIC handshake, which a made-up address cannot complete), or a
    /// naming protocol (`mdns`, `llmnr`, `nbns`, `ptr`).
    pub kind: String,
    /// Encapsulation context.
    pub segment: String,
    /// Address.
    pub ip: Addr,
    /// Hardware address, where known.
    pub mac: Option<Mac>,
    /// Name, where the kind tells one.
    pub name: Option<String>,
    /// First time.
    pub from: Timestamp,
    /// Last time, included.
    pub to: Timestamp,
}

impl<S> Interval<S> {
    /// The same with another name of its source.
    pub fn of_source<T>(self, source: T) -> Interval<T> {
        let Interval { source: _, kind, segment, ip, mac, name, from, to } = self;
        Interval { source, kind, segment, ip, mac, name, from, to }
    }
}

/// A sign of a role, from when to when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal {
    /// Index in [`Facts::sources`].
    pub source: u32,
    /// What was seen.
    pub kind: SignalKind,
    /// Encapsulation context.
    pub segment: String,
    /// Address of the host it tells of.
    pub ip: Addr,
    /// Its hardware address, where the link showed one.
    pub mac: Option<Mac>,
    /// More, by kind; may be empty.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// First time.
    pub from: Timestamp,
    /// Last time.
    pub to: Timestamp,
}

/// What a source could see at all, as far as verdicts depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vantage {
    /// The source's id.
    pub source: String,
    /// Flows other than DNS were seen.
    pub other_flows: bool,
    /// Answers to DNS questions were seen.
    pub dns_answers: bool,
}

/// An indicator that contacts refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicated {
    /// Its id.
    pub id: String,
    /// Category, as the records say.
    pub category: Category,
}

/// Everything that hosts are judged by.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Sources.
    pub sources: Vec<Vantage>,
    /// Hosts as records carry them.
    pub seen: Vec<SeenHost>,
    /// Indicators.
    pub indicators: Vec<Indicated>,
    /// Day records.
    pub contacts: Vec<Contact>,
    /// Servers of some of them, sorted.
    pub servers: Vec<ServedBy>,
    /// Who had which address and name.
    pub intervals: Vec<Interval>,
    /// Signs of roles.
    pub signals: Vec<Signal>,
}

/// Gives numbers to what [`Facts`] refer to; the same thing has the same number.
#[derive(Debug, Default)]
pub struct Numbers {
    sources: HashMap<String, u32>,
    seen: HashMap<SeenHost, u32>,
    indicators: HashMap<String, u32>,
}

/// The number of a key among those known; a new one gets the next, and is added.
pub(crate) fn number<T: Eq + std::hash::Hash + Clone>(known: &mut HashMap<T, u32>, key: &T, add: impl FnOnce()) -> u32 {
    if let Some(n) = known.get(key) {
        return *n;
    }
    let n = u32::try_from(known.len()).unwrap_or(u32::MAX);
    known.insert(key.clone(), n);
    add();
    n
}

impl Numbers {
    /// The number of a source.
    pub fn source(&mut self, facts: &mut Facts, id: &str) -> u32 {
        let sources = &mut facts.sources;
        let add = || sources.push(Vantage { source: id.to_owned(), ..Vantage::default() });
        number(&mut self.sources, &id.to_owned(), add)
    }

    /// The number of a host as seen.
    pub fn seen(&mut self, facts: &mut Facts, host: &SeenHost) -> u32 {
        number(&mut self.seen, host, || facts.seen.push(host.clone()))
    }

    /// The number of an indicator. If records give it several categories, the
    /// least counts, as in a store.
    pub fn indicator(&mut self, facts: &mut Facts, id: &str, category: Category) -> u32 {
        let all = &mut facts.indicators;
        let at = number(&mut self.indicators, &id.to_owned(), || all.push(Indicated { id: id.to_owned(), category }));
        if let Some(known) = all.get_mut(at as usize) {
            known.category = known.category.min(category);
        }
        at
    }

    /// Adds the contact of a record, the servers that may tell of roles, and what
    /// it shows of its source.
    pub fn record(&mut self, facts: &mut Facts, r: &Record, support: bool) {
        let host = SeenHost { segment: r.host.segment.clone(), ip: r.host.ip, mac: r.host.mac };
        let contact = Contact {
            seen: self.seen(facts, &host),
            indicator: self.indicator(facts, &r.indicator.id, r.indicator.category),
            source: self.source(facts, &r.source),
            ..Contact::of(r, support)
        };
        if let Some(source) = facts.sources.get_mut(contact.source as usize) {
            source.learn(&contact);
        }
        let at = u32::try_from(facts.contacts.len()).unwrap_or(u32::MAX);
        facts.contacts.push(contact);
        facts.servers.extend(servers_of(r).map(|s| ServedBy { contact: at, ..s }));
    }
}

/// A hardware address with more addresses than this may be a router's, whatever
/// its host contacted: who had which address bears on it always.
pub const MANY_ADDRESSES: u32 = 8;

/// Gathers [`Facts`] record by record.
#[derive(Debug, Default)]
pub struct FactsBuilder {
    facts: Facts,
    numbers: Numbers,
}

impl Vantage {
    /// Counters any of which shows that DNS answers would be seen: there were
    /// some, or connections were seen both ways.
    pub const DNS_ANSWERS: &'static [Counter] = &[Counter::DnsAnswers, Counter::Handshakes];

    /// What the counters of a source tell.
    pub fn of(source: &str, counts: &Counts) -> Self {
        let any = |counters: &[Counter]| counters.iter().any(|c| counts.get(*c) > 0);
        Vantage { source: source.to_owned(), other_flows: any(OTHER_FLOWS), dns_answers: any(Self::DNS_ANSWERS) }
    }

    /// What a contact tells of its source, which may come without counters.
    pub fn learn(&mut self, contact: &Contact) {
        self.learn_of(contact.channels);
    }

    /// What the channels of contacts tell.
    pub fn learn_of(&mut self, channels: Channels) {
        self.other_flows |= !channels.is_lookup();
        self.dns_answers |= channels.has(Channel::DnsAnswer);
    }
}

impl FactsBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        FactsBuilder::default()
    }

    /// The number of a source.
    pub fn source(&mut self, id: &str) -> u32 {
        self.numbers.source(&mut self.facts, id)
    }

    /// The number of a host as seen.
    #[cfg(test)]
    pub(crate) fn seen(&mut self, host: &SeenHost) -> u32 {
        self.numbers.seen(&mut self.facts, host)
    }

    /// The number of an indicator.
    #[cfg(test)]
    pub(crate) fn indicator(&mut self, id: &str, category: Category) -> u32 {
        self.numbers.indicator(&mut self.facts, id, category)
    }

    /// What a source could see, beside what its records show.
    pub fn vantage(&mut self, vantage: Vantage) {
        let n = self.source(&vantage.source);
        if let Some(v) = self.facts.sources.get_mut(n as usize) {
            v.other_flows |= vantage.other_flows;
            v.dns_answers |= vantage.dns_answers;
        }
    }

    /// Adds a record.
    pub fn record(&mut self, r: &Record, support: bool) {
        self.numbers.record(&mut self.facts, r, support);
    }

    /// The addresses and hardware addresses of which it must be known who had
    /// them when: those of hosts, of servers that may tell of a role, and of
    /// signs of roles.
    pub fn named(&self) -> (HashSet<Addr>, HashSet<Mac>) {
        let Facts { seen, servers, signals, .. } = &self.facts;
        let ips = seen.iter().map(|h| h.ip).chain(servers.iter().map(|s| s.ip)).chain(signals.iter().map(|s| s.ip));
        let macs = seen.iter().filter_map(|h| h.mac).chain(signals.iter().filter_map(|s| s.mac));
        (ips.collect(), macs.collect())
    }

    /// Adds an interval.
    pub fn interval(&mut self, interval: Interval) {
        self.facts.intervals.push(interval);
    }

    /// Adds a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.facts.signals.push(signal);
    }

    /// All of it.
    pub fn build(self) -> Facts {
        self.facts
    }
}

/// The servers of a record that may tell of roles; the number of the contact is
/// left 0.
pub fn servers_of(r: &Record) -> impl Iterator<Item = ServedBy> + '_ {
    let all = r.tells_of_roles();
    let listed = r.servers.iter().filter(move |s| all || is_private(&s.ip));
    listed.map(|s| ServedBy { contact: 0, ip: s.ip, port: s.port, udp: s.transport == "udp" })
}

/// Whether an address is one of RFC 1918, RFC 6598, RFC 3927, RFC 4193, or
/// link-local or multicast.
pub fn is_private(ip: &Addr) -> bool {
    match ip.as_v4() {
        Some([10, ..] | [192, 168, ..] | [169, 254, ..] | [224..=239, ..]) => true,
        Some([172, b, ..]) => (16..32).contains(&b),
        Some([100, b, ..]) => (64..128).contains(&b),
        Some(_) => false,
        None => matches!(ip.0, [0xfc | 0xfd | 0xff, ..]) || (ip.0[0] == 0xfe && ip.0[1] & 0xc0 == 0x80),
    }
}

/// The 16 bytes that an id's 32 hex digits stand for; zeros for anything else.
pub fn id_bytes(id: &str) -> [u8; 16] {
    u128::from_str_radix(id, 16).map(u128::to_be_bytes).unwrap_or_default()
}

/// Notes from their words; others are left out.
pub fn notes_of(words: &[String]) -> Notes {
    Note::ALL.iter().fold(Notes::NONE, |n, note| n.with_if(words.iter().any(|w| w == note.as_str()), *note))
}

/// Days since the epoch of a UTC day such as `2026-03-01`.
pub fn period_day(period: &str) -> Option<i32> {
    let start = Timestamp::parse(period)?;
    i32::try_from(start.secs().div_euclid(DAY_SECS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        let private =
            ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "239.255.1.1", "fe80::1", "fd00::1", "ff02::1"];
        let public = ["11.1.2.3", "172.32.0.1", "100.128.0.1", "2001:db8::1", "8.8.8.8", "fec0::1"];
        for (all, wanted) in [(&private[..], true), (&public[..], false)] {
            for ip in all {
                assert_eq!(is_private(&ip.parse().unwrap()), wanted, "{ip}");
            }
        }
    }

    #[test]
    fn words_and_ids_are_read_back() {
        assert_eq!(period_day("1970-01-02"), Some(1));
        assert_eq!(period_day("yesterday"), None);
        assert_eq!(id_bytes("0102030405060708090a0b0c0d0e0f10")[..3], [1, 2, 3]);
        let all: Vec<String> = Note::ALL.iter().map(|n| n.as_str().to_owned()).collect();
        assert!(Note::ALL.iter().all(|n| notes_of(&all).has(*n)));
    }

    #[test]
    fn lookups_are_dns_alone() {
        assert!(Channels::of(&[Channel::DnsQuery, Channel::DnsCname]).is_lookup());
        assert!(!Channels::of(&[Channel::DnsQuery, Channel::TlsSni]).is_lookup());
    }
}
