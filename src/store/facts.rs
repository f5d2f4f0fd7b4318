//! Reading what hosts are judged by, from the narrow tables alone.

use super::Store;
use super::coverage::unsigned;
use super::packed;
use super::tables::{damaged, parsed};
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::Category;
use crate::coverage::Counter;
use crate::coverage::doubts::OTHER_FLOWS;
use crate::host::facts::{Contact, Facts, Indicated, Interval, MANY_ADDRESSES, SeenHost, ServedBy, Signal, Vantage};
use crate::measure::Days;
use foldhash::{HashMap, HashMapExt, HashSet};
use rusqlite::{Connection, ToSql, Transaction, TransactionBehavior, params_from_iter};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

/// A day in nanoseconds.
const DAY: i64 = DAY_SECS * SECOND;

/// Days asked for, as times.
#[derive(Clone, Copy, Debug)]
struct Window {
    first_day: i64,
    last_day: i64,
    from: i64,
    to: i64,
}

impl Window {
    fn new(since: Option<i32>, until: Option<i32>) -> Self {
        let start = |day: i32| i64::from(day).saturating_mul(DAY);
        Window {
            first_day: since.map_or(i64::MIN, i64::from),
            last_day: until.map_or(i64::MAX, i64::from),
            from: since.map_or(i64::MIN, start),
            to: until.map_or(i64::MAX, |day| start(day).saturating_add(DAY - 1)),
        }
    }
}

/// SQL that holds in any of the windows: `one` says it of one, with `?` for the
/// two values that `values` gives.
fn in_any(windows: &[Window], one: &str, values: impl Fn(&Window) -> [i64; 2]) -> (String, Vec<i64>) {
    let all: Vec<&str> = windows.iter().map(|_| one).collect();
    let sql = if all.is_empty() { "0".to_owned() } else { all.join(" OR ") };
    (format!("({sql})"), windows.iter().flat_map(values).collect())
}

/// Without a beginning and an end.
const ALWAYS: Window = Window { first_day: i64::MIN, last_day: i64::MAX, from: i64::MIN, to: i64::MAX };

/// Rows that others refer to by number, in an order of their own.
#[derive(Debug)]
struct Numbered<T> {
    rows: Vec<T>,
    /// Place of each number in them.
    at: HashMap<i64, u32>,
    used: Vec<bool>,
}

impl<T> Numbered<T> {
    fn new() -> Self {
        Numbered { rows: Vec::new(), at: HashMap::new(), used: Vec::new() }
    }

    fn add(&mut self, number: i64, row: T) {
        self.at.insert(number, u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.rows.push(row);
        self.used.push(false);
    }

    /// The place of a number that a row in `column` refers to.
    #[inline]
    fn place(&mut self, number: i64, column: usize) -> rusqlite::Result<u32> {
        let at = *self.at.get(&number).ok_or_else(|| damaged(column, &format!("reference {number}")))?;
        if let Some(used) = self.used.get_mut(at as usize) {
            *used = true;
        }
        Ok(at)
    }

    /// Leaves out what nothing referred to; the rest, and where each went.
    fn used(self) -> (Vec<T>, Vec<u32>) {
        let mut kept = 0u32;
        let places = self.used.iter().map(|used| {
            let place = kept;
            kept = kept.saturating_add(u32::from(*used));
            place
        });
        let places = places.collect();
        let rows = self.rows.into_iter().zip(&self.used).filter_map(|(row, used)| used.then_some(row));
        (rows.collect(), places)
    }
}

impl Store {
    /// What hosts are judged by, of the UTC days `since` to `until` (days since
    /// the epoch, both included): records of these days, signs of roles that
    /// touch them, and who had which address then or on the day before, of the
    /// addresses and hardware addresses that any of these name, and of hardware
    /// addresses with many addresses.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn facts(&self, since: Option<i32>, until: Option<i32>) -> super::Result<Facts> {
        self.facts_in(&[Window::new(since, until)])
    }

    /// The same of several periods that do not overlap, none meaning all.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn facts_of(&self, periods: &[Days]) -> super::Result<Facts> {
        let windows: Vec<Window> = periods.iter().map(|d| Window::new(Some(d.first), Some(d.last))).collect();
        self.facts_in(if windows.is_empty() { &[ALWAYS] } else { &windows })
    }

    fn facts_in(&self, windows: &[Window]) -> super::Result<Facts> {
        let read = || -> rusqlite::Result<Facts> {
            let snapshot = if self.conn.is_autocommit() {
                Some(Transaction::new_unchecked(&self.conn, TransactionBehavior::Deferred)?)
            } else {
                None
            };
            let facts = read(&self.conn, windows);
            drop(snapshot);
            facts
        };
        read().map_err(|e| self.place.error(e))
    }
}

fn read(c: &Connection, windows: &[Window]) -> rusqlite::Result<Facts> {
    let mut facts = Facts::default();
    let mut sources = vantages(c)?;
    read_contacts(c, windows, &mut sources, &mut facts)?;
    read_signals(c, windows, &mut sources, &mut facts)?;
    read_intervals(c, windows, &mut sources, &mut facts)?;
    facts.sources = sources.rows;
    Ok(facts)
}

/// All sources in the order of their ids, with what their counters say.
fn vantages(c: &Connection) -> rusqlite::Result<Numbered<Vantage>> {
    let mut found = Numbered::new();
    let words = |counters: &[Counter]| {
        let words: Vec<String> = counters.iter().map(|w| format!("'{}'", w.as_str())).collect();
        words.join(", ")
    };
    let told = |counters: &[Counter]| {
        let words = words(counters);
        format!(
            "EXISTS (SELECT 1 FROM coverage_days c WHERE c.source_no = s.source_no AND counter IN ({words}) AND value > 0)"
        )
    };
    let (flows, answers) = (told(OTHER_FLOWS), told(Vantage::DNS_ANSWERS));
    let sql = format!("SELECT source_no, source, {flows}, {answers} FROM sources s ORDER BY source");
    let mut query = c.prepare_cached(&sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        found.add(row.get(0)?, Vantage { source: row.get(1)?, other_flows: row.get(2)?, dns_answers: row.get(3)? });
    }
    Ok(found)
}

fn hosts(c: &Connection) -> rusqlite::Result<Numbered<SeenHost>> {
    let mut found = Numbered::new();
    let mut query = c.prepare_cached("SELECT seen, segment, ip, mac FROM seen_hosts ORDER BY ip, segment, mac")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        found.add(row.get(0)?, SeenHost { segment: row.get(1)?, ip: Addr(row.get(2)?), mac: parsed(row, 3)? });
    }
    Ok(found)
}

/// Indicators in the order of their ids, and of their categories where versions
/// of a catalogue filed one differently.
fn indicators(c: &Connection) -> rusqlite::Result<Numbered<Indicated>> {
    let mut all: Vec<(i64, Indicated)> = Vec::new();
    let mut query = c.prepare_cached("SELECT indicator_no, indicator, category FROM indicators")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let word = row.get_ref(2)?.as_str()?;
        let read: Result<Category, ValueError> = Category::deserialize(word.into_deserializer());
        let category = read.map_err(|_| damaged(2, word))?;
        all.push((row.get(0)?, Indicated { id: row.get(1)?, category }));
    }
    all.sort_by(|(_, a), (_, b)| (&a.id, a.category).cmp(&(&b.id, b.category)));
    let mut found = Numbered::new();
    all.into_iter().for_each(|(number, row)| found.add(number, row));
    Ok(found)
}

fn read_contacts(
    c: &Connection,
    windows: &[Window],
    sources: &mut Numbered<Vantage>,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let (mut hosts, mut indicators) = (hosts(c)?, indicators(c)?);
    let mut servers = c.prepare_cached("SELECT sighting, ip, port, udp FROM contact_servers ORDER BY sighting, ip")?;
    let mut servers = servers.query([])?;
    let mut server = servers.next()?;
    let (here, values) = in_any(windows, "day BETWEEN ? AND ?", |w| [w.first_day, w.last_day]);
    let mut query = c.prepare_cached(&format!(
        "SELECT sighting, day, seen, indicator_no, source_no, packed FROM contacts WHERE {here} ORDER BY sighting"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let contact = Contact {
            seen: hosts.place(row.get(2)?, 2)?,
            indicator: indicators.place(row.get(3)?, 3)?,
            source: sources.place(row.get(4)?, 4)?,
            day: row.get(1)?,
            ..packed::unpack(row.get_ref(5)?.as_blob()?).ok_or_else(|| damaged(5, "contact"))?
        };
        if let Some(source) = sources.rows.get_mut(contact.source as usize) {
            source.learn(&contact);
        }
        let number: i64 = row.get(0)?;
        let at = u32::try_from(facts.contacts.len()).unwrap_or(u32::MAX);
        facts.contacts.push(contact);
        // Both come in the order of the records' numbers.
        while let Some(row) = server {
            let of: i64 = row.get(0)?;
            if of > number {
                break;
            }
            if of == number {
                facts.servers.push(ServedBy {
                    contact: at,
                    ip: Addr(row.get(1)?),
                    port: row.get(2)?,
                    udp: row.get(3)?,
                });
            }
            server = servers.next()?;
        }
    }
    let (seen, seen_at) = hosts.used();
    let (indicated, indicator_at) = one_category(indicators.used());
    for contact in &mut facts.contacts {
        contact.seen = seen_at.get(contact.seen as usize).copied().unwrap_or_default();
        contact.indicator = indicator_at.get(contact.indicator as usize).copied().unwrap_or_default();
    }
    (facts.seen, facts.indicators) = (seen, indicated);
    Ok(())
}

/// Makes one indicator of those with the same id, in the least category as when
/// records are added up.
fn one_category((rows, mut places): (Vec<Indicated>, Vec<u32>)) -> (Vec<Indicated>, Vec<u32>) {
    let mut kept: Vec<Indicated> = Vec::new();
    let mut moved: Vec<u32> = Vec::new();
    for row in rows {
        if kept.last().is_none_or(|last| last.id != row.id) {
            kept.push(row);
        }
        moved.push(u32::try_from(kept.len().saturating_sub(1)).unwrap_or(u32::MAX));
    }
    for place in &mut places {
        // What nothing used may stand for a place behind the last.
        *place = moved.get(*place as usize).copied().unwrap_or_default();
    }
    (kept, places)
}

fn read_signals(
    c: &Connection,
    windows: &[Window],
    sources: &mut Numbered<Vantage>,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let (here, values) = in_any(windows, "from_ns <= ? AND to_ns >= ?", |w| [w.to, w.from]);
    let mut query = c.prepare_cached(&format!(
        "SELECT source_no, kind, segment, ip, mac, detail, count, from_ns, to_ns FROM signals WHERE {here}"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        // A later version may know more kinds.
        let Ok(kind) = row.get_ref(1)?.as_str()?.parse() else { continue };
        facts.signals.push(Signal {
            source: sources.place(row.get(0)?, 0)?,
            kind,
            segment: row.get(2)?,
            ip: Addr(row.get(3)?),
            mac: parsed(row, 4)?,
            detail: row.get(5)?,
            count: unsigned(row.get(6)?),
            from: Timestamp(row.get(7)?),
            to: Timestamp(row.get(8)?),
        });
    }
    let key = |s: &'_ Signal| (s.source, s.kind, s.ip, s.mac, s.from);
    facts
        .signals
        .sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| (&a.segment, &a.detail).cmp(&(&b.segment, &b.detail))));
    Ok(())
}

/// An entry of `interval_hosts`.
#[derive(Debug)]
struct Holder {
    number: i64,
    source: u32,
    kind: String,
    segment: String,
    ip: Addr,
    mac: Option<Mac>,
    name: Option<String>,
}

impl Holder {
    fn key(&self) -> impl Ord + '_ {
        (&self.segment, self.ip, &self.kind, self.mac, &self.name, self.source, self.number)
    }
}

/// Who had which address, of those that bear on the hosts at hand: by address,
/// by hardware address, and by the hardware addresses that these two find; and
/// of those that may be routers.
fn read_intervals(
    c: &Connection,
    windows: &[Window],
    sources: &mut Numbered<Vantage>,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let mut holders = Vec::new();
    let mut macs: HashSet<Mac> = HashSet::default();
    let mut addresses: Vec<Addr> = facts.servers.iter().map(|s| s.ip).collect();
    for (ip, mac) in facts.seen.iter().map(|h| (h.ip, h.mac)).chain(facts.signals.iter().map(|s| (s.ip, s.mac))) {
        addresses.push(ip);
        macs.extend(mac);
    }
    addresses.sort_unstable();
    addresses.dedup();
    for ip in addresses {
        find_holders(c, "ip", ip.0, sources, &mut holders)?;
    }
    macs.extend(holders.iter().filter_map(|h| h.mac));
    let mut query =
        c.prepare_cached("SELECT mac FROM interval_hosts WHERE mac <> '' GROUP BY mac HAVING count(DISTINCT ip) > ?1")?;
    let mut rows = query.query([MANY_ADDRESSES])?;
    while let Some(row) = rows.next()? {
        macs.extend(parsed::<Mac>(row, 0)?);
    }
    for mac in macs {
        find_holders(c, "mac", mac.to_string(), sources, &mut holders)?;
    }
    holders.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    holders.dedup_by_key(|h| h.number);
    read_times(c, windows, holders, facts)
}

fn find_holders(
    c: &Connection,
    column: &str,
    value: impl ToSql,
    sources: &mut Numbered<Vantage>,
    into: &mut Vec<Holder>,
) -> rusqlite::Result<()> {
    let mut query = c.prepare_cached(&format!(
        "SELECT interval_no, source_no, kind, segment, ip, mac, name FROM interval_hosts WHERE {column} = ?1"
    ))?;
    let mut rows = query.query([value])?;
    while let Some(row) = rows.next()? {
        into.push(Holder {
            number: row.get(0)?,
            source: sources.place(row.get(1)?, 1)?,
            kind: row.get(2)?,
            segment: row.get(3)?,
            ip: Addr(row.get(4)?),
            mac: parsed(row, 5)?,
            name: row.get::<_, String>(6).map(|n| (!n.is_empty()).then_some(n))?,
        });
    }
    Ok(())
}

fn read_times(c: &Connection, windows: &[Window], holders: Vec<Holder>, facts: &mut Facts) -> rusqlite::Result<()> {
    let (here, values) = in_any(windows, "from_ns <= ? AND to_ns >= ?", |w| [w.to, w.from.saturating_sub(DAY)]);
    let mut query =
        c.prepare_cached(&format!("SELECT from_ns, to_ns FROM interval_times WHERE interval_no = ? AND {here}"))?;
    for holder in holders {
        let Holder { number, source, kind, segment, ip, mac, name } = holder;
        let values = params_from_iter(std::iter::once(number).chain(values.iter().copied()));
        let times = query.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        for time in times {
            let (from, to) = time?;
            facts.intervals.push(Interval {
                source,
                kind: kind.clone(),
                segment: segment.clone(),
                ip,
                mac,
                name: name.clone(),
                from: Timestamp(from),
                to: Timestamp(to),
            });
        }
    }
    Ok(())
}
