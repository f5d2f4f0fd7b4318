//! Whether an archive is what was written.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::manifest::{Listed, MANIFEST, Manifest, SourceSpan};
use super::piece::Piece;
use super::row::{Categories, Row, Shape, channel_bits, host_of, partition};
use super::{Archive, failed, open_listed, read, read_manifest};
use crate::base::digest::file_sha256;
use crate::store::categories::Given;
use crate::store::custody::MAX_FINDINGS;
use crate::store::{Place, Result, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

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
    /// Findings beyond those.
    pub more: u64,
    /// What was written as it is, and yet is to be doubted.
    pub notes: Vec<String>,
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
        // The data is opened when it is known to be what was written.
        let archive = Archive { folder: folder.to_owned(), manifest, data: None, together: OnceLock::new() };
        let manifest = &archive.manifest;
        let mut checked = Checked {
            records: manifest.records,
            imports: manifest.runs.len() as u64,
            manifest: file_sha256(&folder.join(MANIFEST)).map_err(|e| failed(&place, &e))?,
            ..Checked::default()
        };
        for listed in manifest.data.iter().chain(&manifest.catalogues) {
            if let Some(what) = altered(folder, listed) {
                checked.found(format!("{} {what}", listed.path));
            }
        }
        if let Some(data) = &manifest.data
            && checked.findings.is_empty()
        {
            archive.verify_rows(data, &mut checked)?;
        }
        for listed in &manifest.catalogues {
            if listed.catalogue.as_ref() != Some(&listed.sha256) {
                checked.found(format!("{} is not the catalogue that {MANIFEST} calls it", listed.path));
            }
        }
        Ok(checked)
    }

    fn verify_rows(&self, data: &Listed, checked: &mut Checked) -> Result<()> {
        let manifest = &self.manifest;
        let file = open_listed(&self.folder, data)?;
        let mut check = Check::new(manifest);
        for (number, piece) in manifest.pieces.iter().enumerate() {
            if let Some(what) = check.piece(&file, number, piece) {
                checked.found(format!("{}: {what}", data.path));
                break;
            }
        }
        for sha256 in manifest.catalogues.iter().rev().filter_map(|listed| listed.catalogue.as_deref()) {
            if check.given.is_settled() {
                break;
            }
            if let Ok(Some(text)) = self.catalogue(sha256) {
                check.given.hold_against(&text);
            }
        }
        checked.notes = check.given.sentences(MAX_FINDINGS);
        if checked.findings.is_empty() {
            let said = |of: &str| format!("{MANIFEST} says of {of} what their records do not");
            if !check.sources_agree() {
                checked.found(said("sources"));
            }
            if check.categories.several() != manifest.filed {
                checked.found(said("the categories of indicators"));
            }
        }
        Ok(())
    }
}

impl Checked {
    fn found(&mut self, what: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(what);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// What is checked of one piece after the other.
struct Check<'m> {
    manifest: &'m Manifest,
    /// In which piece a host is, of the pieces of one partition.
    hosts: HashMap<Box<[u8]>, usize>,
    partitions: (u16, u16),
    sources: BTreeMap<String, SourceSpan>,
    others: SourceSpan,
    /// In which categories rows file indicators, of the pieces before, as an
    /// import collects it.
    categories: Categories,
    given: Given,
}

impl<'m> Check<'m> {
    fn new(manifest: &'m Manifest) -> Self {
        Check {
            manifest,
            hosts: HashMap::new(),
            partitions: (0, 0),
            sources: BTreeMap::new(),
            others: SourceSpan::default(),
            categories: Categories::default(),
            given: Given::default(),
        }
    }

    /// What is wrong with a piece: each row must be a record that could be
    /// imported, in its partition and in its order, each contribution once, and
    /// all of them what the manifest says of the piece.
    fn piece(&mut self, file: &File, number: usize, piece: &Piece) -> Option<String> {
        if (piece.from, piece.to) != self.partitions {
            self.hosts.clear();
            self.partitions = (piece.from, piece.to);
        }
        // Pieces of one partition lie beside each other.
        let beside = [number.checked_sub(1), number.checked_add(1)];
        let mut beside = beside.into_iter().flatten().filter_map(|n| self.manifest.pieces.get(n));
        let shared = beside.any(|p| (p.from, p.to) == (piece.from, piece.to));
        let mut found = Piece { first: i32::MAX, last: i32::MIN, ..*piece };
        (found.records, found.raw, found.hardware, found.ties) = (0, 0, false, false);
        let mut before: Option<(Vec<u8>, i32, Vec<u8>)> = None;
        let mut wrong: Option<String> = None;
        let mut categories = Categories::default();
        let read = read::rows(file, piece, |row| {
            let what = self.row(row, number, piece, shared, before.as_ref());
            if let Some(what) = what {
                wrong = Some(what);
                return Err(io::ErrorKind::Interrupted.into());
            }
            let (mut key, _, mut identity) = before.take().unwrap_or_default();
            key.clear();
            key.extend_from_slice(row.key);
            identity.clear();
            identity.extend_from_slice(row.identity);
            before = Some((key, row.vary.day, identity));
            found.note(row);
            if let Some(shape) = Shape::of(row.shape) {
                categories.note(shape.indicator, shape.category);
            }
            Ok(())
        });
        self.categories.merge(categories);
        match (wrong, read) {
            (Some(what), _) => Some(what),
            (None, Err(e)) => Some(e.to_string()),
            (None, Ok(())) if found != *piece => Some(format!("piece {number} is not what {MANIFEST} says of it")),
            (None, Ok(())) => None,
        }
    }

    fn row(
        &mut self,
        row: &Row<'_>,
        number: usize,
        piece: &Piece,
        shared: bool,
        before: Option<&(Vec<u8>, i32, Vec<u8>)>,
    ) -> Option<String> {
        let record = match row.checked() {
            Ok((record, _)) => record,
            Err(what) => return Some(what),
        };
        let id = &record.id;
        let place = before.map(|(key, day, identity)| (key.as_slice(), *day, identity.as_slice()));
        if place.is_some_and(|before| before >= (row.key, row.vary.day, row.identity)) {
            return Some(format!("record {id} of {} stands there twice, or not in its place", record.source));
        }
        if !(piece.from..=piece.to).contains(&partition(row.key).into()) {
            return Some(format!("record {id} is not in the piece of its host"));
        }
        if shared && *self.hosts.entry(host_of(row.key).into()).or_insert(number) != number {
            return Some(format!("the host of record {id} is in two pieces"));
        }
        self.given.note(&record.indicator.id, record.indicator.category, 1);
        let channels = channel_bits(&record.channels);
        let span = SourceSpan { first: record.first_seen, last: record.last_seen, channels };
        if !self.manifest.sources.contains_key(&record.source) {
            self.others.unite(&span);
        } else if let Some(known) = self.sources.get_mut(&record.source) {
            known.unite(&span);
        } else {
            self.sources.insert(record.source, span);
        }
        None
    }

    /// Whether the manifest says of sources what their records say.
    fn sources_agree(&self) -> bool {
        self.sources == self.manifest.sources && self.others == self.manifest.others
    }
}

/// How a file differs from what the manifest says of it, as the end of a sentence.
pub(super) fn altered(folder: &Path, listed: &Listed) -> Option<String> {
    let path = folder.join(&listed.path);
    let Ok(kind) = path.symlink_metadata() else { return Some("is missing".into()) };
    if !kind.is_file() {
        return Some("is a link or no file: it was replaced".into());
    }
    if kind.len() != listed.size {
        return Some(format!("was altered: it has {} bytes, and had {}", kind.len(), listed.size));
    }
    match file_sha256(&path) {
        Ok(now) if now == listed.sha256 => None,
        Ok(now) => Some(format!("was altered: its SHA-256 is {now}, and was {}", listed.sha256)),
        Err(e) => Some(format!("cannot be read ({e})")),
    }
}
