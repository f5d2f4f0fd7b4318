//! The hosts of a run as a table for people: what they contacted, and beside
//! it what that amounts to.

use super::columns::{self, Row};
use super::hosts::table::{exception, host_cell, is_more_than_alarms, verdict_cell};
use super::hosts::{Listed, Tally};
use super::layout;
use super::summary::Summary;
use super::table::{HostKey, HostRow, HostTable};
use super::text::clean;
use crate::host::{Role, Verdict};
use std::collections::{BTreeMap, HashMap};
use std::io;

/// A table's hosts, judged.
#[derive(Debug)]
pub struct Judged<'a> {
    table: &'a HostTable,
    listed: &'a [Listed<'a>],
    /// Rows of each host that is listed, by its place.
    alarms: BTreeMap<usize, HostRow>,
    hosts: BTreeMap<usize, HostRow>,
}

impl<'a> Judged<'a> {
    /// Brings rows and hosts together; `owners` says which host (a place in
    /// `listed`) a row is of.
    pub fn new(table: &'a HostTable, listed: &'a [Listed<'a>], owners: &HashMap<HostKey, usize>) -> Self {
        let of_owners = |rows: &BTreeMap<HostKey, HostRow>| {
            let mut joined: BTreeMap<usize, HostRow> = BTreeMap::new();
            for (key, row) in rows {
                if let Some(owner) = owners.get(key) {
                    joined.entry(*owner).or_insert_with(HostRow::new).join(row);
                }
            }
            joined
        };
        Judged { table, listed, alarms: of_owners(&table.alarms), hosts: of_owners(&table.hosts) }
    }

    /// Number of hosts with contacts.
    pub fn hosts(&self) -> u64 {
        let listed = self.listed.iter().filter(|h| h.view.made_contact()).count() as u64;
        listed.saturating_add(self.table.without_row())
    }

    /// Writes alarms, hosts, accepted hosts and how many there are of each
    /// kind, for a terminal of `width` columns, and behind them the lines of
    /// `summary` if one is given.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn io::Write, summary: Option<&Summary>, width: u16) -> io::Result<()> {
        let wide = layout::is_wide(width);
        let places = || self.listed.iter().enumerate();
        let alarmed = places().filter(|(_, h)| !h.view.alarms.is_empty());
        let mut alarms: Vec<_> = alarmed.filter_map(|(at, h)| Some((self.alarms.get(&at)?, h))).collect();
        alarms.sort_by_key(|(row, _)| row.order());
        let alarms = alarms
            .into_iter()
            .map(|(row, h)| Row { cells: row.cells_of(self.host(h), row.activity(), wide), below: Vec::new() });
        let mut judged: Vec<_> = places().filter(|(_, h)| is_more_than_alarms(h.view)).collect();
        // Of one verdict, who shows most first.
        judged.sort_by_key(|(at, h)| {
            let order = self.hosts.get(at).map(HostRow::order);
            (std::cmp::Reverse(h.view.verdict.strength()), order.is_none(), order)
        });
        let (accepted, open): (Vec<_>, Vec<_>) = judged.into_iter().partition(|(_, h)| h.standing.accepted().is_some());
        let sections = [
            ("ALARMS (never counted as use)", layout::ACTIVITY, alarms.collect::<Vec<Row>>()),
            ("HOSTS", layout::VERDICT, open.into_iter().map(|(at, h)| self.row(at, h, wide)).collect()),
            (
                "ACCEPTED (somebody answers for these)",
                layout::VERDICT,
                accepted.into_iter().map(|(at, h)| self.row(at, h, wide)).collect(),
            ),
        ];
        let titled = sections.iter().filter(|(.., rows)| !rows.is_empty()).count() > 1;
        for (title, second, rows) in sections.into_iter().filter(|(.., rows)| !rows.is_empty()) {
            if titled || second == layout::ACTIVITY {
                writeln!(out, "{title}\n")?;
            }
            layout::write(out, second, rows, width)?;
            writeln!(out)?;
        }
        let lines = Tally::of(self.listed).lines();
        for line in lines.iter().flat_map(|line| columns::wrap(line, usize::from(width))) {
            writeln!(out, "{line}")?;
        }
        if let Some(line) = self.table.more_line() {
            writeln!(out, "\n{line}")?;
        }
        match summary {
            Some(summary) => {
                writeln!(out)?;
                summary.write(out)
            }
            None => Ok(()),
        }
    }

    fn row(&self, at: usize, h: &Listed<'_>, wide: bool) -> Row {
        let bare = HostRow::seen(h.view.first_seen, h.view.last_seen);
        let row = self.hosts.get(&at).unwrap_or(&bare);
        let mut verdict = verdict_cell(h.view);
        let activity = row.activity();
        if !activity.is_empty() {
            let forwards = [Role::Resolver, Role::Proxy].iter().any(|r| h.view.roles.contains(r));
            let for_others = if forwards && h.view.verdict == Verdict::None { "for others: " } else { "" };
            verdict.push_str(&format!("\n{for_others}{activity}"));
        }
        let mut below = vec![clean(&h.view.reason).into_owned()];
        below.extend(exception(h.standing));
        let mut cells = row.cells_of(self.host(h), verdict, wide);
        if !self.hosts.contains_key(&at)
            && let Some(count) = cells.last_mut()
        {
            count.clear();
        }
        Row { cells, below }
    }

    fn host(&self, h: &Listed<'_>) -> String {
        let v = h.view;
        let mut cell = host_cell(v);
        let serves = [Role::Resolver, Role::Proxy, Role::Relay].iter().any(|r| v.roles.contains(r));
        if !serves && v.addresses.iter().chain([&v.ip]).any(|ip| self.table.answers(*ip, &v.segment)) {
            cell.push_str("\n  answers others");
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Stage, Timestamp};
    use crate::catalogue::Category;
    use crate::host::sample::view;
    use crate::host::{Alarm, HostView, Standing};
    use crate::sighting::Record;
    use crate::sighting::testing::record;

    fn sighting(ip: &str, category: Category, stage: Stage) -> Record {
        let mut r = record();
        (r.host.ip, r.host.mac) = (ip.parse().unwrap(), "02:00:0a:00:00:05".parse().ok());
        (r.indicator.category, r.stage) = (category, stage);
        r
    }

    fn text(records: &[Record], views: &[HostView], width: u16) -> String {
        let mut table = HostTable::new();
        records.iter().for_each(|r| table.add(r));
        let listed: Vec<Listed<'_>> =
            views.iter().map(|view| Listed { view, standing: Standing::Open, as_of: Timestamp(0) }).collect();
        let mut owners = HashMap::new();
        for r in records {
            let at = views.iter().position(|v| v.addresses.contains(&r.host.ip)).unwrap();
            owners.insert((r.host.ip, r.host.segment.clone(), r.host.mac), at);
        }
        let mut out = Vec::new();
        let judged = Judged::new(&table, &listed, &owners);
        assert_eq!(judged.hosts(), views.iter().filter(|v| !v.sightings.is_empty()).count() as u64);
        judged.write(&mut out, None, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> (Vec<Record>, Vec<HostView>) {
        let mut six = sighting("fd00::5", Category::Update, Stage::Connected);
        six.names = vec!["s10.upd.kaspersky.com".into()];
        let records = vec![
            sighting("10.0.0.5", Category::Update, Stage::Transferred),
            six,
            sighting("10.0.0.53", Category::Update, Stage::Answered),
            sighting("10.0.0.53", Category::Lookalike, Stage::Answered),
            sighting("10.0.0.66", Category::Lookalike, Stage::Connected),
        ];
        let mut resolver = view("10.0.0.53", Verdict::None);
        (resolver.roles, resolver.name, resolver.mac) = (vec![Role::Resolver], None, None);
        (resolver.addresses, resolver.reason) = (vec![resolver.ip], "It asks for others.".into());
        let mut alarmed = view("10.0.0.66", Verdict::None);
        (alarmed.alarms, alarmed.addresses) = (vec![Alarm::Lookalike], vec![alarmed.ip]);
        let mut router = view("10.0.0.1", Verdict::None);
        (router.roles, router.addresses) = (vec![Role::Router], vec![router.ip]);
        router.sightings.clear();
        (records, vec![alarmed, view("10.0.0.5", Verdict::Updating), resolver, router])
    }

    #[test]
    fn a_host_is_one_row_with_its_verdict_and_why() {
        let (records, views) = sample();
        assert_eq!(
            text(&records, &views, 100),
            "\
ALARMS (never counted as use)

HOST                          WHAT IT DOES           STAGE, SEEN (UTC)  NAMES                  COUNT
----------------------------------------------------------------------------------------------------
10.0.0.66                     talks to a look-alike  connected          s05.upd.kaspersky.com      2
  pc-5 (dhcp)                 of the vendor's names  2026-03-01 10:00
  02:00:0a:00:00:05 (random)                         to 10:05

HOSTS

HOST                          VERDICT, WHAT IT DOES  STAGE, SEEN (UTC)  NAMES                  COUNT
----------------------------------------------------------------------------------------------------
10.0.0.5                      updating               transferred        s05.upd.kaspersky.com      4
  pc-5 (dhcp)                 downloads updates      2026-03-01 10:00   s10.upd.kaspersky.com
  02:00:0a:00:00:05 (random)                         to 10:05
  fd00::5
    An update was transferred from 192.0.2.7.
10.0.0.53                     none                   answered           s05.upd.kaspersky.com      2
                                resolver             2026-03-01 10:00
                              for others: looks up   to 10:05
                              update names
    It asks for others.
10.0.0.1                      none                   2026-03-01 10:00
  pc-5 (dhcp)                   router               to 14:05
  02:00:0a:00:00:05 (random)
    An update was transferred from 192.0.2.7.

Counted as use: 1 host (1 updating). Seems installed, not seen to update: 0. Managed on the LAN: 0.
OEM products: 0.
Not counted: 3 with nothing but a role, an alarm or signs that prove nothing alone.
"
        );
    }

    #[test]
    fn lines_keep_to_the_width() {
        let (records, mut views) = sample();
        views[1].reason = "word ".repeat(60);
        for width in [80, 100, 139, 140, 200] {
            for line in text(&records, &views, width).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
}
