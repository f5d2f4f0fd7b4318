//! `spansight replay --follow`: sightings from captures that grow.
//!
//! It runs as `watch` does and not as `replay`, which prints when everything is
//! read: who follows a file wants to know what is in it now, for as long as
//! that takes. The records therefore have a run as their source, since the
//! hash of what is not yet written is not known, and name the file of each
//! frame in their evidence.

use super::args::ReplayArgs;
use super::exit::{Exit, Stop, judge, say};
use super::judging::Knowledge;
use super::watch::{Plan, Session, sense};
use super::{inputs, places};
use crate::capture::{self, BpfFilter};
use crate::pipeline::SourceReport;
use crate::pipeline::live::Clock;

/// Runs the command.
pub(super) fn run(args: &ReplayArgs, sensor: &str) -> Result<Exit, Stop> {
    let m = &args.matching;
    let [path] = args.input.paths.as_slice() else {
        return Err(Stop::usage("--follow takes one file or folder; run it once for each"));
    };
    let catalogue = inputs::catalogue(m)?;
    let knowledge = Knowledge::read(&args.judging.knowledge)?;
    let home = inputs::home(m, Vec::new())?;
    let pseudonyms = inputs::pseudonyms(m, &home, &catalogue, args.input.quiet)?;
    let period = inputs::period(&args.input)?;
    let filter = args.input.decoding.bpf.as_deref().map(BpfFilter::new).transpose().map_err(Stop::usage)?;
    let stats = args.input.stats.as_deref();
    let written = [
        ("--output", m.output.as_deref()),
        ("--stats", stats),
        ("--store", m.store.as_deref()),
        ("--events", args.changes.events.as_deref()),
    ];
    let inside = if path.is_dir() { capture::expand(&[path]).items } else { Vec::new() };
    let captures = inside.iter().map(|i| i.path.as_path()).chain([path.as_path()]);
    places::check(&written, m.read().chain(args.judging.files()).chain(captures))?;
    let shown = path.display();
    let source = capture::follow(path).map_err(|e| match e {
        capture::CaptureError::CompressedGrows => Stop::usage(format_args!("{shown}: {e}")),
        e => Stop::failed(format_args!("{shown}: {e}")),
    })?;
    sense(Session {
        control: source.control(),
        source: Box::new(source),
        names: vec![shown.to_string()],
        greeting: format!("following {shown}; stop with Ctrl-C or SIGTERM"),
        clock: Clock::Frames,
        period,
        filter,
        ignore_vlan: args.input.decoding.ignore_vlan,
        workers: inputs::workers(args.input.decoding.workers),
        matching: m,
        evidence: &args.evidence,
        catalogue,
        home,
        pseudonyms,
        sensor: m.sensor.as_deref().unwrap_or(sensor),
        canaries: Vec::new(),
        format: args.format,
        stats,
        quiet: args.input.quiet,
        verdicts: Plan {
            changes: &args.changes,
            files: &args.judging.knowledge,
            knowledge,
            as_of: period.until.map(|until| until.plus(-1)),
        },
        expects_frames: true,
        unseen: None,
        judge: &judge_followed,
    })
}

/// What was read says of the run. What was wrong was said when it was found.
fn judge_followed(report: &SourceReport) -> Exit {
    let path = report.path.display();
    if report.frames == 0 {
        say(format_args!("{path}: no packet came, so nothing is known; check what writes the capture"));
        return Exit::Failed;
    }
    let damaged = if report.error.is_some() { Exit::Partial } else { Exit::Done };
    judge(&report.without_error()).max(damaged)
}
