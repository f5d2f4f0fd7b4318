//! Trends and comparisons as text, JSON, NDJSON and CSV. The figures are those
//! of [`crate::measure`]; nothing is counted here.

pub mod compare;
mod grid;
pub mod trend;

use super::columns;
use super::text::clean;
use crate::measure::figures::{Method, Signal};
use std::io;

/// Writes a sentence, broken at the width.
fn paragraph(out: &mut dyn io::Write, text: &str, width: u16) -> io::Result<()> {
    for line in columns::wrap(&clean(text), usize::from(width)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The files and the catalogue that figures depend on.
fn sources(out: &mut dyn io::Write, method: &Method, width: u16) -> io::Result<()> {
    let as_of = method.catalogue_as_of.as_ref().map(|day| format!(", as of {day}, for all records"));
    let sha256 = method.catalogue_sha256.get(..16).unwrap_or(&method.catalogue_sha256);
    paragraph(out, &format!("Catalogue: sha256 {sha256}{}", as_of.unwrap_or_default()), width)?;
    for file in &method.groups {
        let built = file.built.as_ref().map(|day| format!(", made {day}")).unwrap_or_default();
        let sha256 = file.sha256.get(..16).unwrap_or(&file.sha256);
        paragraph(out, &format!("Groups: {} ({}{built}), sha256 {sha256}", file.path, file.kind), width)?;
        for overlap in &file.overlaps {
            paragraph(out, &format!("  {overlap}"), width)?;
        }
    }
    Ok(())
}

/// `least to most` of hosts.
fn bounds(s: &Signal) -> String {
    let b = &s.hosts;
    if b.lower == b.upper { b.hosts.to_string() } else { format!("{}-{}", b.lower, b.upper) }
}

/// What zero can exclude, in a sentence.
pub(super) fn zero(signal: &str, when: &str, s: &Signal) -> Option<String> {
    let zero = s.zero.as_ref()?;
    Some(match (zero.detection, zero.share_at_most, zero.hosts_at_most) {
        (Some(detection), Some(share), Some(hosts)) => format!(
            "No host with {signal} contacts was seen in {when}. With up to {} home addresses in view at a time and a chance of {} to see \
             one contact, up to {} of them ({hosts}) can have been missed at 95 %; that is no proof of absence.",
            zero.of_hosts,
            crate::measure::coverage::percent(detection),
            crate::measure::coverage::percent(share),
        ),
        _ => format!(
            "No host with {signal} contacts was seen in {when}; as it is not known how well a contact could have been seen, that excludes nothing."
        ),
    })
}

/// A number for a cell of CSV; empty for none.
fn cell<T: ToString>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}
