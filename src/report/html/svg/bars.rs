//! Pairs of bars, one pair for each group, with whiskers from bound to bound.

use super::super::words::{Shown, number};
use super::scale::ticks;
use super::{Named, WIDTH, at, figure, key};
use maud::{Markup, html};

const LEFT: f64 = 190.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 4.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;
const BOTTOM: f64 = 24.0;
/// Characters of a label that fit.
const LABEL: usize = 26;

/// A number between bounds.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Span {
    /// The number.
    pub(in super::super) value: u64,
    /// Lower and upper bound; both the number where there are none.
    pub(in super::super) bounds: (u64, u64),
}

/// Two numbers of one group.
pub(in super::super) struct Pair<'c> {
    /// The group.
    pub(in super::super) label: &'c str,
    /// Before.
    pub(in super::super) baseline: Span,
    /// After.
    pub(in super::super) current: Span,
}

/// Draws them; `names` say what the first and the second bar are.
pub(in super::super) fn pairs(named: Named<'_>, names: [&str; 2], all: &[Pair<'_>]) -> Markup {
    let greatest = |s: &Span| s.value.max(s.bounds.1);
    let max = all.iter().flat_map(|p| [greatest(&p.baseline), greatest(&p.current)]).max().unwrap_or(0);
    let marks = ticks(max as f64);
    let top = marks.last().copied().unwrap_or(1.0);
    let x = |v: u64| LEFT + (WIDTH - LEFT - RIGHT) * v as f64 / top;
    let pitch = 2.0 * BAR + GAP;
    let bottom = TOP + pitch * all.len() as f64;
    let drawing = html! {
        @for mark in &marks {
            @let place = x(*mark as u64);
            line.grid x1=(at(place)) x2=(at(place)) y1=(at(TOP)) y2=(at(bottom)) {}
            text.mid x=(at(place)) y=(at(bottom + 16.0)) { (number(*mark as u64)) }
        }
        @for (i, pair) in all.iter().enumerate() {
            @let y = TOP + pitch * i as f64 + GAP / 2.0;
            text class="end strong" x=(at(LEFT - 10.0)) y=(at(y + BAR + 4.0)) { (Shown(&short(pair.label))) }
            (bar("pale", pair.baseline, y, &x))
            (bar("f0", pair.current, y + BAR, &x))
        }
        line.axis x1=(at(LEFT)) x2=(at(LEFT)) y1=(at(TOP)) y2=(at(bottom)) {}
    };
    let sign = |class: &str| html! { rect class=(class) x="0" y="1" width="26" height="10" {} };
    let whisker = html! { line.whisker x1="2" x2="24" y1="6" y2="6" {} };
    let entries = [
        (sign("pale"), names[0].to_owned()),
        (sign("f0"), names[1].to_owned()),
        (whisker, "lower to upper bound".to_owned()),
    ];
    figure(named, bottom + BOTTOM, &key(&entries), &drawing)
}

fn bar(class: &str, span: Span, y: f64, x: &dyn Fn(u64) -> f64) -> Markup {
    let (lower, upper) = span.bounds;
    let middle = y + BAR / 2.0;
    let end = x(span.value.max(upper));
    html! {
        rect class=(class) x=(at(LEFT)) y=(at(y)) width=(at((x(span.value) - LEFT).max(0.0))) height=(at(BAR - 1.0)) {}
        @if lower != upper {
            line.whisker x1=(at(x(lower))) x2=(at(x(upper))) y1=(at(middle)) y2=(at(middle)) {}
            @for v in [lower, upper] {
                line.whisker x1=(at(x(v))) x2=(at(x(v))) y1=(at(middle - 3.0)) y2=(at(middle + 3.0)) {}
            }
        }
        text x=(at(end + 6.0)) y=(at(middle + 4.0)) { (number(span.value)) }
    }
}

/// A label that fits beside the bars.
fn short(label: &str) -> String {
    if label.chars().count() <= LABEL {
        return label.to_owned();
    }
    label.chars().take(LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let span = |value, lower, upper| Span { value, bounds: (lower, upper) };
        let all = [
            Pair { label: "<b>\u{202e}", baseline: span(50, 40, 60), current: span(100, 100, 100) },
            Pair { label: &"long ".repeat(20), baseline: span(0, 0, 0), current: Span::default() },
        ];
        let named = Named { id: "t", title: "Hosts", unit: "", says: "" };
        let drawn = pairs(named, ["April", "May"], &all).into_string();
        let widths: Vec<&str> = drawn.split("height=\"12\"").filter_map(|p| p.rsplit("width=\"").next()).collect();
        let width = |w: &str| w.trim_end_matches(['"', ' ']).parse::<f64>().unwrap();
        assert_eq!((width(widths[0]), width(widths[1])), (350.0, 700.0));
        assert_eq!(drawn.matches("class=\"whisker\"").count(), 4, "one in the key, three where bounds differ");
        assert!(drawn.contains("&lt;b&gt;\\u{202e}") && drawn.contains("…") && !drawn.contains("NaN"), "{drawn}");
    }
}
