//! What a flood may take from the tables of one shard.

use super::super::contact::CAP;
use super::super::testing_flow::*;
use super::super::{Observer, Settings};
use crate::base::Stage;
use crate::catalogue::Catalogue;
use crate::coverage::Counter;
use std::sync::Arc;

#[test]
fn contacts_beyond_the_cap_are_counted_and_not_followed() {
    let mut s = Scene::new();
    let mut last = s.connect(NETBLOCK[0], 443);
    for _ in 0..CAP + 9 {
        last = s.connect(NETBLOCK[0], 443);
    }
    last.up(&mut s, b"\x01\x02\x03\x04unknown").down(&mut s, b"yes");
    let seen = s.end();
    assert_eq!(seen.get(Counter::ContactsUnfollowed), 10);
    let r = &seen.lonely[0];
    assert_eq!((r.count, r.bytes_to_server), (CAP as u64 + 10, 11), "each still counts");
}

/// A request and its answer inside TLS.
fn transfer(s: &mut Scene, t: &mut Tcp) {
    t.up(s, &[&[0x17, 3, 3, 0, 100][..], &[1; 100]].concat());
    for _ in 0..4 {
        t.down(s, &[&[0x17, 3, 3, 4, 0][..], &[2; 1024]].concat());
    }
}

/// Forged names, to which no server answers, keep no genuine contact from
/// being followed; and what was followed keeps its place.
#[test]
fn a_genuine_contact_gets_through_a_flood_of_names() {
    let mut s = Scene::new();
    let flood = |s: &mut Scene, n: usize| {
        for _ in 0..n {
            let mut t = Tcp::only_syn(s, "203.0.113.77", 443);
            t.up(s, &hello(Some("forged.upd.kaspersky.com"), 0));
        }
    };
    flood(&mut s, 3 * CAP);
    let mut t = s.connect(SERVER, 443);
    flood(&mut s, CAP / 2);
    t.up(&mut s, &hello(Some(UPDATE), 0));
    flood(&mut s, CAP / 2);
    t.down(&mut s, &server_hello());
    flood(&mut s, 3 * CAP);
    transfer(&mut s, &mut t);
    let seen = s.end();
    let genuine = seen.standing.iter().find(|r| r.names.iter().any(|n| n == UPDATE)).unwrap();
    assert_eq!(genuine.stage, Stage::Transferred);
    assert!(seen.get(Counter::ContactsUnfollowed) > 3 * CAP as u64);
}

#[test]
fn contacts_that_got_as_far_as_they_can_make_room() {
    let mut s = Scene::new();
    for _ in 0..CAP + 5 {
        let mut t = s.connect(SERVER, 443);
        t.up(&mut s, &hello(Some(UPDATE), 0)).down(&mut s, &server_hello());
        transfer(&mut s, &mut t);
    }
    let mut last = s.connect(SERVER, 443);
    last.up(&mut s, &hello(Some(OTHER_UPDATE), 0)).down(&mut s, &server_hello());
    let seen = s.end();
    assert_eq!(seen.get(Counter::ContactsUnfollowed), 6);
    let mut stages: Vec<_> = seen.standing.iter().map(|r| (r.stage, r.count)).collect();
    stages.sort_unstable();
    assert_eq!(stages, [(Stage::Connected, 1), (Stage::Transferred, CAP as u64 + 5)]);
}

#[test]
fn answered_contacts_are_not_driven_out() {
    let mut s = Scene::new();
    let mut held = Vec::new();
    for _ in 0..CAP {
        let mut t = s.connect(NETBLOCK[0], 443);
        t.up(&mut s, b"\x01\x02\x03\x04unknown").down(&mut s, b"yes");
        held.push(t);
    }
    assert_eq!(s.ledger.total().get(Counter::ContactsUnfollowed), 0);
    for _ in 0..9 {
        s.connect(NETBLOCK[0], 443);
    }
    held[0].down(&mut s, &[5; 100]);
    let seen = s.end();
    assert_eq!(seen.get(Counter::ContactsUnfollowed), 9);
    assert_eq!(seen.lonely[0].bytes_from_server, 3 * CAP as u64 + 100);
}

#[test]
fn places_of_ended_contacts_are_used_again() {
    let mut s = Scene::new();
    for _ in 0..3 * CAP {
        let mut t = s.connect(NETBLOCK[0], 443);
        t.reset(&mut s);
        s.wait(200);
    }
    assert_eq!(s.end().get(Counter::ContactsUnfollowed), 0);
}

#[test]
fn askers_and_outside_clients_are_capped() {
    let client = |n: u32, net: u8| format!("{net}.{}.{}.9", n / 250, n % 250);
    let mut s = Scene::new();
    let query = dns(1, 0x0100, &[UPDATE], &[]);
    for n in 0..5000 {
        s.udp((&client(n, 198), 5000), ("8.8.8.8", 53), &query);
        s.udp((&client(n, 10), 5000), (RESOLVER, 53), &dns(1, 0x0100, &["x.test"], &[]));
    }
    let seen = s.end();
    assert_eq!((seen.outside, seen.get(Counter::ObservationsOutside)), (896, 5000));
    assert!(seen.get(Counter::TableEvicted) >= 5000 - 896);
}

#[test]
fn a_running_sensor_keeps_what_a_replay_spills() {
    for live in [false, true] {
        let catalogue = Arc::new(Catalogue::builtin());
        let settings = Settings { catalogue, home: Default::default(), canaries: Vec::new(), live, pseudonyms: None };
        let mut observer = Observer::new(Arc::new(settings)).with_max_drafts(0);
        observer.drafts.open(key(), crate::base::Timestamp(0));
        let at = observer.drafts.open(key(), crate::base::Timestamp(0));
        observer.drafts.weigh(at);
        assert_eq!(observer.take_spilled().len(), usize::from(!live));
        assert!(observer.take_spilled().is_empty());
    }
}

fn key() -> super::super::DraftKey {
    let host = super::super::HostKey { segment: 0, ip: addr(HOST), mac: None };
    super::super::DraftKey { source: 0, host, indicator: crate::catalogue::IndicatorRef(0), day: 0 }
}
