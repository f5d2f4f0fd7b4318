//! The narrow tables: of each record as much as hosts are judged by.
//!
//! Only [`put`] writes them, and only where the record itself is written.

use super::write::{from_json, int, text};
use crate::base::{Channel, Stage};
use crate::flow::{Note, Notes};
use crate::host::facts::{Channels, Contact, servers_of};
use crate::sighting::Record;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// Writes the narrow rows of a record in place of those that there were.
pub(super) fn put(c: &Connection, sighting: i64, source: i64, r: &Record, support: bool) -> rusqlite::Result<()> {
    let contact = Contact::of(r, support);
    c.prepare_cached("DELETE FROM contact_servers WHERE sighting = ?1")?.execute([sighting])?;
    c.prepare_cached(
        "INSERT OR REPLACE INTO contacts (sighting, day, seen, indicator_no, source_no, stage, support, channels, notes,
             names, count, bytes_from_server, first_ns, last_ns, id, slots, slots_connected)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        sighting,
        contact.day,
        host_number(c, r)?,
        indicator_number(c, r)?,
        source,
        stage_code(contact.stage),
        support,
        channel_codes(contact.channels),
        note_codes(contact.notes),
        contact.names,
        int(contact.count),
        int(contact.bytes_from_server),
        contact.first.0,
        contact.last.0,
        contact.id,
        contact.slots.to_bytes(),
        contact.slots_connected.to_bytes(),
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
         WHERE sighting = ?1 AND day = ?2 AND source_no = ?3 AND stage = ?4 AND support = ?5 AND channels = ?6
           AND notes = ?7 AND names = ?8 AND count = ?9 AND bytes_from_server = ?10 AND first_ns = ?11
           AND last_ns = ?12 AND id = ?13 AND slots = ?14 AND slots_connected = ?15
           AND h.ip = ?16 AND h.segment = ?17 AND h.mac = ?18 AND h.address = ?19
           AND i.indicator = ?20 AND i.category = ?21",
    )?;
    let same: i64 = query.query_row(
        params![
            sighting,
            contact.day,
            source,
            stage_code(contact.stage),
            support,
            channel_codes(contact.channels),
            note_codes(contact.notes),
            contact.names,
            int(contact.count),
            int(contact.bytes_from_server),
            contact.first.0,
            contact.last.0,
            contact.id,
            contact.slots.to_bytes(),
            contact.slots_connected.to_bytes(),
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

/// Every stage in the place of its number in the store.
pub(super) const STAGES: [Stage; 5] =
    [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

fn stage_code(stage: Stage) -> i64 {
    STAGES.iter().zip(0..).find(|(s, _)| **s == stage).map_or(0, |(_, n)| n)
}

/// The bit of a channel in the store, which stays whatever the program's own
/// order becomes.
fn channel_bit(channel: Channel) -> u32 {
    match channel {
        Channel::DnsQuery => 0,
        Channel::DnsAnswer => 1,
        Channel::DnsCname => 2,
        Channel::TlsSni => 3,
        Channel::QuicSni => 4,
        Channel::HttpHost => 5,
        Channel::HttpConnect => 6,
        Channel::HttpPath => 7,
        Channel::HttpUserAgent => 8,
        Channel::TlsCertificate => 9,
        Channel::Address => 10,
        Channel::Netblock => 11,
        Channel::LanPort => 12,
        Channel::Payload => 13,
    }
}

/// The bit of a note in the store; a new note gets the next number.
fn note_bit(note: Note) -> u32 {
    match note {
        Note::Ambiguous => 0,
        Note::Continued => 1,
        Note::Ech => 2,
        Note::Conflict => 3,
        Note::Gap => 4,
        Note::NoAddress => 5,
        Note::NxDomain => 6,
        Note::MidStream => 7,
        Note::OneSided => 8,
        Note::PartialMessage => 9,
        Note::ProxyRefused => 10,
        Note::PublicDns => 11,
        Note::Refused => 12,
        Note::Reset => 13,
        Note::ServFail => 14,
        Note::TlsAlert => 15,
        Note::Unsolicited => 16,
        Note::ViaProxy => 17,
    }
}

fn channel_codes(channels: Channels) -> i64 {
    Channel::ALL.iter().filter(|c| channels.has(**c)).fold(0, |bits, c| bits | 1 << channel_bit(*c))
}

fn note_codes(notes: Notes) -> i64 {
    Note::ALL.iter().filter(|n| notes.has(**n)).fold(0, |bits, n| bits | 1 << note_bit(*n))
}

/// The channels of their bits in the store; bits of later versions are left
/// out.
pub(super) fn channels(bits: i64) -> Channels {
    let has = |c: &&Channel| bits >> channel_bit(**c) & 1 == 1;
    Channels(Channel::ALL.iter().filter(has).fold(0, |all, c| all | Channels::of(&[*c]).0))
}

/// The notes of their bits in the store.
pub(super) fn notes(bits: i64) -> Notes {
    Note::ALL.iter().fold(Notes::NONE, |all, n| all.with_if(bits >> note_bit(*n) & 1 == 1, *n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back_and_tell_all_apart() {
        for channel in Channel::ALL {
            let one = Channels::of(&[channel]);
            assert_eq!(channels(channel_codes(one)), one);
        }
        assert_eq!(channels(channel_codes(Channels::of(&Channel::ALL))), Channels::of(&Channel::ALL));
        for note in Note::ALL {
            let one = Notes::NONE.with(*note);
            assert_eq!(notes(note_codes(one)), one);
        }
        assert_eq!(notes(i64::MAX).words().count(), Note::ALL.len());
        for (stage, n) in STAGES.iter().zip(0..) {
            assert_eq!(stage_code(*stage), n);
        }
    }
}
