//! Writing pcapng (draft-ietf-opsawg-pcapng): packets with comments.

use super::LinkType;
use crate::base::Timestamp;
use std::io::{self, Write};

/// Block types (section 4): section header, interface description, enhanced
/// packet.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// Option codes (section 3.5, 4.1, 4.2).
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;

/// Timestamps are in units of 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// Longest text of an option in bytes; its length has 16 bits.
const MAX_TEXT: usize = 65_532;

/// Bytes of an enhanced packet block beside packet, options and padding: type,
/// length twice, interface, time, captured and original length, end of options.
const PACKET_FRAME: usize = 36;

/// An interface of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceDescription<'a> {
    /// How its frames begin.
    pub link: LinkType,
    /// Most bytes captured of a frame; 0 for no limit.
    pub snaplen: u32,
    /// Its name; none where empty.
    pub name: &'a str,
    /// More about it; none where empty.
    pub description: &'a str,
}

/// A frame to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketBlock<'a> {
    /// Number of its interface, as [`PcapngWriter::interface`] gave it.
    pub interface: u32,
    /// When it was captured; a time before 1970 is written as 1970.
    pub ts: Timestamp,
    /// Bytes on the wire.
    pub orig_len: u32,
    /// Bytes captured.
    pub bytes: &'a [u8],
}

/// Writes one section, little-endian, timestamps in nanoseconds.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    interfaces: u32,
    block: Vec<u8>,
    written: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a file made by `application`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, application: &str) -> io::Result<Self> {
        let mut writer = PcapngWriter { out, interfaces: 0, block: Vec::new(), written: 0 };
        writer.block.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        // Version 1.0, section length unknown.
        writer.block.extend_from_slice(&[1, 0, 0, 0]);
        writer.block.extend_from_slice(&[0xff; 8]);
        text(&mut writer.block, SHB_USERAPPL, application);
        writer.finish(SECTION)?;
        Ok(writer)
    }

    /// Describes an interface; its number is for the packets.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn interface(&mut self, described: &InterfaceDescription<'_>) -> io::Result<u32> {
        self.block.extend_from_slice(&described.link.0.to_le_bytes());
        self.block.extend_from_slice(&[0, 0]);
        self.block.extend_from_slice(&described.snaplen.to_le_bytes());
        text(&mut self.block, IF_NAME, described.name);
        text(&mut self.block, IF_DESCRIPTION, described.description);
        option(&mut self.block, IF_TSRESOL, &[NANOSECONDS]);
        self.finish(INTERFACE)?;
        let number = self.interfaces;
        self.interfaces = number.saturating_add(1);
        Ok(number)
    }

    /// Writes a packet with its comments.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn packet(&mut self, packet: &PacketBlock<'_>, comments: &[String]) -> io::Result<()> {
        let ts = u64::try_from(packet.ts.0).unwrap_or(0);
        let captured = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        let (high, low) = ((ts >> 32) as u32, ts as u32);
        for word in [packet.interface, high, low, captured, packet.orig_len.max(captured)] {
            self.block.extend_from_slice(&word.to_le_bytes());
        }
        self.block.extend_from_slice(packet.bytes);
        pad(&mut self.block);
        comments.iter().for_each(|comment| text(&mut self.block, OPT_COMMENT, comment));
        self.finish(PACKET)
    }

    /// Bytes that a packet with such comments takes in the file.
    pub fn packet_size(bytes: usize, comments: &[String]) -> u64 {
        let padded = |n: usize| n.saturating_add(3) & !3;
        let written = comments.iter().filter(|c| !c.is_empty());
        let comments = written.map(|c| padded(cut(c).len()).saturating_add(4)).fold(0, usize::saturating_add);
        padded(bytes).saturating_add(comments).saturating_add(PACKET_FRAME) as u64
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where it writes to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Where it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Ends the options of the block that was put together, and writes it.
    fn finish(&mut self, kind: u32) -> io::Result<()> {
        option(&mut self.block, 0, &[]);
        let total = self.block.len().saturating_add(12);
        let length = u32::try_from(total).map_err(|_| io::Error::other("a block beyond 4 GiB"))?.to_le_bytes();
        let result = [&kind.to_le_bytes()[..], &length, &self.block, &length]
            .into_iter()
            .try_for_each(|part| self.out.write_all(part));
        self.block.clear();
        self.written = self.written.saturating_add(total as u64);
        result
    }
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    block.extend_from_slice(&code.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(value);
    pad(block);
}

fn text(block: &mut Vec<u8>, code: u16, value: &str) {
    if !value.is_empty() {
        option(block, code, cut(value).as_bytes());
    }
}

/// As much of a text as fits in an option.
fn cut(value: &str) -> &str {
    let end = (0..=value.len().min(MAX_TEXT)).rev().find(|at| value.is_char_boundary(*at));
    value.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{open_bytes, read_all};
    use super::*;
    use proptest::prelude::*;

    fn file(packets: &[(u32, Timestamp, Vec<u8>, Vec<String>)]) -> Vec<u8> {
        let mut w = PcapngWriter::new(Vec::new(), "test 1").unwrap();
        let eth = InterfaceDescription { link: LinkType(1), snaplen: 96, name: "span0", description: "a port" };
        assert_eq!(w.interface(&eth).unwrap(), 0);
        assert_eq!(w.interface(&InterfaceDescription { link: LinkType(101), ..Default::default() }).unwrap(), 1);
        for (interface, ts, bytes, comments) in packets {
            let before = w.written();
            let block = PacketBlock { interface: *interface, ts: *ts, orig_len: 2000, bytes };
            w.packet(&block, comments).unwrap();
            assert_eq!(w.written() - before, PcapngWriter::<Vec<u8>>::packet_size(bytes.len(), comments));
        }
        let written = w.written();
        let file = w.into_inner();
        assert_eq!(written, file.len() as u64);
        file
    }

    #[test]
    fn our_reader_reads_what_was_written() {
        let ts = Timestamp(1_772_352_000_123_456_789);
        let comments = vec!["one".to_owned(), "zwölf".to_owned()];
        let bytes = file(&[(0, ts, vec![1, 2, 3, 4, 5], comments), (1, ts.plus(1), vec![0x45; 33], Vec::new())]);
        let mut source = open_bytes(&bytes, 64, false).unwrap();
        let got = read_all(&mut source);
        assert_eq!(got.error(), "");
        assert_eq!(got.times(), [ts.0, ts.0 + 1]);
        assert!(got.frames.iter().all(|f| f.1.orig_len == 2000));
        let interfaces = &got.interfaces;
        let of = |i: usize| (interfaces[i].name.as_str(), interfaces[i].link.0, interfaces[i].snaplen);
        assert_eq!((of(0), of(1)), (("span0", 1, 96), ("", 101, 0)));
        assert!(bytes.windows(6).any(|w| w == "zwölf".as_bytes()));
    }

    #[test]
    fn a_comment_that_is_too_long_is_cut_between_characters() {
        let long = "ü".repeat(40_000);
        let bytes = file(&[(0, Timestamp(5), vec![9; 7], vec![long])]);
        assert_eq!(read_all(&mut open_bytes(&bytes, 1 << 20, false).unwrap()).error(), "");
    }

    proptest! {
        #[test]
        fn any_packets_come_back(
            packets in proptest::collection::vec(
                (0u32..2, 0i64..i64::MAX, proptest::collection::vec(any::<u8>(), 0..80), proptest::collection::vec(".{0,40}", 0..3)),
                0..8,
            ),
        ) {
            let packets: Vec<_> = packets.into_iter().map(|(i, t, b, c)| (i, Timestamp(t), b, c)).collect();
            let got = read_all(&mut open_bytes(&file(&packets), 64, false).unwrap());
            prop_assert_eq!(got.error(), "");
            let want: Vec<_> = packets.iter().map(|(i, t, b, _)| (*i, *t, b.clone())).collect();
            let found: Vec<_> = got.frames.iter().map(|f| (u32::from(f.1.interface), f.1.ts, f.2.clone())).collect();
            prop_assert_eq!(found, want);
        }
    }
}
