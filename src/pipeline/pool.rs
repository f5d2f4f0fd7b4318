//! Used batches come back to the reader, which bounds how many there are.

use super::work::Work;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The reader's side.
pub(super) struct Pool {
    made: usize,
    most: usize,
    workers: usize,
    back: Receiver<Work>,
    give: Recycler,
    failed: Arc<AtomicBool>,
}

/// Everybody else's side.
#[derive(Clone)]
pub(super) struct Recycler(Sender<Work>);

impl Pool {
    pub(super) fn new(most: usize, workers: usize, failed: Arc<AtomicBool>) -> Self {
        let (tx, back) = bounded(most);
        Pool { made: 0, most, workers, back, give: Recycler(tx), failed }
    }

    pub(super) fn recycler(&self) -> Recycler {
        self.give.clone()
    }

    /// An empty batch, as soon as one is to be had; `None` when another thread
    /// has failed.
    pub(super) fn take(&mut self) -> Option<Work> {
        if let Ok(mut work) = self.back.try_recv() {
            work.clear();
            return Some(work);
        }
        if self.made < self.most {
            self.made = self.made.saturating_add(1);
            return Some(Work::new(self.workers));
        }
        loop {
            match self.back.recv_timeout(Duration::from_millis(100)) {
                Ok(mut work) => {
                    work.clear();
                    return Some(work);
                }
                Err(RecvTimeoutError::Timeout) if !self.failed.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    }

    /// How many batches are taken and not back.
    pub(super) fn out(&self) -> usize {
        self.made.saturating_sub(self.back.len())
    }

    /// Takes an unused batch back.
    pub(super) fn put(&self, work: Work) {
        self.give.put(work);
    }
}

impl Recycler {
    /// Sends the batch back if nobody else holds it.
    pub(super) fn release(&self, work: Arc<Work>) {
        if let Some(work) = Arc::into_inner(work) {
            self.put(work);
        }
    }

    fn put(&self, work: Work) {
        // The channel has room for every batch there is; it is only closed
        // when the reader is gone.
        drop(self.0.try_send(work));
    }
}
