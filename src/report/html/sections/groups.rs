//! The whole window by groups of addresses.

use super::super::super::document::Document;
use super::super::MAX_ROWS;
use super::super::svg::{Named, Pair, pairs};
use super::super::table::{Form, Head, table};
use super::super::words::{Shown, number};
use super::figures::{bounded, count, known, span};
use super::{BREAKDOWNS, Section, left_out, more_breakdowns};
use crate::measure::figures::shown;
use crate::measure::{TotalBy, TotalGroup};
use maud::{Markup, html};
use std::cmp::Reverse;

/// Groups that a chart draws, the greatest first.
const DRAWN: usize = 15;
/// Names of tables, one for each breakdown that is shown.
const TABLES: [&str; BREAKDOWNS] = ["groups-1", "groups-2", "groups-3", "groups-4"];
/// Names of charts, likewise.
const CHARTS: [&str; BREAKDOWNS] = ["groups-chart-1", "groups-chart-2", "groups-chart-3", "groups-chart-4"];

pub(super) fn section(d: &Document<'_>) -> Option<Section> {
    let total = d.total?;
    let files = &total.method.groups;
    let body = html! {
        @if total.by.is_empty() {
            p {
                "No groups were asked for: " code { "--groups" } " takes a file of prefixes with their organisations, sites "
                "or countries, and " code { "--by" } " says what to count by."
            }
        }
        @for (number, by) in total.by.iter().enumerate().take(BREAKDOWNS) { (breakdown(by, number)) }
        (more_breakdowns(total.by.len()))
        @for file in files {
            @if !file.overlaps.is_empty() {
                p.note {
                    (Shown(&file.path)) ": " (number(file.overlaps.len() as u64)) " lines contradict an earlier one, which "
                    "counts: " (Shown(&file.overlaps.iter().take(5).cloned().collect::<Vec<_>>().join("; ")))
                }
            }
        }
    };
    let groups = total.by.iter().map(|b| b.groups.len() as u64).sum::<u64>();
    Some(Section { count: (groups > 0).then(|| number(groups)), ..Section::new("groups", "Groups", body) })
}

fn breakdown(by: &TotalBy, place: usize) -> Markup {
    let (Some(id), Some(chart_id)) = (TABLES.get(place), CHARTS.get(place)) else { return html! {} };
    let mut largest: Vec<&TotalGroup> = by.groups.iter().collect();
    largest.sort_by_key(|g| Reverse(g.point.update.hosts.hosts.max(g.point.reputation.hosts.hosts)));
    let labels: Vec<String> = largest.iter().map(|g| shown(&by.columns, &g.group)).collect();
    let both = largest.iter().map(|g| (span(&g.point.reputation.hosts), span(&g.point.update.hosts)));
    let drawn = both.zip(&labels).take(DRAWN);
    let drawn: Vec<Pair<'_>> = drawn.map(|((baseline, current), label)| Pair { label, baseline, current }).collect();
    let columns = by.columns.join(" and ");
    let title = format!("Hosts by {columns}");
    let unit = if by.groups.len() > DRAWN {
        format!("the {DRAWN} greatest groups of {}", by.groups.len())
    } else {
        String::new()
    };
    let says = "Hosts with update contacts and with reputation contacts of each group; the table has the numbers.";
    html! {
        h3 { "By " (Shown(&columns)) }
        (pairs(Named { id: chart_id, title: &title, unit: &unit, says }, ["with reputation contacts", "with update contacts"], &drawn))
        (numbers(id, by, &largest))
    }
}

fn numbers(id: &'static str, by: &TotalBy, groups: &[&TotalGroup]) -> Markup {
    let heads = [
        Head::Text("Group"),
        Head::Number("Update hosts"),
        Head::Number("Reputation hosts"),
        Head::Number("Both"),
        Head::Number("Likely installed"),
        Head::Number("Organisations, update"),
        Head::Number("Organisations, reputation"),
        Head::Text("Verdicts"),
    ];
    let rows = html! {
        @for g in groups.iter().take(MAX_ROWS) {
            @let p = &g.point;
            tr {
                th scope="row" { (Shown(&shown(&by.columns, &g.group))) }
                (bounded(&p.update.hosts))
                (bounded(&p.reputation.hosts))
                (count(p.both))
                (count(p.likely_installed))
                (known(p.update.organisations.map(|o| o.seen)))
                (known(p.reputation.organisations.map(|o| o.seen)))
                td.list { (p.verdicts.iter().map(|(v, n)| format!("{} {v}", number(*n))).collect::<Vec<_>>().join(", ")) }
            }
        }
    };
    let caption = format!("Hosts of the window by {}, the greatest groups first", by.columns.join(" and "));
    html! {
        (table(&Form { id, caption: &caption, find: true }, &heads, &rows))
        (left_out(groups.len().min(MAX_ROWS), groups.len() as u64, "groups"))
        p.note { "A host that was in several groups counts in each, so that the groups can add up to more than the whole." }
    }
}
