//! Counting: how many hosts and organisations, in which periods, with which
//! bounds, and whether two windows can be compared at all.
//!
//! Everything is counted exactly, from day facts ([`fact`]) that a store of any
//! kind delivers part by part. Verdicts are those of [`crate::host::Judge`].

pub mod asked;
pub mod comparability;
pub mod compare;
pub mod count;
pub mod coverage;
pub mod fact;
pub mod figures;
pub mod groups;
pub mod movers;
pub mod parts;
pub mod recount;
pub mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod total;
pub mod trend;
pub mod window;

pub use asked::{AsOf, Asked, Origin, catalogue_as_of};
pub use compare::{Compared, ComparedBy, ComparedGroup, Comparison};
pub use coverage::{Comparability, Coverage};
pub use fact::{Days, Fact, FactSource, Known, Names, Part, RunOf, Seen, SourceError, Wanted};
pub use figures::{Bounds, Cohort, Method, Point, Signal, Zero};
pub use groups::{GroupFile, Groups, GroupsError};
pub use movers::{Mover, Movers};
pub use total::{Total, TotalBy, TotalGroup};
pub use trend::{Breakdown, Period, Series, Trend};
pub use window::{Step, UtcOffset, Window, WindowError};
