//! A report as CSV files, one for each kind of row. All of them are written, so
//! that none of an earlier report is left beside them.

use super::super::csv::write_row;
use super::super::hosts::csv as host_csv;
use super::super::measure;
use super::super::measure::trend::{point_cells, point_columns};
use super::Document;
use crate::measure::Point;
use crate::measure::figures::{Label, shown};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of a report.
#[derive(Clone, Copy)]
pub struct CsvFile {
    /// Its name.
    pub name: &'static str,
    /// Writes it.
    pub write: fn(&mut dyn Write, &Document<'_>) -> io::Result<()>,
}

/// All files, in the order of the page.
pub const FILES: [CsvFile; 10] = [
    CsvFile { name: "notes.csv", write: notes },
    CsvFile { name: "hosts.csv", write: all_hosts },
    CsvFile { name: "total.csv", write: total },
    CsvFile { name: "trend.csv", write: trend },
    CsvFile { name: "comparison.csv", write: comparison },
    CsvFile { name: "movers.csv", write: movers },
    CsvFile { name: "coverage.csv", write: coverage },
    CsvFile { name: "catalogue.csv", write: catalogue },
    CsvFile { name: "runs.csv", write: runs },
    CsvFile { name: "sources.csv", write: sources },
];

/// Where they are written in a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|f| folder.join(f.name)).collect()
}

/// A line of cells, each as it is.
fn row(out: &mut dyn Write, cells: &[&str]) -> io::Result<()> {
    write_row(out, &cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>())
}

/// What stands in sentences: doubts, summary, blind spots, method, hashes; and how
/// many hosts `movers.csv` leaves out.
fn notes(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    row(out, &["section", "about", "text"])?;
    let a = &d.about;
    let mut one = |section: &str, about: &str, text: &str| row(out, &[section, about, text]);
    for doubt in &d.doubts {
        one("doubts", "", doubt)?;
    }
    one("report", "version", &a.version)?;
    one("report", "command", &a.command.join(" "))?;
    one("report", "store", &a.store)?;
    one("report", "window", &a.window.map(|w| w.to_string()).unwrap_or_default())?;
    one("report", "span", &a.span.map(|w| w.to_string()).unwrap_or_default())?;
    one("report", "utc_offset", &a.utc_offset.to_string())?;
    one("report", "as_of", &a.as_of.to_string())?;
    one("report", "sensors", &a.sensors.join(" "))?;
    one("report", "home_networks", &a.home_networks.join(" "))?;
    let h = &d.headline;
    for (about, n) in [
        ("alarms", h.alarms),
        ("in_use", h.in_use),
        ("installed", h.installed),
        ("managed", h.managed),
        ("oem", h.oem),
        ("accepted", h.accepted),
        ("unconfirmed", h.unconfirmed),
    ] {
        one("summary", about, &n.to_string())?;
    }
    for line in &h.sentences {
        one("summary", "", line)?;
    }
    if let Some(trend) = d.trend {
        trend.warnings.iter().try_for_each(|warning| one("trend", "warning", warning))?;
    }
    if let Some(c) = d.comparison {
        one("comparison", "headline", &c.headline)?;
        c.comparability.differences.iter().try_for_each(|why| one("comparison", "not comparable", &why.what))?;
        c.catalogue_changes.added.iter().try_for_each(|id| one("comparison", "only in the current window", id))?;
        c.catalogue_changes.removed.iter().try_for_each(|id| one("comparison", "only in the baseline", id))?;
    }
    if let Some(movers) = d.movers {
        one("movers", "gone_more", &movers.gone_more.to_string())?;
        one("movers", "new_more", &movers.new_more.to_string())?;
    }
    for line in &d.read {
        one("read", "", line)?;
    }
    for line in &d.blind_spots {
        one("blind spots", "", line)?;
    }
    for gap in &d.coverage.gaps {
        one("coverage", "no frame", &format!("{} to {}", gap.from, gap.to))?;
    }
    for m in &d.method {
        one("method", m.about, m.text)?;
    }
    if let Some(total) = d.total {
        total.method.text.iter().try_for_each(|text| one("method", "figures", text))?;
    }
    one("catalogue", "sha256", &d.catalogue.sha256)?;
    one("hashes", "links", &d.custody.links.to_string())?;
    one("hashes", "newest digest", d.custody.newest_digest.as_deref().unwrap_or_default())?;
    if let Some(sha256) = &d.custody.archive_sha256 {
        one("hashes", "archive manifest", sha256)?;
    }
    for s in &d.custody.seals {
        let holds = if s.holds { "holds" } else { "does not hold" };
        one("hashes", "seal", &format!("{} {} {} {} {holds}", s.link, s.digest, s.sealed, s.public_key))?;
    }
    for f in &d.custody.files {
        one("hashes", &f.what, &format!("{} {}", f.path, f.sha256.as_deref().unwrap_or_default()))?;
    }
    Ok(())
}

/// Hosts that are in one of two windows only, as many as are listed.
fn movers(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    row(out, &["window", "ip", "mac", "segment", "name", "last", "in_view_in_the_other"])?;
    let Some(movers) = d.movers else { return Ok(()) };
    for (window, listed) in [("baseline", &movers.gone), ("current", &movers.new)] {
        for m in listed {
            let name = m.name.clone().unwrap_or_default();
            let (last, in_view) = (m.last.to_string(), text(m.in_view));
            write_row(
                out,
                &[window.to_owned(), m.ip.to_string(), text(m.mac), m.segment.clone(), name, last, in_view],
            )?;
        }
    }
    Ok(())
}

fn all_hosts(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    host_csv::write_header(out)?;
    d.roll().each(|h| host_csv::write(out, h))
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// By which columns a group is one, and what it is called.
fn names(columns: &[String], group: &Label) -> [String; 2] {
    [columns.join("+"), shown(columns, group)]
}

/// The window in all, and by groups; columns as those of a trend.
fn total(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    let header: Vec<String> = ["by", "group"].map(String::from).into_iter().chain(point_columns()).collect();
    write_row(out, &header)?;
    let Some(total) = d.total else { return Ok(()) };
    let mut line = |names: [String; 2], p: &Point| {
        let cells: Vec<String> = names.into_iter().chain(point_cells(p)).collect();
        write_row(out, &cells)
    };
    line(Default::default(), &total.whole)?;
    for by in &total.by {
        by.groups.iter().try_for_each(|g| line(names(&by.columns, &g.group), &g.point))?;
    }
    Ok(())
}

/// As `trend --format csv`; empty where there is none.
fn trend(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    d.trend.map_or(Ok(()), |trend| measure::trend::write_csv(out, trend))
}

/// As `compare --format csv`; empty where there is none.
fn comparison(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    d.comparison.map_or(Ok(()), |c| measure::compare::write_csv(out, c))
}

/// A line for each day and sensor; frames and drops are those of all sensors.
fn coverage(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    row(out, &["day", "sensor", "quarters_with_frames", "frames", "dropped", "sample_unseen"])?;
    for day in &d.coverage.days {
        for (sensor, quarters) in d.coverage.sensors.iter().zip(&day.quarters) {
            let (frames, dropped, unseen) = (day.frames.to_string(), day.dropped.to_string(), text(day.sample_unseen));
            row(out, &[&day.day, sensor, &quarters.to_string(), &frames, &dropped, &unseen])?;
        }
    }
    Ok(())
}

fn catalogue(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    row(out, &["indicator", "category", "records", "confidence", "meaning", "sources"])?;
    for i in &d.catalogue.seen {
        let confidence = i.confidence.map_or("", |c| c.as_str());
        let records = i.records.to_string();
        row(out, &[&i.id, i.category.as_str(), &records, confidence, &i.meaning, &i.sources.join(" ")])?;
    }
    Ok(())
}

fn runs(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    let header = [
        "run",
        "sensor",
        "version",
        "started",
        "ended",
        "exit",
        "command",
        "catalogue_sha256",
        "home_networks",
        "environment",
    ];
    row(out, &header)?;
    for r in &d.runs {
        let environment: Vec<String> = r.environment.iter().map(|(word, value)| format!("{word}={value}")).collect();
        row(
            out,
            &[
                &r.run.to_string(),
                &r.sensor,
                &r.version,
                &r.started.to_string(),
                &text(r.ended),
                &r.exit,
                &r.command.join(" "),
                &r.catalogue_sha256,
                &r.home_networks.join(" "),
                &environment.join("; "),
            ],
        )?;
    }
    Ok(())
}

fn sources(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    row(out, &["source", "path", "first", "last", "frames", "warnings", "records_only"])?;
    for s in &d.sources {
        let (first, last, frames) = (text(s.first), text(s.last), s.frames.to_string());
        let (path, warnings) = (s.path.as_deref().unwrap_or_default(), s.warnings.join("; "));
        row(out, &[&s.source, path, &first, &last, &frames, &warnings, &s.records_only.to_string()])?;
    }
    Ok(())
}
