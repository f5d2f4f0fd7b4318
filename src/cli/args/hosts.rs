//! Arguments of `hosts`, and those of every command that judges hosts.

use super::{CatalogueFiles, Format, time};
use crate::base::{Prefix, Timestamp};
use crate::catalogue::Category;
use crate::cli::fail_on::{self, FailOn};
use crate::host::Verdict;
use clap::Args;
use std::path::{Path, PathBuf};

/// What the user knows of hosts.
#[derive(Clone, Debug, Default, Args)]
pub struct KnowledgeArgs {
    /// Exceptions: a TOML file with `[[accept]]` entries, as `hosts --help` shows them
    #[arg(long, value_name = "FILE")]
    pub accept: Option<PathBuf>,
    /// Your list of devices: CSV with the columns address or mac or both, and any of name, owner, place
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
}

impl KnowledgeArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.accept.iter().chain(&self.inventory).map(PathBuf::as_path)
    }
}

/// Whom somebody answers for, what is known of devices, and what is a finding.
#[derive(Debug, Args)]
pub struct JudgingArgs {
    /// Exceptions and devices.
    #[command(flatten)]
    pub knowledge: KnowledgeArgs,
    /// End with exit code 4 if any host has this verdict or any contact of this category. A verdict
    /// that counts as use means the stronger ones too: active, then updating, then contacting. With 1
    /// if there is none, but too little was seen to say so
    #[arg(long, value_name = "VERDICT|CATEGORY", value_delimiter = ',')]
    pub fail_on: Vec<FailOn>,
}

impl JudgingArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.knowledge.files()
    }
}

/// What is said of changes of hosts while a run goes on.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// Add changes of hosts (alarm, new, reappeared, raised, gone, lapsed) to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Days without a contact until a host is gone [default: 30]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub gone_after: Option<u32>,
}

impl EventArgs {
    /// Days without a contact until a host is gone.
    pub fn gone_after(&self) -> u32 {
        self.gone_after.unwrap_or(30)
    }
}

/// What `hosts --help` ends with.
pub(super) const HOSTS_HELP: &str = "\
Counted as use: active, updating, contacting. Apart: attempting, looked-up, managed, oem. Never: present, \
web-only, probe-only, none. Without --since and --until the window is the whole store.

An entry of the file for --accept:

  [[accept]]
  host = \"10.0.0.5\"          # or a MAC, or a name of --inventory; or network = \"10.9.0.0/16\"
  verdict = \"updating\"       # and every weaker one
  reason = \"test bench\"
  owner = \"j.doe\"
  expires = 2026-12-31        # the last day, in UTC

Accepted hosts are shown apart and are no finding for --fail-on. They are listed like any other when the \
exception ends (by today's date, or by --until if given) or when their verdict rises above the accepted \
one. Alarms cannot be accepted. Nobody is accepted by a name that only the host itself or the network told, \
nor by an address, if it had others of that version in the window that are not accepted.

With --fail-on the exit code is 1 where nothing was found and too little was seen to say that there was \
nothing.";

/// Arguments of `hosts`.
#[derive(Debug, Args)]
pub struct HostsArgs {
    /// The store to read: a SQLite file, or the folder of an archive
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Only contacts from this time on (RFC 3339, or a date: its start in UTC). Within a day a store
    /// knows contacts to the quarter hour only: one that the time lies in counts as a whole
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only contacts before this time, to the quarter hour as for --since
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Only hosts with one of these verdicts
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = fail_on::verdict)]
    pub verdict: Vec<Verdict>,
    /// Only hosts with contacts of one of these categories
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',', value_parser = fail_on::category)]
    pub category: Vec<Category>,
    /// Only hosts with an address in one of these networks
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub network: Vec<Prefix>,
    /// Only hosts whose name contains this
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Exceptions and findings.
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// Networks whose clients are hosts, or `any` [default: those of the newest run in the store]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No closing lines
    #[arg(short, long)]
    pub quiet: bool,
}
