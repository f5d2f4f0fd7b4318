//! The store: one SQLite file that keeps records, coverage, identity intervals
//! and an account of every run.
//!
//! A run writes through one [`Writer`], a transaction: either all of it is
//! there afterwards or none of it. Records are kept as contributions, one for
//! each source and id, and are added up when they are read ([`Store::records`]),
//! so that the same capture read twice changes nothing.

pub mod archive;
mod categories;
mod clocks;
mod coverage;
mod covered;
pub mod custody;
mod dump;
mod error;
mod facts;
mod in_place;
mod in_view;
mod intervals;
mod looked;
mod lookup;
mod measured;
mod narrow;
mod open;
mod packed;
mod read;
mod rows;
mod schema;
mod tables;
mod write;

#[cfg(test)]
mod tests;

pub use coverage::{CoverageRow, NetworkRow, ResolverRow};
pub use covered::Covered;
pub use error::{Place, StoreError};
pub use in_view::InView;
pub use measured::Measured;
pub use open::Opening;
pub use read::{Filter, Records, Stored};
pub use rows::{Canary, Event, Interval, Run, Source, UNREAD};
pub use write::{Taken, Writer};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Shorthand for results of this module.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How long to wait for another process that writes, unless
/// [`Store::set_patience`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open store.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    place: Place,
    /// Which file it is.
    file: Option<in_place::FileId>,
    /// It was not there before it was opened.
    new: bool,
}

impl Store {
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.place.0
    }

    /// Starts a transaction for writing. What it wrote is kept by
    /// [`Writer::commit`] and undone if the writer is dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process writes and does not end in
    /// time, [`StoreError::ReadOnly`] for a store opened for reading.
    pub fn begin(&mut self) -> Result<Writer<'_>> {
        let place = &self.place;
        // SQLite would refuse only the first row.
        if self.conn.is_readonly(rusqlite::MAIN_DB).map_err(|e| place.error(e))? {
            return Err(StoreError::ReadOnly { place: place.clone() });
        }
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate);
        Ok(Writer::new(tx.map_err(|e| place.error(e))?, place))
    }

    /// Sets how long to wait for another process that writes (10 s by default).
    ///
    /// # Errors
    /// Only if SQLite refuses the setting.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        self.conn.busy_timeout(patience).map_err(|e| self.place.error(e))
    }

    /// Has SQLite check the whole file; a list of what is wrong with it, empty
    /// if it is sound.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>> {
        let run = || -> rusqlite::Result<Vec<String>> {
            let mut query = self.conn.prepare("PRAGMA integrity_check(100)")?;
            let mut found: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            found.retain(|line| line != "ok");
            let mut query = self.conn.prepare("SELECT \"table\", parent FROM pragma_foreign_key_check")?;
            let broken = query.query_map([], |row| {
                let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(format!("a row of {table} refers to a missing row of {parent}"))
            })?;
            for line in broken {
                found.push(line?);
            }
            Ok(found)
        };
        run().map_err(|e| self.place.error(e))
    }
}
