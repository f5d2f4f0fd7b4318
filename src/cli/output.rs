//! What a run leaves behind: records, table, summary, statistics, store.

use super::args::Format;
use super::exit::{Stop, say, tell};
use super::judged::{self, Gathering};
use super::judging::Judging;
use super::run_record;
use crate::base::Timestamp;
use crate::base::time::QUARTER_SECS;
use crate::capture::Interface;
use crate::catalogue::Catalogue;
use crate::coverage::{Counter, Counts, doubts};
use crate::host;
use crate::pipeline::dispatch::Period;
use crate::pipeline::{Outcome, RunNames, Sighted, repeated};
use crate::report::judged::Judged;
use crate::report::output::Output;
use crate::report::stages::Stage;
use crate::report::stats::{self, SourceName};
use crate::report::summary::Summary;
use crate::report::table::{self, HostTable};
use crate::report::{csv, ndjson};
use crate::sighting;
use crate::sighting::clocks::Clocks;
use crate::sighting::presence::Presence;
use crate::sighting::select::{Records, Selected};
use crate::sighting::{HomeNets, HostNames, Names, Naming, Record, Settings};
use crate::store::custody::Removed;
use crate::store::{Canary, Interval, Run, Source, Store};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::Path;

/// Distinct hosts that are told apart for the summary.
const MAX_HOSTS: usize = 1 << 20;

/// What was read and what was not seen, of a run that lists so many hosts.
pub(super) fn summary(outcome: &mut Outcome, hosts: u64, files_skipped: u64) -> Summary {
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
        reach: outcome.ledger.reach(),
        outside_clients: outcome.outside,
        outside_clients_capped: outcome.outside_full,
        residual: outcome.unlisted.list().into_iter().map(|(n, c, _)| (n.to_owned(), c)).collect(),
        residual_more: outcome.unlisted.more(),
        hosts,
        ..Summary::default()
    }
}

/// Which records, of what, for whom.
pub(super) struct Printing<'p> {
    pub(super) format: Format,
    pub(super) catalogue: &'p Catalogue,
    pub(super) sensor: &'p str,
    pub(super) files_skipped: u64,
    /// Files and folders that could not be opened at all.
    pub(super) unusable: u64,
    /// The time that was asked for.
    pub(super) period: Period,
    /// The home networks.
    pub(super) home: &'p HomeNets,
    /// Exceptions, inventory, findings.
    pub(super) judging: &'p Judging,
}

impl Printing<'_> {
    fn summary(&self, outcome: &mut Outcome, hosts: u64) -> Summary {
        let mut summary = summary(outcome, hosts, self.files_skipped);
        summary.files_damaged = summary.files_damaged.saturating_add(self.unusable);
        summary.asked = quarters_asked(outcome, self.period);
        summary.by_capture = by_capture(outcome);
        summary
    }
}

/// Of a time that was asked for, the quarter hours in which frames came, and all of
/// them; `None` where all were left out.
fn quarters_asked(outcome: &mut Outcome, Period { since, until }: Period) -> Option<(u64, u64)> {
    let entries = outcome.ledger.entries().iter();
    let seen = entries.filter(|(_, e)| e.counts.get(Counter::Frames) > e.counts.get(Counter::FramesFiltered));
    let seen: BTreeSet<i64> = seen.map(|(key, _)| key.quarter).collect();
    let at = |quarter: &i64| Timestamp::from_parts(quarter.saturating_mul(QUARTER_SECS), 0);
    let ends = (at(seen.first()?), at(seen.last()?));
    let all = doubts::quarters_asked((since, until), ends, false, Timestamp::now())?;
    Some((seen.len() as u64, all))
}

/// What each capture counted of what tells whether it hides all.
fn by_capture(outcome: &mut Outcome) -> Vec<(String, Counts)> {
    let mut all: BTreeMap<u32, Counts> = BTreeMap::new();
    for (key, entry) in outcome.ledger.entries() {
        let counts = all.entry(key.source).or_default();
        doubts::OF_CAPTURE.iter().for_each(|c| counts.add(*c, entry.counts.get(*c)));
    }
    let path = |number: u32| outcome.sources.get(number as usize).map(|s| s.path.to_string_lossy().into_owned());
    all.into_iter().filter_map(|(number, counts)| Some((path(number)?, counts))).collect()
}

/// Hands each record in order to `take`, and whether it only supports.
///
/// # Errors
/// As [`each_selected`].
pub(super) fn each<E: From<Stop>>(
    found: &mut Sighted,
    catalogue: &Catalogue,
    sensor: &str,
    mut take: impl FnMut(&Record, bool) -> Result<(), E>,
) -> Result<(), E> {
    each_selected(found, catalogue, sensor, |s| take(&s.record, s.lonely))
}

/// Hands each record in order to `take`, with what it was selected by.
///
/// # Errors
/// Of the temporary file that holds them, as a [`Stop`], and those of `take`.
pub(super) fn each_selected<E: From<Stop>>(
    found: &mut Sighted,
    catalogue: &Catalogue,
    sensor: &str,
    mut take: impl FnMut(&Selected) -> Result<(), E>,
) -> Result<(), E> {
    let Sighted { outcome, drafts, local_askers } = found;
    let names = RunNames::new(sensor, &outcome.sources, &outcome.encaps);
    let repeated = repeated(&outcome.sources);
    let drafts = drafts.drafts().map_err(Stop::failed)?;
    let drafts = drafts.filter(|d| d.as_ref().map_or(true, |d| !is_repeated(&repeated, d.key.source)));
    let hosts = HostNames::new(outcome.namings.iter().cloned());
    for selected in Records::new(drafts, catalogue, &names, local_askers, &hosts) {
        take(&selected.map_err(Stop::failed)?)?;
    }
    Ok(())
}

/// Whether what was seen in a source was seen in an earlier one before.
fn is_repeated(repeated: &[Option<usize>], source: u32) -> bool {
    repeated.get(source as usize).is_some_and(Option::is_some)
}

/// Why a record could not be printed.
enum Trouble {
    Output(io::Error),
    Other(Stop),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Trouble::Other(stop)
    }
}

/// What was printed.
pub(super) struct Printed {
    /// The closing lines.
    pub(super) summary: Summary,
    /// Whether `--fail-on` asks for any of the hosts.
    pub(super) findings: bool,
    /// Frames that several sources show.
    pub(super) clocks: Clocks,
    /// Why not all could be printed.
    pub(super) result: Result<(), Stop>,
}

/// Writes the records in the format asked for, one by one, and returns the
/// closing lines. A reader that closes standard output early has what it
/// wanted.
pub(super) fn write_records(path: Option<&Path>, p: &Printing<'_>, found: &mut Sighted) -> Printed {
    let mut hosts = 0;
    let mut findings = false;
    let mut clocks = Clocks::default();
    let result = Output::open(path).map_err(Stop::failed).and_then(|mut out| {
        let written = match p.format {
            Format::Table => print_table(&mut out, path.is_some(), p, found, &mut hosts, (&mut findings, &mut clocks)),
            Format::Ndjson | Format::Csv => print_lines(&mut out, p, found, &mut hosts, &mut clocks),
        };
        let result = match written {
            Ok(()) => out.finish(),
            Err(Trouble::Output(e)) => Err(out.error(e)),
            Err(Trouble::Other(stop)) => return Err(stop),
        };
        match result {
            Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
            _ => Ok(()),
        }
    });
    if p.format != Format::Table && p.judging.decides() {
        match gather(p, found, &mut Clocks::default()).and_then(|(g, mut table)| judged::judge(g, &mut table, p, found))
        {
            Ok(judged) => {
                let listed = p.judging.list(&judged.views);
                findings = listed.iter().any(|h| judged.findings.has(h.view, h.standing));
            }
            Err(stop) => {
                let summary = p.summary(&mut found.outcome, hosts);
                return Printed { summary, findings, clocks, result: Err(stop) };
            }
        }
    }
    Printed { summary: p.summary(&mut found.outcome, hosts), findings, clocks, result }
}

/// Goes through the records once, or twice where some rows of the table lack
/// what was added before they went for a while.
fn gather(p: &Printing<'_>, found: &mut Sighted, clocks: &mut Clocks) -> Result<(Gathering, HostTable), Stop> {
    let several = found.outcome.sources.len() > 1;
    let mut table = HostTable::new();
    let mut gathering = Gathering::default();
    let mut first = true;
    loop {
        each(found, p.catalogue, p.sensor, |r, lonely| {
            if !lonely {
                table.add(r);
            }
            if first && gathering.is_whole() {
                gathering.add(r, lonely);
            }
            if first && several {
                clocks.add(&r.source, &r.evidence);
            }
            Ok::<(), Stop>(())
        })?;
        first = false;
        if !table.again() {
            return Ok((gathering, table));
        }
    }
}

fn print_table(
    out: &mut Output,
    in_file: bool,
    p: &Printing<'_>,
    found: &mut Sighted,
    hosts: &mut u64,
    (findings, clocks): (&mut bool, &mut Clocks),
) -> Result<(), Trouble> {
    let (gathering, mut table) = gather(p, found, clocks)?;
    let judged = judged::judge(gathering, &mut table, p, found)?;
    let listed = p.judging.list(&judged.views);
    *findings = listed.iter().any(|h| judged.findings.has(h.view, h.standing));
    let judged = Judged::new(&table, &listed, &judged.owners);
    *hosts = judged.hosts();
    let summary = p.summary(&mut found.outcome, *hosts);
    let width = table::width();
    // Without a contact there is nothing to list: the roles of others say
    // nothing alone.
    if *hosts == 0 {
        // Whoever looks at standard output alone must not take it for a clean
        // network either.
        if !in_file && summary.is_in_doubt() {
            return writeln!(out, "{}", summary.nothing_seen()).map_err(Trouble::Output);
        }
        return HostTable::new().write(out, in_file.then_some(&summary), width).map_err(Trouble::Output);
    }
    // In a file nobody sees standard error: the closing lines go along.
    judged.write(out, in_file.then_some(&summary), width).map_err(Trouble::Output)
}

fn print_lines(
    out: &mut Output,
    p: &Printing<'_>,
    found: &mut Sighted,
    hosts: &mut u64,
    clocks: &mut Clocks,
) -> Result<(), Trouble> {
    let several = found.outcome.sources.len() > 1;
    if p.format == Format::Csv {
        csv::write_header(out).map_err(Trouble::Output)?;
    }
    let hash = foldhash::quality::FixedState::default();
    let mut seen: HashSet<u64> = HashSet::new();
    each(found, p.catalogue, p.sensor, |r, lonely| {
        if lonely {
            return Ok(());
        }
        if seen.len() < MAX_HOSTS {
            seen.insert(hash.hash_one((r.host.ip, &r.host.segment, r.host.mac)));
        }
        *hosts = seen.len() as u64;
        if several {
            clocks.add(&r.source, &r.evidence);
        }
        let written = if p.format == Format::Csv { csv::write(out, r) } else { ndjson::write(out, r) };
        written.map_err(Trouble::Output)
    })
}

/// Writes the summary to standard error.
pub(super) fn write_summary(summary: &Summary) {
    write_closing(&summary.lines());
}

/// Writes closing lines to standard error.
pub(super) fn write_closing(lines: &[String]) {
    tell(&format!("\n{}\n", lines.join("\n")));
}

/// Writes coverage and timing.
pub(super) fn write_stats(path: &Path, outcome: &mut Outcome) -> Result<(), Stop> {
    let sources: Vec<SourceName> = outcome
        .sources
        .iter()
        .map(|s| SourceName {
            source: s.id.map(|id| id.to_string()).unwrap_or_default(),
            path: s.path.to_string_lossy().into_owned(),
            interfaces: s.interfaces.iter().map(Interface::label).collect(),
        })
        .collect();
    let stages = Stage::ALL.into_iter().map(|stage| (stage, outcome.timing.of(stage)));
    let stages = stages.filter(|(_, h)| !h.is_empty()).map(|(stage, h)| (stage, h.clone())).collect();
    let timing = stats::Timing { stages };
    let mut out = Output::open(Some(path)).map_err(Stop::failed)?;
    match stats::write(&mut out, &sources, &mut outcome.ledger, &timing) {
        Ok(()) => out.finish().map_err(Stop::failed),
        Err(e) => Err(Stop::failed(out.error(e))),
    }
}

/// Keeps a run: its record, sources, records and coverage, all or nothing.
/// Returns what a rule of retention removed.
pub(super) fn store(
    store: &mut Store,
    run: &Run,
    found: &mut Sighted,
    catalogue: &Catalogue,
    retain: Option<u32>,
) -> Result<Removed, Stop> {
    let outcome = &mut found.outcome;
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
    each(found, catalogue, &run.sensor, |r, lonely| writer.put_record(r, lonely).map_err(Stop::from))?;
    let outcome = &found.outcome;
    let names = RunNames::new(&run.sensor, &outcome.sources, &outcome.encaps);
    writer.put_intervals(intervals(outcome, &names))?;
    for s in signals(outcome) {
        writer.put_signal(&names.source(s.source), &host::signals::signal(s, &names, s.source))?;
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
    let removed = retain.map_or(Ok(Removed::default()), |days| writer.retain(days, Timestamp::now(), run_number))?;
    writer.commit()?;
    Ok(removed)
}

/// Who had which address and name in a run, as the store keeps it.
pub(super) fn intervals<'r>(outcome: &'r Outcome, names: &'r RunNames<'r>) -> impl Iterator<Item = Interval> + 'r {
    let repeated = std::rc::Rc::new(repeated(&outcome.sources));
    let again = std::rc::Rc::clone(&repeated);
    let seen = outcome
        .intervals
        .iter()
        .filter(move |i| !is_repeated(&repeated, i.source))
        .map(|i| pair_of(i, names.source(i.source), names.segment(i.segment)));
    let named = outcome.namings.iter().filter(move |n| !is_repeated(&again, n.source));
    seen.chain(named.map(|n| interval_of(n, names.source(n.source), names.segment(n.segment))))
}

/// Signs of roles in a run, without those of captures that were read before.
pub(super) fn signals(outcome: &Outcome) -> impl Iterator<Item = &sighting::Signal> {
    let repeated = repeated(&outcome.sources);
    outcome.signals.iter().filter(move |s| !is_repeated(&repeated, s.source))
}

/// Who had an address, as the store keeps it.
pub(super) fn pair_of(p: &Presence, source: String, segment: String) -> Interval {
    let kind = p.kind.as_str().into();
    Interval { source, kind, segment, ip: p.ip, mac: p.mac, name: None, from: p.from, to: p.to }
}

/// A name as the store keeps it.
pub(super) fn interval_of(n: &Naming, source: String, segment: String) -> Interval {
    Interval {
        source,
        kind: n.told.as_str().into(),
        segment,
        ip: n.ip,
        mac: n.mac,
        name: Some(n.name.to_string()),
        from: n.from,
        to: n.to,
    }
}

/// Says which sources show the same frames at different times.
pub(super) fn say_clocks(clocks: &Clocks) {
    clocks.sentences().into_iter().for_each(|sentence| say(format_args!("warning: {sentence}")));
}

/// Opens the store before anything is read, so that a wrong path is said
/// at once.
pub(super) fn open_store(path: Option<&Path>) -> Result<Option<Store>, Stop> {
    path.map(Store::open).transpose().map_err(Stop::failed)
}

/// Starts the run record; `kept` if there is a store.
pub(super) fn begin_run(settings: &Settings, sensor: &str, hash: &str, kept: bool) -> Run {
    let home = settings.shown_home().describe();
    let mut run = run_record::begin(&settings.catalogue, home, sensor, hash, Timestamp::now());
    if kept {
        run_record::complete(&mut run, settings.pseudonyms.as_deref());
    }
    run
}
