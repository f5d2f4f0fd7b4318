//! Arguments of `report`.

use super::{CatalogueFiles, JudgingArgs, time};
use crate::base::Timestamp;
use crate::base::time::parse_day;
use crate::measure::{Step, UtcOffset, Window};
use clap::Args;
use std::path::{Path, PathBuf};

/// What `report --help` ends with.
pub(super) const REPORT_HELP: &str = "\
WINDOW is a year (2024), a month (2024-04), a week (2024-W15), a day (2024-04-01), two of these with .. \
between (both included), or a number of days up to the newest record (30d). Without a window the report \
covers both windows of a comparison and what lies between, or else the whole store.

The page is one file that needs nothing else: it loads nothing and can be read without a script. It lists \
up to 2,000 hosts in a table; JSON and CSV have all. Days since the last contact are counted from the end of \
the window, if one is given and has passed, else from now.

With --fail-on the exit code is 4 where a host is found, and 1 where none was and too little was seen to \
say that there was none.";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The store to read
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// Write the report as one HTML page to this file, or - for standard output
    #[arg(long, value_name = "FILE", required_unless_present_any = ["json", "csv"])]
    pub html: Option<PathBuf>,
    /// Write the same as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the same as CSV files into this folder, which is made if there is none
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
    /// The days that the report covers
    #[arg(long, value_name = "WINDOW", conflicts_with_all = ["since", "until"])]
    pub window: Option<Window>,
    /// Only from this day on (RFC 3339, or a date), whole days
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only before this day, whole days
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Compare this window …
    #[arg(long, value_name = "WINDOW", requires = "current")]
    pub baseline: Option<Window>,
    /// … with this one
    #[arg(long, value_name = "WINDOW", requires = "baseline")]
    pub current: Option<Window>,
    /// Periods of the trend: day, week or month [default: as many as are easy to read]
    #[arg(long, value_name = "STEP", value_parser = step)]
    pub step: Option<Step>,
    /// Organisations, sites, countries of addresses: CSV, or a MaxMind database; may be repeated
    #[arg(long, value_name = "FILE")]
    pub groups: Vec<PathBuf>,
    /// Columns of --groups to count by, such as country or country+sector
    #[arg(long, value_name = "GROUP", value_delimiter = ',', requires = "groups")]
    pub by: Vec<String>,
    /// Apply the catalogue of this day to all records
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub catalogue_as_of: Option<i32>,
    /// Days begin so much before those of UTC, such as +01:00
    #[arg(
        long,
        value_name = "±HH:MM",
        default_value = "+00:00",
        allow_hyphen_values = true,
        hide_default_value = true
    )]
    pub utc_offset: UtcOffset,
    /// Exceptions and findings.
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// Networks whose clients are hosts, or `any` [default: those of the newest run in the store]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Do not say what makes the report doubtful; it stands on top of the report in any case
    #[arg(short, long)]
    pub quiet: bool,
}

impl ReportArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let groups = self.groups.iter().map(PathBuf::as_path);
        self.catalogue.paths().chain(self.judging.files()).chain([self.store.as_path()]).chain(groups)
    }
}

fn step(text: &str) -> Result<Step, String> {
    [Step::Day, Step::Week, Step::Month]
        .into_iter()
        .find(|s| s.as_str() == text)
        .ok_or_else(|| "give day, week or month".into())
}

fn day(text: &str) -> Result<i32, String> {
    let day = parse_day(text).and_then(|d| i32::try_from(d).ok());
    day.ok_or_else(|| "give a date such as 2026-03-01".into())
}
