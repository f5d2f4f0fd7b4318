//! How many hosts and organisations there were in one period after the other.

use super::asked::Asked;
use super::count::{Counted, Group, count};
use super::coverage::{Coverage, Difference};
use super::fact::{Days, SourceError};
use super::figures::{Label, Method, Point, Zero, hosts, label};
use super::window::{Step, UtcOffset};
use serde::Serialize;
use std::collections::BTreeSet;

/// A trend, as every format shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// `spansight.trend/1`.
    pub schema: &'static str,
    /// What a reader must know first, a sentence or two.
    pub headline: String,
    /// Why figures of these periods are in doubt, or cannot be compared with
    /// each other.
    pub warnings: Vec<String>,
    /// The days that it is about.
    pub window: Days,
    /// How long a period is.
    pub step: Step,
    /// How much its days begin before those of UTC.
    pub utc_offset: UtcOffset,
    /// The periods, in order.
    pub periods: Vec<Period>,
    /// All hosts, by period.
    pub whole: Vec<Point>,
    /// Breakdowns by groups.
    pub by: Vec<Breakdown>,
    /// How it was made.
    pub method: Method,
}

/// A period of a trend.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Period {
    /// `2024-04-01`, `2024-W15` or `2024-04`, also of a part of it.
    pub label: String,
    /// Its days, as far as they lie in the window.
    pub days: Days,
    /// Whether all of it lies in the window.
    pub whole: bool,
    /// What could be seen in it.
    pub coverage: Coverage,
    /// What is doubtful about its counts.
    pub doubts: Vec<Difference>,
}

impl Period {
    /// What it is called in sentences: its label, or of a part of a week or month
    /// the days of this part.
    pub fn name(&self) -> String {
        if self.whole { self.label.clone() } else { self.days.to_string() }
    }

    /// Whether it can show only a part of what the others show: some of it lies
    /// outside the window, or had not come when it was counted.
    pub fn is_in_part(&self) -> bool {
        !self.whole || self.coverage.until.is_some()
    }
}

/// A trend by groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breakdown {
    /// Columns of the groups.
    pub columns: Vec<String>,
    /// The groups in the order of their values, unknown last.
    pub groups: Vec<Series>,
}

/// The trend of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Which group.
    pub group: Label,
    /// By period.
    pub points: Vec<Point>,
}

impl Trend {
    /// Counts a window in steps.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn new(asked: &Asked<'_>, window: Days, step: Step) -> Result<Self, SourceError> {
        let days = step.periods(window);
        let counted = count(asked.source, &asked.plan(days.clone()))?;
        let period = |days: &Days| -> Result<Period, SourceError> {
            let label = step.label(*days);
            let coverage = Coverage::of(asked, *days)?;
            let around = step.periods(Days::new(days.first.saturating_sub(31), days.last.saturating_add(31)));
            let whole = around.contains(days);
            let mut period = Period { whole, label, days: *days, coverage, doubts: Vec::new() };
            period.doubts = period.coverage.doubts(&period.name());
            Ok(period)
        };
        let periods = days.iter().map(period).collect::<Result<Vec<_>, _>>()?;
        let Counted { whole, dimensions, has_org, .. } = counted;
        let points = |group: &Group| -> Vec<Point> {
            let each = group.periods.iter().zip(&periods);
            let mut points: Vec<Point> = each.map(|(sum, p)| Point::of(sum, has_org, &p.coverage)).collect();
            // What came before the first is not known, so that all would be new.
            points.iter_mut().take(1).for_each(Point::forget_moves);
            points
        };
        let columns = asked.dimensions.iter();
        let by = columns.zip(dimensions).map(|(columns, groups)| Breakdown {
            columns: columns.clone(),
            groups: groups
                .into_iter()
                .map(|g| Series { group: label(columns, &g.values), points: points(&g) })
                .collect(),
        });
        let by = by.collect();
        let whole: Vec<Point> =
            points(&whole).into_iter().zip(&periods).map(|(point, period)| zero(point, period)).collect();
        let method = asked.method(periods.iter().flat_map(|p| &p.coverage.catalogues))?;
        let mut warnings = warnings(&periods, asked.one_catalogue(), &method);
        warnings.extend(asked.doubts.iter().cloned());
        Ok(Trend {
            schema: "spansight.trend/1",
            headline: headline(step, &periods, &whole, &warnings),
            warnings,
            window,
            step,
            utc_offset: asked.offset,
            periods,
            whole,
            by,
            method,
        })
    }
}

/// Says what zero can exclude: of all hosts, since it is not known how many home
/// addresses of a group were in view.
fn zero(mut point: Point, period: &Period) -> Point {
    for signal in [&mut point.update, &mut point.reputation] {
        if signal.hosts.hosts == 0 {
            signal.zero = Some(Zero::of(&period.coverage, 1.0));
        }
    }
    point
}

/// With which periods other sensors saw frames than in the one before, where it is
/// known what each of several counted. What became of a sensor that was given up long
/// ago is in no doubt of a period any more.
fn sensors_changed(periods: &[Period]) -> Option<String> {
    const LISTED: usize = 12;
    if periods.iter().all(|p| p.coverage.by_sensor.is_empty()) {
        return None;
    }
    // Where nobody saw anything, that is said already.
    let seen = periods.iter().filter(|p| p.coverage.quarters_up > 0);
    let seen: Vec<(&Period, BTreeSet<&str>)> = seen.map(|p| (p, p.coverage.sensors_with_frames())).collect();
    let differ = |w: &[(&Period, BTreeSet<&str>)]| matches!(w, [(_, a), (_, b)] if a != b);
    let changes: Vec<String> =
        seen.windows(2).filter(|w| differ(w)).filter_map(|w| w.last()).map(|(p, _)| p.name()).collect();
    let more = changes.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed: Vec<&str> = changes.iter().take(LISTED).map(String::as_str).collect();
    (!listed.is_empty()).then(|| {
        let listed = listed.join(", ");
        format!("the sensors that saw frames changed with {listed}{more}, so that a rise or fall may be theirs")
    })
}

fn warnings(periods: &[Period], one_catalogue: bool, method: &Method) -> Vec<String> {
    const LISTED: usize = 12;
    let mut found: Vec<String> = Vec::new();
    let unknown = periods.iter().filter(|p| !p.coverage.known.is_seen()).count();
    if unknown == periods.len() {
        found.push("what the sensors could see is not known, so that a rise or fall may be theirs".to_owned());
    } else {
        let doubts: Vec<&Difference> = periods.iter().flat_map(|p| &p.doubts).collect();
        found.extend(doubts.iter().take(LISTED).map(|d| d.what.clone()));
        if doubts.len() > LISTED {
            found.push(format!("{} more doubts like these", doubts.len() - LISTED));
        }
    }
    let cut = |p: &&Period| !p.whole;
    let cut: Vec<String> = periods.iter().filter(cut).map(|p| format!("{} is a part of {}", p.days, p.label)).collect();
    if !cut.is_empty() {
        found.push(format!("{}: the rest lies outside the window", cut.join(" and ")));
    }
    found.extend(periods.iter().filter_map(|p| p.coverage.not_passed(&p.name())));
    found.extend(sensors_changed(periods));
    // Where there was no run, there was no catalogue to change.
    let used: Vec<&Period> = periods.iter().filter(|p| !p.coverage.catalogues.is_empty()).collect();
    let differ = |w: &[&Period]| matches!(w, [a, b] if a.coverage.catalogues != b.coverage.catalogues);
    let changes: Vec<String> =
        used.windows(2).filter(|w| differ(w)).filter_map(|w| w.last()).map(|p| p.name()).collect();
    if !one_catalogue && !changes.is_empty() {
        found.push(format!(
            "the catalogue changed with {}; --catalogue-as-of applies one to all records",
            changes.join(", ")
        ));
    }
    found.extend(method.backwards());
    found
}

fn headline(step: Step, periods: &[Period], whole: &[Point], warnings: &[String]) -> String {
    let Some((last, point)) = periods.last().zip(whole.last()) else {
        return "The window has no period.".to_owned();
    };
    let hosts = &point.update.hosts;
    let mut text = format!(
        "{}: {} with update contacts (at least {}, at most {}), {} with reputation contacts.",
        last.name(),
        self::hosts(hosts.hosts),
        hosts.lower,
        hosts.upper,
        point.reputation.hosts.hosts
    );
    let most =
        periods.iter().zip(whole).max_by_key(|(p, point)| (point.update.hosts.hosts, std::cmp::Reverse(p.days.first)));
    if let Some((most, point)) = most.filter(|(p, point)| p.label != last.label && point.update.hosts.hosts > 0) {
        text += &format!(" The {step} with most was {} with {}.", most.name(), point.update.hosts.hosts);
    }
    if let Some(first) = warnings.first() {
        text += &format!(" Doubtful: {first}");
        text += match warnings.len() {
            1 => ".",
            _ => "; more below.",
        };
    }
    text
}
