//! A view for tests to start from.

use super::view::{Cadence, HostView, Verdict};
use crate::base::Timestamp;
use crate::catalogue::Category;
use std::collections::BTreeMap;

/// A host with IPv4 and IPv6, called `pc-5`, seen twice on 2026-03-01.
pub(crate) fn view(ip: &str, verdict: Verdict) -> HostView {
    let ip = ip.parse().unwrap();
    let cadence = Cadence { sessions: 3, hours: 4, days: 1, median_gap_s: Some(7200), regularity: None };
    HostView {
        ip,
        mac: "02:00:0a:00:00:05".parse().ok(),
        mac_randomised: true,
        segment: String::new(),
        name: Some(("pc-5".into(), "dhcp".into())),
        names_before: Vec::new(),
        owner: None,
        place: None,
        addresses: vec![ip, "fd00::5".parse().unwrap()],
        verdict,
        alarms: Vec::new(),
        roles: Vec::new(),
        nat_at_least: None,
        relays: Vec::new(),
        confirmed: true,
        reason: "An update was transferred from 192.0.2.7.".into(),
        stronger: "two update sessions three quarter hours apart".into(),
        weaker: String::new(),
        likely_installed: false,
        categories: BTreeMap::from([(Category::Update, cadence)]),
        first_seen: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
        last_seen: Timestamp::parse("2026-03-01T14:05:30.5Z").unwrap(),
        sightings: vec![[0x11; 16]],
    }
}
