//! The file of `--events`. What a full disk did not take is tried again.

use crate::host::changes::Change;
use crate::report::events;
use std::collections::VecDeque;
use std::io::{self, Write};

/// Most events that wait; further ones are only counted.
const MOST_WAITING: usize = 4_096;

/// A file that changes of hosts are added to.
pub(super) struct EventFile<W> {
    pub(super) out: W,
    /// Lines, the first of which may be cut at its front.
    waiting: VecDeque<Vec<u8>>,
    /// The last attempt failed.
    failing: bool,
    missing: u64,
}

/// What is worth a word after an attempt to write.
#[derive(Debug)]
pub(super) enum Turn {
    /// It cannot be written any more.
    Failed(io::Error),
    /// It can be written again; so many events are not in it.
    Again(u64),
}

impl<W: Write> EventFile<W> {
    pub(super) fn new(out: W) -> Self {
        EventFile { out, waiting: VecDeque::new(), failing: false, missing: 0 }
    }

    /// Whether all that was added is written.
    pub(super) fn is_written(&self) -> bool {
        !self.failing
    }

    /// Adds changes, and writes them and what waits.
    pub(super) fn add(&mut self, changes: &[Change]) -> Option<Turn> {
        for change in changes {
            let mut line = Vec::new();
            if self.waiting.len() < MOST_WAITING && events::write(&mut line, change).is_ok() {
                self.waiting.push_back(line);
            } else {
                self.missing = self.missing.saturating_add(1);
            }
        }
        if changes.is_empty() && !self.failing {
            return None;
        }
        match (self.write(), std::mem::take(&mut self.failing)) {
            (Ok(()), false) => None,
            (Ok(()), true) => Some(Turn::Again(std::mem::take(&mut self.missing))),
            (Err(e), before) => {
                self.failing = true;
                (!before).then_some(Turn::Failed(e))
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(line) = self.waiting.front_mut() {
            match self.out.write(line) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(line.drain(..n.min(line.len()))),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if line.is_empty() {
                self.waiting.pop_front();
            }
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Verdict;
    use crate::host::changes::Changes;
    use crate::host::{Standing, sample};

    /// A disk with room for so many bytes.
    struct Disk {
        room: usize,
        held: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room);
            if n == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.held.extend(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn change() -> Vec<Change> {
        let view = sample::view("10.0.0.5", Verdict::Updating);
        let now = view.last_seen;
        Changes::new(30).update(&[view], |_| Standing::Open, now)
    }

    #[test]
    fn what_a_full_disk_did_not_take_comes_later() {
        let mut file = EventFile::new(Disk { room: 100, held: Vec::new() });
        assert!(file.add(&[]).is_none() && file.is_written());
        assert!(matches!(file.add(&change()), Some(Turn::Failed(_))));
        assert!(file.add(&change()).is_none() && file.add(&[]).is_none(), "said once");
        assert!(!file.is_written());
        file.out.room = usize::MAX;
        assert!(matches!(file.add(&[]), Some(Turn::Again(0))));
        assert!(file.is_written() && file.add(&change()).is_none());
        let text = String::from_utf8(file.out.held.clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0], &lines[1]), (3, &lines[1], &lines[2]), "none is cut or missing");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut file = EventFile::new(Disk { room: 0, held: Vec::new() });
        let one = change();
        (0..MOST_WAITING + 9).for_each(|_| drop(file.add(&one)));
        file.out.room = usize::MAX;
        assert!(matches!(file.add(&[]), Some(Turn::Again(9))));
        assert_eq!(file.out.held.iter().filter(|b| **b == b'\n').count(), MOST_WAITING);
    }
}
