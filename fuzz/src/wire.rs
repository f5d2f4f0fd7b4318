//! Frames made of what a fuzzer says, and names found in them.

use spansight::base::Timestamp;
use spansight::capture::LinkType;
use spansight::coverage::{Key, Ledger};
use spansight::flow::{Engine, FrameRef, Limits, NameLister, NameRow};
use spansight::packet::{Decoder, Options};
use std::sync::Arc;

/// Reads a fuzzer's bytes from the front; zeros when they are used up.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from(self.u8()) << 8 | u16::from(self.u8())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// Up to `n` bytes.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }
}

/// A TCP segment or UDP datagram of the client 10.0.0.`host` or its server.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub udp: bool,
    pub from_server: bool,
    pub host: u8,
    pub cport: u16,
    pub sport: u16,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub payload: Vec<u8>,
}

impl Segment {
    /// As an Ethernet frame (IPv4, checksums left zero).
    pub fn frame(&self) -> Vec<u8> {
        let (client, server) = ([10, 0, 0, self.host], [192, 0, 2, 1]);
        let (src, dst) = if self.from_server { (server, client) } else { (client, server) };
        let (sport, dport) = if self.from_server { (self.sport, self.cport) } else { (self.cport, self.sport) };
        let mut l4 = Vec::new();
        l4.extend_from_slice(&sport.to_be_bytes());
        l4.extend_from_slice(&dport.to_be_bytes());
        if self.udp {
            l4.extend_from_slice(&(self.payload.len() as u16).wrapping_add(8).to_be_bytes());
            l4.extend_from_slice(&[0, 0]);
        } else {
            l4.extend_from_slice(&self.seq.to_be_bytes());
            l4.extend_from_slice(&self.ack.to_be_bytes());
            l4.extend_from_slice(&[0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        }
        l4.extend_from_slice(&self.payload);
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        let total = (l4.len() as u16).wrapping_add(20);
        frame.extend_from_slice(&[0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0x40, 0, 64]);
        frame.extend_from_slice(&[if self.udp { 17 } else { 6 }, 0, 0]);
        frame.extend_from_slice(&src);
        frame.extend_from_slice(&dst);
        frame.extend_from_slice(&l4);
        frame
    }
}

/// Names that an engine finds in frames a millisecond apart.
pub fn names(frames: &[Vec<u8>]) -> Vec<NameRow> {
    let files: Arc<[String]> = Arc::new(["\"fuzz\"".into()]);
    let mut engine = Engine::new(NameLister::new(files), Limits::default());
    let mut decoder = Decoder::new(Options::default());
    let mut ledger = Ledger::new();
    let mut rows = Vec::new();
    for (n, bytes) in frames.iter().enumerate() {
        let ts = Timestamp(1_700_000_000_000_000_000 + n as i64 * 1_000_000);
        ledger.turn_to(Key { source: 0, interface: 0, quarter: ts.quarter() });
        decoder.clear_arena();
        let Ok(packet) = decoder.decode(LinkType(1), bytes, bytes.len() as u32, 0, ts) else { continue };
        let buffer = if packet.in_arena { decoder.arena() } else { bytes.as_slice() };
        let payload = payload(&packet, buffer);
        let frame = FrameRef { bytes, number: n as u64 + 1, offset: 0, source: 0, interface: 0 };
        engine.segment(&packet, payload, frame, 0, &mut ledger);
    }
    let mut lister = engine.finish(&mut ledger);
    lister.drain_into(&mut rows);
    rows
}

/// A packet's payload in the buffer it lies in.
pub fn payload<'b>(packet: &spansight::packet::Packet, buffer: &'b [u8]) -> &'b [u8] {
    let start = packet.payload_offset as usize;
    buffer.get(start..start + packet.payload_len as usize).expect("the payload lies within its buffer")
}
