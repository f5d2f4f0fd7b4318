//! Observations to sightings.
//!
//! An [`Observer`] is the sink of one shard's flow engine: it matches what was
//! seen against the catalogue and folds the observations into one [`Draft`]
//! for each source, host, indicator and UTC day. Drafts become [`Record`]s
//! when the source's id is known.

mod acts;
mod answers;
pub mod board;
mod certificate;
pub mod clocks;
mod codec;
mod community;
mod concealed;
mod contact;
mod digest;
mod dns;
pub mod draft;
mod drafts;
mod follow;
pub mod home;
mod http;
mod iterating;
pub mod line;
mod listed;
pub mod merge;
mod moved;
pub mod naming;
pub mod observer;
pub mod presence;
pub mod pseudonym;
mod published;
pub mod record;
pub mod select;
mod shown;
pub mod signal;
mod signs;
mod socks;
pub mod spool;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod testing_flow;
#[cfg(test)]
mod tests;
pub mod unlisted;

pub use board::Board;
pub use digest::KeptFrame;
pub use draft::{Draft, DraftKey, HostKey, Names};
pub use home::HomeNets;
pub use naming::{HostNames, Naming};
pub use observer::{Askers, Canary, Observed, Observer, Settings};
pub use pseudonym::{Conceal, Pseudonyms};
pub use record::{Evidence, Host, Record, Server, Stage};
pub use shown::Frame;
pub use signal::{Signal, SignalKind, Signals};
pub use spool::Spool;
