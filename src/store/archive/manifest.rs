//! The manifest of an archive: what there is, in which files, with which
//! hashes. It is replaced as a whole when all it names is on the disk.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::PARTITIONS;
use super::block::{BYTES, ROWS};
use super::piece::Piece;
use crate::base::Timestamp;
use crate::catalogue::{Category, LongText};
use crate::store::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the file.
pub const MANIFEST: &str = "archive.json";
/// Value of `schema` in it.
pub(super) const SCHEMA: &str = "spansight.archive/1";
/// Longest manifest that is read, in bytes.
pub(super) const MAX_MANIFEST: u64 = 256 << 20;
/// Longest catalogue that is read, in bytes: as long as its files may be.
pub(super) const MAX_CATALOGUE: u64 = 512 << 20;
/// No block is shorter, in bytes: its head and two frames of zstd.
const SHORTEST_BLOCK: u64 = 32;
/// Most bytes of rows in a block: so many, one more row, and what a row takes
/// beside its texts.
const MOST_RAW: u64 = (BYTES + (4 << 20) + ROWS * 512) as u64;
/// Most sources that are listed each for itself.
pub(super) const MAX_SOURCES: usize = 1 << 16;

/// The manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) schema: String,
    /// Rises with each import.
    pub(super) revision: u64,
    /// Contributions.
    pub(super) records: u64,
    /// The file that has them; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Listed>,
    /// Where they lie in it.
    pub(super) pieces: Vec<Piece>,
    /// Catalogues of the runs.
    pub(super) catalogues: Vec<Listed>,
    /// The imports, oldest first.
    pub(super) runs: Vec<Imported>,
    pub(super) sources: BTreeMap<String, SourceSpan>,
    /// Those beyond [`MAX_SOURCES`] together.
    pub(super) others: SourceSpan,
    /// Indicators that records file in several categories, with the least; absent
    /// where there is none. An archive from before this was written that should
    /// have some is not what its records say, until an import writes it anew.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) filed: BTreeMap<String, Category>,
}

impl Manifest {
    /// Why what it says of the pieces cannot be, if so: they must cover the file
    /// from end to end, each part of it once, and partitions in order. Whoever
    /// hands over an archive may have written anything here.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let (mut end, mut records) = (0u64, 0u64);
        let mut before: Option<&Piece> = None;
        for piece in &self.pieces {
            let Piece { from, to, at, len, raw, records: rows, first, last, .. } = *piece;
            // A partition may have several pieces; else none is in two.
            let follows = before.is_none_or(|b| from > b.to || from == to && (b.from, b.to) == (from, to));
            let blocks = (len / SHORTEST_BLOCK).saturating_add(1);
            if from > to || usize::from(to) >= PARTITIONS || !follows {
                return Some("says that pieces share partitions");
            }
            if at != end || len == 0 {
                return Some("names pieces that overlap or leave gaps");
            }
            if rows == 0 || rows > blocks.saturating_mul(ROWS as u64) || raw > blocks.saturating_mul(MOST_RAW) {
                return Some("says that a piece has more rows than it can have");
            }
            if first > last {
                return Some("says that a piece ends before it begins");
            }
            end = end.saturating_add(len);
            records = records.saturating_add(rows);
            before = Some(piece);
        }
        if end != self.data.as_ref().map_or(0, |data| data.size) {
            return Some("names pieces that are not the whole file");
        }
        (records != self.records).then_some("counts other records than its pieces have")
    }
}

/// What records tell of their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceSpan {
    /// Least time.
    pub(super) first: Timestamp,
    /// Greatest time.
    pub(super) last: Timestamp,
    /// Channels, a bit for each as a store has them.
    pub(super) channels: u32,
}

impl Default for SourceSpan {
    /// Of no record.
    fn default() -> Self {
        SourceSpan { first: Timestamp(i64::MAX), last: Timestamp(i64::MIN), channels: 0 }
    }
}

impl SourceSpan {
    pub(super) fn unite(&mut self, other: &SourceSpan) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.channels |= other.channels;
    }

    /// Whether there is any record.
    pub(super) fn is_any(&self) -> bool {
        self.first <= self.last
    }
}

/// A file of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Of a catalogue: the hash of its text, by which runs name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) catalogue: Option<String>,
}

/// The account of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Imported {
    pub(super) version: String,
    pub(super) command: Vec<String>,
    pub(super) catalogue_sha256: String,
    pub(super) home_nets: Vec<String>,
    pub(super) sensor: String,
    pub(super) hash: String,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) exit_code: Option<i32>,
    pub(super) exit_reason: Option<String>,
    pub(super) environment: BTreeMap<String, String>,
    /// Records that it read.
    pub(super) read: u64,
    /// Least and greatest time of them.
    pub(super) covers: Option<(Timestamp, Timestamp)>,
}

impl Imported {
    pub(super) fn of(run: &Run, read: u64, covers: Option<(Timestamp, Timestamp)>) -> Imported {
        Imported {
            version: run.version.clone(),
            command: run.command.clone(),
            catalogue_sha256: run.catalogue_sha256.clone(),
            home_nets: run.home_nets.clone(),
            sensor: run.sensor.clone(),
            hash: run.hash.clone(),
            started: run.started,
            ended: run.ended,
            exit_code: run.exit_code,
            exit_reason: run.exit_reason.clone(),
            environment: run.environment.clone(),
            read,
            covers,
        }
    }

    /// The account, without the text of its catalogue.
    pub(super) fn run(&self) -> Run {
        Run {
            version: self.version.clone(),
            command: self.command.clone(),
            catalogue_sha256: self.catalogue_sha256.clone(),
            catalogue: LongText::default(),
            home_nets: self.home_nets.clone(),
            sensor: self.sensor.clone(),
            hash: self.hash.clone(),
            started: self.started,
            ended: self.ended,
            exit_code: self.exit_code,
            exit_reason: self.exit_reason.clone(),
            environment: self.environment.clone(),
        }
    }
}
