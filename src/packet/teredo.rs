//! Teredo: IPv6 in UDP (RFC 4380 section 5.1.1).
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

/// Port of servers and relays.
pub(super) const PORT: u16 = 3544;

/// An authentication header and an origin indication, both optional, then an
/// IPv6 packet that must fill the datagram.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    if view.peek() == Some(&[0, 1]) {
        let [_, _, id, value] = *view.take::<4>()?;
        // Client id and authentication value, then nonce 8 and confirmation 1.
        view.skip(usize::from(id).wrapping_add(usize::from(value)).wrapping_add(9))?;
    }
    if view.peek() == Some(&[0, 0]) {
        view.skip(8)?;
    }
    let h = view.peek::<40>()?;
    let len = usize::from(u16::from_be_bytes([h[4], h[5]]));
    if h[0] >> 4 != 6 || len.checked_add(40)? != view.announced() {
        return None;
    }
    Some((Layer::bare(Kind::Teredo), Next::Ip(view)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn wrap(head: &[u8], sport: u16, dport: u16, inner: &[u8]) -> Vec<u8> {
        let datagram = udp(sport, dport, &[head, inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram))
    }

    #[test]
    fn indications_in_both_directions() {
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        let auth = [&[0, 1, 2, 3][..], &[7; 5], &[8; 9]].concat();
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        for head in [vec![], auth.clone(), origin.to_vec(), [&auth[..], &origin].concat()] {
            for (sport, dport) in [(50_000, PORT), (PORT, 50_000)] {
                let (_, payload, layers) = decode_layers(&wrap(&head, sport, dport, &six)).unwrap();
                assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "teredo"));
            }
        }
        for head in [&[0, 1, 255, 255, 1][..], &[0, 0, 1], &[9, 9]] {
            assert_eq!(decode_layers(&wrap(head, 9, PORT, &six)).unwrap().0.dport, PORT);
        }
        assert_eq!(decode_layers(&wrap(&[], 9, PORT, &[&six[..], &[0]].concat())).unwrap().0.dport, PORT);
    }
}
