//! `spansight report`: what a store shows, as a page, JSON and CSV.

mod document;
mod kept;
mod source;
mod windows;

use super::args::ReportArgs;
use super::by_parts::{ByParts, Counts, Found};
use super::exit::{Exit, Stop, say};
use super::judging::Judging;
use super::stored::Kept;
use super::{inputs, measuring, places};
use crate::base::{Timestamp, temporary};
use crate::host::{self, HostView};
use crate::measure::compare::CompareError;
use crate::measure::recount::{Applied, Recount};
use crate::measure::{Asked, Comparison, Groups, Total, Trend, Wanted, catalogue_as_of};
use crate::report::document::{Document, csv};
use crate::report::hosts::Roll;
use crate::report::html;
use crate::report::output::Output;
use crate::sighting::HomeNets;
use crate::store::Measured;
use source::Held;
use std::borrow::Cow;
use std::path::Path;
use windows::Windows;

/// Runs the command.
pub(super) fn run(args: &ReportArgs) -> Result<Exit, Stop> {
    check_outputs(args)?;
    let given = args.catalogue.load().map_err(Stop::usage)?;
    let groups = Groups::read(&args.groups).map_err(|e| Stop::usage(format_args!("--groups: {e}")))?;
    let by = if args.by.is_empty() { measuring::usual(&groups) } else { args.by.clone() };
    let dimensions = groups.dimensions(&by).map_err(|e| Stop::usage(format_args!("--by: {e}")))?;
    let nets = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
    let kept = Kept::open(&args.store)?;
    let local = |ends| args.utc_offset.local(ends);
    let (recorded, watched) = (kept.source().quarters()?.map(local), kept.source().quarters_watched()?.map(local));
    let windows = Windows::new(args, recorded, watched, Timestamp::now())?;
    windows.check()?;
    let pseudonyms = kept.pseudonyms()?;
    let judging = Judging::new(&args.judging, windows.until)?;
    let home = nets.map_or_else(|| kept.home(), Ok)?;
    let (catalogue, as_of) = match args.catalogue_as_of {
        Some(day) => {
            let (catalogue, as_of) = catalogue_as_of(kept.source(), &given, day)?;
            (catalogue, Some(as_of))
        }
        None => (given, None),
    };
    let asked = Asked {
        source: kept.source(),
        groups: &groups,
        dimensions,
        catalogue: &catalogue,
        as_of,
        home: home.clone(),
        doubts: pseudonyms.iter().cloned().collect(),
        offset: args.utc_offset,
        counted: Some(windows.now),
        claimed: None,
        threads: measuring::threads(),
    };
    let made = document::Made {
        args,
        judging: &judging,
        catalogue: &catalogue,
        windows: &windows,
        kept: &kept,
        groups: &groups,
        pseudonyms: pseudonyms.as_deref(),
    };
    match &kept {
        Kept::Store(measured) => of_store(&made, measured, asked, home),
        Kept::Archive(_) => of_archive(&made, &asked, home),
    }
}

/// Reports on a store of one file: the facts of the window are read once, for
/// hosts and figures alike.
fn of_store(made: &document::Made<'_>, measured: &Measured, asked: Asked<'_>, home: HomeNets) -> Result<Exit, Stop> {
    let document::Made { args, judging, windows, catalogue, .. } = made;
    let held = Held::new(measured, windows.report, args.utc_offset, asked.as_of.is_some())?;
    let asked = Asked { source: &held, ..asked };
    let part = held.part();
    let facts = match &asked.as_of {
        Some(_) => Cow::Owned(Recount::new(catalogue).apply(part)),
        None => Cow::Borrowed(&part.facts),
    };
    std::thread::scope(|scope| {
        let total = scope.spawn(|| windows.report.map(|days| Total::new(&asked, days)).transpose());
        let trend = scope.spawn(|| windows.span.map(|days| Trend::new(&asked, days, windows.step)).transpose());
        let comparison = scope.spawn(|| windows.compared.map(|(a, b)| Comparison::new(&asked, a, b)).transpose());
        let options = made.options(home);
        let judge = host::Judge::new(&facts, catalogue, &options);
        let findings = judging.findings(&facts);
        let mut counts = Counts::new(judging);
        counts.indicators.add(&facts);
        let make = |number| judge.view(number);
        let meet = |view: &HostView| counts.meet(view, &findings, true);
        let roll = Roll::new(judge.hosts(), &make, judging.as_of, meet);
        let figures = Figures {
            total: total.join().map_err(|_| ended())??,
            trend: trend.join().map_err(|_| ended())??,
            comparison: comparison.join().map_err(|_| ended())?.map_err(compared)?.map(|c| named(c, judging)),
        };
        finish(made, &roll, &counts, &figures)
    })
}

/// Reports on an archive: it is read part by part, once for each kind of
/// figures and once for hosts.
fn of_archive(made: &document::Made<'_>, asked: &Asked<'_>, home: HomeNets) -> Result<Exit, Stop> {
    let document::Made { args, judging, windows, catalogue, .. } = made;
    let figures = Figures {
        total: windows.report.map(|days| Total::new(asked, days)).transpose()?,
        trend: windows.span.map(|days| Trend::new(asked, days, windows.step)).transpose()?,
        comparison: windows
            .compared
            .map(|(a, b)| Comparison::new(asked, a, b).map(|c| named(c, judging)))
            .transpose()
            .map_err(compared)?,
    };
    let days = windows.report.map(|days| args.utc_offset.utc(days)).into_iter().collect();
    let by_parts = ByParts {
        source: asked.source,
        wanted: Wanted { days, names: asked.as_of.is_some(), ids: true },
        recount: asked.as_of.is_some().then(|| Recount::new(catalogue)),
        catalogue,
        options: &made.options(home),
        judging,
        fits: &|_| true,
        threads: asked.threads,
        folder: temporary::folder(outputs(args).next()),
        quiet: args.quiet,
    };
    let Found { hosts, mut counts } = by_parts.run()?;
    let roll = Roll::sorted(&hosts, &judging.accept, judging.as_of, std::mem::take(&mut counts.tally));
    finish(made, &roll, &counts, &figures)
}

/// Files that are written, and one of those in the folder of `--csv`.
fn outputs(args: &ReportArgs) -> impl Iterator<Item = &Path> {
    let files = [args.html.as_deref(), args.json.as_deref(), args.csv.as_deref()];
    files.into_iter().flatten().filter(|path| *path != Path::new("-"))
}

/// A thread that counted broke down.
fn ended() -> Stop {
    Stop::failed(super::panics::sentence())
}

/// What was counted.
struct Figures {
    total: Option<Total>,
    trend: Option<Trend>,
    comparison: Option<Comparison>,
}

/// A comparison whose hosts are called what the user's list calls them.
fn named(mut comparison: Comparison, judging: &Judging) -> Comparison {
    if let Some(inventory) = &judging.inventory {
        let movers = &mut comparison.movers;
        for mover in movers.gone.iter_mut().chain(&mut movers.new) {
            let listed = inventory.find(mover.mac, &mover.ip).and_then(|device| device.name.clone());
            mover.name = listed.or(mover.name.take());
        }
    }
    comparison
}

/// Why windows are not compared.
fn compared(e: CompareError) -> Stop {
    match e {
        CompareError::Overlap(..) => Stop::usage(format_args!("--baseline and --current: {e}")),
        CompareError::Source(e) => Stop::failed(e),
    }
}

/// Puts everything together and writes it.
fn finish(made: &document::Made<'_>, roll: &Roll<'_>, counts: &Counts<'_>, figures: &Figures) -> Result<Exit, Stop> {
    let document::Made { args, judging, windows, kept, catalogue, .. } = made;
    let coverage = figures.total.as_ref().map(|total| &total.coverage);
    let applied = Applied { catalogue, backwards: args.catalogue_as_of.is_some() };
    let summary = kept.summary(windows.ends(args.utc_offset), counts.contacted, coverage, applied)?;
    let document = made.document(roll, &summary, &counts.indicators, figures)?;
    write(args, &document)?;
    if !args.quiet {
        for doubt in &document.doubts {
            say(format_args!("doubtful: {doubt}"));
        }
        let window = if windows.asked { "the window" } else { "the store" };
        if let Some(sentence) = counts.unmet.sentence(window) {
            say(sentence);
        }
    }
    Ok(judging.conclude(counts.found, &summary))
}

/// Says at once what could not be written in the end.
fn check_outputs(args: &ReportArgs) -> Result<(), Stop> {
    let (html, json) = (args.html.as_deref(), args.json.as_deref());
    let files = args.csv.as_deref().map(csv::files).unwrap_or_default();
    let mut written = vec![("--html", html), ("--json", json)];
    written.extend(files.iter().map(|path| ("--csv", Some(path.as_path()))));
    places::check(&written, args.files())?;
    let stdout = Some(Path::new("-"));
    if html == stdout && json == stdout {
        return Err(Stop::usage("--html and --json cannot both be written to standard output; give a file for one"));
    }
    for path in [html, json] {
        Output::check(path).map_err(Stop::failed)?;
    }
    match &args.csv {
        Some(folder) if folder.exists() && !folder.is_dir() => Err(Stop::usage(format_args!(
            "--csv {} is no folder; several files are written into one",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Writes all that was asked for. Each file appears when it is complete.
fn write(args: &ReportArgs, document: &Document<'_>) -> Result<(), Stop> {
    if let Some(path) = &args.html {
        measuring::write(Some(path), |out| html::write(out, document))?;
    }
    if let Some(path) = &args.json {
        measuring::write(Some(path), |out| document.write_json(out))?;
    }
    if let Some(folder) = &args.csv {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|e| Stop::failed(format_args!("cannot make the folder {} ({e})", folder.display())))?;
        for file in csv::FILES {
            measuring::write(Some(&folder.join(file.name)), |out| (file.write)(out, document))?;
        }
    }
    Ok(())
}
