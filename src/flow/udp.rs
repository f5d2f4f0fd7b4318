//! One UDP flow: QUIC, DNS on an unusual port, or just a contact.

use super::dns::Dns;
use super::engine::{Budget, Scratch};
use super::events::{At, Note, Notes, Progress, Seen, Sink, Token};
use super::quic::{Head, Outcome};
use super::table::Entry;
use crate::base::time::SECOND;
use crate::base::{Stage, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::protocol::quic::{self, Kind};

/// Short-header bytes from a QUIC server that make a transfer.
const TRANSFER: u64 = 8 << 10;

/// What the flow turned out to be.
enum Speech {
    /// Nothing was said yet.
    Silent,
    /// QUIC whose Initial packets are being read.
    Quic(Box<Head>),
    /// QUIC whose ClientHello was read.
    QuicDone,
    /// DNS.
    Dns,
    /// Something else.
    Other,
}

/// The progress of one followed UDP contact.
struct Follow {
    token: Token,
    stage: Stage,
    short_bytes: u64,
}

/// The state of a flow.
pub(super) struct Udp {
    last: Timestamp,
    quarter: i64,
    client_low: bool,
    client_spoke: bool,
    speech: Speech,
    /// Payload bytes of client and server before it was known whether the flow
    /// is to be followed: a ClientHello can take several datagrams.
    before: (u32, u32),
    follow: Option<Box<Follow>>,
}

impl Entry for Udp {
    fn last(&self) -> Timestamp {
        self.last
    }

    fn patience(&self) -> i64 {
        if self.client_spoke && matches!(self.speech, Speech::QuicDone) { 120 * SECOND } else { 60 * SECOND }
    }
}

/// Whether the sender of a flow's first datagram is the client: unless it
/// sends from a well-known port to one that is not.
pub(super) fn sender_is_client(at: &At<'_>) -> bool {
    let p = at.packet;
    !(p.sport < 1024 && p.dport >= 1024)
}

/// Multicast DNS, LLMNR and NetBIOS have the form of DNS and name hosts of the
/// LAN, not contacts. Only as a guess: these ports are clients' ports too.
fn is_local_naming(at: &At<'_>) -> bool {
    [at.packet.sport, at.packet.dport].iter().any(|port| matches!(port, 5353 | 5355 | 137))
}

/// Payload bytes of a datagram, those cut off by the capture included.
fn size(at: &At<'_>) -> u64 {
    u64::from(at.packet.payload_len).saturating_add(u64::from(at.packet.payload_missing))
}

impl Udp {
    pub(super) fn new(at: &At<'_>, sender_is_low: bool) -> Self {
        Udp {
            last: at.packet.ts,
            quarter: at.packet.ts.quarter(),
            client_low: sender_is_low == at.from_client,
            client_spoke: false,
            speech: Speech::Silent,
            before: (0, 0),
            follow: None,
        }
    }

    #[inline]
    pub(super) fn is_client(&self, sender_is_low: bool) -> bool {
        self.client_low == sender_is_low
    }

    pub(super) fn follow_from_start(&mut self, token: Token) {
        self.follow = Some(Box::new(Follow { token, stage: Stage::Attempted, short_bytes: 0 }));
    }

    /// Takes a datagram.
    pub(super) fn datagram<S: Sink>(
        &mut self,
        at: &At<'_>,
        sink: &mut S,
        ledger: &mut Ledger,
        dns: &mut Dns,
        budget: &mut Budget,
        scratch: &mut Scratch,
    ) {
        let p = at.packet;
        if p.ts > self.last {
            self.last = p.ts;
        }
        if p.ts.quarter() != self.quarter {
            self.quarter = p.ts.quarter();
            sink.present(at, ledger);
        }
        self.look(at, sink, ledger, dns, budget, scratch);
        if self.follow.is_some() {
            self.advance(at, sink, ledger);
        } else if matches!(self.speech, Speech::Silent | Speech::Quic(_)) {
            let sum = if at.from_client { &mut self.before.0 } else { &mut self.before.1 };
            *sum = sum.saturating_add(u32::try_from(size(at)).unwrap_or(u32::MAX));
        }
        if at.from_client && !at.payload.is_empty() {
            self.client_spoke = true;
        }
    }

    fn look<S: Sink>(
        &mut self,
        at: &At<'_>,
        sink: &mut S,
        ledger: &mut Ledger,
        dns: &mut Dns,
        budget: &mut Budget,
        scratch: &mut Scratch,
    ) {
        let outcome = match &mut self.speech {
            Speech::QuicDone | Speech::Other => return,
            Speech::Dns => {
                dns.guess(at.payload, at, sink, ledger);
                return;
            }
            Speech::Silent => {
                if !is_local_naming(at) && dns.guess(at.payload, at, sink, ledger) {
                    self.speech = Speech::Dns;
                    return;
                }
                // A long header (RFC 8999 section 5.1).
                if !at.payload.first().is_some_and(|b| b & 0x80 != 0) {
                    if at.from_client && !at.payload.is_empty() {
                        self.speech = Speech::Other;
                        self.tell(at, &Seen::Unrecognised, Notes::NONE, sink, ledger);
                    }
                    return;
                }
                let mut head = Box::new(Head::default());
                let outcome = head.datagram(at.payload, budget, scratch, ledger);
                if head.opened() && !at.from_client {
                    self.client_low = !self.client_low; // only a client's Initial opens
                }
                self.speech = Speech::Quic(head);
                outcome
            }
            Speech::Quic(head) => {
                if head.opened() && !at.from_client {
                    return;
                }
                let outcome = head.datagram(at.payload, budget, scratch, ledger);
                if head.opened() && !at.from_client {
                    self.client_low = !self.client_low;
                }
                outcome
            }
        };
        match outcome {
            Outcome::Nothing => {}
            Outcome::Never => {
                self.speech = Speech::Other;
                self.tell(at, &Seen::Unrecognised, Notes::NONE, sink, ledger);
            }
            Outcome::Hello { named, ech } => {
                self.speech = Speech::QuicDone;
                ledger.count(Counter::TlsHellos);
                if !named {
                    ledger.count(Counter::TlsNoName);
                }
                if ech {
                    ledger.count(Counter::EchOffered);
                }
                let at = At { from_client: true, ..*at };
                let name = std::mem::take(&mut scratch.name);
                self.tell(&at, &Seen::Quic { name: named.then_some(&name), ech }, Notes::NONE, sink, ledger);
                scratch.name = name;
            }
        }
    }

    fn tell<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, sink: &mut S, ledger: &mut Ledger) {
        let mut token = self.follow.as_ref().map(|f| f.token);
        sink.seen(at, seen, notes, &mut token, ledger);
        match (token, &mut self.follow) {
            (Some(t), Some(f)) => f.token = t,
            (Some(t), None) => self.follow_from_start(t),
            (None, f) => *f = None,
        }
    }

    fn advance<S: Sink>(&mut self, at: &At<'_>, sink: &mut S, ledger: &mut Ledger) {
        let Some(f) = self.follow.as_mut() else { return };
        let size = size(at);
        let before = std::mem::take(&mut self.before);
        let mut progress = Progress { to_server: before.0.into(), from_server: before.1.into(), ..Progress::default() };
        if at.from_client {
            progress.to_server = progress.to_server.saturating_add(size);
        } else {
            progress.from_server = progress.from_server.saturating_add(size);
            let stage = match self.speech {
                Speech::QuicDone | Speech::Quic(_) => match quic::long_packet(at.payload) {
                    Ok((long, _)) if matches!(long.kind, Kind::Initial | Kind::Handshake) => Stage::Connected,
                    Err(quic::Stop::End) if at.payload.first().is_some_and(|b| b & 0x80 == 0) => {
                        f.short_bytes = f.short_bytes.saturating_add(size);
                        if f.short_bytes > TRANSFER { Stage::Transferred } else { f.stage }
                    }
                    _ => f.stage,
                },
                Speech::Other | Speech::Silent | Speech::Dns if self.client_spoke && size > 0 => Stage::Connected,
                Speech::Other | Speech::Silent | Speech::Dns => f.stage,
            };
            if stage > f.stage {
                progress.notes =
                    progress.notes.with_if(stage == Stage::Transferred && f.stage < Stage::Connected, Note::MidStream);
                f.stage = stage;
                progress.stage = Some(stage);
            }
        }
        if !progress.is_empty() {
            sink.progress(at, f.token, &progress, ledger);
        }
    }

    /// The flow ended or is forgotten.
    pub(super) fn close<S: Sink>(self, sink: &mut S, ledger: &mut Ledger) {
        if let Speech::Quic(head) = &self.speech
            && head.opened()
        {
            ledger.count(Counter::QuicHellosIncomplete);
        }
        if let Some(f) = self.follow {
            sink.closed(f.token, ledger);
        }
    }
}
