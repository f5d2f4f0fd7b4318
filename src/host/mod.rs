//! Who it was and how sure we are: day records, intervals and signals to
//! hosts with roles and verdicts.
//!
//! Everything here is decided when records are read, from stored facts alone,
//! never from packets; so the same store gives the same answer at any time,
//! and a question about last March is answered with the host that had the
//! address then.

pub mod facts;
pub mod nat;
pub mod signals;
pub mod view;

pub use facts::{Channels, Contact, Facts, FactsBuilder, Interval, SeenHost, ServedBy, Signal, SignalKind};
pub use view::{Alarm, Cadence, HostView, Role, Verdict};
