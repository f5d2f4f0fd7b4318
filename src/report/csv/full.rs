//! Records as CSV without loss, and back: each field of a record in a column of
//! its own, lists and evidence as JSON in theirs.
//!
//! A text stands as it is, or as a JSON string (which begins with `"`) where it
//! would be taken for one, where a spreadsheet might run it, or where it is empty
//! but there.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::super::ndjson::write_line;
use super::super::text::is_hidden;
use super::{is_formula, quoted, word};
use crate::sighting::Record;
use crate::sighting::line;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io;

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A text.
    Text,
    /// A text that may be left out, as an empty cell.
    Optional,
    /// A number, `true` or `false`, or a list.
    Json,
}

/// Columns, their place in the record's JSON, and what is in them.
const COLUMNS: [(&str, &str, Kind); 34] = [
    ("id", "id", Kind::Text),
    ("source", "source", Kind::Text),
    ("period", "period", Kind::Text),
    ("host_ip", "host.ip", Kind::Text),
    ("host_mac", "host.mac", Kind::Optional),
    ("segment", "host.segment", Kind::Text),
    ("host_name", "host.name", Kind::Optional),
    ("host_name_source", "host.name_source", Kind::Optional),
    ("indicator", "indicator.id", Kind::Text),
    ("category", "indicator.category", Kind::Text),
    ("confidence", "indicator.confidence", Kind::Text),
    ("stage", "stage", Kind::Text),
    ("channels", "channels", Kind::Json),
    ("names", "names", Kind::Json),
    ("names_more", "names_more", Kind::Json),
    ("servers", "servers", Kind::Json),
    ("servers_more", "servers_more", Kind::Json),
    ("client_subnets", "client_subnets", Kind::Json),
    ("client_subnets_more", "client_subnets_more", Kind::Json),
    ("first_seen", "first_seen", Kind::Text),
    ("last_seen", "last_seen", Kind::Text),
    ("count", "count", Kind::Json),
    ("sessions", "sessions", Kind::Json),
    ("slots", "slots", Kind::Text),
    ("slots_connected", "slots_connected", Kind::Text),
    ("bytes_to_server", "bytes_to_server", Kind::Json),
    ("bytes_from_server", "bytes_from_server", Kind::Json),
    ("notes", "notes", Kind::Json),
    ("community_ids", "community_ids", Kind::Json),
    ("evidence", "evidence", Kind::Json),
    ("evidence_more", "evidence_more", Kind::Json),
    ("sensor", "sensor", Kind::Text),
    ("revision", "revision", Kind::Json),
    ("support", "support", Kind::Json),
];

/// Writes the header line.
///
/// # Errors
/// Those of `out`.
pub fn write_header(out: &mut dyn io::Write) -> io::Result<()> {
    let names = COLUMNS.map(|(name, _, _)| name);
    write!(out, "{}\r\n", names.join(","))
}

/// Writes one record as one line; `support` as in
/// [`parse_marked`](line::parse_marked).
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, r: &Record, support: bool) -> io::Result<()> {
    let h = &r.host;
    let cells: [String; COLUMNS.len()] = [
        text(&r.id)?,
        text(&r.source)?,
        text(&r.period)?,
        h.ip.to_string(),
        h.mac.map(|m| m.to_string()).unwrap_or_default(),
        text(&h.segment)?,
        optional(h.name.as_deref())?,
        optional(h.name_source.as_deref())?,
        text(&r.indicator.id)?,
        r.indicator.category.to_string(),
        word(&r.indicator.confidence),
        r.stage.as_str().to_owned(),
        json(&r.channels)?,
        json(&r.names)?,
        r.names_more.to_string(),
        json(&r.servers)?,
        r.servers_more.to_string(),
        json(&r.client_subnets)?,
        r.client_subnets_more.to_string(),
        r.first_seen.to_string(),
        r.last_seen.to_string(),
        r.count.to_string(),
        r.sessions.to_string(),
        r.slots.to_string(),
        r.slots_connected.to_string(),
        r.bytes_to_server.to_string(),
        r.bytes_from_server.to_string(),
        json(&r.notes)?,
        json(&r.community_ids)?,
        json(&r.evidence)?,
        r.evidence_more.to_string(),
        text(&r.sensor)?,
        r.revision.to_string(),
        support.to_string(),
    ];
    write!(out, "{}\r\n", cells.map(quoted).join(","))
}

fn text(raw: &str) -> io::Result<String> {
    let odd = raw.starts_with('"') || raw.contains(is_hidden) || is_formula(raw);
    if odd { json(raw) } else { Ok(raw.to_owned()) }
}

fn optional(raw: Option<&str>) -> io::Result<String> {
    match raw {
        None => Ok(String::new()),
        Some("") => json(""),
        Some(raw) => text(raw),
    }
}

/// JSON without hidden characters.
fn json<T: Serialize + ?Sized>(value: &T) -> io::Result<String> {
    let mut out = Vec::new();
    write_line(&mut out, value)?;
    out.pop();
    String::from_utf8(out).map_err(io::Error::other)
}

/// Which columns a file has, in its order: places in the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Option<usize>>);

impl Columns {
    /// Whether a line looks like a header, and not like JSON.
    pub fn are_in(line: &[u8]) -> bool {
        let line = line.trim_ascii_start();
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        line.strip_prefix(b"id").is_some_and(|rest| matches!(rest, [b',' | b'"', ..]))
    }

    /// Reads a header. Columns may stand in any order, and others among them.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn of(line: &[u8]) -> Result<Columns, String> {
        let found = cells(line)?;
        let places = found.iter().map(|name| COLUMNS.iter().position(|(column, _, _)| column == name));
        let columns = Columns(places.collect());
        for (place, (name, _, _)) in COLUMNS.iter().enumerate() {
            match columns.0.iter().filter(|c| **c == Some(place)).count() {
                1 => {}
                0 => return Err(format!("the header lacks the column {name} that `export --format csv` writes")),
                _ => return Err(format!("the header has the column {name} twice")),
            }
        }
        Ok(columns)
    }

    /// Reads a record, checked as a line of NDJSON is.
    ///
    /// # Errors
    /// What is wrong with the line, as the end of a sentence.
    pub fn parse(&self, line: &[u8]) -> Result<(Record, bool), String> {
        let cells = cells(line)?;
        if cells.len() != self.0.len() {
            return Err(format!("it has {} cells, and the header {}", cells.len(), self.0.len()));
        }
        let mut record = Map::new();
        record.insert("schema".into(), crate::sighting::record::SCHEMA.into());
        for (cell, place) in cells.into_iter().zip(&self.0) {
            let Some((name, path, kind)) = place.and_then(|p| COLUMNS.get(p)) else { continue };
            let value = match kind {
                Kind::Optional if cell.is_empty() => continue,
                Kind::Text | Kind::Optional if !cell.starts_with('"') => Value::String(cell),
                _ => serde_json::from_str(&cell).map_err(|e| format!("the cell of {name} is no JSON ({e})"))?,
            };
            match path.split_once('.') {
                None => record.insert((*path).to_owned(), value),
                Some((outer, inner)) => match record.entry(outer).or_insert_with(|| Map::new().into()) {
                    Value::Object(object) => object.insert(inner.to_owned(), value),
                    _ => None,
                },
            };
        }
        line::parse_marked(Value::Object(record).to_string().as_bytes())
    }
}

/// The cells of a line by the rules of RFC 4180.
fn cells(line: &[u8]) -> Result<Vec<String>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut rest = line.strip_suffix('\r').unwrap_or(line);
    let mut cells = Vec::new();
    loop {
        let mut cell = String::new();
        if let Some(inner) = rest.strip_prefix('"') {
            rest = inner;
            loop {
                let (part, after) = rest.split_once('"').ok_or("a quoted cell does not end on its line")?;
                cell.push_str(part);
                rest = after;
                match rest.strip_prefix('"') {
                    Some(after) => {
                        cell.push('"');
                        rest = after;
                    }
                    None => break,
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            cell.push_str(part);
            rest = after;
        }
        cells.push(cell);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(cells),
            None => return Err("there is text behind a quoted cell".into()),
        }
    }
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
    use crate::sighting::draft::record_id;
    use crate::sighting::testing::record;
    use proptest::prelude::*;

    fn header() -> Columns {
        let mut out = Vec::new();
        write_header(&mut out).unwrap();
        Columns::of(out.trim_ascii_end()).unwrap()
    }

    fn with_id(mut r: Record) -> Record {
        r.id = record_id(&r.sensor, &r.host.segment, &r.host.ip, r.host.mac, &r.indicator.id, &r.period);
        r
    }

    fn line_of(r: &Record, support: bool) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, r, support).unwrap();
        assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
        out.truncate(out.len() - 1);
        out
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in proptest::option::of(any::<String>()), names in proptest::collection::btree_set(any::<String>(), 0..4),
            segment in "[=+@\\- ,\"'a]{0,6}", support: bool, mac: bool
        ) {
            let mut r = record();
            r.host.name = name;
            r.host.segment = segment;
            r.names = names.into_iter().collect();
            if mac {
                r.host.mac = None;
            }
            let r = with_id(r);
            let line = line_of(&r, support);
            prop_assert!(!String::from_utf8_lossy(&line).trim_end().contains(is_hidden));
            prop_assert_eq!(header().parse(&line), Ok((r, support)));
        }

        #[test]
        fn a_line_changed_anywhere_never_panics(at in 0usize..900, byte: u8) {
            let mut line = line_of(&with_id(record()), false);
            if let Some(b) = line.get_mut(at) {
                *b = byte;
            }
            let _ = header().parse(&line);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        let mut r = record();
        r.host.name = Some("=HYPERLINK(\"http://evil.test\")".into());
        let line = String::from_utf8(line_of(&r, false)).unwrap();
        assert!(line.contains(",\"\"\"=HYPERLINK(\\\"\"http://evil.test\\\"\")\"\"\","), "{line}");
        for cell in cells(line.as_bytes()).unwrap() {
            assert!(!is_formula(&cell), "{cell}");
        }
    }

    #[test]
    fn columns_may_change_places_and_are_all_needed() {
        let mut out = Vec::new();
        write_header(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(Columns::are_in(text.as_bytes()) && !Columns::are_in(b"{\"id\":1}"));
        let mut names: Vec<&str> = text.trim_end().split(',').collect();
        names.reverse();
        names.push("mine");
        let columns = Columns::of(names.join(",").as_bytes()).unwrap();
        let r = with_id(record());
        let line = line_of(&r, true);
        let mut cells = cells(&line).unwrap();
        cells.reverse();
        cells.push("x".into());
        let line = cells.into_iter().map(quoted).collect::<Vec<_>>().join(",");
        assert_eq!(columns.parse(line.as_bytes()), Ok((r, true)));
        let said = Columns::of(text.replace(",notes", "").trim_end().as_bytes()).unwrap_err();
        assert!(said.contains("lacks the column notes"), "{said}");
        let said = Columns::of(format!("id,{}", text.trim_end()).as_bytes()).unwrap_err();
        assert!(said.contains("the column id twice"), "{said}");
    }
}
