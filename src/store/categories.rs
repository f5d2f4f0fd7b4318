//! Categories that records give to indicators, against the catalogues of the
//! runs. A verdict follows the category in the record, and of an imported record
//! that is the word of whoever wrote it.

use crate::catalogue::{Catalogue, Category, LongText};
use std::collections::{BTreeMap, BTreeSet};

/// Records by indicator and category.
pub(super) type Given = BTreeMap<(String, Category), u64>;

/// Most of these that are looked at.
pub(super) const MAX_GIVEN: usize = 100_000;

/// A sentence for each category that no catalogue gives to an indicator, where
/// one knows that by another. What none knows may be of a catalogue elsewhere.
pub(super) fn unlike(mut given: Given, catalogues: impl Iterator<Item = LongText>) -> Vec<String> {
    let mut known: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (number, text) in catalogues.enumerate() {
        if given.is_empty() {
            break;
        }
        let Ok(catalogue) = Catalogue::from_effective(&format!("catalogue {number}"), &text) else { continue };
        given.retain(|(id, category), _| match catalogue.find(id) {
            Some((_, listed)) if listed.category == *category => false,
            Some((_, listed)) => {
                known.entry(id.clone()).or_default().insert(listed.category.as_str());
                true
            }
            None => true,
        });
    }
    let sentence = |((id, category), records): (&(String, Category), &u64)| {
        let listed: Vec<&str> = known.get(id)?.iter().copied().collect();
        let records = if *records == 1 { "1 record gives".to_owned() } else { format!("{records} records give") };
        Some(format!(
            "{records} {id} the category {}, and no catalogue of its runs does: there it has {}",
            category.as_str(),
            listed.join(" or ")
        ))
    };
    given.iter().filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_catalogues_know_otherwise_is_said() {
        let builtin = Catalogue::builtin();
        let (_, web) = builtin.iter().find(|(_, i)| i.category == Category::Web).unwrap();
        let pairs = [(web.id, Category::Web, 7), (web.id, Category::Update, 2), ("of-a-sensor", Category::Update, 1)];
        let given: Given = pairs.iter().map(|(id, category, n)| (((*id).to_owned(), *category), *n)).collect();
        let said = unlike(given.clone(), [builtin.effective_toml()].into_iter());
        let wanted = format!(
            "2 records give {} the category update, and no catalogue of its runs does: there it has web",
            web.id
        );
        assert_eq!(said, [wanted]);
        assert!(unlike(given, [LongText::from("no catalogue")].into_iter()).is_empty());
    }
}
