use super::*;
use crate::capture::{self, Batch, OpenOptions, Status};
use proptest::prelude::*;
use std::path::Path;

/// What is read in each frame of a sample.
fn sample(name: &str) -> Vec<(Vec<u8>, Dissection)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name);
    let mut source = capture::open(&path, &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while let Status::Frames = source.next_batch(&mut batch).unwrap() {
        for meta in &batch.frames {
            let link = batch.interfaces[usize::from(meta.interface)].link;
            let bytes = batch.bytes(meta);
            all.push((bytes.to_vec(), dissect(link, bytes, meta.orig_len)));
        }
    }
    all
}

fn has(all: &[(Vec<u8>, Dissection)], line: &str) -> bool {
    all.iter().any(|(_, d)| d.lines.iter().any(|l| l.contains(line)))
}

#[test]
fn dns_tls_quic_and_http_are_read_in_real_frames() {
    let dns = sample("dns-udp.pcap");
    for line in ["DNS query, id 0x", "question s00.upd.kaspersky.com A", "code no error", "answer "] {
        assert!(has(&dns, line), "{line}");
    }
    let tls = sample("tls13.pcap");
    for line in
        ["TLS ClientHello, server name s00.upd.kaspersky.com, up to TLS 1.3", "TLS ServerHello, TLS 1.3", "[SYN]"]
    {
        assert!(has(&tls, line), "{line}");
    }
    let http = sample("update-http.pcap");
    for line in ["HTTP request GET /", "Host ", "HTTP status 200"] {
        assert!(has(&http, line), "{line}");
    }
    let quic = sample("browser-quic.pcap");
    assert!(has(&quic, "QUIC Initial, V1, ") && has(&quic, "part of a ClientHello"));
    let vlan = sample("vlan.pcap");
    assert!(vlan.iter().any(|(_, d)| d.layers.iter().any(|l| l.starts_with("vlan:")) && d.transport.is_some()));
}

#[test]
fn the_query_of_a_request_is_left_out() {
    let mut lines = Vec::new();
    let text = b"GET /updates/x.xml?user=me HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let Probe::Found(request) = http::request(text) else { panic!("a request") };
    request_lines(&request, &mut lines);
    assert_eq!(lines, ["HTTP request GET /updates/x.xml?(query left out)", "Host a.test"]);
}

proptest! {
    #[test]
    fn no_frame_breaks_it_and_no_line_acts_on_a_terminal(
        link in 0u16..300, frame in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for line in dissect(LinkType(link), &frame, 300).lines {
            prop_assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        }
    }

    #[test]
    fn a_changed_frame_breaks_nothing(
        which in 0usize..100, changes in proptest::collection::vec((0usize..400, any::<u8>()), 0..20), cut in 0usize..1500,
    ) {
        let samples = sample("update-http.pcap");
        let (mut frame, _) = samples[which % samples.len()].clone();
        for (at, byte) in changes {
            if let Some(b) = frame.get_mut(at) {
                *b = byte;
            }
        }
        frame.truncate(cut);
        for line in dissect(LinkType(1), &frame, 1500).lines {
            prop_assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        }
    }
}
