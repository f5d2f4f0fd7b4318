//! Field sections: the examples of the RFC, faults, lost entries, and what
//! another implementation encodes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::*;
use crate::protocol::tls::sample::hex;
use httlib_hpack::Encoder;
use proptest::prelude::*;

/// How a literal is written.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol::http2) struct Coding {
    pub(in crate::protocol::http2) huffman: bool,
    pub(in crate::protocol::http2) indexing: bool,
}

/// An integer behind other bits.
fn put(value: usize, prefix: u32, bits: u8) -> Vec<u8> {
    let full = (1usize << prefix) - 1;
    if value < full {
        return vec![bits | value as u8];
    }
    let (mut out, mut left) = (vec![bits | full as u8], value - full);
    while left >= 128 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
    out
}

fn put_string(text: &[u8], huffman: bool) -> Vec<u8> {
    let (text, bit) = if huffman { (huffman::tests::encode(text), 0x80) } else { (text.to_vec(), 0) };
    [put(text.len(), 7, bit), text].concat()
}

/// A field with name and value of its own.
pub(in crate::protocol::http2) fn literal(name: &str, value: &str, coding: Coding) -> Vec<u8> {
    let mut out = vec![if coding.indexing { 0x40 } else { 0 }];
    out.extend(put_string(name.as_bytes(), coding.huffman));
    out.extend(put_string(value.as_bytes(), coding.huffman));
    out
}

fn update(limit: usize) -> Vec<u8> {
    put(limit, 5, 0x20)
}

const PLAIN: Coding = Coding { huffman: false, indexing: true };

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Section {
    let mut section = Section::default();
    decoder.decode(block, &mut section).unwrap();
    section
}

fn fault(block: &[u8]) -> Fault {
    Decoder::new(false).decode(block, &mut Section::default()).unwrap_err()
}

fn authorities(section: &Section) -> Vec<&str> {
    section.authorities().map(|a| std::str::from_utf8(a).unwrap()).collect()
}

#[test]
fn requests_of_the_rfc() {
    // Appendices C.3 and C.4.
    for blocks in [
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ],
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
    ] {
        let mut decoder = Decoder::new(false);
        for (block, path, size) in
            [(blocks[0], "/", (57, 1)), (blocks[1], "/", (110, 2)), (blocks[2], "/index.html", (164, 3))]
        {
            let s = decoded(&mut decoder, &hex(block));
            assert_eq!((s.method(), s.path()), (Some(&b"GET"[..]), Some(path.as_bytes())));
            assert_eq!((authorities(&s), s.missing()), (vec!["www.example.com"], false));
            assert_eq!(decoder.table.size(), size);
        }
    }
}

#[test]
fn responses_of_the_rfc_with_eviction() {
    // Appendix C.6, with a table of 256.
    let mut decoder = Decoder::new(false);
    decoder.table.set_limit(256);
    for (block, status, size) in [
        (
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            302,
            (222, 4),
        ),
        ("4883640effc1c0bf", 307, (222, 4)),
        (
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            200,
            (215, 3),
        ),
    ] {
        let s = decoded(&mut decoder, &hex(block));
        assert_eq!((s.status(), s.method()), (Some(status), None));
        assert_eq!(decoder.table.size(), size);
    }
}

#[test]
fn size_updates() {
    let mut decoder = Decoder::new(false);
    decoded(&mut decoder, &literal(":authority", "a.test", PLAIN));
    decoded(&mut decoder, &[update(0), update(100)].concat());
    assert_eq!(decoder.table.size(), (0, 0));
    assert_eq!(fault(&[update(0), update(1), update(2)].concat()), Fault::Malformed, "two at most");
    assert_eq!(fault(&[vec![0x82], update(0)].concat()), Fault::Malformed, "at the front alone");
    // An entry larger than the table empties it.
    decoded(&mut decoder, &[literal(":path", "/", PLAIN), literal("cookie", &"x".repeat(90), PLAIN)].concat());
    assert_eq!(decoder.table.size(), (0, 0));
}

#[test]
fn a_table_of_any_size_is_followed_within_bounds() {
    let mut decoder = Decoder::new(false);
    decoded(&mut decoder, &update(u32::MAX as usize));
    let entry = |n: usize| literal(":path", &format!("/{n:0>5}"), PLAIN);
    for n in 0..10_000 {
        decoded(&mut decoder, &entry(n));
    }
    let (size, entries) = decoder.table.size();
    assert!(size <= MAX_TABLE && size > MAX_TABLE - 100, "{size}");
    assert!(decoder.cost() < 3 * MAX_TABLE, "{}", decoder.cost());
    assert_eq!(decoded(&mut decoder, &put(62, 7, 0x80)).path(), Some(&b"/09999"[..]));
    assert_eq!(decoded(&mut decoder, &put(61 + entries, 7, 0x80)).path().map(|p| p.len()), Some(6));
    // The peers have older ones.
    let s = decoded(&mut decoder, &put(62 + entries, 7, 0x80));
    assert!(s.missing() && s.path().is_none());
    decoded(&mut decoder, &update(0));
    assert_eq!(decoder.cost(), 0);
}

#[test]
fn what_is_no_section() {
    for block in [&[0x80][..], &[0xbe], &[0x7e, 0], &[0x40, 0x81, 0, 0], &[0x3f, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(fault(block), Fault::Malformed, "{block:x?}");
    }
    for block in [&[0xff][..], &[0x41], &[0x41, 5, b'a'], &[0x40, 1], &[0x41, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
        assert_eq!(fault(block), Fault::Cut, "{block:x?}");
    }
}

#[test]
fn fields_before_a_fault_are_whole() {
    let block = [literal(":authority", "a.test", PLAIN), vec![0x80]].concat();
    let mut section = Section::default();
    assert_eq!(Decoder::new(false).decode(&block, &mut section), Err(Fault::Malformed));
    assert_eq!(authorities(&section), ["a.test"]);
}

#[test]
fn an_entry_named_by_a_byte_is_not_copied_each_time() {
    let mut decoder = Decoder::new(false);
    let fields = [(":authority", 62), ("host", 62), (":path", 62)];
    for (name, index) in fields {
        let block = [literal(name, &"x".repeat(3000), PLAIN), vec![0x80 | index; 60_000]].concat();
        let s = decoded(&mut decoder, &block);
        assert!(s.authorities().count() <= 8 && s.hosts().count() <= 8);
    }
}

#[test]
fn odd_names_are_other_fields() {
    for name in ["Host", ":Authority", "hosts", "hos", ":authority2", "user-agent-and-more", ""] {
        for huffman in [false, true] {
            let s = decoded(&mut Decoder::new(false), &literal(name, "a.test", Coding { huffman, indexing: false }));
            assert_eq!(s, Section::default(), "{name}");
        }
    }
}

/// Every field of a request, as the other implementation takes it.
type Fields = Vec<(Vec<u8>, Vec<u8>, u8)>;

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        6 => prop::sample::select(vec![":method", ":path", ":status", ":authority", "host", "user-agent", ":protocol",
            "cookie", "accept", "x-a"]).prop_map(|n| n.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..20),
    ];
    let value = prop_oneof![
        4 => prop::sample::select(vec!["GET", "/", "a.test", "b.test", "200", ""]).prop_map(|v| v.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 200..400),
    ];
    // Flags of the encoder: Huffman of name and value, with indexing, never
    // indexed, or an index where there is one.
    let flags = prop_oneof![0u8..8, Just(0x8), Just(0x10), Just(0x17)];
    prop::collection::vec((name, value, flags), 0..12)
}

fn encoded(encoder: &mut Encoder<'_>, fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value, flags) in fields {
        encoder.encode((name.clone(), value.clone(), *flags), &mut block).unwrap();
    }
    block
}

/// What should be read of these fields.
fn wanted(fields: &Fields) -> Section {
    let mut section = Section::default();
    for (name, value, _) in fields {
        section.take(Field::of(name), value);
    }
    section
}

proptest! {
    #[test]
    fn what_another_implementation_encodes(
        sections in prop::collection::vec((fields(), prop::option::of(0u32..600)), 1..12),
        size in prop_oneof![Just(4096u32), 60u32..500],
    ) {
        let mut encoder = Encoder::with_dynamic_size(size);
        let mut decoder = Decoder::new(false);
        decoder.table.set_limit(size);
        for (fields, limit) in &sections {
            let mut block = Vec::new();
            if let Some(limit) = limit {
                encoder.update_max_dynamic_size(*limit, &mut block).unwrap();
            }
            block.extend(encoded(&mut encoder, fields));
            prop_assert_eq!(decoded(&mut decoder, &block), wanted(fields));
        }
    }

    #[test]
    fn after_a_loss_nothing_wrong_is_told(
        sections in prop::collection::vec((fields(), any::<bool>()), 1..12),
        size in prop_oneof![Just(4096u32), 60u32..500],
    ) {
        let mut encoder = Encoder::with_dynamic_size(size);
        let mut decoder = Decoder::new(false);
        decoder.table.set_limit(size);
        for (fields, lost) in &sections {
            let block = encoded(&mut encoder, fields);
            if *lost {
                decoder.lose();
                continue;
            }
            let (got, want) = (decoded(&mut decoder, &block), wanted(fields));
            if !got.missing() {
                prop_assert_eq!(got, want);
                continue;
            }
            let within = |got: Vec<&[u8]>, want: Vec<&[u8]>| got.iter().all(|g| want.contains(g));
            prop_assert!(within(got.authorities().collect(), want.authorities().collect()));
            prop_assert!(within(got.hosts().collect(), want.hosts().collect()));
        }
    }

    #[test]
    fn any_bytes_are_survived(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..6),
        late: bool,
    ) {
        let mut decoder = Decoder::new(late);
        for block in blocks {
            let mut section = Section::default();
            let _ = decoder.decode(&block, &mut section);
            prop_assert!(decoder.table.size().0 <= MAX_TABLE);
        }
    }

    #[test]
    fn a_cut_section_gives_the_fields_that_are_whole(fields in fields(), cut: prop::sample::Index) {
        let block = encoded(&mut Encoder::with_dynamic_size(4096), &fields);
        let cut = cut.index(block.len() + 1);
        let mut section = Section::default();
        let result = Decoder::new(false).decode(&block[..cut], &mut section);
        prop_assert!(matches!(result, Ok(()) | Err(Fault::Cut)));
        let start = (0..=fields.len()).any(|n| wanted(&fields[..n].to_vec()) == section);
        prop_assert!(start);
    }
}
