//! MPLS label stacks (RFC 3032 section 2.1) over IP or Ethernet
//! pseudowires (RFC 4448 section 4.6).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::{self, looks_like_ethernet};
use super::ip;
use super::path::{Kind, Layer};
use super::view::View;
use super::walk::{Next, Walk};
use crate::coverage::Counter;

/// Port of MPLS in UDP (RFC 7510 section 3).
pub(super) const PORT: u16 = 6635;

/// Labels below this have meanings of their own and name no tunnel
/// (RFC 3032 section 2.1).
const FIRST_LABEL: u32 = 16;
/// The label after this one spreads load and varies from flow to flow
/// (RFC 6790 section 3).
const ENTROPY_INDICATOR: u32 = 7;
/// Most entries of one stack.
const MAX_LABELS: usize = 16;

/// Whether a label stack over IP or over Ethernet with IP stands there.
pub(super) fn is_stack(view: &View<'_>) -> bool {
    let mut view = *view;
    for _ in 0..MAX_LABELS {
        match view.take::<4>() {
            Some([_, _, bottom, _]) if bottom & 1 == 0 => {}
            Some(_) => {
                return ip::fills(&view)
                    || ethernet::carries_ip(&view)
                    || (view.skip(4).is_some() && ethernet::carries_ip(&view));
            }
            None => return false,
        }
    }
    false
}

/// The walk's step over a label stack.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    walk.descend()?;
    let mut before = 0;
    for _ in 0..MAX_LABELS {
        let entry = u32::from_be_bytes(*view.take::<4>().ok_or(Counter::LinkMalformed)?);
        let label = entry >> 12;
        if label >= FIRST_LABEL && before != ENTROPY_INDICATOR {
            walk.tag(Layer::with_id(Kind::Mpls, label))?;
        }
        before = label;
        if entry & 0x100 != 0 {
            return payload(view);
        }
    }
    Err(Counter::LayersExceeded)
}

/// The first bits tell IP from a pseudowire (RFC 4928 section 3).
fn payload(mut view: View<'_>) -> Result<Next<'_>, Counter> {
    let first = *view.data.first().ok_or(Counter::LinkMalformed)?;
    match first >> 4 {
        4 | 6 if !looks_like_ethernet(&view) => Ok(Next::Ip(view)),
        // The associated channel carries no user data (RFC 4385 section 5).
        1 if !looks_like_ethernet(&view) => Err(Counter::OtherEthertype),
        0 => {
            let mut behind = view;
            if behind.skip(4).is_some() && (looks_like_ethernet(&behind) || !looks_like_ethernet(&view)) {
                view = behind;
            }
            Ok(Next::Ethernet(view))
        }
        _ => Ok(Next::Ethernet(view)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, decode_with, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn stack(labels: &[u32]) -> Vec<u8> {
        let last = labels.len() - 1;
        labels.iter().enumerate().flat_map(|(i, l)| (l << 12 | u32::from(i == last) << 8 | 64).to_be_bytes()).collect()
    }

    fn packet() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    #[test]
    fn labels_are_layers_but_no_segment() {
        let frame = ethernet(0x8847, &[stack(&[100, 200]), packet()].concat());
        let (p, payload, layers) = decode_layers(&frame).unwrap();
        assert_eq!((layers.as_str(), payload.as_slice(), p.src_mac), ("mpls:100/mpls:200", &b"dns"[..], None));
        let (decoder, p) = decode_with(1, &frame, frame.len());
        assert_eq!(decoder.encaps().get(p.unwrap().encap).segment_id, 0);
    }

    #[test]
    fn special_and_entropy_labels_are_no_layers() {
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        assert_eq!(decode_layers(&ethernet(0x8848, &[stack(&[2]), six].concat())).unwrap().2, "");
        let frame = ethernet(0x8847, &[stack(&[50, 7, 987_654, 60]), packet()].concat());
        assert_eq!(decode_layers(&frame).unwrap().2, "mpls:50/mpls:60");
    }

    #[test]
    fn ethernet_pseudowires_with_and_without_control_word() {
        let mut inner = ethernet(0x0800, &packet());
        for control in [&[][..], &[0, 0, 0, 9]] {
            for first in [0x02, 0x00, 0x45, 0x62, 0x10] {
                inner[0] = first;
                let frame = ethernet(0x8847, &[&stack(&[16])[..], control, &inner].concat());
                let (p, payload, _) = decode_layers(&frame).unwrap();
                assert_eq!((payload.as_slice(), p.dst_mac.unwrap().0[0]), (&b"dns"[..], first));
            }
        }
    }

    #[test]
    fn in_udp() {
        let bridged = ethernet(0x0800, &packet());
        for inner in [packet(), bridged.clone(), [&[0, 0, 0, 9][..], &bridged].concat()] {
            let datagram = udp(50_000, PORT, &[&stack(&[100, 200])[..], &inner].concat());
            let frame = ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram));
            let (_, payload, layers) = decode_layers(&frame).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "mpls:100/mpls:200"));
        }
        let other = udp(50_000, PORT, &[&stack(&[100])[..], &[0; 60]].concat());
        assert_eq!(decode_layers(&ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &other))).unwrap().0.dport, PORT);
    }

    #[test]
    fn cut_endless_and_foreign_stacks() {
        let err = |bytes: Vec<u8>| decode_layers(&ethernet(0x8847, &bytes)).unwrap_err();
        assert_eq!(err(vec![0; 7]), Counter::LinkMalformed);
        assert_eq!(err(stack(&[16])), Counter::LinkMalformed);
        assert_eq!(err(vec![0; 400]), Counter::LayersExceeded);
        assert_eq!(err([stack(&[16]), vec![0x10, 0, 0, 7, 1, 2, 3]].concat()), Counter::OtherEthertype);
    }
}
