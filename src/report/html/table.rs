//! Tables that can be sorted, filtered, printed and read aloud.

use super::words::Shown;
use maud::{Markup, html};

/// A column.
#[derive(Clone, Copy)]
pub(super) enum Head {
    /// Text.
    Text(&'static str),
    /// Numbers, at the right.
    Number(&'static str),
}

/// What a table is called, and what one can do with it.
pub(super) struct Form<'t> {
    /// Names it on the page; unique.
    pub(super) id: &'static str,
    /// What it shows; read aloud first.
    pub(super) caption: &'t str,
    /// Whether rows can be looked for.
    pub(super) find: bool,
}

/// A table of such columns. `rows` are elements `tr`.
pub(super) fn table(form: &Form<'_>, heads: &[Head], rows: &Markup) -> Markup {
    of_class("", form, heads, rows)
}

/// A table of hosts: five columns of set widths, the last of which takes what is
/// left; in a narrow window each row is a block that can be read downwards.
pub(super) fn hosts(form: &Form<'_>, heads: &[Head; 5], rows: &Markup) -> Markup {
    of_class("hosts", form, heads, rows)
}

fn of_class(class: &str, form: &Form<'_>, heads: &[Head], rows: &Markup) -> Markup {
    let caption = format!("{}-caption", form.id);
    html! {
        div.scroll role="region" aria-labelledby=(caption) tabindex="0" {
            table id=(form.id) class=[(!class.is_empty()).then_some(class)] data-sort=(if form.find { "find" } else { "sort" }) {
                caption id=(caption) { (Shown(form.caption)) }
                thead { tr { @for head in heads { (one(*head)) } } }
                tbody { (rows) }
            }
        }
    }
}

fn one(head: Head) -> Markup {
    match head {
        Head::Text(name) => html! { th scope="col" { (name) } },
        Head::Number(name) => html! { th.num scope="col" { (name) } },
    }
}

/// Numbers behind a chart, folded up.
pub(super) fn folded(summary: &str, table: &Markup) -> Markup {
    html! { details { summary { (summary) } (table) } }
}
