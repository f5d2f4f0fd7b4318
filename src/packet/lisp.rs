//! LISP data packets (RFC 9300 section 5).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ip;
use super::path::{Kind, Layer};
use super::udp_tunnel::Opened;
use super::view::View;
use super::walk::Next;

/// Port of data packets.
pub(super) const PORT: u16 = 4341;

/// An instance id is in the last four bytes.
const INSTANCE: u8 = 0x08;

/// Flags N L E V I R 6 bits and K 2 bits (1 byte), nonce or map version 3;
/// instance id 3 and locator bits 1, or locator bits 4 bytes; then an IP packet
/// that must fill the datagram.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let h = view.take::<8>()?;
    // A reserved bit, and payload encrypted by RFC 8061.
    if h[0] & 0x07 != 0 || !ip::fills(&view) {
        return None;
    }
    let id = (h[0] & INSTANCE != 0).then(|| u32::from_be_bytes([0, h[4], h[5], h[6]]));
    Some((Layer { kind: Kind::Lisp, id }, Next::Ip(view)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn wrap(head: [u8; 8], inner: &[u8]) -> Vec<u8> {
        let datagram = udp(60_000, PORT, &[&head[..], inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram))
    }

    #[test]
    fn packets_of_both_versions_with_and_without_instance() {
        let four = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        for inner in [&four, &six] {
            for (head, layers) in [([0x80, 1, 2, 3, 0, 0, 0, 1], "lisp"), ([0xc8, 1, 2, 3, 0, 1, 0, 1], "lisp:256")] {
                let (_, payload, found) = decode_layers(&wrap(head, inner)).unwrap();
                assert_eq!((payload.as_slice(), found.as_str()), (&b"dns"[..], layers));
            }
        }
        assert_eq!(decode_layers(&wrap([0x81, 0, 0, 0, 0, 0, 0, 1], &four)).unwrap().0.dport, PORT, "encrypted");
        let longer = [&four[..], &[0]].concat();
        assert_eq!(decode_layers(&wrap([0x80, 0, 0, 0, 0, 0, 0, 1], &longer)).unwrap().0.dport, PORT);
    }
}
