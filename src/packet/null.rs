//! BSD loopback captures (LINKTYPE_NULL and LINKTYPE_LOOP of tcpdump.org).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::ethertype;
use super::view::View;
use super::walk::Next;
use crate::coverage::Counter;

/// Four bytes of address family in the byte order of the capturing host, then
/// the packet. `AF_INET6` is 10 on Linux, 23 on Windows, 24 on NetBSD and
/// OpenBSD, 28 on FreeBSD, 30 on macOS.
pub(super) fn step(mut view: View<'_>) -> Result<Next<'_>, Counter> {
    let bytes = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
    // Some writers have the ethertype in the last two bytes behind two of
    // their own.
    if let [_, _, a, b] = bytes
        && let kind @ (ethertype::IPV4 | ethertype::IPV6) = u16::from_be_bytes([a, b])
    {
        return Ok(Next::EtherType(kind, view));
    }
    // No family needs more than 16 bits.
    let family = match bytes {
        [0, 0, _, _] => u32::from_be_bytes(bytes),
        _ => u32::from_le_bytes(bytes),
    };
    match family {
        2 => Ok(Next::EtherType(ethertype::IPV4, view)),
        10 | 23 | 24 | 28 | 30 => Ok(Next::EtherType(ethertype::IPV6, view)),
        // Some writers put an ethertype there.
        0x0800 | 0x86dd => Ok(Next::Ip(view)),
        _ => Err(Counter::OtherEthertype),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_with, ipv4, ipv6, udp};
    use super::*;

    #[test]
    fn families_of_all_systems_in_both_byte_orders() {
        let four = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        for link in [0, 108] {
            for (family, ip) in [(2u32, &four), (10, &six), (23, &six), (24, &six), (28, &six), (30, &six)] {
                for head in [family.to_le_bytes(), family.to_be_bytes()] {
                    let frame = [&head[..], ip].concat();
                    let p = decode_with(link, &frame, frame.len()).1.unwrap();
                    assert_eq!((p.dport, p.src_mac, p.payload_len), (53, None, 3));
                }
            }
            for (head, ip) in
                [(&[0x0f, 0, 8, 0], &four), (&[0, 0, 8, 0], &four), (&[0, 8, 0, 0], &four), (&[1, 2, 0x86, 0xdd], &six)]
            {
                let frame = [&head[..], ip].concat();
                assert_eq!(decode_with(link, &frame, frame.len()).1.unwrap().dport, 53);
            }
            let frame = [&7u32.to_le_bytes()[..], &four].concat();
            assert_eq!(decode_with(link, &frame, frame.len()).1, Err(Counter::OtherEthertype));
            assert_eq!(decode_with(link, &[2, 0, 0], 3).1, Err(Counter::LinkMalformed));
        }
    }
}
