//! Compressed IP payloads (RFC 3173) with DEFLATE (RFC 2394).
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
use crate::coverage::Counter;
use flate2::{Decompress, FlushDecompress, Status};

/// Most bytes that a payload may come to: a jumbo frame's and some more.
pub(super) const MAX_INFLATED: usize = 16 << 10;

/// Well-known numbers of other methods (RFC 3173 section 3.3): OUI and LZS,
/// LZJH. Numbers from 256 on are negotiated; DEFLATE is what is in use.
const OTHER_METHODS: [u16; 3] = [1, 3, 4];

/// The walk's step over a header: next header 1 byte, flags 1, compression
/// parameter index 2 bytes. A frame costs one decompression at most.
pub(super) fn step<'a>(ip: IpHeader, mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let [next, _, a, b] = *view.take::<4>().ok_or(Counter::IpMalformed)?;
    if OTHER_METHODS.contains(&u16::from_be_bytes([a, b])) {
        return Err(Counter::TunnelUnsupported);
    }
    if std::mem::replace(&mut walk.decompressed, true) {
        return Err(Counter::LayersExceeded);
    }
    walk.tag(Layer::bare(Kind::Ipcomp))?;
    Ok(Next::Compressed(ip, next, view))
}

/// Decompresses payloads; keeps its state's memory.
#[derive(Debug, Default)]
pub(super) struct Inflater(Option<Box<Decompress>>);

impl Inflater {
    /// The whole payload; [`Counter::TunnelUnsupported`] if it is no DEFLATE
    /// stream that ends, or longer than [`MAX_INFLATED`].
    pub fn inflate(&mut self, view: View<'_>) -> Result<Vec<u8>, Counter> {
        let inflater = self.0.get_or_insert_with(|| Box::new(Decompress::new(false)));
        inflater.reset(false);
        let mut payload = Vec::with_capacity(MAX_INFLATED);
        match inflater.decompress_vec(view.data, &mut payload, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => Ok(payload),
            _ => Err(Counter::TunnelUnsupported),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode, decode_layers, ethernet, ipcomp, ipv4, ipv6, udp};
    use super::*;

    #[test]
    fn payloads_and_whole_packets() {
        let dns = udp(1, 53, b"dns");
        let inner = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &dns);
        for (frame, layers) in [
            (ethernet(0x0800, &ipv4(108, [1; 4], [2; 4], &ipcomp(17, 2, &dns))), "ipcomp"),
            (ethernet(0x0800, &ipv4(108, [1; 4], [2; 4], &ipcomp(4, 0xeed1, &inner))), "ipcomp/4in4"),
            (ethernet(0x86dd, &ipv6(108, [1; 16], [2; 16], &ipcomp(4, 2, &inner))), "ipcomp/4in6"),
        ] {
            let (p, payload, found) = decode_layers(&frame).unwrap();
            assert_eq!((payload.as_slice(), found.as_str(), p.in_arena), (&b"dns"[..], layers, true));
        }
    }

    #[test]
    fn what_is_not_deflate_or_too_long_or_nested() {
        let over = |payload: &[u8]| decode(&ethernet(0x0800, &ipv4(108, [1; 4], [2; 4], payload))).unwrap_err();
        assert_eq!(over(&[17, 0, 0, 2, 0xff, 0xff, 0xff]), Counter::TunnelUnsupported);
        assert_eq!(over(&ipcomp(17, 3, &[0; 9])), Counter::TunnelUnsupported);
        assert_eq!(over(&[17, 0, 0]), Counter::IpMalformed);
        assert_eq!(over(&ipcomp(17, 2, &vec![0; MAX_INFLATED + 1])), Counter::TunnelUnsupported);
        let whole = ipcomp(17, 2, &udp(1, 53, &[7; 300]));
        assert_eq!(over(&whole[..whole.len() - 2]), Counter::TunnelUnsupported, "cut");
        let nested = ipv4(108, [1; 4], [2; 4], &ipcomp(17, 2, &udp(1, 53, b"dns")));
        assert_eq!(over(&ipcomp(4, 2, &nested)), Counter::LayersExceeded);
    }
}
