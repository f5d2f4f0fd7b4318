//! Whose contacts count: the home networks.

use crate::base::{Addr, Prefix};

/// Private (RFC 1918), shared (RFC 6598) and link-local (RFC 3927) IPv4,
/// unique-local (RFC 4193) and link-local (RFC 4291) IPv6.
const DEFAULT: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// The networks whose clients become hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeNets {
    any: bool,
    prefixes: Vec<Prefix>,
}

impl Default for HomeNets {
    fn default() -> Self {
        HomeNets { any: false, prefixes: DEFAULT.iter().filter_map(|p| p.parse().ok()).collect() }
    }
}

impl HomeNets {
    /// The default networks and some more, such as the interface's own.
    pub fn default_and(more: impl IntoIterator<Item = Prefix>) -> Self {
        let mut home = HomeNets::default();
        for p in more {
            if !home.prefixes.iter().any(|h| h.len128() <= p.len128() && h.contains(&Addr(p.network().to_be_bytes()))) {
                home.prefixes.push(p);
            }
        }
        home
    }

    /// Only these networks.
    pub fn only(prefixes: Vec<Prefix>) -> Self {
        HomeNets { any: false, prefixes }
    }

    /// Every address.
    pub fn any() -> Self {
        HomeNets { any: true, prefixes: Vec::new() }
    }

    /// Whether an address is at home.
    #[inline]
    pub fn contains(&self, addr: &Addr) -> bool {
        self.any || self.prefixes.iter().any(|p| p.contains(addr))
    }

    /// Whether every address is at home, so that none is told from outside.
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// In words, for the run record and the summary.
    pub fn describe(&self) -> Vec<String> {
        if self.any { vec!["any".into()] } else { self.prefixes.iter().map(ToString::to_string).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_at_home_and_public_ones_are_not() {
        let home = HomeNets::default();
        for a in ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1"] {
            assert!(home.contains(&a.parse().unwrap()), "{a}");
        }
        for a in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::1"] {
            assert!(!home.contains(&a.parse().unwrap()), "{a}");
        }
        assert!(HomeNets::any().contains(&"8.8.8.8".parse().unwrap()));
        let more = HomeNets::default_and(["2001:db8:1::/64".parse().unwrap(), "10.9.0.0/24".parse().unwrap()]);
        assert!(more.contains(&"2001:db8:1::5".parse().unwrap()));
        assert_eq!(more.describe().len(), 8);
    }
}
