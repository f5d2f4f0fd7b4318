//! Sentences.

use super::super::testing::*;
use super::super::view::{HostView, Verdict};
use crate::base::{Channel, Stage};
use crate::flow::Note;

const H: &str = "10.0.0.5";
const S: &str = "update-s-hosts";

fn one(contacts: Vec<C>) -> HostView {
    Scene::of(contacts).one()
}

#[test]
fn reasons_have_figures_and_say_how_far_it_got() {
    let s = || c(H, S);
    for (contacts, verdict, reason) in [
        (
            vec![s().transferred().slots(&[10, 50]), s().at(2, &[10])],
            Verdict::Active,
            "Connections to update names were answered in 3 sessions on 2 days, the last 2 days after the first; data was transferred.",
        ),
        (
            vec![s().slots(&[40, 43])],
            Verdict::Active,
            "Connections to update names were answered in 2 sessions on 1 day, the last 45 minutes after the first; no transfer of data was seen.",
        ),
        (
            vec![s().transferred(), c(H, "reputation-ds").slots(&[1, 5, 9, 13])],
            Verdict::Active,
            "Data was transferred from an update name, and reputation servers answered in 4 quarter hours of one day.",
        ),
        (
            vec![s().transferred()],
            Verdict::Updating,
            "Data was transferred from an update name; connections to update names were answered in 1 session on 1 day.",
        ),
        (
            vec![c(H, "update-path-index").transferred().on(&[Channel::HttpPath])],
            Verdict::Updating,
            "Data was transferred for an update path; requests for update paths were answered in 1 session on 1 day.",
        ),
        (
            vec![
                s().stage(Stage::Attempted).note(Note::Reset),
                s().slots(&[50]).stage(Stage::Queried).note(Note::NxDomain),
            ],
            Verdict::Attempting,
            "Updates were tried in 2 sessions on 1 day and did not get through: the name service denies the name and connections are reset; nothing confirms that the host exists.",
        ),
        (
            vec![c(H, "reputation-ds").slots(&[1, 3]), c(H, "service-touch"), c(H, "service-crl")],
            Verdict::Present,
            "A product is there, for it contacted reputation services in 2 sessions on 1 day and other product services in 1 session on 1 day, but no update was seen.",
        ),
        (
            vec![c(H, "web-www").slots(&[1, 9]), c(H, "service-crl")],
            Verdict::WebOnly,
            "Only web sites, and services that browsers and signature checks reach too, were contacted in 3 sessions on 1 day.",
        ),
    ] {
        let host = one(contacts);
        assert_eq!((host.verdict, host.reason.as_str()), (verdict, reason));
    }
}

#[test]
fn it_is_said_what_would_change_a_verdict() {
    let updating = one(vec![c(H, S).transferred()]);
    assert!(updating.stronger.contains("second update session at least 45 minutes"), "{}", updating.stronger);
    let one_sided = one(vec![c(H, S).note(Note::OneSided)]);
    assert!(one_sided.weaker.contains("the server's direction"), "{}", one_sided.weaker);
    let active = one(vec![c(H, S).transferred().slots(&[10, 50])]);
    assert_eq!(active.stronger, "");
}

#[test]
fn a_fallback_resolver_strengthens() {
    let host = one(vec![c(H, S).answered().note(Note::PublicDns)]);
    assert!(host.reason.contains("public resolver"), "{}", host.reason);
    let host = one(vec![c(H, S).answered()]);
    assert!(!host.reason.contains("public resolver"), "{}", host.reason);
}

#[test]
fn an_engine_of_another_vendor_is_called_so() {
    let host = one(vec![
        c(H, "oem-zonealarm").on(&[Channel::HttpHost]).slots(&[1, 9]),
        c(H, "update-dnl-geo").on(&[Channel::HttpHost]).slots(&[2, 40]),
    ]);
    assert!(host.reason.starts_with("The update servers of another vendor's product that embeds the engine, and update servers that it uses as well, were contacted in 3 sessions"), "{}", host.reason);
}

#[test]
fn an_unanswered_name_of_another_vendor_is_said() {
    let lookup = || c(H, "oem-zonealarm").stage(Stage::Queried).on(&[Channel::DnsQuery]);
    let host = one(vec![lookup(), c(H, "update-dnl-geo")]);
    assert!(
        host.reason.contains("; a name of another vendor that embeds the engine was asked for too"),
        "{}",
        host.reason
    );
    let host = one(vec![lookup(), c(H, S)]);
    assert!(!host.reason.contains("embeds"), "{}", host.reason);
}

#[test]
fn what_rests_on_an_address_alone_is_said() {
    let by_address = [Channel::DnsQuery, Channel::DnsAnswer, Channel::Address];
    let named = [Channel::DnsAnswer, Channel::TlsSni, Channel::Address];
    let said = |contacts: Vec<C>| one(contacts).reason.contains("; by address only:");
    assert!(said(vec![c(H, S).on(&by_address)]));
    assert!(!said(vec![c(H, S).on(&named)]));
    assert!(!said(vec![c(H, S).on(&by_address), c(H, "update-dnl-geo")]), "another contact shows a name");
    assert!(!said(vec![c(H, S).on(&by_address).stage(Stage::Attempted)]), "no use is claimed");
}

#[test]
fn what_began_out_of_view_is_said() {
    let said = |contacts: Vec<C>| one(contacts).reason.contains("; connections without a handshake in view");
    assert!(said(vec![c(H, S).note(Note::MidStream)]));
    assert!(!said(vec![c(H, S)]));
    assert!(!said(vec![c(H, S).note(Note::MidStream), c(H, "update-dnl-geo")]), "another one began in view");
}

#[test]
fn a_managed_host_is_told_with_its_server() {
    let scene = Scene::of([lan(H, "lan-tcp-13000", "10.0.0.2", 13000), lan(H, "lan-tcp-13111", "10.0.0.2", 13111)]);
    assert_eq!(scene.host(H).reason, "2 different management signals tie it to the local server 10.0.0.2.");
}
