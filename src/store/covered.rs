//! What a store covers in all.

use super::coverage::unsigned;
use super::custody::{Link, LinkKind};
use super::rows::UNREAD;
use super::{Result, Store};
use crate::base::Timestamp;
use crate::base::time::{DAY_QUARTERS, parse_day};
use crate::coverage::{Counter, Counts, doubts};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};

/// What the sources of a store could see in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Capture files.
    pub captures: u64,
    /// Live runs.
    pub runs: u64,
    /// Sources of which only records were imported: what else they saw is not
    /// known. They are in neither number above.
    pub imported: u64,
    /// UTC days in the window whose records `--retain` removed, with none since.
    pub removed_days: u64,
    /// Sources that could not be read in full, and inputs of runs that gave
    /// nothing at all.
    pub damaged: u64,
    /// Least packet time of these sources, also outside the window.
    pub first: Option<Timestamp>,
    /// Greatest packet time, likewise.
    pub last: Option<Timestamp>,
    /// All that was counted in the window's quarter hours.
    pub counts: Counts,
    /// Quarter hours with frames.
    pub quarters: u64,
    /// Most home addresses seen in one quarter hour of one interface.
    pub addresses: u64,
}

/// Inputs of a run that gave nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread {
    inputs: u64,
    /// First and last quarter hour of what was read beside them.
    beside: Option<(i64, i64)>,
}

/// How many of them belong to the quarter hours `from` to `to`. Nobody knows when
/// they were captured: about when the others were, a day sooner or later, or else at
/// any time.
pub(super) fn unread_in(all: &[Unread], from: i64, to: i64) -> u64 {
    let meets = |u: &&Unread| {
        u.beside.is_none_or(|(first, last)| first.saturating_sub(MISSING) <= to && from <= last.saturating_add(MISSING))
    };
    all.iter().filter(meets).fold(0, |sum, u| sum.saturating_add(u.inputs))
}

/// Quarter hours in which what could not be read of a capture may lie, behind what
/// could: nobody knows how much is missing.
const MISSING: i64 = DAY_QUARTERS;

/// Whether a source that could not be read in full lacks something of the quarter
/// hours `from` to `to`.
pub(super) fn is_damaged_in(source: &super::Source, from: i64, to: i64) -> bool {
    let span = source.first.zip(source.last);
    let meets =
        |(first, last): (Timestamp, Timestamp)| first.quarter() <= to && from <= last.quarter().saturating_add(MISSING);
    !source.warnings.is_empty() && span.is_some_and(meets)
}

/// Quarter hours for which a sensor counts as one that should have seen more, after
/// the last in which it saw frames: then it was given up.
pub(super) const MISSED: i64 = 7 * DAY_QUARTERS;

/// UTC days of which `--retain` removed records that did not come back since: a day
/// that later records opened again has the others no more.
pub(super) fn removed_days(links: &[Link]) -> BTreeSet<i64> {
    let mut removed: BTreeMap<i64, i64> = BTreeMap::new();
    for link in links {
        let Some(day) = parse_day(&link.day) else { continue };
        match link.kind {
            LinkKind::Removed => {
                let most = removed.entry(day).or_insert(0);
                *most = link.records.max(*most);
            }
            LinkKind::Closed => {
                if removed.get(&day).is_some_and(|before| link.records >= *before) {
                    removed.remove(&day);
                }
            }
        }
    }
    removed.into_keys().collect()
}

impl Store {
    /// What was covered in the quarter hours `from` to `to` (since the epoch,
    /// both included).
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn covered(&self, from: i64, to: i64) -> Result<Covered> {
        let mut covered = self.covered_counts(from, to)?;
        let (first, last) = (from.div_euclid(DAY_QUARTERS), to.div_euclid(DAY_QUARTERS));
        covered.removed_days = removed_days(&self.links()?).range(first..=last).count() as u64;
        for source in self.sources()? {
            covered.damaged = covered.damaged.saturating_add(u64::from(is_damaged_in(&source, from, to)));
            let (Some(first), Some(last)) = (source.first, source.last) else { continue };
            if last.quarter() < from || first.quarter() > to {
                continue;
            }
            let kind = if source.is_imported() {
                &mut covered.imported
            } else if super::Source::is_run(&source.source) {
                &mut covered.runs
            } else {
                &mut covered.captures
            };
            *kind = kind.saturating_add(1);
            covered.first = Some(covered.first.map_or(first, |t| t.min(first)));
            covered.last = covered.last.max(Some(last));
        }
        covered.damaged = covered.damaged.saturating_add(unread_in(&self.unread()?, from, to));
        Ok(covered)
    }

    /// The sensors that saw frames in the quarter hours `from` to `to`, by name,
    /// with the quarter hours in which they did; also those that did in the week
    /// before, and in none of these.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn sensors_up(&self, from: i64, to: i64) -> Result<Vec<(String, u64)>> {
        let before = from.saturating_sub(MISSED);
        self.list(&by_sensor(), params![from, to, before], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))
    }

    /// What each sensor counted on the UTC days of the quarter hours `from` to `to`, by
    /// name.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn counted_by_sensor(&self, from: i64, to: i64) -> Result<BTreeMap<String, Counts>> {
        let mut all: BTreeMap<String, Counts> = BTreeMap::new();
        self.list(
            &format!(
                "{NAMED} SELECT coalesce(n.sensor, ''), d.counter, total(d.value)
                 FROM coverage_days d LEFT JOIN named n ON n.source_no = d.source_no
                 WHERE d.day BETWEEN ?1 AND ?2 GROUP BY 1, 2"
            ),
            [from.div_euclid(DAY_QUARTERS), to.div_euclid(DAY_QUARTERS)],
            |row| {
                if let Some(counter) = Counter::from_word(row.get_ref(1)?.as_str()?) {
                    all.entry(row.get(0)?).or_default().add(counter, row.get::<_, f64>(2)? as u64);
                }
                Ok(())
            },
        )?;
        Ok(all)
    }

    /// What each source counted on the UTC days of the quarter hours `from` to `to` of
    /// what [`doubts::of_capture`] asks for, by its path, or else its name.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn counted_by_capture(&self, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
        let words: Vec<String> = doubts::OF_CAPTURE.iter().map(|c| format!("'{}'", c.as_str())).collect();
        let mut all: Vec<(i64, String, Counts)> = Vec::new();
        self.list(
            &format!(
                "SELECT source_no, coalesce(path, source), counter, total(value) FROM coverage_days
                 JOIN sources USING (source_no) WHERE day BETWEEN ?1 AND ?2 AND counter IN ({})
                 GROUP BY source_no, counter ORDER BY source_no",
                words.join(", ")
            ),
            [from.div_euclid(DAY_QUARTERS), to.div_euclid(DAY_QUARTERS)],
            |row| {
                let number: i64 = row.get(0)?;
                if all.last().is_none_or(|(last, ..)| *last != number) {
                    all.push((number, row.get(1)?, Counts::default()));
                }
                if let (Some((.., counts)), Some(counter)) =
                    (all.last_mut(), Counter::from_word(row.get_ref(2)?.as_str()?))
                {
                    counts.add(counter, row.get::<_, f64>(3)? as u64);
                }
                Ok(())
            },
        )?;
        Ok(all.into_iter().map(|(_, name, counts)| (name, counts)).collect())
    }

    /// UTC days, since the epoch, on which frames were looked at: not those whose
    /// frames options left out.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn days_watched(&self) -> Result<Vec<i64>> {
        let sql = "SELECT day FROM coverage_days WHERE counter IN ('frames', 'frames_filtered') GROUP BY day
             HAVING total(iif(counter = 'frames', value, -value)) > 0";
        self.list(sql, [], |row| row.get(0))
    }

    /// First and last packet time of each run that wrote no end: it was killed, or its
    /// machine was, or it goes on.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn unended(&self) -> Result<Vec<(Timestamp, Timestamp)>> {
        let sql = "SELECT min(s.first_ns), max(s.last_ns) FROM runs JOIN run_sources USING (run)
             JOIN sources s USING (source_no) WHERE ended_ns IS NULL AND s.first_ns IS NOT NULL GROUP BY run";
        self.list(sql, [], |row| Ok((Timestamp(row.get(0)?), Timestamp(row.get(1)?))))
    }

    /// Inputs of runs that gave nothing, with the least and greatest packet time
    /// of what the run read beside them.
    pub(super) fn unread(&self) -> Result<Vec<Unread>> {
        let sql = format!(
            "SELECT CAST(json_extract(r.environment, '$.{UNREAD}') AS INTEGER) AS inputs, min(s.first_ns), max(s.last_ns)
             FROM runs r LEFT JOIN run_sources USING (run) LEFT JOIN sources s USING (source_no)
             GROUP BY r.run HAVING inputs > 0"
        );
        self.list(&sql, [], |row| {
            let (first, last): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            let quarter = |ns: i64| Timestamp(ns).quarter();
            Ok(Unread { inputs: unsigned(row.get(0)?), beside: first.map(quarter).zip(last.map(quarter)) })
        })
    }

    /// The first UTC day, from `since` on, of the newest days that hold no more
    /// than `most` contacts together; at least the last day with any.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn first_day_of(&self, since: i32, most: u64) -> Result<i32> {
        let days: Vec<(i32, i64)> = self.list(
            "SELECT day, count(*) FROM contacts WHERE day >= ?1 GROUP BY day ORDER BY day DESC",
            [since],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut sum = 0u64;
        let fitting = days.iter().skip(1).take_while(|(_, n)| {
            sum = sum.saturating_add(unsigned(*n));
            sum.saturating_add(days.first().map_or(0, |(_, n)| unsigned(*n))) <= most
        });
        let newest = days.first().map_or(since, |(day, _)| *day);
        let first = fitting.last().map_or(newest, |(day, _)| *day);
        Ok(if days.last().is_some_and(|(day, _)| *day == first) { since } else { first })
    }

    fn covered_counts(&self, from: i64, to: i64) -> Result<Covered> {
        let mut covered = Covered::default();
        let read = |covered: &mut Covered| -> rusqlite::Result<()> {
            // Whole days are added up already; what is left are less than two.
            let first = from.saturating_add(DAY_QUARTERS - 1).div_euclid(DAY_QUARTERS);
            let last = to.saturating_add(1).div_euclid(DAY_QUARTERS).saturating_sub(1);
            if first <= last {
                add_counts(&self.conn, DAYS, (first, last), covered)?;
                add_counts(&self.conn, PARTS, (from, first.saturating_mul(DAY_QUARTERS).saturating_sub(1)), covered)?;
                let behind = last.saturating_add(1).saturating_mul(DAY_QUARTERS);
                add_counts(&self.conn, PARTS, (behind.max(from), to), covered)?;
            } else {
                add_counts(&self.conn, PARTS, (from, to), covered)?;
            }
            let mut query = self.conn.prepare_cached(&up())?;
            covered.quarters = query.query_row([from, to], |row| row.get(0)).map(unsigned)?;
            let mut query = self.conn.prepare_cached(
                "SELECT coalesce(max(addresses), 0) FROM coverage_addresses WHERE quarter BETWEEN ?1 AND ?2",
            )?;
            covered.addresses = query.query_row([from, to], |row| row.get(0)).map(unsigned)?;
            Ok(())
        };
        read(&mut covered).map_err(|e| self.place.error(e))?;
        Ok(covered)
    }
}

/// Counters of whole days.
const DAYS: &str = "SELECT counter, total(value) FROM coverage_days WHERE day BETWEEN ?1 AND ?2 GROUP BY counter";

/// Counters of quarter hours; each has a row in the smaller table.
const PARTS: &str = "SELECT counter, total(value)
    FROM coverage_addresses a CROSS JOIN coverage c USING (source_no, interface, quarter)
    WHERE a.quarter BETWEEN ?1 AND ?2 GROUP BY counter";

/// Whether frames were looked at in the quarter hour of row `c` of the coverage:
/// where options left all out, nobody watched.
pub(super) const WATCHED: &str = "c.counter = 'frames' AND c.value > 0 AND c.value > coalesce((
        SELECT f.value FROM coverage f WHERE f.source_no = c.source_no AND f.interface = c.interface
        AND f.quarter = c.quarter AND f.counter = 'frames_filtered'), 0)";

/// How many quarter hours were watched.
fn up() -> String {
    format!(
        "SELECT count(DISTINCT a.quarter)
         FROM coverage_addresses a CROSS JOIN coverage c USING (source_no, interface, quarter)
         WHERE a.quarter BETWEEN ?1 AND ?2 AND {WATCHED}"
    )
}

/// The sensor of each source: that of the last run that read it.
const NAMED: &str = "WITH named AS MATERIALIZED (
    SELECT l.source_no, r.sensor, max(r.run) FROM run_sources l JOIN runs r USING (run) GROUP BY l.source_no)";

/// Quarter hours by sensor.
fn by_sensor() -> String {
    format!(
        "{NAMED} SELECT coalesce(n.sensor, ''), count(DISTINCT CASE WHEN a.quarter >= ?1 THEN a.quarter END)
         FROM coverage_addresses a CROSS JOIN coverage c USING (source_no, interface, quarter)
         LEFT JOIN named n ON n.source_no = a.source_no
         WHERE a.quarter BETWEEN ?3 AND ?2 AND {WATCHED} GROUP BY 1 ORDER BY 1"
    )
}

fn add_counts(c: &Connection, sql: &str, (from, to): (i64, i64), covered: &mut Covered) -> rusqlite::Result<()> {
    let mut query = c.prepare_cached(sql)?;
    let mut rows = query.query([from, to])?;
    while let Some(row) = rows.next()? {
        if let Some(counter) = Counter::from_word(row.get_ref(0)?.as_str()?) {
            // A sum of integers could be too great for one.
            covered.counts.add(counter, row.get::<_, f64>(1)? as u64);
        }
    }
    Ok(())
}
