//! Threads and channels: the only place that wires the stages together.
//!
//! ```text
//! reader (capture, packet) ──batches──▶ workers (flow, protocol, catalogue, sighting) ──▶ writer
//!        └──batches──▶ hasher
//! ```
//!
//! The reader decodes each frame to a segment and deals the segments to
//! [`SHARDS`] shards by their client, so that what one client asks and what it
//! does then meet in one shard, in packet order. A worker owns every shard
//! whose number leaves its own as remainder: however many workers there are,
//! each shard sees the same segments in the same order.

mod crew;
pub mod dispatch;
mod hasher;
mod listen;
pub mod live;
mod pool;
pub mod replay;
pub mod sources;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests_outcomes;
#[cfg(test)]
mod tests_signals;
pub mod timing;
mod work;
mod worker;

pub use replay::{Failure, Outcome, Plan, Room, Sighted, names, sightings};
pub use sources::{RunNames, SourceId, SourceReport, repeated};
pub use timing::Timing;

/// Shards of the flow state. Fixed, so that what a full table forgets does not
/// depend on the number of workers.
pub const SHARDS: usize = 64;
