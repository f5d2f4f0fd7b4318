//! Built-in files and files of the user to a compiled catalogue.

use super::error::CatalogueError;
use super::file::{CatalogueFile, Draft};
use super::known::Known;
use super::matcher::Matcher;
use super::{Catalogue, Indicator, Use};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::io::Read;
use std::path::{Path, PathBuf};

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
        let mut errors = CatalogueError::default();
        let mut budget = BYTES_MAX;
        let builtin = |(label, text): (&str, &str)| CatalogueFile { label: label.to_owned(), text: text.to_owned() };
        let base = match replace {
            None => Some(builtin(KASPERSKY)),
            Some(path) => read_file(path, &mut budget, &mut errors),
        };
        let mut texts: Vec<CatalogueFile> = base.into_iter().collect();
        let added: Vec<_> = add.iter().filter_map(|path| read_file(path, &mut budget, &mut errors)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        texts.push(builtin(COVERAGE));
        texts.extend(added);
        Self::from_files(texts, replace.is_some())
    }

    /// Reads and compiles files: the first is the base, the second holds the
    /// tables for coverage, which the base replaces if it has such tables and
    /// `replaced` is set.
    fn from_files(mut files: Vec<CatalogueFile>, replaced: bool) -> Result<Self, CatalogueError> {
        let mut errors = CatalogueError::default();
        let mut draft = Draft::default();
        draft.read(&files, 0, &mut errors);
        if replaced && (!draft.ech_public_names.is_empty() || !draft.encrypted_dns.is_empty()) && files.len() > 1 {
            files.remove(1);
        }
        for number in 1..files.len() {
            let before = draft.entries();
            draft.read(&files, number, &mut errors);
            if draft.entries() == before && errors.is_empty() {
                let label = files.get(number).map_or("", |f| &f.label);
                errors.push(label, "empty catalogue: the file has no entry");
            }
        }
        if errors.is_empty() && draft.indicators.is_empty() {
            let label = files.first().map_or("", |f| &f.label);
            errors.push(label, "empty catalogue: there is no indicator");
        }
        let known = Known::new(&mut draft);
        let indicators = std::mem::take(&mut draft.indicators);
        drop(draft);
        Self::compile(indicators, known, files, errors)
    }

    fn compile(
        indicators: Vec<Indicator>,
        known: Known,
        files: Vec<CatalogueFile>,
        mut errors: CatalogueError,
    ) -> Result<Self, CatalogueError> {
        if errors.is_empty() && indicators.iter().all(|i| i.usage == Use::Off) {
            let label = files.first().map_or("", |f| &f.label);
            errors.push(label, "empty catalogue: every indicator is off");
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let matcher = Matcher::new(&indicators, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut by_id = HashTable::with_capacity(indicators.len());
        let hash_at = |at: &u32| indicators.get(*at as usize).map_or(0, |i| hash(&i.id));
        for (indicator, at) in indicators.iter().zip(0..) {
            by_id.insert_unique(hash(&indicator.id), at, hash_at);
        }
        Ok(Catalogue { indicators, by_id, known, matcher, files })
    }

    /// The same catalogue as of a day: entries outside their validity are off.
    ///
    /// # Errors
    ///
    /// If no indicator is left to match.
    pub fn as_of(&self, day: i64) -> Result<Self, CatalogueError> {
        let mut indicators = self.indicators.clone();
        for i in &mut indicators {
            if i.valid_from.is_some_and(|from| day < from) || i.valid_until.is_some_and(|until| day > until) {
                i.usage = Use::Off;
            }
        }
        Self::compile(indicators, self.known.clone(), self.files.clone(), CatalogueError::default())
    }
}

/// Hash of an id.
pub(super) fn hash(id: &str) -> u64 {
    FixedState::default().hash_one(id)
}

/// Reads a file into memory, within what is left of `budget` bytes.
fn read_file(path: &Path, budget: &mut u64, errors: &mut CatalogueError) -> Option<CatalogueFile> {
    let label = path.display().to_string();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(*budget + 1).read_to_end(&mut bytes));
    if let Err(why) = read {
        errors.push(&label, format!("the catalogue cannot be read: {why}"));
        return None;
    }
    let Some(left) = u64::try_from(bytes.len()).ok().and_then(|n| budget.checked_sub(n)) else {
        errors.push(&label, format!("the files of the catalogue are larger than {} MiB together", BYTES_MAX >> 20));
        return None;
    };
    *budget = left;
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Some(CatalogueFile { label, text })
        }
        Err(e) => {
            let valid = e.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(e.as_bytes().get(..valid).unwrap_or_default());
            errors.push_at(&label, &text, valid, "the file is not UTF-8 text");
            None
        }
    }
}
