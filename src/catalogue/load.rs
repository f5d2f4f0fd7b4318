//! Built-in files and files of the user to a compiled catalogue.

use super::entries::Entries;
use super::error::CatalogueError;
use super::file::{CatalogueFile, Draft};
use super::known::Known;
use super::matcher::Matcher;
use super::pieces::{self, Origin};
use super::text::LongText;
use super::{Catalogue, Use};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The built-in indicators.
const KASPERSKY: (&str, &str) = ("built-in kaspersky.toml", include_str!("kaspersky.toml"));
/// The built-in tables for coverage.
const COVERAGE: (&str, &str) = ("built-in coverage.toml", include_str!("coverage.toml"));
/// All files of a catalogue together; some two million entries.
const BYTES_MAX: u64 = 1 << 29;

impl Catalogue {
    /// The catalogue that is part of the program.
    pub fn builtin() -> Self {
        // It is constant, and a test loads it.
        Self::load(None, &[]).unwrap_or_default()
    }

    /// The built-in catalogue or the file that replaces it, extended by
    /// further files.
    ///
    /// The built-in tables for coverage (ECH public names, encrypted
    /// resolvers) stay unless the replacing file has one of them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and everything that is wrong in any file;
    /// also a catalogue in which no indicator is left to match.
    pub fn load(replace: Option<&Path>, add: &[PathBuf]) -> Result<Self, CatalogueError> {
        let mut load = Load::default();
        match replace {
            None => load.builtin(KASPERSKY),
            Some(path) => load.file(path),
        }
        let own = !load.draft.ech_public_names.is_empty() || !load.draft.encrypted_dns.is_empty();
        if replace.is_none() || !own {
            load.builtin(COVERAGE);
        }
        for path in add {
            let before = load.draft.entries();
            load.file(path);
            if load.draft.entries() == before && load.errors.is_empty() {
                load.problem("empty catalogue: the file has no entry");
            }
        }
        if load.errors.is_empty() && load.draft.entries.len() == 0 {
            load.labels.truncate(1);
            load.problem("empty catalogue: there is no indicator");
        }
        load.compile()
    }

    /// A catalogue from the text that [`Catalogue::effective_toml`] gave, as a
    /// store keeps it; `label` names it where something is wrong.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in it.
    pub fn from_effective(label: &str, text: &LongText) -> Result<Self, CatalogueError> {
        let mut load = Load::default();
        load.read(label.to_owned(), &mut text.to_text().as_bytes());
        if load.errors.is_empty() && load.draft.entries.len() == 0 {
            load.problem("empty catalogue: there is no indicator");
        }
        load.compile()
    }

    fn compile(
        entries: Entries,
        known: Known,
        files: Vec<CatalogueFile>,
        mut errors: CatalogueError,
    ) -> Result<Self, CatalogueError> {
        if errors.is_empty() && entries.uses().all(|u| u == Use::Off) {
            let label = files.first().map_or("", |f| &f.label);
            errors.push(label, "empty catalogue: every indicator is off");
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let matcher = Matcher::new(&entries, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Catalogue { entries, known, matcher, files, sha256: OnceLock::new() })
    }

    /// The same catalogue as of a day: entries outside their validity are off.
    ///
    /// # Errors
    ///
    /// If no indicator is left to match.
    pub fn as_of(&self, day: i64) -> Result<Self, CatalogueError> {
        let outside = |(from, until): (Option<i64>, Option<i64>)| {
            from.is_some_and(|from| day < from) || until.is_some_and(|until| day > until)
        };
        let entries = self.entries.with_off(|i| outside(i.validity()));
        Self::compile(entries, self.known.clone(), self.files.clone(), CatalogueError::default())
    }
}

/// Files on their way into a catalogue.
struct Load {
    draft: Draft,
    files: Vec<CatalogueFile>,
    labels: Vec<String>,
    errors: CatalogueError,
    budget: u64,
}

impl Default for Load {
    fn default() -> Self {
        let (draft, errors) = (Draft::default(), CatalogueError::default());
        Load { draft, files: Vec::new(), labels: Vec::new(), errors, budget: BYTES_MAX }
    }
}

impl Load {
    fn compile(self) -> Result<Catalogue, CatalogueError> {
        let Load { mut draft, files, errors, .. } = self;
        let known = Known::new(&mut draft);
        let mut entries = std::mem::take(&mut draft.entries);
        drop(draft);
        entries.finish();
        Catalogue::compile(entries, known, files, errors)
    }

    /// A problem of the last file.
    fn problem(&mut self, reason: &str) {
        let label = self.labels.last().map_or("", String::as_str);
        self.errors.push(label, reason);
    }

    fn builtin(&mut self, (label, text): (&str, &str)) {
        let before = self.budget;
        self.draft.trusted = true;
        self.read(label.to_owned(), &mut text.as_bytes());
        self.draft.trusted = false;
        self.budget = before;
    }

    fn file(&mut self, path: &Path) {
        let label = path.display().to_string();
        match std::fs::File::open(path) {
            Ok(mut file) => self.read(label, &mut file),
            Err(why) => self.errors.push(&label, format!("the catalogue cannot be read: {why}")),
        }
    }

    fn read(&mut self, label: String, input: &mut dyn Read) {
        self.labels.push(label.clone());
        let mut origin = Origin { labels: &self.labels, budget: &mut self.budget, most: BYTES_MAX };
        let text = pieces::read(input, &mut origin, &mut self.draft, &mut self.errors);
        self.files.push(CatalogueFile { label, text });
    }
}

/// Hash of an id.
pub(super) fn hash(id: &str) -> u64 {
    hash_bytes(id.as_bytes())
}

/// The same of its bytes.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}
