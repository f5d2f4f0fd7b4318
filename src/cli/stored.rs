//! What a store says of hosts and of what was seen at all.

use super::exit::Stop;
use crate::base::Timestamp;
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::report::summary::{Stored, Summary};
use crate::sighting::HomeNets;
use crate::store::archive::Archive;
use crate::store::{Covered, Store};

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

/// A warning where the runs of a store say differently who a host is.
pub(super) fn pseudonyms(store: &Store) -> Result<Option<String>, Stop> {
    let keys = store.pseudonym_keys()?;
    let why = match keys.len() {
        0 | 1 => return Ok(None),
        _ if keys.contains(&None) => {
            "some runs of this store replaced hosts by pseudonyms and others did not".to_owned()
        }
        n => format!("the runs of this store made pseudonyms with {n} different keys"),
    };
    Ok(Some(format!("warning: {why}, so that one host may appear twice")))
}

/// What was seen at all in a window, for the closing lines of a report of so
/// many hosts.
pub(super) fn summary(
    store: &Store,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hosts: u64,
) -> Result<Summary, Stop> {
    let from = since.map_or(i64::MIN, Timestamp::quarter);
    let to = until.map_or(i64::MAX, |t| t.plus(-1).quarter());
    Ok(closing(store.covered(from, to)?, hosts))
}

/// The same of an archive.
pub(super) fn archive_summary(
    archive: &Archive,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hosts: u64,
) -> Summary {
    let quarter = |t: Timestamp| t.quarter().saturating_mul(QUARTER_SECS * SECOND);
    let from = since.map_or(i64::MIN, quarter);
    let to = until.map_or(i64::MAX, |t| quarter(t.plus(-1)).saturating_add(QUARTER_SECS * SECOND - 1));
    closing(archive.covered(Timestamp(from), Timestamp(to)), hosts)
}

fn closing(covered: Covered, hosts: u64) -> Summary {
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
            quarters: covered.quarters,
            addresses: covered.addresses,
        }),
        ..Summary::default()
    }
}
