//! Trends in each format.

use super::super::csv::write_row;
use super::grid::Grid;
use super::{bounds, cell, paragraph, sources, zero};
use crate::host::Verdict;
use crate::measure::figures::{Label, Point, Signal, shown};
use crate::measure::{Method, Trend};
use crate::report::ndjson::{write_document, write_line};
use serde::Serialize;
use std::io;

/// Writes a trend for people, for a terminal of `width` columns.
///
/// # Errors
/// Those of `out`.
pub fn write_table(out: &mut dyn io::Write, trend: &Trend, width: u16) -> io::Result<()> {
    paragraph(out, &trend.headline, width)?;
    for warning in &trend.warnings {
        paragraph(out, &format!("  ! {warning}"), width)?;
    }
    writeln!(out, "\nHOSTS WITH UPDATE CONTACTS (use)\n")?;
    series(out, trend, &trend.whole, |p| &p.update)?;
    writeln!(out, "\nHOSTS WITH REPUTATION CONTACTS\n")?;
    series(out, trend, &trend.whole, |p| &p.reputation)?;
    writeln!(out, "\nHOSTS WITH CONTACTS OF THEIR OWN, BY VERDICT\n")?;
    verdicts(out, trend)?;
    for breakdown in &trend.by {
        writeln!(out, "\nBY {} (update / reputation)\n", breakdown.columns.join(", ").to_uppercase())?;
        let names: Vec<String> = trend.periods.iter().map(crate::measure::Period::name).collect();
        let headers: Vec<&str> = ["GROUP"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let mut grid = Grid::new(&headers);
        let is_seen = |p: &Point| p.update.hosts.hosts + p.reputation.hosts.hosts > 0;
        for series in breakdown.groups.iter().filter(|s| s.points.iter().any(is_seen)) {
            let both = |p: &Point| format!("{}/{}", p.update.hosts.hosts, p.reputation.hosts.hosts);
            let name = shown(&breakdown.columns, &series.group);
            grid.row(std::iter::once(name).chain(series.points.iter().map(both)).collect());
        }
        grid.write(out)?;
    }
    writeln!(out)?;
    for (period, point) in trend.periods.iter().zip(&trend.whole) {
        for (word, signal) in [("update", &point.update), ("reputation", &point.reputation)] {
            if let Some(sentence) = zero(word, &period.name(), signal) {
                paragraph(out, &sentence, width)?;
            }
        }
    }
    sources(out, &trend.method, width)?;
    paragraph(
        out,
        "BOUNDS are the least and the most hosts that these can be; docs/MEASURE.md says what each figure means.",
        width,
    )
}

fn series(
    out: &mut dyn io::Write,
    trend: &Trend,
    points: &[Point],
    signal: impl Fn(&Point) -> &Signal,
) -> io::Result<()> {
    let mut grid = Grid::new(&[
        "PERIOD",
        "HOSTS",
        "BOUNDS",
        "ADDRESSES",
        "ORGS",
        "NEW",
        "BACK",
        "LOST",
        "DAILY",
        "RANGE",
        "HOUR",
        "UP",
    ]);
    for (period, point) in trend.periods.iter().zip(points) {
        let s = signal(point);
        let orgs = s.organisations.map(|o| o.seen);
        let up = if period.coverage.known.is_seen() {
            format!("{:.0} %", period.coverage.up * 100.0)
        } else {
            "?".to_owned()
        };
        grid.row(vec![
            period.name(),
            s.hosts.hosts.to_string(),
            bounds(s),
            s.hosts.by_address.to_string(),
            cell(orgs),
            cell(s.moves.map(|m| m.new)),
            cell(s.moves.map(|m| m.returning)),
            cell(s.moves.map(|m| m.lost)),
            s.daily.median.to_string(),
            format!("{}-{}", s.daily.least, s.daily.most),
            cell(s.busiest_hour),
            up,
        ]);
    }
    grid.write(out)
}

fn verdicts(out: &mut dyn io::Write, trend: &Trend) -> io::Result<()> {
    let mut headers = vec!["PERIOD"];
    headers.extend(Verdict::ALL.iter().map(|v| v.as_str()));
    headers.push("likely installed");
    let mut grid = Grid::new(&headers);
    for (period, point) in trend.periods.iter().zip(&trend.whole) {
        let of = |v: &Verdict| cell(point.verdicts.get(v));
        let likely = Some(point.likely_installed).filter(|n| *n > 0);
        let cells = std::iter::once(period.name()).chain(Verdict::ALL.iter().map(of)).chain([cell(likely)]);
        grid.row(cells.collect());
    }
    grid.write(out)
}

/// Writes a trend as one JSON document.
///
/// # Errors
/// Those of `out`.
pub fn write_json(out: &mut dyn io::Write, trend: &Trend) -> io::Result<()> {
    write_document(out, trend)
}

/// What is said once, before the points.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    headline: &'a str,
    warnings: &'a [String],
    window: crate::measure::Days,
    step: crate::measure::Step,
    utc_offset: crate::measure::UtcOffset,
    periods: &'a [crate::measure::Period],
    method: &'a Method,
}

/// One point of all hosts or of a group.
#[derive(Serialize)]
struct PointLine<'a> {
    schema: &'static str,
    period: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a Label>,
    #[serde(flatten)]
    point: &'a Point,
}

/// Writes a trend as lines of JSON: first all but the points, then a line for
/// each group and period.
///
/// # Errors
/// Those of `out`.
pub fn write_ndjson(out: &mut dyn io::Write, trend: &Trend) -> io::Result<()> {
    write_line(
        out,
        &Head {
            schema: trend.schema,
            headline: &trend.headline,
            warnings: &trend.warnings,
            window: trend.window,
            step: trend.step,
            utc_offset: trend.utc_offset,
            periods: &trend.periods,
            method: &trend.method,
        },
    )?;
    each(trend, |_, group, period, point| {
        write_line(out, &PointLine { schema: "spansight.trend-point/1", period: &period.label, group, point })
    })
}

/// Every point, those of all hosts first: columns of its group, the group.
fn each(
    trend: &Trend,
    mut f: impl FnMut(&[String], Option<&Label>, &crate::measure::Period, &Point) -> io::Result<()>,
) -> io::Result<()> {
    for (period, point) in trend.periods.iter().zip(&trend.whole) {
        f(&[], None, period, point)?;
    }
    for breakdown in &trend.by {
        for series in &breakdown.groups {
            for (period, point) in trend.periods.iter().zip(&series.points) {
                f(&breakdown.columns, Some(&series.group), period, point)?;
            }
        }
    }
    Ok(())
}

/// Columns of each signal, behind its word and `_`.
const SIGNAL: [&str; 23] = [
    "hosts",
    "lower",
    "upper",
    "confirmed",
    "by_mac",
    "by_address",
    "addresses_per_host",
    "relays",
    "nat_gateways",
    "new",
    "returning",
    "kept",
    "lost",
    "organisations",
    "organisations_new",
    "organisations_returning",
    "organisations_kept",
    "organisations_lost",
    "daily_median",
    "daily_mean",
    "daily_least",
    "daily_most",
    "busiest_hour",
];

fn signal_cells(s: &Signal) -> [String; SIGNAL.len()] {
    let (b, m, o) = (&s.hosts, s.moves, s.organisations);
    let orgs = o.and_then(|o| o.moves);
    [
        b.hosts.to_string(),
        b.lower.to_string(),
        b.upper.to_string(),
        b.confirmed.to_string(),
        b.by_mac.to_string(),
        b.by_address.to_string(),
        cell(b.addresses_per_host),
        b.relays.to_string(),
        b.nat_gateways.to_string(),
        cell(m.map(|m| m.new)),
        cell(m.map(|m| m.returning)),
        cell(m.map(|m| m.kept)),
        cell(m.map(|m| m.lost)),
        cell(o.map(|o| o.seen)),
        cell(orgs.map(|m| m.new)),
        cell(orgs.map(|m| m.returning)),
        cell(orgs.map(|m| m.kept)),
        cell(orgs.map(|m| m.lost)),
        s.daily.median.to_string(),
        s.daily.mean.to_string(),
        s.daily.least.to_string(),
        s.daily.most.to_string(),
        cell(s.busiest_hour),
    ]
}

/// Columns of a point.
pub(in crate::report) fn point_columns() -> impl Iterator<Item = String> {
    let signals = ["update", "reputation"];
    let of_signals = signals.into_iter().flat_map(|s| SIGNAL.iter().map(move |column| format!("{s}_{column}")));
    let verdicts = Verdict::ALL.iter().map(|v| format!("verdict_{}", v.as_str().replace('-', "_")));
    of_signals.chain(["both".to_owned()]).chain(verdicts).chain(["likely_installed".to_owned()])
}

/// Cells of these columns.
pub(in crate::report) fn point_cells(point: &Point) -> impl Iterator<Item = String> {
    let of_signals = [&point.update, &point.reputation].into_iter().flat_map(signal_cells);
    let verdicts = Verdict::ALL.iter().map(|v| point.verdicts.get(v).copied().unwrap_or(0).to_string());
    of_signals.chain([point.both.to_string()]).chain(verdicts).chain([point.likely_installed.to_string()])
}

/// Writes a trend as CSV: a line for each group and period. `by` names the
/// columns of the group, joined by `+`, and is empty for all hosts.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(out: &mut dyn io::Write, trend: &Trend) -> io::Result<()> {
    let mut header: Vec<String> = ["period", "first_day", "last_day", "up", "by", "group"].map(str::to_owned).to_vec();
    header.extend(point_columns());
    write_row(out, &header)?;
    each(trend, |columns, group, period, point| {
        let day = |d: i32| crate::base::time::format_day(d.into());
        let up = period.coverage.known.is_seen().then_some(period.coverage.up);
        let name = group.map(|g| shown(columns, g)).unwrap_or_default();
        let mut cells = vec![
            period.label.clone(),
            day(period.days.first),
            day(period.days.last),
            cell(up),
            columns.join("+"),
            name,
        ];
        cells.extend(point_cells(point));
        write_row(out, &cells)
    })
}
