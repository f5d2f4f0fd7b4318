//! An archive as a source of facts to be counted.

use super::facts::NamesInto;
use super::{Archive, Result};
use crate::catalogue::LongText;
use crate::measure::{FactSource, Part, RunOf, Seen, SourceError, Wanted};

impl Archive {
    /// All parts as one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn whole_part(&self, wanted: &Wanted, room: &mut Part) -> Result<()> {
        room.clear();
        let names = &mut room.names;
        let into = NamesInto { texts: &mut names.texts, all: &mut names.all, ends: &mut names.ends };
        self.whole(&|day| wanted.has(day), wanted.ids, &mut room.facts, wanted.names.then_some(into))
    }
}

impl FactSource for Archive {
    fn parts(&self) -> u32 {
        Archive::parts(self)
    }

    fn part<'s>(
        &'s self,
        number: u32,
        wanted: &Wanted,
        room: &'s mut Part,
    ) -> std::result::Result<&'s Part, SourceError> {
        room.clear();
        let names = &mut room.names;
        let into = NamesInto { texts: &mut names.texts, all: &mut names.all, ends: &mut names.ends };
        Archive::part(self, number, &|day| wanted.has(day), wanted.ids, &mut room.facts, wanted.names.then_some(into))?;
        Ok(room)
    }

    fn addresses_apart(&self) -> bool {
        Archive::parts(self) <= 1 || !self.has_hardware_addresses()
    }

    fn quarters(&self) -> std::result::Result<Option<(i64, i64)>, SourceError> {
        Ok(self.span().map(|(first, last)| (first.quarter(), last.quarter())))
    }

    /// Only how many sources there are: records do not tell what else was seen.
    fn seen(&self, from: i64, to: i64) -> std::result::Result<Seen, SourceError> {
        Ok(Seen { imported: self.covered(from, to).imported, ..Seen::default() })
    }

    fn runs(&self) -> std::result::Result<Vec<RunOf>, SourceError> {
        let run = |i: super::ImportOf| RunOf {
            version: i.version,
            sensor: String::new(),
            catalogue_sha256: i.catalogue_sha256,
            started: i.started,
            covers: i.covers,
        };
        Ok(self.imports().map(run).collect())
    }

    fn catalogue(&self, sha256: &str) -> std::result::Result<Option<LongText>, SourceError> {
        let found: Result<Option<LongText>> = Archive::catalogue(self, sha256);
        Ok(found?.filter(|text| !text.is_empty()))
    }
}
