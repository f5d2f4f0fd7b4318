//! Handshakes that prove that both ends hear one another.

use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, RST, SYN};

/// How many handshakes are counted of what a connection does.
fn handshakes(act: impl Fn(&mut Lab, &mut Conn)) -> u64 {
    [Policy::Nothing, Policy::Flows]
        .map(|policy| {
            let mut lab = Lab::new(policy);
            act(&mut lab, &mut Conn::new(40_000, 443));
            lab.count(Counter::Handshakes)
        })
        .into_iter()
        .reduce(|a, b| {
            assert_eq!(a, b, "followed or not");
            a
        })
        .unwrap()
}

#[test]
fn the_third_segment_proves_it_once() {
    assert_eq!(handshakes(|lab, c| lab.open(c)), 1);
    let talk = |lab: &mut Lab, c: &mut Conn| {
        lab.say(c, b"hello");
        lab.server(c, b"yes");
        lab.ack(c);
        lab.close(c);
    };
    assert_eq!(handshakes(talk), 1);
}

#[test]
fn data_proves_it_where_the_third_segment_was_missed() {
    let first_data = |lab: &mut Lab, c: &mut Conn| {
        lab.syn(c);
        lab.syn_ack(c);
        lab.client(c, b"hello");
    };
    assert_eq!(handshakes(first_data), 1);
    // The server speaks, so it has seen what the capture has not.
    let later = |lab: &mut Lab, c: &mut Conn| {
        lab.syn(c);
        lab.syn_ack(c);
        lab.server(c, b"banner");
        lab.ack(c);
    };
    assert_eq!(handshakes(later), 1);
}

#[test]
fn what_a_made_up_client_can_do_proves_nothing() {
    let wrong = |lab: &mut Lab, c: &Conn, by: u32| {
        let guess = Conn { isn: (c.isn.0, c.isn.1.wrapping_add(by)), ..*c };
        lab.client_at(&guess, 0, ACK, b"");
        lab.client_at(&guess, 0, ACK, b"hello");
    };
    for by in [1, 2, 1000, u32::MAX, 1 << 31] {
        let guesses = |lab: &mut Lab, c: &mut Conn| {
            lab.syn(c);
            lab.syn_ack(c);
            // Once more: what was guessed before must not count as known.
            wrong(lab, c, by);
            wrong(lab, c, by);
        };
        assert_eq!(handshakes(guesses), 0, "{by}");
    }
    let refused = |lab: &mut Lab, c: &mut Conn| {
        lab.syn(c);
        lab.syn_ack(c);
        lab.client_at(c, 0, RST | ACK, b"");
    };
    assert_eq!(handshakes(refused), 0, "the one whose address was used");
    let alone = |lab: &mut Lab, c: &mut Conn| {
        lab.syn(c);
        lab.client_at(c, 0, ACK, b"hello");
        lab.ack(c);
    };
    assert_eq!(handshakes(alone), 0, "one direction");
    let mid_stream = |lab: &mut Lab, c: &mut Conn| {
        lab.client(c, b"hello");
        lab.server(c, b"yes");
        lab.ack(c);
    };
    assert_eq!(handshakes(mid_stream), 0);
    let unasked = |lab: &mut Lab, c: &mut Conn| {
        lab.syn_ack(c);
        lab.server_at(c, 0, SYN | ACK, b"");
    };
    assert_eq!(handshakes(unasked), 0);
}

#[test]
fn the_next_connection_on_the_same_ports_is_proved_by_itself() {
    let again = |lab: &mut Lab, c: &mut Conn| {
        lab.open(c);
        lab.close(c);
        lab.wait(2000);
        let next = Conn::new(40_000, 443).isn(500_000, 900_000);
        lab.syn(&next);
        lab.syn_ack(&next);
    };
    assert_eq!(handshakes(again), 1);
}
