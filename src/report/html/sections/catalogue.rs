//! What was looked for, and who says so.

use super::super::super::document::{Document, IndicatorAccount};
use super::super::MAX_ROWS;
use super::super::table::{Form, Head, folded, table};
use super::super::words::{Shown, number, time};
use super::{Section, left_out};
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Section {
    let c = &d.catalogue;
    let heads =
        [Head::Text("SHA-256"), Head::Number("Runs"), Head::Text("First run (UTC)"), Head::Text("Last run (UTC)")];
    let rows = html! {
        @for u in c.used.iter().take(MAX_ROWS) {
            tr {
                th scope="row" { code { (Shown(&u.sha256)) } @if u.sha256 == c.sha256 { span.sub { "the one of this report" } } }
                td.num data-v=(u.runs) { (number(u.runs)) }
                td.nowrap data-v=(u.first.to_string()) { (time(u.first)) }
                td.nowrap data-v=(u.last.to_string()) { (time(u.last)) }
            }
        }
    };
    let form = Form { id: "catalogues-table", caption: "Catalogues that the runs used", find: false };
    let body = html! {
        dl.facts {
            dt { "In effect for this report" } dd { (Shown(&c.files.join(", "))) ", " (number(c.indicators)) " indicators" }
            dt { "SHA-256" } dd { code { (Shown(&c.sha256)) } }
        }
        @if !c.used.is_empty() { (table(&form, &heads, &rows)) (left_out(c.used.len().min(MAX_ROWS), c.used.len() as u64, "catalogues")) }
        @if !c.seen.is_empty() {
            (folded("The indicators that were seen, and the sources for each", &seen(&c.seen)))
        }
    };
    Section::counted("catalogue", "Catalogue", c.indicators, body)
}

fn seen(all: &[IndicatorAccount]) -> Markup {
    let heads = [
        Head::Text("Indicator"),
        Head::Text("Category"),
        Head::Number("Day records"),
        Head::Text("Confidence"),
        Head::Text("Meaning"),
        Head::Text("Known from"),
    ];
    let rows = html! {
        @for i in all.iter().take(MAX_ROWS) {
            tr {
                th.nowrap scope="row" { (Shown(&i.id)) }
                td.nowrap { (i.category) }
                td.num data-v=(i.records) { (number(i.records)) }
                td { (i.confidence.map_or("not in this catalogue", |c| c.as_str())) }
                td { (Shown(&i.meaning)) }
                td.why { @for s in &i.sources { span.sub { (Shown(s)) } } }
            }
        }
    };
    let form = Form { id: "indicators-table", caption: "Indicators with records in this window", find: true };
    html! {
        (table(&form, &heads, &rows))
        (left_out(all.len().min(MAX_ROWS), all.len() as u64, "indicators"))
    }
}
