//! All drafts of a replay, in the order of records and in bounded memory.
//!
//! Drafts that take too much room are sorted and written to a temporary file,
//! run by run. Reading merges the runs, and the parts of one record with them,
//! so that the outcome is the same as if everything had stayed in memory.

use super::codec::{self, Bytes};
use super::draft::{Draft, DraftKey};
use crate::base::temporary;
use crate::catalogue::Catalogue;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// Bytes of drafts kept in memory.
pub const MAX_HELD: usize = 8 << 20;
/// Least and most bytes read at a time from one run.
const BUFFER: (usize, usize) = (4 << 10, 64 << 10);
/// Bytes for the buffers of all runs together.
const BUFFERS: usize = 8 << 20;

/// What drafts are ordered by, as bytes that compare likewise: day, address,
/// segment, MAC, indicator id, number of the source.
type Order = Box<[u8]>;

/// Where a sorted run lies in the file.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u64,
    until: u64,
}

/// The drafts of a replay.
#[derive(Debug)]
pub struct Spool {
    /// Place of each indicator in the order of their ids.
    ranks: Vec<u32>,
    held: Vec<(Order, Draft)>,
    sorted: bool,
    weight: usize,
    max_held: usize,
    file: Option<File>,
    runs: Vec<Run>,
}

impl Spool {
    /// An empty spool that keeps drafts of so many bytes in memory.
    pub fn new(catalogue: &Catalogue, max_held: usize) -> Self {
        let mut by_id: Vec<(&str, u32)> = catalogue.iter().map(|(r, i)| (i.id, r.0)).collect();
        by_id.sort_unstable();
        let mut ranks = vec![0; by_id.len()];
        for (rank, (_, r)) in (0u32..).zip(by_id) {
            if let Some(place) = ranks.get_mut(r as usize) {
                *place = rank;
            }
        }
        Spool { ranks, held: Vec::new(), sorted: true, weight: 0, max_held, file: None, runs: Vec::new() }
    }

    fn order(&self, key: &DraftKey, segment: &str) -> Order {
        let mut out = Vec::with_capacity(segment.len().saturating_add(48));
        // With the sign bit turned, negative days come first.
        out.extend((key.day ^ i64::MIN).to_be_bytes());
        out.extend(key.host.ip.0);
        out.extend(segment.as_bytes());
        out.push(0);
        out.push(key.host.mac.is_some().into());
        out.extend(key.host.mac.unwrap_or_default().0);
        let rank = self.ranks.get(key.indicator.0 as usize).copied().unwrap_or(u32::MAX);
        out.extend(rank.to_be_bytes());
        out.extend(key.source.to_be_bytes());
        out.into()
    }

    /// Adds drafts; several of one key become one. `segment` gives the words
    /// of a segment number.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn add(&mut self, drafts: Vec<Draft>, segment: impl Fn(u32) -> String) -> io::Result<()> {
        let mut known = (0, String::new());
        for draft in drafts {
            if draft.key.host.segment != known.0 {
                known = (draft.key.host.segment, segment(draft.key.host.segment));
            }
            let order = self.order(&draft.key, &known.1);
            let weight = draft.weight().saturating_add(order.len()).saturating_add(size_of::<Order>());
            self.weight = self.weight.saturating_add(weight);
            self.held.push((order, draft));
            self.sorted = false;
            if self.weight > self.max_held {
                self.write_run()?;
            }
        }
        Ok(())
    }

    /// Brings what is held in order, one draft for each key.
    fn sort(&mut self) {
        if !self.sorted {
            self.held.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            self.held.dedup_by(|b, a| {
                let same = a.0 == b.0;
                if same {
                    a.1.merge(&b.1);
                }
                same
            });
            self.sorted = true;
        }
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(temporary_file()?),
        };
        let from = file.seek(SeekFrom::End(0))?;
        let mut out = BufWriter::with_capacity(1 << 18, &*file);
        let mut entry = Vec::new();
        for (order, draft) in self.held.drain(..) {
            entry.clear();
            entry.extend([0; 8]);
            entry.extend(&order);
            codec::put(&mut entry, &draft);
            let lengths = [order.len(), entry.len().saturating_sub(8).saturating_sub(order.len())];
            for (place, n) in entry.chunks_exact_mut(4).zip(lengths) {
                place.copy_from_slice(&u32::try_from(n).map_err(io::Error::other)?.to_be_bytes());
            }
            out.write_all(&entry)?;
        }
        out.flush()?;
        drop(out);
        let until = file.stream_position()?;
        self.runs.push(Run { from, until });
        self.weight = 0;
        Ok(())
    }

    /// Whether anything had to be written to the temporary file.
    pub fn spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// All drafts in order, one for each key. May be called again.
    ///
    /// # Errors
    /// Those of the temporary file, here and from each step.
    pub fn drafts(&mut self) -> io::Result<Merged<'_>> {
        self.sort();
        let each = BUFFERS.checked_div(self.runs.len()).unwrap_or(BUFFER.1).clamp(BUFFER.0, BUFFER.1);
        let mut merged = Merged { readers: Vec::new(), heap: BinaryHeap::new(), held: self.held.iter(), failed: false };
        if let Some(file) = &self.file {
            merged.readers = self.runs.iter().map(|run| Reader::new(file, *run, each)).collect();
        }
        for at in 0..=merged.readers.len() {
            merged.fetch(at)?;
        }
        Ok(merged)
    }
}

fn temporary_file() -> io::Result<File> {
    temporary::file(&temporary::folder(None)).or_else(|e| tempfile::tempfile().map_err(|_| e))
}

/// Reads one run through a buffer of its own.
#[derive(Debug)]
struct Reader<'s> {
    file: &'s File,
    run: Run,
    buf: Vec<u8>,
    used: usize,
    size: usize,
}

impl<'s> Reader<'s> {
    fn new(file: &'s File, run: Run, size: usize) -> Self {
        Reader { file, run, buf: Vec::new(), used: 0, size }
    }

    /// The next `n` bytes of the run.
    fn bytes(&mut self, n: usize) -> io::Result<&[u8]> {
        if self.buf.len().saturating_sub(self.used) < n {
            self.buf.drain(..self.used);
            self.used = 0;
            let have = self.buf.len();
            let left = usize::try_from(self.run.until.saturating_sub(self.run.from)).unwrap_or(usize::MAX);
            let more = self.size.max(n.saturating_sub(have)).min(left);
            self.buf.resize(have.saturating_add(more), 0);
            let mut file = self.file;
            file.seek(SeekFrom::Start(self.run.from))?;
            file.read_exact(self.buf.get_mut(have..).unwrap_or_default())?;
            self.run.from = self.run.from.saturating_add(more as u64);
        }
        let from = self.used;
        self.used = from.saturating_add(n);
        self.buf.get(from..self.used).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn next(&mut self) -> io::Result<Option<(Order, Draft)>> {
        if self.used == self.buf.len() && self.run.from == self.run.until {
            return Ok(None);
        }
        let mut lengths = [0; 2];
        for n in &mut lengths {
            let bytes = self.bytes(4)?.first_chunk().copied().unwrap_or_default();
            *n = u32::from_be_bytes(bytes) as usize;
        }
        let [order, body] = lengths;
        let order = self.bytes(order)?.into();
        let draft = Bytes(self.bytes(body)?).draft();
        draft.map(|d| Some((order, d))).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// The next draft of a run, or of what is held in memory.
#[derive(Debug)]
struct Head {
    order: Order,
    from: usize,
    draft: Draft,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        (&self.order, self.from) == (&other.order, other.from)
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.order, self.from).cmp(&(&other.order, other.from))
    }
}

/// Drafts in order; see [`Spool::drafts`].
#[derive(Debug)]
pub struct Merged<'s> {
    readers: Vec<Reader<'s>>,
    heap: BinaryHeap<Reverse<Head>>,
    held: std::slice::Iter<'s, (Order, Draft)>,
    failed: bool,
}

impl Merged<'_> {
    /// Brings the next draft of a run to the heap; the place behind the runs
    /// is what is held.
    fn fetch(&mut self, from: usize) -> io::Result<()> {
        let next = match self.readers.get_mut(from) {
            Some(reader) => reader.next()?,
            None => self.held.next().cloned(),
        };
        if let Some((order, draft)) = next {
            self.heap.push(Reverse(Head { order, from, draft }));
        }
        Ok(())
    }

    fn step(&mut self) -> io::Result<Option<Draft>> {
        let Some(Reverse(Head { order, from, mut draft })) = self.heap.pop() else { return Ok(None) };
        self.fetch(from)?;
        while self.heap.peek().is_some_and(|top| top.0.order == order) {
            let Some(Reverse(same)) = self.heap.pop() else { break };
            draft.merge(&same.draft);
            self.fetch(same.from)?;
        }
        Ok(Some(draft))
    }
}

impl Iterator for Merged<'_> {
    type Item = io::Result<Draft>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::HostKey;
    use super::super::shown::tests::frame;
    use super::*;
    use crate::base::{Addr, Channel, Mac, Stage};
    use crate::catalogue::IndicatorRef;
    use crate::flow::Notes;

    fn catalogue() -> Catalogue {
        Catalogue::builtin()
    }

    fn segment(n: u32) -> String {
        ["", "vlan:2", "vlan:10"].get(n as usize).map_or(String::new(), |s| (*s).to_owned())
    }

    /// Parts of a few hundred records, many in several parts.
    fn parts() -> Vec<Draft> {
        let mut x = 7u64;
        let mut random = move |n: u64| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) % n
        };
        (0..2000u64)
            .map(|n| {
                let mac = [None, Some(Mac([2, 0, 0, 0, 0, 1]))][random(2) as usize];
                let host = HostKey { segment: random(3) as u32, ip: Addr::v4([10, 0, 0, random(20) as u8]), mac };
                let key = DraftKey {
                    source: random(2) as u32,
                    host,
                    indicator: IndicatorRef(random(4) as u32),
                    day: random(3) as i64 - 1,
                };
                let mut d = Draft::part(key);
                let name = format!("n{}.test", random(200)).into();
                d.observe(Channel::TlsSni, &frame(n + 1, Stage::Attempted), &[name], Notes::NONE);
                d.add_bytes(n, 1);
                d
            })
            .collect()
    }

    fn all(spool: &mut Spool) -> Vec<Draft> {
        spool.drafts().unwrap().collect::<io::Result<_>>().unwrap()
    }

    #[test]
    fn spilling_changes_nothing() {
        let mut whole = Spool::new(&catalogue(), usize::MAX);
        whole.add(parts(), segment).unwrap();
        assert!(!whole.spilled());
        let want = all(&mut whole);
        let mut small = Spool::new(&catalogue(), 20_000);
        for part in parts().chunks(7).rev() {
            small.add(part.to_vec(), segment).unwrap();
        }
        assert!(small.runs.len() > 10 && small.weight <= 20_000);
        assert_eq!(all(&mut small), want);
        assert_eq!(all(&mut small), want, "it can be read again");
        assert_eq!(want.iter().map(|d| d.count).sum::<u64>(), 2000);
        assert_eq!(want.iter().map(|d| d.to_server).sum::<u64>(), 1999 * 1000);
    }

    #[test]
    fn drafts_come_in_the_order_of_records() {
        let catalogue = catalogue();
        let mut spool = Spool::new(&catalogue, 50_000);
        spool.add(parts(), segment).unwrap();
        let order = |d: &Draft| {
            let id = catalogue.get(d.key.indicator).map(|i| i.id.to_owned());
            (d.key.day, d.key.host.ip, segment(d.key.host.segment), d.key.host.mac, id, d.key.source)
        };
        assert!(all(&mut spool).is_sorted_by(|a, b| order(a) < order(b)));
    }

    #[test]
    fn a_cut_file_is_an_error_and_ends_the_list() {
        let mut spool = Spool::new(&catalogue(), 0);
        spool.add(parts().split_off(1990), segment).unwrap();
        let file = spool.file.as_ref().unwrap();
        file.set_len(file.metadata().unwrap().len() - 5).unwrap();
        let found: Vec<io::Result<Draft>> = match spool.drafts() {
            Ok(drafts) => drafts.collect(),
            Err(e) => vec![Err(e)],
        };
        assert_eq!(found.iter().filter(|d| d.is_err()).count(), 1);
        assert!(found.last().is_some_and(Result::is_err));
    }
}
