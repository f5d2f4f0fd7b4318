//! Many hosts, many intervals. Their time is measured by `benches/store.rs`; what is
//! quadratic would not end here.

use super::super::facts::{Facts, Interval, SeenHost};
use super::super::testing::*;
use super::super::{Options, judge};
use crate::base::{Addr, Timestamp};
use crate::catalogue::Catalogue;

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
    let views = judge(&facts, &Catalogue::builtin(), &Options::default());
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
    let views = judge(&facts, &Catalogue::builtin(), &Options::default());
    assert_eq!((views.len(), views.iter().filter(|h| h.confirmed).count()), (100_001, 1));
    assert!(views.iter().all(|h| h.mac.is_none() && h.addresses.len() == 1));
}

#[test]
fn many_agents_of_one_server() {
    let agents = (0..4_000u32).flat_map(|n| {
        let ip = address(0x1_0000 + n).to_string();
        [lan(&ip, "lan-tcp-13000", "10.0.0.2", 13000), lan("10.0.0.2", "lan-udp-15000", &ip, 15000)]
    });
    let views = Scene::of(agents).judge();
    assert_eq!(views.iter().filter(|h| h.verdict == super::super::Verdict::Managed).count(), 4_000);
}
