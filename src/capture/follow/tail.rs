//! One capture file that may still grow.

use super::{Found, PAUSE};
use crate::capture::file::FileSource;
use crate::capture::input::{Input, stdin};
use crate::capture::open::{START, from_input};
use crate::capture::{
    Batch, CaptureError, FrameSource, InterfaceStatistics, LiveControl, OpenOptions, Progress, Status,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use std::fs::{File, Metadata};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Bytes at the beginning of a file that tell whether it is still the same:
/// the header of the file and of its first record.
pub(super) const HEAD: u64 = 64;

/// How a file begins: hash of so many bytes.
pub(super) type Head = (u64, u64);

pub(super) fn hash(bytes: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)
}

/// How the file at a path begins, in `most` bytes at most.
pub(super) fn head_at(path: &Path, most: u64) -> Option<Head> {
    head(&File::open(path).ok()?, most)
}

/// How a file begins, wherever it is being read.
fn head(file: &File, most: u64) -> Option<Head> {
    let mut bytes = [0; HEAD as usize];
    let space = bytes.get_mut(..usize::try_from(most).ok()?)?;
    let mut len = 0;
    while let Some(rest) = space.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, len as u64) {
            Ok(0) => break,
            Ok(n) => len = len.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some((len as u64, hash(space.get(..len)?)))
}

/// What tells a file from all others that are there now: device and inode.
pub(super) type Key = (u64, u64);

pub(super) fn key(meta: &Metadata) -> Key {
    (meta.dev(), meta.ino())
}

/// The key of the file at a path.
pub(super) fn key_of(path: &Path) -> Option<Key> {
    std::fs::metadata(path).ok().map(|m| key(&m))
}

/// Whether a file that may grow has enough bytes to tell that it is a capture.
///
/// # Errors
///
/// If it is none, or cannot be read.
pub(super) fn has_begun(path: &Path) -> Result<bool, CaptureError> {
    let meta = std::fs::metadata(path).map_err(CaptureError::from_io)?;
    let begun = meta.len() >= START as u64;
    if begun {
        let source = from_input(Input::open(path)?, &OpenOptions { buffer: START, ..OpenOptions::default() });
        match source {
            Ok(source) if source.is_compressed() => return Err(CaptureError::CompressedGrows),
            Ok(_) => {}
            // The beginning of compressed data is no end of them.
            Err(CaptureError::CutCompressed { .. }) => return Err(CaptureError::CompressedGrows),
            Err(e) => return Err(e),
        }
    }
    Ok(begun)
}

/// A file whose end is no end until it is said to be.
struct Growing {
    file: File,
    finished: Arc<AtomicBool>,
}

impl Read for Growing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buf)? {
            0 if !buf.is_empty() && !self.finished.load(Ordering::Relaxed) => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

/// A pipe that is not waited for longer than [`PAUSE`] at a time.
struct Piped {
    file: File,
    control: LiveControl,
    /// Whether to wait nevertheless: a decompressor cannot be interrupted.
    patient: Arc<AtomicBool>,
}

impl Piped {
    fn open(path: &Path, control: LiveControl, patient: Arc<AtomicBool>) -> Result<Self, CaptureError> {
        let file = if path.as_os_str() == "-" {
            stdin()
        } else {
            // Without this flag, opening waits until somebody writes.
            let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
            std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
        };
        Ok(Piped { file: file.map_err(CaptureError::from_io)?, control, patient })
    }
}

impl Read for Piped {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let pause = Timespec::try_from(PAUSE).ok();
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            let ready = poll(&mut fds, pause.as_ref()).unwrap_or(0) > 0;
            if ready {
                match self.file.read(buf) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    outcome => return outcome,
                }
            }
            if !self.patient.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.control.is_stopped() {
                return Ok(0);
            }
        }
    }
}

/// Changes within this time may leave a file with the same time.
const COARSE: Duration = Duration::from_secs(2);

/// What reading came to.
pub(super) enum Grown {
    Frames,
    Nothing,
    Failed(CaptureError),
    /// The file is shorter than what was read of it, or begins otherwise.
    Replaced,
    Ended,
}

/// A file being followed.
pub(super) struct Tail {
    shown: PathBuf,
    /// To see how long it is; `None` for what does not grow.
    file: Option<File>,
    key: Key,
    source: FileSource,
    progress: Arc<Progress>,
    finished: Arc<AtomicBool>,
    damaged: bool,
    /// How it began, as far as that was known when it was looked at last.
    head: Option<Head>,
    /// When it was changed, as of then.
    changed: Option<SystemTime>,
    /// When it grew last.
    pub(super) grew: Instant,
    /// The numbers that its interfaces have among those of all files.
    pub(super) numbers: Vec<u16>,
}

impl Tail {
    /// Opens a pipe.
    pub(super) fn open_pipe(path: &Path, control: &LiveControl, options: &OpenOptions) -> Result<Self, CaptureError> {
        let patient = Arc::new(AtomicBool::new(true));
        let input = Input::new(Box::new(Piped::open(path, control.clone(), Arc::clone(&patient))?), None);
        let tail = Tail::new(path, (0, 0), input, None, Arc::new(AtomicBool::new(true)), options)?;
        patient.store(tail.source.is_compressed(), Ordering::Relaxed);
        Ok(tail)
    }

    fn new(
        shown: &Path,
        key: Key,
        input: Input,
        file: Option<File>,
        finished: Arc<AtomicBool>,
        options: &OpenOptions,
    ) -> Result<Self, CaptureError> {
        let progress = Arc::clone(&input.progress);
        let (source, shown) = (from_input(input, options)?, shown.to_owned());
        let (damaged, grew, numbers) = (false, Instant::now(), Vec::new());
        let head = file.as_ref().and_then(|file| head(file, HEAD));
        Ok(Tail { shown, file, key, source, progress, finished, damaged, head, changed: None, grew, numbers })
    }

    pub(super) fn open(found: &Found, options: &OpenOptions) -> Result<Self, CaptureError> {
        let finished = Arc::new(AtomicBool::new(found.complete));
        let (input, file, key) = if found.complete {
            let key = key_of(&found.path).unwrap_or_default();
            (Input::open(&found.path)?, None, key)
        } else {
            let file = File::open(&found.path).map_err(CaptureError::from_io)?;
            let meta = file.metadata().map_err(CaptureError::from_io)?;
            let again = file.try_clone().map_err(CaptureError::from_io)?;
            let growing = Growing { file, finished: Arc::clone(&finished) };
            (Input::new(Box::new(growing), Some(meta.len())), Some(again), key(&meta))
        };
        if found.key.is_some_and(|meant| meant != key) {
            return Err(CaptureError::NotFound);
        }
        Tail::new(&found.shown, key, input, file, finished, options)
    }

    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Whether not all of it could be read.
    pub(super) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Bytes read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.progress.read()
    }

    /// How it begins, where that is known.
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }

    /// Whether the beginning of a record came of which the rest has not come.
    pub(super) fn holds_part(&self) -> bool {
        self.file.is_some() && !self.damaged && self.source.holds_part()
    }

    /// Whether what is in the file now is another capture than what was read of
    /// it: whoever writes it anew may be faster than it is looked at.
    fn is_another(&mut self) -> bool {
        let (Some(file), Some(before)) = (&self.file, self.head) else { return false };
        let Some(now) = head(file, before.0) else { return false };
        if now == before && before.0 < HEAD {
            self.head = head(file, HEAD);
        }
        now != before
    }

    /// From now on its end is its end.
    pub(super) fn finish(&mut self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    pub(super) fn statistics(&self) -> Vec<InterfaceStatistics> {
        self.source.statistics()
    }

    /// Whether it was changed since the last call.
    fn has_changed(&mut self, meta: &Metadata) -> bool {
        let changed = meta.modified().ok();
        // Times may be coarse: what was just changed may be changed once more.
        let is_fresh = changed.is_none_or(|at| at.elapsed().is_ok_and(|age| age < COARSE));
        is_fresh | (std::mem::replace(&mut self.changed, changed) != changed)
    }

    /// Reads what has come.
    pub(super) fn read(&mut self, batch: &mut Batch) -> Grown {
        if let Some(file) = self.file.as_ref().filter(|_| !self.is_finishing()) {
            match file.metadata() {
                Ok(meta) if meta.len() < self.read_bytes() => return Grown::Replaced,
                Ok(meta) if self.has_changed(&meta) && self.is_another() => return Grown::Replaced,
                // Nobody can open it any more, but who writes it may go on.
                Ok(meta) if meta.len() == self.read_bytes() && self.source.wants_more() => {
                    if meta.nlink() > 0 {
                        return Grown::Nothing;
                    }
                    self.finish();
                }
                _ => {}
            }
        }
        match self.source.next_batch(batch) {
            Ok(Status::Frames) => {
                self.grew = Instant::now();
                Grown::Frames
            }
            Ok(Status::Idle) => Grown::Nothing,
            Ok(Status::End) => Grown::Ended,
            Err(e) => {
                self.damaged = true;
                Grown::Failed(e)
            }
        }
    }
}
