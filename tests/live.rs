//! `watch` on the SPAN port of a network in namespaces. Needs root; scripts/test
//! runs these as root.
#![cfg(target_os = "linux")]

#[path = "support/lab.rs"]
mod lab;

use lab::{Lab, PROGRAM, wait_until};
use serde_json::Value;
use spansight::base::Timestamp;
use spansight::store::Store;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The records of NDJSON by id, of each the highest revision.
fn records(ndjson: &str) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for line in ndjson.lines() {
        let record: Value = serde_json::from_str(line).expect("one JSON object a line");
        let revision = |r: &Value| r["revision"].as_u64().expect("a revision");
        let id = record["id"].as_str().expect("an id").to_owned();
        match all.get(&id) {
            Some(known) => {
                assert!(revision(known) < revision(&record), "a revision is printed once: {line}");
                all.insert(id, record);
            }
            None => drop(all.insert(id, record)),
        }
    }
    all
}

/// Without what must differ between a live run and a replay: where the frames
/// came from, and how often the record was printed.
fn comparable(mut records: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for record in records.values_mut() {
        let record = record.as_object_mut().expect("an object");
        assert!(record.remove("source").is_some() && record.remove("revision").is_some());
        for evidence in record["evidence"].as_array_mut().expect("evidence") {
            let evidence = evidence.as_object_mut().expect("an object");
            for place in ["path", "interface", "offset", "frame"] {
                evidence.remove(place);
            }
        }
    }
    records
}

/// Requires that two values are equal, times up to a few milliseconds: the
/// kernel stamps each listener's copy of a frame on its own.
fn require_alike(a: &Value, b: &Value, place: &str) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            assert_eq!(x.keys().collect::<Vec<_>>(), y.keys().collect::<Vec<_>>(), "in {place}");
            x.iter().zip(y).for_each(|((key, x), (_, y))| require_alike(x, y, &format!("{place}/{key}")));
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len(), "in {place}: {a} and {b}");
            x.iter().zip(y).for_each(|(x, y)| require_alike(x, y, place));
        }
        (Value::String(x), Value::String(y)) => match (Timestamp::parse(x), Timestamp::parse(y)) {
            (Some(t), Some(u)) if x.contains('T') => assert!(t.since(u).abs() < 5_000_000, "in {place}: {x} and {y}"),
            _ => assert_eq!(x, y, "in {place}"),
        },
        _ => assert_eq!(a, b, "in {place}"),
    }
}

fn replay(file: &Path) -> BTreeMap<String, Value> {
    let run = Command::new(PROGRAM)
        .args(["replay", "--sensor", "lab", "--format", "ndjson", "--quiet"])
        .arg(file)
        .output()
        .expect("replay runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    records(&String::from_utf8(run.stdout).expect("text"))
}

fn indicators(records: &BTreeMap<String, Value>) -> Vec<&str> {
    records.values().filter_map(|r| r["indicator"]["id"].as_str()).collect()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn sightings_equal_those_of_a_replay_of_the_same_traffic() {
    let lab = Lab::up("eq");
    let (file, store) = (lab.path("beside.pcap"), lab.path("store"));
    let tcpdump = lab.tcpdump(&file);
    let mut sensor = lab.watch(&["--store", store.to_str().unwrap()]);
    for scene in ["dns", "dns-tcp", "http", "tls", "tls12", "tls-ipv6", "web", "reputation", "lookalike", "refused"] {
        lab.traffic(scene);
    }
    lab.traffic("tls");
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    tcpdump.stop();
    let seen = records(&sensor.out());
    let replayed = replay(&file);
    for wanted in ["update-s-hosts", "update-p-hosts", "web-www", "reputation-ds"] {
        assert!(indicators(&seen).contains(&wanted), "{wanted} in {:?}", indicators(&seen));
    }
    let value = |records| serde_json::to_value(comparable(records)).expect("JSON");
    require_alike(&value(seen.clone()), &value(replayed), "records");

    // The store holds what was printed last.
    let store = Store::open_read_only(&store).expect("the store opens");
    let mut stored = BTreeMap::new();
    for found in store.contributions(spansight::store::Filter::default()).expect("records") {
        let record = found.expect("a record").record;
        stored.insert(record.id.clone(), serde_json::to_value(&record).expect("JSON"));
    }
    assert_eq!(stored, seen);
    let (_, run) = store.runs().expect("runs").pop().expect("one run");
    assert_eq!((run.exit_code, run.sensor.as_str()), (Some(0), "lab"));
    let source = store.sources().expect("sources").pop().expect("one source");
    let covered = store.coverage(0, i64::MAX).expect("coverage");
    let frames = |word| covered.iter().map(|row| row.counts.get(word)).sum::<u64>();
    assert!(source.frames > 100, "{source:?}");
    assert_eq!(frames(spansight::coverage::Counter::Frames), source.frames, "each frame is counted once");
    let most = covered.iter().map(|row| row.addresses).max();
    assert_eq!(most, Some(2), "10.20.0.11 and fd20::11");
    assert!(store.intervals().expect("intervals").iter().any(|i| i.ip.to_string() == "10.20.0.11"));
    assert_eq!(store.check().expect("a check"), Vec::<String>::new());
}

#[test]
#[ignore = "needs root and network namespaces"]
fn packets_of_sightings_are_kept_and_explained() {
    let lab = Lab::up("ev");
    let (store, evidence) = (lab.path("store"), lab.path("evidence"));
    let (store, evidence) = (store.to_str().unwrap(), evidence.to_str().unwrap());
    let mut sensor = lab.watch(&["--store", store, "--evidence-dir", evidence]);
    for scene in ["dns", "http", "tls"] {
        lab.traffic(scene);
    }
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    let seen = records(&sensor.out());
    assert!(indicators(&seen).contains(&"update-p-hosts"), "{:?}", indicators(&seen));
    for id in seen.keys() {
        let run = Command::new(PROGRAM)
            .args(["explain", "--format", "ndjson", "--store", store, id, "--evidence-dir", evidence])
            .output()
            .expect("explain runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let lines = String::from_utf8(run.stdout).expect("text");
        let lines = lines.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
        let frames: Vec<Value> = lines.flat_map(|l| l["frames"].as_array().cloned().unwrap_or_default()).collect();
        assert!(!frames.is_empty() && frames.iter().all(|f| f["state"] == "evidence"), "{frames:?}");
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn nothing_captured_before_the_stop_is_lost() {
    const QUERIES: u64 = 5000;
    // One query of dnl-01.geo.kaspersky.com in DNS wire format, many times.
    const BURST: &str = "
import socket, sys
query = b'\\x00\\x01\\x01\\x00\\x00\\x01' + bytes(6)
query += b''.join(bytes([len(l)]) + l for l in b'dnl-01.geo.kaspersky.com'.split(b'.')) + bytes([0, 0, 1, 0, 1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    s.sendto(query, ('192.0.2.10', 53))
";
    let lab = Lab::up("dr");
    let file = lab.path("beside.pcap");
    // Whoever sends first must not wait for ARP, and nobody needs to answer.
    lab.dig("www.example.com");
    let tcpdump = lab.tcpdump(&file);
    let mut sensor = lab.watch(&[]);
    let start = Instant::now();
    lab.run("client", "python3", &["-c", BURST, &QUERIES.to_string()]);
    let code = sensor.stop();
    println!("{QUERIES} queries sent and the sensor stopped after {:?}", start.elapsed());
    tcpdump.stop();
    assert_eq!(code, Some(0), "{}", sensor.err());
    let count = |all: BTreeMap<String, Value>| all.values().map(|r| r["count"].as_u64().unwrap_or(0)).sum::<u64>();
    let captured = count(replay(&file));
    assert!(captured >= QUERIES, "tcpdump saw {captured}");
    assert_eq!(count(records(&sensor.out())), captured);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_canary_is_said_within_a_second_and_stored() {
    let lab = Lab::up("ca");
    let store = lab.path("store");
    let args = ["--canary", "www.example.com", "--canary", "never.example.com", "--store", store.to_str().unwrap()];
    let mut sensor = lab.watch(&args);
    lab.dig("WWW.Example.com");
    let sentence = "control seen: www.example.com by dns_query from 10.20.0.11 (00:00:5e:00:53:0b)";
    let took = wait_until(sentence, || sensor.err().contains(sentence));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(sensor.stop(), Some(0));
    let err = sensor.err();
    assert!(err.contains("Last control seen: www.example.com at "), "{err}");
    assert!(err.contains("by 10.20.0.11 (00:00:5e:00:53:0b) (in all: dns_query 1, dns_answer 1)"), "{err}");
    assert!(err.contains("No control was seen: nobody looked never.example.com up"), "{err}");
    let stored = Store::open_read_only(&store).expect("the store opens").canaries().expect("canaries");
    let channels: Vec<&str> = stored.iter().map(|c| c.channel.as_str()).collect();
    assert_eq!(channels, ["dns_query", "dns_answer"]);
    assert!(stored.iter().all(|c| c.name == "www.example.com" && c.ip.to_string() == "10.20.0.11"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn what_was_stored_survives_a_sudden_death() {
    let lab = Lab::up("ki");
    let (store, output) = (lab.path("store"), lab.path("out.ndjson"));
    let args = ["--canary", "www.example.com", "--store", store.to_str().unwrap()];
    let mut sensor = lab.watch(&[&args[..], &["--output", output.to_str().unwrap()]].concat());
    lab.traffic("dns");
    // A canary is stored at once, and what was seen before goes along.
    lab.dig("www.example.com");
    let open = || Store::open_read_only(&store).expect("the store opens");
    wait_until("the canary in the store", || !open().canaries().expect("canaries").is_empty());
    sensor.signal("KILL");
    sensor.wait();
    let store = open();
    let stored = store.records(spansight::store::Filter::default()).expect("records").count();
    assert_eq!(stored, 1);
    let (_, run) = store.runs().expect("runs").pop().expect("one run");
    assert_eq!((run.ended, run.exit_code), (None, None));
    let printed = records(&fs::read_to_string(&output).expect("the output is there"));
    assert_eq!(indicators(&printed), ["update-dnl-geo"]);
}

/// A file system of two megabytes, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).expect("a folder");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&at).status();
        assert!(mount.expect("mount runs").success());
        SmallDisk(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_full_disk_of_the_output_does_not_stop_a_sensor_with_a_store() {
    let lab = Lab::up("fo");
    let disk = SmallDisk::mount(lab.path("disk"));
    let (store, output) = (lab.path("store"), disk.0.join("out"));
    let mut sensor = lab.watch(&["--store", store.to_str().unwrap(), "--output", output.to_str().unwrap()]);
    drop(fs::write(disk.0.join("filler"), vec![1; 4 << 20]));
    lab.traffic("http");
    sensor.wait_for("the sensor goes on, and what it finds is in the store alone");
    lab.traffic("lookalike");
    assert_eq!(sensor.stop(), Some(3), "{}", sensor.err());
    let store = Store::open_read_only(&store).expect("the store opens");
    let stored = store.records(spansight::store::Filter::default()).expect("records");
    let found: Vec<String> = stored.map(|r| r.expect("a record").record.indicator.id).collect();
    assert!(found.iter().any(|id| id.starts_with("lookalike")), "{found:?}");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_full_disk_does_not_stop_the_sensor() {
    let lab = Lab::up("fu");
    let disk = SmallDisk::mount(lab.path("disk"));
    let (store, filler) = (disk.0.join("store"), disk.0.join("filler"));
    let mut sensor = lab.watch(&["--canary", "www.example.com", "--store", store.to_str().unwrap()]);
    let fill = || drop(fs::write(&filler, vec![1; 4 << 20]));
    fill();
    lab.dig("www.example.com");
    sensor.wait_for("the sensor goes on, keeps what is new and tries again");
    assert!(sensor.err().contains("no space left"), "{}", sensor.err());
    lab.traffic("http");
    wait_until("records although the disk is full", || sensor.out().contains("update-p-hosts"));
    fs::remove_file(&filler).expect("the filler is there");
    sensor.wait_for("the store can be written again; nothing is missing in it");
    fill();
    lab.dig("www.example.com");
    assert_eq!(sensor.stop(), Some(3));
    let err = sensor.err();
    assert!(err.contains("not everything could be stored"), "{err}");
    assert_eq!(records(&sensor.out()).len(), 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn what_cannot_be_captured_is_said_in_one_sentence() {
    let lab = Lab::up("no");
    let refused = |program: &str, args: &[&str]| {
        let run = lab.command("sensor", program).args(args).output().expect("ip netns exec runs");
        assert_eq!(run.status.code(), Some(3), "{run:?}");
        assert!(run.stdout.is_empty());
        let err = String::from_utf8(run.stderr).expect("text");
        assert_eq!(err.lines().count(), 1, "{err}");
        err
    };
    let err = refused(PROGRAM, &["watch", "-i", "span9"]);
    assert!(err.contains("span9") && err.contains("span0"), "{err}");

    // Where the program lies others may have no access.
    let open_to_all = tempfile::Builder::new().prefix("spansight-live").tempdir().expect("a folder");
    let copy = open_to_all.path().join("spansight");
    fs::copy(PROGRAM, &copy).expect("the program can be copied");
    let all = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(open_to_all.path(), all).expect("permissions");
    let copy = copy.to_str().expect("text");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", copy, "watch", "-i", "span0"];
    let err = refused("setpriv", &nobody);
    assert!(err.contains("span0") && err.contains("no permission"), "{err}");

    let wrong = lab.command("sensor", PROGRAM).args(["watch", "-i", "span0", "--bpf", "tcp prot 80"]).output();
    let wrong = wrong.expect("ip netns exec runs");
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_filter_leaves_out_the_rest() {
    let lab = Lab::up("fi");
    let mut sensor = lab.watch(&["--bpf", "tcp port 80"]);
    lab.traffic("dns");
    lab.traffic("http");
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    let seen = records(&sensor.out());
    assert!(indicators(&seen).contains(&"update-p-hosts"), "{:?}", indicators(&seen));
    for record in seen.values() {
        let channels = record["channels"].as_array().expect("channels");
        assert!(channels.iter().all(|c| c.as_str().is_some_and(|c| c.starts_with("http_"))), "{channels:?}");
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn an_interface_that_vanishes_ends_the_run_and_what_was_seen_stays() {
    let lab = Lab::up("va");
    let store = lab.path("store");
    let mut sensor = lab.watch(&["--store", store.to_str().unwrap()]);
    lab.traffic("dns");
    wait_until("a record", || sensor.out().contains("update-dnl-geo"));
    lab.run("sensor", "ip", &["link", "del", "span0"]);
    assert_eq!(sensor.wait(), Some(3), "{}", sensor.err());
    let err = sensor.err();
    assert!(err.contains("span0 disappeared") && err.contains("the capture broke off"), "{err}");
    let store = Store::open_read_only(&store).expect("the store opens");
    assert_eq!(store.records(spansight::store::Filter::default()).expect("records").count(), 1);
    let (_, run) = store.runs().expect("runs").pop().expect("one run");
    assert_eq!(run.exit_code, Some(3));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn statistics_show_the_way_from_capture_to_the_printed_record() {
    let lab = Lab::up("ti");
    let stats = lab.path("stats.json");
    let mut sensor = lab.watch(&["--stats", stats.to_str().unwrap()]);
    let start = Instant::now();
    for scene in ["dns", "http"] {
        lab.traffic(scene);
    }
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    let passed = u64::try_from(start.elapsed().as_nanos()).expect("not for ever");
    let stats: Value = serde_json::from_slice(&fs::read(&stats).expect("statistics")).expect("JSON");
    let timing = stats["timing"].as_object().expect("timing");
    let stages: BTreeSet<&str> = timing.keys().map(String::as_str).collect();
    let wanted = ["arrival", "decode", "frame", "latency", "read", "record", "report", "wait", "work"];
    assert_eq!(stages, BTreeSet::from(wanted));
    let of = |stage: &str, what: &str| timing[stage][what].as_u64().expect("a number");
    assert!(of("arrival", "count") == of("read", "count") && of("record", "count") >= 2, "{timing:?}");
    for stage in ["arrival", "latency", "record"] {
        // Two significant digits.
        assert!(0 < of(stage, "p50_ns") && of(stage, "max_ns") < passed / 100 * 102, "{stage}: {timing:?}");
    }
    assert!(of("arrival", "p50_ns") <= of("record", "max_ns"), "{timing:?}");
    let err = sensor.err();
    assert!(
        err.contains("From capture on: 99 % of frames decoded within ") && err.contains("; 99 % of records"),
        "{err}"
    );
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_closed_standard_output_ends_the_run_with_success() {
    let lab = Lab::up("he");
    let store = lab.path("store");
    let mut sensor = lab.watch_to(&["--store", store.to_str().unwrap()], "span0", Some(Stdio::piped()));
    lab.traffic("dns");
    let mut first = String::new();
    let mut out = BufReader::new(sensor.child.stdout.take().expect("piped"));
    out.read_line(&mut first).expect("a line");
    assert!(first.contains("update-dnl-geo"), "{first}");
    drop(out);
    let closed = Instant::now();
    // Nothing more happens on the network, and the sensor notices all the same.
    assert_eq!(sensor.wait(), Some(0), "{}", sensor.err());
    assert!(closed.elapsed() < Duration::from_secs(3), "{:?}", closed.elapsed());
    let store = Store::open_read_only(&store).expect("the store opens");
    assert_eq!(store.records(spansight::store::Filter::default()).expect("records").count(), 1);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_second_signal_ends_the_run_at_once() {
    let lab = Lab::up("si");
    let mut sensor = lab.watch(&[]);
    // Both wait until the sensor goes on.
    for name in ["STOP", "INT", "TERM", "CONT"] {
        sensor.signal(name);
    }
    assert_eq!(sensor.wait(), Some(3));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_port_that_shows_nothing_is_no_success() {
    let lab = Lab::up("qu");
    lab.run("sensor", "ip", &["link", "add", "quiet0", "type", "veth", "peer", "name", "quiet1"]);
    for end in ["quiet0", "quiet1"] {
        lab.run("sensor", "ip", &["link", "set", end, "up"]);
    }
    let mut sensor = lab.watch_to(&[], "quiet0", None);
    assert_eq!(sensor.stop(), Some(3));
    assert!(sensor.err().contains("no frame came"), "{}", sensor.err());
}

#[test]
#[ignore = "needs root and network namespaces"]
fn one_of_two_ports_that_shows_nothing_leaves_it_in_doubt() {
    let lab = Lab::up("tw");
    lab.run("sensor", "ip", &["link", "add", "quiet0", "type", "veth", "peer", "name", "quiet1"]);
    for end in ["quiet0", "quiet1"] {
        // Without it the kernel announces itself there.
        lab.run("sensor", "sysctl", &["-qw", &format!("net.ipv6.conf.{end}.disable_ipv6=1")]);
        lab.run("sensor", "ip", &["link", "set", end, "up"]);
    }
    let store = lab.path("store");
    let mut sensor = lab.watch(&["-i", "quiet0", "--store", store.to_str().unwrap()]);
    lab.traffic("dns");
    assert_eq!(sensor.stop(), Some(1), "{}", sensor.err());
    assert!(sensor.err().contains("quiet0: no frame came"), "{}", sensor.err());
    assert!(sensor.err().contains("Hosts may be missing above: no frame came on quiet0"), "{}", sensor.err());
    assert_eq!(fail_on_lookalikes(&lab, &store), Some(1));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn what_a_filter_of_the_kernel_left_out_is_a_doubt() {
    let lab = Lab::up("fd");
    let store = lab.path("store");
    let mut sensor = lab.watch(&["--bpf", "udp port 53", "--store", store.to_str().unwrap()]);
    lab.traffic("dns");
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    assert!(sensor.err().contains("only frames that --bpf \"udp port 53\" accepts were captured"), "{}", sensor.err());
    assert_eq!(fail_on_lookalikes(&lab, &store), Some(1));
}

/// How `hosts` ends that looks in a store for what is not there.
fn fail_on_lookalikes(lab: &Lab, store: &Path) -> Option<i32> {
    let mut hosts = lab.command("sensor", PROGRAM);
    hosts.args(["hosts", "-q", "--fail-on", "lookalike", "--store"]).arg(store);
    hosts.output().expect("ip netns exec runs").status.code()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn output_grows_while_the_sensor_runs() {
    let lab = Lab::up("gr");
    let output = lab.path("sightings.ndjson");
    fs::write(&output, "").expect("a file");
    for run in 1..=2 {
        let mut sensor = lab.watch(&["--output", output.to_str().unwrap()]);
        lab.traffic("dns");
        // A record is printed again only when it rises, as from its question
        // to the answer.
        let told = || -> Vec<(String, String)> {
            let text = fs::read_to_string(&output).expect("the output is there");
            let records = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect("a record"));
            let word = |r: &serde_json::Value, field: &str| r[field].as_str().expect("a word").to_owned();
            records.map(|r| (word(&r, "source"), word(&r, "stage"))).collect()
        };
        let runs = |told: &[(String, String)]| told.iter().map(|(source, _)| source).collect::<BTreeSet<_>>().len();
        wait_until("the record in the file", || runs(&told()) >= run);
        assert_eq!(sensor.stop(), Some(0));
        let told = told();
        assert_eq!(runs(&told), run, "earlier runs stay");
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "unchanged records are not printed again");
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn changes_of_hosts_are_said_and_stored() {
    let lab = Lab::up("ev");
    let (store, events) = (lab.path("store"), lab.path("events"));
    let mut sensor = lab.watch(&["--store", store.to_str().unwrap(), "--events", events.to_str().unwrap()]);
    lab.traffic("http");
    wait_until("a record", || sensor.out().contains("update-p-hosts"));
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    let said = sensor.err();
    let new = said.find(" is new: updating. Data was transferred").expect(&said);
    assert!(said.find("Listened on span0").expect(&said) > new, "closing lines come last: {said}");
    let written = fs::read_to_string(&events).expect("the file of events");
    assert!(
        written.starts_with("{\"schema\":\"spansight.event/1\",") && written.contains("\"kind\":\"new\""),
        "{written}"
    );
    let stored = Store::open_read_only(&store).expect("the store").events(None, None).expect("events");
    assert_eq!(stored.len(), written.lines().count());
    assert!(stored.iter().all(|e| e.kind == "new" && e.from.is_none()), "{stored:?}");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn alarms_come_first_and_accepted_hosts_are_said_as_such() {
    let lab = Lab::up("al");
    let path = |name: &str| lab.path(name).to_str().expect("text").to_owned();
    let exception = "host = \"10.20.0.11\"\nverdict = \"active\"\nreason = \"bench\"\nowner = \"lab\"";
    fs::write(path("accept"), format!("[[accept]]\n{exception}\nexpires = 2999-12-31\n")).expect("a file");
    fs::write(path("devices"), "mac,name,owner\n00-00-5e-00-53-0b,Reception,j.doe\n").expect("a file");
    let mut sensor =
        lab.watch(&["--accept", &path("accept"), "--inventory", &path("devices"), "--events", &path("ev")]);
    lab.traffic("http");
    lab.traffic("lookalike");
    wait_until("both records", || sensor.out().contains("update-p-hosts") && sensor.out().contains("lookalike-"));
    assert_eq!(sensor.stop(), Some(0), "{}", sensor.err());
    let events = fs::read_to_string(path("ev")).expect("the file of events");
    let events: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let [alarm, new] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&alarm["kind"], &new["kind"]), (&"alarm".into(), &"new".into()));
    assert!(alarm.get("accepted").is_none() && new["accepted"]["owner"] == "lab", "{events:?}");
    for event in [alarm, new] {
        assert_eq!((&event["alarms"][0], &event["host"]["owner"]), (&"lookalike".into(), &"j.doe".into()));
    }
    let said = sensor.err();
    assert!(said.contains("ALARM lookalike: 10.20.0.11 (Reception, owner j.doe), verdict updating. "), "{said}");
    assert!(said.contains(" Accepted as active until 2999-12-31; bench (lab)."), "{said}");
}
