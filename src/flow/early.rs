//! DNS answers that the capture holds before their question.

use super::events::{At, FrameRef};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::packet::Packet;

/// Answers kept of one shard; the oldest goes.
const KEPT: usize = 8;
/// A question that comes later is another one.
pub(super) const WINDOW: i64 = SECOND;
/// Bytes of the longest frame that is kept, and of the longest message.
const MAX_BYTES: usize = 2048;

/// One answer with all that telling it needs.
#[derive(Debug, Default)]
struct Kept {
    key: u64,
    packet: Option<Packet>,
    message: Vec<u8>,
    frame: Vec<u8>,
    orig_len: u32,
    number: u64,
    offset: u64,
    source: u32,
    interface: u16,
    segment: u32,
}

/// The last answers that nobody had asked for. A SPAN port's two directions
/// can change places by microseconds; then the question follows at once.
#[derive(Debug, Default)]
pub(super) struct Early {
    kept: Vec<Kept>,
    next: usize,
    newest: Option<Timestamp>,
}

impl Early {
    /// Most bytes of all that is kept.
    pub(super) const MOST_BYTES: usize = KEPT * (size_of::<Kept>() + 2 * MAX_BYTES);

    /// Keeps an answer under the key of its question. Its place is used again
    /// and again, so nothing is allocated but at first.
    pub(super) fn keep(&mut self, key: u64, message: &[u8], at: &At<'_>) {
        if message.len() > MAX_BYTES || at.frame.bytes.len() > MAX_BYTES {
            return;
        }
        if self.kept.len() < KEPT {
            self.kept.push(Kept::default());
        }
        let Some(slot) = self.kept.get_mut(self.next) else { return };
        self.next = self.next.wrapping_add(1) % KEPT;
        slot.key = key;
        slot.packet = Some(*at.packet);
        slot.message.clear();
        slot.message.extend_from_slice(message);
        slot.frame.clear();
        slot.frame.extend_from_slice(at.frame.bytes);
        slot.orig_len = at.frame.orig_len;
        (slot.number, slot.offset) = (at.frame.number, at.frame.offset);
        (slot.source, slot.interface, slot.segment) = (at.frame.source, at.frame.interface, at.segment);
        self.newest = Some(at.packet.ts);
    }

    /// The answer to a question that was asked just now: its message and where
    /// it was. `tell` is called at most once for each answer.
    pub(super) fn take(&mut self, key: u64, asked: Timestamp, tell: impl FnOnce(&[u8], &At<'_>)) {
        let near = |ts: Timestamp| asked.since(ts).abs() <= WINDOW;
        if !self.newest.is_some_and(near) {
            return;
        }
        let of_key = |k: &&mut Kept| k.key == key && k.packet.is_some_and(|p| near(p.ts));
        let Some(slot) = self.kept.iter_mut().find(of_key) else { return };
        let Some(packet) = slot.packet.take() else { return };
        let frame = FrameRef {
            bytes: &slot.frame,
            orig_len: slot.orig_len,
            number: slot.number,
            offset: slot.offset,
            source: slot.source,
            interface: slot.interface,
        };
        let at = At {
            packet: &packet,
            payload: &slot.message,
            frame,
            segment: slot.segment,
            from_client: false,
            moved: false,
        };
        tell(&slot.message, &at);
    }
}
