//! `spansight names`: every name any decoder finds.

use super::args::NamesArgs;
use super::exit::{Exit, Stop, judge_all};
use super::output::write_stats;
use super::{inputs, places};
use crate::pipeline::{self, Failure};
use crate::report::ndjson;
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
    let written = [("--output", args.output.as_deref()), ("--stats", args.input.stats.as_deref())];
    places::check(&written, plan.inputs.iter().map(|i| i.path.as_path()))?;
    let quote = |p: &std::path::Path| {
        let mut quoted = Vec::new();
        drop(ndjson::write_line(&mut quoted, &p.to_string_lossy()));
        String::from_utf8_lossy(&quoted).trim_end().to_owned()
    };
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
    exit = exit.max(judge_all(&outcome.sources, args.input.quiet));
    if let Some(path) = &args.input.stats {
        write_stats(path, &mut outcome)?;
    }
    Ok(exit)
}
