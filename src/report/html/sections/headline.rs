//! What the report says in one minute: first what makes it doubtful, then the
//! figures with their bounds.

use super::super::super::document::Document;
use super::super::super::measure::zero;
use super::super::super::text::counted;
use super::super::words::{Shown, number};
use super::Section;
use super::figures::between;
use crate::measure::{Bounds, Total};
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Section {
    Section::new(
        "summary",
        "Summary",
        html! {
            (doubts(d))
            p.big { (sentence(d)) }
            @if let Some(c) = d.comparison { p { strong { "Compared: " } (Shown(&c.headline)) } }
            @if let Some(total) = d.total {
                @for sentence in [zero("update", "this window", &total.whole.update), zero("reputation", "this window", &total.whole.reputation)].into_iter().flatten() {
                    p { (Shown(&sentence)) }
                }
            }
            (tiles(d))
            @for line in &d.headline.sentences { p.soft { (Shown(line)) } }
            @if let Some(total) = d.total.filter(|t| t.whole.update.hosts.hosts > 0) { (bounds(total, d.headline.accepted)) }
        },
    )
}

/// Before any figure: why it may be wrong.
fn doubts(d: &Document<'_>) -> Markup {
    html! {
        @if !d.doubts.is_empty() {
            div class="box warn" role="note" aria-labelledby="doubts" {
                h3 id="doubts" { "Read this first: what makes the figures doubtful" }
                ul { @for doubt in &d.doubts { li { (Shown(doubt)) } } }
            }
        }
    }
}

fn sentence(d: &Document<'_>) -> Markup {
    let Some(total) = d.total else { return html! { "The store holds no contact." } };
    let (update, reputation) = (&total.whole.update.hosts, &total.whole.reputation.hosts);
    let in_view = total.coverage.addresses;
    html! {
        @if in_view > 0 { "With up to " (counted(in_view, "home address", "home addresses")) " in view at any one time, and over the whole window, " }
        @else { "In this window, " }
        @match update.hosts {
            0 => "no host was seen to use the product",
            n => { (counted(n, "host", "hosts")) (range(update)) (if n == 1 { " was" } else { " were" }) " seen to use the product" }
        }
        @if reputation.hosts > 0 { ", " (number(reputation.hosts)) (range(reputation)) " to use its cloud reputation" }
        @if d.headline.installed > 0 {
            "; on " (number(d.headline.installed)) " it seems to be installed and was not seen to update"
        }
        "."
    }
}

/// ` (4 to 6)`, where the bounds differ.
fn range(b: &Bounds) -> Markup {
    html! { @if b.lower != b.upper { " (" (between(b)) ")" } }
}

fn tiles(d: &Document<'_>) -> Markup {
    let h = &d.headline;
    let tiles = [
        ("in alarm: look-alikes, sinkholes", h.alarms, h.alarms > 0),
        ("counted as use", h.in_use, false),
        ("seem installed, not seen to update", h.installed, false),
        ("managed on the LAN", h.managed, false),
        ("another vendor's product", h.oem, false),
        ("accepted by somebody", h.accepted, false),
    ];
    html! {
        dl.tiles {
            @for (what, n, alarm) in tiles {
                div .alarm[alarm] { dt { (what) } dd { (number(n)) } }
            }
        }
    }
}

/// How the bounds of the headline come about.
fn bounds(total: &Total, accepted: u64) -> Markup {
    let b = &total.whole.update.hosts;
    html! {
        p.soft {
            "Bounds: at least " (number(b.lower)) ", since each confirmed hardware address is one host and each gateway or "
            "relay one; at most " (number(b.upper)) ", if each address were a host of its own. "
            (number(b.confirmed)) " of " (number(b.hosts)) " are confirmed; "
            (counted(b.by_address, "address was", "addresses were")) " used"
            @if let Some(n) = b.addresses_per_host { ", " (format!("{n:.1}")) " for each host known by its hardware address" }
            "."
            @if let Some(orgs) = total.whole.update.organisations {
                " They are of " (counted(orgs.seen, "organisation", "organisations")) "."
            }
            @if accepted > 0 { " Figures with bounds count accepted hosts too; the list of hosts sets them apart." }
        }
    }
}
