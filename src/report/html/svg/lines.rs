//! Lines over time, with a band between bounds.

use super::super::words::number;
use super::scale::{every, ticks};
use super::{Named, WIDTH, at, figure, key};
use maud::{Markup, html};

const HEIGHT: f64 = 250.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Up to so many points each has a dot.
const DOTS: usize = 40;

/// A line.
pub(in super::super) struct Series<'c> {
    /// What it shows.
    pub(in super::super) name: &'c str,
    /// One value for each label; `None` leaves a gap.
    pub(in super::super) values: Vec<Option<u64>>,
    /// Lower and upper bounds of each, for the band.
    pub(in super::super) bounds: Option<Vec<Option<(u64, u64)>>>,
}

/// Lines over the same periods; at most four.
pub(in super::super) struct Lines<'c> {
    /// Its texts.
    pub(in super::super) named: Named<'c>,
    /// The periods in order.
    pub(in super::super) labels: &'c [String],
    /// Whether each of them is in doubt; these are shaded.
    pub(in super::super) doubted: &'c [bool],
    /// The lines.
    pub(in super::super) series: &'c [Series<'c>],
}

/// Draws them.
pub(in super::super) fn lines(chart: &Lines<'_>) -> Markup {
    let values = chart.series.iter().flat_map(|s| s.values.iter().flatten().copied());
    let bounds = chart.series.iter().flat_map(|s| s.bounds.iter().flatten().flatten().map(|(_, upper)| *upper));
    let marks = ticks(values.chain(bounds).max().unwrap_or(0) as f64);
    let top = marks.last().copied().unwrap_or(1.0);
    let n = chart.labels.len();
    let x = |i: usize| match n {
        0 | 1 => LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        _ => LEFT + (WIDTH - LEFT - RIGHT) * i as f64 / (n - 1) as f64,
    };
    let y = |v: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - v / top);
    let step = every(n, 10);
    let width = (WIDTH - LEFT - RIGHT) / n.saturating_sub(1).max(1) as f64;
    let drawing = html! {
        @for (i, _) in chart.doubted.iter().enumerate().filter(|(_, doubted)| **doubted) {
            @let (from, to) = ((x(i) - width / 2.0).max(LEFT), (x(i) + width / 2.0).min(WIDTH - RIGHT));
            rect.doubt x=(at(from)) y=(at(TOP)) width=(at(to - from)) height=(at(HEIGHT - TOP - BOTTOM)) {}
        }
        @for mark in &marks {
            line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y(*mark))) y2=(at(y(*mark))) {}
            text.end x=(at(LEFT - 8.0)) y=(at(y(*mark) + 4.0)) { (number(*mark as u64)) }
        }
        @for (i, label) in chart.labels.iter().enumerate().step_by(step) {
            text class=(if n > 1 && i + step >= n && i + 1 == n { "end" } else { "mid" })
                x=(at(x(i))) y=(at(HEIGHT - 8.0)) { (label) }
        }
        @for (number, series) in chart.series.iter().enumerate() {
            @if let Some(bounds) = &series.bounds { (band(bounds, &x, &y)) }
            (line(number, &series.values, &x, &y))
        }
    };
    let sign = |i: usize| html! { line class={ "line s" (i) } x1="0" x2="26" y1="6" y2="6" {} };
    let mut entries: Vec<(Markup, String)> =
        chart.series.iter().enumerate().map(|(i, s)| (sign(i), s.name.to_owned())).collect();
    if chart.series.iter().any(|s| s.bounds.is_some()) {
        entries.push((html! { rect.band x="0" y="0" width="26" height="12" {} }, "lower to upper bound".into()));
    }
    if chart.doubted.contains(&true) {
        entries.push((html! { rect.doubt x="0" y="0" width="26" height="12" {} }, "in doubt".into()));
    }
    figure(chart.named, HEIGHT, &key(&entries), &drawing)
}

/// One path through the values that are there, and dots where there is room.
fn line(number: usize, values: &[Option<u64>], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> Markup {
    let mut path = String::new();
    let mut down = false;
    for (i, value) in values.iter().enumerate() {
        let Some(v) = value else {
            down = false;
            continue;
        };
        let letter = if down { 'L' } else { 'M' };
        path.push_str(&format!("{letter}{} {}", at(x(i)), at(y(*v as f64))));
        down = true;
    }
    html! {
        path class={ "line s" (number) } d=(path) {}
        @if values.len() <= DOTS {
            @for (i, v) in values.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?))) {
                circle class={ "f" (number) } cx=(at(x(i))) cy=(at(y(v as f64))) r="2.6" {}
            }
        }
    }
}

/// The area between bounds, in one piece for each run of periods that have
/// them.
fn band(bounds: &[Option<(u64, u64)>], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> Markup {
    let mut path = String::new();
    let numbered: Vec<(usize, Option<(u64, u64)>)> = bounds.iter().copied().enumerate().collect();
    for run in numbered.split(|(_, b)| b.is_none()) {
        let place = |i: usize, v: u64| format!("{} {}", at(x(i)), at(y(v as f64)));
        let upper = run.iter().filter_map(|(i, b)| Some(place(*i, (*b)?.1)));
        let lower = run.iter().rev().filter_map(|(i, b)| Some(place(*i, (*b)?.0)));
        let points: Vec<String> = upper.chain(lower).collect();
        if !points.is_empty() {
            path.push_str(&format!("M{}Z", points.join("L")));
        }
    }
    html! { path.band d=(path) {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: Named<'_> = Named { id: "t", title: "Hosts", unit: "per month", says: "Two months." };

    #[test]
    fn a_gap_is_no_line() {
        let labels: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        let bounds = Some(vec![Some((1, 2)), None, Some((3, 8)), Some((4, 9))]);
        let series = [Series { name: "in all", values: vec![Some(1), None, Some(3), Some(4)], bounds }];
        let drawn =
            lines(&Lines { named: NAMED, labels: &labels, doubted: &[false, true], series: &series }).into_string();
        let path = drawn.split("<path class=\"line s0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
        assert_eq!(drawn.matches("<circle").count(), 3);
        assert_eq!(drawn.matches("class=\"doubt\"").count(), 2, "a period and its key");
        assert_eq!(
            drawn.split("class=\"band\" d=\"").nth(1).unwrap().split('"').next().unwrap().matches('M').count(),
            2
        );
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }

    #[test]
    fn one_period_and_none_can_be_drawn() {
        for n in [0usize, 1] {
            let labels: Vec<String> = vec!["2026-03".into(); n];
            let series = [Series { name: "in all", values: vec![Some(5); n], bounds: None }];
            let drawn =
                lines(&Lines { named: NAMED, labels: &labels, doubted: &[true], series: &series }).into_string();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}
