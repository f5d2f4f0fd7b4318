//! Frames for tests, built by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{Decoder, EncapId, Options, Packet, Transport};
use crate::base::{Addr, Mac, Timestamp};
use crate::capture::LinkType;
use crate::coverage::Counter;

pub const SRC_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub const DST_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

pub fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&DST_MAC.0[..], &SRC_MAC.0, &kind.to_be_bytes(), payload].concat()
}

pub fn ipv4(proto: u8, src: [u8; 4], dst: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len()) as u16;
    let mut h = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, proto, 0, 0];
    h[2..4].copy_from_slice(&total.to_be_bytes());
    [&h[..], &src, &dst, payload].concat()
}

/// A fragment of `payload`: the bytes from `start`, `len` of them at most.
pub fn ipv4_fragment(proto: u8, id: u16, payload: &[u8], start: usize, len: usize) -> Vec<u8> {
    let end = payload.len().min(start + len);
    let mut packet = ipv4(proto, [10, 0, 0, 1], [10, 0, 0, 2], &payload[start..end]);
    let more = if end < payload.len() { 0x2000 } else { 0 };
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&(more | (start / 8) as u16).to_be_bytes());
    packet
}

pub fn ipv6(next: u8, src: [u8; 16], dst: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let mut h = [0x60, 0, 0, 0, 0, 0, next, 64];
    h[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    [&h[..], &src, &dst, payload].concat()
}

/// Like [`ipv4_fragment`], in IPv6.
pub fn ipv6_fragment(next: u8, id: u32, payload: &[u8], start: usize, len: usize) -> Vec<u8> {
    let end = payload.len().min(start + len);
    let place = (start as u16) | u16::from(end < payload.len());
    let header = [&[next, 0][..], &place.to_be_bytes(), &id.to_be_bytes(), &payload[start..end]].concat();
    ipv6(44, [1; 16], [2; 16], &header)
}

pub fn tcp(sport: u16, dport: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let head = [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &[0, 0, 0, 1, 0, 0, 0, 2]].concat();
    [&head[..], &[0x50, flags, 1, 0, 0, 0, 0, 0], payload].concat()
}

pub fn udp(sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// An IPComp header and a payload in DEFLATE.
pub fn ipcomp(next: u8, index: u16, payload: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(payload.len() + 1000);
    flate2::Compress::new(flate2::Compression::default(), false)
        .compress_vec(payload, &mut deflated, flate2::FlushCompress::Finish)
        .unwrap();
    [&[next, 0][..], &index.to_be_bytes(), &deflated].concat()
}

/// An 802.11 data frame of the given to-DS and from-DS bits, from [`SRC_MAC`]
/// to [`DST_MAC`], around an IPv4 packet.
pub fn wifi(ds: u8, qos: bool, packet: &[u8]) -> Vec<u8> {
    let (ap, src, dst) = ([2, 0, 0, 0, 0, 9], SRC_MAC.0, DST_MAC.0);
    let addresses = match ds {
        0 => [dst, src, ap],
        1 => [ap, src, dst],
        2 => [dst, ap, src],
        _ => [ap, ap, dst],
    };
    let mut frame = [&[if qos { 0x88 } else { 0x08 }, ds, 0, 0][..], &addresses.concat(), &[0, 0]].concat();
    if ds == 3 {
        frame.extend_from_slice(&src);
    }
    if qos {
        frame.extend_from_slice(&[0, 0]);
    }
    [&frame[..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], packet].concat()
}

/// Decodes one frame of a link type with a fresh decoder.
pub fn decode_with(link: u16, frame: &[u8], wire: usize) -> (Decoder, Result<Packet, Counter>) {
    let mut decoder = Decoder::new(Options::default());
    let result = decoder.decode(LinkType(link), frame, wire as u32, 0, Timestamp(1));
    (decoder, result)
}

/// Decodes one Ethernet frame; gives the packet and its payload.
pub fn decode(frame: &[u8]) -> Result<(Packet, Vec<u8>), Counter> {
    let (decoder, result) = decode_with(1, frame, frame.len());
    result.map(|p| (p, payload(&decoder, &p, frame).to_vec()))
}

/// Decodes one Ethernet frame; gives the packet, its payload and its layers.
pub fn decode_layers(frame: &[u8]) -> Result<(Packet, Vec<u8>, String), Counter> {
    let (decoder, result) = decode_with(1, frame, frame.len());
    result.map(|p| {
        let layers = decoder.encaps().get(p.encap).layers.join("/");
        (p, payload(&decoder, &p, frame).to_vec(), layers)
    })
}

/// The payload of a packet of `frame`.
pub fn payload<'a>(decoder: &'a Decoder, packet: &Packet, frame: &'a [u8]) -> &'a [u8] {
    let buffer = if packet.in_arena { decoder.arena() } else { frame };
    &buffer[packet.payload_offset as usize..][..packet.payload_len as usize]
}

/// A TCP segment without payload from 10.0.0.1:1 to 10.0.0.2:2 at time 0, for
/// tests to vary.
pub fn blank() -> Packet {
    Packet {
        ts: Timestamp(0),
        src: Addr::v4([10, 0, 0, 1]),
        dst: Addr::v4([10, 0, 0, 2]),
        sport: 1,
        dport: 2,
        transport: Transport::Tcp,
        flags: 0,
        ttl: 64,
        seq: 0,
        ack: 0,
        payload_offset: 0,
        payload_len: 0,
        payload_missing: 0,
        encap: EncapId(0),
        src_mac: None,
        dst_mac: None,
        in_arena: false,
        conflict: false,
    }
}
