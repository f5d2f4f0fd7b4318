//! PPP (RFC 1661 section 2, RFC 1662 section 3.1) and PPPoE sessions
//! (RFC 2516 section 4).
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
use super::{ipv4, ipv6, mpls};
use crate::coverage::Counter;

/// The walk's step over a PPP protocol field, which the address and control
/// bytes may precede and which may be compressed to one byte.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    if view.peek() == Some(&[0xff, 3]) {
        view.skip(2).ok_or(Counter::LinkMalformed)?;
    }
    let [first] = *view.take::<1>().ok_or(Counter::LinkMalformed)?;
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        let [second] = *view.take::<1>().ok_or(Counter::LinkMalformed)?;
        u16::from_be_bytes([first, second])
    };
    match protocol {
        0x0021 => ipv4::step(view, walk),
        0x0057 => ipv6::step(view, walk),
        0x0281 | 0x0283 => mpls::step(view, walk),
        // Compressed headers, multilink fragments, encryption, compression.
        0x002d | 0x002f | 0x003d | 0x0053 | 0x0055 | 0x00fb | 0x00fd => Err(Counter::TunnelUnsupported),
        _ => Err(Counter::OtherEthertype),
    }
}

/// The walk's step over PPPoE: version and type 1 byte, code 1, session 2,
/// length 2 bytes. The hardware addresses around it are the subscriber's and
/// stay.
pub(super) fn pppoe<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.take::<6>().ok_or(Counter::LinkMalformed)?;
    if h[0] != 0x11 {
        return Err(Counter::LinkMalformed);
    }
    if h[1] != 0 {
        return Err(Counter::OtherEthertype);
    }
    let session = u16::from_be_bytes([h[2], h[3]]);
    walk.tag(Layer::with_id(Kind::Pppoe, u32::from(session)))?;
    let len = usize::from(u16::from_be_bytes([h[4], h[5]]));
    // 0 after segmentation offload.
    if len != 0 {
        view.limit(len);
    }
    Ok(Next::Ppp(view))
}

/// The walk's step over a link of type PPP_HDLC, which may as well carry Cisco
/// HDLC, and of type C_HDLC: address, control, and an ethertype.
pub(super) fn hdlc<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match view.peek::<4>() {
        Some([0x0f | 0x8f, 0, a, b]) => {
            let kind = u16::from_be_bytes([*a, *b]);
            view.skip(4).ok_or(Counter::LinkMalformed)?;
            Ok(Next::EtherType(kind, view))
        }
        _ => step(view, walk),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, decode_with, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn packet() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    #[test]
    fn links_with_all_forms_of_the_protocol_field() {
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        for (head, ip) in
            [(&[0xff, 3, 0, 0x21][..], packet()), (&[0, 0x21], packet()), (&[0x21], packet()), (&[0, 0x57], six)]
        {
            for link in [9, 50] {
                let frame = [head, &ip].concat();
                assert_eq!(decode_with(link, &frame, frame.len()).1.unwrap().payload_len, 3);
            }
        }
        let cisco = [&[0x0f, 0, 8, 0][..], &packet()].concat();
        for link in [50, 104] {
            assert_eq!(decode_with(link, &cisco, cisco.len()).1.unwrap().payload_len, 3);
        }
        assert_eq!(decode_with(9, &[0xff, 3, 0xc0, 0x21, 1, 2], 6).1, Err(Counter::OtherEthertype));
        assert_eq!(decode_with(9, &[0, 0xfd, 1, 2], 4).1, Err(Counter::TunnelUnsupported));
        assert_eq!(decode_with(9, &[0], 1).1, Err(Counter::LinkMalformed));
    }

    #[test]
    fn pppoe_sessions_keep_the_subscribers_address() {
        let len = (packet().len() as u16 + 2).to_be_bytes();
        let session = [&[0x11, 0, 0x12, 0x34][..], &len, &[0, 0x21], &packet(), &[0; 9]].concat();
        let (p, payload, layers) = decode_layers(&ethernet(0x8864, &session)).unwrap();
        assert_eq!((layers.as_str(), payload.as_slice()), ("pppoe:4660", &b"dns"[..]));
        assert_eq!(p.src_mac, Some(SRC_MAC));
        let err = |bytes: &[u8]| decode_layers(&ethernet(0x8864, bytes)).unwrap_err();
        assert_eq!(err(&session[..5]), Counter::LinkMalformed);
        assert_eq!(err(&[0x21; 40]), Counter::LinkMalformed);
        assert_eq!(err(&[0x11, 0xa7, 0, 1, 0, 0, 0, 0]), Counter::OtherEthertype);
        assert_eq!(decode_layers(&ethernet(0x8863, &session)).unwrap_err(), Counter::OtherEthertype);
    }
}
