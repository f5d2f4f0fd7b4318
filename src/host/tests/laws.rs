//! What holds for any facts.

use super::super::facts::Facts;
use super::super::testing::*;
use super::super::view::Verdict;
use super::super::{HostView, judge};
use crate::base::{Channel, Stage};
use crate::catalogue::Catalogue;
use crate::flow::Note;
use proptest::prelude::*;
use std::collections::BTreeSet;

const INDICATORS: [(&str, &[Channel]); 14] = [
    ("update-s-hosts", &[Channel::TlsSni]),
    ("update-downloads-probe", &[Channel::TlsSni]),
    ("update-dnl-geo", &[Channel::HttpHost]),
    ("update-dnl-other", &[Channel::TlsSni]),
    ("update-path-index", &[Channel::HttpPath]),
    ("oem-zonealarm", &[Channel::HttpHost]),
    ("reputation-ds", &[Channel::TlsSni]),
    ("activation-v2", &[Channel::TlsSni]),
    ("service-crl", &[Channel::HttpHost]),
    ("web-www", &[Channel::TlsSni]),
    ("lan-tcp-13000", &[Channel::LanPort]),
    ("lan-tcp-13111", &[Channel::LanPort]),
    ("netblock-77-74-176-0-21", &[Channel::Netblock]),
    ("lookalike-kasperskyupdate-com", &[Channel::TlsSni]),
];

const STAGES: [Stage; 5] = [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

prop_compose! {
    fn contact()(
        host in 1u8..5,
        known_mac in any::<bool>(),
        (indicator, channels) in proptest::sample::select(&INDICATORS[..]),
        stage in proptest::sample::select(&STAGES[..]),
        day in 0i32..3,
        slots in proptest::collection::btree_set(0u8..96, 1..4),
        notes in proptest::sample::subsequence(vec![Note::ViaProxy, Note::OneSided, Note::NxDomain], 0..2),
        server in 1u8..5,
    ) -> C {
        let slots: Vec<u8> = slots.into_iter().collect();
        let mut c = c(&format!("10.0.0.{host}"), indicator).stage(stage).at(day, &slots);
        if stage >= Stage::Attempted {
            c = c.on(channels).tcp(&format!("10.0.0.{server}"), if indicator == "lan-tcp-13111" { 13111 } else { 13000 });
        }
        for n in notes {
            c = c.note(n);
        }
        if known_mac { c.mac(mac(host.into())) } else { c }
    }
}

fn judged(facts: &Facts, scene: &Scene) -> Vec<HostView> {
    judge(facts, &Catalogue::builtin(), &scene.options)
}

/// How far a verdict is from use.
fn rank(verdict: Verdict) -> usize {
    Verdict::ALL.len() - Verdict::ALL.iter().position(|v| *v == verdict).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_order_of_facts_does_not_matter(contacts in proptest::collection::vec(contact(), 1..12), seed in any::<u64>()) {
        use super::super::facts::SignalKind::*;
        let scene = Scene::of(contacts)
            .interval("arp", "10.0.0.1", Some(mac(1)), 0, 90)
            .interval("dhcp", "10.0.0.1", Some(mac(9)), 50, 200)
            .interval("handshake", "10.0.0.2", None, 0, 90)
            .signal(DnsServer, "10.0.0.1", None, "")
            .signal(HttpProxy, "10.0.0.2", Some(mac(2)), "")
            .signal(Ttl, "10.0.0.3", None, "64-1");
        let facts = scene.facts();
        let mut other = facts.clone();
        let n = other.contacts.len();
        let place = |at: usize| (at + seed as usize % n) % n;
        for at in 0..n {
            other.contacts[place(at)] = facts.contacts[at];
        }
        for s in &mut other.servers {
            s.contact = place(s.contact as usize) as u32;
        }
        other.servers.sort_unstable();
        other.intervals.reverse();
        other.signals.reverse();
        prop_assert_eq!(judged(&facts, &scene), judged(&other, &scene));
    }

    #[test]
    fn every_record_in_the_window_is_one_hosts(contacts in proptest::collection::vec(contact(), 1..12)) {
        let scene = Scene::of(contacts);
        let facts = scene.facts();
        let views = judged(&facts, &scene);
        let listed: Vec<[u8; 16]> = views.iter().flat_map(|h| h.sightings.clone()).collect();
        let distinct: BTreeSet<[u8; 16]> = listed.iter().copied().collect();
        prop_assert_eq!((listed.len(), distinct.len()), (facts.contacts.len(), facts.contacts.len()));
        for h in &views {
            prop_assert!(h.first_seen <= h.last_seen && h.addresses.contains(&h.ip), "{:?}", h);
            prop_assert!(h.reason.ends_with('.') && !h.reason.contains(".."), "{}", h.reason);
        }
    }

    /// An update contact that was answered is use, whatever else a host did;
    /// only names of an embedding vendor may explain it, and none if the name
    /// is the vendor's own.
    #[test]
    fn an_answered_update_contact_is_use(contacts in proptest::collection::vec(contact(), 0..8), far in any::<bool>()) {
        let contacts: Vec<C> = contacts.into_iter().filter(|c| c.ip == addr("10.0.0.1")).map(|mut c| { c.mac = None; c }).collect();
        let stage = if far { Stage::Transferred } else { Stage::Connected };
        let more = c("10.0.0.1", "update-cm-k").stage(stage).at(9, &[7]);
        let scene = Scene::of(contacts.clone().into_iter().chain([more]));
        let host = scene.host("10.0.0.1");
        // Contacts through itself would make it a proxy; no address does that.
        prop_assert!(host.verdict.is_use(), "{} {:#?}", host.verdict, contacts);
    }

    /// One more answered update contact never takes a host farther from use,
    /// except into `oem`, and out of it.
    #[test]
    fn more_contacts_never_lower_use(contacts in proptest::collection::vec(contact(), 1..8), more in contact()) {
        let only = |c: &C| c.ip == addr("10.0.0.1");
        let contacts: Vec<C> = contacts.into_iter().filter(only).map(|mut c| { c.mac = None; c }).collect();
        prop_assume!(!contacts.is_empty());
        let before = Scene::of(contacts.clone()).host("10.0.0.1").verdict;
        let mut more = more;
        (more.ip, more.mac) = (addr("10.0.0.1"), None);
        let after = Scene::of(contacts.into_iter().chain([more])).host("10.0.0.1").verdict;
        if before.is_use() && after != Verdict::Oem {
            prop_assert!(after.is_use() && rank(after) >= rank(before), "{} {}", before, after);
        }
    }

    #[test]
    fn alarms_never_change_a_verdict(contacts in proptest::collection::vec(contact(), 1..8)) {
        let one: Vec<C> = contacts.into_iter().map(|mut c| { c.ip = addr("10.0.0.1"); c.mac = None; c }).collect();
        let before = Scene::of(one.clone()).host("10.0.0.1");
        let alarm = c("10.0.0.1", "sinkhole-95-211-172-143").slots(&[1, 20, 50]);
        let after = Scene::of(one.into_iter().chain([alarm])).host("10.0.0.1");
        prop_assert_eq!(before.verdict, after.verdict);
        prop_assert!(!after.alarms.is_empty());
    }
}
