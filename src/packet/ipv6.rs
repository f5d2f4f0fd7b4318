//! IPv6 headers and their extensions (RFC 8200 sections 3 and 4).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::ip::payload;
use super::view::View;
use super::walk::{Content, FragmentHeader, IpHeader, Next, Walk};
use crate::coverage::Counter;
use etherparse::{IpAuthHeaderSlice, IpNumber, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice, ip_number};

/// Most extension headers of one packet.
const MAX_EXTENSIONS: u8 = 16;

/// A header taken off: the addresses, the next header, and the payload without
/// link padding.
#[inline]
pub(super) fn header<'a>(mut view: View<'a>) -> Result<(IpHeader, u8, View<'a>), Counter> {
    let h = view.take::<40>().ok_or(Counter::IpMalformed)?;
    if h[0] >> 4 != 6 {
        return Err(Counter::IpMalformed);
    }
    let len = usize::from(u16::from_be_bytes([h[4], h[5]]));
    // 0 with a jumbo payload option (RFC 2675) or after segmentation offload:
    // all that was captured is the packet.
    if len != 0 {
        view.limit(len);
    }
    let (_, rest) = h.split_at(8);
    let (src, dst) = rest.split_first_chunk::<16>().ok_or(Counter::IpMalformed)?;
    let dst = dst.first_chunk::<16>().ok_or(Counter::IpMalformed)?;
    Ok((IpHeader { src: u128::from_be_bytes(*src), dst: u128::from_be_bytes(*dst), ttl: h[7], v6: true }, h[6], view))
}

/// The walk's step over an IPv6 header and its payload.
pub(super) fn step<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let (ip, proto, view) = header(view)?;
    payload(ip, proto, view, walk)
}

/// Whether a protocol number is an extension header that [`extension`] reads.
pub(super) fn is_extension(proto: u8, v6: bool) -> bool {
    let number = IpNumber(proto);
    number == ip_number::AUTH
        || (v6 && (number == ip_number::IPV6_FRAG || Ipv6RawExtHeaderSlice::header_type_supported(number)))
}

/// The walk's step over one extension header. IPv4 has only the
/// authentication header (RFC 4302).
pub(super) fn extension<'a>(ip: IpHeader, proto: u8, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    walk.extensions = walk.extensions.saturating_add(1);
    if walk.extensions > MAX_EXTENSIONS {
        return Err(Counter::LayersExceeded);
    }
    let (len, next) = match IpNumber(proto) {
        ip_number::AUTH => {
            let h = IpAuthHeaderSlice::from_slice(view.data).map_err(|_| Counter::IpMalformed)?;
            (h.slice().len(), h.next_header())
        }
        ip_number::IPV6_FRAG => {
            let h = Ipv6FragmentHeaderSlice::from_slice(view.data).map_err(|_| Counter::IpMalformed)?;
            if h.is_fragmenting_payload() {
                let fragment = FragmentHeader {
                    id: h.identification(),
                    start: u32::from(h.fragment_offset().value()).wrapping_mul(8),
                    more: h.more_fragments(),
                    content: Content::IpPayload(h.next_header().0),
                };
                let next = h.next_header().0;
                view.skip(h.slice().len()).ok_or(Counter::IpMalformed)?;
                if fragment.is_cut_head(&view) {
                    return Ok(Next::IpPayload(ip, next, view));
                }
                return Ok(Next::Fragment(ip, fragment, view));
            }
            // An atomic fragment is a whole packet (RFC 6946).
            (h.slice().len(), h.next_header())
        }
        _ => {
            let h = Ipv6RawExtHeaderSlice::from_slice(view.data).map_err(|_| Counter::IpMalformed)?;
            (h.slice().len(), h.next_header())
        }
    };
    view.skip(len).ok_or(Counter::IpMalformed)?;
    Ok(Next::IpPayload(ip, next.0, view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode, decode_with, ethernet, ipv6, ipv6_fragment, udp};
    use super::*;
    use crate::base::Addr;

    const A: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const B: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    /// `n` hop-by-hop, routing and destination headers in turn, then UDP.
    fn chain(kinds: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, _) in kinds.iter().enumerate() {
            let next = kinds.get(i + 1).copied().unwrap_or(17);
            bytes.extend_from_slice(&[next, 1]);
            bytes.extend_from_slice(&[0; 14]);
        }
        bytes.extend(udp(1000, 53, b"query"));
        ethernet(0x86dd, &ipv6(kinds.first().copied().unwrap_or(17), A, B, &bytes))
    }

    #[test]
    fn extension_headers_are_walked_up_to_the_limit() {
        for kinds in [&[][..], &[0], &[0, 60, 43, 60], &[135], &[60; 16]] {
            let (p, payload) = decode(&chain(kinds)).unwrap();
            assert_eq!((p.src, p.dst, p.sport, p.dport), (Addr(A), Addr(B), 1000, 53));
            assert_eq!(payload, b"query");
        }
        assert_eq!(decode(&chain(&[60; 17])).unwrap_err(), Counter::LayersExceeded);
    }

    #[test]
    fn authentication_header_in_both_versions() {
        let mut ah = vec![17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        ah.extend_from_slice(&[0xaa; 12]);
        ah.extend(udp(1, 2, b"ah"));
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(51, A, B, &ah))).unwrap().1, b"ah");
        let v4 = super::super::testing::ipv4(51, [1; 4], [2; 4], &ah);
        assert_eq!(decode(&ethernet(0x0800, &v4)).unwrap().1, b"ah");
        ah[1] = 0;
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(51, A, B, &ah))).unwrap_err(), Counter::IpMalformed);
    }

    #[test]
    fn atomic_fragments_pass_at_once() {
        let mut bytes = vec![17, 0, 0, 0, 1, 2, 3, 4];
        bytes.extend(udp(1, 2, b"atomic"));
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(44, A, B, &bytes))).unwrap().1, b"atomic");
    }

    #[test]
    fn a_first_fragment_that_the_capture_cut_is_a_packet_with_bytes_missing() {
        let frame = ethernet(0x86dd, &ipv6_fragment(17, 9, &udp(1, 53, &[7; 100]), 0, 64));
        let result = |keep: usize| decode_with(1, &frame[..keep], frame.len()).1;
        assert_eq!(result(frame.len()), Err(Counter::IpFragments));
        let p = result(frame.len() - 6).unwrap();
        assert_eq!((p.dport, p.payload_len, p.payload_missing), (53, 50, 6));
    }

    #[test]
    fn payload_length_zero_takes_what_was_captured() {
        let mut packet = ipv6(17, A, B, &udp(1, 2, b"jumbo"));
        packet[4..6].fill(0);
        assert_eq!(decode(&ethernet(0x86dd, &packet)).unwrap().1, b"jumbo");
    }

    #[test]
    fn encrypted_and_empty_payloads_are_causes() {
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(50, A, B, &[0; 40]))).unwrap_err(), Counter::IpOpaque);
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(59, A, B, &[]))).unwrap_err(), Counter::OtherTransport);
        assert_eq!(decode(&ethernet(0x86dd, &ipv6(58, A, B, &[128, 0]))).unwrap_err(), Counter::OtherTransport);
        assert_eq!(decode(&ethernet(0x86dd, &[0x45; 60])).unwrap_err(), Counter::IpMalformed);
        assert_eq!(decode(&ethernet(0x86dd, &[0x60; 39])).unwrap_err(), Counter::IpMalformed);
    }
}
