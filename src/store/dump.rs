//! The whole store as text, to compare stores by.

use super::Store;
use rusqlite::types::ValueRef;
use std::io;

/// Tables without the account of runs. Sources go by their ids, so that the
/// order in which they were imported does not show.
const CONTENT: &[(&str, &str)] = &[
    ("sources", "SELECT source, path, size, first_ns, last_ns, frames, warnings FROM sources"),
    ("interfaces", "SELECT source, interface, name FROM interfaces JOIN sources USING (source_no)"),
    (
        "sightings",
        "SELECT source, id, revision, period, ip, address, segment, mac, indicator, category, stage, g.first_ns, g.last_ns,
                count, bytes_to_server, bytes_from_server, support, record
         FROM sightings g JOIN sources USING (source_no)",
    ),
    ("record_digests", "SELECT day, source, id, digest FROM record_digests JOIN sources USING (source_no)"),
    ("coverage", "SELECT source, interface, quarter, counter, value FROM coverage JOIN sources USING (source_no)"),
    ("coverage_days", "SELECT source, day, counter, value FROM coverage_days JOIN sources USING (source_no)"),
    (
        "coverage_addresses",
        "SELECT source, interface, quarter, addresses, more FROM coverage_addresses JOIN sources USING (source_no)",
    ),
    (
        "coverage_networks",
        "SELECT source, interface, quarter, prefix, addresses FROM coverage_networks JOIN sources USING (source_no)",
    ),
    (
        "coverage_resolvers",
        "SELECT source, interface, quarter, resolver, hosts, estimated
         FROM coverage_resolvers JOIN sources USING (source_no)",
    ),
    (
        "intervals",
        "SELECT source, kind, segment, ip, mac, name, from_ns, to_ns, address
         FROM intervals JOIN sources USING (source_no)",
    ),
    (
        "contacts",
        "SELECT source, g.id, day, h.address, h.segment, h.mac, i.indicator, i.category, packed
         FROM contacts c JOIN sources USING (source_no) JOIN seen_hosts h USING (seen)
         JOIN indicators i USING (indicator_no) JOIN sightings g USING (sighting)",
    ),
    (
        "contact_servers",
        "SELECT source, id, v.ip, port, udp
         FROM contact_servers v JOIN sightings USING (sighting) JOIN sources USING (source_no)",
    ),
    (
        "signals",
        "SELECT source, kind, segment, ip, mac, detail, day, count, from_ns, to_ns, address
         FROM signals JOIN sources USING (source_no)",
    ),
    ("events", "SELECT ts_ns, kind, segment, ip, mac, from_verdict, to_verdict, alarms, accepted, detail, address FROM events"),
    (
        "canaries",
        "SELECT source, name, ts_ns, segment, ip, mac, channel, address FROM canaries JOIN sources USING (source_no)",
    ),
];

impl Store {
    /// Writes every row of every table but those about runs, one line each,
    /// in an order that depends on the content alone. Two stores with the same
    /// dump give the same answers.
    ///
    /// # Errors
    /// Those of `out`, and the store's as [`io::Error::other`].
    pub fn dump(&self, out: &mut dyn io::Write) -> io::Result<()> {
        for (table, sql) in CONTENT {
            let mut lines = self
                .list(sql, [], |row| {
                    let mut line = (*table).to_owned();
                    for column in 0..row.as_ref().column_count() {
                        line.push_str(" | ");
                        line.push_str(&cell(row.get_ref(column)?));
                    }
                    Ok(line)
                })
                .map_err(io::Error::other)?;
            lines.sort_unstable();
            for line in lines {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "-".to_owned(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(x) => format!("{x:?}"),
        ValueRef::Text(text) => String::from_utf8_lossy(text).escape_debug().to_string(),
        ValueRef::Blob(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
    }
}
