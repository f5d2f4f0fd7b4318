//! What the page says, in the order in which it is read.

mod blind;
mod catalogue;
mod comparison;
mod coverage;
mod custody;
mod figures;
mod groups;
mod headline;
mod hosts;
mod method;
mod runs;
mod trend;

use super::super::document::Document;
use super::words::number;
use maud::{Markup, html};
use std::io;

/// A section of the page.
pub(super) struct Section {
    /// Names it on the page; unique.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What stands beside it in the list of contents.
    pub(super) count: Option<String>,
    /// Its content.
    pub(super) body: Markup,
}

impl Section {
    fn new(id: &'static str, title: &'static str, body: Markup) -> Self {
        Section { id, title, count: None, body }
    }

    fn counted(id: &'static str, title: &'static str, count: u64, body: Markup) -> Self {
        Section { id, title, count: Some(number(count)), body }
    }
}

/// All of them.
pub(super) fn all(d: &Document<'_>) -> io::Result<Vec<Section>> {
    let lists = hosts::Lists::new(d)?;
    let mut all = vec![headline::section(d), lists.alarms(), lists.to_act_on()];
    all.extend(lists.accepted());
    all.extend(trend::section(d));
    all.extend(comparison::section(d));
    all.extend(groups::section(d));
    all.extend(lists.others());
    all.push(lists.roles());
    all.push(blind::section(d));
    all.push(coverage::section(d));
    all.push(method::section(d));
    all.push(catalogue::section(d));
    all.push(runs::section(d));
    all.push(custody::section(d));
    Ok(all)
}

/// Breakdowns by groups that are shown.
const BREAKDOWNS: usize = 4;

/// That there are more of them.
fn more_breakdowns(all: usize) -> Markup {
    html! {
        @if all > BREAKDOWNS {
            p.note {
                "Shown are the first " (BREAKDOWNS) " of " (all) " breakdowns; all are in what " code { "--json" } " and "
                code { "--csv" } " write."
            }
        }
    }
}

/// What a table leaves out, and where it is.
fn left_out(shown: usize, all: u64, what: &str) -> Markup {
    let more = all.saturating_sub(shown as u64);
    html! {
        @if more > 0 {
            p.note {
                "The table lists " (number(shown as u64)) " of " (number(all)) " " (what) "; all are in what "
                code { "--json" } " and " code { "--csv" } " write."
            }
        }
    }
}
