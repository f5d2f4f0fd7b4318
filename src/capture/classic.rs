//! Classic pcap: a 24-byte file header, then records of 16 (or 24) bytes and
//! the frame (draft-ietf-opsawg-pcap).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::file::Stop;
use super::{CaptureError, FrameMeta, Interface, LinkType};
use crate::base::Timestamp;

/// Length of the file header.
pub(super) const FILE_HEADER: usize = 24;

/// Most bytes of a frame that are believed without further ado: what libpcap
/// allows for nearly all link types.
const USUAL_CAPLEN: u32 = 262_144;

/// Most bytes of a frame in a file whose own header announces frames that
/// large. A length beyond is damage.
const MOST_CAPLEN: u32 = 16 << 20;

/// How the two lengths of a record are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Captured, then original (version 2.4).
    Normal,
    /// In files of version 2.3 some writers swapped them, others did not:
    /// the captured one is never the larger.
    Smaller,
    /// Original, then captured (before version 2.3).
    Swapped,
}

/// The reader of one classic pcap file.
#[derive(Clone, Debug)]
pub(super) struct Classic {
    big_endian: bool,
    /// Nanoseconds in the unit of the timestamps' fractions.
    nanos: i64,
    record_header: u16,
    lengths: Lengths,
    most_caplen: u32,
    interface: Interface,
}

/// Whether these four bytes start a classic pcap file.
pub(super) fn is_magic(magic: [u8; 4]) -> bool {
    kind(magic).is_some()
}

/// Byte order, nanoseconds in the fraction's unit, length of record headers.
fn kind(magic: [u8; 4]) -> Option<(bool, i64, u16)> {
    match u32::from_be_bytes(magic) {
        0xa1b2_c3d4 => Some((true, 1_000, 16)),
        0xd4c3_b2a1 => Some((false, 1_000, 16)),
        0xa1b2_3c4d => Some((true, 1, 16)),
        0x4d3c_b2a1 => Some((false, 1, 16)),
        // Alexey Kuznetzov's patched libpcap: interface index, protocol,
        // packet type and padding follow the usual fields.
        0xa1b2_cd34 => Some((true, 1_000, 24)),
        0x34cd_b2a1 => Some((false, 1_000, 24)),
        _ => None,
    }
}

impl Classic {
    /// From the file header, which begins with one of the magic numbers.
    pub(super) fn new(header: &[u8; FILE_HEADER]) -> Result<Self, CaptureError> {
        let no_magic = CaptureError::NotACapture { what: "the magic number is unknown" };
        let ([magic, version, _, _, snaplen, network], []) = header.as_chunks::<4>() else { return Err(no_magic) };
        let Some((big_endian, nanos, record_header)) = kind(*magic) else { return Err(no_magic) };
        let word = |b: &[u8; 4]| if big_endian { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) };
        let [v0, v1, v2, v3] = *version;
        let half = |b: [u8; 2]| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let (major, minor) = (half([v0, v1]), half([v2, v3]));
        let lengths = match (major, minor) {
            (2, 4) => Lengths::Normal,
            (2, 3) => Lengths::Smaller,
            (2, 0..3) => Lengths::Swapped,
            _ => return Err(CaptureError::UnsupportedVersion { format: "pcap", major, minor }),
        };
        let snaplen = word(snaplen);
        // The upper half holds the length of frame check sequences and flags.
        let link = LinkType((word(network) & 0xffff) as u16);
        Ok(Classic {
            big_endian,
            nanos,
            record_header,
            lengths,
            most_caplen: snaplen.clamp(USUAL_CAPLEN, MOST_CAPLEN),
            interface: Interface { link, snaplen, ..Interface::default() },
        })
    }

    /// The only interface.
    pub(super) fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Describes the whole records from `pos` on and moves `pos` behind them.
    pub(super) fn scan(&self, buf: &[u8], pos: &mut usize, frames: &mut Vec<FrameMeta>) -> Stop {
        match (self.big_endian, self.lengths) {
            (false, Lengths::Normal) => self.records::<false, true>(buf, pos, frames),
            (false, _) => self.records::<false, false>(buf, pos, frames),
            (true, Lengths::Normal) => self.records::<true, true>(buf, pos, frames),
            (true, _) => self.records::<true, false>(buf, pos, frames),
        }
    }

    #[inline]
    fn records<const BIG: bool, const NORMAL: bool>(
        &self,
        buf: &[u8],
        pos: &mut usize,
        frames: &mut Vec<FrameMeta>,
    ) -> Stop {
        let head = usize::from(self.record_header);
        loop {
            let rest = buf.get(*pos..).unwrap_or_default();
            let Some(fields) = rest.first_chunk::<16>() else { return Stop::More { need: head } };
            let ([secs, frac, cap, orig], []) = fields.as_chunks::<4>() else { return Stop::More { need: head } };
            let word = |b: &[u8; 4]| if BIG { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) };
            let (secs, frac, mut caplen, mut orig_len) = (word(secs), word(frac), word(cap), word(orig));
            if !NORMAL && (self.lengths == Lengths::Swapped || caplen > orig_len) {
                (caplen, orig_len) = (orig_len, caplen);
            }
            if caplen > self.most_caplen {
                return Stop::Damage("a record claims more bytes than a frame can have".to_owned());
            }
            // A file that was never written to its end is full of zeros, which
            // would read as endless empty frames of the year 1970.
            if secs | frac | caplen | orig_len == 0 {
                return Stop::Damage("zeros where a record should be".to_owned());
            }
            let need = head.saturating_add(caplen as usize);
            if rest.len() < need {
                return Stop::More { need };
            }
            let ts = Timestamp::from_parts(i64::from(secs), i64::from(frac).wrapping_mul(self.nanos));
            frames.push(FrameMeta {
                ts,
                offset: pos.saturating_add(head) as u32,
                caplen,
                orig_len,
                head: self.record_header,
                interface: 0,
            });
            *pos = pos.saturating_add(need);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, open_bytes, read_all, read_bytes};
    use super::*;

    fn read(b: &Bytes) -> super::super::testing::Outcome {
        let outcome = read_bytes(&b.bytes);
        assert_eq!(outcome.content, b.bytes);
        outcome
    }

    #[test]
    fn every_magic_number_in_both_byte_orders() {
        for big in [false, true] {
            for (magic, nanos) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
                let mut b = Bytes::pcap(big, magic, 1);
                b.record(1_700_000_000, 999_999, 3, 7).record(u32::MAX, 1, 0, 0).record(0, 0, 100, 9);
                let got = read(&b);
                assert_eq!(got.error(), "");
                let second = 1_000_000_000;
                assert_eq!(
                    got.times(),
                    [1_700_000_000 * second + 999_999 * nanos, i64::from(u32::MAX) * second + nanos, 0]
                );
                assert_eq!(got.data(), [&[7; 3][..], &[], &[9; 100]]);
                assert_eq!(got.frames[0].0, 40);
                assert_eq!((got.frames[0].1.head, got.frames[0].1.orig_len), (16, 13));
                assert_eq!(got.interfaces, [Interface { link: LinkType(1), snaplen: 65_535, ..Interface::default() }]);
            }
        }
    }

    #[test]
    fn kuznetzov_records_have_24_bytes() {
        for big in [false, true] {
            let mut b = Bytes::pcap(big, 0xa1b2_cd34, 1);
            for n in 1..4 {
                b.u32(n).u32(5).u32(4).u32(60).raw(&[1, 0, 0, 0, 8, 0, 4, 0]).raw(&[n as u8; 4]);
            }
            let got = read(&b);
            assert_eq!(got.error(), "");
            assert_eq!(got.data(), [[1; 4], [2; 4], [3; 4]]);
            assert_eq!((got.frames[0].0, got.frames[0].1.head), (48, 24));
        }
    }

    #[test]
    fn the_link_type_is_the_lower_half() {
        let got = read(Bytes::pcap(false, 0xa1b2_c3d4, 0x5400_0071).record(1, 0, 4, 1));
        assert_eq!(got.interfaces[0].link, LinkType(0x71));
    }

    #[test]
    fn odd_lengths_and_times_are_kept() {
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        // Captured more than there was; more than a million microseconds.
        b.u32(10).u32(2_500_000).u32(4).u32(2).raw(&[1; 4]);
        let got = read(&b);
        assert_eq!(got.times(), [12_500_000_000]);
        assert_eq!((got.frames[0].1.caplen, got.frames[0].1.orig_len), (4, 2));
    }

    #[test]
    fn old_versions_and_their_swapped_lengths() {
        for (minor, swapped) in [(0, true), (2, true), (3, true), (3, false), (4, false)] {
            let mut b = Bytes::new(false);
            b.u32(0xa1b2_c3d4).u16(2).u16(minor).u32(0).u32(0).u32(0).u32(1);
            let (first, second) = if swapped { (60, 4) } else { (4, 60) };
            b.u32(1).u32(0).u32(first).u32(second).raw(&[3; 4]).record(2, 0, 0, 0);
            if minor < 3 {
                b.bytes.truncate(44);
            }
            let got = read(&b);
            assert_eq!((got.frames[0].1.caplen, got.frames[0].1.orig_len), (4, 60), "2.{minor}");
            assert_eq!(got.error(), "");
        }
    }

    #[test]
    fn unknown_versions_are_refused() {
        for (major, minor) in [(1, 0), (2, 5), (3, 4), (99, 4)] {
            let mut b = Bytes::new(true);
            b.u32(0xa1b2_c3d4).u16(major).u16(minor).u32(0).u32(0).u32(0).u32(1);
            let e = open_bytes(&b.bytes, 64, false).err().unwrap();
            assert!(
                matches!(e, CaptureError::UnsupportedVersion { format: "pcap", major: m, minor: n } if (m, n) == (major, minor))
            );
        }
    }

    #[test]
    fn a_cut_record_is_damage_after_the_frames_before_it() {
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        b.record(1, 0, 5, 1).record(2, 0, 5, 2);
        for cut in 1..21 {
            let mut cut = Bytes { bytes: b.bytes[..b.bytes.len() - cut].to_vec(), big: false };
            let got = read(&cut);
            assert!(matches!(got.errors[..], [CaptureError::Cut { offset: 45 }]), "{:?}", got.errors);
            assert_eq!(got.before, [1]);
            cut.bytes.truncate(45);
            assert_eq!(read(&cut).error(), "");
        }
    }

    #[test]
    fn lengths_beyond_reason_are_damage() {
        for caplen in [262_145, 0x7fff_ffff, u32::MAX] {
            let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
            b.record(1, 0, 50, 1).u32(2).u32(0).u32(caplen).u32(caplen).raw(&[0; 500]);
            let got = read(&b);
            assert!(matches!(got.errors[..], [CaptureError::Damaged { offset: 90, .. }]), "{:?}", got.errors);
            assert_eq!(got.frames.len(), 1);
            assert!(got.largest < 10_000, "{}", got.largest);
            // Without being asked for, the bytes behind the damage do not come.
            let got = read_all(&mut open_bytes(&b.bytes, 64, false).unwrap());
            assert!(got.content.len() < 200);
            assert_eq!(got.frames.len(), 1);
        }
    }

    #[test]
    fn a_file_may_announce_larger_frames() {
        let mut b = Bytes::new(false);
        b.u32(0xa1b2_c3d4).u16(2).u16(4).u32(0).u32(0).u32(1 << 20).u32(1);
        b.record(1, 0, 1 << 20, 1).record(2, 0, 7, 2);
        let got = read(&b);
        assert_eq!(got.error(), "");
        assert_eq!(got.frames.len(), 2);
        // A length that the bytes do not bear out costs no memory.
        b.bytes.truncate(24);
        b.u32(1).u32(0).u32(1 << 20).u32(1 << 20).raw(&[1; 100]);
        let got = read(&b);
        assert!(matches!(got.errors[..], [CaptureError::Cut { offset: 24 }]));
        assert!(got.largest < 1000, "{}", got.largest);
    }

    #[test]
    fn zeros_at_the_end_are_no_frames() {
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        b.record(1, 0, 5, 1).raw(&[0; 400]);
        let got = read(&b);
        assert_eq!(got.frames.len(), 1);
        assert!(matches!(got.errors[..], [CaptureError::Damaged { offset: 45, .. }]));
    }

    #[test]
    fn a_header_alone_is_a_capture_without_frames() {
        let got = read(&Bytes::pcap(false, 0xa1b2_c3d4, 1));
        assert_eq!((got.frames.len(), got.error()), (0, String::new()));
    }
}
