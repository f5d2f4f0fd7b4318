//! Capture files, and the whole pipeline over them.

use spansight::capture::{Batch, FrameSource, Item, OpenOptions, Status, open};
use spansight::catalogue::Catalogue;
use spansight::flow::Limits;
use spansight::pipeline::{Plan, Room, names, sightings};
use spansight::sighting::{HomeNets, Settings};
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
    thread_local!(static FILE: OnceCell<tempfile::NamedTempFile> = const { OnceCell::new() });
    FILE.with(|cell| {
        let file = cell.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::NamedTempFile::new_in(memory) } else { tempfile::NamedTempFile::new() };
            made.expect("a temporary file")
        });
        let mut handle = file.as_file();
        handle.set_len(0).expect("room in the temporary file");
        std::io::Seek::rewind(&mut handle).expect("a seekable file");
        handle.write_all(data).expect("room in the temporary file");
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

/// A replay and a listing of names of any file.
pub fn pipeline(data: &[u8]) {
    thread_local!(static SETTINGS: OnceCell<Arc<Settings>> = const { OnceCell::new() });
    let settings = SETTINGS.with(|cell| {
        let make = || {
            let catalogue = Arc::new(Catalogue::builtin());
            Arc::new(Settings { catalogue, home: HomeNets::default(), canaries: Vec::new(), live: false })
        };
        Arc::clone(cell.get_or_init(make))
    });
    let plan = || Plan {
        inputs: vec![Item { path: file(data), relative: None }],
        workers: 1,
        hash: false,
        period: Default::default(),
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    };
    sightings(plan(), &settings, Room::default()).expect("a run does not fail for what is in a file");
    let files: Arc<[String]> = Arc::new(["\"fuzz\"".into()]);
    names(plan(), &files, |rows| {
        assert!(rows.iter().all(|r| !r.line.bytes().any(|b| !(b' '..0x7f).contains(&b))), "lines are printable ASCII");
        Ok(())
    })
    .expect("a run does not fail for what is in a file");
}
