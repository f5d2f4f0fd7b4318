//! DTLS, by itself and beside other protocols of its port.

use crate::base::Addr;
use crate::base::Stage::{Attempted, Connected, Transferred};
use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::protocol::dtls::tests::{hello_body, part, plain, sealed};
use crate::protocol::tls::sample;

const C: (Addr, u16) = (CLIENT, 50_000);
const S: (Addr, u16) = (SERVER, 4433);

fn whole(random: u8, cookie: &[u8], name: &str, seq: u16) -> Vec<u8> {
    let body = hello_body(random, cookie, name);
    part(1, seq, &body, 0, body.len())
}

fn server_hello() -> Vec<u8> {
    part(2, 1, &[7; 60], 0, 60)
}

#[test]
fn a_cookie_exchange_is_one_contact_and_its_stages() {
    let mut lab = Lab::new(Policy::Names);
    lab.udp(C, S, &whole(1, b"", "up.test", 0));
    assert_eq!(lab.stage(0), Attempted);
    lab.udp(S, C, &part(3, 0, &[9; 20], 0, 20));
    lab.udp(C, S, &whole(1, b"cookie", "up.test", 1));
    lab.udp(S, C, &[server_hello(), part(11, 2, &[1; 3000], 0, 1000)].concat());
    lab.udp(S, C, &part(11, 2, &[1; 3000], 1000, 1000));
    assert_eq!(lab.stage(0), Connected);
    lab.udp(C, S, &[plain(20, &[1]), sealed(22, 40)].concat());
    lab.udp(S, C, &sealed(22, 3000));
    assert_eq!(lab.stage(0), Connected);
    lab.udp(C, S, &sealed(23, 100));
    lab.udp(S, C, &sealed(23, 1900));
    assert_eq!(lab.stage(0), Connected);
    lab.udp(S, C, &sealed(23, 200));
    assert_eq!(lab.stage(0), Transferred);
    assert_eq!((lab.told(), lab.count(Counter::TlsHellos)), (vec!["tls up.test".to_owned()], 1));
    // The next association on the same ports.
    lab.udp(C, S, &whole(2, b"", "other.test", 0));
    assert_eq!(lab.told()[1..], ["tls other.test"]);
    lab.finish();
}

#[test]
fn data_of_dtls_1_3() {
    let mut lab = Lab::new(Policy::Names);
    lab.udp(C, S, &whole(1, b"", "up.test", 0));
    lab.udp(S, C, &[server_hello(), vec![0x2e; 900]].concat());
    lab.udp(C, S, &[0x2e; 80]);
    lab.udp(S, C, &[0x2f; 3000]);
    assert_eq!(lab.stage(0), Connected);
    lab.udp(C, S, &[0x2f; 80]);
    lab.udp(S, C, &[0x2f; 3000]);
    assert_eq!(lab.stage(0), Transferred);
}

#[test]
fn fragments_in_any_order_and_repeated() {
    let body = hello_body(1, b"cookie", "up.test");
    let parts: Vec<Vec<u8>> = (0..body.len()).step_by(20).map(|at| part(1, 1, &body, at, 20)).collect();
    let mut backwards = parts.clone();
    backwards.reverse();
    backwards.extend(parts.clone());
    for order in [parts, backwards] {
        let mut lab = Lab::new(Policy::Names);
        for datagram in order {
            lab.udp(C, S, &datagram);
        }
        assert_eq!(lab.told(), ["tls up.test"]);
        assert_eq!(lab.engine.held(), 0);
        lab.finish();
    }
    let mut lab = Lab::new(Policy::Names);
    lab.udp(C, S, &part(1, 1, &body, 0, body.len() - 1));
    assert!(lab.told().is_empty() && lab.engine.held() > 0);
    let mut ledger = std::mem::take(&mut lab.ledger);
    let sink = lab.engine.finish(&mut ledger);
    assert!(sink.told.is_empty());
    assert_eq!(ledger.total().get(Counter::TlsHellosIncomplete), 1);
}

#[test]
fn the_server_may_be_seen_first_and_others_share_the_port() {
    let stun = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl";
    let mut lab = Lab::new(Policy::Names);
    for _ in 0..20 {
        lab.udp(S, C, stun);
        lab.udp(C, S, stun);
    }
    lab.udp(S, C, &whole(3, b"", "up.test", 0));
    assert_eq!(lab.told()[1..], ["tls up.test"]);
    assert_eq!(lab.last().client, S);
    lab.udp(C, S, &server_hello());
    assert_eq!(lab.stage(0), Connected);
    // Media beside it is no transfer.
    lab.udp(S, C, &sealed(23, 10));
    for _ in 0..10 {
        lab.udp(C, S, &[0x80; 1000]);
    }
    assert_eq!(lab.stage(0), Connected);
    lab.finish();
}

#[test]
fn an_alert_is_a_refusal_and_no_name_is_counted() {
    let mut lab = Lab::new(Policy::Names);
    lab.udp(C, S, &whole(1, b"", "", 0));
    lab.udp(S, C, &plain(21, &[2, 40]));
    assert_eq!((lab.told(), lab.count(Counter::TlsNoName)), (vec!["tls -".to_owned()], 1));
    assert_eq!((lab.stage(0), lab.contact(0).notes), (Attempted, vec!["tls_alert"]));
}

#[test]
fn tls_inside_rdp() {
    let header = sample::hex("00 14c1 01f401 64e0 6400 0100");
    for inner in [hello("up.test"), whole(1, b"", "up.test", 0)] {
        let mut lab = Lab::new(Policy::Names);
        let to = (SERVER, 3389);
        lab.udp(C, to, &sample::hex("ffffffff 0040 1801 bbff5687 04d004d0"));
        lab.udp(to, C, &sample::hex("bbff5687 0040 1005 4d677966 04d004d0"));
        for _ in 0..2 {
            lab.udp(C, to, &[&header[..], &inner].concat());
        }
        assert_eq!(lab.told(), ["?", "tls up.test"]);
        lab.finish();
    }
}

#[test]
fn half_hellos_do_not_fill_the_memory() {
    let mut lab = Lab::with_limits(Policy::Nothing, crate::flow::Limits { held_bytes: 64 << 10, ..Default::default() });
    let body = hello_body(1, &[7; 200], "up.test");
    for port in 10_000..14_000 {
        lab.udp((CLIENT, port), S, &part(1, 0, &body, 0, 200));
        assert!(lab.engine.held() <= 66 << 10);
    }
    assert!(lab.count(Counter::StreamsEvicted) > 3000);
    lab.finish();
}
