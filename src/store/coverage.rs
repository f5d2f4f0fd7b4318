//! Coverage rows: what was counted, and how many home addresses were seen.

use super::write::{int, source_number};
use super::{Result, Source, Store, Writer};
use crate::base::time::DAY_QUARTERS;
use crate::coverage::ledger::Entry;
use crate::coverage::resolvers::UNNAMED;
use crate::coverage::{Counter, Counts, Key, Ledger};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Counts of one quarter hour of one interface, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRow {
    /// Source.
    pub source: String,
    /// Number of the interface in it.
    pub interface: u16,
    /// Quarter hours since the epoch.
    pub quarter: i64,
    /// Counts. A counter that this version does not know is left out.
    pub counts: Counts,
    /// Distinct home addresses seen at all.
    pub addresses: u64,
    /// How many of them are only estimated, because there were too many to keep.
    pub addresses_more: u64,
}

/// Distinct home addresses of one network in one quarter hour of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRow {
    /// Source.
    pub source: String,
    /// Number of the interface in it.
    pub interface: u16,
    /// Quarter hours since the epoch.
    pub quarter: i64,
    /// The /24 or /64, in CIDR notation.
    pub prefix: String,
    /// Distinct addresses.
    pub addresses: u64,
}

/// Distinct home hosts that used one resolver for encrypted DNS in one quarter
/// hour of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverRow {
    /// Source.
    pub source: String,
    /// Number of the interface in it.
    pub interface: u16,
    /// Quarter hours since the epoch.
    pub quarter: i64,
    /// The resolver's name as listed, [`UNNAMED`] or
    /// [`OTHERS`](crate::coverage::resolvers::OTHERS).
    pub resolver: String,
    /// Distinct hosts.
    pub hosts: u64,
    /// How many of them are only estimated, because there were too many to keep.
    pub estimated: u64,
}

impl Writer<'_> {
    /// Stores the ledger's entries of source number `number` as those of
    /// `source`. Those of a file replace what was stored of it: reading it
    /// again counts nothing twice. Those of a live run add to it; addresses
    /// are numbers only, of which the greatest stays, so a quarter hour that is
    /// written in pieces should come with all its addresses each time.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn put_coverage(&mut self, source: &str, number: u32, ledger: &mut Ledger) -> Result<()> {
        let entries = ledger.entries();
        self.run(|c| {
            let no = source_number(c, source)?;
            if !Source::is_run(source) {
                for table in TABLES {
                    c.prepare_cached(&format!("DELETE FROM {table} WHERE source_no = ?1"))?.execute([no])?;
                }
            }
            let first = Key { source: number, interface: 0, quarter: i64::MIN };
            let mut days: BTreeMap<i64, Counts> = BTreeMap::new();
            for (key, entry) in entries.range(first..).take_while(|(key, _)| key.source == number) {
                put_entry(c, no, key.interface, key.quarter, entry)?;
                days.entry(key.quarter.div_euclid(DAY_QUARTERS)).or_default().merge(&entry.counts);
            }
            put_days(c, no, &days)
        })
    }
}

/// Tables with rows of a source.
const TABLES: [&str; 5] =
    ["coverage", "coverage_addresses", "coverage_networks", "coverage_resolvers", "coverage_days"];

/// What a source counts in a year of quarter hours is too much to be added up
/// whenever somebody asks.
fn put_days(c: &Connection, source: i64, days: &BTreeMap<i64, Counts>) -> rusqlite::Result<()> {
    let mut put = c.prepare_cached(
        "INSERT INTO coverage_days (source_no, day, counter, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET value =
             CASE WHEN value > 9223372036854775807 - ?4 THEN 9223372036854775807 ELSE value + ?4 END",
    )?;
    for (day, counts) in days {
        for (counter, value) in counts.iter() {
            put.execute(params![source, day, counter.as_str(), int(value)])?;
        }
    }
    Ok(())
}

fn put_entry(c: &Connection, source: i64, interface: u16, quarter: i64, entry: &Entry) -> rusqlite::Result<()> {
    // Sums stop at the greatest integer; beyond it SQLite would turn to floats.
    let mut put = c.prepare_cached(
        "INSERT INTO coverage (source_no, interface, quarter, counter, value) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET value =
             CASE WHEN value > 9223372036854775807 - ?5 THEN 9223372036854775807 ELSE value + ?5 END",
    )?;
    for (counter, value) in entry.counts.iter() {
        put.execute(params![source, interface, quarter, counter.as_str(), int(value)])?;
    }
    let (seen, estimated) = (entry.addresses.distinct(), entry.addresses.estimated());
    c.prepare_cached(
        "INSERT INTO coverage_addresses (source_no, interface, quarter, addresses, more) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET addresses = max(addresses, ?4), more = max(more, ?5)",
    )?
    .execute(params![source, interface, quarter, int(seen), int(estimated)])?;
    let mut put = c.prepare_cached(
        "INSERT INTO coverage_networks (source_no, interface, quarter, prefix, addresses) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET addresses = max(addresses, ?5)",
    )?;
    for (prefix, addresses) in entry.addresses.networks() {
        put.execute(params![source, interface, quarter, prefix.to_string(), int(addresses)])?;
    }
    // A host that showed no name at first may have shown one since.
    let mut forget = c.prepare_cached(
        "DELETE FROM coverage_resolvers WHERE source_no = ?1 AND interface = ?2 AND quarter = ?3 AND resolver = ?4",
    )?;
    forget.execute(params![source, interface, quarter, UNNAMED])?;
    let mut put = c.prepare_cached(
        "INSERT INTO coverage_resolvers (source_no, interface, quarter, resolver, hosts, estimated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET hosts = max(hosts, ?5), estimated = max(estimated, ?6)",
    )?;
    for row in entry.resolvers.rows() {
        put.execute(params![source, interface, quarter, row.name, int(row.hosts), int(row.estimated)])?;
    }
    Ok(())
}

impl Store {
    /// Coverage of the quarter hours `from` to `to`, both included, ordered by
    /// source, interface and quarter hour.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn coverage(&self, from: i64, to: i64) -> Result<Vec<CoverageRow>> {
        let read = || -> rusqlite::Result<Vec<CoverageRow>> {
            let mut query = self.conn.prepare_cached(
                "SELECT s.source, a.interface, a.quarter, a.addresses, a.more, c.counter, c.value
                 FROM coverage_addresses a JOIN sources s USING (source_no)
                 LEFT JOIN coverage c USING (source_no, interface, quarter)
                 WHERE a.quarter BETWEEN ?1 AND ?2 ORDER BY s.source, a.interface, a.quarter",
            )?;
            let mut rows = query.query([from, to])?;
            let mut found: Vec<CoverageRow> = Vec::new();
            while let Some(row) = rows.next()? {
                let (source, interface, quarter): (String, u16, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let same = |r: &CoverageRow| (&r.source, r.interface, r.quarter) == (&source, interface, quarter);
                if !found.last().is_some_and(same) {
                    found.push(CoverageRow {
                        source,
                        interface,
                        quarter,
                        counts: Counts::default(),
                        addresses: unsigned(row.get(3)?),
                        addresses_more: unsigned(row.get(4)?),
                    });
                }
                let counter = row.get::<_, Option<String>>(5)?.and_then(|word| Counter::from_word(&word));
                if let (Some(counter), Some(last)) = (counter, found.last_mut()) {
                    last.counts.add(counter, unsigned(row.get(6)?));
                }
            }
            Ok(found)
        };
        read().map_err(|e| self.place.error(e))
    }

    /// Addresses seen per network in the quarter hours `from` to `to`, both
    /// included, ordered by source, interface, quarter hour and prefix.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn coverage_networks(&self, from: i64, to: i64) -> Result<Vec<NetworkRow>> {
        self.list(
            "SELECT s.source, n.interface, n.quarter, n.prefix, n.addresses
             FROM coverage_networks n JOIN sources s USING (source_no)
             WHERE n.quarter BETWEEN ?1 AND ?2 ORDER BY 1, 2, 3, 4",
            [from, to],
            |row| {
                Ok(NetworkRow {
                    source: row.get(0)?,
                    interface: row.get(1)?,
                    quarter: row.get(2)?,
                    prefix: row.get(3)?,
                    addresses: unsigned(row.get(4)?),
                })
            },
        )
    }

    /// Home hosts that used encrypted DNS in the quarter hours `from` to `to`,
    /// both included, ordered by source, interface, quarter hour and resolver.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn coverage_resolvers(&self, from: i64, to: i64) -> Result<Vec<ResolverRow>> {
        self.list(
            "SELECT s.source, r.interface, r.quarter, r.resolver, r.hosts, r.estimated
             FROM coverage_resolvers r JOIN sources s USING (source_no)
             WHERE r.quarter BETWEEN ?1 AND ?2 ORDER BY 1, 2, 3, 4",
            [from, to],
            |row| {
                Ok(ResolverRow {
                    source: row.get(0)?,
                    interface: row.get(1)?,
                    quarter: row.get(2)?,
                    resolver: row.get(3)?,
                    hosts: unsigned(row.get(4)?),
                    estimated: unsigned(row.get(5)?),
                })
            },
        )
    }
}

/// A number that was stored by [`int`].
pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
