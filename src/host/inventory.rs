//! The user's own list of devices: names, owners and places by address or
//! hardware address.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::{Addr, Mac};
use std::collections::HashMap;
use thiserror::Error;

/// What is wrong with an inventory, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct InventoryError {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// What the user says of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Name.
    pub name: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Place.
    pub place: Option<String>,
}

/// Devices by hardware address and by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    by_mac: HashMap<Mac, Device>,
    by_addr: HashMap<Addr, Device>,
}

/// The columns that are known, in no fixed order.
const COLUMNS: [&str; 5] = ["address", "mac", "name", "owner", "place"];
/// Longest field, in bytes.
pub(crate) const MAX_FIELD: usize = 256;

impl Inventory {
    /// Reads comma-separated values (RFC 4180), or values separated by
    /// semicolons if the header is. The header names the columns: `address` or
    /// `mac` or both, and any of `name`, `owner`, `place`, in any order.
    /// Hardware addresses are written with colons or hyphens.
    ///
    /// # Errors
    ///
    /// Says which line is wrong: an unknown or missing column, a line with too
    /// many or too few fields, no address at all, something that is no
    /// address, or one that another line has already.
    pub fn read(text: &str) -> Result<Self, InventoryError> {
        let mut rows = Rows::new(text);
        let (line, names) =
            rows.next().transpose()?.ok_or_else(|| wrong(1, "the file is empty; its first line names the columns"))?;
        let mut columns = Vec::with_capacity(names.len());
        for name in &names {
            let word = name.trim().to_ascii_lowercase();
            let known = COLUMNS.iter().position(|c| *c == word).ok_or_else(|| {
                wrong(line, format!("{:?} is no column; known are {}", name.trim(), COLUMNS.join(", ")))
            })?;
            if columns.contains(&known) {
                return Err(wrong(line, format!("the column {word} stands twice")));
            }
            columns.push(known);
        }
        if !columns.iter().any(|c| *c < 2) {
            return Err(wrong(line, "a column address or mac is missing"));
        }
        let mut inventory = Inventory::default();
        for row in rows {
            let (line, fields) = row?;
            if let [only] = fields.as_slice()
                && only.trim().is_empty()
            {
                continue;
            }
            if fields.len() != columns.len() {
                return Err(wrong(line, format!("{} fields, and the header has {}", fields.len(), columns.len())));
            }
            inventory.add(line, &columns, &fields)?;
        }
        Ok(inventory)
    }

    fn add(&mut self, line: usize, columns: &[usize], fields: &[String]) -> Result<(), InventoryError> {
        let field = |column: usize| {
            let at = columns.iter().position(|c| *c == column)?;
            fields.get(at).map(|f| f.trim()).filter(|f| !f.is_empty())
        };
        let text = |column| field(column).map(str::to_owned);
        let device = Device { name: text(2), owner: text(3), place: text(4) };
        let address = field(0).map(|f| f.parse::<Addr>().map_err(|_| wrong(line, format!("{f:?} is no IP address"))));
        let read_mac = |f: &str| f.replace('-', ":").parse::<Mac>();
        let mac = field(1).map(|f| read_mac(f).map_err(|()| wrong(line, format!("{f:?} is no hardware address"))));
        let (address, mac) = (address.transpose()?, mac.transpose()?);
        if address.is_none() && mac.is_none() {
            return Err(wrong(line, "neither an address nor a hardware address"));
        }
        // A device with both is found by its hardware address wherever that is
        // seen, and by its address where it is not.
        if mac.is_some_and(|m| self.by_mac.insert(m, device.clone()).is_some()) {
            return Err(wrong(line, "the hardware address stands in an earlier line too"));
        }
        if address.is_some_and(|a| self.by_addr.insert(a, device).is_some()) {
            return Err(wrong(line, "the address stands in an earlier line too"));
        }
        Ok(())
    }

    /// The device with this hardware address, else the one with this address.
    pub fn find(&self, mac: Option<Mac>, ip: &Addr) -> Option<&Device> {
        mac.and_then(|m| self.by_mac.get(&m)).or_else(|| self.by_addr.get(ip))
    }

    /// The hardware addresses and addresses of devices of a name, in any case.
    pub fn named(&self, name: &str) -> (impl Iterator<Item = Mac>, impl Iterator<Item = Addr>) {
        let name = name.to_lowercase();
        let is = move |d: &Device| d.name.as_ref().is_some_and(|n| n.to_lowercase() == name);
        let also = is.clone();
        let macs = self.by_mac.iter().filter(move |(_, d)| is(d)).map(|(mac, _)| *mac);
        (macs, self.by_addr.iter().filter(move |(_, d)| also(d)).map(|(ip, _)| *ip))
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.by_mac.is_empty() && self.by_addr.is_empty()
    }
}

fn wrong(line: usize, what: impl Into<String>) -> InventoryError {
    InventoryError { line, what: what.into() }
}

/// The rows of a CSV file (RFC 4180) of the user's, each with the line that it
/// begins on.
#[derive(Debug)]
pub(crate) struct Rows<'t> {
    rest: &'t str,
    line: usize,
    separator: char,
}

impl<'t> Rows<'t> {
    /// Of a text; values are separated by semicolons where the first line has
    /// these and no comma.
    pub(crate) fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Rows { rest: text, line: 1, separator: separator(text) }
    }

    /// Of some rows of a text, the first of which begins on that line.
    pub(crate) fn part(text: &'t str, line: usize, separator: char) -> Self {
        Rows { rest: text, line, separator }
    }
}

/// What separates the values of a text.
pub(crate) fn separator(text: &str) -> char {
    let header = text.lines().next().unwrap_or_default();
    if header.contains(',') || !header.contains(';') { ',' } else { ';' }
}

impl Iterator for Rows<'_> {
    type Item = Result<(usize, Vec<String>), InventoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let row = self.row();
        if row.is_err() {
            self.rest = "";
        }
        Some(row.map(|fields| (line, fields)))
    }
}

impl Rows<'_> {
    fn row(&mut self) -> Result<Vec<String>, InventoryError> {
        let mut fields = Vec::new();
        loop {
            let (field, end) = self.field()?;
            if field.len() > MAX_FIELD {
                return Err(wrong(self.line, format!("a field is longer than {MAX_FIELD} bytes")));
            }
            if let Some(c) = field.chars().find(|c| c.is_control()) {
                return Err(wrong(self.line, format!("a field has the character {c:?}")));
            }
            fields.push(field);
            if end != Some(self.separator) {
                self.line = self.line.saturating_add(1);
                return Ok(fields);
            }
        }
    }

    /// The next field, and the character that ended it.
    fn field(&mut self) -> Result<(String, Option<char>), InventoryError> {
        let separator = self.separator;
        let ends = |c: char| c == separator || c == '\n';
        let mut field = String::new();
        if let Some(mut inside) = self.rest.strip_prefix('"') {
            loop {
                let (text, behind) = inside
                    .split_once('"')
                    .ok_or_else(|| wrong(self.line, "a quotation mark is opened and not closed"))?;
                field.push_str(text);
                inside = behind;
                let Some(again) = inside.strip_prefix('"') else { break };
                field.push('"');
                inside = again;
            }
            self.rest = inside.strip_prefix('\r').filter(|r| r.starts_with('\n')).unwrap_or(inside);
            if self.rest.chars().next().is_some_and(|c| !ends(c)) {
                return Err(wrong(self.line, "something follows a closing quotation mark"));
            }
        } else {
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (text, behind) = self.rest.split_at(end);
            let text = if behind.starts_with('\n') { text.strip_suffix('\r').unwrap_or(text) } else { text };
            if text.contains('"') {
                return Err(wrong(self.line, "a quotation mark inside a field; write the field as \"…\" and it twice"));
            }
            field.push_str(text);
            self.rest = behind;
        }
        let mut chars = self.rest.chars();
        let end = chars.next();
        self.rest = chars.as_str();
        Ok((field, end))
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
    use proptest::prelude::*;

    fn addr(s: &str) -> Addr {
        s.parse().unwrap()
    }

    #[test]
    fn devices_are_found_by_hardware_address_before_address() {
        let text = "\u{feff}name;MAC;address;owner;place\r\n\
                    \"desk; 7\";02-00-0A-00-00-05;;Ann \"\"quick\"\" Lee;\r\n";
        assert!(Inventory::read(text).unwrap_err().what.contains("quotation mark inside"));
        let text = text.replace("Ann \"\"quick\"\" Lee", "\"Ann \"\"quick\"\" Lee\"") + "\r\nprinter;;10.0.0.9;;hall";
        let inventory = Inventory::read(&text).unwrap();
        let mac = "02:00:0a:00:00:05".parse().ok();
        let desk = inventory.find(mac, &addr("10.0.0.9")).unwrap();
        assert_eq!((desk.name.as_deref(), desk.owner.as_deref()), (Some("desk; 7"), Some("Ann \"quick\" Lee")));
        assert_eq!(inventory.find(None, &addr("10.0.0.9")).unwrap().place.as_deref(), Some("hall"));
        assert_eq!(inventory.find(None, &addr("10.0.0.8")), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, word) in [
            ("", 1, "empty"),
            ("name,owner\n", 1, "missing"),
            ("address,colour\n", 1, "\"colour\""),
            ("address,address\n", 1, "twice"),
            ("address,name\n10.0.0.1,a\n\n10.0.0.2\n", 4, "1 fields"),
            ("address,name\nten,a\n", 2, "\"ten\""),
            ("address,mac\n,\n", 2, "neither"),
            ("mac\n02:00\n", 2, "no hardware address"),
            ("address,name\n10.0.0.1,a\n::ffff:10.0.0.1,b\n", 3, "earlier"),
            ("mac,name\n02:00:0a:00:00:05,a\n02-00-0a-00-00-05,b", 3, "earlier"),
            ("address,name\n10.0.0.1,\"a\n", 2, "not closed"),
            ("address,name\n10.0.0.1,\"a\"b\n", 2, "follows"),
            ("address,name\n10.0.0.1,\u{1b}[2J\n", 2, "character"),
        ] {
            let error = Inventory::read(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.what.contains(word), "{text:?}: {error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
        assert!(Inventory::read("address\n").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(address|mac|name|,|;|\"|\r|\n|10.0.0.1|x){0,40}") {
            let _ = Inventory::read(&text);
        }

        #[test]
        fn what_is_written_is_read(names in proptest::collection::vec("[a-z\",; ]{1,12}", 1..20)) {
            let row = |(n, name): (usize, &String)| format!("10.0.0.{n},\"{}\"\n", name.replace('"', "\"\""));
            let text = "address,name\n".to_owned() + &names.iter().enumerate().map(row).collect::<String>();
            let inventory = Inventory::read(&text).unwrap();
            for (n, name) in names.iter().enumerate() {
                let found = inventory.find(None, &addr(&format!("10.0.0.{n}"))).unwrap();
                prop_assert_eq!(found.name.as_deref().unwrap_or(""), name.trim());
            }
        }
    }
}
