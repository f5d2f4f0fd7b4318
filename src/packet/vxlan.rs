//! VXLAN (RFC 7348 section 5), with the group policy extension
//! (draft-smith-vxlan-group-policy-05 section 2.1) and the generic protocol
//! extension (draft-ietf-nvo3-vxlan-gpe-13 section 3.1).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::{carries_ip, looks_like_ethernet};
use super::path::{Kind, Layer};
use super::udp_tunnel::Opened;
use super::view::View;
use super::walk::Next;

/// Port of the standard.
pub(super) const PORT: u16 = 4789;
/// Port that Linux used before, and still does by default.
pub(super) const PORT_LINUX: u16 = 8472;

/// Port of the generic extension.
pub(super) const PORT_GPE: u16 = 4790;

/// Flags 1 byte, reserved 3, network id 3, reserved 1 byte; then Ethernet, or
/// what the fourth byte says if the flags announce it.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let h = view.take::<8>()?;
    let reserved = [h[1], h[2], h[3]];
    let next = match (h[0], reserved) {
        (0x08, [0, 0, 0]) if h[7] == 0 => Next::Ethernet(view),
        // With a policy group in the two bytes before the network id.
        (0x88, [flags, ..]) if flags & !0x48 == 0 && h[7] == 0 => Next::Ethernet(view),
        (0x0c, [0, 0, 1 | 2]) if h[7] == 0 => Next::Ip(view),
        (0x0c, [0, 0, 3]) if h[7] == 0 => Next::Ethernet(view),
        // Receivers ignore what is reserved, and some senders use it.
        (0x08, _) if h[7] == 0 && looks_like_ethernet(&view) => Next::Ethernet(view),
        (flags, _) if flags & 0x08 != 0 && flags != 0x0c && carries_ip(&view) => Next::Ethernet(view),
        _ => return None,
    };
    let vni = u32::from_be_bytes([0, h[4], h[5], h[6]]);
    Some((Layer::with_id(Kind::Vxlan, vni), next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, decode_with, ethernet, ipv4, udp};
    use super::*;
    use crate::coverage::Counter;

    fn wrap(head: [u8; 8], port: u16, inner: &[u8]) -> Vec<u8> {
        let outer = ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &udp(50_000, port, &[&head[..], inner].concat()));
        ethernet(0x8100, &[&[0, 10, 8, 0][..], &outer].concat())
    }

    fn inner() -> Vec<u8> {
        ethernet(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns")))
    }

    #[test]
    fn networks_make_the_segment() {
        for port in [PORT, PORT_LINUX, PORT_GPE] {
            for head in [
                [8, 0, 0, 0, 0, 0, 77, 0],
                [0x88, 0x40, 1, 2, 0, 0, 77, 0],
                [0x0c, 0, 0, 3, 0, 0, 77, 0],
                [8, 8, 0x7f, 0x7f, 0, 0, 77, 0],
                [8, 0, 0, 0, 0, 0, 77, 1],
                [0xff, 1, 0xd1, 0xf2, 0, 0, 77, 1],
            ] {
                let frame = wrap(head, port, &inner());
                let (decoder, p) = decode_with(1, &frame, frame.len());
                let p = p.unwrap();
                assert_eq!(decoder.encaps().get(p.encap).segment, "vlan:10/vni:77");
                assert_eq!((p.dport, p.src_mac), (53, Some(SRC_MAC)));
            }
        }
    }

    #[test]
    fn wrong_flags_are_no_tunnel() {
        for head in [
            [0, 0, 0, 0, 0, 0, 77, 0],
            [0x0c, 0, 0, 4, 0, 0, 77, 0],
            [0x0c, 0, 1, 3, 0, 0, 77, 0],
            [0xf7, 1, 0xd1, 0xf2, 0, 0, 77, 1],
        ] {
            assert_eq!(decode_layers(&wrap(head, PORT, &inner())).unwrap().0.dport, PORT);
        }
        assert_eq!(decode_layers(&wrap([8, 0, 0, 1, 0, 0, 77, 0], PORT, &[0; 60])).unwrap().0.dport, PORT);
        let odd = wrap([8, 0, 0, 0, 0, 0, 77, 1], PORT, &ethernet(0x0800, &[0; 60]));
        assert_eq!(decode_layers(&odd).unwrap().0.dport, PORT, "nothing is told but by a sound header inside");
        let (p, _, layers) = decode_layers(&wrap([0x0c, 0, 0, 1, 0, 0, 77, 0], PORT_GPE, &inner()[14..])).unwrap();
        assert_eq!((p.dport, layers.as_str()), (53, "vlan:10/vni:77"));
        assert_eq!(decode_layers(&wrap([8, 0, 0, 0, 0, 0, 1, 0], PORT, &[0; 5])), Err(Counter::LinkMalformed));
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |depth: u8| {
            (0..depth).fold(inner(), |frame, vni| {
                let tunnel = [&[8, 0, 0, 0, 0, 0, vni, 0][..], &frame].concat();
                ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &udp(5, PORT, &tunnel)))
            })
        };
        assert_eq!(decode_layers(&nest(8)).unwrap().2, "vni:7/vni:6/vni:5/vni:4/vni:3/vni:2/vni:1/vni:0");
        assert_eq!(decode_layers(&nest(9)), Err(Counter::LayersExceeded));
    }
}
