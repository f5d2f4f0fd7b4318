//! What a report takes from a store of either kind beside facts.

use super::super::exit::Stop;
use super::super::stored;
use super::windows::Windows;
use crate::base::Timestamp;
use crate::measure::{FactSource, UtcOffset};
use crate::report::document::{CoverageAccount, CustodyAccount, FileHash};
use crate::report::summary::Summary;
use crate::sighting::HomeNets;
use crate::store::archive::Archive;
use crate::store::{Measured, Run, Source, Store};
use std::path::Path;

/// A store that is open.
pub(super) enum Kept {
    /// Of one file.
    Store(Measured),
    /// A folder.
    Archive(Archive),
}

impl Kept {
    pub(super) fn open(path: &Path) -> Result<Self, Stop> {
        Ok(match Archive::is_meant(path) {
            true => Kept::Archive(Archive::open(path)?),
            false => Kept::Store(Measured::new(Store::open_read_only(path)?)),
        })
    }

    pub(super) fn source(&self) -> &dyn FactSource {
        match self {
            Kept::Store(measured) => measured,
            Kept::Archive(archive) => archive,
        }
    }

    /// Home networks of its records.
    pub(super) fn home(&self) -> Result<HomeNets, Stop> {
        match self {
            Kept::Store(measured) => stored::home(&measured.store()),
            Kept::Archive(_) => Ok(HomeNets::default()),
        }
    }

    /// What to say of its pseudonyms.
    pub(super) fn pseudonyms(&self) -> Result<Option<String>, Stop> {
        let Kept::Store(measured) = self else { return Ok(None) };
        let said = stored::pseudonyms(&measured.store())?;
        Ok(said.map(|s| s.trim_start_matches("warning: ").to_owned()))
    }

    pub(super) fn summary(
        &self,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        hosts: u64,
    ) -> Result<Summary, Stop> {
        match self {
            Kept::Store(measured) => stored::summary(&measured.store(), since, until, hosts),
            Kept::Archive(archive) => Ok(stored::archive_summary(archive, since, until, hosts)),
        }
    }

    pub(super) fn coverage(&self, windows: &Windows, offset: UtcOffset) -> Result<CoverageAccount, Stop> {
        match (self, windows.span) {
            (Kept::Store(measured), Some(days)) => {
                Ok(CoverageAccount::new(days, offset, &|from, to| measured.seen(from, to))?)
            }
            _ => Ok(CoverageAccount::default()),
        }
    }

    /// What it cannot know, a sentence without a full stop each.
    pub(super) fn unknown(&self) -> Vec<String> {
        let Kept::Archive(archive) = self else { return Vec::new() };
        let mut all = vec![
            "when the sensors were up, what they saw at all, and what they lost or could not read: an archive keeps \
             records alone"
                .to_owned(),
            "who had which address, and which hosts work for others: in an archive a resolver, a proxy or a gateway \
             looks like any host, and what only these would explain is counted for who sent it"
                .to_owned(),
            "runs, captures and catalogues of the sensors: the runs below are the imports, and the sources say what \
             their records show"
                .to_owned(),
        ];
        if archive.has_other_sources() {
            all.push("the sources of some records: an archive lists the first 65,536".to_owned());
        }
        all
    }

    /// Runs with their numbers, oldest first.
    pub(super) fn runs(&self) -> Result<Vec<(i64, Run)>, Stop> {
        match self {
            Kept::Store(measured) => Ok(measured.store().runs()?),
            Kept::Archive(archive) => Ok((1..).zip(archive.runs()).collect()),
        }
    }

    pub(super) fn sources(&self) -> Result<Vec<Source>, Stop> {
        match self {
            Kept::Store(measured) => Ok(measured.store().sources()?),
            Kept::Archive(archive) => {
                let mut all: Vec<Source> = archive.sources().collect();
                all.sort_by(|a, b| (a.first, &a.source).cmp(&(b.first, &b.source)));
                Ok(all)
            }
        }
    }

    pub(super) fn custody(&self, files: Vec<FileHash>) -> Result<CustodyAccount, Stop> {
        match self {
            Kept::Store(measured) => Ok(CustodyAccount::new(&measured.store(), files)?),
            Kept::Archive(archive) => {
                Ok(CustodyAccount { archive_sha256: Some(archive.sha256()?), files, ..CustodyAccount::default() })
            }
        }
    }
}
