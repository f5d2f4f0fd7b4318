//! Tags of bridges beyond VLANs: backbone service instances (IEEE
//! 802.1Q-2022 section 9.7), VN-Tag and E-TAG (IEEE 802.1BR), and Cisco's
//! MetaData, which carries security group tags (draft-smith-kandula-sxp-10
//! tells what they are for).
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

/// I-TAG: flags 1 byte, service instance 3 bytes; then the customer's frame.
pub(super) fn backbone<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [_, a, b, c] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
    walk.enter(Layer::with_id(Kind::Isid, u32::from_be_bytes([0, a, b, c])))?;
    Ok(Next::Ethernet(view))
}

/// A tag of `N` bytes that names switch ports of one direction, and the next
/// ethertype.
pub(super) fn port_tag<'a, const N: usize>(
    kind: Kind,
    mut view: View<'a>,
    walk: &mut Walk,
) -> Result<Next<'a>, Counter> {
    walk.tag(Layer::bare(kind))?;
    view.skip(N).ok_or(Counter::LinkMalformed)?;
    let kind = u16::from_be_bytes(*view.take::<2>().ok_or(Counter::LinkMalformed)?);
    Ok(Next::EtherType(kind, view))
}

/// Cisco MetaData: version 1 byte (1), length of the options in units of
/// 4 bytes 1 byte, the options, and the next ethertype.
pub(super) fn metadata<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let &[version, units] = view.take::<2>().ok_or(Counter::LinkMalformed)?;
    if version != 1 {
        return Err(Counter::OtherEthertype);
    }
    walk.tag(Layer::bare(Kind::Cmd))?;
    view.skip(usize::from(units).saturating_mul(4)).ok_or(Counter::LinkMalformed)?;
    let kind = u16::from_be_bytes(*view.take::<2>().ok_or(Counter::LinkMalformed)?);
    Ok(Next::EtherType(kind, view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, ethernet, ipv4, udp};
    use super::*;

    #[test]
    fn all_of_them_lead_to_the_packet() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let inner = ethernet(0x0800, &ip);
        for (kind, bytes, layers) in [
            (0x88e7, [&[0, 0, 1, 2][..], &inner].concat(), "isid:258"),
            (0x8926, [&[1, 2, 3, 4, 8, 0][..], &ip].concat(), "vntag"),
            (0x8909, [&[1, 1, 0, 1, 0, 2, 8, 0][..], &ip].concat(), "cmd"),
            (0x8909, [&[1, 2, 0, 1, 0, 2, 9, 9, 9, 9, 0x81, 0, 0, 7, 8, 0][..], &ip].concat(), "cmd/vlan:7"),
            (0x893f, [&[1, 2, 3, 4, 5, 6, 0x81, 0, 0, 7, 8, 0][..], &ip].concat(), "etag/vlan:7"),
        ] {
            let (p, payload, found) = decode_layers(&ethernet(kind, &bytes)).unwrap();
            assert_eq!((payload.as_slice(), found.as_str(), p.src_mac), (&b"dns"[..], layers, Some(SRC_MAC)));
            assert_eq!(decode_layers(&ethernet(kind, &[1, 2, 3])), Err(Counter::LinkMalformed));
        }
    }

    #[test]
    fn metadata_of_another_version_is_not_read() {
        let bytes =
            [&[2, 1, 0, 1, 0, 2, 8, 0][..], &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))].concat();
        assert_eq!(decode_layers(&ethernet(0x8909, &bytes)), Err(Counter::OtherEthertype));
    }

    #[test]
    fn endless_tags_end() {
        let tags = [1, 2, 3, 4, 0x89, 0x26].repeat(10_000);
        assert_eq!(decode_layers(&ethernet(0x8926, &tags)), Err(Counter::LayersExceeded));
        let tags = [1, 0, 0x89, 0x09].repeat(10_000);
        assert_eq!(decode_layers(&ethernet(0x8909, &tags)), Err(Counter::LayersExceeded));
    }
}
