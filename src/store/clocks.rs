//! Whether sources of a store show the same frames at different times.

use super::{Result, Store};
use crate::sighting::clocks::Clocks;
use crate::sighting::record::Evidence;
use serde::Deserialize;

/// The newest sources that are looked at, records of each, and records of others
/// that each of these is held against: reading hosts takes no longer for that.
const SOURCES: u32 = 128;
const RECORDS: u32 = 32;
const PAIRS: u32 = 64;
/// Records that are read in all.
const MOST_READ: u32 = 2048;

/// As much of a record as is needed.
#[derive(Deserialize)]
struct Frames {
    #[serde(default)]
    evidence: Vec<Evidence>,
}

impl Store {
    /// Frames that records of several sources name, of the same host, indicator and
    /// day: a sample of a large store.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn clocks(&self) -> Result<Clocks> {
        let read = || -> rusqlite::Result<Clocks> {
            let mut clocks = Clocks::default();
            let mut sources = self.conn.prepare_cached("SELECT source_no FROM sources ORDER BY 1 DESC LIMIT ?1")?;
            let sources: Vec<i64> = sources.query_map([SOURCES], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let mut pairs = self.conn.prepare_cached(
                "SELECT s.source, a.record, t.source, b.record
                 FROM (SELECT * FROM sightings WHERE source_no = ?1 AND support = 0 LIMIT ?2) a
                 CROSS JOIN sightings b ON b.period = a.period AND b.ip = a.ip AND b.segment = a.segment
                       AND b.mac = a.mac AND b.indicator = a.indicator AND b.source_no < a.source_no
                 JOIN sources s ON s.source_no = a.source_no JOIN sources t ON t.source_no = b.source_no
                 LIMIT ?3",
            )?;
            let mut left = MOST_READ;
            for source in sources {
                let mut rows = pairs.query((source, RECORDS, PAIRS))?;
                while let Some(row) = rows.next()? {
                    let Some(rest) = left.checked_sub(2) else { return Ok(clocks) };
                    left = rest;
                    for (source, record) in [(2, 3), (0, 1)] {
                        let frames: Frames = super::write::from_json(row.get_ref(record)?.as_str()?)?;
                        clocks.add(row.get_ref(source)?.as_str()?, &frames.evidence);
                    }
                }
            }
            Ok(clocks)
        };
        read().map_err(|e| self.place.error(e))
    }
}
