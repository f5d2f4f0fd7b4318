//! One TCP flow: which end is the client, what its stream says, how far it got.
//!
//! Nothing that a single stray segment says is believed where it would hide
//! the connection: another SYN needs the server's consent, data of a foreign
//! sequence range is read only where it begins a message, and what a FIN or RST
//! ends is still read when it goes on. Where two streams between the same ends
//! both may be the one, each is read as a flow of its own.

mod acts;
mod beside;
mod bit;
mod certificate;
mod client;
mod handshake;
mod head;
mod holes;
mod http;
mod http2;
mod loss;
mod preface;
mod records;
mod server;
#[cfg(test)]
mod tests;

pub(super) use handshake::{begins_message, count_flow, is_syn};

/// Most bytes of all reckonings of capture loss in a shard.
pub(super) const MOST_RECKONED_BYTES: usize = loss::Loss::MOST_BYTES;

use super::assembly::Assembly;
use super::dns::Dns;
use super::duplicates::Reasons;
use super::engine::Scratch;
use super::events::{Act, At, Notes, Progress, Seen, Sink};
use super::follow::{Awaited, Follow};
use super::table::Entry;
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::coverage::{Counter, Ledger};
use crate::packet::Packet;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::protocol::http::BodyCursor;
use head::Place;

/// Bytes either way of where a stream stands beyond which a segment is not of
/// that stream: the largest receive windows in use are as large.
const WINDOW: u32 = 1 << 24;

/// What the client's next byte begins or continues.
#[derive(Debug)]
enum Mode {
    /// The first message, of a kind yet unknown. Not worth a look before this
    /// many bytes are there.
    Probe { need: usize },
    /// HTTP/1: the body that is being skipped, and how many bytes of the next
    /// head were searched for its end.
    Http { body: Option<BodyCursor>, scanned: usize },
    /// HTTP/2: frames.
    Http2(Box<http2::Http2>),
    /// What comes before the conversation proper.
    Preface(preface::Preface),
    /// DNS with length prefixes, both directions.
    Dns,
    /// TLS records of a followed flow, or as long as another hello may follow.
    Records(records::Records),
    /// Nothing known. So many turns may still show a beginning; `None` for a
    /// flow whose start was not seen, which may show one at any time.
    Unknown { tries: Option<u8> },
    /// The question is answered.
    Done,
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
        if ahead(end, self.high) < 1 << 30 {
            self.high = end;
        }
    }
}

/// How far `seq` lies ahead of `from`; above 2^31 it lies behind.
fn ahead(seq: u32, from: u32) -> u32 {
    seq.wrapping_sub(from)
}

/// Whether `seq` is far from `from`, ahead or behind.
fn is_far(seq: u32, from: u32) -> bool {
    ahead(seq, from).min(ahead(from, seq)) > WINDOW
}

/// What the server was asked to say first, and where its stream stood.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)] // likewise
struct Asked(Awaited, u32);

/// The state of a flow. What each segment asks for comes first, so that it lies
/// in one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Tcp {
    last: Timestamp,
    /// The quarter hour it was last seen in; 32 bits hold all that timestamps do.
    quarter: i32,
    bits: u32,
    client: Half,
    server: Half,
    /// What the server had heard of the client when it last spoke: where the
    /// client's next turn begins. Kept while bytes behind a hole are held.
    /// Where the server's payload was not seen, what the client had heard when
    /// it last spoke.
    turn: u32,
    /// First client byte not yet read, while there is no assembly.
    next: u32,
    follow: Option<Box<Follow>>,
    ahead: Option<Box<Assembly>>,
    back: Option<Box<Assembly>>,
    mode: Mode,
    /// What the capture lost of it, where that is reckoned.
    loss: Option<Box<loss::Loss>>,
    /// Bytes held, as last reported to the engine.
    held: u32,
    /// What the client said first, to know it again.
    head: head::Head,
    rival: Option<beside::Rival>,
    awaited: Asked,
    /// Number of the order of options in the client's SYN; 0 if unknown.
    order: u8,
    /// Another flow between the same ends and ports is under way.
    beside: bool,
}

impl Entry for Tcp {
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

impl Tcp {
    /// A flow that begins with this segment.
    pub(super) fn new(at: &At<'_>, sender_is_low: bool) -> Self {
        let mut flow = Tcp {
            last: at.packet.ts,
            quarter: i32::MIN,
            bits: 0,
            order: 0,
            beside: false,
            client: Half::default(),
            server: Half::default(),
            next: 0,
            turn: 0,
            held: 0,
            rival: None,
            head: head::Head::default(),
            mode: Mode::Probe { need: 1 },
            awaited: Asked(Awaited::Nothing, 0),
            ahead: None,
            back: None,
            follow: None,
            loss: None,
        };
        flow.set(bit::CLIENT_LOW, sender_is_low == handshake::sender_is_client(at));
        flow.set(bit::MID_STREAM, !handshake::is_syn(at));
        flow
    }

    #[inline]
    fn has(&self, bits: u32) -> bool {
        self.bits & bits != 0
    }

    fn set(&mut self, bits: u32, on: bool) {
        if on {
            self.bits |= bits;
        } else {
            self.bits &= !bits;
        }
    }

    /// Whether a segment from the lesser or the greater end comes from the client.
    #[inline]
    fn is_client(&self, sender_is_low: bool) -> bool {
        self.has(bit::CLIENT_LOW) == sender_is_low
    }

    /// The flow belongs to the sample: its capture loss is reckoned, and every
    /// frame of it compared with its copies.
    pub(super) fn sample(&mut self) {
        self.set(bit::SAMPLED, true);
    }

    /// Why a segment is to be compared with its copies, if it is. The payload
    /// of a flow that answered its question is of no account, and bare
    /// acknowledgements may be equal without being copies.
    #[inline]
    pub(super) fn reason(&self, p: &Packet, from_low: bool) -> Reasons {
        if p.payload_len | p.payload_missing == 0 && p.flags & (SYN | FIN | RST) == 0 {
            return Reasons::NONE;
        }
        if matches!(self.mode, Mode::Done) && self.follow.is_none() && p.flags & SYN == 0 && !self.has(bit::SAMPLED) {
            return Reasons::NONE;
        }
        let sampled = if self.has(bit::SAMPLED) { Reasons::SAMPLED } else { Reasons::NONE };
        let followed = if self.follow.is_some() { Reasons::FOLLOWED } else { Reasons::NONE };
        let decoded = if self.reads(p, from_low) { Reasons::DECODED } else { Reasons::NONE };
        decoded | followed | sampled
    }

    /// Whether something is read of a segment.
    #[inline]
    fn reads(&self, p: &Packet, from_low: bool) -> bool {
        if p.flags & SYN != 0 {
            return true;
        }
        if matches!(self.mode, Mode::Done | Mode::Unknown { tries: None | Some(0) }) && self.back.is_none()
            || p.payload_len == 0 && p.payload_missing == 0
        {
            return false;
        }
        match &self.mode {
            Mode::Http { body: Some(_), .. } => self.back.is_some(),
            Mode::Dns => true,
            _ => self.is_client(from_low) || self.back.is_some(),
        }
    }

    /// Takes a segment, whose direction is found here. False if it belongs to
    /// another flow between the same ends, or made one that was displaced.
    #[inline]
    pub(super) fn segment<S: Sink>(&mut self, mut at: At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        at.from_client = self.is_client(from_low);
        let p = at.packet;
        if p.conflict {
            self.set(bit::CONFLICT, true);
        }
        let mut seq = p.seq;
        if p.flags & SYN != 0 {
            if !self.handshake(&mut at, from_low, cx) {
                self.settle_down(); // it may wait for what the client does next
                return false;
            }
            seq = seq.wrapping_add(1);
        } else if self.bits & (bit::SYN | bit::CLIENT_DATA | bit::SERVER_DATA) == bit::SYN && self.is_of_next(seq, &at)
        {
            return false;
        }
        if p.ts > self.last {
            self.last = p.ts;
        }
        if !p.ts.is_in_quarter(self.quarter) {
            self.quarter = p.ts.quarter() as i32;
            cx.sink.present(&at, cx.ledger);
            if self.has(bit::PROVED) {
                cx.sink.proved(&at, cx.ledger);
            }
        }
        let mut mine = true;
        if p.flags & RST != 0 {
            self.reset(&at, cx);
        } else {
            mine = self.stream(seq, at, from_low, cx);
            if p.flags & FIN != 0 && mine {
                self.fin(&at, cx);
            }
        }
        if self.has(bit::SAMPLED) || self.follow.is_some() {
            self.reckon(p, from_low, cx);
        }
        if self.held > 0 || self.ahead.is_some() || self.back.is_some() {
            self.report_held(cx.scratch);
        }
        self.settle_down();
        mine && cx.scratch.displaced.is_none()
    }

    /// Notes what the flow still asks of its segments. What changes that is done
    /// by [`segment`](Self::segment), or ends with this.
    fn settle_down(&mut self) {
        const BEGUN: u32 = bit::OPENED | bit::SERVER_BASE | bit::SERVER_DATA;
        const OPEN: u32 =
            bit::CLOSED | bit::CERTIFICATE | bit::SAMPLED | bit::TO_PROXY | bit::TO_ABSOLUTE | bit::TO_OTHER;
        const HEARD: u32 = bit::CLIENT_BASE | bit::CLIENT_DATA;
        let quiet = self.bits & (BEGUN | OPEN) == BEGUN
            && self.bits & (bit::CONSENTED | bit::PROVED) != bit::CONSENTED
            && !matches!(self.mode, Mode::Dns)
            && self.rival.is_none()
            && !self.beside
            && self.follow.is_none()
            && self.ahead.is_none()
            && self.back.is_none();
        #[cfg(test)]
        let quiet = quiet && !super::testing::reads_all();
        self.set(bit::QUIET, quiet);
        self.set(bit::SETTLED, quiet && matches!(self.mode, Mode::Done) && self.bits & HEARD == HEARD);
    }

    /// Takes a segment that no question of the flow waits for, in a few steps:
    /// most segments of a capture are of that kind. `false` if it may mean more
    /// and [`segment`](Self::segment) is to take it.
    #[inline]
    pub(super) fn passes_by(&mut self, p: &Packet, from_low: bool) -> bool {
        if !self.has(bit::QUIET)
            || p.flags & (SYN | FIN | RST) != 0
            || p.conflict
            || p.sport == 53
            || !p.ts.is_in_quarter(self.quarter)
        {
            return false;
        }
        let payload = p.payload_len.saturating_add(p.payload_missing);
        if payload > 0 {
            let from_client = self.is_client(from_low);
            // The first message again may be another in its place.
            if from_client && (!self.has(bit::SETTLED) || p.seq == self.client.base) {
                return false;
            }
            let half = if from_client { &mut self.client } else { &mut self.server };
            if is_far(p.seq, half.high) {
                return false;
            }
            half.reach(p.seq.wrapping_add(payload));
            if !from_client {
                self.turn = p.ack;
            }
        }
        if p.ts > self.last {
            self.last = p.ts;
        }
        true
    }

    /// Takes what a segment says of the two streams; false if it is of others.
    #[inline(always)]
    fn stream<S: Sink>(&mut self, seq: u32, mut at: At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        let p = at.packet;
        let payload = p.payload_len.saturating_add(p.payload_missing);
        if payload > 0 && !self.is_of_this_stream(seq, &mut at, from_low, cx) {
            return false;
        }
        let mut mine = true;
        if !self.has(bit::OPENED) && (at.from_client || payload > 0) {
            self.open(&at, cx);
        }
        let mut progress = Progress::default();
        if p.flags & ACK != 0 {
            if at.from_client && self.rival.is_some_and(|r| r.consents()) {
                self.choose_consent(seq, &at);
            }
            if self.bits & (bit::CONSENTED | bit::PROVED) == bit::CONSENTED {
                self.prove(seq, &at, cx);
            }
            self.acknowledge(&at, &mut progress);
        }
        if payload > 0 {
            let end = seq.wrapping_add(payload);
            if at.from_client {
                self.client.reach(end);
                if !self.has(bit::CLIENT_DATA) {
                    self.began(&at, cx);
                }
                self.set(bit::CLIENT_DATA, true);
                self.set(bit::CLOSED, false);
                let place = if seq == self.client.base { self.compare_head(seq, &at, cx) } else { Place::Stream };
                match place {
                    Place::Stream => self.client_payload(seq, &at, cx),
                    Place::Read => {}
                    Place::Beside => mine = false,
                }
            } else {
                self.server.reach(end);
                let first = !self.has(bit::SERVER_DATA);
                self.set(bit::SERVER_DATA, true);
                if self.ahead.as_ref().is_none_or(|a| a.missing().is_none()) {
                    self.turn = p.ack;
                }
                if first {
                    cx.sink.act(&at, Act::Answered, cx.ledger);
                    self.expect_certificate(seq, &at);
                }
                self.server_payload(seq, &at, cx, &mut progress);
            }
        } else if at.from_client && self.ahead.is_some() {
            self.check_hole(&at, cx);
        }
        if self.follow.is_some() {
            self.advance(&at, cx, progress);
        }
        mine
    }

    /// The sink hears of the flow, now that one end of it has shown itself as
    /// the client or got payload as such. A SYN-ACK alone, or the reset that
    /// answers it, shows only that somebody used the client's address.
    fn open<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        self.set(bit::OPENED, true);
        if let Some(token) = cx.sink.opened(at, cx.ledger) {
            self.follow = Some(Box::new(Follow::new(token, self.client.base, self.server.base)));
        }
    }

    /// The client is known at another place now: the sink, which did not follow
    /// the flow, may know more of that.
    pub(super) fn open_there<S: Sink>(&mut self, mut at: At<'_>, from_low: bool, cx: &mut Context<'_, S>) {
        at.from_client = self.is_client(from_low);
        if at.from_client && self.has(bit::OPENED) && !self.has(bit::TOLD | bit::SPOKE) && self.follow.is_none() {
            self.open(&at, cx);
            self.settle_down();
        }
    }

    fn begin_client(&mut self, base: u32) {
        self.client.begin(base);
        self.head = head::Head::default();
        self.next = base;
        self.set(bit::CLIENT_BASE, true);
        if let Some(f) = self.follow.as_mut() {
            f.counted_client = base;
        }
    }

    fn begin_server(&mut self, base: u32) {
        self.server.begin(base);
        if !self.has(bit::SERVER_DATA) {
            self.turn = base;
        }
        self.set(bit::SERVER_BASE, true);
        // What was awaited before began at a number that nobody knew.
        if self.back.is_some() {
            self.back = Some(Box::new(Assembly::new(base)));
        }
        if let Some(f) = self.follow.as_mut() {
            f.counted_server = base;
            f.rebase(base);
        }
    }

    /// Notes what the sender has received of the other end's stream.
    fn acknowledge(&mut self, at: &At<'_>, progress: &mut Progress) {
        let ack = at.packet.ack;
        if !at.from_client {
            if let Some(a) = self.ahead.as_mut() {
                a.acked = ack;
            }
            if let Some(f) = self.follow.as_mut()
                && self.bits & (bit::CLIENT_BASE | bit::CLIENT_FIN) == bit::CLIENT_BASE
            {
                let before = self.client.high;
                self.client.reach(ack);
                if before == self.client.base && self.client.high != before {
                    // Until now the client had said nothing that was seen.
                    f.rebase(self.server.high);
                }
            }
            return;
        }
        if self.follow.is_some() {
            self.server_at(at);
            self.judge(progress);
        }
    }

    /// Where the server's stream stands, by what was seen and acknowledged.
    fn server_at(&mut self, at: &At<'_>) -> u32 {
        if at.from_client && at.packet.flags & ACK != 0 {
            let ack = at.packet.ack;
            if !self.has(bit::SERVER_BASE) {
                self.begin_server(ack);
            } else if !self.has(bit::SERVER_FIN) {
                // The FIN takes a number of its own, which is no payload.
                self.server.reach(ack);
            }
        }
        self.server.high
    }

    fn judge(&mut self, progress: &mut Progress) {
        // A FIN of the client takes one number as well.
        let client_spoke = self.has(bit::CLIENT_DATA)
            || self.has(bit::CLIENT_BASE) && ahead(self.client.high, self.client.base).wrapping_sub(2) < 1 << 30;
        if let Some(f) = self.follow.as_mut()
            && self.bits & bit::SERVER_BASE != 0
        {
            f.judge(self.server.high, client_spoke, self.bits & bit::SERVER_DATA != 0, progress);
        }
    }

    fn advance<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>, mut progress: Progress) {
        let server_at = self.server_at(at);
        self.judge(&mut progress);
        let (client_at, bits) = (self.client.high, self.bits);
        let Some(f) = self.follow.as_mut() else { return };
        if bits & bit::CLIENT_BASE != 0 {
            progress.to_server = f.count_client(client_at);
        }
        if bits & bit::SERVER_BASE != 0 {
            progress.from_server = f.count_server(server_at);
        }
        let token = f.token;
        if !progress.is_empty() {
            cx.sink.progress(at, token, &progress, cx.ledger);
        }
    }

    fn fin<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        self.set(if at.from_client { bit::CLIENT_FIN } else { bit::SERVER_FIN }, true);
        const BOTH: u32 = bit::CLIENT_FIN | bit::SERVER_FIN;
        if self.bits & BOTH == BOTH {
            self.set(bit::CLOSED, true);
        }
        if at.from_client {
            self.read_unfinished(at, cx);
        }
    }

    fn reset<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        if !self.is_likely_reset(at) {
            return;
        }
        self.set(bit::CLOSED, true);
        let client_spoke = self.has(bit::CLIENT_DATA);
        if !at.from_client
            && let Some(f) = self.follow.as_ref()
        {
            let progress = Progress { notes: f.reset(client_spoke), ..Progress::default() };
            if !progress.is_empty() {
                cx.sink.progress(at, f.token, &progress, cx.ledger);
            }
        }
        self.read_unfinished(at, cx);
    }

    fn tell<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, cx: &mut Context<'_, S>) {
        self.tell_with(at, seen, self.notes(), cx);
    }

    /// Tells the sink, and begins, changes or ends following as it wants.
    fn tell_with<S: Sink>(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, cx: &mut Context<'_, S>) {
        let mut token = self.follow.as_ref().map(|f| f.token);
        let before = token;
        cx.sink.seen(at, seen, notes, &mut token, cx.ledger);
        if token != before {
            self.back = None;
            self.follow = token.map(|token| {
                // Of a flow's first message all bytes count, whatever began
                // the flow; of a later one those from there on.
                let first = !self.has(bit::GAP | bit::TOLD);
                let (client, server) = if first {
                    (self.client.base, self.server.base)
                } else {
                    // A reset of the server may end the wait for the rest of
                    // a message.
                    let here = at.from_client && !is_far(at.packet.seq, self.client.high);
                    (if here { at.packet.seq } else { self.client.high }, self.server.high)
                };
                Box::new(Follow::new(token, client, server))
            });
        }
        self.set(bit::TOLD, true);
    }

    /// Tells the engine how many bytes the flow holds now.
    fn report_held(&mut self, scratch: &mut Scratch) {
        let held = [&self.ahead, &self.back].into_iter().flatten().map(|a| a.cost()).fold(0, usize::saturating_add);
        let held = held.saturating_add(self.http2_cost());
        scratch.held = scratch.held.saturating_sub(self.held as usize).saturating_add(held);
        self.held = u32::try_from(held).unwrap_or(u32::MAX);
        if held > 0 && !self.has(bit::LISTED) {
            self.set(bit::LISTED, true);
            scratch.begins_to_hold = true;
        }
    }

    /// Whether bytes are held. If not, the flow is taken off the list.
    pub(super) fn still_holds(&mut self) -> bool {
        self.set(bit::LISTED, self.held > 0);
        self.held > 0
    }

    /// Gives up what is held, and waits for another beginning.
    pub(super) fn let_go(&mut self, scratch: &mut Scratch) {
        if self.ahead.take().is_some() {
            self.set(bit::GAP, true);
            match self.mode {
                Mode::Http2(_) => {}
                // Nobody knows where the next head begins.
                Mode::Http { body: Some(_), .. } => self.mode = Mode::Done,
                _ => self.mode = Mode::Unknown { tries: None },
            }
        }
        if self.back.take().is_some() {
            self.set(bit::SERVER_LOST, true);
            if let Some(f) = self.follow.as_mut() {
                f.lose_server();
            }
        }
        self.drop_http2();
        self.report_held(scratch);
        self.set(bit::LISTED, false);
    }

    /// The flow ended or is forgotten.
    pub(super) fn close<S: Sink>(mut self, sink: &mut S, ledger: &mut Ledger, scratch: &mut Scratch) {
        if self.ahead.take().is_some_and(|a| a.hole().is_some()) {
            ledger.count(Counter::StreamGaps);
        }
        self.back = None;
        self.drop_http2();
        self.report_held(scratch);
        self.end_reckoning(ledger, scratch);
        if self.has(bit::HELLO_OPEN) {
            ledger.count(Counter::TlsHellosIncomplete);
        }
        let data = self.bits & (bit::CLIENT_DATA | bit::SERVER_DATA);
        if data != 0 {
            ledger.count(Counter::FlowsWithPayload);
        }
        if data == bit::CLIENT_DATA || data == bit::SERVER_DATA {
            ledger.count(Counter::FlowsOneSided);
        }
        if let Some(f) = self.follow {
            sink.closed(f.token, ledger);
        }
    }
}
