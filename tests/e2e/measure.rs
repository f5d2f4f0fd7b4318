//! `spansight trend` and `spansight compare`.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, run_in};
use crate::support::writer::Pcap;
use serde_json::{Value, json};
use spansight::base::time::{format_day, parse_day};
use spansight::sighting::draft::record_id;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const USAGE: i32 = 2;
const FAILED: i32 = 3;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// One line of a record.
fn line(mac: Option<&str>, ip: &str, signal: &str, day: &str, slots: u128, stage: &str) -> String {
    let (indicator, name) = match signal {
        "update" => ("update-s-hosts", "s05.upd.kaspersky.com"),
        _ => ("reputation-ksn-geo", "ksn-file-geo.kaspersky-labs.com"),
    };
    let id = record_id("office", "", &ip.parse().unwrap(), mac.and_then(|m| m.parse().ok()), indicator, day);
    let mut host = json!({"ip": ip, "segment": ""});
    if let Some(mac) = mac {
        host["mac"] = mac.into();
    }
    let answered = if stage == "queried" { 0 } else { slots };
    let time = |slot: u32| format!("{day}T{:02}:{:02}:01Z", slot / 4, slot % 4 * 15);
    let (first, last) = (slots.leading_zeros() - 32, 95 - slots.trailing_zeros());
    let channels = if stage == "queried" { vec!["dns_query"] } else { vec!["dns_query", "tls_sni"] };
    json!({
        "schema": "spansight.sighting/1", "id": id, "revision": 1, "sensor": "office", "source": "run:office",
        "period": day, "host": host,
        "indicator": {"id": indicator, "category": signal, "confidence": "high"},
        "stage": stage, "channels": channels, "names": [name], "names_more": 0,
        "servers": [], "servers_more": 0, "first_seen": time(first), "last_seen": time(last),
        "count": 3, "sessions": (slots & !(slots >> 1)).count_ones(),
        "slots": format!("{slots:024x}"), "slots_connected": format!("{answered:024x}"),
        "bytes_to_server": 500, "bytes_from_server": 9000, "notes": [], "community_ids": [], "evidence": [],
    })
    .to_string()
}

/// Six months of an office whose hosts come and go, some with a hardware address
/// and a lease that changes with the month.
pub fn office(hosts: u64) -> String {
    let mut dice = Dice(7);
    let start = parse_day("2025-01-01").unwrap();
    let mut lines = String::new();
    for n in 0..hosts {
        let mac = (n % 3 != 0).then(|| format!("00:16:3e:00:{:02x}:{:02x}", n >> 8, n & 255));
        let (from, to) = (dice.below(120) as i64, 60 + dice.below(120) as i64);
        for d in from..to.max(from) {
            if dice.below(5) > 1 {
                continue;
            }
            let day = format_day(start + d);
            // Two addresses within twelve hours could be two hosts beyond a router.
            if day.ends_with("-01") {
                continue;
            }
            let month: u64 = day[5..7].parse().unwrap();
            let k = if mac.is_some() && n % 2 == 0 { n + 256 * (month % 4) } else { n };
            let net = if mac.is_some() { 0 } else { 100 };
            let ip = format!("10.{}.{}.{}", net, k >> 8, k & 255);
            let slots = (0..=dice.below(3)).fold(0u128, |s, _| s | 1 << (20 + dice.below(50)));
            let signal = if dice.below(3) == 0 { "reputation" } else { "update" };
            let stage = ["queried", "connected", "transferred"][dice.below(3) as usize];
            writeln!(lines, "{}", line(mac.as_deref(), &ip, signal, &day, slots, stage)).unwrap();
        }
    }
    lines
}

/// Prefixes of which one changed hands, one is nobody's and one lies in another.
const GROUPS: &str = "prefix,org,country,valid_from,valid_to\n10.0.0.0/25,Acme,US,,\n10.0.0.128/25,Bolt,US,,2025-03-15\n\
                      10.0.0.128/25,Cord,DE,2025-03-16,\n10.0.1.0/24,Dyne,DE,,\n10.0.1.64/26,Edge,,,\n10.100.0.0/16,Fuse,UK,,\n";

pub fn import(dir: &Path, lines: &str) {
    fs::write(dir.join("r.ndjson"), lines).unwrap();
    fs::write(dir.join("groups.csv"), GROUPS).unwrap();
    let ran = run_in(dir, &["import", "-q", "--store", "s.db", "r.ndjson"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

pub fn report(dir: &Path, args: &[&str]) -> Value {
    let ran = run_in(dir, args);
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

/// The figures of a signal in the words of the recount.
fn figures(signal: &Value, first: bool) -> Value {
    let (hosts, moves, daily) = (&signal["hosts"], &signal["moves"], &signal["daily"]);
    // Of the first period it is not known what came before.
    assert_eq!(moves.is_null(), first);
    let later = |word: &str| if first { json!(0) } else { moves[word].clone() };
    let new = if first { &hosts["hosts"] } else { &moves["new"] };
    json!({
        "hosts": hosts["hosts"], "by_address": hosts["by_address"], "organisations": signal["organisations"]["seen"],
        "new": new, "returning": later("returning"), "kept": later("kept"), "lost": later("lost"),
        "daily": [daily["median"], daily["least"], daily["most"]], "busiest_hour": signal["busiest_hour"],
    })
}

fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(n) => json!(n.as_f64()),
        Value::Array(all) => all.iter().map(numbers).collect(),
        Value::Object(all) => Value::Object(all.iter().map(|(k, v)| (k.clone(), numbers(v))).collect()),
        other => other.clone(),
    }
}

#[test]
fn figures_are_those_of_another_program() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    import(dir, &office(400));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/recount.py");
    let mut recount = Command::new("python3");
    recount.arg(script).current_dir(dir).args(["r.ndjson", "groups.csv", "2025-03", "2025-05"]);
    let output = recount.output().expect("python3 is installed by scripts/test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted: Value = serde_json::from_slice(&output.stdout).unwrap();

    let common = ["--store", "s.db", "--groups", "groups.csv", "--by", "country", "--format", "json", "-q"];
    let trend = report(dir, &[&["trend", "--window", "2025-01..2025-06"], &common[..]].concat());
    let compare = report(dir, &[&["compare", "--baseline", "2025-03", "--current", "2025-05"], &common[..]].concat());
    let months: Vec<&str> = trend["periods"].as_array().unwrap().iter().map(|p| p["label"].as_str().unwrap()).collect();
    let mut checked = 0;
    for (group, signals) in wanted.as_object().unwrap() {
        let value = group.strip_prefix("country=").map(|v| if v == "?" { Value::Null } else { json!(v) });
        let find = |groups: &Value| -> Value {
            let all = groups.as_array().unwrap();
            all.iter().find(|g| Some(&g["group"]["country"]) == value.as_ref()).unwrap().clone()
        };
        let (points, compared) = match &value {
            None => (trend["whole"].clone(), compare["whole"].clone()),
            Some(_) => (find(&trend["by"][0]["groups"])["points"].clone(), find(&compare["by"][0]["groups"])),
        };
        for (signal, wanted) in signals.as_object().unwrap() {
            for (at, month) in months.iter().enumerate() {
                let Some(wanted) = wanted["months"].get(month) else { continue };
                let found = figures(&points[at][signal], at == 0);
                assert_eq!(numbers(&found), numbers(wanted), "{group} {signal} {month}");
                checked += 1;
            }
            for (word, cohort) in [("hosts", "cohort"), ("organisations", "organisation_cohort")] {
                let (a, b) = (&compared["baseline"][signal], &compared["current"][signal]);
                let seen =
                    |s: &Value| if word == "hosts" { s["hosts"]["hosts"].clone() } else { s[word]["seen"].clone() };
                let (moved, of) = (&compared[signal][word], &compared[signal][cohort]);
                let share = of.get("share").map(|s| json!([s["share"], s["low"], s["high"]]));
                let found = json!({
                    "baseline": seen(a), "current": seen(b), "per_cent": moved.get("per_cent"),
                    "still": of["still"], "gone": of["gone"], "new": of["new"], "share": share,
                });
                assert_eq!(numbers(&found), numbers(&wanted["compared"][word]), "{group} {signal} {word}");
            }
        }
    }
    assert!(checked >= 40, "{checked}");
    let hosts = compare["whole"]["baseline"]["update"]["hosts"]["hosts"].as_u64().unwrap();
    assert!(hosts > 100, "{hosts}");
    assert_eq!(trend["method"]["groups"][0]["sha256"], crate::support::sha256(GROUPS.as_bytes()));
}

#[test]
fn the_same_store_gives_the_same_bytes_in_each_format() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    import(dir, &office(40));
    let common = ["--store", "s.db", "--groups", "groups.csv", "--by", "country,country+org", "-q"];
    let windows = ["compare", "--baseline", "2025-03", "--current", "2025-05"];
    for format in ["table", "json", "ndjson", "csv"] {
        for command in [&["trend", "--step", "week"][..], &windows[..]] {
            let run = || run_in(dir, &[command, &common, &["--format", format]].concat());
            let (once, again) = (run(), run());
            assert_eq!((once.code, once.out.len() > 500), (0, true), "{once:?}");
            assert_eq!(once.out, again.out);
            match format {
                "ndjson" => {
                    assert!(once.json().iter().all(|l| l["schema"].as_str().unwrap().starts_with("spansight.")))
                }
                "csv" => {
                    let columns = |line: &str| line.split(',').count();
                    let wanted = columns(once.out.lines().next().unwrap());
                    assert!(once.out.lines().all(|l| columns(l) == wanted));
                }
                _ => {}
            }
        }
    }
    // Without --by, by the columns with few values.
    let usual = run_in(dir, &["trend", "--store", "s.db", "--groups", "groups.csv", "--format", "ndjson", "-q"]).json();
    let columns = |l: &Value| l.get("group").map(|g| g.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    assert!(usual.iter().any(|l| columns(l) == Some(vec!["country".to_owned()])), "{usual:?}");
    assert!(!usual.iter().any(|l| l["group"].get("org").is_some()));
    let ran = run_in(dir, &[&windows[..], &common, &["--output", "c.json", "--format", "json"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(fs::read_to_string(dir.join("c.json")).unwrap().starts_with("{\n"));
}

/// Where days begin later than those of UTC, records of the first hours lie on
/// the day before, which no UTC day of the store is.
#[test]
fn without_a_window_all_records_are_counted_whenever_days_begin() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    // At half past two.
    import(dir, &line(None, "10.0.0.1", "update", "2025-01-10", 1 << (95 - 10), "transferred"));
    assert_eq!(run_in(dir, &["import", "-q", "--store", "a/", "r.ndjson"]).code, 0);
    for store in ["s.db", "a/"] {
        for (offset, day) in [("-05:00", "2025-01-09"), ("+00:00", "2025-01-10"), ("-02:30", "2025-01-10")] {
            let offset = format!("--utc-offset={offset}");
            for window in [&[][..], &["--window", "1d"][..]] {
                let args = ["trend", "-q", "--store", store, "--step", "day", &offset, "--format", "csv"];
                let ran = run_in(dir, &[&args[..], window].concat());
                let mut lines = ran.out.lines();
                let column = lines.next().unwrap().split(',').position(|name| name == "update_hosts").unwrap();
                let found: Vec<(&str, &str)> = lines
                    .map(|line| line.split(',').collect::<Vec<_>>())
                    .map(|cells| (cells[0], cells[column]))
                    .collect();
                assert_eq!(found, [(day, "1")], "{store} {offset} {window:?}");
            }
        }
    }
}

#[test]
fn imported_records_alone_are_not_comparable() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    import(dir, &office(40));
    let ran = run_in(dir, &["compare", "--store", "s.db", "--baseline", "2025-03", "--current", "2025-05"]);
    let text = ran.out.replace('\n', " ");
    assert!(text.contains("not comparable: what the sensors could see"), "{ran:?}");
    assert!(!text.contains("a fall of") && !text.contains("a rise of"), "{ran:?}");
    let zero = run_in(dir, &["compare", "--store", "s.db", "--baseline", "2025-03", "--current", "2025-12"]);
    assert!(zero.out.replace('\n', " ").contains("that excludes nothing"), "{zero:?}");
}

/// A day on which 10.0.0.5 updates at ten, and other traffic is seen in so many
/// quarter hours.
fn day(number: i64, quarters: i64, updates: bool) -> Vec<u8> {
    let midnight = TEN - 10 * 3600 * SECOND + number * 86_400 * SECOND;
    let ping = packets::udp((host(9), 4000), (host(8), 4000), b"x");
    let mut frames: Vec<(i64, Vec<u8>)> = Vec::new();
    for q in 0..quarters {
        let at = midnight + q * 900 * SECOND + SECOND;
        frames.push((at, ping.clone()));
        frames.extend(packets::visit(host(9), 4001).into_iter().zip(1..).map(|(f, n)| (at + n * SECOND / 100, f)));
    }
    if updates {
        let at = midnight + 10 * 3600 * SECOND;
        frames.extend(packets::update(host(5), 40_000).into_iter().zip(0..).map(|(f, n)| (at + n * SECOND / 100, f)));
    }
    frames.sort_by_key(|(at, _)| *at);
    let mut pcap = Pcap::new();
    for (at, frame) in &frames {
        pcap.frame(*at, frame);
    }
    pcap.bytes().to_vec()
}

pub fn replayed(days: &[(i64, i64, bool)], catalogues: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (n, (number, quarters, updates)) in days.iter().enumerate() {
        let name = format!("{n}.pcap");
        fs::write(dir.path().join(&name), day(*number, *quarters, *updates)).unwrap();
        let mut args = vec!["replay", "-q", "--store", "s.db"];
        if let Some(catalogue) = catalogues.get(n) {
            fs::write(dir.path().join("c.toml"), catalogue).unwrap();
            args.extend(["--catalogue", "c.toml"]);
        }
        args.push(&name);
        assert_eq!(run_in(dir.path(), &args).code, 0);
    }
    dir
}

fn compared(dir: &TempDir, args: &[&str]) -> Ran {
    let windows = ["compare", "--store", "s.db", "--baseline", "2026-03-01", "--current", "2026-03-02", "-q"];
    let ran = run_in(dir.path(), &[&windows, args].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn a_sensor_that_was_down_for_half_of_a_window_is_in_the_headline() {
    let dir = replayed(&[(0, 96, true), (1, 48, false)], &[]);
    let found: Value = serde_json::from_str(&compared(&dir, &["--format", "json"]).out).unwrap();
    let headline = found["headline"].as_str().unwrap();
    assert!(headline.contains("100 % fewer were seen, which need not be a fall"), "{headline}");
    assert!(
        headline.contains("not comparable: the sensor saw frames in only 50 % of the current window"),
        "{headline}"
    );
    assert!(!headline.contains("a fall of"));
    assert_eq!(
        (&found["comparability"]["comparable"], &found["current"]["coverage"]["up"]),
        (&json!(false), &json!(0.5))
    );
    // What nothing can exclude: three by three addresses, of half of the time.
    let zero = &found["whole"]["current"]["update"]["zero"];
    assert_eq!((&zero["detection"], &zero["share_at_most"], &zero["of_hosts"]), (&json!(0.5), &json!(1.0), &json!(3)));
    let trend = run_in(dir.path(), &["trend", "--store", "s.db", "--step", "day", "-q"]);
    let text = trend.out.replace('\n', " ");
    assert!(text.contains("Doubtful: the sensor saw frames in only 50 % of 2026-03-02"), "{trend:?}");
    assert!(text.contains("2026-03-02: 0 hosts with update contacts"), "{trend:?}");
}

#[test]
fn equal_windows_may_fall_and_rise() {
    let dir = replayed(&[(0, 96, true), (1, 96, false)], &[]);
    let ran = compared(&dir, &[]);
    let text = ran.out.replace('\n', " ");
    assert!(text.contains(": a fall of 100 %.") && !text.contains("NOT COMPARABLE"), "{ran:?}");
    assert!(text.contains("no proof of absence"), "{ran:?}");
}

/// A day on which only broadcasts of the hosts come by: no mirror of a port does
/// it any more.
fn broadcasts(number: i64) -> Vec<u8> {
    let midnight = TEN - 10 * 3600 * SECOND + number * 86_400 * SECOND;
    let mut pcap = Pcap::new();
    for q in 0..96 {
        for n in [5, 8, 9] {
            let mut frame = packets::udp((host(n), 137), ([10, 0, 0, 255], 137), b"x");
            frame[..6].fill(0xff);
            pcap.frame(midnight + q * 900 * SECOND + i64::from(n) * SECOND, &frame);
        }
    }
    pcap.bytes().to_vec()
}

#[test]
fn a_mirror_that_was_lost_is_no_fall() {
    let dir = replayed(&[(0, 96, true)], &[]);
    fs::write(dir.path().join("b.pcap"), broadcasts(1)).unwrap();
    assert_eq!(run_in(dir.path(), &["replay", "-q", "--store", "s.db", "b.pcap"]).code, 0);
    let found: Value = serde_json::from_str(&compared(&dir, &["--format", "json"]).out).unwrap();
    let headline = found["headline"].as_str().unwrap();
    assert!(!headline.contains("a fall of") && headline.contains("no host name was seen at all"), "{headline}");
    let zero = &found["whole"]["current"]["update"]["zero"];
    assert_eq!((zero.get("detection"), zero.get("share_at_most")), (None, None), "{zero}");
    // An address that all stations listen to is no host.
    assert_eq!(zero["of_hosts"], 3);
    // All say it by the same reason.
    let why = "no host name was seen at all";
    let text = |args: &[&str]| {
        let ran = run_in(dir.path(), args);
        (ran.out.clone() + &ran.err).replace('\n', " ")
    };
    let trend = text(&["trend", "--store", "s.db", "--step", "day"]);
    assert!(trend.contains("Doubtful: no host name was seen at all in 2026-03-02"), "{trend}");
    assert!(text(&["hosts", "--store", "s.db", "--since", "2026-03-02"]).contains(why));
    let report = ["report", "--store", "s.db", "--window", "2026-03-02", "--html", "r.html", "--fail-on", "contacting"];
    assert!(text(&report).contains(why));
    assert_eq!(run_in(dir.path(), &report).code, 1);
}

#[test]
fn a_sensor_that_sees_no_contact_any_more_reports_none() {
    let dir = replayed(&[(0, 96, true), (9, 96, false)], &[]);
    let trend = |args: &[&str]| {
        let all = [&["trend", "--store", "s.db", "--format", "json", "-q"], args].concat();
        let value: Value = serde_json::from_str(&run_in(dir.path(), &all).out).unwrap();
        (value["window"]["last"].clone(), value["whole"][0]["update"]["hosts"]["hosts"].clone())
    };
    assert_eq!(trend(&["--window", "7d"]), (json!("2026-03-10"), json!(0)));
    let report = ["report", "--store", "s.db", "--window", "1d", "--json", "r.json", "--fail-on", "contacting"];
    let ran = run_in(dir.path(), &report);
    assert_eq!(ran.code, 0, "{ran:?}");
    let value: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(value["about"]["window"]["last"], "2026-03-10");
}

#[test]
fn today_is_as_long_as_it_has_been() {
    let now = spansight::base::Timestamp::now();
    let quarters = now.quarter().rem_euclid(96);
    if quarters == 0 {
        return; // Nothing of the day can be known yet.
    }
    let dir = replayed(&[(now.day() - TEN / (86_400 * SECOND), quarters, false)], &[]);
    let today = format_day(now.day());
    let hosts = ["hosts", "--store", "s.db", "--since", &today, "--fail-on", "contacting"];
    let report = ["report", "-q", "--store", "s.db", "--window", &today, "--json", "-", "--fail-on", "contacting"];
    let (hosts, report) = (run_in(dir.path(), &hosts), run_in(dir.path(), &report));
    assert_eq!((hosts.code, report.code), (0, 0), "{hosts:?} {report:?}");
    let value: Value = serde_json::from_str(&report.out).unwrap();
    let coverage = &value["total"]["coverage"];
    assert_eq!((&value["doubts"], &coverage["up"]), (&json!([]), &json!(1.0)), "{coverage}");
    assert_eq!((coverage["until"].is_string(), &value["coverage"]["gaps"]), (true, &json!([])));
    let said = &value["trend"]["warnings"];
    assert!(said.as_array().unwrap().len() == 1 && said[0].as_str().unwrap().contains("had passed only to"), "{said}");
}

#[test]
fn nobody_is_a_count_too() {
    let dir = replayed(&[(0, 96, false), (1, 96, false)], &[]);
    let trend = run_in(dir.path(), &["trend", "--store", "s.db", "--step", "day", "-q"]);
    assert_eq!(trend.code, 0, "{trend:?}");
    let text = trend.out.replace('\n', " ");
    assert!(
        text.contains("No host with update contacts was seen in 2026-03-02. With up to 3 home addresses"),
        "{text}"
    );
    assert!(compared(&dir, &[]).out.contains("no proof of absence"));
    let publish = ["publish", "--store", "s.db", "--window", "2026-03-01..2026-03-02", "--output", "p", "-q"];
    let ran = run_in(dir.path(), &publish);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = run_in(dir.path(), &["verify", "p"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // Where nothing was seen either, there is nothing to count.
    drop(spansight::store::Store::open(&dir.path().join("e.db")).unwrap());
    run_in(dir.path(), &["trend", "--store", "e.db"]).said_once(FAILED, &["nothing to count"]);
}

/// A catalogue with one indicator, perhaps two.
fn catalogue(second: bool) -> String {
    let one = |id: &str, suffix: &str| {
        format!(
            "[[indicator]]\nid = \"{id}\"\ncategory = \"update\"\nuse = \"alone\"\nconfidence = \"high\"\n\
             meaning = \"test\"\nsources = [\"https://example.org\"]\nsuffix = \"{suffix}\"\n"
        )
    };
    let more = if second { one("more", "upd.kaspersky.com") } else { String::new() };
    one("some", "other.example") + &more
}

#[test]
fn a_new_indicator_is_no_new_use() {
    let dir = replayed(&[(0, 96, true), (1, 96, true)], &[&catalogue(false), &catalogue(true)]);
    let found: Value = serde_json::from_str(&compared(&dir, &["--format", "json"]).out).unwrap();
    assert!(found["headline"].as_str().unwrap().contains("different catalogues"), "{}", found["headline"]);
    assert_eq!(found["catalogue_changes"]["added"], json!(["more"]));
    assert_eq!(found["whole"]["current"]["update"]["hosts"]["hosts"], 1);
    // The newest catalogue looks for what the older one cannot have found.
    let newest: Value =
        serde_json::from_str(&compared(&dir, &["--format", "json", "--catalogue-as-of", "2100-01-01"]).out).unwrap();
    assert!(newest["headline"].as_str().unwrap().contains("cannot be applied backwards"), "{}", newest["headline"]);
    assert_eq!(newest["method"]["cannot_be_applied_backwards"], json!(["more"]));
    // The older one sees it in neither window.
    fs::write(dir.path().join("old.toml"), catalogue(false)).unwrap();
    let args = ["--format", "json", "--catalogue", "old.toml", "--catalogue-as-of", "2020-01-01"];
    let older: Value = serde_json::from_str(&compared(&dir, &args).out).unwrap();
    assert_eq!(older["whole"]["current"]["update"]["hosts"]["hosts"], 0);
    assert_eq!(older["comparability"]["comparable"], true, "{}", older["comparability"]);
}

#[test]
fn bad_input_gets_one_sentence() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    import(dir, &line(None, "10.0.0.5", "update", "2025-01-02", 1 << 40, "transferred"));
    fs::write(dir.join("bad.csv"), "prefix,org\n10.0.0.0/8,A\nten,B\n").unwrap();
    let run = |args: &[&str]| run_in(dir, args);
    run(&["trend", "--store", "none.db"]).said_once(FAILED, &["none.db"]);
    run(&["trend", "--store", "s.db", "--groups", "bad.csv"]).said_once(USAGE, &["bad.csv, line 3", "ten"]);
    run(&["trend", "--store", "s.db", "--groups", "none.csv"]).said_once(USAGE, &["none.csv"]);
    run(&["trend", "--store", "s.db", "--by", "org"]).said_once(USAGE, &["--by", "\"org\""]);
    run(&["trend", "--store", "s.db", "--output", "s.db"]).said_once(USAGE, &["would overwrite"]);
    let overlapping = ["compare", "--store", "s.db", "--baseline", "2025", "--current", "2025-03"];
    run(&overlapping).said_once(USAGE, &["have days in common"]);
    for args in [
        ["trend", "--store", "s.db", "--window", "someday"],
        ["trend", "--store", "s.db", "--utc-offset", "+00:10"],
        ["trend", "--store", "s.db", "--catalogue-as-of", "2025"],
    ] {
        assert_eq!(run(&args).code, USAGE, "{args:?}");
    }
    run(&["trend", "--store", "s.db", "--window", "1970..2025"]).said_once(USAGE, &["more than 3660 days"]);
    let long = ["compare", "--store", "s.db", "--baseline", "0001..2000", "--current", "2025"];
    run(&long).said_once(USAGE, &["more than 3660 days"]);
}
