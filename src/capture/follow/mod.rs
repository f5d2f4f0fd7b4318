//! Frames of capture files that grow while they are read.
//!
//! Files are looked at again and again, which works on every file system.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod folder;
mod tail;
#[cfg(test)]
mod tests;

use super::{
    Batch, CaptureError, Followed, FrameSource, Interface, InterfaceStatistics, LiveControl, OpenOptions, Progress,
    Status,
};
use folder::Folder;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tail::{Grown, Head, Key, Tail};

/// How long to wait for more before files are looked at again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a folder is searched for new files.
const SEARCH: Duration = Duration::from_secs(1);
/// Files that may grow at the same time. When another one begins, the one that
/// grew longest ago is taken to be finished.
const MAX_OPEN: usize = 16;
/// After a stop, reading ends at the latest after that long.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);
/// How long a single file may be away before that is worth a word: another one
/// takes its place at once, or when something comes to be written.
const LONGEST_AWAY: Duration = Duration::from_secs(60);
/// Files of which the last sentence is remembered.
const MAX_COMPLAINTS: usize = 65_536;
/// Interfaces that are told apart by file; those of later files share the
/// rest of the numbers by what they have in common.
const MAX_BY_FILE: usize = 65_000;

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// What to open.
    path: PathBuf,
    /// Its path from the folder, or its name.
    shown: PathBuf,
    /// Whether it is complete as it is: a compressed file.
    complete: bool,
    /// Which file was meant, in a folder.
    key: Option<Key>,
}

/// Where files come from.
enum Origin {
    /// One file, which may be replaced by another of the same name.
    File(Found),
    Folder(Box<Folder>),
    /// A pipe: one file that ends where it ends.
    Pipe,
}

/// A file that was read as far as it can be.
struct Done {
    key: Key,
    head: Option<Head>,
    len: u64,
}

impl Done {
    /// Whether the file at a path is still this one, and not written anew.
    fn is_still(&mut self, path: &Path, key: Key) -> bool {
        let Ok(len) = std::fs::metadata(path).map(|m| m.len()) else { return false };
        let is_same = |head: Head| tail::head_at(path, head.0).is_none_or(|now| now == head);
        let still = key == self.key && len >= self.len && self.head.is_none_or(is_same);
        self.len = len;
        still
    }
}

/// A growing capture file, or a folder into which files are written, read as
/// one source until it is told to stop.
///
/// A record that is not yet whole is waited for. Frames and offsets are
/// counted in each file; [`Interface::file`] says in which.
pub struct FollowSource {
    origin: Origin,
    /// Files that may still grow, and the one whose turn it is.
    tails: Vec<Tail>,
    turn: usize,
    waiting: VecDeque<Found>,
    interfaces: Vec<Interface>,
    shown: Arc<[Interface]>,
    /// Numbers that interfaces of later files share.
    shared: HashMap<(u16, u32), u16>,
    statistics: Vec<InterfaceStatistics>,
    control: LiveControl,
    progress: Arc<Progress>,
    options: OpenOptions,
    failures: VecDeque<CaptureError>,
    /// What was said last of files that cannot be opened.
    complaints: HashMap<PathBuf, String>,
    /// The single file, when it was read as far as it can be.
    done: Option<Done>,
    /// Since when there is no single file.
    away: Option<Instant>,
    searched: Option<Instant>,
    stopping: Option<Instant>,
    ended: bool,
}

/// Follows a file, a folder, or standard input for the path `-`.
///
/// # Errors
///
/// If there is no such path, it cannot be read, or it is a file that is no
/// capture or is compressed, which cannot be read while it grows.
pub fn follow(path: &Path) -> Result<FollowSource, CaptureError> {
    let options = OpenOptions { buffer: 256 << 10, ..OpenOptions::default() };
    let mut waiting = VecDeque::new();
    let is_pipe = path.as_os_str() == "-"
        || !std::fs::metadata(path).map(|m| m.is_file() || m.is_dir()).map_err(CaptureError::from_io)?;
    let origin = if is_pipe {
        waiting.push_back(Found { path: path.to_owned(), shown: path.to_owned(), complete: true, key: None });
        Origin::Pipe
    } else if path.is_dir() {
        Origin::Folder(Box::new(Folder::new(path)?))
    } else {
        let shown = path.file_name().map_or_else(|| path.to_owned(), PathBuf::from);
        let found = Found { path: path.to_owned(), shown, complete: false, key: None };
        if tail::has_begun(path)? {
            waiting.push_back(found.clone());
        }
        Origin::File(found)
    };
    Ok(FollowSource {
        origin,
        tails: Vec::new(),
        turn: 0,
        waiting,
        interfaces: Vec::new(),
        shown: Arc::new([]),
        shared: HashMap::new(),
        statistics: Vec::new(),
        control: LiveControl::new(),
        progress: Arc::new(Progress::new(None)),
        options,
        failures: VecDeque::new(),
        complaints: HashMap::new(),
        done: None,
        away: None,
        searched: None,
        stopping: None,
        ended: false,
    })
}

impl FollowSource {
    /// A handle to stop this source.
    pub fn control(&self) -> LiveControl {
        self.control.clone()
    }

    /// Whether anything was found to read so far.
    pub fn has_begun(&self) -> bool {
        !self.tails.is_empty() || !self.waiting.is_empty() || !self.interfaces.is_empty()
    }

    /// Fills the batch from the file whose turn it is, or from the next ones;
    /// false if none has grown.
    fn read(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..=self.tails.len() {
            let Some(tail) = self.tails.get_mut(self.turn) else {
                self.turn = 0;
                continue;
            };
            match tail.read(batch) {
                Grown::Frames => {
                    self.number(batch);
                    return true;
                }
                Grown::Nothing => self.turn = self.turn.saturating_add(1),
                Grown::Failed(e) => {
                    let file = tail.shown().to_owned();
                    self.failures.push_back(CaptureError::InFile { file, error: Box::new(e) });
                    return false;
                }
                Grown::Replaced => {
                    // What is there now is another capture in the same file.
                    let tail = self.tails.remove(self.turn);
                    let key = tail.key();
                    self.forget(Some(key));
                    if let Origin::File(found) = &self.origin {
                        self.waiting.push_back(found.clone());
                    }
                    self.searched = None;
                    return false;
                }
                Grown::Ended => {
                    let tail = self.tails.remove(self.turn);
                    self.finished(&tail);
                }
            }
        }
        false
    }

    /// Gives the interfaces of a batch's file their numbers among those of
    /// all.
    fn number(&mut self, batch: &mut Batch) {
        let Some(tail) = self.tails.get_mut(self.turn) else { return };
        let known = tail.numbers.len();
        for interface in batch.interfaces.iter().skip(known) {
            let at = if self.interfaces.len() < MAX_BY_FILE {
                self.interfaces.push(Interface { file: Some(tail.shown().into()), ..interface.clone() });
                self.interfaces.len().saturating_sub(1)
            } else {
                let key = (interface.link.0, interface.snaplen);
                let next = self.interfaces.len();
                let at = usize::from(*self.shared.entry(key).or_insert(u16::try_from(next).unwrap_or(u16::MAX)));
                if at == next {
                    self.interfaces.push(Interface { name: String::new(), file: None, ..interface.clone() });
                }
                at
            };
            tail.numbers.push(u16::try_from(at).unwrap_or(u16::MAX));
        }
        if known < tail.numbers.len() {
            self.shown = self.interfaces.as_slice().into();
            self.statistics.resize(self.interfaces.len(), InterfaceStatistics::default());
        }
        for frame in &mut batch.frames {
            frame.interface = tail.numbers.get(usize::from(frame.interface)).copied().unwrap_or(u16::MAX);
        }
        batch.interfaces = Arc::clone(&self.shown);
        for (at, now) in tail.numbers.iter().zip(tail.statistics()) {
            if let Some(statistics) = self.statistics.get_mut(usize::from(*at)) {
                *statistics = now;
            }
        }
        self.progress.add(batch.fresh().len());
    }

    /// Opens the next file that waits; false if there is none.
    fn open_next(&mut self) -> bool {
        let Some(found) = self.waiting.pop_front() else { return false };
        let tail = match self.origin {
            Origin::Pipe => Tail::open_pipe(&found.path, &self.control, &self.options),
            _ => Tail::open(&found, &self.options),
        };
        match tail {
            Ok(tail) => {
                self.complaints.remove(&found.shown);
                self.turn = self.tails.len();
                self.tails.push(tail);
                if self.tails.len() > MAX_OPEN
                    && let Some(idlest) = self.tails.iter_mut().filter(|t| !t.is_finishing()).min_by_key(|t| t.grew)
                {
                    idlest.finish();
                }
            }
            Err(e) => {
                self.forget(found.key);
                self.ended |= matches!(self.origin, Origin::Pipe);
                if matches!(e, CaptureError::NotFound) {
                    return true; // it went away, or something else took its place
                }
                self.complain(found.shown, e);
            }
        }
        true
    }

    /// Says what is wrong with a file, unless that is what was said of it last.
    fn complain(&mut self, file: PathBuf, e: CaptureError) {
        let sentence = e.to_string();
        if self.complaints.get(&file) == Some(&sentence) {
            return;
        }
        if self.complaints.len() >= MAX_COMPLAINTS {
            self.complaints.clear();
        }
        self.complaints.insert(file.clone(), sentence);
        self.failures.push_back(CaptureError::InFile { file, error: Box::new(e) });
    }

    fn finished(&mut self, tail: &Tail) {
        match &mut self.origin {
            Origin::Folder(folder) => folder.finished(tail.key(), tail.read_bytes(), tail.is_damaged()),
            Origin::Pipe => self.ended = true,
            Origin::File(_) => {
                self.done = Some(Done { key: tail.key(), head: tail.head(), len: tail.read_bytes() });
            }
        }
    }

    /// What a folder knows of a file holds no longer.
    fn forget(&mut self, key: Option<Key>) {
        if let (Origin::Folder(folder), Some(key)) = (&mut self.origin, key) {
            folder.forget(key);
        }
    }

    /// Looks for new files.
    fn search(&mut self, now: Instant) {
        if self.stopping.is_none() && self.searched.is_some_and(|at| now.saturating_duration_since(at) < SEARCH) {
            return;
        }
        self.searched = Some(now);
        let last = self.stopping.is_some();
        match &mut self.origin {
            Origin::Folder(folder) => {
                let search = folder.search(now, last);
                if !search.failures.iter().any(|(file, _)| file == folder.root()) {
                    self.complaints.remove(folder.root());
                }
                self.waiting.extend(search.found);
                for (file, e) in search.failures {
                    self.complain(file, e);
                }
            }
            Origin::File(found) => {
                let found = found.clone();
                self.search_file(&found, now);
            }
            Origin::Pipe => {}
        }
    }

    /// Looks whether there is another file of the name that is followed, or the
    /// same was written anew.
    fn search_file(&mut self, found: &Found, now: Instant) {
        let Some(key) = tail::key_of(&found.path) else {
            let since = *self.away.get_or_insert(now);
            if now.saturating_duration_since(since) >= LONGEST_AWAY {
                self.complain(found.shown.clone(), CaptureError::NotFound);
            }
            return;
        };
        self.away = None;
        match self.tails.iter_mut().find(|t| !t.is_finishing()) {
            Some(tail) if tail.key() == key => return,
            // Another file has its name now: the old one is finished.
            Some(tail) => return tail.finish(),
            None => {}
        }
        if !self.waiting.is_empty() || self.done.as_mut().is_some_and(|done| done.is_still(&found.path, key)) {
            return;
        }
        self.done = None;
        match tail::has_begun(&found.path) {
            Ok(true) => self.waiting.push_back(found.clone()),
            Ok(false) | Err(CaptureError::NotFound) => {}
            Err(e) => self.complain(found.shown.clone(), e),
        }
    }

    /// Tells what became of the files.
    fn tell(&self) {
        let skipped = if let Origin::Folder(folder) = &self.origin { folder.skipped() } else { 0 };
        let partial = self.tails.iter().filter(|t| t.holds_part()).count() as u64;
        self.control.tell_followed(Followed { skipped, partial });
    }

    /// Whether a stop was asked for, and what was there then is read.
    fn is_over(&mut self, now: Instant) -> bool {
        if !self.control.is_stopped() {
            return false;
        }
        if self.stopping.is_some() {
            return true;
        }
        // What came until now is looked for once more.
        self.stopping = Some(now);
        self.search(now);
        false
    }
}

impl FrameSource for FollowSource {
    /// Returns after a tenth of a second at the latest. What is wrong with a
    /// file is the error of one call; the others are read on.
    fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
        batch.frames.clear();
        batch.carried = 0;
        loop {
            if let Some(e) = self.failures.pop_front() {
                batch.buf.clear();
                return Err(e);
            }
            let late = self.stopping.is_some_and(|since| since.elapsed() >= LONGEST_DRAIN);
            if !self.ended && !late {
                if self.read(batch) {
                    return Ok(Status::Frames);
                }
                if !self.failures.is_empty() || self.open_next() {
                    continue;
                }
            }
            batch.buf.clear();
            batch.interfaces = Arc::clone(&self.shown);
            let now = Instant::now();
            if !self.ended && late {
                self.ended = true;
                return Err(CaptureError::StoppedEarly);
            }
            self.ended |= self.is_over(now);
            self.tell();
            if self.ended {
                return Ok(Status::End);
            }
            if self.stopping.is_some() {
                continue;
            }
            self.search(now);
            if self.waiting.is_empty() && self.failures.is_empty() {
                std::thread::sleep(PAUSE);
                return Ok(Status::Idle);
            }
        }
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.shown)
    }

    fn statistics(&self) -> Vec<InterfaceStatistics> {
        self.statistics.clone()
    }

    fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}
