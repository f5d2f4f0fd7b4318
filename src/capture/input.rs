//! The bytes of an input before anything is made of them.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::{CaptureError, Progress};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// An opened input.
pub(super) struct Input {
    /// Its bytes.
    pub reader: Counted<Box<dyn Read + Send>>,
    /// How far it was read.
    pub progress: Arc<Progress>,
    /// Whether it is a regular file, which always delivers as much as is
    /// asked for. A pipe delivers what it has.
    pub regular: bool,
}

impl Input {
    /// Opens a file or, for `-`, standard input.
    pub(super) fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = if path.as_os_str() == "-" { stdin() } else { File::open(path) }.map_err(CaptureError::from_io)?;
        let meta = file.metadata().map_err(CaptureError::from_io)?;
        if meta.is_dir() {
            return Err(CaptureError::IsFolder);
        }
        let total = meta.is_file().then_some(meta.len());
        Ok(Input::new(Box::new(file), total))
    }

    /// From any reader; `total` is its size if it is a regular file.
    pub(super) fn new(reader: Box<dyn Read + Send>, total: Option<u64>) -> Self {
        let progress = Arc::new(Progress::new(total));
        Input { reader: Counted { inner: reader, progress: progress.clone() }, progress, regular: total.is_some() }
    }
}

/// Standard input without the standard library's small buffer.
pub(super) fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// A reader that says how much was read from it, and retries when a signal
/// interrupts.
pub(super) struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buf) {
                Ok(n) => {
                    self.progress.add(n);
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A reader whose first bytes were read already and are delivered again.
pub(super) struct Rewound<R> {
    head: Vec<u8>,
    given: usize,
    inner: R,
}

impl<R: Read> Rewound<R> {
    /// Reads the first `n` bytes, or fewer if there are no more.
    pub(super) fn peek(mut inner: R, n: usize) -> (Self, io::Result<()>) {
        let mut head = vec![0; n];
        let mut have = 0;
        let mut outcome = Ok(());
        while let Some(space) = head.get_mut(have..).filter(|s| !s.is_empty()) {
            match inner.read(space) {
                Ok(0) => break,
                Ok(k) => have = have.saturating_add(k),
                Err(e) => {
                    outcome = Err(e);
                    break;
                }
            }
        }
        head.truncate(have);
        (Rewound { head, given: 0, inner }, outcome)
    }

    /// The bytes read ahead.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }
}

impl<R: Read> Read for Rewound<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.head.get(self.given..) {
            Some(left) if !left.is_empty() => {
                let n = left.len().min(buf.len());
                if let (Some(to), Some(from)) = (buf.get_mut(..n), left.get(..n)) {
                    to.copy_from_slice(from);
                }
                self.given = self.given.saturating_add(n);
                Ok(n)
            }
            _ => self.inner.read(buf),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn peeked_bytes_come_again() {
        let (mut r, outcome) = Rewound::peek(&b"abcdef"[..], 4);
        outcome.unwrap();
        assert_eq!(r.head(), b"abcd");
        let mut all = Vec::new();
        r.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"abcdef");
        let (r, outcome) = Rewound::peek(&b"ab"[..], 4);
        outcome.unwrap();
        assert_eq!(r.head(), b"ab");
    }

    #[test]
    fn folders_and_missing_files_are_told_apart() {
        assert!(matches!(Input::open(Path::new("no/such/file")), Err(CaptureError::NotFound)));
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Input::open(dir.path()), Err(CaptureError::IsFolder)));
    }

    #[test]
    fn counts_what_was_read() {
        let mut input = Input::new(Box::new(&b"abcdef"[..]), Some(6));
        let mut two = [0; 2];
        input.reader.read_exact(&mut two).unwrap();
        assert_eq!((input.progress.read(), input.progress.total()), (2, Some(6)));
    }
}
