//! Hosts: those in alarm, those to act on, the accepted, the others, and those
//! with roles.

use super::super::super::document::Document;
use super::super::super::hosts::Listed;
use super::super::super::hosts::table::exception;
use super::super::MAX_ROWS;
use super::super::table::{Form, Head, hosts};
use super::super::words::{Shown, ago, number, time};
use super::{Section, left_out};
use crate::base::Timestamp;
use crate::catalogue::Category;
use crate::host::{Cadence, HostView, Verdict};
use maud::{Markup, html};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

/// Addresses of a host that are shown; the others are counted.
const ADDRESSES: usize = 4;

/// Where a row stands: by strength of the verdict, then by last contact, the
/// newest first, then in the order of all lists.
type Place = (Reverse<u8>, Reverse<Timestamp>, u64);

/// The rows of one table; where there are more hosts than it may list, the first
/// of them.
#[derive(Default)]
struct Rows {
    all: u64,
    rows: BTreeMap<Place, Markup>,
}

impl Rows {
    /// Adds a host in the order of all lists.
    fn add(&mut self, strength: u8, last: Timestamp, row: impl FnOnce() -> Markup) {
        let place = (Reverse(strength), Reverse(last), self.all);
        self.all = self.all.saturating_add(1);
        if self.rows.len() >= MAX_ROWS {
            if self.rows.last_key_value().is_none_or(|(worst, _)| place > *worst) {
                return;
            }
            self.rows.pop_last();
        }
        self.rows.insert(place, row());
    }

    /// The rows that are listed, and how many they are.
    fn listed(&self) -> (Markup, usize) {
        (html! { @for row in self.rows.values() { (row) } }, self.rows.len())
    }
}

/// Hosts of every section, each host told of once.
#[derive(Default)]
pub(super) struct Lists {
    alarms: Rows,
    act: Rows,
    accepted: Rows,
    others: Rows,
    roles: Rows,
}

/// Whether somebody should look after a host: use, or signs of an installation.
fn wants_action(v: &HostView) -> bool {
    use Verdict::{Active, Attempting, Contacting, LookedUp, Managed, Oem, Updating};
    match v.verdict {
        Active | Updating | Contacting | Attempting | Managed | Oem => true,
        LookedUp => v.likely_installed,
        _ => false,
    }
}

impl Lists {
    /// Of all hosts of a report.
    pub(super) fn new(d: &Document<'_>) -> io::Result<Self> {
        let mut lists = Lists::default();
        d.roll().each(|h| {
            lists.add(h);
            Ok(())
        })?;
        Ok(lists)
    }

    fn add(&mut self, h: &Listed<'_>) {
        let v = h.view;
        let (strength, last) = (v.verdict.strength(), v.last_seen);
        if !v.alarms.is_empty() {
            self.alarms.add(0, last, || alarm(h));
        }
        if !v.roles.is_empty() {
            self.roles.add(0, last, || role(h));
        }
        if h.standing.accepted().is_some() {
            self.accepted.add(strength, last, || host(h));
        } else if wants_action(v) {
            self.act.add(strength, last, || host(h));
        } else if v.made_contact() && (v.verdict != Verdict::None || v.roles.is_empty() && v.alarms.is_empty()) {
            self.others.add(strength, last, || host(h));
        }
    }

    /// Hosts in alarm.
    pub(super) fn alarms(&self) -> Section {
        let (rows, shown) = self.alarms.listed();
        let heads = [
            Head::Text("Host"),
            Head::Text("Alarm, verdict"),
            Head::Text("Last contact (UTC)"),
            Head::Text("Sessions"),
            Head::Text("Why"),
        ];
        let form = Form { id: "alarms-table", caption: "Hosts in alarm", find: true };
        let body = html! {
            @if self.alarms.all == 0 {
                p { "No host was seen to contact a look-alike of the vendor's names, or a sinkhole." }
            } @else {
                div class="box bad" {
                    p {
                        "Look-alikes imitate the vendor's names, and sinkholes are where malware was led to: look at these "
                        "hosts first. An alarm is never counted as use."
                    }
                }
                (hosts(&form, &heads, &rows))
                (left_out(shown, self.alarms.all, "hosts"))
            }
        };
        Section::counted("alarms", "Alarms", self.alarms.all, body)
    }

    /// Hosts that somebody should look after.
    pub(super) fn to_act_on(&self) -> Section {
        let body = html! {
            @if self.act.all == 0 {
                p { "No host shows the product in use or installed." }
            } @else {
                p.note {
                    "Use, and signs of an installation: the strongest first, and of the same verdict the latest contact. The sentence says what a verdict rests on, so "
                    "that you can disagree."
                }
                (self.act.hosts("act-table", "Hosts to act on"))
            }
        };
        Section::counted("hosts", "Hosts to act on", self.act.all, body)
    }

    /// Hosts that somebody answers for, if there are any.
    pub(super) fn accepted(&self) -> Option<Section> {
        let body = html! {
            p.note { "Somebody answers for these; they are in no number of the summary but alarms." }
            (self.accepted.hosts("accepted-table", "Accepted hosts"))
        };
        (self.accepted.all > 0).then(|| Section::counted("accepted", "Accepted hosts", self.accepted.all, body))
    }

    /// Hosts that are never counted, if there are any.
    pub(super) fn others(&self) -> Option<Section> {
        let body = html! {
            p.note {
                "Contacts that do not show an installation: other services of the product, web sites, lookups without more, "
                "signs that prove nothing alone."
            }
            (self.others.hosts("others-table", "Other hosts with contacts, not counted"))
        };
        (self.others.all > 0).then(|| Section::counted("others", "Other hosts, not counted", self.others.all, body))
    }

    /// Hosts that stand for others.
    pub(super) fn roles(&self) -> Section {
        let (rows, shown) = self.roles.listed();
        let heads = [
            Head::Text("Host"),
            Head::Text("Role"),
            Head::Text("Last seen (UTC)"),
            Head::Text("Own verdict"),
            Head::Text("What that means"),
        ];
        let form = Form { id: "roles-table", caption: "Hosts with roles", find: true };
        let body = html! {
            @if self.roles.all == 0 {
                p { "No resolver, proxy, relay, NAT gateway or router was recognised." }
            } @else {
                p.note { "What these do for others is not their own use, and behind one of them there may be many hosts." }
                (hosts(&form, &heads, &rows))
                (left_out(shown, self.roles.all, "hosts"))
            }
        };
        Section::counted("roles", "Roles", self.roles.all, body)
    }
}

impl Rows {
    fn hosts(&self, id: &'static str, caption: &str) -> Markup {
        let (rows, shown) = self.listed();
        let heads = [
            Head::Text("Host"),
            Head::Text("Verdict"),
            Head::Text("Last contact (UTC)"),
            Head::Text("Sessions"),
            Head::Text("Why"),
        ];
        html! {
            (hosts(&Form { id, caption, find: true }, &heads, &rows))
            (left_out(shown, self.all, "hosts"))
        }
    }
}

fn host(h: &Listed<'_>) -> Markup {
    let v = h.view;
    html! {
        tr {
            (name(v))
            (verdict(v))
            (last(h))
            (cadences(v, |c| matches!(c, Category::Update | Category::Reputation)))
            (why(h))
        }
    }
}

fn alarm(h: &Listed<'_>) -> Markup {
    let v = h.view;
    html! {
        tr {
            (name(v))
            td {
                @for alarm in &v.alarms { span class="v alarm" { (alarm.as_str()) } " " }
                span.sub { (v.verdict.as_str()) }
                (marks(v))
            }
            (last(h))
            (cadences(v, Category::is_alarm))
            (why(h))
        }
    }
}

fn role(h: &Listed<'_>) -> Markup {
    let v = h.view;
    let roles: Vec<&str> = v.roles.iter().map(|r| r.as_str()).collect();
    html! {
        tr {
            (name(v))
            td { (roles.join(", ")) }
            td.nowrap data-v=(v.last_seen.to_string()) { (time(v.last_seen)) }
            (verdict(v))
            td.why {
                (Shown(&v.reason))
                @if let Some(n) = v.nat_at_least {
                    span.sub { "At least " (number(n.into())) " devices stand behind this address." }
                }
            }
        }
    }
}

/// Who a host is: name, addresses, hardware address, owner.
fn name(v: &HostView) -> Markup {
    let ip = v.ip.to_string();
    let listed = v.name.as_ref().is_some_and(|(_, source)| source == "inventory");
    let mut others = v.addresses.iter().filter(|a| **a != v.ip);
    let shown: Vec<String> = others.by_ref().take(ADDRESSES - 1).map(ToString::to_string).collect();
    let more = others.count();
    html! {
        th.host scope="row" data-v=(sort_key(v)) {
            b { (ip) }
            @if let Some((name, source)) = &v.name {
                span { (Shown(name)) @if !listed { " (" (Shown(source)) ")" } }
            }
            @for address in &shown { span { (address) } }
            @if more > 0 { span { "and " (number(more as u64)) " more addresses" } }
            @if let Some(mac) = v.mac { span.mono { (mac) @if v.mac_randomised { " (made up)" } } }
            @if !v.segment.is_empty() { span { (Shown(&v.segment)) } }
            @if let Some(owner) = &v.owner { span { "owner: " (Shown(owner)) } }
            @if let Some(place) = &v.place { span { "place: " (Shown(place)) } }
        }
    }
}

/// Sorts addresses by their numbers.
fn sort_key(v: &HostView) -> String {
    v.ip.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verdict(v: &HostView) -> Markup {
    let class = match v.verdict.counted() {
        "use" => "v use",
        "apart" => "v apart",
        _ => "v never",
    };
    html! {
        td.nowrap data-v=(100 - i32::from(v.verdict.strength())) {
            span class=(class) { (v.verdict.as_str()) }
            (marks(v))
        }
    }
}

/// What stands below a verdict.
fn marks(v: &HostView) -> Markup {
    html! {
        @if v.likely_installed { span.sub { "likely installed" } }
        @if !v.confirmed { span.sub { "unconfirmed" } }
        @for role in &v.roles { span.sub { (role.as_str()) } }
    }
}

/// The last contact, and how long ago that was.
fn last(h: &Listed<'_>) -> Markup {
    let t = h.view.last_seen;
    html! { td.nowrap data-v=(t.to_string()) { (time(t)) span.sub { (ago(h.days_since())) } } }
}

fn sessions(c: &Cadence) -> String {
    let one = |n: u32, one: &str, many: &str| super::super::super::text::counted(n.into(), one, many);
    let mut text = format!("{} on {}", one(c.sessions, "session", "sessions"), one(c.days, "day", "days"));
    if let Some(gap) = c.median_gap_s {
        text.push_str(&format!(", about every {}", duration(gap)));
    }
    text
}

/// How often, a line for each of these categories.
fn cadences(v: &HostView, of: impl Fn(Category) -> bool) -> Markup {
    let all: Vec<(&Category, &Cadence)> = v.categories.iter().filter(|(c, _)| of(**c)).collect();
    let sum = all.iter().fold(0u32, |sum, (_, c)| sum.saturating_add(c.sessions));
    html! {
        td data-v=(sum) {
            @for (category, c) in &all { span.often { span.soft { (category) } " " (sessions(c)) } }
            @if all.is_empty() { span.soft { "none" } }
        }
    }
}

/// A duration in the unit that says it best.
fn duration(seconds: u64) -> String {
    match seconds {
        0..5_400 => format!("{} min", seconds.div_ceil(60)),
        5_400..129_600 => format!("{} h", seconds.saturating_add(1_800) / 3_600),
        _ => format!("{} days", seconds.saturating_add(43_200) / 86_400),
    }
}

fn why(h: &Listed<'_>) -> Markup {
    let v = h.view;
    html! {
        td.why {
            (Shown(&v.reason))
            @if let Some(sentence) = exception(h.standing) { span.sub { (sentence) } }
            @if !v.stronger.is_empty() || !v.weaker.is_empty() {
                details {
                    summary { "What would change it" }
                    @if !v.stronger.is_empty() { span.sub { "Stronger with: " (Shown(&v.stronger)) } }
                    @if !v.weaker.is_empty() { span.sub { "Weaker with: " (Shown(&v.weaker)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [60, 5_399, 7_200, 86_400, 129_600, 864_000].map(duration),
            ["1 min", "90 min", "2 h", "24 h", "2 days", "10 days"]
        );
    }

    #[test]
    fn the_strongest_are_listed_and_of_these_the_latest() {
        let mut rows = Rows::default();
        let n = i64::try_from(MAX_ROWS).unwrap() + 500;
        for day in 0..n {
            rows.add(1, Timestamp(day), || html! { "w" (day) ";" });
        }
        rows.add(9, Timestamp(0), || html! { "strongest;" });
        // The same again, in the order in which they come.
        rows.add(9, Timestamp(0), || html! { "second;" });
        let (markup, shown) = rows.listed();
        let text = markup.into_string();
        assert_eq!((shown, rows.all), (MAX_ROWS, MAX_ROWS as u64 + 502));
        assert!(text.starts_with(&format!("strongest;second;w{};w{};", n - 1, n - 2)), "{}", &text[..80]);
        assert!(text.ends_with(";w502;") && !text.contains(";w501;"), "the oldest are left out");
    }
}
