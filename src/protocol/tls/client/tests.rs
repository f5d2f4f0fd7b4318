#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::sample::{NAME, extension, hello, hex, message, record, records, server_name, vec16};
use super::super::{MAX_HELLO, MAX_STREAM};
use super::*;
use proptest::prelude::*;

/// What a stream says, its borrowed fields copied.
#[derive(Debug, PartialEq)]
struct Facts {
    name: Option<Vec<u8>>,
    extent: Extent,
    malformed: bool,
}

fn facts(hello: ClientHello<'_>) -> Facts {
    Facts { name: hello.server_name.map(<[u8]>::to_vec), extent: hello.extent, malformed: hello.malformed }
}

fn probe(stream: &[u8]) -> Probe<Facts> {
    match client_hello(stream, &mut Vec::new()) {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(hello) => Probe::Found(facts(hello)),
    }
}

fn found(stream: &[u8]) -> Facts {
    match probe(stream) {
        Probe::Found(facts) => facts,
        other => panic!("{other:?}"),
    }
}

fn whole(name: Option<&[u8]>) -> Facts {
    Facts { name: name.map(<[u8]>::to_vec), extent: Extent::Whole, malformed: false }
}

fn malformed(name: Option<&[u8]>) -> Facts {
    Facts { malformed: true, ..whole(name) }
}

/// A hello with these extensions in one record.
fn with(extensions: &[&[u8]]) -> Vec<u8> {
    record(22, &hello(Some(&extensions.concat())))
}

/// A ClientHello that OpenSSL 3.0 sent.
const OPENSSL: &str = "1603010200010001fc03036503be377c8fbc0083ce2d662fafbed014ec29b108b0bbd1fd66470a684f2bd2205b
    aa3a03a0ea9ac76fe6c4eeaccc509453de31f2abaa8814dc0a4d46175376d70024130213031301c02cc030c02bc02fcca9cca8c024c028c0
    23c027009f009e006b006700ff0100018f0000001d001b000018646e6c2d30312e67656f2e6b6173706572736b792e636f6d000b00040300
    0102000a00160014001d0017001e0019001801000101010201030104002300000010000e000c02683208687474702f312e31001600000017
    0000000d002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602002b000504030403
    03002d00020101003300260024001d00200a30a750e566c96feddec5e5b82db8d3b9765abd4300cc9bf09a0225eb50c655001500c3";
/// One without a name, limited to TLS 1.0.
const OPENSSL_TLS10: &str = "160301007f0100007b03017265e759f85d26d2c77c2b390dcee2ea82c832624628c534a1af5bf39ddcc56
    b00002ec00ac0140039003800880087c019003a0089c009c0130033003200450044c0180034004600350084002f004100ff01000024000b00
    0403000102000a000c000a001d0017001e00190018002300000016000000170000";

#[test]
fn hellos_of_openssl() {
    // The padding extension at its end is all zeros.
    let mut stream = hex(OPENSSL);
    stream.resize(517, 0);
    let mut scratch = Vec::new();
    let Probe::Found(hello) = client_hello(&stream, &mut scratch) else { panic!() };
    assert_eq!(facts(hello), whole(Some(NAME)));
    assert_eq!((hello.alpn, hello.version, hello.ech), (Some(&b"h2"[..]), 0x0304, false));
    assert_eq!((hello.len, hello.record_end), (517, 517));
    assert!(stream.as_ptr_range().contains(&hello.server_name.unwrap().as_ptr()), "read in place");

    let stream = hex(OPENSSL_TLS10);
    let Probe::Found(hello) = client_hello(&stream, &mut scratch) else { panic!() };
    assert_eq!(facts(hello), whole(None));
    assert_eq!((hello.alpn, hello.version), (None, 0x0301));
}

#[test]
fn hellos_of_rustls() {
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "s05.upd.kaspersky.com".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut stream = Vec::new();
    client.write_tls(&mut stream).unwrap();
    assert_eq!(found(&stream), whole(Some(b"s05.upd.kaspersky.com")));
}

/// A record of another kind ends a hello, and is looked for where the record
/// before it ends: what is found does not depend on how the bytes come.
#[test]
fn a_hello_that_breaks_off_is_found_as_soon_as_it_does() {
    let whole = hex(OPENSSL);
    let part = &whole[..whole.len() - 20];
    let len = u16::try_from(part.len() - 5).unwrap().to_be_bytes();
    let stream = [&part[..3], &len, &part[5..], &[23, 3, 3, 0, 1, 0]].concat();
    let mut have = 6;
    while let Probe::More(n) = probe(&stream[..have]) {
        assert!(n > have && n <= part.len() + 1, "{have} {n}");
        have = n;
    }
    assert_eq!((have, probe(&stream[..have])), (part.len() + 1, probe(&stream)));
    assert!(matches!(probe(&stream), Probe::Found(_)));
}

#[test]
fn first_bytes_decide_early() {
    let hello = with(&[&server_name(NAME)]);
    for wrong in [&b"G"[..], b"\x15", b"\x17\x03", b"\x16\x02", b"\x16\x03\x01\x48\x01", b"\x16\x03\x01\x00\x00G"] {
        assert_eq!(probe(wrong), Probe::Not, "{wrong:x?}");
    }
    assert_eq!(probe(b"\x16\x03\x03\x00\x31\x02"), Probe::Not, "a ServerHello");
    assert_eq!(probe(b"\x16\x03\x03\x00\x29\x01\x00\x00\x25"), Probe::Not, "shorter than any hello");
    assert_eq!(probe(b"\x16\x03\x03\x00\x2a\x01\x00\x00\x26\x02"), Probe::Not, "hello version 2");
    for (have, asked) in [(0, 1), (1, 2), (2, 5), (4, 5)] {
        assert_eq!(probe(&hello[..have]), Probe::More(asked));
    }
    assert_eq!(probe(&hello[..8]), Probe::More(9));
    assert_eq!(probe(&hello[..9]), Probe::More(10));
    assert_eq!(probe(&hello[..10]), Probe::More(hello.len()));
}

#[test]
fn mid_stream_starts() {
    let hello = with(&[&server_name(NAME)]);
    assert!(looks_like_client_hello(&hello[..6]));
    assert!(looks_like_client_hello(&hello));
    assert!(looks_like_client_hello(&[22, 3, 0, 0, 1, 1, 22, 3, 0, 0, 1, 0]), "records of one byte");
    assert!(!looks_like_client_hello(&hello[..5]));
    assert!(!looks_like_client_hello(&[22, 3, 5, 0, 60, 1]));
    assert!(!looks_like_client_hello(&[22, 3, 1, 0, 60, 2]));
    assert!(!looks_like_client_hello(&[23, 3, 1, 0, 60, 1]));
    assert!(!looks_like_client_hello(&[22, 3, 1, 0, 60, 1, 1]));
    assert!(!looks_like_client_hello(&[22, 3, 1, 0, 60, 1, 0, 0, 56, 4]));
    assert!(!looks_like_client_hello(&[22, 3, 1, 0x50, 0, 1]));
}

#[test]
fn names_are_reported_as_sent() {
    let nul = b"dnl-01.geo.kaspersky.com\0.evil.test";
    for name in [&b"DNL-01.Geo.Kaspersky.COM."[..], b"10.0.0.1", nul, b"\x1b[2J\xff", &[b'a'; 300]] {
        assert_eq!(found(&with(&[&server_name(name)])), whole(Some(name)));
    }
}

#[test]
fn hellos_without_a_name() {
    assert_eq!(found(&record(22, &hello(None))), whole(None));
    assert_eq!(found(&with(&[])), whole(None));
    assert_eq!(found(&with(&[&extension(21, &[0; 9])])), whole(None));
    assert_eq!(found(&with(&[&server_name(b"")])), malformed(None));
    assert_eq!(found(&with(&[&extension(0, &[])])), malformed(None));
    assert_eq!(found(&with(&[&extension(0, &[0, 0])])), malformed(None));
    let other_type = extension(0, &vec16(&[&[1][..], &vec16(NAME)].concat()));
    assert_eq!(found(&with(&[&other_type])), whole(None));
}

#[test]
fn the_first_host_name_counts() {
    let second = server_name(b"other.test");
    assert_eq!(found(&with(&[&server_name(NAME), &second])), malformed(Some(NAME)));
    let entry = |kind: u8, name: &[u8]| [&[kind][..], &vec16(name)].concat();
    let list = |entries: &[Vec<u8>]| extension(0, &vec16(&entries.concat()));
    assert_eq!(found(&with(&[&list(&[entry(9, b"x"), entry(0, NAME)])])), whole(Some(NAME)));
    assert_eq!(found(&with(&[&list(&[entry(0, NAME), entry(0, b"x")])])), malformed(Some(NAME)));
    // A broken first extension is not made good by another.
    assert_eq!(found(&with(&[&extension(0, &[0, 3, 0, 0, 1]), &second])), malformed(None));
}

#[test]
fn broken_name_lists_give_no_name() {
    let good = server_name(NAME)[4..].to_vec();
    for at in [1, 4] {
        for change in [-1_i8, 1] {
            let mut data = good.clone();
            data[at] = data[at].wrapping_add_signed(change);
            let facts = found(&with(&[&extension(0, &data)]));
            assert_eq!(facts, malformed(None), "byte {at} {change:+}");
        }
    }
    let trailing = extension(0, &[&good[..], &[0]].concat());
    assert_eq!(found(&with(&[&trailing])), malformed(Some(NAME)), "the list itself is whole");
}

#[test]
fn lengths_that_lie_are_flagged() {
    let sni = server_name(NAME);
    let good = hello(Some(&[&sni[..], &extension(23, &[])].concat()));
    let list_at = good.len() - sni.len() - 4 - 2;
    let mut longer = good.clone();
    longer[list_at + 1] += 1;
    assert_eq!(found(&record(22, &longer)), malformed(Some(NAME)));
    let mut shorter = good.clone();
    shorter[list_at + 1] -= 4;
    assert_eq!(found(&record(22, &shorter)), malformed(Some(NAME)));
    shorter[list_at + 1] -= 1;
    assert_eq!(found(&record(22, &shorter)), malformed(None), "the list ends inside the name");
    let mut extension_longer = good.clone();
    *extension_longer.last_mut().unwrap() = 9;
    assert_eq!(found(&record(22, &extension_longer)), malformed(Some(NAME)));
    let mut session_longer = good.clone();
    session_longer[4 + 34] = 255;
    assert_eq!(found(&record(22, &session_longer)), malformed(None));
    let odd_tail = message(1, &[&hello(None)[4..], &[0]].concat());
    assert_eq!(found(&record(22, &odd_tail)), malformed(None));
}

#[test]
fn further_facts() {
    let alpn = extension(16, &vec16(b"\x03dot\x02h2"));
    let versions = extension(43, &[8, 0x5a, 0x5a, 3, 4, 3, 3, 0x7f, 0x1c]);
    for (kind, ech) in [(0xfe0d_u16, true), (0xffce, true), (0xfe0e, false)] {
        let stream = with(&[&alpn, &versions, &extension(kind, &[1, 2, 3])]);
        let mut scratch = Vec::new();
        let Probe::Found(hello) = client_hello(&stream, &mut scratch) else { panic!() };
        assert_eq!((hello.alpn, hello.version, hello.ech), (Some(&b"dot"[..]), 0x0304, ech));
        assert!(!hello.malformed);
    }
    assert!(found(&with(&[&extension(16, &[0, 0])])).malformed);
    assert!(found(&with(&[&extension(43, &[3, 3, 4, 3])])).malformed);
}

#[test]
fn a_hello_in_records_of_one_byte() {
    // As long as one with a post-quantum key share.
    let share = extension(51, &vec16(&[&[0x11, 0xec, 4, 0xc0][..], &[9; 1216]].concat()));
    let message = hello(Some(&[&share[..], &server_name(NAME)].concat()));
    let stream = records(&message, &[1]);
    assert_eq!(found(&stream), whole(Some(NAME)));

    // Asking only when the bytes asked for are there takes few questions.
    let (mut have, mut asked) = (0, 0);
    while let Probe::More(n) = probe(&stream[..have]) {
        assert!(n > have && n <= stream.len());
        (have, asked) = (n, asked + 1);
    }
    assert!(have == stream.len() && asked < 100, "{asked} questions");
}

#[test]
fn len_ends_with_the_hello_and_record_end_with_its_record() {
    let one = hello(Some(&server_name(NAME)));
    let stream = [record(22, &one[..50]), record(22, &[&one[50..], &[20, 0, 0]].concat()), vec![20, 3, 3]].concat();
    let mut scratch = Vec::new();
    let Probe::Found(hello) = client_hello(&stream, &mut scratch) else { panic!() };
    assert_eq!(hello.len, 5 + 5 + one.len());
    assert_eq!(hello.record_end, hello.len + 3);
    assert_eq!(hello.server_name, Some(NAME));
}

#[test]
fn empty_records_before_and_between_do_no_harm() {
    let one = hello(Some(&server_name(NAME)));
    let empty = record(22, &[]);
    let between = [record(22, &one[..9]), empty.clone(), record(22, &one[9..])].concat();
    assert_eq!(found(&between), whole(Some(NAME)));
    for n in [1, 2, 40] {
        let before = [empty.repeat(n), record(22, &one)].concat();
        assert_eq!(found(&before), whole(Some(NAME)));
        assert!(looks_like_client_hello(&before) && !looks_like_client_hello(&empty.repeat(n)));
        assert!(matches!(client_hello(&empty.repeat(n), &mut Vec::new()), Probe::More(_)));
    }
    // Of nothing else it makes a hello.
    for behind in [record(23, &one), record(22, b"\x02"), b"GET / HTTP/1.1\r\n".to_vec()] {
        let stream = [empty.clone(), behind].concat();
        assert_eq!(client_hello(&stream, &mut Vec::new()), Probe::Not);
        assert!(!looks_like_client_hello(&stream));
    }
    assert_eq!(client_hello(&empty.repeat(5000), &mut Vec::new()), Probe::Not);
}

#[test]
fn another_record_inside_breaks_the_hello() {
    let one = hello(Some(&[&server_name(NAME)[..], &extension(21, &[0; 40])].concat()));
    let end = one.len() - 10;
    let stream = [record(22, &one[..end]), record(21, &[1, 0])].concat();
    assert_eq!(found(&stream), Facts { extent: Extent::Broken, ..whole(Some(NAME)) });
    let stream = [record(22, &one[..end - 50]), b"GET / HTTP/1.1\r\n".to_vec()].concat();
    assert_eq!(found(&stream), Facts { extent: Extent::Broken, ..whole(None) });
    let stream = [record(22, &one[..3]), record(21, &[1, 0])].concat();
    assert_eq!(probe(&stream), Probe::Not);
}

#[test]
fn a_length_beyond_the_cap_is_read_up_to_the_cap() {
    let mut message = hello(Some(&server_name(NAME)));
    message[1] = 0xff;
    let stream = record(22, &message);
    assert!(matches!(probe(&stream), Probe::More(n) if n > stream.len() && n <= MAX_STREAM));
    let partial = partial_client_hello(&stream, &mut Vec::new()).map(facts);
    assert_eq!(partial, Some(Facts { extent: Extent::Cut, ..whole(Some(NAME)) }));

    message.resize(30_000, 0);
    for size in [1, 100, 16_384] {
        let stream = records(&message, &[size]);
        let mut have = 0;
        while let Probe::More(n) = probe(&stream[..have]) {
            assert!(n > have && n <= MAX_STREAM);
            have = n;
        }
        // The bytes behind the list of extensions contradict its length.
        assert_eq!(found(&stream[..have]), Facts { extent: Extent::Oversized, ..malformed(Some(NAME)) }, "{size}");
        assert_eq!(found(&stream), found(&stream[..have]));
    }
}

#[test]
fn the_largest_hello_that_is_read_whole() {
    let pad = MAX_HELLO - hello(Some(&[&server_name(NAME)[..], &extension(21, &[])].concat())).len();
    for (more, extent) in [(0, Extent::Whole), (1, Extent::Oversized)] {
        let one = hello(Some(&[&extension(21, &vec![0; pad + more])[..], &server_name(NAME)].concat()));
        let found = found(&records(&one, &[4000]));
        assert_eq!(found.extent, extent);
        assert_eq!(found.name.is_some(), more == 0, "a name cut off is none");
        let Probe::Found(bare) = client_hello_message(&one) else { panic!() };
        assert_eq!((bare.extent, bare.len), (extent, MAX_HELLO));
    }
}

#[test]
fn bare_messages() {
    let one = hello(Some(&server_name(NAME)));
    assert_eq!(client_hello_message(b""), Probe::More(42));
    assert_eq!(client_hello_message(b"\x02"), Probe::Not);
    assert_eq!(client_hello_message(&one[..4]), Probe::More(one.len()));
    assert_eq!(partial_client_hello_message(&one[..3]), None);
    assert_eq!(partial_client_hello_message(b"\x02\0\0\x50\x03"), None);
    let Probe::Found(hello) = client_hello_message(&one) else { panic!() };
    assert_eq!(facts(hello), whole(Some(NAME)));
    assert_eq!((hello.len, hello.record_end), (one.len(), one.len()));
}

#[test]
fn partial_hellos_give_only_whole_names() {
    let one = hello(Some(&[&server_name(NAME)[..], &extension(21, &[0; 40])].concat()));
    let stream = records(&one, &[30]);
    let name_ends = one.len() - 44;
    for have in 0..stream.len() {
        let mut scratch = Vec::new();
        let partial = partial_client_hello(&stream[..have], &mut scratch).map(facts);
        let message_bytes = have - (have / 35 * 5 + (have % 35).min(5));
        if message_bytes < 4 {
            assert_eq!(partial, None);
            continue;
        }
        let name = (message_bytes >= name_ends).then_some(NAME);
        assert_eq!(partial, Some(Facts { extent: Extent::Cut, ..whole(name) }), "{have} bytes");
    }
    assert_eq!(partial_client_hello(&stream, &mut Vec::new()).map(facts), Some(whole(Some(NAME))));
}

/// Extensions that both readers take for unknown or plain.
fn plain_extension() -> impl Strategy<Value = Vec<u8>> {
    let kind =
        prop_oneof![Just(0x0a0a_u16), Just(0xfafa), Just(0x4469), Just(0x44cd), Just(0xfe0d), 0x3a00_u16..0x3aff];
    (kind, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, data)| extension(kind, &data))
}

/// The server name that tls-parser finds.
fn reference(stream: &[u8]) -> Option<Vec<u8>> {
    use tls_parser::{TlsExtension, TlsMessage, TlsMessageHandshake};
    let (rest, record) = tls_parser::parse_tls_plaintext(stream).unwrap();
    assert!(rest.is_empty());
    let TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello)) = &record.msg[0] else { panic!() };
    let (_, extensions) = tls_parser::parse_tls_client_hello_extensions(hello.ext?).unwrap();
    extensions.iter().find_map(|e| match e {
        TlsExtension::SNI(list) => list.first().map(|(_, name)| name.to_vec()),
        _ => None,
    })
}

proptest! {
    #[test]
    fn agrees_with_tls_parser(
        before in prop::collection::vec(plain_extension(), 0..6),
        name in prop::option::of(prop::collection::vec(any::<u8>(), 1..100)),
        after in prop::collection::vec(plain_extension(), 0..6),
        has_list in any::<bool>(),
    ) {
        let sni = name.as_deref().map(server_name).unwrap_or_default();
        let all = [before.concat(), sni, after.concat()].concat();
        let stream = record(22, &hello((has_list || !all.is_empty()).then_some(&all)));
        let facts = found(&stream);
        prop_assert_eq!(&facts.name, &name);
        prop_assert_eq!(facts.name, reference(&stream));
        prop_assert!(!facts.malformed);
    }

    #[test]
    fn any_records_give_the_same_hello(
        pad in 0usize..3000,
        sizes in prop::collection::vec(1usize..700, 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let one = hello(Some(&[&extension(21, &vec![0; pad])[..], &server_name(NAME)].concat()));
        let stream = records(&one, &sizes);
        prop_assume!(stream.len() <= MAX_STREAM);
        prop_assert_eq!(found(&stream), whole(Some(NAME)));
        let have = cut.index(stream.len());
        match probe(&stream[..have]) {
            Probe::More(n) => prop_assert!(n > have && n <= stream.len()),
            other => prop_assert!(false, "{:?} of {} bytes", other, have),
        }
        match client_hello_message(&one[..have.min(one.len() - 1)]) {
            Probe::More(n) => prop_assert!(n > have.min(one.len() - 1) && n <= one.len()),
            other => prop_assert!(false, "{:?} of {} bytes", other, have),
        }
    }

    #[test]
    fn mutations_never_panic_and_never_ask_for_what_is_there(
        sizes in prop::collection::vec(1usize..300, 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        have in any::<prop::sample::Index>(),
    ) {
        let one = hello(Some(&[&extension(43, &[2, 3, 4])[..], &server_name(NAME), &extension(16, b"\0\x03\x02h2")].concat()));
        let mut stream = records(&one, &sizes);
        for (at, value) in changes {
            let at = at.index(stream.len());
            stream[at] = value;
        }
        let stream = &stream[..have.index(stream.len() + 1)];
        if let Probe::More(n) = probe(stream) {
            prop_assert!(n > stream.len() && n <= MAX_STREAM);
        }
        let mut scratch = Vec::new();
        if let Some(hello) = partial_client_hello(stream, &mut scratch) {
            prop_assert!(hello.len <= stream.len() && hello.len <= hello.record_end);
        }
        let _ = client_hello_message(stream);
        let _ = partial_client_hello_message(&stream[5.min(stream.len())..]);
        let _ = looks_like_client_hello(stream);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = probe(&bytes);
        let started = [&[22, 3, 1, 0, 190, 1, 0, 0, 186, 3][..], &bytes].concat();
        let _ = probe(&started);
        let _ = partial_client_hello(&started, &mut Vec::new());
    }
}
