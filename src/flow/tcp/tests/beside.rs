//! Two connections between the same ends and ports: neither hides the other.

use crate::base::Stage;
use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, RST};

const NAME: &str = "dnl-01.geo.kaspersky.com";

fn tls() -> String {
    format!("tls {NAME}")
}

fn conn() -> Conn {
    Conn::new(50_000, 443)
}

/// Forged numbers: far from the real ones, near and ahead, near and behind.
const FORGED: [u32; 3] = [2_500_000_000, 201_000, 4_294_900_000];

/// A forged SYN and its forged SYN-ACK, whole and half messages on their
/// numbers, before the real SYN-ACK, behind the handshake or amid the hello.
#[test]
fn a_forged_handshake_does_not_hide_the_connection() {
    let decoy = long_hello("decoy.test", 900);
    let hello = long_hello(NAME, 900);
    for policy in [Policy::Names, Policy::Flows] {
        for (when, said, isn) in (0..3).flat_map(|w| [0, 500, 2000].map(|s| FORGED.map(|i| (w, s, i)))).flatten() {
            let mut lab = Lab::new(policy);
            let mut c = conn();
            let mut forged = conn().isn(isn, 1_900_000_000);
            let mut forge = |lab: &mut Lab, now: usize| {
                if now == when {
                    lab.syn(&forged);
                    lab.syn_ack(&forged);
                    if said > 0 {
                        lab.client(&mut forged, &decoy[..said.min(decoy.len())]);
                    }
                }
            };
            lab.syn(&c);
            forge(&mut lab, 0);
            lab.syn_ack(&c);
            lab.ack(&c);
            forge(&mut lab, 1);
            lab.client(&mut c, &hello[..600]);
            forge(&mut lab, 2);
            lab.client(&mut c, &hello[600..]);
            lab.server(&mut c, &server_hello(0x0303, false));
            lab.client(&mut c, &sealed(50));
            lab.server(&mut c, &sealed(3000));
            assert!(lab.told().contains(&tls()), "{when} {said} {isn}: {:?}", lab.told());
            let sink = lab.finish();
            let real = sink.contacts.iter().find(|c| c.down > 3000);
            assert!(real.is_some_and(|c| c.stages.last() == Some(&Stage::Transferred)), "{when} {said} {isn} {sink:?}");
        }
    }
}

/// The forged pair comes when the name is known already.
#[test]
fn a_forged_handshake_does_not_end_a_contact() {
    for isn in FORGED {
        let mut lab = Lab::new(Policy::Names);
        let mut c = conn();
        lab.say(&mut c, &hello(NAME));
        let forged = conn().isn(isn, 1_900_000_000);
        lab.syn(&forged);
        lab.syn_ack(&forged);
        lab.server(&mut c, &server_hello(0x0303, false));
        assert_eq!((lab.stage(0), lab.contact(0).closed), (Stage::Connected, false), "{isn}");
    }
}

/// More than one pair: the last stream that says something is read.
#[test]
fn many_forged_handshakes_do_not_hide_the_connection() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = conn();
    lab.open(&c);
    for i in 1..9 {
        let forged = conn().isn(i * 400_000_000, i);
        lab.syn(&forged);
        lab.syn_ack(&forged);
    }
    lab.client(&mut c, &hello(NAME));
    assert!(lab.told().contains(&tls()));
    assert!(lab.count(Counter::FlowsEvicted) > 0, "what was not kept is counted");
    lab.finish();
}

/// The next connection on the same ports, of which the capture lacks SYN and
/// SYN-ACK, behind one that said nothing, or a name; ended or not.
#[test]
fn a_connection_without_its_handshake_is_found_behind_another() {
    for (first, ends, isn, gap) in [
        (None, true, 0x3000_0001, 5),
        (None, false, 0x3000_0001, 5),
        (None, false, 0x3000_0001, 3600),
        (Some("innocent.test"), true, 751_000, 3),
        (Some("innocent.test"), true, 0x3000_0001, 3),
        (Some("innocent.test"), true, 0xfff0_0000, 3),
    ] {
        for policy in [Policy::Nothing, Policy::Names, Policy::Flows] {
            let mut lab = Lab::new(policy);
            let mut c = conn();
            lab.open(&c);
            if let Some(name) = first {
                lab.client(&mut c, &hello(name));
                lab.server(&mut c, &server_hello(0x0303, false));
            }
            if ends {
                lab.close(&c);
            }
            lab.wait(gap * 1000);
            let mut next = conn().isn(isn, 77_777_777);
            lab.ack(&next);
            lab.client(&mut next, &hello(NAME));
            lab.server(&mut next, &server_hello(0x0303, false));
            lab.client(&mut next, &sealed(50));
            lab.server(&mut next, &sealed(5000));
            assert!(lab.told().contains(&tls()), "{policy:?} {first:?} {ends} {isn} {gap}: {:?}", lab.told());
            let sink = lab.finish();
            let found = sink.contacts.iter().any(|c| c.stages.last() == Some(&Stage::Transferred) && c.down > 5000);
            assert!(found || policy == Policy::Nothing, "{policy:?} {first:?} {ends} {isn} {gap} {sink:?}");
        }
    }
}

/// Ports used again before their first connection was seen to end, and only
/// the SYN-ACK missed; numbers a clock apart.
#[test]
fn a_connection_whose_consent_was_missed_is_found_behind_another() {
    for gap in [1, 20, 55] {
        for policy in [Policy::Nothing, Policy::Names, Policy::Flows] {
            let mut lab = Lab::new(policy);
            let mut c = conn();
            lab.say(&mut c, &hello("innocent.test"));
            lab.server(&mut c, &server_hello(0x0303, false));
            lab.wait(gap * 1000);
            let mut next = conn().isn(2000 + 250_000 * u32::try_from(gap).unwrap(), 77_777_777);
            lab.syn(&next);
            lab.ack(&next);
            lab.client(&mut next, &hello(NAME));
            lab.server(&mut next, &server_hello(0x0303, false));
            assert_eq!(lab.told(), ["tls innocent.test".to_owned(), tls()], "{gap} {policy:?}");
            if policy != Policy::Nothing {
                assert_eq!(lab.stage(1), Stage::Connected, "{gap} {policy:?}");
            }
        }
    }
}

/// A few bytes in the place of the client's first, or half of another message.
#[test]
fn a_part_of_another_first_message_does_not_hide_the_first() {
    let decoy = long_hello("decoy.test", 1500);
    let big_record = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    for forged in [&b"\0"[..], b"x", b"\0\x20\0", &big_record, &decoy[..1400], b"POST /"] {
        for (hello, size) in [(hello(NAME), 1400), (long_hello(NAME, 1500), 1400), (long_hello(NAME, 1500), 300)] {
            for policy in [Policy::Nothing, Policy::Names, Policy::Flows] {
                let mut lab = Lab::new(policy);
                let mut c = conn();
                lab.open(&c);
                lab.client_at(&c, 0, ACK, forged);
                for part in hello.chunks(size) {
                    lab.client(&mut c, part);
                }
                lab.server(&mut c, &server_hello(0x0303, false));
                lab.client(&mut c, &sealed(50));
                lab.server(&mut c, &sealed(5000));
                assert!(lab.told().contains(&tls()), "{forged:?} {size} {policy:?}: {:?}", lab.told());
                assert_eq!(lab.count(Counter::StreamConflict), 1, "{forged:?} {size} {policy:?}");
                let sink = lab.finish();
                let found = sink.contacts.iter().any(|c| c.stages.last() == Some(&Stage::Transferred));
                assert!(found || policy == Policy::Nothing, "{forged:?} {size} {policy:?} {sink:?}");
            }
        }
    }
}

/// A whole message of somebody else, and the real one in short segments.
#[test]
fn short_segments_in_the_place_of_another_message_are_read() {
    for size in [40, 20] {
        let (mut lab, mut c) = (Lab::new(Policy::Nothing), conn());
        lab.open(&c);
        lab.client_at(&c, 0, ACK, &hello("decoy.test"));
        // Real hellos differ in their random bytes, which these have in common.
        let mut real = long_hello(NAME, 600);
        real[12] ^= 0x55;
        for part in real.chunks(size) {
            lab.client(&mut c, part);
        }
        assert_eq!(lab.told(), ["tls decoy.test".to_owned(), tls()], "{size}");
        assert_eq!(lab.count(Counter::StreamConflict), 1);
    }
}

/// What two flows of one pair of ends hold counts, and is given up.
#[test]
fn both_give_up_what_they_hold() {
    let half = &long_hello("half.test", 900)[..900];
    let mut lab = Lab::new(Policy::Nothing);
    for port in 0..50 {
        let mut c = Conn::new(50_000 + port, 443);
        lab.say(&mut c, half);
        let mut other = Conn::new(50_000 + port, 443).isn(3_000_000_000, 5);
        lab.say(&mut other, half);
        assert!(lab.engine.held() > 0);
        lab.client_at(&other, 900, RST, b"");
    }
    lab.wait(1_000_000);
    let now = lab.now;
    lab.engine.expire(now, &mut lab.ledger);
    assert_eq!(lab.engine.held(), 0);
    lab.finish();
}
