//! `spansight publish`, and `spansight verify` of what it wrote.

use crate::measure::{import, office, replayed, report};
use crate::support::program::{Ran, program, run_in};
use crate::support::sha256;
use serde_json::{Value, json};
use spansight::sighting::draft::record_id;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub const USAGE: i32 = 2;
const FAILED: i32 = 3;
pub const WINDOWS: [&str; 6] = ["--window", "2025-04..2025-06", "--baseline", "2025-02", "--step", "month"];
pub const BY: [&str; 4] = ["--groups", "groups.csv", "--by", "country"];

/// An office of so many hosts in `s.db`.
pub fn imported(hosts: u64) -> TempDir {
    let dir = TempDir::new().unwrap();
    import(dir.path(), &office(hosts));
    fs::write(dir.path().join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    dir
}

pub fn publish(dir: &Path, to: &str, args: &[&str]) -> Ran {
    let ran = run_in(dir, &[&["publish", "-q", "--store", "s.db", "--output", to], args].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

pub fn verify(dir: &Path, args: &[&str]) -> Ran {
    run_in(dir, &[&["verify"], args].concat())
}

pub fn value(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Makes the hashes of a folder those of its files, as who alters one can, and
/// the number of records.
pub fn repair(folder: &Path) {
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

pub fn copy(from: &Path, to: &Path) {
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

#[test]
fn a_window_that_goes_on_is_counted_again_as_of_its_time() {
    let dir = replayed(&[(0, 96, true)], &[]);
    publish(dir.path(), "full", &["--window", "2026-03-01..2035-12-31", "--step", "month"]);
    let folder = dir.path().join("full");
    let (trend, manifest) = (value(&folder.join("trend.json")), value(&folder.join("manifest.json")));
    let last = &trend["periods"][0]["coverage"];
    let counted = manifest["options"]["counted"].as_str().unwrap();
    assert!(counted.ends_with("Z") && trend["periods"][117]["coverage"]["quarters"] == 0, "{manifest}");
    assert!(last["quarters_up"] == 96, "{last}");
    let ran = verify(dir.path(), &["full"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // By what it says, and by no clock.
    let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
    fs::write(folder.join("manifest.json"), text.replace(counted, "2034-12-30T00:00:00Z")).unwrap();
    repair(&folder);
    let ran = verify(dir.path(), &["full"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("/coverage/until: claimed") && !ran.out.contains("/periods/0/"), "{ran:?}");
    // Of one that has passed nothing of the kind is kept.
    publish(dir.path(), "past", &["--window", "2026-03-01", "--step", "day"]);
    assert!(value(&dir.path().join("past/manifest.json"))["options"].get("counted").is_none());
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

/// A record whose id is that of its fields.
fn with_id(mut record: Value) -> Value {
    let text = |place: &str| record.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (ip, mac) = (text("/host/ip").parse().unwrap(), text("/host/mac").parse().ok());
    let (sensor, segment) = (text("/sensor"), text("/host/segment"));
    record["id"] = record_id(&sensor, &segment, &ip, mac, &text("/indicator/id"), &text("/period")).into();
    record
}

/// Hosts with public addresses, from nowhere that this program knows as home.
#[test]
fn with_pseudonyms_no_address_stays_wherever_it_was_recorded() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let public = office(8).replace("\"ip\":\"10.", "\"ip\":\"81.");
    let lines = public.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["sensor"] = "anna-laptop".into();
        record["client_subnets"] = json!(["198.51.100.0/24"]);
        with_id(record).to_string() + "\n"
    });
    fs::write(dir.join("r.ndjson"), lines.collect::<String>()).unwrap();
    fs::write(dir.join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    fs::write(dir.join("groups.csv"), "prefix,org,country\n81.0.0.0/8,Acme,US\n").unwrap();
    for store in ["s.db", "archive/"] {
        let ran = run_in(dir, &["import", "-q", "--store", store, "r.ndjson"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    for (to, store) in [("of-store", "s.db"), ("of-archive", "archive/")] {
        let pseudonyms = ["--pseudonymise", "pseudonyms.key", "--output", to, "--store", store];
        let ran = run_in(dir, &[&["publish", "-q"], &pseudonyms[..], &WINDOWS[..], &BY].concat());
        assert!(ran.code == 0 && !ran.err.contains("differ"), "{ran:?}");
        for file in ["trend.json", "comparison.json"] {
            assert_eq!(figures(&dir.join(to), file), figures(&dir.join("full"), file), "{to} {file}");
        }
        assert_eq!(verify(dir, &[to]).code, 0);
        let text: String = fs::read_dir(dir.join(to))
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| !p.to_string_lossy().contains("catalogue-"))
            .map(|p| fs::read_to_string(p).unwrap())
            .collect();
        for secret in ["\"81.", "\n81.", "198.51.100.", "anna"] {
            assert!(!text.contains(secret), "{to}: {secret}");
        }
    }
    let counts = ["--groups-only", "--output", "counts", "--home-net", "81.0.0.0/8,10.0.0.0/8"];
    let ran = run_in(dir, &[&["publish", "-q", "--store", "s.db"], &counts[..], &WINDOWS[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    for file in ["manifest.json", "cells.json"] {
        let text = fs::read_to_string(dir.join("counts").join(file)).unwrap();
        assert!(!text.contains("81.0.0.0") && !text.contains("anna"), "{text}");
    }
}

/// The user's own entries name the user's own servers.
#[test]
fn a_catalogue_of_ones_own_is_not_published_unasked() {
    let dir = imported(12);
    let dir = dir.path();
    let own = "[[indicator]]\nid = \"own\"\ncategory = \"update\"\nuse = \"alone\"\nconfidence = \"high\"\nmeaning = \"Our server in room 12, ask Anna\"\nexact = \"ksc.corp.example\"\nsources = [\"Anna\"]\n";
    fs::write(dir.join("own.toml"), own).unwrap();
    for form in [&["--pseudonymise", "pseudonyms.key"][..], &["--groups-only"]] {
        let base = ["publish", "-q", "--store", "s.db", "--add-catalogue", "own.toml", "--output", "new"];
        let ran = run_in(dir, &[&base[..], &WINDOWS[..], form].concat());
        assert!(ran.code == USAGE && ran.err.contains("--show-catalogue"), "{ran:?}");
        assert!(!dir.join("new").exists());
        let ran = run_in(dir, &[&base[..], &WINDOWS[..], form, &["--show-catalogue"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(verify(dir, &["new"]).code, 0);
        fs::remove_dir_all(dir.join("new")).unwrap();
    }
    let both = ["--pseudonymise", "pseudonyms.key", "--min-group", "50"];
    let base = ["publish", "-q", "--store", "s.db", "--window", "2025-04", "--output", "new"];
    let ran = run_in(dir, &[&base[..], &both].concat());
    assert!(ran.code == USAGE && ran.err.contains("cannot be used with '--min-group"), "{ran:?}");
    let two = ["--groups-only", "--min-group", "2"];
    let ran = run_in(dir, &[&base[..], &two].concat());
    assert!(ran.code == USAGE && ran.err.contains("3..=1000000"), "{ran:?}");
}

/// With the catalogue of a day, that of a run may be the one that is applied:
/// names that only the given one lists are the user's own.
#[test]
fn with_the_catalogue_of_a_day_only_what_that_lists_stays() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let entry = |id: &str, name: &str| {
        format!(
            "[[indicator]]\nid = \"{id}\"\ncategory = \"update\"\nuse = \"alone\"\nconfidence = \"high\"\n\
             meaning = \"ours\"\nexact = \"{name}\"\nsources = [\"Anna\"]\n"
        )
    };
    fs::write(dir.join("own.toml"), entry("own", "ksc.corp.example")).unwrap();
    fs::write(dir.join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    let all = office(8);
    let records = all.lines().enumerate().map(|(n, line)| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if n % 2 == 0 {
            record["indicator"]["id"] = "own".into();
            record["names"] = json!(["ksc.corp.example"]);
        }
        with_id(record).to_string() + "\n"
    });
    fs::write(dir.join("r.ndjson"), records.collect::<String>()).unwrap();
    // The run that imports has the built-in catalogue.
    let ran = run_in(dir, &["import", "-q", "--store", "s.db", "r.ndjson"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let of_run = ["--add-catalogue", "own.toml", "--catalogue-as-of", "2099-01-01", "--pseudonymise", "pseudonyms.key"];
    let said = publish(dir, "of-run", &[&WINDOWS[..], &of_run].concat());
    assert!(!said.err.contains("differ"), "{said:?}");
    for entry in fs::read_dir(dir.join("of-run")).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(!text.contains("ksc.corp.example") && !text.contains("\"own\""), "{:?}", entry.path());
    }
    assert_eq!(verify(dir, &["of-run"]).code, 0);
    // Of a day before any run the given one is applied, and what it lists stays
    // where it may be shown.
    let given = ["--catalogue-as-of", "2020-01-01", "--pseudonymise", "pseudonyms.key", "--show-catalogue"];
    publish(dir, "given", &[&WINDOWS[..], &of_run[..2], &given].concat());
    assert!(fs::read_to_string(dir.join("given/records.ndjson")).unwrap().contains("ksc.corp.example"));
    assert_eq!(verify(dir, &["given"]).code, 0);
    publish(dir, "counts", &[&WINDOWS[..], &of_run[2..4], &["--groups-only"]].concat());
    assert_eq!(verify(dir, &["counts"]).code, 0);
}

/// What readers take differently, or without end, is refused.
#[test]
fn a_publication_is_read_as_anybody_reads_it_and_not_without_end() {
    let dir = imported(12);
    let dir = dir.path();
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    publish(dir, "cells", &[&WINDOWS[..], &["--groups-only"]].concat());
    let altered = |from: &str, name: &str, file: &str, act: &dyn Fn(String) -> String| {
        copy(&dir.join(from), &dir.join(name));
        let path = dir.join(name).join(file);
        fs::write(&path, act(fs::read_to_string(&path).unwrap())).unwrap();
        repair(&dir.join(name));
        verify(dir, &[name])
    };
    let twice = |text: String| text.replacen("\"hosts\": {", "\"hosts\": {\"hosts\": 7000000, ", 1);
    let ran = altered("full", "twice", "trend.json", &twice);
    assert!(ran.code == 1 && ran.out.contains("\"hosts\" stands twice"), "{ran:?}");
    let long = |_: String| format!("[{}0]", "0,".repeat(3_000_000));
    for file in ["trend.json", "comparison.json"] {
        let ran = altered("full", &format!("long-{file}"), file, &long);
        assert!(ran.code == 1 && ran.out.contains("more values than it can have"), "{ran:?}");
    }
    let up = |text: String| text.replacen("\"quarters\": ", "\"quarters\": 9", 1);
    let ran = altered("cells", "up", "cells.json", &up);
    assert!(ran.code == 1 && ran.out.contains("DOES NOT HOLD cells.json /windows/0/coverage/up"), "{ran:?}");
    // A file that is much longer than it is to be, most of it nothing at all.
    copy(&dir.join("full"), &dir.join("sparse"));
    let catalogue = fs::read_dir(dir.join("sparse")).unwrap().map(|e| e.unwrap().path());
    let catalogue = catalogue.into_iter().find(|p| p.to_string_lossy().contains("catalogue-")).unwrap();
    fs::OpenOptions::new().write(true).open(&catalogue).unwrap().set_len(600 << 20).unwrap();
    let ran = verify(dir, &["sparse"]);
    assert!(ran.code == 1 && ran.out.contains("is much longer than manifest.json says"), "{ran:?}");
    // What is reckoned from a length would have no end.
    copy(&dir.join("full"), &dir.join("nothing"));
    let lengthen = |path: &Path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(257 << 20).unwrap();
    lengthen(&dir.join("nothing/trend.json"));
    repair(&dir.join("nothing"));
    let ran = verify(dir, &["nothing"]);
    assert!(ran.code == 1 && ran.out.contains("ALTERED cannot be counted again: trend.json"), "{ran:?}");
    assert!(ran.out.contains("too long") && ran.out.matches("ALTERED").count() == 1, "{ran:?}");
    fs::write(dir.join("report.json"), format!("[{}0]", "0,".repeat(9_000_000))).unwrap();
    verify(dir, &["full", "--report", "report.json"]).said_once(FAILED, &["more values than it can have"]);
    lengthen(&dir.join("report.json"));
    verify(dir, &["full", "--report", "report.json"]).said_once(FAILED, &["report.json", "too long"]);
}

/// What others wrote is neither said without end nor compared each with each.
#[test]
fn of_very_many_claims_and_files_a_part_is_said() {
    let dir = imported(12);
    let dir = dir.path();
    publish(dir, "full", &[&WINDOWS[..], &BY].concat());
    let mut report = json!({"trend": value(&dir.join("full/trend.json"))});
    for n in 0..80 {
        report["trend"]["by"].as_array_mut().unwrap().push(json!({"columns": ["x".repeat(9000), n.to_string()]}));
        report[format!("m{n}{}", "x".repeat(9000))] = 0.into();
    }
    fs::write(dir.join("report.json"), report.to_string()).unwrap();
    let ran = verify(dir, &["full", "--report", "report.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.matches("CANNOT BE COUNTED report.json").count(), 51, "{ran:?}");
    assert!(ran.out.contains("CANNOT BE COUNTED report.json and 30 more\n"), "{ran:?}");
    let unchecked = ran.out.lines().find(|l| l.starts_with("NOT CHECKED report.json")).unwrap();
    assert!(unchecked.ends_with(" and 33 more") && unchecked.len() < 50 * 300, "{unchecked}");
    let mut manifest = value(&dir.join("full/manifest.json"));
    for n in 0..1200 {
        let path = format!("catalogue-{n}.toml");
        manifest["files"].as_array_mut().unwrap().push(json!({"path": path, "size": 1, "sha256": "00"}));
    }
    fs::write(dir.join("full/manifest.json"), manifest.to_string()).unwrap();
    let ran = verify(dir, &["full"]);
    assert_eq!((ran.code, ran.out.matches("ALTERED catalogue-").count()), (1, 1000 + 999), "{}", ran.out);
    assert!(ran.out.contains("ALTERED and 200 more\n") && ran.out.contains("ALTERED and 201 more\n"), "{}", ran.out);
}

#[test]
fn what_a_report_claims_beside_its_trend_is_held_against_the_records_or_named() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples/office-day.pcap.zst");
    assert_eq!(run_in(dir, &["replay", "-q", "--store", "s.db", sample.to_str().unwrap()]).code, 0);
    fs::write(dir.join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    let window = ["--window", "2026-03-02", "--step", "day"];
    publish(dir, "hidden", &[&window[..], &["--pseudonymise", "pseudonyms.key"]].concat());
    let made = run_in(dir, &["report", "--store", "s.db", "--window", "2026-03-02", "--json", "true.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    let ran = verify(dir, &["hidden", "--report", "true.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("NOT CHECKED true.json ") && ran.out.contains("/doubts"), "{ran:?}");
    let alter = |act: &dyn Fn(&mut Value)| {
        let mut forged = value(&dir.join("true.json"));
        act(&mut forged);
        fs::write(dir.join("forged.json"), forged.to_string()).unwrap();
        verify(dir, &["hidden", "--report", "forged.json"])
    };
    type Act = fn(&mut Value);
    let acts: [(Act, &str); 4] = [
        (|r| r["headline"]["in_use"] = 999.into(), "/headline/in_use: claimed 999"),
        (|r| r["headline"]["installed"] = 999.into(), "/headline/installed: claimed 999"),
        (|r| r["hosts"] = json!([]), "/hosts: 0 are listed as active"),
        (
            |r| r["total"]["whole"]["update"]["hosts"]["hosts"] = 999.into(),
            "/total/whole/update/hosts/hosts: claimed 999",
        ),
    ];
    for (act, words) in acts {
        let ran = alter(&act);
        assert!(ran.code == 1 && ran.out.contains(words), "{words}: {ran:?}");
    }
    // Somebody may answer for hosts, but only for those that there are, each by name.
    let accept = "[[accept]]\nnetwork = \"0.0.0.0/0\"\nverdict = \"active\"\nreason = \"bench\"\nowner = \"lab\"\nexpires = \"2100-01-01\"\n";
    fs::write(dir.join("accept.toml"), accept).unwrap();
    let accepted = ["--json", "true.json", "--accept", "accept.toml"];
    let made = run_in(dir, &[&["report", "-q", "--store", "s.db", "--window", "2026-03-02"], &accepted[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    assert!(value(&dir.join("true.json"))["headline"]["accepted"].as_u64().unwrap() > 3);
    let ran = verify(dir, &["hidden", "--report", "true.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let acts: [(Act, &str); 3] = [
        (|r| r["headline"]["accepted"] = 999.into(), "/headline/accepted: claimed 999, "),
        (|r| r["headline"]["in_use"] = 1.into(), "/headline/in_use: claimed 1, "),
        (
            |r| {
                r.as_object_mut().unwrap().remove("hosts");
                r["headline"]["accepted"] = 999.into();
            },
            "/headline/accepted: claimed 999, the total has ",
        ),
    ];
    for (act, words) in acts {
        let ran = alter(&act);
        assert!(ran.code == 1 && ran.out.contains(words), "{words}: {ran:?}");
    }
    // Of another window nothing can be said, however well it agrees with itself.
    let made =
        run_in(dir, &["report", "-q", "--store", "s.db", "--window", "2026-03-01..2026-03-02", "--json", "other.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    verify(dir, &["hidden", "--report", "other.json"]).said_once(FAILED, &["nothing in other.json can be counted"]);
    // What is true, but not of what was published.
    let by = ["--groups", "groups.csv", "--by", "site", "--format", "json", "-q", "--store", "s.db"];
    fs::write(dir.join("groups.csv"), "prefix,site\n10.0.0.0/9,north\n").unwrap();
    let trend = report(dir, &[&["trend"], &window[..], &by].concat());
    fs::write(dir.join("trend.json"), trend.to_string()).unwrap();
    let ran = verify(dir, &["hidden", "--report", "trend.json"]);
    let words = "CANNOT BE COUNTED trend.json /by/0: the publication does not count by [\"site\"]";
    assert!(ran.code == 0 && ran.out.contains(words), "{ran:?}");
    let month =
        report(dir, &["trend", "--window", "2026-03", "--step", "month", "--format", "json", "-q", "--store", "s.db"]);
    fs::write(dir.join("month.json"), month.to_string()).unwrap();
    verify(dir, &["hidden", "--report", "month.json"]).said_once(FAILED, &["nothing in month.json can be counted"]);
}
