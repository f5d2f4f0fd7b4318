//! Two windows against each other.

use super::super::super::document::Document;
use super::super::super::measure::zero;
use super::super::MAX_ROWS;
use super::super::svg::{Named, Pair, pairs};
use super::super::table::{Form, Head, folded, table};
use super::super::words::{Shown, number, time};
use super::figures::{bounded, change, count, known, span, still};
use super::{BREAKDOWNS, Section, left_out, more_breakdowns};
use crate::measure::compare::{Basis, Moved};
use crate::measure::figures::shown;
use crate::measure::{Compared, ComparedBy, ComparedGroup, Comparison, Mover, Movers, Signal};
use maud::{Markup, html};
use std::cmp::Reverse;

/// Groups that a chart draws, the greatest first.
const DRAWN: usize = 15;
/// Names of tables, one for each breakdown that is shown.
const TABLES: [&str; BREAKDOWNS] = ["compared-1", "compared-2", "compared-3", "compared-4"];
/// Names of tables of organisations, likewise.
const ORGANISATIONS: [&str; BREAKDOWNS] = ["organisations-1", "organisations-2", "organisations-3", "organisations-4"];
/// Names of charts, likewise.
const CHARTS: [&str; BREAKDOWNS] = ["compared-chart-1", "compared-chart-2", "compared-chart-3", "compared-chart-4"];

pub(super) fn section(d: &Document<'_>) -> Option<Section> {
    let c = d.comparison?;
    let body = html! {
        @if !c.comparability.comparable {
            div class="box warn" {
                h3 { "These windows are not comparable as they are" }
                ul { @for difference in &c.comparability.differences { li { (Shown(&difference.what)) } } }
            }
        }
        p { (Shown(&c.headline)) }
        @if c.basis == Basis::DailyMean {
            p.note { "The windows differ in length, or one goes on: changes are of the mean of the hosts of each day." }
        }
        (chart(c))
        (signals(c))
        @if let Some(movers) = d.movers { (who(movers)) }
        (catalogues(c))
        @for (number, by) in c.by.iter().enumerate().take(BREAKDOWNS) { (groups(c, by, number)) }
        (more_breakdowns(c.by.len()))
    };
    Some(Section::new("comparison", "Comparison", body))
}

fn names(c: &Comparison) -> [String; 2] {
    [format!("baseline, {}", c.baseline.days), format!("current, {}", c.current.days)]
}

fn chart(c: &Comparison) -> Markup {
    let [baseline, current] = names(c);
    let pair = |label, a: &Signal, b: &Signal| Pair { label, baseline: span(&a.hosts), current: span(&b.hosts) };
    let all = [
        pair("update contacts", &c.whole.baseline.update, &c.whole.current.update),
        pair("reputation contacts", &c.whole.baseline.reputation, &c.whole.current.reputation),
    ];
    let named = Named { id: "comparison-chart", title: "Hosts in both windows", unit: "by signal", says: &c.headline };
    pairs(named, [&baseline, &current], &all)
}

/// Columns of hosts.
const HOSTS: [Head; 6] = [
    Head::Number("Baseline"),
    Head::Number("Current"),
    Head::Number("Change"),
    Head::Number("Still seen"),
    Head::Number("Gone"),
    Head::Number("New"),
];

fn signals(c: &Comparison) -> Markup {
    let w = &c.whole;
    let both = [
        ("update", &w.baseline.update, &w.current.update, &w.update),
        ("reputation", &w.baseline.reputation, &w.current.reputation, &w.reputation),
    ];
    let heads: Vec<Head> = [Head::Text("Signal")].into_iter().chain(HOSTS).collect();
    let hosts = html! { @for (name, a, b, m) in both { tr { th scope="row" { (name) } (hosts(a, b, m)) } } };
    let orgs = html! { @for (name, a, b, m) in both { tr { th scope="row" { (name) } (organisations(a, b, m)) } } };
    let form = |id, caption| Form { id, caption, find: false };
    html! {
        (table(&form("comparison-table", "Hosts in both windows, by signal"), &heads, &hosts))
        @if w.update.organisations.is_some() {
            h3 { "Organisations in both windows" }
            (table(&form("organisations-table", "Organisations in both windows, by signal"), &heads, &orgs))
        }
        (zeros(c))
    }
}

/// Which hosts are gone, and which are new.
fn who(m: &Movers) -> Markup {
    html! {
        (movers("gone", "Hosts with update contacts in the baseline, and none in the current window", "Still in view", &m.gone, m.gone_more))
        (movers("new", "Hosts with update contacts in the current window, and none in the baseline", "In view before", &m.new, m.new_more))
    }
}

fn movers(id: &'static str, caption: &str, elsewhere: &'static str, listed: &[Mover], more: u64) -> Markup {
    let heads = [Head::Text("Host"), Head::Text("MAC"), Head::Text("Last update (UTC)"), Head::Text(elsewhere)];
    let in_view = |m: &Mover| match m.in_view {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    };
    let rows = html! {
        @for m in listed {
            @let ip = m.ip.to_string();
            tr {
                th.host scope="row" {
                    @if let Some(name) = &m.name { (Shown(name)) span.sub { (ip) } } @else { (ip) }
                    @if !m.segment.is_empty() { span.sub { (Shown(&m.segment)) } }
                }
                td.nowrap { @if let Some(mac) = m.mac { (mac.to_string()) } }
                td.nowrap data-v=(m.last.to_string()) { (time(m.last)) }
                td { (in_view(m)) }
            }
        }
    };
    let all = (listed.len() as u64).saturating_add(more);
    let summary = format!("{}: {}", if id == "gone" { "Which are gone" } else { "Which are new" }, number(all));
    html! {
        @if all > 0 {
            (folded(&summary, &table(&Form { id, caption, find: true }, &heads, &rows)))
            @if more > 0 {
                p.note {
                    "Of these hosts the " (number(listed.len() as u64)) " with the latest contacts are listed; "
                    code { "spansight hosts" } " with the days of a window lists all of it."
                }
            }
        }
    }
}

fn hosts(a: &Signal, b: &Signal, m: &Moved) -> Markup {
    html! {
        (bounded(&a.hosts))
        (bounded(&b.hosts))
        (change(&m.hosts))
        (still(&m.cohort))
        (count(m.cohort.gone))
        (count(m.cohort.new))
    }
}

fn organisations(a: &Signal, b: &Signal, m: &Moved) -> Markup {
    html! {
        (known(a.organisations.map(|o| o.seen)))
        (known(b.organisations.map(|o| o.seen)))
        @match &m.organisations { Some(c) => (change(c)), None => td {} }
        @match &m.organisation_cohort {
            Some(c) => { (still(c)) (count(c.gone)) (count(c.new)) }
            None => { td {} td {} td {} }
        }
    }
}

/// What zero sightings exclude, and what they do not.
fn zeros(c: &Comparison) -> Markup {
    let w = &c.whole;
    let all = [
        zero("update", "the baseline", &w.baseline.update),
        zero("update", "the current window", &w.current.update),
        zero("reputation", "the baseline", &w.baseline.reputation),
        zero("reputation", "the current window", &w.current.reputation),
    ];
    html! { @for sentence in all.into_iter().flatten() { p { (Shown(&sentence)) } } }
}

fn catalogues(c: &Comparison) -> Markup {
    let changes = &c.catalogue_changes;
    html! {
        @if !changes.added.is_empty() || !changes.removed.is_empty() {
            h3 { "Indicators that only one of the windows looked for" }
            p.note { "A contact of one of these in only one window is a change of the catalogue, not of use." }
            dl.facts {
                @if !changes.added.is_empty() { dt { "Only in the current window" } dd { (Shown(&changes.added.join(", "))) } }
                @if !changes.removed.is_empty() { dt { "Only in the baseline" } dd { (Shown(&changes.removed.join(", "))) } }
                @if changes.more > 0 { dt { "And" } dd { (number(changes.more)) " more" } }
            }
        }
    }
}

fn groups(c: &Comparison, by: &ComparedBy, number: usize) -> Markup {
    let (Some(id), Some(chart_id)) = (TABLES.get(number), CHARTS.get(number)) else { return html! {} };
    let [baseline, current] = names(c);
    let title = format!("Hosts with update contacts by {}", by.columns.join(" and "));
    let mut largest: Vec<&ComparedGroup> = by.groups.iter().collect();
    largest.sort_by_key(|g| Reverse(g.compared.baseline.update.hosts.hosts.max(g.compared.current.update.hosts.hosts)));
    let labels: Vec<String> = largest.iter().map(|g| shown(&by.columns, &g.group)).collect();
    let drawn = largest.iter().zip(&labels).take(DRAWN);
    let drawn: Vec<Pair<'_>> = drawn.map(|(g, label)| pair(&g.compared, label)).collect();
    let unit = if by.groups.len() > DRAWN {
        format!("the {DRAWN} greatest groups of {}", by.groups.len())
    } else {
        String::new()
    };
    let says = "Hosts with update contacts of each group in both windows; the table has the numbers.";
    let named = Named { id: chart_id, title: &title, unit: &unit, says };
    html! {
        h3 { "By " (Shown(&by.columns.join(" and "))) }
        (pairs(named, [&baseline, &current], &drawn))
        (folded("All groups in numbers", &numbers(id, by, &largest)))
        @if largest.iter().any(|g| g.compared.update.organisations.is_some()) {
            @let id = ORGANISATIONS.get(number).copied().unwrap_or_default();
            (folded("Their organisations in numbers", &organisations_of(id, by, &largest)))
        }
    }
}

fn pair<'c>(compared: &Compared, label: &'c str) -> Pair<'c> {
    Pair { label, baseline: span(&compared.baseline.update.hosts), current: span(&compared.current.update.hosts) }
}

fn numbers(id: &'static str, by: &ComparedBy, groups: &[&ComparedGroup]) -> Markup {
    let caption = format!("Hosts in both windows by {}, the greatest groups first", by.columns.join(" and "));
    by_signal(id, &caption, by, groups, &hosts)
}

fn organisations_of(id: &'static str, by: &ComparedBy, groups: &[&ComparedGroup]) -> Markup {
    let caption = format!("Organisations in both windows by {}, the greatest groups first", by.columns.join(" and "));
    by_signal(id, &caption, by, groups, &organisations)
}

/// Two rows for each group, one for each signal; `cells` makes those of a row.
fn by_signal(
    id: &'static str,
    caption: &str,
    by: &ComparedBy,
    groups: &[&ComparedGroup],
    cells: &dyn Fn(&Signal, &Signal, &Moved) -> Markup,
) -> Markup {
    let heads: Vec<Head> = [Head::Text("Group"), Head::Text("Signal")].into_iter().chain(HOSTS).collect();
    let listed = groups.len().min(MAX_ROWS / 2);
    let rows = html! {
        @for g in groups.iter().take(listed) {
            @let (name, w) = (shown(&by.columns, &g.group), &g.compared);
            @for (signal, a, b, m) in [
                ("update", &w.baseline.update, &w.current.update, &w.update),
                ("reputation", &w.baseline.reputation, &w.current.reputation, &w.reputation),
            ] {
                tr { th scope="row" { (Shown(&name)) } td { (signal) } (cells(a, b, m)) }
            }
        }
    };
    html! {
        (table(&Form { id, caption, find: true }, &heads, &rows))
        (left_out(listed, groups.len() as u64, "groups"))
    }
}
