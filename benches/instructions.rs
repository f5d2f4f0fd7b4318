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
/// What is large is boxed: handing it over would count, too.
fn ready(frame: Frame) -> (Box<Frames>, Frame) {
    let mut decoder = Box::new(Frames::new());
    assert!(decoder.decode(&frame).is_some(), "a frame that is decoded");
    (decoder, frame)
}

#[library_benchmark]
#[bench::plain(ready(inputs::plain_frame()))]
#[bench::vxlan(ready(inputs::tunnelled_frame()))]
fn frame((mut decoder, frame): (Box<Frames>, Frame)) -> (Box<Frames>, Option<Packet>, Frame) {
    let packet = decoder.decode(black_box(&frame));
    (decoder, packet, frame)
}

fn message() -> (Box<dns::Message>, Vec<u8>) {
    let (mut message, answer) = (Box::<dns::Message>::default(), inputs::dns_answer());
    inputs::parse_dns(&mut message, &answer);
    (message, answer)
}

#[library_benchmark]
#[bench::answer(message())]
fn dns_message((mut message, answer): (Box<dns::Message>, Vec<u8>)) -> (usize, Box<dns::Message>, Vec<u8>) {
    (inputs::parse_dns(&mut message, black_box(&answer)), message, answer)
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

/// With the tables made that regular expressions make as they match.
fn matched() -> Box<Matching> {
    let matching = Box::new(Matching::new());
    assert_eq!(matching.matches(), 2);
    matching
}

#[library_benchmark]
#[bench::four_names(matched())]
fn matching(matching: Box<Matching>) -> (usize, Box<Matching>) {
    (black_box(&matching).matches(), matching)
}

/// With the connections of the sample, whose download then goes on.
fn downloading() -> Box<Flows> {
    let mut flows = Box::new(Flows::new("update-http.pcap"));
    assert!(flows.until_bulk() > 0, "connections with names");
    flows
}

#[library_benchmark]
#[bench::bulk(downloading())]
fn flow(mut flows: Box<Flows>) -> (u64, Box<Flows>) {
    (flows.thousand_of_bulk(), flows)
}

#[library_benchmark]
#[bench::http(Box::new(Flows::new("update-http.pcap")))]
#[bench::tls(Box::new(Flows::new("tls13.pcap")))]
#[bench::quic(Box::new(Flows::new("browser-quic.pcap")))]
fn connections(mut flows: Box<Flows>) -> (usize, Box<Flows>) {
    (flows.whole(), flows)
}

library_benchmark_group!(
    name = parts,
    benchmarks = [frame, dns_message, client_hello, http_head, quic, matching, flow, connections]
);
main!(library_benchmark_groups = parts);
