//! Reading records, in their order and added up over sources.

use super::{Result, Store};
use crate::base::{Addr, Mac};
use crate::catalogue::Category;
use crate::sighting::merge;
use crate::sighting::{Record, Stage};
use rusqlite::types::Value;
use rusqlite::{Transaction, TransactionBehavior, params, params_from_iter};
use std::collections::{BTreeMap, VecDeque};

/// Which records to read. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// First UTC day, `YYYY-MM-DD`.
    pub since: Option<String>,
    /// Last UTC day, included.
    pub until: Option<String>,
    /// Record id.
    pub id: Option<String>,
    /// Address of the host.
    pub ip: Option<Addr>,
    /// Hardware address of the host.
    pub mac: Option<Mac>,
    /// Segment of the host.
    pub segment: Option<String>,
    /// Indicator id.
    pub indicator: Option<String>,
    /// Categories, any of them; none given means all.
    pub categories: Vec<Category>,
    /// Least stage that the record, added up, must have reached.
    pub stage: Option<Stage>,
    /// A name among those the record lists.
    pub name: Option<String>,
    /// Only contributions of this source.
    pub source: Option<String>,
    /// Also what only indicators of use `support` show.
    pub support: bool,
}

impl Filter {
    /// Whether a record fits all that is asked for.
    pub(super) fn takes(&self, stored: &Stored) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, found: &T) -> bool {
            wanted.as_ref().is_none_or(|w| w == found)
        }
        let r = &stored.record;
        self.takes_sum(stored)
            && self.since.as_ref().is_none_or(|day| r.period >= *day)
            && self.until.as_ref().is_none_or(|day| r.period <= *day)
            && is(&self.ip, &r.host.ip)
            && self.mac.is_none_or(|mac| Some(mac) == r.host.mac)
            && is(&self.segment, &r.host.segment)
            && is(&self.indicator, &r.indicator.id)
            && is(&self.source, &r.source)
    }

    /// The same of what a key does not say.
    fn takes_sum(&self, stored: &Stored) -> bool {
        let r = &stored.record;
        (self.support || !stored.support)
            && self.id.as_ref().is_none_or(|id| *id == r.id)
            && self.stage.is_none_or(|stage| r.stage >= stage)
            && (self.categories.is_empty() || self.categories.contains(&r.indicator.category))
            && self.name.as_ref().is_none_or(|name| r.names.contains(name))
    }
}

/// A record as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Whether only indicators of use `support` show it, in every contribution.
    pub support: bool,
}

/// What records are ordered by; contributions of one id share all of it.
#[derive(Clone, Debug)]
struct Key {
    period: String,
    ip: [u8; 16],
    segment: String,
    mac: String,
    indicator: String,
}

/// Keys fetched at a time.
const PAGE: i64 = 256;

/// Records in the order (period, address, segment, MAC, indicator, source).
/// Memory does not grow with their number, and while it is open nothing that
/// other processes write shows.
#[derive(Debug)]
pub struct Records<'s> {
    store: &'s Store,
    _snapshot: Option<Transaction<'s>>,
    filter: Filter,
    add_up: bool,
    keys: VecDeque<Key>,
    last: Option<Key>,
    ready: VecDeque<Stored>,
    done: bool,
}

impl Store {
    /// Records, each added up over its sources ([`merge::combine_all`]).
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError), here and from each step.
    pub fn records(&self, filter: Filter) -> Result<Records<'_>> {
        self.read(filter, true)
    }

    /// Contributions as they were written, one for each source and id: what
    /// another store must be given to end up the same.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError), here and from each step.
    pub fn contributions(&self, filter: Filter) -> Result<Records<'_>> {
        self.read(filter, false)
    }

    fn read(&self, filter: Filter, add_up: bool) -> Result<Records<'_>> {
        // Of several readers at a time the first one's snapshot serves all.
        let snapshot = if self.conn.is_autocommit() {
            let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Deferred);
            Some(tx.map_err(|e| self.place.error(e))?)
        } else {
            None
        };
        Ok(Records {
            store: self,
            _snapshot: snapshot,
            filter,
            add_up,
            keys: VecDeque::new(),
            last: None,
            ready: VecDeque::new(),
            done: false,
        })
    }
}

impl Records<'_> {
    fn step(&mut self) -> rusqlite::Result<Option<Stored>> {
        loop {
            if let Some(stored) = self.ready.pop_front() {
                return Ok(Some(stored));
            }
            if let Some(key) = self.keys.pop_front() {
                self.load(&key)?;
            } else if self.done {
                return Ok(None);
            } else {
                self.next_page()?;
            }
        }
    }

    /// Fetches the keys that follow the last one.
    fn next_page(&mut self) -> rusqlite::Result<()> {
        let mut sql = String::from("SELECT DISTINCT period, ip, segment, mac, indicator FROM sightings WHERE 1");
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, value: Option<Value>| {
            if let Some(value) = value {
                sql.push_str(" AND ");
                sql.push_str(condition);
                values.push(value);
            }
        };
        let f = &self.filter;
        let text = |s: &Option<String>| s.clone().map(Value::Text);
        and("period >= ?", text(&f.since));
        and("period <= ?", text(&f.until));
        and("id = ?", text(&f.id));
        and("ip = ?", f.ip.map(|ip| Value::Blob(ip.0.to_vec())));
        and("mac = ?", f.mac.map(|mac| Value::Text(mac.to_string())));
        and("segment = ?", text(&f.segment));
        and("indicator = ?", text(&f.indicator));
        and("source_no = (SELECT source_no FROM sources WHERE source = ?)", text(&f.source));
        if let Some(last) = &self.last {
            sql.push_str(" AND (period, ip, segment, mac, indicator) > (?, ?, ?, ?, ?)");
            values.push(Value::Text(last.period.clone()));
            values.push(Value::Blob(last.ip.to_vec()));
            values.extend([&last.segment, &last.mac, &last.indicator].map(|s| Value::Text(s.clone())));
        }
        sql.push_str(" ORDER BY period, ip, segment, mac, indicator LIMIT ?");
        values.push(Value::Integer(PAGE));

        let mut query = self.store.conn.prepare_cached(&sql)?;
        let rows = query.query_map(params_from_iter(values), |row| {
            Ok(Key {
                period: row.get(0)?,
                ip: row.get(1)?,
                segment: row.get(2)?,
                mac: row.get(3)?,
                indicator: row.get(4)?,
            })
        })?;
        for key in rows {
            self.keys.push_back(key?);
        }
        match self.keys.back() {
            Some(key) => self.last = Some(key.clone()),
            None => self.done = true,
        }
        Ok(())
    }

    /// Reads all contributions with one key; several ids share it where several
    /// sensors saw the host.
    fn load(&mut self, key: &Key) -> rusqlite::Result<()> {
        let mut query = self.store.conn.prepare_cached(
            "SELECT s.source, g.support, g.record FROM sightings g JOIN sources s USING (source_no)
             WHERE period = ?1 AND ip = ?2 AND segment = ?3 AND mac = ?4 AND indicator = ?5
             ORDER BY s.source, g.id",
        )?;
        let mut rows = query.query(params![key.period, key.ip, key.segment, key.mac, key.indicator])?;
        let mut found: Vec<Stored> = Vec::new();
        while let Some(row) = rows.next()? {
            let source: String = row.get(0)?;
            if self.filter.source.as_ref().is_some_and(|wanted| *wanted != source) {
                continue;
            }
            let text = row.get_ref(2)?.as_str()?;
            found.push(Stored { support: row.get(1)?, record: super::write::from_json(text)? });
        }
        if self.add_up {
            found = add_up(found);
        }
        found.retain(|stored| self.filter.takes_sum(stored));
        self.ready.extend(found);
        Ok(())
    }
}

/// One record for each id, ordered by source and id.
fn add_up(contributions: Vec<Stored>) -> Vec<Stored> {
    if contributions.len() < 2 {
        return contributions;
    }
    let mut by_id: BTreeMap<String, (bool, Vec<Record>)> = BTreeMap::new();
    for Stored { record, support } in contributions {
        let (all_support, records) = by_id.entry(record.id.clone()).or_insert((true, Vec::new()));
        *all_support &= support;
        records.push(record);
    }
    let sum = |(support, records)| merge::combine_all(records).map(|record| Stored { record, support });
    let mut sums: Vec<Stored> = by_id.into_values().filter_map(sum).collect();
    sums.sort_by(|a, b| (&a.record.source, &a.record.id).cmp(&(&b.record.source, &b.record.id)));
    sums
}

impl Iterator for Records<'_> {
    type Item = Result<Stored>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(stored) => stored.map(Ok),
            Err(e) => {
                // After an error there is no telling where to go on.
                self.done = true;
                self.keys.clear();
                self.ready.clear();
                Some(Err(self.store.place.error(e)))
            }
        }
    }
}
