//! A sighting, or a host, down to the frames that show it.

mod lines;
mod rules;
mod text;

pub use lines::{write_host, write_match, write_sighting};
pub use rules::{rule, stage_rule};
pub use text::{text_host, text_match, text_sighting};

use super::dissect::Dissection;
use crate::base::{Stage, Timestamp};
use crate::catalogue::Category;
use crate::sighting::{Evidence, Record};
use crate::store::Interval;

/// Value of `schema` in each line of NDJSON.
pub const SCHEMA: &str = "spansight.explain/1";

/// What became of looking for a frame again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Read again in a capture; its SHA-256 is that of the record.
    Verified,
    /// The same, in a folder of evidence.
    InEvidence,
    /// The capture is there, and holds something else at its place.
    Differs,
    /// Nothing is there to read it from.
    Unreachable,
}

impl State {
    /// The word in NDJSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Verified => "verified",
            State::InEvidence => "evidence",
            State::Differs => "differs",
            State::Unreachable => "unreachable",
        }
    }
}

/// One frame of evidence, and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As stored.
    pub evidence: Evidence,
    /// What became of looking for it.
    pub state: State,
    /// The file that it was read in again, or that differs.
    pub file: Option<String>,
    /// Its number in that file, where known.
    pub number: Option<u64>,
    /// More about it: why it differs or cannot be reached.
    pub why: Option<String>,
    /// What our decoders read in it.
    pub dissection: Option<Dissection>,
    /// A display filter for Wireshark that goes by content.
    pub filter: String,
}

impl Shown {
    /// A display filter that goes by the frame's number in the file that it
    /// was found in, or in its source.
    pub fn number_filter(&self) -> String {
        format!("frame.number == {}", self.number.unwrap_or(self.evidence.frame))
    }

    /// Which way it went.
    pub fn direction(&self, record: &Record) -> Direction {
        match record.host.ip {
            ip if ip == self.evidence.src => Direction::ToServer,
            ip if ip == self.evidence.dst => Direction::ToClient,
            _ => Direction::Unknown,
        }
    }

    /// Whether the name stands in the frame as it was read again, in full.
    /// `None` if that cannot be told.
    pub fn holds_name(&self) -> Option<bool> {
        let name = self.evidence.name.as_deref()?;
        use crate::base::Channel::{DnsAnswer, DnsCname, DnsQuery, HttpConnect, HttpHost, HttpPath, QuicSni, TlsSni};
        let named = [DnsQuery, DnsAnswer, DnsCname, TlsSni, QuicSni, HttpHost, HttpConnect, HttpPath];
        if !named.contains(&self.evidence.channel) {
            return None;
        }
        let d = self.dissection.as_ref()?;
        let name = name.to_ascii_lowercase();
        Some(d.lines.iter().any(|l| l.to_ascii_lowercase().contains(&name)))
    }
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The host sent it.
    ToServer,
    /// The host received it.
    ToClient,
    /// The host is at neither end, as where a relay speaks for it.
    Unknown,
}

/// A record of one source, with its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The record, as that source gave it.
    pub record: Record,
    /// Only indicators of use `support` show it.
    pub support: bool,
    /// Its frames, in the order of the record.
    pub frames: Vec<Shown>,
}

/// One day record, as a timeline shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// First time.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// Strongest stage.
    pub stage: Stage,
    /// Category.
    pub category: Category,
    /// Indicator id.
    pub indicator: String,
    /// Observations.
    pub count: u64,
    /// Id of the record.
    pub id: String,
}

/// What is stored of a host besides what was concluded of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Background {
    /// Who had its addresses.
    pub known_by: Vec<Interval>,
    /// Its day records in the order of time, one of each source.
    pub timeline: Vec<Moment>,
}

#[cfg(test)]
mod tests;
