//! Indicators that only support, and alarms.

use super::super::Stage;
use super::super::testing_flow::*;
use crate::base::Channel;

fn syn(s: &mut Scene, server: &str, port: u16) {
    Tcp::only_syn(s, server, port);
}

#[test]
fn support_is_lonely_until_a_second_different_signal_comes() {
    let mut s = Scene::new();
    syn(&mut s, NETBLOCK[0], 443);
    syn(&mut s, NETBLOCK[0], 444);
    syn(&mut s, NETBLOCK[1], 443);
    let seen = s.end();
    assert!(seen.standing.is_empty());
    assert_eq!(seen.lonely.len(), 2, "two netblocks are one signal");
    assert_eq!(seen.lonely[0].channels, [Channel::Netblock]);
    assert!(seen.lonely[1].count == 2 && seen.lonely[1].evidence[0].name.is_none());

    let mut s = Scene::new();
    syn(&mut s, NETBLOCK[0], 443);
    syn(&mut s, "10.0.0.80", 13291);
    let seen = s.end();
    assert_eq!((seen.standing.len(), seen.lonely.len()), (2, 0));

    let mut s = Scene::new();
    syn(&mut s, NETBLOCK[0], 443);
    s.ask("www.kaspersky.com");
    let seen = s.end();
    assert_eq!(seen.indicators(), ["netblock-77-74-176-0-21", "web-www"]);
}

#[test]
fn a_signal_of_another_day_or_host_is_no_support() {
    let mut s = Scene::new();
    syn(&mut s, NETBLOCK[0], 443);
    s.udp(("10.0.0.6", 5000), (RESOLVER, 53), &dns(1, 0x0100, &[UPDATE], &[]));
    s.wait(86_400).ask(UPDATE);
    let seen = s.end();
    assert_eq!((seen.standing.len(), seen.lonely.len()), (2, 1));
}

#[test]
fn a_payload_supports() {
    let mut s = Scene::new();
    s.connect(SERVER, 443).up(&mut s, b"\x4b\x45\x00\x00rest").down(&mut s, b"x");
    let seen = s.end();
    assert_eq!((seen.standing.len(), seen.lonely.len()), (0, 1));
    let r = &seen.lonely[0];
    assert_eq!((r.channels.as_slice(), r.stage, r.bytes_to_server), (&[Channel::Payload][..], Stage::Connected, 8));
}

#[test]
fn a_sinkhole_stands_alone_and_supports_nothing() {
    let mut s = Scene::new();
    syn(&mut s, "95.211.172.143", 80);
    syn(&mut s, "93.159.228.22", 80);
    syn(&mut s, NETBLOCK[0], 80);
    let seen = s.end();
    assert_eq!(seen.indicators(), ["sinkhole-93-159-228-22", "sinkhole-95-211-172-143"]);
    assert_eq!(seen.lonely.len(), 1, "an alarm is no sign of use");
}

#[test]
fn spilled_drafts_support_too() {
    let mut s = Scene::new();
    s.spill = true;
    syn(&mut s, NETBLOCK[0], 443);
    s.wait(3600).ask("www.kaspersky.com");
    let seen = s.end();
    assert_eq!((seen.standing.len(), seen.lonely.len()), (2, 0));
}
