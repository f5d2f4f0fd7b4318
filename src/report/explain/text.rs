//! Explanations as text for people. Whatever came from the wire or from a file
//! of somebody else's is made safe for a terminal.

use super::super::hosts::table::{cadences, exception};
use super::super::hosts::{Listed, hex};
use super::super::text::{clean, counted, size};
use super::{Background, Direction, Explained, Moment, Shown, State, rule, stage_rule};
use crate::base::Timestamp;
use crate::base::time::format_day;
use crate::catalogue::Confidence;
use crate::host::{HostView, Role};
use crate::sighting::Record;
use std::fmt::Display;
use std::io::{self, Write};

/// Intervals of addresses that are shown; the others are counted.
const MAX_KNOWN: usize = 64;

/// Writes lines of a label and its text, cleaned.
struct Lines<'w> {
    out: &'w mut dyn Write,
    indent: &'static str,
}

impl Lines<'_> {
    fn line(&mut self, label: &str, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{}{label:<11}{}", self.indent, clean(&text.to_string()))
    }

    fn list<T: Display>(&mut self, label: &str, all: impl IntoIterator<Item = T>) -> io::Result<()> {
        let all: Vec<String> = all.into_iter().map(|t| t.to_string()).collect();
        if all.is_empty() { Ok(()) } else { self.line(label, all.join(", ")) }
    }

    fn some(&mut self, label: &str, text: &str) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.line(label, text) }
    }
}

/// Who a host is, in a line.
fn identity(v: &HostView) -> String {
    let mut text = v.ip.to_string();
    let mut and = |more: String| {
        text.push_str("  ");
        text.push_str(&more);
    };
    if let Some(mac) = v.mac {
        and(format!("{mac}{}", if v.mac_randomised { " (random)" } else { "" }));
    }
    if let Some((name, told)) = &v.name {
        and(format!("{name} ({told})"));
    }
    if !v.segment.is_empty() {
        and(v.segment.clone());
    }
    text
}

/// Writes one of several hosts that an argument may mean.
///
/// # Errors
/// Those of `out`.
pub fn text_match(out: &mut dyn Write, listed: &Listed<'_>) -> io::Result<()> {
    let v = listed.view;
    writeln!(out, "{}", clean(&identity(v)))?;
    let mut lines = Lines { out, indent: "  " };
    lines.line("seen", format_args!("{} to {}", v.first_seen, v.last_seen))?;
    lines.line("verdict", v.verdict)?;
    lines.list("sightings", v.sightings.iter().take(3).map(hex))
}

/// Writes a host: who it is and why that is known, what it amounts to and by
/// which rule, and when it made contact.
///
/// # Errors
/// Those of `out`.
pub fn text_host(out: &mut dyn Write, listed: &Listed<'_>, more: &Background) -> io::Result<()> {
    let known_by = &more.known_by;
    let v = listed.view;
    writeln!(out, "{}", clean(&identity(v)))?;
    let mut lines = Lines { out, indent: "  " };
    lines.list("ALARM", v.alarms.iter().map(|a| format!("{a} (never counted as use)")))?;
    lines.line("verdict", format_args!("{} ({})", v.verdict, counted_as(listed)))?;
    lines.line("why", &v.reason)?;
    lines.line("rule", format_args!("{}: {}", v.verdict, rule(v.verdict)))?;
    lines.some("stronger", &v.stronger)?;
    lines.some("weaker", &v.weaker)?;
    lines.some("exception", &exception(listed.standing).unwrap_or_default())?;
    lines.line("confirmed", if v.confirmed { "yes" } else { "no: nothing two-sided shows that it exists" })?;
    let role = |r: &Role| match (r, v.nat_at_least) {
        (Role::Nat, Some(n)) => format!("nat with at least {}", counted(u64::from(n), "device", "devices")),
        _ => r.to_string(),
    };
    lines.list("roles", v.roles.iter().map(role))?;
    lines.list("relays", &v.relays)?;
    lines.list("addresses", &v.addresses)?;
    lines.list("also called", v.names_before.iter().map(|(name, told)| format!("{name} ({told})")))?;
    lines.list("owner", v.owner.iter().chain(&v.place))?;
    lines.line("seen", format_args!("{} to {}", v.first_seen, v.last_seen))?;
    for (at, line) in cadences(v, |_| true).lines().enumerate() {
        lines.line(if at == 0 { "contacts" } else { "" }, line)?;
    }
    for (at, i) in known_by.iter().take(MAX_KNOWN).enumerate() {
        let mac = i.mac.map(|m| format!(" {m}")).unwrap_or_default();
        let name = i.name.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
        let label = if at == 0 { "known by" } else { "" };
        lines.line(label, format_args!("{}: {}{mac}{name}, {} to {}", i.kind, i.ip, i.from, i.to))?;
    }
    if let Some(hidden) = known_by.len().checked_sub(MAX_KNOWN).filter(|n| *n > 0) {
        lines.line("", format_args!("and {hidden} more"))?;
    }
    timeline(out, &more.timeline)
}

/// A line for each day record.
fn timeline(out: &mut dyn Write, moments: &[Moment]) -> io::Result<()> {
    writeln!(out, "\nTIMELINE (UTC)")?;
    let mut day = i64::MIN;
    for m in moments {
        if m.first.day() != day {
            day = m.first.day();
            writeln!(out, "  {}", format_day(day))?;
        }
        let time = |t: Timestamp| t.to_string().get(11..19).unwrap_or_default().to_owned();
        let (from, to, stage, category) = (time(m.first), time(m.last), m.stage.as_str(), m.category.as_str());
        let (indicator, id, times) = (clean(&m.indicator), clean(&m.id), counted(m.count, "time", "times"));
        writeln!(out, "    {from} to {to}  {stage:<11}  {category:<14}  {indicator}, {times}  {id}")?;
    }
    Ok(())
}

fn counted_as(listed: &Listed<'_>) -> String {
    match listed.view.verdict.counted() {
        "use" => "counted as use".into(),
        "apart" => "counted apart".into(),
        _ => "never counted".into(),
    }
}

/// Writes a record of one source with its frames.
///
/// # Errors
/// Those of `out`.
pub fn text_sighting(out: &mut dyn Write, e: &Explained) -> io::Result<()> {
    let r = &e.record;
    writeln!(out, "SIGHTING {} on {}", clean(&r.id), clean(&r.period))?;
    let mut lines = Lines { out, indent: "  " };
    if r.indicator.category.is_alarm() {
        lines.line("ALARM", format_args!("{} (never counted as use)", r.indicator.category))?;
    }
    lines.line("host", host_line(r))?;
    let (id, category) = (&r.indicator.id, r.indicator.category);
    let confidence = match r.indicator.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    };
    let support = if e.support { "; it only supports other signals" } else { "" };
    lines.line("indicator", format_args!("{id} ({category}, confidence {confidence}){support}"))?;
    let more = |n: u64| if n > 0 { format!(", and {n} more") } else { String::new() };
    lines.some("names", &format!("{}{}", r.names.join(", "), more(r.names_more)))?;
    lines.line("stage", format_args!("{}: {}", r.stage.as_str(), stage_rule(r.stage)))?;
    let sessions = counted(u64::from(r.sessions), "session", "sessions");
    let times = counted(r.count, "observation", "observations");
    lines.line("seen", format_args!("{} to {}, {times} in {sessions}", r.first_seen, r.last_seen))?;
    let servers: Vec<String> = r.servers.iter().map(|s| format!("{} {}/{}", s.ip, s.transport, s.port)).collect();
    lines.some("servers", &format!("{}{}", servers.join(", "), more(r.servers_more)))?;
    if r.bytes_to_server > 0 || r.bytes_from_server > 0 {
        let (to, from) = (size(r.bytes_to_server), size(r.bytes_from_server));
        lines.line("payload", format_args!("{to} to the servers, {from} from them"))?;
    }
    lines.list("notes", &r.notes)?;
    lines.line("source", format_args!("{} (sensor {})", r.source, r.sensor))?;
    for (n, frame) in (1u32..).zip(&e.frames) {
        text_frame(out, n, frame, r)?;
    }
    if r.evidence_more > 0 {
        writeln!(out, "  and {} more frames that the record does not list", r.evidence_more)?;
    }
    Ok(())
}

fn host_line(r: &Record) -> String {
    let mut text = r.host.ip.to_string();
    let name = r.host.name.as_ref().map(|n| format!("{n} ({})", r.host.name_source.as_deref().unwrap_or("?")));
    let segment = Some(r.host.segment.clone()).filter(|s| !s.is_empty());
    for more in [r.host.mac.map(|m| m.to_string()), name, segment].into_iter().flatten() {
        text.push_str("  ");
        text.push_str(&more);
    }
    text
}

fn text_frame(out: &mut dyn Write, n: u32, f: &Shown, r: &Record) -> io::Result<()> {
    let e = &f.evidence;
    let direction = match f.direction(r) {
        Direction::ToServer => "client to server",
        Direction::ToClient => "server to client",
        Direction::Unknown => "between others",
    };
    let name = e.name.as_deref().unwrap_or_default();
    writeln!(out, "  {n}. {}  {direction}  {}  {}", e.ts, e.channel, clean(name))?;
    let mut lines = Lines { out, indent: "     " };
    let transport = f.dissection.as_ref().and_then(|d| d.transport).map(|t| format!(", {t}")).unwrap_or_default();
    let port = |ip: &crate::base::Addr, port: u16| {
        if ip.as_v4().is_some() { format!("{ip}:{port}") } else { format!("[{ip}]:{port}") }
    };
    lines.line("from, to", format_args!("{} to {}{transport}", port(&e.src, e.sport), port(&e.dst, e.dport)))?;
    match &f.dissection {
        Some(d) if !d.path.is_empty() => lines.line("layers", d.path.join(" > "))?,
        _ => lines.some("layers", &e.layers.join(" > "))?,
    }
    let mut place = e.path.clone().unwrap_or_else(|| "live capture".into());
    if let Some(interface) = &e.interface {
        place.push_str(&format!(", interface {interface}"));
    }
    place.push_str(&format!(", frame {}", e.frame));
    if let Some(offset) = e.offset {
        place.push_str(&format!(", byte {offset} of the decompressed file"));
    }
    lines.line("where", place)?;
    lines.line("sha256", &e.packet_sha256)?;
    lines.line("wireshark", f.number_filter())?;
    lines.line("", &f.filter)?;
    let file = f.file.as_deref().unwrap_or_default();
    let number = f.number.map(|n| format!(" frame {n}")).unwrap_or_default();
    let why = f.why.as_deref().unwrap_or_default();
    match f.state {
        State::Verified => lines.line("checked", format_args!("frame verified: {file}{number} has this SHA-256"))?,
        State::InEvidence => {
            lines.line("checked", format_args!("frame verified: evidence {file}{number} has this SHA-256"))?;
        }
        State::Differs => lines.line("checked", format_args!("FRAME DIFFERS: {file}: {why}; stored fields only"))?,
        State::Unreachable => lines.line("checked", format_args!("not reachable: stored fields only ({why})"))?,
    }
    if f.state == State::InEvidence && !why.is_empty() {
        lines.line("", why)?;
    }
    if let Some(d) = &f.dissection {
        for (at, line) in d.lines.iter().enumerate() {
            lines.line(if at == 0 { "decoded" } else { "" }, line)?;
        }
        if f.holds_name() == Some(false) {
            let why = match f.direction(r) {
                Direction::ToClient => "the name is in the flow's earlier frames; this one shows how far it got",
                _ => "the name needed several frames; this is the one that completed it, or shows how far it got",
            };
            lines.line("", why)?;
        }
        if d.layers != e.layers {
            lines.line("", format_args!("layers of this frame alone: {}", d.layers.join(", ")))?;
        }
    }
    Ok(())
}
