//! Files of groups of addresses: CSV, or a MaxMind database.

use super::scratch::folder;
use spansight::base::time::parse_day;
use spansight::base::{Addr, Prefix};
use spansight::measure::{Days, Groups};
use std::collections::BTreeSet;
use std::fs;

/// Days that are asked for.
const DAYS: i32 = 12;
/// Most addresses that are asked for.
const ADDRESSES: usize = 40;
/// Longest sentence on what is wrong with a file.
const MAX_SAID: usize = 4096;

/// Any file of groups. What it says of addresses, its own prefixes among them,
/// is written as a table, which says the same: so does a publication.
pub fn file(data: &[u8]) {
    let folder = folder("groups");
    let path = folder.join("g");
    fs::write(&path, data).expect("room in the temporary folder");
    let groups = match Groups::read(&[&path]) {
        Ok(groups) => groups,
        Err(e) => return assert!(e.to_string().len() <= MAX_SAID, "what is wrong is a sentence"),
    };
    let columns: Vec<String> = groups.columns().iter().map(|c| (*c).to_owned()).collect();
    let text = String::from_utf8_lossy(data);
    let words = || text.split([',', ';', '\n', '"', '\r', ' ']);
    let asked = ["0.0.0.0", "10.1.2.3", "192.168.1.9", "2001:db8::7", "::"].map(|a| a.parse::<Addr>());
    let of_file = words().filter_map(|w| w.parse::<Prefix>().ok()).map(|p| Addr(p.network().to_be_bytes()));
    let addresses: BTreeSet<Addr> = asked.into_iter().flatten().chain(of_file.take(ADDRESSES)).collect();
    let day = words().filter_map(parse_day).next().and_then(|d| i32::try_from(d).ok()).unwrap_or(20_000);
    let days = Days::new(day.saturating_sub(2), day.saturating_add(DAYS - 3));
    let table = |groups: &Groups, columns: &[String]| {
        let mut out = Vec::new();
        let pairs = addresses.iter().map(|ip| (*ip, *ip));
        groups.write_table(columns, pairs, days, &mut out).expect("room in memory");
        String::from_utf8(out).expect("tables are text")
    };
    let said = table(&groups, &columns);
    let most = addresses.len().saturating_mul(DAYS as usize) + 1;
    assert!(said.lines().count() <= most, "a line for each address and day at most");
    fs::write(&path, &said).expect("room in the temporary folder");
    let again = Groups::read(&[&path]).expect("a table that was written is read");
    assert_eq!(again.columns(), groups.columns(), "a table has the columns of its files");
    let again = table(&again, &columns);
    // Days that nothing is said of are no longer told apart.
    let says_nothing = [&said, &again].iter().all(|table| table.lines().count() == 1);
    assert!(says_nothing || again == said, "a table says what its files do:\n{said}\n{again}");
    let dimensions = groups.dimensions(&[columns.join("+")]).expect("columns that there are");
    assert_eq!(dimensions, [columns]);
}
