//! What could not be seen.

use super::super::super::document::Document;
use super::super::words::{Shown, number};
use super::Section;
use maud::html;

pub(super) fn section(d: &Document<'_>) -> Section {
    let known = d.total.map_or(d.coverage.known, |t| t.coverage.known).is_seen();
    let body = html! {
        @for line in &d.read { p { (Shown(line)) } }
        @if !known && d.blind_spots.is_empty() {
            p { "What could not be seen is not known: nothing is stored of what sensors captured in this window." }
        } @else if d.blind_spots.is_empty() {
            p { "Nothing was counted that the sensors could not use." }
        } @else {
            p { "Not seen, in this window:" }
            ul { @for line in &d.blind_spots { li { (Shown(line)) } } }
        }
    };
    let count =
        if known || !d.blind_spots.is_empty() { number(d.blind_spots.len() as u64) } else { "unknown".to_owned() };
    Section { count: Some(count), ..Section::new("blind-spots", "Blind spots", body) }
}
