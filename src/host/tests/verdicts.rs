//! Every row of the table, and its nearest miss.

use super::super::testing::*;
use super::super::view::Verdict::{self, *};
use crate::base::{Channel, Stage};
use crate::flow::Note;

const H: &str = "10.0.0.5";
const S: &str = "update-s-hosts";

fn on(indicator: &'static str) -> C {
    c(H, indicator)
}

fn looked_up(indicator: &'static str) -> C {
    on(indicator).answered()
}

#[track_caller]
fn check(wanted: Verdict, contacts: &[C]) {
    assert_eq!(verdict_of(contacts.to_vec()), wanted, "{contacts:#?}");
}

#[test]
fn an_embedded_engine() {
    let zonealarm = || on("oem-zonealarm").transferred().on(&[Channel::HttpHost, Channel::HttpPath]);
    let dnl = || on("update-dnl-geo").transferred().on(&[Channel::HttpHost]);
    let path = || on("update-path-index").transferred().on(&[Channel::HttpPath]);
    check(Oem, &[zonealarm()]);
    check(Oem, &[looked_up("oem-zonealarm")]);
    check(Oem, &[zonealarm(), dnl(), on("reputation-ksn-geo"), on("web-www"), on("service-crl")]);
    check(Oem, &[zonealarm(), dnl(), path()]);
    check(Oem, &[zonealarm(), on("update-dnl-other")]);
    // A lookup of the embedding vendor's name explains updates only where it
    // was answered at about the time.
    let unanswered = || on("oem-zonealarm").stage(Stage::Queried).on(&[Channel::DnsQuery]);
    check(Oem, &[unanswered()]);
    check(Oem, &[unanswered(), looked_up("update-dnl-geo")]);
    check(Updating, &[unanswered(), dnl()]);
    check(Active, &[unanswered(), dnl().slots(&[40, 50])]);
    check(Contacting, &[unanswered(), on("update-dnl-geo")]);
    check(Updating, &[on("oem-zonealarm").stage(Stage::Attempted).on(&[Channel::TlsSni]), dnl()]);
    check(Oem, &[looked_up("oem-zonealarm"), dnl()]);
    check(Oem, &[zonealarm().at(1, &[0]), dnl().slots(&[95])]);
    check(Updating, &[zonealarm().at(2, &[0]), dnl()]);
    // All of it through a proxy.
    let proxied = |c: C| c.note(Note::ViaProxy).tcp("10.0.0.8", 3128);
    check(Oem, &[proxied(zonealarm()), proxied(dnl()), proxied(path())]);
    for (other, verdict) in [
        ("update-s-hosts", Contacting),
        ("update-p-hosts", Contacting),
        ("update-downloads-probe", Contacting),
        ("update-upd-suffix", Contacting),
        ("update-cm-k", Contacting),
        ("activation-v2", Present),
        ("activation-v2-suffix", Present),
        ("service-touch", Present),
    ] {
        check(verdict, &[on("oem-zonealarm"), on(other)]);
        let lookup = if verdict == Contacting { LookedUp } else { Present };
        check(lookup, &[on("oem-zonealarm"), looked_up(other)]);
    }
    check(Contacting, &[on("update-dnl-geo")]);
    check(Present, &[on("reputation-ksn-geo")]);
    // An update path on any other host.
    check(Updating, &[zonealarm(), path()]);
    check(Updating, &[zonealarm(), dnl(), path().slots(&[40, 41])]);
    check(Updating, &[zonealarm(), dnl(), path().tcp("10.0.0.9", 80)]);
    check(Updating, &[zonealarm(), dnl().on(&[Channel::TlsSni]), path()]);
    check(Active, &[zonealarm(), path().at(1, &[40]), dnl()]);
}

#[test]
fn a_reachability_check() {
    let probe = || looked_up("update-downloads-probe");
    check(ProbeOnly, &[probe()]);
    check(ProbeOnly, &[probe().slots(&[40, 41, 42])]);
    check(LookedUp, &[probe().slots(&[40, 42])]);
    check(LookedUp, &[probe(), probe().at(1, &[40])]);
    check(Attempting, &[probe().stage(Stage::Queried)]);
    check(Attempting, &[probe().stage(Stage::Queried).note(Note::NxDomain)]);
    check(Attempting, &[on("update-downloads-probe").stage(Stage::Attempted)]);
    check(LookedUp, &[probe(), looked_up(S)]);
    check(Contacting, &[on("update-downloads-probe")]);
    let unseen = Scene::of([probe()]).vantage(false, true).one();
    assert_eq!(unseen.verdict, ProbeOnly, "the vantage matters to scanners alone");
    assert!(unseen.reason.contains("connections are not visible"), "{}", unseen.reason);
    let again = Scene::of([probe().slots(&[40, 44])]).vantage(false, true).one();
    assert_eq!((again.verdict, again.likely_installed), (LookedUp, true));
}

#[test]
fn a_scanner() {
    let scan =
        |names: u32| vec![looked_up(S).names(names / 2), looked_up("reputation-ksn-geo").names(names - names / 2)];
    check(ProbeOnly, &scan(10));
    check(LookedUp, &scan(9));
    let with = |more: C| [scan(10), vec![more]].concat();
    check(ProbeOnly, &with(looked_up("web-www").slots(&[41])));
    check(LookedUp, &with(looked_up("web-www").slots(&[42])));
    check(LookedUp, &with(on("web-www").stage(Stage::Attempted)));
    check(Attempting, &with(on("update-cm-k").stage(Stage::Attempted)));
    // Old names of a list do not exist any more.
    check(ProbeOnly, &with(on("update-updates-numbered").stage(Stage::Queried).note(Note::NxDomain)));
    check(Attempting, &with(looked_up("update-cm-k").stage(Stage::Queried)));
    // Day after day, and a day with fewer.
    let day = |day: i32, names| looked_up(S).at(day, &[12]).names(names);
    check(ProbeOnly, &[day(0, 20), day(1, 20), day(2, 20)]);
    check(LookedUp, &[day(0, 20), day(1, 20), day(2, 9)]);
    // Nothing is added up of what two sensors saw of the same lookups.
    check(LookedUp, &[looked_up(S).names(6), looked_up(S).names(6).source("run:b")]);
    let blind = Scene::of(scan(20)).vantage(false, true).one();
    assert_eq!(blind.verdict, LookedUp);
    // Midnight lies between.
    check(ProbeOnly, &[looked_up(S).at(0, &[95]).names(6), looked_up(S).at(1, &[0]).names(6)]);
}

#[test]
fn updates_again_and_again() {
    check(Active, &[on(S).slots(&[40, 43])]);
    check(Contacting, &[on(S).slots(&[40, 42])]);
    check(Contacting, &[on(S).slots(&[40, 41, 42, 43])]);
    check(Updating, &[on(S).transferred().slots(&[40, 42])]);
    check(Active, &[on(S), on("update-dnl-geo").slots(&[50])]);
    check(Active, &[on(S).at(0, &[95]), on(S).at(1, &[2])]);
    check(Contacting, &[on(S).at(0, &[95]), on(S).at(1, &[1])]);
    check(Active, &[on(S).at(0, &[40]), on(S).at(30, &[40])]);
    check(Active, &[on("update-path-index").on(&[Channel::HttpPath]).slots(&[10, 30])]);
    // Sessions that were tried and not answered are none.
    check(Contacting, &[on(S).slots(&[40, 60, 80]).connected(&[60])]);
    check(Updating, &[on(S).transferred(), on(S).at(1, &[40]).stage(Stage::Attempted)]);
}

#[test]
fn an_update_beside_a_day_of_reputation() {
    let reputation = |slots: &[u8]| on("reputation-ksn-geo").slots(slots);
    check(Active, &[on(S).transferred(), reputation(&[1, 2, 3, 4])]);
    check(Active, &[on(S).transferred(), reputation(&[1, 2]), on("reputation-ds").slots(&[50, 60])]);
    check(Updating, &[on(S).transferred(), reputation(&[1, 2, 3])]);
    check(Updating, &[on(S).transferred(), reputation(&[1, 2]), reputation(&[1, 2]).at(1, &[3, 4])]);
    check(Updating, &[on(S).transferred(), reputation(&[1, 2, 3, 4]).connected(&[1, 2, 3])]);
    check(Contacting, &[on(S), reputation(&[1, 2, 3, 4])]);
}

#[test]
fn one_update_one_contact() {
    check(Updating, &[on(S).transferred()]);
    check(Contacting, &[on(S)]);
    check(Updating, &[on("update-path-bases").transferred().on(&[Channel::HttpPath])]);
    check(Contacting, &[on("update-user-agent").on(&[Channel::HttpUserAgent])]);
}

#[test]
fn an_installation_that_gets_no_updates() {
    check(Attempting, &[on(S).stage(Stage::Attempted).note(Note::Refused)]);
    check(Attempting, &[on(S).stage(Stage::Queried)]);
    check(Attempting, &[on(S).stage(Stage::Queried).note(Note::ServFail)]);
    check(LookedUp, &[looked_up(S)]);
    // The same lookups where no connection, or no answer, can be seen.
    let unanswered = on(S).stage(Stage::Queried).on(&[Channel::DnsQuery]);
    assert_eq!(Scene::of([unanswered.clone()]).vantage(true, true).one().verdict, Attempting);
    assert_eq!(Scene::of([unanswered.clone()]).vantage(true, false).one().verdict, LookedUp);
    assert_eq!(Scene::of([unanswered]).vantage(false, true).one().verdict, LookedUp);
    let denied = on(S).stage(Stage::Queried).note(Note::NxDomain);
    assert_eq!(Scene::of([denied.clone()]).vantage(true, false).one().verdict, Attempting);
    assert_eq!(Scene::of([denied]).vantage(false, true).one().verdict, LookedUp);
    // Whoever runs a site can make its name an alias of an update server's.
    let alias = on(S).stage(Stage::Queried).note(Note::NoAddress).on(&[Channel::DnsCname]);
    assert_eq!(Scene::of([alias]).vantage(true, true).one().verdict, LookedUp);
    // A connection that was tried is a flow, whatever the counters say.
    assert_eq!(Scene::of([on(S).stage(Stage::Attempted)]).vantage(false, false).one().verdict, Attempting);
}

#[test]
fn lookups_at_cadence_say_that_a_product_is_likely() {
    let host = |contacts: Vec<C>| Scene::of(contacts).vantage(false, true).one();
    let often = host(vec![looked_up(S).slots(&[40, 43])]);
    assert_eq!((often.verdict, often.likely_installed), (LookedUp, true));
    let seldom = host(vec![looked_up(S).slots(&[40, 42])]);
    assert_eq!((seldom.verdict, seldom.likely_installed), (LookedUp, false));
    let active = host(vec![on(S).slots(&[40, 50])]);
    assert_eq!((active.verdict, active.likely_installed), (Active, false));
    // A week at most lies between two lookups of an installation.
    let on_days = |days: &[i32]| host(days.iter().map(|d| looked_up(S).at(*d, &[40])).collect());
    for (days, likely) in [(&[0, 7][..], true), (&[0, 8], false), (&[0, 60], false), (&[0, 60, 62], true)] {
        let v = on_days(days);
        assert_eq!((v.verdict, v.likely_installed), (LookedUp, likely), "{days:?}");
    }
}

#[test]
fn managed_on_the_lan() {
    let agent = |indicator, port| lan(H, indicator, "10.0.0.2", port);
    check_lan(Managed, vec![agent("lan-tcp-13000", 13000), agent("lan-tcp-13111", 13111)]);
    check_lan(None, vec![agent("lan-tcp-13000", 13000)]);
    check_lan(None, vec![agent("lan-tcp-13000", 13000), agent("lan-tcp-13000", 13000).at(1, &[4])]);
    let tried = |indicator, port| agent(indicator, port).stage(Stage::Attempted).on(&[Channel::LanPort]);
    check_lan(None, vec![tried("lan-tcp-13000", 13000), tried("lan-tcp-13111", 13111)]);
    check_lan(Managed, vec![agent("lan-tcp-13000", 13000), tried("lan-tcp-13111", 13111)]);
    check_lan(None, vec![agent("lan-tcp-13000", 13000), lan(H, "lan-tcp-13111", "10.0.0.3", 13111)]);
    // The server wakes its agent.
    let wakes = |server| lan(server, "lan-udp-15000", H, 15000).stage(Stage::Attempted).on(&[Channel::LanPort]);
    check_lan(Managed, vec![tried("lan-tcp-13000", 13000), wakes("10.0.0.2")]);
    check_lan(None, vec![tried("lan-tcp-13000", 13000), wakes("10.0.0.3")]);
    // What it sends to a group is no sign of one host.
    let group = lan("10.0.0.2", "lan-udp-15001", "239.1.2.3", 15001).stage(Stage::Attempted).on(&[Channel::LanPort]);
    check_lan(None, vec![agent("lan-tcp-13000", 13000), group]);
    // Rows before and after it.
    check_lan(Managed, vec![agent("lan-tcp-13000", 13000), agent("lan-tcp-13111", 13111), on("reputation-ksn-geo")]);
    check_lan(Contacting, vec![agent("lan-tcp-13000", 13000), agent("lan-tcp-13111", 13111), on(S)]);
}

#[track_caller]
fn check_lan(wanted: Verdict, contacts: Vec<C>) {
    let scene = Scene::of(contacts.clone());
    let host = scene.host(H);
    assert_eq!(host.verdict, wanted, "{contacts:#?}");
    let relays = if matches!(wanted, Managed | Contacting) { vec![addr("10.0.0.2")] } else { vec![] };
    assert_eq!(host.relays, relays);
    for server in scene.judge().iter().filter(|h| h.ip != addr(H)) {
        assert_eq!(server.verdict, None, "{server:#?}");
    }
}

#[test]
fn other_services_of_a_product() {
    for id in ["reputation-ds", "activation-v2", "service-touch", "service-cloud-console", "service-message-statistics"]
    {
        check(Present, &[on(id)]);
        check(Present, &[looked_up(id), on("web-www")]);
    }
}

#[test]
fn web_sites_and_what_browsers_reach() {
    for id in ["web-www", "web-pseudo-host", "service-crl", "service-uis", "service-ucp-ntfy", "service-ocsp"] {
        check(WebOnly, &[on(id).transferred().slots(&[1, 10, 20, 30, 40])]);
    }
    check(WebOnly, &[on("service-kaspersky-labs-residual"), on("web-kaspersky-residual")]);
    check(WebOnly, &[on("web-www"), on("service-crl")]);
    check(WebOnly, &[on("service-crl")]);
}

#[test]
fn what_only_supports_is_nothing_alone() {
    for id in ["netblock-77-74-176-0-21", "update-dnl-other", "reputation-payload", "service-edge-geo", "lan-tcp-13000"]
    {
        check(None, &[on(id)]);
    }
    let payload = || on("reputation-payload").on(&[Channel::Payload]).names(0);
    let netblock = || on("netblock-77-74-176-0-21").on(&[Channel::Netblock]).names(0);
    check(None, &[netblock(), on("netblock-79-133-168-0-22").names(0)]);
    check(Present, &[payload(), netblock()]);
    check(None, &[payload(), netblock().at(1, &[40])]);
    // A removal tool, fetched by somebody who found it on the web site.
    check(WebOnly, &[on("update-dnl-other").transferred(), on("web-www"), netblock()]);
    check(Updating, &[on("update-dnl-other").transferred(), on("reputation-ds")]);
    check(Present, &[on("service-edge-geo"), on("reputation-ds")]);
    check(None, &[on("service-edge-geo"), on("service-privacy-pass")]);
}

#[test]
fn alarms_stand_beside_the_verdict_and_are_never_use() {
    use super::super::view::Alarm::*;
    let lookalike = || on("lookalike-kasperskyupdate-com").transferred().slots(&[1, 10, 20]);
    let host = Scene::of([lookalike()]).one();
    assert_eq!((host.verdict, &host.alarms[..]), (None, &[Lookalike][..]));
    assert!(host.reason.contains("it contacted a name that imitates"), "{}", host.reason);
    let host = Scene::of([looked_up("lookalike-kasperskyupdate-com")]).one();
    assert!(host.reason.contains("it looked up a name that imitates"), "{}", host.reason);
    let host = Scene::of([lookalike(), on("sinkhole-95-211-172-143"), on(S).slots(&[40, 50])]).one();
    assert_eq!((host.verdict, &host.alarms[..]), (Active, &[Lookalike, Sinkhole][..]));
    assert!(host.reason.contains("sinkhole"), "{}", host.reason);
    // Nor do they support.
    check(None, &[lookalike(), on("update-dnl-other")]);
    // Nor are they lookups of a scanner's.
    check(ProbeOnly, &[looked_up(S).names(12), looked_up("lookalike-kasperskyupdate-com")]);
}
