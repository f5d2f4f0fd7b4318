//! Who it was and how sure we are: day records, intervals and signals to
//! hosts with roles and verdicts.
//!
//! Everything here is decided when records are read, from stored facts alone,
//! never from packets; so the same store gives the same answer at any time,
//! and a question about last March is answered with the host that had the
//! address then.

pub mod accept;
mod bindings;
mod case;
pub mod changes;
pub mod count;
pub mod facts;
mod groups;
mod identity;
pub mod inventory;
mod judge;
mod names;
pub mod nat;
mod own;
mod proxying;
mod reason;
mod resolving;
mod roles;
#[cfg(test)]
pub(crate) mod sample;
mod sessions;
pub mod signals;
mod strength;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod traits;
mod verdict;
pub mod view;

pub use accept::{Accept, AcceptError, AcceptList, Standing, Who};
pub use facts::{Channels, Contact, Facts, FactsBuilder, Interval, SeenHost, ServedBy, Signal, SignalKind};
pub use identity::are_own;
pub use inventory::{Inventory, InventoryError};
pub use judge::{Judge, Options, judge};
pub use view::{Alarm, Cadence, HostView, Role, Verdict};
