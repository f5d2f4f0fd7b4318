//! Arguments of `report`.

use super::{CatalogueFiles, JudgingArgs, StepArg, measure, time};
use crate::base::Timestamp;
use crate::measure::groups::path_of;
use crate::measure::{UtcOffset, Window};
use clap::Args;
use std::path::{Path, PathBuf};

/// What `report --help` ends with.
pub(super) const REPORT_HELP: &str = "\
WINDOW is as for `trend`, such as 2024-04 or 30d. Without one the report is about the current window of a comparison, or else the whole store; the trend of a comparison also covers the baseline and what lies between.

The page is one file that needs nothing else: it loads nothing and can be read without a script. It lists \
up to 2,000 hosts in a table; JSON and CSV have all. Of hosts that are gone or new \
between two windows the latest 100 each are listed anywhere, and the others counted. Days since the last contact are counted from the end of \
the window, if one is given and has passed, else from now.

With --fail-on the exit code is 4 where a host is found, and 1 where none was and too little was seen to \
say that there was none.";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The store to read: a SQLite file, or the folder of an archive
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
    /// How long a period of the trend is [default: so that there are not too many]
    #[arg(long, value_enum)]
    pub step: Option<StepArg>,
    /// Groups of addresses, as for `trend`
    #[arg(long, value_name = "FILE")]
    pub groups: Vec<PathBuf>,
    /// Also count by these columns of --groups; with + between columns by all combinations [default: country
    /// and sector, where there are such]
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Apply one catalogue to all records, as for `trend`
    #[arg(long, value_name = "DATE", value_parser = measure::day)]
    pub catalogue_as_of: Option<i32>,
    /// Days begin so much before those of UTC, in whole quarter hours
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
        let groups = self.groups.iter().map(|p| path_of(p));
        self.catalogue.paths().chain(self.judging.files()).chain([self.store.as_path()]).chain(groups)
    }
}
