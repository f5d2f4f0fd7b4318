//! Whether a publication is what was written, and its figures what its records
//! come to.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::agree;
use super::claims::claimed_by;
use super::manifest::{Kind, Listed, Manifest, read};
use super::recount::{For, recount};
use super::source::{Room, Unread, catalogue_path, size_in, value_in};
use super::strict;
use super::write::{signed, sums};
use super::{COMPARISON, MANIFEST, MANIFEST_SHA256, MANIFEST_SIG, TREND};
use crate::base::digest::hex;
use crate::base::{Few, brief};
use crate::store::custody::PublicKey;
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How many findings are listed.
pub const FINDINGS: usize = 1000;
/// How many figures that do not hold are listed of a file, and as many that were
/// not checked.
pub const LISTED: usize = 50;

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
    pub findings: Few<FINDINGS>,
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
    pub wrong: Few<LISTED>,
    /// Those that cannot be counted from this publication, right or wrong: a
    /// sentence each.
    pub uncounted: Few<LISTED>,
    /// Members that nothing was held against.
    pub unchecked: Few<LISTED>,
}

impl Figures {
    pub(super) fn new(file: &str) -> Self {
        Figures { file: file.to_owned(), ..Figures::default() }
    }

    pub(super) fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.wrong.push_with(what);
    }

    pub(super) fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if holds {
            self.held = self.held.saturating_add(1);
        } else {
            self.wrong(otherwise);
        }
    }

    /// Compares values, leaf by leaf.
    pub(super) fn compare(&mut self, claimed: Option<&Value>, found: Option<&Value>, path: &str) {
        self.compare_at(claimed, found, &Pointer::To(path));
    }

    fn compare_at(&mut self, claimed: Option<&Value>, found: Option<&Value>, path: &Pointer<'_>) {
        match (claimed, found) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                    self.compare_at(a.get(key), b.get(key), &Pointer::Member(path, key));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.compare_at(a.get(at), b.get(at), &Pointer::Entry(path, at));
                }
            }
            (a, b) => {
                let shown = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), brief);
                self.require(a == b, || format!("{}: claimed {}, counted {}", brief(path), shown(a), shown(b)));
            }
        }
    }
}

/// Refuses what is longer than the manifest says by so much that it is not
/// worth reading: who adds to a file must not make others read without end.
fn sizes(folder: &Path, manifest: &Manifest) -> Result<(), String> {
    const SLACK: u64 = 1 << 20;
    for file in &manifest.files {
        let there = folder.join(&file.path).symlink_metadata();
        if there.is_ok_and(|kind| kind.len() > file.size.saturating_add(SLACK)) {
            return Err(format!("{} is much longer than {MANIFEST} says", brief(&file.path)));
        }
    }
    Ok(())
}

/// A JSON pointer (RFC 6901), put together only where it is shown.
enum Pointer<'p> {
    To(&'p str),
    Member(&'p Pointer<'p>, &'p str),
    Entry(&'p Pointer<'p>, usize),
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pointer::To(path) => f.write_str(path),
            Pointer::Member(above, key) => write!(f, "{above}/{}", key.replace('~', "~0").replace('/', "~1")),
            Pointer::Entry(above, at) => write!(f, "{above}/{at}"),
        }
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
    let (mut manifest, text) = read(folder).map_err(|e| format!("{}: {e}", folder.join(MANIFEST).display()))?;
    let mut checked = Checked {
        form: manifest.form.as_str(),
        manifest: hex(ring::digest::digest(&ring::digest::SHA256, &text).as_ref()),
        records: manifest.records,
        own: vec![MANIFEST, MANIFEST_SHA256, MANIFEST_SIG],
        ..Checked::default()
    };
    checked.origin(folder, &manifest, key);
    if !same_version(&manifest) {
        let (theirs, ours) = (brief(&manifest.version), env!("CARGO_PKG_VERSION"));
        checked.limits.push(format!(
            "it was made by version {theirs}, and checked by {ours}; what the method says was not compared"
        ));
    }
    if manifest.form == Kind::Groups {
        if report.is_some() {
            checked.findings.push("has no records that a report could be held against".into());
        }
        agree::check(&mut checked, folder, &manifest);
        checked.files = std::mem::take(&mut manifest.files);
        return Ok(checked);
    }
    let counted = sizes(folder, &manifest)
        .map_err(Unread::Wrong)
        .and_then(|()| recount(folder, &manifest, room, For::Claims { total: report.is_some() }));
    match counted {
        Err(Unread::Room(e)) => return Err(e),
        Err(Unread::Wrong(e)) => checked.findings.push(format!("cannot be counted again: {}", brief(e))),
        Ok(found) => {
            if found.records != manifest.records {
                let claimed = manifest.records;
                let what = format!("has {} records, and {MANIFEST} says {claimed}", found.records);
                checked.findings.push(what);
            }
            let same_version = same_version(&manifest);
            checked.claims(folder, TREND, &found.trend, same_version);
            if let Some(comparison) = &found.comparison {
                checked.claims(folder, COMPARISON, comparison, same_version);
            }
            if let Some(path) = report {
                checked.figures.push(claimed_by(path, &found)?);
            }
        }
    }
    checked.limits.push(
        "what the sensors could see, which runs with which catalogues it is from, whether hosts may count twice, and \
         that no record was left out before, is the publisher's word: \
         records do not show it"
            .into(),
    );
    checked.files = std::mem::take(&mut manifest.files);
    Ok(checked)
}

/// Whether it was made by this version: another one may say otherwise how it
/// counts.
pub(super) fn same_version(manifest: &Manifest) -> bool {
    manifest.version == env!("CARGO_PKG_VERSION")
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
                    finding(format!("{MANIFEST_SIG} is no signature of {MANIFEST} by {}", brief(by)));
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
                finding(format!("{} is not the catalogue that its name says", brief(&file.path)));
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
        match size_in(folder, file) {
            Err(e) => return self.findings.push(e),
            Ok(size) => {
                if let Err(what) = fits(found, size) {
                    figures.wrong(|| what);
                    return self.figures.push(figures);
                }
            }
        }
        // Both are read from text, so that numbers are rounded alike.
        let found: Option<Value> = serde_json::to_string(found).ok().and_then(|t| serde_json::from_str(&t).ok());
        let mut found = found.unwrap_or_default();
        // What has many more values cannot be the same.
        let most = strict::size(&found).saturating_mul(2).saturating_add(10_000);
        match value_in(folder, file, most) {
            Err(e) => self.findings.push(e),
            Ok(mut claimed) => {
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
}

/// Whether what was counted can be what a file of that size claims: it is not
/// put together where it has more than that. An error is a sentence.
pub(super) fn fits(found: &impl serde::Serialize, size: u64) -> Result<(), String> {
    /// For what the file may tell otherwise: the method, of another version.
    const ELSE: u64 = 1 << 20;
    let mut length = Length(0);
    let written = serde_json::to_writer(&mut length, found);
    let holds = written.is_ok() && length.0 <= size.saturating_add(ELSE);
    if holds { Ok(()) } else { Err(format!("it has {size} bytes, and what was counted {}", length.0)) }
}

/// How much is written.
struct Length(u64);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
