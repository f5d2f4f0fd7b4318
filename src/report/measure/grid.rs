//! A table of numbers: the first column to the left, the others to the right.

use super::super::text::clean;
use std::io;

/// Rows in the making.
pub(super) struct Grid {
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// With these headers.
    pub(super) fn new(headers: &[&str]) -> Self {
        Grid { rows: vec![headers.iter().map(|h| (*h).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|c| clean(c).into_owned()).collect());
    }

    /// Writes the rows. Columns that are empty in all of them are left out.
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cells = |at: usize| self.rows.iter().filter_map(move |r| r.get(at));
        let width = |at: usize| cells(at).map(|c| c.chars().count()).max().unwrap_or(0);
        let shown: Vec<(usize, usize)> =
            (0..columns).filter(|at| cells(*at).skip(1).any(|c| !c.is_empty())).map(|at| (at, width(at))).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, width) in &shown {
                let text = row.get(*at).map_or("", String::as_str);
                let pad = " ".repeat(width.saturating_sub(text.chars().count()));
                if *at > 0 {
                    line.push_str("  ");
                    line.push_str(&pad);
                    line.push_str(text);
                } else {
                    line.push_str(text);
                    line.push_str(&pad);
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_content_are_left_out() {
        let mut grid = Grid::new(&["PERIOD", "HOSTS", "ORGS"]);
        grid.row(vec!["2024-04".into(), "7".into(), String::new()]);
        grid.row(vec!["\u{1b}[2J".into(), "1234567".into(), String::new()]);
        let mut out = Vec::new();
        grid.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("PERIOD") && !text.contains("ORGS") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().nth(1).map(str::trim_end), text.lines().nth(1));
    }
}
