//! `--fail-on`: which findings end a run with exit code 4.

use crate::catalogue::Category;
use crate::host::{Facts, HostView, Standing, Verdict};
use std::collections::HashMap;
use std::str::FromStr;

/// A word of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOn {
    /// This verdict; one that counts as use means the stronger ones too.
    Verdict(Verdict),
    /// Any contact of this category.
    Category(Category),
}

impl FromStr for FailOn {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        if let Ok(verdict) = word.parse() {
            return Ok(FailOn::Verdict(verdict));
        }
        category(word).map(FailOn::Category).map_err(|_| {
            format!(
                "it is neither a verdict ({}) nor a category ({})",
                words(Verdict::in_order().iter().map(|v| v.as_str())),
                words(Category::ALL.iter().map(|c| c.as_str()))
            )
        })
    }
}

/// A category from its word.
pub(super) fn category(word: &str) -> Result<Category, String> {
    Category::ALL
        .into_iter()
        .find(|c| c.as_str() == word)
        .ok_or_else(|| format!("give one of {}", words(Category::ALL.iter().map(|c| c.as_str()))))
}

/// A verdict from its word.
pub(super) fn verdict(word: &str) -> Result<Verdict, String> {
    word.parse().map_err(|_| format!("give one of {}", words(Verdict::in_order().iter().map(|v| v.as_str()))))
}

fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// What the words of an option ask for, and which records are of its
/// categories.
#[derive(Debug, Default)]
pub(super) struct Findings {
    verdicts: Vec<Verdict>,
    /// Ids of records, and whether they are alarms.
    records: HashMap<[u8; 16], bool>,
}

impl Findings {
    /// Of what hosts are judged by. What a resolver or proxy forwarded is a
    /// record as well.
    pub(super) fn new(words: &[FailOn], facts: &Facts) -> Self {
        let mut findings = Findings::default();
        let mut categories: Vec<Category> = Vec::new();
        for word in words {
            match word {
                FailOn::Verdict(v) => findings.verdicts.push(*v),
                FailOn::Category(c) => categories.push(*c),
            }
        }
        if !categories.is_empty() {
            for c in facts.contacts.iter().filter(|c| !c.support) {
                let category = facts.indicators.get(c.indicator as usize).map(|i| i.category);
                if let Some(category) = category.filter(|c| categories.contains(c)) {
                    findings.records.insert(c.id, category.is_alarm());
                }
            }
        }
        findings
    }

    /// Whether a host is one. An accepted host is none, but for its alarms: an
    /// exception is for a verdict.
    pub(super) fn has(&self, view: &HostView, standing: Standing<'_>) -> bool {
        let open = standing.accepted().is_none();
        let record = |id: &[u8; 16]| self.records.get(id).is_some_and(|is_alarm| open || *is_alarm);
        open && self.verdicts.iter().any(|v| is_at_least(view.verdict, *v)) || view.sightings.iter().any(record)
    }
}

/// Whether a verdict is another, or a stronger one where both count as use.
fn is_at_least(verdict: Verdict, wanted: Verdict) -> bool {
    verdict == wanted || wanted.is_use() && verdict.is_use() && verdict.strength() > wanted.strength()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sample::view;
    use crate::host::{Accept, FactsBuilder, Who};
    use crate::sighting::testing::record;

    fn found(words: &str, facts: &Facts, v: &HostView, standing: Standing<'_>) -> bool {
        let words: Vec<FailOn> = words.split(',').map(|w| w.parse().unwrap()).collect();
        Findings::new(&words, facts).has(v, standing)
    }

    #[test]
    fn a_verdict_of_use_means_the_stronger_ones_too() {
        let open = |words, v| found(words, &Facts::default(), &view("10.0.0.5", v), Standing::Open);
        assert!(open("contacting", Verdict::Contacting) && open("contacting", Verdict::Active));
        assert!(open("updating", Verdict::Active) && !open("updating", Verdict::Contacting));
        assert!(open("active", Verdict::Active) && !open("active", Verdict::Updating));
        assert!(open("looked-up", Verdict::LookedUp) && !open("looked-up", Verdict::Active));
        assert!(open("oem,web-only", Verdict::WebOnly) && !open("oem", Verdict::WebOnly));
    }

    #[test]
    fn a_category_is_found_whatever_the_verdict() {
        let mut builder = FactsBuilder::new();
        for (id, category, support) in
            [(1, Category::Update, false), (2, Category::Lookalike, false), (3, Category::Netblock, true)]
        {
            let mut r = record();
            r.id = format!("{id:032x}");
            (r.indicator.id, r.indicator.category) = (category.to_string(), category);
            builder.record(&r, support);
        }
        let facts = builder.build();
        let with = |ids: &[u128], words: &str, standing: Standing<'_>| {
            let mut v = view("10.0.0.5", Verdict::None);
            v.sightings = ids.iter().map(|id| id.to_be_bytes()).collect();
            found(words, &facts, &v, standing)
        };
        assert!(with(&[1], "update", Standing::Open) && !with(&[1], "lookalike,web", Standing::Open));
        assert!(!with(&[3], "netblock", Standing::Open), "support makes no record");
        let who = Who::Name("pc-5".into());
        let accept =
            Accept { who, segment: None, verdict: Verdict::Active, reason: "r".into(), owner: "o".into(), expires: 9 };
        let accepted = Standing::Accepted(&accept);
        assert!(!with(&[1], "update,none", accepted), "somebody answers for it");
        assert!(with(&[1, 2], "update,lookalike", accepted), "nobody answers for an alarm");
        assert!(with(&[1], "none", Standing::Expired(&accept)) && with(&[1], "none", Standing::Risen(&accept)));
    }

    #[test]
    fn another_word_is_refused_with_those_that_there_are() {
        let said = "infected".parse::<FailOn>().unwrap_err();
        assert!(said.contains("looked-up") && said.contains("lan-management"), "{said}");
        assert!(verdict("web").unwrap_err().contains("web-only") && category("web-only").is_err());
    }
}
