//! What HTTP requests make of a host.

use super::super::Stage;
use super::super::testing_flow::*;
use crate::base::Channel;
use crate::coverage::Counter;

const INDEX: &str = "/updates/index/u1313g.xml";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";

fn agent() -> String {
    "A".repeat(60)
}

fn request(path: &str, host: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\n\r\n", agent()).into_bytes()
}

#[test]
fn host_path_and_product_each_count() {
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 80);
    t.up(&mut s, &request("/updates/index/u1313g.xml?user=secret", OTHER_UPDATE)).down(&mut s, OK);
    t.down(&mut s, &[0; 1400]).down(&mut s, &[0; 1400]);
    let seen = s.end();
    assert_eq!(seen.indicators(), ["update-path-index", "update-s-hosts", "update-user-agent"]);
    for r in &seen.standing {
        assert_eq!((r.stage, r.count, r.names.as_slice()), (Stage::Transferred, 1, &[OTHER_UPDATE.to_owned()][..]));
        assert_eq!(r.bytes_from_server, (OK.len() + 2800) as u64);
        assert!(!serde_json::to_string(r).unwrap().contains("secret"));
        assert!(!serde_json::to_string(r).unwrap().contains(&agent()));
    }
    let name = |id: &str| seen.of(id).evidence.iter().map(|e| e.name.as_deref()).collect::<Vec<_>>();
    assert_eq!(name("update-path-index"), [Some(INDEX), Some(INDEX)], "the request, and what came of it");
    assert_eq!(name("update-s-hosts"), [Some(OTHER_UPDATE); 2]);
    assert_eq!(name("update-user-agent"), [None, None]);
}

#[test]
fn an_embedding_vendor_owns_its_update_tree() {
    let mut s = Scene::new();
    s.connect(SERVER, 80).up(&mut s, &request(INDEX, "kav8.zonealarm.com"));
    let seen = s.end();
    let r = seen.one();
    assert_eq!(r.indicator.id, "oem-zonealarm");
    assert_eq!(r.channels, [Channel::HttpHost, Channel::HttpPath, Channel::HttpUserAgent]);
    assert_eq!(r.count, 3);
}

#[test]
fn a_lookalike_owns_what_is_fetched_from_it() {
    let mut s = Scene::new();
    s.connect(SERVER, 80).up(&mut s, &request(INDEX, "kasperskyupdate.com"));
    let seen = s.end();
    assert!(seen.one().indicator.category.is_alarm());
}

#[test]
fn a_mirror_in_the_lan_is_an_update_contact_named_by_its_host() {
    let mut s = Scene::new();
    s.connect("10.0.0.80", 80).up(&mut s, &get(INDEX, Some("mirror.corp.test"))).down(&mut s, OK);
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.indicator.id.as_str(), r.stage), ("update-path-index", Stage::Connected));
    assert_eq!((r.names.as_slice(), r.servers[0].ip), (&["mirror.corp.test".to_owned()][..], addr("10.0.0.80")));
    assert_eq!(r.host.ip, addr(HOST));
}

#[test]
fn two_hosts_are_ambiguous_and_one_observation() {
    let mut s = Scene::new();
    let both = format!("GET / HTTP/1.1\r\nHost: {UPDATE}\r\nHost: dnl-02.geo.kaspersky.com\r\n\r\n");
    s.connect(SERVER, 80).up(&mut s, both.as_bytes());
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.count, r.names.len(), r.notes.as_slice()), (1, 2, &["ambiguous".to_owned()][..]));
}

#[test]
fn a_proxy_connection_is_judged_anew_for_each_host() {
    let absolute = |host: &str| format!("GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let (first, second) = (absolute(UPDATE), absolute(OTHER_UPDATE));
    let mut s = Scene::new();
    let mut t = s.connect("10.0.0.8", 3128);
    t.up(&mut s, first.as_bytes()).down(&mut s, b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
    t.down(&mut s, &[0; 1000]).down(&mut s, &[0; 2000]);
    t.up(&mut s, second.as_bytes());
    let before = s.now;
    t.down(&mut s, b"HTTP/1.1 404 No\r\nContent-Length: 3000\r\n\r\n");
    t.down(&mut s, &[0; 3000]);
    let seen = s.end();
    let (a, b) = (seen.of("update-dnl-geo"), seen.of("update-s-hosts"));
    assert_eq!((a.stage, a.count), (Stage::Transferred, 1));
    assert_eq!((b.stage, b.count), (Stage::Connected, 1), "another host's transfer proves nothing");
    assert_eq!((a.bytes_to_server, a.bytes_from_server), (first.len() as u64, 42 - 1 + 3000));
    assert_eq!((b.bytes_to_server, b.bytes_from_server), (second.len() as u64, 42 - 1 + 3000));
    assert!(a.last_seen.0 <= before && b.last_seen.0 > before);
    assert!(a.notes == ["via_proxy"] && b.notes == ["via_proxy"]);
}

#[test]
fn a_name_of_no_interest_ends_what_the_one_before_began() {
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 80);
    let first = get("/", Some(UPDATE));
    t.up(&mut s, &first).down(&mut s, b"HTTP/1.1 204 No\r\n\r\n");
    t.up(&mut s, &get("/", Some("example.test"))).down(&mut s, OK);
    t.down(&mut s, &[0; 3000]);
    t.up(&mut s, &first).down(&mut s, b"HTTP/1.1 204 No\r\n\r\n");
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.stage, r.count), (Stage::Connected, 2));
    assert_eq!((r.bytes_to_server, r.bytes_from_server), (2 * first.len() as u64, 2 * 19));
}

#[test]
fn what_the_address_says_goes_on_with_the_next_host() {
    let mut s = Scene::new();
    let mut t = s.connect(NETBLOCK[0], 80);
    let (a, b) = (get("/", Some(UPDATE)), get("/", Some("example.test")));
    t.up(&mut s, &a).down(&mut s, OK).up(&mut s, &b).down(&mut s, OK).down(&mut s, &[0; 4000]);
    let seen = s.end();
    let block = seen.of("netblock-77-74-176-0-21");
    assert_eq!((block.stage, block.count), (Stage::Transferred, 1));
    assert_eq!(seen.of("update-dnl-geo").stage, Stage::Connected);
    assert_eq!(block.bytes_to_server, (a.len() + b.len()) as u64);
    assert_eq!(block.bytes_from_server, (2 * OK.len() + 4000) as u64);
    assert_eq!(seen.of("update-dnl-geo").bytes_to_server, a.len() as u64);
}

#[test]
fn a_proxys_consent_is_not_the_servers_answer() {
    let connect = format!("CONNECT {UPDATE}:443 HTTP/1.1\r\nHost: {UPDATE}:443\r\n\r\n");
    for (status, stage, note) in
        [("200 OK", Stage::Connected, "via_proxy"), ("403 No", Stage::Attempted, "proxy_refused")]
    {
        let mut s = Scene::new();
        let mut t = s.connect("10.0.0.8", 3128);
        t.up(&mut s, connect.as_bytes()).down(&mut s, format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
        if stage == Stage::Connected {
            t.up(&mut s, &hello(Some(UPDATE), 0)).down(&mut s, &server_hello());
        }
        let seen = s.end();
        let r = seen.one();
        assert_eq!(r.stage, stage);
        assert!(r.notes.iter().any(|n| n == note), "{:?}", r.notes);
        assert_eq!(r.channels.contains(&Channel::TlsSni), stage == Stage::Connected);
        assert!(r.channels.starts_with(&[]) && r.channels.contains(&Channel::HttpConnect));
        assert_eq!(r.servers[0].ip, addr("10.0.0.8"));
    }
}

#[test]
fn what_is_too_long_for_a_name_is_none() {
    let mut s = Scene::new();
    let long = format!("{}.geo.kaspersky.com", "a.".repeat(200));
    s.connect(SERVER, 443).up(&mut s, &hello(Some(&long), 0));
    s.connect("10.0.0.80", 80).up(&mut s, &get(&format!("{}{INDEX}", "/x".repeat(2000)), Some(&long)));
    let seen = s.end();
    let r = seen.one();
    assert_eq!((r.indicator.id.as_str(), r.names.len()), ("update-path-index", 0));
    assert!(r.evidence[0].name.as_ref().is_some_and(|n| n.len() < 1100 && n.ends_with("\\...")));
    assert_eq!(seen.get(Counter::NamesOdd), 2);
}

#[test]
fn http2_in_clear_text_counts_like_any_request() {
    use crate::protocol::http2::sample::{block, frame, get, headers, opening, settings};
    let agent = agent();
    let fields = [(":method", "GET"), (":path", INDEX), (":authority", OTHER_UPDATE), ("user-agent", agent.as_str())];
    let asked = [opening(), headers(1, &block(&fields))].concat();
    let answer = |stream, body| {
        [frame(1, 4, stream, &block(&[(":status", "200")])), frame(0, 1, stream, &vec![0; body])].concat()
    };
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 8080);
    t.up(&mut s, &asked).down(&mut s, &[settings(), answer(1, 4000)].concat());
    t.up(&mut s, &get(3, "example.test", "/")).down(&mut s, &answer(3, 9000));
    let seen = s.end();
    assert_eq!(seen.indicators(), ["update-path-index", "update-s-hosts", "update-user-agent"]);
    for r in &seen.standing {
        assert_eq!((r.stage, r.count), (Stage::Transferred, 1));
        assert!(r.bytes_from_server < 5000, "what another host sent is not counted");
    }
}

/// Where the client alone is seen, acknowledgements prove that it was answered,
/// also to what it asks for later on the connection.
#[test]
fn what_is_asked_for_later_has_no_better_proof() {
    let mut s = Scene::new();
    let mut t = Tcp::only_syn(&mut s, SERVER, 80);
    t.unseen_down(1).up(&mut s, b"").up(&mut s, &request(INDEX, OTHER_UPDATE));
    t.unseen_down(4000).up(&mut s, b"").up(&mut s, &request("/bases/av/base001.kdc", OTHER_UPDATE));
    let seen = s.end();
    assert_eq!(
        seen.indicators(),
        ["update-path-bases", "update-path-index", "update-s-hosts", "update-user-agent"],
        "what was fetched, and who asked"
    );
    for r in &seen.standing {
        assert_eq!((r.stage, r.notes.as_slice()), (Stage::Connected, &["one_sided".to_owned()][..]), "{r:?}");
    }
}

/// What a proxy says of itself is no answer of the server's.
#[test]
fn a_proxys_refusal_of_a_request_is_not_the_servers_answer() {
    let absolute = format!("GET http://{UPDATE}/x HTTP/1.1\r\nHost: {UPDATE}\r\n\r\n").into_bytes();
    let origin = get("/x", Some(UPDATE));
    let play = |request: &[u8], codes: &[u16]| {
        let mut s = Scene::new();
        let mut t = s.connect("10.0.0.8", 3128);
        for code in codes {
            let answer = format!("HTTP/1.1 {code} X\r\nContent-Length: 3000\r\n\r\n{}", "x".repeat(3000));
            t.up(&mut s, request).down(&mut s, answer.as_bytes());
        }
        let seen = s.end();
        let r = seen.one();
        (r.stage, r.notes.iter().any(|n| n == "proxy_refused"))
    };
    for code in [403, 407, 502, 503, 504, 511] {
        assert_eq!(play(&absolute, &[code]), (Stage::Attempted, true), "{code}");
        let origins = if code == 511 { (Stage::Attempted, true) } else { (Stage::Connected, false) };
        assert_eq!(play(&origin, &[code]), origins, "{code} of the server itself");
    }
    for code in [302, 400, 404, 500] {
        assert_eq!(play(&absolute, &[code]), (Stage::Connected, false), "{code}");
    }
    assert_eq!(play(&absolute, &[407, 200]), (Stage::Transferred, true), "with a password then");
    assert_eq!(play(&absolute, &[200, 503]), (Stage::Transferred, false), "it was reached before");
    assert_eq!(play(&absolute, &[404, 503]), (Stage::Connected, false));
}
