//! From stored facts to hosts with roles and verdicts.

use super::bindings::Binding;
use super::case::Case;
use super::facts::{Contact, Facts, Interval, Signal, SignalKind};
use super::groups::Groups;
use super::identity::{Identities, NONE, is_randomised};
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
    Judge::new(facts, catalogue, options).select(|_| true)
}

/// Judges hosts one at a time, so that there need not be room for all that is
/// said of half a million.
#[derive(Debug)]
pub struct Judge<'a> {
    pub(super) facts: &'a Facts,
    options: &'a Options,
    window: Window,
    pub(super) traits: Vec<Traits>,
    pub(super) identities: Identities<'a>,
    pub(super) roles: Roles,
    pub(super) parts: Vec<Part>,
    /// Places in `parts`.
    pub(super) parts_of: Groups,
    pub(super) intervals_of: Groups,
    /// Signs of several devices.
    pub(super) signals_of: Groups,
    listed: Vec<u32>,
}

impl<'a> Judge<'a> {
    /// Says which facts are of which host, and what roles hosts have.
    pub fn new(facts: &'a Facts, catalogue: &Catalogue, options: &'a Options) -> Self {
        let window = Window::new(options.since, options.until);
        let traits: Vec<Traits> = facts.indicators.iter().map(|i| Traits::of(i, catalogue)).collect();
        let mut identities = Identities::new(facts);
        let nodes = identities.of_contacts(facts);
        let contacts = facts.contacts.iter().zip(nodes.iter().copied()).enumerate();
        let mut parts: Vec<Part> = contacts.filter_map(|(at, (c, node))| window.part(at, c, node)).collect();
        let inputs = Inputs { facts, traits: &traits, home: &options.home, window, nodes: &nodes, parts: &parts };
        let roles = Roles::new(&inputs, &mut identities);
        settle(facts, &roles, &mut parts);
        let hosts = identities.nodes.len();
        let parts_of = Groups::new(parts.iter().map(|p| p.node), hosts);
        let intervals_of = Groups::new(intervals(facts, &identities, window).into_iter(), hosts);
        let signals_of = Groups::new(variety(facts, &identities, window).into_iter(), hosts);
        identities.forget_times();
        let mut listed: Vec<u32> = parts_of.hosts().chain(roles.listed()).chain(routers(&identities, window)).collect();
        listed.sort_unstable();
        listed.dedup();
        Judge { facts, options, window, traits, identities, roles, parts, parts_of, intervals_of, signals_of, listed }
    }

    /// Numbers of all that may be hosts in the window, for [`Judge::view`].
    pub fn hosts(&self) -> &[u32] {
        &self.listed
    }

    /// The hosts that fit, sorted by segment and address.
    pub fn select(&self, fits: impl Fn(&HostView) -> bool) -> Vec<HostView> {
        let mut views: Vec<HostView> = self.listed.iter().filter_map(|n| self.view(*n)).filter(fits).collect();
        views.sort_by(|a, b| (&a.segment, a.ip, a.mac, &a.sightings).cmp(&(&b.segment, b.ip, b.mac, &b.sightings)));
        views
    }
}

/// The host of each interval that touches the window.
fn intervals(facts: &Facts, identities: &Identities<'_>, window: Window) -> Vec<u32> {
    let all = facts.intervals.iter().zip(&identities.interval_segments);
    let host = |(i, segment): (&Interval, &u32)| {
        let here = window.touches(i.from, i.to);
        here.then(|| identities.find(*segment, &i.ip, i.mac, i.from.0, i.to.0)).flatten().unwrap_or(NONE)
    };
    all.map(host).collect()
}

/// The host of each signal that tells of several devices behind one.
fn variety(facts: &Facts, identities: &Identities<'_>, window: Window) -> Vec<u32> {
    use SignalKind::{SynOptions, TcpClocks, TlsStack, Ttl};
    let all = facts.signals.iter().zip(&identities.signal_segments);
    let host = |(s, segment): (&Signal, &u32)| {
        let here = matches!(s.kind, Ttl | SynOptions | TlsStack | TcpClocks) && window.touches(s.from, s.to);
        here.then(|| identities.find(*segment, &s.ip, s.mac, s.from.0, s.to.0)).flatten().unwrap_or(NONE)
    };
    all.map(host).collect()
}

/// Routers with an address of their own in the window.
fn routers<'a>(identities: &'a Identities<'_>, window: Window) -> impl Iterator<Item = u32> + 'a {
    let here = move |b: &&Binding| b.tied && window.touches(Timestamp(b.from), Timestamp(b.to));
    let pairs = identities.bindings.pairs.iter().enumerate().filter(|(_, p)| p.own && p.router);
    let pairs = pairs.filter(move |(_, p)| identities.bindings.of(p).iter().any(|b| here(&b)));
    pairs.filter_map(|(at, _)| identities.node_of_pair(at))
}

/// What stored intervals tell of one host in the window.
#[derive(Debug, Default)]
struct Known<'f> {
    /// Addresses, with the times when they were seen first and last.
    addresses: Vec<(Addr, i64, i64)>,
    told: Told<'f>,
    confirmed: bool,
}

impl<'f> Known<'f> {
    fn of(intervals: impl Iterator<Item = &'f Interval>, window: Window) -> Self {
        let mut known = Known::default();
        for i in intervals {
            let (from, to) = (window.clamp(i.from).0, window.clamp(i.to).0);
            known.addresses.push((i.ip, from, to));
            known.told.add(i, from, to);
            known.confirmed |= confirms(i);
        }
        known
    }
}

impl Judge<'_> {
    /// What one host amounts to, the same each time. `None` if there is nothing
    /// to say of it.
    pub fn view(&self, node: u32) -> Option<HostView> {
        let place = |at: &u32| self.parts.get(*at as usize).copied();
        let parts: Vec<Part> = self.parts_of.of(node).iter().filter_map(place).collect();
        let parts = parts.as_slice();
        let intervals = self.intervals_of.of(node).iter().filter_map(|at| self.facts.intervals.get(*at as usize));
        let known = Known::of(intervals, self.window);
        let signals = self.signals_of.of(node).iter().filter_map(|at| self.facts.signals.get(*at as usize));
        let identity = self.identities.nodes.get(node as usize)?;
        let flags = self.roles.flags(node);
        let own: Vec<Part> = parts.iter().filter(|p| p.whose == Whose::Own).copied().collect();
        let case = Case::new(self.facts, &self.traits, &own, flags.has(Flags::MANAGED));
        let verdict = verdict(&case);
        let likely_installed = likely_installed(&case, verdict, flags);
        let nat_at_least = nat::at_least(signals);
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
            lookalike_asked: self.lookalike(parts) < Some(Stage::Attempted),
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
        let (told, mut names_before) = known.told.settle();
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

    /// How far its contacts with look-alikes got.
    fn lookalike(&self, parts: &[Part]) -> Option<Stage> {
        let is_one = |p: &&Part| {
            let contact = self.facts.contacts.get(p.contact as usize);
            p.whose != Whose::Others && contact.and_then(|c| self.category(c)) == Some(Category::Lookalike)
        };
        parts.iter().filter(is_one).map(|p| p.stage).max()
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
pub(super) fn is_two_sided<'c>(contacts: impl Iterator<Item = &'c Contact> + Clone) -> bool {
    let mut doubtful: Vec<(u32, i32)> =
        contacts.clone().filter(|c| c.notes.has(Note::OneSided)).map(|c| (c.source, c.day)).collect();
    doubtful.sort_unstable();
    let proves = |c: &Contact| c.stage >= Stage::Connected && doubtful.binary_search(&(c.source, c.day)).is_err();
    contacts.into_iter().any(proves)
}

pub(super) fn roles(case: &Case<'_>, flags: Flags, nat: bool, router: bool) -> Vec<Role> {
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
