//! Signs of roles in whole captures.

use super::RunNames;
use super::dispatch::Period;
use super::replay::{Plan, Room, sightings};
use crate::capture::Item;
use crate::catalogue::Catalogue;
use crate::flow::Limits;
use crate::host::signals::signal;
use crate::host::{Signal, SignalKind, nat};
use crate::sighting::{HomeNets, Settings};
use std::path::PathBuf;
use std::sync::Arc;

fn signals(name: &str, workers: usize) -> Vec<Signal> {
    signals_of(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name), workers)
}

fn signals_of(path: PathBuf, workers: usize) -> Vec<Signal> {
    let plan = Plan {
        inputs: vec![Item { path, relative: None }],
        workers,
        hash: false,
        period: Period::default(),
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    };
    let (catalogue, home) = (Arc::new(Catalogue::builtin()), HomeNets::default());
    let settings = Settings { catalogue, home, canaries: Vec::new(), live: false, pseudonyms: None };
    let found = sightings(plan, &Arc::new(settings), Room::default()).unwrap();
    let names = RunNames::new("s", &found.outcome.sources, &found.outcome.encaps);
    found.outcome.signals.iter().map(|s| signal(s, &names, s.source)).collect()
}

/// Addresses and details of a kind, in order.
fn of(signals: &[Signal], kind: SignalKind) -> Vec<(String, &str)> {
    let mut list: Vec<_> =
        signals.iter().filter(|s| s.kind == kind).map(|s| (s.ip.to_string(), s.detail.as_str())).collect();
    list.sort();
    list
}

fn pairs<'a>(list: &[(&str, &'a str)]) -> Vec<(String, &'a str)> {
    list.iter().map(|(ip, detail)| ((*ip).to_owned(), *detail)).collect()
}

#[test]
fn a_proxy_by_both_ways_to_ask_it() {
    let all = signals("proxy.pcap", 1);
    assert_eq!(of(&all, SignalKind::HttpProxy), pairs(&[("10.20.0.8", "absolute"), ("10.20.0.8", "connect")]));
    assert_eq!(of(&all, SignalKind::Serves), [], "a proxy serves no updates");
    assert_eq!(of(&all, SignalKind::SocksProxy), []);
    assert_eq!(of(&all, SignalKind::DnsServer), pairs(&[("10.20.0.53", "")]));
    assert_eq!(of(&all, SignalKind::Ttl), [], "one value, and nobody between, say nothing");
}

#[test]
fn a_resolver_answers_its_clients() {
    let all = signals("resolver.pcap", 1);
    let servers: Vec<_> = all.iter().filter(|s| s.kind == SignalKind::DnsServer).collect();
    let details: Vec<&str> = servers.iter().map(|s| s.detail.as_str()).collect();
    assert_eq!(details, ["", "several"]);
    assert_eq!((servers[0].ip.to_string().as_str(), servers[0].count), ("10.20.0.53", 6));
    assert_eq!(servers[0].mac.unwrap().to_string(), "00:00:5e:00:53:35");
    assert_eq!(of(&all, SignalKind::DnsIterates), [], "it forwards to one server");
}

#[test]
fn an_office_has_one_of_each_and_no_gateway_that_hides_hosts() {
    let all = signals("office-day.pcap.zst", 1);
    for workers in [2, 8] {
        assert_eq!(signals("office-day.pcap.zst", workers), all, "{workers}");
    }
    assert_eq!(of(&all, SignalKind::HttpProxy), pairs(&[("10.20.0.8", "absolute")]));
    let mut resolvers = of(&all, SignalKind::DnsServer);
    resolvers.dedup();
    assert_eq!(resolvers, pairs(&[("10.20.0.53", ""), ("10.20.0.53", "several")]));
    let routers: Vec<_> = all.iter().filter(|s| s.kind == SignalKind::Forwards).collect();
    let macs: Vec<String> = routers.iter().map(|s| s.mac.unwrap().to_string()).collect();
    assert_eq!(macs, ["00:00:5e:00:53:01"]);
    for kind in [SignalKind::Ttl, SignalKind::SynOptions, SignalKind::TlsStack] {
        assert_eq!(of(&all, kind), [], "all hosts run one system");
    }
    assert_eq!(of(&all, SignalKind::Serves), []);
    let hosts: std::collections::BTreeSet<_> = all.iter().map(|s| s.ip).collect();
    for ip in hosts {
        assert_eq!(nat::at_least(all.iter().filter(|s| s.ip == ip)), None, "{ip}");
    }
}

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [192, 0, 2, 9];
const LINUX: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 10];
const WINDOWS: [u8; 12] = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];

/// A frame of a connection from `port`: hardware address of the host's side,
/// time to live, whether the client sent it, flags, and the TCP options or the
/// payload.
fn frame(mac: u8, ttl: u8, port: u16, up: bool, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let after_syn = u32::from(flags & 2 == 0);
    let (seq, ack) = if up { (100, 900) } else { (900, 100) };
    let ack = if flags & 16 == 0 { 0 } else { ack + 1 };
    let (sport, dport) = if up { (port, 443u16) } else { (443, port) };
    let mut tcp = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
    tcp.extend((seq + after_syn).to_be_bytes());
    tcp.extend(u32::to_be_bytes(ack));
    tcp.extend([((5 + options.len() / 4) as u8) << 4, flags, 9, 9, 0, 0, 0, 0]);
    tcp.extend(options);
    tcp.extend(payload);
    let (src, dst) = if up { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
    let mut ip = crate::packet::testing::ipv4(6, src, dst, &tcp);
    ip[4..6].copy_from_slice(&port.rotate_left(5).wrapping_add(u16::from(flags)).to_be_bytes());
    ip[8] = ttl;
    let (host, other) = ([2, 0, 0, 0, 0, mac], [2, 0, 0, 0, 1, mac]);
    let (to, from) = if up { (other, host) } else { (host, other) };
    [&to[..], &from, &[8, 0], &ip].concat()
}

/// What is concluded of frames that come a millisecond apart.
fn of_frames(frames: &[Vec<u8>]) -> (Vec<Signal>, Option<u32>) {
    of_frames_with_pause(frames, usize::MAX)
}

/// The same with ten minutes of silence before the frame of this number.
fn of_frames_with_pause(frames: &[Vec<u8>], pause: usize) -> (Vec<Signal>, Option<u32>) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for (i, frame) in frames.iter().enumerate() {
        let later = if i < pause { 0 } else { 600 };
        let (i, len) = (i as u32, frame.len() as u32);
        [1_772_359_200 + later + i / 1000, i % 1000 * 1000, len, len].iter().for_each(|w| out.extend(w.to_le_bytes()));
        out.extend(frame);
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, &out).unwrap();
    let signals = signals_of(file.path().to_owned(), 2);
    let nat = nat::at_least(signals.iter().filter(|s| s.ip == crate::base::Addr::v4(CLIENT)));
    (signals, nat)
}

/// A connection in which the client speaks: its frames, as copies for each
/// pair of hardware address and time to live.
fn connection(port: u16, copies: &[(u8, u8)], options: &[u8]) -> Vec<Vec<u8>> {
    let steps: [(bool, u8, &[u8], &[u8]); 4] =
        [(true, 2, options, b""), (false, 18, b"", b""), (true, 16, b"", b""), (true, 24, b"", b"some words")];
    let mut frames = Vec::new();
    for (up, flags, options, payload) in steps {
        for (mac, ttl) in copies {
            frames.push(frame(*mac, if up { *ttl } else { 50 }, port, up, flags, options, payload));
        }
    }
    frames
}

#[test]
fn a_gateway_with_hosts_behind_it_is_several_systems() {
    let mut frames = Vec::new();
    for n in 0..4 {
        frames.extend(connection(40_000 + n, &[(5, 64)], &LINUX));
        frames.extend(connection(41_000 + n, &[(5, 127)], &WINDOWS));
    }
    assert_eq!(of_frames(&frames).1, Some(2));
    // One after the other is a machine that was started with another system.
    let mut frames: Vec<_> = (0..9).flat_map(|n| connection(40_000 + n, &[(5, 64)], &LINUX)).collect();
    let pause = frames.len();
    frames.extend((0..9).flat_map(|n| connection(41_000 + n, &[(5, 128)], &WINDOWS)));
    assert_eq!(of_frames_with_pause(&frames, pause).1, None);
    // But none adds a hop: that is a host behind it, however seldom it speaks.
    let mut frames = connection(40_000, &[(5, 63)], &LINUX);
    let pause = frames.len();
    frames.extend(connection(41_000, &[(5, 64)], &LINUX));
    assert_eq!(of_frames_with_pause(&frames, pause).1, Some(2));
}

/// A mirror of both sides of a router shows each packet with two times to
/// live, whichever of the copies comes first; often only one of them.
#[test]
fn both_sides_of_a_router_are_one_host() {
    let (near, far) = ((5, 64), (9, 63));
    let orders: [&[(u8, u8)]; 4] = [&[far, near], &[near, far], &[far], &[near]];
    let frames: Vec<_> = (0..40).flat_map(|n| connection(40_000 + n, orders[usize::from(n) % 4], &LINUX)).collect();
    let (signals, nat) = of_frames(&frames);
    assert_eq!(nat, None, "{signals:#?}");
    assert_eq!(of(&signals, SignalKind::Ttl), [], "the far one is no second value");
}
