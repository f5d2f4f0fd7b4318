//! Files and standard input as lines, read by several threads and handed over
//! in their order: one thread cuts the input into pieces of whole lines, others
//! read the lines, and whoever asked takes what came of them.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::cli::exit::Exit;
use crate::report::csv::full::Columns;
use crate::sighting::Record;
use crate::sighting::line::{self, MAX_LINE};
use crate::store::archive::{LineReader, Rows};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a piece; more than one line may have.
const PIECE: usize = 2 << 20;

/// What reads lines.
pub(super) trait Taker: Default + Send {
    /// What comes of the lines of a piece.
    type Taken: Send;

    /// Takes a line of NDJSON, or says what is wrong with it.
    fn take(&mut self, line: &[u8]) -> Result<(), String>;

    /// Takes a record that was read otherwise.
    fn put(&mut self, record: Record, support: bool);

    /// What was taken since.
    fn taken(&mut self) -> Self::Taken;
}

impl Taker for LineReader {
    type Taken = Rows;

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        LineReader::take(self, line)
    }

    fn put(&mut self, record: Record, support: bool) {
        LineReader::put(self, &record, support);
    }

    fn taken(&mut self) -> Rows {
        self.rows()
    }
}

impl Taker for Vec<(Record, bool)> {
    type Taken = Vec<(Record, bool)>;

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        self.push(line::parse_marked(line)?);
        Ok(())
    }

    fn put(&mut self, record: Record, support: bool) {
        self.push((record, support));
    }

    fn taken(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// What happens as files are read, in order.
pub(super) enum Event<T> {
    /// Lines were read.
    Lines {
        /// What came of them.
        taken: T,
        /// How many there were, blank ones included.
        lines: u64,
        /// Which of them, from 0, were left out, and why.
        faults: Vec<(u64, String)>,
    },
    /// The rest of a file cannot be read.
    Trouble(Exit, String),
    /// A file ends.
    End,
}

/// A piece on its way.
enum Piece {
    Lines(Vec<u8>, Option<Arc<Columns>>),
    TooLong,
    Header,
    Trouble(Exit, String),
    End,
}

/// Reads files, `-` for standard input, with so many threads beside the one
/// that cuts, and hands over what came of them until `each` fails.
pub(super) fn read<T: Taker, E>(
    paths: &[PathBuf],
    threads: usize,
    mut each: impl FnMut(&Path, Event<T::Taken>) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let (to_readers, pieces) = bounded::<(u64, Piece)>(threads);
        let (to_main, done) = bounded(threads);
        scope.spawn(move || cut_all(paths, &to_readers));
        for _ in 0..threads {
            let (pieces, to_main) = (pieces.clone(), to_main.clone());
            scope.spawn(move || work::<T>(&pieces, &to_main));
        }
        drop((pieces, to_main));
        let mut early: BTreeMap<u64, Event<T::Taken>> = BTreeMap::new();
        let (mut wanted, mut paths) = (0u64, paths.iter());
        let mut path = paths.next();
        for (number, event) in done {
            early.insert(number, event);
            while let Some(event) = early.remove(&wanted) {
                wanted = wanted.saturating_add(1);
                let Some(of) = path else { break };
                if matches!(event, Event::End) {
                    path = paths.next();
                }
                each(of, event)?;
            }
        }
        Ok(())
    })
}

fn work<T: Taker>(pieces: &Receiver<(u64, Piece)>, to_main: &Sender<(u64, Event<T::Taken>)>) {
    let mut taker = T::default();
    for (number, piece) in pieces {
        let event = match piece {
            Piece::Lines(text, columns) => lines(&mut taker, &text, columns.as_deref()),
            Piece::TooLong => {
                let faults = vec![(0, format!("longer than {MAX_LINE} bytes"))];
                Event::Lines { taken: taker.taken(), lines: 1, faults }
            }
            Piece::Header => Event::Lines { taken: taker.taken(), lines: 1, faults: Vec::new() },
            Piece::Trouble(exit, what) => Event::Trouble(exit, what),
            Piece::End => Event::End,
        };
        if to_main.send((number, event)).is_err() {
            return;
        }
    }
}

fn lines<T: Taker>(taker: &mut T, text: &[u8], columns: Option<&Columns>) -> Event<T::Taken> {
    let (mut faults, mut count) = (Vec::new(), 0u64);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut rest = Some(text);
    while let Some(text) = rest {
        let line = match memchr::memchr(b'\n', text) {
            Some(at) => {
                rest = text.get(at.saturating_add(1)..);
                text.get(..at).unwrap_or_default()
            }
            None => {
                rest = None;
                text
            }
        };
        let taken = if line.trim_ascii().is_empty() {
            Ok(())
        } else if line.len() > MAX_LINE {
            Err(format!("longer than {MAX_LINE} bytes"))
        } else if let Some(columns) = columns {
            columns.parse(line).map(|(record, support)| taker.put(record, support))
        } else {
            taker.take(line)
        };
        if let Err(fault) = taken {
            faults.push((count, fault));
        }
        count = count.saturating_add(1);
    }
    Event::Lines { taken: taker.taken(), lines: count, faults }
}

fn cut_all(paths: &[PathBuf], send: &Sender<(u64, Piece)>) {
    let mut number = 0u64;
    let mut send = |piece| {
        let sent = send.send((number, piece)).is_ok();
        number = number.saturating_add(1);
        sent
    };
    for path in paths {
        let going = if path == Path::new("-") {
            cut(io::stdin().lock(), &mut send)
        } else {
            match File::open(path) {
                Ok(file) => cut(file, &mut send),
                Err(e) => send(Piece::Trouble(Exit::Failed, format!("cannot be read ({e}); check the path"))),
            }
        };
        if !(going && send(Piece::End)) {
            return;
        }
    }
}

/// Cuts an input; false if nobody wants the rest.
fn cut(mut input: impl Read, send: &mut impl FnMut(Piece) -> bool) -> bool {
    let mut held = Vec::with_capacity(PIECE);
    let mut columns: Option<Arc<Columns>> = None;
    let mut begun = false;
    loop {
        let room = PIECE.saturating_sub(held.len());
        let read = fill(&mut input, &mut held, room);
        let ended = held.len() < PIECE;
        if !begun {
            begun = true;
            match header(&mut held) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    columns = Some(Arc::new(found));
                    if !send(Piece::Header) {
                        return false;
                    }
                }
                Err(what) => return send(Piece::Trouble(Exit::Failed, what)),
            }
        }
        let end = if ended { held.len() } else { memchr::memrchr(b'\n', &held).map_or(0, |at| at.saturating_add(1)) };
        if end > 0 {
            let mut next = Vec::with_capacity(PIECE);
            next.extend_from_slice(held.get(end..).unwrap_or_default());
            held.truncate(end);
            if !send(Piece::Lines(std::mem::replace(&mut held, next), columns.clone())) {
                return false;
            }
        } else if !ended {
            // A line without an end in sight: it is passed over.
            held.clear();
            let mut rest = BufReader::with_capacity(1 << 16, &mut input);
            let skipped = rest.skip_until(b'\n');
            held.extend_from_slice(rest.buffer());
            if !send(Piece::TooLong) {
                return false;
            }
            if let Err(e) = skipped {
                return send(trouble(&e));
            }
            continue;
        }
        match read {
            Err(e) => return send(trouble(&e)),
            Ok(()) if ended => return true,
            Ok(()) => {}
        }
    }
}

fn trouble(e: &io::Error) -> Piece {
    Piece::Trouble(Exit::Partial, format!("reading failed ({e}); what came before is kept"))
}

/// Reads until there are so many bytes more or the input ends.
fn fill(input: &mut impl Read, into: &mut Vec<u8>, room: usize) -> io::Result<()> {
    input.by_ref().take(room as u64).read_to_end(into).map(drop)
}

/// Takes the mark that some editors put before the text off it, and the header
/// if it is one of CSV.
fn header(held: &mut Vec<u8>) -> Result<Option<Columns>, String> {
    if held.starts_with("\u{feff}".as_bytes()) {
        held.drain(..3);
    }
    let end = memchr::memchr(b'\n', held).unwrap_or(held.len());
    let line = held.get(..end).unwrap_or_default();
    if !Columns::are_in(line) {
        return Ok(None);
    }
    let columns = Columns::of(line)?;
    held.drain(..held.len().min(end.saturating_add(1)));
    Ok(Some(columns))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
mod tests {
    use super::*;

    /// What comes of an input: lines of each piece, and where one was too long.
    fn pieces(input: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut all = Vec::new();
        let going = cut(input, &mut |piece| {
            match piece {
                Piece::Lines(text, _) => {
                    assert!(text.capacity() <= 2 * PIECE);
                    all.push(Some(text));
                }
                Piece::TooLong => all.push(None),
                _ => panic!("no such piece"),
            }
            true
        });
        assert!(going);
        all
    }

    #[test]
    fn input_is_cut_at_the_ends_of_lines() {
        let text = "0123456789\n".repeat(PIECE / 5);
        let cut = pieces(text.as_bytes());
        assert!(cut.len() > 2 && cut.iter().all(|p| p.as_ref().unwrap().ends_with(b"\n")));
        assert_eq!(cut.into_iter().flatten().flatten().collect::<Vec<u8>>(), text.as_bytes());
        assert_eq!(pieces(b"no end"), [Some(b"no end".to_vec())]);
        assert!(pieces(b"").is_empty());
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_the_next_is_found() {
        let mut text = b"one\n".to_vec();
        text.extend(vec![b'y'; 3 * PIECE]);
        text.extend(b"\nlast");
        assert_eq!(pieces(&text), [Some(b"one\n".to_vec()), None, Some(b"last".to_vec())]);
        let endless = vec![b'y'; 3 * PIECE];
        assert_eq!(pieces(&endless), [None]);
    }

    #[test]
    fn lines_that_are_none_are_told_by_their_place() {
        let mut text = b"\n{}\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE + 1]);
        text.extend(b"\n\n");
        let mut taker: Vec<(Record, bool)> = Vec::new();
        let Event::Lines { lines, faults, .. } = lines(&mut taker, &text, None) else { panic!() };
        assert_eq!(lines, 4);
        assert_eq!(faults.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 2]);
        assert!(faults[1].1.starts_with("longer than"));
    }
}
