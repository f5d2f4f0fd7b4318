//! Categories that records give to indicators, against the catalogues of the
//! runs. A verdict follows the category in the record, and of an imported record
//! that is the word of whoever wrote it.

use crate::catalogue::{Catalogue, Category, LongText};
use std::collections::{BTreeMap, BTreeSet};

/// Most pairs of indicator and category that are looked at.
const MAX_GIVEN: usize = 100_000;

/// What records give, and what the catalogues make of it.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Records by indicator and category; those that a catalogue bears out are
    /// taken out.
    all: BTreeMap<String, BTreeMap<Category, u64>>,
    /// How many pairs were put there.
    pairs: usize,
    /// Records of pairs beyond [`MAX_GIVEN`].
    beyond: u64,
    /// Categories that catalogues have for what is still there.
    known: BTreeMap<String, BTreeSet<&'static str>>,
}

impl Given {
    /// So many records give an indicator that category.
    pub(super) fn note(&mut self, indicator: &str, category: Category, records: u64) {
        let room = self.pairs < MAX_GIVEN;
        let by = match self.all.get_mut(indicator) {
            Some(by) => by,
            None if room => self.all.entry(indicator.to_owned()).or_default(),
            None => return self.beyond = self.beyond.saturating_add(records),
        };
        match by.get_mut(&category) {
            Some(sum) => *sum = sum.saturating_add(records),
            None if room => {
                by.insert(category, records);
                self.pairs = self.pairs.saturating_add(1);
            }
            None => self.beyond = self.beyond.saturating_add(records),
        }
    }

    /// Whether there is nothing left to be held against a catalogue.
    pub(super) fn is_settled(&self) -> bool {
        self.all.is_empty()
    }

    /// Holds all against the catalogue of a run. What is no catalogue is passed
    /// over.
    pub(super) fn hold_against(&mut self, text: &LongText) {
        let Ok(catalogue) = Catalogue::from_effective("catalogue of a run", text) else { return };
        let Given { all, known, .. } = self;
        all.retain(|id, by| {
            let Some((_, listed)) = catalogue.find(id) else { return true };
            by.remove(&listed.category);
            if !by.is_empty() {
                known.entry(id.clone()).or_default().insert(listed.category.as_str());
            }
            !by.is_empty()
        });
    }

    /// A sentence for each category that no catalogue gives to an indicator, where
    /// one knows that by another, up to `most`; what none knows may be of a
    /// catalogue elsewhere. Then how many more there are, and what was not
    /// looked at.
    pub(super) fn sentences(&self, most: usize) -> Vec<String> {
        let doubtful = self.all.iter().filter_map(|(id, by)| Some((id, by, self.known.get(id)?)));
        let mut doubtful = doubtful.flat_map(|(id, by, known)| by.iter().map(move |(c, n)| (id, *c, *n, known)));
        let sentence = |(id, category, records, known): (&String, Category, u64, &BTreeSet<&str>)| {
            let records = if records == 1 { "1 record gives".to_owned() } else { format!("{records} records give") };
            let listed: Vec<&str> = known.iter().copied().collect();
            format!(
                "{records} {id} the category {}, and no catalogue of its runs does: there it has {}",
                category.as_str(),
                listed.join(" or ")
            )
        };
        let mut said: Vec<String> = doubtful.by_ref().take(most).map(sentence).collect();
        let more = doubtful.count();
        if more > 0 {
            said.push(format!("and {more} more in the same way"));
        }
        if self.beyond > 0 {
            let records =
                if self.beyond == 1 { "1 record has".to_owned() } else { format!("{} records have", self.beyond) };
            said.push(format!(
                "{records} an indicator and category beyond the first {MAX_GIVEN}, which were not compared with any catalogue"
            ));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web_id(catalogue: &Catalogue) -> String {
        catalogue.iter().find(|(_, i)| i.category == Category::Web).unwrap().1.id.to_owned()
    }

    #[test]
    fn only_what_the_catalogues_know_otherwise_is_said() {
        let builtin = Catalogue::builtin();
        let web = web_id(&builtin);
        let mut given = Given::default();
        for (id, category, n) in
            [(web.as_str(), Category::Web, 7), (&web, Category::Update, 1), ("of-a-sensor", Category::Update, 1)]
        {
            given.note(id, category, n);
        }
        given.note(&web, Category::Update, 1);
        given.hold_against(&LongText::from("no catalogue"));
        assert!(given.sentences(9).is_empty());
        given.hold_against(&builtin.effective_toml());
        let wanted =
            format!("2 records give {web} the category update, and no catalogue of its runs does: there it has web");
        assert_eq!(given.sentences(9), [wanted]);
        assert!(!given.is_settled(), "one is of a catalogue elsewhere");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let builtin = Catalogue::builtin();
        let mut given = Given::default();
        // Made up, so that what comes last is not looked at.
        (0..MAX_GIVEN - 3).for_each(|n| given.note(&format!("{n:06}"), Category::Update, 1));
        let web = web_id(&builtin);
        [Category::Update, Category::Service, Category::Sinkhole].iter().for_each(|c| given.note(&web, *c, 1));
        given.note("000000", Category::Update, 1);
        for n in 1..=3 {
            given.note(&web, Category::Reputation, n);
            given.note("zzz", Category::Reputation, n);
        }
        given.hold_against(&builtin.effective_toml());
        let said = given.sentences(2);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].contains("the category update") && said[1].contains("the category"), "{said:?}");
        assert_eq!(said[2], "and 1 more in the same way");
        let wanted = "12 records have an indicator and category beyond the first 100000, which were not compared with any catalogue";
        assert_eq!(said[3], wanted);
        assert_eq!(given.sentences(3).len(), 4, "all three are said");
    }
}
