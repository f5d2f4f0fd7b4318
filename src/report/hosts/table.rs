//! Hosts as a table for people.

use super::super::columns::{self, Column, GAP, Row, content};
use super::super::summary::{Summary, span};
use super::super::text::{clean, counted, grouped};
use super::Listed;
use super::roll::{Entry, Roll};
use crate::catalogue::Category;
use crate::host::{Cadence, HostView, Role, Standing, Verdict};
use std::io;

/// Addresses of one host that are shown; the others are counted.
const ADDRESSES: usize = 4;
/// Least widths of the columns that give way.
const MIN_HOST: u16 = 19;
const MIN_CONTACTS: u16 = 18;
/// Greatest width of a host: an IPv6 address behind two blanks.
const MAX_HOST: u16 = 41;

/// Hosts that a table lists of more than can be held; all are counted.
const MAX_ROWS: usize = 20_000;

const HEADERS: [&str; 4] = ["HOST", "VERDICT", "SEEN (UTC)", "CONTACTS"];

/// Writes alarms, hosts, accepted hosts and how many there are of each kind,
/// for a terminal of `width` columns, and behind them the lines of `summary`
/// if one is given.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, hosts: &Roll<'_>, summary: Option<&Summary>, width: u16) -> io::Result<()> {
    write_most(out, hosts, MAX_ROWS, summary, width)
}

/// The same with so many rows at most.
fn write_most(
    out: &mut dyn io::Write,
    hosts: &Roll<'_>,
    most: usize,
    summary: Option<&Summary>,
    width: u16,
) -> io::Result<()> {
    let fewer = hosts.strongest(most)?;
    let hosts = fewer.as_ref().unwrap_or(hosts);
    let all = || hosts.entries().iter();
    let is_accepted = |e: &&Entry<'_>| e.standing.accepted().is_some();
    let alarms: Vec<_> = all().filter(|e| e.is_alarm()).collect();
    let accepted: Vec<_> = all().filter(is_accepted).collect();
    let mut judged: Vec<_> = all().filter(|e| !is_accepted(e) && e.more_than_alarms).collect();
    judged.sort_by_key(|e| e.strength());
    let mut between = Separator::default();
    if !alarms.is_empty() {
        between.next(out)?;
        writeln!(out, "ALARMS (never counted as use)\n")?;
        write_rows(out, hosts, &alarms, alarm_row, width)?;
    }
    if !judged.is_empty() {
        between.next(out)?;
        if !alarms.is_empty() || !accepted.is_empty() {
            writeln!(out, "HOSTS\n")?;
        }
        write_rows(out, hosts, &judged, host_row, width)?;
    }
    if !accepted.is_empty() {
        between.next(out)?;
        writeln!(out, "ACCEPTED (somebody answers for these)\n")?;
        write_rows(out, hosts, &accepted, host_row, width)?;
    }
    if !hosts.is_empty() {
        between.next(out)?;
        for line in hosts.tally().lines() {
            for line in columns::wrap(&line, usize::from(width)) {
                writeln!(out, "{line}")?;
            }
        }
        if hosts.left_out() > 0 {
            let (shown, all) = (hosts.len() as u64, hosts.left_out().saturating_add(hosts.len() as u64));
            let line = format!(
                "Listed are the first {} of {} hosts, the strongest; --format ndjson and csv have all.",
                grouped(shown),
                grouped(all)
            );
            columns::wrap(&line, usize::from(width)).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    match summary {
        Some(summary) => {
            between.next(out)?;
            summary.write(out)
        }
        None if hosts.is_empty() => writeln!(out, "No host listed."),
        None => Ok(()),
    }
}

/// Whether there is anything to say of a host besides its alarms.
pub(in crate::report) fn is_more_than_alarms(view: &HostView) -> bool {
    view.alarms.is_empty() || view.verdict != Verdict::None || !view.roles.is_empty()
}

/// A blank line before everything but the first.
#[derive(Default)]
struct Separator(bool);

impl Separator {
    fn next(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        if std::mem::replace(&mut self.0, true) { writeln!(out) } else { Ok(()) }
    }
}

fn alarm_row(h: &Listed<'_>) -> Row {
    let alarms = h.view.alarms.iter().map(|a| a.as_str()).collect::<Vec<_>>().join("\n");
    let contacts = cadences(h.view, Category::is_alarm);
    let mut row = Row { cells: vec![host_cell(h.view), alarms, seen_cell(h), contacts], below: Vec::new() };
    if !is_more_than_alarms(h.view) {
        row.below.push(clean(&h.view.reason).into_owned());
    }
    row
}

fn host_row(h: &Listed<'_>) -> Row {
    let v = h.view;
    let contacts = cadences(v, |c| !c.is_alarm());
    Row { cells: vec![host_cell(v), verdict_cell(v), seen_cell(h), contacts], below: sentences(h) }
}

/// What stands beneath a row: why, what would change it, and the exception.
fn sentences(h: &Listed<'_>) -> Vec<String> {
    let v = h.view;
    let mut lines: Vec<String> = Vec::new();
    let mut say = |label: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("{label}{}", clean(text)));
        }
    };
    say("", &v.reason);
    say("Stronger with: ", &v.stronger);
    say("Weaker with: ", &v.weaker);
    lines.extend(exception(h.standing));
    lines
}

/// What the exceptions say of a host, in a sentence.
pub(in crate::report) fn exception(standing: Standing<'_>) -> Option<String> {
    standing.sentence().map(|sentence| clean(&sentence).into_owned())
}

/// The verdict, and beneath it what else the host is.
pub(in crate::report) fn verdict_cell(v: &HostView) -> String {
    let mut lines = vec![v.verdict.to_string()];
    if v.verdict == Verdict::LookedUp && v.likely_installed {
        lines.push("  likely installed".into());
    }
    if !v.confirmed {
        lines.push("  unconfirmed".into());
    }
    for role in &v.roles {
        lines.push(match (role, v.nat_at_least) {
            (Role::Nat, Some(n)) => format!("  nat, {} at least", counted(u64::from(n), "device", "devices")),
            _ => format!("  {role}"),
        });
    }
    let relays = v.relays.iter().map(|r| format!("  from {r}"));
    lines.extend(relays);
    lines.join("\n")
}

/// The address last seen, and beneath it what else is known of the host.
pub(in crate::report) fn host_cell(v: &HostView) -> String {
    let mut lines = vec![v.ip.to_string()];
    lines.extend(v.name.iter().map(|(name, source)| format!("  {} ({})", clean(name), clean(source))));
    lines.extend(v.mac.map(|m| format!("  {m}{}", if v.mac_randomised { " (random)" } else { "" })));
    if !v.segment.is_empty() {
        lines.push(format!("  {}", clean(&v.segment)));
    }
    let others: Vec<_> = v.addresses.iter().filter(|a| **a != v.ip).collect();
    lines.extend(others.iter().take(ADDRESSES).map(|a| format!("  {a}")));
    if let Some(hidden) = others.len().checked_sub(ADDRESSES).filter(|n| *n > 0) {
        lines.push(format!("  +{} more", grouped(hidden as u64)));
    }
    for more in [&v.owner, &v.place].into_iter().flatten() {
        lines.push(format!("  {}", clean(more)));
    }
    lines.join("\n")
}

fn seen_cell(h: &Listed<'_>) -> String {
    let days = match h.days_since() {
        0 => "today".to_owned(),
        n => counted(n, "day ago", "days ago"),
    };
    format!("{}\n{days}", span(h.view.first_seen, h.view.last_seen).replace(" to ", "\nto "))
}

/// How often each category was contacted, a line each.
pub(in crate::report) fn cadences(v: &HostView, wanted: impl Fn(Category) -> bool) -> String {
    let listed = v.categories.iter().filter(|(category, _)| wanted(**category));
    listed.map(|(category, often)| format!("{category}: {}", cadence(often))).collect::<Vec<_>>().join("\n")
}

fn cadence(c: &Cadence) -> String {
    let mut text = counted(u64::from(c.sessions), "session", "sessions");
    let mut and = |more: String| text.push_str(&format!(", {more}"));
    and(counted(u64::from(c.hours), "hour", "hours"));
    and(counted(u64::from(c.days), "day", "days"));
    if let Some(gap) = c.median_gap_s {
        and(format!("{} apart", duration(gap)));
    }
    if let Some(regularity) = c.regularity {
        and(format!("{:.0} % regular", regularity * 100.0));
    }
    text
}

/// `15 min`, `2 h`, `1 h 30 min`, `3 days`.
fn duration(seconds: u64) -> String {
    let minutes = seconds / 60;
    let (hours, left) = (minutes / 60, minutes % 60);
    match (hours, left) {
        (0, _) => format!("{minutes} min"),
        (48.., _) => counted(hours / 24, "day", "days"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {left} min"),
    }
}

/// Writes rows one at a time, once their widths are known.
fn write_rows(
    out: &mut dyn io::Write,
    hosts: &Roll<'_>,
    listed: &[&Entry<'_>],
    row: impl Fn(&Listed<'_>) -> Row,
    width: u16,
) -> io::Result<()> {
    let listed = || listed.iter().copied();
    let mut widest = HEADERS.map(|header| content(header, std::iter::empty()));
    hosts.tell(listed(), |h| {
        let cells = row(h).cells;
        widest
            .iter_mut()
            .zip(&cells)
            .for_each(|(most, cell)| *most = content("", [cell.as_str()].into_iter()).max(*most));
        Ok(())
    })?;
    let [host, verdict, seen, contacts] = widest;
    let gaps = GAP.saturating_mul(3);
    let host = host.min((width / 2).saturating_sub(21).clamp(MIN_HOST, MAX_HOST));
    let free = width.saturating_sub(gaps).saturating_sub(host).saturating_sub(seen);
    let verdict = verdict.min(free.saturating_sub(MIN_CONTACTS).max(14));
    let contacts = contacts.min(free.saturating_sub(verdict)).max(MIN_CONTACTS);
    let breaks = [Some(':'), None, None, None];
    let widths = [host, verdict, seen, contacts].into_iter();
    let shapes = HEADERS.into_iter().zip(widths).zip(breaks);
    let shapes: Vec<Column> = shapes.map(|((header, width), breaks)| Column { header, width, breaks }).collect();
    columns::write_header(out, &shapes, false)?;
    hosts.tell(listed(), |h| columns::write_row(out, &shapes, row(h), width, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::host::sample::view;
    use crate::host::{AcceptList, Alarm};

    fn text(views: &[HostView], accept: &str, width: u16) -> String {
        let accept = if accept.is_empty() { AcceptList::default() } else { AcceptList::read(accept).unwrap() };
        let as_of = Timestamp::parse("2026-03-05").unwrap();
        let make = |at: u32| views.get(at as usize).cloned();
        let all: Vec<u32> = (0..views.len() as u32).collect();
        let hosts = Roll::new(&all, &make, as_of, |v| Some(accept.standing(v, as_of.day())));
        let mut out = Vec::new();
        write(&mut out, &hosts, None, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Vec<HostView> {
        let mut active = view("10.0.0.17", Verdict::Active);
        active.categories.insert(
            Category::Reputation,
            Cadence { sessions: 1, hours: 1, days: 1, median_gap_s: None, regularity: Some(0.75) },
        );
        let mut resolver = view("10.0.0.53", Verdict::None);
        (resolver.roles, resolver.mac, resolver.name) = (vec![Role::Resolver, Role::Nat], None, None);
        (resolver.nat_at_least, resolver.addresses) = (Some(3), vec![resolver.ip]);
        resolver.categories.clear();
        resolver.reason = "It answers other hosts' questions.".into();
        resolver.stronger.clear();
        let mut alarmed = view("10.0.0.66", Verdict::None);
        alarmed.alarms = vec![Alarm::Sinkhole];
        alarmed.categories = std::collections::BTreeMap::from([(Category::Sinkhole, Cadence::default())]);
        let mut web = view("10.0.0.4", Verdict::WebOnly);
        web.confirmed = false;
        vec![web, resolver, alarmed, active, view("10.0.0.8", Verdict::Updating)]
    }

    const ACCEPT: &str =
        "[[accept]]\nhost='10.0.0.8'\nverdict='updating'\nreason='test bench'\nowner='lab'\nexpires=2026-12-31\n";

    #[test]
    fn the_table_at_100_columns() {
        assert_eq!(
            text(&sample(), ACCEPT, 100),
            "\
ALARMS (never counted as use)

HOST                          VERDICT   SEEN (UTC)        CONTACTS
-----------------------------------------------------------------------------------------------
10.0.0.66                     sinkhole  2026-03-01 10:00  sinkhole: 0 sessions, 0 hours, 0 days
  pc-5 (dhcp)                           to 14:05
  02:00:0a:00:00:05 (random)            3 days ago
  fd00::5
    An update was transferred from 192.0.2.7.

HOSTS

HOST                          VERDICT                    SEEN (UTC)        CONTACTS
----------------------------------------------------------------------------------------------------
10.0.0.17                     active                     2026-03-01 10:00  update: 3 sessions, 4
  pc-5 (dhcp)                                            to 14:05          hours, 1 day, 2 h apart
  02:00:0a:00:00:05 (random)                             3 days ago        reputation: 1 session, 1
  fd00::5                                                                  hour, 1 day, 75 % regular
    An update was transferred from 192.0.2.7.
    Stronger with: two update sessions three quarter hours apart
10.0.0.4                      web-only                   2026-03-01 10:00  update: 3 sessions, 4
  pc-5 (dhcp)                   unconfirmed              to 14:05          hours, 1 day, 2 h apart
  02:00:0a:00:00:05 (random)                             3 days ago
  fd00::5
    An update was transferred from 192.0.2.7.
    Stronger with: two update sessions three quarter hours apart
10.0.0.53                     none                       2026-03-01 10:00
                                resolver                 to 14:05
                                nat, 3 devices at least  3 days ago
    It answers other hosts' questions.

ACCEPTED (somebody answers for these)

HOST                          VERDICT   SEEN (UTC)        CONTACTS
----------------------------------------------------------------------------------------------------
10.0.0.8                      updating  2026-03-01 10:00  update: 3 sessions, 4 hours, 1 day, 2 h
  pc-5 (dhcp)                           to 14:05          apart
  02:00:0a:00:00:05 (random)            3 days ago
  fd00::5
    An update was transferred from 192.0.2.7.
    Stronger with: two update sessions three quarter hours apart
    Accepted as updating until 2026-12-31; test bench (lab).

Counted as use: 1 host (1 active). Seems installed, not seen to update: 0. Managed on the LAN: 0.
OEM products: 0.
Not counted: 1 web-only, 2 with nothing but a role, an alarm or signs that prove nothing alone.
Accepted, shown apart and in none of these numbers: 1 host.
1 of these hosts is not confirmed: only a handshake with both sides, ARP, neighbour discovery or
DHCP show that a sender's address was its own.
"
        );
    }

    #[test]
    fn of_sorted_hosts_the_strongest_are_listed_and_all_counted() {
        let (views, accept) = (sample(), AcceptList::read(ACCEPT).unwrap());
        let as_of = Timestamp::parse("2026-03-05").unwrap();
        let mut sorter = super::super::Sorter::new("/nowhere".into(), usize::MAX);
        let (mut batch, mut tally) = (super::super::Batch::default(), super::super::Tally::default());
        for view in &views {
            batch.add(view);
            tally.add(&Listed { view, standing: accept.standing(view, as_of.day()), as_of });
        }
        sorter.add(&batch).unwrap();
        let sorted = sorter.finish().unwrap();
        let roll = Roll::sorted(&sorted, &accept, as_of, tally);
        assert_eq!((roll.len(), roll.alarms(), roll.left_out()), (5, 1, 0));
        let table = |most| {
            let mut out = Vec::new();
            write_most(&mut out, &roll, most, None, 100).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(table(5), text(&views, ACCEPT, 100), "as it is of hosts that are held");
        let few = table(2);
        assert!(few.contains("10.0.0.66 ") && few.contains("10.0.0.17 ") && !few.contains("10.0.0.4 "), "{few}");
        assert!(few.contains("Accepted, shown apart and in none of these numbers: 1 host."), "{few}");
        let said = "Listed are the first 2 of 5 hosts, the strongest; --format ndjson and csv have all.";
        assert!(few.lines().any(|l| l == said), "{few}");
    }

    #[test]
    fn lines_keep_to_the_width() {
        let mut views = sample();
        let mut long = view("2001:db8:1234:5678:9abc:def0:1234:5678", Verdict::LookedUp);
        long.name = Some(("n".repeat(63), "mdns".into()));
        long.reason = "word ".repeat(50) + &"x".repeat(300);
        (long.likely_installed, long.segment) = (true, "vlan:10/vni:77".into());
        long.addresses = (1..9).map(|n| format!("fd00:1234:5678:9abc:def0:1234:5678:{n}").parse().unwrap()).collect();
        views.push(long);
        for width in [80, 100, 139, 200] {
            for line in text(&views, ACCEPT, width).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn hostile_text_cannot_act() {
        let mut v = view("10.0.0.5", Verdict::Updating);
        v.name = Some(("pc\u{202e}\n10.0.0.66".into(), "mdns".into()));
        (v.reason, v.owner) = ("a\u{1b}[2J\nHOST".into(), Some("x\u{9b}1m".into()));
        let table = text(&[v], "", 200);
        assert!(table.contains("pc\\u{202e}\\x0a10.0.0.66 (mdns)") && table.contains("a\\x1b[2J\\x0aHOST"), "{table}");
        assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table}");
    }

    #[test]
    fn an_empty_list_is_a_sentence() {
        assert_eq!(text(&[], "", 100), "No host listed.\n");
    }

    #[test]
    fn durations_are_short() {
        let all = [0, 900, 3600, 5400, 47 * 3600, 200_000].map(duration);
        assert_eq!(all, ["0 min", "15 min", "1 h", "1 h 30 min", "47 h", "2 days"]);
    }
}
