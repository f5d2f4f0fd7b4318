//! What the client said first, known again when it comes a second time: bytes
//! that differ were sent by somebody else, either then or now.

use super::handshake::looks_like_start;
use super::{Context, Mode, Tcp, bit};
use crate::flow::assembly::Took;
use crate::flow::engine::Scratch;
use crate::flow::events::{At, Note, Notes, Progress, Sink};

/// So many bytes are compared; the host of a request stands among them.
const MOST: usize = STEPS_FROM + STEP * (u8::MAX as usize - STEPS_FROM);
/// Up to here each length has a number of its own, beyond it every fifth.
const STEPS_FROM: usize = 192;
const STEP: usize = 5;
/// So many where the second segment is shorter: the shortest request that
/// names a host of interest has more.
const FEW: usize = 48;
/// So many where it is shorter still: some of a ClientHello's random bytes are
/// among them.
const FEWER: usize = 16;

/// Where a segment in the place of the first one belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To the stream.
    Stream,
    /// It is another message, and was read.
    Read,
    /// It begins another message, while one is held: to a flow of its own.
    Beside,
}

/// Fingerprint of the first segment with payload; of none if `size` is 0.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed)] // a flow has no byte to spare
pub(super) struct Head {
    /// Hash of [`Head::len`] bytes.
    all: u16,
    /// Hash of the first [`FEW`], if there are as many.
    few: u16,
    /// Hash of the first [`FEWER`], likewise.
    fewer: u16,
    /// Number of the length.
    size: u8,
}

impl Head {
    fn of(bytes: &[u8], scratch: &Scratch) -> Self {
        let beyond = bytes.len().min(MOST).saturating_sub(STEPS_FROM) / STEP;
        let size = bytes.len().min(STEPS_FROM).saturating_add(beyond) as u8;
        let mut head = Head { size, ..Head::default() };
        let bytes = bytes.get(..head.len()).unwrap_or(&[]);
        head.all = scratch.hash_id(bytes) as u16;
        head.few = hash_of(bytes, FEW, scratch).unwrap_or(0);
        head.fewer = hash_of(bytes, FEWER, scratch).unwrap_or(0);
        head
    }

    fn len(self) -> usize {
        let size = usize::from(self.size);
        size.min(STEPS_FROM).saturating_add(size.saturating_sub(STEPS_FROM).saturating_mul(STEP))
    }

    /// Whether `bytes` are certain to begin otherwise.
    fn differs(self, bytes: &[u8], scratch: &Scratch) -> bool {
        match bytes.get(..self.len()) {
            Some(same) => scratch.hash_id(same) as u16 != self.all,
            None => match hash_of(bytes, FEW, scratch) {
                Some(few) => few != self.few,
                None => hash_of(bytes, FEWER, scratch).is_some_and(|fewer| fewer != self.fewer),
            },
        }
    }
}

/// Hash of the first `n` bytes, if there are as many.
fn hash_of(bytes: &[u8], n: usize, scratch: &Scratch) -> Option<u16> {
    bytes.get(..n).map(|b| scratch.hash_id(b) as u16)
}

impl Tcp {
    /// Compares a segment in the place of the first one with that.
    #[inline(never)]
    pub(super) fn compare_head<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) -> Place {
        let payload = at.payload;
        if payload.is_empty() {
            return Place::Stream;
        }
        if self.head.len() == 0 || !self.head.differs(payload, cx.scratch) {
            if payload.len().min(MOST) > self.head.len() {
                self.head = Head::of(payload, cx.scratch);
            }
            return Place::Stream;
        }
        self.conflict(cx.ledger);
        if let Some(f) = self.follow.as_ref() {
            let progress = Progress { notes: Notes::NONE.with(Note::Conflict), ..Progress::default() };
            cx.sink.progress(at, f.token, &progress, cx.ledger);
        }
        if looks_like_start(payload) { self.read_instead(seq, at, cx) } else { Place::Stream }
    }

    /// Reads a message in the place of the first one. Nobody knows which of
    /// the two the server got: what is followed stays followed unless the
    /// other is to be followed as well, and the stream goes on behind the
    /// other where nothing else is known of it.
    fn read_instead<S: Sink>(&mut self, seq: u32, at: &At<'_>, cx: &mut Context<'_, S>) -> Place {
        if self.ahead.is_some() {
            return Place::Beside;
        }
        let mode = std::mem::replace(&mut self.mode, Mode::Probe { need: 1 });
        if self.follow.is_none() {
            self.next = seq;
            self.set(bit::CERTIFICATE, false);
            self.back = None;
            return Place::Stream;
        }
        let (follow, back) = (self.follow.take(), self.back.take());
        let took = self.read_client(at.payload, at, cx);
        if self.follow.is_some() {
            if let Some(f) = follow {
                cx.sink.closed(f.token, cx.ledger);
            }
            self.next = seq.wrapping_add(at.payload.len() as u32);
            return Place::Read;
        }
        (self.follow, self.back) = (follow, back);
        if matches!(took, Took::Bytes(n) if n < at.payload.len()) {
            // The rest is still to come.
            self.mode = Mode::Probe { need: 1 };
            self.next = seq;
            return Place::Stream;
        }
        self.mode = mode;
        Place::Read
    }
}
