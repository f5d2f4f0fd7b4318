//! Columns of the host table: how wide they are and where their text breaks.

use super::columns::{self, Column, GAP, Row, content};
use std::io;

/// One column: its header and the width of its widest line.
struct Shape {
    header: &'static str,
    content: u16,
}

/// From this width stage and time have columns of their own.
const WIDE: u16 = 140;
/// Least width for what a host does.
const MIN_ACTIVITY: u16 = 12;
/// Least width for names.
const MIN_NAMES: u16 = 16;

/// What a host does.
pub(super) const ACTIVITY: &str = "WHAT IT DOES";
/// The same with a verdict above it.
pub(super) const VERDICT: &str = "VERDICT, WHAT IT DOES";

/// Whether stage and time have columns of their own at this width.
pub(super) fn is_wide(width: u16) -> bool {
    width >= WIDE
}

/// Writes header and rows, each with a cell for every column; `second` is the
/// header of the second one, [`ACTIVITY`] or [`VERDICT`].
pub(super) fn write(out: &mut dyn io::Write, second: &'static str, rows: Vec<Row>, width: u16) -> io::Result<()> {
    let headers: &[&'static str] = if is_wide(width) {
        &["HOST", second, "STAGE", "SEEN (UTC)", "NAMES", "COUNT"]
    } else {
        &["HOST", second, "STAGE, SEEN (UTC)", "NAMES", "COUNT"]
    };
    let cells = |index: usize| rows.iter().filter_map(move |row| row.cells.get(index)).map(String::as_str);
    let shapes: Vec<Shape> = headers
        .iter()
        .enumerate()
        .map(|(index, header)| Shape { header, content: content(header, cells(index)) })
        .collect();
    let widths = fit(&shapes, width);
    let column = |(shape, width): (&Shape, u16)| {
        let breaks = match shape.header {
            "HOST" => Some(':'),
            "NAMES" => Some('.'),
            _ => None,
        };
        Column { header: shape.header, width, breaks }
    };
    let columns: Vec<Column> = shapes.iter().zip(widths).map(column).collect();
    columns::write(out, &columns, rows, width, true)
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
            ACTIVITY | VERDICT | "NAMES" => 0,
            _ => s.content,
        })
        .fold(0, u16::saturating_add);
    let gaps = GAP.saturating_mul(u16::try_from(shapes.len().saturating_sub(1)).unwrap_or(0));
    let free = width.saturating_sub(fixed).saturating_sub(gaps);
    let content = |headers: &[&str]| shapes.iter().find(|s| headers.contains(&s.header)).map_or(0, |s| s.content);
    let activity = content(&[ACTIVITY, VERDICT]);
    let spare = free.saturating_sub(activity);
    let names = content(&["NAMES"]).min(spare.max(free.saturating_sub(24).max(free / 2))).max(MIN_NAMES);
    let activity = activity.min(free.saturating_sub(names)).max(MIN_ACTIVITY);
    shapes
        .iter()
        .map(|s| match s.header {
            "HOST" => host(s),
            ACTIVITY | VERDICT => activity,
            "NAMES" => names,
            _ => s.content,
        })
        .collect()
}
