//! What the commands that count share.

use super::args::{CountArgs, MeasureArgs};
use super::exit::{Stop, say};
use super::stored::Kept;
use super::{inputs, places};
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::measure::count::MOST_DAYS;
use crate::measure::{AsOf, Asked, Days, Groups, SourceError, catalogue_as_of};
use crate::report::output::Output;
use crate::sighting::HomeNets;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Most threads that count, or read lines: more wait for each other.
const MOST_THREADS: usize = 8;

impl From<SourceError> for Stop {
    fn from(e: SourceError) -> Self {
        Stop::failed(e)
    }
}

/// Everything that a report is made from.
pub(super) struct Measuring {
    kept: Kept,
    groups: Groups,
    dimensions: Vec<Vec<String>>,
    /// The one in effect: with `--catalogue-as-of` perhaps that of a run.
    pub(super) catalogue: Arc<Catalogue>,
    as_of: Option<AsOf>,
    home: HomeNets,
    doubts: Vec<String>,
    args: Settings,
    /// First and last day with records, or on which a sensor saw anything or ran
    /// at all.
    pub(super) watched: Days,
}

/// How many threads count, or read lines.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS))
}

/// What is taken as it is: an argument, and the time.
struct Settings {
    offset: crate::measure::UtcOffset,
    counted: Timestamp,
}

/// What is counted by where nothing is asked for: columns with few values.
pub(super) fn usual(groups: &Groups) -> Vec<String> {
    let known = groups.columns();
    ["country", "sector"].into_iter().filter(|c| known.contains(c)).map(str::to_owned).collect()
}

impl Measuring {
    /// Checks the arguments and opens everything.
    pub(super) fn new(args: &CountArgs) -> Result<Self, Stop> {
        let given = args.catalogue.load().map_err(Stop::usage)?;
        let home = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
        let groups = Groups::read(&args.groups).map_err(|e| Stop::usage(format_args!("--groups: {e}")))?;
        let by = if args.by.is_empty() { usual(&groups) } else { args.by.clone() };
        let dimensions = groups.dimensions(&by).map_err(|e| Stop::usage(format_args!("--by: {e}")))?;
        let kept = Kept::open(&args.store)?;
        let source = kept.source();
        let (catalogue, as_of) = match args.catalogue_as_of {
            Some(day) => catalogue_as_of(source, &given, day).map(|(c, of)| (c, Some(of)))?,
            None => (given, None),
        };
        // A sensor that saw nobody make contact has something to say too.
        let offset = args.utc_offset;
        let local = |ends| offset.local(ends);
        let Some(watched) = Days::spanning(source.quarters()?.map(local), source.quarters_watched()?.map(local)) else {
            return Err(Stop::failed(format_args!(
                "{} holds no record and nothing that a sensor saw, so there is nothing to count",
                args.store.display()
            )));
        };
        let home = home.map_or_else(|| kept.home(), Ok)?;
        let doubts = kept.pseudonyms()?.into_iter().collect();
        let args = Settings { offset, counted: Timestamp::now() };
        let catalogue = Arc::new(catalogue);
        Ok(Measuring { kept, groups, dimensions, catalogue, as_of, home, doubts, args, watched })
    }

    /// What is asked for.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            source: self.kept.source(),
            groups: &self.groups,
            dimensions: self.dimensions.clone(),
            catalogue: &self.catalogue,
            as_of: self.as_of.clone(),
            home: self.home.clone(),
            doubts: self.doubts.clone(),
            offset: self.args.offset,
            counted: Some(self.args.counted),
            claimed: None,
            threads: threads(),
        }
    }
}

/// Says at once what could not be written in the end, or would be read.
pub(super) fn check_output(args: &MeasureArgs) -> Result<(), Stop> {
    let output = args.output.as_deref();
    places::check(&[("--output", output)], args.count.files())?;
    Output::check(output).map_err(Stop::failed)
}

/// Refuses windows with more days than a report can have.
pub(super) fn check_length(windows: &[Days]) -> Result<(), Stop> {
    let days = windows.iter().fold(0u32, |sum, window| sum.saturating_add(window.len()));
    if days > MOST_DAYS {
        let shown: Vec<String> = windows.iter().map(ToString::to_string).collect();
        let shown = shown.join(" and ");
        return Err(Stop::usage(format_args!("{shown} has more than {MOST_DAYS} days; give a shorter window")));
    }
    Ok(())
}

/// Writes a report. A reader that closes standard output early has what it
/// wanted.
pub(super) fn write(path: Option<&Path>, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Stop> {
    let mut out = Output::open(path).map_err(Stop::failed)?;
    let result = match write(&mut out) {
        Ok(()) => out.finish(),
        Err(e) => Err(out.error(e)),
    };
    match result {
        Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
        _ => Ok(()),
    }
}

/// Says on standard error what makes figures doubtful, where they are printed in
/// a form that nobody reads line by line.
pub(super) fn warn<'w>(args: &MeasureArgs, warnings: impl IntoIterator<Item = &'w str>) {
    use super::args::MeasureFormat;
    if !args.quiet && (args.format != MeasureFormat::Table || args.output.is_some()) {
        warnings.into_iter().for_each(|warning| say(format_args!("warning: {warning}")));
    }
}
