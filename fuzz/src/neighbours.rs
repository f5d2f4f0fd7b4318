//! Messages that say who has an address.

use super::probe::cut;
use super::wire::Input;
use spansight::base::{Addr, Mac, Timestamp};
use spansight::coverage::{Counter, Ledger};
use spansight::flow::{Claim, Neighbours, Proof, may_be_dhcp};
use spansight::packet::{EncapId, Notice, NoticeKind, Packet, Transport};
use spansight::protocol::arp::Arp;
use spansight::protocol::dhcp::{v4, v6};
use spansight::protocol::nd::Discovery;

/// ARP and neighbour discovery, each behind two bytes (which of them, and
/// tenths of a second since the last) and its length.
pub fn link(data: &[u8]) {
    let mut input = Input(data);
    let mut state = Neighbours::new();
    let (mut ledger, mut claims) = (Ledger::new(), Vec::new());
    let mut ts = Timestamp(0);
    let mut messages = 0;
    while !input.is_empty() {
        let (what, wait, length) = (input.u8(), input.u8(), usize::from(input.u8()));
        let bytes = input.take(length);
        ts = ts.plus(i64::from(wait) * 100_000_000);
        let kind = if what & 1 == 0 { NoticeKind::Arp } else { NoticeKind::Nd };
        let src = Addr([what; 16]);
        let hop_limit = if what & 2 == 0 { 255 } else { 64 };
        let from = bytes.get(8..14).and_then(|m| m.try_into().ok()).map(Mac).filter(|_| what & 4 == 0);
        let n = Notice { ts, kind, src, hop_limit, offset: 0, len: 0, encap: EncapId(0), src_mac: from };
        claims.clear();
        state.notice(&n, bytes, u32::from(what >> 6), &mut claims, &mut ledger);
        messages += 1;
        assert!(claims.len() <= 1, "one message is one claim");
        for claim in &claims {
            assert_ne!(claim.ip, Addr([0; 16]));
            assert!(claim.until == ts && claim.words.is_none() && claim.proof != Proof::Ends);
            let station = from.filter(|m| m.0[0] & 1 == 0 && m.0 != [0; 6]);
            assert!(station.is_none_or(|m| claim.mac == Some(m)), "nobody speaks for another");
        }
        assert!(kind == NoticeKind::Nd || claims.is_empty() || Arp::read(bytes).is_some_and(|a| !a.is_probe()));
        assert!(kind == NoticeKind::Arp || claims.is_empty() || Discovery::read(bytes, 255).is_some());
    }
    let counts = ledger.total();
    let told = counts.get(Counter::AddressClaims) + counts.get(Counter::ClaimsRefused);
    assert!(told <= messages && counts.get(Counter::AddressClaimsLone) <= counts.get(Counter::AddressClaims));
}

/// What holds for a message of DHCP for IPv4, and for a part of it.
fn four(bytes: &[u8]) {
    let Some(m) = v4::Message::read(bytes) else { return };
    let values = [m.host_name, m.full_name, m.client_id, m.parameters, m.vendor];
    for value in values.into_iter().flatten() {
        assert!(value.len() <= 255 && bytes.as_ptr_range().contains(&value.as_ptr()) | value.is_empty());
    }
    assert!(m.name().is_none_or(|n| !n.is_empty() && n.as_bytes().len() <= 4 * 255));
}

/// The same for IPv6.
fn six(bytes: &[u8]) {
    let Some(m) = v6::Message::read(bytes) else { return };
    assert!(m.addresses.len() <= v6::MAX_ADDRESSES && m.client.is_none_or(|d| (3..=130).contains(&d.len())));
    assert!(m.client.and_then(v6::duid_mac).is_none_or(|mac| bytes.windows(6).any(|w| w == mac.0)));
    assert!(m.name().is_none_or(|n| !n.is_empty() && n.as_bytes().len() <= 4 * 255));
}

/// Messages of DHCP, of both versions, each behind a byte (its port, and
/// seconds since the last) and its length.
pub fn dhcp(data: &[u8]) {
    let mut input = Input(data);
    let mut state = Neighbours::new();
    let (mut ledger, mut claims): (_, Vec<Claim>) = (Ledger::new(), Vec::new());
    let mut ts = Timestamp(0);
    while !input.is_empty() {
        let (what, length) = (input.u8(), usize::from(input.u16()));
        let bytes = input.take(length);
        ts = ts.plus(i64::from(what >> 2) * 1_000_000_000);
        let dport = [67, 68, 546, 547][usize::from(what & 3)];
        let (src, dst) = (Addr([0xfe; 16]), Addr([0xfe; 16]));
        let p = Packet {
            ts,
            src,
            dst,
            sport: 0,
            dport,
            transport: Transport::Udp,
            flags: 0,
            ttl: 64,
            seq: 0,
            ack: 0,
            payload_offset: 0,
            payload_len: bytes.len() as u32,
            payload_missing: 0,
            encap: EncapId(0),
            src_mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            dst_mac: Some(Mac([2, 0, 0, 0, 0, 2])),
            in_arena: false,
            conflict: false,
        };
        assert!(may_be_dhcp(p.transport, p.dport));
        four(bytes);
        four(&bytes[..cut(bytes)]);
        six(bytes);
        six(&bytes[..cut(bytes)]);
        claims.clear();
        state.dhcp(&p, bytes, 0, &mut claims, &mut ledger);
        assert!(claims.len() <= v6::MAX_ADDRESSES);
        for claim in &claims {
            let lasts = claim.until.since(ts);
            assert!((0..=86_400 * 1_000_000_000).contains(&lasts), "a day at most");
            let words = claim.words.iter().flat_map(|w| [&w.name, &w.client_id]).flatten();
            assert!(
                words.clone().all(|w| !w.is_empty() && w.len() <= 64 && w.bytes().all(|b| (0x20..0x7f).contains(&b)))
            );
            assert!(words.count() == 0 || claim.proof == Proof::Sound || claim.proof == Proof::Ends);
        }
    }
}
