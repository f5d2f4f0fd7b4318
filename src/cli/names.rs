//! `spansight names`: every name any decoder finds.

use super::args::NamesArgs;
use super::exit::{Exit, Stop, judge_all};
use super::output::write_stats;
use super::{inputs, places};
use crate::pipeline::{self, Failure};
use crate::report::ndjson;
use crate::report::output::{Output, OutputError};
use crate::sighting::HomeNets;
use std::io::{self, Write};
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
    Output::check(args.input.stats.as_deref()).map_err(Stop::failed)?;
    let quote = |p: &std::path::Path| {
        let mut quoted = Vec::new();
        drop(ndjson::write_line(&mut quoted, &p.to_string_lossy()));
        String::from_utf8_lossy(&quoted).trim_end().to_owned()
    };
    let files: Arc<[String]> = plan.inputs.iter().map(|i| quote(&i.path)).collect();
    let out = Output::open(args.output.as_deref()).map_err(Stop::failed)?;
    let mut lines = Lines { out, failed: None };
    let result = pipeline::names(plan, &files, |rows| rows.lines().try_for_each(|line| lines.write(line)));
    let result = match result {
        Err(Failure::Writer(e)) => Err(e),
        other => Ok(other?),
    };
    let (mut outcome, failed) = match lines.finish(result) {
        Ok(done) => done,
        Err(e) if e.is_closed_pipe() => return Ok(Exit::Done),
        Err(e) => return Err(Stop::failed(e)),
    };
    exit = exit.max(judge_all(&outcome.sources, args.input.quiet));
    if let Some(path) = &args.input.stats {
        write_stats(path, &mut outcome)?;
    }
    failed.map_or(Ok(exit), |e| Err(Stop::failed(e)))
}

/// Where rows go.
struct Lines {
    out: Output,
    /// Why the file could not be written. Rows go to standard output then.
    failed: Option<OutputError>,
}

impl Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self.out.write_all(line) {
            Ok(()) => Ok(()),
            Err(e) => {
                self.rescue(e)?;
                // What could not be written was not kept.
                self.out.write_all(line)
            }
        }
    }

    /// What was found is not lost with the file: it goes to standard output.
    fn rescue(&mut self, e: io::Error) -> io::Result<()> {
        if self.out.is_stdout() {
            return Err(e);
        }
        self.failed = Some(self.out.error(e));
        self.out.turn_to_stdout()
    }

    /// Ends the output, and says why the file could not be written.
    fn finish<T>(mut self, result: io::Result<T>) -> Result<(T, Option<OutputError>), OutputError> {
        let done = match result {
            Ok(done) => done,
            Err(e) => return Err(self.out.error(e)),
        };
        if let Err(e) = self.out.flush()
            && let Err(e) = self.rescue(e)
        {
            return Err(self.out.error(e));
        }
        self.out.finish()?;
        Ok((done, self.failed))
    }
}
