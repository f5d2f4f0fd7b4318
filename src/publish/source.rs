//! A publication as a source of facts to be counted.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::context::{Line, SeenIn};
use super::manifest::Manifest;
use super::{CONTEXT, COVERAGE, RECORDS, strict};
use crate::base::time::{DAY_SECS, SECOND, format_day};
use crate::base::{Timestamp, brief};
use crate::catalogue::LongText;
use crate::host::facts::{Facts, Numbers, Signal, Vantage};
use crate::measure::{FactSource, Part, RunOf, Seen, SourceError, Wanted};
use crate::sighting::line::MAX_LINE;
use crate::store::StoreError;
use crate::store::archive::{Archive, Import, LineReader, Rows};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest file of JSON that is read whole, in bytes.
pub(super) const MAX_JSON: u64 = 1 << 28;
/// Most values in one of which it is not known how many it is to have.
pub(super) const MAX_VALUES: u64 = 4_000_000;
/// Longest catalogue, in bytes, as they are loaded.
const MAX_CATALOGUE: u64 = 1 << 29;
/// Longest file of groups, in bytes.
pub(super) const MAX_GROUPS: u64 = 1 << 29;

/// What counting again may use.
#[derive(Clone, Copy, Debug)]
pub struct Room<'r> {
    /// A folder for a temporary file, of about a tenth of the size of the records.
    pub folder: &'r Path,
    /// Threads at most.
    pub threads: usize,
}

/// Why a publication cannot be counted; a sentence.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is not what was published.
    Wrong(String),
    /// There is no room to count it.
    Room(String),
}

impl From<String> for Unread {
    fn from(what: String) -> Self {
        Unread::Wrong(what)
    }
}

impl From<&str> for Unread {
    fn from(what: &str) -> Self {
        Unread::Wrong(what.to_owned())
    }
}

impl From<StoreError> for Unread {
    fn from(e: StoreError) -> Self {
        Unread::Room(format!("no room to count again: {e}; TMPDIR names another folder for temporary files"))
    }
}

/// Lines of records that are handed over at a time.
const TOGETHER: usize = 4096;

/// The facts of a publication. Its records are in an archive without a name, so
/// that memory holds a part of them at a time.
#[derive(Debug)]
pub(super) struct Published {
    folder: PathBuf,
    archive: Archive,
    /// What hosts are judged by beside records; of its sources only those that
    /// intervals and signals are of.
    context: Facts,
    /// What each source could see: what was published, and what its records show.
    vantages: HashMap<String, Vantage>,
    seen: HashMap<(i64, i64), SeenIn>,
    runs: Vec<RunOf>,
    /// Records read.
    pub(super) records: u64,
}

impl Published {
    /// Reads a publication, with room for a temporary file in a folder.
    pub(super) fn read(folder: &Path, manifest: &Manifest, room: &Room<'_>) -> Result<Published, Unread> {
        let days = manifest.days().ok_or("the manifest names no window")?;
        let mut numbers = Numbers::default();
        let mut context = Facts::default();
        each_line(&folder.join(CONTEXT), |line| {
            let line: Line = serde_json::from_slice(line).map_err(|e| e.to_string())?;
            line.add_to(&mut context, |facts, id| numbers.source(facts, id));
            Ok(())
        })?;
        let mut vantages: HashMap<String, Vantage> =
            context.sources.iter().map(|v| (v.source.clone(), v.clone())).collect();
        let mut import = Import::unnamed(room.folder)?;
        let mut reader = LineReader::default();
        let mut add = |rows: &Rows| {
            for (source, channels) in rows.channels() {
                let known = match vantages.get_mut(source) {
                    Some(known) => known,
                    None => vantages
                        .entry(source.to_owned())
                        .or_insert_with(|| Vantage { source: source.to_owned(), ..Vantage::default() }),
                };
                known.learn_of(channels);
            }
            import.add(rows)
        };
        let mut full = Ok(());
        let mut records = 0u64;
        let read = each_line(&folder.join(RECORDS), |line| {
            reader.take(line)?;
            if let Some(day) = reader.last_day().filter(|day| !days.iter().any(|d| d.contains(*day))) {
                return Err(format!("a record of {} lies outside the window", format_day(day.into())));
            }
            records = records.saturating_add(1);
            if reader.len() >= TOGETHER {
                full = add(&reader.rows());
            }
            // What went wrong is said below.
            if full.is_ok() { Ok(()) } else { Err(String::new()) }
        });
        full?;
        read?;
        add(&reader.rows())?;
        let archive = import.into_archive(room.threads)?;
        let seen: Vec<SeenIn> = json_in(folder, COVERAGE)?;
        if !seen.iter().all(SeenIn::is_sane) {
            return Err(format!("{COVERAGE} has more quarter hours than a window can have").into());
        }
        let seen = seen.into_iter().map(|s| ((s.from, s.to), s)).collect();
        let runs = manifest.runs.iter().map(|r| r.run()).collect();
        Ok(Published { folder: folder.to_owned(), archive, context, vantages, seen, runs, records })
    }

    /// Whether hosts bear on each other by more than records: then all of them
    /// are one part.
    fn is_tied(&self) -> bool {
        !self.context.intervals.is_empty() || !self.context.signals.is_empty()
    }

    /// Adds what is known beside records, as far as it is wanted.
    fn add_context(&self, wanted: &Wanted, facts: &mut Facts) {
        for source in &mut facts.sources {
            if let Some(known) = self.vantages.get(&source.source) {
                source.clone_from(known);
            }
        }
        if !self.is_tied() {
            return;
        }
        let mut at: HashMap<String, u32> = (0..).zip(&facts.sources).map(|(n, v)| (v.source.clone(), n)).collect();
        let moved: Vec<u32> = self
            .context
            .sources
            .iter()
            .map(|v| {
                let next = u32::try_from(facts.sources.len()).unwrap_or(u32::MAX);
                *at.entry(v.source.clone()).or_insert_with(|| {
                    facts.sources.push(self.vantages.get(&v.source).unwrap_or(v).clone());
                    next
                })
            })
            .collect();
        let source = |n: u32| moved.get(n as usize).copied().unwrap_or_default();
        let intervals = self.context.intervals.iter().filter(|i| touches(wanted, i.from, i.to, 1));
        facts.intervals.extend(intervals.map(|i| i.clone().of_source(source(i.source))));
        let signals = self.context.signals.iter().filter(|s| touches(wanted, s.from, s.to, 0));
        facts.signals.extend(signals.map(|s| Signal { source: source(s.source), ..s.clone() }));
    }
}

/// Whether a time touches the days that are wanted, or so many before them.
fn touches(wanted: &Wanted, from: Timestamp, to: Timestamp, before: i64) -> bool {
    const DAY: i64 = DAY_SECS * SECOND;
    let start = |day: i32| i64::from(day).saturating_mul(DAY);
    wanted.days.is_empty()
        || wanted.days.iter().any(|d| {
            let (first, last) = (start(d.first), start(d.last).saturating_add(DAY.saturating_sub(1)));
            from.0 <= last && to.0 >= first.saturating_sub(before.saturating_mul(DAY))
        })
}

impl FactSource for Published {
    fn parts(&self) -> u32 {
        if self.is_tied() { 1 } else { Archive::parts(&self.archive) }
    }

    fn part<'s>(&'s self, number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError> {
        if self.is_tied() {
            self.archive.whole_part(wanted, room)?;
        } else {
            FactSource::part(&self.archive, number, wanted, room)?;
        }
        self.add_context(wanted, &mut room.facts);
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        self.is_tied() || self.archive.addresses_apart()
    }

    fn seen(&self, from: i64, to: i64) -> Result<Seen, SourceError> {
        let seen = self.seen.get(&(from, to)).map(SeenIn::seen);
        seen.ok_or_else(|| SourceError(format!("{COVERAGE} does not say what could be seen in a window")))
    }

    fn runs(&self) -> Result<Vec<RunOf>, SourceError> {
        Ok(self.runs.clone())
    }

    fn catalogue(&self, sha256: &str) -> Result<Option<LongText>, SourceError> {
        catalogue(&self.folder, sha256).map_err(SourceError)
    }
}

/// Where a catalogue lies in a folder.
pub(super) fn catalogue_path(sha256: &str) -> String {
    format!("catalogue-{sha256}.toml")
}

/// A catalogue of the folder by its hash; `None` if it has none such.
pub(super) fn catalogue(folder: &Path, sha256: &str) -> Result<Option<LongText>, String> {
    if sha256.is_empty() || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let path = folder.join(catalogue_path(sha256));
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    bounded(&path, MAX_CATALOGUE)?;
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Some(LongText::from(text.as_str())).filter(|t| !t.is_empty()))
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Refuses what could lead out of a folder, or be read without end.
pub(super) fn regular(path: &Path) -> Result<(), String> {
    match path.symlink_metadata() {
        Ok(kind) if kind.is_file() => Ok(()),
        Ok(_) => Err(format!("{} is a link or no file", named(path))),
        Err(e) => Err(format!("{} cannot be read: {}", named(path), brief(e))),
    }
}

/// The same, and what is longer than it may be.
pub(super) fn bounded(path: &Path, most: u64) -> Result<(), String> {
    regular(path)?;
    match path.symlink_metadata() {
        Ok(kind) if kind.len() <= most => Ok(()),
        _ => Err(format!("{} is too long", named(path))),
    }
}

/// Reads a file of JSON of a folder.
pub(super) fn json_in<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, String> {
    let value = value_in(folder, name, MAX_VALUES)?;
    serde_json::from_value(value).map_err(|e| format!("{name} cannot be read: {}", brief(e)))
}

/// Reads a file of JSON of a folder with up to so many values in it.
pub(super) fn value_in(folder: &Path, name: &str, most: u64) -> Result<Value, String> {
    let path = folder.join(name);
    regular(&path)?;
    json(&path, most)
}

/// Reads a file of JSON with up to so many values in it.
pub(super) fn json(path: &Path, most: u64) -> Result<Value, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{} cannot be read: {}", named(path), brief(e));
    let file = File::open(path).map_err(|e| wrong(&e))?;
    let kind = file.metadata().map_err(|e| wrong(&e))?;
    if !kind.is_file() || kind.len() > MAX_JSON {
        return Err(wrong(&"it is no file, or too long"));
    }
    strict::value(BufReader::new(file.take(MAX_JSON)), most).map_err(|e| wrong(&e))
}

/// Hands over a file line by line; no line is longer than a record may be.
fn each_line(path: &Path, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let wrong = |n: u64, e: &dyn std::fmt::Display| format!("{}, line {n}: {}", named(path), brief(e));
    let file = regular(path)
        .and_then(|()| File::open(path).map_err(|e| format!("{} cannot be read: {}", named(path), brief(e))))?;
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    for n in 1u64.. {
        line.clear();
        let most = (MAX_LINE as u64).saturating_add(1);
        let read = (&mut file).take(most).read_until(b'\n', &mut line).map_err(|e| wrong(n, &e))?;
        if read == 0 {
            break;
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(wrong(n, &"it has no end, or is too long"));
        };
        each(text).map_err(|e| wrong(n, &e))?;
    }
    Ok(())
}
