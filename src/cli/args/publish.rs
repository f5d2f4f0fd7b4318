//! Arguments of `publish`.

use super::measure::day;
use super::{CatalogueFiles, StepArg};
use crate::measure::{UtcOffset, Window};
use crate::publish::MIN_GROUP;
use clap::Args;
use std::path::PathBuf;

/// What `publish --help` ends with.
pub(super) const PUBLISH_HELP: &str = "\
The folder holds the records of the window (with --baseline: of both), what else hosts are judged by, coverage, \
catalogues, groups, and the trend and comparison that follow from these, with a manifest of hashes. \
`spansight verify DIR` counts everything again and says which figures hold. With --pseudonymise all addresses, \
names, sensors and paths are replaced or left out, whatever the home networks; figures stay the same. With --groups-only there are no records: one table of counts, by periods, or of \
two windows with --baseline, in which counts of fewer than --min-group hosts are left out, and so many more \
that they cannot be had from the total. docs/PUBLISH.md says what each form shows to whom.";

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The store to read: a SQLite file, or the folder of an archive
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// The time to publish, such as 2024-04 or 2024-01..2024-06
    #[arg(long, value_name = "WINDOW")]
    pub window: Window,
    /// An earlier time to compare it with
    #[arg(long, value_name = "WINDOW")]
    pub baseline: Option<Window>,
    /// How long a period of the trend is
    #[arg(long, value_enum, default_value = "month")]
    pub step: StepArg,
    /// The folder to write; nothing may be there yet
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// Groups of addresses, as for trend
    #[arg(long, value_name = "FILE")]
    pub groups: Vec<PathBuf>,
    /// Also count by these columns of --groups; with + between columns by all combinations [default: as
    /// for trend; with --groups-only the first of these]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Replace addresses, hardware addresses and names of hosts by pseudonyms made with the key in this file
    #[arg(long, value_name = "KEYFILE", conflicts_with = "groups_only")]
    pub pseudonymise: Option<PathBuf>,
    /// Publish counts of groups and no records
    #[arg(long)]
    pub groups_only: bool,
    /// Leave out counts of fewer hosts than this, 3 or more, and what they could be had from [default: 5]
    #[arg(long, value_name = "K", requires = "groups_only", conflicts_with = "pseudonymise",
        value_parser = clap::value_parser!(u64).range(MIN_GROUP))]
    pub min_group: Option<u64>,
    /// Sign the manifest with this Ed25519 key (PKCS#8), as `verify --new-key` makes one
    #[arg(long, value_name = "KEYFILE")]
    pub sign: Option<PathBuf>,
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// With --pseudonymise or --groups-only: also publish catalogues that are not the built-in one, with all that
    /// was written into them
    #[arg(long)]
    pub show_catalogue: bool,
    /// Apply one catalogue to all records, as for trend
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub catalogue_as_of: Option<i32>,
    /// Networks whose clients are hosts, or `any` [default: those of the newest run in the store]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Days begin so much before those of UTC, in whole quarter hours
    #[arg(long, value_name = "±HH:MM", default_value = "+00:00", allow_hyphen_values = true)]
    pub utc_offset: UtcOffset,
    /// Say nothing but what is wrong
    #[arg(short, long)]
    pub quiet: bool,
}
