//! Two flows between the same ends and ports: the next connection while nothing
//! tells that the one before has ended, or a forged one and the real one.

use super::handshake::STALE;
use super::{Tcp, ahead, bit};
use crate::base::Timestamp;
use crate::flow::events::At;
use crate::packet::Packet;
use crate::packet::tcp_flags::{ACK, SYN};

/// A SYN that does not fit the connection: perhaps the next one on the same
/// ports, perhaps forged. Or a SYN-ACK with another number than the first one.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)] // a flow has no byte to spare
pub(super) struct Rival {
    pub(super) base: u32,
    says: Says,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    SynOfLow,
    SynOfHigh,
    Consent,
}

impl Rival {
    /// A SYN of the lesser or the greater end.
    pub(super) fn syn(base: u32, low: bool) -> Self {
        Rival { base, says: if low { Says::SynOfLow } else { Says::SynOfHigh } }
    }

    /// A SYN-ACK.
    pub(super) fn consent(base: u32) -> Self {
        Rival { base, says: Says::Consent }
    }

    /// Whether it is a SYN-ACK.
    pub(super) fn consents(self) -> bool {
        self.says == Says::Consent
    }

    /// Whether it is a SYN of that end.
    pub(super) fn is_syn_of(self, low: bool) -> bool {
        self.says == if low { Says::SynOfLow } else { Says::SynOfHigh }
    }
}

impl Tcp {
    /// Whether another flow between the same ends is under way.
    #[inline]
    pub(in crate::flow) fn has_beside(&self) -> bool {
        self.beside
    }

    /// Notes whether another flow between the same ends is under way.
    pub(in crate::flow) fn set_beside(&mut self, beside: bool) {
        if self.beside != beside {
            self.beside = beside;
            self.settle_down();
        }
    }

    /// Whether a message of a known protocol was read.
    pub(in crate::flow) fn is_known(&self) -> bool {
        self.has(bit::KNOWN)
    }

    /// Whether the sink wants to hear how far it gets.
    pub(in crate::flow) fn is_followed(&self) -> bool {
        self.follow.is_some()
    }

    /// Whether nothing more is to be expected of it.
    pub(in crate::flow) fn is_left(&self, now: Timestamp) -> bool {
        self.has(bit::CLOSED) || self.follow.is_none() && now.since(self.last) > STALE
    }

    /// How far the numbers of a segment are from where the streams stand.
    pub(in crate::flow) fn distance(&self, p: &Packet, from_low: bool) -> u64 {
        let from_client = self.is_client(from_low);
        let is_syn = p.flags & SYN != 0;
        let apart = |based, a: u32, b: u32| if self.has(based) { u64::from(ahead(a, b).min(ahead(b, a))) } else { 0 };
        let seq = p.seq.wrapping_add(is_syn.into());
        let mine = match (from_client, is_syn) {
            (true, true) => apart(bit::CLIENT_BASE, seq, self.client.base),
            (true, false) => apart(bit::CLIENT_BASE, seq, self.client_at()),
            (false, true) => apart(bit::SERVER_BASE, seq, self.server.base),
            (false, false) => apart(bit::SERVER_BASE, seq, self.server.high),
        };
        let theirs = match from_client {
            _ if p.flags & ACK == 0 => 0,
            true => apart(bit::SERVER_BASE, p.ack, self.server.high),
            false => apart(bit::CLIENT_BASE, p.ack, self.client.high),
        };
        mine.saturating_add(theirs)
    }

    /// A flow that begins with a segment that is not of this one. Where it is in
    /// the place of the client's first, all else is the same.
    pub(in crate::flow) fn twin(&self, at: &At<'_>, from_low: bool) -> Self {
        const SAME: u32 = bit::CLIENT_LOW
            | bit::SYN
            | bit::SERVER_BASE
            | bit::SERVER_DATA
            | bit::MID_STREAM
            | bit::AGREED
            | bit::CONSENTED
            | bit::PROVED
            | bit::CONFLICT;
        let mut flow = Tcp::new(at, from_low);
        if self.has(bit::CLIENT_BASE) && self.is_client(from_low) && at.packet.seq == self.client.base {
            flow.bits = self.bits & SAME;
            flow.begin_client(self.client.base);
            (flow.server, flow.turn, flow.order) = (self.server, self.server.base, self.order);
        }
        flow
    }

    /// Whether the flow's start was not seen.
    pub(in crate::flow) fn is_mid_stream(&self) -> bool {
        self.has(bit::MID_STREAM)
    }
}
