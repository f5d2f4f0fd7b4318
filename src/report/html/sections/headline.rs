//! What the report says in one minute: first what makes it doubtful, then the
//! figures with their bounds.

use super::super::super::document::Document;
use super::super::super::measure::zero;
use super::super::super::text::counted;
use super::super::words::{Shown, number};
use super::Section;
use super::figures::between;
use crate::host::Verdict;
use crate::measure::{Bounds, Comparison, Total};
use maud::{Markup, html};

pub(super) fn section(d: &Document<'_>) -> Section {
    Section::new(
        "summary",
        "Summary",
        html! {
            (doubts(d))
            p.big { (sentence(d)) }
            @if let Some(seen) = in_view(d) { p { (seen) } }
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

/// Of how many there were: another number than hosts, which come and go.
fn in_view(d: &Document<'_>) -> Option<String> {
    let c = d.total.map(|t| &t.coverage).filter(|c| c.addresses > 0)?;
    Some(format!(
        "Up to {} in view at a time; over the whole window there can have been more.",
        counted(c.addresses, "home address was", "home addresses were")
    ))
}

fn sentence(d: &Document<'_>) -> Markup {
    let Some(total) = d.total else { return html! { "The store holds no contact." } };
    let (update, reputation) = (&total.whole.update.hosts, &total.whole.reputation.hosts);
    html! {
        "In this window, "
        @match update.hosts {
            0 => "no host was seen to use the product",
            n => { (counted(n, "host", "hosts")) (range(total, update)) (if n == 1 { " was" } else { " were" }) " seen to use the product" }
        }
        @if reputation.hosts > 0 { ", " (number(reputation.hosts)) (range(total, reputation)) " to use its cloud reputation" }
        @if d.headline.installed > 0 {
            "; on " (number(d.headline.installed)) " it seems to be installed and was not seen to update"
        }
        "."
    }
}

/// ` (4 to 6)`, where the bounds differ. Imported records have no most: see
/// [`bounds`].
fn range(total: &Total, b: &Bounds) -> Markup {
    html! {
        @if of_records_alone(total) { " (at least " (number(b.lower)) ")" }
        @else if b.lower != b.upper { " (" (between(b)) ")" }
    }
}

/// Whether records were counted whose sensors nothing is known of.
fn of_records_alone(total: &Total) -> bool {
    !total.coverage.known.is_whole()
}

/// The comparison with what was before the window of the report, if there is one.
fn since<'d>(d: &Document<'d>) -> Option<&'d Comparison> {
    d.comparison.filter(|c| Some(c.current.days) == d.about.window)
}

fn tiles(d: &Document<'_>) -> Markup {
    let h = &d.headline;
    let mut tiles = vec![
        ("in alarm: look-alikes, sinkholes", h.alarms, h.alarms > 0),
        ("counted as use", h.in_use, false),
        ("seem installed, not seen to update", h.installed, false),
        ("managed on the LAN", h.managed, false),
        ("another vendor's product", h.oem, false),
        ("accepted by somebody", h.accepted, false),
    ];
    if let Some(c) = since(d) {
        tiles.push(("with update contacts in the baseline, not now", c.whole.update.cohort.gone, false));
    }
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
            "Bounds: at least " (number(b.lower)) ", " (least(b)) "; " (most(total, b)) ". "
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

/// Why there are not fewer, of what there is.
fn least(b: &Bounds) -> String {
    let gateways = if b.nat_gateways > 0 || b.relays > 0 { ", with each gateway or relay as one" } else { "" };
    match (b.by_mac, b.hosts.saturating_sub(b.by_mac)) {
        (0, _) => format!(
            "the most confirmed hosts of any one day, since an address can be another host's on another day{gateways}"
        ),
        (_, 0) => format!("the confirmed hosts with a hardware address that they did not make up{gateways}"),
        _ => format!(
            "the confirmed hosts with a hardware address that they did not make up, and of the other confirmed ones the \
             most of any one day{gateways}"
        ),
    }
}

/// Why there are not more, or why that is not known.
fn most(total: &Total, b: &Bounds) -> String {
    let upper = number(b.upper);
    if of_records_alone(total) {
        return format!(
            "the records allow for {upper}, which is no upper bound: imported records say nothing of leases and of what \
             is behind gateways"
        );
    }
    let mut why = vec!["each address of each host".to_owned()];
    if b.nat_gateways > 0 {
        let gateways = counted(b.nat_gateways, "NAT gateway", "NAT gateways");
        why.push(format!("behind {gateways} as many systems as showed themselves"));
    }
    match total.whole.verdicts.get(&Verdict::Managed).copied().unwrap_or(0) {
        0 => {}
        n => why.push(format!("{} a local server manages", counted(n, "host that", "hosts that"))),
    }
    format!(
        "at most {upper}, counting {}, as far as was seen: gateways, such as those with which carriers share addresses \
         (CGNAT), can hide more",
        why.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Coverage, Known};

    #[test]
    fn each_bound_says_what_it_comes_from() {
        let mut b = Bounds { lower: 3_394, hosts: 9_999, upper: 10_372, ..Bounds::default() };
        assert!(least(&b).starts_with("the most confirmed hosts of any one day") && !least(&b).contains("gateway"));
        b.by_mac = 9_999;
        assert!(!least(&b).contains("any one day"), "all have one");
        (b.by_mac, b.relays) = (9_000, 1);
        assert!(least(&b).contains("did not make up, and of the other") && least(&b).ends_with("as one"));

        let mut total = total();
        let of = |total: &Total, b: &Bounds| most(total, b);
        assert!(of(&total, &b).starts_with("at most 10,372, counting each address of each host, as far as was seen"));
        b.nat_gateways = 1;
        total.whole.verdicts.insert(Verdict::Managed, 5);
        assert!(
            of(&total, &b).contains("behind 1 NAT gateway as many systems as showed themselves and 5 hosts that a")
        );
        assert!(of(&total, &b).contains("CGNAT"));
    }

    #[test]
    fn imported_records_have_no_upper_bound() {
        let b = Bounds { lower: 30, hosts: 30, upper: 33, ..Bounds::default() };
        let mut total = total();
        assert_eq!(range(&total, &b).into_string(), " (30 to 33)");
        total.coverage.known = Known::Part;
        assert_eq!(range(&total, &b).into_string(), " (at least 30)");
        // Of an archive.
        total.coverage.known = Known::Records;
        assert_eq!(range(&total, &b).into_string(), " (at least 30)");
        assert!(most(&total, &b).contains("no upper bound"));
    }

    fn total() -> Total {
        let mut total = Total {
            window: crate::measure::Days::new(0, 0),
            coverage: Coverage::default(),
            doubts: Vec::new(),
            whole: Default::default(),
            by: Vec::new(),
            method: Default::default(),
        };
        total.coverage.known = Known::Whole;
        total
    }
}
