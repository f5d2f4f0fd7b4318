//! Counts between bounds, as tables and charts show them.

use super::super::svg::Span;
use super::super::words::number;
use crate::measure::compare::Change;
use crate::measure::stats::{Proportion, tenths};
use crate::measure::{Bounds, Cohort};
use maud::{Markup, html};

/// A count as a bar with whiskers.
pub(super) fn span(b: &Bounds) -> Span {
    Span { value: b.hosts, bounds: (b.lower, b.upper) }
}

/// A cell with a count and its bounds.
pub(super) fn bounded(b: &Bounds) -> Markup {
    html! {
        td.num data-v=(b.hosts) {
            (number(b.hosts))
            @if b.lower != b.upper { span.sub { (between(b)) } }
        }
    }
}

/// `40 to 60`.
pub(super) fn between(b: &Bounds) -> String {
    format!("{} to {}", number(b.lower), number(b.upper))
}

/// A cell with a number.
pub(super) fn count(n: u64) -> Markup {
    html! { td.num data-v=(n) { (number(n)) } }
}

/// A cell with a number that may not be known.
pub(super) fn known(n: Option<u64>) -> Markup {
    html! { td.num data-v=(n.unwrap_or(0)) { @match n { Some(n) => (number(n)), None => span.soft { "not counted" } } } }
}

/// A share in per cent with one decimal.
pub(super) fn share(of: f64) -> String {
    format!("{:.1} %", tenths(of))
}

/// `-58.0 %`, with the sign of typography.
pub(super) fn signed(per_cent: f64) -> String {
    let rounded = (per_cent * 10.0).round() / 10.0;
    if rounded < 0.0 {
        format!("\u{2212}{:.1} %", -rounded)
    } else if rounded > 0.0 {
        format!("+{rounded:.1} %")
    } else {
        "0.0 %".to_owned()
    }
}

/// A cell with a change and what the bounds allow.
pub(super) fn change(c: &Change) -> Markup {
    html! {
        td.num data-v=(c.per_cent.unwrap_or(0.0)) {
            @match c.per_cent { Some(p) => (signed(p)), None => span.soft { "from nothing" } }
            @if let (Some(least), Some(most)) = (c.per_cent_least, c.per_cent_most) {
                span class="sub wrap" { (signed(least)) " to " (signed(most)) }
            }
        }
    }
}

/// A cell with how many are still seen, and the interval of their share.
pub(super) fn still(c: &Cohort) -> Markup {
    html! {
        td.num data-v=(c.share.map_or(0.0, |p| p.share)) {
            (number(c.still)) " of " (number(c.of))
            @if let Some(p) = &c.share { span class="sub wrap" { (interval(p)) } }
        }
    }
}

fn interval(p: &Proportion) -> String {
    format!("{} ({} to {})", share(p.share), share(p.low), share(p.high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_sign() {
        assert_eq!([-58.04, 0.04, -0.04, 12.34].map(signed), ["\u{2212}58.0 %", "0.0 %", "0.0 %", "+12.3 %"]);
        assert_eq!([0.4, 0.2115, 0.561_497].map(share), ["40.0 %", "21.2 %", "56.1 %"]);
    }

    #[test]
    fn bounds_stand_below_where_they_differ() {
        let b = Bounds { lower: 4, hosts: 5, upper: 1_200, ..Bounds::default() };
        assert!(bounded(&b).into_string().contains(">4 to 1,200<"));
        let exact = Bounds { lower: 5, hosts: 5, upper: 5, ..Bounds::default() };
        assert_eq!(bounded(&exact).into_string(), "<td class=\"num\" data-v=\"5\">5</td>");
    }
}
