//! GTP-U, the user plane of mobile networks (3GPP TS 29.281 section 5).
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

/// Its port.
pub(super) const PORT: u16 = 2152;
/// Message type of a user packet.
const G_PDU: u8 = 255;
/// Most extension headers.
const MAX_EXTENSIONS: usize = 8;

/// Version 3 bits, protocol type 1, reserved 1, flags E S PN 3 bits; message
/// type 1 byte, length of what follows the first 8 bytes 2, tunnel endpoint
/// id 4 bytes. Any flag adds 4 bytes, of which the last is the type of the
/// first extension header.
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let h = view.take::<8>()?;
    if h[0] & 0xf8 != 0x30 || h[1] != G_PDU {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([h[2], h[3]]));
    if len > view.announced() {
        return None;
    }
    view.limit(len);
    if h[0] & 7 != 0 {
        let [_, _, _, next] = *view.take::<4>()?;
        if h[0] & 4 != 0 {
            extensions(next, &mut view)?;
        }
    }
    if !matches!(view.data.first()? >> 4, 4 | 6) {
        return None;
    }
    Some((Layer::with_id(Kind::Gtpu, u32::from_be_bytes([h[4], h[5], h[6], h[7]])), Next::Ip(view)))
}

/// Skips extension headers: length in words 1 byte, content, type of the next
/// 1 byte (section 5.2.1).
fn extensions(first: u8, view: &mut View<'_>) -> Option<()> {
    let mut kind = first;
    for _ in 0..MAX_EXTENSIONS {
        if kind == 0 {
            return Some(());
        }
        let len = usize::from(*view.data.first()?).wrapping_mul(4);
        kind = *view.data.get(len.checked_sub(1)?)?;
        view.skip(len)?;
    }
    (kind == 0).then_some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, decode_with, ethernet, ipv4, udp};
    use super::*;

    fn wrap(first: u8, kind: u8, fields: &[u8]) -> Vec<u8> {
        let inner = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let len = ((fields.len() + inner.len()) as u16).to_be_bytes();
        let message = [&[first, kind][..], &len, &[0, 0, 1, 0], fields, &inner].concat();
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &udp(PORT, PORT, &message)))
    }

    #[test]
    fn user_packets_with_all_headers() {
        for frame in [
            wrap(0x30, 255, &[]),
            wrap(0x32, 255, &[0, 9, 0, 0]),
            wrap(0x34, 255, &[0, 0, 0, 0x85, 1, 0x10, 1, 0]),
            wrap(0x34, 255, &[0, 0, 0, 0xc0, 1, 1, 1, 0x85, 2, 1, 2, 3, 4, 5, 6, 0]),
        ] {
            let (p, payload, layers) = decode_layers(&frame).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str(), p.src_mac), (&b"dns"[..], "gtpu:256", None));
            let (decoder, p) = decode_with(1, &frame, frame.len());
            assert_eq!(decoder.encaps().get(p.unwrap().encap).segment, "gtpu");
        }
    }

    #[test]
    fn signalling_and_impossible_headers_are_ordinary() {
        for frame in [
            wrap(0x30, 1, &[]),
            wrap(0x20, 255, &[]),
            wrap(0x50, 255, &[]),
            wrap(0x34, 255, &[0, 0, 0, 0x85, 0, 0, 0, 0]),
            wrap(0x30, 255, &[0; 4]),
        ] {
            assert_eq!(decode_layers(&frame).unwrap().0.dport, PORT);
        }
    }
}
