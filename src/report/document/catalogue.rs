//! What was looked for, and who says so.

use crate::base::Timestamp;
use crate::catalogue::{Catalogue, Category, Confidence};
use crate::host::facts::Facts;
use crate::store::Run;
use serde::Serialize;
use std::collections::BTreeMap;

/// The catalogue that verdicts were made with, and those that records were.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CatalogueAccount {
    /// SHA-256 of the catalogue in effect for this report.
    pub sha256: String,
    /// Names of its files.
    pub files: Vec<String>,
    /// How many indicators it has.
    pub indicators: u64,
    /// The catalogues that the runs used, oldest first.
    pub used: Vec<UsedCatalogue>,
    /// The indicators that records of the window are of, the most frequent of
    /// each category first.
    pub seen: Vec<IndicatorAccount>,
}

/// A catalogue that runs used.
#[derive(Clone, Debug, Serialize)]
pub struct UsedCatalogue {
    /// SHA-256.
    pub sha256: String,
    /// How many runs used it.
    pub runs: u64,
    /// When the first of these began.
    pub first: Timestamp,
    /// When the last of these began.
    pub last: Timestamp,
}

/// An indicator with records in the window.
#[derive(Clone, Debug, Serialize)]
pub struct IndicatorAccount {
    /// Its id.
    pub id: String,
    /// Category.
    pub category: Category,
    /// Day records of the window; those of several sources count each.
    pub records: u64,
    /// How sure it is; absent where the catalogue in effect does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// What it stands for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// Where it is known from.
    pub sources: Vec<String>,
}

/// How many day records each indicator has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indicators(BTreeMap<String, (Category, u64)>);

impl Indicators {
    /// Adds the records of facts.
    pub fn add(&mut self, facts: &Facts) {
        let mut records = vec![0u64; facts.indicators.len()];
        for contact in &facts.contacts {
            if let Some(n) = records.get_mut(contact.indicator as usize) {
                *n = n.saturating_add(1);
            }
        }
        for (indicator, n) in facts.indicators.iter().zip(records).filter(|(_, n)| *n > 0) {
            self.count(&indicator.id, indicator.category, n);
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Indicators) {
        other.0.iter().for_each(|(id, (category, n))| self.count(id, *category, *n));
    }

    fn count(&mut self, id: &str, category: Category, records: u64) {
        match self.0.get_mut(id) {
            Some((known, n)) => (*known, *n) = (category.min(*known), n.saturating_add(records)),
            None => drop(self.0.insert(id.to_owned(), (category, records))),
        }
    }
}

impl CatalogueAccount {
    /// Of the catalogue in effect, the runs of the store and the indicators of
    /// the window.
    pub fn new(catalogue: &Catalogue, runs: &[(i64, Run)], indicators: &Indicators) -> Self {
        let mut used: Vec<UsedCatalogue> = Vec::new();
        for (_, run) in runs {
            match used.iter_mut().find(|u| u.sha256 == run.catalogue_sha256) {
                Some(u) => {
                    u.runs = u.runs.saturating_add(1);
                    (u.first, u.last) = (u.first.min(run.started), u.last.max(run.started));
                }
                None => used.push(UsedCatalogue {
                    sha256: run.catalogue_sha256.clone(),
                    runs: 1,
                    first: run.started,
                    last: run.started,
                }),
            }
        }
        used.sort_by(|a, b| (a.first, &a.sha256).cmp(&(b.first, &b.sha256)));
        CatalogueAccount {
            sha256: catalogue.sha256_hex(),
            files: catalogue.files().iter().map(|f| f.label.clone()).collect(),
            indicators: catalogue.len() as u64,
            used,
            seen: seen(catalogue, indicators),
        }
    }
}

fn seen(catalogue: &Catalogue, indicators: &Indicators) -> Vec<IndicatorAccount> {
    let account = |(id, (category, records)): (&String, &(Category, u64))| {
        let entry = catalogue.find(id).map(|(_, entry)| entry);
        IndicatorAccount {
            id: id.clone(),
            category: *category,
            records: *records,
            confidence: entry.map(|e| e.confidence),
            meaning: entry.map(|e| e.meaning.to_owned()).unwrap_or_default(),
            sources: entry.map(|e| e.sources().map(str::to_owned).collect()).unwrap_or_default(),
        }
    };
    let mut all: Vec<IndicatorAccount> = indicators.0.iter().map(account).collect();
    all.sort_by(|a, b| (a.category, b.records, &a.id).cmp(&(b.category, a.records, &b.id)));
    all
}
