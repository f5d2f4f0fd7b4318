//! `--evidence-dir` of a running sensor: frames are written as records name
//! them, to a file for each UTC day.

use crate::base::Timestamp;
use crate::base::time::format_day;
use crate::capture::Interface;
use crate::cli::evidence::{manifest, say_beyond, stop};
use crate::cli::exit::{Stop, say};
use crate::pipeline::SourceReport;
use crate::report::evidence::{EvidenceError, EvidencePacket, Folder, Manifest, PacketFile, comment};
use crate::sighting::{Draft, DraftKey, KeptFrame, Record};
use crate::store::Run;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a frame waits after a record first named it: what else it shows is
/// known by then, since all that changed is told every ten seconds.
const SETTLE: Duration = Duration::from_secs(12);

/// Bytes of frames that wait to be named. A contact by address is told when
/// its flow has shown no name of its own, which may take minutes.
const MAX_WAITING: usize = 16 << 20;

/// Files of days that are open at once.
const MAX_OPEN: usize = 4;

/// A frame of the run: interface and number.
type Key = (u16, u64);

/// A frame that may be evidence.
struct Waiting {
    frame: KeptFrame,
    /// What records say of it, by record.
    named: Vec<(DraftKey, String)>,
    ts: Timestamp,
    since: Option<Instant>,
}

/// What is kept of the frames of a run.
pub(super) struct Recorder {
    folder: Folder,
    source: SourceReport,
    run: Run,
    waiting: HashMap<Key, Waiting>,
    /// In the order in which they came; some are gone.
    order: VecDeque<Key>,
    bytes: usize,
    /// Frames that are written or lost, with their day.
    done: HashMap<Key, i64>,
    open: BTreeMap<i64, PacketFile>,
    interfaces: Arc<[Interface]>,
    /// Records of days that are over.
    records: u64,
    beyond: u64,
    lost: u64,
    /// Nothing is written any more since that.
    failed: Option<EvidenceError>,
    looked: Instant,
}

impl Recorder {
    /// Begins with a manifest without files, so that the folder tells whose it
    /// is from the first.
    pub(super) fn start(folder: Folder, run: &Run, source: SourceReport) -> Result<Self, Stop> {
        folder.describe(&manifest(run, std::slice::from_ref(&source))).map_err(stop)?;
        Ok(Recorder {
            folder,
            source,
            run: run.clone(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            done: HashMap::new(),
            open: BTreeMap::new(),
            interfaces: Arc::new([]),
            records: 0,
            beyond: 0,
            lost: 0,
            failed: None,
            looked: Instant::now(),
        })
    }

    /// Takes frames that may be evidence.
    pub(super) fn keep(&mut self, frames: Vec<KeptFrame>, interfaces: &Arc<[Interface]>) {
        if self.failed.is_some() || self.folder.is_full() {
            (self.waiting, self.order, self.bytes) = (HashMap::new(), VecDeque::new(), 0);
            return;
        }
        if !interfaces.is_empty() {
            self.interfaces = Arc::clone(interfaces);
        }
        for frame in frames {
            let key = (frame.interface, frame.number);
            self.bytes = self.bytes.saturating_add(cost(&frame));
            let waiting = Waiting { frame, named: Vec::new(), ts: Timestamp(0), since: None };
            if let Some(before) = self.waiting.insert(key, waiting) {
                self.bytes = self.bytes.saturating_sub(cost(&before.frame));
            } else {
                self.order.push_back(key);
            }
        }
        while self.bytes > MAX_WAITING {
            let Some(key) = self.order.pop_front() else { break };
            match self.waiting.remove(&key) {
                Some(w) if w.since.is_some() => {
                    self.bytes = self.bytes.saturating_sub(cost(&w.frame));
                    self.write(key, &w);
                }
                Some(w) => self.bytes = self.bytes.saturating_sub(cost(&w.frame)),
                None => {}
            }
        }
    }

    /// A record names these frames.
    pub(super) fn name(&mut self, draft: &Draft, record: &Record, now: Instant) {
        if self.failed.is_some() || self.folder.is_full() {
            return;
        }
        for (channel, frame) in draft.frames() {
            let key = (frame.interface, frame.number);
            match self.waiting.get_mut(&key) {
                Some(w) => {
                    let text =
                        comment(&record.id, channel.as_str(), frame.name.as_deref(), &record.source, frame.number);
                    if !w.named.iter().any(|(_, t)| *t == text) {
                        w.named.push((draft.key, text));
                    }
                    w.ts = frame.ts;
                    w.since.get_or_insert(now);
                }
                None => {
                    if let std::collections::hash_map::Entry::Vacant(place) = self.done.entry(key) {
                        place.insert(frame.ts.day());
                        self.lost = self.lost.saturating_add(1);
                    }
                }
            }
        }
    }

    /// Writes what was named long enough ago, unless `is_lonely` says that the
    /// record needs another signal: then its frames wait with it.
    pub(super) fn settle(&mut self, now: Instant, is_lonely: impl Fn(&DraftKey) -> bool) {
        if now.saturating_duration_since(self.looked) < SETTLE / 4 {
            return;
        }
        self.looked = now;
        self.write_all(|w| w.since.is_some_and(|t| now.saturating_duration_since(t) >= SETTLE), is_lonely);
        for file in self.open.values_mut() {
            if let Err(e) = file.flush() {
                fail(&mut self.failed, e);
                break;
            }
        }
    }

    /// Days before `day` are over: writes what was named of them.
    pub(super) fn settle_day(&mut self, day: i64, is_lonely: impl Fn(&DraftKey) -> bool) {
        self.write_all(|w| w.since.is_some() && w.ts.day() < day, is_lonely);
    }

    /// Days before `day` are over and settled, with so many records: their
    /// files are ended, and the manifest says so.
    pub(super) fn close(&mut self, day: i64, records: u64) {
        self.records = self.records.saturating_add(records);
        self.done.retain(|_, of| *of >= day);
        let open = self.open.split_off(&day);
        let over = std::mem::replace(&mut self.open, open);
        let any = !over.is_empty();
        over.into_values().for_each(|file| self.end(file));
        if any {
            self.describe();
        }
    }

    /// The run is over and all its days are settled, with so many records of
    /// the last ones.
    ///
    /// # Errors
    /// Where the folder could not be written, now or earlier; then nothing was
    /// written since.
    pub(super) fn finish(mut self, source: &SourceReport, records: u64) -> Result<(), Stop> {
        self.records = self.records.saturating_add(records);
        std::mem::take(&mut self.open).into_values().for_each(|file| self.end(file));
        self.source = source.without_error();
        self.describe();
        say_beyond(&self.folder, self.beyond);
        if self.lost > 0 {
            let (path, lost) = (self.folder.path().display(), self.lost);
            say(format_args!("--evidence-dir {path}: {lost} frames of evidence came too fast to be kept"));
        }
        self.failed.map_or(Ok(()), |e| Err(stop(e)))
    }

    fn describe(&mut self) {
        let manifest = Manifest {
            records: self.records,
            frames_left_out: self.beyond.saturating_add(self.lost),
            ..manifest(&self.run, std::slice::from_ref(&self.source))
        };
        if let Err(e) = self.folder.describe(&manifest) {
            fail(&mut self.failed, e);
        }
    }

    /// Writes those that are due, in order of time.
    fn write_all(&mut self, is_due: impl Fn(&Waiting) -> bool, is_lonely: impl Fn(&DraftKey) -> bool) {
        let stands = |w: &Waiting| w.named.iter().any(|(key, _)| !is_lonely(key));
        let due = self.waiting.iter().filter(|(_, w)| is_due(w) && stands(w));
        let mut due: Vec<(Timestamp, Key)> = due.map(|(key, w)| (w.ts, *key)).collect();
        due.sort_unstable();
        for (_, key) in due {
            let Some(mut w) = self.waiting.remove(&key) else { continue };
            self.bytes = self.bytes.saturating_sub(cost(&w.frame));
            w.named.retain(|(key, _)| !is_lonely(key));
            self.write(key, &w);
        }
        self.order.retain(|key| self.waiting.contains_key(key));
    }

    fn write(&mut self, key: Key, w: &Waiting) {
        let day = w.ts.day();
        self.done.insert(key, day);
        if self.failed.is_some() {
            return;
        }
        if let Err(e) = self.add(day, w) {
            fail(&mut self.failed, e);
        }
    }

    fn add(&mut self, day: i64, w: &Waiting) -> Result<(), EvidenceError> {
        if self.folder.is_full() {
            self.beyond = self.beyond.saturating_add(1);
            return Ok(());
        }
        if !self.open.contains_key(&day) {
            // Damaged times must not open a file for each day of a century.
            if self.open.len() >= MAX_OPEN
                && let Some((_, file)) = self.open.pop_first()
            {
                self.folder.end(file)?;
            }
            let file = self.folder.begin_day(&format_day(day))?;
            self.open.insert(day, file);
        }
        let Some(file) = self.open.get_mut(&day) else { return Ok(()) };
        let none = Interface::default();
        let interface = self.interfaces.get(usize::from(w.frame.interface)).unwrap_or(&none);
        let mut comments: Vec<String> = w.named.iter().map(|(_, text)| text.clone()).collect();
        comments.sort_unstable();
        let packet = EvidencePacket {
            from: (w.frame.source, w.frame.interface),
            interface,
            description: &interface.label(),
            ts: w.ts,
            orig_len: w.frame.orig_len,
            bytes: &w.frame.bytes,
            comments: &comments,
        };
        if !self.folder.add(file, &packet)? {
            self.beyond = self.beyond.saturating_add(1);
        }
        Ok(())
    }

    fn end(&mut self, file: PacketFile) {
        if let Err(e) = self.folder.end(file) {
            fail(&mut self.failed, e);
        }
    }
}

/// Said when it happens: a run may go on for months.
fn fail(failed: &mut Option<EvidenceError>, e: EvidenceError) {
    if failed.is_none() {
        say(format_args!("{e}; the run goes on without evidence"));
        *failed = Some(e);
    }
}

/// Bytes that a frame takes.
fn cost(frame: &KeptFrame) -> usize {
    frame.bytes.len().saturating_add(size_of::<Waiting>()).saturating_add(64)
}
