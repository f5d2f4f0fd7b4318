//! Observations to sightings.

pub mod merge;
pub mod record;
#[cfg(test)]
pub(crate) mod testing;

pub use record::{Evidence, Host, Record, Server, Stage};
