//! Bad input: one clear sentence, the right exit code, and what was found
//! until then kept.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, program, run_in, run_with_input};
use crate::support::writer::{Pcap, pcapng};
use crate::support::{compress, samples};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const FAILED: i32 = 3;
const USAGE: i32 = 2;
const PARTIAL: i32 = 1;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A capture of one host that updates, 14 frames.
fn good() -> Vec<u8> {
    Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes().to_vec()
}

fn replay(dir: &TempDir, args: &[&str]) -> Ran {
    let mut all = vec!["replay", "--format", "ndjson", "-q"];
    all.extend(args);
    run_in(dir.path(), &all)
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(dir.path().join(name), bytes).unwrap();
}

/// A named path that is no readable capture: both commands say so once, name
/// the path and print nothing.
#[track_caller]
fn refused(dir: &TempDir, path: &str, words: &[&str]) {
    for command in ["replay", "names"] {
        let ran = run_in(dir.path(), &[command, "-q", path]);
        let mut all = vec![path];
        all.extend(words);
        ran.said_once(FAILED, &all);
        assert!(ran.json_or_table_is_empty(), "{ran:?}");
    }
}

impl Ran {
    fn json_or_table_is_empty(&self) -> bool {
        self.out.is_empty()
            || self.out == "No host listed.\n"
            || self.out.starts_with("Whether there was a contact cannot be said: ") && self.out.lines().count() == 1
    }
}

#[test]
fn no_such_file() {
    refused(&dir(), "missing.pcap", &["no such file"]);
}

#[test]
fn a_folder_without_captures() {
    let dir = dir();
    fs::create_dir(dir.path().join("sub")).unwrap();
    write(&dir, "sub/notes.txt", b"text");
    refused(&dir, "sub", &["no file in this folder is a capture"]);
}

#[test]
fn a_file_without_bytes() {
    let dir = dir();
    write(&dir, "zero.pcap", b"");
    refused(&dir, "zero.pcap", &["0 bytes"]);
}

#[test]
fn text_and_random_bytes() {
    let dir = dir();
    write(&dir, "text.pcap", b"This is a text about captures, long enough to be one.\n");
    refused(&dir, "text.pcap", &["not a capture"]);
    let mut x = 1_u64;
    let random: Vec<u8> = (0..5000)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) as u8
        })
        .collect();
    write(&dir, "random.pcap", &random);
    refused(&dir, "random.pcap", &["not a capture"]);
}

#[test]
fn an_unknown_link_type() {
    let dir = dir();
    write(&dir, "fddi.pcap", Pcap::of(10).frames(TEN, &packets::update(host(5), 1)).bytes());
    refused(&dir, "fddi.pcap", &["link type 10 (FDDI)", "not supported"]);
}

#[test]
fn damage_before_the_first_packet() {
    let dir = dir();
    write(&dir, "head.pcap", &good()[..20]);
    refused(&dir, "head.pcap", &["cut off"]);
    write(&dir, "record.pcap", &good()[..30]);
    refused(&dir, "record.pcap", &["cut off", "byte 24"]);
    write(&dir, "short.pcap.gz", &compress::gzip(&good())[..12]);
    refused(&dir, "short.pcap.gz", &["gzip"]);
}

#[test]
fn a_cut_last_record_keeps_what_came_before() {
    let dir = dir();
    let whole = good();
    write(&dir, "whole.pcap", &whole);
    let cut = &whole[..whole.len() - 5];
    write(&dir, "cut.pcap", cut);
    let ran = replay(&dir, &["cut.pcap"]);
    // The last record is the last acknowledgement: 16 + 54 bytes.
    ran.said_once(PARTIAL, &["cut.pcap", "cut off", &format!("byte {}", whole.len() - 70)]);
    let (kept, all) = (ran.json(), replay(&dir, &["whole.pcap"]).json());
    assert_eq!(kept.len(), all.len());
    assert_eq!((&kept[0]["stage"], &kept[0]["count"]), (&all[0]["stage"], &all[0]["count"]));
    let names = run_in(dir.path(), &["names", "cut.pcap"]);
    names.said_once(PARTIAL, &["cut.pcap", "cut off"]);
    assert_eq!(names.json().len(), run_in(dir.path(), &["names", "whole.pcap"]).json().len());
}

#[test]
fn compressed_data_that_end_early_keep_what_came_before() {
    let dir = dir();
    let mut pcap = Pcap::new();
    for n in 0..200 {
        pcap.frames(TEN + n * SECOND, &packets::update(host(n as u16 + 5), 40_000));
    }
    let gz = compress::gzip(pcap.bytes());
    write(&dir, "cut.pcap.gz", &gz[..gz.len() * 3 / 4]);
    let ran = replay(&dir, &["cut.pcap.gz"]);
    ran.said_once(PARTIAL, &["cut.pcap.gz", "gzip data end early"]);
    assert!(ran.json().len() > 100, "{}", ran.json().len());
}

#[test]
fn a_damaged_block_of_pcapng_keeps_what_came_before() {
    let dir = dir();
    let frames: Vec<_> =
        packets::update(host(5), 40_000).into_iter().enumerate().map(|(i, f)| (TEN + i as i64 * 1000, f)).collect();
    let mut file = pcapng(&frames);
    let at = file.len() - 4;
    file[at..].copy_from_slice(&[0xff; 4]);
    write(&dir, "a.pcapng", &file);
    let ran = replay(&dir, &["a.pcapng"]);
    ran.said_once(PARTIAL, &["a.pcapng", "byte"]);
    assert!(!ran.json().is_empty());
}

#[test]
fn a_capture_without_packets_is_a_warning() {
    let dir = dir();
    write(&dir, "none.pcap", Pcap::new().bytes());
    write(&dir, "good.pcap", &good());
    let ran = run_in(dir.path(), &["replay", "none.pcap", "good.pcap"]);
    ran.said_once(0, &["none.pcap", "holds no packets"]);
    let ran = run_in(dir.path(), &["replay", "-q", "none.pcap", "good.pcap"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_run_without_any_packet_fails() {
    let dir = dir();
    write(&dir, "none.pcap", Pcap::new().bytes());
    write(&dir, "none.pcapng", &pcapng(&[]));
    refused(&dir, "none.pcap", &["no packet"]);
    let ran = run_in(dir.path(), &["replay", "-q", "none.pcap", "none.pcapng"]);
    ran.said_once(FAILED, &["no packet"]);
    // A filter of the user's that leaves nothing is no failure.
    write(&dir, "good.pcap", &good());
    for filter in [["--since", "2027-01-01"], ["--until", "2025-01-01"], ["--bpf", "port 9"]] {
        let ran = replay(&dir, &["good.pcap", filter[0], filter[1]]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{filter:?}");
    }
}

#[test]
fn one_bad_path_beside_a_good_one_fails_and_loses_nothing() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    write(&dir, "text.pcap", b"This is a text about captures, long enough to be one.\n");
    let alone = replay(&dir, &["good.pcap"]).out;
    for bad in ["missing.pcap", "text.pcap"] {
        for paths in [["good.pcap", bad], [bad, "good.pcap"]] {
            let ran = replay(&dir, &paths);
            ran.said_once(FAILED, &[bad]);
            assert_eq!(ran.out, alone);
        }
    }
}

/// 3 outranks 1, whatever comes first.
#[test]
fn the_graver_code_wins() {
    let dir = dir();
    let whole = good();
    write(&dir, "cut.pcap", &whole[..whole.len() - 5]);
    for paths in [["cut.pcap", "missing.pcap"], ["missing.pcap", "cut.pcap"]] {
        let ran = replay(&dir, &paths);
        assert_eq!((ran.code, ran.said().len()), (FAILED, 2), "{ran:?}");
        assert!(!ran.out.is_empty());
    }
}

/// Damage in a folder nobody named file by file is damage, not failure.
#[test]
fn a_damaged_capture_in_a_folder_is_partial() {
    let dir = dir();
    fs::create_dir(dir.path().join("sub")).unwrap();
    write(&dir, "sub/good.pcap", &good());
    write(&dir, "sub/head.pcap", &good()[..30]);
    replay(&dir, &["sub"]).said_once(PARTIAL, &["sub/head.pcap", "cut off"]);
    write(&dir, "sub/head.pcap", Pcap::of(10).frames(TEN, &packets::update(host(5), 1)).bytes());
    replay(&dir, &["sub"]).said_once(PARTIAL, &["sub/head.pcap", "FDDI"]);
}

#[test]
fn standard_input_that_is_no_capture() {
    for (input, word) in [(&b""[..], "0 bytes"), (b"not a capture at all, but some text", "not a capture")] {
        let ran = run_with_input(&["replay", "-q", "-"], input);
        ran.said_once(FAILED, &["-: ", word]);
    }
}

#[test]
fn wrong_usage_is_said_at_once() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    write(&dir, "empty.toml", b"");
    write(&dir, "wrong.toml", b"[[indicator]]\nid = 'x'\n");
    write(&dir, "broken.toml", b"[[indicator\n");
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--catalogue", "empty.toml"], &["empty.toml"]),
        (&["--catalogue", "wrong.toml"], &["wrong.toml"]),
        (&["--catalogue", "broken.toml"], &["broken.toml"]),
        (&["--catalogue", "missing.toml"], &["missing.toml"]),
        (&["--add-catalogue", "wrong.toml"], &["wrong.toml"]),
        (&["--bpf", "no such thing"], &["no such thing"]),
        (&["--home-net", "10.0.0.0/33"], &["10.0.0.0/33"]),
        (&["--home-net", "any,10.0.0.0/8"], &["any"]),
        (&["--since", "2026-01-02", "--until", "2026-01-01"], &["nothing would be read"]),
    ];
    for (args, words) in cases {
        let mut all = vec!["good.pcap"];
        all.extend(args);
        let ran = replay(&dir, &all);
        ran.said_once(USAGE, words);
        assert_eq!(ran.out, "", "{args:?}");
    }
    for args in
        [&["replay"][..], &["replay", "x", "--since", "soon"], &["nonsense"], &["replay", "x", "--workers", "0"]]
    {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.out.as_str()), (USAGE, ""), "{args:?}");
        assert!(ran.err.contains("--help"), "{}", ran.err);
    }
}

#[test]
fn an_interface_that_does_not_exist() {
    let ran = run_in(dir().path(), &["watch", "-q", "-i", "nosuch0"]);
    ran.said_once(FAILED, &["nosuch0", "no interface"]);
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n")
}

/// The command as a user without any right, if we may become one.
fn powerless(args: &[&str], dir: &Path) -> Option<Ran> {
    if !is_root() {
        return Some(run_in(dir, args));
    }
    let drop = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
    // The build folder may be closed to others: a copy in the open. Another
    // process makes it, since a handle of ours that writes could be inherited
    // by a child of another test, and then the copy could not be run.
    let copy = dir.join("spansight");
    let made = Command::new("cp").arg(env!("CARGO_BIN_EXE_spansight")).arg(&copy).status();
    assert!(made.unwrap().success());
    let mut command = Command::new("setpriv");
    match command.args(drop).arg(copy).args(args).current_dir(dir).output() {
        Ok(output) => Some(Ran::of(output)),
        Err(e) => {
            eprintln!("skipped: setpriv is needed to drop rights: {e}");
            None
        }
    }
}

/// A folder that everybody can read.
fn open_dir() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[test]
fn no_permission_to_capture() {
    let dir = open_dir();
    if let Some(ran) = powerless(&["watch", "-q", "-i", "lo"], dir.path()) {
        ran.said_once(FAILED, &["lo", "permission"]);
    }
}

#[test]
fn no_permission_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = open_dir();
    write(&dir, "secret.pcap", &good());
    fs::set_permissions(dir.path().join("secret.pcap"), fs::Permissions::from_mode(0o000)).unwrap();
    if let Some(ran) = powerless(&["replay", "-q", "secret.pcap"], dir.path()) {
        ran.said_once(FAILED, &["secret.pcap", "permission denied"]);
    }
}

#[test]
fn no_permission_to_write() {
    let dir = open_dir();
    write(&dir, "good.pcap", &good());
    let out = "no/such/folder/x";
    for option in ["--output", "--stats", "--store"] {
        let ran = replay(&dir, &["good.pcap", option, out]);
        ran.said_once(FAILED, &[out]);
    }
}

#[test]
fn a_store_that_is_none() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    write(&dir, "text.sqlite", b"this is a text and no store, whatever its name may say about that");
    replay(&dir, &["good.pcap", "--store", "text.sqlite"]).said_once(FAILED, &["text.sqlite"]);
    assert!(fs::read(dir.path().join("text.sqlite")).unwrap().starts_with(b"this is a text"));
}

#[test]
fn a_full_device_is_said() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    let ran = replay(&dir, &["good.pcap", "--output", "/dev/full"]);
    ran.said_once(FAILED, &["/dev/full", "free some space"]);
    assert_eq!(ran.out, replay(&dir, &["good.pcap"]).out);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for command in ["replay", "names"] {
        let output = program(&[command, "-q", "good.pcap"]).current_dir(&dir).stdout(full()).output().unwrap();
        Ran::of(output).said_once(FAILED, &["standard output", "No space left"]);
    }
}

/// The system would end the program by a signal (SIGXFSZ).
#[cfg(unix)]
#[test]
fn a_limit_for_the_size_of_files_is_said_and_leaves_nothing_behind() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    let limited = |options: &str| {
        let command = format!("ulimit -f 1; exec \"$0\" replay -q good.pcap {options}");
        let spansight = env!("CARGO_BIN_EXE_spansight");
        let output = std::process::Command::new("sh").args(["-c", &command, spansight]).current_dir(&dir).output();
        Ran::of(output.unwrap())
    };
    limited("--store new.db").said_once(FAILED, &["new.db"]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the capture alone");
}

#[test]
fn a_destination_that_cannot_be_made_is_said_before_anything_is_read() {
    let dir = dir();
    write(&dir, "good.pcap", &good());
    for option in ["--output", "--stats"] {
        for command in ["replay", "names"] {
            let ran = run_in(dir.path(), &[command, "good.pcap", option, "missing/out"]);
            ran.said_once(FAILED, &["missing/out", "check the path"]);
            assert_eq!((ran.out.as_str(), ran.err.contains("Read 1 file")), ("", false), "{command} {option}");
        }
    }
}

/// Needs the right to mount a small file system; says so where it is missing.
#[test]
fn a_full_disk_takes_nothing_that_was_there() {
    let dir = dir();
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: needs the right to mount a tmpfs");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        write(&dir, "good.pcap", &good());
        let mut many = Pcap::new();
        for n in 0..400 {
            many.frames(TEN + n * SECOND, &packets::update(host(n as u16 + 5), 40_000));
        }
        write(&dir, "many.pcap", many.bytes());
        assert_eq!(replay(&dir, &["good.pcap", "--store", "disk/s.sqlite", "--output", "disk/out"]).code, 0);
        let before = fs::read(disk.join("out")).unwrap();
        let found = replay(&dir, &["many.pcap"]).out;
        assert!(found.len() > 1 << 20, "{} bytes fit the disk", found.len());

        let ran = replay(&dir, &["many.pcap", "--output", "disk/out"]);
        ran.said_once(FAILED, &["disk/out", "free some space"]);
        assert_eq!(ran.out, found, "what was found is printed instead");
        assert_eq!(fs::read(disk.join("out")).unwrap(), before);

        let ran = replay(&dir, &["many.pcap", "--store", "disk/s.sqlite"]);
        ran.said_once(FAILED, &["disk/s.sqlite"]);
        assert_eq!(ran.out, found, "what was found is printed");
        let store = spansight::store::Store::open_read_only(&disk.join("s.sqlite")).unwrap();
        let records = store.records(spansight::store::Filter::default()).unwrap();
        assert_eq!(records.count(), before.iter().filter(|b| **b == b'\n').count());
        assert!(store.check().unwrap().is_empty());
        drop(store);

        // Room for some of the names.
        for file in fs::read_dir(&disk).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        let mut fill = fs::File::create(disk.join("fill")).unwrap();
        while fill.write_all(&[0; 4096]).is_ok() {}
        let full = fill.metadata().unwrap().len();
        fill.set_len(full.saturating_sub(100_000)).unwrap();
        let names = run_in(dir.path(), &["names", "many.pcap"]).out;
        assert!(full > 100_000 && names.len() > 150_000, "{full} {}", names.len());
        let ran = run_in(dir.path(), &["names", "many.pcap", "--output", "disk/names"]);
        ran.said_once(FAILED, &["disk/names", "free some space"]);
        assert!(ran.out == names, "every name is printed instead, once");
        assert!(!disk.join("names").exists());
    });
    let unmounted = Command::new("umount").arg("--lazy").arg(&disk).status();
    assert!(unmounted.unwrap().success());
    result.unwrap();
}

/// A sample cut anywhere, or with a byte changed anywhere in its headers, may
/// be damaged, but never breaks the program.
#[test]
fn damage_anywhere_is_survived() {
    let dir = dir();
    for sample in ["dns-udp.pcap", "multi-interface.pcapng"] {
        let whole = fs::read(samples().join(sample)).unwrap();
        for i in 0..24 {
            let mut bytes = whole.clone();
            if i % 2 == 0 {
                bytes.truncate(bytes.len() * i / 24);
            } else {
                let at = (bytes.len() - 1) * i / 24;
                bytes[at] ^= 0xff;
            }
            write(&dir, "x", &bytes);
            let ran = replay(&dir, &["x"]);
            assert!([0, PARTIAL, FAILED].contains(&ran.code), "{sample} {i}: {ran:?}");
            assert!(ran.code == 0 || ran.said().len() == 1, "{sample} {i}: {ran:?}");
        }
    }
}

#[test]
fn files_about_hosts_are_checked_before_a_sensor_listens() {
    let dir = dir();
    let watch = |more: &[&str]| run_in(dir.path(), &[&["watch", "-i", "nosuch0"], more].concat());
    watch(&["--accept", "none.toml"]).said_once(USAGE, &["--accept none.toml", "No such file"]);
    write(&dir, "a.toml", b"[[accept]\n");
    watch(&["--accept", "a.toml"]).said_once(USAGE, &["--accept a.toml: line 1"]);
    write(&dir, "d.csv", b"address\nhere\n");
    watch(&["--inventory", "d.csv"]).said_once(USAGE, &["--inventory d.csv: line 2", "no IP address"]);
    write(&dir, "d.csv", b"address,name\n10.0.0.5,pc\n");
    watch(&["--inventory", "d.csv", "--events", "d.csv"]).said_once(USAGE, &["--events", "would overwrite"]);
}
