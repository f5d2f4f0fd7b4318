//! When sensors saw anything.

use super::super::super::document::{CoverageAccount, DayAccount, Document, Gap};
use super::super::super::text::{counted, percent};
use super::super::MAX_ROWS;
use super::super::svg::{Lane, Mark, Named, Strip, strip};
use super::super::table::{Form, Head, folded, table};
use super::super::words::{Shown, number, time};
use super::{Section, figures, left_out};
use crate::base::time::format_day;
use crate::measure::{Coverage, Days, Known};
use maud::{Markup, html};

/// Sensors that the chart draws; the table has all.
const LANES: usize = 20;

pub(super) fn section(d: &Document<'_>) -> Section {
    let c = &d.coverage;
    let share = share(d);
    let body = html! {
        @if !c.known.is_seen() || c.days.is_empty() {
            p {
                "The store says nothing of when its sensors saw anything: it holds no capture and no live run of these days, "
                "and imported records do not tell."
            }
        } @else {
            p {
                @match &share {
                    Some(share) => { "Frames came in " strong { (share) } " of the window" }
                    None if d.total.is_some_and(|t| t.coverage.known == Known::Records) => {
                        "Of the window only records were imported, which do not say when frames came"
                    }
                    None => "Of the window no capture and no live run is stored that could say when frames came",
                }
                @if d.about.span != d.about.window {
                    "; of all days that the chart shows, in " (percent(c.quarters_seen, c.quarters))
                }
                ". Where none came, the sensor was down or had nothing to see, and nothing can be said of that time."
            }
            @if let Some(total) = d.total { (in_view(&total.coverage)) }
            (chart(d))
            (folded("Coverage by day, in numbers", &days(c)))
            @if !c.gaps.is_empty() { (gaps(c)) }
        }
    };
    let count = share.unwrap_or_else(|| "unknown".to_owned());
    Section { id: "coverage", title: "Coverage", count: Some(count), body }
}

/// How much of the window frames came in; `None` where that is not known.
fn share(d: &Document<'_>) -> Option<String> {
    let c = &d.coverage;
    match d.total.map(|t| &t.coverage) {
        Some(w) => w.known.is_seen().then(|| percent(w.quarters_up, w.quarters)),
        None => c.known.is_seen().then(|| percent(c.quarters_seen, c.quarters)),
    }
}

/// Whom the sensors saw, and the chance to see a contact.
fn in_view(c: &Coverage) -> Markup {
    html! {
        @if c.known.is_seen() {
            p {
                "Up to " (counted(c.addresses, "home address", "home addresses")) " of "
                (counted(c.networks, "network", "networks")) " (/24 and /64) were seen in a quarter hour"
                @if c.encrypted_dns > 0 { ", up to " (number(c.encrypted_dns)) " of them with encrypted DNS" }
                "."
                @if let Some(chance) = c.detection() {
                    " One contact at a random time was captured with a chance of at most " (figures::share(chance))
                    ": sensor time, less what was lost."
                }
            }
        } @else if c.known == Known::Records {
            p { "What else the sensors saw is not known, as only records were imported." }
        }
    }
}

fn chart(d: &Document<'_>) -> Markup {
    let c = &d.coverage;
    let labels: Vec<String> = c.days.iter().map(|d| d.day.clone()).collect();
    let days = |i: usize| c.days.iter().map(move |d| d.quarters.get(i).copied().unwrap_or(0)).collect();
    let lanes: Vec<Lane<'_>> =
        c.sensors.iter().enumerate().take(LANES).map(|(i, name)| Lane { name, days: days(i) }).collect();
    let share = percent(c.quarters_seen, c.quarters);
    let says = format!("For each sensor and day, how much of the day frames came in; {share} in all.");
    let named = Named { id: "coverage-chart", title: "When sensors saw frames", unit: "by day", says: &says };
    html! {
        (strip(&Strip { named, labels: &labels, lanes: &lanes, marks: &marks(d) }))
        @if c.sensors.len() > LANES {
            p.note { "The chart draws " (LANES) " of " (number(c.sensors.len() as u64)) " sensors; the table has all." }
        }
    }
}

/// The windows that are compared, where they lie among the days.
fn marks(d: &Document<'_>) -> Vec<Mark<'static>> {
    let place = |day: i32| {
        let day = format_day(day.into());
        d.coverage.days.iter().position(|d| d.day == day)
    };
    let mark = |name, days: Days| Some(Mark { name, days: (place(days.first)?, place(days.last)?) });
    let both = d.comparison.map(|c| [mark("baseline", c.baseline.days), mark("current", c.current.days)]);
    both.into_iter().flatten().flatten().collect()
}

fn days(c: &CoverageAccount) -> Markup {
    let heads = [
        Head::Text("Day"),
        Head::Text("Quarter hours with frames, of 96"),
        Head::Number("Frames"),
        Head::Number("Dropped"),
        Head::Number("Never captured, in the sample"),
    ];
    let quarters = |d: &DayAccount| {
        let of = |(name, n): (&String, &u32)| if c.sensors.len() == 1 { n.to_string() } else { format!("{name} {n}") };
        c.sensors.iter().zip(&d.quarters).map(of).collect::<Vec<_>>().join(", ")
    };
    let rows = html! {
        @for d in c.days.iter().rev().take(MAX_ROWS) {
            tr {
                th.nowrap scope="row" { (d.day) }
                td data-v=(d.quarters.iter().sum::<u32>()) { (Shown(&quarters(d))) }
                td.num data-v=(d.frames) { (number(d.frames)) }
                td.num data-v=(d.dropped) { (number(d.dropped)) }
                td.num data-v=(d.sample_unseen.unwrap_or(0.0)) {
                    @match d.sample_unseen { Some(r) => { (format!("{:.1} %", r * 100.0)) }, None => "" }
                }
            }
        }
    };
    let form = Form { id: "coverage-table", caption: "Coverage by day, the newest first", find: false };
    html! {
        (table(&form, &heads, &rows))
        (left_out(c.days.len().min(MAX_ROWS), c.days.len() as u64, "days"))
    }
}

fn gaps(c: &CoverageAccount) -> Markup {
    let rows = html! {
        @for g in &c.gaps {
            tr {
                th.nowrap scope="row" data-v=(g.from.to_string()) { (time(g.from)) }
                td.nowrap data-v=(g.to.to_string()) { (time(g.to)) }
                td.num data-v=(g.quarters) { (length(g)) }
            }
        }
    };
    let heads = [Head::Text("From (UTC)"), Head::Text("To (UTC)"), Head::Number("Length")];
    let form =
        Form { id: "gaps-table", caption: "Pauses of an hour or more in which no sensor saw a frame", find: false };
    let all = (c.gaps.len() as u64).saturating_add(c.gaps_more);
    html! {
        (folded(&counted(all, "pause of an hour or more", "pauses of an hour or more"), &table(&form, &heads, &rows)))
        @if c.gaps_more > 0 { p.note { (number(c.gaps_more)) " shorter ones are not listed." } }
    }
}

fn length(g: &Gap) -> String {
    let hours = g.quarters / 4;
    match hours {
        0..48 => format!("{hours}:{:02} h", g.quarters % 4 * 15),
        _ => format!("{} days", hours.saturating_add(12) / 24),
    }
}
