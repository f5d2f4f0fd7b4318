//! A report as CSV files, one for each kind of row. All of them are written, so
//! that none of an earlier report is left beside them.

use super::super::csv::write_row;
use super::super::hosts::csv as host_csv;
use super::Document;
use crate::measure::figures::{Label, shown};
use crate::measure::{Point, Signal};
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
pub const FILES: [CsvFile; 9] = [
    CsvFile { name: "notes.csv", write: notes },
    CsvFile { name: "hosts.csv", write: all_hosts },
    CsvFile { name: "total.csv", write: total },
    CsvFile { name: "trend.csv", write: trend },
    CsvFile { name: "comparison.csv", write: comparison },
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

/// What stands in sentences: doubts, summary, blind spots, method, hashes.
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
    for s in &d.custody.seals {
        let holds = if s.holds { "holds" } else { "does not hold" };
        one("hashes", "seal", &format!("{} {} {} {} {holds}", s.link, s.digest, s.sealed, s.public_key))?;
    }
    for f in &d.custody.files {
        one("hashes", &f.what, &format!("{} {}", f.path, f.sha256.as_deref().unwrap_or_default()))?;
    }
    Ok(())
}

fn all_hosts(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    host_csv::write_header(out)?;
    d.roll().each(|h| host_csv::write(out, h))
}

/// Columns of one signal, behind its name.
const SIGNAL: [&str; 19] = [
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
    "daily_median",
    "daily_mean",
    "daily_least",
    "daily_most",
    "busiest_hour",
];

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

fn signal(s: &Signal) -> [String; SIGNAL.len()] {
    let (h, moves) = (&s.hosts, s.moves);
    [
        h.hosts.to_string(),
        h.lower.to_string(),
        h.upper.to_string(),
        h.confirmed.to_string(),
        h.by_mac.to_string(),
        h.by_address.to_string(),
        text(h.addresses_per_host),
        h.relays.to_string(),
        h.nat_gateways.to_string(),
        text(moves.map(|m| m.new)),
        text(moves.map(|m| m.returning)),
        text(moves.map(|m| m.kept)),
        text(moves.map(|m| m.lost)),
        text(s.organisations.map(|o| o.seen)),
        s.daily.median.to_string(),
        s.daily.mean.to_string(),
        s.daily.least.to_string(),
        s.daily.most.to_string(),
        text(s.busiest_hour),
    ]
}

/// The header of a file of points: where they are, then both signals.
fn points_header(out: &mut dyn Write, first: &[&str]) -> io::Result<()> {
    let of = |word: &str| SIGNAL.map(|column| format!("{word}_{column}"));
    let mut cells: Vec<String> = first.iter().map(|c| (*c).to_owned()).collect();
    cells.extend(of("update"));
    cells.extend(of("reputation"));
    cells.extend(["both", "likely_installed", "verdicts", "categories"].map(String::from));
    write_row(out, &cells)
}

fn point(out: &mut dyn Write, first: &[&str], p: &Point) -> io::Result<()> {
    let mut cells: Vec<String> = first.iter().map(|c| (*c).to_owned()).collect();
    cells.extend(signal(&p.update));
    cells.extend(signal(&p.reputation));
    let verdicts = p.verdicts.iter().map(|(v, n)| format!("{v}={n}"));
    let categories = p.categories.iter().map(|(c, n)| format!("{c}={n}"));
    cells.extend([
        p.both.to_string(),
        p.likely_installed.to_string(),
        verdicts.collect::<Vec<_>>().join(" "),
        categories.collect::<Vec<_>>().join(" "),
    ]);
    write_row(out, &cells)
}

/// By which columns a group is one, and what it is called.
fn names(columns: &[String], group: &Label) -> [String; 2] {
    [columns.join("+"), shown(columns, group)]
}

fn total(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    points_header(out, &["by", "group"])?;
    let Some(total) = d.total else { return Ok(()) };
    point(out, &["", ""], &total.whole)?;
    for by in &total.by {
        for g in &by.groups {
            let [columns, group] = names(&by.columns, &g.group);
            point(out, &[&columns, &group], &g.point)?;
        }
    }
    Ok(())
}

fn trend(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    points_header(out, &["by", "group", "period", "first_day", "last_day", "sensor_up", "doubts"])?;
    let Some(trend) = d.trend else { return Ok(()) };
    let mut series = |columns: &str, group: &str, points: &[Point]| -> io::Result<()> {
        for (p, of) in trend.periods.iter().zip(points) {
            let day = |day: i32| crate::base::time::format_day(day.into());
            let up = p.coverage.known.then_some(p.coverage.up);
            let doubts: Vec<&str> = p.doubts.iter().map(|d| d.what.as_str()).collect();
            let (first, last, up) = (day(p.days.first), day(p.days.last), text(up));
            point(out, &[columns, group, &p.label, &first, &last, &up, &doubts.join("; ")], of)?;
        }
        Ok(())
    };
    series("", "", &trend.whole)?;
    for by in &trend.by {
        for g in &by.groups {
            let [columns, group] = names(&by.columns, &g.group);
            series(&columns, &group, &g.points)?;
        }
    }
    Ok(())
}

/// Two lines a group, one for each signal.
fn comparison(out: &mut dyn Write, d: &Document<'_>) -> io::Result<()> {
    let header = [
        "by",
        "group",
        "signal",
        "baseline_hosts",
        "baseline_lower",
        "baseline_upper",
        "current_hosts",
        "current_lower",
        "current_upper",
        "per_cent",
        "per_cent_least",
        "per_cent_most",
        "still",
        "still_share",
        "still_low",
        "still_high",
        "gone",
        "new",
        "baseline_organisations",
        "current_organisations",
        "organisations_per_cent",
        "organisations_still",
        "organisations_still_share",
        "organisations_still_low",
        "organisations_still_high",
    ];
    row(out, &header)?;
    let Some(c) = d.comparison else { return Ok(()) };
    let mut both = |columns: &str, group: &str, w: &crate::measure::Compared| -> io::Result<()> {
        for (word, a, b, m) in [
            ("update", &w.baseline.update, &w.current.update, &w.update),
            ("reputation", &w.baseline.reputation, &w.current.reputation, &w.reputation),
        ] {
            let mut cells = vec![columns.to_owned(), group.to_owned(), word.to_owned()];
            for s in [a, b] {
                cells.extend([s.hosts.hosts, s.hosts.lower, s.hosts.upper].map(|n| n.to_string()));
            }
            cells.extend([m.hosts.per_cent, m.hosts.per_cent_least, m.hosts.per_cent_most].map(text));
            cells.push(m.cohort.still.to_string());
            cells.extend(
                [m.cohort.share.map(|p| p.share), m.cohort.share.map(|p| p.low), m.cohort.share.map(|p| p.high)]
                    .map(text),
            );
            cells.extend([m.cohort.gone.to_string(), m.cohort.new.to_string()]);
            cells.extend([a, b].map(|s| text(s.organisations.map(|o| o.seen))));
            cells.push(text(m.organisations.and_then(|o| o.per_cent)));
            let orgs = m.organisation_cohort;
            let share = orgs.and_then(|o| o.share);
            cells.push(text(orgs.map(|o| o.still)));
            cells.extend([share.map(|p| p.share), share.map(|p| p.low), share.map(|p| p.high)].map(text));
            write_row(out, &cells)?;
        }
        Ok(())
    };
    both("", "", &c.whole)?;
    for by in &c.by {
        for g in &by.groups {
            let [columns, group] = names(&by.columns, &g.group);
            both(&columns, &group, &g.compared)?;
        }
    }
    Ok(())
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
    row(out, &["source", "path", "first", "last", "frames", "warnings"])?;
    for s in &d.sources {
        let (first, last, frames) = (text(s.first), text(s.last), s.frames.to_string());
        row(out, &[&s.source, s.path.as_deref().unwrap_or_default(), &first, &last, &frames, &s.warnings.join("; ")])?;
    }
    Ok(())
}
