//! Hashes the content of sources while they are read.

use super::pool::Recycler;
use super::work::Work;
use crossbeam_channel::{Receiver, Sender, bounded};
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
    digests: Receiver<[u8; 32]>,
    pub(super) thread: JoinHandle<()>,
}

impl Hasher {
    pub(super) fn spawn(recycler: Recycler) -> std::io::Result<Self> {
        let (tx, rx) = bounded::<Hash>(8);
        let (done, digests) = bounded(1);
        let thread = std::thread::Builder::new().name("hasher".into()).spawn(move || {
            let mut context = Context::new(&SHA256);
            for message in rx {
                match message {
                    Hash::Content(work) => {
                        context.update(work.batch.fresh());
                        recycler.release(work);
                    }
                    Hash::End => {
                        let digest = std::mem::replace(&mut context, Context::new(&SHA256)).finish();
                        let digest = digest.as_ref().try_into().unwrap_or([0; 32]);
                        if done.send(digest).is_err() {
                            break;
                        }
                    }
                }
            }
        })?;
        Ok(Hasher { tx, digests, thread })
    }

    /// The digest of what was sent since the last end. `None` if the thread
    /// died.
    pub(super) fn finish(&self) -> Option<[u8; 32]> {
        self.tx.send(Hash::End).ok()?;
        self.digests.recv().ok()
    }
}
