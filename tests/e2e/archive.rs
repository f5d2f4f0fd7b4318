//! `hosts`, `report` and `explain` over an archive say what they say of a store
//! of one file that holds the same records.

use crate::measure::{import, office};
use crate::support::program::{Ran, run_in};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DONE: i32 = 0;
const PARTIAL: i32 = 1;
const USAGE: i32 = 2;
const FINDINGS: i32 = 4;

/// The same records in `s.db` and `archive`.
fn both(lines: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    import(dir.path(), lines);
    let ran = run_in(dir.path(), &["import", "-q", "--store", "archive/", "r.ndjson"]);
    assert_eq!((ran.code, ran.err.as_str()), (DONE, ""));
    dir
}

/// Records of samples with hosts of every kind, as a store exports them.
fn samples(names: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples");
    let paths: Vec<String> = names.iter().map(|n| folder.join(n).to_str().unwrap().to_owned()).collect();
    let mut args = vec!["replay", "-q", "--store", "x.db", "--home-net", "any"];
    args.extend(paths.iter().map(String::as_str));
    assert_eq!(run_in(dir.path(), &args).code, DONE);
    let ran = run_in(dir.path(), &["export", "-q", "--store", "x.db"]);
    assert_eq!(ran.code, DONE, "{ran:?}");
    ran.out
}

/// Runs a command over both; what it said of the archive, the same as of the
/// store.
#[track_caller]
fn alike(dir: &Path, args: &[&str]) -> Ran {
    let of = |store: &str| run_in(dir, &[&[args[0], "--store", store], &args[1..]].concat());
    let (store, archive) = (of("s.db"), of("archive"));
    assert_eq!(archive.out, store.out, "{args:?}");
    assert_eq!((archive.code, &archive.err), (store.code, &store.err), "{args:?}");
    archive
}

const ACCEPT: &str = "[[accept]]\nhost = \"00:16:3e:00:00:01\"\nverdict = \"active\"\nreason = \"bench\"\nowner = \"lab\"\n\
                      expires = 2100-01-01\n[[accept]]\nnetwork = \"172.16.0.0/12\"\nverdict = \"oem\"\nreason = \"r\"\n\
                      owner = \"o\"\nexpires = 2100-01-01\n";

#[test]
fn hosts_of_an_archive_are_those_of_a_store() {
    let dir = both(&office(150));
    let dir = dir.path();
    fs::write(dir.join("accept.toml"), ACCEPT).unwrap();
    fs::write(dir.join("devices.csv"), "address,mac,name,owner\n10.100.0.3,,cellar,j.doe\n,00:16:3e:00:00:02,hall,\n")
        .unwrap();
    let known = ["--accept", "accept.toml", "--inventory", "devices.csv"];
    for format in ["table", "ndjson", "csv"] {
        let format = ["hosts", "--format", format];
        let ran = alike(dir, &[&format[..], &known].concat());
        assert!(ran.code == DONE && ran.out.len() > 20_000, "{ran:?}");
        assert!(ran.err.contains("1 [[accept]] entry fits no host") && ran.err.contains("only records were imported"));
        for window in [
            &["--since", "2025-03-01", "--until", "2025-04-01"][..],
            &["--since", "2025-03-05T09:30:00Z"],
            &["--until", "2025-02-10T12:00:00Z"],
            &["--until", "2020-01-01"],
        ] {
            alike(dir, &[&format[..], &known, window].concat());
        }
        for filter in
            [["--verdict", "active"], ["--category", "reputation"], ["--network", "10.0.0.0/25"], ["--name", "hall"]]
        {
            let ran = alike(dir, &[&format[..], &known, &filter].concat());
            assert!(ran.err.contains("hosts are left out by"), "{ran:?}");
        }
        // Written to a file it is the same.
        let to = |store: &str, name: &str| {
            let ran = run_in(dir, &[&format[..], &["-q", "--store", store, "--output", name]].concat());
            assert_eq!((ran.code, ran.err.as_str()), (DONE, ""));
            fs::read_to_string(dir.join(name)).unwrap()
        };
        assert_eq!(to("s.db", "a"), to("archive", "b"));
    }
    assert_eq!(alike(dir, &["hosts", "--fail-on", "update"]).code, FINDINGS);
    assert_eq!(alike(dir, &["hosts", "--fail-on", "active"]).code, FINDINGS);
    assert_eq!(alike(dir, &["hosts", "--fail-on", "lookalike"]).code, PARTIAL, "records alone show no absence");
    let ran = run_in(dir, &["hosts", "--store", "archive", "--output", "archive/x"]);
    ran.said_once(USAGE, &["lies in the archive"]);
}

#[test]
fn hosts_of_every_kind_are_the_same() {
    // Together they have servers that tell of roles: one part.
    let all =
        ["office-day.pcap.zst", "proxy.pcap", "resolver.pcap", "lookalike.pcap", "web-visit.pcap", "tls-ipv6.pcap"];
    let tied = samples(&all);
    let untied: Vec<&str> = tied.lines().filter(|l| l.contains(r#""servers":[]"#)).collect();
    assert!(untied.len() > 10 && untied.len() < tied.lines().count());
    for lines in [&tied, &(untied.join("\n") + "\n")] {
        let dir = both(lines);
        for format in ["table", "ndjson", "csv"] {
            let ran = alike(dir.path(), &["hosts", "--format", format, "--home-net", "any"]);
            assert!(ran.code == DONE && !ran.out.is_empty());
        }
        assert_eq!(alike(dir.path(), &["hosts", "--fail-on", "lookalike"]).code, FINDINGS);
    }
}

#[test]
fn an_indicator_in_two_categories_is_in_the_least() {
    let lines = office(20);
    let moved: String = lines
        .lines()
        .enumerate()
        .map(|(n, l)| match n % 2 {
            0 => l.replace(r#""category":"reputation""#, r#""category":"service""#) + "\n",
            _ => l.to_owned() + "\n",
        })
        .collect();
    assert!(moved.contains(r#""category":"service""#) && moved.contains(r#""category":"reputation""#));
    let dir = both(&moved);
    let ran = alike(dir.path(), &["hosts", "--format", "ndjson"]);
    assert!(ran.out.contains(r#""reputation":{"sessions""#) && !ran.out.contains(r#""service":{"sessions""#));
}

#[test]
fn a_report_of_an_archive_says_the_same_and_what_it_cannot_know() {
    let dir = both(&office(120));
    let dir = dir.path();
    let windows = ["--window", "2025", "--baseline", "2025-02", "--current", "2025-04", "--groups", "groups.csv"];
    let report = |store: &str, to: &str| {
        let (html, json, csv) = (format!("{to}.html"), format!("{to}.json"), format!("{to}.csv"));
        let outputs = ["report", "--store", store, "--html", &html, "--json", &json, "--csv", &csv];
        let ran = run_in(dir, &[&outputs[..], &windows].concat());
        assert_eq!(ran.code, DONE, "{ran:?}");
        let value: Value = serde_json::from_str(&fs::read_to_string(dir.join(json)).unwrap()).unwrap();
        (value, fs::read_to_string(dir.join(html)).unwrap(), ran.err)
    };
    let (stored, _, said) = report("s.db", "one");
    let (archived, page, said_too) = report("archive", "two");
    assert_eq!(said, said_too);
    for member in ["doubts", "headline", "total", "trend", "comparison", "movers", "read", "method", "sources", "hosts"]
    {
        assert_eq!(archived[member], stored[member], "{member}");
    }
    assert!(!archived["movers"]["gone"].as_array().unwrap().is_empty());
    assert_eq!(archived["catalogue"]["seen"], stored["catalogue"]["seen"]);
    assert!(archived["hosts"].as_array().unwrap().len() > 50);
    for file in ["hosts.csv", "total.csv", "trend.csv", "comparison.csv", "movers.csv", "catalogue.csv"] {
        let read = |folder: &str| fs::read_to_string(dir.join(folder).join(file)).unwrap();
        assert_eq!(read("two.csv"), read("one.csv"), "{file}");
    }
    // What it does not know it says, and makes nothing up.
    let unknown = archived["blind_spots"].as_array().unwrap();
    let words = ["when the sensors were up", "who had which address", "catalogues of the sensors"];
    assert_eq!(unknown.len(), words.len());
    for (said, words) in unknown.iter().zip(words) {
        assert!(said.as_str().unwrap().contains(words) && page.contains(words), "{said}");
    }
    assert_eq!(archived["coverage"]["days"], serde_json::json!([]));
    assert!(page.contains("says nothing of when its sensors saw anything") && !page.contains("Coverage by day"));
    let manifest = crate::support::sha256(&fs::read(dir.join("archive/archive.json")).unwrap());
    assert_eq!(archived["custody"]["archive_sha256"], *manifest);
    assert!(page.contains(&manifest) && stored["custody"].get("archive_sha256").is_none());
    assert_eq!(archived["runs"].as_array().unwrap().len(), 1, "the import");
    // One catalogue for all records, and days that begin earlier.
    for more in [["--catalogue-as-of", "2024-06-01"], ["--utc-offset", "+02:00"]] {
        let of = |store: &str| {
            let ran = run_in(dir, &[&["report", "-q", "--store", store, "--json", "-"], &windows[..], &more].concat());
            assert_eq!((ran.code, ran.err.as_str()), (DONE, ""));
            let value: Value = serde_json::from_str(&ran.out).unwrap();
            [value["total"].clone(), value["trend"].clone(), value["hosts"].clone()]
        };
        assert_eq!(of("archive"), of("s.db"));
    }
    let inside = ["report", "--store", "archive", "--json", "archive/x"];
    run_in(dir, &inside).said_once(USAGE, &["lies in the archive"]);
}

#[test]
fn a_figure_of_an_archive_leads_to_its_records_and_frames() {
    let dir = both(&samples(&["office-day.pcap.zst"]));
    let dir = dir.path();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples");
    let captures = captures.to_str().unwrap();
    let explain = |what: &str, more: &[&str]| {
        let of = |store: &str| run_in(dir, &[&["explain", "--store", store, what], more].concat());
        let (store, archive) = (of("s.db"), of("archive"));
        assert_eq!((archive.code, &archive.out), (store.code, &store.out), "{what} {more:?} {archive:?}");
        assert_eq!(archive.err.replace("archive", "s.db"), store.err, "{what} {more:?}");
        archive
    };
    let ran = explain("10.20.0.12", &["--captures", captures, "--home-net", "any"]);
    assert_eq!(ran.code, DONE, "{ran:?}");
    let ran = explain("10.20.0.12", &["--format", "ndjson", "--captures", captures, "--home-net", "any"]);
    let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.len() > 2 && ran.out.contains(r#""verified""#), "{ran:?}");
    // A record by the beginning of its id, with its host.
    let id = lines.iter().find_map(|l| l["record"]["id"].as_str()).unwrap();
    let ran = explain(&id[..12], &["--format", "ndjson", "--home-net", "any"]);
    assert!(ran.code == DONE && ran.out.contains(id) && ran.out.lines().count() == 2, "{ran:?}");
    fs::write(dir.join("devices.csv"), "address,name\n10.20.0.12,reception\n").unwrap();
    let ran = explain("reception", &["--inventory", "devices.csv", "--home-net", "any"]);
    assert!(ran.code == DONE && ran.out.contains("reception"), "{ran:?}");
    // A window in which it made no contact, and what nobody knows.
    assert_eq!(explain("10.20.0.12", &["--since", "2030-01-01"]).code, 3);
    assert_eq!(explain("0123456789abcdef", &[]).code, 3);
}

#[test]
fn several_hosts_of_an_archive_are_listed_by_explain() {
    let dir = both(&office(150));
    let dir = dir.path();
    let hosts = run_in(dir, &["hosts", "-q", "--store", "archive", "--format", "ndjson"]).out;
    let hosts = hosts.lines().take(2).map(|l| serde_json::from_str::<Value>(l).unwrap()["host"]["ip"].clone());
    let listed: String = hosts.map(|ip| format!("{},twin\n", ip.as_str().unwrap())).collect();
    fs::write(dir.join("devices.csv"), "address,name\n".to_owned() + &listed).unwrap();
    let ran = alike(dir, &["explain", "twin", "--inventory", "devices.csv", "--home-net", "any"]);
    assert!(ran.code == USAGE && ran.err.contains("twin is 2 hosts"), "{ran:?}");
}
