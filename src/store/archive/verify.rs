//! Whether an archive is what was written.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::manifest::{Listed, MANIFEST};
use super::{Archive, failed, read, read_manifest};
use crate::sighting::draft::hex;
use crate::store::{Place, Result, StoreError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Contributions, as the manifest says and as were found.
    pub records: u64,
    /// Imports.
    pub imports: u64,
    /// SHA-256 of the manifest, in hexadecimal.
    pub manifest: String,
    /// What is not as it was written, each a sentence without its beginning
    /// (the name of the file).
    pub findings: Vec<String>,
}

impl Archive {
    /// Compares the files of an archive with its manifest, and what its records
    /// come to. Whoever can write the folder can write another manifest, too:
    /// the hash of this one is to be kept elsewhere.
    ///
    /// # Errors
    /// Where there is no archive, or it cannot be read.
    pub fn verify(folder: &Path) -> Result<Checked> {
        let place = Place(folder.to_owned());
        let Some(manifest) = read_manifest(folder)? else { return Err(StoreError::Missing { place }) };
        let mut checked = Checked {
            records: manifest.records,
            imports: manifest.runs.len() as u64,
            manifest: sha256(&folder.join(MANIFEST)).map_err(|e| failed(&place, &e))?,
            findings: Vec::new(),
        };
        for listed in manifest.data.iter().chain(&manifest.catalogues) {
            if let Some(what) = altered(folder, listed) {
                checked.findings.push(format!("{} {what}", listed.path));
            }
        }
        if let Some(data) = &manifest.data
            && checked.findings.is_empty()
        {
            let file = File::open(folder.join(&data.path)).map_err(|e| failed(&place, &e))?;
            let mut count = 0u64;
            for piece in &manifest.pieces {
                let found = read::count(&file, piece);
                if found != Some(piece.records) {
                    checked.findings.push(format!("{} has not the records that {MANIFEST} says", data.path));
                    break;
                }
                count = count.saturating_add(piece.records);
            }
            if count != manifest.records && checked.findings.is_empty() {
                checked.findings.push(format!("{MANIFEST} counts {} records, and there are {count}", manifest.records));
            }
        }
        Ok(checked)
    }
}

fn altered(folder: &Path, listed: &Listed) -> Option<String> {
    let path = folder.join(&listed.path);
    let Ok(kind) = path.symlink_metadata() else { return Some("is missing".into()) };
    if !kind.is_file() {
        return Some("is a link or no file: it was replaced".into());
    }
    if kind.len() != listed.size {
        return Some(format!("was altered: it has {} bytes, and had {}", kind.len(), listed.size));
    }
    match sha256(&path) {
        Ok(now) if now == listed.sha256 => None,
        Ok(now) => Some(format!("was altered: its SHA-256 is {now}, and was {}", listed.sha256)),
        Err(e) => Some(format!("cannot be read ({e})")),
    }
}

pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    let mut room = vec![0; 1 << 20];
    loop {
        match file.read(&mut room)? {
            0 => return Ok(hex(hash.finish().as_ref())),
            n => hash.update(room.get(..n).unwrap_or_default()),
        }
    }
}
