//! Groups from databases in the MaxMind DB format 2.0.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::Addr;
use crate::base::time::{DAY_SECS, format_day};
use crate::host::inventory::MAX_FIELD;
use maxminddb::Reader;
use serde_json::Value;
use std::fmt;

/// The bytes that begin the metadata, near the end of the file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// How near; the format says so.
pub(super) const NEAR: usize = 128 << 10;

/// Whether a file is such a database.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let end = bytes.get(bytes.len().saturating_sub(NEAR)..).unwrap_or_default();
    memchr::memmem::find(end, MARKER).is_some()
}

/// Where a column is found in an entry, in the ways in which published
/// databases have it: a path of keys each.
const PATHS: &[(&str, &[&[&str]])] = &[
    ("country", &[&["country", "iso_code"], &["country_code"], &["country"], &["registered_country", "iso_code"]]),
    ("org", &[&["org"], &["organization"], &["autonomous_system_organization"], &["as_name"], &["isp"]]),
    ("sector", &[&["sector"]]),
    ("site", &[&["site"]]),
    ("continent", &[&["continent", "code"], &["continent_code"], &["continent"]]),
    ("city", &[&["city", "names", "en"], &["city"]]),
    ("asn", &[&["autonomous_system_number"], &["asn"]]),
];

/// A database.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    columns: Vec<&'static str>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Database {
    /// Reads and checks one.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let reader = Reader::from_source(bytes).map_err(|e| e.to_string())?;
        let mut database = Database { reader, columns: Vec::new() };
        database.columns = database.find_columns();
        if database.columns.is_empty() {
            let known: Vec<&str> = PATHS.iter().map(|(column, _)| *column).collect();
            return Err(format!("no entry of this database has any of {}", known.join(", ")));
        }
        Ok(database)
    }

    /// The columns of the first entries.
    fn find_columns(&self) -> Vec<&'static str> {
        const LOOKED_AT: usize = 2000;
        let Ok(all) = self.reader.networks(maxminddb::WithinOptions::default()) else { return Vec::new() };
        let mut found = Vec::new();
        for entry in all.take(LOOKED_AT).filter_map(|e| e.ok()?.decode::<Value>().ok()?) {
            for (column, _) in PATHS {
                if !found.contains(column) && find(&entry, column).is_some() {
                    found.push(*column);
                }
            }
        }
        // In the order of the table, whatever came first.
        PATHS.iter().map(|(column, _)| *column).filter(|c| found.contains(c)).collect()
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().copied()
    }

    /// Its type, as it names itself.
    pub(super) fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// The day on which it was made.
    pub(super) fn built_day(&self) -> i32 {
        let secs = i64::try_from(self.reader.metadata().build_epoch).unwrap_or(i64::MAX);
        i32::try_from(secs.div_euclid(DAY_SECS)).unwrap_or(i32::MAX)
    }

    /// The same as a date.
    pub(super) fn built(&self) -> String {
        format_day(self.built_day().into())
    }

    /// One more than the place of the entry of an address; 0 if there is none.
    pub(super) fn find(&self, ip: &Addr) -> u32 {
        let ip = if self.reader.metadata().ip_version == 4 && ip.as_v4().is_none() { return 0 } else { ip.ip() };
        let found = self.reader.lookup(ip).ok().and_then(|entry| entry.offset());
        found.and_then(|offset| u32::try_from(offset).ok()).map_or(0, |n| n.saturating_add(1))
    }

    /// What the entry of an address says in a column.
    pub(super) fn value(&self, ip: &Addr, column: &str) -> Option<String> {
        find(&self.reader.lookup(ip.ip()).ok()?.decode::<Value>().ok()??, column)
    }
}

/// What an entry says in a column.
fn find(entry: &Value, column: &str) -> Option<String> {
    let (_, paths) = PATHS.iter().find(|(c, _)| *c == column)?;
    paths.iter().find_map(|path| {
        let value = path.iter().try_fold(entry, |at, key| at.get(key))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        // As a field of CSV may be, so that it can be written as one.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        let end = (0..=MAX_FIELD).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = text.get(..end).unwrap_or_default().trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    })
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
pub(crate) mod tests {
    use super::*;

    /// A database of IPv4 prefixes with some texts each, in the format's own
    /// bytes: a tree of records of 32 bits, then the entries, then metadata.
    pub(crate) fn database(kind: &str, built: u64, entries: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut offsets = Vec::new();
        for (_, fields) in entries {
            offsets.push(data.len() as u32);
            data.push(0xe0 | fields.len() as u8);
            for (key, value) in *fields {
                text(&mut data, key);
                text(&mut data, value);
            }
        }
        // Children: 0 is none yet, else a node, or an entry with the highest bit.
        let mut nodes: Vec<[u32; 2]> = vec![[0; 2]];
        for ((prefix, _), offset) in entries.iter().zip(&offsets) {
            let prefix: crate::base::Prefix = prefix.parse().unwrap();
            let (network, len) = (prefix.network() as u32, prefix.len128() - 96);
            let mut at = 0;
            for bit in 0..len {
                let side = (network >> (31 - bit) & 1) as usize;
                if bit + 1 == len {
                    nodes[at][side] = offset | 1 << 31;
                } else {
                    if nodes[at][side] == 0 {
                        nodes.push([0; 2]);
                        nodes[at][side] = (nodes.len() - 1) as u32;
                    }
                    at = nodes[at][side] as usize;
                }
            }
        }
        let count = nodes.len() as u32;
        let record = |child: u32| match child {
            0 => count,
            n if n >> 31 == 1 => count + 16 + (n & !(1 << 31)),
            n => n,
        };
        let mut out: Vec<u8> = nodes.iter().flatten().flat_map(|child| record(*child).to_be_bytes()).collect();
        out.extend([0; 16]);
        out.extend(data);
        out.extend(MARKER);
        out.push(0xe0 | 9);
        text(&mut out, "node_count");
        out.push(0xc4);
        out.extend(count.to_be_bytes());
        let numbers = [("binary_format_major_version", 2u16), ("binary_format_minor_version", 0)];
        for (key, value) in numbers.into_iter().chain([("record_size", 32), ("ip_version", 4)]) {
            text(&mut out, key);
            out.push(0xa2);
            out.extend(value.to_be_bytes());
        }
        text(&mut out, "build_epoch");
        out.extend([8, 2]);
        out.extend(built.to_be_bytes());
        text(&mut out, "database_type");
        text(&mut out, kind);
        text(&mut out, "languages");
        out.extend([0, 4]);
        text(&mut out, "description");
        out.push(0xe0);
        out
    }

    fn text(out: &mut Vec<u8>, text: &str) {
        assert!(text.len() < 29);
        out.push(0x40 | text.len() as u8);
        out.extend(text.as_bytes());
    }

    #[test]
    fn entries_are_found_by_address() {
        let bytes = database(
            "Test",
            86_400 * 20,
            &[("10.0.0.0/8", &[("country", "DE"), ("org", "Acme")]), ("192.168.1.0/24", &[("country", "US")])],
        );
        assert!(is_one(&bytes) && !is_one(b"prefix,org\n"));
        let database = Database::read(bytes).unwrap();
        assert_eq!((database.kind(), database.built()), ("Test", "1970-01-21".to_owned()));
        assert_eq!(database.columns().collect::<Vec<_>>(), ["country", "org"]);
        let addr = |text: &str| text.parse::<Addr>().unwrap();
        assert_eq!(database.value(&addr("10.9.9.9"), "org").as_deref(), Some("Acme"));
        assert_eq!(database.value(&addr("192.168.1.9"), "country").as_deref(), Some("US"));
        assert_eq!(database.value(&addr("192.168.1.9"), "org"), None);
        assert!(database.find(&addr("10.0.0.1")) == database.find(&addr("10.255.0.1")));
        assert!(database.find(&addr("10.0.0.1")) != database.find(&addr("192.168.1.1")));
        assert_eq!((database.find(&addr("11.0.0.1")), database.find(&addr("2001:db8::1"))), (0, 0));
    }

    /// What a database says can be written as a field of CSV and read again.
    #[test]
    fn values_are_as_long_as_fields_and_begin_and_end_with_text() {
        let mut cut = "x".repeat(255);
        cut.push_str(" é");
        let entry = serde_json::json!({"org": cut, "site": "é".repeat(200), "sector": "\u{1} x\u{1} "});
        assert_eq!(find(&entry, "org").unwrap(), "x".repeat(255));
        assert_eq!(find(&entry, "site").unwrap(), "é".repeat(128));
        assert_eq!(find(&entry, "sector").unwrap(), "x");
    }

    #[test]
    fn damage_is_said() {
        let mut bytes = database("Test", 0, &[("10.0.0.0/8", &[("colour", "red")])]);
        assert!(Database::read(bytes.clone()).unwrap_err().contains("no entry"));
        bytes.truncate(bytes.len() - 30);
        assert!(is_one(&bytes) && Database::read(bytes).is_err());
    }
}
