//! Two windows against each other: how many in each, and how many of the
//! baseline are still there.

use super::asked::Asked;
use super::count::{Counted, Group, PeriodSum, Plan, SignalSum, count};
use super::coverage::{Because, Comparability, Coverage};
use super::fact::{Days, SourceError};
use super::figures::{Cohort, Label, Method, Point, Zero, label};
use super::movers::{Mover, Movers};
use super::stats::{Daily, change, tenths};
use super::window::UtcOffset;
use crate::catalogue::{Catalogue, Use};
use serde::Serialize;
use std::collections::BTreeSet;
use thiserror::Error;

/// How many indicators are listed.
const LISTED: usize = 50;

/// Why two windows are not compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// They have days in common.
    #[error("the windows {0} and {1} have days in common; give two that do not overlap")]
    Overlap(String, String),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A comparison, as every format shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// `spansight.comparison/1`.
    pub schema: &'static str,
    /// What a reader must know first.
    pub headline: String,
    /// Whether the figures of the windows can be compared, and why not.
    pub comparability: Comparability,
    /// The earlier state.
    pub baseline: Side,
    /// The later one.
    pub current: Side,
    /// How much their days begin before those of UTC.
    pub utc_offset: UtcOffset,
    /// What changes are made from.
    pub basis: Basis,
    /// Indicators that only one window's catalogues have.
    pub catalogue_changes: CatalogueChanges,
    /// All hosts.
    pub whole: Compared,
    /// Breakdowns by groups.
    pub by: Vec<ComparedBy>,
    /// How it was made.
    pub method: Method,
    /// The hosts that are in one window only. No figures: who they are is shown to
    /// those who have the store.
    #[serde(skip)]
    pub movers: Movers,
}

/// One of the windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its days.
    pub days: Days,
    /// What could be seen in it.
    pub coverage: Coverage,
}

/// What changes in per cent are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// All hosts of each window.
    Hosts,
    /// The mean of the hosts of each day: the windows differ in length, or one of
    /// them goes on, and a longer one sees more hosts without there being more.
    /// Organisations, which no day has a count of, get no change then.
    DailyMean,
}

/// Indicators that were looked for in one window only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CatalogueChanges {
    /// In a catalogue of the current window and in none of the baseline.
    pub added: Vec<String>,
    /// The other way round.
    pub removed: Vec<String>,
    /// How many more there are of both.
    pub more: u64,
}

/// Breakdown by groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedBy {
    /// Columns of the groups.
    pub columns: Vec<String>,
    /// The groups in the order of their values, unknown last.
    pub groups: Vec<ComparedGroup>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedGroup {
    /// Which group.
    pub group: Label,
    /// Its figures.
    #[serde(flatten)]
    pub compared: Compared,
}

/// Both windows of all hosts or of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// In the baseline.
    pub baseline: Point,
    /// In the current window.
    pub current: Point,
    /// What became of hosts with update contacts.
    pub update: Moved,
    /// What became of hosts with reputation contacts.
    pub reputation: Moved,
}

/// What became of a signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// Change of the hosts.
    pub hosts: Change,
    /// The hosts of the baseline.
    pub cohort: Cohort,
    /// Change of the organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisations: Option<Change>,
    /// The organisations of the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation_cohort: Option<Cohort>,
}

/// A change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// In per cent of the baseline, negative for less, by [`Basis`]; absent from
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_cent: Option<f64>,
    /// The least that the bounds allow: from the most of the baseline to the
    /// least of the current window. Of hosts only, and of equal windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_cent_least: Option<f64>,
    /// The most that they allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_cent_most: Option<f64>,
}

impl Comparison {
    /// Compares two windows.
    ///
    /// # Errors
    /// Windows that overlap, or a source that cannot be read.
    pub fn new(asked: &Asked<'_>, baseline: Days, current: Days) -> Result<Self, CompareError> {
        if baseline.first <= current.last && current.first <= baseline.last {
            return Err(CompareError::Overlap(baseline.to_string(), current.to_string()));
        }
        // Kept, new and gone are the same whichever is earlier; the baseline is
        // counted as the first.
        let swapped = current.first < baseline.first;
        let periods = if swapped { vec![current, baseline] } else { vec![baseline, current] };
        let counted = count(asked.source, &Plan { movers: true, ..asked.plan(periods) })?;
        let side = |days| Coverage::of(asked, days).map(|coverage| Side { days, coverage });
        let (baseline, current) = (side(baseline)?, side(current)?);
        let equal = baseline.coverage.quarters == current.coverage.quarters;
        let basis = if equal { Basis::Hosts } else { Basis::DailyMean };
        let mut comparability = Comparability::of(&baseline.coverage, &current.coverage, asked.one_catalogue());
        let used = baseline.coverage.catalogues.iter().chain(&current.coverage.catalogues);
        let method = asked.method(used)?;
        if let Some(what) = method.backwards() {
            comparability.add(Because::Catalogue, what);
        }
        asked.doubts.iter().for_each(|what| comparability.add(Because::Identity, what.clone()));
        let both = Both { has_org: counted.has_org, swapped, basis, baseline: &baseline, current: &current };
        let Counted { whole, dimensions, movers, .. } = counted;
        let whole = both.compared(&whole);
        let movers = both.movers(movers, &whole.update.cohort);
        let by = asked.dimensions.iter().zip(dimensions).map(|(columns, groups)| {
            let group = |g: Group| ComparedGroup { group: label(columns, &g.values), compared: both.compared(&g) };
            ComparedBy { columns: columns.clone(), groups: groups.into_iter().map(group).collect() }
        });
        let by = by.collect();
        for (side, called) in [(&baseline, "the baseline"), (&current, "the current window")] {
            side.coverage.not_passed(called).into_iter().for_each(|what| comparability.add(Because::Length, what));
        }
        let (a, b) = (baseline.days.len(), current.days.len());
        if a != b {
            let what =
                format!("the baseline has {a} days and the current window {b}, so that changes are of daily means");
            comparability.add(Because::Length, what);
        }
        Ok(Comparison {
            schema: "spansight.comparison/1",
            headline: headline(&whole, &baseline, &current, basis, &comparability),
            catalogue_changes: catalogue_changes(asked, &baseline.coverage, &current.coverage)?,
            comparability,
            baseline,
            current,
            utc_offset: asked.offset,
            basis,
            whole,
            by,
            method,
            movers,
        })
    }
}

/// What a comparison of any group needs.
struct Both<'a> {
    has_org: bool,
    swapped: bool,
    basis: Basis,
    baseline: &'a Side,
    current: &'a Side,
}

impl Both<'_> {
    fn compared(&self, group: &Group) -> Compared {
        let none = PeriodSum::default();
        let (first, second) = match group.periods.as_slice() {
            [first, second] => (first, second),
            _ => (&none, &none),
        };
        let (a, b) = if self.swapped { (second, first) } else { (first, second) };
        // Who is in both is counted with the second.
        let update = self.moved(&a.update, &b.update, &second.update);
        let reputation = self.moved(&a.reputation, &b.reputation, &second.reputation);
        let mut baseline = Point::of(a, self.has_org, &self.baseline.coverage);
        let mut current = Point::of(b, self.has_org, &self.current.coverage);
        for (point, other, side) in [(&mut baseline, b, self.baseline), (&mut current, a, self.current)] {
            // How many home addresses of a group were in view is not known.
            let whole = group.values.is_empty();
            for (signal, of_other) in [(&mut point.update, &other.update), (&mut point.reputation, &other.reputation)] {
                if whole && signal.hosts.hosts == 0 {
                    signal.zero = Some(Zero::of(&side.coverage, active_days(of_other)));
                }
            }
            // They compare two periods, and the cohort says it better.
            point.forget_moves();
        }
        Compared { baseline, current, update, reputation }
    }

    /// Hosts of the first and of the second period alone, as of the windows.
    fn movers(&self, [mut gone, mut new]: [Vec<Mover>; 2], cohort: &Cohort) -> Movers {
        if self.swapped {
            std::mem::swap(&mut gone, &mut new);
        }
        // What was not in view cannot be told where not all that was is known.
        for (listed, other) in [(&mut gone, self.current), (&mut new, self.baseline)] {
            if !other.coverage.known.is_whole() {
                listed.iter_mut().for_each(|mover| mover.in_view = None);
            }
        }
        let more = |all: u64, listed: &[Mover]| all.saturating_sub(listed.len() as u64);
        Movers { gone_more: more(cohort.gone, &gone), new_more: more(cohort.new, &new), gone, new }
    }

    fn moved(&self, a: &SignalSum, b: &SignalSum, second: &SignalSum) -> Moved {
        let equal = self.basis == Basis::Hosts;
        let hosts = if equal {
            let (a_low, a_high) = (a.lower.min(a.hosts) as f64, a.upper.max(a.hosts) as f64);
            let (b_low, b_high) = (b.lower.min(b.hosts) as f64, b.upper.max(b.hosts) as f64);
            Change {
                per_cent: change(a.hosts as f64, b.hosts as f64),
                per_cent_least: change(a_high, b_low),
                per_cent_most: change(a_low, b_high),
            }
        } else {
            let mean = |side: &Side, s: &SignalSum| Daily::of(&side.coverage.of_days_in_view(&s.daily)).mean;
            let (a, b) = (mean(self.baseline, a), mean(self.current, b));
            Change { per_cent: change(a, b), ..Change::default() }
        };
        let (org_a, org_b) = (a.organisations.seen, b.organisations.seen);
        let per_cent = if equal { change(org_a as f64, org_b as f64) } else { None };
        Moved {
            hosts,
            cohort: Cohort {
                gone_in_view: self.current.coverage.known.is_whole().then_some(if self.swapped {
                    second.change.came_in_view
                } else {
                    second.change.lost_in_view
                }),
                ..Cohort::of(a.hosts, b.hosts, second.change.kept)
            },
            organisations: self.has_org.then_some(Change { per_cent, ..Change::default() }),
            organisation_cohort: self.has_org.then(|| Cohort::of(org_a, org_b, second.organisations.change.kept)),
        }
    }
}

/// On how many days a host made contact, on average.
fn active_days(s: &SignalSum) -> f64 {
    let days: u64 = s.daily.iter().map(|n| u64::from(*n)).sum();
    if s.hosts == 0 { 1.0 } else { days as f64 / s.hosts as f64 }
}

/// What happened, in words that claim no more than can be said: where the
/// windows cannot be compared, a lower number is no fall.
fn headline(whole: &Compared, baseline: &Side, current: &Side, basis: Basis, comparability: &Comparability) -> String {
    let (a, b) = (&whole.baseline.update, &whole.current.update);
    let bounded = |s: &super::figures::Signal| format!("{} ({} to {})", s.hosts.hosts, s.hosts.lower, s.hosts.upper);
    let mut text =
        format!("Hosts with update contacts: {} in {}, {} in {}", bounded(a), baseline.days, bounded(b), current.days);
    let of = if basis == Basis::DailyMean { " by the day" } else { "" };
    text += &what_happened(&whole.update.hosts, comparability.comparable, of);
    if let Some(share) = whole.update.cohort.share {
        let p = tenths;
        text += &format!(
            " Of those of the baseline {} were seen again ({} %, interval {} to {} %).",
            whole.update.cohort.still,
            p(share.share),
            p(share.low),
            p(share.high)
        );
    }
    text += &gone(&whole.update.cohort);
    let (a, b) = (whole.baseline.reputation.hosts.hosts, whole.current.reputation.hosts.hosts);
    text += &format!(" With reputation contacts: {a}, then {b}.");
    if let [first, rest @ ..] = comparability.differences.as_slice() {
        text += &format!(" The windows are not comparable: {}", first.what);
        text += if rest.is_empty() { "." } else { "; more below." };
    }
    text
}

/// The change in words: a fall or a rise only where the windows are comparable
/// and all that the bounds allow is one.
fn what_happened(c: &Change, comparable: bool, of: &str) -> String {
    let Some(p) = c.per_cent else { return ".".to_owned() };
    let n = |p: f64| (p * 10.0).round() / 10.0;
    let by = n(p.abs());
    let bounds = c.per_cent_least.zip(c.per_cent_most).map(|(least, most)| (n(least), n(most)));
    let exact = bounds.is_some_and(|(least, most)| least == most);
    let range = match bounds {
        Some((least, most)) if least != most => format!(" (by the bounds {least:+} to {most:+} %)"),
        Some(_) => String::new(),
        // From no host or any number of days there is no bound.
        None => " (without bounds)".to_owned(),
    };
    let (falls, rises) =
        (c.per_cent_most.is_some_and(|most| most < 0.0), c.per_cent_least.is_some_and(|least| least > 0.0));
    match (p < 0.0, p > 0.0) {
        (true, _) if comparable && falls => format!(": a fall of {by} %{of}{range}."),
        (_, true) if comparable && rises => format!(": a rise of {by} %{of}{range}."),
        (true, _) => format!(": {by} % fewer were seen{of}{range}, which need not be a fall."),
        (_, true) => format!(": {by} % more were seen{of}{range}, which need not be a rise."),
        _ if comparable && exact => ": no change.".to_owned(),
        _ => format!(": as many were seen{of}{range}, which need not mean that nothing changed."),
    }
}

/// What became of those who were not seen again.
fn gone(cohort: &Cohort) -> String {
    let Some(in_view) = cohort.gone_in_view.filter(|_| cohort.gone > 0) else { return String::new() };
    let away = cohort.gone.saturating_sub(in_view);
    match (in_view, away) {
        (1, 0) => " The one not seen again was in view without such a contact.".to_owned(),
        (0, 1) => " The one not seen again was not in view; what it does elsewhere is not known.".to_owned(),
        (n, 0) => format!(" Of those not seen again all {n} were in view without such a contact."),
        (0, n) => {
            format!(" Of those not seen again none was in view: {n} left it, and what they do elsewhere is not known.")
        }
        (n, away) => format!(
            " Of those not seen again {n} {} in view without such a contact and {away} {} not; what becomes of hosts \
             elsewhere is not known.",
            was(n),
            was(away),
        ),
    }
}

fn was(n: u64) -> &'static str {
    if n == 1 { "was" } else { "were" }
}

fn catalogue_changes(
    asked: &Asked<'_>,
    baseline: &Coverage,
    current: &Coverage,
) -> Result<CatalogueChanges, SourceError> {
    if baseline.catalogues == current.catalogues {
        return Ok(CatalogueChanges::default());
    }
    let ids = |coverage: &Coverage| -> Result<BTreeSet<String>, SourceError> {
        let mut ids = BTreeSet::new();
        for sha256 in &coverage.catalogues {
            let Some(text) = asked.source.catalogue(sha256)? else { continue };
            let catalogue = Catalogue::from_effective(&format!("catalogue {sha256}"), &text);
            let catalogue = catalogue.map_err(|e| SourceError(e.to_string()))?;
            ids.extend(catalogue.iter().filter(|(_, i)| i.usage != Use::Off).map(|(_, i)| i.id.to_owned()));
        }
        Ok(ids)
    };
    let (before, after) = (ids(baseline)?, ids(current)?);
    if before.is_empty() || after.is_empty() {
        return Ok(CatalogueChanges::default());
    }
    let (added, removed): (Vec<_>, Vec<_>) = (after.difference(&before).collect(), before.difference(&after).collect());
    let more = added.len().saturating_sub(LISTED) + removed.len().saturating_sub(LISTED);
    let listed = |ids: Vec<&String>| ids.into_iter().take(LISTED).cloned().collect();
    Ok(CatalogueChanges { added: listed(added), removed: listed(removed), more: more as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(a: [f64; 3], b: [f64; 3]) -> Change {
        let ([a_low, a, a_high], [b_low, b, b_high]) = (a, b);
        Change { per_cent: change(a, b), per_cent_least: change(a_high, b_low), per_cent_most: change(a_low, b_high) }
    }

    #[test]
    fn nothing_falls_that_the_bounds_let_stay() {
        let said = |a, b, comparable| what_happened(&change_of(a, b), comparable, "");
        assert_eq!(said([4.0; 3], [3.0; 3], true), ": a fall of 25 %.");
        assert_eq!(said([9.0, 10.0, 12.0], [3.0, 5.0, 8.0], true), ": a fall of 50 % (by the bounds -75 to -11.1 %).");
        assert_eq!(
            said([2.0, 3.0, 3.0], [2.0; 3], true),
            ": 33.3 % fewer were seen (by the bounds -33.3 to +0 %), which need not be a fall."
        );
        assert_eq!(
            said([2.0; 3], [2.0, 3.0, 3.0], true),
            ": 50 % more were seen (by the bounds +0 to +50 %), which need not be a rise."
        );
        assert_eq!(
            said([0.0, 2.0, 2.0], [1.0; 3], true),
            ": 50 % fewer were seen (without bounds), which need not be a fall."
        );
        assert_eq!(said([0.0; 3], [1.0; 3], true), ".");
    }

    #[test]
    fn no_change_is_said_of_comparable_windows_alone() {
        let said = |a, comparable| what_happened(&change_of(a, a), comparable, "");
        assert_eq!(said([3.0; 3], true), ": no change.");
        assert_eq!(said([3.0; 3], false), ": as many were seen, which need not mean that nothing changed.");
        assert!(said([2.0, 3.0, 3.0], true).ends_with("which need not mean that nothing changed."));
    }

    #[test]
    fn who_left_the_view_is_told_from_who_stayed() {
        let of = |gone, in_view| of_gone(&Cohort { gone, gone_in_view: in_view, ..Cohort::default() });
        fn of_gone(c: &Cohort) -> String {
            super::gone(c)
        }
        assert!(of(3, Some(3)).contains("all 3 were in view"));
        assert!(of(3, Some(0)).contains("none was in view: 3 left it"));
        assert!(of(3, Some(1)).contains("1 was in view without such a contact and 2 were not;"));
        assert!(
            of(1, Some(1)).contains("one not seen again was in view") && of(1, Some(0)).contains("was not in view")
        );
        assert_eq!((of(3, None), of(0, Some(0))), (String::new(), String::new()));
    }
}
