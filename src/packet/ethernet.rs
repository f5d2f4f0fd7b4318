//! Ethernet, its tags, and LLC (IEEE 802.3 section 3, 802.1Q section 9,
//! 802.2 section 3).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::encap::{SERVICE, tag_layer};
use super::path::Kind;
use super::view::View;
use super::walk::{Next, Walk};
use super::{bridge, ipv4, ipv6, macsec, mpls, ppp};
use crate::base::Mac;
use crate::coverage::Counter;

/// Ethertypes (IEEE 802 Numbers, IANA).
pub(super) mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// Address resolution.
    pub const ARP: u16 = 0x0806;
    /// Customer VLAN tag.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// Service VLAN tag.
    pub const QINQ: u16 = 0x88a8;
    /// Cisco's and others' port tag.
    pub const VN_TAG: u16 = 0x8926;
    /// Port tag of 802.1BR.
    pub const E_TAG: u16 = 0x893f;
    /// Cisco MetaData.
    pub const CISCO_METADATA: u16 = 0x8909;
    /// MPLS.
    pub const MPLS: u16 = 0x8847;
    /// MPLS with upstream-assigned label.
    pub const MPLS_UPSTREAM: u16 = 0x8848;
    /// PPPoE session.
    pub const PPPOE_SESSION: u16 = 0x8864;
    /// Provider backbone service instance.
    pub const BACKBONE: u16 = 0x88e7;
    /// MACsec.
    pub const MACSEC: u16 = 0x88e5;
    /// Service VLAN tag of older switches.
    pub const QINQ_OLD: u16 = 0x9100;
}

/// Most tags of one frame, priority tags included.
const MAX_TAGS: usize = 8;

/// Whether an ethertype announces a VLAN tag.
#[inline]
pub(super) fn is_tag(kind: u16) -> bool {
    matches!(kind, ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD | 0x9200)
}

/// Whether a common ethertype stands where an Ethernet header has it.
pub(super) fn looks_like_ethernet(view: &View<'_>) -> bool {
    view.peek::<14>().is_some_and(|h| {
        matches!(
            u16::from_be_bytes([h[12], h[13]]),
            ethertype::IPV4
                | ethertype::IPV6
                | ethertype::ARP
                | ethertype::VLAN
                | ethertype::QINQ
                | ethertype::PPPOE_SESSION
                | ethertype::MPLS
        )
    })
}

/// Whether an Ethernet header with IP or ARP stands there: for places that
/// only the ends of a tunnel know.
pub(super) fn carries_ip(view: &View<'_>) -> bool {
    let Some((head, rest)) = view.data.split_first_chunk::<14>() else { return false };
    let mut kind = [head[12], head[13]];
    let mut rest = rest;
    // One tag at most.
    if is_tag(u16::from_be_bytes(kind)) {
        let Some((tag, behind)) = rest.split_first_chunk::<4>() else { return false };
        (kind, rest) = ([tag[2], tag[3]], behind);
    }
    match (u16::from_be_bytes(kind), rest) {
        (ethertype::IPV4, [first, ..]) => matches!(first, 0x45..=0x4f),
        (ethertype::IPV6, [first, ..]) => first >> 4 == 6,
        (ethertype::ARP, [0, 1, 8, 0, ..]) => true,
        _ => false,
    }
}

/// The walk's step over an Ethernet header.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let h = view.take::<14>().ok_or(Counter::LinkMalformed)?;
    walk.dst_mac = Some(Mac([h[0], h[1], h[2], h[3], h[4], h[5]]));
    walk.src_mac = Some(Mac([h[6], h[7], h[8], h[9], h[10], h[11]]));
    payload(u16::from_be_bytes([h[12], h[13]]), view, walk)
}

/// The walk's step over what an ethertype announces. Below 1536 it is a length
/// (IEEE 802.3 section 3.2.6).
pub(super) fn payload<'a>(kind: u16, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match kind {
        ethertype::IPV4 => ipv4::step(view, walk),
        ethertype::IPV6 => ipv6::step(view, walk),
        ethertype::ARP => {
            walk.note_arp(&view);
            Err(Counter::Arp)
        }
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => mpls::step(view, walk),
        ethertype::PPPOE_SESSION => ppp::pppoe(view, walk),
        ethertype::BACKBONE => bridge::backbone(view, walk),
        ethertype::VN_TAG => bridge::port_tag::<4>(Kind::VnTag, view, walk),
        ethertype::E_TAG => bridge::port_tag::<6>(Kind::ETag, view, walk),
        ethertype::CISCO_METADATA => bridge::metadata(view, walk),
        ethertype::MACSEC => macsec::step(view, walk),
        0..=1500 => {
            view.limit(usize::from(kind).min(view.announced()));
            Ok(Next::Llc(view))
        }
        _ if is_tag(kind) => tags(kind, view, walk),
        _ => Err(Counter::OtherEthertype),
    }
}

/// A tag as [`tag_layer`] takes it. One with VLAN id 0 carries only a priority.
#[inline]
pub(super) fn tag(kind: u16, control: [u8; 2]) -> u16 {
    match u16::from_be_bytes(control) & 0x0fff {
        0 => 0,
        vid if kind == ethertype::VLAN => vid,
        vid => vid | SERVICE,
    }
}

/// Takes off VLAN tags, the first of the ethertype `announced`.
fn tags<'a>(mut announced: u16, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    for _ in 0..MAX_TAGS {
        let [a, b, c, d] = *view.take::<4>().ok_or(Counter::LinkMalformed)?;
        let tag = tag(announced, [a, b]);
        if tag != 0 {
            walk.tag(tag_layer(tag))?;
        }
        let kind = u16::from_be_bytes([c, d]);
        if !is_tag(kind) {
            return Ok(Next::EtherType(kind, view));
        }
        announced = kind;
    }
    Err(Counter::LayersExceeded)
}

/// The walk's step over an LLC header: SNAP with an ethertype, or IP's own
/// service access point (RFC 1042).
pub(super) fn llc(mut view: View<'_>) -> Result<Next<'_>, Counter> {
    match *view.take::<3>().ok_or(Counter::LinkMalformed)? {
        [0xaa, 0xaa, 3] => match *view.take::<5>().ok_or(Counter::LinkMalformed)? {
            // Encapsulated Ethernet, and bridged by IEEE 802.1H.
            [0, 0, 0 | 0xf8, a, b] => match u16::from_be_bytes([a, b]) {
                0..=1500 => Err(Counter::OtherEthertype),
                kind => Ok(Next::EtherType(kind, view)),
            },
            _ => Err(Counter::OtherEthertype),
        },
        [6, 6, 3] => Ok(Next::Ip(view)),
        _ => Err(Counter::OtherEthertype),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{DST_MAC, SRC_MAC, decode, decode_with, ethernet, ipv4, ipv6, tcp, udp};
    use super::*;

    fn datagram() -> Vec<u8> {
        ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1000, 53, b"dns"))
    }

    fn tagged(tags: &[(u16, u16)], inner: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, (_, tci)) in tags.iter().enumerate() {
            bytes.extend_from_slice(&tci.to_be_bytes());
            bytes.extend_from_slice(&tags.get(i + 1).map_or(inner, |t| t.0).to_be_bytes());
        }
        bytes.extend_from_slice(payload);
        ethernet(tags.first().map_or(inner, |t| t.0), &bytes)
    }

    #[test]
    fn plain_frames_of_both_versions() {
        let (p, payload) = decode(&ethernet(0x0800, &datagram())).unwrap();
        assert_eq!((p.src_mac, p.dst_mac), (Some(SRC_MAC), Some(DST_MAC)));
        assert_eq!((p.src.to_string(), p.dst.to_string()), ("10.0.0.1".into(), "10.0.0.2".into()));
        assert_eq!((p.sport, p.dport, p.ttl, payload.as_slice()), (1000, 53, 64, &b"dns"[..]));
        let six = ipv6(6, [1; 16], [2; 16], &tcp(1, 443, 0x18, b"hello"));
        let (p, payload) = decode(&ethernet(0x86dd, &six)).unwrap();
        assert_eq!((p.src.0, p.dport, p.flags, payload.as_slice()), ([1; 16], 443, 0x18, &b"hello"[..]));
    }

    #[test]
    fn tags_of_any_kind_and_number_make_the_segment() {
        let cases: [(&[(u16, u16)], &str); 8] = [
            (&[], ""),
            (&[(0x8100, 10)], "vlan:10"),
            (&[(0x8100, 0xe00a)], "vlan:10"),
            (&[(0x8100, 0xe000)], ""),
            (&[(0x88a8, 10), (0x8100, 20)], "vlan:10/vlan:20"),
            (&[(0x9100, 10), (0x8100, 20)], "vlan:10/vlan:20"),
            (&[(0x88a8, 1), (0x88a8, 2), (0x8100, 3)], "vlan:1/vlan:2/vlan:3"),
            (&[(0x8100, 0), (0x8100, 5), (0x8100, 0)], "vlan:5"),
        ];
        for (tags, segment) in cases {
            let frame = tagged(tags, 0x0800, &datagram());
            let (mut decoder, result) = decode_with(1, &frame, frame.len());
            let packet = result.unwrap();
            assert_eq!(decoder.encaps().get(packet.encap).segment, segment);
            let again = decoder.decode(crate::capture::LinkType(1), &frame, frame.len() as u32, 0, packet.ts);
            assert_eq!(again, Ok(packet));
        }
    }

    #[test]
    fn tags_are_bounded_and_may_be_cut() {
        let many = vec![(0x8100, 0); 9];
        assert_eq!(decode(&tagged(&many, 0x0800, &datagram())).unwrap_err(), Counter::LayersExceeded);
        assert!(decode(&tagged(&many[1..], 0x0800, &datagram())).is_ok());
        assert_eq!(decode(&tagged(&[(0x8100, 1)], 0x0800, &[])[..16]).unwrap_err(), Counter::LinkMalformed);
        assert_eq!(decode(&[0; 13]).unwrap_err(), Counter::LinkMalformed);
        assert_eq!(decode(&[]).unwrap_err(), Counter::LinkMalformed);
    }

    #[test]
    fn llc_and_snap() {
        let ip = datagram();
        let framed = |head: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.extend_from_slice(&ip);
            let len = bytes.len() as u16;
            bytes.extend_from_slice(&[0; 8]);
            ethernet(len, &bytes)
        };
        assert_eq!(decode(&framed(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0])).unwrap().1, b"dns");
        assert_eq!(decode(&framed(&[6, 6, 3])).unwrap().1, b"dns");
        assert_eq!(decode(&framed(&[0x42, 0x42, 3])).unwrap_err(), Counter::OtherEthertype);
        assert_eq!(decode(&framed(&[0xaa, 0xaa, 3, 0, 0, 0xc, 8, 0])).unwrap_err(), Counter::OtherEthertype);
    }

    #[test]
    fn what_is_not_ip_has_its_cause() {
        assert_eq!(decode(&ethernet(0x0806, &[0; 28])).unwrap_err(), Counter::Arp);
        assert_eq!(decode(&ethernet(0x88cc, &[0; 28])).unwrap_err(), Counter::OtherEthertype);
        assert_eq!(decode(&ethernet(1501, &[0; 28])).unwrap_err(), Counter::OtherEthertype);
        assert_eq!(decode(&tagged(&[(0x8100, 3)], 0x0806, &[0; 28])).unwrap_err(), Counter::Arp);
    }
}
