//! Frames that are no segments, and say who has an address.

use super::EncapId;
use super::view::View;
use super::walk::{IpHeader, Walk};
use crate::base::{Addr, Mac, Timestamp};

/// What carries the message of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Address resolution (RFC 826), the message behind the link header.
    Arp,
    /// Neighbour discovery (RFC 4861), the ICMPv6 message.
    Nd,
}

/// A message of address resolution or neighbour discovery: where it lies, and
/// what its headers say. The frame itself ends as a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When its frame was captured.
    pub ts: Timestamp,
    /// What it is.
    pub kind: NoticeKind,
    /// The packet's sender; zero for ARP, which is no IP packet.
    pub src: Addr,
    /// Hop limit; zero for ARP.
    pub hop_limit: u8,
    /// Where the message begins, in the buffer that holds the frame.
    pub offset: u32,
    /// Its bytes at hand.
    pub len: u32,
    /// Encapsulation around it.
    pub encap: EncapId,
    /// Sender's hardware address, where the innermost link layer has one.
    pub src_mac: Option<Mac>,
}

/// A notice that a walk ended at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub kind: NoticeKind,
    pub src: Addr,
    pub hop_limit: u8,
    pub offset: usize,
    pub len: usize,
}

impl Walk {
    /// The walk ends at an ARP message.
    pub fn note_arp(&mut self, view: &View<'_>) {
        let (offset, len) = (view.offset, view.data.len());
        self.notice = Some(Found { kind: NoticeKind::Arp, src: Addr::default(), hop_limit: 0, offset, len });
    }

    /// The walk ends at an ICMPv6 message. One that the capture cut might lack
    /// the options that matter; one behind extension headers is no neighbour
    /// discovery (RFC 6980 section 5).
    pub fn note_icmp6(&mut self, ip: &IpHeader, view: &View<'_>) {
        if view.missing == 0 && self.extensions == 0 && matches!(view.data.first(), Some(133..=136)) {
            let src = Addr(ip.src.to_be_bytes());
            let (offset, len) = (view.offset, view.data.len());
            self.notice = Some(Found { kind: NoticeKind::Nd, src, hop_limit: ip.ttl, offset, len });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_with, ethernet, ipv4, ipv6, ipv6_fragment, udp};
    use super::*;
    use crate::coverage::Counter;

    const SOLICITATION: [u8; 24] = [135, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];

    fn notice(frame: &[u8]) -> (Counter, Option<(Notice, Vec<u8>, String)>) {
        let (mut decoder, result) = decode_with(1, frame, frame.len());
        let found = decoder.take_notice();
        assert!(decoder.take_notice().is_none(), "it is given once");
        let found = found.map(|n| {
            let segment = decoder.encaps().get(n.encap).segment.clone();
            (n, frame[n.offset as usize..][..n.len as usize].to_vec(), segment)
        });
        (result.unwrap_err(), found)
    }

    #[test]
    fn arp_in_a_vlan() {
        let message: Vec<u8> = (0..28).collect();
        let frame = ethernet(0x8100, &[&[0, 7, 8, 6][..], &message].concat());
        let (cause, found) = notice(&frame);
        let (n, bytes, segment) = found.unwrap();
        assert_eq!((cause, n.kind, n.src_mac), (Counter::Arp, NoticeKind::Arp, Some(SRC_MAC)));
        assert_eq!((bytes, segment.as_str()), (message, "vlan:7"));
    }

    #[test]
    fn neighbour_discovery_with_its_hop_limit() {
        let mut packet = ipv6(58, [1; 16], [2; 16], &SOLICITATION);
        packet[7] = 255;
        let (cause, found) = notice(&ethernet(0x86dd, &packet));
        let (n, bytes, _) = found.unwrap();
        assert_eq!((cause, n.kind, n.hop_limit, n.src), (Counter::OtherTransport, NoticeKind::Nd, 255, Addr([1; 16])));
        assert_eq!(bytes, SOLICITATION);
    }

    #[test]
    fn what_is_none_of_it_leaves_no_notice() {
        let echo = ipv6(58, [1; 16], [2; 16], &[128, 0, 0, 0, 0, 0, 0, 0]);
        // Neighbour discovery is never fragmented (RFC 6980); ICMPv6 goes in IPv6.
        let parts = ipv6_fragment(58, 1, &SOLICITATION, 0, 1000);
        let four = ipv4(58, [10, 0, 0, 1], [10, 0, 0, 2], &SOLICITATION);
        for (kind, packet) in [(0x86dd, echo), (0x86dd, parts), (0x0800, four)] {
            assert_eq!(notice(&ethernet(kind, &packet)).1, None);
        }
        let whole = ethernet(0x86dd, &ipv6(58, [1; 16], [2; 16], &SOLICITATION));
        let (mut decoder, _) = decode_with(1, &whole[..whole.len() - 1], whole.len());
        assert_eq!(decoder.take_notice(), None, "cut");
        // A segment leaves nothing of the frame before.
        let (mut decoder, _) = decode_with(1, &ethernet(0x0806, &[0; 28]), 42);
        let segment = ethernet(0x0800, &ipv4(4, [1; 4], [2; 4], &ipv4(17, [1; 4], [2; 4], &udp(1, 2, b""))));
        let ts = Timestamp(2);
        assert!(decoder.decode(crate::capture::LinkType(1), &segment, segment.len() as u32, 0, ts).is_ok());
        assert_eq!(decoder.take_notice(), None);
    }
}
