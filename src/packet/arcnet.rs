//! ARCNET frames as BSD and Linux capture them (LINKTYPE_ARCNET_BSD and
//! LINKTYPE_ARCNET_LINUX of tcpdump.org), with IP by RFC 1201 and RFC 1051.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::view::View;
use super::walk::{Content, FragmentHeader, IpHeader, Next};
use crate::coverage::Counter;

/// Protocol numbers of the ARCNET Trade Association.
mod protocol {
    /// IP by RFC 1051, without fragments.
    pub const IP_OLD: u8 = 240;
    /// ARP by RFC 1051.
    pub const ARP_OLD: u8 = 241;
    /// IP by RFC 1201.
    pub const IP: u8 = 212;
    /// ARP by RFC 1201.
    pub const ARP: u8 = 213;
    /// IPv6 (RFC 2497).
    pub const IPV6: u8 = 196;
}

/// Fragments but the last have so many bytes (RFC 1201, Fragmentation).
const FRAGMENT: u32 = 504;
/// Split flag of the padding that goes before frames of 253 to 255 bytes.
const EXCEPTION: u8 = 0xff;

/// The step over a frame of BSD: sender 1 byte, receiver 1; of Linux: the same
/// and 2 bytes of hardware offset.
pub(super) fn step(mut view: View<'_>, linux: bool) -> Result<Next<'_>, Counter> {
    let [src, dst] = *view.take::<2>().ok_or(Counter::LinkMalformed)?;
    if linux {
        view.skip(2).ok_or(Counter::LinkMalformed)?;
    }
    // Protocol 1 byte, split flag 1, sequence number 2 bytes.
    match *view.take::<1>().ok_or(Counter::LinkMalformed)? {
        [protocol::IP_OLD] => Ok(Next::Ip(view)),
        [protocol::ARP | protocol::ARP_OLD] => Err(Counter::Arp),
        [kind @ (protocol::IP | protocol::IPV6)] => {
            let mut head = *view.take::<3>().ok_or(Counter::LinkMalformed)?;
            if head[0] == EXCEPTION {
                // The true header follows.
                let [_, split, a, b] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
                head = [split, a, b];
            }
            fragment((src, dst), kind, head, view)
        }
        _ => Err(Counter::OtherEthertype),
    }
}

/// A split flag is 0 for a whole packet, odd for the first of (flag + 3) / 2
/// fragments, and twice the number of each later one, counted from 0.
fn fragment(ends: (u8, u8), kind: u8, head: [u8; 3], view: View<'_>) -> Result<Next<'_>, Counter> {
    let [split, a, b] = head;
    if split == 0 {
        return Ok(Next::Ip(view));
    }
    let number = if split & 1 == 1 { 0 } else { u32::from(split / 2) };
    let len = u32::try_from(view.announced()).unwrap_or(u32::MAX);
    let header = FragmentHeader {
        id: u32::from_be_bytes([0, kind, a, b]),
        start: number.wrapping_mul(FRAGMENT),
        // Only the first says how many there are; the last is the short one.
        more: len == FRAGMENT,
        content: Content::Ip,
    };
    let stations = IpHeader { src: ends.0.into(), dst: ends.1.into(), ttl: 0, v6: false };
    Ok(Next::Fragment(stations, header, view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_with, ipv4, ipv6, payload, udp};
    use super::super::{Decoder, Options};
    use super::*;
    use crate::base::Timestamp;
    use crate::capture::LinkType;

    #[test]
    fn whole_packets_of_both_standards_and_systems() {
        let four = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        for (head, ip) in [
            (&[212, 0, 0, 7][..], &four),
            (&[212, 0xff, 0xff, 0xff, 212, 0, 0, 7], &four),
            (&[196, 0, 0, 7], &six),
            (&[240], &four),
        ] {
            for (link, ends) in [(7, &[1, 2][..]), (129, &[1, 2, 0, 99])] {
                let frame = [ends, head, ip].concat();
                let p = decode_with(link, &frame, frame.len()).1.unwrap();
                assert_eq!((p.dport, p.payload_len, p.src_mac), (53, 3, None));
            }
        }
        let err = |frame: &[u8]| decode_with(7, frame, frame.len()).1.unwrap_err();
        assert_eq!(err(&[1, 2, 213, 0, 0, 7, 0, 7]), Counter::Arp);
        assert_eq!(err(&[1, 2, 241, 0, 7]), Counter::Arp);
        assert_eq!(err(&[1, 2, 205, 0, 0, 7]), Counter::OtherEthertype);
        assert_eq!(err(&[1, 2, 212, 0]), Counter::LinkMalformed);
    }

    #[test]
    fn fragments_in_any_order() {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, &[5; 1300]));
        let count = ip.len().div_ceil(504);
        let frames: Vec<Vec<u8>> = ip
            .chunks(504)
            .enumerate()
            .map(|(i, part)| {
                let split = if i == 0 { 2 * (count - 2) + 1 } else { 2 * i } as u8;
                [&[1, 2, 212, split, 0, 9][..], part].concat()
            })
            .collect();
        assert_eq!(frames.len(), 3);
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut decoder = Decoder::new(Options::default());
            let found = order.map(|i| {
                decoder.decode(LinkType(7), &frames[i], frames[i].len() as u32, 0, Timestamp(0)).map_err(|c| {
                    assert_eq!(c, Counter::IpFragments);
                })
            });
            let packet = found[2].unwrap();
            assert_eq!((packet.dport, payload(&decoder, &packet, &[])), (53, &[5; 1300][..]));
        }
    }
}
