//! Fragmented datagrams under reassembly (RFC 791 section 3.2, RFC 8200
//! section 4.5), within bounds.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::datagram::{Added, Datagram, Piece};
use super::finished::{Finished, Pieces, WINDOW};
use super::view::View;
use super::walk::{Content, FragmentHeader, IpHeader};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::coverage::Counter;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Most bytes that incomplete datagrams hold together.
pub const MAX_BYTES: usize = 4 << 20;
/// Most incomplete datagrams.
pub const MAX_DATAGRAMS: usize = 1024;
/// How long an incomplete datagram is kept, in nanoseconds of packet time.
pub const MAX_AGE: i64 = 30 * SECOND;
/// Most that one fragment can move the table's clock, so that a single wrong
/// timestamp does not empty it.
const MAX_STEP: i64 = SECOND;
/// What a datagram costs beside its bytes.
const OVERHEAD: usize = size_of::<Key>() + size_of::<Entry>() + 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: u128,
    dst: u128,
    segment: u32,
    id: u32,
    class: u16,
}

/// Which datagrams an identification tells apart: in IPv4 those of a protocol,
/// in IPv6 all, since later fragments may carry any next header.
fn class(v6: bool, content: Content) -> u16 {
    match content {
        Content::IpPayload(_) if v6 => 44,
        Content::IpPayload(proto) => proto.into(),
        Content::Ip => 256,
        Content::Ethernet | Content::Wifi => 257,
    }
}

/// A datagram put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// What it is.
    pub content: Content,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Whether pieces contradicted each other; the first copies stand.
    pub conflict: bool,
}

#[derive(Debug)]
struct Entry {
    /// `None` once it is given up; the entry then swallows what still arrives.
    datagram: Option<Datagram>,
    /// What its first fragment says it is.
    content: Content,
    conflict: bool,
    /// Its pieces.
    pieces: Pieces,
    /// All of them are copies of what a finished datagram of this key was put
    /// together of: those that came late, if no other comes.
    echo: bool,
    /// Tells it from an earlier entry of the same key.
    number: u64,
    /// Time of its first packet.
    ts: Timestamp,
    /// The table's clock at that time.
    born: i64,
    memory: usize,
}

/// Events since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub reassembled: u64,
    pub lost: u64,
    pub conflicts: u64,
    pub copies: u64,
}

/// The incomplete datagrams.
#[derive(Debug, Default)]
pub(super) struct FragmentTable {
    entries: HashMap<Key, Entry, RandomState>,
    /// Keys in order of birth; those of finished entries linger a while.
    order: VecDeque<(u64, Key)>,
    memory: usize,
    number: u64,
    clock: i64,
    last_ts: Option<Timestamp>,
    finished: Finished,
    pub events: Events,
}

impl FragmentTable {
    /// Takes a fragment. Gives the whole datagram if this was the last piece
    /// wanting; [`Counter::IpFragments`] if not.
    pub fn add(
        &mut self,
        segment: u32,
        ip: &IpHeader,
        header: &FragmentHeader,
        view: View<'_>,
        ts: Timestamp,
    ) -> Result<Whole, Counter> {
        let start = usize::try_from(header.start).unwrap_or(usize::MAX);
        let len = view.announced();
        // A payload ends before 64 KiB, and all pieces but the last are
        // multiples of 8 bytes.
        if start.saturating_add(len) > 65_535 || len == 0 || (header.more && !len.is_multiple_of(8)) {
            return Err(Counter::IpMalformed);
        }
        self.tick(ts);
        let class = class(ip.v6, header.content);
        let key = Key { src: ip.src, dst: ip.dst, segment, id: header.id, class };
        let piece = Piece { start, data: view.data, len, last: !header.more };
        self.forget_if_stale(&key, ts);
        if !self.entries.contains_key(&key) {
            self.open(key, header.content, ts);
        }
        let hasher = self.entries.hasher();
        let (named, digest) = (hasher.hash_one(key), hasher.hash_one((start, len, piece.last, piece.data)));
        let Some(entry) = self.entries.get_mut(&key) else { return Err(Counter::IpFragments) };
        let Some(datagram) = &mut entry.datagram else { return Err(Counter::IpFragments) };
        if start == 0 {
            entry.content = header.content;
        }
        entry.echo = entry.echo && self.finished.has(named, ts, digest);
        let added = datagram.add(piece, ip.v6);
        if added == Added::Copy {
            self.events.copies = self.events.copies.saturating_add(1);
        } else {
            entry.pieces.note(digest);
        }
        if matches!(added, Added::Conflict | Added::Refused(true)) && !entry.conflict {
            entry.conflict = true;
            self.events.conflicts = self.events.conflicts.saturating_add(1);
        }
        if matches!(added, Added::Refused(_)) {
            entry.datagram = None;
            self.events.lost = self.events.lost.saturating_add(1);
            self.memory = self.memory.saturating_sub(std::mem::take(&mut entry.memory));
        } else if let Some(payload) = datagram.take_whole() {
            let whole = Whole { content: entry.content, payload, conflict: entry.conflict };
            let pieces = std::mem::take(&mut entry.pieces);
            self.remove(&key);
            self.finished.note(named, ts, pieces);
            self.events.reassembled = self.events.reassembled.saturating_add(1);
            return Ok(whole);
        } else {
            let now = datagram.memory().saturating_add(entry.pieces.memory()).saturating_add(OVERHEAD);
            self.memory = self.memory.saturating_sub(entry.memory).saturating_add(now);
            entry.memory = now;
        }
        self.trim();
        Err(Counter::IpFragments)
    }

    /// Gives up everything that is incomplete.
    pub fn give_up(&mut self) {
        while let Some((number, key)) = self.order.pop_front() {
            self.drop_entry(number, &key);
        }
        self.finished.clear();
    }

    fn open(&mut self, key: Key, content: Content, ts: Timestamp) {
        self.number = self.number.saturating_add(1);
        let entry = Entry {
            datagram: Some(Datagram::default()),
            content,
            conflict: false,
            pieces: Pieces::default(),
            echo: true,
            number: self.number,
            ts,
            born: self.clock,
            memory: 0,
        };
        self.entries.insert(key, entry);
        self.order.push_back((self.number, key));
        // Keys of finished datagrams must not pile up behind an old one.
        if self.order.len() > MAX_DATAGRAMS.saturating_mul(4) {
            let entries = &self.entries;
            self.order.retain(|(number, key)| entries.get(key).is_some_and(|e| e.number == *number));
        }
    }

    /// An identification that returns after the age limit is another datagram,
    /// whatever the table's clock says; behind mere copies, after their time.
    fn forget_if_stale(&mut self, key: &Key, ts: Timestamp) {
        if let Some(entry) = self.entries.get(key)
            && ts.since(entry.ts).saturating_abs() > if entry.echo { WINDOW } else { MAX_AGE }
        {
            let number = entry.number;
            self.drop_entry(number, key);
        }
    }

    fn tick(&mut self, ts: Timestamp) {
        let step = self.last_ts.map_or(0, |last| ts.since(last)).clamp(0, MAX_STEP);
        self.last_ts = Some(ts);
        self.clock = self.clock.saturating_add(step);
    }

    /// Drops what is too old, and the oldest while there is too much.
    fn trim(&mut self) {
        while let Some((number, key)) = self.order.front().copied() {
            let current = self.entries.get(&key).filter(|e| e.number == number);
            let over = self.entries.len() > MAX_DATAGRAMS || self.memory > MAX_BYTES;
            if current.is_some_and(|e| !over && self.clock.saturating_sub(e.born) <= MAX_AGE) {
                break;
            }
            self.order.pop_front();
            self.drop_entry(number, &key);
        }
    }

    /// Drops an unfinished entry, if it is still the one of that number.
    fn drop_entry(&mut self, number: u64, key: &Key) {
        if self.entries.get(key).is_some_and(|e| e.number == number)
            && let Some(entry) = self.remove(key)
            && entry.datagram.is_some()
        {
            let (lost, copies) = if entry.echo { (0, entry.pieces.len()) } else { (1, 0) };
            self.events.lost = self.events.lost.saturating_add(lost);
            self.events.copies = self.events.copies.saturating_add(copies);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.memory = self.memory.saturating_sub(entry.memory);
        Some(entry)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const IP: IpHeader = IpHeader { src: 1, dst: 2, ttl: 1, v6: false };

    fn add(t: &mut FragmentTable, id: u32, start: u32, data: &[u8], more: bool, secs: i64) -> Option<Vec<u8>> {
        let header = FragmentHeader { id, start, more, content: Content::IpPayload(17) };
        t.add(0, &IP, &header, View::new(data, data.len()), Timestamp::from_parts(secs, 0)).ok().map(|w| w.payload)
    }

    #[test]
    fn datagrams_are_kept_apart_by_key() {
        let mut t = FragmentTable::default();
        assert_eq!(add(&mut t, 1, 8, b"tail", false, 0), None);
        assert_eq!(add(&mut t, 2, 0, b"headhead", true, 0), None);
        let header = FragmentHeader { id: 1, start: 0, more: true, content: Content::IpPayload(17) };
        let view = View::new(b"otherseg", 8);
        assert_eq!(t.add(1, &IP, &header, view, Timestamp(0)), Err(Counter::IpFragments));
        assert_eq!(add(&mut t, 1, 0, b"12345678", true, 0).unwrap(), b"12345678tail");
        t.give_up();
        assert_eq!(t.events, Events { reassembled: 1, lost: 2, conflicts: 0, copies: 0 });
        assert_eq!((t.memory, t.entries.len(), t.order.len()), (0, 0, 0));
    }

    #[test]
    fn old_datagrams_go_and_a_wrong_time_changes_nothing() {
        let mut t = FragmentTable::default();
        add(&mut t, 1, 0, b"12345678", true, 1000);
        add(&mut t, 2, 0, b"12345678", true, 1_000_000_000);
        assert_eq!(add(&mut t, 1, 8, b"x", false, 1001).unwrap(), b"12345678x");
        add(&mut t, 3, 0, b"12345678", true, 1001);
        for s in 1002..1040 {
            add(&mut t, 4, 0, b"12345678", true, s);
        }
        assert_eq!(add(&mut t, 3, 8, b"x", false, 1040), None, "expired");
        assert_eq!(t.events.lost, 3, "2, 3 and the first 4");
    }

    #[test]
    fn a_reused_id_after_a_long_gap_is_another_datagram() {
        let mut t = FragmentTable::default();
        add(&mut t, 1, 0, b"12345678", true, 0);
        assert_eq!(add(&mut t, 1, 8, b"x", false, 3600), None);
        assert_eq!(t.events.lost, 1);
        assert_eq!(add(&mut t, 1, 0, b"abcdefgh", true, 3600).unwrap(), b"abcdefghx");
    }

    #[test]
    fn a_flood_stays_within_the_bounds_and_is_counted() {
        let mut t = FragmentTable::default();
        let big = vec![0; 64_000];
        for id in 0..5000 {
            add(&mut t, id, 0, if id % 2 == 0 { &big } else { &big[..8] }, true, 0);
            assert!(t.memory <= MAX_BYTES && t.entries.len() <= MAX_DATAGRAMS);
            assert!(t.order.len() <= 4 * MAX_DATAGRAMS + 1);
        }
        assert_eq!(t.events.lost as usize, 5000 - t.entries.len());
        // Finished ones behind an unfinished one do not pile up either.
        for id in 5000..20_000 {
            add(&mut t, id, 0, &big[..8], true, 0);
            assert!(add(&mut t, id, 8, &big[..8], false, 0).is_some());
        }
        assert!(t.order.len() <= 4 * MAX_DATAGRAMS + 1);
    }

    #[test]
    fn impossible_places_are_malformed() {
        let mut t = FragmentTable::default();
        let mut at = |start: u32, len: usize, more: bool| {
            let header = FragmentHeader { id: 1, start, more, content: Content::IpPayload(17) };
            t.add(0, &IP, &header, View::new(&vec![0; len], len), Timestamp(0)).unwrap_err()
        };
        assert_eq!(at(65_528, 8, false), Counter::IpMalformed);
        assert_eq!(at(65_528, 7, false), Counter::IpFragments);
        assert_eq!(at(8, 9, true), Counter::IpMalformed);
        assert_eq!(at(8, 0, false), Counter::IpMalformed);
    }

    #[test]
    fn ipv6_overlap_refuses_the_datagram_for_good() {
        let mut t = FragmentTable::default();
        let six = IpHeader { v6: true, ..IP };
        let mut put = |start: u32, data: &[u8], more: bool| {
            let header = FragmentHeader { id: 9, start, more, content: Content::IpPayload(17) };
            t.add(0, &six, &header, View::new(data, data.len()), Timestamp(0)).is_ok()
        };
        assert!(!put(0, b"aaaaaaaabbbbbbbb", true));
        assert!(!put(8, b"cccccccc", true));
        assert!(!put(0, b"aaaaaaaabbbbbbbb", true));
        assert!(!put(16, b"end", false));
        t.give_up();
        assert_eq!(t.events, Events { reassembled: 0, lost: 1, conflicts: 1, copies: 0 });
    }

    /// Adds pieces of datagrams of one id, 8 bytes each but the last: of which
    /// datagram, which piece.
    fn run(six: bool, order: &[(u8, u32)]) -> (Vec<Vec<u8>>, Events) {
        let mut t = FragmentTable::default();
        let ip = IpHeader { v6: six, ..IP };
        let mut wholes = Vec::new();
        for (n, &(datagram, at)) in order.iter().enumerate() {
            let data = [datagram + at as u8; 8];
            let header = FragmentHeader { id: 1, start: at * 8, more: at < 2, content: Content::IpPayload(17) };
            let ts = Timestamp(i64::try_from(n).unwrap() * 1000);
            wholes.extend(t.add(0, &ip, &header, View::new(&data, 8), ts).map(|w| w.payload));
        }
        t.give_up();
        assert_eq!((t.memory, t.entries.len()), (0, 0));
        (wholes, t.events)
    }

    /// A mirror of both sides of a port gives each frame twice.
    #[test]
    fn each_fragment_twice_is_one_datagram_and_copies() {
        let whole = |d: u8| [[d; 8], [d + 1; 8], [d + 2; 8]].concat();
        for six in [false, true] {
            for (order, copies) in [
                (&[(b'a', 0), (b'a', 0), (b'a', 1), (b'a', 1), (b'a', 2), (b'a', 2)][..], 3),
                (&[(b'a', 2), (b'a', 2), (b'a', 1), (b'a', 1), (b'a', 0), (b'a', 0)], 3),
                (&[(b'a', 0), (b'a', 1), (b'a', 0), (b'a', 2), (b'a', 1), (b'a', 2)], 3),
                (&[(b'a', 0), (b'a', 1), (b'a', 2), (b'a', 2), (b'a', 2), (b'a', 1)], 3),
            ] {
                let (wholes, events) = run(six, order);
                assert_eq!(wholes, [whole(b'a')], "{order:?}");
                assert_eq!(events, Events { reassembled: 1, copies, ..Events::default() }, "{six} {order:?}");
            }
            // Whole copies come out; who reads them compares them as packets.
            let (wholes, events) = run(six, &[0, 1, 2, 0, 1, 2].map(|at| (b'a', at)));
            assert_eq!(wholes, [whole(b'a'), whole(b'a')]);
            assert_eq!(events, Events { reassembled: 2, ..Events::default() });
            // Another datagram of the same id is none, whatever it has in common.
            let (wholes, events) = run(six, &[(b'a', 0), (b'a', 1), (b'a', 2), (b'x', 0), (b'x', 1), (b'x', 2)]);
            assert_eq!((wholes, events.lost), (vec![whole(b'a'), whole(b'x')], 0));
            let (wholes, events) = run(six, &[(b'a', 0), (b'a', 1), (b'a', 2), (b'a', 0), (b'x', 1), (b'a', 2)]);
            assert_eq!(wholes[1], [[b'a'; 8], [b'x' + 1; 8], [b'c'; 8]].concat());
            assert_eq!((events.lost, events.copies), (0, 0));
            let (_, events) = run(six, &[(b'a', 0), (b'a', 1), (b'a', 2), (b'a', 0), (b'x', 1)]);
            assert_eq!((events.lost, events.copies), (1, 0), "incomplete");
        }
    }

    /// What is left of the copies does not meet the next datagram of that id.
    #[test]
    fn late_copies_do_not_spoil_the_next_datagram() {
        let mut t = FragmentTable::default();
        let mut put = |at: u32, data: &[u8; 8], millis: i64| {
            let header = FragmentHeader { id: 1, start: at * 8, more: at < 1, content: Content::IpPayload(17) };
            let ts = Timestamp(millis * 1_000_000);
            t.add(0, &IP, &header, View::new(data, 8), ts).ok().map(|w| (w.payload, w.conflict))
        };
        assert_eq!(put(0, b"aaaaaaaa", 0), None);
        assert!(put(1, b"bbbbbbbb", 0).is_some());
        assert_eq!(put(1, b"bbbbbbbb", 1), None);
        assert_eq!(put(0, b"cccccccc", 60), None);
        assert_eq!(put(1, b"dddddddd", 60), Some((b"ccccccccdddddddd".to_vec(), false)));
        // A piece that comes again later is no copy.
        assert_eq!(put(1, b"dddddddd", 200), None);
        t.give_up();
        assert_eq!(t.events, Events { reassembled: 2, lost: 1, conflicts: 0, copies: 1 });
    }

    #[test]
    fn what_is_remembered_of_finished_datagrams_is_bounded() {
        let mut t = FragmentTable::default();
        for id in 0..2000 {
            add(&mut t, id, 0, b"12345678", true, 0);
            assert!(add(&mut t, id, 8, b"x", false, 0).is_some());
        }
        for id in 0..2000 {
            add(&mut t, id, 8, b"x", false, 0);
        }
        t.give_up();
        assert_eq!((t.events.copies, t.events.lost), (256, 1744));
    }
}
