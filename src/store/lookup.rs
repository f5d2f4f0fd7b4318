//! Finding records by the beginning of their ids, and captures by where they
//! were read.

use super::{Result, Store};

impl Store {
    /// Ids of records that begin so, in lower-case hex, sorted; `most` at most.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn ids_beginning(&self, prefix: &str, most: u32) -> Result<Vec<String>> {
        // Every hex digit sorts before `g`.
        self.list(
            "SELECT DISTINCT id FROM sightings WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT ?2",
            rusqlite::params![prefix, most],
            |row| row.get(0),
        )
    }

    /// What the runs whose records are kept made pseudonyms with, sorted: ids of
    /// keys, and `None` where some made none. Imports do not say.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn pseudonym_keys(&self) -> Result<Vec<Option<String>>> {
        self.list(
            "SELECT DISTINCT json_extract(environment, '$.pseudonyms') AS key FROM runs
             WHERE home_nets <> '[]' AND EXISTS (
                 SELECT 1 FROM run_sources r JOIN sightings USING (source_no) WHERE r.run = runs.run
             ) ORDER BY key",
            [],
            |row| row.get(0),
        )
    }

    /// Sources and the paths that they were read at, first the one that was
    /// given first; live sources have none.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn paths(&self) -> Result<Vec<(String, String)>> {
        self.list(
            "SELECT source, path, 0 AS run FROM sources WHERE path IS NOT NULL
             UNION SELECT source, r.path, run FROM run_sources r JOIN sources s USING (source_no)
             WHERE s.path IS NOT NULL AND r.path <> s.path
             ORDER BY source, run",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }
}
