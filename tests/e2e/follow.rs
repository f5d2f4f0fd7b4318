//! `replay --follow`: captures that grow while they are read.

use crate::support::program::{Ran, program, run, run_with_input};
use crate::support::samples;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Starts to follow a path, records into `out`.
fn follow(path: &Path, out: &Path, more: &[&str]) -> Child {
    let mut command = program(&["replay", "--follow", "--format", "ndjson", "--sensor", "s"]);
    command.args(more).arg(path).stdout(File::create(out).unwrap()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn await_lines(out: &Path, words: &str) {
    let began = Instant::now();
    while !fs::read_to_string(out).unwrap().contains(words) {
        assert!(began.elapsed() < Duration::from_secs(60), "{words} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a run in order.
fn stop(child: Child, out: &Path) -> Ran {
    stop_by("-TERM", child, out)
}

fn stop_by(signal: &str, child: Child, out: &Path) -> Ran {
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut ran = Ran::of(child.wait_with_output().unwrap());
    ran.out = fs::read_to_string(out).unwrap();
    ran
}

/// Of each id the highest revision, without what is another for a run.
fn last(records: Vec<Value>) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for mut record in records {
        let fields = record.as_object_mut().unwrap();
        fields.remove("source");
        let revision = fields.remove("revision").unwrap();
        assert!(revision.as_u64().is_some());
        all.insert(record["id"].as_str().unwrap().to_owned(), record);
    }
    all
}

fn replayed(path: &Path) -> BTreeMap<String, Value> {
    last(run(&["replay", "--format", "ndjson", "--sensor", "s", "-q", path.to_str().unwrap()]).json())
}

#[test]
fn a_growing_file_ends_with_the_records_of_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("g.pcap"), dir.path().join("out"));
    let whole = fs::read(samples().join("update-http.pcap")).unwrap();
    // A record that is cut, and the rest of it later.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let stats = dir.path().join("stats");
    let child = follow(&path, &out, &["--stats", stats.to_str().unwrap()]);
    await_lines(&out, "update-p-hosts");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&whole[whole.len() / 2..]).unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&whole[24..50]).unwrap();
    let ran = stop(child, &out);
    let greeting = format!("following {}; stop with Ctrl-C or SIGTERM", path.display());
    assert!(ran.code == 0 && ran.said()[0] == greeting, "{ran:?}");
    assert!(ran.said()[1].contains(" is new: updating. ") && ran.said().len() == 2, "{ran:?}");
    assert!(ran.err.contains("Read 1 file: 144 frames"), "{}", ran.err);
    let stats: Value = serde_json::from_slice(&fs::read(stats).unwrap()).unwrap();
    assert_eq!(stats["coverage"]["totals"]["frames"], 144);
    fs::write(&path, &whole).unwrap();
    assert_eq!(last(ran.json()), replayed(&path));
}

#[test]
fn a_folder_into_which_captures_are_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("captures"), dir.path().join("out"));
    fs::create_dir(&folder).unwrap();
    let whole = fs::read(samples().join("update-http.pcap")).unwrap();
    let half = 24 + records(&whole[24..]).take_while(|at| *at < whole.len() / 2).last().unwrap();
    let child = follow(&folder, &out, &["--store", dir.path().join("s.db").to_str().unwrap()]);
    fs::write(folder.join("c-1.pcap"), &whole[..half]).unwrap();
    await_lines(&out, "update-p-hosts");
    fs::write(folder.join("c-2.pcap"), [&whole[..24], &whole[half..]].concat()).unwrap();
    fs::remove_file(folder.join("c-1.pcap")).unwrap();
    let ran = stop(child, &out);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("Read 2 files: 144 frames"), "{}", ran.err);
    let found = last(ran.json());
    fs::write(folder.join("c-1.pcap"), &whole).unwrap();
    let want = replayed(&folder.join("c-1.pcap"));
    assert_eq!(found.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    let mut files = std::collections::BTreeSet::new();
    for (id, record) in &found {
        for field in ["stage", "count", "names", "bytes_from_server", "first_seen", "last_seen"] {
            assert_eq!(record[field], want[id][field], "{field}");
        }
        files.extend(record["evidence"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()));
    }
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["c-1.pcap", "c-2.pcap"]);
}

/// Where the records of a classic capture begin.
fn records(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let length = bytes.get(at + 8..at + 12)?;
        let here = at;
        at += 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        Some(here)
    })
}

#[test]
fn what_cannot_be_followed_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pcap");
    let name = path.to_str().unwrap();
    run(&["replay", "--follow", name]).said_once(3, &[name, "no such file"]);
    run(&["replay", "--follow", name, name]).said_once(2, &["one file or folder"]);
    let packed = samples().join("office-day.pcap.zst");
    run(&["replay", "--follow", packed.to_str().unwrap()]).said_once(2, &["compressed"]);
    fs::write(&path, "").unwrap();
    let none = dir.path().join("none/stats");
    run(&["replay", "--follow", "--stats", none.to_str().unwrap(), name]).said_once(3, &["cannot write", "none/stats"]);
    let out = dir.path().join("out");
    let child = follow(&path, &out, &["-q"]);
    std::thread::sleep(Duration::from_millis(500));
    stop(child, &out).said_once(3, &["no packet came"]);
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let bytes = fs::read(samples().join("update-http.pcap")).unwrap();
    let ran = run_with_input(&["replay", "--follow", "-q", "--format", "ndjson", "-"], &bytes);
    assert_eq!((ran.code, ran.json().is_empty()), (0, false), "{ran:?}");
}

#[test]
fn the_same_signal_twice_is_one_wish() {
    // `timeout` sends it to the process and to its group.
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("g.pcap"), dir.path().join("out"));
    fs::copy(samples().join("update-http.pcap"), &path).unwrap();
    for _ in 0..5 {
        let child = follow(&path, &out, &[]);
        await_lines(&out, "update-p-hosts");
        let pid = child.id().to_string();
        let again =
            std::process::Command::new("sh").args(["-c", &format!("kill -INT {pid}; kill -INT {pid}")]).status();
        assert!(again.is_ok());
        let mut ran = Ran::of(child.wait_with_output().unwrap());
        ran.out = fs::read_to_string(&out).unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(last(ran.json()), replayed(&path));
        fs::remove_file(&out).unwrap();
    }
}

/// Records in a store.
fn stored(store: &Path) -> usize {
    run(&["export", "--store", store.to_str().unwrap()]).json().len()
}

#[test]
fn a_terminal_that_closes_ends_the_run_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out, store) = (dir.path().join("g.pcap"), dir.path().join("out"), dir.path().join("s.db"));
    fs::copy(samples().join("update-http.pcap"), &path).unwrap();
    let args = ["--store", store.to_str().unwrap()];
    let child = follow(&path, &out, &args);
    await_lines(&out, "update-p-hosts");
    let ran = stop_by("-HUP", child, &out);
    assert_eq!((ran.code, stored(&store)), (0, ran.json().len()), "{ran:?}");
    // Under nohup it is no reason to end.
    let mut command = std::process::Command::new("nohup");
    command.arg(program::<&str>(&[]).get_program()).args(["replay", "--follow", "--format", "ndjson"]).arg(&path);
    let other = dir.path().join("other");
    let mut child = command.stdout(File::create(&other).unwrap()).stderr(Stdio::piped()).spawn().unwrap();
    await_lines(&other, "update-p-hosts");
    let hung_up = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(hung_up.success());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(stop(child, &other).code, 0);
}

#[test]
fn a_store_that_is_taken_away_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out, store) = (dir.path().join("g.pcap"), dir.path().join("out"), dir.path().join("s.db"));
    fs::copy(samples().join("update-http.pcap"), &path).unwrap();
    let child = follow(&path, &out, &["--store", store.to_str().unwrap()]);
    await_lines(&out, "update-p-hosts");
    fs::rename(&store, dir.path().join("aside")).unwrap();
    let ran = stop(child, &out);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("was removed, renamed or replaced before "), "{}", ran.err);
    assert_eq!(stored(&store), replayed(&path).len());
    run(&["export", "--store", dir.path().join("aside").to_str().unwrap()]).json();
}

#[test]
fn changes_of_hosts_are_said_as_by_a_sensor() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let capture = samples().join("update-http.pcap");
    let host = replayed(&capture).into_values().next().unwrap()["host"]["ip"].as_str().unwrap().to_owned();
    fs::write(path("i.csv"), format!("address,name,owner\n{host},Reception,j.doe\n")).unwrap();
    let accept = "[[accept]]\nhost='Reception'\nverdict='active'\nreason='r'\nowner='lab'\nexpires=2100-01-01\n";
    fs::write(path("a.toml"), accept).unwrap();
    let (events, store) = (path("events"), path("s.db"));
    let files = ["--inventory", &path("i.csv"), "--accept", &path("a.toml"), "--events", &events, "--store", &store];
    let bytes = fs::read(&capture).unwrap();
    let follow = |more: &[&str]| {
        run_with_input(&[&["replay", "--follow", "-q", "--format", "ndjson", "-"], &files[..], more].concat(), &bytes)
    };
    let ran = follow(&[]);
    assert!(ran.code == 0 && ran.said().len() == 1, "{ran:?}");
    let said = format!("{host} (Reception, owner j.doe) is new: updating. ");
    assert!(
        ran.err.contains(&said) && ran.err.contains("Accepted as active until 2100-01-01; r (lab)."),
        "{}",
        ran.err
    );
    let line: Value = serde_json::from_str(&fs::read_to_string(&events).unwrap()).unwrap();
    assert_eq!((&line["schema"], &line["kind"]), (&"spansight.event/1".into(), &"new".into()));
    assert_eq!((&line["accepted"]["owner"], &line["host"]["owner"]), (&"lab".into(), &"j.doe".into()));
    // It is known now, and the exception ends with the window.
    assert!(follow(&[]).said().is_empty());
    let ended = follow(&["--until", "2101-01-01"]);
    assert!(ended.err.contains(" is to be looked at again: updating. "), "{ended:?}");
    run(&["replay", "--events", &events, capture.to_str().unwrap()]).said_once(2, &["--events", "--follow"]);
    run(&["replay", "--follow", "--events", &path("i.csv"), "--inventory", &path("i.csv"), "x"])
        .said_once(2, &["--events", "would overwrite"]);
}

#[test]
fn a_reader_that_takes_nothing_stops_neither_the_store_nor_the_end() {
    // Both outputs in a pager that is not read further.
    assert_eq!(unread(true).code, 3);
    let ran = unread(false);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("nobody read the output to its end; the store has all"), "{}", ran.err);
}

/// A run whose output nobody takes; its standard error, unless that is in the
/// same pipe.
fn unread(both: bool) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, store) = (dir.path().join("pipe"), dir.path().join("s.db"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // More records than a pipe takes, once the pipe is full already.
    let capture = samples().join("office-day.pcap.zst");
    let mut command = program(&["replay", "--follow", "--format", "ndjson", "--sensor", "s"]);
    let folder = dir.path().join("captures");
    fs::create_dir(&folder).unwrap();
    fs::copy(&capture, folder.join("a.pcap.zst")).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || File::open(pipe).unwrap()
    });
    let mut full = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    full.write_all(&[b'\n'; 65536]).unwrap();
    let reader = reader.join().unwrap();
    let err = if both { full.try_clone().unwrap().into() } else { Stdio::piped() };
    let child = command.args(["--store", store.to_str().unwrap()]).arg(&folder).stdout(full).stderr(err);
    let child = child.spawn().unwrap();
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(8));
    let none = dir.path().join("none");
    fs::write(&none, "").unwrap();
    let ran = stop(child, &none);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(stored(&store), replayed(&capture).len());
    drop(reader);
    ran
}

/// A classic capture so many days later.
fn later(bytes: &[u8], days: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = records(&bytes[24..]).collect();
    for at in places {
        let field = &mut bytes[24 + at..28 + at];
        let secs = u32::from_le_bytes(field.try_into().unwrap()) + days * 86_400;
        field.copy_from_slice(&secs.to_le_bytes());
    }
    bytes
}

#[test]
fn what_was_compressed_days_ago_is_recorded_beside_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("captures"), dir.path().join("out"));
    fs::create_dir(&folder).unwrap();
    let bytes = fs::read(samples().join("update-http.pcap")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&bytes).unwrap();
    fs::write(folder.join("a.pcap.gz"), packed.finish().unwrap()).unwrap();
    fs::write(folder.join("b.pcap"), later(&bytes, 4)).unwrap();
    fs::write(folder.join("notes.pcap"), "this is a text and no capture").unwrap();
    let child = follow(&folder, &out, &[]);
    await_lines(&out, "b.pcap");
    let ran = stop(child, &out);
    assert!(ran.code == 0 && ran.err.contains("Skipped 1 file that by content is no capture."), "{ran:?}");
    fs::remove_file(folder.join("notes.pcap")).unwrap();
    assert_eq!(last(ran.json()).len(), replayed(&folder).len());
}

#[test]
fn what_comes_for_a_day_that_is_closed_leaves_no_clean_bill() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out, store) = (dir.path().join("captures"), dir.path().join("out"), dir.path().join("s.db"));
    fs::create_dir(&folder).unwrap();
    let harmless = fs::read(samples().join("no-contact.pcap")).unwrap();
    fs::write(folder.join("b.pcap"), later(&harmless, 30)).unwrap();
    let store = store.to_str().unwrap();
    let child = follow(&folder, &out, &["--store", store]);
    // Days are closed every ten seconds.
    std::thread::sleep(Duration::from_secs(14));
    fs::copy(samples().join("update-http.pcap"), folder.join("a.pcap")).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let ran = stop(child, &out);
    assert!(ran.code == 1 && ran.out.is_empty(), "{ran:?}");
    assert!(ran.said().iter().any(|s| s.contains(" came when the records of that day were closed")), "{ran:?}");
    let doubt = " came when the records of their day were closed (replay into the store";
    assert!(ran.err.contains("Whether there was a contact cannot be said: ") && ran.err.contains(doubt), "{}", ran.err);
    let hosts = run(&["hosts", "--store", store, "--fail-on", "contacting"]);
    assert!(hosts.code == 1 && hosts.err.contains(doubt), "{hosts:?}");
}
