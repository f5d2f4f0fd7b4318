//! Reads the frames of evidence again, each file once for all that it may hold.

use super::places::Places;
use crate::base::digest::hex;
use crate::capture::{self, Batch, CaptureError, FrameMeta, Interface, LinkType, OpenOptions, Picked, Status};
use crate::cli::exit::Stop;
use crate::report::display_filter::{Known, content_filter};
use crate::report::dissect::{Dissection, dissect};
use crate::report::explain::{Explained, Shown, State};
use crate::sighting::Evidence;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// A frame that is looked for.
struct Sought {
    /// Number of its record.
    of: usize,
    source: String,
    evidence: Evidence,
    /// Its host received it.
    from_server: bool,
    found: Option<Found>,
    /// A file that holds something else at its place.
    differs: Option<(PathBuf, String)>,
    /// Why a file that may hold it cannot be read.
    trouble: Option<String>,
}

/// A frame that was read again, and is the one of the record.
struct Found {
    state: State,
    file: PathBuf,
    number: Option<u64>,
    dissection: Dissection,
    filter: String,
}

/// The frames of some records.
pub(super) struct Frames(Vec<Sought>);

impl Frames {
    /// All frames that the records name.
    pub(super) fn of(records: &[Explained]) -> Self {
        let mut all = Vec::new();
        for (of, e) in records.iter().enumerate() {
            let source = &e.record.source;
            all.extend(e.record.evidence.iter().map(|evidence| Sought {
                of,
                source: source.clone(),
                evidence: evidence.clone(),
                from_server: e.record.host.ip == evidence.dst,
                found: None,
                differs: None,
                trouble: None,
            }));
        }
        Frames(all)
    }

    /// Looks for them: in captures, the likeliest first, then in evidence.
    ///
    /// # Errors
    /// Wrong usage, where the output would be one of the files.
    pub(super) fn find(&mut self, places: &Places) -> Result<(), Stop> {
        let files: Vec<Vec<PathBuf>> = self.0.iter().map(|s| places.of(&s.source, &s.evidence)).collect();
        // Records that were read elsewhere say themselves where.
        places.check_output(files.iter().flatten().collect::<BTreeSet<_>>())?;
        let most = files.iter().map(Vec::len).max().unwrap_or(0);
        for choice in 0..most {
            let mut by_file: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
            for (n, (sought, files)) in self.0.iter().zip(&files).enumerate() {
                if let Some(file) = files.get(choice).filter(|_| sought.found.is_none()) {
                    by_file.entry(file).or_default().push(n);
                }
            }
            for (file, wanted) in by_file {
                // Never a device or a pipe, whatever a store says.
                if fs::metadata(file).is_ok_and(|m| m.is_file()) {
                    self.read(file, wanted, places);
                }
            }
        }
        for file in places.evidence() {
            self.read_evidence(file, places);
        }
        Ok(())
    }

    /// Looks for frames in a capture at their offsets.
    fn read(&mut self, file: &Path, wanted: Vec<usize>, places: &Places) {
        let offset = |n: &usize| self.0.get(*n).and_then(|s| s.evidence.offset).unwrap_or(0);
        let mut wanted: Vec<(u64, usize)> = wanted.iter().map(|n| (offset(n), *n)).collect();
        wanted.sort_unstable();
        let mut offsets: Vec<u64> = wanted.iter().map(|(offset, _)| *offset).collect();
        offsets.dedup();
        let mut seen: HashMap<u64, String> = HashMap::new();
        let result = capture::pick(file, &offsets, |p: Picked<'_>| {
            let sha256 = sha256(p.bytes);
            let from = wanted.partition_point(|(offset, _)| *offset < p.offset);
            for (_, n) in wanted.iter().skip(from).take_while(|(offset, _)| *offset == p.offset) {
                let Some(sought) = self.0.get_mut(*n) else { continue };
                if sought.evidence.packet_sha256 == sha256 {
                    // Of a file read from there only the record knows the number.
                    let number = p.number.or(Some(sought.evidence.frame).filter(|_| !is_run(&sought.source)));
                    sought.found(State::Verified, file, number, p.interface.link, &p.meta, p.bytes);
                }
            }
            seen.insert(p.offset, sha256);
            true
        });
        let trouble = result.err().map(|e| e.to_string());
        if trouble.is_some() {
            places.note_unreadable();
        }
        for (offset, n) in wanted {
            let Some(sought) = self.0.get_mut(n).filter(|s| s.found.is_none()) else { continue };
            match (seen.get(&offset), &trouble) {
                (Some(other), _) => {
                    let why = format!("the frame at byte {offset} has SHA-256 {other}");
                    sought.differs.get_or_insert((file.to_owned(), why));
                }
                (None, Some(trouble)) => {
                    sought.trouble.get_or_insert(format!("{}: {trouble}", file.display()));
                }
                (None, None) => {
                    sought.differs.get_or_insert((file.to_owned(), format!("no frame begins at byte {offset}")));
                }
            }
        }
    }

    /// Looks for frames in a file of evidence, by their hashes and times.
    fn read_evidence(&mut self, file: &Path, places: &Places) {
        let mut wanted: HashMap<String, Vec<usize>> = HashMap::new();
        for (n, sought) in self.0.iter().enumerate().filter(|(_, s)| s.found.is_none()) {
            wanted.entry(sought.evidence.packet_sha256.clone()).or_default().push(n);
        }
        if wanted.is_empty() {
            return;
        }
        let result = each_frame(file, |number, interface, meta, bytes| {
            for n in wanted.get(&sha256(bytes)).into_iter().flatten() {
                let same = |s: &&mut Sought| s.found.is_none() && s.evidence.ts == meta.ts;
                if let Some(sought) = self.0.get_mut(*n).filter(same) {
                    sought.found(State::InEvidence, file, Some(number), interface.link, meta, bytes);
                }
            }
        });
        if let Err(e) = result {
            places.note_unreadable();
            for sought in self.0.iter_mut().filter(|s| s.found.is_none()) {
                sought.trouble.get_or_insert(format!("{}: {e}", file.display()));
            }
        }
    }

    /// Gives the records their frames.
    pub(super) fn fill(self, records: &mut [Explained]) {
        for sought in self.0 {
            if let Some(record) = records.get_mut(sought.of) {
                record.frames.push(sought.shown());
            }
        }
    }
}

impl Sought {
    fn found(
        &mut self,
        state: State,
        file: &Path,
        number: Option<u64>,
        link: LinkType,
        meta: &FrameMeta,
        bytes: &[u8],
    ) {
        let dissection = dissect(link, bytes, meta.orig_len);
        let known = Known { from_server: self.from_server, read: Some((bytes, &dissection)) };
        let filter = content_filter(&self.evidence, known);
        self.found = Some(Found { state, file: file.to_owned(), number, dissection, filter });
    }

    fn shown(self) -> Shown {
        let text = |p: &Path| p.display().to_string();
        let Sought { evidence, from_server, found, differs, trouble, .. } = self;
        let said = |(file, why): &(PathBuf, String)| format!("{} differs: {why}", file.display());
        match (found, differs) {
            (Some(f), differs) => Shown {
                evidence,
                state: f.state,
                file: Some(text(&f.file)),
                number: f.number,
                why: differs.as_ref().map(said).filter(|_| f.state == State::InEvidence),
                dissection: Some(f.dissection),
                filter: f.filter,
            },
            (None, differs) => {
                let filter = content_filter(&evidence, Known { from_server, read: None });
                let (state, file, why) = match differs {
                    Some((file, why)) => (State::Differs, Some(text(&file)), why),
                    None => (State::Unreachable, None, trouble.unwrap_or_else(|| missing(&evidence))),
                };
                Shown { evidence, state, file, number: None, why: Some(why), dissection: None, filter }
            }
        }
    }
}

fn missing(e: &Evidence) -> String {
    match &e.path {
        Some(path) => {
            format!("{path} is neither where it was read nor, by name or size, in a folder given with --captures")
        }
        None => "it came from a live capture, and no folder of evidence given with --evidence-dir holds it".into(),
    }
}

fn is_run(source: &str) -> bool {
    crate::store::Source::is_run(source)
}

fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// Hands on each frame of a capture, with its number.
fn each_frame(file: &Path, mut take: impl FnMut(u64, &Interface, &FrameMeta, &[u8])) -> Result<(), CaptureError> {
    let mut source = capture::open(file, &OpenOptions::default())?;
    let mut batch = Batch::default();
    loop {
        match source.next_batch(&mut batch)? {
            Status::Frames => {}
            Status::Idle => continue,
            Status::End => return Ok(()),
        }
        for (number, meta) in (batch.first_number..).zip(&batch.frames) {
            if let Some(interface) = batch.interfaces.get(usize::from(meta.interface)) {
                take(number, interface, meta, batch.bytes(meta));
            }
        }
    }
}
