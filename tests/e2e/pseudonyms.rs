//! `--pseudonymise`: nothing that is printed or stored says who a host is, and
//! who has the key can still tell one from another.

use crate::support::packets::{self, TEN, connection, get, host, response};
use crate::support::program::{program, run_in};
use crate::support::writer::Pcap;
use crate::support::{sample_captures, schema};
use regex::Regex;
use spansight::base::{Addr, Mac, Prefix};
use spansight::sighting::Record;
use spansight::sighting::draft::record_id;
use spansight::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const KEY: &str = "6d7973746572792d6b65792d6f662d7468652d746573742d3031323334353637";

fn with_key(dir: &Path) {
    fs::write(dir.join("key"), KEY).unwrap();
    #[cfg(unix)]
    fs::set_permissions(dir.join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// All that a run prints and stores, as text.
fn everything(dir: &Path, formats: &[&str], args: &[&str]) -> String {
    let mut all = String::new();
    for format in formats {
        // Once is enough for what is the same with any format.
        let kept: &[&str] = if all.is_empty() { &["--stats", "stats.json", "--store", "store"] } else { &[] };
        let ran = run_in(dir, &[&["replay", "--format", format], kept, args].concat());
        assert!(matches!(ran.code, 0 | 1), "{ran:?}");
        all += &(ran.out + &ran.err);
    }
    all += &fs::read_to_string(dir.join("stats.json")).unwrap();
    let mut dump = Vec::new();
    let store = Store::open_read_only(&dir.join("store")).unwrap();
    store.dump(&mut dump).unwrap();
    all += &String::from_utf8(dump).unwrap();
    let runs = store.runs().unwrap().into_iter().map(|(_, r)| {
        // The catalogue is the same for everyone, and has addresses of its own.
        format!("{:?} {:?} {:?} {}", r.command, r.home_nets, r.environment, r.sensor)
    });
    all += &runs.collect::<Vec<_>>().join("\n");
    drop(store);
    fs::remove_file(dir.join("store")).unwrap();
    all
}

/// Private addresses, hardware addresses, and addresses as the store's keys
/// have them, in a text.
fn marks(text: &str) -> BTreeSet<String> {
    let own: Vec<Prefix> = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"]
        .map(|p| p.parse().unwrap())
        .into();
    let words = Regex::new(r"[0-9a-fA-F.:]+").unwrap();
    let mut marks = BTreeSet::new();
    for word in words.find_iter(text) {
        let word = word.as_str().trim_matches(['.', ':']);
        let key = word.len() == 32 && word.starts_with("00000000000000000000ffff");
        let bits = u128::from_str_radix(word, 16).ok().filter(|_| key);
        if let Some(addr) = word.parse::<Addr>().ok().or(bits.map(|b| Addr(b.to_be_bytes()))) {
            // Networks begin with addresses that are no host's.
            if own.iter().any(|p| p.contains(&addr) && addr.bits() != p.network()) {
                marks.insert(word.to_lowercase());
            }
        } else if word.parse::<Mac>().is_ok() {
            marks.insert(word.to_lowercase());
        }
    }
    marks
}

#[test]
fn no_output_of_any_sample_says_who_a_host_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    let (mut hosts, mut called) = (0, 0);
    let name = Regex::new(r#""name":"([^"]+)","name_source""#).unwrap();
    for capture in sample_captures() {
        let capture = capture.to_string_lossy().into_owned();
        let text = everything(dir, &["ndjson"], &[&capture]);
        let names: BTreeSet<&str> = name.captures_iter(&text).map(|c| c.get(1).unwrap().as_str()).collect();
        let plain = marks(&text);
        let text = everything(dir, &["table", "ndjson", "csv"], &["--pseudonymise", "key", &capture]);
        let veiled = marks(&text);
        let both: Vec<&String> = plain.intersection(&veiled).collect();
        assert!(both.is_empty(), "{capture}: {both:?}");
        assert_eq!(plain.is_empty(), veiled.is_empty(), "{capture}");
        for n in &names {
            assert!(!text.contains(n), "{capture}: {n}");
        }
        (hosts, called) = (hosts + plain.len(), called + names.len());
    }
    println!("{hosts} addresses, {called} names");
    assert!(hosts > 100, "there was something to hide: {hosts}");
}

/// What a host says it is called is said by nobody else.
#[test]
fn names_of_hosts_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    let announcement = packets::answer(0, &[b"jane-laptop", b"local"], host(5));
    let mut frames = vec![packets::udp((host(5), 5353), ([224, 0, 0, 251], 5353), &announcement)];
    frames.extend(packets::update(host(5), 40_000));
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
    let formats = ["table", "ndjson", "csv"];
    let plain = everything(dir, &formats, &["a.pcap"]);
    assert!(plain.matches("jane-laptop").count() > 4, "{plain}");
    let veiled = everything(dir, &formats, &["--pseudonymise", "key", "a.pcap"]);
    assert!(!veiled.contains("jane-laptop"), "{veiled}");
    let name = Regex::new("h-[0-9a-f]{16}").unwrap();
    let names: BTreeSet<&str> = name.find_iter(&veiled).map(|m| m.as_str()).collect();
    assert!(names.len() == 1 && name.find_iter(&veiled).count() == plain.matches("jane-laptop").count(), "{veiled}");
}

fn records(dir: &Path, args: &[&str]) -> Vec<Record> {
    let ran = run_in(dir, &[&["replay", "-q", "--format", "ndjson"], args].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let schema = schema::sighting();
    for record in ran.json() {
        assert_eq!(schema::faults(&schema, &record), Vec::<String>::new(), "{record}");
    }
    ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// All but who it was is told as before, host by host and in order.
#[test]
fn records_are_the_same_but_for_who_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    for capture in sample_captures() {
        let capture = capture.to_string_lossy().into_owned();
        let plain = records(dir, &[&capture]);
        let veiled = records(dir, &["--pseudonymise", "key", &capture]);
        assert_eq!(plain.len(), veiled.len(), "{capture}");
        let key =
            |r: &Record| (r.period.clone(), r.host.ip, r.host.segment.clone(), r.host.mac, r.indicator.id.clone());
        assert!(veiled.is_sorted_by_key(key), "{capture}");
        let mut known: BTreeMap<Addr, Addr> = BTreeMap::new();
        let mut left: Vec<&Record> = plain.iter().collect();
        for r in &veiled {
            let ip = &r.host;
            let id = record_id(&r.sensor, &ip.segment, &ip.ip, ip.mac, &r.indicator.id, &r.period);
            assert_eq!(r.id, id, "{capture}");
            assert!(r.community_ids.is_empty());
            let same = |p: &&Record| {
                let frames =
                    |r: &Record| r.evidence.iter().map(|e| (e.frame, e.channel, e.sport, e.dport)).collect::<Vec<_>>();
                (&p.indicator, p.stage, p.count, p.first_seen, p.slots, p.bytes_from_server, p.servers.len())
                    == (&r.indicator, r.stage, r.count, r.first_seen, r.slots, r.bytes_from_server, r.servers.len())
                    && frames(p) == frames(r)
                    && known.get(&p.host.ip).is_none_or(|k| *k == r.host.ip)
            };
            let at = left.iter().position(same).unwrap_or_else(|| panic!("{capture}: {r:?}"));
            let p = left.remove(at);
            known.insert(p.host.ip, r.host.ip);
            for (a, b) in p.evidence.iter().zip(&r.evidence) {
                assert_ne!(a.packet_sha256, b.packet_sha256);
            }
        }
        assert!(left.is_empty(), "{capture}");
    }
}

#[test]
fn runs_with_one_key_agree_and_others_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    fs::write(dir.join("other"), [b"another key", &[7; 40][..]].concat()).unwrap();
    for (name, hosts) in [("a.pcap", 1..40), ("b.pcap", 20..60)] {
        let mut pcap = Pcap::new();
        for n in hosts {
            pcap.frames(TEN + i64::from(n), &packets::update(host(n), 40_000));
        }
        fs::write(dir.join(name), pcap.bytes()).unwrap();
    }
    let hosts = |args: &[&str]| -> BTreeSet<Addr> { records(dir, args).iter().map(|r| r.host.ip).collect() };
    let a = hosts(&["--pseudonymise", "key", "a.pcap"]);
    let b = hosts(&["--pseudonymise", "key", "--home-net", "10.0.0.0/16", "b.pcap"]);
    assert_eq!((a.len(), b.len(), a.intersection(&b).count()), (39, 40, 20));
    let other = hosts(&["--pseudonymise", "other", "a.pcap"]);
    assert!(other.intersection(&a).count() < 5);
    let ndjson = |workers| {
        let args =
            ["replay", "-q", "--format", "ndjson", "--pseudonymise", "key", "--workers", workers, "a.pcap", "b.pcap"];
        run_in(dir, &args).out
    };
    assert!(!ndjson("1").is_empty() && ndjson("1") == ndjson("4"));
}

/// The networks that the store calls home are those of its records.
#[test]
fn home_networks_move_with_their_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes()).unwrap();
    let args = ["replay", "-q", "--store", "s", "--home-net", "10.0.0.0/24", "--pseudonymise", "key", "a.pcap"];
    assert_eq!(run_in(dir, &args).code, 0);
    let store = Store::open_read_only(&dir.join("s")).unwrap();
    let home: Vec<Prefix> = store.runs().unwrap()[0].1.home_nets.iter().map(|n| n.parse().unwrap()).collect();
    assert_ne!(home, ["10.0.0.0/24".parse().unwrap()]);
    let mut hosts = store.intervals().unwrap().into_iter().map(|i| i.ip).peekable();
    assert!(hosts.peek().is_some() && hosts.all(|ip| home[0].contains(&ip)), "{home:?}");
}

/// A mirror at home is a host too, by whatever name it is asked for.
#[test]
fn servers_at_home_are_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    let mirror = host(9);
    let mut frames = Vec::new();
    let path = b"/index/u1313g.xml";
    for (port, request) in [
        (40_000, get(b"mirror.corp.example", path, b"x")),
        (40_001, get(b"10.0.0.9", path, b"x")),
        (40_002, get(b"10.0.0.9:8080", b"http://10.0.0.9:8080/index/u1313g.xml", b"x")),
    ] {
        frames.extend(connection((host(5), port), (mirror, 80), &[(&request, &response(4000))]));
    }
    let remote = get(b"mirror.isp.example", path, b"x");
    frames.extend(connection((host(6), 40_003), ([198, 51, 100, 7], 80), &[(&remote, &response(4000))]));
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &frames).bytes()).unwrap();
    let formats = ["table", "ndjson", "csv"];
    let filter = "net 10.0.0.0/16 or host 10.0.0.9";
    let text = everything(dir, &formats, &["--pseudonymise", "key", "--bpf", filter, "a.pcap"]);
    assert!(!text.contains("mirror.corp"), "{text}");
    let hidden = ["10.0.0.5", "10.0.0.6", "10.0.0.9", "10.0.0.0/16", "10.0.0.0/24"];
    assert!(hidden.iter().all(|h| !text.contains(h)), "{text}");
    assert!(text.contains("mirror.isp.example") && text.contains("198.51.100.7"), "{text}");
}

#[test]
fn a_followed_capture_is_concealed_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes()).unwrap();
    let args = ["replay", "--follow", "--format", "ndjson", "--store", "s", "--pseudonymise", "key", "a.pcap"];
    let child = program(&args)
        .current_dir(dir)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("p00.upd.kaspersky.com"), "{text}");
    let mut dump = Vec::new();
    let store = Store::open_read_only(&dir.join("s")).unwrap();
    store.dump(&mut dump).unwrap();
    text += &String::from_utf8(dump).unwrap();
    assert!(!text.contains("10.0.0.5") && !text.contains("02:00:0a:00:00:05"), "{text}");
    let same: BTreeSet<Addr> = records(dir, &["--pseudonymise", "key", "a.pcap"]).iter().map(|r| r.host.ip).collect();
    let kept: BTreeSet<Addr> = store.intervals().unwrap().iter().map(|i| i.ip).collect();
    assert!(same.is_subset(&kept), "{same:?} {kept:?}");
}

#[test]
fn a_store_that_knows_hosts_by_several_words_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_key(dir);
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes()).unwrap();
    let said = |command: &[&str]| {
        let ran = run_in(dir, &[command, &["--store", "s"]].concat());
        ran.said().into_iter().filter(|l| l.contains("appear twice")).map(str::to_owned).collect::<Vec<_>>()
    };
    let replay = |args: &[&str]| assert_eq!(run_in(dir, &[&["replay", "-q", "--store", "s"], args].concat()).code, 0);
    replay(&["--pseudonymise", "key", "a.pcap"]);
    replay(&["--pseudonymise", "key", "a.pcap"]);
    assert_eq!(said(&["hosts"]), [""; 0]);
    fs::write(dir.join("key"), KEY.replace('6', "7")).unwrap();
    replay(&["--pseudonymise", "key", "a.pcap"]);
    let keys =
        "warning: the runs of this store made pseudonyms with 2 different keys, so that one host may appear twice";
    assert_eq!((said(&["hosts"]), said(&["explain", "10.0.0.5"])), (vec![keys.into()], vec![keys.into()]));
    replay(&["a.pcap"]);
    let mixed = "warning: some runs of this store replaced hosts by pseudonyms and others did not, so that one host may \
                 appear twice";
    assert_eq!((said(&["hosts"]), said(&["explain", "10.0.0.5"])), (vec![mixed.into()], vec![mixed.into()]));
    assert_eq!(said(&["hosts", "-q"]), [""; 0]);
}

#[test]
fn a_key_must_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.pcap"), Pcap::new().frames(TEN, &packets::update(host(5), 40_000)).bytes()).unwrap();
    for (key, why) in [(&b"short"[..], "holds 5 bytes"), (&[0; 64], "same byte"), (&[b'x'; 5000], "longer than 4096")] {
        fs::write(dir.join("key"), key).unwrap();
        let ran = run_in(dir, &["replay", "--pseudonymise", "key", "a.pcap"]);
        ran.said_once(2, &["--pseudonymise key", why]);
        assert_eq!(ran.out, "");
    }
    run_in(dir, &["replay", "--pseudonymise", "none", "a.pcap"]).said_once(2, &["--pseudonymise none"]);
    with_key(dir);
    let ran = run_in(dir, &["replay", "--pseudonymise", "key", "--store", "key", "a.pcap"]);
    ran.said_once(2, &["would overwrite what is read"]);
    assert_eq!(fs::read_to_string(dir.join("key")).unwrap(), KEY);
    let ran = run_in(dir, &["replay", "--pseudonymise", "key", "--evidence-dir", "proof", "a.pcap"]);
    assert!(ran.code == 2 && !dir.join("proof").exists(), "{ran:?}");
}
