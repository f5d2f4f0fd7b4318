//! What happens when a part of the pipeline fails, or has no room.

use super::RunNames;
use super::dispatch::Period;
use super::replay::{Failure, Plan, Room, names, run, sightings};
use super::worker::Harvest;
use crate::capture::Item;
use crate::catalogue::Catalogue;
use crate::coverage::Ledger;
use crate::flow::{At, Limits, Notes, Progress, Seen, Sink, Token};
use crate::sighting::select::{Records, Selected};
use crate::sighting::{HomeNets, HostNames, Observer, Settings};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

fn plan(hash: bool, workers: usize) -> Plan {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples/dns-udp.pcap");
    Plan {
        inputs: vec![Item { path, relative: None }],
        workers,
        hash,
        period: Period::default(),
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    }
}

/// Panics at the first message.
struct Bomb;

impl Sink for Bomb {
    fn opened(&mut self, _: &At<'_>, _: &mut Ledger) -> Option<Token> {
        None
    }
    fn present(&mut self, _: &At<'_>, _: &mut Ledger) {}
    fn seen(&mut self, _: &At<'_>, _: &Seen<'_>, _: Notes, _: &mut Option<Token>, _: &mut Ledger) {
        std::panic::resume_unwind(Box::new("a bug")); // without the hook's message
    }
    fn progress(&mut self, _: &At<'_>, _: Token, _: &Progress, _: &mut Ledger) {}
    fn closed(&mut self, _: Token, _: &mut Ledger) {}
}

impl Harvest for Bomb {
    type Yield = ();
    type Rest = ();
    fn harvest<'s>(_: impl Iterator<Item = (usize, &'s mut Self)>) {}
    fn waiting(&self) -> usize {
        0
    }
    fn is_empty((): &()) -> bool {
        true
    }
    fn rest(self) {}
}

/// What ARCHITECTURE.md promises: all tables full at once stay below 256 MiB.
#[test]
fn all_tables_full_take_less_than_is_promised() {
    const MIB: usize = 1 << 20;
    let flows = super::SHARDS * crate::flow::Engine::<Observer>::most_bytes(Limits::default());
    let observed = super::SHARDS * Observer::MOST_BYTES;
    // Half a mebibyte of frames as short as can be decoded: buffer, frames, items.
    let shortest = 16 + 42;
    let each = size_of::<crate::capture::FrameMeta>() + size_of::<super::work::Item>();
    let buffer = crate::capture::OpenOptions::default().buffer;
    let inflated = crate::packet::MAX_INFLATED_TOGETHER;
    let from_file = buffer + buffer / shortest * each + inflated;
    let captured = crate::capture::BATCH_BYTES + crate::capture::BATCH_FRAMES * each + inflated;
    // Only a replay has buffers of files read ahead of their turn.
    let ahead = buffer + buffer / shortest * size_of::<crate::capture::FrameMeta>();
    let ahead = crate::capture::ahead::MOST_AHEAD + crate::capture::ahead::MOST_BESIDE * ahead;
    let live = super::replay::LIVE_BATCHES * from_file.max(captured);
    let batches = live.max(super::replay::BATCHES * from_file + ahead);
    let spool = crate::sighting::spool::MAX_HELD;
    let fragments = crate::packet::MAX_FRAGMENT_BYTES;
    let neighbours = crate::flow::Neighbours::MOST_BYTES;
    println!("in MiB: flows {}, observed {}, batches {}", flows / MIB, observed / MIB, batches / MIB);
    let left =
        (256 * MIB).checked_sub(flows + observed + batches + spool + fragments + neighbours).expect("less than all");
    // Coverage, encapsulations, the program itself.
    assert!(left >= 36 * MIB, "only {left} bytes are left of 256 MiB");
}

#[test]
fn a_dead_worker_is_a_failed_run() {
    for (hash, workers) in [(false, 1), (true, 1), (false, 4), (true, 8)] {
        let result = run(plan(hash, workers), || Bomb, |_, (), _| Ok(()));
        assert!(matches!(result, Err(Failure::Worker)), "{hash} {workers}");
    }
}

/// The digests come when all is read: each must find its source.
#[test]
fn sources_have_the_digests_of_their_own_content() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples");
    let named = |name: &str| Item { path: samples.join(name), relative: None };
    let given = ["dns-udp.pcap", "no-such.pcap", "README.md", "office-day.pcap.zst", "tls12.pcap", "dns-udp.pcap"];
    let files: Arc<[String]> = given.iter().map(|name| format!("{name:?}")).collect();
    let alone = |name: &str| {
        let plan = Plan { inputs: vec![named(name)], ..plan(true, 1) };
        names(plan, &files, |_| Ok(())).unwrap().sources.remove(0)
    };
    for workers in [1, 2] {
        let plan = Plan { inputs: given.iter().map(|n| named(n)).collect(), ..plan(true, workers) };
        let sources = names(plan, &files, |_| Ok(())).unwrap().sources;
        let opened: Vec<bool> = sources.iter().map(|s| s.opened).collect();
        assert_eq!(opened, [true, false, false, true, true, true]);
        for (name, source) in given.iter().zip(&sources) {
            assert_eq!((source.id.is_some(), source.id), (source.opened, alone(name).id), "{name}");
        }
        assert_eq!(super::repeated(&sources), [None, None, None, None, None, Some(0)]);
    }
    let bytes = std::fs::read(samples.join("dns-udp.pcap")).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    assert_eq!(
        alone("dns-udp.pcap").id.unwrap().to_string(),
        format!("sha256:{}", crate::base::digest::hex(digest.as_ref()))
    );
}

#[test]
fn a_failing_writer_ends_the_run_and_says_why() {
    let files: Arc<[String]> = Arc::new(["\"x\"".into()]);
    for workers in [1, 3] {
        let result = names(plan(true, workers), &files, |_| Err(io::Error::from(io::ErrorKind::StorageFull)));
        match result {
            Err(Failure::Writer(e)) => assert_eq!(e.kind(), io::ErrorKind::StorageFull),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rows_come_in_order_of_files_and_frames_for_any_number_of_workers() {
    let flood = flood(20_000); // several reports of one file
    let files: Arc<[String]> = (0..4).map(|n| format!("\"{n}\"")).collect();
    let list = |workers| {
        let mut plan = plan(false, workers);
        let small = plan.inputs.remove(0);
        let large = Item { path: flood.path().to_owned(), relative: None };
        plan.inputs = vec![small.clone(), large.clone(), small, large];
        let (mut all, mut reports) = (Vec::new(), 0);
        names(plan, &files, |rows| {
            all.extend(rows.lines().map(|l| String::from_utf8(l.to_vec()).unwrap()));
            reports += 1;
            Ok(())
        })
        .unwrap();
        (all, reports)
    };
    let (one, reports) = list(1);
    let place = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["file"].as_str().unwrap().to_owned(), line["frame"].as_u64().unwrap())
    };
    assert!(one.len() > 40_000 && one.is_sorted_by_key(place));
    assert!((6..60).contains(&reports), "{reports}: gathered, yet not without bound");
    for workers in [2, 3, 64] {
        assert!(list(workers).0 == one);
    }
}

/// A capture of many batches, 5,000 answers of 65 names each.
fn answers() -> tempfile::NamedTempFile {
    use std::io::Write;
    let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 64, 0, 0, 0, 0];
    for _ in 0..4 {
        message.push(60);
        message.extend([b'a'; 60]);
    }
    message.extend([0, 0, 5, 0, 1]);
    for _ in 0..64 {
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12]);
    }
    let datagram = |n: u16| ([192, 0, 2, 1], 53, [10, 0, (n >> 8) as u8, n as u8], 40_000, message.clone());
    let bytes = capture(&(0..5000).map(datagram).collect::<Vec<_>>());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

/// A reader that waits for a batch once never heard of it.
#[test]
fn a_writer_that_panics_ends_the_run() {
    let file = answers();
    for hash in [false, true] {
        let mut plan = plan(hash, 2);
        plan.inputs = vec![Item { path: file.path().to_owned(), relative: None }];
        let files: Arc<[String]> = Arc::new(["\"x\"".into()]);
        let run = || names(plan, &files, |_| std::panic::resume_unwind(Box::new("a bug")));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    }
}

/// Messages of a kilobyte can show thirty of names: what is gathered of them once
/// took half a gibibyte.
#[test]
fn names_of_few_frames_are_not_gathered_without_end() {
    let file = answers();
    let bytes = file.as_file().metadata().unwrap().len() as usize;
    let batches = bytes / crate::capture::OpenOptions::default().buffer;
    for workers in [1, 3] {
        let mut plan = plan(false, workers);
        plan.inputs = vec![Item { path: file.path().to_owned(), relative: None }];
        let files: Arc<[String]> = Arc::new(["\"x\"".into()]);
        let (mut reports, mut lines) = (0, 0);
        names(plan, &files, |rows| {
            reports += 1;
            lines += rows.lines().count();
            Ok(())
        })
        .unwrap();
        assert_eq!(lines, 5000 * 65);
        assert!(reports + super::replay::BATCHES >= batches, "{reports} reports of {batches} batches");
    }
}

#[test]
fn a_capture_that_is_read_again_shows_every_name_again() {
    // The flows of the first reading must not answer for the second.
    let files: Arc<[String]> = Arc::new(["\"x\"".into(), "\"y\"".into()]);
    let mut plan = plan(false, 2);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples/tls13.pcap");
    plan.inputs = vec![Item { path, relative: None }; 2];
    let mut of = [0, 0];
    names(plan, &files, |rows| {
        for line in rows.lines() {
            of[usize::from(line.starts_with(b"{\"file\":\"y\""))] += 1;
        }
        Ok(())
    })
    .unwrap();
    assert!(of[0] > 5 && of[0] == of[1], "{of:?}");
}

/// Everything that a replay prints, and whether it spilled.
fn printed(room: Room, workers: usize) -> (Vec<Selected>, bool) {
    let catalogue = Arc::new(Catalogue::builtin());
    let settings = Settings {
        catalogue: Arc::clone(&catalogue),
        home: HomeNets::default(),
        canaries: Vec::new(),
        live: false,
        pseudonyms: None,
    };
    let mut plan = plan(true, workers);
    for name in ["office-day.pcap.zst", "vlan.pcap", "update-http.pcap"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name);
        plan.inputs.push(Item { path, relative: None });
    }
    let mut found = sightings(plan, &Arc::new(settings), room).unwrap();
    let names = RunNames::new("s", &found.outcome.sources, &found.outcome.encaps);
    let drafts = found.drafts.drafts().unwrap();
    let hosts = HostNames::new(found.outcome.namings.clone());
    let all = Records::new(drafts, &catalogue, &names, &found.local_askers, &hosts).collect::<Result<_, _>>().unwrap();
    (all, found.drafts.spilled())
}

#[test]
fn neither_workers_nor_spilling_change_a_record() {
    let (whole, spilled) = printed(Room { shard: usize::MAX, spool: usize::MAX }, 1);
    assert!(!spilled && whole.len() > 20, "{}", whole.len());
    for (shard, spool, workers) in [(0, 4000, 1), (3000, 20_000, 3), (0, 0, 64)] {
        let (parts, spilled) = printed(Room { shard, spool }, workers);
        assert!(spilled, "{shard} {spool}");
        for (a, b) in whole.iter().zip(&parts) {
            assert_eq!(a, b);
        }
        assert_eq!(whole.len(), parts.len());
    }
}

/// A capture of `n` clients that each ask once for an update server.
fn flood(n: u32) -> tempfile::NamedTempFile {
    use std::io::Write;
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["dnl-01", "geo", "kaspersky", "com"] {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let udp = [&[0x9c, 0x40, 0, 53][..], &(8 + query.len() as u16).to_be_bytes(), &[0, 0], &query].concat();
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for i in 0..n {
        let [_, b, c, d] = i.wrapping_mul(2_654_435_761).to_be_bytes();
        let length = (20 + udp.len() as u16).to_be_bytes();
        let ip = [0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, 17, 0, 0, 10, b, c, d, 10, 0, 0, 53];
        let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 5, 8, 0][..], &ip, &udp].concat();
        for word in [1_772_359_200 + i / 100, i % 100, frame.len() as u32, frame.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&out).unwrap();
    file
}

#[test]
fn a_flood_of_clients_spills_and_prints_the_same() {
    let file = flood(20_000);
    let bytes = |room: Room, workers: usize| {
        let catalogue = Arc::new(Catalogue::builtin());
        let home = HomeNets::default();
        let settings =
            Settings { catalogue: Arc::clone(&catalogue), home, canaries: Vec::new(), live: false, pseudonyms: None };
        let mut plan = plan(true, workers);
        plan.inputs = vec![Item { path: file.path().to_owned(), relative: None }];
        let mut found = sightings(plan, &Arc::new(settings), room).unwrap();
        let names = RunNames::new("s", &found.outcome.sources, &found.outcome.encaps);
        let drafts = found.drafts.drafts().unwrap();
        let hosts = HostNames::new(found.outcome.namings.clone());
        let mut out = Vec::new();
        for selected in Records::new(drafts, &catalogue, &names, &found.local_askers, &hosts) {
            crate::report::ndjson::write(&mut out, &selected.unwrap().record).unwrap();
        }
        let coverage = found.outcome.ledger.entries().clone();
        (out, coverage, found.drafts.spilled())
    };
    let (whole, coverage, spilled) = bytes(Room { shard: usize::MAX, spool: usize::MAX }, 1);
    assert!(!spilled);
    assert_eq!(whole.iter().filter(|b| **b == b'\n').count(), 20_000);
    for workers in [1, 4] {
        let (parts, other, spilled) = bytes(Room { shard: 20_000, spool: 500_000 }, workers);
        assert!(spilled && parts == whole, "{workers}");
        assert_eq!(other, coverage, "{workers}");
    }
}

/// The answer that names a host can lie in another's shard, as an answer by
/// LLMNR does: a record has the name all the same, for any number of workers.
#[test]
fn a_host_is_named_whichever_shard_heard_its_name() {
    let label = |text: &[u8]| [&[text.len() as u8][..], text].concat();
    let a = |n: u8| [&[0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, n][..]].concat();
    let ask: Vec<u8> = [
        &[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..],
        &[&b"dnl-01"[..], b"geo", b"kaspersky", b"com"].map(label).concat(),
        &[0, 0, 1, 0, 1],
    ]
    .concat();
    let mut frames = Vec::new();
    for n in 1..=40u8 {
        let me = [10, 0, 0, n];
        let name = [&label(format!("pc-{n}").as_bytes())[..], &[0]].concat();
        let llmnr = [&[0, 9, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0][..], &name, &[0, 1, 0, 1], &name, &a(n)].concat();
        frames.push((me, 40_000, [10, 0, 0, 53], 53, ask.clone()));
        frames.push((me, 5355, [10, 0, 0, 200 - n], 50_000, llmnr));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    io::Write::write_all(&mut file, &capture(&frames)).unwrap();
    let mut all = Vec::new();
    for workers in [1, 2, 4, 8] {
        let catalogue = Arc::new(Catalogue::builtin());
        let home = HomeNets::default();
        let settings =
            Settings { catalogue: Arc::clone(&catalogue), home, canaries: Vec::new(), live: false, pseudonyms: None };
        let mut plan = plan(true, workers);
        plan.inputs = vec![Item { path: file.path().to_owned(), relative: None }];
        let mut found = sightings(plan, &Arc::new(settings), Room::default()).unwrap();
        let names = RunNames::new("s", &found.outcome.sources, &found.outcome.encaps);
        let hosts = HostNames::new(found.outcome.namings.clone());
        let drafts = found.drafts.drafts().unwrap();
        let records = Records::new(drafts, &catalogue, &names, &found.local_askers, &hosts);
        let records: Vec<_> = records.map(|s| s.unwrap().record).collect();
        assert_eq!(records.len(), 40);
        for r in &records {
            let last = r.host.ip.as_v4().unwrap()[3];
            assert_eq!(r.host.name, Some(format!("pc-{last}")));
        }
        all.push(records);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Source, its port, destination, its port, payload.
type Datagram = ([u8; 4], u16, [u8; 4], u16, Vec<u8>);

/// A capture of datagrams.
fn capture(frames: &[Datagram]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for (src, sport, dst, dport, payload) in frames {
        let udp_len = (8 + payload.len() as u16).to_be_bytes();
        let udp = [&sport.to_be_bytes()[..], &dport.to_be_bytes(), &udp_len, &[0, 0], payload].concat();
        let length = (20 + udp.len() as u16).to_be_bytes();
        let head = [0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
        let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 5, 8, 0][..], &head, src, dst, &udp].concat();
        for word in [1_772_359_200, 0, frame.len() as u32, frame.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    out
}
