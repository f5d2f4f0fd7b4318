//! Frames as Juniper's routers capture them on Ethernet interfaces
//! (LINKTYPE_JUNIPER_ETHER of tcpdump.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::Next;
use crate::coverage::Counter;

/// Every frame begins with it.
const MAGIC: [u8; 3] = *b"MGC";
/// The link header was taken off.
const NO_LINK: u8 = 0x02;
/// Extensions follow.
const EXTENDED: u8 = 0x80;

/// Magic 3 bytes, flags 1; length of the extensions 2 bytes and extensions if
/// the flags say so; then Ethernet, or a number of the protocol 4 bytes and IP.
pub(super) fn step(mut view: View<'_>) -> Result<Next<'_>, Counter> {
    let [a, b, c, flags] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
    if [a, b, c] != MAGIC {
        return Err(Counter::LinkMalformed);
    }
    if flags & EXTENDED != 0 {
        let len = u16::from_be_bytes(*view.take::<2>().ok_or(Counter::LinkMalformed)?);
        view.skip(len.into()).ok_or(Counter::LinkMalformed)?;
    }
    if flags & NO_LINK == 0 {
        return Ok(Next::Ethernet(view));
    }
    view.skip(4).ok_or(Counter::LinkMalformed)?;
    match view.data.first().map(|b| b >> 4) {
        Some(4 | 6) => Ok(Next::Ip(view)),
        _ => Err(Counter::OtherEthertype),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{decode_with, ethernet, ipv4, udp};
    use super::*;

    #[test]
    fn with_and_without_link_header_and_extensions() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let frame = ethernet(0x0800, &ip);
        for bytes in [
            [&b"MGC\x00"[..], &frame].concat(),
            [&b"MGC\x81\x00\x03\x01\x01\x02"[..], &frame].concat(),
            [&b"MGC\x02\x02\0\0\0"[..], &ip].concat(),
            [&b"MGC\x82\x00\x03\x01\x01\x02\x02\0\0\0"[..], &ip].concat(),
        ] {
            assert_eq!(decode_with(178, &bytes, bytes.len()).1.unwrap().dport, 53);
        }
        let err = |bytes: &[u8]| decode_with(178, bytes, bytes.len()).1.unwrap_err();
        assert_eq!(err(b"MGD\x00"), Counter::LinkMalformed);
        assert_eq!(err(b"MGC\x80\x00\x09"), Counter::LinkMalformed);
        assert_eq!(err(b"MGC\x02\0\0\0\0\0\0\0"), Counter::OtherEthertype);
    }
}
