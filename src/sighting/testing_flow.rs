//! Conversations for tests, through a real flow engine into an observer.

use super::draft::Names;
use super::naming;
use super::select::{Records, Selected};
use super::signal::{Signal, Signals};
use super::{HomeNets, HostNames, Observed, Observer, Record, Settings, Spool};
use crate::base::{Addr, Mac, Timestamp};
use crate::catalogue::Catalogue;
use crate::coverage::{Counter, Counts, Ledger};
use crate::flow::{Claim, ClaimKind, Engine, FrameRef, Limits, Place, Proof, Sink};
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::testing::blank;
use crate::packet::{EncapId, Packet, Transport};
use std::sync::Arc;

pub(super) const HOST: &str = "10.0.0.5";
pub(super) const RESOLVER: &str = "10.0.0.53";
pub(super) const SERVER: &str = "203.0.113.9";
/// Of the vendor's network, and of another one of its networks.
pub(super) const NETBLOCK: [&str; 2] = ["77.74.181.38", "185.85.15.30"];
pub(super) const UPDATE: &str = "dnl-01.geo.kaspersky.com";
pub(super) const OTHER_UPDATE: &str = "s05.upd.kaspersky.com";

/// The engine of one shard, a clock, and where frames come from.
pub(super) struct Scene {
    engine: Engine<Observer>,
    catalogue: Arc<Catalogue>,
    pub(super) ledger: Ledger,
    /// Nanoseconds of packet time; each frame takes a millisecond.
    pub(super) now: i64,
    pub(super) source: u32,
    pub(super) mac: Option<Mac>,
    pub(super) spill: bool,
    /// Time to live of what clients send, their SYNs' options, and the client
    /// of connections.
    pub(super) ttl: u8,
    pub(super) options: Vec<u8>,
    pub(super) client: Addr,
    signals: Signals,
    number: u64,
    spool: Spool,
    port: u16,
}

/// What a scene came to.
pub(super) struct Seen {
    pub(super) standing: Vec<Record>,
    pub(super) lonely: Vec<Record>,
    pub(super) counts: Counts,
    pub(super) outside: usize,
    pub(super) signals: Vec<Signal>,
}

struct TestNames;

impl Names for TestNames {
    fn sensor(&self) -> &str {
        "test"
    }
    fn source(&self, source: u32) -> String {
        format!("file:{}", 9 - source)
    }
    fn path(&self, source: u32) -> Option<String> {
        Some(format!("{source}.pcap"))
    }
    fn interface(&self, _: u32, _: u16) -> Option<String> {
        None
    }
    fn segment(&self, segment: u32) -> String {
        if segment == 0 { String::new() } else { format!("vlan:{segment}") }
    }
    fn layers(&self, _: EncapId) -> Vec<String> {
        Vec::new()
    }
}

pub(super) fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

impl Scene {
    pub(super) fn new() -> Self {
        Scene::with(HomeNets::default(), &[])
    }

    pub(super) fn with(home: HomeNets, more_indicators: &[&str]) -> Self {
        let mut files = Vec::new();
        for text in more_indicators {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            files.push(file);
        }
        let paths: Vec<_> = files.iter().map(|f| f.path().to_owned()).collect();
        let catalogue = Arc::new(Catalogue::load(None, &paths).unwrap());
        let settings =
            Settings { catalogue: Arc::clone(&catalogue), home, canaries: Vec::new(), live: false, pseudonyms: None };
        let observer = Observer::new(Arc::new(settings)).with_max_drafts(0);
        Scene {
            engine: Engine::new(observer, Limits::default()),
            spool: Spool::new(&catalogue, usize::MAX),
            catalogue,
            ledger: Ledger::new(),
            now: Timestamp::parse("2026-03-01T10:00:00Z").unwrap().0,
            source: 0,
            mac: Some(Mac([2, 0, 0, 0, 0, 5])),
            spill: false,
            ttl: 64,
            options: Vec::new(),
            client: addr(HOST),
            signals: Signals::default(),
            number: 0,
            port: 40_000,
        }
    }

    pub(super) fn at(&mut self, time: &str) -> &mut Self {
        self.now = Timestamp::parse(time).unwrap().0;
        self
    }

    pub(super) fn wait(&mut self, secs: i64) -> &mut Self {
        self.now += secs * 1_000_000_000;
        self
    }

    pub(super) fn port(&mut self) -> u16 {
        self.port = self.port.checked_add(1).unwrap_or(40_000);
        self.port
    }

    fn packet(&self, transport: Transport, src: (Addr, u16), dst: (Addr, u16)) -> Packet {
        let home = HomeNets::default();
        // A link shows hardware addresses or none.
        let router = self.mac.map(|_| Mac([2, 0, 0, 0, 0, 1]));
        let mac = |a: &Addr| if home.contains(a) { self.mac } else { router };
        Packet {
            ts: Timestamp(self.now),
            src: src.0,
            dst: dst.0,
            sport: src.1,
            dport: dst.1,
            transport,
            src_mac: mac(&src.0),
            dst_mac: mac(&dst.0),
            ..blank()
        }
    }

    fn feed(&mut self, mut p: Packet, payload: &[u8]) {
        self.number += 1;
        self.now += 1_000_000;
        p.payload_len = payload.len() as u32;
        let held = if self.is_syn(&p) { Some(self.syn_frame(&p)) } else { None };
        let (bytes, payload) = match &held {
            Some(bytes) => (bytes.as_slice(), bytes.get(bytes.len()..).unwrap_or(&[])),
            None => (payload, payload),
        };
        let frame = FrameRef {
            bytes,
            orig_len: bytes.len() as u32,
            number: self.number,
            offset: self.number * 1000,
            source: self.source,
            interface: 0,
        };
        self.engine.segment(&p, 0, (frame.source, frame.interface), &mut self.ledger, || (payload, frame));
        if self.spill {
            let spilled = self.engine.sink().take_spilled();
            self.spool.add(spilled, |_| String::new()).unwrap();
        }
    }

    /// Whether a packet is a SYN for which options were asked.
    fn is_syn(&self, p: &Packet) -> bool {
        p.transport == Transport::Tcp && p.flags == SYN && !self.options.is_empty()
    }

    /// IPv4 and TCP headers of a SYN, with options.
    fn syn_frame(&self, p: &Packet) -> Vec<u8> {
        let words = 5 + self.options.len() / 4;
        let mut tcp = [p.sport.to_be_bytes(), p.dport.to_be_bytes()].concat();
        tcp.extend(p.seq.to_be_bytes());
        tcp.extend(p.ack.to_be_bytes());
        tcp.extend([(words as u8) << 4, p.flags, 0, 0, 0, 0, 0, 0]);
        tcp.extend(&self.options);
        crate::packet::testing::ipv4(6, p.src.as_v4().unwrap(), p.dst.as_v4().unwrap(), &tcp)
    }

    pub(super) fn udp(&mut self, src: (&str, u16), dst: (&str, u16), payload: &[u8]) -> &mut Self {
        let p = self.packet(Transport::Udp, (addr(src.0), src.1), (addr(dst.0), dst.1));
        self.feed(p, payload);
        self
    }

    /// A question without its answer.
    pub(super) fn ask(&mut self, name: &str) -> u16 {
        let port = self.port();
        self.udp((HOST, port), (RESOLVER, 53), &dns(7, 0x0100, &[name], &[]));
        port
    }

    /// A question and its answer.
    pub(super) fn lookup(&mut self, name: &str, records: &[Rr<'_>]) -> &mut Self {
        let port = self.ask(name);
        self.udp((RESOLVER, 53), (HOST, port), &dns(7, 0x8180, &[name], records))
    }

    pub(super) fn connect(&mut self, server: &str, port: u16) -> Tcp {
        let client = (self.client, self.port());
        let mut t = Tcp { client, server: (addr(server), port), cseq: 100, sseq: 900 };
        t.syn(self);
        t.send(self, false, SYN | ACK, b"");
        t.sseq += 1;
        t.send(self, true, ACK, b"");
        t
    }

    /// Hosts by encrypted resolver, so far.
    pub(super) fn resolvers(&mut self) -> Vec<(String, u64)> {
        let reach = self.ledger.reach();
        reach.resolvers.rows().into_iter().map(|r| (r.name.to_owned(), r.hosts)).collect()
    }

    /// What a running sensor does every ten seconds.
    pub(super) fn collect_signals(&mut self) {
        let parts = self.engine.sink().take_signals();
        self.signals.add(parts);
    }

    /// A station says by neighbour discovery that it is a router.
    pub(super) fn router(&mut self, mac: Mac, proof: Proof) {
        let (ts, kind, ip) = (Timestamp(self.now), ClaimKind::Nd, addr("fe80::1"));
        let claim = Claim { ts, kind, ip, mac: Some(mac), proof, until: ts, router: true, words: None };
        self.engine.sink().claimed(&claim, 0, 0, &mut self.ledger);
    }

    /// The flow layer finds that a client seen at one place is at another.
    pub(super) fn moved(&mut self, client: &str, far: Place, near: Place) {
        self.engine.sink().moved(addr(client), far, near, &mut self.ledger);
    }

    /// The engine and what was counted so far.
    pub(super) fn into_parts(self) -> (Engine<Observer>, Ledger) {
        (self.engine, self.ledger)
    }

    /// What the observer knows at the end.
    pub(super) fn observed(mut self) -> Observed {
        self.engine.finish(&mut self.ledger).finish()
    }

    pub(super) fn end(mut self) -> Seen {
        let observed = self.engine.finish(&mut self.ledger);
        let observed = observed.finish();
        self.spool.add(observed.drafts, |_| String::new()).unwrap();
        let drafts = self.spool.drafts().unwrap();
        let hosts = HostNames::new(naming::join(observed.namings));
        self.signals.add(observed.signals);
        let signals = self.signals.into_list();
        let all: Vec<Selected> = Records::new(drafts, &self.catalogue, &TestNames, &observed.local_askers, &hosts)
            .collect::<Result<_, _>>()
            .unwrap();
        let (lonely, standing): (Vec<_>, Vec<_>) = all.into_iter().partition(|s| s.lonely);
        let of = |list: Vec<Selected>| list.into_iter().map(|s| s.record).collect();
        Seen {
            standing: of(standing),
            lonely: of(lonely),
            counts: self.ledger.total(),
            outside: observed.outside.len(),
            signals,
        }
    }
}

impl Seen {
    pub(super) fn get(&self, counter: Counter) -> u64 {
        self.counts.get(counter)
    }

    /// The only record.
    pub(super) fn one(&self) -> &Record {
        assert_eq!(self.standing.len(), 1, "{:#?}", self.standing);
        &self.standing[0]
    }

    pub(super) fn of(&self, indicator: &str) -> &Record {
        let all = self.standing.iter().map(|r| r.indicator.id.as_str()).collect::<Vec<_>>();
        self.standing.iter().find(|r| r.indicator.id == indicator).unwrap_or_else(|| panic!("{all:?}"))
    }

    pub(super) fn indicators(&self) -> Vec<&str> {
        self.standing.iter().map(|r| r.indicator.id.as_str()).collect()
    }
}

/// A TCP conversation.
pub(super) struct Tcp {
    client: (Addr, u16),
    pub(super) server: (Addr, u16),
    cseq: u32,
    sseq: u32,
}

impl Tcp {
    /// One that never gets beyond its SYN.
    pub(super) fn only_syn(s: &mut Scene, server: &str, port: u16) -> Tcp {
        let client = s.client;
        let mut t = Tcp { client: (client, s.port()), server: (addr(server), port), cseq: 100, sseq: 0 };
        t.syn(s);
        t
    }

    /// One whose start nobody saw.
    pub(super) fn mid_stream(s: &mut Scene, server: &str, port: u16) -> Tcp {
        Tcp { client: (addr(HOST), s.port()), server: (addr(server), port), cseq: 5000, sseq: 7000 }
    }

    fn syn(&mut self, s: &mut Scene) {
        self.send(s, true, SYN, b"");
        self.cseq += 1;
    }

    pub(super) fn send(&mut self, s: &mut Scene, up: bool, flags: u8, payload: &[u8]) {
        let (src, dst) = if up { (self.client, self.server) } else { (self.server, self.client) };
        let mut p = s.packet(Transport::Tcp, src, dst);
        (p.seq, p.ack) = if up { (self.cseq, self.sseq) } else { (self.sseq, self.cseq) };
        p.flags = flags;
        if up {
            p.ttl = s.ttl;
        }
        s.feed(p, payload);
        let moved = if up { &mut self.cseq } else { &mut self.sseq };
        *moved = moved.wrapping_add(payload.len() as u32);
    }

    pub(super) fn up(&mut self, s: &mut Scene, payload: &[u8]) -> &mut Self {
        self.send(s, true, ACK, payload);
        self
    }

    pub(super) fn down(&mut self, s: &mut Scene, payload: &[u8]) -> &mut Self {
        self.send(s, false, ACK, payload);
        self
    }

    /// The last segment of the client once more.
    pub(super) fn repeat(&mut self, s: &mut Scene, payload: &[u8]) {
        self.cseq = self.cseq.wrapping_sub(payload.len() as u32);
        self.send(s, true, ACK, payload);
    }

    /// The client claims to have heard the server up to there.
    pub(super) fn guess(&mut self, bytes: u32) {
        self.sseq = self.sseq.wrapping_add(1000).wrapping_add(bytes);
    }

    /// The client sends what the capture lacks.
    pub(super) fn skip(&mut self, bytes: u32) {
        self.cseq = self.cseq.wrapping_add(bytes);
    }

    /// The server sends what the capture lacks.
    pub(super) fn unseen_down(&mut self, bytes: u32) -> &mut Self {
        self.sseq = self.sseq.wrapping_add(bytes);
        self
    }

    pub(super) fn reset(&mut self, s: &mut Scene) {
        self.send(s, false, RST | ACK, b"");
    }

    pub(super) fn close(&mut self, s: &mut Scene) {
        self.send(s, true, FIN | ACK, b"");
        self.send(s, false, FIN | ACK, b"");
    }
}

/// A record of an answer: owner, and an address or an alias target.
#[derive(Clone, Copy)]
pub(super) enum Rr<'a> {
    A(&'a str, [u8; 4], u32),
    Cname(&'a str, &'a str),
    /// Of type HTTPS: owner, priority, target, IPv4 hints.
    Https(&'a str, u8, &'a str, &'a [[u8; 4]]),
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

/// A DNS message with questions of another type.
pub(super) fn of_type(qtype: u8, mut message: Vec<u8>) -> Vec<u8> {
    let mut at = 12;
    for _ in 0..message[5] {
        while message[at] != 0 {
            at += 1 + usize::from(message[at]);
        }
        message[at + 2] = qtype;
        at += 5;
    }
    message
}

/// A DNS message with questions of type A.
pub(super) fn dns(id: u16, flags: u16, questions: &[&str], answers: &[Rr<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for n in [id, flags, questions.len() as u16, answers.len() as u16, 0, 0] {
        out.extend(n.to_be_bytes());
    }
    for q in questions {
        out.extend(labels(q));
        out.extend([0, 1, 0, 1]);
    }
    for a in answers {
        let (owner, kind, ttl, data) = match *a {
            Rr::A(owner, ip, ttl) => (owner, 1, ttl, ip.to_vec()),
            Rr::Cname(owner, target) => (owner, 5, 300, labels(target)),
            Rr::Https(owner, priority, target, hints) => {
                let mut data = [&[0, priority][..], &labels(target)].concat();
                if !hints.is_empty() {
                    data.extend([0, 4]);
                    data.extend(vec16(&hints.concat()));
                }
                (owner, 65, 300, data)
            }
        };
        out.extend(labels(owner));
        out.extend([0, kind, 0, 1]);
        out.extend(ttl.to_be_bytes());
        out.extend((data.len() as u16).to_be_bytes());
        out.extend(data);
    }
    out
}

fn vec16(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

/// A ClientHello record; `padding` makes it long.
pub(super) fn hello(name: Option<&str>, padding: usize) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        extensions.extend([0, 0]);
        extensions.extend(vec16(&vec16(&[&[0][..], &vec16(name.as_bytes())].concat())));
    }
    extensions.extend([0, 21]);
    extensions.extend(vec16(&vec![0; padding]));
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(vec16(&[0x13, 0x01]));
    body.extend([1, 0]);
    body.extend(vec16(&extensions));
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    [&[22, 3, 1][..], &vec16(&message)].concat()
}

/// A ServerHello record of TLS 1.2.
pub(super) fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.push(0);
    body.extend([0xc0, 0x2f, 0]);
    let message = [&[2, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    [&[22, 3, 3][..], &vec16(&message)].concat()
}

/// An HTTP GET.
pub(super) fn get(path: &str, host: Option<&str>) -> Vec<u8> {
    let host = host.map(|h| format!("Host: {h}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\n{host}\r\n").into_bytes()
}
