//! The signals of one shard, in little room: hosts of a day, and in one list
//! for all of them what was seen of each.

use super::draft::HostKey;
use super::moved::Move;
use super::signal::{Signal, SignalKind};
use crate::base::time::{DAY_SECS, SECOND};
use crate::base::{Addr, Mac, Timestamp};
use foldhash::fast::RandomState;

/// Hosts that one shard remembers, each day's by itself.
const HOSTS: usize = 448;
/// Signs that one shard remembers of all of them.
const SIGNS: usize = 1024;
/// Orders of TCP options that one shard tells apart.
const ORDERS: usize = 32;
/// Bytes of the longest detail.
const MAX_DETAIL: usize = 64;
/// Nanoseconds of a millisecond.
const MILLI: i64 = SECOND / 1000;
/// Milliseconds in which no machine is started again with another system: two
/// values that follow each other within them come from two systems at work.
const AT_ONCE: u32 = 10_000;
/// What that counts at least, for each of them: as much as coming back so often.
const AT_ONCE_COUNTS: u32 = 3;
/// No sign.
const NONE: u16 = u16::MAX;

/// Whom and when a sign tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) source: u32,
    pub(super) segment: u32,
    /// Days since the epoch.
    pub(super) day: i32,
    pub(super) ip: Addr,
    pub(super) mac: Option<Mac>,
}

/// What is known of a host: the first of its signs, and the time to live and
/// order of options that it showed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Host {
    first: u16,
    ttl: u16,
    order: u16,
}

/// One sign.
#[derive(Clone, Copy, Debug)]
struct Sign {
    /// The detail, as [`text`] says.
    value: u32,
    count: u32,
    /// How much of the count was handed on.
    told: u32,
    /// First and last time, in milliseconds of the day.
    from: u32,
    to: u32,
    /// The host's next sign.
    next: u16,
    kind: SignalKind,
    unsaid: bool,
}

/// What a kind allows.
struct Rule {
    /// Different details of one host on one day.
    most: usize,
    /// What is seen of clients leaves room for what makes roles.
    of_client: bool,
}

fn rule(kind: SignalKind) -> Rule {
    use SignalKind as K;
    let (most, of_client) = match kind {
        K::SocksProxy | K::DnsRecurses => (1, false),
        K::HttpProxy | K::Forwards => (2, false),
        // Two clients, and answers that tell of none.
        K::DnsServer | K::DnsIterates => (3, false),
        K::Serves => (16, false),
        K::Ttl | K::SynOptions => (4, true),
        K::TlsStack => (16, true),
        K::TcpClocks => (0, true),
    };
    Rule { most, of_client }
}

/// Whether more of such details than are kept say nothing new.
fn is_enough(kind: SignalKind) -> bool {
    matches!(kind, SignalKind::DnsServer | SignalKind::DnsIterates | SignalKind::Forwards)
}

/// FNV-1a of an address: a mark that is never 0.
pub(super) fn mark(addr: &Addr) -> u32 {
    addr.0.iter().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)).max(1)
}

/// The signs of one shard.
#[derive(Debug, Default)]
pub(super) struct Signs {
    hosts: hashbrown::HashMap<Place, Host, RandomState>,
    signs: Vec<Sign>,
    /// Places in `signs` that are free.
    free: Vec<u16>,
    orders: Vec<Box<str>>,
}

impl Signs {
    /// Most bytes of all signs.
    pub(super) const MOST_BYTES: usize = (HOSTS * 8 / 7) * (size_of::<(Place, Host)>() + 1)
        + SIGNS * (size_of::<Sign>() + size_of::<u16>())
        + ORDERS * (size_of::<Box<str>>() + MAX_DETAIL + super::contact::ALLOCATION);

    /// Notes a sign. True if there was no room for it.
    pub(super) fn note(&mut self, place: Place, kind: SignalKind, value: u32, ts: Timestamp) -> bool {
        let time = milli_of_day(ts);
        let sign = Sign { value, count: 1, told: 0, from: time, to: time, next: NONE, kind, unsaid: true };
        self.put(place, sign)
    }

    /// The same if the host is known on that day, so that no flood of strangers
    /// fills the table.
    pub(super) fn note_if_known(&mut self, place: Place, kind: SignalKind, value: u32, ts: Timestamp) -> bool {
        self.hosts.contains_key(&place) && self.note(place, kind, value, ts)
    }

    /// The same if the host showed this other sign on that day.
    pub(super) fn note_after(&mut self, place: Place, shown: SignalKind, kind: SignalKind, ts: Timestamp) -> bool {
        let mut at = self.hosts.get(&place).map_or(NONE, |h| h.first);
        while let Some(sign) = self.signs.get(usize::from(at)) {
            if sign.kind == shown {
                return self.note(place, kind, 0, ts);
            }
            at = sign.next;
        }
        false
    }

    /// Notes an order of TCP options.
    pub(super) fn note_order(&mut self, place: Place, kinds: &[u8], ts: Timestamp) -> bool {
        let text = kinds.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        let known = self.orders.iter().position(|o| **o == *text);
        let at = match known {
            Some(at) => at,
            None if self.orders.len() >= ORDERS || text.len() > MAX_DETAIL => return true,
            None => {
                self.orders.push(text.into());
                self.orders.len() - 1
            }
        };
        self.note(place, SignalKind::SynOptions, u32::try_from(at).unwrap_or(u32::MAX), ts)
    }

    fn sign(&mut self, at: u16) -> Option<&mut Sign> {
        self.signs.get_mut(usize::from(at))
    }

    /// Folds a sign in. True if there was no room for it.
    fn put(&mut self, place: Place, new: Sign) -> bool {
        let Rule { most, of_client } = rule(new.kind);
        let cap = |n: usize| if of_client { n / 4 * 3 } else { n };
        let Some(mut host) = self.hosts.get(&place).copied() else {
            if self.hosts.len() >= cap(HOSTS) {
                return true;
            }
            let Some(first) = self.file(new, cap(SIGNS)) else { return true };
            let mut host = Host { first, ttl: NONE, order: NONE };
            host.turn(new.kind, first);
            self.hosts.insert(place, host);
            return false;
        };
        let before = host;
        let (mut at, mut last, mut of_kind, mut found) = (host.first, NONE, 0, NONE);
        while let Some(sign) = self.signs.get(usize::from(at)) {
            if sign.kind == new.kind {
                of_kind += 1;
                if sign.value == new.value || is_enough(new.kind) && of_kind == most {
                    found = at;
                    break;
                }
            }
            last = at;
            at = sign.next;
        }
        if found == NONE && of_kind >= most {
            return true;
        }
        if found == NONE {
            let Some(at) = self.file(new, cap(SIGNS)) else { return true };
            match self.sign(last) {
                Some(before) => before.next = at,
                None => host.first = at,
            }
            host.turn(new.kind, at);
        } else {
            let counts = host.turn(new.kind, found);
            if let Some(sign) = self.sign(found) {
                sign.from = sign.from.min(new.from);
                sign.to = sign.to.max(new.to);
                sign.count = sign.count.saturating_add(if counts { new.count } else { 0 });
                sign.told = sign.told.saturating_add(new.told);
                sign.unsaid = true;
            }
        }
        if host != before {
            self.hosts.insert(place, host);
            for (was, is) in [(before.ttl, host.ttl), (before.order, host.order)] {
                self.meet(was, is, new.from);
            }
        }
        false
    }

    /// One value came after another, at this time.
    fn meet(&mut self, was: u16, is: u16, now: u32) {
        let last = self.signs.get(usize::from(was)).map(|s| s.to);
        if was == is || last.is_none_or(|last| now.abs_diff(last) > AT_ONCE) {
            return;
        }
        for at in [was, is] {
            if let Some(sign) = self.sign(at) {
                sign.count = sign.count.max(AT_ONCE_COUNTS);
                sign.unsaid = true;
            }
        }
    }

    /// A place for a sign.
    fn file(&mut self, sign: Sign, cap: usize) -> Option<u16> {
        if self.signs.len() - self.free.len() >= cap {
            return None;
        }
        if let Some(at) = self.free.pop() {
            *self.sign(at)? = sign;
            return Some(at);
        }
        self.signs.push(sign);
        u16::try_from(self.signs.len() - 1).ok()
    }

    /// Takes the signs of a host out, which was taken out itself.
    fn release(&mut self, host: Host) -> Vec<Sign> {
        let mut all = Vec::new();
        let mut at = host.first;
        while let Some(sign) = self.signs.get(usize::from(at)) {
            self.free.push(at);
            all.push(*sign);
            at = sign.next;
        }
        all
    }

    /// What was noted of a host at a far place belongs to the near one, but
    /// the hops that its packets had made to the far one.
    pub(super) fn move_host(&mut self, to: &Move) {
        let host = |p: &Place| to.of(&HostKey { segment: p.segment, ip: p.ip, mac: p.mac });
        let mut moved: Vec<(Place, Host)> = self.hosts.extract_if(|p, _| host(p).is_some()).collect();
        moved.sort_unstable_by_key(|(p, _)| (p.source, p.day, p.mac));
        for (place, signs) in moved {
            let Some(near) = host(&place) else { continue };
            let there = Place { segment: near.segment, mac: near.mac, ..place };
            for sign in self.release(signs) {
                if sign.kind != SignalKind::Ttl {
                    self.put(there, Sign { next: NONE, unsaid: true, ..sign });
                }
            }
        }
    }

    /// Those noted since the last call, with how often since then. What tells
    /// systems apart is kept back as long as there is one only: every host has
    /// it on every day, and it says nothing.
    pub(super) fn take_changed(&mut self) -> Vec<Signal> {
        let mut news = Vec::new();
        for (place, host) in &self.hosts {
            let telling = self.telling(host);
            let mut at = host.first;
            while let Some(sign) = self.signs.get_mut(usize::from(at)) {
                if telling(sign) && std::mem::take(&mut sign.unsaid) {
                    news.push(signal(place, sign, &self.orders));
                    sign.told = sign.count;
                }
                at = sign.next;
            }
        }
        news
    }

    /// Which signs of a host say something of its role: systems are told apart
    /// where times to live or orders of options differ; one that was passed on
    /// tells of a router.
    fn telling(&self, host: &Host) -> impl Fn(&Sign) -> bool + use<> {
        let (mut ttls, mut orders, mut at) = (0, 0, host.first);
        while let Some(sign) = self.signs.get(usize::from(at)) {
            match sign.kind {
                SignalKind::Ttl => ttls += 1,
                SignalKind::SynOptions => orders += 1,
                _ => {}
            }
            at = sign.next;
        }
        let several = ttls > 1 || orders > 1;
        move |sign| match sign.kind {
            SignalKind::Ttl => several || sign.value & 0xff > 0,
            SignalKind::SynOptions | SignalKind::TlsStack => several,
            _ => true,
        }
    }

    /// Forgets those of days before `day`.
    pub(super) fn forget(&mut self, day: i64) {
        let gone: Vec<(Place, Host)> = self.hosts.extract_if(|p, _| i64::from(p.day) < day).collect();
        for (_, host) in gone {
            self.release(host);
        }
    }
}

impl Host {
    /// The host shows the sign at this place. Whether that counts: what stays
    /// as it was does so only once.
    fn turn(&mut self, kind: SignalKind, at: u16) -> bool {
        let last = match kind {
            SignalKind::Ttl => &mut self.ttl,
            SignalKind::SynOptions => &mut self.order,
            _ => return true,
        };
        std::mem::replace(last, at) != at
    }
}

fn milli_of_day(ts: Timestamp) -> u32 {
    let start = ts.day().saturating_mul(DAY_SECS * SECOND);
    u32::try_from(ts.0.saturating_sub(start) / MILLI).unwrap_or(0)
}

/// A sign's detail.
fn text(kind: SignalKind, value: u32, orders: &[Box<str>]) -> Box<str> {
    use SignalKind as K;
    match kind {
        K::DnsRecurses | K::SocksProxy | K::TcpClocks => "".into(),
        K::HttpProxy => if value == 0 { "connect" } else { "absolute" }.into(),
        K::Serves if value == 0 => "http".into(),
        K::Serves => value.to_string().into(),
        K::Ttl => format!("{}-{}", value >> 8, value & 0xff).into(),
        K::SynOptions => orders.get(value as usize).cloned().unwrap_or_default(),
        // Its own word has no mark, nor has an answer that resolves nothing.
        K::Forwards | K::DnsServer if value == 0 => "".into(),
        K::TlsStack | K::DnsServer | K::DnsIterates | K::Forwards => format!("{value:08x}").into(),
    }
}

fn signal(place: &Place, sign: &Sign, orders: &[Box<str>]) -> Signal {
    let Place { source, segment, day, ip, mac } = *place;
    let at = |milli: u32| Timestamp::from_parts(i64::from(day) * DAY_SECS, i64::from(milli) * MILLI);
    let (kind, detail) = (sign.kind, text(sign.kind, sign.value, orders));
    let count = sign.count.saturating_sub(sign.told).into();
    Signal { source, kind, segment, ip, mac, detail, count, from: at(sign.from), to: at(sign.to) }
}

#[cfg(test)]
mod tests {
    use super::super::signal::Signals;
    use super::*;
    use crate::flow;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn place(n: u8, day: i32) -> Place {
        Place { source: 0, segment: 0, day, ip: Addr::v4([10, 0, 0, n]), mac: Some(Mac([2, 0, 0, 0, 0, n])) }
    }

    fn time(day: i32, secs: i64) -> Timestamp {
        Timestamp::from_parts(i64::from(day) * DAY_SECS + secs, 1_999_999)
    }

    /// Every place of the list belongs to one host or is free.
    fn check(signs: &Signs) {
        let mut used: BTreeSet<u16> = signs.free.iter().copied().collect();
        assert_eq!(used.len(), signs.free.len());
        for host in signs.hosts.values() {
            let mut at = host.first;
            assert!(at != NONE);
            while let Some(sign) = signs.signs.get(usize::from(at)) {
                assert!(used.insert(at), "in two lists");
                at = sign.next;
            }
        }
        assert_eq!(used.len(), signs.signs.len());
        assert!(signs.hosts.len() <= HOSTS && signs.signs.len() <= SIGNS);
    }

    fn run(signs: &mut Signs, run: &mut Signals) -> Vec<Signal> {
        run.add(signs.take_changed())
    }

    #[test]
    fn counts_are_handed_on_once_and_times_grow() {
        let (mut signs, mut all) = (Signs::default(), Signals::default());
        for secs in [5, 3, 9] {
            signs.note(place(1, 7), SignalKind::DnsServer, 0, time(7, secs));
        }
        let first = run(&mut signs, &mut all);
        assert_eq!((first[0].count, first[0].from.subsec_nanos(), first[0].to.secs() % DAY_SECS), (3, 1_000_000, 9));
        assert!(run(&mut signs, &mut all).is_empty());
        signs.note(place(1, 7), SignalKind::DnsServer, 0, time(7, 20));
        let more = run(&mut signs, &mut all);
        assert_eq!((more[0].count, more[0].from), (4, first[0].from));
        signs.forget(8);
        assert!(signs.hosts.is_empty() && signs.free.len() == 1);
    }

    #[test]
    fn a_value_that_stays_counts_once() {
        let mut signs = Signs::default();
        for (n, value) in [1, 1, 2, 1, 1, 2].into_iter().enumerate() {
            signs.note(place(1, 0), SignalKind::Ttl, value, time(0, 60 * n as i64));
            signs.note(place(1, 0), SignalKind::TlsStack, 9, time(0, 1));
        }
        let counts: BTreeSet<_> = signs.take_changed().into_iter().map(|s| (s.kind, s.detail, s.count)).collect();
        let want = [(SignalKind::Ttl, "0-1", 2), (SignalKind::Ttl, "0-2", 2), (SignalKind::TlsStack, "00000009", 6)];
        assert_eq!(counts, want.map(|(k, d, n)| (k, d.into(), n)).into());
    }

    #[test]
    fn values_within_seconds_come_from_two_systems() {
        for (gap, want) in [(0, 3), (10, 3), (11, 1)] {
            let mut signs = Signs::default();
            for (n, value) in [1, 2].into_iter().enumerate() {
                signs.note(place(1, 0), SignalKind::Ttl, value, time(0, gap * n as i64));
                signs.note(place(1, 0), SignalKind::SynOptions, value, time(0, 0));
            }
            let counts: BTreeSet<_> = signs.take_changed().into_iter().map(|s| (s.kind, s.count)).collect();
            assert_eq!(counts, [(SignalKind::Ttl, want), (SignalKind::SynOptions, 3)].into(), "{gap}");
        }
    }

    /// What finds no room after a move, and what is kept, must not depend on
    /// the order in a table, each of which has a seed of its own.
    #[test]
    fn a_move_into_a_full_table_ends_the_same_each_time() {
        let far = |day: i32, n: u8| Place { segment: 7, mac: Some(Mac([2, 0, 0, 0, 1, n])), ..place(1, day) };
        let play = || {
            let mut signs = Signs::default();
            // As many ports at the near place as it may have, but two.
            for port in 0..14 {
                signs.note(place(1, 0), SignalKind::Serves, port, time(0, 1));
            }
            for n in 0..30 {
                let at = far(i32::from(n) % 3, n);
                for port in 0..5 {
                    signs.note(at, SignalKind::Serves, 100 + u32::from(n) + port, time(at.day, n.into()));
                }
                signs.note(at, SignalKind::SynOptions, n.into(), time(at.day, n.into()));
                signs.note(at, SignalKind::TlsStack, n.into(), time(at.day, n.into()));
            }
            // Strangers, until no sign finds room.
            for n in 0..600u32 {
                let ip = Addr::v4((0x0b00_0000 | n).to_be_bytes());
                for port in 0..2 {
                    signs.note(Place { ip, ..place(9, 1) }, SignalKind::Serves, port, time(1, 2));
                }
            }
            assert_eq!(signs.signs.len(), SIGNS);
            let there = |segment, n| flow::Place { segment, mac: Some(Mac([2, 0, 0, 0, 0, n])) };
            let client = Addr::v4([10, 0, 0, 1]);
            signs.move_host(&Move { client, far: there(7, 99), near: there(0, 1), divided: false });
            check(&signs);
            let mut all = signs.take_changed();
            all.sort();
            all
        };
        let first = play();
        assert_eq!(
            first.iter().filter(|s| s.kind == SignalKind::Serves && s.ip == Addr::v4([10, 0, 0, 1])).count(),
            48
        );
        (0..20).for_each(|_| assert!(play() == first));
    }

    proptest! {
        #[test]
        fn any_course_of_notes_keeps_the_list_whole(
            steps in prop::collection::vec((0u8..10, 0u8..40, 0i32..3, 0u32..6, 0usize..12), 0..2500)
        ) {
            let mut signs = Signs::default();
            let mut all = Signals::default();
            for (what, host, day, value, kind) in steps {
                match what {
                    0 if host == 0 => signs.forget(i64::from(day)),
                    0 if host == 1 => drop(run(&mut signs, &mut all)),
                    1 if host < 5 => {
                        let at = |n: u8| flow::Place { segment: 0, mac: Some(Mac([2, 0, 0, 0, 0, n])) };
                        let client = Addr::v4([10, 0, 0, host]);
                        signs.move_host(&Move { client, far: at(host), near: at(host + 100), divided: false });
                    }
                    _ => {
                        let kind = *SignalKind::ALL.get(kind % SignalKind::ALL.len()).unwrap();
                        // Many hosts, so that it fills up.
                        let mut p = place(host, day);
                        p.segment = value * 3;
                        signs.note(p, kind, value, time(day, 5));
                    }
                }
            }
            check(&signs);
        }
    }
}
