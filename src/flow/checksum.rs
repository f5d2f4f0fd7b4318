//! Checksums (RFC 1071), verified to be counted and never to refuse: a host
//! that captures its own traffic sees the sums before its network card has
//! filled them in.

use super::headers::Headers;
use crate::coverage::{Counter, Ledger};
use crate::packet::{Packet, Transport};

/// Counts what the checksums of a segment are worth. What a snap length cut
/// off, and datagrams put together from fragments, cannot be verified.
pub(super) fn count(p: &Packet, payload: &[u8], headers: &Headers<'_>, ledger: &mut Ledger) {
    let four = headers.ip.first().is_some_and(|b| b >> 4 == 4);
    if four && !is_correct(add(0, headers.ip)) {
        ledger.count(Counter::IpChecksumBad);
    }
    let words = headers.transport.get(12).map_or(0, |b| usize::from(b >> 4));
    let cut_options = p.transport == Transport::Tcp && words.saturating_mul(4) != headers.transport.len();
    if p.payload_missing > 0 || cut_options {
        return;
    }
    let (number, bad, unused) = match p.transport {
        Transport::Tcp => (6, Counter::TcpChecksumBad, false),
        Transport::Udp => (17, Counter::UdpChecksumBad, four && headers.transport.get(6..8) == Some(&[0, 0])),
    };
    // A sender of UDP over IPv4 may leave it out (RFC 768).
    if unused {
        return;
    }
    let Ok(len) = u32::try_from(headers.transport.len().saturating_add(payload.len())) else { return };
    // The pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). An IPv4
    // address and its mapped form have the same sum but for the ones of the
    // prefix, which are zero in ones' complement.
    let pseudo = [p.src.0, p.dst.0].iter().fold(u64::from(u32::to_be(len)), |sum, a| add(sum, a));
    let pseudo = plus(pseudo, u64::from(u32::to_be(number)));
    let sums = is_correct(add(add(pseudo, headers.transport), payload));
    ledger.count(Counter::ChecksumsVerified);
    if !sums {
        ledger.count(bad);
    }
}

/// Adds bytes to a ones' complement sum of 64 bits, which folds to one of 16.
/// All but the last that are added must be even in number.
///
/// In the machine's own byte order: the sum of swapped words is the swapped sum
/// (RFC 1071 section 2), and the one looked for looks the same.
#[inline]
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, w| plus(sum, u64::from_ne_bytes(*w)));
    if rest.is_empty() {
        return sum;
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    plus(sum, u64::from_ne_bytes(last))
}

/// Ones' complement addition: what is carried out comes in again.
#[inline]
fn plus(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    // The carry leaves room for itself.
    sum.wrapping_add(u64::from(carry))
}

/// Whether a sum over all of it is that of a correct checksum.
fn is_correct(mut sum: u64) -> bool {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    sum == 0xffff
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::capture::LinkType;
    use crate::packet::testing::{ethernet, ipv6};
    use crate::packet::{Decoder, Options};

    /// (verified, IP, TCP, UDP) of a frame of which the wire had so many bytes.
    fn counts(frame: &[u8], wire: usize) -> [u64; 4] {
        let mut decoder = Decoder::new(Options::default());
        let p = decoder.decode(LinkType(1), frame, wire as u32, 0, Timestamp(0)).unwrap();
        let start = p.payload_offset as usize;
        let payload = &frame[start..start + p.payload_len as usize];
        let mut ledger = Ledger::new();
        count(&p, payload, &Headers::find(&p, payload, frame).unwrap(), &mut ledger);
        use Counter::*;
        [ChecksumsVerified, IpChecksumBad, TcpChecksumBad, UdpChecksumBad].map(|c| ledger.total().get(c))
    }

    /// A datagram with sums that tcpdump calls correct.
    fn datagram() -> Vec<u8> {
        let ip = [
            0x45, 0, 0, 33, 0x12, 0x34, 0x40, 0, 64, 17, 0x14, 0x96, 10, 0, 0, 1, 10, 0, 0, 2, //
            0x13, 0x88, 0, 53, 0, 13, 0x94, 0x42, b'h', b'e', b'l', b'l', b'o',
        ];
        ethernet(0x0800, &ip)
    }

    #[test]
    fn good_and_bad_sums_of_udp() {
        let good = datagram();
        let n = good.len();
        assert_eq!(counts(&good, n), [1, 0, 0, 0]);
        let mut bad = good.clone();
        bad[n - 1] ^= 1;
        assert_eq!(counts(&bad, n), [1, 0, 0, 1]);
        bad = good.clone();
        bad[14 + 8] = 63;
        assert_eq!(counts(&bad, n), [1, 1, 0, 0]);
        let mut without = good.clone();
        without[40..42].fill(0);
        assert_eq!(counts(&without, n), [0, 0, 0, 0]);
        // Padding is not part of it; a cut datagram cannot be verified.
        let padded = [&good[..], &[7; 13]].concat();
        assert_eq!(counts(&padded, n + 13), [1, 0, 0, 0]);
        assert_eq!(counts(&good[..n - 2], n), [0, 0, 0, 0]);
    }

    #[test]
    fn the_sum_is_that_of_the_words() {
        // Ones everywhere carry at each addition.
        for (len, step) in [(0, 0), (1, 1), (7, 3), (8, 0), (9, 251), (40, 0), (65_535, 7), (65_535, 0)] {
            let bytes: Vec<u8> = (0..len).map(|i: usize| 0xff_u8.wrapping_sub((i * step) as u8)).collect();
            let words = bytes.chunks(2).map(|w| u64::from(w[0]) << 8 | w.get(1).map_or(0, |b| u64::from(*b)));
            let mut sum = words.sum::<u64>();
            while sum >> 16 != 0 {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            let check = !(sum as u16);
            for wrong in [0, 1, 0x100] {
                let with = add(add(0, &(check ^ wrong).to_be_bytes()), &bytes);
                assert_eq!(is_correct(with), wrong == 0, "{len} {step} {wrong}");
            }
        }
    }

    #[test]
    fn tcp_over_ipv6() {
        let mut h = vec![0, 80, 0, 90, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x10, 1, 1, 0, 0, 0, 0];
        h.extend(b"abc");
        // Ones' complement sum of the addresses, length, protocol and segment.
        let words =
            |b: &[u8]| b.chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b))).sum::<u32>();
        let sum = words(&[1; 16]) + words(&[2; 16]) + 23 + 6 + words(&h);
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        h[16..18].copy_from_slice(&sum.to_be_bytes());
        let frame = ethernet(0x86dd, &ipv6(6, [1; 16], [2; 16], &h));
        assert_eq!(counts(&frame, frame.len()), [1, 0, 0, 0]);
        h[0] ^= 1;
        let frame = ethernet(0x86dd, &ipv6(6, [1; 16], [2; 16], &h));
        assert_eq!(counts(&frame, frame.len()), [1, 0, 1, 0]);
    }
}
