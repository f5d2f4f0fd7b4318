//! What a neighbour sends to hide a host or to accuse one. A neighbour may
//! use any address, but not another's hardware address; at the end it uses that
//! too, on single frames.

use super::super::testing::*;
use super::super::view::{Role, Verdict};
use crate::base::{Channel, Stage};
use crate::flow::Note;
use crate::host::facts::SignalKind::{DnsIterates, DnsRecurses, DnsServer, HttpProxy, Serves, SocksProxy};
use crate::sighting::signal::SEVERAL;

const S: &str = "update-s-hosts";
const GUILTY: &str = "10.0.0.7";

/// With the two hosts' hardware addresses known by ARP.
fn scene(contacts: impl IntoIterator<Item = C>) -> Scene {
    Scene::of(contacts)
        .interval("arp", GUILTY, Some(mac(7)), 30, 90)
        .interval("arp", "10.0.0.66", Some(mac(66)), 30, 90)
        .interval("traffic", GUILTY, Some(mac(66)), 40, 41)
}

fn updates() -> C {
    c(GUILTY, S).mac(mac(7)).transferred().slots(&[40, 60])
}

/// The neighbour's, through a proxy that the host is made to look like.
fn through() -> C {
    let channels = [Channel::HttpConnect, Channel::TlsSni];
    c("10.0.0.66", S).mac(mac(66)).transferred().on(&channels).note(Note::ViaProxy).slots(&[40, 60]).tcp(GUILTY, 8080)
}

#[test]
fn contacts_with_a_forged_address_accuse_nobody() {
    let innocent = c(GUILTY, "web-www").mac(mac(7)).slots(&[40]);
    let forged = c(GUILTY, S).mac(mac(66)).slots(&[40, 60]).stage(Stage::Attempted);
    let all = scene([innocent, forged]).judge();
    let of = |m| all.iter().find(|h| h.mac == m).map(|h| h.verdict);
    assert_eq!(of(Some(mac(7))), Some(Verdict::WebOnly), "{all:#?}");
    assert_eq!(of(None), Some(Verdict::Attempting), "the address alone is not the host");
}

#[test]
fn forged_answers_make_no_resolver_of_a_host() {
    for kind in [DnsServer, DnsIterates] {
        let asked = c(GUILTY, S).mac(mac(7)).stage(Stage::Answered);
        let all = scene([asked]).signal(kind, GUILTY, Some(mac(66)), "").judge();
        let host = all.iter().find(|h| h.mac == Some(mac(7))).expect("the host");
        assert_eq!((host.verdict, &host.roles[..]), (Verdict::LookedUp, &[][..]), "{all:#?}");
    }
}

#[test]
fn forged_consents_make_no_proxy_of_a_host() {
    let all = scene([updates(), through()]).signal(HttpProxy, GUILTY, Some(mac(66)), "connect").judge();
    let host = all.iter().find(|h| h.mac == Some(mac(7))).expect("the host");
    assert_eq!((host.verdict, &host.roles[..]), (Verdict::Active, &[][..]), "{all:#?}");
    // Its own consents do.
    let all = scene([updates(), through()]).signal(HttpProxy, GUILTY, Some(mac(7)), "connect").judge();
    let host = all.iter().find(|h| h.mac == Some(mac(7))).expect("the host");
    assert_eq!((host.verdict, &host.roles[..]), (Verdict::None, &[Role::Proxy][..]), "{all:#?}");
}

#[test]
fn a_clients_packets_alone_take_nothing_from_the_host_they_name_as_proxy() {
    let claimed = || through().note(Note::OneSided);
    let verdict = |own: C| {
        let all = scene([own, claimed()]).judge();
        all.iter().find(|h| h.mac == Some(mac(7))).map(|h| h.verdict)
    };
    assert_eq!(verdict(updates()), Some(Verdict::Active));
    // Where the capture shows one direction of everything it is all there is.
    assert_eq!(verdict(updates().note(Note::OneSided)), Some(Verdict::None));
}

#[test]
fn what_a_router_forwarded_is_still_its_hosts() {
    use crate::host::facts::SignalKind::Forwards;
    let far = c(GUILTY, S).mac(mac(66)).slots(&[40]);
    let all = scene([far]).signal(Forwards, "::", Some(mac(66)), "").judge();
    let host = all.iter().find(|h| h.mac == Some(mac(7))).expect("the host");
    assert_eq!(host.verdict, Verdict::Contacting, "{all:#?}");
}

#[test]
fn forged_answers_make_no_relay_of_a_host() {
    let tree =
        || c("10.0.0.66", "update-path-index").mac(mac(66)).transferred().on(&[Channel::HttpPath]).tcp(GUILTY, 80);
    let innocent = || c(GUILTY, "web-www").mac(mac(7));
    let roles = |from| {
        let all = scene([innocent(), tree()]).signal(Serves, GUILTY, Some(mac(from)), "http").judge();
        all.into_iter().find(|h| h.mac == Some(mac(7))).map(|h| h.roles)
    };
    assert_eq!([roles(66), roles(7)], [Some(vec![]), Some(vec![Role::Relay])]);
}

#[test]
fn a_neighbours_datagrams_alone_make_no_host_managed() {
    let notice = |indicator, port| lan("10.0.0.66", indicator, GUILTY, port).mac(mac(66));
    let both = || [notice("lan-udp-15000", 15000), notice("lan-udp-15001", 15001)];
    let verdict = |contacts: Vec<C>| {
        let all = scene(contacts).judge();
        all.iter().find(|h| h.mac == Some(mac(7))).map_or(Verdict::None, |h| h.verdict)
    };
    assert_eq!(verdict(both().into()), Verdict::None);
    let word = lan(GUILTY, "lan-tcp-13000", "10.0.0.66", 13000).mac(mac(7));
    assert_eq!(verdict(both().into_iter().chain([word]).collect()), Verdict::Managed);
}

/// The host's verdict and reason in a scene of forged signs and contacts.
fn judged(scene: Scene) -> (Verdict, String) {
    let all = scene.judge();
    let host = all.iter().find(|h| h.mac == Some(mac(7))).unwrap_or_else(|| panic!("{all:#?}"));
    (host.verdict, host.reason.clone())
}

#[test]
fn one_forged_answer_hides_no_lookup() {
    let looks_up = || c(GUILTY, S).mac(mac(7)).answered().slots(&[40, 60]);
    let other = || c("10.0.0.9", S).answered().slots(&[40, 60]);
    let (verdict, reason) = judged(scene([looks_up(), other()]).signal(DnsServer, GUILTY, Some(mac(7)), ""));
    assert_eq!(verdict, Verdict::LookedUp);
    assert!(reason.contains("whether these lookups are its own is not visible"), "{reason}");
    // From as many clients as it likes, where nobody asked for the names.
    let (verdict, _) = judged(scene([looks_up()]).signal(DnsServer, GUILTY, Some(mac(7)), SEVERAL));
    assert_eq!(verdict, Verdict::LookedUp);
}

#[test]
fn forged_questions_hide_no_lookup_of_another_time_or_kind() {
    let looks_up = |slots: &[u8]| c(GUILTY, S).mac(mac(7)).answered().slots(slots);
    let iterates = |slots: &[u8]| scene([looks_up(slots)]).signal(DnsIterates, GUILTY, Some(mac(7)), "");
    for slots in [[39, 40], [41, 42]] {
        assert_eq!(judged(iterates(&slots)).0, Verdict::LookedUp, "{slots:?}");
    }
    // It asks for names as no such resolver does.
    let recurses = iterates(&[40, 41]).signal(DnsRecurses, GUILTY, Some(mac(7)), "");
    assert_eq!(judged(recurses).0, Verdict::LookedUp);
    let (verdict, reason) = judged(iterates(&[40, 41]));
    assert_eq!(verdict, Verdict::None, "nothing speaks against it");
    assert!(reason.contains("the real user is not visible here"), "{reason}");
}

/// A whole exchange, forged, in which little passes.
#[test]
fn small_forged_tunnels_hide_no_use() {
    let small = |slots: &[u8]| through().slots(slots).bytes(3_000);
    let proxy = |all: Vec<C>| scene(all).signal(SocksProxy, GUILTY, Some(mac(7)), "");
    for (own, verdict) in [
        (updates().bytes(900_000), Verdict::Active),
        (updates().slots(&[40]).bytes(60_000), Verdict::Updating),
        (c(GUILTY, S).mac(mac(7)).slots(&[40]).bytes(5_000), Verdict::Contacting),
    ] {
        let (found, reason) = judged(proxy(vec![own.clone(), small(&[40, 60])]));
        assert_eq!(found, verdict);
        assert!(reason.contains("whether these contacts are its own is not visible"), "{reason}");
        // Before each of its contacts, or beside some of them.
        assert_eq!(judged(proxy(vec![own.clone(), small(&[39, 59])])).0, verdict);
        assert_eq!(judged(proxy(vec![own, small(&[60])])).0, verdict);
    }
    // Two clients and long apart, as the frames of whole handshakes may be.
    let again = c("10.0.0.67", S).on(&[Channel::HttpConnect]).note(Note::ViaProxy).slots(&[60]).tcp(GUILTY, 8080);
    let many = proxy(vec![updates().bytes(900_000), small(&[40]), again.bytes(3_000)]);
    assert_eq!(judged(many).0, Verdict::Active);
}

#[test]
fn forged_requests_that_nothing_follows_hide_nothing() {
    let tried = || through().stage(Stage::Attempted).slots(&[40, 60]);
    for own in [updates(), c(GUILTY, S).mac(mac(7)).slots(&[40]), updates().stage(Stage::Attempted)] {
        let without = judged(scene([own.clone()])).0;
        let forged = scene([own, tried()]).signal(HttpProxy, GUILTY, Some(mac(7)), "connect");
        assert_eq!(judged(forged).0, without);
    }
}
