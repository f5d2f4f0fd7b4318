//! The narrow tables: of each record as much as hosts are judged by.
//!
//! Only [`put`] writes them, and only where the record itself is written.

use super::packed;
use super::write::{from_json, text};
use crate::host::facts::{Contact, servers_of};
use crate::sighting::Record;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// Writes the narrow rows of a record in place of those that there were.
pub(super) fn put(c: &Connection, sighting: i64, source: i64, r: &Record, support: bool) -> rusqlite::Result<()> {
    let contact = Contact::of(r, support);
    c.prepare_cached("DELETE FROM contact_servers WHERE sighting = ?1")?.execute([sighting])?;
    c.prepare_cached(
        "INSERT INTO contacts (sighting, day, seen, indicator_no, source_no, packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET
             day = excluded.day, seen = excluded.seen, indicator_no = excluded.indicator_no,
             source_no = excluded.source_no, packed = excluded.packed",
    )?
    .execute(params![
        sighting,
        contact.day,
        host_number(c, r)?,
        indicator_number(c, r)?,
        source,
        packed::pack(&contact)
    ])?;
    let mut put = c.prepare_cached("INSERT INTO contact_servers VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
    for server in servers_of(r) {
        put.execute(params![sighting, server.ip.0, server.port, server.udp])?;
    }
    Ok(())
}

/// Whether the narrow rows of a record are those that [`put`] writes of it.
pub(super) fn agrees(c: &Connection, sighting: i64, source: i64, r: &Record, support: bool) -> rusqlite::Result<bool> {
    let contact = Contact::of(r, support);
    let mut query = c.prepare_cached(
        "SELECT count(*) FROM contacts JOIN seen_hosts h USING (seen) JOIN indicators i USING (indicator_no)
         WHERE sighting = ?1 AND day = ?2 AND source_no = ?3 AND packed = ?4
           AND h.ip = ?5 AND h.segment = ?6 AND h.mac = ?7 AND h.address = ?8
           AND i.indicator = ?9 AND i.category = ?10",
    )?;
    let same: i64 = query.query_row(
        params![
            sighting,
            contact.day,
            source,
            packed::pack(&contact),
            r.host.ip.0,
            r.host.segment,
            text(r.host.mac),
            r.host.ip.to_string(),
            r.indicator.id,
            r.indicator.category.as_str(),
        ],
        |row| row.get(0),
    )?;
    let mut query = c.prepare_cached("SELECT ip, port, udp FROM contact_servers WHERE sighting = ?1")?;
    let servers: BTreeSet<([u8; 16], u16, bool)> = query
        .query_map([sighting], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let wanted = servers_of(r).map(|s| (s.ip.0, s.port, s.udp)).collect();
    Ok(same == 1 && servers == wanted)
}

/// Fills the narrow tables of a store that has none from its records.
pub(super) fn fill(c: &Connection) -> rusqlite::Result<()> {
    let mut query = c.prepare("SELECT sighting, source_no, support, record FROM sightings ORDER BY sighting")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let record: Record = from_json(row.get_ref(3)?.as_str()?)?;
        put(c, row.get(0)?, row.get(1)?, &record, row.get(2)?)?;
    }
    Ok(())
}

/// Forgets hosts, indicators and address holders that no row names any more,
/// after records or intervals were deleted.
pub(super) fn sweep(c: &Connection) -> rusqlite::Result<()> {
    c.execute_batch(
        "DELETE FROM seen_hosts WHERE seen NOT IN (SELECT seen FROM contacts);
         DELETE FROM indicators WHERE indicator_no NOT IN (SELECT indicator_no FROM contacts);
         DELETE FROM interval_hosts WHERE interval_no NOT IN (SELECT interval_no FROM interval_times);",
    )
}

fn host_number(c: &Connection, r: &Record) -> rusqlite::Result<i64> {
    let (host, mac) = (&r.host, text(r.host.mac));
    let found = c
        .prepare_cached("SELECT seen FROM seen_hosts WHERE ip = ?1 AND segment = ?2 AND mac = ?3")?
        .query_row(params![host.ip.0, host.segment, mac], |row| row.get(0))
        .optional()?;
    if let Some(number) = found {
        return Ok(number);
    }
    c.prepare_cached("INSERT INTO seen_hosts (ip, segment, mac, address) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![host.ip.0, host.segment, mac, host.ip.to_string()])?;
    Ok(c.last_insert_rowid())
}

fn indicator_number(c: &Connection, r: &Record) -> rusqlite::Result<i64> {
    let named = params![r.indicator.id, r.indicator.category.as_str()];
    let found = c
        .prepare_cached("SELECT indicator_no FROM indicators WHERE indicator = ?1 AND category = ?2")?
        .query_row(named, |row| row.get(0))
        .optional()?;
    if let Some(number) = found {
        return Ok(number);
    }
    c.prepare_cached("INSERT INTO indicators (indicator, category) VALUES (?1, ?2)")?.execute(named)?;
    Ok(c.last_insert_rowid())
}
