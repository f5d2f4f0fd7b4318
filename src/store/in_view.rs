//! Who was in view at all, with contacts or without.

use super::{Result, Store};
use crate::base::time::{QUARTER_SECS, SECOND};
use crate::base::{Addr, Mac, Prefix};

/// Addresses, hardware addresses and names that belonged together in a time, and
/// networks of which there were addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InView {
    hosts: Vec<(Addr, Option<Mac>, String)>,
    /// Each /24 or /64, also of hosts that `hosts` had no room for.
    networks: Vec<Prefix>,
}

impl InView {
    /// Whether there was an address of this network.
    pub fn has_network(&self, network: &Prefix) -> bool {
        let whole = |n: &Prefix| n.len128() >= network.len128() && network.holds(n.network());
        self.hosts.iter().any(|(ip, ..)| network.contains(ip)) || self.networks.iter().any(whole)
    }

    /// Whether there was a host of such a name, or with such addresses.
    pub fn has_host(&self, named: impl Fn(&str) -> bool, addressed: impl Fn(Option<Mac>, &Addr) -> bool) -> bool {
        self.hosts.iter().any(|(ip, mac, name)| !name.is_empty() && named(name) || addressed(*mac, ip))
    }
}

impl Store {
    /// Who was in view in the quarter hours `from` to `to` (since the epoch, both
    /// included).
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError).
    pub fn in_view(&self, from: i64, to: i64) -> Result<InView> {
        let nanos = |quarter: i64| quarter.saturating_mul(QUARTER_SECS).saturating_mul(SECOND);
        let hosts = self.list(
            "SELECT DISTINCT ip, mac, name FROM interval_hosts h WHERE EXISTS (
                SELECT 1 FROM interval_times t WHERE t.interval_no = h.interval_no AND from_ns < ?2 AND to_ns >= ?1)",
            [nanos(from), nanos(to.saturating_add(1))],
            |row| Ok((Addr(row.get(0)?), row.get_ref(1)?.as_str()?.parse().ok(), row.get(2)?)),
        )?;
        let networks = self.list(
            "SELECT DISTINCT prefix FROM coverage_networks WHERE quarter BETWEEN ?1 AND ?2",
            [from, to],
            |row| Ok(row.get_ref(0)?.as_str()?.parse().ok()),
        )?;
        Ok(InView { hosts, networks: networks.into_iter().flatten().collect() })
    }
}
