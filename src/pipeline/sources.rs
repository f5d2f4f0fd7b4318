//! What a run read, and the names that only the run knows.

use super::dispatch::Tally;
use crate::base::Timestamp;
use crate::base::digest::hex;
use crate::capture::{CaptureError, Interface, InterfaceStatistics, LinkType};
use crate::packet::{EncapId, EncapTable};
use crate::sighting::Names;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// How a source is named in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceId {
    /// By its decompressed content.
    Content([u8; 32]),
    /// By path, size and first timestamp.
    File([u8; 16]),
    /// By the run that captured it.
    Run([u8; 16]),
}

impl SourceId {
    /// `file:` is the start of SHA-256 over the path as given, the size in
    /// bytes and the first timestamp in nanoseconds, both decimal or empty,
    /// each followed by a zero byte.
    pub(super) fn of_file(path: &std::path::Path, size: Option<u64>, first: Option<Timestamp>) -> Self {
        let mut h = ring::digest::Context::new(&ring::digest::SHA256);
        let size = size.map(|n| n.to_string()).unwrap_or_default();
        let first = first.map(|t| t.0.to_string()).unwrap_or_default();
        for part in [path.as_os_str().as_encoded_bytes(), size.as_bytes(), first.as_bytes()] {
            h.update(part);
            h.update(&[0]);
        }
        let digest = h.finish();
        SourceId::File(digest.as_ref().first_chunk().copied().unwrap_or([0; 16]))
    }

    /// `run:` is the start of SHA-256 over sensor, interfaces, start in
    /// nanoseconds and process number, each followed by a zero byte.
    pub fn of_run(sensor: &str, interfaces: &[String], started: Timestamp) -> Self {
        let mut h = ring::digest::Context::new(&ring::digest::SHA256);
        let parts = [sensor.to_owned(), interfaces.join(","), started.0.to_string(), std::process::id().to_string()];
        for part in parts {
            h.update(part.as_bytes());
            h.update(&[0]);
        }
        SourceId::Run(h.finish().as_ref().first_chunk().copied().unwrap_or([0; 16]))
    }
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SourceId::Content(h) => write!(f, "sha256:{}", hex(h)),
            SourceId::File(h) => write!(f, "file:{}", hex(h)),
            SourceId::Run(h) => write!(f, "run:{}", hex(h)),
        }
    }
}

/// One source after it was read.
#[derive(Debug)]
pub struct SourceReport {
    /// Path as given, or interfaces.
    pub path: PathBuf,
    /// Path relative to the argument given.
    pub relative: Option<PathBuf>,
    /// Whether it could be opened.
    pub opened: bool,
    /// Its name in records; `None` if it could not be opened.
    pub id: Option<SourceId>,
    /// Size of the file, where it has one.
    pub size: Option<u64>,
    /// Frames delivered.
    pub frames: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Least and greatest timestamp.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Frames of link types that are not decoded.
    pub unsupported: BTreeMap<LinkType, u64>,
    /// Its interfaces.
    pub interfaces: Arc<[Interface]>,
    /// What it says was lost.
    pub statistics: Vec<InterfaceStatistics>,
    /// Why it could not be read, or not to its end.
    pub error: Option<CaptureError>,
}

impl SourceReport {
    pub(super) fn new(path: PathBuf, relative: Option<PathBuf>) -> Self {
        SourceReport {
            path,
            relative,
            opened: false,
            id: None,
            size: None,
            frames: 0,
            wire_bytes: 0,
            span: None,
            unsupported: BTreeMap::new(),
            interfaces: Arc::new([]),
            statistics: Vec::new(),
            error: None,
        }
    }

    /// A live run as it begins, for the names in records.
    pub fn live(interfaces: &[String], id: SourceId) -> Self {
        let name = |i: &String| Interface { name: i.clone(), ..Interface::default() };
        SourceReport {
            id: Some(id),
            interfaces: interfaces.iter().map(name).collect(),
            ..SourceReport::new(PathBuf::from(interfaces.join(",")), None)
        }
    }

    /// The same live run with more interfaces.
    pub fn with_interfaces(&self, interfaces: Arc<[Interface]>) -> Self {
        SourceReport { id: self.id, interfaces, ..SourceReport::new(self.path.clone(), None) }
    }

    /// What was read, without what was wrong with it.
    pub fn without_error(&self) -> Self {
        SourceReport {
            frames: self.frames,
            wire_bytes: self.wire_bytes,
            span: self.span,
            unsupported: self.unsupported.clone(),
            ..self.with_interfaces(Arc::clone(&self.interfaces))
        }
    }

    pub(super) fn tallied(&mut self, tally: Tally) {
        self.frames = tally.frames;
        self.wire_bytes = tally.wire_bytes;
        self.span = tally.least.zip(tally.greatest);
        self.unsupported = tally.unsupported;
    }

    /// Whether frames came, and none of them could be decoded for its link type.
    pub fn is_undecodable(&self) -> bool {
        self.frames > 0 && self.unsupported.values().sum::<u64>() == self.frames
    }
}

/// For each source the earlier one that is the same by its id, if there is one:
/// a capture that was given twice, perhaps compressed otherwise.
pub fn repeated(sources: &[SourceReport]) -> Vec<Option<usize>> {
    let mut first: HashMap<SourceId, usize> = HashMap::new();
    let mut place = |at: usize, id: SourceId| {
        let first = *first.entry(id).or_insert(at);
        (first != at).then_some(first)
    };
    // Captures without a frame are all alike.
    sources.iter().enumerate().map(|(at, s)| s.id.filter(|_| s.frames > 0).and_then(|id| place(at, id))).collect()
}

/// Names of sensor, sources, interfaces and segments for records.
#[derive(Debug)]
pub struct RunNames<'r> {
    /// Sensor.
    pub sensor: &'r str,
    /// Sources by number.
    pub sources: &'r [SourceReport],
    /// Encapsulations.
    pub encaps: &'r EncapTable,
    segments: BTreeMap<u32, String>,
    /// Ids of the sources, written once: they stand in every record, interval
    /// and signal.
    ids: Vec<String>,
}

impl<'r> RunNames<'r> {
    /// Names for the records of a run.
    pub fn new(sensor: &'r str, sources: &'r [SourceReport], encaps: &'r EncapTable) -> Self {
        let all = (0..encaps.len()).map(|i| encaps.get(EncapId(u32::try_from(i).unwrap_or(0))));
        let segments = all.map(|e| (e.segment_id, e.segment.clone())).collect();
        let ids = sources.iter().map(|s| s.id.map(|id| id.to_string()).unwrap_or_default()).collect();
        RunNames { sensor, sources, encaps, segments, ids }
    }

    fn report(&self, source: u32) -> Option<&SourceReport> {
        self.sources.get(source as usize)
    }
}

impl Names for RunNames<'_> {
    fn sensor(&self) -> &str {
        self.sensor
    }

    fn source(&self, source: u32) -> String {
        self.ids.get(source as usize).cloned().unwrap_or_default()
    }

    fn path(&self, source: u32) -> Option<String> {
        let report = self.report(source)?;
        if matches!(report.id, Some(SourceId::Run(_))) {
            return None;
        }
        let shown = match &report.relative {
            Some(relative) => relative.as_path(),
            // Of a file named itself, the argument is the path; what is
            // relative to it is its name.
            None => report.path.file_name().map_or(report.path.as_path(), std::path::Path::new),
        };
        Some(shown.to_string_lossy().into_owned())
    }

    fn file(&self, source: u32, interface: u16) -> Option<String> {
        let known = self.report(source).and_then(|r| r.interfaces.get(usize::from(interface)));
        known.and_then(|i| i.file.as_ref()).map(|f| f.to_string_lossy().into_owned()).or_else(|| self.path(source))
    }

    fn interface(&self, source: u32, interface: u16) -> Option<String> {
        let name = &self.report(source)?.interfaces.get(usize::from(interface))?.name;
        (!name.is_empty()).then(|| name.clone())
    }

    fn segment(&self, segment: u32) -> String {
        self.segments.get(&segment).cloned().unwrap_or_default()
    }

    fn layers(&self, encap: EncapId) -> Vec<String> {
        self.encaps.get(encap).layers.clone()
    }
}
