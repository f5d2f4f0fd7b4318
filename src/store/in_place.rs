//! Whether an open store still is the file at its path. SQLite does not ask:
//! whoever removes, renames or replaces a store that is written takes all that
//! comes after with it.

use super::{Result, Store, StoreError};
use std::fs::File;
use std::path::Path;

/// Which file it is, wherever its path leads by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    /// That of the file at a path; none where the system has no such numbers.
    pub(super) fn of(path: &Path) -> Option<FileId> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            path.metadata().ok().map(|m| FileId(m.dev(), m.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }
}

impl FileId {
    /// That of an open file.
    pub(super) fn of_open(file: &File) -> Option<FileId> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            file.metadata().ok().map(|m| FileId(m.dev(), m.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            None
        }
    }
}

impl Store {
    /// Whether the path still leads to the file that was opened.
    ///
    /// # Errors
    /// [`StoreError::Moved`] if it does not.
    pub fn require_in_place(&self) -> Result<()> {
        if FileId::of(&self.place.0) == self.file {
            return Ok(());
        }
        Err(StoreError::Moved { place: self.place.clone() })
    }

    /// Takes leave of a file that is no longer in its place: what was written
    /// to it stood in a log beside the path, and a file under another name is
    /// no store without that.
    ///
    /// # Errors
    /// If that cannot be done now; then nothing may be made at the path, since
    /// the log is still there.
    pub fn take_leave(&self) -> Result<()> {
        let log = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let busy = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], log);
        match busy.map_err(|e| self.place.error(e))? {
            0 => Ok(()),
            _ => Err(StoreError::Locked { place: self.place.clone() }),
        }
    }
}
