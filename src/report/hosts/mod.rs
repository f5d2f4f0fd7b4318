//! Hosts with their verdicts as a table, NDJSON and CSV.

pub mod csv;
pub mod ndjson;
pub mod table;
mod tally;

use crate::base::Timestamp;
use crate::base::time::{DAY_SECS, SECOND};
use crate::host::{HostView, Standing};
pub use tally::Tally;

/// A host, what the exceptions say of it, and the time of the report.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// What was concluded.
    pub view: &'a HostView,
    /// Whether somebody answers for it.
    pub standing: Standing<'a>,
    /// The time from which days are counted back.
    pub as_of: Timestamp,
}

impl Listed<'_> {
    /// Whole days since the last contact; 0 if it lies after the time of the
    /// report.
    pub fn days_since(&self) -> u64 {
        let since = self.as_of.since(self.view.last_seen).div_euclid(DAY_SECS.saturating_mul(SECOND));
        u64::try_from(since).unwrap_or(0)
    }

    /// Place in a list: alarms, then verdicts that count as use from the
    /// strongest down, then the others, then by address.
    fn order(&self) -> impl Ord + use<> {
        let v = self.view;
        (v.alarms.is_empty(), std::cmp::Reverse(v.verdict.strength()), v.ip, v.segment.clone(), v.mac)
    }
}

/// Puts hosts in the order of every list.
pub fn sort(hosts: &mut [Listed<'_>]) {
    hosts.sort_by_cached_key(Listed::order);
}

/// Lower-case hex digits of a record's id.
pub(super) fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
