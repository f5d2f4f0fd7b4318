//! `--fail-on`: which findings end a run with exit code 4.

use crate::catalogue::Category;
use crate::host::{HostView, Standing, Verdict};
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
                words(Verdict::ALL.iter().map(|v| v.as_str())),
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
    word.parse().map_err(|_| format!("give one of {}", words(Verdict::ALL.iter().map(|v| v.as_str()))))
}

fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

impl FailOn {
    /// Whether a host is such a finding. An accepted host is none, but for its
    /// alarms: an exception is for a verdict.
    pub(super) fn finds(self, view: &HostView, standing: Standing<'_>) -> bool {
        let accepted = standing.accepted().is_some();
        match self {
            FailOn::Category(c) if c.is_alarm() => view.categories.contains_key(&c),
            _ if accepted => false,
            FailOn::Category(c) => view.categories.contains_key(&c),
            FailOn::Verdict(v) if v.is_use() => view.verdict.is_use() && view.verdict.strength() >= v.strength(),
            FailOn::Verdict(v) => view.verdict == v,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sample::view;
    use crate::host::{Accept, Cadence, Who};

    fn found(words: &str, v: &HostView, standing: Standing<'_>) -> bool {
        words.split(',').any(|w| w.parse::<FailOn>().unwrap().finds(v, standing))
    }

    #[test]
    fn a_verdict_of_use_means_the_stronger_ones_too() {
        let open = |words, verdict| found(words, &view("10.0.0.5", verdict), Standing::Open);
        assert!(open("contacting", Verdict::Contacting) && open("contacting", Verdict::Active));
        assert!(open("updating", Verdict::Active) && !open("updating", Verdict::Contacting));
        assert!(open("active", Verdict::Active) && !open("active", Verdict::Updating));
        assert!(open("looked-up", Verdict::LookedUp) && !open("looked-up", Verdict::Active));
        assert!(open("oem,web-only", Verdict::WebOnly) && !open("oem", Verdict::WebOnly));
    }

    #[test]
    fn a_category_is_found_whatever_the_verdict() {
        let mut v = view("10.0.0.5", Verdict::WebOnly);
        assert!(found("update", &v, Standing::Open) && !found("lookalike", &v, Standing::Open));
        let accept = Accept {
            who: Who::Address(v.ip),
            verdict: Verdict::Active,
            reason: "r".into(),
            owner: "o".into(),
            expires: 9,
        };
        let accepted = Standing::Accepted(&accept);
        assert!(!found("update,web-only", &v, accepted), "somebody answers for it");
        assert!(found("web-only", &v, Standing::Expired(&accept)) && found("web-only", &v, Standing::Risen(&accept)));
        v.categories.insert(Category::Lookalike, Cadence::default());
        assert!(found("lookalike", &v, accepted), "nobody answers for an alarm");
    }

    #[test]
    fn another_word_is_refused_with_those_that_there_are() {
        let said = "infected".parse::<FailOn>().unwrap_err();
        assert!(said.contains("looked-up") && said.contains("lan-management"), "{said}");
        assert!(verdict("web").unwrap_err().contains("web-only") && category("web-only").is_err());
    }
}
