//! Bytes of the client that are missing: how long they are waited for, and
//! what is read without them.

use super::client::begins_dns;
use super::handshake::looks_like_start;
use super::{Context, Mode, Tcp, WINDOW, ahead, bit};
use crate::base::time::SECOND;
use crate::coverage::{Counter, Ledger};
use crate::flow::assembly::Took;
use crate::flow::events::{At, Sink};
use crate::protocol::{http, tls};

/// A hole is given up after this long.
const HOLE_PATIENCE: i64 = 5 * SECOND;
/// The same where the server has acknowledged what is missing, so that nobody
/// will send it again: time for segments that the capture reordered.
const CAPTURE_PATIENCE: i64 = SECOND / 2;
impl Tcp {
    /// The capture holds only the start of the segment: nothing will bring
    /// the rest.
    pub(super) fn cut<S: Sink>(&mut self, seq: u32, payload: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        let missing = at.packet.payload_missing;
        if missing == 0 || self.client_at() != seq.wrapping_add(payload.len() as u32) {
            return;
        }
        self.next = self.client_at().wrapping_add(missing);
        if self.ahead.is_none() && self.pass_over(u64::from(missing)) {
            return;
        }
        if self.ahead.as_ref().is_none_or(|a| a.hole().is_none()) {
            self.count_cut(cx.ledger);
            self.give_up(at, cx);
        }
    }

    /// Counts the message of which the capture holds only the start.
    fn count_cut(&self, ledger: &mut Ledger) {
        match self.mode {
            Mode::Probe { .. } | Mode::Records(_) if self.has(bit::HELLO_OPEN) => ledger.count(Counter::TlsHellosCut),
            Mode::Probe { .. } if !self.has(bit::SPOKE) => ledger.count(Counter::StreamHeadsCut),
            Mode::Http { body: None, .. } => ledger.count(Counter::HttpCut),
            Mode::Dns => ledger.count(Counter::DnsCut),
            _ => {}
        }
    }

    /// Passes over missing bytes that hold no message of interest.
    fn pass_over(&mut self, missing: u64) -> bool {
        match &mut self.mode {
            Mode::Done | Mode::Unknown { .. } => true,
            Mode::Records(records) => {
                records.skip(missing);
                true
            }
            Mode::Http { body, .. } => match body.as_mut().and_then(|b| b.skip(missing)) {
                Some(ended) => {
                    if ended {
                        *body = None;
                    }
                    true
                }
                None => false,
            },
            Mode::Http2(_) => self.pass_over_http2(missing),
            Mode::Probe { .. } | Mode::Preface(_) | Mode::Dns => false,
        }
    }

    /// Ends the wait for missing bytes if it was long enough.
    pub(super) fn check_hole<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let ts = at.packet.ts;
        let Some(a) = self.ahead.as_mut() else { return };
        let lost = ahead(a.acked, a.next()).wrapping_sub(1) < WINDOW;
        if lost {
            a.note_hole(ts);
        }
        let Some(since) = a.hole() else { return };
        if ts.since(since) <= if lost { CAPTURE_PATIENCE } else { HOLE_PATIENCE } {
            return;
        }
        let Some(mut a) = self.ahead.take() else { return };
        cx.ledger.count(Counter::StreamGaps);
        self.set(bit::GAP, true);
        let missing = a.missing();
        if !(a.is_empty() && missing.is_some_and(|n| self.pass_over(n))) {
            a.flush(|bytes| self.read_partial(bytes, at, cx));
            match &mut self.mode {
                // Inside a body nobody knows where the next head begins.
                Mode::Http { body: Some(_), .. } | Mode::Done => self.mode = Mode::Done,
                Mode::Records(records) => records.restart(),
                Mode::Http2(_) => {
                    self.pass_over_http2(missing.unwrap_or(u64::MAX));
                }
                _ => self.mode = Mode::Probe { need: 1 },
            }
        }
        if missing.is_none() {
            self.next = self.client.high;
            if !matches!(self.mode, Mode::Records(_) | Mode::Http2(_) | Mode::Done) {
                self.mode = Mode::Unknown { tries: None };
            }
            return;
        }
        let behind = a.next().wrapping_add(missing.unwrap_or(0) as u32);
        let mut begins = self.is_turn(behind);
        let out = a.skip_hole(ts, |bytes, _| {
            let dns = at.endpoints().sport == 53 && begins_dns(bytes);
            if matches!(self.mode, Mode::Probe { .. }) && !(begins && looks_like_start(bytes)) && !dns {
                self.mode = Mode::Unknown { tries: None };
                return Took::Enough;
            }
            begins = true;
            self.read_client(bytes, at, cx)
        });
        self.settle(a, out, at, cx);
    }

    /// Gives up an unfinished message: reads what is complete of it.
    fn give_up<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        cx.ledger.count(Counter::StreamGaps);
        self.set(bit::GAP, true);
        if let Some(mut a) = self.ahead.take() {
            a.flush(|bytes| self.read_partial(bytes, at, cx));
        }
        match self.mode {
            Mode::Http { body: Some(_), .. } => self.mode = Mode::Done,
            Mode::Done | Mode::Records(_) => {}
            Mode::Http2(_) => {
                self.pass_over_http2(at.packet.payload_missing.into());
            }
            _ => {
                // What follows the missing bytes is a continuation.
                if !self.has(bit::SPOKE) {
                    self.unrecognised(at, cx);
                }
                self.mode = Mode::Unknown { tries: None };
            }
        }
    }

    /// The end of the stream was announced: if what is at hand of a message
    /// names a host, that will do; otherwise more may still come.
    pub(super) fn read_unfinished<S: Sink>(&mut self, at: &At<'_>, cx: &mut Context<'_, S>) {
        let Some(mut a) = self.ahead.take() else { return };
        let before = self.bits & bit::KNOWN;
        let waiting = match &self.mode {
            Mode::Probe { .. } | Mode::Http { body: None, .. } => true,
            Mode::Records(records) => records.await_hello(),
            _ => false,
        };
        self.set(bit::KNOWN, false);
        if waiting {
            a.look(|bytes| self.read_partial(bytes, at, cx));
        }
        if !self.has(bit::KNOWN) {
            self.ahead = Some(a);
        }
        self.set(before, true);
    }

    /// Reads the complete fields of a message that will not be completed, or
    /// not yet. `KNOWN` is set if they name a host.
    fn read_partial<S: Sink>(&mut self, bytes: &[u8], at: &At<'_>, cx: &mut Context<'_, S>) {
        match self.mode {
            Mode::Probe { .. } => {
                let mut hello = std::mem::take(&mut cx.scratch.hello);
                if let Some(h) = tls::partial_client_hello(bytes, &mut hello)
                    && h.server_name.is_some()
                {
                    self.set(bit::HELLO_OPEN, false);
                    cx.ledger.count(Counter::TlsHellosIncomplete);
                    // Where its last record ends is not known.
                    self.client_hello(&tls::ClientHello { extent: tls::Extent::Cut, record_end: h.len, ..h }, at, cx);
                }
                cx.scratch.hello = hello;
            }
            Mode::Http { body: None, .. } => {
                if let Some(request) = http::partial_request(bytes)
                    && (request.authority.is_some() || !request.hosts.is_empty())
                {
                    self.http_request(&request, true, at, cx);
                    self.mode = Mode::Done;
                }
            }
            Mode::Http2(_) => self.partial_http2(bytes, at, cx),
            Mode::Records(_) => self.partial_another(bytes, at, cx),
            _ => {}
        }
    }
}
