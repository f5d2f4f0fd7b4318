//! A report as one page that needs nothing else: no request, no script to be
//! read, on a screen, on paper, aloud.
//!
//! Whatever others can put into it (names, paths, catalogues, command lines)
//! goes through `words::Shown` and the escaping of [`maud`]; nothing on the
//! page is put together from strings by hand.

mod assets;
mod page;
mod sections;
mod svg;
mod table;
mod words;

#[cfg(test)]
mod tests;

use super::document::Document;
use std::io;

/// Hosts that one table of the page lists, and rows of its other tables. JSON and CSV have all, but
/// for hosts that are gone or new.
pub const MAX_ROWS: usize = 2_000;

/// Writes the page.
///
/// # Errors
/// Those of `out`, and of reading hosts again that are not held.
pub fn write(out: &mut dyn io::Write, document: &Document<'_>) -> io::Result<()> {
    out.write_all(page::page(document)?.into_string().as_bytes())
}
