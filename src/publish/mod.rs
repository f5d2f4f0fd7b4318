//! Publications: a window of a store for others, with the figures that are
//! claimed of it, in a folder by which anyone can check them.
//!
//! In full or with pseudonyms the folder has the records of the window
//! (`records.ndjson`, as `export` writes them), what else hosts are judged by
//! (`context.ndjson`), what the sensors could see (`coverage.json`), the groups
//! of the addresses (`groups.csv`), the catalogues, and the figures that follow
//! from these (`trend.json`, `comparison.json`). They are counted from the
//! folder itself, so that whoever has it can count them again. Of groups alone
//! it has one table of counts (`cells.json`) in which small ones are left out.
//!
//! `manifest.json` says how it was made and what each file hashes to,
//! `manifest.sha256` what the manifest hashes to, and `manifest.sig`, if a key
//! was given, that the holder of the key wrote it.

mod agree;
mod cells;
mod check;
mod claims;
mod context;
mod folder;
mod manifest;
mod recount;
mod source;
mod strict;
mod suppress;
mod write;

pub use check::{Checked, Figures, check};
pub use manifest::{Kind, Listed, MANIFEST, Manifest, SCHEMA, is_publication};
pub use source::Room;
pub use write::{Form, PublishError, Records, Request, Take, Written, write};

/// The least hosts of a group that is shown can be so many (`--min-group`).
pub const MIN_GROUP: std::ops::RangeInclusive<u64> = suppress::LEAST;

/// Name of the file of records.
pub const RECORDS: &str = "records.ndjson";
/// Sources, intervals and signals.
const CONTEXT: &str = "context.ndjson";
/// What could be seen.
const COVERAGE: &str = "coverage.json";
/// Groups of each address.
const GROUPS: &str = "groups.csv";
/// A trend.
const TREND: &str = "trend.json";
/// A comparison.
const COMPARISON: &str = "comparison.json";
/// Counts of groups.
const CELLS: &str = "cells.json";
/// Hash of the manifest, as `sha256sum -c` reads it.
const MANIFEST_SHA256: &str = "manifest.sha256";
/// Signature of the manifest.
const MANIFEST_SIG: &str = "manifest.sig";
