//! A report as a whole: everything that it says, before it is a page, JSON or
//! CSV. The three say the same.

mod catalogue;
mod coverage;
pub mod csv;
mod custody;
mod hosts;
mod method;
mod runs;

pub use catalogue::{CatalogueAccount, IndicatorAccount, Indicators, UsedCatalogue};
pub use coverage::{CoverageAccount, DayAccount, Gap};
pub use custody::{CustodyAccount, FileHash, SealAccount};
pub use hosts::HostsOf;
pub use method::{Method, method};
pub use runs::{RunAccount, SourceAccount};

use super::hosts::Roll;
use super::ndjson::write_line;
use crate::base::Timestamp;
use crate::measure::{Comparison, Days, Movers, Total, Trend, UtcOffset};
use serde::Serialize;
use std::io;

/// The schema's name and version.
pub const SCHEMA: &str = "spansight.report/1";

/// What the report is about, and what made it.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Version of the program that made it.
    pub version: String,
    /// The command line.
    pub command: Vec<String>,
    /// The store as given.
    pub store: String,
    /// The days that it is about, of a comparison the current ones; `None` where
    /// the store holds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Days>,
    /// The days of its trend and coverage: the same, and of a comparison also the
    /// baseline and what lies between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Days>,
    /// How much its days begin before those of UTC.
    pub utc_offset: UtcOffset,
    /// The time that days since a last contact are counted from, and by which
    /// exceptions end.
    pub as_of: Timestamp,
    /// The sensors whose runs are in the store.
    pub sensors: Vec<String>,
    /// The home networks that hosts are of.
    pub home_networks: Vec<String>,
}

/// How many hosts the verdicts make, as in every list of hosts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Headline {
    /// Hosts with alarms.
    pub alarms: u64,
    /// Hosts counted as use.
    pub in_use: u64,
    /// Seems installed, not seen to update: attempting, or looked-up at cadence.
    pub installed: u64,
    /// Managed on the LAN.
    pub managed: u64,
    /// Another vendor's product that embeds the engine.
    pub oem: u64,
    /// Somebody answers for them; in none of the numbers above but alarms.
    pub accepted: u64,
    /// Of the hosts that are not accepted, those whose addresses nothing shows
    /// to be their own.
    pub unconfirmed: u64,
    /// The numbers in sentences.
    pub sentences: Vec<String>,
}

/// A whole report.
#[derive(Serialize)]
pub struct Document<'a> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What it is about.
    pub about: About,
    /// What makes it doubtful, the gravest first. Nothing in it may be read
    /// without these.
    pub doubts: Vec<String>,
    /// Hosts by verdict.
    pub headline: Headline,
    /// The window in all, and by groups; `None` of an empty store.
    pub total: Option<&'a Total>,
    /// The window in steps.
    pub trend: Option<&'a Trend>,
    /// Two windows against each other, where they were asked for.
    pub comparison: Option<&'a Comparison>,
    /// The hosts that are in one of these only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movers: Option<&'a Movers>,
    /// What was read, and what was outside.
    pub read: Vec<String>,
    /// What could not be seen, most important first.
    pub blind_spots: Vec<String>,
    /// When sensors saw anything.
    pub coverage: CoverageAccount,
    /// What the figures mean and how they come about.
    pub method: Vec<Method>,
    /// What was looked for.
    pub catalogue: CatalogueAccount,
    /// The runs whose records it is made of, oldest first.
    pub runs: Vec<RunAccount>,
    /// The captures and live runs that these read.
    pub sources: Vec<SourceAccount>,
    /// Digests by which the store can be checked, and hashes of all files read.
    pub custody: CustodyAccount,
    /// Every host.
    pub hosts: HostsOf<'a>,
}

impl Document<'_> {
    /// Every host in the order of all lists.
    pub(super) fn roll(&self) -> &Roll<'_> {
        self.hosts.0
    }

    /// Writes it as one line of JSON.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        write_line(out, self)
    }
}
