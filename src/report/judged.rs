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
        let listed = self.listed.iter().filter(|h| !h.view.sightings.is_empty()).count() as u64;
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
        let mut alarms: Vec<_> = places().filter_map(|(at, h)| Some((self.alarms.get(&at)?, h))).collect();
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
        let none = HostRow::new();
        let row = self.hosts.get(&at).unwrap_or(&none);
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
