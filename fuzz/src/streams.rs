//! Segments of flows, in any order.

use super::wire::{Input, Segment, names};
use std::collections::BTreeSet;

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
    let _ = names(&frames);
}

/// A client's stream, once in order in large segments and once cut into small
/// ones, some repeated and some in the wrong order: the names are the same.
pub fn chopped(data: &[u8]) {
    let mut input = Input(data);
    let port = PORTS[usize::from(input.u8()) % PORTS.len()];
    let (most, seed) = (usize::from(input.u8()) + 1, input.u32());
    let stream = input.take(8 << 10);
    let whole = run(port, pieces(stream, |_| (1400, false, false)));
    let mut random = u64::from(seed) << 1 | 1;
    let cut = run(
        port,
        pieces(stream, |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let r = (random >> 33) as usize;
            (r % most + 1, r & 0x7000 == 0, r & 0x70000 == 0)
        }),
    );
    assert_eq!(whole, cut, "names do not depend on how a stream is cut");
}

/// Ranges of a stream, by length, with repeats and swaps.
fn pieces(stream: &[u8], mut next: impl FnMut(usize) -> (usize, bool, bool)) -> Vec<(u32, Vec<u8>)> {
    let (mut at, mut out) = (0, Vec::new());
    while at < stream.len() {
        let (length, repeat, swap) = next(at);
        let end = (at + length).min(stream.len());
        let piece = (at as u32, stream[at..end].to_vec());
        if repeat {
            out.push(piece.clone());
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

fn run(port: u16, pieces: Vec<(u32, Vec<u8>)>) -> BTreeSet<String> {
    let base = Segment { host: 5, cport: 40_000, sport: port, seq: 999, ack: 0, ..Segment::default() };
    let mut frames = vec![
        Segment { flags: SYN, ..base.clone() }.frame(),
        Segment { flags: SYN | ACK, from_server: true, seq: 4_999, ack: 1000, ..base.clone() }.frame(),
    ];
    for (at, payload) in pieces {
        frames.push(Segment { flags: ACK, seq: 1000 + at, ack: 5000, payload, ..base.clone() }.frame());
    }
    names(&frames).iter().map(|row| row.channel.as_str().to_owned() + " " + &row.name).collect()
}
