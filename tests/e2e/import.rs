//! Records that come back from their lines.

use crate::support::program::{run_in, run_with_input};
use crate::support::samples;
use serde_json::Value;
use spansight::sighting::Record;
use spansight::store::{Filter, Store};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Two samples and a live run, as lines; nothing is taken from captures.
fn lines(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for sample in ["office-day", "vlan"] {
        let name = format!("{sample}.expected.ndjson");
        fs::copy(samples().join(&name), dir.join(format!("{sample}.ndjson"))).unwrap();
        all.extend(fs::read_to_string(samples().join(name)).unwrap().lines().map(str::to_owned));
    }
    all
}

fn open(dir: &Path, name: &str) -> Store {
    let store = Store::open_read_only(&dir.join(name)).unwrap();
    assert!(store.check().unwrap().is_empty());
    store
}

fn records(store: &Store) -> Vec<Record> {
    store.records(Filter::default()).unwrap().map(|r| r.unwrap().record).collect()
}

fn dump(store: &Store) -> String {
    let mut out = Vec::new();
    store.dump(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn import(dir: &Path, args: &[&str]) {
    let ran = run_in(dir, &[&["import", "-q", "--store", "s.sqlite"], args].concat());
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (0, "", ""), "{args:?}");
}

#[test]
fn what_was_printed_is_stored_and_the_same_again_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let mut want: Vec<Record> = lines(dir).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "office-day.ndjson", "vlan.ndjson"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.err, format!("Records read: {}, sources: 2.\n", want.len()));
    let key = |r: &Record| {
        (r.period.clone(), r.host.ip, r.host.segment.clone(), r.host.mac, r.indicator.id.clone(), r.source.clone())
    };
    want.sort_by_key(key);
    let store = open(dir, "s.sqlite");
    assert_eq!(records(&store), want);
    assert_eq!(store.facts(None, None).unwrap().contacts.len(), want.len());
    let before = dump(&store);
    drop(store);

    import(dir, &["vlan.ndjson", "office-day.ndjson", "vlan.ndjson"]);
    let store = open(dir, "s.sqlite");
    assert_eq!(dump(&store), before);
    let runs = store.runs().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|(_, run)| run.exit_code == Some(0) && run.command.iter().any(|a| a == "import")));
    assert_eq!(store.overlaps(Some(1)).unwrap(), store.overlaps(Some(2)).unwrap());
}

/// Whether a capture is replayed into the store or its records are imported,
/// hosts are judged by the same.
#[test]
fn a_replay_and_its_lines_are_the_same_contacts() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::copy(samples().join("update-http.pcap"), dir.join("update-http.pcap")).unwrap();
    let ran = run_in(dir, &["replay", "-q", "--format", "ndjson", "--store", "replayed.sqlite", "update-http.pcap"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    fs::write(dir.join("r.ndjson"), &ran.out).unwrap();
    import(dir, &["r.ndjson"]);
    let (replayed, imported) = (open(dir, "replayed.sqlite"), open(dir, "s.sqlite"));
    assert_eq!(records(&replayed), records(&imported));
    let (a, b) = (replayed.facts(None, None).unwrap(), imported.facts(None, None).unwrap());
    assert_eq!((a.contacts, a.servers, a.seen, a.indicators), (b.contacts, b.servers, b.seen, b.indicators));
    assert_eq!(a.sources, b.sources, "records alone say what the source could see");
    drop((replayed, imported));
    // A part of them into the store of the capture: they are there already.
    let first = ran.out.lines().next().unwrap();
    let before = dump(&open(dir, "replayed.sqlite"));
    let ran = run_with_input(
        &["import", "-q", "--store", dir.join("replayed.sqlite").to_str().unwrap(), "-"],
        first.as_bytes(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(dump(&open(dir, "replayed.sqlite")), before);
}

/// A record of a live run, of such a revision and count.
fn live(line: &str, revision: u64, count: u64) -> String {
    let mut record: Value = serde_json::from_str(line).unwrap();
    record["source"] = format!("run:{}", "ab".repeat(16)).into();
    (record["revision"], record["count"]) = (revision.into(), count.into());
    record.to_string()
}

#[test]
fn of_a_live_run_the_latest_state_counts_and_files_join() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let all = lines(dir);
    let line = &all[0];
    fs::write(dir.join("live.ndjson"), [live(line, 2, 70), live(line, 3, 700), live(line, 1, 7)].join("\r\n")).unwrap();
    import(dir, &["live.ndjson"]);
    let counts = |dir: &Path| -> Vec<u64> { records(&open(dir, "s.sqlite")).iter().map(|r| r.count).collect() };
    assert_eq!(counts(dir), [700]);
    // No later state takes back what an earlier one showed.
    fs::write(dir.join("less.ndjson"), live(line, 9, 1)).unwrap();
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "less.ndjson"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("Records read: 1, sources: 1, 1 record that there was changed."), "{ran:?}");
    assert_eq!(counts(dir), [700]);
    fs::remove_file(dir.join("s.sqlite")).unwrap();
    let mut more: Value = serde_json::from_str(line).unwrap();
    more["count"] = 5000.into();
    fs::write(dir.join("file.ndjson"), format!("\u{feff}{line}\n\n{more}\n{line}\n")).unwrap();
    import(dir, &["file.ndjson"]);
    assert_eq!(counts(dir), [5000]);
}

/// A file can say anything of a run; the store knows what its own runs saw.
#[cfg(unix)]
#[test]
fn an_import_does_not_change_what_a_run_of_the_store_wrote() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::copy(samples().join("update-http.pcap"), dir.join("a.pcap")).unwrap();
    let mut child = crate::support::program::program(&["replay", "-q", "--follow", "--store", "live.db", "a.pcap"])
        .current_dir(dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let whole = || run_in(dir, &["export", "-q", "--store", "live.db"]).out;
    // The store is written every half minute, and at the end.
    let started = std::time::Instant::now();
    while !dir.join("live.db").exists() && started.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::thread::sleep(std::time::Duration::from_secs(4));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let before = whole();
    assert!(!before.is_empty());
    let forged: Vec<String> = before
        .lines()
        .map(|line| {
            let mut r: Value = serde_json::from_str(line).unwrap();
            assert!(r["source"].as_str().unwrap().starts_with("run:"));
            (r["revision"], r["stage"]) = ((1u64 << 62).into(), "queried".into());
            (r["servers"], r["slots_connected"]) = (Value::Array(Vec::new()), "0".repeat(24).into());
            r.to_string()
        })
        .collect();
    fs::write(dir.join("forged.ndjson"), forged.join("\n")).unwrap();
    let ran = run_in(dir, &["import", "-q", "--store", "live.db", "forged.ndjson"]);
    ran.said_once(1, &["otherwise than what this store's own runs wrote, which stays"]);
    assert_eq!(whole(), before);
    fs::write(dir.join("true.ndjson"), &before).unwrap();
    assert_eq!(
        run_in(dir, &["import", "-q", "--store", "live.db", "true.ndjson"]).code,
        0,
        "what it holds is no contradiction"
    );
}

/// A verdict follows the category that a record gives its indicator.
#[test]
fn a_category_that_no_catalogue_gives_is_said() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let all = lines(dir);
    let mut forged: Value =
        serde_json::from_str(all.iter().find(|l| l.contains("\"category\":\"update\"")).unwrap()).unwrap();
    let id = forged["indicator"]["id"].as_str().unwrap().to_owned();
    forged["indicator"]["category"] = "web".into();
    fs::write(dir.join("forged.ndjson"), forged.to_string()).unwrap();
    for store in ["s.db", "a/"] {
        let sound = run_in(dir, &["import", "--store", store, "vlan.ndjson"]);
        assert!(sound.code == 0 && !sound.err.contains("warning"), "{sound:?}");
        let ran = run_in(dir, &["verify", store]);
        assert!(ran.code == 0 && !ran.out.contains("doubtful"), "{ran:?}");
        let ran = run_in(dir, &["import", "--store", store, "forged.ndjson"]);
        let wanted = format!("warning: records give {id} the category web; in the catalogue in effect it has update.");
        assert!(ran.code == 0 && ran.err.contains(&wanted), "{ran:?}");
        let ran = run_in(dir, &["verify", store]);
        let wanted = format!(
            "doubtful: 1 record gives {id} the category web, and no catalogue of its runs does: there it has update\n"
        );
        assert!(ran.code == 0 && ran.out.contains(&wanted) && ran.out.contains("sound"), "{ran:?}");
    }
}

#[test]
fn lines_that_are_no_records_are_left_out_and_said() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let all = lines(dir);
    let forged = all[1].replacen("\"ip\":\"10.", "\"ip\":\"11.", 1);
    assert_ne!(forged, all[1]);
    let long = format!("{{\"schema\":\"{}\"}}", "x".repeat(2 << 20));
    let text = [&all[0], &forged, "no json", &long, &all[2]].join("\n");
    fs::write(dir.join("mixed.ndjson"), &text).unwrap();
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "mixed.ndjson"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = ran.said();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("mixed.ndjson: line 2 is left out: id ") && said[0].contains("is not that of its sensor")
    );
    assert!(said[1].starts_with("mixed.ndjson: line 3 is left out: no sighting record ("), "{said:?}");
    assert!(said[2].starts_with("mixed.ndjson: line 4 is left out: longer than 1048576 bytes"), "{said:?}");
    assert!(ran.err.ends_with("Records read: 2, sources: 1, 3 lines left out.\n"), "{}", ran.err);
    let store = open(dir, "s.sqlite");
    assert_eq!(records(&store).len(), 2);
    assert_eq!(store.runs().unwrap()[0].1.exit_code, Some(1));
}

#[test]
fn many_bad_lines_are_counted() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let all = lines(dir);
    fs::write(dir.join("bad.ndjson"), format!("{}{}\n", "{}\n".repeat(500), all[0])).unwrap();
    let ran = run_in(dir, &["import", "-q", "--store", "s.sqlite", "bad.ndjson", "vlan.ndjson"]);
    assert_eq!(ran.code, 1);
    let said = ran.said();
    assert_eq!(said.len(), 11, "{said:?}");
    assert_eq!(said[10], "490 more lines were left out");
}

#[test]
fn what_holds_no_record_fails() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let all = lines(dir);
    fs::write(dir.join("empty.ndjson"), "").unwrap();
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "empty.ndjson"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.said().last(), Some(&"no sighting record could be read, so nothing was stored"));
    assert_eq!(fs::read_dir(dir).unwrap().count(), 3, "no empty store is left behind");
    // One that was there is not touched.
    drop(Store::open(&dir.join("mine.sqlite")).unwrap());
    assert_eq!(run_in(dir, &["import", "--store", "mine.sqlite", "empty.ndjson"]).code, 3);
    assert!(open(dir, "mine.sqlite").runs().unwrap().is_empty());

    // What can be read is kept all the same.
    let ran = run_in(dir, &["import", "-q", "--store", "s.sqlite", "no-such.ndjson", "vlan.ndjson"]);
    ran.said_once(3, &["no-such.ndjson: cannot be read", "check the path"]);
    assert!(!records(&open(dir, "s.sqlite")).is_empty());
    // A capture is none.
    let capture = samples().join("dns-udp.pcap");
    let ran = run_in(dir, &["import", "--store", "s.sqlite", capture.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.said().iter().all(|s| !s.contains(['\u{1b}', '\u{0}'])));

    assert_eq!(run_in(dir, &["import", "vlan.ndjson"]).code, 2);
    assert_eq!(run_in(dir, &["import", "--store", "s.sqlite"]).code, 2);
    let ran = run_in(dir, &["import", "--store", "vlan.ndjson", "vlan.ndjson"]);
    ran.said_once(2, &["--store", "would overwrite what is read"]);
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "-", "-"]);
    ran.said_once(2, &["give - once"]);
    fs::write(dir.join("other"), all.join("\n")).unwrap();
    let ran = run_in(dir, &["import", "--store", "other", "vlan.ndjson"]);
    ran.said_once(3, &["is not a spansight store"]);
}

#[test]
fn standard_input_is_read() {
    let dir = TempDir::new().unwrap();
    let text = lines(dir.path()).join("\n");
    let store = dir.path().join("s.sqlite");
    let ran = run_with_input(&["import", "--store", store.to_str().unwrap(), "-"], text.as_bytes());
    assert_eq!((ran.code, ran.said().len()), (0, 0), "{ran:?}");
    assert_eq!(records(&open(dir.path(), "s.sqlite")).len(), text.lines().count());
}

#[test]
fn a_store_of_lines_says_that_it_knows_no_more() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    lines(dir);
    import(dir, &["office-day.ndjson"]);
    let ran = run_in(dir, &["hosts", "--store", "s.sqlite"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("0 captures, 0 live runs and imported records of 1 source: 0 frames"), "{}", ran.err);
    assert!(ran.err.contains("only records were imported, which do not say what else was seen"), "{}", ran.err);
}

/// Exports to a file and returns its lines.
fn export(dir: &Path, store: &str, form: &str, name: &str, more: &[&str]) -> Vec<u8> {
    let ran = run_in(dir, &[&["export", "-q", "--store", store, "--format", form, "--output", name], more].concat());
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (0, "", ""), "{store} {form}");
    fs::read(dir.join(name)).unwrap()
}

/// A store with evidence, records that only support, and several sources.
fn replayed(dir: &Path) {
    let names = ["office-day.pcap.zst", "vlan.pcap", "update-http.pcap"];
    let there: Vec<&str> = names.into_iter().filter(|name| samples().join(name).is_file()).collect();
    assert!(there.len() > 1, "{there:?}");
    for name in &there {
        fs::copy(samples().join(name), dir.join(name)).unwrap();
    }
    let ran = run_in(dir, &[["replay", "-q", "--store", "from.sqlite"].as_slice(), &there].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    // A contribution that only supports, as any day without another sign has.
    let mut store = Store::open(&dir.join("from.sqlite")).unwrap();
    let mut lonely = records(&store).remove(0);
    lonely.period = "2020-02-02".into();
    let day = lonely.first_seen.0.div_euclid(86_400_000_000_000);
    let wanted = spansight::base::time::parse_day(&lonely.period).unwrap();
    for ts in [&mut lonely.first_seen, &mut lonely.last_seen] {
        ts.0 += (wanted - day) * 86_400_000_000_000;
    }
    let h = &lonely.host;
    lonely.id = spansight::sighting::draft::record_id(
        &lonely.sensor,
        &h.segment,
        &h.ip,
        h.mac,
        &lonely.indicator.id,
        &lonely.period,
    );
    let mut w = store.begin().unwrap();
    w.put_record(&lonely, true).unwrap();
    w.commit().unwrap();
}

#[test]
fn what_export_writes_import_takes_back_unchanged() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    replayed(dir);
    let ndjson = export(dir, "from.sqlite", "ndjson", "a.ndjson", &[]);
    let csv = export(dir, "from.sqlite", "csv", "a.csv", &[]);
    let text = String::from_utf8(ndjson.clone()).unwrap();
    assert_eq!(text.lines().filter(|l| l.ends_with(",\"support\":true}")).count(), 1);
    assert_eq!(csv.iter().filter(|b| **b == b'\n').count(), text.lines().count() + 1);
    let lines_of = |bytes: &[u8]| -> Vec<String> {
        let mut lines: Vec<String> = String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for (n, input) in ["a.ndjson", "a.csv"].iter().enumerate() {
        for (store, is_archive) in [(format!("s{n}.sqlite"), false), (format!("archive{n}/"), true)] {
            for _ in 0..2 {
                let ran = run_in(dir, &["import", "-q", "--store", &store, input]);
                assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{input} {store}");
            }
            let back = export(dir, &store, "ndjson", "b.ndjson", &[]);
            let back_csv = export(dir, &store, "csv", "b.csv", &[]);
            if is_archive {
                assert_eq!(lines_of(&back), lines_of(&ndjson), "{input} {store}");
                assert_eq!(lines_of(&back_csv), lines_of(&csv));
                let ran = run_in(dir, &["verify", &store]);
                assert!(ran.code == 0 && ran.out.contains(": sound ("), "{ran:?}");
                // Host by host again gives the same bytes again.
                run_in(dir, &["import", "-q", "--store", "again/", "b.ndjson"]);
                assert_eq!(export(dir, "again", "ndjson", "c.ndjson", &[]), back);
                fs::remove_dir_all(dir.join("again")).unwrap();
            } else {
                assert_eq!((back, back_csv), (ndjson.clone(), csv.clone()), "{input} {store}");
            }
        }
    }
    let dumped = |name: &str| -> Vec<String> {
        let all = dump(&open(dir, name));
        all.lines().filter(|l| l.starts_with("sightings |")).map(str::to_owned).collect()
    };
    assert_eq!(dumped("s0.sqlite"), dumped("from.sqlite"));
}

#[test]
fn an_export_can_be_narrowed() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    replayed(dir);
    let ran = run_in(dir, &["import", "-q", "--store", "archive/", "-"]);
    assert_eq!(ran.code, 3, "nothing came: {ran:?}");
    assert!(!dir.join("archive").exists(), "no empty archive is left behind");
    export(dir, "from.sqlite", "ndjson", "a.ndjson", &[]);
    assert_eq!(run_in(dir, &["import", "-q", "--store", "archive/", "a.ndjson"]).code, 0);
    let count = |store: &str, more: &[&str]| {
        let bytes = export(dir, store, "ndjson", "b.ndjson", more);
        bytes.iter().filter(|b| **b == b'\n').count()
    };
    for store in ["from.sqlite", "archive"] {
        let all = count(store, &[]);
        assert_eq!(count(store, &["--since", "2020-02-02", "--until", "2020-02-03"]), 1);
        assert_eq!(count(store, &["--since", "2020-02-03"]), all - 1);
        assert_eq!(count(store, &["--until", "2020-02-03"]), 1);
        let update = count(store, &["--category", "update"]);
        assert!(update > 0 && update < all, "{store}: {update} of {all}");
        assert_eq!(count(store, &["--network", "192.0.2.0/24"]), 0);
        assert_eq!(count(store, &["--network", "0.0.0.0/0,::/0"]), all);
    }
    let refused = |args: &[&str], code: i32, parts: &[&str]| {
        run_in(dir, &[&["export", "-q"], args].concat()).said_once(code, parts)
    };
    refused(&["--store", "none.sqlite"], 3, &["there is no store at"]);
    refused(&["--store", "none/"], 3, &["there is no store at"]);
    refused(&["--store", "."], 3, &["is not a spansight store"]);
    refused(&["--store", "archive", "--output", "archive/x"], 2, &["lies in the archive"]);
    let whole = fs::read(dir.join("archive/archive.json")).unwrap();
    let window = ["--baseline", "2020-01", "--current", "2020-02"];
    for command in [
        &["trend", "-q", "--store", "archive", "--output", "archive/archive.json"][..],
        &[&["compare", "-q", "--store", "archive", "--output", "archive/archive.json"][..], &window].concat(),
        &["trend", "-q", "--store", "from.sqlite", "--output", "archive/archive.json"],
        &["hosts", "--store", "from.sqlite", "--output", "archive/archive.json"],
        &["report", "--store", "from.sqlite", "--html", "archive/archive.json"],
        &["report", "--store", "from.sqlite", "--json", "archive/archive.json"],
        &["report", "--store", "from.sqlite", "--csv", "archive"],
        &["publish", "-q", "--store", "archive", "--window", "2020-02", "--output", "archive/p"],
    ] {
        run_in(dir, command).said_once(2, &["lies in the archive"]);
        assert_eq!(fs::read(dir.join("archive/archive.json")).unwrap(), whole, "{command:?}");
    }
    refused(&["--store", "from.sqlite", "--output", "from.sqlite"], 2, &["would overwrite what is read"]);
    refused(
        &["--store", "from.sqlite", "--since", "2020-02-03", "--until", "2020-02-02"],
        2,
        &["no time lies between"],
    );
    fs::write(dir.join("short.csv"), "id,source\nx,y\n").unwrap();
    let ran = run_in(dir, &["import", "--store", "s.sqlite", "short.csv"]);
    assert!(ran.code == 3 && ran.err.contains("short.csv: the header lacks the column period"), "{ran:?}");
    let ran = run_in(dir, &["explain", "--store", "archive", "192.0.2.77"]);
    ran.said_once(3, &["archive knows no host 192.0.2.77"]);
}
