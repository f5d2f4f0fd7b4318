//! Hosts as NDJSON, `spansight.host/1`.

use super::super::ndjson::write_line;
use super::{Listed, hex};
use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::Category;
use crate::host::{Accept, Cadence, HostView};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// The schema's name and version.
pub const SCHEMA: &str = "spansight.host/1";

/// Writes one host and a line feed.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, listed: &Listed<'_>) -> io::Result<()> {
    write_line(out, &Line::of(listed))
}

/// A host as a value, to stand among others.
pub(in crate::report) fn value<'l>(listed: &'l Listed<'_>) -> impl Serialize + use<'l> {
    Line::of(listed)
}

/// Absent values are left out; `segment` is empty where there is none, as in a
/// sighting.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    host: Host<'a>,
    verdict: &'static str,
    counted: &'static str,
    alarms: Vec<&'static str>,
    roles: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nat_at_least: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    relays: &'a [Addr],
    confirmed: bool,
    likely_installed: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    stronger: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    weaker: &'a str,
    categories: BTreeMap<Category, Often>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    days_since_last_seen: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted<'a>>,
    sightings: Vec<String>,
}

#[derive(Serialize)]
struct Host<'a> {
    ip: Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mac_randomised: bool,
    segment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_source: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names_before: Vec<Before<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    addresses: &'a [Addr],
}

#[derive(Serialize)]
struct Before<'a> {
    name: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct Often {
    sessions: u32,
    hours: u32,
    days: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_gap_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regularity: Option<f64>,
}

/// The exception by which a host is accepted.
#[derive(Serialize)]
pub(in crate::report) struct Accepted<'a> {
    verdict: &'static str,
    reason: &'a str,
    owner: &'a str,
    expires: String,
}

impl<'a> Line<'a> {
    fn of(listed: &Listed<'a>) -> Self {
        let v: &HostView = listed.view;
        Line {
            schema: SCHEMA,
            host: Host {
                ip: v.ip,
                mac: v.mac,
                mac_randomised: v.mac_randomised,
                segment: &v.segment,
                name: v.name.as_ref().map(|(name, _)| name.as_str()),
                name_source: v.name.as_ref().map(|(_, source)| source.as_str()),
                names_before: v.names_before.iter().map(|(name, source)| Before { name, source }).collect(),
                owner: v.owner.as_deref(),
                place: v.place.as_deref(),
                addresses: &v.addresses,
            },
            verdict: v.verdict.as_str(),
            counted: v.verdict.counted(),
            alarms: v.alarms.iter().map(|a| a.as_str()).collect(),
            roles: v.roles.iter().map(|r| r.as_str()).collect(),
            nat_at_least: v.nat_at_least,
            relays: &v.relays,
            confirmed: v.confirmed,
            likely_installed: v.likely_installed,
            reason: &v.reason,
            stronger: &v.stronger,
            weaker: &v.weaker,
            categories: v.categories.iter().map(|(c, often)| (*c, Often::of(often))).collect(),
            first_seen: v.first_seen,
            last_seen: v.last_seen,
            days_since_last_seen: listed.days_since(),
            accepted: listed.standing.accepted().map(Accepted::of),
            sightings: v.sightings.iter().map(hex).collect(),
        }
    }
}

impl Often {
    fn of(c: &Cadence) -> Self {
        let regularity = c.regularity.map(|r| (r * 1000.0).round() / 1000.0);
        Often { sessions: c.sessions, hours: c.hours, days: c.days, median_gap_s: c.median_gap_s, regularity }
    }
}

impl<'a> Accepted<'a> {
    pub(in crate::report) fn of(a: &'a Accept) -> Self {
        Accepted { verdict: a.verdict.as_str(), reason: &a.reason, owner: &a.owner, expires: a.expires_day() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sample::view;
    use crate::host::{Alarm, Role, Standing, Verdict, Who};

    fn line(listed: &Listed<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, listed).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_host_is_one_line_of_version_1() {
        let mut v = view("10.0.0.5", Verdict::Updating);
        v.alarms = vec![Alarm::Lookalike];
        v.names_before = vec![("old-5".into(), "dhcp".into())];
        (v.owner, v.place) = (Some("j.doe".into()), Some("2nd floor".into()));
        v.roles = vec![Role::Relay, Role::Nat];
        (v.nat_at_least, v.relays) = (Some(3), vec!["10.0.0.2".parse().unwrap()]);
        let accept = Accept {
            who: Who::Name("pc-5".into()),
            segment: None,
            verdict: Verdict::Active,
            reason: "test \u{1b}bench".into(),
            owner: "lab".into(),
            expires: 20_818,
        };
        let as_of = Timestamp::parse("2026-03-05").unwrap();
        assert_eq!(
            line(&Listed { view: &v, standing: Standing::Accepted(&accept), as_of }),
            concat!(
                r#"{"schema":"spansight.host/1","host":{"ip":"10.0.0.5","mac":"02:00:0a:00:00:05","mac_randomised":true,"#,
                r#""segment":"","name":"pc-5","name_source":"dhcp","names_before":[{"name":"old-5","source":"dhcp"}],"#,
                r#""owner":"j.doe","place":"2nd floor","addresses":["10.0.0.5","fd00::5"]},"#,
                r#""verdict":"updating","counted":"use","alarms":["lookalike"],"roles":["relay","nat"],"#,
                r#""nat_at_least":3,"relays":["10.0.0.2"],"confirmed":true,"likely_installed":false,"#,
                r#""reason":"An update was transferred from 192.0.2.7.","#,
                r#""stronger":"two update sessions three quarter hours apart","#,
                r#""categories":{"update":{"sessions":3,"hours":4,"days":1,"median_gap_s":7200}},"#,
                r#""first_seen":"2026-03-01T10:00:00Z","last_seen":"2026-03-01T14:05:30.500Z","#,
                r#""days_since_last_seen":3,"#,
                r#""accepted":{"verdict":"active","reason":"test \u001bbench","owner":"lab","expires":"2026-12-31"},"#,
                r#""sightings":["11111111111111111111111111111111"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let mut v = view("10.0.0.5", Verdict::None);
        (v.mac, v.name, v.mac_randomised) = (None, None, false);
        v.stronger.clear();
        let open = line(&Listed { view: &v, standing: Standing::Open, as_of: Timestamp(0) });
        let value: serde_json::Value = serde_json::from_str(&open).unwrap();
        for absent in ["accepted", "nat_at_least", "relays", "stronger", "weaker"] {
            assert!(value.get(absent).is_none(), "{absent}");
        }
        assert_eq!(value["host"].as_object().unwrap().len(), 3);
        assert!(!open.contains("null") && value["days_since_last_seen"] == 0 && value["counted"] == "never");
    }
}
