//! Segments that somebody else sent must not hide the connection.

use crate::base::Stage;
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
