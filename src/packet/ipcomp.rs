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
use crate::base::{Budget, Timestamp};
use crate::coverage::Counter;
use flate2::{Decompress, FlushDecompress, Status};

/// Most bytes that a payload may come to: a jumbo frame's and some more.
pub(super) const MAX_INFLATED: usize = 16 << 10;
/// Most bytes that come of all payloads before the arena that they lie in is
/// emptied: some forty bytes can stand for 16 KiB.
pub const MAX_INFLATED_TOGETHER: usize = 448 << 10;
/// Compressed bytes that a piece of the budget stands for. DEFLATE can change
/// its codes every twenty bytes, which takes a microsecond and gives nothing.
const PIECE: usize = 1 << 10;
/// Pieces for each new second of packet time.
const PIECES: u32 = 2000;

/// Well-known numbers of other methods (RFC 3173 section 3.3): OUI and LZS,
/// LZJH. Numbers from 256 on are negotiated; DEFLATE is what is in use.
const OTHER_METHODS: [u16; 3] = [1, 3, 4];

/// The walk's step over a header: next header 1 byte, flags 1, compression
/// parameter index 2 bytes. A packet costs one decompression at most.
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

/// Decompresses payloads, within limits; keeps its state's memory.
#[derive(Debug)]
pub(super) struct Inflater {
    state: Option<Box<Decompress>>,
    budget: Budget,
    /// Bytes that may still be given before the arena is emptied.
    room: usize,
}

impl Inflater {
    pub fn new() -> Self {
        Inflater { state: None, budget: Budget::new(PIECES), room: MAX_INFLATED_TOGETHER }
    }

    /// The arena was emptied.
    pub fn clear(&mut self) {
        self.room = MAX_INFLATED_TOGETHER;
    }

    /// Another capture begins.
    pub fn start_anew(&mut self) {
        self.budget.start_anew();
    }

    /// The whole payload; [`Counter::TunnelUnsupported`] if it is no DEFLATE
    /// stream that ends, or longer than [`MAX_INFLATED`], or the limits on
    /// all of them together are reached.
    pub fn inflate(&mut self, view: View<'_>, ts: Timestamp) -> Result<Vec<u8>, Counter> {
        self.budget.refill(ts);
        let pieces = u32::try_from(view.data.len() / PIECE).unwrap_or(u32::MAX).saturating_add(1);
        if self.room < MAX_INFLATED || !self.budget.spend(pieces) {
            return Err(Counter::TunnelUnsupported);
        }
        let inflater = self.state.get_or_insert_with(|| Box::new(Decompress::new(false)));
        inflater.reset(false);
        let mut payload = Vec::with_capacity(MAX_INFLATED);
        match inflater.decompress_vec(view.data, &mut payload, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => {
                self.room = self.room.saturating_sub(payload.len());
                Ok(payload)
            }
            _ => Err(Counter::TunnelUnsupported),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{decode, decode_layers, ethernet, ipcomp, ipv4, ipv6, udp};
    use super::super::{Decoder, Options};
    use super::*;
    use crate::capture::LinkType;

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

    /// Forty bytes may stand for sixteen thousand, and a thousand take as long
    /// as fifty packets: neither memory nor time may be had for so little.
    #[test]
    fn a_flood_takes_little_memory_and_little_time() {
        let bomb = ipcomp(17, 2, &udp(1, 2, &[0; 16_000]));
        let frame = ethernet(0x0800, &ipv4(108, [1; 4], [2; 4], &bomb));
        let mut decoder = Decoder::new(Options::default());
        let mut flood = |n: usize, secs: i64, empties: bool| {
            let mut good = 0;
            for _ in 0..n {
                let ts = Timestamp::from_parts(secs, 0);
                good += usize::from(decoder.decode(LinkType(1), &frame, frame.len() as u32, 0, ts).is_ok());
                assert!(decoder.arena().len() <= MAX_INFLATED_TOGETHER);
                if empties {
                    decoder.clear_arena();
                }
            }
            decoder.clear_arena();
            good
        };
        assert_eq!(flood(500, 5, false), MAX_INFLATED_TOGETHER.div_ceil(16_008) - 1);
        assert_eq!(flood(2500, 6, true), PIECES as usize);
        assert_eq!(flood(10, 7, true), 10);
        // Long ones count for as many as they are long.
        let mut inflater = Inflater::new();
        let long = [0xff; 4 * PIECE];
        for _ in 0..PIECES / 5 {
            assert!(inflater.inflate(View::new(&long, 0), Timestamp(0)).is_err());
        }
        assert!(!inflater.budget.spend(1));
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
