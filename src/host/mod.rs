//! Who it was and how sure we are: day records, intervals and signals to
//! hosts with roles and verdicts.
//!
//! Everything here is decided when records are read, from stored facts alone,
//! never from packets; so the same store gives the same answer at any time,
//! and a question about last March is answered with the host that had the
//! address then.

pub mod accept;
pub mod changes;
pub mod facts;
pub mod inventory;
mod judge;
pub mod nat;
pub mod signals;
mod strength;
#[cfg(test)]
pub(crate) mod testing;
pub mod view;

pub use accept::{Accept, AcceptError, AcceptList, Standing, Who};
pub use facts::{Channels, Contact, Facts, FactsBuilder, Interval, SeenHost, ServedBy, Signal, SignalKind};
pub use inventory::{Inventory, InventoryError};
pub use judge::{Options, judge};
pub use view::{Alarm, Cadence, HostView, Role, Verdict};
