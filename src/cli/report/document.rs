//! Everything that a report says, put together.

use super::super::args::ReportArgs;
use super::super::exit::Stop;
use super::super::judging::Judging;
use super::super::stored::Kept;
use super::Figures;
use super::windows::Windows;
use crate::base::digest::file_sha256;
use crate::catalogue::Catalogue;
use crate::host::{self, Verdict};
use crate::measure::coverage::Because;
use crate::measure::{Comparison, Groups, Total};
use crate::report::document::{
    About, CatalogueAccount, Document, FileHash, Headline, HostsOf, Indicators, RunAccount, SCHEMA, SourceAccount,
    method,
};
use crate::report::hosts::Roll;
use crate::report::summary::Summary;
use crate::sighting::HomeNets;
use std::path::Path;

/// What a report is made from.
pub(super) struct Made<'a> {
    pub(super) args: &'a ReportArgs,
    pub(super) judging: &'a Judging,
    pub(super) catalogue: &'a Catalogue,
    pub(super) windows: &'a Windows,
    pub(super) kept: &'a Kept,
    pub(super) groups: &'a Groups,
    /// What to say of the store's pseudonyms.
    pub(super) pseudonyms: Option<&'a str>,
}

impl Made<'_> {
    /// What hosts are judged by beside facts.
    pub(super) fn options(&self, home: HomeNets) -> host::Options {
        let (since, until) = self.windows.ends(self.args.utc_offset);
        host::Options { since, until, inventory: self.judging.inventory.clone(), home }
    }

    /// The whole report.
    pub(super) fn document<'d>(
        &self,
        roll: &'d Roll<'d>,
        summary: &Summary,
        indicators: &Indicators,
        figures: &'d Figures,
    ) -> Result<Document<'d>, Stop> {
        let (total, trend) = (figures.total.as_ref(), figures.trend.as_ref());
        let comparison = figures.comparison.as_ref();
        let runs = self.kept.runs()?;
        let mut sensors: Vec<String> = runs.iter().map(|(_, run)| run.sensor.clone()).collect();
        sensors.sort_unstable();
        sensors.dedup();
        // Of imported records nobody knows it.
        sensors.retain(|sensor| !sensor.is_empty());
        let mut sources = self.kept.sources()?;
        let (since, until) = self.windows.ends_of_span(self.args.utc_offset);
        sources.retain(|s| {
            s.last.is_none_or(|t| since.is_none_or(|since| t >= since))
                && s.first.is_none_or(|t| until.is_none_or(|until| t < until))
        });
        Ok(Document {
            schema: SCHEMA,
            about: About {
                version: env!("CARGO_PKG_VERSION").into(),
                command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
                store: self.args.store.to_string_lossy().into_owned(),
                window: self.windows.report,
                span: self.windows.span,
                utc_offset: self.args.utc_offset,
                as_of: self.judging.as_of,
                sensors,
                home_networks: runs.last().map(|(_, run)| run.home_nets.clone()).unwrap_or_default(),
            },
            doubts: once(doubts(summary, self.pseudonyms, total, comparison), total, comparison),
            headline: headline(summary, roll),
            total,
            trend,
            comparison,
            movers: comparison.map(|c| &c.movers),
            read: summary.read(),
            blind_spots: self.kept.unknown().into_iter().chain(summary.unseen()).collect(),
            coverage: self.kept.coverage(self.windows, self.args.utc_offset)?,
            method: method(),
            catalogue: CatalogueAccount::new(self.catalogue, &runs, indicators),
            runs: runs.iter().map(|(number, run)| RunAccount::of(*number, run)).collect(),
            sources: sources.into_iter().map(SourceAccount::of).collect(),
            custody: self.kept.custody(self.files())?,
            hosts: HostsOf(roll),
        })
    }

    /// Every file that was read beside the store.
    fn files(&self) -> Vec<FileHash> {
        let hash = |what: &str, path: &Path| FileHash {
            what: what.to_owned(),
            path: path.to_string_lossy().into_owned(),
            sha256: file_sha256(path).ok(),
        };
        let knowledge = &self.args.judging.knowledge;
        let mut all: Vec<FileHash> = Vec::new();
        all.extend(std::env::current_exe().ok().map(|path| hash("program", &path)));
        all.extend(knowledge.accept.as_deref().map(|path| hash("--accept", path)));
        all.extend(knowledge.inventory.as_deref().map(|path| hash("--inventory", path)));
        all.extend(self.args.catalogue.paths().map(|path| hash("catalogue", path)));
        // These were hashed as they were read.
        all.extend(self.groups.files().into_iter().map(|f| FileHash {
            what: "--groups".to_owned(),
            path: f.path,
            sha256: Some(f.sha256),
        }));
        all
    }
}

/// What makes the report doubtful: first that windows cannot be compared, then
/// what was not seen in all of it.
fn doubts(
    summary: &Summary,
    pseudonyms: Option<&str>,
    total: Option<&Total>,
    comparison: Option<&Comparison>,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    if let Some(c) = comparison.filter(|c| !c.comparability.comparable) {
        let why: Vec<&str> = c.comparability.differences.iter().map(|d| d.what.as_str()).collect();
        all.push(format!("The windows are not comparable: {}.", why.join("; ")));
    }
    let missing = |why: String| format!("Hosts may be missing: {why}.");
    let Some(total) = total else {
        all.push("The store holds no record of a contact, so that there is nothing to count.".to_owned());
        all.extend(summary.doubted().map(missing));
        return all;
    };
    let said = |because| matches!(because, Because::SensorUp | Because::Unknown);
    let (alone, rest): (Vec<_>, Vec<_>) = total.doubts.iter().partition(|d| said(d.because));
    all.extend(alone.iter().map(|d| sentence(&d.what)));
    let rest: Vec<&str> = rest.iter().map(|d| d.what.as_str()).collect();
    if !rest.is_empty() {
        all.push(missing(rest.join("; ")));
    }
    let catalogues = total.coverage.catalogues.len();
    if catalogues > 1 && total.method.catalogue_as_of.is_none() {
        all.push(format!(
            "The runs of this window used {catalogues} different catalogues, so that a new indicator can look like new \
             use; --catalogue-as-of applies one to all records."
        ));
    }
    // A comparison says it among its own.
    all.extend(pseudonyms.filter(|_| comparison.is_none()).map(sentence));
    all
}

/// Without what a comparison says of its current window already.
fn once(mut all: Vec<String>, total: Option<&Total>, comparison: Option<&Comparison>) -> Vec<String> {
    let Some((_, c)) = total.zip(comparison).filter(|(t, c)| t.window == c.current.days) else { return all };
    let compared = c.comparability.differences.iter().map(|d| d.what.replace("the current window", "the window"));
    let compared: Vec<String> = compared.map(|what| sentence(&what)).collect();
    all.retain(|doubt| !compared.contains(doubt));
    all
}

fn headline(summary: &Summary, roll: &Roll<'_>) -> Headline {
    let tally = roll.tally();
    let mut sentences = tally.lines();
    if summary.hosts == 0 {
        sentences.push(summary.nothing_seen());
    }
    Headline {
        alarms: roll.alarms(),
        in_use: tally.in_use(),
        installed: tally.installed(),
        managed: tally.get(Verdict::Managed),
        oem: tally.get(Verdict::Oem),
        accepted: tally.accepted(),
        unconfirmed: tally.unconfirmed(),
        sentences,
    }
}

/// Begins with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str().trim_end_matches('.'))
}
