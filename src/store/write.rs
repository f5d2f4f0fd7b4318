//! Writing: one transaction for a whole run.

use super::custody;
use super::error::Place;
use super::intervals;
use super::narrow;
use super::rows::IS_OWN;
use super::{Canary, Event, Interval, Result, Run, Source};
use crate::base::Timestamp;
use crate::host::Signal;
use crate::sighting::Record;
use crate::sighting::merge;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, named_params, params};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// A transaction. Everything put is kept by [`Writer::commit`]; a writer that
/// is dropped, also after an error, leaves the store as it was.
#[derive(Debug)]
pub struct Writer<'s> {
    tx: Transaction<'s>,
    place: &'s Place,
    /// What is to be closed.
    pub(super) changed: custody::Changed,
    /// Whether runs, by the numbers of their sources, are of this store's own.
    own: BTreeMap<i64, bool>,
}

/// What became of an imported contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was none of that source and id.
    Added,
    /// The one that was there says more now.
    Changed,
    /// The one that was there says all of it.
    Known,
    /// It says otherwise than what a run of this store wrote, which stays.
    Refused,
}

impl<'s> Writer<'s> {
    pub(super) fn new(tx: Transaction<'s>, place: &'s Place) -> Self {
        Writer { tx, place, changed: custody::Changed::default(), own: BTreeMap::new() }
    }

    /// Makes everything that was put durable. Each day whose records it changed
    /// is closed ([`custody`]), unless its source was left open.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError); then nothing of it is kept.
    pub fn commit(mut self) -> Result<()> {
        let place = self.place;
        self.changed.close(&self.tx).map_err(|e| place.error(e))?;
        self.tx.commit().map_err(|e| place.error(e))
    }

    pub(super) fn run<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        f(&self.tx).map_err(|e| self.place.error(e))
    }

    /// Adds a run and returns its number.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_run(&mut self, run: &Run) -> Result<i64> {
        self.run(|c| {
            let long = !run.catalogue.is_short();
            let content = if long { String::new() } else { run.catalogue.to_text() };
            let new = c
                .prepare_cached("INSERT INTO catalogues (sha256, content) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![run.catalogue_sha256, content])?;
            if long && new > 0 {
                let mut put = c.prepare_cached(
                    "INSERT INTO catalogue_parts (sha256, part, bytes, content) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for (number, (packed, len)) in (0i64..).zip(run.catalogue.packed()) {
                    put.execute(params![run.catalogue_sha256, number, i64::try_from(len).unwrap_or(i64::MAX), packed])?;
                }
            }
            c.prepare_cached(
                "INSERT INTO runs (version, command, catalogue, home_nets, sensor, hash,
                                   started_ns, ended_ns, exit_code, exit_reason, environment)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                run.version,
                json(&run.command)?,
                run.catalogue_sha256,
                json(&run.home_nets)?,
                run.sensor,
                run.hash,
                run.started.0,
                run.ended.map(|t| t.0),
                run.exit_code,
                run.exit_reason,
                json(&run.environment)?,
            ])?;
            Ok(c.last_insert_rowid())
        })
    }

    /// Notes how a run ended.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn end_run(&mut self, run: i64, ended: Timestamp, exit_code: i32, exit_reason: &str) -> Result<()> {
        self.run(|c| {
            c.prepare_cached("UPDATE runs SET ended_ns = ?2, exit_code = ?3, exit_reason = ?4 WHERE run = ?1")?
                .execute(params![run, ended.0, exit_code, exit_reason])
                .map(drop)
        })
    }

    /// Adds a source, or adds to what is known of it: the path first given
    /// stays, times widen, the greatest numbers stay, warnings unite. Notes
    /// that `run` read it.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_source(&mut self, run: i64, source: &Source) -> Result<()> {
        self.run(|c| {
            let number = source_number(c, &source.source)?;
            let warnings: String = c
                .prepare_cached("SELECT warnings FROM sources WHERE source_no = ?1")?
                .query_row([number], |row| row.get(0))?;
            let mut warnings: Vec<String> = from_json(&warnings)?;
            for warning in &source.warnings {
                if !warnings.contains(warning) {
                    warnings.push(warning.clone());
                }
            }
            c.prepare_cached(
                "UPDATE sources SET
                    path = coalesce(path, :path), size = coalesce(size, :size),
                    first_ns = min(coalesce(first_ns, :first), coalesce(:first, first_ns)),
                    last_ns = max(coalesce(last_ns, :last), coalesce(:last, last_ns)),
                    frames = max(frames, :frames), warnings = :warnings
                 WHERE source_no = :number",
            )?
            .execute(named_params! {
                ":number": number,
                ":path": source.path,
                ":size": source.size.map(int),
                ":first": source.first.map(|t| t.0),
                ":last": source.last.map(|t| t.0),
                ":frames": int(source.frames),
                ":warnings": json(&warnings)?,
            })?;
            for (interface, name) in (0i64..).zip(&source.interfaces) {
                c.prepare_cached("INSERT INTO interfaces VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET name = ?3")?
                    .execute(params![number, interface, name])?;
            }
            c.prepare_cached("INSERT INTO run_sources VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                .execute(params![run, number, source.path.as_deref().unwrap_or("")])
                .map(drop)
        })
    }

    /// Puts one contribution. If there is one of the same source and id: from a
    /// `run:` source the highest revision stays, from a file source the two
    /// join ([`merge::join`]). `support` says that its only signals are
    /// indicators of that use, which make no record by themselves; a
    /// contribution that once stood on its own stays so.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_record(&mut self, record: &Record, support: bool) -> Result<()> {
        let live = Source::is_run(&record.source);
        let put = self.put(record, support, false, |old, new| {
            if live {
                (new.revision > old.revision).then(|| new.clone())
            } else {
                let mut joined = old.clone();
                merge::join(&mut joined, new);
                Some(joined)
            }
        });
        put.map(drop)
    }

    /// Puts one contribution that a file brought. It never takes back what one
    /// of the same source and id says: those of a file source join, of those of
    /// a run a later one follows ([`merge::succeed`]). Nothing changes of what a
    /// run wrote that this store recorded itself; only of days that
    /// [`Writer::retain`] removed its contributions come back.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn import_record(&mut self, record: &Record, support: bool) -> Result<Taken> {
        let live = Source::is_run(&record.source);
        self.put(record, support, live, |old, new| {
            let mut united = old.clone();
            if live {
                merge::succeed(&mut united, new);
            } else {
                merge::join(&mut united, new);
            }
            Some(united)
        })
    }

    /// With `guarded`, nothing changes of a run of the store's own.
    fn put(
        &mut self,
        new: &Record,
        support: bool,
        guarded: bool,
        unite: impl Fn(&Record, &Record) -> Option<Record>,
    ) -> Result<Taken> {
        let Writer { tx, place, changed, own } = self;
        let mut unite_and_write = || -> rusqlite::Result<Taken> {
            let number = source_number(tx, &new.source)?;
            let found: Option<(i64, bool, String)> = tx
                .prepare_cached("SELECT sighting, support, record FROM sightings WHERE id = ?1 AND source_no = ?2")?
                .query_row(params![new.id, number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((sighting, was_support, text)) = found else {
                if guarded && is_own(tx, own, number)? && !was_removed(tx, &new.period)? {
                    return Ok(Taken::Refused);
                }
                changed.note(tx, &new.period, number)?;
                return write(tx, None, number, new, support).map(|()| Taken::Added);
            };
            let old: Record = from_json(&text)?;
            let support = support && was_support;
            let united = match unite(&old, new) {
                Some(united) if united != old || support != was_support => united,
                None if support != was_support => old,
                _ => return Ok(Taken::Known),
            };
            if guarded && is_own(tx, own, number)? {
                return Ok(Taken::Refused);
            }
            changed.note(tx, &united.period, number)?;
            write(tx, Some(sighting), number, &united, support).map(|()| Taken::Changed)
        };
        unite_and_write().map_err(|e| place.error(e))
    }

    /// Adds intervals; of two with the same start the longer one stays, of
    /// leases the one told last: they may end earlier than was granted.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_intervals<I: Borrow<Interval>>(&mut self, intervals: impl IntoIterator<Item = I>) -> Result<()> {
        self.run(|c| intervals::put(c, intervals))
    }

    /// Adds a sign of a role, of `source` ([`Signal::source`] is not looked at).
    /// Of two that began on one UTC day the least start, the greatest end and
    /// the greatest count stay, so a signal that grows is put as often as one
    /// likes, with its count of that day.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_signal(&mut self, source: &str, s: &Signal) -> Result<()> {
        self.run(|c| {
            let number = source_number(c, source)?;
            c.prepare_cached(
                "INSERT INTO signals (source_no, kind, segment, ip, mac, detail, day, count, from_ns, to_ns, address)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO UPDATE SET count = max(count, excluded.count),
                     from_ns = min(from_ns, excluded.from_ns), to_ns = max(to_ns, excluded.to_ns)",
            )?
            .execute(params![
                number,
                s.kind.as_str(),
                s.segment,
                s.ip.0,
                text(s.mac),
                s.detail,
                s.from.day(),
                int(s.count),
                s.from.0,
                s.to.0,
                s.ip.to_string(),
            ])
            .map(drop)
        })
    }

    /// Adds a change of a verdict or of alarms.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_event(&mut self, e: &Event) -> Result<()> {
        self.run(|c| {
            c.prepare_cached(
                "INSERT INTO events (ts_ns, kind, segment, ip, mac, from_verdict, to_verdict, alarms, accepted, detail, address)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                e.ts.0,
                e.kind,
                e.segment,
                e.ip.0,
                text(e.mac),
                text(e.from),
                text(e.to),
                e.alarms.iter().map(|a| a.as_str()).collect::<Vec<_>>().join(","),
                e.accepted,
                e.detail,
                e.ip.to_string(),
            ])
            .map(drop)
        })
    }

    /// Forgets hosts and indicators that no record names any more, and holders
    /// of addresses without an interval: to be called after rows of
    /// `sightings` or `interval_times` were deleted.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn sweep(&mut self) -> Result<()> {
        self.run(narrow::sweep)
    }

    /// Adds a canary that was seen; the same one again changes nothing.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_canary(&mut self, canary: &Canary) -> Result<()> {
        self.run(|c| {
            let number = source_number(c, &canary.source)?;
            c.prepare_cached(
                "INSERT INTO canaries (source_no, name, ts_ns, segment, ip, mac, channel, address)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                number,
                canary.name,
                canary.ts.0,
                canary.segment,
                canary.ip.0,
                text(canary.mac),
                canary.channel.as_str(),
                canary.ip.to_string(),
            ])
            .map(drop)
        })
    }
}

/// Whether a source is of a run of this store ([`IS_OWN`]).
fn is_own(c: &Connection, known: &mut BTreeMap<i64, bool>, source: i64) -> rusqlite::Result<bool> {
    if let Some(own) = known.get(&source) {
        return Ok(*own);
    }
    let own = c
        .prepare_cached(&format!("SELECT {IS_OWN} FROM sources s WHERE s.source_no = ?1"))?
        .query_row([source], |row| row.get(0))?;
    known.insert(source, own);
    Ok(own)
}

/// Whether the records of a day were removed once.
fn was_removed(c: &Connection, day: &str) -> rusqlite::Result<bool> {
    c.prepare_cached("SELECT EXISTS (SELECT 1 FROM day_links WHERE day = ?1 AND kind = 'removed')")?
        .query_row([day], |row| row.get(0))
}

/// Writes a record and what is kept of it elsewhere, in place of the row of
/// that number if there is one. Nothing else adds or changes a record.
fn write(c: &Connection, old: Option<i64>, number: i64, r: &Record, support: bool) -> rusqlite::Result<()> {
    let content = json(r)?;
    custody::note_record(c, &r.period, number, &r.id, support, &content)?;
    // A new row gets the next number by itself.
    let mut put = c.prepare_cached(
        "INSERT INTO sightings (sighting, source_no, id, revision, period, ip, address, segment, mac, indicator,
             category, stage, first_ns, last_ns, count, bytes_to_server, bytes_from_server, support, record)
         VALUES (:sighting, :number, :id, :revision, :period, :ip, :address, :segment, :mac, :indicator,
             :category, :stage, :first, :last, :count, :to, :from, :support, :record)
         ON CONFLICT (sighting) DO UPDATE SET
             revision = :revision, category = :category, stage = :stage, first_ns = :first, last_ns = :last,
             count = :count, bytes_to_server = :to, bytes_from_server = :from, support = :support, record = :record",
    )?;
    let values = named_params! {
        ":sighting": old,
        ":number": number,
        ":id": r.id,
        ":revision": int(r.revision),
        ":period": r.period,
        ":ip": r.host.ip.0,
        ":address": r.host.ip.to_string(),
        ":segment": r.host.segment,
        ":mac": text(r.host.mac),
        ":indicator": r.indicator.id,
        ":category": r.indicator.category.as_str(),
        ":stage": r.stage.as_str(),
        ":first": r.first_seen.0,
        ":last": r.last_seen.0,
        ":count": int(r.count),
        ":to": int(r.bytes_to_server),
        ":from": int(r.bytes_from_server),
        ":support": support,
        ":record": content,
    };
    put.execute(values)?;
    let sighting = old.unwrap_or_else(|| c.last_insert_rowid());
    narrow::put(c, sighting, number, r, support)
}

/// The row number of a source, which is added if it is new.
pub(super) fn source_number(c: &Connection, source: &str) -> rusqlite::Result<i64> {
    let find = |c: &Connection| {
        c.prepare_cached("SELECT source_no FROM sources WHERE source = ?1")?
            .query_row([source], |row| row.get(0))
            .optional()
    };
    if let Some(number) = find(c)? {
        return Ok(number);
    }
    c.prepare_cached("INSERT INTO sources (source) VALUES (?1)")?.execute([source])?;
    Ok(c.last_insert_rowid())
}

/// SQLite's integers end at 2^63 - 1; the record's JSON keeps the exact number.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The text of a value, empty where there is none.
pub(super) fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// Decodes what an earlier run wrote; what cannot be decoded is damage.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e)))
}
