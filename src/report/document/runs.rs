//! The runs that records are from, and what these read.

use crate::base::Timestamp;
use crate::store::{Run, Source};
use serde::Serialize;
use std::collections::BTreeMap;

/// One run of the program.
#[derive(Clone, Debug, Serialize)]
pub struct RunAccount {
    /// Its number in the store.
    pub run: i64,
    /// Sensor.
    pub sensor: String,
    /// Version of the program.
    pub version: String,
    /// Start.
    pub started: Timestamp,
    /// End; absent while it runs, and for good if it was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub exit: String,
    /// Command line.
    pub command: Vec<String>,
    /// SHA-256 of the catalogue that it used.
    pub catalogue_sha256: String,
    /// Home networks.
    pub home_networks: Vec<String>,
    /// What it ran on, by word; SHA-256 of the program among it.
    pub environment: BTreeMap<String, String>,
}

impl RunAccount {
    /// Of a run and its number.
    pub fn of(run: i64, r: &Run) -> Self {
        let exit = match (&r.exit_reason, r.ended) {
            (Some(reason), _) => reason.clone(),
            (None, Some(_)) => "ended".to_owned(),
            (None, None) => "has not ended, or was killed".to_owned(),
        };
        RunAccount {
            run,
            sensor: r.sensor.clone(),
            version: r.version.clone(),
            started: r.started,
            ended: r.ended,
            exit,
            command: r.command.clone(),
            catalogue_sha256: r.catalogue_sha256.clone(),
            home_networks: r.home_nets.clone(),
            environment: r.environment.clone(),
        }
    }
}

/// A capture or a live run.
#[derive(Clone, Debug, Serialize)]
pub struct SourceAccount {
    /// `sha256:…`, `file:…` or `run:…`.
    pub source: String,
    /// Path as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Least packet time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Greatest packet time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Frames delivered.
    pub frames: u64,
    /// Only records of it were imported: what else it saw is not known.
    pub records_only: bool,
    /// What was wrong with it.
    pub warnings: Vec<String>,
}

impl SourceAccount {
    /// Of a source.
    pub fn of(s: Source) -> Self {
        let records_only = s.is_imported();
        let Source { source, path, first, last, frames, warnings, .. } = s;
        SourceAccount { source, path, first, last, frames, records_only, warnings }
    }
}
