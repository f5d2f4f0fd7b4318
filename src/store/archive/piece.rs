//! Pieces: all rows of some hosts, sorted, each contribution once.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::block::BlockWriter;
use super::damaged;
use super::row::{Categories, Row, RowWriter};
use crate::base::bytes::Bytes;
use crate::sighting::{Record, merge};
use crate::store::Source;
use serde::{Deserialize, Serialize};
use std::io;

/// All rows of some hosts: where they lie in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// First partition that it has rows of.
    pub(super) from: u16,
    /// Last one.
    pub(super) to: u16,
    /// Offset in the file.
    pub(super) at: u64,
    /// Length in bytes.
    pub(super) len: u64,
    /// Length in bytes of its rows before they were put into blocks.
    pub(super) raw: u64,
    /// Contributions.
    pub(super) records: u64,
    /// Least day since the epoch.
    pub(super) first: i32,
    /// Greatest day.
    pub(super) last: i32,
    /// A row has a hardware address.
    pub(super) hardware: bool,
    /// A row has a server that may tell of a role of another host.
    pub(super) ties: bool,
}

/// What was made of rows.
pub(super) struct Built {
    /// The piece, without its place.
    pub(super) piece: Piece,
    /// Categories of its indicators.
    pub(super) categories: Categories,
    /// Contributions that were there and are no longer as they were.
    pub(super) changed: u64,
}

/// Sorts rows, unites contributions of one source and id in the order in which
/// they came, and appends the blocks. Places of `rows` before `held` are of
/// contributions that were there.
pub(super) fn build(rows: &[u8], held: usize, out: &mut Vec<u8>) -> io::Result<Built> {
    let mut all: Vec<Row<'_>> = Vec::new();
    let mut order: Vec<(u128, u32)> = Vec::new();
    let mut read = Bytes(rows);
    let (mut first_new, mut changed) = (0u32, 0u64);
    while !read.is_empty() {
        let row = Row::take(&mut read).ok_or_else(|| damaged("the temporary file"))?;
        let ip = row.key.first_chunk().map_or(0, |ip| u128::from_be_bytes(*ip));
        order.push((ip, u32::try_from(all.len()).unwrap_or(u32::MAX)));
        all.push(row);
        if rows.len().saturating_sub(read.0.len()) <= held {
            first_new = u32::try_from(all.len()).unwrap_or(u32::MAX);
        }
    }
    let row = |at: u32| all.get(at as usize);
    let rank = |at: u32| row(at).map(|r| (r.key, r.vary.day, r.identity));
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(a.1).cmp(&rank(b.1))).then_with(|| a.1.cmp(&b.1)));

    let start = out.len();
    let mut piece = Piece { first: i32::MAX, last: i32::MIN, ..Piece::default() };
    let (mut blocks, mut united, mut writer) = (BlockWriter::default(), Vec::new(), RowWriter::default());
    for same in order.chunk_by(|a, b| rank(a.1) == rank(b.1)) {
        let add = |row: &Row<'_>, blocks: &mut BlockWriter, out: &mut Vec<u8>, piece: &mut Piece| {
            piece.note(row);
            if blocks.add(row) { blocks.finish(out) } else { Ok(()) }
        };
        match same {
            [(_, one)] => row(*one).map_or(Ok(()), |r| add(r, &mut blocks, out, &mut piece))?,
            several => {
                let records = several.iter().filter_map(|(_, at)| row(*at)).map(Row::record);
                let Some((record, support)) = unite_all(records).ok_or_else(|| damaged("a row"))? else { continue };
                let old = several.first().filter(|(_, at)| *at < first_new).and_then(|(_, at)| row(*at));
                if old.is_some_and(|old| old.record().is_none_or(|old| old != (record.clone(), support))) {
                    changed = changed.saturating_add(1);
                }
                united.clear();
                writer.put_record(&mut united, &record, support);
                let row = Row::take(&mut Bytes(&united)).ok_or_else(|| damaged("a row"))?;
                add(&row, &mut blocks, out, &mut piece)?;
            }
        }
    }
    blocks.finish(out)?;
    piece.len = out.len().saturating_sub(start) as u64;
    Ok(Built { piece, categories: blocks.categories, changed })
}

impl Piece {
    /// Adds what a row says to what is said of the piece.
    pub(super) fn note(&mut self, row: &Row<'_>) {
        self.records = self.records.saturating_add(1);
        self.raw = self.raw.saturating_add(row.len());
        self.first = self.first.min(row.vary.day);
        self.last = self.last.max(row.vary.day);
        self.hardware |= row.has_mac();
        self.ties = self.ties || row.ties().unwrap_or(true);
    }
}

/// One of several contributions of one source and id. The outer `None` is for a
/// row that is none.
#[allow(clippy::option_option, reason = "nothing to unite is no damage")]
fn unite_all(records: impl Iterator<Item = Option<(Record, bool)>>) -> Option<Option<(Record, bool)>> {
    let mut sum: Option<(Record, bool)> = None;
    for next in records {
        let (new, support) = next?;
        match &mut sum {
            None => sum = Some((new, support)),
            Some((old, was_support)) => {
                // As in a store of one file: a contribution that once stood on
                // its own stays so.
                *was_support &= support;
                if Source::is_run(&new.source) {
                    merge::succeed(old, &new);
                } else {
                    merge::join(old, &new);
                }
            }
        }
    }
    Some(sum)
}
