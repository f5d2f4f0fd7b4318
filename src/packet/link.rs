//! Link types: which are decoded, and where each begins.
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
use super::{arcnet, cooked, docsis, juniper, null, ppp, wifi, wrapped};
use crate::base::Mac;
use crate::capture::LinkType;
use crate::coverage::Counter;

/// LINKTYPE_PKTAP.
pub(super) const PKTAP: LinkType = LinkType(258);

/// LINKTYPE_PPI.
pub(super) const PPI: LinkType = LinkType(192);

/// LINKTYPE_USER2.
pub(super) const USER2: LinkType = LinkType(149);

/// Whether frames of a link type are decoded. [`USER2`] is not: only those of
/// its frames are that have the form of PKTAP.
pub(super) fn supports(link: LinkType) -> bool {
    matches!(
        link.0,
        0 | 1
            | 7
            | 9
            | 12
            | 14
            | 50
            | 51
            | 101
            | 104
            | 105
            | 108
            | 113
            | 127
            | 129
            | 143
            | 178
            | 192
            | 228
            | 229
            | 239
            | 258
            | 276
    )
}

/// The walk's first step.
pub(super) fn step<'a>(link: LinkType, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    match link.0 {
        1 => Ok(Next::Ethernet(view)),
        0 | 108 => null::step(view),
        7 => arcnet::step(view, false),
        9 => Ok(Next::Ppp(view)),
        // 12 and 14 are what OpenBSD and others call raw IP.
        12 | 14 | 101 | 228 | 229 => Ok(Next::Ip(view)),
        50 | 104 => ppp::hdlc(view, walk),
        51 => ppp::pppoe(view, walk),
        105 => Ok(Next::Wifi(view)),
        113 => cooked::step(cooked::head_v1(&mut view), view, walk),
        127 => wifi::radiotap(view, walk),
        129 => arcnet::step(view, true),
        143 => docsis::step(view, walk),
        149 => wrapped::user2(view, walk),
        178 => juniper::step(view),
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
