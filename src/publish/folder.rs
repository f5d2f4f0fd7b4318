//! A folder that is there whole or not at all.

use super::manifest::Listed;
use crate::sighting::draft::hex;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder in the making, beside the place where it is to be.
pub(super) struct Folder {
    made: TempDir,
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
        let made = tempfile::Builder::new().prefix(".publication-").tempdir_in(parent)?;
        Ok(Folder { made, to: to.to_owned(), files: Vec::new() })
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
        let Folder { made, to, .. } = self;
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
