//! `spansight publish`, and `spansight verify` of what it wrote.

use crate::measure::{import, office, replayed, report};
use crate::support::program::{Ran, program, run_in};
use crate::support::sha256;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const USAGE: i32 = 2;
const FAILED: i32 = 3;
const WINDOWS: [&str; 6] = ["--window", "2025-04..2025-06", "--baseline", "2025-02", "--step", "month"];
const BY: [&str; 4] = ["--groups", "groups.csv", "--by", "country"];

/// An office of so many hosts in `s.db`.
fn imported(hosts: u64) -> TempDir {
    let dir = TempDir::new().unwrap();
    import(dir.path(), &office(hosts));
    fs::write(dir.path().join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    dir
}

fn publish(dir: &Path, to: &str, args: &[&str]) -> Ran {
    let ran = run_in(dir, &[&["publish", "-q", "--store", "s.db", "--output", to], args].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

fn verify(dir: &Path, args: &[&str]) -> Ran {
    run_in(dir, &[&["verify"], args].concat())
}

fn value(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Makes the hashes of a folder those of its files, as who alters one can, and
/// the number of records.
fn repair(folder: &Path) {
    let mut manifest = value(&folder.join("manifest.json"));
    if let Ok(records) = fs::read_to_string(folder.join("records.ndjson")) {
        manifest["records"] = records.lines().count().into();
    }
    for file in manifest["files"].as_array_mut().unwrap() {
        let bytes = fs::read(folder.join(file["path"].as_str().unwrap())).unwrap();
        file["size"] = bytes.len().into();
        file["sha256"] = sha256(&bytes).into();
    }
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(folder.join("manifest.sha256"), format!("{}  manifest.json\n", sha256(&text))).unwrap();
    fs::write(folder.join("manifest.json"), text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The figures of a trend or comparison that depend on hosts alone.
fn figures(folder: &Path, file: &str) -> Value {
    let all = value(&folder.join(file));
    json!([all["whole"], all["by"]])
}

#[test]
fn a_publication_is_sound_and_has_the_figures_of_the_store() {
    let dir = imported(60);
    let dir = dir.path();
    let said = publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    assert_eq!(said.err, "");
    let ran = verify(dir, &["full"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for text in ["trend.json: ", "comparison.json: ", "statements hold, 0 do not", "not signed", "full: sound (full, "]
    {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    let common = ["--store", "s.db", "--groups", "groups.csv", "--by", "country", "--format", "json", "-q"];
    let trend = report(dir, &[&["trend", "--window", "2025-04..2025-06"], &common[..]].concat());
    let compare =
        report(dir, &[&["compare", "--baseline", "2025-02", "--current", "2025-04..2025-06"], &common[..]].concat());
    assert_eq!(figures(&dir.join("full"), "trend.json"), json!([trend["whole"], trend["by"]]));
    assert_eq!(figures(&dir.join("full"), "comparison.json"), json!([compare["whole"], compare["by"]]));
    assert!(trend["whole"][0]["update"]["hosts"]["hosts"].as_u64().unwrap() > 10);
    // What it holds can be taken in again.
    let again = run_in(dir, &["import", "-q", "--store", "again.db", "full/records.ndjson"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    // The same again is the same, byte by byte.
    publish(dir, "twice", &[&WINDOWS[..], &BY].concat());
    for entry in fs::read_dir(dir.join("full")).unwrap() {
        let name = entry.unwrap().file_name();
        assert_eq!(fs::read(dir.join("full").join(&name)).unwrap(), fs::read(dir.join("twice").join(&name)).unwrap());
    }
}

#[test]
fn an_archive_is_published_as_a_store() {
    let dir = imported(40);
    let dir = dir.path();
    assert_eq!(run_in(dir, &["import", "-q", "--store", "archive/", "r.ndjson"]).code, 0);
    publish(dir, "one", &[&WINDOWS[..], &BY].concat());
    let args = [&["publish", "-q", "--store", "archive", "--output", "two"], &WINDOWS[..], &BY].concat();
    let ran = run_in(dir, &args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(verify(dir, &["two"]).code, 0);
    for file in ["trend.json", "comparison.json"] {
        assert_eq!(figures(&dir.join("two"), file), figures(&dir.join("one"), file));
    }
}

#[test]
fn pseudonyms_change_no_figure_and_name_nobody() {
    let dir = imported(60);
    let dir = dir.path();
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    let said = publish(dir, "hidden", &[&WINDOWS[..], &BY, &["--pseudonymise", "pseudonyms.key"]].concat());
    assert_eq!(said.err.lines().filter(|l| !l.contains("other users can read this key")).count(), 0, "{said:?}");
    let ran = verify(dir, &["hidden"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for file in ["trend.json", "comparison.json"] {
        assert_eq!(figures(&dir.join("hidden"), file), figures(&dir.join("full"), file), "{file}");
    }
    let mut secrets: Vec<String> = Vec::new();
    for line in fs::read_to_string(dir.join("full/records.ndjson")).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        secrets.extend(record["host"]["mac"].as_str().map(str::to_owned));
        secrets.push(record["id"].as_str().unwrap().to_owned());
    }
    assert!(secrets.len() > 500);
    let hidden: String =
        fs::read_dir(dir.join("hidden")).unwrap().map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    secrets.iter().for_each(|secret| assert!(!hidden.contains(secret.as_str()), "{secret}"));
}

#[test]
fn live_facts_are_published_and_counted_again() {
    let dir = replayed(&[(0, 96, true), (1, 48, false), (2, 96, true)], &[]);
    let windows = ["--window", "2026-03-02..2026-03-03", "--baseline", "2026-03-01", "--step", "day"];
    fs::write(dir.path().join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    publish(dir.path(), "full", &windows);
    publish(dir.path(), "hidden", &[&windows[..], &["--pseudonymise", "pseudonyms.key"]].concat());
    for folder in ["full", "hidden"] {
        let ran = verify(dir.path(), &[folder]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let trend = value(&dir.path().join(folder).join("trend.json"));
        assert_eq!(trend["periods"][0]["coverage"]["up"], 0.5, "{trend}");
        assert_eq!(trend["whole"][1]["update"]["hosts"]["hosts"], 1);
    }
    assert!(fs::read_to_string(dir.path().join("full/context.ndjson")).unwrap().contains("10.0.0.5"));
    let args = ["trend", "--store", "s.db", "--window", "2026-03-02..2026-03-03", "--step", "day", "--format", "json"];
    let mut stored = report(dir.path(), &[&args[..], &["-q"]].concat());
    let mut published = value(&dir.path().join("full/trend.json"));
    for trend in [&mut stored, &mut published] {
        trend["method"]["groups"] = Value::Null;
    }
    assert_eq!(stored, published);
}

/// Takes the first record out.
fn without_the_first(folder: &Path) {
    let path = folder.join("records.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.split_once('\n').unwrap().1).unwrap();
}

/// A folder is altered, and what is found of it.
type Alteration = (&'static str, fn(&Path), &'static [&'static str]);

#[test]
fn an_office_day_gives_the_same_figures_with_pseudonyms() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples/office-day.pcap.zst");
    assert_eq!(run_in(dir, &["replay", "-q", "--store", "s.db", sample.to_str().unwrap()]).code, 0);
    fs::write(dir.join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    // Of one address only a longer prefix knows more.
    fs::write(dir.join("groups.csv"), "prefix,site\n10.0.0.0/9,north\n10.20.30.0/24,south\n").unwrap();
    let day = ["--window", "2026-03-02", "--step", "day", "--groups", "groups.csv", "--by", "site"];
    publish(dir, "full", &day);
    let said = publish(dir, "hidden", &[&day[..], &["--pseudonymise", "pseudonyms.key"]].concat());
    assert!(!said.err.contains("differ"), "{said:?}");
    assert_eq!(figures(&dir.join("hidden"), "trend.json"), figures(&dir.join("full"), "trend.json"));
    for folder in ["full", "hidden"] {
        assert_eq!(verify(dir, &[folder]).code, 0);
    }
    let context = |folder: &str| fs::read_to_string(dir.join(folder).join("context.ndjson")).unwrap();
    let (full, hidden) = (context("full"), context("hidden"));
    assert_eq!(full.lines().count(), hidden.lines().count());
    let macs = full
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).unwrap()["interval"]["mac"].as_str().map(str::to_owned));
    let macs: Vec<String> = macs.collect();
    assert!(macs.len() > 20);
    macs.iter().for_each(|mac| assert!(!hidden.contains(mac), "{mac}"));
}

#[test]
fn what_is_altered_is_found() {
    let dir = imported(30);
    let dir = dir.path();
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    let cases: [Alteration; 8] = [
        (
            "link",
            |folder| {
                fs::rename(folder.join("coverage.json"), folder.with_extension("elsewhere")).unwrap();
                std::os::unix::fs::symlink("../link.elsewhere", folder.join("coverage.json")).unwrap();
            },
            &["ALTERED coverage.json is a link", "cannot be counted again: coverage.json is a link"],
        ),
        ("removed", without_the_first, &["ALTERED records.ndjson was altered", "records, and manifest.json says"]),
        (
            "removed and hashed",
            |folder| {
                without_the_first(folder);
                repair(folder);
            },
            &["DOES NOT HOLD comparison.json /whole/baseline/update/daily/mean: claimed "],
        ),
        (
            "figure",
            |folder| {
                let mut trend = value(&folder.join("trend.json"));
                trend["whole"][1]["update"]["hosts"]["hosts"] = 7_000_000.into();
                fs::write(folder.join("trend.json"), trend.to_string()).unwrap();
                repair(folder);
            },
            &["DOES NOT HOLD trend.json /whole/1/update/hosts/hosts: claimed 7000000, counted "],
        ),
        (
            "share",
            |folder| {
                let mut compared = value(&folder.join("comparison.json"));
                compared["whole"]["update"]["cohort"]["share"]["low"] = 0.999.into();
                compared["whole"].as_object_mut().unwrap().remove("reputation");
                fs::write(folder.join("comparison.json"), compared.to_string()).unwrap();
                repair(folder);
            },
            &[
                "DOES NOT HOLD comparison.json /whole/update/cohort/share/low: claimed 0.999",
                "DOES NOT HOLD comparison.json /whole/reputation: claimed nothing",
            ],
        ),
        (
            "group",
            |folder| {
                let text = fs::read_to_string(folder.join("groups.csv")).unwrap();
                fs::write(folder.join("groups.csv"), text.replace("Acme,US", "Acme,DE")).unwrap();
                repair(folder);
            },
            &["DOES NOT HOLD trend.json /by/0/groups/"],
        ),
        (
            "window",
            |folder| {
                let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
                fs::write(folder.join("manifest.json"), text.replacen("2025-06-30", "2025-06-29", 1)).unwrap();
                repair(folder);
            },
            &["ALTERED cannot be counted again"],
        ),
        (
            "added",
            |folder| fs::write(folder.join("more.txt"), "x").unwrap(),
            &["ALTERED more.txt is not in the manifest"],
        ),
    ];
    for (name, alter, words) in cases {
        let folder = dir.join(name);
        copy(&dir.join("full"), &folder);
        alter(&folder);
        let ran = verify(dir, &[name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        words.iter().for_each(|w| assert!(ran.out.contains(w), "{name}: {w:?} in {}", ran.out));
        assert!(ran.out.contains("NOT sound"));
    }
}

#[test]
fn a_report_from_elsewhere_is_held_against_the_records() {
    let dir = imported(30);
    let dir = dir.path();
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    let common = ["--store", "s.db", "--groups", "groups.csv", "--by", "country", "--format", "json", "-q"];
    let trend = report(dir, &[&["trend", "--window", "2025-04..2025-06"], &common[..]].concat());
    let compare =
        report(dir, &[&["compare", "--baseline", "2025-02", "--current", "2025-04..2025-06"], &common[..]].concat());
    let mut both = json!({"schema": "spansight.report/1", "trend": trend, "comparison": compare});
    for (name, claims) in [("trend.json", &both["trend"]), ("compare.json", &both["comparison"]), ("both.json", &both)]
    {
        fs::write(dir.join(name), claims.to_string()).unwrap();
        let ran = verify(dir, &["full", "--report", name]);
        assert!(ran.code == 0 && ran.out.matches(" 0 do not").count() == 3, "{name}: {ran:?}");
    }
    both["comparison"]["whole"]["update"]["hosts"]["per_cent"] = json!(-58.0);
    both["trend"]["by"][0]["groups"][1]["points"][2]["both"] = json!(40_000);
    fs::write(dir.join("both.json"), both.to_string()).unwrap();
    let ran = verify(dir, &["full", "--report", "both.json"]);
    let words = [
        "DOES NOT HOLD both.json /comparison/whole/update/hosts/per_cent: claimed -58.0, counted ",
        "DOES NOT HOLD both.json /trend/by/0/groups/1/points/2/both: claimed 40000, counted ",
        ", 2 do not",
    ];
    assert_eq!(ran.code, 1);
    words.iter().for_each(|w| assert!(ran.out.contains(w), "{w:?} in {}", ran.out));
    fs::write(dir.join("none.json"), "{}").unwrap();
    verify(dir, &["full", "--report", "none.json"]).said_once(FAILED, &["neither a trend nor a comparison"]);
    verify(dir, &["s.db", "--report", "both.json"]).said_once(USAGE, &["--report"]);
}

#[test]
fn a_changed_byte_of_any_file_is_found() {
    let dir = imported(6);
    let dir = dir.path();
    assert_eq!(verify(dir, &["--new-key", "sign.key"]).code, 0);
    publish(dir, "full", &[&WINDOWS[..], &BY, &["--sign", "sign.key"]].concat());
    assert_eq!(verify(dir, &["full"]).code, 0);
    let mut files = 0;
    for entry in fs::read_dir(dir.join("full")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let ran = verify(dir, &["full"]);
            assert!([1, FAILED].contains(&ran.code), "{path:?} {at}: {ran:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!([1, FAILED].contains(&verify(dir, &["full"]).code), "{path:?}");
        fs::write(&path, bytes).unwrap();
        files += 1;
    }
    assert!(files >= 9, "{files}");
    assert_eq!(verify(dir, &["full"]).code, 0);
}

#[test]
fn a_signature_shows_who_wrote_it() {
    let dir = imported(6);
    let dir = dir.path();
    let key = |name: &str| {
        let made = verify(dir, &["--new-key", name]);
        assert_eq!(made.code, 0, "{made:?}");
        fs::write(dir.join(format!("{name}.pub")), &made.out).unwrap();
        made.out.trim().to_owned()
    };
    let (mine, _other) = (key("mine"), key("other"));
    publish(dir, "signed", &[&WINDOWS[..], &["--sign", "mine"]].concat());
    let ran = verify(dir, &["signed", "--key", "mine.pub"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains(&format!("signature by {mine} holds")), "{ran:?}");
    let ran = verify(dir, &["signed", "--key", "other.pub"]);
    assert!(ran.code == 1 && ran.out.contains("ALTERED there is no signature that holds by"), "{ran:?}");
    // Who repairs the hashes cannot repair the signature.
    repair(&dir.join("signed"));
    let ran = verify(dir, &["signed"]);
    assert!(ran.code == 1 && ran.out.contains("ALTERED manifest.sig is no signature of manifest.json"), "{ran:?}");
    publish(dir, "plain", &WINDOWS);
    let ran = verify(dir, &["plain", "--key", "mine.pub"]);
    assert!(ran.code == 1 && ran.out.contains("there is no signature that holds"), "{ran:?}");
}

/// The counts of a signal in the rows of `cells.json`, the total last.
fn counts(cells: &Value, signal: &str, period: usize) -> Vec<Option<u64>> {
    let rows = cells["rows"].as_array().unwrap();
    rows.iter().map(|r| r[signal][period]["hosts"].as_u64()).collect()
}

#[test]
fn small_groups_are_left_out_and_cannot_be_had_from_the_total() {
    let dir = imported(60);
    let dir = dir.path();
    let window = ["--window", "2025-04..2025-06", "--groups", "groups.csv", "--by", "country,country+org"];
    let two = [&["publish", "--store", "s.db", "--output", "x", "--groups-only"], &window[..]].concat();
    run_in(dir, &two).said_once(USAGE, &["one breakdown"]);
    let window = ["--window", "2025-04..2025-06", "--groups", "groups.csv", "--by", "org"];
    publish(dir, "all", &[&window[..], &["--groups-only", "--min-group", "1"]].concat());
    publish(dir, "some", &[&window[..], &["--groups-only", "--min-group", "12"]].concat());
    let (all, some) = (value(&dir.join("all/cells.json")), value(&dir.join("some/cells.json")));
    let mut left_out = 0;
    for signal in ["update", "reputation"] {
        for period in 0..3 {
            let (all, some) = (counts(&all, signal, period), counts(&some, signal, period));
            assert_eq!(all.len(), some.len());
            let hidden: Vec<u64> =
                all.iter().zip(&some).filter(|(_, s)| s.is_none()).map(|(a, _)| a.unwrap()).collect();
            assert!(some.iter().flatten().all(|n| *n == 0 || *n >= 12), "{some:?}");
            assert!(all.iter().zip(&some).all(|(a, s)| s.is_none() || a == s));
            if some.last().unwrap().is_some() {
                assert!(hidden.is_empty() || hidden.len() > 1 && hidden.iter().sum::<u64>() >= 12, "{hidden:?}");
            }
            left_out += hidden.len();
        }
    }
    assert!(left_out > 2, "{left_out}");
    let files: Vec<String> = fs::read_dir(dir.join("some"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("catalogue-"))
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    let ran = verify(dir, &["some"]);
    assert!(ran.code == 0 && ran.out.contains("it has no records: counts, bounds"), "{ran:?}");
}

#[test]
fn counts_of_groups_must_agree_with_each_other() {
    let dir = imported(60);
    let dir = dir.path();
    publish(dir, "cells", &[&WINDOWS[..], &BY, &["--groups-only", "--min-group", "2"]].concat());
    let ran = verify(dir, &["cells"]);
    assert!(ran.code == 0 && ran.out.contains("cells.json: "), "{ran:?}");
    let rows = value(&dir.join("cells/cells.json"))["rows"].as_array().unwrap().len();
    type Act = fn(&mut Value);
    let acts: [(Act, &str); 4] = [
        (|both| both["share"]["share"] = 0.999.into(), "/share/share: claimed 0.999"),
        (|both| both["gone"] = 100_000.into(), "/gone: claimed 100000"),
        (|both| both["baseline"]["hosts"] = 1.into(), "1 hosts are fewer than 2"),
        (|both| both["current"]["lower"] = 100_000.into(), "at least 100000"),
    ];
    for (n, (act, words)) in acts.into_iter().enumerate() {
        let name = format!("cells{n}");
        copy(&dir.join("cells"), &dir.join(&name));
        let path = dir.join(&name).join("cells.json");
        let mut cells = value(&path);
        let total = &mut cells["rows"][rows - 1]["update"];
        assert!(total.is_object(), "{total}");
        act(total);
        fs::write(&path, cells.to_string()).unwrap();
        repair(&dir.join(&name));
        let ran = verify(dir, &[&name]);
        assert!(ran.code == 1 && ran.out.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn without_room_to_count_nothing_is_said_to_be_altered() {
    let dir = imported(10);
    let dir = dir.path();
    publish(dir, "full", &WINDOWS);
    let ran = program(&["verify", "full"]).current_dir(dir).env("TMPDIR", dir.join("none")).output().unwrap();
    let ran = Ran::of(ran);
    ran.said_once(FAILED, &["no room to count again", "none", "TMPDIR"]);
    assert_eq!(ran.out, "");
    assert_eq!(verify(dir, &["full"]).code, 0);
}

#[test]
fn bad_input_gets_one_sentence() {
    let dir = imported(6);
    let dir = dir.path();
    let base = ["publish", "-q", "--store", "s.db", "--output", "new"];
    fs::create_dir(dir.join("there")).unwrap();
    fs::write(dir.join("short"), "secret").unwrap();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["publish", "--store", "s.db", "--window", "2025", "--output", "there"], USAGE, "is there already"),
        (&["publish", "--store", "s.db", "--window", "2025", "--output", "no/such/place"], FAILED, "cannot write"),
        (&[&base[..], &["--window", "2025", "--baseline", "2025-02"]].concat(), USAGE, "have days in common"),
        (&[&base[..], &["--window", "2025", "--pseudonymise", "short"]].concat(), USAGE, "of key"),
        (&[&base[..], &["--window", "2025", "--sign", "short"]].concat(), USAGE, "no Ed25519 key"),
        (&[&base[..], &["--window", "2000..2024", "--step", "day"]].concat(), USAGE, "more than 3660 days"),
        (&["verify", "there", "--key", "short"], USAGE, "public"),
    ];
    for (args, code, words) in cases {
        run_in(dir, args).said_once(code, &[words]);
        assert!(!dir.join("new").exists());
    }
    // Nothing is left of what did not come about.
    let left = fs::read_dir(dir)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".publication"));
    assert_eq!(left.count(), 0);
}
