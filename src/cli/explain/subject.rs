//! What the argument means: a sighting, or a host.

use super::{day, stored};
use crate::base::{Addr, Mac};
use crate::catalogue::Catalogue;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::Stop;
use crate::cli::inputs;
use crate::cli::judging::Judging;
use crate::host::{self, Facts, HostView};
use crate::store::{Interval, Store};
use std::collections::HashMap;

/// Least hex digits of an id's beginning.
const MIN_PREFIX: usize = 8;
/// Hex digits of an id.
const ID: usize = 32;

/// What is to be explained.
pub(super) enum Subject {
    /// A record.
    Sighting(String),
    /// A host.
    Host {
        view: Box<HostView>,
        /// Its records in the order of time.
        ids: Vec<String>,
        /// What is stored of its addresses.
        known_by: Vec<Interval>,
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
    if is_hex && let Some(id) = sighting(store, &text)? {
        return Ok(Subject::Sighting(id));
    }
    let catalogue = &args.catalogue;
    let catalogue = Catalogue::load(catalogue.catalogue.as_deref(), &catalogue.add_catalogue).map_err(Stop::usage)?;
    let given = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
    let facts = stored::facts(store, args.since.map(day), args.until.map(|t| day(t.plus(-1))))?;
    let options = host::Options {
        since: args.since,
        until: args.until,
        inventory: judging.inventory.clone(),
        home: given.map_or_else(|| stored::home(store), Ok)?,
    };
    let views = host::judge(&facts, &catalogue, &options);
    let mut fitting: Vec<HostView> = views.into_iter().filter(|v| fits(v, &text)).collect();
    match fitting.len() {
        0 => Err(nothing(args, is_hex)),
        1 => Ok(host_of(fitting.remove(0), &facts, store)?),
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
    Stop::failed(format_args!(
        "{store} knows {kind} {}{window}: give the id of a sighting, or an address, MAC or name as `hosts` lists them",
        args.what
    ))
}

/// Whether a host is meant.
fn fits(v: &HostView, text: &str) -> bool {
    if let Ok(ip) = text.parse::<Addr>() {
        return v.ip == ip || v.addresses.contains(&ip);
    }
    if let Ok(mac) = text.parse::<Mac>() {
        return v.mac == Some(mac);
    }
    let named = |name: &str| {
        let name = name.to_lowercase();
        let label = name.split('.').next().unwrap_or_default();
        name == text || label == text
    };
    v.name.iter().chain(&v.names_before).any(|(name, _)| named(name))
}

/// The host with what else is told of it.
fn host_of(view: HostView, facts: &Facts, store: &Store) -> Result<Subject, Stop> {
    let mut first: HashMap<[u8; 16], _> = HashMap::new();
    for c in &facts.contacts {
        let at = first.entry(c.id).or_insert(c.first);
        *at = c.first.min(*at);
    }
    let mut ids = view.sightings.clone();
    ids.sort_by_key(|id| (first.get(id).copied(), *id));
    let ids = ids.iter().map(|id| format!("{:032x}", u128::from_be_bytes(*id))).collect();
    let (from, to) = (view.first_seen, view.last_seen);
    let own = |i: &Interval| {
        let same = i.ip == view.ip || view.addresses.contains(&i.ip);
        let mac = i.mac.is_none() || view.mac.is_none() || i.mac == view.mac;
        same && mac && i.segment == view.segment && i.from.day() <= to.day() && i.to.day() >= from.day()
    };
    let known_by = store.intervals()?.into_iter().filter(own).collect();
    Ok(Subject::Host { view: Box::new(view), ids, known_by })
}
