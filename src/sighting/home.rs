//! Whose contacts count: the home networks.

use crate::base::{Addr, Prefix};
use std::sync::LazyLock;

/// Private (RFC 1918), shared (RFC 6598) and link-local (RFC 3927) IPv4,
/// unique-local (RFC 4193) and link-local (RFC 4291) IPv6.
const DEFAULT: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// The networks whose clients become hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeNets {
    any: bool,
    prefixes: Vec<Prefix>,
    /// Those of IPv4: mask and network.
    prefixes_v4: Vec<(u32, u32)>,
    /// What the first byte of an IPv4 and of an IPv6 address says: settles most
    /// addresses at once.
    first_v4: [First; 256],
    first_v6: [First; 256],
}

/// What the first byte of an address says of its being at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum First {
    /// No prefix holds such an address.
    Outside,
    /// One may.
    Perhaps,
    /// One holds them all.
    Home,
}

impl Default for HomeNets {
    fn default() -> Self {
        HomeNets::only(DEFAULT.iter().filter_map(|p| p.parse().ok()).collect())
    }
}

impl HomeNets {
    /// The default networks and some more, such as the interface's own.
    pub fn default_and(more: impl IntoIterator<Item = Prefix>) -> Self {
        let mut prefixes = HomeNets::default().prefixes;
        for p in more {
            if !prefixes.iter().any(|h| h.len128() <= p.len128() && h.contains(&Addr(p.network().to_be_bytes()))) {
                prefixes.push(p);
            }
        }
        HomeNets::only(prefixes)
    }

    /// Only these networks.
    pub fn only(prefixes: Vec<Prefix>) -> Self {
        let mut home = HomeNets {
            any: false,
            prefixes,
            prefixes_v4: Vec::new(),
            first_v4: [First::Outside; 256],
            first_v6: [First::Outside; 256],
        };
        for p in &home.prefixes {
            let (table, skip) = if p.len128() >= 96 && Addr(p.network().to_be_bytes()).as_v4().is_some() {
                let mask = u32::MAX.checked_shl(128 - u32::from(p.len128())).unwrap_or(0);
                home.prefixes_v4.push((mask, p.network() as u32));
                (&mut home.first_v4, 96)
            } else {
                // A prefix shorter than /96 may hold mapped IPv4 addresses.
                if p.contains(&Addr::v4([0; 4])) {
                    home.first_v4 = [First::Home; 256];
                }
                (&mut home.first_v6, 0)
            };
            let fixed = u32::from(p.len128().saturating_sub(skip));
            // Mapped IPv4 addresses are asked for in the other table.
            let says = if fixed <= 8 { First::Home } else { First::Perhaps };
            let fixed = fixed.min(8);
            let first = (p.network() << skip >> 120) as usize;
            let span = 1usize << (8 - fixed);
            for at in first..(first + span).min(256) {
                if let Some(b) = table.get_mut(at) {
                    *b = says.max(*b);
                }
            }
        }
        home
    }

    /// Every address.
    pub fn any() -> Self {
        HomeNets {
            any: true,
            prefixes: Vec::new(),
            prefixes_v4: Vec::new(),
            first_v4: [First::Home; 256],
            first_v6: [First::Home; 256],
        }
    }

    /// Whether an address is at home.
    #[inline]
    pub fn contains(&self, addr: &Addr) -> bool {
        match addr.as_v4() {
            Some(b) => self.holds_v4(u32::from_be_bytes(b)),
            None => self.holds_v6(addr.bits()),
        }
    }

    /// Whether an IPv4 address, as a number, is at home.
    #[inline(always)] // asked twice of every packet
    pub fn holds_v4(&self, addr: u32) -> bool {
        match self.first_v4.get((addr >> 24) as usize) {
            Some(First::Home) => true,
            Some(First::Perhaps) => self.prefixes_v4.iter().any(|(mask, network)| addr & mask == *network),
            _ => false,
        }
    }

    /// Whether an address that is none of IPv4 is at home.
    #[inline]
    pub fn holds_v6(&self, addr: u128) -> bool {
        match self.first_v6.get((addr >> 120) as usize) {
            Some(First::Home) => true,
            Some(First::Perhaps) => self.prefixes.iter().any(|p| p.holds(addr)),
            _ => false,
        }
    }

    /// Whether an address may be that of a server at home: where every address
    /// is at home, only those of the default networks are on its side of the
    /// internet.
    pub fn holds_server(&self, addr: &Addr) -> bool {
        static PRIVATE: LazyLock<HomeNets> = LazyLock::new(HomeNets::default);
        self.contains(addr) && (!self.any || PRIVATE.contains(addr))
    }

    /// Whether every address is at home, so that none is told from outside.
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// The networks; none where every address is at home.
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
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
        let all = HomeNets::only(vec!["::/0".parse().unwrap()]);
        assert!(all.contains(&"8.8.8.8".parse().unwrap()) && all.contains(&"2001::".parse().unwrap()));
        let half = HomeNets::only(vec!["128.0.0.0/1".parse().unwrap(), "8000::/1".parse().unwrap()]);
        for (a, at_home) in [("127.1.1.1", false), ("255.0.0.1", true), ("7fff::1", false), ("ff02::1", true)] {
            assert_eq!(half.contains(&a.parse().unwrap()), at_home, "{a}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_tables_say_what_the_prefixes_say(
            nets in proptest::collection::vec((proptest::prelude::any::<u32>(), 0u8..=32, proptest::prelude::any::<bool>()), 0..6),
            addrs in proptest::collection::vec((proptest::prelude::any::<u32>(), proptest::prelude::any::<bool>()), 1..20),
        ) {
            // IPv4 addresses, and IPv6 ones that differ in their first bits.
            let wide = |n: u32, v6: bool| if v6 { u128::from(n) << 96 } else { 0xffff_0000_0000 | u128::from(n) };
            let prefix = |(n, len, v6): (u32, u8, bool)| {
                let n = n & u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
                Prefix::new(Addr(wide(n, v6).to_be_bytes()), if v6 { len } else { len + 96 }).unwrap()
            };
            let prefixes: Vec<Prefix> = nets.iter().copied().map(prefix).collect();
            let home = HomeNets::only(prefixes.clone());
            let inside = nets.iter().map(|(n, _, v6)| (*n, *v6));
            for (n, v6) in addrs.into_iter().chain(inside) {
                let addr = Addr(wide(n, v6).to_be_bytes());
                proptest::prop_assert_eq!(home.contains(&addr), prefixes.iter().any(|p| p.contains(&addr)), "{}", addr);
            }
        }
    }
}
