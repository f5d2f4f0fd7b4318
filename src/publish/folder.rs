//! A folder that is there whole or not at all.

use super::manifest::Listed;
use crate::base::digest::hex;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What the name of a folder in the making begins with.
const PREFIX: &str = ".publication-";
/// How old one must be to be taken for one that is left over.
const LEFT_OVER: Duration = Duration::from_secs(60);

/// A folder in the making, beside the place where it is to be.
pub(super) struct Folder {
    made: TempDir,
    /// Locked as long as it is in the making.
    _locked: Option<File>,
    to: PathBuf,
    files: Vec<Listed>,
}

impl Folder {
    /// Begins one. There must be nothing at its place yet.
    pub(super) fn begin(to: &Path) -> io::Result<Folder> {
        if to.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        remove_left_over(parent, LEFT_OVER);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let locked = locked(made.path());
        Ok(Folder { made, _locked: locked, to: to.to_owned(), files: Vec::new() })
    }

    /// The folder that it lies in.
    pub(super) fn beside(&self) -> &Path {
        self.made.path().parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Where it is for now.
    pub(super) fn path(&self) -> &Path {
        self.made.path()
    }

    /// Writes a file that the manifest lists.
    pub(super) fn file<E: From<io::Error>>(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut out = Hashed::create(&self.path().join(name))?;
        write(&mut out)?;
        let (size, sha256) = out.finish()?;
        self.files.push(Listed { path: name.to_owned(), size, sha256 });
        Ok(())
    }

    /// Writes a file that the manifest does not list.
    pub(super) fn unlisted(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let mut out = Hashed::create(&self.path().join(name))?;
        out.write_all(text)?;
        out.finish().map(drop)
    }

    /// The files so far, by name.
    pub(super) fn listed(&self) -> Vec<Listed> {
        let mut files = self.files.clone();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// Puts it into its place.
    pub(super) fn finish(self) -> io::Result<()> {
        let Folder { made, to, _locked, .. } = self;
        if to.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        #[cfg(unix)]
        File::open(made.path())?.sync_all()?;
        fs::rename(made.path(), &to)?;
        // What is left of it is its name, which is gone.
        drop(made.keep());
        #[cfg(unix)]
        File::open(to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

/// The folder, locked, where that can be had: not on every system, nor while
/// somebody else is at it.
fn locked(path: &Path) -> Option<File> {
    File::open(path).ok().filter(|folder| folder.try_lock().is_ok())
}

/// Removes folders in the making of programs that were killed: those that nobody
/// holds a lock on and that are of some age.
fn remove_left_over(parent: &Path, age: Duration) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        let old = entry.metadata().and_then(|m| m.modified()).is_ok_and(|t| t.elapsed().is_ok_and(|e| e >= age));
        if old && let Some(lock) = locked(&entry.path()) {
            // Whether it works is no concern of what is to be made.
            drop(fs::remove_dir_all(entry.path()));
            drop(lock);
        }
    }
}

/// A file that is hashed as it is written.
struct Hashed {
    file: BufWriter<File>,
    hash: ring::digest::Context,
    size: u64,
}

impl Hashed {
    fn create(path: &Path) -> io::Result<Hashed> {
        let file = BufWriter::with_capacity(1 << 18, File::create_new(path)?);
        Ok(Hashed { file, hash: ring::digest::Context::new(&ring::digest::SHA256), size: 0 })
    }

    fn finish(self) -> io::Result<(u64, String)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok((self.size, hex(self.hash.finish().as_ref())))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(".publication-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("records.ndjson"), "secret").unwrap();
        fs::create_dir(dir.path().join(".publications")).unwrap();
        let mine = Folder::begin(&dir.path().join("new")).unwrap();
        assert!(left.exists(), "it may just have been begun");
        remove_left_over(dir.path(), Duration::ZERO);
        assert!(!left.exists() && mine.path().exists() && dir.path().join(".publications").exists());
        mine.finish().unwrap();
        assert!(dir.path().join("new").exists());
    }
}
