//! Reading what runs wrote besides records.

use super::coverage::unsigned;
use super::write::from_json;
use super::{Canary, Event, Interval, Result, Run, Source, Store};
use crate::base::{Addr, Channel, Timestamp};
use crate::catalogue::LongText;
use crate::host::Alarm;
use rusqlite::types::Type;
use rusqlite::{Params, Row};
use std::collections::HashMap;
use std::str::FromStr;

impl Store {
    /// All rows of a query.
    pub(super) fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let read = || -> rusqlite::Result<Vec<T>> { self.conn.prepare_cached(sql)?.query_map(params, row)?.collect() };
        read().map_err(|e| self.place.error(e))
    }

    /// All runs with their numbers, oldest first.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn runs(&self) -> Result<Vec<(i64, Run)>> {
        let mut catalogues: HashMap<String, LongText> = HashMap::new();
        for (sha256, content) in self.list("SELECT sha256, content FROM catalogues", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })? {
            let parts = self.catalogue_parts(&sha256)?;
            catalogues.insert(sha256, LongText::stored(&content, parts));
        }
        self.list(
            "SELECT run, version, command, catalogue, '', home_nets, sensor, hash,
                    started_ns, ended_ns, exit_code, exit_reason, environment
             FROM runs ORDER BY run",
            [],
            |row| {
                let (command, home_nets): (String, String) = (row.get(2)?, row.get(5)?);
                let environment: String = row.get(12)?;
                let run = Run {
                    version: row.get(1)?,
                    command: from_json(&command)?,
                    catalogue: catalogues.get(&row.get::<_, String>(3)?).cloned().unwrap_or_default(),
                    catalogue_sha256: row.get(3)?,
                    home_nets: from_json(&home_nets)?,
                    sensor: row.get(6)?,
                    hash: row.get(7)?,
                    started: Timestamp(row.get(8)?),
                    ended: row.get::<_, Option<i64>>(9)?.map(Timestamp),
                    exit_code: row.get(10)?,
                    exit_reason: row.get(11)?,
                    environment: from_json(&environment)?,
                };
                Ok((row.get(0)?, run))
            },
        )
    }

    /// The parts of a long catalogue, packed, with the lengths of their texts.
    pub(super) fn catalogue_parts(&self, sha256: &str) -> Result<Vec<(Vec<u8>, usize)>> {
        self.list("SELECT content, bytes FROM catalogue_parts WHERE sha256 = ?1 ORDER BY part", [sha256], |row| {
            Ok((row.get(0)?, usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
        })
    }

    /// All sources, ordered by first timestamp and id.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn sources(&self) -> Result<Vec<Source>> {
        let mut sources = self.list(
            "SELECT source, path, size, first_ns, last_ns, frames, warnings FROM sources ORDER BY first_ns, source",
            [],
            |row| {
                let warnings: String = row.get(6)?;
                Ok(Source {
                    source: row.get(0)?,
                    path: row.get(1)?,
                    size: row.get::<_, Option<i64>>(2)?.map(unsigned),
                    first: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                    last: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                    frames: unsigned(row.get(5)?),
                    warnings: from_json(&warnings)?,
                    interfaces: Vec::new(),
                })
            },
        )?;
        for source in &mut sources {
            source.interfaces = self.list(
                "SELECT name FROM interfaces JOIN sources USING (source_no) WHERE source = ?1 ORDER BY interface",
                [&source.source],
                |row| row.get(0),
            )?;
        }
        Ok(sources)
    }

    /// Pairs of sources that cover the same time: packets that both hold count
    /// twice. With `run`, only pairs of which that run read at least one. Each
    /// pair is in order of the sources' ids.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn overlaps(&self, run: Option<i64>) -> Result<Vec<(String, String)>> {
        self.list(
            "WITH read AS (SELECT source FROM run_sources JOIN sources USING (source_no) WHERE run = ?1)
             SELECT source, other FROM overlaps
             WHERE ?1 IS NULL OR source IN read OR other IN read ORDER BY 1, 2",
            [run],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// All identity intervals, ordered by segment, address and start.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn intervals(&self) -> Result<Vec<Interval>> {
        self.list(&intervals_where("1"), [], interval)
    }

    /// Those of one address.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn intervals_of(&self, ip: &Addr) -> Result<Vec<Interval>> {
        self.list(&intervals_where("ip = ?1"), [ip.0], interval)
    }

    /// Changes of verdicts and alarms from `since` to before `until`, in order of time.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn events(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Vec<Event>> {
        self.list(
            "SELECT ts_ns, kind, segment, ip, mac, from_verdict, to_verdict, alarms, accepted, detail FROM events
             WHERE (?1 IS NULL OR ts_ns >= ?1) AND (?2 IS NULL OR ts_ns < ?2) ORDER BY ts_ns, event",
            [since.map(|t| t.0), until.map(|t| t.0)],
            |row| {
                Ok(Event {
                    ts: Timestamp(row.get(0)?),
                    kind: row.get(1)?,
                    segment: row.get(2)?,
                    ip: Addr(row.get(3)?),
                    mac: parsed(row, 4)?,
                    from: parsed(row, 5)?,
                    to: parsed(row, 6)?,
                    alarms: alarms(row, 7)?,
                    accepted: row.get(8)?,
                    detail: row.get(9)?,
                })
            },
        )
    }

    /// All canaries seen, ordered by time.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn canaries(&self) -> Result<Vec<Canary>> {
        self.list(
            "SELECT source, name, ts_ns, segment, ip, mac, channel FROM canaries JOIN sources USING (source_no)
             ORDER BY ts_ns, source, name, segment, ip, mac, channel",
            [],
            |row| {
                Ok(Canary {
                    source: row.get(0)?,
                    name: row.get(1)?,
                    ts: Timestamp(row.get(2)?),
                    segment: row.get(3)?,
                    ip: Addr(row.get(4)?),
                    mac: parsed(row, 5)?,
                    channel: channel(row, 6)?,
                })
            },
        )
    }
}

fn intervals_where(condition: &str) -> String {
    format!(
        "SELECT source, kind, segment, ip, mac, name, from_ns, to_ns FROM intervals JOIN sources USING (source_no)
         WHERE {condition} ORDER BY segment, ip, from_ns, to_ns, kind, mac, name, source"
    )
}

fn interval(row: &Row<'_>) -> rusqlite::Result<Interval> {
    Ok(Interval {
        source: row.get(0)?,
        kind: row.get(1)?,
        segment: row.get(2)?,
        ip: Addr(row.get(3)?),
        mac: parsed(row, 4)?,
        name: row.get::<_, String>(5).map(|n| (!n.is_empty()).then_some(n))?,
        from: Timestamp(row.get(6)?),
        to: Timestamp(row.get(7)?),
    })
}

/// A text column that holds a value, or nothing where it is empty.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: String = row.get(column)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| damaged(column, &text))
}

fn alarms(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Alarm>> {
    let words: String = row.get(column)?;
    let known = |word: &str| word.parse().map_err(|_| damaged(column, &words));
    words.split(',').filter(|word| !word.is_empty()).map(known).collect()
}

fn channel(row: &Row<'_>, column: usize) -> rusqlite::Result<Channel> {
    let word: String = row.get(column)?;
    Channel::ALL.into_iter().find(|c| c.as_str() == word).ok_or_else(|| damaged(column, &word))
}

pub(super) fn damaged(column: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unexpected value {text:?}").into())
}
