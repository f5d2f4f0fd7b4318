//! Frames that a capture delivered more than once, and which of the copies was
//! taken nearest to the host.
//!
//! A SPAN port that mirrors both sides of a switch port delivers each frame
//! twice; one that mirrors both sides of a router delivers each packet with
//! two pairs of hardware addresses, perhaps two VLANs, and a TTL that is one
//! less on the far side; a tunnelled mirror shows a packet inside and outside.
//!
//! Two packets of a source are copies of one if they are equal in addresses,
//! the sender's packet number (IPv4 identification, IPv6 flow label),
//! transport header and payload, come within [`WINDOW`], and do not look like
//! those of two hosts ([`Arrival::is_copy_of`]). A retransmission has another
//! number, comes later, or is of no account. What NAT rewrote is another
//! packet.
//!
//! The first copy is read, whichever it is. Of a client, the place nearest to
//! it is its identity: where its packets have the highest TTL and, as long as
//! none of them was seen twice, those for it the lowest. Once a pair of copies
//! has shown that a place is a far one, whatever comes from there is taken to
//! come from the near one.

use super::headers::Headers;
use super::recent::{Digest, Recent, WINDOW, within};
use crate::base::time::SECOND;
use crate::base::{Addr, Mac, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::packet::tcp_flags::SYN;
use crate::packet::{Packet, Transport};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::BitOr;

/// Most routers between two copies. Hosts' systems begin with TTLs that lie
/// further apart.
const MAX_HOPS: u8 = 8;
/// Payload bytes that are compared, by their hash, of any packet. What lies
/// behind them is compared too, where both captures hold all of it.
const MAX_PAYLOAD: usize = 32;
/// Far places that are known.
const MAX_FAR: usize = 448;
/// A far place that no pair of copies confirmed for so long is forgotten:
/// hosts move.
const MEMORY: i64 = 600 * SECOND;

/// Whether the sender of a packet is the client of its conversation: the end at
/// home; where both or neither are, the end with the higher port. Both
/// directions give the same end.
#[inline]
pub fn sender_is_client(p: &Packet, is_home: impl Fn(&Addr) -> bool) -> bool {
    first_is_client((p.src, p.sport), (p.dst, p.dport), (is_home(&p.src), is_home(&p.dst)))
}

/// The same of two ends, and whether each is at home. Their addresses may be
/// given in any form that has the same order.
#[inline(always)]
pub fn first_is_client<A: Ord>(first: (A, u16), second: (A, u16), at_home: (bool, bool)) -> bool {
    match at_home {
        (true, false) => true,
        (false, true) => false,
        _ => (first.1, second.0) >= (second.1, first.0),
    }
}

/// Where a host was seen: the segment, and its hardware address there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Segment number.
    pub segment: u32,
    /// Hardware address; a router's, where one lies between.
    pub mac: Option<Mac>,
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) ts: Timestamp,
    pub(super) ttl: u8,
    pub(super) segment: u32,
    pub(super) src_mac: Option<Mac>,
    pub(super) dst_mac: Option<Mac>,
    /// Hash of the payload behind what the digest covers; `None` if it was not
    /// asked for, or a capture cut it.
    pub(super) rest: Option<u64>,
    /// Bytes of payload that were captured.
    pub(super) held: u32,
}

impl Arrival {
    pub(super) fn new(p: &Packet, segment: u32, rest: Option<u64>) -> Self {
        let Packet { ts, ttl, src_mac, dst_mac, payload_len: held, .. } = *p;
        Arrival { ts, ttl, segment, src_mac, dst_mac, rest, held }
    }

    /// The place of its client.
    fn place(&self, client_sent: bool) -> Place {
        Place { segment: self.segment, mac: if client_sent { self.src_mac } else { self.dst_mac } }
    }

    /// Whether an equal packet is a copy of this one, and not that of another
    /// host: machines of one make may send equal packets from equal addresses
    /// in two VLANs. A router takes one off the TTL; without a router between
    /// them copies have the same hardware addresses, as far as they have any.
    /// Packets of one number and checksum that differ in their later bytes were
    /// made to pass for copies, and the second is the one to hide.
    fn is_copy_of(&self, first: &Arrival) -> bool {
        fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        if !within(WINDOW, self.ts, first.ts) || self.ttl.abs_diff(first.ttl) > MAX_HOPS || !same(self.rest, first.rest)
        {
            return false;
        }
        self.segment == first.segment || self.ttl != first.ttl || same(self.src_mac, first.src_mac)
    }
}

/// Why a frame is compared with its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reasons(u8);

impl Reasons {
    /// It is not.
    pub(super) const NONE: Reasons = Reasons(0);
    /// A decoder reads it.
    pub(super) const DECODED: Reasons = Reasons(1);
    /// Its contact is followed.
    pub(super) const FOLLOWED: Reasons = Reasons(2);
    /// Its flow belongs to the sample.
    pub(super) const SAMPLED: Reasons = Reasons(4);

    /// Whether one of those reasons holds.
    #[inline]
    pub(super) fn any(self, of: Reasons) -> bool {
        self.0 & of.0 != 0
    }
}

impl BitOr for Reasons {
    type Output = Reasons;
    #[inline]
    fn bitor(self, other: Reasons) -> Reasons {
        Reasons(self.0 | other.0)
    }
}

/// What an arrival is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first of its kind.
    Fresh,
    /// A copy.
    Copy,
    /// A copy; the client, seen at `far`, is known from now on to be at `near`.
    Moved { client: Addr, far: Place, near: Place },
}

/// What an arrival is, and what there is to read in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    /// More of its payload was captured than of any copy before, so that it is to
    /// be read all the same.
    pub(super) holds_more: bool,
}

/// Where a far place is near, and when that was last confirmed.
#[derive(Clone, Copy, Debug)]
struct Near {
    place: Place,
    confirmed: Timestamp,
    proof: Proof,
    /// The hardware address that what the client sent had at the far place: a
    /// router's.
    via: Option<Mac>,
    /// The client's packets had another one there too, so that not all of the
    /// segment is far: only what came from that router.
    divided: bool,
}

/// What tells the near place from the far one, the better proof last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// It came first.
    Order,
    /// What the client received had the lower TTL there.
    Received,
    /// What the client sent had the higher TTL there.
    Sent,
}

/// A set of clients in a few bits: it holds all that were added, and some others.
#[derive(Clone, Copy, Debug, Default)]
struct Clients([u64; 8]);

impl Clients {
    /// The word of a client, and its bit there.
    #[inline]
    fn place(client: &Addr) -> (usize, u64) {
        let bits = client.bits();
        let mixed = ((bits >> 64) as u64 ^ bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 61) as usize, 1 << (mixed >> 55 & 63))
    }

    fn add(&mut self, client: &Addr) {
        let (word, bit) = Self::place(client);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    fn may_hold(&self, client: &Addr) -> bool {
        let (word, bit) = Self::place(client);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// The packets of the last moments and the far places of one shard.
pub(super) struct Duplicates {
    state: RandomState,
    seen: Recent,
    /// By client and segment; by hardware address too where that alone
    /// differs.
    far: HashMap<(Addr, u32, Option<Mac>), Near, RandomState>,
    /// Which clients may have a far place: most have none, and to look for it for each
    /// of their packets showed in profiles.
    may_be_far: Clients,
    /// Clients and their near places, as their own packets proved.
    near: HashMap<(Addr, Place), Timestamp, RandomState>,
}

impl Duplicates {
    /// Most bytes of all tables.
    pub(super) const MOST_BYTES: usize = Recent::MOST_BYTES
        + (MAX_FAR * 8 / 7)
            * (size_of::<((Addr, u32, Option<Mac>), Near)>() + size_of::<((Addr, Place), Timestamp)>() + 2);

    pub(super) fn new() -> Self {
        Duplicates {
            state: RandomState::default(),
            seen: Recent::default(),
            far: HashMap::default(),
            may_be_far: Clients::default(),
            near: HashMap::default(),
        }
    }

    /// Whether no far place of either end is known, so that the packet is what it
    /// seems.
    #[inline]
    pub(super) fn knows_neither(&self, p: &Packet) -> bool {
        self.far.is_empty() || !self.may_be_far.may_hold(&p.src) && !self.may_be_far.may_hold(&p.dst)
    }

    /// The packet as it was near its client, if it comes from a far place.
    ///
    /// In a far segment every hardware address is a router's, which may use one
    /// for each direction; but where the client's own packets have another than
    /// those that were copies, it is at home there, and somebody who is not
    /// sent packets in its name through a router.
    pub(super) fn nearer(&mut self, p: &Packet, segment: u32, client_sent: bool) -> Option<(Packet, u32)> {
        let (client, mac) = if client_sent { (p.src, p.src_mac) } else { (p.dst, p.dst_mac) };
        let whole = self.far.get_mut(&(client, segment, None)).filter(|n| within(MEMORY, p.ts, n.confirmed));
        let whole = whole.and_then(|n| {
            let other = mac.is_some() && n.via.is_some() && n.via != mac;
            n.divided |= other && client_sent;
            (!(n.divided && other)).then_some(*n)
        });
        let part =
            || self.far.get(&(client, segment, mac)).filter(|n| mac.is_some() && within(MEMORY, p.ts, n.confirmed));
        let near = whole.or_else(|| part().copied())?;
        let mut packet = *p;
        *(if client_sent { &mut packet.src_mac } else { &mut packet.dst_mac }) = near.place.mac;
        packet.ttl = 0; // of the far place
        Some((packet, near.place.segment))
    }

    /// What equal packets of one source share.
    pub(super) fn digest(&self, source: u32, p: &Packet, payload: &[u8], headers: Option<&Headers<'_>>) -> Digest {
        let mut h = self.state.build_hasher();
        let id = headers.map_or(0, Headers::packet_id);
        h.write_u32(source);
        h.write_u128(p.src.bits());
        h.write_u128(p.dst.bits());
        h.write_u64(u64::from(p.sport) << 32 | u64::from(p.dport) << 16 | u64::from(p.flags) << 8 | p.transport as u64);
        h.write_u64(u64::from(p.seq) << 32 | u64::from(p.ack));
        h.write_u32(p.payload_len.saturating_add(p.payload_missing));
        if let Some(headers) = headers {
            h.write_u32(id);
            // TCP's window, or UDP's length, and the checksum, which covers all
            // else. Routers may lower the segment size that a SYN announces.
            let at = if p.transport == Transport::Tcp { 14..18 } else { 4..8 };
            if p.flags & SYN == 0
                && let Some([a, b, c, d]) = headers.transport.get(at)
            {
                h.write_u32(u32::from_be_bytes([*a, *b, *c, *d]));
            }
        }
        h.write(payload.get(..MAX_PAYLOAD).unwrap_or(payload));
        // No secret: what is forgotten must not differ from run to run.
        let ends = (p.src.bits() ^ p.dst.bits().rotate_left(16)) as u64;
        let ports = u64::from(p.sport) << 32 | u64::from(p.dport) << 48;
        let numbers = u64::from(p.seq) ^ u64::from(id).rotate_left(16);
        let mixed = (ends ^ ports ^ numbers).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Digest::new(h.finish(), mixed >> 32)
    }

    /// Hash of the payload behind the bytes that the digest covers, if it was
    /// captured whole.
    pub(super) fn rest(&self, p: &Packet, payload: &[u8]) -> Option<u64> {
        let rest = payload.get(MAX_PAYLOAD..).unwrap_or(&[]);
        (p.payload_missing == 0).then(|| self.state.hash_one(rest))
    }

    /// Judges an arrival with that digest, and remembers it.
    pub(super) fn judge(
        &mut self,
        digest: Digest,
        now: Arrival,
        ends: (Addr, Addr),
        client_sent: impl FnOnce() -> bool,
        ledger: &mut Ledger,
    ) -> Judgement {
        let Some(kept) = self.seen.find(digest, now.ts).filter(|first| now.is_copy_of(first)) else {
            if self.seen.add(digest, now) {
                ledger.count(Counter::DuplicatesForgotten);
            }
            return Judgement { verdict: Verdict::Fresh, holds_more: false };
        };
        let first = *kept;
        let holds_more = now.held > first.held;
        if holds_more {
            (kept.held, kept.rest) = (now.held, now.rest);
        }
        Judgement { verdict: self.judge_copy(digest, (first, now), ends, client_sent, ledger), holds_more }
    }

    /// Judges a copy of a packet.
    fn judge_copy(
        &mut self,
        digest: Digest,
        (first, now): (Arrival, Arrival),
        ends: (Addr, Addr),
        client_sent: impl FnOnce() -> bool,
        ledger: &mut Ledger,
    ) -> Verdict {
        if (first.segment, first.src_mac, first.dst_mac) == (now.segment, now.src_mac, now.dst_mac) {
            return Verdict::Copy;
        }
        let client_sent = client_sent();
        let client = if client_sent { ends.0 } else { ends.1 };
        let (was, is) = (first.place(client_sent), now.place(client_sent));
        let now_is_near = match (self.near.get(&(client, was)), self.near.get(&(client, is))) {
            (Some(_), None) if !client_sent => false,
            (None, Some(_)) if !client_sent => true,
            _ if client_sent => now.ttl > first.ttl,
            _ => now.ttl < first.ttl,
        };
        let (far, near) = if now_is_near { (was, is) } else { (is, was) };
        if now_is_near && let Some(kept) = self.seen.find(digest, now.ts) {
            // What comes next is compared with the nearest so far.
            let Arrival { rest, held, .. } = *kept;
            *kept = if held > now.held { Arrival { rest, held, ..now } } else { now };
        }
        let proof = match (first.ttl != now.ttl, client_sent) {
            (false, _) => Proof::Order,
            (true, false) => Proof::Received,
            (true, true) => Proof::Sent,
        };
        self.learn(client, far, near, (proof, client_sent), now.ts, ledger)
    }

    /// Two copies showed the client at two places.
    fn learn(
        &mut self,
        client: Addr,
        far: Place,
        near: Place,
        (proof, sent): (Proof, bool),
        ts: Timestamp,
        ledger: &mut Ledger,
    ) -> Verdict {
        let one_segment = far.segment == near.segment;
        if far == near || one_segment && far.mac.is_none() {
            return Verdict::Copy;
        }
        if proof == Proof::Sent {
            self.near.remove(&(client, far));
            if self.near.len() < MAX_FAR || self.near.contains_key(&(client, near)) {
                self.near.insert((client, near), ts);
            }
        }
        let divided: Vec<(u32, Option<Mac>)> = [far, near]
            .into_iter()
            .filter_map(|of| {
                self.far.get(&(client, of.segment, None)).filter(|n| n.divided).map(|n| (of.segment, n.via))
            })
            .collect();
        let key = |of: Place| {
            let apart = one_segment || divided.iter().any(|(segment, via)| *segment == of.segment && *via != of.mac);
            (client, of.segment, of.mac.filter(|_| apart))
        };
        let (there, back) = (key(far), key(near));
        let known = self.far.get(&back).filter(|n| within(MEMORY, ts, n.confirmed)).copied();
        let near = match known {
            // The other way round than before, and better proved, or the host
            // has moved.
            Some(n) if proof > n.proof || key(n.place) == there && proof == n.proof && proof != Proof::Order => {
                self.far.remove(&back);
                near
            }
            Some(n) if key(n.place) == there => return Verdict::Copy,
            // The near place is a far one of a third.
            Some(n) => n.place,
            None => near,
        };
        let here = Near { place: near, confirmed: ts, proof, via: far.mac.filter(|_| sent), divided: false };
        if let Some(known) = self.far.get_mut(&there)
            && within(MEMORY, ts, known.confirmed)
        {
            let (via, divided) = (known.via.or(here.via), known.divided);
            *known = if proof >= known.proof {
                Near { via, divided, ..here }
            } else {
                Near { confirmed: ts, via, ..*known }
            };
            return Verdict::Copy;
        }
        if self.far.len() >= MAX_FAR {
            self.far.retain(|_, n| within(MEMORY, ts, n.confirmed));
            self.may_be_far = Clients::default();
            for (client, ..) in self.far.keys() {
                self.may_be_far.add(client);
            }
            self.near.retain(|_, confirmed| within(MEMORY, ts, *confirmed));
            if self.far.len() >= MAX_FAR {
                ledger.count(Counter::TableEvicted);
                return Verdict::Copy;
            }
        }
        for ((of, ..), n) in &mut self.far {
            if *of == client && key(n.place) == there {
                n.place = near;
            }
        }
        self.may_be_far.add(&client);
        self.far.insert(there, here);
        Verdict::Moved { client, far, near }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::recent::PLACES;
    use super::*;
    use crate::packet::testing::blank;

    const CLIENT: Addr = Addr::v4([10, 0, 0, 5]);
    const SERVER: Addr = Addr::v4([192, 0, 2, 7]);

    fn mac(n: u8) -> Option<Mac> {
        Some(Mac([2, 0, 0, 0, 0, n]))
    }

    fn digest(number: u64) -> Digest {
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Digest::new(hash, hash >> 20)
    }

    fn place(segment: u32, n: u8) -> Place {
        Place { segment, mac: mac(n) }
    }

    struct Bench {
        d: Duplicates,
        ledger: Ledger,
        now: i64,
        number: u64,
    }

    impl Bench {
        fn new() -> Self {
            Bench { d: Duplicates::new(), ledger: Ledger::new(), now: 1_000 * SECOND, number: 0 }
        }

        /// The copies of one packet of the client, or for it: segment, TTL and
        /// the client's hardware address of each.
        fn packet<const N: usize>(&mut self, client_sent: bool, copies: [(u32, u8, u8); N]) -> [Verdict; N] {
            self.number += 1;
            self.now += SECOND;
            copies.map(|(segment, ttl, n)| {
                self.now += 1000;
                let (src_mac, dst_mac) = if client_sent { (mac(n), mac(200)) } else { (mac(200), mac(n)) };
                let a = Arrival { ts: Timestamp(self.now), ttl, segment, src_mac, dst_mac, rest: None, held: 0 };
                let ends = if client_sent { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
                self.d.judge(digest(self.number), a, ends, || client_sent, &mut self.ledger).verdict
            })
        }

        /// Where a packet of the client that came from there is taken to come
        /// from.
        fn taken(&mut self, from: Place) -> Place {
            let p = Packet { src: CLIENT, dst: SERVER, src_mac: from.mac, ts: Timestamp(self.now), ..blank() };
            let near = self.d.nearer(&p, from.segment, true);
            near.map_or(from, |(p, segment)| Place { segment, mac: p.src_mac })
        }
    }

    /// An attacker in segment 2 sends a packet in the client's name through the
    /// router into segment 1, where the client lives.
    #[test]
    fn what_is_routed_in_its_name_does_not_move_a_client_that_is_at_home_there() {
        let mut b = Bench::new();
        let (own, router, attacker) = (place(1, 9), place(1, 100), place(2, 66));
        assert_eq!(b.packet(true, [(1, 64, 9)]), [Verdict::Fresh]);
        assert_eq!(b.packet(true, [(2, 64, 66), (1, 63, 100)]), [Verdict::Fresh, moved(router, attacker)]);
        assert_eq!(b.taken(own), own);
        assert_eq!(b.taken(router), attacker);
        // What the client receives is left at its place too, from now on.
        let p = Packet { src: SERVER, dst: CLIENT, dst_mac: own.mac, ts: Timestamp(b.now), ..blank() };
        assert!(b.d.nearer(&p, 1, false).is_none());
        b.packet(true, [(2, 64, 66), (1, 63, 100)]);
        assert_eq!(b.taken(own), own);
    }

    fn moved(far: Place, near: Place) -> Verdict {
        Verdict::Moved { client: CLIENT, far, near }
    }

    #[test]
    fn the_same_frame_again_within_the_window() {
        let mut b = Bench::new();
        assert_eq!(
            b.packet(true, [(1, 64, 9), (1, 64, 9), (1, 64, 9)]),
            [Verdict::Fresh, Verdict::Copy, Verdict::Copy]
        );
        b.now += WINDOW + 1;
        b.number -= 1;
        assert_eq!(b.packet(true, [(1, 64, 9)]), [Verdict::Fresh]);
        assert!(b.d.far.is_empty());
    }

    #[test]
    fn of_routed_copies_the_near_one_stands_in_any_order() {
        let (near, far) = (place(1, 9), place(2, 100));
        for near_first in [true, false] {
            for client_sent in [true, false] {
                // What the client sends loses a hop on the way to the far place,
                // what it gets on the way from there.
                let (at_near, at_far) = if client_sent { (64, 63) } else { (57, 58) };
                let copies = [(1, at_near, 9), (2, at_far, 100)];
                let mut b = Bench::new();
                let got = b.packet(client_sent, if near_first { copies } else { [copies[1], copies[0]] });
                assert_eq!(got, [Verdict::Fresh, moved(far, near)], "{near_first} {client_sent}");
                assert_eq!((b.taken(far), b.taken(near)), (near, near));
                assert_eq!(b.packet(client_sent, copies), [Verdict::Fresh, Verdict::Copy]);
                // A second router shows itself as the first one did.
                let second = [(2, at_far, 101), (1, at_near, 9)];
                b.packet(client_sent, second);
                b.taken(place(2, 101));
                b.packet(client_sent, second);
                assert_eq!((b.taken(place(2, 101)), b.taken(far), b.taken(near)), (near, near, near));
            }
        }
    }

    #[test]
    fn within_one_segment_the_hardware_address_tells_the_places_apart() {
        let mut b = Bench::new();
        assert_eq!(b.packet(true, [(0, 63, 100), (0, 64, 9)])[1], moved(place(0, 100), place(0, 9)));
        assert_eq!(b.taken(place(0, 100)), place(0, 9));
        assert_eq!(b.taken(place(0, 55)), place(0, 55), "another address is another host");
    }

    #[test]
    fn three_places_in_any_order_give_the_nearest() {
        let copies = [(1, 64, 9), (2, 63, 100), (3, 62, 101)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut b = Bench::new();
            b.packet(true, order.map(|i: usize| copies[i]));
            for (segment, _, n) in copies {
                assert_eq!(b.taken(place(segment, n)), place(1, 9), "{order:?}");
            }
        }
    }

    /// Tagged and untagged, or inside and outside of a tunnelled mirror.
    #[test]
    fn of_copies_without_a_router_between_the_first_stands() {
        let mut b = Bench::new();
        assert_eq!(b.packet(true, [(1, 64, 9), (2, 64, 9)])[1], moved(place(2, 9), place(1, 9)));
        assert_eq!(b.packet(true, [(2, 64, 9), (1, 64, 9)])[1], Verdict::Copy);
        assert_eq!((b.taken(place(2, 9)), b.taken(place(1, 9))), (place(1, 9), place(1, 9)));
        // What has no hardware addresses may be either's.
        let mut b = Bench::new();
        b.packet(true, [(1, 64, 9)]);
        let bare =
            Arrival { ts: Timestamp(b.now), ttl: 64, segment: 3, src_mac: None, dst_mac: None, rest: None, held: 0 };
        let got = b.d.judge(digest(b.number), bare, (CLIENT, SERVER), || true, &mut b.ledger).verdict;
        assert_eq!(got, moved(Place { segment: 3, mac: None }, place(1, 9)));
    }

    #[test]
    fn equal_packets_of_two_hosts_are_no_copies() {
        // Two machines of one make in two VLANs: another hardware address, but
        // no router between.
        let mut b = Bench::new();
        assert_eq!(b.packet(true, [(1, 64, 9), (2, 64, 10)]), [Verdict::Fresh, Verdict::Fresh]);
        // Two systems with other initial TTLs.
        assert_eq!(b.packet(true, [(1, 64, 9), (2, 128, 10)]), [Verdict::Fresh, Verdict::Fresh]);
        assert!(b.d.far.is_empty());
    }

    #[test]
    fn what_the_client_sent_proves_more_than_what_it_got() {
        // A middle box that restores the TTL of what passes through.
        let mut b = Bench::new();
        b.packet(false, [(1, 60, 9), (2, 59, 100)]);
        assert_eq!(b.taken(place(1, 9)), place(2, 100));
        assert_eq!(b.packet(true, [(1, 64, 9), (2, 63, 100)])[1], moved(place(2, 100), place(1, 9)));
        assert_eq!(b.packet(false, [(1, 60, 9), (2, 59, 100)])[1], Verdict::Copy);
        assert_eq!((b.taken(place(1, 9)), b.taken(place(2, 100))), (place(1, 9), place(1, 9)));
    }

    #[test]
    fn a_host_that_moves_is_followed_and_a_silent_one_forgotten() {
        let mut b = Bench::new();
        b.packet(true, [(1, 64, 9), (2, 63, 100)]);
        assert_eq!(b.packet(true, [(2, 64, 9), (1, 63, 101)])[1], moved(place(1, 101), place(2, 9)));
        assert_eq!((b.taken(place(1, 101)), b.taken(place(2, 9))), (place(2, 9), place(2, 9)));
        // Another machine gets the address.
        b.packet(true, [(2, 64, 10), (1, 63, 101)]);
        assert_eq!(b.taken(place(1, 101)), place(2, 10));
        b.now += MEMORY + SECOND;
        assert_eq!(b.taken(place(1, 101)), place(1, 101));
    }

    #[test]
    fn tables_are_bounded_and_say_what_they_forget() {
        let mut b = Bench::new();
        for _ in 0..10_000 {
            b.now -= SECOND;
            b.packet(true, [(1, 64, 9)]);
        }
        assert_eq!(b.d.seen.len(), PLACES);
        let lost = b.ledger.total().get(Counter::DuplicatesForgotten);
        assert!((9_000..10_000).contains(&lost), "{lost}");
        for i in 0..2000u32 {
            b.number += 1;
            let client = Addr::v4([10, 1, (i >> 8) as u8, i as u8]);
            for (segment, ttl) in [(1, 64), (2, 63)] {
                let a = Arrival {
                    ts: Timestamp(b.now),
                    ttl,
                    segment,
                    src_mac: mac(ttl),
                    dst_mac: None,
                    rest: None,
                    held: 0,
                };
                b.d.judge(digest(b.number), a, (client, SERVER), || true, &mut b.ledger);
            }
        }
        assert_eq!((b.d.far.len(), b.d.near.len()), (MAX_FAR, MAX_FAR));
        // Whoever has a far place is looked up.
        let sent = |src: Addr| Packet { src, dst: SERVER, ..blank() };
        assert!(b.d.far.keys().all(|(client, ..)| !b.d.knows_neither(&sent(*client))));
        assert_eq!(b.ledger.total().get(Counter::TableEvicted), 2000 - MAX_FAR as u64);
    }

    #[test]
    fn the_client_is_the_same_in_both_directions() {
        let p = Packet { src: CLIENT, dst: SERVER, sport: 40_000, dport: 443, ..blank() };
        let back = Packet { src: SERVER, dst: CLIENT, sport: 443, dport: 40_000, ..blank() };
        assert!(sender_is_client(&p, |_| false) && !sender_is_client(&back, |_| false));
        let home = |a: &Addr| *a == SERVER;
        assert!(!sender_is_client(&p, home) && sender_is_client(&back, home));
    }
}
