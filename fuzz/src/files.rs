//! Capture files, and the whole pipeline over them.

use super::probe::cut;
use spansight::capture::{Batch, FrameSource, Item, OpenOptions, Status, follow, open};
use spansight::catalogue::Catalogue;
use spansight::coverage::Counter;
use spansight::flow::Limits;
use spansight::pipeline::{Outcome, Plan, Room, RunNames, Sighted, names, sightings};
use spansight::report::ndjson;
use spansight::sighting::select::Records;
use spansight::sighting::{HomeNets, HostNames, Settings};
use std::cell::OnceCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Frames a fuzzer's file may hold at most: a byte makes no more than one.
fn drain(mut source: Box<dyn FrameSource>, most: usize) {
    let mut batch = Batch::default();
    let mut frames = 0;
    let mut idle = 0;
    loop {
        match source.next_batch(&mut batch) {
            Ok(Status::End) => break,
            Ok(_) => idle += usize::from(batch.frames.is_empty()),
            Err(_) => idle += 1,
        }
        for frame in &batch.frames {
            assert_eq!(batch.bytes(frame).len(), frame.caplen as usize, "a frame lies in its batch");
            assert!(usize::from(frame.interface) < batch.interfaces.len(), "a frame's interface is known");
        }
        frames += batch.frames.len();
        assert!(frames <= most && idle <= most + 64, "reading comes to an end");
    }
    let _ = source.statistics();
}

/// A file with this content, gone when the program ends.
fn file(data: &[u8]) -> PathBuf {
    with_file(|mut handle| {
        handle.set_len(0).expect("room in the temporary file");
        std::io::Seek::rewind(&mut handle).expect("a seekable file");
        handle.write_all(data).expect("room in the temporary file");
    })
}

/// Does something with the file, and says where it is.
fn with_file(act: impl FnOnce(&std::fs::File)) -> PathBuf {
    thread_local!(static FILE: OnceCell<tempfile::NamedTempFile> = const { OnceCell::new() });
    FILE.with(|cell| {
        let file = cell.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let made =
                if memory.is_dir() { tempfile::NamedTempFile::new_in(memory) } else { tempfile::NamedTempFile::new() };
            made.expect("a temporary file")
        });
        act(file.as_file());
        file.path().to_owned()
    })
}

fn read(data: &[u8], most: usize) {
    for drain_after_damage in [false, true] {
        let options = OpenOptions { buffer: 4 << 10, drain_after_damage };
        if let Ok(source) = open(&file(data), &options) {
            drain(source, most);
        }
    }
}

/// A classic capture file.
pub fn pcap(data: &[u8]) {
    let mut whole = vec![0xd4, 0xc3, 0xb2, 0xa1];
    whole.extend_from_slice(data);
    read(&whole, data.len() + 8);
}

/// A pcapng file.
pub fn pcapng(data: &[u8]) {
    let mut whole = vec![0x0a, 0x0d, 0x0d, 0x0a];
    whole.extend_from_slice(data);
    read(&whole, data.len() + 8);
}

/// Any file; compressed ones may grow.
pub fn compressed(data: &[u8]) {
    read(data, data.len().saturating_mul(1 << 16) + 8);
}

/// A file that grows while it is followed: of a sound one the same frames are
/// read as at once.
pub fn growing(data: &[u8]) {
    let Ok(source) = open(&file(data), &OpenOptions::default()) else { return };
    let whole = frames(source);
    let (part, rest) = data.split_at(cut(data));
    let known = open(&file(part), &OpenOptions::default()).map_or(0, |source| frames(source).0.len());
    let Ok(source) = follow(&file(part)) else { return };
    let control = source.control();
    let mut source: Box<dyn FrameSource> = Box::new(source);
    // Where nothing is left it sleeps; so it is not asked once too often.
    let mut read = Vec::new();
    let mut sound = true;
    while read.len() < known && sound {
        sound = some_frames(source.as_mut(), &mut read).is_ok();
    }
    with_file(|mut handle| handle.write_all(rest).expect("room in the temporary file"));
    control.request_stop();
    let (later, end) = frames(source);
    read.extend(later);
    if whole.1 && sound && end {
        assert_eq!(read, whole.0, "a file that grows holds what it holds at last");
    }
}

/// Frames of a source up to its end, and whether nothing was wrong with it.
fn frames(mut source: Box<dyn FrameSource>) -> (Vec<Vec<u8>>, bool) {
    let (mut out, mut sound) = (Vec::new(), true);
    loop {
        match some_frames(source.as_mut(), &mut out) {
            Ok(Status::End) => break,
            Ok(_) => {}
            Err(()) => sound = false,
        }
    }
    (out, sound)
}

fn some_frames(source: &mut dyn FrameSource, out: &mut Vec<Vec<u8>>) -> Result<Status, ()> {
    let mut batch = Batch::default();
    let status = source.next_batch(&mut batch).map_err(|_| ());
    out.extend(batch.frames.iter().map(|f| batch.bytes(f).to_vec()));
    status
}

/// A replay of any file and a listing of its names, to the lines that are
/// printed. For one input in eight with two workers as well: the lines are the
/// same.
pub fn pipeline(data: &[u8]) {
    let path = file(data);
    let one = replay(&path, 1);
    if cut(data).is_multiple_of(8) {
        let two = replay(&path, 2);
        assert_eq!(one, two, "two workers tell the same as one");
    }
}

fn replay(path: &Path, workers: usize) -> (Vec<u8>, Vec<String>) {
    thread_local!(static SETTINGS: OnceCell<Arc<Settings>> = const { OnceCell::new() });
    let settings = SETTINGS.with(|cell| {
        let make = || {
            let catalogue = Arc::new(Catalogue::builtin());
            Arc::new(Settings {
                catalogue,
                home: HomeNets::default(),
                canaries: Vec::new(),
                live: false,
                pseudonyms: None,
            })
        };
        Arc::clone(cell.get_or_init(make))
    });
    let plan = || Plan {
        inputs: vec![Item { path: path.to_owned(), relative: None }],
        workers,
        hash: false,
        period: Default::default(),
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    };
    let mut found = sightings(plan(), &settings, Room::default()).expect("a run does not fail for what is in a file");
    balances(&mut found.outcome);
    let records = records(found, &settings.catalogue);
    let files: Arc<[String]> = Arc::new(["\"fuzz\"".into()]);
    let mut lines = Vec::new();
    let mut outcome = names(plan(), &files, |rows| {
        for line in rows.lines() {
            let (end, text) = line.split_last().expect("a line has an end");
            assert!(*end == b'\n' && text.iter().all(|b| (b' '..0x7f).contains(b)), "lines are printable ASCII");
            lines.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(())
    })
    .expect("a run does not fail for what is in a file");
    balances(&mut outcome);
    (records, lines)
}

/// The bytes of each frame are in exactly one counter.
fn balances(outcome: &mut Outcome) {
    let counts = outcome.ledger.total();
    let kinds = Counter::ALL.iter().filter(|c| c.as_str().starts_with("bytes_"));
    assert_eq!(
        kinds.map(|c| counts.get(*c)).sum::<u64>(),
        counts.get(Counter::WireBytes),
        "every byte is accounted for"
    );
}

/// The records as they are printed.
fn records(mut found: Sighted, catalogue: &Catalogue) -> Vec<u8> {
    let Sighted { outcome, drafts, local_askers } = &mut found;
    let names = RunNames::new("fuzz", &outcome.sources, &outcome.encaps);
    let hosts = HostNames::new(outcome.namings.iter().cloned());
    let drafts = drafts.drafts().expect("few drafts stay in memory");
    let mut out = Vec::new();
    for selected in Records::new(drafts, catalogue, &names, local_askers, &hosts) {
        ndjson::write(&mut out, &selected.expect("few drafts stay in memory").record).expect("room in memory");
    }
    let text = std::str::from_utf8(&out).expect("lines are text");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "nothing in a line moves the cursor");
    out
}
