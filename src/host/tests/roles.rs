//! Roles, and what they do to use.

use super::super::facts::SignalKind::{self, *};
use super::super::testing::*;
use super::super::view::{Role, Verdict};
use crate::base::{Channel, Stage};
use crate::flow::Note;
use crate::sighting::home::HomeNets;
use crate::sighting::signal::SEVERAL;

const S: &str = "update-s-hosts";
const PROXY: &str = "10.0.0.8";

fn none(ip: &str) -> C {
    c(ip, S).answered()
}

fn signal(scene: Scene, kind: SignalKind, ip: &str) -> Scene {
    let scene = scene.signal(kind, ip, None, "");
    if kind == DnsServer { scene.signal(kind, ip, None, SEVERAL) } else { scene }
}

#[test]
fn what_a_resolver_looks_up_is_not_its_own_use() {
    let contacts = [none("10.0.0.5").slots(&[40, 59]), none("10.0.0.53").slots(&[40, 60])];
    let scene = signal(Scene::of(contacts), DnsServer, "10.0.0.53");
    let resolver = scene.host("10.0.0.53");
    assert_eq!((resolver.verdict, &resolver.roles[..]), (Verdict::None, &[Role::Resolver][..]));
    assert!(resolver.reason.contains("the hosts that asked it are listed themselves"), "{}", resolver.reason);
    assert!(resolver.categories.is_empty() && resolver.sightings.len() == 1);
    assert_eq!(scene.host("10.0.0.5").verdict, Verdict::LookedUp);
    // Only its side is visible.
    let outer = signal(Scene::of([none("10.0.0.53")]), DnsIterates, "10.0.0.53").one();
    assert_eq!((outer.verdict, &outer.roles[..]), (Verdict::None, &[Role::Resolver][..]));
    assert!(outer.reason.contains("the real user is not visible here"), "{}", outer.reason);
    // Its connections are its own.
    let own = signal(Scene::of([none("10.0.0.53"), c("10.0.0.53", "update-cm-k")]), DnsServer, "10.0.0.53").one();
    assert_eq!(own.verdict, Verdict::Contacting);
    // Sessions of lookups beside them are not.
    let mixed = c("10.0.0.53", S).on(&[Channel::DnsQuery, Channel::TlsSni]).slots(&[1, 40, 80]).connected(&[40]);
    let mixed = signal(Scene::of([mixed]), DnsServer, "10.0.0.53").one();
    assert_eq!(mixed.categories.values().map(|c| c.sessions).collect::<Vec<_>>(), [1]);
    // Who answers one and never asks is no resolver.
    let server = Scene::of([c("10.0.0.53", S)]).signal(DnsServer, "10.0.0.53", None, "").one();
    assert!(server.roles.is_empty());
}

#[test]
fn a_resolver_without_contacts_is_listed_for_its_role() {
    let scene = signal(Scene::of([none("10.0.0.5")]), DnsIterates, "10.0.0.53");
    let resolver = scene.host("10.0.0.53");
    assert_eq!((resolver.verdict, &resolver.roles[..]), (Verdict::None, &[Role::Resolver][..]));
    assert_eq!((resolver.first_seen, resolver.last_seen), (time(DAY, 40), time(DAY, 41)));
    assert!(!resolver.confirmed);
    let mut before = scene;
    before.options.until = Some(time(DAY, 40));
    assert_eq!(before.judge(), []);
}

#[test]
fn an_alarm_of_a_resolver_is_the_clients_where_that_is_visible() {
    let ask = |ip| c(ip, "lookalike-kasperskyupdate-com").answered();
    let both = signal(Scene::of([ask("10.0.0.5"), ask("10.0.0.53")]), DnsServer, "10.0.0.53");
    assert_eq!((both.host("10.0.0.5").alarms.len(), both.host("10.0.0.53").alarms.len()), (1, 0));
    let alone = signal(Scene::of([ask("10.0.0.53")]), DnsServer, "10.0.0.53").one();
    assert_eq!(alone.alarms.len(), 1);
    assert!(alone.reason.contains("not visible"), "{}", alone.reason);
}

fn through(ip: &str, stage: Stage) -> C {
    c(ip, S).stage(stage).on(&[Channel::HttpConnect, Channel::TlsSni]).note(Note::ViaProxy).tcp(PROXY, 3128)
}

#[test]
fn what_a_proxy_connects_to_for_others_is_theirs() {
    let client = || through("10.0.0.5", Stage::Transferred).slots(&[40, 60]);
    let onward = || c(PROXY, S).transferred().on(&[Channel::DnsQuery, Channel::TlsSni]).slots(&[40, 60]);
    for scene in [Scene::of([client(), onward()]), signal(Scene::of([client(), onward()]), HttpProxy, PROXY)] {
        let proxy = scene.host(PROXY);
        assert_eq!((proxy.verdict, &proxy.roles[..]), (Verdict::None, &[Role::Proxy][..]), "{}", proxy.reason);
        assert!(proxy.reason.contains("the hosts that used it are listed themselves"), "{}", proxy.reason);
        assert_eq!(scene.host("10.0.0.5").verdict, Verdict::Active);
    }
    // What remains is its own, as far as the quarter hours tell.
    let own = |slots: &[u8]| Scene::of([client(), onward().slots(slots)]).host(PROXY);
    assert_eq!(own(&[40, 60, 80]).verdict, Verdict::Contacting);
    assert_eq!(own(&[40, 60, 80, 90]).verdict, Verdict::Active);
    for (bytes, verdict) in [(50_000 + 8 * 1024, Verdict::Updating), (50_000 + 5_000, Verdict::Contacting)] {
        let own = onward().slots(&[40, 60, 80]).bytes(bytes);
        assert_eq!(Scene::of([client().bytes(50_000), own]).host(PROXY).verdict, verdict);
    }
    assert_eq!(Scene::of([client(), onward().at(1, &[40])]).host(PROXY).verdict, Verdict::Updating);
    let other = c(PROXY, "update-cm-k").slots(&[40]);
    assert_eq!(Scene::of([client(), onward(), other]).host(PROXY).verdict, Verdict::Contacting);
    // Of clients that nobody saw it is known only that there may be some.
    let unseen = signal(Scene::of([onward()]), SocksProxy, PROXY).one();
    assert_eq!((unseen.verdict, &unseen.roles[..]), (Verdict::Active, &[Role::Proxy][..]));
}

#[test]
fn a_proxy_may_connect_in_the_next_quarter_hour() {
    let client = |slots: &[u8]| through("10.0.0.5", Stage::Transferred).slots(slots).bytes(50_000);
    let onward = |slots: &[u8]| c(PROXY, S).transferred().slots(slots).bytes(50_300);
    let proxy = |client: C, onward: C| Scene::of([client, onward]).host(PROXY).verdict;
    assert_eq!(proxy(client(&[40]), onward(&[41])), Verdict::None);
    assert_eq!(proxy(client(&[40]), onward(&[40, 41])), Verdict::None);
    assert_eq!(proxy(client(&[95]), onward(&[]).at(1, &[0])), Verdict::None, "across midnight");
    // Two quarter hours later, before it, or much more than the client got.
    assert_eq!(proxy(client(&[40]), onward(&[42])), Verdict::Updating);
    assert_eq!(proxy(client(&[40]), onward(&[39])), Verdict::Updating);
    assert_eq!(proxy(client(&[40]), onward(&[41]).bytes(90_000)), Verdict::Updating);
    // What follows a client's quarter hour is no session beside one of its own.
    assert_eq!(proxy(client(&[40]), onward(&[41, 60])), Verdict::Contacting);
}

#[test]
fn a_resolver_may_ask_in_the_next_quarter_hour() {
    let ask = |ip| c(ip, "lookalike-kasperskyupdate-com").answered();
    for (client, resolver) in [
        (ask("10.0.0.5").slots(&[40]), ask("10.0.0.53").slots(&[41])),
        (ask("10.0.0.5").slots(&[95]), ask("10.0.0.53").at(1, &[0])),
    ] {
        let scene = signal(Scene::of([client, resolver]), DnsServer, "10.0.0.53");
        assert_eq!(scene.host("10.0.0.53").alarms, [], "the client's");
    }
    let before = Scene::of([ask("10.0.0.5").slots(&[40]), ask("10.0.0.53").slots(&[39])]);
    assert_eq!(signal(before, DnsServer, "10.0.0.53").host("10.0.0.53").alarms.len(), 1);
}

#[test]
fn a_proxy_that_never_consented_is_none() {
    let refused = through("10.0.0.5", Stage::Attempted).note(Note::ProxyRefused);
    let scene = Scene::of([refused]);
    assert_eq!(scene.judge().len(), 1);
    let public = c("10.0.0.5", S).on(&[Channel::HttpConnect]).note(Note::ViaProxy).tcp("198.51.100.8", 3128);
    assert_eq!(Scene::of([public]).judge().len(), 1);
}

fn tree(ip: &str, server: &str) -> C {
    c(ip, "update-path-index").transferred().on(&[Channel::HttpPath]).tcp(server, 80)
}

#[test]
fn who_hands_out_the_update_tree_is_a_relay() {
    let scene = Scene::of([tree("10.0.0.5", "10.0.0.2")]);
    let (relay, client) = (scene.host("10.0.0.2"), scene.host("10.0.0.5"));
    assert_eq!((relay.verdict, &relay.roles[..]), (Verdict::None, &[Role::Relay][..]));
    assert_eq!((client.verdict, &client.relays[..]), (Verdict::Updating, &[addr("10.0.0.2")][..]));
    assert!(client.reason.contains("10.0.0.2"), "{}", client.reason);
    // It updates itself, and is one installation.
    let scene = Scene::of([tree("10.0.0.5", "10.0.0.2"), c("10.0.0.2", S).slots(&[40, 50])]);
    assert_eq!((scene.host("10.0.0.2").verdict, scene.host("10.0.0.2").roles.len()), (Verdict::Active, 1));
    // A public server, one that did not answer, and a host's own server are none.
    for contact in [
        tree("10.0.0.5", "198.51.100.2"),
        tree("10.0.0.5", "10.0.0.2").stage(Stage::Attempted).on(&[Channel::HttpPath]),
        tree("10.0.0.5", "10.0.0.5"),
    ] {
        assert_eq!(Scene::of([contact]).one().roles, []);
    }
}

#[test]
fn a_proxy_that_hands_on_answers_is_no_relay() {
    let proxied = tree("10.0.0.5", PROXY).note(Note::ViaProxy);
    let scene = Scene::of([proxied.clone()]).signal(HttpProxy, PROXY, None, "").signal(Serves, PROXY, None, "http");
    assert_eq!(scene.host(PROXY).roles, [Role::Proxy]);
    assert_eq!(scene.host("10.0.0.5").relays, []);
    assert_eq!(Scene::of([proxied]).host(PROXY).roles, [Role::Proxy]);
}

#[test]
fn who_serves_agents_is_a_relay_if_it_updates() {
    let agent = || lan("10.0.0.5", "lan-tcp-13000", "10.0.0.2", 13000);
    let update = || c("10.0.0.2", S);
    let roles = |scene: Scene| scene.judge().into_iter().find(|h| h.ip == addr("10.0.0.2")).map_or(vec![], |h| h.roles);
    assert_eq!(roles(Scene::of([agent(), update()])), [Role::Relay]);
    assert_eq!(roles(Scene::of([agent()])), []);
    assert_eq!(roles(Scene::of([agent(), update().answered()])), []);
    assert_eq!(roles(Scene::of([agent().stage(Stage::Attempted).on(&[Channel::LanPort]), update()])), []);
    assert_eq!(roles(Scene::of([lan("10.0.0.5", "lan-tcp-13291", "10.0.0.2", 13291), update()])), []);
    assert_eq!(roles(Scene::of([lan("10.0.0.2", "lan-udp-15000", "10.0.0.5", 15000), update()])), [Role::Relay]);
    assert_eq!(roles(Scene::of([update()]).signal(Serves, "10.0.0.2", None, "13111")), [Role::Relay]);
    assert_eq!(roles(Scene::of([update()]).signal(Serves, "10.0.0.2", None, "13291")), []);
    assert_eq!(roles(Scene::of([]).signal(Serves, "10.0.0.2", None, "13111")), []);
    assert_eq!(roles(Scene::of([]).signal(Serves, "10.0.0.2", None, "http")), [Role::Relay]);
}

#[test]
fn where_everybody_is_at_home_only_private_addresses_are_relays() {
    let mut scene = Scene::of([tree("10.0.0.5", "198.51.100.2"), tree("10.0.0.6", "10.0.0.2")]);
    scene.options.home = HomeNets::any();
    let relays: Vec<_> = scene.judge().into_iter().filter(|h| h.roles == [Role::Relay]).map(|h| h.ip).collect();
    assert_eq!(relays, [addr("10.0.0.2")]);
}

#[test]
fn a_server_that_the_sensor_took_for_one_at_home_is_local() {
    let server = c("198.51.100.2", "web-www");
    let scene = Scene::of([tree("10.0.0.5", "198.51.100.2"), server]);
    assert_eq!(scene.host("198.51.100.2").roles, [Role::Relay]);
    let outside = Scene::of([c("198.51.100.1", S)]).signal(DnsIterates, "198.51.100.1", None, "");
    assert_eq!(outside.one().roles, [Role::Resolver]);
}

#[test]
fn several_devices_behind_one_address() {
    let scene =
        Scene::of([c("10.0.0.7", S)]).signal(Ttl, "10.0.0.7", None, "64-1").signal(Ttl, "10.0.0.7", None, "128-2");
    let host = scene.one();
    assert_eq!((&host.roles[..], host.nat_at_least), (&[Role::Nat][..], Some(2)));
    assert!(host.reason.contains("at least 2 devices"), "{}", host.reason);
    assert_eq!(host.verdict, Verdict::Contacting);
    // It is listed for that alone, and nobody for one way or two of one device.
    let quiet = Scene::of([]).signal(Ttl, "10.0.0.7", None, "64-1").signal(Ttl, "10.0.0.7", None, "128-2").one();
    assert_eq!((quiet.verdict, &quiet.roles[..]), (Verdict::None, &[Role::Nat][..]));
    // Where there was no contact, it is no question whose it was.
    assert!(host.reason.contains("share the address, and which of them it was is not visible"), "{}", host.reason);
    assert!(
        quiet.reason.starts_with("No contact with Kaspersky; at least 2 devices share the address")
            && !quiet.reason.contains("which of them"),
        "{}",
        quiet.reason
    );
    let ways = Scene::of([]).signal(Ttl, "10.0.0.7", None, "64-1").signal(Ttl, "10.0.0.7", None, "64-2");
    assert_eq!(ways.judge(), []);
}

#[test]
fn a_role_is_found_by_hardware_address_whatever_the_address() {
    let client = none("10.0.0.5");
    let lookups = c("fd00::53", S).answered().mac(mac(0x53));
    let scene = Scene::of([client, lookups]).interval("arp", "10.0.0.53", Some(mac(0x53)), 0, 90);
    let scene = scene.signal(DnsServer, "10.0.0.53", Some(mac(0x53)), SEVERAL);
    let host = scene.host("fd00::53");
    assert_eq!((host.verdict, &host.roles[..]), (Verdict::None, &[Role::Resolver][..]));
}

#[test]
fn a_lookup_that_no_client_explains_stays_the_resolvers() {
    let asks = |slots: &[u8]| none("10.0.0.53").slots(slots);
    let both = signal(Scene::of([none("10.0.0.5"), asks(&[40, 60])]), DnsServer, "10.0.0.53");
    let resolver = both.host("10.0.0.53");
    assert_eq!((resolver.verdict, resolver.likely_installed), (Verdict::LookedUp, false));
    assert_eq!(resolver.categories.values().map(|c| c.sessions).collect::<Vec<_>>(), [1]);
    assert!(resolver.reason.contains("whether these lookups are its own is not visible"), "{}", resolver.reason);
    assert!(resolver.weaker.contains("the questions of hosts"), "{}", resolver.weaker);
    // Nor does it look them up again as an installation would.
    let again = signal(Scene::of([none("10.0.0.5"), asks(&[40, 60, 70])]), DnsServer, "10.0.0.53").host("10.0.0.53");
    assert_eq!((again.verdict, again.likely_installed), (Verdict::LookedUp, false));
    assert_eq!(again.categories.values().map(|c| c.sessions).collect::<Vec<_>>(), [2]);
    assert_eq!(again.stronger, "connections to update servers");
    // Of a day with a connection the lookups before it.
    let day = c("10.0.0.53", S).on(&[Channel::DnsQuery, Channel::TlsSni]).slots(&[40, 80]).connected(&[80]);
    let mut before = signal(Scene::of([none("10.0.0.5"), day]), DnsServer, "10.0.0.53");
    before.options.until = Some(time(DAY, 60));
    assert_eq!(before.host("10.0.0.53").verdict, Verdict::None);
    // Whatever name it is that a client got.
    let alias = none("10.0.0.5").on(&[Channel::DnsCname]);
    let cname = signal(Scene::of([alias, asks(&[40])]), DnsServer, "10.0.0.53");
    assert_eq!(cname.host("10.0.0.53").verdict, Verdict::None);
}

/// It is one though it never asked: its upstream may not be visible.
#[test]
fn who_resolves_for_several_is_a_resolver() {
    let resolver = signal(Scene::of([none("10.0.0.5")]), DnsServer, "10.0.0.53").host("10.0.0.53");
    assert_eq!((resolver.verdict, &resolver.roles[..]), (Verdict::None, &[Role::Resolver][..]));
    let own = signal(Scene::of([c("10.0.0.53", S)]), DnsServer, "10.0.0.53").one();
    assert_eq!((own.verdict, &own.roles[..]), (Verdict::Contacting, &[Role::Resolver][..]));
}
