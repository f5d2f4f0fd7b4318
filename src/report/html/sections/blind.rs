//! What could not be seen.

use super::super::super::document::Document;
use super::super::words::Shown;
use super::Section;
use maud::html;

pub(super) fn section(d: &Document<'_>) -> Section {
    let body = html! {
        @for line in &d.read { p { (Shown(line)) } }
        @if d.blind_spots.is_empty() {
            p { "Nothing was counted that the sensors could not use." }
        } @else {
            p { "Not seen, in this window:" }
            ul { @for line in &d.blind_spots { li { (Shown(line)) } } }
        }
    };
    Section::counted("blind-spots", "Blind spots", d.blind_spots.len() as u64, body)
}
