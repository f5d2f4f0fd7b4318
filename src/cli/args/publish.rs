//! Arguments of `publish`.

use super::{CountArgs, StepArg};
use crate::measure::Window;
use crate::publish::MIN_GROUP;
use clap::{Arg, Args};
use std::path::PathBuf;

/// What `publish --help` ends with.
pub(super) const PUBLISH_HELP: &str = "\
The folder holds the records of the window (with --baseline: of both), what else hosts are judged by, coverage, \
catalogues, groups, and the trend and comparison that follow from these, with a manifest of hashes. \
`spansight verify DIR` counts everything again and says which figures hold. With --pseudonymise all addresses, \
names, sensors and paths are replaced or left out, whatever the home networks; figures stay the same. With --groups-only there are no records: one table of counts, by periods, or of \
two windows with --baseline, in which counts of fewer than --min-group hosts are left out, and so many more \
that they cannot be had from the total. docs/PUBLISH.md says what each form shows to whom.";

/// The options in the order of the help.
const ORDER: [&str; 18] = [
    "store",
    "window",
    "baseline",
    "step",
    "output",
    "groups",
    "by",
    "pseudonymise",
    "groups_only",
    "min_group",
    "sign",
    "catalogue",
    "add_catalogue",
    "show_catalogue",
    "catalogue_as_of",
    "home_net",
    "utc_offset",
    "quiet",
];

/// What `publish` says of an option that other commands have, and where.
fn as_here(arg: Arg) -> Arg {
    let place = ORDER.iter().position(|id| arg.get_id() == id).unwrap_or(ORDER.len());
    let arg = arg.display_order(place);
    match arg.get_id().as_str() {
        "groups" => arg.help("Groups of addresses, as for trend"),
        "by" => arg.help(
            "Also count by these columns of --groups; with + between columns by all combinations [default: as for \
             trend; with --groups-only the first of these]",
        ),
        "catalogue_as_of" => arg.help("Apply one catalogue to all records, as for trend"),
        _ => arg,
    }
}

/// Arguments of `publish`.
#[derive(Debug, Args)]
#[command(mut_args(as_here))]
pub struct PublishArgs {
    /// What to count.
    #[command(flatten)]
    pub count: CountArgs,
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
    /// With --pseudonymise or --groups-only: also publish catalogues that are not the built-in one, with all that
    /// was written into them
    #[arg(long)]
    pub show_catalogue: bool,
    /// Say nothing but what is wrong
    #[arg(short, long)]
    pub quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    #[test]
    fn every_option_has_its_place_in_the_help() {
        let publish = PublishArgs::augment_args(Command::new("publish"));
        let mut ids: Vec<&str> = publish.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        let mut order = ORDER;
        ids.sort_unstable();
        order.sort_unstable();
        assert_eq!(ids, order);
    }
}
