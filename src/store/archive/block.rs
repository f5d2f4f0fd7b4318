//! A block: up to [`ROWS`] rows in columns, each row's parts that repeat once.
//!
//! | bytes | what |
//! |---|---|
//! | numbers | rows, hosts; least day, greatest less least; of the first half, then of the second: length, length packed |
//! | zstd | first half: what counting reads |
//! | zstd | second half: the rests |
//!
//! The first half is a row of columns, each behind its length: hosts (bytes
//! shared with the host before, the other bytes, number of rows), distinct
//! shapes, distinct names, then of each row its day, shape, names, quarter
//! hours, times, count, bytes. The second half has the distinct rests, and
//! which of them each row has. Numbers are those of [`bytes`](crate::base::bytes).
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::row::{Categories, Row, Shape, Vary};
use crate::base::Timestamp;
use crate::base::bytes::{Bytes, put_bytes, put_number, put_signed};
use crate::base::time::{DAY_SECS, SECOND};
use crate::sighting::record::Slots;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::ops::Range;

/// Most rows in a block.
pub(super) const ROWS: usize = 1 << 14;
/// Most bytes of rows, beyond which a block is closed early.
pub(super) const BYTES: usize = 8 << 20;
/// Longest half that is unpacked: a block holds at most [`BYTES`] and one row.
const MOST: usize = 32 << 20;
/// Longest part of a key: an address, a segment as long as lines may have it,
/// and a hardware address.
const MAX_KEY: usize = 16 + crate::sighting::line::MAX_WORD + 1 + 6;
/// How hard zstd tries; higher levels gained a few per cent.
const LEVEL: i32 = 3;

/// Byte strings, each kept once.
#[derive(Default)]
struct Dictionary {
    hash: foldhash::fast::FixedState,
    table: HashTable<u32>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// The bytes of an entry.
fn entry<'d>(bytes: &'d [u8], ends: &[usize], number: u32) -> &'d [u8] {
    let at = number as usize;
    let start = at.checked_sub(1).and_then(|b| ends.get(b)).copied().unwrap_or(0);
    ends.get(at).and_then(|end| bytes.get(start..*end)).unwrap_or_default()
}

impl Dictionary {
    fn number(&mut self, text: &[u8]) -> u64 {
        let Dictionary { hash, table, bytes, ends } = self;
        let code = hash.hash_one(text);
        if let Some(n) = table.find(code, |n| entry(bytes, ends, *n) == text) {
            return u64::from(*n);
        }
        let n = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(text);
        ends.push(bytes.len());
        table.insert_unique(code, n, |n| hash.hash_one(entry(bytes, ends, *n)));
        n.into()
    }

    fn put(&mut self, out: &mut Vec<u8>) {
        put_number(out, self.ends.len() as u64);
        for n in 0..u32::try_from(self.ends.len()).unwrap_or(0) {
            put_bytes(out, entry(&self.bytes, &self.ends, n));
        }
        self.table.clear();
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Puts rows, sorted by host and day, into blocks.
#[derive(Default)]
pub(super) struct BlockWriter {
    shapes: Dictionary,
    names: Dictionary,
    rests: Dictionary,
    hosts: Vec<u8>,
    host: Vec<u8>,
    host_rows: u64,
    host_count: u64,
    days: Vec<u8>,
    shape: Vec<u8>,
    name: Vec<u8>,
    slots: Vec<u8>,
    times: Vec<u8>,
    counts: Vec<u8>,
    rest: Vec<u8>,
    rows: u64,
    bytes: usize,
    span: Option<(i32, i32)>,
    day: i32,
    /// Of all blocks.
    pub(super) categories: Categories,
}

impl BlockWriter {
    /// Adds a row; true if the block is full and should be written.
    pub(super) fn add(&mut self, row: &Row<'_>) -> bool {
        if self.rows == 0 || self.host != row.key {
            self.close_host();
            let shared = self.host.iter().zip(row.key).take_while(|(a, b)| a == b).count();
            put_number(&mut self.hosts, shared as u64);
            put_bytes(&mut self.hosts, row.key.get(shared..).unwrap_or_default());
            self.host.clear();
            self.host.extend_from_slice(row.key);
            self.host_count = self.host_count.saturating_add(1);
        }
        self.host_rows = self.host_rows.saturating_add(1);
        let v = &row.vary;
        put_signed(&mut self.days, i64::from(v.day).wrapping_sub(self.day.into()));
        self.day = v.day;
        let (least, greatest) = self.span.unwrap_or((v.day, v.day));
        self.span = Some((least.min(v.day), greatest.max(v.day)));
        let known = self.shapes.ends.len() as u64;
        let shape = self.shapes.number(row.shape);
        if shape >= known
            && let Some(shape) = Shape::of(row.shape)
        {
            self.categories.note(shape.indicator, shape.category);
        }
        put_number(&mut self.shape, shape);
        put_number(&mut self.name, self.names.number(row.names));
        put_slots(&mut self.slots, v.slots, v.connected);
        put_times(&mut self.times, v);
        for n in [v.count, v.to_server, v.from_server] {
            put_number(&mut self.counts, n);
        }
        put_number(&mut self.rest, self.rests.number(row.rest));
        self.rows = self.rows.saturating_add(1);
        let parts = [row.shape, row.names, row.rest];
        self.bytes = parts.iter().fold(self.bytes, |n, part| n.saturating_add(part.len()));
        self.rows >= ROWS as u64 || self.bytes >= BYTES
    }

    fn close_host(&mut self) {
        if self.host_rows > 0 {
            put_number(&mut self.hosts, self.host_rows);
            self.host_rows = 0;
        }
    }

    /// Appends the block, if there are rows, and begins the next.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let Some((least, greatest)) = self.span.take() else { return Ok(()) };
        self.close_host();
        let mut facts = Vec::new();
        let (mut shapes, mut names) = (Vec::new(), Vec::new());
        self.shapes.put(&mut shapes);
        self.names.put(&mut names);
        let columns = [
            &mut self.hosts,
            &mut shapes,
            &mut names,
            &mut self.days,
            &mut self.shape,
            &mut self.name,
            &mut self.slots,
            &mut self.times,
            &mut self.counts,
        ];
        for column in columns {
            put_bytes(&mut facts, column);
            column.clear();
        }
        let mut rests = Vec::new();
        self.rests.put(&mut rests);
        rests.append(&mut self.rest);
        let packed = [&facts, &rests].map(|half| zstd::bulk::compress(half, LEVEL));
        put_number(out, self.rows);
        put_number(out, self.host_count);
        put_signed(out, least.into());
        put_number(out, u64::from(greatest.abs_diff(least)));
        let [facts_packed, rests_packed] = packed;
        let (facts_packed, rests_packed) = (facts_packed?, rests_packed?);
        for n in [facts.len(), facts_packed.len(), rests.len(), rests_packed.len()] {
            put_number(out, n as u64);
        }
        out.extend_from_slice(&facts_packed);
        out.extend_from_slice(&rests_packed);
        (self.rows, self.host_count, self.bytes, self.day) = (0, 0, 0, 0);
        self.host.clear();
        Ok(())
    }
}

/// Few quarter hours one by one, many as bits; the lowest bits of the first
/// byte say how many, the highest how those connected differ.
fn put_slots(out: &mut Vec<u8>, slots: Slots, connected: Slots) {
    let few = slots.len() <= 10;
    let count = if few { slots.len() as u8 } else { ALL };
    let how = if connected == slots {
        SAME
    } else if connected.is_empty() {
        NONE
    } else {
        OTHER
    };
    out.push(count | how);
    if few {
        let mut bits = slots.bits();
        while bits > 0 {
            let at = bits.trailing_zeros();
            out.push(95u32.saturating_sub(at) as u8);
            bits &= bits.wrapping_sub(1);
        }
    } else {
        out.extend_from_slice(&slots.to_bytes());
    }
    if how == OTHER {
        out.extend_from_slice(&connected.to_bytes());
    }
}

const ALL: u8 = 0x3f;
const SAME: u8 = 0;
const NONE: u8 = 0x40;
const OTHER: u8 = 0x80;

#[inline]
fn slots(read: &mut Bytes<'_>) -> Option<(Slots, Slots)> {
    let first = read.byte()?;
    let slots = match first & ALL {
        ALL => Slots::from_bytes(read.array()?),
        few => {
            let mut slots = Slots::default();
            for _ in 0..few {
                slots.set(read.byte()?);
            }
            slots
        }
    };
    let connected = match first & !ALL {
        SAME => slots,
        NONE => Slots::default(),
        _ => Slots::from_bytes(read.array()?),
    };
    // As of any record.
    (!slots.is_empty() && connected.bits() & !slots.bits() == 0).then_some((slots, connected))
}

/// Units in which times are kept: the longest in which both are whole.
const UNITS: [i64; 4] = [SECOND, 1_000_000, 1_000, 1];

/// Both times as the first's distance from the beginning of the day and the
/// last's from the first.
fn put_times(out: &mut Vec<u8>, v: &Vary) {
    let start = i64::from(v.day).wrapping_mul(DAY_SECS.wrapping_mul(SECOND));
    let (first, gap) = (v.first.0.wrapping_sub(start), v.last.0.wrapping_sub(v.first.0));
    let fits = |unit: &i64| [first, gap].iter().all(|n| n.checked_rem(*unit) == Some(0));
    let (code, unit) = (0u64..).zip(UNITS).find(|(_, unit)| fits(unit)).unwrap_or((3, 1));
    put_number(out, (first.checked_div(unit).unwrap_or(0) as u64) << 2 | code);
    put_number(out, gap.checked_div(unit).unwrap_or(0) as u64);
}

#[inline]
fn times(read: &mut Bytes<'_>, day: i32) -> Option<(Timestamp, Timestamp)> {
    const DAY: i64 = DAY_SECS * SECOND;
    let first = read.number()?;
    let unit = *UNITS.get((first & 3) as usize)?;
    let first = i64::try_from(first >> 2).ok()?.checked_mul(unit)?;
    let gap = i64::try_from(read.number()?).ok()?.checked_mul(unit)?;
    // Both lie on the day.
    if first.checked_add(gap)? >= DAY {
        return None;
    }
    let first = match i64::from(day).checked_mul(DAY) {
        Some(start) => Timestamp(start.checked_add(first)?),
        // Of the first day of all only the end can be said.
        None => {
            let first = Timestamp(i64::from(day).wrapping_mul(DAY).wrapping_add(first));
            (first.day() == i64::from(day)).then_some(first)?
        }
    };
    Some((first, Timestamp(first.0.checked_add(gap)?)))
}

/// One row of a block: what differs, and the numbers of what it shares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlockRow {
    pub(super) vary: Vary,
    pub(super) shape: u32,
    pub(super) names: u32,
}

/// A host in a block.
#[derive(Clone, Debug)]
pub(super) struct BlockHost {
    /// Where its key lies in [`Block::keys`].
    key: Range<usize>,
    pub(super) rows: Range<usize>,
}

/// A block that was read, and the room for the next.
#[derive(Default)]
pub(super) struct Block {
    facts: Vec<u8>,
    keys: Vec<u8>,
    pub(super) hosts: Vec<BlockHost>,
    pub(super) rows: Vec<BlockRow>,
    shapes: Vec<Range<usize>>,
    names: Vec<Range<usize>>,
    /// Unpacked only when asked for.
    rests: Vec<u8>,
    rest_entries: Vec<Range<usize>>,
    rest_of: Vec<u32>,
}

/// What a block says of itself before it is unpacked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) rows: u64,
    pub(super) first: i32,
    pub(super) last: i32,
    hosts: u64,
    facts: (usize, &'a [u8]),
    rests: (usize, &'a [u8]),
}

impl<'a> Head<'a> {
    /// Takes a block from the front of bytes, without unpacking it.
    pub(super) fn take(read: &mut Bytes<'a>) -> Option<Head<'a>> {
        let (rows, hosts) = (read.number()?, read.number()?);
        let first = i32::try_from(read.signed()?).ok()?;
        let last = first.checked_add(i32::try_from(read.number()?).ok()?)?;
        let (facts, facts_packed) = (read.len()?, read.len()?);
        let (rests, rests_packed) = (read.len()?, read.len()?);
        if rows > ROWS as u64 || hosts > rows || facts.max(rests) > MOST {
            return None;
        }
        let (facts, rests) = ((facts, read.take(facts_packed)?), (rests, read.take(rests_packed)?));
        Some(Head { rows, hosts, first, last, facts, rests })
    }
}

/// Unpacks a half into room that is kept.
fn unpack((len, packed): (usize, &[u8]), into: &mut Vec<u8>) -> Option<()> {
    into.resize(len, 0);
    let written = zstd::bulk::decompress_to_buffer(packed, into.as_mut_slice()).ok()?;
    (written == len).then_some(())
}

/// Where the entries of a dictionary lie in `whole`, of which `read` is the end.
fn entries(read: &mut Bytes<'_>, whole: usize, into: &mut Vec<Range<usize>>) -> Option<()> {
    into.clear();
    let count = read.len()?;
    // A row has one entry of each dictionary at most.
    if count > ROWS {
        return None;
    }
    for _ in 0..count {
        let text = read.bytes()?;
        let end = whole.checked_sub(read.0.len())?;
        into.push(end.checked_sub(text.len())?..end);
    }
    Some(())
}

/// How many entries of a dictionary were met: each is there because a row has
/// it, and they stand in the order in which rows first have them.
#[derive(Default)]
struct Used(u32);

impl Used {
    #[inline]
    fn of(&mut self, number: u64) -> Option<u32> {
        let number = u32::try_from(number).ok()?;
        if number == self.0 {
            self.0 = self.0.checked_add(1)?;
        }
        (number < self.0).then_some(number)
    }

    fn all(self, entries: &[Range<usize>]) -> Option<()> {
        (self.0 as usize == entries.len()).then_some(())
    }
}

impl Block {
    /// Reads the columns that counting needs; with `rests` all.
    pub(super) fn read(&mut self, head: &Head<'_>, rests: bool) -> Option<()> {
        unpack(head.facts, &mut self.facts)?;
        let mut columns = Bytes(&self.facts);
        let mut hosts = Bytes(columns.bytes()?);
        for dictionary in [&mut self.shapes, &mut self.names] {
            let part = columns.bytes()?;
            // Offsets are from the beginning of the half.
            let end = self.facts.len().checked_sub(columns.0.len())?;
            entries(&mut Bytes(part), end, dictionary)?;
        }
        let mut column = || columns.bytes().map(Bytes);
        let (mut days, mut shape, mut name) = (column()?, column()?, column()?);
        let (mut slot, mut time, mut count) = (column()?, column()?, column()?);

        self.rows.clear();
        self.rows.reserve(usize::try_from(head.rows).ok()?);
        let mut day = 0i32;
        let mut span: Option<(i32, i32)> = None;
        let (mut used_shapes, mut used_names) = (Used::default(), Used::default());
        for _ in 0..head.rows {
            day = i32::try_from(i64::from(day).wrapping_add(days.signed()?)).ok()?;
            span = Some(span.map_or((day, day), |(least, greatest)| (least.min(day), greatest.max(day))));
            let (slots, connected) = slots(&mut slot)?;
            let (first, last) = times(&mut time, day)?;
            let (shape, names) = (used_shapes.of(shape.number()?)?, used_names.of(name.number()?)?);
            let (count, to_server, from_server) = (count.number()?, count.number()?, count.number()?);
            let vary = Vary { day, slots, connected, first, last, count, to_server, from_server };
            self.rows.push(BlockRow { vary, shape, names });
        }
        used_shapes.all(&self.shapes)?;
        used_names.all(&self.names)?;

        // Whoever asks for some days only believes the head.
        if span != Some((head.first, head.last)) {
            return None;
        }

        self.hosts.clear();
        self.keys.clear();
        let (mut at, mut before) = (0usize, 0usize..0);
        for _ in 0..head.hosts {
            let (shared, other) = (hosts.len()?, hosts.bytes()?);
            // Keys are unpacked: a few bytes must not become a gigabyte.
            if shared.max(other.len()) > MAX_KEY {
                return None;
            }
            let start = self.keys.len();
            let from = before.start;
            let until = from.checked_add(shared).filter(|end| *end <= before.end)?;
            self.keys.extend_from_within(from..until);
            self.keys.extend_from_slice(other);
            before = start..self.keys.len();
            let end = at.checked_add(hosts.len()?).filter(|end| *end <= self.rows.len())?;
            self.hosts.push(BlockHost { key: before.clone(), rows: at..end });
            at = end;
        }
        (at == self.rows.len()).then_some(())?;
        if rests { self.read_rests(head) } else { Some(()) }
    }

    fn read_rests(&mut self, head: &Head<'_>) -> Option<()> {
        unpack(head.rests, &mut self.rests)?;
        let mut read = Bytes(&self.rests);
        entries(&mut read, self.rests.len(), &mut self.rest_entries)?;
        self.rest_of.clear();
        let mut used = Used::default();
        for _ in 0..head.rows {
            self.rest_of.push(used.of(read.number()?)?);
        }
        used.all(&self.rest_entries)
    }

    pub(super) fn key(&self, host: &BlockHost) -> &[u8] {
        self.keys.get(host.key.clone()).unwrap_or_default()
    }

    pub(super) fn shapes(&self) -> impl Iterator<Item = &[u8]> {
        self.shapes.iter().map(|r| self.facts.get(r.clone()).unwrap_or_default())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|r| self.facts.get(r.clone()).unwrap_or_default())
    }

    /// A row with all its parts, of a block that was read with rests.
    pub(super) fn row(&self, host: &BlockHost, number: usize) -> Option<Row<'_>> {
        let row = self.rows.get(number)?;
        let shape = self.facts.get(self.shapes.get(row.shape as usize)?.clone())?;
        let names = self.facts.get(self.names.get(row.names as usize)?.clone())?;
        let rest = self.rest_entries.get(*self.rest_of.get(number)? as usize)?;
        Some(Row {
            key: self.key(host),
            identity: identity(shape)?,
            shape,
            names,
            rest: self.rests.get(rest.clone())?,
            vary: row.vary,
        })
    }
}

/// The beginning of a shape, up to its third zero byte.
fn identity(shape: &[u8]) -> Option<&[u8]> {
    let third = memchr::memchr_iter(0, shape).nth(2)?;
    shape.get(..third.checked_add(1)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// What comes back of a row with these times and quarter hours.
    fn back(vary: Vary) -> Option<Vary> {
        let shape = b"i\0s\0n\0";
        let row = Row { key: &[0; 17], identity: shape, shape, names: b"", rest: b"", vary };
        let (mut writer, mut out) = (BlockWriter::default(), Vec::new());
        writer.add(&row);
        writer.finish(&mut out).unwrap();
        let mut block = Block::default();
        block.read(&Head::take(&mut Bytes(&out)).unwrap(), true)?;
        let host = block.hosts.first()?;
        Some(block.row(host, 0)?.vary)
    }

    /// Counting reads all entries of a dictionary, and export those of rows: an
    /// odd one that no row has would be damage for one of the two.
    #[test]
    fn entries_of_dictionaries_are_there_for_a_row() {
        let of = |numbers: &[u64], entries: usize| {
            let mut used = Used::default();
            let all: Option<Vec<u32>> = numbers.iter().map(|n| used.of(*n)).collect();
            all.and_then(|_| used.all(&vec![0..0; entries]))
        };
        assert!(of(&[0, 1, 0, 2, 1], 3).is_some() && of(&[], 0).is_some());
        for (numbers, entries) in [(&[0, 1][..], 3), (&[0, 1, 2], 2), (&[1, 0], 2), (&[0, 2], 3), (&[u64::MAX], 1)] {
            assert_eq!(of(numbers, entries), None, "{numbers:?}");
        }
    }

    /// Counting reads no more of a row than this, so it is checked here.
    #[test]
    fn times_off_their_day_and_odd_quarter_hours_are_damage() {
        const DAY: i64 = DAY_SECS * SECOND;
        let (first, last) = (i64::MIN.div_euclid(DAY), i64::MAX.div_euclid(DAY));
        for day in [first, 0, 20_000, last] {
            let vary = |from: i128, to: i128| {
                let at = |off: i128| Timestamp((i128::from(day) * i128::from(DAY) + off) as i64);
                let mut slots = Slots::default();
                slots.set(7);
                let (first, last) = (at(from), at(to));
                Vary { day: day as i32, slots, connected: slots, first, last, count: 1, ..Vary::default() }
            };
            // Of the first day the end can be said, of the last the beginning.
            let (from, to) = (if day == first { DAY - 9 } else { 0 }, if day == last { 9 } else { DAY - 1 });
            let sound = vary(from.into(), to.into());
            assert_eq!(back(sound), Some(sound), "{day}");
            assert_eq!(back(Vary { connected: Slots::default(), ..sound }).map(|v| v.day), Some(sound.day));
            assert_eq!(back(Vary { slots: Slots::default(), connected: Slots::default(), ..sound }), None);
            assert_eq!(back(Vary { connected: Slots::from_bits(1), ..sound }), None);
            assert_eq!(back(Vary { first: sound.last, last: sound.first, ..sound }), None);
            for (from, to) in [(0, i128::from(DAY)), (i128::from(DAY), i128::from(DAY)), (-1, 5)] {
                assert_eq!(back(vary(from, to)), None, "{day} {from} {to}");
            }
        }
    }
}
