//! What holds for any input.

use crate::base::Addr;
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::{Packet, Transport};
use proptest::prelude::*;

/// Streams of which these names are told.
fn conversation(which: usize) -> (u16, Vec<u8>, Vec<String>) {
    let request =
        |n: u32| format!("POST /{n} HTTP/1.1\r\nHost: h{n}.test\r\nContent-Length: 4\r\n\r\nGET ").into_bytes();
    let prefixed = |m: &[u8]| [&[0, u8::try_from(m.len()).unwrap()][..], m].concat();
    match which {
        0 => (443, long_hello("up.test", 900), vec!["tls up.test".to_owned()]),
        1 => (80, (0..6).flat_map(request).collect(), (0..6).map(|n| format!("http h{n}.test /{n}")).collect()),
        _ => (
            53,
            (0..6).flat_map(|n| prefixed(&dns(n, &format!("n{n}.test"), false))).collect(),
            (0..6).map(|n| format!("dns query n{n}.test")).collect(),
        ),
    }
}

/// A segment in numbers: which flow, direction, flags, offset, payload.
type Raw = (u8, bool, u8, u32, usize, u16);

fn payload(kind: usize, len: u16) -> Vec<u8> {
    let mut bytes = match kind % 9 {
        0 => long_hello("up.test", 700),
        1 => b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n".to_vec(),
        2 => b"CONNECT b.test:443 HTTP/1.1\r\n\r\n".to_vec(),
        3 => [&[0, 24][..], &dns(1, "c.test", false)].concat(),
        4 => server_hello(0x0304, false),
        5 => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        6 => sealed(600),
        7 => b"PROXY TCP4 1.2.3.4 1.2.3.4 5 6\r\n".to_vec(),
        _ => vec![kind as u8; 700],
    };
    bytes.rotate_left(kind / 9 % 3);
    bytes.truncate(usize::from(len));
    bytes
}

fn play(lab: &mut Lab, segments: &[Raw]) {
    for &(flow, from_client, flags, offset, kind, len) in segments {
        let ports = [443, 80, 53, 3128];
        let c = Conn::new(40_000 + u16::from(flow / 4), ports[usize::from(flow % 4)]).isn(u32::MAX - 500, 7);
        let bytes = payload(kind, len);
        if kind % 11 == 10 {
            let (a, b) = if from_client { (c.client, c.server) } else { (c.server, c.client) };
            lab.udp(a, b, &bytes);
            continue;
        }
        let c = Conn { sent: (offset % 1500, offset % 900), ..c };
        if from_client {
            lab.client_at(&c, offset, flags, &bytes)
        } else {
            lab.server_at(&c, offset, flags, &bytes)
        }
        if kind % 13 == 12 {
            lab.wait(i64::from(offset % 20_000));
        }
    }
}

fn segments() -> impl Strategy<Value = Vec<Raw>> {
    let flags = prop_oneof![6 => Just(ACK), 2 => Just(SYN), 2 => Just(SYN | ACK), 1 => Just(FIN | ACK), 1 => Just(RST), 1 => any::<u8>()];
    let offset = prop_oneof![5 => 0u32..1500, 1 => any::<u32>()];
    prop::collection::vec((0u8..8, any::<bool>(), flags, offset, 0usize..60, 0u16..900), 0..120)
}

proptest! {
    #[test]
    fn any_cut_order_and_repetition_tells_the_same(
        which in 0usize..3,
        isn in any::<u32>(),
        sizes in prop::collection::vec(1usize..200, 1..40),
        repeats in prop::collection::vec((0usize..2000, 1usize..300), 0..20),
        moves in prop::collection::vec((0usize..100, 0usize..100), 0..60),
    ) {
        let (port, stream, want) = conversation(which);
        let mut parts: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        for size in sizes.iter().cycle() {
            if at >= stream.len() { break }
            let end = stream.len().min(at + size.max(&(stream.len() / 100)));
            parts.push((at, end));
            at = end;
        }
        parts.extend(repeats.iter().map(|(start, len)| {
            let start = start % stream.len();
            (start, stream.len().min(start + len))
        }));
        let n = parts.len();
        for (a, b) in moves {
            parts.swap(a % n, b % n);
        }
        let mut lab = Lab::new(Policy::Names);
        let c = Conn::new(50_000, port).isn(isn, !isn);
        lab.open(&c);
        for (start, end) in parts {
            lab.client_at(&c, u32::try_from(start).unwrap(), ACK, &stream[start..end]);
        }
        prop_assert_eq!(lab.told(), want);
        prop_assert!(lab.engine.sink().told.iter().all(|t| t.notes.is_empty()));
        prop_assert_eq!(lab.engine.held(), 0);
        lab.finish();
    }

    #[test]
    fn any_segments_do_no_harm_and_leave_nothing(
        segments in segments(),
        followed in 0usize..3,
        held_bytes in prop_oneof![Just(512usize << 10), 0usize..5000],
        tcp_flows in 1usize..9,
        snap in prop_oneof![Just(usize::MAX), 20usize..400],
    ) {
        let policy = [Policy::Nothing, Policy::Names, Policy::Flows][followed];
        let limits = Limits { held_bytes, tcp_flows, udp_flows: tcp_flows, quic_keys: 10 };
        let mut lab = Lab::with_limits(policy, limits);
        lab.snap = snap;
        for segment in &segments {
            play(&mut lab, std::slice::from_ref(segment));
            prop_assert!(lab.engine.held() <= held_bytes);
        }
        // Every flow gone, nothing is held; `finish` itself checks it, too.
        let now = lab.now.plus(crate::base::time::SECOND * 1000);
        lab.engine.expire(now, &mut lab.ledger);
        prop_assert_eq!(lab.engine.held(), 0);
        lab.finish();
    }

    #[test]
    fn no_two_tokens_or_bytes_are_lost(segments in segments()) {
        let mut lab = Lab::new(Policy::Flows);
        play(&mut lab, &segments);
        let sink = lab.finish();
        prop_assert!(sink.contacts.iter().all(|c| c.closed));
        // Stages only rise.
        prop_assert!(sink.contacts.iter().all(|c| c.stages.is_sorted()));
    }
}

fn source(i: u32) -> (Addr, u16) {
    (Addr::v4([10, (i >> 16) as u8, (i >> 8) as u8, i as u8]), 40_000)
}

/// A flood, and a real flow that begins and ends in the middle of it.
fn flood(mut each: impl FnMut(&mut Lab, u32)) -> Lab {
    let mut lab = Lab::new(Policy::Nothing);
    let mut real = Conn { client: (Addr::v4([172, 16, 0, 1]), 50_000), ..Conn::new(0, 443) };
    let hello = long_hello("up.test", 900);
    for i in 0..100_000 {
        each(&mut lab, i);
        match i {
            60_000 => lab.open(&real),
            60_100 => lab.client(&mut real, &hello[..600]),
            60_150 => lab.client(&mut real, &hello[600..]),
            _ => {}
        }
        lab.now = lab.now.plus(-990_000); // 10 µs a packet
    }
    assert_eq!(lab.engine.sink().told.iter().filter(|t| t.what == "tls up.test").count(), 1);
    lab
}

#[test]
fn a_flood_of_syns() {
    let mut lab = flood(|lab, i| lab.syn(&Conn { client: source(i), ..Conn::new(0, 80) }));
    assert!(lab.count(Counter::FlowsEvicted) > 90_000);
    lab.finish();
}

#[test]
fn a_flood_of_half_hellos() {
    let half = long_hello("half.test", 900)[..900].to_vec();
    let mut lab = flood(|lab, i| lab.client_at(&Conn { client: source(i), ..Conn::new(0, 443) }, 0, ACK, &half));
    assert!(lab.engine.held() <= Limits::default().held_bytes);
    assert!(lab.count(Counter::StreamsEvicted) > 90_000);
    lab.finish();
}

#[test]
fn a_flood_of_datagrams() {
    let mut lab = flood(|lab, i| lab.udp(source(i), (SERVER, 4000), b"x"));
    assert!(lab.count(Counter::FlowsEvicted) > 90_000);
    lab.finish();
}

#[test]
fn packets_of_other_transports_and_odd_ends() {
    let mut lab = Lab::new(Policy::Flows);
    let end = (CLIENT, 53);
    for transport in [Transport::Tcp, Transport::Udp] {
        for flags in 0..=255 {
            lab.packet(&Packet { flags, ..packet(transport, end, end) }, &dns(1, "a.test", false));
        }
    }
    lab.finish();
}
