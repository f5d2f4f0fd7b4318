//! The figures of a publication, counted from what is in its folder.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::GROUPS;
use super::manifest::{Manifest, step};
use super::source::{MAX_GROUPS, Published, Room, Unread, bounded, catalogue};
use crate::base::Prefix;
use crate::catalogue::Catalogue;
use crate::measure::count::MOST_DAYS;
use crate::measure::{Asked, Comparison, Groups, Method, Total, Trend};
use crate::sighting::HomeNets;
use std::path::Path;

/// Most breakdowns: all hosts are counted for each.
const MOST_BREAKDOWNS: usize = 64;

/// What was counted.
pub(super) struct Recounted {
    pub(super) trend: Trend,
    pub(super) comparison: Option<Comparison>,
    /// The window as one period, if that was wanted.
    pub(super) total: Option<Total>,
    pub(super) records: u64,
}

/// Counts the records of a folder as its manifest says.
pub(super) fn recount(folder: &Path, manifest: &Manifest, room: &Room<'_>, total: bool) -> Result<Recounted, Unread> {
    let options = &manifest.options;
    let wrong = |what: &str| format!("the manifest names no {what} that can be used");
    let window = options.window.days().ok_or_else(|| wrong("window"))?;
    let step = step(&options.step).ok_or_else(|| wrong("step"))?;
    if window.len() > MOST_DAYS {
        return Err(wrong("window").into());
    }
    if options.by.len() > MOST_BREAKDOWNS {
        return Err(wrong("breakdowns").into());
    }
    let text = catalogue(folder, &options.catalogue_sha256)?.ok_or("the catalogue that was applied is missing")?;
    if text.sha256_hex() != options.catalogue_sha256 {
        return Err("the catalogue that was applied is not the one that the manifest names".into());
    }
    let catalogue = Catalogue::from_effective("catalogue", &text).map_err(|e| e.to_string())?;
    let as_of = options.as_of().ok_or_else(|| wrong("catalogue_as_of"))?;
    let catalogue = match &as_of {
        None => catalogue,
        Some(as_of) => catalogue.as_of(as_of.day.into()).map_err(|e| e.to_string())?,
    };
    let file = folder.join(GROUPS);
    let groups = if file.symlink_metadata().is_ok() {
        bounded(&file, MAX_GROUPS)?;
        Groups::read(&[file]).map_err(|e| e.to_string())?
    } else {
        Groups::default()
    };
    let columns: Vec<String> = options.by.iter().map(|d| d.join("+")).collect();
    let source = Published::read(folder, manifest, room)?;
    let asked = Asked {
        source: &source,
        groups: &groups,
        dimensions: groups.dimensions(&columns).map_err(|e| e.to_string())?,
        catalogue: &catalogue,
        as_of,
        doubts: options.doubts.clone(),
        home: home(&options.home_networks).ok_or_else(|| wrong("home networks"))?,
        offset: options.utc_offset.parse().map_err(|_| wrong("UTC offset"))?,
        counted: options.counted,
        threads: room.threads,
    };
    let mut trend = Trend::new(&asked, window, step).map_err(|e| e.to_string())?;
    local(&mut trend.method);
    let comparison = match &options.baseline {
        None => None,
        Some(baseline) => {
            let baseline = baseline.days().ok_or_else(|| wrong("baseline"))?;
            let mut comparison = Comparison::new(&asked, baseline, window).map_err(|e| e.to_string())?;
            local(&mut comparison.method);
            Some(comparison)
        }
    };
    let total = if total { Some(Total::new(&asked, window).map_err(|e| e.to_string())?) } else { None };
    Ok(Recounted { trend, comparison, total, records: source.records })
}

/// The file of groups is that of the folder, wherever the folder lies.
fn local(method: &mut Method) {
    method.groups.iter_mut().for_each(|g| g.path = GROUPS.to_owned());
}

fn home(described: &[String]) -> Option<HomeNets> {
    if described.iter().any(|n| n == "any") {
        return Some(HomeNets::any());
    }
    let prefixes: Option<Vec<Prefix>> = described.iter().map(|n| n.parse().ok()).collect();
    prefixes.map(HomeNets::only)
}
