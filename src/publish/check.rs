//! Whether a publication is what was written, and its figures what its records
//! come to.

use super::cells::{Both, Count};
use super::claims::claimed_by;
use super::manifest::{Kind, Listed, Manifest, read};
use super::recount::recount;
use super::source::{Room, Unread, catalogue_path, json_in};
use super::write::{signed, sums};
use super::{CELLS, COMPARISON, MANIFEST, MANIFEST_SHA256, MANIFEST_SIG, TREND};
use crate::sighting::draft::hex;
use crate::store::custody::PublicKey;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How many figures that do not hold are listed of a file.
const LISTED: usize = 50;

/// What a check of a publication came to. The hashes of [`Checked::files`] are
/// still to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// `full`, `pseudonymised` or `groups`.
    pub form: &'static str,
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// Records, as the manifest says.
    pub records: u64,
    /// The key whose signature holds.
    pub signed_by: Option<String>,
    /// Files that the manifest lists.
    pub files: Vec<Listed>,
    /// Files that it does not list and that belong to it.
    pub own: Vec<&'static str>,
    /// What is not as it was written, a sentence each.
    pub findings: Vec<String>,
    /// The figures of each file.
    pub figures: Vec<Figures>,
    /// What cannot be told, a sentence each.
    pub limits: Vec<String>,
}

/// The figures of a file against what was counted again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The file.
    pub file: String,
    /// How many hold.
    pub held: u64,
    /// Those that do not, by their JSON pointer (RFC 6901): a sentence each.
    pub wrong: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

impl Figures {
    pub(super) fn new(file: &str) -> Self {
        Figures { file: file.to_owned(), ..Figures::default() }
    }

    pub(super) fn wrong(&mut self, what: impl FnOnce() -> String) {
        if self.wrong.len() < LISTED {
            self.wrong.push(what());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if holds {
            self.held = self.held.saturating_add(1);
        } else {
            self.wrong(otherwise);
        }
    }

    /// Compares values, leaf by leaf.
    pub(super) fn compare(&mut self, claimed: Option<&Value>, found: Option<&Value>, path: &str) {
        match (claimed, found) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                    let below = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.compare(a.get(key), b.get(key), &below);
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.compare(a.get(at), b.get(at), &format!("{path}/{at}"));
                }
            }
            (a, b) => {
                let shown = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), short);
                self.require(a == b, || format!("{path}: claimed {}, counted {}", shown(a), shown(b)));
            }
        }
    }
}

/// A value in a sentence.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

impl Checked {
    /// Whether all is as it was written, and all figures hold; apart from the
    /// hashes of the files.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.figures.iter().all(|f| f.wrong.is_empty())
    }
}

/// Checks a publication. With a key, its signature is wanted; with a report, as
/// JSON, its figures are held against the records, too.
///
/// # Errors
/// A sentence on why there is nothing to check.
pub fn check(
    folder: &Path,
    key: Option<&PublicKey>,
    report: Option<&Path>,
    room: &Room<'_>,
) -> Result<Checked, String> {
    let (manifest, text) = read(folder).map_err(|e| format!("{}: {e}", folder.join(MANIFEST).display()))?;
    let mut checked = Checked {
        form: manifest.form.as_str(),
        manifest: hex(ring::digest::digest(&ring::digest::SHA256, &text).as_ref()),
        records: manifest.records,
        files: manifest.files.clone(),
        own: vec![MANIFEST, MANIFEST_SHA256, MANIFEST_SIG],
        ..Checked::default()
    };
    checked.origin(folder, &manifest, key);
    if manifest.form == Kind::Groups {
        if report.is_some() {
            checked.findings.push("has no records that a report could be held against".into());
        }
        checked.cells(folder, &manifest);
        return Ok(checked);
    }
    match recount(folder, &manifest, room) {
        Err(Unread::Room(e)) => return Err(e),
        Err(Unread::Wrong(e)) => checked.findings.push(format!("cannot be counted again: {e}")),
        Ok(found) => {
            if found.records != manifest.records {
                let claimed = manifest.records;
                let what = format!("has {} records, and {MANIFEST} says {claimed}", found.records);
                checked.findings.push(what);
            }
            let same_version = manifest.version == env!("CARGO_PKG_VERSION");
            checked.claims(folder, TREND, &found.trend, same_version);
            if let Some(comparison) = &found.comparison {
                checked.claims(folder, COMPARISON, comparison, same_version);
            }
            if let Some(path) = report {
                checked.figures.push(claimed_by(path, &found)?);
            }
            if !same_version {
                let (theirs, ours) = (&manifest.version, env!("CARGO_PKG_VERSION"));
                checked.limits.push(format!(
                    "it was made by version {theirs}, and counted again by {ours}; what the method says was not compared"
                ));
            }
        }
    }
    checked.limits.push(
        "what the sensors could see, and that no record was left out before, is the publisher's word: \
         records do not show it"
            .into(),
    );
    Ok(checked)
}

impl Checked {
    /// Hash and signature of the manifest, and that catalogues are those named.
    fn origin(&mut self, folder: &Path, manifest: &Manifest, key: Option<&PublicKey>) {
        let mut finding = |what: String| self.findings.push(what);
        if short_file(folder, MANIFEST_SHA256).as_deref() != Some(sums(&self.manifest).as_str()) {
            finding(format!("{MANIFEST_SHA256} is not the hash of {MANIFEST}: one of the two was altered"));
        }
        let signature = short_file(folder, MANIFEST_SIG);
        match (&manifest.signed_by, signature) {
            (None, None) => {}
            (None, Some(_)) => finding(format!("{MANIFEST_SIG} was added: {MANIFEST} names no key")),
            (Some(_), None) => finding(format!("{MANIFEST_SIG} is missing or too long")),
            (Some(by), Some(signature)) => {
                let text = signed(&self.manifest);
                let bare = signature.strip_suffix('\n').unwrap_or_default();
                let holds = PublicKey::read(by.as_bytes()).is_ok_and(|k| k.holds(text.as_bytes(), bare));
                if holds {
                    self.signed_by = Some(by.clone());
                } else {
                    finding(format!("{MANIFEST_SIG} is no signature of {MANIFEST} by {by}"));
                }
            }
        }
        if let Some(key) = key
            && self.signed_by != Some(key.to_string())
        {
            finding(format!("there is no signature that holds by {key}"));
        }
        for file in &manifest.files {
            let sha256 = file.path.strip_prefix("catalogue-").and_then(|p| p.strip_suffix(".toml"));
            if sha256.is_some_and(|s| s != file.sha256 || catalogue_path(s) != file.path) {
                finding(format!("{} is not the catalogue that its name says", file.path));
            }
        }
        match &self.signed_by {
            None => self.limits.push("it is not signed: who wrote it cannot be told from it".into()),
            Some(by) if key.is_none() => self
                .limits
                .push(format!("it is signed by {by}: whose key that is, you must know from elsewhere (--key)")),
            Some(_) => {}
        }
    }

    fn claims(&mut self, folder: &Path, file: &'static str, found: &impl serde::Serialize, same_version: bool) {
        let mut figures = Figures::new(file);
        // Both are read from text, so that numbers are rounded alike.
        let found: Option<Value> = serde_json::to_string(found).ok().and_then(|t| serde_json::from_str(&t).ok());
        match json_in::<Value>(folder, file) {
            Err(e) => self.findings.push(e),
            Ok(mut claimed) => {
                let mut found = found.unwrap_or_default();
                if !same_version {
                    for value in [&mut claimed, &mut found] {
                        if let Some(method) = value.get_mut("method").and_then(Value::as_object_mut) {
                            method.remove("version");
                            method.remove("text");
                        }
                    }
                }
                figures.compare(Some(&claimed), Some(&found), "");
                self.figures.push(figures);
            }
        }
    }

    /// What counts of groups can show without records: that they agree with
    /// each other.
    fn cells(&mut self, folder: &Path, manifest: &Manifest) {
        let read: Cells = match json_in(folder, CELLS) {
            Ok(cells) => cells,
            Err(e) => return self.findings.push(e),
        };
        let mut figures = Figures::new(CELLS);
        figures.require(Some(read.min_group) == manifest.options.min_group, || {
            format!("/min_group: claimed {}, and {MANIFEST} says otherwise", read.min_group)
        });
        let equal = matches!(read.windows.as_slice(), [a, b] if a.days.days == b.days.days);
        for (signal, pick) in [("update", 0), ("reputation", 1)] {
            for (at, row) in read.rows.iter().enumerate() {
                let path = format!("/rows/{at}/{signal}");
                match row.kept(pick) {
                    Kept::Periods(all) => {
                        let shown = all.iter().enumerate().filter_map(|(n, c)| Some((n, c.as_ref()?)));
                        shown.for_each(|(n, c)| figures.count(c, &format!("{path}/{n}"), read.min_group));
                    }
                    Kept::Windows(Some(both)) => figures.both(both, &path, read.min_group, equal),
                    Kept::Windows(None) => {}
                }
            }
            let (total, groups) = match read.rows.split_last() {
                Some((total, groups)) if total.group.is_none() => (total.kept(pick), groups),
                _ => {
                    figures.wrong(|| "/rows: there is no total".to_owned());
                    continue;
                }
            };
            for at in 0..total.len() {
                let Some(whole) = total.hosts(at) else { continue };
                let counts: Vec<Option<u64>> = groups.iter().map(|g| g.kept(pick).hosts(at)).collect();
                let path = format!("/rows/{}/{signal}/{at}", groups.len());
                let most = counts.iter().copied().flatten().max().unwrap_or(0);
                figures.require(most <= whole, || format!("{path}: claimed {whole}, and one group alone has {most}"));
                if !counts.is_empty() && counts.iter().all(Option::is_some) {
                    let sum: u64 = counts.iter().copied().flatten().fold(0, u64::saturating_add);
                    figures.require(whole <= sum, || format!("{path}: claimed {whole}, and all groups have {sum}"));
                }
            }
        }
        self.figures.push(figures);
        self.limits.push(
            "it has no records: counts, bounds and coverage are the publisher's word. Shown is only that counts and \
             bounds agree with each other and with the totals, that shares and changes are those of the counts, and \
             that no count is below --min-group"
                .into(),
        );
    }
}

impl Figures {
    fn count(&mut self, c: &Count, path: &str, least: u64) {
        let Count { lower, hosts, upper, .. } = *c;
        self.require(lower <= hosts && hosts <= upper, || {
            format!("{path}: claimed {hosts} hosts, at least {lower} and at most {upper}")
        });
        self.require(hosts == 0 || hosts >= least, || format!("{path}: {hosts} hosts are fewer than {least}"));
    }

    fn both(&mut self, both: &Both, path: &str, least: u64, equal: bool) {
        self.count(&both.baseline, &format!("{path}/baseline"), least);
        self.count(&both.current, &format!("{path}/current"), least);
        let still = both.still;
        self.require(still <= both.baseline.hosts && still <= both.current.hosts, || {
            format!("{path}/still: claimed {still}, more than in one of the windows")
        });
        let again = Both::new(both.baseline, both.current, still, equal);
        let value = |b: &Both| serde_json::to_value(b).unwrap_or_default();
        self.compare(Some(&value(both)), Some(&value(&again)), path);
    }
}

/// A short text file of the folder.
fn short_file(folder: &Path, name: &str) -> Option<String> {
    const MOST: u64 = 4096;
    let path = folder.join(name);
    path.symlink_metadata().ok().filter(|kind| kind.is_file() && kind.len() <= MOST)?;
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// As much of the counts of groups as is checked.
#[derive(Debug, Deserialize)]
struct Cells {
    min_group: u64,
    windows: Vec<Window>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Window {
    days: Length,
}

#[derive(Debug, Deserialize)]
struct Length {
    days: u64,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    group: Option<Value>,
    update: Kept,
    reputation: Kept,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kept {
    Periods(Vec<Option<Count>>),
    Windows(Option<Both>),
}

impl Row {
    fn kept(&self, signal: usize) -> &Kept {
        if signal == 0 { &self.update } else { &self.reputation }
    }
}

impl Kept {
    /// How many counts can be compared with the total.
    fn len(&self) -> usize {
        match self {
            Kept::Periods(all) => all.len(),
            Kept::Windows(_) => 2,
        }
    }

    fn hosts(&self, at: usize) -> Option<u64> {
        match self {
            Kept::Periods(all) => all.get(at)?.map(|c| c.hosts),
            Kept::Windows(both) => {
                let both = both.as_ref()?;
                Some(if at == 0 { both.baseline.hosts } else { both.current.hosts })
            }
        }
    }
}
