//! What DNS messages make of a host.

use super::super::testing_flow::*;
use super::super::{HomeNets, Stage};
use crate::base::{Channel, Mac};
use crate::coverage::Counter;

const IP: [u8; 4] = [203, 0, 113, 9];

#[test]
fn a_question_and_its_answer_are_two_observations() {
    let mut s = Scene::new();
    s.lookup(UPDATE, &[Rr::A(UPDATE, IP, 60)]);
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.indicator.id.as_str(), r.stage, r.count), ("update-dnl-geo", Stage::Answered, 2));
    assert_eq!(r.channels, [Channel::DnsQuery, Channel::DnsAnswer]);
    assert_eq!((r.names.as_slice(), r.notes.len(), r.servers.len()), (&[UPDATE.to_owned()][..], 0, 0));
    assert_eq!(r.evidence.iter().map(|e| e.frame).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(r.evidence[0].name.as_deref(), Some(UPDATE));
    assert_eq!((r.host.ip, r.host.mac), (addr(HOST), Some(Mac([2, 0, 0, 0, 0, 5]))));
}

/// A resolver that blocks names says that they are at no address.
#[test]
fn the_address_of_nobody_is_none() {
    for (rr, stage, notes) in [
        (Rr::A(UPDATE, [0, 0, 0, 0], 60), Stage::Queried, &["no_address"][..]),
        (Rr::A(UPDATE, [203, 0, 113, 9], 60), Stage::Answered, &[]),
    ] {
        let mut s = Scene::new();
        s.lookup(UPDATE, &[rr]);
        let seen = s.end();
        assert_eq!(
            (seen.one().stage, seen.one().notes.as_slice()),
            (stage, notes.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>().as_slice())
        );
    }
}

#[test]
fn asking_again_is_another_observation() {
    let mut s = Scene::new();
    let query = dns(7, 0x0100, &[UPDATE], &[]);
    s.udp((HOST, 5000), (RESOLVER, 53), &query).wait(5).udp((HOST, 5000), (RESOLVER, 53), &query);
    assert_eq!(s.end().one().count, 2);
}

#[test]
fn failures_stay_queried_and_say_why() {
    let cases = [
        (0x8183, vec![], "nxdomain"),
        (0x8182, vec![], "servfail"),
        (0x8185, vec![], "servfail"),
        (0x8180, vec![], "no_address"),
        (0x8183, vec![Rr::A(UPDATE, IP, 60)], "nxdomain"),
        (0x8180, vec![Rr::A("other.test", IP, 60)], "no_address"),
    ];
    for (flags, records, note) in cases {
        let mut s = Scene::new();
        let port = s.ask(UPDATE);
        s.udp((RESOLVER, 53), (HOST, port), &dns(7, flags, &[UPDATE], &records));
        Tcp::only_syn(&mut s, SERVER, 443);
        let seen = s.end();
        let r = seen.one();
        assert_eq!((r.stage, r.notes.as_slice()), (Stage::Queried, &[note.to_owned()][..]), "{flags:x}");
    }
    // A truncated answer only sends its reader to TCP.
    let mut s = Scene::new();
    let port = s.ask(UPDATE);
    s.udp((RESOLVER, 53), (HOST, port), &dns(7, 0x8380, &[UPDATE], &[]));
    assert!(s.end().one().notes.is_empty());
}

#[test]
fn an_answer_that_nobody_asked_for_makes_no_host() {
    let answer = |id, names: &[&str]| dns(id, 0x8180, names, &[Rr::A(UPDATE, IP, 60)]);
    let mut s = Scene::new();
    s.udp((RESOLVER, 53), (HOST, 5000), &answer(7, &[UPDATE]));
    // Wrong id, wrong port, too late, wrong server, and a question added.
    s.udp((HOST, 5001), (RESOLVER, 53), &dns(7, 0x0100, &["example.test"], &[]));
    s.udp((RESOLVER, 53), (HOST, 5001), &answer(8, &["example.test", UPDATE]));
    s.udp((RESOLVER, 53), (HOST, 5001), &answer(7, &["example.test", UPDATE]));
    s.udp((RESOLVER, 53), (HOST, 5002), &answer(7, &[UPDATE]));
    Tcp::only_syn(&mut s, SERVER, 443);
    let seen = s.end();
    assert!(seen.standing.is_empty());
    assert_eq!((seen.get(Counter::DnsUnsolicited), seen.get(Counter::DnsUnsolicitedListed)), (4, 4));
    for (wait, stage) in [(29, Stage::Answered), (31, Stage::Queried)] {
        let mut s = Scene::new();
        let port = s.ask(UPDATE);
        s.wait(wait).udp((RESOLVER, 53), (HOST, port), &answer(7, &[UPDATE]));
        assert_eq!(s.end().one().stage, stage);
    }
}

#[test]
fn an_answer_that_the_capture_holds_before_its_question_answers_it() {
    let answer = dns(7, 0x8180, &[UPDATE], &[Rr::A(UPDATE, IP, 60)]);
    let query = dns(7, 0x0100, &[UPDATE], &[]);
    let mut s = Scene::new();
    s.udp((RESOLVER, 53), (HOST, 5000), &answer).udp((HOST, 5000), (RESOLVER, 53), &query);
    // What it says of addresses holds too.
    Tcp::only_syn(&mut s, SERVER, 443);
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.stage, r.count, r.notes.len()), (Stage::Attempted, 3, 0));
    assert_eq!(r.channels, [Channel::DnsQuery, Channel::DnsAnswer, Channel::Address]);
    let shown = |c| r.evidence.iter().find(|e| e.channel == c).unwrap();
    assert_eq!((shown(Channel::DnsQuery).frame, shown(Channel::DnsAnswer).frame), (2, 1));
    let digest = ring::digest::digest(&ring::digest::SHA256, &answer);
    assert_eq!(shown(Channel::DnsAnswer).packet_sha256, crate::base::digest::hex(digest.as_ref()));
    assert_eq!((seen.get(Counter::DnsUnsolicited), seen.get(Counter::DnsEarly)), (1, 1));
    // Long before, with another id, or of another name it does not.
    let other = dns(7, 0x8180, &["example.test"], &[Rr::A("example.test", IP, 60)]);
    for (wait, answer) in [(2, &answer), (0, &dns(8, 0x8180, &[UPDATE], &[Rr::A(UPDATE, IP, 60)])), (0, &other)] {
        let mut s = Scene::new();
        s.udp((RESOLVER, 53), (HOST, 5000), answer).wait(wait).udp((HOST, 5000), (RESOLVER, 53), &query);
        let seen = s.end();
        assert_eq!((seen.one().stage, seen.get(Counter::DnsEarly)), (Stage::Queried, 0), "{wait}");
    }
}

#[test]
fn a_service_is_where_its_record_says() {
    let cases: [(&[Rr<'_>], &str, &[Channel], bool); 6] = [
        // Hints for the name that was asked for.
        (&[Rr::Https(UPDATE, 1, "", &[IP])], UPDATE, &[Channel::DnsAnswer], true),
        // A service elsewhere, and an alias: the target counts by itself.
        (&[Rr::Https("a.test", 1, UPDATE, &[IP])], "a.test", &[Channel::DnsCname], true),
        (&[Rr::Https("a.test", 0, UPDATE, &[]), Rr::A(UPDATE, IP, 60)], "a.test", &[Channel::DnsCname], true),
        // Of two services each has its own addresses.
        (
            &[Rr::Https("a.test", 1, UPDATE, &[[203, 0, 113, 7]]), Rr::Https("a.test", 2, "b.test", &[IP])],
            "a.test",
            &[Channel::DnsCname],
            false,
        ),
        // The name asked for stands for every service that it offers.
        (&[Rr::Https(UPDATE, 1, "b.test", &[IP])], UPDATE, &[Channel::DnsAnswer], true),
        // A record beside the chain proves nothing.
        (&[Rr::Https("other.test", 1, "", &[IP])], UPDATE, &[Channel::DnsAnswer], false),
    ];
    for (at, (records, asked, channels, tied)) in cases.into_iter().enumerate() {
        let mut s = Scene::new();
        s.udp((HOST, 5000), (RESOLVER, 53), &of_type(65, dns(7, 0x0100, &[asked], &[])));
        s.udp((RESOLVER, 53), (HOST, 5000), &of_type(65, dns(7, 0x8180, &[asked], records)));
        Tcp::only_syn(&mut s, SERVER, 443);
        let seen = s.end();
        let r = seen.one();
        assert!(channels.iter().all(|c| r.channels.contains(c)), "{at} {:?}", r.channels);
        assert_eq!(r.channels.contains(&Channel::Address), tied, "{at}");
        assert_eq!(
            r.stage,
            [Stage::Queried, Stage::Answered, Stage::Attempted][usize::from(tied) * 2 + usize::from(at == 3)]
        );
    }
}

#[test]
fn only_questions_for_addresses_are_answered_by_them() {
    // PTR, MX, TXT, IXFR and AXFR against A, AAAA, SVCB, HTTPS and ANY.
    for (qtype, stage) in [12, 15, 16, 251, 252]
        .map(|t| (t, Stage::Queried))
        .into_iter()
        .chain([1, 28, 64, 65, 255].map(|t| (t, Stage::Attempted)))
    {
        let mut s = Scene::new();
        s.udp((HOST, 5000), (RESOLVER, 53), &of_type(qtype, dns(7, 0x0100, &[UPDATE], &[])));
        let records = [Rr::A(UPDATE, IP, 60), Rr::A("other.kaspersky.com", [203, 0, 113, 8], 60)];
        s.udp((RESOLVER, 53), (HOST, 5000), &of_type(qtype, dns(7, 0x8180, &[UPDATE], &records)));
        Tcp::only_syn(&mut s, SERVER, 443);
        assert_eq!(s.end().one().stage, stage, "{qtype}");
    }
}

#[test]
fn networks_that_a_forwarder_asks_for_are_listed() {
    let asks_for = |third: u8| {
        let mut m = dns(7, 0x0100, &[UPDATE], &[]);
        m[11] = 1;
        m.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 198, 51, third]);
        m
    };
    let mut s = Scene::new();
    s.spill = true;
    for third in [100, 9, 100] {
        s.udp((HOST, 5000), (RESOLVER, 53), &asks_for(third));
    }
    let seen = s.end();
    let r = seen.one();
    let listed = |r: &super::super::Record| r.client_subnets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((listed(r), r.client_subnets_more), (vec!["198.51.9.0/24".to_owned(), "198.51.100.0/24".into()], 0));
    assert_eq!((r.host.ip, r.count), (addr(HOST), 3), "the sender stays the host");
    let mut s = Scene::new();
    for third in 0..40 {
        s.udp((HOST, 5000), (RESOLVER, 53), &asks_for(third));
    }
    let seen = s.end();
    assert_eq!((seen.one().client_subnets.len(), seen.one().client_subnets_more), (16, 24));
    let mut s = Scene::new();
    s.ask(UPDATE);
    let json = serde_json::to_string(s.end().one()).unwrap();
    assert!(!json.contains("client_subnets"));
}

#[test]
fn an_alias_into_the_catalogue_counts_for_its_target() {
    let mut s = Scene::new();
    s.lookup("cdn.example.test", &[Rr::Cname("cdn.example.test", UPDATE), Rr::A(UPDATE, IP, 60)]);
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.stage, r.count, r.channels.as_slice()), (Stage::Answered, 1, &[Channel::DnsCname][..]));
    assert_eq!(r.names, [UPDATE]);
    // A record beside the chain proves nothing.
    let mut s = Scene::new();
    s.lookup("cdn.example.test", &[Rr::Cname("other.test", UPDATE), Rr::A(UPDATE, IP, 60)]);
    assert!(s.end().standing.is_empty());
}

#[test]
fn that_an_alias_has_no_address_is_not_told_of_its_target() {
    let mut s = Scene::new();
    s.lookup("site.test", &[Rr::Https("site.test", 0, UPDATE, &[])]);
    s.lookup(OTHER_UPDATE, &[]);
    let seen = s.end();
    let (target, asked) = (seen.of("update-dnl-geo"), seen.of("update-s-hosts"));
    assert_eq!((target.channels.as_slice(), target.notes.len()), (&[Channel::DnsCname][..], 0));
    assert_eq!(asked.notes, ["no_address"]);
}

#[test]
fn names_of_one_message_are_one_observation_of_each_channel() {
    let (a, b) = ("dnl-02.geo.kaspersky.com", "dnl-03.geo.kaspersky.com");
    let mut s = Scene::new();
    s.lookup(UPDATE, &[Rr::Cname(UPDATE, a), Rr::Cname(a, b), Rr::A(b, IP, 60)]);
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.count, r.names.len()), (3, 3));
    assert_eq!(r.channels, [Channel::DnsQuery, Channel::DnsAnswer, Channel::DnsCname]);
    // Of several questions each has its own outcome.
    let mut s = Scene::new();
    let both = [UPDATE, OTHER_UPDATE];
    s.udp((HOST, 5000), (RESOLVER, 53), &dns(9, 0x0100, &both, &[]));
    s.udp((RESOLVER, 53), (HOST, 5000), &dns(9, 0x8180, &both, &[Rr::A(OTHER_UPDATE, IP, 60)]));
    let seen = s.end();
    assert_eq!(seen.of("update-dnl-geo").stage, Stage::Queried);
    assert_eq!(seen.of("update-s-hosts").stage, Stage::Answered);
}

#[test]
fn updates_and_notifications_of_zones_are_no_lookups() {
    for opcode in [4u16, 5] {
        let mut s = Scene::new();
        s.udp((HOST, 5000), (RESOLVER, 53), &dns(9, opcode << 11, &["kaspersky.com"], &[]));
        let seen = s.end();
        assert!(seen.standing.is_empty() && seen.get(Counter::DnsMessages) == 1);
    }
}

#[test]
fn public_dns_needs_a_local_resolver_too() {
    for (local, noted) in [(false, false), (true, true)] {
        let mut s = Scene::new();
        s.udp((HOST, 5000), ("8.8.8.8", 53), &dns(9, 0x0100, &[UPDATE], &[]));
        if local {
            s.ask("example.test");
        }
        let seen = s.end();
        assert_eq!(seen.one().notes == ["public_dns"], noted);
        assert!(seen.one().servers.is_empty(), "a resolver is no server");
    }
    // Another public resolver is not one of the vendor's.
    let mut s = Scene::new();
    s.ask("example.test");
    s.udp((HOST, 5000), ("192.0.2.53", 53), &dns(9, 0x0100, &[UPDATE], &[]));
    assert!(s.end().one().notes.is_empty());
}

#[test]
fn clients_outside_are_counted_and_not_listed() {
    let mut s = Scene::new();
    for client in ["198.51.100.1", "198.51.100.2", "198.51.100.2"] {
        s.udp((client, 5000), ("8.8.8.8", 53), &dns(9, 0x0100, &[UPDATE], &[]));
    }
    let seen = s.end();
    assert!(seen.standing.is_empty());
    assert_eq!((seen.outside, seen.get(Counter::ObservationsOutside), seen.get(Counter::Observations)), (2, 3, 0));
    let mut s = Scene::with(HomeNets::any(), &[]);
    s.udp(("198.51.100.1", 5000), ("8.8.8.8", 53), &dns(9, 0x0100, &[UPDATE], &[]));
    let seen = s.end();
    assert_eq!((seen.one().host.ip, seen.outside), (addr("198.51.100.1"), 0));
}

#[test]
fn group_and_zero_hardware_addresses_are_nobodys() {
    for mac in [None, Some(Mac([0; 6])), Some(Mac([1, 0, 0x5e, 0, 0, 1])), Some(Mac([0xff; 6]))] {
        let mut s = Scene::new();
        s.mac = mac;
        s.ask(UPDATE);
        assert_eq!(s.end().one().host.mac, None);
    }
}

#[test]
fn names_and_their_number_are_capped() {
    let mut s = Scene::new();
    for i in 0..100 {
        s.ask(&format!("n{i:02}.upd.kaspersky.com"));
    }
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.names.len(), r.names_more, r.count), (64, 36, 100));
    assert!(r.names.is_sorted() && r.names[0] == "n00.upd.kaspersky.com");
    assert_eq!(r.evidence.iter().map(|e| e.frame).collect::<Vec<_>>(), [1, 100]);
}
