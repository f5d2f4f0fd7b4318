//! What the client said first, known again when it comes a second time: bytes
//! that differ were sent by somebody else, either then or now.

use super::handshake::looks_like_start;
use super::{Context, Mode, Tcp, bit};
use crate::flow::assembly::Took;
use crate::flow::engine::Scratch;
use crate::flow::events::{At, Note, Notes, Progress, Sink};

/// So many bytes are compared; the host of a request stands among them.
const MOST: usize = 510;
/// So many where the second segment is shorter: the shortest request that
/// names a host of interest has more.
const FEW: usize = 48;

/// Fingerprint of the first segment with payload; of none if `pairs` is 0.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed)] // a flow has no byte to spare
pub(super) struct Head {
    /// Hash of twice `pairs` bytes.
    all: u32,
    /// Hash of the first [`FEW`], if there are as many.
    few: u16,
    pairs: u8,
}

impl Head {
    fn of(bytes: &[u8], scratch: &Scratch) -> Self {
        let pairs = bytes.len().min(MOST) / 2;
        let bytes = bytes.get(..pairs.saturating_mul(2)).unwrap_or(&[]);
        let few = bytes.get(..FEW).map_or(0, |b| scratch.hash_id(b) as u16);
        Head { all: scratch.hash_id(bytes) as u32, few, pairs: pairs as u8 }
    }

    fn len(self) -> usize {
        usize::from(self.pairs).saturating_mul(2)
    }

    /// Whether `bytes` are certain to begin otherwise.
    fn differs(self, bytes: &[u8], scratch: &Scratch) -> bool {
        match bytes.get(..self.len()) {
            Some(same) => scratch.hash_id(same) as u32 != self.all,
            None => bytes.get(..FEW).is_some_and(|few| scratch.hash_id(few) as u16 != self.few),
        }
    }
}

impl Tcp {
    /// Compares a segment in the place of the first one with that. Whether it
    /// is another one that was read here, beside the stream.
    #[inline(never)]
    pub(super) fn is_another_head<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) -> bool {
        let payload = at.payload;
        if payload.is_empty() {
            return false;
        }
        if self.head.len() == 0 || !self.head.differs(payload, cx.scratch) {
            if payload.len().min(MOST) > self.head.len() {
                self.head = Head::of(payload, cx.scratch);
            }
            return false;
        }
        self.conflict(cx.ledger);
        if let Some(f) = self.follow.as_ref() {
            let progress = Progress { notes: Notes::NONE.with(Note::Conflict), ..Progress::default() };
            cx.sink.progress(at, f.token, &progress, cx.ledger);
        }
        looks_like_start(payload) && self.read_instead(seq, at, cx)
    }

    /// Reads a message in the place of the first one. Nobody knows which of
    /// the two the server got: what is followed stays followed unless the
    /// other is to be followed as well, and the stream goes on behind the
    /// other where nothing else is known of it. False if it is to be read as
    /// the stream.
    fn read_instead<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) -> bool {
        let mode = std::mem::replace(&mut self.mode, Mode::Probe { need: 1 });
        if self.follow.is_none() && self.ahead.is_none() {
            self.next = seq;
            self.set(bit::CERTIFICATE, false);
            self.back = None;
            return false;
        }
        let (follow, ahead, back) = (self.follow.take(), self.ahead.take(), self.back.take());
        let took = self.read_client(at.payload, at, cx);
        if self.follow.is_some() {
            if let Some(f) = follow {
                cx.sink.closed(f.token, cx.ledger);
            }
            self.next = seq.wrapping_add(at.payload.len() as u32);
            return true;
        }
        (self.follow, self.back) = (follow, back);
        let whole = !matches!(took, Took::Bytes(n) if n < at.payload.len());
        if ahead.is_none() && !whole {
            // The rest is still to come.
            self.mode = Mode::Probe { need: 1 };
            self.next = seq;
            return false;
        }
        (self.mode, self.ahead) = (mode, ahead);
        whole
    }
}
