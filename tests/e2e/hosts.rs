//! `spansight hosts`, verdicts in the table of `replay`, exceptions and
//! `--fail-on`.

use crate::support::packets::{self, SECOND, TEN, host};
use crate::support::program::{Ran, follow_until, run_in};
use crate::support::samples;
use crate::support::writer::Pcap;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

const FINDINGS: i32 = 4;
const FAILED: i32 = 3;
const PARTIAL: i32 = 1;
const USAGE: i32 = 2;

/// A folder with a capture of 10.0.0.5, which updates, and a store of it.
fn one() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let pcap = Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes().to_vec();
    fs::write(dir.path().join("a.pcap"), pcap).unwrap();
    store(&dir, &["a.pcap"]);
    dir
}

/// A folder with the sample office, and a store of it.
fn office() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = "office-day.pcap.zst";
    fs::copy(samples().join(name), dir.path().join(name)).unwrap();
    store(&dir, &[name]);
    dir
}

fn store(dir: &TempDir, args: &[&str]) {
    let ran = run_in(dir.path(), &[&["replay", "-q", "--store", "s.db"], args].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn hosts(dir: &TempDir, args: &[&str]) -> Ran {
    run_in(dir.path(), &[&["hosts", "--store", "s.db"], args].concat())
}

fn json(dir: &TempDir, args: &[&str]) -> Vec<Value> {
    let ran = hosts(dir, &[&["--format", "ndjson", "-q"], args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    ran.json()
}

fn addresses(found: &[Value]) -> Vec<&str> {
    found.iter().map(|h| h["host"]["ip"].as_str().unwrap()).collect()
}

fn accept(dir: &TempDir, who: &str, verdict: &str, expires: &str) {
    let entry =
        format!("{who}\nverdict = \"{verdict}\"\nreason = \"test bench\"\nowner = \"lab\"\nexpires = {expires}\n");
    fs::write(dir.path().join("accept.toml"), format!("[[accept]]\n{entry}")).unwrap();
}

#[test]
fn a_host_is_one_line_in_each_format() {
    let dir = one();
    let found = json(&dir, &[]);
    assert_eq!(found.len(), 1);
    let host = &found[0];
    assert_eq!(host["schema"], "spansight.host/1");
    assert_eq!((&host["host"]["ip"], &host["host"]["addresses"][0]), (&"10.0.0.5".into(), &"10.0.0.5".into()));
    assert_eq!((&host["verdict"], &host["counted"]), (&"updating".into(), &"use".into()));
    assert_eq!(host["categories"]["update"]["sessions"], 1);
    assert!(!host["reason"].as_str().unwrap().is_empty() && host.get("accepted").is_none());
    let ids = run_in(dir.path(), &["replay", "-q", "--format", "ndjson", "a.pcap"]).json();
    let ids: Vec<&Value> = ids.iter().map(|r| &r["id"]).collect();
    assert!(ids.iter().all(|id| host["sightings"].as_array().unwrap().contains(id)), "{host} {ids:?}");

    let csv = hosts(&dir, &["--format", "csv", "-q"]).out;
    assert!(csv.starts_with("host_ip,host_mac,") && csv.contains("\r\n10.0.0.5,"), "{csv}");
    let table = hosts(&dir, &[]);
    assert!(table.out.contains("updating") && table.out.contains("Counted as use: 1 host (1 updating)."), "{table:?}");
    assert!(table.err.contains("The store covers 1 capture and 0 live runs"), "{table:?}");
    assert_eq!(hosts(&dir, &["-q"]).err, "");
}

#[test]
fn in_a_file_the_closing_lines_go_along() {
    let dir = one();
    let ran = hosts(&dir, &["--output", "hosts.txt", "-q"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    let text = fs::read_to_string(dir.path().join("hosts.txt")).unwrap();
    assert!(text.contains("updating") && text.contains("The store covers 1 capture"), "{text}");
    hosts(&dir, &["--output", "s.db"]).said_once(USAGE, &["--output", "would overwrite what is read"]);
    accept(&dir, "host = \"10.0.0.5\"", "active", "2100-01-01");
    let ran = hosts(&dir, &["--accept", "accept.toml", "--output", "./accept.toml"]);
    ran.said_once(USAGE, &["would overwrite what is read"]);
}

#[test]
fn filters_leave_out_what_does_not_fit() {
    let dir = office();
    let all = json(&dir, &[]);
    assert!(all.len() > 5);
    let web = json(&dir, &["--verdict", "web-only"]);
    assert!(!web.is_empty() && web.iter().all(|h| h["verdict"] == "web-only"));
    let two = json(&dir, &["--verdict", "web-only,attempting"]);
    assert!(two.len() > web.len() && two.len() < all.len());
    let alarms = json(&dir, &["--category", "lookalike"]);
    assert!(!alarms.is_empty() && alarms.iter().all(|h| h["alarms"][0] == "lookalike"), "{alarms:?}");
    let lan = json(&dir, &["--network", "10.20.0.12/32"]);
    assert_eq!(lan.len(), 1);
    assert!(json(&dir, &["--network", "10.21.0.0/16,192.0.2.0/24"]).is_empty());
    fs::write(dir.path().join("devices.csv"), "address,name,owner\n10.20.0.13,Reception-PC,j.doe\n").unwrap();
    let named = json(&dir, &["--inventory", "devices.csv", "--name", "reception"]);
    assert_eq!((addresses(&named).contains(&"10.20.0.13"), &named[0]["host"]["owner"]), (true, &"j.doe".into()));
    let ran = hosts(&dir, &["--verdict", "oem"]);
    assert_eq!(ran.out, "No host listed.\n");
    assert!(ran.said().last().unwrap().contains("hosts are left out by --verdict"), "{ran:?}");
}

#[test]
fn a_window_has_its_own_hosts() {
    for command in ["hosts", "explain"] {
        let help = run_in(std::path::Path::new("."), &[command, "--help"]).out;
        let words: Vec<&str> = help.split_whitespace().collect();
        assert!(words.join(" ").contains("knows contacts to the quarter hour only"), "{help}");
    }
    let dir = office();
    assert!(json(&dir, &["--until", "2026-03-02"]).is_empty());
    assert!(json(&dir, &["--since", "2026-03-03"]).is_empty());
    let all = json(&dir, &["--since", "2026-03-02", "--until", "2026-03-03"]);
    assert_eq!(all.len(), json(&dir, &[]).len());
    let empty = hosts(&dir, &["--since", "2026-03-03"]);
    assert_eq!(empty.code, 0);
    assert!(empty.out.starts_with("Whether there was a contact cannot be said: nothing is stored"), "{empty:?}");
}

#[test]
fn accepted_hosts_are_shown_apart_until_it_ends() {
    let dir = one();
    accept(&dir, "host = \"10.0.0.5\"", "updating", "2090-12-31");
    let with =
        |more: &[&str]| hosts(&dir, &[&["--accept", "accept.toml", "--fail-on", "contacting,update"], more].concat());
    let ran = with(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("HOST") || ran.out.starts_with("ACCEPTED"), "{}", ran.out);
    assert!(ran.out.contains("ACCEPTED") && ran.out.contains("until 2090-12-31; test bench (lab)"), "{}", ran.out);
    assert!(ran.out.contains("Counted as use: 0 hosts.") && ran.out.contains("none of these numbers: 1 host."));
    let line = &with(&["--format", "ndjson"]).json()[0];
    assert_eq!(line["accepted"]["owner"], "lab");
    assert_eq!(
        (&line["accepted"]["reason"], &line["accepted"]["expires"]),
        (&"test bench".into(), &"2090-12-31".into())
    );
    // The day after the last one.
    let ended = with(&["--until", "2091-01-01T00:00:01Z"]);
    assert_eq!(ended.code, FINDINGS, "{ended:?}");
    assert!(ended.out.contains("No longer accepted: the exception ended on 2090-12-31"), "{}", ended.out);
    assert!(ended.out.contains("Counted as use: 1 host"), "{}", ended.out);
    // The window ends with the last day, and most of it nobody watched.
    assert_eq!(with(&["--until", "2091-01-01"]).code, PARTIAL);
    accept(&dir, "network = \"10.0.0.0/24\"", "contacting", "2090-12-31");
    let risen = with(&[]);
    assert_eq!(risen.code, FINDINGS);
    assert!(risen.out.contains("Not accepted: the exception goes only as far as contacting"), "{}", risen.out);
}

#[test]
fn findings_are_an_exit_code() {
    let dir = one();
    for (words, code) in [
        ("contacting", FINDINGS),
        ("updating", FINDINGS),
        ("active", 0),
        ("web-only,oem", 0),
        ("update", FINDINGS),
        ("reputation,lookalike", 0),
    ] {
        assert_eq!(hosts(&dir, &["-q", "--fail-on", words]).code, code, "{words}");
        for format in ["table", "ndjson", "csv"] {
            let ran = run_in(dir.path(), &["replay", "-q", "--format", format, "--fail-on", words, "a.pcap"]);
            assert_eq!(ran.code, code, "{words} {format}");
            assert!(ran.out.contains("10.0.0.5"));
        }
    }
    // Findings outrank damage, and a path that is no capture outranks findings.
    let bytes = fs::read(dir.path().join("a.pcap")).unwrap();
    fs::write(dir.path().join("cut.pcap"), &bytes[..bytes.len() - 3]).unwrap();
    let replay = |paths: &[&str]| run_in(dir.path(), &[&["replay", "-q", "--fail-on", "update"], paths].concat()).code;
    assert_eq!((replay(&["cut.pcap"]), replay(&["a.pcap", "none.pcap"])), (FINDINGS, FAILED));
    accept(&dir, "network = \"10.0.0.0/8\"", "active", "2090-12-31");
    let ran = run_in(dir.path(), &["replay", "-q", "--fail-on", "update", "--accept", "accept.toml", "a.pcap"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("ACCEPTED") || ran.out.contains("Accepted as active until"), "{}", ran.out);
    // Where too little was seen, that there is no finding says nothing.
    let blind = |more: &[&str], why: &str| {
        let ran = run_in(dir.path(), &[more, &["-q", "--fail-on", "contacting"]].concat());
        assert_eq!(ran.code, PARTIAL, "{ran:?}");
        assert!(ran.err.contains("--fail-on found nothing, but whether there was something cannot be said: "));
        assert!(ran.err.contains(why), "{ran:?}");
        let without = run_in(dir.path(), &[more, &["-q"]].concat());
        assert_eq!((without.code, without.err.as_str()), (0, ""));
    };
    for format in ["table", "ndjson"] {
        blind(&["replay", "--bpf", "port 1", "--format", format, "a.pcap"], "every frame was left out");
        blind(&["replay", "--home-net", "192.168.0.0/16", "--format", format, "a.pcap"], "home networks");
        blind(&["hosts", "--store", "s.db", "--since", "2030-01-01", "--format", format], "nothing is stored");
    }
    // Frames that came in a part of the time only.
    let down = "the sensor saw frames in only";
    blind(&["hosts", "--store", "s.db", "--since", "2026-03-02"], "nothing is stored");
    let lookup = packets::lookup(host(5), 4000, "www.example.net", [192, 0, 2, 7]);
    let capture = |name: &str, quarters: i64| {
        let mut pcap = Pcap::new();
        for q in 0..quarters {
            pcap.frames(TEN + q * 900 * SECOND, &lookup);
        }
        fs::write(dir.path().join(name), pcap.bytes()).unwrap();
    };
    capture("b.pcap", 15);
    assert_eq!(run_in(dir.path(), &["replay", "-q", "--store", "b.db", "b.pcap"]).code, 0);
    blind(&["hosts", "--store", "b.db", "--since", "2026-03-01"], down);
    blind(&["hosts", "--store", "b.db", "--since", "2026-02-26", "--until", "2026-03-04"], down);
    let fair = |args: &[&str]| {
        let args = [&["hosts", "--store", "b.db", "--fail-on", "contacting"], args].concat();
        assert_eq!(run_in(dir.path(), &args).code, 0, "{args:?}");
    };
    fair(&["--since", "2026-03-01T10:00:00Z", "--until", "2026-03-01T13:45:00Z"]);
    fair(&[]);
    // The run record says so too.
    let ran = run_in(dir.path(), &["replay", "-q", "--fail-on", "update", "--store", "t.db", "a.pcap"]);
    assert_eq!(ran.code, FINDINGS);
    let runs = spansight::store::Store::open_read_only(&dir.path().join("t.db")).unwrap().runs().unwrap();
    assert_eq!(runs[0].1.exit_code, Some(FINDINGS));
}

#[test]
fn contacts_of_a_network_that_is_not_named_leave_it_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::new();
    for n in 0..20 {
        let name = if n < 10 { "www.example.net" } else { "p00.upd.kaspersky.com" };
        let client = if n < 10 { host(5) } else { [141, 20, 1, 5] };
        pcap.frames(TEN + i64::from(n) * SECOND, &packets::lookup(client, 4000 + n, name, [192, 0, 2, 7]));
    }
    fs::write(dir.path().join("a.pcap"), pcap.bytes()).unwrap();
    store(&dir, &["a.pcap"]);
    let why = "clients outside the home networks made ";
    for more in
        [&["replay", "a.pcap"][..], &["hosts", "--store", "s.db"], &["report", "--store", "s.db", "--html", "r.html"]]
    {
        let ran = run_in(dir.path(), &[more, &["-q", "--fail-on", "looked-up"]].concat());
        assert!(ran.code == PARTIAL && ran.err.contains(why), "{more:?}: {ran:?}");
    }
    let plain = hosts(&dir, &["-q"]);
    assert!(plain.code == 0 && plain.out.starts_with("Whether there was a contact cannot be said"), "{plain:?}");
    let trend = run_in(dir.path(), &["trend", "--store", "s.db"]);
    assert!(trend.out.contains("clients outside the home networks made contacts in 2026-03-01"), "{trend:?}");
    // Whoever names the network has its hosts.
    let ours = ["replay", "-q", "--home-net", "10.0.0.0/8,141.20.0.0/16", "--fail-on", "looked-up", "a.pcap"];
    assert_eq!(run_in(dir.path(), &ours).code, FINDINGS);
}

#[test]
fn a_sensor_that_was_up_hides_no_other_that_was_down() {
    let dir = tempfile::tempdir().unwrap();
    let visit = packets::visit(host(5), 4000);
    let captures = |sensor: Option<&str>, name: &str, quarters: std::ops::Range<i64>, store: &str| {
        let mut pcap = Pcap::new();
        for q in quarters {
            pcap.frames(TEN + (q - 40) * 900 * SECOND, &visit);
        }
        fs::write(dir.path().join(name), pcap.bytes()).unwrap();
        let sensor = sensor.map_or(Vec::new(), |sensor| vec!["--sensor", sensor]);
        assert_eq!(run_in(dir.path(), &[&["replay", "-q", "--store", store, name][..], &sensor].concat()).code, 0);
    };
    let of = |store: &str| {
        let args = ["--since", "2026-03-01", "--until", "2026-03-02", "-q", "--fail-on", "contacting"];
        run_in(dir.path(), &[&["hosts", "--store", store][..], &args].concat())
    };
    captures(Some("north"), "north.pcap", 0..96, "two.db");
    assert_eq!(of("two.db").code, 0);
    captures(Some("south"), "south.pcap", 0..8, "two.db");
    let ran = of("two.db");
    assert!(ran.code == PARTIAL, "{ran:?}");
    assert!(ran.err.contains("said: the sensor south saw frames in only 8.3 % of the window"), "{ran:?}");
    let report = ["report", "-q", "--store", "two.db", "--html", "r.html", "--fail-on", "contacting"];
    let ran = run_in(dir.path(), &report);
    assert!(ran.code == PARTIAL && ran.err.contains("said: the sensor south saw frames in only 8.3 %"), "{ran:?}");
    let trend = run_in(dir.path(), &["trend", "--store", "two.db"]);
    assert!(trend.out.contains("one of several sensors saw frames in only 8.3 % of 2026-03-01"), "{trend:?}");
    // Captures are one sensor unless they are given several names.
    for (n, part) in [0..40, 40..50, 50..96].into_iter().enumerate() {
        captures(None, &format!("{n}.pcap"), part, "one.db");
    }
    assert_eq!(of("one.db").code, 0, "{:?}", of("one.db"));
}

/// A capture of a lookup in each quarter hour of 2026-03-01, and of a host that
/// updates.
fn whole_day() -> Vec<u8> {
    let lookup = packets::lookup(host(5), 4000, "www.example.net", [192, 0, 2, 7]);
    let mut pcap = Pcap::new();
    for q in 0..96 {
        pcap.frames(TEN + (q - 40) * 900 * SECOND, &lookup);
    }
    pcap.frames(TEN + 55 * 900 * SECOND, &packets::update(host(6), 40_000)).bytes().to_vec()
}

#[test]
fn a_sensor_that_listens_is_asked_for_all_until_now() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), whole_day()).unwrap();
    assert_eq!(follow_until(dir.path(), "\"transferred\"", &["-q", "--store", "live.db", "a.pcap"]).code, 0);
    store(&dir, &["a.pcap"]);
    let of = |store: &str, window: &[&str]| {
        run_in(dir.path(), &[&["hosts", "-q", "--store", store, "--fail-on", "lookalike"], window].concat())
    };
    let ran = of("live.db", &["--since", "2026-03-01"]);
    assert_eq!(ran.code, PARTIAL, "{ran:?}");
    assert!(ran.err.contains("of the window, which goes on to now (--until ends it)"), "{ran:?}");
    for window in [&["--since", "2026-03-01", "--until", "2026-03-02"][..], &["--until", "2026-03-02"], &[]] {
        let ran = of("live.db", window);
        assert_eq!(ran.code, 0, "{window:?}: {ran:?}");
    }
    // Captures end where they do.
    assert_eq!(of("s.db", &["--since", "2026-03-01"]).code, 0);
}

#[test]
fn who_was_not_in_view_is_not_said_to_be_clean() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.pcap"), whole_day()).unwrap();
    fs::write(dir.path().join("own.csv"), "address,name\n10.0.0.5,quiet-pc\n10.0.0.99,gone-pc\n").unwrap();
    store(&dir, &["a.pcap"]);
    let failing =
        |more: &[&str]| hosts(&dir, &[&["-q", "--inventory", "own.csv", "--fail-on", "active"], more].concat());
    for (clean, more) in [
        (true, &["--network", "10.0.0.5"][..]),
        (true, &["--network", "10.0.0.0/16,10.0.0.6"]),
        (true, &["--name", "Quiet"]),
        (false, &["--network", "10.99.0.0/16"]),
        (false, &["--network", "10.0.0.0/24", "--network", "10.0.0.7"]),
        (false, &["--network", "fd00::/8"]),
        (false, &["--name", "gone"]),
        (false, &["--name", "nobody"]),
        (false, &["--network", "10.0.0.5", "--until", "2026-02-01"]),
    ] {
        let ran = failing(more);
        assert_eq!(ran.code, if clean { 0 } else { PARTIAL }, "{more:?}: {ran:?}");
    }
    let ran = failing(&["--network", "10.99.0.0/16", "--name", "nobody"]);
    assert!(ran.err.contains("said: no address of 10.99.0.0/16 was in view; no host named \"nobody\" was in view"));
    assert!(ran.out.starts_with("No host listed"), "{ran:?}");
}

#[test]
fn a_store_without_hosts_says_what_it_covers() {
    let dir = tempfile::tempdir().unwrap();
    let query =
        packets::udp((host(5), 40_000), (packets::RESOLVER, 53), &packets::query(1, &[b"www", b"example", b"net"]));
    fs::write(dir.path().join("a.pcap"), Pcap::new().frame(TEN, &query).frame(TEN + SECOND, &query).bytes()).unwrap();
    store(&dir, &["a.pcap"]);
    let ran = hosts(&dir, &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("No contact seen of up to 2 home addresses at a time"), "{ran:?}");
    assert!(ran.out.contains("not proof of absence") && ran.err.contains("The store covers 1 capture"), "{ran:?}");
    assert!(!ran.err.contains("No contact seen"), "said once: {ran:?}");
    let quiet = hosts(&dir, &["-q"]);
    assert_eq!((quiet.out, quiet.err.as_str()), (ran.out.clone(), ""));
    // What machines read stays clean, and a file has all that is to be said.
    let ran = hosts(&dir, &["--format", "ndjson"]);
    assert!(ran.out.is_empty() && ran.err.contains("No contact seen"), "{ran:?}");
    assert!(hosts(&dir, &["--format", "csv"]).err.contains("No contact seen"));
    let ran = hosts(&dir, &["--output", "table.txt"]);
    let file = fs::read_to_string(dir.path().join("table.txt")).unwrap();
    assert!(ran.out.is_empty() && file.contains("No contact seen") && file.contains("The store covers"), "{file}");
}

#[test]
fn a_role_alone_is_no_contact() {
    let dir = tempfile::tempdir().unwrap();
    let request = packets::get(b"www.example.net", b"http://www.example.net/", b"x");
    let used = packets::connection((host(5), 40_000), (host(8), 3128), &[(&request, &packets::response(400))]);
    fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, &used).bytes()).unwrap();
    let replayed = run_in(dir.path(), &["replay", "--store", "s.db", "a.pcap"]);
    let listed = json(&dir, &[]);
    assert_eq!((addresses(&listed), &listed[0]["roles"][0]), (vec!["10.0.0.8"], &Value::from("proxy")));
    // Both say that there was no contact.
    let ran = hosts(&dir, &[]);
    for ran in [replayed, ran] {
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.err.lines().last().unwrap().starts_with("No contact seen of "), "{ran:?}");
    }
}

#[test]
fn replay_says_of_hosts_what_hosts_says_and_lists_none_for_a_role_alone() {
    let dir = tempfile::tempdir().unwrap();
    let request = packets::get(b"www.example.net", b"http://www.example.net/", b"x");
    let used = packets::connection((host(6), 40_000), (host(8), 3128), &[(&request, &packets::response(400))]);
    let updates = packets::update(host(5), 40_000);
    let pcap = Pcap::new().frames(TEN, &used).frames(TEN + SECOND, &updates).bytes().to_vec();
    fs::write(dir.path().join("a.pcap"), pcap).unwrap();
    fs::copy(samples().join("labelled/lan.pcap.zst"), dir.path().join("lan.pcap.zst")).unwrap();
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (capture, bare) in [("a.pcap", "10.0.0.8"), ("lan.pcap.zst", "10.30.0.59")] {
        let _ = fs::remove_file(dir.path().join("s.db"));
        let replayed = run_in(dir.path(), &["replay", "-q", "--store", "s.db", capture]).out;
        let (all, listed) = (json(&dir, &[]), hosts(&dir, &["-q"]).out);
        let row = |ip: &str| replayed.lines().any(|line| line.split_whitespace().next() == Some(ip));
        let without: Vec<&Value> = all.iter().filter(|h| h["sightings"].as_array().unwrap().is_empty()).collect();
        assert!(without.iter().any(|h| h["host"]["ip"] == bare), "{capture}: {all:#?}");
        assert!(without.iter().all(|h| !row(h["host"]["ip"].as_str().unwrap())), "{capture}: {replayed}");
        let said = plain(&replayed);
        for h in all.iter().filter(|h| !without.contains(h) && h["alarms"].as_array().unwrap().is_empty()) {
            assert!(row(h["host"]["ip"].as_str().unwrap()), "{capture}: {h:#}\n{replayed}");
            assert!(said.contains(&plain(h["reason"].as_str().unwrap())), "{capture}: {h:#}\n{replayed}");
        }
        let doubts = |text: &str| plain(text).split(". ").find(|s| s.contains("not confirmed")).map(str::to_owned);
        assert_eq!(doubts(&replayed), doubts(&listed), "{capture}");
    }
}

#[test]
fn an_exception_for_nobody_is_said() {
    let dir = one();
    accept(&dir, "host = \"10.0.0.5\"", "updating", "2090-01-01");
    assert!(hosts(&dir, &["--accept", "accept.toml"]).said().is_empty());
    assert!(hosts(&dir, &["--accept", "accept.toml", "--network", "10.9.0.0/16"]).said()[0].contains("left out"));
    let mut file = fs::read_to_string(dir.path().join("accept.toml")).unwrap();
    for who in ["host = \"10.0.0.6\"", "host = \"pc-77\"", "network = \"10.9.0.0/16\"", "host = \"02:00:00:00:00:01\""]
    {
        accept(&dir, who, "active", "2090-01-01");
        file += &fs::read_to_string(dir.path().join("accept.toml")).unwrap();
    }
    fs::write(dir.path().join("accept.toml"), file).unwrap();
    fs::write(dir.path().join("devices.csv"), "address,name\n10.0.0.99,spare\n").unwrap();
    let args = ["--accept", "accept.toml", "--inventory", "devices.csv"];
    hosts(&dir, &args).said_once(
        0,
        &["4 [[accept]] entries fit no host of the store: 10.0.0.6, pc-77, 10.9.0.0/16, 02:00:00:00:00:01"],
    );
    let since = hosts(&dir, &[&args[..], &["--since", "2027-01-01"]].concat());
    since.said_once(0, &["5 [[accept]] entries fit no host of the window"]);
    assert_eq!(hosts(&dir, &[&args[..], &["-q"]].concat()).err, "");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let dir = one();
    let of = |args: &[&str]| run_in(dir.path(), args);
    of(&["hosts", "--store", "none.db"]).said_once(FAILED, &["none.db", "no store"]);
    of(&["hosts", "--store", "a.pcap"]).said_once(FAILED, &["a.pcap", "is not a spansight store"]);
    let with = |text: &str| {
        fs::write(dir.path().join("accept.toml"), text).unwrap();
        hosts(&dir, &["--accept", "accept.toml"])
    };
    with("").said_once(USAGE, &["--accept accept.toml", "no [[accept]]"]);
    with("[[accept]\n").said_once(USAGE, &["--accept accept.toml: line 1"]);
    let entry = "[[accept]]\nhost = \"10.0.0.5\"\nverdict = \"updating\"\nreason = \"r\"\nowner = \"o\"\nexpires = ";
    with(&format!("{entry}\"tomorrow\"\n")).said_once(USAGE, &["line 1", "\"tomorrow\" is no date"]);
    with(&format!("{}2090-01-01", entry.replace("updating", "bad"))).said_once(USAGE, &["\"bad\"", "looked-up"]);
    hosts(&dir, &["--accept", "none.toml"]).said_once(USAGE, &["--accept none.toml", "No such file"]);
    fs::write(dir.path().join("devices.csv"), "colour\nred\n").unwrap();
    hosts(&dir, &["--inventory", "devices.csv"]).said_once(USAGE, &["--inventory devices.csv", "line 1"]);
    hosts(&dir, &["--since", "2026-03-02", "--until", "2026-03-01"]).said_once(USAGE, &["--since", "not before"]);
    for (option, word) in
        [("--fail-on", "infected"), ("--verdict", "web"), ("--category", "active"), ("--network", "10.0.0.1/8")]
    {
        let ran = hosts(&dir, &[option, word]);
        assert_eq!(ran.code, USAGE, "{ran:?}");
        assert!(ran.err.contains(&format!("invalid value '{word}' for '{option}")), "{ran:?}");
    }
    assert_eq!(of(&["hosts"]).code, USAGE);
}

#[test]
fn the_table_is_readable_at_80_columns() {
    let dir = office();
    let mut command = crate::support::program::program(&["hosts", "--store", "s.db", "-q"]);
    let ran = Ran::of(command.current_dir(dir.path()).env("COLUMNS", "80").output().unwrap());
    assert!(ran.out.lines().all(|l| l.chars().count() <= 80), "{}", ran.out);
    let mut command = crate::support::program::program(&["replay", "-q", "office-day.pcap.zst"]);
    let ran = Ran::of(command.current_dir(dir.path()).env("COLUMNS", "80").output().unwrap());
    assert!(ran.out.lines().all(|l| l.chars().count() <= 80), "{}", ran.out);
    assert!(ran.out.contains("Counted as use: "), "{}", ran.out);
}

#[test]
fn times_lie_in_the_window_and_are_none_that_nobody_saw() {
    let dir = office();
    let at = |args: &[&str]| {
        let found = json(&dir, &[args, &["--network", "10.20.0.11/32"]].concat());
        (found[0]["first_seen"].as_str().unwrap().to_owned(), found[0]["last_seen"].as_str().unwrap().to_owned())
    };
    let (first, last) = at(&[]);
    assert_eq!((&first[..16], &last[..16]), ("2026-03-02T08:05", "2026-03-02T11:10"));
    // At 09:05 it updated, and not again before 10:05: of hours within a day
    // the quarter hour is stored.
    assert_eq!(at(&["--until", "2026-03-02T10:00:00Z"]), (first, "2026-03-02T09:00:00Z".into()));
    assert_eq!(at(&["--since", "2026-03-02T09:30:00Z"]), ("2026-03-02T10:00:00Z".into(), last));
}

#[test]
fn a_listed_name_does_not_hide_what_the_host_calls_itself() {
    let dir = office();
    fs::write(dir.path().join("i.csv"), "mac,name\n00-00-5E-00-53-0B,reception\n").unwrap();
    let found = json(&dir, &["--inventory", "i.csv", "--name", "pc-01"]);
    assert_eq!(found[0]["host"]["name"], "reception");
    assert_eq!(found[0]["host"]["names_before"][0]["name"], "pc-01");
    let explain = |what| run_in(dir.path(), &["explain", "--store", "s.db", "--inventory", "i.csv", what]);
    let want = explain("reception");
    assert!(want.code == 0 && want.out.contains("also named pc-01 (dhcp)"), "{want:?}");
    for what in ["pc-01", "00-00-5E-00-53-0B", "10.20.0.11"] {
        assert_eq!(explain(what).out, want.out);
    }
}

/// A catalogue with one indicator, which is nobody's.
const FOREIGN: &str = "[[indicator]]\nid = \"other\"\ncategory = \"web\"\nuse = \"alone\"\nconfidence = \"low\"\n\
                       meaning = \"m\"\nexact = \"nothing.example\"\n";

#[test]
fn what_runs_did_not_look_for_is_not_said_to_be_absent() {
    let dir = one();
    fs::write(dir.path().join("mini.toml"), FOREIGN).unwrap();
    let with = |name: &str, catalogue: &[&str]| {
        let args = [&["replay", "-q", "--store", name, "a.pcap"], catalogue].concat();
        assert_eq!(run_in(dir.path(), &args).code, 0);
    };
    let failing = |name: &str, more: &[&str]| {
        run_in(dir.path(), &[&["hosts", "--store", name, "--fail-on", "looked-up"], more].concat())
    };
    let why = "indicators that were not looked for in all that was recorded";
    let mini: &[&str] = &["--catalogue", "mini.toml"];
    with("mini.db", mini);
    let blind = failing("mini.db", &[]);
    assert_eq!(blind.code, PARTIAL, "{blind:?}");
    assert!(blind.err.contains(why) && !blind.out.contains("No contact seen"), "{blind:?}");
    // By the catalogue that was used there is nothing to doubt.
    let fair = failing("mini.db", mini);
    assert_eq!(fair.code, 0, "{fair:?}");
    assert!(fair.out.contains("No contact seen"), "{fair:?}");
    let report = |more: &[&str]| {
        let args = [&["report", "--store", "mini.db", "-q", "--json", "-"], more].concat();
        let ran = run_in(dir.path(), &args);
        serde_json::from_str::<Value>(&ran.out).unwrap()["doubts"].to_string()
    };
    assert!(report(&[]).contains("not looked for"), "{}", report(&[]));
    assert!(!report(mini).contains("not looked for"), "{}", report(mini));
    let ran = run_in(dir.path(), &["trend", "--store", "mini.db", "--format", "json", "-q"]);
    let doubts = serde_json::from_str::<Value>(&ran.out).unwrap()["periods"][0]["doubts"].to_string();
    assert!(doubts.contains(r#""because":"catalogue""#) && doubts.contains("not looked for"), "{doubts}");
    // One of two captures with it is enough to doubt; the other shows a host.
    let pcap = Pcap::new().frames(TEN, &packets::update(host(6), 40_000)).bytes().to_vec();
    fs::write(dir.path().join("b.pcap"), pcap).unwrap();
    let both = run_in(dir.path(), &["replay", "-q", "--store", "mini.db", "b.pcap"]);
    assert_eq!(both.code, 0, "{both:?}");
    let both = run_in(dir.path(), &["hosts", "--store", "mini.db"]);
    assert!(both.err.contains(why) && both.out.contains("10.0.0.6"), "{both:?}");
    // Read again with this catalogue, nothing of the first one is left to doubt.
    with("mini.db", &[]);
    let again = run_in(dir.path(), &["hosts", "--store", "mini.db"]);
    assert!(!again.err.contains("not looked for") && again.out.contains("10.0.0.5"), "{again:?}");
}

#[test]
fn a_catalogue_with_the_same_indicators_is_no_doubt() {
    let dir = one();
    let text = run_in(dir.path(), &["catalogue", "export"]).out;
    fs::write(dir.path().join("older.toml"), format!("# of another version\n{text}\n{FOREIGN}")).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--catalogue", "older.toml", "--store", "o.db", "a.pcap"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let hosts = run_in(dir.path(), &["hosts", "--store", "o.db"]);
    assert!(hosts.out.contains("10.0.0.5") && !hosts.err.contains("not looked for"), "{hosts:?}");
}

#[test]
fn what_an_import_was_judged_by_is_no_search() {
    let dir = one();
    fs::write(dir.path().join("mini.toml"), FOREIGN).unwrap();
    let records = run_in(dir.path(), &["export", "--store", "s.db"]).out;
    fs::write(dir.path().join("r.ndjson"), records).unwrap();
    // The same capture, of which only records were known before.
    for args in [
        &["import", "-q", "--store", "i.db", "r.ndjson"][..],
        &["replay", "-q", "--catalogue", "mini.toml", "--store", "i.db", "a.pcap"],
    ] {
        let ran = run_in(dir.path(), args);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let hosts = run_in(dir.path(), &["hosts", "--store", "i.db"]);
    assert!(hosts.err.contains("not looked for"), "{hosts:?}");
}

#[test]
fn inputs_that_gave_nothing_are_not_forgotten() {
    // Cut within its head, no capture though it is named, and of a link type
    // that nobody reads.
    let cut = Pcap::new().bytes()[..20].to_vec();
    let strange = Pcap::of(147).frames(TEN, &packets::update(host(7), 40_000)).bytes().to_vec();
    for (name, bytes) in [("cut.pcap", &cut), ("strange.pcap", &strange)] {
        let dir = tempfile::tempdir().unwrap();
        let quiet = packets::lookup(host(5), 40_000, "www.example.org", [198, 51, 100, 7]);
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("in/a.pcap"), Pcap::new().frames(TEN, &quiet).bytes()).unwrap();
        let replay = |store: &str, more: &[&str]| {
            run_in(dir.path(), &[&["replay", "-q", "--store", store, "in"], more].concat()).code
        };
        let failing = |store: &str, more: &[&str]| {
            run_in(dir.path(), &[&["hosts", "--store", store, "--fail-on", "looked-up"], more].concat())
        };
        assert_eq!((replay("fair.db", &[]), failing("fair.db", &[]).code), (0, 0), "{name}");
        fs::write(dir.path().join("in").join(name), bytes).unwrap();
        assert_eq!(replay("s.db", &[]), PARTIAL, "{name}");
        let hosts = failing("s.db", &[]);
        assert_eq!(hosts.code, PARTIAL, "{name}: {hosts:?}");
        assert!(hosts.err.contains("1 file or folder could not be read in full"), "{name}: {hosts:?}");
        let ran = run_in(dir.path(), &["report", "--store", "s.db", "-q", "--json", "-"]);
        let doubts = serde_json::from_str::<Value>(&ran.out).unwrap()["doubts"].to_string();
        assert!(doubts.contains("could not be read in full"), "{name}: {doubts}");
        // Nothing of it belongs to another year.
        let other = failing("s.db", &["--until", "2020-01-01"]);
        assert!(!other.err.contains("could not be read in full"), "{name}: {other:?}");
    }
}

/// A capture of a clock that is so many seconds fast.
fn shifted(pcap: &[u8], seconds: u32) -> Vec<u8> {
    let mut bytes = pcap.to_vec();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut at = 24;
    while at < bytes.len() {
        let ts = word(&bytes, at) + seconds;
        bytes[at..at + 4].copy_from_slice(&ts.to_le_bytes());
        at += 16 + word(&bytes, at + 8) as usize;
    }
    bytes
}

#[test]
fn one_recording_with_two_clocks_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let name = |n: &str| dir.path().join(n);
    let pcap = fs::read(samples().join("tls12.pcap")).unwrap();
    fs::write(name("a.pcap"), &pcap).unwrap();
    fs::write(name("b.pcap"), shifted(&pcap, 7200)).unwrap();
    let warning = "\"a.pcap\" and \"b.pcap\" show the same frames 2 hours apart";
    for (sensor, capture) in [("A", "a.pcap"), ("B", "b.pcap")] {
        let ran = run_in(dir.path(), &["replay", "--sensor", sensor, "--store", "s.db", capture]);
        assert!(ran.code == 0 && !ran.err.contains("same frames"), "{ran:?}");
    }
    let ran = hosts(&dir, &[]);
    assert!(ran.out.contains("in 2 sessions") && ran.err.contains(warning), "{ran:?}");
    for format in ["table", "ndjson"] {
        let ran = run_in(dir.path(), &["replay", "--format", format, "a.pcap", "b.pcap"]);
        assert!(ran.err.contains(warning), "{ran:?}");
    }
    // Captures of one clock that overlap say nothing of the kind.
    fs::write(name("c.pcap"), &pcap[..pcap.len() - 200]).unwrap();
    let ran = run_in(dir.path(), &["replay", "a.pcap", "c.pcap"]);
    assert!(!ran.err.contains("same frames"), "{ran:?}");
}

#[test]
fn who_answered_is_not_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let request = packets::get(b"p00.upd.kaspersky.com", b"/", b"x");
    let page = |status: &str, n: usize| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {n}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; n]].concat()
    };
    for (status, n, verdict) in [("200 OK", 8192, "updating"), ("403 Forbidden", 900, "contacting")] {
        let answer = page(status, n);
        let frames = packets::connection((host(5), 40_000), ([192, 0, 2, 9], 80), &[(&request, &answer)]);
        fs::write(dir.path().join("a.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
        let _ = fs::remove_file(dir.path().join("s.db"));
        store(&dir, &["a.pcap"]);
        let found = json(&dir, &[]);
        let reason = found[0]["reason"].as_str().unwrap();
        assert_eq!(found[0]["verdict"], verdict);
        assert!(reason.to_lowercase().contains("connections to update names were answered in 1 session"), "{reason}");
        assert!(!reason.contains("servers answered") && !reason.contains("An update was"), "{reason}");
    }
}
