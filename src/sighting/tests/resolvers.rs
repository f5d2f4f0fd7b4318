//! Who uses encrypted DNS.

use super::super::testing_flow::*;
use crate::coverage::Counter;
use crate::coverage::resolvers::UNNAMED;

const RESOLVER_OUTSIDE: &str = "192.0.2.53";

fn seen(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[test]
fn a_host_counts_by_the_listed_name_it_shows() {
    let mut s = Scene::new();
    for name in ["dns.google", "dns.google", "abc123.dns.nextdns.io", "www.example.com"] {
        s.connect(RESOLVER_OUTSIDE, 443).up(&mut s, &hello(Some(name), 0));
    }
    assert_eq!(s.resolvers(), seen(&[("dns.google", 1), ("dns.nextdns.io", 1)]));
    assert_eq!(s.end().get(Counter::EncryptedDns), 3);
}

#[test]
fn the_port_alone_counts_where_no_listed_name_shows() {
    // A listed name, another name, no TLS at all, nothing said, no answer.
    type Say = fn(&mut Scene);
    let cases: [(Say, &[(&str, u64)]); 5] = [
        (
            |s| {
                s.connect(RESOLVER_OUTSIDE, 853).up(s, &hello(Some("dns.google"), 0));
            },
            &[("dns.google", 1)],
        ),
        (
            |s| {
                s.connect(RESOLVER_OUTSIDE, 853).up(s, &hello(Some("dns.example"), 0));
            },
            &[(UNNAMED, 1)],
        ),
        (
            |s| {
                s.connect(RESOLVER_OUTSIDE, 853).up(s, b"something else");
            },
            &[(UNNAMED, 1)],
        ),
        (
            |s| {
                s.connect(RESOLVER_OUTSIDE, 853);
            },
            &[],
        ),
        (
            |s| {
                Tcp::only_syn(s, RESOLVER_OUTSIDE, 853);
            },
            &[],
        ),
    ];
    for (at, (say, expected)) in cases.into_iter().enumerate() {
        let mut s = Scene::new();
        say(&mut s);
        assert_eq!(s.resolvers(), seen(expected), "case {at}");
        assert_eq!(s.end().get(Counter::EncryptedDns), 1, "case {at}");
    }
    // A datagram, and a connection that goes on from before the capture.
    let mut s = Scene::new();
    s.udp((HOST, 5000), (RESOLVER_OUTSIDE, 853), &[0x40; 100]);
    assert_eq!(s.resolvers(), seen(&[(UNNAMED, 1)]));
    let mut s = Scene::new();
    Tcp::mid_stream(&mut s, RESOLVER_OUTSIDE, 853).up(&mut s, &[23, 3, 3, 0, 1, 9]);
    assert_eq!(s.resolvers(), seen(&[(UNNAMED, 1)]));
}

#[test]
fn clients_outside_the_home_networks_are_not_hosts() {
    let mut s = Scene::new();
    s.udp(("198.51.100.1", 5000), (RESOLVER_OUTSIDE, 853), &[0x40; 100]);
    assert_eq!(s.resolvers(), []);
    assert_eq!(s.end().get(Counter::EncryptedDns), 1);
}
