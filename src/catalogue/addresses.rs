//! Addresses to indicators: the longest prefix that holds an address.
//!
//! Prefixes nest or are apart, so they flatten into a sorted list of ranges,
//! each with its winner, and a lookup is one binary search. A bitmap over the
//! first 16 bits of the address rejects most of other people's traffic before;
//! of IPv4, the same bits say which part of the list to search.

use super::IndicatorRef;
use crate::base::{Addr, Prefix};

/// The range belongs to nobody.
const NONE: u32 = u32::MAX;

/// Numbers of addresses: of 32 bits or of 128.
trait Bits: Copy + Ord {
    fn of(bits: u128) -> Option<Self>;
}

impl Bits for u32 {
    fn of(bits: u128) -> Option<u32> {
        is_v4(bits).then_some(bits as u32)
    }
}

impl Bits for u128 {
    fn of(bits: u128) -> Option<u128> {
        Some(bits)
    }
}

fn is_v4(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

/// Ranges in ascending order. Each ends where the next one starts.
#[derive(Debug)]
struct Ranges<T> {
    starts: Vec<T>,
    /// Of each range.
    indicators: Vec<u32>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Ranges { starts: Vec::new(), indicators: Vec::new() }
    }
}

impl<T: Bits> Ranges<T> {
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
        out.starts.shrink_to_fit();
        out.indicators.shrink_to_fit();
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
        // What starts behind the last address ends nothing.
        let Some(start) = T::of(start) else { return };
        match self.indicators.last_mut().filter(|_| self.starts.last() == Some(&start)) {
            Some(last) => *last = indicator,
            None => {
                self.starts.push(start);
                self.indicators.push(indicator);
            }
        }
    }

    /// The same, where the start of the range is among those from `first` to
    /// before `end`, or the one before them.
    #[inline]
    fn find(&self, bits: T, (first, end): (usize, usize)) -> Option<IndicatorRef> {
        let after = first + self.starts.get(first..end)?.partition_point(|s| *s <= bits);
        let indicator = *self.indicators.get(after.checked_sub(1)?)?;
        (indicator != NONE).then_some(IndicatorRef(indicator))
    }
}

/// Ranges of IPv4, with the place of the first that starts at or behind each
/// value of the first 16 bits.
#[derive(Debug, Default)]
struct Ranges4 {
    ranges: Ranges<u32>,
    places: Vec<u32>,
}

impl Ranges4 {
    fn new(prefixes: Vec<(Prefix, u32)>) -> Self {
        let ranges = Ranges::<u32>::new(prefixes);
        let mut places = Vec::new();
        if !ranges.starts.is_empty() {
            places.reserve_exact((1 << 16) + 1);
            let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
            for (at, start) in ranges.starts.iter().enumerate() {
                let upto = (start >> 16) as usize + 1;
                places.resize(upto.max(places.len()), place(at));
            }
            places.resize((1 << 16) + 1, place(ranges.starts.len()));
        }
        Ranges4 { ranges, places }
    }

    #[inline]
    fn find(&self, bits: u32) -> Option<IndicatorRef> {
        let key = (bits >> 16) as usize;
        let (first, end) = (*self.places.get(key)?, *self.places.get(key + 1)?);
        self.ranges.find(bits, (first as usize, end as usize))
    }
}

/// The last address of a prefix, as a number.
fn last(prefix: &Prefix) -> u128 {
    prefix.network() | u128::MAX.checked_shr(u32::from(prefix.len128())).unwrap_or(0)
}

/// Index of all address patterns: of alarms, then of all others.
#[derive(Debug)]
pub(super) struct AddressIndex {
    v4: [Ranges4; 2],
    v6: [Ranges<u128>; 2],
    /// One bit for each value of the first 16 bits: IPv4, then IPv6.
    seen: Box<[u64; 2048]>,
}

impl Default for AddressIndex {
    fn default() -> Self {
        AddressIndex { v4: Default::default(), v6: Default::default(), seen: Box::new([0; 2048]) }
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
        let split = |list: Vec<(Prefix, u32)>| {
            let (four, six): (Vec<_>, Vec<_>) =
                list.into_iter().partition(|(p, _)| p.len128() >= 96 && is_v4(p.network()));
            (Ranges4::new(four), Ranges::new(six))
        };
        let (alarms, others) = (split(alarms), split(others));
        AddressIndex { v4: [alarms.0, others.0], v6: [alarms.1, others.1], seen }
    }

    /// The longest prefix of a look-alike or sinkhole, else of the others.
    #[inline]
    pub fn find(&self, addr: &Addr) -> Option<IndicatorRef> {
        let bits = addr.bits();
        let bit = key(bits);
        if self.seen.get(bit >> 6)? >> (bit & 63) & 1 == 0 {
            return None;
        }
        if is_v4(bits) {
            return self.v4.iter().find_map(|r| r.find(bits as u32));
        }
        self.v6.iter().find_map(|r| r.find(bits, (0, r.starts.len())))
    }
}

/// The bit of an address: its first 16 bits, IPv6 behind IPv4.
#[inline]
fn key(bits: u128) -> usize {
    if is_v4(bits) { usize::from((bits as u32 >> 16) as u16) } else { 0x1_0000 | usize::from((bits >> 112) as u16) }
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

        #[test]
        fn prefixes_of_all_lengths_agree_with_a_scan(
            list in prop::collection::vec((any::<bool>(), prop::sample::select(vec![0u32, 1, 2, 0x7fff, 0xffff, 0x10000,
                0x8000_0000, 0xffff_ffff, 0xffff_0000]), 1u8..=32, any::<bool>()), 0..30),
            probes in prop::collection::vec((any::<bool>(), prop::sample::select(vec![0u32, 1, 3, 0x7fff, 0xffff, 0x1_0000,
                0x1_0001, 0x8000_0000, 0x8000_ffff, 0xffff_ffff, 0xffff_0001, 0xfffe_ffff])), 30),
        ) {
            // IPv4, or the same bits at the start of an IPv6 address.
            let make = |six: bool, v: u32| {
                if six { Addr((u128::from(v) << 96 | u128::from(v)).to_be_bytes()) } else { Addr::v4(v.to_be_bytes()) }
            };
            let list: Vec<(Prefix, u32, bool)> = list.iter().zip(0..).filter_map(|((six, v, len, alarm), i)| {
                let masked = v >> (32 - len) << (32 - len);
                let addr = if *six { Addr((u128::from(masked) << 96).to_be_bytes()) } else { make(false, masked) };
                let prefix = Prefix::new(addr, if *six { *len } else { len + 96 })?;
                // No prefix of a catalogue holds all of IPv4.
                (!prefix.contains(&Addr::v4([0; 4])) || !*six).then_some((prefix, i, *alarm))
            }).collect();
            let part = |alarm| list.iter().filter(|p| p.2 == alarm).map(|p| (p.0, p.1)).collect::<Vec<_>>();
            let index = AddressIndex::new(part(true), part(false));
            for (six, v) in probes {
                let addr = make(six, v);
                let expected = list.iter().filter(|p| p.0.contains(&addr))
                    .min_by_key(|p| (!p.2, 255 - p.0.len128(), p.1)).map(|p| p.1);
                prop_assert_eq!(index.find(&addr).map(|r| r.0), expected, "{}", addr);
            }
        }
    }
}
