//! What the server's stream says: DNS answers, and the first answer to a
//! followed client.

use super::client::begins_dns;
use super::{Context, Mode, Tcp, bit};
use crate::base::time::SECOND;
use crate::coverage::Counter;
use crate::flow::assembly::{Assembly, Took};
use crate::flow::events::{At, Progress, Sink};
use crate::protocol::http;
use crate::protocol::{Probe, dns};

/// A hole in an answer is given up after this long.
pub(super) const HOLE_PATIENCE: i64 = 2 * SECOND;

impl Tcp {
    #[inline]
    pub(super) fn server_payload<S: Sink>(
        &mut self,
        seq: u32,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
        progress: &mut Progress,
    ) {
        if self.has(bit::CERTIFICATE) {
            self.certificate(seq, at, cx, progress);
            return;
        }
        if matches!(self.mode, Mode::Dns) || at.packet.sport == 53 && self.may_answer_dns(at) {
            self.server_dns(seq, at, cx);
            return;
        }
        if at.packet.sport == 53 {
            // Nobody reads it: if it is DNS later, another message must begin.
            self.set(bit::SERVER_LOST, true);
        }
        if self.has(bit::TO_PROXY | bit::TO_ABSOLUTE) {
            self.proxys_answer(seq, at, cx);
        }
        let offered = self.has(bit::TO_OTHER);
        let waits = if offered { self.answer_to_offer(seq, at) } else { None };
        if self.follow.is_some() {
            self.answer(seq, at, progress);
        } else {
            self.back = None;
        }
        if offered {
            self.back = self.back.take().or(waits);
            if let Some(code) = self.follow.as_mut().and_then(|f| f.take_status()) {
                self.answered_offer(code);
            }
        }
    }

    /// Whether the server of port 53 may speak DNS though the client was not
    /// heard to: it said nothing that was seen, or nothing that was understood
    /// since the capture lacks a part of it.
    #[inline(never)]
    fn may_answer_dns(&self, at: &At<'_>) -> bool {
        let heard = self.has(bit::CLIENT_DATA);
        !heard || !self.has(bit::KNOWN) && self.follow.is_none() && (self.back.is_some() || begins_dns(at.payload))
    }

    /// The server's half of DNS over TCP. Kept out of the way of bulk payload,
    /// as what is rare here costs instructions where it is inlined.
    #[inline(never)]
    fn server_dns<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let mut a = match self.back.take() {
            Some(a) => a,
            None if !self.has(bit::SERVER_LOST) => Box::new(Assembly::new(self.server.base)),
            None if begins_dns(at.payload) => Box::new(Assembly::new(seq)),
            None => return,
        };
        let out = a.push(seq, at.payload, at.packet.ts, |bytes, _| cx.dns_stream(bytes, 0, at));
        let gap = at.packet.payload_missing > 0 || a.hole().is_some_and(|t| at.packet.ts.since(t) > HOLE_PATIENCE);
        if gap {
            cx.ledger.count(Counter::StreamGaps);
        }
        if at.packet.payload_missing > 0 {
            cx.ledger.count(Counter::DnsCut);
        }
        if out.overflow {
            cx.ledger.count(Counter::StreamOverflow);
        }
        let lost = gap || out.enough || out.overflow;
        self.set(bit::SERVER_LOST, lost);
        self.back = (!lost).then_some(a);
    }

    /// The server's answer to a followed client.
    fn answer(&mut self, seq: u32, at: &At<'_>, progress: &mut Progress) {
        let Some(f) = self.follow.as_mut() else { return };
        if !f.wants_server() {
            self.back = None;
            if f.is_http()
                && let Probe::Found(status) = http::status(at.payload)
            {
                f.status(status.code, seq, progress);
            }
            return;
        }
        let Some(mut a) = self.back.take() else { return };
        let out = a.push(seq, at.payload, at.packet.ts, |bytes, _| f.server_bytes(bytes, progress));
        if out.enough {
            return;
        }
        let stale = a.hole().is_some_and(|t| at.packet.ts.since(t) > HOLE_PATIENCE);
        let cut = at.packet.payload_missing;
        if cut > 0 && a.held() == 0 && f.pass_over(cut.into()) {
            self.back = Some(Box::new(Assembly::new(a.next().wrapping_add(cut))));
        } else if out.overflow || cut > 0 {
            f.lose_server();
        } else if !stale {
            self.back = Some(a);
        } else if a.is_empty() && a.missing().is_some_and(|n| f.pass_over(n)) {
            let out = a.skip_hole(at.packet.ts, |bytes, _| f.server_bytes(bytes, progress));
            self.back = (!out.enough && !out.overflow).then_some(a);
        } else {
            f.lose_server();
        }
    }
}

impl<S: Sink> Context<'_, S> {
    /// Reads the DNS messages of a stream from `used` on; on ports other than
    /// 53 only those that are certain.
    pub(super) fn dns_stream(&mut self, rest: &[u8], used: usize, at: &At<'_>) -> Took {
        let mut at_byte = 0_usize;
        let known_port = at.packet.sport == 53 || at.packet.dport == 53;
        loop {
            let tail = rest.get(at_byte..).unwrap_or(&[]);
            match dns::stream_message(tail) {
                Probe::Found(message) => {
                    at_byte = at_byte.saturating_add(message.len()).saturating_add(2);
                    let is_dns = message.is_empty()
                        || if known_port {
                            self.dns.message(message, at, self.sink, self.ledger)
                        } else {
                            self.dns.guess(message, at, self.sink, self.ledger)
                        };
                    if !is_dns {
                        return Took::Enough;
                    }
                }
                Probe::More(_) => return Took::Bytes(used.saturating_add(at_byte)),
                Probe::Not => return Took::Enough,
            }
        }
    }
}
