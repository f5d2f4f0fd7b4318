//! The manifest of an archive: what there is, in which files, with which
//! hashes. It is replaced as a whole when all it names is on the disk.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::piece::Piece;
use crate::base::Timestamp;
use crate::catalogue::Category;
use crate::store::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the file.
pub const MANIFEST: &str = "archive.json";
/// Value of `schema` in it.
pub(super) const SCHEMA: &str = "spansight.archive/1";
/// Longest manifest that is read, in bytes.
pub(super) const MAX_MANIFEST: u64 = 256 << 20;
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
    /// Indicators that records file in several categories, with the least.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) filed: BTreeMap<String, Category>,
}

impl Manifest {
    /// Whether pieces lie one behind the other in the file: so many of one place
    /// would be read for ever.
    pub(super) fn is_apart(&self) -> bool {
        let size = self.data.as_ref().map_or(0, |data| data.size);
        let end = self.pieces.iter().try_fold(0u64, |end, piece| {
            (piece.at >= end && piece.len > 0).then(|| piece.at.checked_add(piece.len)).flatten()
        });
        end.is_some_and(|end| end <= size)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_one_behind_the_other() {
        let is_apart = |pieces: &[(u64, u64)], size| {
            let pieces = pieces.iter().map(|(at, len)| Piece { at: *at, len: *len, ..Piece::default() }).collect();
            Manifest { data: Some(Listed { size, ..Listed::default() }), pieces, ..Manifest::default() }.is_apart()
        };
        assert!(is_apart(&[], 0) && is_apart(&[(0, 5), (5, 2), (9, 1)], 10));
        assert!(!is_apart(&[(0, 5), (5, 2), (9, 1)], 9), "beyond the end");
        assert!(!is_apart(&[(0, 5), (4, 2)], 9) && !is_apart(&[(5, 2), (0, 5)], 9), "read twice");
        assert!(!is_apart(&[(0, 5), (5, 0)], 9), "nothing to be read");
        assert!(!is_apart(&[(0, 5), (7, u64::MAX)], 9));
    }
}
