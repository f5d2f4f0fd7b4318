//! Some frames of a capture file, by the offsets of their records.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::classic;
use super::input::Input;
use super::open::from_input;
use super::{Batch, CaptureError, FrameMeta, FrameSource, Interface, OpenOptions, Status, open};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A plain pcap file is entered at each frame wanted, rather than read through,
/// where there are at least so many bytes of it for each.
const WORTH_SEEKING: u64 = 1 << 20;

/// Bytes of a buffer that is to hold one frame.
const SMALL: usize = 16 << 10;

/// A frame that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a> {
    /// Offset of its record in the decompressed content.
    pub offset: u64,
    /// Its number in the file, from 1, where the file was read up to it.
    pub number: Option<u64>,
    /// Time and lengths.
    pub meta: FrameMeta,
    /// The frame as captured.
    pub bytes: &'a [u8],
    /// Its interface.
    pub interface: &'a Interface,
}

/// Reads the frames whose records lie at `offsets`, which rise, in the
/// decompressed content of a capture file, and hands each to `take` until that
/// returns false. At an offset where no record begins there is nothing to hand
/// on. Of a plain pcap file only the frames are read if they are few.
///
/// # Errors
///
/// As [`open()`], and what was wrong with the file before the last of them.
pub fn pick(path: &Path, offsets: &[u64], mut take: impl FnMut(Picked<'_>) -> bool) -> Result<(), CaptureError> {
    if offsets.is_empty() {
        return Ok(());
    }
    match seekable(path, offsets)? {
        Some((file, header)) => each(file, &header, offsets, take),
        None => through(open(path, &OpenOptions::default())?.as_mut(), offsets, &mut take),
    }
}

/// The file and its header, if it is a plain pcap file that is long enough.
fn seekable(path: &Path, offsets: &[u64]) -> Result<Option<(File, [u8; classic::FILE_HEADER])>, CaptureError> {
    if path.as_os_str() == "-" {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(CaptureError::from_io)?;
    let meta = file.metadata().map_err(CaptureError::from_io)?;
    let each = meta.len().checked_div(offsets.len() as u64).unwrap_or(0);
    if !meta.is_file() || each < WORTH_SEEKING {
        return Ok(None);
    }
    let mut header = [0; classic::FILE_HEADER];
    let read = file.read_exact(&mut header);
    let plain = read.is_ok() && header.first_chunk().is_some_and(|magic| classic::is_magic(*magic));
    Ok(plain.then_some((file, header)))
}

/// Enters the file at each offset.
fn each(
    mut file: File,
    header: &[u8; classic::FILE_HEADER],
    offsets: &[u64],
    mut take: impl FnMut(Picked<'_>) -> bool,
) -> Result<(), CaptureError> {
    let mut batch = Batch::default();
    for offset in offsets {
        file.seek(SeekFrom::Start(*offset)).map_err(CaptureError::from_io)?;
        let rest = file.try_clone().map_err(CaptureError::from_io)?;
        let input = Input::new(Box::new(Cursor::new(*header).chain(rest)), Some(0));
        let options = OpenOptions { buffer: SMALL, ..OpenOptions::default() };
        let mut source = from_input(input, &options)?;
        // A long frame makes the buffer grow; damage there is none of the others.
        while let Ok(Status::Frames) = source.next_batch(&mut batch) {
            let Some(meta) = batch.frames.first() else { continue };
            let interface = batch.interfaces.first();
            if batch.position(meta) != classic::FILE_HEADER as u64 {
                break;
            }
            if let Some(interface) = interface
                && !take(Picked { offset: *offset, number: None, meta: *meta, bytes: batch.bytes(meta), interface })
            {
                return Ok(());
            }
            break;
        }
    }
    Ok(())
}

/// Reads the file up to the last offset.
fn through(
    source: &mut dyn FrameSource,
    offsets: &[u64],
    take: &mut dyn FnMut(Picked<'_>) -> bool,
) -> Result<(), CaptureError> {
    let mut wanted = offsets.iter().copied().peekable();
    let mut batch = Batch::default();
    loop {
        match source.next_batch(&mut batch)? {
            Status::Frames => {}
            Status::Idle => continue,
            Status::End => return Ok(()),
        }
        let end = batch.base.saturating_add(batch.buf.len() as u64);
        if wanted.peek().is_none_or(|next| *next >= end) {
            continue;
        }
        for (number, meta) in (batch.first_number..).zip(&batch.frames) {
            let position = batch.position(meta);
            while wanted.next_if(|next| *next < position).is_some() {}
            if wanted.next_if_eq(&position).is_none() {
                continue;
            }
            let Some(interface) = batch.interfaces.get(usize::from(meta.interface)) else { continue };
            let (number, bytes) = (Some(number), batch.bytes(meta));
            if !take(Picked { offset: position, number, meta: *meta, bytes, interface }) {
                return Ok(());
            }
        }
        if wanted.peek().is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, open_bytes, read_all};
    use super::*;
    use crate::capture::decompress::Compression;
    use std::io::Write;

    /// A pcap file of frames of all lengths, and where each lies.
    fn capture(frames: u32) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
        let mut bytes = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        for n in 0..frames {
            bytes.record(n, 0, (n * 7 % 1500) as usize, n as u8);
        }
        let bytes = bytes.bytes;
        let all = read_all(&mut open_bytes(&bytes, 1 << 20, false).unwrap());
        let frames = all.frames.iter().map(|(at, meta, data)| (at - u64::from(meta.head), data.clone())).collect();
        (bytes, frames)
    }

    fn picked(path: &Path, offsets: &[u64]) -> Vec<(u64, Option<u64>, Vec<u8>)> {
        let mut got = Vec::new();
        pick(path, offsets, |p| {
            got.push((p.offset, p.number, p.bytes.to_vec()));
            assert_eq!((p.meta.caplen as usize, p.interface.link.0), (p.bytes.len(), 1));
            true
        })
        .unwrap();
        got
    }

    #[test]
    fn frames_are_found_by_their_offsets() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, frames) = capture(9000);
        let path = dir.path().join("a.pcap");
        std::fs::write(&path, &bytes).unwrap();
        assert!(bytes.len() > 5 << 20);
        for (wanted, direct) in [(&[3usize, 4, 8999][..], true), (&[0], true), (&[1, 2, 3, 4, 5, 6, 7, 8, 4711], false)]
        {
            let offsets: Vec<u64> = wanted.iter().map(|n| frames[*n].0).collect();
            let want: Vec<_> = wanted
                .iter()
                .map(|n| (frames[*n].0, (!direct).then_some(*n as u64 + 1), frames[*n].1.clone()))
                .collect();
            assert_eq!(picked(&path, &offsets), want, "{wanted:?}");
        }
        // No record begins there.
        assert_eq!(picked(&path, &[frames[5].0 + 1, bytes.len() as u64]), []);
        assert_eq!(picked(&path, &[]), []);
    }

    #[test]
    fn compressed_files_are_read_through() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, frames) = capture(50);
        let path = dir.path().join("a.pcap.gz");
        let mut gz = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        gz.write_all(&bytes).unwrap();
        gz.finish().unwrap();
        assert!(Compression::detect(&std::fs::read(&path).unwrap()).is_some());
        let got = picked(&path, &[24, frames[49].0]);
        assert_eq!(got.iter().map(|g| g.1).collect::<Vec<_>>(), [Some(1), Some(50)]);
        let mut first = 0;
        pick(&path, &[24, frames[49].0], |_| {
            first += 1;
            false
        })
        .unwrap();
        assert_eq!(first, 1);
    }

    #[test]
    fn what_lies_before_damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, frames) = capture(20);
        let path = dir.path().join("a.pcap");
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let mut got = Vec::new();
        let result = pick(&path, &[frames[2].0, frames[19].0], |p| {
            got.push(p.number);
            true
        });
        assert!(matches!(result, Err(CaptureError::Cut { .. })));
        assert_eq!(got, [Some(3)]);
    }
}
