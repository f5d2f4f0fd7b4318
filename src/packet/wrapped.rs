//! Links that wrap others: NFLOG, PPI and PKTAP (LINKTYPE_NFLOG, LINKTYPE_PPI
//! and LINKTYPE_PKTAP of tcpdump.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::link;
use super::view::View;
use super::walk::{Next, Walk};
use crate::base::Mac;
use crate::capture::LinkType;
use crate::coverage::Counter;

/// Sender's hardware address, as NFLOG numbers it.
const NFULA_HWADDR: u16 = 8;
/// The packet.
const NFULA_PAYLOAD: u16 = 9;
/// Most attributes before the packet.
const MAX_ATTRIBUTES: usize = 64;

/// NFLOG: family 1 byte, version 1, resource 2 bytes, then attributes: length
/// 2 bytes (with this head), type 2, value, padded to 4. They are in the byte
/// order of the capturing host, which the type, always below 256, gives away.
pub(super) fn nflog<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [_family, version, ..] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
    if version != 0 {
        return Err(Counter::LinkMalformed);
    }
    for _ in 0..MAX_ATTRIBUTES {
        let [a, b, c, d] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
        let (len, kind) = match d {
            0 => (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])),
            _ => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        };
        let len = usize::from(len).checked_sub(4).ok_or(Counter::LinkMalformed)?;
        match kind {
            NFULA_PAYLOAD => {
                view.limit(len);
                return Ok(Next::Ip(view));
            }
            NFULA_HWADDR => {
                if let Some([0, 6, _, _, mac @ ..]) = view.peek::<10>() {
                    walk.src_mac = Some(Mac(*mac));
                }
            }
            _ => {}
        }
        view.skip(len.next_multiple_of(4)).ok_or(Counter::LinkMalformed)?;
    }
    Err(Counter::LinkMalformed)
}

/// PKTAP: length of the header 4 bytes, what follows 4 (1 is a packet), its
/// link type 4 bytes, and more; little endian.
pub(super) fn pktap<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.peek::<12>().ok_or(Counter::LinkMalformed)?;
    let len = usize::try_from(u32::from_le_bytes([h[0], h[1], h[2], h[3]])).unwrap_or(usize::MAX);
    if len < 12 || [h[4], h[5], h[6], h[7]] != [1, 0, 0, 0] {
        return Err(Counter::LinkMalformed);
    }
    view.skip(len).ok_or(Counter::LinkMalformed)?;
    inner([h[8], h[9]], view, walk)
}

/// A link type of private use, which Apple's systems used for PKTAP before it
/// had a number of its own: taken for it only if the header has its length and
/// the link inside is one that is decoded.
pub(super) fn user2<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match view.peek::<12>() {
        Some([108, 0, 0, 0, 1, 0, 0, 0, a, b, 0, 0]) if link::supports(LinkType(u16::from_le_bytes([*a, *b]))) => {
            pktap(view, walk)
        }
        _ => Err(Counter::LinkUnsupported),
    }
}

/// PPI: version 1 byte, flags 1, length of the header 2, link type of what
/// follows 4 bytes, and fields; little endian.
pub(super) fn ppi<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.peek::<8>().ok_or(Counter::LinkMalformed)?;
    let len = usize::from(u16::from_le_bytes([h[2], h[3]]));
    if h[0] != 0 || len < 8 {
        return Err(Counter::LinkMalformed);
    }
    view.skip(len).ok_or(Counter::LinkMalformed)?;
    inner([h[4], h[5]], view, walk)
}

/// The link inside, which must not be a wrapper again.
fn inner<'a>(number: [u8; 2], view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match LinkType(u16::from_le_bytes(number)) {
        link::PKTAP | link::PPI | link::USER2 => Err(Counter::LinkMalformed),
        inner => link::step(inner, view, walk),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_with, ethernet, ipv4, udp, wifi};
    use super::*;

    fn ip() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    #[test]
    fn nflog_in_both_byte_orders() {
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let attribute = |kind: u16, value: &[u8]| {
                let mut a = [&bytes(value.len() as u16 + 4)[..], &bytes(kind), value].concat();
                a.resize(a.len().next_multiple_of(4), 0);
                a
            };
            let mac = [&[0, 6, 0, 0][..], &SRC_MAC.0, &[0, 0]].concat();
            let head = [&[2, 0, 0, 5][..], &attribute(10, b"abcd\0"), &attribute(8, &mac)].concat();
            let frame = [head.clone(), attribute(9, &ip())].concat();
            let p = decode_with(239, &frame, frame.len()).1.unwrap();
            assert_eq!((p.dport, p.payload_len, p.src_mac), (53, 3, Some(SRC_MAC)));
            assert_eq!(decode_with(239, &head, head.len()).1, Err(Counter::LinkMalformed));
        }
        let zero_length = [&[2, 0, 0, 5, 0, 0, 1, 0][..], &[0; 40]].concat();
        assert_eq!(decode_with(239, &zero_length, 48).1, Err(Counter::LinkMalformed));
    }

    #[test]
    fn pktap_and_ppi_over_other_links() {
        let head = |link: u8, kind: u8| [&[108, 0, 0, 0, kind, 0, 0, 0, link, 0, 0, 0][..], &[0; 96]].concat();
        for (link, inner) in [(1, ethernet(0x0800, &ip())), (12, ip()), (0, [&[2, 0, 0, 0][..], &ip()].concat())] {
            let frame = [head(link, 1), inner].concat();
            assert_eq!(decode_with(258, &frame, frame.len()).1.unwrap().dport, 53);
        }
        let user2 = [head(12, 1), ip()].concat();
        assert_eq!(decode_with(149, &user2, user2.len()).1.unwrap().dport, 53);
        let another = [head(10, 1), ip()].concat();
        assert_eq!(decode_with(149, &another, another.len()).1, Err(Counter::LinkUnsupported));
        assert_eq!(decode_with(149, &ip(), ip().len()).1, Err(Counter::LinkUnsupported));
        let ppi = [&[0, 0, 12, 0, 105, 0, 0, 0, 1, 2, 3, 4][..], &wifi(2, true, &ip())].concat();
        assert_eq!(decode_with(192, &ppi, ppi.len()).1.unwrap().dport, 53);
        assert_eq!(decode_with(192, &[0, 0, 7, 0, 1, 0, 0, 0], 8).1, Err(Counter::LinkMalformed));
        let go = |head: Vec<u8>| decode_with(258, &[head, ip()].concat(), 200).1.unwrap_err();
        assert_eq!(go(head(10, 1)), Counter::LinkUnsupported);
        assert_eq!(go(head(1, 0)), Counter::LinkMalformed);
        let mut nested = head(2, 1);
        nested[9] = 1;
        assert_eq!(go(nested), Counter::LinkMalformed);
    }
}
