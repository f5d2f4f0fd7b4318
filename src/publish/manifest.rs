//! The manifest of a publication.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::time::{format_day, parse_day};
use crate::base::{Timestamp, brief};
use crate::measure::{AsOf, Days, Origin, RunOf, Step, UtcOffset};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Value of `schema` in it.
pub const SCHEMA: &str = "spansight.publication/1";
/// Its name in the folder.
pub const MANIFEST: &str = "manifest.json";
/// Longest that is read, in bytes.
const MAX_MANIFEST: u64 = 64 << 20;

/// What a publication holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Records as they are.
    Full,
    /// Records with pseudonyms.
    Pseudonymised,
    /// Counts of groups, no records.
    Groups,
}

impl Kind {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Pseudonymised => "pseudonymised",
            Kind::Groups => "groups",
        }
    }
}

/// How a publication was made and what it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// What it holds.
    pub form: Kind,
    /// What was counted, and how.
    pub options: Options,
    /// Records in it.
    pub records: u64,
    /// Id of the key that made the pseudonyms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonyms: Option<String>,
    /// The files of groups that were used.
    pub groups: Vec<GroupsUsed>,
    /// The runs that records are from.
    pub runs: Vec<RunUsed>,
    /// Public key of the signature, in hex; absent where it is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The files.
    pub files: Vec<Listed>,
}

/// What was counted, and how: enough to count again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The window.
    pub window: Span,
    /// Length of the periods of the trend: `day`, `week` or `month`.
    pub step: String,
    /// The window that it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Span>,
    /// How much days begin before those of UTC.
    pub utc_offset: String,
    /// Columns of each breakdown.
    pub by: Vec<Vec<String>>,
    /// Home networks, or `any`.
    pub home_networks: Vec<String>,
    /// SHA-256 of the catalogue by which indicators were understood.
    pub catalogue_sha256: String,
    /// The day whose catalogue was applied to all records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue_as_of: Option<String>,
    /// Whether that catalogue is that of a run, and not one that was given.
    #[serde(default)]
    pub catalogue_of_run: bool,
    /// What of the store makes it doubtful who is the same host, a sentence
    /// each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// When it was counted, where a window had not passed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Timestamp>,
    /// Least hosts of a group that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_group: Option<u64>,
}

impl Options {
    /// The day whose catalogue was applied to all records, if that is so; `None`
    /// where it is none.
    pub(super) fn as_of(&self) -> Option<Option<AsOf>> {
        let Some(day) = &self.catalogue_as_of else { return Some(None) };
        let day = i32::try_from(parse_day(day)?).ok()?;
        Some(Some(AsOf { day, origin: if self.catalogue_of_run { Origin::Run } else { Origin::Given } }))
    }
}

/// Days, the first and the last included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub first: String,
    /// The last.
    pub last: String,
}

impl Span {
    /// Of days.
    pub fn of(days: Days) -> Self {
        Span { first: format_day(days.first.into()), last: format_day(days.last.into()) }
    }

    /// As days; `None` where it is none.
    pub fn days(&self) -> Option<Days> {
        let day = |text: &str| parse_day(text).and_then(|d| i32::try_from(d).ok());
        Some(Days::new(day(&self.first)?, day(&self.last)?)).filter(|d| !d.is_empty())
    }
}

/// A file of groups that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsUsed {
    /// Its name without folders.
    pub name: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// `csv`, or the type of a database.
    pub kind: String,
}

/// A run that records are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUsed {
    /// Version of the program.
    pub version: String,
    /// Sensor.
    pub sensor: String,
    /// SHA-256 of its catalogue.
    pub catalogue_sha256: String,
    /// When it began.
    pub started: Timestamp,
    /// Least time of what it read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Greatest time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

impl RunUsed {
    pub(super) fn of(run: &RunOf) -> Self {
        RunUsed {
            version: run.version.clone(),
            sensor: run.sensor.clone(),
            catalogue_sha256: run.catalogue_sha256.clone(),
            started: run.started,
            first: run.covers.map(|c| c.0),
            last: run.covers.map(|c| c.1),
        }
    }

    pub(super) fn run(&self) -> RunOf {
        RunOf {
            version: self.version.clone(),
            sensor: self.sensor.clone(),
            catalogue_sha256: self.catalogue_sha256.clone(),
            started: self.started,
            covers: self.first.zip(self.last),
        }
    }
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path in the folder.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

impl Manifest {
    /// The days of which records are published, rising and apart.
    pub(super) fn days(&self) -> Option<Vec<Days>> {
        let offset: UtcOffset = self.options.utc_offset.parse().ok()?;
        let window = self.options.window.days()?;
        let baseline = match &self.options.baseline {
            Some(span) => Some(span.days()?),
            None => None,
        };
        Some(offset.utc_of_all([Some(window), baseline].into_iter().flatten()))
    }
}

/// The step that a word means.
pub(super) fn step(word: &str) -> Option<Step> {
    [Step::Day, Step::Week, Step::Month].into_iter().find(|s| s.as_str() == word)
}

/// Whether a folder has the manifest of a publication.
pub fn is_publication(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct Version {
        schema: String,
    }
    let text = text(folder).unwrap_or_default();
    serde_json::from_slice::<Version>(&text).is_ok_and(|v| v.schema.starts_with("spansight.publication/"))
}

fn text(folder: &Path) -> Result<Vec<u8>, String> {
    let path = folder.join(MANIFEST);
    let kind = path.symlink_metadata().map_err(|e| e.to_string())?;
    if !kind.is_file() || kind.len() > MAX_MANIFEST {
        return Err("it is no file, or too long".into());
    }
    fs::read(&path).map_err(|e| e.to_string())
}

/// Reads the manifest of a publication, and its bytes.
pub(super) fn read(folder: &Path) -> Result<(Manifest, Vec<u8>), String> {
    let text = text(folder)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| format!("it cannot be read ({})", brief(e)))?;
    if manifest.schema != SCHEMA {
        return Err(format!("it is {:?}, and {SCHEMA:?} is what can be checked", brief(&manifest.schema)));
    }
    Ok((manifest, text))
}
