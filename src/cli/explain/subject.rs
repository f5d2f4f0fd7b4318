//! What the argument means: a sighting, or a host.

use super::{day, stored};
use crate::base::{Addr, Mac};
use crate::cli::args::ExplainArgs;
use crate::cli::exit::Stop;
use crate::cli::inputs;
use crate::cli::judging::Judging;
use crate::host::facts::id_bytes;
use crate::host::{self, Contact, Facts, HostView};
use crate::report::explain::{Background, Moment};
use crate::store::{Interval, Store};
use std::collections::HashSet;

/// Least hex digits of an id's beginning.
const MIN_PREFIX: usize = 8;
/// Hex digits of an id.
const ID: usize = 32;

/// What is to be explained.
pub(super) enum Subject {
    /// Records of one host.
    Host {
        /// The host; `None` where its records are not in the window.
        host: Option<Box<(HostView, Background)>>,
        /// The records in the order of time.
        ids: Vec<String>,
    },
    /// The argument fits several hosts.
    Several(Vec<HostView>),
}

/// Finds it.
///
/// # Errors
/// Where nothing fits, or an id's beginning is that of several.
pub(super) fn find(args: &ExplainArgs, store: &Store, judging: &Judging) -> Result<Subject, Stop> {
    let what = args.what.trim();
    let text = what.to_ascii_lowercase();
    let is_hex = (MIN_PREFIX..=ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = if is_hex { sighting(store, &text)? } else { None };
    let catalogue = args.catalogue.load().map_err(Stop::usage)?;
    let given = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
    let facts = store.facts(args.since.map(day), args.until.map(|t| day(t.plus(-1))))?;
    let options = host::Options {
        since: args.since,
        until: args.until,
        inventory: judging.inventory.clone(),
        home: given.map_or_else(|| stored::home(store), Ok)?,
    };
    let judge = host::Judge::new(&facts, &catalogue, &options);
    if let Some(id) = id {
        let bytes = id_bytes(&id);
        let view = judge.select(|v| v.sightings.contains(&bytes)).into_iter().next();
        let host = view.map(|view| background(&view, &facts, store).map(|more| Box::new((view, more)))).transpose()?;
        return Ok(Subject::Host { host, ids: vec![id] });
    }
    let mut fitting = judge.select(|v| fits(v, &text));
    drop(judge);
    match fitting.len() {
        0 => Err(nothing(args, is_hex)),
        1 => {
            let view = fitting.remove(0);
            let more = background(&view, &facts, store)?;
            let mut ids: Vec<String> = more.timeline.iter().map(|m| m.id.clone()).collect();
            // A record that several sources gave stands where the first did.
            let mut seen = HashSet::new();
            ids.retain(|id| seen.insert(id.clone()));
            Ok(Subject::Host { host: Some(Box::new((view, more))), ids })
        }
        _ => {
            fitting.sort_by(|a, b| (a.first_seen, &a.segment, a.ip).cmp(&(b.first_seen, &b.segment, b.ip)));
            Ok(Subject::Several(fitting))
        }
    }
}

/// The one record whose id begins so.
fn sighting(store: &Store, prefix: &str) -> Result<Option<String>, Stop> {
    const SHOWN: usize = 10;
    let mut ids = store.ids_beginning(prefix, SHOWN as u32 + 1)?;
    if ids.len() < 2 {
        return Ok(ids.pop());
    }
    let more = if ids.len() > SHOWN { "\n  and more" } else { "" };
    ids.truncate(SHOWN);
    let list = ids.join("\n  ");
    Err(Stop::usage(format_args!("several sightings begin with {prefix}; give more digits:\n  {list}{more}")))
}

fn nothing(args: &ExplainArgs, is_hex: bool) -> Stop {
    let store = args.store.display();
    let window = if args.since.is_some() || args.until.is_some() { " between --since and --until" } else { "" };
    let kind = if is_hex { "neither a sighting nor a host" } else { "no host" };
    let what = args.what.trim();
    let short = what.len() < MIN_PREFIX && what.bytes().all(|b| b.is_ascii_hexdigit());
    let id = if short { format!("at least {MIN_PREFIX} digits of the id") } else { "the id".to_owned() };
    Stop::failed(format_args!(
        "{store} knows {kind} {}{window}: give {id} of a sighting, or an address, MAC or name as `hosts` lists them",
        args.what
    ))
}

/// Whether a host is meant.
fn fits(v: &HostView, text: &str) -> bool {
    if let Ok(ip) = text.parse::<Addr>() {
        return v.ip == ip || v.addresses.contains(&ip);
    }
    if let Ok(mac) = text.replace('-', ":").parse::<Mac>() {
        return v.mac == Some(mac);
    }
    let named = |name: &str| {
        let name = name.to_lowercase();
        let label = name.split('.').next().unwrap_or_default();
        name == text || label == text
    };
    v.name.iter().chain(&v.names_before).any(|(name, _)| named(name))
}

/// What else is stored of a host.
fn background(view: &HostView, facts: &Facts, store: &Store) -> Result<Background, Stop> {
    let own: HashSet<[u8; 16]> = view.sightings.iter().copied().collect();
    let moment = |c: &Contact| {
        let indicator = facts.indicators.get(c.indicator as usize)?;
        Some(Moment {
            first: c.first,
            last: c.last,
            stage: c.stage,
            category: indicator.category,
            indicator: indicator.id.clone(),
            count: c.count,
            id: format!("{:032x}", u128::from_be_bytes(c.id)),
        })
    };
    let mut timeline: Vec<Moment> = facts.contacts.iter().filter(|c| own.contains(&c.id)).filter_map(moment).collect();
    timeline.sort();
    let (from, to) = (view.first_seen, view.last_seen);
    let tells = |i: &Interval| {
        let mac = i.mac.is_none() || view.mac.is_none() || i.mac == view.mac;
        mac && i.segment == view.segment && i.from.day() <= to.day() && i.to.day() >= from.day()
    };
    // In order of the addresses, the last one among them.
    let mut known_by = Vec::new();
    for ip in &view.addresses {
        known_by.extend(store.intervals_of(ip)?.into_iter().filter(tells));
    }
    Ok(Background { known_by, timeline })
}
