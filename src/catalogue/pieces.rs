//! A catalogue file, piece by piece: a list may be larger than what all of the
//! program may take of memory, so no more of it is held than the entry that is
//! being read.

use super::error::CatalogueError;
use super::file::{Draft, Reader};
use super::plain::{self, Next};
use super::text::{LongText, TextWriter};
use std::io::{self, Read};
use toml::de::DeTable;

/// Text that is read at once.
const FILL: usize = 1 << 18;
/// Longest entry. A list of so much is better split.
const LONGEST_ENTRY: usize = 1 << 25;
/// An entry in an unusual form that is still none at this length is wrong by
/// itself.
const LONGEST_PIECE: usize = 1 << 20;

/// Where a file stands among the others, and how much may be read.
pub(super) struct Origin<'a> {
    /// Paths or names of all files so far; the last is this one's.
    pub labels: &'a [String],
    /// Bytes that may be read; less what was read, afterwards.
    pub budget: &'a mut u64,
    /// What the budget began with.
    pub most: u64,
}

/// Reads a file into a draft; gives its text.
pub(super) fn read(
    input: &mut dyn Read,
    origin: &mut Origin<'_>,
    draft: &mut Draft,
    errors: &mut CatalogueError,
) -> LongText {
    let label = origin.labels.last().map_or("", String::as_str);
    let mut text = TextWriter::default();
    let read = entries(input, origin, &mut text, draft, errors);
    match read.and_then(|()| text.finish()) {
        Ok(text) => text,
        Err(why) => {
            errors.push(label, format!("the catalogue cannot be read: {why}"));
            LongText::default()
        }
    }
}

/// The same, with the text to be finished, unless something is wrong with it.
fn entries(
    input: &mut dyn Read,
    origin: &mut Origin<'_>,
    text: &mut TextWriter,
    draft: &mut Draft,
    errors: &mut CatalogueError,
) -> io::Result<()> {
    let label = origin.labels.last().map_or("", String::as_str);
    let mut buffer = Vec::new();
    let (mut lines, mut first, mut last) = (0, true, false);
    let mut wanted = FILL;
    draft.begin_file();
    while !(last && buffer.is_empty()) {
        while !last && buffer.len() < wanted {
            let before = buffer.len();
            // One byte more than is allowed shows that there is more.
            let room = (wanted - before).min(usize::try_from(*origin.budget).unwrap_or(usize::MAX).saturating_add(1));
            let n = input.take(room as u64).read_to_end(&mut buffer)?;
            last = n < room;
            let Some(left) = origin.budget.checked_sub(n as u64) else {
                let most = origin.most >> 20;
                errors.push(label, format!("the files of the catalogue are larger than {most} MiB together"));
                return Ok(());
            };
            *origin.budget = left;
        }
        if first && buffer.starts_with("\u{feff}".as_bytes()) {
            buffer.drain(..3);
        }
        first = false;
        let end = if last { buffer.len() } else { memchr::memrchr(b'\n', &buffer).map_or(0, |at| at + 1) };
        let whole = match std::str::from_utf8(buffer.get(..end).unwrap_or_default()) {
            Ok(whole) => whole,
            Err(e) => {
                let valid = String::from_utf8_lossy(buffer.get(..e.valid_up_to()).unwrap_or_default());
                errors.push_at(label, (&valid, lines), valid.len(), "the file is not UTF-8 text");
                return Ok(());
            }
        };
        let mut reader = Reader::new(origin.labels, (whole, lines), draft, errors);
        let used = take(&mut reader, whole, last);
        let taken = whole.get(..used).unwrap_or_default();
        text.push(taken)?;
        lines += memchr::memchr_iter(b'\n', taken.as_bytes()).count();
        if used == 0 && buffer.len() >= LONGEST_ENTRY {
            let why = format!("the entry that begins here is longer than {} MiB", LONGEST_ENTRY >> 20);
            errors.push_at(label, ("", lines), 0, why);
            return Ok(());
        }
        wanted = if used == 0 { buffer.len() * 2 } else { FILL };
        buffer.drain(..used);
    }
    Ok(())
}

/// Reads the entries of a text; gives how far. What may go on behind its end
/// is left, unless there is nothing behind it.
fn take(reader: &mut Reader<'_>, text: &str, last: bool) -> usize {
    let mut at = 0;
    loop {
        at = match plain::next(text, at, last) {
            Next::Entry { name, at, table, end } => {
                reader.plain_entry(name, at, &table);
                end
            }
            Next::End => return text.len(),
            Next::Unfinished { at } => return at,
            Next::Other { at } => match other(reader, text, at, last) {
                Some(end) => end,
                None => return at,
            },
        };
        if at >= text.len() {
            return text.len();
        }
    }
}

/// Reads a piece in any form that TOML allows; gives where it ends. `None` if
/// that may lie behind the text.
fn other(reader: &mut Reader<'_>, text: &str, from: usize, last: bool) -> Option<usize> {
    let mut size = 0;
    let mut first: Option<(usize, toml::de::Error)> = None;
    loop {
        let next = text.as_bytes().get(from + size..).and_then(|rest| memchr::memmem::find(rest, b"\n[["));
        let end = match next {
            Some(at) => from + size + at + 1,
            None if last || text.len() - from > LONGEST_PIECE => text.len(),
            None => return None,
        };
        let piece = text.get(from..end).unwrap_or_default();
        let error = match DeTable::parse(piece) {
            Ok(document) => {
                reader.document(from, document.get_ref());
                return Some(end);
            }
            Err(e) => e,
        };
        let (first_end, error) = match first {
            Some(first) => first,
            None => (end, error),
        };
        // The line that seems to begin another entry may lie in a string.
        let in_string = piece.contains("\"\"\"") || piece.contains("'''");
        if !in_string || end == text.len() || piece.len() > LONGEST_PIECE {
            reader.syntax(from, &error);
            return Some(first_end);
        }
        first = Some((first_end, error));
        size = piece.len() * 2;
    }
}
