//! Frames that a mirror delivered twice, from their bytes on.

use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::capture::LinkType;
use crate::coverage::{Counter, Ledger};
use crate::flow::events::FrameRef;
use crate::flow::testing::{Contact, Policy, Recorder, dns, hello, long_hello, sealed, server_hello};
use crate::flow::{Engine, Limits};
use crate::packet::testing::{ethernet, ipv4, tcp, udp};
use crate::packet::{Decoder, Options, tcp_flags};
use proptest::prelude::*;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [192, 0, 2, 7];

/// A SPAN port in front of an engine.
struct Span {
    engine: Engine<Recorder>,
    decoder: Decoder,
    ledger: Ledger,
    number: u64,
    now: i64,
}

impl Span {
    fn new(policy: Policy) -> Self {
        Span {
            engine: Engine::new(Recorder::new(policy), Limits::default()),
            decoder: Decoder::new(Options::default()),
            ledger: Ledger::new(),
            number: 0,
            now: 1_700_000_000 * SECOND,
        }
    }

    /// A frame, of which the capture holds so many bytes.
    fn cut(&mut self, frame: &[u8], snap: usize) {
        self.number += 1;
        self.now += 1000;
        let kept = &frame[..snap.min(frame.len())];
        let decoded = self.decoder.decode(LinkType(1), kept, frame.len() as u32, 0, Timestamp(self.now));
        let Ok(p) = decoded else { return };
        let segment = self.decoder.encaps().reader().get(p.encap).segment_id;
        let held = if p.in_arena { self.decoder.arena() } else { kept };
        let payload = &held[p.payload_offset as usize..][..p.payload_len as usize];
        let frame = FrameRef {
            bytes: kept,
            orig_len: frame.len() as u32,
            number: self.number,
            offset: 0,
            source: 0,
            interface: 0,
        };
        let place = (frame.source, frame.interface);
        self.engine.segment(&p, segment, place, &mut self.ledger, || (payload, frame));
        self.decoder.clear_arena();
    }

    fn frame(&mut self, frame: &[u8]) {
        self.cut(frame, usize::MAX);
    }

    fn count(&mut self, counter: Counter) -> u64 {
        self.ledger.total().get(counter)
    }

    fn told(&mut self) -> Vec<String> {
        self.engine.sink().told.iter().map(|t| t.what.clone()).collect()
    }
}

fn packet(id: u16, proto: u8, src: [u8; 4], dst: [u8; 4], transport: &[u8]) -> Vec<u8> {
    let mut p = ipv4(proto, src, dst, transport);
    p[4..6].copy_from_slice(&id.to_be_bytes());
    ethernet(0x0800, &p)
}

fn query(id: u16) -> Vec<u8> {
    packet(id, 17, CLIENT, SERVER, &udp(40_000, 53, &dns(7, "a.test", false)))
}

fn answer(id: u16) -> Vec<u8> {
    packet(id, 17, SERVER, CLIENT, &udp(53, 40_000, &dns(7, "a.test", true)))
}

/// The frame as it is in a VLAN behind a router.
fn behind_router(frame: &[u8], vlan: u8, hops: u8) -> Vec<u8> {
    let mut f = [&[2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2, 0x81, 0, 0, vlan][..], &frame[12..]].concat();
    f[18 + 8] = f[18 + 8].wrapping_sub(hops);
    f
}

#[test]
fn a_question_mirrored_twice_is_one_and_asked_twice_is_two() {
    let mut s = Span::new(Policy::Nothing);
    s.frame(&query(1));
    s.frame(&query(1));
    assert_eq!((s.told().len(), s.count(Counter::Duplicates)), (1, 1));
    s.frame(&query(2));
    assert_eq!(s.told().len(), 2, "the host numbered it anew");
    s.now += 51_000_000;
    s.frame(&query(2));
    assert_eq!((s.told().len(), s.count(Counter::Duplicates)), (3, 1), "too late for a copy");
}

#[test]
fn an_answer_finds_its_question_wherever_each_was_seen_first() {
    for far_first in [false, true] {
        for answer_far_first in [false, true] {
            let mut s = Span::new(Policy::Nothing);
            let mut send = |near: Vec<u8>, far: Vec<u8>, far_first: bool| {
                for frame in if far_first { [far, near] } else { [near, far] } {
                    s.frame(&frame);
                }
            };
            send(query(1), behind_router(&query(1), 7, 1), far_first);
            let there = answer(9);
            send(behind_router(&there, 0, 1), behind_router(&there, 7, 0), answer_far_first);
            assert_eq!(s.told(), ["dns query a.test", "dns answer a.test"], "{far_first} {answer_far_first}");
            assert_eq!(s.count(Counter::Duplicates), 2);
        }
    }
}

/// Whoever wants to hide a question sends another before it that does not
/// arrive: of the same number, checksum and first bytes.
#[test]
fn a_packet_made_to_pass_for_a_copy_hides_nothing() {
    let ask = |name: &str| packet(1, 17, CLIENT, SERVER, &udp(40_000, 53, &dns(7, name, false)));
    let names = ["aaaaaaaaaaaaaaaaaaaaaaaa.one.test", "aaaaaaaaaaaaaaaaaaaaaaaa.two.test"];
    let mut s = Span::new(Policy::Nothing);
    s.frame(&behind_router(&ask(names[0]), 0, 1));
    s.frame(&ask(names[1]));
    assert_eq!(s.told(), names.map(|n| format!("dns query {n}")));
    assert_eq!(s.count(Counter::Duplicates), 0);
    // What one of two captures cut off is not compared.
    s.frame(&behind_router(&ask(names[1]), 0, 1));
    s.cut(&ask(names[1]), 80);
    assert_eq!(s.count(Counter::Duplicates), 2);
}

/// Two interfaces of one capture with different snap lengths.
#[test]
fn a_copy_that_was_cut_does_not_hide_the_whole_one() {
    let name = "aaaaaaaaaaaaaaaaaaaaaaaa.one.test";
    let ask = packet(1, 17, CLIENT, SERVER, &udp(40_000, 53, &dns(7, name, false)));
    for far in [ask.clone(), behind_router(&ask, 7, 1)] {
        let mut s = Span::new(Policy::Nothing);
        s.cut(&far, 82);
        assert!(!s.told().iter().any(|t| t.ends_with("test")), "the name is not whole");
        s.frame(&ask);
        s.frame(&ask);
        s.cut(&far, 82);
        assert_eq!(s.told().iter().filter(|t| **t == format!("dns query {name}")).count(), 1);
        assert_eq!(s.count(Counter::Duplicates), 3);
    }
}

/// A capture of headers alone shows what is under way all the same.
#[test]
fn a_segment_cut_to_its_headers_begins_a_flow() {
    let mut s = Span::new(Policy::Flows);
    let segment = |payload: &[u8]| packet(1, 6, CLIENT, SERVER, &tcp(1001, 443, tcp_flags::ACK, payload));
    s.frame(&segment(b""));
    assert_eq!(s.count(Counter::Flows), 0, "an acknowledgement tells nothing");
    s.cut(&segment(&[7; 100]), 54);
    assert_eq!((s.count(Counter::Flows), s.count(Counter::FlowsMidStream)), (1, 1));
}

#[test]
fn a_connection_on_the_ports_of_one_of_the_sample_belongs_to_it_too() {
    let sampled = (1..2_000_u16).find(|port| {
        let mut s = Span::new(Policy::Flows);
        s.frame(&packet(1, 6, CLIENT, SERVER, &tcp(*port, 443, tcp_flags::SYN, b"")));
        s.count(Counter::SampleFrames) > 0
    });
    assert!(sampled.is_some(), "one in 64 is");
    let port = sampled.unwrap_or_default();
    let mut s = Span::new(Policy::Flows);
    let mut id = 0;
    let mut send = |client: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]| {
        id += 1;
        let ((a, ap), (b, bp)) = if client { ((CLIENT, port), (SERVER, 443)) } else { ((SERVER, 443), (CLIENT, port)) };
        let mut t = tcp(ap, bp, flags, payload);
        t[4..8].copy_from_slice(&seq.to_be_bytes());
        t[8..12].copy_from_slice(&ack.to_be_bytes());
        s.frame(&packet(id, 6, a, b, &t));
        s.count(Counter::SampleFrames)
    };
    for base in [100, 90_000_000] {
        send(true, tcp_flags::SYN, base, 0, b"");
        let before = send(false, tcp_flags::SYN | tcp_flags::ACK, 500 + base, base + 1, b"");
        let after = send(true, tcp_flags::ACK, base + 1, 501 + base, b"some of it");
        assert_eq!(after, before + 1, "{base}");
    }
}

#[test]
fn addresses_translated_are_another_packet() {
    let mut s = Span::new(Policy::Nothing);
    s.frame(&query(1));
    let outside = packet(1, 17, [198, 51, 100, 1], SERVER, &udp(40_000, 53, &dns(7, "a.test", false)));
    s.frame(&behind_router(&outside, 7, 1));
    assert_eq!((s.told().len(), s.count(Counter::Duplicates)), (2, 0));
}

/// A connection of which every frame comes in two VLANs, far side first.
#[test]
fn a_connection_in_two_segments_is_one_flow() {
    let mut s = Span::new(Policy::Flows);
    let mut id = 0;
    let hello = hello("up.test");
    let mut send = |client: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]| {
        id += 1;
        let ((a, ap), (b, bp)) =
            if client { ((CLIENT, 40_000), (SERVER, 443)) } else { ((SERVER, 443), (CLIENT, 40_000)) };
        let mut t = tcp(ap, bp, flags, payload);
        t[4..8].copy_from_slice(&seq.to_be_bytes());
        t[8..12].copy_from_slice(&ack.to_be_bytes());
        let frame = packet(id, 6, a, b, &t);
        let far = behind_router(&frame, 7, if client { 1 } else { 0 });
        let near = behind_router(&frame, 5, if client { 0 } else { 1 });
        s.frame(&far);
        s.frame(&near);
    };
    use tcp_flags::{ACK, FIN, SYN};
    send(true, SYN, 99, 0, b"");
    send(false, SYN | ACK, 499, 100, b"");
    send(true, ACK, 100, 500, b"");
    send(true, ACK, 100, 500, &hello);
    let end = 100 + hello.len() as u32;
    send(false, ACK, 500, end, &[7; 1000]);
    send(false, ACK, 1500, end, &[8; 1000]);
    send(true, ACK | FIN, end, 2500, b"");
    assert_eq!((s.told(), s.count(Counter::Flows)), (vec!["tls up.test".to_owned()], 1));
    assert_eq!(s.engine.sink().contacts.len(), 1);
    let c = s.engine.sink().contacts[0].clone();
    assert_eq!((c.up, c.down), (hello.len() as u64, 2000));
    // All but the bare acknowledgement, which changes nothing.
    assert_eq!((s.count(Counter::Duplicates), s.count(Counter::StreamConflict)), (6, 0));
    s.engine.finish(&mut s.ledger);
}

#[test]
fn datagrams_of_a_followed_flow_count_once() {
    let mut s = Span::new(Policy::Flows);
    for id in 0..20 {
        let to = packet(id, 17, CLIENT, SERVER, &udp(40_000, 4000, &[id as u8; 100]));
        let from = packet(id, 17, SERVER, CLIENT, &udp(4000, 40_000, &[id as u8; 300]));
        for frame in [&to, &to, &from, &from] {
            s.frame(frame);
        }
    }
    let c = s.engine.sink().contacts[0].clone();
    assert_eq!((c.up, c.down), (2000, 6000));
    assert_eq!(s.count(Counter::Duplicates), 40);
}

#[test]
fn fragments_twice_give_one_question() {
    use crate::packet::testing::ipv4_fragment;
    let datagram = udp(40_000, 53, &dns(7, "a.test", false));
    let parts = [(0, 16), (16, datagram.len() - 16)]
        .map(|(start, len)| ethernet(0x0800, &ipv4_fragment(17, 5, &datagram, start, len)));
    let mut s = Span::new(Policy::Nothing);
    for frame in [&parts[0], &parts[1], &parts[0], &parts[1]] {
        s.frame(frame);
    }
    assert_eq!((s.told(), s.count(Counter::Duplicates)), (vec!["dns query a.test".to_owned()], 1));
}

/// Of flows that nobody reads any more, every frame of one in 64 is compared.
#[test]
fn the_rest_is_estimated_from_a_sample() {
    let mut s = Span::new(Policy::Nothing);
    for flow in 0..640u16 {
        let (port, mut id) = (20_000 + flow, 0);
        for _ in 0..40 {
            id += 1;
            let frame = packet(id, 17, CLIENT, SERVER, &udp(port, 4000, &[id as u8; 50]));
            s.frame(&frame);
            if id % 2 == 0 {
                s.frame(&frame);
            }
        }
    }
    let (sample, copies) = (s.count(Counter::SampleFrames), s.count(Counter::DuplicatesSampled));
    assert!((4 * 60..20 * 60).contains(&sample) && copies * 3 == sample, "{copies} of {sample}");
}

#[test]
fn checksums_are_counted_and_refuse_nothing() {
    let mut s = Span::new(Policy::Nothing);
    s.frame(&query(1)); // no sum of UDP, a wrong one of IP
    assert_eq!((s.count(Counter::IpChecksumBad), s.count(Counter::ChecksumsVerified)), (1, 0));
    let mut bad = query(2);
    bad[14 + 20 + 6] = 9;
    s.frame(&bad);
    s.frame(&bad); // a copy is not verified again
    assert_eq!((s.count(Counter::UdpChecksumBad), s.count(Counter::ChecksumsVerified)), (1, 1));
    assert_eq!(s.told().len(), 2);
    s.cut(&query(3), 60);
    assert_eq!(s.count(Counter::ChecksumsVerified), 1, "what is cut cannot be verified");
}

#[test]
fn what_a_snap_length_cut_is_counted_by_protocol() {
    let mut s = Span::new(Policy::Nothing);
    let syn = |s: &mut Span, port: u16, server: u16| s.frame(&packet(1, 6, CLIENT, SERVER, &tcp(port, server, 2, b"")));
    // One number behind the SYN's.
    let data = |port: u16, server: u16, payload: &[u8]| {
        let mut t = tcp(port, server, 16, payload);
        t[4..8].copy_from_slice(&2u32.to_be_bytes());
        packet(2, 6, CLIENT, SERVER, &t)
    };
    syn(&mut s, 1001, 443);
    s.cut(&data(1001, 443, &hello("cut.test")), 96);
    syn(&mut s, 1002, 443);
    s.frame(&data(1002, 443, &hello("whole.test")));
    syn(&mut s, 1003, 80);
    s.cut(&data(1003, 80, b"GET / HTTP/1.1\r\nAccept: x\r\nHost: cut.test\r\n\r\n"), 80);
    syn(&mut s, 1004, 443);
    s.cut(&data(1004, 443, &hello("cut.test")), 54);
    s.cut(&query(7), 60);
    s.frame(&query(8));
    use Counter::*;
    let counts = [TlsHellos, TlsHellosCut, HttpCut, StreamHeadsCut, DnsCut, DnsMessages].map(|c| s.count(c));
    assert_eq!(counts, [2, 1, 1, 1, 1, 2]);
}

/// The mirror lost the far copies of what came before.
#[test]
fn a_far_copy_that_comes_first_in_mid_flow_does_not_tear_it() {
    let hello = hello("up.test");
    for cut in [0, 80] {
        let mut s = Span::new(Policy::Names);
        let data = |id: u16, flags: u8, seq: u32, payload: &[u8]| {
            let mut t = tcp(40_000, 443, flags, payload);
            t[4..8].copy_from_slice(&seq.to_be_bytes());
            packet(id, 6, CLIENT, SERVER, &t)
        };
        s.frame(&data(1, tcp_flags::SYN, 99, b""));
        s.frame(&data(2, tcp_flags::ACK, 100, &hello[..cut]));
        let rest = data(3, tcp_flags::ACK, 100 + cut as u32, &hello[cut..]);
        s.frame(&behind_router(&rest, 7, 1));
        s.frame(&rest);
        assert!(s.told().contains(&"tls up.test".to_owned()), "{cut}: {:?}", s.told());
        assert_eq!(s.told().iter().filter(|t| *t != "?").count(), 1);
        s.engine.finish(&mut s.ledger);
    }
}

/// A conversation: the server's port, and what either end sends.
fn conversation(which: usize) -> (u16, Vec<u8>, Vec<u8>) {
    let prefixed = |m: &[u8]| [&[0, u8::try_from(m.len()).unwrap()][..], m].concat();
    let request = |n: u32| format!("POST /{n} HTTP/1.1\r\nHost: h.test\r\nContent-Length: 4\r\n\r\nGET ").into_bytes();
    match which {
        0 => (443, long_hello("up.test", 700), [server_hello(0x0303, false), sealed(3000)].concat()),
        1 => (80, (0..4).flat_map(request).collect(), [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 3000]].concat()),
        _ => (
            53,
            (0..4).flat_map(|n| prefixed(&dns(n, &format!("n{n}.test"), false))).collect(),
            (0..4).flat_map(|n| prefixed(&dns(n, &format!("n{n}.test"), true))).collect(),
        ),
    }
}

/// Its segments: whether the client sends, flags, offset, payload.
type Sent = (bool, u8, u32, Vec<u8>);

fn segments(client: &[u8], server: &[u8], sizes: &[usize]) -> Vec<Sent> {
    use tcp_flags::{ACK, SYN};
    let mut all: Vec<Sent> =
        vec![(true, SYN, 0, Vec::new()), (false, SYN | ACK, 0, Vec::new()), (true, ACK, 1, Vec::new())];
    let mut sizes = sizes.iter().cycle();
    for (stream, is_client) in [(client, true), (server, false)] {
        let mut at = 0;
        while at < stream.len() {
            let end = stream.len().min(at + sizes.next().unwrap());
            all.push((is_client, ACK, 1 + at as u32, stream[at..end].to_vec()));
            at = end;
        }
    }
    all
}

/// What is told and counted of them, each with a copy as `copies` says.
fn play(port: u16, ends: (u32, u32), segments: &[Sent], copies: &[u8]) -> (Vec<String>, Vec<Contact>) {
    let mut s = Span::new(Policy::Names);
    let isn = (u32::MAX - 300, 77);
    for (n, (from_client, flags, offset, payload)) in segments.iter().enumerate() {
        let (a, b) = ((CLIENT, 40_000), (SERVER, port));
        let (src, dst, mine, theirs, acked) =
            if *from_client { (a, b, isn.0, isn.1, 0) } else { (b, a, isn.1, isn.0, ends.0) };
        let mut t = tcp(src.1, dst.1, *flags, payload);
        t[4..8].copy_from_slice(&mine.wrapping_add(*offset).to_be_bytes());
        let ack = if flags & tcp_flags::SYN != 0 { 1 } else { 1 + acked };
        t[8..12].copy_from_slice(&theirs.wrapping_add(ack).to_be_bytes());
        let frame = packet(n as u16, 6, src.0, dst.0, &t);
        let hop = if *from_client { 1 } else { u8::MAX };
        let vlan = |v| behind_router(&frame, v, hop);
        let bare = || [&[2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2][..], &vlan(0)[16..]].concat();
        // Of the SYN there is a copy in the other VLAN, as of all that a router
        // passes on.
        let kind = copies.get(n % copies.len().max(1)).map_or(0, |c| if n == 0 { 3 + c % 2 } else { c % 6 });
        let both = match kind {
            0 => vec![frame],
            1 => vec![frame.clone(), frame],
            2 => vec![frame.clone(), bare()],
            3 => vec![frame.clone(), vlan(7), vlan(7)],
            4 => vec![vlan(7), frame],
            _ => vec![bare(), frame],
        };
        for frame in both {
            s.frame(&frame);
        }
    }
    assert_eq!((s.count(Counter::Flows), s.count(Counter::StreamConflict), s.count(Counter::StreamGaps)), (1, 0, 0));
    let sink = s.engine.finish(&mut s.ledger);
    assert!(sink.told.iter().all(|t| t.notes.is_empty()));
    (sink.told.into_iter().map(|t| t.what).collect(), sink.contacts)
}

proptest! {
    /// Other segments, another order, and copies of any kind change nothing.
    #[test]
    fn any_mirror_of_a_connection_tells_the_same(
        which in 0usize..3,
        sizes in prop::collection::vec(1usize..400, 1..20),
        copies in prop::collection::vec(any::<u8>(), 1..30),
        moves in prop::collection::vec((0usize..2000, 1usize..3), 0..40),
    ) {
        let (port, client, server) = conversation(which);
        let ends = (client.len() as u32, server.len() as u32);
        let want = play(port, ends, &segments(&client, &server, &[1400]), &[]);
        let mut sent = segments(&client, &server, &sizes);
        let first_answer = sent.iter().rposition(|s| s.0).unwrap() + 1;
        for (at, by) in moves {
            let at = 3 + at % (sent.len() - 3);
            let to = (at + by).min(sent.len() - 1);
            // An answer before its question is another conversation.
            if (at < first_answer) == (to < first_answer) {
                sent.swap(at, to);
            }
        }
        let (told, contacts) = play(port, ends, &sent, &copies);
        prop_assert_eq!(told, want.0);
        // In another order a contact may rise by two stages at once.
        let summary = |all: &[Contact]| -> Vec<_> { all.iter().map(|c| (c.stages.last().copied(), c.up, c.down)).collect() };
        prop_assert_eq!(summary(&contacts), summary(&want.1));
    }
}
