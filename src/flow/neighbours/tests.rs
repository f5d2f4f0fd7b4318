//! What is believed of who has an address.

use super::*;
use crate::packet::EncapId;
use crate::packet::testing::blank;
use crate::protocol::dhcp::v4::tests::{MAC as CLIENT_MAC, message};
use crate::protocol::dhcp::v6::tests as six;

const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B: Mac = Mac([2, 0, 0, 0, 0, 2]);
const CLIENT: Mac = Mac(CLIENT_MAC);

struct Link {
    state: Neighbours,
    ledger: Ledger,
    now: Timestamp,
    segment: u32,
}

impl Link {
    fn new() -> Self {
        Link { state: Neighbours::new(), ledger: Ledger::new(), now: Timestamp(0), segment: 0 }
    }

    fn wait(&mut self, millis: i64) -> &mut Self {
        self.now = self.now.plus(millis * 1_000_000);
        self
    }

    fn notice(&mut self, kind: NoticeKind, from: Mac, src: Addr, bytes: &[u8]) -> Vec<Claim> {
        let n = Notice {
            ts: self.now,
            kind,
            src,
            hop_limit: 255,
            offset: 0,
            len: 0,
            encap: EncapId(0),
            src_mac: Some(from),
        };
        let mut out = Vec::new();
        self.state.notice(&n, bytes, self.segment, &mut out, &mut self.ledger);
        out
    }

    fn arp(&mut self, frame_from: Mac, operation: u8, sender: (Mac, u8), target: (Mac, u8)) -> Vec<Proof> {
        let ip = |n: u8| if n == 0 { [0; 4] } else { [10, 0, 0, n] };
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        let bytes = [&head[..], &sender.0.0, &ip(sender.1), &target.0.0, &ip(target.1)].concat();
        let claims = self.notice(NoticeKind::Arp, frame_from, Addr::default(), &bytes);
        claims.iter().for_each(|c| assert_eq!((c.ip, c.mac), (Addr::v4(ip(sender.1)), Some(sender.0))));
        claims.iter().map(|c| c.proof).collect()
    }

    fn ask(&mut self, by: (Mac, u8), whom: u8) -> Vec<Proof> {
        self.arp(by.0, 1, by, (Mac([0; 6]), whom))
    }

    fn reply(&mut self, by: (Mac, u8), to: (Mac, u8)) -> Vec<Proof> {
        self.arp(by.0, 2, by, to)
    }

    fn datagram(&mut self, src: (Addr, Mac), dst: (Addr, Mac), ports: (u16, u16), payload: &[u8]) -> Vec<Claim> {
        let p = Packet {
            ts: self.now,
            src: src.0,
            dst: dst.0,
            sport: ports.0,
            dport: ports.1,
            src_mac: Some(src.1),
            dst_mac: Some(dst.1),
            transport: Transport::Udp,
            ..blank()
        };
        assert!(may_be_dhcp(p.transport, p.dport));
        let mut out = Vec::new();
        self.state.dhcp(&p, payload, self.segment, &mut out, &mut self.ledger);
        out
    }

    fn dhcp(&mut self, kind: u8, has: u8, given: u8, options: &[(u8, &[u8])]) -> Vec<Claim> {
        let ip = |n: u8| if n == 0 { [0; 4] } else { [10, 0, 0, n] };
        let bytes = message(kind, ip(has), ip(given), options);
        let to_server = !matches!(kind, 2 | 5 | 6);
        let (us, them) = ((Addr::v4(ip(has)), CLIENT), (Addr::v4([10, 0, 0, 1]), A));
        if to_server { self.datagram(us, them, (68, 67), &bytes) } else { self.datagram(them, us, (67, 68), &bytes) }
    }

    fn count(&mut self, counter: Counter) -> u64 {
        self.ledger.total().get(counter)
    }
}

use Proof::{Ends, Lone, Sound};

#[test]
fn an_answer_to_a_question_is_sound_and_the_question_is_not() {
    let mut link = Link::new();
    assert_eq!(link.ask((A, 1), 2), [Lone]);
    assert_eq!(link.reply((B, 2), (A, 1)), [Sound]);
    assert_eq!((link.count(Counter::AddressClaims), link.count(Counter::AddressClaimsLone)), (2, 1));
}

#[test]
fn answers_that_nobody_waits_for_are_lone() {
    let mut link = Link::new();
    assert_eq!(link.reply((B, 2), (A, 1)), [Lone], "nobody asked");
    link.ask((A, 1), 3);
    assert_eq!(link.wait(2001).reply((B, 3), (A, 1)), [Lone], "too late");
    link.ask((A, 1), 4);
    assert_eq!(link.reply((A, 4), (A, 1)), [Lone], "asked by itself");
    link.ask((A, 1), 5);
    assert_eq!(link.reply((B, 5), (Mac([2, 0, 0, 0, 0, 9]), 9)), [Lone], "for another");
    link.ask((A, 1), 6);
    link.segment = 7;
    assert_eq!(link.reply((B, 6), (A, 1)), [Lone], "in another segment");
}

#[test]
fn what_is_said_again_after_a_second_is_sound() {
    let mut link = Link::new();
    let announce = |link: &mut Link| link.arp(A, 1, (A, 1), (Mac([0; 6]), 1));
    assert_eq!(announce(&mut link), [Lone]);
    assert_eq!(announce(link.wait(1)), [Lone], "a copy of the frame");
    assert_eq!(announce(link.wait(1000)), [Sound]);
    assert_eq!(announce(&mut link), [Sound]);
    assert_eq!(announce(link.wait(3_500_000)), [Sound]);
    assert_eq!(announce(link.wait(3_602_000)), [Lone], "forgotten after an hour");
    // Another station's word on the address is another claim.
    assert_eq!(link.wait(5000).arp(B, 1, (B, 1), (Mac([0; 6]), 1)), [Lone]);
}

#[test]
fn probes_claim_nothing_and_are_questions() {
    let mut link = Link::new();
    assert_eq!(link.arp(A, 1, (A, 0), (Mac([0; 6]), 2)), []);
    assert_eq!(link.reply((B, 2), (A, 0)), [Sound]);
    assert_eq!(link.count(Counter::ClaimsRefused), 0);
}

#[test]
fn who_sends_from_another_address_is_not_believed() {
    let mut link = Link::new();
    assert_eq!(link.arp(B, 1, (A, 1), (Mac([0; 6]), 2)), []);
    assert_eq!(link.arp(A, 1, (Mac([1, 0, 0, 0, 0, 1]), 1), (Mac([0; 6]), 2)), [], "a group's");
    assert_eq!(link.notice(NoticeKind::Arp, A, Addr::default(), &[0; 28]), []);
    assert_eq!(link.count(Counter::ClaimsRefused), 3);
    assert_eq!(link.reply((B, 2), (A, 1)), [Lone], "nor is it asked by them");
}

fn nd(kind: u8, flags: u8, target: &str, option: Option<(u8, Mac)>) -> Vec<u8> {
    let target: Addr = target.parse().unwrap();
    let mut bytes = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &target.0].concat();
    if let Some((code, mac)) = option {
        bytes.extend([&[code, 1][..], &mac.0].concat());
    }
    bytes
}

#[test]
fn neighbour_discovery_is_judged_alike() {
    let addr = |text: &str| -> Addr { text.parse().unwrap() };
    let mut link = Link::new();
    let mut send = |from: Mac, src: &str, bytes: &[u8]| {
        let claims = link.notice(NoticeKind::Nd, from, addr(src), bytes);
        link.wait(10);
        claims.into_iter().map(|c| (c.ip.to_string(), c.mac, c.proof, c.router)).collect::<Vec<_>>()
    };
    let one = |ip: &str, mac, proof, router| vec![(ip.to_owned(), Some(mac), proof, router)];
    assert_eq!(send(A, "fe80::1", &nd(135, 0, "fe80::2", Some((1, A)))), one("fe80::1", A, Lone, false));
    // Without the option the frame tells the address.
    assert_eq!(send(B, "fe80::2", &nd(136, 0xc0, "fe80::2", None)), one("fe80::2", B, Sound, true));
    assert_eq!(send(B, "fe80::2", &nd(136, 0x20, "fe80::3", Some((2, B)))), one("fe80::3", B, Lone, false));
    // Who looks for duplicates has no address yet; who answers has.
    assert_eq!(send(A, "::", &nd(135, 0, "fe80::4", None)), []);
    assert_eq!(send(B, "fe80::4", &nd(136, 0x20, "fe80::4", Some((2, B)))), one("fe80::4", B, Sound, false));
    let advert = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8], &[1, 1], &B.0].concat();
    assert_eq!(send(B, "fe80::9", &advert), one("fe80::9", B, Lone, true));
    assert_eq!(send(B, "fe80::9", &nd(136, 0, "fe80::5", Some((2, A)))), [], "of another's address");
    assert_eq!(link.count(Counter::ClaimsRefused), 1);
}

fn one(claims: Vec<Claim>) -> Claim {
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.into_iter().next().unwrap()
}

#[test]
fn a_lease_that_was_requested_is_sound_and_names_its_client() {
    let mut link = Link::new();
    assert_eq!(link.dhcp(3, 0, 0, &[(50, &[10, 0, 0, 5]), (12, b"PC-17"), (61, b"\0laptop")]), []);
    let claim = one(link.wait(5).dhcp(5, 0, 5, &[(51, &[0, 0, 14, 16])]));
    assert_eq!((claim.ip, claim.mac, claim.proof), (Addr::v4([10, 0, 0, 5]), Some(CLIENT), Sound));
    assert_eq!(claim.until.since(claim.ts), 3600 * SECOND);
    let words = claim.words.unwrap();
    assert_eq!((words.name.as_deref(), words.client_id.as_deref()), (Some("pc-17"), Some("006c6170746f70")));
    assert_eq!(link.count(Counter::DhcpMessages), 2);
}

#[test]
fn a_lease_that_nobody_requested_is_a_lone_claim_without_a_name() {
    let mut link = Link::new();
    let grant = |link: &mut Link| one(link.dhcp(5, 0, 5, &[(51, &[0, 0, 14, 16]), (12, b"made-up")]));
    let claim = grant(&mut link);
    assert_eq!((claim.proof, claim.words), (Lone, None));
    assert_eq!(grant(link.wait(5000)).proof, Sound, "renewed");
    // Offers and refusals give nothing; another transaction is another.
    assert!(link.dhcp(2, 0, 6, &[]).is_empty() && link.dhcp(6, 0, 0, &[]).is_empty());
    link.dhcp(3, 0, 0, &[(12, b"pc")]);
    assert_eq!(one(link.wait(61_000).dhcp(5, 0, 7, &[])).proof, Lone, "too late");
}

#[test]
fn leases_are_taken_for_a_day_at_most_and_can_be_given_back() {
    let mut link = Link::new();
    link.dhcp(3, 0, 0, &[]);
    for (lease, want) in [(&[255; 4][..], 86_400), (&[0, 0, 0, 9], 9)] {
        let claim = one(link.dhcp(5, 0, 5, &[(51, lease)]));
        assert_eq!(claim.until.since(claim.ts), want * SECOND);
    }
    // What answers an inform grants nothing: it repeats what the client said.
    let mut link = Link::new();
    for proof in [Lone, Sound] {
        link.wait(5000).dhcp(8, 5, 0, &[(12, b"pc")]);
        let claim = one(link.dhcp(5, 5, 0, &[(51, &[0, 0, 14, 16])]));
        assert_eq!((claim.until, claim.proof, claim.ip), (claim.ts, proof, Addr::v4([10, 0, 0, 5])));
    }
    assert_eq!(one(link.dhcp(7, 5, 0, &[])).proof, Ends);
    assert_eq!(one(link.dhcp(4, 0, 0, &[(50, &[10, 0, 0, 5])])).proof, Ends);
    let forged = message(7, [10, 0, 0, 5], [0; 4], &[]);
    let other = (Addr::v4([10, 0, 0, 66]), B);
    assert!(link.datagram(other, other, (68, 67), &forged).is_empty(), "given back by another");
}

#[test]
fn ids_that_say_nothing_new_are_left_out() {
    let of = |id: &[u8]| client_id(id, Some(CLIENT)).map(String::from);
    assert_eq!(of(&[&[1][..], &CLIENT.0].concat()), None);
    assert_eq!(of(&[&[1][..], &A.0].concat()).as_deref(), Some("01020000000001"));
    // A DUID is the same in both protocols.
    assert_eq!(of(&[&[255, 9, 9, 9, 9][..], six::DUID].concat()), of(six::DUID));
    assert_eq!((of(&[7; 33]), of(&[7])), (None, None));
}

#[test]
fn leases_of_ipv6_are_tied_by_their_transaction() {
    let addr = |text: &str| -> Addr { text.parse().unwrap() };
    let (client, all) = ((addr("fe80::5"), CLIENT), (addr("ff02::1:2"), Mac([0x33, 0x33, 0, 1, 0, 2])));
    let server = (addr("fe80::1"), A);
    let fqdn = six::option(39, b"\x01\x05PC-17\x04corp\0");
    let request = six::message(3, &[six::option(1, six::DUID), fqdn]);
    let granted = |valid| six::message(7, &[six::option(1, six::DUID), six::ia_na(&six::address("fd00::5", valid))]);
    let mut link = Link::new();
    // Unasked for, but the server sends it to the client's hardware address.
    let claim = one(link.datagram(server, client, (547, 546), &granted(3600)));
    assert_eq!((claim.proof, claim.mac), (Lone, Some(CLIENT)));
    assert!(link.datagram(client, all, (546, 547), &request).is_empty());
    let claim = one(link.datagram(server, client, (547, 546), &granted(3600)));
    assert_eq!((claim.proof, claim.ip, claim.mac), (Sound, addr("fd00::5"), Some(CLIENT)));
    let words = claim.words.unwrap();
    assert_eq!((words.name.as_deref(), words.client_id.is_some()), (Some("pc-17.corp"), true));
    assert_eq!(one(link.datagram(server, client, (547, 546), &granted(0))).proof, Ends);
    let release = six::message(8, &[six::option(1, six::DUID), six::ia_na(&six::address("fd00::5", 0))]);
    assert_eq!(one(link.datagram(client, all, (546, 547), &release)).proof, Ends);
    // Through a router's hands hardware addresses are the router's.
    let far = (addr("fd00::99"), B);
    link.wait(61_000);
    assert_eq!(one(link.datagram(server, far, (547, 547), &granted(9))).mac, None);
}

#[test]
fn cut_and_foreign_datagrams_are_refused() {
    let mut link = Link::new();
    assert!(link.datagram((A_IP, A), (A_IP, B), (1, 67), b"hello").is_empty());
    let p = Packet { transport: Transport::Udp, dport: 68, payload_missing: 1, ..blank() };
    let bytes = message(5, [0; 4], [10, 0, 0, 5], &[]);
    link.state.dhcp(&p, &bytes, 0, &mut Vec::new(), &mut link.ledger);
    assert_eq!((link.count(Counter::ClaimsRefused), link.count(Counter::DhcpMessages)), (2, 0));
    assert!(!may_be_dhcp(Transport::Tcp, p.dport) && !may_be_dhcp(p.transport, 69));
}

const A_IP: Addr = Addr::v4([10, 0, 0, 1]);

/// Questions, claims and requests of stations that do not exist fill tables of
/// a fixed size; answers to questions that were just asked still count.
#[test]
fn floods_are_bounded_and_counted() {
    let mut link = Link::new();
    let made_up = |n: u32| {
        let [_, b, c, d] = n.to_be_bytes();
        Mac([2, 9, b, c, d, 0])
    };
    let total = 20_000;
    for n in 0..total {
        let mac = made_up(n);
        let ip = Addr::v4([10, 1, (n >> 8) as u8, n as u8]);
        let (src, whom) = (ip.as_v4().unwrap(), [10, 2, (n >> 8) as u8, n as u8]);
        let bytes = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac.0, &src, &[0; 6], &whom].concat();
        let claims = link.notice(NoticeKind::Arp, mac, Addr::default(), &bytes);
        assert!(claims.iter().all(|c| c.proof == Lone));
        let mut request = message(3, [0; 4], [0; 4], &[(12, &[b'x'; 60])]);
        request[28..34].copy_from_slice(&mac.0);
        link.datagram((Addr::default(), mac), (ip, A), (68, 67), &request);
        link.now = link.now.plus(10_000);
    }
    // One generation of each table is known at least, two at most.
    let (all, generation) = (u64::from(total) * 3, (ASKED + LONE + EXCHANGES) as u64);
    let forgotten = link.count(Counter::ClaimsForgotten);
    assert!((all - 2 * generation..=all - generation).contains(&forgotten), "{forgotten}");
    assert_eq!(link.ask((A, 1), 2), [Lone]);
    assert_eq!(link.reply((B, 2), (A, 1)), [Sound]);
    link.state.start_anew();
    assert_eq!(link.reply((B, 2), (A, 1)), [Lone]);
}
