//! Retention: removing what is older than a rule allows.

use super::close::{changed_before, close};
use super::{Content, LinkKind, append};
use crate::base::Timestamp;
use crate::base::time::{DAY_SECS, format_day};
use crate::store::{Result, Writer, narrow};
use rusqlite::{Connection, OptionalExtension};

/// Tables that hold, besides records, what was seen of hosts, with the column
/// of its last time.
const TIMED: [(&str, &str); 4] =
    [("interval_times", "to_ns"), ("signals", "to_ns"), ("canaries", "ts_ns"), ("events", "ts_ns")];

/// What a rule of retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Days whose records are gone.
    pub days: u64,
    /// Contributions that are gone.
    pub records: u64,
}

impl Writer<'_> {
    /// Removes the records of every UTC day more than `days` before that of
    /// `now`, and the intervals, signs of roles, canaries and changes of
    /// verdicts that ended before then. The
    /// digests of the days stay; that a day was removed, when and by which
    /// rule, is a link of the chain of its own. Coverage stays: it holds
    /// numbers only. What is removed is overwritten in the file.
    ///
    /// # Errors
    /// Any [`StoreError`](crate::store::StoreError).
    pub fn retain(&mut self, days: u32, now: Timestamp, run: i64) -> Result<Removed> {
        let first_kept = now.day().saturating_sub(i64::from(days));
        let cause = format!("--retain {days} by run {run} at {now}");
        self.run(|c| {
            let usual: i64 = c.pragma_query_value(None, "secure_delete", |row| row.get(0))?;
            c.pragma_update(None, "secure_delete", 1)?;
            let removed = remove(c, first_kept, &cause);
            c.pragma_update(None, "secure_delete", usual)?;
            removed
        })
    }
}

fn remove(c: &Connection, first_kept: i64, cause: &str) -> rusqlite::Result<Removed> {
    let limit = format_day(first_kept);
    // What goes is put together first, so that it shows what it was.
    changed_before(c, &limit)?.iter().try_for_each(|day| close(c, day, ""))?;
    let days: Vec<String> = c
        .prepare_cached(
            "SELECT period FROM sightings WHERE period < ?1 UNION SELECT day FROM record_digests WHERE day < ?1 ORDER BY 1",
        )?
        .query_map([&limit], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut removed = Removed::default();
    for day in &days {
        let last: Option<(i64, String)> = c
            .prepare_cached("SELECT records, content FROM day_links WHERE day = ?1 ORDER BY seq DESC LIMIT 1")?
            .query_row([day], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        c.prepare_cached("DELETE FROM record_digests WHERE day = ?1")?.execute([day])?;
        let gone = c.prepare_cached("DELETE FROM sightings WHERE period = ?1")?.execute([day])?;
        let gone = i64::try_from(gone).unwrap_or(i64::MAX);
        let was = last.unwrap_or_else(|| (gone, Content::new().finish().1));
        append(c, LinkKind::Removed, day, was, cause.to_owned())?;
        removed.days = removed.days.saturating_add(1);
        removed.records = removed.records.saturating_add(gone.unsigned_abs());
    }
    let limit_ns = first_kept.saturating_mul(DAY_SECS).saturating_mul(crate::base::time::SECOND);
    for (table, column) in TIMED {
        c.prepare_cached(&format!("DELETE FROM {table} WHERE {column} < ?1"))?.execute([limit_ns])?;
    }
    narrow::sweep(c)?;
    Ok(removed)
}
