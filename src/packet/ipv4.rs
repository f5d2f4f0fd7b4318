//! IPv4 headers (RFC 791 section 3.1).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ip::payload;
use super::view::View;
use super::walk::{Content, FragmentHeader, IpHeader, Next, Walk, mapped};
use crate::coverage::Counter;

/// A header taken off: the addresses, the protocol, the fragment's place if it
/// is one, and the payload without link padding.
#[inline]
pub(super) fn header<'a>(mut view: View<'a>) -> Result<(IpHeader, u8, Option<FragmentHeader>, View<'a>), Counter> {
    let h = view.peek::<20>().ok_or(Counter::IpMalformed)?;
    let header_len = usize::from(h[0] & 15).wrapping_mul(4);
    if h[0] >> 4 != 4 || header_len < 20 {
        return Err(Counter::IpMalformed);
    }
    let total = usize::from(u16::from_be_bytes([h[2], h[3]]));
    // Segmentation offload leaves the length 0; then all that was captured is
    // the packet.
    if total != 0 {
        if total < header_len {
            return Err(Counter::IpMalformed);
        }
        view.limit(total);
    }
    view.skip(header_len).ok_or(Counter::IpMalformed)?;
    let ip = IpHeader {
        src: mapped([h[12], h[13], h[14], h[15]]),
        dst: mapped([h[16], h[17], h[18], h[19]]),
        ttl: h[8],
        v6: false,
    };
    let place = u16::from_be_bytes([h[6], h[7]]);
    // The more-fragments bit and the offset; the reserved bit and DF say nothing.
    let fragment = (place & 0x3fff != 0).then(|| FragmentHeader {
        id: u32::from(u16::from_be_bytes([h[4], h[5]])),
        start: u32::from(place & 0x1fff).wrapping_mul(8),
        more: place & 0x2000 != 0,
        content: Content::IpPayload(h[9]),
    });
    Ok((ip, h[9], fragment, view))
}

/// The walk's step over an IPv4 header and, unless it is a fragment, its
/// payload.
pub(super) fn step<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let (ip, proto, fragment, view) = header(view)?;
    match fragment {
        Some(fragment) if !fragment.is_cut_head(&view) => Ok(Next::Fragment(ip, fragment, view)),
        _ => payload(ip, proto, view, walk),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_with, ethernet, ipv4, ipv4_fragment, udp};
    use super::*;

    #[test]
    fn lengths_padding_and_offload() {
        let mut p = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &[7; 12]);
        let (ip, proto, fragment, v) = header(View::new(&p, p.len())).unwrap();
        assert_eq!((ip.src, ip.dst, ip.ttl), (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]), 64));
        assert_eq!((proto, fragment, v.offset, v.data.len(), v.missing), (17, None, 20, 12, 0));
        p.extend_from_slice(&[0; 14]);
        assert_eq!(header(View::new(&p, p.len())).unwrap().3.data, [7; 12], "padding");
        p[2..4].fill(0);
        assert_eq!(header(View::new(&p, p.len() + 5)).unwrap().3.announced(), 31, "length 0: all there is");
        p[2..4].copy_from_slice(&1500u16.to_be_bytes());
        let v = header(View::new(&p, 1500)).unwrap().3;
        assert_eq!((v.data.len(), v.missing, v.overstated), (26, 1454, false), "more announced than captured");
        let v = header(View::new(&p, 1499)).unwrap().3;
        assert_eq!((v.data.len(), v.missing, v.overstated), (26, 1453, true), "more announced than there was");
    }

    #[test]
    fn options_are_skipped() {
        let mut p = ipv4(6, [1; 4], [2; 4], &[9; 30]);
        p[0] = 0x47;
        assert_eq!(header(View::new(&p, p.len())).unwrap().3.data.len(), 22);
        p[0] = 0x4f;
        p[2..4].copy_from_slice(&59u16.to_be_bytes());
        assert_eq!(header(View::new(&p[..50], 50)).map(|_| ()), Err(Counter::IpMalformed), "total length below it");
    }

    #[test]
    fn impossible_headers() {
        let good = ipv4(6, [1; 4], [2; 4], &[9; 30]);
        let with = |at: usize, value: u8| {
            let mut p = good.clone();
            p[at] = value;
            header(View::new(&p, p.len())).map(|_| ()).err()
        };
        assert_eq!(with(0, 0x45), None);
        assert_eq!(with(0, 0x44), Some(Counter::IpMalformed));
        assert_eq!(with(0, 0x65), Some(Counter::IpMalformed));
        assert_eq!(with(3, 19), Some(Counter::IpMalformed));
        assert_eq!(header(View::new(&good[..19], 50)).map(|_| ()), Err(Counter::IpMalformed));
    }

    #[test]
    fn a_first_fragment_that_the_capture_cut_is_a_packet_with_bytes_missing() {
        let whole = udp(1, 53, &[7; 100]);
        let frame = ethernet(0x0800, &ipv4_fragment(17, 9, &whole, 0, 64));
        let result = |keep: usize| decode_with(1, &frame[..keep], frame.len()).1;
        assert_eq!(result(frame.len()), Err(Counter::IpFragments));
        let p = result(frame.len() - 6).unwrap();
        assert_eq!((p.dport, p.payload_len, p.payload_missing, p.in_arena), (53, 50, 6, false));
        let second = ethernet(0x0800, &ipv4_fragment(17, 9, &whole, 64, 64));
        assert_eq!(decode_with(1, &second[..60], second.len()).1, Err(Counter::IpFragments));
    }

    #[test]
    fn fragments_are_told_from_whole_packets() {
        let mut p = ipv4(17, [1; 4], [2; 4], &[9; 16]);
        let at = |p: &[u8]| header(View::new(p, p.len())).unwrap().2;
        p[6] = 0xc0; // reserved bit and DF
        assert_eq!(at(&p), None);
        p[4..8].copy_from_slice(&[0x12, 0x34, 0x20, 0x03]);
        assert_eq!(at(&p), Some(FragmentHeader { id: 0x1234, start: 24, more: true, content: Content::IpPayload(17) }));
    }
}
