//! The store as a folder: sighting records by the ten million, for counting.
//!
//! An archive holds records and the account of its imports; no packets were
//! seen by who wrote it, so it has neither coverage nor intervals of addresses.
//! Records lie in one file, in pieces (`piece.rs`) of some hosts each: within a
//! piece by host, day, indicator and source, in blocks (`block.rs`) of columns. A
//! manifest (`manifest.rs`) names the file, its SHA-256, and where each piece lies.
//!
//! An import spools its rows by partition (`row.rs`), a hash of the
//! host, and then writes the file anew, piece by piece, with what the archive
//! had before; contributions of one source and id are united as in a store of
//! one file. Then the manifest is replaced, and with it the archive in one step:
//! whatever happens before leaves it as it was. Nothing depends on the number of
//! threads.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod account;
mod apart;
mod block;
mod cursor;
mod facts;
mod import;
mod manifest;
mod parse;
mod piece;
mod read;
mod row;
mod source;
mod spool;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
mod verify;

pub use facts::{ImportOf, NamesInto};
pub use import::Import;
pub use manifest::MANIFEST;
pub use parse::{LineReader, Rows};
pub use verify::Checked;

use super::Result;
use super::error::{Place, StoreError};
use crate::base::brief;
use apart::Together;
use manifest::{MAX_MANIFEST, Manifest, SCHEMA};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Partitions that hosts are dealt to.
const PARTITIONS: usize = 256;

/// An archive that is open for reading.
#[derive(Debug)]
pub struct Archive {
    folder: PathBuf,
    manifest: Manifest,
    /// `None` while there are no records.
    data: Option<File>,
    /// Hosts that are in a part of their own.
    together: OnceLock<Result<Together>>,
}

impl Archive {
    /// Whether a path means an archive: a folder, or the name of one to be made,
    /// which ends with a slash.
    pub fn is_meant(path: &Path) -> bool {
        path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
    }

    /// Whether there is an archive at that path.
    pub fn is_at(path: &Path) -> bool {
        path.join(MANIFEST).is_file()
    }

    /// Opens an archive for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, [`StoreError::TooNew`], and
    /// what reading fails with.
    pub fn open(folder: &Path) -> Result<Archive> {
        let place = Place(folder.to_owned());
        let Some(manifest) = read_manifest(folder)? else {
            return Err(if folder.is_dir() { StoreError::NotAStore { place } } else { StoreError::Missing { place } });
        };
        let data = match &manifest.data {
            None => None,
            Some(listed) => Some(open_listed(folder, listed)?),
        };
        Ok(Archive { folder: folder.to_owned(), manifest, data, together: OnceLock::new() })
    }

    /// Contributions that it holds.
    pub fn records(&self) -> u64 {
        self.manifest.records
    }

    fn place(&self) -> Place {
        Place(self.folder.clone())
    }
}

/// The manifest of a folder, if it has one.
fn read_manifest(folder: &Path) -> Result<Option<Manifest>> {
    let place = || Place(folder.to_owned());
    let path = folder.join(MANIFEST);
    let text = match fs::metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&place(), &e)),
        Ok(kind) if !kind.is_file() || kind.len() > MAX_MANIFEST => {
            return Err(StoreError::Corrupt { place: place(), detail: format!("{MANIFEST} is no file, or too long") });
        }
        Ok(_) => fs::read(&path).map_err(|e| failed(&place(), &e))?,
    };
    let wrong = |detail: String| StoreError::Corrupt { place: place(), detail };
    #[derive(serde::Deserialize)]
    struct Version {
        schema: String,
    }
    let version: Version =
        serde_json::from_slice(&text).map_err(|e| wrong(format!("{MANIFEST} cannot be read: {}", brief(e))))?;
    if version.schema != SCHEMA {
        let found = version.schema.strip_prefix("spansight.archive/").and_then(|n| n.parse().ok());
        return Err(match found {
            Some(found) => StoreError::TooNew { place: place(), found, known: 1 },
            None => StoreError::NotAStore { place: place() },
        });
    }
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|e| wrong(format!("{MANIFEST} cannot be read: {}", brief(e))))?;
    let inside =
        |path: &str| (1..256).contains(&path.len()) && !path.contains(['/', '\\']) && path != "." && path != "..";
    // A manifest may come from someone else: it must not lead out.
    if !manifest.data.iter().chain(&manifest.catalogues).all(|f| inside(&f.path)) {
        return Err(wrong(format!("{MANIFEST} names a file outside the folder")));
    }
    match manifest.fault() {
        None => Ok(Some(manifest)),
        Some(fault) => Err(wrong(format!("{MANIFEST} {fault}"))),
    }
}

/// Opens a file that the manifest names. Neither a link nor a pipe is what was
/// written, and reading from a pipe might never end.
fn open_listed(folder: &Path, listed: &manifest::Listed) -> Result<File> {
    let place = || Place(folder.to_owned());
    let corrupt = |what: &str| StoreError::Corrupt { place: place(), detail: format!("{} {what}", listed.path) };
    let path = folder.join(&listed.path);
    let kind = path.symlink_metadata().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => corrupt("is missing"),
        _ => failed(&place(), &e),
    })?;
    if !kind.is_file() {
        return Err(corrupt("is a link or no file"));
    }
    let file = File::open(path).map_err(|e| failed(&place(), &e))?;
    let size = file.metadata().map_err(|e| failed(&place(), &e))?.len();
    if size != listed.size {
        let detail = format!("{} has {size} bytes, and had {}", listed.path, listed.size);
        return Err(StoreError::Corrupt { place: place(), detail });
    }
    Ok(file)
}

/// Bytes that are not what was written.
fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not as it was written"))
}

/// What the operating system said, as one of the store's errors.
fn failed(place: &Place, e: &io::Error) -> StoreError {
    let place = place.clone();
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull { place },
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::CannotOpen { place, detail: e.to_string() }
        }
        io::ErrorKind::InvalidData => StoreError::Corrupt { place, detail: e.to_string() },
        _ => StoreError::Io { place, detail: e.to_string() },
    }
}
