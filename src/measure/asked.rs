//! What a report is asked for, apart from its windows.

use super::count::Plan;
use super::fact::{Days, FactSource, Seen, SourceError};
use super::figures::{Method, method_text};
use super::groups::Groups;
use super::recount::{Applied, Recount};
use super::window::UtcOffset;
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, format_day};
use crate::catalogue::Catalogue;
use crate::coverage::doubts;
use crate::sighting::HomeNets;
use std::collections::BTreeSet;

/// What to count by, and from what.
pub struct Asked<'a> {
    /// Where facts come from.
    pub source: &'a dyn FactSource,
    /// Groups of addresses.
    pub groups: &'a Groups,
    /// Columns of each breakdown ([`Groups::dimensions`]).
    pub dimensions: Vec<Vec<String>>,
    /// By which indicators are understood; with `as_of` also the one that is
    /// applied to all records.
    pub catalogue: &'a Catalogue,
    /// The day whose catalogue it is, where it is applied to all records.
    pub as_of: Option<AsOf>,
    /// What of the store makes it doubtful who is the same host, a sentence
    /// without a full stop each.
    pub doubts: Vec<String>,
    /// The home networks.
    pub home: HomeNets,
    /// How much days begin before those of UTC.
    pub offset: UtcOffset,
    /// When it is counted: a window that goes on is as long as it has been by then.
    /// Without it all windows have passed.
    pub counted: Option<Timestamp>,
    /// How many groups by periods somebody claims to have counted, if that is
    /// what this is held against.
    pub claimed: Option<u64>,
    /// Threads at most.
    pub threads: usize,
}

/// One catalogue for all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The day, since the epoch.
    pub day: i32,
    /// Where the catalogue was taken from.
    pub origin: Origin,
}

/// Where a catalogue of a day was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The newest run that began by that day.
    Run,
    /// What the user gave, or what is built in: no run by that day is stored.
    Given,
}

/// The catalogue of a day: that of the newest run that began by its end, else
/// the one given; of it what was valid then.
///
/// # Errors
/// Where the source cannot be read, or the catalogue of the run, or where
/// nothing of it was valid.
pub fn catalogue_as_of(source: &dyn FactSource, given: &Catalogue, day: i32) -> Result<(Catalogue, AsOf), SourceError> {
    let wrong = |e: crate::catalogue::CatalogueError| SourceError(e.to_string());
    let runs = source.runs()?;
    for run in runs.iter().rev().filter(|run| run.started.day() <= i64::from(day)) {
        if let Some(text) = source.catalogue(&run.catalogue_sha256)? {
            let label = format!("catalogue {}", run.catalogue_sha256);
            let catalogue =
                Catalogue::from_effective(&label, &text).and_then(|c| c.as_of(day.into())).map_err(wrong)?;
            return Ok((catalogue, AsOf { day, origin: Origin::Run }));
        }
    }
    Ok((given.as_of(day.into()).map_err(wrong)?, AsOf { day, origin: Origin::Given }))
}

impl Asked<'_> {
    /// When it is counted, if any of these windows had not passed by then; to the
    /// quarter hour, as that is all that matters.
    pub fn counted_within(&self, windows: &[Days]) -> Option<Timestamp> {
        let goes_on = |days: &Days, at| {
            let (_, to) = self.offset.quarters(*days);
            doubts::last_known(to, at, None) < to
        };
        let at = self.counted.filter(|at| windows.iter().any(|days| goes_on(days, *at)))?;
        Some(Timestamp::from_parts(at.quarter().saturating_mul(QUARTER_SECS), 0))
    }

    /// What could be seen in the quarter hours `from` to `to`, held against the
    /// catalogue in effect.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn seen(&self, from: i64, to: i64) -> Result<Seen, SourceError> {
        let mut seen = self.source.seen(from, to)?;
        let applied = Applied { catalogue: self.catalogue, backwards: self.as_of.is_some() };
        if let Some(unlooked) = self.source.unlooked(from, to, applied)? {
            seen.unlooked = unlooked;
        }
        Ok(seen)
    }

    /// Whether one catalogue is applied to all records.
    pub(super) fn one_catalogue(&self) -> bool {
        self.as_of.is_some()
    }

    pub(super) fn plan(&self, periods: Vec<Days>) -> Plan<'_> {
        Plan {
            periods,
            offset: self.offset,
            groups: self.groups,
            dimensions: self.dimensions.clone(),
            catalogue: self.catalogue,
            recount: self.as_of.is_some().then(|| Recount::new(self.catalogue)),
            movers: false,
            home: self.home.clone(),
            claimed: self.claimed,
            threads: self.threads,
        }
    }

    /// How figures are made; `used` are the catalogues of the windows.
    pub(super) fn method<'c>(&self, used: impl Iterator<Item = &'c String>) -> Result<Method, SourceError> {
        let mut beyond = BTreeSet::new();
        if self.as_of.is_some() {
            let recount = Recount::new(self.catalogue);
            for sha256 in used.collect::<BTreeSet<_>>() {
                let Some(text) = self.source.catalogue(sha256)? else { continue };
                let older = Catalogue::from_effective(&format!("catalogue {sha256}"), &text);
                beyond.extend(recount.beyond(&older.map_err(|e| SourceError(e.to_string()))?));
            }
        }
        Ok(Method {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            text: Method::sentences(self.as_of.as_ref()),
            catalogue_sha256: self.catalogue.sha256_hex(),
            catalogue_as_of: self.as_of.as_ref().map(|a| format_day(a.day.into())),
            cannot_be_applied_backwards: beyond.into_iter().collect(),
            groups: self.groups.files(),
        })
    }
}

impl Method {
    /// What this version says of its method, of one catalogue for all records
    /// too if there is one.
    pub fn sentences(as_of: Option<&AsOf>) -> Vec<String> {
        let mut text = method_text();
        if let Some(as_of) = as_of {
            let day = format_day(as_of.day.into());
            text.push(match as_of.origin {
                Origin::Run => format!("All records were matched anew, by the names they keep, with the catalogue of the newest run that began by {day}."),
                Origin::Given => format!("All records were matched anew, by the names they keep, with the given catalogue as far as it was valid on {day}: no run that began by then is stored."),
            });
        }
        text
    }

    /// A warning about what could not be applied backwards.
    pub(super) fn backwards(&self) -> Option<String> {
        const LISTED: usize = 5;
        let all = &self.cannot_be_applied_backwards;
        let more = all.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let listed: Vec<&str> = all.iter().take(LISTED).map(String::as_str).collect();
        (!all.is_empty()).then(|| {
            format!(
                "some records were made with a catalogue that did not look for {}{more}; these cannot be applied backwards",
                listed.join(", ")
            )
        })
    }
}
