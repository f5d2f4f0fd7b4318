//! `spansight names`: every name any decoder finds.

use super::args::NamesArgs;
use super::exit::{Exit, Stop, judge, say, warn_if_empty};
use super::inputs;
use super::output::write_stats;
use crate::pipeline::{self, Failure};
use crate::report::output::Output;
use crate::sighting::HomeNets;
use std::io::Write;
use std::sync::Arc;

/// Runs the command.
pub(super) fn run(args: &NamesArgs) -> Result<Exit, Stop> {
    let (mut expansion, mut exit) = inputs::expand(&args.input);
    let plan = inputs::plan(&args.input, &mut expansion, false, HomeNets::default())?;
    if plan.inputs.is_empty() {
        return Ok(exit.max(Exit::Failed));
    }
    let quote = |p: &std::path::Path| serde_json::to_string(&p.to_string_lossy()).unwrap_or_else(|_| "\"\"".into());
    let files: Arc<[String]> = plan.inputs.iter().map(|i| quote(&i.path)).collect();
    let mut out = Output::open(args.output.as_deref()).map_err(Stop::failed)?;
    let result = pipeline::names(plan, &files, |rows| {
        rows.iter().try_for_each(|r| {
            out.write_all(r.line.as_bytes())?;
            out.write_all(b"\n")
        })
    });
    let mut outcome = match result {
        Ok(outcome) => outcome,
        Err(Failure::Writer(e)) => {
            let e = out.error(e);
            return if e.is_closed_pipe() { Ok(Exit::Done) } else { Err(Stop::failed(e)) };
        }
        Err(other) => return Err(other.into()),
    };
    if let Err(e) = out.finish() {
        return if e.is_closed_pipe() { Ok(Exit::Done) } else { Err(Stop::failed(e)) };
    }
    for report in &outcome.sources {
        exit = exit.max(judge(report));
        if !args.input.quiet {
            warn_if_empty(report);
        }
    }
    if outcome.sources.iter().all(|r| r.frames == 0) && exit < Exit::Failed {
        say("no packet was read, so nothing is known; check the captures");
        exit = Exit::Failed;
    }
    if let Some(path) = &args.input.stats {
        write_stats(path, &mut outcome)?;
    }
    Ok(exit)
}
