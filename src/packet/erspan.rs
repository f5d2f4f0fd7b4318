//! ERSPAN types I, II and III (draft-foschiano-erspan-03 section 4).
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
use crate::coverage::Counter;

/// Type I has no header of its own.
pub(super) fn type1<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    walk.enter(Layer::bare(Kind::Erspan))?;
    Ok(Next::Ethernet(view))
}

/// The walk's step over a header of type II or III. Both begin with version 4
/// bits, VLAN 12, class of service 3, tag state 2, truncated 1, session 10
/// bits.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [a, b, c, d, ..] = *view.take::<8>().ok_or(Counter::IpMalformed)?;
    walk.enter(Layer::with_id(Kind::Erspan, u32::from(u16::from_be_bytes([c, d]) & 0x03ff)))?;
    match a >> 4 {
        1 => {
            let vid = u32::from(u16::from_be_bytes([a, b]) & 0x0fff);
            // The mirrored frame had a tag (ISL or 802.1Q) that was taken off.
            if vid != 0 && matches!(c >> 3 & 3, 1 | 2) {
                walk.tag(Layer::with_id(Kind::Vlan, vid))?;
            }
            Ok(Next::Ethernet(view))
        }
        2 => {
            let [_, _, frame_type, last] = *view.take::<4>().ok_or(Counter::IpMalformed)?;
            // The lowest bit announces a platform-specific subheader.
            if last & 1 == 1 {
                view.skip(8).ok_or(Counter::IpMalformed)?;
            }
            match frame_type >> 2 & 0x1f {
                0 => Ok(Next::Ethernet(view)),
                2 => Ok(Next::Ip(view)),
                _ => Err(Counter::TunnelUnsupported),
            }
        }
        _ => Err(Counter::TunnelUnsupported),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, ethernet, ipv4, udp};
    use super::*;

    fn erspan(gre: &[u8], head: &[u8]) -> Result<String, Counter> {
        let inner = ethernet(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns")));
        let outer = ipv4(47, [192, 0, 2, 1], [192, 0, 2, 2], &[gre, head, &inner].concat());
        decode_layers(&ethernet(0x0800, &outer)).map(|(p, payload, layers)| {
            assert_eq!((payload.as_slice(), p.src_mac), (&b"dns"[..], Some(SRC_MAC)));
            layers
        })
    }

    const ONE: &[u8] = &[0, 0, 0x88, 0xbe];
    const TWO: &[u8] = &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1];
    const THREE: &[u8] = &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1];

    #[test]
    fn all_three_types() {
        assert_eq!(erspan(ONE, &[]).unwrap(), "erspan");
        assert_eq!(erspan(TWO, &[0x10, 100, 0x18 | 1, 5, 0, 0, 0, 0]).unwrap(), "erspan:261");
        assert_eq!(erspan(TWO, &[0x10, 100, 0x10, 5, 0, 0, 0, 0]).unwrap(), "erspan:5/vlan:100");
        assert_eq!(erspan(THREE, &[0x20, 100, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), "erspan:5");
        let with_subheader = [&[0x20, 100, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1][..], &[7; 8]].concat();
        assert_eq!(erspan(THREE, &with_subheader).unwrap(), "erspan:5");
    }

    #[test]
    fn other_versions_and_frame_types() {
        assert_eq!(erspan(TWO, &[0x30, 0, 0, 5, 0, 0, 0, 0]), Err(Counter::TunnelUnsupported));
        assert_eq!(erspan(THREE, &[0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x7c, 0]), Err(Counter::TunnelUnsupported));
    }
}
