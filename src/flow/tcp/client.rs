//! What the client's stream says, message by message.

use super::handshake::looks_like_start;
use super::preface::begins_preface;
use super::records::Records;
use super::{Context, Mode, Tcp, ahead, bit};
use crate::coverage::{Counter, Ledger};
use crate::flow::assembly::{Assembly, Outcome, Took};
use crate::flow::events::{At, Note, Seen, Sink};
use crate::flow::follow::Kind;
use crate::protocol::{Probe, dns, proxy_header, tls};

/// Turns of an unrecognised flow that are searched for a late beginning.
const LATE_STARTS: u8 = 16;
/// Whether a segment begins a DNS message with its length prefix, as far as
/// its header tells; or is the prefix alone, which some send by itself.
pub(super) fn begins_dns(payload: &[u8]) -> bool {
    let prefix = matches!(*payload, [high, low] if (17..=4096).contains(&u16::from_be_bytes([high, low])));
    let begins = payload.get(2..).is_some_and(dns::may_be_message);
    prefix || begins && !matches!(dns::stream_message(payload), Probe::Not)
}

impl Tcp {
    /// Where the client's stream stands: what is read next, or where nothing
    /// is read any more, the furthest byte.
    pub(super) fn client_at(&self) -> u32 {
        match (&self.mode, &self.ahead) {
            (Mode::Done | Mode::Unknown { .. }, _) => self.client.high,
            (_, Some(a)) => a.next(),
            (_, None) => self.next,
        }
    }

    /// Reads the stream from this segment on.
    pub(super) fn begin_anew(&mut self, seq: u32) {
        self.begin_client(seq);
        self.mode = Mode::Probe { need: 1 };
        self.ahead = None;
    }

    pub(super) fn client_payload<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let payload = at.payload;
        match self.mode {
            Mode::Done => return,
            Mode::Unknown { .. } => {
                if !self.late_start(seq, at) {
                    return;
                }
                self.set(bit::MID_STREAM, true);
                self.mode = Mode::Probe { need: 1 };
                self.next = seq;
            }
            Mode::Probe { .. }
                if self.bits & (bit::MID_STREAM | bit::SPOKE | bit::SYN) == bit::MID_STREAM
                    && self.ahead.is_none()
                    && !self.begins_something(at)
                    && !begins_preface(at.payload) =>
            {
                self.unrecognised(at, cx);
                return;
            }
            _ => {}
        }
        if self.ahead.is_none() {
            if seq == self.next {
                self.read_in_place(seq, payload, at, cx);
                return;
            }
            let behind = ahead(self.next, seq);
            if behind < 1 << 31 && behind as usize >= payload.len() {
                self.repeated(at, cx);
                return;
            }
            self.ahead = Some(Box::new(Assembly::new(self.next)));
        }
        self.assemble(seq, payload, at, cx);
    }

    fn begins_something(&self, at: &At<'_>) -> bool {
        looks_like_start(at.payload)
            || if at.endpoints().sport == 53 {
                begins_dns(at.payload)
            } else {
                matches!(dns::stream_query(at.payload), Probe::Found(_))
            }
    }

    /// Whether the client begins to speak at `seq`: where its stream begins,
    /// or after the server spoke and had heard all before. Where else a segment
    /// begins is chance, and what looks like a message there may be part of a
    /// text. Where the capture lacks the server's side, it spoke if the client
    /// has heard more of it.
    pub(super) fn is_turn(&self, seq: u32) -> bool {
        // Padding of the handshake may have been taken for the first bytes; a
        // keep-alive probe sends one old byte (RFC 9293 section 3.8.4).
        let from_start = ahead(seq, self.client.base);
        let first = from_start == 0 || from_start == 1 && !self.has(bit::SYN);
        let answers = if self.has(bit::SERVER_DATA) { seq == self.turn } else { self.turn != self.server.high };
        first || answers
    }

    /// Whether a message begins at `seq` in a stream that was not understood:
    /// behind a preface, or where a capture started late.
    fn late_start(&mut self, seq: u32, at: &At<'_>) -> bool {
        let server_at = self.server_at(at);
        let is_turn = self.is_turn(seq);
        if !self.has(bit::SERVER_DATA) {
            self.turn = server_at;
        }
        let Mode::Unknown { tries } = &mut self.mode else { return false };
        // A first message that was read is only repeated.
        let again = seq == self.client.base && self.bits & bit::KNOWN != 0;
        if !is_turn || again || *tries == Some(0) {
            return false;
        }
        *tries = tries.map(|n| n.saturating_sub(1));
        self.begins_something(at)
    }

    /// Bytes that were read come again. A ClientHello where a request was read
    /// is no repetition.
    fn repeated<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        // Where the server's certificate came first, it was only late.
        let late = matches!(self.mode, Mode::Records(_)) && !self.has(bit::KNOWN);
        if (late || matches!(self.mode, Mode::Http { .. })) && tls::looks_like_client_hello(at.payload) {
            if !late {
                self.conflict(cx.ledger);
            }
            self.read_aside(at, cx);
        }
    }

    pub(super) fn conflict(&mut self, ledger: &mut Ledger) {
        if !self.has(bit::CONFLICT) {
            self.set(bit::CONFLICT, true);
            ledger.count(Counter::StreamConflict);
        }
    }

    /// Reads a segment by itself, while the stream it may belong to waits.
    /// Whether its message goes on behind it.
    pub(super) fn read_aside<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) -> bool {
        let mode = std::mem::replace(&mut self.mode, Mode::Probe { need: 1 });
        let bits = self.bits;
        self.set(bit::MID_STREAM, true);
        let took = self.read_client(at.payload, at, cx);
        self.mode = mode;
        self.set(bit::MID_STREAM, bits & bit::MID_STREAM != 0);
        matches!(took, Took::Bytes(n) if n < at.payload.len())
    }

    /// Reads payload that continues the stream, nothing being held.
    fn read_in_place<S: Sink>(&mut self, seq: u32, payload: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        self.next = seq.wrapping_add(payload.len() as u32);
        if let Took::Bytes(n) = self.read_client(payload, at, cx)
            && let Some(rest) = payload.get(n..)
            && !rest.is_empty()
        {
            let from = seq.wrapping_add(n as u32);
            let mut a = Box::new(Assembly::new(from));
            a.push(from, rest, at.packet.ts, |_, _| Took::Bytes(0));
            self.ahead = Some(a);
        }
        self.cut(seq, payload, at, cx);
    }

    fn assemble<S: Sink>(&mut self, seq: u32, payload: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        let Some(mut a) = self.ahead.take() else { return };
        let out = a.push(seq, payload, at.packet.ts, |bytes, conflict| {
            if conflict {
                self.conflict(cx.ledger);
            }
            self.read_client(bytes, at, cx)
        });
        self.settle(a, out, at, cx);
        self.cut(seq, payload, at, cx);
        self.check_hole(at, cx);
    }

    /// Files the assembly again, or drops it where nothing is left to wait for.
    pub(super) fn settle<S: Sink>(&mut self, a: Box<Assembly>, out: Outcome, at: &At<'_>, cx: &mut Context<'_, S>) {
        if out.conflict {
            self.conflict(cx.ledger);
        }
        if out.overflow {
            cx.ledger.count(Counter::StreamOverflow);
            self.unrecognised(at, cx);
        } else if !out.enough && !matches!(self.mode, Mode::Done | Mode::Unknown { .. }) {
            self.next = a.next();
            self.ahead = (a.held() > 0 || a.hole().is_some()).then_some(a);
        }
    }

    /// Nothing that is known; the flow may still be followed as a contact.
    pub(super) fn unrecognised<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let server_at = self.server_at(at);
        if !self.has(bit::SPOKE) {
            self.set(bit::SPOKE, true);
            self.tell(at, &Seen::Unrecognised, cx);
        }
        if let Some(f) = self.follow.as_mut() {
            f.begin_plain(server_at);
        }
        if !self.has(bit::SERVER_DATA) {
            self.turn = server_at;
        }
        let whole = self.has(bit::SYN) && !self.has(bit::GAP);
        self.mode = Mode::Unknown { tries: whole.then_some(LATE_STARTS) };
        self.ahead = None;
    }

    /// Reads the client's bytes in order, message by message.
    pub(super) fn read_client<S: Sink>(&mut self, data: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Took {
        let mut used = 0;
        while let Some(rest) = data.get(used..).filter(|r| !r.is_empty()) {
            let n = match &mut self.mode {
                Mode::Done | Mode::Unknown { .. } => return Took::Enough,
                Mode::Probe { need } if rest.len() < *need => return Took::Bytes(used),
                Mode::Probe { .. } => self.probe(rest, at, cx),
                Mode::Http { .. } => self.read_http(rest, at, cx),
                Mode::Http2(_) => self.read_http2(rest, at, cx),
                Mode::Preface(_) => self.read_preface(rest, at, cx),
                Mode::Dns => return self.client_dns(rest, used, at, cx),
                Mode::Records(_) => self.walk_records(rest, at, cx),
            };
            match n {
                Some(0) => return Took::Bytes(used),
                Some(n) => used = used.saturating_add(n),
                None => return Took::Enough,
            }
        }
        Took::Bytes(used)
    }

    #[cold]
    fn begin_dns<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        self.set(bit::SPOKE | bit::KNOWN, true);
        self.mode = Mode::Dns;
        let server_at = self.server_at(at);
        if let Some(f) = self.follow.as_mut() {
            f.begin_plain(server_at);
        }
        match self.client_dns(rest, 0, at, cx) {
            Took::Bytes(n) => Some(n),
            Took::Enough => None,
        }
    }

    fn client_dns<S: Sink>(&mut self, rest: &[u8], used: usize, at: &At<'_>, cx: &mut Context<'_, S>) -> Took {
        let took = cx.dns_stream(rest, used, at);
        if took == Took::Enough {
            self.mode = Mode::Unknown { tries: None };
        }
        took
    }

    /// The first message of a stream: bytes used, 0 to wait for more, `None`
    /// for enough.
    pub(super) fn probe<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        let known_port = at.endpoints().sport == 53;
        let first = if known_port { dns::stream_message(rest) } else { dns::stream_query(rest) };
        let may_be_dns = match first {
            Probe::Found(message) if known_port || cx.dns.is_certain(message) => {
                return self.begin_dns(rest, at, cx);
            }
            Probe::Found(_) | Probe::Not => false,
            Probe::More(_) => true,
        };
        let found = self.probe_header(rest, at, cx);
        let open = matches!(self.mode, Mode::Probe { .. } | Mode::Http { .. });
        if may_be_dns && open && matches!(found, None | Some(0)) {
            // Either may still be. Until then it is as good as unknown.
            let server_at = self.server_at(at);
            if let Some(f) = self.follow.as_mut() {
                f.begin_plain(server_at);
            }
            self.mode = Mode::Probe { need: rest.len().saturating_add(1) };
            return Some(0);
        }
        if found.is_none() && matches!(self.mode, Mode::Probe { .. }) {
            if let Some(n) = self.probe_preface(rest, at, cx) {
                return Some(n);
            }
            if !matches!(self.mode, Mode::Probe { .. }) {
                return None;
            }
            if tls::is_sslv2_hello(rest) {
                cx.ledger.count(Counter::SslV2Hellos);
            }
            self.unrecognised(at, cx);
            return None;
        }
        found
    }

    /// PROXY header, TLS or HTTP; the mode stays `Probe` if it is none.
    fn probe_header<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        match proxy_header(rest) {
            Probe::Not => {}
            // The stream proper begins behind it.
            Probe::Found(n) if n <= rest.len() => {
                self.mode = Mode::Probe { need: 1 };
                return Some(n);
            }
            Probe::Found(n) | Probe::More(n) => {
                self.mode = Mode::Probe { need: n };
                return Some(0);
            }
        }
        let mut hello = std::mem::take(&mut cx.scratch.hello);
        let found = tls::client_hello(rest, &mut hello);
        let result = match found {
            Probe::Found(h) => {
                self.count_hello(cx.ledger);
                self.set(bit::HELLO_OPEN, false);
                if h.extent == tls::Extent::Oversized {
                    cx.ledger.count(Counter::StreamOverflow);
                }
                self.client_hello(&h, at, cx)
            }
            Probe::More(n) => {
                self.count_hello(cx.ledger);
                self.mode = Mode::Probe { need: n };
                Some(0)
            }
            Probe::Not => self.probe_http(rest, at, cx),
        };
        cx.scratch.hello = hello;
        result
    }

    pub(super) fn count_hello(&mut self, ledger: &mut Ledger) {
        if !self.has(bit::HELLO_OPEN) {
            self.set(bit::HELLO_OPEN, true);
            ledger.count(Counter::TlsHellos);
        }
    }

    /// Tells a ClientHello; returns the bytes it took, or `None` if what
    /// follows is of no interest.
    pub(super) fn client_hello<S: Sink>(
        &mut self,
        h: &tls::ClientHello<'_>,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> Option<usize> {
        let mut name = std::mem::take(&mut cx.scratch.name);
        name.set_text(h.server_name.unwrap_or(&[]));
        let named = !name.is_empty();
        if !named {
            cx.ledger.count(Counter::TlsNoName);
        }
        if h.ech {
            cx.ledger.count(Counter::EchOffered);
        }
        self.set(bit::SPOKE | bit::KNOWN, true);
        let notes = self.notes().with_if(h.malformed || h.extent != tls::Extent::Whole, Note::PartialMessage);
        let seen = Seen::Tls { name: named.then_some(&name), ech: h.ech, stack: h.stack };
        self.tell_with(at, &seen, notes, cx);
        let server_at = self.server_at(at);
        self.begin_exchange(Kind::Tls, server_at);
        self.mode = Mode::Records(Records::behind(h, name.as_bytes(), self.heard(at), cx.scratch));
        cx.scratch.name = name;
        Some(h.len)
    }

    /// The client began an exchange: the server's next bytes answer it.
    pub(super) fn begin_exchange(&mut self, kind: Kind, server_at: u32) {
        let awaited = self.awaited_before(kind, server_at);
        let Some(f) = self.follow.as_mut() else { return };
        if f.begin(kind, awaited, server_at) {
            self.bits &= !bit::CERTIFICATE;
            self.back = Some(Box::new(Assembly::new(server_at)));
        }
    }
}
