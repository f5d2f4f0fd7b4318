//! Capture files made in the test.

/// Link type of Ethernet frames.
pub const ETHERNET: u32 = 1;

/// A pcap file with timestamps in nanoseconds, little-endian.
pub struct Pcap {
    bytes: Vec<u8>,
}

impl Pcap {
    /// A file of Ethernet frames without a frame.
    pub fn new() -> Self {
        Pcap::of(ETHERNET)
    }

    /// The same of another link type.
    pub fn of(link: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(0xa1b2_3c4d_u32.to_le_bytes());
        bytes.extend([2, 0, 4, 0]);
        bytes.extend([0; 8]);
        bytes.extend(262_144_u32.to_le_bytes());
        bytes.extend(link.to_le_bytes());
        Pcap { bytes }
    }

    /// Adds a frame; `ns` since the epoch.
    pub fn frame(&mut self, ns: i64, frame: &[u8]) -> &mut Self {
        let (secs, nanos) = (ns / 1_000_000_000, ns % 1_000_000_000);
        self.bytes.extend((secs as u32).to_le_bytes());
        self.bytes.extend((nanos as u32).to_le_bytes());
        self.bytes.extend((frame.len() as u32).to_le_bytes());
        self.bytes.extend((frame.len() as u32).to_le_bytes());
        self.bytes.extend(frame);
        self
    }

    /// Adds frames a millisecond apart, from `ns` on.
    pub fn frames(&mut self, ns: i64, frames: &[Vec<u8>]) -> &mut Self {
        for (i, frame) in frames.iter().enumerate() {
            self.frame(ns + i as i64 * 1_000_000, frame);
        }
        self
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A pcapng file of one Ethernet interface, timestamps in microseconds.
pub fn pcapng(frames: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    block(&mut file, 0x0a0d_0d0a, &section);
    let mut interface = Vec::new();
    interface.extend((ETHERNET as u16).to_le_bytes());
    interface.extend([0; 6]);
    block(&mut file, 1, &interface);
    for (ns, frame) in frames {
        let ticks = (ns / 1000) as u64;
        let mut packet = vec![0; 4];
        packet.extend(((ticks >> 32) as u32).to_le_bytes());
        packet.extend((ticks as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend((frame.len() as u32).to_le_bytes());
        packet.extend(frame);
        block(&mut file, 6, &packet);
    }
    file
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let padded = body.len().next_multiple_of(4);
    let length = (padded as u32 + 12).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.resize(file.len() + padded - body.len(), 0);
    file.extend(length);
}
