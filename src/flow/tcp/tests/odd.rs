//! Rare but honest openings, probes and clocks.

use crate::base::time::SECOND;
use crate::base::{Stage, Timestamp};
use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};

const NAME: &str = "dnl-01.geo.kaspersky.com";
const URG: u8 = 32;
const PSH: u8 = 8;

fn tls(name: &str) -> String {
    format!("tls {name}")
}

/// Data in the SYN, of which the server takes all, some or nothing; what it
/// did not take comes again, once or twice.
#[test]
fn fast_open_counts_each_byte_once_whatever_the_server_took() {
    let hello = hello(NAME);
    let len = u32::try_from(hello.len()).unwrap();
    for taken in [0, 60, len] {
        let mut lab = Lab::new(Policy::Flows);
        let mut c = Conn::new(50_000, 443);
        lab.client_at(&c, 0, SYN, &hello);
        c.sent.0 = taken;
        lab.syn_ack(&c);
        if taken < len {
            lab.client_at(&c, taken, ACK, &hello[taken as usize..]);
            lab.client_at(&c, taken, ACK, &hello[taken as usize..]);
        }
        c.sent.0 = len;
        lab.server(&mut c, &server_hello(0x0303, false));
        assert_eq!((lab.told(), lab.last().notes.len()), (vec![tls(NAME)], 0), "{taken}");
        assert_eq!((lab.contact(0).up, lab.stage(0)), (u64::from(len), Stage::Connected), "{taken}");
    }
}

#[test]
fn a_syn_repeated_with_another_number_is_the_one_that_counts_if_the_server_says_so() {
    for consent in [true, false] {
        let mut lab = Lab::new(Policy::Names);
        let first = Conn::new(50_000, 443);
        let mut second = Conn::new(50_000, 443).isn(3_000_000_000, 9);
        lab.syn(&first);
        lab.wait(1000);
        lab.syn(&second);
        if consent {
            lab.syn_ack(&second);
        }
        lab.client(&mut second, &hello(NAME));
        assert_eq!(lab.told(), [tls(NAME)], "{consent}");
        assert!(!lab.last().notes.contains(&"mid_stream"), "{consent}");
    }
}

#[test]
fn both_ends_open_at_once() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.syn(&c);
    lab.server_at(&c, 0, SYN, b"");
    lab.client_at(&c, 0, SYN | ACK, b"");
    lab.syn_ack(&c);
    lab.client(&mut c, &hello(NAME));
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!((lab.told(), lab.stage(0)), (vec![tls(NAME)], Stage::Connected));
    assert_eq!(lab.last().client, c.client);
}

#[test]
fn ports_used_again_after_each_kind_of_end() {
    for end in 0..3 {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        lab.say(&mut c, &hello(NAME));
        match end {
            0 => lab.close(&c),
            1 => lab.server_reset(&c),
            _ => lab.client_at(&c, c.sent.0, RST, b""),
        }
        let mut next = Conn::new(50_000, 443).isn(2_000_000_000, 3_000_000_000);
        lab.say(&mut next, &hello("second.test"));
        lab.server(&mut next, &server_hello(0x0303, false));
        assert_eq!(lab.told(), [tls(NAME), tls("second.test")], "{end}");
        let (first, second) = (lab.contact(0), lab.contact(1));
        assert!(first.closed && first.stages.is_empty(), "{end}: {first:?}");
        assert_eq!((second.stages, second.up), (vec![Stage::Connected], u64::from(next.sent.0)), "{end}");
    }
}

/// Some systems probe with a byte of garbage that they sent before.
#[test]
fn keep_alive_with_a_byte_of_garbage_is_no_conflict() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.say(&mut c, &hello(NAME));
    lab.server(&mut c, &server_hello(0x0303, false));
    let before = lab.contact(0);
    for _ in 0..5 {
        lab.wait(45_000);
        lab.client_at(&c, c.sent.0 - 1, ACK, b"\0");
        lab.server_at(&c, c.sent.1, ACK, b"");
        lab.server_at(&c, c.sent.1 - 1, ACK, b"\0");
        lab.ack(&c);
    }
    assert_eq!((lab.told(), lab.contact(0)), (vec![tls(NAME)], before));
    assert_eq!((lab.count(Counter::StreamConflict), lab.count(Counter::StreamGaps)), (0, 0));
}

/// The urgent pointer takes no byte out of the stream (RFC 6093).
#[test]
fn urgent_data_are_data() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.open(&c);
    for (n, part) in hello(NAME).chunks(40).enumerate() {
        let flags = if n % 2 == 0 { ACK | URG | PSH } else { ACK };
        lab.client_at(&c, c.sent.0, flags, part);
        c.sent.0 += u32::try_from(part.len()).unwrap();
    }
    assert_eq!((lab.told(), lab.contact(0).up), (vec![tls(NAME)], u64::from(c.sent.0)));
}

#[test]
fn a_reset_out_of_the_window_ends_nothing() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    let hello = hello(NAME);
    lab.say(&mut c, &hello[..80]);
    for at in [1 << 25, 1 << 31, u32::MAX - (1 << 25)] {
        lab.server_at(&Conn { sent: (at, 0), ..c }, at, RST, b"");
        lab.client_at(&c, at, RST, b"");
    }
    lab.client(&mut c, &hello[80..]);
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!((lab.told(), lab.stage(0), lab.contact(0).notes.len()), (vec![tls(NAME)], Stage::Connected, 0));
}

/// What ACK numbers prove where only the client is seen.
#[test]
fn one_direction_proves_an_answer_and_a_transfer() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 80);
    lab.syn(&c);
    lab.ack(&c);
    lab.client(&mut c, b"GET /a HTTP/1.1\r\nHost: up.test\r\n\r\n");
    assert_eq!(lab.stage(0), Stage::Attempted);
    c.sent.1 = 5000;
    lab.ack(&c);
    lab.client_at(&c, c.sent.0, FIN | ACK, b"");
    assert_eq!((lab.stage(0), lab.contact(0).down), (Stage::Connected, 5000));
    assert_eq!(lab.contact(0).notes, ["one_sided"]);
}

/// A frame from another age, ahead or behind, in the midst of others.
#[test]
fn clocks_that_jump_expire_nothing() {
    let hello = hello(NAME);
    let year = 365 * 86_400 * SECOND;
    for strange in
        [Timestamp(0), Timestamp(i64::from(u32::MAX) * SECOND), Timestamp(1_700_000_000 * SECOND + 31 * year)]
    {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        let asked = ((CLIENT, 4000), (SERVER, 53));
        lab.udp(asked.0, asked.1, &dns(7, "a.test", false));
        lab.say(&mut c, &hello[..80]);
        let now = std::mem::replace(&mut lab.now, strange);
        lab.syn(&Conn::new(50_001, 80));
        lab.udp((CLIENT, 4001), asked.1, &dns(8, "b.test", false));
        lab.now = now;
        // Flows that begin clear away what is idle.
        for port in 1..200 {
            lab.syn(&Conn::new(port, 80));
        }
        lab.client(&mut c, &hello[80..]);
        lab.udp(asked.1, asked.0, &dns(7, "a.test", true));
        assert_eq!(lab.told(), ["dns query a.test", "dns query b.test", &tls(NAME), "dns answer a.test"], "{strange}");
        assert!(lab.engine.sink().told.iter().all(|t| t.notes.is_empty()));
        assert_eq!(lab.count(Counter::Flows), 201);
    }
}

/// After hours without a packet, as at night, the flows that begin then are
/// followed like any others.
#[test]
fn a_gap_in_the_capture_expires_nothing_behind_it() {
    let hello = hello(NAME);
    let mut lab = Lab::new(Policy::Names);
    lab.syn(&Conn::new(49_999, 443));
    lab.now = lab.now.plus(12 * 3600 * SECOND);
    let mut c = Conn::new(50_000, 443);
    lab.open(&c);
    lab.say(&mut c, &hello[..80]);
    for port in 1..200 {
        lab.syn(&Conn::new(port, 80));
    }
    lab.say(&mut c, &hello[80..]);
    assert_eq!(lab.told(), [tls(NAME)]);
    assert_eq!((lab.count(Counter::Flows), lab.count(Counter::FlowsMidStream)), (201, 0));
}

/// A clock that stands still, runs backwards, or is set back by an hour.
#[test]
fn clocks_that_do_not_run_change_no_names() {
    for step in [0, -SECOND, -3600 * SECOND] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        let hello = long_hello(NAME, 500);
        lab.open(&c);
        let parts: Vec<&[u8]> = hello.chunks(100).collect();
        for pair in parts.chunks(2) {
            lab.now = lab.now.plus(step);
            // The second comes first.
            let at = c.sent.0;
            if let Some(second) = pair.get(1) {
                lab.client_at(&c, at + 100, ACK, second);
            }
            lab.client_at(&c, at, ACK, pair[0]);
            c.sent.0 += u32::try_from(pair.concat().len()).unwrap();
        }
        assert_eq!((lab.told(), lab.last().notes.len()), (vec![tls(NAME)], 0), "{step}");
    }
}

#[test]
fn the_same_connection_a_day_later_is_another_one() {
    let mut lab = Lab::new(Policy::Nothing);
    for _ in 0..2 {
        let mut c = Conn::new(50_000, 443);
        lab.open(&c);
        lab.client(&mut c, &hello("up.test"));
        lab.wait(27 * 3_600_000);
    }
    assert_eq!(lab.told(), ["tls up.test"; 2]);
    assert_eq!(lab.count(Counter::Flows), 2);
}
