//! `spansight export`: the records of a store, as `import` takes them back.

use super::args::{ExportArgs, ExportFormat};
use super::exit::{Exit, Stop};
use super::places;
use crate::base::time::format_day;
use crate::report::output::Output;
use crate::report::{counted, csv, ndjson};
use crate::store::archive::Archive;
use crate::store::{Filter, Store, StoreError, Stored};
use std::io::{self, Write};

/// Why a record could not be written.
enum Trouble {
    Output(io::Error),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Trouble::Store(e)
    }
}

/// Runs the command.
pub(super) fn run(args: &ExportArgs) -> Result<Exit, Stop> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Stop::usage(format_args!("--since {since} is not before --until {until}: no time lies between")));
    }
    let output = args.output.as_deref();
    places::check(&[("--output", output)], [args.store.as_path()])?;
    Output::check(output).map_err(Stop::failed)?;
    let filter = Filter {
        since: args.since.map(|t| format_day(t.day())),
        until: args.until.map(|t| format_day(t.plus(-1).day())),
        categories: args.category.clone(),
        support: true,
        ..Filter::default()
    };
    let mut out;
    let mut records = 0u64;
    let written = if Archive::is_meant(&args.store) {
        let archive = Archive::open(&args.store)?;
        out = Output::open(output).map_err(Stop::failed)?;
        header(args, &mut out)
            .and_then(|()| archive.contributions(&filter, |stored| write(args, &stored, &mut out, &mut records)))
    } else {
        let store = Store::open_read_only(&args.store)?;
        let mut all = store.contributions(filter)?;
        out = Output::open(output).map_err(Stop::failed)?;
        header(args, &mut out).and_then(|()| all.try_for_each(|stored| write(args, &stored?, &mut out, &mut records)))
    };
    let finished = match written {
        Ok(()) => out.finish(),
        Err(Trouble::Output(e)) => Err(out.error(e)),
        Err(Trouble::Store(e)) => return Err(e.into()),
    };
    match finished {
        Err(e) if !e.is_closed_pipe() => return Err(Stop::failed(e)),
        _ => {}
    }
    if !args.quiet {
        drop(writeln!(io::stderr(), "{} written.", counted(records, "record", "records")));
    }
    Ok(Exit::Done)
}

fn header(args: &ExportArgs, out: &mut Output) -> Result<(), Trouble> {
    match args.format {
        ExportFormat::Ndjson => Ok(()),
        ExportFormat::Csv => csv::full::write_header(out).map_err(Trouble::Output),
    }
}

fn write(args: &ExportArgs, stored: &Stored, out: &mut Output, records: &mut u64) -> Result<(), Trouble> {
    if !fits(args, stored) {
        return Ok(());
    }
    let Stored { record, support } = stored;
    *records = records.saturating_add(1);
    let written = match args.format {
        ExportFormat::Ndjson => ndjson::write_marked(out, record, *support),
        ExportFormat::Csv => csv::full::write(out, record, *support),
    };
    written.map_err(Trouble::Output)
}

/// Whether what a filter of the store cannot ask for fits.
fn fits(args: &ExportArgs, stored: &Stored) -> bool {
    let r = &stored.record;
    let any = |empty: bool, fits: bool| empty || fits;
    let named = |part: &String| {
        let part = part.to_lowercase();
        r.host.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&part))
    };
    args.since.is_none_or(|since| r.last_seen >= since)
        && args.until.is_none_or(|until| r.first_seen < until)
        && any(args.network.is_empty(), args.network.iter().any(|n| n.contains(&r.host.ip)))
        && any(args.name.is_empty(), args.name.iter().any(named))
}
