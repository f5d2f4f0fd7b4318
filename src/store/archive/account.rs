//! What an archive tells beside its records: its imports, of which sources
//! they were, and by which hashes it can be checked.

use super::manifest::{Imported, SourceSpan};
use super::{Archive, MANIFEST, failed};
use crate::base::digest::file_sha256;
use crate::store::{Covered, Result, Run, Source};

impl Archive {
    /// The accounts of its imports, oldest first, without the texts of their
    /// catalogues.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        self.manifest.runs.iter().map(Imported::run)
    }

    /// The sources that are listed, by id, with their least and greatest time.
    pub fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.manifest.sources.iter().filter(|(_, span)| span.is_any()).map(|(source, span)| Source {
            source: source.clone(),
            first: Some(span.first),
            last: Some(span.last),
            ..Source::default()
        })
    }

    /// Whether there are sources that are not listed.
    pub fn has_other_sources(&self) -> bool {
        self.manifest.others.is_any()
    }

    /// What is known of what its sources covered in the quarter hours `from` to
    /// `to` (since the epoch, both included): how many there were, those that
    /// are not listed as one, and when. An archive has no coverage.
    pub fn covered(&self, from: i64, to: i64) -> Covered {
        let meets = |s: &&SourceSpan| s.is_any() && s.first.quarter() <= to && from <= s.last.quarter();
        let all = || self.manifest.sources.values().chain([&self.manifest.others]).filter(meets);
        Covered {
            imported: all().count() as u64,
            first: all().map(|s| s.first).min(),
            last: all().map(|s| s.last).max(),
            ..Covered::default()
        }
    }

    /// SHA-256 of its manifest, which names the hashes of all else, in
    /// hexadecimal.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn sha256(&self) -> Result<String> {
        file_sha256(&self.folder.join(MANIFEST)).map_err(|e| failed(&self.place(), &e))
    }
}
