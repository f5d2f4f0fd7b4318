//! Frames with a host's own addresses, its hardware address among them, that
//! somebody sends to make it look like a resolver or a proxy: what it does
//! itself is not taken for others'.

use crate::support::packets::{self, SECOND, SERVER, TEN, answer, connection, host, lookup, query, udp};
use crate::support::program::run_in;
use crate::support::writer::Pcap;
use serde_json::Value;
use std::fs;

const UPDATER: u16 = 7;
const ASKER: u16 = 8;
const HOUR: i64 = 3_600 * SECOND;

/// Frames by time.
type Frames = Vec<(i64, Vec<u8>)>;

fn add(all: &mut Frames, at: i64, frames: impl IntoIterator<Item = Vec<u8>>) {
    all.extend((0..).zip(frames).map(|(n, f)| (at + n * 1_000_000, f)));
}

/// One host updates at ten and at twelve, another looks names up.
fn truth() -> Frames {
    let mut all = Frames::new();
    for (n, hour) in [(0, 0), (1, 2)] {
        let at = TEN + hour * HOUR + 60 * SECOND;
        add(&mut all, at, packets::update(host(UPDATER), 40_000 + n));
        add(&mut all, at, lookup(host(ASKER), 41_000 + n, "s05.upd.kaspersky.com", SERVER));
        // Others look up what it does, too.
        add(&mut all, at, lookup(host(9), 42_000 + n, "s05.upd.kaspersky.com", SERVER));
    }
    all
}

/// Asks a host for a name in the place of several, and answers in its place.
fn as_dns_server(all: &mut Frames, at: i64, victim: u16) {
    let labels: [&[u8]; 2] = [b"intra", b"test"];
    for client in [66, 67] {
        let (us, them) = ((host(client), 43_000), (host(victim), 53));
        add(all, at, [udp(us, them, &query(5, &labels)), udp(them, us, &answer(5, &labels, SERVER))]);
    }
}

/// Asks name servers in its place, without wanting recursion.
fn as_iterating(all: &mut Frames, at: i64, victim: u16) {
    let labels: [&[u8]; 2] = [b"example", b"org"];
    for n in 1..=3 {
        let (us, them) = ((host(victim), 44_000), ([192, 0, 2, n], 53));
        let (mut q, mut a) = (query(6, &labels), answer(6, &labels, SERVER));
        (q[2], a[2], a[3]) = (0, 0x80, 0);
        add(all, at, [udp(us, them, &q), udp(them, us, &a)]);
    }
}

/// Uses it as a proxy to an update server, for which it consents.
fn as_proxy(all: &mut Frames, at: i64, victim: u16) {
    let connect = b"CONNECT p00.upd.kaspersky.com:443 HTTP/1.1\r\n\r\n";
    let turns = [
        (&connect[..], &b"HTTP/1.1 200 OK\r\n\r\n"[..]),
        (&packets::client_hello(b"p00.upd.kaspersky.com"), &packets::server_hello()),
    ];
    for client in [66, 67] {
        add(all, at, connection((host(client), 45_000 + client), (host(victim), 3128), &turns));
    }
}

/// The verdicts and reasons of the two hosts, and their roles.
fn judged(mut frames: Frames) -> Vec<(String, String, Vec<Value>)> {
    frames.sort_by_key(|(at, _)| *at);
    let mut pcap = Pcap::new();
    frames.iter().for_each(|(at, frame)| {
        pcap.frame(*at, frame);
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("in.pcap"), pcap.bytes()).unwrap();
    let ran = run_in(dir.path(), &["replay", "-q", "--store", "s.sqlite", "in.pcap"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let all = run_in(dir.path(), &["hosts", "-q", "--store", "s.sqlite", "--format", "ndjson"]).json();
    let of = |n: u16| {
        let ip = std::net::Ipv4Addr::from(host(n)).to_string();
        let h = all.iter().find(|h| h["host"]["ip"] == *ip).unwrap_or_else(|| panic!("{ip} in {all:#?}"));
        let text = |field: &str| h[field].as_str().unwrap().to_owned();
        (text("verdict"), text("reason"), h["roles"].as_array().unwrap().clone())
    };
    [UPDATER, ASKER].map(of).into()
}

fn verdicts(judged: &[(String, String, Vec<Value>)]) -> Vec<&str> {
    judged.iter().map(|(verdict, ..)| verdict.as_str()).collect()
}

#[test]
fn forged_roles_hide_nobody() {
    assert_eq!(verdicts(&judged(truth())), ["active", "looked-up"]);
    // Before, between and behind what the hosts do.
    let hours = [TEN, TEN + HOUR, TEN + 2 * HOUR + 120 * SECOND];
    type Forge = fn(&mut Frames, i64, u16);
    let forgeries: [(&str, Forge, &str); 2] = [("iterating", as_iterating, "resolver"), ("proxy", as_proxy, "proxy")];
    for (what, forge, role) in forgeries {
        let mut all = truth();
        for at in hours {
            forge(&mut all, at, UPDATER);
            forge(&mut all, at, ASKER);
        }
        let found = judged(all);
        assert_eq!(verdicts(&found), ["active", "looked-up"], "{what}: {found:#?}");
        for (_, reason, roles) in &found {
            assert_eq!(roles, &[role], "{what}: else nothing was tried");
            assert!(reason.contains("others"), "{what}: {reason}");
        }
    }
}

/// Forged answers hide connections never, and lookups only where others asked
/// for the same at the same times.
#[test]
fn a_forged_name_server_hides_no_lookup_that_nobody_else_made() {
    let mut all = truth();
    for at in [TEN, TEN + 2 * HOUR] {
        as_dns_server(&mut all, at, UPDATER);
        as_dns_server(&mut all, at, ASKER);
    }
    add(&mut all, TEN + 4 * HOUR, lookup(host(ASKER), 47_000, "s05.upd.kaspersky.com", SERVER));
    let found = judged(all);
    assert_eq!(verdicts(&found), ["active", "looked-up"], "{found:#?}");
    assert!(found[1].1.contains("whether these lookups are its own is not visible"), "{}", found[1].1);
}
