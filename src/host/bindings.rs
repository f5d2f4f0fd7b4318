//! Which hardware address stands for a host: the pairs of address and hardware
//! address that were seen, and what they tell of each other.
//!
//! Beyond a router every host has the router's hardware address, so one that
//! comes with many addresses identifies nobody.

use super::facts::{Facts, SignalKind};
use crate::base::time::SECOND;
use crate::base::{Addr, Mac};
use foldhash::{HashSet, HashSetExt};

/// IPv4 addresses that one hardware address may have within [`NEAR`] before it
/// is taken for a router's.
const MOST_V4: usize = 8;
/// The same of IPv6, where a host has several by design (RFC 8981).
const MOST_V6: usize = 32;
/// Ten minutes.
const NEAR: i64 = 600 * SECOND;
/// Two addresses of one hardware address that nobody vouched for are seen so
/// long apart at least where a host got another lease. Within less they may as
/// well be two hosts beyond a router, of whom each spoke once.
const LEASE: i64 = 12 * 3600 * SECOND;

/// An address and a hardware address that were seen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binding {
    pub(super) segment: u32,
    pub(super) mac: Mac,
    pub(super) ip: Addr,
    /// Nanoseconds since the epoch.
    pub(super) from: i64,
    pub(super) to: i64,
    /// The owner or the DHCP server said so, rather than a frame that may have
    /// been forwarded.
    pub(super) tied: bool,
    /// A lease, which ends when another host gets one.
    pub(super) lease: bool,
}

/// One address of one hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) segment: u32,
    pub(super) mac: Mac,
    pub(super) ip: Addr,
    /// Whether the address belongs to the host with this hardware address,
    /// rather than to one beyond it.
    pub(super) own: bool,
    /// The hardware address is a router's.
    pub(super) router: bool,
    /// Its bindings, as a range of [`Bindings::all`].
    pub(super) first: usize,
    pub(super) end: usize,
}

/// All pairs.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// Sorted.
    pub(super) all: Vec<Binding>,
    /// Sorted by segment, hardware address, address.
    pub(super) pairs: Vec<Pair>,
}

impl Bindings {
    /// Of intervals and, where no interval tells of a host, its contacts.
    /// `segment_of` are the segment numbers of the intervals, of
    /// [`Facts::seen`] and of the signals.
    pub(super) fn new(facts: &Facts, intervals: &[u32], seen: &[u32], signals: &[u32]) -> Self {
        let mut all: Vec<Binding> = Vec::with_capacity(facts.intervals.len());
        for (i, segment) in facts.intervals.iter().zip(intervals) {
            let Some(mac) = i.mac.filter(|_| is_host(&i.ip)) else { continue };
            let lease = matches!(i.kind.as_str(), "dhcp" | "dhcpv6");
            let tied = lease || matches!(i.kind.as_str(), "arp" | "nd");
            let (from, to) = (i.from.0, i.to.0.max(i.from.0));
            all.push(Binding { segment: *segment, mac, ip: i.ip, from, to, tied, lease });
        }
        all.sort_unstable();
        add_contacts(facts, seen, &mut all);
        let routers = routers(facts, signals);
        let pairs = pairs(&all, &routers);
        Bindings { all, pairs }
    }

    /// The place of a pair in [`Bindings::pairs`].
    pub(super) fn find(&self, segment: u32, mac: Mac, ip: &Addr) -> Option<usize> {
        self.pairs.binary_search_by(|p| (p.segment, p.mac, p.ip).cmp(&(segment, mac, *ip))).ok()
    }

    /// Whether two pairs can be one device that changed its hardware address:
    /// the one was gone when the other came.
    pub(super) fn may_follow(&self, a: usize, b: usize) -> bool {
        let times = |at: usize| {
            let pair = self.pairs.get(at)?;
            let all = self.of(pair);
            Some((pair.mac, all.first()?.from, all.iter().map(|b| b.to).max()?))
        };
        match (times(a), times(b)) {
            (Some((m, from, to)), Some((n, begin, end))) => m == n || to < begin || end < from,
            _ => false,
        }
    }

    /// The bindings of a pair.
    pub(super) fn of(&self, pair: &Pair) -> &[Binding] {
        self.all.get(pair.first..pair.end).unwrap_or_default()
    }
}

/// Whether an address can be one host's: neither zero nor a group's.
pub(super) fn is_host(ip: &Addr) -> bool {
    match ip.as_v4() {
        Some([0 | 224..=255, ..]) => false,
        Some(_) => true,
        None => ip.0[0] != 0xff && ip.bits() != 0,
    }
}

/// Whether an address holds on its own link only, so that its frames were not
/// forwarded (RFC 3927 section 2.7, RFC 4291 section 2.5.6).
fn is_link_local(ip: &Addr) -> bool {
    match ip.as_v4() {
        Some([a, b, ..]) => (a, b) == (169, 254),
        None => ip.0[0] == 0xfe && ip.0[1] & 0xc0 == 0x80,
    }
}

/// Hosts that only records tell of, as from an import, stand for themselves.
fn add_contacts(facts: &Facts, segments: &[u32], all: &mut Vec<Binding>) {
    let known = |segment: u32, mac: Mac, ip: Addr| {
        let at = all.partition_point(|b| (b.segment, b.mac, b.ip) < (segment, mac, ip));
        all.get(at).is_some_and(|b| (b.segment, b.mac, b.ip) == (segment, mac, ip))
    };
    let new = |(host, segment): (&super::facts::SeenHost, &u32)| {
        let mac = host.mac.filter(|m| is_host(&host.ip) && !known(*segment, *m, host.ip))?;
        Some((*segment, mac, host.ip))
    };
    let missing: Vec<_> = facts.seen.iter().zip(segments).map(new).collect();
    if missing.iter().all(Option::is_none) {
        return;
    }
    for c in &facts.contacts {
        let Some(Some((segment, mac, ip))) = missing.get(c.seen as usize) else { continue };
        let (from, to) = (c.first.0, c.last.0.max(c.first.0));
        all.push(Binding { segment: *segment, mac: *mac, ip: *ip, from, to, tied: false, lease: false });
    }
    all.sort_unstable();
}

/// Hardware addresses whose signals show that they forward.
fn routers(facts: &Facts, segments: &[u32]) -> HashSet<(u32, Mac)> {
    let mut routers = HashSet::new();
    let mut distant: Vec<(u32, Mac, Addr)> = Vec::new();
    for (s, segment) in facts.signals.iter().zip(segments) {
        let Some(mac) = s.mac else { continue };
        let hops = || s.detail.rsplit_once('-').and_then(|(_, hops)| hops.parse::<u8>().ok());
        match s.kind {
            SignalKind::Forwards => {
                routers.insert((*segment, mac));
            }
            SignalKind::Ttl if hops().is_some_and(|h| h > 0) => distant.push((*segment, mac, s.ip)),
            _ => {}
        }
    }
    distant.sort_unstable();
    distant.dedup();
    for two in distant.windows(2) {
        if let [a, b] = two
            && (a.0, a.1) == (b.0, b.1)
        {
            routers.insert((a.0, a.1));
        }
    }
    routers
}

/// Times of one address, none overlapping another.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
    /// Place of its pair in the group.
    pair: usize,
}

fn pairs(all: &[Binding], routers: &HashSet<(u32, Mac)>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut at = 0;
    for group in all.chunk_by(|a, b| (a.segment, a.mac) == (b.segment, b.mac)) {
        let begin = pairs.len();
        for same in group.chunk_by(|a, b| a.ip == b.ip) {
            if let Some(b) = same.first() {
                let own = is_link_local(&b.ip) || same.iter().any(|b| b.tied);
                let end = at + same.len();
                pairs.push(Pair { segment: b.segment, mac: b.mac, ip: b.ip, own, router: false, first: at, end });
                at = end;
            }
        }
        let Some(first) = group.first() else { continue };
        let forwards = routers.contains(&(first.segment, first.mac));
        classify(pairs.get_mut(begin..).unwrap_or_default(), all, forwards);
    }
    pairs
}

/// Decides which addresses of one hardware address are its own. Comes with
/// those that somebody vouched for marked so.
fn classify(group: &mut [Pair], all: &[Binding], forwards: bool) {
    if group.len() == 1 && !forwards {
        group.iter_mut().for_each(|p| p.own = true);
        return;
    }
    let spans = |v4: bool, slack: i64, tied_only: bool| {
        let wanted = |p: &Pair| p.ip.as_v4().is_some() == v4 && (!tied_only || p.own) && !is_link_local(&p.ip);
        spans(group.iter().enumerate().filter(|(_, p)| wanted(p)), all, slack)
    };
    let many =
        |tied| most_at_once(&spans(true, NEAR, tied)) > MOST_V4 || most_at_once(&spans(false, NEAR, tied)) > MOST_V6;
    let router = forwards || many(false);
    // Who answers for so many addresses answers for others.
    let nobody = router && many(true);
    let overlapping = overlapping(&spans(true, LEASE, false), group.len());
    let several = group.iter().zip(&overlapping).any(|(p, o)| *o && !p.own);
    for (p, overlaps) in group.iter_mut().zip(overlapping) {
        let vouched = (p.own && !nobody) || is_link_local(&p.ip);
        let alone = if p.ip.as_v4().is_some() { !overlaps } else { !several };
        p.own = vouched || (!router && alone);
        p.router = router;
    }
}

/// The times of each address, those of one that touch made one, sorted.
fn spans<'a>(pairs: impl Iterator<Item = (usize, &'a Pair)>, all: &[Binding], slack: i64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (pair, p) in pairs {
        for b in all.get(p.first..p.end).unwrap_or_default() {
            let to = b.to.saturating_add(slack);
            match spans.last_mut() {
                Some(s) if s.pair == pair && b.from <= s.to => s.to = s.to.max(to),
                _ => spans.push(Span { from: b.from, to, pair }),
            }
        }
    }
    spans.sort_unstable_by_key(|s| (s.from, s.to, s.pair));
    spans
}

/// The most spans that hold one moment.
fn most_at_once(spans: &[Span]) -> usize {
    let mut ends: Vec<i64> = spans.iter().map(|s| s.to).collect();
    ends.sort_unstable();
    let mut gone = 0;
    let mut most = 0;
    for (begun, s) in spans.iter().enumerate() {
        while ends.get(gone).is_some_and(|end| *end < s.from) {
            gone += 1;
        }
        most = most.max(begun + 1 - gone);
    }
    most
}

/// For each pair of the group, whether one of its spans overlaps another
/// pair's.
fn overlapping(spans: &[Span], pairs: usize) -> Vec<bool> {
    let mut marked = vec![false; pairs];
    let mut longest: Option<Span> = None;
    for s in spans {
        // Of earlier ones that reach this far, all but the longest overlap
        // that one, and were marked with it.
        if let Some(l) = longest.filter(|l| l.to >= s.from) {
            for at in [l.pair, s.pair] {
                if let Some(m) = marked.get_mut(at) {
                    *m = true;
                }
            }
        }
        longest = longest.filter(|l| l.to >= s.to).or(Some(*s));
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spans_are_counted_as_moment_by_moment(
            held in proptest::collection::vec((0usize..6, 0i64..60, 0i64..9), 1..20),
        ) {
            let all: Vec<Binding> = {
                let one = |(ip, from, length): &(usize, i64, i64)| Binding {
                    segment: 0,
                    mac: Mac([0; 6]),
                    ip: Addr::v4([10, 0, 0, *ip as u8]),
                    from: *from,
                    to: from + length,
                    tied: false,
                    lease: false,
                };
                let mut all: Vec<Binding> = held.iter().map(one).collect();
                all.sort_unstable();
                all
            };
            let pairs = pairs(&all, &HashSet::new());
            let spans = spans(pairs.iter().enumerate(), &all, 0);
            let at = |t: i64| {
                let here = |p: &Pair| all[p.first..p.end].iter().any(|b| b.from <= t && b.to >= t);
                pairs.iter().map(here).collect::<Vec<bool>>()
            };
            let moments: Vec<Vec<bool>> = (0..70).map(at).collect();
            let most = moments.iter().map(|m| m.iter().filter(|h| **h).count()).max();
            prop_assert_eq!(Some(most_at_once(&spans)), most);
            let marked = overlapping(&spans, pairs.len());
            for (at, marked) in marked.iter().enumerate() {
                let shared = moments.iter().any(|m| m[at] && m.iter().filter(|h| **h).count() > 1);
                prop_assert_eq!(*marked, shared, "{} of {:?}", at, pairs);
            }
        }
    }

    #[test]
    fn link_local_and_group_addresses() {
        for (ip, host, local) in [
            ("10.0.0.1", true, false),
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("224.0.0.1", false, false),
            ("169.254.9.9", true, true),
            ("fe80::1", true, true),
            ("fec0::1", true, false),
            ("ff02::1", false, false),
            ("::", false, false),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!((is_host(&ip), is_link_local(&ip)), (host, local), "{ip}");
        }
    }
}
