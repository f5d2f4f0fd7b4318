//! Days, quarter hours, files, and order.

use super::super::testing_flow::*;
use super::super::{Record, Stage};
use crate::base::Channel;

#[test]
fn a_contact_that_goes_on_after_midnight_has_a_record_of_each_day() {
    for spill in [false, true] {
        let mut s = Scene::new();
        s.spill = spill;
        s.at("2026-03-01T23:59:00Z");
        let message = hello(Some(UPDATE), 0);
        let mut t = s.connect(SERVER, 443);
        t.up(&mut s, &message).down(&mut s, &server_hello());
        s.at("2026-03-02T00:01:00Z");
        t.down(&mut s, &[0; 100]);
        // A frame from before midnight that came late.
        s.at("2026-03-01T23:59:59Z");
        t.down(&mut s, &[0; 10]);
        s.at("2026-03-02T00:20:00Z");
        t.down(&mut s, &[0; 1000]);
        let seen = s.end();
        let [a, b] = &seen.standing[..] else { panic!("{:#?}", seen.standing) };
        assert_eq!((a.period.as_str(), b.period.as_str()), ("2026-03-01", "2026-03-02"));
        assert_eq!((a.count, b.count), (1, 1));
        assert_eq!((a.notes.len(), b.notes.as_slice()), (0, &["continued".to_owned()][..]));
        assert_eq!((a.bytes_from_server, b.bytes_from_server), (server_hello().len() as u64, 1110));
        assert_eq!((a.stage, b.stage, b.bytes_to_server), (Stage::Connected, Stage::Connected, 0));
        assert_eq!(b.names, [UPDATE]);
        assert_eq!(b.channels, [Channel::TlsSni]);
        assert!(b.first_seen.to_string().starts_with("2026-03-02T00:01") && b.slots.len() == 2);
        assert_eq!((a.slots.runs(), a.sessions, b.sessions), (1, 1, 1));
        assert_ne!(a.id, b.id);
    }
}

#[test]
fn quarter_hours_are_those_of_contacts_and_of_connected_ones() {
    let mut s = Scene::new();
    s.at("2026-03-01T10:14:00Z");
    let mut t = s.connect(SERVER, 443);
    t.up(&mut s, &hello(Some(UPDATE), 0));
    s.at("2026-03-01T10:16:00Z");
    t.down(&mut s, &server_hello());
    s.at("2026-03-01T11:00:00Z");
    s.ask(UPDATE);
    let seen = s.end();
    let r = seen.one();
    let slots = |f: &dyn Fn(u8) -> bool| (0..96).filter(|n| f(*n)).collect::<Vec<u8>>();
    assert_eq!(slots(&|n| r.slots.get(n)), [40, 41, 44]);
    assert_eq!(slots(&|n| r.slots_connected.get(n)), [41]);
    assert_eq!(r.sessions, 2);
    assert!(r.last_seen.to_string().starts_with("2026-03-01T11:00"));
}

#[test]
fn a_flow_belongs_to_the_file_of_the_frame_that_made_the_observation() {
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 443);
    t.up(&mut s, &hello(Some(UPDATE), 0));
    s.source = 1;
    t.down(&mut s, &server_hello());
    s.ask(UPDATE);
    let seen = s.end();
    let [b, a] = &seen.standing[..] else { panic!("{:#?}", seen.standing) };
    assert_eq!((a.source.as_str(), b.source.as_str()), ("file:9", "file:8"));
    assert_eq!(a.id, b.id);
    assert_eq!((a.stage, a.count, a.bytes_from_server), (Stage::Connected, 1, server_hello().len() as u64));
    assert_eq!((b.stage, b.count, b.channels.as_slice()), (Stage::Queried, 1, &[Channel::DnsQuery][..]));
    // Each piece of evidence names the file that it lies in.
    let places: Vec<_> = a.evidence.iter().map(|e| (e.path.as_deref().unwrap_or(""), e.frame)).collect();
    assert_eq!(places, [("0.pcap", 4), ("1.pcap", 5)]);
}

#[test]
fn evidence_comes_channel_by_channel_up_to_eight() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.lookup(OTHER_UPDATE, &[Rr::Cname(OTHER_UPDATE, "s06.upd.kaspersky.com")]);
        let mut t = s.connect(SERVER, 443);
        t.up(&mut s, &hello(Some(OTHER_UPDATE), 0)).down(&mut s, &server_hello());
        let mut t = s.connect(SERVER, 80);
        t.up(&mut s, &get("/", Some(OTHER_UPDATE))).down(&mut s, b"HTTP/1.1 204 No\r\n\r\n");
    }
    let seen = s.end();
    let r = seen.one();
    let channels: Vec<Channel> = r.evidence.iter().map(|e| e.channel).collect();
    use Channel::{DnsAnswer as A, DnsCname as C, DnsQuery as Q, TlsSni as T};
    assert_eq!(channels, [Q, Q, A, A, C, C, T, T]);
    assert_eq!((r.count, r.evidence_more), (15, 4), "the last of TLS, and three of HTTP");
    assert_eq!(r.community_ids.len(), 6);
}

#[test]
fn servers_are_capped_and_counted() {
    let mut s = Scene::new();
    for n in 0..20u8 {
        s.connect(&format!("203.0.113.{n}"), 443).up(&mut s, &hello(Some(UPDATE), 0));
    }
    let seen = s.end();
    assert_eq!((seen.one().servers.len(), seen.one().servers_more), (16, 4));
    assert_eq!(seen.one().community_ids.len(), 8);
}

/// A busy hour, with every kind of contact.
fn busy(spill: bool) -> Vec<Record> {
    let mut s = Scene::new();
    s.spill = spill;
    s.at("2026-03-01T23:30:00Z");
    for n in 0..40u8 {
        s.source = u32::from(n / 15);
        let name = format!("s{n:02}.upd.kaspersky.com");
        let ip = [203, 0, 113, n];
        s.lookup(&name, &[Rr::A(&name, ip, 60)]);
        let server = format!("203.0.113.{n}");
        let mut t = s.connect(&server, 443);
        t.up(&mut s, &hello((n % 3 > 0).then_some(&name), 0));
        s.wait(120);
        t.down(&mut s, &server_hello());
        let mut h = s.connect("10.0.0.8", 3128);
        h.up(&mut s, &get("http://dnl-01.geo.kaspersky.com/index/u1313g.xml", Some("x")));
        h.down(&mut s, b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n").down(&mut s, &[0; 3000]);
        t.up(&mut s, &[23, 3, 3, 0, 1, 9]).down(&mut s, &[0; 2500]);
        Tcp::only_syn(&mut s, NETBLOCK[usize::from(n % 2)], 443).reset(&mut s);
        t.close(&mut s);
    }
    let mut seen = s.end();
    seen.standing.append(&mut seen.lonely);
    seen.standing
}

#[test]
fn spilling_after_every_frame_changes_no_record() {
    let (whole, parts) = (busy(false), busy(true));
    assert!(whole.len() > 10);
    assert_eq!(whole, parts);
    let order = |r: &Record| {
        (r.period.clone(), r.host.ip, r.host.segment.clone(), r.host.mac, r.indicator.id.clone(), r.source.clone())
    };
    assert!(whole.is_sorted_by(|a, b| order(a) < order(b)));
}
