//! Hosts of an archive that parts cannot be made of: whose a record is that has
//! no hardware address of its own depends on who else had its address. Where
//! several hosts had one, they are all in one more part.

use super::row::host_hash;
use super::{Archive, Result, StoreError};
use crate::host::{Facts, SeenHost, are_own};
use foldhash::HashSet;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most threads that look for them.
const MAX_THREADS: usize = 8;

/// Hosts that are in a part of their own.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// By [`host_hash`].
    pub(super) hosts: HashSet<u64>,
    /// Places of the pieces that have them.
    pub(super) pieces: Vec<u32>,
}

/// An address that a host had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Had {
    /// Hash of segment and address: two that share one cost time alone.
    address: u64,
    host: u64,
    piece: u32,
    /// Its hardware address is not its own there, or not known.
    loose: bool,
}

/// [`host_hash`] of a host as seen.
fn hash_of(seen: &SeenHost) -> u64 {
    let mut key = seen.ip.0.to_vec();
    key.extend_from_slice(seen.segment.as_bytes());
    key.push(0);
    key.extend(seen.mac.iter().flat_map(|mac| mac.0));
    host_hash(&key)
}

impl Archive {
    /// Finds them, once.
    ///
    /// # Errors
    /// Where the archive cannot be read: without them no part can be judged.
    pub(super) fn together(&self) -> Result<&Together> {
        let together = self.together.get_or_init(|| {
            let pieces = &self.manifest.pieces;
            let needless = pieces.len() < 2 || !self.has_hardware_addresses() || pieces.iter().any(|p| p.ties);
            if needless { Ok(Together::default()) } else { self.addresses().map(found) }
        });
        together.as_ref().map_err(Clone::clone)
    }

    /// Every address that each host had.
    fn addresses(&self) -> Result<Vec<Had>> {
        let pieces = &self.manifest.pieces;
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS)).min(pieces.len());
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<Had>> {
            let mut all = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(at) else { return Ok(all) };
                let mut facts = Facts::default();
                self.fill(std::slice::from_ref(piece), &|_| true, false, &mut facts, None, None)?;
                let piece = u32::try_from(at).unwrap_or(u32::MAX);
                let hash = foldhash::quality::FixedState::default();
                let own = are_own(&facts);
                all.extend(facts.seen.iter().zip(own).map(|(seen, own)| Had {
                    address: hash.hash_one((&seen.segment, seen.ip)),
                    host: hash_of(seen),
                    piece,
                    loose: !own,
                }));
            }
        };
        gather(threads, work).map_err(|e| {
            e.unwrap_or_else(|| StoreError::Unexpected { place: self.place(), detail: "a thread ended early".into() })
        })
    }
}

/// What so many threads find together; the error is `None` where one died.
fn gather<T: Send, E: Send>(
    threads: usize,
    work: impl Fn() -> std::result::Result<Vec<T>, E> + Sync,
) -> std::result::Result<Vec<T>, Option<E>> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut all = work().map_err(Some);
        for worker in workers {
            // Each is waited for, whatever came before.
            let more = worker.join().map_err(|_| None).and_then(|found| found.map_err(Some));
            match (&mut all, more) {
                (Ok(all), Ok(mut more)) => all.append(&mut more),
                (Ok(_), Err(e)) => all = Err(e),
                (Err(_), _) => {}
            }
        }
        all
    })
}

fn found(mut all: Vec<Had>) -> Together {
    all.sort_unstable();
    let mut together = Together::default();
    for same in all.chunk_by(|a, b| a.address == b.address) {
        let several = same.windows(2).any(|w| matches!(w, [a, b] if a.host != b.host));
        if several && same.iter().any(|h| h.loose) {
            together.hosts.extend(same.iter().map(|h| h.host));
        }
    }
    let theirs = all.iter().filter(|h| together.hosts.contains(&h.host));
    together.pieces = theirs.map(|h| h.piece).collect();
    together.pieces.sort_unstable();
    together.pieces.dedup();
    together
}

#[cfg(test)]
mod tests {
    use super::gather;
    use std::thread;

    #[test]
    fn a_thread_that_dies_or_fails_takes_all_with_it() {
        let here = thread::current().id();
        let found = |sound: bool, fails: bool| {
            gather(3, move || {
                let first = thread::current().id() == here;
                assert!(first || sound, "a thread that dies");
                if first || !fails { Ok(vec![first]) } else { Err("no file") }
            })
        };
        assert_eq!(found(true, false).map(|all| all.len()), Ok(3));
        assert_eq!(found(true, true), Err(Some("no file")));
        assert_eq!(found(false, false), Err(None));
    }
}
