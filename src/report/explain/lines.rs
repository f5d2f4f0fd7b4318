//! Explanations as NDJSON.

use super::super::hosts::{self, Listed};
use super::super::ndjson::write_line;
use super::{Background, Direction, Explained, SCHEMA, Shown, rule, stage_rule};
use crate::base::{Addr, Mac, Timestamp};
use crate::sighting::{Evidence, Record};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct HostLine<'a> {
    schema: &'static str,
    kind: &'static str,
    host: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_by: Option<Vec<Known<'a>>>,
}

#[derive(Serialize)]
struct Known<'a> {
    kind: &'a str,
    segment: &'a str,
    ip: Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    from: Timestamp,
    to: Timestamp,
    source: &'a str,
}

#[derive(Serialize)]
struct SightingLine<'a> {
    schema: &'static str,
    kind: &'static str,
    record: &'a Record,
    support: bool,
    stage_rule: &'static str,
    frames: Vec<FrameLine<'a>>,
}

#[derive(Serialize)]
struct FrameLine<'a> {
    evidence: &'a Evidence,
    direction: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_in_file: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    wireshark: Filters<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    layer_path: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    decoded: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    holds_name: Option<bool>,
}

#[derive(Serialize)]
struct Filters<'a> {
    frame: String,
    content: &'a str,
}

fn host_value(listed: &Listed<'_>) -> io::Result<serde_json::Value> {
    let mut line = Vec::new();
    hosts::ndjson::write(&mut line, listed)?;
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// Writes a host with the rule of its verdict, and who had its addresses.
///
/// # Errors
/// Those of `out`.
pub fn write_host(out: &mut dyn io::Write, listed: &Listed<'_>, more: &Background) -> io::Result<()> {
    let known = more.known_by.iter().map(|i| Known {
        kind: &i.kind,
        segment: &i.segment,
        ip: i.ip,
        mac: i.mac,
        name: i.name.as_deref(),
        from: i.from,
        to: i.to,
        source: &i.source,
    });
    let host = host_value(listed)?;
    let rule = Some(rule(listed.view.verdict));
    write_line(out, &HostLine { schema: SCHEMA, kind: "host", host, rule, known_by: Some(known.collect()) })
}

/// Writes one of several hosts that an argument may mean.
///
/// # Errors
/// Those of `out`.
pub fn write_match(out: &mut dyn io::Write, listed: &Listed<'_>) -> io::Result<()> {
    let host = host_value(listed)?;
    write_line(out, &HostLine { schema: SCHEMA, kind: "match", host, rule: None, known_by: None })
}

/// Writes a record of one source with its frames.
///
/// # Errors
/// Those of `out`.
pub fn write_sighting(out: &mut dyn io::Write, e: &Explained) -> io::Result<()> {
    let frames = e.frames.iter().map(|f| frame(f, &e.record)).collect();
    write_line(
        out,
        &SightingLine {
            schema: SCHEMA,
            kind: "sighting",
            record: &e.record,
            support: e.support,
            stage_rule: stage_rule(e.record.stage),
            frames,
        },
    )
}

fn frame<'a>(f: &'a Shown, record: &Record) -> FrameLine<'a> {
    FrameLine {
        evidence: &f.evidence,
        direction: match f.direction(record) {
            Direction::ToServer => "client_to_server",
            Direction::ToClient => "server_to_client",
            Direction::Unknown => "unknown",
        },
        state: f.state.as_str(),
        file: f.file.as_deref(),
        frame_in_file: f.number,
        why: f.why.as_deref(),
        wireshark: Filters { frame: f.number_filter(), content: &f.filter },
        transport: f.dissection.as_ref().and_then(|d| d.transport),
        layer_path: f.dissection.as_ref().map(|d| d.path.as_slice()).unwrap_or_default(),
        decoded: f.dissection.as_ref().map(|d| d.lines.as_slice()).unwrap_or_default(),
        holds_name: f.holds_name(),
    }
}
