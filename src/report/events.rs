//! Changes of hosts as NDJSON, `spansight.event/1`.

use super::hosts::ndjson::Accepted;
use super::ndjson::write_line;
use crate::base::{Addr, Mac, Timestamp};
use crate::host::changes::Change;
use serde::Serialize;
use std::io;

/// The schema's name and version.
pub const SCHEMA: &str = "spansight.event/1";

/// Writes one change and a line feed.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, c: &Change) -> io::Result<()> {
    let host = Host {
        ip: c.ip,
        mac: c.mac,
        segment: &c.segment,
        name: c.name.as_deref(),
        owner: c.owner.as_deref(),
        place: c.place.as_deref(),
    };
    let (from, to) = (c.from.map(|v| v.as_str()), c.to.map(|v| v.as_str()));
    write_line(
        out,
        &Line {
            schema: SCHEMA,
            ts: c.ts,
            kind: c.kind.as_str(),
            host,
            alarms: c.alarms.iter().map(|a| a.as_str()).collect(),
            from,
            to,
            days: c.days,
            reason: &c.reason,
            accepted: c.accepted.as_deref().map(Accepted::of),
        },
    )
}

/// Absent values are left out.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    ts: Timestamp,
    kind: &'static str,
    host: Host<'a>,
    alarms: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted<'a>>,
}

#[derive(Serialize)]
struct Host<'a> {
    ip: Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
    segment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::changes::ChangeKind;
    use crate::host::{Accept, Alarm, Verdict, Who};

    #[test]
    fn a_change_is_one_line() {
        let mut change = Change {
            ts: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
            kind: ChangeKind::Raised,
            ip: "10.0.0.5".parse().unwrap(),
            mac: "02:00:0a:00:00:05".parse().ok(),
            segment: String::new(),
            name: Some("pc\u{1b}-5".into()),
            owner: None,
            place: None,
            from: Some(Verdict::LookedUp),
            to: Some(Verdict::Updating),
            alarms: vec![Alarm::Lookalike, Alarm::Sinkhole],
            days: None,
            reason: "An update was transferred.".into(),
            accepted: None,
            exception: String::new(),
        };
        let line = |c: &Change| {
            let mut out = Vec::new();
            write(&mut out, c).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            line(&change),
            concat!(
                r#"{"schema":"spansight.event/1","ts":"2026-03-01T10:00:00Z","kind":"raised","#,
                r#""host":{"ip":"10.0.0.5","mac":"02:00:0a:00:00:05","segment":"","name":"pc\u001b-5"},"#,
                r#""alarms":["lookalike","sinkhole"],"#,
                r#""from":"looked-up","to":"updating","reason":"An update was transferred."}"#,
                "\n"
            )
        );
        (change.kind, change.to, change.days, change.reason) = (ChangeKind::Gone, None, Some(30), String::new());
        change.alarms.clear();
        (change.owner, change.place) = (Some("j.doe".into()), Some("2nd floor".into()));
        let accepted = Accept {
            who: Who::Name("pc-5".into()),
            segment: None,
            verdict: Verdict::Active,
            reason: "bench".into(),
            owner: "lab".into(),
            expires: 20_818,
        };
        change.accepted = Some(accepted.into());
        assert!(line(&change).contains("\"owner\":\"j.doe\",\"place\":\"2nd floor\"}"), "{}", line(&change));
        assert!(line(&change).ends_with(
            "\"alarms\":[],\"from\":\"looked-up\",\"days\":30,\
             \"accepted\":{\"verdict\":\"active\",\"reason\":\"bench\",\"owner\":\"lab\",\"expires\":\"2026-12-31\"}}\n"
        ));
    }
}
