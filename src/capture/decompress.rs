//! Decompression while reading, chosen by content, in constant memory.
//!
//! All formats may consist of several members one after another, as
//! concatenating compressed files makes them.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod bz2;

use super::pump::Pump;
use std::io::{self, BufRead, BufReader, Read};

/// Bytes of compressed input that are read at once, at most.
const INPUT_BUFFER: usize = 256 << 10;

/// And at least, however small the input is said to be.
const LEAST_INPUT_BUFFER: usize = 4 << 10;

/// A regular file of so many bytes is read faster with a thread of its own.
const WORTH_A_THREAD: u64 = 4 << 20;

/// Most memory that an xz stream may demand: its highest preset needs 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

/// Largest zstd window, as a power of two; the highest level of the zstd
/// program without `--long` needs this one.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The magic number of LZ4's legacy frames.
const LZ4_LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Xz,
    Lz4,
    Bzip2,
}

/// Bytes that [`Compression::detect`] wants to see.
pub(super) const DETECT: usize = 10;

impl Compression {
    /// The format of content that begins so.
    pub(super) fn detect(head: &[u8]) -> Option<Self> {
        match head {
            // RFC 1952 section 2.3.1: deflate is the only method.
            [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
            // RFC 8878 section 3.1.1.
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            // The frame format, and the legacy one of the Linux kernel.
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Compression::Lz4),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Compression::Bzip2),
            // A bzip2 file of nothing has only the mark of the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Compression::Bzip2),
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
            Compression::Lz4 => "lz4",
            Compression::Bzip2 => "bzip2",
        }
    }

    /// How many files of this format are worth decompressing at a time, where
    /// as many as `threads` can be.
    pub(super) fn at_once(self, threads: usize) -> usize {
        match self {
            Compression::Gzip | Compression::Bzip2 => threads,
            // Windows may take 128 MiB each.
            Compression::Xz => threads.min(2),
            // And one is about as fast as what decodes it.
            Compression::Zstd | Compression::Lz4 => (threads / 2).max(1),
        }
    }

    /// The decompressed bytes of `input`, which has about `size` bytes, if that
    /// is known. With `beside`, a thread of its own may read the input.
    ///
    /// Reading fails with [`io::ErrorKind::UnexpectedEof`] where the
    /// compressed data end early, and with an error without an operating
    /// system's code where they are damaged.
    pub(super) fn decoder<R: Read + Send + 'static>(
        self,
        input: R,
        size: Option<u64>,
        beside: bool,
    ) -> io::Result<Box<dyn Read + Send>> {
        let mut input = input;
        // The others take so long that reading does not matter.
        if beside && self == Compression::Zstd && size.is_some_and(|n| n >= WORTH_A_THREAD) {
            match Pump::start(input) {
                Ok(pump) => return zstd(pump),
                Err(back) => input = back,
            }
        }
        let size = size.and_then(|n| usize::try_from(n).ok()).unwrap_or(INPUT_BUFFER);
        let input = BufReader::with_capacity(size.clamp(LEAST_INPUT_BUFFER, INPUT_BUFFER), input);
        Ok(match self {
            Compression::Gzip => Box::new(Gzip::Between(input)),
            Compression::Zstd => zstd(input)?,
            Compression::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Compression::Lz4 => Box::new(Lz4::new(input)),
            Compression::Bzip2 => Box::new(bz2::Bzip2::new(input)),
        })
    }
}

/// Zstandard frames one after another (RFC 8878).
fn zstd<R: BufRead + Send + 'static>(input: R) -> io::Result<Box<dyn Read + Send>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

/// Whether content begins with a skippable frame, which zstd and LZ4 have in
/// common (RFC 8878 section 3.1.2). Parallel compressors put such frames first.
pub(super) fn begins_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Steps over the skippable frames at the beginning. The magic number of the
/// frame behind them, empty at the end.
pub(super) fn skip_frames<R: BufRead>(input: &mut R) -> io::Result<Vec<u8>> {
    loop {
        let mut magic = Vec::with_capacity(4);
        input.take(4).read_to_end(&mut magic)?;
        if !begins_skippable(&magic) {
            return Ok(magic);
        }
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        if io::copy(&mut input.take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn trailing_bytes() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "other bytes follow the compressed data")
}

/// Gzip members one after another. Zeros behind the last one, as tapes and
/// block devices leave them, are ignored like gzip(1) does.
enum Gzip<R: BufRead> {
    Between(R),
    Inside(Box<flate2::bufread::GzDecoder<R>>),
    Ended,
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Gzip::Ended) {
                Gzip::Ended => return Ok(0),
                Gzip::Between(mut input) => match input.fill_buf()?.first() {
                    None => return Ok(0),
                    Some(0x1f) => *self = Gzip::Inside(Box::new(flate2::bufread::GzDecoder::new(input))),
                    Some(0) => {
                        let chunk = input.fill_buf()?;
                        let zeros = chunk.iter().position(|b| *b != 0);
                        let n = zeros.unwrap_or(chunk.len());
                        input.consume(n);
                        if zeros.is_some() {
                            return Err(trailing_bytes());
                        }
                        *self = Gzip::Between(input);
                    }
                    Some(_) => return Err(trailing_bytes()),
                },
                Gzip::Inside(mut decoder) => match decoder.read(buf)? {
                    0 if !buf.is_empty() => *self = Gzip::Between(decoder.into_inner()),
                    n => {
                        *self = Gzip::Inside(decoder);
                        return Ok(n);
                    }
                },
            }
        }
    }
}

/// LZ4 frames one after another, with skippable ones between them
/// (lz4 frame format description, sections "Skippable Frames" and "Legacy
/// frame"). Each frame has a decoder of its own.
enum Lz4<R: BufRead> {
    /// Before a frame, whose magic number may have been read already.
    Between(R, Option<[u8; 4]>),
    Frame(Box<lz4_flex::frame::FrameDecoder<Lz4Input<R>>>),
    Legacy(Legacy<R>),
    /// After an error.
    Failed,
}

/// Gives the decoder a frame's magic number again, and remembers whether it
/// was told the end: it does not tell an end between two blocks of a frame
/// from the end of the frame.
struct Lz4Input<R> {
    inner: R,
    magic: [u8; 4],
    given: usize,
    ended: bool,
}

impl<R: BufRead> Read for Lz4Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match self.magic.get(self.given..) {
            Some(mut left) if !left.is_empty() => {
                let n = left.read(buf)?;
                self.given = self.given.saturating_add(n);
                n
            }
            _ => self.inner.read(buf)?,
        };
        self.ended |= n == 0 && !buf.is_empty();
        Ok(n)
    }
}

/// A legacy frame: blocks behind their length (32 bits, little-endian) until
/// the file ends or another frame begins.
struct Legacy<R> {
    inner: R,
    compressed: Vec<u8>,
    block: Vec<u8>,
    /// What of the block is not read yet.
    left: std::ops::Range<usize>,
}

impl<R: BufRead> Legacy<R> {
    /// Most bytes of a block.
    const BLOCK: usize = 8 << 20;
    /// The same compressed, where nothing repeats (`LZ4_COMPRESSBOUND`).
    const COMPRESSED: usize = Self::BLOCK + Self::BLOCK / 255 + 16;

    fn new(inner: R) -> Self {
        Legacy { inner, compressed: Vec::new(), block: Vec::new(), left: 0..0 }
    }

    /// Reads the next block. What comes in its place: `None` at the end of the
    /// file, another frame's magic number.
    fn next_block(&mut self) -> io::Result<Option<Option<[u8; 4]>>> {
        if self.inner.fill_buf()?.is_empty() {
            return Ok(Some(None));
        }
        let mut length = [0; 4];
        self.inner.read_exact(&mut length)?;
        if is_lz4_magic(length) {
            return Ok(Some(Some(length)));
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > Self::COMPRESSED {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an lz4 block is too long"));
        }
        self.compressed.clear();
        self.inner.by_ref().take(length as u64).read_to_end(&mut self.compressed)?;
        if self.compressed.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.block.resize(Self::BLOCK, 0);
        let n = lz4_flex::block::decompress_into(&self.compressed, &mut self.block)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        self.left = 0..n;
        Ok(None)
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let n = self.left.len().min(buf.len());
        let end = self.left.start.saturating_add(n);
        if let (Some(from), Some(to)) = (self.block.get(self.left.start..end), buf.get_mut(..n)) {
            to.copy_from_slice(from);
        }
        self.left.start = end;
        n
    }
}

/// Whether a frame begins with it, of any kind.
fn is_lz4_magic(bytes: [u8; 4]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18] | [0x04, 0x22, 0x4d, 0x18] | LZ4_LEGACY)
}

impl<R: BufRead> Lz4<R> {
    fn new(inner: R) -> Self {
        Lz4::Between(inner, None)
    }

    /// Goes to the next frame that is no skippable one; stays where the file
    /// ends.
    fn next_frame(mut inner: R, mut known: Option<[u8; 4]>) -> io::Result<Self> {
        loop {
            let magic = match known.take() {
                Some(magic) => magic,
                None if inner.fill_buf()?.is_empty() => return Ok(Lz4::Between(inner, None)),
                None => {
                    let mut magic = [0; 4];
                    inner.read_exact(&mut magic)?;
                    magic
                }
            };
            match magic {
                LZ4_LEGACY => return Ok(Lz4::Legacy(Legacy::new(inner))),
                [0x04, 0x22, 0x4d, 0x18] => {
                    let input = Lz4Input { inner, magic, given: 0, ended: false };
                    return Ok(Lz4::Frame(Box::new(lz4_flex::frame::FrameDecoder::new(input))));
                }
                _ if is_lz4_magic(magic) => {
                    let mut length = [0; 4];
                    inner.read_exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    if io::copy(&mut inner.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                _ => return Err(trailing_bytes()),
            }
        }
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(self, Lz4::Failed) {
                Lz4::Between(inner, known) => {
                    *self = Self::next_frame(inner, known)?;
                    if matches!(self, Lz4::Between(..)) {
                        return Ok(0);
                    }
                }
                Lz4::Frame(mut decoder) => {
                    match decoder.read(buf) {
                        Ok(0) => {}
                        Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                        more => {
                            *self = Lz4::Frame(decoder);
                            return more;
                        }
                    }
                    let input = decoder.into_inner();
                    if input.ended {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    *self = Lz4::Between(input.inner, None);
                }
                Lz4::Legacy(mut legacy) => {
                    if legacy.left.is_empty()
                        && let Some(magic) = legacy.next_block()?
                    {
                        *self = Lz4::Between(legacy.inner, magic);
                        continue;
                    }
                    let n = legacy.take(buf);
                    *self = Lz4::Legacy(legacy);
                    if n > 0 {
                        return Ok(n);
                    }
                }
                Lz4::Failed => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, open_bytes, read_all};
    use super::super::{CaptureError, LinkType};
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    const ALL: [Compression; 5] =
        [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Lz4, Compression::Bzip2];

    fn compress(format: Compression, bytes: &[u8]) -> Vec<u8> {
        match format {
            Compression::Gzip => {
                let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                e.write_all(bytes).unwrap();
                e.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(bytes, 3).unwrap(),
            Compression::Xz => {
                let mut e = liblzma::write::XzEncoder::new(Vec::new(), 1);
                e.write_all(bytes).unwrap();
                e.finish().unwrap()
            }
            Compression::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut e = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                e.write_all(bytes).unwrap();
                e.finish().unwrap()
            }
            Compression::Bzip2 => {
                let mut e = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                e.write_all(bytes).unwrap();
                e.finish().unwrap()
            }
        }
    }

    /// A capture of 300 kB that does not compress well.
    fn capture() -> Vec<u8> {
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        let mut state = 1_u32;
        for n in 0..300 {
            let data: Vec<u8> = (0..1000)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            b.u32(n).u32(0).u32(1000).u32(1000).raw(&data);
        }
        b.bytes
    }

    #[test]
    fn every_format_in_one_member_and_in_several() {
        let plain = capture();
        for format in ALL {
            let packed = compress(format, &plain);
            assert_eq!(Compression::detect(&packed), Some(format));
            let got = read_all(&mut open_bytes(&packed, 4096, false).unwrap());
            assert_eq!((got.frames.len(), got.error(), got.content == plain), (300, String::new(), true), "{format:?}");
            assert_eq!(got.interfaces[0].link, LinkType(1));
            // Members that end within records, an empty one among them.
            let (a, b) = plain.split_at(100_003);
            let packed = [compress(format, a), compress(format, &[]), compress(format, b)].concat();
            let got = read_all(&mut open_bytes(&packed, 4096, false).unwrap());
            assert_eq!((got.frames.len(), got.error(), got.content == plain), (300, String::new(), true), "{format:?}");
        }
    }

    #[test]
    fn a_cut_is_damage_after_the_frames_before_it() {
        let plain = capture();
        for format in ALL {
            let packed = compress(format, &plain);
            for at in [packed.len() - 1, packed.len() * 3 / 4, packed.len() / 2] {
                let got = read_all(&mut open_bytes(&packed[..at], 4096, true).unwrap());
                assert!(plain.starts_with(&got.content));
                assert!(
                    matches!(got.errors[..], [CaptureError::CutCompressed { .. }]),
                    "{format:?} {at}: {:?}",
                    got.errors
                );
                assert!(got.before == [got.frames.len()] && got.errors[0].is_partial());
                // All whole frames of the content were delivered.
                assert_eq!(got.frames.len(), (got.content.len().max(24) - 24) / 1016);
            }
        }
    }

    /// The decoder itself takes the end of a file between two blocks for the
    /// end of the frame.
    fn legacy(blocks: &[&[u8]]) -> Vec<u8> {
        let mut out = LZ4_LEGACY.to_vec();
        for block in blocks {
            let packed = lz4_flex::block::compress(block);
            out.extend((packed.len() as u32).to_le_bytes());
            out.extend(packed);
        }
        out
    }

    fn unpack_lz4(bytes: &[u8]) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut out = Vec::new();
        let end = Lz4::new(bytes).read_to_end(&mut out);
        (out, end.err().map(|e| e.kind()))
    }

    /// Frames with other sizes of blocks than the one before: one decoder for
    /// all of them does not hold its own conditions.
    #[test]
    fn lz4_frames_of_every_kind_one_after_another() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let old = legacy(&[&plain[..300_000], &plain[300_000..]]);
        let new = compress(Compression::Lz4, &plain);
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for order in [vec![&old], vec![&old, &new], vec![&new, &old, &old], vec![&old, &skipped, &new, &skipped]] {
            let file: Vec<u8> = order.iter().flat_map(|part| part.iter().copied()).collect();
            let frames = order.iter().filter(|part| **part != &skipped).count();
            assert_eq!(unpack_lz4(&file), (plain.repeat(frames), None));
        }
        let cut = unpack_lz4(&old[..old.len() - 1]);
        assert_eq!((cut.0.len(), cut.1), (300_000, Some(io::ErrorKind::UnexpectedEof)));
        let long = [&LZ4_LEGACY[..], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(unpack_lz4(&long), (Vec::new(), Some(io::ErrorKind::InvalidData)));
        let wrong = [&old[..], b"no frame"].concat();
        assert_eq!(unpack_lz4(&wrong).1, Some(io::ErrorKind::InvalidData));
    }

    #[test]
    fn an_lz4_frame_cut_between_blocks_is_cut() {
        let plain = capture();
        let packed = compress(Compression::Lz4, &plain);
        // Magic number, descriptor; then a length of 31 bits and the block.
        let (head, first) = (7, packed[7..11].try_into().map(u32::from_le_bytes).unwrap() & 0x7fff_ffff);
        let end = head + 4 + first as usize;
        let got = read_all(&mut open_bytes(&packed[..end], 4096, true).unwrap());
        assert_eq!(got.content, &plain[..65_536]);
        assert!(matches!(got.errors[..], [CaptureError::CutCompressed { format: "lz4", offset: 65_536 }]));
    }

    #[test]
    fn damage_is_told_from_a_cut() {
        let plain = capture();
        for format in ALL {
            let packed = [compress(format, &plain), b"other bytes".to_vec()].concat();
            let got = read_all(&mut open_bytes(&packed, 4096, true).unwrap());
            assert_eq!(got.frames.len(), 300, "{format:?}");
            assert!(
                matches!(got.errors[..], [CaptureError::DamagedCompressed { .. } | CaptureError::CutCompressed { .. }]),
                "{format:?}: {:?}",
                got.errors
            );
        }
        let mut packed = compress(Compression::Gzip, &plain);
        let end = packed.len();
        packed[end - 6] ^= 1;
        let got = read_all(&mut open_bytes(&packed, 4096, true).unwrap());
        assert!(matches!(got.errors[..], [CaptureError::DamagedCompressed { .. }]), "{:?}", got.errors);
    }

    #[test]
    fn zeros_behind_gzip_and_skippable_frames_are_no_damage() {
        let plain = capture();
        let packed = [compress(Compression::Gzip, &plain), vec![0; 700_000]].concat();
        let got = read_all(&mut open_bytes(&packed, 4096, true).unwrap());
        assert_eq!((got.frames.len(), got.error()), (300, String::new()));
        let skippable = [0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        for format in [Compression::Zstd, Compression::Lz4] {
            let packed = compress(format, &plain);
            let got = read_all(&mut open_bytes(&[&packed[..], &skippable].concat(), 4096, true).unwrap());
            assert_eq!((got.frames.len(), got.error()), (300, String::new()), "{format:?}");
            let cut = [&packed[..], &skippable[..9]].concat();
            let got = read_all(&mut open_bytes(&cut, 4096, true).unwrap());
            assert_eq!((got.frames.len(), got.errors.len()), (300, 1), "{format:?}");
        }
        for format in [Compression::Zstd, Compression::Lz4] {
            let packed = [&skippable[..], &skippable, &compress(format, &plain)].concat();
            assert_eq!(read_all(&mut open_bytes(&packed, 4096, true).unwrap()).frames.len(), 300, "{format:?}");
            let e = open_bytes(&packed[..20], 4096, true).err().unwrap();
            assert!(matches!(e, CaptureError::CutCompressed { .. }), "{e}");
        }
        for other in [&b""[..], b"some text", &compress(Compression::Gzip, &plain)] {
            let e = open_bytes(&[&skippable[..], other].concat(), 4096, true).err().unwrap();
            assert!(matches!(e, CaptureError::NotACapture { .. }), "{e}");
        }
    }

    #[test]
    fn tiny_bzip2_members_are_bounded_and_others_are_not() {
        let plain = capture();
        let one = compress(Compression::Bzip2, &plain[..30_000]);
        let rest = compress(Compression::Bzip2, &plain[30_000..]);
        let tiny = compress(Compression::Bzip2, b"");
        let got = read_all(&mut open_bytes(&[&one[..], &tiny.repeat(3000), &rest].concat(), 4096, true).unwrap());
        assert_eq!((got.frames.len(), got.error()), (300, String::new()));
        let got = read_all(&mut open_bytes(&[&one[..], &tiny.repeat(5000), &rest].concat(), 4096, true).unwrap());
        assert!(got.error().contains("too many tiny members"), "{}", got.error());
        assert_eq!(got.frames.len(), 29);
    }

    #[test]
    fn a_bomb_takes_constant_memory() {
        let mut b = Bytes::new(false);
        b.section().interface(1, 0, &[]);
        // 64 MiB of one block that is stepped over.
        b.u32(0x4242).u32((64 << 20) + 12).raw(&vec![0; 64 << 20]).u32((64 << 20) + 12).packet(0, 1, b"after");
        for format in [Compression::Gzip, Compression::Zstd] {
            let packed = compress(format, &b.bytes);
            assert!(packed.len() < 100_000);
            let mut source = open_bytes(&packed, 65_536, false).unwrap();
            let mut batch = super::super::Batch::default();
            let (mut frames, mut total) = (0, 0);
            use super::super::FrameSource;
            while source.next_batch(&mut batch).unwrap() == super::super::Status::Frames {
                assert!(batch.buf.capacity() <= 4 * 65_536);
                frames += batch.frames.len();
                total += batch.fresh().len();
            }
            assert_eq!((frames, total), (1, b.bytes.len()));
        }
    }

    #[test]
    fn what_holds_no_capture_is_refused() {
        let text = b"This is a text that is somewhat longer than a file header.";
        for format in ALL {
            let e = open_bytes(&compress(format, text), 4096, false).err().unwrap();
            assert!(matches!(e, CaptureError::NotACapture { what: "it is text" }), "{format:?}: {e}");
            let e = open_bytes(&compress(format, &[]), 4096, false).err().unwrap();
            assert!(matches!(e, CaptureError::NotACapture { what: "it holds nothing" }), "{format:?}: {e}");
            let twice = compress(Compression::Gzip, &compress(format, &capture()));
            let e = open_bytes(&twice, 4096, false).err().unwrap();
            assert!(matches!(e, CaptureError::NotACapture { what: "it is compressed twice" }), "{format:?}: {e}");
            let e = open_bytes(&compress(format, &capture())[..12], 4096, false).err().unwrap();
            assert!(matches!(e, CaptureError::CutCompressed { offset: 0..24, .. }), "{format:?}: {e}");
        }
    }

    proptest! {
        #[test]
        fn damaged_compressed_data_never_panic_nor_pass_for_whole(
            format in prop::sample::select(ALL.to_vec()),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            end in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
            for n in 0..200 {
                b.record(n, 1, (n as usize * 37) % 300, n as u8);
            }
            let mut packed = compress(format, &b.bytes);
            for (at, value) in edits {
                let at = at.index(packed.len());
                packed[at] = value;
            }
            if cut {
                packed.truncate(end.index(packed.len()));
            }
            if let Ok(mut source) = open_bytes(&packed, 4096, true) {
                let got = read_all(&mut source);
                // The capture may be damaged, and the data behind that too.
                prop_assert!(got.errors.len() <= 2);
                let checked = matches!(format, Compression::Gzip | Compression::Xz | Compression::Bzip2);
                if checked && got.errors.is_empty() {
                    prop_assert_eq!(got.content, b.bytes);
                }
            }
        }
    }
}
