//! CAPWAP data channel between access points and their controller
//! (RFC 5415 section 4.3).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::{Kind, Layer};
use super::udp_tunnel::Opened;
use super::view::View;
use super::walk::{Content, FragmentHeader, IpHeader, Next};

/// Port of the controller.
pub(super) const PORT: u16 = 5247;

/// Version 4 bits and type 4 (1 is DTLS); header length in words 5, radio 5,
/// binding 5 bits; flags T F L W M K and 3 reserved bits; fragment id 2 and
/// offset 2 bytes; then optional fields up to the header length.
pub(super) fn open<'a>(ip: IpHeader, port: u16, mut view: View<'a>) -> Opened<'a> {
    let h = view.peek::<8>()?;
    let len = usize::from(h[1] >> 3).wrapping_mul(4);
    let binding = h[2] >> 1 & 0x1f;
    let native = h[2] & 1 != 0;
    let (fragment, keep_alive) = (h[3] & 0x80 != 0, h[3] & 0x08 != 0);
    let reserved = h[3] & 0x07 != 0 || h[7] & 0x07 != 0;
    if h[0] != 0 || len < 8 || reserved || keep_alive || (native && binding != 1) || view.skip(len).is_none() {
        return None;
    }
    let next = if fragment {
        let header = FragmentHeader {
            // An access point numbers its own; behind a router its port tells
            // it from others.
            id: u32::from_be_bytes([(port >> 8) as u8, (port & 0xff) as u8, h[4], h[5]]),
            // In units of eight bytes, above three reserved bits.
            start: u32::from(u16::from_be_bytes([h[6], h[7]]) & 0xfff8),
            more: h[3] & 0x40 == 0,
            content: if native { Content::Wifi } else { Content::Ethernet },
        };
        Next::Fragment(ip, header, view)
    } else if native {
        Next::Wifi(view)
    } else {
        Next::Ethernet(view)
    };
    Some((Layer::bare(Kind::Capwap), next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{DST_MAC, decode_layers, ethernet, ipv4, payload, udp, wifi};
    use super::super::{Decoder, Options};
    use super::*;
    use crate::base::Timestamp;
    use crate::capture::LinkType;
    use crate::coverage::Counter;

    fn wrap(head: &[u8], inner: &[u8]) -> Vec<u8> {
        let datagram = udp(50_000, PORT, &[head, inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram))
    }

    #[test]
    fn frames_of_both_kinds() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let mut swapped = wifi(1, false, &ip);
        swapped.swap(0, 1);
        for (head, inner) in [
            (&[0, 0x10, 0x02, 0, 0, 0, 0, 0][..], ethernet(0x0800, &ip)),
            (&[0, 0x20, 0x02, 0x10, 0, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 0], ethernet(0x0800, &ip)),
            (&[0, 0x10, 0x03, 0, 0, 0, 0, 0], wifi(1, false, &ip)),
            (&[0, 0x10, 0x03, 0, 0, 0, 0, 0], swapped),
        ] {
            let (p, payload, layers) = decode_layers(&wrap(head, &inner)).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "capwap"));
            assert_eq!(p.dst_mac, Some(DST_MAC));
        }
    }

    #[test]
    fn dtls_and_keep_alives_are_ordinary() {
        for head in [[1, 0x10, 2, 0, 0, 0, 0, 0], [0, 0x10, 2, 8, 0, 0, 0, 0], [0, 0x08, 2, 0, 0, 0, 0, 0]] {
            assert_eq!(decode_layers(&wrap(&head, &[0; 60])).unwrap().0.dport, PORT);
        }
    }

    #[test]
    fn fragments_come_together() {
        let inner = ethernet(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, &[7; 100])));
        let mut decoder = Decoder::new(Options::default());
        let mut go = |id: u8, offset: u8, last: u8, part: &[u8]| {
            let frame = wrap(&[0, 0x10, 2, 0x80 | last, 0, id, 0, offset], part);
            let result = decoder.decode(LinkType(1), &frame, frame.len() as u32, 0, Timestamp(0));
            result.map(|p| (p, payload(&decoder, &p, &frame).to_vec()))
        };
        assert_eq!(go(1, 64, 0x40, &inner[64..]), Err(Counter::IpFragments));
        assert_eq!(go(2, 0, 0, &inner[..64]), Err(Counter::IpFragments), "of another frame");
        let (p, bytes) = go(1, 0, 0, &inner[..64]).unwrap();
        assert_eq!((p.dport, p.dst_mac, bytes), (53, Some(DST_MAC), vec![7; 100]));
        assert_eq!(decoder.encaps().get(p.encap).layers, ["capwap"]);
    }
}
