//! Charts as inline SVG, drawn here: no script, no style but that of the page.
//!
//! Every chart has a title and a description for those who do not see it, and
//! stands beside a table of its numbers.

mod bars;
mod lines;
mod scale;
mod strip;

pub(super) use bars::{Pair, Span, pairs};
pub(super) use lines::{Lines, Series, lines};
pub(super) use strip::{Lane, Mark, Strip, strip};

use super::words::Shown;
use maud::{Markup, html};

/// Width of every chart, in its own units.
const WIDTH: f64 = 960.0;

/// A coordinate to a tenth, which is less than a pixel.
fn at(n: f64) -> String {
    let tenths = (n * 10.0).round() / 10.0;
    format!("{tenths}")
}

/// What a chart is called, and what it shows in a sentence.
#[derive(Clone, Copy)]
pub(super) struct Named<'c> {
    /// Names it on the page; unique.
    pub(super) id: &'c str,
    /// Its title.
    pub(super) title: &'c str,
    /// Behind the title: unit, period.
    pub(super) unit: &'c str,
    /// What it shows, for those who do not see it.
    pub(super) says: &'c str,
}

/// A chart with its title and key.
fn figure(named: Named<'_>, height: f64, key: &Markup, drawing: &Markup) -> Markup {
    let Named { id, title, unit, says } = named;
    html! {
        figure {
            figcaption id={ (id) "-title" } { (Shown(title)) " " span.soft { (Shown(unit)) } }
            (key)
            svg viewBox={ "0 0 " (at(WIDTH)) " " (at(height)) } role="img"
                aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-says" } {
                desc id={ (id) "-says" } { (Shown(says)) }
                (drawing)
            }
        }
    }
}

/// What lines and areas stand for.
fn key(entries: &[(Markup, String)]) -> Markup {
    html! {
        ul.key {
            @for (sign, name) in entries {
                li { svg viewBox="0 0 26 12" aria-hidden="true" { (sign) } (Shown(name)) }
            }
        }
    }
}
