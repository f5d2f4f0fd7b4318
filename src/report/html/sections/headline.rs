//! What the report says in one minute.

use super::super::super::document::Document;
use super::super::super::text::counted;
use super::super::words::{Shown, number};
use super::Section;
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Section {
    Section::new(
        "summary",
        "Summary",
        html! {
            (doubts(d))
            (figures(d))
        },
    )
}

/// Before any figure: why it may be wrong.
fn doubts(d: &Document<'_>) -> Markup {
    html! {
        @if !d.doubts.is_empty() {
            div class="box warn" role="note" aria-labelledby="doubts" {
                h2 id="doubts" { "Read this first: what makes the figures doubtful" }
                ul { @for doubt in &d.doubts { li { (Shown(doubt)) } } }
            }
        }
    }
}

fn figures(d: &Document<'_>) -> Markup {
    let h = &d.headline;
    let tiles = [
        ("in alarm: look-alikes, sinkholes", h.alarms, h.alarms > 0),
        ("counted as use", h.in_use, false),
        ("installed, not seen to update", h.installed, false),
        ("managed on the LAN", h.managed, false),
        ("another vendor's product", h.oem, false),
        ("accepted by somebody", h.accepted, false),
    ];
    html! {
        p.big { (sentence(h.in_use, h.installed)) }
        dl.tiles {
            @for (what, n, alarm) in tiles {
                div .alarm[alarm] { dt { (what) } dd { (number(n)) } }
            }
        }
        @for line in &h.sentences { p.soft { (Shown(line)) } }
    }
}

fn sentence(in_use: u64, installed: u64) -> String {
    let hosts = match in_use {
        0 => "No host was seen to use the product".to_owned(),
        n => format!("{} seen to use the product", counted(n, "host was", "hosts were")),
    };
    match installed {
        0 => format!("{hosts}."),
        n => format!("{hosts}; on {} it is installed and was not seen to update.", number(n)),
    }
}
