//! What sensors saw, day by day: one lane for each, coloured by how much of the
//! day frames came in.

use super::super::words::Shown;
use super::scale::every;
use super::{Named, WIDTH, at, figure, key};
use maud::{Markup, html};

const LEFT: f64 = 130.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 22.0;
const LANE: f64 = 20.0;
const GAP: f64 = 6.0;
const BOTTOM: f64 = 22.0;
/// Quarter hours in a day.
const QUARTERS: u32 = 96;
/// Width of a label.
const LABEL: f64 = 75.0;

/// What a colour stands for, from nothing seen to all day.
const LEVELS: [&str; 4] = ["no frame all day", "under half of the day", "half of the day or more", "all day"];

/// A sensor.
pub(in super::super) struct Lane<'c> {
    /// Its name.
    pub(in super::super) name: &'c str,
    /// Quarter hours with frames of each day, of 96.
    pub(in super::super) days: Vec<u32>,
}

/// A window that is set off above the lanes.
pub(in super::super) struct Mark<'c> {
    /// What it is called.
    pub(in super::super) name: &'c str,
    /// First and last of its days, by place.
    pub(in super::super) days: (usize, usize),
}

/// Lanes over the same days.
pub(in super::super) struct Strip<'c> {
    /// Its texts.
    pub(in super::super) named: Named<'c>,
    /// The days in order.
    pub(in super::super) labels: &'c [String],
    /// The sensors.
    pub(in super::super) lanes: &'c [Lane<'c>],
    /// Windows to set off.
    pub(in super::super) marks: &'c [Mark<'c>],
}

/// How much of a day was seen, as a place in [`LEVELS`].
fn level(quarters: u32) -> usize {
    match quarters {
        0 => 0,
        n if n * 2 < QUARTERS => 1,
        n if n < QUARTERS => 2,
        _ => 3,
    }
}

/// Draws them.
pub(in super::super) fn strip(chart: &Strip<'_>) -> Markup {
    let n = chart.labels.len().max(1);
    let day = (WIDTH - LEFT - RIGHT) / n as f64;
    let x = |i: usize| LEFT + day * i as f64;
    let bottom = TOP + (LANE + GAP) * chart.lanes.len() as f64;
    let drawing = html! {
        @for mark in chart.marks {
            @let (from, to) = (x(mark.days.0), x(mark.days.1 + 1));
            path.win d={ "M" (at(from)) " " (at(TOP - 2.0)) "v-5H" (at(to)) "v5" } {}
            text.strong x=(at(from)) y=(at(TOP - 10.0)) { (mark.name) }
        }
        @for (i, lane) in chart.lanes.iter().enumerate() {
            @let y = TOP + (LANE + GAP) * i as f64;
            text class="end strong" x=(at(LEFT - 8.0)) y=(at(y + LANE / 2.0 + 4.0)) { (Shown(lane.name)) }
            @for (level, from, to) in runs(&lane.days) {
                rect class={ "q" (level) } x=(at(x(from))) y=(at(y)) width=(at(x(to) - x(from))) height=(at(LANE)) {}
            }
        }
        @for (i, label) in chart.labels.iter().enumerate().step_by(every(n, 8)) {
            line.axis x1=(at(x(i))) x2=(at(x(i))) y1=(at(bottom - GAP)) y2=(at(bottom)) {}
            text .end[x(i) > WIDTH - LABEL] x=(at(x(i))) y=(at(bottom + 13.0)) { (label) }
        }
    };
    let entries: Vec<(Markup, String)> = LEVELS
        .iter()
        .enumerate()
        .map(|(i, name)| (html! { rect class={ "q" (i) } x="0" y="0" width="26" height="12" {} }, (*name).to_owned()))
        .collect();
    figure(chart.named, bottom + BOTTOM, &key(&entries), &drawing)
}

/// Neighbouring days of one level as level, first place and the one behind the
/// last.
fn runs(days: &[u32]) -> Vec<(usize, usize, usize)> {
    let mut all: Vec<(usize, usize, usize)> = Vec::new();
    for (i, quarters) in days.iter().enumerate() {
        let level = level(*quarters);
        match all.last_mut() {
            Some((last, _, to)) if *last == level => *to = i + 1,
            _ => all.push((level, i, i + 1)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_one_level_are_one_piece() {
        assert_eq!(runs(&[96, 96, 0, 47, 48, 95, 96]), [(3, 0, 2), (0, 2, 3), (1, 3, 4), (2, 4, 6), (3, 6, 7)]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn windows_are_set_off() {
        let labels: Vec<String> = (1..=4).map(|d| format!("2026-03-0{d}")).collect();
        let named = Named { id: "t", title: "Coverage", unit: "", says: "" };
        let lanes = [Lane { name: "<hall>", days: vec![96, 0, 0, 96] }];
        let marks = [Mark { name: "baseline", days: (0, 1) }];
        let drawn = strip(&Strip { named, labels: &labels, lanes: &lanes, marks: &marks }).into_string();
        assert_eq!((drawn.matches("<rect").count(), drawn.matches("class=\"win\"").count()), (3 + 4, 1));
        assert!(drawn.contains("&lt;hall&gt;") && drawn.contains(">baseline<"), "{drawn}");
    }
}
