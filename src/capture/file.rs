//! Frames of a capture file or stream, described in place.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::classic::Classic;
use super::decompress::Compression;
use super::pcapng::Ng;
use super::{Batch, CaptureError, FrameSource, Interface, InterfaceStatistics, Progress, Status};
use std::io::{self, Read};
use std::sync::Arc;

/// Why a parser stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What starts at the position needs so many bytes from there on, as far
    /// as can be told; fewer are in the buffer.
    More { need: usize },
    /// What starts at the position makes no sense.
    Damage(String),
    /// A section of a version that is not known starts at the position.
    Version { major: u16, minor: u16 },
}

/// The two file formats.
#[derive(Debug)]
pub(super) enum Parser {
    Classic(Classic),
    Ng(Ng),
}

impl Parser {
    /// Where the block starts that is being stepped over, if one is.
    fn skipping(&self) -> Option<u64> {
        match self {
            Parser::Classic(_) => None,
            Parser::Ng(p) => p.skipping(),
        }
    }
}

/// A buffer that a record does not fit in grows by at most this factor a
/// step, so that a length is believed only as far as bytes bear it out.
const GROWTH: usize = 2;

/// What a buffer without content has at first. It grows to its full size while
/// there is more to read: to clear a mebibyte takes longer than to read a small
/// file.
const FIRST: usize = 16 << 10;

/// By how much it then grows a step.
const STEP: usize = 4;

/// What the next call does.
#[derive(Debug)]
enum Next {
    Read,
    Fail(CaptureError),
    /// Deliver what is left of the content, if that was asked for, and end.
    Rest,
}

/// What a [`FileSource`] is made of.
pub(super) struct Parts {
    /// The decompressed content from its first byte on.
    pub content: Box<dyn Read + Send>,
    /// How it was compressed.
    pub compression: Option<Compression>,
    /// How far the input was read.
    pub progress: Arc<Progress>,
    /// The parser, which has seen the file header.
    pub parser: Parser,
    /// Bytes of the content that the parser has seen.
    pub header: usize,
    /// Size of a buffer.
    pub size: usize,
    /// Whether to wait until a buffer is full. Frames of a pipe are passed on
    /// as they come.
    pub fill: bool,
    /// Whether to deliver the bytes behind damage.
    pub drain: bool,
}

/// A capture file, a stream of one, or the decompressed content of one.
pub(super) struct FileSource {
    parts: Parts,
    interfaces: Arc<[Interface]>,
    /// Bytes of a record that the end of the last buffer cut.
    carry: Vec<u8>,
    /// Offset of the carry's first byte in the content.
    base: u64,
    /// Number of the next frame.
    number: u64,
    /// Whether the content has no more bytes.
    ended: bool,
    /// Whether the content has no more bytes for now.
    idle: bool,
    next: Next,
}

impl FileSource {
    pub(super) fn new(parts: Parts) -> Self {
        let interfaces = match &parts.parser {
            Parser::Classic(classic) => Arc::from([classic.interface().clone()]),
            Parser::Ng(_) => Arc::from([]),
        };
        FileSource {
            parts,
            interfaces,
            carry: Vec::new(),
            base: 0,
            number: 1,
            ended: false,
            idle: false,
            next: Next::Read,
        }
    }

    /// How the content was compressed.
    pub(super) fn compression(&self) -> Option<Compression> {
        self.parts.compression
    }

    /// Whether the content was compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.parts.compression.is_some()
    }

    /// Whether a call has nothing to say before more content comes.
    pub(super) fn wants_more(&self) -> bool {
        matches!(self.next, Next::Read)
    }

    /// Whether the content that was read so far ends inside a record.
    pub(super) fn holds_part(&self) -> bool {
        !self.carry.is_empty() || self.parts.parser.skipping().is_some()
    }

    /// Reads a buffer and describes its frames; sets what comes next.
    fn read(&mut self, batch: &mut Batch) {
        let mut len = self.carry.len();
        let size = self.parts.size.max(len.saturating_add(len.min(self.parts.size)).saturating_add(1));
        // What a used buffer holds need not be cleared again.
        batch.buf.resize(size.min(batch.buf.len().max(FIRST).max(len)), 0);
        if let Some(front) = batch.buf.get_mut(..len) {
            front.copy_from_slice(&self.carry);
        }
        batch.carried = len;
        let mut pos = 0;
        let mut failure = None;
        let stop = loop {
            let Some(space) = batch.buf.get_mut(len..).filter(|s| !s.is_empty()) else {
                if len < size {
                    batch.buf.resize(size.min(len.saturating_mul(STEP).max(FIRST)), 0);
                    continue;
                }
                match self.scan(batch, len, &mut pos) {
                    Stop::More { need } if pos == 0 => {
                        let target = need.min(len.saturating_mul(GROWTH)).max(len.saturating_add(1));
                        batch.buf.resize(target, 0);
                        continue;
                    }
                    stop => break stop,
                }
            };
            match self.parts.content.read(space) {
                Ok(0) => self.ended = true,
                Ok(n) => len = len.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.idle = true,
                Err(e) => {
                    self.ended = true;
                    failure = Some(input_error(e, self.parts.compression, self.base.saturating_add(len as u64)));
                }
            }
            if self.ended || self.idle {
                break self.scan(batch, len, &mut pos);
            }
            if !self.parts.fill {
                let stop = self.scan(batch, len, &mut pos);
                if !batch.frames.is_empty() || !matches!(stop, Stop::More { .. }) {
                    break stop;
                }
            }
        };
        batch.buf.truncate(len);
        self.finish(batch, pos, stop, failure);
    }

    /// Describes what the first `len` bytes of the buffer hold from `pos` on.
    fn scan(&mut self, batch: &mut Batch, len: usize, pos: &mut usize) -> Stop {
        let header = self.parts.header;
        if header > 0 {
            if len < header {
                return Stop::More { need: header };
            }
            *pos = header;
            self.parts.header = 0;
        }
        let buf = batch.buf.get(..len).unwrap_or_default();
        match &mut self.parts.parser {
            Parser::Classic(p) => p.scan(buf, pos, &mut batch.frames),
            Parser::Ng(p) => p.scan(buf, self.base, pos, &mut batch.frames),
        }
    }

    /// Keeps what the next call needs. `pos` is where the parser stopped.
    fn finish(&mut self, batch: &mut Batch, pos: usize, stop: Stop, failure: Option<CaptureError>) {
        if let Parser::Ng(p) = &mut self.parts.parser
            && let Some(interfaces) = p.changed_interfaces()
        {
            self.interfaces = interfaces;
        }
        batch.interfaces = self.interfaces.clone();
        self.number = self.number.saturating_add(batch.frames.len() as u64);
        let offset = self.parts.parser.skipping().unwrap_or(self.base.saturating_add(pos as u64));
        self.carry.clear();
        self.next = match stop {
            Stop::Damage(what) => Next::Fail(CaptureError::Damaged { offset, what }),
            Stop::Version { major, minor } => {
                Next::Fail(CaptureError::UnsupportedVersion { format: "pcapng", major, minor })
            }
            Stop::More { .. } => {
                self.carry.extend_from_slice(batch.buf.get(pos..).unwrap_or_default());
                match failure {
                    Some(error) => Next::Fail(error),
                    None if self.ended => self.cut(offset),
                    None => Next::Read,
                }
            }
        };
        let gone = batch.buf.len().saturating_sub(self.carry.len());
        self.base = self.base.saturating_add(gone as u64);
    }

    /// What follows the end of the content; `offset` is where the parser
    /// stopped.
    fn cut(&self, offset: u64) -> Next {
        if self.holds_part() { Next::Fail(CaptureError::Cut { offset }) } else { Next::Rest }
    }

    /// Delivers content without frames.
    fn rest(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
        if self.parts.drain && !self.ended {
            batch.buf.resize(self.parts.size.max(1), 0);
            match self.parts.content.read(&mut batch.buf) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    batch.buf.truncate(n);
                    self.base = self.base.saturating_add(n as u64);
                    return Ok(Status::Frames);
                }
                Err(e) => {
                    self.ended = true;
                    batch.buf.clear();
                    return Err(input_error(e, self.parts.compression, self.base));
                }
            }
        }
        batch.buf.clear();
        match &mut self.parts.parser {
            Parser::Ng(p) => p.take_skipped().map_or(Ok(Status::End), Err),
            Parser::Classic(_) => Ok(Status::End),
        }
    }
}

impl FrameSource for FileSource {
    fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
        batch.frames.clear();
        batch.carried = 0;
        batch.base = self.base;
        batch.first_number = self.number;
        // A frame far beyond the usual may have made the buffer large.
        let usual = self.parts.size.max(self.carry.len()).saturating_mul(4);
        if batch.buf.capacity() > usual {
            batch.buf.truncate(self.parts.size);
            batch.buf.shrink_to(self.parts.size);
        }
        if matches!(self.next, Next::Read) {
            self.idle = false;
            self.read(batch);
            if batch.buf.len() > batch.carried {
                return Ok(Status::Frames);
            }
            if self.idle {
                return Ok(Status::Idle);
            }
            // The content ended with the last batch.
            batch.carried = 0;
        }
        match std::mem::replace(&mut self.next, Next::Rest) {
            Next::Fail(error) => {
                batch.buf.clear();
                Err(error)
            }
            Next::Read | Next::Rest => {
                batch.interfaces = self.interfaces.clone();
                self.rest(batch)
            }
        }
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        self.interfaces.clone()
    }

    fn statistics(&self) -> Vec<InterfaceStatistics> {
        match &self.parts.parser {
            Parser::Classic(_) => Vec::new(),
            Parser::Ng(p) => p.statistics(),
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.parts.progress.clone()
    }
}

/// An error of reading content as an error of the capture.
pub(super) fn input_error(error: io::Error, compression: Option<Compression>, offset: u64) -> CaptureError {
    match compression {
        Some(c) if error.raw_os_error().is_none() => {
            let format = c.name();
            if error.kind() == io::ErrorKind::UnexpectedEof {
                CaptureError::CutCompressed { format, offset }
            } else {
                CaptureError::DamagedCompressed { format, offset, what: error.to_string() }
            }
        }
        _ => CaptureError::from_io(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, Chunked, open_bytes, read_all, read_bytes, read_pipe};
    use super::super::{OpenOptions, open::from_input};
    use super::*;
    use proptest::prelude::*;

    /// Frames of all lengths around the sizes of small buffers.
    fn sample(ng: bool, big: bool, lengths: &[usize]) -> Bytes {
        let mut b = Bytes::new(big);
        if ng {
            b.section().interface(1, 0, &[(2, b"eth0")]);
        } else {
            b = Bytes::pcap(big, 0xa1b2_c3d4, 1);
        }
        for (n, len) in lengths.iter().enumerate() {
            let data: Vec<u8> = (0..*len).map(|i| (i * 7 + n) as u8).collect();
            if ng {
                b.packet(0, n as u64, &data);
            } else {
                b.u32(n as u32 + 1).u32(0).u32(*len as u32).u32(*len as u32).raw(&data);
            }
        }
        b
    }

    #[test]
    fn buffers_of_any_size_give_the_same_frames() {
        let lengths: Vec<usize> = (0..60).chain([100, 500, 1, 3000, 2, 64, 5000]).collect();
        for ng in [false, true] {
            let b = sample(ng, ng, &lengths);
            let want = read_all(&mut open_bytes(&b.bytes, 1 << 20, false).unwrap());
            assert_eq!(want.frames.len(), lengths.len());
            assert_eq!((want.error(), &want.content), (String::new(), &b.bytes));
            for size in (1..140).chain([1000, 4096]) {
                let got = read_all(&mut open_bytes(&b.bytes, size, false).unwrap());
                assert_eq!(got.frames, want.frames, "buffers of {size} bytes");
                assert_eq!((got.error(), &got.content), (String::new(), &b.bytes));
                assert!(got.largest < 16_000, "{}", got.largest);
            }
        }
    }

    /// A buffer grows to its size before a batch is handed on, so that batches
    /// begin and end where they would if it had it from the start.
    #[test]
    fn small_captures_take_small_buffers_and_large_ones_full_ones() {
        let size = 1 << 20;
        for records in [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 2500] {
            let b = sample(false, false, &vec![1008; records]);
            let mut source = open_bytes(&b.bytes, size, false).unwrap();
            let mut batch = Batch::default();
            let (mut filled, mut frames) = (Vec::new(), 0);
            while source.next_batch(&mut batch).unwrap() == Status::Frames {
                frames += batch.frames.len();
                filled.push(batch.buf.len());
                let most = (b.bytes.len() * STEP).clamp(FIRST, size + 1024);
                assert!(batch.buf.capacity() <= most, "{records}: {}", batch.buf.capacity());
            }
            assert_eq!(frames, records);
            assert_eq!(filled.len(), b.bytes.len().div_ceil(size), "{records}");
            assert!(filled.iter().rev().skip(1).all(|len| *len == size), "{filled:?}");
            assert_eq!(read_all(&mut open_bytes(&b.bytes, size, false).unwrap()).content, b.bytes);
        }
    }

    #[test]
    fn a_record_that_ends_with_the_buffer_is_not_carried() {
        // 24 + 16 + 24 bytes are one buffer; then 16 + 48.
        let b = sample(false, false, &[24, 48]);
        let mut source = open_bytes(&b.bytes, 64, false).unwrap();
        let mut batch = Batch::default();
        for (base, first) in [(0, 1), (64, 2)] {
            assert_eq!(source.next_batch(&mut batch).unwrap(), Status::Frames);
            assert_eq!((batch.frames.len(), batch.carried, batch.buf.len()), (1, 0, 64));
            assert_eq!((batch.base, batch.first_number), (base, first));
        }
        assert_eq!(source.next_batch(&mut batch).unwrap(), Status::End);
    }

    #[test]
    fn frames_of_a_pipe_come_before_its_end() {
        let b = sample(false, false, &[50, 50, 50]);
        let reader = Chunked(io::Cursor::new(b.bytes.clone()), 70);
        let input = super::super::input::Input::new(Box::new(reader), None);
        let mut source = from_input(input, &OpenOptions::default()).unwrap();
        let mut batch = Batch::default();
        assert_eq!(source.next_batch(&mut batch).unwrap(), Status::Frames);
        assert_eq!(batch.frames.len(), 1);
        assert!(source.progress().read() < b.bytes.len() as u64);
        assert_eq!(source.progress().total(), None);
    }

    #[test]
    fn a_large_frame_does_not_leave_large_buffers() {
        let mut lengths = vec![200_000];
        lengths.extend([10; 200]);
        let b = sample(true, false, &lengths);
        let mut source = open_bytes(&b.bytes, 1000, false).unwrap();
        let mut batch = Batch::default();
        let mut most = 0;
        while source.next_batch(&mut batch).unwrap() == Status::Frames {
            most = most.max(batch.buf.capacity());
        }
        assert!(most >= 200_000);
        assert!(batch.buf.capacity() <= 4000, "{}", batch.buf.capacity());
    }

    #[test]
    fn errors_of_reading_come_after_the_frames() {
        struct Broken(io::Cursor<Vec<u8>>);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buf)? {
                    0 => Err(io::Error::from_raw_os_error(5)),
                    n => Ok(n),
                }
            }
        }
        let b = sample(false, false, &[50, 50]);
        let reader = Broken(io::Cursor::new(b.bytes.clone()));
        let input = super::super::input::Input::new(Box::new(reader), Some(1000));
        let got = read_all(&mut from_input(input, &OpenOptions::default()).unwrap());
        assert_eq!((got.frames.len(), &got.before[..], &got.content), (2, &[2][..], &b.bytes));
        assert!(matches!(got.errors[..], [CaptureError::Io(_)]));
    }

    fn any_capture() -> impl Strategy<Value = Vec<u8>> {
        let lengths = prop::collection::vec(0..300_usize, 0..20);
        let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
        (any::<bool>(), any::<bool>(), lengths, edits, any::<prop::sample::Index>(), any::<bool>()).prop_map(
            |(ng, big, lengths, edits, end, cut)| {
                let mut bytes = sample(ng, big, &lengths).bytes;
                for (at, value) in edits {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
                if cut {
                    bytes.truncate(end.index(bytes.len()));
                }
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn damaged_captures_are_delivered_whole(bytes in any_capture(), size in 1..5000_usize, chunk in 1..400_usize) {
            if let Ok(mut source) = open_bytes(&bytes, size, true) {
                let got = read_all(&mut source);
                prop_assert_eq!(&got.content, &bytes);
                for (at, meta, data) in &got.frames {
                    prop_assert_eq!(&bytes[*at as usize..][..meta.caplen as usize], &data[..]);
                }
                let other = read_pipe(&bytes, chunk);
                prop_assert_eq!(&other.frames, &got.frames);
                prop_assert_eq!(&other.content, &bytes);
                prop_assert_eq!(format!("{:?}", other.errors), format!("{:?}", got.errors));
                let bare = read_all(&mut open_bytes(&bytes, size, false).unwrap());
                prop_assert_eq!(&bare.frames, &got.frames);
                prop_assert!(bytes.starts_with(&bare.content));
            }
        }

        #[test]
        fn random_content_behind_a_header_never_panics(
            start in prop::sample::select(vec![
                Bytes::pcap(false, 0xa1b2_c3d4, 1).bytes,
                Bytes::pcap(true, 0xa1b2_cd34, 1).bytes,
                Bytes::new(false).section().interface(1, 0, &[]).bytes.clone(),
                Bytes::new(true).section().interface(1, 0, &[]).bytes.clone(),
                vec![],
            ]),
            tail in prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..8_u8, 2 => any::<u8>()], 0..600),
        ) {
            let bytes = [start, tail].concat();
            if let Ok(mut source) = open_bytes(&bytes, 64, true) {
                prop_assert_eq!(read_all(&mut source).content, bytes);
            }
        }
    }

    #[test]
    fn content_behind_damage_comes_without_frames() {
        let mut b = sample(false, false, &[40]);
        b.raw(&[0xff; 300]);
        let got = read_bytes(&b.bytes);
        assert_eq!((got.frames.len(), &got.content), (1, &b.bytes));
    }
}
