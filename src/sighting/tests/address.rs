//! Contacts with addresses that answers tied to names.

use super::super::testing_flow::*;
use super::super::{HomeNets, Record, Stage};
use crate::base::time::SECOND;
use crate::base::{Channel, Mac};
use crate::coverage::Counter;

const IP: [u8; 4] = [203, 0, 113, 9];

/// After a lookup with a lifetime of a minute.
fn told() -> Scene {
    let mut s = Scene::new();
    s.lookup(UPDATE, &[Rr::A(UPDATE, IP, 60)]);
    s
}

fn has_address(r: &Record) -> bool {
    r.channels.contains(&Channel::Address)
}

#[test]
fn a_refused_connection_is_an_attempt() {
    let mut s = told();
    Tcp::only_syn(&mut s, SERVER, 443).reset(&mut s);
    let seen = s.end();
    let r = seen.one();
    assert!(has_address(r));
    assert_eq!((r.stage, r.count, r.notes.as_slice()), (Stage::Attempted, 3, &["refused".to_owned()][..]));
    assert_eq!((r.servers[0].ip, r.servers[0].port, r.servers.len()), (addr(SERVER), 443, 1));
    let e = r.evidence.last().unwrap();
    assert_eq!((e.channel, e.frame, e.name.as_deref()), (Channel::Address, 3, Some(UPDATE)));
}

#[test]
fn only_within_the_lifetime_and_for_the_client_that_was_told() {
    let cases: [(i64, &str, bool); 4] =
        [(59, HOST, true), (61, HOST, false), (1, "10.0.0.6", false), (1, "198.51.100.1", false)];
    for (wait, client, counts) in cases {
        let mut s = told();
        s.wait(wait).udp((client, 6000), (SERVER, 4000), b"hello");
        assert_eq!(has_address(s.end().one()), counts, "{wait} {client}");
    }
}

/// A third host that asks in this one's name does not name its connections.
#[test]
fn only_for_the_hardware_address_that_was_told() {
    let [own, other] = [5, 0x66].map(|n| Some(Mac([2, 0, 0, 0, 0, n])));
    for (told, uses, counts) in [(own, own, true), (other, own, false), (None, own, true), (other, None, true)] {
        let mut s = Scene::new();
        s.mac = told;
        s.lookup(UPDATE, &[Rr::A(UPDATE, IP, 60)]);
        s.mac = uses;
        s.connect(SERVER, 443).up(&mut s, b"\x01\x02\x03\x04unknown");
        let seen = s.end();
        let records = seen.standing.iter().chain(&seen.lonely);
        assert_eq!(records.filter(|r| has_address(r)).count(), usize::from(counts), "{told:?} {uses:?}");
    }
}

#[test]
fn stage_and_bytes_arrive_with_the_claim() {
    let mut s = told();
    let mut t = s.connect(SERVER, 443);
    t.up(&mut s, &hello(None, 0)).down(&mut s, &server_hello()).up(&mut s, &[23, 3, 3, 0, 1, 9]);
    t.down(&mut s, &[0; 1000]).down(&mut s, &[0; 1500]);
    let (up, down) = (hello(None, 0).len() + 6, server_hello().len() + 2500);
    let seen = s.end();
    let r = seen.one();
    assert!(has_address(r));
    assert_eq!((r.stage, r.bytes_to_server, r.bytes_from_server), (Stage::Transferred, up as u64, down as u64));
    assert_eq!(seen.get(Counter::TlsNoName), 1);
    assert_eq!(r.slots_connected, r.slots);
}

#[test]
fn a_server_that_speaks_to_a_silent_client_claims_at_the_end() {
    let mut s = told();
    let mut t = s.connect(SERVER, 4000);
    s.wait(1000);
    t.down(&mut s, b"welcome");
    t.close(&mut s);
    let seen = s.end();
    let r = seen.one();
    assert!(has_address(r));
    assert_eq!((r.stage, r.bytes_from_server), (Stage::Attempted, 7));
    assert_eq!((r.last_seen.0 - r.first_seen.0) / SECOND, 1000);
    assert!(r.slots.get(41) && r.slots_connected.is_empty());
}

#[test]
fn an_unknown_protocol_has_no_name_of_its_own() {
    let mut s = told();
    let mut t = s.connect(SERVER, 4000);
    t.up(&mut s, b"\x01\x02\x03\x04unknown").down(&mut s, b"yes");
    let seen = s.end();
    let r = seen.one();
    assert!(has_address(r));
    assert_eq!((r.stage, r.bytes_to_server, r.bytes_from_server), (Stage::Connected, 11, 3));
    // The frame in which the server answered is the strongest evidence.
    let strong = r.evidence.iter().filter(|e| e.channel == Channel::Address).map(|e| e.frame).collect::<Vec<_>>();
    assert_eq!(strong, [3, 7]);
}

#[test]
fn another_name_contradicts_the_address() {
    for message in [hello(Some("www.example.test"), 0), get("/", Some("www.example.test"))] {
        let mut s = told();
        s.connect(SERVER, 443).up(&mut s, &message).down(&mut s, &server_hello());
        let seen = s.end();
        assert!(!has_address(seen.one()));
        assert_eq!((seen.one().stage, seen.get(Counter::AddressContradicted)), (Stage::Answered, 1));
    }
}

#[test]
fn an_address_in_place_of_a_name_names_nothing() {
    for message in [hello(Some(SERVER), 0), get("/", Some(SERVER)), get("/", None)] {
        let mut s = told();
        s.connect(SERVER, 443).up(&mut s, &message);
        let seen = s.end();
        assert!(has_address(seen.one()));
        assert_eq!(seen.get(Counter::AddressContradicted), 0);
    }
    let mut s = told();
    s.connect(SERVER, 80).up(&mut s, &get("/", Some("192.0.2.1")));
    assert!(!has_address(s.end().one()));
}

#[test]
fn a_public_name_of_ech_conceals_the_real_one() {
    let mut s = told();
    s.connect(SERVER, 443).up(&mut s, &hello(Some("cloudflare-ech.com"), 0));
    let seen = s.end();
    let r = seen.one();
    assert!(has_address(r));
    assert_eq!((r.names.as_slice(), r.notes.as_slice()), (&[UPDATE.to_owned()][..], &["ech_concealed".to_owned()][..]));
    assert_eq!(seen.get(Counter::EchConcealed), 1);
}

#[test]
fn an_offer_of_ech_alone_conceals_nothing() {
    use crate::protocol::tls::sample;
    for (name, other) in [(UPDATE, false), ("www.example.org", true)] {
        let mut s = told();
        let extensions = [sample::extension(0xfe0d, &[0; 180]), sample::server_name(name.as_bytes())].concat();
        let hello = sample::record(22, &sample::hello(Some(&extensions)));
        s.connect(SERVER, 443).up(&mut s, &hello);
        let seen = s.end();
        assert_eq!((seen.get(Counter::EchOffered), seen.get(Counter::EchConcealed)), (1, 0));
        assert_eq!(seen.get(Counter::AddressContradicted), u64::from(other));
        assert!(seen.one().notes.iter().all(|n| n != "ech_concealed"));
        assert_eq!(seen.one().channels.contains(&Channel::TlsSni), !other);
    }
}

#[test]
fn a_name_of_the_catalogue_needs_no_address() {
    let mut s = told();
    // The hello comes in two segments, as hellos do today.
    let (message, answer) = (hello(Some(UPDATE), 1500), server_hello());
    let mut t = s.connect(SERVER, 443);
    t.up(&mut s, &message[..1400]).up(&mut s, &message[1400..]).down(&mut s, &answer);
    t.repeat(&mut s, &message[1400..]);
    let seen = s.end();
    let r = seen.one();
    assert_eq!(r.channels, [Channel::DnsQuery, Channel::DnsAnswer, Channel::TlsSni]);
    assert_eq!((r.stage, r.count), (Stage::Connected, 3), "a repetition is no observation");
    assert_eq!((r.bytes_to_server, r.bytes_from_server), (message.len() as u64, answer.len() as u64));
}

#[test]
fn an_address_that_another_name_got_later_speaks_for_neither() {
    let mut s = told();
    s.lookup("www.example.test", &[Rr::A("www.example.test", IP, 60)]);
    Tcp::only_syn(&mut s, SERVER, 443);
    assert!(!has_address(s.end().one()));
}

#[test]
fn a_conversation_with_a_resolver_is_no_contact() {
    let mut s = told();
    Tcp::only_syn(&mut s, SERVER, 53);
    Tcp::only_syn(&mut s, NETBLOCK[0], 53);
    let seen = s.end();
    assert!(!has_address(seen.one()) && seen.one().servers.is_empty() && seen.lonely.is_empty());
}

#[test]
fn a_flow_without_its_start_is_noted() {
    let mut s = told();
    Tcp::mid_stream(&mut s, SERVER, 4000).up(&mut s, b"\x01\x02\x03\x04unknown");
    let seen = s.end();
    assert!(has_address(seen.one()));
    assert_eq!(seen.one().notes, ["mid_stream"]);
}

#[test]
fn both_parts_of_one_record_share_their_bytes() {
    // An indicator with a name and an address: netblock channel and name.
    let indicator = "[[indicator]]\nid = \"both\"\ncategory = \"update\"\nuse = \"alone\"\nconfidence = \"low\"\n\
        meaning = \"x\"\nsources = [\"x\"]\nexact = \"both.test\"\naddress = \"203.0.113.9\"\n";
    for spill in [false, true] {
        let mut s = Scene::with(HomeNets::default(), &[indicator]);
        s.spill = spill;
        let message = hello(Some("both.test"), 1500);
        let mut t = s.connect(SERVER, 443);
        t.up(&mut s, &message[..1400]).up(&mut s, &message[1400..]).down(&mut s, &server_hello());
        let seen = s.end();
        let r = seen.one();
        assert_eq!(r.channels, [Channel::TlsSni, Channel::Netblock]);
        assert_eq!((r.bytes_to_server, r.bytes_from_server), (message.len() as u64, server_hello().len() as u64));
    }
}
