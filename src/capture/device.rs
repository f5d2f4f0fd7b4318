//! Interfaces of this machine and the link types that libpcap names.

use super::LinkType;
use crate::base::{Addr, Prefix};
use std::net::IpAddr;

/// The prefixes of an interface's own addresses, such as `192.168.1.0/24`;
/// empty if it has none or there is no such interface.
pub fn interface_prefixes(name: &str) -> Vec<Prefix> {
    let devices = pcap::Device::list().unwrap_or_default();
    let addresses = devices.into_iter().filter(|d| d.name == name).flat_map(|d| d.addresses);
    let mut prefixes: Vec<Prefix> = addresses.filter_map(|a| prefix(a.addr, a.netmask)).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

/// The names of the interfaces that can be captured on.
pub fn interface_names() -> Vec<String> {
    pcap::Device::list().unwrap_or_default().into_iter().map(|d| d.name).collect()
}

/// The prefix of an address and its mask; of the address alone without one.
fn prefix(address: IpAddr, mask: Option<IpAddr>) -> Option<Prefix> {
    let (ones, zeros) = match mask {
        None => (128, 0),
        Some(IpAddr::V4(m)) => (u32::from(m).leading_ones().saturating_add(96), u32::from(m).trailing_zeros()),
        Some(IpAddr::V6(m)) => (u128::from(m).leading_ones(), u128::from(m).trailing_zeros()),
    };
    // A mask with holes has no length.
    if mask.is_some() && ones.saturating_add(zeros) != 128 {
        return None;
    }
    let bits = Addr::from(address).bits();
    let keep = u128::MAX.checked_shl(128_u32.saturating_sub(ones)).unwrap_or(0);
    Prefix::new(Addr((bits & keep).to_be_bytes()), u8::try_from(ones).ok()?)
}

/// The number that libpcap on this system uses for a link type of a file:
/// the same one, save for a few older than the registry.
pub(super) fn dlt(link: LinkType) -> i32 {
    match link.0 {
        100 => 11,
        101 if cfg!(target_os = "openbsd") => 14,
        101 => 12,
        n => i32::from(n),
    }
}

/// The link type of a file for libpcap's number on this system.
pub(super) fn link_type(dlt: i32) -> LinkType {
    match dlt {
        11 => LinkType(100),
        12 | 14 => LinkType(101),
        n => LinkType(u16::try_from(n).unwrap_or(u16::MAX)),
    }
}

/// The name of a link type, for messages.
pub(super) fn link_name(link: LinkType) -> String {
    pcap::Linktype(dlt(link)).get_name().unwrap_or_else(|_| format!("link type {}", link.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(address: &str, mask: Option<&str>) -> Option<String> {
        prefix(address.parse().unwrap(), mask.map(|m| m.parse().unwrap())).map(|p| p.to_string())
    }

    #[test]
    fn prefixes_of_addresses_and_masks() {
        assert_eq!(text("192.168.1.77", Some("255.255.255.0")).unwrap(), "192.168.1.0/24");
        assert_eq!(text("10.0.0.1", Some("255.255.255.255")).unwrap(), "10.0.0.1/32");
        assert_eq!(text("10.0.0.1", None).unwrap(), "10.0.0.1/32");
        assert_eq!(text("10.0.0.1", Some("0.0.0.0")).unwrap(), "0.0.0.0/0");
        assert_eq!(text("fe80::1", Some("ffff:ffff:ffff:ffff::")).unwrap(), "fe80::/64");
        assert_eq!(text("10.0.0.1", Some("255.0.255.0")), None);
    }

    #[test]
    fn link_types_go_both_ways() {
        for link in [0, 1, 100, 101, 105, 113, 127, 228, 276].map(LinkType) {
            assert_eq!(link_type(dlt(link)), link);
        }
        assert_eq!(link_name(LinkType(1)), "EN10MB");
        assert_eq!(link_name(LinkType(65_000)), "link type 65000");
    }

    #[test]
    fn an_unknown_interface_has_no_prefixes() {
        assert!(interface_prefixes("no-such-interface0").is_empty());
    }
}
