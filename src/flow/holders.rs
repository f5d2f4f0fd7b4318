//! Which flows hold bytes of unfinished messages, the longest first.

use super::table::FlowKey;
use std::collections::VecDeque;

/// Keys of flows that began to hold bytes. A flow is on the list once; it may
/// have let go, or be gone, by the time its turn comes.
pub(super) struct Holders {
    list: VecDeque<FlowKey>,
    /// How many were added since all were looked at.
    added: usize,
}

/// Flows that may hold something at the same time.
const CAP: usize = 2047;

impl Holders {
    /// Most bytes of the list.
    pub(super) const MOST_BYTES: usize = (CAP + 1) * size_of::<FlowKey>();

    /// An empty list.
    pub(super) fn new() -> Self {
        Holders { list: VecDeque::new(), added: 0 }
    }

    /// Adds a flow. True if the list is longer than it should be, so that the
    /// oldest must go.
    pub(super) fn add(&mut self, key: FlowKey) -> bool {
        self.added = self.added.saturating_add(1);
        self.list.push_back(key);
        self.list.len() > CAP
    }

    /// Takes the oldest off.
    pub(super) fn pop(&mut self) -> Option<FlowKey> {
        self.list.pop_front()
    }

    /// Takes up to two of the oldest off if they no longer hold anything, so
    /// that the list shrinks faster than it grows. Behind one that goes on
    /// holding, such as an HTTP/2 connection, it does not: so once it is full,
    /// all that hold nothing are taken off, unless that was done lately.
    pub(super) fn tidy(&mut self, mut still_holds: impl FnMut(&FlowKey) -> bool) {
        for _ in 0..2 {
            match self.list.front() {
                Some(key) if !still_holds(key) => self.list.pop_front(),
                _ => break,
            };
        }
        if self.list.len() >= CAP && self.added >= CAP.div_ceil(4) {
            self.list.retain(still_holds);
            self.added = 0;
        }
    }
}
