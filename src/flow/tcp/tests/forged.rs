//! Segments that somebody else sent must not hide the connection.

use crate::base::Stage;
use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::{Packet, Transport};

const NAME: &str = "dnl-01.geo.kaspersky.com";

fn tls() -> Vec<String> {
    vec![format!("tls {NAME}")]
}

fn lab() -> (Lab, Conn) {
    (Lab::new(Policy::Nothing), Conn::new(50_000, 443))
}

/// A forged SYN with another sequence number must not take the flow away.
#[test]
fn a_forged_syn_does_not_blind() {
    let hello = hello(NAME);
    for forge_first in [true, false] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        let forged = c.isn(2_500_000_000, 0);
        if forge_first {
            lab.syn(&forged);
        }
        lab.syn(&c);
        lab.syn(&forged);
        lab.syn_ack(&c);
        lab.syn(&forged);
        lab.client(&mut c, &hello[..60]);
        lab.syn(&forged);
        lab.client_at(&forged, 0, ACK, b"garbage");
        lab.client(&mut c, &hello[60..]);
        lab.syn(&forged);
        lab.server(&mut c, &server_hello(0x0303, false));
        assert_eq!((lab.told(), lab.stage(0)), (tls(), Stage::Connected), "{forge_first}");
    }
}

/// A SYN forged in the server's name turns the direction round.
#[test]
fn a_forged_syn_of_the_server_does_not_blind() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    let p = packet(Transport::Tcp, c.server, c.client);
    lab.packet(&Packet { flags: SYN, seq: 5, ..p }, b"");
    lab.say(&mut c, &hello(NAME));
    assert_eq!((lab.told(), lab.last().client), (tls(), c.client));
    // Nor if the capture has only the client's packets.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_001, 443);
    let p = packet(Transport::Tcp, c.server, c.client);
    lab.packet(&Packet { flags: SYN, seq: 5, ..p }, b"");
    lab.syn(&c);
    lab.client(&mut c, &hello(NAME));
    assert_eq!((lab.told(), lab.last().client), (tls(), c.client));
}

#[test]
fn forged_resets_and_ends_do_not_blind() {
    let hello = hello(NAME);
    for flags in [RST, RST | ACK, FIN | ACK, SYN | RST, SYN | FIN] {
        for at in [0, 60, 3_000_000_000] {
            let mut lab = Lab::new(Policy::Names);
            let mut c = Conn::new(50_000, 443);
            lab.open(&c);
            let forge = |lab: &mut Lab, c: &Conn| {
                lab.client_at(c, at, flags, b"");
                lab.server_at(c, at, flags, b"");
            };
            forge(&mut lab, &c);
            lab.client(&mut c, &hello[..60]);
            forge(&mut lab, &c);
            lab.client(&mut c, &hello[60..]);
            lab.server(&mut c, &server_hello(0x0303, false));
            assert_eq!((lab.told(), lab.stage(0)), (tls(), Stage::Connected), "{flags} {at}");
        }
    }
}

#[test]
fn forged_data_does_not_blind() {
    let hello = hello(NAME);
    for forged in [&b"nonsense"[..], &hello[..40], b"GET / HTTP/1.1\r\nHost: x.test\r\n"] {
        for (at, agreed) in
            [3_000_000_000, 100_000_000, 5_000_000, 2_000].into_iter().flat_map(|a| [(a, true), (a, false)])
        {
            let (mut lab, mut c) = lab();
            lab.syn(&c);
            if agreed {
                lab.syn_ack(&c);
            }
            lab.client_at(&c, at, ACK, forged);
            lab.client(&mut c, &hello[..60]);
            if agreed {
                lab.client_at(&c, at, ACK, forged);
            }
            lab.client(&mut c, &hello[60..]);
            assert!(lab.told().contains(&tls()[0]), "{forged:?} {at}: {:?}", lab.told());
        }
    }
}

/// Garbage with a small TTL in the place of the hello reaches the sensor, not
/// the server.
#[test]
fn forged_data_in_the_place_of_the_hello_does_not_blind() {
    let (mut lab, mut c) = lab();
    lab.open(&c);
    lab.client_at(&c, 0, ACK, &[b'z'; 500]);
    lab.client(&mut c, &hello(NAME));
    assert_eq!(lab.told(), ["?".to_owned(), tls().remove(0)]);
    let (mut lab, mut c) = self::lab();
    lab.open(&c);
    lab.client_at(&c, 0, ACK, b"GET / HTTP/1.1\r\nHost: harmless.test\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n");
    lab.client(&mut c, &hello(NAME));
    assert!(lab.told().contains(&tls()[0]));
    assert!(lab.last().notes.contains(&"conflict"));
}

#[test]
fn a_forged_first_segment_does_not_blind() {
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 443);
    lab.client_at(&c, 2_000_000_000, ACK, b"nonsense");
    lab.client(&mut c, &hello(NAME));
    lab.server(&mut c, &server_hello(0x0303, false));
    assert!(lab.told().contains(&tls()[0]));
    assert_eq!(lab.stage(0), Stage::Connected);
    assert!(lab.contact(0).up < 2000 && lab.contact(0).down < 2000, "{:?}", lab.contact(0));
}

/// The capture has neither the real SYN nor the server's packets.
#[test]
fn a_forged_syn_alone_does_not_blind() {
    let hello = hello(NAME);
    for isn in [2_500_000_000, 900_000_000] {
        for size in [60, 1000] {
            let (mut lab, mut c) = lab();
            lab.syn(&c.isn(isn, 0));
            for part in hello.chunks(size) {
                lab.client(&mut c, part);
            }
            assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["mid_stream"]), "{isn} {size}");
        }
    }
}

#[test]
fn forged_data_counts_for_nothing() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.say(&mut c, &hello(NAME));
    lab.client_at(&c, 100_000_000, ACK, b"forged");
    lab.server_at(&c, 100_000_000, ACK, b"forged");
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!((lab.contact(0).up, lab.contact(0).down), (u64::from(c.sent.0), u64::from(c.sent.1)));
    assert_eq!(lab.stage(0), Stage::Connected);
}

/// A SYN-ACK of somebody else, before the server's or behind it: the client
/// repeats the number of the one that it got.
#[test]
fn a_forged_syn_ack_does_not_hide_the_answer() {
    for policy in [Policy::Names, Policy::Flows] {
        for forge_first in [true, false] {
            let mut lab = Lab::new(policy);
            let mut c = Conn::new(50_000, 443);
            let forged = c.isn(c.isn.0, 2_500_000_000);
            lab.syn(&c);
            let order = if forge_first { [forged, c] } else { [c, forged] };
            order.iter().for_each(|c| lab.syn_ack(c));
            lab.syn(&c.isn(7, 0)); // a forged SYN does not cover it up
            lab.ack(&c);
            lab.client(&mut c, &hello(NAME));
            lab.server(&mut c, &server_hello(0x0303, false));
            assert_eq!((lab.stage(0), lab.contact(0).down), (Stage::Connected, u64::from(c.sent.1)), "{forge_first}");
            assert_eq!((lab.count(Counter::StreamConflict), lab.count(Counter::Handshakes)), (1, 1));
            assert!(lab.last().notes.contains(&"conflict"));
            // Another one comes too late to matter.
            lab.syn_ack(&forged);
            lab.server(&mut c, &sealed(100));
            assert_eq!(lab.contact(0).down, u64::from(c.sent.1));
        }
    }
}

/// Repeated SYN-ACKs are no conflict.
#[test]
fn a_repeated_syn_ack_is_no_conflict() {
    let (mut lab, c) = lab();
    lab.syn(&c);
    (0..3).for_each(|_| lab.syn_ack(&c));
    lab.ack(&c);
    lab.syn_ack(&c);
    assert_eq!((lab.count(Counter::StreamConflict), lab.count(Counter::Handshakes)), (0, 1));
}

fn get(host: &str) -> Vec<u8> {
    format!("GET /index/u0607g.xml.klz HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// Somebody else's first message, whole, in the place of the client's: both are
/// told, and what was followed is not let go.
#[test]
fn another_first_message_is_told_beside() {
    let long = [&get("harmless.test")[..], &[b'x'; 600]].concat();
    for (forged, real, port, told) in [
        (get("harmless.test"), get(NAME), 80, format!("http {NAME} /index/u0607g.xml.klz")),
        (long, get(NAME), 80, format!("http {NAME} /index/u0607g.xml.klz")),
        (hello("harmless.test"), hello(NAME), 443, format!("tls {NAME}")),
        (hello("harmless.test"), get(NAME), 80, format!("http {NAME} /index/u0607g.xml.klz")),
    ] {
        for policy in [Policy::Nothing, Policy::Names, Policy::Flows] {
            for swapped in [false, true] {
                let mut lab = Lab::new(policy);
                let c = Conn::new(50_000, port);
                lab.open(&c);
                let (first, second) = if swapped { (&real, &forged) } else { (&forged, &real) };
                lab.client_at(&c, 0, ACK, first);
                lab.client_at(&c, 0, ACK, second);
                lab.client_at(&c, 0, ACK, first);
                assert!(lab.told().contains(&told), "{policy:?} {swapped} {:?}", lab.told());
                assert!(lab.last().notes.contains(&"conflict"), "{policy:?} {swapped}");
                assert_eq!(lab.count(Counter::StreamConflict), 1);
            }
        }
    }
}

/// A hello in several segments in the place of another message.
#[test]
fn another_first_message_may_come_in_pieces() {
    for policy in [Policy::Nothing, Policy::Flows] {
        let mut lab = Lab::new(policy);
        let mut c = Conn::new(50_000, 443);
        lab.open(&c);
        lab.client_at(&c, 0, ACK, &hello("harmless.test"));
        lab.client_at(&c, 0, ACK, &hello("harmless.test"));
        assert_eq!(lab.count(Counter::StreamConflict), 0);
        let hello = long_hello(NAME, 1500);
        lab.client(&mut c, &hello[..1000]);
        lab.client(&mut c, &hello[1000..]);
        assert!(lab.told().contains(&tls()[0]), "{policy:?} {:?}", lab.told());
        assert_eq!(lab.count(Counter::StreamConflict), 1);
    }
}

/// The same bytes again, cut elsewhere, are the client's own.
#[test]
fn a_repeated_first_message_is_no_conflict() {
    for whole in [get(NAME), hello(NAME), long_hello(NAME, 900)] {
        for policy in [Policy::Nothing, Policy::Names] {
            for (first, again) in [(whole.len(), whole.len()), (30, whole.len()), (whole.len(), 50), (60, 50), (50, 20)]
            {
                let mut lab = Lab::new(policy);
                let c = Conn::new(50_000, 443);
                lab.open(&c);
                let part = |n: usize| &whole[..n.min(whole.len())];
                lab.client_at(&c, 0, ACK, part(first));
                lab.client_at(&c, 0, ACK, part(again));
                lab.client_at(&c, 0, ACK, &whole);
                lab.client_at(&c, 0, ACK, part(again));
                assert_eq!((lab.told().len(), lab.count(Counter::StreamConflict)), (1, 0), "{first} {again}");
            }
        }
    }
}
