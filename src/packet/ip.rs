//! The payload of an IP packet, by protocol number.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::{Kind, Layer};
use super::view::View;
use super::walk::{IpHeader, Next, Walk};
use super::{gre, ipcomp, ipv4, ipv6, l2tp, mpls, transport, udp_tunnel};
use crate::coverage::Counter;

/// The walk's step over an IP header, of the version that its first bits say.
pub(super) fn step<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match view.data.first().map(|b| b >> 4) {
        Some(4) => ipv4::step(view, walk),
        Some(6) => ipv6::step(view, walk),
        _ => Err(Counter::IpMalformed),
    }
}

/// Whether an IP header of either version stands there that announces just as
/// many bytes as there are: for tunnels that have no other mark.
pub(super) fn fills(view: &View<'_>) -> bool {
    let announced = match view.data {
        [0x45..=0x4f, _, a, b, ..] => usize::from(u16::from_be_bytes([*a, *b])),
        [0x60..=0x6f, _, _, _, a, b, ..] => usize::from(u16::from_be_bytes([*a, *b])).saturating_add(40),
        _ => return false,
    };
    announced == view.announced()
}

/// The walk's step over an IP payload (numbers: IANA, Assigned Internet
/// Protocol Numbers).
pub(super) fn payload<'a>(ip: IpHeader, proto: u8, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match proto {
        6 => transport::tcp(view).map(|segment| Next::Segment(ip, segment)),
        17 => udp_tunnel::step(ip, view, walk),
        4 => ip_in_ip(4, if ip.v6 { Kind::V4InV6 } else { Kind::V4InV4 }, view, walk),
        41 => ip_in_ip(6, if ip.v6 { Kind::V6InV6 } else { Kind::V6InV4 }, view, walk),
        47 => gre::step(view, walk),
        50 => {
            Err(walk.opaque(Counter::IpOpaque, [Counter::OpaqueEspFrames, Counter::OpaqueEspBytes], view.announced()))
        }
        58 if ip.v6 => {
            walk.note_icmp6(&ip, &view);
            Err(Counter::OtherTransport)
        }
        97 => ether_ip(view, walk),
        108 => ipcomp::step(ip, view, walk),
        115 => l2tp::step(view, walk),
        // MPLS in IP (RFC 4023).
        137 => mpls::step(view, walk),
        _ if ipv6::is_extension(proto, ip.v6) => ipv6::extension(ip, proto, view, walk),
        _ => Err(Counter::OtherTransport),
    }
}

/// IP in IP (RFC 2003, RFC 4213, RFC 2473): the inner header must be of the
/// version that the outer one announces.
fn ip_in_ip<'a>(version: u8, kind: Kind, view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    if view.data.first().is_none_or(|b| b >> 4 != version) {
        return Err(Counter::IpMalformed);
    }
    walk.enter(Layer::bare(kind))?;
    Ok(Next::Ip(view))
}

/// The walk's step over Ethernet in IP (RFC 3378 section 3): version 3 in 4
/// bits, 12 bits of zero.
fn ether_ip<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    if view.take::<2>() != Some(&[0x30, 0]) {
        return Err(Counter::TunnelUnsupported);
    }
    walk.enter(Layer::bare(Kind::EtherIp))?;
    Ok(Next::Ethernet(view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode_layers, decode_with, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn four(proto: u8, payload: &[u8]) -> Vec<u8> {
        ipv4(proto, [10, 0, 0, 1], [10, 0, 0, 2], payload)
    }

    fn six(next: u8, payload: &[u8]) -> Vec<u8> {
        ipv6(next, [1; 16], [2; 16], payload)
    }

    #[test]
    fn ip_in_ip_in_all_combinations() {
        let dns = udp(1, 53, b"dns");
        for (kind, packet, layers) in [
            (0x0800, four(4, &four(17, &dns)), "4in4"),
            (0x0800, four(41, &six(17, &dns)), "6in4"),
            (0x86dd, six(4, &four(17, &dns)), "4in6"),
            (0x86dd, six(41, &six(17, &dns)), "6in6"),
            (0x86dd, six(60, &[&[41, 0, 0, 0, 0, 0, 0, 0][..], &six(41, &six(17, &dns))].concat()), "6in6/6in6"),
            (0x0800, four(97, &[&[0x30, 0][..], &ethernet(0x0800, &four(17, &dns))].concat()), "etherip"),
            (0x0800, four(137, &[&[0, 1, 1, 64][..], &four(17, &dns)].concat()), "mpls:16"),
        ] {
            let (_, payload, found) = decode_layers(&ethernet(kind, &packet)).unwrap();
            assert_eq!((payload.as_slice(), found.as_str()), (&b"dns"[..], layers));
        }
    }

    #[test]
    fn wrong_versions_and_other_protocols() {
        let err = |packet: &[u8]| decode_layers(&ethernet(0x0800, packet)).unwrap_err();
        assert_eq!(err(&four(4, &six(17, &[0; 8]))), Counter::IpMalformed);
        assert_eq!(err(&four(41, &four(17, &[0; 8]))), Counter::IpMalformed);
        assert_eq!(err(&four(97, &[0x20, 0])), Counter::TunnelUnsupported);
        assert_eq!(err(&four(132, &[0; 8])), Counter::OtherTransport);
        assert_eq!(err(&four(0, &[0; 8])), Counter::OtherTransport, "hop-by-hop is IPv6's");
    }

    #[test]
    fn encrypted_packets_are_counted_in_bytes() {
        for frame in [ethernet(0x0800, &four(50, &[7; 80])), ethernet(0x86dd, &six(50, &[7; 80]))] {
            let (mut decoder, result) = decode_with(1, &frame[..60], frame.len());
            assert_eq!(result, Err(Counter::IpOpaque));
            let counts: Vec<_> = decoder.side_counts().collect();
            assert_eq!(
                counts,
                [(Counter::OpaqueEspFrames, 1), (Counter::OpaqueEspBytes, 80)],
                "on the wire, whatever was captured"
            );
        }
    }
}
