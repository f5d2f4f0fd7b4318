//! What counting reads, and how a store of any kind delivers it.
//!
//! A [`Fact`] is a day record of one source without its texts: who (by number:
//! segment, address, hardware address), which indicator (by number, with its
//! category), which day, how far, in which quarter hours. It is the same that
//! hosts are judged by, so that counting and judging cannot disagree. Facts come
//! in [`Part`]s: all that is known of some hosts, so that each part is counted
//! by itself, in any order, by several threads.

use super::recount::Applied;
use crate::base::Timestamp;
use crate::base::time::format_day;
use crate::catalogue::LongText;
use crate::coverage::Counts;
pub use crate::host::facts::Contact as Fact;
use crate::host::facts::Facts;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// UTC days since the epoch, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days {
    /// First day.
    pub first: i32,
    /// Last day.
    pub last: i32,
}

impl Days {
    /// From first to last.
    pub fn new(first: i32, last: i32) -> Self {
        Days { first, last }
    }

    /// From the first day of either to the last of either; `None` of neither.
    pub fn spanning(a: Option<Days>, b: Option<Days>) -> Option<Days> {
        match (a, b) {
            (Some(a), Some(b)) => Some(Days::new(a.first.min(b.first), a.last.max(b.last))),
            (a, b) => a.or(b),
        }
    }

    /// Whether a day is among them.
    #[inline]
    pub fn contains(self, day: i32) -> bool {
        self.first <= day && day <= self.last
    }

    /// How many.
    pub fn len(self) -> u32 {
        let days = i64::from(self.last) - i64::from(self.first) + 1;
        u32::try_from(days.max(0)).unwrap_or(u32::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.last < self.first
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (format_day(self.first.into()), format_day(self.last.into()));
        if first == last { f.write_str(&first) } else { write!(f, "{first} to {last}") }
    }
}

/// Which facts to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Records of these days, rising and apart from each other; none means all.
    pub days: Vec<Days>,
    /// Also the names that each record lists ([`Part::names`]).
    pub names: bool,
    /// Also the ids of records ([`Fact::id`]); where they are not wanted, they
    /// may be left zero.
    pub ids: bool,
}

impl Wanted {
    /// Whether records of a day are wanted.
    #[inline]
    pub fn has(&self, day: i32) -> bool {
        self.days.is_empty() || self.days.iter().any(|d| d.contains(day))
    }
}

/// The names that records list, by the place of the record in
/// [`Facts::contacts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Every name once, in any order.
    pub texts: Vec<Box<str>>,
    /// Places in `texts`, those of one record after those of the record before.
    pub all: Vec<u32>,
    /// Where in `all` those of each record end; as long as
    /// [`Facts::contacts`] where names were wanted, else empty.
    pub ends: Vec<u32>,
}

impl Names {
    /// The names of a record.
    pub fn of(&self, contact: usize) -> impl Iterator<Item = u32> + '_ {
        let end = self.ends.get(contact).map_or(0, |n| *n as usize);
        let start = contact.checked_sub(1).and_then(|c| self.ends.get(c)).map_or(0, |n| *n as usize);
        self.all.get(start..end).unwrap_or_default().iter().copied()
    }
}

/// All that is known of some hosts in the days wanted.
///
/// A part is closed: of a hardware address, of an address without one, and of
/// what ties hosts to each other (intervals, signals, servers that tell of a
/// role: [`Facts`] has them) everything is in one part. So who a host is and
/// what it amounts to depends on one part alone.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The facts ([`Facts::contacts`]), in any order, and what they refer to by
    /// number.
    pub facts: Facts,
    /// The names of each fact, if wanted.
    pub names: Names,
}

impl Part {
    /// Empties it and keeps the room.
    pub fn clear(&mut self) {
        let Facts { sources, seen, indicators, contacts, servers, intervals, signals } = &mut self.facts;
        sources.clear();
        seen.clear();
        indicators.clear();
        contacts.clear();
        servers.clear();
        intervals.clear();
        signals.clear();
        self.names.texts.clear();
        self.names.all.clear();
        self.names.ends.clear();
    }
}

/// Why a source could not deliver; a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// What a store must be able to tell to be counted.
pub trait FactSource: Sync {
    /// How many parts there are. It may depend on nothing but the store, and
    /// the figures may not depend on it.
    fn parts(&self) -> u32;

    /// One part, `0..parts()`, either put into `room`, whose content does not
    /// matter, or lent by the source itself. Called by several threads at once.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn part<'s>(&'s self, number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError>;

    /// Whether no two parts have facts of the same segment and address. True
    /// where there is one part, or where no fact has a hardware address and
    /// parts are made by address.
    fn addresses_apart(&self) -> bool;

    /// First and last quarter hour (since the epoch) with any fact; `None` where
    /// there is none, or where nobody asks for more than days that are named.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn quarters(&self) -> Result<Option<(i64, i64)>, SourceError> {
        Ok(None)
    }

    /// First and last quarter hour in which a sensor saw anything or ran; `None`
    /// where that is known of none.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn quarters_watched(&self) -> Result<Option<(i64, i64)>, SourceError> {
        Ok(None)
    }

    /// What could be seen in the quarter hours `from` to `to` (since the epoch,
    /// both included).
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn seen(&self, from: i64, to: i64) -> Result<Seen, SourceError>;

    /// The runs that the facts are from, oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn runs(&self) -> Result<Vec<RunOf>, SourceError>;

    /// How many indicators of a catalogue the sources of the quarter hours `from`
    /// to `to` were not all searched for; `None` where [`Seen`] says it, or
    /// nobody searched here.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn unlooked(&self, _from: i64, _to: i64, _applied: Applied<'_>) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }

    /// The text of a catalogue that a run used; `None` if it is not kept.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn catalogue(&self, sha256: &str) -> Result<Option<LongText>, SourceError>;
}

/// What the sensors saw at all in a window, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// All that was counted.
    pub counts: Counts,
    /// Quarter hours with frames, since the epoch, of any sensor.
    pub quarters: BTreeSet<i64>,
    /// The same of each sensor, where there are several.
    pub sensors: BTreeMap<String, BTreeSet<i64>>,
    /// What each sensor counted, where there are several, of what it is judged by
    /// (`comparability::is_judged`).
    pub by_sensor: BTreeMap<String, Counts>,
    /// Networks (/24 and /64, in CIDR notation) with home addresses, and the
    /// most of these seen in one quarter hour of one interface.
    pub networks: BTreeMap<String, u64>,
    /// Most home addresses seen in one quarter hour of one interface.
    pub addresses: u64,
    /// Most home hosts that used encrypted DNS in one quarter hour of one
    /// interface.
    pub encrypted_dns: u64,
    /// Capture files and live runs that could have seen something in it.
    pub sources: u64,
    /// Sources that could not be read in full.
    pub damaged: u64,
    /// Sources of which only records were imported: what else they saw, and
    /// when, is not known.
    pub imported: u64,
    /// Days of which records were removed by retention.
    pub removed_days: u64,
    /// Indicators of the catalogue in effect that were not looked for in every
    /// source.
    pub unlooked: u64,
}

/// Whether it is known what could be seen in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// What the sources of all records saw.
    Whole,
    /// What sensors saw; other records were imported, and what their sensors saw is
    /// not known.
    Part,
    /// Not: only records were imported.
    Records,
    /// Not: no capture, no run and no record of that time is stored.
    #[default]
    Nothing,
}

impl Known {
    /// Whether sensors are known to have been there, so that it can be said when
    /// frames came.
    pub fn is_seen(self) -> bool {
        matches!(self, Known::Whole | Known::Part)
    }

    /// Whether that is all there is to know, so that who was not seen was not in
    /// view.
    pub fn is_whole(self) -> bool {
        self == Known::Whole
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bool(self.is_seen())
    }
}

/// As much as was written of it: either all is known or nothing.
impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(if bool::deserialize(d)? { Known::Whole } else { Known::Nothing })
    }
}

impl Seen {
    /// Whether it is known what could be seen.
    pub fn known(&self) -> Known {
        match (self.sources, self.imported) {
            (0, 0) => Known::Nothing,
            (0, _) => Known::Records,
            (_, 0) => Known::Whole,
            _ => Known::Part,
        }
    }
}

/// A run that facts are from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOf {
    /// Version of the program.
    pub version: String,
    /// Sensor.
    pub sensor: String,
    /// SHA-256 of the catalogue it used, in hexadecimal.
    pub catalogue_sha256: String,
    /// When it began.
    pub started: Timestamp,
    /// Least and greatest packet time of what it read; `None` where it read
    /// nothing with a time.
    pub covers: Option<(Timestamp, Timestamp)>,
}
