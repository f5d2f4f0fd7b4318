//! Segments of flows, in any order.

use super::wire::{Input, Segment, told};
use spansight::base::Stage;
use spansight::protocol::dns::{Message, stream_message};
use spansight::protocol::tls::record_header;
use spansight::protocol::{Probe, http};
use std::collections::BTreeMap;

const SYN: u8 = 2;
const ACK: u8 = 16;
const PORTS: [u16; 8] = [443, 80, 53, 853, 25, 1080, 8080, 5432];

/// Segments and datagrams of a few flows, as the fuzzer says.
pub fn segments(data: &[u8]) {
    let mut input = Input(data);
    let mut frames = Vec::new();
    while !input.is_empty() && frames.len() < 512 {
        let kind = input.u8();
        let length = usize::from(if kind & 0x40 == 0 { u16::from(input.u8()) } else { input.u16() & 0x7ff });
        let port = input.u8();
        frames.push(
            Segment {
                udp: kind & 1 == 1,
                from_server: kind & 2 == 2,
                host: port >> 6,
                cport: 40_000 + u16::from(port >> 3 & 7),
                sport: PORTS[usize::from(port & 7)],
                flags: if kind & 4 == 4 { input.u8() } else { ACK },
                seq: input.u16().into(),
                ack: if kind & 8 == 8 { input.u32() } else { 0 },
                payload: input.take(length).to_vec(),
            }
            .frame(),
        );
    }
    let _ = told(&frames);
}

/// What one end says before the other says something.
struct Turn<'a> {
    from_server: bool,
    /// Where it begins in the stream of its end.
    at: usize,
    /// How much the other end has sent by then.
    other: usize,
    bytes: &'a [u8],
}

/// A conversation over TCP, once in order in large segments and once cut into
/// small ones, some repeated and some in the wrong order: what is told is the
/// same, and the contacts get as far.
///
/// Behind six bytes that say how to cut come turns, each behind its length in
/// two bytes, of which the highest bit is set if the server speaks.
pub fn chopped(data: &[u8]) {
    let mut input = Input(data);
    let port = PORTS[usize::from(input.u8()) % PORTS.len()];
    let (most, seed) = (usize::from(input.u8()) + 1, input.u32());
    let mut turns = Vec::new();
    let mut sent = [0, 0];
    while !input.is_empty() && sent[0] + sent[1] < 16 << 10 {
        let head = input.u16();
        let from_server = head & 0x8000 != 0;
        let bytes = input.take(usize::from(head & 0x1fff));
        let [at, other] = if from_server { [sent[1], sent[0]] } else { sent };
        turns.push(Turn { from_server, at, other, bytes });
        sent[usize::from(from_server)] += bytes.len();
    }
    let mut whole = run(port, &turns, |_| (1400, false, false));
    let mut random = u64::from(seed) << 1 | 1;
    let mut cut = run(port, &turns, |_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let r = (random >> 33) as usize;
        (r % most + 1, r & 0x7000 == 0, r & 0x70000 == 0)
    });
    let client = stream_of(&turns, false);
    // Where the client's records are damaged the next segment may begin one.
    // Responses behind the first are known by segments that begin them.
    let server = stream_of(&turns, true);
    let is_answer = matches!(http::status(&server), Probe::Found(_));
    let one_answer = is_answer && !server[1..].windows(7).any(|w| w == b"HTTP/1.");
    let most = |what: &str| match what.split(' ').next() {
        Some("tls") if !is_all_records(&client) => Some(Stage::Connected),
        Some("http" | "connect") if !one_answer => None,
        _ => Some(Stage::Transferred),
    };
    for (what, stage) in whole.iter_mut().chain(&mut cut) {
        *stage = (*stage).min(most(what));
    }
    // A DNS message that is none ends the reading of its stream; behind it
    // only a segment can begin another.
    let has_dns = whole.keys().chain(cut.keys()).any(|what| what.starts_with("dns"));
    let all_dns = || [false, true].iter().all(|side| is_all_dns(port, &turns, *side));
    if !has_dns || all_dns() {
        assert_eq!(whole, cut, "what is told does not depend on how streams are cut");
    }
}

/// Everything that one end says.
fn stream_of(turns: &[Turn<'_>], from_server: bool) -> Vec<u8> {
    turns.iter().filter(|t| t.from_server == from_server).flat_map(|t| t.bytes).copied().collect()
}

/// Whether a stream is nothing but TLS records, the last perhaps cut.
fn is_all_records(stream: &[u8]) -> bool {
    let mut rest = stream;
    while let Some((header, behind)) = rest.split_first_chunk() {
        let Some(header) = record_header(header) else { return false };
        rest = behind.get(header.len..).unwrap_or_default();
    }
    true
}

/// Whether one end's stream is nothing but DNS messages, the last perhaps cut,
/// and whole ones where the other end speaks.
fn is_all_dns(port: u16, turns: &[Turn<'_>], from_server: bool) -> bool {
    let stream = stream_of(turns, from_server);
    let (mut at, mut message) = (0, Message::default());
    let mut ends = vec![0];
    let found = loop {
        let Probe::Found(bytes) = stream_message(&stream[at..]) else { break stream_message(&stream[at..]) };
        let fine = message.parse(bytes) && (port == 53 || message.is_certain_anywhere());
        if !fine && !bytes.is_empty() {
            return false;
        }
        at += bytes.len() + 2;
        ends.push(at);
    };
    let others = turns.iter().filter(|t| t.from_server != from_server);
    others.map(|t| t.other).all(|at| ends.contains(&at)) && found != Probe::Not
}

/// Ranges of a turn, by length, with repeats and swaps.
fn pieces(stream: &[u8], mut next: impl FnMut(usize) -> (usize, bool, bool)) -> Vec<(usize, &[u8])> {
    let (mut at, mut out) = (0, Vec::new());
    while at < stream.len() {
        let (length, repeat, swap) = next(at);
        let end = (at + length).min(stream.len());
        let piece = (at, &stream[at..end]);
        if repeat {
            out.push(piece);
        }
        out.push(piece);
        let last = out.len() - 1;
        if swap && last > 0 {
            out.swap(last, last - 1);
        }
        at = end;
    }
    out
}

/// What is told, and the furthest stage of each.
fn run(
    port: u16,
    turns: &[Turn<'_>],
    mut next: impl FnMut(usize) -> (usize, bool, bool),
) -> BTreeMap<String, Option<Stage>> {
    let (client, server) = (1000_u32, 5000_u32);
    let base = Segment { host: 5, cport: 40_000, sport: port, ..Segment::default() };
    let mut frames = vec![
        Segment { flags: SYN, seq: client - 1, ..base.clone() }.frame(),
        Segment { flags: SYN | ACK, from_server: true, seq: server - 1, ack: client, ..base.clone() }.frame(),
        Segment { flags: ACK, seq: client, ack: server, ..base.clone() }.frame(),
    ];
    for turn in turns {
        let (mine, other) = if turn.from_server { (server, client) } else { (client, server) };
        for (at, payload) in pieces(turn.bytes, &mut next) {
            let seq = mine + (turn.at + at) as u32;
            let ack = other + turn.other as u32;
            let segment = Segment { from_server: turn.from_server, flags: ACK, seq, ack, ..base.clone() };
            frames.push(Segment { payload: payload.to_vec(), ..segment }.frame());
        }
    }
    let mut furthest = BTreeMap::new();
    // In a stream that was not understood every segment may begin something:
    // what is found there depends on the segments, and carries a note.
    for t in told(&frames).into_iter().filter(|t| !t.late) {
        let known = furthest.entry(t.what).or_insert(t.stage);
        *known = t.stage.max(*known);
    }
    furthest
}
