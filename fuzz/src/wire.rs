//! Frames made of what a fuzzer says, and names found in them.

use spansight::base::{Name, Stage, Timestamp};
use spansight::capture::LinkType;
use spansight::coverage::{Key, Ledger};
use spansight::flow::{At, DnsKind, Engine, FrameRef, HttpSeen, Limits, Note, Notes, Progress, Seen, Sink, Token};
use spansight::packet::{Decoder, Options};

/// Reads a fuzzer's bytes from the front; zeros when they are used up.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from(self.u8()) << 8 | u16::from(self.u8())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// Up to `n` bytes.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }
}

/// A TCP segment or UDP datagram of the client 10.0.0.`host` or its server.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub udp: bool,
    pub from_server: bool,
    pub host: u8,
    pub cport: u16,
    pub sport: u16,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub payload: Vec<u8>,
}

impl Segment {
    /// As an Ethernet frame (IPv4, checksums left zero).
    pub fn frame(&self) -> Vec<u8> {
        let (client, server) = ([10, 0, 0, self.host], [192, 0, 2, 1]);
        let (src, dst) = if self.from_server { (server, client) } else { (client, server) };
        let (sport, dport) = if self.from_server { (self.sport, self.cport) } else { (self.cport, self.sport) };
        let mut l4 = Vec::new();
        l4.extend_from_slice(&sport.to_be_bytes());
        l4.extend_from_slice(&dport.to_be_bytes());
        if self.udp {
            l4.extend_from_slice(&(self.payload.len() as u16).wrapping_add(8).to_be_bytes());
            l4.extend_from_slice(&[0, 0]);
        } else {
            l4.extend_from_slice(&self.seq.to_be_bytes());
            l4.extend_from_slice(&self.ack.to_be_bytes());
            l4.extend_from_slice(&[0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        }
        l4.extend_from_slice(&self.payload);
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        let total = (l4.len() as u16).wrapping_add(20);
        frame.extend_from_slice(&[0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0x40, 0, 64]);
        frame.extend_from_slice(&[if self.udp { 17 } else { 6 }, 0, 0]);
        frame.extend_from_slice(&src);
        frame.extend_from_slice(&dst);
        frame.extend_from_slice(&l4);
        frame
    }
}

/// Something that was said.
#[derive(Debug)]
pub struct Told {
    pub what: String,
    /// How far the flow got that said it.
    pub stage: Option<Stage>,
    /// It was found somewhere in a stream whose beginning was not understood.
    pub late: bool,
}

/// Writes down what an engine tells, and checks that it makes sense.
#[derive(Debug, Default)]
struct Teller {
    told: Vec<Told>,
    /// Contacts that were closed, by token.
    closed: Vec<bool>,
    /// What each token stands for in `told`.
    tokens: Vec<usize>,
}

impl Sink for Teller {
    fn opened(&mut self, _: &At<'_>, _: &mut Ledger) -> Option<Token> {
        None
    }

    fn present(&mut self, _: &At<'_>, _: &mut Ledger) {}

    fn seen(&mut self, _: &At<'_>, seen: &Seen<'_>, notes: Notes, follow: &mut Option<Token>, _: &mut Ledger) {
        let text = |n: &Option<&Name>| n.map_or("-", |n| n.as_str()).to_owned();
        let join = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join("+");
        let late = notes.has(Note::MidStream);
        let what = match seen {
            Seen::Dns(_, DnsKind::Early) | Seen::Unrecognised => return,
            Seen::Dns(m, _) => {
                let names: Vec<_> = m.questions.iter().map(|q| m.name(q.name).as_str()).collect();
                self.told.push(Told { what: format!("dns {} {names:?}", m.response), stage: None, late });
                return;
            }
            Seen::Tls { name, .. } => format!("tls {}", text(name)),
            Seen::Quic { name, .. } => format!("quic {}", text(name)),
            Seen::Http(HttpSeen { hosts, connect: None, .. }) => format!("http {}", join(hosts)),
            Seen::Http(HttpSeen { connect: Some(target), .. }) => format!("connect {}", target.as_str()),
            Seen::Certificate { names } => format!("certificate {}", join(names)),
            Seen::Socks { name, addr } => format!("socks {} {addr:?}", text(name)),
            Seen::Host { name, told } => format!("host {} {name}", told.as_str()),
        };
        assert!(what.bytes().all(|b| (b' '..=b'~').contains(&b)), "names are printable ASCII");
        // A further request for the same host belongs to the contact before.
        let again = follow.and_then(|t| self.tokens.get(t.0 as usize)).is_some_and(|at| self.told[*at].what == what);
        if !again {
            *follow = Some(Token(self.tokens.len() as u32));
            self.tokens.push(self.told.len());
            self.closed.push(false);
        }
        self.told.push(Told { what, stage: None, late });
    }

    fn progress(&mut self, _: &At<'_>, token: Token, progress: &Progress, _: &mut Ledger) {
        let contact = token.0 as usize;
        assert!(!self.closed[contact], "nothing moves on after its end");
        if let Some(stage) = progress.stage {
            let reached = &mut self.told[self.tokens[contact]].stage;
            assert!(reached.is_none_or(|r| r <= stage), "a stage only rises");
            *reached = Some(stage);
        }
    }

    fn closed(&mut self, token: Token, _: &mut Ledger) {
        let closed = &mut self.closed[token.0 as usize];
        assert!(!*closed, "nothing ends twice");
        *closed = true;
    }
}

/// What an engine tells of frames a millisecond apart.
pub fn told(frames: &[Vec<u8>]) -> Vec<Told> {
    let mut engine = Engine::new(Teller::default(), Limits::default());
    let mut decoder = Decoder::new(Options::default());
    let mut ledger = Ledger::new();
    for (n, bytes) in frames.iter().enumerate() {
        let ts = Timestamp(1_700_000_000_000_000_000 + n as i64 * 1_000_000);
        ledger.turn_to(Key { source: 0, interface: 0, quarter: ts.quarter() });
        decoder.clear_arena();
        let Ok(packet) = decoder.decode(LinkType(1), bytes, bytes.len() as u32, 0, ts) else { continue };
        let buffer = if packet.in_arena { decoder.arena() } else { bytes.as_slice() };
        let payload = payload(&packet, buffer);
        let frame =
            FrameRef { bytes, orig_len: bytes.len() as u32, number: n as u64 + 1, offset: 0, source: 0, interface: 0 };
        engine.segment(&packet, 0, (frame.source, frame.interface), &mut ledger, || (payload, frame));
    }
    engine.finish(&mut ledger).told
}

/// A packet's payload in the buffer it lies in.
pub fn payload<'b>(packet: &spansight::packet::Packet, buffer: &'b [u8]) -> &'b [u8] {
    let start = packet.payload_offset as usize;
    buffer.get(start..start + packet.payload_len as usize).expect("the payload lies within its buffer")
}
