//! What the argument means: a sighting, or a host.

use super::day;
use crate::base::{Addr, Mac};
use crate::cli::args::ExplainArgs;
use crate::cli::exit::Stop;
use crate::cli::inputs;
use crate::cli::judging::Judging;
use crate::cli::measuring;
use crate::cli::stored::Kept;
use crate::host::facts::id_bytes;
use crate::host::{self, Contact, Facts, HostView};
use crate::measure::parts::each_part;
use crate::measure::{Days, Part, Wanted};
use crate::report::explain::{Background, Moment};
use crate::store::Interval;
use crate::store::archive::Archive;
use std::collections::{BTreeSet, HashSet};

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
pub(super) fn find(args: &ExplainArgs, kept: &Kept, judging: &Judging) -> Result<Subject, Stop> {
    let what = args.what.trim();
    let text = what.to_ascii_lowercase();
    let is_hex = (MIN_PREFIX..=ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = if is_hex { sighting(kept, &text)? } else { None };
    let catalogue = args.catalogue.load().map_err(Stop::usage)?;
    let given = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
    let options = host::Options {
        since: args.since,
        until: args.until,
        inventory: judging.inventory.clone(),
        home: given.map_or_else(|| kept.home(), Ok)?,
    };
    let bytes = id.as_deref().map(id_bytes);
    let is_meant = |v: &HostView| bytes.map_or_else(|| fits(v, &text), |id| v.sightings.contains(&id));
    let take = |found: &mut Vec<(HostView, Background)>, part: &Part| {
        for view in host::Judge::new(&part.facts, &catalogue, &options).select(is_meant) {
            let more = background(&view, &part.facts, kept)?;
            found.push((view, more));
        }
        Ok::<(), Stop>(())
    };
    let days = match (args.since, args.until) {
        (None, None) => Vec::new(),
        (since, until) => vec![Days::new(since.map_or(i32::MIN, day), until.map_or(i32::MAX, |t| day(t.plus(-1))))],
    };
    let wanted = Wanted { days, names: false, ids: true };
    let found = each_part(kept.source(), &wanted, measuring::threads(), Vec::new, take)?;
    let mut fitting: Vec<(HostView, Background)> = found.into_iter().flatten().collect();
    fitting.sort_by(|(a, _), (b, _)| (a.first_seen, &a.segment, a.ip).cmp(&(b.first_seen, &b.segment, b.ip)));
    if let Some(id) = id {
        return Ok(Subject::Host { host: fitting.into_iter().next().map(Box::new), ids: vec![id] });
    }
    match fitting.len() {
        0 => Err(nothing(args, is_hex)),
        1 => {
            let host = fitting.remove(0);
            let mut ids: Vec<String> = host.1.timeline.iter().map(|m| m.id.clone()).collect();
            // A record that several sources gave stands where the first did.
            let mut seen = HashSet::new();
            ids.retain(|id| seen.insert(id.clone()));
            Ok(Subject::Host { host: Some(Box::new(host)), ids })
        }
        _ => Ok(Subject::Several(fitting.into_iter().map(|(view, _)| view).collect())),
    }
}

/// The one record whose id begins so.
fn sighting(kept: &Kept, prefix: &str) -> Result<Option<String>, Stop> {
    const SHOWN: usize = 10;
    let mut ids = match kept {
        Kept::Store(measured) => measured.store().ids_beginning(prefix, SHOWN as u32 + 1)?,
        Kept::Archive(archive) => ids_beginning(archive, prefix, SHOWN + 1)?,
    };
    if ids.len() < 2 {
        return Ok(ids.pop());
    }
    let more = if ids.len() > SHOWN { "\n  and more" } else { "" };
    ids.truncate(SHOWN);
    let list = ids.join("\n  ");
    Err(Stop::usage(format_args!("several sightings begin with {prefix}; give more digits:\n  {list}{more}")))
}

/// Ids of records of an archive that begin so, sorted; `most` at most.
fn ids_beginning(archive: &Archive, prefix: &str, most: usize) -> Result<Vec<String>, Stop> {
    let wanted = Wanted { ids: true, ..Wanted::default() };
    let take = |found: &mut BTreeSet<String>, part: &Part| {
        let ids = part.facts.contacts.iter().map(|c| id_text(&c.id));
        for id in ids.filter(|id| id.starts_with(prefix)) {
            found.insert(id);
            if found.len() > most {
                found.pop_last();
            }
        }
        Ok::<(), Stop>(())
    };
    let found = each_part(archive, &wanted, measuring::threads(), BTreeSet::new, take)?;
    let all: BTreeSet<String> = found.into_iter().flatten().collect();
    Ok(all.into_iter().take(most).collect())
}

fn id_text(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
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
fn background(view: &HostView, facts: &Facts, kept: &Kept) -> Result<Background, Stop> {
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
            id: id_text(&c.id),
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
    // An archive knows of no leases.
    if let Kept::Store(measured) = kept {
        let store = measured.store();
        for ip in &view.addresses {
            known_by.extend(store.intervals_of(ip)?.into_iter().filter(tells));
        }
    }
    Ok(Background { known_by, timeline })
}
