//! Opening a capture by its content.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::classic::{self, Classic};
use super::decompress::{self, Compression};
use super::file::{FileSource, Parser, Parts, input_error};
use super::input::{Input, Rewound};
use super::pcapng::{self, Ng};
use super::{Batch, CaptureError, FrameSource, Status};
use crate::base::Timestamp;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// How to read a capture file.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Bytes of a batch's buffer. A buffer grows for a record that does not
    /// fit in it.
    pub buffer: usize,
    /// Whether to deliver, without frames, the bytes behind damage too, so
    /// that a hash of the whole content can be computed.
    pub drain_after_damage: bool,
}

impl Default for OpenOptions {
    /// Buffers of 512 KiB; stop at damage.
    fn default() -> Self {
        OpenOptions { buffer: 512 << 10, drain_after_damage: false }
    }
}

/// Opens a capture file, or standard input for the path `-`: pcap or pcapng,
/// plain or compressed as gzip, zstd, xz, lz4 or bzip2, told apart by their
/// content. Nothing is sought, so that pipes work.
///
/// # Errors
///
/// If there is no such file, it cannot be read, is empty, is no capture, has
/// an unknown version or ends within its file header.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Box<dyn FrameSource>, CaptureError> {
    Ok(Box::new(from_input(Input::open(path)?, options)?))
}

/// Bytes of content that tell what it is: the file header of classic pcap; of
/// pcapng, the start of the section header with byte order and version.
pub(super) const START: usize = classic::FILE_HEADER;

/// Bytes of a buffer for pipes: what a pipe delivers at most at once on
/// Linux, and room for what the last buffer had cut.
const PIPE_BUFFER: usize = (64 << 10) + (8 << 10);

/// Opens the capture in an input.
pub(super) fn from_input(input: Input, options: &OpenOptions) -> Result<FileSource, CaptureError> {
    from_input_beside(input, options, false)
}

/// The same. With `beside`, a thread of its own may read the input.
pub(super) fn from_input_beside(input: Input, options: &OpenOptions, beside: bool) -> Result<FileSource, CaptureError> {
    let Input { reader, progress, regular } = input;
    let total = progress.total();
    let (plain, outcome) = Rewound::peek(reader, decompress::DETECT);
    outcome.map_err(CaptureError::from_io)?;
    if plain.head().is_empty() {
        return Err(CaptureError::Empty);
    }
    let mut compression = Compression::detect(plain.head());
    let content: Box<dyn Read + Send> = if decompress::begins_skippable(plain.head()) {
        let mut plain = BufReader::new(plain);
        let magic = decompress::skip_frames(&mut plain).map_err(|e| input_error(e, Some(Compression::Zstd), 0))?;
        compression = Compression::detect(&magic).filter(|c| matches!(c, Compression::Zstd | Compression::Lz4));
        let what = if magic.is_empty() { "it holds nothing" } else { "its first bytes are unknown" };
        let found = compression.ok_or(CaptureError::NotACapture { what })?;
        found.decoder(io::Cursor::new(magic).chain(plain), total, beside).map_err(CaptureError::from_io)?
    } else {
        match compression {
            Some(c) => c.decoder(plain, total, beside).map_err(CaptureError::from_io)?,
            None => Box::new(plain),
        }
    };
    let (content, outcome) = Rewound::peek(content, START);
    let head = content.head();
    let (parser, header) = match recognise(head, compression.is_some()) {
        Ok(found) => found,
        // Compressed data that end or break within the header of the capture.
        Err(e) => return Err(outcome.err().map_or(e, |e| input_error(e, compression, head.len() as u64))),
    };
    if let Err(e) = outcome {
        return Err(input_error(e, compression, head.len() as u64));
    }
    Ok(FileSource::new(Parts {
        content: Box::new(content),
        compression,
        progress,
        parser,
        header,
        size: if regular { options.buffer } else { options.buffer.min(PIPE_BUFFER) },
        fill: regular,
        drain: options.drain_after_damage,
    }))
}

/// The parser for content that begins so, and how many of these bytes it has
/// dealt with.
fn recognise(head: &[u8], compressed: bool) -> Result<(Parser, usize), CaptureError> {
    match head.first_chunk::<4>() {
        Some(&pcapng::SECTION_HEADER) => {
            // A newline sequence that only looks like one has no byte order.
            match head.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]) => {}
                Some(_) => return Err(CaptureError::NotACapture { what: "its byte order mark is wrong" }),
                None => return Err(CaptureError::Cut { offset: 0 }),
            }
            Ok((Parser::Ng(Ng::default()), 0))
        }
        Some(magic) if classic::is_magic(*magic) => {
            let header = head.first_chunk::<{ classic::FILE_HEADER }>().ok_or(CaptureError::Cut { offset: 0 })?;
            Ok((Parser::Classic(Classic::new(header)?), classic::FILE_HEADER))
        }
        _ => Err(CaptureError::NotACapture { what: describe(head, compressed) }),
    }
}

/// What content is that is no capture.
fn describe(head: &[u8], compressed: bool) -> &'static str {
    match head {
        [] => "it holds nothing",
        _ if (Compression::detect(head).is_some() || decompress::begins_skippable(head)) && compressed => {
            "it is compressed twice"
        }
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "it is a ZIP archive",
        _ if head.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => "it is text",
        _ => "its first bytes are unknown",
    }
}

/// Frames are looked for in so many bytes at the start of a file.
const PEEK_BYTES: u64 = 8 << 20;

/// The time of the first frame of a capture file; `None` if it has none, or
/// none in its first 8 MiB, or damage lies before it.
///
/// # Errors
///
/// As [`open`].
pub fn first_timestamp(path: &Path) -> Result<Option<Timestamp>, CaptureError> {
    let options = OpenOptions { buffer: 16 << 10, ..OpenOptions::default() };
    let mut source = open(path, &options)?;
    let mut batch = Batch::default();
    while batch.base < PEEK_BYTES {
        match source.next_batch(&mut batch) {
            Ok(Status::Frames) => {
                if let Some(frame) = batch.frames.first() {
                    return Ok(Some(frame.ts));
                }
            }
            Ok(Status::Idle | Status::End) | Err(_) => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, open_bytes, read_all};
    use super::*;
    use std::io::Write;

    fn capture() -> Vec<u8> {
        Bytes::pcap(false, 0xa1b2_c3d4, 1).record(9, 0, 5, 1).record(1, 0, 6, 2).bytes.clone()
    }

    #[test]
    fn what_is_no_capture_says_what_it_is() {
        let cases: [(&[u8], &str); 4] = [
            (b"10.0.0.1 asked for a name\n", "text"),
            (b"PK\x03\x04 and more", "ZIP"),
            (&[0x80; 30], "unknown"),
            (b"abc", "text"),
        ];
        for (bytes, want) in cases {
            let e = open_bytes(bytes, 64, false).err().unwrap();
            assert!(matches!(e, CaptureError::NotACapture { what } if what.contains(want)), "{e}");
        }
        assert!(matches!(open_bytes(&[], 64, false).err(), Some(CaptureError::Empty)));
    }

    #[test]
    fn a_cut_file_header_is_a_cut() {
        for len in 4..24 {
            let e = open_bytes(&capture()[..len], 64, false).err().unwrap();
            assert!(matches!(e, CaptureError::Cut { offset: 0 }), "{len}: {e}");
        }
        let mut ng = Bytes::new(true);
        ng.section();
        assert!(matches!(open_bytes(&ng.bytes[..11], 64, false).err(), Some(CaptureError::Cut { offset: 0 })));
        let got = read_all(&mut open_bytes(&ng.bytes[..27], 64, false).unwrap());
        assert!(matches!(got.errors[..], [CaptureError::Cut { offset: 0 }]));
    }

    #[test]
    fn files_and_named_pipes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        std::fs::write(&path, capture()).unwrap();
        let mut source = open(&path, &OpenOptions::default()).unwrap();
        assert_eq!(source.progress().total(), Some(capture().len() as u64));
        assert_eq!(read_all(source.as_mut()).frames.len(), 2);
        assert_eq!(source.progress().read(), capture().len() as u64);
        assert_eq!(first_timestamp(&path).unwrap().unwrap().secs(), 9);

        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut to = std::fs::File::create(pipe).unwrap();
                for byte in capture() {
                    to.write_all(&[byte]).unwrap();
                }
            }
        });
        let mut source = open(&pipe, &OpenOptions::default()).unwrap();
        let got = read_all(source.as_mut());
        writer.join().unwrap();
        assert_eq!((got.frames.len(), got.error(), got.content), (2, String::new(), capture()));
        assert_eq!(source.progress().total(), None);
    }

    #[test]
    fn the_first_timestamp_of_a_capture_without_frames() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, &capture()[..24]).unwrap();
        assert_eq!(first_timestamp(&path).unwrap(), None);
        std::fs::write(&path, &capture()[..30]).unwrap();
        assert_eq!(first_timestamp(&path).unwrap(), None);
        std::fs::write(&path, b"no").unwrap();
        assert!(first_timestamp(&path).is_err());
    }
}
