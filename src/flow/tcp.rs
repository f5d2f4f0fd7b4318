//! One TCP flow: which end is the client, what its stream says, how far it got.

use super::assembly::{Assembly, Outcome, Took};
use super::dns::Dns;
use super::engine::Scratch;
use super::events::{At, HttpSeen, Note, Notes, Progress, Seen, Sink};
use super::follow::{Follow, Kind, RecordWalker};
use super::table::Entry;
use crate::base::time::SECOND;
use crate::base::{Name, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::protocol::http::{self, BodyCursor};
use crate::protocol::{Probe, dns, proxy_header, tls};

/// A hole in a stream head is given up after this long.
const HOLE_PATIENCE: i64 = 5 * SECOND;
/// Segments of an unrecognised flow that are searched for a late beginning.
const LATE_STARTS: u8 = 16;
/// Longest head of an HTTP request.
const MAX_HTTP_HEAD: usize = 64 << 10;

/// What the client's next byte begins or continues.
#[derive(Debug)]
enum Mode {
    /// The first message, of a kind yet unknown. Not worth a look before this
    /// many bytes are there.
    Probe { need: usize },
    /// HTTP/1: the body that is being skipped, and how many bytes of the next
    /// head were searched for its end.
    Http { body: Option<BodyCursor>, scanned: usize },
    /// DNS with length prefixes, both directions.
    Dns,
    /// TLS records of a followed flow.
    Records(RecordWalker),
    /// Nothing known. So many segments may still show a beginning; `None` for
    /// a flow whose start was not seen, which may show one at any time.
    Unknown { tries: Option<u8> },
    /// The question is answered.
    Done,
}

/// One-bit facts of a flow.
mod bit {
    pub(super) const CLIENT_LOW: u16 = 1;
    pub(super) const SYN: u16 = 2;
    pub(super) const CLIENT_BASE: u16 = 4;
    pub(super) const SERVER_BASE: u16 = 8;
    pub(super) const CLIENT_DATA: u16 = 16;
    pub(super) const SERVER_DATA: u16 = 32;
    pub(super) const CLOSED: u16 = 64;
    pub(super) const MID_STREAM: u16 = 128;
    pub(super) const CLIENT_FIN: u16 = 256;
    pub(super) const SERVER_FIN: u16 = 512;
    pub(super) const SPOKE: u16 = 1024;
    pub(super) const GAP: u16 = 2048;
    pub(super) const CONFLICT: u16 = 4096;
    pub(super) const HELLO_OPEN: u16 = 8192;
    pub(super) const TOLD: u16 = 16384;
    pub(super) const SERVER_DONE: u16 = 32768;
}

/// Sequence numbers of one direction: the first payload byte, and behind the
/// last one seen or acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Half {
    base: u32,
    high: u32,
}

impl Half {
    fn begin(&mut self, base: u32) {
        self.base = base;
        self.high = base;
    }

    fn reach(&mut self, end: u32) {
        let ahead = end.wrapping_sub(self.high);
        if ahead < 1 << 30 {
            self.high = end;
        }
    }
}

/// The state of a flow.
#[derive(Debug)]
pub(super) struct Tcp {
    last: Timestamp,
    quarter: i64,
    bits: u16,
    client: Half,
    server: Half,
    /// First client byte not yet read, while there is no assembly.
    next: u32,
    mode: Mode,
    ahead: Option<Box<Assembly>>,
    back: Option<Box<Assembly>>,
    follow: Option<Box<Follow>>,
}

impl Entry for Tcp {
    fn last(&self) -> Timestamp {
        self.last
    }

    fn patience(&self) -> i64 {
        if self.has(bit::CLOSED) {
            10 * SECOND
        } else if self.has(bit::CLIENT_DATA | bit::SERVER_DATA) {
            300 * SECOND
        } else {
            60 * SECOND
        }
    }
}

/// What a flow needs of its engine while it takes a segment.
pub(super) struct Context<'e, S> {
    pub(super) sink: &'e mut S,
    pub(super) ledger: &'e mut Ledger,
    pub(super) scratch: &'e mut Scratch,
    pub(super) dns: &'e mut Dns,
}

/// Whether the sender of a first segment is the client.
pub(super) fn sender_is_client(at: &At<'_>) -> bool {
    let p = at.packet;
    if p.flags & SYN != 0 {
        return p.flags & ACK == 0;
    }
    if looks_like_start(at.payload) {
        return true;
    }
    if at.payload.starts_with(b"HTTP/1.") || matches!(at.payload, [22, 3, _, _, _, 2, ..]) {
        return false;
    }
    p.dport < p.sport
}

fn looks_like_start(payload: &[u8]) -> bool {
    tls::looks_like_client_hello(payload) || http::looks_like_request(payload)
}

impl Tcp {
    /// A flow that begins with this segment.
    pub(super) fn new(at: &At<'_>, sender_is_low: bool) -> Self {
        let mut flow = Tcp {
            last: at.packet.ts,
            quarter: at.packet.ts.quarter(),
            bits: 0,
            client: Half::default(),
            server: Half::default(),
            next: 0,
            mode: Mode::Probe { need: 1 },
            ahead: None,
            back: None,
            follow: None,
        };
        flow.set(bit::CLIENT_LOW, sender_is_low == at.from_client);
        flow.set(bit::MID_STREAM, at.packet.flags & SYN == 0);
        flow
    }

    fn has(&self, bits: u16) -> bool {
        self.bits & bits != 0
    }

    fn set(&mut self, bits: u16, on: bool) {
        if on {
            self.bits |= bits;
        } else {
            self.bits &= !bits;
        }
    }

    /// Whether a segment from the lesser or the greater end comes from the client.
    #[inline]
    pub(super) fn is_client(&self, sender_is_low: bool) -> bool {
        self.has(bit::CLIENT_LOW) == sender_is_low
    }

    /// Whether this segment begins another connection on the same ports.
    pub(super) fn is_reuse(&self, at: &At<'_>) -> bool {
        let p = at.packet;
        p.flags & (SYN | ACK | RST) == SYN
            && (!at.from_client
                || self.has(bit::CLIENT_BASE) && self.client.base != p.seq.wrapping_add(1)
                || self.has(bit::MID_STREAM))
    }

    /// The sink wants to follow the flow from its first segment.
    pub(super) fn follow_from_start(&mut self, token: super::events::Token) {
        self.follow = Some(Box::new(Follow::new(token, self.client.base, self.server.base)));
    }

    /// Takes a segment. Bytes held by its assemblies change `held`.
    #[inline]
    pub(super) fn segment<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let p = at.packet;
        if p.ts > self.last {
            self.last = p.ts;
        }
        if p.ts.quarter() != self.quarter {
            self.quarter = p.ts.quarter();
            cx.sink.present(at, cx.ledger);
        }
        let mut seq = p.seq;
        if p.flags & (SYN | FIN | RST) != 0 {
            self.control(at, cx, &mut seq);
        }
        let mut progress = Progress::default();
        if !at.payload.is_empty() || p.payload_missing > 0 {
            let end = seq.wrapping_add(p.payload_len.wrapping_add(p.payload_missing));
            if at.from_client {
                if !self.has(bit::CLIENT_BASE) {
                    self.begin_client(seq);
                }
                self.client.reach(end);
                self.set(bit::CLIENT_DATA, true);
                self.client_payload(seq, at, cx);
            } else {
                if !self.has(bit::SERVER_BASE) {
                    self.server.begin(seq);
                    self.set(bit::SERVER_BASE, true);
                }
                self.server.reach(end);
                self.set(bit::SERVER_DATA, true);
                if p.sport == 53 && self.follow.is_none() {
                    self.server_dns(seq, at, cx);
                } else if self.follow.is_some() {
                    self.server_payload(seq, at, cx, &mut progress);
                }
            }
        }
        if self.follow.is_some() {
            self.advance(at, cx, progress);
        }
        if p.flags & (FIN | RST) != 0 {
            self.end(at, cx);
        }
    }

    fn control<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>, seq: &mut u32) {
        let p = at.packet;
        if p.flags & SYN != 0 {
            *seq = p.seq.wrapping_add(1);
            let half = if at.from_client { bit::CLIENT_BASE } else { bit::SERVER_BASE };
            if !self.has(half) {
                if at.from_client {
                    self.begin_client(*seq);
                } else {
                    self.server.begin(*seq);
                    self.set(bit::SERVER_BASE, true);
                    if !self.has(bit::CLIENT_BASE) {
                        self.begin_client(p.ack);
                    }
                }
                if let Some(f) = self.follow.as_mut() {
                    if at.from_client {
                        f.counted_client = *seq;
                    } else {
                        f.counted_server = *seq;
                        f.rebase(*seq);
                    }
                }
            }
            self.set(bit::SYN, true);
        }
        if p.flags & RST != 0 {
            if !at.from_client
                && let Some(f) = self.follow.as_mut()
            {
                let notes = f.reset(self.bits & bit::CLIENT_DATA != 0);
                let progress = Progress { notes, ..Progress::default() };
                let token = f.token;
                if !progress.is_empty() {
                    cx.sink.progress(at, token, &progress, cx.ledger);
                }
            }
        }
    }

    fn begin_client(&mut self, base: u32) {
        self.client.begin(base);
        self.next = base;
        self.set(bit::CLIENT_BASE, true);
    }

    /// Where the server's stream stands, by what was seen and acknowledged.
    fn server_at(&mut self, at: &At<'_>) -> u32 {
        if at.from_client && at.packet.flags & ACK != 0 {
            self.acknowledged(at.packet.ack);
        }
        self.server.high
    }

    fn acknowledged(&mut self, ack: u32) {
        if self.has(bit::SERVER_BASE) {
            // The FIN takes a number of its own, which is no payload.
            if !self.has(bit::SERVER_FIN) {
                self.server.reach(ack);
            }
        } else {
            self.server.begin(ack);
            self.set(bit::SERVER_BASE, true);
            if let Some(f) = self.follow.as_mut() {
                f.counted_server = ack;
                f.rebase(ack);
            }
        }
    }

    fn advance<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>, mut progress: Progress) {
        let server_at = self.server_at(at);
        let client_spoke = self.has(bit::CLIENT_DATA);
        let server_seen = self.has(bit::SERVER_DATA);
        let (client_at, based) = (self.client.high, self.has(bit::SERVER_BASE));
        let Some(f) = self.follow.as_mut() else { return };
        if based {
            f.judge(server_at, client_spoke, server_seen, &mut progress);
        }
        let up = client_at.wrapping_sub(f.counted_client);
        let down = server_at.wrapping_sub(f.counted_server);
        if up < 1 << 30 {
            progress.to_server = u64::from(up);
            f.counted_client = client_at;
        }
        if based && down < 1 << 30 {
            progress.from_server = u64::from(down);
            f.counted_server = server_at;
        }
        let token = f.token;
        if !progress.is_empty() {
            cx.sink.progress(at, token, &progress, cx.ledger);
        }
    }

    fn client_payload<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        match &mut self.mode {
            Mode::Done => return,
            Mode::Unknown { tries } => {
                let look = match tries {
                    None => true,
                    Some(0) => false,
                    Some(n) => {
                        *n = n.saturating_sub(1);
                        true
                    }
                };
                if !(look && looks_like_start(at.payload)) {
                    return;
                }
                // A late beginning: behind a preface, or a capture that
                // started in mid-stream.
                self.set(bit::MID_STREAM, true);
                self.mode = Mode::Probe { need: 1 };
                self.next = seq;
                self.ahead = None;
            }
            Mode::Probe { .. } if self.bits & (bit::MID_STREAM | bit::SPOKE | bit::SYN) == bit::MID_STREAM => {
                if self.ahead.is_none() && !looks_like_start(at.payload) && at.endpoints().sport != 53 {
                    self.unrecognised(at, cx);
                    return;
                }
            }
            _ => {}
        }
        let payload = at.payload;
        if self.ahead.is_none() {
            if seq == self.next {
                self.next = seq.wrapping_add(payload.len() as u32);
                match self.read_client(payload, at, cx) {
                    Took::Bytes(n) if n >= payload.len() => {}
                    Took::Bytes(n) => {
                        let mut a = Box::new(Assembly::new(seq.wrapping_add(n as u32)));
                        a.push(seq.wrapping_add(n as u32), payload.get(n..).unwrap_or(&[]), at.packet.ts, |_| {
                            Took::Bytes(0)
                        });
                        cx.scratch.held = cx.scratch.held.saturating_add(a.held());
                        self.ahead = Some(a);
                    }
                    Took::Enough => {}
                }
                if at.packet.payload_missing > 0 && self.ahead.is_some() {
                    self.give_up_hole(at, cx);
                }
                return;
            }
            let behind = self.next.wrapping_sub(seq);
            if behind < 1 << 31 && behind as usize >= payload.len() {
                return; // a repetition of bytes that were read
            }
            self.ahead = Some(Box::new(Assembly::new(self.next)));
        }
        self.assemble_client(seq, at, cx);
    }

    fn assemble_client<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Some(mut a) = self.ahead.take() else { return };
        let before = a.held();
        let mut out = a.push(seq, at.payload, at.packet.ts, |bytes| self.read_client(bytes, at, cx));
        let stale = a.has_hole() && at.packet.ts.since(a.hole_since()) > HOLE_PATIENCE;
        if !out.enough && (out.gap || stale) {
            out = self.skip_hole(&mut a, at, cx);
        }
        self.settle(a, before, out, at, cx);
        if at.packet.payload_missing > 0 && self.ahead.is_some() {
            self.give_up_hole(at, cx);
        }
    }

    /// Files the assembly again, or drops it where nothing is left to wait for.
    fn settle<S: Sink>(&mut self, a: Box<Assembly>, before: usize, out: Outcome, at: &At<'_>, cx: &mut Context<'_, S>) {
        if out.conflict && !self.has(bit::CONFLICT) {
            self.set(bit::CONFLICT, true);
            cx.ledger.count(Counter::StreamConflict);
        }
        let held = &mut cx.scratch.held;
        *held = held.saturating_sub(before);
        if out.overflow {
            cx.ledger.count(Counter::StreamOverflow);
            self.unrecognised(at, cx);
        } else if !out.enough && !matches!(self.mode, Mode::Done | Mode::Unknown { .. }) {
            if cx.scratch.held.saturating_add(a.held()) > cx.scratch.max_held {
                cx.ledger.count(Counter::StreamsEvicted);
                self.mode = Mode::Done;
                return;
            }
            cx.scratch.held = cx.scratch.held.saturating_add(a.held());
            self.ahead = Some(a);
        }
    }

    /// Ends the wait for missing bytes: reads what is complete of the message
    /// before them, then looks for a beginning behind them.
    fn skip_hole<S: Sink>(&mut self, a: &mut Assembly, at: &At<'_>, cx: &mut Context<'_, S>) -> Outcome {
        cx.ledger.count(Counter::StreamGaps);
        self.set(bit::GAP, true);
        a.flush(|bytes| self.read_partial(bytes, at, cx));
        match self.mode {
            // Inside a body nobody knows where the next head begins.
            Mode::Http { body: Some(_), .. } | Mode::Done => self.mode = Mode::Done,
            Mode::Records(_) => self.mode = Mode::Records(RecordWalker::default()),
            Mode::Dns => self.mode = Mode::Done,
            Mode::Probe { .. } | Mode::Http { .. } | Mode::Unknown { .. } => self.mode = Mode::Probe { need: 1 },
        }
        if matches!(self.mode, Mode::Done) {
            return Outcome { enough: true, gap: true, ..Outcome::default() };
        }
        a.skip_hole(|bytes| {
            if matches!(self.mode, Mode::Probe { .. }) && !looks_like_start(bytes) {
                self.mode = Mode::Unknown { tries: None };
                return Took::Enough;
            }
            self.read_client(bytes, at, cx)
        })
    }

    fn give_up_hole<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Some(mut a) = self.ahead.take() else { return };
        let before = a.held();
        let out = self.skip_hole(&mut a, at, cx);
        if matches!(self.mode, Mode::Probe { .. }) {
            // What follows the missing bytes is a continuation.
            self.mode = Mode::Unknown { tries: None };
        }
        self.settle(a, before, out, at, cx);
    }

    /// Nothing that is known; the flow may still be followed as a contact.
    fn unrecognised<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if !self.has(bit::SPOKE) {
            self.set(bit::SPOKE, true);
            self.tell(at, &Seen::Unrecognised, cx);
            let server_at = self.server_at(at);
            if let Some(f) = self.follow.as_mut() {
                f.rebase(server_at);
            }
        }
        let whole = self.has(bit::SYN) && !self.has(bit::GAP);
        self.mode = Mode::Unknown { tries: whole.then_some(LATE_STARTS) };
        self.ahead = None;
    }

    fn notes(&self) -> Notes {
        Notes::NONE
            .with_if(self.has(bit::MID_STREAM), Note::MidStream)
            .with_if(self.has(bit::GAP), Note::Gap)
            .with_if(self.has(bit::CONFLICT), Note::Conflict)
    }

    /// Reads the client's bytes in order, message by message.
    fn read_client<S: Sink>(&mut self, data: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Took {
        let mut used = 0;
        while let Some(rest) = data.get(used..).filter(|r| !r.is_empty()) {
            let n = match &mut self.mode {
                Mode::Done | Mode::Unknown { .. } => return Took::Enough,
                Mode::Probe { need } if rest.len() < *need => return Took::Bytes(used),
                Mode::Probe { .. } => self.probe(rest, at, cx),
                Mode::Http { .. } => self.read_http(rest, at, cx),
                Mode::Dns => return cx.dns_stream(rest, used, at),
                Mode::Records(walker) => {
                    let Some(f) = self.follow.as_mut() else {
                        self.mode = Mode::Done;
                        return Took::Enough;
                    };
                    let server_at = self.server.high;
                    match walker.take(rest, |kind| f.client_record(kind, server_at)) {
                        Some(n) => Some(n),
                        None => {
                            self.mode = Mode::Done;
                            return Took::Enough;
                        }
                    }
                }
            };
            match n {
                Some(0) => return Took::Bytes(used),
                Some(n) => used = used.saturating_add(n),
                None => return Took::Enough,
            }
        }
        Took::Bytes(used)
    }

    /// The first message of a stream: bytes used, 0 to wait for more, `None`
    /// for enough.
    fn probe<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        if at.endpoints().sport == 53 && !self.has(bit::SPOKE) {
            self.set(bit::SPOKE, true);
            self.mode = Mode::Dns;
            return match cx.dns_stream(rest, 0, at) {
                Took::Bytes(n) => Some(n),
                Took::Enough => {
                    self.mode = Mode::Done;
                    None
                }
            };
        }
        match proxy_header(rest) {
            Probe::Not => {}
            Probe::More(n) => {
                self.mode = Mode::Probe { need: n };
                return Some(0);
            }
            // The stream proper begins behind it.
            Probe::Found(n) if n <= rest.len() => return Some(n),
            Probe::Found(n) => {
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
                let (len, inside) = (h.len, h.record_end.saturating_sub(h.len));
                if h.extent == tls::Extent::Oversized {
                    cx.ledger.count(Counter::StreamOverflow);
                }
                cx.scratch.name.clear();
                cx.scratch.name.set_text(h.server_name.unwrap_or(&[]));
                let partial = h.malformed || h.extent != tls::Extent::Whole;
                let (named, ech) = (h.server_name.is_some() && !cx.scratch.name.is_empty(), h.ech);
                self.client_hello(named, ech, partial, at, cx);
                if self.follow.is_some() {
                    self.mode = Mode::Records(RecordWalker::inside(inside));
                    Some(len)
                } else {
                    self.mode = Mode::Done;
                    None
                }
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

    fn count_hello(&mut self, ledger: &mut Ledger) {
        if !self.has(bit::HELLO_OPEN) {
            self.set(bit::HELLO_OPEN, true);
            ledger.count(Counter::TlsHellos);
        }
    }

    fn client_hello<S: Sink>(&mut self, named: bool, ech: bool, partial: bool, at: &At<'_>, cx: &mut Context<'_, S>) {
        let ledger = &mut *cx.ledger;
        if !named {
            ledger.count(Counter::TlsNoName);
        }
        if ech {
            ledger.count(Counter::EchOffered);
        }
        self.set(bit::SPOKE, true);
        let notes = self.notes().with_if(partial, Note::PartialMessage);
        let name = std::mem::take(&mut cx.scratch.name);
        let seen = Seen::Tls { name: named.then_some(&name), ech };
        self.tell_with(at, &seen, notes, cx);
        cx.scratch.name = name;
        let server_at = self.server_at(at);
        self.begin_exchange(Kind::Tls, server_at);
    }

    /// The client began an exchange: the server's next bytes answer it.
    fn begin_exchange(&mut self, kind: Kind, server_at: u32) {
        let Some(f) = self.follow.as_mut() else { return };
        let had = f.wants_server();
        f.begin(kind, server_at);
        if f.wants_server() && !(had && kind == Kind::Http) {
            self.back = Some(Box::new(Assembly::new(server_at)));
        }
    }

    fn probe_http<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        match http::request(rest) {
            Probe::Not => {
                if tls::is_sslv2_hello(rest) {
                    cx.ledger.count(Counter::SslV2Hellos);
                }
                self.unrecognised(at, cx);
                None
            }
            _ => {
                self.mode = Mode::Http { body: None, scanned: 0 };
                self.read_http(rest, at, cx)
            }
        }
    }

    fn read_http<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        let Mode::Http { body, scanned } = &mut self.mode else { return None };
        if let Some(cursor) = body {
            return match cursor.advance(rest) {
                Some((n, ended)) => {
                    if ended {
                        *body = None;
                    }
                    Some(n)
                }
                None => {
                    cx.ledger.count(Counter::HttpMalformed);
                    self.mode = Mode::Done;
                    None
                }
            };
        }
        if !head_ends(rest, *scanned) {
            if *scanned == 0 && matches!(http::request(rest), Probe::Not) {
                self.http_is_over(at, cx);
                return None;
            }
            *scanned = rest.len();
            if rest.len() > MAX_HTTP_HEAD {
                cx.ledger.count(Counter::StreamOverflow);
                self.mode = Mode::Done;
                return None;
            }
            return Some(0);
        }
        *scanned = 0;
        match http::request(rest) {
            Probe::Found(request) => {
                let len = request.len;
                self.http_request(&request, false, at, cx);
                matches!(self.mode, Mode::Http { .. } | Mode::Probe { .. }).then_some(len)
            }
            Probe::Not => {
                self.http_is_over(at, cx);
                None
            }
            // An empty line before the request line, perhaps.
            Probe::More(_) if rest.len() <= MAX_HTTP_HEAD => {
                if let Mode::Http { scanned, .. } = &mut self.mode {
                    *scanned = rest.len();
                }
                Some(0)
            }
            Probe::More(_) => {
                cx.ledger.count(Counter::StreamOverflow);
                self.mode = Mode::Done;
                None
            }
        }
    }

    /// What should be the next request is none.
    fn http_is_over<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if self.has(bit::SPOKE) {
            self.mode = Mode::Done;
        } else {
            cx.ledger.count(Counter::HttpMalformed);
            self.unrecognised(at, cx);
        }
    }

    fn http_request<S: Sink>(
        &mut self,
        request: &http::Request<'_>,
        partial: bool,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) {
        cx.ledger.count(Counter::HttpRequests);
        self.set(bit::SPOKE, true);
        let is_connect = request.method == b"CONNECT";
        let mut names = std::mem::take(&mut cx.scratch.hosts);
        let mut target = std::mem::take(&mut cx.scratch.name);
        let mut used = 0;
        let absolute = request.authority.filter(|_| !is_connect);
        let fields = request.hosts.iter().map(|h| &**h).filter(|_| absolute.is_none());
        for value in absolute.into_iter().chain(fields) {
            let host = http::host_of(value);
            if host.is_empty() || used >= 8 {
                continue;
            }
            if names.len() <= used {
                names.push(Name::new());
            }
            if let Some(n) = names.get_mut(used) {
                n.set_text(host);
                used = used.saturating_add(1);
            }
        }
        target.set_text(http::host_of(request.authority.unwrap_or(&[])));
        let hosts = names.get(..used).unwrap_or(&[]);
        if used == 0 && !is_connect {
            cx.ledger.count(Counter::HttpNoHost);
        }
        let notes = self
            .notes()
            .with_if(used > 1, Note::Ambiguous)
            .with_if(partial, Note::PartialMessage)
            .with_if(absolute.is_some() || is_connect, Note::ViaProxy);
        let seen = Seen::Http(HttpSeen {
            hosts,
            connect: (is_connect && !target.is_empty()).then_some(&target),
            absolute: absolute.is_some(),
            path: request.path,
            user_agent: request.user_agent.as_deref(),
        });
        self.tell_with(at, &seen, notes, cx);
        cx.scratch.hosts = names;
        cx.scratch.name = target;
        let server_at = self.server_at(at);
        self.begin_exchange(if is_connect { Kind::Connect } else { Kind::Http }, server_at);
        self.mode = if is_connect {
            // The tunnel's stream begins after the proxy's consent.
            Mode::Probe { need: 1 }
        } else if request.body == http::Body::Unknown {
            Mode::Done
        } else {
            Mode::Http { body: BodyCursor::new(request.body), scanned: 0 }
        };
    }

    /// Reads the complete fields of a message that will not be completed.
    fn read_partial<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        match self.mode {
            Mode::Probe { .. } => {
                let mut hello = std::mem::take(&mut cx.scratch.hello);
                if let Some(h) = tls::partial_client_hello(bytes, &mut hello) {
                    cx.scratch.name.set_text(h.server_name.unwrap_or(&[]));
                    self.set(bit::HELLO_OPEN, false);
                    cx.ledger.count(Counter::TlsHellosIncomplete);
                    if !cx.scratch.name.is_empty() {
                        self.client_hello(true, h.ech, true, at, cx);
                        self.mode = Mode::Done;
                    }
                }
                cx.scratch.hello = hello;
            }
            Mode::Http { body: None, .. } => {
                if let Some(request) = http::partial_request(bytes) {
                    self.http_request(&request, true, at, cx);
                    self.mode = Mode::Done;
                }
            }
            _ => {}
        }
    }

    fn tell<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, cx: &mut Context<'_, S>) {
        self.tell_with(at, seen, self.notes(), cx);
    }

    /// Tells the sink, and begins, changes or ends following as it wants.
    fn tell_with<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, cx: &mut Context<'_, S>) {
        let mut token = self.follow.as_ref().map(|f| f.token);
        let before = token;
        cx.sink.seen(at, seen, notes, &mut token, cx.ledger);
        if token == before {
            self.set(bit::TOLD, true);
            return;
        }
        self.follow = match (token, self.follow.take()) {
            // Another contact on the same stream, judged anew.
            (Some(token), Some(f)) => {
                let back = self.back.take().map_or(0, |a| a.held());
                cx.scratch.held = cx.scratch.held.saturating_sub(back);
                Some(Box::new(Follow::new(token, f.counted_client, self.server_at(at))))
            }
            (Some(token), None) => {
                let server_at = self.server_at(at);
                let client_at = if at.from_client { at.packet.seq } else { self.client.high };
                let first = !self.has(bit::GAP | bit::TOLD);
                let from = if first && self.has(bit::CLIENT_BASE) { self.client.base } else { client_at };
                let server_from = if first { self.server.base } else { server_at };
                Some(Box::new(Follow::new(token, from, server_from)))
            }
            (None, _) => {
                self.back = None;
                None
            }
        };
        self.set(bit::TOLD, true);
    }

    /// The server's half of DNS over TCP.
    fn server_dns<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        if self.has(bit::SERVER_DONE) {
            return;
        }
        let mut a = self.back.take().unwrap_or_else(|| Box::new(Assembly::new(self.server.base)));
        let before = a.held();
        let mut out = a.push(seq, at.payload, at.packet.ts, |bytes| cx.dns_stream(bytes, 0, at));
        if out.gap || a.has_hole() && at.packet.ts.since(a.hole_since()) > HOLE_PATIENCE {
            cx.ledger.count(Counter::StreamGaps);
            out.enough = true;
        }
        cx.scratch.held = cx.scratch.held.saturating_sub(before);
        if out.enough || out.overflow || cx.scratch.held.saturating_add(a.held()) > cx.scratch.max_held {
            self.set(bit::SERVER_DONE, true);
        } else {
            cx.scratch.held = cx.scratch.held.saturating_add(a.held());
            self.back = Some(a);
        }
    }

    fn server_payload<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>, progress: &mut Progress) {
        let Some(f) = self.follow.as_mut() else {
            self.back = None;
            return;
        };
        if f.wants_server() {
            if let Some(mut a) = self.back.take() {
                let before = a.held();
                let out = a.push(seq, at.payload, at.packet.ts, |bytes| f.server_bytes(bytes, progress));
                cx.scratch.held = cx.scratch.held.saturating_sub(before);
                if !out.enough && !out.overflow && !out.gap {
                    cx.scratch.held = cx.scratch.held.saturating_add(a.held());
                    self.back = Some(a);
                }
            }
        } else if f.is_http()
            && let Probe::Found(status) = http::status(at.payload)
        {
            f.status(status.code, progress);
        }
    }

    fn end<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let p = at.packet;
        if p.flags & FIN != 0 {
            self.set(if at.from_client { bit::CLIENT_FIN } else { bit::SERVER_FIN }, true);
        }
        let waits = self.ahead.as_ref().is_some_and(|a| a.held() > 0);
        if (at.from_client || p.flags & RST != 0) && waits {
            self.give_up_hole(at, cx);
        }
        if p.flags & RST != 0 || self.bits & (bit::CLIENT_FIN | bit::SERVER_FIN) == bit::CLIENT_FIN | bit::SERVER_FIN {
            self.set(bit::CLOSED, true);
        }
    }

    /// The flow ended or is forgotten.
    pub(super) fn close<S: Sink>(self, sink: &mut S, ledger: &mut Ledger, scratch: &mut Scratch) {
        for a in [&self.ahead, &self.back].into_iter().flatten() {
            scratch.held = scratch.held.saturating_sub(a.held());
        }
        if self.has(bit::HELLO_OPEN) {
            ledger.count(Counter::TlsHellosIncomplete);
        }
        if self.bits & (bit::CLIENT_DATA | bit::SERVER_DATA) == bit::CLIENT_DATA
            || self.bits & (bit::CLIENT_DATA | bit::SERVER_DATA) == bit::SERVER_DATA
        {
            ledger.count(Counter::FlowsOneSided);
        }
        if let Some(f) = self.follow {
            sink.closed(f.token, ledger);
        }
    }
}

/// Whether an empty line ends in `head`, given that none ended in its first
/// `scanned` bytes.
fn head_ends(head: &[u8], scanned: usize) -> bool {
    let from = scanned.saturating_sub(3);
    let tail = head.get(from..).unwrap_or(&[]);
    memchr::memchr_iter(b'\n', tail).any(|at| {
        let after = tail.get(at.saturating_add(1)..).unwrap_or(&[]);
        after.first() == Some(&b'\n') || after.starts_with(b"\r\n")
    })
}

impl<S: Sink> Context<'_, S> {
    /// Reads the DNS messages of a stream from `used` on.
    fn dns_stream(&mut self, rest: &[u8], used: usize, at: &At<'_>) -> Took {
        let mut at_byte = 0;
        loop {
            let tail = rest.get(at_byte..).unwrap_or(&[]);
            match dns::stream_message(tail) {
                Probe::Found(message) => {
                    at_byte = at_byte.saturating_add(message.len()).saturating_add(2);
                    if message.is_empty() {
                        continue;
                    }
                    if !self.dns.message(message, at, self.sink, self.ledger) {
                        return Took::Enough;
                    }
                }
                Probe::More(_) => return Took::Bytes(used.saturating_add(at_byte)),
                Probe::Not => return Took::Enough,
            }
        }
    }
}
