//! Linux cooked captures, versions 1 and 2 (LINKTYPE_LINUX_SLL and
//! LINKTYPE_LINUX_SLL2 of tcpdump.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::{Next, Walk};
use crate::base::Mac;
use crate::coverage::Counter;

/// A header's protocol field and its sender's hardware address.
type Head = ([u8; 2], Option<Mac>);

/// Takes off a header of version 1: packet type 2, ARPHRD 2, address length 2,
/// address 8, protocol 2 bytes.
#[inline]
pub(super) fn head_v1(view: &mut View<'_>) -> Option<Head> {
    let h = view.take::<16>()?;
    let mac = ([h[4], h[5]] == [0, 6]).then(|| Mac([h[6], h[7], h[8], h[9], h[10], h[11]]));
    Some(([h[14], h[15]], mac))
}

/// Takes off a header of version 2: protocol 2, reserved 2, interface 4,
/// ARPHRD 2, packet type 1, address length 1, address 8 bytes.
#[inline]
pub(super) fn head_v2(view: &mut View<'_>) -> Option<Head> {
    let h = view.take::<20>()?;
    let mac = (h[11] == 6).then(|| Mac([h[12], h[13], h[14], h[15], h[16], h[17]]));
    Some(([h[0], h[1]], mac))
}

/// The walk's step behind a header of either version.
pub(super) fn step<'a>(head: Option<Head>, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let (bytes, mac) = head.ok_or(Counter::LinkMalformed)?;
    walk.src_mac = mac;
    protocol(bytes, view)
}

/// An ethertype, or one of Linux's numbers for what has none.
fn protocol(bytes: [u8; 2], view: View<'_>) -> Result<Next<'_>, Counter> {
    match u16::from_be_bytes(bytes) {
        4 => Ok(Next::Llc(view)),
        kind @ 1536.. => Ok(Next::EtherType(kind, view)),
        _ => Err(Counter::OtherEthertype),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_with, ipv4, udp};
    use super::*;

    const HEAD: [u8; 14] = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0];
    const HEAD2: [u8; 18] = [0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0];

    fn frames(protocol: [u8; 2], payload: &[u8]) -> [(u16, Vec<u8>); 2] {
        [(113, [&HEAD[..], &protocol, payload].concat()), (276, [&protocol[..], &HEAD2, payload].concat())]
    }

    #[test]
    fn both_versions_with_and_without_tags() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        for (link, frame) in frames([8, 0], &ip) {
            let p = decode_with(link, &frame, frame.len()).1.unwrap();
            assert_eq!((p.src_mac, p.dst_mac), (Some(Mac([2, 0, 0, 0, 0, 9])), None));
            assert_eq!((p.dport, &frame[p.payload_offset as usize..]), (53, &b"dns"[..]));
        }
        for (link, frame) in frames([0x81, 0], &[&[0, 12, 8, 0][..], &ip].concat()) {
            let (decoder, p) = decode_with(link, &frame, frame.len());
            assert_eq!(decoder.encaps().get(p.unwrap().encap).segment, "vlan:12");
        }
        for (link, frame) in frames([0, 4], &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &ip].concat()) {
            assert_eq!(decode_with(link, &frame, frame.len()).1.unwrap().dport, 53);
        }
    }

    #[test]
    fn an_address_of_another_length_is_no_mac() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        for (link, mut frame) in frames([8, 0], &ip) {
            frame[if link == 113 { 5 } else { 11 }] = 0;
            assert_eq!(decode_with(link, &frame, frame.len()).1.unwrap().src_mac, None);
        }
    }

    #[test]
    fn other_protocols_and_cut_headers() {
        for (link, frame) in frames([0, 1], &[0; 40]) {
            assert_eq!(decode_with(link, &frame, frame.len()).1, Err(Counter::OtherEthertype));
            assert_eq!(decode_with(link, &frame[..15], frame.len()).1, Err(Counter::LinkMalformed));
        }
        for (link, frame) in frames([8, 6], &[0; 40]) {
            assert_eq!(decode_with(link, &frame, frame.len()).1, Err(Counter::Arp));
        }
    }
}
