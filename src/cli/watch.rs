//! `spansight watch`: sightings from live traffic.

mod controls;
mod keeper;
mod printer;

use super::args::WatchArgs;
use super::exit::{Exit, Stop, judge, say};
use super::{inputs, output, places, run_record};
use crate::base::Name;
use crate::capture::{self, FrameSource, LiveControl, LiveOptions};
use crate::flow::Limits;
use crate::pipeline::live::{self, DAY_QUARTERS, Ended, LivePlan};
use crate::pipeline::{SourceId, SourceReport, Timing};
use crate::report::output::Output;
use crate::sighting::{Board, Settings};
use controls::Controls;
use keeper::Keeper;
use printer::{Last, Printer};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Quarter hours that can still be completed by what comes late.
const RECENT_QUARTERS: u32 = 8;

/// Runs the command.
pub(super) fn run(args: &WatchArgs) -> Result<Exit, Stop> {
    let m = &args.matching;
    let catalogue = inputs::catalogue(m)?;
    let own = args.interface.iter().flat_map(|i| capture::interface_prefixes(i)).collect();
    let home = inputs::home(m, own)?;
    let host = machine_name();
    let sensor = m.sensor.as_deref().unwrap_or(&host);
    let canaries: Vec<String> = args.canary.iter().map(|n| canary(n)).collect::<Result<_, _>>()?;
    let written =
        [("--output", m.output.as_deref()), ("--stats", args.stats.as_deref()), ("--store", m.store.as_deref())];
    places::check(&written, m.catalogues())?;
    let options = LiveOptions { filter: args.decoding.bpf.clone(), ..LiveOptions::default() };
    let source = capture::open_live(&args.interface, &options).map_err(|e| {
        if matches!(e, capture::CaptureError::BadFilter { .. }) { Stop::usage(e) } else { Stop::failed(e) }
    })?;
    // One named twice is listened on once.
    let interfaces: Vec<String> = source.interfaces().iter().map(|i| i.name.clone()).collect();
    let stop = source.control();
    stop_on_signals(&stop)?;
    let out = Output::append(m.output.as_deref()).map_err(Stop::failed)?;
    let mut run = output::begin_run(&catalogue, home.describe(), sensor, "none");
    let id = SourceId::of_run(sensor, &interfaces, run.started);
    let store = output::open_store(m.store.as_deref())?;
    let keeper = store.map(|s| Keeper::start(s, &run, id.to_string(), interfaces.clone())).transpose()?;
    let settings = Settings { catalogue: Arc::clone(&catalogue), home: home.clone(), canaries, live: true };
    let settings = Arc::new(settings);
    let plan = LivePlan {
        source,
        interfaces: interfaces.clone(),
        id,
        workers: inputs::workers(args.decoding.workers),
        ignore_vlan: args.decoding.ignore_vlan,
        home,
        limits: Limits::default(),
        remembered: if args.stats.is_some() { DAY_QUARTERS } else { RECENT_QUARTERS },
    };
    if !args.quiet {
        say(format_args!("listening on {}; stop with Ctrl-C or SIGTERM", interfaces.join(", ")));
    }
    let sources = [SourceReport::live(&interfaces, id)];
    let mut printer = Printer {
        out,
        format: args.format,
        catalogue: Arc::clone(&catalogue),
        sensor,
        sources: &sources,
        board: Board::new(catalogue),
        controls: Controls::new(&settings.canaries),
        keeper,
        stop,
        broken: None,
        earlier: HashSet::new(),
        round: Instant::now(),
    };
    printer.head();
    let mut ended = match live::watch(plan, &settings, |news| printer.news(news)) {
        Ok(ended) => ended,
        Err(failure) => {
            // What was passed on so far is kept.
            run_record::end(&mut run, Exit::Failed);
            if let Some(Err(stop)) = printer.keeper.take().map(|k| k.finish(&run)) {
                say(stop.message);
            }
            return Err(failure.into());
        }
    };
    let last = printer.finish(&ended.outcome.encaps);
    let exit =
        ended.outcome.sources.iter().map(|r| judge_live(r, args.decoding.bpf.is_some())).max().unwrap_or_default();
    if !args.quiet {
        close(&mut ended, &last, &printer, &interfaces);
    }
    let mut results = Vec::new();
    if let Some(path) = &args.stats {
        results.push(output::write_stats(path, &mut ended.outcome));
    }
    let keeper = printer.keeper.take();
    results.push(printer.close_output());
    if let Some(mut keeper) = keeper {
        keeper.waiting().coverage.merge(std::mem::take(&mut ended.unstored));
        let failed = results.iter().any(Result::is_err);
        run_record::end(&mut run, if failed { Exit::Failed } else { exit });
        results.push(keeper.finish(&run));
    }
    // Each failure is said; the last one decides with what the run ends.
    let mut failures: Vec<Stop> = results.into_iter().filter_map(Result::err).collect();
    let Some(last) = failures.pop() else { return Ok(exit) };
    failures.iter().for_each(|f| say(&f.message));
    Err(last)
}

/// The closing lines, on standard error.
fn close(ended: &mut Ended, last: &Last, printer: &Printer<'_>, interfaces: &[String]) {
    let mut summary = output::summary(&mut ended.outcome, 0, 0);
    let mut hosts = crate::report::table::HostTable::new();
    last.standing.iter().for_each(|r| hosts.add(r));
    summary.hosts = hosts.hosts().max(printer.earlier.len() as u64);
    summary.counts.merge(&ended.forgotten.counts);
    summary.reach.merge(&ended.forgotten.reach);
    summary.files = 0;
    summary.interfaces = interfaces.to_vec();
    output::write_summary(&summary);
    for line in lag(&ended.outcome.timing).into_iter().chain(printer.controls.lines()) {
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

/// SIGINT and SIGTERM end the capture; what was captured is still worked
/// through. A second one ends the program at once.
fn stop_on_signals(control: &LiveControl) -> Result<(), Stop> {
    let fail = |e: io::Error| Stop::failed(format_args!("cannot watch for signals: {e}"));
    let again = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 3, Arc::clone(&again)).map_err(fail)?;
        signal_hook::flag::register(signal, Arc::clone(&again)).map_err(fail)?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
    let control = control.clone();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            control.request_stop();
        }
    });
    thread.map(drop).map_err(fail)
}

/// The machine's name, for records; `sensor` where it has none.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "sensor".into() } else { name }
}
