//! What nobody looked for when the sources of a store were read: a run finds
//! what its own catalogue has, whatever the store is judged by later.

use super::rows::IS_OWN;
use super::{Result, Store};
use crate::base::Timestamp;
use crate::catalogue::{Catalogue, LongText};
use crate::measure::recount::Applied;
use std::collections::{BTreeMap, BTreeSet};

/// By which catalogues the sources of a store were searched.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// First and last quarter hour of each source, by the hashes of the
    /// catalogues of all runs that read it.
    by: BTreeMap<BTreeSet<String>, Vec<(i64, i64)>>,
    /// What each catalogue lacks, by its hash, that of the one in effect and
    /// whether that is applied backwards.
    lacking: BTreeMap<(String, String, bool), BTreeSet<String>>,
}

/// Of a source.
#[derive(Default)]
struct Of {
    /// First and last quarter hour.
    span: (i64, i64),
    /// Hashes of the catalogues of runs that read all of it.
    whole: BTreeSet<String>,
    /// The same of runs that left frames out.
    in_part: BTreeSet<String>,
}

/// Whether a command line, a JSON list of words, left frames out.
fn is_narrowed(command: &str) -> bool {
    let words: Vec<String> = serde_json::from_str(command).unwrap_or_default();
    let narrows = |word: &str| {
        let option = word.split_once('=').map_or(word, |(option, _)| option);
        ["--since", "--until", "--bpf"].contains(&option)
    };
    words.iter().any(|word| narrows(word))
}

impl Looked {
    /// Of the sources that runs of the store read or heard themselves. A run
    /// that imports has a catalogue too, and looks for nothing with it.
    pub(super) fn read(store: &Store) -> Result<Self> {
        let sql = format!(
            "SELECT s.source_no, s.first_ns, s.last_ns, r.catalogue, r.command
             FROM sources s JOIN run_sources o ON o.source_no = s.source_no JOIN runs r ON r.run = o.run
             WHERE s.first_ns IS NOT NULL AND s.last_ns IS NOT NULL AND {IS_OWN} AND (o.path <> ''
                OR s.source LIKE 'run:%' AND o.run = (SELECT min(run) FROM run_sources f WHERE f.source_no = s.source_no))"
        );
        let mut sources: BTreeMap<i64, Of> = BTreeMap::new();
        store.list(&sql, [], |row| {
            let quarter = |ns: i64| Timestamp(ns).quarter();
            let span = (quarter(row.get(1)?), quarter(row.get(2)?));
            let of = sources.entry(row.get(0)?).or_default();
            of.span = span;
            let whole = !is_narrowed(row.get_ref(4)?.as_str()?);
            if whole { &mut of.whole } else { &mut of.in_part }.insert(row.get(3)?);
            Ok(())
        })?;
        let mut looked = Looked::default();
        for of in sources.into_values() {
            // What was read in part was not looked through by that; what never was
            // whole is counted as not seen otherwise.
            let catalogues = if of.whole.is_empty() { of.in_part } else { of.whole };
            looked.by.entry(catalogues).or_default().push(of.span);
        }
        Ok(looked)
    }

    /// How many indicators were not looked for in some source of the quarter
    /// hours `from` to `to`, by any of the runs that read it.
    pub(super) fn unlooked(&mut self, store: &Store, from: i64, to: i64, applied: Applied<'_>) -> Result<u64> {
        let sha256 = applied.catalogue.sha256_hex();
        let mut all: BTreeSet<String> = BTreeSet::new();
        for (catalogues, spans) in &self.by {
            let meets = |(first, last): &(i64, i64)| *last >= from && *first <= to;
            if catalogues.contains(&sha256) || !spans.iter().any(meets) {
                continue;
            }
            let mut unlooked: Option<BTreeSet<String>> = None;
            for used in catalogues {
                let key = (used.clone(), sha256.clone(), applied.backwards);
                if !self.lacking.contains_key(&key) {
                    let text = store.catalogue(used)?;
                    let older = text.and_then(|text| Catalogue::from_effective("catalogue of a run", &text).ok());
                    self.lacking.insert(key.clone(), applied.unlooked(older.as_ref()));
                }
                let Some(lacking) = self.lacking.get(&key) else { continue };
                unlooked = Some(unlooked.map_or_else(|| lacking.clone(), |found| &found & lacking));
            }
            all.extend(unlooked.unwrap_or_default());
        }
        Ok(all.len() as u64)
    }
}

impl Store {
    /// How many indicators of the catalogue in effect were not looked for in
    /// every source of the quarter hours `from` to `to` (since the epoch, both
    /// included). What was imported counts for nothing here.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn unlooked(&self, from: i64, to: i64, applied: Applied<'_>) -> Result<u64> {
        Looked::read(self)?.unlooked(self, from, to, applied)
    }

    /// The text of a catalogue; `None` if it is not kept.
    pub(super) fn catalogue(&self, sha256: &str) -> Result<Option<LongText>> {
        let sql = "SELECT content FROM catalogues WHERE sha256 = ?1";
        let found = self.list(sql, [sha256], |row| row.get::<_, String>(0))?;
        let Some(content) = found.first() else { return Ok(None) };
        let text = LongText::stored(content, self.catalogue_parts(sha256)?);
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}
