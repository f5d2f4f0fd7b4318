//! What the figures mean.

use super::super::super::document::Document;
use super::Section;
use maud::html;

pub(super) fn section(d: &Document<'_>) -> Section {
    let body = html! {
        dl.facts {
            @for m in &d.method {
                dt { (m.about) }
                dd { (m.text) }
            }
        }
    };
    Section::new("method", "Method", body)
}
