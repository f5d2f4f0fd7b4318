//! A handshake that nobody went on with, and a later connection on the same ports
//! whose SYN was missed.

use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN};

/// By how much the later connection's number differs: less than a window.
const APART: [i32; 8] = [-16_000_000, -100_000, -1000, -5, 5, 1000, 100_000, 16_000_000];

fn messages() -> [(u16, Vec<u8>, &'static str); 3] {
    let query = dns(7, "up.test", false);
    let framed = [&u16::try_from(query.len()).unwrap().to_be_bytes()[..], &query].concat();
    [
        (443, hello("up.test"), "tls up.test"),
        (80, b"GET /a HTTP/1.1\r\nHost: up.test\r\n\r\n".to_vec(), "http up.test /a"),
        (53, framed, "dns query up.test"),
    ]
}

/// The later connection, perhaps from the last segment of its handshake on.
fn later(c: &Conn, by: i32, with_ack: bool, lab: &mut Lab, message: &[u8]) {
    let mut next = c.isn(c.isn.0.wrapping_add_signed(by), 900_000_000);
    if with_ack {
        lab.ack(&next);
    }
    lab.client(&mut next, message);
    lab.server(&mut next, &[0xff; 300]);
    lab.client_at(&next, next.sent.0, FIN | ACK, b"");
    lab.server_at(&next, next.sent.1, FIN | ACK, b"");
}

#[test]
fn a_later_connection_is_read() {
    for (port, message, want) in messages() {
        for by in APART {
            for (consent, with_ack) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut lab = Lab::new(Policy::Nothing);
                let c = Conn::new(50_000, port).isn(1_000_000_000, 5000);
                lab.syn(&c);
                if consent {
                    lab.syn_ack(&c);
                }
                lab.wait(20_000);
                later(&c, by, with_ack, &mut lab, &message);
                assert_eq!(lab.told(), [want], "{port} {by} {consent} {with_ack}");
                assert_eq!(lab.last().client, (CLIENT, 50_000));
                assert!(lab.last().notes.contains(&"mid_stream") || port == 53, "{:?}", lab.last());
                lab.finish();
            }
        }
    }
}

/// Where both ends have numbers that say so, it need not be late.
#[test]
fn at_once_where_the_numbers_tell() {
    for (port, message, want) in messages() {
        for by in APART {
            let mut lab = Lab::new(Policy::Nothing);
            let c = Conn::new(50_000, port).isn(1_000_000_000, 5000);
            lab.syn(&c);
            lab.syn_ack(&c);
            later(&c, by, true, &mut lab, &message);
            assert_eq!(lab.told(), [want], "{port} {by}");
            lab.finish();
        }
    }
}

/// The half-open one may still go on.
#[test]
fn what_the_handshake_announced_is_read_too() {
    for by in APART {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 443).isn(1_000_000_000, 5000);
        lab.syn(&c);
        lab.wait(20_000);
        let mut next = c.isn(c.isn.0.wrapping_add_signed(by), 900_000_000);
        lab.client(&mut next, &hello("forged.test"));
        lab.syn_ack(&c);
        lab.client(&mut c, &hello("up.test"));
        assert_eq!(lab.told(), ["tls forged.test", "tls up.test"], "{by}");
        lab.finish();
    }
}

/// Segments that the capture reordered, and a body whose beginning it lacks, are
/// no other connection.
#[test]
fn what_is_only_out_of_order_waits() {
    let head = b"POST /0 HTTP/1.1\r\nHost: up.test\r\nContent-Length: 100\r\n\r\n";
    let body = b"GET /x HTTP/1.1\r\nHost: forged.test\r\n\r\n";
    for consent in [false, true] {
        let mut lab = Lab::new(Policy::Nothing);
        let c = Conn::new(50_000, 80);
        lab.syn(&c);
        if consent {
            lab.syn_ack(&c);
        }
        lab.client_at(&c, u32::try_from(head.len()).unwrap(), ACK, body);
        assert!(lab.told().is_empty());
        lab.client_at(&c, 0, ACK, head);
        assert_eq!(lab.told(), ["http up.test /0"], "{consent}");
        assert!(lab.last().notes.is_empty());
        lab.finish();
    }
}

/// A SYN repeated with another number is no sign of a third connection.
#[test]
fn a_syn_repeated_with_a_near_number() {
    for by in APART {
        let mut lab = Lab::new(Policy::Nothing);
        let c = Conn::new(50_000, 443).isn(1_000_000_000, 5000);
        lab.syn(&c);
        lab.wait(20_000);
        let mut next = c.isn(c.isn.0.wrapping_add_signed(by), 900_000_000);
        lab.syn(&next);
        lab.client(&mut next, &hello("up.test"));
        assert_eq!((lab.told(), lab.last().notes.len()), (vec!["tls up.test".to_owned()], 0), "{by}");
        lab.finish();
    }
}
