//! Observations to sightings.
//!
//! An [`Observer`] is the sink of one shard's flow engine: it matches what was
//! seen against the catalogue and folds the observations into one [`Draft`]
//! for each source, host, indicator and UTC day. Drafts become [`Record`]s
//! when the source's id is known.

mod answers;
pub mod board;
mod community;
mod contact;
pub mod draft;
mod drafts;
pub mod home;
pub mod merge;
mod observer;
pub mod presence;
pub mod record;
pub mod select;
#[cfg(test)]
pub(crate) mod testing;
pub mod unlisted;

pub use board::Board;
pub use draft::{Draft, DraftKey, Frame, HostKey, Names};
pub use home::HomeNets;
pub use observer::{Canary, Observed, Observer, Settings};
pub use record::{Evidence, Host, Record, Server, Stage};
