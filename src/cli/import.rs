//! `spansight import`: takes sighting records as `export` and `--format ndjson`
//! write them.

mod doubts;
mod lines;

use super::args::ImportArgs;
use super::exit::{Exit, Stop, say};
use super::measuring::threads;
use super::{places, run_record};
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::report::counted;
use crate::sighting::Record;
use crate::store::archive::{self, Archive, LineReader, Rows};
use crate::store::{Run, Source, Store, Taken, Writer};
use doubts::Doubts;
use lines::{Event, Taker};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Lines that are left out with a sentence each; the others are counted.
const MAX_SAID: u64 = 10;

/// Runs the command.
pub(super) fn run(args: &ImportArgs) -> Result<Exit, Stop> {
    let is_stdin = |p: &&PathBuf| p.as_path() == Path::new("-");
    if args.paths.iter().filter(is_stdin).count() > 1 {
        return Err(Stop::usage("give - once: standard input can be read once"));
    }
    // The account of a run names the catalogue of the program that ran.
    let catalogue = Catalogue::load(None, &[]).map_err(Stop::usage)?;
    if Archive::is_meant(&args.store) {
        return into_archive(args, &catalogue);
    }
    places::check(&[("--store", Some(&args.store))], args.paths.iter().map(|p| p.as_path()))?;
    let mut store = Store::open(&args.store)?;
    let result = into_store(&mut store, args, &catalogue);
    if result.is_err() {
        // What there is nothing in would be taken for a store of nothing.
        store.discard_new();
    }
    result
}

/// The account of a run that begins.
fn begin(catalogue: &Catalogue) -> Run {
    let mut run = run_record::begin(catalogue, Vec::new(), "", "none", Timestamp::now());
    run_record::complete(&mut run, None);
    run
}

/// Takes all into a store, or nothing.
fn into_store(store: &mut Store, args: &ImportArgs, catalogue: &Catalogue) -> Result<Exit, Stop> {
    let mut run = begin(catalogue);
    let mut writer = store.begin()?;
    let number = writer.put_run(&run)?;
    writer.imports(number);
    let mut import = Import { writer, sources: BTreeMap::new(), changed: 0, refused: 0 };
    let (mut told, mut doubts) = (Told::default(), Doubts::of(catalogue));
    told.read::<Vec<(Record, bool)>>(&args.paths, |records| {
        for (record, support) in &records {
            doubts.indicator(&record.indicator.id, record.indicator.category);
            doubts.time(Some(record.last_seen));
            import.put(record, *support)?;
        }
        Ok(records.len())
    })?;
    (told.changed, told.refused) = (import.changed, import.refused);
    let exit = told.end()?;

    let Import { mut writer, sources, .. } = import;
    let count = sources.len();
    for (source, (first, last)) in sources {
        writer.put_source(number, &Source { source, first: Some(first), last: Some(last), ..Source::default() })?;
    }
    run_record::end(&mut run, exit);
    if let (Some(ended), Some(code), Some(reason)) = (run.ended, run.exit_code, &run.exit_reason) {
        writer.end_run(number, ended, code, reason)?;
    }
    writer.commit()?;
    told.close(args, count);
    doubts.say(args);
    Ok(exit)
}

/// Takes all into an archive, or nothing.
fn into_archive(args: &ImportArgs, catalogue: &Catalogue) -> Result<Exit, Stop> {
    let mut run = begin(catalogue);
    let mut import = archive::Import::begin(&args.store)?;
    let (mut told, mut doubts) = (Told::default(), Doubts::of(catalogue));
    told.read::<LineReader>(&args.paths, |rows: Rows| {
        rows.indicators().for_each(|(id, category)| doubts.indicator(id, category));
        doubts.time(rows.newest());
        import.add(&rows)?;
        Ok(rows.len())
    })?;
    let exit = told.end()?;
    run_record::end(&mut run, exit);
    let count = import.sources();
    told.changed = import.commit(&run, threads())?;
    told.close(args, count);
    doubts.say(args);
    Ok(exit)
}

/// What was read, and what was said of it.
#[derive(Default)]
struct Told {
    exit: Exit,
    records: u64,
    left_out: u64,
    /// Records that were there and say more now.
    changed: u64,
    /// Records that say otherwise than those of the store's own runs.
    refused: u64,
    /// Of the file that is being read: lines, and whether any was a record.
    line: u64,
    found: bool,
}

impl Told {
    /// Reads all, and hands what came of it to `put`, which says how many
    /// records it took.
    fn read<T: Taker>(
        &mut self,
        paths: &[PathBuf],
        mut put: impl FnMut(T::Taken) -> Result<usize, Stop>,
    ) -> Result<(), Stop> {
        lines::read::<T, Stop>(paths, threads(), |path, event| {
            let is_stdin = path == Path::new("-");
            let shown = if is_stdin { "standard input".into() } else { path.display().to_string() };
            match event {
                Event::Lines { taken, lines, faults } => {
                    for (line, fault) in faults {
                        let number = self.line.saturating_add(line).saturating_add(1);
                        self.leave_out(&shown, number, &fault);
                    }
                    let taken = put(taken)? as u64;
                    self.line = self.line.saturating_add(lines);
                    self.records = self.records.saturating_add(taken);
                    self.found |= taken > 0;
                }
                Event::Trouble(exit, what) => {
                    say(format_args!("{shown}: {what}"));
                    self.exit = self.exit.max(exit);
                    // What cannot be opened need not be said to hold nothing.
                    self.found |= exit == Exit::Failed;
                }
                Event::End => {
                    if !self.found {
                        say(format_args!("{shown}: holds no sighting record that could be read"));
                        self.exit = Exit::Failed;
                    }
                    (self.line, self.found) = (0, false);
                }
            }
            Ok(())
        })
    }

    fn leave_out(&mut self, shown: &str, line: u64, fault: &str) {
        self.exit = self.exit.max(Exit::Partial);
        self.left_out = self.left_out.saturating_add(1);
        if self.left_out <= MAX_SAID {
            say(format_args!("{shown}: line {line} is left out: {fault}"));
        }
    }

    /// What the reading came to.
    fn end(&mut self) -> Result<Exit, Stop> {
        if self.left_out > MAX_SAID {
            let more = self.left_out.saturating_sub(MAX_SAID);
            say(format_args!("{} left out", counted(more, "more line was", "more lines were")));
        }
        if self.records == 0 {
            return Err(Stop::failed("no sighting record could be read, so nothing was stored"));
        }
        if self.refused > 0 {
            self.exit = self.exit.max(Exit::Partial);
            say(format_args!(
                "{} otherwise than what this store's own runs wrote, which stays: an import does not change it",
                counted(self.refused, "record says", "records say")
            ));
        }
        Ok(self.exit)
    }

    fn close(&self, args: &ImportArgs, sources: usize) {
        if args.quiet {
            return;
        }
        let lines = match self.left_out {
            0 => String::new(),
            n => format!(", {} left out", counted(n, "line", "lines")),
        };
        let changed = match self.changed {
            0 => String::new(),
            n => format!(", {} that there was changed", counted(n, "record", "records")),
        };
        drop(writeln!(io::stderr(), "Records read: {}, sources: {sources}{lines}{changed}.", self.records));
    }
}

/// An import into a store of one file.
struct Import<'s> {
    writer: Writer<'s>,
    /// First and last time of each source's records.
    sources: BTreeMap<String, (Timestamp, Timestamp)>,
    /// Records that there were, changed.
    changed: u64,
    /// Records left as the store's own runs wrote them.
    refused: u64,
}

impl Import<'_> {
    fn put(&mut self, record: &Record, support: bool) -> Result<(), Stop> {
        match self.writer.import_record(record, support)? {
            Taken::Added | Taken::Known => {}
            Taken::Changed => self.changed = self.changed.saturating_add(1),
            Taken::Refused => {
                self.refused = self.refused.saturating_add(1);
                return Ok(());
            }
        }
        let (first, last) = (record.first_seen, record.last_seen);
        match self.sources.entry(record.source.clone()) {
            Entry::Vacant(v) => drop(v.insert((first, last))),
            Entry::Occupied(mut o) => {
                let (from, to) = *o.get();
                o.insert((from.min(first), to.max(last)));
            }
        }
        Ok(())
    }
}
