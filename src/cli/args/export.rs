//! Arguments of `export`.

use super::time;
use crate::base::{Prefix, Timestamp};
use crate::catalogue::Category;
use crate::cli::fail_on;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `export --help` ends with.
pub(super) const EXPORT_HELP: &str = "\
Each line is what one source contributed to a record; a store adds contributions up when it is read, so a \
record of several captures has several lines. What --name, --category, --network or a time leave in is \
written whole: within a day a record cannot be divided. A record that makes none by itself, because only \
indicators of use support show it, says so (support).

A store of one file is written by day, address, segment, hardware address, indicator and source, an archive \
host by host. import takes all of it back unchanged.";

/// Forms of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON record a line
    Ndjson,
    /// One record a line, lists and evidence as JSON in their columns
    Csv,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The store to read: a SQLite file, or the folder of an archive
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// How to write
    #[arg(long, value_enum, default_value = "ndjson")]
    pub format: ExportFormat,
    /// Only records with a contact at this time or later (RFC 3339, or a date: its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only records with a contact before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Only records of one of these categories
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',', value_parser = fail_on::category)]
    pub category: Vec<Category>,
    /// Only records of hosts with an address in one of these networks
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub network: Vec<Prefix>,
    /// Only records of hosts whose name contains this
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No closing line
    #[arg(short, long)]
    pub quiet: bool,
}
