//! Frames of Initial packets (RFC 9000 sections 12.4, 17.2.2 and 19).

use super::Version;
use super::varint::{prefixed, varint};

const PADDING: u8 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;
const CONNECTION_CLOSE: u64 = 0x1c;

/// Google's own numbers, before it went over to those of the RFC.
const GOOGLE_PING: u64 = 0x07;
const GOOGLE_CRYPTO: u64 = 0x08;

/// The CRYPTO frames of an opened Initial packet: offset and data, in packet
/// order. Ends at the first frame that an Initial must not carry, or that is
/// cut.
pub fn crypto_frames(version: Version, frames: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        let frame = if version.has_google_frames() { next_google(&mut rest) } else { next_crypto(&mut rest) };
        if frame.is_none() {
            rest = &[];
        }
        frame
    })
}

/// Takes frames up to and including the next CRYPTO frame.
fn next_crypto<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    loop {
        let padding = rest.iter().position(|b| *b != PADDING)?;
        *rest = rest.get(padding..)?;
        match varint(rest)? {
            PING => {}
            kind @ (ACK | ACK_ECN) => skip_ack(rest, kind == ACK_ECN)?,
            CRYPTO => return Some((varint(rest)?, prefixed(rest)?)),
            CONNECTION_CLOSE => {
                let (_error, _frame_type, _reason) = (varint(rest)?, varint(rest)?, prefixed(rest)?);
            }
            _ => return None,
        }
    }
}

/// The same among Google's frames, of which a client's first packet has only
/// these.
fn next_google<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    loop {
        let padding = rest.iter().position(|b| *b != PADDING)?;
        *rest = rest.get(padding..)?;
        match varint(rest)? {
            GOOGLE_PING => {}
            GOOGLE_CRYPTO => return Some((varint(rest)?, prefixed(rest)?)),
            _ => return None,
        }
    }
}

/// ACK: largest acknowledged, delay, number of ranges, first range, then gap
/// and length of each further range, then three counts with ECN.
fn skip_ack(rest: &mut &[u8], ecn: bool) -> Option<()> {
    let (_largest, _delay, ranges, _first) = (varint(rest)?, varint(rest)?, varint(rest)?, varint(rest)?);
    // Each range takes two bytes at least, so the bytes at hand bound this.
    for _ in 0..ranges {
        let (_gap, _length) = (varint(rest)?, varint(rest)?);
    }
    if ecn {
        let (_ect0, _ect1, _ce) = (varint(rest)?, varint(rest)?, varint(rest)?);
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(frames: &[u8]) -> Vec<(u64, &[u8])> {
        crypto_frames(Version::V1, frames).collect()
    }

    #[test]
    fn frames_between_are_skipped() {
        let frames = [
            &[0, 0, 0, 1][..],
            &[6, 0x44, 0, 2, b'c', b'd'],
            &[2, 9, 0, 0, 3],
            &[2, 0x40, 9, 0x80, 0, 0, 1, 2, 1, 0, 0, 0, 5],
            &[3, 9, 0, 1, 3, 1, 1, 7, 8, 9],
            &[6, 0, 0],
            &[0x1c, 0x41, 0, 6, 3, b'b', b'y', b'e'],
            &[0, 6, 0, 2, b'a', b'b', 0, 0],
        ]
        .concat();
        assert_eq!(all(&frames), [(1024, &b"cd"[..]), (0, b""), (0, b"ab")]);
        assert_eq!(all(&[]), []);
        assert_eq!(all(&[0; 1000]), []);
    }

    #[test]
    fn frames_of_google() {
        let frames = [0, 0, 7, 8, 3, 2, b'd', b'e', 0, 8, 0, 3, b'a', b'b', b'c', 6, 0, 1, b'x', 8, 9, 0];
        let found: Vec<_> = crypto_frames(Version::GoogleT051, &frames).collect();
        assert_eq!(found, [(3, &b"de"[..]), (0, b"abc")]);
    }

    #[test]
    fn the_walk_ends_where_frames_go_wrong() {
        let good = [6, 0, 1, b'a'];
        for bad in [
            // STREAM, HANDSHAKE_DONE, the close of an application, an unknown type.
            &[0x08, 0][..],
            &[0x1e],
            &[0x1d, 0, 0],
            &[0x40, 0x80],
            // Lengths beyond the end.
            &[6, 0, 9, 1],
            &[6, 0xff],
            &[2, 0, 0, 0xbf, 0xff, 0xff, 0xff, 0, 0],
            &[0x1c, 0, 0, 0x7f, 0xff],
        ] {
            let frames = [&good[..], bad].concat();
            let mut walk = crypto_frames(Version::V1, &frames);
            assert_eq!(walk.next(), Some((0, &b"a"[..])));
            assert_eq!((walk.next(), walk.next()), (None, None), "{bad:x?}");
        }
        assert_eq!(all(&[&[0x08, 0][..], &good].concat()), []);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..400)) {
            for version in [Version::V1, Version::GoogleT050] {
                prop_assert!(crypto_frames(version, &bytes).count() <= bytes.len());
            }
        }
    }
}
