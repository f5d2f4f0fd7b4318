//! Opening and creating stores.

use super::error::{Place, StoreError};
use super::in_place::FileId;
use super::{PATIENCE, Result, Store, schema};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes in a page of a new store: of the usual 4,096 most would hold one record
/// and be half empty.
const PAGE: i64 = 8192;

/// How long to wait until it is looked again whether another process is done.
const PAUSE: Duration = Duration::from_millis(20);

/// Prepared statements kept; more than any run uses.
const STATEMENTS: usize = 64;

impl Store {
    /// Opens a store for reading and writing and creates it if there is none,
    /// readable and writable for its owner only (mode 0600 whatever the umask).
    ///
    /// A symbolic link to a store is followed; one that leads nowhere is not
    /// used to create a file.
    ///
    /// # Errors
    /// Any [`StoreError`]; a file that is no store is left as it was.
    pub fn open(path: &Path) -> Result<Store> {
        let place = Place(path.to_owned());
        if path.symlink_metadata().is_err() && make(path, &place)? {
            return open_made(path, place);
        }
        open_existing(path, place)
    }

    /// The same, but a store that is new gets its tables beside other work. What is
    /// wrong with a path or with a file that is there is said at once.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_beside(path: &Path) -> Result<Opening> {
        let place = Place(path.to_owned());
        if path.symlink_metadata().is_ok() || !make(path, &place)? {
            return open_existing(path, place).map(Opening::Done);
        }
        let conn = connect(path, &place).inspect_err(|e| remove_ours(path, e))?;
        let (of_thread, its_place) = (path.to_owned(), place.clone());
        let begun = Builder::new().name("store".into()).spawn(move || found(conn, &of_thread, its_place));
        // Without a thread it is done here, on another connection.
        begun.map_or_else(|_| open_made(path, place).map(Opening::Done), |handle| Ok(Opening::Begun(handle)))
    }

    /// Opens a store for checking it: as [`Store::open_read_only`], but one of an
    /// earlier version is left as it is, and what others put into it is for
    /// [`Store::verify`] to say.
    ///
    /// # Errors
    /// [`StoreError::TooOld`] for an earlier version, and any other.
    pub fn open_unchanged(path: &Path) -> Result<Store> {
        let place = Place(path.to_owned());
        if path.symlink_metadata().is_err() {
            return Err(StoreError::Missing { place });
        }
        refuse_special(path, &place)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let version = Connection::open_with_flags(plain(path), flags)
            .map_err(|e| place.error(e))
            .and_then(|conn| schema::require_ours(&conn, &place));
        // What cannot be told here is told below.
        if version.is_ok_and(schema::is_earlier) {
            return Err(StoreError::TooOld { place });
        }
        open_reading(path, false)
    }

    /// Opens a store for reading only. A store that nobody writes to may lie on
    /// a read-only file system.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, and any other.
    pub fn open_read_only(path: &Path) -> Result<Store> {
        open_reading(path, true)
    }
}

/// With `strict`, a store in which others put views or triggers is refused.
fn open_reading(path: &Path, strict: bool) -> Result<Store> {
    let place = Place(path.to_owned());
    if path.symlink_metadata().is_err() {
        return Err(StoreError::Missing { place });
    }
    refuse_special(path, &place)?;
    let store = match read_only(path, &place, false) {
        // Without a log there is nothing to lock: read the file alone.
        Err(StoreError::CannotOpen { .. } | StoreError::ReadOnly { .. }) if !has_log(path) => {
            read_only(path, &place, true)
        }
        other => other,
    }?;
    if strict {
        schema::refuse_strangers(&store.conn, &place)?;
    }
    Ok(store)
}

impl Store {
    /// Removes a store that opening it made and that nothing was written to
    /// since, by anybody, and that nobody else has open; else it stays.
    pub fn discard_new(self) {
        // Only who is alone can give up the log.
        let is_alone = || -> rusqlite::Result<bool> {
            self.conn.busy_timeout(Duration::ZERO)?;
            self.conn.query_row("PRAGMA journal_mode = DELETE", [], |row| Ok(row.get::<_, String>(0)? == "delete"))
        };
        let is_empty = || {
            self.conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM runs UNION ALL SELECT 1 FROM sources)", [], |row| {
                row.get(0)
            })
        };
        if self.new && is_alone().unwrap_or(false) && is_empty().unwrap_or(false) {
            let path = self.place.0.clone();
            drop(self);
            remove(&path);
        }
    }
}

/// A store that is being opened.
#[derive(Debug)]
pub enum Opening {
    /// It is open.
    Done(Store),
    /// A thread makes its tables.
    Begun(JoinHandle<Result<Store>>),
}

impl Opening {
    /// The store, as soon as it is open.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn store(self) -> Result<Store> {
        match self {
            Opening::Done(store) => Ok(store),
            Opening::Begun(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

/// Makes the file of a new store, which is empty. False if another process was
/// quicker.
fn make(path: &Path, place: &Place) -> Result<bool> {
    match create_private(path) {
        Ok(made) => drop(made),
        Err(e) => match e.kind() {
            std::io::ErrorKind::AlreadyExists => return Ok(false),
            std::io::ErrorKind::StorageFull => return Err(StoreError::DiskFull { place: place.clone() }),
            std::io::ErrorKind::ReadOnlyFilesystem => return Err(StoreError::ReadOnly { place: place.clone() }),
            _ => return Err(StoreError::CannotOpen { place: place.clone(), detail: e.to_string() }),
        },
    }
    Ok(true)
}

/// Opens a store whose file this process has just made.
fn open_made(path: &Path, place: Place) -> Result<Store> {
    let conn = connect(path, &place).inspect_err(|e| remove_ours(path, e))?;
    found(conn, path, place)
}

/// Gives a file that this process has just made its tables.
fn found(conn: Connection, path: &Path, place: Place) -> Result<Store> {
    match schema::migrate(&conn, schema::MIGRATIONS, &schema::views()) {
        Ok(()) => {
            let file = FileId::of(&place.0);
            Ok(Store { conn, place, file, new: true })
        }
        Err(e) => {
            let error = place.error(e);
            // Another process may have given it its tables, and use them.
            let is_unmade = schema::is_unmade(&conn).unwrap_or(true);
            drop(conn);
            if is_unmade {
                remove_ours(path, &error);
            }
            Err(error)
        }
    }
}

/// Removes a file that this process made and could make no store of, unless
/// another process is at it.
fn remove_ours(path: &Path, why: &StoreError) {
    if !matches!(why, StoreError::Locked { .. }) {
        remove(path);
    }
}

/// Removes a store and what SQLite keeps beside it.
fn remove(path: &Path) {
    for name in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal")] {
        let _ = std::fs::remove_file(name);
    }
}

/// Creates the file with mode 0600, never through a link or over a file.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        // A umask can only have taken bits away.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn open_existing(path: &Path, place: Place) -> Result<Store> {
    let conn = connect(path, &place)?;
    furnish(conn, place)
}

/// Opens a file that is a store, or is empty, or is being made one by another
/// process, for writing.
fn connect(path: &Path, place: &Place) -> Result<Connection> {
    refuse_special(path, place)?;
    let conn =
        Connection::open_with_flags(plain(path), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| place.error(e))?;
    let sql = |e| place.error(e);
    // First, because what cannot be written can often not even be looked at.
    if conn.is_readonly(rusqlite::MAIN_DB).map_err(sql)? {
        return Err(StoreError::ReadOnly { place: place.clone() });
    }
    prepare(&conn).map_err(sql)?;
    if schema::is_blank(&conn).map_err(sql)? {
        conn.pragma_update(None, "page_size", PAGE).map_err(sql)?;
    } else if !schema::is_unmade(&conn).map_err(sql)? {
        schema::require_ours(&conn, place)?;
        schema::refuse_strangers(&conn, place)?;
    }
    keep_log(&conn).map_err(sql)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    Ok(conn)
}

/// Has SQLite log ahead. Some file systems cannot do that; it then keeps its
/// rollback journal, which is as safe. Of two processes that make a store at once
/// SQLite refuses one without waiting.
fn keep_log(conn: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// Gives a store the tables of this version.
fn furnish(conn: Connection, place: Place) -> Result<Store> {
    schema::migrate(&conn, schema::MIGRATIONS, &schema::views()).map_err(|e| place.error(e))?;
    let file = FileId::of(&place.0);
    Ok(Store { conn, place, file, new: false })
}

fn read_only(path: &Path, place: &Place, immutable: bool) -> Result<Store> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut name = plain(path);
    if immutable {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        name = immutable_uri(&name);
    }
    let conn = Connection::open_with_flags(name, flags).map_err(|e| place.error(e))?;
    prepare(&conn).map_err(|e| place.error(e))?;
    if !immutable {
        await_tables(&conn).map_err(|e| place.error(e))?;
    }
    let version = schema::require_ours(&conn, place)?;
    if schema::is_earlier(version) {
        // Reading assumes today's tables, and this connection may not change them.
        return Store::open(path);
    }
    Ok(Store { conn, place: place.clone(), file: FileId::of(path), new: false })
}

/// Waits while another process is just making the store: then there is a log, and
/// no table yet.
fn await_tables(conn: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + PATIENCE;
    while schema::is_unmade(conn)? && schema::has_log(conn)? && Instant::now() < until {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Settings that every connection gets.
fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.pragma_update(None, "foreign_keys", "ON")?;
    // A store may come from someone else: its schema must not call functions.
    conn.pragma_update(None, "trusted_schema", "OFF")
}

/// Says plainly what SQLite would call "unable to open database file".
fn refuse_special(path: &Path, place: &Place) -> Result<()> {
    let cannot = |detail: String| StoreError::CannotOpen { place: place.clone(), detail };
    let kind = path.metadata().map_err(|e| cannot(e.to_string()))?;
    if kind.is_dir() {
        let archive = super::archive::Archive::is_at(path);
        let what = if archive { "it is an archive, which this command does not read" } else { "it is a folder" };
        return Err(cannot(what.to_owned()));
    }
    if !kind.is_file() {
        return Err(cannot("it is no regular file".to_owned()));
    }
    // Not by opening it: where this process writes to the store, closing any
    // other handle of the file gives up its locks, and the next process that
    // closes the store takes the log away from under it.
    #[cfg(unix)]
    {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        match accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS) {
            // Where the system cannot tell, SQLite will.
            Ok(()) | Err(rustix::io::Errno::NOSYS) => Ok(()),
            Err(e) => Err(cannot(std::io::Error::from(e).to_string())),
        }
    }
    #[cfg(not(unix))]
    File::open(path).map(drop).map_err(|e| cannot(e.to_string()))
}

/// The path as SQLite must see it: not empty, and no URI by accident.
fn plain(path: &Path) -> PathBuf {
    if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() }
}

fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    PathBuf::from(uri)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether a write-ahead log with content lies beside the store.
fn has_log(path: &Path) -> bool {
    beside(path, "-wal").metadata().is_ok_and(|m| m.len() > 0)
}
