//! From stored facts to hosts with roles and verdicts.

use super::facts::{Contact, Facts};
use super::inventory::Inventory;
use super::view::{Alarm, Cadence, HostView, Verdict};
use crate::base::{Stage, Timestamp};
use crate::catalogue::{Catalogue, Category};
use crate::flow::Note;
use crate::sighting::home::HomeNets;
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
pub fn judge(facts: &Facts, _catalogue: &Catalogue, options: &Options) -> Vec<HostView> {
    let mut by_seen: BTreeMap<u32, Vec<&Contact>> = BTreeMap::new();
    for c in &facts.contacts {
        if options.since.is_none_or(|s| c.last >= s) && options.until.is_none_or(|u| c.first < u) {
            by_seen.entry(c.seen).or_default().push(c);
        }
    }
    let mut views: Vec<HostView> = by_seen.iter().filter_map(|(seen, c)| view(facts, options, *seen, c)).collect();
    views.sort_by(|a, b| (&a.segment, a.ip, a.mac).cmp(&(&b.segment, b.ip, b.mac)));
    views
}

fn view(facts: &Facts, options: &Options, seen: u32, contacts: &[&Contact]) -> Option<HostView> {
    let host = facts.seen.get(seen as usize)?;
    let category = |c: &Contact| facts.indicators.get(c.indicator as usize).map(|i| i.category);
    let of = |wanted: Category| contacts.iter().filter(move |c| category(c) == Some(wanted) && !c.support);
    let verdict = match of(Category::Update).map(|c| c.stage).max() {
        Some(Stage::Transferred) => Verdict::Updating,
        Some(Stage::Connected) => Verdict::Contacting,
        Some(Stage::Attempted) => Verdict::Attempting,
        Some(_) => Verdict::LookedUp,
        None if of(Category::Reputation).chain(of(Category::Activation)).next().is_some() => Verdict::Present,
        None if of(Category::Web).next().is_some() => Verdict::WebOnly,
        None => Verdict::None,
    };
    let alarm = |c: &&Contact| match category(c) {
        Some(Category::Lookalike) => Some(Alarm::Lookalike),
        Some(Category::Sinkhole) => Some(Alarm::Sinkhole),
        _ => None,
    };
    let mut alarms: Vec<Alarm> = contacts.iter().filter_map(alarm).collect();
    alarms.sort_unstable();
    alarms.dedup();
    let mut categories: BTreeMap<Category, Cadence> = BTreeMap::new();
    for c in contacts {
        let Some(category) = category(c) else { continue };
        let cadence = categories.entry(category).or_default();
        cadence.sessions += c.slots.runs();
        cadence.days += 1;
    }
    let device = options.inventory.as_ref().and_then(|i| i.find(host.mac, &host.ip));
    let mut sightings: Vec<[u8; 16]> = contacts.iter().map(|c| c.id).collect();
    sightings.sort_unstable();
    sightings.dedup();
    Some(HostView {
        ip: host.ip,
        mac: host.mac,
        mac_randomised: host.mac.is_some_and(|m| m.0.first().is_some_and(|b| b & 2 != 0)),
        segment: host.segment.clone(),
        name: device.and_then(|d| Some((d.name.clone()?, "inventory".to_owned()))),
        names_before: Vec::new(),
        owner: device.and_then(|d| d.owner.clone()),
        place: device.and_then(|d| d.place.clone()),
        addresses: vec![host.ip],
        verdict,
        alarms,
        roles: Vec::new(),
        nat_at_least: None,
        relays: Vec::new(),
        confirmed: contacts.iter().any(|c| c.stage >= Stage::Connected && !c.notes.has(Note::OneSided)),
        reason: format!("{} records, the strongest judged as {verdict}.", contacts.len()),
        stronger: String::new(),
        weaker: String::new(),
        likely_installed: false,
        categories,
        first_seen: contacts.iter().map(|c| c.first).min()?,
        last_seen: contacts.iter().map(|c| c.last).max()?,
        sightings,
    })
}
