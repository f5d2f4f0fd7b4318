//! What hosts are called: names of home addresses, from when to when.
//!
//! A name is the host's own word on itself, or a name server's on its address:
//! it stands beside a record for its reader, and is never part of a key. Of
//! several the one out of DHCP counts before one that was announced, that
//! before one of a reverse lookup ([`NameSource::rank`]), and of equal ones the
//! one heard last.

use super::contact::ALLOCATION;
use super::draft::DraftKey;
use crate::base::time::DAY_SECS;
use crate::base::{Addr, Mac, NameSource, Timestamp};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Addresses whose names one shard remembers.
const CAP: usize = 256;
/// Addresses of these that only reverse lookups named: whoever looks up a whole
/// network fills no more.
const REVERSED: usize = 128;
/// Names remembered of one address; the weakest goes, of equal ones the one not
/// heard for the longest.
const NAMES: usize = 2;
/// DHCP client ids that one shard remembers.
const IDS: usize = 64;
/// Names that a run keeps of one address, whichever shards heard them.
const KEPT: usize = 8;
/// Bytes of the longest name that is kept.
const MAX_NAME: usize = 64;

/// A name of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    /// Number of the source in this run.
    pub source: u32,
    /// Segment number.
    pub segment: u32,
    /// Address.
    pub ip: Addr,
    /// Hardware address of the sender, where the link shows one.
    pub mac: Option<Mac>,
    /// Protocol.
    pub told: NameSource,
    /// The name: canonical, without a domain that says only "here".
    pub name: Box<str>,
    /// First time.
    pub from: Timestamp,
    /// Last time.
    pub to: Timestamp,
}

impl Naming {
    /// Source, segment and address.
    fn place(&self) -> Place {
        (self.source, self.segment, self.ip)
    }

    fn is_same(&self, other: &Naming) -> bool {
        self.place() == other.place() && self.is_same_name(other)
    }

    fn is_same_name(&self, other: &Naming) -> bool {
        (self.mac, self.told, &self.name) == (other.mac, other.told, &other.name)
    }

    fn widen(&mut self, other: &Naming) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }
}

type Place = (u32, u32, Addr);

/// The names of one shard, and whether they were not handed on yet.
#[derive(Debug, Default)]
pub(super) struct Announced {
    names: hashbrown::HashMap<Place, Vec<(Naming, bool)>, RandomState>,
    /// Addresses that only reverse lookups named.
    reversed: usize,
    ids: Vec<(Naming, bool)>,
}

impl Announced {
    /// Most bytes of all names.
    pub(super) const MOST_BYTES: usize = (CAP * 8 / 7) * (size_of::<(Place, Vec<(Naming, bool)>)>() + 1)
        + CAP * (NAMES * (size_of::<(Naming, bool)>() + MAX_NAME + ALLOCATION) + ALLOCATION)
        + IDS * (size_of::<(Naming, bool)>() + MAX_NAME + ALLOCATION);

    /// Notes an announcement. True if something had no room.
    pub(super) fn note(&mut self, naming: Naming) -> bool {
        if naming.name.len() > MAX_NAME {
            return true;
        }
        if naming.told == NameSource::DhcpClientId {
            return self.note_id(naming);
        }
        let place = naming.place();
        let told = naming.told.rank();
        let room = self.names.len() < CAP && (told > 0 || self.reversed < REVERSED);
        let Some(names) = self.names.get_mut(&place) else {
            if room {
                self.reversed += usize::from(told == 0);
                self.names.insert(place, vec![(naming, true)]);
            }
            return !room;
        };
        if let Some((known, unsaid)) = names.iter_mut().find(|(n, _)| n.is_same_name(&naming)) {
            known.widen(&naming);
            *unsaid = true;
            return false;
        }
        let was_reversed = is_reversed(names);
        names.push((naming, true));
        let full = names.len() > NAMES;
        if full {
            names.sort_by_key(|(n, _)| std::cmp::Reverse((n.told.rank(), n.to)));
            names.pop();
        }
        self.reversed -= usize::from(was_reversed && !is_reversed(names));
        full
    }

    fn note_id(&mut self, naming: Naming) -> bool {
        if let Some((known, unsaid)) = self.ids.iter_mut().find(|(n, _)| n.is_same(&naming)) {
            known.widen(&naming);
            *unsaid = true;
            return false;
        }
        let full = self.ids.len() >= IDS;
        if !full {
            self.ids.push((naming, true));
        }
        full
    }

    /// The lease of an address was given back, by whoever has `mac` if that is
    /// known: what DHCP told of it holds no longer.
    pub(super) fn give_back(&mut self, place: Place, mac: Option<Mac>, ts: Timestamp) {
        let names = self.names.get_mut(&place).into_iter().flatten();
        let ids = self.ids.iter_mut().filter(|(n, _)| n.place() == place);
        let whose = |n: &Naming| n.told.is_dhcp() && (mac.is_none() || n.mac == mac);
        for (naming, unsaid) in names.chain(ids).filter(|(n, _)| whose(n) && n.from <= ts && n.to > ts) {
            (naming.to, *unsaid) = (ts, true);
        }
    }

    /// Those noted since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Naming> {
        let names = self.names.values_mut().flatten().chain(&mut self.ids);
        names.filter_map(|(n, unsaid)| std::mem::take(unsaid).then(|| n.clone())).collect()
    }

    /// Forgets those last heard before a day.
    pub(super) fn forget(&mut self, day: i64) {
        self.names.retain(|_, names| {
            names.retain(|(n, _)| n.to.day() >= day);
            !names.is_empty()
        });
        self.ids.retain(|(n, _)| n.to.day() >= day);
        self.reversed = self.names.values().filter(|names| is_reversed(names)).count();
    }

    pub(super) fn into_list(self) -> Vec<Naming> {
        self.names.into_values().flatten().chain(self.ids).map(|(n, _)| n).collect()
    }
}

/// Whether nothing but reverse lookups told these names.
fn is_reversed(names: &[(Naming, bool)]) -> bool {
    names.iter().all(|(n, _)| n.told.rank() == 0)
}

/// Joins the names of several shards, in order of source, segment and address.
pub fn join(mut all: Vec<Naming>) -> Vec<Naming> {
    all.sort_unstable();
    all.dedup_by(|b, a| {
        let same = a.is_same(b);
        if same {
            a.widen(b);
        }
        same
    });
    all
}

/// The names of a run, for its records.
#[derive(Clone, Debug, Default)]
pub struct HostNames(HashMap<Place, Vec<Naming>>);

impl HostNames {
    /// From names that were joined.
    pub fn new(namings: impl IntoIterator<Item = Naming>) -> Self {
        let mut names = HostNames::default();
        for naming in namings {
            names.add(naming);
        }
        names
    }

    /// Adds what is known of a name to what was known before, and hands back
    /// both together. Of one address the names heard last are kept. A client id
    /// is no name and is handed back as it is.
    pub fn add(&mut self, naming: Naming) -> Naming {
        if naming.told == NameSource::DhcpClientId {
            return naming;
        }
        let names = self.0.entry(naming.place()).or_default();
        if let Some(known) = names.iter_mut().find(|n| n.is_same_name(&naming)) {
            known.widen(&naming);
            if naming.told.is_dhcp() {
                known.to = naming.to; // the lease may have been given back
            }
            return known.clone();
        }
        names.push(naming.clone());
        if names.len() > KEPT {
            names.sort_by(|a, b| (b.told.rank(), b.to, b).cmp(&(a.told.rank(), a.to, a)));
            names.truncate(KEPT);
        }
        naming
    }

    /// Forgets those last heard before a day.
    pub fn forget(&mut self, day: i64) {
        self.0.retain(|_, names| {
            names.retain(|n| n.to.day() >= day);
            !names.is_empty()
        });
    }

    /// The name of a record's host, and where it came from: of those that its
    /// address was announced by on that day or the day before, by the same
    /// hardware address where both are known, the one of the greatest rank, and
    /// of these the one heard last.
    pub fn of(&self, key: &DraftKey) -> Option<(&str, NameSource)> {
        let names = self.0.get(&(key.source, key.host.segment, key.host.ip))?;
        let end = Timestamp::from_parts(key.day.saturating_add(1).saturating_mul(DAY_SECS), 0);
        let fits = |n: &&Naming| {
            let near = n.from.day() <= key.day && n.to.day() >= key.day.saturating_sub(1);
            near && (n.mac.is_none() || key.host.mac.is_none() || n.mac == key.host.mac)
        };
        let last = |n: &&Naming| (n.told.rank(), n.to.min(end), n.from, n.told, n.name.clone());
        names.iter().filter(fits).max_by_key(last).map(|n| (&*n.name, n.told))
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::HostKey;
    use super::*;
    use crate::catalogue::IndicatorRef;

    const DAY: i64 = DAY_SECS;

    fn naming(ip: u8, name: &str, secs: i64) -> Naming {
        let at = Timestamp::from_parts(secs, 0);
        let (mac, told) = (Some(Mac([2, 0, 0, 0, 0, ip])), NameSource::Mdns);
        Naming { source: 0, segment: 0, ip: Addr::v4([10, 0, 0, ip]), mac, told, name: name.into(), from: at, to: at }
    }

    fn key(ip: u8, day: i64) -> DraftKey {
        let host = HostKey { segment: 0, ip: Addr::v4([10, 0, 0, ip]), mac: Some(Mac([2, 0, 0, 0, 0, ip])) };
        DraftKey { source: 0, host, indicator: IndicatorRef(0), day }
    }

    #[test]
    fn the_name_heard_last_on_the_day_or_the_day_before() {
        let names =
            HostNames::new([naming(5, "old", 10), naming(5, "new", 2 * DAY + 50), naming(5, "newest", 2 * DAY + 60)]);
        let of = |day| names.of(&key(5, day)).map(|(name, _)| name);
        assert_eq!(
            [of(-1), of(0), of(1), of(2), of(3), of(4)],
            [None, Some("old"), Some("old"), Some("newest"), Some("newest"), None]
        );
        assert_eq!(names.of(&key(6, 0)), None);
    }

    #[test]
    fn another_station_with_the_address_is_another_host() {
        let names = HostNames::new([Naming { mac: Some(Mac([2, 0, 0, 0, 0, 9])), ..naming(5, "guest", 10) }]);
        assert_eq!(names.of(&key(5, 0)), None);
        let mut unknown = key(5, 0);
        unknown.host.mac = None;
        assert_eq!(names.of(&unknown), Some(("guest", NameSource::Mdns)));
        for other in
            [DraftKey { source: 1, ..unknown }, DraftKey { host: HostKey { segment: 1, ..unknown.host }, ..unknown }]
        {
            assert_eq!(names.of(&other), None);
        }
    }

    #[test]
    fn shards_join_in_any_order() {
        let a = [naming(5, "x", 10), naming(5, "y", 30), naming(6, "z", 5)];
        let b = [naming(5, "x", 40), naming(5, "x", 3)];
        let both: Vec<Naming> = a.iter().chain(&b).cloned().collect();
        let back: Vec<Naming> = both.iter().rev().cloned().collect();
        let joined = join(both);
        assert_eq!(joined, join(back));
        let x = Naming { to: Timestamp::from_parts(40, 0), ..naming(5, "x", 3) };
        assert_eq!(joined, [x, naming(5, "y", 30), naming(6, "z", 5)]);
        assert_eq!(HostNames::new(joined).of(&key(5, 0)), Some(("x", NameSource::Mdns)));
    }

    #[test]
    fn of_a_flood_little_is_kept_and_the_rest_is_told() {
        let mut shard = Announced::default();
        let lost = (0..1000).filter(|i| shard.note(naming(5, &format!("n{i}"), *i))).count();
        assert_eq!(lost, 1000 - NAMES);
        let mut kept: Vec<Box<str>> = shard.take_changed().into_iter().map(|n| n.name).collect();
        kept.sort();
        assert_eq!(kept, ["n998".into(), "n999".into()]);
        let place = |i: usize| Naming { segment: i as u32, ..naming(5, "pc", 1) };
        let lost = (1..2 * CAP).filter(|i| shard.note(place(*i))).count();
        assert_eq!((lost, shard.names.len()), (CAP, CAP));
        assert!(shard.note(naming(5, &"x".repeat(MAX_NAME + 1), 1)));
    }

    #[test]
    fn dhcp_counts_before_announcements_and_these_before_reverse_lookups() {
        let told = |told, name: &str, secs| Naming { told, ..naming(5, name, secs) };
        use NameSource::{Dhcp, DhcpClientId, Dhcpv6, Llmnr, Ptr};
        let mut all = vec![told(Ptr, "ptr", 90), told(DhcpClientId, "00ff", 95)];
        let called = |all: &[Naming]| {
            let mut shard = Announced::default();
            for naming in all {
                shard.note(naming.clone());
            }
            HostNames::new(join(shard.into_list())).of(&key(5, 0)).map(|(n, _)| n.to_owned())
        };
        assert_eq!(called(&all).as_deref(), Some("ptr"));
        all.extend([told(Llmnr, "announced", 20), told(Ptr, "ptr-2", 99), told(Ptr, "ptr-3", 99)]);
        assert_eq!(called(&all).as_deref(), Some("announced"));
        all.extend([told(Dhcp, "leased", 5), told(Llmnr, "announced-2", 50)]);
        assert_eq!(called(&all).as_deref(), Some("leased"));
        all.extend([told(Dhcpv6, "leased-6", 6), told(Ptr, "ptr-4", 99)]);
        assert_eq!(called(&all).as_deref(), Some("leased-6"), "heard last");
    }

    /// Whoever looks up a whole network leaves room for hosts' own words.
    #[test]
    fn reverse_lookups_leave_room() {
        let mut shard = Announced::default();
        let place = |i: usize, told| Naming { segment: i as u32, told, ..naming(5, "pc", 1) };
        let lost = (0..1000).filter(|i| shard.note(place(*i, NameSource::Ptr))).count();
        assert_eq!((lost, shard.reversed), (1000 - REVERSED, REVERSED));
        assert!(!(0..CAP).any(|i| shard.note(place(i, NameSource::Mdns))), "also where only a lookup named them");
        assert_eq!((shard.names.len(), shard.reversed), (CAP, 0));
        shard.note(place(0, NameSource::Ptr));
        shard.forget(1);
        assert_eq!((shard.names.len(), shard.reversed), (0, 0));
    }

    #[test]
    fn names_are_handed_on_when_they_are_heard_and_forgotten_after_their_day() {
        let mut shard = Announced::default();
        shard.note(naming(5, "pc", DAY));
        assert_eq!(shard.take_changed().len(), 1);
        assert_eq!(shard.take_changed(), []);
        shard.note(naming(5, "pc", 2 * DAY));
        shard.forget(2);
        assert_eq!(shard.take_changed()[0].from.day(), 1);
        shard.forget(3);
        assert_eq!(shard.into_list(), []);
    }
}
