//! Reads the messages that say who has an address, and judges how much each
//! proves.
//!
//! Anybody on a link can say anything, so a message proves something only if
//! it answers a question that was seen, within two seconds, and came from
//! another station than asked; or if the same was said before, at least a
//! second and at most an hour ago. What DHCP grants must have been requested
//! within a minute, in the same transaction, by the client it is granted to.
//! All else is a lone claim: it prolongs what is known, and makes nothing
//! known. A station that does not send from the hardware address it tells of
//! is not believed at all.
//!
//! This runs where frames are dealt to the shards, before any shard: what a
//! client asks for has no address yet, or another's, and would meet its answer
//! in no shard.

use super::claims::{Claim, ClaimKind, Proof, Words};
use super::generations::Generations;
use crate::base::time::SECOND;
use crate::base::{Addr, Mac, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::packet::{Notice, NoticeKind, Packet, Transport};
use crate::protocol::arp::Arp;
use crate::protocol::dhcp::{v4, v6};
use crate::protocol::nd::{Discovery, Kind};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;

/// Questions, lone claims and DHCP exchanges remembered in each of two
/// generations.
const ASKED: usize = 1792;
const LONE: usize = 1792;
const EXCHANGES: usize = 224;

/// An answer that comes later answers nothing.
const ANSWERED: i64 = 2 * SECOND;
/// The same claim again counts as another one after so long, and so long it is
/// remembered: copies of a frame come sooner.
const APART: i64 = SECOND;
const REMEMBERED: i64 = 3600 * SECOND;
/// A server's word belongs to a client's within this time.
const EXCHANGE: i64 = 60 * SECOND;
/// Longest time that a lease is taken to hold without a renewal.
const MAX_LEASE: i64 = 86_400;
/// Octets of the longest name and client id that are kept.
const MAX_NAME: usize = 64;
const MAX_ID: usize = 32;

/// What a client asked for.
#[derive(Debug)]
struct Exchange {
    at: Timestamp,
    mac: Option<Mac>,
    words: Option<Box<Words>>,
}

/// The memory between such messages, of all shards together.
#[derive(Debug)]
pub struct Neighbours {
    /// When an address was last asked for, and by whom, by segment.
    asked: Generations<(u32, Addr), (Timestamp, Option<Mac>)>,
    /// When a claim was first made.
    lone: Generations<(u32, Addr, Mac), Timestamp>,
    /// By segment and transaction.
    exchanges: Generations<(u32, u128), Exchange>,
    state: RandomState,
}

/// Where a message was captured, and where goes what it claims.
struct Sink<'s> {
    segment: u32,
    claims: &'s mut Vec<Claim>,
    ledger: &'s mut Ledger,
}

impl Sink<'_> {
    /// Takes a message with `read`, and counts it and what it claims.
    fn take(mut self, read: impl FnOnce(&mut Self) -> Option<()>) {
        let before = self.claims.len();
        if read(&mut self).is_none() {
            self.ledger.count(Counter::ClaimsRefused);
        }
        let new = self.claims.get(before..).unwrap_or(&[]);
        for claim in new.iter().filter(|c| c.proof != Proof::Ends) {
            self.ledger.count(Counter::AddressClaims);
            self.ledger.add(Counter::AddressClaimsLone, (claim.proof == Proof::Lone).into());
        }
    }
}

impl Default for Neighbours {
    fn default() -> Self {
        Neighbours::new()
    }
}

/// Whether a segment may hold a message of DHCP: a look at its ports.
#[inline]
pub fn may_be_dhcp(transport: Transport, dport: u16) -> bool {
    transport == Transport::Udp && matches!(dport, 67 | 68 | 546 | 547)
}

fn within(span: i64, a: Timestamp, b: Timestamp) -> bool {
    a.since(b).abs() <= span
}

/// A group address identifies nobody, nor does zero.
fn station(mac: Option<Mac>) -> Option<Mac> {
    mac.filter(|m| m.0.first().is_some_and(|b| b & 1 == 0) && m.0 != [0; 6])
}

/// Whether two hardware addresses may be one station's.
fn agree(a: Option<Mac>, b: Mac) -> bool {
    a.is_none_or(|a| a == b)
}

fn is_link_local(ip: &Addr) -> bool {
    matches!(ip.0, [0xfe, b, ..] if b & 0xc0 == 0x80)
}

/// When a lease of so many seconds ends.
fn lease_end(ts: Timestamp, secs: Option<u32>) -> Timestamp {
    ts.plus(i64::from(secs.unwrap_or(0)).min(MAX_LEASE).saturating_mul(SECOND))
}

/// A client id as kept: a DUID for itself, also where it stands in option 61
/// (RFC 4361 section 6.1), so that both protocols give the same. Nothing for
/// an id that only repeats the hardware address.
fn client_id(id: &[u8], mac: Option<Mac>) -> Option<Box<str>> {
    let id = match id {
        [255, _, _, _, _, duid @ ..] => duid,
        [1, hardware @ ..] if mac.is_some_and(|m| m.0 == hardware) => return None,
        _ => id,
    };
    if !(2..=MAX_ID).contains(&id.len()) {
        return None;
    }
    Some(id.iter().map(|b| format!("{b:02x}")).collect::<String>().into())
}

fn words(name: Option<crate::base::Name>, client_id: Option<Box<str>>) -> Option<Box<Words>> {
    let name = name.filter(|n| n.as_bytes().len() <= MAX_NAME).map(|n| n.as_str().into());
    (name.is_some() || client_id.is_some()).then(|| Box::new(Words { name, client_id }))
}

impl Neighbours {
    /// Most bytes of all that is remembered.
    pub const MOST_BYTES: usize = Generations::<(u32, Addr), (Timestamp, Option<Mac>)>::most_bytes(ASKED)
        .saturating_add(Generations::<(u32, Addr, Mac), Timestamp>::most_bytes(LONE))
        .saturating_add(Generations::<(u32, u128), Exchange>::most_bytes(EXCHANGES))
        .saturating_add((2 * EXCHANGES).saturating_mul(size_of::<Words>().saturating_add(3 * 16 + 2 * MAX_NAME)));

    /// Nothing was heard yet.
    pub fn new() -> Self {
        Neighbours {
            asked: Generations::new(ASKED),
            lone: Generations::new(LONE),
            exchanges: Generations::new(EXCHANGES),
            state: RandomState::default(),
        }
    }

    /// Another capture begins.
    pub fn start_anew(&mut self) {
        self.asked.clear();
        self.lone.clear();
        self.exchanges.clear();
    }

    /// Takes an ARP or neighbour discovery message, and adds what it claims to
    /// `out`.
    pub fn notice(&mut self, n: &Notice, bytes: &[u8], segment: u32, out: &mut Vec<Claim>, ledger: &mut Ledger) {
        Sink { segment, claims: out, ledger }.take(|sink| match n.kind {
            NoticeKind::Arp => self.arp(n, bytes, sink),
            NoticeKind::Nd => self.discovery(n, bytes, sink),
        });
    }

    /// The same of a datagram that [`may_be_dhcp`].
    pub fn dhcp(&mut self, p: &Packet, payload: &[u8], segment: u32, out: &mut Vec<Claim>, ledger: &mut Ledger) {
        Sink { segment, claims: out, ledger }.take(|sink| match p.dport {
            _ if p.payload_missing > 0 => None,
            67 | 68 => self.dhcp_v4(p, payload, sink),
            _ => self.dhcp_v6(p, payload, sink),
        });
    }

    fn arp(&mut self, n: &Notice, bytes: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let message = Arp::read(bytes)?;
        let mac = station(Some(message.sender_mac)).filter(|m| agree(station(n.src_mac), *m))?;
        if message.request && !message.is_announcement() {
            self.asks(message.target, n.ts, Some(mac), sink);
        }
        if message.is_probe() {
            return Some(());
        }
        let asker = (!message.request && !message.is_announcement()).then_some(Some(message.target_mac));
        let proof = self.weigh(message.sender, mac, asker, n.ts, sink);
        sink.claims.push(Claim { router: false, ..claim(n.ts, ClaimKind::Arp, message.sender, Some(mac), proof) });
        Some(())
    }

    fn discovery(&mut self, n: &Notice, bytes: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let message = Discovery::read(bytes, n.hop_limit)?;
        let sender = station(n.src_mac);
        if let (Kind::Solicitation, Some(target)) = (message.kind, message.target) {
            self.asks(target, n.ts, sender, sink);
        }
        let Some(ip) = message.claimed(&n.src) else { return Some(()) };
        // Without the option it is the link's header that tells.
        let mac = station(message.link.or(sender)).filter(|m| agree(sender, *m))?;
        let solicited = matches!(message.kind, Kind::Advertisement { .. });
        let proof = self.weigh(ip, mac, solicited.then_some(None), n.ts, sink);
        sink.claims.push(Claim { router: message.is_router(), ..claim(n.ts, ClaimKind::Nd, ip, Some(mac), proof) });
        Some(())
    }

    /// Somebody asks who has an address.
    fn asks(&mut self, target: Addr, ts: Timestamp, by: Option<Mac>, sink: &mut Sink<'_>) {
        let gone = self.asked.insert((sink.segment, target), (ts, by), |(at, _)| within(ANSWERED, *at, ts));
        sink.ledger.add(Counter::ClaimsForgotten, gone);
    }

    /// How much it proves that a station says to have an address. `answers` is
    /// set for an answer, and holds whom it is for, where the message says so.
    fn weigh(&mut self, ip: Addr, mac: Mac, answers: Option<Option<Mac>>, ts: Timestamp, sink: &mut Sink<'_>) -> Proof {
        let segment = sink.segment;
        if let (Some(to), Some((at, by))) = (answers, self.asked.get(&(segment, ip)))
            && within(ANSWERED, ts, *at)
            && *by != Some(mac)
            && (to.is_none() || by.is_none() || to == *by)
        {
            return Proof::Sound;
        }
        let key = (segment, ip, mac);
        let first = self.lone.take(&key).filter(|first| within(REMEMBERED, ts, *first)).unwrap_or(ts);
        let again = ts.since(first) >= APART;
        // From the newest of two that are apart the hour begins anew.
        let kept = if again { ts.plus(-APART) } else { first };
        sink.ledger.add(Counter::ClaimsForgotten, self.lone.insert(key, kept, |at| within(REMEMBERED, *at, ts)));
        if again { Proof::Sound } else { Proof::Lone }
    }

    fn dhcp_v4(&mut self, p: &Packet, payload: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let m = v4::Message::read(payload)?;
        sink.ledger.count(Counter::DhcpMessages);
        let mac = station(m.client)?;
        let number = mac.0.iter().fold(0, |n: u128, b| n << 8 | u128::from(*b));
        let key = (sink.segment, number << 32 | u128::from(m.xid));
        match m.kind {
            v4::Kind::Request | v4::Kind::Inform => {
                let id = m.client_id.and_then(|id| client_id(id, Some(mac)));
                self.begins(key, Exchange { at: p.ts, mac: Some(mac), words: words(m.name(), id) }, sink.ledger);
            }
            v4::Kind::Release => {
                // Only the one who has an address can send from it.
                let ip = m.has.filter(|ip| *ip == p.src || m.relay.is_some())?;
                sink.claims.push(claim(p.ts, ClaimKind::Dhcp, ip, Some(mac), Proof::Ends));
            }
            v4::Kind::Decline => sink.claims.push(claim(p.ts, ClaimKind::Dhcp, m.wanted?, Some(mac), Proof::Ends)),
            v4::Kind::Ack => {
                let ip = m.given.or(m.has)?;
                let asked = self.exchanges.get(&key).filter(|e| within(EXCHANGE, p.ts, e.at));
                let words = asked.and_then(|e| e.words.clone());
                // To a client that only informs itself the server says nothing
                // of whose address it is.
                let granted = asked.is_some() && m.given.is_some();
                let proof = if granted { Proof::Sound } else { self.weigh(ip, mac, None, p.ts, sink) };
                let words = words.filter(|_| proof == Proof::Sound);
                let until = lease_end(p.ts, m.lease.filter(|_| m.given.is_some()));
                sink.claims.push(Claim { until, words, ..claim(p.ts, ClaimKind::Dhcp, ip, Some(mac), proof) });
            }
            v4::Kind::Discover | v4::Kind::Offer | v4::Kind::Nak => {}
        }
        Some(())
    }

    fn dhcp_v6(&mut self, p: &Packet, payload: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let m = v6::Message::read(payload)?;
        sink.ledger.count(Counter::DhcpMessages);
        let duid = m.client?;
        // Above the numbers of DHCP for IPv4.
        let key = (sink.segment, 1 << 127 | u128::from(self.state.hash_one(duid)) << 32 | u128::from(m.xid));
        let direct = |ip: &Addr, mac| station(mac).filter(|_| m.relay.is_none() && is_link_local(ip));
        match m.kind {
            v6::Kind::Solicit | v6::Kind::Request | v6::Kind::Renew | v6::Kind::Rebind => {
                let relayed = station(m.relay.and_then(|r| r.link));
                let mac = relayed.or_else(|| direct(&p.src, p.src_mac));
                let words = words(m.name(), client_id(duid, mac));
                self.begins(key, Exchange { at: p.ts, mac, words }, sink.ledger);
            }
            v6::Kind::Release | v6::Kind::Decline => {
                let ends = m.addresses.iter().map(|a| claim(p.ts, ClaimKind::Dhcpv6, a.ip, None, Proof::Ends));
                sink.claims.extend(ends);
            }
            v6::Kind::Reply => {
                let asked = self.exchanges.get(&key).filter(|e| within(EXCHANGE, p.ts, e.at));
                let sound = asked.is_some();
                let words = asked.and_then(|e| e.words.clone());
                let mac = asked.and_then(|e| e.mac).or_else(|| direct(&p.dst, p.dst_mac));
                for a in &m.addresses {
                    let proof = match mac {
                        _ if a.valid == 0 => Proof::Ends,
                        _ if sound => Proof::Sound,
                        Some(mac) => self.weigh(a.ip, mac, None, p.ts, sink),
                        None => Proof::Lone,
                    };
                    let until = lease_end(p.ts, Some(a.valid));
                    let words = words.clone();
                    sink.claims.push(Claim { until, words, ..claim(p.ts, ClaimKind::Dhcpv6, a.ip, mac, proof) });
                }
            }
            v6::Kind::Advertise | v6::Kind::Confirm | v6::Kind::InformationRequest => {}
        }
        Some(())
    }

    /// A client asked a server.
    fn begins(&mut self, key: (u32, u128), exchange: Exchange, ledger: &mut Ledger) {
        let now = exchange.at;
        let gone = self.exchanges.insert(key, exchange, |e| within(EXCHANGE, e.at, now));
        ledger.add(Counter::ClaimsForgotten, gone);
    }
}

/// A claim that holds for the moment, without words.
fn claim(ts: Timestamp, kind: ClaimKind, ip: Addr, mac: Option<Mac>, proof: Proof) -> Claim {
    Claim { ts, kind, ip, mac, proof, until: ts, router: false, words: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
