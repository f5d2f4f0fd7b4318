//! Arguments of `explain`.

use super::{CatalogueFiles, time};
use crate::base::Timestamp;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `explain --help` ends with.
pub(super) const EXPLAIN_HELP: &str = "\
A sighting is given by its id or at least 8 hex digits of its beginning, a host by an address, a MAC or a \
name. Where several hosts fit, they are listed and nothing else is shown: give the MAC, a sighting, or a \
time with --since and --until (exit code 2). Where none fits, the exit code is 3.

Each frame is read again where it was read first, then in the folders given with --captures (by name, \
also when compressed otherwise, or by size), then in those given with --evidence-dir, and counts only if \
its SHA-256 is that of the record. Frames that differ are said, and end in exit code 1.";

/// Forms of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people
    Table,
    /// One JSON object a line
    Ndjson,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A sighting or a host
    #[arg(value_name = "ID|ADDRESS|MAC|NAME")]
    pub what: String,
    /// The store to read
    #[arg(long, value_name = "FILE")]
    pub store: PathBuf,
    /// Look for captures in this folder too
    #[arg(long, value_name = "DIR")]
    pub captures: Vec<PathBuf>,
    /// Look for frames in this folder of evidence too
    #[arg(long, value_name = "DIR")]
    pub evidence_dir: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: ExplainFormat,
    /// Only contacts from this time on (RFC 3339, or a date: its start in UTC). Within a day a store
    /// knows contacts to the quarter hour only: one that the time lies in counts as a whole
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only contacts before this time, to the quarter hour as for --since
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Your list of devices, as for `hosts`
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Exceptions, as for `hosts`
    #[arg(long, value_name = "FILE")]
    pub accept: Option<PathBuf>,
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// Networks whose clients are hosts, or `any` [default: those of the newest run in the store]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
