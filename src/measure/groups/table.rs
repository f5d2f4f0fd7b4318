//! What all files together say of some addresses, as one file of groups: for
//! publications, in which addresses may be pseudonyms.

use super::super::fact::Days;
use super::Groups;
use crate::base::Addr;
use crate::base::time::format_day;
use std::io;

/// What is said of an address in each column.
type Said = Vec<Option<String>>;

impl Groups {
    /// Writes what is said of addresses on some days as CSV that
    /// [`Groups::read`] takes back. Of each address its own is given, and the
    /// one to write.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_table(
        &self,
        columns: &[String],
        addresses: impl Iterator<Item = (Addr, Addr)>,
        days: Days,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let dated = self.depends_on_day();
        let mut line = String::from("prefix");
        columns.iter().for_each(|column| field(&mut line, column));
        if dated {
            line.push_str(",valid_from,valid_to");
        }
        writeln!(out, "{line}")?;
        for (ip, shown) in addresses {
            for (said, days) in self.said(&ip, columns, if dated { days } else { Days::new(days.first, days.first) }) {
                line.clear();
                line.push_str(&shown.to_string());
                said.iter().for_each(|value| field(&mut line, value.as_deref().unwrap_or_default()));
                if dated {
                    field(&mut line, &format_day(days.first.into()));
                    field(&mut line, &format_day(days.last.into()));
                }
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    /// What is said of an address, as long as it stays the same.
    fn said(&self, ip: &Addr, columns: &[String], days: Days) -> Vec<(Said, Days)> {
        let mut all: Vec<(Said, Days)> = Vec::new();
        let mut before = None;
        for day in days.first..=days.last {
            let key = self.key(ip, day);
            if before == Some(key) {
                if let Some((_, of)) = all.last_mut() {
                    of.last = day;
                }
                continue;
            }
            before = Some(key);
            let said: Said = columns.iter().map(|column| self.value(&key, ip, column)).collect();
            match all.last_mut() {
                Some((last, of)) if *last == said => of.last = day,
                _ => all.push((said, Days::new(day, day))),
            }
        }
        all.retain(|(said, _)| said.iter().any(Option::is_some));
        all
    }
}

/// Adds a field to a line, in quotes where it needs them.
fn field(line: &mut String, text: &str) {
    line.push(',');
    if text.contains([',', '"', '\n', '\r']) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::parse_day;

    fn read(dir: &tempfile::TempDir, name: &str, text: &str) -> Groups {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Groups::read(&[path]).unwrap()
    }

    #[test]
    fn a_table_of_addresses_says_the_same_as_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let text = "prefix,org,country,valid_from,valid_to\n10.0.0.0/8,\"Acme, \"\"Inc\"\"\",DE,,2024-03-31\n\
                    10.0.0.0/8,Beta,,2024-04-01,\n10.0.0.0/30,Gamma,FR,2024-03-05,2024-03-06\n";
        let groups = read(&dir, "a.csv", text);
        let day = |text: &str| i32::try_from(parse_day(text).unwrap()).unwrap();
        let days = Days::new(day("2024-03-01"), day("2024-04-30"));
        let ips = ["10.0.0.1", "10.0.0.9", "11.0.0.1"].map(|t| t.parse::<Addr>().unwrap());
        let columns = ["org".to_owned(), "country".to_owned()];
        let mut out = Vec::new();
        groups.write_table(&columns, ips.iter().map(|ip| (*ip, *ip)), days, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1 + 4 + 2, "{text}");
        let again = read(&dir, "b.csv", &text);
        for ip in &ips {
            for day in days.first..=days.last {
                for column in &columns {
                    let of = |g: &Groups| g.value(&g.key(ip, day), ip, column);
                    assert_eq!(of(&again), of(&groups), "{ip} {day} {column}");
                }
            }
        }
    }
}
