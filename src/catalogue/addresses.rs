//! Addresses to indicators: the longest prefix that holds an address.
//!
//! Prefixes nest or are apart, so they flatten into a sorted list of ranges,
//! each with its winner, and a lookup is one binary search. A bitmap over the
//! first 16 bits of the address rejects most of other people's traffic before.

use super::IndicatorRef;
use crate::base::{Addr, Prefix};

/// The range belongs to nobody.
const NONE: u32 = u32::MAX;

/// Start of a range that ends where the next one starts, and its indicator.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u128,
    indicator: u32,
}

/// Ranges in ascending order.
#[derive(Debug, Default)]
struct Ranges(Vec<Range>);

impl Ranges {
    /// Flattens prefixes; of equal ones the first wins.
    fn new(mut prefixes: Vec<(Prefix, u32)>) -> Self {
        // Stable, so that equal prefixes keep the order of the catalogue.
        prefixes.sort_by_key(|(p, _)| (p.network(), p.len128()));
        let mut out = Ranges::default();
        let mut open: Vec<(Prefix, u32)> = Vec::new();
        for (prefix, indicator) in prefixes {
            while let Some((outer, _)) = open.last() {
                if outer.contains(&Addr(prefix.network().to_be_bytes())) {
                    break;
                }
                out.close(&mut open);
            }
            if open.last().is_some_and(|(outer, _)| *outer == prefix) {
                continue;
            }
            out.push(prefix.network(), indicator);
            open.push((prefix, indicator));
        }
        while !open.is_empty() {
            out.close(&mut open);
        }
        out
    }

    /// Ends the innermost open prefix; the one around it goes on.
    fn close(&mut self, open: &mut Vec<(Prefix, u32)>) {
        let Some((prefix, _)) = open.pop() else { return };
        if let Some(next) = last(&prefix).checked_add(1) {
            self.push(next, open.last().map_or(NONE, |(_, i)| *i));
        }
    }

    fn push(&mut self, start: u128, indicator: u32) {
        match self.0.last_mut() {
            Some(r) if r.start == start => r.indicator = indicator,
            _ => self.0.push(Range { start, indicator }),
        }
    }

    fn find(&self, bits: u128) -> Option<IndicatorRef> {
        let after = self.0.partition_point(|r| r.start <= bits);
        let range = self.0.get(after.checked_sub(1)?)?;
        (range.indicator != NONE).then_some(IndicatorRef(range.indicator))
    }
}

/// The last address of a prefix, as a number.
fn last(prefix: &Prefix) -> u128 {
    prefix.network() | u128::MAX.checked_shr(u32::from(prefix.len128())).unwrap_or(0)
}

/// Index of all address patterns.
#[derive(Debug)]
pub(super) struct AddressIndex {
    alarms: Ranges,
    others: Ranges,
    /// One bit for each value of the first 16 bits: IPv4, then IPv6.
    seen: Box<[u64; 2048]>,
}

impl Default for AddressIndex {
    fn default() -> Self {
        AddressIndex { alarms: Ranges::default(), others: Ranges::default(), seen: Box::new([0; 2048]) }
    }
}

impl AddressIndex {
    /// From the patterns in the order of the catalogue, alarms apart.
    pub fn new(alarms: Vec<(Prefix, u32)>, others: Vec<(Prefix, u32)>) -> Self {
        let mut seen = Box::new([0u64; 2048]);
        for (prefix, _) in alarms.iter().chain(&others) {
            for bit in key(prefix.network())..=key(last(prefix)) {
                if let Some(word) = seen.get_mut(bit >> 6) {
                    *word |= 1 << (bit & 63);
                }
            }
        }
        AddressIndex { alarms: Ranges::new(alarms), others: Ranges::new(others), seen }
    }

    /// The longest prefix of a look-alike or sinkhole, else of the others.
    #[inline]
    pub fn find(&self, addr: &Addr) -> Option<IndicatorRef> {
        let bits = addr.bits();
        let bit = key(bits);
        if self.seen.get(bit >> 6)? >> (bit & 63) & 1 == 0 {
            return None;
        }
        self.alarms.find(bits).or_else(|| self.others.find(bits))
    }
}

/// The bit of an address: its first 16 bits, IPv6 behind IPv4.
#[inline]
fn key(bits: u128) -> usize {
    if bits >> 32 == 0xffff {
        usize::from((bits as u32 >> 16) as u16)
    } else {
        0x1_0000 | usize::from((bits >> 112) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(list: &[&str]) -> AddressIndex {
        let p = list.iter().zip(0..).map(|(p, i)| (p.parse().unwrap(), i)).collect();
        AddressIndex::new(Vec::new(), p)
    }

    fn find(i: &AddressIndex, a: &str) -> Option<u32> {
        i.find(&a.parse().unwrap()).map(|r| r.0)
    }

    #[test]
    fn the_longest_prefix_wins() {
        let i = index(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.0.0/16", "255.255.255.255", "2a03:2480::/32"]);
        assert_eq!(find(&i, "10.0.0.0"), Some(0));
        assert_eq!(find(&i, "10.1.2.2"), Some(1));
        assert_eq!(find(&i, "10.1.2.3"), Some(2));
        assert_eq!(find(&i, "10.1.2.4"), Some(1));
        assert_eq!(find(&i, "10.2.0.0"), Some(0));
        assert_eq!(find(&i, "10.255.255.255"), Some(0));
        assert_eq!(find(&i, "11.0.0.0"), None);
        assert_eq!(find(&i, "9.255.255.255"), None);
        assert_eq!(find(&i, "255.255.255.255"), Some(4));
        assert_eq!(find(&i, "2a03:2480:ffff::1"), Some(5));
        assert_eq!(find(&i, "2a03:2481::"), None);
        assert_eq!(find(&i, "::a00:1"), None);
    }

    #[test]
    fn the_last_address_of_all_is_no_overflow() {
        let i = index(&["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::/8"]);
        assert_eq!(find(&i, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Some(0));
        assert_eq!(find(&i, "ff02::1"), Some(1));
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan_of_all_prefixes(
            prefixes in prop::collection::vec((0u32..1 << 12, 20u8..=32, any::<bool>()), 0..40),
            addrs in prop::collection::vec(0u32..1 << 12, 40),
        ) {
            // Twelve bits of host part below 192.0.0.0, so that prefixes nest.
            let make = |v: u32| Addr::v4((0xc000_0000 | v).to_be_bytes());
            let list: Vec<(Prefix, u32, bool)> = prefixes.iter().zip(0..).filter_map(|((v, len, alarm), i)| {
                let masked = if *len == 32 { *v } else { v >> (32 - len) << (32 - len) };
                Some((Prefix::new(make(masked), len + 96)?, i, *alarm))
            }).collect();
            let part = |alarm| list.iter().filter(|p| p.2 == alarm).map(|p| (p.0, p.1)).collect::<Vec<_>>();
            let index = AddressIndex::new(part(true), part(false));
            for v in addrs {
                let addr = make(v);
                let expected = list.iter().filter(|p| p.0.contains(&addr))
                    .min_by_key(|p| (!p.2, 255 - p.0.len128(), p.1)).map(|p| p.1);
                prop_assert_eq!(index.find(&addr).map(|r| r.0), expected);
            }
        }
    }
}
