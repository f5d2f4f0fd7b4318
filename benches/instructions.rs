//! How many instructions the parts of the path of a frame take.
//!
//! `scripts/instructions` runs it and holds the counts against the baseline.
//! It needs valgrind and the gungraun-runner of gungraun's version.

#![allow(missing_docs)] // gungraun makes items out of each function

mod inputs;

use gungraun::{library_benchmark, library_benchmark_group, main};
use inputs::{Flows, Frame, Frames, Matching, Quic};
use spansight::packet::Packet;
use spansight::protocol::dns;
use std::hint::black_box;

/// Makes tables and buffers, and takes one frame, so that none grow any more.
fn ready(frame: Frame) -> (Frames, Frame) {
    let mut decoder = Frames::new();
    assert!(decoder.decode(&frame).is_some(), "a frame that is decoded");
    (decoder, frame)
}

#[library_benchmark]
#[bench::plain(ready(inputs::plain_frame()))]
#[bench::vxlan(ready(inputs::tunnelled_frame()))]
fn frame((mut decoder, frame): (Frames, Frame)) -> (Frames, Option<Packet>) {
    let packet = decoder.decode(black_box(&frame));
    (decoder, packet)
}

fn message() -> (dns::Message, Vec<u8>) {
    let (mut message, answer) = (dns::Message::default(), inputs::dns_answer());
    inputs::parse_dns(&mut message, &answer);
    (message, answer)
}

#[library_benchmark]
#[bench::answer(message())]
fn dns_message((mut message, answer): (dns::Message, Vec<u8>)) -> (usize, dns::Message) {
    (inputs::parse_dns(&mut message, black_box(&answer)), message)
}

#[library_benchmark]
#[bench::tls13(inputs::client_hello())]
fn client_hello(stream: Vec<u8>) -> usize {
    inputs::read_hello(black_box(&stream), &mut Vec::new())
}

#[library_benchmark]
#[bench::request(inputs::http_head())]
fn http_head(stream: Vec<u8>) -> bool {
    inputs::read_head(black_box(&stream))
}

#[library_benchmark]
#[bench::initial(inputs::quic_initial())]
fn quic(datagram: Vec<u8>) -> usize {
    Quic::default().open(black_box(&datagram))
}

#[library_benchmark]
#[bench::four_names(Matching::new())]
fn matching(matching: Matching) -> (usize, Matching) {
    (black_box(&matching).matches(), matching)
}

/// With the connections of the sample, whose download then goes on.
fn downloading() -> Flows {
    let mut flows = Flows::new("update-http.pcap");
    assert!(flows.whole() > 0, "connections with names");
    flows
}

#[library_benchmark]
#[bench::bulk(downloading())]
fn flow(mut flows: Flows) -> (u64, Flows) {
    (flows.thousand_of_bulk(), flows)
}

#[library_benchmark]
#[bench::http(Flows::new("update-http.pcap"))]
#[bench::tls(Flows::new("tls13.pcap"))]
#[bench::quic(Flows::new("browser-quic.pcap"))]
fn connections(mut flows: Flows) -> (usize, Flows) {
    (flows.whole(), flows)
}

library_benchmark_group!(
    name = parts,
    benchmarks = [frame, dns_message, client_hello, http_head, quic, matching, flow, connections]
);
main!(library_benchmark_groups = parts);
