//! Captures turned into what another SPAN port would have delivered of the
//! same traffic: frames twice, behind a router, in other pieces, in another
//! order.

use super::writer::Pcap;
use spansight::capture::{Batch, OpenOptions, Status, open};
use std::path::Path;

/// An Ethernet frame and its time in nanoseconds.
#[derive(Clone, Debug)]
pub struct Frame {
    pub ns: i64,
    pub bytes: Vec<u8>,
}

/// The frames of a capture; bare IP packets get an Ethernet header without
/// addresses.
pub fn frames(path: &Path) -> Vec<Frame> {
    let mut source = open(path, &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while source.next_batch(&mut batch).unwrap() != Status::End {
        for meta in &batch.frames {
            assert_eq!(meta.caplen, meta.orig_len, "{path:?}");
            let bytes = batch.bytes(meta);
            let head: &[u8] = match batch.interfaces[usize::from(meta.interface)].link.0 {
                1 => &[],
                101 if bytes[0] >> 4 == 4 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0],
                101 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd],
                link => panic!("link type {link} in {path:?}"),
            };
            all.push(Frame { ns: meta.ts.0, bytes: [head, bytes].concat() });
        }
    }
    all
}

/// A capture file of them.
pub fn pcap(frames: &[Frame]) -> Vec<u8> {
    let mut pcap = Pcap::new();
    for f in frames {
        pcap.frame(f.ns, &f.bytes);
    }
    pcap.bytes().to_vec()
}

/// Where the IP header of a frame begins, behind its tags, if it has one.
fn ip_at(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    while matches!(frame.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8]) {
        at += 4;
    }
    matches!(frame.get(at..at + 2)?, [8, 0] | [0x86, 0xdd]).then_some(at + 2)
}

/// Sets the checksum of an IPv4 header.
fn sum_header(ip: &mut [u8]) {
    let len = usize::from(ip[0] & 15) * 4;
    ip[10..12].fill(0);
    let mut sum: u32 = ip[..len].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    ip[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// The frame as it is on the other side of a router: other hardware addresses
/// (receiver, sender), another TTL, another VLAN. `None` if it is no IP.
pub fn routed(frame: &[u8], macs: [[u8; 6]; 2], hops: i8, vlan: Option<u16>) -> Option<Vec<u8>> {
    let at = ip_at(frame)?;
    let mut ip = frame[at..].to_vec();
    if ip[0] >> 4 == 4 {
        ip[8] = ip[8].checked_add_signed(-hops)?;
        sum_header(&mut ip);
    } else {
        ip[7] = ip[7].checked_add_signed(-hops)?;
    }
    let mut out = macs.concat();
    match vlan {
        Some(id) => {
            out.extend([0x81, 0]);
            out.extend(id.to_be_bytes());
            out.extend(&frame[at - 2..at]);
        }
        None => out.extend(&frame[12..at]),
    }
    out.extend(ip);
    Some(out)
}

/// Whether a host of the office sent the frame to somebody outside, or got it
/// from there: what a router between both passes on, and in which direction.
pub fn leaves_office(frame: &[u8]) -> Option<bool> {
    let at = ip_at(frame)?;
    let (src, dst) = match frame[at] >> 4 {
        4 => (&frame[at + 12..at + 16], &frame[at + 16..at + 20]),
        _ => (&frame[at + 8..at + 24], &frame[at + 24..at + 40]),
    };
    let inside = |a: &[u8]| a[0] == 10 || a.len() == 16 && a[0] & 0xfe == 0xfc;
    match (inside(src), inside(dst)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// Cuts the TCP payload of a frame into segments of so many bytes.
pub fn recut(frame: &Frame, size: usize) -> Vec<Frame> {
    let whole = || vec![frame.clone()];
    let Some(at) = ip_at(&frame.bytes) else { return whole() };
    let ip = &frame.bytes[at..];
    let (head, len) = match ip[0] >> 4 {
        4 if ip[9] == 6 && ip[6] & 0x3f == 0 && ip[7] == 0 => {
            (usize::from(ip[0] & 15) * 4, usize::from(u16::from_be_bytes([ip[2], ip[3]])))
        }
        6 if ip[6] == 6 => (40, 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]]))),
        _ => return whole(),
    };
    let payload_at = head + usize::from(ip[head + 12] >> 4) * 4;
    let payload = &ip[payload_at..len];
    if payload.is_empty() {
        return whole();
    }
    let seq = u32::from_be_bytes(ip[head + 4..head + 8].try_into().unwrap());
    let parts: Vec<&[u8]> = payload.chunks(size).collect();
    let cut = |(n, part): (usize, &&[u8])| {
        let mut p = ip[..payload_at].to_vec();
        p.extend(*part);
        let total = p.len() as u16;
        if p[0] >> 4 == 4 {
            p[2..4].copy_from_slice(&total.to_be_bytes());
            sum_header(&mut p);
        } else {
            p[4..6].copy_from_slice(&(total - 40).to_be_bytes());
        }
        p[head + 4..head + 8].copy_from_slice(&seq.wrapping_add((n * size) as u32).to_be_bytes());
        if n + 1 < parts.len() {
            p[head + 13] &= !1;
        }
        Frame { ns: frame.ns, bytes: [&frame.bytes[..at], &p].concat() }
    };
    parts.iter().enumerate().map(cut).collect()
}

/// The same frames, each up to three places from its own.
pub fn shuffled(frames: &[Frame], seed: u64) -> Vec<Frame> {
    let mut all = frames.to_vec();
    let mut x = seed | 1;
    for group in all.chunks_mut(4) {
        for i in (1..group.len()).rev() {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            group.swap(i, (x >> 33) as usize % (i + 1));
        }
    }
    all
}

/// Each frame, and `copy` of it a microsecond later; or where the copy is
/// first, 0.9 milliseconds before the frame.
pub fn with_copies(frames: &[Frame], copy_is_first: bool, copy: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Frame> {
    let mut all = Vec::new();
    for f in frames {
        match copy(&f.bytes) {
            None => all.push(f.clone()),
            Some(bytes) if copy_is_first => {
                all.push(Frame { ns: f.ns, bytes });
                all.push(Frame { ns: f.ns + 900_000, bytes: f.bytes.clone() });
            }
            Some(bytes) => {
                all.push(f.clone());
                all.push(Frame { ns: f.ns + 1000, bytes });
            }
        }
    }
    all
}
