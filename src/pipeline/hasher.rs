//! Hashes the content of sources while they are read.

use super::crew::Alarm;
use super::pool::Recycler;
use super::work::Work;
use crossbeam_channel::{Sender, bounded};
use ring::digest::{Context, SHA256};
use std::sync::Arc;
use std::thread::JoinHandle;

/// What the hasher is told.
pub(super) enum Hash {
    /// More content of the source under way.
    Content(Arc<Work>),
    /// The source ended.
    End,
}

/// A thread that hashes one source after the other.
pub(super) struct Hasher {
    pub(super) tx: Sender<Hash>,
    thread: JoinHandle<Vec<[u8; 32]>>,
}

impl Hasher {
    pub(super) fn spawn(recycler: Recycler, alarm: Alarm) -> std::io::Result<Self> {
        let (tx, rx) = bounded::<Hash>(8);
        let thread = std::thread::Builder::new().name("hasher".into()).spawn(move || {
            let _alarm = alarm;
            let mut context = Context::new(&SHA256);
            let mut digests = Vec::new();
            for message in rx {
                match message {
                    Hash::Content(work) => {
                        context.update(work.batch.fresh());
                        recycler.release(work);
                    }
                    Hash::End => {
                        let digest = std::mem::replace(&mut context, Context::new(&SHA256)).finish();
                        digests.push(digest.as_ref().try_into().unwrap_or([0; 32]));
                    }
                }
            }
            digests
        })?;
        Ok(Hasher { tx, thread })
    }

    /// The digests of all sources that ended, in their order: nobody waits for
    /// one before the last is read. `None` if the thread died.
    pub(super) fn finish(self) -> Option<Vec<[u8; 32]>> {
        drop(self.tx);
        self.thread.join().ok()
    }
}
