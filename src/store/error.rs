//! What can go wrong with a store, one clear sentence each.

use rusqlite::ErrorCode;
use std::fmt;
use std::path::PathBuf;

/// A store that could not be opened, read or written. Each message says what
/// to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is something else.
    #[error("{place} is not a spansight store: give another file, or a new name to create a store")]
    NotAStore {
        /// The file.
        place: Place,
    },
    /// The file was written by a later version.
    #[error(
        "{place} was written by a newer spansight (store version {found}, this one reads up to {known}): use that version"
    )]
    TooNew {
        /// The file.
        place: Place,
        /// Its schema version.
        found: i64,
        /// The latest schema version this program knows.
        known: i64,
    },
    /// The file was written by an earlier version that made no digests.
    #[error(
        "{place} was written by an older spansight and has no digests: `spansight replay --store` makes them of what it holds now"
    )]
    TooOld {
        /// The file.
        place: Place,
    },
    /// There is no such store and none was to be created.
    #[error("there is no store at {place}: `spansight replay --store` creates one")]
    Missing {
        /// The file.
        place: Place,
    },
    /// The file could not be opened or created.
    #[error("cannot open {place} ({detail}): check the path and its permissions")]
    CannotOpen {
        /// The file.
        place: Place,
        /// The operating system's reason.
        detail: String,
    },
    /// The disk is full.
    #[error("no space left to write {place}, which keeps what it held before: free some space and run again")]
    DiskFull {
        /// The file.
        place: Place,
    },
    /// The file, its folder or its file system may not be written.
    #[error(
        "{place} is read-only: allow writing to the file and its folder (SQLite keeps two more files beside it), or copy it elsewhere"
    )]
    ReadOnly {
        /// The file.
        place: Place,
    },
    /// Another process is writing.
    #[error("another process is writing to {place}: wait until it ends, or stop it, and run again")]
    Locked {
        /// The file.
        place: Place,
    },
    /// The file is elsewhere.
    #[error(
        "{place} was removed, renamed or replaced while it was written: leave a store in its place until the run has ended"
    )]
    Moved {
        /// Where it was.
        place: Place,
    },
    /// The content is damaged.
    #[error("{place} is damaged ({detail}): restore a copy, or move it aside and import the captures again")]
    Corrupt {
        /// The file.
        place: Place,
        /// What SQLite or the decoder of a record found.
        detail: String,
    },
    /// The file holds what can change what is read or written.
    #[error(
        "{place} has {what}, which spansight did not make and which can change what is read and written: take another copy, or remove that"
    )]
    Stranger {
        /// The file.
        place: Place,
        /// A view, trigger or virtual table.
        what: String,
    },
    /// The disk failed.
    #[error(
        "reading or writing {place} failed ({detail}): check the disk and its free space; what was stored before is kept"
    )]
    Io {
        /// The file.
        place: Place,
        /// SQLite's reason.
        detail: String,
    },
    /// Anything else, which is a defect of this program.
    #[error("unexpected database error with {place} ({detail}): please report it")]
    Unexpected {
        /// The file.
        place: Place,
        /// SQLite's reason.
        detail: String,
    },
}

/// The file that a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub PathBuf);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may hold any byte; quoted and escaped it stays one line.
        write!(f, "{:?}", self.0)
    }
}

impl Place {
    /// SQLite's error as one of ours.
    pub(super) fn error(&self, error: rusqlite::Error) -> StoreError {
        let place = self.clone();
        let detail = error.to_string();
        if matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
        ) {
            return StoreError::Corrupt { place, detail };
        }
        // Somebody took out of the file what this program put there.
        if detail.starts_with("no such table") || detail.starts_with("no such column") {
            // What follows is the statement.
            let detail = detail.split(" in ").next().unwrap_or_default().to_owned();
            return StoreError::Corrupt { place, detail };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { place },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { place },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { place },
            Some(ErrorCode::NotADatabase) => StoreError::NotAStore { place },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { place, detail },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::CannotOpen { place, detail },
            Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport) => {
                StoreError::Io { place, detail }
            }
            _ => StoreError::Unexpected { place, detail },
        }
    }
}
