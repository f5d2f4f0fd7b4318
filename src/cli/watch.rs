//! `spansight watch`: sightings from live traffic.

mod controls;
mod keeper;
mod printer;
mod recorder;
#[cfg(test)]
mod testing;
mod verdicts;

use super::args::{EvidenceArgs, Format, MatchArgs, WatchArgs};
use super::exit::{Exit, Stop, judge, say};
use super::judging::Knowledge;
use super::{evidence, inputs, output, places, run_record};
use crate::base::Name;
use crate::capture::{self, BpfFilter, FrameSource, LiveControl, LiveOptions};
use crate::catalogue::Catalogue;
use crate::flow::Limits;
use crate::pipeline::dispatch::Period;
use crate::pipeline::live::{self, Clock, DAY_QUARTERS, Ended, LivePlan};
use crate::pipeline::{SourceId, SourceReport, Timing};
use crate::report::output::Output;
use crate::sighting::{Board, HomeNets, Pseudonyms, Settings};
use controls::Controls;
use keeper::Keeper;
use printer::{Last, Printer};
use recorder::Recorder;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
pub(super) use verdicts::Plan;
use verdicts::Verdicts;

/// Quarter hours that can still be completed by what comes late.
const RECENT_QUARTERS: u32 = 8;

/// What is to be listened to, and what becomes of it.
pub(super) struct Session<'s> {
    pub(super) source: Box<dyn FrameSource>,
    pub(super) control: LiveControl,
    /// Interfaces, or the path that is followed.
    pub(super) names: Vec<String>,
    pub(super) clock: Clock,
    pub(super) period: Period,
    pub(super) filter: Option<BpfFilter>,
    pub(super) ignore_vlan: bool,
    pub(super) workers: usize,
    pub(super) matching: &'s MatchArgs,
    pub(super) evidence: &'s EvidenceArgs,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) home: HomeNets,
    pub(super) pseudonyms: Option<Arc<Pseudonyms>>,
    pub(super) sensor: &'s str,
    pub(super) canaries: Vec<String>,
    pub(super) format: Format,
    pub(super) stats: Option<&'s Path>,
    pub(super) quiet: bool,
    /// How changes of hosts are said.
    pub(super) verdicts: Plan<'s>,
    /// What to say when it begins.
    pub(super) greeting: String,
    /// What the capture says of the run. Its errors were said when they came.
    pub(super) judge: &'s dyn Fn(&SourceReport) -> Exit,
}

/// Runs the command.
pub(super) fn run(args: &WatchArgs) -> Result<Exit, Stop> {
    let m = &args.matching;
    let catalogue = inputs::catalogue(m)?;
    let knowledge = Knowledge::read(&args.knowledge)?;
    let own = args.interface.iter().flat_map(|i| capture::interface_prefixes(i)).collect();
    let home = inputs::home(m, own)?;
    let pseudonyms = inputs::pseudonyms(m, &home, &catalogue, args.quiet)?;
    // The machine may be one of the hosts that it sees.
    let host = pseudonyms.as_ref().map_or_else(machine_name, |p| p.name(&machine_name()));
    let sensor = m.sensor.as_deref().unwrap_or(&host);
    let canaries: Vec<String> = args.canary.iter().map(|n| canary(n)).collect::<Result<_, _>>()?;
    let written = [
        ("--output", m.output.as_deref()),
        ("--stats", args.stats.as_deref()),
        ("--store", m.store.as_deref()),
        ("--events", args.changes.events.as_deref()),
    ];
    places::check(&written, m.read().chain(args.knowledge.files()))?;
    let options = LiveOptions { filter: args.decoding.bpf.clone(), ..LiveOptions::default() };
    let source = capture::open_live(&args.interface, &options).map_err(|e| {
        if matches!(e, capture::CaptureError::BadFilter { .. }) { Stop::usage(e) } else { Stop::failed(e) }
    })?;
    // One named twice is listened on once.
    let interfaces: Vec<String> = source.interfaces().iter().map(|i| i.name.clone()).collect();
    sense(Session {
        control: source.control(),
        source: Box::new(source),
        greeting: format!("listening on {}; stop with Ctrl-C or SIGTERM", interfaces.join(", ")),
        names: interfaces,
        clock: Clock::Wall,
        period: Period::default(),
        filter: None,
        ignore_vlan: args.decoding.ignore_vlan,
        workers: inputs::workers(args.decoding.workers),
        matching: m,
        evidence: &args.evidence,
        catalogue,
        home,
        pseudonyms,
        sensor,
        canaries,
        format: args.format,
        stats: args.stats.as_deref(),
        quiet: args.quiet,
        verdicts: Plan { changes: &args.changes, files: &args.knowledge, knowledge, as_of: None },
        judge: &|report| judge_live(report, args.decoding.bpf.is_some()),
    })
}

/// Listens until stopped, prints and stores.
pub(super) fn sense(s: Session<'_>) -> Result<Exit, Stop> {
    let Session { matching: m, catalogue, home, sensor, names: interfaces, control: stop, .. } = s;
    stop_on_signals(&stop)?;
    let out = Output::append(m.output.as_deref()).map_err(Stop::failed)?;
    let settings = Arc::new(Settings {
        catalogue: Arc::clone(&catalogue),
        home: home.clone(),
        canaries: s.canaries,
        live: true,
        pseudonyms: s.pseudonyms,
    });
    let mut run = output::begin_run(&settings, sensor, "none", m.store.is_some());
    let id = SourceId::of_run(sensor, &interfaces, run.started);
    let store = output::open_store(m.store.as_deref())?;
    let folder = evidence::folder(s.evidence, true)?;
    if let Some(folder) = folder.as_ref().filter(|f| Some(f.path()) != s.evidence.evidence_dir.as_deref()) {
        say(format_args!("--evidence-dir holds an earlier run; this one writes to {}", folder.path().display()));
    }
    let verdicts = Verdicts::start(s.verdicts, m.store.as_deref(), Arc::clone(&catalogue), settings.shown_home())?;
    let keeper = store.map(|s| Keeper::start(s, &run, id.to_string(), interfaces.clone(), m.retain)).transpose()?;
    let plan = LivePlan {
        source: s.source,
        path: PathBuf::from(interfaces.join(",")),
        clock: s.clock,
        period: s.period,
        filter: s.filter,
        id,
        workers: s.workers,
        ignore_vlan: s.ignore_vlan,
        home,
        limits: Limits::default(),
        keep_frames: folder.is_some(),
        remembered: if s.stats.is_some() { DAY_QUARTERS } else { RECENT_QUARTERS },
    };
    if !s.quiet {
        say(&s.greeting);
    }
    let recorder = folder.map(|f| Recorder::start(f, &run, SourceReport::live(&interfaces, id))).transpose()?;
    let mut printer = Printer {
        out,
        format: s.format,
        catalogue: Arc::clone(&catalogue),
        sensor,
        sources: [SourceReport::live(&interfaces, id)].into(),
        no_dhcp_names: m.no_dhcp_names,
        board: Board::new(catalogue),
        controls: Controls::new(&settings.canaries),
        keeper,
        recorder,
        stop,
        broken: None,
        earlier: HashSet::new(),
        round: Instant::now(),
        verdicts: Some(verdicts),
        newest: None,
    };
    printer.head();
    let mut ended = match live::watch(plan, &settings, |news| printer.news(news)) {
        Ok(ended) => ended,
        Err(failure) => {
            // What was passed on so far is kept.
            run_record::end(&mut run, Exit::Failed);
            if let Some(Err(stop)) = printer.recorder.take().map(|r| r.finish(&SourceReport::live(&interfaces, id), 0))
            {
                say(stop.message);
            }
            if let Some(Err(stop)) = printer.keeper.take().map(|k| k.finish(&run)) {
                say(stop.message);
            }
            return Err(failure.into());
        }
    };
    let last = printer.finish(&ended.outcome.encaps);
    let exit = ended.outcome.sources.iter().map(s.judge).max().unwrap_or_default();
    if !s.quiet {
        close(&mut ended, &last, &printer, &interfaces, s.clock);
    }
    let mut results = Vec::new();
    if let Some(path) = s.stats {
        results.push(output::write_stats(path, &mut ended.outcome));
    }
    if let (Some(recorder), Some(source)) = (printer.recorder.take(), ended.outcome.sources.first()) {
        results.push(recorder.finish(source, last.standing.len() as u64));
    }
    let keeper = printer.keeper.take();
    let verdicts = printer.verdicts.take();
    let newest = ended.outcome.sources.iter().filter_map(|s| s.span).map(|s| s.1).max();
    results.push(printer.close_output());
    if let Some(mut keeper) = keeper {
        keeper.waiting().coverage.merge(std::mem::take(&mut ended.unstored));
        let failed = results.iter().any(Result::is_err);
        run_record::end(&mut run, if failed { Exit::Failed } else { exit });
        results.push(keeper.finish(&run));
    }
    // Now everything is in the store.
    results.extend(verdicts.map(|v| v.finish(newest)));
    // Each failure is said; the last one decides with what the run ends.
    let mut failures: Vec<Stop> = results.into_iter().filter_map(Result::err).collect();
    let Some(last) = failures.pop() else { return Ok(exit) };
    failures.iter().for_each(|f| say(&f.message));
    Err(last)
}

/// The closing lines, on standard error.
fn close(ended: &mut Ended, last: &Last, printer: &Printer<'_>, interfaces: &[String], clock: Clock) {
    let mut summary = output::summary(&mut ended.outcome, 0, 0);
    let mut hosts = crate::report::table::HostTable::new();
    last.standing.iter().for_each(|r| hosts.add(r));
    summary.hosts = hosts.hosts().max(printer.earlier.len() as u64);
    summary.counts.merge(&ended.forgotten.counts);
    summary.reach.merge(&ended.forgotten.reach);
    match clock {
        Clock::Wall => (summary.files, summary.interfaces) = (0, interfaces.to_vec()),
        Clock::Frames => {
            let files = ended.outcome.sources.iter().flat_map(|s| s.interfaces.iter()).map(|i| &i.file);
            summary.files = files.collect::<HashSet<_>>().len() as u64;
        }
    }
    output::write_summary(&summary);
    let lag = lag(&ended.outcome.timing).filter(|_| clock == Clock::Wall);
    for line in lag.into_iter().chain(printer.controls.lines()) {
        drop(io::Write::write_all(&mut io::stderr(), format!("{line}\n").as_bytes()));
    }
}

/// How far the sensor was behind the wire.
fn lag(timing: &Timing) -> Option<String> {
    let h = &timing.latency;
    let ms = |nanos: u64| nanos.div_ceil(1_000_000);
    (!h.is_empty()).then(|| {
        format!("From capture to result: 99 % within {} ms, at most {} ms.", ms(h.value_at_quantile(0.99)), ms(h.max()))
    })
}

/// What the capture says of the run. Its errors were said when they came.
fn judge_live(report: &SourceReport, filtered: bool) -> Exit {
    if report.error.is_some() {
        return Exit::Failed;
    }
    if report.frames == 0 {
        let path = report.path.display();
        if filtered {
            say(format_args!("{path}: no frame came that --bpf accepts"));
            return Exit::Done;
        }
        say(format_args!("{path}: no frame came; check the cable and what the switch mirrors to this port"));
        return Exit::Failed;
    }
    judge(report)
}

/// A canary must be a name that can be matched exactly.
fn canary(text: &str) -> Result<String, Stop> {
    let name = Name::from_text(text.as_bytes());
    if name.is_odd() || name.is_empty() {
        return Err(Stop::usage(format_args!(
            "--canary {name}: this is no host name; give one such as canary.example.test"
        )));
    }
    Ok(name.as_str().to_owned())
}

/// The same signal again within this time is the same wish: `timeout` sends it
/// to the process and to its group, and what was captured would be lost.
const REPEATED: Duration = Duration::from_secs(1);

/// SIGINT and SIGTERM end the capture; what was captured is still worked
/// through. A second one ends the program at once.
fn stop_on_signals(control: &LiveControl) -> Result<(), Stop> {
    let fail = |e: io::Error| Stop::failed(format_args!("cannot watch for signals: {e}"));
    let again = [SIGINT, SIGTERM].map(|signal| (signal, Arc::new(AtomicBool::new(false))));
    for (signal, flag) in &again {
        signal_hook::flag::register_conditional_shutdown(*signal, 3, Arc::clone(flag)).map_err(fail)?;
        for (_, flag) in again.iter().filter(|(other, _)| other != signal) {
            signal_hook::flag::register(*signal, Arc::clone(flag)).map_err(fail)?;
        }
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
    let control = control.clone();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            control.request_stop();
            std::thread::sleep(REPEATED);
            again.iter().for_each(|(_, flag)| flag.store(true, Ordering::Relaxed));
        }
    });
    thread.map(drop).map_err(fail)
}

/// The machine's name, for records; `sensor` where it has none.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "sensor".into() } else { name }
}
