//! Groups from comma-separated values.

use super::super::fact::Days;
use crate::base::time::parse_day;
use crate::base::{Addr, Prefix};
use crate::host::inventory::{InventoryError, Rows};
use foldhash::{HashMap, HashMapExt};
use std::collections::{BTreeMap, BTreeSet};

/// How many contradicting lines are listed.
const SHOWN: usize = 10;

/// An entry: a prefix at a time.
#[derive(Clone, Copy, Debug)]
struct Entry {
    days: Days,
    line: usize,
}

/// Days on which an entry is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    days: Days,
    entry: u32,
}

/// Prefixes of one length by their network, each with its spans in order.
type Prefixes = HashMap<u128, Box<[Span]>>;

/// The entries of one prefix while lines are read.
#[derive(Debug, Default)]
struct Same {
    entries: Vec<u32>,
    /// All their days, as last day by first, apart from each other.
    taken: BTreeMap<i32, i32>,
}

impl Same {
    /// Adds the days of an entry; whether an earlier one has any of them.
    fn take(&mut self, entry: u32, days: Days) -> bool {
        self.entries.push(entry);
        let Days { mut first, mut last } = days;
        let mut met = false;
        while let Some((from, to)) = self.taken.range(..=last).next_back().map(|(a, b)| (*a, *b))
            && to >= first
        {
            met = true;
            (first, last) = (first.min(from), last.max(to));
            self.taken.remove(&from);
        }
        self.taken.insert(first, last);
        met
    }
}

/// When which of some entries counts, in order: of those with a day the first.
fn spans(entries: &[Entry], of: &[u32]) -> Box<[Span]> {
    let days = |entry: u32| entries.get(entry as usize).map_or(ALWAYS, |e| e.days);
    if let [entry] = of {
        return [Span { days: days(*entry), entry: *entry }].into();
    }
    // Where each begins, and the day after its end.
    let turns = of.iter().flat_map(|entry| {
        let Days { first, last } = days(*entry);
        [(i64::from(first), true, *entry), (i64::from(last).saturating_add(1), false, *entry)]
    });
    let mut turns: Vec<(i64, bool, u32)> = turns.collect();
    turns.sort_unstable();
    let mut valid: BTreeSet<u32> = BTreeSet::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut since = i64::MIN;
    for (turn, begins, entry) in turns {
        if let Some(counts) = valid.first()
            && since < turn
        {
            let day = |day: i64| i32::try_from(day).unwrap_or(i32::MAX);
            spans.push(Span { days: Days::new(day(since), day(turn.saturating_sub(1))), entry: *counts });
        }
        since = turn;
        if begins {
            valid.insert(entry)
        } else {
            valid.remove(&entry)
        };
    }
    spans.into()
}

/// The lines of a file.
#[derive(Debug, Default)]
pub(super) struct Table {
    columns: Vec<String>,
    entries: Vec<Entry>,
    /// Of each entry one for each column; 0 is nothing.
    values: Vec<u32>,
    texts: Vec<String>,
    /// What counts of each prefix when, by its length in the 128-bit form,
    /// longest first.
    lengths: Vec<(u8, Prefixes)>,
    has_dates: bool,
}

fn wrong(line: usize, what: impl Into<String>) -> InventoryError {
    InventoryError { line, what: what.into() }
}

/// Where columns stand in a line.
struct Header {
    prefix: usize,
    from: Option<usize>,
    to: Option<usize>,
    /// Of the groups, with their names.
    groups: Vec<(usize, String)>,
    len: usize,
}

impl Header {
    fn read(line: usize, names: &[String]) -> Result<Self, InventoryError> {
        let names: Vec<String> = names.iter().map(|n| n.trim().to_ascii_lowercase()).collect();
        for (at, name) in names.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            if name.is_empty() || !name.chars().all(plain) {
                return Err(wrong(line, format!("{name:?} is no name of a column; use letters, digits, - and _")));
            }
            if names.iter().take(at).any(|n| n == name) {
                return Err(wrong(line, format!("the column {name} stands twice")));
            }
        }
        let find = |wanted: &str| names.iter().position(|n| n == wanted);
        let prefix = find("prefix").ok_or_else(|| wrong(line, "a column prefix is missing"))?;
        let (from, to) = (find("valid_from"), find("valid_to"));
        let special = [Some(prefix), from, to];
        let groups: Vec<(usize, String)> =
            names.iter().cloned().enumerate().filter(|(at, _)| !special.contains(&Some(*at))).collect();
        if groups.is_empty() {
            return Err(wrong(line, "there is no column beside prefix, such as org, country, sector or site"));
        }
        Ok(Header { prefix, from, to, groups, len: names.len() })
    }
}

impl Table {
    /// Reads a file whose first line names the columns: `prefix` (CIDR
    /// notation, or an address), groups of any names, and perhaps `valid_from`
    /// and `valid_to` (days, both included; empty means open). Also says which
    /// lines contradict an earlier one with the same prefix at the same time.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(super) fn read(text: &str) -> Result<(Self, Vec<String>), InventoryError> {
        let mut rows = Rows::new(text);
        let (line, names) =
            rows.next().transpose()?.ok_or_else(|| wrong(1, "the file is empty; its first line names the columns"))?;
        let header = Header::read(line, &names)?;
        let columns = header.groups.iter().map(|(_, name)| name.clone()).collect();
        let mut table = Table { columns, texts: vec![String::new()], ..Table::default() };
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut by_length: HashMap<u8, HashMap<u128, Same>> = HashMap::new();
        let (mut overlaps, mut more) = (Vec::new(), 0u64);
        for row in rows {
            let (line, fields) = row?;
            if let [only] = fields.as_slice()
                && only.trim().is_empty()
            {
                continue;
            }
            if fields.len() != header.len {
                return Err(wrong(line, format!("{} fields, and the header has {}", fields.len(), header.len)));
            }
            let field = |at: usize| fields.get(at).map_or("", |f| f.trim());
            let prefix: Prefix = field(header.prefix)
                .parse()
                .map_err(|why| wrong(line, format!("{:?} is no prefix: {why}", field(header.prefix))))?;
            let days = validity(line, header.from.map_or("", field), header.to.map_or("", field))?;
            table.has_dates |= days != ALWAYS;
            let at = u32::try_from(table.entries.len()).map_err(|_| wrong(line, "too many lines"))?;
            let same = by_length.entry(prefix.len128()).or_default().entry(prefix.network()).or_default();
            if same.take(at, days) {
                // Looked for only where it is said: a prefix may have any number of lines.
                let mut earlier = same.entries.iter().filter_map(|e| table.entries.get(*e as usize));
                if overlaps.len() < SHOWN
                    && let Some(rival) = earlier.find(|e| touch(e.days, days))
                {
                    let earlier = rival.line;
                    overlaps.push(format!("line {line}: {prefix} stands in line {earlier} too for some of these days; the earlier line counts"));
                } else {
                    more += 1;
                }
            }
            table.entries.push(Entry { days, line });
            for (column, _) in &header.groups {
                let text = field(*column);
                let texts = &mut table.texts;
                let number = if text.is_empty() {
                    0
                } else if let Some(n) = known.get(text) {
                    *n
                } else {
                    let n = u32::try_from(texts.len()).map_err(|_| wrong(line, "too many different values"))?;
                    texts.push(text.to_owned());
                    known.insert(text.to_owned(), n);
                    n
                };
                table.values.push(number);
            }
        }
        if more > 0 {
            overlaps.push(format!("{more} more lines like these"));
        }
        for (len, prefixes) in by_length {
            let spans = prefixes.into_iter().map(|(prefix, same)| (prefix, spans(&table.entries, &same.entries)));
            table.lengths.push((len, spans.collect()));
        }
        table.lengths.sort_unstable_by_key(|(len, _)| std::cmp::Reverse(*len));
        Ok((table, overlaps))
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Whether any entry is valid for some days only.
    pub(super) fn has_dates(&self) -> bool {
        self.has_dates
    }

    /// One more than the place of the entry of the longest prefix that holds
    /// the address and is valid on the day; 0 if there is none.
    pub(super) fn find(&self, ip: &Addr, day: i32) -> u32 {
        let bits = ip.bits();
        for (len, entries) in &self.lengths {
            let mask = if *len == 0 { 0 } else { u128::MAX << (128 - u32::from(*len)) };
            let Some(same) = entries.get(&(bits & mask)) else { continue };
            let at = same.partition_point(|span| span.days.last < day);
            if let Some(found) = same.get(at).filter(|span| span.days.contains(day)) {
                return found.entry.saturating_add(1);
            }
        }
        0
    }

    /// What an entry, as [`Table::find`] gives it, says in a column.
    pub(super) fn value(&self, place: u32, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|c| c == column)?;
        let row = (place.checked_sub(1)? as usize).checked_mul(self.columns.len())?;
        let text = self.texts.get(*self.values.get(row.checked_add(at)?)? as usize)?;
        (!text.is_empty()).then(|| text.clone())
    }
}

/// Without a beginning and an end.
const ALWAYS: Days = Days { first: i32::MIN, last: i32::MAX };

fn validity(line: usize, from: &str, to: &str) -> Result<Days, InventoryError> {
    let day = |text: &str, open: i32| {
        if text.is_empty() {
            return Ok(open);
        }
        let day = parse_day(text).and_then(|d| i32::try_from(d).ok());
        day.ok_or_else(|| wrong(line, format!("{text:?} is no date such as 2024-04-01")))
    };
    let days = Days::new(day(from, ALWAYS.first)?, day(to, ALWAYS.last)?);
    if days.is_empty() { Err(wrong(line, "valid_to lies before valid_from")) } else { Ok(days) }
}

fn touch(a: Days, b: Days) -> bool {
    a.first <= b.last && b.first <= a.last
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn org(table: &Table, ip: &str, day: i32) -> Option<String> {
        table.value(table.find(&ip.parse().unwrap(), day), "org")
    }

    #[test]
    fn the_longest_prefix_of_the_day_counts() {
        let text = "prefix,org,valid_from,valid_to\n10.0.0.0/8,Holding,,\n10.1.0.0/16,Old,,1970-01-10\n\
                    10.1.0.0/16,New,1970-01-13,\n2001:db8::/32,Six,,\n10.1.2.3,Desk,,\n";
        let (table, overlaps) = Table::read(text).unwrap();
        assert!(overlaps.is_empty() && table.has_dates());
        for (ip, day, wanted) in [
            ("10.2.0.1", 0, Some("Holding")),
            ("10.1.0.1", 9, Some("Old")),
            ("10.1.0.1", 10, Some("Holding")),
            ("10.1.0.1", 12, Some("New")),
            ("10.1.2.3", 0, Some("Desk")),
            ("2001:db8::7", 0, Some("Six")),
            ("11.0.0.1", 0, None),
        ] {
            assert_eq!(org(&table, ip, day).as_deref(), wanted, "{ip} {day}");
        }
    }

    /// One prefix may have a line for each day and more: who reads them all for
    /// each of them never comes to an end.
    #[test]
    fn many_lines_of_one_prefix_are_read_at_once() {
        let started = std::time::Instant::now();
        let (lines, days) = (120_000, 60_000);
        let mut text = "prefix,org,valid_from,valid_to\n".to_owned();
        for n in 0..lines {
            let date = crate::base::time::format_day(n % days);
            text += &format!("10.0.0.0/8,org {n},{date},{date}\n");
        }
        let (table, overlaps) = Table::read(&text).unwrap();
        assert_eq!(overlaps.len(), SHOWN + 1);
        assert!(overlaps[0].contains("line 60002: 10.0.0.0/8 stands in line 2 too"), "{}", overlaps[0]);
        for day in 0..60_000 {
            assert_eq!(table.find(&"10.1.2.3".parse().unwrap(), day), day.unsigned_abs() + 1);
        }
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }

    #[test]
    fn contradictions_are_said() {
        let text = "prefix;org;valid_from\n10.0.0.0/8;A;\n10.0.0.0/8;B;2024-01-01\n";
        let (table, overlaps) = Table::read(text).unwrap();
        assert_eq!(overlaps.len(), 1);
        assert!(overlaps[0].starts_with("line 3: 10.0.0.0/8 stands in line 2"), "{overlaps:?}");
        assert_eq!(org(&table, "10.0.0.1", 30_000).as_deref(), Some("A"));
        let many = "prefix,org\n".to_owned() + &"10.0.0.0/8,A\n".repeat(14);
        assert_eq!(Table::read(&many).unwrap().1.last().unwrap(), "3 more lines like these");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, word) in [
            ("", 1, "empty"),
            ("org\n", 1, "missing"),
            ("prefix\n", 1, "no column beside"),
            ("prefix,org,org\n", 1, "twice"),
            ("prefix,a b\n", 1, "no name"),
            ("prefix,org\n10.0.0.1/8,A\n", 2, "bits are set"),
            ("prefix,org\nten,A\n", 2, "no prefix"),
            ("prefix,org\n10.0.0.0/8\n", 2, "1 fields"),
            ("prefix,org,valid_from\n10.0.0.0/8,A,today\n", 2, "no date"),
            ("prefix,org,valid_from,valid_to\n10.0.0.0/8,A,2024-02-01,2024-01-01\n", 2, "before"),
        ] {
            let error = Table::read(text).unwrap_err();
            assert!(error.line == line && error.what.contains(word), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn as_found_line_by_line(
            lines in proptest::collection::vec((0u32..64, 24u8..=32, 0i32..8, 0i32..8), 1..24),
            ip in 0u32..64, day in 0i32..16,
        ) {
            let mut text = "prefix,org,valid_from,valid_to\n".to_owned();
            let mut wanted: Option<(u8, usize)> = None;
            for (n, (host, len, from, length)) in lines.iter().enumerate() {
                let network = (0x0a00_0000 | host) & (u32::MAX << (32 - len));
                let date = |d: i32| crate::base::time::format_day(d.into());
                let prefix = std::net::Ipv4Addr::from(network);
                text += &format!("{prefix}/{len},org {n},{},{}\n", date(*from), date(from + length));
                let holds = (0x0a00_0000 | ip) & (u32::MAX << (32 - len)) == network;
                if holds && *from <= day && day <= from + length && wanted.is_none_or(|(l, _)| *len > l) {
                    wanted = Some((*len, n));
                }
            }
            let (table, _) = Table::read(&text).unwrap();
            let found = org(&table, &std::net::Ipv4Addr::from(0x0a00_0000 | ip).to_string(), day);
            prop_assert_eq!(found, wanted.map(|(_, n)| format!("org {n}")));
        }
    }
}
