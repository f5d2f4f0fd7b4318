//! `spansight trend`: hosts and organisations in one period after the other.

use super::args::{MeasureFormat, TrendArgs};
use super::exit::{Exit, Stop};
use super::measuring::{Measuring, check_length, check_output, warn, write};
use crate::measure::{Step, Trend};
use crate::report::measure::trend;
use crate::report::table::width;

/// Runs the command.
pub(super) fn run(args: &TrendArgs) -> Result<Exit, Stop> {
    check_output(&args.measure)?;
    let measuring = Measuring::new(&args.measure.count)?;
    let step = Step::from(args.step);
    let window = args.window.map_or(measuring.watched, |w| w.days(measuring.watched.last));
    check_length(&[window])?;
    let found = Trend::new(&measuring.asked(), window, step)?;
    write(args.measure.output.as_deref(), |out| match args.measure.format {
        MeasureFormat::Table => trend::write_table(out, &found, width()),
        MeasureFormat::Json => trend::write_json(out, &found),
        MeasureFormat::Ndjson => trend::write_ndjson(out, &found),
        MeasureFormat::Csv => trend::write_csv(out, &found),
    })?;
    warn(&args.measure, found.warnings.iter().map(String::as_str));
    Ok(Exit::Done)
}
