//! One UDP flow: QUIC, DTLS, DNS on an unusual port, or just a contact.

use super::dns::Dns;
use super::dtls;
use super::duplicates::Reasons;
use super::engine::Scratch;
use super::events::{At, Note, Notes, Progress, Seen, Sink, Token};
use super::opaque;
use super::quic::{FIRST_DATAGRAM, Head, Hello, Outcome};
use super::table::Entry;
use crate::base::time::SECOND;
use crate::base::{Budget, Stage, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::protocol::dtls::{Says, begins_client_hello, rdp_payload, says};
use crate::protocol::quic::{self, Kind, Stop};
use crate::protocol::{Probe, tls};

/// Short-header bytes from a QUIC server that make a transfer.
const TRANSFER: u64 = 8 << 10;
/// Bytes from a DTLS server after its client's first data that make a transfer.
const DTLS_TRANSFER: u64 = 2048;
/// Datagrams of a flow that are searched for DNS, or TLS inside RDP.
const DNS_TRIES: u8 = 16;
/// Packets that may fail to open before the flow counts as something else than
/// QUIC, until one opens.
const MAX_DOUBTFUL: u8 = 4;
/// Packets that may fail to open before the flow rests for a second. So many
/// make a doubt of what was left closed, even where they are all that there is.
const MAX_FAILURES: u8 = 16;
/// The same name again within this time is the same connection, after a Retry.
const SAME_CONNECTION: i64 = 2 * SECOND;
/// In place of [`Udp::server_id`]: the client has used it.
const PROVED: u32 = 1;

/// What the flow turned out to be.
enum Speech {
    /// Nothing was said yet.
    Silent,
    /// QUIC whose Initial packets are being read: no ClientHello was told yet, or
    /// another one may follow until the handshake goes on.
    Quic(Box<Head>),
    /// QUIC whose ClientHello was read, and the hash of the connection id that
    /// its keys came from. Another connection may follow on the same ports.
    QuicDone { id: u64 },
    /// DTLS whose ClientHello is being put together.
    Dtls(Box<dtls::Head>),
    /// DTLS whose ClientHello was read. Another association may follow.
    DtlsDone,
    /// DNS.
    Dns,
    /// Something else, perhaps only so far.
    Other,
}

/// The progress of one followed UDP contact.
struct Follow {
    token: Token,
    stage: Stage,
    short_bytes: u64,
    /// The client sent data through an association.
    asked: bool,
}

impl Follow {
    fn new(token: Token) -> Box<Self> {
        Box::new(Follow { token, stage: Stage::Attempted, short_bytes: 0, asked: false })
    }
}

/// The state of a flow.
pub(super) struct Udp {
    last: Timestamp,
    quarter: i64,
    client_low: bool,
    opened: bool,
    client_spoke: bool,
    told: bool,
    listed: bool,
    sampled: bool,
    dns_tries: u8,
    failures: u8,
    /// The second in which the failures were.
    failed_at: i64,
    /// Hash of the last server name that was told, and when.
    named: Option<(u64, Timestamp)>,
    held: u32,
    /// Hash of the connection id that a QUIC server chose for itself; 0 before it
    /// did.
    server_id: u32,
    speech: Speech,
    /// Payload bytes of client and server before it was known whether the flow
    /// is to be followed: a ClientHello can take several datagrams.
    before: (u32, u32),
    follow: Option<Box<Follow>>,
}

impl Entry for Udp {
    fn patience(&self) -> i64 {
        if self.is_known() && !matches!(self.speech, Speech::Dns) { 120 * SECOND } else { 60 * SECOND }
    }
}

/// What a flow needs of its engine while it takes a datagram.
pub(super) struct Context<'e, S> {
    pub(super) sink: &'e mut S,
    pub(super) ledger: &'e mut Ledger,
    pub(super) scratch: &'e mut Scratch,
    pub(super) dns: &'e mut Dns,
    pub(super) budget: &'e mut Budget,
}

/// Whether the sender of a flow's first datagram is the client: unless it
/// sends from a well-known port to one that is not.
fn sender_is_client(at: &At<'_>) -> bool {
    let p = at.packet;
    !(p.sport < 1024 && p.dport >= 1024)
}

/// Multicast DNS, LLMNR and NetBIOS have the form of DNS and name hosts of the
/// LAN, not contacts. Only as a guess: these ports are clients' ports too.
fn is_local_naming(at: &At<'_>) -> bool {
    [at.packet.sport, at.packet.dport].iter().any(|port| matches!(port, 5353 | 5355 | 137))
}

/// Whether a datagram has a QUIC Handshake packet (RFC 9000 section 17.2.4), with
/// which its sender says that it has keys: nobody asks for another ClientHello.
fn has_handshake(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let Ok((packet, after)) = quic::long_packet(rest) {
        if packet.kind == Kind::Handshake {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether a datagram has a long header of a known QUIC version, or could have
/// one of another (RFC 8999 section 5.1): a look at five bytes.
#[inline]
fn may_be_quic(payload: &[u8]) -> bool {
    matches!(payload, [first, a, b, c, d, ..] if first & 0x80 != 0
        && (quic::Version::from_number(u32::from_be_bytes([*a, *b, *c, *d])).is_some() || first & 0x40 != 0))
}

impl Udp {
    /// A flow that begins with this datagram.
    pub(super) fn new(at: &At<'_>, sender_is_low: bool) -> Self {
        Udp {
            last: at.packet.ts,
            quarter: i64::MIN,
            client_low: sender_is_low == sender_is_client(at),
            opened: false,
            client_spoke: false,
            told: false,
            listed: false,
            sampled: false,
            dns_tries: DNS_TRIES,
            failures: 0,
            failed_at: i64::MIN,
            named: None,
            held: 0,
            server_id: 0,
            speech: Speech::Silent,
            before: (0, 0),
            follow: None,
        }
    }

    /// Every frame of the flow is to be compared with its copies.
    pub(super) fn sample(&mut self) {
        self.sampled = true;
    }

    /// Why a datagram is to be compared with its copies, if it is.
    #[inline]
    pub(super) fn reason(&self, payload: &[u8]) -> Reasons {
        let sampled = if self.sampled { Reasons::SAMPLED } else { Reasons::NONE };
        let followed = if self.follow.is_some() { Reasons::FOLLOWED } else { Reasons::NONE };
        let read = match &self.speech {
            Speech::Quic(head) if !head.has_begun() && head.is_told() => may_be_quic(payload),
            Speech::Silent | Speech::Quic(_) | Speech::Dtls(_) | Speech::Dns => true,
            Speech::Other => self.dns_tries > 0 || may_be_quic(payload) || begins_client_hello(payload),
            Speech::QuicDone { .. } => may_be_quic(payload),
            Speech::DtlsDone => begins_client_hello(payload),
        };
        let decoded = if read { Reasons::DECODED } else { Reasons::NONE };
        decoded | followed | sampled
    }

    /// Takes a datagram, whose direction is found here.
    #[inline]
    pub(super) fn datagram<S: Sink>(&mut self, mut at: At<'_>, from_low: bool, cx: &mut Context<'_, S>) {
        let p = at.packet;
        at.from_client = self.client_low == from_low;
        if p.ts > self.last {
            self.last = p.ts;
        }
        if p.ts.quarter() != self.quarter {
            self.quarter = p.ts.quarter();
            cx.sink.present(&at, cx.ledger);
            if self.server_id == PROVED {
                cx.sink.proved(&at, cx.ledger);
            }
        }
        // What only a server sent shows no contact: nobody may have asked.
        if at.from_client && !self.opened {
            self.opened = true;
            self.follow = cx.sink.opened(&at, cx.ledger).map(Follow::new);
        }
        if !at.payload.is_empty() {
            self.look(&mut at, from_low, cx);
        }
        if self.follow.is_some() {
            self.advance(&at, cx);
        } else if matches!(self.speech, Speech::Silent | Speech::Quic(_) | Speech::Dtls(_)) {
            let sum = if at.from_client { &mut self.before.0 } else { &mut self.before.1 };
            *sum = sum.saturating_add(p.payload_len).saturating_add(p.payload_missing);
        } else {
            self.before = (0, 0);
        }
        if at.from_client && p.payload_len > 0 {
            self.client_spoke = true;
        }
    }

    /// Whether a message of a known protocol was read.
    pub(super) fn is_known(&self) -> bool {
        match &self.speech {
            Speech::QuicDone { .. } | Speech::DtlsDone | Speech::Dns => true,
            Speech::Quic(head) => head.is_told(),
            _ => false,
        }
    }

    /// The client is known at another place now: the sink, which did not follow
    /// the flow, may know more of that.
    pub(super) fn open_there<S: Sink>(&mut self, mut at: At<'_>, from_low: bool, cx: &mut Context<'_, S>) {
        at.from_client = self.client_low == from_low;
        if at.from_client && self.opened && !self.told && self.follow.is_none() {
            self.follow = cx.sink.opened(&at, cx.ledger).map(Follow::new);
        }
    }

    #[inline]
    fn look<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) {
        if begins_client_hello(at.payload) && self.dtls_hello(at, from_low, cx) {
            return;
        }
        if may_be_quic(at.payload) && self.look_for_quic(at, from_low, cx) {
            return;
        }
        match self.speech {
            Speech::QuicDone { .. } | Speech::Quic(_) | Speech::Dtls(_) | Speech::DtlsDone => {}
            Speech::Dns => {
                cx.dns.guess(at.payload, at, cx.sink, cx.ledger);
            }
            Speech::Silent | Speech::Other => {
                if self.dns_tries > 0 {
                    self.dns_tries = self.dns_tries.saturating_sub(1);
                    if self.hello_in_rdp(at, from_low, cx) {
                        return;
                    }
                    if !is_local_naming(at) && cx.dns.guess(at.payload, at, cx.sink, cx.ledger) {
                        self.speech = Speech::Dns;
                        return;
                    }
                }
                opaque::count(at, cx.ledger);
                self.is_other(at, cx);
            }
        }
    }

    fn is_other<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if at.from_client {
            self.speech = Speech::Other;
            if !self.told {
                self.told = true;
                self.tell(at, &Seen::Unrecognised, Notes::NONE, cx);
            }
        }
    }

    /// Reads the Initial packets of a datagram; false if it is no QUIC.
    fn look_for_quic<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        let ts = at.packet.ts;
        let initial = match quic::long_packet(at.payload) {
            Ok((packet, _)) => {
                if packet.kind == Kind::Initial && !packet.complete && at.packet.payload_missing > 0 {
                    cx.ledger.count(Counter::QuicCut);
                }
                self.prove(at, &packet, cx);
                packet.kind == Kind::Initial && packet.complete
            }
            Err(Stop::UnknownVersion(_)) if opaque::is_esp_in_udp(at) => return false,
            Err(Stop::UnknownVersion(_)) if !matches!(self.speech, Speech::Dns) => {
                cx.ledger.count(Counter::QuicVersionUnknown);
                if matches!(self.speech, Speech::Silent) && at.from_client {
                    self.speech = Speech::Other;
                }
                return true;
            }
            Err(_) => return false,
        };
        if let Speech::QuicDone { id } = self.speech
            && (!at.from_client
                || at.payload.len() < FIRST_DATAGRAM
                || cx.scratch.hash_of_first_id(at.payload) == Some(id))
        {
            return true;
        }
        if self.failures >= MAX_FAILURES {
            if self.failed_at == ts.secs() {
                if initial {
                    cx.ledger.count(Counter::QuicInitials);
                    cx.ledger.count(Counter::QuicBudget);
                }
                return true;
            }
            // A few more tries a second: garbage must not hide what follows it.
            self.failures = MAX_FAILURES.saturating_sub(MAX_DOUBTFUL);
        }
        let mut head = match std::mem::replace(&mut self.speech, Speech::Other) {
            Speech::Quic(head) => head,
            before => {
                let mut head = Box::new(Head::default());
                head.came(from_low);
                let outcome = head.datagram(at.payload, from_low, cx.budget, cx.scratch, cx.ledger);
                self.after(outcome, head, Some(before), at, from_low, cx);
                return true;
            }
        };
        if initial {
            head.came(from_low);
        }
        let goes_on = at.from_client && head.opened() && has_handshake(at.payload);
        let leaves = head.opened() && !at.from_client || head.leaves_closed(at.payload, from_low);
        if leaves || goes_on && head.is_told() && !head.has_begun() {
            cx.ledger.add(Counter::QuicInitials, (goes_on && initial).into());
            self.speech = Speech::Quic(head);
        } else {
            let outcome = head.datagram(at.payload, from_low, cx.budget, cx.scratch, cx.ledger);
            self.after(outcome, head, None, at, from_low, cx);
        }
        if goes_on {
            self.handshake_goes_on(at, cx);
        }
        true
    }

    /// The client goes on with the handshake: no hello follows any more. What is
    /// at hand of one is read as far as it goes.
    #[cold]
    fn handshake_goes_on<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Speech::Quic(head) = &self.speech else { return };
        if head.is_of_another() {
            return; // the one before it may be the one that goes on
        }
        let partial = if head.has_begun() { head.partial(cx.scratch) } else { None };
        if !head.is_told() && partial.is_none() {
            return;
        }
        if head.has_begun() {
            cx.ledger.count(Counter::QuicHellosIncomplete);
        }
        let (id, conflict) = (cx.scratch.hash_id(head.id()), head.conflict());
        self.speech = Speech::QuicDone { id };
        if let Some(hello) = partial {
            self.tell_quic(&hello, conflict, at, cx);
        }
        self.report_held(cx.scratch);
    }

    /// A QUIC client that sends to the connection id that its server chose has
    /// received the server's answer, at the address that it sends from. Some
    /// servers take the id that the client made up; that proves nothing.
    fn prove<S: Sink>(&mut self, at: &At<'_>, packet: &quic::LongPacket<'_>, cx: &mut Context<'_, S>) {
        if self.server_id == PROVED {
            return;
        }
        let first = match &self.speech {
            Speech::QuicDone { id } => Some(*id),
            Speech::Quic(head) => head.told_id().map(|id| cx.scratch.hash_id(id)),
            _ => None,
        };
        let Some(first) = first else { return };
        let id = cx.scratch.hash_id(if at.from_client { packet.dcid } else { packet.scid });
        let short = (id >> 32) as u32 | 2; // neither 0 nor 1
        if !at.from_client {
            self.server_id = if id == first || packet.scid.is_empty() { 0 } else { short };
        } else if self.server_id == short {
            self.server_id = PROVED;
            cx.ledger.count(Counter::Handshakes);
            cx.sink.proved(at, cx.ledger);
        }
    }

    /// Files what a datagram brought. `before` is what the flow was if the
    /// head is new.
    fn after<S: Sink>(
        &mut self,
        outcome: Outcome,
        mut head: Box<Head>,
        before: Option<Speech>,
        at: &mut At<'_>,
        from_low: bool,
        cx: &mut Context<'_, S>,
    ) {
        if head.opened() && !at.from_client {
            // Only a client's Initial opens.
            self.client_low = from_low;
            at.from_client = true;
        }
        match outcome {
            Outcome::Nothing => {
                self.speech = match before {
                    Some(before @ (Speech::QuicDone { .. } | Speech::Dns)) if !head.opened() => before,
                    _ => Speech::Quic(head),
                };
            }
            Outcome::Refused => {
                if !matches!(before, Some(Speech::QuicDone { .. })) && !head.is_told() {
                    cx.ledger.count(Counter::QuicRefused); // else it goes on with keys that were forgotten
                }
                self.failures = self.failures.saturating_add(1);
                self.failed_at = at.packet.ts.secs();
                self.speech = match before {
                    Some(before @ (Speech::QuicDone { .. } | Speech::Dns | Speech::Other)) => before,
                    _ => Speech::Quic(head),
                };
                if self.failures >= MAX_DOUBTFUL && matches!(&self.speech, Speech::Quic(h) if !h.opened()) {
                    self.is_other(at, cx);
                }
            }
            Outcome::NoHello if head.is_told() => {
                self.speech = Speech::QuicDone { id: cx.scratch.hash_id(head.id()) };
            }
            Outcome::NoHello => {
                self.speech = Speech::Other;
                self.is_other(at, cx);
            }
            Outcome::Hello(hello) => {
                let conflict = head.conflict();
                head.tell(&hello);
                self.speech = Speech::Quic(head);
                cx.ledger.add(Counter::QuicHellosIncomplete, hello.lost.into());
                if self.tell_quic(&hello, conflict, at, cx) || hello.another {
                    cx.ledger.count(Counter::TlsHellos);
                }
            }
        }
        self.report_held(cx.scratch);
    }

    /// Tells a ClientHello of QUIC, unless it only repeats: after a Retry the client
    /// sends the same one, and behind a HelloRetryRequest one of the same name.
    /// Whether it was told.
    fn tell_quic<S: Sink>(&mut self, hello: &Hello, conflict: bool, at: &At<'_>, cx: &mut Context<'_, S>) -> bool {
        let Hello { named, ech, stack, .. } = *hello;
        let name = cx.scratch.hash_id(if named { cx.scratch.name.as_bytes() } else { b"" });
        let is_named = |n: u64| n == name || hello.another && !named;
        if let Some((known, when)) = self.named
            && is_named(known)
            && (hello.another || at.packet.ts.since(when).abs() <= SAME_CONNECTION)
        {
            return false;
        }
        self.named = Some((name, at.packet.ts));
        if !named {
            cx.ledger.count(Counter::TlsNoName);
        }
        if ech {
            cx.ledger.count(Counter::EchOffered);
        }
        self.told = true;
        let notes = Notes::NONE
            .with_if(conflict || at.packet.conflict, Note::Conflict)
            .with_if(hello.late, Note::MidStream)
            .with_if(hello.partial, Note::PartialMessage);
        let name = std::mem::take(&mut cx.scratch.name);
        self.tell(at, &Seen::Quic { name: named.then_some(&name), ech, stack }, notes, cx);
        cx.scratch.name = name;
        true
    }

    /// A datagram with part of a DTLS client's hello; false if it is one of a
    /// server, so to speak.
    fn dtls_hello<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        if matches!(self.speech, Speech::Quic(_) | Speech::QuicDone { .. }) {
            return false;
        }
        self.client_is(from_low, at, cx);
        let before = match std::mem::replace(&mut self.speech, Speech::Other) {
            Speech::Dtls(head) => Some(head),
            _ => None,
        };
        let Some(head) = dtls::Head::take(before, at.payload) else { return false };
        match head.whole() {
            None => self.speech = Speech::Dtls(head),
            Some(body) => {
                self.speech = Speech::DtlsDone;
                if let Some((hello, random)) = tls::dtls_client_hello(body) {
                    let random = cx.scratch.hash_id(random);
                    self.tell_hello(&hello, random, head.conflict(), at, cx);
                } else {
                    self.speech = Speech::Other;
                }
            }
        }
        self.report_held(cx.scratch);
        true
    }

    /// A whole ClientHello, of TLS or DTLS, in a data packet of RDP.
    fn hello_in_rdp<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        for inner in rdp_payload(at.payload).into_iter().flatten() {
            if tls::looks_like_client_hello(inner) {
                let mut scratch = std::mem::take(&mut cx.scratch.hello);
                if let Probe::Found(hello) = tls::client_hello(inner, &mut scratch)
                    && let Some(random) = inner.get(11..43)
                {
                    self.client_is(from_low, at, cx);
                    let random = cx.scratch.hash_id(random);
                    self.tell_hello(&hello, random, false, at, cx);
                }
                cx.scratch.hello = scratch;
                return true;
            }
            if begins_client_hello(inner) {
                let outer = at.payload;
                at.payload = inner;
                let found = self.dtls_hello(at, from_low, cx);
                at.payload = outer;
                return found;
            }
        }
        false
    }

    /// The sender has shown itself as the client.
    fn client_is<S: Sink>(&mut self, from_low: bool, at: &mut At<'_>, cx: &mut Context<'_, S>) {
        self.client_low = from_low;
        at.from_client = true;
        if !self.opened {
            self.opened = true;
            self.follow = cx.sink.opened(at, cx.ledger).map(Follow::new);
        }
    }

    /// Tells a ClientHello, once for each random: with a server's cookie it
    /// comes again, and where a datagram was lost.
    fn tell_hello<S: Sink>(
        &mut self,
        hello: &tls::ClientHello<'_>,
        random: u64,
        conflict: bool,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) {
        if self.named.replace((random, at.packet.ts)).is_some_and(|(n, _)| n == random) {
            return;
        }
        cx.ledger.count(Counter::TlsHellos);
        if hello.ech {
            cx.ledger.count(Counter::EchOffered);
        }
        let mut name = std::mem::take(&mut cx.scratch.name);
        name.set_text(hello.server_name.unwrap_or(&[]));
        let named = (!name.is_empty()).then_some(&name);
        if named.is_none() {
            cx.ledger.count(Counter::TlsNoName);
        }
        self.told = true;
        let notes = Notes::NONE.with_if(conflict, Note::Conflict).with_if(hello.malformed, Note::PartialMessage);
        self.tell(at, &Seen::Tls { name: named, ech: hello.ech, stack: hello.stack }, notes, cx);
        cx.scratch.name = name;
    }

    fn tell<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, cx: &mut Context<'_, S>) {
        let before = self.follow.as_ref().map(|f| f.token);
        let mut token = before;
        cx.sink.seen(at, seen, notes, &mut token, cx.ledger);
        if token != before {
            self.follow = token.map(Follow::new);
        }
    }

    fn advance<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Some(f) = self.follow.as_mut() else { return };
        let (up, down) = std::mem::take(&mut self.before);
        let mut progress = Progress { to_server: up.into(), from_server: down.into(), ..Progress::default() };
        let size = u64::from(at.packet.payload_len).saturating_add(u64::from(at.packet.payload_missing));
        if at.from_client {
            progress.to_server = progress.to_server.saturating_add(size);
            let is_dtls = matches!(self.speech, Speech::DtlsDone);
            f.asked |= is_dtls && f.stage >= Stage::Connected && says(at.payload) == Says::Data;
        } else {
            progress.from_server = progress.from_server.saturating_add(size);
            let stage = match self.speech {
                Speech::QuicDone { .. } | Speech::Quic(_) => f.quic_stage(at.payload, size),
                Speech::Dtls(_) | Speech::DtlsDone => f.dtls_stage(at.payload, size, &mut progress),
                _ => f.plain_stage(self.client_spoke, size),
            };
            if stage > f.stage {
                let short = stage == Stage::Transferred && f.stage < Stage::Connected;
                progress.notes = progress.notes.with_if(short, Note::MidStream);
                f.stage = stage;
                progress.stage = Some(stage);
            }
        }
        if !progress.is_empty() {
            cx.sink.progress(at, f.token, &progress, cx.ledger);
        }
    }

    /// Tells the engine how many bytes the flow holds now.
    fn report_held(&mut self, scratch: &mut Scratch) {
        let held = match &self.speech {
            Speech::Quic(head) => head.held(),
            Speech::Dtls(head) => head.held(),
            _ => 0,
        };
        scratch.held = scratch.held.saturating_sub(self.held as usize).saturating_add(held);
        self.held = u32::try_from(held).unwrap_or(u32::MAX);
        if held > 0 && !self.listed {
            self.listed = true;
            scratch.begins_to_hold = true;
        }
    }

    /// Whether bytes are held. If not, the flow is taken off the list.
    pub(super) fn still_holds(&mut self) -> bool {
        self.listed = self.held > 0;
        self.listed
    }

    /// Gives up what is held, and waits for another beginning.
    pub(super) fn let_go(&mut self, ledger: &mut Ledger, scratch: &mut Scratch) {
        self.drop_head(ledger, scratch);
        self.listed = false;
    }

    fn drop_head(&mut self, ledger: &mut Ledger, scratch: &mut Scratch) {
        if let Speech::Quic(head) = &self.speech {
            if head.has_begun() {
                ledger.count(Counter::QuicHellosIncomplete);
            }
            self.speech =
                if head.is_told() { Speech::QuicDone { id: scratch.hash_id(head.id()) } } else { Speech::Other };
            self.report_held(scratch);
        } else if matches!(self.speech, Speech::Dtls(_)) {
            ledger.count(Counter::TlsHellosIncomplete);
            self.speech = Speech::Other;
            self.report_held(scratch);
        }
    }

    /// The flow ended or is forgotten.
    pub(super) fn close<S: Sink>(mut self, sink: &mut S, ledger: &mut Ledger, scratch: &mut Scratch) {
        self.drop_head(ledger, scratch);
        if let Some(f) = self.follow {
            sink.closed(f.token, ledger);
        }
    }
}

impl Follow {
    /// What a datagram of a QUIC server proves.
    fn quic_stage(&mut self, payload: &[u8], size: u64) -> Stage {
        match quic::long_packet(payload) {
            Ok((long, _)) if matches!(long.kind, Kind::Initial | Kind::Handshake) => Stage::Connected,
            Err(Stop::End) if payload.first().is_some_and(|b| b & 0x80 == 0) => {
                self.short_bytes = self.short_bytes.saturating_add(size);
                if self.short_bytes > TRANSFER { Stage::Transferred } else { self.stage }
            }
            _ => self.stage,
        }
    }

    /// What a datagram of a DTLS server proves.
    fn dtls_stage(&mut self, payload: &[u8], size: u64, progress: &mut Progress) -> Stage {
        match says(payload) {
            Says::Nothing => return self.stage,
            Says::Alert if self.stage < Stage::Connected => {
                progress.notes = progress.notes.with(Note::TlsAlert);
                return self.stage;
            }
            Says::Alert | Says::Handshake | Says::Data => {}
        }
        if self.asked {
            self.short_bytes = self.short_bytes.saturating_add(size);
        }
        if self.short_bytes >= DTLS_TRANSFER { Stage::Transferred } else { self.stage.max(Stage::Connected) }
    }

    fn plain_stage(&self, client_spoke: bool, size: u64) -> Stage {
        if client_spoke && size > 0 { Stage::Connected } else { self.stage }
    }
}
