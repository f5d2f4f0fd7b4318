//! Figures that were claimed elsewhere, held against a publication.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::check::{Figures, fits};
use super::recount::Recounted;
use super::source::{MAX_VALUES, json, size};
use super::strict;
use crate::base::brief;
use crate::host::Verdict;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a document can have that is counted: its schema, its place in a report,
/// what says of what it is, what is counted of it (sentences may name networks,
/// and files of groups have other names where they come from), and what is not.
struct Kind {
    schema: &'static str,
    member: &'static str,
    of: &'static [&'static str],
    counted: &'static [&'static str],
}

const TREND: Kind = Kind {
    schema: "spansight.trend/",
    member: "trend",
    of: &["window", "step", "utc_offset"],
    counted: &["periods", "whole"],
};
const COMPARISON: Kind = Kind {
    schema: "spansight.comparison/",
    member: "comparison",
    of: &["baseline/days", "current/days", "utc_offset"],
    counted: &["baseline", "current", "basis", "whole"],
};
const TOTAL: Kind =
    Kind { schema: "spansight.total/", member: "total", of: &["window"], counted: &["coverage", "whole"] };

/// Members of a report in which nothing is claimed.
const NO_CLAIM: [&str; 4] = ["schema", "trend", "comparison", "total"];

/// Holds a trend or comparison, or a report that has such as its members,
/// against what was counted. An error is a sentence.
pub(super) fn claimed_by(path: &Path, found: &Recounted) -> Result<Figures, String> {
    let size = size(path)?;
    let counted = [
        (&TREND, Some(value(&found.trend, size))),
        (&COMPARISON, found.comparison.as_ref().map(|c| value(c, size))),
        (&TOTAL, found.total.as_ref().map(|t| value(t, size))),
    ];
    let most = counted.iter().filter_map(|(_, v)| v.as_ref()?.as_ref().ok()).map(strict::size);
    let most = most.fold(MAX_VALUES, u64::saturating_add);
    let claimed = without_sensors(json(path, most)?);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut figures = Figures::new(&name);
    let schema = claimed.get("schema").and_then(Value::as_str).unwrap_or_default();
    let mut any = false;
    let mut report = true;
    for (kind, found) in &counted {
        let (claimed, path) = if schema.starts_with(kind.schema) {
            report = false;
            (Some(&claimed), String::new())
        } else {
            (claimed.get(kind.member).filter(|v| v.is_object()), format!("/{}", kind.member))
        };
        let Some(claimed) = claimed else { continue };
        any = true;
        kind.held_against(&mut figures, claimed, found.as_ref(), &path);
    }
    if !any {
        return Err(format!("{} has neither a trend nor a comparison", path.display()));
    }
    if report {
        summary(&mut figures, &claimed);
        let rest = claimed.as_object().into_iter().flatten().map(|(name, _)| name);
        let told = figures.held > 0;
        let shown = |name: &String| match name.as_str() {
            "headline" if told => "/headline apart from what the total tells".to_owned(),
            name => format!("/{}", brief(name)),
        };
        figures.unchecked.extend(rest.filter(|n| !NO_CLAIM.contains(&n.as_str())).map(shown));
    }
    if figures.held == 0 && figures.wrong.is_empty() {
        let why = figures.uncounted.first.first().cloned().unwrap_or_default();
        return Err(format!("nothing in {} can be counted from this publication: {why}", path.display()));
    }
    Ok(figures)
}

impl Kind {
    fn held_against(&self, figures: &mut Figures, claimed: &Value, found: Option<&Counted>, path: &str) {
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(what)) => return figures.wrong(|| format!("{path}: {what}")),
            None => {
                let what = if path.is_empty() { "all of it" } else { path };
                return figures.uncounted.push(format!("{what}: the publication has no baseline to compare with"));
            }
        };
        let at = |value: &Value, place: &str| value.pointer(&format!("/{place}")).cloned();
        for place in self.of {
            let (theirs, ours) = (at(claimed, place), at(found, place));
            if theirs != ours {
                let shown = |v: &Option<Value>| v.as_ref().map_or_else(|| "nothing".to_owned(), brief);
                let (theirs, ours) = (shown(&theirs), shown(&ours));
                let what = if path.is_empty() { "all of it" } else { path };
                figures.uncounted.push(format!("{what}: it is of {place} {theirs}, and the publication of {ours}"));
                return;
            }
        }
        for member in self.counted {
            figures.compare(claimed.get(member), found.get(member), &format!("{path}/{member}"));
        }
        let none = Vec::new();
        let all = |v: &Value| v.get("by").and_then(Value::as_array).unwrap_or(&none).clone();
        let ours = all(found);
        for (at, theirs) in all(claimed).iter().enumerate() {
            let columns = theirs.get("columns");
            let path = format!("{path}/by/{at}");
            match ours.iter().find(|by| by.get("columns") == columns) {
                Some(by) => figures.compare(Some(theirs), Some(by), &path),
                None => figures.uncounted.push_with(|| {
                    let columns = columns.map_or_else(|| "nothing".to_owned(), brief);
                    format!("{path}: the publication does not count by {columns}")
                }),
            }
        }
        let others = ["schema", "by"];
        let rest = claimed.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let known = |n: &&str| !others.contains(n) && !self.counted.contains(n) && !self.of.contains(n);
        figures.unchecked.extend(rest.filter(known).map(|name| format!("{path}/{}", brief(name))));
    }
}

/// What a report says in its headline and its list of hosts, as far as it
/// follows from the total that was counted.
fn summary(figures: &mut Figures, claimed: &Value) {
    let place = |path: &str| claimed.pointer(path);
    let number = |path: &str| place(path).and_then(Value::as_u64);
    let Some(verdicts) = place("/total/whole/verdicts").and_then(Value::as_object) else { return };
    let counted = |words: &[&str]| -> u64 {
        words.iter().filter_map(|w| verdicts.get(*w)).filter_map(Value::as_u64).fold(0, u64::saturating_add)
    };
    // Of these somebody answers for some, whom no number has.
    let accepted = number("/headline/accepted").unwrap_or(0);
    for (name, words) in
        [("in_use", &["active", "updating", "contacting"][..]), ("managed", &["managed"]), ("oem", &["oem"])]
    {
        let most = counted(words);
        let Some(n) = number(&format!("/headline/{name}")) else { continue };
        figures.require((most.saturating_sub(accepted)..=most).contains(&n), || {
            format!("/headline/{name}: claimed {n}, and the total has {most}, of which {accepted} are accepted")
        });
    }
    if let Some(n) = number("/headline/installed") {
        let (least, most) = (counted(&["attempting"]).saturating_sub(accepted), counted(&["attempting", "looked-up"]));
        figures.require((least..=most).contains(&n), || {
            format!("/headline/installed: claimed {n}, and the total allows {least} to {most}")
        });
    }
    let Some(hosts) = place("/hosts").and_then(Value::as_array) else { return };
    let mut listed: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in hosts.iter().filter_map(|h| h.get("verdict")?.as_str()) {
        let n = listed.entry(verdict).or_default();
        *n = n.saturating_add(1);
    }
    for verdict in Verdict::ALL.iter().filter(|verdict| **verdict != Verdict::None) {
        let Some(n) = verdicts.get(verdict.as_str()) else { continue };
        let listed = listed.get(verdict.as_str()).copied().unwrap_or(0);
        figures.require(Some(listed) == n.as_u64(), || {
            format!("/hosts: {listed} are listed as {verdict}, and the total has {}", brief(n))
        });
    }
}

/// What was counted, unless it is more than the file can claim.
type Counted = Result<Value, String>;

/// As it is read from text, so that numbers are rounded alike; an error where it
/// is more than a file of that size can claim.
fn value(of: &impl serde::Serialize, size: u64) -> Counted {
    fits(of, size)?;
    let value = serde_json::to_string(of).ok().and_then(|t| serde_json::from_str(&t).ok());
    Ok(without_sensors(value.unwrap_or_default()))
}

/// Sensors have other names in a publication: of each only its share is left.
fn without_sensors(value: Value) -> Value {
    match value {
        Value::Array(all) => all.into_iter().map(without_sensors).collect(),
        Value::Object(all) => {
            let member = |(name, value): (String, Value)| match value {
                Value::Object(sensors) if name == "sensors" => {
                    let mut shares: Vec<Value> = sensors.into_iter().map(|(_, share)| share).collect();
                    shares.sort_by(|a, b| a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)));
                    (name, Value::Array(shares))
                }
                value => (name, without_sensors(value)),
            };
            Value::Object(all.into_iter().map(member).collect())
        }
        value => value,
    }
}
