//! What must be counted of a population, from its plan.

use super::plan::{MONTHS, Org, Scale};
use super::records::Habit;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Organisations and addresses of one month.
fn month(orgs: &[&Org], month: usize) -> Value {
    let active = || orgs.iter().filter(|o| o.months[month].1 > 0);
    json!({
        "organisations": active().count(),
        "addresses": active().map(|o| u64::from(o.months[month].1)).sum::<u64>(),
    })
}

/// April against November.
fn change(orgs: &[&Org]) -> Value {
    let of = |o: &Org, month: usize| {
        let (start, count) = o.months[month];
        (u64::from(start), u64::from(start + count))
    };
    let both = |o: &Org| {
        let ((a, b), (c, d)) = (of(o, 0), of(o, 7));
        b.min(d).saturating_sub(a.max(c))
    };
    let sum = |f: &dyn Fn(&Org) -> u64| orgs.iter().map(|o| f(o)).sum::<u64>();
    let (april, november) = (sum(&|o| o.months[0].1.into()), sum(&|o| o.months[7].1.into()));
    let still = sum(&|o| both(o));
    let seen = |o: &&&Org, month: usize| o.months[month].1 > 0;
    let orgs_still = orgs.iter().filter(|o| seen(o, 0) && seen(o, 7)).count();
    json!({
        "addresses": { "baseline": april, "current": november, "still": still, "gone": april - still,
            "new": november - still, "change_per_cent": 100.0 * (november as f64 - april as f64) / april as f64 },
        "organisations": { "baseline": orgs.iter().filter(|o| seen(o, 0)).count(),
            "current": orgs.iter().filter(|o| seen(o, 7)).count(), "still": orgs_still },
    })
}

/// The figures.
pub fn truth(orgs: &[Org], scale: &Scale, seed: u64) -> Value {
    let all: Vec<&Org> = orgs.iter().collect();
    let mut countries: BTreeMap<&str, Vec<&Org>> = BTreeMap::new();
    for org in orgs {
        countries.entry(org.country).or_default().push(org);
    }
    let by_month = |orgs: &[&Org]| -> Map<String, Value> {
        MONTHS.iter().enumerate().map(|(at, (number, _))| (format!("2024-{number:02}"), month(orgs, at))).collect()
    };
    let mut records = [0u64; 2];
    let mut reputation = [0u64; 8];
    for org in orgs {
        for (at, asked) in reputation.iter_mut().enumerate() {
            let (start, count) = org.months[at];
            for address in start..start + count {
                let habit = Habit::of(org, address, at, scale, seed);
                records[0] += u64::from(habit.count);
                records[1] += u64::from(habit.reputation(0));
                *asked += u64::from(habit.reputation(0));
            }
        }
    }
    let us = countries.get("US").cloned().unwrap_or_default();
    let before = |o: &&&Org| (0..6).any(|m| o.months[m].1 > 0);
    let after = |o: &&&Org| (6..8).any(|m| o.months[m].1 > 0);
    let cohort: Vec<&&Org> = us.iter().filter(before).collect();
    let still: Vec<&&Org> = us.iter().filter(|o| before(o) && after(o)).collect();
    let bodies = |orgs: &[&&Org]| orgs.iter().filter(|o| o.sector == "government").count();
    json!({
        "seed": seed,
        "records": { "update": records[0], "reputation": records[1], "all": records[0] + records[1] },
        "months": by_month(&all),
        "reputation": MONTHS.iter().zip(reputation).map(|((n, _), r)| (format!("2024-{n:02}"), r.into())).collect::<Map<String, Value>>(),
        "countries": countries.iter().map(|(c, orgs)| ((*c).to_owned(), json!({
            "months": by_month(orgs), "change": change(orgs) }))).collect::<Map<String, Value>>(),
        "change": change(&all),
        "cohort": {
            "country": "US",
            "before": "2024-04-01..2024-09-28",
            "after": "2024-09-29..2024-11-30",
            "seen_before": cohort.len(),
            "still_seen": still.len(),
            "share_per_cent": 100.0 * still.len() as f64 / cohort.len() as f64,
            "government_seen_before": bodies(&cohort),
            "government_still_seen": bodies(&still),
        },
    })
}
