//! Rows of an import until it ends: by partition, packed, in a file without a
//! name that goes when the program does.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::parse::Rows;
use super::row::Row;
use super::{PARTITIONS, damaged};
use crate::base::bytes::Bytes;
use crate::base::temporary::read_at;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of one partition that are kept in memory: of all partitions 32 MiB.
const HELD: usize = 128 << 10;

/// A piece of the rows of one partition in the file.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    at: u64,
    packed: usize,
    len: usize,
}

#[derive(Debug, Default)]
struct Lane {
    held: Vec<u8>,
    chunks: Vec<Chunk>,
    bytes: u64,
}

/// Rows by partition, each partition's in the order in which they came.
#[derive(Debug)]
pub(super) struct Spool {
    lanes: Vec<Lane>,
    file: File,
    end: u64,
    packed: Vec<u8>,
}

impl Spool {
    /// With a file in that folder.
    pub(super) fn new(folder: &Path) -> io::Result<Spool> {
        let mut lanes = Vec::new();
        lanes.resize_with(PARTITIONS, Lane::default);
        Ok(Spool { lanes, file: tempfile::tempfile_in(folder)?, end: 0, packed: Vec::new() })
    }

    /// Adds rows behind those that there are.
    pub(super) fn add(&mut self, rows: &Rows) -> io::Result<()> {
        let mut start = 0;
        for (partition, end) in &rows.ends {
            let row = rows.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            let Some(lane) = self.lanes.get_mut(usize::from(*partition)) else { continue };
            lane.held.extend_from_slice(row);
            lane.bytes = lane.bytes.saturating_add(row.len() as u64);
            if lane.held.len() >= HELD {
                let most = zstd::zstd_safe::compress_bound(lane.held.len());
                self.packed.resize(most, 0);
                let packed = zstd::bulk::compress_to_buffer(&lane.held, &mut self.packed, 1)?;
                self.file.seek(SeekFrom::Start(self.end))?;
                self.file.write_all(self.packed.get(..packed).unwrap_or_default())?;
                lane.chunks.push(Chunk { at: self.end, packed, len: lane.held.len() });
                self.end = self.end.saturating_add(packed as u64);
                lane.held.clear();
            }
        }
        Ok(())
    }

    /// How many bytes of rows a partition has.
    pub(super) fn bytes(&self, partition: usize) -> u64 {
        self.lanes.get(partition).map_or(0, |l| l.bytes)
    }

    /// Appends the rows of a partition that `wanted` takes by their keys.
    pub(super) fn read(&self, partition: usize, into: &mut Vec<u8>, wanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let Some(lane) = self.lanes.get(partition) else { return Ok(()) };
        let mut packed = Vec::new();
        let mut rows = Vec::new();
        for chunk in &lane.chunks {
            packed.resize(chunk.packed, 0);
            read_at(&self.file, &mut packed, chunk.at)?;
            rows.clear();
            rows.reserve(chunk.len);
            zstd::bulk::Decompressor::new()?.decompress_to_buffer(&packed, &mut rows)?;
            take(&rows, into, &wanted)?;
        }
        take(&lane.held, into, &wanted)
    }
}

fn take(rows: &[u8], into: &mut Vec<u8>, wanted: &impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let mut read = Bytes(rows);
    while !read.is_empty() {
        let before = read.0;
        let row = Row::take(&mut read).ok_or_else(|| damaged("the temporary file"))?;
        if wanted(row.key) {
            let len = before.len().saturating_sub(read.0.len());
            into.extend_from_slice(before.get(..len).unwrap_or_default());
        }
    }
    Ok(())
}
