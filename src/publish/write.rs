//! Writing a publication.

use super::cells::Cells;
use super::context::{Line, SeenIn};
use super::folder::Folder;
use super::manifest::{GroupsUsed, Kind, Manifest, Options, RunUsed, SCHEMA, Span};
use super::recount::{For, recount};
use super::source::{Room, Unread, catalogue_path};
use super::{CELLS, COMPARISON, CONTEXT, COVERAGE, GROUPS, MANIFEST, MANIFEST_SHA256, MANIFEST_SIG, RECORDS, TREND};
use crate::base::digest::hex;
use crate::base::time::{DAY_SECS, SECOND, format_day, parse_day};
use crate::base::{Addr, Prefix, Timestamp};
use crate::catalogue::Catalogue;
use crate::measure::compare::CompareError;
use crate::measure::{Asked, Comparison, Days, Origin, Part, SourceError, Step, Trend, Wanted};
use crate::report::ndjson;
use crate::sighting::{Conceal, HomeNets, Pseudonyms};
use crate::store::custody::SealKey;
use crate::store::{StoreError, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// In which form.
#[derive(Debug)]
pub enum Form<'a> {
    /// Records as they are.
    Full,
    /// Records with pseudonyms.
    Pseudonymised(&'a Pseudonyms),
    /// Counts of groups of at least so many hosts.
    Groups(u64),
}

/// What is to be published.
pub struct Request<'a> {
    /// What is counted, and from what.
    pub asked: &'a Asked<'a>,
    /// In which form.
    pub form: Form<'a>,
    /// The window.
    pub window: Days,
    /// Length of the periods of the trend.
    pub step: Step,
    /// The window to compare it with.
    pub baseline: Option<Days>,
    /// The key that signs.
    pub key: Option<&'a SealKey>,
    /// Whether catalogues may be shown that are not the built-in one where
    /// records are not shown as they are.
    pub show_catalogue: bool,
}

/// What was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records.
    pub records: u64,
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// Whether the store counts otherwise than what was published of it.
    pub differs: bool,
    /// Catalogues of runs that were left out.
    pub catalogues_withheld: u64,
}

/// Why nothing was published. A sentence.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is something already.
    #[error("{0} is there already; a publication is never overwritten: give another name")]
    Exists(String),
    /// It cannot be made.
    #[error("cannot write {path} ({source}): check the path and its permissions")]
    Folder {
        /// The folder.
        path: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("a file of the publication cannot be written ({0})")]
    Output(#[from] io::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be counted.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The windows cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// What was asked for cannot be.
    #[error("{0}")]
    Asked(String),
    /// What was written cannot be counted.
    #[error("what was written cannot be counted: {0}")]
    Recount(String),
}

/// Takes a record of the store.
pub type Take<'t> = dyn FnMut(Stored) -> Result<(), PublishError> + 't;

/// Hands over records of some days.
pub type Records<'r> = dyn FnMut(&[Days], &mut Take<'_>) -> Result<(), PublishError> + 'r;

/// Publishes a window. `records` hands over the records of some days of the
/// store, rising and apart, and those of other days as well if that is easier.
///
/// # Errors
/// [`PublishError`]; nothing is left then.
pub fn write(to: &Path, request: &Request<'_>, records: &mut Records<'_>) -> Result<Written, PublishError> {
    if let Some(b) = request.baseline
        && b.first <= request.window.last
        && request.window.first <= b.last
    {
        return Err(CompareError::Overlap(b.to_string(), request.window.to_string()).into());
    }
    let shown = || to.display().to_string();
    let trouble = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => PublishError::Exists(shown()),
        _ => PublishError::Folder { path: shown(), source: e },
    };
    let folder = Folder::begin(to).map_err(trouble)?;
    let days = request.asked.offset.utc_of_all([Some(request.window), request.baseline].into_iter().flatten());
    let mut writing = Writing { request, folder, days };
    let mut manifest = writing.manifest()?;
    let mut written = Written { catalogues_withheld: writing.catalogues(&manifest)?, ..Written::default() };
    match request.form {
        Form::Groups(least) => writing.cells(least)?,
        Form::Full | Form::Pseudonymised(_) => {
            manifest.records = writing.records(records)?;
            writing.context()?;
            writing.coverage()?;
            written.differs = writing.figures(&manifest)?;
        }
    }
    let Writing { folder, .. } = writing;
    manifest.files = folder.listed();
    written.records = manifest.records;
    written.manifest = seal(&folder, &manifest, request.key)?;
    folder.finish().map_err(trouble)?;
    Ok(written)
}

/// The home networks with those left out that anybody can look up.
fn private_alone(home: &HomeNets) -> Vec<String> {
    let private = HomeNets::default();
    let shown = |text: String| match text.parse::<Prefix>() {
        Ok(p) if !private.contains(&Addr(p.network().to_be_bytes())) => "not shown".to_owned(),
        _ => text,
    };
    home.describe().into_iter().map(shown).collect()
}

/// Writes the manifest, its hash and its signature, and returns the hash.
fn seal(folder: &Folder, manifest: &Manifest, key: Option<&SealKey>) -> Result<String, PublishError> {
    let mut text = Vec::new();
    ndjson::write_document(&mut text, manifest)?;
    let sha256 = hex(ring::digest::digest(&ring::digest::SHA256, &text).as_ref());
    folder.unlisted(MANIFEST, &text)?;
    folder.unlisted(MANIFEST_SHA256, sums(&sha256).as_bytes())?;
    if let Some(key) = key {
        let line = format!("{}\n", key.sign(signed(&sha256).as_bytes()));
        folder.unlisted(MANIFEST_SIG, line.as_bytes())?;
    }
    Ok(sha256)
}

/// What `manifest.sha256` holds.
pub(super) fn sums(sha256: &str) -> String {
    format!("{sha256}  {MANIFEST}\n")
}

/// What is signed.
pub(super) fn signed(sha256: &str) -> String {
    format!("{SCHEMA} {sha256}\n")
}

/// A publication in the making.
struct Writing<'a> {
    request: &'a Request<'a>,
    folder: Folder,
    /// UTC days of the records.
    days: Vec<Days>,
}

impl Writing<'_> {
    fn pseudonyms(&self) -> Option<&Pseudonyms> {
        match &self.request.form {
            Form::Pseudonymised(p) => Some(p),
            _ => None,
        }
    }

    fn manifest(&self) -> Result<Manifest, PublishError> {
        let Request { asked, form, window, step, baseline, key, show_catalogue: _ } = self.request;
        let home_networks = match form {
            Form::Full => asked.home.describe(),
            Form::Pseudonymised(p) => p.home().describe(),
            Form::Groups(_) => private_alone(&asked.home),
        };
        let name = |path: &str| Path::new(path).file_name().map_or(path.into(), |n| n.to_string_lossy()).into_owned();
        let groups = asked.groups.files().into_iter();
        Ok(Manifest {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            form: match form {
                Form::Full => Kind::Full,
                Form::Pseudonymised(_) => Kind::Pseudonymised,
                Form::Groups(_) => Kind::Groups,
            },
            options: Options {
                window: Span::of(*window),
                step: step.as_str().to_owned(),
                baseline: baseline.map(Span::of),
                utc_offset: asked.offset.to_string(),
                by: asked.dimensions.clone(),
                home_networks,
                catalogue_sha256: asked.catalogue.sha256_hex(),
                catalogue_as_of: asked.as_of.as_ref().map(|a| format_day(a.day.into())),
                catalogue_of_run: asked.as_of.as_ref().is_some_and(|a| a.origin == Origin::Run),
                doubts: asked.doubts.clone(),
                counted: asked.counted_within(&[Some(*window), *baseline].into_iter().flatten().collect::<Vec<_>>()),
                min_group: if let Form::Groups(least) = form { Some(*least) } else { None },
            },
            records: 0,
            pseudonyms: self.pseudonyms().map(Pseudonyms::key_id),
            groups: groups.map(|g| GroupsUsed { name: name(&g.path), sha256: g.sha256, kind: g.kind }).collect(),
            runs: self.runs()?,
            signed_by: key.map(|k| k.public().to_string()),
            files: Vec::new(),
        })
    }

    /// The runs that saw anything of these days.
    fn runs(&self) -> Result<Vec<RunUsed>, PublishError> {
        const DAY: i64 = DAY_SECS * SECOND;
        let start = |day: i32| Timestamp(i64::from(day).saturating_mul(DAY));
        let meets = |(a, b): (Timestamp, Timestamp)| {
            self.days.iter().any(|d| a <= start(d.last.saturating_add(1)) && b >= start(d.first))
        };
        let runs = self.request.asked.source.runs()?;
        let used = runs.iter().filter(|r| r.covers.is_some_and(meets)).map(RunUsed::of);
        Ok(used.map(|run| RunUsed { sensor: self.sensor(&run.sensor), ..run }).collect())
    }

    /// How a sensor is called in what is published.
    fn sensor(&self, sensor: &str) -> String {
        match &self.request.form {
            Form::Full => sensor.to_owned(),
            Form::Pseudonymised(p) => p.sensor(sensor),
            Form::Groups(_) => String::new(),
        }
    }

    /// Writes the catalogues, and returns how many of runs were left out. What
    /// is not built in was written by somebody of those whom records are about:
    /// entries name their servers, comments may name them.
    fn catalogues(&mut self, manifest: &Manifest) -> Result<u64, PublishError> {
        let asked = self.request.asked;
        let applied = asked.catalogue.sha256_hex();
        let builtin = Catalogue::builtin().sha256_hex();
        let shown = matches!(self.request.form, Form::Full) || self.request.show_catalogue;
        let hidden = |sha256: &String| !shown && *sha256 != builtin;
        // With one catalogue for all records, those of runs tell what it could
        // not be applied to.
        let needed = manifest.runs.iter().map(|r| &r.catalogue_sha256).filter(|_| asked.as_of.is_some());
        if needed.chain([&applied]).any(&hidden) {
            let why = "a catalogue that is not the built-in one is needed, and its entries and comments would be \
                       published: give --show-catalogue if they may be, or count with the built-in one";
            return Err(PublishError::Asked(why.into()));
        }
        let withheld: BTreeSet<&String> =
            manifest.runs.iter().map(|r| &r.catalogue_sha256).filter(|s| hidden(s)).collect();
        let mut all: BTreeMap<String, crate::catalogue::LongText> = BTreeMap::new();
        for sha256 in manifest.runs.iter().map(|r| &r.catalogue_sha256).filter(|s| !withheld.contains(s)) {
            if !all.contains_key(sha256)
                && let Some(text) = asked.source.catalogue(sha256)?
            {
                all.insert(sha256.clone(), text);
            }
        }
        all.insert(applied, asked.catalogue.effective_toml());
        for (sha256, text) in all {
            self.folder.file(&catalogue_path(&sha256), |out| text.write_to(out))?;
        }
        Ok(withheld.len() as u64)
    }

    fn records(&mut self, records: &mut Records<'_>) -> Result<u64, PublishError> {
        let mut count = 0u64;
        let days = &self.days;
        let pseudonyms = match &self.request.form {
            Form::Pseudonymised(p) => Some(*p),
            _ => None,
        };
        self.folder.file(RECORDS, |out| {
            records(days, &mut |Stored { record, support }| {
                let day = parse_day(&record.period).and_then(|d| i32::try_from(d).ok());
                if !day.is_some_and(|day| days.iter().any(|d| d.contains(day))) {
                    return Ok(());
                }
                count = count.saturating_add(1);
                let record = match pseudonyms {
                    Some(p) => record.conceal(p),
                    None => record,
                };
                Ok(ndjson::write_marked(out, &record, support)?)
            })
        })?;
        Ok(count)
    }

    /// Writes what hosts are judged by beside records, and the groups of their
    /// addresses.
    fn context(&mut self) -> Result<(), PublishError> {
        let asked = self.request.asked;
        let wanted = Wanted { days: self.days.clone(), ..Wanted::default() };
        let mut lines: BTreeSet<Line> = BTreeSet::new();
        let mut addresses: Vec<Addr> = Vec::new();
        let mut room = Part::default();
        for number in 0..asked.source.parts() {
            let facts = &asked.source.part(number, &wanted, &mut room)?.facts;
            lines.extend(Line::all(facts, self.pseudonyms()));
            if !asked.groups.is_empty() {
                addresses.extend(facts.seen.iter().map(|s| s.ip).chain(facts.intervals.iter().map(|i| i.ip)));
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        self.folder.file(CONTEXT, |out| lines.iter().try_for_each(|line| ndjson::write_line(out, line)))?;
        if asked.groups.is_empty() {
            return Ok(());
        }
        let mut columns: Vec<String> = Vec::new();
        let org = asked.groups.columns().contains(&"org").then(|| "org".to_owned());
        for column in org.iter().chain(asked.dimensions.iter().flatten()) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        let first = self.days.first().map_or(0, |d| d.first);
        let days = Days::new(first, self.days.last().map_or(first, |d| d.last));
        let Some(pseudonyms) = self.pseudonyms() else {
            let shown = addresses.into_iter().map(|ip| (ip, ip));
            return Ok(self.folder.file(GROUPS, |out| asked.groups.write_table(&columns, shown, days, out))?);
        };
        let mut shown: Vec<(Addr, Addr)> = addresses.into_iter().map(|ip| (ip, pseudonyms.address(ip))).collect();
        shown.sort_unstable_by_key(|(_, shown)| *shown);
        Ok(self.folder.file(GROUPS, |out| asked.groups.write_table(&columns, shown.into_iter(), days, out))?)
    }

    /// Writes what could be seen in each period and window.
    fn coverage(&mut self) -> Result<(), PublishError> {
        let Request { asked, window, step, baseline, .. } = self.request;
        let mut all: BTreeMap<(i64, i64), SeenIn> = BTreeMap::new();
        for days in step.periods(*window).into_iter().chain([*window]).chain(*baseline) {
            let (from, to) = asked.offset.quarters(days);
            all.insert((from, to), SeenIn::of((from, to), asked.seen(from, to)?, self.pseudonyms()));
        }
        let all: Vec<SeenIn> = all.into_values().collect();
        self.folder.file(COVERAGE, |out| ndjson::write_document(out, &all))?;
        Ok(())
    }

    /// Counts what was written, and writes these figures. Says whether the
    /// store counts otherwise.
    fn figures(&mut self, manifest: &Manifest) -> Result<bool, PublishError> {
        let room = Room { folder: self.folder.beside(), threads: self.request.asked.threads };
        let found = recount(self.folder.path(), manifest, &room, For::Writing).map_err(|e| match e {
            Unread::Wrong(e) | Unread::Room(e) => PublishError::Recount(e),
        })?;
        self.folder.file(TREND, |out| ndjson::write_document(out, &found.trend))?;
        if let Some(comparison) = &found.comparison {
            self.folder.file(COMPARISON, |out| ndjson::write_document(out, comparison))?;
        }
        let Request { asked, window, step, baseline, .. } = self.request;
        let trend = Trend::new(asked, *window, *step)?;
        let mut differs = (&trend.whole, &trend.by) != (&found.trend.whole, &found.trend.by);
        if let Some((baseline, found)) = baseline.zip(found.comparison) {
            let comparison = Comparison::new(asked, baseline, *window)?;
            differs |= (&comparison.whole, &comparison.by) != (&found.whole, &found.by);
        }
        Ok(differs)
    }

    fn cells(&mut self, least: u64) -> Result<(), PublishError> {
        let Request { asked, window, step, baseline, .. } = self.request;
        if asked.dimensions.len() > 1 {
            let why = "give one breakdown: what one table leaves out could be had from another";
            return Err(PublishError::Asked(why.into()));
        }
        let mut cells = match baseline {
            None => Cells::of_trend(Trend::new(asked, *window, *step)?, least),
            Some(baseline) => Cells::of_comparison(Comparison::new(asked, *baseline, *window)?, least),
        };
        cells.forget_names();
        self.folder.file(CELLS, |out| ndjson::write_document(out, &cells))?;
        Ok(())
    }
}
