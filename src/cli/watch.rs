//! `spansight watch`: sightings from live traffic.

mod controls;
mod event_file;
mod keeper;
mod late;
mod outlet;
mod printer;
mod recorder;
mod session;
mod silence;
#[cfg(test)]
mod testing;
mod verdicts;

use super::args::WatchArgs;
use super::exit::{Exit, Stop, judge, say};
use super::judging::Knowledge;
use super::{inputs, places};
use crate::base::Name;
use crate::capture::{self, FrameSource, LiveControl, LiveOptions};
use crate::pipeline::SourceReport;
use crate::pipeline::dispatch::Period;
use crate::pipeline::live::Clock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(super) use session::{Session, sense};
pub(super) use verdicts::Plan;

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
        expects_frames: args.decoding.bpf.is_none(),
        unseen: args.decoding.bpf.as_deref(),
        judge: &|report| judge_live(report, args.decoding.bpf.is_some()),
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
    let silent = if filtered { Vec::new() } else { session::silent(report) };
    for name in &silent {
        say(format_args!("{name}: no frame came; check the cable and what the switch mirrors to this port"));
    }
    judge(report).max(if silent.is_empty() { Exit::Done } else { Exit::Partial })
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

/// SIGINT, SIGTERM and SIGHUP end the capture; what was captured is still worked
/// through. A second one ends the program at once, but for SIGHUP: a terminal
/// that closes, and a supervisor, send it beside another.
fn stop_on_signals(control: &LiveControl) -> Result<(), Stop> {
    let fail = |e: io::Error| Stop::failed(format_args!("cannot watch for signals: {e}"));
    let again = [SIGINT, SIGTERM].map(|signal| (signal, Arc::new(AtomicBool::new(false))));
    for (signal, flag) in &again {
        signal_hook::flag::register_conditional_shutdown(*signal, 3, Arc::clone(flag)).map_err(fail)?;
        for (_, flag) in again.iter().filter(|(other, _)| other != signal) {
            signal_hook::flag::register(*signal, Arc::clone(flag)).map_err(fail)?;
        }
    }
    let hangup = (!hangups_are_ignored()).then_some(SIGHUP);
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup)).map_err(fail)?;
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

/// Whether whoever started the program wants it to outlive its terminal, as
/// `nohup` does.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    // Bit 0 is signal 1.
    mask.is_some_and(|ignored| ignored >> (SIGHUP - 1) & 1 == 1)
}

/// The machine's name, for records; `sensor` where it has none.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "sensor".into() } else { name }
}
