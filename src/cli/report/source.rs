//! The facts of one window, held for all who count them.

use crate::catalogue::LongText;
use crate::measure::recount::Applied;
use crate::measure::{Days, FactSource, Part, RunOf, Seen, SourceError, UtcOffset, Wanted};
use crate::store::Measured;

/// A store of which the facts of one window are held.
pub(super) struct Held<'m> {
    store: &'m Measured,
    wanted: Wanted,
    part: Part,
}

impl<'m> Held<'m> {
    /// Reads them; of no window none.
    pub(super) fn new(
        store: &'m Measured,
        window: Option<Days>,
        offset: UtcOffset,
        names: bool,
    ) -> Result<Self, SourceError> {
        let wanted = Wanted { days: window.map(|days| offset.utc(days)).into_iter().collect(), names, ids: false };
        let mut part = Part::default();
        if window.is_some() {
            store.part(0, &wanted, &mut part)?;
        }
        Ok(Held { store, wanted, part })
    }

    /// What is held.
    pub(super) fn part(&self) -> &Part {
        &self.part
    }
}

impl FactSource for Held<'_> {
    fn parts(&self) -> u32 {
        self.store.parts()
    }

    fn part<'s>(&'s self, number: u32, wanted: &Wanted, room: &'s mut Part) -> Result<&'s Part, SourceError> {
        if number == 0 && *wanted == self.wanted { Ok(&self.part) } else { self.store.part(number, wanted, room) }
    }

    fn addresses_apart(&self) -> bool {
        self.store.addresses_apart()
    }

    fn quarters(&self) -> Result<Option<(i64, i64)>, SourceError> {
        self.store.quarters()
    }

    fn quarters_watched(&self) -> Result<Option<(i64, i64)>, SourceError> {
        self.store.quarters_watched()
    }

    fn seen(&self, from: i64, to: i64) -> Result<Seen, SourceError> {
        self.store.seen(from, to)
    }

    fn runs(&self) -> Result<Vec<RunOf>, SourceError> {
        self.store.runs()
    }

    fn unlooked(&self, from: i64, to: i64, applied: Applied<'_>) -> Result<Option<u64>, SourceError> {
        self.store.unlooked(from, to, applied)
    }

    fn catalogue(&self, sha256: &str) -> Result<Option<LongText>, SourceError> {
        self.store.catalogue(sha256)
    }
}
