//! Observations to sightings.

pub mod record;

pub use record::{Evidence, Host, Record, Server, Stage};
