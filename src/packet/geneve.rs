//! GENEVE (RFC 8926 section 3.4).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::ethertype;
use super::gre::BRIDGED;
use super::path::{Kind, Layer};
use super::udp_tunnel::Opened;
use super::view::View;
use super::walk::Next;

/// Its port.
pub(super) const PORT: u16 = 6081;

/// Version 2 bits, length of the options in words 6, two flags and 6 reserved
/// bits, protocol 2 bytes, network id 3, reserved 1 byte; then the options.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let h = view.take::<8>()?;
    if h[0] >> 6 != 0 || h[1] & 0x3f != 0 || h[7] != 0 {
        return None;
    }
    view.skip(usize::from(h[0] & 0x3f).wrapping_mul(4))?;
    let next = match u16::from_be_bytes([h[2], h[3]]) {
        BRIDGED => Next::Ethernet(view),
        ethertype::IPV4 | ethertype::IPV6 => Next::Ip(view),
        _ => return None,
    };
    Some((Layer::with_id(Kind::Geneve, u32::from_be_bytes([0, h[4], h[5], h[6]])), next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, ethernet, ipv4, udp};
    use super::*;

    fn wrap(head: &[u8], inner: &[u8]) -> Vec<u8> {
        let datagram = udp(50_000, PORT, &[head, inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram))
    }

    #[test]
    fn with_and_without_options_over_ethernet_and_ip() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let frame = ethernet(0x0800, &ip);
        let options = [&[2, 0x40, 0x65, 0x58, 0, 1, 0, 0][..], &[9; 8]].concat();
        for (head, inner) in
            [(&[0, 0, 0x65, 0x58, 0, 1, 0, 0][..], &frame), (&options, &frame), (&[0, 0x80, 8, 0, 0, 1, 0, 0], &ip)]
        {
            let (_, payload, layers) = decode_layers(&wrap(head, inner)).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "geneve:256"));
        }
        for head in [
            [0x40, 0, 0x65, 0x58, 0, 1, 0, 0],
            [0, 1, 0x65, 0x58, 0, 1, 0, 0],
            [0, 0, 0x65, 0x59, 0, 1, 0, 0],
            [0, 0, 0x65, 0x58, 0, 1, 0, 9],
            [0x3f, 0, 0x65, 0x58, 0, 1, 0, 0],
        ] {
            assert_eq!(decode_layers(&wrap(&head, &frame)).unwrap().0.dport, PORT);
        }
    }
}
