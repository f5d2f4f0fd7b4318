//! A store as a source of facts to be counted: one part, since one file is read
//! by one thread.

use super::covered::{MISSED, Unread, WATCHED, is_damaged_in, removed_days, unread_in};
use super::looked::Looked;
use super::rows::IS_OWN;
use super::tables::damaged;
use super::{Result, Source, Store, StoreError};
use crate::base::Timestamp;
use crate::base::time::DAY_QUARTERS;
use crate::catalogue::LongText;
use crate::coverage::{Counter, Counts};
use crate::measure::comparability::is_judged;
use crate::measure::recount::Applied;
use crate::measure::{Days, FactSource, Names, Part, RunOf, Seen, SourceError, Wanted};
use rusqlite::params_from_iter;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A store that is counted.
#[derive(Debug)]
pub struct Measured {
    store: Mutex<Store>,
    account: OnceLock<Account>,
    looked: Mutex<Option<Looked>>,
}

/// What was seen at all, by UTC day: a year of quarter hours is too much to be
/// read again for each period.
#[derive(Debug, Default)]
struct Account {
    /// Quarter hours with frames, by sensor.
    up: BTreeMap<String, BTreeSet<i64>>,
    days: BTreeMap<i64, Day>,
    /// All sensors, by their places in a day.
    sensors: Vec<String>,
    prefixes: Vec<String>,
    sources: Vec<(Source, Kind)>,
    /// Days whose records were removed.
    removed: BTreeSet<i64>,
    runs: Vec<RunOf>,
    unread: Vec<Unread>,
    /// When the last live run began or ended, in nanoseconds.
    ran: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Seen,
    Imported,
}

#[derive(Debug, Default)]
struct Day {
    counts: Counts,
    /// What each sensor counted, of what it is judged by; of several sensors alone.
    by_sensor: BTreeMap<usize, Counts>,
    /// Most home addresses of a quarter hour, by place in the prefixes.
    networks: HashMap<u32, u64>,
    addresses: u64,
    encrypted_dns: u64,
}

impl From<StoreError> for SourceError {
    fn from(e: StoreError) -> Self {
        SourceError(e.to_string())
    }
}

impl Measured {
    /// Of an open store.
    pub fn new(store: Store) -> Self {
        Measured { store: Mutex::new(store), account: OnceLock::new(), looked: Mutex::new(None) }
    }

    /// The store itself.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> std::result::Result<&Account, SourceError> {
        if let Some(account) = self.account.get() {
            return Ok(account);
        }
        let account = self.store().account()?;
        Ok(self.account.get_or_init(|| account))
    }
}

impl FactSource for Measured {
    fn parts(&self) -> u32 {
        1
    }

    fn part<'s>(
        &'s self,
        _number: u32,
        wanted: &Wanted,
        room: &'s mut Part,
    ) -> std::result::Result<&'s Part, SourceError> {
        let store = self.store();
        room.facts = store.facts_of(&wanted.days)?;
        room.names = if wanted.names { store.names_of(&wanted.days)? } else { Names::default() };
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        true
    }

    fn quarters(&self) -> std::result::Result<Option<(i64, i64)>, SourceError> {
        let sql = "SELECT (SELECT min(first_ns) FROM sightings WHERE period = (SELECT min(period) FROM sightings)),
                          (SELECT max(last_ns) FROM sightings WHERE period = (SELECT max(period) FROM sightings))";
        let ends = self.store().list(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let quarter = |ns: Option<i64>| ns.map(|ns| Timestamp(ns).quarter());
        Ok(ends.first().and_then(|(a, b): &(Option<i64>, Option<i64>)| Some((quarter(*a)?, quarter(*b)?))))
    }

    fn quarters_watched(&self) -> std::result::Result<Option<(i64, i64)>, SourceError> {
        let account = self.account()?;
        // One that ended at midnight saw nothing of the day that began then.
        let ran = account.ran.map(|ns| Timestamp(ns).plus(-1).quarter());
        let up = account.up.values();
        let first = up.clone().filter_map(|q| q.first().copied()).chain(ran).min();
        let last = up.filter_map(|q| q.last().copied()).chain(ran).max();
        Ok(first.zip(last))
    }

    fn seen(&self, from: i64, to: i64) -> std::result::Result<Seen, SourceError> {
        Ok(self.account()?.seen(from, to))
    }

    fn runs(&self) -> std::result::Result<Vec<RunOf>, SourceError> {
        Ok(self.account()?.runs.clone())
    }

    fn catalogue(&self, sha256: &str) -> std::result::Result<Option<LongText>, SourceError> {
        Ok(self.store().catalogue(sha256)?)
    }

    fn unlooked(&self, from: i64, to: i64, applied: Applied<'_>) -> std::result::Result<Option<u64>, SourceError> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.store();
        let looked = match &mut *looked {
            Some(looked) => looked,
            empty => empty.insert(Looked::read(&store)?),
        };
        Ok(Some(looked.unlooked(&store, from, to, applied)?))
    }
}

impl Account {
    fn seen(&self, from: i64, to: i64) -> Seen {
        let mut seen = Seen::default();
        for (sensor, up) in &self.up {
            let here: BTreeSet<i64> = up.range(from..=to).copied().collect();
            seen.quarters.extend(&here);
            // One that died shortly before is missed; one that was given up is not.
            if up.range(from.saturating_sub(MISSED)..=to).next().is_some() {
                seen.sensors.insert(sensor.clone(), here);
            }
        }
        let (first, last) = (from.div_euclid(DAY_QUARTERS), to.div_euclid(DAY_QUARTERS));
        for day in self.days.range(first..=last).map(|(_, day)| day) {
            seen.counts.merge(&day.counts);
            for (sensor, counts) in &day.by_sensor {
                let Some(sensor) = self.sensors.get(*sensor) else { continue };
                match seen.by_sensor.get_mut(sensor) {
                    Some(sum) => sum.merge(counts),
                    None => drop(seen.by_sensor.insert(sensor.clone(), counts.clone())),
                }
            }
            seen.addresses = seen.addresses.max(day.addresses);
            seen.encrypted_dns = seen.encrypted_dns.max(day.encrypted_dns);
            for (prefix, n) in &day.networks {
                let Some(prefix) = self.prefixes.get(*prefix as usize) else { continue };
                match seen.networks.get_mut(prefix) {
                    Some(most) => *most = (*most).max(*n),
                    None => drop(seen.networks.insert(prefix.clone(), *n)),
                }
            }
        }
        for (source, kind) in &self.sources {
            seen.damaged += u64::from(is_damaged_in(source, from, to));
            let (Some(first), Some(last)) = (source.first, source.last) else { continue };
            if last.quarter() < from || first.quarter() > to {
                continue;
            }
            match kind {
                Kind::Seen => seen.sources += 1,
                Kind::Imported => seen.imported += 1,
            }
        }
        seen.damaged += unread_in(&self.unread, from, to);
        seen.removed_days = self.removed.range(first..=last).count() as u64;
        seen
    }
}

/// As much of a record as its names.
#[derive(Deserialize)]
struct Listed<'r> {
    #[serde(borrow, default)]
    names: Vec<std::borrow::Cow<'r, str>>,
}

impl Store {
    /// The names of the records of some days, in the order of
    /// [`Store::facts_of`].
    fn names_of(&self, days: &[Days]) -> Result<Names> {
        let mut names = Names::default();
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        let any: Vec<&str> = days.iter().map(|_| "day BETWEEN ? AND ?").collect();
        let here = if any.is_empty() { "1".to_owned() } else { any.join(" OR ") };
        let sql = format!(
            "SELECT g.record FROM contacts c JOIN sightings g USING (sighting) WHERE {here} ORDER BY c.sighting"
        );
        let values = days.iter().flat_map(|d| [d.first, d.last]);
        self.list(&sql, params_from_iter(values), |row| {
            let text = row.get_ref(0)?.as_str()?;
            let listed: Listed<'_> = serde_json::from_str(text).map_err(|e| damaged(0, &e.to_string()))?;
            for name in listed.names {
                let next = u32::try_from(names.texts.len()).unwrap_or(u32::MAX);
                let number = match known.get(name.as_ref()) {
                    Some(number) => *number,
                    None => {
                        names.texts.push(name.as_ref().into());
                        known.insert(name.as_ref().into(), next);
                        next
                    }
                };
                names.all.push(number);
            }
            names.ends.push(u32::try_from(names.all.len()).unwrap_or(u32::MAX));
            Ok(())
        })?;
        Ok(names)
    }

    fn account(&self) -> Result<Account> {
        let mut account = Account::default();
        let named: HashMap<i64, String> = self
            .list("SELECT source_no, r.sensor FROM run_sources JOIN runs r USING (run) ORDER BY r.run", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .into_iter()
            .collect();
        let sensors: BTreeSet<&str> = named.values().map(String::as_str).collect();
        account.sensors = sensors.into_iter().map(str::to_owned).collect();
        self.read_quarters(&named, &mut account)?;
        self.read_networks(&mut account)?;
        self.read_counts(&named, &mut account)?;
        account.removed = removed_days(&self.links()?);
        let kind = |s: &Source| if s.is_imported() { Kind::Imported } else { Kind::Seen };
        account.sources = self.sources()?.into_iter().map(|s| (kind(&s), s)).map(|(k, s)| (s, k)).collect();
        account.runs = self.list(
            "SELECT r.version, r.sensor, r.catalogue, r.started_ns, min(s.first_ns), max(s.last_ns)
             FROM runs r LEFT JOIN run_sources USING (run) LEFT JOIN sources s USING (source_no)
             GROUP BY r.run ORDER BY r.started_ns, r.run",
            [],
            |row| {
                let (first, last): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
                Ok(RunOf {
                    version: row.get(0)?,
                    sensor: row.get(1)?,
                    catalogue_sha256: row.get(2)?,
                    started: Timestamp(row.get(3)?),
                    covers: first.zip(last).map(|(a, b)| (Timestamp(a), Timestamp(b))),
                })
            },
        )?;
        account.unread = self.unread()?;
        // Whoever imported into a source did not listen.
        let sql = format!(
            "SELECT max(coalesce(r.ended_ns, r.started_ns)) FROM runs r JOIN run_sources USING (run)
             JOIN sources s USING (source_no) WHERE s.source LIKE 'run:%' AND {IS_OWN}
             AND r.run = (SELECT min(run) FROM run_sources o WHERE o.source_no = s.source_no)"
        );
        let ran = self.list(&sql, [], |row| row.get(0))?;
        account.ran = ran.into_iter().next().flatten();
        Ok(account)
    }

    /// What was counted by day, by the sensors of the sources.
    fn read_counts(&self, named: &HashMap<i64, String>, account: &mut Account) -> Result<()> {
        let place = |name: &String| account.sensors.binary_search(name).ok();
        let places: HashMap<i64, usize> =
            named.iter().filter_map(|(source, name)| Some((*source, place(name)?))).collect();
        let several = account.sensors.len() > 1;
        self.list("SELECT source_no, day, counter, value FROM coverage_days", [], |row| {
            let Some(counter) = Counter::from_word(row.get_ref(2)?.as_str()?) else { return Ok(()) };
            let value = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
            let day = account.days.entry(row.get(1)?).or_default();
            day.counts.add(counter, value);
            let place = places.get(&row.get(0)?).filter(|_| several && is_judged(counter));
            if let Some(place) = place {
                day.by_sensor.entry(*place).or_default().add(counter, value);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// When frames came, and how many addresses were seen then.
    fn read_quarters(&self, named: &HashMap<i64, String>, account: &mut Account) -> Result<()> {
        self.list(&format!("SELECT c.source_no, c.quarter FROM coverage c WHERE {WATCHED}"), [], |row| {
            let sensor = named.get(&row.get(0)?).map_or("", String::as_str);
            let quarter = row.get(1)?;
            match account.up.get_mut(sensor) {
                Some(up) => drop(up.insert(quarter)),
                None => drop(account.up.insert(sensor.to_owned(), BTreeSet::from([quarter]))),
            }
            Ok(())
        })?;
        let mut most = |sql: &str, put: fn(&mut Day, u64)| {
            self.list(sql, [], |row| {
                let (quarter, n): (i64, i64) = (row.get(0)?, row.get(1)?);
                let day = account.days.entry(quarter.div_euclid(DAY_QUARTERS)).or_default();
                put(day, u64::try_from(n).unwrap_or(0));
                Ok(())
            })
        };
        most("SELECT quarter, addresses FROM coverage_addresses", |day, n| day.addresses = day.addresses.max(n))?;
        most("SELECT quarter, sum(hosts) FROM coverage_resolvers GROUP BY source_no, interface, quarter", |day, n| {
            day.encrypted_dns = day.encrypted_dns.max(n)
        })?;
        Ok(())
    }

    fn read_networks(&self, account: &mut Account) -> Result<()> {
        let mut known: HashMap<String, u32> = HashMap::new();
        self.list("SELECT quarter, prefix, addresses FROM coverage_networks", [], |row| {
            let prefix = row.get_ref(1)?.as_str()?;
            let number = match known.get(prefix) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
                    known.insert(prefix.to_owned(), number);
                    account.prefixes.push(prefix.to_owned());
                    number
                }
            };
            let n = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
            let day = account.days.entry(row.get::<_, i64>(0)?.div_euclid(DAY_QUARTERS)).or_default();
            let most = day.networks.entry(number).or_insert(0);
            *most = (*most).max(n);
            Ok(())
        })?;
        Ok(())
    }
}
