//! A run of a sensor, on interfaces or on what is followed: from the first
//! destination that is opened to the last line.

use super::controls::Controls;
use super::keeper::Keeper;
use super::late::Late;
use super::outlet::Outlet;
use super::printer::{Last, Printer};
use super::recorder::Recorder;
use super::silence::Silences;
use super::stop_on_signals;
use super::verdicts::{Plan, Verdicts};
use crate::capture::{BpfFilter, FrameSource, LiveControl};
use crate::catalogue::Catalogue;
use crate::cli::args::{EvidenceArgs, Format, MatchArgs};
use crate::cli::exit::{Exit, Stop, say, tell, wait_for_no_reader};
use crate::cli::{evidence, output, run_record};
use crate::flow::Limits;
use crate::pipeline::dispatch::Period;
use crate::pipeline::live::{self, Clock, DAY_QUARTERS, Ended, LivePlan};
use crate::pipeline::{SourceId, SourceReport, Timing};
use crate::report::counted;
use crate::report::evidence::Folder;
use crate::report::output::Output;
use crate::report::stages::Stage;
use crate::report::summary::Summary;
use crate::sighting::{Board, HomeNets, Pseudonyms, Settings};
use crate::store::Run;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Quarter hours that can still be completed by what comes late.
const RECENT_QUARTERS: u32 = 8;

/// What is to be listened to, and what becomes of it.
pub(in crate::cli) struct Session<'s> {
    pub(in crate::cli) source: Box<dyn FrameSource>,
    pub(in crate::cli) control: LiveControl,
    /// Interfaces, or the path that is followed.
    pub(in crate::cli) names: Vec<String>,
    pub(in crate::cli) clock: Clock,
    pub(in crate::cli) period: Period,
    pub(in crate::cli) filter: Option<BpfFilter>,
    pub(in crate::cli) ignore_vlan: bool,
    pub(in crate::cli) workers: usize,
    pub(in crate::cli) matching: &'s MatchArgs,
    pub(in crate::cli) evidence: &'s EvidenceArgs,
    pub(in crate::cli) catalogue: Arc<Catalogue>,
    pub(in crate::cli) home: HomeNets,
    pub(in crate::cli) pseudonyms: Option<Arc<Pseudonyms>>,
    pub(in crate::cli) sensor: &'s str,
    pub(in crate::cli) canaries: Vec<String>,
    pub(in crate::cli) format: Format,
    pub(in crate::cli) stats: Option<&'s Path>,
    pub(in crate::cli) quiet: bool,
    /// How changes of hosts are said.
    pub(in crate::cli) verdicts: Plan<'s>,
    /// That no frame comes is worth a word.
    pub(in crate::cli) expects_frames: bool,
    /// The filter by which the kernel leaves frames out that nobody counts.
    pub(in crate::cli) unseen: Option<&'s str>,
    /// What to say when it begins.
    pub(in crate::cli) greeting: String,
    /// What the capture says of the run. Its errors were said when they came.
    pub(in crate::cli) judge: &'s dyn Fn(&SourceReport) -> Exit,
}

/// Listens until stopped, prints and stores.
pub(in crate::cli) fn sense(s: Session<'_>) -> Result<Exit, Stop> {
    let m = s.matching;
    stop_on_signals(&s.control)?;
    wait_for_no_reader();
    // Before anything is captured, so that a wrong path is said at once.
    Output::check(s.stats).map_err(Stop::failed)?;
    let out = Output::append(m.output.as_deref()).map_err(Stop::failed)?;
    let settings = Arc::new(Settings {
        catalogue: Arc::clone(&s.catalogue),
        home: s.home.clone(),
        canaries: s.canaries,
        live: true,
        pseudonyms: s.pseudonyms,
    });
    let mut run = output::begin_run(&settings, s.sensor, "none", m.store.is_some());
    let id = SourceId::of_run(s.sensor, &s.names, run.started);
    let source = || SourceReport::live(&s.names, id);
    let store = output::open_store(m.store.as_deref())?;
    let folder = evidence_folder(s.evidence)?;
    let (home, catalogue) = (settings.shown_home(), &s.catalogue);
    let verdicts = Verdicts::start(s.verdicts, m.store.as_deref(), Arc::clone(catalogue), home)?;
    let keeper =
        store.map(|store| Keeper::start(store, &run, id.to_string(), s.names.clone(), m.retain)).transpose()?;
    let plan = LivePlan {
        source: s.source,
        path: PathBuf::from(s.names.join(",")),
        clock: s.clock,
        period: s.period,
        filter: s.filter,
        id,
        workers: s.workers,
        ignore_vlan: s.ignore_vlan,
        home: s.home,
        limits: Limits::default(),
        keep_frames: folder.is_some(),
        remembered: if s.stats.is_some() { DAY_QUARTERS } else { RECENT_QUARTERS },
    };
    if !s.quiet {
        say(&s.greeting);
    }
    let mut printer = Printer {
        out: Outlet::start(out)?,
        format: s.format,
        catalogue: Arc::clone(catalogue),
        sensor: s.sensor,
        sources: [source()].into(),
        no_dhcp_names: m.no_dhcp_names,
        board: Board::new(Arc::clone(catalogue)),
        controls: Controls::new(&settings.canaries),
        keeper,
        recorder: folder.map(|f| Recorder::start(f, &run, source())).transpose()?,
        stop: s.control,
        broken: None,
        earlier: HashSet::new(),
        round: Instant::now(),
        silence: s.expects_frames.then(|| Silences::new(s.clock, &s.names, Instant::now())),
        late: Late::default(),
        verdicts: Some(verdicts),
        newest: None,
    };
    printer.head();
    let narrowed: Vec<String> =
        s.unseen.map(|filter| format!("only frames that --bpf {filter:?} accepts were captured")).into_iter().collect();
    if let Some(keeper) = &mut printer.keeper {
        keeper.waiting().intake.trouble.extend(narrowed.iter().cloned());
    }
    match live::watch(plan, &settings, |news| printer.news(news)) {
        Ok(ended) => {
            let ending =
                Ending { names: s.names, clock: s.clock, stats: s.stats, quiet: s.quiet, judge: s.judge, narrowed };
            ending.conclude(ended, printer, run)
        }
        Err(failure) => {
            run_record::end(&mut run, Exit::Failed);
            keep_what_was_told(printer, &run, &source());
            Err(failure.into())
        }
    }
}

/// The folder of evidence, where one is wanted.
fn evidence_folder(args: &EvidenceArgs) -> Result<Option<Folder>, Stop> {
    let folder = evidence::folder(args, true)?;
    if let Some(folder) = folder.as_ref().filter(|f| Some(f.path()) != args.evidence_dir.as_deref()) {
        say(format_args!("--evidence-dir holds an earlier run; this one writes to {}", folder.path().display()));
    }
    Ok(folder)
}

/// After a failure: what was passed on so far is kept.
fn keep_what_was_told(printer: Printer<'_>, run: &Run, source: &SourceReport) {
    let evidence = printer.recorder.map(|r| r.finish(source, 0));
    let stored = printer.keeper.map(|k| k.finish(run));
    for stop in evidence.into_iter().chain(stored).filter_map(Result::err) {
        say(stop.message);
    }
}

/// How a run that was stopped ends.
struct Ending<'s> {
    names: Vec<String>,
    clock: Clock,
    stats: Option<&'s Path>,
    quiet: bool,
    judge: &'s dyn Fn(&SourceReport) -> Exit,
    /// What it left out or never got, in words.
    narrowed: Vec<String>,
}

impl Ending<'_> {
    /// Prints the last word on everything and stores it. What fails takes
    /// nothing from the rest.
    fn conclude(mut self, mut ended: Ended, mut printer: Printer<'_>, mut run: Run) -> Result<Exit, Stop> {
        if self.narrowed.is_empty() && self.clock == Clock::Wall {
            let dumb = ended.outcome.sources.iter().flat_map(silent);
            self.narrowed = dumb.map(|name| format!("no frame came on {name}")).collect();
        }
        let last = printer.finish(&ended.outcome.encaps);
        let exit = ended.outcome.sources.iter().map(self.judge).max().unwrap_or_default().max(printer.late.exit());
        let closing = (!self.quiet).then(|| self.closing(&mut ended, &last, &printer));
        let mut results = Vec::new();
        if let Some(path) = self.stats {
            results.push(output::write_stats(path, &mut ended.outcome));
        }
        if let (Some(recorder), Some(source)) = (printer.recorder.take(), ended.outcome.sources.first()) {
            results.push(recorder.finish(source, last.standing.len() as u64));
        }
        let keeper = printer.keeper.take();
        let verdicts = printer.verdicts.take();
        let newest = ended.outcome.sources.iter().filter_map(|s| s.span).map(|s| s.1).max();
        results.push(printer.close_output(keeper.is_some()));
        if let Some(mut keeper) = keeper {
            keeper.waiting().coverage.merge(std::mem::take(&mut ended.unstored));
            keeper.waiting().intake.trouble.extend(self.narrowed);
            let failed = results.iter().any(Result::is_err);
            run_record::end(&mut run, if failed { Exit::Failed } else { exit });
            results.push(keeper.finish(&run));
        }
        // Now everything is in the store.
        results.extend(verdicts.map(|v| v.finish(newest)));
        if let Some((summary, lines)) = closing {
            output::write_summary(&summary);
            for line in lines {
                tell(&format!("{line}\n"));
            }
        }
        // Each failure is said; the last one decides with what the run ends.
        let mut failures: Vec<Stop> = results.into_iter().filter_map(Result::err).collect();
        let Some(last) = failures.pop() else { return Ok(exit) };
        failures.iter().for_each(|f| say(&f.message));
        Err(last)
    }

    /// The closing lines: of every run, and of this one.
    fn closing(&self, ended: &mut Ended, last: &Last, printer: &Printer<'_>) -> (Summary, Vec<String>) {
        let mut summary = output::summary(&mut ended.outcome, 0, 0);
        let mut hosts = crate::report::table::HostTable::new();
        last.standing.iter().for_each(|r| hosts.add(r));
        summary.narrowed = self.narrowed.clone();
        summary.hosts = hosts.hosts().max(printer.earlier.len() as u64);
        summary.counts.merge(&ended.forgotten.counts);
        summary.reach.merge(&ended.forgotten.reach);
        match self.clock {
            Clock::Wall => (summary.files, summary.interfaces) = (0, self.names.clone()),
            Clock::Frames => {
                let files = ended.outcome.sources.iter().flat_map(|s| s.interfaces.iter()).map(|i| &i.file);
                summary.files = files.collect::<HashSet<_>>().len() as u64;
                summary.files_skipped = printer.stop.followed().skipped;
            }
        }
        let lag = lag(&ended.outcome.timing).filter(|_| self.clock == Clock::Wall);
        let cut = cut_line(printer.stop.followed().partial);
        (summary, lag.into_iter().chain(cut).chain(printer.controls.lines()).collect())
    }
}

/// Of several interfaces those on which no frame came, where any did on others.
pub(in crate::cli) fn silent(report: &SourceReport) -> Vec<&str> {
    let each = report.interfaces.iter().zip(&report.statistics);
    if report.frames == 0 || report.interfaces.len() < 2 {
        return Vec::new();
    }
    each.filter(|(_, s)| s.received == 0).map(|(i, _)| i.name.as_str()).collect()
}

/// That files ended inside a record when the run was stopped. Who writes them
/// does not write record by record, so that this is no damage.
fn cut_line(files: u64) -> Option<String> {
    let files = (files > 0).then(|| counted(files, "file", "files"))?;
    Some(format!("The last record of {files} had not come in full when the run was stopped."))
}

/// How far the sensor was behind the wire.
fn lag(timing: &Timing) -> Option<String> {
    let late = |stage, what: &str| {
        let h = timing.of(stage);
        let ms = |nanos: u64| nanos.div_ceil(1_000_000);
        let (p99, most) = (ms(h.value_at_quantile(0.99)), ms(h.max()));
        (!h.is_empty()).then(|| format!("99 % of {what} within {p99} ms, at most {most} ms"))
    };
    let said = [late(Stage::Latency, "frames decoded"), late(Stage::Record, "records printed")];
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| format!("From capture on: {}.", said.join("; ")))
}
