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
use crate::host::facts::{Facts, Vantage};
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

/// Longest context in bytes, and most lines of it: it is held whole.
const MAX_CONTEXT: u64 = 1 << 30;
const MOST_CONTEXT: u64 = 1 << 23;
/// Most records that are held at once, where hosts bear on each other by more
/// than their addresses.
const MOST_TOGETHER: u64 = 1 << 25;

/// Lines of records that are handed over at a time.
const TOGETHER: usize = 4096;

/// What is held in memory at most.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Bytes of context.
    context: u64,
    /// Lines of it.
    lines: u64,
    /// Records, where all of them are one part.
    together: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { context: MAX_CONTEXT, lines: MOST_CONTEXT, together: MOST_TOGETHER }
    }
}

/// The facts of a publication. Its records are in an archive without a name, so
/// that memory holds a part of them at a time.
#[derive(Debug)]
pub(super) struct Published {
    folder: PathBuf,
    archive: Archive,
    /// Whether hosts bear on each other by more than records: then all of them
    /// are one part.
    tied: bool,
    /// What each source of the context could see: what was published, and what its
    /// records show. What others saw, the archive knows.
    vantages: HashMap<String, Vantage>,
    seen: HashMap<(i64, i64), SeenIn>,
    runs: Vec<RunOf>,
    /// Records read.
    pub(super) records: u64,
}

impl Published {
    /// Reads a publication, with room for a temporary file in a folder.
    pub(super) fn read(folder: &Path, manifest: &Manifest, room: &Room<'_>) -> Result<Published, Unread> {
        Published::within(&Limits::default(), folder, manifest, room)
    }

    fn within(limits: &Limits, folder: &Path, manifest: &Manifest, room: &Room<'_>) -> Result<Published, Unread> {
        let days = manifest.days().ok_or("the manifest names no window")?;
        let mut vantages: HashMap<String, Vantage> = HashMap::new();
        let mut tied = false;
        let path = folder.join(CONTEXT);
        bounded(&path, limits.context)?;
        let mut lines = 0u64;
        each_context(&path, |line| {
            lines = lines.saturating_add(1);
            if lines > limits.lines {
                return Err(format!("it has more than {} lines", limits.lines));
            }
            tied |= line.ties();
            let Vantage { source, other_flows, dns_answers } = line.vantage();
            let known = vantages.entry(source.clone()).or_insert(Vantage { source, ..Vantage::default() });
            known.other_flows |= other_flows;
            known.dns_answers |= dns_answers;
            Ok(())
        })?;
        let mut import = Import::unnamed(room.folder)?;
        let mut reader = LineReader::default();
        let mut add = |rows: &Rows| {
            for (source, channels) in rows.channels() {
                if let Some(known) = vantages.get_mut(source) {
                    known.learn_of(channels);
                }
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
        if (tied || archive.is_tied()) && records > limits.together {
            return Err(Unread::Room(format!(
                "there is no room to count again: leases, signs of roles or local servers tie hosts to each other, so \
                 that all records are counted as one, which is done for {} at most, and there are {records}; windows of \
                 fewer days can be published each by itself",
                limits.together
            )));
        }
        let seen: Vec<SeenIn> = json_in(folder, COVERAGE)?;
        if !seen.iter().all(SeenIn::is_sane) {
            return Err(format!("{COVERAGE} has more quarter hours than a window can have").into());
        }
        let seen = seen.into_iter().map(|s| ((s.from, s.to), s)).collect();
        let runs = manifest.runs.iter().map(|r| r.run()).collect();
        Ok(Published { folder: folder.to_owned(), archive, tied, vantages, seen, runs, records })
    }

    /// Adds what is known beside records, as far as it is wanted: it is read
    /// again, so that it is held once.
    fn add_context(&self, wanted: &Wanted, facts: &mut Facts) -> Result<(), String> {
        for source in &mut facts.sources {
            if let Some(known) = self.vantages.get(&source.source) {
                source.clone_from(known);
            }
        }
        if !self.tied {
            return Ok(());
        }
        let mut at: HashMap<String, u32> = (0..).zip(&facts.sources).map(|(n, v)| (v.source.clone(), n)).collect();
        let mut number = |facts: &mut Facts, source: &str| match at.get(source) {
            Some(n) => *n,
            None => {
                let next = u32::try_from(facts.sources.len()).unwrap_or(u32::MAX);
                facts.sources.extend(self.vantages.get(source).cloned());
                at.insert(source.to_owned(), next);
                next
            }
        };
        each_context(&self.folder.join(CONTEXT), |line| {
            if line.times().is_none_or(|(from, to, before)| touches(wanted, from, to, before)) {
                // Else it is not what it was when it was read first.
                if !self.vantages.contains_key(line.source()) {
                    return Err("it was altered meanwhile".to_owned());
                }
                line.add_to(facts, &mut number);
            }
            Ok(())
        })
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
        if self.tied { 1 } else { Archive::parts(&self.archive) }
    }

    fn part<'s>(&'s self, number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError> {
        if self.tied {
            self.archive.whole_part(wanted, room)?;
        } else {
            FactSource::part(&self.archive, number, wanted, room)?;
        }
        self.add_context(wanted, &mut room.facts).map_err(SourceError)?;
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        self.tied || self.archive.addresses_apart()
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

/// How long a file of JSON of a folder is.
pub(super) fn size_in(folder: &Path, name: &str) -> Result<u64, String> {
    let path = folder.join(name);
    bounded(&path, MAX_JSON)?;
    size(&path)
}

/// How long a file of JSON is. One that is too long may be so without taking any
/// room, and what is reckoned from its length would have no end.
pub(super) fn size(path: &Path) -> Result<u64, String> {
    match path.metadata() {
        Ok(kind) if kind.is_file() && kind.len() <= MAX_JSON => Ok(kind.len()),
        Ok(_) => Err(format!("{} cannot be read: it is no file, or too long", named(path))),
        Err(e) => Err(format!("{} cannot be read: {}", named(path), brief(e))),
    }
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

/// Hands over the context line by line.
fn each_context(path: &Path, mut each: impl FnMut(Line) -> Result<(), String>) -> Result<(), String> {
    each_line(path, |line| each(serde_json::from_slice(line).map_err(|e| e.to_string())?))
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

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use crate::measure::Days;
    use crate::sighting::draft::record_id;
    use crate::sighting::line;
    use crate::sighting::testing::record;
    use serde_json::json;
    use tempfile::TempDir;

    /// A publication of so many hosts, as far as facts are read of it.
    fn folder(hosts: u8, context: &str) -> (TempDir, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let line = |n: u8| {
            let mut r = record();
            (r.host.ip, r.host.mac, r.servers) = (crate::base::Addr::v4([10, 0, 0, n]), None, vec![]);
            r.source = format!("run:{n}");
            r.id = record_id(&r.sensor, "", &r.host.ip, None, &r.indicator.id, &r.period);
            line::written(&r, false) + "\n"
        };
        put(RECORDS, &(1..=hosts).map(line).collect::<String>());
        put(CONTEXT, context);
        put(COVERAGE, "[]");
        let manifest = json!({
            "schema": "spansight.publication/1", "version": "0", "form": "full", "records": hosts, "groups": [],
            "runs": [], "files": [], "options": {
                "window": {"first": "2026-03-01", "last": "2026-03-31"}, "step": "month", "utc_offset": "+00:00",
                "by": [], "home_networks": [], "catalogue_sha256": "",
            },
        });
        (dir, serde_json::from_value(manifest).unwrap())
    }

    fn read(limits: Limits, (dir, manifest): &(TempDir, Manifest)) -> Result<Published, String> {
        let room = Room { folder: dir.path(), threads: 1 };
        Published::within(&limits, dir.path(), manifest, &room).map_err(|e| match e {
            Unread::Wrong(what) | Unread::Room(what) => what,
        })
    }

    fn interval(day: &str) -> String {
        let time = format!("2026-{day}T10:00:00Z");
        json!({"interval": {
            "source": "run:1", "kind": "arp", "segment": "", "ip": "10.0.0.1", "mac": "02:00:00:00:00:01",
            "from": time, "to": time,
        }})
        .to_string()
            + "\n"
    }

    const SOURCE: &str = "{\"source\":{\"source\":\"run:2\",\"other_flows\":false,\"dns_answers\":true}}\n";

    #[test]
    fn the_context_has_an_end() {
        let three = folder(2, &(SOURCE.to_owned() + &interval("03-01") + &interval("03-02")));
        assert_eq!(read(Limits { lines: 3, ..Limits::default() }, &three).map(|p| p.records), Ok(2));
        let error = read(Limits { lines: 2, ..Limits::default() }, &three).unwrap_err();
        assert_eq!(error, "context.ndjson, line 3: it has more than 2 lines");
        let error = read(Limits { context: 100, ..Limits::default() }, &three).unwrap_err();
        assert_eq!(error, "context.ndjson is too long");
    }

    #[test]
    fn records_that_are_counted_as_one_have_an_end() {
        let limits = Limits { together: 4, ..Limits::default() };
        let tied = |hosts: u8| read(limits, &folder(hosts, &interval("03-01"))).map(|p| p.parts());
        assert_eq!(tied(4), Ok(1));
        let error = tied(5).unwrap_err();
        assert!(error.contains("is done for 4 at most, and there are 5"), "{error}");
        // Where nothing ties them there is no need for it.
        assert_eq!(read(limits, &folder(9, SOURCE)).map(|p| p.records), Ok(9));
        // A kind that this version does not know ties nothing.
        let signal = interval("03-01").replace("interval", "signal").replace("arp", "new");
        let signal = signal.replace("\"from\"", "\"detail\":\"\",\"count\":1,\"from\"");
        assert!(!read(limits, &folder(9, &signal)).unwrap().tied);
    }

    #[test]
    fn what_is_known_beside_records_is_added() {
        let context = SOURCE.to_owned() + &interval("02-20") + &interval("02-28") + &interval("03-01");
        let both = folder(3, &context);
        let published = read(Limits::default(), &both).unwrap();
        let mut room = Part::default();
        let day = i32::try_from(crate::base::time::parse_day("2026-03-01").unwrap()).unwrap();
        let wanted = Wanted { days: vec![Days::new(day, day)], ..Wanted::default() };
        let facts = &published.part(0, &wanted, &mut room).unwrap().facts;
        assert_eq!((facts.contacts.len(), facts.intervals.len()), (3, 2), "one lies too far back");
        let sees = |source: &str| {
            let v = facts.sources.iter().find(|v| v.source == source).unwrap();
            (v.other_flows, v.dns_answers)
        };
        // Of the third the archive alone tells.
        assert_eq!([sees("run:1"), sees("run:2"), sees("run:3")], [(true, false), (true, true), (true, false)]);
        assert_eq!((published.vantages.len(), facts.sources.len()), (2, 3));
        let of = facts.intervals.iter().map(|i| facts.sources[i.source as usize].source.as_str());
        assert_eq!(of.collect::<Vec<_>>(), ["run:1", "run:1"]);
        // Whoever alters it between is told so.
        fs::write(both.0.path().join(CONTEXT), context.replace("run:1", "run:7")).unwrap();
        let mut room = Part::default();
        assert!(published.part(0, &wanted, &mut room).unwrap_err().0.contains("altered meanwhile"));
    }
}
