//! What every source of frames offers.

use super::{Batch, CaptureError, Interface};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a call of [`FrameSource::next_batch`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The batch holds new bytes; its list of frames may still be empty
    /// (a file header, part of a long record, bytes behind damage).
    Frames,
    /// A live source has nothing right now; ask again.
    Idle,
    /// There is no more. Further calls say so again.
    End,
}

/// Something that delivers frames.
pub trait FrameSource: Send {
    /// Fills the batch. Its vectors are reused, so pass used batches in again.
    ///
    /// # Errors
    ///
    /// Damage and read errors are returned once, after every frame before
    /// them was delivered; the batch is then empty. Calls after that deliver
    /// the remaining bytes without frames if
    /// [`drain_after_damage`](super::OpenOptions::drain_after_damage) was
    /// asked for, and [`Status::End`] at last.
    fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError>;

    /// Adds what came since to a batch that [`FrameSource::next_batch`] filled,
    /// for those who have no use for it yet. [`Status::Idle`] if nothing came,
    /// [`Status::End`] if the batch should wait no longer: it is full, or this
    /// source adds nothing.
    fn add_to(&mut self, _batch: &mut Batch) -> Status {
        Status::End
    }

    /// The interfaces known so far.
    fn interfaces(&self) -> Arc<[Interface]>;

    /// What the source itself says was received and lost, one element for
    /// each interface; empty if it says nothing.
    fn statistics(&self) -> Vec<InterfaceStatistics>;

    /// How far the input was read. The handle stays valid on other threads.
    fn progress(&self) -> Arc<Progress>;
}

/// What an interface received and lost since the capture began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// Frames received, as far as the source tells. Live on Linux this
    /// includes those that the kernel dropped, and on the loopback interface
    /// those it sent.
    pub received: u64,
    /// Frames dropped by the operating system for want of buffer space
    /// (`ps_drop` of libpcap, `isb_osdrop` of pcapng).
    pub dropped_kernel: u64,
    /// Frames dropped by the network card or its driver (`ps_ifdrop` of
    /// libpcap, `isb_ifdrop` of pcapng).
    pub dropped_interface: u64,
}

/// How far an input was read, for a progress bar.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    total: Option<u64>,
}

impl Progress {
    /// Of an input of `total` bytes, if that is known.
    pub fn new(total: Option<u64>) -> Self {
        Progress { read: AtomicU64::new(0), total }
    }

    /// Bytes read from the input, before decompression.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Size of the input before decompression; `None` for pipes and live
    /// sources.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) fn add(&self, n: usize) {
        self.read.fetch_add(n as u64, Ordering::Relaxed);
    }
}
