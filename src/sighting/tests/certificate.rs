//! Contacts that only the server's certificate names.

use super::super::testing_flow::*;
use crate::base::{Channel, Stage};
use crate::protocol::tls::sample;

/// ServerHello, Certificate and the end of a TLS 1.2 server's first flight.
fn flight(dns_names: &[&str]) -> Vec<u8> {
    let certificate = sample::certificate_message(&[&sample::certificate(&[], dns_names)]);
    sample::records(&[sample::server_hello_message(0x0303), certificate, vec![14, 0, 0, 0]].concat(), &[4000])
}

fn seen(dns_names: &[&str]) -> Seen {
    let mut s = Scene::new();
    let mut t = Tcp::mid_stream(&mut s, SERVER, 443);
    t.down(&mut s, &flight(dns_names));
    s.end()
}

#[test]
fn the_certificate_names_the_contact() {
    let seen = seen(&[UPDATE]);
    let r = seen.one();
    assert_eq!((r.indicator.id.as_str(), r.stage), ("update-dnl-geo", Stage::Connected));
    assert_eq!(r.channels, [Channel::TlsCertificate]);
    assert_eq!((r.host.ip, r.servers[0].ip), (addr(HOST), addr(SERVER)));
    assert_eq!(r.names.iter().map(|n| &**n).collect::<Vec<_>>(), [UPDATE]);
    assert_eq!(r.notes, ["mid_stream", "one_sided"]);
    assert_eq!(r.evidence[0].name.as_deref(), Some(UPDATE));
}

#[test]
fn a_wildcard_fits_what_covers_all_below_it() {
    // Only some of the names below it are of the update service.
    let wild = seen(&["*.kaspersky.com"]);
    assert!(wild.indicators().iter().all(|i| !i.starts_with("update")), "{:?}", wild.indicators());
    let other = seen(&["*.example.org", "*.com", "*"]);
    assert!(other.standing.is_empty() && other.lonely.is_empty());
}

#[test]
fn names_of_several_sites_are_ambiguous() {
    for (names, ambiguous) in [(&[UPDATE, "www.example.org"][..], true), (&[UPDATE, UPDATE], false)] {
        let seen = seen(names);
        assert_eq!(seen.of("update-dnl-geo").notes.iter().any(|n| n == "ambiguous"), ambiguous);
    }
}

#[test]
fn a_transfer_behind_the_certificate() {
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 443);
    // The capture lacks the client's hello.
    t.skip(200);
    t.down(&mut s, &flight(&[UPDATE]));
    t.up(&mut s, &sample::record(22, &[16, 0, 0, 1, 1])).up(&mut s, &sample::record(20, &[1]));
    t.up(&mut s, &sample::record(22, &[9; 40])).down(&mut s, &sample::record(22, &[9; 40]));
    t.up(&mut s, &sample::record(23, &[9; 90])).down(&mut s, &sample::record(23, &[9; 2300]));
    let seen = s.end();
    assert_eq!(seen.one().stage, Stage::Transferred);
}
