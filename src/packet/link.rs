//! Link types: which are decoded, and what they are called.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ethernet::ethertype;
use super::view::View;
use super::walk::{Next, Walk};
use super::{cooked, null, ppp, wifi, wrapped};
use crate::base::Mac;
use crate::capture::LinkType;
use crate::coverage::Counter;
use std::borrow::Cow;

/// LINKTYPE_ETHERNET.
pub(super) const ETHERNET: LinkType = LinkType(1);

/// LINKTYPE_PKTAP.
pub(super) const PKTAP: LinkType = LinkType(258);

/// LINKTYPE_PPI.
pub(super) const PPI: LinkType = LinkType(192);

/// Numbers and names of the registry of tcpdump.org, without `LINKTYPE_`.
const NAMES: &[(u16, &str)] = &[
    (0, "NULL"),
    (1, "ETHERNET"),
    (3, "AX25"),
    (6, "IEEE802_5"),
    (7, "ARCNET_BSD"),
    (8, "SLIP"),
    (9, "PPP"),
    (10, "FDDI"),
    (12, "RAW"),
    (14, "RAW"),
    (50, "PPP_HDLC"),
    (51, "PPP_ETHER"),
    (99, "SYMANTEC_FIREWALL"),
    (100, "ATM_RFC1483"),
    (101, "RAW"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (106, "ATM_CLIP"),
    (107, "FRELAY"),
    (108, "LOOP"),
    (109, "ENC"),
    (113, "LINUX_SLL"),
    (114, "LTALK"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (123, "SUNATM"),
    (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"),
    (138, "APPLE_IP_OVER_IEEE1394"),
    (139, "MTP2_WITH_PHDR"),
    (140, "MTP2"),
    (141, "MTP3"),
    (142, "SCCP"),
    (143, "DOCSIS"),
    (144, "LINUX_IRDA"),
    (147, "USER0"),
    (149, "USER2"),
    (163, "IEEE802_11_AVS"),
    (165, "BACNET_MS_TP"),
    (166, "PPP_PPPD"),
    (169, "GPRS_LLC"),
    (182, "MFR"),
    (187, "BLUETOOTH_HCI_H4"),
    (189, "USB_LINUX"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    (203, "LAPD"),
    (204, "PPP_WITH_DIR"),
    (205, "C_HDLC_WITH_DIR"),
    (206, "FRELAY_WITH_DIR"),
    (220, "USB_LINUX_MMAPPED"),
    (224, "FC_2"),
    (226, "IPNET"),
    (227, "CAN_SOCKETCAN"),
    (228, "IPV4"),
    (229, "IPV6"),
    (230, "IEEE802_15_4_NOFCS"),
    (231, "DBUS"),
    (235, "DVB_CI"),
    (239, "NFLOG"),
    (240, "NETANALYZER"),
    (242, "IPOIB"),
    (243, "MPEG_2_TS"),
    (245, "NFC_LLCP"),
    (247, "INFINIBAND"),
    (248, "SCTP"),
    (249, "USBPCAP"),
    (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"),
    (253, "NETLINK"),
    (254, "BLUETOOTH_LINUX_MONITOR"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"),
    (258, "PKTAP"),
    (265, "SDLC"),
    (271, "VSOCK"),
    (274, "ETHERNET_MPACKET"),
    (276, "LINUX_SLL2"),
    (281, "DSA_TAG_BRCM"),
];

/// The link type as error messages name it: `10 (FDDI)`, or the bare number if
/// it is none of the common ones.
pub fn link_name(link: LinkType) -> Cow<'static, str> {
    match NAMES.iter().find(|(number, _)| *number == link.0) {
        Some((number, name)) => format!("{number} ({name})").into(),
        None => link.0.to_string().into(),
    }
}

/// Whether frames of a link type are decoded.
pub(super) fn supports(link: LinkType) -> bool {
    matches!(
        link.0,
        0 | 1 | 9 | 12 | 14 | 50 | 51 | 101 | 104 | 105 | 108 | 113 | 127 | 192 | 228 | 229 | 239 | 258 | 276
    )
}

/// The walk's first step.
pub(super) fn step<'a>(link: LinkType, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match link.0 {
        1 => Ok(Next::Ethernet(view)),
        0 | 108 => null::step(view),
        9 => Ok(Next::Ppp(view)),
        // 12 and 14 are what OpenBSD and others call raw IP.
        12 | 14 | 101 | 228 | 229 => Ok(Next::Ip(view)),
        50 | 104 => ppp::hdlc(view, walk),
        51 => ppp::pppoe(view, walk),
        105 => Ok(Next::Wifi(view)),
        113 => cooked::step(cooked::head_v1(&mut view), view, walk),
        127 => wifi::radiotap(view, walk),
        192 => wrapped::ppi(view, walk),
        239 => wrapped::nflog(view, walk),
        258 => wrapped::pktap(view, walk),
        276 => cooked::step(cooked::head_v2(&mut view), view, walk),
        _ => Err(Counter::LinkUnsupported),
    }
}

/// Takes off the header of a raw or cooked link: the ethertype of what follows
/// and the sender's hardware address. `None` for other links and for what the
/// walk must look at.
#[inline]
pub(super) fn plain(link: LinkType, view: &mut View<'_>) -> Option<(u16, Option<Mac>)> {
    let (protocol, mac) = match link.0 {
        12 | 14 | 101 | 228 | 229 => match view.data.first()? >> 4 {
            4 => return Some((ethertype::IPV4, None)),
            6 => return Some((ethertype::IPV6, None)),
            _ => return None,
        },
        113 => cooked::head_v1(view)?,
        276 => cooked::head_v2(view)?,
        _ => return None,
    };
    Some((u16::from_be_bytes(protocol), mac))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{decode_with, ipv4, ipv6, udp};
    use super::*;

    #[test]
    fn names() {
        assert_eq!(link_name(LinkType(10)), "10 (FDDI)");
        assert_eq!(link_name(LinkType(4242)), "4242");
        assert!(NAMES.is_sorted_by_key(|(n, _)| *n));
    }

    #[test]
    fn what_is_not_supported_is_the_cause_and_the_rest_is_tried() {
        for n in 0..300 {
            let unsupported = decode_with(n, &[0; 64], 64).1 == Err(Counter::LinkUnsupported);
            assert_eq!(unsupported, !supports(LinkType(n)), "{n}");
        }
    }

    #[test]
    fn raw_ip() {
        let four = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let six = ipv6(17, [1; 16], [2; 16], &udp(1, 53, b"dns"));
        for (link, frame) in [(12, &four), (14, &six), (101, &four), (101, &six), (228, &four), (229, &six)] {
            let p = decode_with(link, frame, frame.len()).1.unwrap();
            assert_eq!((p.dport, p.payload_len, p.src_mac), (53, 3, None));
        }
        assert_eq!(decode_with(101, &[0x10; 60], 60).1, Err(Counter::IpMalformed));
        assert_eq!(decode_with(101, &[], 0).1, Err(Counter::IpMalformed));
    }
}
