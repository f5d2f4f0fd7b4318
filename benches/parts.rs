//! How long the parts of the path of a frame take.
//!
//! usage: cargo bench --bench parts [-- PART]

mod inputs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inputs::{Flows, Frames, Matching, Quic};
use spansight::protocol::dns;
use std::hint::black_box;
use std::time::Duration;

fn decoding(c: &mut Criterion) {
    let mut decoder = Frames::new();
    for (name, frame) in [("plain", inputs::plain_frame()), ("VXLAN", inputs::tunnelled_frame())] {
        assert!(decoder.decode(&frame).is_some(), "a frame that is decoded");
        c.bench_function(&format!("frame, {name}"), |b| b.iter(|| decoder.decode(black_box(&frame))));
    }
}

fn messages(c: &mut Criterion) {
    let (answer, mut message) = (inputs::dns_answer(), dns::Message::default());
    c.bench_function("DNS answer", |b| b.iter(|| inputs::parse_dns(&mut message, black_box(&answer))));

    let (hello, mut scratch) = (inputs::client_hello(), Vec::new());
    assert!(inputs::read_hello(&hello, &mut scratch) > 0, "a hello with a name");
    c.bench_function("ClientHello", |b| b.iter(|| inputs::read_hello(black_box(&hello), &mut scratch)));

    let head = inputs::http_head();
    c.bench_function("HTTP head", |b| b.iter(|| inputs::read_head(black_box(&head))));

    let (datagram, mut quic) = (inputs::quic_initial(), Quic::default());
    c.bench_function("QUIC Initial", |b| b.iter(|| quic.open(black_box(&datagram))));
}

fn matching(c: &mut Criterion) {
    let matching = Matching::new();
    assert_eq!(matching.matches(), 2);
    c.bench_function("four names matched", |b| b.iter(|| black_box(&matching).matches()));
}

fn flows(c: &mut Criterion) {
    let mut flows = Flows::new("update-http.pcap");
    assert!(flows.until_bulk() > 0, "connections with names");
    let mut group = c.benchmark_group("flow");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("a thousand segments of a download", |b| b.iter(|| flows.thousand_of_bulk()));
    group.finish();
    c.bench_function("flow, the connections of update-http.pcap", |b| {
        b.iter_batched_ref(|| Flows::new("update-http.pcap"), Flows::whole, criterion::BatchSize::LargeInput);
    });
}

criterion_group! {
    name = parts;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .without_plots();
    targets = decoding, messages, matching, flows
}
criterion_main!(parts);
