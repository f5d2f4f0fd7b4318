//! A publication as a source of facts to be counted.

use super::context::{Line, SeenIn};
use super::manifest::Manifest;
use super::{CONTEXT, COVERAGE, RECORDS, strict};
use crate::base::Timestamp;
use crate::base::time::{DAY_SECS, SECOND};
use crate::catalogue::LongText;
use crate::host::facts::{Contact, Numbers, ServedBy, Vantage, number};
use crate::measure::{Days, FactSource, Names, Part, RunOf, Seen, SourceError, Wanted};
use crate::sighting::line::{MAX_LINE, parse_marked};
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

/// The facts of a publication, in memory.
#[derive(Debug)]
pub(super) struct Published {
    folder: PathBuf,
    all: Part,
    /// What was published of each source, apart from what records show.
    vantages: Vec<Vantage>,
    /// The days of which there are records to be.
    days: Vec<Days>,
    seen: HashMap<(i64, i64), SeenIn>,
    runs: Vec<RunOf>,
    /// Records read.
    pub(super) records: u64,
}

impl Published {
    /// Reads a publication. An error is a sentence.
    pub(super) fn read(folder: &Path, manifest: &Manifest) -> Result<Published, String> {
        let days = manifest.days().ok_or("the manifest names no window")?;
        let mut numbers = Numbers::default();
        let mut texts: HashMap<Box<str>, u32> = HashMap::new();
        let mut all = Part::default();
        each_line(&folder.join(CONTEXT), |line| {
            let line: Line = serde_json::from_slice(line).map_err(|e| e.to_string())?;
            line.add_to(&mut all.facts, |facts, id| numbers.source(facts, id));
            Ok(())
        })?;
        let vantages = all.facts.sources.clone();
        let mut records = 0u64;
        each_line(&folder.join(RECORDS), |line| {
            let (record, support) = parse_marked(line)?;
            let facts = &mut all.facts;
            // Each contact has a number of its own.
            u32::try_from(facts.contacts.len()).map_err(|_| "too many records")?;
            numbers.record(facts, &record, support);
            if !facts.contacts.last().is_some_and(|c| days.iter().any(|d| d.contains(c.day))) {
                return Err(format!("a record of {} lies outside the window", record.period));
            }
            let Names { texts: listed, all: places, .. } = &mut all.names;
            for name in record.names.iter().map(|n| Box::from(n.as_str())) {
                places.push(number(&mut texts, &name, || listed.push(name.clone())));
            }
            all.names.ends.push(u32::try_from(all.names.all.len()).map_err(|_| "too many names")?);
            records = records.saturating_add(1);
            Ok(())
        })?;
        all.facts.servers.sort_unstable();
        let seen: Vec<SeenIn> = json_in(folder, COVERAGE)?;
        if !seen.iter().all(SeenIn::is_sane) {
            return Err(format!("{COVERAGE} has more quarter hours than a window can have"));
        }
        let seen = seen.into_iter().map(|s| ((s.from, s.to), s)).collect();
        let runs = manifest.runs.iter().map(|r| r.run()).collect();
        Ok(Published { folder: folder.to_owned(), all, vantages, days, seen, runs, records })
    }

    /// What is wanted of all.
    fn select(&self, wanted: &Wanted, room: &mut Part) {
        room.clear();
        let from = &self.all.facts;
        let mut numbers = Numbers::default();
        let facts = &mut room.facts;
        for source in &from.sources {
            numbers.source(facts, &source.source);
        }
        for v in &self.vantages {
            let at = numbers.source(facts, &v.source);
            if let Some(known) = facts.sources.get_mut(at as usize) {
                *known = v.clone();
            }
        }
        let mut moved: HashMap<u32, u32> = HashMap::new();
        room.names.texts.clone_from(&self.all.names.texts);
        for (at, contact) in from.contacts.iter().enumerate().filter(|(_, c)| wanted.has(c.day)) {
            let (Some(host), Some(indicator)) =
                (from.seen.get(contact.seen as usize), from.indicators.get(contact.indicator as usize))
            else {
                continue;
            };
            let contact = Contact {
                seen: numbers.seen(facts, host),
                indicator: numbers.indicator(facts, &indicator.id, indicator.category),
                ..*contact
            };
            if let Some(source) = facts.sources.get_mut(contact.source as usize) {
                source.learn(&contact);
            }
            let new = u32::try_from(facts.contacts.len()).unwrap_or(u32::MAX);
            moved.insert(u32::try_from(at).unwrap_or(u32::MAX), new);
            facts.contacts.push(contact);
            room.names.all.extend(self.all.names.of(at));
            room.names.ends.push(u32::try_from(room.names.all.len()).unwrap_or(u32::MAX));
        }
        let served = |s: &ServedBy| Some(ServedBy { contact: *moved.get(&s.contact)?, ..*s });
        facts.servers.extend(from.servers.iter().filter_map(served));
        facts.servers.sort_unstable();
        facts.intervals.extend(from.intervals.iter().filter(|i| touches(wanted, i.from, i.to, 1)).cloned());
        facts.signals.extend(from.signals.iter().filter(|s| touches(wanted, s.from, s.to, 0)).cloned());
    }
}

/// Whether a time touches the days that are wanted, or so many before them.
fn touches(wanted: &Wanted, from: Timestamp, to: Timestamp, before: i64) -> bool {
    const DAY: i64 = DAY_SECS * SECOND;
    let start = |day: i32| i64::from(day).saturating_mul(DAY);
    wanted.days.is_empty()
        || wanted.days.iter().any(|d| {
            let (first, last) = (start(d.first), start(d.last).saturating_add(DAY - 1));
            from.0 <= last && to.0 >= first.saturating_sub(before.saturating_mul(DAY))
        })
}

impl FactSource for Published {
    fn parts(&self) -> u32 {
        1
    }

    fn part<'s>(&'s self, _number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError> {
        if wanted.days.is_empty() || wanted.days == self.days {
            return Ok(&self.all);
        }
        self.select(wanted, room);
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        true
    }

    fn days(&self) -> Result<Option<Days>, SourceError> {
        let all = || self.all.facts.contacts.iter().map(|c| c.day);
        Ok(all().min().zip(all().max()).map(|(first, last)| Days::new(first, last)))
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
        Err(e) => Err(format!("{} cannot be read: {e}", named(path))),
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
    serde_json::from_value(value).map_err(|e| format!("{name} cannot be read: {e}"))
}

/// Reads a file of JSON of a folder with up to so many values in it.
pub(super) fn value_in(folder: &Path, name: &str, most: u64) -> Result<Value, String> {
    let path = folder.join(name);
    regular(&path)?;
    json(&path, most)
}

/// Reads a file of JSON with up to so many values in it.
pub(super) fn json(path: &Path, most: u64) -> Result<Value, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{} cannot be read: {e}", named(path));
    let file = File::open(path).map_err(|e| wrong(&e))?;
    let kind = file.metadata().map_err(|e| wrong(&e))?;
    if !kind.is_file() || kind.len() > MAX_JSON {
        return Err(wrong(&"it is no file, or too long"));
    }
    strict::value(BufReader::new(file.take(MAX_JSON)), most).map_err(|e| wrong(&e))
}

/// Hands over a file line by line; no line is longer than a record may be.
fn each_line(path: &Path, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let wrong = |n: u64, e: &dyn std::fmt::Display| format!("{}, line {n}: {e}", named(path));
    let file =
        regular(path).and_then(|()| File::open(path).map_err(|e| format!("{} cannot be read: {e}", named(path))))?;
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    for n in 1u64.. {
        line.clear();
        let most = MAX_LINE as u64 + 1;
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
