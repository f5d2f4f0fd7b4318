//! Hosts that talk through an engine, and a sink that writes down what it is
//! told.

use super::events::{At, DnsKind, Endpoints, FrameRef, HttpSeen, Notes, Progress, Seen, Sink, Token};
use super::{Engine, Limits};
use crate::base::time::SECOND;
use crate::base::{Addr, Name, Stage, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::testing::blank;
use crate::packet::{Packet, Transport};
use crate::protocol::tls::sample;

thread_local! {
    static READS_ALL: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether no segment passes by unread on this thread.
pub(super) fn reads_all() -> bool {
    READS_ALL.get()
}

/// Runs something while no segment passes by unread.
pub(super) fn reading_all<T>(f: impl FnOnce() -> T) -> T {
    READS_ALL.set(true);
    let out = f();
    READS_ALL.set(false);
    out
}

/// One message that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) frame: u64,
    pub(super) what: String,
    pub(super) notes: Vec<&'static str>,
    pub(super) client: (Addr, u16),
}

/// What to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Nothing,
    /// Flows from when they name somebody; each HTTP host anew.
    Names,
    /// Every flow from its start.
    Flows,
}

/// A sink that writes everything down.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) policy: Policy,
    pub(super) told: Vec<Told>,
    pub(super) opened: Vec<Endpoints>,
    /// By token: stages, notes, bytes to and from the server, closed.
    pub(super) contacts: Vec<Contact>,
    host: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) stages: Vec<Stage>,
    pub(super) notes: Vec<&'static str>,
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) closed: bool,
}

impl Recorder {
    pub(super) fn new(policy: Policy) -> Self {
        Recorder { policy, told: Vec::new(), opened: Vec::new(), contacts: Vec::new(), host: None }
    }

    fn contact(&mut self) -> Token {
        self.contacts.push(Contact::default());
        Token(u32::try_from(self.contacts.len() - 1).unwrap())
    }
}

impl Sink for Recorder {
    fn opened(&mut self, at: &At<'_>, _: &mut Ledger) -> Option<Token> {
        self.opened.push(at.endpoints());
        (self.policy == Policy::Flows).then(|| self.contact())
    }

    fn present(&mut self, _: &At<'_>, _: &mut Ledger) {}

    fn seen(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, follow: &mut Option<Token>, _: &mut Ledger) {
        let name = |n: &Option<&Name>| n.map_or("-", |n| n.as_str()).to_owned();
        let what = match seen {
            Seen::Dns(m, kind) => {
                let kind = match kind {
                    DnsKind::Query => "query",
                    DnsKind::Answer => "answer",
                    DnsKind::Unsolicited => "unsolicited",
                    DnsKind::Early => "early",
                };
                format!("dns {kind} {}", m.questions.first().map_or("-", |q| m.name(q.name).as_str()))
            }
            Seen::Tls { name: n, .. } => format!("tls {}", name(n)),
            Seen::Quic { name: n, .. } => format!("quic {}", name(n)),
            Seen::Http(HttpSeen { hosts, connect, path, .. }) => {
                let hosts: Vec<&str> = hosts.iter().map(Name::as_str).collect();
                match connect {
                    Some(target) => format!("connect {}", target.as_str()),
                    None => format!("http {} {}", hosts.join("+"), String::from_utf8_lossy(path)),
                }
            }
            Seen::Certificate { names } => {
                let names: Vec<&str> = names.iter().map(Name::as_str).collect();
                format!("certificate {}", names.join("+"))
            }
            Seen::Socks { name: n, addr } => match addr {
                Some(addr) => format!("socks {addr}"),
                None => format!("socks {}", name(n)),
            },
            Seen::Host { name, told } => format!("host {} {name}", told.as_str()),
            Seen::Unrecognised => "?".to_owned(),
        };
        if self.policy == Policy::Names && !matches!(seen, Seen::Dns(..) | Seen::Unrecognised) {
            let host = match seen {
                Seen::Http(h) => h.hosts.first().map(|n| n.as_str().to_owned()),
                _ => None,
            };
            if follow.is_none() || self.host.is_some() && self.host != host {
                *follow = Some(self.contact());
            }
            self.host = host;
        }
        let e = at.endpoints();
        let notes = notes.words().collect();
        self.told.push(Told { frame: at.frame.number, what, notes, client: (e.client, e.cport) });
    }

    fn progress(&mut self, _: &At<'_>, token: Token, progress: &Progress, _: &mut Ledger) {
        let c = &mut self.contacts[token.0 as usize];
        assert!(!c.closed, "progress of a contact that was closed");
        c.stages.extend(progress.stage);
        c.notes.extend(progress.notes.words());
        c.up += progress.to_server;
        c.down += progress.from_server;
    }

    fn closed(&mut self, token: Token, _: &mut Ledger) {
        self.contacts[token.0 as usize].closed = true;
    }
}

/// A client's end and a server's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conn {
    pub(super) client: (Addr, u16),
    pub(super) server: (Addr, u16),
    /// Sequence numbers of the SYNs.
    pub(super) isn: (u32, u32),
    /// Payload bytes sent so far by either.
    pub(super) sent: (u32, u32),
}

pub(super) const CLIENT: Addr = Addr::v4([10, 0, 0, 5]);
pub(super) const SERVER: Addr = Addr::v4([192, 0, 2, 7]);

impl Conn {
    pub(super) fn new(cport: u16, sport: u16) -> Self {
        Conn { client: (CLIENT, cport), server: (SERVER, sport), isn: (1000, 77_000), sent: (0, 0) }
    }

    pub(super) fn isn(self, client: u32, server: u32) -> Self {
        Conn { isn: (client, server), ..self }
    }
}

/// An engine with its ledger, clock and frame count.
pub(super) struct Lab {
    pub(super) engine: Engine<Recorder>,
    pub(super) ledger: Ledger,
    pub(super) frame: u64,
    pub(super) now: Timestamp,
    /// Bytes of each payload that the capture lacks.
    pub(super) snap: usize,
}

impl Lab {
    pub(super) fn new(policy: Policy) -> Self {
        Lab::with_limits(policy, Limits::default())
    }

    pub(super) fn with_limits(policy: Policy, limits: Limits) -> Self {
        Lab {
            engine: Engine::new(Recorder::new(policy), limits),
            ledger: Ledger::new(),
            frame: 0,
            now: Timestamp(1_700_000_000 * SECOND),
            snap: usize::MAX,
        }
    }

    pub(super) fn wait(&mut self, millis: i64) {
        self.now = self.now.plus(millis * SECOND / 1000);
    }

    /// Sends any segment.
    pub(super) fn packet(&mut self, packet: &Packet, payload: &[u8]) {
        let kept = &payload[..payload.len().min(self.snap)];
        let packet = Packet {
            ts: self.now,
            payload_len: u32::try_from(kept.len()).unwrap(),
            payload_missing: u32::try_from(payload.len() - kept.len()).unwrap(),
            ..*packet
        };
        self.frame += 1;
        let frame = FrameRef { bytes: &[], orig_len: 0, number: self.frame, offset: 0, source: 0, interface: 0 };
        self.engine.segment(&packet, 0, (0, 0), &mut self.ledger, || (kept, frame));
        self.wait(1);
    }

    /// A segment from the client whose payload begins at `at` of its stream,
    /// acknowledging all that the server sent.
    pub(super) fn client_at(&mut self, c: &Conn, at: u32, flags: u8, payload: &[u8]) {
        let syn = u32::from(flags & SYN == 0);
        let seq = c.isn.0.wrapping_add(syn).wrapping_add(at);
        let ack = if flags & ACK != 0 { c.isn.1.wrapping_add(1).wrapping_add(c.sent.1) } else { 0 };
        let p = packet(Transport::Tcp, c.client, c.server);
        self.packet(&Packet { flags, seq, ack, ..p }, payload);
    }

    /// The same from the server.
    pub(super) fn server_at(&mut self, c: &Conn, at: u32, flags: u8, payload: &[u8]) {
        let syn = u32::from(flags & SYN == 0);
        let seq = c.isn.1.wrapping_add(syn).wrapping_add(at);
        let ack = if flags & ACK != 0 { c.isn.0.wrapping_add(1).wrapping_add(c.sent.0) } else { 0 };
        let p = packet(Transport::Tcp, c.server, c.client);
        self.packet(&Packet { flags, seq, ack, ..p }, payload);
    }

    pub(super) fn syn(&mut self, c: &Conn) {
        self.client_at(c, 0, SYN, b"");
    }

    pub(super) fn syn_ack(&mut self, c: &Conn) {
        self.server_at(c, 0, SYN | ACK, b"");
    }

    /// The three segments that open a connection.
    pub(super) fn open(&mut self, c: &Conn) {
        self.syn(c);
        self.syn_ack(c);
        self.client_at(c, 0, ACK, b"");
    }

    /// The client sends in order.
    pub(super) fn client(&mut self, c: &mut Conn, payload: &[u8]) {
        self.client_at(c, c.sent.0, ACK, payload);
        c.sent.0 = c.sent.0.wrapping_add(u32::try_from(payload.len()).unwrap());
    }

    /// The server sends in order.
    pub(super) fn server(&mut self, c: &mut Conn, payload: &[u8]) {
        self.server_at(c, c.sent.1, ACK, payload);
        c.sent.1 = c.sent.1.wrapping_add(u32::try_from(payload.len()).unwrap());
    }

    /// The client acknowledges.
    pub(super) fn ack(&mut self, c: &Conn) {
        self.client_at(c, c.sent.0, ACK, b"");
    }

    /// Both end the connection.
    pub(super) fn close(&mut self, c: &Conn) {
        self.client_at(c, c.sent.0, FIN | ACK, b"");
        self.server_at(c, c.sent.1, FIN | ACK, b"");
        let c = Conn { sent: (c.sent.0 + 1, c.sent.1 + 1), ..*c };
        self.ack(&c);
    }

    /// A whole opening and the client's first bytes.
    pub(super) fn say(&mut self, c: &mut Conn, payload: &[u8]) {
        self.open(c);
        self.client(c, payload);
    }

    /// The server resets.
    pub(super) fn server_reset(&mut self, c: &Conn) {
        self.server_at(c, c.sent.1, RST | ACK, b"");
    }

    /// A datagram.
    pub(super) fn udp(&mut self, from: (Addr, u16), to: (Addr, u16), payload: &[u8]) {
        self.packet(&packet(Transport::Udp, from, to), payload);
    }

    pub(super) fn told(&mut self) -> Vec<String> {
        self.engine.sink().told.iter().map(|t| t.what.clone()).collect()
    }

    /// The last message told, with its notes.
    pub(super) fn last(&mut self) -> Told {
        self.engine.sink().told.last().unwrap().clone()
    }

    pub(super) fn contact(&mut self, i: usize) -> Contact {
        self.engine.sink().contacts[i].clone()
    }

    /// The stage that a contact reached.
    pub(super) fn stage(&mut self, i: usize) -> Stage {
        self.engine.sink().contacts[i].stages.last().copied().unwrap_or(Stage::Attempted)
    }

    pub(super) fn count(&mut self, counter: Counter) -> u64 {
        self.ledger.total().get(counter)
    }

    /// Ends every flow, and checks that nothing is left behind.
    pub(super) fn finish(mut self) -> Recorder {
        let sink = self.engine.finish(&mut self.ledger);
        assert!(sink.contacts.iter().all(|c| c.closed) || sink.policy == Policy::Names, "contacts left open");
        sink
    }
}

pub(super) fn packet(transport: Transport, from: (Addr, u16), to: (Addr, u16)) -> Packet {
    Packet { src: from.0, dst: to.0, sport: from.1, dport: to.1, transport, ..blank() }
}

/// A ClientHello record for a name.
pub(super) fn hello(name: &str) -> Vec<u8> {
    sample::record(22, &sample::hello(Some(&sample::server_name(name.as_bytes()))))
}

/// A ClientHello record for a name behind an extension of so many bytes.
pub(super) fn long_hello(name: &str, padding: usize) -> Vec<u8> {
    let padding = sample::extension(21, &vec![0; padding]);
    sample::record(22, &sample::hello(Some(&[padding, sample::server_name(name.as_bytes())].concat())))
}

/// A ServerHello record; the version in its extension if it is TLS 1.3.
pub(super) fn server_hello(version: u16, retry: bool) -> Vec<u8> {
    let random = if retry {
        sample::hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    } else {
        vec![9; 32]
    };
    let mut body = [&[3, 3][..], &random, &[0, 0x13, 0x01, 0]].concat();
    if version >= 0x0304 {
        body.extend(sample::vec16(&sample::extension(43, &version.to_be_bytes())));
    }
    sample::record(22, &sample::message(2, &body))
}

/// An encrypted record of so many bytes.
pub(super) fn sealed(len: usize) -> Vec<u8> {
    sample::record(23, &vec![0xee; len])
}

/// A DNS message: the question, and in a response an address.
pub(super) fn dns(id: u16, name: &str, response: bool) -> Vec<u8> {
    let mut m = id.to_be_bytes().to_vec();
    m.extend(if response { [0x81, 0x80] } else { [1, 0] });
    m.extend([0, 1, 0, u8::from(response), 0, 0, 0, 0]);
    for label in name.split('.') {
        m.push(u8::try_from(label.len()).unwrap());
        m.extend(label.bytes());
    }
    m.extend([0, 0, 1, 0, 1]);
    if response {
        m.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    }
    m
}
