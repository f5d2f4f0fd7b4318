//! Counting: how many hosts and organisations, in which periods, with which
//! bounds, and whether two windows can be compared at all.
//!
//! Everything is counted exactly, from day facts ([`fact`]) that a store of any
//! kind delivers part by part. Verdicts are those of [`crate::host::Judge`].

pub mod fact;
pub mod window;

pub use fact::{Days, Fact, FactSource, Names, Part, RunOf, Seen, SourceError, Wanted};
pub use window::{Step, UtcOffset, Window, WindowError};
