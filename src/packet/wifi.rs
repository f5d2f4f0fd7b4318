//! IEEE 802.11 data frames (IEEE 802.11-2020 section 9.3.2) and radiotap
//! headers (radiotap.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::{Next, Walk};
use crate::base::Mac;
use crate::coverage::Counter;

const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// The walk's step over an 802.11 header. Only data frames carry packets.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let begin = view.data.len();
    let [kind, flags] = *view.peek::<2>().ok_or(Counter::LinkMalformed)?;
    // Type data, and not one of the subtypes without data.
    if kind & 0x0f != 0x08 || kind & 0x40 != 0 {
        return Err(Counter::OtherEthertype);
    }
    let h = view.take::<24>().ok_or(Counter::LinkMalformed)?;
    if flags & PROTECTED != 0 {
        return Err(Counter::LinkOpaque);
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
    // A fragment: the first, or one that continues.
    if flags & MORE_FRAGMENTS != 0 || h[22] & 0x0f != 0 {
        return Err(Counter::TunnelUnsupported);
    }
    if aggregate {
        return subframe(view, walk);
    }
    Ok(Next::Llc(view))
}

/// The first subframe of an aggregate (A-MSDU, section 9.3.2.2): receiver,
/// sender, length 2 bytes. The others are counted as not decoded.
fn subframe<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.take::<14>().ok_or(Counter::LinkMalformed)?;
    walk.dst_mac = Some(Mac([h[0], h[1], h[2], h[3], h[4], h[5]]));
    walk.src_mac = Some(Mac([h[6], h[7], h[8], h[9], h[10], h[11]]));
    let len = usize::from(u16::from_be_bytes([h[12], h[13]]));
    let mut rest = view;
    let mut next = len;
    // Each subframe but the last is padded to a multiple of four bytes.
    while rest.skip(next.wrapping_add(next.wrapping_add(14).wrapping_neg() & 3)).is_some() {
        let Some(h) = rest.take::<14>() else { break };
        next = usize::from(u16::from_be_bytes([h[12], h[13]]));
        if next == 0 || next > rest.data.len() {
            break;
        }
        walk.undecoded = walk.undecoded.saturating_add(1);
    }
    view.limit(len);
    Ok(Next::Llc(view))
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
        assert_eq!(with(1, MORE_FRAGMENTS), Err(Counter::TunnelUnsupported));
        assert_eq!(with(22, 1), Err(Counter::TunnelUnsupported));
        assert_eq!(decode_with(105, &[0x80; 60], 60).1, Err(Counter::OtherEthertype));
        assert_eq!(decode_with(105, &[0xd4; 10], 10).1, Err(Counter::OtherEthertype), "an acknowledgement");
        assert_eq!(decode_with(105, &[0x08; 23], 23).1, Err(Counter::LinkMalformed));
    }

    #[test]
    fn the_first_of_an_aggregate() {
        let mut frame = wifi(1, true, &[]);
        frame.truncate(26);
        frame[24] |= 0x80;
        let body = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &ip()].concat();
        for i in 0..3 {
            frame.extend_from_slice(&[&DST_MAC.0[..], &SRC_MAC.0, &(body.len() as u16).to_be_bytes(), &body].concat());
            if i < 2 {
                frame.resize(26 + (frame.len() - 26).next_multiple_of(4), 0);
            }
        }
        let (mut decoder, p) = decode_with(105, &frame, frame.len());
        assert_eq!(p.unwrap().payload_len, 3);
        assert_eq!(decoder.side_counts().collect::<Vec<_>>(), [(Counter::TunnelUnsupported, 2)]);
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
