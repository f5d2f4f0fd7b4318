//! What the benches of the parts work on, out of the sample captures, and the
//! parts themselves: one function for each, so that criterion and callgrind
//! measure the same.

use spansight::base::{Name, Timestamp};
use spansight::capture::{Batch, LinkType, OpenOptions, Status, open};
use spansight::catalogue::Catalogue;
use spansight::coverage::{Key, Ledger};
use spansight::flow::{Engine, FrameRef, Limits, NameLister};
use spansight::packet::{Decoder, Options, Packet, Transport};
use spansight::protocol::quic::{ClientKeys, CryptoStream, crypto_frames, long_packet};
use spansight::protocol::{Probe, dns, http, tls};
use std::path::Path;
use std::sync::Arc;

/// An Ethernet frame and when it was captured.
#[derive(Clone)]
pub struct Frame {
    pub bytes: Vec<u8>,
    pub ts: Timestamp,
}

/// All frames of a sample capture.
pub fn frames(sample: &str) -> Vec<Frame> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(sample);
    let mut source = open(&path, &OpenOptions::default()).expect("a sample can be read");
    let mut batch = Batch::default();
    let mut frames = Vec::new();
    while source.next_batch(&mut batch).expect("a sample is sound") != Status::End {
        frames.extend(batch.frames.iter().map(|f| Frame { bytes: batch.bytes(f).to_vec(), ts: f.ts }));
    }
    frames
}

/// Decodes Ethernet frames.
pub struct Frames(Decoder);

impl Frames {
    pub fn new() -> Self {
        Frames(Decoder::new(Options::default()))
    }

    pub fn decode(&mut self, frame: &Frame) -> Option<Packet> {
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        self.0.decode(LinkType::ETHERNET, &frame.bytes, length, 0, frame.ts).ok()
    }
}

/// The payload of a packet of this frame.
pub fn payload<'f>(frame: &'f Frame, packet: &Packet) -> &'f [u8] {
    let start = packet.payload_offset as usize;
    frame.bytes.get(start..start + packet.payload_len as usize).expect("the payload lies in its frame")
}

/// The first frame of a sample whose segment fits.
fn first(sample: &str, fits: impl Fn(&Packet, &[u8]) -> bool) -> (Frame, Packet) {
    let mut decoder = Frames::new();
    let found = frames(sample).into_iter().find_map(|frame| {
        let packet = decoder.decode(&frame)?;
        fits(&packet, payload(&frame, &packet)).then_some((frame, packet))
    });
    found.expect("the sample holds one")
}

fn first_payload(sample: &str, fits: impl Fn(&Packet, &[u8]) -> bool) -> Vec<u8> {
    let (frame, packet) = first(sample, fits);
    payload(&frame, &packet).to_vec()
}

/// A full segment of a download.
pub fn plain_frame() -> Frame {
    first("update-http.pcap", |p, payload| p.transport == Transport::Tcp && payload.len() > 1000).0
}

/// The same inside VXLAN (RFC 7348), which takes the way of odd frames.
pub fn tunnelled_frame() -> Frame {
    let inner = plain_frame();
    let total = |headers: usize| u16::try_from(headers + inner.bytes.len()).expect("a frame that fits").to_be_bytes();
    let (ip, udp) = (total(36), total(16));
    let mut bytes = inner.bytes.get(..12).expect("an Ethernet header").to_vec();
    bytes.extend([8, 0, 0x45, 0, ip[0], ip[1], 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 20, 251, 1, 10, 20, 251, 2]);
    bytes.extend([0xc0, 0, 0x12, 0xb5, udp[0], udp[1], 0, 0, 8, 0, 0, 0, 0, 0, 42, 0]);
    bytes.extend(&inner.bytes);
    Frame { bytes, ts: inner.ts }
}

/// An answer of a name server.
pub fn dns_answer() -> Vec<u8> {
    first_payload("dns-udp.pcap", |p, _| p.transport == Transport::Udp && p.sport == 53)
}

/// The stream of a TLS client up to the end of its hello.
pub fn client_hello() -> Vec<u8> {
    first_payload("tls13.pcap", |_, payload| is_hello(payload))
}

fn is_hello(stream: &[u8]) -> bool {
    matches!(tls::client_hello(stream, &mut Vec::new()), Probe::Found(_))
}

/// The head of a request.
pub fn http_head() -> Vec<u8> {
    first_payload("update-http.pcap", |_, payload| matches!(http::request(payload), Probe::Found(_)))
}

/// The datagram in which a browser begins with QUIC.
pub fn quic_initial() -> Vec<u8> {
    let mut quic = Quic::default();
    first_payload_mut("browser-quic.pcap", |p, payload| p.transport == Transport::Udp && quic.open(payload) > 0)
}

fn first_payload_mut(sample: &str, mut fits: impl FnMut(&Packet, &[u8]) -> bool) -> Vec<u8> {
    let mut decoder = Frames::new();
    let found = frames(sample).into_iter().find_map(|frame| {
        let packet = decoder.decode(&frame)?;
        let payload = payload(&frame, &packet);
        fits(&packet, payload).then(|| payload.to_vec())
    });
    found.expect("the sample holds one")
}

/// Opens the first packet of a datagram with keys of its own.
#[derive(Default)]
pub struct Quic {
    opened: Vec<u8>,
}

impl Quic {
    /// How many bytes of the handshake it holds.
    pub fn open(&mut self, datagram: &[u8]) -> usize {
        let Ok((packet, _)) = long_packet(datagram) else { return 0 };
        let keys = ClientKeys::new(packet.version, packet.dcid);
        let Some(content) = keys.open(&packet, &mut self.opened) else { return 0 };
        let mut stream = CryptoStream::new();
        for (offset, bytes) in crypto_frames(packet.version, content) {
            let _ = stream.insert(offset, bytes);
        }
        stream.held()
    }
}

/// How many records and questions a message has.
pub fn parse_dns(message: &mut dns::Message, bytes: &[u8]) -> usize {
    assert!(message.parse(bytes), "a DNS message");
    message.questions.len() + message.answers.len()
}

/// How long the name in a hello is.
pub fn read_hello(stream: &[u8], scratch: &mut Vec<u8>) -> usize {
    match tls::client_hello(stream, scratch) {
        Probe::Found(hello) => hello.server_name.map_or(0, <[u8]>::len),
        _ => 0,
    }
}

/// Whether these bytes begin with the whole head of a request.
pub fn read_head(stream: &[u8]) -> bool {
    matches!(http::request(stream), Probe::Found(_))
}

/// The catalogue, with names that it knows and that it does not.
pub struct Matching {
    catalogue: Catalogue,
    names: [Name; 4],
}

impl Matching {
    pub fn new() -> Self {
        let names = [
            "s00.upd.kaspersky.com",
            "www.example.org",
            "a-host-with-a-long-name.of.a.delivery-network.example.net",
            "dc1.ksn.kaspersky-labs.com",
        ];
        let names = names.map(|name| Name::from_text(name.as_bytes()));
        Matching { catalogue: Catalogue::load(None, &[]).expect("the built-in catalogue is sound"), names }
    }

    /// How many of the four names match.
    pub fn matches(&self) -> usize {
        self.names.iter().filter(|name| self.catalogue.match_name(name).is_some()).count()
    }
}

/// The flow tables of a shard, and connections to take through them.
pub struct Flows {
    engine: Engine<NameLister>,
    ledger: Ledger,
    segments: Vec<(Frame, Packet)>,
    /// Where the bulk is among them.
    bulk: Option<usize>,
    number: u64,
}

impl Flows {
    /// With the connections of a sample; the last full segment of TCP, if there
    /// is one, is its bulk.
    pub fn new(sample: &str) -> Self {
        let mut decoder = Frames::new();
        let segments: Vec<_> =
            frames(sample).into_iter().filter_map(|frame| decoder.decode(&frame).map(|p| (frame, p))).collect();
        let full = |p: &Packet| p.transport == Transport::Tcp && p.payload_len > 1000;
        let bulk = segments.iter().rposition(|(_, p)| full(p));
        let engine = Engine::new(NameLister::new(Arc::new([])), Limits::default());
        let mut ledger = Ledger::new();
        let start = segments.first().map_or(Timestamp(0), |(_, p)| p.ts);
        ledger.turn_to(Key { source: 0, interface: 0, quarter: start.quarter() });
        Flows { engine, ledger, segments, bulk, number: 0 }
    }

    fn take(
        engine: &mut Engine<NameLister>,
        ledger: &mut Ledger,
        (frame, packet): (&Frame, &Packet),
        number: &mut u64,
    ) {
        *number += 1;
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let place =
            FrameRef { bytes: &frame.bytes, orig_len: length, number: *number, offset: 0, source: 0, interface: 0 };
        engine.segment(packet, 0, (0, 0), ledger, || (payload(frame, packet), place));
    }

    /// All segments of the sample. Returns how many names were found.
    pub fn whole(&mut self) -> usize {
        for (frame, packet) in &self.segments {
            Self::take(&mut self.engine, &mut self.ledger, (frame, packet), &mut self.number);
        }
        NameLister::drain([self.engine.sink()].into_iter()).lines().count()
    }

    /// The segments of the sample as far as its download goes on. Returns how many
    /// names were found.
    pub fn until_bulk(&mut self) -> usize {
        self.segments.truncate(self.bulk.map_or(0, |at| at + 1));
        self.whole()
    }

    /// A thousand further segments of the download.
    pub fn thousand_of_bulk(&mut self) -> u64 {
        let last = self.bulk.and_then(|at| self.segments.get_mut(at));
        let (frame, packet) = last.expect("the sample holds a download");
        for _ in 0..1000 {
            packet.seq = packet.seq.wrapping_add(packet.payload_len);
            packet.ts = packet.ts.plus(1000);
            Self::take(&mut self.engine, &mut self.ledger, (frame, packet), &mut self.number);
        }
        self.number
    }
}
