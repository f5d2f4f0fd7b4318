//! Hosts with their verdicts as a table, NDJSON and CSV.

pub mod csv;
pub mod ndjson;
mod packed;
mod roll;
mod sorted;
pub mod table;
mod tally;

use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Timestamp};
use crate::host::{HostView, Standing};
pub use roll::Roll;
pub use sorted::{Batch, MAX_HELD, Sorted, Sorter};
use std::cmp::Reverse;
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
}

/// Order of every list: alarms, then verdicts from the strongest down, then by
/// address.
type Order = (bool, Reverse<u8>, Addr);

fn order(v: &HostView) -> Order {
    (v.alarms.is_empty(), Reverse(v.verdict.strength()), v.ip)
}

/// Puts hosts in the order of every list: alarms, then verdicts from the
/// strongest down, then by address.
pub fn sort(hosts: &mut [HostView]) {
    hosts.sort_by(|a, b| (order(a), &a.segment, a.mac).cmp(&(order(b), &b.segment, b.mac)));
}

/// Lower-case hex digits of a record's id.
pub(super) fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
