//! What a run writes besides records.

use crate::base::{Addr, Channel, Mac, Timestamp};
use crate::catalogue::LongText;
use crate::host::{Alarm, Verdict};
use std::collections::BTreeMap;

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Version of the program.
    pub version: String,
    /// Command line, program name first.
    pub command: Vec<String>,
    /// SHA-256 of the catalogue in effect, in hex.
    pub catalogue_sha256: String,
    /// The catalogue in effect, as text.
    pub catalogue: LongText,
    /// Home networks, as prefixes or `any`.
    pub home_nets: Vec<String>,
    /// Sensor name.
    pub sensor: String,
    /// What file sources are named by: `sha256`, or `none` (path, size and
    /// first timestamp).
    pub hash: String,
    /// Start.
    pub started: Timestamp,
    /// End; absent while it runs, and for good if it was killed.
    pub ended: Option<Timestamp>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Why it ended, in words.
    pub exit_reason: Option<String>,
    /// What it ran on: SHA-256 of the program, kernel, host, user and the like,
    /// by word.
    pub environment: BTreeMap<String, String>,
}

/// One source of frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `sha256:…`, `file:…` or `run:…`.
    pub source: String,
    /// Path as given; absent for live capture.
    pub path: Option<String>,
    /// Size in bytes of the file as it lies on the disk.
    pub size: Option<u64>,
    /// Least timestamp.
    pub first: Option<Timestamp>,
    /// Greatest timestamp.
    pub last: Option<Timestamp>,
    /// Frames delivered.
    pub frames: u64,
    /// What was wrong with it, in words.
    pub warnings: Vec<String>,
    /// Names of its interfaces in their order, empty where unnamed.
    pub interfaces: Vec<String>,
}

impl Source {
    /// Whether it is one live run, so that later contributions replace earlier
    /// ones, and not a file, whose contributions join.
    pub fn is_run(source: &str) -> bool {
        source.starts_with("run:")
    }

    /// Whether it is one of which only records were imported: what else it saw
    /// is not known. Whoever reads or hears a source itself names its path or its
    /// interfaces before the first frame. SQL says the same by `IS_OWN`.
    pub fn is_imported(&self) -> bool {
        self.path.is_none() && self.frames == 0 && self.interfaces.is_empty()
    }
}

/// The word in [`Run::environment`] for how many inputs gave the run nothing to
/// keep, so that no source tells of them.
pub const UNREAD: &str = "inputs_unread";

/// Whether a run of this store read or heard source `s` itself.
pub(super) const IS_OWN: &str = "(s.path IS NOT NULL OR s.frames > 0
    OR EXISTS (SELECT 1 FROM interfaces i WHERE i.source_no = s.source_no))";

/// A period in which a host had an address, by the id of the source that told.
pub type Interval = crate::host::Interval<String>;

/// A test lookup that the sensor saw: proof that it could see then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Canary {
    /// Source of the observation.
    pub source: String,
    /// The name asked for.
    pub name: String,
    /// When.
    pub ts: Timestamp,
    /// Encapsulation context of the client.
    pub segment: String,
    /// Address of the client.
    pub ip: Addr,
    /// Its hardware address, where the link shows one.
    pub mac: Option<Mac>,
    /// Where the name was seen.
    pub channel: Channel,
}

/// A change of a host's verdict or alarms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When it was noticed, in packet time.
    pub ts: Timestamp,
    /// What happened: the word of a [`ChangeKind`](crate::host::changes::ChangeKind).
    pub kind: String,
    /// Encapsulation context of the host.
    pub segment: String,
    /// Its address.
    pub ip: Addr,
    /// Its hardware address, where it is its own.
    pub mac: Option<Mac>,
    /// Verdict before; none for a host that is new.
    pub from: Option<Verdict>,
    /// Verdict after; none for a host that is gone.
    pub to: Option<Verdict>,
    /// Its alarms, sorted.
    pub alarms: Vec<Alarm>,
    /// Whether somebody answered for it.
    pub accepted: bool,
    /// More, in words; may be empty.
    pub detail: String,
}
