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
use serde_json::Value;
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
    let mut total = None;
    for (kind, found) in &counted {
        let (claimed, path) = if schema.starts_with(kind.schema) {
            report = false;
            (Some(&claimed), String::new())
        } else {
            (claimed.get(kind.member).filter(|v| v.is_object()), format!("/{}", kind.member))
        };
        let Some(claimed) = claimed else { continue };
        any = true;
        let found = kind.held_against(&mut figures, claimed, found.as_ref(), &path);
        if kind.member == TOTAL.member {
            total = found;
        }
    }
    if !any {
        return Err(format!("{} has neither a trend nor a comparison, nor the total of a report", path.display()));
    }
    if report {
        if let Some(total) = total {
            summary(&mut figures, &claimed, total);
        }
        let rest = claimed.as_object().into_iter().flatten().map(|(name, _)| name);
        let told = total.is_some();
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
    /// Holds a claim against what was counted, which is returned if both are of
    /// the same.
    fn held_against<'c>(
        &self,
        figures: &mut Figures,
        claimed: &Value,
        found: Option<&'c Counted>,
        path: &str,
    ) -> Option<&'c Value> {
        let what = if path.is_empty() { "all of it" } else { path };
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(what)) => {
                figures.wrong(|| format!("{path}: {what}"));
                return None;
            }
            None => {
                figures.uncounted.push(format!("{what}: the publication has no baseline to compare with"));
                return None;
            }
        };
        let at = |value: &Value, place: &str| value.pointer(&format!("/{place}")).cloned();
        for place in self.of {
            let (theirs, ours) = (at(claimed, place), at(found, place));
            if theirs != ours {
                let shown = |v: &Option<Value>| v.as_ref().map_or_else(|| "nothing".to_owned(), brief);
                let (theirs, ours) = (shown(&theirs), shown(&ours));
                figures.uncounted.push(format!("{what}: it is of {place} {theirs}, and the publication of {ours}"));
                return None;
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
        Some(found)
    }
}

/// What a report says in its headline and its list of hosts, as far as it
/// follows from the total that was counted. Whom somebody answers for no count
/// has: the list says it, and these are in no other number.
fn summary(figures: &mut Figures, claimed: &Value, counted: &Value) {
    let number = |name: &str| claimed.pointer(&format!("/headline/{name}")).and_then(Value::as_u64);
    let none = serde_json::Map::new();
    let verdicts = counted.pointer("/whole/verdicts").and_then(Value::as_object).unwrap_or(&none);
    let total = |word: &str| verdicts.get(word).and_then(Value::as_u64).unwrap_or(0);
    let likely = counted.pointer("/whole/likely_installed").and_then(Value::as_u64).unwrap_or(0);
    let hosts = claimed.get("hosts").and_then(Value::as_array);
    let is = |host: &Value, verdict: &str| host.get("verdict").and_then(Value::as_str) == Some(verdict);
    let has = |host: &Value, name: &str| host.get(name).is_some_and(|v| !matches!(v, Value::Null | Value::Bool(false)));
    let listed = |fits: &dyn Fn(&Value) -> bool| hosts.map(|h| h.iter().filter(|h| fits(h)).count() as u64);
    let accepted = number("accepted").unwrap_or(0);
    let all = verdicts.keys().filter(|v| *v != "none").map(|v| total(v)).fold(0, u64::saturating_add);
    let of_list = listed(&|h| has(h, "accepted"));
    figures.require(accepted <= all && of_list.is_none_or(|n| n == accepted), || {
        let listed = of_list.map_or_else(String::new, |n| format!("{n} are listed, and "));
        format!("/headline/accepted: claimed {accepted}, {listed}the total has {all}")
    });
    let numbers: [(&str, &[&str], u64); 4] = [
        ("in_use", &["active", "updating", "contacting"], 0),
        ("managed", &["managed"], 0),
        ("oem", &["oem"], 0),
        ("installed", &["attempting"], likely),
    ];
    for (name, words, likely) in numbers {
        let Some(n) = number(name) else { continue };
        let counted = words.iter().map(|w| total(w)).fold(likely, u64::saturating_add);
        let is_one = |h: &Value| words.iter().any(|w| is(h, w)) || likely > 0 && has(h, "likely_installed");
        let apart = listed(&|h| has(h, "accepted") && is_one(h));
        let least = counted.saturating_sub(apart.unwrap_or(accepted));
        figures.require((least..=counted.saturating_sub(apart.unwrap_or(0))).contains(&n), || {
            let apart = apart.unwrap_or(accepted);
            format!("/headline/{name}: claimed {n}, and the total has {counted}, of which {apart} are accepted")
        });
    }
    for (verdict, n) in verdicts.iter().filter(|(verdict, _)| *verdict != "none") {
        let Some(listed) = listed(&|h| is(h, verdict)) else { return };
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

/// Sensors have other names in a publication: of each only its share is left, and of
/// those in doubt how many there are.
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
                Value::Array(sensors) if name == "doubtful_sensors" => (name, sensors.len().into()),
                value => (name, without_sensors(value)),
            };
            Value::Object(all.into_iter().map(member).collect())
        }
        value => value,
    }
}
