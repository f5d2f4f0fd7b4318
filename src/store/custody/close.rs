//! Closing days.

use super::super::write::from_json;
use super::{Content, LinkKind, append, record_digest};
use crate::base::time::format_day;
use crate::store::{Result, Writer};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};

/// Sources that the cause of a link names; of more their number.
const MAX_NAMED: usize = 8;

/// What one [`Writer`] changed.
#[derive(Debug, Default)]
pub(in crate::store) struct Changed {
    /// Day and number of the source.
    days: BTreeSet<(String, i64)>,
    /// A source whose days are closed when it says so.
    left_open: Option<i64>,
    /// The run that only hands on what others wrote.
    import: Option<i64>,
}

/// Notes what a contribution is now that it was written.
pub(in crate::store) fn note_record(
    c: &Connection,
    day: &str,
    source: i64,
    id: &str,
    support: bool,
    record: &str,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO record_digests (day, source_no, id, digest) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET digest = ?4",
    )?
    .execute(params![day, source, id, record_digest(support, record)])
    .map(drop)
}

impl Changed {
    /// A contribution of that day and source was written.
    pub(in crate::store) fn note(&mut self, c: &Connection, day: &str, source: i64) -> rusqlite::Result<()> {
        if self.days.insert((day.to_owned(), source)) {
            c.prepare_cached("INSERT INTO changed_days (day, source_no) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![day, source])?;
        }
        Ok(())
    }

    /// Closes what was changed, but for the source that is left open.
    pub(in crate::store) fn close(&mut self, c: &Connection) -> rusqlite::Result<()> {
        let mut days: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for (day, source) in std::mem::take(&mut self.days) {
            if Some(source) != self.left_open {
                days.entry(day).or_default().insert(source);
            }
        }
        for (day, sources) in &days {
            // It may have been closed or removed meanwhile.
            let waits: bool = c
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM changed_days WHERE day = ?1)")?
                .query_row([day], |row| row.get(0))?;
            if waits {
                close_day(c, day, "", self.import.map(|run| (run, sources)))?;
            }
        }
        Ok(())
    }
}

impl Writer<'_> {
    /// Says that a source goes on writing: the days it changes are closed by
    /// [`Writer::close_days_before`] and [`Writer::close_days_of`], not by
    /// [`Writer::commit`].
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn leave_open(&mut self, source: &str) -> Result<()> {
        let number = self.run(|c| crate::store::write::source_number(c, source))?;
        self.changed.left_open = Some(number);
        Ok(())
    }

    /// Says that all this writer puts was read from a file, by that run: links of
    /// the chain then name it, and not only the sources that records are of.
    pub fn imports(&mut self, run: i64) {
        self.changed.import = Some(run);
    }

    /// Closes every day before `day` (days since the epoch) that was changed
    /// since it was last closed, also by a run that died.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn close_days_before(&mut self, day: i64) -> Result<()> {
        self.run(|c| changed_before(c, &format_day(day))?.iter().try_for_each(|d| close(c, d, "")))
    }

    /// Closes the days that a source changed, the last one too, because it
    /// ends.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn close_days_of(&mut self, source: &str) -> Result<()> {
        self.run(|c| {
            let days: Vec<String> = c
                .prepare_cached(
                    "SELECT day FROM changed_days JOIN sources USING (source_no) WHERE source = ?1 ORDER BY day",
                )?
                .query_map([source], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            days.iter().try_for_each(|d| close(c, d, " (which ended)"))
        })
    }
}

/// Days before `day` that were changed since they were last closed.
pub(super) fn changed_before(c: &Connection, day: &str) -> rusqlite::Result<Vec<String>> {
    c.prepare_cached("SELECT DISTINCT day FROM changed_days WHERE day < ?1 ORDER BY day")?
        .query_map([day], |row| row.get(0))?
        .collect()
}

/// Adds a digest of the day as it is now.
pub(super) fn close(c: &Connection, day: &str, why: &str) -> rusqlite::Result<()> {
    close_day(c, day, why, None)
}

/// The same, with the run that imported records of some sources.
fn close_day(c: &Connection, day: &str, why: &str, import: Option<(i64, &BTreeSet<i64>)>) -> rusqlite::Result<()> {
    let mut query = c.prepare_cached(
        "SELECT source, source_no FROM changed_days JOIN sources USING (source_no) WHERE day = ?1 ORDER BY source",
    )?;
    let sources: Vec<(String, i64)> =
        query.query_map([day], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let is_imported = |number: &i64| import.is_some_and(|(_, numbers)| numbers.contains(number));
    let (imported, written): (Vec<_>, Vec<_>) = sources.iter().partition(|(_, number)| is_imported(number));
    let mut cause = named(&written);
    if let (Some((run, _)), false) = (import, imported.is_empty()) {
        let and = if cause.is_empty() { "" } else { " and " };
        cause.push_str(&format!("{and}run {run} that imported {}", named(&imported)));
    }
    cause.push_str(why);
    close_as(c, day, cause)
}

/// The first few of some sources, and how many more there are.
fn named(sources: &[&(String, i64)]) -> String {
    let mut names = sources.iter().take(MAX_NAMED).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    if let Some(more) = sources.len().checked_sub(MAX_NAMED).filter(|n| *n > 0) {
        names.push_str(&format!(" and {more} more"));
    }
    names
}

fn close_as(c: &Connection, day: &str, cause: String) -> rusqlite::Result<()> {
    append(c, LinkKind::Closed, day, content(c, day)?, cause)?;
    c.prepare_cached("DELETE FROM changed_days WHERE day = ?1")?.execute([day]).map(drop)
}

/// Number of records and content of a day, as they were written.
fn content(c: &Connection, day: &str) -> rusqlite::Result<(i64, String)> {
    let mut query = c.prepare_cached(
        "SELECT digest, id, source FROM record_digests JOIN sources USING (source_no) WHERE day = ?1 ORDER BY source, id",
    )?;
    let mut rows = query.query([day])?;
    let mut content = Content::new();
    while let Some(row) = rows.next()? {
        content.add(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
    }
    Ok(content.finish())
}

/// Takes over what a store of an earlier version holds: what is there now is
/// what later checks compare with.
pub(in crate::store) fn adopt(c: &Connection) -> rusqlite::Result<()> {
    let mut query = c.prepare("SELECT source_no, id, support, record FROM sightings")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (source, id, support): (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let text = row.get_ref(3)?.as_str()?;
        let period: Period = from_json(text)?;
        note_record(c, &period.period, source, &id, support, text)?;
    }
    let days: Vec<String> = c
        .prepare("SELECT DISTINCT day FROM record_digests ORDER BY day")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    days.iter().try_for_each(|day| close_as(c, day, "store of an earlier version".into()))
}

/// The one field of a record that is wanted.
#[derive(serde::Deserialize)]
struct Period {
    period: String,
}
