//! Hosts as a table for people.

use super::activity;
use super::columns::Row;
use super::layout;
use super::summary::{Summary, span};
use super::text::{clean, grouped};
use crate::base::{Addr, Channel, Mac, Timestamp};
use crate::catalogue::Category;
use crate::sighting::{Record, Stage};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher;
use std::io;

/// Most resolvers remembered; a network has a few.
const MAX_ANSWERING: usize = 4096;
/// Names shown of a host; the others are counted.
const NAMES: usize = 3;
/// Rows of hosts, and of alarms. A flood of made-up clients could be many more
/// than anybody reads, or memory holds. When there are so many, the weakest
/// quarter goes: a flood of lookups must not push out who downloads.
const MAX_ROWS: usize = 20_000;
/// Hosts beyond them that are told apart.
const MAX_MORE: usize = 1 << 20;
/// Width without a terminal and without `COLUMNS`.
const DEFAULT_WIDTH: u16 = 100;
/// Least width; a narrower terminal wraps by itself.
const MIN_WIDTH: u16 = 80;

/// Width for tables on standard output: the terminal's, else that of the
/// environment variable `COLUMNS`, else 100; at least 80.
pub fn width() -> u16 {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
    let columns = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    terminal.or_else(columns).unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH)
}

/// The rows of a table, gathered record by record.
#[derive(Clone, Debug, Default)]
pub struct HostTable {
    pub(super) alarms: BTreeMap<HostKey, HostRow>,
    pub(super) hosts: BTreeMap<HostKey, HostRow>,
    /// Hashes of hosts that have no row.
    more: HashSet<u64>,
    /// A row may lack what was added before it went and came back.
    partial: bool,
    /// No row comes any more.
    closed: bool,
    /// Address and segment of what answered a listed host.
    answering: BTreeSet<(Addr, String)>,
}

/// What records of one row share: address, segment, MAC.
pub(super) type HostKey = (Addr, String, Option<Mac>);

#[derive(Clone, Debug)]
pub(super) struct HostRow {
    name: Option<String>,
    stages: BTreeMap<(u8, Category), Stage>,
    names: BTreeMap<String, u8>,
    names_more: u64,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    records: usize,
}

impl HostTable {
    /// An empty table.
    pub fn new() -> Self {
        HostTable::default()
    }

    /// Adds a record to its host's row. Alarms have rows of their own.
    pub fn add(&mut self, r: &Record) {
        for ip in answering(r) {
            if self.answering.len() < MAX_ANSWERING {
                self.answering.insert((ip, r.host.segment.clone()));
            }
        }
        let category = r.indicator.category;
        let rank = activity::rank(category);
        let rows = if category.is_alarm() { &mut self.alarms } else { &mut self.hosts };
        let key = (r.host.ip, r.host.segment.clone(), r.host.mac);
        if !rows.contains_key(&key) {
            if self.closed {
                return;
            }
            if rows.len() >= MAX_ROWS {
                for weak in weakest(rows) {
                    rows.remove(&weak);
                    if self.more.len() < MAX_MORE {
                        self.more.insert(hash(&weak));
                    } else {
                        self.partial = true;
                    }
                }
            }
            self.partial |= self.more.remove(&hash(&key));
        }
        let row = rows.entry(key).or_insert_with(HostRow::new);
        // The least of several names, so that the order of records is no matter.
        row.name = [row.name.take(), r.host.name.clone()].into_iter().flatten().min();
        let stage = row.stages.entry((rank, category)).or_insert(r.stage);
        *stage = r.stage.max(*stage);
        for name in &r.names {
            let best = row.names.entry(name.clone()).or_insert(rank);
            *best = rank.min(*best);
        }
        // Records of several days may all leave out the same names.
        row.names_more = row.names_more.max(r.names_more);
        row.first = row.first.min(r.first_seen);
        row.last = row.last.max(r.last_seen);
        row.count = row.count.saturating_add(r.count);
        row.records = row.records.saturating_add(1);
    }

    /// Leaves the weakest rows out, so that those of the others are made of no
    /// more than `most` records. They count as hosts without a row.
    pub fn keep_records(&mut self, most: usize) {
        for rows in [&mut self.alarms, &mut self.hosts] {
            let mut order: Vec<_> = rows.iter().map(|(key, row)| (row.order(), key, row.records)).collect();
            order.sort_unstable();
            let mut kept = 0usize;
            let left_out = order.into_iter().filter_map(|(_, key, records)| {
                kept = kept.saturating_add(records);
                (kept > most / 2).then(|| key.clone())
            });
            for weak in left_out.collect::<Vec<_>>() {
                rows.remove(&weak);
                if self.more.len() < MAX_MORE {
                    self.more.insert(hash(&weak));
                }
            }
        }
    }

    /// Whether a host has a row.
    pub fn has(&self, ip: Addr, segment: &str, mac: Option<Mac>) -> bool {
        let key = (ip, segment.to_owned(), mac);
        self.hosts.contains_key(&key) || self.alarms.contains_key(&key)
    }

    /// Whether the same records should be added once more: some rows lack
    /// what was added before they went for a while. The rows are emptied, and
    /// no others come.
    pub fn again(&mut self) -> bool {
        if !std::mem::take(&mut self.partial) {
            return false;
        }
        self.closed = true;
        self.alarms.values_mut().chain(self.hosts.values_mut()).for_each(|row| *row = HostRow::new());
        true
    }

    /// Number of hosts, those with alarms only included.
    pub fn hosts(&self) -> u64 {
        let alarms_only = self.alarms.keys().filter(|key| !self.hosts.contains_key(key)).count();
        let listed = self.hosts.len().saturating_add(alarms_only);
        u64::try_from(listed.saturating_add(self.more.len())).unwrap_or(u64::MAX)
    }

    /// Writes the alarms, if any, and the hosts, for a terminal of `width`
    /// columns, and behind them the lines of `summary` if one is given. Plain
    /// text without colour. An empty table is one sentence.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn io::Write, summary: Option<&Summary>, width: u16) -> io::Result<()> {
        if !self.alarms.is_empty() {
            writeln!(out, "ALARMS (never counted as use)\n")?;
            write_rows(out, &self.alarms, &self.answering, width)?;
            writeln!(out)?;
            if !self.hosts.is_empty() {
                writeln!(out, "HOSTS\n")?;
            }
        }
        if !self.hosts.is_empty() {
            write_rows(out, &self.hosts, &self.answering, width)?;
        }
        if let Some(line) = self.more_line() {
            writeln!(out, "\n{line}")?;
        }
        let empty = self.alarms.is_empty() && self.hosts.is_empty();
        match summary {
            Some(summary) => {
                if !empty {
                    writeln!(out)?;
                }
                summary.write(out)
            }
            None if empty => writeln!(out, "No host listed."),
            None => Ok(()),
        }
    }
}

impl HostTable {
    /// How many hosts have no row, in a sentence.
    pub(super) fn more_line(&self) -> Option<String> {
        let least = if self.more.len() < MAX_MORE { "" } else { "At least " };
        let n = grouped(self.without_row());
        (!self.more.is_empty())
            .then(|| format!("{least}{n} more hosts have no row here; --format ndjson or csv lists all."))
    }

    /// Hosts that have no row.
    pub(super) fn without_row(&self) -> u64 {
        u64::try_from(self.more.len()).unwrap_or(u64::MAX)
    }

    /// Whether a host answered others.
    pub(super) fn answers(&self, ip: Addr, segment: &str) -> bool {
        self.answering.contains(&(ip, segment.to_owned()))
    }
}

/// What tells hosts without a row apart.
fn hash(key: &HostKey) -> u64 {
    foldhash::quality::FixedState::with_seed(0).hash_one(key)
}

/// The quarter of the rows that would stand last in the table.
fn weakest(rows: &BTreeMap<HostKey, HostRow>) -> Vec<HostKey> {
    let mut order: Vec<_> = rows.iter().map(|(key, row)| (row.order(), key)).collect();
    order.sort_unstable();
    order.drain(..rows.len() / 4 * 3);
    order.into_iter().map(|(_, key)| key.clone()).collect()
}

impl HostRow {
    /// A row to which nothing was added yet.
    pub(super) fn new() -> Self {
        HostRow {
            name: None,
            stages: BTreeMap::new(),
            names: BTreeMap::new(),
            names_more: 0,
            first: Timestamp(i64::MAX),
            last: Timestamp(i64::MIN),
            count: 0,
            records: 0,
        }
    }

    /// The row of a host that nothing but signs that prove nothing alone were
    /// seen of, with the times of these.
    pub(super) fn seen(first: Timestamp, last: Timestamp) -> Self {
        HostRow { first, last, ..HostRow::new() }
    }

    /// Adds what another row of the same host holds.
    pub(super) fn join(&mut self, other: &HostRow) {
        for (key, stage) in &other.stages {
            let mine = self.stages.entry(*key).or_insert(*stage);
            *mine = (*stage).max(*mine);
        }
        for (name, rank) in &other.names {
            let best = self.names.entry(name.clone()).or_insert(*rank);
            *best = (*rank).min(*best);
        }
        self.names_more = self.names_more.max(other.names_more);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
        self.records = self.records.saturating_add(other.records);
    }

    /// Place in the table: leading category, then its stage from the strongest
    /// down.
    pub(super) fn order(&self) -> (u8, std::cmp::Reverse<Option<Stage>>) {
        let lead = self.stages.first_key_value();
        (lead.map_or(u8::MAX, |((rank, _), _)| *rank), std::cmp::Reverse(lead.map(|(_, stage)| *stage)))
    }

    /// What the host does, the most telling first.
    pub(super) fn activity(&self) -> String {
        let only = self.stages.len() == 1;
        let words: Vec<&str> =
            self.stages.iter().map(|((_, category), stage)| activity::phrase(*category, *stage, only)).collect();
        words.join("; ")
    }

    /// The stage of the leading category: that of another one beside it would
    /// make a lookup look like a transfer.
    fn stage(&self) -> &'static str {
        self.stages.first_key_value().map_or("", |(_, stage)| stage.as_str())
    }

    /// A few names, those of the leading category first.
    fn names(&self) -> String {
        let mut names: Vec<(u8, &str)> = self.names.iter().map(|(name, rank)| (*rank, name.as_str())).collect();
        names.sort_unstable();
        let mut lines: Vec<String> = names.iter().take(NAMES).map(|(_, name)| clean(name).into_owned()).collect();
        let hidden = u64::try_from(names.len().saturating_sub(NAMES)).unwrap_or(u64::MAX);
        let more = hidden.saturating_add(self.names_more);
        if more > 0 {
            lines.push(format!("+{} more", grouped(more)));
        }
        lines.join("\n")
    }

    /// The cells of its line in the table.
    fn cells(&self, key: &HostKey, answers: bool, wide: bool) -> Vec<String> {
        self.cells_of(host_cell(key, self.name.as_deref(), answers), self.activity(), wide)
    }

    /// The same with these first two.
    pub(super) fn cells_of(&self, host: String, activity: String, wide: bool) -> Vec<String> {
        let seen = if self.first > self.last { String::new() } else { span(self.first, self.last) };
        let mut cells = vec![host, activity];
        if wide {
            cells.extend([self.stage().to_owned(), seen]);
        } else {
            let cell = format!("{}\n{}", self.stage(), seen.replace(" to ", "\nto "));
            cells.push(cell.trim_start_matches('\n').to_owned());
        }
        cells.extend([self.names(), grouped(self.count)]);
        cells
    }
}

/// Address, and beneath it what else is known of the host.
fn host_cell((ip, segment, mac): &HostKey, name: Option<&str>, answers: bool) -> String {
    let mut lines = vec![ip.to_string()];
    lines.extend(name.map(|n| format!("  {}", clean(n))));
    lines.extend(mac.map(|m| format!("  {m}")));
    if !segment.is_empty() {
        lines.push(format!("  {}", clean(segment)));
    }
    if answers {
        lines.push("  answers others".to_owned());
    }
    lines.join("\n")
}

/// Who answered the host of a record: a resolver that answered its question,
/// and the server, such as a proxy, where there was only one and it answered.
fn answering(r: &Record) -> impl Iterator<Item = Addr> + '_ {
    let resolvers = r.evidence.iter().filter(|e| matches!(e.channel, Channel::DnsAnswer | Channel::DnsCname));
    let resolvers = resolvers.filter(|e| e.dst == r.host.ip).map(|e| e.src);
    let only = r.servers.first().filter(|_| r.servers.len() == 1 && r.servers_more == 0);
    resolvers.chain(only.filter(|_| r.stage >= Stage::Connected).map(|s| s.ip)).filter(|ip| *ip != r.host.ip)
}

fn write_rows(
    out: &mut dyn io::Write,
    rows: &BTreeMap<HostKey, HostRow>,
    answering: &BTreeSet<(Addr, String)>,
    width: u16,
) -> io::Result<()> {
    let mut sorted: Vec<(&HostKey, &HostRow)> = rows.iter().collect();
    sorted.sort_by_key(|(key, row)| (row.order(), *key));
    let wide = layout::is_wide(width);
    let answers = |key: &HostKey| answering.contains(&(key.0, key.1.clone()));
    let cells = sorted.into_iter().map(|(key, row)| row.cells(key, answers(key), wide));
    layout::write(out, layout::ACTIVITY, cells.map(|cells| Row { cells, below: Vec::new() }).collect(), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::testing::record;
    use crate::sighting::{Evidence, Server};

    fn sighting(host: &str, category: Category, stage: Stage, names: &[&str]) -> Record {
        let mut r = record();
        r.host.ip = host.parse().unwrap();
        r.host.mac = None;
        r.indicator.category = category;
        r.stage = stage;
        r.names = names.iter().map(|n| (*n).to_owned()).collect();
        r
    }

    fn text(records: &[Record], width: u16) -> String {
        let mut table = HostTable::new();
        records.iter().for_each(|r| table.add(r));
        let mut out = Vec::new();
        table.write(&mut out, None, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Vec<Record> {
        let mut named = sighting(
            "10.0.0.17",
            Category::Update,
            Stage::Transferred,
            &["a.upd.kaspersky.com", "b.upd.kaspersky.com", "c.upd.kaspersky.com", "d.upd.kaspersky.com"],
        );
        named.host.mac = "02:00:0a:00:00:11".parse().ok();
        named.host.name = Some("pc-17".into());
        named.names_more = 2;
        let mut ksn = sighting("10.0.0.17", Category::Reputation, Stage::Connected, &["ksn-a-stat.kaspersky-labs.com"]);
        ksn.host = named.host.clone();
        ksn.count = 12_000;
        ksn.last_seen = Timestamp::parse("2026-03-02T08:00:00Z").unwrap();
        let mut tagged = sighting("10.0.0.17", Category::Update, Stage::Queried, &["s05.upd.kaspersky.com"]);
        tagged.host.segment = "vlan:10".into();
        vec![
            sighting("10.0.0.30", Category::Web, Stage::Transferred, &["www.kaspersky.com"]),
            named,
            ksn,
            tagged,
            sighting("10.0.0.4", Category::Update, Stage::Attempted, &["s05.upd.kaspersky.com"]),
            sighting("fd00::9", Category::OemUpdate, Stage::Connected, &["oem.example.com"]),
            sighting("10.0.0.30", Category::Lookalike, Stage::Connected, &["kaspersky.com.evil.test"]),
        ]
    }

    #[test]
    fn a_flood_of_hosts_has_no_more_rows_than_the_cap() {
        let mut table = HostTable::new();
        let mut r = record();
        let n = MAX_ROWS as u32 + 5;
        for day in ["2026-03-01", "2026-03-02"] {
            for host in 0..n {
                let [_, b, c, d] = host.to_be_bytes();
                r.host.ip = Addr::v4([10, b, c, d]);
                r.period = day.to_owned();
                table.add(&r);
            }
        }
        assert!((MAX_ROWS / 4 * 3..=MAX_ROWS).contains(&table.hosts.len()));
        assert_eq!(table.hosts(), u64::from(n));
        let more = table.more.len();
        table.hosts.retain(|key, _| key.0 == Addr::v4([10, 0, 0, 1]));
        let mut out = Vec::new();
        table.write(&mut out, None, 100).unwrap();
        let last =
            format!("\n{} more hosts have no row here; --format ndjson or csv lists all.\n", grouped(more as u64));
        assert!(String::from_utf8(out).unwrap().ends_with(&last));
    }

    #[test]
    fn a_flood_of_lookups_pushes_out_nobody_who_downloads() {
        let mut all = Vec::new();
        for (day, stage) in ["2026-03-01", "2026-03-02"].iter().zip([Stage::Queried, Stage::Transferred]) {
            for host in 0..MAX_ROWS as u32 + 9 {
                let [_, b, c, d] = host.to_be_bytes();
                all.push(Record {
                    period: (*day).to_owned(),
                    ..sighting("10.0.0.1", Category::Update, Stage::Queried, &[])
                });
                all.last_mut().unwrap().host.ip = Addr::v4([10, b, c, d]);
            }
            // By address the last: its lookup finds no place on the first day.
            let real = sighting("10.250.0.1", Category::Update, stage, &["s05.upd.kaspersky.com"]);
            all.push(Record { period: (*day).to_owned(), ..real });
        }
        let mut table = HostTable::new();
        all.iter().for_each(|r| table.add(r));
        assert!(table.again());
        all.iter().for_each(|r| table.add(r));
        assert!(!table.again());
        assert_eq!(table.hosts(), MAX_ROWS as u64 + 10);
        let row = &table.hosts[&(Addr::v4([10, 250, 0, 1]), String::new(), None)];
        assert_eq!((row.stage(), row.count), ("transferred", all.last().unwrap().count * 2));
        assert!(table.hosts.values().all(|row| row.count == all[0].count * 2));
    }

    #[test]
    fn of_too_many_records_those_of_the_strongest_rows_stay() {
        let mut table = HostTable::new();
        for day in 1..=4 {
            for (host, stage) in [("10.0.0.1", Stage::Queried), ("10.0.0.2", Stage::Transferred)] {
                table
                    .add(&Record { period: format!("2026-03-0{day}"), ..sighting(host, Category::Update, stage, &[]) });
            }
            table.add(&sighting("10.0.0.3", Category::Sinkhole, Stage::Connected, &[]));
        }
        table.keep_records(8);
        let has = |host: &str| table.has(host.parse().unwrap(), "", None);
        assert_eq!([has("10.0.0.1"), has("10.0.0.2"), has("10.0.0.3")], [false, true, true]);
        assert_eq!((table.hosts(), table.without_row()), (3, 1));
    }

    #[test]
    fn the_table_at_100_columns() {
        assert_eq!(
            text(&sample(), 100),
            "\
ALARMS (never counted as use)

HOST       WHAT IT DOES                            STAGE, SEEN (UTC)  NAMES                    COUNT
----------------------------------------------------------------------------------------------------
10.0.0.30  talks to a look-alike of the vendor's   connected          kaspersky.com.evil.test      2
           names                                   2026-03-01 10:00
                                                   to 10:05

HOSTS

HOST                 WHAT IT DOES                 STAGE, SEEN (UTC)    NAMES                   COUNT
----------------------------------------------------------------------------------------------------
10.0.0.17            downloads updates; uses      transferred          a.upd.kaspersky.com    12,002
  pc-17              cloud reputation             2026-03-01 10:00     b.upd.kaspersky.com
  02:00:0a:00:00:11                               to 2026-03-02 08:00  c.upd.kaspersky.com
                                                                       +4 more
10.0.0.4             tries to reach update        attempted            s05.upd.kaspersky.com       2
                     servers, no answer           2026-03-01 10:00
                                                  to 10:05
10.0.0.17            looks up update names        queried              s05.upd.kaspersky.com       2
  vlan:10                                         2026-03-01 10:00
                                                  to 10:05
fd00::9              contacts OEM update servers  connected            oem.example.com             2
                     (another vendor's product)   2026-03-01 10:00
                                                  to 10:05
10.0.0.30            visits the web site only     transferred          www.kaspersky.com           2
                                                  2026-03-01 10:00
                                                  to 10:05
"
        );
    }

    #[test]
    fn a_wide_terminal_gives_one_line_to_a_plain_host() {
        let records = [
            sighting("10.0.0.5", Category::Update, Stage::Connected, &["s05.upd.kaspersky.com"]),
            sighting("10.0.0.5", Category::Web, Stage::Connected, &["www.kaspersky.com"]),
        ];
        assert_eq!(
            text(&records, 140),
            "\
HOST      WHAT IT DOES                                  STAGE      SEEN (UTC)                 NAMES                  COUNT
--------------------------------------------------------------------------------------------------------------------------
10.0.0.5  contacts update servers; visits the web site  connected  2026-03-01 10:00 to 10:05  s05.upd.kaspersky.com      4
                                                                                              www.kaspersky.com
"
        );
    }

    #[test]
    fn lines_keep_to_the_width() {
        let mut long = sighting(
            "2001:db8:1234:5678:9abc:def0:1234:5678",
            Category::Update,
            Stage::Queried,
            &["dnl-01.a-rather-long-label-for-a-host.geo.kaspersky.com"],
        );
        long.host.name = Some("n".repeat(63));
        let mut records = sample();
        records.push(long);
        for width in [80, 100, 139, 140, 200] {
            let table = text(&records, width);
            for line in table.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    /// What a resolver or a proxy asks for others must not read as its own use.
    #[test]
    fn who_answers_other_hosts_is_marked() {
        let mut client = sighting("10.0.0.5", Category::Update, Stage::Transferred, &["s05.upd.kaspersky.com"]);
        let answer = Evidence {
            path: None,
            interface: None,
            frame: 2,
            offset: None,
            ts: client.first_seen,
            channel: Channel::DnsAnswer,
            name: None,
            src: "10.0.0.53".parse().unwrap(),
            sport: 53,
            dst: client.host.ip,
            dport: 40_000,
            layers: Vec::new(),
            packet_sha256: String::new(),
        };
        client.evidence = vec![answer];
        let proxy = Server { ip: "10.0.0.8".parse().unwrap(), port: 3128, transport: "tcp".into() };
        client.servers = vec![proxy.clone()];
        let mut records = vec![
            client,
            sighting("10.0.0.8", Category::Update, Stage::Transferred, &[]),
            sighting("10.0.0.53", Category::Update, Stage::Answered, &[]),
            sighting("10.0.0.53", Category::Lookalike, Stage::Answered, &[]),
        ];
        let marked = |records: &[Record]| text(records, 200).matches("  answers others\n").count();
        assert_eq!(marked(&records), 3, "{}", text(&records, 200));
        // Of several servers, which one answered is not certain; another
        // segment has other hosts; a connection that failed proves nothing.
        records[0].servers.push(Server { port: 3129, ..proxy });
        assert_eq!(marked(&records), 2, "{}", text(&records, 200));
        records[0].servers.truncate(1);
        records[0].stage = Stage::Attempted;
        assert_eq!(marked(&records), 2, "{}", text(&records, 200));
        records[0].host.segment = "vlan:10".into();
        assert_eq!(marked(&records), 0, "{}", text(&records, 200));
    }

    #[test]
    fn hosts_come_in_order_of_what_they_show() {
        let records = [
            sighting("10.0.0.1", Category::Web, Stage::Transferred, &[]),
            sighting("10.0.0.2", Category::Netblock, Stage::Connected, &[]),
            sighting("10.0.0.3", Category::OemUpdate, Stage::Transferred, &[]),
            sighting("10.0.0.4", Category::Reputation, Stage::Connected, &[]),
            sighting("10.0.0.5", Category::Update, Stage::Queried, &[]),
            sighting("10.0.0.6", Category::Update, Stage::Attempted, &[]),
            sighting("10.0.0.7", Category::Update, Stage::Connected, &[]),
            sighting("10.0.0.10", Category::Update, Stage::Transferred, &[]),
            sighting("10.0.0.9", Category::Update, Stage::Transferred, &[]),
        ];
        let table = text(&records, 200);
        let hosts: Vec<&str> = table.lines().skip(2).map(|l| l.split_once(' ').unwrap().0).collect();
        let order = [9, 10, 7, 6, 5, 4, 3, 2, 1].map(|n| format!("10.0.0.{n}"));
        assert_eq!(hosts, order);
    }

    #[test]
    fn a_host_is_its_segment_address_and_mac() {
        let mut table = HostTable::new();
        sample().iter().for_each(|r| table.add(r));
        assert_eq!(table.hosts(), 5, "10.0.0.17 twice, an alarm at a host that is listed anyway");
        let mut one = sighting("10.0.0.4", Category::Update, Stage::Queried, &[]);
        one.host.mac = "02:00:00:00:00:01".parse().ok();
        table.add(&one);
        table.add(&sighting("10.0.0.77", Category::Sinkhole, Stage::Queried, &[]));
        assert_eq!(table.hosts(), 7);
    }

    #[test]
    fn the_order_of_records_does_not_matter() {
        let mut records = sample();
        let forth = text(&records, 100);
        records.reverse();
        assert_eq!(text(&records, 100), forth);
    }

    #[test]
    fn an_empty_table_is_a_sentence() {
        assert_eq!(text(&[], 100), "No host listed.\n");
        let mut out = Vec::new();
        HostTable::new().write(&mut out, Some(&Summary::default()), 100).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches("Whether there was a contact cannot be said").count(), 1);
    }

    #[test]
    fn closing_lines_follow_the_table() {
        let mut table = HostTable::new();
        sample().iter().for_each(|r| table.add(r));
        let summary = Summary { files: 1, hosts: table.hosts(), ..Summary::default() };
        let mut out = Vec::new();
        table.write(&mut out, Some(&summary), 100).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("to 10:05\n\nRead 1 file: 0 frames, 0 B.\n"));
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let mut r = sighting("10.0.0.5", Category::Update, Stage::Queried, &["a\u{1b}[2J\r\nHOST.test"]);
        r.host.name = Some("pc\u{202e}\n10.0.0.66\u{9b}31m".into());
        r.host.segment = "vlan:1\tx".into();
        let table = text(&[r], 200);
        assert_eq!(
            table,
            "\
HOST                              WHAT IT DOES           STAGE    SEEN (UTC)                 NAMES                      COUNT
-----------------------------------------------------------------------------------------------------------------------------
10.0.0.5                          looks up update names  queried  2026-03-01 10:00 to 10:05  a\\x1b[2J\\x0d\\x0aHOST.test      2
  pc\\u{202e}\\x0a10.0.0.66\\x9b31m
  vlan:1\\x09x
"
        );
    }
}
