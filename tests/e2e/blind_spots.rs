//! What was not seen must not pass for a network without contacts: `--fail-on` ends
//! with 1, not with 0.

use crate::publish::{publish, repair, value, verify};
use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, run_in};
use crate::support::writer::Pcap;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const FINDINGS: i32 = 4;
const PARTIAL: i32 = 1;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A capture of a harmless visit in each of the quarter hours from 2026-03-01 on.
fn quiet(dir: &TempDir, name: &str, quarters: std::ops::Range<i64>) {
    let visit = packets::visit(host(5), 4000);
    let mut pcap = Pcap::new();
    for q in quarters {
        pcap.frames(TEN + (q - 40) * 900 * SECOND, &visit);
    }
    fs::write(dir.path().join(name), pcap.bytes()).unwrap();
}

fn replay(dir: &TempDir, args: &[&str]) -> i32 {
    run_in(dir.path(), &[&["replay", "-q", "--store", "s.db"], args].concat()).code
}

/// The hosts of a day of March 2026.
fn on(dir: &TempDir, day: u8) -> Ran {
    let (since, until) = (format!("2026-03-{day:02}"), format!("2026-03-{:02}", day + 1));
    let args =
        ["hosts", "-q", "--store", "s.db", "--since", &since, "--until", &until, "--fail-on", "looked-up,contacting"];
    run_in(dir.path(), &args)
}

fn report(dir: &TempDir, day: u8) -> Ran {
    let window = format!("2026-03-{day:02}");
    let args = ["report", "-q", "--store", "s.db", "--window", &window, "--json", "r.json", "--fail-on", "contacting"];
    run_in(dir.path(), &args)
}

#[test]
fn a_sensor_that_died_before_the_window_is_missed_in_it() {
    let dir = dir();
    quiet(&dir, "north.pcap", 0..10 * 96);
    quiet(&dir, "south.pcap", 0..96);
    assert_eq!(replay(&dir, &["--sensor", "north", "north.pcap"]), 0);
    assert_eq!(replay(&dir, &["--sensor", "south", "south.pcap"]), 0);
    assert_eq!((on(&dir, 1).code, report(&dir, 1).code), (0, 0));
    for day in [2, 8] {
        let ran = on(&dir, day);
        assert_eq!(ran.code, PARTIAL, "{ran:?}");
        assert!(ran.err.contains("the sensor south saw frames in only 0.0 % of the window"), "{ran:?}");
        assert_eq!(report(&dir, day).code, PARTIAL);
    }
    assert_eq!((on(&dir, 10).code, report(&dir, 10).code), (0, 0), "it was given up a week before");
}

#[test]
fn hours_that_options_left_out_were_not_watched() {
    let dir = dir();
    quiet(&dir, "day.pcap", 0..96);
    assert_eq!(replay(&dir, &["--until", "2026-03-01T09:30:00Z", "day.pcap"]), 0);
    let ran = on(&dir, 1);
    assert_eq!(ran.code, PARTIAL, "{ran:?}");
    assert!(ran.err.contains("the sensor saw frames in only 39.6 % of the window"), "{ran:?}");
    let ran = report(&dir, 1);
    assert!(ran.code == PARTIAL && ran.err.contains("in only 39.6 %"), "{ran:?}");
    // Read again without that, all of it was.
    assert_eq!(replay(&dir, &["day.pcap"]), 0);
    assert_eq!((on(&dir, 1).code, report(&dir, 1).code), (0, 0));
}

#[test]
fn what_is_missing_of_a_capture_may_lie_behind_its_end() {
    let dir = dir();
    quiet(&dir, "days.pcap", 0..4 * 96);
    quiet(&dir, "cut.pcap", 0..96);
    let path = dir.path().join("cut.pcap");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    assert_eq!((replay(&dir, &["days.pcap"]), replay(&dir, &["cut.pcap"])), (0, PARTIAL));
    for day in [1, 2] {
        let ran = on(&dir, day);
        assert!(ran.code == PARTIAL && ran.err.contains("could not be read in full"), "{ran:?}");
        assert_eq!(report(&dir, day).code, PARTIAL);
    }
    assert_eq!((on(&dir, 4).code, report(&dir, 4).code), (0, 0));
}

#[test]
fn records_that_retention_removed_do_not_come_back_with_others_of_that_day() {
    let dir = dir();
    let mut pcap = Pcap::new();
    pcap.frames(TEN, &packets::update(host(6), 40_000)).frames(TEN + SECOND, &packets::update(host(7), 40_001));
    fs::write(dir.path().join("day.pcap"), pcap.bytes()).unwrap();
    let late = packets::lookup(host(8), 4000, "www.kaspersky.com", [192, 0, 2, 7]);
    fs::write(dir.path().join("late.pcap"), Pcap::new().frames(TEN + 60 * SECOND, &late).bytes()).unwrap();
    quiet(&dir, "later.pcap", 96..98);
    assert_eq!(replay(&dir, &["day.pcap"]), 0);
    assert_eq!(on(&dir, 1).code, FINDINGS);
    assert_eq!(replay(&dir, &["--retain", "1", "later.pcap"]), 0);
    let why = "what was recorded on 1 day was removed by --retain";
    let ran = on(&dir, 1);
    assert!(ran.code == PARTIAL && ran.err.contains(why), "{ran:?}");
    assert_eq!(replay(&dir, &["late.pcap"]), 0);
    let hosts = ["hosts", "--store", "s.db", "--since", "2026-03-01", "--until", "2026-03-02", "--fail-on", "active"];
    let ran = run_in(dir.path(), &hosts);
    assert!(ran.code == PARTIAL && ran.err.contains(why), "{ran:?}");
    assert!(report(&dir, 1).err.contains("removed"), "{:?}", report(&dir, 1));
    // All of it is back.
    assert_eq!(replay(&dir, &["day.pcap"]), 0);
    assert!(!run_in(dir.path(), &hosts).err.contains(why));
}

#[test]
fn an_indicator_that_became_another_was_not_looked_for() {
    let entry = |usage: &str, category: &str, pattern: &str| {
        format!(
            "[[indicator]]\nid = \"mirror\"\ncategory = \"{category}\"\nuse = \"{usage}\"\nconfidence = \"low\"\n\
             meaning = \"m\"\n{pattern}\n"
        )
    };
    let base = entry("alone", "update", "exact = [\"old.example\", \"older.example\"]");
    for (now, known) in [
        (base.clone(), true),
        (entry("alone", "update", "exact = \"old.example\""), true),
        (entry("alone", "update", "exact = [\"old.example\", \"new.example\"]"), false),
        (entry("alone", "update", "suffix = \"old.example\""), false),
        (entry("alone", "web", "exact = \"old.example\""), false),
        (entry("support", "update", "exact = \"old.example\""), true),
    ] {
        let dir = dir();
        quiet(&dir, "a.pcap", 0..96);
        fs::write(dir.path().join("then.toml"), &base).unwrap();
        fs::write(dir.path().join("now.toml"), &now).unwrap();
        assert_eq!(replay(&dir, &["--catalogue", "then.toml", "a.pcap"]), 0);
        let judged = |file: &str| {
            let args = ["hosts", "-q", "--store", "s.db", "--catalogue", file, "--fail-on", "contacting"];
            run_in(dir.path(), &args)
        };
        assert_eq!(judged("then.toml").code, 0, "{now}");
        let ran = judged("now.toml");
        assert_eq!(ran.code, if known { 0 } else { PARTIAL }, "{now}: {ran:?}");
        // A run that left frames out has not looked for it in all.
        assert_eq!(replay(&dir, &["--catalogue", "now.toml", "--until", "2026-03-01T12:00:00Z", "a.pcap"]), 0);
        assert_eq!(judged("now.toml").code, if known { 0 } else { PARTIAL }, "{now}");
        assert_eq!(replay(&dir, &["--catalogue", "now.toml", "a.pcap"]), 0);
        assert_eq!(judged("now.toml").code, 0, "{now}");
    }
}

#[test]
fn a_sensor_that_sees_hides_no_other_that_is_blind() {
    let dir = dir();
    quiet(&dir, "north.pcap", 0..96);
    // Behind it all is encrypted; no name is in what it captures.
    let mut pcap = Pcap::new();
    for q in 0..96 {
        for n in 0..2 {
            let hello = packets::udp((host(9), 4500 + n), ([198, 51, 100, 9], 9999), &[7; 200]);
            pcap.frame(TEN + (q - 40) * 900 * SECOND, &hello);
        }
    }
    fs::write(dir.path().join("south.pcap"), pcap.bytes()).unwrap();
    assert_eq!(replay(&dir, &["--sensor", "north", "north.pcap"]), 0);
    assert_eq!(on(&dir, 1).code, 0);
    assert_eq!(replay(&dir, &["--sensor", "south", "south.pcap"]), 0);
    for ran in [on(&dir, 1), report(&dir, 1)] {
        assert!(ran.code == PARTIAL && ran.err.contains("of the sensor south: no host name was seen"), "{ran:?}");
        assert!(!ran.err.contains("of the sensor north"), "{ran:?}");
    }
}

/// A sensor at a resolver's port sees who looks an update server up, and nothing of
/// what follows.
#[test]
fn a_place_that_shows_dns_alone_is_no_clean_network() {
    let dir = dir();
    let lookup = packets::lookup(host(5), 4000, "www.example.net", [192, 0, 2, 7]);
    let mut pcap = Pcap::new();
    for q in 0..96 {
        pcap.frames(TEN + (q - 40) * 900 * SECOND, &lookup);
    }
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    assert_eq!(replay(&dir, &["--fail-on", "contacting", "a.pcap"]), PARTIAL);
    let ran = run_in(dir.path(), &["hosts", "-q", "--store", "s.db", "--fail-on", "contacting"]);
    assert!(ran.code == PARTIAL && ran.err.contains("hardly any connection was seen beside DNS"), "{ran:?}");
    assert_eq!(report(&dir, 1).code, PARTIAL);
    let trend = run_in(dir.path(), &["trend", "--store", "s.db", "--step", "day"]);
    assert!(!trend.out.contains("can have been missed"), "no bound is known: {trend:?}");
    // Whether somebody looks up is what it shows.
    assert_eq!(replay(&dir, &["--fail-on", "looked-up", "a.pcap"]), 0);
}

/// Short rotations of a capture see connections that began before them.
#[test]
fn connections_that_began_before_the_capture_have_no_names() {
    let dir = dir();
    let mut pcap = Pcap::new();
    pcap.frames(TEN, &packets::lookup(host(5), 4000, "www.example.net", [192, 0, 2, 7]));
    for port in 0..20 {
        let frames =
            packets::connection((host(6), 5000 + port), ([192, 0, 2, 9], 443), &[(b"\x17\x03\x03", b"\x17\x03\x03")]);
        pcap.frames(TEN + i64::from(port) * SECOND, &frames[3..]);
    }
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    assert_eq!(replay(&dir, &["--fail-on", "contacting", "a.pcap"]), PARTIAL);
    let ran = run_in(dir.path(), &["hosts", "-q", "--store", "s.db", "--fail-on", "contacting"]);
    assert!(ran.code == PARTIAL && ran.err.contains("of the flows were under way before the capture"), "{ran:?}");
}

/// However many captures there are, and whatever their sensors are called.
#[test]
fn a_capture_that_sees_hides_no_other_that_shows_nothing() {
    let dir = dir();
    fs::create_dir(dir.path().join("both")).unwrap();
    quiet(&dir, "both/hq.pcap", 0..96);
    let mut pcap = Pcap::new();
    for n in 0..200 {
        // ESP (RFC 4303): a tunnel, of which nothing can be read.
        let mut frame = packets::udp((host(7), 500), ([192, 0, 2, 1], 500), &[0; 64]);
        frame[23] = 50;
        pcap.frames(TEN + n * SECOND, &[frame]);
    }
    fs::write(dir.path().join("both/branch.pcap"), pcap.bytes()).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--store", "s.db", "--fail-on", "contacting", "both"]);
    let why = "branch.pcap: no TCP or UDP packet could be decoded";
    assert!(ran.code == PARTIAL && ran.err.contains(why), "{ran:?}");
    let ran = run_in(dir.path(), &["hosts", "-q", "--store", "s.db", "--fail-on", "contacting"]);
    assert!(ran.code == PARTIAL && ran.err.contains(why), "{ran:?}");
}

#[test]
fn a_replay_is_asked_for_its_whole_time_too() {
    let dir = dir();
    quiet(&dir, "a.pcap", 0..48);
    let of = |since: &str, until: &str| {
        let time = ["--since", since, "--until", until];
        run_in(dir.path(), &[&["replay", "-q", "--fail-on", "contacting", "a.pcap"][..], &time].concat())
    };
    assert_eq!(of("2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z").code, 0);
    assert_eq!(of("2026-03-01T06:00:00Z", "2026-03-01T07:00:00Z").code, 0);
    let ran = of("2026-03-01", "2026-03-02");
    assert!(ran.code == PARTIAL && ran.err.contains("frames in only 50.0 % of the window"), "{ran:?}");
}

/// Two days of two sensors: one sees visits on both days, the other a host that updates
/// on the first, and on the second only what no name is in.
fn one_went_blind(dir: &TempDir) {
    let at = |day: i64, quarter: i64| TEN + (day * 96 + quarter - 40) * 900 * SECOND;
    let (mut north, mut south) = (Pcap::new(), Pcap::new());
    for day in 0..2 {
        for q in 0..96 {
            for n in 0..3 {
                north.frames(at(day, q), &packets::visit(host(n), 4000));
            }
        }
    }
    for q in 0..96 {
        south.frames(at(0, q), &packets::lookup(host(9), 4600, "www.example.net", [192, 0, 2, 7]));
        if q % 40 == 10 {
            south.frames(at(0, q) + SECOND, &packets::update(host(9), 4601));
        }
    }
    for q in 0..96 {
        let hidden = packets::udp((host(9), 4700), ([198, 51, 100, 9], 9999), &[7; 20]);
        south.frames(at(1, q), &[hidden.clone(), hidden]);
    }
    for (name, pcap) in [("north", north), ("south", south)] {
        let file = format!("{name}.pcap");
        fs::write(dir.path().join(&file), pcap.bytes()).unwrap();
        assert_eq!(replay(dir, &["--sensor", name, &file]), 0);
    }
}

fn json(dir: &TempDir, args: &[&str]) -> Value {
    let ran = run_in(dir.path(), &[args, &["--store", "s.db", "--format", "json", "-q"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

const BLIND: &str = "of one of several sensors: no host name was seen at all in ";

#[test]
fn a_sensor_that_went_blind_is_no_host_that_went_away() {
    let dir = dir();
    one_went_blind(&dir);
    let trend = json(&dir, &["trend", "--step", "day"]);
    assert_eq!(trend["periods"][0]["doubts"], json!([]));
    let doubts = trend["periods"][1]["doubts"].as_array().unwrap();
    assert!(doubts.len() == 1 && doubts[0]["because"] == "blind", "{doubts:?}");
    let said = trend["warnings"][0].as_str().unwrap();
    assert!(said.starts_with(BLIND) && said.contains("2026-03-02"), "{said}");
    assert_eq!(trend["periods"][1]["coverage"]["doubtful_sensors"], json!(["south"]));
    assert_eq!(trend["periods"][0]["coverage"]["doubtful_sensors"], Value::Null);
    let windows = ["compare", "--baseline", "2026-03-01", "--current", "2026-03-02"];
    let compared = json(&dir, &windows);
    let why = compared["comparability"]["differences"].as_array().unwrap();
    let because: Vec<&Value> = why.iter().map(|d| &d["because"]).collect();
    assert_eq!(because, ["blind", "traffic"], "{why:?}");
    assert!(why[0]["what"].as_str().unwrap().starts_with(BLIND), "{why:?}");
    assert!(why[1]["what"].as_str().unwrap().starts_with("one of several sensors saw 8"), "{why:?}");
    let text = run_in(dir.path(), &[&windows[..], &["--store", "s.db"]].concat()).out.replace('\n', " ");
    assert!(text.contains("100 % fewer were seen") && text.contains("need not be a fall"), "{text}");
    assert!(text.contains("NOT COMPARABLE AS THEY ARE"), "{text}");
}

#[test]
fn whoever_has_a_publication_can_tell_that_a_sensor_went_blind() {
    let dir = dir();
    one_went_blind(&dir);
    let dir = dir.path();
    fs::write(dir.join("pseudonyms.key"), "5a3c9b".repeat(12)).unwrap();
    let both = ["--window", "2026-03-02", "--baseline", "2026-03-01", "--step", "day"];
    for (form, args) in [("full", &[][..]), ("hidden", &["--pseudonymise", "pseudonyms.key"])] {
        publish(dir, form, &[&both[..], args].concat());
        let ran = verify(dir, &[form]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let folder = dir.join(form);
        let doubtful = value(&folder.join("trend.json"))["periods"][0]["coverage"]["doubtful_sensors"].clone();
        assert_eq!(doubtful == json!(["south"]), form == "full", "{doubtful}");
        assert_eq!(doubtful.as_array().map(Vec::len), Some(1), "{doubtful}");
        let why = value(&folder.join("comparison.json"))["comparability"]["differences"].clone();
        assert!(why[0]["what"].as_str().unwrap().starts_with(BLIND), "{why}");
        // What each sensor counted is in the folder, and what follows from it is counted again.
        let mut coverage = value(&folder.join("coverage.json"));
        for window in coverage.as_array_mut().unwrap() {
            for counts in window["by_sensor"].as_object_mut().unwrap().values_mut() {
                counts["names"] = 1000.into();
            }
        }
        fs::write(folder.join("coverage.json"), coverage.to_string()).unwrap();
        repair(&folder);
        let ran = verify(dir, &[form]);
        assert!(ran.code == 1 && ran.out.contains("DOES NOT HOLD trend.json /periods/0/doubts/0"), "{ran:?}");
        assert!(ran.out.contains("DOES NOT HOLD comparison.json /comparability/"), "{ran:?}");
    }
    // A trend of the store is held against it, whatever sensors are called there.
    publish(dir, "again", &[&both[..], &["--pseudonymise", "pseudonyms.key"]].concat());
    let trend = ["trend", "--store", "s.db", "--window", "2026-03-02", "--step", "day", "--format", "json", "-q"];
    fs::write(dir.join("trend.json"), run_in(dir, &trend).out).unwrap();
    let ran = verify(dir, &["again", "--report", "trend.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // Of groups alone sensors are numbered.
    publish(dir, "groups", &[&both[..], &["--groups-only"]].concat());
    assert_eq!(verify(dir, &["groups"]).code, 0);
    let cells = value(&dir.join("groups/cells.json"));
    assert_eq!(cells["windows"][1]["coverage"]["doubtful_sensors"], json!(["sensor-2"]));
    assert_eq!(cells["differences"], json!(["blind", "traffic"]));
}

#[test]
fn a_folder_that_does_not_say_what_each_sensor_counted_still_holds() {
    let dir = dir();
    one_went_blind(&dir);
    let folder = dir.path().join("old");
    publish(dir.path(), "old", &["--window", "2026-03-01", "--step", "day"]);
    let mut coverage = value(&folder.join("coverage.json"));
    for window in coverage.as_array_mut().unwrap() {
        assert!(window.as_object_mut().unwrap().remove("by_sensor").is_some());
    }
    fs::write(folder.join("coverage.json"), coverage.to_string()).unwrap();
    repair(&folder);
    let ran = verify(dir.path(), &["old"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
