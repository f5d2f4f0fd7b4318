//! Signs of roles, by conversations.

use super::super::signal::{Signal, SignalKind};
use super::super::testing_flow::*;
use crate::base::{Addr, Mac};
use crate::coverage::Counter;
use crate::flow::{Place, Proof};
use crate::packet::tcp_flags::{ACK, RST, SYN};
use crate::sighting::HomeNets;

const PROXY: &str = "10.0.0.8";
const PEER: &str = "10.0.0.9";
/// Options of SYNs, by system.
const LINUX: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 10];
const WINDOWS: [u8; 12] = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
/// In nanoseconds.
const MINUTE: i64 = 60 * crate::base::time::SECOND;

/// The signals of a kind: address, detail and count.
fn of(seen: &Seen, kind: SignalKind) -> Vec<(String, String, u64)> {
    let list = seen.signals.iter().filter(|s| s.kind == kind);
    list.map(|s| (s.ip.to_string(), s.detail.to_string(), s.count)).collect()
}

fn one(ip: &str, detail: &str, count: u64) -> Vec<(String, String, u64)> {
    vec![(ip.to_owned(), detail.to_owned(), count)]
}

/// A question to a server and what it answers.
fn asked(s: &mut Scene, server: &str, flags: u16, answer: u16) {
    let port = s.port();
    s.udp((HOST, port), (server, 53), &dns(9, flags, &["x.test"], &[]));
    s.udp((server, 53), (HOST, port), &dns(9, answer, &["x.test"], &[Rr::A("x.test", [192, 0, 2, 1], 60)]));
}

#[test]
fn who_answers_questions_of_others_is_a_dns_server() {
    let mut s = Scene::new();
    asked(&mut s, RESOLVER, 0x0100, 0x8180);
    asked(&mut s, RESOLVER, 0x0100, 0x8183);
    asked(&mut s, PEER, 0x0100, 0x8185); // refuses
    asked(&mut s, "192.0.2.53", 0x0100, 0x8180); // not at home
    s.udp((PROXY, 53), (HOST, 6000), &dns(1, 0x8180, &["y.test"], &[])); // unasked
    s.ask("z.test");
    assert_eq!(of(&s.end(), SignalKind::DnsServer), one(RESOLVER, "", 2));
    let mut s = Scene::with(HomeNets::any(), &[]);
    asked(&mut s, "192.0.2.53", 0x0100, 0x8180);
    assert!(s.end().signals.is_empty(), "where all is home, public servers are still not ours");
}

#[test]
fn who_resolves_for_two_clients_serves_several() {
    let play = |clients: &[&str], answer: u16| {
        let mut s = Scene::new();
        for (n, client) in (1..).zip(clients) {
            s.udp((client, 5000 + n), (RESOLVER, 53), &dns(n, 0x0100, &["x.test"], &[]));
            s.udp((RESOLVER, 53), (client, 5000 + n), &dns(n, answer, &["x.test"], &[]));
        }
        of(&s.end(), SignalKind::DnsServer)
    };
    let both = |count| [one(RESOLVER, "", count), one(RESOLVER, "several", count)].concat();
    assert_eq!(play(&[HOST, PEER], 0x8180), both(2));
    assert_eq!(play(&[HOST, PEER, PROXY, HOST], 0x8180), both(4));
    assert_eq!(play(&[HOST, HOST], 0x8180), one(RESOLVER, "", 2));
    assert_eq!(play(&[HOST, PEER], 0x8500), one(RESOLVER, "", 2), "it knows its own names alone");
    assert_eq!(play(&[HOST, PEER], 0x8182), [], "it fails");
}

/// A host that somebody makes look like a resolver goes on asking for itself.
#[test]
fn who_wants_recursion_for_listed_names_does_not_iterate() {
    let play = |forged_first: bool, name: &str, flags: u16| {
        let mut s = Scene::new();
        let forge = |s: &mut Scene| asked(s, "192.0.2.1", 0, 0x8000);
        if forged_first {
            forge(&mut s);
        }
        let port = s.port();
        s.udp((HOST, port), (RESOLVER, 53), &dns(3, flags, &[name], &[]));
        forge(&mut s);
        of(&s.end(), SignalKind::DnsRecurses)
    };
    assert_eq!(play(true, UPDATE, 0x0100), one(HOST, "", 1));
    assert_eq!(play(false, UPDATE, 0x0100), [], "nothing was known of it then");
    assert_eq!(play(true, "x.test", 0x0100), []);
    assert_eq!(play(true, UPDATE, 0), []);
}

#[test]
fn who_asks_several_servers_without_recursion_resolves() {
    let play = |servers: &[&str], flags: u16| {
        let mut s = Scene::new();
        servers.iter().for_each(|server| asked(&mut s, server, flags, 0x8000 | flags));
        of(&s.end(), SignalKind::DnsIterates)
    };
    let three = ["192.0.2.1", "192.0.2.2", "198.51.100.3"];
    assert_eq!(play(&three, 0), one(HOST, "", 3));
    assert_eq!(play(&[&three[..], &["192.0.2.4"]].concat(), 0), one(HOST, "", 4));
    assert_eq!(play(&three, 0x0100), []);
    assert_eq!(play(&["192.0.2.1", "192.0.2.2", "192.0.2.1"], 0), []);
    let mut s = Scene::new();
    for server in three {
        s.udp((HOST, 5000), (server, 53), &dns(9, 0, &["x.test"], &[])); // not answered
    }
    assert_eq!(of(&s.end(), SignalKind::DnsIterates), []);
}

/// A neighbour that asks from a host's address does not make a resolver of it.
#[test]
fn questions_with_a_forged_address_are_no_sign_of_its_owner() {
    let mut s = Scene::new();
    let (owner, neighbour) = (s.mac, Some(Mac([2, 0, 0, 0, 0, 0x66])));
    for server in ["192.0.2.1", "192.0.2.2", "198.51.100.3"] {
        let port = s.port();
        s.mac = neighbour;
        s.udp((HOST, port), (server, 53), &dns(9, 0, &["x.test"], &[]));
        s.mac = owner;
        s.udp((server, 53), (HOST, port), &dns(9, 0x8000, &["x.test"], &[]));
    }
    let all = s.end().signals;
    let iterates: Vec<_> = all.iter().filter(|s| s.kind == SignalKind::DnsIterates).map(|s| s.mac).collect();
    assert_eq!(iterates, [neighbour]);
}

/// One exchange with a server, and the proxies that it showed.
fn exchange(server: &str, port: u16, says: &[(bool, &[u8])]) -> Vec<(String, String, u64)> {
    let mut s = Scene::new();
    let mut t = s.connect(server, port);
    for (up, bytes) in says {
        t.send(&mut s, *up, ACK, bytes);
    }
    let seen = s.end();
    [of(&seen, SignalKind::HttpProxy), of(&seen, SignalKind::SocksProxy)].concat()
}

#[test]
fn a_proxy_is_one_whatever_it_is_asked_for() {
    let connect = b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
    let update = format!("CONNECT {UPDATE}:443 HTTP/1.1\r\n\r\n");
    let get = b"GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
    let ok = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for request in [&connect[..], update.as_bytes()] {
        assert_eq!(exchange(PROXY, 3128, &[(true, request), (false, ok)]), one(PROXY, "connect", 1));
    }
    assert_eq!(exchange(PROXY, 3128, &[(true, get), (false, ok)]), one(PROXY, "absolute", 1));
    let kept = [(true, &get[..]), (false, ok), (true, get), (false, b"HTTP/1.1 304 Not Modified\r\n\r\n")];
    assert_eq!(exchange(PROXY, 3128, &kept), one(PROXY, "absolute", 2));
    for refusal in ["400 Bad Request", "403 Forbidden", "404 Not Found", "405 No", "407 Auth", "302 Found", "501 No"] {
        let answer = format!("HTTP/1.1 {refusal}\r\n\r\n");
        for request in [&connect[..], get] {
            assert_eq!(exchange(PROXY, 3128, &[(true, request), (false, answer.as_bytes())]), [], "{refusal}");
        }
    }
    assert_eq!(exchange(SERVER, 3128, &[(true, connect), (false, ok)]), [], "none of ours");
    assert_eq!(exchange(PROXY, 3128, &[(true, connect)]), [], "not answered");
    // A later refusal's retry with a password.
    let retry = [(true, &connect[..]), (false, b"HTTP/1.1 407 Auth\r\n\r\n"), (true, connect), (false, ok)];
    assert_eq!(exchange(PROXY, 3128, &retry), one(PROXY, "connect", 1));
}

#[test]
fn a_server_asked_for_itself_is_no_proxy() {
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    for (port, target) in [(80, "http://intra.test/"), (8080, "http://intra.test:8080/x"), (3128, "/plain")] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: intra.test\r\n\r\n");
        assert_eq!(exchange(PROXY, port, &[(true, request.as_bytes()), (false, ok)]), [], "{target}");
    }
    // The answer to the next, plain request is none to the one before.
    let absolute = b"GET http://www.example.com/ HTTP/1.1\r\n\r\n";
    let plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(exchange(PROXY, 8080, &[(true, absolute), (true, plain), (false, ok)]), []);
}

#[test]
fn socks_proxies_consent() {
    let request5 = [&[5, 1, 0, 3, 15][..], b"www.example.com", &[1, 187]].concat();
    let granted = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let refused = [5, 5, 0, 1, 0, 0, 0, 0, 0, 0];
    let usual = |answer: &[u8]| {
        exchange(PROXY, 1080, &[(true, &[5, 1, 0]), (false, &[5, 0]), (true, &request5), (false, answer)])
    };
    assert_eq!(usual(&granted), one(PROXY, "", 1));
    assert_eq!(usual(&refused), []);
    let hasty = [&[5, 1, 0][..], &request5].concat();
    assert_eq!(exchange(PROXY, 1080, &[(true, &hasty), (false, &[5, 0]), (false, &granted)]), one(PROXY, "", 1));
    let request4 = [4, 1, 1, 187, 192, 0, 2, 9, 0];
    assert_eq!(exchange(PROXY, 1080, &[(true, &request4), (false, &[0, 90, 0, 0, 0, 0, 0, 0])]), one(PROXY, "", 1));
    assert_eq!(exchange(PROXY, 1080, &[(true, &request4), (false, &[0, 91, 0, 0, 0, 0, 0, 0])]), []);
}

#[test]
fn a_local_server_that_serves_updates_or_manages() {
    let serves = |server: &str, port: u16, says: &[(bool, &[u8])]| {
        let mut s = Scene::new();
        let mut t = s.connect(server, port);
        for (up, bytes) in says {
            t.send(&mut s, *up, ACK, bytes);
        }
        of(&s.end(), SignalKind::Serves)
    };
    let update = get("/index/u0607g.xml", Some("mirror.lan"));
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(serves(PEER, 8080, &[(true, &update), (false, ok)]), one(PEER, "http", 1));
    let cached = b"HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_eq!(serves(PEER, 8080, &[(true, &update), (false, cached)]), one(PEER, "http", 1));
    assert_eq!(serves(PEER, 8080, &[(true, &update), (false, b"HTTP/1.1 404 Not Found\r\n\r\n")]), []);
    assert_eq!(serves(PEER, 8080, &[(true, &update)]), []);
    assert_eq!(serves(SERVER, 80, &[(true, &update), (false, ok)]), [], "outside");
    // Other paths of the same host, before and after.
    let other = get("/x", Some("mirror.lan"));
    let then = [(true, &update[..]), (false, b"HTTP/1.1 404 No\r\n\r\n"), (true, &other), (false, ok)];
    assert_eq!(serves(PEER, 8080, &then), []);
    // Through a proxy it is not the proxy's.
    let proxied = get("http://p00.upd.kaspersky.com/index/u0607g.xml", Some("p00.upd.kaspersky.com"));
    assert_eq!(serves(PROXY, 3128, &[(true, &proxied), (false, ok)]), []);
    assert_eq!(serves(PEER, 13000, &[(true, &hello(None, 0)), (false, &server_hello())]), one(PEER, "13000", 1));
    assert_eq!(serves(PEER, 13000, &[(true, &hello(None, 0))]), []);
    assert_eq!(serves(PEER, 13002, &[(true, &hello(None, 0)), (false, &server_hello())]), []);
}

#[test]
fn who_sends_notices_to_clients_serves() {
    for (src, dst, port, want) in [
        (PEER, HOST, 15_000, one(PEER, "15000", 1)),
        (PEER, "239.1.2.3", 15_001, one(PEER, "15001", 1)),
        (SERVER, HOST, 15_000, vec![]),
        (PEER, SERVER, 15_000, vec![]),
        (PEER, HOST, 15_002, vec![]),
    ] {
        let mut s = Scene::new();
        s.udp((src, 40_000), (dst, port), b"notice");
        assert_eq!(of(&s.end(), SignalKind::Serves), want, "{src} {dst} {port}");
    }
}

#[test]
fn time_to_live_of_connections_that_both_ends_agreed_to() {
    let mut s = Scene::new();
    for (ttl, say) in [(64, true), (63, true), (63, true), (64, true), (127, true), (50, false), (1, true)] {
        s.ttl = ttl;
        s.now += MINUTE;
        let mut t = s.connect(SERVER, 443);
        if say {
            t.up(&mut s, b"hello");
        }
    }
    s.ttl = 200;
    Tcp::only_syn(&mut s, SERVER, 80).up(&mut s, b"nobody consented");
    Tcp::mid_stream(&mut s, SERVER, 80).up(&mut s, b"GET / HTTP/1.1\r\n\r\n");
    s.connect(SERVER, 179).up(&mut s, b"between routers");
    s.udp((HOST, 5000), (SERVER, 33_434), b"probe");
    let seen = s.end();
    let mut got = of(&seen, SignalKind::Ttl);
    got.sort();
    let want: Vec<_> = [("128-1", 1), ("64-0", 2), ("64-1", 1)].map(|(d, n)| (HOST.to_owned(), d.to_owned(), n)).into();
    assert_eq!(got, want);
    assert!(seen.signals.iter().all(|s| s.mac.is_some()));
}

/// Probes of a route, by rising times to live, and a scanner's SYNs.
#[test]
fn traced_routes_and_scans_say_nothing() {
    let mut s = Scene::new();
    for ttl in 1..=64 {
        s.ttl = ttl;
        s.options = vec![2, 4, 5, 180];
        let mut t = Tcp::only_syn(&mut s, SERVER, 443);
        if ttl > 12 {
            t.send(&mut s, false, SYN | ACK, b"");
            t.send(&mut s, true, RST, b"");
        }
    }
    assert!(s.end().signals.iter().all(|s| !matches!(s.kind, SignalKind::Ttl | SignalKind::SynOptions)));
}

#[test]
fn what_one_system_shows_says_nothing_and_is_not_kept() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.options = LINUX.to_vec();
        s.connect(SERVER, 443).up(&mut s, &hello(None, 0));
    }
    let kinds: Vec<SignalKind> = s.end().signals.iter().map(|s| s.kind).collect();
    assert!(!kinds.iter().any(|k| matches!(k, SignalKind::Ttl | SignalKind::SynOptions | SignalKind::TlsStack)));
}

#[test]
fn orders_of_options_count_when_they_change() {
    let mut s = Scene::new();
    for options in [&LINUX[..], &LINUX, &WINDOWS, &LINUX, &[2, 0, 0, 0], &[]] {
        s.options = options.to_vec();
        s.now += MINUTE;
        s.connect(SERVER, 443).up(&mut s, b"hello");
    }
    let seen = s.end();
    let mut got = of(&seen, SignalKind::SynOptions);
    got.sort();
    assert_eq!(got, [one(HOST, "2,1,3,1,1,4", 1), one(HOST, "2,4,8,1,3", 2)].concat());
}

#[test]
fn one_library_is_one_stack_and_strangers_have_none() {
    let mut s = Scene::new();
    for (name, options) in [(Some("a.test"), &LINUX[..]), (Some("b.test"), &WINDOWS), (None, &LINUX)] {
        s.options = options.to_vec();
        s.connect(SERVER, 443).up(&mut s, &hello(name, 40));
    }
    Tcp::only_syn(&mut s, SERVER, 443).up(&mut s, &hello(None, 1));
    let got = of(&s.end(), SignalKind::TlsStack);
    assert_eq!((got.len(), got[0].1.len(), got[0].2), (1, 8, 4));
    let mut s = Scene::new();
    Tcp::mid_stream(&mut s, SERVER, 443).up(&mut s, &hello(None, 1));
    assert_eq!(of(&s.end(), SignalKind::TlsStack), [], "nobody saw it agree with anybody");
}

#[test]
fn who_sends_packets_from_outside_forwards() {
    let play = |servers: &[&str]| {
        let mut s = Scene::new();
        for server in servers {
            s.connect(server, 80).up(&mut s, b"hello").down(&mut s, b"answer");
        }
        s.end().signals.into_iter().filter(|s| s.kind == SignalKind::Forwards).collect::<Vec<Signal>>()
    };
    let found = play(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].ip, found[0].mac.unwrap().0[5], found[0].count), (Addr::default(), 1, 3));
    assert!(play(&["192.0.2.1", "192.0.2.1"]).is_empty());
    assert!(play(&[PEER, PROXY]).is_empty());
    let mut s = Scene::new();
    s.router(Mac([2, 0, 0, 0, 0, 7]), Proof::Sound);
    s.router(Mac([2, 0, 0, 0, 0, 8]), Proof::Lone);
    s.router(Mac([0; 6]), Proof::Sound);
    let seen = s.end();
    let macs: Vec<_> = seen.signals.iter().map(|s| (s.kind, s.mac)).collect();
    assert_eq!(macs, [(SignalKind::Forwards, Some(Mac([2, 0, 0, 0, 0, 7])))]);
}

#[test]
fn a_flood_takes_what_room_there_is_and_is_counted() {
    let mut s = Scene::new();
    s.ttl = 63;
    for n in 0..5000_u32 {
        let [_, b, c, d] = n.to_be_bytes();
        s.client = Addr::v4([10, b, c, d]);
        s.connect(SERVER, 443).up(&mut s, &hello(None, 0));
    }
    s.client = Addr::v4([10, 0, 0, 5]);
    asked(&mut s, RESOLVER, 0x0100, 0x8180);
    let seen = s.end();
    assert_eq!(of(&seen, SignalKind::DnsServer), one(RESOLVER, "", 1), "roles keep some of it");
    let kept = seen.signals.iter().filter(|s| s.kind == SignalKind::Ttl).count();
    assert!((200..=448).contains(&kept), "{kept}");
    assert!(seen.get(Counter::SignalsRefused) > 4000);
    // One host with ever other values.
    let mut s = Scene::new();
    for n in 0..200 {
        s.ttl = 255 - n;
        s.options = vec![1; usize::from(n % 16 / 4 + 1) * 4];
        s.connect(SERVER, 443).up(&mut s, b"hello");
    }
    let seen = s.end();
    assert_eq!(seen.signals.iter().filter(|s| s.kind == SignalKind::Ttl).count(), 4);
    assert!(seen.get(Counter::SignalsRefused) > 100);
}

/// What was seen of a host behind its router is the host's, but the hops.
#[test]
fn signs_move_with_their_host() {
    let place = |segment, n| Place { segment, mac: Some(Mac([2, 0, 0, 0, 0, n])) };
    let mut s = Scene::new();
    s.mac = place(0, 100).mac;
    s.ttl = 63;
    s.options = vec![2, 4, 5, 180];
    s.connect(SERVER, 443).up(&mut s, &hello(None, 0));
    s.wait(60);
    s.options = vec![1, 1, 4, 2];
    s.connect(SERVER, 443).up(&mut s, &hello(None, 0));
    s.moved(HOST, place(0, 100), place(4, 9));
    let seen = s.end();
    let mut kinds: Vec<_> = seen.signals.iter().map(|s| (s.kind, s.segment, s.mac, s.count)).collect();
    kinds.sort();
    let near = place(4, 9);
    let order = (SignalKind::SynOptions, near.segment, near.mac, 1);
    assert_eq!(kinds, [order, order, (SignalKind::TlsStack, near.segment, near.mac, 2)]);
}

#[test]
fn days_are_apart() {
    let mut s = Scene::new();
    s.ttl = 63;
    for _ in 0..2 {
        s.connect(SERVER, 443).up(&mut s, b"hello");
        s.wait(86_400);
    }
    let seen = s.end();
    let ttl: Vec<&Signal> = seen.signals.iter().filter(|s| s.kind == SignalKind::Ttl).collect();
    assert_eq!(ttl.len(), 2);
    assert!(ttl.iter().all(|s| s.from == s.to && s.from.0 % 1_000_000 == 0 && s.count == 1));
}

#[test]
fn handing_on_as_it_happens_ends_as_handing_on_at_the_end() {
    let play = |collects: bool| {
        let mut s = Scene::new();
        for n in 0..12_u8 {
            s.ttl = 64 - n % 2;
            let server = format!("192.0.2.{}", n % 5);
            s.connect(&server, 80).up(&mut s, &hello(None, 0)).down(&mut s, b"answer");
            asked(&mut s, &server, 0, 0x8000);
            asked(&mut s, RESOLVER, 0x0100, 0x8180);
            if collects && n % 3 == 0 {
                s.collect_signals();
            }
        }
        s.end().signals
    };
    let whole = play(false);
    assert_eq!(whole.len(), 6, "{whole:#?}");
    assert_eq!(play(true), whole);
}
