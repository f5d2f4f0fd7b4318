//! L2TP: version 2 (RFC 2661 section 3.1) in UDP, version 3 (RFC 3931
//! section 4.1) in UDP and in IP.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::carries_ip;
use super::path::{Kind, Layer};
use super::udp_tunnel::Opened;
use super::view::View;
use super::walk::{Next, Walk};
use crate::coverage::Counter;

/// Its port.
pub(super) const PORT: u16 = 1701;

/// A control message.
const CONTROL: u16 = 0x8000;
/// A length follows.
const LENGTH: u16 = 0x4000;
/// Sequence numbers follow.
const SEQUENCE: u16 = 0x0800;
/// An offset and padding follow.
const OFFSET: u16 = 0x0200;
/// Bits that are 0, and the version.
const FIXED: u16 = 0x34ff;

/// A data message: flags and version 2 bytes; in version 2 length 2, tunnel 2,
/// session 2, sequence numbers 4, offset 2 bytes as the flags say, then PPP; in
/// version 3 reserved 2, session 4 bytes, then as [`session`].
pub(super) fn open(mut view: View<'_>) -> Opened<'_> {
    let flags = u16::from_be_bytes(*view.take::<2>()?);
    if flags & CONTROL != 0 {
        return None;
    }
    match flags & FIXED {
        2 => {}
        3 if flags == 3 => {
            view.skip(2)?;
            return session(view);
        }
        _ => return None,
    }
    if flags & LENGTH != 0 {
        let len = usize::from(u16::from_be_bytes(*view.take::<2>()?));
        // Of the whole message, whose first four bytes are gone.
        let rest = len.checked_sub(4).filter(|rest| *rest <= view.announced())?;
        view.limit(rest);
    }
    let [_, _, a, b] = *view.take::<4>()?;
    if flags & SEQUENCE != 0 {
        view.skip(4)?;
    }
    if flags & OFFSET != 0 {
        let padding = u16::from_be_bytes(*view.take::<2>()?);
        view.skip(padding.into())?;
    }
    // Address and control, or a protocol field: network layer, control of
    // network layer or link (RFC 1661 section 2).
    match view.peek::<2>()? {
        [0xff, 3] | [0x21 | 0x57, _] => {}
        // The second byte of a protocol is always odd.
        [0 | 0x80 | 0xc0, low] if low & 1 == 1 => {}
        _ => return None,
    }
    Some((Layer::with_id(Kind::L2tp, u32::from(u16::from_be_bytes([a, b]))), Next::Ppp(view)))
}

/// The walk's step over version 3 in IP. Session 0 is the control connection.
pub(super) fn step<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    if view.peek::<4>().ok_or(Counter::IpMalformed)? == &[0; 4] {
        return Err(Counter::OtherTransport);
    }
    let (layer, next) = session(view).ok_or(Counter::TunnelUnsupported)?;
    walk.enter(layer)?;
    Ok(next)
}

/// Session 4 bytes, cookie 0, 4 or 8, sublayer 0 or 4 bytes, which only the
/// ends know; then Ethernet, which is found by its look.
fn session(mut view: View<'_>) -> Opened<'_> {
    let id = u32::from_be_bytes(*view.take::<4>()?);
    for _ in 0..4 {
        if carries_ip(&view) {
            return Some((Layer::with_id(Kind::L2tp, id), Next::Ethernet(view)));
        }
        view.skip(4)?;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, ethernet, ipv4, udp};
    use super::*;

    fn packet() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    fn in_udp(message: &[u8]) -> Vec<u8> {
        ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &udp(PORT, PORT, message)))
    }

    #[test]
    fn version_2_with_all_fields() {
        let len = (12 + packet().len() as u16).to_be_bytes();
        for (head, layers) in [
            (&[0, 2, 0, 1, 1, 0, 0xff, 3, 0, 0x21][..], "l2tp:256"),
            (&[0, 2, 0, 1, 0, 9, 0x21], "l2tp:9"),
            (&[0x40, 2, len[0], len[1], 0, 1, 0, 9, 0xff, 3, 0, 0x21], "l2tp:9"),
            (&[0x0b, 2, 0, 1, 0, 9, 0, 1, 0, 2, 0, 3, 7, 7, 7, 0, 0x21], "l2tp:9"),
        ] {
            let (_, payload, found) = decode_layers(&in_udp(&[head, &packet()].concat())).unwrap();
            assert_eq!((payload.as_slice(), found.as_str()), (&b"dns"[..], layers));
        }
        for head in [[0xc8, 2, 0, 99, 0, 1, 0, 9], [0x10, 2, 0, 1, 0, 9, 0, 0x21], [0x40, 2, 0xff, 0xff, 0, 1, 0, 9]] {
            assert_eq!(decode_layers(&in_udp(&[&head[..], &packet()].concat())).unwrap().0.dport, PORT);
        }
    }

    #[test]
    fn version_3_with_any_cookie_and_sublayer() {
        let inner = ethernet(0x0800, &packet());
        for extra in [0, 4, 8, 12] {
            let body = [&[0, 0, 1, 0][..], &vec![0xcc; extra], &inner].concat();
            let in_ip = ethernet(0x0800, &ipv4(115, [192, 0, 2, 1], [192, 0, 2, 2], &body));
            for frame in [in_ip, in_udp(&[&[0, 3, 0, 0][..], &body].concat())] {
                let (p, payload, layers) = decode_layers(&frame).unwrap();
                assert_eq!((payload.as_slice(), layers.as_str()), (&b"dns"[..], "l2tp:256"));
                assert_eq!(p.src_mac, Some(SRC_MAC));
            }
        }
        let over_ip = |body: &[u8]| decode_layers(&ethernet(0x0800, &ipv4(115, [1; 4], [2; 4], body))).unwrap_err();
        assert_eq!(over_ip(&[0; 40]), Counter::OtherTransport);
        assert_eq!(over_ip(&[1; 40]), Counter::TunnelUnsupported);
        assert_eq!(over_ip(&[1; 3]), Counter::IpMalformed);
    }
}
