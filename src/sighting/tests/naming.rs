//! What hosts of a LAN say they are called.

use super::super::testing_flow::*;
use crate::coverage::Counter;

const GROUP: &str = "224.0.0.251";

/// A multicast DNS announcement.
fn announce(name: &str, addr: [u8; 4]) -> Vec<u8> {
    dns(0, 0x8400, &[], &[Rr::A(name, addr, 120)])
}

fn host(s: Scene) -> (Option<String>, Option<String>) {
    let seen = s.end();
    let host = &seen.one().host;
    (host.name.clone(), host.name_source.clone())
}

fn is(name: &str, source: &str) -> (Option<String>, Option<String>) {
    (Some(name.to_owned()), Some(source.to_owned()))
}

#[test]
fn a_host_that_names_itself_is_named_in_its_records() {
    let mut s = Scene::new();
    s.ask(UPDATE);
    s.udp((HOST, 5353), (GROUP, 5353), &announce("PC-17.local", [10, 0, 0, 5]));
    assert_eq!(host(s), is("pc-17", "mdns"));
    // Its word on others, and others' word on it, count for nothing.
    let mut s = Scene::new();
    s.ask(UPDATE);
    s.udp((HOST, 5353), (GROUP, 5353), &announce("tv.local", [10, 0, 0, 9]));
    s.udp(("10.0.0.9", 5353), (GROUP, 5353), &announce("pc-17.local", [10, 0, 0, 5]));
    s.udp((HOST, 5000), (GROUP, 5353), &announce("pc-17.local", [10, 0, 0, 5]));
    assert_eq!(host(s), (None, None));
}

#[test]
fn an_answer_by_llmnr_or_netbios_names_its_sender() {
    let mut s = Scene::new();
    s.ask(UPDATE);
    let answer = dns(9, 0x8000, &["PC-17"], &[Rr::A("PC-17", [10, 0, 0, 5], 30)]);
    s.udp((HOST, 5355), ("10.0.0.9", 50_000), &answer);
    assert_eq!(host(s), is("pc-17", "llmnr"));
    let mut s = Scene::new();
    s.ask(UPDATE);
    let mut registration = vec![0x12, 0x34, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1, 32];
    b"PC-17          \0".iter().for_each(|b| registration.extend([b'A' + (b >> 4), b'A' + (b & 15)]));
    registration.extend(b"\0\0\x20\0\x01\xc0\x0c\0\x20\0\x01\0\x04\x93\xe0\0\x06\x60\0\x0a\0\0\x05");
    s.udp((HOST, 137), ("10.0.0.255", 137), &registration);
    assert_eq!(host(s), is("pc-17", "nbns"));
}

#[test]
fn these_protocols_are_never_a_contact() {
    let mut s = Scene::new();
    for (port, group) in [(5353, GROUP), (5355, "224.0.0.252"), (137, "10.0.0.255")] {
        s.udp((HOST, port), (group, port), &dns(1, 0x0100, &[UPDATE], &[]));
        s.udp((HOST, port), (group, port), &dns(1, 0x8400, &[UPDATE], &[Rr::A(UPDATE, [10, 0, 0, 5], 60)]));
        s.udp((HOST, 50_000), (group, port), &dns(1, 0x0100, &[UPDATE], &[]));
    }
    let seen = s.end();
    assert!(seen.standing.is_empty() && seen.lonely.is_empty());
    assert_eq!((seen.get(Counter::Observations), seen.get(Counter::DnsMessages)), (0, 0));
}

#[test]
fn of_two_names_the_one_heard_last_counts_and_outsiders_have_none() {
    let mut s = Scene::new();
    s.ask(UPDATE);
    for name in ["old.local", "new.local", "old.local", "newest.local"] {
        s.wait(60).udp((HOST, 5353), (GROUP, 5353), &announce(name, [10, 0, 0, 5]));
    }
    assert_eq!(host(s), is("newest", "mdns"));
    let mut s = Scene::new();
    s.udp(("198.51.100.1", 5353), (GROUP, 5353), &announce("pc.local", [198, 51, 100, 1]));
    assert_eq!(s.end().get(Counter::HostNames), 0);
}

#[test]
fn a_name_is_text_of_its_host_and_stays_harmless() {
    let mut s = Scene::new();
    s.ask(UPDATE);
    s.udp((HOST, 5353), (GROUP, 5353), &announce("=cmd\u{1b}\u{e9}.local", [10, 0, 0, 5]));
    assert_eq!(host(s), is("=cmd\\x1b\\xc3\\xa9", "mdns"));
}
