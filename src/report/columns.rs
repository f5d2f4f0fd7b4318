//! Text in columns: rows of cells, and lines of full width beneath a row.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableStyle, Width};
use std::io;

/// Columns divided by space.
const STYLE: TableStyle = TableStyle::new();
/// Blank columns between two columns.
pub(super) const GAP: u16 = 2;
/// How far lines beneath a row are moved in.
const INDENT: usize = 4;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) header: &'static str,
    /// Its width without the gap.
    pub(super) width: u16,
    /// The delimiter behind which long lines break; without one, between words.
    pub(super) breaks: Option<char>,
}

/// One row.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// A cell for each column, of one or more lines.
    pub(super) cells: Vec<String>,
    /// Sentences beneath them, over the whole width.
    pub(super) below: Vec<String>,
}

/// The width of the widest line of a column, its header included.
pub(super) fn content<'r>(header: &'r str, cells: impl Iterator<Item = &'r str>) -> u16 {
    let lines = cells.flat_map(str::lines).chain([header]);
    u16::try_from(lines.map(|line| line.chars().count()).max().unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Writes header and rows; the last column is aligned to the right if asked.
/// `width` is that of the sentences beneath rows.
pub(super) fn write(
    out: &mut dyn io::Write,
    columns: &[Column],
    rows: Vec<Row>,
    width: u16,
    last_right: bool,
) -> io::Result<()> {
    write_header(out, columns, last_right)?;
    rows.into_iter().try_for_each(|row| write_row(out, columns, row, width, last_right))
}

/// Writes the header and the line below it.
pub(super) fn write_header(out: &mut dyn io::Write, columns: &[Column], last_right: bool) -> io::Result<()> {
    let headers = columns.iter().map(|c| c.header.to_owned()).collect();
    write_line(out, columns, headers, last_right)?;
    let gaps = usize::from(GAP).saturating_mul(columns.len().saturating_sub(1));
    let total = columns.iter().fold(gaps, |sum, c| sum.saturating_add(usize::from(c.width)));
    writeln!(out, "{}", "-".repeat(total))
}

/// Writes one row.
pub(super) fn write_row(
    out: &mut dyn io::Write,
    columns: &[Column],
    mut row: Row,
    width: u16,
    last_right: bool,
) -> io::Result<()> {
    for (cell, column) in row.cells.iter_mut().zip(columns) {
        if let Some(delimiter) = column.breaks {
            *cell = fold(cell, delimiter, column.width);
        }
    }
    write_line(out, columns, row.cells, last_right)?;
    for sentence in &row.below {
        let room = usize::from(width).saturating_sub(INDENT).max(1);
        for line in wrap(sentence, room) {
            writeln!(out, "{:INDENT$}{line}", "")?;
        }
    }
    Ok(())
}

fn write_line(out: &mut dyn io::Write, columns: &[Column], cells: Vec<String>, last_right: bool) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::MAX);
    table.add_row(cells);
    let last = columns.len().saturating_sub(1);
    for ((index, shown), column) in table.column_iter_mut().enumerate().zip(columns) {
        let gap = if index == last { 0 } else { GAP };
        shown.set_padding((0, gap));
        shown.set_constraint(ColumnConstraint::Absolute(Width::Fixed(column.width.saturating_add(gap))));
        if index == last && last_right {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.trim_fmt().lines() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Breaks a sentence between words; a word that is too long, anywhere.
pub(super) fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0usize;
    for word in sentence.split_whitespace() {
        let len = word.chars().count();
        match lines.last_mut() {
            Some(line) if used.saturating_add(len).saturating_add(1) <= width => {
                line.push(' ');
                line.push_str(word);
                used = used.saturating_add(len).saturating_add(1);
            }
            _ => {
                let folded = fold(word, '.', u16::try_from(width).unwrap_or(u16::MAX));
                lines.extend(folded.lines().map(str::to_owned));
                used = lines.last().map_or(0, |l| l.chars().count());
            }
        }
    }
    lines
}

/// Breaks lines that are too long behind a delimiter, so that a name stays
/// readable, and anywhere if there is none. Nothing is left out.
pub(super) fn fold(cell: &str, delimiter: char, width: u16) -> String {
    let width = usize::from(width);
    let mut out: Vec<String> = Vec::new();
    for line in cell.lines() {
        let mut current = String::new();
        let mut used = 0usize;
        for piece in line.split_inclusive(delimiter) {
            let len = piece.chars().count();
            if used > 0 && used.saturating_add(len) > width {
                out.push(std::mem::take(&mut current));
                used = 0;
            }
            for c in piece.chars() {
                if used == width {
                    out.push(std::mem::take(&mut current));
                    used = 0;
                }
                current.push(c);
                used = used.saturating_add(1);
            }
        }
        out.push(current);
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folding_loses_nothing(line in "[ a-z.]{0,80}", width in 1u16..40) {
            let folded = fold(&line, '.', width);
            prop_assert!(folded.lines().all(|l| l.len() <= usize::from(width)));
            prop_assert_eq!(folded.replace('\n', ""), line);
        }

        #[test]
        fn wrapping_loses_no_word(line in "[a-z.]{1,50}( [a-z.]{1,50}){0,9}", width in 1usize..60) {
            let wrapped = wrap(&line, width);
            prop_assert!(wrapped.iter().all(|l| l.len() <= width));
            prop_assert_eq!(wrapped.concat().replace(' ', ""), line.replace(' ', ""));
        }
    }

    #[test]
    fn names_break_behind_a_dot() {
        assert_eq!(
            fold("ksn-a-stat.kaspersky-labs.com\n+3 more", '.', 16),
            "ksn-a-stat.\nkaspersky-labs.\ncom\n+3 more"
        );
        assert_eq!(fold("abcdefgh.com", '.', 5), "abcde\nfgh.\ncom");
    }

    #[test]
    fn sentences_stand_beneath_their_row() {
        let column = |header, width| Column { header, width, breaks: None };
        let row = Row { cells: vec!["a".into(), "7".into()], below: vec!["one two three".into()] };
        let mut out = Vec::new();
        write(&mut out, &[column("NAME", 4), column("N", 1)], vec![row], 11, true).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME  N\n-------\na     7\n    one two\n    three\n");
    }
}
