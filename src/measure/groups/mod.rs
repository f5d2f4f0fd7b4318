//! Addresses to organisation, site, country, sector, from the user's files.
//!
//! Groups are applied when records are read and stored nowhere: a file that is
//! corrected corrects the figures. Of several prefixes the longest counts that
//! was valid on the day of the record, so that a prefix that changed hands is
//! counted for who had it then. What no file knows stays unknown.

mod csv;
mod mmdb;
pub(super) mod places;
mod stream;
mod table;

pub use places::{Place, Places, Values};

use super::fact::Days;
use super::window::Window;
use crate::base::Addr;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use stream::Streamed;
use thiserror::Error;

/// Most files of groups.
pub const MOST_FILES: usize = 8;

/// What is wrong with a file of groups.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GroupsError {
    /// It cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Its path as given.
        path: String,
        /// Why not.
        why: String,
    },
    /// A line of it is wrong.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// Its path as given.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A column that no file has.
    #[error("no file of --groups has a column {column:?}; there are {known}")]
    NoColumn {
        /// The column asked for.
        column: String,
        /// Those that there are.
        known: String,
    },
    /// Too many files.
    #[error("at most {MOST_FILES} files of groups can be used at once")]
    TooMany,
}

/// A file of groups, as a report names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupFile {
    /// Its path as given.
    pub path: String,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// `csv`, or the type of a MaxMind database as it names itself.
    pub kind: String,
    /// The day it was made, of a MaxMind database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built: Option<String>,
    /// The only days that it is used for; absent where that is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Days>,
    /// Lines that contradict an earlier one, which counts; a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<String>,
}

/// The entries of one file.
#[derive(Debug)]
enum Entries {
    Csv(csv::Table),
    Mmdb(mmdb::Database),
}

#[derive(Debug)]
struct File {
    shown: GroupFile,
    entries: Entries,
    valid: Option<Days>,
}

impl File {
    fn columns(&self) -> Vec<&str> {
        match &self.entries {
            Entries::Csv(table) => table.columns().collect(),
            Entries::Mmdb(database) => database.columns().collect(),
        }
    }
}

/// The content of a file.
enum Input {
    Database(Vec<u8>),
    Text(Box<dyn BufRead>),
}

impl Input {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let kind = file.metadata()?;
        if !kind.is_file() {
            // A pipe is read once.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            return Ok(match mmdb::is_one(&bytes) {
                true => Input::Database(bytes),
                false => Input::Text(Box::new(io::Cursor::new(bytes))),
            });
        }
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(kind.len().saturating_sub(mmdb::NEAR as u64)))?;
        (&mut file).take(mmdb::NEAR as u64).read_to_end(&mut end)?;
        file.rewind()?;
        if !mmdb::is_one(&end) {
            return Ok(Input::Text(Box::new(BufReader::with_capacity(1 << 18, file))));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Input::Database(bytes))
    }
}

/// All files of groups.
#[derive(Debug, Default)]
pub struct Groups {
    files: Vec<File>,
}

/// What each file says of an address on a day: 0 for nothing, else one more
/// than the place of the entry. Addresses with the same key are in the same
/// groups.
pub(super) type Key = [u32; MOST_FILES];

impl Groups {
    /// Reads the files, in order: of two that know something of an address the
    /// first counts, column by column. A path may be followed by `@` and a
    /// window: then it is used for these days alone.
    ///
    /// # Errors
    /// What is wrong with a file.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self, GroupsError> {
        if paths.len() > MOST_FILES {
            return Err(GroupsError::TooMany);
        }
        let mut groups = Groups::default();
        for path in paths {
            groups.add(path.as_ref())?;
        }
        Ok(groups)
    }

    fn add(&mut self, given: &Path) -> Result<(), GroupsError> {
        let (path, valid) = path_and_days(given);
        let shown = given.display().to_string();
        let unreadable = |why: String| GroupsError::Unreadable { path: shown.clone(), why };
        let input = Input::open(path).map_err(|e| unreadable(e.to_string()))?;
        let named = |sha256: &[u8]| {
            let (path, sha256) = (shown.clone(), hex(sha256));
            GroupFile { path, sha256, kind: "csv".into(), built: None, valid, overlaps: vec![] }
        };
        let (file, entries) = match input {
            Input::Database(bytes) => {
                let mut file = named(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
                let database = mmdb::Database::read(bytes).map_err(unreadable)?;
                file.kind = database.kind().to_owned();
                file.built = Some(database.built());
                (file, Entries::Mmdb(database))
            }
            Input::Text(input) => {
                let mut rows = Streamed::new(input);
                let read = csv::Table::read(&mut rows);
                if let Some(why) = rows.trouble() {
                    return Err(unreadable(why));
                }
                let wrong = |line, what| GroupsError::Line { path: shown.clone(), line, what };
                let (table, overlaps) = read.map_err(|e| wrong(e.line, e.what))?;
                (GroupFile { overlaps, ..named(rows.sha256().as_ref()) }, Entries::Csv(table))
            }
        };
        self.files.push(File { shown: file, entries, valid });
        Ok(())
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files, as a report names them.
    pub fn files(&self) -> Vec<GroupFile> {
        self.files.iter().map(|f| f.shown.clone()).collect()
    }

    /// Every column that any file may know.
    pub fn columns(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for column in self.files.iter().flat_map(File::columns) {
            if !all.contains(&column) {
                all.push(column);
            }
        }
        all
    }

    /// Whether an address may be in other groups on other days.
    pub(super) fn depends_on_day(&self) -> bool {
        let one = |f: &File| f.valid.is_some() || matches!(&f.entries, Entries::Csv(t) if t.has_dates());
        let databases = self.files.iter().filter(|f| matches!(f.entries, Entries::Mmdb(_))).count();
        self.files.iter().any(one) || databases > 1
    }

    /// What each file says of an address on a day. Of several MaxMind databases
    /// of one kind without days of their own, only the newest that was made by
    /// that day is asked, or the oldest where none was.
    pub(super) fn key(&self, ip: &Addr, day: i32) -> Key {
        let mut key = [0; MOST_FILES];
        for (at, (file, place)) in self.files.iter().zip(&mut key).enumerate() {
            if file.valid.is_some_and(|days| !days.contains(day)) {
                continue;
            }
            *place = match &file.entries {
                Entries::Csv(table) => table.find(ip, day),
                Entries::Mmdb(database) if file.valid.is_some() || self.is_of_day(at, database, day) => {
                    database.find(ip)
                }
                Entries::Mmdb(_) => 0,
            };
        }
        key
    }

    fn is_of_day(&self, at: usize, database: &mmdb::Database, day: i32) -> bool {
        let rivals = self.files.iter().enumerate().filter_map(|(other, f)| match &f.entries {
            Entries::Mmdb(d) if f.valid.is_none() && d.kind() == database.kind() => Some((d.built_day(), other)),
            _ => None,
        });
        let (mut newest, mut oldest) = (None, None);
        for rival in rivals {
            oldest = oldest.min(Some(rival)).or(Some(rival));
            if rival.0 <= day {
                newest = newest.max(Some(rival));
            }
        }
        newest.or(oldest).is_some_and(|(_, other)| other == at)
    }

    /// What the entries of a key, which must be that of the address, say in a
    /// column.
    pub(super) fn value(&self, key: &Key, ip: &Addr, column: &str) -> Option<String> {
        self.files.iter().zip(key).filter(|(_, place)| **place > 0).find_map(|(file, place)| match &file.entries {
            Entries::Csv(table) => table.value(*place, column),
            Entries::Mmdb(database) => database.value(ip, column),
        })
    }

    /// Finds the columns of dimensions such as `country` or `country+sector`, each
    /// once.
    ///
    /// # Errors
    /// [`GroupsError::NoColumn`] for one that no file has.
    pub fn dimensions(&self, asked: &[String]) -> Result<Vec<Vec<String>>, GroupsError> {
        let known = self.columns();
        let one = |column: &str| {
            let column = column.trim().to_ascii_lowercase();
            if known.contains(&column.as_str()) {
                return Ok(column);
            }
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(GroupsError::NoColumn { column, known })
        };
        let mut all: Vec<Vec<String>> = Vec::new();
        for dimension in asked {
            let columns = dimension.split('+').map(one).collect::<Result<_, _>>()?;
            if !all.contains(&columns) {
                all.push(columns);
            }
        }
        Ok(all)
    }
}

/// The path of a file of groups, without the window that may stand behind it.
pub fn path_of(given: &Path) -> &Path {
    path_and_days(given).0
}

/// The path of a file and, behind the last `@`, the days that it is used for.
fn path_and_days(given: &Path) -> (&Path, Option<Days>) {
    let split = given.to_str().filter(|_| !given.exists()).and_then(|text| text.rsplit_once('@'));
    match split.map(|(path, window)| (path, window.parse::<Window>())) {
        Some((path, Ok(Window::Days(days)))) => (Path::new(path), Some(days)),
        _ => (given, None),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    fn groups(files: &[(&str, &str)]) -> Groups {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = files
            .iter()
            .map(|(name, text)| {
                let path = dir.path().join(name.split('@').next().unwrap());
                std::fs::write(&path, text).unwrap();
                dir.path().join(name)
            })
            .collect();
        Groups::read(&paths).unwrap()
    }

    #[test]
    fn the_first_file_that_knows_a_column_counts() {
        let groups = groups(&[
            ("a.csv", "prefix,org\n10.0.0.0/8,Acme\n"),
            ("b.csv", "prefix,org,country\n10.0.0.0/9,Other,DE\n"),
        ]);
        let of = |ip: &str, column: &str| groups.value(&groups.key(&addr(ip), 0), &addr(ip), column);
        assert_eq!((of("10.1.2.3", "org"), of("10.1.2.3", "country")), (Some("Acme".into()), Some("DE".into())));
        assert_eq!((groups.key(&addr("11.1.2.3"), 0), of("11.1.2.3", "org")), ([0; MOST_FILES], None));
        assert_eq!(groups.columns(), ["org", "country"]);
        assert!(!groups.depends_on_day());
    }

    #[test]
    fn a_file_may_be_for_some_days_alone() {
        let groups = groups(&[("a.csv@2024-04", "prefix,org\n10.0.0.0/8,Acme\n")]);
        let on = |day: &str| {
            let day = i32::try_from(crate::base::time::parse_day(day).unwrap()).unwrap();
            groups.value(&groups.key(&addr("10.1.2.3"), day), &addr("10.1.2.3"), "org")
        };
        assert_eq!((on("2024-03-31"), on("2024-04-30"), on("2024-05-01")), (None, Some("Acme".into()), None));
        assert!(groups.depends_on_day());
    }

    #[test]
    fn of_databases_of_one_kind_the_newest_by_the_day_counts() {
        let dir = tempfile::tempdir().unwrap();
        let made = |day: u64, country: &str| {
            let path = dir.path().join(country);
            let entries: &[(&str, &[(&str, &str)])] = &[("10.0.0.0/8", &[("country", country)])];
            std::fs::write(&path, mmdb::tests::database("Test", day * 86_400, entries)).unwrap();
            path
        };
        let groups = Groups::read(&[made(20, "NEW"), made(10, "OLD")]).unwrap();
        let ip = addr("10.1.2.3");
        let on = |day| groups.value(&groups.key(&ip, day), &ip, "country").unwrap();
        assert_eq!([5, 10, 19, 20, 99].map(on), ["OLD", "OLD", "OLD", "NEW", "NEW"]);
        assert_eq!(groups.files()[0].built.as_deref(), Some("1970-01-21"));
    }

    #[test]
    fn dimensions_are_of_columns_that_there_are() {
        let groups = groups(&[("a.csv", "prefix,org,country\n")]);
        let asked = ["org", "Country+org", "ORG", "country + org"].map(str::to_owned);
        assert_eq!(groups.dimensions(&asked).unwrap(), [vec!["org"], vec!["country", "org"]]);
        let error = groups.dimensions(&["site".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"site\"") && error.contains("org, country"), "{error}");
    }
}
