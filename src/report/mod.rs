//! Records and coverage as text, NDJSON, CSV and JSON.
//!
//! All writers take any [`std::io::Write`] and pass its errors on; a closed
//! pipe is the caller's to recognise.

mod activity;
mod columns;
pub mod csv;
pub mod display_filter;
pub mod dissect;
pub mod document;
pub mod events;
pub mod evidence;
pub mod explain;
pub mod hosts;
pub mod html;
pub mod judged;
mod layout;
pub mod measure;
pub mod ndjson;
pub mod output;
pub mod stages;
pub mod stats;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod stats_doc;
pub mod summary;
pub mod table;
mod text;
mod unseen;

pub use output::{Output, OutputError};
pub use summary::Summary;
pub use table::HostTable;
pub use text::{clean, counted, size};
