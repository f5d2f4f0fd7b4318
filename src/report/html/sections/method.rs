//! What the figures mean.

use super::super::super::document::Document;
use super::super::words::Shown;
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
        @if let Some(total) = d.total {
            h3 { "How the figures with bounds are made" }
            ul { @for text in &total.method.text { li { (Shown(text)) } } }
        }
    };
    Section::new("method", "Method", body)
}
