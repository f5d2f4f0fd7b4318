//! Which records are one host's.

use super::super::testing::*;
use super::super::view::Verdict;
use crate::base::Stage;

const S: &str = "update-s-hosts";

fn addresses(scene: &Scene) -> Vec<Vec<String>> {
    scene.judge().iter().map(|h| h.addresses.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn a_hardware_address_is_a_host_wherever_its_lease_is() {
    let scene = Scene::of([
        c("10.0.0.5", S).mac(mac(5)).at(0, &[10]),
        c("10.0.0.6", S).mac(mac(6)).at(0, &[11]),
        // The next day the two have changed places.
        c("10.0.0.6", S).mac(mac(5)).at(1, &[10]),
        c("10.0.0.5", "web-www").mac(mac(6)).at(1, &[11]),
    ]);
    let all = scene.judge();
    assert_eq!(all.len(), 2);
    assert_eq!((all[1].ip, all[1].mac, all[1].verdict), (addr("10.0.0.6"), Some(mac(5)), Verdict::Active));
    assert_eq!((all[0].ip, all[0].mac, all[0].verdict), (addr("10.0.0.5"), Some(mac(6)), Verdict::Contacting));
    assert_eq!(all[0].addresses, [addr("10.0.0.5"), addr("10.0.0.6")]);
}

#[test]
fn a_record_without_hardware_address_is_whose_the_address_was() {
    let contact = |day, slot| c("10.0.0.5", S).at(day, &[slot]);
    let scene = Scene::of([contact(0, 20), contact(0, 60), contact(0, 40), contact(9, 20)])
        .interval("dhcp", "10.0.0.5", Some(mac(1)), 0, 90)
        .interval("dhcp", "10.0.0.5", Some(mac(2)), 50, 95);
    let all = scene.judge();
    let of = |m| all.iter().find(|h| h.mac == m).map(|h| h.sightings.len());
    // The second lease ends the first; nine days later nobody is known.
    assert_eq!([of(Some(mac(1))), of(Some(mac(2))), of(None)], [Some(2), Some(1), Some(1)], "{all:#?}");
}

#[test]
fn what_cannot_be_told_apart_stays_with_the_address() {
    let scene = Scene::of([c("10.0.0.5", S).slots(&[20])]).interval("arp", "10.0.0.5", Some(mac(1)), 0, 90).interval(
        "arp",
        "10.0.0.5",
        Some(mac(2)),
        10,
        30,
    );
    assert_eq!(scene.one().mac, None);
    let scene = Scene::of([c("10.0.0.5", S).slots(&[40])]).interval("arp", "10.0.0.5", Some(mac(1)), 0, 90).interval(
        "arp",
        "10.0.0.5",
        Some(mac(2)),
        10,
        30,
    );
    assert_eq!(scene.one().mac, Some(mac(1)));
}

#[test]
fn an_address_is_a_hosts_a_day_around_while_nobody_else_has_it() {
    let at = |day, slot| {
        let scene = Scene::of([c("10.0.0.5", S).at(day, &[slot])]).interval("arp", "10.0.0.5", Some(mac(1)), 100, 110);
        scene.one().mac
    };
    assert_eq!([at(0, 5), at(0, 3), at(2, 13), at(2, 15)], [Some(mac(1)), None, Some(mac(1)), None]);
    // Between two hosts nobody knows.
    let scene = Scene::of([c("10.0.0.5", S).slots(&[50])]).interval("arp", "10.0.0.5", Some(mac(1)), 0, 40).interval(
        "arp",
        "10.0.0.5",
        Some(mac(2)),
        60,
        90,
    );
    assert_eq!(scene.one().mac, None);
}

#[test]
fn a_routers_hardware_address_identifies_nobody() {
    let contacts = || (1..=9).map(|n| c(&format!("10.0.1.{n}"), S).mac(mac(0xfe)));
    let all = Scene::of(contacts()).judge();
    assert_eq!(all.len(), 9);
    assert!(all.iter().all(|h| h.mac.is_none() && h.addresses == [h.ip]));
    // Up to eight at once may be anything; untied, each stands for itself.
    let all = Scene::of(contacts().take(2)).judge();
    assert!(all.len() == 2 && all.iter().all(|h| h.mac.is_none()));
    // The same hour after hour.
    let all = Scene::of((1..=2).map(|n| c(&format!("10.0.1.{n}"), S).mac(mac(5)).slots(&[n as u8 * 20]))).judge();
    assert_eq!(all.len(), 2);
    // Day after day, it is a host whose lease changed.
    let scene = Scene::of((1..=9).map(|n| c(&format!("10.0.1.{n}"), S).mac(mac(5)).at(n, &[40])));
    assert_eq!(scene.one().addresses.len(), 9);
}

#[test]
fn a_router_is_known_by_what_it_forwards() {
    use super::super::facts::SignalKind::{Forwards, Ttl};
    let contacts = || [c("10.0.1.1", S).mac(mac(0xfe)), c("10.0.1.2", S).mac(mac(0xfe)).at(5, &[1])];
    assert_eq!(Scene::of(contacts()).judge().len(), 1);
    let forwards = Scene::of(contacts()).signal(Forwards, "192.0.2.1", Some(mac(0xfe)), "");
    assert_eq!(forwards.judge().len(), 2);
    let near = Scene::of(contacts()).signal(Ttl, "10.0.1.1", Some(mac(0xfe)), "64-0");
    assert_eq!(near.signal(Ttl, "10.0.1.2", Some(mac(0xfe)), "64-0").judge().len(), 1);
    let one = Scene::of(contacts()).signal(Ttl, "10.0.1.1", Some(mac(0xfe)), "64-1");
    assert_eq!(one.judge().len(), 1);
    assert_eq!(one.signal(Ttl, "10.0.1.2", Some(mac(0xfe)), "128-1").judge().len(), 2);
}

#[test]
fn a_router_is_listed_with_an_address_of_its_own() {
    use super::super::facts::SignalKind::Forwards;
    use super::super::view::Role;
    let scene = Scene::of([c("10.0.1.1", S).mac(mac(0xfe))]).signal(Forwards, "192.0.2.1", Some(mac(0xfe)), "");
    assert_eq!(scene.judge().len(), 1);
    let scene = scene.interval("arp", "10.0.0.254", Some(mac(0xfe)), 0, 90).interval(
        "traffic",
        "10.0.1.1",
        Some(mac(0xfe)),
        0,
        90,
    );
    let (router, host) = (scene.host("10.0.0.254"), scene.host("10.0.1.1"));
    assert_eq!((router.verdict, &router.roles[..], router.mac), (Verdict::None, &[Role::Router][..], Some(mac(0xfe))));
    assert_eq!((host.verdict, host.roles.len(), host.mac), (Verdict::Contacting, 0, None));
    // Its own contacts are its own.
    let scene = Scene::of([c("10.0.0.254", S).mac(mac(0xfe))])
        .signal(Forwards, "192.0.2.1", Some(mac(0xfe)), "")
        .interval("arp", "10.0.0.254", Some(mac(0xfe)), 0, 90);
    assert_eq!((scene.one().verdict, &scene.one().roles[..]), (Verdict::Contacting, &[Role::Router][..]));
}

#[test]
fn a_host_behind_a_router_is_whose_the_lease_is() {
    let contacts = (1..=9).map(|n| c(&format!("10.0.1.{n}"), S).mac(mac(0xfe)));
    let scene = Scene::of(contacts).interval("dhcp", "10.0.1.3", Some(mac(3)), 0, 90);
    assert_eq!((scene.host("10.0.1.3").mac, scene.host("10.0.1.4").mac), (Some(mac(3)), None));
}

#[test]
fn several_addresses_at_once_are_one_host_where_arp_ties_each() {
    let contacts = || [c("10.0.0.5", S).mac(mac(5)), c("10.0.0.6", S).mac(mac(5))];
    let one = Scene::of(contacts()).interval("arp", "10.0.0.5", Some(mac(5)), 0, 90);
    assert_eq!(addresses(&one), [["10.0.0.5"], ["10.0.0.6"]]);
    let both = one.interval("dhcp", "10.0.0.6", Some(mac(5)), 0, 90);
    assert_eq!(addresses(&both), [["10.0.0.5", "10.0.0.6"]]);
}

#[test]
fn addresses_of_both_families_are_one_host() {
    let six = (1..=9).map(|n| c(&format!("fd00::{n}"), S).mac(mac(5)));
    let scene = Scene::of(six.chain([c("10.0.0.5", S).mac(mac(5)).slots(&[50])]));
    let host = scene.one();
    assert_eq!((host.ip, host.addresses.len()), (addr("10.0.0.5"), 10));
    assert_eq!(host.verdict, Verdict::Active, "sessions are those of the host, not of an address");
    let many = (1..=33).map(|n| c(&format!("fd00::{n}"), S).mac(mac(5)));
    assert_eq!(Scene::of(many).judge().len(), 33);
}

#[test]
fn an_address_that_holds_on_its_link_only_is_the_hosts_own() {
    let scene = Scene::of([c("169.254.1.1", S).mac(mac(5)), c("10.0.0.5", S).mac(mac(5))]);
    assert_eq!(addresses(&scene), [["10.0.0.5", "169.254.1.1"]]);
}

#[test]
fn segments_keep_equal_addresses_apart() {
    let scene = Scene::of([c("10.0.0.5", S).mac(mac(5)), c("10.0.0.5", S).mac(mac(5)).segment("vlan:10")]);
    assert_eq!(scene.judge().iter().map(|h| h.segment.as_str()).collect::<Vec<_>>(), ["", "vlan:10"]);
}

#[test]
fn made_up_hardware_addresses_are_marked_and_kept_to_their_day() {
    let m = random_mac(5);
    let contacts = |second: &'static str| [c("10.0.0.5", S).mac(m), c(second, S).mac(m).at(3, &[40])];
    let same = Scene::of(contacts("10.0.0.5")).one();
    assert!(same.mac_randomised && same.verdict == Verdict::Active, "the address links them");
    assert_eq!(Scene::of(contacts("10.0.0.9")).judge().len(), 2);
    let leases = |a: &str, b: &str| {
        let scene = Scene::of(contacts("10.0.0.9")).interval("dhcp", "10.0.0.5", Some(m), 0, 90).named(a);
        scene.interval("dhcp", "10.0.0.9", Some(m), 288, 380).named(b)
    };
    assert_eq!(leases("tablet", "tablet").judge().len(), 1);
    assert_eq!(leases("tablet", "phone").judge().len(), 2);
    let one_day = Scene::of([c("10.0.0.5", S).mac(m).slots(&[1]), c("10.0.0.9", S).mac(m).slots(&[60])]);
    assert_eq!(one_day.judge().len(), 1);
    let global = Scene::of(contacts("10.0.0.9").map(|c| c.mac(mac(5)))).one();
    assert!(!global.mac_randomised);
}

#[test]
fn a_dhcp_client_id_follows_a_device_that_changes_its_hardware_address() {
    let (a, b) = (random_mac(1), random_mac(2));
    let scene = |begin: i64| {
        Scene::of([c("10.0.0.5", S).mac(a), c("10.0.0.6", S).mac(b).at(3, &[40])])
            .interval("dhcp_client_id", "10.0.0.5", Some(a), 0, 90)
            .named("ff00")
            .interval("dhcp_client_id", "10.0.0.6", Some(b), begin, 380)
            .named("ff00")
    };
    let host = scene(288).one();
    assert_eq!((host.mac, host.ip), (Some(b), addr("10.0.0.6")));
    assert_eq!(scene(80).judge().len(), 2, "both were there at once");
}

#[test]
fn names_come_from_the_best_source_and_are_not_changed_silently() {
    let m = Some(mac(5));
    let scene = Scene::of([c("10.0.0.5", S).mac(mac(5))])
        .interval("mdns", "10.0.0.5", m, 0, 99)
        .named("macbook.local")
        .interval("dhcp", "10.0.0.5", m, 30, 35)
        .named("PC-18")
        .interval("dhcp", "10.0.0.5", m, 0, 96)
        .named("PC-17");
    let host = scene.one();
    let dhcp = |name: &str| (name.to_owned(), "dhcp".to_owned());
    assert_eq!((host.name, host.names_before), (Some(dhcp("PC-18")), vec![dhcp("PC-17")]));
    let mut listed = scene;
    listed.options.inventory =
        super::super::Inventory::read("mac,name,owner,place\n00-11-22-33-00-05,desk 7,Ann,hall").ok();
    let host = listed.one();
    assert_eq!(host.name, Some(("desk 7".to_owned(), "inventory".to_owned())));
    assert_eq!((host.owner.as_deref(), host.place.as_deref()), (Some("Ann"), Some("hall")));
}

#[test]
fn a_name_of_somebody_else_at_that_address_is_not_taken() {
    let scene = Scene::of([c("10.0.0.5", S).mac(mac(5)).slots(&[60])])
        .interval("mdns", "10.0.0.5", Some(mac(9)), 0, 20)
        .named("guest");
    assert_eq!(scene.one().name, None);
}

#[test]
fn a_host_is_confirmed_by_what_a_made_up_source_cannot_have() {
    use crate::flow::Note::OneSided;
    let tried = || c("10.0.0.5", S).stage(Stage::Attempted);
    let confirmed = |scene: Scene| scene.one().confirmed;
    assert!(!confirmed(Scene::of([tried()])));
    assert!(!confirmed(Scene::of([c("10.0.0.5", S).answered()])));
    assert!(confirmed(Scene::of([c("10.0.0.5", S)])));
    let one_sided = || c("10.0.0.5", S).note(OneSided);
    assert!(!confirmed(Scene::of([one_sided()])));
    assert!(!confirmed(Scene::of([one_sided(), c("10.0.0.5", "update-path-index")])));
    assert!(confirmed(Scene::of([one_sided(), c("10.0.0.5", S).at(1, &[40])])));
    for (kind, wanted) in [
        ("handshake", true),
        ("arp", true),
        ("nd", true),
        ("dhcp", true),
        ("dhcpv6", true),
        ("traffic", false),
        ("mdns", false),
    ] {
        let scene = Scene::of([tried()]).interval(kind, "10.0.0.5", None, 0, 10);
        assert_eq!(confirmed(scene), wanted, "{kind}");
    }
    let mut later = Scene::of([tried()]).interval("arp", "10.0.0.5", None, 0, 10);
    later.options.since = Some(time(DAY, 20));
    assert!(!confirmed(later));
}

#[test]
fn a_window_cuts_contacts_at_quarter_hours() {
    let mut scene = Scene::of([c("10.0.0.5", S).slots(&[10, 40, 80]), c("10.0.0.6", S).slots(&[5])]);
    scene.options.since = Some(time(DAY, 20));
    scene.options.until = Some(time(DAY, 80));
    let host = scene.one();
    assert_eq!((host.ip, host.verdict), (addr("10.0.0.5"), Verdict::Contacting));
    assert_eq!((host.first_seen, host.last_seen), (time(DAY, 20), time(DAY, 80).plus(-1)));
    scene.options.until = Some(time(DAY, 81));
    assert_eq!(scene.one().verdict, Verdict::Active);
    scene.options.since = Some(time(DAY, 41));
    scene.options.until = Some(time(DAY, 80));
    assert_eq!(scene.judge(), []);
}
