//! Hosts by network and name, and whether those that are meant were in view: a
//! filter that nobody fits finds nothing, whatever there was.

use super::exit::Stop;
use crate::base::{Prefix, Timestamp};
use crate::host::{HostView, Inventory};
use crate::store::Store;

/// Filters by network and by part of a name, and which of them any host fits. Of
/// each kind any word may fit.
pub(super) struct Narrowed<'a> {
    networks: Vec<(&'a Prefix, bool)>,
    /// In lower case.
    names: Vec<(String, bool)>,
}

impl<'a> Narrowed<'a> {
    pub(super) fn new(networks: &'a [Prefix], names: &[String]) -> Self {
        Narrowed {
            networks: networks.iter().map(|n| (n, false)).collect(),
            names: names.iter().map(|n| (n.to_lowercase(), false)).collect(),
        }
    }

    /// Whether they leave a host in.
    pub(super) fn fits(&self, v: &HostView) -> bool {
        let network = |(n, _): &(&Prefix, bool)| has_address(v, n);
        let name = |(part, _): &(String, bool)| has_name(v, part);
        (self.networks.is_empty() || self.networks.iter().any(network))
            && (self.names.is_empty() || self.names.iter().any(name))
    }

    /// Notes which words a host fits.
    pub(super) fn meet(&mut self, v: &HostView) {
        for (network, met) in &mut self.networks {
            *met = *met || has_address(v, network);
        }
        for (part, met) in &mut self.names {
            *met = *met || has_name(v, part);
        }
    }

    /// The words that fit nobody who was in view in a window, each with what it
    /// asks for.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn out_of_view(
        &self,
        store: &Store,
        inventory: Option<&Inventory>,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Vec<String>, Stop> {
        let networks: Vec<_> = self.networks.iter().filter(|(_, met)| !met).collect();
        let names: Vec<_> = self.names.iter().filter(|(_, met)| !met).collect();
        if networks.is_empty() && names.is_empty() {
            return Ok(Vec::new());
        }
        let (from, to) = super::stored::quarters(since, until);
        let view = store.in_view(from, to)?;
        let mut out = Vec::new();
        for (network, _) in networks {
            if !view.has_network(network) {
                out.push(format!("address of {network}"));
            }
        }
        for (part, _) in names {
            let is = |name: &str| name.to_lowercase().contains(part);
            let listed =
                |mac, ip: &_| inventory.and_then(|i| i.find(mac, ip)).and_then(|d| d.name.as_deref()).is_some_and(is);
            if !view.has_host(is, listed) {
                out.push(format!("host named {part:?}"));
            }
        }
        Ok(out)
    }
}

fn has_address(v: &HostView, network: &Prefix) -> bool {
    v.addresses.iter().chain([&v.ip]).any(|a| network.contains(a))
}

fn has_name(v: &HostView, part: &str) -> bool {
    v.name.iter().chain(&v.names_before).any(|(name, _)| name.to_lowercase().contains(part))
}
