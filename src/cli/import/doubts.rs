//! What records to import say that the catalogue or the clock does not bear out.
//! They are taken all the same: a sensor may have had a catalogue of its own.

use crate::base::Timestamp;
use crate::base::time::{DAY_SECS, SECOND, format_day};
use crate::catalogue::{Catalogue, Category};
use crate::cli::args::ImportArgs;
use crate::cli::exit::say;
use crate::report::counted;
use std::collections::BTreeSet;

/// Most indicators that are said each for itself.
const MAX_SAID: usize = 10;
/// Most that are kept to be counted.
const MAX_KEPT: usize = 10_000;

/// What is to be doubted.
pub(super) struct Doubts<'c> {
    catalogue: &'c Catalogue,
    /// Indicators with the category that records give them and that of the
    /// catalogue.
    other: BTreeSet<(String, &'static str, &'static str)>,
    /// There were more than are kept.
    others: bool,
    /// The pair last met.
    met: (String, Option<Category>),
    newest: Option<Timestamp>,
}

impl<'c> Doubts<'c> {
    /// Held against a catalogue.
    pub(super) fn of(catalogue: &'c Catalogue) -> Self {
        Doubts { catalogue, other: BTreeSet::new(), others: false, met: (String::new(), None), newest: None }
    }

    /// A record gives an indicator that category.
    pub(super) fn indicator(&mut self, id: &str, category: Category) {
        if self.met.1 == Some(category) && self.met.0 == id {
            return;
        }
        self.met = (id.to_owned(), Some(category));
        if let Some((_, known)) = self.catalogue.find(id)
            && known.category != category
        {
            let one = (id.to_owned(), category.as_str(), known.category.as_str());
            if self.other.len() < MAX_KEPT {
                self.other.insert(one);
            } else {
                self.others |= !self.other.contains(&one);
            }
        }
    }

    /// Records reach to that time.
    pub(super) fn time(&mut self, newest: Option<Timestamp>) {
        self.newest = self.newest.max(newest);
    }

    /// Says what there is to say, on standard error.
    pub(super) fn say(&self, args: &ImportArgs) {
        if !args.quiet {
            self.sentences(Timestamp::now()).iter().for_each(|sentence| say(format_args!("warning: {sentence}")));
        }
    }

    fn sentences(&self, now: Timestamp) -> Vec<String> {
        let one = |(id, given, known): &(String, &str, &str)| {
            format!(
                "records give {id} the category {given}; in the catalogue in effect it has {known}. Verdicts follow the records"
            )
        };
        let mut all: Vec<String> = self.other.iter().take(MAX_SAID).map(one).collect();
        if let Some(more) = self.other.len().checked_sub(MAX_SAID).filter(|n| *n > 0) {
            let least = if self.others { "at least " } else { "" };
            let more = counted(more as u64, "more indicator", "more indicators");
            all.push(format!("so do records of {least}{more}"));
        }
        // Clocks of sensors may be a little fast, and somewhere it is tomorrow.
        let soon = now.plus(DAY_SECS.saturating_mul(SECOND));
        if let Some(newest) = self.newest.filter(|newest| *newest > soon) {
            all.push(format!(
                "records reach to {}, which is still to come: check the clock of the sensor. Commands that are given no \
                 window, or a number of days, count up to then",
                format_day(newest.day())
            ));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalogue_and_the_clock_do_not_bear_out_is_said() {
        let catalogue = Catalogue::builtin();
        let mut doubts = Doubts::of(&catalogue);
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let (_, first) = catalogue.iter().find(|(_, i)| i.category == Category::Web).unwrap();
        doubts.indicator(first.id, Category::Web);
        doubts.indicator("of-a-sensor", Category::Update);
        doubts.time(Some(Timestamp::parse("2026-03-02T11:00:00Z").unwrap()));
        assert!(doubts.sentences(now).is_empty());
        doubts.indicator(first.id, Category::Update);
        doubts.indicator(first.id, Category::Update);
        doubts.time(Some(Timestamp::parse("2199-12-31").unwrap()));
        doubts.time(Some(now));
        let said = doubts.sentences(now);
        assert_eq!(said.len(), 2, "{said:?}");
        let wanted = format!("records give {} the category update; in the catalogue in effect it has web.", first.id);
        assert!(said[0].starts_with(&wanted), "{said:?}");
        assert!(said[1].starts_with("records reach to 2199-12-31, which is still to come"), "{said:?}");
        let others = catalogue.iter().filter(|(_, i)| i.category != Category::Sinkhole);
        others.for_each(|(_, i)| doubts.indicator(i.id, Category::Sinkhole));
        let said = doubts.sentences(now);
        assert_eq!(said.len(), MAX_SAID + 2, "{said:?}");
        assert!(said[MAX_SAID].starts_with("so do records of "), "{said:?}");
    }

    #[test]
    fn of_more_than_are_kept_no_number_is_said_as_if_it_were_all() {
        let id = |n: usize| format!("web-{n:05}");
        let list: String = (0..=MAX_KEPT)
            .map(|n| {
                let id = id(n);
                format!("[[indicator]]\nid = \"{id}\"\ncategory = \"web\"\nuse = \"alone\"\nconfidence = \"low\"\nmeaning = \"m\"\nexact = \"{id}.test\"\n")
            })
            .collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list).unwrap();
        let catalogue = Catalogue::load(Some(file.path()), &[]).unwrap();
        let mut doubts = Doubts::of(&catalogue);
        let last = |doubts: &Doubts<'_>| doubts.sentences(Timestamp(0)).last().unwrap().clone();
        (0..MAX_KEPT).for_each(|n| doubts.indicator(&id(n), Category::Update));
        doubts.indicator(&id(0), Category::Update);
        assert_eq!(last(&doubts), "so do records of 9,990 more indicators");
        doubts.indicator(&id(MAX_KEPT), Category::Update);
        assert_eq!(last(&doubts), "so do records of at least 9,990 more indicators");
    }
}
