//! Messages as clients, servers and attackers send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use super::name::MAX_JUMPS;
use super::*;
use proptest::prelude::*;

pub(super) const A: u16 = 1;
pub(super) const CNAME: u16 = 5;
const OPT: u16 = 41;

/// Header with recursion desired; `flags` are added.
pub(super) fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut m = vec![0x12, 0x34];
    m.extend((0x0100 | flags).to_be_bytes());
    counts.iter().for_each(|c| m.extend(c.to_be_bytes()));
    m
}

/// A name in wire form.
pub(super) fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn question(name: &[u8], qtype: u16) -> Vec<u8> {
    let mut out = name.to_vec();
    out.extend(qtype.to_be_bytes());
    out.extend([0, 1]);
    out
}

pub(super) fn record(owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let mut out = question(owner, rtype);
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
    out.extend(rdata);
    out
}

pub(super) fn query(name: &str, qtype: u16) -> Vec<u8> {
    [header(0, [1, 0, 0, 0]), question(&wire(name), qtype)].concat()
}

/// A response to one A question for `name`, with these answers.
fn response(name: &str, answers: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap();
    [header(0x8080, [1, count, 0, 0]), question(&wire(name), A), answers.concat()].concat()
}

pub(super) fn read(bytes: &[u8]) -> Message {
    let mut m = Message::default();
    assert!(m.parse(bytes), "{bytes:x?}");
    m
}

fn asked(m: &Message) -> Vec<(&str, u16)> {
    m.questions.iter().map(|q| (m.name(q.name).as_str(), q.qtype)).collect()
}

fn resolved(m: &Message) -> (Vec<&str>, Vec<String>, Option<u32>, bool) {
    let r = m.resolve(0);
    let aliases = r.aliases().iter().map(|&n| m.name(n).as_str()).collect();
    (aliases, r.addresses().map(|a| a.to_string()).collect(), r.ttl(), r.is_complete())
}

/// The start of the question name, as a compression pointer.
const QNAME: &[u8] = b"\xc0\x0c";

#[test]
fn queries_of_every_type() {
    for qtype in [1, 28, 65, 64, 255, 16, 12, 43, 46, 48, 257, 32, 65280] {
        let m = read(&query("dnl-01.geo.kaspersky.com", qtype));
        assert_eq!(asked(&m), [("dnl-01.geo.kaspersky.com", qtype)]);
        assert_eq!((m.id, m.response, m.opcode, m.rcode), (0x1234, false, 0, 0));
        assert!(!m.malformed && !m.truncated);
    }
}

#[test]
fn mixed_case_root_and_a_labels() {
    assert_eq!(asked(&read(&query("dNl-01.gEO.KaspERSKy.cOM", A))), [("dnl-01.geo.kaspersky.com", A)]);
    assert_eq!(asked(&read(&query("", 2))), [("", 2)]);
    assert_eq!(asked(&read(&query("xn--80aesfpebagmfblc0a.kaspersky.com", A)))[0].0.len(), 36);
}

#[test]
fn options_records_are_passed_over_and_may_name_the_client() {
    let subnet = b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02";
    let mut m = [header(0, [1, 0, 0, 2]), question(&wire("ds.kaspersky.com"), A)].concat();
    m.extend(record(&[0], OPT, 0x8000, b"\0\x0a\0\x08COOKIES!\0\x0c\0\x04\0\0\0\0"));
    m.extend(record(&[0], OPT, 0x8000, subnet));
    let m = read(&m);
    assert_eq!(asked(&m), [("ds.kaspersky.com", A)]);
    assert_eq!(m.client_subnet, "192.0.2.0/24".parse().ok());
    assert!(!m.malformed);
}

#[test]
fn reserved_bit_unknown_class_and_other_opcodes() {
    let mut bytes = query("a.test", A);
    bytes[3] |= 0x40;
    let at = bytes.len() - 2;
    bytes[at..].copy_from_slice(&[0, 254]);
    let m = read(&bytes);
    assert_eq!((asked(&m), m.questions[0].qclass), (vec![("a.test", A)], 254));
    let update = [header(0x2800, [1, 1, 1, 0]), question(&wire("corp.test"), 6)].concat();
    let with_any = record(&wire("pc.corp.test"), 255, 0, b"");
    let m = read(&[update, with_any.clone(), with_any].concat());
    assert_eq!((m.opcode, m.malformed, m.answers.len()), (5, false, 1));
}

#[test]
fn several_questions_and_none() {
    let names: Vec<_> = (0..10).map(|n| question(&wire(&format!("h{n}.test")), A)).collect();
    let m = read(&[header(0, [2, 0, 0, 0]), names[..2].concat()].concat());
    assert_eq!((asked(&m), m.malformed), (vec![("h0.test", A), ("h1.test", A)], false));
    let answer = record(&wire("late.test"), A, 1, &[192, 0, 2, 1]);
    let m = read(&[header(0x8000, [10, 1, 0, 0]), names.concat(), answer].concat());
    assert_eq!((m.questions.len(), m.malformed, m.answers.len()), (MAX_QUESTIONS, true, 1));
    let m = read(&header(0x8005, [0; 4]));
    assert_eq!((m.questions.len(), m.rcode, m.malformed), (0, 5, false));
}

#[test]
fn an_alias_chain_leads_to_the_addresses_at_its_end() {
    // The second owner points at the first target, in the data of its record.
    let bytes = response(
        "dnl-01.geo.kaspersky.com",
        &[
            record(QNAME, CNAME, 300, b"\x03cdn\x04test\0"),
            record(b"\xc0\x36", CNAME, 60, b"\x04edge\xc0\x3a"),
            record(&wire("EDGE.test"), A, 20, &[192, 0, 2, 7]),
            record(&wire("edge.TEST"), 28, 90, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            record(QNAME, A, 1, &[192, 0, 2, 99]),
        ],
    );
    let m = read(&bytes);
    let addresses = vec!["192.0.2.7".to_owned(), "2001:db8::1".to_owned()];
    assert_eq!(resolved(&m), (vec!["cdn.test", "edge.test"], addresses, Some(20), true));
    assert!(!m.malformed);
    assert_eq!(m.jumps, 1, "owners that only point need none");
}

#[test]
fn chains_that_loop_or_run_too_long_have_no_end() {
    let looped = response(
        "a.test",
        &[
            record(&wire("a.test"), CNAME, 9, &wire("b.test")),
            record(&wire("b.test"), CNAME, 8, &wire("a.test")),
            record(&wire("a.test"), A, 1, &[192, 0, 2, 1]),
        ],
    );
    assert_eq!(resolved(&read(&looped)), (vec!["b.test"], vec![], Some(9), false));
    for (links, complete) in [(16, true), (17, false)] {
        let mut answers: Vec<_> = (0..links)
            .map(|n| record(&wire(&format!("h{n}.test")), CNAME, 5, &wire(&format!("h{}.test", n + 1))))
            .collect();
        answers.reverse();
        answers.push(record(&wire(&format!("h{links}.test")), A, 5, &[192, 0, 2, 1]));
        let m = read(&response("h0.test", &answers));
        let r = m.resolve(0);
        assert_eq!((r.aliases().len(), r.is_complete()), (16, complete));
        assert_eq!(r.addresses().count(), usize::from(complete));
    }
    let none = Message::default();
    assert!(none.resolve(0).aliases().is_empty() && !none.resolve(0).is_complete());
}

#[test]
fn nxdomain_and_truncated_keep_the_question() {
    let mut bytes = response("a.test", &[]);
    bytes[3] |= 3;
    bytes[2] |= 2;
    let m = read(&bytes);
    assert_eq!((asked(&m), m.rcode, m.truncated, m.malformed), (vec![("a.test", A)], 3, true, false));
}

#[test]
fn types_that_dns_parser_refuses_do_not_hide_the_address() {
    let m = read(&response(
        "a.test",
        &[
            record(QNAME, 46, 5, b"signature"),
            record(QNAME, A, 0x8000_0001, &[192, 0, 2, 1]),
            record(QNAME, 39, 5, b"\x01b\0"),
        ],
    ));
    assert_eq!(m.answers.iter().map(|r| r.rtype).collect::<Vec<_>>(), [46, 1, 39]);
    assert_eq!(resolved(&m).1, ["192.0.2.1"]);
    assert_eq!((m.answers[1].ttl, m.malformed), (0, false), "the top bit of a TTL makes it zero");
}

#[test]
fn wrong_address_lengths_are_flagged_and_passed_over() {
    let m = read(&response(
        "a.test",
        &[record(QNAME, A, 5, &[192, 0, 2, 1, 9]), record(QNAME, 28, 5, &[1; 4]), record(QNAME, A, 5, &[192, 0, 2, 2])],
    ));
    assert_eq!((resolved(&m).1, m.malformed), (vec!["192.0.2.2".to_owned()], true));
}

#[test]
fn addresses_of_other_classes_are_none() {
    let mut chaos = record(QNAME, A, 5, &[192, 0, 2, 1]);
    chaos[5] = 3;
    let mut flush = record(QNAME, A, 5, &[192, 0, 2, 2]);
    flush[4] = 0x80;
    let m = read(&response("a.test", &[chaos, flush]));
    assert_eq!((resolved(&m).1, m.malformed), (vec!["192.0.2.2".to_owned()], false));
}

#[test]
fn hostile_labels_are_escaped_and_make_no_boundary() {
    let bytes = [header(0, [1, 0, 0, 0]), question(b"\x0bx.kaspersky\x03c\0m\x02\xc3\xa9\0", A)].concat();
    let m = read(&bytes);
    assert_eq!(asked(&m)[0].0, "x\\x2ekaspersky.c\\x00m.\\xc3\\xa9");
    assert!(m.name(m.questions[0].name).is_odd() && !m.malformed);
}

#[test]
fn names_up_to_255_octets() {
    let long = |last: usize| {
        let label = |n: usize| "a".repeat(n);
        [label(63), label(63), label(63), label(last)].join(".")
    };
    assert_eq!(asked(&read(&query(&long(61), A)))[0].0.len(), 253);
    let m = read(&[query(&long(62), A), vec![0; 9]].concat());
    assert!(m.questions.is_empty() && m.malformed);
    let most = vec!["a"; 127].join(".");
    assert_eq!(asked(&read(&query(&most, A)))[0].0, most);
}

#[test]
fn a_pointer_that_leads_forwards_asks_for_a_name() {
    // As a resolver answered: the first question points into the second.
    let bytes = [header(0, [2, 0, 0, 0]), question(b"\xc0\x12", A), question(&wire("a.test"), A)].concat();
    let m = read(&bytes);
    let names: Vec<_> = asked(&m).into_iter().map(|(name, _)| name).collect();
    assert_eq!((names, m.malformed), (vec!["a.test"; 2], true));
    assert!(!m.is_certain_anywhere());
    // Once only: two that point at each other are a loop.
    let m = read(&[header(0, [1, 0, 0, 0]), question(b"\xc0\x12", A), question(b"\xc0\x0c", A)].concat());
    assert!(m.questions.is_empty() && m.malformed);
}

#[test]
fn pointers_must_not_lead_into_themselves() {
    for (name, what) in [
        (&b"\xc0\x0c"[..], "itself"),
        (b"\x01a\xc0\x0c", "the start of its own labels"),
        (b"\xc0\x0d", "its own second byte"),
        (b"\xff\xff", "beyond the end"),
    ] {
        let m = read(&[header(0, [1, 0, 0, 0]), question(name, A), wire("padding.test"), vec![0; 9]].concat());
        assert!(m.questions.is_empty() && m.malformed, "{what}");
    }
    // An answer that loops is left out, the next one is read.
    let m =
        read(&response("a.test", &[record(b"\xc0\x18", A, 5, &[192, 0, 2, 1]), record(QNAME, A, 5, &[192, 0, 2, 2])]));
    assert_eq!((resolved(&m).1, m.malformed, m.answers.len()), (vec!["192.0.2.2".to_owned()], true, 1));
    assert_eq!(m.jumps, 0, "a loop is seen at its first jump");
}

#[test]
fn reserved_label_types_end_the_walk() {
    for first in [0x40u8, 0x80] {
        let owner = [&[first][..], b"abc\0"].concat();
        let m = read(&response(
            "a.test",
            &[
                record(QNAME, A, 5, &[192, 0, 2, 1]),
                record(&owner, A, 5, &[192, 0, 2, 2]),
                record(QNAME, A, 5, &[192, 0, 2, 3]),
            ],
        ));
        assert_eq!((resolved(&m).1, m.malformed), (vec!["192.0.2.1".to_owned()], true));
    }
}

#[test]
fn a_message_cut_anywhere_keeps_what_was_complete() {
    let whole = response(
        "ds.kaspersky.com",
        &[record(QNAME, CNAME, 60, &wire("cdn.test")), record(&wire("cdn.test"), A, 60, &[192, 0, 2, 1])],
    );
    let question_end = 12 + wire("ds.kaspersky.com").len() + 4;
    let mut m = Message::default();
    for n in 0..whole.len() {
        assert_eq!(m.parse(&whole[..n]), n >= 12, "{n}");
        assert_eq!(m.malformed, n >= 12);
        assert_eq!(m.questions.len(), usize::from(n >= question_end));
        if let Some(q) = m.questions.first() {
            assert_eq!(m.name(q.name).as_str(), "ds.kaspersky.com");
        }
        assert!(m.answers.len() < 2);
        assert!(m.resolve(0).addresses().next().is_none());
    }
    assert!(m.parse(&[&whole[..], b"trailing"].concat()) && !m.malformed);
    assert_eq!(resolved(&m).1, ["192.0.2.1"]);
}

#[test]
fn other_traffic_is_no_dns() {
    let mut m = Message::default();
    for bytes in [
        &b""[..],
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\x55\x66\x77\x88\x99",
        // A query with an RCODE for the root; an opcode that does not exist,
        // with class 0; more records than any message can hold, cut.
        b"\x12\x34\x01\x03\0\x01\0\0\0\0\0\0\0\0\x01\0\x01",
        b"\x12\x34\x7f\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\0",
        b"\x12\x34\x81\x80\0\x01\x20\0\0\0\0\0\x01a\0\0\x01\0",
        // An unreadable first question or record.
        b"\x12\x34\x01\0\0\x02\0\0\0\0\0\0\x41a\0\0\x01\0\x01",
        b"\x12\x34\x81\x80\0\0\0\x02\0\0\0\0\x01a\0\0\x01\0\x01",
    ] {
        assert!(!m.parse(bytes), "{bytes:?}");
        assert!(m.questions.is_empty() && m.answers.is_empty());
    }
}

#[test]
fn a_certain_question_outweighs_a_damaged_header() {
    for (at, value) in [(3, 3), (2, 0x79), (4, 0xaa), (6, 0xcb)] {
        let mut bytes = query("ds.kaspersky.com", A);
        bytes[at] = value;
        let m = read(&bytes);
        assert_eq!((asked(&m), m.malformed), (vec![("ds.kaspersky.com", A)], true), "{at}");
    }
}

#[test]
fn answers_beyond_the_limit_are_counted() {
    let answers: Vec<_> = (0..100).map(|n| record(QNAME, A, 5, &[192, 0, 2, n])).collect();
    let m = read(&response("many.test", &answers));
    assert_eq!((m.answers.len(), m.answers_left_out, m.malformed, m.jumps), (MAX_ANSWERS, 36, false, 0));
}

#[test]
fn a_message_of_pointers_takes_a_bounded_number_of_jumps() {
    // A chain of pointers, each to the one before, then names that start at
    // its end.
    let mut bytes = [header(0x8000, [1, 5000, 0, 0]), question(&wire("a.test"), A)].concat();
    let mut chain = vec![0; 2];
    let at = bytes.len() + 11;
    for n in 1..6000 {
        chain.extend((0xc000 | u16::try_from(at + 2 * (n - 1)).unwrap()).to_be_bytes());
    }
    bytes.extend(record(&[0], 16, 0, &chain));
    let last = u16::try_from(at + chain.len() - 2).unwrap();
    while bytes.len() < 65_000 {
        let owner = [&b"\x01x"[..], &(0xc000 | last).to_be_bytes()].concat();
        bytes.extend(record(&owner, A, 5, &[192, 0, 2, 1]));
    }
    let m = read(&bytes);
    assert_eq!((m.jumps, m.malformed), (MAX_JUMPS, true));
    assert_eq!(m.answers.len(), 1, "the record that holds the chain; none behind it has a readable owner");
    assert!(m.names.len() <= 3);
}

#[test]
fn the_budget_of_jumps_is_shared_by_all_names() {
    let owner = |n: u8| vec![1, b'a' + n % 26, 1, b'a' + n / 26, 0xc0, 0x0c];
    let answers: Vec<_> = (0..=64).map(|n| record(&owner(n), A, 5, &[192, 0, 2, n])).collect();
    let m = read(&response("a.test", &answers[..64]));
    assert_eq!((m.answers.len(), m.jumps, m.malformed), (64, 64, false));
    let mut with_alias = answers;
    with_alias[3] = record(QNAME, CNAME, 5, b"\x01z\xc0\x0c");
    with_alias[4] = record(QNAME, CNAME, 5, b"\x01y\xc0\x0c");
    with_alias[5] = record(b"\x01q\xc0\x0c", CNAME, 5, b"\x01w\xc0\x0c");
    let m = read(&response("a.test", &with_alias));
    assert_eq!((m.answers.len(), m.jumps, m.malformed), (63, 64, true));
}

#[test]
fn buffers_are_reused_without_leftovers() {
    let mut m = Message::default();
    assert!(m.parse(&response("first.test", &[record(QNAME, CNAME, 5, &wire("second.test"))])));
    let stale = NameRef(1);
    assert_eq!(m.name(stale).as_str(), "second.test");
    assert!(m.parse(&query("b.test", 28)));
    assert_eq!(asked(&m), [("b.test", 28)]);
    assert!(m.answers.is_empty() && m.name(stale).is_empty() && !m.response);
    assert!(!m.parse(b"no") && m.questions.is_empty() && m.name(NameRef(0)).is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut m = Message::default();
        let _ = m.parse(&bytes);
        prop_assert!(m.jumps <= MAX_JUMPS);
        let _ = m.resolve(0).addresses().count();
        let _ = stream_message(&bytes);
    }

    #[test]
    fn mutated_messages_are_survived(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = response("dnl-01.geo.kaspersky.com", &[
            record(QNAME, CNAME, 300, b"\x03cdn\x04test\0"),
            record(b"\xc0\x36", CNAME, 60, b"\x04edge\xc0\x3a"),
            record(b"\x04edge\xc0\x3a", A, 20, &[192, 0, 2, 7]),
        ]);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let end = cut.index(bytes.len() * 2).min(bytes.len());
        let mut m = Message::default();
        if m.parse(&bytes[..end]) {
            prop_assert!(m.jumps <= MAX_JUMPS && m.questions.len() <= MAX_QUESTIONS);
            for n in 0..m.questions.len() {
                let r = m.resolve(n);
                prop_assert!(r.aliases().len() <= 16 && r.addresses().count() <= MAX_ANSWERS);
            }
        }
    }
}
