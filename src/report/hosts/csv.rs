//! Hosts as CSV (RFC 4180).

use super::super::csv::write_row;
use super::{Listed, hex};
use crate::catalogue::Category;
use crate::host::Cadence;
use std::io;

/// The header line, in column order. Within version 1 columns may be added at
/// the end.
pub const COLUMNS: [&str; 39] = [
    "host_ip",
    "host_mac",
    "mac_randomised",
    "segment",
    "host_name",
    "name_source",
    "owner",
    "place",
    "addresses",
    "verdict",
    "counted",
    "likely_installed",
    "alarms",
    "roles",
    "nat_at_least",
    "relays",
    "confirmed",
    "first_seen",
    "last_seen",
    "days_since_last_seen",
    "reason",
    "stronger",
    "weaker",
    "accepted_verdict",
    "accepted_reason",
    "accepted_owner",
    "accepted_expires",
    "categories",
    "update_sessions",
    "update_hours",
    "update_days",
    "update_median_gap_s",
    "update_regularity",
    "reputation_sessions",
    "reputation_hours",
    "reputation_days",
    "reputation_median_gap_s",
    "reputation_regularity",
    "sightings",
];

/// Writes the header line.
///
/// # Errors
/// Those of `out`.
pub fn write_header(out: &mut dyn io::Write) -> io::Result<()> {
    write_row(out, &COLUMNS.map(str::to_owned))
}

/// Writes one host as one line. Lists are joined by spaces; what is absent is
/// an empty cell. The cadence of other categories is left to NDJSON.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn io::Write, listed: &Listed<'_>) -> io::Result<()> {
    let v = listed.view;
    let accepted = listed.standing.accepted();
    let name = v.name.as_ref();
    let mut cells = vec![
        v.ip.to_string(),
        v.mac.map(|m| m.to_string()).unwrap_or_default(),
        v.mac_randomised.to_string(),
        v.segment.clone(),
        name.map(|n| n.0.clone()).unwrap_or_default(),
        name.map(|n| n.1.clone()).unwrap_or_default(),
        v.owner.clone().unwrap_or_default(),
        v.place.clone().unwrap_or_default(),
        list(&v.addresses),
        v.verdict.to_string(),
        v.verdict.counted().to_owned(),
        v.likely_installed.to_string(),
        list(&v.alarms),
        list(&v.roles),
        v.nat_at_least.map(|n| n.to_string()).unwrap_or_default(),
        list(&v.relays),
        v.confirmed.to_string(),
        v.first_seen.to_string(),
        v.last_seen.to_string(),
        listed.days_since().to_string(),
        v.reason.clone(),
        v.stronger.clone(),
        v.weaker.clone(),
        accepted.map(|a| a.verdict.to_string()).unwrap_or_default(),
        accepted.map(|a| a.reason.clone()).unwrap_or_default(),
        accepted.map(|a| a.owner.clone()).unwrap_or_default(),
        accepted.map(|a| a.expires_day()).unwrap_or_default(),
        list(v.categories.keys()),
    ];
    for category in [Category::Update, Category::Reputation] {
        cells.extend(cadence(v.categories.get(&category)));
    }
    cells.push(v.sightings.iter().map(hex).collect::<Vec<_>>().join(" "));
    write_row(out, &cells)
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(" ")
}

fn cadence(often: Option<&Cadence>) -> [String; 5] {
    let Some(c) = often else { return Default::default() };
    let regularity = c.regularity.map(|r| format!("{r:.3}")).unwrap_or_default();
    let gap = c.median_gap_s.map(|s| s.to_string()).unwrap_or_default();
    [c.sessions.to_string(), c.hours.to_string(), c.days.to_string(), gap, regularity]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::host::sample::view;
    use crate::host::{Standing, Verdict};

    #[test]
    fn a_line_has_a_cell_for_each_column() {
        let mut v = view("10.0.0.5", Verdict::Updating);
        v.name = Some(("=cmd()".into(), "mdns".into()));
        let mut out = Vec::new();
        write_header(&mut out).unwrap();
        write(&mut out, &Listed { view: &v, standing: Standing::Open, as_of: Timestamp(0) }).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "10.0.0.5,02:00:0a:00:00:05,true,,'=cmd(),mdns,,,10.0.0.5 fd00::5,updating,use,false,,,,,true,\
             2026-03-01T10:00:00Z,2026-03-01T14:05:30.500Z,0,An update was transferred from 192.0.2.7.,\
             two update sessions three quarter hours apart,,,,,,update,3,4,1,7200,,,,,,,11111111111111111111111111111111"
        );
        assert_eq!(lines[1].split(',').count(), COLUMNS.len());
    }
}
