//! The pieces of datagrams that were put together of late, to know their copies:
//! a mirror of both sides of a port gives each fragment twice, and the copy of
//! the last one comes when nothing waits for it any more.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::base::Timestamp;
use crate::base::time::SECOND;
use std::collections::VecDeque;

/// Copies come within this time of each other, as those of whole packets.
pub(super) const WINDOW: i64 = SECOND / 20;
/// Datagrams remembered.
const MAX_FINISHED: usize = 256;
/// Pieces remembered of each.
const MAX_PIECES: usize = 64;

/// Digests of the pieces of a datagram.
#[derive(Debug, Default)]
pub(super) struct Pieces(Vec<u64>);

impl Pieces {
    /// Notes a piece; of more than so many the first count.
    pub fn note(&mut self, digest: u64) {
        if self.0.len() < MAX_PIECES {
            self.0.push(digest);
        }
    }

    /// Bytes of memory that they hold.
    pub fn memory(&self) -> usize {
        self.0.capacity().saturating_mul(size_of::<u64>())
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// The datagrams that were put together last: which, when, of what pieces.
#[derive(Debug, Default)]
pub(super) struct Finished(VecDeque<(u64, Timestamp, Pieces)>);

impl Finished {
    /// Notes one.
    pub fn note(&mut self, key: u64, ts: Timestamp, pieces: Pieces) {
        let is_old = |then: &Timestamp| ts.since(*then).saturating_abs() > WINDOW;
        while self.0.len() >= MAX_FINISHED || self.0.front().is_some_and(|(_, then, _)| is_old(then)) {
            self.0.pop_front();
        }
        self.0.push_back((key, ts, pieces));
    }

    /// Whether a piece is one of the datagram of that key that was finished last,
    /// a moment ago.
    pub fn has(&self, key: u64, ts: Timestamp, digest: u64) -> bool {
        let found = self.0.iter().rev().find(|(k, ..)| *k == key);
        found.is_some_and(|(_, then, pieces)| ts.since(*then).saturating_abs() <= WINDOW && pieces.0.contains(&digest))
    }

    /// Forgets all, as for another capture.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
