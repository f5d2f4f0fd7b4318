//! What a run leaves behind: records, table, summary, statistics, store.

use super::args::Format;
use super::exit::Stop;
use super::run_record;
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::pipeline::{Outcome, RunNames, repeated};
use crate::report::output::Output;
use crate::report::stats::{self, SourceName};
use crate::report::summary::Summary;
use crate::report::table::{self, HostTable};
use crate::report::{csv, ndjson};
use crate::sighting::{Names, Record, select};
use crate::store::{Canary, Interval, Run, Source, Store, StoreError};
use std::io::{self, Write};
use std::path::Path;

/// The records of a run, in their order, and which of them only support.
pub(super) struct Records {
    /// Those that stand.
    pub(super) standing: Vec<Record>,
    /// Those whose indicator needs another signal that did not come.
    pub(super) support: Vec<Record>,
}

/// Makes records of a run's drafts.
pub(super) fn records(outcome: &Outcome, catalogue: &Catalogue, sensor: &str) -> Records {
    let names = RunNames::new(sensor, &outcome.sources, &outcome.encaps);
    let lonely = select::lonely_support(&outcome.drafts, catalogue);
    let repeated = repeated(&outcome.sources);
    let mut records = Records { standing: Vec::new(), support: Vec::new() };
    for (draft, lonely) in outcome.drafts.iter().zip(lonely) {
        if is_repeated(&repeated, draft.key.source) {
            continue;
        }
        let Some(indicator) = catalogue.get(draft.key.indicator) else { continue };
        let record = draft.record(indicator, &names);
        if lonely { records.support.push(record) } else { records.standing.push(record) }
    }
    records.standing.sort_by(|a, b| order(a).cmp(&order(b)));
    records.support.sort_by(|a, b| order(a).cmp(&order(b)));
    records
}

/// Whether what was seen in a source was seen in an earlier one before.
fn is_repeated(repeated: &[Option<usize>], source: u32) -> bool {
    repeated.get(source as usize).is_some_and(Option::is_some)
}

/// What records are ordered by.
fn order(r: &Record) -> (&str, crate::base::Addr, &str, Option<crate::base::Mac>, &str, &str) {
    (&r.period, r.host.ip, &r.host.segment, r.host.mac, &r.indicator.id, &r.source)
}

/// What was read and what was not seen.
pub(super) fn summary(outcome: &mut Outcome, records: &Records, files_skipped: u64) -> Summary {
    let mut hosts = HostTable::new();
    records.standing.iter().for_each(|r| hosts.add(r));
    let read: Vec<_> = outcome.sources.iter().filter(|s| s.id.is_some()).collect();
    Summary {
        files: read.len() as u64,
        files_skipped,
        files_damaged: outcome.sources.iter().filter(|s| s.error.is_some()).count() as u64,
        interfaces: Vec::new(),
        bytes: read.iter().map(|s| s.wire_bytes).sum(),
        first: read.iter().filter_map(|s| s.span).map(|s| s.0).min(),
        last: read.iter().filter_map(|s| s.span).map(|s| s.1).max(),
        counts: outcome.ledger.total(),
        outside_clients: outcome.outside,
        outside_clients_capped: false,
        residual: outcome.unlisted.list().into_iter().map(|(n, c, _)| (n.to_owned(), c)).collect(),
        residual_more: outcome.unlisted.more(),
        hosts: hosts.hosts(),
    }
}

/// Writes the records in the format asked for. A reader that closes standard
/// output early has what it wanted.
pub(super) fn write_records(
    path: Option<&Path>,
    format: Format,
    records: &[Record],
    summary: &Summary,
) -> Result<(), Stop> {
    let mut out = Output::open(path).map_err(Stop::failed)?;
    let written = match format {
        Format::Table => {
            let mut hosts = HostTable::new();
            records.iter().for_each(|r| hosts.add(r));
            // In a file nobody sees standard error: the closing lines go along.
            hosts.write(&mut out, path.map(|_| summary), table::width())
        }
        Format::Ndjson => records.iter().try_for_each(|r| ndjson::write(&mut out, r)),
        Format::Csv => {
            csv::write_header(&mut out).and_then(|()| records.iter().try_for_each(|r| csv::write(&mut out, r)))
        }
    };
    let result = match written {
        Ok(()) => out.finish(),
        Err(e) => Err(out.error(e)),
    };
    match result {
        Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
        _ => Ok(()),
    }
}

/// Writes the summary to standard error.
pub(super) fn write_summary(summary: &Summary) {
    let mut text = Vec::from(*b"\n");
    if summary.write(&mut text).is_ok() {
        drop(io::stderr().write_all(&text));
    }
}

/// Writes coverage and timing.
pub(super) fn write_stats(path: &Path, outcome: &mut Outcome) -> Result<(), Stop> {
    let sources: Vec<SourceName> = outcome
        .sources
        .iter()
        .map(|s| SourceName {
            source: s.id.map(|id| id.to_string()).unwrap_or_default(),
            path: s.path.to_string_lossy().into_owned(),
            interfaces: s.interfaces.iter().map(|i| i.name.clone()).collect(),
        })
        .collect();
    let stages = outcome.timing.all().into_iter().filter(|(_, h)| !h.is_empty());
    let timing = stats::Timing { stages: stages.map(|(n, h)| (n.to_owned(), h.clone())).collect() };
    let mut out = Output::open(Some(path)).map_err(Stop::failed)?;
    match stats::write(&mut out, &sources, &mut outcome.ledger, &timing) {
        Ok(()) => out.finish().map_err(Stop::failed),
        Err(e) => Err(Stop::failed(out.error(e))),
    }
}

/// Keeps a run: its record, sources, records and coverage, all or nothing.
pub(super) fn store(store: &mut Store, run: &Run, outcome: &mut Outcome, records: &Records) -> Result<(), StoreError> {
    let mut writer = store.begin()?;
    let run_number = writer.put_run(run)?;
    let repeated = repeated(&outcome.sources);
    for (at, s) in outcome.sources.iter().enumerate() {
        let Some(id) = s.id else { continue };
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        if is_repeated(&repeated, number) {
            continue;
        }
        let source = id.to_string();
        writer.put_source(
            run_number,
            &Source {
                source: source.clone(),
                path: (!Source::is_run(&source)).then(|| s.path.to_string_lossy().into_owned()),
                size: s.size,
                first: s.span.map(|s| s.0),
                last: s.span.map(|s| s.1),
                frames: s.frames,
                warnings: s.error.iter().map(ToString::to_string).collect(),
                interfaces: s.interfaces.iter().map(|i| i.name.clone()).collect(),
            },
        )?;
        writer.put_coverage(&source, number, &mut outcome.ledger)?;
    }
    for (list, support) in [(&records.standing, false), (&records.support, true)] {
        for r in list {
            writer.put_record(r, support)?;
        }
    }
    let names = RunNames::new(&run.sensor, &outcome.sources, &outcome.encaps);
    for i in outcome.intervals.iter().filter(|i| !is_repeated(&repeated, i.source)) {
        writer.put_interval(&Interval {
            source: names.source(i.source),
            kind: "traffic".into(),
            segment: names.segment(i.segment),
            ip: i.ip,
            mac: Some(i.mac),
            name: None,
            from: i.from,
            to: i.to,
        })?;
    }
    for c in &outcome.canaries {
        writer.put_canary(&Canary {
            source: names.source(c.source),
            name: c.name.clone(),
            ts: c.ts,
            segment: names.segment(c.host.segment),
            ip: c.host.ip,
            mac: c.host.mac,
            channel: c.channel,
        })?;
    }
    writer.commit()
}

/// Opens the store before anything is read, so that a wrong path is said
/// at once.
pub(super) fn open_store(path: Option<&Path>) -> Result<Option<Store>, Stop> {
    path.map(Store::open).transpose().map_err(Stop::failed)
}

/// Starts the run record.
pub(super) fn begin_run(catalogue: &Catalogue, home: Vec<String>, sensor: &str, hash: &str) -> Run {
    run_record::begin(catalogue, home, sensor, hash, Timestamp::now())
}
