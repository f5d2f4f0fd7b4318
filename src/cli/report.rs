//! `spansight report`: what a store shows, as a page, JSON and CSV.

mod document;
mod source;
mod windows;

use super::args::ReportArgs;
use super::exit::{Exit, Stop, say};
use super::judging::{Judging, Unmet};
use super::{inputs, measuring, places, stored};
use crate::base::Timestamp;
use crate::host::{self, HostView};
use crate::measure::compare::CompareError;
use crate::measure::recount::Recount;
use crate::measure::{Asked, Comparison, FactSource, Groups, Total, Trend, catalogue_as_of};
use crate::report::document::{Document, csv};
use crate::report::hosts::Roll;
use crate::report::html;
use crate::report::output::Output;
use crate::sighting::HomeNets;
use crate::store::Measured;
use crate::store::Store;
use crate::store::archive::Archive;
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
    if Archive::is_meant(&args.store) {
        return Err(Stop::usage(format_args!(
            "{} is an archive, which keeps too little of single hosts for a report; give a store, or count it with \
             `spansight trend` and `spansight compare`",
            args.store.display()
        )));
    }
    let measured = Measured::new(Store::open_read_only(&args.store)?);
    let windows = Windows::new(args, measured.days()?, measured.watched()?, Timestamp::now())?;
    windows.check()?;
    let pseudonyms = stored::pseudonyms(&measured.store())?.map(|s| s.trim_start_matches("warning: ").to_owned());
    let judging = Judging::new(&args.judging, windows.until)?;
    let home = nets.map_or_else(|| stored::home(&measured.store()), Ok)?;
    let (catalogue, as_of) = match args.catalogue_as_of {
        Some(day) => {
            let (catalogue, as_of) = catalogue_as_of(&measured, &given, day)?;
            (catalogue, Some(as_of))
        }
        None => (given, None),
    };

    // The facts of the window are read once, for hosts and figures alike.
    let held = Held::new(&measured, windows.report, args.utc_offset, as_of.is_some())?;
    let asked = Asked {
        source: &held,
        groups: &groups,
        dimensions,
        catalogue: &catalogue,
        as_of,
        home: home.clone(),
        doubts: pseudonyms.iter().cloned().collect(),
        offset: args.utc_offset,
        threads: measuring::threads(),
    };
    let part = held.part();
    let facts = match &asked.as_of {
        Some(_) => Cow::Owned(Recount::new(&catalogue).apply(part)),
        None => Cow::Borrowed(&part.facts),
    };
    let made = document::Made {
        args,
        judging: &judging,
        catalogue: &catalogue,
        facts: &facts,
        windows: &windows,
        measured: &measured,
        groups: &groups,
        pseudonyms: pseudonyms.as_deref(),
    };
    std::thread::scope(|scope| {
        let total = scope.spawn(|| windows.report.map(|days| Total::new(&asked, days)).transpose());
        let trend = scope.spawn(|| windows.span.map(|days| Trend::new(&asked, days, windows.step)).transpose());
        let comparison = scope.spawn(|| windows.compared.map(|(a, b)| Comparison::new(&asked, a, b)).transpose());
        let figures = || -> Result<Figures, Stop> {
            Ok(Figures {
                total: total.join().map_err(|_| ended())??,
                trend: trend.join().map_err(|_| ended())??,
                comparison: comparison.join().map_err(|_| ended())?.map_err(|e| match e {
                    CompareError::Overlap(..) => Stop::usage(format_args!("--baseline and --current: {e}")),
                    CompareError::Source(e) => Stop::failed(e),
                })?,
            })
        };
        finish(&made, home, figures)
    })
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

/// Judges the hosts, waits for the figures, and writes everything.
fn finish(
    made: &document::Made<'_>,
    home: HomeNets,
    figures: impl FnOnce() -> Result<Figures, Stop>,
) -> Result<Exit, Stop> {
    let document::Made { args, judging, windows, .. } = made;
    let (since, until) = windows.ends(args.utc_offset);
    let options = host::Options { since, until, inventory: judging.inventory.clone(), home };
    let judge = host::Judge::new(made.facts, made.catalogue, &options);
    let findings = judging.findings(made.facts);
    let mut unmet = Unmet::new(judging);
    let (mut contacted, mut found) = (0u64, false);
    let make = |number| judge.view(number);
    let roll = Roll::new(judge.hosts(), &make, judging.as_of, |view: &HostView| {
        contacted = contacted.saturating_add(u64::from(view.made_contact()));
        unmet.meet(view);
        let standing = judging.standing(view);
        found |= findings.has(view, standing);
        Some(standing)
    });
    let summary = stored::summary(&made.measured.store(), since, until, contacted)?;
    let figures = figures()?;
    let document = made.document(&roll, &summary, &figures)?;
    write(args, &document)?;
    if !args.quiet {
        for doubt in &document.doubts {
            say(format_args!("doubtful: {doubt}"));
        }
        let window = if windows.asked { "the window" } else { "the store" };
        if let Some(sentence) = unmet.sentence(window) {
            say(sentence);
        }
    }
    Ok(judging.conclude(found, &summary))
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
