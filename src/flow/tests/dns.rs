//! Questions and answers, by UDP and TCP.

use crate::base::{Addr, Stage};
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
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
    assert_eq!((lab.count(Counter::DnsUnsolicited), lab.count(Counter::DnsAnswers)), (5, 7));
    assert!(lab.engine.sink().told.iter().all(|t| t.client.0 == CLIENT));
    let noted: Vec<bool> = lab.engine.sink().told.iter().map(|t| t.notes == ["unsolicited"]).collect();
    assert_eq!(noted, [false, true, true, true, true, false, false, true]);
}

#[test]
fn an_answer_just_before_its_question_is_told_again_once() {
    let (q, a, u, e) = ("query", "answer", "unsolicited", "early");
    let kinds =
        |lab: &mut Lab| -> Vec<String> { lab.told().iter().map(|t| t.split(' ').nth(1).unwrap().to_owned()).collect() };
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(S, C, &dns(7, NAME, true));
    lab.udp(C, S, &dns(7, NAME, false));
    lab.udp(C, S, &dns(7, NAME, false));
    lab.udp(S, C, &dns(7, NAME, true));
    assert_eq!(kinds(&mut lab), [u, q, e, q, a]);
    assert_eq!(lab.engine.sink().told.iter().map(|t| t.frame).collect::<Vec<_>>(), [1, 2, 1, 3, 4]);
    assert!(lab.engine.sink().told.iter().all(|t| t.client == C));
    // The clock may say the right order where the file has the wrong one.
    for (back, known) in [(-900, true), (-1100, false), (900, true), (1100, false)] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(S, C, &dns(7, NAME, true));
        lab.wait(back);
        lab.udp(C, S, &dns(7, NAME, false));
        assert_eq!(kinds(&mut lab).len(), 2 + usize::from(known), "{back}");
    }
}

#[test]
fn a_flood_of_answers_takes_the_place_of_early_ones_and_no_room() {
    for (between, known) in [(7, true), (8, false)] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(S, C, &dns(7, NAME, true));
        for i in 0..between {
            lab.udp(S, C, &dns(100 + i, "flood.test", true));
        }
        lab.udp(C, S, &dns(7, NAME, false));
        assert_eq!(lab.told().iter().any(|t| t.starts_with("dns early")), known);
    }
}

#[test]
fn a_zone_transfer_goes_on_without_its_question() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 53);
    let mut asked = dns(5, "corp.test", false);
    let at = asked.len() - 3;
    asked[at] = 252;
    let mut first = dns(5, "corp.test", true);
    first[at] = 252;
    // The records of the rest have no question before them.
    let rest = [
        &[0, 5, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..],
        b"\x01a\x04corp\x04test\0\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x09",
    ]
    .concat();
    lab.say(&mut c, &prefixed(&asked));
    lab.server(&mut c, &[prefixed(&first), prefixed(&rest), prefixed(&rest)].concat());
    assert_eq!(lab.told()[..2], ["dns query corp.test", "dns answer corp.test"]);
    assert_eq!((lab.told().len(), lab.count(Counter::DnsUnsolicited), lab.count(Counter::DnsMessages)), (4, 0, 4));
}

/// Of a dynamic update (RFC 2136) or a notification (RFC 1996) the answer
/// belongs to its request, and to no query for the same name.
#[test]
fn other_opcodes_have_answers_of_their_own() {
    let with_opcode = |opcode: u8, response| {
        let mut m = dns(7, "corp.test", response);
        m[2] = m[2] & 0x87 | opcode << 3;
        m
    };
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &with_opcode(5, false));
    lab.udp(S, C, &with_opcode(0, true));
    lab.udp(S, C, &with_opcode(4, true));
    lab.udp(S, C, &with_opcode(5, true));
    let kinds: Vec<String> = lab.told().iter().map(|t| t.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(kinds, ["query", "unsolicited", "unsolicited", "answer"]);
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

/// On any port, where structure alone tells: also byte by byte.
#[test]
fn tcp_on_other_ports() {
    for (size, policy) in [(1, Policy::Nothing), (7, Policy::Flows), (1000, Policy::Nothing), (1000, Policy::Flows)] {
        let mut lab = Lab::new(policy);
        let mut c = Conn::new(40_000, 5300);
        lab.open(&c);
        let asked = [prefixed(&dns(1, NAME, false)), prefixed(&dns(2, "b.test", false))].concat();
        asked.chunks(size).for_each(|part| lab.client(&mut c, part));
        let answered = [prefixed(&dns(2, "b.test", true)), prefixed(&dns(1, NAME, true))].concat();
        answered.chunks(size).for_each(|part| lab.server(&mut c, part));
        let name = |kind: &str, n: &str| format!("dns {kind} {n}");
        let want = [name("query", NAME), name("query", "b.test"), name("answer", "b.test"), name("answer", NAME)];
        assert_eq!(lab.told(), want, "{size}");
        if policy == Policy::Flows {
            assert_eq!(lab.stage(0), Stage::Connected);
        }
        lab.finish();
    }
    // Where the start is missing, and behind something else.
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 5300);
    lab.client(&mut c, &prefixed(&dns(1, NAME, false)));
    lab.server(&mut c, &prefixed(&dns(1, NAME, true)));
    assert_eq!(lab.told(), [format!("dns query {NAME}"), format!("dns answer {NAME}")]);
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 5300);
    lab.say(&mut c, b"hello?");
    lab.server(&mut c, b"go on");
    lab.client(&mut c, &prefixed(&dns(1, NAME, false)));
    assert_eq!(lab.told(), ["?".to_owned(), format!("dns query {NAME}")]);
}

#[test]
fn what_only_begins_like_dns_on_other_ports_is_none() {
    let mut cut = prefixed(&dns(1, NAME, false));
    cut.truncate(20);
    let mut odd = prefixed(&dns(1, NAME, false));
    let class = odd.len() - 1;
    odd[class] = 9;
    for bytes in [odd, [cut, vec![0xff; 300]].concat()] {
        let mut lab = Lab::new(Policy::Flows);
        let mut c = Conn::new(40_000, 5300);
        lab.say(&mut c, &bytes);
        lab.server(&mut c, b"yes");
        assert_eq!(
            (lab.told(), lab.stage(0), lab.count(Counter::DnsMessages)),
            (vec!["?".to_owned()], Stage::Connected, 0)
        );
        lab.finish();
    }
}

/// The client sends a length by itself, and its first message without one:
/// what the server says is understood whatever the client said.
#[test]
fn answers_are_read_though_the_client_is_not_understood() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut c = Conn::new(40_000, 53);
    lab.client(&mut c, &dns(1, "lost.test", false));
    lab.server(&mut c, &prefixed(&dns(1, "lost.test", true)));
    let second = prefixed(&dns(2, NAME, false));
    lab.client(&mut c, &second[..2]);
    lab.client(&mut c, &second[2..]);
    lab.server(&mut c, &prefixed(&dns(2, NAME, true)));
    let want = ["?", "dns unsolicited lost.test", &format!("dns query {NAME}"), &format!("dns answer {NAME}")];
    assert_eq!(lab.told(), want);
    lab.finish();
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

/// Names of the LAN's own hosts: told as such, by whoever they are about.
#[test]
fn hosts_of_the_lan_name_themselves() {
    let group = Addr::v4([224, 0, 0, 251]);
    let mut own = dns(0, "pc-17.local", true);
    let at = own.len() - 4;
    own[at..].copy_from_slice(&[10, 0, 0, 5]);
    let mut lab = Lab::new(Policy::Flows);
    lab.udp((CLIENT, 5353), (group, 5353), &own);
    lab.udp((CLIENT, 5353), (group, 5353), &dns(0, "pc-17.local", true));
    lab.udp((CLIENT, 5353), (group, 5353), &own[..own.len() - 1]);
    lab.snap = own.len() - 1;
    lab.udp((CLIENT, 5353), (group, 5353), &own);
    lab.snap = usize::MAX;
    assert_eq!(lab.told(), ["host mdns pc-17"]);
    assert!(lab.engine.sink().opened.is_empty());
    // To a single host as well, which is a flow like any other.
    own[2] = 0x80;
    lab.udp((CLIENT, 5355), (Addr::v4([10, 0, 0, 9]), 50_000), &own);
    assert_eq!(lab.told()[1..], ["host llmnr pc-17.local", "?"]);
    assert_eq!(lab.last().client.0, CLIENT);
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
