//! Adding records to an archive.

use super::manifest::{Imported, Listed, MAX_SOURCES, Manifest, SourceSpan};
use super::parse::Rows;
use super::piece::{self, Built, Piece};
use super::read;
use super::row::{Categories, host_hash};
use super::spool::Spool;
use super::verify::altered;
use super::{Archive, MANIFEST, PARTITIONS, damaged, failed, read_manifest};
use crate::base::Timestamp;
use crate::base::digest::hex;
use crate::store::in_place::FileId;
use crate::store::{PATIENCE, Place, Result, Run, StoreError};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes of rows that a piece is made of at most, but for a host that has more;
/// small partitions share one until they have [`SHARED`].
const MOST: u64 = 64 << 20;
const SHARED: u64 = 8 << 20;
/// Pieces of a partition at most.
const MOST_PARTS: u64 = 1 << 16;
/// Sources that are told apart to be counted.
const MAX_COUNTED: usize = 1 << 20;
/// How long to wait until it is looked again whether another process is done.
const PAUSE: Duration = Duration::from_millis(20);
/// File that is locked while somebody writes.
const LOCK: &str = "lock";

/// An import under way. What it adds is there after [`Import::commit`]; an
/// import that is dropped leaves the archive as it was.
#[derive(Debug)]
pub struct Import {
    folder: PathBuf,
    manifest: Manifest,
    spool: Spool,
    sources: BTreeMap<String, SourceSpan>,
    others: SourceSpan,
    covers: Option<(Timestamp, Timestamp)>,
    read: u64,
    /// Hashes of the sources of what was added; a count is all that is wanted.
    mine: HashSet<u64>,
    /// Bytes of rows of a piece at most, and until partitions share one.
    pub(super) limits: (u64, u64),
    /// Held until it is dropped.
    _lock: Option<File>,
    /// The folder was not there before.
    new: bool,
    committed: bool,
}

impl Import {
    /// Begins an import into the archive of a folder, which is made if there is
    /// none, readable and writable for its owner only.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process writes and does not end in
    /// time, [`StoreError::NotAStore`] for a folder that holds something else, and
    /// any other.
    pub fn begin(folder: &Path) -> Result<Import> {
        Import::begin_within(folder, PATIENCE)
    }

    /// The same, with so much patience.
    pub(super) fn begin_within(folder: &Path, patience: Duration) -> Result<Import> {
        let began = Instant::now();
        loop {
            match Import::begin_now(folder) {
                Err(StoreError::Locked { .. }) if began.elapsed() < patience => std::thread::sleep(PAUSE),
                begun => return begun,
            }
        }
    }

    fn begin_now(folder: &Path) -> Result<Import> {
        let place = Place(folder.to_owned());
        let fault = |e: &io::Error| match failed(&place, e) {
            StoreError::Io { place, detail } => StoreError::CannotOpen { place, detail },
            other => other,
        };
        let mut new = !folder.exists();
        if new {
            match make_private(folder) {
                // Another process was quicker.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => new = false,
                made => made.map_err(|e| fault(&e))?,
            }
        }
        let path = folder.join(LOCK);
        let something_else =
            || -> Result<bool> { Ok(read_manifest(folder)?.is_none() && !is_empty(folder).map_err(|e| fault(&e))?) };
        // Beside a lock lies what its holder writes, before there is a manifest.
        if !path.exists() && something_else()? {
            return Err(StoreError::NotAStore { place });
        }
        let lock = match open_private(&path, true) {
            // An import that had made the folder gave up.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !new => return Err(StoreError::Locked { place }),
            opened => opened.map_err(|e| fault(&e))?,
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Locked { place }),
            Err(fs::TryLockError::Error(e)) => return Err(fault(&e)),
        }
        if FileId::of(&path) != FileId::of_open(&lock) {
            // Its holder gave up and took it away.
            return Err(StoreError::Locked { place });
        }
        if something_else()? {
            return Err(StoreError::NotAStore { place });
        }
        // Who held the lock may have written since.
        let manifest = read_manifest(folder)?.unwrap_or_default();
        let spool = Spool::new(folder).map_err(|e| fault(&e))?;
        Ok(Import {
            folder: folder.to_owned(),
            sources: manifest.sources.clone(),
            others: manifest.others,
            manifest,
            spool,
            covers: None,
            read: 0,
            mine: HashSet::new(),
            limits: (MOST, SHARED),
            _lock: Some(lock),
            new,
            committed: false,
        })
    }

    /// Begins one into an archive that nobody else ever sees
    /// ([`Import::into_archive`]), in files without names in a folder.
    ///
    /// # Errors
    /// Where no file can be made there.
    pub fn unnamed(folder: &Path) -> Result<Import> {
        let place = Place(folder.to_owned());
        Ok(Import {
            folder: folder.to_owned(),
            sources: BTreeMap::new(),
            others: SourceSpan::default(),
            manifest: Manifest::default(),
            spool: Spool::new(folder).map_err(|e| failed(&place, &e))?,
            covers: None,
            read: 0,
            mine: HashSet::new(),
            limits: (MOST, SHARED),
            _lock: None,
            new: false,
            // There is nothing to undo.
            committed: true,
        })
    }

    /// What was added to an unnamed archive, to be read; its file goes with it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn into_archive(mut self, threads: usize) -> Result<Archive> {
        let place = Place(self.folder.clone());
        let write = |import: &mut Import| -> io::Result<Archive> {
            let mut data = Hashing::new(tempfile::tempfile_in(&import.folder)?);
            let mut next =
                Manifest { sources: std::mem::take(&mut import.sources), others: import.others, ..Manifest::default() };
            import.write_pieces(None, threads, &mut data, &mut next)?;
            let file = data.file.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(Archive { folder: import.folder.clone(), manifest: next, data: Some(file), together: OnceLock::new() })
        };
        write(&mut self).map_err(|e| failed(&place, &e))
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, rows: &Rows) -> Result<()> {
        self.read = self.read.saturating_add(rows.ends.len() as u64);
        for (source, span) in &rows.sources {
            if self.mine.len() < MAX_COUNTED {
                self.mine.insert(foldhash::quality::FixedState::default().hash_one(source));
            }
            self.covers = Some(match self.covers {
                None => (span.first, span.last),
                Some((first, last)) => (first.min(span.first), last.max(span.last)),
            });
            let room = self.sources.len() < MAX_SOURCES;
            match self.sources.get_mut(source) {
                Some(known) => known.unite(span),
                None if room => drop(self.sources.insert(source.clone(), *span)),
                None => self.others.unite(span),
            }
        }
        let place = Place(self.folder.clone());
        self.spool.add(rows).map_err(|e| failed(&place, &e))
    }

    /// Records added.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How many sources they are of, up to a million.
    pub fn sources(&self) -> usize {
        self.mine.len()
    }

    /// Writes the archive with all that was added and the account of the run,
    /// by so many threads. Returns how many records that there were say more now.
    ///
    /// # Errors
    /// Any [`StoreError`]; then the archive is as it was.
    pub fn commit(mut self, run: &Run, threads: usize) -> Result<u64> {
        let place = Place(self.folder.clone());
        let changed = self.write(run, threads).map_err(|e| failed(&place, &e))?;
        self.committed = true;
        Ok(changed)
    }

    fn write(&mut self, run: &Run, threads: usize) -> io::Result<u64> {
        let before = match &self.manifest.data {
            Some(listed) => {
                // Written anew it would pass for what it was.
                if let Some(what) = altered(&self.folder, listed) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", listed.path)));
                }
                Some(File::open(self.folder.join(&listed.path))?)
            }
            None => None,
        };
        let revision = self.manifest.revision.saturating_add(1);
        let mut next = Manifest {
            schema: super::manifest::SCHEMA.to_owned(),
            revision,
            catalogues: self.manifest.catalogues.clone(),
            runs: self.manifest.runs.clone(),
            sources: std::mem::take(&mut self.sources),
            others: self.others,
            ..Manifest::default()
        };
        self.sweep(&self.manifest);
        next.runs.push(Imported::of(run, self.read, self.covers));
        if !next.catalogues.iter().any(|c| c.catalogue.as_ref() == Some(&run.catalogue_sha256)) {
            next.catalogues.push(put_catalogue(&self.folder, run)?);
        }
        let path = format!("records-{revision:06}.bin");
        let mut data = Hashing::new(open_private(&self.folder.join(&path), false)?);
        let changed = self.write_pieces(before.as_ref(), threads, &mut data, &mut next)?;
        next.data = Some(data.finish(path)?);
        put_manifest(&self.folder, &next)?;
        self.sweep(&next);
        self.manifest = next;
        Ok(changed)
    }

    /// What each piece is made of: partitions from and to, of how many parts of
    /// them which.
    fn plan(&self) -> Vec<Share> {
        let held = |p: usize| {
            let old = self.manifest.pieces.iter().filter(|o| usize::from(o.from) <= p && p <= usize::from(o.to));
            // Of a piece of several partitions each has its part.
            let old =
                old.map(|o| o.raw.checked_div(u64::from(o.to.saturating_sub(o.from)).saturating_add(1)).unwrap_or(0));
            self.spool.bytes(p).saturating_add(old.fold(0, u64::saturating_add))
        };
        let (most, share) = self.limits;
        let mut plan: Vec<Share> = Vec::new();
        let mut shared = 0u64;
        for p in 0..PARTITIONS {
            let bytes = held(p);
            let parts = bytes.div_ceil(most).clamp(1, MOST_PARTS);
            let fits = parts == 1 && shared.saturating_add(bytes) <= share;
            match plan.last_mut() {
                Some(last) if fits && last.parts == 1 => {
                    last.to = p;
                    shared = shared.saturating_add(bytes);
                }
                _ => {
                    plan.extend((0..parts).map(|part| Share { from: p, to: p, part, parts }));
                    shared = bytes;
                }
            }
        }
        plan
    }

    fn write_pieces(
        &self,
        before: Option<&File>,
        threads: usize,
        data: &mut Hashing,
        into: &mut Manifest,
    ) -> io::Result<u64> {
        let plan = self.plan();
        let mut categories = Categories::default();
        let next = AtomicUsize::new(0);
        let threads = threads.clamp(1, plan.len().max(1));
        let changed = std::thread::scope(|scope| {
            let (send, done) = crossbeam_channel::bounded(threads);
            for _ in 0..threads {
                let (send, next, plan) = (send.clone(), &next, &plan);
                scope.spawn(move || {
                    let mut room = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(share) = plan.get(number) else { return };
                        let built = self.build(before, share, &mut room);
                        if send.send((number, built)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            // In their order, whoever is done first.
            let mut early = BTreeMap::new();
            let (mut wanted, mut changed) = (0, 0u64);
            for (number, built) in done {
                early.insert(number, built);
                while let Some(built) = early.remove(&wanted) {
                    let (Built { mut piece, categories: filed, changed: more }, bytes) = built?;
                    categories.merge(filed);
                    changed = changed.saturating_add(more);
                    if piece.records > 0 {
                        piece.at = data.written;
                        data.write(&bytes)?;
                        into.records = into.records.saturating_add(piece.records);
                        into.pieces.push(piece);
                    }
                    wanted = wanted.saturating_add(1);
                }
            }
            if wanted == plan.len() { Ok(changed) } else { Err(io::Error::other("a thread ended early")) }
        })?;
        into.filed = categories.several();
        Ok(changed)
    }

    /// A piece and its blocks, of the rows that the archive has and then those
    /// added.
    fn build(&self, before: Option<&File>, share: &Share, room: &mut Vec<u8>) -> io::Result<(Built, Vec<u8>)> {
        room.clear();
        let part = |key: &[u8]| share.parts == 1 || (host_hash(key) >> 20).checked_rem(share.parts) == Some(share.part);
        if let Some(file) = before {
            let wanted = |key: &[u8]| (share.from..=share.to).contains(&super::row::partition(key).into()) && part(key);
            let meets = |p: &&Piece| usize::from(p.from) <= share.to && share.from <= usize::from(p.to);
            for piece in self.manifest.pieces.iter().filter(meets) {
                // The plan, and so what is in memory at once, rests on this sum.
                let mut raw = 0u64;
                read::rows(file, piece, |row| {
                    raw = raw.saturating_add(row.len());
                    if raw > piece.raw {
                        return Err(damaged("the manifest"));
                    }
                    if wanted(row.key) {
                        row.put(room);
                    }
                    Ok(())
                })?;
                if raw != piece.raw {
                    return Err(damaged("the manifest"));
                }
            }
        }
        let held = room.len();
        for p in share.from..=share.to {
            self.spool.read(p, room, part)?;
        }
        let mut out = Vec::new();
        let number = |p: usize| u16::try_from(p).unwrap_or(u16::MAX);
        let mut built = piece::build(room, held, &mut out)?;
        (built.piece.from, built.piece.to) = (number(share.from), number(share.to));
        Ok((built, out))
    }

    /// Removes files of the archive that a manifest does not name: what an
    /// import left that was cut off, and what this one replaced.
    fn sweep(&self, manifest: &Manifest) {
        let named = |name: &str| manifest.data.iter().chain(&manifest.catalogues).any(|f| f.path == name);
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let ours = name.starts_with("records-") && name.ends_with(".bin")
                || name.starts_with("catalogue-") && name.ends_with(".toml")
                || name == NEW_MANIFEST;
            if ours && !named(name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        self.sweep(&self.manifest);
        if self.new {
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// What a piece is made of.
#[derive(Clone, Copy, Debug)]
struct Share {
    from: usize,
    to: usize,
    /// Of a partition that is too large for one piece, this part of its hosts.
    part: u64,
    parts: u64,
}

/// A file that is hashed as it is written.
struct Hashing {
    file: BufWriter<File>,
    hash: ring::digest::Context,
    written: u64,
}

impl Hashing {
    fn new(file: File) -> Hashing {
        Hashing {
            file: BufWriter::with_capacity(1 << 20, file),
            hash: ring::digest::Context::new(&ring::digest::SHA256),
            written: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.written = self.written.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes)
    }

    fn finish(self, path: String) -> io::Result<Listed> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Listed { path, size: self.written, sha256: hex(self.hash.finish().as_ref()), catalogue: None })
    }
}

/// Keeps the catalogue of a run, unless it is there.
fn put_catalogue(folder: &Path, run: &Run) -> io::Result<Listed> {
    let word: String = run.catalogue_sha256.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let path = format!("catalogue-{word}.toml");
    let _ = fs::remove_file(folder.join(&path));
    let mut file = Hashing::new(open_private(&folder.join(&path), false)?);
    run.catalogue.each_part(|part| file.write(part.as_bytes()))?;
    Ok(Listed { catalogue: Some(run.catalogue_sha256.clone()), ..file.finish(path)? })
}

const NEW_MANIFEST: &str = "archive.json.new";

fn put_manifest(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    let text = serde_json::to_vec(manifest).map_err(|_| damaged("the manifest"))?;
    let new = folder.join(NEW_MANIFEST);
    let _ = fs::remove_file(&new);
    let mut file = open_private(&new, false)?;
    file.write_all(&text)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_folder(folder)?;
    fs::rename(&new, folder.join(MANIFEST))?;
    sync_folder(folder)
}

/// What a folder names is on the disk only after this.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != LOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file of the owner's alone for writing; with `there` it may exist, but
/// not as a link, which could lead anywhere, nor as a pipe.
fn open_private(path: &Path, there: bool) -> io::Result<File> {
    if path.symlink_metadata().is_ok_and(|kind| !kind.is_file()) {
        let what = path.file_name().unwrap_or_default().display();
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{what} is a link or no file")));
    }
    let mut options = OpenOptions::new();
    options.write(true).create(there).create_new(!there);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    options.open(path)
}
