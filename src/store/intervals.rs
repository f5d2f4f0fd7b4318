//! Who had an address when: what is written of it.
//!
//! A run knows thousands of addresses, which is most of what it writes. One
//! statement adds many rows, since most of the time of a small row goes into the
//! beginning and end of its statement.

use super::rows::Interval;
use super::write::{source_number, text};
use rusqlite::{Connection, Statement, params};
use std::borrow::Borrow;
use std::iter::repeat_n;

/// Intervals that one statement adds. Of fewer, [`SOME`] at a time, and the rest one
/// by one: each number of rows would be another statement to prepare.
const TOGETHER: usize = 256;
const SOME: usize = 32;

/// Adds intervals; of two with the same start the longer one stays, of leases
/// the one told last.
pub(super) fn put<I: Borrow<Interval>>(c: &Connection, intervals: impl IntoIterator<Item = I>) -> rusqlite::Result<()> {
    let mut source = (String::new(), 0);
    let mut intervals = intervals.into_iter().peekable();
    while let Some(first) = intervals.next() {
        // A lease that is given back ends sooner than it was said to.
        let is_lease = is_lease(first.borrow());
        let mut rows = vec![first];
        while rows.len() < TOGETHER
            && let Some(next) = intervals.next_if(|i| self::is_lease(i.borrow()) == is_lease)
        {
            rows.push(next);
        }
        let mut numbered = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = row.borrow();
            if source.0 != row.source {
                source = (row.source.clone(), source_number(c, &row.source)?);
            }
            numbered.push((row, source.1));
        }
        if let Ok(all) = <&[_; TOGETHER]>::try_from(numbered.as_slice()) {
            put_rows(c, all, is_lease)?;
            continue;
        }
        let (some, rest) = numbered.as_chunks::<SOME>();
        some.iter().try_for_each(|rows| put_rows(c, rows, is_lease))?;
        rest.iter().try_for_each(|row| put_rows(c, &[*row], is_lease))?;
    }
    Ok(())
}

fn is_lease(i: &Interval) -> bool {
    matches!(i.kind.as_str(), "dhcp" | "dhcpv6" | "dhcp_client_id")
}

/// Adds intervals of one sort, each with the number of its source.
fn put_rows<const ROWS: usize>(
    c: &Connection,
    rows: &[(&Interval, i64); ROWS],
    is_lease: bool,
) -> rusqlite::Result<()> {
    let before: i64 = c
        .prepare_cached("SELECT coalesce(max(interval_no), 0) FROM interval_hosts")?
        .query_row([], |row| row.get(0))?;
    let mut add = c.prepare_cached(&format!(
        "INSERT INTO interval_hosts (interval_no, ip, segment, kind, mac, name, source_no, address) VALUES {}
         ON CONFLICT DO NOTHING",
        places::<8>(ROWS)
    ))?;
    let mut to = Binding { statement: &mut add, next: 1 };
    for ((i, source), number) in rows.iter().zip(before.saturating_add(1)..) {
        to.bind(number)?;
        to.bind(i.ip.0)?;
        to.bind(&i.segment)?;
        to.bind(&i.kind)?;
        to.bind(text(i.mac))?;
        to.bind(i.name.as_deref().unwrap_or(""))?;
        to.bind(source)?;
        to.bind(i.ip.to_string())?;
    }
    let all_new = add.raw_execute()? == ROWS;
    let mut numbers: [i64; ROWS] = std::array::from_fn(|n| before.saturating_add(1).saturating_add(n as i64));
    if !all_new {
        // Looked for only here: a statement that returns what it wrote keeps a
        // journal of its own, which costs more than both.
        let mut find = c.prepare_cached(
            "SELECT interval_no FROM interval_hosts WHERE ip = ?1 AND segment = ?2 AND kind = ?3
             AND mac = ?4 AND name = ?5 AND source_no = ?6",
        )?;
        for (number, (i, source)) in numbers.iter_mut().zip(rows) {
            let key = params![i.ip.0, i.segment, i.kind, text(i.mac), i.name.as_deref().unwrap_or(""), source];
            *number = find.query_row(key, |row| row.get(0))?;
        }
    }
    let end = if is_lease { "excluded.to_ns" } else { "max(to_ns, excluded.to_ns)" };
    let mut put = c.prepare_cached(&format!(
        "INSERT INTO interval_times (interval_no, from_ns, to_ns) VALUES {} ON CONFLICT DO UPDATE SET to_ns = {end}",
        places::<3>(ROWS)
    ))?;
    let mut to = Binding { statement: &mut put, next: 1 };
    for ((i, _), number) in rows.iter().zip(numbers) {
        to.bind(number)?;
        to.bind(i.from.0)?;
        to.bind(i.to.0)?;
    }
    put.raw_execute()?;
    Ok(())
}

/// Places for the values of so many rows.
fn places<const COLUMNS: usize>(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    repeat_n(row, rows).collect::<Vec<_>>().join(", ")
}

/// Binds the values of a statement one after the other.
struct Binding<'s, 'c> {
    statement: &'s mut Statement<'c>,
    next: usize,
}

impl Binding<'_, '_> {
    fn bind(&mut self, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
        self.statement.raw_bind_parameter(self.next, value)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}
