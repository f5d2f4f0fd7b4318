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
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(name);
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
    let settings = Settings { catalogue, home, canaries: Vec::new(), live: false };
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
    assert_eq!(of(&all, SignalKind::Ttl), pairs(&[("10.20.0.16", "64-0"), ("10.20.0.8", "64-0")]));
}

#[test]
fn a_resolver_answers_its_clients() {
    let all = signals("resolver.pcap", 1);
    let servers: Vec<_> = all.iter().filter(|s| s.kind == SignalKind::DnsServer).collect();
    assert_eq!(servers.len(), 1);
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
    assert_eq!(resolvers, pairs(&[("10.20.0.53", "")]));
    let routers: Vec<_> = all.iter().filter(|s| s.kind == SignalKind::Forwards).collect();
    let macs: Vec<String> = routers.iter().map(|s| s.mac.unwrap().to_string()).collect();
    assert_eq!(macs, ["00:00:5e:00:53:01"]);
    assert!(of(&all, SignalKind::Ttl).iter().all(|(_, detail)| *detail == "64-0"));
    assert!(of(&all, SignalKind::SynOptions).iter().all(|(_, detail)| *detail == "2,4,8,1,3"));
    assert!(of(&all, SignalKind::TlsStack).len() > 3);
    assert_eq!(of(&all, SignalKind::Serves), []);
    let hosts: std::collections::BTreeSet<_> = all.iter().map(|s| s.ip).collect();
    for ip in hosts {
        assert_eq!(nat::at_least(all.iter().filter(|s| s.ip == ip)), None, "{ip}");
    }
}
