//! TCP and UDP headers (RFC 9293 section 3.1, RFC 768).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::Transport;
use super::view::View;
use crate::coverage::Counter;

/// What the transport header says, and where the payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub transport: Transport,
    pub sport: u16,
    pub dport: u16,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub payload_offset: u32,
    pub payload_len: u32,
    pub payload_missing: u32,
    /// Whether a header around it announced more than the wire had.
    pub overstated: bool,
}

/// A length or offset as packets hold them; beyond 4 GiB nothing occurs.
#[inline]
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A TCP segment. The fixed header must be at hand; options that the capture
/// cut off leave a segment without payload bytes.
#[inline]
pub(super) fn tcp(mut view: View<'_>) -> Result<Segment, Counter> {
    let h = view.peek::<20>().ok_or(Counter::TransportMalformed)?;
    let header_len = usize::from(h[12] >> 4).wrapping_mul(4);
    if header_len < 20 || header_len > view.announced() {
        return Err(Counter::TransportMalformed);
    }
    if view.skip(header_len).is_none() {
        let beyond = header_len.saturating_sub(view.data.len());
        view.missing = view.missing.saturating_sub(beyond);
        view.offset = view.offset.saturating_add(view.data.len());
        view.data = &[];
    }
    Ok(Segment {
        transport: Transport::Tcp,
        sport: u16::from_be_bytes([h[0], h[1]]),
        dport: u16::from_be_bytes([h[2], h[3]]),
        flags: h[13],
        seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
        payload_offset: narrow(view.offset),
        payload_len: narrow(view.data.len()),
        payload_missing: narrow(view.missing),
        overstated: view.overstated,
    })
}

/// A UDP datagram and its payload. A length of 0 means the rest of the packet
/// (RFC 2675 section 4); one beyond the IP payload is cut to that.
#[inline]
pub(super) fn udp(mut view: View<'_>) -> Result<(Segment, View<'_>), Counter> {
    let h = view.take::<8>().ok_or(Counter::TransportMalformed)?;
    let len = usize::from(u16::from_be_bytes([h[4], h[5]]));
    match len.checked_sub(8) {
        Some(len) => view.limit(len.min(view.announced())),
        None if len == 0 => {}
        None => return Err(Counter::TransportMalformed),
    }
    let segment = Segment {
        transport: Transport::Udp,
        sport: u16::from_be_bytes([h[0], h[1]]),
        dport: u16::from_be_bytes([h[2], h[3]]),
        flags: 0,
        seq: 0,
        ack: 0,
        payload_offset: narrow(view.offset),
        payload_len: narrow(view.data.len()),
        payload_missing: narrow(view.missing),
        overstated: view.overstated,
    };
    Ok((segment, view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn tcp_header(words: u8) -> Vec<u8> {
        let mut h = vec![0x04, 0xd2, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, words << 4, 0x12, 1, 1, 0, 0, 0, 0];
        h.resize(usize::from(words.max(5)) * 4, 1);
        h
    }

    #[test]
    fn tcp_with_options_and_payload() {
        let mut data = tcp_header(8);
        data.extend_from_slice(b"hello");
        let p = tcp(View::new(&data, data.len() + 3)).unwrap();
        assert_eq!((p.sport, p.dport, p.seq, p.ack, p.flags), (1234, 443, 7, 9, 0x12));
        assert_eq!((p.payload_offset, p.payload_len, p.payload_missing), (32, 5, 3));
    }

    #[test]
    fn tcp_headers_that_lie_or_are_cut() {
        let data = tcp_header(15);
        assert_eq!(tcp(View::new(&tcp_header(4), 20)), Err(Counter::TransportMalformed));
        assert_eq!(tcp(View::new(&data[..30], 30)), Err(Counter::TransportMalformed));
        assert_eq!(tcp(View::new(&data[..19], 90)), Err(Counter::TransportMalformed));
        // Options cut off: of 100 bytes 40 were payload, none of them at hand.
        let p = tcp(View::new(&data[..30], 100)).unwrap();
        assert_eq!((p.payload_offset, p.payload_len, p.payload_missing), (30, 0, 40));
    }

    #[test]
    fn udp_lengths() {
        let datagram = |len: u16| {
            let mut d = vec![0, 53, 0x10, 0, 0, 0, 0, 0, 1, 2, 3, 4];
            d[4..6].copy_from_slice(&len.to_be_bytes());
            d
        };
        let len = |d: Vec<u8>, wire: usize| {
            udp(View::new(&d, wire)).map(|(p, v)| {
                assert_eq!(p.payload_len as usize, v.data.len());
                (p.payload_len, p.payload_missing)
            })
        };
        assert_eq!(len(datagram(12), 12), Ok((4, 0)));
        assert_eq!(len(datagram(10), 12), Ok((2, 0)));
        assert_eq!(len(datagram(8), 12), Ok((0, 0)));
        assert_eq!(len(datagram(0), 12), Ok((4, 0)));
        assert_eq!(len(datagram(500), 12), Ok((4, 0)));
        assert_eq!(len(datagram(500), 508), Ok((4, 488)));
        assert_eq!(len(datagram(7), 12), Err(Counter::TransportMalformed));
        assert_eq!(len(vec![0; 7], 7), Err(Counter::TransportMalformed));
    }
}
