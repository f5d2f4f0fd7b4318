//! spansight: a passive network sensor that says which hosts contact Kaspersky
//! update infrastructure.
//!
//! Data flows one way; each module may use those above it in this list and
//! none below (`tests/layers.rs` enforces it):
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`base`] | | vocabulary that every layer shares: time, addresses, names, channels |
//! | [`coverage`] | | the account of what could not be seen |
//! | [`capture`] | files, interfaces | frames |
//! | [`packet`] | frames | transport segments |
//! | [`protocol`] | bytes of a message | facts; pure, no state |
//! | [`flow`] | segments | names and the progress of contacts |
//! | [`catalogue`] | names, addresses, paths | indicators |
//! | [`sighting`] | matches | sighting records |
//! | [`host`] | day records, intervals, signals | hosts with roles and verdicts |
//! | [`measure`] | day facts | counts with bounds, trends, comparisons |
//! | [`store`] | records | SQLite |
//! | [`report`] | records | text, NDJSON, CSV |
//! | [`publish`] | a window of a store | a folder that others can check |
//! | [`pipeline`] | | the threads that wire the stages together |
//! | [`cli`] | arguments | a run |

pub mod base;
pub mod capture;
pub mod catalogue;
pub mod cli;
pub mod coverage;
pub mod flow;
pub mod host;
pub mod measure;
pub mod packet;
pub mod pipeline;
pub mod protocol;
pub mod publish;
pub mod report;
pub mod sighting;
pub mod store;
