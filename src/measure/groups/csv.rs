//! Groups from comma-separated values.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::super::fact::Days;
use crate::base::time::parse_day;
use crate::base::{Addr, Prefix};
use crate::host::inventory::InventoryError;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeMap;

/// How many contradicting lines are listed.
const SHOWN: usize = 10;
/// Most lines of one prefix, each for other days: one after the other is asked.
const SAME: usize = 4096;

/// What lines say that may be of many prefixes: when, and what in each column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Said {
    days: Days,
    /// Of each column a place in the texts; 0 is nothing.
    values: Box<[u32]>,
}

/// Prefixes of one length, in order, those of an earlier line first.
#[derive(Debug)]
struct OfLength {
    len: u8,
    networks: Vec<u128>,
    /// What each says, by its place.
    said: Vec<u32>,
}

impl OfLength {
    /// What the lines of a network say, in their order.
    fn find(&self, network: u128) -> &[u32] {
        let start = self.networks.partition_point(|n| *n < network);
        let same = self.networks.get(start..).unwrap_or_default().iter().take_while(|n| **n == network).count();
        self.said.get(start..start.saturating_add(same)).unwrap_or_default()
    }
}

/// The lines of a file. A publication names each address by itself, millions of
/// them, of which most say the same.
#[derive(Debug, Default)]
pub(super) struct Table {
    columns: Vec<String>,
    texts: Vec<String>,
    said: Vec<Said>,
    /// By length in the 128-bit form, longest first.
    lengths: Vec<OfLength>,
    has_dates: bool,
}

/// A line that was read.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// In halves, which take no room between lines.
    halves: [u64; 2],
    said: u32,
    line: u32,
}

impl Line {
    fn network(self) -> u128 {
        u128::from(self.halves[0]) << 64 | u128::from(self.halves[1])
    }
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
    pub(super) fn read(
        mut rows: impl Iterator<Item = Result<(usize, Vec<String>), InventoryError>>,
    ) -> Result<(Self, Vec<String>), InventoryError> {
        let (line, names) =
            rows.next().transpose()?.ok_or_else(|| wrong(1, "the file is empty; its first line names the columns"))?;
        let header = Header::read(line, &names)?;
        let columns = header.groups.iter().map(|(_, name)| name.clone()).collect();
        let mut table = Table { columns, texts: vec![String::new()], ..Table::default() };
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut places: HashMap<Said, u32> = HashMap::new();
        let mut by_length: BTreeMap<u8, Vec<Line>> = BTreeMap::new();
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
            let values: Option<Box<[u32]>> =
                header.groups.iter().map(|(column, _)| table.text(&mut known, field(*column))).collect();
            let said = Said { days, values: values.ok_or_else(|| wrong(line, "too many different values"))? };
            let next = table.said.len();
            let said = match places.get(&said) {
                Some(place) => *place,
                None => {
                    let place = u32::try_from(next).map_err(|_| wrong(line, "too many lines"))?;
                    table.said.push(said.clone());
                    places.insert(said, place);
                    place
                }
            };
            let number = u32::try_from(line).map_err(|_| wrong(line, "too many lines"))?;
            let same = by_length.entry(prefix.len128()).or_default();
            let network = prefix.network();
            same.push(Line { halves: [(network >> 64) as u64, network as u64], said, line: number });
        }
        by_length.values_mut().for_each(|lines| lines.sort_unstable_by_key(|l| (l.halves, l.line)));
        too_many(&by_length)?;
        let mut overlaps: Vec<(u32, u32, Prefix)> = Vec::new();
        for (len, lines) in by_length.into_iter().rev() {
            table.overlaps(len, &lines, &mut overlaps);
            let (networks, said) = lines.into_iter().map(|l| (l.network(), l.said)).unzip();
            table.lengths.push(OfLength { len, networks, said });
        }
        overlaps.sort_unstable_by_key(|(line, ..)| *line);
        let mut told: Vec<String> = Vec::new();
        for (line, earlier, prefix) in overlaps.iter().take(SHOWN) {
            told.push(format!(
                "line {line}: {prefix} stands in line {earlier} too for some of these days; the earlier line counts"
            ));
        }
        let more = overlaps.len().saturating_sub(SHOWN);
        if more > 0 {
            told.push(format!("{more} more lines like these"));
        }
        Ok((table, told))
    }

    /// The place of a text; `None` where there are too many.
    fn text(&mut self, known: &mut HashMap<String, u32>, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        if let Some(n) = known.get(text) {
            return Some(*n);
        }
        let n = u32::try_from(self.texts.len()).ok()?;
        self.texts.push(text.to_owned());
        known.insert(text.to_owned(), n);
        Some(n)
    }

    /// Adds the lines that contradict an earlier one, and which.
    fn overlaps(&self, len: u8, lines: &[Line], into: &mut Vec<(u32, u32, Prefix)>) {
        let days = |l: &Line| self.said.get(l.said as usize).map_or(ALWAYS, |s| s.days);
        for same in lines.chunk_by(|a, b| a.halves == b.halves) {
            for (at, line) in same.iter().enumerate().skip(1) {
                let rival = same.iter().take(at).find(|earlier| touch(days(earlier), days(line)));
                let prefix = Prefix::new(Addr(line.network().to_be_bytes()), len);
                into.extend(rival.zip(prefix).map(|(rival, prefix)| (line.line, rival.line, prefix)));
            }
        }
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Whether any entry is valid for some days only.
    pub(super) fn has_dates(&self) -> bool {
        self.has_dates
    }

    /// One more than the place of what the longest prefix says that holds the
    /// address and is valid on the day; 0 if there is none.
    pub(super) fn find(&self, ip: &Addr, day: i32) -> u32 {
        let bits = ip.bits();
        for of in &self.lengths {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(u32::from(of.len))).unwrap_or(0);
            let valid = |said: &&u32| self.said.get(**said as usize).is_some_and(|s| s.days.contains(day));
            if let Some(found) = of.find(bits & mask).iter().find(valid) {
                return found.saturating_add(1);
            }
        }
        0
    }

    /// What is said in a column by a place as [`Table::find`] gives it.
    pub(super) fn value(&self, place: u32, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|c| c == column)?;
        let said = self.said.get(place.checked_sub(1)? as usize)?;
        let text = self.texts.get(*said.values.get(at)? as usize)?;
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

/// Refuses a prefix of too many lines, which are in order: the first such line of
/// the file.
fn too_many(by_length: &BTreeMap<u8, Vec<Line>>) -> Result<(), InventoryError> {
    let beyond = |(len, lines): (&u8, &Vec<Line>)| {
        let all = lines.chunk_by(|a, b| a.halves == b.halves).filter_map(|same| same.get(SAME));
        all.min_by_key(|l| l.line).map(|l| (l.line, l.network(), *len))
    };
    let Some((line, network, len)) = by_length.iter().filter_map(beyond).min() else { return Ok(()) };
    let prefix = Prefix::new(Addr(network.to_be_bytes()), len).map_or_else(String::new, |p| p.to_string());
    Err(wrong(line as usize, format!("{prefix} stands in more than {SAME} lines")))
}

fn touch(a: Days, b: Days) -> bool {
    a.first <= b.last && b.first <= a.last
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;
    use crate::host::inventory::Rows;
    use proptest::prelude::*;

    fn org(table: &Table, ip: &str, day: i32) -> Option<String> {
        table.value(table.find(&ip.parse().unwrap(), day), "org")
    }

    #[test]
    fn the_longest_prefix_of_the_day_counts() {
        let text = "prefix,org,valid_from,valid_to\n10.0.0.0/8,Holding,,\n10.1.0.0/16,Old,,1970-01-10\n\
                    10.1.0.0/16,New,1970-01-13,\n2001:db8::/32,Six,,\n10.1.2.3,Desk,,\n";
        let (table, overlaps) = Table::read(Rows::new(text)).unwrap();
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

    #[test]
    fn contradictions_are_said() {
        let text = "prefix;org;valid_from\n10.0.0.0/8;A;\n10.0.0.0/8;B;2024-01-01\n";
        let (table, overlaps) = Table::read(Rows::new(text)).unwrap();
        assert_eq!(overlaps.len(), 1);
        assert!(overlaps[0].starts_with("line 3: 10.0.0.0/8 stands in line 2"), "{overlaps:?}");
        assert_eq!(org(&table, "10.0.0.1", 30_000).as_deref(), Some("A"));
        let many = "prefix,org\n".to_owned() + &"10.0.0.0/8,A\n".repeat(14);
        assert_eq!(Table::read(Rows::new(&many)).unwrap().1.last().unwrap(), "3 more lines like these");
    }

    /// Each line is held against those of the same prefix before it, which took
    /// minutes of a file of a few megabytes.
    #[test]
    fn lines_of_one_prefix_are_limited() {
        let line = |n: usize| format!("10.0.0.0/8,A,{0},{0}\n", crate::base::time::format_day(n as i64));
        let text = "prefix,org,valid_from,valid_to\n".to_owned() + &(0..=SAME).map(line).collect::<String>();
        assert!(Table::read(Rows::new(text.strip_suffix(&line(SAME)).unwrap())).is_ok());
        let error = Table::read(Rows::new(&text)).unwrap_err();
        assert!(error.line == SAME + 2 && error.what == "10.0.0.0/8 stands in more than 4096 lines", "{error}");
    }

    #[test]
    fn of_several_such_prefixes_the_first_line_is_named() {
        let line = |prefix: &str| format!("{prefix},A\n").repeat(SAME + 1);
        let many = ["10.0.0.0/8", "10.0.0.0/9", "9.0.0.0/9", "10.0.0.0/24", "10.0.0.1", "2001:db8::/32"];
        let text = "prefix,org\n".to_owned() + &many.map(line).concat();
        let error = Table::read(Rows::new(&text)).unwrap_err();
        assert!(error.line == SAME + 2 && error.what.starts_with("10.0.0.0/8 stands"), "{error}");
        let text = "prefix,org\n".to_owned() + &[many[3], many[1], many[2]].map(line).concat();
        let error = Table::read(Rows::new(&text)).unwrap_err();
        assert!(error.line == SAME + 2 && error.what.starts_with("10.0.0.0/24 stands"), "{error}");
        let text = "prefix,org\n".to_owned() + &[many[1], many[2]].map(line).concat();
        let error = Table::read(Rows::new(&text)).unwrap_err();
        assert!(error.line == SAME + 2 && error.what.starts_with("10.0.0.0/9 stands"), "{error}");
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
            let error = Table::read(Rows::new(text)).unwrap_err();
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
            let (table, _) = Table::read(Rows::new(&text)).unwrap();
            let found = org(&table, &std::net::Ipv4Addr::from(0x0a00_0000 | ip).to_string(), day);
            prop_assert_eq!(found, wanted.map(|(_, n)| format!("org {n}")));
        }
    }
}
