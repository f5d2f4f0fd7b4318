//! Hosts in the order of all lists, as many as there are: what memory has no
//! room for is sorted in a temporary file.

use super::packed;
use crate::base::temporary::{self, read_at};
use crate::host::HostView;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

/// Bytes of hosts kept in memory until they are written.
pub const MAX_HELD: usize = 64 << 20;
/// Bytes of a chunk of a run before it is packed: of each run one is in memory
/// while it is read.
const CHUNK: usize = 64 << 10;
/// Longest chunk that is unpacked.
const MAX_CHUNK: usize = 1 << 30;

/// Where a packed chunk lies in the file.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    at: u64,
    packed: usize,
    len: usize,
}

/// Hosts to be sorted.
#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    max_held: usize,
    held: Vec<u8>,
    entries: Vec<Entry>,
    file: Option<File>,
    end: u64,
    /// Sorted, each by itself.
    runs: Vec<Vec<Chunk>>,
    count: u64,
}

/// Where a host lies among those held.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    key: usize,
    end: usize,
}

impl Entry {
    fn key(self, held: &[u8]) -> &[u8] {
        let start = self.start.saturating_add(packed::LENGTHS);
        held.get(start..start.saturating_add(self.key)).unwrap_or_default()
    }

    fn whole(self, held: &[u8]) -> &[u8] {
        held.get(self.start..self.end).unwrap_or_default()
    }
}

/// Packed hosts, in no order.
#[derive(Debug, Default)]
pub struct Batch(Vec<u8>);

impl Batch {
    /// Adds a host.
    pub fn add(&mut self, view: &HostView) {
        packed::put(&mut self.0, view);
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the temporary file is not as it was written")
}

impl Sorter {
    /// With room for so many bytes in memory, and a folder for a file.
    pub fn new(folder: PathBuf, max_held: usize) -> Self {
        Sorter {
            folder,
            max_held,
            held: Vec::new(),
            entries: Vec::new(),
            file: None,
            end: 0,
            runs: Vec::new(),
            count: 0,
        }
    }

    /// Adds hosts.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn add(&mut self, batch: &Batch) -> io::Result<()> {
        let mut rest = batch.0.as_slice();
        while !rest.is_empty() {
            let (key, body) = packed::lengths(rest).ok_or_else(damaged)?;
            let len = packed::LENGTHS.saturating_add(key).saturating_add(body);
            let (entry, behind) = rest.split_at_checked(len).ok_or_else(damaged)?;
            let start = self.held.len();
            self.held.extend_from_slice(entry);
            self.entries.push(Entry { start, key, end: self.held.len() });
            self.count = self.count.saturating_add(1);
            rest = behind;
            if self.held.len().saturating_add(self.entries.len().saturating_mul(size_of::<Entry>())) >= self.max_held {
                self.write_run()?;
            }
        }
        Ok(())
    }

    /// Whether anything had to be written.
    pub fn spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    fn sort(&mut self) {
        let Sorter { held, entries, .. } = self;
        entries.sort_by(|a, b| a.key(held).cmp(b.key(held)));
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        let folder = &self.folder;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(temporary::file(folder)?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        let (mut run, mut chunk) = (Vec::new(), Vec::with_capacity(CHUNK));
        let mut room = Vec::new();
        let mut flush = |chunk: &mut Vec<u8>, end: &mut u64| -> io::Result<()> {
            room.resize(zstd::zstd_safe::compress_bound(chunk.len()), 0);
            let packed = zstd::bulk::compress_to_buffer(chunk, &mut room, 1)?;
            let written = file.write_all(room.get(..packed).unwrap_or_default());
            written.map_err(|e| temporary::explain(folder, &e))?;
            run.push(Chunk { at: *end, packed, len: chunk.len() });
            *end = end.saturating_add(packed as u64);
            chunk.clear();
            Ok(())
        };
        for entry in &self.entries {
            chunk.extend_from_slice(entry.whole(&self.held));
            if chunk.len() >= CHUNK {
                flush(&mut chunk, &mut self.end)?;
            }
        }
        if !chunk.is_empty() {
            flush(&mut chunk, &mut self.end)?;
        }
        self.runs.push(run);
        self.held.clear();
        self.entries.clear();
        Ok(())
    }

    /// All of them, in order.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn finish(mut self) -> io::Result<Sorted> {
        if self.spilled() && !self.entries.is_empty() {
            self.write_run()?;
            (self.held, self.entries) = (Vec::new(), Vec::new());
        }
        self.sort();
        Ok(Sorted(self))
    }
}

/// Sorted hosts.
#[derive(Debug)]
pub struct Sorted(Sorter);

impl Sorted {
    /// How many.
    pub fn len(&self) -> u64 {
        self.0.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// Hands over each host in turn, as long as `each` says to go on. May be
    /// called again.
    ///
    /// # Errors
    /// Those of the temporary file, and of `each`.
    pub fn each(&self, mut each: impl FnMut(HostView) -> io::Result<bool>) -> io::Result<()> {
        let Sorter { held, entries, file, runs, .. } = &self.0;
        for entry in entries {
            let (key, body) = (entry.key(held), entry.whole(held).get(packed::LENGTHS.saturating_add(entry.key)..));
            if !each(packed::take(key, body.unwrap_or_default()).ok_or_else(damaged)?)? {
                return Ok(());
            }
        }
        let Some(file) = file else { return Ok(()) };
        let mut readers: Vec<Reader<'_>> = Vec::new();
        let mut heads: BinaryHeap<Reverse<(Vec<u8>, usize)>> = BinaryHeap::new();
        for (at, run) in runs.iter().enumerate() {
            let mut reader = Reader { file, left: run, chunk: Vec::new(), key: 0..0, body: 0..0 };
            if reader.next()? {
                heads.push(Reverse((reader.key().to_vec(), at)));
            }
            readers.push(reader);
        }
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((key, at)) = &mut *head;
            let reader = readers.get_mut(*at).ok_or_else(damaged)?;
            if !each(packed::take(key, reader.body()).ok_or_else(damaged)?)? {
                return Ok(());
            }
            if reader.next()? {
                key.clear();
                key.extend_from_slice(reader.key());
            } else {
                std::collections::binary_heap::PeekMut::pop(head);
            }
        }
        Ok(())
    }
}

/// A run that is being read.
struct Reader<'s> {
    file: &'s File,
    left: &'s [Chunk],
    chunk: Vec<u8>,
    key: Range<usize>,
    body: Range<usize>,
}

impl Reader<'_> {
    fn key(&self) -> &[u8] {
        self.chunk.get(self.key.clone()).unwrap_or_default()
    }

    fn body(&self) -> &[u8] {
        self.chunk.get(self.body.clone()).unwrap_or_default()
    }

    /// Goes to the next host; false if there is none.
    fn next(&mut self) -> io::Result<bool> {
        let mut at = self.body.end;
        if at >= self.chunk.len() {
            let Some((next, left)) = self.left.split_first() else { return Ok(false) };
            self.left = left;
            let mut packed = vec![0; next.packed];
            read_at(self.file, &mut packed, next.at)?;
            self.chunk.resize(next.len.min(MAX_CHUNK), 0);
            let written = zstd::bulk::decompress_to_buffer(&packed, self.chunk.as_mut_slice())?;
            if written != next.len {
                return Err(damaged());
            }
            at = 0;
        }
        let (key, body) = self.chunk.get(at..).and_then(packed::lengths).ok_or_else(damaged)?;
        let start = at.saturating_add(packed::LENGTHS);
        let middle = start.saturating_add(key);
        (self.key, self.body) = (start..middle, middle..middle.saturating_add(body));
        if self.body.end > self.chunk.len() {
            return Err(damaged());
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sort;
    use super::packed::tests::any_view;
    use super::*;
    use crate::host::Verdict;
    use crate::host::sample::view;
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    fn all(sorted: &Sorted) -> Vec<HostView> {
        let mut all = Vec::new();
        sorted
            .each(|v| {
                all.push(v);
                Ok(true)
            })
            .unwrap();
        all
    }

    fn sorted(views: &[HostView], max_held: usize) -> Sorted {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(dir.path().to_owned(), max_held);
        for views in views.chunks(7) {
            let mut batch = Batch::default();
            views.iter().for_each(|v| batch.add(v));
            sorter.add(&batch).unwrap();
        }
        sorter.finish().unwrap()
    }

    #[test]
    fn memory_changes_nothing() {
        let mut runner = TestRunner::deterministic();
        let mut views: Vec<HostView> = (0..500).map(|_| any_view().new_tree(&mut runner).unwrap().current()).collect();
        // One that fills a chunk.
        views[77].reason = "x".repeat(3 * CHUNK);
        let whole = sorted(&views, usize::MAX);
        assert_eq!((whole.len(), whole.0.end), (500, 0));
        let parts = sorted(&views, 8 << 10);
        assert!(parts.0.runs.len() > 5 && parts.0.entries.is_empty() && parts.0.end > 0);
        let want = all(&whole);
        sort(&mut views);
        assert_eq!(want, views, "the order is that of all lists");
        assert_eq!(all(&parts), want);
        assert_eq!(all(&parts), want, "again");
        let mut first = Vec::new();
        parts
            .each(|v| {
                first.push(v);
                Ok(first.len() < 3)
            })
            .unwrap();
        assert_eq!(first, want[..3]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said() {
        let mut sorter = Sorter::new("/no/such/folder".into(), 1);
        let mut batch = Batch::default();
        batch.add(&view("10.0.0.5", Verdict::Active));
        let said = sorter.add(&batch).unwrap_err().to_string();
        assert!(said.contains("/no/such/folder") && said.contains("TMPDIR"), "{said}");
    }
}
