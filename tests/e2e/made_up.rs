//! Floods of what somebody made up: hosts that do not exist, and names that
//! nobody registered.

use crate::support::packets::{self, PSH_ACK, SECOND, SERVER, SYN, TEN, host};
use crate::support::program::{Ran, program, run_in};
use crate::support::writer::Pcap;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// SYN and ClientHello from each of 5,000 addresses of the home networks;
/// nothing ever comes back, so none of them is shown to exist.
#[test]
fn spoofed_hellos_confirm_no_host() {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::new();
    let hello = packets::client_hello(b"s00.upd.kaspersky.com");
    for n in 0..5_000_u16 {
        let (us, them) = ((host(n + 256), 40_000), (SERVER, 443));
        let at = TEN + i64::from(n) * SECOND / 50;
        pcap.frame(at, &packets::tcp(us, them, 1_000, 0, SYN, &[]));
        pcap.frame(at + 1_000_000, &packets::tcp(us, them, 1_001, 1, PSH_ACK, &hello));
    }
    fs::write(dir.path().join("spoofed.pcap"), pcap.bytes()).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--store", "s.sqlite", "spoofed.pcap"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let hosts = run_in(dir.path(), &["hosts", "-q", "--store", "s.sqlite", "--format", "ndjson"]).json();
    let confirmed = hosts.iter().filter(|h| h["confirmed"] == true).count();
    assert_eq!((hosts.len(), confirmed), (5_000, 0));
    for h in &hosts {
        assert_eq!((h["verdict"].as_str(), &h["roles"]), (Some("attempting"), &Value::Array(Vec::new())), "{h}");
    }
}

/// Lookups of names under a catalogue suffix, as malware that tunnels or a
/// scanner would make them. `distinct` says of how many different names.
fn lookups(distinct: u32) -> Vec<u8> {
    let mut pcap = Pcap::new();
    for n in 0..20_000_u32 {
        // Spread, so that neighbours in time are not neighbours in order.
        let random = (n % distinct).wrapping_mul(2_654_435_761);
        let name = format!("{random:08x}{:08x}.upd.kaspersky.com", random ^ 0x5bd1_e995);
        let port = 1_024 + (n % 60_000) as u16;
        pcap.frames(TEN + i64::from(n) * SECOND / 100, &packets::lookup(host(300), port, &name, SERVER));
    }
    pcap.bytes().to_vec()
}

/// Replays from standard input; the records, and the most memory that was in
/// use when all input had been taken, in KiB.
fn replayed(capture: &[u8]) -> (Vec<Value>, u64) {
    let mut command = program(&["replay", "-q", "--format", "ndjson", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(capture).unwrap();
    // What is left in the pipe is a hundredth of it.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(stdin);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    (ran.json(), peak)
}

#[test]
#[cfg(target_os = "linux")]
fn random_names_leave_memory_flat_and_one_record() {
    let (few, flat) = replayed(&lookups(64));
    let (many, peak) = replayed(&lookups(20_000));
    assert_eq!((few.len(), many.len()), (1, 1));
    assert_eq!((few[0]["count"].as_u64(), many[0]["count"].as_u64()), (Some(40_000), Some(40_000)));
    assert_eq!((few[0]["names"].as_array().unwrap().len(), few[0]["names_more"].as_u64()), (64, Some(0)));
    assert_eq!(many[0]["names"].as_array().unwrap().len(), 64);
    let more = many[0]["names_more"].as_u64().unwrap();
    assert!(more > 0 && more <= 20_000 - 64, "{more}");
    assert_eq!((many[0]["stage"].as_str(), many[0]["sessions"].as_u64()), (Some("answered"), Some(1)));
    assert!(peak < flat + 8 * 1_024, "{flat} KiB with 64 names, {peak} KiB with 20,000");
}
