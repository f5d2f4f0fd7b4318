#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::testing::Bytes;
use super::*;
use std::fs;
use std::io::Write;

fn capture(secs: u32, frames: u32) -> Vec<u8> {
    let mut b = Bytes::pcap(false, 0xa1b2_c3d4, 1);
    for n in 0..frames {
        b.record(secs + n, 0, 5, secs as u8);
    }
    b.bytes
}

fn append(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What came: file, number in it, second; and what was wrong.
#[derive(Default)]
struct Got {
    frames: Vec<(String, u64, i64)>,
    errors: Vec<String>,
}

impl Got {
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = self.frames.iter().map(|f| f.0.clone()).collect();
        files.dedup();
        files
    }
}

/// Reads until nothing comes for a while, or the end.
fn take(source: &mut FollowSource, got: &mut Got) -> Status {
    let mut batch = Batch::default();
    loop {
        match source.next_batch(&mut batch) {
            Ok(Status::Frames) => {
                for (n, frame) in (batch.first_number..).zip(&batch.frames) {
                    let interface = &batch.interfaces[usize::from(frame.interface)];
                    let file = interface.file.as_ref().unwrap().display().to_string();
                    assert_eq!(batch.bytes(frame).len(), 5);
                    got.frames.push((file, n, frame.ts.secs()));
                }
            }
            Ok(status) => return status,
            Err(e) => got.errors.push(e.to_string()),
        }
    }
}

/// Reads until so many frames have come.
fn await_frames(source: &mut FollowSource, got: &mut Got, n: usize) {
    for _ in 0..100 {
        if got.frames.len() >= n {
            return;
        }
        assert_eq!(take(source, got), Status::Idle);
    }
    panic!("{} frames instead of {n}; {:?}", got.frames.len(), got.errors);
}

fn stop(mut source: FollowSource, got: &mut Got) {
    source.control().request_stop();
    assert_eq!(take(&mut source, got), Status::End);
    assert_eq!(take(&mut source, got), Status::End);
}

#[test]
fn a_file_that_grows_by_any_number_of_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.pcap");
    for step in [17, 1000] {
        fs::write(&path, b"").unwrap();
        let mut source = follow(&path).unwrap();
        let mut got = Got::default();
        assert!(!source.has_begun());
        let bytes = capture(1, 10);
        for part in bytes.chunks(step) {
            append(&path, part);
            assert_eq!(take(&mut source, &mut got), Status::Idle);
        }
        await_frames(&mut source, &mut got, 10);
        // Half a record is no damage.
        append(&path, &capture(50, 1)[24..40]);
        assert_eq!(take(&mut source, &mut got), Status::Idle);
        stop(source, &mut got);
        let want: Vec<_> = (1..=10).map(|n| ("g.pcap".to_owned(), n, n as i64)).collect();
        assert_eq!((got.frames, got.errors), (want, vec![]), "{step}");
    }
}

#[test]
fn pcapng_grows_too_with_interfaces_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.pcapng");
    let mut b = Bytes::new(true);
    b.section().interface(1, 0, &[(2, b"one")]).packet(0, 0, b"first");
    let cut = b.bytes.len() - 6;
    b.interface(101, 0, &[]).packet(1, 0, b"other").packet(0, 0, b"first");
    fs::write(&path, &b.bytes[..cut]).unwrap();
    let mut source = follow(&path).unwrap();
    let mut got = Got::default();
    assert_eq!(take(&mut source, &mut got), Status::Idle);
    append(&path, &b.bytes[cut..]);
    await_frames(&mut source, &mut got, 3);
    let links: Vec<u16> = source.interfaces().iter().map(|i| i.link.0).collect();
    assert_eq!((links, source.interfaces()[0].name.as_str()), (vec![1, 101], "one"));
    stop(source, &mut got);
    assert!(got.errors.is_empty());
}

/// A single file of which five frames were read.
fn five_read(path: &Path) -> (FollowSource, Got) {
    fs::write(path, capture(1, 5)).unwrap();
    let mut source = follow(path).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, 5);
    (source, got)
}

#[test]
fn a_file_that_is_replaced_or_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.pcap");
    let (mut source, mut got) = five_read(&path);
    fs::write(&path, capture(100, 2)).unwrap();
    await_frames(&mut source, &mut got, 7);
    // Renamed, with something added, and another in its place.
    fs::rename(&path, dir.path().join("old")).unwrap();
    append(&dir.path().join("old"), &capture(110, 1)[24..]);
    fs::write(&path, capture(200, 3)).unwrap();
    await_frames(&mut source, &mut got, 11);
    fs::remove_file(&path).unwrap();
    assert_eq!(take(&mut source, &mut got), Status::Idle);
    stop(source, &mut got);
    let seconds: Vec<i64> = got.frames.iter().map(|f| f.2).collect();
    assert_eq!(seconds, [1, 2, 3, 4, 5, 100, 101, 110, 200, 201, 202]);
    assert!(got.errors.is_empty(), "{:?}", got.errors);
}

#[test]
fn damage_is_said_once_and_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    for folder in [false, true] {
        let path = dir.path().join("g.pcap");
        fs::write(&path, [&capture(1, 2)[..], &[0xff; 40]].concat()).unwrap();
        let mut source = follow(if folder { dir.path() } else { &path }).unwrap();
        let mut got = Got::default();
        await_frames(&mut source, &mut got, 2);
        for _ in 0..15 {
            append(&path, &capture(5, 1)[24..]);
            take(&mut source, &mut got);
        }
        stop(source, &mut got);
        assert_eq!((got.frames.len(), got.errors.len()), (2, 1), "{:?}", got.errors);
        assert!(got.errors[0].starts_with("g.pcap: damaged at byte"), "{:?}", got.errors);
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    assert!(matches!(follow(&path).err(), Some(CaptureError::NotFound)));
    fs::write(&path, "this is a text that is long enough").unwrap();
    assert!(matches!(follow(&path).err(), Some(CaptureError::NotACapture { .. })));
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(&capture(1, 50)).unwrap();
    let packed = e.finish().unwrap();
    for len in [30, packed.len()] {
        fs::write(&path, &packed[..len]).unwrap();
        assert!(matches!(follow(&path).err(), Some(CaptureError::CompressedGrows)));
    }
}

#[test]
fn a_folder_with_files_that_are_there_and_that_come() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("z.pcap"), capture(1, 3)).unwrap();
    fs::write(at("b.pcap"), capture(10, 2)).unwrap();
    // The same second: by name.
    fs::write(at("a.pcap"), capture(10, 2)).unwrap();
    fs::write(at("notes"), "no capture, but long enough to be looked at").unwrap();
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, 7);
    assert_eq!(got.files(), ["z.pcap", "a.pcap", "b.pcap"]);
    // Two grow side by side, one begins with a header only.
    fs::write(at("c.pcap"), capture(20, 0)).unwrap();
    append(&at("b.pcap"), &capture(21, 1)[24..]);
    await_frames(&mut source, &mut got, 8);
    append(&at("c.pcap"), &capture(22, 1)[24..]);
    append(&at("a.pcap"), &capture(23, 1)[24..]);
    await_frames(&mut source, &mut got, 10);
    // A new name, or a compressed form, is no new capture.
    fs::rename(at("z.pcap"), at("y.pcap")).unwrap();
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(&fs::read(at("b.pcap")).unwrap()).unwrap();
    fs::write(at("b.pcap.gz"), e.finish().unwrap()).unwrap();
    fs::remove_file(at("b.pcap")).unwrap();
    // One that nothing was seen of before is read when it is complete.
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(&capture(40, 2)).unwrap();
    fs::write(at("d.pcap.gz"), e.finish().unwrap()).unwrap();
    await_frames(&mut source, &mut got, 12);
    // What comes just before the end is not lost.
    fs::write(at("e.pcap"), capture(50, 2)).unwrap();
    stop(source, &mut got);
    // Which of two that grow at the same time is first is chance.
    let mut tail: Vec<i64> = got.frames[7..].iter().map(|f| f.2).collect();
    tail.sort_unstable();
    assert_eq!(tail, [21, 22, 23, 40, 41, 50, 51], "{:?}", got.frames);
    assert!(got.errors.is_empty(), "{:?}", got.errors);
}

/// As `tcpdump -G` makes them; more than may be open at once, deleted while
/// they are read.
#[test]
fn rotation_with_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    let count = MAX_OPEN as u32 + 8;
    for n in 0..count {
        let path = dir.path().join(format!("c-{n}.pcap"));
        fs::write(&path, capture(100 * n, 3)).unwrap();
        source.searched = None;
        await_frames(&mut source, &mut got, 3 * (n as usize + 1));
        assert!(source.tails.len() <= MAX_OPEN + 1);
        if n % 3 == 0 {
            fs::remove_file(&path).unwrap();
        }
    }
    stop(source, &mut got);
    assert_eq!((got.frames.len(), got.errors.len()), (3 * count as usize, 0), "{:?}", got.errors);
    let mut once = got.frames.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), got.frames.len());
}

#[test]
fn a_file_that_goes_on_after_many_others_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..=MAX_OPEN as u32 {
        fs::write(dir.path().join(format!("{n:03}")), capture(100 * n, 1)).unwrap();
    }
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, MAX_OPEN + 1);
    take(&mut source, &mut got);
    append(&dir.path().join("000"), &capture(9000, 1)[24..]);
    stop(source, &mut got);
    assert_eq!((got.frames.len(), got.errors.len()), (MAX_OPEN + 1, 1));
    assert!(got.errors[0].starts_with("000: it grew after"), "{:?}", got.errors);
}

#[test]
fn a_pipe_ends_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, &capture(1, 4)[..90]).unwrap()
    });
    let mut source = follow(&path).unwrap();
    let mut got = Got::default();
    while take(&mut source, &mut got) != Status::End {}
    writer.join().unwrap();
    assert_eq!((got.frames.len(), got.errors.len()), (3, 1));
    assert!(got.errors[0].contains("cut off"), "{:?}", got.errors);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

#[test]
fn what_was_compressed_before_the_start_is_read_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap.gz"), packed(&capture(1, 2))).unwrap();
    fs::write(dir.path().join("b.pcap"), capture(100, 2)).unwrap();
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, 4);
    assert_eq!(got.files(), ["a.pcap.gz", "b.pcap"]);
    stop(source, &mut got);
    assert!(got.errors.is_empty(), "{:?}", got.errors);
}

#[test]
fn a_file_written_anew_is_read_whatever_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.pcap");
    let (mut source, mut got) = five_read(&path);
    // Larger than before, and then of the same size.
    fs::write(&path, capture(100, 9)).unwrap();
    await_frames(&mut source, &mut got, 14);
    fs::write(&path, capture(200, 9)).unwrap();
    await_frames(&mut source, &mut got, 23);
    assert!(got.errors.is_empty(), "{:?}", got.errors);
    // Also once it was damaged, and larger than what was damaged.
    fs::write(&path, [&capture(210, 2)[..], &[0xff; 40]].concat()).unwrap();
    await_frames(&mut source, &mut got, 25);
    take(&mut source, &mut got);
    assert_eq!(got.errors.len(), 1, "{:?}", got.errors);
    fs::write(&path, capture(220, 30)).unwrap();
    await_frames(&mut source, &mut got, 55);
    stop(source, &mut got);
    assert_eq!(got.errors.len(), 1, "{:?}", got.errors);
}

#[test]
fn a_stop_waits_for_nothing_and_tells_what_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("a.pcap"), [&capture(1, 1)[..], &capture(2, 1)[24..40]].concat()).unwrap();
    fs::write(at("text.pcap"), "this is a text that is long enough").unwrap();
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, 1);
    take(&mut source, &mut got);
    let control = source.control();
    assert_eq!(control.followed(), Followed { skipped: 1, partial: 1 });
    fs::write(at("b.pcap.gz"), packed(&capture(50, 2))).unwrap();
    fs::write(at("empty.pcap"), "").unwrap();
    stop(source, &mut got);
    assert_eq!((got.frames.len(), control.followed()), (3, Followed { skipped: 2, partial: 1 }));
    assert!(got.errors.is_empty(), "{:?}", got.errors);
}

#[test]
fn a_folder_that_is_gone_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("captures");
    fs::create_dir(&folder).unwrap();
    let mut source = follow(&folder).unwrap();
    let mut got = Got::default();
    for (n, errors) in [(1, 1), (2, 2)] {
        fs::write(folder.join(format!("{n}.pcap")), capture(n, 1)).unwrap();
        source.searched = None;
        await_frames(&mut source, &mut got, n as usize);
        fs::remove_dir_all(&folder).unwrap();
        for _ in 0..3 {
            source.searched = None;
            take(&mut source, &mut got);
        }
        assert_eq!(got.errors.len(), errors, "{:?}", got.errors);
        fs::create_dir(&folder).unwrap();
        source.searched = None;
        take(&mut source, &mut got);
    }
    assert!(got.errors[0].contains("captures: no such file or folder"), "{:?}", got.errors);
    stop(source, &mut got);
}

#[test]
fn what_is_wrong_with_a_file_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = follow(dir.path()).unwrap();
    for _ in 0..3 {
        source.complain("a".into(), CaptureError::PermissionDenied);
        source.complain("b".into(), CaptureError::PermissionDenied);
    }
    source.complain("a".into(), CaptureError::NotFound);
    assert_eq!(source.failures.len(), 3);
}

#[test]
fn a_file_that_is_renamed_and_then_compressed_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("cap.pcap"), capture(1, 2)).unwrap();
    let mut source = follow(dir.path()).unwrap();
    let mut got = Got::default();
    await_frames(&mut source, &mut got, 2);
    // As `logrotate` does it.
    fs::rename(at("cap.pcap"), at("cap.pcap.1")).unwrap();
    source.searched = None;
    take(&mut source, &mut got);
    fs::write(at("cap.pcap.1.gz"), packed(&capture(1, 2))).unwrap();
    fs::remove_file(at("cap.pcap.1")).unwrap();
    stop(source, &mut got);
    assert_eq!((got.frames.len(), got.errors.len()), (2, 0), "{:?}", got.frames);
}
