//! Requests in the client's stream.

use super::server::HOLE_PATIENCE;
use super::{Asked, Context, Mode, Tcp, bit};
use crate::base::Name;
use crate::coverage::Counter;
use crate::flow::assembly::{Assembly, Took};
use crate::flow::events::{At, HttpSeen, Note, Seen, Sink};
use crate::flow::follow::{Awaited, Kind, final_status, is_interim};
use crate::protocol::http::{self, BodyCursor, Upgrade};
use crate::protocol::{Probe, tls};

/// Longest head of a request.
const MAX_HEAD: usize = http::MAX_HEAD;
/// Up to here what is at hand of a head is looked at whenever more comes.
const EARLY: usize = 256;
/// Most bytes in which the answer to an offer is looked for.
const MAX_ANSWER: usize = 4096;
/// Most hosts of one request.
const MAX_HOSTS: usize = 8;

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

impl Tcp {
    /// A request at the start of the stream: as `read_http`; the mode stays
    /// `Probe` if it is none.
    pub(super) fn probe_http<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        match self.probe_http2(rest, cx) {
            Probe::Found(n) => return Some(n),
            Probe::More(need) => {
                self.mode = Mode::Probe { need };
                return Some(0);
            }
            Probe::Not => {}
        }
        if matches!(http::request(rest), Probe::Not) && http::partial_request(rest).is_none() {
            return None;
        }
        self.mode = Mode::Http { body: None, scanned: 0 };
        self.read_http(rest, at, cx)
    }

    /// Reads a head or passes over a body: bytes used, 0 to wait for more,
    /// `None` for enough.
    pub(super) fn read_http<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        if rest.first() == Some(&b'P') && matches!(self.mode, Mode::Http { body: None, .. }) {
            match self.probe_http2(rest, cx) {
                Probe::Found(n) => return Some(n),
                Probe::More(_) => return Some(0),
                Probe::Not => {}
            }
        }
        let Mode::Http { body, scanned } = &mut self.mode else { return None };
        if let Some(cursor) = body {
            let Some((n, ended)) = cursor.advance(rest) else {
                self.await_turn(at, cx);
                return None;
            };
            if ended {
                *body = None;
            }
            return Some(n);
        }
        if !head_ends(rest, *scanned) {
            if *scanned < EARLY && matches!(http::request(rest), Probe::Not) {
                return self.http_is_over(rest, at, cx);
            }
            *scanned = rest.len();
            return if rest.len() < MAX_HEAD { Some(0) } else { self.http_is_over(rest, at, cx) };
        }
        let looked_at = rest.len();
        *scanned = 0;
        match http::request(rest) {
            Probe::Found(request) => {
                let len = request.len;
                self.http_request(&request, false, at, cx);
                matches!(self.mode, Mode::Http { .. } | Mode::Probe { .. }).then_some(len)
            }
            // An empty line before the request line, perhaps.
            Probe::More(_) if looked_at < MAX_HEAD => {
                *scanned = looked_at;
                Some(0)
            }
            Probe::More(_) | Probe::Not => self.http_is_over(rest, at, cx),
        }
    }

    /// What should be the next request is none, or too long for one.
    fn http_is_over<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        if let Some(request) = http::partial_request(rest) {
            cx.ledger.count(Counter::StreamOverflow);
            self.http_request(&request, true, at, cx);
            self.mode = Mode::Done;
            return None;
        }
        // Behind a request that asked for TLS (RFC 2817), or a proxy's own
        // kind of consent.
        if self.has(bit::KNOWN) && !matches!(tls::client_hello(rest, &mut Vec::new()), Probe::Not) {
            self.mode = Mode::Probe { need: 1 };
            return self.probe(rest, at, cx);
        }
        let known = self.has(bit::KNOWN);
        if !known || self.awaited.0.is_proxys() {
            // At the start of a stream or of a tunnel: commands begin like methods.
            self.mode = Mode::Probe { need: 1 };
            if let Some(n) = self.probe_preface(rest, at, cx) {
                return Some(n);
            }
            if !matches!(self.mode, Mode::Probe { .. }) {
                return None;
            }
        }
        if known {
            // In a tunnel it may be how another protocol begins.
            let server_at = self.server_at(at);
            if let Some(f) = self.follow.as_mut() {
                f.begin_plain(server_at);
            }
            if self.has(bit::VIA_PROXY | bit::TO_OTHER | bit::TO_HTTP2) {
                self.mode = Mode::Done;
            } else {
                // No more than a body that is longer than was said, perhaps.
                self.await_turn(at, cx);
            }
        } else {
            cx.ledger.count(Counter::HttpMalformed);
            self.unrecognised(at, cx);
        }
        None
    }

    pub(super) fn http_request<S: Sink>(
        &mut self,
        request: &http::Request<'_>,
        partial: bool,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) {
        cx.ledger.count(Counter::HttpRequests);
        self.set(bit::SPOKE | bit::KNOWN, true);
        let is_connect = request.method == b"CONNECT";
        let mut names = std::mem::take(&mut cx.scratch.hosts);
        let mut target = std::mem::take(&mut cx.scratch.name);
        let absolute = request.authority.filter(|_| !is_connect);
        // A search for devices (SSDP) names no host.
        let silent = absolute.is_some() || request.method == b"M-SEARCH";
        let fields = request.hosts.iter().map(|h| &**h).filter(|_| !silent);
        let used = list_hosts(absolute.into_iter().chain(fields), &mut names);
        target.set_text(http::host_of(request.authority.unwrap_or(&[])));
        if used == 0 && !is_connect {
            cx.ledger.count(Counter::HttpNoHost);
        }
        let notes = self
            .notes()
            .with_if(used > 1, Note::Ambiguous)
            .with_if(partial, Note::PartialMessage)
            .with_if(absolute.is_some() || is_connect, Note::ViaProxy);
        let seen = Seen::Http(HttpSeen {
            hosts: names.get(..used).unwrap_or(&[]),
            connect: (is_connect && !target.is_empty()).then_some(&target),
            absolute: absolute.is_some(),
            path: request.path,
            user_agent: request.user_agent.as_deref(),
        });
        self.tell_with(at, &seen, notes, cx);
        cx.scratch.hosts = names;
        cx.scratch.name = target;
        let server_at = self.server_at(at);
        if is_connect {
            self.set(bit::VIA_PROXY, true);
            self.awaited = Asked(Awaited::Connect, server_at);
        }
        self.begin_exchange(if is_connect { Kind::Proxy } else { Kind::Http }, server_at);
        self.offer(request.upgrade, server_at);
        if let Some(f) = self.follow.as_mut() {
            f.ask_proxy(absolute.is_some());
        }
        self.asks_proxy(is_connect, absolute.filter(|_| !partial), at);
        self.mode = if is_connect {
            // The tunnel's stream begins after the proxy's consent.
            Mode::Probe { need: 1 }
        } else {
            Mode::Http { body: BodyCursor::new(request.body), scanned: 0 }
        };
        if !is_connect && !partial && request.body == http::Body::Unknown {
            self.await_turn(at, cx);
        }
    }

    /// Nobody knows where the body ends. What is sent with it is left alone;
    /// where the client speaks again after the server's answer, it asks anew.
    fn await_turn<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        cx.ledger.count(Counter::HttpMalformed);
        cx.ledger.count(Counter::HttpUnclear);
        let server_at = self.server_at(at);
        // The turn that was begun is over: this request may be repeated.
        self.turn = if self.has(bit::SERVER_DATA) { self.client.base } else { server_at };
        self.mode = Mode::Unknown { tries: None };
    }

    /// Notes which protocol the request offers to switch to. Where nothing
    /// else reads the server's stream, its answer is read by itself.
    fn offer(&mut self, upgrade: Upgrade, server_at: u32) {
        self.set(bit::TO_HTTP2, upgrade == Upgrade::Http2);
        self.set(bit::TO_OTHER, upgrade == Upgrade::Other);
        if let Some(f) = self.follow.as_mut() {
            f.offer_http2(upgrade == Upgrade::Http2);
        }
        if upgrade == Upgrade::Other && !self.is_answer_read() {
            self.back = Some(Box::new(Assembly::new(server_at)));
        }
    }

    /// Whether the server's answer is read for a followed contact.
    fn is_answer_read(&self) -> bool {
        self.follow.as_ref().is_some_and(|f| f.wants_server())
    }

    /// The server answers an offer to switch to a protocol that is not read.
    /// Returns what is still to be read of the answer.
    #[inline(never)]
    pub(super) fn answer_to_offer(&mut self, seq: u32, at: &At<'_>) -> Option<Box<Assembly>> {
        if self.is_answer_read() {
            return None;
        }
        let Some(mut a) = self.back.take() else {
            // A part of it is missing: a segment must begin with it.
            if let Probe::Found(status) = http::status(at.payload) {
                self.answered_offer(status.code);
            }
            return None;
        };
        let mut code = None;
        let out = a.push(seq, at.payload, at.packet.ts, |bytes, _| match final_status(bytes) {
            Probe::More(_) if bytes.len() < MAX_ANSWER => Took::Bytes(0),
            Probe::Found((found, _)) => {
                code = Some(found);
                Took::Enough
            }
            _ => Took::Enough,
        });
        if let Some(code) = code {
            self.answered_offer(code);
        }
        let lost = out.overflow
            || at.packet.payload_missing > 0
            || a.hole().is_some_and(|t| at.packet.ts.since(t) > HOLE_PATIENCE);
        (!out.enough && !lost).then_some(a)
    }

    /// Where the server agrees, nothing in the stream is a request any more,
    /// whatever it looks like.
    pub(super) fn answered_offer(&mut self, code: u16) {
        if code == 101 && matches!(self.mode, Mode::Http { .. } | Mode::Unknown { .. }) {
            self.mode = Mode::Done;
            self.ahead = None;
        }
        // Interim responses leave it open (RFC 9110 section 15.2).
        self.set(bit::TO_OTHER, is_interim(code));
    }
}

/// Canonical names of the hosts that `values` give, in the buffers of `names`;
/// how many.
pub(super) fn list_hosts<'v>(values: impl Iterator<Item = &'v [u8]>, names: &mut Vec<Name>) -> usize {
    let mut used = 0;
    for host in values.map(http::host_of).filter(|h| !h.is_empty()).take(MAX_HOSTS) {
        if names.len() <= used {
            names.push(Name::new());
        }
        if let Some(n) = names.get_mut(used) {
            n.set_text(host);
            used = used.saturating_add(1);
        }
    }
    used
}
