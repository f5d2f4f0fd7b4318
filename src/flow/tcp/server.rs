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
const HOLE_PATIENCE: i64 = 2 * SECOND;

impl Tcp {
    #[inline]
    pub(super) fn server_payload<S: Sink>(
        &mut self,
        seq: u32,
        at: &At<'_>,
        cx: &mut Context<'_, S>,
        progress: &mut Progress,
    ) {
        if at.packet.sport == 53 && self.reads_answers(at) {
            self.server_dns(seq, at, cx);
            return;
        }
        if at.packet.sport == 53 {
            // Nobody reads it: if it is DNS later, another message must begin.
            self.set(bit::SERVER_LOST, true);
        }
        if self.follow.is_some() {
            self.answer(seq, at, progress);
        } else {
            self.back = None;
        }
    }

    /// Whether the server's half is to be read as DNS: where the client's is,
    /// or was not seen; where that is not (yet) understood, as after a gap,
    /// from what begins a message on.
    fn reads_answers(&self, at: &At<'_>) -> bool {
        match self.mode {
            Mode::Dns => true,
            _ if !self.has(bit::CLIENT_DATA) => true,
            Mode::Probe { .. } | Mode::Unknown { .. } => self.back.is_some() || begins_dns(at.payload),
            _ => false,
        }
    }

    /// The server's half of DNS over TCP.
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
        if out.overflow || stale || at.packet.payload_missing > 0 {
            f.lose_server();
        } else {
            self.back = Some(a);
        }
    }
}

impl<S: Sink> Context<'_, S> {
    /// Reads the DNS messages of a stream from `used` on.
    pub(super) fn dns_stream(&mut self, rest: &[u8], used: usize, at: &At<'_>) -> Took {
        let mut at_byte = 0_usize;
        loop {
            let tail = rest.get(at_byte..).unwrap_or(&[]);
            match dns::stream_message(tail) {
                Probe::Found(message) => {
                    at_byte = at_byte.saturating_add(message.len()).saturating_add(2);
                    if !message.is_empty() && !self.dns.message(message, at, self.sink, self.ledger) {
                        return Took::Enough;
                    }
                }
                Probe::More(_) => return Took::Bytes(used.saturating_add(at_byte)),
                Probe::Not => return Took::Enough,
            }
        }
    }
}
