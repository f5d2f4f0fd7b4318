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
use super::walk::Next;
use crate::coverage::Counter;

/// Port of the controller.
pub(super) const PORT: u16 = 5247;

/// Version 4 bits and type 4 (1 is DTLS); header length in words 5, radio 5,
/// binding 5 bits; flags T F L W M K and 3 reserved bits; fragment id 2 and
/// offset 2 bytes; then optional fields up to the header length.
pub(super) fn open(mut view: View<'_>) -> Result<Opened<'_>, Counter> {
    let Some(h) = view.peek::<8>() else { return Ok(None) };
    let len = usize::from(h[1] >> 3).wrapping_mul(4);
    let binding = h[2] >> 1 & 0x1f;
    let native = h[2] & 1 != 0;
    let (fragment, keep_alive) = (h[3] & 0x80 != 0, h[3] & 0x08 != 0);
    let reserved = h[3] & 0x07 != 0 || h[7] & 0x07 != 0;
    if h[0] != 0 || len < 8 || reserved || keep_alive || (native && binding != 1) || view.skip(len).is_none() {
        return Ok(None);
    }
    if fragment {
        return Err(Counter::TunnelUnsupported);
    }
    let next = if native { Next::Wifi(view) } else { Next::Ethernet(view) };
    Ok(Some((Layer::bare(Kind::Capwap), next)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{DST_MAC, decode_layers, ethernet, ipv4, udp, wifi};
    use super::*;

    fn wrap(head: &[u8], inner: &[u8]) -> Vec<u8> {
        let datagram = udp(50_000, PORT, &[head, inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram))
    }

    #[test]
    fn frames_of_both_kinds() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        for (head, inner) in [
            (&[0, 0x10, 0x02, 0, 0, 0, 0, 0][..], ethernet(0x0800, &ip)),
            (&[0, 0x20, 0x02, 0x10, 0, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 0], ethernet(0x0800, &ip)),
            (&[0, 0x10, 0x03, 0, 0, 0, 0, 0], wifi(1, false, &ip)),
        ] {
            let (p, payload, layers) = decode_layers(&wrap(head, &inner)).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "capwap"));
            assert_eq!(p.dst_mac, Some(DST_MAC));
        }
    }

    #[test]
    fn dtls_keep_alives_and_fragments() {
        for head in [[1, 0x10, 2, 0, 0, 0, 0, 0], [0, 0x10, 2, 8, 0, 0, 0, 0], [0, 0x08, 2, 0, 0, 0, 0, 0]] {
            assert_eq!(decode_layers(&wrap(&head, &[0; 60])).unwrap().0.dport, PORT);
        }
        let fragment = wrap(&[0, 0x10, 2, 0x80, 0, 1, 0, 0], &[0; 60]);
        assert_eq!(decode_layers(&fragment), Err(Counter::TunnelUnsupported));
    }
}
