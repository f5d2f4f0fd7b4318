//! Columns of the host table: how wide they are and where their text breaks.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};
use std::io;

/// Columns divided by space, a line under the header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-'));

/// One column: its header and the width of its widest line.
struct Shape {
    header: &'static str,
    content: u16,
}

/// Blank columns between two columns.
const GAP: u16 = 2;
/// From this width stage and time have columns of their own.
const WIDE: u16 = 140;
/// Least width for what a host does.
const MIN_ACTIVITY: u16 = 12;
/// Least width for names.
const MIN_NAMES: u16 = 16;

const HEADERS: [&str; 5] = ["HOST", "WHAT IT DOES", "STAGE, SEEN (UTC)", "NAMES", "COUNT"];
const WIDE_HEADERS: [&str; 6] = ["HOST", "WHAT IT DOES", "STAGE", "SEEN (UTC)", "NAMES", "COUNT"];

/// Whether stage and time have columns of their own at this width.
pub(super) fn is_wide(width: u16) -> bool {
    width >= WIDE
}

/// Writes header and rows, each with a cell for every column.
pub(super) fn write(out: &mut dyn io::Write, mut cells: Vec<Vec<String>>, width: u16) -> io::Result<()> {
    let headers: &[&str] = if is_wide(width) { &WIDE_HEADERS } else { &HEADERS };
    let shapes: Vec<Shape> = headers
        .iter()
        .enumerate()
        .map(|(index, header)| {
            let lines = cells.iter().filter_map(|row| row.get(index)).flat_map(|cell| cell.lines());
            let content = lines.chain([*header]).map(|line| line.chars().count()).max().unwrap_or(0);
            Shape { header, content: u16::try_from(content).unwrap_or(u16::MAX) }
        })
        .collect();
    let widths = fit(&shapes, width);
    for row in &mut cells {
        for ((cell, shape), width) in row.iter_mut().zip(&shapes).zip(&widths) {
            match shape.header {
                "HOST" => *cell = fold(cell, ':', *width),
                "NAMES" => *cell = fold(cell, '.', *width),
                _ => {}
            }
        }
    }
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::MAX);
    table.set_header(headers);
    table.add_rows(cells);
    let last = shapes.len().saturating_sub(1);
    for ((index, column), inner) in table.column_iter_mut().enumerate().zip(widths) {
        let gap = if index == last { 0 } else { GAP };
        column.set_padding((0, gap));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(inner.saturating_add(gap))));
        if index == last {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.trim_fmt().lines() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Breaks lines that are too long behind a delimiter, so that a name stays
/// readable, and anywhere if there is none. Nothing is left out.
fn fold(cell: &str, delimiter: char, width: u16) -> String {
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

/// Widths of the columns without the gaps. Only host, activity and names give
/// way: a MAC always fits, names get what is left beside a
/// readable activity, so that they are cut as rarely as possible.
fn fit(shapes: &[Shape], width: u16) -> Vec<u16> {
    let host = |s: &Shape| s.content.min((width / 2).saturating_sub(21).clamp(19, 41));
    let fixed: u16 = shapes
        .iter()
        .map(|s| match s.header {
            "HOST" => host(s),
            "WHAT IT DOES" | "NAMES" => 0,
            _ => s.content,
        })
        .fold(0, u16::saturating_add);
    let gaps = GAP.saturating_mul(u16::try_from(shapes.len().saturating_sub(1)).unwrap_or(0));
    let free = width.saturating_sub(fixed).saturating_sub(gaps);
    let content = |header| shapes.iter().find(|s| s.header == header).map_or(0, |s| s.content);
    let spare = free.saturating_sub(content("WHAT IT DOES"));
    let names = content("NAMES").min(spare.max(free.saturating_sub(24).max(free / 2))).max(MIN_NAMES);
    let activity = content("WHAT IT DOES").min(free.saturating_sub(names)).max(MIN_ACTIVITY);
    shapes
        .iter()
        .map(|s| match s.header {
            "HOST" => host(s),
            "WHAT IT DOES" => activity,
            "NAMES" => names,
            _ => s.content,
        })
        .collect()
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
    }

    #[test]
    fn names_break_behind_a_dot() {
        assert_eq!(
            fold("ksn-a-stat.kaspersky-labs.com\n+3 more", '.', 16),
            "ksn-a-stat.\nkaspersky-labs.\ncom\n+3 more"
        );
        assert_eq!(fold("abcdefgh.com", '.', 5), "abcde\nfgh.\ncom");
    }
}
