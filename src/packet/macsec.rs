//! MACsec (IEEE 802.1AE-2018 section 9): frames that are only authenticated
//! are read, encrypted ones are counted.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::path::{Kind, Layer};
use super::view::View;
use super::walk::{Next, Walk};
use crate::coverage::Counter;

/// Version bit of the first byte.
const VERSION: u8 = 0x80;
/// An explicit channel identifier follows.
const CHANNEL: u8 = 0x20;
/// The user data are encrypted.
const ENCRYPTED: u8 = 0x08;
/// The user data are changed, which without encryption means another cipher.
const CHANGED: u8 = 0x04;
/// Length of the integrity check value of the standard ciphers.
const CHECK: usize = 16;

/// The walk's step over a security tag: flags 1 byte, short length 1, packet
/// number 4, channel identifier 8 bytes if the flags say so; then an ethertype
/// and what it announces, and the integrity check value.
pub(super) fn step<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Counter> {
    let whole = view.announced();
    let [flags, short, ..] = *view.take::<6>().ok_or(Counter::LinkMalformed)?;
    if flags & CHANNEL != 0 {
        view.skip(8).ok_or(Counter::LinkMalformed)?;
    }
    if flags & (VERSION | ENCRYPTED | CHANGED) != 0 {
        return Err(walk.opaque(Counter::LinkOpaque, [Counter::OpaqueMacsecFrames, Counter::OpaqueMacsecBytes], whole));
    }
    // The short length says how much is user data where the frame is padded.
    let len = match usize::from(short & 0x3f) {
        0 => view.announced().checked_sub(CHECK).ok_or(Counter::LinkMalformed)?,
        len => len.min(view.announced()),
    };
    view.limit(len);
    let kind = u16::from_be_bytes(*view.take::<2>().ok_or(Counter::LinkMalformed)?);
    walk.tag(Layer::bare(Kind::Macsec))?;
    Ok(Next::EtherType(kind, view))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{SRC_MAC, decode_layers, decode_with, ethernet, ipv4, udp};
    use super::*;

    fn frame(flags: u8, short: u8, channel: &[u8]) -> Vec<u8> {
        let ip = ipv4(17, [10, 0, 0, 1], [10, 0, 0, 2], &udp(1, 53, b"dns"));
        let tag = [&[flags, short, 0, 0, 0, 1][..], channel, &[8, 0], &ip, &[0xee; CHECK]].concat();
        ethernet(0x88e5, &tag)
    }

    #[test]
    fn authenticated_frames_are_read() {
        for frame in [frame(0, 0, &[]), frame(0x20, 0, &[7; 8]), frame(2, 33, &[]), frame(0x40, 0, &[])] {
            let (p, payload, layers) = decode_layers(&frame).unwrap();
            assert_eq!((payload.as_slice(), layers.as_str(), p.src_mac), (&b"dns"[..], "macsec", Some(SRC_MAC)));
        }
        assert_eq!(decode_layers(&frame(0, 0, &[])[..20]), Err(Counter::LinkMalformed));
    }

    #[test]
    fn encrypted_frames_are_counted_in_bytes() {
        for flags in [0x0c, 0x08, 0x04, 0x80, 0x2c] {
            let bytes = frame(flags, 0, &[7; 8]);
            let (mut decoder, result) = decode_with(1, &bytes, bytes.len() + 100);
            assert_eq!(result, Err(Counter::LinkOpaque));
            let want = [(Counter::OpaqueMacsecFrames, 1), (Counter::OpaqueMacsecBytes, bytes.len() as u64 - 14 + 100)];
            assert_eq!(decoder.side_counts().collect::<Vec<_>>(), want, "those that the capture lacks too");
        }
    }
}
