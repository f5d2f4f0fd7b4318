//! The walk against `dns_parser::Packet::parse`: whatever that accepts must
//! be reported alike.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

use super::tests::{A, CNAME, header, query, read, record, wire};
use super::*;
use dns_parser::{Class, Packet, RData};
use proptest::prelude::*;

#[derive(Debug, PartialEq, Eq)]
struct Said {
    id: u16,
    questions: Vec<(String, u16)>,
    answers: Vec<(String, u32, String)>,
}

/// dns-parser's name as canonical text: it prints labels without escapes.
fn text(name: dns_parser::Name<'_>) -> String {
    Name::from_text(name.to_string().as_bytes()).as_str().to_owned()
}

/// What dns-parser reads, if it reads the message.
fn theirs(bytes: &[u8]) -> Option<Said> {
    let p = Packet::parse(bytes).ok()?;
    let questions = p.questions.iter().map(|q| (text(q.qname), q.qtype as u16)).collect();
    let answers = p.answers.iter().filter(|r| r.cls == Class::IN).filter_map(|r| {
        let data = match &r.data {
            RData::A(a) => a.0.to_string(),
            RData::AAAA(a) => a.0.to_string(),
            RData::CNAME(c) => text(c.0),
            _ => return None,
        };
        Some((text(r.name), r.ttl, data))
    });
    Some(Said { id: p.header.id, questions, answers: answers.collect() })
}

/// What the walk reads.
fn ours(m: &Message) -> Said {
    let name = |r: NameRef| m.name(r).as_str().to_owned();
    let questions = m.questions.iter().map(|q| (name(q.name), q.qtype)).collect();
    let answers = m.answers.iter().filter_map(|r| {
        let data = match r.data {
            Data::A(b) => std::net::Ipv4Addr::from(b).to_string(),
            Data::Aaaa(b) => std::net::Ipv6Addr::from(b).to_string(),
            Data::Cname(target) => name(target),
            Data::Ptr(_) | Data::Service(_) | Data::Other => return None,
        };
        Some((name(r.owner), r.ttl, data))
    });
    Said { id: m.id, questions, answers: answers.collect() }
}

fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-]{1,12}"
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(label(), 0..5).prop_map(|labels| labels.join("."))
}

/// A record: how its owner is written, and its data.
#[derive(Clone, Debug)]
enum Part {
    Address(String, Vec<u8>),
    Alias(String, String),
    Other(String, u16, Vec<u8>),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        (name(), prop::collection::vec(any::<u8>(), 4)).prop_map(|(n, d)| Part::Address(n, d)),
        (name(), prop::collection::vec(any::<u8>(), 16)).prop_map(|(n, d)| Part::Address(n, d)),
        (name(), name()).prop_map(|(n, t)| Part::Alias(n, t)),
        (name(), prop::sample::select(vec![10u16, 13, 47]), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(n, t, d)| Part::Other(n, t, d)),
    ]
}

/// Writes messages with names compressed against whole earlier names.
struct Writer {
    bytes: Vec<u8>,
    known: Vec<(String, usize)>,
}

impl Writer {
    /// The name to write at offset `at`: in full, as a pointer, or as a label
    /// before a pointer.
    fn encode(&mut self, name: &str, at: usize, how: u8) -> Vec<u8> {
        let known = self.known.get(usize::from(how) % (self.known.len() + 1)).cloned();
        let pointer = |at: usize| (0xc000 | u16::try_from(at).unwrap()).to_be_bytes();
        let (text, wire) = match known {
            Some((text, from)) if how.is_multiple_of(3) => (text, pointer(from).to_vec()),
            Some((text, from)) if how % 3 == 1 && text.len() < 180 => {
                (format!("sub.{text}"), [&b"\x03sub"[..], &pointer(from)].concat())
            }
            _ => (name.to_owned(), wire(name)),
        };
        self.known.push((text, at));
        wire
    }

    fn add(&mut self, part: &Part, how: (u8, u8), ttl: u32) {
        let (Part::Address(owner, _) | Part::Alias(owner, _) | Part::Other(owner, ..)) = part;
        let at = self.bytes.len();
        let owner = self.encode(owner, at, how.0);
        let (rtype, data) = match part {
            Part::Address(_, data) => (if data.len() == 4 { A } else { 28 }, data.clone()),
            Part::Alias(_, target) => (CNAME, self.encode(target, at + owner.len() + 10, how.1)),
            Part::Other(_, rtype, data) => (*rtype, data.clone()),
        };
        self.bytes.extend(record(&owner, rtype, ttl, &data));
    }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::collection::vec((part(), any::<(u8, u8)>(), any::<u32>()), 0..12);
    (name(), prop::sample::select(vec![1u16, 28, 5, 255]), parts).prop_map(|(asked, qtype, parts)| {
        let count = u16::try_from(parts.len()).unwrap();
        let mut w = Writer { bytes: query(&asked, qtype), known: vec![(asked, 12)] };
        w.bytes[..12].copy_from_slice(&header(0x8000, [1, count, 0, 0]));
        parts.iter().for_each(|(part, how, ttl)| w.add(part, *how, *ttl));
        w.bytes
    })
}

proptest! {
    #[test]
    fn well_formed_messages_read_alike(bytes in message()) {
        let theirs = theirs(&bytes).expect("the writer's messages are valid");
        let m = read(&bytes);
        prop_assert_eq!(ours(&m), theirs);
        prop_assert!(!m.malformed);
    }

    /// A changed byte can make what only the walk refuses: pointers forwards,
    /// long names, queries with an RCODE, opcodes above 6. Such a message it
    /// flags and reports in part, or refuses if the header proves nothing;
    /// all else must read alike.
    #[test]
    fn changed_messages_read_alike_or_are_flagged(
        bytes in message(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bytes;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let Some(theirs) = theirs(&bytes) else { return Ok(()) };
        let mut m = Message::default();
        if !m.parse(&bytes) {
            let (query, opcode, rcode) = (bytes[2] & 0x80 == 0, bytes[2] >> 3 & 15, bytes[3] & 15);
            let doubtful = bytes[4..6] != [0, 1] || bytes[6] != 0;
            prop_assert!(opcode > 6 || query && rcode != 0 || doubtful, "{:x?}", bytes);
            return Ok(());
        }
        // A dot or backslash inside a label makes dns-parser's text ambiguous.
        let plain = |n: &Name| !n.as_str().contains("\\x2e") && !n.as_str().contains("\\x5c");
        if !m.names.iter().take(m.starts.len()).all(plain) {
            return Ok(());
        }
        let ours = ours(&m);
        if m.malformed {
            prop_assert!(ours.questions.iter().all(|q| theirs.questions.contains(q)));
            prop_assert!(ours.answers.iter().all(|r| theirs.answers.contains(r)));
        } else {
            prop_assert_eq!(ours, theirs);
        }
    }

    /// dns-parser knows neither SVCB nor any type above 1024, and gives up the
    /// message. It must read alike once such records have a type that it
    /// takes as bytes (10, NULL): none of them hides a neighbour.
    #[test]
    fn types_that_dns_parser_refuses_leave_the_rest_alike(
        parts in prop::collection::vec((part(), any::<(u8, u8)>(), any::<u32>()), 0..6),
        foreign in prop::collection::vec((
            name(),
            prop::sample::select(vec![64u16, 65, 46, 257, 1025, 65280]),
            prop::collection::vec(any::<u8>(), 0..40),
        ), 1..4),
        asked in name(),
    ) {
        let written = |known: bool| {
            let count = u16::try_from(parts.len() + foreign.len()).unwrap();
            let mut w = Writer { bytes: query(&asked, 255), known: vec![(asked.clone(), 12)] };
            w.bytes[..12].copy_from_slice(&header(0x8000, [1, count, 0, 0]));
            for (owner, rtype, data) in &foreign {
                w.bytes.extend(record(&wire(owner), if known { 10 } else { *rtype }, 60, data));
            }
            parts.iter().for_each(|(part, how, ttl)| w.add(part, *how, *ttl));
            w.bytes
        };
        prop_assert_eq!(theirs(&written(false)), None);
        let theirs = theirs(&written(true)).expect("the writer's messages are valid");
        prop_assert_eq!(ours(&read(&written(false))), theirs);
    }
}
