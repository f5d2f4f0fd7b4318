//! Questions and answers, by UDP and TCP.

use super::Limits;
use super::testing::*;
use crate::base::Addr;
use crate::coverage::Counter;
use crate::packet::tcp_flags::ACK;

const NAME: &str = "s05.upd.kaspersky.com";
const C: (Addr, u16) = (CLIENT, 40_000);
const S: (Addr, u16) = (SERVER, 53);

fn prefixed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn an_answer_belongs_to_its_question() {
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &dns(7, NAME, false));
    lab.udp(S, C, &dns(8, NAME, true));
    lab.udp(S, (CLIENT, 40_001), &dns(7, NAME, true));
    lab.udp((Addr::v4([192, 0, 2, 8]), 53), C, &dns(7, NAME, true));
    lab.udp(S, C, &dns(7, "other.test", true));
    lab.udp(S, C, &dns(7, NAME, true));
    lab.udp(S, C, &dns(7, &NAME.to_uppercase(), true));
    lab.wait(31_000);
    lab.udp(S, C, &dns(7, NAME, true));
    let kinds: Vec<String> = lab.told().iter().map(|t| t.split(' ').nth(1).unwrap().to_owned()).collect();
    let (q, a, u) = ("query", "answer", "unsolicited");
    assert_eq!(kinds, [q, u, u, u, u, a, a, u]);
    assert_eq!(lab.count(Counter::DnsUnsolicited), 5);
    assert!(lab.engine.sink().told.iter().all(|t| t.client.0 == CLIENT));
}

#[test]
fn other_ports_whatever_the_id() {
    for id in [1, 0x7fff, 0x8000, 0xc000, 0xffff] {
        let mut lab = Lab::new(Policy::Nothing);
        let s = (SERVER, 5300);
        lab.udp(C, s, &dns(id, NAME, false));
        lab.udp(s, C, &dns(id, NAME, true));
        assert_eq!(lab.told(), [format!("dns query {NAME}"), format!("dns answer {NAME}")], "{id:x}");
    }
    // Behind something else.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, (SERVER, 5300), b"hello?");
    lab.udp(C, (SERVER, 5300), &dns(1, NAME, false));
    assert_eq!(lab.told(), ["?".to_owned(), format!("dns query {NAME}")]);
    // The LAN's own names are none.
    for port in [5353, 5355, 137] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, (SERVER, port), &dns(1, NAME, false));
        assert_eq!(lab.told(), ["?"]);
    }
}

#[test]
fn a_flood_of_questions_is_counted_and_hides_no_answer_that_is_quick() {
    let mut lab = Lab::new(Policy::Nothing);
    for i in 0..100_000u32 {
        lab.udp(
            (Addr::v4([10, (i >> 16) as u8, (i >> 8) as u8, i as u8]), 1024),
            S,
            &dns(i as u16, "flood.test", false),
        );
        if i == 70_000 {
            lab.udp(C, S, &dns(9, NAME, false));
        }
        if i == 74_000 {
            lab.udp(S, C, &dns(9, NAME, true));
        }
        lab.engine.sink().told.retain(|t| !t.what.ends_with("flood.test"));
    }
    assert_eq!(lab.told(), [format!("dns query {NAME}"), format!("dns answer {NAME}")]);
    assert!(lab.count(Counter::DnsQuestionsEvicted) > 50_000);
}

#[test]
fn tcp_in_both_directions_in_segments_of_any_size() {
    for size in [1, 7, 1000] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(40_000, 53);
        lab.open(&c);
        let asked = [prefixed(&dns(1, NAME, false)), vec![0, 0], prefixed(&dns(2, "b.test", false))].concat();
        for part in asked.chunks(size) {
            lab.client(&mut c, part);
        }
        let answered = [prefixed(&dns(2, "b.test", true)), prefixed(&dns(1, NAME, true))].concat();
        for part in answered.chunks(size) {
            lab.server(&mut c, part);
        }
        let name = |kind: &str, n: &str| format!("dns {kind} {n}");
        let want = [name("query", NAME), name("query", "b.test"), name("answer", "b.test"), name("answer", NAME)];
        assert_eq!(lab.told(), want, "{size}");
        lab.finish();
    }
}

#[test]
fn answers_come_also_where_the_flow_is_followed() {
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(40_000, 53);
    lab.say(&mut c, &prefixed(&dns(1, NAME, false)));
    lab.server(&mut c, &prefixed(&dns(1, NAME, true)));
    assert_eq!(lab.told(), [format!("dns query {NAME}"), format!("dns answer {NAME}")]);
}

#[test]
fn a_length_that_is_never_reached_holds_little_and_ends() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 53);
    lab.open(&c);
    lab.client(&mut c, &[&[0xff, 0xff][..], &dns(1, NAME, false)].concat());
    for _ in 0..30 {
        lab.client(&mut c, &[0; 1400]);
    }
    assert!(lab.told().is_empty());
    assert!(lab.engine.held() < 70_000);
    lab.finish();
}

/// A long connection whose start, or a part of which, the capture lacks.
#[test]
fn messages_are_found_again_behind_what_is_missing() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 53);
    lab.client(&mut c, b"end of a message");
    lab.server(&mut c, b"end of a message");
    lab.client(&mut c, &prefixed(&dns(1, NAME, false)));
    lab.server(&mut c, &prefixed(&dns(1, NAME, true)));
    let want = [format!("dns query {NAME}"), format!("dns answer {NAME}")];
    assert_eq!(lab.told()[1..], want);
    c.sent.0 += 40;
    c.sent.1 += 40;
    lab.client(&mut c, &prefixed(&dns(2, "b.test", false)));
    lab.server(&mut c, &prefixed(&dns(2, "b.test", true)));
    lab.wait(6000);
    lab.client(&mut c, &prefixed(&dns(3, "c.test", false)));
    lab.server(&mut c, &prefixed(&dns(3, "c.test", true)));
    lab.server(&mut c, &prefixed(&dns(3, "c.test", true)));
    let told = lab.told();
    for want in ["dns query b.test", "dns query c.test", "dns answer c.test"] {
        assert!(told.iter().any(|t| t == want), "{want} {told:?}");
    }
}

#[test]
fn what_is_no_dns_on_its_port_is_still_a_flow() {
    let mut lab = Lab::with_limits(Policy::Flows, Limits::default());
    lab.udp(C, S, b"nothing like it");
    assert_eq!((lab.told(), lab.count(Counter::DnsNot)), (vec!["?".to_owned()], 1));
    let c = Conn::new(40_000, 53);
    lab.open(&c);
    lab.client_at(&c, 0, ACK, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(lab.last().what, "http a.test /");
}

/// The client's half of a connection whose start the capture lacks cannot be
/// read: the answers can.
#[test]
fn answers_are_read_although_the_questions_cannot_be() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 53);
    lab.client(&mut c, &dns(1, NAME, false)); // its length came before
    lab.server(&mut c, &prefixed(&dns(1, NAME, true)));
    let next = prefixed(&dns(2, "b.test", false));
    lab.client(&mut c, &next[..2]);
    lab.client(&mut c, &next[2..]);
    let answer = prefixed(&dns(2, "b.test", true));
    lab.server(&mut c, &answer[..20]);
    lab.server(&mut c, &answer[20..]);
    let told = lab.told();
    assert!(told.contains(&format!("dns unsolicited {NAME}")), "{told:?}");
    assert!(told.iter().any(|t| t.ends_with("b.test") && !t.contains("query")), "{told:?}");
}
