//! The page around the sections.

use super::super::document::Document;
use super::assets::{SCRIPT, STYLE, policy};
use super::sections::{self, Section};
use super::words::{Shown, minute};
use crate::measure::{Comparison, Days};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::io;

/// What every report is called.
const TITLE: &str = "Hosts that contact Kaspersky update infrastructure";

pub(super) fn page(d: &Document<'_>) -> io::Result<Markup> {
    let sections = sections::all(d)?;
    let window = d.about.window.map_or_else(|| "an empty store".to_owned(), |w| w.to_string());
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "spansight " (Shown(&d.about.version)) };
                link rel="icon" href="data:,";
                title { (TITLE) ", " (window) }
                // The only texts that are not escaped: our own files.
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                div.page {
                    header.top {
                        h1 { (TITLE) }
                        (about(d, &window))
                    }
                    (contents(&sections))
                    main id="content" {
                        @for s in &sections { (section(s)) }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    })
}

/// The lines below the title.
fn about(d: &Document<'_>, window: &str) -> Markup {
    let a = &d.about;
    html! {
        p {
            strong { (window) }
            @if a.utc_offset.to_string() == "+00:00" { " (days in UTC)" }
            @else { " (days at UTC" (a.utc_offset) ")" }
            @if let Some(c) = d.comparison { ", compared" (compared(c, a.window)) }
            ", as of " time datetime=(a.as_of.to_string()) { (minute(a.as_of)) " UTC" }
        }
        p {
            @match a.sensors.as_slice() {
                [] if d.runs.is_empty() => "No sensor",
                [] => "Sensor not known",
                [one] => { "Sensor " (Shown(one)) },
                many => { "Sensors " (Shown(&many.join(", "))) },
            }
            @if !a.home_networks.is_empty() {
                "; hosts of " (Shown(&a.home_networks.join(", ")))
            }
            "; store " code { (Shown(&a.store)) }
            "; made by spansight " (Shown(&a.version)) "."
        }
        p.paper {
            "Printed are the first 200 rows of each table, and of what can be folded up what was open; the page has up to "
            "2,000, JSON and CSV have all, but of hosts that are gone or new the latest 100 each."
        }
    }
}

/// ` with 2024-04-01 to 2024-04-30`; both windows where neither is the report's.
fn compared(c: &Comparison, window: Option<Days>) -> String {
    let (baseline, current) = (c.baseline.days, c.current.days);
    if Some(current) == window { format!(" with {baseline}") } else { format!(": {current} with {baseline}") }
}

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav aria-label="Contents" {
            ol {
                @for s in sections {
                    li { a href={ "#" (s.id) } {
                        span { (s.title) }
                        @if let Some(n) = &s.count { span.n { (n) } }
                    } }
                }
            }
        }
    }
}

fn section(s: &Section) -> Markup {
    let heading = format!("{}-heading", s.id);
    html! {
        section id=(s.id) aria-labelledby=(heading) {
            h2 id=(heading) { (s.title) }
            (s.body)
        }
    }
}
