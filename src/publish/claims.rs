//! Figures that were claimed elsewhere, held against a publication.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::check::{Figures, fits};
use super::recount::Recounted;
use super::source::json;
use serde_json::Value;
use std::path::Path;

/// What is compared of a trend. Sentences may name networks, and files of groups
/// have other names where they come from.
const OF_TREND: [&str; 6] = ["window", "step", "utc_offset", "periods", "whole", "by"];
/// What is compared of a comparison.
const OF_COMPARISON: [&str; 6] = ["baseline", "current", "utc_offset", "basis", "whole", "by"];

/// Holds a trend or comparison, or a document that has such as its members,
/// against what was counted. An error is a sentence.
pub(super) fn claimed_by(path: &Path, found: &Recounted) -> Result<Figures, String> {
    let claimed: Value = json(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut figures = Figures::new(&name);
    let size = path.metadata().map_or(0, |kind| kind.len());
    let of = |schema: &str, member: &str| match claimed.get("schema").and_then(Value::as_str) {
        Some(s) if s.starts_with(schema) => Some((&claimed, String::new())),
        _ => claimed.get(member).filter(|v| v.is_object()).map(|v| (v, format!("/{member}"))),
    };
    let mut any = false;
    let all = [
        (of("spansight.trend/", "trend"), Some(value(&found.trend, size)), &OF_TREND),
        (of("spansight.comparison/", "comparison"), found.comparison.as_ref().map(|c| value(c, size)), &OF_COMPARISON),
    ];
    for (claimed, found, members) in all {
        let Some((claimed, path)) = claimed else { continue };
        any = true;
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(what)) => {
                figures.wrong(|| format!("{path}: {what}"));
                continue;
            }
            None => {
                figures.wrong(|| format!("{path}: the publication has no baseline to compare with"));
                continue;
            }
        };
        for member in members {
            figures.compare(claimed.get(member), found.get(member), &format!("{path}/{member}"));
        }
    }
    if any { Ok(figures) } else { Err(format!("{} has neither a trend nor a comparison", path.display())) }
}

/// As it is read from text, so that numbers are rounded alike; an error where it
/// is more than a file of that size can claim.
fn value(of: &impl serde::Serialize, size: u64) -> Result<Value, String> {
    fits(of, size)?;
    Ok(serde_json::to_string(of).ok().and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default())
}
