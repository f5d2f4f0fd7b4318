//! The parts of a source, taken by several threads.

use super::fact::{FactSource, Part, SourceError, Wanted};
use std::sync::atomic::{AtomicU32, Ordering};

/// Hands each part of a source to one of up to so many threads, the caller's own
/// among them. Each has what `begin` makes, and all of these are returned.
///
/// # Errors
/// Where the source cannot be read, where `take` fails, and where a thread breaks
/// down. Then no thread begins with a further part.
pub fn each_part<W: Send, E: From<SourceError> + Send>(
    source: &dyn FactSource,
    wanted: &Wanted,
    threads: usize,
    begin: impl Fn() -> W + Sync,
    take: impl Fn(&mut W, &Part) -> Result<(), E> + Sync,
) -> Result<Vec<W>, E> {
    let parts = source.parts();
    let next = AtomicU32::new(0);
    let run = || -> Result<W, E> {
        let _all = Ended { next: &next, parts };
        let (mut worker, mut room) = (begin(), Part::default());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= parts {
                return Ok(worker);
            }
            take(&mut worker, source.part(number, wanted, &mut room)?)?;
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.clamp(1, parts.max(1) as usize)).map(|_| scope.spawn(run)).collect();
        let mut workers = vec![run()];
        let broken = |_| Err(SourceError("a thread ended unexpectedly".to_owned()).into());
        workers.extend(others.into_iter().map(|other| other.join().unwrap_or_else(broken)));
        workers.into_iter().collect()
    })
}

/// Leaves no part to begin with when a thread ends: either there is none, or it
/// failed, and nobody wants what the others would still count.
struct Ended<'n> {
    next: &'n AtomicU32,
    parts: u32,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.next.store(self.parts, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::{Memory, f};
    use std::time::Duration;

    #[test]
    fn every_part_is_taken_once() {
        let records: Vec<_> = (0..40).map(|n| f(&format!("10.0.0.{n}"), 0)).collect();
        for (parts, threads) in [(1, 1), (1, 4), (7, 3), (40, 2)] {
            let source = Memory::new(&records, parts);
            let take = |n: &mut usize, part: &Part| {
                *n += part.facts.contacts.len();
                Ok::<(), SourceError>(())
            };
            let counts = each_part(&source, &Wanted::default(), threads, || 0, take).unwrap();
            assert_eq!(counts.iter().sum::<usize>(), 40, "{parts} {threads}");
            assert_eq!(counts.len(), threads.min(parts as usize));
        }
    }

    #[test]
    fn where_one_fails_the_others_stop() {
        const PARTS: u32 = 4000;
        let source = Memory::new(&[f("10.0.0.0", 0)], PARTS);
        let caller = std::thread::current().id();
        for (breaks, why) in [(false, "it fails"), (true, "a thread ended unexpectedly")] {
            let taken = AtomicU32::new(0);
            let take = |_: &mut (), part: &Part| {
                taken.fetch_add(1, Ordering::Relaxed);
                assert!(!breaks || std::thread::current().id() == caller);
                if !breaks && !part.facts.contacts.is_empty() {
                    return Err(SourceError("it fails".to_owned()));
                }
                std::thread::sleep(Duration::from_millis(1));
                Ok(())
            };
            let failed = each_part(&source, &Wanted::default(), 3, || (), take).unwrap_err();
            assert_eq!(failed.0, why);
            assert!(taken.load(Ordering::Relaxed) < PARTS / 2, "{why}: {}", taken.load(Ordering::Relaxed));
        }
    }
}
