//! The headers in front of a segment's payload, found again in its frame for
//! the few frames that need more of them than [`Packet`] holds.

use crate::packet::{Packet, Transport};

/// Bytes that IPv6 extension headers may take between the two.
const MAX_EXTENSIONS: usize = 256;

/// Lengths of TCP headers, the common ones first: with time stamps, without
/// options.
const TCP_LENGTHS: [usize; 11] = [32, 20, 24, 28, 36, 40, 44, 48, 52, 56, 60];

/// A segment's own headers, as captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headers<'a> {
    /// The innermost IP header, from its first byte to its end; options
    /// included, IPv6 extension headers not.
    pub(super) ip: &'a [u8],
    /// The TCP or UDP header with what is at hand of its options.
    pub(super) transport: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Searches backwards from the payload: each header must show what was
    /// decoded from it. `None` where the payload does not lie in the frame, as
    /// that of a datagram put together from fragments.
    pub(super) fn find(p: &Packet, payload: &[u8], frame: &'a [u8]) -> Option<Self> {
        if p.in_arena {
            return None;
        }
        // The payload is a part of the frame.
        let end = payload.as_ptr().addr().checked_sub(frame.as_ptr().addr())?;
        let before = frame.get(..end)?;
        let whole = end.saturating_add(payload.len()) < frame.len() || !payload.is_empty();
        let transport = match p.transport {
            Transport::Udp => tail(before, 8).filter(|h| has_ports(h, p))?,
            Transport::Tcp => TCP_LENGTHS.iter().find_map(|len| tail(before, *len).filter(|h| is_tcp(h, p, whole)))?,
        };
        let before = before.get(..before.len().checked_sub(transport.len())?)?;
        let ip = match (p.src.as_v4(), p.dst.as_v4()) {
            (Some(src), Some(dst)) => (20..=60).step_by(4).find_map(|len| {
                let h = tail(before, len)?;
                let words = u8::try_from(len / 4).ok()?;
                (h.first() == Some(&(0x40 | words)) && h.get(12..16)? == src && h.get(16..20)? == dst).then_some(h)
            }),
            _ => (0..=MAX_EXTENSIONS).step_by(8).find_map(|more| {
                let h = tail(before, more.checked_add(40)?)?.get(..40)?;
                let is_six = h.first().is_some_and(|b| b >> 4 == 6);
                (is_six && h.get(8..24)? == p.src.0 && h.get(24..40)? == p.dst.0).then_some(h)
            }),
        };
        Some(Headers { ip: ip?, transport })
    }

    /// What the sender numbered the packet with: IPv4's identification, IPv6's
    /// flow label. Routers pass both on as they are.
    pub(super) fn packet_id(&self) -> u32 {
        match self.ip {
            [first, _, _, _, a, b, ..] if first >> 4 == 4 => u32::from(u16::from_be_bytes([*a, *b])),
            [_, a, b, c, ..] => u32::from_be_bytes([0, a & 0x0f, *b, *c]),
            _ => 0,
        }
    }
}

fn tail(bytes: &[u8], len: usize) -> Option<&[u8]> {
    bytes.get(bytes.len().checked_sub(len)?..)
}

fn has_ports(h: &[u8], p: &Packet) -> bool {
    let [a, b] = p.sport.to_be_bytes();
    let [c, d] = p.dport.to_be_bytes();
    h.starts_with(&[a, b, c, d])
}

/// Whether these bytes are the segment's header. One that the capture cut off
/// within its options announces more than there is.
fn is_tcp(h: &[u8], p: &Packet, whole: bool) -> bool {
    let Some((fixed, _)) = h.split_first_chunk::<20>() else { return false };
    let announced = usize::from(fixed[12] >> 4).saturating_mul(4);
    has_ports(h, p)
        && fixed[4..8] == p.seq.to_be_bytes()
        && fixed[8..12] == p.ack.to_be_bytes()
        && fixed[13] == p.flags
        && (announced == h.len() || announced > h.len() && !whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::capture::LinkType;
    use crate::packet::testing::{ethernet, ipv4, ipv6, udp};
    use crate::packet::{Decoder, Options};

    fn find(frame: &[u8]) -> Option<(Vec<u8>, Vec<u8>, u32)> {
        let mut decoder = Decoder::new(Options::default());
        let p = decoder.decode(LinkType(1), frame, frame.len() as u32, 0, Timestamp(0)).unwrap();
        let start = p.payload_offset as usize;
        let payload = &frame[start..start + p.payload_len as usize];
        Headers::find(&p, payload, frame).map(|h| (h.ip.to_vec(), h.transport.to_vec(), h.packet_id()))
    }

    #[test]
    fn headers_of_either_version_with_options_and_in_tunnels() {
        let datagram = udp(5000, 53, b"payload");
        let mut four = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &datagram);
        four[4..6].copy_from_slice(&[0x12, 0x34]);
        let want = (four[..20].to_vec(), datagram[..8].to_vec(), 0x1234);
        assert_eq!(find(&ethernet(0x0800, &four)), Some(want.clone()));
        let outer = ipv4(4, [1; 4], [2; 4], &four);
        assert_eq!(find(&ethernet(0x0800, &outer)), Some(want));
        let mut six = ipv6(17, [1; 16], [2; 16], &datagram);
        six[1..4].copy_from_slice(&[0xfa, 0xbc, 0xde]);
        assert_eq!(find(&ethernet(0x86dd, &six)).unwrap().2, 0x000a_bcde);
        let options = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &datagram].concat();
        let six = ipv6(60, [1; 16], [2; 16], &options);
        assert_eq!(find(&ethernet(0x86dd, &six)).unwrap().0, six[..40]);
        let mut tcp = vec![0, 80, 0, 90, 0, 0, 0, 7, 0, 0, 0, 9, 0x80, 0x10, 1, 1, 0, 0, 0, 0];
        tcp.extend([1; 12]);
        let segment = [&tcp[..], b"data"].concat();
        let frame = ethernet(0x0800, &ipv4(6, [1; 4], [2; 4], &segment));
        assert_eq!(find(&frame).unwrap().1, tcp);
    }

    #[test]
    fn no_payload_and_cut_options() {
        let mut tcp = vec![0, 80, 0, 90, 0, 0, 0, 7, 0, 0, 0, 9, 0x80, 0x10, 1, 1, 0, 0, 0, 0];
        tcp.extend([1; 12]);
        let frame = ethernet(0x0800, &ipv4(6, [1; 4], [2; 4], &tcp));
        assert_eq!(find(&frame).unwrap().1, tcp);
        let cut = &frame[..frame.len() - 8];
        let mut decoder = Decoder::new(Options::default());
        let p = decoder.decode(LinkType(1), cut, frame.len() as u32, 0, Timestamp(0)).unwrap();
        let payload = &cut[p.payload_offset as usize..];
        assert_eq!(Headers::find(&p, payload, cut).unwrap().transport, &tcp[..24]);
    }

    #[test]
    fn what_lies_elsewhere_is_not_found() {
        let frame = ethernet(0x0800, &ipv4(17, [1; 4], [2; 4], &udp(1, 2, b"x")));
        let mut decoder = Decoder::new(Options::default());
        let p = decoder.decode(LinkType(1), &frame, frame.len() as u32, 0, Timestamp(0)).unwrap();
        assert_eq!(Headers::find(&p, &frame[42..43], &[]), None);
        let payload = &frame[42..43];
        assert_eq!(Headers::find(&Packet { in_arena: true, ..p }, payload, &frame), None);
        assert_eq!(Headers::find(&Packet { sport: 9, ..p }, payload, &frame), None);
        assert_eq!(Headers::find(&Packet { src: p.dst, dst: p.src, ..p }, payload, &frame), None);
    }
}
