//! `spansight compare`: two windows against each other.

use super::args::{CompareArgs, MeasureFormat};
use super::exit::{Exit, Stop};
use super::measuring::{Measuring, check_length, check_output, warn, write};
use crate::measure::Comparison;
use crate::measure::compare::CompareError;
use crate::report::measure::compare;
use crate::report::table::width;

/// Runs the command.
pub(super) fn run(args: &CompareArgs) -> Result<Exit, Stop> {
    check_output(&args.measure)?;
    let measuring = Measuring::new(&args.measure.count)?;
    let days = |window: crate::measure::Window| window.days(measuring.watched.last);
    let (baseline, current) = (days(args.baseline), days(args.current));
    check_length(&[baseline, current])?;
    let found = Comparison::new(&measuring.asked(), baseline, current);
    let found = found.map_err(|e| match e {
        CompareError::Overlap(..) => Stop::usage(format_args!("--baseline and --current: {e}")),
        CompareError::Source(e) => Stop::failed(e),
    })?;
    write(args.measure.output.as_deref(), |out| match args.measure.format {
        MeasureFormat::Table => compare::write_table(out, &found, width()),
        MeasureFormat::Json => compare::write_json(out, &found),
        MeasureFormat::Ndjson => compare::write_ndjson(out, &found),
        MeasureFormat::Csv => compare::write_csv(out, &found),
    })?;
    warn(&args.measure, found.comparability.differences.iter().map(|d| d.what.as_str()));
    Ok(Exit::Done)
}
