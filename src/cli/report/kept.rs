//! What a report takes from a store of either kind beside facts.

use super::super::exit::Stop;
use super::super::stored::{self, Kept};
use super::windows::Windows;
use crate::base::Timestamp;
use crate::measure::recount::Applied;
use crate::measure::{Coverage, FactSource, UtcOffset};
use crate::report::document::{CoverageAccount, CustodyAccount, FileHash};
use crate::report::summary::Summary;
use crate::store::{Run, Source};

impl Kept {
    /// What was seen at all in the window that was counted.
    pub(super) fn summary(
        &self,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        hosts: u64,
        counted: Option<&Coverage>,
        applied: Applied<'_>,
    ) -> Result<Summary, Stop> {
        let mut summary = match self {
            Kept::Store(measured) => stored::summary(&measured.store(), since, until, hosts, applied)?,
            Kept::Archive(archive) => stored::archive_summary(archive, since, until, hosts),
        };
        // What makes figures doubtful makes it doubtful that nothing was found.
        if let Some((stored, counted)) = summary.stored.as_mut().zip(counted.filter(|c| c.known.is_seen())) {
            (stored.quarters, stored.of_quarters) = (counted.quarters_up, Some(counted.quarters));
            summary.sensors = counted.sensors_up.clone();
        }
        Ok(summary)
    }

    pub(super) fn coverage(&self, windows: &Windows, offset: UtcOffset) -> Result<CoverageAccount, Stop> {
        match (self, windows.span) {
            (Kept::Store(measured), Some(days)) => {
                Ok(CoverageAccount::new(days, offset, windows.now, &|from, to| measured.seen(from, to))?)
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
