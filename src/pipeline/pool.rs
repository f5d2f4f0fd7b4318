//! Used batches come back to whoever fills them, which bounds how many there
//! are.

use super::work::{Dealt, Work};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Batches of frames, for the reader.
pub(super) struct Pool {
    made: usize,
    most: usize,
    back: Receiver<Work>,
    give: Recycler<Work>,
    failed: Arc<AtomicBool>,
}

/// Where used ones go.
pub(super) struct Recycler<T>(Sender<T>);

impl<T> Clone for Recycler<T> {
    fn clone(&self) -> Self {
        Recycler(self.0.clone())
    }
}

impl Pool {
    pub(super) fn new(most: usize, failed: Arc<AtomicBool>) -> Self {
        let (tx, back) = bounded(most);
        Pool { made: 0, most, back, give: Recycler(tx), failed }
    }

    pub(super) fn recycler(&self) -> Recycler<Work> {
        self.give.clone()
    }

    /// A batch to be filled, as soon as one is to be had; `None` when another
    /// thread has failed.
    pub(super) fn take(&mut self) -> Option<Work> {
        if let Ok(work) = self.back.try_recv() {
            return Some(work);
        }
        if self.made < self.most {
            self.made = self.made.saturating_add(1);
            return Some(Work::default());
        }
        loop {
            match self.back.recv_timeout(Duration::from_millis(100)) {
                Ok(work) => return Some(work),
                Err(RecvTimeoutError::Timeout) if !self.failed.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    }

    /// Takes an unused batch back.
    pub(super) fn put(&self, work: Work) {
        self.give.put(work);
    }
}

/// What is dealt to workers, for the lead. There are no more of them than
/// batches.
pub(super) struct Spares {
    workers: usize,
    back: Receiver<Dealt>,
    give: Recycler<Dealt>,
}

impl Spares {
    pub(super) fn new(most: usize, workers: usize) -> Self {
        let (tx, back) = bounded(most);
        Spares { workers, back, give: Recycler(tx) }
    }

    pub(super) fn recycler(&self) -> Recycler<Dealt> {
        self.give.clone()
    }

    /// An empty one.
    pub(super) fn take(&self) -> Dealt {
        match self.back.try_recv() {
            Ok(mut dealt) => {
                dealt.clear();
                dealt
            }
            Err(_) => Dealt::new(self.workers),
        }
    }
}

impl<T> Recycler<T> {
    /// Sends it back if nobody else holds it.
    pub(super) fn release(&self, used: Arc<T>) {
        if let Some(used) = Arc::into_inner(used) {
            self.put(used);
        }
    }

    fn put(&self, used: T) {
        // The channel has room for all there are; it is only closed when
        // whoever fills them is gone.
        drop(self.0.try_send(used));
    }
}
