//! The built-in catalogue: every entry is reachable, and nothing else is.

use super::*;
use crate::base::Prefix;
use crate::catalogue::Pattern as P;

fn builtin() -> Catalogue {
    Catalogue::load(None, &[]).unwrap_or_else(|e| panic!("{e}"))
}

/// Examples of a pattern that can be made from the pattern itself.
fn made_from(pattern: &P) -> Vec<Subject> {
    match pattern {
        P::Exact(n) => vec![Subject::Name(name(n)), Subject::Name(name(&format!("{}.", n.to_uppercase())))],
        P::Suffix(n) => vec![Subject::Name(name(n)), Subject::Name(name(&format!("zz9.{n}")))],
        P::Address(p) => {
            let last = p.network() | u128::MAX.checked_shr(p.len128().into()).unwrap_or(0);
            vec![Subject::Addr(Addr(p.network().to_be_bytes())), Subject::Addr(Addr(last.to_be_bytes()))]
        }
        P::LanPort(p) => vec![Subject::Port(*p)],
        P::Payload(p) => {
            let started = p.starts.iter().map(|s| [s, &b"\0\x01"[..]].concat().into_boxed_slice());
            let all: Vec<Box<[u8]>> = started.chain(p.equals.iter().cloned()).collect();
            p.on.iter().flat_map(|on| all.iter().map(|b| Subject::Payload(*on, b.clone()))).collect()
        }
        P::Host(_) | P::Path(_) | P::UserAgent(_) => Vec::new(),
    }
}

/// As a file of the user, whose expressions are not taken on trust.
#[test]
fn every_expression_is_sound() {
    for text in [include_str!("../kaspersky.toml"), include_str!("../coverage.toml")] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let problems = Catalogue::load(Some(file.path()), &[]).map(drop).map_err(|e| e.to_string());
        let none = text.matches("[[indicator]]").count() == 0;
        assert!(problems == Ok(()) || none && problems.unwrap_err().contains("there is no indicator"), "{text}");
    }
}

#[test]
fn every_entry_is_reachable() {
    let c = builtin();
    assert_eq!(c.check_examples(), []);
    assert_eq!(c.shadowed().count(), 0);
    let mut checked = 0;
    for (r, i) in c.iter() {
        for p in &i.patterns().collect::<Vec<_>>() {
            let made = made_from(p);
            assert!(!made.is_empty() || i.examples().len() > 0, "{}: {p} has no example", i.id);
            for subject in made {
                // A longer suffix or an exact name may take the bare form.
                let bare = matches!((&subject, p), (Subject::Name(n), P::Suffix(s)) if n.as_str() == &**s);
                let inner =
                    matches!(&subject, Subject::Addr(_)) && c.iter().any(|(o, other)| o != r && nested(p, &other));
                let found = c.match_subject(&subject);
                match i.usage {
                    Use::Off => assert_ne!(found, Some(r), "{}", i.id),
                    _ if bare || inner => assert!(found.is_some(), "{}", i.id),
                    _ => assert_eq!(found, Some(r), "{}: {subject:?}", i.id),
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 250, "{checked}");
}

fn nested(outer: &P, other: &Indicator) -> bool {
    let inside = |o: &Prefix, i: &Prefix| o != i && o.contains(&Addr(i.network().to_be_bytes()));
    let P::Address(o) = outer else { return false };
    other.patterns().any(|p| matches!(p, P::Address(i) if inside(o, &i)))
}

#[test]
fn entries_say_what_they_must() {
    let c = builtin();
    assert_eq!(c.len(), 128);
    for (_, i) in c.iter() {
        assert!(i.sources().len() > 0, "{} has no source", i.id);
        assert!(i.meaning.ends_with('.'), "{}", i.id);
        assert_eq!(i.usage == Use::Off, i.reason().is_some(), "{}", i.id);
        let remembered = i.sources().all(|s| s.starts_with("unverified"));
        assert!(!remembered || i.usage == Use::Off, "{} rests on memory alone", i.id);
        for p in &i.patterns().collect::<Vec<_>>() {
            if matches!(p, P::LanPort(_) | P::Payload(_)) || i.category == Category::Netblock {
                assert_ne!(i.usage, Use::Alone, "{}", i.id);
            }
        }
        let residual = i.id.ends_with("-residual");
        assert_eq!(i.residual, residual, "{}", i.id);
    }
    let browser: Vec<_> = c.iter().filter(|(_, i)| i.browser).map(|(_, i)| i.id).collect();
    let expected = "service-crl service-ocsp service-click service-redirect service-ucp-ntfy service-uis \
                    service-kaspersky-labs-residual web-kaspersky-residual";
    assert_eq!(browser, expected.split_ascii_whitespace().collect::<Vec<_>>());
}

#[test]
fn names_that_imitate_are_not_the_vendor() {
    let c = builtin();
    for text in [
        "notkaspersky.com",
        "kaspersky.com.evil.example",
        "s01.upd.kaspersky.com.evil.example",
        "upd.kaspersky.com.example",
        "kaspersky.comx",
        "kaspersky",
        "com",
        "",
        "xkaspersky-labs.com",
        "ksn.kaspersky-labs.com.test",
        "s01.upd.kaspersky.com\0.evil.example",
        "a.kaspersky.com\0",
        "..kaspersky.com",
        "kaspersky.com..",
        "kaspersky%2ecom",
        "kaspersky.com:443",
        "mx12.kaspersky-labs.com.",
        "securelist.com",
    ] {
        let expected = if text.starts_with("mx12") { Some("web-mail-servers") } else { None };
        assert_eq!(by_name(&c, text), expected, "{text}");
    }
    // A dot inside a DNS label is no boundary.
    let mut inner = Name::new();
    inner.push_label(b"s01.upd");
    inner.push_label(b"kaspersky");
    inner.push_label(b"com");
    assert_eq!(c.match_name(&inner), None);
    let long = format!("{}kaspersky.com", "a.".repeat(125));
    assert_eq!(by_name(&c, &long), None);
}

#[test]
fn the_stronger_pattern_wins() {
    let c = builtin();
    for (text, id) in [
        ("s00.upd.kaspersky.com", "update-s-hosts"),
        ("s19.upd.kaspersky.com", "update-s-hosts"),
        ("S05.UPD.Kaspersky.COM.", "update-s-hosts"),
        ("s20.upd.kaspersky.com", "update-upd-suffix"),
        ("s1.upd.kaspersky.com", "update-upd-suffix"),
        ("a.s05.upd.kaspersky.com", "update-upd-suffix"),
        ("xs05.upd.kaspersky.com", "update-upd-suffix"),
        ("upd.kaspersky.com", "update-upd-suffix"),
        ("downloads.upd.kaspersky.com", "update-downloads-probe"),
        ("a.downloads.upd.kaspersky.com", "update-upd-suffix"),
        ("xupd.kaspersky.com", "web-kaspersky-residual"),
        ("dnl-19.geo.kaspersky.com", "update-dnl-geo"),
        ("dnl-20.geo.kaspersky.com", "update-dnl-other"),
        ("dnl-01.kaspersky-labs.com", "update-dnl-other"),
        ("dnl-1234567.geo.kaspersky.com", "web-kaspersky-residual"),
        ("dnl-test.kaspersky-labs.com", "update-dnl-test"),
        ("dnl-test.s.kaspersky-labs.com", "update-dnl-test"),
        ("downloads.kaspersky-labs.com", "web-downloads-reused"),
        ("downloads2.kaspersky-labs.com", "update-downloads-numbered"),
        ("downloads22.kaspersky-labs.com", "service-kaspersky-labs-residual"),
        ("dc1.ksn.kaspersky-labs.com", "reputation-ksn-suffix"),
        ("ppt-issuer.ksn.kaspersky-labs.com", "service-privacy-pass"),
        ("a.ppt-issuer.ksn.kaspersky-labs.com", "reputation-ksn-suffix"),
        ("ksn-crypto-file-geo.kaspersky-labs.com", "reputation-ksn-geo"),
        ("ksn-a-stat-geo.kaspersky-labs.com", "reputation-ksn-geo"),
        ("ksn-geo.kaspersky-labs.com", "service-kaspersky-labs-residual"),
        ("ksn-file.geoksn.kaspersky.com", "reputation-geoksn-suffix"),
        ("activation-v2.kaspersky.com", "activation-v2"),
        ("refresh-bkg.activation-v2.kaspersky.com", "activation-v2-suffix"),
        ("activation.kaspersky.com", "web-portals"),
        ("gc.kis.v2.scr.kaspersky-labs.com", "web-pseudo-host"),
        ("click.kaspersky.com", "web-kaspersky-residual"),
        ("redirect.kaspersky.com", "web-kaspersky-residual"),
        ("kaspersky.com", "web-apex"),
        ("www.kaspersky.co.uk", "web-national-second-level"),
        ("update.kaspersky-lab.org", "lookalike-kaspersky-lab-org"),
        ("upd.kasperskyupdates.com", "lookalike-kasperskyupdates-com"),
        ("s01kaspersky.com", "lookalike-s01kaspersky-com"),
        ("x.kasperskylab.ignorelist.com", "lookalike-kasperskylab-ignorelist-com"),
    ] {
        assert_eq!(by_name(&c, text), Some(id), "{text}");
    }
    assert_eq!(by_name(&c, "other.ignorelist.com"), None);
}

#[test]
fn paths_are_found_on_any_host_and_not_in_the_query() {
    let c = builtin();
    let id = |p: &str| c.match_path(p.as_bytes()).and_then(|r| c.get(r)).map(|i| i.id);
    for (path, expected) in [
        ("/index/u1313g.xml", Some("update-path-index")),
        ("/v6/index/u1313g.xml", Some("update-path-index")),
        ("/index/u0607g.xml.klz", Some("update-path-index")),
        ("/index/u0607g.xml.dif?a=b", Some("update-path-index")),
        ("/index/u1313g.xmlx", None),
        ("/index/u13g.xml", None),
        ("/xindex/u1313g.xml", None),
        ("/?/index/u1313g.xml", None),
        ("/#/index/u1313g.xml", None),
        ("index/u1313g.xml", None),
        ("/bases/av/kdb/i386/base001.kdc", Some("update-path-bases")),
        ("/diffs/bases/x.kdc.a.dif", Some("update-path-bases")),
        ("/databases/x.kdc", None),
        ("/bases/x.exe", None),
        ("/bases/?x.kdc", None),
        ("/av/kdb-i386-1211g.xml.klz", Some("update-path-component-index")),
        ("/kas5-0607g.xml", Some("update-path-component-index")),
        ("/KAS5-0607g.xml", None),
        ("/updates/ksc/x", Some("update-path-updates")),
        ("/updates/black.lst", Some("update-path-updates")),
        ("/updates/windows", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(id(path), expected, "{path}");
    }
    assert!(c.match_path(b"/\xff\0/index/u1313g.xml").is_some());
}

#[test]
fn a_user_agent_counts_only_beside_an_update() {
    let c = builtin();
    let agent = [b'A'; 60];
    let r = |id| c.find(id).unwrap().0;
    assert_eq!(c.match_user_agent(&agent, &[]), None);
    assert_eq!(c.match_user_agent(&agent, &[r("web-www"), r("reputation-ds")]), None);
    assert_eq!(c.match_user_agent(&agent, &[r("web-www"), r("update-path-index")]), Some(r("update-user-agent")));
    assert_eq!(c.match_user_agent(&agent, &[r("oem-zonealarm")]), Some(r("update-user-agent")));
    assert_eq!(c.match_user_agent(b"Mozilla/5.0 (X11)", &[r("update-path-index")]), None);
    assert_eq!(c.match_user_agent(&[b'A'; 39], &[r("update-path-index")]), None);
    assert_eq!(c.match_user_agent(&agent, &[IndicatorRef(u32::MAX)]), None);
}

#[test]
fn addresses_ports_and_payloads() {
    let c = builtin();
    let addr = |a: &str| c.match_addr(&a.parse().unwrap()).and_then(|r| c.get(r)).map(|i| i.id);
    assert_eq!(addr("93.159.228.21"), Some("netblock-93-159-228-0-22"));
    assert_eq!(addr("93.159.228.22"), Some("sinkhole-93-159-228-22"));
    assert_eq!(addr("::ffff:93.159.228.22"), Some("sinkhole-93-159-228-22"));
    assert_eq!(addr("95.211.172.143"), Some("sinkhole-95-211-172-143"));
    assert_eq!(addr("185.85.13.1"), None);
    assert_eq!(addr("77.74.184.1"), None);
    assert_eq!(addr("2a03:2480:8037::1"), Some("netblock-2a03-2480-32"));
    assert_eq!(addr("2a03:2880::1"), None);
    let id = |r: Option<IndicatorRef>| r.and_then(|r| c.get(r)).map(|i| i.id);
    assert_eq!(id(c.match_port(6, 13000)), Some("lan-tcp-13000"));
    assert_eq!(id(c.match_port(17, 13000)), Some("lan-udp-13000"));
    for (transport, port) in
        [(6, 8060), (6, 8061), (6, 8080), (6, 8443), (6, 9080), (6, 13292), (17, 14000), (1, 13000)]
    {
        assert_eq!(id(c.match_port(transport, port)), None, "{port}");
    }
    assert_eq!(id(c.match_payload(6, 443, b"KE\0\x02rest")), Some("reputation-payload"));
    assert_eq!(id(c.match_payload(17, 2001, b"PI")), Some("reputation-payload"));
    assert_eq!(id(c.match_payload(17, 2001, b"PIx")), None);
    assert_eq!(id(c.match_payload(6, 2001, b"PI")), None);
    assert_eq!(id(c.match_payload(6, 443, b"KE\0\x01")), None);
    assert_eq!(id(c.match_payload(6, 443, b"\x16\x03\x01\x02\0\x01")), None);
}

#[test]
fn tables_for_coverage() {
    let c = builtin();
    assert!(c.is_ech_public_name(&name("Cloudflare-ECH.com")));
    assert!(!c.is_ech_public_name(&name("www.cloudflare-ech.com")));
    for text in "dns.google cloudflare-dns.com mozilla.cloudflare-dns.com one.one.one.one dns.quad9.net \
                 doh.opendns.com dns.adguard-dns.com abc123.dns.nextdns.io"
        .split_ascii_whitespace()
    {
        assert!(c.is_encrypted_dns_name(&name(text)), "{text}");
    }
    for text in ["google", "xdns.google", "www.google.com", "kaspersky.com", "", "dns.google\0"] {
        assert!(!c.is_encrypted_dns_name(&name(text)), "{text}");
    }
    let resolvers: Vec<_> = c.fallback_resolvers().iter().map(Addr::to_string).collect();
    assert_eq!(resolvers, ["8.8.8.8", "1.1.1.1", "223.6.6.6", "9.9.9.9", "185.228.168.168"]);
    assert!(c.is_fallback_resolver(&"223.6.6.6".parse().unwrap()));
    assert!(!c.is_fallback_resolver(&"223.5.5.5".parse().unwrap()));
}
