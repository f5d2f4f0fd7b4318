//! The figures of a publication, counted from what is in its folder.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::manifest::{Manifest, step};
use super::source::{MAX_GROUPS, Published, Room, Unread, bounded, catalogue, size_in};
use super::{COMPARISON, GROUPS, TREND};
use crate::base::Prefix;
use crate::catalogue::Catalogue;
use crate::measure::count::MOST_DAYS;
use crate::measure::{Asked, Comparison, Groups, Method, Total, Trend};
use crate::sighting::HomeNets;
use std::path::Path;

/// Most breakdowns: all hosts are counted for each.
const MOST_BREAKDOWNS: usize = 64;

/// Fewest bytes of JSON of a figure: a period of a group.
const FIGURE: u64 = 256;
/// Figures that are counted whatever is claimed, so that it can be said which
/// are wrong.
const FEW: u64 = 1 << 16;

/// What was counted.
pub(super) struct Recounted {
    pub(super) trend: Trend,
    pub(super) comparison: Option<Comparison>,
    /// The window as one period, if that was wanted.
    pub(super) total: Option<Total>,
    pub(super) records: u64,
}

/// What figures are counted for.
#[derive(Clone, Copy, Debug)]
pub(super) enum For {
    /// To be written.
    Writing,
    /// To be held against those of the folder; perhaps the window as one period
    /// against others.
    Claims { total: bool },
}

/// Counts the records of a folder as its manifest says.
pub(super) fn recount(folder: &Path, manifest: &Manifest, room: &Room<'_>, what_for: For) -> Result<Recounted, Unread> {
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
    let mut asked = Asked {
        source: &source,
        groups: &groups,
        dimensions: groups.dimensions(&columns).map_err(|e| e.to_string())?,
        catalogue: &catalogue,
        as_of,
        doubts: options.doubts.clone(),
        home: home(&options.home_networks).ok_or_else(|| wrong("home networks"))?,
        offset: options.utc_offset.parse().map_err(|_| wrong("UTC offset"))?,
        counted: options.counted,
        claimed: what_for.claimed(folder, TREND)?,
        threads: room.threads,
    };
    let mut trend = Trend::new(&asked, window, step).map_err(|e| e.to_string())?;
    local(&mut trend.method);
    let total = matches!(what_for, For::Claims { total: true });
    let total = if total { Some(Total::new(&asked, window).map_err(|e| e.to_string())?) } else { None };
    let comparison = match &options.baseline {
        None => None,
        Some(baseline) => {
            let baseline = baseline.days().ok_or_else(|| wrong("baseline"))?;
            asked.claimed = what_for.claimed(folder, COMPARISON)?;
            let mut comparison = Comparison::new(&asked, baseline, window).map_err(|e| e.to_string())?;
            local(&mut comparison.method);
            Some(comparison)
        }
    };
    Ok(Recounted { trend, comparison, total, records: source.records })
}

impl For {
    /// How many figures a file of the folder can claim, if that matters. Of one
    /// that is missing it is said elsewhere.
    fn claimed(self, folder: &Path, file: &str) -> Result<Option<u64>, String> {
        if matches!(self, For::Writing) {
            return Ok(None);
        }
        if folder.join(file).symlink_metadata().is_err() {
            return Ok(Some(FEW));
        }
        Ok(Some((size_in(folder, file)? / FIGURE).max(FEW)))
    }
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

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::super::source::MAX_JSON;
    use super::*;
    use crate::measure::Point;

    #[test]
    fn figures_are_no_shorter_than_is_reckoned() {
        assert!(serde_json::to_string(&Point::default()).unwrap().len() as u64 >= FIGURE);
    }

    #[test]
    fn what_can_be_claimed_follows_from_the_size() {
        let dir = tempfile::tempdir().unwrap();
        let of = |size: u64| {
            std::fs::File::create(dir.path().join(TREND)).unwrap().set_len(size).unwrap();
            For::Claims { total: false }.claimed(dir.path(), TREND)
        };
        assert_eq!(of(100), Ok(Some(FEW)));
        assert_eq!(of(MAX_JSON), Ok(Some(1 << 20)));
        // Such a file takes no room on the disk.
        assert_eq!(of(1 << 40), Err("trend.json is too long".to_owned()));
        assert_eq!(For::Writing.claimed(dir.path(), TREND), Ok(None));
        assert_eq!(For::Claims { total: true }.claimed(dir.path(), COMPARISON), Ok(Some(FEW)));
    }
}
