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
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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

/// What reading came to.
pub(super) enum Grown {
    Frames,
    Nothing,
    Failed(CaptureError),
    /// The file is shorter than what was read of it.
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
        let grew = Instant::now();
        Ok(Tail { shown, file, key, source, progress, finished, damaged: false, grew, numbers: Vec::new() })
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

    /// Reads what has come.
    pub(super) fn read(&mut self, batch: &mut Batch) -> Grown {
        if let Some(file) = self.file.as_ref().filter(|_| !self.is_finishing()) {
            match file.metadata() {
                Ok(meta) if meta.len() < self.read_bytes() => return Grown::Replaced,
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
