//! Compressed captures, decompressed on threads of their own beside decoding,
//! and several of them at once where several are to be read.
//!
//! What a reader gets, and in which order, is what [`open`](super::open()) would
//! give it file by file. Batches are handed over whole; nothing is copied.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::decompress::Compression;
use super::file::FileSource;
use super::input::Input;
use super::open::{OpenOptions, from_input_beside};
use super::{Batch, CaptureError, FrameMeta, FrameSource, Interface, InterfaceStatistics, Item, Progress, Status};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Bytes of batches that wait for their turn, of all files together.
pub(crate) const MOST_AHEAD: usize = 16 << 20;

/// Batches that may wait of the file that is being read, so that its thread and
/// the reader's work side by side. More of them would leave the cores' caches.
const OWN: usize = 3;

/// Files that are decompressed at a time, at most.
const MOST_THREADS: usize = 4;

/// Files that may be begun before their turn.
const MOST_BEGUN: usize = 8;

/// A compressed file of fewer bytes is read sooner than a thread starts.
const SMALL: u64 = 64 << 10;

/// Batches that there are beyond [`MOST_AHEAD`]: of the file that is being read,
/// and one in the hands of each thread.
#[cfg(test)]
pub(crate) const MOST_BESIDE: usize = OWN + MOST_THREADS;

/// Opens captures in order, those that are compressed ahead of their turn.
pub struct Ahead {
    options: OpenOptions,
    /// Files decompressed at a time; with one, the reader does it itself.
    threads: usize,
    room: Arc<Room>,
    /// What was begun before its turn, with its place among the captures.
    begun: VecDeque<(usize, AheadSource)>,
    /// What may still be decompressing.
    running: Vec<Arc<State>>,
    /// The next capture to be looked at.
    next: usize,
}

impl Ahead {
    /// For a machine with so many cores. With one, a thread more would only
    /// take turns with the reader's, and captures are opened as
    /// [`open`](super::open()) does.
    pub fn new(options: OpenOptions, cores: usize) -> Self {
        Ahead {
            options,
            threads: cores.min(MOST_THREADS),
            room: Arc::default(),
            begun: VecDeque::new(),
            running: Vec::new(),
            next: 0,
        }
    }

    /// Opens one of the captures, and begins with compressed ones behind it.
    /// Each is opened once, in order.
    ///
    /// # Errors
    ///
    /// As [`open`](super::open()), of this capture alone.
    pub fn open(&mut self, items: &[Item], at: usize) -> Result<Box<dyn FrameSource>, CaptureError> {
        let Some(item) = items.get(at) else { return Err(CaptureError::NotFound) };
        let opened = match self.begun.front() {
            Some((place, _)) if *place == at => self.begun.pop_front(),
            _ => None,
        };
        let source: Box<dyn FrameSource> = match opened {
            Some((_, source)) => Box::new(source.due()),
            None => {
                let source = from_input_beside(Input::open(&item.path)?, &self.options, self.threads > 1)?;
                let small = source.progress().total().is_some_and(|n| n < SMALL);
                if self.threads > 1 && source.is_compressed() && !small {
                    match self.start(source) {
                        Ok(source) => Box::new(source.due()),
                        Err(source) => source,
                    }
                } else {
                    Box::new(source)
                }
            }
        };
        self.next = self.next.max(at.saturating_add(1));
        if self.threads > 1 {
            self.begin(items, at);
        }
        Ok(source)
    }

    /// Begins with files behind the one that is being read. What cannot be
    /// begun is left for its turn.
    fn begin(&mut self, items: &[Item], at: usize) {
        while self.next.saturating_sub(at) <= MOST_BEGUN {
            self.running.retain(|s| !s.is_done.load(Ordering::Relaxed));
            if self.running.len() >= self.threads {
                return;
            }
            let Some(item) = items.get(self.next) else { return };
            if let Some(source) = compressed(&item.path, &self.options) {
                let same = self.running.iter().filter(|s| s.compression == source.compression()).count();
                if same >= source.compression().map_or(0, |c| c.at_once(self.threads)) {
                    return;
                }
                match self.start(source) {
                    Ok(source) => self.begun.push_back((self.next, source)),
                    Err(_) => return,
                }
            }
            self.next = self.next.saturating_add(1);
        }
    }

    /// Starts to read a file; gives it back if there is no thread to be had.
    fn start(&mut self, source: FileSource) -> Result<AheadSource, Box<FileSource>> {
        let source = AheadSource::start(source, Arc::clone(&self.room))?;
        self.running.push(Arc::clone(&source.state));
        Ok(source)
    }
}

/// A file that is worth a thread, opened. Only of a regular file it is known
/// that opening it twice changes nothing.
fn compressed(path: &Path, options: &OpenOptions) -> Option<FileSource> {
    let meta = fs::metadata(path).ok()?;
    if path.as_os_str() == "-" || !meta.is_file() || meta.len() < SMALL {
        return None;
    }
    from_input_beside(Input::open(path).ok()?, options, true).ok().filter(FileSource::is_compressed)
}

/// What the threads share: how much waits, and used batches.
#[derive(Default)]
struct Room {
    inside: Mutex<Inside>,
    freed: Condvar,
}

#[derive(Default)]
struct Inside {
    /// Bytes of batches that wait.
    held: usize,
    /// Used batches. No more are made than wait at a time.
    used: Vec<Batch>,
}

impl Room {
    /// A batch to fill, when there is room for one more of this file; `None`
    /// when nobody wants it any more.
    fn batch(&self, state: &State, waiting: &Sender<Delivery>) -> Option<Batch> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.is_unwanted.load(Ordering::Relaxed) {
                return None;
            }
            let is_due = state.is_due.load(Ordering::Relaxed);
            if if is_due { waiting.len() < OWN } else { inside.held < MOST_AHEAD } {
                return Some(inside.used.pop().unwrap_or_default());
            }
            inside = self.freed.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A batch of so many bytes will wait.
    fn hold(&self, bytes: usize) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.held = inside.held.saturating_add(bytes);
    }

    /// It waits no longer; `used` can be filled in its place. Wakes who waits
    /// for room.
    fn free(&self, bytes: usize, used: Option<Batch>) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.held = inside.held.saturating_sub(bytes);
        inside.used.extend(used);
        drop(inside);
        self.freed.notify_all();
    }
}

/// What a file's thread and its reader tell each other.
#[derive(Default)]
struct State {
    compression: Option<Compression>,
    /// It is being read now.
    is_due: AtomicBool,
    /// Nobody reads it any more.
    is_unwanted: AtomicBool,
    /// Its thread has read everything.
    is_done: AtomicBool,
}

/// The outcome of one [`FrameSource::next_batch`].
struct Delivery {
    outcome: Result<Status, CaptureError>,
    batch: Batch,
    /// What it takes while it waits.
    bytes: usize,
    /// With the end: what else is known by then.
    last: Option<(Arc<[Interface]>, Vec<InterfaceStatistics>)>,
}

/// A file that a thread of its own reads.
struct AheadSource {
    state: Arc<State>,
    room: Arc<Room>,
    deliveries: Receiver<Delivery>,
    thread: Option<JoinHandle<()>>,
    interfaces: Arc<[Interface]>,
    statistics: Vec<InterfaceStatistics>,
    progress: Arc<Progress>,
    ended: bool,
}

impl AheadSource {
    fn start(source: FileSource, room: Arc<Room>) -> Result<Self, Box<FileSource>> {
        let state = Arc::new(State { compression: source.compression(), ..State::default() });
        let (interfaces, progress) = (source.interfaces(), source.progress());
        let (tx, deliveries) = unbounded();
        // Only when the thread is there the file is given away.
        let (give, take) = bounded::<FileSource>(1);
        let thread = std::thread::Builder::new().name("inflate".into()).spawn({
            let (state, room) = (Arc::clone(&state), Arc::clone(&room));
            move || {
                if let Ok(mut source) = take.recv() {
                    deliver(&mut source, &state, &room, &tx);
                }
                state.is_done.store(true, Ordering::Relaxed);
            }
        });
        let Ok(thread) = thread else { return Err(Box::new(source)) };
        if let Err(back) = give.send(source) {
            return Err(Box::new(back.into_inner()));
        }
        let thread = Some(thread);
        Ok(AheadSource { state, room, deliveries, thread, interfaces, statistics: Vec::new(), progress, ended: false })
    }

    /// Its turn has come: it need not wait for others to make room.
    fn due(self) -> Self {
        self.state.is_due.store(true, Ordering::Relaxed);
        self.room.free(0, None);
        self
    }
}

/// Reads a file to its end.
fn deliver(source: &mut FileSource, state: &State, room: &Room, tx: &Sender<Delivery>) {
    while let Some(mut batch) = room.batch(state, tx) {
        let outcome = source.next_batch(&mut batch);
        let ended = matches!(outcome, Ok(Status::End));
        let frames = batch.frames.capacity().saturating_mul(size_of::<FrameMeta>());
        let bytes = batch.buf.capacity().saturating_add(frames);
        let last = ended.then(|| (source.interfaces(), source.statistics()));
        room.hold(bytes);
        if tx.send(Delivery { outcome, batch, bytes, last }).is_err() {
            room.free(bytes, None);
            return;
        }
        if ended {
            return;
        }
    }
}

impl FrameSource for AheadSource {
    fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
        if self.ended {
            batch.buf.clear();
            batch.frames.clear();
            return Ok(Status::End);
        }
        let Ok(Delivery { outcome, batch: new, bytes, last }) = self.deliveries.recv() else {
            // The thread died; so does this one, and the run says so.
            match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => return Err(CaptureError::StoppedEarly),
            }
        };
        let used = std::mem::replace(batch, new);
        self.room.free(bytes, Some(used));
        self.interfaces = batch.interfaces.clone();
        if let Some((interfaces, statistics)) = last {
            (self.interfaces, self.statistics) = (interfaces, statistics);
            self.ended = true;
        }
        outcome
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        self.interfaces.clone()
    }

    fn statistics(&self) -> Vec<InterfaceStatistics> {
        self.statistics.clone()
    }

    fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl Drop for AheadSource {
    fn drop(&mut self) {
        self.state.is_unwanted.store(true, Ordering::Relaxed);
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.room.free(delivery.bytes, None);
        }
        self.room.free(0, None);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::testing::{Bytes, Outcome, read_all};
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    /// A capture that does not compress well, gzipped.
    fn gzipped(records: usize, seed: u32) -> (Vec<u8>, Vec<u8>) {
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        let mut state = seed;
        for n in 0..records {
            let data: Vec<u8> = (0..1000)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            b.u32(n as u32 + 1).u32(0).u32(1000).u32(1000).raw(&data);
        }
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(&b.bytes).unwrap();
        (b.bytes, e.finish().unwrap())
    }

    fn items(dir: &Path, files: &[(&str, &[u8])]) -> Vec<Item> {
        let write = |(name, bytes): &(&str, &[u8])| {
            let path: PathBuf = dir.join(name);
            std::fs::write(&path, bytes).unwrap();
            Item { path, relative: None }
        };
        files.iter().map(write).collect()
    }

    /// Everything that reading all of them gives.
    fn read(items: &[Item], cores: usize) -> Vec<Result<Outcome, String>> {
        let options = OpenOptions { drain_after_damage: true, ..OpenOptions::default() };
        let mut ahead = Ahead::new(options, cores);
        let mut one = |at| ahead.open(items, at).map(|mut s| read_all(s.as_mut())).map_err(|e| e.to_string());
        (0..items.len()).map(&mut one).collect()
    }

    #[test]
    fn captures_come_as_they_would_one_after_another() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, whole) = gzipped(1500, 1);
        let (_, other) = gzipped(400, 2);
        let (_, small) = gzipped(3, 3);
        let mut damaged = whole.clone();
        damaged[whole.len() / 2..whole.len() / 2 + 2000].fill(0x55);
        let mut text = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        text.write_all(&b"no capture\n".repeat(9000)).unwrap();
        let text = text.finish().unwrap();
        let mut items = items(
            dir.path(),
            &[
                ("a.gz", &whole),
                ("b", &plain),
                ("c.gz", &whole[..whole.len() * 2 / 3]),
                ("d.gz", &other),
                ("e.gz", &small),
                ("f.gz", &damaged),
                ("g.gz", &text),
                ("h", b""),
                ("i.gz", &other),
                ("j.gz", &whole),
                ("k.gz", &other),
                ("l.gz", &whole),
            ],
        );
        items.insert(4, Item { path: dir.path().join("missing"), relative: None });
        let want = read(&items, 1);
        assert_eq!(want.iter().filter(|w| w.is_err()).count(), 3);
        assert_eq!(want[0].as_ref().unwrap().frames.len(), 1500);
        assert!(want[0].as_ref().unwrap().content == plain);
        for cores in [2, 3, 4, 64] {
            let got = read(&items, cores);
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                let (Ok(got), Ok(want)) = (got, want) else {
                    assert_eq!(got.as_ref().err(), want.as_ref().err(), "{at}");
                    continue;
                };
                assert!(got.frames == want.frames && got.content == want.content, "{at} with {cores} cores");
                assert_eq!(
                    (format!("{:?}", got.errors), &got.before),
                    (format!("{:?}", want.errors), &want.before),
                    "{at}"
                );
                assert_eq!(got.interfaces, want.interfaces, "{at}");
            }
        }
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_unwanted_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
        b.u32(1).u32(0).u32(60_000).u32(60_000).raw(&[7; 60_000]);
        e.write_all(&b.bytes).unwrap();
        for _ in 0..1500 {
            e.write_all(&b.bytes[24..]).unwrap();
        }
        let packed = e.finish().unwrap();
        assert!(packed.len() as u64 > SMALL);
        let items = items(dir.path(), &[("a", &packed), ("b", &packed), ("c", &packed)]);
        let mut ahead = Ahead::new(OpenOptions::default(), 4);
        let first = ahead.open(&items, 0).unwrap();
        let states: Vec<_> = ahead.running.iter().map(Arc::clone).collect();
        let waiting = |ahead: &Ahead| ahead.room.inside.lock().unwrap().held;
        // The two behind fill the room, and then wait.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while waiting(&ahead) < MOST_AHEAD && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let held = waiting(&ahead);
        assert!((MOST_AHEAD..MOST_AHEAD + (4 << 20)).contains(&held), "{held}");
        assert_eq!(states.len(), 3);
        assert!(states.iter().all(|s| !s.is_done.load(Ordering::Relaxed)));
        drop((first, ahead));
        while !states.iter().all(|s| s.is_done.load(Ordering::Relaxed)) && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(states.iter().all(|s| s.is_done.load(Ordering::Relaxed)));
    }
}
