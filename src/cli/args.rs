//! The command line, as it is typed.

mod explain;
mod export;
mod hosts;
mod measure;
mod publish;
mod report;

pub use explain::{ExplainArgs, ExplainFormat};
pub use export::{ExportArgs, ExportFormat};
pub use hosts::{EventArgs, HostsArgs, JudgingArgs, KnowledgeArgs};
pub use measure::{CompareArgs, CountArgs, MeasureArgs, MeasureFormat, StepArg, TrendArgs};
pub use publish::PublishArgs;
pub use report::ReportArgs;

use super::catalogue::ListFormat;
use crate::base::Timestamp;
use crate::catalogue::{Catalogue, CatalogueError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use explain::EXPLAIN_HELP;
use export::EXPORT_HELP;
use hosts::HOSTS_HELP;
use report::REPORT_HELP;
use std::path::{Path, PathBuf};

/// Says which hosts contact Kaspersky update infrastructure, from capture
/// files or a SPAN port, with the evidence.
#[derive(Debug, Parser)]
#[command(name = "spansight", version, about, long_about = None, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decode capture files, folders of them, or - for standard input
    #[command(after_help = REPLAY_HELP)]
    Replay(ReplayArgs),
    /// Decode live traffic of a SPAN port until stopped
    #[command(after_help = WATCH_HELP)]
    Watch(WatchArgs),
    /// Print every name any decoder finds, as NDJSON, without a catalogue
    Names(NamesArgs),
    /// Say which hosts of a store use the product, with a verdict and its reason for each
    #[command(after_help = HOSTS_HELP)]
    Hosts(HostsArgs),
    /// Write what a store shows as one page for people, as JSON and as CSV
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Count hosts and organisations by day, week or month, and by groups
    #[command(after_help = measure::trend_help())]
    Trend(TrendArgs),
    /// Compare two windows: how many hosts and organisations in each, how many are still there
    #[command(after_help = measure::compare_help())]
    Compare(CompareArgs),
    /// Show the evidence behind a sighting or a host, down to the frames
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Check that a store, a publication or a folder of evidence is what was written
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Put sighting records into a store, from files or - for standard input
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Write the sighting records of a store, as import takes them back
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArgs),
    /// Write a window of a store for others, with figures that they can check
    #[command(after_help = publish::PUBLISH_HELP)]
    Publish(PublishArgs),
    /// Show or check what is looked for
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
}

/// How frames are decoded, from files and from interfaces alike.
#[derive(Debug, Args)]
pub struct DecodingArgs {
    /// Only frames that this libpcap filter accepts
    #[arg(long, value_name = "EXPR")]
    pub bpf: Option<String>,
    /// Treat equal addresses in different VLANs as one host
    #[arg(long)]
    pub ignore_vlan: bool,
    /// Threads that decode, else 1 to 3, by the number of cores; where files are read, 1 does
    /// that too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// Which frames of which files.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Capture files (pcap or pcapng, plain or compressed), folders, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only frames from this time on (RFC 3339, or a date: its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Only frames before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Decoding.
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Write coverage and timing to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// No summary and no warnings; what could not be read is still said
    #[arg(short, long)]
    pub quiet: bool,
}

/// What is looked for, and whose contacts count.
#[derive(Debug, Args)]
pub struct MatchArgs {
    /// Which catalogue.
    #[command(flatten)]
    pub catalogue: CatalogueFiles,
    /// Networks whose clients are hosts, or `any` [default: private, 100.64.0.0/10 and link-local addresses; for `watch` also the interfaces' own networks]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub home_net: Vec<String>,
    /// Leave out what DHCP says of hosts' names and client ids
    #[arg(long)]
    pub no_dhcp_names: bool,
    /// Name of this sensor in records
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep records, coverage and this run in a SQLite file
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Remove from the store what is of UTC days longer ago than this; the digests of the days stay.
    /// Done when a day is closed
    #[arg(long, value_name = "DAYS", requires = "store", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub retain: Option<u32>,
    /// Replace addresses, hardware addresses and names of hosts by pseudonyms made with the key in this
    /// file (32 random bytes or more, or their hex digits), in all that is printed and stored
    #[arg(long, value_name = "KEYFILE")]
    pub pseudonymise: Option<PathBuf>,
}

/// Where packets are kept.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// Write the packets that show the sightings, and only those, into this new folder: as pcapng
    /// with comments, beside a manifest of SHA-256 hashes
    #[arg(long, value_name = "DIR", conflicts_with = "pseudonymise")]
    pub evidence_dir: Option<PathBuf>,
    /// How much these packets may take, in MiB; what comes then is counted [default: 256]
    #[arg(long, value_name = "MIB", requires = "evidence_dir", value_parser = clap::value_parser!(u32).range(1..))]
    pub evidence_limit: Option<u32>,
}

impl EvidenceArgs {
    /// How many bytes of packets are written.
    pub fn limit(&self) -> u64 {
        u64::from(self.evidence_limit.unwrap_or(256)) << 20
    }
}

impl MatchArgs {
    /// The files that are read beside captures.
    pub fn read(&self) -> impl Iterator<Item = &Path> {
        self.catalogue.paths().chain(self.pseudonymise.as_deref())
    }
}

/// Formats of sightings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON record a line
    Ndjson,
    /// One record a line, for spreadsheets
    Csv,
}

/// How file sources are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HashBy {
    /// By their content
    Sha256,
    /// By path, size and first timestamp
    None,
}

/// What `replay --help` ends with.
const REPLAY_HELP: &str = "\
With --follow, give one file that grows, one folder into which files are written, or -. Records are \
printed as with watch: when they begin or rise in stage, otherwise at most once a minute while they \
change, and at the end; and so are changes of hosts (--events and --gone-after go with it), also with -q. \
A record that is not yet whole is waited for. Files that come into a folder are read in order of their \
first timestamp. SIGINT and SIGTERM end the run in order; a second one ends it at once.";

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Matching.
    #[command(flatten)]
    pub matching: MatchArgs,
    /// Evidence.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Exceptions and findings.
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// Read on as the file or folder grows, until stopped; records are printed as they come
    #[arg(long, conflicts_with_all = ["hash", "fail_on"])]
    pub follow: bool,
    /// Changes of hosts.
    #[command(flatten)]
    pub changes: EventArgs,
    /// How to name inputs in records [default: sha256 where records are written]
    #[arg(long, value_enum)]
    pub hash: Option<HashBy>,
}

/// Arguments of `names`.
#[derive(Debug, Args)]
pub struct NamesArgs {
    /// Input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `watch --help` ends with.
const WATCH_HELP: &str = "\
A record is printed when it begins or rises in stage, otherwise at most once a minute while it \
changes, and at the end of its UTC day or of the run; of one id and source the highest revision \
counts. --output adds to the end of the file as it goes; a link is not followed. --store is written \
every half minute.

Hosts are judged at most once a minute and at the end. First alarms that a host did not have, then a \
host that is new, is back, or whose verdict rises, and one that made no contact for --gone-after days, are \
said on standard error, and kept with --events and --store. Hosts that --accept answers for are said too, \
as accepted, and said again when the exception ends; alarms cannot be accepted. The files of --accept and \
--inventory are read again when a UTC day begins: one that is wrong by then is said, and what was read \
before stays in effect.

It needs the right to capture: run it as root, or give the program file cap_net_raw and cap_net_admin. When \
no frame comes, it says so. SIGINT and SIGTERM end the run in order: what was captured until then is still \
worked through; a second one ends it at once. An interface that disappears is said, and the exit code is 3 in \
the end; the last one that does ends the run. A full disk does not, as long as there is a --store: what could \
not be stored is tried again.";

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Interfaces to listen on
    #[arg(short, long = "interface", required = true, value_name = "INTERFACE")]
    pub interface: Vec<String>,
    /// Decoding.
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Matching.
    #[command(flatten)]
    pub matching: MatchArgs,
    /// Evidence.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Exceptions and devices.
    #[command(flatten)]
    pub knowledge: KnowledgeArgs,
    /// A harmless name: say at once when any host looks it up, as proof that the sensor sees. Seen
    /// controls are stored, and the closing lines name the last one
    #[arg(long, value_name = "NAME")]
    pub canary: Vec<String>,
    /// Changes of hosts.
    #[command(flatten)]
    pub changes: EventArgs,
    /// Write coverage (of a long run: of its last day) and timing to this file as JSON at the end
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// No greeting and no summary; changes of hosts and what goes wrong are still said
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `verify --help` ends with.
const VERIFY_HELP: &str = "\
Of a store, each record is compared with the digest that was written with it, each day with its newest \
digest, and the digests with the chain that they form; days with several digests are listed with what \
caused each, and so are days that --retain removed. Of a folder that --evidence-dir wrote, or an archive, each \
file is compared with the manifest. Of a publication all figures are counted again from its records, too, and \
each that does not hold is named. The exit code is 0 if all is as it was written, 1 if something was altered \
(each is named, the first one first), 3 if there is no such store or folder. Intervals of addresses and \
names, signs of roles, coverage, home networks and the account of runs have no digest, so \"sound\" does \
not speak of them.

Whoever can write the store can also make its digests anew. A seal shows that: keep the key and the line \
that --seal prints on another machine.";

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A store, an archive, a publication, or a folder of evidence
    #[arg(value_name = "DIR|STORE", required_unless_present = "new_key")]
    pub path: Option<PathBuf>,
    /// Sign the end of the chain with this Ed25519 key (PKCS#8), if all is sound, and keep the seal in the store
    #[arg(long, value_name = "KEYFILE")]
    pub seal: Option<PathBuf>,
    /// Want a seal (of a publication a signature) that holds and was made with this public key (64 hex digits, or PEM)
    #[arg(long, value_name = "PUBKEYFILE")]
    pub key: Option<PathBuf>,
    /// Also hold the figures of this file against the records of a publication: what trend or compare
    /// prints with --format json, what report --json writes, or a document with any of these as its members
    /// `trend`, `comparison` and `total`
    #[arg(long, value_name = "JSON")]
    pub report: Option<PathBuf>,
    /// Make a key for --seal and for publish --sign in a new file, and print its public half
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub new_key: Option<PathBuf>,
}

/// What `import --help` ends with.
const IMPORT_HELP: &str = "\
One record a line, as --format ndjson and export write them, of any source; or CSV with the header that \
export writes. The same records again change nothing: of a source that is a live run the highest revision \
counts, those of a file join. A line that is no record, or whose id is not that of its fields, is left out \
and said; fields that this version does not know are left out. All that was read is stored at the end, or \
nothing.

A folder as the store is an archive: records by the ten million, for counting and judging. It holds records only, and \
each import writes it anew, so give it much at a time.";

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The store: a SQLite file, or a folder (a name that ends with / makes one); made if there is none
    #[arg(long, value_name = "STORE")]
    pub store: PathBuf,
    /// Files of records, or - for standard input
    #[arg(required = true, value_name = "NDJSON|CSV")]
    pub paths: Vec<PathBuf>,
    /// Say nothing but what is wrong
    #[arg(short, long)]
    pub quiet: bool,
}

/// What to do with the catalogue.
#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// List the indicators
    List {
        /// Which catalogue.
        #[command(flatten)]
        files: CatalogueFiles,
        /// What to print
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Say which indicator fits a name, address or URL, and why
    Check {
        /// Names, addresses or URLs
        #[arg(required = true, value_name = "NAME|ADDRESS|URL")]
        what: Vec<String>,
        /// Which catalogue.
        #[command(flatten)]
        files: CatalogueFiles,
    },
    /// Print the effective catalogue as one TOML file
    Export {
        /// Which catalogue.
        #[command(flatten)]
        files: CatalogueFiles,
    },
    /// Check catalogue files
    Validate {
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Which catalogue.
#[derive(Clone, Debug, Args)]
pub struct CatalogueFiles {
    /// Use this catalogue in place of the built-in one
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
    /// Add the indicators of this file
    #[arg(long, value_name = "FILE")]
    pub add_catalogue: Vec<PathBuf>,
}

impl CatalogueFiles {
    /// The files that are read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.catalogue.iter().chain(&self.add_catalogue).map(PathBuf::as_path)
    }

    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with a file.
    pub fn load(&self) -> Result<Catalogue, CatalogueError> {
        Catalogue::load(self.catalogue.as_deref(), &self.add_catalogue)
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "give a time such as 2026-03-01T10:00:00Z, or a date such as 2026-03-01".into())
}
