//! Which connection a segment belongs to, and which end is its client.

use super::beside::Rival;
use super::client::begins_dns;
use super::preface::begins_preface;
use super::{Context, Mode, Tcp, WINDOW, ahead, bit, is_far};
use crate::base::time::SECOND;
use crate::coverage::{Counter, Ledger};
use crate::flow::events::{At, Sink};
use crate::packet::tcp_flags::{ACK, RST, SYN};
use crate::protocol::{http, http2, tls};

/// What the client sends so long after a handshake that nobody went on with, at
/// another number than that gave it, is of another connection.
const HALF_OPEN: i64 = 5 * SECOND;
/// A flow idle for this long gives way to any SYN.
pub(super) const STALE: i64 = 60 * SECOND;
/// Data that a SYN may carry (RFC 7413), and more.
const FAST_OPEN: u32 = 1 << 16;

/// Whether the segment opens a connection, or consents to one.
pub(in crate::flow) fn is_syn(at: &At<'_>) -> bool {
    at.packet.flags & (SYN | RST) == SYN
}

/// Counts a flow that begins.
pub(in crate::flow) fn count_flow(at: &At<'_>, ledger: &mut Ledger) {
    const DNS: [u16; 2] = [53, 853];
    ledger.count(Counter::Flows);
    if !DNS.contains(&at.packet.sport) && !DNS.contains(&at.packet.dport) {
        ledger.count(Counter::FlowsOther);
    }
}

/// Whether the sender of a first segment is the client.
pub(super) fn sender_is_client(at: &At<'_>) -> bool {
    let p = at.packet;
    if is_syn(at) {
        return p.flags & ACK == 0;
    }
    if looks_like_start(at.payload) || begins_preface(at.payload) {
        return true;
    }
    if at.payload.starts_with(b"HTTP/1.") || matches!(at.payload, [22, 3, _, _, _, 2, ..]) {
        return false;
    }
    p.dport < p.sport
}

/// Whether a segment begins a message that is read: as below, and of DNS where its
/// port says so.
pub(in crate::flow) fn begins_message(at: &At<'_>) -> bool {
    looks_like_start(at.payload) || at.packet.dport == 53 && begins_dns(at.payload)
}

/// Whether a segment of a stream that is not understood begins a ClientHello
/// or a request.
pub(in crate::flow) fn looks_like_start(payload: &[u8]) -> bool {
    tls::looks_like_client_hello(payload) || http::looks_like_request(payload) || http2::looks_like_preface(payload)
}

/// A SYN that comes so long after the last segment begins another connection,
/// though its number be the same: no host repeats one for so long, but captures
/// of a lab do.
const REPEATED: i64 = 600 * SECOND;

impl Tcp {
    /// Takes a SYN. False where the segment is not to be looked at further.
    pub(super) fn handshake<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        let p = at.packet;
        if p.flags & RST != 0 {
            return false;
        }
        if p.flags & ACK != 0 {
            return self.consent(at, from_low, cx);
        }
        let base = p.seq.wrapping_add(1);
        if at.from_client && !self.has(bit::CLIENT_BASE) {
            self.begin_client(base);
        } else if p.ts.since(self.last) > REPEATED {
            self.restart(Rival::syn(base, from_low), at, from_low, cx);
        } else if !(at.from_client && self.client.base == base) {
            let gone = self.has(bit::CLOSED) || !self.has(bit::OPENED) || p.ts.since(self.last) > STALE;
            if !gone {
                // What the client chooses between comes first.
                if !self.rival.is_some_and(|r| r.consents()) {
                    self.rival = Some(Rival::syn(base, from_low));
                }
                return false;
            }
            self.restart(Rival::syn(base, from_low), at, from_low, cx);
        }
        // Also where the capture brought the client's data first.
        self.set(bit::MID_STREAM, false);
        self.set(bit::SYN, true);
        self.keep_order(at, cx);
        true
    }

    /// Takes a SYN-ACK.
    fn consent<S: Sink>(&mut self, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) -> bool {
        let p = at.packet;
        if let Some(rival) = self.rival
            && rival.is_syn_of(!from_low)
            && ahead(p.ack, rival.base) < FAST_OPEN
        {
            if at.from_client && self.has(bit::CLIENT_BASE) && self.client.base == p.seq.wrapping_add(1) {
                // Both opened at once (RFC 9293 section 3.5): the first is the
                // client, and still says so.
                self.rival = None;
                self.begin_server(rival.base);
                return true;
            }
            self.restart(rival, at, from_low, cx);
        }
        if at.from_client {
            if self.has(bit::SYN | bit::KNOWN) {
                return false;
            }
            self.set(bit::CLIENT_LOW, !from_low);
            at.from_client = false;
            self.set(bit::CLIENT_BASE | bit::SERVER_BASE, false);
        }
        if !self.has(bit::CLIENT_BASE) {
            self.begin_client(p.ack);
        } else if ahead(p.ack, self.client.base) > FAST_OPEN {
            return false; // it answers another SYN
        }
        if !self.has(bit::AGREED | bit::SERVER_DATA) {
            self.begin_server(p.seq.wrapping_add(1));
        }
        // Of several with different numbers the client's next segment tells
        // which it got.
        let base = p.seq.wrapping_add(1);
        let fits = self.server.base == base;
        if !fits && self.has(bit::AGREED) {
            self.conflict(cx.ledger);
            if !self.has(bit::PROVED) {
                self.rival = Some(Rival::consent(base));
            }
        }
        self.set(bit::CONSENTED, fits && !self.rival.is_some_and(|r| r.consents()));
        self.set(bit::MID_STREAM, false);
        self.set(bit::SYN | bit::AGREED, true);
        true
    }

    /// Of two SYN-ACKs with different numbers the client's segment repeats one:
    /// the other did not reach it.
    #[cold]
    pub(super) fn choose_consent(&mut self, seq: u32, at: &At<'_>) {
        let Some(rival) = self.rival else { return };
        let p = at.packet;
        if p.flags & (SYN | RST) != 0 || ahead(seq, self.client.base) > WINDOW {
            return;
        }
        let of_first = ahead(p.ack, self.server.base) <= if self.has(bit::SERVER_DATA) { WINDOW } else { 0 };
        if !of_first {
            if p.ack != rival.base {
                return;
            }
            self.begin_server(rival.base);
        }
        self.rival = None;
        self.set(bit::CONSENTED, true);
    }

    /// The last of a handshake (RFC 9293 section 3.5): a client that repeats
    /// the number of the server's SYN-ACK has received it, at the address that
    /// it sends from. Where that segment was missed, a server that sends
    /// payload has seen it.
    #[inline(never)]
    pub(super) fn prove<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) {
        let p = at.packet;
        let ahead_by = ahead(p.ack, self.server.base);
        let knows = ahead_by == 0 || self.has(bit::SERVER_DATA) && ahead_by <= WINDOW;
        let in_place = ahead(seq, self.client.base) <= WINDOW;
        if at.from_client && knows && in_place && p.flags & (SYN | RST) == 0 {
            self.set(bit::PROVED, true);
            cx.ledger.count(Counter::Handshakes);
            cx.sink.proved(at, cx.ledger);
        }
    }

    /// Another connection begins on the same ports. Nobody knows whether the one
    /// under way is at its end, or the new one forged: what has not ended goes on
    /// beside it.
    fn restart<S: Sink>(&mut self, new: Rival, at: &mut At<'_>, from_low: bool, cx: &mut Context<'_, S>) {
        let old = std::mem::replace(self, Tcp::new(at, from_low));
        if old.has(bit::SAMPLED) {
            self.sample(); // it has the same ends
        }
        if old.has(bit::CLOSED) || !old.has(bit::OPENED) || at.packet.ts.since(old.last) > REPEATED {
            old.close(cx.sink, cx.ledger, cx.scratch);
        } else {
            self.beside = true;
            if let Some(other) = cx.scratch.displaced.replace(Box::new(old)) {
                other.close(cx.sink, cx.ledger, cx.scratch);
            }
        }
        count_flow(at, cx.ledger);
        self.set(bit::CLIENT_LOW, new.is_syn_of(true));
        self.set(bit::MID_STREAM, false);
        self.set(bit::SYN, true);
        at.from_client = self.is_client(from_low);
        self.begin_client(new.base);
        self.open(at, cx);
    }

    /// Whether a segment behind a handshake that nobody was seen to go on with is of
    /// another connection on the same ports, whose SYN was missed: the client's first
    /// bytes have the number that its SYN announced (RFC 9293 section 3.4). They would
    /// wait for what is missing before them, or pass for what came before.
    #[cold]
    pub(super) fn is_of_next(&mut self, seq: u32, at: &At<'_>) -> bool {
        let p = at.packet;
        let base = self.client.base;
        // Padding and probes repeat the SYN's number; another SYN may have come.
        let fits = ahead(seq, base).wrapping_add(1) < 2 || self.rival.is_some_and(|r| r.base == seq);
        if fits || p.flags & RST != 0 || !at.from_client || !self.has(bit::CLIENT_BASE) || is_far(seq, base) {
            return false;
        }
        let agreed = self.has(bit::AGREED);
        let late = p.ts.since(self.last) > HALF_OPEN;
        if p.payload_len | p.payload_missing == 0 {
            if late && !agreed && p.flags & ACK != 0 {
                // The last of its handshake.
                self.set(bit::SYN, false);
                self.set(bit::MID_STREAM, true);
                self.begin_anew(seq);
            }
            return false;
        }
        let before = ahead(base, seq) < 1 << 31;
        let hears_another = agreed && p.flags & ACK != 0 && p.ack != self.server.base;
        (before || hears_another || late) && begins_message(at)
    }

    /// Whether payload belongs to the stream that is being read; finds the
    /// direction where it was only guessed, and begins anew where it must.
    #[inline]
    pub(super) fn is_of_this_stream<S: Sink>(
        &mut self,
        seq: u32,
        at: &mut At<'_>,
        from_low: bool,
        cx: &mut Context<'_, S>,
    ) -> bool {
        if let Some(rival) = self.rival
            && rival.is_syn_of(from_low)
            && rival.base == seq
            && (!self.has(bit::AGREED | bit::SERVER_DATA) || looks_like_start(at.payload))
        {
            self.restart(rival, at, from_low, cx);
        }
        if at.from_client {
            if !self.has(bit::CLIENT_BASE) {
                self.begin_client(seq);
            }
            if self.has(bit::CLOSED) && !self.may_go_on(seq) && looks_like_start(at.payload) {
                return false; // the next connection, whose SYN was missed
            }
            return !is_far(seq, self.client_at()) || self.foreign(seq, at);
        }
        // The client was guessed, or a SYN that nobody consented to said so.
        if !self.has(bit::KNOWN | bit::AGREED | bit::SERVER_DATA) && looks_like_start(at.payload) {
            self.set(bit::CLIENT_LOW, from_low);
            self.set(bit::SERVER_BASE | bit::SERVER_DATA | bit::SYN, false);
            self.set(bit::MID_STREAM, true);
            at.from_client = true;
            self.begin_anew(seq);
            return true;
        }
        if !self.has(bit::SERVER_BASE) {
            self.begin_server(seq);
        } else if is_far(seq, self.server.high) {
            if self.has(bit::AGREED) {
                return false;
            }
            self.begin_server(seq);
        }
        true
    }

    /// Whether client payload is what was sent before or follows it at once.
    fn may_go_on(&self, seq: u32) -> bool {
        ahead(seq, self.client.base) <= ahead(self.client.high, self.client.base)
    }

    /// Client payload far from where the stream stands. Whether it is to be
    /// read as the stream from now on; a message that is not may be of another.
    fn foreign(&mut self, seq: u32, at: &At<'_>) -> bool {
        if !looks_like_start(at.payload) {
            let open = matches!(self.mode, Mode::Probe { .. } | Mode::Unknown { .. } | Mode::Done);
            // Nothing says that what came first was the real stream.
            let unproven = !self.has(bit::SYN) && open && self.ahead.is_none();
            if unproven {
                self.begin_client(seq);
            }
            return unproven;
        }
        let agreed = self.has(bit::AGREED) && !matches!(self.mode, Mode::Unknown { .. } | Mode::Done);
        if agreed || self.ahead.is_some() {
            return false; // what both ends agreed on, or what is held, may be the stream as well
        }
        self.set(bit::MID_STREAM, true);
        self.begin_anew(seq);
        true
    }

    /// Whether a reset comes from somebody who knows where the streams stand.
    pub(super) fn is_likely_reset(&self, at: &At<'_>) -> bool {
        let p = at.packet;
        let (mine, based) =
            if at.from_client { (self.client, bit::CLIENT_BASE) } else { (self.server, bit::SERVER_BASE) };
        if self.has(based) && !is_far(p.seq, mine.high) {
            return true;
        }
        // The answer to a SYN that is refused has sequence number 0.
        let acknowledges = !at.from_client && p.flags & ACK != 0 && self.has(bit::CLIENT_BASE);
        acknowledges && !is_far(p.ack, self.client.high) || !self.has(bit::CLIENT_BASE | bit::SERVER_BASE)
    }
}
