//! A window as one period: how many hosts there were in all of it.

use super::asked::Asked;
use super::count::{Counted, Group, count};
use super::coverage::{Coverage, Difference};
use super::fact::{Days, SourceError};
use super::figures::{Label, Method, Point, Zero, label};
use serde::Serialize;

/// The figures of a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// Its days.
    pub window: Days,
    /// What could be seen in it.
    pub coverage: Coverage,
    /// What is doubtful about the counts.
    pub doubts: Vec<Difference>,
    /// All hosts.
    pub whole: Point,
    /// Breakdowns by groups.
    pub by: Vec<TotalBy>,
    /// How it was made.
    pub method: Method,
}

/// A window by groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TotalBy {
    /// Columns of the groups.
    pub columns: Vec<String>,
    /// The groups in the order of their values, unknown last.
    pub groups: Vec<TotalGroup>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TotalGroup {
    /// Which group.
    pub group: Label,
    /// Its figures.
    pub point: Point,
}

impl Total {
    /// Counts a window.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn new(asked: &Asked<'_>, window: Days) -> Result<Self, SourceError> {
        let Counted { whole, dimensions, has_org, .. } = count(asked.source, &asked.plan(vec![window]))?;
        let coverage = Coverage::of(asked, window)?;
        let point = |group: &Group| {
            let mut point = group.periods.first().map(|sum| Point::of(sum, has_org, &coverage)).unwrap_or_default();
            for signal in [&mut point.update, &mut point.reputation] {
                signal.zero = (signal.hosts.hosts == 0).then(|| Zero::of(&coverage, 1.0));
            }
            point
        };
        let by = asked.dimensions.iter().zip(dimensions).map(|(columns, groups)| TotalBy {
            columns: columns.clone(),
            groups: groups
                .into_iter()
                .map(|g| TotalGroup { group: label(columns, &g.values), point: point(&g) })
                .collect(),
        });
        Ok(Total {
            window,
            doubts: coverage.doubts("the window"),
            by: by.collect(),
            whole: point(&whole),
            method: asked.method(coverage.catalogues.iter())?,
            coverage,
        })
    }
}
