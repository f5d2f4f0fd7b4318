//! IEEE 802.11 data frames (IEEE 802.11-2020 section 9.3.2) and radiotap
//! headers (radiotap.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::{Kind, Layer};
use super::view::View;
use super::walk::{Next, Walk};
use crate::base::Mac;
use crate::coverage::Counter;

const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// Beginning of a packet in LLC and SNAP.
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
/// Most frames of one aggregate that are read; the standard's longest holds
/// some fifty of the shortest packets that could matter.
const MAX_SUBFRAMES: u8 = 64;

/// The walk's step over an 802.11 header. Only data frames carry packets.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let begin = view.data.len();
    let whole = view.announced();
    let [mut kind, mut flags] = *view.peek::<2>().ok_or(Counter::LinkMalformed)?;
    // Some access points swap the two bytes on the way to their controller;
    // no version but 0 exists.
    if kind & 0x03 != 0 && walk.path.layers().last() == Some(&Layer::bare(Kind::Capwap)) {
        (kind, flags) = (flags, kind);
    }
    // Type data, and not one of the subtypes without data.
    if kind & 0x0f != 0x08 || kind & 0x40 != 0 {
        return Err(Counter::OtherEthertype);
    }
    let h = view.take::<24>().ok_or(Counter::LinkMalformed)?;
    if flags & PROTECTED != 0 {
        return Err(walk.opaque(
            Counter::LinkOpaque,
            [Counter::OpaqueWifiFrames, Counter::OpaqueWifiBytes],
            whole.saturating_sub(24),
        ));
    }
    let one = Mac([h[4], h[5], h[6], h[7], h[8], h[9]]);
    let two = Mac([h[10], h[11], h[12], h[13], h[14], h[15]]);
    let three = Mac([h[16], h[17], h[18], h[19], h[20], h[21]]);
    let (dst, src) = match flags & (TO_DS | FROM_DS) {
        0 => (one, two),
        TO_DS => (three, two),
        FROM_DS => (one, three),
        _ => (three, Mac(*view.take::<6>().ok_or(Counter::LinkMalformed)?)),
    };
    (walk.dst_mac, walk.src_mac) = (Some(dst), Some(src));
    let qos = kind & 0x80 != 0;
    let mut aggregate = false;
    if qos {
        aggregate = view.take::<2>().ok_or(Counter::LinkMalformed)?[0] & 0x80 != 0;
        if flags & ORDER != 0 {
            view.skip(4).ok_or(Counter::LinkMalformed)?;
        }
    }
    if walk.wifi_padding {
        let len = begin.saturating_sub(view.data.len());
        view.skip(len.wrapping_neg() & 3).ok_or(Counter::LinkMalformed)?;
    }
    // A fragment that continues others. Some access points put the number of
    // the last fragment on what they hand to their controller whole.
    if h[22] & 0x0f != 0 && (flags & MORE_FRAGMENTS != 0 || view.peek() != Some(&SNAP)) {
        return Err(Counter::TunnelUnsupported);
    }
    if aggregate {
        return if walk.aggregated { Err(Counter::LayersExceeded) } else { Ok(Next::Aggregate(view)) };
    }
    // A first fragment goes on as a packet that was cut.
    Ok(Next::Llc(view))
}

/// The frames of an aggregate (A-MSDU, section 9.3.2.2): each with receiver,
/// sender, length 2 bytes, and all but the last padded to a multiple of four
/// bytes. At most [`MAX_SUBFRAMES`].
pub(super) struct Subframes<'a> {
    view: View<'a>,
    left: u8,
    ended: bool,
}

impl<'a> Subframes<'a> {
    /// The frames in the body of an aggregate.
    pub fn new(view: View<'a>) -> Self {
        Subframes { view, left: MAX_SUBFRAMES, ended: false }
    }

    /// Whether frames beyond the limit are left, once the iterator ended.
    pub fn leaves_some(mut self) -> bool {
        self.left = 1;
        !self.ended && self.next().is_some()
    }
}

impl<'a> Iterator for Subframes<'a> {
    /// Sender and receiver, and what follows their addresses.
    type Item = ((Mac, Mac), View<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let h = self.view.take::<14>()?;
        let len = usize::from(u16::from_be_bytes([h[12], h[13]]));
        // The checksum of the whole may follow the last one, and looks like
        // anything.
        if len < SNAP.len() || len > self.view.announced() {
            return None;
        }
        let macs = (Mac([h[6], h[7], h[8], h[9], h[10], h[11]]), Mac([h[0], h[1], h[2], h[3], h[4], h[5]]));
        let mut body = self.view;
        body.limit(len);
        let padding = len.wrapping_add(14).wrapping_neg() & 3;
        if self.view.skip(len.wrapping_add(padding)).is_none() {
            (self.left, self.ended) = (0, true);
        }
        Some((macs, body))
    }
}

/// The walk's step over a radiotap header: version 1 byte, pad 1, length 2,
/// presence words of 4 bytes each, then the fields; little endian.
pub(super) fn radiotap<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.peek::<8>().ok_or(Counter::LinkMalformed)?;
    let len = usize::from(u16::from_le_bytes([h[2], h[3]]));
    if h[0] != 0 || len < 8 {
        return Err(Counter::LinkMalformed);
    }
    let header = view.data.get(..len).ok_or(Counter::LinkMalformed)?;
    let flags = radiotap_flags(header).unwrap_or(0);
    view.skip(len).ok_or(Counter::LinkMalformed)?;
    // Bad checksum: what the radio received may be anything.
    if flags & 0x40 != 0 {
        return Err(Counter::LinkMalformed);
    }
    // Padding between the header and the body, to a multiple of four bytes.
    if flags & 0x20 != 0 {
        walk.wifi_padding = true;
    }
    Ok(Next::Wifi(view))
}

/// The flags field: after the presence words and the 8-byte timestamp, if
/// present.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    let mut words = header.get(4..)?.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w));
    let first = words.next()?;
    if first & 2 == 0 {
        return None;
    }
    let more = if first >> 31 == 0 { 0 } else { words.take_while(|w| w >> 31 != 0).count().checked_add(1)? };
    let mut at = more.checked_mul(4)?.checked_add(8)?;
    if first & 1 != 0 {
        at = at.checked_next_multiple_of(8)?.checked_add(8)?;
    }
    header.get(at).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{DST_MAC, SRC_MAC, decode_with, ipv4, udp, wifi};
    use super::*;

    fn ip() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    #[test]
    fn addresses_of_all_four_directions() {
        for ds in 0..4 {
            for qos in [false, true] {
                let frame = wifi(ds, qos, &ip());
                let p = decode_with(105, &frame, frame.len()).1.unwrap();
                assert_eq!((p.src_mac, p.dst_mac, p.dport), (Some(SRC_MAC), Some(DST_MAC), 53));
            }
        }
    }

    #[test]
    fn frames_without_a_readable_packet() {
        let with = |at: usize, bits: u8| {
            let mut frame = wifi(1, true, &ip());
            frame[at] |= bits;
            decode_with(105, &frame, frame.len()).1.map(|p| p.dport)
        };
        assert_eq!(with(1, PROTECTED), Err(Counter::LinkOpaque));
        assert_eq!(with(0, 0x40), Err(Counter::OtherEthertype));
        assert_eq!(with(1, MORE_FRAGMENTS), Ok(53), "a first fragment is a packet that was cut");
        assert_eq!(with(22, 1), Ok(53), "a whole packet with the number of its last fragment");
        let mut second = wifi(1, true, &ip());
        (second[1], second[22]) = (second[1] | MORE_FRAGMENTS, 1);
        assert_eq!(decode_with(105, &second, 90).1, Err(Counter::TunnelUnsupported));
        (second[1], second[26]) = (1, 7);
        assert_eq!(decode_with(105, &second, 90).1, Err(Counter::TunnelUnsupported));
        assert_eq!(decode_with(105, &[0x80; 60], 60).1, Err(Counter::OtherEthertype));
        assert_eq!(decode_with(105, &[0xd4; 10], 10).1, Err(Counter::OtherEthertype), "an acknowledgement");
        assert_eq!(decode_with(105, &[0x08; 23], 23).1, Err(Counter::LinkMalformed));
    }

    #[test]
    fn encrypted_frames_are_counted_in_bytes() {
        let mut frame = wifi(1, true, &ip());
        frame[1] |= PROTECTED;
        let (mut decoder, _) = decode_with(105, &frame, frame.len() + 5);
        let want = [(Counter::OpaqueWifiFrames, 1), (Counter::OpaqueWifiBytes, frame.len() as u64 - 24 + 5)];
        assert_eq!(decoder.side_counts().collect::<Vec<_>>(), want);
    }

    /// An aggregate of these bodies.
    fn aggregate(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut frame = wifi(1, true, &[]);
        frame.truncate(26);
        frame[24] |= 0x80;
        for (i, body) in bodies.iter().enumerate() {
            frame.extend_from_slice(&[&DST_MAC.0[..], &SRC_MAC.0, &(body.len() as u16).to_be_bytes(), body].concat());
            if i + 1 < bodies.len() {
                frame.resize(26 + (frame.len() - 26).next_multiple_of(4), 0);
            }
        }
        frame
    }

    fn in_llc(kind: u16, payload: &[u8]) -> Vec<u8> {
        [&SNAP[..], &kind.to_be_bytes(), payload].concat()
    }

    fn query(port: u16) -> Vec<u8> {
        in_llc(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(port, 53, b"dns")))
    }

    #[test]
    fn all_packets_of_an_aggregate() {
        let frame = aggregate(&[query(1), in_llc(0x0806, &[0; 28]), query(2), query(3)]);
        for fcs in [&[][..], &[1, 2, 3, 4], &[0; 20]] {
            let bytes = [&frame[..], fcs].concat();
            let (mut decoder, first) = decode_with(105, &bytes, bytes.len());
            let mut packets = vec![first.unwrap()];
            packets.extend(std::iter::from_fn(|| decoder.next_of_frame()));
            assert_eq!(packets.iter().map(|p| p.sport).collect::<Vec<_>>(), [1, 2, 3]);
            for p in &packets {
                assert_eq!((p.src_mac, &bytes[p.payload_offset as usize..][..3]), (Some(SRC_MAC), &b"dns"[..]));
            }
            assert_eq!(decoder.side_counts().collect::<Vec<_>>(), [(Counter::Arp, 1)]);
        }
    }

    #[test]
    fn aggregates_without_packets_too_long_or_in_each_other() {
        let cut = |frame: &[u8], wire: usize| {
            let (mut decoder, first) = decode_with(105, frame, wire);
            let more = std::iter::from_fn(|| decoder.next_of_frame()).count();
            let counts: Vec<_> = decoder.side_counts().collect();
            (first.map(|p| p.sport), more, counts)
        };
        let go = |frame: &[u8]| cut(frame, frame.len());
        let arp = in_llc(0x0806, &[0; 28]);
        assert_eq!(go(&aggregate(&[arp.clone(), arp.clone()])), (Err(Counter::Arp), 0, vec![(Counter::Arp, 1)]));
        assert_eq!(go(&aggregate(&[arp, query(9)])), (Ok(9), 0, vec![(Counter::Arp, 1)]));
        assert_eq!(go(&aggregate(&[])), (Err(Counter::LinkMalformed), 0, vec![]));
        assert_eq!(go(&aggregate(&vec![query(1); 64])), (Ok(1), 63, vec![]));
        // What is left over is said.
        for n in [65, 70] {
            let want = (Ok(1), 63, vec![(Counter::LayersExceeded, 1)]);
            assert_eq!(go(&aggregate(&vec![query(1); n])), want, "{n}");
        }
        let inside = aggregate(&[query(1)]);
        let gre = [&[0, 0, 0x82, 0][..], &inside].concat();
        let outer = in_llc(0x0800, &ipv4(47, [1; 4], [2; 4], &gre));
        let (first, more, counts) = go(&aggregate(&[query(5), outer]));
        assert_eq!((first, more), (Ok(5), 0));
        assert_eq!(counts, [(Counter::LayersExceeded, 1), (Counter::EncapGre, 1)]);
        let whole = aggregate(&[query(1), query(2)]);
        assert_eq!(
            cut(&whole[..whole.len() - 1], whole.len()),
            (Ok(1), 1, vec![]),
            "the second one cut by the capture"
        );
        assert_eq!(go(&whole[..whole.len() - 1]), (Ok(1), 0, vec![]), "the second one a lie");
    }

    #[test]
    fn radiotap_headers() {
        let go = |head: &[u8], frame: &[u8]| {
            let bytes = [head, frame].concat();
            decode_with(127, &bytes, bytes.len()).1.map(|p| p.dport)
        };
        let frame = wifi(2, true, &ip());
        assert_eq!(go(&[0, 0, 8, 0, 0, 0, 0, 0], &frame), Ok(53));
        // A timestamp and flags behind two presence words.
        let with = |flags: u8| {
            let mut head = vec![0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
            head.extend_from_slice(&[0; 8]);
            head.push(flags);
            head
        };
        assert_eq!(go(&with(0x10), &frame), Ok(53));
        assert_eq!(go(&with(0x40), &frame), Err(Counter::LinkMalformed));
        let mut padded = frame.clone();
        padded.splice(26..26, [0, 0]);
        assert_eq!(go(&with(0x20), &padded), Ok(53));
        assert_eq!(go(&[0, 0, 200, 0, 0, 0, 0, 0], &frame), Err(Counter::LinkMalformed));
        assert_eq!(go(&[1, 0, 8, 0, 0, 0, 0, 0], &frame), Err(Counter::LinkMalformed));
    }
}
