//! GRE (RFC 2784, RFC 2890), NVGRE (RFC 7637), and the GRE of PPTP
//! (RFC 2637 section 4.1).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::ethertype;
use super::path::{Kind, Layer};
use super::view::View;
use super::walk::{Next, Walk};
use super::{erspan, mpls};
use crate::coverage::Counter;

/// Port of GRE in UDP (RFC 8086 section 3).
pub(super) const PORT: u16 = 4754;

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// Acknowledgement number, in PPTP.
const ACK: u16 = 0x0080;

/// Ethernet.
pub(super) const BRIDGED: u16 = 0x6558;
/// PPP.
const PPP: u16 = 0x880b;
/// Web cache redirection, IPv4 behind an optional header.
const WCCP: u16 = 0x883e;
/// ERSPAN types I and II.
const ERSPAN: u16 = 0x88be;
/// ERSPAN type III.
const ERSPAN3: u16 = 0x22eb;

/// 802.11 frames between Aruba's access points and controllers; the third hex
/// digit numbers the tunnel.
const ARUBA_FIRST: u16 = 0x8200;
const ARUBA_LAST: u16 = 0x8370;
/// Another number of theirs for the same.
const ARUBA_OTHER: u16 = 0x9000;

/// MikroTik's Ethernet over IP.
const EOIP: u16 = 0x6400;

/// The virtual subnets below are reserved (RFC 7637 section 3.2): such a key
/// is a plain one.
const FIRST_SUBNET: u32 = 0x1000;

/// Whether a GRE header of version 0 with a payload that is decoded stands
/// there.
pub(super) fn is_header(view: &View<'_>) -> bool {
    let Some([a, b, c, d]) = view.peek() else { return false };
    u16::from_be_bytes([*a, *b]) & !(CHECKSUM | KEY | SEQUENCE) == 0
        && matches!(
            u16::from_be_bytes([*c, *d]),
            ethertype::IPV4
                | ethertype::IPV6
                | ethertype::MPLS
                | ethertype::MPLS_UPSTREAM
                | BRIDGED
                | PPP
                | WCCP
                | ERSPAN
                | ERSPAN3
        )
}

/// The walk's step over a GRE header: flags and version 2 bytes, protocol 2,
/// then checksum and offset 4, key 4, sequence number 4 as the flags say.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [a, b, c, d] = *view.take::<4>().ok_or(Counter::IpMalformed)?;
    let (flags, protocol) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match flags & 7 {
        0 if flags & ROUTING != 0 => return Err(Counter::TunnelUnsupported),
        0 => {}
        1 if flags == KEY | 1 && protocol == EOIP => return eoip(view, walk),
        1 if protocol == PPP => return pptp(flags, view, walk),
        _ => return Err(Counter::TunnelUnsupported),
    }
    if flags & CHECKSUM != 0 {
        view.skip(4).ok_or(Counter::IpMalformed)?;
    }
    let key = match flags & KEY {
        0 => None,
        _ => Some(u32::from_be_bytes(*view.take::<4>().ok_or(Counter::IpMalformed)?)),
    };
    if flags & SEQUENCE != 0 {
        view.skip(4).ok_or(Counter::IpMalformed)?;
    }
    let plain = Layer { kind: Kind::Gre, id: key };
    match protocol {
        ethertype::IPV4 | ethertype::IPV6 => {
            walk.enter(plain)?;
            Ok(Next::Ip(view))
        }
        BRIDGED => {
            // The low byte of an NVGRE key tells flows apart, not tenants.
            let subnet = key.map(|k| k >> 8).filter(|s| *s >= FIRST_SUBNET && flags & (CHECKSUM | SEQUENCE) == 0);
            walk.enter(subnet.map_or(plain, |s| Layer::with_id(Kind::Nvgre, s)))?;
            Ok(Next::Ethernet(view))
        }
        ERSPAN if flags & SEQUENCE == 0 => erspan::type1(view, walk),
        ERSPAN | ERSPAN3 => erspan::step(view, walk),
        PPP => {
            walk.enter(plain)?;
            Ok(Next::Ppp(view))
        }
        WCCP => {
            walk.enter(plain)?;
            if view.data.first().is_some_and(|b| b >> 4 != 4) {
                view.skip(4).ok_or(Counter::IpMalformed)?;
            }
            Ok(Next::Ip(view))
        }
        ARUBA_FIRST..=ARUBA_LAST | ARUBA_OTHER if protocol & 15 == 0 => {
            walk.enter(plain)?;
            Ok(Next::Wifi(view))
        }
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => {
            walk.enter(plain)?;
            mpls::step(view, walk)
        }
        _ => Err(Counter::TunnelUnsupported),
    }
}

/// Version 1: payload length 2 bytes, call id 2, then sequence and
/// acknowledgement number as the flags say.
fn pptp<'a>(flags: u16, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.take::<4>().ok_or(Counter::IpMalformed)?;
    for number in [SEQUENCE, ACK] {
        if flags & number != 0 {
            view.skip(4).ok_or(Counter::IpMalformed)?;
        }
    }
    if flags & SEQUENCE == 0 {
        // A bare acknowledgement.
        return Err(Counter::OtherTransport);
    }
    view.limit(usize::from(u16::from_be_bytes([h[0], h[1]])));
    walk.enter(Layer::with_id(Kind::Pptp, u32::from(u16::from_be_bytes([h[2], h[3]]))))?;
    Ok(Next::Ppp(view))
}

/// MikroTik's use of version 1: length 2 bytes, tunnel id 2 bytes in little
/// endian, then Ethernet (MikroTik manual, EoIP).
fn eoip<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.take::<4>().ok_or(Counter::IpMalformed)?;
    view.limit(usize::from(u16::from_be_bytes([h[0], h[1]])).min(view.announced()));
    walk.enter(Layer::with_id(Kind::Eoip, u32::from(u16::from_le_bytes([h[2], h[3]]))))?;
    Ok(Next::Ethernet(view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{DST_MAC, decode_layers, ethernet, ipv4, ipv6, udp, wifi};
    use super::*;

    fn packet() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"))
    }

    fn gre(head: &[u8], payload: &[u8]) -> Result<(String, Option<crate::base::Mac>), Counter> {
        let outer = ipv4(47, [192, 0, 2, 1], [192, 0, 2, 2], &[head, payload].concat());
        decode_layers(&ethernet(0x0800, &outer)).map(|(p, payload, layers)| {
            assert_eq!(payload, b"dns");
            (layers, p.dst_mac)
        })
    }

    #[test]
    fn flags_decide_the_length() {
        let (c, k, s) = ([0xcc; 4], [0, 0, 1, 2], [0xdd; 4]);
        let cases: [(u8, Vec<u8>, &str); 5] = [
            (0x00, vec![], "gre"),
            (0x80, c.to_vec(), "gre"),
            (0x20, k.to_vec(), "gre:258"),
            (0x10, s.to_vec(), "gre"),
            (0xb0, [c, k, s].concat(), "gre:258"),
        ];
        for (flags, fields, layers) in cases {
            let head = [&[flags, 0, 8, 0][..], &fields].concat();
            assert_eq!(gre(&head, &packet()), Ok((layers.to_owned(), None)));
        }
        assert_eq!(gre(&[0x40, 0, 8, 0], &packet()), Err(Counter::TunnelUnsupported));
        assert_eq!(gre(&[0, 2, 8, 0], &packet()), Err(Counter::TunnelUnsupported));
        assert_eq!(gre(&[0, 0, 0, 0xfe], &packet()), Err(Counter::TunnelUnsupported));
        assert_eq!(gre(&[0xb0, 0, 8, 0, 1, 2], &[]), Err(Counter::IpMalformed));
    }

    #[test]
    fn payloads() {
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        assert_eq!(gre(&[0, 0, 0x86, 0xdd], &six).unwrap().0, "gre");
        let frame = ethernet(0x8100, &[&[0, 5, 8, 0][..], &packet()].concat());
        assert_eq!(gre(&[0, 0, 0x65, 0x58], &frame), Ok(("gre/vlan:5".into(), Some(DST_MAC))));
        assert_eq!(gre(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 77], &frame).unwrap().0, "gre:77/vlan:5");
        assert_eq!(gre(&[0x20, 0, 0x65, 0x58, 0, 0x20, 1, 0xab], &frame).unwrap().0, "vsid:8193/vlan:5");
        assert_eq!(gre(&[0, 0, 0x88, 0x3e], &packet()).unwrap().0, "gre");
        assert_eq!(gre(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &packet()).unwrap().0, "gre");
        assert_eq!(gre(&[0, 0, 0x88, 0x47, 0, 1, 0x01, 64], &packet()).unwrap().0, "gre/mpls:16");
        for protocol in [[0x82, 0x10], [0x83, 0x70], [0x90, 0]] {
            let head = [&[0, 0][..], &protocol].concat();
            assert_eq!(gre(&head, &wifi(1, true, &packet())), Ok(("gre".into(), Some(DST_MAC))));
        }
        assert_eq!(gre(&[0, 0, 0x88, 0x0b, 0, 0x21], &packet()).unwrap().0, "gre");
    }

    #[test]
    fn in_udp() {
        for (head, inner, layers) in [
            (&[0, 0, 8, 0][..], packet(), "gre"),
            (&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7], ethernet(0x0800, &packet()), "gre:7"),
            (&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 5, 0, 0, 0, 0], ethernet(0x0800, &packet()), "erspan:5"),
        ] {
            for (sport, dport) in [(50_000, PORT), (PORT, 50_000)] {
                let datagram = udp(sport, dport, &[head, &inner].concat());
                let frame = ethernet(0x0800, &ipv4(17, [192, 0, 2, 1], [192, 0, 2, 2], &datagram));
                let (_, payload, found) = decode_layers(&frame).unwrap();
                assert_eq!((payload.as_slice(), found.as_str()), (&b"dns"[..], layers));
            }
        }
    }

    #[test]
    fn ethernet_over_ip_of_mikrotik() {
        let frame = ethernet(0x0800, &packet());
        let head = [0x20, 1, 0x64, 0, 0, frame.len() as u8, 9, 1];
        assert_eq!(gre(&head, &frame), Ok(("eoip:265".into(), Some(DST_MAC))));
        assert_eq!(gre(&[0x20, 0, 0x64, 0, 0, 9, 9, 1], &frame), Err(Counter::TunnelUnsupported));
    }

    #[test]
    fn pptp_calls() {
        let len = packet().len() as u8 + 4;
        let head = [0x30, 0x81, 0x88, 0x0b, 0, len, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0, 0x21];
        assert_eq!(gre(&head, &packet()).unwrap().0, "pptp:9");
        assert_eq!(gre(&[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 2], &[]), Err(Counter::OtherTransport));
    }
}
