//! A folder into which captures are written.

use super::tail::{HEAD, Head, Key, hash, head_at, key};
use super::{Found, MAX_OPEN};
use crate::base::Timestamp;
use crate::capture::open::START;
use crate::capture::{CaptureError, first_timestamp, set};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A compressed file that did not change for so long is complete.
const SETTLED: Duration = Duration::from_secs(2);
/// So long at most the other files wait at the start for compressed ones: these
/// may hold what came before them.
const LONGEST_HOLD: Duration = Duration::from_secs(5);
/// Names that are remembered, to know a file that was compressed after it was
/// read.
const MAX_NAMES: usize = 65_536;

/// What is known of a file in the folder.
struct Known {
    len: u64,
    changed: Option<SystemTime>,
    /// Since when it has that length.
    since: Instant,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing can be said of it yet.
    Early,
    /// It is compressed, and may not be complete.
    Unsettled,
    /// It is being read, or will be.
    Taken,
    /// It was read to its end. How it begins.
    Finished(Head),
    /// It repeats one, or cannot be read.
    Left,
    /// It is no capture.
    Skipped,
}

/// What a search brought.
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    /// Files, and what is wrong with them.
    pub(super) failures: Vec<(PathBuf, CaptureError)>,
}

/// A folder that is searched again and again.
pub(super) struct Folder {
    root: PathBuf,
    /// When it was searched first.
    began: Option<Instant>,
    known: HashMap<Key, Known>,
    /// Hashes of the paths of files that were taken, the oldest first.
    names: VecDeque<u64>,
    named: HashSet<u64>,
    heads: HashMap<Key, Head>,
    /// Files that are no captures.
    skipped: u64,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Result<Self, CaptureError> {
        std::fs::read_dir(root).map_err(CaptureError::from_io)?;
        Ok(Folder {
            root: root.to_owned(),
            began: None,
            known: HashMap::new(),
            names: VecDeque::new(),
            named: HashSet::new(),
            heads: HashMap::new(),
            skipped: 0,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// How many files were no captures so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// A file was read to its end, at so many bytes, or as far as damage lets.
    pub(super) fn finished(&mut self, key: Key, bytes: u64, damaged: bool) {
        let head = self.heads.get(&key).copied().unwrap_or_default();
        if let Some(known) = self.known.get_mut(&key) {
            known.state = State::Finished(head);
            known.len = if damaged { u64::MAX } else { known.len.max(bytes) };
        }
    }

    /// A file is another one now.
    pub(super) fn forget(&mut self, key: Key) {
        self.known.remove(&key);
        self.heads.remove(&key);
    }

    /// Looks through the folder. What it finds is in order of first timestamp
    /// and then by path, as for a replay. With `last` nothing is waited for any
    /// more.
    pub(super) fn search(&mut self, now: Instant, last: bool) -> Search {
        let mut expansion = set::Expansion::default();
        let mut found: Vec<(Option<Timestamp>, Found)> = Vec::new();
        let mut failures = Vec::new();
        let mut present = HashSet::new();
        let files = set::files(&self.root, &mut expansion);
        if let Err(e) = std::fs::metadata(&self.root) {
            expansion.errors.push((self.root.clone(), CaptureError::from_io(e)));
        }
        for (path, error) in expansion.errors {
            let file = path.strip_prefix(&self.root).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(&path);
            failures.push((file.to_owned(), error));
        }
        for relative in files {
            let path = self.root.join(&relative);
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            present.insert(key(&meta));
            match self.look(&path, &relative, &meta, (now, last)) {
                Ok(Some((first, complete))) => {
                    found.push((first, Found { path, shown: relative, complete, key: Some(key(&meta)) }));
                }
                Ok(None) => {}
                Err(e) => failures.push((relative, e)),
            }
        }
        if !last && self.is_held(now) {
            // They are looked at again, in order with what is waited for.
            for (_, found) in found.drain(..) {
                if let Some(known) = found.key.and_then(|key| self.known.get_mut(&key)) {
                    known.state = State::Early;
                }
            }
        }
        found.iter().for_each(|(_, found)| self.remember(&found.shown));
        self.known.retain(|key, known| present.contains(key) || known.state == State::Taken);
        let known = &self.known;
        self.heads.retain(|key, _| known.contains_key(key));
        found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.shown.cmp(&b.1.shown)));
        Search { found: found.into_iter().map(|(_, found)| found).collect(), failures }
    }

    /// Whether files that were there at the start may soon be known to be
    /// complete. Were others read before them, days might be over to which they
    /// belong.
    fn is_held(&mut self, now: Instant) -> bool {
        let began = *self.began.get_or_insert(now);
        now.saturating_duration_since(began) < LONGEST_HOLD && self.known.values().any(|k| k.state == State::Unsettled)
    }

    /// What to do with a file: nothing yet, or read it, with the time of its
    /// first frame and whether it is complete.
    #[allow(clippy::type_complexity)]
    fn look(
        &mut self,
        path: &Path,
        relative: &Path,
        meta: &Metadata,
        (now, last): (Instant, bool),
    ) -> Result<Option<(Option<Timestamp>, bool)>, CaptureError> {
        let key = key(meta);
        let (len, changed) = (meta.len(), meta.modified().ok());
        if let Some(known) = self.known.get(&key) {
            match known.state {
                State::Taken => {
                    self.remember(relative);
                    return Ok(None);
                }
                State::Finished(_) | State::Left | State::Skipped if (known.len, known.changed) == (len, changed) => {
                    return Ok(None);
                }
                // It took the place of one that is gone, or goes on.
                State::Finished(before) if len > known.len && head_at(path, before.0) == Some(before) => {
                    // Said once.
                    let state = State::Finished(before);
                    self.known.insert(key, Known { len: u64::MAX, changed, since: now, state });
                    return Err(CaptureError::GrewLate);
                }
                State::Finished(before) if head_at(path, before.0) == Some(before) => return Ok(None),
                _ => {}
            }
        }
        let unchanged = self.known.get(&key).filter(|k| (k.len, k.changed) == (len, changed)).map(|k| k.since);
        let since = unchanged.unwrap_or(now);
        let settled = last || now.saturating_duration_since(since) >= SETTLED;
        let (mut state, taken) = self.judge(path, relative, len, settled);
        if last && state == State::Early && len < START as u64 {
            state = State::Skipped; // nothing comes of it any more
        }
        if state == State::Taken
            && let Some(head) = head_at(path, HEAD)
        {
            self.heads.insert(key, head);
        }
        let before = self.known.insert(key, Known { len, changed, since, state });
        if state == State::Skipped && before.is_none_or(|k| k.state != State::Skipped) {
            self.skipped = self.skipped.saturating_add(1);
        }
        taken
    }

    #[allow(clippy::type_complexity)]
    fn judge(
        &self,
        path: &Path,
        relative: &Path,
        len: u64,
        settled: bool,
    ) -> (State, Result<Option<(Option<Timestamp>, bool)>, CaptureError>) {
        if self.was_read_uncompressed(relative) {
            return (State::Left, Ok(None));
        }
        if len < START as u64 {
            return (State::Early, Ok(None));
        }
        let is_compressed = match super::tail::has_begun(path) {
            Ok(_) => false,
            Err(CaptureError::CompressedGrows) => true,
            Err(CaptureError::NotFound) => return (State::Early, Ok(None)),
            Err(CaptureError::NotACapture { .. }) => return (State::Skipped, Ok(None)),
            // Who may read it can change without a trace in what is known of it.
            Err(e @ (CaptureError::PermissionDenied | CaptureError::Io(_))) => return (State::Early, Err(e)),
            Err(e) => return (State::Left, Err(e)),
        };
        if is_compressed && !settled {
            return (State::Unsettled, Ok(None));
        }
        match first_timestamp(path) {
            // A capture without a frame has nothing to give yet.
            Ok(None) if !settled => (State::Early, Ok(None)),
            Ok(first) => (State::Taken, Ok(Some((first, is_compressed)))),
            Err(CaptureError::NotFound) => (State::Early, Ok(None)),
            Err(CaptureError::NotACapture { .. }) => (State::Skipped, Ok(None)),
            Err(_) => (State::Taken, Ok(Some((None, is_compressed)))),
        }
    }

    /// Notes a name of a file that is read; it may get another one before it is
    /// compressed.
    fn remember(&mut self, relative: &Path) {
        let hash = hash(relative.as_os_str().as_encoded_bytes());
        if self.named.insert(hash) {
            self.names.push_back(hash);
        }
        if self.names.len() > MAX_NAMES.max(MAX_OPEN)
            && let Some(oldest) = self.names.pop_front()
        {
            self.named.remove(&oldest);
        }
    }

    /// Whether it is the compressed form of a file that was read, as
    /// `tcpdump -z` leaves it.
    fn was_read_uncompressed(&self, relative: &Path) -> bool {
        let packed = relative.extension().is_some_and(|e| ["gz", "zst", "xz", "lz4", "bz2"].iter().any(|p| e == *p));
        packed && self.named.contains(&hash(relative.with_extension("").as_os_str().as_encoded_bytes()))
    }
}
