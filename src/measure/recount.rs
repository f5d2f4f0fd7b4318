//! One catalogue for all records, whatever they were made with: a new
//! indicator must not look like new use.

use super::fact::{Names, Part};
use crate::base::Name;
use crate::catalogue::{Catalogue, Indicator, IndicatorRef, Pattern, Use};
use crate::host::Facts;
use crate::host::facts::Indicated;
use foldhash::HashMap;
use std::collections::BTreeSet;

/// The catalogue that records are understood by.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// Whether it is applied to all records anew ([`Recount`]).
    pub backwards: bool,
}

impl Applied<'_> {
    /// Indicators that who used an older catalogue did not look for: of one that
    /// cannot be read all, as nothing says that any was.
    pub fn unlooked(&self, older: Option<&Catalogue>) -> BTreeSet<String> {
        // Under the same id it may have been another one: by less patterns, or of
        // less weight.
        let is_in = |older: &Catalogue, now: &Indicator<'_>| {
            older.find(now.id).is_some_and(|(_, then)| {
                let known: Vec<Pattern> = then.patterns().collect();
                let as_strong = then.usage == Use::Alone || then.usage == now.usage;
                as_strong && then.category == now.category && now.patterns().all(|p| known.contains(&p))
            })
        };
        match older {
            Some(older) if self.backwards => Recount::new(self.catalogue).beyond(older).into_iter().collect(),
            _ => {
                let used = self.catalogue.iter().filter(|(_, i)| i.usage != Use::Off).map(|(_, i)| i);
                used.filter(|i| !older.is_some_and(|older| is_in(older, i))).map(|i| i.id.to_owned()).collect()
            }
        }
    }
}

/// Applies a catalogue to records that others were used for.
///
/// A record counts for the indicator that its names fit in this catalogue: its
/// own, if that still fits any of them, else the first in the catalogue's order.
/// A record without names (contacts by address, path, port, payload or address
/// space) counts if the catalogue has its indicator. Records that do not fit
/// are left out. What an older catalogue did not look for has no record, and
/// nothing brings it back: [`Recount::beyond`] says which indicators those are.
#[derive(Debug)]
pub struct Recount<'a> {
    catalogue: &'a Catalogue,
}

/// What names and indicators of a part are in the catalogue.
struct Fitting<'c> {
    catalogue: &'c Catalogue,
    names: Vec<Option<IndicatorRef>>,
    own: Vec<Option<IndicatorRef>>,
}

impl Fitting<'_> {
    /// The indicator that a record counts for, and how many of its names fit.
    fn of(&self, names: &Names, contact: usize, indicator: u32) -> Option<(IndicatorRef, usize)> {
        let own = self.own.get(indicator as usize).copied().flatten();
        let listed = names.of(contact);
        let mut any = false;
        let fitting: Vec<IndicatorRef> =
            listed.inspect(|_| any = true).filter_map(|n| self.names.get(n as usize).copied().flatten()).collect();
        if !any {
            return own.map(|own| (own, 0));
        }
        let first = fitting.iter().min().copied()?;
        Some((own.filter(|own| fitting.contains(own)).unwrap_or(first), fitting.len()))
    }

    fn is_support(&self, found: IndicatorRef) -> bool {
        self.catalogue.get(found).is_some_and(|i| i.usage == Use::Support)
    }
}

impl<'a> Recount<'a> {
    /// With this catalogue.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Recount { catalogue }
    }

    fn fitting(&self, part: &Part) -> Fitting<'a> {
        let by_name = |text: &str| self.catalogue.match_name(&Name::from_text(text.as_bytes()));
        let in_use = |indicated: &Indicated| {
            let (found, indicator) = self.catalogue.find(&indicated.id)?;
            (indicator.usage != Use::Off).then_some(found)
        };
        Fitting {
            catalogue: self.catalogue,
            names: part.names.texts.iter().map(|text| by_name(text)).collect(),
            own: part.facts.indicators.iter().map(in_use).collect(),
        }
    }

    /// The facts of a part as this catalogue would have made them, as far as
    /// records tell.
    pub fn apply(&self, part: &Part) -> Facts {
        let fitting = self.fitting(part);
        let from = &part.facts;
        let mut facts = Facts {
            sources: from.sources.clone(),
            seen: from.seen.clone(),
            intervals: from.intervals.clone(),
            signals: from.signals.clone(),
            ..Facts::default()
        };
        let mut numbers: HashMap<IndicatorRef, u32> = HashMap::default();
        let mut servers = from.servers.iter().peekable();
        for (at, contact) in from.contacts.iter().enumerate() {
            let found = fitting.of(&part.names, at, contact.indicator);
            let place = u32::try_from(facts.contacts.len()).unwrap_or(u32::MAX);
            while let Some(server) = servers.next_if(|s| s.contact as usize <= at) {
                if found.is_some() && server.contact as usize == at {
                    facts.servers.push(crate::host::ServedBy { contact: place, ..*server });
                }
            }
            let Some((found, fit)) = found else { continue };
            let next = u32::try_from(facts.indicators.len()).unwrap_or(u32::MAX);
            let indicator = *numbers.entry(found).or_insert_with(|| {
                if let Some(i) = self.catalogue.get(found) {
                    facts.indicators.push(Indicated { id: i.id.to_owned(), category: i.category });
                }
                next
            });
            let listed = part.names.of(at).count();
            let names = if fit == listed { contact.names } else { u32::try_from(fit).unwrap_or(u32::MAX) };
            facts.contacts.push(super::fact::Fact { indicator, names, support: fitting.is_support(found), ..*contact });
        }
        facts
    }

    /// Indicators of this catalogue that records of an older one cannot show:
    /// it did not look for them, by this name or any other.
    pub fn beyond(&self, older: &Catalogue) -> Vec<String> {
        let looked_for = |pattern: &Pattern| {
            let covers = |name: &str| older.match_name(&Name::from_text(name.as_bytes())).is_some();
            match pattern {
                Pattern::Exact(name) => covers(name),
                // Whoever looks for all below a name finds what nobody has.
                Pattern::Suffix(name) => covers(name) && covers(&format!("x-0.{name}")),
                Pattern::Host(host) => covers(&format!("x-0.{}", host.under)),
                _ => false,
            }
        };
        let is_beyond = |i: &crate::catalogue::Indicator<'_>| {
            let same = older.find(i.id).is_some_and(|(_, o)| o.usage != Use::Off && o.patterns().eq(i.patterns()));
            i.usage != Use::Off && !same && !i.patterns().all(|p| looked_for(&p))
        };
        self.catalogue.iter().filter(|(_, i)| is_beyond(i)).map(|(_, i)| i.id.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::LongText;
    use crate::measure::fact::{FactSource, Wanted};
    use crate::measure::testing::{F, Memory, f};

    fn catalogue(entries: &[(&str, &str, &str)]) -> Catalogue {
        let entry = |(id, category, pattern): &(&str, &str, &str)| {
            format!(
                "[[indicator]]\nid = \"{id}\"\ncategory = \"{category}\"\nuse = \"alone\"\nconfidence = \"high\"\n\
                 meaning = \"test\"\nsources = [\"https://example.org\"]\n{pattern}\n"
            )
        };
        let text: String = entries.iter().map(entry).collect();
        Catalogue::from_effective("test", &LongText::stored(&text, Vec::new())).unwrap()
    }

    fn recounted(records: &[F], catalogue: &Catalogue) -> Vec<(String, i32)> {
        let source = Memory::new(records, 1);
        let mut room = Part::default();
        let wanted = Wanted { names: true, ..Wanted::default() };
        let part = source.part(0, &wanted, &mut room).unwrap();
        let facts = Recount::new(catalogue).apply(part);
        let of = |c: &crate::measure::Fact| (facts.indicators[c.indicator as usize].id.clone(), c.day);
        facts.contacts.iter().map(of).collect()
    }

    #[test]
    fn records_count_for_what_their_names_fit() {
        let old = catalogue(&[("all", "web", "suffix = \"kaspersky.com\"")]);
        let new = catalogue(&[
            ("all", "web", "suffix = \"kaspersky.com\""),
            ("some", "update", "suffix = \"upd.kaspersky.com\""),
        ]);
        let records = [
            f("10.0.0.1", 1).names(&["a.upd.kaspersky.com"]),
            f("10.0.0.1", 2).names(&["www.kaspersky.com"]),
            f("10.0.0.1", 3).names(&["www.kaspersky.com", "a.upd.kaspersky.com"]),
            f("10.0.0.1", 4).names(&["elsewhere.example"]),
            f("10.0.0.1", 5),
        ];
        let named = |all: &[(&str, i32)]| all.iter().map(|(i, d)| ((*i).to_owned(), *d)).collect::<Vec<_>>();
        assert_eq!(recounted(&records, &old), named(&[("all", 1), ("all", 2), ("all", 3)]));
        assert_eq!(recounted(&records, &new), named(&[("some", 1), ("all", 2), ("all", 3)]));
    }

    #[test]
    fn a_record_without_names_counts_by_its_indicator() {
        let own = crate::measure::testing::indicator("update");
        let records = [f("10.0.0.1", 5)];
        let with = catalogue(&[(own, "reputation", "address = \"192.0.2.0/24\"")]);
        assert_eq!(recounted(&records, &with), [(own.to_owned(), 5)]);
        assert!(recounted(&records, &catalogue(&[("x", "update", "exact = \"x.example\"")])).is_empty());
    }

    #[test]
    fn what_an_older_catalogue_did_not_look_for_is_said() {
        let old = catalogue(&[("all", "web", "suffix = \"kaspersky.com\"")]);
        let new = catalogue(&[
            ("inside", "update", "suffix = \"upd.kaspersky.com\""),
            ("outside", "update", "suffix = \"labs.example\""),
            ("address", "update", "address = \"192.0.2.1\""),
        ]);
        assert_eq!(Recount::new(&new).beyond(&old), ["outside", "address"]);
        assert!(Recount::new(&old).beyond(&old).is_empty());
        assert_eq!(Recount::new(&old).beyond(&new), ["all"], "it finds only a part of it");
    }
}
