//! The client's TLS records behind its ClientHello: how far it got, and
//! whether it sends another hello.
//!
//! A server may ask for another one (HelloRetryRequest, RFC 8446 section
//! 4.1.4). It is to have the same name, but servers go on with the name that it
//! has; so do some that were not seen to ask.

use super::{Context, Mode, Tcp, bit};
use crate::coverage::Counter;
use crate::flow::engine::Scratch;
use crate::flow::events::{At, Sink};
use crate::flow::follow::RecordWalker;
use crate::protocol::Probe;
use crate::protocol::tls::{self, RecordHeader};

/// Content types.
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Bytes of a record from which a hello is told from another message.
const HELLO_BEGINS: usize = 10;

/// What is remembered of a hello while another one may follow.
#[derive(Clone, Copy, Debug)]
struct First {
    /// Hash of its server name.
    name: u32,
    /// What the client had heard of the server.
    heard: u32,
}

/// Where the records behind a hello stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Records {
    walker: RecordWalker,
    first: Option<First>,
}

impl Records {
    /// Behind a hello of this name.
    pub(super) fn behind(hello: &tls::ClientHello<'_>, name: &[u8], heard: u32, scratch: &Scratch) -> Self {
        let first = First { name: scratch.hash_id(name) as u32, heard };
        Records { walker: inside(hello), first: Some(first) }
    }

    /// Whether another hello may follow.
    pub(super) fn await_hello(&self) -> bool {
        self.first.is_some()
    }

    /// Passes over bytes that were not captured.
    pub(super) fn skip(&mut self, missing: u64) {
        self.walker.skip(missing);
    }

    /// Takes the next byte to begin a record.
    pub(super) fn restart(&mut self) {
        self.walker = RecordWalker::default();
    }
}

fn inside(hello: &tls::ClientHello<'_>) -> RecordWalker {
    RecordWalker::inside(hello.record_end.saturating_sub(hello.len))
}

impl Tcp {
    /// What the client has heard of the server, by the segment at hand.
    pub(super) fn heard(&self, at: &At<'_>) -> u32 {
        if at.from_client { at.packet.ack } else { self.server.high }
    }

    /// Walks the headers of records: bytes used, 0 to wait for more, `None` for
    /// enough.
    pub(super) fn walk_records<S: Sink>(&mut self, rest: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) -> Option<usize> {
        let server_at = self.server_at(at);
        let Mode::Records(Records { first, .. }) = self.mode else { return None };
        if let Some(first) = first
            && let Some(done) = self.behind_hello(first, rest, at, cx)
        {
            return done;
        }
        let Mode::Records(Records { walker, .. }) = &mut self.mode else { return None };
        let Some(f) = self.follow.as_mut().filter(|f| f.wants_records()) else {
            self.mode = Mode::Done;
            return None;
        };
        match walker.take(rest, |kind| f.client_record(kind, server_at)) {
            Some(n) => Some(n),
            None => {
                // Out of step: the next segment may begin a record.
                *walker = RecordWalker::default();
                Some(rest.len())
            }
        }
    }

    /// Walks one record while another hello may follow; `None` where none will
    /// any more.
    fn behind_hello<S: Sink>(
        &mut self,
        first: First,
        rest: &[u8],
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> Option<Option<usize>> {
        let heard = self.heard(at);
        let server_at = self.server.high;
        let Mode::Records(records) = &mut self.mode else { return None };
        let passed = records.walker.pass(rest);
        if passed > 0 {
            return Some(Some(passed));
        }
        let Some(header) = rest.first_chunk() else { return Some(Some(0)) };
        let ends = match tls::record_header(header) {
            Some(RecordHeader { len: 0, .. }) => false,
            Some(RecordHeader { content_type: HANDSHAKE, .. }) => {
                if rest.len() < HELLO_BEGINS {
                    return Some(Some(0));
                }
                if tls::looks_like_client_hello(rest) {
                    return Some(self.another_hello(first, rest, at, cx));
                }
                // Up to TLS 1.2 the handshake goes on.
                true
            }
            // Early data come before the client has heard anything.
            Some(RecordHeader { content_type: APPLICATION_DATA, .. }) => heard != first.heard,
            Some(_) => false,
            None => true,
        };
        if ends {
            records.first = None;
            return None;
        }
        records.walker.take(header, |kind| {
            if let Some(f) = self.follow.as_mut() {
                f.client_record(kind, server_at);
            }
        });
        Some(Some(header.len()))
    }

    /// Tells another hello if it names another host.
    fn another_hello<S: Sink>(
        &mut self,
        first: First,
        rest: &[u8],
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> Option<usize> {
        let mut hello = std::mem::take(&mut cx.scratch.hello);
        let done = match tls::client_hello(rest, &mut hello) {
            Probe::Found(h) => {
                self.count_hello(cx.ledger);
                self.set(bit::HELLO_OPEN, false);
                if h.extent == tls::Extent::Oversized {
                    cx.ledger.count(Counter::StreamOverflow);
                }
                self.tell_another(first, &h, at, cx)
            }
            Probe::More(_) => {
                self.count_hello(cx.ledger);
                Some(0)
            }
            Probe::Not => {
                self.mode = Mode::Done;
                None
            }
        };
        cx.scratch.hello = hello;
        done
    }

    fn tell_another<S: Sink>(
        &mut self,
        first: First,
        h: &tls::ClientHello<'_>,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
    ) -> Option<usize> {
        cx.scratch.name.set_text(h.server_name.unwrap_or(&[]));
        let name = cx.scratch.name.as_bytes();
        if name.is_empty() || cx.scratch.hash_id(name) as u32 == first.name {
            self.mode = Mode::Records(Records { walker: inside(h), first: Some(first) });
            return Some(h.len);
        }
        self.client_hello(h, at, cx)
    }

    /// Reads what is complete of another hello whose rest will not come.
    pub(super) fn partial_another<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        let Mode::Records(Records { first: Some(first), .. }) = self.mode else { return };
        let mut hello = std::mem::take(&mut cx.scratch.hello);
        if tls::looks_like_client_hello(bytes)
            && let Some(h) = tls::partial_client_hello(bytes, &mut hello)
            && h.server_name.is_some()
        {
            self.set(bit::HELLO_OPEN, false);
            cx.ledger.count(Counter::TlsHellosIncomplete);
            self.tell_another(first, &tls::ClientHello { extent: tls::Extent::Cut, record_end: h.len, ..h }, at, cx);
        }
        cx.scratch.hello = hello;
    }
}
