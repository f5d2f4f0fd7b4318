//! Counts of groups without records, small ones left out.
//!
//! A publication has one table only, by periods or of two windows, and with
//! one breakdown: what one table leaves out could be had from another.

use super::suppress::{LeftOut, column, is_small, table};
use crate::measure::compare::{Basis, Compared, Comparison};
use crate::measure::coverage::{Because, Coverage};
use crate::measure::figures::{Label, Point, Signal};
use crate::measure::stats::{Proportion, change, wilson};
use crate::measure::{Days, Method, Trend};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Value of `schema`.
pub(super) const SCHEMA: &str = "spansight.cells/1";

/// Counts of groups.
#[derive(Debug, Serialize)]
pub(super) struct Cells {
    schema: &'static str,
    /// Least hosts of a group that is shown; `null` stands for what is not.
    min_group: u64,
    /// Columns of the groups.
    columns: Vec<String>,
    windows: Vec<Window>,
    /// Whether figures of the windows can be compared, and the kinds of reasons
    /// why not; of a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparable: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Because>,
    /// Why figures of a trend are in doubt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// The groups, and last the total without a label.
    rows: Vec<Row>,
    method: Method,
}

/// A period, or a window of a comparison.
#[derive(Debug, Serialize)]
struct Window {
    label: String,
    days: Days,
    coverage: Coverage,
}

/// A group.
#[derive(Debug, Serialize)]
struct Row {
    /// Absent for the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Label>,
    update: Kept,
    reputation: Kept,
}

/// The counts of a signal.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Kept {
    /// By period.
    Periods(Vec<Option<Count>>),
    /// Of two windows.
    Windows(Option<Both>),
}

/// A count of hosts with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Count {
    /// The least; absent where it differs by few from `hosts`.
    pub(super) lower: Option<u64>,
    /// As judged.
    pub(super) hosts: u64,
    /// The most, likewise.
    pub(super) upper: Option<u64>,
    /// Organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organisations: Option<u64>,
}

impl Count {
    fn of(s: &Signal) -> Self {
        let b = &s.hosts;
        let organisations = s.organisations.as_ref().map(|o| o.seen);
        Count { lower: Some(b.lower), hosts: b.hosts, upper: Some(b.upper), organisations }
    }

    /// Leaves out bounds that tell a small count: of hosts that are relays,
    /// managed, or behind one address.
    fn guard(&mut self, least: u64) {
        let telling = |n: u64, by: u64| is_small(n, least) || is_small(by, least);
        let hosts = self.hosts;
        self.lower = self.lower.filter(|n| !telling(*n, hosts.saturating_sub(*n)));
        self.upper = self.upper.filter(|n| !telling(*n, n.saturating_sub(hosts)));
    }
}

/// Leaves out bounds that tell a small count, and those of the total where they
/// would tell what is left out of a group.
fn guard<'c>(groups: impl Iterator<Item = Option<&'c mut Count>>, total: Option<&mut Count>, least: u64) {
    let (mut lower, mut upper) = (true, true);
    for group in groups {
        match group {
            None => (lower, upper) = (false, false),
            Some(count) => {
                count.guard(least);
                lower &= count.lower.is_some();
                upper &= count.upper.is_some();
            }
        }
    }
    if let Some(total) = total {
        total.guard(least);
        total.lower = total.lower.filter(|_| lower);
        total.upper = total.upper.filter(|_| upper);
    }
}

/// Two windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Both {
    pub(super) baseline: Count,
    pub(super) current: Count,
    /// Hosts in both.
    pub(super) still: u64,
    pub(super) gone: u64,
    pub(super) new: u64,
    /// Share still seen, with its Wilson interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<Share>,
    /// Change of the hosts in per cent; only of windows of one length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) per_cent: Option<f64>,
}

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    share: f64,
    low: f64,
    high: f64,
}

impl Both {
    /// All that follows from three counts.
    pub(super) fn new(baseline: Count, current: Count, still: u64, equal: bool) -> Self {
        let share = wilson(still, baseline.hosts).map(|Proportion { share, low, high }| Share { share, low, high });
        Both {
            baseline,
            current,
            still,
            gone: baseline.hosts.saturating_sub(still),
            new: current.hosts.saturating_sub(still),
            share,
            per_cent: if equal { change(baseline.hosts as f64, current.hosts as f64) } else { None },
        }
    }

    /// All counts of hosts.
    pub(super) fn counts(&self) -> [u64; 5] {
        [self.baseline.hosts, self.current.hosts, self.still, self.gone, self.new]
    }
}

const WINDOWS: [fn(&mut Both) -> &mut Count; 2] = [|b| &mut b.baseline, |b| &mut b.current];
const SIGNALS: [fn(&Point) -> &Signal; 2] = [|p| &p.update, |p| &p.reputation];

impl Cells {
    /// Names files of groups without their folders, and none of their prefixes,
    /// and numbers sensors.
    pub(super) fn forget_names(&mut self) {
        let named = |c: &Coverage| c.sensors.keys().chain(&c.doubtful_sensors).cloned().collect::<Vec<_>>();
        let all: BTreeSet<String> = self.windows.iter().flat_map(|w| named(&w.coverage)).collect();
        let number = |sensor: &String| all.iter().position(|s| s == sensor).map_or(0, |n| n.saturating_add(1));
        for window in &mut self.windows {
            let sensors = std::mem::take(&mut window.coverage.sensors).into_iter();
            window.coverage.sensors = sensors.map(|(s, up)| (format!("sensor-{}", number(&s)), up)).collect();
            let doubtful = &mut window.coverage.doubtful_sensors;
            doubtful.iter_mut().for_each(|s| *s = format!("sensor-{}", number(s)));
            doubtful.sort();
        }
        for file in &mut self.method.groups {
            let name = std::path::Path::new(&file.path).file_name();
            // They name prefixes.
            file.overlaps.clear();
            file.path = name.unwrap_or_default().to_string_lossy().into_owned();
        }
    }

    /// The counts of a trend with one breakdown at most.
    pub(super) fn of_trend(trend: Trend, least: u64) -> Self {
        let (columns, groups) = trend.by.into_iter().next().map_or_else(Default::default, |b| (b.columns, b.groups));
        let [update, reputation] = SIGNALS.map(|signal| {
            let count = |points: &[Point]| -> Vec<Option<Count>> {
                points.iter().map(|p| Some(Count::of(signal(p)))).collect()
            };
            let mut rows: Vec<Vec<Option<Count>>> = groups.iter().map(|s| count(&s.points)).collect();
            let mut total = count(&trend.whole);
            for at in 0..total.len() {
                let hosts = |row: &Vec<Option<Count>>| row.get(at).copied().flatten().map_or(0, |c| c.hosts);
                let counts: Vec<u64> = rows.iter().map(hosts).collect();
                let left = column(&counts, hosts(&total), least);
                for (row, _) in rows.iter_mut().zip(&left.rows).filter(|(_, out)| **out) {
                    row.iter_mut().skip(at).take(1).for_each(|cell| *cell = None);
                }
                if left.total {
                    total.iter_mut().skip(at).take(1).for_each(|cell| *cell = None);
                }
                let groups = rows.iter_mut().map(|row| row.get_mut(at).and_then(Option::as_mut));
                guard(groups, total.get_mut(at).and_then(Option::as_mut), least);
            }
            rows.push(total);
            rows.into_iter().map(Kept::Periods).collect::<Vec<_>>()
        });
        let windows = trend.periods.into_iter();
        Cells {
            schema: SCHEMA,
            min_group: least,
            columns,
            windows: windows.map(|p| Window { label: p.label, days: p.days, coverage: p.coverage }).collect(),
            comparable: None,
            differences: Vec::new(),
            warnings: trend.warnings,
            rows: rows(groups.into_iter().map(|s| s.group), update, reputation),
            method: trend.method,
        }
    }

    /// The counts of a comparison with one breakdown at most.
    pub(super) fn of_comparison(comparison: Comparison, least: u64) -> Self {
        let equal = comparison.basis == Basis::Hosts;
        let (columns, groups) =
            comparison.by.into_iter().next().map_or_else(Default::default, |b| (b.columns, b.groups));
        let [update, reputation] = [0, 1].map(|n| {
            let both = |c: &Compared| {
                let signal = SIGNALS[n];
                let moved = if n == 0 { &c.update } else { &c.reputation };
                Both::new(Count::of(signal(&c.baseline)), Count::of(signal(&c.current)), moved.cohort.still, equal)
            };
            let all: Vec<Both> = groups.iter().map(|g| both(&g.compared)).collect();
            let whole = both(&comparison.whole);
            let counts: Vec<[u64; 5]> = all.iter().map(Both::counts).collect();
            let LeftOut { rows, total } = table(&counts, &whole.counts(), least);
            let mut kept: Vec<Option<Both>> = all.into_iter().zip(rows).map(|(b, out)| (!out).then_some(b)).collect();
            let mut whole = (!total).then_some(whole);
            for window in WINDOWS {
                guard(kept.iter_mut().map(|b| b.as_mut().map(window)), whole.as_mut().map(window), least);
            }
            kept.push(whole);
            kept.into_iter().map(Kept::Windows).collect::<Vec<_>>()
        });
        let windows = [("baseline", comparison.baseline), ("current", comparison.current)];
        let mut differences: Vec<Because> = comparison.comparability.differences.iter().map(|d| d.because).collect();
        differences.dedup();
        Cells {
            schema: SCHEMA,
            min_group: least,
            columns,
            windows: windows
                .map(|(label, side)| Window { label: label.to_owned(), days: side.days, coverage: side.coverage })
                .into(),
            comparable: Some(comparison.comparability.comparable),
            differences,
            warnings: Vec::new(),
            rows: rows(groups.into_iter().map(|g| g.group), update, reputation),
            method: comparison.method,
        }
    }
}

fn rows(labels: impl Iterator<Item = Label>, update: Vec<Kept>, reputation: Vec<Kept>) -> Vec<Row> {
    let labels = labels.map(Some).chain([None]);
    let signals = update.into_iter().zip(reputation);
    labels.zip(signals).map(|(group, (update, reputation))| Row { group, update, reputation }).collect()
}
