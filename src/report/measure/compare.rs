//! Comparisons in each format.

use super::super::csv::write_row;
use super::grid::Grid;
use super::{bounds, cell, paragraph, sources, zero};
use crate::measure::compare::{CatalogueChanges, Change, Compared, Moved, Side};
use crate::measure::figures::{Label, Signal, shown};
use crate::measure::stats::tenths;
use crate::measure::{Comparability, Comparison, Method};
use crate::report::ndjson::{write_document, write_line};
use serde::Serialize;
use std::io;

/// Writes a comparison for people, for a terminal of `width` columns.
///
/// # Errors
/// Those of `out`.
pub fn write_table(out: &mut dyn io::Write, c: &Comparison, width: u16) -> io::Result<()> {
    paragraph(out, &c.headline, width)?;
    if !c.comparability.comparable {
        writeln!(out, "\nNOT COMPARABLE AS THEY ARE\n")?;
        for difference in &c.comparability.differences {
            paragraph(out, &format!("  ! {}", difference.what), width)?;
        }
    }
    catalogues(out, &c.catalogue_changes, width)?;
    writeln!(out, "\nALL HOSTS\n")?;
    let mut grid = grid();
    rows(&mut grid, "", &c.whole);
    grid.write(out)?;
    writeln!(out, "\nHOSTS WITH CONTACTS OF THEIR OWN, BY VERDICT\n")?;
    verdicts(out, &c.whole)?;
    for by in &c.by {
        writeln!(out, "\nBY {}\n", by.columns.join(", ").to_uppercase())?;
        let mut grid = self::grid();
        for group in by.groups.iter().filter(|g| is_seen(&g.compared)) {
            rows(&mut grid, &shown(&by.columns, &group.group), &group.compared);
        }
        grid.write(out)?;
    }
    writeln!(out)?;
    let whole = &c.whole;
    for (when, side, point) in
        [("the baseline", &c.baseline, &whole.baseline), ("the current window", &c.current, &whole.current)]
    {
        for (word, signal) in [("update", &point.update), ("reputation", &point.reputation)] {
            if let Some(sentence) = zero(word, &format!("{when} ({})", side.days), signal) {
                paragraph(out, &sentence, width)?;
            }
        }
    }
    sources(out, &c.method, width)?;
    paragraph(
        out,
        "BOUNDS are the least and the most hosts that these can be, INTERVAL is Wilson's at 95 %, IN VIEW those of the \
         GONE that were seen all the same, without such a contact; docs/MEASURE.md says what each figure means.",
        width,
    )
}

/// Whether any signal was seen of a group; the others stand in the other formats
/// alone.
fn is_seen(c: &Compared) -> bool {
    [&c.baseline, &c.current].iter().any(|p| p.update.hosts.hosts + p.reputation.hosts.hosts > 0)
}

fn catalogues(out: &mut dyn io::Write, changes: &CatalogueChanges, width: u16) -> io::Result<()> {
    for (what, ids) in [("only in the current window", &changes.added), ("only in the baseline", &changes.removed)] {
        if !ids.is_empty() {
            let more = if changes.more > 0 { " and more" } else { "" };
            paragraph(out, &format!("Looked for {what}: {}{more}", ids.join(", ")), width)?;
        }
    }
    Ok(())
}

fn grid() -> Grid {
    Grid::new(&[
        "", "BASELINE", "BOUNDS", "CURRENT", "BOUNDS", "CHANGE", "BOUNDS", "STILL", "SHARE", "INTERVAL", "NEW", "GONE",
        "IN VIEW",
    ])
}

fn rows(grid: &mut Grid, name: &str, c: &Compared) {
    let signals = [
        ("update", &c.baseline.update, &c.current.update, &c.update),
        ("reputation", &c.baseline.reputation, &c.current.reputation, &c.reputation),
    ];
    for (word, a, b, moved) in signals {
        let title = if name.is_empty() { word.to_owned() } else { format!("{name}: {word}") };
        let hosts = |s: &Signal| s.hosts.hosts.to_string();
        let mut cells = vec![
            title.clone(),
            hosts(a),
            bounds(a),
            hosts(b),
            bounds(b),
            per_cent(moved.hosts.per_cent),
            change_bounds(&moved.hosts),
        ];
        cells.extend(cohort(&moved.cohort));
        grid.row(cells);
        if let (Some(x), Some(y), Some(of)) = (a.organisations, b.organisations, &moved.organisation_cohort) {
            let change = per_cent(moved.organisations.and_then(|o| o.per_cent));
            let mut cells = vec![
                format!("{title}, organisations"),
                x.seen.to_string(),
                String::new(),
                y.seen.to_string(),
                String::new(),
                change,
                String::new(),
            ];
            cells.extend(cohort(of));
            grid.row(cells);
        }
    }
}

fn cohort(c: &crate::measure::Cohort) -> [String; 6] {
    let p = |x: f64| format!("{:.1}", tenths(x));
    let share = c.share.map(|s| format!("{} %", p(s.share))).unwrap_or_default();
    let interval = c.share.map(|s| format!("{}-{}", p(s.low), p(s.high))).unwrap_or_default();
    [c.still.to_string(), share, interval, c.new.to_string(), c.gone.to_string(), cell(c.gone_in_view)]
}

/// What the bounds allow, where that is more than one number.
fn change_bounds(c: &Change) -> String {
    let bounds = c.per_cent_least.zip(c.per_cent_most);
    bounds.filter(|(least, most)| least != most).map(|(a, b)| format!("{a:+.1} to {b:+.1}")).unwrap_or_default()
}

fn per_cent(change: Option<f64>) -> String {
    change.map(|p| format!("{p:+.1} %")).unwrap_or_default()
}

fn verdicts(out: &mut dyn io::Write, c: &Compared) -> io::Result<()> {
    use crate::host::Verdict;
    let mut grid = Grid::new(&["VERDICT", "BASELINE", "CURRENT"]);
    for v in Verdict::ALL {
        let of = |point: &crate::measure::Point| point.verdicts.get(v).copied().unwrap_or(0);
        let (a, b) = (of(&c.baseline), of(&c.current));
        if a + b > 0 {
            grid.row(vec![v.to_string(), a.to_string(), b.to_string()]);
        }
    }
    let (a, b) = (c.baseline.likely_installed, c.current.likely_installed);
    if a + b > 0 {
        grid.row(vec!["looked-up, likely installed".into(), a.to_string(), b.to_string()]);
    }
    grid.write(out)
}

/// Writes a comparison as one JSON document.
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn io::Write, c: &Comparison) -> io::Result<()> {
    write_document(out, c)
}

/// What is said once.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    headline: &'a str,
    comparability: &'a Comparability,
    baseline: &'a Side,
    current: &'a Side,
    utc_offset: crate::measure::UtcOffset,
    basis: crate::measure::compare::Basis,
    catalogue_changes: &'a CatalogueChanges,
    method: &'a Method,
}

/// All hosts, or a group.
#[derive(Serialize)]
struct GroupLine<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a Label>,
    #[serde(flatten)]
    compared: &'a Compared,
}

/// Writes a comparison as lines of JSON: first all but the figures, then a line
/// for all hosts and one for each group.
///
/// # Errors
/// Those of `out`.
pub fn write_ndjson(out: &mut dyn io::Write, c: &Comparison) -> io::Result<()> {
    write_line(
        out,
        &Head {
            schema: c.schema,
            headline: &c.headline,
            comparability: &c.comparability,
            baseline: &c.baseline,
            current: &c.current,
            utc_offset: c.utc_offset,
            basis: c.basis,
            catalogue_changes: &c.catalogue_changes,
            method: &c.method,
        },
    )?;
    each(c, |_, group, compared| {
        write_line(out, &GroupLine { schema: "spansight.comparison-group/1", group, compared })
    })
}

fn each(c: &Comparison, mut f: impl FnMut(&[String], Option<&Label>, &Compared) -> io::Result<()>) -> io::Result<()> {
    f(&[], None, &c.whole)?;
    for by in &c.by {
        for group in &by.groups {
            f(&by.columns, Some(&group.group), &group.compared)?;
        }
    }
    Ok(())
}

/// Columns of each signal, behind its word and `_`.
const SIGNAL: [&str; 26] = [
    "baseline",
    "baseline_lower",
    "baseline_upper",
    "baseline_by_address",
    "current",
    "current_lower",
    "current_upper",
    "current_by_address",
    "change_per_cent",
    "change_least",
    "change_most",
    "still",
    "share",
    "share_low",
    "share_high",
    "new",
    "gone",
    "gone_in_view",
    "organisations_baseline",
    "organisations_current",
    "organisations_change_per_cent",
    "organisations_still",
    "organisations_share",
    "organisations_share_low",
    "organisations_share_high",
    "organisations_new",
];

fn signal_cells(a: &Signal, b: &Signal, moved: &Moved) -> [String; SIGNAL.len()] {
    let (change, cohort, orgs) = (moved.hosts, &moved.cohort, moved.organisation_cohort.as_ref());
    let org_share = orgs.and_then(|o| o.share);
    [
        a.hosts.hosts.to_string(),
        a.hosts.lower.to_string(),
        a.hosts.upper.to_string(),
        a.hosts.by_address.to_string(),
        b.hosts.hosts.to_string(),
        b.hosts.lower.to_string(),
        b.hosts.upper.to_string(),
        b.hosts.by_address.to_string(),
        cell(change.per_cent),
        cell(change.per_cent_least),
        cell(change.per_cent_most),
        cohort.still.to_string(),
        cell(cohort.share.map(|s| s.share)),
        cell(cohort.share.map(|s| s.low)),
        cell(cohort.share.map(|s| s.high)),
        cohort.new.to_string(),
        cohort.gone.to_string(),
        cell(cohort.gone_in_view),
        cell(a.organisations.map(|o| o.seen)),
        cell(b.organisations.map(|o| o.seen)),
        cell(moved.organisations.and_then(|o| o.per_cent)),
        cell(orgs.map(|o| o.still)),
        cell(org_share.map(|s| s.share)),
        cell(org_share.map(|s| s.low)),
        cell(org_share.map(|s| s.high)),
        cell(orgs.map(|o| o.new)),
    ]
}

/// Writes a comparison as CSV: a line for all hosts and one for each group.
/// `by` names the columns of the group, joined by `+`, and is empty for all
/// hosts; `comparable` is that of the windows.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(out: &mut dyn io::Write, c: &Comparison) -> io::Result<()> {
    let mut header: Vec<String> = ["by", "group", "comparable"].map(str::to_owned).to_vec();
    for signal in ["update", "reputation"] {
        header.extend(SIGNAL.iter().map(|column| format!("{signal}_{column}")));
    }
    write_row(out, &header)?;
    each(c, |columns, group, g| {
        let name = group.map(|g| shown(columns, g)).unwrap_or_default();
        let mut cells = vec![columns.join("+"), name, c.comparability.comparable.to_string()];
        cells.extend(signal_cells(&g.baseline.update, &g.current.update, &g.update));
        cells.extend(signal_cells(&g.baseline.reputation, &g.current.reputation, &g.reputation));
        write_row(out, &cells)
    })
}
