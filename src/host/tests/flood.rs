//! Many hosts, many intervals: nothing grows faster than the facts.

use super::super::facts::{Facts, Interval, SeenHost};
use super::super::testing::*;
use super::super::{Options, judge};
use crate::base::{Addr, Timestamp};
use crate::catalogue::Catalogue;
use std::time::{Duration, Instant};

/// Generous for an unoptimised build on a busy machine; what is quadratic
/// takes hours.
const MOST: Duration = Duration::from_secs(60);

fn one_contact() -> Facts {
    Scene::of([c("10.0.0.5", "update-s-hosts")]).facts()
}

fn address(n: u32) -> Addr {
    let [_, b, c, d] = n.to_be_bytes();
    Addr::v4([10, b, c, d])
}

#[test]
fn a_host_with_many_intervals() {
    let mut facts = one_contact();
    let contact = facts.contacts[0];
    for n in 0..100_000i64 {
        let at = Timestamp(time(DAY, 0).0 + n * 800_000_000);
        let mac = Some(mac(1 + (n % 3) as u16));
        let i = Interval {
            source: 0,
            kind: ["arp", "dhcp", "traffic"][n as usize % 3].to_owned(),
            segment: String::new(),
            ip: addr("10.0.0.5"),
            mac,
            name: None,
            from: at,
            to: if n == 0 { time(DAY, 96) } else { at },
        };
        facts.intervals.push(i);
        let id = (n as u128).to_be_bytes();
        facts.contacts.push(super::super::facts::Contact { id, first: at, last: at, ..contact });
    }
    let begun = Instant::now();
    let views = judge(&facts, &Catalogue::builtin(), &Options::default());
    assert!(begun.elapsed() < MOST, "{:?}", begun.elapsed());
    assert!(!views.is_empty() && views.len() <= 4);
}

#[test]
fn a_flood_of_made_up_sources() {
    let mut facts = one_contact();
    let (contact, seen) = (facts.contacts[0], facts.seen[0].clone());
    for n in 0..100_000u32 {
        let ip = address(0x1_0000 + n);
        facts.seen.push(SeenHost { ip, mac: Some(mac(7)), ..seen.clone() });
        let id = u128::from(n).to_be_bytes();
        let stage = crate::base::Stage::Attempted;
        facts.contacts.push(super::super::facts::Contact { id, seen: n + 1, stage, ..contact });
    }
    let begun = Instant::now();
    let views = judge(&facts, &Catalogue::builtin(), &Options::default());
    assert!(begun.elapsed() < MOST, "{:?}", begun.elapsed());
    assert_eq!((views.len(), views.iter().filter(|h| h.confirmed).count()), (100_001, 1));
    assert!(views.iter().all(|h| h.mac.is_none() && h.addresses.len() == 1));
}

#[test]
fn many_agents_of_one_server() {
    let agents = (0..4_000u32).flat_map(|n| {
        let ip = address(0x1_0000 + n).to_string();
        [lan(&ip, "lan-tcp-13000", "10.0.0.2", 13000), lan("10.0.0.2", "lan-udp-15000", &ip, 15000)]
    });
    let begun = Instant::now();
    let views = Scene::of(agents).judge();
    assert!(begun.elapsed() < MOST, "{:?}", begun.elapsed());
    assert_eq!(views.iter().filter(|h| h.verdict == super::super::Verdict::Managed).count(), 4_000);
}

/// 10,000 hosts of which 500 have contacts of three categories every day of a
/// year: 547,500 records. An optimised build takes a few tenths of a second.
#[test]
#[ignore = "takes seconds"]
fn a_year_of_ten_thousand_hosts() {
    let ids = ["update-s-hosts", "reputation-ksn-geo", "web-www"];
    let mut facts = Scene::of(ids.map(|id| c("10.0.0.5", id).transferred())).facts();
    let contacts = facts.contacts.clone();
    facts.contacts.clear();
    facts.seen.clear();
    for host in 0..10_000u32 {
        let (ip, mac) = (address(0x1_0000 + host), Some(mac(host as u16)));
        facts.seen.push(SeenHost { segment: "vlan:10".to_owned(), ip, mac });
        for kind in ["traffic", "arp", "handshake"] {
            let (from, to) = (time(DAY, 0), time(DAY + 365, 0));
            let segment = "vlan:10".to_owned();
            facts.intervals.push(Interval { source: 0, kind: kind.to_owned(), segment, ip, mac, name: None, from, to });
        }
        for day in 0..if host < 500 { 365 } else { 1 } {
            for (n, contact) in contacts.iter().enumerate() {
                let mut slots = crate::sighting::record::Slots::default();
                (0..12).for_each(|s| slots.set(((s * 8 + host + n as u32) % 96) as u8));
                let id = u128::from(host * 4000 + day as u32 * 3 + n as u32).to_be_bytes();
                let (first, last) = (time(DAY + day, 0), time(DAY + day, 95));
                let (seen, day) = (host, DAY + day);
                facts.contacts.push(super::super::facts::Contact {
                    seen,
                    id,
                    day,
                    first,
                    last,
                    slots,
                    slots_connected: slots,
                    ..*contact
                });
            }
        }
    }
    let begun = Instant::now();
    let views = judge(&facts, &Catalogue::builtin(), &Options::default());
    eprintln!("{} records in {:?}", facts.contacts.len(), begun.elapsed());
    assert_eq!(views.len(), 10_000);
    assert_eq!(views.iter().filter(|h| h.verdict == super::super::Verdict::Active).count(), 10_000);
}
