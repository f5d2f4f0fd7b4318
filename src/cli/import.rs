//! `spansight import`: takes sighting records as `--format ndjson` writes them.

use super::args::ImportArgs;
use super::exit::{Exit, Stop, say};
use super::{places, run_record};
use crate::base::Timestamp;
use crate::catalogue::Catalogue;
use crate::report::counted;
use crate::sighting::Record;
use crate::sighting::line::{self, MAX_LINE};
use crate::store::{Source, Store, Writer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

/// Lines that are left out with a sentence each; the others are counted.
const MAX_SAID: u64 = 10;

/// Runs the command.
pub(super) fn run(args: &ImportArgs) -> Result<Exit, Stop> {
    let is_stdin = |p: &&std::path::PathBuf| p.as_path() == Path::new("-");
    if args.paths.iter().filter(is_stdin).count() > 1 {
        return Err(Stop::usage("give - once: standard input can be read once"));
    }
    places::check(&[("--store", Some(&args.store))], args.paths.iter().map(|p| p.as_path()))?;
    // The account of a run names the catalogue of the program that ran.
    let catalogue = Catalogue::load(None, &[]).map_err(Stop::usage)?;
    let mut store = Store::open(&args.store)?;
    let result = into(&mut store, args, &catalogue);
    if result.is_err() {
        // What there is nothing in would be taken for a store of nothing.
        store.discard_new();
    }
    result
}

/// Takes all into a store, or nothing.
fn into(store: &mut Store, args: &ImportArgs, catalogue: &Catalogue) -> Result<Exit, Stop> {
    let mut run = run_record::begin(catalogue, Vec::new(), "", "none", Timestamp::now());
    run_record::complete(&mut run, None);
    let mut writer = store.begin()?;
    let number = writer.put_run(&run)?;

    let mut import = Import { writer, sources: BTreeMap::new(), records: 0, left_out: 0 };
    let mut exit = Exit::Done;
    for path in &args.paths {
        exit = exit.max(import.take(path)?);
    }
    if import.left_out > MAX_SAID {
        let more = import.left_out.saturating_sub(MAX_SAID);
        say(format_args!("{} left out", counted(more, "more line was", "more lines were")));
    }
    if import.records == 0 {
        return Err(Stop::failed("no sighting record could be read, so nothing was stored"));
    }

    let Import { mut writer, sources, records, left_out } = import;
    let count = sources.len();
    for (source, (first, last)) in sources {
        writer.put_source(number, &Source { source, first: Some(first), last: Some(last), ..Source::default() })?;
    }
    run_record::end(&mut run, exit);
    if let (Some(ended), Some(code), Some(reason)) = (run.ended, run.exit_code, &run.exit_reason) {
        writer.end_run(number, ended, code, reason)?;
    }
    writer.commit()?;
    if !args.quiet {
        let lines = match left_out {
            0 => String::new(),
            n => format!(", {} left out", counted(n, "line", "lines")),
        };
        drop(writeln!(io::stderr(), "Records read: {records}, sources: {count}{lines}."));
    }
    Ok(exit)
}

/// An import under way.
struct Import<'s> {
    writer: Writer<'s>,
    /// First and last time of each source's records.
    sources: BTreeMap<String, (Timestamp, Timestamp)>,
    records: u64,
    left_out: u64,
}

impl Import<'_> {
    /// Takes the records of a file, or of standard input.
    fn take(&mut self, path: &Path) -> Result<Exit, Stop> {
        if path == Path::new("-") {
            return self.take_lines("standard input", io::stdin().lock());
        }
        let shown = path.display().to_string();
        match File::open(path) {
            Ok(file) => self.take_lines(&shown, BufReader::with_capacity(1 << 18, file)),
            Err(e) => {
                say(format_args!("{shown}: cannot be read ({e}); check the path"));
                Ok(Exit::Failed)
            }
        }
    }

    fn take_lines(&mut self, shown: &str, mut reader: impl BufRead) -> Result<Exit, Stop> {
        let (mut exit, mut found) = (Exit::Done, false);
        let mut text = Vec::new();
        for number in 1u64.. {
            let fault = match read_line(&mut reader, &mut text) {
                Ok(Line::End) => break,
                Ok(Line::Whole) if text.trim_ascii().is_empty() => continue,
                Ok(Line::Whole) => match line::parse(without_mark(number, &text)) {
                    Ok(record) => {
                        self.put(&record)?;
                        found = true;
                        continue;
                    }
                    Err(fault) => fault,
                },
                Ok(Line::TooLong) => format!("longer than {MAX_LINE} bytes"),
                Err(e) => {
                    say(format_args!("{shown}: reading failed at line {number} ({e}); what came before is kept"));
                    exit = Exit::Partial;
                    break;
                }
            };
            exit = Exit::Partial;
            self.left_out = self.left_out.saturating_add(1);
            if self.left_out <= MAX_SAID {
                say(format_args!("{shown}: line {number} is left out: {fault}"));
            }
        }
        if !found {
            say(format_args!("{shown}: holds no sighting record that could be read"));
            exit = Exit::Failed;
        }
        Ok(exit)
    }

    fn put(&mut self, record: &Record) -> Result<(), Stop> {
        self.writer.put_record(record, false)?;
        self.records = self.records.saturating_add(1);
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

/// What a line came to.
enum Line {
    /// It is in the buffer.
    Whole,
    /// It was passed over.
    TooLong,
    /// There is none.
    End,
}

/// Reads a line without holding more of it than may be.
fn read_line(reader: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<Line> {
    into.clear();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX).saturating_add(1);
    if reader.by_ref().take(limit).read_until(b'\n', into)? == 0 {
        return Ok(Line::End);
    }
    if into.last() == Some(&b'\n') {
        into.pop();
    } else if into.len() > MAX_LINE {
        reader.skip_until(b'\n')?;
        return Ok(Line::TooLong);
    }
    Ok(Line::Whole)
}

/// The first line without the mark that some editors put before it.
fn without_mark(number: u64, line: &[u8]) -> &[u8] {
    let mark = "\u{feff}".as_bytes();
    if number == 1 { line.strip_prefix(mark).unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_is_found() {
        let mut text = b"one\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE]);
        text.push(b'\n');
        text.extend(vec![b'y'; MAX_LINE + 1]);
        text.extend(b"\nlast");
        let mut reader = BufReader::with_capacity(100, text.as_slice());
        let mut line = Vec::new();
        let mut seen = Vec::new();
        loop {
            match read_line(&mut reader, &mut line).unwrap() {
                Line::End => break,
                Line::Whole => seen.push(Some(line.len())),
                Line::TooLong => seen.push(None),
            }
            assert!(line.capacity() <= 3 * MAX_LINE);
        }
        assert_eq!(seen, [Some(3), Some(MAX_LINE), None, Some(4)]);
    }
}
