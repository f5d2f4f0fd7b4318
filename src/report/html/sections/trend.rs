//! How many hosts there were in one period after the other.

use super::super::super::document::Document;
use super::super::MAX_ROWS;
use super::super::svg::{Lines, Named, Series, lines};
use super::super::table::{Form, Head, folded, table};
use super::super::words::{Shown, number};
use super::figures::{bounded, count, known, share};
use super::{Section, left_out};
use crate::measure::stats::Daily;
use crate::measure::{Coverage, Known, Point, Signal, Trend};
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Option<Section> {
    let trend = d.trend?;
    let body = html! {
        p {
            "The two signals are independent: an installation that is kept from updating still asks for reputation. The "
            "band reaches from the least to the most hosts that the records allow."
        }
        @if !trend.warnings.is_empty() {
            div class="box warn" {
                h3 { "Periods that are in doubt, or cannot be compared" }
                ul .many[trend.warnings.len() > 4] { @for warning in &trend.warnings { li { (Shown(warning)) } } }
            }
        }
        (chart(trend))
        (organisations(trend))
        (folded("The trend in numbers", &numbers(trend)))
        (folded("How the hosts with update contacts are known, and when they were most", &known_by(trend)))
        (folded("New, returning and lost hosts", &moves(trend)))
        (folded("Verdicts by period", &verdicts(trend)))
    };
    Some(Section::new("trend", "Trend", body))
}

fn labels(t: &Trend) -> Vec<String> {
    t.periods.iter().map(|p| p.label.clone()).collect()
}

/// Whether a period is in doubt, or only a part of it is counted.
fn doubted(t: &Trend) -> Vec<bool> {
    t.periods.iter().map(|p| !p.doubts.is_empty() || p.is_in_part()).collect()
}

/// Whether zero of a period is more than that nobody looked. `any` says whether
/// there was a sensor in any period: of records alone there is nothing but counts.
fn was_seen(c: &Coverage, any: bool) -> bool {
    match c.known {
        Known::Whole => c.quarters_up > 0,
        Known::Part | Known::Records => true,
        Known::Nothing => !any,
    }
}

/// One value for each period; none where nobody looked.
fn values<T>(t: &Trend, of: impl Fn(&Point) -> T) -> Vec<Option<T>> {
    let any = t.periods.iter().any(|p| p.coverage.known.is_seen());
    t.periods.iter().zip(&t.whole).map(|(p, point)| was_seen(&p.coverage, any).then(|| of(point))).collect()
}

fn chart(t: &Trend) -> Markup {
    let bounds = |of: fn(&Point) -> &Signal| {
        Some(values(t, |p| {
            let hosts = &of(p).hosts;
            (hosts.lower, hosts.upper)
        }))
    };
    let series = [
        Series {
            name: "with update contacts",
            values: values(t, |p| p.update.hosts.hosts),
            bounds: bounds(|p| &p.update),
        },
        Series { name: "with reputation contacts", values: values(t, |p| p.reputation.hosts.hosts), bounds: None },
    ];
    let unit = format!("per {}", t.step);
    let named = Named { id: "trend-chart", title: "Hosts", unit: &unit, says: &t.headline };
    lines(&Lines { named, labels: &labels(t), doubted: &doubted(t), series: &series })
}

/// Organisations, where groups name them.
fn organisations(t: &Trend) -> Markup {
    let any = t.whole.iter().any(|p| p.update.organisations.is_some());
    let of = |s: &Signal| s.organisations.map_or(0, |o| o.seen);
    let series = [
        Series { name: "with update contacts", values: values(t, |p| of(&p.update)), bounds: None },
        Series { name: "with reputation contacts", values: values(t, |p| of(&p.reputation)), bounds: None },
    ];
    let unit = format!("per {}", t.step);
    let says = "Organisations of which a host was seen, by period; the table has the numbers.";
    let named = Named { id: "organisations-chart", title: "Organisations", unit: &unit, says };
    html! { @if any { (lines(&Lines { named, labels: &labels(t), doubted: &doubted(t), series: &series })) } }
}

fn numbers(t: &Trend) -> Markup {
    let with_orgs = t.whole.iter().any(|p| p.update.organisations.is_some());
    let mut heads = vec![
        Head::Text("Period"),
        Head::Number("Update hosts"),
        Head::Number("Daily, median (range)"),
        Head::Number("Reputation hosts"),
        Head::Number("Both"),
    ];
    if with_orgs {
        heads.push(Head::Number("Organisations"));
    }
    heads.extend([Head::Number("Sensor up"), Head::Text("In doubt")]);
    let rows = html! {
        @for (p, point) in t.periods.iter().zip(&t.whole).rev().take(MAX_ROWS) {
            tr {
                th.nowrap scope="row" { (p.label) @if p.is_in_part() { span.sub { "in part" } } }
                (bounded(&point.update.hosts))
                td.num data-v=(point.update.daily.median) { (daily(&point.update.daily)) }
                (bounded(&point.reputation.hosts))
                (count(point.both))
                @if with_orgs { (known(point.update.organisations.map(|o| o.seen))) }
                td.num data-v=(p.coverage.up) { @if p.coverage.known.is_seen() { (share(p.coverage.up)) } @else { "not known" } }
                td.doubts {
                    @if !p.doubts.is_empty() {
                        details { summary { "in doubt" } @for doubt in &p.doubts { span.sub { (Shown(&doubt.what)) } } }
                    }
                }
            }
        }
    };
    let form = Form {
        id: "trend-table",
        caption: "Hosts by period, the newest first; the lower line is from bound to bound",
        find: false,
    };
    html! {
        (table(&form, &heads, &rows))
        (left_out(t.periods.len().min(MAX_ROWS), t.periods.len() as u64, "periods"))
    }
}

/// By what the hosts of each period are told apart.
fn known_by(t: &Trend) -> Markup {
    let heads = [
        Head::Text("Period"),
        Head::Number("Update hosts"),
        Head::Number("Confirmed"),
        Head::Number("By MAC"),
        Head::Number("Addresses"),
        Head::Number("In the busiest hour"),
    ];
    let rows = html! {
        @for (p, point) in t.periods.iter().zip(&t.whole).rev().take(MAX_ROWS) {
            @let hosts = &point.update.hosts;
            tr {
                th.nowrap scope="row" { (p.label) }
                (count(hosts.hosts)) (count(hosts.confirmed)) (count(hosts.by_mac)) (count(hosts.by_address))
                (known(point.update.busiest_hour))
            }
        }
    };
    let form =
        Form { id: "known-table", caption: "By what hosts with update contacts are known, by period", find: false };
    table(&form, &heads, &rows)
}

fn daily(d: &Daily) -> String {
    format!("{} ({} to {})", d.median, number(d.least.into()), number(d.most.into()))
}

fn moves(t: &Trend) -> Markup {
    let heads = [
        Head::Text("Period"),
        Head::Number("Update: new"),
        Head::Number("Returning"),
        Head::Number("Kept"),
        Head::Number("Lost"),
        Head::Number("Reputation: new"),
        Head::Number("Returning"),
        Head::Number("Kept"),
        Head::Number("Lost"),
    ];
    let rows = html! {
        @for (p, point) in t.periods.iter().zip(&t.whole).rev().take(MAX_ROWS) {
            tr {
                th.nowrap scope="row" { (p.label) }
                @for m in [point.update.moves, point.reputation.moves] {
                    (known(m.map(|m| m.new))) (known(m.map(|m| m.returning)))
                    (known(m.map(|m| m.kept))) (known(m.map(|m| m.lost)))
                }
            }
        }
    };
    let form = Form { id: "moves-table", caption: "Hosts compared with earlier periods of this report", find: false };
    table(&form, &heads, &rows)
}

fn verdicts(t: &Trend) -> Markup {
    let heads = [
        Head::Text("Period"),
        Head::Text("Hosts by verdict"),
        Head::Text("Hosts by category, however far a contact got"),
    ];
    let rows = html! {
        @for (p, point) in t.periods.iter().zip(&t.whole).rev().take(MAX_ROWS) {
            tr {
                th.nowrap scope="row" { (p.label) }
                td { (list(point.verdicts.iter().map(|(v, n)| (v.as_str(), *n)))) }
                td { (list(point.categories.iter().map(|(c, n)| (c.as_str(), *n)))) }
            }
        }
    };
    let form = Form {
        id: "verdicts-table",
        caption: "Verdicts and categories by period, of hosts with a contact of their own in it",
        find: false,
    };
    table(&form, &heads, &rows)
}

/// `3 active, 1 updating`.
fn list<'w>(all: impl Iterator<Item = (&'w str, u64)>) -> String {
    all.map(|(word, n)| format!("{} {word}", number(n))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_drawn_only_where_somebody_looked() {
        // No capture and no run of these days, in a store that has some.
        let mut c = Coverage::default();
        assert!(!was_seen(&c, true));
        // Of an archive nothing is known at all.
        assert!(was_seen(&c, false));
        c.known = Known::Records;
        assert!(was_seen(&c, true));
        c.known = Known::Whole;
        assert!(!was_seen(&c, true), "down");
        c.quarters_up = 1;
        assert!(was_seen(&c, true));
    }
}
