//! HTTP/2 requests in the client's stream.

use super::http::list_hosts;
use super::{Context, Mode, Tcp, bit};
use crate::coverage::Counter;
use crate::flow::events::{At, HttpSeen, Note, Seen, Sink};
use crate::flow::http2::Asked;
use crate::protocol::Probe;
use crate::protocol::http::host_of;
use crate::protocol::http2::{self, Cursor, Section, Side, Step};

/// The client's half of an HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Http2 {
    cursor: Cursor,
    /// The last stream that the client opened.
    last: u32,
    /// Requests were told.
    spoke: bool,
}

impl Http2 {
    /// Bytes of memory that it takes.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>().saturating_add(self.cursor.cost())
    }
}

impl Tcp {
    /// The client's preface, at the start of a stream or behind a request that
    /// asked for HTTP/2; the mode changes if it was found.
    pub(super) fn probe_http2<S>(&mut self, rest: &[u8], cx: &mut Context<'_, S>) -> Probe<usize> {
        let found = http2::preface(rest);
        if matches!(found, Probe::Found(_)) {
            cx.ledger.count(Counter::Http2Connections);
            self.set(bit::SPOKE | bit::KNOWN, true);
            // Stream 1 is the request that asked for it (RFC 7540 section 3.2).
            let last = u32::from(self.has(bit::TO_HTTP2));
            let cursor = Cursor::new(Side::Client, false);
            self.mode = Mode::Http2(Box::new(Http2 { cursor, last, spoke: last > 0 }));
            self.report_held(cx.scratch);
        }
        found
    }

    /// Reads a frame or passes over a part of one: bytes used, 0 to wait for
    /// more, `None` for enough.
    pub(super) fn read_http2<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        let Mode::Http2(state) = &mut self.mode else { return None };
        match state.cursor.next(rest, state.last, &mut cx.scratch.section) {
            Step::More => Some(0),
            Step::Passed(n) | Step::Data(n, _) => Some(n),
            Step::TooLong(n) => {
                cx.ledger.count(Counter::StreamOverflow);
                Some(n)
            }
            Step::Fields(n, stream) => {
                self.fields(stream, at, cx);
                Some(n)
            }
            Step::Broken => {
                cx.ledger.count(Counter::HttpMalformed);
                self.mode = Mode::Done;
                None
            }
        }
    }

    /// A field section: the request that opens a stream, or the trailers that
    /// end one.
    fn fields<S: Sink>(&mut self, stream: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Mode::Http2(state) = &mut self.mode else { return };
        if stream <= state.last {
            return;
        }
        state.last = stream;
        let first = !std::mem::replace(&mut state.spoke, true);
        let section = std::mem::take(&mut cx.scratch.section);
        self.http2_request(stream, first, &section, at, cx);
        cx.scratch.section = section;
    }

    /// Tells a request.
    fn http2_request<S: Sink>(
        &mut self,
        stream: u32,
        first: bool,
        section: &Section,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) {
        cx.ledger.count(Counter::HttpRequests);
        if section.method().is_none() && !section.missing() && !section.partial() {
            cx.ledger.count(Counter::HttpMalformed);
            return;
        }
        // CONNECT with a protocol asks the host itself for another protocol
        // (RFC 8441), and is a request like others.
        let tunnel = section.method() == Some(b"CONNECT") && section.protocol().is_none();
        let mut names = std::mem::take(&mut cx.scratch.hosts);
        let mut target = std::mem::take(&mut cx.scratch.name);
        target.clear();
        let authority = section.authorities().next();
        let mut used = 0;
        if authority.is_none() && section.missing() {
            cx.ledger.count(Counter::Http2HostsLost);
        } else if tunnel {
            target.set_text(host_of(authority.unwrap_or(&[])));
            used = list_hosts(section.hosts(), &mut names);
        } else {
            // Beside the authority a host field counts only where it differs;
            // a receiver may refuse that (RFC 9113 section 8.3.1).
            let beside = section.hosts().filter(|h| authority.is_none_or(|a| !is_same_host(h, a)));
            used = list_hosts(section.authorities().chain(beside), &mut names);
            if used == 0 {
                cx.ledger.count(Counter::HttpNoHost);
            }
        }
        let notes = self
            .notes()
            .with_if(used > 1, Note::Ambiguous)
            .with_if(section.partial(), Note::PartialMessage)
            .with_if(tunnel, Note::ViaProxy);
        let seen = Seen::Http(HttpSeen {
            hosts: names.get(..used).unwrap_or(&[]),
            connect: (tunnel && !target.is_empty()).then_some(&target),
            absolute: false,
            path: section.path().unwrap_or(&[]),
            user_agent: section.user_agent(),
        });
        // The server's stream is read on, whichever contact it answers.
        let before = self.follow.as_ref().map(|f| f.token);
        let reading = self.follow.as_mut().and_then(|f| f.http2.take()).zip(self.back.take());
        self.tell_with(at, &seen, notes, cx);
        cx.scratch.hosts = names;
        cx.scratch.name = target;
        let server_at = self.server_at(at);
        let Some(f) = self.follow.as_mut() else { return };
        let again = before == Some(f.token);
        self.back = f.begin_http2(Asked { stream, tunnel, first, again }, server_at, reading);
    }

    /// Reads what is complete of a request whose frame is cut.
    pub(super) fn partial_http2<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        let Mode::Http2(state) = &mut self.mode else { return };
        let section = &mut cx.scratch.section;
        let Some(stream) = state.cursor.partial(bytes, section) else { return };
        if section.authorities().next().is_some() || section.hosts().next().is_some() {
            self.fields(stream, at, cx);
        }
    }

    /// Passes over missing bytes. False where that leaves open what follows:
    /// another beginning is looked for then, but not behind the beginning of
    /// a body, since nobody knows how much of it is missing.
    pub(super) fn pass_over_http2(&mut self, missing: u64) -> bool {
        let Mode::Http2(state) = &mut self.mode else { return false };
        let in_body = state.cursor.body().is_some();
        let passed = state.cursor.skip(missing);
        if !passed && in_body {
            self.mode = Mode::Done;
        }
        passed
    }

    /// Forgets what is kept of the connection.
    pub(super) fn drop_http2(&mut self) {
        if matches!(self.mode, Mode::Http2(_)) {
            self.mode = Mode::Done;
        }
        if let Some(f) = self.follow.as_mut()
            && f.http2.is_some()
        {
            f.lose_server();
        }
    }

    /// Bytes that the HTTP/2 state of both directions takes.
    pub(super) fn http2_cost(&self) -> usize {
        let client = if let Mode::Http2(state) = &self.mode { state.cost() } else { 0 };
        let server = self.follow.as_ref().and_then(|f| f.http2.as_ref()).map_or(0, |h| h.cost());
        client.saturating_add(server)
    }
}

/// Whether a host field says what the authority says.
fn is_same_host(host: &[u8], authority: &[u8]) -> bool {
    host_of(host).eq_ignore_ascii_case(host_of(authority))
}
