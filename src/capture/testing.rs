//! Captures built in memory, and what reading them gives.

use super::input::Input;
use super::open::{OpenOptions, from_input};
use super::{Batch, CaptureError, FrameMeta, FrameSource, Interface, InterfaceStatistics, Status};
use std::io::Read;

/// Appends words in one byte order.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub bytes: Vec<u8>,
    pub big: bool,
}

impl Bytes {
    pub(super) fn new(big: bool) -> Self {
        Bytes { bytes: Vec::new(), big }
    }

    pub(super) fn u16(&mut self, n: u16) -> &mut Self {
        self.bytes.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }

    pub(super) fn u32(&mut self, n: u32) -> &mut Self {
        self.bytes.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }

    /// A classic file header of version 2.4 with snap length 65535.
    pub(super) fn pcap(big: bool, magic: u32, network: u32) -> Self {
        let mut b = Bytes::new(big);
        b.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65_535).u32(network);
        b
    }

    /// A record with a frame of `len` bytes, each of value `fill`.
    pub(super) fn record(&mut self, secs: u32, frac: u32, len: usize, fill: u8) -> &mut Self {
        self.u32(secs).u32(frac).u32(len as u32).u32(len as u32 + 10).raw(&vec![fill; len])
    }

    /// A pcapng block around a body, padded to four bytes.
    pub(super) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let total = (body.len() + padding + 12) as u32;
        self.u32(kind).u32(total).raw(body).raw(&vec![0; padding]).u32(total)
    }

    /// A section header, in the byte order of this file from here on.
    pub(super) fn section(&mut self) -> &mut Self {
        let mut body = Bytes::new(self.big);
        body.u32(0x1a2b_3c4d).u16(1).u16(0).u32(u32::MAX).u32(u32::MAX);
        self.block(0x0a0d_0d0a, &body.bytes)
    }

    /// An interface description with options as code and value.
    pub(super) fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = Bytes::new(self.big);
        body.u16(link).u16(0).u32(snaplen).options(options);
        self.block(1, &body.bytes)
    }

    pub(super) fn options(&mut self, options: &[(u16, &[u8])]) -> &mut Self {
        for (code, value) in options {
            self.u16(*code).u16(value.len() as u16).raw(value);
            self.raw(&vec![0; value.len().next_multiple_of(4) - value.len()]);
        }
        if !options.is_empty() {
            self.u32(0);
        }
        self
    }

    /// An enhanced packet block.
    pub(super) fn packet(&mut self, id: u32, ticks: u64, data: &[u8]) -> &mut Self {
        let mut body = Bytes::new(self.big);
        body.u32(id).u32((ticks >> 32) as u32).u32(ticks as u32).u32(data.len() as u32).u32(data.len() as u32);
        body.raw(data);
        self.block(6, &body.bytes)
    }
}

/// Everything that reading a source gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Offset of each frame in the content, the frame's description with
    /// `offset` set to 0, its bytes.
    pub frames: Vec<(u64, FrameMeta, Vec<u8>)>,
    pub content: Vec<u8>,
    pub errors: Vec<CaptureError>,
    /// How many frames had come when each error did.
    pub before: Vec<usize>,
    pub interfaces: Vec<Interface>,
    pub statistics: Vec<InterfaceStatistics>,
    pub largest: usize,
}

impl Outcome {
    pub(super) fn times(&self) -> Vec<i64> {
        self.frames.iter().map(|f| f.1.ts.0).collect()
    }

    pub(super) fn data(&self) -> Vec<&[u8]> {
        self.frames.iter().map(|f| f.2.as_slice()).collect()
    }

    /// The only error, as text; empty if there was none.
    pub(super) fn error(&self) -> String {
        assert!(self.errors.len() < 2, "{:?}", self.errors);
        self.errors.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// Reads a source to its end and checks what holds for all of them.
pub(super) fn read_all(source: &mut dyn FrameSource) -> Outcome {
    let mut outcome = Outcome::default();
    let mut batch = Batch::default();
    loop {
        match source.next_batch(&mut batch) {
            Ok(Status::Frames) => {}
            Ok(Status::Idle) => panic!("a file is never idle"),
            Ok(Status::End) => break,
            Err(e) => {
                assert!(batch.buf.is_empty() && batch.frames.is_empty() && batch.carried == 0);
                outcome.errors.push(e);
                outcome.before.push(outcome.frames.len());
                continue;
            }
        }
        assert!(batch.buf.len() > batch.carried, "a batch without new bytes");
        assert_eq!(batch.base + batch.carried as u64, outcome.content.len() as u64);
        assert!(outcome.content.ends_with(&batch.buf[..batch.carried]));
        assert_eq!(batch.first_number, outcome.frames.len() as u64 + 1);
        outcome.content.extend(batch.fresh());
        outcome.largest = outcome.largest.max(batch.buf.capacity());
        for frame in &batch.frames {
            assert!(batch.interfaces.get(usize::from(frame.interface)).is_some());
            let at = batch.base + u64::from(frame.offset);
            assert_eq!(batch.position(frame) + u64::from(frame.head), at);
            assert_eq!(batch.bytes(frame).len(), frame.caplen as usize);
            outcome.frames.push((at, FrameMeta { offset: 0, ..*frame }, batch.bytes(frame).to_vec()));
        }
    }
    assert!(batch.buf.is_empty() && batch.frames.is_empty());
    assert!(matches!(source.next_batch(&mut batch), Ok(Status::End)));
    outcome.interfaces = source.interfaces().to_vec();
    outcome.statistics = source.statistics();
    outcome
}

/// A reader that delivers at most so many bytes a call.
pub(super) struct Chunked<R>(pub R, pub usize);

impl<R: Read> Read for Chunked<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min(self.1);
        self.0.read(&mut buf[..n])
    }
}

/// Opens bytes like a file.
pub(super) fn open_bytes(bytes: &[u8], buffer: usize, drain: bool) -> Result<super::file::FileSource, CaptureError> {
    let input = Input::new(Box::new(std::io::Cursor::new(bytes.to_vec())), Some(bytes.len() as u64));
    from_input(input, &OpenOptions { buffer, drain_after_damage: drain })
}

/// Reads bytes like a file, in small buffers.
pub(super) fn read_bytes(bytes: &[u8]) -> Outcome {
    read_all(&mut open_bytes(bytes, 64, true).unwrap())
}

/// Reads bytes like a pipe that delivers at most `chunk` bytes a call.
pub(super) fn read_pipe(bytes: &[u8], chunk: usize) -> Outcome {
    let reader = Chunked(std::io::Cursor::new(bytes.to_vec()), chunk);
    let options = OpenOptions { buffer: 1000, drain_after_damage: true };
    read_all(&mut from_input(Input::new(Box::new(reader), None), &options).unwrap())
}
