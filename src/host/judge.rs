//! From stored facts to hosts with roles and verdicts.

use super::bindings::Binding;
use super::case::Case;
use super::facts::{Contact, Facts, Signal, SignalKind};
use super::identity::{Identities, is_randomised};
use super::inventory::Inventory;
use super::names::Told;
use super::nat;
use super::own::{Part, Whose, Window, settle};
use super::reason::{Said, Words};
use super::roles::{Flags, Inputs, Roles, confirms};
use super::sessions::Sessions;
use super::traits::Traits;
use super::verdict::{likely_installed, verdict};
use super::view::{Alarm, Cadence, HostView, Role};
use crate::base::{Addr, Mac, Stage, Timestamp};
use crate::catalogue::{Catalogue, Category};
use crate::flow::Note;
use crate::sighting::home::HomeNets;
use crate::sighting::record::Slots;
use std::collections::BTreeMap;

/// What a judgement is about, and what the user adds to the facts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Beginning of the window; `None` is the beginning of the facts.
    pub since: Option<Timestamp>,
    /// End of the window, the first instant that is not in it any more;
    /// `None` is the end of the facts.
    pub until: Option<Timestamp>,
    /// The user's list of devices.
    pub inventory: Option<Inventory>,
    /// The home networks.
    pub home: HomeNets,
}

/// Every host in the window, with what it amounts to, sorted by segment and
/// address.
///
/// Nothing depends on the order of the facts, and a store of 550,000 day
/// records takes a fraction of a second.
pub fn judge(facts: &Facts, catalogue: &Catalogue, options: &Options) -> Vec<HostView> {
    let window = Window::new(options.since, options.until);
    let traits: Vec<Traits> = facts.indicators.iter().map(|i| Traits::of(i, catalogue)).collect();
    let mut identities = Identities::new(facts);
    let nodes = identities.of_contacts(facts);
    let contacts = facts.contacts.iter().zip(nodes.iter().copied()).enumerate();
    let mut parts: Vec<Part> = contacts.filter_map(|(at, (c, node))| window.part(at, c, node)).collect();
    let inputs = Inputs { facts, traits: &traits, home: &options.home, window, nodes: &nodes, parts: &parts };
    let roles = Roles::new(&inputs, &mut identities);
    settle(facts, &roles, &mut parts);
    let parts = ByNode::new(&parts, identities.nodes.len());
    let mut listed: Vec<u32> = parts.nodes().collect();
    listed.extend(roles.listed());
    listed.extend(routers(&identities, window));
    listed.sort_unstable();
    listed.dedup();
    let known = Known::gather(facts, &identities, window, &listed);
    let judging = Judging { facts, traits: &traits, options, window, identities: &identities, roles: &roles };
    let view = |(node, known): (&u32, Known<'_>)| judging.view(*node, parts.of(*node), known);
    let mut views: Vec<HostView> = listed.iter().zip(known).filter_map(view).collect();
    views.sort_by(|a, b| (&a.segment, a.ip, a.mac, &a.sightings).cmp(&(&b.segment, b.ip, b.mac, &b.sightings)));
    views
}

/// Parts in order of their hosts, those of one host as they came.
struct ByNode {
    parts: Vec<Part>,
    /// Where those of each node begin; one more at the end.
    starts: Vec<usize>,
}

impl ByNode {
    /// Counts and distributes: sorting would compare half a million parts.
    fn new(parts: &[Part], nodes: usize) -> Self {
        let mut starts = vec![0usize; nodes + 1];
        let place = |p: &Part| (p.node as usize).min(nodes);
        for p in parts {
            if let Some(n) = starts.get_mut(place(p) + 1) {
                *n += 1;
            }
        }
        let mut sum = 0;
        for n in &mut starts {
            sum += *n;
            *n = sum;
        }
        let mut next = starts.clone();
        let mut sorted = parts.to_vec();
        for p in parts {
            if let Some(at) = next.get_mut(place(p)) {
                if let Some(to) = sorted.get_mut(*at) {
                    *to = *p;
                }
                *at += 1;
            }
        }
        ByNode { parts: sorted, starts }
    }

    fn of(&self, node: u32) -> &[Part] {
        let at = node as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => self.parts.get(*from..*to).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The nodes that have any.
    fn nodes(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(self.starts.windows(2)).filter(|(_, w)| w.first() < w.last()).map(|(node, _)| node)
    }
}

/// Routers with an address of their own in the window.
fn routers<'a>(identities: &'a Identities<'_>, window: Window) -> impl Iterator<Item = u32> + 'a {
    let here = move |b: &&Binding| b.tied && window.touches(Timestamp(b.from), Timestamp(b.to));
    let pairs = identities.bindings.pairs.iter().enumerate().filter(|(_, p)| p.own && p.router);
    let pairs = pairs.filter(move |(_, p)| identities.bindings.of(p).iter().any(|b| here(&b)));
    pairs.filter_map(|(at, _)| identities.node_of_pair(at))
}

/// What stored intervals and signals tell of one host in the window.
#[derive(Debug, Default)]
struct Known<'f> {
    /// Addresses, with the times when they were seen first and last.
    addresses: Vec<(Addr, i64, i64)>,
    told: Told<'f>,
    confirmed: bool,
    /// Signs of several devices.
    signals: Vec<&'f Signal>,
}

impl<'f> Known<'f> {
    /// Of the hosts that are listed, in their order.
    fn gather(facts: &'f Facts, identities: &Identities<'_>, window: Window, listed: &[u32]) -> Vec<Self> {
        let mut place = vec![None; identities.nodes.len()];
        for (at, node) in listed.iter().enumerate() {
            if let Some(p) = place.get_mut(*node as usize) {
                *p = Some(at);
            }
        }
        let mut all: Vec<Known<'f>> = Vec::new();
        all.resize_with(listed.len(), Known::default);
        let find = |segment: u32, ip: &Addr, mac: Option<Mac>, from: Timestamp, to: Timestamp| {
            let node = identities.find(segment, ip, mac, from.0, to.0)?;
            place.get(node as usize).copied().flatten()
        };
        for (i, segment) in facts.intervals.iter().zip(&identities.interval_segments) {
            if !window.touches(i.from, i.to) {
                continue;
            }
            if let Some(k) = find(*segment, &i.ip, i.mac, i.from, i.to).and_then(|at| all.get_mut(at)) {
                let (from, to) = (window.clamp(i.from).0, window.clamp(i.to).0);
                k.addresses.push((i.ip, from, to));
                k.told.add(i, from, to);
                k.confirmed |= confirms(i);
            }
        }
        for (s, segment) in facts.signals.iter().zip(&identities.signal_segments) {
            let counts = matches!(
                s.kind,
                SignalKind::Ttl | SignalKind::SynOptions | SignalKind::TlsStack | SignalKind::TcpClocks
            );
            if counts
                && window.touches(s.from, s.to)
                && let Some(k) = find(*segment, &s.ip, s.mac, s.from, s.to).and_then(|at| all.get_mut(at))
            {
                k.signals.push(s);
            }
        }
        all
    }
}

/// What all hosts are judged with.
struct Judging<'a> {
    facts: &'a Facts,
    traits: &'a [Traits],
    options: &'a Options,
    window: Window,
    identities: &'a Identities<'a>,
    roles: &'a Roles,
}

impl Judging<'_> {
    /// One host. `None` if nothing of it lies in the window.
    fn view(&self, node: u32, parts: &[Part], mut known: Known<'_>) -> Option<HostView> {
        let identity = self.identities.nodes.get(node as usize)?;
        let flags = self.roles.flags(node);
        let own: Vec<Part> = parts.iter().filter(|p| p.whose == Whose::Own).copied().collect();
        let case = Case::new(self.facts, self.traits, &own, flags.has(Flags::MANAGED));
        let verdict = verdict(&case);
        let likely_installed = likely_installed(&case, verdict);
        let nat_at_least = nat::at_least(known.signals.iter().copied());
        let roles = roles(&case, flags, nat_at_least.is_some(), identity.router);
        if parts.is_empty() && roles.is_empty() && !flags.has(Flags::MANAGED) {
            return None;
        }
        let relays = self.roles.relays(node);
        let alarms = self.alarms(parts);
        let passed_on: Vec<Whose> = parts.iter().map(|p| p.whose).filter(|w| *w != Whose::Own).collect();
        let confirmed = known.confirmed || is_two_sided(self.contacts(parts));
        let said = Said {
            verdict,
            alarms: &alarms,
            roles: &roles,
            nat_at_least,
            relays: &relays,
            management_signals: self.roles.management_signals(node),
            likely_installed,
            confirmed,
            passed_on: &passed_on,
            own_lookups: own.iter().any(Part::is_lookup),
            own_contacts: own.iter().any(|p| !p.is_lookup()),
        };
        let words = Words::new(&case, &said);
        let ip = self.address(node, parts, &known.addresses)?;
        let mac = self.mac(node, parts).or(identity.mac);
        let (first_seen, last_seen) = self.times(node, parts, &known.addresses)?;
        let mut addresses: Vec<Addr> = known.addresses.iter().map(|(ip, ..)| *ip).collect();
        addresses.extend(parts.iter().filter_map(|p| self.seen_ip(p)));
        addresses.push(ip);
        addresses.sort_unstable();
        addresses.dedup();
        let mut sightings: Vec<[u8; 16]> = self.contacts(parts).map(|c| c.id).collect();
        sightings.sort_unstable();
        sightings.dedup();
        let inventory = self.options.inventory.as_ref();
        let device =
            inventory.and_then(|i| i.find(mac, &ip).or_else(|| addresses.iter().find_map(|a| i.find(None, a))));
        let (told, mut names_before) = std::mem::take(&mut known.told).settle();
        let listed = device.and_then(|d| Some((d.name.clone()?, "inventory".to_owned())));
        // A name of the user's list stands before what the host is called, and
        // does not hide it.
        if let (Some(listed), Some(told)) = (&listed, &told)
            && listed.0 != told.0
        {
            names_before.push(told.clone());
        }
        Some(HostView {
            ip,
            mac,
            mac_randomised: mac.is_some_and(is_randomised),
            segment: self.identities.segment(identity.segment).to_owned(),
            name: listed.or(told),
            names_before,
            owner: device.and_then(|d| d.owner.clone()),
            place: device.and_then(|d| d.place.clone()),
            addresses,
            verdict,
            alarms,
            roles,
            nat_at_least,
            relays,
            confirmed,
            reason: words.reason,
            stronger: words.stronger,
            weaker: words.weaker,
            likely_installed,
            categories: self.categories(&own),
            first_seen,
            last_seen,
            sightings,
        })
    }

    fn contacts<'p>(&'p self, parts: &'p [Part]) -> impl Iterator<Item = &'p Contact> + Clone {
        parts.iter().filter_map(|p| self.facts.contacts.get(p.contact as usize))
    }

    fn category(&self, c: &Contact) -> Option<Category> {
        self.traits.get(c.indicator as usize).map(|t| t.category)
    }

    fn seen_ip(&self, p: &Part) -> Option<Addr> {
        let contact = self.facts.contacts.get(p.contact as usize)?;
        self.facts.seen.get(contact.seen as usize).map(|s| s.ip)
    }

    /// Alarms of contacts that no other host made through this one.
    fn alarms(&self, parts: &[Part]) -> Vec<Alarm> {
        let alarm = |p: &Part| match self.category(self.facts.contacts.get(p.contact as usize)?)? {
            Category::Lookalike if p.whose != Whose::Others => Some(Alarm::Lookalike),
            Category::Sinkhole if p.whose != Whose::Others => Some(Alarm::Sinkhole),
            _ => None,
        };
        let mut alarms: Vec<Alarm> = parts.iter().filter_map(alarm).collect();
        alarms.sort_unstable();
        alarms.dedup();
        alarms
    }

    /// The address of the last contact, or of the last sign of a role, or the
    /// one seen last at all.
    fn address(&self, node: u32, parts: &[Part], known: &[(Addr, i64, i64)]) -> Option<Addr> {
        let contact = |p: &Part| Some((self.facts.contacts.get(p.contact as usize)?.last, self.seen_ip(p)?));
        let last = parts.iter().filter_map(contact).max().map(|(_, ip)| ip);
        let role = || self.roles.addresses.get(&node).map(|(_, ip)| *ip);
        let other = || known.iter().max_by_key(|(ip, _, to)| (*to, ip.as_v4().is_some(), *ip)).map(|(ip, ..)| *ip);
        last.or_else(role).or_else(other)
    }

    /// The hardware address of the last contact, where one host had several.
    fn mac(&self, node: u32, parts: &[Part]) -> Option<Mac> {
        let own = |p: &Part| {
            let c = self.facts.contacts.get(p.contact as usize)?;
            let host = self.facts.seen.get(c.seen as usize)?;
            let (mac, segment) = (host.mac?, self.identities.seen_segments.get(c.seen as usize)?);
            let pair = self.identities.bindings.find(*segment, mac, &host.ip)?;
            (self.identities.node_of_pair(pair) == Some(node)).then_some((c.last, mac))
        };
        parts.iter().filter_map(own).max().map(|(_, mac)| mac)
    }

    /// First and last time of contacts, else of signs of roles, else of the
    /// host at all.
    fn times(&self, node: u32, parts: &[Part], known: &[(Addr, i64, i64)]) -> Option<(Timestamp, Timestamp)> {
        let of = |p: &Part| Some(self.window.times(p, self.facts.contacts.get(p.contact as usize)?));
        let first = parts.iter().filter_map(of).map(|(first, _)| first).min();
        let last = parts.iter().filter_map(of).map(|(_, last)| last).max();
        let role = || self.roles.seen(node).map(|(from, to)| (Timestamp(from), Timestamp(to)));
        let other = || {
            let from = known.iter().map(|(_, from, _)| *from).min()?;
            Some((Timestamp(from), Timestamp(known.iter().map(|(_, _, to)| *to).max()?)))
        };
        first.zip(last).or_else(role).or_else(other)
    }

    /// How often, by category, of its own contacts.
    fn categories(&self, own: &[Part]) -> BTreeMap<Category, Cadence> {
        let mut days: BTreeMap<Category, Vec<(i32, Slots)>> = BTreeMap::new();
        for p in own {
            if let Some(c) = self.facts.contacts.get(p.contact as usize)
                && let Some(category) = self.category(c)
            {
                days.entry(category).or_default().push((c.day, Slots::from_bits(p.slots)));
            }
        }
        let cadence = |mut days: Vec<(i32, Slots)>| {
            days.sort_unstable_by_key(|(day, _)| *day);
            Sessions::new(days).cadence()
        };
        days.into_iter().map(|(category, days)| (category, cadence(days))).collect()
    }
}

/// Whether both directions of a contact that a server answered were seen,
/// which a made-up source cannot have. A connection that was seen one way says
/// so on the record that it began, not on those that it went on with; so a day
/// of a source with such a record proves nothing by others.
fn is_two_sided<'c>(contacts: impl Iterator<Item = &'c Contact> + Clone) -> bool {
    let mut doubtful: Vec<(u32, i32)> =
        contacts.clone().filter(|c| c.notes.has(Note::OneSided)).map(|c| (c.source, c.day)).collect();
    doubtful.sort_unstable();
    let proves = |c: &Contact| c.stage >= Stage::Connected && doubtful.binary_search(&(c.source, c.day)).is_err();
    contacts.into_iter().any(proves)
}

fn roles(case: &Case<'_>, flags: Flags, nat: bool, router: bool) -> Vec<Role> {
    let updates = || case.update_stage().is_some_and(|s| s >= Stage::Connected);
    let relay = flags.has(Flags::SERVES_TREE) || flags.has(Flags::SERVES_AGENTS) && updates();
    let all = [
        (flags.has(Flags::RESOLVER), Role::Resolver),
        (flags.has(Flags::PROXY), Role::Proxy),
        (relay, Role::Relay),
        (nat, Role::Nat),
        (router, Role::Router),
    ];
    all.into_iter().filter_map(|(is, role)| is.then_some(role)).collect()
}
