//! TaZmen Sniffer Protocol: frames that MikroTik routers and access points mirror to
//! a sensor. There is no standard; the fields are those that Wireshark's dissector
//! (packet-tzsp.c) names.
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

/// Port that it has by default.
pub(super) const PORT: u16 = 37008;

/// Fields before the frame that are looked at; there are about ten kinds.
const MAX_TAGS: usize = 64;

/// Version 1 byte, type 1 (received 0, sent 1), kind of the frame 2; then fields of
/// a type, a length and so many bytes, up to one of type 1. Neither that nor
/// padding, type 0, has a length.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let [1, 0 | 1, high, low] = *view.take::<4>()? else { return None };
    let kind = u16::from_be_bytes([high, low]);
    for _ in 0..MAX_TAGS {
        match view.take::<1>()? {
            [0] => {}
            [1] => {
                let next = match kind {
                    1 => Next::Ethernet(view),
                    18 => Next::Wifi(view),
                    _ => return None,
                };
                return Some((Layer::bare(Kind::Tzsp), next));
            }
            _ => {
                let [len] = *view.take::<1>()?;
                view.skip(usize::from(len))?;
            }
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, decode_with, ethernet, ipv4, udp, wifi};
    use super::*;

    fn mirrored(head: &[u8], inner: &[u8]) -> Vec<u8> {
        let outer = udp(50_000, PORT, &[head, inner].concat());
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &outer))
    }

    #[test]
    fn mirrored_frames_are_read_whatever_fields_come_before() {
        let packet = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let inner = ethernet(0x0800, &packet);
        for head in [&[1, 0, 0, 1, 1][..], &[1, 1, 0, 1, 0, 0, 1], &[1, 0, 0, 1, 10, 1, 200, 18, 2, 1, 6, 1]] {
            let frame = mirrored(head, &inner);
            let (decoder, p) = decode_with(1, &frame, frame.len());
            let p = p.unwrap();
            assert_eq!(decoder.encaps().get(p.encap).segment, "tzsp");
            assert_eq!((p.dport, p.src_mac), (53, Some(SRC_MAC)));
        }
        assert_eq!(decode_layers(&mirrored(&[1, 0, 0, 18, 1], &wifi(1, true, &packet))).unwrap().0.dport, 53);
    }

    #[test]
    fn other_datagrams_on_its_port_are_ordinary() {
        let inner = ethernet(0x0800, &ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns")));
        // Of another version, a keepalive, of another kind, and without an end.
        for head in [&[2, 0, 0, 1, 1][..], &[1, 4, 0, 1, 1], &[1, 0, 0, 9, 1], &[1, 0, 0, 1, 10, 250]] {
            assert_eq!(decode_layers(&mirrored(head, &inner)).unwrap().0.dport, PORT, "{head:?}");
        }
        assert_eq!(decode_layers(&mirrored(&[1, 0, 0, 1], &[0; 100])).unwrap().0.dport, PORT);
    }
}
