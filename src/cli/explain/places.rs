//! Where a frame may be read again.

use crate::capture::{self, Expansion};
use crate::cli::args::ExplainArgs;
use crate::cli::exit::{Stop, say};
use crate::cli::places;
use crate::cli::stored::Kept;
use crate::report::evidence::ENDING;
use crate::sighting::Evidence;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that are noted of all folders together.
const MAX_FILES: usize = 1 << 18;
/// Files that are tried for one frame.
const MAX_TRIED: usize = 8;

/// The paths that captures were read at, and what the folders hold.
#[derive(Default)]
pub(super) struct Places {
    /// By source.
    read_at: HashMap<String, Vec<PathBuf>>,
    /// Sizes of sources.
    sizes: HashMap<String, u64>,
    /// Files of the folders, by what their names begin with.
    by_name: HashMap<String, Vec<PathBuf>>,
    by_size: HashMap<u64, Vec<PathBuf>>,
    /// Files of packets in folders of evidence.
    evidence: Vec<PathBuf>,
    /// What is written, and must be none of these.
    output: Option<PathBuf>,
    unreadable: Cell<u64>,
}

impl Places {
    /// Looks through the folders.
    ///
    /// # Errors
    /// The store's, where a folder given cannot be read, and where the output would
    /// be one of the files.
    pub(super) fn new(kept: &Kept, args: &ExplainArgs) -> Result<Self, Stop> {
        let ExplainArgs { captures, evidence_dir, output, .. } = args;
        places::check_outside("--output", output.as_deref(), evidence_dir)?;
        let mut places = Places { output: output.clone(), ..Places::default() };
        // Records of an archive say the paths alone.
        if let Kept::Store(measured) = kept {
            let store = measured.store();
            for (source, path) in store.paths()? {
                places.read_at.entry(source).or_default().push(path.into());
            }
            if !captures.is_empty() {
                for source in store.sources()? {
                    places.sizes.extend(source.size.map(|size| (source.source, size)));
                }
            }
        }
        let mut noted = 0usize;
        for folder in captures {
            for path in list("--captures", folder)? {
                noted = noted.saturating_add(1);
                if noted > MAX_FILES {
                    say(format_args!("--captures: more than {MAX_FILES} files; those beyond are not looked at"));
                    break;
                }
                if let Ok(meta) = fs::metadata(&path) {
                    places.by_size.entry(meta.len()).or_default().push(path.clone());
                }
                places.by_name.entry(stem(&path)).or_default().push(path);
            }
        }
        for folder in evidence_dir {
            let files = list("--evidence-dir", folder)?;
            places.check_output(&files)?;
            places.evidence.extend(files.into_iter().filter(|p| p.extension().is_some_and(|e| e == ENDING)));
        }
        places.check_output(places.read_at.values().chain(places.by_name.values()).flatten())?;
        Ok(places)
    }

    /// Refuses to write over any of these files.
    ///
    /// # Errors
    /// Wrong usage, where one of them is the output.
    pub(super) fn check_output<'p>(&self, files: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Stop> {
        let output = self.output.as_deref();
        places::check(&[("--output", output)], files.into_iter().map(PathBuf::as_path))
    }

    /// Captures that may hold a frame of a record of that source, the likeliest
    /// first.
    pub(super) fn of(&self, source: &str, e: &Evidence) -> Vec<PathBuf> {
        let Some(path) = e.path.as_deref() else { return Vec::new() };
        let path = Path::new(path);
        let mut found: Vec<PathBuf> = Vec::new();
        let mut add = |p: &PathBuf| {
            if found.len() < MAX_TRIED && !found.contains(p) {
                found.push(p.clone());
            }
        };
        let own = self.read_at.get(source);
        own.into_iter().flatten().filter(|p| p.file_name() == path.file_name()).for_each(&mut add);
        own.into_iter().flatten().for_each(&mut add);
        // A flow that runs over rotated files has its evidence in several.
        let mut others: Vec<&PathBuf> = self.read_at.values().flatten().filter(|p| p.ends_with(path)).collect();
        others.sort();
        others.into_iter().for_each(&mut add);
        if own.is_none() {
            add(&path.to_owned());
        }
        let named = self.by_name.get(&stem(path));
        named.into_iter().flatten().filter(|p| p.ends_with(path)).for_each(&mut add);
        named.into_iter().flatten().for_each(&mut add);
        let same = self.sizes.get(source).and_then(|size| self.by_size.get(size));
        same.into_iter().flatten().for_each(&mut add);
        found
    }

    /// The files of packets in folders of evidence.
    pub(super) fn evidence(&self) -> &[PathBuf] {
        &self.evidence
    }

    /// Notes that a file could not be read as far as it was to be.
    pub(super) fn note_unreadable(&self) {
        self.unreadable.set(self.unreadable.get().saturating_add(1));
    }

    /// How many could not.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.get()
    }
}

/// The files below a folder.
fn list(option: &str, folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    if let Err(e) = fs::read_dir(folder) {
        return Err(Stop::usage(format_args!("{option} {}: {e}; name a folder that can be read", folder.display())));
    }
    let mut paths: Vec<PathBuf> = capture::files(folder, &mut Expansion::default());
    paths.iter_mut().for_each(|p| *p = folder.join(&p));
    paths.sort();
    Ok(paths)
}

/// A file's name without what tells how it is compressed.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_else(|| OsStr::new("")).to_string_lossy().into_owned();
    let endings = [".gz", ".zst", ".xz", ".lz4", ".bz2"];
    let cut = endings.iter().find_map(|e| name.strip_suffix(e)).map(str::to_owned);
    cut.unwrap_or(name)
}
