//! Arguments of `trend` and `compare`.

use super::CatalogueFiles;
use crate::base::time::parse_day;
use crate::measure::groups::path_of;
use crate::measure::{Step, UtcOffset, Window};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// What every command that counts is given.
#[derive(Debug, Args)]
pub struct CountArgs {
    /// The store to read: a SQLite file, or the folder of an archive
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// Groups of addresses: CSV with a column `prefix`, any of org, country, sector, site or others, and
    /// perhaps `valid_from` and `valid_to`; or a database in MaxMind's format. FILE@WINDOW: only for these days
    #[arg(long, value_name = "FILE")]
    pub groups: Vec<PathBuf>,
    /// Also count by these columns of --groups; with + between columns by all combinations
    /// [default: country,sector, as far as the files have them]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// Apply one catalogue to all records, by the names that they keep: that of the newest run that began
    /// by this day, else the one given. A run begins when it reads: captures replayed on one day cannot be
    /// told apart by it
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub catalogue_as_of: Option<i32>,
    /// Networks whose clients are hosts, or `any` [default: those of the newest run in the store]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Days begin so much before those of UTC, in whole quarter hours
    #[arg(long, value_name = "±HH:MM", default_value = "+00:00", allow_hyphen_values = true)]
    pub utc_offset: UtcOffset,
}

impl CountArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let groups = self.groups.iter().map(|p| path_of(p));
        self.catalogue.paths().chain(groups).chain([self.store.as_path()])
    }
}

/// What the commands that print figures are given.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// What to count.
    #[command(flatten)]
    pub count: CountArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: MeasureFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No warnings on standard error; the report has them
    #[arg(short, long)]
    pub quiet: bool,
}

/// Forms of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MeasureFormat {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line: the report without its figures, then those of each group
    Ndjson,
    /// One line for each group (and period), for spreadsheets
    Csv,
}

/// How long periods are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StepArg {
    /// Days
    Day,
    /// From Monday to Sunday
    Week,
    /// Calendar months
    Month,
}

impl From<StepArg> for Step {
    fn from(step: StepArg) -> Self {
        match step {
            StepArg::Day => Step::Day,
            StepArg::Week => Step::Week,
            StepArg::Month => Step::Month,
        }
    }
}

/// What a window is.
const WINDOW: &str = "\
WINDOW is a year (2024), a month (2024-04), a week (2024-W15), a day (2024-04-01), two of these with .. between \
(all days of both included), or a number of days up to the newest with a record, a frame or a live run (30d).";

/// What `trend --help` ends with.
pub(super) fn trend_help() -> String {
    format!(
        "{WINDOW}\n\nHosts with update contacts are those whose verdict counts as use; reputation contacts stand beside \
         them as a second, independent signal. Each count has a lower and an upper bound. A host or organisation \
         counts in each group in which it was seen, so that groups can add up to more than the whole. What no file \
         of groups knows is shown as unknown."
    )
}

/// What `compare --help` ends with.
pub(super) fn compare_help() -> String {
    format!(
        "{WINDOW}\n\nSTILL are the hosts or organisations of the baseline that are in the current window too, with the \
         Wilson interval of their share at 95 %. Where the windows are not comparable (the sensor was up for less of \
         one, could see no contact or much less traffic, losses, other networks, fewer addresses, other catalogues, \
         more encrypted DNS, another length) the report says so and calls no difference a rise or a fall; nor where \
         the bounds allow none. IN VIEW are those of the gone that were seen all the same, without such a contact. Of windows of different length the daily means are compared."
    )
}

/// Arguments of `trend`.
#[derive(Debug, Args)]
pub struct TrendArgs {
    /// What to measure.
    #[command(flatten)]
    pub measure: MeasureArgs,
    /// The time to look at [default: from the first to the last day with records or frames]
    #[arg(long, value_name = "WINDOW")]
    pub window: Option<Window>,
    /// How long a period is
    #[arg(long, value_enum, default_value = "month")]
    pub step: StepArg,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What to measure.
    #[command(flatten)]
    pub measure: MeasureArgs,
    /// The window to compare with
    #[arg(long, value_name = "WINDOW")]
    pub baseline: Window,
    /// The window to compare
    #[arg(long, value_name = "WINDOW")]
    pub current: Window,
}

/// A date as its days since the epoch.
pub(super) fn day(text: &str) -> Result<i32, String> {
    let day = parse_day(text).and_then(|day| i32::try_from(day).ok());
    day.ok_or_else(|| "give a date such as 2024-04-01".to_owned())
}
