//! `spansight hosts`: a verdict for each host of a store.

use super::args::{Format, HostsArgs};
use super::by_parts::{ByParts, Counts, Found};
use super::exit::{Exit, Stop, say};
use super::judging::Judging;
use super::narrowed::Narrowed;
use super::{inputs, measuring, output, places, stored};
use crate::base::{Timestamp, temporary};
use crate::catalogue::Catalogue;
use crate::host::{self, HostView};
use crate::measure::recount::Applied;
use crate::measure::{Days, Wanted};
use crate::report::hosts::{self, Roll};
use crate::report::output::Output;
use crate::report::summary::Summary;
use crate::report::table::width;
use crate::store::Store;
use crate::store::archive::Archive;
use std::path::Path;

/// Runs the command.
pub(super) fn run(args: &HostsArgs) -> Result<Exit, Stop> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Stop::usage(format_args!("--since {since} is not before --until {until}: no time lies between")));
    }
    let judging = Judging::new(&args.judging, args.until)?;
    let catalogue = args.catalogue.load().map_err(Stop::usage)?;
    let given = (!args.home_net.is_empty()).then(|| inputs::home_nets(&args.home_net, Vec::new())).transpose()?;
    let output = args.output.as_deref();
    let read = args.catalogue.paths().chain(args.judging.files()).chain([args.store.as_path()]);
    places::check(&[("--output", output)], read)?;
    Output::check(output).map_err(Stop::failed)?;
    let options =
        |home| host::Options { since: args.since, until: args.until, inventory: judging.inventory.clone(), home };
    if Archive::is_meant(&args.store) {
        return of_archive(args, &judging, &catalogue, &options(given.unwrap_or_default()));
    }
    let store = Store::open_read_only(&args.store)?;
    let facts = store.facts(args.since.map(day), args.until.map(|t| day(t.plus(-1))))?;
    let options = options(given.map_or_else(|| stored::home(&store), Ok)?);
    let judge = host::Judge::new(&facts, &catalogue, &options);
    let findings = judging.findings(&facts);
    let mut counts = Counts::new(&judging);
    let mut narrowed = Narrowed::new(&args.network, &args.name);
    let make = |number| judge.view(number);
    let meet = |view: &HostView| {
        narrowed.meet(view);
        counts.meet(view, &findings, fits(args, &narrowed, view))
    };
    let roll = Roll::new(judge.hosts(), &make, judging.as_of, meet);
    let applied = Applied { catalogue: &catalogue, backwards: false };
    let mut summary = stored::summary(&store, args.since, args.until, counts.contacted, applied)?;
    summary.out_of_view = narrowed.out_of_view(&store, judging.inventory.as_ref(), (args.since, args.until))?;
    tell(args, &roll, &counts, stored::pseudonyms(&store)?, &summary)?;
    if !args.quiet {
        output::say_clocks(&store.clocks()?);
    }
    Ok(judging.conclude(counts.found, &summary))
}

/// The hosts of an archive, some of them in memory at a time.
fn of_archive(
    args: &HostsArgs,
    judging: &Judging,
    catalogue: &Catalogue,
    options: &host::Options,
) -> Result<Exit, Stop> {
    let archive = Archive::open(&args.store)?;
    let days = Days::new(args.since.map_or(i32::MIN, day), args.until.map_or(i32::MAX, |t| day(t.plus(-1))));
    let narrowed = Narrowed::new(&args.network, &args.name);
    let by_parts = ByParts {
        source: &archive,
        wanted: Wanted { days: vec![days], names: false, ids: true },
        recount: None,
        catalogue,
        options,
        judging,
        fits: &|view| fits(args, &narrowed, view),
        threads: measuring::threads(),
        folder: temporary::folder(args.output.as_deref()),
        quiet: args.quiet,
    };
    let Found { hosts, mut counts } = by_parts.run()?;
    let roll = Roll::sorted(&hosts, &judging.accept, judging.as_of, std::mem::take(&mut counts.tally));
    let summary = stored::archive_summary(&archive, args.since, args.until, counts.contacted);
    tell(args, &roll, &counts, None, &summary)?;
    Ok(judging.conclude(counts.found, &summary))
}

/// The UTC day of a time.
fn day(t: Timestamp) -> i32 {
    i32::try_from(t.day()).unwrap_or(if t.0 < 0 { i32::MIN } else { i32::MAX })
}

/// Writes the hosts and the closing lines.
fn tell(
    args: &HostsArgs,
    roll: &Roll<'_>,
    counts: &Counts<'_>,
    pseudonyms: Option<String>,
    summary: &Summary,
) -> Result<(), Stop> {
    let output = args.output.as_deref();
    let all = counts.all;
    let left_out = all.saturating_sub(roll.len() as u64);

    // Whoever looks at standard output alone must not take an empty list for a
    // clean network; then standard error need not say it again.
    let empty = args.format == Format::Table && output.is_none() && all == 0;
    write(output, args.format, roll, empty, summary)?;
    if !args.quiet {
        output::write_closing(&if empty { summary.account() } else { summary.lines() });
        if let Some(sentence) = pseudonyms {
            say(format_args!("warning: {sentence}"));
        }
        let window = args.since.or(args.until).map_or("the store", |_| "the window");
        if let Some(sentence) = counts.unmet.sentence(window) {
            say(sentence);
        }
        if left_out > 0 {
            say(format_args!("{left_out} of {all} hosts are left out by --verdict, --category, --network or --name"));
        }
    }
    Ok(())
}

/// Whether the filters leave a host in. Of each filter any word may fit.
fn fits(args: &HostsArgs, narrowed: &Narrowed<'_>, v: &HostView) -> bool {
    let any = |empty: bool, fits: bool| empty || fits;
    any(args.verdict.is_empty(), args.verdict.contains(&v.verdict))
        && any(args.category.is_empty(), args.category.iter().any(|c| v.categories.contains_key(c)))
        && narrowed.fits(v)
}

/// Writes the hosts in the format asked for. A reader that closes standard
/// output early has what it wanted.
fn write(path: Option<&Path>, format: Format, roll: &Roll<'_>, empty: bool, summary: &Summary) -> Result<(), Stop> {
    let mut out = Output::open(path).map_err(Stop::failed)?;
    let written = match format {
        // In a file nobody sees standard error: the closing lines go along.
        Format::Table if empty => {
            use std::io::Write;
            writeln!(out, "{}", summary.nothing_seen())
        }
        Format::Table => hosts::table::write(&mut out, roll, path.is_some().then_some(summary), width()),
        Format::Ndjson => roll.each(|h| hosts::ndjson::write(&mut out, h)),
        Format::Csv => hosts::csv::write_header(&mut out).and_then(|()| roll.each(|h| hosts::csv::write(&mut out, h))),
    };
    let result = match written {
        Ok(()) => out.finish(),
        Err(e) => Err(out.error(e)),
    };
    match result {
        Err(e) if !e.is_closed_pipe() => Err(Stop::failed(e)),
        _ => Ok(()),
    }
}
