//! What a store says of hosts and of what was seen at all.

use super::exit::Stop;
use crate::base::Timestamp;
use crate::coverage::doubts;
use crate::measure::FactSource;
use crate::measure::recount::Applied;
use crate::report::summary::{Stored, Summary};
use crate::sighting::HomeNets;
use crate::store::archive::Archive;
use crate::store::{Covered, Measured, Store};
use std::path::Path;

/// The home networks of the newest run, which its records are of.
pub(super) fn home(store: &Store) -> Result<HomeNets, Stop> {
    let runs = store.runs()?;
    let Some((_, run)) = runs.iter().rev().find(|(_, run)| !run.home_nets.is_empty()) else {
        return Ok(HomeNets::default());
    };
    if run.home_nets.iter().any(|n| n == "any") {
        return Ok(HomeNets::any());
    }
    Ok(HomeNets::only(run.home_nets.iter().filter_map(|n| n.parse().ok()).collect()))
}

/// A store of either kind that is open.
pub(super) enum Kept {
    /// Of one file.
    Store(Measured),
    /// A folder.
    Archive(Archive),
}

impl Kept {
    pub(super) fn open(path: &Path) -> Result<Self, Stop> {
        Ok(match Archive::is_meant(path) {
            true => Kept::Archive(Archive::open(path)?),
            false => Kept::Store(Measured::new(Store::open_read_only(path)?)),
        })
    }

    pub(super) fn source(&self) -> &dyn FactSource {
        match self {
            Kept::Store(measured) => measured,
            Kept::Archive(archive) => archive,
        }
    }

    /// Home networks of its records.
    pub(super) fn home(&self) -> Result<HomeNets, Stop> {
        match self {
            Kept::Store(measured) => home(&measured.store()),
            Kept::Archive(_) => Ok(HomeNets::default()),
        }
    }

    /// What to say of its pseudonyms.
    pub(super) fn pseudonyms(&self) -> Result<Option<String>, Stop> {
        match self {
            Kept::Store(measured) => pseudonyms(&measured.store()),
            Kept::Archive(_) => Ok(None),
        }
    }
}

/// A sentence without a full stop where the runs of a store say differently who a
/// host is.
pub(super) fn pseudonyms(store: &Store) -> Result<Option<String>, Stop> {
    let keys = store.pseudonym_keys()?;
    let why = match keys.len() {
        0 | 1 => return Ok(None),
        _ if keys.contains(&None) => {
            "some runs of this store replaced hosts by pseudonyms and others did not".to_owned()
        }
        n => format!("the runs of this store made pseudonyms with {n} different keys"),
    };
    Ok(Some(format!("{why}, so that one host may appear twice")))
}

/// The quarter hours of a window, both ends included.
pub(super) fn quarters(since: Option<Timestamp>, until: Option<Timestamp>) -> (i64, i64) {
    (since.map_or(i64::MIN, Timestamp::quarter), until.map_or(i64::MAX, |t| t.plus(-1).quarter()))
}

/// What was seen at all in a window, for the closing lines of a report of so
/// many hosts by a catalogue.
pub(super) fn summary(
    store: &Store,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hosts: u64,
    applied: Applied<'_>,
) -> Result<Summary, Stop> {
    let (from, to) = quarters(since, until);
    let covered = store.covered(from, to)?;
    // Who asks a sensor that listens for all since a day means until now, and is not
    // to be told that nothing was there while it was dead. Captures end where they do.
    let to_now = since.is_some() && until.is_none() && covered.runs > 0;
    let seen = covered.first.zip(covered.last);
    let of_quarters = seen.and_then(|seen| doubts::quarters_asked((since, until), seen, to_now, Timestamp::now()));
    let sensors = if of_quarters.is_some() { store.sensors_up(from, to)? } else { Vec::new() };
    let by_sensor = store.counted_by_sensor(from, to)?.into_iter().collect();
    Ok(Summary {
        sensors,
        by_sensor,
        by_capture: store.counted_by_capture(from, to)?,
        to_now,
        ..closing(covered, of_quarters, hosts, store.unlooked(from, to, applied)?)
    })
}

/// The same of an archive, which does not know when frames were seen.
pub(super) fn archive_summary(
    archive: &Archive,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hosts: u64,
) -> Summary {
    let (from, to) = quarters(since, until);
    closing(archive.covered(from, to), None, hosts, 0)
}

fn closing(covered: Covered, of_quarters: Option<u64>, hosts: u64, unlooked: u64) -> Summary {
    Summary {
        files: covered.captures,
        files_damaged: covered.damaged,
        first: covered.first,
        last: covered.last,
        counts: covered.counts,
        hosts,
        stored: Some(Stored {
            runs: covered.runs,
            imported: covered.imported,
            removed_days: covered.removed_days,
            unlooked,
            quarters: covered.quarters,
            of_quarters,
            addresses: covered.addresses,
        }),
        ..Summary::default()
    }
}
