//! The runs whose records the report is made of.

use super::super::super::document::{Document, RunAccount, SourceAccount};
use super::super::MAX_ROWS;
use super::super::table::{Form, Head, folded, table};
use super::super::words::{Shown, number, time};
use super::{Section, left_out};
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Section {
    let body = html! {
        @if d.runs.is_empty() { p { "The store holds no run." } } @else { (runs(&d.runs)) }
        @if !d.sources.is_empty() { (folded("The captures and live runs that were read", &sources(&d.sources))) }
    };
    Section::counted("runs", "Run records", d.runs.len() as u64, body)
}

fn runs(all: &[RunAccount]) -> Markup {
    let heads = [
        Head::Number("Run"),
        Head::Text("Sensor"),
        Head::Text("Start (UTC)"),
        Head::Text("End (UTC)"),
        Head::Text("How it ended"),
        Head::Text("What ran: command line, version, machine"),
    ];
    let rows = html! {
        @for r in all.iter().rev().take(MAX_ROWS) {
            tr {
                th.num scope="row" data-v=(r.run) { (r.run) }
                td { (Shown(&r.sensor)) }
                td.nowrap data-v=(r.started.to_string()) { (time(r.started)) }
                td.nowrap { @if let Some(ended) = r.ended { (time(ended)) } }
                td { (Shown(&r.exit)) }
                td.why {
                    code { (Shown(&r.command.join(" "))) }
                    span.sub { "spansight " (Shown(&r.version)) "; " (Shown(&machine(r))) }
                    @if let Some(program) = r.environment.get("binary_sha256") { span.sub { "program " code { (Shown(program)) } } }
                    span.sub { "catalogue " code { (Shown(&r.catalogue_sha256)) } }
                }
            }
        }
    };
    let form = Form { id: "runs-table", caption: "Runs, the newest first", find: true };
    html! {
        (table(&form, &heads, &rows))
        (left_out(all.len().min(MAX_ROWS), all.len() as u64, "runs"))
    }
}

/// What a run ran on, in a line.
fn machine(r: &RunAccount) -> String {
    let facts = r.environment.iter().filter(|(word, _)| *word != "binary_sha256");
    facts.map(|(word, value)| format!("{} {value}", word.replace('_', " "))).collect::<Vec<_>>().join("; ")
}

fn sources(all: &[SourceAccount]) -> Markup {
    let heads = [
        Head::Text("Source"),
        Head::Text("First packet (UTC)"),
        Head::Text("Last packet (UTC)"),
        Head::Number("Frames"),
        Head::Text("What was wrong"),
    ];
    let rows = html! {
        @for s in all.iter().take(MAX_ROWS) {
            tr {
                th.why scope="row" {
                    @if let Some(path) = &s.path { (Shown(path)) }
                    span.sub { code { (Shown(&s.source)) } }
                }
                td.nowrap { @if let Some(t) = s.first { (time(t)) } }
                td.nowrap { @if let Some(t) = s.last { (time(t)) } }
                td.num data-v=(s.frames) { @if s.records_only { "records only" } @else { (number(s.frames)) } }
                td.why { (Shown(&s.warnings.join("; "))) }
            }
        }
    };
    let form = Form { id: "sources-table", caption: "Captures and live runs, by first packet", find: true };
    html! {
        (table(&form, &heads, &rows))
        (left_out(all.len().min(MAX_ROWS), all.len() as u64, "sources"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Source;

    #[test]
    fn a_run_that_heard_nothing_is_no_import() {
        let idle = Source { source: "run:i".into(), interfaces: vec!["span0".into()], ..Source::default() };
        let page = |s: Source| sources(&[SourceAccount::of(s)]).into_string();
        assert!(page(idle.clone()).contains("data-v=\"0\">0</td>"), "{}", page(idle));
        assert!(page(Source { source: "run:r".into(), ..Source::default() }).contains("records only"));
    }
}
